"""The back-off chain: by hand, proper, causal, and equal to a slow calculation."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from componium.evaluation.back_off import BackOffChain
from componium.music.errors import BadInput


def lines_of(seed: int, count: int, size: int, longest: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.choice(size, p=rng.dirichlet(np.ones(size)), size=int(rng.integers(0, longest))) for _ in range(count)]


def slow(lines: list[np.ndarray], order: int, size: int, line: np.ndarray) -> np.ndarray:
    """The definition, symbol by symbol."""
    followed: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for each in lines:
        padded = [size] * order + [int(symbol) for symbol in each]
        for step in range(order, len(padded)):
            for length in range(order + 1):
                followed[tuple(padded[step - length:step])][padded[step]] += 1
    padded, found = [size] * order + [int(symbol) for symbol in line], []
    for step in range(order, len(padded)):
        chances = [1 / size] * size
        for length in range(order + 1):
            counts = followed.get(tuple(padded[step - length:step]), Counter())
            total = sum(counts.values()) + len(counts)
            if total:
                chances = [(counts[s] + len(counts) * chances[s]) / total for s in range(size)]
        found.append(chances)
    return np.array(found).reshape(-1, size)


def test_a_small_chain_by_hand():
    """Of 0 0 1: twice 0 and once 1, two kinds; after 0 once 0 and once 1; the line begins with 0."""
    chain = BackOffChain(1, 4).fit([np.array([0, 0, 1])])
    zero, one, other = (2 + 2 / 4) / 5, (1 + 2 / 4) / 5, (2 / 4) / 5
    found = chain.probabilities(np.array([0, 2, 3]))
    assert found[0] == pytest.approx([(1 + zero) / 2, one / 2, other / 2, other / 2])  # at the beginning
    assert found[1] == pytest.approx([(1 + 2 * zero) / 4, (1 + 2 * one) / 4, 2 * other / 4, 2 * other / 4])
    assert found[2] == pytest.approx([zero, one, other, other])  # nothing ever followed a 2
    assert chain.nats(np.array([0, 1])) == pytest.approx(-np.log([(1 + zero) / 2, (1 + 2 * one) / 4]))


@pytest.mark.parametrize("order", [0, 1, 2, 4, 12])
def test_it_is_the_definition_and_proper(order: int):
    train, test = lines_of(1, 12, 5), lines_of(2, 4, 5)
    chain = BackOffChain(order, 5).fit(train)
    for line in [*test, train[0], np.zeros(60, dtype=np.int64)]:
        found = chain.probabilities(line)
        assert found.shape == (len(line), 5)
        assert found == pytest.approx(slow(train, order, 5, line))
        assert found.sum(axis=1) == pytest.approx(np.ones(len(line)), abs=1e-12)
        assert (found > 0).all()
        nats, right = chain.judged(line)
        assert nats == pytest.approx(-np.log(found[np.arange(len(line)), line]))
        assert np.array_equal(right, found.argmax(axis=1) == line)


def test_all_lines_of_some_steps_have_a_probability_of_one_together():
    chain = BackOffChain(2, 3).fit(lines_of(3, 6, 3))
    lines = np.stack(np.meshgrid(*[np.arange(3)] * 4), axis=-1).reshape(-1, 4)
    assert sum(np.exp(-chain.nats(line).sum()) for line in lines) == pytest.approx(1.0, abs=1e-12)


def test_a_distribution_depends_on_what_came_before_alone():
    chain = BackOffChain(3, 4).fit(lines_of(4, 8, 4))
    line = np.array([0, 1, 2, 3, 3, 2, 1, 0])
    changed = np.concatenate([line[:5], [0, 0, 0]])
    assert np.array_equal(chain.probabilities(line)[:6], chain.probabilities(changed)[:6])
    assert not np.array_equal(chain.probabilities(line)[6:], chain.probabilities(changed)[6:])


def test_more_rows_than_are_made_at_once():
    line = lines_of(5, 1, 3, longest=2)[0]
    line = np.resize(np.append(line, [0, 1, 2, 2]), 9000)
    chain = BackOffChain(2, 3).fit([line])
    assert chain.probabilities(line)[5000:5003] == pytest.approx(slow([line], 2, 3, line[:5003])[5000:])


def test_it_learns_a_pattern_and_tells_its_accuracy():
    chain = BackOffChain(2, 3).fit([np.tile([0, 1, 2], 200)])
    assert chain.accuracy([np.tile([0, 1, 2], 5)]) == 1.0
    assert chain.accuracy([np.array([0, 1, 1]), np.array([0])]) == 0.75
    assert chain.nats(np.tile([0, 1, 2], 50))[3:].mean() < 0.02


def test_fitting_again_forgets():
    chain = BackOffChain(1, 3).fit([np.array([0, 1, 2])])
    again = chain.fit([np.array([2, 2])]).probabilities(np.array([0, 1]))
    assert np.array_equal(again, BackOffChain(1, 3).fit([np.array([2, 2])]).probabilities(np.array([0, 1])))


def test_longer_contexts_help_where_there_is_enough_to_count():
    rng = np.random.default_rng(6)
    lines = []
    for _ in range(60):
        line = [int(rng.integers(3)), int(rng.integers(3))]
        while len(line) < 60:
            line.append(sum(line[-2:]) % 3 if rng.random() < 0.9 else int(rng.integers(3)))
        lines.append(np.array(line))
    means = [np.mean([BackOffChain(order, 3).fit(lines[:50]).nats(line).mean() for line in lines[50:]])
             for order in (0, 1, 2, 6)]
    assert means[2] < min(means[0], means[1]) - 0.3
    assert means[2] < means[3] < means[1]


@pytest.mark.parametrize(("line", "told"), [
    ([0, 3], "step 1 is 3"), ([-1], "step 0 is -1"), ([[0]], "whole numbers"), ([0.5], "whole numbers")])
def test_what_is_no_line_of_symbols_is_refused(line: list, told: str):
    chain = BackOffChain(1, 3)
    with pytest.raises(BadInput, match=told):
        chain.fit([line])
    with pytest.raises(BadInput, match=told):
        chain.fit([[0, 1]]).nats(line)


def test_edges():
    with pytest.raises(BadInput, match="order"):
        BackOffChain(-1, 3)
    with pytest.raises(BadInput, match="no symbols"):
        BackOffChain(1, 3).fit([[], []])
    with pytest.raises(BadInput, match="fit first"):
        BackOffChain(1, 3).nats([0])
    chain = BackOffChain(2, 1).fit([[0]])
    assert chain.nats([0, 0]) == pytest.approx([0.0, 0.0])
    assert chain.nats([]).shape == (0,)
    with pytest.raises(BadInput, match="judge"):
        chain.accuracy([[]])
