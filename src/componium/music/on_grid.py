"""Whether notes lie on a grid: what is beside it cannot be kept to the note by a model that writes on one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.score import Track, note_arrays

OFF_GRID = 0.26
"""Share of a step that a note may lie beside the grid, as played music does."""
MOST_GRACE = 0.2
"""Notes shorter than half a step are grace notes, which may begin anywhere, up to this share of a track's notes."""
FINER = (12, 24, 48)
"""Steps a beat of the grids that are proposed where one is too coarse."""
NAMES = {1: "quarter notes", 2: "8ths", 4: "16ths", 8: "32nds", 16: "64ths"}
"""Steps a beat -> what a notation editor calls them."""


def check_on_grid(track: Track, steps_per_beat: int, *, most: float = 0.0, may_be_finer: bool = True) -> None:
    """Raise `BadInput` where a track has notes that begin beside the grid, such as triplets on a grid of 16ths.

    Args:
        track: with notes.
        steps_per_beat: of the grid.
        most: share of the notes that may lie beside it all the same.
        may_be_finer: whether another grid can be proposed.
    """
    beside = _beside(track, steps_per_beat)
    if beside.sum() <= most * len(beside):
        return
    beat = float(note_arrays(track)["time"][beside][0])
    finer = [steps for steps in FINER
             if may_be_finer and steps > steps_per_beat and _beside(track, steps).sum() <= most * len(beside)]
    steps = NAMES.get(steps_per_beat, f"{steps_per_beat} steps a quarter note")
    train = f", or train with steps_per_beat={finer[0]}, which holds them" if finer else ""
    raise BadInput(f"{int(beside.sum())} of {len(beside)} notes begin beside the grid of {steps_per_beat} steps a "
                   f"beat, the first at beat {beat:.2f}: quantise them to {steps} in a notation editor or a DAW{train}")


def _beside(track: Track, steps_per_beat: int) -> npt.NDArray[np.bool_]:
    """Return which notes begin beside a grid."""
    notes = note_arrays(track)
    starts, lengths = (notes[name].astype(np.float64) * steps_per_beat for name in ("time", "duration"))
    beside: npt.NDArray[np.bool_] = np.abs(starts - np.round(starts)) > OFF_GRID
    grace = lengths < 0.5
    return beside & ~grace if grace.mean() <= MOST_GRACE else beside
