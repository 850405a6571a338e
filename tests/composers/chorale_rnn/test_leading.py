"""Parallels: found as a slow search finds them, and not written unless they are asked for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from componium.music.grid import Grid, to_grid
from componium.music.item import Item
from componium.music.score import Score

torch = pytest.importorskip("torch")

from componium.composers.chorale_rnn import filling  # noqa: E402
from componium.composers.chorale_rnn.leading import parallels  # noqa: E402

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


def test_versions_that_meet_what_follows_without_parallels_are_preferred(
        wild: Any, chorales: list[Item], monkeypatch: pytest.MonkeyPatch):
    def at_the_seams() -> int:
        found = 0
        for number in range(5):
            score = chorales[number].content
            composed = wild.infill(score, where="1", seed=number, temperature=2.0, candidates=16)
            pitches = to_grid(composed).pitches[15:17]
            found += count(Grid(pitches, np.zeros(pitches.shape, bool)))
        return found

    with_them = at_the_seams()
    monkeypatch.setattr(filling, "FAULT_NATS", 0.0)
    assert with_them < at_the_seams()


def test_given_voices_may_have_them(wild: Any, tune: Score):
    score = tune.copy()
    score.tracks.append(tune.tracks[0].copy())
    score.tracks[1].shift_pitch(-24, inplace=True)
    composed = wild.harmonize(score, given="soprano,bass", seed=1, candidates=2)
    grid = to_grid(composed)
    assert count(grid) == count(grid, {0, 3}) > 10
