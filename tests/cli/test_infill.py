from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from componium.music.formats import read_score, write_score
from componium.music.origin import read_origin
from componium.music.score import FERMATA, Note, Tempo, TextMeta, TimeSignature, Track, new_score
from componium.music.where import changes_outside, passages

FILLER = Path(__file__).with_name("filler.py")


@pytest.fixture
def filler(folder):
    """A model that fills in, in a folder beside the files."""
    (folder / "models").mkdir()
    shutil.copy(FILLER, folder / "models" / "filler.py")
    return "models/filler.py:Filler"


@pytest.fixture
def song(folder):
    """A piece with all that has to stay: a change of tempo and of meter, markers, loudness, notes off every grid."""
    score = new_score(tempo_bpm=90, key="E- major")
    score.tempos.append(Tempo(6.0, qpm=70.0))
    score.time_signatures.append(TimeSignature(8.0, 3, 4))
    score.markers.extend([TextMeta(3.0, FERMATA), TextMeta(9.0, "Vers 2 ä")])
    for name, program, pitch in (("Flöte", 73, 72), ("Bass", 32, 48)):
        track = Track(name, program)
        for beat in range(20):
            track.notes.append(Note(beat + 0.0625 * (beat % 3), 0.75, pitch + beat % 5, 40 + beat))
        score.tracks.append(track)
    score.tracks.append(Track("Drums", 0, True))
    score.tracks[2].notes.append(Note(8.0, 1.0, 36, 90))
    write_score(score, folder / "lied ä.mid")
    return "lied ä.mid"


@pytest.mark.parametrize("where", ["3", "1", "2-3,6", "6", "1-6"])
@pytest.mark.parametrize("ending", [".mid", ".musicxml"])
def test_everything_outside_the_bars_is_untouched(run, folder, filler, song, where, ending):
    if ending == ".musicxml":  # as that format keeps it
        write_score(read_score(folder / song), folder / "a.musicxml")
        song = "a.musicxml"
    result = run("infill", filler, song, "--where", where, "--seed", 1, "--out", "i" + ending)
    assert result.exit_code == 0, result.stderr
    before, after = read_score(folder / song), read_score(folder / ("i" + ending))
    assert changes_outside(before, after, passages(before, where)) == []
    assert changes_outside(before, after) != []


def test_it_says_what_was_composed(run, folder, filler, song):
    result = run("infill", filler, song, "--where", "2-3", "--seed", 1, "--out", "i.mid")
    assert "wrote i.mid (seed 1): bars 2-3 composed (14 notes), 27 notes outside untouched" in result.stdout
    assert "part-writing there: " in result.stdout and "listen: " in result.stdout
    assert "bar 4 composed" in run("infill", filler, song, "--where", "4", "--seed", 1, "--out", "j.mid").stdout


def test_bars_that_a_held_note_fills_have_nothing_new_and_it_is_said(run, folder, filler):
    score = new_score()
    score.tracks.append(Track("Drone"))
    score.tracks[0].notes.append(Note(0.0, 8.0, 48, 80))
    write_score(score, folder / "drone.mid")
    told = run("infill", filler, "drone.mid", "--where", "2", "--seed", 1, "--out", "i.mid").stdout
    assert "bar 2 composed (no notes: rests, or what is held into it from before), 1 note outside untouched" in told


def test_a_seed_is_a_passage_and_what_made_it_makes_it_again(run, folder, filler, song):
    for name, seed in (("a.mid", 1), ("b.mid", 2)):
        assert run("infill", filler, song, "--where", "2", "--seed", seed, "--out", name).exit_code == 0
    assert (folder / "a.mid").read_bytes() != (folder / "b.mid").read_bytes()
    origin = read_origin(folder / "a.mid")
    assert (origin.verb, origin.seed, origin.settings) == ("infill", 1, {"where": "2"})
    result = run("whence", "a.mid", "--recreate", "again.mid")
    assert result.exit_code == 0 and "identical, byte for byte" in result.stdout, result.stderr
    assert run("infill", filler, song, "--where", "2").exit_code == 0
    assert (folder / "lied ä-infilled.mid").exists()


def test_candidates_are_ranked(run, folder, filler, song):
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    result = run("infill", filler, song, "--where", "2-3", "--count", 2, "--rank", "pitch", "--out", "c")
    assert result.exit_code == 0, result.stderr
    page = (folder / "c" / "index.html").read_text(encoding="utf-8")
    assert "--where 2-3 --seed" in page and json.loads((folder / "c" / "candidates.json").read_text(
        encoding="utf-8"))["settings"]["bars"] == "2-3"


@pytest.mark.parametrize(("where", "told"), [
    ("7", "there is no bar 7: the piece has 6 bars"), ("4-3", "run backwards"), ("x", "is no bar"),
    ("", "which bars? componium infill"), ("0", "there is no bar 0"),
])
def test_bars_that_are_not_there_are_refused(run, folder, filler, song, where, told):
    there = sorted(os.listdir(folder))
    result = run("infill", filler, song, "--where", where, "--out", "i.mid")
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 1 and sorted(os.listdir(folder)) == there


@pytest.mark.parametrize(("words", "told"), [
    (["models/filler.py:Filler", "nosuch.mid"], "nosuch.mid"),
    (["models/filler.py:Mute", "lied ä.mid"], "cannot infill"),
    (["grammar", "lied ä.mid"], "cannot infill"), (["models/filler.py:Filler", "empty.mid"], "no notes"),
    (["models/filler.py:Filler", "lied ä.mid", "where=4"], "--where 4"),
    (["models/filler.py:Filler", "lied ä.mid", "--count", 2], "add --rank"),
    (["models/filler.py:Filler", "lied ä.mid", "spoil=tempo"], "changed more than bars 2, so nothing was written"),
])
def test_what_cannot_be_is_refused(run, folder, filler, song, words, told):
    write_score(new_score(), folder / "empty.mid")
    result = run("infill", *words, "--where", "2", "--out", "i.mid")
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert not (folder / "i.mid").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_told_before_the_work(run, folder, filler, song):
    (folder / "shut").mkdir(mode=0o555)
    assert "no permission" in run("infill", filler, song, "--where", "2", "--out", "shut/i.mid").stderr


# evaluate --protocol seam


def test_seams_are_measured_shown_and_written(run, folder, filler, midi):
    result = run("evaluate", filler, "--on", "midi", "--protocol", "seam", "--bars", 1, "--seed", 3, "--json", "s.json")
    assert result.exit_code == 0, result.stderr
    assert "1 bars composed anew" not in result.stdout and "1 bar composed anew in the middle" in result.stdout
    assert "at the joins" in result.stdout
    told = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    assert told["seams"]["infill"]["pieces"] == 5 and told["bars"] == 1 and told["judge"] == ""


def test_a_model_that_continues_has_one_seam(run, folder, model, midi):
    result = run("evaluate", model, "--on", "midi", "--protocol", "seam", "--bars", 2, "--count", 3)
    assert result.exit_code == 0, result.stderr
    assert "2 bars gone on with" in result.stdout and "judged by markov" in result.stdout
    assert "warning: the model learned from 3 of these 3 pieces" in result.stderr
    assert "cannot infill" in run("evaluate", "grammar", "--on", "midi", "--protocol", "seam").stderr
