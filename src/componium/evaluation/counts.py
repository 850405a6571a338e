"""Counts: simple statistics of notes, intervals and motion, as shares; what a classifier sees beside the measures.

Lines are tracks (of a chord the highest note). A share of nothing is 0, so that every piece has every value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.notes import Notes, lines, pitched
from componium.music.score import Score

LONGEST_LEAP = 12
NOTE_VALUES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Lengths in beats; each note counts for the nearest."""
DIRECTIONS = ("down", "same", "up")
MOST_BEATS = 4096
"""Chords are looked at on so many beats at most."""

Ints = npt.NDArray[np.int64]


def counts(score: Score) -> dict[str, float]:
    """Return the statistics of a score by their names in words; all between 0 and 1."""
    melodies = lines(score)
    intervals = [np.diff(line.pitches) for line in melodies]
    values = [np.abs((line.ends - line.starts)[:, None] - np.array(NOTE_VALUES)).argmin(axis=1) for line in melodies]
    motions = [np.sign(each) + 1 for each in intervals]
    found: dict[str, float] = {}
    clipped = [np.clip(each, -LONGEST_LEAP, LONGEST_LEAP) + LONGEST_LEAP for each in intervals]
    found |= _shares([f"melodic interval {step:+d}" for step in range(-LONGEST_LEAP, LONGEST_LEAP + 1)], clipped)
    found |= _shares([f"note of {value:g} beats" for value in NOTE_VALUES], values)
    found |= _pairs("motion {} then {}", DIRECTIONS, motions)
    long = [(np.array(NOTE_VALUES)[each] >= 1.0).astype(np.int64) for each in values]
    found |= _pairs("note {} then {}", ("short", "long"), long)
    return found | _chords(pitched(score))


def _chords(notes: Notes) -> dict[str, float]:
    """Return statistics of what sounds on the beats: intervals above the lowest note, motion of the outer voices."""
    names = [f"{interval} semitones above the bass" for interval in range(12)]
    end = int(min(np.ceil(notes.ends.max(initial=0.0)), MOST_BEATS))
    lowest, highest, above = [], [], []
    for beat in range(end):
        pitches = notes.pitches[(notes.starts <= beat) & (notes.ends > beat)]
        if len(pitches) < 2:
            continue
        lowest.append(int(pitches.min()))
        highest.append(int(pitches.max()))
        above.append(np.unique(pitches - pitches.min())[1:] % 12)
    bass, top = (np.sign(np.diff(each)).astype(np.int64) + 1 for each in (lowest, highest))
    motion = [f"bass {first} and top {second}" for first in DIRECTIONS for second in DIRECTIONS]
    leaps = np.minimum(np.abs(np.diff(np.array(lowest, dtype=np.int64))), LONGEST_LEAP)
    return _shares(names, above) | _shares(motion, [bass * 3 + top]) \
        | _shares([f"bass moves by {step} between beats" for step in range(LONGEST_LEAP + 1)], [leaps])


def _pairs(name: str, words: Sequence[str], kinds: Sequence[Ints]) -> dict[str, float]:
    """Return how often each kind follows each: of neighbours within a line."""
    count = len(words)
    names = [name.format(first, second) for first in words for second in words]
    return _shares(names, [each[:-1] * count + each[1:] for each in kinds])


def _shares(names: Sequence[str], kinds: Sequence[Ints]) -> dict[str, float]:
    """Return the share of each kind (a whole number from 0) of all that are given, by its name."""
    tally = np.zeros(len(names))
    for each in kinds:
        tally += np.bincount(np.asarray(each, dtype=np.int64), minlength=len(names))
    total = max(1.0, float(tally.sum()))
    return {name: float(value / total) for name, value in zip(names, tally, strict=True)}
