"""The check of exercise 2 of lesson 01: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Floats = npt.NDArray[np.float64]

DRAWS = 4000
"""Draws at each temperature: a share is then exact to 0.008 (one standard deviation), and 0.04 is allowed."""
CLOSE = 0.04
ROW = np.array([0.5, 0.0, 0.3, 0.15, 0.05])


def check(sample_next: Callable[[Floats, float, np.random.Generator], Any]) -> None:
    """Check ``sample_next(row, temperature, rng)``."""
    _check_one(sample_next(ROW.copy(), 1.0, np.random.default_rng(0)))
    _check_seed(sample_next)
    shares = {temperature: _shares(sample_next, temperature) for temperature in (1.0, 0.5, 2.0)}
    for temperature, share in shares.items():
        _check_shares(share, temperature)
    _check_cold(sample_next)


def warmed(row: Floats, temperature: float) -> Floats:
    """Return ``row ** (1 / temperature)``, summing to one."""
    weights = row ** (1 / temperature)
    return np.asarray(weights / weights.sum())


def _drawn(sample_next: Callable[..., Any], row: Floats, temperature: float, rng: np.random.Generator) -> int:
    """Return one draw; what NumPy says of the probabilities becomes a sentence."""
    given = row.copy()
    try:
        drawn = sample_next(given, temperature, rng)
    except ValueError as error:
        text = str(error).lower()
        if "sum to 1" in text:
            raise Wrong(f"With temperature {temperature:g} the probabilities do not sum to 1: after the power, divide "
                        "by the sum again.") from None
        if "nan" in text or "non-negative" in text or "negative" in text:
            raise Wrong(f"With temperature {temperature:g} there are probabilities that are not numbers (NaN). With a "
                        "low temperature the powers can all become 0, and 0 / 0 is NaN: divide `row` by its largest "
                        "value before the power.") from None
        raise
    except (ZeroDivisionError, OverflowError):
        if temperature == 0:
            raise Wrong("Temperature 0 divides by zero. It means: always the most likely note, so treat it on its own "
                        "(`np.argmax`).") from None
        raise
    if not np.array_equal(given, row):
        raise Wrong("Your function changes the array `row` that it is given: the matrix would be different after each "
                    "draw. Work on a copy.")
    return _check_one(drawn)


def _check_one(drawn: Any) -> int:
    if drawn is None:
        raise Wrong("`sample_next` returns nothing. Does it end with `return`?")
    array = np.asarray(drawn)
    if array.shape not in ((), (1,)):
        raise Wrong(f"`sample_next` has to return one number, the index of the note drawn; yours returns "
                    f"{array.size} values.")
    value = array.reshape(-1)[0]
    if array.dtype.kind not in "iu":
        if array.dtype.kind == "f" and 0 <= value <= 1:
            raise Wrong("`sample_next` returns a probability, not the index of the note drawn.")
        raise Wrong(f"`sample_next` has to return an index, a whole number; yours returns {type(drawn).__name__}.")
    if array.shape == (1,):
        raise Wrong("`sample_next` returns an array with one number in it; return the number itself (leave `size` out, "
                    "or take `[0]`).")
    if not 0 <= value < len(ROW):
        raise Wrong(f"`sample_next` returned {value}; the indices of a row of {len(ROW)} go from 0 to {len(ROW) - 1}.")
    return int(value)


def _check_seed(sample_next: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)
    before = copy.deepcopy(rng.bit_generator.state)
    first = [_drawn(sample_next, ROW, 1.0, rng) for _ in range(40)]
    unused = rng.bit_generator.state == before
    again = np.random.default_rng(1)
    second = [_drawn(sample_next, ROW, 1.0, again) for _ in range(40)]
    if len(set(first)) == 1 and first == second:
        if unused and first[0] == int(np.argmax(ROW)):
            raise Wrong("Your function always takes the most likely note. With temperature 1, note i should come with "
                        "probability `row[i]`: draw with `rng.choice`.")
        raise Wrong(f"Your function returned {first[0]} forty times in a row. Draw with `rng.choice` from the "
                    "generator that it is given; one made anew for each draw begins with the same number each time.")
    if unused or first != second:
        raise Wrong("The same seed has to give the same music, and it does not: draw from the generator `rng` that "
                    "your function is given, not from `np.random` or `random`, and make no new one.")


def _shares(sample_next: Callable[..., Any], temperature: float) -> Floats:
    rng = np.random.default_rng(7)
    drawn = [_drawn(sample_next, ROW, temperature, rng) for _ in range(DRAWS)]
    return np.bincount(drawn, minlength=len(ROW)) / DRAWS


def _check_shares(share: Floats, temperature: float) -> None:
    right = warmed(ROW, temperature)
    if share[1] == 0 and np.abs(share - right).max() <= CLOSE:
        return
    with np.errstate(divide="ignore"):
        softmax = np.exp(ROW / temperature) / np.exp(ROW / temperature).sum()
    usual = [
        (np.full(len(ROW), 1 / len(ROW)), "All notes come equally often: the probabilities of `row` are not used. Give "
                                          "them to `rng.choice` as `p=`."),
        (np.where(ROW > 0, 1 / np.count_nonzero(ROW), 0), "All possible notes come equally often, whatever `row` says "
                                                          "of them."),
        (softmax, "This is exp(row / T): the exponential of the probabilities themselves, which makes even impossible "
                  "notes possible. Take the power `row ** (1 / T)`, or exp(log(row) / T)."),
        (np.eye(len(ROW))[int(np.argmax(ROW))], "Your function always takes the most likely note; that is temperature "
                                                "0."),
    ]
    if temperature != 1.0:
        usual[:0] = [
            (ROW, "The temperature changes nothing: the notes come as often as with temperature 1."),
            (warmed(ROW, 1 / temperature), "The temperature works the wrong way round: a high one should make the "
                                           "choice wilder. The power is 1 / T, not T."),
        ]
    for wrong, message in usual:
        if np.abs(share - wrong).max() <= CLOSE:
            raise Wrong(f"With temperature {temperature:g}: {message}")
    if share[1] > 0:
        raise Wrong(f"With temperature {temperature:g} your function draws a note whose probability is 0. However wild "
                    "the choice, what was never heard stays impossible.")
    note = int(np.argmax(np.abs(share - right)))
    raise Wrong(f"With temperature {temperature:g} and row {numbers(ROW)}, note {note} should come in "
                f"{right[note]:.0%} of the draws, and it comes in {share[note]:.0%} ({DRAWS:,} draws).")


def _check_cold(sample_next: Callable[..., Any]) -> None:
    """Temperature 0 and very low ones: always the most likely note."""
    likely = np.array([0.1, 0.25, 0.4, 0.25])
    for temperature in (0, 0.001):
        with np.errstate(all="ignore"):
            drawn = {_drawn(sample_next, likely, temperature, np.random.default_rng(seed)) for seed in range(20)}
        if drawn != {2}:
            raise Wrong(f"With temperature {temperature:g} the most likely note should come every time; with row "
                        f"{numbers(likely)} that is index 2, and your function also drew "
                        f"{', '.join(str(each) for each in sorted(drawn - {2}))}.")
