"""The checks of lesson 01: right answers of several makes, and each usual mistake with its message."""

from __future__ import annotations

import numpy as np
import pytest

from componium.lessons import check
from componium.lessons.shelf import find
from componium.lessons.verdict import FAILED, NOT_ANSWERED, RIGHT, WRONG, judge

MATRIX, DRAW = find("01").exercise(1), find("01").exercise(2)


def contexts_of(pitches, order):
    return sorted({tuple(pitches[i:i + order]) for i in range(len(pitches) - order + 1)})


def counted(pitches, order, *, first=0, last=0, ahead=0, at=None):
    contexts, notes = at or contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for i in range(first, len(pitches) - order - last - max(ahead, 0)):
        counts[contexts.index(tuple(pitches[i:i + order])), notes.index(pitches[i + order + ahead])] += 1
    return counts


def filled(counts, pitches):
    shares = [pitches.count(note) for note in sorted(set(pitches))]
    return np.array([row if row.sum() else shares for row in counts], float)


def by_rows(counts):
    with np.errstate(all="ignore"):
        return counts / counts.sum(axis=1, keepdims=True)


def right(pitches, order):
    return by_rows(filled(counted(pitches, order), pitches))


def right_with_dictionaries(pitches, order):
    seen = {context: {} for context in contexts_of(pitches, order)}
    for *context, following in zip(*(pitches[k:] for k in range(order + 1)), strict=False):
        known = seen[tuple(context)]
        known[following] = known.get(following, 0) + 1
    bag = {note: pitches.count(note) for note in pitches}
    rows = [known or bag for known in seen.values()]
    return [[row.get(note, 0) / sum(row.values()) for note in sorted(bag)] for row in rows]


@pytest.mark.parametrize("answer", [right, right_with_dictionaries])
def test_right_matrices_are_right(answer):
    assert judge(MATRIX, answer).status == RIGHT


def normalised_by_columns(pitches, order):
    counts = filled(counted(pitches, order), pitches)
    return counts / counts.sum(axis=0)


def columns_of_raw_counts(pitches, order):
    counts = counted(pitches, order)
    return np.divide(counts, counts.sum(axis=0), out=np.zeros_like(counts), where=counts.sum(axis=0) > 0)


def whole_numbers(pitches, order):
    counts = filled(counted(pitches, order), pitches).astype(int)
    return counts // counts.sum(axis=1, keepdims=True)


def kept_as_whole_numbers(pitches, order):
    return right(pitches, order).astype(int)


def normalised_in_all(pitches, order):
    counts = counted(pitches, order)
    return counts / counts.sum()


def shape_exchanged(pitches, order):
    return right(pitches, order).T


def order_forgotten(pitches, order):
    return right(pitches, 1)


def last_context_missing(pitches, order):
    contexts = sorted({tuple(pitches[i:i + order]) for i in range(len(pitches) - order)})
    return by_rows(counted(pitches, order, at=contexts))


def backwards(pitches, order):
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for i in range(1, len(pitches) - order + 1):
        counts[contexts.index(tuple(pitches[i:i + order])), notes.index(pitches[i - 1])] += 1
    return by_rows(filled(counts, pitches))


def negative_index(pitches, order):
    contexts, notes = contexts_of(pitches, order), sorted(set(pitches))
    counts = np.zeros((len(contexts), len(notes)))
    for i in range(len(pitches) - order + 1):
        counts[contexts.index(tuple(pitches[i:i + order])), notes.index(pitches[(i + order) % len(pitches)])] += 1
    return by_rows(counts)


def dead_end_in(value):
    def answer(pitches, order):
        counts = counted(pitches, order)
        matrix = by_rows(counts)
        matrix[counts.sum(axis=1) == 0] = value(matrix.shape[1])
        return matrix
    return answer


def changes_the_list(pitches, order):
    pitches.append(pitches[0])
    return right(pitches[:-1], order)


def one_wrong_row(pitches, order):
    matrix = right(pitches, order)
    matrix[1] = matrix[1][::-1]
    return matrix


@pytest.mark.parametrize(("answer", "told"), [
    (normalised_by_columns, ["row"]),
    (columns_of_raw_counts, ["Each column sums to 1, but each row has to", "axis=1"]),
    (whole_numbers, ["0 or 1", "`//`"]),
    (kept_as_whole_numbers, ["0 or 1"]),
    (normalised_in_all, ["The whole matrix sums to 1"]),
    (lambda p, o: counted(p, o), ["counts, not probabilities"]),
    (shape_exchanged, ["Rows and columns are exchanged"]),
    (order_forgotten, ["`order` was not used", "With order 2"]),
    (last_context_missing, ["One row is missing", "very end"]),
    (lambda p, o: by_rows(filled(counted(p, o, last=1), p)), ["one step too few", "last transition"]),
    (lambda p, o: np.nan_to_num(by_rows(counted(p, o, last=1))), ["last transition"]),
    (lambda p, o: by_rows(filled(counted(p, o, first=1), p)), ["one step too few", "first transition"]),
    (lambda p, o: by_rows(filled(counted(p, o, ahead=-1), p)), ["last note of the context itself"]),
    (lambda p, o: by_rows(filled(counted(p, o, ahead=1), p)), ["You skip a note"]),
    (backwards, ["backwards"]),
    (negative_index, ["Nothing ever follows 62", "dead end", "Your row for it"]),
    (dead_end_in(lambda n: np.nan), ["dead end", "NaN"]),
    (dead_end_in(np.zeros), ["dead end", "all zeros"]),
    (dead_end_in(lambda n: 1 / n), ["dead end", "equally likely"]),
    (lambda p, o: by_rows(filled((counted(p, o) > 0) * 1, p)), ["not how often", "+= 1"]),
    (lambda p, o: by_rows(counted(p, o) + 1), ["begun with 1 instead of 0"]),
    (changes_the_list, ["changes the list `pitches`"]),
    (one_wrong_row, ["the row for 67 should be"]),
    (lambda p, o: print(len(p)), ["returns nothing"]),
    (lambda p, o: "matrix", ["an array of numbers, not str"]),
    (lambda p, o: [[1, 2], [3]], ["an array of numbers"]),
    (lambda p, o: right(p, o)[0], ["two dimensions", "yours has 1"]),
    (lambda p, o: np.zeros_like(right(p, o)), ["only zeros"]),
    (lambda p, o: np.full_like(right(p, o), np.nan), ["not numbers (NaN"]),
    (lambda p, o: right(p, o) * 2 - 0.1, ["below 0"]),
    (lambda p, o: right(p, o) * 0.5, ["Each row has to sum to 1", "0.5"]),
    (lambda p, o: np.zeros((3, 3)), ["should be 7 x 7"]),
])
def test_each_mistake_in_the_matrix_has_its_message(answer, told):
    verdict = judge(MATRIX, answer)
    assert verdict.status == WRONG
    assert all(part in verdict.message for part in told), verdict.message


def cold(row, temperature, rng):
    if temperature == 0:
        return int(np.argmax(row))
    weights = (row / row.max()) ** (1 / temperature)
    return int(rng.choice(len(row), p=weights / weights.sum()))


def cold_by_logarithms(row, temperature, rng):
    if temperature == 0:
        return np.argmax(row)
    with np.errstate(divide="ignore"):
        logits = np.log(row) / temperature
    weights = np.exp(logits - logits.max())
    return np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right")


@pytest.mark.parametrize("answer", [cold, cold_by_logarithms])
def test_right_draws_are_right(answer):
    assert judge(DRAW, answer).status == RIGHT


def power(row, temperature, rng, exponent):
    weights = row ** exponent
    return int(rng.choice(len(row), p=weights / weights.sum()))


def softmax(row, temperature, rng):
    weights = np.exp(row / temperature) if temperature else row
    return int(rng.choice(len(row), p=weights / weights.sum()))


def in_place(row, temperature, rng):
    row /= row.max()
    return cold(row, temperature, rng)


def of_its_own(row, temperature, rng):
    return cold(row, temperature, np.random.default_rng())


def of_a_fixed_seed(row, temperature, rng):
    return cold(row, temperature, np.random.default_rng(1))


def unnormalised(row, temperature, rng):
    return int(rng.choice(len(row), p=row ** (1 / temperature)))


@pytest.mark.parametrize(("answer", "told"), [
    (lambda r, t, g: power(r, t, g, t), ["wrong way round", "1 / T"]),
    (lambda r, t, g: power(r, t, g, 1), ["changes nothing", "0.5"]),
    (softmax, ["exp(row / T)"]),
    (lambda r, t, g: int(np.argmax(r)), ["always takes the most likely"]),
    (lambda r, t, g: 3, ["returned 3 forty times"]),
    (lambda r, t, g: int(g.integers(len(r))), ["equally often", "`p=`"]),
    (lambda r, t, g: int(g.choice(np.flatnonzero(r))), ["All possible notes come equally often"]),
    (unnormalised, ["do not sum to 1", "temperature 0.5"]),
    (lambda r, t, g: power(r, t, g, 1 / t), ["Temperature 0 divides by zero"]),
    (lambda r, t, g: int(np.argmax(r)) if t == 0 else power(r, t, g, 1 / t), ["0.001", "largest"]),
    (lambda r, t, g: power(r, t, g, 1 / max(t, 0.5)), ["the most likely note should come every time"]),
    (in_place, ["changes the array `row`"]),
    (of_its_own, ["same seed", "`rng`"]),
    (of_a_fixed_seed, ["forty times in a row", "one made anew"]),
    (lambda r, t, g: print(len(r)), ["returns nothing"]),
    (lambda r, t, g: float(r[cold(r, t, g)]), ["a probability, not the index"]),
    (lambda r, t, g: r, ["one number", "5 values"]),
    (lambda r, t, g: g.choice(len(r), size=1, p=r), ["an array with one number", "`size`"]),
    (lambda r, t, g: "C", ["a whole number; yours returns str"]),
    (lambda r, t, g: cold(r, t, g) + 1, ["indices of a row of 5 go from 0 to 4"]),
])
def test_each_mistake_in_drawing_has_its_message(answer, told):
    verdict = judge(DRAW, answer)
    assert verdict.status == WRONG
    assert all(part in verdict.message for part in told), verdict.message
    assert len(verdict.message) < 600


def needs_three(pitches, order, more):
    return pitches


def fails_inside(pitches, order):
    return pitches[10_000]


def leaves(pitches, order):
    raise SystemExit


def without_end(pitches, order):
    return without_end(pitches, order)


def unwritten(pitches, order):
    raise NotImplementedError


def empty(pitches, order):
    """Nothing yet."""


@pytest.mark.parametrize(("answer", "status", "told"), [
    (empty, NOT_ANSWERED, "transition_matrix"),
    (unwritten, NOT_ANSWERED, "not implemented"),
    (None, NOT_ANSWERED, "Write"),
    (..., NOT_ANSWERED, "Write"),
    (needs_three, FAILED, "missing 1 required positional argument"),
    (17, FAILED, "not callable"),
    (fails_inside, FAILED, "(`return pitches[10_000]`): list index out of range"),
    (leaves, FAILED, "It calls exit() in line"),
    (without_end, FAILED, "calls itself without end"),
])
def test_what_is_no_answer_is_told_too(answer, status, told):
    verdict = judge(MATRIX, answer)
    assert verdict.status == status
    assert told in verdict.message


def test_a_notebook_shows_the_verdict_as_text_and_as_html():
    verdict = check("01", 1, dead_end_in(np.zeros))
    assert repr(verdict).startswith("Exercise 1: wrong. Nothing ever follows 62")
    shown = check("01", 1, order_forgotten)._repr_html_()
    assert "<code>order</code>" in shown and "<b>Exercise 1: wrong.</b>" in shown
    assert check("1", 1, right).right and not verdict.right
    assert repr(check("markov", 2, cold)) == "Exercise 2: right."
