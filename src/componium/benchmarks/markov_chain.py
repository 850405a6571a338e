"""Learning and composing chorales: the model `markov` against a plain first-order dictionary."""

from __future__ import annotations

from typing import Any

from componium import registry
from componium.benchmarks.dictionary_chain import DictionaryChain
from componium.benchmarks.material import chorales
from componium.benchmarks.measure import Measurement, compare
from componium.music.corpus import Corpus
from componium.music.errors import BadInput
from componium.music.grid import Grid, to_grid
from componium.music.score import Score

PIECES = 512
BARS = 8
STEPS_PER_BAR = 16
PEER = "a first-order dictionary of chords"


def fit() -> list[Measurement]:
    """Time learning."""
    corpus, text = chorales()
    grids = grids_of(corpus)
    return [compare(
        "markov-fit", lambda: _learned(corpus), lambda: DictionaryChain().fit(grids), peer=PEER, repeats=3,
        amount=len(corpus), unit="chorales",
        note=f"{text}; markov learns viewpoints, back-off and weights, the dictionary one step")]


def generate() -> list[Measurement]:
    """Time composing."""
    corpus, text = chorales()
    model, plain = _learned(corpus), DictionaryChain()
    plain.fit(grids_of(corpus))
    return [compare(
        "markov-generate", lambda: model.generate_many(count=PIECES, bars=BARS, seed=1, particles=1),
        lambda: [plain.generate(BARS * STEPS_PER_BAR, seed) for seed in range(PIECES)], peer=PEER, repeats=3,
        amount=PIECES, unit=f"chorales of {BARS} bars",
        note=f"{text}; markov (particles=1) keeps key, ranges and cadences, the dictionary makes bare chords")]


def grids_of(corpus: Corpus) -> list[Grid]:
    """Return the grids of four-voice items."""
    return [item.grid if item.grid is not None else _grid(item.content) for item in corpus]


def _grid(content: object) -> Grid:
    if not isinstance(content, Score):
        raise BadInput("the benchmark needs scores, not recordings")
    return to_grid(content)


def _learned(corpus: Corpus) -> Any:
    model = registry.create("markov")
    model.fit(corpus)
    return model
