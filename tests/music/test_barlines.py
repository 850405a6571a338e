"""Written bars become a pickup and meter changes; halves of one bar count as one."""

from __future__ import annotations

from componium.music.barlines import with_bars
from componium.music.score import new_score


def _meters(starts: list[float], last_length: float) -> list[tuple[float, int, int]]:
    score = with_bars(new_score(), starts, last_length, {0.0: (4, 4)})
    return [(event.time, event.numerator, event.denominator) for event in score.time_signatures]


def test_a_bar_cut_in_two_by_a_repeat_sign_stays_one_bar():
    assert _meters([0, 4, 7, 8, 12], 4.0) == [(0, 4, 4)]


def test_a_pickup_with_a_short_last_bar():
    assert _meters([0, 1, 5, 9], 3.0) == [(0, 1, 4), (1, 4, 4)]


def test_an_irregular_bar_has_a_meter_of_its_own():
    assert _meters([0, 4, 10, 14], 4.0) == [(0, 4, 4), (4, 6, 4), (10, 4, 4)]
