"""The check of exercise 1 of lesson 02: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

MELODY = np.array([4, 0, 2, 2, 1, 0, 2, 3, 0, 4])
"""Ten symbols of five, one of them twice in a row. Each usual mistake gives other numbers."""
FAR = 1000.0
"""Scores that e cannot take to their power."""


def weights_of(seed: int, *, symbols: int = 5, hidden: int = 4) -> dict[str, Array]:
    """Return random weights, with biases that are not zero."""
    rng = np.random.default_rng(seed)
    shapes = {"input": (symbols, hidden), "memory": (hidden, hidden), "bias": (hidden,), "output": (hidden, symbols),
              "output_bias": (symbols,)}
    return {name: 0.8 * rng.standard_normal(shape) for name, shape in shapes.items()}


def states_of(weights: Weights, symbols: Array, *, carried: bool = True, bias: float = 1.0, memory: Array | None = None,
              squash: Callable[[Array], Array] = np.tanh) -> Array:
    """Return the states [N, hidden]; the arguments are ways to get it wrong."""
    states = np.zeros((len(symbols), len(weights["bias"])))
    matrix = weights["memory"] if memory is None else memory
    for t, symbol in enumerate(symbols[:-1]):
        before = states[t] if carried else states[0]
        states[t + 1] = squash(weights["input"][symbol] + before @ matrix + bias * weights["bias"])
    return states


def softmax(scores: Array) -> Array:
    """Return the probabilities of scores [..., symbols]."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def check(forward: Callable[[dict[str, Array], Array], Any]) -> None:
    """Check ``forward(weights, symbols)``."""
    with np.errstate(all="ignore"):
        _check_run(forward, weights_of(1), MELODY)
        _check_run(forward, weights_of(2, symbols=6, hidden=3), np.array([5, 5, 0, 1, 4, 3, 2]))
        _check_run(forward, weights_of(3), MELODY[:2])
        for far in (FAR, -FAR):
            weights = weights_of(1)
            weights["output_bias"] += far
            _check_far(forward(weights, MELODY.copy()), weights, far)


def _check_run(forward: Callable[..., Any], weights: dict[str, Array], symbols: Array) -> None:
    given, heard = copy.deepcopy(weights), symbols.copy()
    loss, states, probabilities = _parts(forward(given, heard))
    right = states_of(weights, symbols)
    _check_states(states, right, weights, symbols)
    _check_probabilities(probabilities, right, weights)
    _check_loss(loss, softmax(right[1:] @ weights["output"] + weights["output_bias"]), symbols)
    changed = [f"`weights[\"{name}\"]`" for name in weights if not np.array_equal(weights[name], given[name])]
    if not np.array_equal(heard, symbols):
        changed.append("`symbols`")
    if changed:
        raise Wrong(f"Your function changes {' and '.join(changed)}, which it is only given to read. `a += b` changes "
                    "the array itself; `a = a + b` makes a new one.")


def _parts(answer: Any) -> tuple[Any, Array, Array]:
    if answer is None:
        raise Wrong("`forward` returns nothing. Does it end with `return`?")
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        found = f"{len(answer)} things" if isinstance(answer, tuple | list) else type(answer).__name__
        raise Wrong(f"`forward` has to return three things, `loss, states, probabilities`; yours returns {found}.")
    loss, states, probabilities = answer
    for name, array in (("states", states), ("probabilities", probabilities)):
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
            told = f"an array of {array.ndim} dimensions" if isinstance(array, np.ndarray) else type(array).__name__
            raise Wrong(f"`{name}` has to be an array of numbers with two dimensions, a row for each step; yours is "
                        f"{told}. `np.array` makes an array of a list of rows.")
    return loss, states, probabilities


def _close(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-10))


def _check_states(states: Array, right: Array, weights: Weights, symbols: Array) -> None:
    if _close(states, right):
        return
    count = len(symbols)
    everything = states_of(weights, np.append(symbols, 0))
    if _close(states, right[1:]):
        raise Wrong("The first row of `states` is missing: row 0 is the state before anything was heard, zeros.")
    if _close(states, everything) or _close(states, everything[1:]):
        raise Wrong(f"The network also hears the last symbol, after which there is nothing to guess: of {count} "
                    f"symbols it hears {count - 1}. With the zeros of row 0 that makes {count} rows.")
    if states.shape != right.shape:
        raise Wrong(f"With {count} symbols and {right.shape[1]} numbers in a state, `states` has to be {count} x "
                    f"{right.shape[1]}; yours is {states.shape[0]} x {states.shape[1]}.")
    if not states.any():
        raise Wrong("`states` holds only zeros. Is the new state of each step put into it, at row t + 1?")
    if count > 3 and all(_close(row, states[-1]) for row in states[1:]):
        raise Wrong("All rows of `states` are the same: one array was changed in every step and put into it again and "
                    "again. Make a new array in each step.")
    if states[0].any():
        raise Wrong("Row 0 of `states` has to be zeros: nothing has been heard yet. The state after `symbols[t]` goes "
                    "into row t + 1.")
    for wrong, message in _wrong_states(weights, symbols):
        if _close(states, wrong) and not _close(wrong, right):
            raise Wrong(message)
    row = int(np.argmax(~np.isclose(states, right, rtol=1e-9, atol=1e-10).all(axis=1)))
    raise Wrong(f"After {row} symbol{'s' if row > 1 else ''} of {symbols.tolist()} the state should be "
                f"{numbers(right[row])}, and yours is {numbers(states[row])}. The new state is tanh(input row + old "
                "state @ memory + bias).")


def _wrong_states(weights: Weights, symbols: Array) -> list[tuple[Array, str]]:
    """Return states that usual mistakes give, with what to say of each."""
    return [
        (states_of(weights, symbols, carried=False),
         "The state is not carried over: in every step the old state is zeros again, so the network hears each symbol "
         "as if it were the first. Step t begins with `states[t]`."),
        (states_of(weights, symbols, squash=lambda total: total),
         "The tanh is missing: without it the numbers of the state can grow without end."),
        (states_of(weights, symbols, squash=lambda total: 1 / (1 + np.exp(-total))),
         "You press the sums through the sigmoid, which gives 0 to 1. This network uses tanh, -1 to 1."),
        (states_of(weights, symbols, bias=0), "`bias` is not added to the sum."),
        (states_of(weights, symbols, memory=weights["memory"].T),
         "`memory` is the wrong way round: it is `states[t] @ memory`, not `memory @ states[t]`. (Both run, because "
         "it is square.)"),
        (states_of(weights, symbols, memory=np.eye(len(weights["bias"]))),
         "The old state is added as it is; it has to go through `memory` first: `states[t] @ memory`."),
        (states_of(weights, np.append(symbols[1:], 0)),
         "The network hears the symbol that it has to guess: step t hears `symbols[t]`, and guesses `symbols[t + 1]`."),
    ]


def _check_probabilities(given: Array, states: Array, weights: Weights) -> None:
    scores = states[1:] @ weights["output"] + weights["output_bias"]
    right = softmax(scores)
    if _close(given, right):
        return
    if given.shape == right.T.shape and given.shape != right.shape:
        raise Wrong("Rows and columns of `probabilities` are exchanged: a row for each guess, a column for each "
                    "symbol.")
    if given.shape == (right.shape[0] + 1, right.shape[1]):
        raise Wrong(f"There is one guess too many: of {len(states)} symbols, {len(states) - 1} have one after them. "
                    "The guesses begin with `states[1]`, when something has been heard.")
    if given.shape != right.shape:
        raise Wrong(f"With {len(states)} symbols of {right.shape[1]} kinds, `probabilities` has to be "
                    f"{right.shape[0]} x {right.shape[1]}; yours is {given.shape[0]} x {given.shape[1]}.")
    powers = np.exp(scores)
    usual = [
        (scores, "`probabilities` are still scores: the softmax is missing. Take e to their power, and divide each row "
                 "by its sum."),
        (powers, "Each row of `probabilities` has to sum to 1: divide by `powers.sum(axis=1, keepdims=True)`."),
        (powers / powers.sum(axis=0), "Each column of `probabilities` sums to 1, but each row has to: sum with "
                                      "`axis=1`."),
        (powers / powers.sum(), "All of `probabilities` together sums to 1, but each row has to: sum with `axis=1` and "
                                "`keepdims=True`."),
        (np.log(right), "These are the logarithms of the probabilities. Return the probabilities themselves."),
        (softmax(scores - weights["output_bias"]), "`output_bias` is not added to the scores."),
        (softmax(states[:-1] @ weights["output"] + weights["output_bias"]),
         "Each guess is made one step too early, before the symbol is heard: the guess after `symbols[t]` comes from "
         "`states[t + 1]`."),
        (softmax(np.tanh(scores)), "The scores went through tanh, too; only the state does."),
    ]
    for wrong, message in usual:
        if _close(given, wrong) and not _close(wrong, right):
            raise Wrong(message)
    row = int(np.argmax(~np.isclose(given, right, rtol=1e-9, atol=1e-10).all(axis=1)))
    raise Wrong(f"Row {row} of `probabilities` should be {numbers(right[row])}, and yours is {numbers(given[row])}. "
                f"The state is {numbers(states[row + 1])} there, which is right.")


def _check_loss(loss: Any, right: Array, symbols: Array) -> None:
    value = np.asarray(loss)
    if value.shape != () or value.dtype.kind not in "fiu":
        told = f"{value.size} numbers: take their mean" if value.dtype.kind in "fiu" else type(loss).__name__
        raise Wrong(f"`loss` has to be one number; yours is {told}.")
    steps = np.arange(len(symbols) - 1)
    came = right[steps, symbols[1:]]
    wanted = float(-np.log(came).mean())
    if np.isclose(value, wanted, rtol=1e-9):
        return
    earlier = right[steps[1:], symbols[steps[1:] - 1]] if len(steps) > 1 else came
    backwards = "The target is shifted the wrong way: row t guesses `symbols[t + 1]`, not the symbol before."
    usual = [
        (-np.log(right[steps, symbols[:-1]]).mean(),
         "The target is not shifted: you ask how likely the symbol was that the network had just heard. Row t guesses "
         "`symbols[t + 1]`."),
        (-np.log(earlier).mean(), backwards),
        (-np.log(right[steps, symbols[steps - 1]]).mean(), backwards),
        (-np.log(came).sum(), "That is the sum over the guesses, not their mean: a long tune would always look worse "
                              "than a short one."),
        (np.log(came).mean(), "The sign is missing: the loss is the mean of -log p, which is never below 0."),
        (-np.log2(came).mean(), "That is in bits: `np.log2`. The loss is in nats: `np.log`."),
        (-np.log10(came).mean(), "That is `np.log10`. The loss is in nats: `np.log`."),
        (-np.log(came.mean()), "You take the logarithm of the mean; it has to be the mean of the logarithms."),
        (-np.log(came).sum() / len(symbols), f"You divide by {len(symbols)}, the number of symbols, but there are only "
                                             f"{len(came)} guesses."),
        (-np.log(right).mean(), "You take the mean over all symbols; only the probability of the one that really came "
                                "counts."),
        (-(right * np.log(right)).sum(axis=1).mean(), "That is the mean of -p log p over all symbols, the entropy of "
                                                      "the guesses; only the symbol that really came counts."),
        (-np.log(came[-1]), "Only the last guess counts in your loss. Take the mean over all."),
        ((1 - came).mean(), "That is the mean of 1 - p. The loss is the mean of -log p."),
    ]
    for wrong, message in usual:
        if np.isclose(value, wrong, rtol=1e-9) and not np.isclose(wrong, wanted):
            raise Wrong(f"`states` and `probabilities` are right, `loss` is not: it should be {wanted:.4f} and is "
                        f"{float(value):.4f}. {message}")
    raise Wrong(f"`states` and `probabilities` are right, `loss` is not: the symbols that came had the probabilities "
                f"{numbers(came)}, so the mean of -log p is {wanted:.4f}, and yours is {float(value):.4f}.")


def _check_far(answer: Any, weights: Weights, far: float) -> None:
    """Check what softmax gives where all scores are around a thousand, or minus a thousand."""
    loss, _, given = _parts(answer)
    states = states_of(weights, MELODY)
    right = softmax(states[1:] @ weights["output"] + weights["output_bias"])
    if given.shape == right.shape and np.allclose(given, right, rtol=1e-6) and np.isfinite(float(loss)):
        return
    reason = "e to the power of 1000 is too large for NumPy (`inf`), and inf / inf is NaN" if far > 0 else \
        "e to the power of -1000 is 0 in NumPy, and 0 / 0 is NaN"
    raise Wrong(f"With scores around {far:g} the softmax breaks down: {reason}. Take the highest score of each row "
                "from all scores of the row before `np.exp`: the probabilities stay the same, and the highest power is "
                "1.")
