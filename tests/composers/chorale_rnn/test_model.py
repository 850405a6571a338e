"""Settings, learning, and what is kept of it; other numbers of voices and finer grids."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium import checkpoint
from componium.music.audio import silence
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid, to_grid
from componium.music.item import Item
from componium.music.score import Score, bars, length_beats

torch = pytest.importorskip("torch")

from componium.composers.chorale_rnn.corpus import Learned  # noqa: E402


def item_of(score: Any, number: int = 0) -> Item:
    return Item(f"piece {number}", "score", score, source="made for the tests", licence="CC0-1.0", hash=str(number))


@pytest.mark.parametrize(("settings", "words"), [
    ({"voices": 0}, "voices=0: voices has to be between 1 and 8"), ({"voices": 9}, "voices=9"),
    ({"steps_per_beat": 0}, "steps_per_beat=0"), ({"steps_per_beat": 49}, "steps_per_beat=49"),
    ({"hidden": 4}, "hidden=4"), ({"layers": 0}, "layers=0"), ({"head": 1}, "head=1"),
    ({"context_steps": 4}, "context_steps=4"), ({"dropout": 1.0}, "dropout=1.0"),
    ({"dropout": math.nan}, "dropout=nan"),
    ({"untold": 1.5}, "untold=1.5"), ({"encoding": "midi"}, "encoding=midi: the encoding is grid or bachbot"),
    ({"lowest": 70, "highest": 60}, "lowest=70, highest=60"), ({"lowest": 60, "highest": 66}, "an octave wide"),
    ({"lowest": -1}, "lowest=-1, highest=81: give MIDI pitches"), ({"highest": 128}, "highest=128")])
def test_settings_that_make_no_network_are_told(grid_model: Any, settings: dict[str, Any], words: str):
    with pytest.raises(BadInput, match=words):
        type(grid_model)(replace(grid_model.config, **settings))


# learning

def test_pieces_that_cannot_be_learned_are_told(grid_model: Any, tune: Score, line: Any):
    with pytest.raises(BadInput, match="it has 1 of the 4 voices; train with voices=1"):
        grid_model.prepare(item_of(tune))
    short = from_grid(Grid(np.array([[72, 67, 64, 48]]), np.zeros((1, 4), bool)))
    with pytest.raises(BadInput, match="shorter than a quarter note"):
        grid_model.prepare(item_of(short))
    with pytest.raises(BadInput, match="a recording, not a score"):
        grid_model.prepare(replace(item_of(tune), kind="audio", content=silence(1.0)))
    with pytest.raises(BadInput, match="no notes"):
        grid_model.prepare(item_of(line(())))
    high = from_grid(Grid(np.full((8, 4), 90), np.arange(8)[:, None] * np.ones(4) > 0))
    with pytest.raises(BadInput, match=r"F#6 \(90\) is outside"):
        grid_model.prepare(item_of(high))
    with pytest.raises(BadInput, match="no piece to learn from"):
        type(grid_model)().measure([])


def test_what_is_learned_of_a_corpus(grid_model: Any, untied_model: Any, chorales: list[Item]):
    learned = grid_model.learned
    every = np.concatenate([to_grid(item.content).pitches for item in chorales])
    assert learned.ranges.tolist() == np.stack([every.min(axis=0), every.max(axis=0)], axis=1).tolist()
    assert learned.meters == {(4, 4): 5} and learned.meter == (4, 4) and learned.ties and not learned.rests
    assert learned.fermatas == {(4, 4, 2): 10} and learned.last == {(4, 4, 2): 5}
    assert not untied_model.learned.ties and not untied_model.learned.meters and untied_model.learned.meter == (4, 4)
    assert untied_model.learned.fermata_beat((4, 4), at_end=True) is None
    again = Learned.from_json(learned.to_json(), 4)
    assert again.to_json() == learned.to_json() and (again.ranges == learned.ranges).all()


def test_learning_makes_the_corpus_likelier(network: Any, chorales: list[Item], grid_model: Any, bach_model: Any):
    for taught in (grid_model, bach_model):
        fresh = network(chorales, encoding=taught.config.encoding)
        before, after = ([model.log_likelihood(item.content).nats.mean() for item in chorales]
                         for model in (fresh, taught))
        assert np.mean(after) < 0.6 * np.mean(before)


def test_the_loss_is_the_mean_of_its_examples_and_of_the_judged_nats(model: Any, chorales: list[Item]):
    prepared = [model.prepare(item) for item in chorales[:2]]
    examples = [model.example(each, None) for each in prepared]
    shortest = min(len(each["target"]) for each in examples)
    examples = [{name: value[:shortest] if value.ndim else value for name, value in each.items()} for each in examples]
    batch = {name: torch.from_numpy(np.stack([each[name] for each in examples])) for name in examples[0]}
    with torch.no_grad():
        whole, _ = model.loss(batch, turn="all", step=0)
        parts = [float(model.loss({name: value[k:k + 1] for name, value in batch.items()}, turn="all", step=0)[0])
                 for k in range(2)]
        assert float(whole) == pytest.approx(np.mean(parts), abs=1e-6)
        full = {name: torch.from_numpy(value[None]) for name, value in model.example(prepared[0], None).items()}
        judged = model.log_likelihood(chorales[0].content).nats.mean()
        assert float(model.loss(full, turn="all", step=0)[0]) == pytest.approx(judged, abs=1e-5)


def test_cells_beyond_the_end_do_not_count(grid_model: Any, chorales: list[Item]):
    example = grid_model.example(grid_model.prepare(chorales[0]), None)
    long = {name: np.concatenate([value, np.full((40, *value.shape[1:]), -1 if name == "target" else 0)])
            if value.ndim else value for name, value in example.items()}
    with torch.no_grad():
        losses = [grid_model.loss({name: torch.from_numpy(value[None]) for name, value in each.items()}, turn="all",
                                  step=0) for each in (example, long)]
    assert float(losses[0][0]) == pytest.approx(float(losses[1][0]), abs=1e-6)
    assert set(losses[0][1]) == {"soprano", "alto", "tenor", "bass"}
    for name, value in losses[0][1].items():
        assert float(value) == pytest.approx(float(losses[1][1][name]), abs=1e-6)


# state

def same_music(one: Any, other: Any, tune: Score) -> bool:
    return to_grid(one.generate(bars=2, seed=4)) == to_grid(other.generate(bars=2, seed=4)) and \
        to_grid(one.harmonize(tune, seed=2, candidates=2)) == to_grid(other.harmonize(tune, seed=2, candidates=2))


@pytest.mark.parametrize("half", [False, True])
def test_what_is_saved_is_loaded(network: Any, model: Any, chorales: list[Item], tune: Score, tmp_path: Path,
                                 half: bool):
    kept = type(model)(model.config)
    kept.load_state(*model.state())
    if half:
        kept.halve()
    checkpoint.save(kept, tmp_path / "one")
    loaded = checkpoint.load(tmp_path / "one")
    assert same_music(kept, loaded, tune)
    assert loaded.half == half and loaded.learned.to_json() == model.learned.to_json()
    arrays, told = kept.state()
    assert {a.dtype for a in arrays.values() if a.dtype.kind == "f"} == {np.dtype(np.float16 if half else np.float32)}
    again, told_again = loaded.state()
    assert told == told_again and all((arrays[name] == again[name]).all() for name in arrays)
    if half:
        nats = [each.log_likelihood(chorales[0].content).nats.mean() for each in (model, kept)]
        assert nats[0] == pytest.approx(nats[1], rel=0.02)


def test_state_that_does_not_fit_is_refused(grid_model: Any, bach_model: Any):
    arrays, told = grid_model.state()
    fresh = type(grid_model)(grid_model.config)
    for wrong in (bach_model.state()[0], {name: arrays[name] for name in list(arrays)[1:]},
                  arrays | {"more": np.zeros(3, np.float32)}):
        with pytest.raises(BadInput, match="weights do not belong to these settings"):
            fresh.load_state(wrong, told)
    for damaged in ({}, {"learned": 3, "half": False}, told | {"learned": told["learned"] | {"ranges": "x"}},
                    told | {"learned": told["learned"] | {"meters": [[1]]}}):
        with pytest.raises(BadInput, match="damaged"):
            fresh.load_state(arrays, damaged)
    with pytest.raises(BadInput, match="ranges do not belong"):
        fresh.load_state(arrays, told | {"learned": told["learned"] | {"ranges": [[60, 70]]}})
    assert not fresh.trained
    fresh.load_state({}, {})
    assert fresh.state() == ({}, {})


def test_weights_are_drawn_by_the_seed_alone(grid_model: Any):
    def weights(seed: int) -> list[float]:
        fresh = type(grid_model)(grid_model.config)
        fresh.initialise(seed)
        return torch.cat([value.flatten() for value in fresh.network.parameters()]).tolist()

    torch.manual_seed(9)
    state = torch.get_rng_state()
    assert weights(3) == weights(3) != weights(4)
    assert (torch.get_rng_state() == state).all()


# other shapes

def shape_of(random_grid: Any, voices: int, spb: int, encoding: str) -> list[Item]:
    return [item_of(from_grid(random_grid(seed, 8 * spb, voices, rests=False, steps_per_beat=spb)), seed)
            for seed in range(3)]


@pytest.mark.parametrize("encoding", ["grid", "bachbot"])
@pytest.mark.parametrize(("voices", "spb"), [(1, 4), (3, 4), (5, 2), (2, 12), (1, 24)])
def test_other_numbers_of_voices_and_steps(network: Any, random_grid: Any, notes_of: Any, encoding: str, voices: int,
                                           spb: int):
    items = shape_of(random_grid, voices, spb, encoding)
    model = network(items, 1, encoding=encoding, voices=voices, steps_per_beat=spb, lowest=31)
    piece = model.generate(bars=2, seed=1, meter="2/4")
    assert bars(piece)[-1].index == 2 and len(piece.tracks) == voices
    grid = to_grid(piece, steps_per_beat=spb, voice_count=voices)
    assert (grid.pitches != REST).all()
    longer = model.continue_(piece, bars=1, seed=1)
    assert not notes_of(piece) - notes_of(longer) and length_beats(longer) == pytest.approx(6, abs=1e-4)
    changed = model.infill(piece, where="2", seed=1, candidates=2)
    assert {note for note in notes_of(piece) if note[0] < 2} == {note for note in notes_of(changed) if note[0] < 2}
    assert len(model.log_likelihood(piece).nats) >= len(grid)
    given = piece.copy()
    given.tracks = type(given.tracks)(list(given.tracks)[:1])
    if voices == 1:
        with pytest.raises(BadInput, match="all voices are there already"):
            model.harmonize(given)
    else:
        composed = model.harmonize(given, seed=1, candidates=2)
        assert not notes_of(given) - notes_of(composed) and len(composed.tracks) == voices


def test_melodies_are_learned_and_gone_on_from(network: Any, melodies: list[Item]):
    model = network(melodies, 20, voices=1)
    piece = model.generate(bars=4, seed=1)
    assert len(piece.tracks) == 1 and length_beats(piece) == 16
    assert model.loss({name: torch.from_numpy(np.stack([value])) for name, value in
                       model.example(model.prepare(melodies[0]), None).items()}, turn="all", step=0)[1].keys() \
        == {"voice 1"}


def test_triplets_on_a_grid_that_holds_them(network: Any, random_grid: Any, line: Any, notes_of: Any):
    model = network(shape_of(random_grid, 2, 12, "grid"), 1, voices=2, steps_per_beat=12)
    triplets = line((62, 64, 66, 67, 66, 64), beats=1 / 3)
    composed = model.harmonize(triplets, seed=1, candidates=2)
    assert not notes_of(triplets) - notes_of(composed) and len(composed.tracks) == 2


def test_without_marks_nothing_is_told_of_bars(network: Any, chorales: list[Item]):
    model = network(chorales, 2, marks=False)
    assert length_beats(model.generate(bars=2, seed=1)) == 8
    three, four = (model.log_likelihood(replace(to_grid(chorales[0].content), numerator=n, fermatas=())).nats
                   for n in (3, 4))
    assert np.allclose(three, four)
