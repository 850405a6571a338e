from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from componium.music.formats import read_score, write_score
from componium.music.item import hash_of_score
from componium.music.origin import read_origin
from componium.music.score import Note, Track, new_score

FILLER = Path(__file__).with_name("filler.py")


@pytest.fixture
def filler(folder):
    """A model that fills in, in a folder beside the files."""
    (folder / "models").mkdir()
    shutil.copy(FILLER, folder / "models" / "filler.py")
    return "models/filler.py:Filler"


def written(path, *names, beats=8, drums=False):
    score = new_score(tempo_bpm=72)
    for number, name in enumerate(names):
        track = Track(name)
        for beat in range(beats):
            track.notes.append(Note(float(beat), 1.0, 72 - 7 * number + beat % 3, 60 + beat))
        score.tracks.append(track)
    if drums:
        score.tracks.append(Track("Drums", 0, True))
        score.tracks[-1].notes.append(Note(0.0, 1.0, 36, 90))
    write_score(score, path)
    return path.name


def notes(track):
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


def test_a_melody_is_kept_to_the_note_and_three_voices_are_added(run, folder, filler):
    name = written(folder / "lied ä.mid", "Melody")
    result = run("harmonize", filler, name, "--seed", 1, "--out", "h.mid")
    assert result.exit_code == 0, result.stderr
    assert "wrote h.mid (seed 1): soprano kept (8 notes), alto, tenor and bass composed" in result.stdout
    assert "part-writing: " in result.stdout and "listen: componium perform h.mid" in result.stdout
    before, after = read_score(folder / name), read_score(folder / "h.mid")
    assert notes(after.tracks[0]) == notes(before.tracks[0]) and len(after.tracks) == 4
    assert after.tempos[0].qpm == before.tempos[0].qpm


def test_any_voices_may_be_given(run, folder, filler):
    name = written(folder / "two.musicxml", "Soprano", "Bass")
    told = run("harmonize", filler, name, "--seed", 1, "--out", "h.musicxml").stdout
    assert "soprano kept (8 notes) and bass kept (8 notes), alto and tenor composed" in told and "listen" not in told
    name = written(folder / "low.mid", "Line")
    assert "bass kept (8 notes)" in run("harmonize", filler, name, "given=bass", "--out", "b.mid").stdout


def test_the_default_name_and_the_seed_that_was_taken(run, folder, filler):
    written(folder / "a.mid", "Melody")
    seed = run("harmonize", filler, "a.mid").stdout.partition("(seed ")[2].partition(")")[0]
    assert run("harmonize", filler, "a.mid", "--seed", seed, "--out", "b.mid").exit_code == 0
    assert (folder / "b.mid").read_bytes() != b"" and notes(read_score(folder / "a-harmonised.mid").tracks[3]) == \
        notes(read_score(folder / "b.mid").tracks[3])


def test_what_made_it_is_known_and_makes_it_again(run, folder, filler):
    written(folder / "a.mid", "Melody")
    run("harmonize", filler, "a.mid", "method=greedy", "--temperature", 0.5, "--seed", 4, "--out", "h.mid")
    origin = read_origin(folder / "h.mid")
    assert (origin.verb, origin.seed, origin.settings) == (
        "harmonize", 4, {"temperature": 0.5, "words": {"method": "greedy"}})
    assert [given.role for given in origin.given] == ["model", "score"]
    result = run("whence", "h.mid", "--recreate", "again.mid")
    assert result.exit_code == 0 and "identical, byte for byte" in result.stdout, result.stderr


def test_a_model_file_in_the_current_folder_makes_it_again_too(run, folder, filler):
    shutil.copy(FILLER, folder / "filler.py")
    written(folder / "a.mid", "Melody")
    run("harmonize", "./filler.py:Filler", "a.mid", "--seed", 4, "--out", "h.mid")
    result = run("whence", "h.mid", "--recreate", "again.mid")
    assert result.exit_code == 0 and "identical" in result.stdout, result.stderr


@pytest.mark.parametrize("name", ["h.png", "h.svg", "h.abc"])
def test_the_ending_is_the_format(run, folder, filler, name):
    written(folder / "a.mid", "Melody")
    assert run("harmonize", filler, "a.mid", "--seed", 1, "--out", name).exit_code == 0
    assert (folder / name).stat().st_size > 100


def test_candidates_are_ranked(run, folder, filler):
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    written(folder / "a.mid", "Melody")
    result = run("harmonize", filler, "a.mid", "--count", 3, "--rank", "harmony", "--seed", 1, "--out", "c")
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "c" / "candidates.json").read_text(encoding="utf-8"))
    assert told["verb"] == "harmonize" and len(told["candidates"]) == 3
    best = told["candidates"][0]
    assert best["name"] == f"a-harmonised-seed{best['seed']}"
    assert run("harmonize", filler, "a.mid", "--seed", best["seed"], "--out", "one.mid").exit_code == 0
    assert hash_of_score(read_score(folder / "one.mid")) == best["hash"]
    assert f"componium harmonize {filler} a.mid --seed {best['seed']}" in (folder / "c" / "index.html").read_text(
        encoding="utf-8")


@pytest.mark.parametrize(("words", "told"), [
    (["nosuch.mid"], "nosuch.mid"), (["a.mid", "method=greedy", "methd=x"], "did you mean method?"),
    (["a.mid", "where=3"], "--where 3"), (["a.mid", "--count", 3], "add --rank harmony"),
    (["a.mid", "--out", "h.xyz"], ".musicxml"), (["a.mid", "--out", "a.mid"], "is there already"),
    (["empty.mid"], "no notes to harmonise"), (["drums.mid"], "only drums"), (["broken.mid"], "broken.mid"),
    (["a.mid", "--on", "tunes"], "--rank"), (["a.mid", "extra"], "'extra' is more than"),
])
def test_what_cannot_be_is_refused_in_one_line(run, folder, filler, words, told):
    written(folder / "a.mid", "Melody")
    written(folder / "empty.mid")
    written(folder / "drums.mid", drums=True)
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    there = sorted(os.listdir(folder))
    result = run("harmonize", filler, *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 1 and sorted(os.listdir(folder)) == there


@pytest.mark.parametrize(("model", "told"), [
    ("models/filler.py:Mute", "cannot harmonize"), ("grammar", "cannot harmonize"), ("nosuch", "nosuch"),
    ("models/filler.py:Idle", "added nothing"), ("markov", "train"),
])
def test_models_that_cannot_are_refused(run, folder, filler, model, told):
    written(folder / "a.mid", "Melody")
    result = run("harmonize", model, "a.mid", "--out", "h.mid")
    assert result.exit_code == 1 and told in result.stderr and not (folder / "h.mid").exists(), result.stderr


def test_a_model_that_changes_what_is_given_writes_nothing(run, folder, filler):
    written(folder / "a.mid", "Melody")
    result = run("harmonize", filler, "a.mid", "spoil=yes", "--out", "h.mid")
    assert result.exit_code == 1 and "changed 1 note of a.mid that were to stay" in result.stderr
    assert not (folder / "h.mid").exists()


def test_all_voices_given_leave_nothing_to_add(run, folder, filler):
    written(folder / "full.mid", "Soprano", "Alto", "Tenor", "Bass")
    result = run("harmonize", filler, "full.mid", "--out", "h.mid")
    assert "added nothing; leave out the voices that it is to compose" in result.stderr
    assert not (folder / "h.mid").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_told_before_the_work(run, folder, filler):
    (folder / "shut").mkdir(mode=0o555)
    written(folder / "a.mid", "Melody")
    assert "no permission" in run("harmonize", filler, "a.mid", "--out", "shut/h.mid").stderr


# evaluate --protocol harmonising


def test_harmonising_is_measured_shown_and_written(run, folder, filler, midi):
    result = run("evaluate", filler, "--on", "midi", "--protocol", "harmonising", "method=greedy", "--count", 2,
                 "--json", "e.json", "--out", "heard")
    assert result.exit_code == 0, result.stderr
    assert "filled in" in result.stdout and "parallel fifths, per 100 moves" in result.stdout
    told = json.loads((folder / "e.json").read_text(encoding="utf-8"))
    assert told["pieces"] == 2 and told["arguments"] == {"method": "greedy"} and set(told["parts"]) >= {"S", "ATB"}
    assert json.loads((folder / "heard" / "harmonising.json").read_text(encoding="utf-8")) == told
    assert len(list((folder / "heard").glob("*.mid"))) == 2 * 7
    assert len(list((folder / "heard").glob("*-ATB.mid"))) == 2
    origin = read_origin(next((folder / "heard").glob("*-ATB.mid")))
    assert origin.made == "generated" and origin.models[0].name == "filler"
    assert "--force" in run("evaluate", filler, "--on", "midi", "--protocol", "harmonising", "--out", "heard").stderr


@pytest.mark.parametrize(("words", "told"), [
    (["grammar", "--on", "midi"], "cannot harmonise"), (["midi", "--on", "midi"], "is music and not a model"),
    (["models/filler.py:Filler", "--on", "midi", "--count", 0], "--count 0 leaves no piece"),
    (["models/filler.py:Filler", "--on", "midi", "--training", "midi"], "--training"),
    (["models/filler.py:Filler", "--on", "midi", "--bars", 4], "--bars"),
    (["models/filler.py:Filler", "--on", "midi", "mthod=x"], "did you mean method?"),
    (["models/filler.py:Filler", "--on", "one.mid"], "no piece could be filled in"),
])
def test_what_cannot_be_measured_is_refused(run, folder, filler, midi, words, told):
    written(folder / "one.mid", "Melody")
    result = run("evaluate", *words, "--protocol", "harmonising")
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert "auto, jsb16, native, harmonising, seam" in run("evaluate", "x", "--on", "midi", "--protocol", "y").stderr
    assert "seam" not in run("compare", "a", "b", "--on", "midi", "--protocol", "seam", "--out", "x").stderr.rpartition(
        "are:")[2]
