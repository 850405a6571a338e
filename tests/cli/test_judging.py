"""`componium evaluate` and `componium compare`: what they write and refuse, and that they tell what is unfair."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from componium.cli import judging
from componium.cli.judging import comparison_page
from componium.evaluation.distance import Distance
from componium.evaluation.measure import Measure
from componium.music.formats import write_score
from componium.music.origin import read_origin
from componium.music.score import Note, Tempo, Track, new_score, tempo_bpm, transpose
from componium.music.theory import key_of

SMALL = ("--count", 3, "--bars", 4)


@pytest.fixture
def other(folder, chorales):
    """Another model, trained on the same pieces."""
    from componium import checkpoint
    from componium.registry import create
    from componium.training.fit import train

    return checkpoint.save(train(create("markov", order=1), chorales), folder / "other.markov")


def test_a_model_is_measured_and_everything_is_written(run, folder, model, midi):
    result = run("evaluate", model, "--on", "midi", *SMALL, "--training", "midi", "--out", "judged")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (folder / "judged").iterdir()) == [
        "evaluation.html", "evaluation.json", "evaluation.png"]
    told = json.loads((folder / "judged" / "evaluation.json").read_text())
    assert told["protocol"] == "jsb16" and told["pieces"] == 5
    music = told["music"]
    assert music["pieces"] == 3 and music["reference_pieces"] == 5 and music["bars"] == 4
    assert set(music["measures"]) == {"pitch", "rhythm", "harmony", "structure", "originality"}
    assert f"{music['measures']['pitch']['pitch_entropy']['distance']:.2f}" in result.stdout
    page = (folder / "judged" / "evaluation.html").read_text()
    for word in ("Soprano", "on the beat", "pitch entropy", "data:image/png", "were learned from"):
        assert word in page, word
    assert "5 of its 5 pieces were learned from" in result.stderr
    origin = read_origin(folder / "judged" / "evaluation.png")
    assert origin.verb == "evaluate" and origin.models[0].checkpoint and origin.seed == 1


def test_pieces_are_measured_without_a_model(run, folder, midi):
    result = run("evaluate", "midi", "--on", "midi", "--json", "é.json")
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "é.json").read_text())
    assert told["music"]["pieces"] == 5 and "nats_per_token" not in told
    assert "5 of the 5 judged pieces stand in the reference" in result.stderr
    assert (folder / "é.png").exists() and (folder / "é.html").exists()
    again = run("evaluate", "midi", "--on", "midi", "--json", "é.json")
    assert again.exit_code == 1 and "--force" in again.stderr


def test_a_pipe_that_closes_loses_no_file(folder, model, midi):
    words = ["evaluate", str(model), "--on", "midi", *map(str, SMALL), "--out", "piped"]
    process = subprocess.Popen([sys.executable, "-m", "componium", *words], cwd=folder,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.stderr.read()
    assert process.wait(120) in (0, 1)
    assert len(list((folder / "piped").iterdir())) == 3


def test_without_a_place_to_write_it_is_only_told(run, folder, model, midi):
    before = set(folder.iterdir())
    result = run("evaluate", model, "--on", "midi", *SMALL)
    assert result.exit_code == 0 and "--out FOLDER" in result.stdout and set(folder.iterdir()) == before


def test_the_same_command_gives_the_same_figures(run, folder, model, midi):
    for name in ("a.json", "b.json"):
        assert run("evaluate", model, "--on", "midi", *SMALL, "--json", name).exit_code == 0
    assert (folder / "a.json").read_text() == (folder / "b.json").read_text()


def test_nothing_composed_leaves_the_likelihood(run, folder, model, midi):
    result = run("evaluate", model, "--on", "midi", "--count", 0, "--json", "e.json")
    assert result.exit_code == 0, result.stderr
    assert "music" not in json.loads((folder / "e.json").read_text()) and not (folder / "e.html").exists()


def test_a_model_that_cannot_judge_is_measured_all_the_same(run, folder, midi):
    result = run("evaluate", "grammar", "--on", "midi", *SMALL)
    assert result.exit_code == 0 and "no likelihood: grammar does not judge" in result.stdout
    refused = run("evaluate", "grammar", "--on", "midi", "--protocol", "jsb16")
    assert refused.exit_code == 1 and "does not judge" in refused.stderr


def test_music_that_is_not_in_four_voices_is_judged_by_the_models_own_tokens(run, folder, model):
    melody = new_score()
    melody.tracks.append(Track("Melody", 0, False))
    for place in range(16):
        melody.tracks[0].notes.append(Note(float(place), 1.0, 60 + place % 7, 80))
    write_score(melody, folder / "one" / "melody.mid")
    corpus = judging.open_data("one", False, lambda *_: None)
    assert not judging.four_voices(corpus)
    result = run("evaluate", model, "--on", "one", *SMALL)
    assert result.exit_code == 0 and ("no likelihood" in result.stdout or "protocol native" in result.stdout)
    assert "single piece" in result.stderr


@pytest.mark.parametrize(("words", "told"), [
    (["soundfont", "--on", "midi"], "neither composes nor judges"),
    (["midi", "--on", "midi", "order=3"], "takes no settings"),
    (["midi", "--on", "midi", "--protocol", "jsb16"], "has no likelihood"),
    (["empty", "--on", "midi"], "no music"), (["./nosuch", "--on", "midi"], "no such folder"),
    (["markov", "--on", "midi"], "has to be trained first"),
    (["midi", "--on", "midi", "--json", "a.png"], "beside the JSON file"),
    (["midi", "--on", "midi", "--out", "file"], "is a file"),
    (["midi", "--on", "essen"], "--accept-licence"),
])
def test_evaluate_refuses_with_a_way_out(run, folder, midi, words, told):
    (folder / "empty").mkdir()
    (folder / "file").write_text("")
    result = run("evaluate", *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert "\n" not in result.stderr.strip()


def test_models_side_by_side(run, folder, model, other, midi):
    result = run("compare", model, other, "--on", "midi", *SMALL, "--examples", 1, "--out", "page.html", "--json",
                 "page.json")
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "page.json").read_text())
    assert [each["name"] for each in told["subjects"]] == ["small.markov", "other.markov"]
    for each in told["subjects"]:
        assert each["facts"]["pieces learned"] == "5" and each["facts"]["seed"] == "1"
        assert "a second" in each["facts"]["composing"] and "B" in each["facts"]["size on disk"]
        assert each["likelihood"]["protocol"] == "jsb16" and each["music"]["pieces"] == 3
    assert "order=1" in told["subjects"][1]["facts"]["settings"].split(", ")
    page = (folder / "page.html").read_text()
    for word in ("small.markov", "other.markov", "training time", "one loudness", "Likelihood", "data:image/png"):
        assert word.replace("one loudness", "same loudness") in page, word
    assert page.count('class="take"') >= 2


def test_the_same_checkpoint_under_two_names_is_told(run, folder, model, midi):
    shutil.copytree(model, folder / "copy.markov")
    result = run("compare", model, "copy.markov", "--on", "midi", *SMALL, "--examples", 0, "--out", "page.html")
    assert result.exit_code == 0 and "are the same checkpoint" in result.stderr


def test_another_texture_is_told(run, folder, model, midi):
    melody = new_score()
    melody.tracks.append(Track("Melody", 0, False))
    for place in range(16):
        melody.tracks[0].notes.append(Note(float(place), 1.0, 60 + place % 7, 80))
    write_score(melody, folder / "melodies" / "melody.mid")
    result = run("compare", model, "melodies", "--on", "midi", *SMALL, "--examples", 0, "--out", "page.html")
    assert result.exit_code == 0 and "melodies has 1 voice, the reference 4" in result.stderr, result.stderr
    assert "small.markov has" not in result.stderr
    assert "melodies has 1 voice" in (folder / "page.html").read_text()


def test_a_model_that_cannot_judge_is_compared_all_the_same(run, folder, model, midi):
    result = run("compare", model, "grammar", "--on", "midi", *SMALL, "--examples", 0, "--out", "page.html")
    assert result.exit_code == 0 and "grammar does not judge" in (folder / "page.html").read_text()


@pytest.mark.parametrize(("words", "told"), [
    (["MODEL", "MODEL", "--on", "midi", "--out", "p.html"], "given twice"),
    (["MODEL", "--on", "midi", "--out", "p.html"], "two to 8"),
    (["MODEL", "./none", "./neither", "--on", "midi", "--out", "p.html"], "./neither"),
    (["MODEL", "soundfont", "--on", "midi", "--out", "p.html"], "soundfont"),
    (["MODEL", "midi", "--out", "p.html"], "--on DATA"), (["MODEL", "midi", "--on", "midi"], "--out PAGE.html"),
    (["MODEL", "midi", "--on", "midi", "--out", "p.png"], ".html"),
    (["MODEL", "midi", "--on", "nosuch", "--out", "p.html"], "nosuch"),
])
def test_compare_refuses_before_the_work(run, folder, model, midi, words, told):
    result = run("compare", *(model if word == "MODEL" else word for word in words))
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert not (folder / "p.html").exists()


def found(distance, low=0.1, high=0.3):
    return Distance(Measure("m", "bits", ""), 1.0, 1.0, 9, 9, distance=distance, floor=0.2, floor_low=low,
                    floor_high=high)


def test_best_is_marked_only_beyond_the_floor_interval():
    best = comparison_page.best_distance
    assert best([found(1.0), found(0.5)]) == 1 and best([found(0.6), found(0.5)]) is None
    assert best([found(0.5), found(1.0), found(0.55)]) is None and best([found(0.5)]) is None
    assert best([found(0.5), found(None)]) is None


def test_equal_terms_are_one_key_and_one_tempo(chorales):
    tonic, words = comparison_page.common_signature([item.content for item in chorales])
    for item in chorales:
        equal, told = comparison_page.on_equal_terms(item.content, 80.0, tonic)
        key = key_of(equal)[0]
        assert told == str(key) and str(key) in words.split(" or ")
        assert tempo_bpm(equal) == 80.0 and len(equal.tempos) == 1
        assert equal.note_num() == item.content.note_num()


def test_pieces_move_no_farther_than_they_have_to(chorales):
    score = chorales[0].content
    apart = [score, transpose(score, 2), transpose(score, 1)]
    tonic, _ = comparison_page.common_signature(apart)
    moved = [comparison_page.on_equal_terms(each, 80.0, tonic)[0].tracks[0].notes[0].pitch
             - each.tracks[0].notes[0].pitch for each in apart]
    assert sorted(moved) == [-1, 0, 1]
    assert comparison_page.common_signature([]) == (0, "C major or A minor")


def test_a_piece_without_room_to_move_stays_in_its_key():
    score = new_score()
    score.tempos.append(Tempo(4.0, qpm=33.0))
    score.tracks.append(Track("Line", 0, False))
    for place, key in enumerate((1, 5, 8, 127, 1, 3, 5, 6)):
        score.tracks[0].notes.append(Note(float(place), 1.0, key, 80))
    equal, told = comparison_page.on_equal_terms(score, 80.0, 0)
    assert told == "as it is" or equal.note_num() == 8
    assert len(equal.tempos) == 1


def test_names_that_are_the_same_become_paths():
    subjects = [judging.Subject("m", word="a/m"), judging.Subject("m", word="b/m"), judging.Subject("n", word="n")]
    judging.distinguish(subjects)
    assert [subject.name for subject in subjects] == ["a/m", "b/m", "n"]
