from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from componium.cli.respond import after_call, nth
from componium.cli.settings import listened
from componium.music.formats import read_score, write_score
from componium.music.item import hash_of_score
from componium.music.melody_line import melody_line
from componium.music.origin import read_origin
from componium.music.score import END, Note, TextMeta, Track, bars, meter, new_score, set_pickup, tempo_bpm

FILE = Path(__file__).with_name("answerer.py")
MODEL = "models/answerer.py:Answerer"


@pytest.fixture
def call(folder):
    """A call of two bars in 3/4, the second not full, and a model that answers it."""
    (folder / "models").mkdir()
    shutil.copy(FILE, folder / "models")
    write_score(phrase(), folder / "call.mid")
    return "call.mid"


def phrase(beats=(0, 1, 2, 3, 4), tempo=72, pitch=64):
    score = new_score(tempo_bpm=tempo, numerator=3)
    score.tracks.append(Track("Melody"))
    for beat in beats:
        score.tracks[0].notes.append(Note(float(beat), 1.0, pitch + beat % 3, 60 + beat))
    return score


def notes(track):
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


def test_a_reply_is_new_music_alone(run, folder, call):
    result = run("respond", MODEL, call, "--seed", 1, "--out", "r.mid")
    assert result.exit_code == 0, result.stderr
    assert "wrote r.mid (seed 1): a reply of 2 bars, 5 notes" in result.stdout
    assert "listen: componium perform r.mid" in result.stdout
    reply = read_score(folder / "r.mid")
    assert (tempo_bpm(reply), meter(reply), reply.note_num()) == (72.0, (3, 4), 5)
    assert reply.tracks[0].notes[0].time == 0.0 and notes(reply.tracks[0]) != notes(read_score(folder / call).tracks[0])


def test_the_call_stays_and_the_reply_follows_at_the_bar_line(run, folder, call):
    result = run("respond", MODEL, call, "--with-call", "--seed", 1, "--out", "both.mid")
    assert result.exit_code == 0, result.stderr
    assert "the call (5 notes kept), and its reply (5 notes) from the 3rd bar on" in result.stdout
    run("respond", MODEL, call, "--seed", 1, "--out", "r.mid")
    both, reply, before = (read_score(folder / name) for name in ("both.mid", "r.mid", call))
    assert [track.name for track in both.tracks] == ["Melody", "Reply"] and both.tracks[1].program == 40
    assert notes(both.tracks[0]) == notes(before.tracks[0])
    assert [(time - 6.0, *rest) for time, *rest in notes(both.tracks[1])] == notes(reply.tracks[0])
    assert len(both.tempos) == len(both.time_signatures) == 1 and len(bars(both)) == 4


def test_joining_calls_and_replies_of_other_tempo_and_length():
    call = set_pickup(phrase(beats=(0, 1, 2, 3)), 1.0)
    call.markers.append(TextMeta(9.0, END))  # a rest of a bar and more
    both = after_call(call, phrase(tempo=90))
    assert both.tracks[1].notes[0].time == 10.0, "after the bar of the rest; a pickup is a bar of its own"
    assert [(tempo.time, round(tempo.qpm)) for tempo in both.tempos] == [(0.0, 72), (10.0, 90)]
    assert [(s.time, s.numerator) for s in both.time_signatures] == [(0.0, 1), (1.0, 3)]
    assert not [event for event in both.markers if event.text == END] and len(call.tracks) == 1
    again = after_call(both, phrase())
    assert [track.name for track in again.tracks] == ["Melody", "Reply", "Reply"], "each in a track of its own"


def test_the_default_name_and_the_seed_that_was_taken(run, folder, call):
    seed = run("respond", MODEL, call).stdout.partition("(seed ")[2].partition(")")[0]
    assert run("respond", MODEL, call, "--seed", seed, "--out", "again.mid").exit_code == 0
    assert notes(read_score(folder / "call-reply.mid").tracks[0]) == notes(read_score(folder / "again.mid").tracks[0])


@pytest.mark.parametrize("more", [[], ["--with-call"]])
def test_what_made_it_is_known_and_makes_it_again(run, folder, call, more):
    run("respond", MODEL, call, "up=2", "--temperature", 1.5, "--seed", 4, "--out", "r.mid", *more)
    origin = read_origin(folder / "r.mid")
    told = {"with_call": True} if more else {}
    assert (origin.verb, origin.seed, origin.settings) == (
        "respond", 4, {"temperature": 1.5, **told, "words": {"up": "2"}})
    assert [given.role for given in origin.given] == ["model", "score"]
    assert "respond" in run("whence", "r.mid").stdout
    result = run("whence", "r.mid", "--recreate", "again.mid")
    assert result.exit_code == 0 and "identical, byte for byte" in result.stdout, result.stderr


@pytest.mark.parametrize("name", ["r.png", "r.musicxml", "r.abc"])
def test_the_ending_is_the_format(run, folder, call, name):
    assert run("respond", MODEL, call, "--seed", 1, "--with-call", "--out", name).exit_code == 0
    assert (folder / name).stat().st_size > 100


@pytest.mark.parametrize("more", [[], ["--with-call"]])
def test_candidates_are_ranked(run, folder, call, more):
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")
    result = run("respond", MODEL, call, "--count", 3, "--rank", "pitch", "--seed", 1, "--out", "c", *more)
    assert result.exit_code == 0, result.stderr
    told = json.loads((folder / "c" / "candidates.json").read_text(encoding="utf-8"))
    assert told["verb"] == "respond" and len(told["candidates"]) == 3
    best = told["candidates"][0]
    assert best["name"] == f"call-reply-seed{best['seed']}"
    assert run("respond", MODEL, call, "--seed", best["seed"], "--out", "one.mid", *more).exit_code == 0
    assert hash_of_score(read_score(folder / "one.mid")) == best["hash"]
    words = " ".join(["componium respond", MODEL, call, *more, "--seed", str(best["seed"])])
    assert words in (folder / "c" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "told"), [
    (["nosuch.mid"], "nosuch.mid"), (["call.mid", "upp=1"], "did you mean up?"),
    (["call.mid", "--count", 3], "add --rank pitch"), (["call.mid", "--out", "r.xyz"], ".musicxml"),
    (["call.mid", "--out", "call.mid"], "is there already"), (["empty.mid"], "no notes to answer"),
    (["drums.mid"], "only drums"), (["one.mid"], "one note is no phrase"), (["broken.mid"], "broken.mid"),
    (["call.mid", "--on", "tunes"], "--rank"), (["call.mid", "manner=silence", "--seed", 3], "silence for the seed 3"),
])
def test_what_cannot_be_is_refused_in_one_line(run, folder, call, words, told):
    write_score(phrase(beats=()), folder / "empty.mid")
    write_score(phrase(beats=(0,)), folder / "one.mid")
    drums = phrase()
    drums.tracks[0].is_drum = True
    write_score(drums, folder / "drums.mid")
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    there = sorted(os.listdir(folder))
    result = run("respond", MODEL, *words)
    assert result.exit_code == 1 and told in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 1 and sorted(os.listdir(folder)) == there


@pytest.mark.parametrize(("model", "told"), [
    ("models/answerer.py:Mute", "the model mute cannot respond (it makes a new piece)"),
    ("grammar", "the model grammar cannot respond"), ("nosuch", "nosuch"), ("markov", "train"),
])
def test_models_that_cannot_are_refused(run, folder, call, model, told):
    result = run("respond", model, call, "--out", "r.mid")
    assert result.exit_code == 1 and told in result.stderr and not (folder / "r.mid").exists(), result.stderr


def test_ordinals():
    assert [nth(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]


# evaluate --protocol answering

def test_answering_is_measured_shown_and_written(run, folder, call, midi):
    words = ["evaluate", MODEL, "--on", "midi", "--protocol", "answering", "--bars", 2, "--count", 3]
    result = run(*words, "up=1", "--json", "e.json", "--out", "heard")
    assert result.exit_code == 0, result.stderr
    assert "contour similarity" in result.stdout and "share in the band" in result.stdout
    told = json.loads((folder / "e.json").read_text(encoding="utf-8"))
    assert (told["protocol"], told["pieces"], told["bars"], told["arguments"]) == ("answering", 3, 2, {"up": "1"})
    assert set(told["table"]["contour"]) == {"reply", "continuation", "unrelated", "copy"}
    assert json.loads((folder / "heard" / "answering.json").read_text(encoding="utf-8")) == told
    heard = sorted((folder / "heard").glob("*-answered.mid"))
    assert len(heard) == 3 and [track.name for track in read_score(heard[0]).tracks] == ["Melody", "Reply"]
    assert read_origin(heard[0]).models[0].name == "answerer"
    assert "--force" in run(*words, "--out", "heard").stderr


@pytest.mark.parametrize(("words", "told"), [
    (["grammar", "--on", "midi"], "the model grammar cannot respond"), (["midi", "--on", "midi"], "is music"),
    ([MODEL, "--on", "call.mid"], "a call of 4 and its continuation need 8"),
    ([MODEL, "--on", "midi", "upp=1"], "did you mean up?")])
def test_what_cannot_be_measured_is_refused(run, folder, call, midi, words, told):
    result = run("evaluate", *words, "--protocol", "answering")
    assert result.exit_code == 1 and told in result.stderr, result.stderr


def test_which_line_was_taken_is_told_and_how_to_take_another():
    class Listening:
        def listens_to(self, score, line):
            return melody_line(score, line).told

    chords = new_score()
    for pitches in ((60, 64), (67, 72)):
        chords.tracks.append(Track())
        chords.tracks[-1].notes.extend(Note(0, 1, pitch, 80) for pitch in pitches)
    assert listened(Listening(), chords, {}) == [
        "the melody: the highest notes of track 2, the highest of 2 with notes "
        "(line=NUMBER, NAME or top takes another)"]
    del chords.tracks[0]
    assert listened(Listening(), chords, {}) == ["the melody: the highest notes of its chords"], "there is no other"
    assert listened(Listening(), None, {}) == listened(object(), chords, {}) == []
