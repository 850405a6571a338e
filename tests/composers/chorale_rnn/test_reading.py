"""Reading while writing gives what reading at once gives, and judging is the product of conditional chances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from componium.music.grid import REST, Grid, from_grid
from componium.music.item import Item

torch = pytest.importorskip("torch")

from componium.composers.chorale_rnn import composing  # noqa: E402
from componium.composers.chorale_rnn.reading import BachBotReader, GridReader  # noqa: E402
from componium.tokens.bachbot import FRAME  # noqa: E402

FIELDS: dict[str, Any] = {"numerator": 3, "denominator": 4, "pickup_steps": 4, "fermatas": (9, 22)}


@pytest.fixture(scope="module", params=[True, False], ids=["ties", "no ties"])
def drawn(request: pytest.FixtureRequest, network: Any, chorales: list[Item], untied_items: list[Item]) -> Any:
    """A network that has not learned, whose chances are all different; of a corpus with ties, or without."""
    return network(chorales if request.param else untied_items)


def read(model: Any, before: list[Grid], after: list[Grid], parents: list[int], at: int) -> np.ndarray:
    """Return the log-probability of every cell [rows, steps, voices] of grids ``after``, read step by step.

    Until the step ``at`` the rows read ``before``; then each goes on as a copy of its parent.
    """
    marks = np.stack([composing.marks_of(model, grid) for grid in after])
    reader = composing.reader_of(model, marks, np.zeros(marks.shape[:2], bool))
    old, new = (torch.from_numpy(np.stack([model.tokens.encode(grid) for grid in grids]).astype(np.int64))
                for grids in (before, after))
    told = torch.zeros(old.shape, dtype=torch.float64)
    with torch.inference_mode():
        for step in range(old.shape[1]):
            if step == at:
                reader.reorder(torch.tensor(parents))
                told = told[parents]
            reader.step(step)
            symbols = old if step < at else new
            for voice in range(old.shape[2]):
                chances = reader.chances(voice)
                assert torch.allclose(chances.exp().sum(-1), torch.ones(len(chances)), atol=1e-5)
                told[:, step, voice] = chances.gather(-1, symbols[:, step, voice, None])[:, 0].double()
                reader.write(voice, symbols[:, step, voice])
    return told.numpy()


def judged(model: Any, grid: Grid) -> np.ndarray:
    return -model.log_likelihood(grid).nats.reshape(grid.pitches.shape)


def grids_for(model: Any, random_grid: Callable[..., Grid], count: int, steps: int = 28) -> list[Grid]:
    fields = FIELDS | {"fermatas": tuple(step for step in FIELDS["fermatas"] if step < steps)}
    grids = [random_grid(seed, steps, **fields) for seed in range(count)]
    return grids if model.learned.ties else [Grid.from_pitches(grid.pitches) for grid in grids]


def test_step_by_step_is_all_at_once(drawn: Any, random_grid: Callable[..., Grid]):
    grids = grids_for(drawn, random_grid, 3)
    for grid, told in zip(grids, read(drawn, grids, grids, [0, 1, 2], 5), strict=True):
        assert np.allclose(told, judged(drawn, grid), atol=2e-5)


def test_rows_go_on_as_copies_of_others(drawn: Any, random_grid: Callable[..., Grid]):
    grids = grids_for(drawn, random_grid, 3)
    parents, at = [2, 0, 0], 12
    mixed = []
    for row, parent in enumerate(parents):
        pitches = np.concatenate([grids[parent].pitches[:at], grids[row].pitches[at:]])
        held = np.concatenate([grids[parent].held[:at], grids[row].held[at:]])
        held[1:] &= (pitches[1:] == pitches[:-1])
        mixed.append(Grid(pitches, held, **FIELDS) if drawn.learned.ties else Grid.from_pitches(pitches))
    told = read(drawn, grids, mixed, parents, at)
    for row in range(3):
        assert np.allclose(told[row], judged(drawn, mixed[row]), atol=2e-5)


def slow_chances(model: Any, grid: Grid, marks: np.ndarray, step: int, voice: int) -> dict[int | str, float]:
    """Return the chance of each pitch's onset, of "hold" and of "rest", calculated from the prefix of a cell alone."""
    low, count = model.config.lowest, model.config.highest - model.config.lowest + 1
    untied = not model.learned.ties
    before, age, now, struck = (np.zeros((step + 1, 4), np.int64) for _ in range(4))
    for t in range(step + 1):
        for v in range(4):
            if t == 0:
                before[t, v] = count + 1
            else:
                pitch = grid.pitches[t - 1, v]
                before[t, v] = count if pitch == REST else pitch - low
                begun = t - 1  # where what sounded in the step before had begun
                while begun > 0 and (grid.held[begun, v] or (pitch == REST and grid.pitches[begun - 1, v] == REST)):
                    begun -= 1
                age[t, v] = t - 1 - begun
            if t < step or v < voice:
                now[t, v] = count if grid.pitches[t, v] == REST else grid.pitches[t, v] - low
                struck[t, v] = grid.pitches[t, v] != REST and not grid.held[t, v]
    arrays = [torch.from_numpy(a)[None] for a in (before, age, marks[:step + 1], now, struck)]
    logits = model.network(*arrays)[0, step, voice].double().numpy()
    silent = step == 0 or grid.pitches[step - 1, voice] == REST
    odds = np.exp(logits - logits.max())
    odds[0] = 0.0 if silent else odds[0]
    odds /= odds.sum()
    chances: dict[int | str, float] = {low + k: odds[2 + k] for k in range(count)} | {"hold": odds[0], "rest": odds[1]}
    if untied and not silent:
        pitch = int(grid.pitches[step - 1, voice])
        chances["hold"] += chances[pitch]
        chances[pitch] = 0.0
    return chances


def test_judging_is_what_a_slow_calculation_gives(drawn: Any, random_grid: Callable[..., Grid]):
    grid = grids_for(drawn, random_grid, 1, steps=10)[0]
    marks, found = composing.marks_of(drawn, grid), judged(drawn, grid)
    with torch.inference_mode():
        for step in range(10):
            for voice in range(4):
                chances = slow_chances(drawn, grid, marks, step, voice)
                pitch = int(grid.pitches[step, voice])
                told = "hold" if grid.held[step, voice] else "rest" if pitch == REST else pitch
                assert found[step, voice] == pytest.approx(np.log(chances[told]), abs=2e-5)


def test_the_chances_of_the_benchmark_are_of_47_sounds_and_sum_to_one(drawn: Any, random_grid: Callable[..., Grid]):
    grid = Grid.from_pitches(random_grid(5, 8).pitches)
    for step, voice in ((0, 0), (4, 1), (7, 2)):
        others = []
        for sound in (REST, *range(36, 82)):
            pitches = grid.pitches.copy()
            pitches[step, voice] = sound
            others.append(Grid.from_pitches(pitches))
        nats = [found.nats.reshape(8, 4)[step, voice] for found in drawn.log_likelihood_many(others)]
        assert len(nats) == 47
        assert np.exp(-np.array(nats)).sum() == pytest.approx(1.0, abs=1e-4)


def test_every_cell_is_judged_once_from_the_first(drawn: Any, random_grid: Callable[..., Grid]):
    grid = grids_for(drawn, random_grid, 1)[0]
    found = drawn.log_likelihood(grid)
    assert found.nats.shape == (28 * 4,) and (found.nats > 0).all()
    assert sorted(zip(found.step.tolist(), found.voice.tolist(), strict=True)) == \
        [(step, voice) for step in range(28) for voice in range(4)]
    sounding = grid.pitches.astype(int)
    onset = found.onset.reshape(28, 4)
    assert onset[0].all()
    assert (onset[1:] == ((sounding[1:] != sounding[:-1]) | ((sounding[1:] >= 0) & ~grid.held[1:]))).all()


def test_pieces_are_judged_alike_alone_and_together(drawn: Any, random_grid: Callable[..., Grid]):
    grids = [grid for steps in (9, 30, 4, 17) for grid in grids_for(drawn, random_grid, 1, max(steps, 23))]
    grids += [random_grid(9, steps) for steps in (1, 5, 70)]
    together = drawn.log_likelihood_many(grids)
    for grid, found in zip(grids, together, strict=True):
        assert np.allclose(found.nats, drawn.log_likelihood(grid).nats, atol=1e-5)
    assert drawn.log_likelihood_many([]) == []


def test_a_model_without_ties_judges_scores_by_pitch_alone(untied_model: Any, random_grid: Callable[..., Grid]):
    grid = random_grid(4, 24, numerator=3)
    assert grid.ties_known
    found = untied_model.log_likelihood(from_grid(grid)).nats
    assert np.allclose(found, untied_model.log_likelihood(Grid.from_pitches(grid.pitches)).nats, atol=1e-6)
    assert found.max() < 100


# BachBot's encoding

@pytest.fixture(scope="module")
def drawn_bach(network: Any, chorales: list[Item]) -> Any:
    return network(chorales, encoding="bachbot", layers=2)


def expected(model: Any, grid: Grid) -> Iterator[tuple[int, Any]]:
    """Yield each token and the log-probabilities that the whole sequence, read at once, gives it."""
    tokens = torch.from_numpy(model.words.encode(grid).astype(np.int64))
    with torch.inference_mode():
        logits, _ = model.network(tokens[None, :-1])
    yield from zip(tokens[1:].tolist(), logits[0].log_softmax(-1), strict=True)


def test_bachbots_sequence_is_read_token_by_token(drawn_bach: Any, random_grid: Callable[..., Grid]):
    grids = [random_grid(seed, 12, rests=False, fermatas=()) for seed in (1, 2)]
    reader = BachBotReader(drawn_bach.network, np.zeros((2, 12), bool), 46, 4)
    sequences = [list(expected(drawn_bach, grid)) for grid in grids]
    symbols = torch.from_numpy(np.stack([drawn_bach.tokens.encode(grid) for grid in grids]).astype(np.int64))
    place, parents = 0, [1, 1]
    with torch.inference_mode():
        for step in range(12):
            if step == 7:
                reader.reorder(torch.tensor(parents))
                sequences, symbols = [sequences[1]] * 2, symbols[parents]
            reader.step(step)
            for voice in range(4):
                for row in range(2):
                    token, wanted = sequences[row][place]
                    assert token != FRAME
                    assert torch.allclose(reader.logits[row].log_softmax(-1), wanted, atol=2e-5)
                reader.write(voice, symbols[:, step, voice])
                place += 1
            for row in range(2):
                assert torch.allclose(reader.logits[row].log_softmax(-1), sequences[row][place][1], atol=2e-5)
            place += 1  # the end of the frame


def test_bachbots_fermatas_are_read_in_the_rows_that_have_them(drawn_bach: Any, random_grid: Callable[..., Grid]):
    plain = random_grid(1, 3, rests=False)
    held = np.zeros((3, 4), bool)
    plain = Grid(plain.pitches[[0, 1, 2]], held, 1)
    marked = replace(plain, fermatas=(1,))
    words = drawn_bach.words.__class__(4, 36, 81, 1)
    tokens = [torch.from_numpy(words.encode(grid).astype(np.int64)) for grid in (plain, marked)]
    reader = BachBotReader(drawn_bach.network, np.array([[False] * 3, [False, True, False]]), 46, 4)
    symbols = torch.from_numpy(drawn_bach.tokens.__class__(4, 36, 81, 1).encode(plain).astype(np.int64))
    with torch.inference_mode():
        for step in range(3):
            reader.step(step)
            for voice in range(4):
                reader.write(voice, symbols[step, voice].expand(2))
        for row, sequence in enumerate(tokens):
            logits, _ = drawn_bach.network(sequence[None, :-2])
            assert torch.allclose(reader.logits[row], logits[0, -1], atol=2e-5)


def test_bachbot_judges_the_sequence_in_c(drawn_bach: Any, chorales: list[Item]):
    score = chorales[1].content
    found = drawn_bach.log_likelihood(score)
    moved = drawn_bach.prepare(chorales[1])["tokens"].astype(np.int64)
    with torch.inference_mode():
        logits, _ = drawn_bach.network(torch.from_numpy(moved)[None, :-1])
    wanted = -logits[0].double().log_softmax(-1).gather(-1, torch.from_numpy(moved)[1:, None])[:, 0]
    assert np.allclose(found.nats, wanted.numpy(), atol=1e-4)
    assert len(found.nats) == len(moved) - 1


def test_a_reader_keeps_nothing_that_grows(drawn: Any, drawn_bach: Any, random_grid: Callable[..., Grid]):
    for model in (drawn, drawn_bach):
        marks = np.repeat(composing.marks_of(model, random_grid(0, 60))[None], 2, 0)
        reader = composing.reader_of(model, marks, np.zeros((2, 60), bool))
        assert isinstance(reader, GridReader | BachBotReader)
        sizes = []
        with torch.inference_mode():
            for step in range(60):
                reader.step(step)
                for voice in range(4):
                    reader.chances(voice)
                    reader.write(voice, torch.full((2,), 30 - 5 * voice))
                held = [value for value in vars(reader).values() if isinstance(value, torch.Tensor)]
                held += [part for layer in reader.state or [] for part in layer]
                sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in held))
        assert sizes[5] == sizes[59]
