"""What the demo was asked for, what it knows, and who plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = ("chorale.mid", "chorale.musicxml", "chorale.wav", "chorale.png", "index.html")
MODEL = "model"
INSTRUMENTS = ("oboe", "clarinet", "french horn", "bassoon")
"""Who plays soprano, alto, tenor and bass: names of General MIDI."""
PLACES = (-0.45, 0.2, -0.15, 0.45)
"""Where they sit, from -1 (left) to 1 (right)."""
FRACTIONS = (0.8, 0.1, 0.1)
"""Learned from, left alone for development, and judged on."""
TEMPO_BPM = 76.0
LUFS = -16.0
BARS_A_PHRASE = 4


@dataclass(frozen=True)
class Asked:
    """What the user asked for."""

    key: str
    bars: int
    seed: int
    out: Path


@dataclass
class Lesson:
    """The corpus in parts, the model that learned from ``train``, and how it and the baseline did on ``held_out``.

    The model comes with `work.learn`, the figures with `work.judge`.
    """

    corpus: Any
    train: Any
    held_out: Any
    model: Any = None
    report: Any = None
    first_order_nats: float = float("nan")


@dataclass(frozen=True)
class Performance:
    """The piece as it is written, and its sound."""

    score: Any
    audio: Any
