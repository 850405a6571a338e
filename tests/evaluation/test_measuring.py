"""Measuring sets: the same in one process and in several; references are kept, and measured anew when they change."""

from __future__ import annotations

import math

import numpy as np
import pytest

from componium.evaluation import measuring, reference
from componium.evaluation.measuring import MODULES, described, measure_one, measure_set
from componium.evaluation.reference import content_digest, measured_reference, open_scores
from componium.music.errors import BadInput, Cancelled
from componium.music.item import Item
from componium.music.score import Note, Tempo, Track, new_score


def tunes(count):
    rng = np.random.default_rng(1)
    made = []
    for _ in range(count):
        score = new_score()
        track = Track("Melody", 0, False)
        for place in range(12):
            track.notes.append(Note(float(place), 1.0, int(rng.integers(55, 80)), 80))
        score.tracks.append(track)
        made.append(score)
    return made


def test_a_name_is_a_measure_of_one_module_only():
    names = [measure.name for measure, _ in described(MODULES)]
    assert len(names) == len(set(names))


def test_every_module_keeps_the_shape():
    for name in MODULES:
        module = measuring.module_of(name)
        assert module.__doc__ and callable(module.validate) and callable(module.evaluate)
        with pytest.raises(BadInput):
            module.validate(new_score())
    with pytest.raises(BadInput, match="there is no module"):
        measuring.module_of("os")


def test_a_module_that_does_not_apply_is_nan():
    told = measure_one(tunes(1)[0])
    assert math.isnan(told["parallel_fifths"]) and told["pitch_range"] > 0
    assert set(told) == {measure.name for measure, _ in described(MODULES)}
    assert all(math.isnan(value) for value in measure_one(new_score()).values())


def test_several_processes_measure_the_same_in_the_same_order():
    scores, seen = tunes(13), []
    alone = measure_set(scores, ["pitch", "rhythm"], workers=1)
    shared = measure_set(scores, ["pitch", "rhythm"], workers=2, progress=lambda done, _: seen.append(done))
    for name, column in alone.items():
        assert np.array_equal(column, shared[name], equal_nan=True), name
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_it_can_be_stopped_and_leaves_no_process(monkeypatch):
    children = []
    start = measuring.subprocess.Popen
    monkeypatch.setattr(measuring.subprocess, "Popen", lambda *a, **k: children.append(start(*a, **k)) or children[-1])

    def stop(_done, _text=""):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        measure_set(tunes(14), ["pitch"], workers=2, progress=stop)
    assert len(children) == 2 and all(child.poll() is not None for child in children)


def test_where_a_process_fails_its_pieces_are_measured_here(monkeypatch):
    monkeypatch.setattr(measuring, "_START", "raise SystemExit(3)")
    scores = tunes(13)
    assert np.isfinite(measure_set(scores, ["pitch"], workers=2)["pitch_range"]).all()


def test_a_reference_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path))
    calls = []
    real = reference.measure_set
    monkeypatch.setattr(reference, "measure_set", lambda *a, **k: calls.append(1) or real(*a, **k))
    scores = tunes(13)
    first = measured_reference(scores, modules=["pitch"])
    assert len(calls) == 2
    again = measured_reference(scores[::-1], modules=["pitch"])
    assert len(calls) == 2, "the same pieces in another order are kept already"
    for name, column in first.values.items():
        assert np.array_equal(column, again.values[name][::-1], equal_nan=True)
        assert np.array_equal(first.disordered[name], again.disordered[name][::-1], equal_nan=True)
    scores[3].tempos[0] = Tempo(0.0, qpm=77.0)
    measured_reference(scores, modules=["pitch"])
    assert len(calls) == 4
    monkeypatch.setattr(reference, "programs_version", lambda: "another")
    measured_reference(scores, modules=["pitch"])
    assert len(calls) == 6


def test_what_decides_the_content_of_a_score():
    first, second = tunes(2)
    assert content_digest(first) == content_digest(first.copy()) != content_digest(second)
    slower = first.copy()
    slower.tempos[0] = Tempo(0.0, qpm=50.0)
    assert content_digest(slower) != content_digest(first)


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "file"))
    assert len(measured_reference(tunes(12), modules=["pitch"]).values["pitch_range"]) == 12


def test_opening_scores_items_and_files(midi_folder):
    assert open_scores(tunes(2))[0] == "2 scores"
    named = [Item("a", "score", tunes(1)[0]), Item("silent", "score", new_score())]
    assert [item.name for item in open_scores(named)[1]] == ["a"]
    _, items, skipped = open_scores(midi_folder)
    assert len(items) == 2 and len(skipped) == 1


@pytest.fixture
def midi_folder(tmp_path):
    from componium.music.formats import write_score

    for number, score in enumerate(tunes(2)):
        write_score(score, tmp_path / f"tune {number} é.mid")
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    return tmp_path


@pytest.mark.parametrize("data", [[new_score()], [Item("silent", "score", new_score())]])
def test_nothing_to_measure_is_refused(data):
    with pytest.raises(BadInput, match="no scores with notes"):
        open_scores(data)
