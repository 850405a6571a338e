"""How sure a figure of a corpus is: bootstrap over its pieces (Efron 1979), bounds taken as percentiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

DRAWS = 2000
LEVEL = 95.0
"""Per cent of the draws that lie within the bounds."""


def interval(pieces: int, figure: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]],
             seed: int = 0) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of a figure.

    Args:
        pieces: how many the figure is of; at least one.
        figure: called with the places of the pieces drawn, with replacement, in each draw: [draws, pieces]; returns
            the figure of each draw: [draws].
        seed: of the draws.
    """
    drawn = np.random.default_rng(seed).integers(pieces, size=(DRAWS, pieces))
    low, high = np.percentile(figure(drawn), [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)
