"""Pitch: which pitches a piece uses, how much of a scale it keeps to, how dense its chords are, how its lines move.

Conventions.

- Drums have no pitch and are left out everywhere. Notes count once each, whatever their length; a note that is tied in
  notation is one note.
- ``pitches_used`` to ``polyphony_rate`` are those of MusPy (Dong, Chen, McAuley, Berg-Kirkpatrick, ISMIR 2020) and
  agree with it, except that a piece without pitched notes has NaN here: there, a piece of drums has a range of
  -127, and one without tracks has a range of zero or stops with an error.
- Scales are the 12 major and the 12 natural minor ones. As both have the same notes, there are 12 different ones; the
  leading note of a minor key counts as outside.
- Polyphony is taken over time, exactly, and not over steps of a file's resolution. Two voices in unison are one pitch.
  ``polyphony_rate`` counts the time with *two or more* pitches; MusPy's default threshold of 2 counts three or more.
- Lines are tracks; of notes that start together in one track the highest is taken. Intervals are those between
  successive notes of a line, also across a rest.
- ``bar_entropy`` and ``four_bar_entropy`` are H1 and H4 of Wu and Yang (The Jazz Transformer on the Front Line, ISMIR
  2020): the entropy of the pitch classes that start within a window, averaged over all windows of 1 or 4 bars that
  hold a note. Windows are the bars of the meter, not steps of 16; NaN for a piece that states no meter.
- ``mean_interval`` is the average pitch shift of MGEval (Yang and Lerch, On the evaluation of generative models in
  music, Neural Computing and Applications 32, 2020); ``pitch_class_uncertainty`` is the conditional entropy of its
  pitch-class transition matrix, which makes one figure of 144.
- A figure that is not defined is NaN: intervals of one note, four bars of a piece of three.
"""

from __future__ import annotations

import numpy as np

from componium.evaluation.measure import Measure
from componium.evaluation.notes import (
    Ints,
    Notes,
    check,
    conditional_entropy_bits,
    entropy_bits,
    lines,
    pitched,
    stated_bars,
)
from componium.music.score import CLOSE_BEATS, Score, end_beats

MEASURES: tuple[Measure, ...] = (
    Measure("pitches_used", "pitches", "how many different pitches"),
    Measure("pitch_classes_used", "pitch classes", "how many of the twelve"),
    Measure("pitch_range", "semitones", "from the lowest to the highest note"),
    Measure("pitch_entropy", "bits", "how evenly the pitches are used"),
    Measure("pitch_class_entropy", "bits", "how evenly the pitch classes are used: 3.58 for all twelve alike"),
    Measure("scale_consistency", "share", "of the notes: those in the major or minor scale that fits best"),
    Measure("polyphony", "pitches", "how many pitches sound together, on average while any sounds"),
    Measure("polyphony_rate", "share", "of the time: with two or more pitches"),
    Measure("mean_interval", "semitones", "how far a line moves from note to note, on average"),
    Measure("stepwise_share", "share", "of the moves of a line that change its pitch: by one or two semitones"),
    Measure("repeated_pitches", "share", "of the moves of a line: to the same pitch"),
    Measure("pitch_class_uncertainty", "bits", "how open the next pitch class of a line is, the present one known"),
    Measure("bar_entropy", "bits", "entropy of the pitch classes of one bar, on average (H1)"),
    Measure("four_bar_entropy", "bits", "entropy of the pitch classes of four bars, on average (H4)"),
)

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_SCALES = np.array([[(pitch_class - root) % 12 in _MAJOR for pitch_class in range(12)] for root in range(12)])


def validate(score: Score) -> None:
    """Raise `BadInput` for a score without pitched notes, or of more than 100,000 beats."""
    check(score, drums=False)


def pitches_used(notes: Notes) -> float:
    """Return the number of different pitches; NaN without notes."""
    return float(len(np.unique(notes.pitches))) if len(notes) else float("nan")


def pitch_classes_used(notes: Notes) -> float:
    """Return the number of different pitch classes; NaN without notes."""
    return float(len(np.unique(notes.pitches % 12))) if len(notes) else float("nan")


def pitch_range(notes: Notes) -> float:
    """Return the distance of the highest and the lowest pitch in semitones; NaN without notes."""
    return float(notes.pitches.max() - notes.pitches.min()) if len(notes) else float("nan")


def pitch_entropy(notes: Notes) -> float:
    """Return the entropy of the pitch histogram in bits; NaN without notes."""
    return entropy_bits(np.bincount(notes.pitches, minlength=128))


def pitch_class_entropy(notes: Notes) -> float:
    """Return the entropy of the pitch-class histogram in bits; NaN without notes."""
    return entropy_bits(np.bincount(notes.pitches % 12, minlength=12))


def scale_consistency(notes: Notes) -> float:
    """Return the largest share of notes in one major or natural minor scale; NaN without notes."""
    if not len(notes):
        return float("nan")
    tally = np.bincount(notes.pitches % 12, minlength=12)
    return float((_SCALES @ tally).max() / len(notes))


def polyphony(notes: Notes) -> float:
    """Return how many different pitches sound, averaged over the time in which any sounds; NaN without notes."""
    times, counts = _sounding_pitches(notes)
    sounds = float(times[counts > 0].sum())
    return float((times * counts).sum()) / sounds if sounds > 0 else float("nan")


def polyphony_rate(notes: Notes, end: float, *, least: int = 2) -> float:
    """Return the share of the time from 0 to ``end`` (beats) in which ``least`` pitches or more sound."""
    times, counts = _sounding_pitches(notes)
    return float(times[counts >= least].sum()) / end if end > 0 and len(notes) else float("nan")


def _sounding_pitches(notes: Notes) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], Ints]:
    """Return stretches of time: [S] lengths in beats, [S] how many different pitches sound."""
    order = np.lexsort((notes.starts, notes.pitches))
    starts, ends, pitches = notes.starts[order], notes.ends[order], notes.pitches[order]
    if not len(starts):
        return np.zeros(0), np.zeros(0, np.int64)
    shift = pitches * (float(ends.max()) + 1.0)  # one pitch after the other on a line, so that unions are taken at once
    reached = np.maximum.accumulate(ends + shift)
    first = np.append(True, starts[1:] + shift[1:] > reached[:-1])
    last = np.append(np.flatnonzero(first)[1:] - 1, len(starts) - 1)
    begins, stops = starts[first], reached[last] - shift[last]
    times = np.concatenate([begins, stops])
    changes = np.repeat([1, -1], len(begins))
    order = np.argsort(times, kind="stable")
    counts = np.cumsum(changes[order])[:-1]
    return np.diff(times[order]), counts


def intervals(score: Score) -> list[Ints]:
    """Return the intervals of each line in semitones, upwards positive."""
    return [np.diff(line.pitches) for line in lines(score)]


def mean_interval(moves: Ints) -> float:
    """Return the mean size of intervals in semitones; NaN without any."""
    return float(np.abs(moves).mean()) if len(moves) else float("nan")


def stepwise_share(moves: Ints) -> float:
    """Return the share of steps (1 or 2 semitones) among intervals that are no repetitions; NaN without any."""
    sizes = np.abs(moves[moves != 0])
    return float((sizes <= 2).mean()) if len(sizes) else float("nan")


def repeated_pitches(moves: Ints) -> float:
    """Return the share of repetitions among intervals; NaN without any."""
    return float((moves == 0).mean()) if len(moves) else float("nan")


def pitch_class_uncertainty(score: Score) -> float:
    """Return the conditional entropy of pitch-class transitions within lines, in bits; NaN without any."""
    classes = [line.pitches % 12 for line in lines(score)]
    first = np.concatenate([np.zeros(0, np.int64), *(each[:-1] for each in classes)])
    second = np.concatenate([np.zeros(0, np.int64), *(each[1:] for each in classes)])
    return conditional_entropy_bits(first, second)


def windowed_entropy(score: Score, bar_count: int) -> float:
    """Return the mean pitch-class entropy over all windows of so many bars with a note; NaN where there are none."""
    notes, starts = pitched(score), np.array([bar.start_beats for bar in stated_bars(score)])
    if len(starts) < bar_count or not len(notes):
        return float("nan")
    bar = np.searchsorted(starts, notes.starts + CLOSE_BEATS, side="right") - 1
    tally = np.zeros((len(starts) + 1, 12))
    np.add.at(tally, (bar + 1, notes.pitches % 12), 1.0)
    total = np.cumsum(tally, axis=0)
    windows = total[bar_count:] - total[:-bar_count]
    sums = windows.sum(axis=1, keepdims=True)
    shares = np.divide(windows, sums, out=np.zeros_like(windows), where=sums > 0)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    found = -(shares * logs).sum(axis=1)[sums[:, 0] > 0]
    return float(found.mean()) if len(found) else float("nan")


def evaluate(score: Score) -> dict[str, float]:
    """Return every measure of `MEASURES` by name; NaN where it is not defined for this piece."""
    notes = pitched(score)
    moves = np.concatenate([np.zeros(0, np.int64), *intervals(score)])
    return {
        "pitches_used": pitches_used(notes),
        "pitch_classes_used": pitch_classes_used(notes),
        "pitch_range": pitch_range(notes),
        "pitch_entropy": pitch_entropy(notes),
        "pitch_class_entropy": pitch_class_entropy(notes),
        "scale_consistency": scale_consistency(notes),
        "polyphony": polyphony(notes),
        "polyphony_rate": polyphony_rate(notes, end_beats(score)),
        "mean_interval": mean_interval(moves),
        "stepwise_share": stepwise_share(moves),
        "repeated_pitches": repeated_pitches(moves),
        "pitch_class_uncertainty": pitch_class_uncertainty(score),
        "bar_entropy": windowed_entropy(score, 1),
        "four_bar_entropy": windowed_entropy(score, 4),
    }
