"""The check of exercise 3 of lesson 02: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Array = npt.NDArray[Any]

DRAWS = 4000
"""Draws at each temperature: a share is then exact to 0.008 (one standard deviation), and 0.04 is allowed."""
CLOSE = 0.04
SCORES = np.array([2.0, -1.0, 1.2, 0.4, -0.3])


def softmax(scores: Array) -> Array:
    """Return the probabilities of scores."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def check(sample_symbol: Callable[[Array, float, np.random.Generator], Any]) -> None:
    """Check ``sample_symbol(scores, temperature, rng)``."""
    with np.errstate(all="ignore"):
        _drawn(sample_symbol, SCORES, 1.0, np.random.default_rng(0))
        _check_seed(sample_symbol)
        shares = {temperature: _shares(sample_symbol, SCORES, temperature) for temperature in (1.0, 0.5, 2.0)}
        for temperature, share in shares.items():
            _check_shares(share, SCORES, temperature)
        _check_shares(_shares(sample_symbol, SCORES + 1000, 1.0), SCORES + 1000, 1.0)
        _check_shares(_shares(sample_symbol, SCORES - 1000, 1.0), SCORES - 1000, 1.0)
        _check_cold(sample_symbol)


def _drawn(sample_symbol: Callable[..., Any], scores: Array, temperature: float, rng: np.random.Generator) -> int:
    """Return one draw; what NumPy says of the probabilities becomes a sentence."""
    given = scores.copy()
    try:
        drawn = sample_symbol(given, temperature, rng)
    except ValueError as error:
        raise _told(str(error).lower(), scores, temperature) or error from None
    except (ZeroDivisionError, OverflowError):
        if temperature == 0:
            raise Wrong("Temperature 0 divides by zero. It means: always the symbol with the highest score, so treat "
                        "it on its own (`np.argmax`).") from None
        raise
    if not np.array_equal(given, scores):
        raise Wrong("Your function changes the array `scores` that it is given. `a /= b` and `a -= b` change the array "
                    "itself; `a / b` makes a new one.")
    return _index(drawn)


def _told(error: str, scores: Array, temperature: float) -> Wrong | None:
    """Return what to say of an error that NumPy raises about probabilities."""
    if "nan" not in error and "negative" not in error and "sum to 1" not in error:
        return None
    told = f"With scores {numbers(scores)} and temperature {temperature:g} "
    if temperature == 0:
        return Wrong("Temperature 0 divides by zero, which gives probabilities that are not numbers. It means: always "
                     "the symbol with the highest score, so treat it on its own (`np.argmax`).")
    if abs(scores).max() > 100 or temperature < 0.1:
        return Wrong(told + "the softmax breaks down: e to the power of thousands is `inf`, of minus thousands 0, and "
                            "neither can be divided by itself. Take the highest score from all scores before `np.exp`: "
                            "the probabilities stay the same.")
    if "sum to 1" in error:
        return Wrong(told + "the probabilities do not sum to 1: after `np.exp`, divide by the sum.")
    return Wrong(told + "there are probabilities below 0: scores are no probabilities yet. Take their softmax.")


def _index(drawn: Any) -> int:
    if drawn is None:
        raise Wrong("`sample_symbol` returns nothing. Does it end with `return`?")
    array = np.asarray(drawn)
    if array.shape != ():
        raise Wrong(f"`sample_symbol` has to return one number, the index of the symbol drawn; yours returns an array "
                    f"of {array.size}.")
    if array.dtype.kind not in "iu":
        if array.dtype.kind == "f" and 0 <= array <= 1:
            raise Wrong("`sample_symbol` returns a probability, not the index of the symbol drawn.")
        if array.dtype.kind == "f" and array in SCORES:
            raise Wrong("`sample_symbol` returns a score, not the index of the symbol drawn.")
        raise Wrong(f"`sample_symbol` has to return an index, a whole number; yours returns {type(drawn).__name__}.")
    if not 0 <= array < len(SCORES):
        raise Wrong(f"`sample_symbol` returned {array}; the indices of {len(SCORES)} scores go from 0 to "
                    f"{len(SCORES) - 1}.")
    return int(array)


def _check_seed(sample_symbol: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)
    before = copy.deepcopy(rng.bit_generator.state)
    first = [_drawn(sample_symbol, SCORES, 1.0, rng) for _ in range(40)]
    unused = rng.bit_generator.state == before
    again = np.random.default_rng(1)
    second = [_drawn(sample_symbol, SCORES, 1.0, again) for _ in range(40)]
    if len(set(first)) == 1 and first == second:
        wild = {_drawn(sample_symbol, SCORES, 50.0, rng) for _ in range(40)}
        if unused and {*first, *wild} == {int(np.argmax(SCORES))}:
            raise Wrong("Your function always takes the symbol with the highest score. That is temperature 0; "
                        "otherwise draw with `rng.choice`.")
        raise Wrong(f"Your function returned {first[0]} forty times in a row. Draw with `rng.choice` from the "
                    "generator that it is given; one made anew for each draw begins with the same number each time.")
    if unused or first != second:
        raise Wrong("The same seed has to give the same music, and it does not: draw from the generator `rng` that "
                    "your function is given, not from `np.random` or `random`, and make no new one.")


def _shares(sample_symbol: Callable[..., Any], scores: Array, temperature: float) -> Array:
    rng = np.random.default_rng(7)
    drawn = [_drawn(sample_symbol, scores, temperature, rng) for _ in range(DRAWS)]
    return np.bincount(drawn, minlength=len(scores)) / DRAWS


def _check_shares(share: Array, scores: Array, temperature: float) -> None:
    right = softmax(scores / temperature)
    if np.abs(share - right).max() <= CLOSE:
        return
    positive = np.maximum(scores, 0)
    usual = [
        (np.full(len(scores), 1 / len(scores)), "all symbols come equally often: are the probabilities given to "
                                                "`rng.choice` as `p=`?"),
        (np.eye(len(scores))[int(np.argmax(scores))], "your function always takes the symbol with the highest score."),
        (positive / positive.sum(), "the scores themselves are taken for probabilities. Take e to their power, so that "
                                    "none is below 0, then divide by the sum."),
    ]
    if temperature != 1.0:
        usual[:0] = [
            (softmax(scores), "the symbols come as often as with temperature 1. Divide the *scores*, before the "
                              "softmax; dividing all probabilities by the same number changes nothing."),
            (softmax(scores * temperature), "the temperature works the wrong way round: a high one should make the "
                                            "choice wilder. Divide the scores by it; yours seem to be multiplied."),
        ]
    for wrong, message in usual:
        if np.abs(share - wrong).max() <= CLOSE:
            raise Wrong(f"With temperature {temperature:g}, {message}")
    symbol = int(np.argmax(np.abs(share - right)))
    raise Wrong(f"With scores {numbers(scores)} and temperature {temperature:g}, symbol {symbol} should come in "
                f"{right[symbol]:.0%} of the draws, and it comes in {share[symbol]:.0%} ({DRAWS:,} draws).")


def _check_cold(sample_symbol: Callable[..., Any]) -> None:
    """Temperature 0 and very low ones: always the highest score."""
    likely = np.array([-1.0, 0.5, 3.0, 2.5, 0.0])
    for temperature in (0, 0.001):
        drawn = {_drawn(sample_symbol, likely, temperature, np.random.default_rng(seed)) for seed in range(20)}
        if drawn != {2}:
            raise Wrong(f"With temperature {temperature:g} the highest score should win every time; with scores "
                        f"{numbers(likely)} that is symbol 2, and your function also drew "
                        f"{', '.join(str(each) for each in sorted(drawn - {2}))}.")
