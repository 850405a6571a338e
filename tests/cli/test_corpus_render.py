"""`componium corpus render`: what is played, how loud, under which terms, and what happens when it is stopped."""

from __future__ import annotations

import importlib.util
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from componium.music import soundfont
from componium.music.audio import Audio
from componium.music.corpus import open_corpus
from componium.music.errors import BadFile, BadInput
from componium.music.loudness import integrated_loudness
from componium.music.origin import read_origin
from componium.music.score import Note, Track, new_score
from componium.music.soundfont import VARIABLE, find_soundfont, training_soundfont
from componium.rendering import render as rendering
from componium.rendering.choose import LEVELS, TURNS, performances
from componium.rendering.lines import lines_of
from componium.rendering.plan import Wanted, jobs_of
from componium.rendering.ranges import range_of
from componium.rendering.solo import RANGE_DB

VIOLIN, FLUTE, PIANO = 40, 73, 0


@pytest.fixture
def small_font(monkeypatch):
    """The font of the pretty_midi package, whatever else this system has."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None:
        pytest.skip("pretty_midi is not installed")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(soundfont, "system_folders", list)
    return find_soundfont()


def test_a_folder_that_can_be_learned_from(run, folder, small_font):
    told = run("corpus", "render", "--instrument", "violin", "--minutes", "0.5", "--sample-rate", "16000", "--out", "v")
    assert told.exit_code == 0, told.stderr
    assert "GPL-2.0" in told.stderr and "musescore-general-soundfont" in told.stderr and "musescore.org" in told.stderr
    opened = open_corpus("v")
    assert opened.licences == {"GPL-2.0": len(opened)} and len(opened) == len(list(folder.glob("v/*.wav")))
    assert {item.source for item in opened} == {"rendered with the SoundFont TimGM6mb"}
    sounds = [item.content for item in opened]
    assert {(sound.channels, sound.sample_rate_hz) for sound in sounds} == {(1, 16000)}
    total = sum(sound.seconds for sound in sounds)
    assert 30.0 <= total < 55.0 and f"{total / 60.0:.1f} minutes in all" in told.stdout
    assert all(np.abs(sound.samples[0, -1600:]).max() < 0.1 for sound in sounds), "the last release is over"
    assert max(sound.peak_db for sound in sounds) <= -1.0
    assert -36.0 < integrated_loudness(np.concatenate([s.samples for s in sounds], axis=1), 16000) < -12.0
    first = sorted(folder.glob("v/*.wav"))[0]
    origin = read_origin(first)
    assert first.name == "violin-0001-melody.wav" and origin is not None
    assert (origin.licence, origin.models[0].data, origin.seed) == ("GPL-2.0", "TimGM6mb", 0)


def test_a_second_run_keeps_what_is_there_and_makes_the_rest(run, folder, small_font):
    words = ("corpus", "render", "--instrument", "flute", "--sample-rate", "16000", "--format", "flac", "--out", "f")
    assert run(*words, "--minutes", "0.5").exit_code == 0
    assert len(list(folder.glob("f/*.flac"))) >= 2
    before = {path.name: path.read_bytes() for path in folder.glob("f/*.flac")}
    gone = sorted(before)[0]
    (folder / "f" / gone).unlink()
    told = run(*words, "--minutes", "1")
    assert told.exit_code == 0 and f"kept {len(before) - 1}" in told.stdout
    after = {path.name: path.read_bytes() for path in folder.glob("f/*.flac")}
    assert len(after) > len(before) and before == {name: after[name] for name in before}
    other = run(*words, "--minutes", "0.5", "--seed", "1")
    assert other.exit_code != 0 and "--force" in other.stderr
    assert before == {name: (folder / "f" / name).read_bytes() for name in before}
    assert run(*words, "--minutes", "0.5", "--seed", "1", "--force").exit_code == 0
    assert (folder / "f" / gone).read_bytes() != before[gone]


def test_single_notes_say_their_pitch_and_velocity(run, folder, small_font):
    told = run("corpus", "render", "--instrument", "flute", "--instrument", "40", "--kind", "notes", "--minutes", "0.2",
               "--sample-rate", "16000", "--out", "n")
    assert told.exit_code == 0, told.stderr
    for name in ("flute", "violin"):
        items = json.loads((folder / "n" / name / "corpus.json").read_text())["items"]
        assert len(items) == 3 == len(list((folder / "n" / name).glob("*.wav")))
        for item in items:
            assert item["file"] == f"{name}-{item['pitch']:03d}-{item['velocity']:03d}.wav"
            sound = Audio.read(folder / "n" / name / item["file"])
            assert sound.seconds == 4.0
            spectrum = np.abs(np.fft.rfft(sound.samples[0, 8000:40000] * np.hanning(32000)))
            hz = 440.0 * 2.0 ** ((item["pitch"] - 69) / 12.0)
            near = spectrum[round(hz * 1.94):round(hz * 2.06)]
            assert abs(1200 * np.log2((near.argmax() + round(hz * 1.94)) / 2.0 / hz)) < 40.0
            assert near.max() > 5.0 * np.median(spectrum)
    assert len(open_corpus("n")) == 6


def test_melodies_of_a_folder_with_their_terms(run, folder, midi, small_font):
    (midi / "LICENSE").write_text("CC BY-NC 4.0\n")
    told = run("corpus", "render", "--instrument", "cello", "--minutes", "0.6", "--on", midi, "--sample-rate", "16000",
               "--out", "c")
    assert told.exit_code == 0, told.stderr
    items = json.loads((folder / "c" / "corpus.json").read_text())["items"]
    assert items[0]["licence"] == "CC BY-NC 4.0" and items[0]["plays"].startswith("chorale")
    assert items[1]["plays"] == "long_tones" and items[1]["licence"] == "GPL-2.0"


@pytest.mark.parametrize(("words", "said"), [
    (("--instrument", "violn"), "did you mean violin"),
    (("--instrument", "drums"), "no pitch"),
    (("--instrument", "gunshot"), "no pitch"),
    (("--instrument", "violin", "--minutes", "0"), "minutes are between"),
    (("--instrument", "violin", "--minutes", "99999"), "ten hours"),
    (("--instrument", "violin", "--minutes", "nan"), "minutes are between"),
    (("--instrument", "violin", "--format", "mp3"), "wav, flac"),
    (("--instrument", "violin", "--kind", "chords"), "solos, notes"),
    (("--instrument", "violin", "--sample-rate", "1"), "48000"),
    (("--instrument", "violin", "--soundfont", "none.sf2"), "no such SoundFont"),
    (("--instrument", "violin", "--on", "tuness"), "did you mean tunes"),
    (("--instrument", "violin", "--kind", "notes", "--on", "tunes"), "leave one of them out"),
    (("--instrument", "violin", "--on", "essen"), "--accept-licence"),
])
def test_what_cannot_be_done_is_said_before_the_work(run, folder, small_font, words, said):
    told = run("corpus", "render", *words, "--out", "out")
    assert told.exit_code != 0 and said in told.stderr and "Traceback" not in told.stderr
    assert not (folder / "out").exists()


def test_without_a_font_it_says_how_to_get_one(run, small_font, monkeypatch):
    monkeypatch.setattr(soundfont, "_bundled", lambda: None)
    told = run("corpus", "render", "--instrument", "violin", "--out", "out")
    assert told.exit_code != 0 and "componium[soundfont]" in told.stderr


def test_strange_folders_are_left_alone(run, folder, small_font):
    (folder / "file").write_text("mine")
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine")
    for name, said in (("file", "is a file"), ("full", "something else")):
        told = run("corpus", "render", "--instrument", "violin", "--out", name)
        assert told.exit_code != 0 and said in told.stderr
    assert [path.name for path in (folder / "full").iterdir()] == ["mine.txt"]


def test_a_disk_without_room_is_told_before_the_work(folder, small_font, monkeypatch):
    monkeypatch.setattr(rendering.shutil, "disk_usage", lambda _place: type("Usage", (), {"free": 1000}))
    with pytest.raises(BadFile, match="MB left"):
        rendering.render(Wanted(FLUTE, small_font, 0.3), folder / "f")
    assert not (folder / "f").exists()


def test_a_file_that_cannot_be_written_is_named(folder, small_font):
    wanted = Wanted(FLUTE, small_font, 1.0, sample_rate_hz=16000)
    (folder / "f" / jobs_of(wanted)[2].file).mkdir(parents=True)
    with pytest.raises(BadFile, match=r"flute-0003.*cannot be replaced"):
        rendering.render(wanted, folder / "f", force=True, workers=2)


def test_ctrl_c_leaves_whole_files_and_the_same_command_goes_on(start, run, folder, small_font):
    words = ("corpus", "render", "--instrument", "flute", "--minutes", "1.5", "--sample-rate", "16000", "--soundfont",
             small_font.path, "--out", "f")
    process = start(*words)
    begun = time.monotonic()
    while not list(folder.glob("f/*.wav")) and time.monotonic() - begun < 60 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    whole = sorted(folder.glob("f/*.wav"))
    assert whole and not list(folder.glob("f/.*.part"))
    assert all(Audio.read(path).seconds > 3.0 for path in whole)
    told = run(*words)
    assert told.exit_code == 0 and f"kept {len(whole)}" in told.stdout


@pytest.mark.parametrize("program", [VIOLIN, FLUTE, 56, 42, PIANO])
def test_pitches_and_loudnesses_are_covered_evenly(program):
    low, high = range_of(program)
    heard = np.zeros((high - low + 1, len(LEVELS)))
    for each in performances(program, 10.0, seed=3):
        solo = each.solo
        assert (np.diff(solo.start) >= solo.length[:-1]).all(), "one note at a time"
        assert solo.start[0] >= 0.0 and solo.length.min() >= 0.03
        assert solo.pitch.min() >= low and solo.pitch.max() <= high
        level = solo.level_at(solo.start + solo.length / 2)
        np.add.at(heard, (solo.pitch - low, np.abs(level[:, None] - LEVELS).argmin(axis=1)), solo.length)
        assert 3.0 < each.seconds < 45.0
    pitches, levels = heard.sum(axis=1), heard.sum(axis=0)
    assert pitches.min() > 0.4 * pitches.mean() and pitches.max() < 2.5 * pitches.mean()
    assert levels.min() > 0.08 * levels.sum()


def test_a_longer_plan_begins_with_a_shorter_one(small_font):
    short, long = (jobs_of(Wanted(FLUTE, small_font, minutes)) for minutes in (2.0, 4.0))
    assert len(long) > len(short)
    for one, other in zip(short, long, strict=False):
        assert one.file == other.file and one.solo.to_json() == other.solo.to_json()
    assert jobs_of(Wanted(FLUTE, small_font, 2.0, seed=1))[0].solo.to_json() != short[0].solo.to_json()


def test_slow_and_fast_notes_and_held_ones():
    solos = [each.solo for each in performances(VIOLIN, 10.0, seed=0)]
    lengths = np.concatenate([solo.length for solo in solos])
    assert (lengths < 0.2).mean() > 0.1 and (lengths > 2.0).sum() > 20
    assert any(len(solo.bends) > 200 for solo in solos), "vibrato"
    assert all(len(each.solo.bends) == 0 for each in performances(PIANO, 1.0))
    assert np.abs(np.concatenate([solo.bends[:, 1] for solo in solos])).max() < 60.0
    assert {"melody", "scale", "chromatic", "arpeggio", "long_tones"} == set(TURNS)
    assert RANGE_DB > 15.0


def test_melodies_that_do_not_fit_are_an_error(small_font):
    score = new_score()
    track = Track("wide", 0, False)
    for beat, pitch in enumerate((10, 120) * 4):
        track.notes.append(Note(float(beat), 1.0, pitch, 80))
    score.tracks.append(track)
    lines = lines_of(score, "wide")
    assert len(lines) == 1 and len(lines[0].notes) == 8
    with pytest.raises(BadInput, match="none of the 1 melodies fits"):
        jobs_of(Wanted(FLUTE, small_font, 1.0, pieces=tuple(lines)))


def test_the_free_font_of_a_system_is_preferred_for_training(tmp_path: Path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(soundfont, "system_folders", lambda: [tmp_path])
    for name in ("default", "aaa", "GeneralUser", "MuseScore_General_Full"):
        (tmp_path / f"{name}.sf2").write_bytes(b"RIFF\x00\x00\x00\x00sfbk" + bytes(100))
    assert training_soundfont().name == "MuseScore_General_Full"
    (tmp_path / "MuseScore_General_Full.sf2").unlink()
    (tmp_path / "FluidR3_GM.sf2").write_bytes(b"RIFF\x00\x00\x00\x00sfbk" + bytes(100))
    assert training_soundfont().name == "FluidR3_GM"
    assert training_soundfont(tmp_path / "aaa.sf2").name == "aaa"
