"""Filling with a reader that hears a beginning at once, and one that knows how likely a piece ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.interface import silent  # noqa: E402
from componium.music.constraints import Constraints, Frame  # noqa: E402
from componium.nn.filling import Filling, Task, Way  # noqa: E402
from componium.nn.samplers import Sampling  # noqa: E402
from componium.tokens.automata import compiled  # noqa: E402

LOWEST, HIGHEST = 60, 64
SIZE = HIGHEST - LOWEST + 3


class Chain:
    """A reader whose chances depend on all that was written, a hash of it; it does not say what sounds."""

    device = torch.device("cpu")

    def __init__(self, rows: int) -> None:
        self.past = torch.zeros(rows, dtype=torch.int64)
        self.stepped = 0

    def step(self, step: int) -> None:
        self.stepped += 1

    def chances(self, voice: int) -> Any:
        numbers = torch.arange(SIZE) * 13 + self.past[:, None] * 7
        return torch.sin(numbers.double()).mul(2).log_softmax(-1)

    def write(self, voice: int, symbols: Any) -> None:
        self.past = (self.past * 31 + symbols + 1) % 1009

    def reorder(self, parents: Any) -> None:
        self.past = self.past[parents]


class Hearing(Chain):
    """Can be told the beginning at once."""

    def hear(self, symbols: Any) -> None:
        self.heard = symbols
        for now in symbols[:, :, 0].T:
            self.write(0, now)


class Ending(Hearing):
    """Ends where its past is even, and hardly elsewhere."""

    def ending(self) -> Any:
        return torch.where(self.past % 2 == 0, math.log(0.9), math.log(1e-9))


def task_of(seed: int, given: list[int], steps: int = 12, later: dict[int, int] | None = None) -> Task:
    fixed = np.full((steps, 1), -1)
    fixed[:len(given), 0] = given
    for step, symbol in (later or {}).items():
        fixed[step] = symbol
    automaton = compiled(Constraints(), Frame(steps, 1), lowest=LOWEST, highest=HIGHEST, fixed=fixed)
    known = np.full((steps, 1), -1)
    known[:len(given), 0] = 1  # which pitch is not asked
    return Task(automaton, seed, known)


def filled(reader: type[Chain], tasks: list[Task], way: Way) -> Any:
    made = reader(len(tasks) * way.versions)
    return Filling(tasks, made, 1, way).run(silent), made


WAYS = [Way(candidates=1), Way(candidates=6, sampling=Sampling(repetition=3.0)), Way("greedy"), Way("beam", 4)]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.method}-{way.candidates}")
@pytest.mark.parametrize("given", [[], [2], [2, 0, 3, 3, 0], [2, 0, 3, 3, 0, 1, 1, 4, 5], [2] * 12])
def test_a_beginning_that_is_heard_at_once_changes_nothing_but_the_speed(way: Way, given: list[int]) -> None:
    """The same symbols, whatever was drawn; the steps that were heard were not asked for."""
    for seed in range(4):
        (slow,), asked = filled(Chain, [task_of(seed, given)], way)
        (quick,), told = filled(Hearing, [task_of(seed, given)], way)
        assert quick.symbols.tolist() == slow.symbols.tolist()
        assert quick.symbols[:len(given), 0].tolist() == given
        assert np.allclose(quick.log_probabilities[len(given):], slow.log_probabilities[len(given):])
        assert (quick.log_probabilities[:len(given)] == 0).all()
        assert asked.stepped == 12 and told.stepped == 12 - len(given)
        assert not given or told.heard.tolist() == [[[each] for each in given]] * way.versions


@pytest.mark.parametrize("given", [[], [2, 0, 3, 3, 0], [2, 0, 3, 3, 0, 1, 1, 4, 5]])
def test_nor_which_versions_take_the_place_of_others(given: list[int]) -> None:
    """They are drawn where later steps are given, and some versions foresaw them better than others."""
    way, later, changed = Way(candidates=12), {10: 3, 11: 5, 14: 2, 15: 4, 18: 6, 19: 3}, 0
    for seed in range(6):
        found = []
        for reader in (Chain, Hearing):
            task = task_of(seed, given, 24, later)
            filling = Filling([task], reader(12), 1, way)
            found.append(filling.run(silent)[0].symbols.tolist())
            changed += any(not len(symbols) for _, symbols, _ in filling.history)
        assert found[0] == found[1]
    assert changed, "versions took the place of others"


def test_a_piece_does_not_depend_on_those_beside_it() -> None:
    """Also where one is given a longer beginning than the other: the shorter is heard at once in both."""
    tasks = [task_of(3, [2, 0, 3, 3, 0]), task_of(4, [4, 1])]
    for way in WAYS:
        together, _ = filled(Hearing, tasks, way)
        for task, wanted in zip(tasks, together, strict=True):
            (alone,), _ = filled(Hearing, [task], way)
            assert alone.symbols.tolist() == wanted.symbols.tolist()


def test_how_likely_a_version_ends_decides_between_alike() -> None:
    """Of versions that are about as likely the one is taken that ends there."""
    way = Way(candidates=8)
    ends = []
    for reader in (Hearing, Ending):
        pasts = []
        for seed in range(20):
            (done,), _ = filled(reader, [task_of(seed, [2, 0])], way)
            past = 0
            for symbol in done.symbols[:, 0].tolist():
                past = (past * 31 + symbol + 1) % 1009
            pasts.append(past % 2 == 0)
        ends.append(np.mean(pasts))
    assert ends[1] == 1 and ends[0] < 0.9


def test_the_score_of_a_version_is_that_of_its_symbols_and_its_end() -> None:
    reader, way = Ending(5), Way(candidates=5)
    filling = Filling([task_of(1, [])], reader, 1, way)
    (done,) = filling.run(silent)
    best = int(filling.score[0].argmax())
    end = float(reader.ending()[best])
    assert float(filling.score[0, best]) == pytest.approx(done.log_probabilities.sum() + end)
    greedy = Filling([task_of(1, [])], Ending(1), 1, Way("greedy"))
    assert float(greedy.run(silent)[0].log_probabilities.sum()) == pytest.approx(float(greedy.score[0, 0]))
