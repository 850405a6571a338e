"""What melody models learn from, know and keep: preparing, ranges, likelihood, state, and settings that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium import checkpoint
from componium.composers.melody import MelodyLSTM, MelodyLSTMConfig, MelodyTransformer, MelodyTransformerConfig
from componium.composers.melody.learned import Learned
from componium.music.audio import Audio
from componium.music.errors import BadInput
from componium.music.grid import to_grid
from componium.music.item import Item
from componium.music.score import Note, Score, new_score

torch = pytest.importorskip("torch")

TUNE = (67, 69, 71, 72, 74, 72, 71, 69, 67, 67, 66, 67, 69, 71, 69, 67)


def item_of(score: Any) -> Item:
    return Item("tune", "score", score, hash="0")


# what is heard

@pytest.mark.parametrize(("key", "pitches", "first"), [
    ("G major", (67, 69, 71, 67), 0), ("F# minor", (66, 68, 69, 66), 9), ("C major", (60, 62, 64, 60), 0),
    ("Bb major", (70, 72, 74, 70), 0), ("E minor", (64, 66, 67, 64), 9)])
def test_melodies_are_heard_in_c_major_or_a_minor(model: Any, line: Any, key: str, pitches: Any, first: int) -> None:
    score = line(pitches, key=key)
    found = model.hear(score)
    assert found.grid.pitches[0, 0] % 12 == first
    assert (found.grid.pitches[::4, 0] - found.moved).tolist() == list(pitches)
    assert abs((int(found.grid.pitches.max()) + int(found.grid.pitches.min())) / 2
               - (model.tokens.lowest + model.tokens.highest) / 2) <= 6


def test_a_key_signature_that_is_wrong_is_not_believed(model: Any, line: Any) -> None:
    score = line((60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60, 60), key="F# major")
    assert model.hear(score).moved % 12 == 0


def test_what_leaves_the_range_is_folded_by_octaves(model: Any, line: Any) -> None:
    wide = model.hear(line((24, 60, 108, 60), key="C major"))
    pitches = wide.grid.pitches[::4, 0]
    assert (pitches % 12 == 0).all()
    assert (pitches >= model.tokens.lowest).all() and (pitches <= model.tokens.highest).all()


def test_of_a_score_of_voices_the_melody_is_learned(model: Any, chorales: list[Item]) -> None:
    alone = chorales[0].content.copy()
    alone.tracks = type(alone.tracks)([alone.tracks[0]])
    whole = model.prepare(chorales[0])
    for name, values in model.prepare(item_of(alone)).items():
        assert np.array_equal(values, whole[name]), name


@pytest.mark.parametrize(("content", "words"), [
    (Audio(np.zeros(100, np.float32), 8000), "it is a recording, not a score"),
    (new_score(), "the score has no notes"), ("short", "shorter than two quarter notes"),
    ("triplets", "begin beside the grid"), ("odd meter", "a bar of 3/32 does not fit")])
def test_what_cannot_be_learned_is_told(model: Any, line: Any, content: Any, words: str) -> None:
    made = {"short": lambda: line((60,)), "triplets": lambda: line(TUNE, beats=1 / 3),
            "odd meter": lambda: line(TUNE, numerator=3, denominator=32)}
    with pytest.raises(BadInput, match=words):
        model.prepare(item_of(made[content]() if isinstance(content, str) else content))


def test_ornaments_beside_the_grid_are_learned_all_the_same(model: Any, line: Any) -> None:
    score = line(TUNE)
    score.tracks[0].notes[4].time = 4.4
    assert len(model.prepare(item_of(score))["symbols"]) == 64
    with pytest.raises(BadInput, match="begin beside the grid"):
        model.hear(score)  # which would have to be kept to the note


def test_what_is_learned_is_judged_with_its_ornaments(model: Any, line: Any) -> None:
    """The very steps that are learned; not where more of the notes lie beside the grid than learning allows."""
    score, plain = line(TUNE), line(TUNE)
    score.tracks[0].notes[4].time, plain.tracks[0].notes[4].time = 4.4, 4.5
    assert np.array_equal(model.prepare(item_of(score))["symbols"], model.prepare(item_of(plain))["symbols"])
    assert np.array_equal(model.log_likelihood(score).nats, model.log_likelihood(plain).nats)
    score.tracks[0].notes[8].time = 8.4
    for judge in (model.log_likelihood, lambda each: model.prepare(item_of(each))):
        with pytest.raises(BadInput, match="2 of 16 notes begin beside the grid"):
            judge(score)


def test_lengths_choose_melodies(network: Any, melodies: list[Item], line: Any) -> None:
    model = network("lstm", [item_of(line(TUNE))], lengths=(1.0, 2.0))
    model.prepare(item_of(line(TUNE[:8], beats=2.0)))
    with pytest.raises(BadInput, match=r"it has a note of 0\.5 quarter notes, which is none of lengths=1,2"):
        model.prepare(item_of(line(TUNE, beats=0.5)))
    resting = line((60, 62, 64))
    resting.tracks[0].notes.append(Note(3.5, 1.0, 60, 80))
    with pytest.raises(BadInput, match=r"it has a rest of 0\.5 quarter notes"):
        model.prepare(item_of(resting))


def test_what_composing_knows_of_the_corpus(network: Any, line: Any) -> None:
    corpus = [item_of(line((60, 64, 67, 72), numerator=3)), item_of(line((60, 0, 64, 62), numerator=3)),
              item_of(line((60, 62, 64, 65)))]
    learned = network("rnn", corpus).learned
    assert learned.meters == {(3, 4): 2, (4, 4): 1} and learned.meter == (3, 4) and learned.rests
    again = Learned.from_json(json.loads(json.dumps(learned.to_json())))
    assert again.meters == learned.meters and again.rests and (again.ranges == learned.ranges).all()
    assert not network("rnn", corpus[2:]).learned.rests
    assert Learned.nothing().meter == (4, 4)
    for damaged in ({}, {"range": [1], "meters": [], "rests": True}, {"range": [1, 2], "meters": [[1, 2]], "rests": 1}):
        with pytest.raises(BadInput, match="what it knows of its corpus is damaged"):
            Learned.from_json(damaged)
    with pytest.raises(BadInput, match="no melody to learn from"):
        network("rnn", [])


def test_written_notes_lie_in_the_range_that_was_learned(model: Any) -> None:
    low, high = model.learned.ranges[0]
    for piece in model.generate_many(count=3, bars=2, temperature=5.0, top_p=1.0, key="C", candidates=1):
        grid = to_grid(piece, voice_count=1)
        assert (grid.pitches >= low).all() and (grid.pitches <= high).all(), "and there are no rests, as none were"


# likelihood

def test_judging_takes_grids_of_one_line(model: Any, tune: Score) -> None:
    grid = to_grid(tune, voice_count=1)
    assert np.allclose(model.log_likelihood(grid).nats, model.log_likelihood(tune).nats)
    with pytest.raises(BadInput, match="the grid has 4 voices"):
        model.log_likelihood(to_grid(tune))


def test_onsets_are_told(model: Any, line: Any) -> None:
    told = model.log_likelihood(line((60, 0, 0, 62, 62)))
    assert np.flatnonzero(told.onset).tolist() == [0, 4, 12, 16]
    assert told.step.tolist() == list(range(20)) and (told.voice == 0).all()
    assert told.tokenisation == "melody grid, 4 steps a beat, one line" and told.nats.dtype == np.float64


def test_learning_makes_what_was_heard_likelier(network: Any, melodies: list[Item]) -> None:
    for kind in ("lstm", "transformer", "rnn"):
        before, after = network(kind, melodies), network(kind, melodies, 25)
        nats = [model.log_likelihood(melodies[0].content) for model in (before, after)]
        assert nats[1].nats.mean() < 0.5 * nats[0].nats.mean()
        assert nats[1].right.mean() > nats[0].right.mean()


def test_loss_is_the_mean_over_examples_of_the_nats_a_step(model: Any, melodies: list[Item], line: Any) -> None:
    prepared = [model.prepare(melodies[0]), model.prepare(item_of(line(TUNE[:4])))]
    with torch.inference_mode():
        loss, parts = model.loss(model.together(prepared), turn="all", step=0)
        alone = [model.loss(model.together([each]), turn="all", step=0)[0] for each in prepared]
    assert float(loss) == pytest.approx(float(sum(alone)) / 2, abs=1e-6)
    assert 0 <= float(parts["accuracy"]) <= 1


# state

@pytest.mark.parametrize("halved", [False, True])
def test_state_comes_back(network: Any, melodies: list[Item], tmp_path: Path, halved: bool) -> None:
    for kind in ("lstm", "transformer", "rnn"):
        model = network(kind, melodies)
        if halved:
            model.halve()
        checkpoint.save(model, tmp_path / kind)
        again = checkpoint.load(tmp_path / kind)
        wanted, told = model.state()
        found, told_again = again.state()
        assert told_again == told and told["half"] is halved and found.keys() == wanted.keys()
        assert all(np.array_equal(found[name], values) and found[name].dtype == values.dtype
                   for name, values in wanted.items())
        assert {values.dtype.itemsize for values in found.values() if values.dtype.kind == "f"} == {2 if halved else 4}
        piece = model.generate(bars=2, seed=1, candidates=1)
        assert to_grid(again.generate(bars=2, seed=1, candidates=1)) == to_grid(piece)
        assert np.array_equal(again.log_likelihood(melodies[0].content).nats,
                              model.log_likelihood(melodies[0].content).nats)


def test_state_of_other_settings_is_told(network: Any, melodies: list[Item]) -> None:
    arrays, told = network("lstm", melodies).state()
    other = MelodyLSTM(MelodyLSTMConfig(hidden=24))
    with pytest.raises(BadInput, match=r"its weights do not belong to these settings \("):
        other.load_state(arrays, told)
    assert not other.trained and other.state() == ({}, {})
    other.load_state({}, {})
    with pytest.raises(BadInput, match="has to be trained first: componium train melody-lstm"):
        other.generate(bars=1)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: MelodyLSTM(MelodyLSTMConfig(steps_per_beat=0)), "steps_per_beat=0"),
    (lambda: MelodyLSTM(MelodyLSTMConfig(hidden=2)), "hidden=2: hidden has to be between 8 and 4096"),
    (lambda: MelodyLSTM(MelodyLSTMConfig(dropout=-0.1)), "dropout=-0.1"),
    (lambda: MelodyLSTM(MelodyLSTMConfig(lowest=60, highest=65)), "the range has to be an octave wide"),
    (lambda: MelodyTransformer(MelodyTransformerConfig(width=100, heads=3)), "a multiple of twice the heads"),
    (lambda: MelodyTransformer(MelodyTransformerConfig(heads=0)), "heads=0"),
])
def test_settings_that_make_no_network_are_told(make: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make()


def test_weights_are_a_function_of_the_seed(model: Any, network: Any, melodies: list[Item]) -> None:
    kind = model.name.removeprefix("melody-")
    one, other = network(kind, melodies), network(kind, melodies)
    state = torch.random.get_rng_state()
    other.initialise(2)
    assert torch.equal(state, torch.random.get_rng_state()), "global randomness is left alone"
    names = one.network.state_dict().keys()
    assert any(not torch.equal(one.network.state_dict()[name], other.network.state_dict()[name]) for name in names)
    other.initialise(1)
    assert all(torch.equal(one.network.state_dict()[name], other.network.state_dict()[name]) for name in names)
    assert not other.trained
