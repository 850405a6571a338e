"""From a score to the one line that melody models work on, in C major or A minor, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays
from componium.music.errors import BadInput
from componium.music.grid import REST as SILENT_CELL
from componium.music.grid import Grid, to_grid
from componium.music.keys import Key
from componium.music.melody_line import MelodyLine, melody_line
from componium.music.on_grid import check_on_grid
from componium.music.score import Score, key_signature_of, note_arrays
from componium.music.theory import key_of
from componium.tokens.grid import GridTokens
from componium.tokens.sheets import bar_steps

BELIEVED = 0.9
"""A key signature is believed where its scale holds this share of the time that notes sound."""
OCTAVE = 12


@dataclass(frozen=True)
class Heard:
    """A melody as a model hears it.

    Attributes:
        grid: one voice, moved; pitches outside of the model's range are folded into it by octaves.
        moved: semitones from the score to the grid.
        line: the melody as it was, and which track it is.
    """

    grid: Grid
    moved: int
    line: MelodyLine


def heard(score: Score, tokens: GridTokens, *, line: str = "auto", normalised: bool = True,
          most_beside: float = 0.0, may_be_finer: bool = True) -> Heard:
    """Return the melody of a score on a model's grid.

    Args:
        score: any score with notes that have a pitch.
        tokens: of one voice; tell the grid and the range.
        line: which line it is; see `componium.music.melody_line`.
        normalised: whether it is moved to C major or A minor.
        most_beside: share of the notes that may begin beside the grid; they go to its nearest step.
        may_be_finer: whether the model can be trained with a finer grid.

    Raises:
        BadInput: there is no such line, it has notes beside the grid, or a meter that the grid cannot hold.
    """
    found = melody_line(score, line)
    check_on_grid(found.track, tokens.steps_per_beat, most=most_beside, may_be_finer=may_be_finer)
    alone = score.copy()
    track = found.track.copy()
    track.name = "Melody"
    alone.tracks = type(alone.tracks)([track])
    grid = to_grid(alone, steps_per_beat=tokens.steps_per_beat, voice_count=1)
    bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat)
    semitones = to_c(alone) if normalised else 0
    moved = semitones + octaves_into(grid, semitones, tokens) if normalised else 0
    return Heard(folded(grid, moved, tokens), moved, found)


def key_in(score: Score) -> Key:
    """Return the key of a melody: that of its signature where nearly all notes belong to it, else as it sounds."""
    stated = key_signature_of(score)
    weights = np.zeros(OCTAVE)
    for track in score.tracks:
        notes = note_arrays(track)
        np.add.at(weights, notes["pitch"].astype(np.int64) % OCTAVE, notes["duration"].astype(np.float64))
    if stated is not None and weights[list(stated.scale)].sum() >= BELIEVED * weights.sum():
        return stated
    return key_of(score)[0]


def to_c(score: Score) -> int:
    """Return the semitones, -5 to 6, from the key of a melody to C major or A minor."""
    key = key_in(score)
    tonic = key.tonic_pitch_class + (3 if key.is_minor else 0)
    return (-tonic + 5) % OCTAVE - 5


def octaves_into(grid: Grid, semitones: int, tokens: GridTokens) -> int:
    """Return the octaves, in semitones, that bring the middle of a melody nearest to the middle of the range."""
    pitches = grid.pitches[grid.pitches != SILENT_CELL]
    if not len(pitches):
        return 0
    middle = (int(pitches.min()) + int(pitches.max())) / 2 + semitones
    return OCTAVE * round(((tokens.lowest + tokens.highest) / 2 - middle) / OCTAVE)


def folded(grid: Grid, semitones: int, tokens: GridTokens) -> Grid:
    """Return a grid moved by semitones; what leaves the range goes to the nearest octave inside."""
    pitches = grid.pitches.astype(np.int64) + semitones
    pitches = np.where(pitches < tokens.lowest, tokens.lowest + (pitches - tokens.lowest) % OCTAVE, pitches)
    pitches = np.where(pitches > tokens.highest, tokens.highest - (tokens.highest - pitches) % OCTAVE, pitches)
    sounding = grid.pitches != SILENT_CELL
    return replace(grid, pitches=np.where(sounding, pitches, SILENT_CELL).astype(np.int16),
                   key=None if semitones % OCTAVE else grid.key)


def shifted(grid: Grid, semitones: int) -> Grid:
    """Return a grid moved by semitones, by octaves less where MIDI's 0 to 127 would be left."""
    sounding = grid.pitches != SILENT_CELL
    pitches = grid.pitches[sounding]
    if len(pitches):
        while int(pitches.max()) + semitones > 127:
            semitones -= OCTAVE
        while int(pitches.min()) + semitones < 0:
            semitones += OCTAVE
    moved = np.where(sounding, grid.pitches + semitones, SILENT_CELL).astype(np.int16)
    return replace(grid, pitches=moved, key=None if semitones % OCTAVE else grid.key)


def prepared_line(grid: Grid, tokens: GridTokens) -> Arrays:
    """Return what is learned from a melody: symbols int16 [T], and meter and pickup in steps [3]."""
    return {"symbols": tokens.encode(grid)[:, 0],
            "meter": np.array([grid.numerator, grid.denominator, grid.pickup_steps], np.int16)}


def crop(arrays: Arrays, steps: int, rng: np.random.Generator) -> Arrays:
    """Return ``steps`` steps of a melody's arrays [T, ...], or all of a shorter one and what does not count."""
    length = len(arrays["target"])
    start = max(int(rng.integers(-(steps // 2), max(1, length - steps // 2))), 0)
    start = min(start, max(length - steps, 0))
    return {name: filled_up(values[start:start + steps], steps, name) for name, values in arrays.items()}


def filled_up(values: npt.NDArray[Any], steps: int, name: str) -> npt.NDArray[Any]:
    """Return an array [T, ...] of so many steps: beyond the end a target and a label are -1, anything else is 0."""
    return np.pad(values, [(0, steps - len(values)), *[(0, 0)] * (values.ndim - 1)],
                  constant_values=-1 if name in ("target", "labels") else 0)


def check_lengths(track_notes: Mapping[str, npt.NDArray[Any]], lengths: tuple[float, ...]) -> None:
    """Raise `BadInput` where a melody has a note or a rest of another length than these, in quarter notes."""
    if not lengths:
        return
    starts = track_notes["time"].astype(np.float64)
    ends = starts + track_notes["duration"].astype(np.float64)
    gaps = starts[1:] - ends[:-1]
    for name, found in (("note", ends - starts), ("rest", gaps[gaps > 1e-3])):
        wrong = [length for length in found.tolist() if min(abs(length - each) for each in lengths) > 1e-3]
        if wrong:
            raise BadInput(f"it has a {name} of {wrong[0]:.3g} quarter notes, which is none of lengths="
                           f"{','.join(f'{each:g}' for each in lengths)}")
