"""Componium listens, composes and plays: every generative-music technique behind one interface.

The public words are imported when they are first used, so that ``import componium`` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from componium.evaluation.likelihood import evaluate as evaluate
    from componium.interface import describe as describe
    from componium.music.audio import Audio as Audio
    from componium.music.corpus import open_corpus as open_corpus
    from componium.music.formats import read_score as read_score
    from componium.music.formats import write_score as write_score
    from componium.music.score import Score as Score
    from componium.performance import perform as perform
    from componium.registry import create as create
    from componium.registry import load as load
    from componium.registry import models as models
    from componium.training.train import train as train

__version__ = "0.1.0"

_WORDS = {
    "Score": "componium.music.score",
    "Audio": "componium.music.audio",
    "read_score": "componium.music.formats",
    "write_score": "componium.music.formats",
    "open_corpus": "componium.music.corpus",
    "create": "componium.registry",
    "load": "componium.registry",
    "models": "componium.registry",
    "describe": "componium.interface",
    "train": "componium.training.train",
    "perform": "componium.performance",
    "evaluate": "componium.evaluation.likelihood",
}

__all__ = ["__version__", *_WORDS]


def __getattr__(name: str) -> Any:
    if name not in _WORDS:
        raise AttributeError(f"module 'componium' has no attribute {name!r}")
    return getattr(importlib.import_module(_WORDS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
