"""The least that can be called a Markov chain over chorales: a dictionary from each chord to what followed.

It knows one step of the past, has no smoothing, no key, no cadence and no ranges, and starts again where it
gets stuck. It is written for comparison, as plainly as a textbook would.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from componium.music.grid import Grid

Chord = tuple[int, ...]


class DictionaryChain:
    """First-order chain over the chords (tuples of pitches) of a grid's steps."""

    def __init__(self) -> None:
        self.first: Counter[Chord] = Counter()
        self.following: defaultdict[Chord, Counter[Chord]] = defaultdict(Counter)

    def fit(self, grids: Iterable[Grid]) -> None:
        """Count which chord follows which."""
        for grid in grids:
            chords = [tuple(row) for row in grid.pitches.tolist()]
            self.first[chords[0]] += 1
            for before, after in pairwise(chords):
                self.following[before][after] += 1

    def generate(self, steps: int, seed: int) -> list[Chord]:
        """Return the chords of a piece of ``steps`` steps."""
        rng = np.random.default_rng(seed)
        chord = draw(self.first, rng)
        chords = [chord]
        while len(chords) < steps:
            chord = draw(self.following.get(chord) or self.first, rng)
            chords.append(chord)
        return chords


def draw(counts: Counter[Chord], rng: np.random.Generator) -> Chord:
    """Draw a chord in proportion to its count."""
    left = rng.random() * counts.total()
    for chord, count in counts.items():
        left -= count
        if left < 0:
            return chord
    return next(iter(counts))
