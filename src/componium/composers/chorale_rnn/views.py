"""What the network sees of a piece: arrays of a grid, training examples cut from them, and the marks of each place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays
from componium.music.grid import Grid
from componium.music.score import bar_beats
from componium.tokens.grid import HOLD, REST, SILENT, UNKNOWN, GridTokens, places

Ints = npt.NDArray[np.int64]

FAR_BEATS = 16
"""Distances to a fermata or the end are told in beats up to this."""
FAR = FAR_BEATS
NOT_TOLD = FAR_BEATS + 1
BEATS_OF_BAR = 16
UNKNOWN_BEATS = 4
"""Where bars are not known, beats are counted from the beginning, round and round."""
MOST_BAR_BEATS = 12
MARKS = ("step of beat", "beat of bar", "beats a bar", "beats to the fermata", "beats to the end")


def mark_sizes(steps_per_beat: int) -> tuple[int, ...]:
    """Return how many values each of the `MARKS` has."""
    return steps_per_beat, BEATS_OF_BAR + UNKNOWN_BEATS, MOST_BAR_BEATS + 1, NOT_TOLD + 1, NOT_TOLD + 1


def marks_of(grid: Grid, *, meter: bool = True, fermatas: bool = True, end: bool = True) -> Ints:
    """Return the marks of each step of a grid: int64 [steps, marks], in the order of `MARKS`.

    Args:
        grid: the music.
        meter: whether bars may be told, where they are known.
        fermatas: whether fermatas may be told, where they are known.
        end: whether the end may be told.
    """
    spb, steps = grid.steps_per_beat, np.arange(len(grid))
    told = places(grid, furthest=FAR_BEATS * spb, meter_known=meter and grid.ties_known,
                  fermatas_known=fermatas and bool(grid.fermatas), end_known=end)
    known = told["beat_of_bar"] != UNKNOWN
    beats_a_bar = min(-(-grid.numerator * 4 // grid.denominator), MOST_BAR_BEATS)
    return np.stack([
        np.where(known, told["place_in_beat"], steps % spb),
        np.where(known, np.minimum(told["beat_of_bar"], BEATS_OF_BAR - 1), BEATS_OF_BAR + steps // spb % UNKNOWN_BEATS),
        np.where(known, beats_a_bar, 0),
        _beats(told["steps_to_fermata"], spb),
        _beats(told["steps_to_end"], spb),
    ], axis=1).astype(np.int64)


def _beats(steps: Ints, steps_per_beat: int) -> Ints:
    """Return distances in beats, rounded up; `FAR` and `NOT_TOLD` stand for the rest."""
    return np.where(steps == UNKNOWN, NOT_TOLD, np.minimum(-(-steps // steps_per_beat), FAR))


def without_marks(marks: Ints, *, meter: bool, fermatas: bool, end: bool, first_step: int = 0) -> Ints:
    """Return marks [steps, marks] with some of them not told; ``first_step`` is the place of the first in its piece."""
    marks = marks.copy()
    if meter:
        beats = (first_step + np.arange(len(marks))) // max(int(marks[:, 0].max()) + 1, 1)
        marks[:, 1], marks[:, 2] = BEATS_OF_BAR + beats % UNKNOWN_BEATS, 0
    if fermatas:
        marks[:, 3] = NOT_TOLD
    if end:
        marks[:, 4] = NOT_TOLD
    return marks


def prepared_grid(grid: Grid, tokens: GridTokens) -> Arrays:
    """Return what is learned from a grid: symbols [steps, voices], marks [steps, marks], whether ties are known."""
    return {"symbols": tokens.encode(grid), "marks": marks_of(grid).astype(np.int16),
            "ties": np.array(grid.ties_known), "meter": np.array([grid.numerator, grid.denominator], np.int16),
            "beats": np.array(bar_beats(grid.numerator, grid.denominator))}


def seen(symbols: Ints, tokens: GridTokens) -> Arrays:
    """Return all that the network is told of symbols [steps, voices], each [steps, voices]:

    now: pitch that sounds, from 0; P in a rest.
    struck: 1 where it begins.
    before: the same of the step before; P + 1 before the first.
    age: how many steps the note (or the rest) of the step before had lasted.
    target: the symbols.
    """
    count = tokens.highest - tokens.lowest + 1
    sounding = tokens.sounding(symbols).astype(np.int64)
    now = np.where(sounding == SILENT, count, sounding - tokens.lowest)
    steps = np.arange(len(symbols))[:, None]
    goes_on = (symbols == HOLD) | ((symbols == REST) & (np.vstack([symbols[:1] * 0, symbols[:-1]]) == REST))
    age = steps - np.maximum.accumulate(np.where(goes_on, 0, steps), axis=0)
    first = np.full((1, symbols.shape[1]), count + 1)
    return {"now": now, "struck": (symbols > REST).astype(np.int64), "before": np.vstack([first, now[:-1]]),
            "age": np.vstack([first * 0, age[:-1]]), "target": symbols.astype(np.int64)}


def example_of(prepared: Mapping[str, npt.NDArray[Any]], tokens: GridTokens, rng: np.random.Generator | None, *,
               steps: int, transpose: bool, marks: bool, untold: float) -> Arrays:
    """Return a training example: a crop of ``steps`` steps, moved to another key; or the whole piece as it is.

    Args:
        prepared: what `prepared_grid` returned.
        tokens: its symbols.
        rng: draws crop, key, and which marks are not told; None = held-out: none of these.
        steps: length of a crop; shorter pieces are filled up with targets of -1.
        transpose: whether all keys in range are taken.
        marks: whether marks are told at all.
        untold: share of the examples in which each kind of mark is not told.

    Returns:
        The arrays of `seen`, ``place`` [steps, marks] and ``ties`` [].
    """
    symbols, place = prepared["symbols"].astype(np.int64), prepared["marks"].astype(np.int64)
    start, hidden = 0, np.full(3, not marks)
    if rng is not None:
        if transpose:
            symbols = tokens.transposed(symbols, int(rng.choice(list(tokens.transpositions(symbols))))).astype(np.int64)
        start = _start(len(symbols), steps, tokens.steps_per_beat, rng)
        hidden = hidden | (rng.random(3) < untold)
    else:
        steps = len(symbols)
    place = without_marks(place, meter=bool(hidden[0]), fermatas=bool(hidden[1]), end=bool(hidden[2]))
    arrays = seen(symbols, tokens) | {"place": place}
    cut = {name: _padded(values[start:start + steps], steps, UNKNOWN if name == "target" else 0)
           for name, values in arrays.items()}
    return cut | {"ties": np.array(prepared["ties"], np.bool_)}


def _start(length: int, steps: int, steps_per_beat: int, rng: np.random.Generator) -> int:
    """Draw where a crop begins: on a beat, the beginning and the end of the piece more often than other places."""
    if length <= steps:
        return 0
    drawn = int(rng.integers(-(steps // 2), length - steps + steps // 2))
    return min(max(drawn, 0), length - steps) // steps_per_beat * steps_per_beat


def _padded(values: npt.NDArray[Any], steps: int, filling: int) -> Ints:
    missing = [(0, steps - len(values))] + [(0, 0)] * (values.ndim - 1)
    return np.ascontiguousarray(np.pad(values, missing, constant_values=filling))
