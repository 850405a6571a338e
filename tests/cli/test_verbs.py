from __future__ import annotations

import json
import os

import pytest

from componium.cli.settings import split_words
from componium.music.audio import Audio
from componium.music.errors import BadInput
from componium.music.formats import read_score, write_score
from componium.music.score import bars
from componium.music.soundfont import find_soundfont


@pytest.fixture(scope="module")
def player():
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    return find_soundfont()


def notes(path):
    return [[(n.start, n.pitch, n.duration) for n in track.notes] for track in read_score(path).tracks]


# key=value

def test_words_are_divided_into_paths_and_settings(folder):
    (folder / "b=c.mid").write_text("")
    (folder / "order=3").write_text("")
    words = ["midi", "order=3", "b=c.mid", "./order=3", "tempo=", "/a/x=1.mid", "9=1"]
    plain, pairs = split_words(words, {"order"})
    assert plain == ["midi", "b=c.mid", "./order=3", "/a/x=1.mid", "9=1"]
    assert pairs == {"order": "3", "tempo": ""}
    with pytest.raises(BadInput, match="order is given twice"):
        split_words(["order=3", "order=4"], {"order"})


@pytest.mark.parametrize(("words", "told"), [
    (["grammar", "exmple=blues"], ["'exmple'", "did you mean example?"]),
    (["grammar", "iterations=many"], ["iterations=many"]),
    (["grammar", "bars=4"], ["--bars 4"]),
    (["grammar", "temperatur=2"], ["did you mean --temperature?"]),
    (["grammar", "out=a.mid"], ["--out a.mid"]),
    (["grammar", "blues"], ["'blues'", "key=value"]),
    (["soundfont"], ["cannot generate", "turns a score into sound"]),
    (["markov"], ["train"]),
])
def test_settings_that_do_not_exist_are_refused_before_the_work(run, folder, words, told):
    result = run("generate", *words, "--out", "x.mid")
    assert result.exit_code == 1 and all(part in result.stderr for part in told), result.stderr
    assert os.listdir(folder) == []


def test_a_trained_model_takes_arguments_but_no_settings(run, model):
    assert run("generate", model, "key=D major", "--out", "a.mid").exit_code == 0
    result = run("generate", model, "order=5", "--out", "b.mid")
    assert "order" in result.stderr and "fixed when it was trained, and is 3" in result.stderr
    assert "did you mean key?" in run("generate", model, "kye=C", "--out", "b.mid").stderr


# train

def test_training_says_what_was_learned_and_what_next(run, midi, folder):
    result = run("train", "markov", "midi", "order=2", "--out", "my.markov")
    assert result.exit_code == 0, result.stderr
    for part in ("read 5 pieces", "skipped 1", "broken.mid", "learned from 5 pieces of midi", "saved in my.markov"):
        assert part in result.stdout
    assert json.loads((folder / "my.markov" / "model.json").read_text())["config"]["order"] == 2
    command = result.stdout.rpartition("next: componium ")[2].split()
    assert run(*command).exit_code == 0
    assert (folder / "my.mid").exists()


@pytest.mark.parametrize(("words", "told"), [
    (["markov"], "what should markov learn from?"),
    (["markov", "midi"], "--out my.markov"),
    (["markov", "nosuch", "--out", "m"], "nosuch"),
    (["markov", "chorals", "--out", "m"], "did you mean chorales?"),
    (["midi", "markov", "--out", "m"], "the model comes first"),
    (["markov", "midi", "ordr=2", "--out", "m"], "did you mean order?"),
    (["markov", "midi", "--out", "midi"], "is not a model, so it is never replaced"),
    (["markov", "midi", "--budget", "soon", "--out", "m"], "soon"),
    (["grammar", "midi", "--out", "m"], "does not learn"),
    (["markov", "midi/broken.mid", "--out", "m"], "broken.mid"),
    (["markov", "midi", "--out", "midi/broken.mid/m"], "broken.mid"),
])
def test_training_that_cannot_be_is_refused(run, midi, folder, words, told):
    result = run("train", *words)
    assert result.exit_code == 1 and told in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert os.listdir(folder) == ["midi"]


def test_a_model_is_replaced_only_with_force(run, midi, folder, monkeypatch):
    assert run("train", "markov", "midi", "--out", "m").exit_code == 0
    before = (folder / "m" / "model.json").read_bytes()
    with monkeypatch.context() as nothing:
        nothing.setattr("componium.music.corpus.open_corpus", None)  # refused before anything is read
        assert "--force" in run("train", "markov", "midi", "--out", "m").stderr
    assert (folder / "m" / "model.json").read_bytes() == before
    assert run("train", "markov", "midi", "order=1", "--out", "m", "--force").exit_code == 0
    assert (folder / "m" / "model.json").read_bytes() != before


# generate and continue

def test_a_piece_of_the_asked_length_and_seed(run, folder):
    assert run("generate", "grammar", "--bars", 6, "--seed", 3, "--out", "a.mid").exit_code == 0
    assert run("generate", "grammar", "--bars", 6, "--seed", 3, "--out", "b.mid").exit_code == 0
    assert run("generate", "grammar", "--bars", 6, "--seed", 4, "--out", "c.mid").exit_code == 0
    assert notes(folder / "a.mid") == notes(folder / "b.mid") != notes(folder / "c.mid")
    assert len(bars(read_score(folder / "a.mid"))) == 6


def test_without_a_seed_the_one_taken_is_told_and_repeats_the_piece(run, folder):
    result = run("generate", "grammar", "--bars", 4)
    (written,) = folder.glob("grammar-seed*.mid")
    seed = written.stem.removeprefix("grammar-seed")
    assert f"(seed {seed})" in result.stdout
    run("generate", "grammar", "--bars", 4, "--seed", seed, "--out", "again.mid")
    assert notes(written) == notes(folder / "again.mid")


@pytest.mark.parametrize("which", ["grammar", "markov"])
def test_several_pieces_are_numbered_and_differ(run, folder, model, which):
    subject = model if which == "markov" else which
    assert run("generate", subject, "--count", 3, "--seed", 1, "--bars", 4, "--out", "ideas/a.mid").exit_code == 0
    names = sorted(os.listdir(folder / "ideas"))
    assert names == ["a-1.mid", "a-2.mid", "a-3.mid"]
    assert len({str(notes(folder / "ideas" / name)) for name in names}) == 3
    result = run("generate", subject, "--count", 2, "--out", "ideas/a.mid")
    assert "a-1.mid" in result.stderr and result.exit_code == 1


@pytest.mark.parametrize("name", ["a.mid", "a.abc", "a.json", "a.png", "a.SVG"])
def test_the_ending_is_the_format(run, folder, name):
    assert run("generate", "grammar", "--bars", 4, "--seed", 1, "--out", name).exit_code == 0
    assert (folder / name).stat().st_size > 100


@pytest.mark.parametrize(("name", "told"), [("a.xyz", ".musicxml"), ("a", "has no ending"), ("a.krn", ".mid")])
def test_a_format_that_cannot_be_written_is_refused(run, folder, name, told):
    result = run("generate", "grammar", "--out", name)
    assert result.exit_code == 1 and told in result.stderr
    assert os.listdir(folder) == []


def test_a_folder_as_out_takes_the_default_name(run, folder):
    (folder / "new").mkdir()
    assert run("generate", "grammar", "--bars", 4, "--seed", 2, "--out", "new").exit_code == 0
    assert os.listdir(folder / "new") == ["grammar-seed2.mid"]


def test_a_file_is_replaced_only_with_force(run, folder):
    (folder / "a.mid").write_text("mine")
    assert "--force" in run("generate", "grammar", "--out", "a.mid").stderr
    assert (folder / "a.mid").read_text() == "mine"
    assert run("generate", "grammar", "--bars", 4, "--out", "a.mid", "--force").exit_code == 0
    assert len(bars(read_score(folder / "a.mid"))) == 4


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_told_before_the_work(run, folder):
    (folder / "shut").mkdir(mode=0o555)
    assert "no permission" in run("generate", "grammar", "--out", "shut/a.mid").stderr


def test_continuing_keeps_every_note(run, folder, model):
    run("generate", model, "--bars", 4, "--seed", 1, "--out", "a.mid")
    result = run("continue", model, "a.mid", "--bars", 4, "--seed", 2, "--out", "b.mid")
    assert result.exit_code == 0, result.stderr
    first, whole = notes(folder / "a.mid"), notes(folder / "b.mid")
    assert all(part[:len(begin)] == begin and len(part) > len(begin)
               for begin, part in zip(first, whole, strict=True))
    assert len(bars(read_score(folder / "b.mid"))) == 8
    assert "is there already" in run("continue", model, "a.mid", "--out", "a.mid").stderr


def test_a_prompt_is_the_beginning(run, folder, model, chorales):
    run("generate", model, "--bars", 4, "--seed", 1, "--out", "ä b.mid")
    result = run("generate", model, "--prompt", "ä b.mid", "--bars", 6, "--seed", 5, "--out", "whole.mid")
    assert result.exit_code == 0, result.stderr
    assert notes(folder / "whole.mid")[0][:3] == notes(folder / "ä b.mid")[0][:3]
    assert run("generate", model, "--prompt", "nosuch.mid", "--out", "x.mid").exit_code == 1


# perform

def test_performing_writes_sound_of_the_stated_loudness(run, folder, chorales, player):
    write_score(chorales[0].content, folder / "a.mid")
    result = run("perform", "a.mid", "--with", "soundfont", "--lufs", -20, "--out", "a.wav")
    assert result.exit_code == 0, result.stderr
    sound = Audio.read(folder / "a.wav")
    assert sound.loudness_lufs == pytest.approx(-20, abs=0.3) and sound.peak_db <= -0.9
    assert sound.channels == 2 and sound.seconds > 24
    assert "--force" in run("perform", "a.mid", "--out", "a.wav").stderr
    assert "LUFS" not in result.stderr
    sound_in = run("perform", "a.wav").stderr
    assert "a.wav" in sound_in and "--force" not in sound_in, "a sound is no score, whatever name its own would have"
    loud = run("perform", "a.mid", "--lufs", -3, "--out", "loud.wav")
    assert loud.exit_code == 0 and "-3 LUFS cannot be reached" in loud.stderr


def test_parts_have_instruments_gains_places_and_stems(run, folder, chorales, player):
    write_score(chorales[0].content, folder / "a.mid")
    result = run("perform", "a.mid", "--with", "soprano=flute", "--with", "*=organ", "--gain", "bass=-40",
                 "--pan", "soprano=-1", "--stems", "stems", "--no-expression")
    assert result.exit_code == 0, result.stderr
    stems = {path.name: Audio.read(path) for path in (folder / "stems").iterdir()}
    assert sorted(stems) == ["01_soprano.wav", "02_alto.wav", "03_tenor.wav", "04_bass.wav", "mix.wav"]
    assert stems["04_bass.wav"].loudness_lufs < stems["03_tenor.wav"].loudness_lufs - 25
    left, right = abs(stems["01_soprano.wav"].samples).max(axis=1)
    assert right < 1e-3 < left
    assert (folder / "a.wav").exists()
    again = run("perform", "a.mid", "--stems", "stems", "--out", "b.wav")
    assert again.exit_code == 1 and "--stems DIR" in again.stderr and not (folder / "b.wav").exists()


@pytest.mark.parametrize(("words", "told"), [
    (["--with", "kazoo"], "kazoo"), (["--with", "cello2=violin"], "Soprano"), (["--gain", "loud"], "PART=NUMBER"),
    (["--pan", "soprano=left"], "PART=NUMBER"), (["--pan", "soprano=3"], "-1"), (["--lufs", "6"], "lufs"),
    (["progam=3"], "did you mean program?"), (["--with", "grammar"], "does not play"),
])
def test_what_cannot_be_performed_is_refused(run, folder, chorales, words, told):
    write_score(chorales[0].content, folder / "a.mid")
    result = run("perform", "a.mid", "--out", "a.wav", *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert os.listdir(folder) == ["a.mid"]


# evaluate, info, corpus, bench, doctor

def test_evaluating_prints_a_table_writes_json_and_warns_of_what_was_learned(run, folder, model, midi):
    result = run("evaluate", model, "--on", "midi", "--protocol", "jsb16", "--json", "e.json")
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "e.json").read_text())
    assert set(told["nats_per_token"]) >= {"token_mean", "piece_mean"}
    assert told["nats_per_frame"] == pytest.approx(4 * told["nats_per_token"]["token_mean"])
    assert told["pieces"] == 5 and told["tokens"] == 5 * 4 * 4 * 32 and told["nats_per_onset"] > 0
    assert f"{told['nats_per_token']['token_mean']:.4f}" in result.stdout
    assert result.stderr.startswith("warning: ") and "5 of these 5 pieces" in result.stderr
    assert "--force" in run("evaluate", model, "--on", "midi", "--json", "e.json").stderr


@pytest.mark.parametrize(("words", "told"), [
    ([], "--on HELD_OUT_FOLDER"), (["--on", "nosuch"], "nosuch"), (["--on", "midi", "--protocol", "x"], "jsb16"),
])
def test_what_cannot_be_evaluated_is_refused(run, midi, model, words, told):
    result = run("evaluate", model, *words)
    assert result.exit_code == 1 and told in result.stderr


def test_info_tells_of_a_model_before_and_after_training(run, model):
    told = run("info", "markov").stdout
    assert "order" in told and "has to be trained: componium train markov" in told and "generate:" in told
    told = run("info", model).stdout
    assert "Learned from" in told and "pieces" in told and "Settings it was trained with" in told
    assert "works as it is" in run("info", "soundfont").stdout


def test_a_model_that_comes_trained_is_told_with_its_figures(run):
    pytest.importorskip("torch", reason="chorale-rnn needs the extra neural")
    told = run("info", "chorale-rnn").stdout
    assert "comes trained" in told and "has to be trained" not in told and "(--where --seed --temperature)" in told
    assert "Figures of the chorale-rnn that comes trained" in told and "nats per token" in told
    assert "Rights of what it learned from" in told and "--recipe NAME" in told
    listed = {line.split()[0]: line for line in run("models").stdout.splitlines() if line.strip()}
    assert "yes, comes trained" in listed["chorale-rnn"] and "train it first" in listed["markov"]


def test_the_table_of_a_model_can_be_written_and_given_back(run, folder, model):
    assert run("info", model, "--table", "t.csv").exit_code == 0
    assert len((folder / "t.csv").read_text().splitlines()) > 10
    assert "--force" in run("info", model, "--table", "t.csv").stderr
    assert run("generate", model, "table=t.csv", "--seed", 1, "--bars", 4, "--out", "a.mid").exit_code == 0
    assert run("generate", model, "--seed", 1, "--bars", 4, "--out", "b.mid").exit_code == 0
    assert notes(folder / "a.mid") == notes(folder / "b.mid")
    assert "no table" in run("info", "grammar", "--table", "g.csv").stderr
    assert "learned nothing" in run("info", "markov", "--table", "g.csv").stderr


def test_looking_into_a_corpus(run, folder, midi):
    assert "chorales" in run("corpus", "list").stdout
    told = run("corpus", "info", "midi", "--json", "c.json")
    assert "5 scores" in told.stdout and "broken.mid" in told.stdout
    assert json.loads((folder / "c.json").read_text())["items"] == 5
    assert json.loads(run("corpus", "info", "midi", "--json", "-").stdout)["items"] == 5
    assert run("corpus", "export", "midi", "out", "--format", "abc").exit_code == 0
    assert len(list((folder / "out").glob("*.abc"))) == 5
    assert "--force" in run("corpus", "export", "midi", "out", "--format", "abc").stderr


def test_the_doctor_ends_with_a_verdict(run, folder, monkeypatch):
    result = run("doctor")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("Componium works")
    assert str(folder.parent / "cache") in result.stdout
    monkeypatch.setattr("componium.cli.doctor.EXTRAS", {"choir": (("no_such_package",), "singing")})
    assert "pip install 'componium[choir]'" in run("doctor").stdout
    monkeypatch.setattr("componium.cli.doctor.CORE", ("no_such_package",))
    result = run("doctor")
    assert result.exit_code == 1 and "does not work here: core" in result.stdout


def test_benchmarks_are_listed_and_written(run, folder, monkeypatch):
    assert "midi-read" in run("bench", "--list").stdout
    assert run("bench", "--only", "cli-start", "--json", "b.json").exit_code == 0
    assert json.loads((folder / "b.json").read_text())["measurements"]
