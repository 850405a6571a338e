"""The check of drawing in lesson 02: right answers of several makes, and each usual mistake with its message."""

from __future__ import annotations

import numpy as np
import pytest

from componium.lessons.shelf import find
from componium.lessons.verdict import RIGHT, WRONG, judge

DRAW = find("02").exercise(3)


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def draw(scores, temperature, rng):
    if temperature == 0:
        return np.argmax(scores)
    return rng.choice(len(scores), p=softmax(scores / temperature))


def draw_by_gumbel(scores, temperature, rng):
    """The highest score wins, after noise: the same chances."""
    noise = -np.log(-np.log(rng.random(len(scores))))
    return int(np.argmax(scores / temperature + noise)) if temperature else int(scores.argmax())


def draw_by_sums(scores, temperature, rng):
    powers = np.exp((scores - max(scores)) / max(temperature, 1e-9))
    return int(np.searchsorted(np.cumsum(powers), rng.random() * powers.sum(), side="right"))


@pytest.mark.parametrize("answer", [draw, draw_by_gumbel, draw_by_sums])
def test_right_draws_are_right(answer):
    verdict = judge(DRAW, answer)
    assert verdict.status == RIGHT, verdict.message


def drawn(probabilities, rng):
    return int(rng.choice(len(probabilities), p=probabilities))


def overflowing(scores, temperature, rng, low=0.0):
    if temperature <= low:
        return int(np.argmax(scores))
    powers = np.exp(scores / temperature)
    return drawn(powers / powers.sum(), rng)


def in_place(scores, temperature, rng):
    if temperature:
        scores /= temperature
    return drawn(softmax(scores), rng)


def after_the_softmax(scores, temperature, rng):
    shares = softmax(scores) / temperature
    return drawn(shares / shares.sum(), rng)


@pytest.mark.parametrize(("answer", "told"), [
    (lambda s, t, g: drawn(softmax(s * t), g), ["With temperature 0.5", "wrong way round", "multiplied"]),
    (lambda s, t, g: drawn(softmax(s), g), ["as often as with temperature 1"]),
    (after_the_softmax, ["Divide the *scores*, before the softmax"]),
    (overflowing, ["softmax breaks down", "highest score"]),
    (lambda s, t, g: overflowing(s - s.max() if abs(s.max()) > 100 else s, t, g), ["temperature 0.001", "breaks down"]),
    (lambda s, t, g: drawn(softmax(s / t), g), ["Temperature 0 divides by zero", "`np.argmax`"]),
    (lambda s, t, g: drawn(softmax(s * (1 / t)), g), ["Temperature 0 divides by zero"]),
    (lambda s, t, g: drawn(softmax(s / max(t, 0.5)), g), ["the highest score should win every time"]),
    (lambda s, t, g: drawn(np.exp(s), g), ["do not sum to 1"]),
    (lambda s, t, g: drawn(s / s.sum(), g), ["below 0", "Take their softmax"]),
    (lambda s, t, g: drawn(np.maximum(s, 0) / np.maximum(s, 0).sum(), g), ["taken for probabilities"]),
    (lambda s, t, g: int(np.argmax(s)), ["always takes the symbol with the highest score"]),
    (lambda s, t, g: 3, ["returned 3 forty times"]),
    (lambda s, t, g: int(g.integers(len(s))), ["equally often", "`p=`"]),
    (lambda s, t, g: drawn(softmax(s / (1 + t)), g), ["should come in", "4,000 draws"]),
    (in_place, ["changes the array `scores`"]),
    (lambda s, t, g: draw(s, t, np.random.default_rng()), ["same seed", "`rng`"]),
    (lambda s, t, g: draw(s, t, np.random.default_rng(1)), ["forty times in a row", "one made anew"]),
    (lambda s, t, g: print(len(s)), ["returns nothing"]),
    (lambda s, t, g: float(softmax(s)[draw(s, t, g)]), ["a probability, not the index"]),
    (lambda s, t, g: float(s[0]), ["a score, not the index"]),
    (lambda s, t, g: s, ["one number", "array of 5"]),
    (lambda s, t, g: "C4", ["a whole number; yours returns str"]),
    (lambda s, t, g: int(draw(s, t, g)) + 1, ["of 5 scores go from 0 to 4"]),
])
def test_each_mistake_in_drawing_has_its_message(answer, told):
    verdict = judge(DRAW, answer)
    assert verdict.status == WRONG, verdict
    assert all(part in verdict.message for part in told), verdict.message
    assert len(verdict.message) < 600
