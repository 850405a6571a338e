"""Knobs: ranges, curves and the way there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from componium.music.control import Control
from componium.music.errors import BadInput

CUTOFF = Control("cutoff", "Hz", 20.0, 20000.0, 1000.0, "logarithmic", "brightness")
GAIN = Control("gain", "dB", -60.0, 12.0, 0.0)


@pytest.mark.parametrize("control", [CUTOFF, GAIN])
def test_unit_and_value_are_inverse(control: Control) -> None:
    for unit in np.linspace(0.0, 1.0, 101):
        assert control.to_unit(control.from_unit(unit)) == pytest.approx(unit, abs=1e-12)
    for value in np.linspace(control.minimum, control.maximum, 101):
        assert control.from_unit(control.to_unit(value)) == pytest.approx(value, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("control", [CUTOFF, GAIN])
def test_ends_are_exact_and_outside_is_clamped(control: Control) -> None:
    assert control.from_unit(0.0) == control.minimum
    assert control.from_unit(1.0) == control.maximum
    assert control.from_unit(7.0) == control.maximum
    assert control.to_unit(control.minimum - 1) == 0.0
    assert control.clamp(1e9) == control.maximum


def test_middle_of_a_logarithmic_knob_is_the_geometric_mean() -> None:
    assert CUTOFF.from_unit(0.5) == pytest.approx(math.sqrt(20.0 * 20000.0))
    assert GAIN.from_unit(0.5) == pytest.approx(-24.0)


@pytest.mark.parametrize(("arguments", "said"), [
    ({"name": " "}, "name"),
    ({"minimum": 2.0}, "not below"),
    ({"maximum": math.inf}, "finite"),
    ({"default": 3.0}, "outside"),
    ({"curve": "cubic"}, "curve is"),
    ({"curve": "logarithmic", "minimum": 0.0}, "above 0"),
])
def test_impossible_knobs_are_refused(arguments: dict[str, object], said: str) -> None:
    given: dict[str, object] = {"name": "a", "unit": "", "minimum": 0.5, "maximum": 1.0, "default": 0.75}
    with pytest.raises(BadInput, match=said):
        Control(**{**given, **arguments})  # type: ignore[arg-type]


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadInput):
        GAIN.to_unit(math.nan)
    with pytest.raises(BadInput):
        GAIN.from_unit(math.nan)
