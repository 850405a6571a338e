"""Control: one knob of a model, with its unit, range and curve, and the way to and from 0..1."""

from __future__ import annotations

import dataclasses
import math

from componium.music.errors import BadInput

CURVES = ("linear", "logarithmic")
"""How a knob's travel maps to its values; logarithmic suits frequencies, times and rates."""


@dataclasses.dataclass(frozen=True)
class Control:
    """A knob.

    Attributes:
        name: short name, as on the command line and in messages.
        unit: unit of the values, e.g. ``"Hz"``, ``"dB"``, ``"semitones"``; empty for a plain number.
        minimum: smallest value.
        maximum: largest value, above the minimum.
        default: value at the start, from minimum to maximum.
        curve: one of `CURVES`; a logarithmic one needs a minimum above 0.
        help: what turning it does, in a few words.

    Raises:
        BadInput: the range, the default or the curve cannot be used.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    curve: str = "linear"
    help: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise BadInput("a control needs a name")
        if not all(math.isfinite(value) for value in (self.minimum, self.maximum, self.default)):
            raise BadInput(f"control {self.name}: minimum, maximum and default are finite numbers")
        if not self.minimum < self.maximum:
            raise BadInput(f"control {self.name}: minimum {self.minimum:g} is not below maximum {self.maximum:g}")
        if not self.minimum <= self.default <= self.maximum:
            raise BadInput(
                f"control {self.name}: default {self.default:g} is outside {self.minimum:g}..{self.maximum:g}"
            )
        if self.curve not in CURVES:
            raise BadInput(f"control {self.name}: curve is {' or '.join(CURVES)}, not {self.curve}")
        if self.curve == "logarithmic" and self.minimum <= 0:
            raise BadInput(f"control {self.name}: a logarithmic curve needs a minimum above 0, not {self.minimum:g}")

    def clamp(self, value: float) -> float:
        """Return the nearest value inside the range; raises `BadInput` for something that is not a number."""
        if math.isnan(value):
            raise BadInput(f"control {self.name}: the value is not a number")
        return min(max(float(value), self.minimum), self.maximum)

    def to_unit(self, value: float) -> float:
        """Return where a value lies on the knob, 0..1; values outside the range are clamped."""
        value = self.clamp(value)
        if self.curve == "logarithmic":
            unit = math.log(value / self.minimum) / math.log(self.maximum / self.minimum)
        else:
            unit = (value - self.minimum) / (self.maximum - self.minimum)
        return min(max(unit, 0.0), 1.0)

    def from_unit(self, unit: float) -> float:
        """Return the value at a place on the knob, the inverse of `to_unit`; places are clamped to 0..1."""
        if math.isnan(unit):
            raise BadInput(f"control {self.name}: the place on the knob is not a number")
        unit = min(max(float(unit), 0.0), 1.0)
        if unit in (0.0, 1.0):  # the ends are exact whatever the rounding
            return float(self.maximum if unit else self.minimum)
        if self.curve == "logarithmic":
            return self.clamp(self.minimum * (self.maximum / self.minimum) ** unit)
        return self.clamp(self.minimum + unit * (self.maximum - self.minimum))
