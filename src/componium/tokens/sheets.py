"""Sheets: grids in which some cells are given and the others are to be filled, for every way of composing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from componium.music.constraint_rules import Rests, Rhythm
from componium.music.constraints import Constraints, Frame
from componium.music.errors import BadInput
from componium.music.grid import REST as SILENT_CELL
from componium.music.grid import Grid
from componium.music.score import check_meter
from componium.music.where import Passage
from componium.tokens.grid import FIRST_PITCH, HOLD, REST, GridTokens

Ints = npt.NDArray[np.int64]
OPEN = -1
"""A cell that is to be filled."""
AFTER_BEATS = 8
"""How much of what follows a new passage is foreseen, so that the versions that lead there are found."""


@dataclass(frozen=True)
class Sheet:
    """A grid to fill.

    Attributes:
        grid: tells length, meter, pickup, fermatas and, where they are given, cells.
        fixed: [steps, voices] symbols of the given cells, `OPEN` elsewhere.
        possible: [steps, voices, S] bool, what an open cell may become.
        until: so many steps have to be read; all that follows is given, and only rules and marks look at it.
        moved: semitones from the pitches as they were written to those of the grid.
        imagined: voices that are silent all along. They are composed with the others and then left out: beside silence,
            which the model has not learned, the others would hardly move.
    """

    grid: Grid
    fixed: Ints
    possible: npt.NDArray[np.bool_]
    until: int
    moved: int = 0
    imagined: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.fixed)


def lengthened(grid: Grid, steps: int) -> Grid:
    """Return a grid with rests after it, ``steps`` long in all."""
    missing = steps - len(grid)
    pitches = np.pad(grid.pitches, ((0, missing), (0, 0)), constant_values=SILENT_CELL)
    return replace(grid, pitches=pitches, held=np.pad(grid.held, ((0, missing), (0, 0))))


def bar_steps(numerator: int, denominator: int, steps_per_beat: int) -> int:
    """Return the steps of a bar; raises `BadInput` for a meter that the grid cannot hold."""
    check_meter(numerator, denominator)
    steps, left = divmod(numerator * 4 * steps_per_beat, denominator)
    if left or not steps:
        raise BadInput(f"a bar of {numerator}/{denominator} does not fit a grid of {steps_per_beat} steps a quarter "
                       "note; choose another meter, or a model with a finer grid")
    return steps


def choices(tokens: GridTokens, ranges: Ints, steps: int, *, rests: bool) -> npt.NDArray[np.bool_]:
    """Return what open cells may be: [steps, voices, S]; each voice keeps to its range, lowest and highest pitch."""
    pitch = np.arange(tokens.size) - FIRST_PITCH + tokens.lowest
    low, high = ranges[:, :1], ranges[:, 1:]
    table = (pitch >= low) & (pitch <= high)
    table[:, HOLD], table[:, REST] = True, rests
    return np.repeat(table[None], steps, axis=0)


def with_rests_of(possible: npt.NDArray[np.bool_], rules: Constraints, frame: Frame) -> npt.NDArray[np.bool_]:
    """Return what open cells may be where rules ask for rests: a voice may rest there."""
    asking = [rule for rule in rules.rules if (isinstance(rule.kind, Rests) and rule.kind.silent) or
              (isinstance(rule.kind, Rhythm) and not all(is_note for _, is_note in rule.kind.events))]
    possible = possible.copy() if asking else possible
    for rule in asking:
        try:
            stretches, voices = frame.stretches_of(rule.place), frame.voices_of(rule.place)
        except BadInput:  # the rule has no such place: who compiles it names it
            continue
        for start, stop in stretches:
            possible[start:stop, list(voices), REST] = True
    return possible


def empty_sheet(tokens: GridTokens, ranges: Ints, *, bars: int, meter: tuple[int, int], rests: bool) -> Sheet:
    """Return a sheet with nothing on it."""
    steps = bars * bar_steps(*meter, tokens.steps_per_beat)
    shape = (steps, tokens.voices)
    grid = Grid(np.full(shape, SILENT_CELL, np.int16), np.zeros(shape, bool), tokens.steps_per_beat, *meter)
    return Sheet(grid, np.full(shape, OPEN, np.int64), choices(tokens, ranges, steps, rests=rests), steps)


def sheet_after(grid: Grid, tokens: GridTokens, ranges: Ints, *, steps: int, rests: bool) -> Sheet:
    """Return a sheet that begins with a grid, ``steps`` long in all; the first new notes are struck anew."""
    fixed = np.full((steps, tokens.voices), OPEN, np.int64)
    fixed[:len(grid)] = tokens.encode(grid)
    possible = choices(tokens, ranges, steps, rests=rests)
    possible[len(grid), :, HOLD] = False
    resting = (grid.pitches == SILENT_CELL).all(axis=0)  # a voice that is silent all along stays so
    possible[len(grid):, resting] = False
    possible[len(grid):, resting, REST] = True
    return Sheet(lengthened(grid, steps), fixed, possible, steps, imagined=_places(resting))


def sheet_beside(grid: Grid, given: Sequence[int], tokens: GridTokens, ranges: Ints, *, rests: bool) -> Sheet:
    """Return a sheet that has some voices of a grid."""
    fixed = np.full(grid.pitches.shape, OPEN, np.int64)
    fixed[:, list(given)] = tokens.encode(grid)[:, list(given)]
    return Sheet(grid, fixed, choices(tokens, ranges, len(grid), rests=rests), len(grid))


def sheet_around(grid: Grid, places: Sequence[Passage], tokens: GridTokens, ranges: Ints, *,
                 rests: bool, may_end: bool = False) -> Sheet:
    """Return a sheet that has all of a grid but some passages.

    A note that is held into a passage stays, and the new music is struck after it; where one is held out of it, the
    new music is held just as far, or, with ``rests`` or ``may_end``, ends before.
    """
    symbols = tokens.encode(grid).astype(np.int64)
    spb, fixed = tokens.steps_per_beat, symbols.copy()
    possible = choices(tokens, ranges, len(grid), rests=rests)
    resting = (grid.pitches == SILENT_CELL).all(axis=0)
    until = 0
    for place in places:
        first, after = round(place.start_beats * spb), min(round(place.end_beats * spb), len(grid))
        fixed[first:after] = OPEN
        for voice in range(tokens.voices):
            held = first
            while held < after and symbols[held, voice] == HOLD:
                held += 1
            fixed[first:held, voice] = HOLD
            tail = after
            while tail < len(grid) and symbols[tail, voice] == HOLD:
                tail += 1
            if held < after:  # the tail belongs to a note that goes
                possible[held, voice, HOLD] = False
                fixed[after:tail, voice] = OPEN
                possible[after:tail, voice] = False
                possible[after:tail, voice, HOLD] = True
                possible[after:tail, voice, REST] = rests or may_end
                until = max(until, tail)
        fixed[first:after, resting] = REST
        until = max(until, after + AFTER_BEATS * spb)
    return Sheet(grid, fixed, possible, min(until, len(grid)), imagined=_places(resting))


def _places(chosen: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
