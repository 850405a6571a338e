"""Learning rates: the shapes, against values reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from componium.training.schedules import learning_rate
from componium.training.settings import TrainSettings


def rates(steps=100, steps_per_epoch=10.0, **settings):
    told = TrainSettings(learning_rate=1.0, **settings)
    return np.array([learning_rate(told, step, steps=steps, steps_per_epoch=steps_per_epoch) for step in range(steps)])


def test_warm_up_is_a_line_from_above_zero():
    assert rates(schedule="constant", warmup_steps=4)[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_warm_up_takes_at_most_a_fifth_of_a_run():
    short = rates(steps=10, schedule="constant", warmup_steps=50)
    assert (short == 1.0).sum() == 8 and short[0] == pytest.approx(1 / 3)
    assert rates(steps=1, schedule="cosine", warmup_steps=50) == pytest.approx([1.0])


def test_cosine_falls_to_zero_through_a_half():
    found = rates(schedule="cosine", warmup_steps=0)
    assert found[0] == 1.0 and found[50] == pytest.approx(0.5) and found[25] == pytest.approx((2 + 2**0.5) / 4)
    assert 0 < found[-1] < 0.001 and (np.diff(found) < 0).all()


def test_line_falls_evenly():
    found = rates(schedule="linear", warmup_steps=0)
    assert found[[0, 50, 99]] == pytest.approx([1.0, 0.5, 0.01]) and np.diff(found) == pytest.approx(-0.01)


def test_halvings_come_after_epochs():
    found = rates(schedule="halving", warmup_steps=0, halve_every_epochs=2.5)
    assert found[[0, 24, 25, 49, 50, 75, 99]] == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.125, 0.125])


def test_no_rate_is_negative_beyond_the_end():
    told = TrainSettings(schedule="linear")
    assert learning_rate(told, 5000, steps=100, steps_per_epoch=1) == 0.0
