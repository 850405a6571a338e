"""Measure: the name, the unit and the meaning of a figure that is taken of each piece.

A measure module (pitch, rhythm, harmony, structure) describes its figures in ``MEASURES``; its ``evaluate(score)``
returns them by name, NaN where a piece has none (a groove without a second bar, a cadence without four voices).
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Measure:
    """One figure of a piece.

    Attributes:
        name: key in what ``evaluate`` returns, e.g. ``"pitch_class_entropy"``.
        unit: e.g. ``"bits"``, ``"per 100 chords"``, ``"share"``.
        help: one line: what it tells.
        fault: whether it counts faults: below the reference is not worse than the reference.
    """

    name: str
    unit: str
    help: str
    fault: bool = False

    @property
    def spoken(self) -> str:
        """The name in words: ``"pitch class entropy"``."""
        return self.name.replace("_", " ")

    @property
    def label(self) -> str:
        """The name in words with its unit, unless that is in the name: ``"pitch class entropy (bits)"``."""
        known = set(self.unit.split()) <= set(self.spoken.split())
        return self.spoken if known else f"{self.spoken} ({self.unit})"
