"""What the networks say step by step is what they say of the whole, and nothing of it comes from the future."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from componium.composers.melody import lines
from componium.music.grid import Grid
from componium.music.item import Item
from componium.tokens.grid import REST

torch = pytest.importorskip("torch")

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("lstm", {}), "lstm of two layers": ("lstm", {"layers": 2}), "plain lstm": ("lstm", {"plain": True}),
    "fine lstm": ("lstm", {"steps_per_beat": 12}), "transformer": ("transformer", {}),
    "plain transformer": ("transformer", {"plain": True}), "basic": ("rnn", {"configuration": "basic"}),
    "mono": ("rnn", {"configuration": "mono"}), "lookback": ("rnn", {"configuration": "lookback"}),
    "attention": ("rnn", {}), "attention of one layer": ("rnn", {"layers": 1}),
}
METERS = {"4/4": (4, 4, 0.0), "3/4 with a pickup": (3, 4, 1.0), "6/8": (6, 8, 0.0), "5/8 with a pickup": (5, 8, 0.5)}


@pytest.fixture(scope="module")
def shapes(network: Any, melodies: list[Item]) -> dict[str, Any]:
    return {name: network(kind, melodies, **settings) for name, (kind, settings) in SHAPES.items()}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest, shapes: dict[str, Any]) -> Any:
    return shapes[request.param]


def symbols_of(model: Any, grid: Grid) -> np.ndarray:
    return model.tokens.encode(grid)[:, 0].astype(np.int64)


def whole(model: Any, grids: list[Grid]) -> np.ndarray:
    """Return the nats of every step of several grids of one length: [rows, steps]."""
    with torch.inference_mode():
        nats, _, _ = model.nats(model.together([lines.prepared_line(grid, model.tokens) for grid in grids]))
    return nats[:, :len(grids[0])].double().numpy()


def told(reader: Any, symbols: np.ndarray) -> np.ndarray:
    """Return the nats that a reader tells of symbols [rows, steps]."""
    found = []
    with torch.inference_mode():
        for step, now in enumerate(symbols.T):
            reader.step(step)
            found.append(-reader.chances(0).double().gather(-1, torch.from_numpy(now.copy())[:, None])[:, 0].numpy())
            reader.write(0, torch.from_numpy(now.copy()))
    return np.stack(found, 1)


@pytest.mark.parametrize("meter", METERS)
def test_step_by_step_is_the_same_as_whole(shape: Any, random_grid: Any, meter: str) -> None:
    numerator, denominator, pickup_beats = METERS[meter]
    spb = shape.tokens.steps_per_beat
    grids = [random_grid(seed, 70, steps_per_beat=spb, numerator=numerator, denominator=denominator,
                         pickup_steps=round(pickup_beats * spb)) for seed in range(3)]
    symbols = np.stack([symbols_of(shape, grid) for grid in grids])
    wanted = whole(shape, grids)
    assert wanted.std() > 0.01
    assert np.allclose(told(shape.reader(grids[0], 3), symbols), wanted, atol=2e-5)


def test_a_row_goes_on_from_what_its_parent_has_heard(shape: Any, random_grid: Any) -> None:
    grids = [random_grid(seed, 60, steps_per_beat=shape.tokens.steps_per_beat) for seed in range(3)]
    symbols, parents = np.stack([symbols_of(shape, grid) for grid in grids]), [2, 2, 0]
    reader = shape.reader(grids[0], 3)
    told(reader, symbols[:, :40])
    reader.reorder(torch.tensor(parents))
    joined = np.concatenate([symbols[parents, :40], symbols[:, 40:]], 1)
    joined[joined[:, 40] == 0, 40] = REST  # nothing is held over the seam
    silent = np.logical_and.accumulate(joined[:, 40:] <= REST, axis=1) & (joined[:, 40:41] == REST)
    joined[:, 40:][silent] = REST
    after = told(reader, joined[:, 40:])
    grids = [shape.tokens.decode(row[:, None], like=grid) for row, grid in zip(joined, grids, strict=True)]
    assert np.allclose(after, whole(shape, grids)[:, 40:], atol=2e-5)


@pytest.mark.parametrize("heard", [0, 1, 37])
def test_heard_at_once_is_the_same_as_step_by_step(shape: Any, random_grid: Any, heard: int) -> None:
    grids = [random_grid(seed, 60, steps_per_beat=shape.tokens.steps_per_beat) for seed in range(2)]
    symbols = np.stack([symbols_of(shape, grid) for grid in grids])
    reader = shape.reader(grids[0], 2)
    with torch.inference_mode():
        reader.hear(torch.from_numpy(symbols[:, :heard, None]))
    assert np.allclose(told(reader, symbols[:, heard:]), whole(shape, grids)[:, heard:], atol=2e-5)


@pytest.mark.parametrize("read", [0, 7])
def test_hearing_goes_on_from_what_was_heard_and_read_before(shape: Any, random_grid: Any, read: int) -> None:
    """A call is heard, and then the beginning of its answer that is given: nothing of the call is forgotten."""
    grids = [random_grid(seed, 60, steps_per_beat=shape.tokens.steps_per_beat) for seed in range(2)]
    symbols = np.stack([symbols_of(shape, grid) for grid in grids])
    reader = shape.reader(grids[0], 2)
    if read:
        told(reader, symbols[:, :read])
    with torch.inference_mode():
        for start, stop in ((read, 20), (20, 20), (20, 37)):
            reader.hear(torch.from_numpy(symbols[:, start:stop, None]))
    assert np.allclose(told(reader, symbols[:, 37:]), whole(shape, grids)[:, 37:], atol=2e-5)


@pytest.mark.parametrize("changed", [0, 1, 20, 47, 59])
def test_nothing_comes_from_the_future(shape: Any, random_grid: Any, changed: int) -> None:
    grid = random_grid(5, 60, steps_per_beat=shape.tokens.steps_per_beat)
    pitches, held = grid.pitches.copy(), grid.held.copy()
    pitches[changed] = 62 if pitches[changed] != 62 or held[changed] else 64
    held[changed:changed + 2] = False
    other = Grid(pitches, held, grid.steps_per_beat)
    assert (symbols_of(shape, other) != symbols_of(shape, grid)).any()
    nats = whole(shape, [grid, other])
    assert np.allclose(nats[0, :changed], nats[1, :changed], atol=1e-7)
    assert abs(nats[0, changed:] - nats[1, changed:]).max() > 1e-4
    longer = random_grid(5, 60, steps_per_beat=shape.tokens.steps_per_beat)
    assert np.allclose(whole(shape, [longer])[0, :30], whole(shape, [Grid(
        grid.pitches[:30], grid.held[:30], grid.steps_per_beat)])[0], atol=1e-6), "the length is not told"


@pytest.mark.parametrize("place", [0, 9])
def test_all_ways_to_go_on_sum_to_one_when_judged(shape: Any, random_grid: Any, place: int) -> None:
    """A network that sees what it is to foresee would find each of them likely."""
    symbols = symbols_of(shape, random_grid(5, 12, steps_per_beat=shape.tokens.steps_per_beat))
    silent = place == 0 or symbols[place - 1] == REST
    grids = []
    for symbol in range(1 if silent else 0, shape.tokens.size):
        row = symbols.copy()
        row[place], row[place + 1:] = symbol, REST
        grids.append(shape.tokens.decode(row[:, None]))
    knows_ends = hasattr(shape.reader(grids[0], 1), "ending")
    ends = shape.endings(grids[0])[place - 1] if place and knows_ends else 0.0
    total = np.exp(-whole(shape, grids)[:, place]).sum() + ends
    assert total == pytest.approx(1, abs=1e-5 if place or not knows_ends else 0.2)


def test_probabilities_sum_to_one(shape: Any, random_grid: Any) -> None:
    grid = random_grid(3, 40, steps_per_beat=shape.tokens.steps_per_beat)
    reader = shape.reader(grid, 1)
    with torch.inference_mode():
        for step, symbol in enumerate(symbols_of(shape, grid).tolist()):
            ends = float(reader.ending().exp()) if hasattr(reader, "ending") else 0.0
            reader.step(step)
            assert float(reader.chances(0).double().exp().sum()) + ends == pytest.approx(1, abs=1e-5)
            reader.write(0, torch.tensor([symbol]))


def test_nothing_is_held_over_silence(shape: Any, random_grid: Any) -> None:
    reader = shape.reader(random_grid(0, 8, steps_per_beat=shape.tokens.steps_per_beat), 1)
    with torch.inference_mode():
        for step in range(3):
            reader.step(step)
            assert float(reader.chances(0)[0, 0].exp()) < 1e-20
            reader.write(0, torch.tensor([REST]))


@pytest.mark.parametrize("name", ["lstm", "plain lstm", "transformer"])
def test_how_likely_an_end_is_told_beforehand_and_afterwards_alike(shapes: Any, random_grid: Any, name: str) -> None:
    model, grid = shapes[name], random_grid(4, 24)
    endings, reader = model.endings(grid), model.reader(grid, 1)
    assert endings.shape == (24,) and ((endings > 0) & (endings < 1)).all()
    with torch.inference_mode():
        for step, symbol in enumerate(symbols_of(model, grid).tolist()):
            reader.step(step)
            reader.write(0, torch.tensor([symbol]))
            assert float(reader.ending().exp()) == pytest.approx(endings[step], abs=1e-5)


def test_a_grid_finer_than_16ths_is_told_its_beats_and_bars(network: Any, melodies: list[Item]) -> None:
    fine = network("lstm", melodies, steps_per_beat=12)
    told_of = fine.example(fine.prepare(melodies[0]), None)
    place = told_of["place"]
    assert place[:, 0].tolist()[:13] == [*range(12), 0]
    assert place[:49, 1].tolist() == [0] * 12 + [1] * 12 + [2] * 12 + [3] * 12 + [0]
    assert (told_of["source"][:48, 0] == fine.pitches + 1).all(), "a bar has 48 steps, so none lies a bar back"
    assert (told_of["source"][48:60, 0] == told_of["source"][48, 0]).all()


def test_examples_are_crops_of_one_length(model: Any, melodies: list[Item]) -> None:
    prepared = model.prepare(melodies[0])
    all_of_it = model.example(prepared, None)
    for seed in range(40):
        example = model.example(prepared, np.random.default_rng(seed))
        assert {len(values) for values in example.values()} == {64}
        target = example["target"]
        part = target[target >= 0].tolist()
        whole_line = all_of_it["target"].tolist()
        places = [k for k in range(len(whole_line)) if whole_line[k:k + len(part)] == part]
        assert places and len(part) >= 32


def test_transposing_moves_all_that_is_a_pitch(network: Any, melodies: list[Item]) -> None:
    from componium.composers.melody.hearing import prepared_melody, transposed
    from componium.tokens.melody_listener import Meter

    symbols = np.array([1, 20, 0, 22, 1, 20, 0, 22, 24, 0] * 4, np.int16)
    higher = np.where(symbols > 1, symbols + 3, symbols).astype(np.int16)
    moved = transposed(prepared_melody(symbols, Meter(3, 8), 49), 3, 49)
    for name, values in prepared_melody(higher, Meter(3, 8), 49).items():
        assert np.array_equal(values, moved[name]), name
