"""Parallels: found as a slow search finds them, and not written unless they are asked for."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from componium.interface import silent
from componium.music.grid import Grid, to_grid
from componium.music.item import Item
from componium.music.score import Score

torch = pytest.importorskip("torch")

from componium.composers.chorale_rnn.leading import parallels  # noqa: E402
from componium.music.constraints import Constraints, Frame  # noqa: E402
from componium.nn.filling import Filling, Task, Way  # noqa: E402
from componium.tokens.automata import compiled  # noqa: E402
from componium.tokens.grid import FIRST_PITCH, HOLD, GridTokens  # noqa: E402

PITCHES = 30
REST, NOTHING, UNKNOWN = PITCHES, PITCHES + 1, -1


def are_parallel(before: tuple[int, int], now: tuple[int, int]) -> bool:
    """Tell whether two voices, each going from a pitch to another one, keep a fifth, an octave or a unison."""
    if any(not 0 <= pitch < PITCHES + 200 for pitch in (*before, *now)) or before[0] == now[0] or before[1] == now[1]:
        return False
    first, second = (abs(a - b) % 12 for a, b in (before, now))
    return first == second and first in (0, 7)


@pytest.mark.parametrize("voice", range(4))
def test_parallels_are_those_of_a_slow_search(voice: int):
    rng = np.random.default_rng(voice)
    near = rng.integers(4, 26, (300, 4))
    before = np.where(rng.random((300, 4)) < 0.1, rng.choice([REST, NOTHING], (300, 4)), near)
    now = np.clip(before + rng.integers(-3, 4, (300, 4)), 0, PITCHES - 1)
    now = np.where(rng.random((300, 4)) < 0.15, rng.choice([REST, UNKNOWN], (300, 4)), now)
    found = parallels(voice, torch.from_numpy(before), torch.from_numpy(now), PITCHES)
    assert found.shape == (300, PITCHES + 2) and not found[:, :2].any()
    wanted = np.zeros((300, PITCHES), bool)
    for row, pitch, other in itertools.product(range(300), range(PITCHES), range(4)):
        was, goes = before[row, other], now[row, other]
        if other != voice and 0 <= goes < PITCHES and was < PITCHES and before[row, voice] < PITCHES:
            wanted[row, pitch] |= are_parallel((was, before[row, voice]), (goes, pitch))
    assert (found[:, 2:].numpy() == wanted).all()
    assert wanted.any(axis=1).sum() > 20


def count(grid: Grid, new: set[int] | None = None) -> int:
    """Count the parallels of a grid that a voice of ``new`` (all where not given) takes part in."""
    found = 0
    for before, now in itertools.pairwise(grid.pitches.astype(int).tolist()):
        for upper, lower in itertools.combinations(range(grid.voice_count), 2):
            if new is None or new & {upper, lower}:
                found += are_parallel((before[upper], before[lower]), (now[upper], now[lower]))
    return found


@pytest.fixture(scope="module")
def wild(network: Any, chorales: list[Item]) -> Any:
    """A network that has not learned: it writes anything."""
    return network(chorales)


def test_new_pieces_have_none(wild: Any):
    asked = {"count": 6, "bars": 4, "temperature": 3.0, "top_p": 1.0}
    assert sum(count(to_grid(score)) for score in wild.generate_many(parallels=True, **asked)) > 20
    assert sum(count(to_grid(score)) for score in wild.generate_many(**asked)) == 0


@pytest.mark.parametrize("given", ["soprano", "alto", "tenor", "bass"])
@pytest.mark.parametrize("method", ["sample", "beam"])
def test_none_are_written_beside_a_given_voice(wild: Any, tune: Score, given: str, method: str):
    low = tune.copy()
    low.tracks[0].shift_pitch({"soprano": 0, "alto": -5, "tenor": -12, "bass": -19}[given], inplace=True)
    composed = wild.harmonize(low, given=given, seed=1, temperature=3.0, top_p=1.0, candidates=3, method=method)
    named = composed.copy()
    for track, name in zip(named.tracks, ("Soprano", "Alto", "Tenor", "Bass"), strict=True):
        track.name = name
    assert count(to_grid(named)) == 0


class Undecided:
    """A reader that finds everything equally likely."""

    joined, device = False, torch.device("cpu")

    def __init__(self, rows: int, voices: int, size: int) -> None:
        self.now = torch.full((rows, voices), size)
        self.before, self.size = self.now, size

    def step(self, step: int) -> None:
        self.before, self.now = self.now, self.now.clone()

    def chances(self, voice: int) -> torch.Tensor:
        return torch.full((len(self.now), self.size), -math.log(self.size))

    def write(self, voice: int, symbols: torch.Tensor) -> None:
        self.now[:, voice] = torch.where(symbols == HOLD, self.before[:, voice], symbols - FIRST_PITCH)

    def reorder(self, parents: torch.Tensor) -> None:
        self.before, self.now = self.before[parents], self.now[parents]


@pytest.mark.parametrize("method", ["sample", "beam"])
def test_versions_that_meet_what_follows_without_parallels_are_preferred(method: str):
    """Of G over C and A over C only the second can go on to the given A over D without parallel fifths."""
    tokens = GridTokens(2)
    fixed = np.array([[-1, -1], [tokens.symbol_of(69), tokens.symbol_of(62)]])
    possible = np.zeros((2, 2, tokens.size), bool)
    possible[0, 0, [tokens.symbol_of(67), tokens.symbol_of(69)]] = True
    possible[0, 1, tokens.symbol_of(60)] = True
    automaton = compiled(Constraints(), Frame(2, 2), lowest=36, highest=81, fixed=fixed, possible=possible)
    known = np.array([[-1, -1], [69 - 36, 62 - 36]])
    tasks = [Task(automaton, seed, known) for seed in range(20)]

    def beginnings(leading: Any) -> list[int]:
        way = Way(method, 8, leading)
        done = Filling(tasks, Undecided(len(tasks) * way.versions, 2, tokens.size), 2, way).run(silent)
        return [tokens.pitch_of(int(piece.symbols[0, 0])) for piece in done]

    assert set(beginnings(parallels)) == {69}
    assert 67 in beginnings(None)


def test_given_voices_may_have_them(wild: Any, tune: Score):
    score = tune.copy()
    score.tracks.append(tune.tracks[0].copy())
    score.tracks[1].shift_pitch(-24, inplace=True)
    composed = wild.harmonize(score, given="soprano,bass", seed=1, candidates=2)
    grid = to_grid(composed)
    assert count(grid) == count(grid, {0, 3}) > 10
