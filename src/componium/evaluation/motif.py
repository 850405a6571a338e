"""Motifs: how much of a melody comes back, exactly, transposed, or varied; and which bars do.

A motif is a window of ``notes`` successive notes of the melody: their pitches, and the times between their starts in
1/24 of a beat (how long they are held does not count). It recurs where another window of the melody, that shares no
note with it, is

* *exact*: the same pitches at the same distances in time;
* *transposed*: the same intervals in semitones at the same distances in time;
* *varied*: transposed; or the same steps of the scale (a second is a second, major or minor) at the same distances in
  time: a sequence within the key; or transposed but for one note inside it, which is another, is added or left out.

Each kind holds the one before. The figure is the share of the melody's notes that lie in a window that recurs. Equality
up to a translation in pitch and time is the criterion of Meredith, Lemstroem and Wiggins, "Algorithms for discovering
repeated patterns in multidimensional representations of polyphonic music", Journal of New Music Research 31(4), 2002;
interval names instead of semitones are those of Cambouropoulos, "A general pitch interval representation", JNMR 25(3),
1996.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt

from componium.music.score import Bar, Score, Track, bars, note_arrays, note_ends, round_half_up, skyline, voices
from componium.music.voices import is_monophonic

STEPS_PER_BEAT = 24
"""Times are compared in 1/24 beat: 32nd notes and triplets."""
MOTIF_NOTES = 5
"""Length of a motif in notes."""
SCALE_STEPS = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6])
"""Semitones of an interval below an octave -> steps of the scale; the tritone counts as a fourth."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def melody(score: Score) -> Track:
    """Return the melody: the highest voice where it is one line, otherwise the skyline of the score."""
    tracks = voices(score)
    return tracks[0] if tracks and is_monophonic(tracks[0]) else skyline(score)


def line_of(track: Track) -> tuple[Ints, Ints]:
    """Return (pitches, starts in 1/24 beat) of a track's notes in order of time, [notes] each."""
    arrays = note_arrays(track)
    starts = round_half_up(arrays["time"].astype(np.float64) * STEPS_PER_BEAT)
    order = np.lexsort((arrays["pitch"], starts))
    return arrays["pitch"].astype(np.int64)[order], starts[order]


def recurrence(pitches: Ints, starts: Ints, *, notes: int = MOTIF_NOTES) -> dict[str, float]:
    """Return the share of notes in motifs that recur: ``"exact"``, ``"transposed"``, ``"varied"``.

    NaN where the melody is shorter than two motifs.
    """
    if len(pitches) < 2 * notes:
        return dict.fromkeys(("exact", "transposed", "varied"), float("nan"))
    gaps = np.diff(starts)
    intervals = np.diff(pitches)
    octaves, rest = np.divmod(np.abs(intervals), 12)
    scale_steps = np.sign(intervals) * (7 * octaves + SCALE_STEPS[rest])
    rhythm = _windows(gaps, notes - 1)
    exact = _returning(_rows(np.hstack([_windows(pitches, notes), rhythm])), notes)
    moved = _returning(_rows(np.hstack([_windows(intervals, notes - 1), rhythm])), notes)
    within_key = _returning(_rows(np.hstack([_windows(scale_steps, notes - 1), rhythm])), notes)
    varied = moved | within_key | _nearly_returning(pitches, starts, notes)
    return {"exact": float(exact.mean()), "transposed": float(moved.mean()), "varied": float(varied.mean())}


def _windows(values: Ints, width: int) -> Ints:
    return np.lib.stride_tricks.sliding_window_view(values, width)


def _rows(table: Ints) -> Ints:
    """Return a number for each row, the same for equal rows."""
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _returning(names: Ints, notes: int) -> npt.NDArray[np.bool_]:
    """Return which notes lie in a window whose name another window has that shares no note with it."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, name in enumerate(names.tolist()):
        first.setdefault(name, place)
        last[name] = place
    places = np.arange(len(names))
    begin = np.array([first[name] for name in names.tolist()])
    end = np.array([last[name] for name in names.tolist()])
    return _covered(places[(places - begin >= notes) | (end - places >= notes)], notes, len(names) + notes - 1)


def _covered(windows: Ints, notes: int, size: int) -> npt.NDArray[np.bool_]:
    """Return which of ``size`` notes lie in a window that starts at one of these places."""
    change = np.zeros(size + 1, np.int64)
    np.add.at(change, windows, 1)
    np.add.at(change, windows + notes, -1)
    return np.asarray(np.cumsum(change)[:size] > 0)


def _nearly_returning(pitches: Ints, starts: Ints, notes: int) -> npt.NDArray[np.bool_]:
    """Return which notes lie in a window that recurs but for one note inside it: another, added or left out.

    Two windows of n notes, each without one of its inner notes, are the same set of points in pitch and time (one note
    is another); or one of n + 1 notes without one is the same as one of n (added or left out).
    """
    whole = dict(_shapes(pitches, starts, notes))
    groups: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for place, shape in whole.items():
        groups[shape].append((place, place + notes))
    for shape, place in _thinned(pitches, starts, notes + 1):
        if shape in groups:
            groups[shape].append((place, place + notes + 1))
    thinned: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for shape, place in _thinned(pitches, starts, notes):
        thinned[shape].append((place, place + notes))
    change = np.zeros(len(pitches) + 1, np.int64)
    for places in (*groups.values(), *thinned.values()):
        _mark(places, change)
    return np.asarray(np.cumsum(change)[:-1] > 0)


def _mark(places: list[tuple[int, int]], change: Ints) -> None:
    """Count the windows [begin, end) that are disjoint from another one of the group."""
    if len(places) < 2:
        return
    latest = max(begin for begin, _ in places)
    earliest = min(end for _, end in places)
    for begin, end in places:
        if latest >= end or earliest <= begin:
            change[begin] += 1
            change[end] -= 1


def _shapes(pitches: Ints, starts: Ints, notes: int) -> Iterable[tuple[int, Hashable]]:
    """Yield (place, shape) of each window: its points relative to the first one."""
    for place, (high, when) in enumerate(zip(_windows(pitches, notes), _windows(starts, notes), strict=True)):
        yield place, (tuple((high - high[0]).tolist()), tuple((when - when[0]).tolist()))


def _thinned(pitches: Ints, starts: Ints, notes: int) -> Iterable[tuple[Hashable, int]]:
    """Yield (shape, place) of each window, each of its inner notes left out in turn."""
    for left_out in range(1, notes - 1):
        kept = [index for index in range(notes) if index != left_out]
        highs, whens = _windows(pitches, notes)[:, kept], _windows(starts, notes)[:, kept]
        rows = zip((highs - highs[:, :1]).tolist(), (whens - whens[:, :1]).tolist(), strict=True)
        for place, (high, when) in enumerate(rows):
            yield (tuple(high), tuple(when)), place


def repeated_bars(score: Score) -> dict[str, float]:
    """Return the share of bars with notes that come again: ``"exact"`` and ``"transposed"``; NaN below two such bars.

    Two bars are the same where the same pitches start at the same places and last as long, all voices taken together;
    how they are shared among the voices does not count. Drums are left out.
    """
    held = contents(score, bars(score))
    if len(held) < 2:
        return {"exact": float("nan"), "transposed": float("nan")}
    lowest = [min(pitch for _, pitch, _ in bar) for bar in held]
    moved = [tuple((start, pitch - low, length) for start, pitch, length in bar)
             for bar, low in zip(held, lowest, strict=True)]
    return {"exact": _share_again(held), "transposed": _share_again(moved)}


def contents(score: Score, of: list[Bar]) -> list[tuple[tuple[int, int, int], ...]]:
    """Return what starts in each bar that holds notes: (start in 1/24 beat, pitch, length), sorted."""
    edges = round_half_up([bar.start_beats * STEPS_PER_BEAT for bar in of])
    found: dict[int, set[tuple[int, int, int]]] = defaultdict(set)
    for track in voices(score):
        pitches = note_arrays(track)["pitch"].tolist()
        starts = round_half_up(note_arrays(track)["time"].astype(np.float64) * STEPS_PER_BEAT)
        lengths = round_half_up(note_ends(track) * STEPS_PER_BEAT) - starts
        places = np.searchsorted(edges, starts, side="right") - 1
        for place, pitch, start, length in zip(places.tolist(), pitches, (starts - edges[places]).tolist(),
                                               lengths.tolist(), strict=True):
            found[place].add((start, pitch, length))
    return [tuple(sorted(found[place])) for place in sorted(found)]


def _share_again(held: list[tuple[tuple[int, int, int], ...]]) -> float:
    counts: dict[Hashable, int] = defaultdict(int)
    for bar in held:
        counts[bar] += 1
    return sum(count for count in counts.values() if count > 1) / len(held)
