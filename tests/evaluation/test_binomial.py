"""The exact binomial interval: published values, what it promises, and how many answers are still needed."""

from __future__ import annotations

import math

import pytest

from componium.evaluation.binomial import answers_needed, interval
from componium.music.errors import BadInput


def at_least(successes: int, trials: int, share: float) -> float:
    return sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, trials + 1))


@pytest.mark.parametrize(("successes", "trials"), [(1, 5), (7, 10), (59, 100), (12, 240), (10, 10), (0, 10)])
def test_each_limit_is_where_the_outcome_would_have_the_chance_of_one_tail(successes, trials):
    low, high = interval(successes, trials)
    assert low == 0.0 if successes == 0 else at_least(successes, trials, low) == pytest.approx(0.025)
    assert high == 1.0 if successes == trials else 1 - at_least(successes + 1, trials, high) == pytest.approx(0.025)


def test_published_values():
    # no success in n trials: the upper limit is 1 - 0.025 ** (1 / n)
    assert interval(0, 20) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert interval(50, 100) == (pytest.approx(0.3983, abs=5e-5), pytest.approx(0.6017, abs=5e-5))
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(5, 10, level=0.5)[0] > interval(5, 10)[0]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.59])
def test_it_holds_the_true_share_at_least_as_often_as_it_says(share):
    trials = 40
    held = sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)
               if interval(k, trials)[0] <= share <= interval(k, trials)[1])
    assert held >= 0.95


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (6, 10), (59, 100), (1, 1), (0, 3), (200, 350)])
def test_as_many_answers_as_it_says_are_enough_and_one_less_is_not(successes, trials):
    more = answers_needed(successes, trials)
    share = successes / trials if trials else 0.5
    total = trials + more
    low, high = interval(round(share * total), total)
    assert high - low < 2 * 0.05 + 2 / total
    assert more > 0
    fewer = total - max(8, total // 20)
    low, high = interval(round(share * fewer), fewer)
    assert max(high - share, share - low) > 0.05


def test_none_are_needed_where_there_are_enough():
    assert answers_needed(500, 1000) == 0
    assert answers_needed(0, 0) == 402
    assert answers_needed(0, 0, half_width=0.1) < answers_needed(0, 0) < answers_needed(0, 0, level=0.99)


@pytest.mark.parametrize("wrong", [(3, 2), (-1, 2), (0, -1)])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(BadInput, match="no share"):
        interval(*wrong)
    with pytest.raises(BadInput, match="between 0 and 1"):
        interval(1, 2, level=1.0)
    with pytest.raises(BadInput, match="between 0 and 1"):
        answers_needed(1, 2, half_width=0.0)
