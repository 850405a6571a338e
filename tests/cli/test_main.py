from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from componium import registry
from componium.cli.main import VERBS, sentence
from componium.music.errors import BadFile

TRACEBACK = "Traceback"


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def test_help_lists_every_verb_and_models_lists_every_model(run):
    told = run("--help")
    assert told.exit_code == 0
    assert all(f"  {verb} " in told.stdout for verb in VERBS)
    assert run().stdout == told.stdout
    told = run("models")
    assert all(name in told.stdout and registry.TITLES[name] in told.stdout for name in registry.MODELS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_teaches_by_example(run, verb):
    told = run(verb, "--help")
    assert told.exit_code == 0
    assert "Example" in told.stdout and f"  componium {verb}" in told.stdout
    assert run(verb, "-h").stdout == told.stdout


@pytest.mark.parametrize("words", [["--help"], ["models"]])
def test_help_and_models_answer_at_once(start, words):
    def seconds():
        begun = time.perf_counter()
        assert start(*words).wait(30) == 0
        return time.perf_counter() - begun

    seconds()  # the first one fills the caches of the system
    assert min(seconds() for _ in range(4)) < 0.5


def test_help_and_models_import_nothing_heavy(start):
    for words in (["--help"], ["models"]):
        told = start(*words, PYTHONPROFILEIMPORTTIME="1").communicate(timeout=30)[1]
        imported = {line.rpartition("|")[2].strip() for line in told.splitlines()}
        assert not imported & {"torch", "numpy", "symusic", "matplotlib", "music21", "scipy", "huggingface_hub"}


@pytest.mark.parametrize(("words", "status", "told"), [
    (["trian", "markov"], 2, ["trian", "did you mean train or transfer?"]),
    (["zzz"], 2, ["zzz", "the commands are models, info"]),
    (["generate"], 2, ["needs MODEL", "componium generate grammar --bars 8"]),
    (["continue", "grammar"], 2, ["needs FILE", "componium continue my.markov a.mid"]),
    (["generate", "grammar", "--bars", "many"], 2, ["--bars", "generate --help"]),
    (["generate", "grammar", "--bars", "0"], 2, ["--bars"]),
    (["generate", "grammar", "--temprature", "1"], 2, ["--temprature", "--temperature"]),
    (["corpus", "lst"], 2, ["lst", "did you mean list?"]),
    (["generate", "nosuch", "--out", "a.mid"], 1, ["nosuch", "componium models"]),
    (["info", "marcov"], 1, ["marcov", "did you mean markov"]),
    (["perform", "nosuch.mid"], 1, ["nosuch.mid"]),
    (["bench", "--only", "nosuch"], 1, ["nosuch", "midi-read"]),
])
def test_a_command_that_fails_says_why_in_one_or_two_lines(run, words, status, told):
    result = run(*words)
    assert result.exit_code == status
    assert result.stdout == ""
    assert 1 <= len(lines(result.stderr)) <= 2
    assert result.stderr.startswith("error: ")
    assert all(part in result.stderr for part in told)


def test_a_failure_of_a_process_has_its_status_and_no_traceback(start, folder):
    (folder / "text.mid").write_text("no music")
    process = start("perform", "text.mid", "--out", "a.wav")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == "" and len(lines(err)) == 1 and "text.mid" in err and TRACEBACK not in err
    assert os.listdir(folder) == ["text.mid"]


def test_a_full_disk_is_a_sentence(run, monkeypatch):
    def full(*_words, **_more):
        raise OSError(errno.ENOSPC, "No space left on device", "a.mid")

    monkeypatch.setattr("componium.music.formats.write_score", full)
    result = run("generate", "grammar", "--out", "a.mid")
    assert result.exit_code == 1
    assert lines(result.stderr) == ["error: a.mid: No space left on device"]


def test_an_error_that_should_not_be_is_one_line_and_a_traceback_on_request(run, monkeypatch):
    def broken(*_words, **_more):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("componium.music.formats.write_score", broken)
    result = run("generate", "grammar", "--out", "a.mid")
    assert result.exit_code == 1 and len(lines(result.stderr)) == 1
    assert "ZeroDivisionError: by zero" in result.stderr and "COMPONIUM_DEBUG=1" in result.stderr
    monkeypatch.setenv("COMPONIUM_DEBUG", "1")
    assert isinstance(run("generate", "grammar", "--out", "a.mid").exception, ZeroDivisionError)


def test_sentences():
    assert sentence(BadFile("a.mid", "is cut\nshort")) == "a.mid: is cut short"
    assert "memory" in sentence(MemoryError())
    assert sentence(RuntimeError("I/O error: No space left on device")) == "there is no space left on the disk"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_nothing_half_written(start, folder, midi, stop):
    process = start("generate", "grammar", "--bars", "200", "--count", "400", "--out", "many/a.mid")
    deadline = time.monotonic() + 60
    while not list(folder.glob("many/*.mid")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, stop)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert lines(err) == ["stopped; nothing was left half-written"]
    from componium.music.formats import read_score

    written = list((folder / "many").iterdir())
    assert 0 < len(written) < 400
    assert all(path.suffix == ".mid" and read_score(path).note_num() for path in written)


def test_stopping_a_training_leaves_no_model(start, folder, midi, monkeypatch):
    process = start("train", "markov", "midi", "--out", "m")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if process.returncode == 130:  # else it was done before
        assert lines(err) == ["stopped; nothing was left half-written"]
        assert sorted(os.listdir(folder)) == ["midi"]


def test_a_closed_pipe_is_no_error(start):
    process = start("info", "grammar")
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert process.stderr.read() == ""


def test_tables_in_a_pipe_are_plain(run, monkeypatch):
    told = run("models").stdout
    assert "\x1b" not in told and all(line == line.rstrip() for line in told.splitlines())


def test_a_terminal_without_our_letters_is_served(start):
    process = start("info", "grammar", PYTHONIOENCODING="ascii", LC_ALL="C")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "grammar" in out
