from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from componium.music.corpus import open_corpus
from componium.music.formats import write_score
from componium.music.score import Note, Track, new_score

FILE = Path(__file__).with_name("judge.py")
JUDGE = "models/judge.py:Judge"


@pytest.fixture
def hashes(folder):
    """Eight tunes in a folder, and one in two voices; the hash of each tune."""
    (folder / "models").mkdir()
    shutil.copy(FILE, folder / "models")
    for number in range(8):
        write_score(tune(number), folder / "songs" / f"tune {number}.mid")
    two = tune(0)
    two.tracks.append(two.tracks[0].copy())
    write_score(two, folder / "songs" / "two voices.mid")
    return {item.name: item.hash for item in open_corpus(folder / "songs")}


def tune(number):
    score = new_score(tempo_bpm=90)
    score.tracks.append(Track("Melody"))
    for place in range(16):
        score.tracks[0].notes.append(Note(float(place), 1.0, 60 + (number * place * place + place) % 12, 80))
    return score


def seen(hashes, *numbers):
    return ",".join(value for name, value in hashes.items() if any(f"tune {number}" in name for number in numbers))


def test_melodies_are_judged_beside_a_chain(run, folder, hashes):
    words = ["evaluate", JUDGE, f"seen={seen(hashes, 0, 1, 2)}", f"held={seen(hashes, 3)}", "--on", "songs",
             "--protocol", "melody"]
    result = run(*words, "--json", "e.json", "--out", "judged")
    assert result.exit_code == 0, result.stderr
    assert "4 test pieces" in result.stdout and "chain, order 4" in result.stdout
    assert "learned from 3, 1 were held out" in " ".join(result.stdout.split())
    assert "it has 2 tracks" in result.stdout
    told = json.loads((folder / "e.json").read_text(encoding="utf-8"))
    assert (told["protocol"], told["learned_pieces"], told["new_pieces"], told["counted_pieces"]) == ("melody", 3, 4, 4)
    assert json.loads((folder / "judged" / "melody.json").read_text(encoding="utf-8")) == told
    assert "--force" in run(*words, "--json", "e.json").stderr
    result = run(*words, "--count", 2)
    assert "2 test pieces" in result.stdout


@pytest.mark.parametrize(("words", "told"), [
    (["songs"], "is music and not a model"), ([JUDGE, "--bars", 4], "judges whole pieces"),
    ([JUDGE, "--count", 0], "--count 0 leaves no piece"), ([JUDGE, "--training", "songs"], "--training is for"),
    ([JUDGE, "voices=2"], "does not judge one line alone"), ([JUDGE, "steps_per_beat=3"], "hears 3 steps"),
    (["models/judge.py:Mute"], "cannot judge how likely music is"), (["grammar"], "cannot judge how likely music is"),
    (["melody-lstm"], "has to be trained first")])
def test_what_cannot_be_judged_is_refused(run, folder, hashes, words, told):
    result = run("evaluate", *words, "--on", "songs", "--protocol", "melody")
    assert result.exit_code == 1 and told in result.stderr, result.stderr


def test_a_chorale_model_is_refused_with_a_sentence(run, folder, hashes, model):
    result = run("evaluate", model, "--on", "songs", "--protocol", "melody")
    assert result.exit_code == 1 and "the model markov does not judge one line alone" in result.stderr
