"""The benchmarks themselves, on little data."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from componium import benchmarks
from componium.benchmarks import (
    composing_speed,
    ddsp_speed,
    markov_chain,
    material,
    measure,
    melody_encoding,
    melody_speed,
    memory,
    midi_read,
    soundfont_render,
    start,
    suite,
    training_loop,
)
from componium.benchmarks.dictionary_chain import DictionaryChain
from componium.music.errors import BadInput, MissingExtra
from componium.music.grid import Grid
from componium.music.score import bars, tempo_bpm
from componium.tokens.melody import KeyMelody, Lookback


@pytest.fixture
def little(monkeypatch):
    """Invented music in small amounts, so that each benchmark takes a moment."""
    monkeypatch.delenv(material.DATA_VARIABLE, raising=False)
    invented = material.invented(6, bars=4)
    monkeypatch.setattr(markov_chain, "chorales", lambda: (invented, "6 invented chorales"))
    monkeypatch.setattr(markov_chain, "PIECES", 2)
    monkeypatch.setattr(markov_chain, "BARS", 4)
    monkeypatch.setattr(composing_speed, "BARS", 1)
    monkeypatch.setattr(composing_speed, "PIECES", 4)
    monkeypatch.setattr(composing_speed, "ALONE", 2)
    monkeypatch.setattr(composing_speed, "LENGTHS", (1, 2))
    monkeypatch.setattr(composing_speed, "READ_AGAIN", (1,))
    monkeypatch.setattr(melody_encoding, "chorales", lambda: (invented, "6 invented chorales"))
    for name, value in {"BARS": 1, "PIECES": 4, "ALONE": 2, "LENGTHS": (1, 2), "REPEATS": 2}.items():
        monkeypatch.setattr(melody_speed, name, value)
    for name, value in {"SECONDS": 0.5, "LONG_SECONDS": 1.0, "BLOCKS": 4, "BATCH": 1, "CROP_SECONDS": 0.2,
                        "REPEATS": 1, "LONG_RECIPES": ("vst",)}.items():
        monkeypatch.setattr(ddsp_speed, name, value)
    monkeypatch.setattr(midi_read, "FILES", 8)
    monkeypatch.setattr(midi_read, "MUSIC21_FILES", 2)
    monkeypatch.setattr(midi_read, "BARS", 4)
    monkeypatch.setattr(soundfont_render, "BARS", 2)
    monkeypatch.setattr(start, "REPEATS", 2)
    monkeypatch.setattr(training_loop, "chorales", lambda: (invented, "6 invented chorales"))
    for name, value in {"STEPS": 2, "REPEATS": 1, "LEARNED_STEPS": 3, "BATCH": 2}.items():
        monkeypatch.setattr(training_loop, name, value)


@pytest.mark.parametrize("name", benchmarks.names())
def test_every_benchmark_gives_ratios(name, little):
    if name == "midi-read":
        pytest.importorskip("music21")
    if name.startswith(("compose", "ddsp", "melody", "respond")):
        pytest.importorskip("torch")
    if name in ("ddsp-memory", "ddsp-train") and not memory.STATUS.is_file():
        pytest.skip("peak memory is measured on Linux only")
    made = benchmarks.run([name])
    assert made
    for one in made:
        assert one.skipped == ""
        assert one.name.split("/")[0] == name
        assert one.ratio > 0
        assert one.baseline
        assert one.amount > 0


def test_reading_midi_beats_the_peers(little):
    pytest.importorskip("music21")
    pytest.importorskip("pretty_midi")
    ratios = {one.name: one.ratio for one in benchmarks.run(["midi-read"])}
    assert ratios["midi-read/music21"] > 5


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(BadInput, match="did you mean midi-read"):
        benchmarks.run(["midi-reed"])


def test_a_missing_peer_is_told_and_costs_only_itself(monkeypatch, little):
    def absent():
        raise MissingExtra("music21", "bench", "Comparing with music21")

    monkeypatch.setattr(midi_read, "_music21", absent)
    first, second = benchmarks.run(["midi-read"])
    assert first.ratio > 0
    assert "componium[bench]" in second.skipped


def test_a_benchmark_that_fails_is_told_and_the_next_one_runs(monkeypatch):
    def fails():
        raise BadInput("no data here")

    monkeypatch.setattr(markov_chain, "fit", fails)
    monkeypatch.setattr(start, "start", lambda: [benchmarks.Measurement("cli-start", "x", 1, "", 1.0, 1.0)])
    seen = []
    made = benchmarks.run(["markov-fit", "cli-start"],
                          progress=lambda done, text="": seen.append((done, text)))
    assert [one.skipped for one in made] == ["no data here", ""]
    assert seen == [(0.0, "markov-fit"), (0.5, "cli-start"), (1.0, "done")]


def test_names_are_not_repeated(monkeypatch):
    monkeypatch.setattr(start, "start", lambda: [benchmarks.Measurement("cli-start", "x", 1, "", 1.0, 1.0)])
    assert len(benchmarks.run(["cli-start", "cli-start"])) == 1


def test_a_command_that_does_not_start_is_told():
    with pytest.raises(BadInput, match="failed"):
        start._start(["-c", "raise SystemExit('broken')"])


def test_every_line_of_the_table_has_its_function():
    for name, (place, text) in suite.BENCHMARKS.items():
        module, function = place.split(":")
        assert text, name
        assert callable(getattr(__import__(f"componium.benchmarks.{module}", fromlist=[function]), function))


# The plain chain that ours is compared with has to be right, too.

def test_the_dictionary_counts_what_followed():
    chain = DictionaryChain()
    chain.fit([Grid.from_pitches([[60], [62], [60], [62], [64]])])
    assert chain.first == Counter({(60,): 1})
    assert chain.following[(62,)] == Counter({(60,): 1, (64,): 1})


def test_the_dictionary_draws_in_proportion_and_restarts_where_it_is_stuck():
    chain = DictionaryChain()
    chain.fit([Grid.from_pitches([[60], [62], [60], [62], [60], [62], [64]])])
    chords = chain.generate(4000, seed=1)
    after_62 = Counter(after for before, after in pairwise(chords) if before == (62,))
    assert after_62[(60,)] / after_62.total() == pytest.approx(2 / 3, abs=0.04)
    assert all(after == (60,) for before, after in pairwise(chords) if before == (64,))
    assert chords == chain.generate(4000, seed=1) != chain.generate(4000, seed=2)


def test_a_token_costs_the_same_wherever_it_stands(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(composing_speed, "LENGTHS", (2, 16))
    monkeypatch.setattr(measure.time, "perf_counter", time.process_time)  # other programs do not count
    assert benchmarks.run(["compose-length"])[0].ratio > 0.5


def test_a_step_of_a_melody_costs_the_same_wherever_it_stands(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(melody_speed, "LENGTHS", (4, 32))
    assert benchmarks.run(["melody-length"])[0].ratio > 0.5


def test_a_reply_is_stopped_after_its_first_beat():
    pytest.importorskip("torch")
    model, call = melody_speed._model("melody-rnn"), melody_speed.phrase()
    read, steps = model.reader, []

    def counted(grid, rows):
        reader = read(grid, rows)
        step = reader.step
        reader.step = lambda number: (steps.append(number), step(number))
        return reader

    model.reader = counted
    melody_speed.first_note(model, call)
    assert len(steps) == 4, "the four 16ths of the first beat, which begins with a note"
    assert call.note_num() > 8 and len(bars(call)) == 4 and tempo_bpm(call) == 120


def test_what_is_read_again_at_each_step_is_the_same_music():
    pytest.importorskip("torch")
    model, again = composing_speed._model(), composing_speed._rereading(composing_speed._model())
    first, second = (each.generate(bars=2, seed=3) for each in (model, again))
    assert [track.notes.numpy()["pitch"].tolist() for track in first.tracks] \
        == [track.notes.numpy()["pitch"].tolist() for track in second.tracks]


@pytest.mark.parametrize(("encoding", "plain"), [(Lookback(), melody_encoding.plain_lookback),
                                                 (KeyMelody(), melody_encoding.plain_key)])
def test_the_plain_encodings_say_the_same_as_ours(encoding, plain):
    rng = np.random.default_rng(0)
    bars = rng.choice([-2, -2, -1, 60, 62, 67, 72], size=(3, 16))
    events = bars[[0, 1, 0, 2, 1, 2, 2]].reshape(-1)  # bars come again after one bar and after two
    rows, labels = zip(*[plain(events.tolist(), step) for step in range(len(events))], strict=True)
    assert np.array_equal(rows, encoding.inputs(events))
    assert np.array_equal(labels, encoding.labels(events))
