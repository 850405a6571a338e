"""Whether notes lie on a grid: what is beside it cannot be kept to the note by a model that writes on one."""

from __future__ import annotations

import numpy as np

from componium.music.errors import BadInput
from componium.music.score import Track, note_arrays

OFF_GRID = 0.26
"""Share of a step that a note may lie beside the grid, as played music does."""
MOST_GRACE = 0.2
"""Notes shorter than half a step are grace notes, which may begin anywhere, up to this share of a track's notes."""


def check_on_grid(track: Track, steps_per_beat: int, *, most: float = 0.0) -> None:
    """Raise `BadInput` where a track has notes that begin beside the grid, such as triplets on a grid of 16ths.

    Args:
        track: with notes.
        steps_per_beat: of the grid.
        most: share of the notes that may lie beside it all the same.
    """
    notes = note_arrays(track)
    starts, lengths = (notes[name].astype(np.float64) * steps_per_beat for name in ("time", "duration"))
    beside = np.abs(starts - np.round(starts)) > OFF_GRID
    grace = lengths < 0.5
    if grace.mean() <= MOST_GRACE:
        beside &= ~grace
    if beside.sum() <= most * len(starts):
        return
    beat = float(starts[beside][0]) / steps_per_beat
    finer = "12" if steps_per_beat < 12 else "24"
    raise BadInput(f"{int(beside.sum())} of {len(starts)} notes begin beside the grid of {steps_per_beat} steps a "
                   f"beat, the first at beat {beat:.2f}: quantise the score, or train with steps_per_beat={finer}, "
                   "which holds triplets")
