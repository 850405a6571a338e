"""The notes of a score as arrays, as the measures of pitch and rhythm read them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.score import CLOSE_BEATS, Bar, Score, Track, bars, end_beats, note_arrays, note_ends

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LONGEST_BEATS = 100_000.0
"""Measures are taken of scores up to this length: more than ten hours at any usual tempo."""


FINEST_STEPS_PER_BEAT = 6720
"""Times are taken on this grid, which holds the ticks of nearly all files: stored times have 24 binary digits."""


class Notes:
    """Notes in the order of their starts, lower pitches first.

    Attributes:
        starts, ends: [N] in beats.
        pitches: [N] MIDI numbers.
    """

    def __init__(self, tracks: list[Track]) -> None:
        arrays = [note_arrays(track) for track in tracks]
        starts = _joined([each["time"] for each in arrays])
        ends = _joined([note_ends(track) for track in tracks])
        pitches = _joined([each["pitch"] for each in arrays]).astype(np.int64)
        starts, ends = (np.rint(each * FINEST_STEPS_PER_BEAT) / FINEST_STEPS_PER_BEAT for each in (starts, ends))
        order = np.lexsort((pitches, starts))
        self.starts, self.ends, self.pitches = starts[order], ends[order], pitches[order]

    def __len__(self) -> int:
        return len(self.starts)


def _joined(arrays: list[npt.NDArray[np.generic]]) -> Floats:
    return np.concatenate([np.zeros(0), *(np.asarray(each, np.float64) for each in arrays)])


def sounding(score: Score) -> Notes:
    """Return all notes, drums included."""
    return Notes([track for track in score.tracks if len(track.notes)])


def pitched(score: Score) -> Notes:
    """Return all notes but the drums'."""
    return Notes([track for track in score.tracks if len(track.notes) and not track.is_drum])


def lines(score: Score, *, drums: bool = False) -> list[Notes]:
    """Return each track as one line: of notes that start together only the highest is kept."""
    found = []
    for track in score.tracks:
        if len(track.notes) and (drums or not track.is_drum):
            notes = Notes([track])
            last = np.append(np.diff(notes.starts) > CLOSE_BEATS, True)  # the highest of a chord comes last
            notes.starts, notes.ends, notes.pitches = notes.starts[last], notes.ends[last], notes.pitches[last]
            found.append(notes)
    return found


def stated_bars(score: Score) -> list[Bar]:
    """Return the bars of a score; none where it states no meter: what needs bars is not defined there."""
    return bars(score) if len(score.time_signatures) else []


def entropy_bits(counts: npt.ArrayLike) -> float:
    """Return the Shannon entropy of a histogram in bits; NaN where nothing was counted."""
    tally = np.asarray(counts, np.float64)
    total = tally.sum()
    if total <= 0:
        return float("nan")
    shares = tally[tally > 0] / total
    return float(abs(-(shares * np.log2(shares)).sum()))


def conditional_entropy_bits(first: Ints, second: Ints) -> float:
    """Return how uncertain ``second`` is when ``first`` is known, in bits; NaN for empty arrays [T], [T]."""
    if not len(first):
        return float("nan")
    _, pairs = np.unique(np.stack([first, second]), axis=1, return_counts=True)
    _, singles = np.unique(first, return_counts=True)
    return max(0.0, entropy_bits(pairs) - entropy_bits(singles))


def check(score: Score, *, drums: bool) -> None:
    """Raise `BadInput` for a score without notes (``drums``: whether theirs count), or one that is far too long."""
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        raise BadInput("the score has no notes, so there is nothing to measure: give a piece with notes")
    if not drums and all(track.is_drum for track in tracks):
        raise BadInput("the score has drums only, which have no pitch: measure its rhythm")
    if end_beats(score) > LONGEST_BEATS:
        raise BadInput(f"the score lasts {end_beats(score):,.0f} beats: measures are taken of at most "
                       f"{LONGEST_BEATS:,.0f}; cut it into pieces")
