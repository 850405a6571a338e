"""The checks of forward and backward in lesson 02: right answers of several makes, each usual mistake's message."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from componium.lessons.shelf import find
from componium.lessons.verdict import FAILED, RIGHT, WRONG, judge

FORWARD, BACKWARD = find("02").exercise(1), find("02").exercise(2)


def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def heard(weights, symbols, *, squash=np.tanh, carried=True, memory=None, bias=1):
    memory = weights["memory"] if memory is None else memory
    states = [np.zeros_like(weights["bias"])]
    for symbol in symbols[:-1]:
        before = states[-1] if carried else states[0]
        states.append(squash(weights["input"][symbol] + before @ memory + bias * weights["bias"]))
    return np.array(states)


def scores_of(weights, states):
    return states[1:] @ weights["output"] + weights["output_bias"]


def surprise(probabilities, targets):
    return -np.log(probabilities[np.arange(len(targets)), targets])


def forward(weights, symbols, *, soft=softmax, loss=lambda p, s: surprise(p, s[1:]).mean(), **mistakes):
    states = heard(weights, symbols, **mistakes)
    probabilities = soft(scores_of(weights, states))
    return loss(probabilities, symbols), states, probabilities


def forward_in_one_loop(weights, symbols):
    states, probabilities, loss = [0 * weights["bias"]], [], 0
    for now, following in pairwise(symbols):
        one_hot = np.eye(len(weights["input"]))[now]
        states.append(np.tanh(one_hot @ weights["input"] + weights["memory"].T @ states[-1] + weights["bias"]))
        scores = weights["output"].T @ states[-1] + weights["output_bias"]
        log_probabilities = scores - scores.max() - np.log(np.sum(np.exp(scores - scores.max())))
        loss -= log_probabilities[following] / (len(symbols) - 1)
        probabilities.append(np.exp(log_probabilities))
    return loss, np.stack(states), np.stack(probabilities)


@pytest.mark.parametrize("answer", [forward, forward_in_one_loop])
def test_right_ways_forward_are_right(answer):
    verdict = judge(FORWARD, answer)
    assert verdict.status == RIGHT, verdict.message


def everything_heard(weights, symbols, *, zeros):
    states = heard(weights, np.append(symbols, 0))
    probabilities = softmax(scores_of(weights, states))
    return 1.0, states if zeros else states[1:], probabilities


def one_state_again_and_again(weights, symbols):
    state, states = np.zeros_like(weights["bias"]), []
    for symbol in symbols:
        states.append(state)
        state[:] = np.tanh(weights["input"][symbol] + state @ weights["memory"] + weights["bias"])
    return 1.0, np.array(states), softmax(scores_of(weights, np.array(states)))


def one_wrong_state(weights, symbols):
    loss, states, probabilities = forward(weights, symbols)
    states[3] *= 2
    return loss, states, probabilities


def one_wrong_guess(weights, symbols):
    loss, states, probabilities = forward(weights, symbols)
    probabilities[2] = probabilities[2][::-1].copy()
    return loss, states, probabilities


def changes_the_bias(weights, symbols):
    answer = forward(weights, symbols)
    weights["bias"] += 1
    return answer


def changes_the_symbols(weights, symbols):
    answer = forward(weights, symbols)
    symbols[0] = 1
    return answer


def with_states(change):
    def answer(weights, symbols):
        loss, states, probabilities = forward(weights, symbols)
        return loss, change(states), probabilities
    return answer


def with_guesses(change):
    def answer(weights, symbols):
        loss, states, probabilities = forward(weights, symbols)
        return loss, states, change(probabilities, states, weights)
    return answer


def with_loss(loss):
    return lambda weights, symbols: forward(weights, symbols, loss=loss)


def careless(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("answer", "told"), [
    (lambda w, s: forward(w, s, carried=False), ["state is not carried over", "`states[t]`"]),
    (lambda w, s: forward(w, s, squash=lambda x: x), ["tanh is missing"]),
    (lambda w, s: forward(w, s, squash=lambda x: 1 / (1 + np.exp(-x))), ["sigmoid"]),
    (lambda w, s: forward(w, s, bias=0), ["`bias` is not added"]),
    (lambda w, s: forward(w, s, memory=w["memory"].T), ["wrong way round", "because it is square"]),
    (lambda w, s: forward(w, s, memory=np.eye(len(w["bias"]))), ["go through `memory` first"]),
    (lambda w, s: forward(w, np.append(s[1:], 0)), ["hears the symbol that it has to guess"]),
    (lambda w, s: everything_heard(w, s, zeros=True), ["hears the last symbol", "10 rows"]),
    (lambda w, s: everything_heard(w, s, zeros=False), ["hears the last symbol"]),
    (one_state_again_and_again, ["All rows of `states` are the same"]),
    (with_states(lambda states: states[1:]), ["first row of `states` is missing"]),
    (with_states(lambda states: states[:, :2]), ["has to be 10 x 4; yours is 10 x 2"]),
    (with_states(np.zeros_like), ["only zeros"]),
    (with_states(lambda states: states + 1), ["Row 0 of `states` has to be zeros"]),
    (with_states(list), ["`states` has to be an array", "yours is list", "`np.array`"]),
    (with_states(lambda states: states[0]), ["an array of 1 dimensions"]),
    (one_wrong_state, ["After 3 symbols of [4, 0, 2", "tanh(input row + old state @ memory + bias)"]),
    (with_guesses(lambda p, h, w: scores_of(w, h)), ["still scores", "softmax is missing"]),
    (with_guesses(lambda p, h, w: np.exp(scores_of(w, h))), ["Each row of `probabilities` has to sum to 1"]),
    (lambda w, s: forward(w, s, soft=lambda x: softmax(x, 0)), ["Each column", "`axis=1`"]),
    (lambda w, s: forward(w, s, soft=lambda x: np.exp(x) / np.exp(x).sum()), ["All of `probabilities` together"]),
    (with_guesses(lambda p, h, w: np.log(p)), ["logarithms"]),
    (with_guesses(lambda p, h, w: softmax(h[1:] @ w["output"])), ["`output_bias` is not added"]),
    (with_guesses(lambda p, h, w: softmax(h[:-1] @ w["output"] + w["output_bias"])), ["one step too early"]),
    (with_guesses(lambda p, h, w: softmax(np.tanh(scores_of(w, h)))), ["went through tanh, too"]),
    (with_guesses(lambda p, h, w: softmax(h @ w["output"] + w["output_bias"])), ["one guess too many"]),
    (with_guesses(lambda p, h, w: p.T), ["exchanged"]),
    (with_guesses(lambda p, h, w: p[:-1]), ["has to be 9 x 5; yours is 8 x 5"]),
    (with_guesses(lambda p, h, w: None), ["`probabilities` has to be an array", "NoneType"]),
    (one_wrong_guess, ["Row 2 of `probabilities` should be", "which is right"]),
    (with_loss(lambda p, s: surprise(p, s[:-1]).mean()), ["target is not shifted", "`symbols[t + 1]`"]),
    (with_loss(lambda p, s: surprise(p[1:], s[:-2]).mean()), ["shifted the wrong way"]),
    (with_loss(lambda p, s: surprise(p, np.roll(s, 1)[:-1]).mean()), ["shifted the wrong way"]),
    (with_loss(lambda p, s: surprise(p, s[1:]).sum()), ["the sum over the guesses, not their mean"]),
    (with_loss(lambda p, s: -surprise(p, s[1:]).mean()), ["sign is missing"]),
    (with_loss(lambda p, s: surprise(p, s[1:]).mean() / np.log(2)), ["bits"]),
    (with_loss(lambda p, s: surprise(p, s[1:]).mean() / np.log(10)), ["`np.log10`"]),
    (with_loss(lambda p, s: -np.log(np.exp(-surprise(p, s[1:])).mean())), ["logarithm of the mean"]),
    (with_loss(lambda p, s: surprise(p, s[1:]).sum() / len(s)), ["divide by 10", "only 9 guesses"]),
    (with_loss(lambda p, s: -np.log(p).mean()), ["the mean over all symbols"]),
    (with_loss(lambda p, s: -(p * np.log(p)).sum(axis=1).mean()), ["entropy"]),
    (with_loss(lambda p, s: surprise(p, s[1:])[-1]), ["Only the last guess counts"]),
    (with_loss(lambda p, s: (1 - np.exp(-surprise(p, s[1:]))).mean()), ["mean of 1 - p"]),
    (with_loss(lambda p, s: surprise(p, s[1:])), ["one number; yours is 9 numbers"]),
    (with_loss(lambda p, s: "low"), ["one number; yours is str"]),
    (with_loss(lambda p, s: 2.0), ["had the probabilities", "yours is 2.0"]),
    (lambda w, s: forward(w, s, soft=careless), ["With scores around 1000 the softmax breaks down", "inf / inf"]),
    (lambda w, s: forward(w, s, soft=lambda x: careless(np.minimum(x, 700))),
     ["With scores around 1000 the softmax breaks down"]),
    (lambda w, s: forward(w, s, soft=lambda x: softmax(x) if x.max() > 0 else careless(x)),
     ["around -1000", "0 / 0"]),
    (changes_the_bias, ['changes `weights["bias"]`', "makes a new one"]),
    (changes_the_symbols, ["changes `symbols`"]),
    (lambda w, s: print(len(s)), ["returns nothing"]),
    (lambda w, s: forward(w, s)[0], ["three things", "yours returns float64"]),
    (lambda w, s: forward(w, s)[:2], ["yours returns 2 things"]),
])
def test_each_mistake_on_the_way_forward_has_its_message(answer, told):
    verdict = judge(FORWARD, answer)
    assert verdict.status == WRONG, verdict
    assert all(part in verdict.message for part in told), verdict.message
    assert len(verdict.message) < 600


def test_an_error_on_the_way_forward_is_told_with_its_line():
    def turned(weights, symbols):
        return weights["input"].T[symbols[0]] @ weights["memory"]
    verdict = judge(FORWARD, turned)
    assert verdict.status == FAILED and "IndexError in line" in verdict.message


def backward(weights, symbols, states, probabilities, *, slope=lambda before, after: 1 - after ** 2, carry="sum",
             turn=False, forwards=False, target=1, old=0, new=1, sign=1, mean=True, once=(), swap=False, copied=True):
    gradients = {name: np.zeros_like(array) for name, array in weights.items()}
    guesses, later = len(symbols) - 1, np.zeros_like(weights["bias"])
    for t in range(guesses) if forwards else reversed(range(guesses)):
        wrong = probabilities[t].copy() if copied else probabilities[t]
        if target is not None:
            wrong[symbols[t + target]] -= 1
        wrong = sign * wrong / (guesses if mean else 1)
        at_state = weights["output"] @ wrong + later
        at_sum = at_state * slope(states[t], states[t + 1])
        parts = {"output": np.outer(states[t + new], wrong), "output_bias": wrong, "bias": at_sum,
                 "memory": np.outer(at_sum, states[t]) if swap else np.outer(states[t + old], at_sum)}
        for name, part in parts.items():
            gradients[name] = part if name in once else gradients[name] + part
        gradients["input"][symbols[t]] = at_sum + (0 if "input" in once else gradients["input"][symbols[t]])
        back = {"sum": at_sum, "state": at_state, "nothing": 0 * at_sum}[carry]
        later = weights["memory"].T @ back if turn else weights["memory"] @ back
    return gradients


def at_scores(symbols, probabilities):
    return (probabilities - np.eye(probabilities.shape[1])[symbols[1:]]) / len(probabilities)


def at_sums(weights, symbols, states, probabilities):
    from_scores = at_scores(symbols, probabilities) @ weights["output"].T
    found = np.zeros((len(symbols), states.shape[1]))
    for t in range(len(symbols) - 1)[::-1]:
        found[t] = (from_scores[t] + found[t + 1] @ weights["memory"].T) * (1 - states[t + 1] * states[t + 1])
    return found[:-1]


def backward_in_matrices(weights, symbols, states, probabilities):
    scores, sums = at_scores(symbols, probabilities), at_sums(weights, symbols, states, probabilities)
    rows = np.zeros_like(weights["input"])
    np.add.at(rows, symbols[:-1], sums)
    return {"input": rows, "memory": states[:-1].T @ sums, "bias": sums.sum(axis=0), "output": states[1:].T @ scores,
            "output_bias": scores.sum(axis=0)}


@pytest.mark.parametrize("answer", [backward, backward_in_matrices])
def test_right_ways_back_are_right(answer):
    verdict = judge(BACKWARD, answer)
    assert verdict.status == RIGHT, verdict.message


def mistaken(**mistake):
    return lambda *given: backward(*given, **mistake)


def changed(change):
    def answer(*given):
        gradients = backward(*given)
        change(gradients)
        return gradients
    return answer


def added_by_index(weights, symbols, states, probabilities):
    gradients = backward_in_matrices(weights, symbols, states, probabilities)
    gradients["input"] = np.zeros_like(weights["input"])
    gradients["input"][symbols[:-1]] += at_sums(weights, symbols, states, probabilities)
    return gradients


def changes_the_weights(weights, *given):
    gradients = backward(weights, *given)
    for name in weights:
        weights[name] -= 0.1 * gradients[name]
    return gradients


ALL = ("output_bias", "output", "bias", "memory", "input")


@pytest.mark.parametrize(("answer", "told"), [
    (mistaken(slope=lambda before, after: 1), ["slope of tanh is forgotten", "1 - states[t + 1] ** 2"]),
    (mistaken(slope=lambda before, after: 1, mean=False), ["slope of tanh is forgotten"]),
    (mistaken(slope=lambda before, after: 1 - before ** 2), ["at the wrong state"]),
    (mistaken(slope=lambda before, after: 1 - np.tanh(after) ** 2), ["take the tanh twice"]),
    (mistaken(slope=lambda before, after: 1 - after), ["square is missing"]),
    (mistaken(slope=lambda before, after: after * (1 - after)), ["slope of the sigmoid"]),
    (mistaken(carry="nothing"), ["Nothing goes back through time"]),
    (mistaken(carry="state"), ["not the slope at the state but the slope at the sum"]),
    (mistaken(turn=True), ["wrong way round", "`memory @ ...`"]),
    (mistaken(forwards=True), ["loop goes forwards", "`reversed(range(...))`"]),
    (mistaken(target=None), ["target is missing"]),
    (mistaken(target=0), ["target is not shifted", "`symbols[t + 1]`"]),
    (mistaken(old=1), ["multiplied with the old state"]),
    (mistaken(new=0), ["multiplied with the new state"]),
    (mistaken(swap=True), ["`memory` is turned", "`np.outer`"]),
    (mistaken(once=ALL), ["not summed over time", "`output_bias` and `output` and", "`+=`"]),
    (mistaken(once=("memory",)), ["gradient of `memory` is not summed over time"]),
    (mistaken(once=("input",)), ["In `input`", "what its first time said"]),
    (added_by_index, ["In `input`", "what its last time said", "`np.add.at`"]),
    (mistaken(mean=False), ["9 times too large", "the loss is a mean"]),
    (mistaken(sign=-1), ["wrong sign"]),
    (mistaken(sign=-1, mean=False), ["wrong sign"]),
    (mistaken(sign=0.5), ["0.5 times as large"]),
    (mistaken(sign=0), ["only zeros"]),
    (mistaken(sign=np.nan), ["not numbers"]),
    (mistaken(copied=False), ["gradient is right", "changes the array `probabilities`", "`probabilities[t].copy()`"]),
    (changes_the_weights, ["changes `weights`"]),
    (changed(lambda g: g["output_bias"].__imul__(2)), ["gradient of `output_bias` is wrong", "Measured by moving"]),
    (changed(lambda g: g["output"].__imul__(2)), ["gradient of `output` is wrong", "yours is"]),
    (changed(lambda g: g["bias"].__imul__(2)), ["gradient of `bias` is wrong", "What goes into the scores is right"]),
    (changed(lambda g: g["memory"].__imul__(2)), ["gradient of `memory` is wrong", "`bias` is right"]),
    (changed(lambda g: g["input"].__imul__(2)), ["gradient of `input` is wrong", "Row `symbols[t]`"]),
    (changed(lambda g: g.pop("memory")), ["gradient of `memory` is missing"]),
    (changed(lambda g: g.update(output=g["output"].T)), ["shape of its weights, (4, 5); yours has (5, 4)", "turned"]),
    (changed(lambda g: g.update(bias=g["bias"].sum())), ["`bias` has to be an array of numbers; yours is float64"]),
    (changed(lambda g: g.update(bias=g["bias"][:2])), ["yours has (2,)"]),
    (lambda *given: print(len(given)), ["returns nothing"]),
    (lambda *given: list(backward(*given).values()), ["dictionary", "yours returns list"]),
])
def test_each_mistake_on_the_way_back_has_its_message(answer, told):
    verdict = judge(BACKWARD, answer)
    assert verdict.status == WRONG, verdict
    assert all(part in verdict.message for part in told), verdict.message
    assert len(verdict.message) < 600
