"""Is a likelihood a likelihood? Two properties without which nats mean nothing, tried on cells of a piece.

At each cell the probabilities of all 47 symbols have to add up to one, and what a model says of the cells before must
not depend on this cell or on any later one: it must not have looked ahead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from componium.interface import TokenLikelihood
from componium.music.grid import REST, Grid

SYMBOLS = (REST, *range(36, 82))


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        cells: how many cells were tried.
        sum_error: the largest distance of a sum of probabilities from one.
        looked_ahead_nats: the largest change of an earlier token when a cell, or all that follows it, changed.
    """

    cells: int
    sum_error: float
    looked_ahead_nats: float

    def sound(self, *, tolerance: float = 1e-4) -> bool:
        """Tell whether both are as small as rounding errors."""
        return self.sum_error <= tolerance and self.looked_ahead_nats <= tolerance


def audit(model: Any, grid: Grid, *, cells: int = 4, seed: int = 0) -> Audit:
    """Try a model that scores cell after cell, step by step and S, A, T, B within a step.

    Args:
        model: has `log_likelihood` for grids of the protocol ``jsb16``.
        grid: a piece [steps, 4].
        cells: how many cells are tried, drawn at random.
        seed: for the cells and for the music that is put behind them.
    """
    rng = np.random.default_rng(seed)
    sum_error = looked_ahead = 0.0
    before = _told(model, [grid])[0]
    for index in rng.integers(0, grid.pitches.size, cells).tolist():
        variants = _told(model, [_with(grid, index, symbol) for symbol in SYMBOLS])
        sum_error = max(sum_error, abs(sum(float(np.exp(-told[index])) for told in variants) - 1.0))
        others = [*variants, _told(model, [_scrambled(grid, index, rng)])[0]]
        looked_ahead = max(looked_ahead, *(_largest(told[:index] - before[:index]) for told in others))
    return Audit(cells, sum_error, looked_ahead)


def _told(model: Any, grids: Sequence[Grid]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the nats of each grid in the order of its cells."""
    many = getattr(model, "log_likelihood_many", None)
    told: list[TokenLikelihood] = many(grids) if many else [model.log_likelihood(grid) for grid in grids]
    return [each.nats[np.lexsort((each.voice, each.step))] for each in told]


def _with(grid: Grid, index: int, symbol: int) -> Grid:
    pitches = grid.pitches.copy()
    pitches.reshape(-1)[index] = symbol
    return Grid.from_pitches(pitches)


def _scrambled(grid: Grid, index: int, rng: np.random.Generator) -> Grid:
    pitches = grid.pitches.copy().reshape(-1)
    pitches[index:] = rng.choice(np.array(SYMBOLS, np.int16), len(pitches) - index)
    return Grid.from_pitches(pitches.reshape(grid.pitches.shape))


def _largest(changes: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(np.abs(changes).max()) if changes.size else 0.0
