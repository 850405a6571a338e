"""The check of exercise 2 of lesson 02: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

MELODY = np.array([4, 0, 2, 2, 1, 0, 2, 3, 0, 4])
"""Ten symbols of five; three of them are heard more than once, so that their slopes have to be added."""
ORDER = ("output_bias", "output", "bias", "memory", "input")
"""The order in which the arrays depend on each other: the first that is wrong is told."""
STEPS = {
    "output_bias": "It gets the slope at the scores of every guess: the probabilities, less 1 at the symbol that came "
                   "next, divided by the number of guesses.",
    "output": "It gets `np.outer(states[t + 1], slope at the scores)` of every guess.",
    "bias": "What goes into the scores is right. Look at the slope at `states[t + 1]`, from its scores and from the "
            "step after it, and at the way back through tanh.",
    "memory": "`bias` is right. `memory` gets `np.outer(states[t], slope at the sum)` of every step.",
    "input": "`bias` is right. Row `symbols[t]` of `input` gets the slope at the sum of every step.",
}


def weights_of(seed: int, *, symbols: int = 5, hidden: int = 4) -> dict[str, Array]:
    """Return random weights, with biases that are not zero."""
    rng = np.random.default_rng(seed)
    shapes = {"input": (symbols, hidden), "memory": (hidden, hidden), "bias": (hidden,), "output": (hidden, symbols),
              "output_bias": (symbols,)}
    return {name: 0.8 * rng.standard_normal(shape) for name, shape in shapes.items()}


def run(weights: Arrays, symbols: Array) -> tuple[Array, Array, float]:
    """Return states [N, hidden], probabilities [N - 1, symbols] and the loss of a melody."""
    states = np.zeros((len(symbols), len(weights["bias"])))
    for t, symbol in enumerate(symbols[:-1]):
        states[t + 1] = np.tanh(weights["input"][symbol] + states[t] @ weights["memory"] + weights["bias"])
    powers = np.exp(states[1:] @ weights["output"] + weights["output_bias"])
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    came = probabilities[np.arange(len(symbols) - 1), symbols[1:]]
    return states, probabilities, float(-np.log(came).mean())


def slope_of_tanh(before: Array, after: Array) -> Array:
    """Return the slope of tanh where it gave ``after``."""
    return np.asarray(1 - after ** 2)


class Way(NamedTuple):
    """A way to go back through a melody; the default is the right one.

    Attributes:
        through_tanh: the slope of tanh, of the states before and after the step.
        carried: what of the slope goes on to the step before: ``"sum"``, ``"state"`` (not through tanh), or nothing.
        turned: whether it goes through memory the wrong way round.
        forwards: whether the steps are taken from the first to the last.
        target: how far from ``symbols[t]`` the symbol is at which 1 is taken off; None takes nothing off.
        memory_from: how far from ``states[t]`` the state is that memory gets its slope from.
        output_from: the same for output.
    """

    through_tanh: Callable[[Array, Array], Array] = slope_of_tanh
    carried: str = "sum"
    turned: bool = False
    forwards: bool = False
    target: int | None = 1
    memory_from: int = 0
    output_from: int = 1

    def steps(self, weights: Arrays, symbols: Array) -> list[dict[str, Array]]:
        """Return what each step adds to the gradient, from the first to the last."""
        states, probabilities, _ = run(weights, symbols)
        guesses = len(symbols) - 1
        later, steps = np.zeros_like(weights["bias"]), []
        for t in range(guesses) if self.forwards else reversed(range(guesses)):
            at_scores = probabilities[t].copy()
            if self.target is not None:
                at_scores[symbols[t + self.target]] -= 1
            at_scores /= guesses
            at_state = weights["output"] @ at_scores + later
            at_sum = at_state * self.through_tanh(states[t], states[t + 1])
            row = np.zeros_like(weights["input"])
            row[symbols[t]] = at_sum
            steps.append({"output_bias": at_scores, "output": np.outer(states[t + self.output_from], at_scores),
                          "bias": at_sum, "memory": np.outer(states[t + self.memory_from], at_sum), "input": row})
            back = {"sum": at_sum, "state": at_state}.get(self.carried, np.zeros_like(at_sum))
            later = weights["memory"].T @ back if self.turned else weights["memory"] @ back
        return steps if self.forwards else steps[::-1]

    def gradient(self, weights: Arrays, symbols: Array) -> dict[str, Array]:
        """Return the sum of what the steps add."""
        steps = self.steps(weights, symbols)
        return {name: np.sum([step[name] for step in steps], axis=0) for name in ORDER}


MISTAKES = [
    (Way(through_tanh=lambda before, after: np.ones_like(after)),
     "The slope of tanh is forgotten. On the way from the state back to the sum it was made of, multiply by "
     "`1 - states[t + 1] ** 2`."),
    (Way(through_tanh=lambda before, after: 1 - before ** 2),
     "The slope of tanh is taken at the wrong state: step t made `states[t + 1]`, not `states[t]`."),
    (Way(through_tanh=lambda before, after: 1 - np.tanh(after) ** 2),
     "You take the tanh twice: `states[t + 1]` is a tanh already, so the slope is `1 - states[t + 1] ** 2`."),
    (Way(through_tanh=lambda before, after: 1 - after), "The square is missing: the slope of tanh is 1 - tanh²."),
    (Way(through_tanh=lambda before, after: after * (1 - after)),
     "That is the slope of the sigmoid, s (1 - s). The slope of tanh is 1 - tanh²."),
    (Way(carried=""), "Nothing goes back through time: a state is also to blame for the guesses *after* the next one. "
                      "To the slope from its own scores, add what the step after it sends back through `memory`."),
    (Way(carried="state"), "What goes on to the step before is not the slope at the state but the slope at the sum, "
                           "after tanh: `memory @ at_sum`."),
    (Way(turned=True), "What goes back in time goes through `memory` the wrong way round. Forwards it was "
                       "`states[t] @ memory`, so backwards it is `memory @ ...`. (Both run, because it is square.)"),
    (Way(forwards=True), "Your loop goes forwards. The steps have to be taken from the last to the first: "
                         "`reversed(range(...))`."),
    (Way(target=None), "The target is missing: the slope at the scores is `probabilities[t]`, but 1 less at the symbol "
                       "that came next."),
    (Way(target=0), "The target is not shifted: 1 has to be taken off at `symbols[t + 1]`, the symbol that came next, "
                    "not at `symbols[t]`, the one just heard."),
    (Way(memory_from=1), "`memory` was multiplied with the old state, `states[t]`, not with the new one, "
                         "`states[t + 1]`."),
    (Way(output_from=0), "`output` was multiplied with the new state, `states[t + 1]`, not with the old one, "
                         "`states[t]`."),
]


def check(backward: Callable[[dict[str, Array], Array, Array, Array], Any]) -> None:
    """Check ``backward(weights, symbols, states, probabilities)``."""
    with np.errstate(all="ignore"):
        _check_run(backward, weights_of(1), MELODY)
        _check_run(backward, weights_of(2, symbols=6, hidden=3), np.array([5, 5, 0, 1, 4, 3, 2]))
        _check_run(backward, weights_of(3), MELODY[:2])


def _check_run(backward: Callable[..., Any], weights: dict[str, Array], symbols: Array) -> None:
    states, probabilities, _ = run(weights, symbols)
    given = (copy.deepcopy(weights), symbols.copy(), states.copy(), probabilities.copy())
    gradients = _as_arrays(backward(*given), weights)
    right = Way().gradient(weights, symbols)
    wrong = [name for name in ORDER if not _close(gradients[name], right[name])]
    if wrong:
        _check_scale(gradients, right, symbols)
        _check_sums(gradients, wrong, weights, symbols)
        _check_ways(gradients, weights, symbols)
        _tell_slope(gradients, wrong[0], weights, symbols)
    for name, before, after in zip(("symbols", "states", "probabilities"), (symbols, states, probabilities), given[1:],
                                   strict=True):
        if not np.array_equal(before, after):
            raise Wrong(f"The gradient is right, but your function changes the array `{name}` that it is given. A row "
                        "of an array is no copy: take `probabilities[t].copy()`.")
    if any(not np.array_equal(weights[name], given[0][name]) for name in weights):
        raise Wrong("Your function changes `weights`. It only has to say how they should change.")


def _as_arrays(answer: Any, weights: Arrays) -> dict[str, Array]:
    if answer is None:
        raise Wrong("`backward` returns nothing. Does it end with `return`?")
    if not isinstance(answer, Mapping):
        raise Wrong(f"`backward` has to return a dictionary with the names of the weights; yours returns "
                    f"{type(answer).__name__}.")
    missing = [name for name in weights if name not in answer]
    if missing:
        raise Wrong(f"The gradient of {', '.join(f'`{name}`' for name in missing)} is missing in the dictionary.")
    for name, array in weights.items():
        found = answer[name]
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
            raise Wrong(f"The gradient of `{name}` has to be an array of numbers; yours is {type(found).__name__}.")
        if found.shape != array.shape:
            raise Wrong(f"The gradient of `{name}` has to have the shape of its weights, {array.shape}; yours has "
                        f"{found.shape}." + (" It is turned: exchange the two arguments of `np.outer`."
                                             if found.shape == array.shape[::-1] else ""))
    return {name: answer[name] for name in weights}


def _close(one: Array, other: Array) -> bool:
    return bool(np.allclose(one, other, rtol=1e-7, atol=1e-10))


def _check_scale(gradients: Arrays, right: Arrays, symbols: Array) -> None:
    """Tell of all arrays being nothing, or the right ones times a number."""
    if not all(np.isfinite(gradients[name]).all() for name in ORDER):
        raise Wrong("There are values in the gradient that are not numbers (NaN or infinity).")
    if not any(gradients[name].any() for name in ORDER):
        raise Wrong("The gradient holds only zeros. Is something added to it in each step?")
    factor = float(np.vdot(gradients["output_bias"], right["output_bias"]) / np.vdot(right["output_bias"],
                                                                                     right["output_bias"]))
    if not all(_close(gradients[name], factor * right[name]) for name in ORDER):
        return
    guesses = len(symbols) - 1
    if np.isclose(factor, guesses):
        raise Wrong(f"All slopes are {guesses} times too large, and there are {guesses} guesses: the loss is a mean, "
                    "so divide the slope at the scores by the number of guesses.")
    if np.isclose(factor, -1) or np.isclose(factor, -guesses):
        raise Wrong("All slopes have the wrong sign: the slope at the scores is `probabilities[t]` less 1 at the "
                    "symbol that came, not the other way round. The weights will be moved *against* the slope later.")
    raise Wrong(f"All slopes are {factor:.4g} times as large as they should be. There are {guesses} guesses, and the "
                "loss is their mean.")


def _check_sums(gradients: Arrays, wrong: list[str], weights: Arrays, symbols: Array) -> None:
    """Tell of slopes that are not summed over time: one step overwrites the others."""
    steps = Way().steps(weights, symbols)
    alone = [name for name in wrong if any(_close(gradients[name], step[name]) for step in (steps[0], steps[-1]))]
    if alone and len(steps) > 1:
        raise Wrong(f"The gradient of {' and '.join(f'`{name}`' for name in alone)} is not summed over time: only one "
                    "step is in it, because each overwrites what the others said. Add with `+=`, where you have `=`.")
    if "input" not in wrong:
        return
    first, last = np.zeros_like(weights["input"]), np.zeros_like(weights["input"])
    for symbol, step, back in zip(symbols, steps, reversed(steps), strict=False):
        last[symbol] = step["input"][symbol]
        at = int(np.argmax(back["input"].any(axis=1)))
        first[at] = back["input"][at]
    if _close(gradients["input"], first):
        raise Wrong("In `input`, a symbol that is heard several times keeps only what its first time said. Its row has "
                    "to be summed: `+=`, where you have `=`.")
    if _close(gradients["input"], last):
        raise Wrong("In `input`, a symbol that is heard several times keeps only what its last time said. Its row has "
                    "to be summed. (`a[symbols] += b` adds once for each index, however often it comes: use a loop, or "
                    "`np.add.at`.)")


def _check_ways(gradients: Arrays, weights: Arrays, symbols: Array) -> None:
    right = Way().gradient(weights, symbols)
    for way, message in MISTAKES:
        found = way.gradient(weights, symbols)
        for factor in (1, len(symbols) - 1):
            same = all(_close(gradients[name], factor * found[name]) for name in ORDER)
            if same and not all(_close(found[name], right[name]) for name in ORDER):
                raise Wrong(message)
    if _close(gradients["memory"], right["memory"].T) and not _close(right["memory"], right["memory"].T):
        raise Wrong("The gradient of `memory` is turned: a row for each number of the old state. Exchange the two "
                    "arguments of `np.outer`.")


def _tell_slope(gradients: Arrays, name: str, weights: Arrays, symbols: Array) -> None:
    """Tell the first array that is wrong, by a weight that is moved a little."""
    right = Way().gradient(weights, symbols)[name]
    place = tuple(int(each) for each in np.unravel_index(np.argmax(np.abs(gradients[name] - right)), right.shape))
    losses = []
    for step in (-1e-5, 1e-5):
        moved = {key: array.copy() for key, array in weights.items()}
        moved[name][place] += step
        losses.append(run(moved, symbols)[2])
    shown = ", ".join(map(str, place))
    measured = (losses[1] - losses[0]) / 2e-5
    raise Wrong(f"The gradient of `{name}` is wrong. Measured by moving the weight, the slope at `{name}[{shown}]` is "
                f"{measured:+.5f}, and yours is {gradients[name][place]:+.5f}. {STEPS[name]}")
