"""Recordings of a folder as training data: all formats, all faults named, nothing twice, held out honestly."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from componium.music.audio import Audio
from componium.music.corpus import Corpus, open_corpus
from componium.music.errors import BadInput, Cancelled
from componium.music.formats import write_score
from componium.music.item import Item
from componium.training import recordings, segments
from componium.training.recordings import recordings_of
from componium.training.segments import clock, held_out

EARS = Path(__file__).with_name("ears.py")


def noise(seed, seconds=1.0, rate=16000, size=0.2):
    return (size * np.random.default_rng(seed).standard_normal(round(seconds * rate))).clip(-1, 1).astype(np.float32)


def write(path, samples, rate=16000, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **more)


def found_in(folder, rate=8000, **more):
    said = []
    found = recordings_of(open_corpus(folder), rate, warn=said.append, **more)
    return found, said


def reasons(found):
    return {skipped.name: skipped.reason for skipped in found.corpus.skipped}


@pytest.fixture
def folder(tmp_path, cache):
    return tmp_path / "sound"


@pytest.fixture(scope="module")
def ears():
    pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    spec = importlib.util.spec_from_file_location("componium_test_ears", EARS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_folder_of_everything(folder, chorales):
    same = (noise(1) * 30000).astype(np.int16)
    write(folder / "a.wav", same)
    write(folder / "sub" / "Flöte 日本.flac", np.stack([noise(2), noise(3)], axis=1), 44100)
    write(folder / "low.wav", noise(4, 0.1, 8000), 8000)
    write(folder / "high.ogg", noise(5, 1.0, 96000), 96000)
    write(folder / "five.one.wav", np.stack([noise(i) for i in range(6, 12)], axis=1), 48000)
    write(folder / "good.mp3", noise(12, 2.0), 44100)
    (folder / "bad.mp3").write_bytes(b"ID3" + bytes(range(256)) * 40)
    (folder / "empty.wav").write_bytes(b"")
    write(folder / "silent.wav", np.zeros(16000, np.float32))
    write(folder / "nan.wav", np.array([0.1, np.nan, 0.1], np.float32), subtype="FLOAT")
    write(folder / "copy.flac", same)
    write_score(chorales[0].content, folder / "score.mid")
    (folder / "notes.txt").write_text("no music")
    found, _ = found_in(folder)
    told = reasons(found)
    assert {item.name for item in found.corpus} == {
        "a.wav", "sub/Flöte 日本.flac", "low.wav", "high.ogg", "five.one.wav", "good.mp3"}
    assert told["score.mid"] == "it is a score, not a recording"
    assert told["silent.wav"] == "is silent" and "NaN" in told["nan.wav"] and told["empty.wav"] == "is empty"
    assert told["copy.flac"] == "same sound as a.wav" and "bad.mp3" in told and len(told) == 6
    for item in found.corpus:
        sound = item.content
        assert sound.channels == 1 and sound.sample_rate_hz == 8000 and abs(sound.seconds - item.seconds) < 1e-3
    assert found.corpus.other_files == 1 and len(list(found.folder.iterdir())) == 7


def test_what_is_there_is_not_converted_again(folder, monkeypatch):
    for number in range(3):
        write(folder / f"{number}.wav", noise(number))
    first, _ = found_in(folder)
    stored = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    (folder / "0.wav").rename(folder / "renamed.wav")
    (folder / "1.wav").unlink()
    write(folder / "3.wav", noise(3))
    calls = []
    monkeypatch.setattr(recordings, "store", lambda *a, _store=recordings.store: (calls.append(1), _store(*a)))
    again, _ = found_in(folder)
    assert [item.name for item in again.corpus] == ["2.wav", "3.wav", "renamed.wav"] and len(calls) == 1
    assert again.corpus[2].hash == first.corpus[0].hash
    assert stored.items() <= {p.name: p.stat().st_mtime_ns for p in first.folder.iterdir()}.items()
    found_in(folder, trim_silence_db=60.0)
    found_in(folder, rate=4000)
    assert len(calls) == 7


def test_an_entry_that_is_damaged_is_made_anew(folder):
    write(folder / "a.wav", noise(1))
    found, _ = found_in(folder)
    entry = next(found.folder.iterdir())
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-3])
    found_in(folder)
    assert entry.read_bytes() == whole


def test_faults_are_told_in_words(folder):
    write(folder / "loud.wav", np.clip(noise(1, size=3.0), -1, 1))
    write(folder / "faint.wav", noise(2, size=1e-4), subtype="FLOAT")
    write(folder / "offset.wav", noise(3, size=0.1) + np.float32(0.2))
    write(folder / "hot.wav", 5 * noise(4), subtype="FLOAT")
    write(folder / "gaps.wav", np.concatenate([noise(5), np.zeros(60000, np.float32)]))
    text = "\n".join(found_in(folder)[1])
    for told in ("clipped, which a model learns as if it were part of the sound: loud.wav", "nearly silent",
                 "faint.wav (its peak is", "offset.wav (20.", "hot.wav (-", "gaps.wav ("):
        assert told in text, text
    assert "gaps.wav" not in "\n".join(found_in(folder, trim_silence_db=60.0)[1])


def test_nothing_to_use_is_an_error_that_says_what_to_do(folder, chorales):
    write_score(chorales[0].content, folder / "score.mid")
    with pytest.raises(BadInput, match=r"score.mid: it is a score, not a recording\). Give a folder with recordings"):
        found_in(folder)


def test_long_recordings_become_parts(folder):
    write(folder / "long.wav", noise(1, 95.0, 8000), 8000, subtype="PCM_16")
    found, _ = found_in(folder)
    assert [item.name for item in found.corpus] == [
        "long.wav 0:00-0:30", "long.wav 0:30-1:00", "long.wav 1:00-1:17.5", "long.wav 1:17.5-1:35"]
    whole = Audio.read(folder / "long.wav").samples[0]
    assert np.array_equal(np.concatenate([item.content.samples[0] for item in found.corpus]), whole)
    assert len({item.hash for item in found.corpus}) == 4 and found.told()["recordings"] == 1


def test_trimmed_parts_are_named_by_the_time_in_the_file(folder):
    sound = np.concatenate([noise(1, 20, 8000), np.zeros(80000, np.float32), noise(2, 20, 8000)])
    write(folder / "a.wav", sound, 8000)
    names = [item.name for item in found_in(folder, trim_silence_db=60.0)[0].corpus]
    assert names == ["a.wav 0:00-0:39.6", "a.wav 0:39.6-0:50"]
    assert [clock(s) for s in (0, 59.96, 3723.5)] == ["0:00", "1:00", "1:02:03.5"]


def test_licences_travel_to_the_parts(folder):
    write(folder / "a.wav", noise(1, 70.0, 8000), 8000)
    (folder / "LICENSE").write_text("CC0 1.0")
    items = found_in(folder)[0].corpus
    assert len(items) == 3 and {item.licence for item in items} == {"CC0 1.0"}
    assert {item.source for item in items} == {"folder sound"}


def test_objects_need_no_files(cache):
    item = Item("mine", "audio", Audio(noise(1), 16000))
    found = recordings_of(Corpus([item, Item("again", "audio", Audio(noise(1), 16000))]), 16000)
    assert len(found.corpus) == 1 and reasons(found) == {"again": "same sound as mine"}
    assert np.abs(found.corpus[0].content.samples - item.content.samples).max() < 1e-4


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "file"))
    write(tmp_path / "sound" / "a.wav", noise(1))
    found, said = found_in(tmp_path / "sound")
    assert "the cache cannot be written" in said[0] and len(found.corpus[0].content.samples[0]) == 8000


def test_a_disk_that_is_too_small_is_told_before_the_work(folder, monkeypatch):
    write(folder / "a.wav", noise(1))
    monkeypatch.setattr(recordings.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(BadInput, match="COMPONIUM_CACHE names a folder on another one"):
        found_in(folder)


def test_stopping_keeps_what_is_done(folder):
    for number in range(4):
        write(folder / f"{number}.wav", noise(number))

    def stop(done, _text):
        if done > 0.6:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        recordings_of(open_corpus(folder), 8000, progress=stop)
    assert len(list((folder.parent / "cache" / "recordings").iterdir())) in (2, 3)


def test_several_processes_give_the_same(folder, monkeypatch):
    for number in range(3):
        write(folder / f"{number}.wav", noise(number, 5.0))
    write(folder / "zeros.wav", np.zeros(16000, np.float32))
    alone, _ = found_in(folder)
    monkeypatch.setenv("COMPONIUM_CACHE", str(folder.parent / "other"))
    monkeypatch.setattr(recordings, "LEAST_SECONDS", 0.0)
    told = []
    together, _ = found_in(folder, progress=lambda done, text: told.append((done, text)))
    assert [a.hash for a in alone.corpus] == [b.hash for b in together.corpus]
    assert [a.recording.stored.hash for a in alone.corpus] == [b.recording.stored.hash for b in together.corpus]
    assert reasons(together) == {"zeros.wav": "is silent"} and told[-1] == (1.0, "converted 4 of 4 recordings")


@pytest.mark.slow
def test_a_killed_build_is_resumed(folder, cache):
    for number in range(6):
        write(folder / f"{number}.wav", np.tile(noise(number, 20.0), 15))
    code = textwrap.dedent("""
        import sys
        from componium.music.corpus import open_corpus
        from componium.training.recordings import recordings_of
        recordings_of(open_corpus(sys.argv[1]), 8000)
    """)
    child = subprocess.Popen([sys.executable, "-c", code, folder], env={**os.environ, "COMPONIUM_CACHE": str(cache)})
    store = cache / "recordings"
    ending = time.monotonic() + 120
    while len(list(store.glob("*.s16"))) < 2 and time.monotonic() < ending:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = {path.name: path.stat().st_mtime_ns for path in store.glob("*.s16")}
    assert 2 <= len(done) < 6
    time.sleep(1.5)  # the workers end with their pipes
    assert not list(store.glob(".*.part"))
    found, _ = found_in(folder)
    assert len(found.recordings) == 6
    assert done.items() <= {p.name: p.stat().st_mtime_ns for p in store.iterdir()}.items()


# held out


def parts(*lengths):
    """Parts of recordings of so many seconds each."""
    items = []
    for number, seconds in enumerate(lengths):
        recording = segments.Recording(f"r{number}", f"hash {number}", f"/store/{number}.s16", None)
        for first in range(0, seconds, 30):
            items.append(segments.Segment(f"r{number} {first}", "audio", None, hash=f"{number} {first}",
                                          seconds=float(min(30, seconds - first)), recording=recording))
    return items


def test_recordings_are_held_out_as_a_whole():
    items = parts(60, 90, 120, 60, 60, 300, 60, 90)
    chosen = held_out(items, 0.2)
    sides = {flag: {item.recording.name for item, one in zip(items, chosen, strict=True) if one is flag}
             for flag in (True, False)}
    assert sides[True] and sides[False] and not sides[True] & sides[False]
    seconds = sum(item.seconds for item, one in zip(items, chosen, strict=True) if one)
    assert seconds <= sum(item.seconds for item in items) / 2
    low = held_out(items, 0.2, lowest=True)
    assert not any(a and b for a, b in zip(chosen, low, strict=True))


def test_never_the_most_of_the_sound_is_held_out():
    for lengths in ((3600, 3), (3, 3600), (30, 30), (10, 10, 3000)):
        items = parts(*lengths)
        chosen = held_out(items, 0.1)
        held = sum(item.seconds for item, one in zip(items, chosen, strict=True) if one)
        assert 0 < held <= sum(lengths) / 2


def test_a_single_recording_is_held_out_by_parts():
    items = parts(600)
    assert 0 < sum(held_out(items, 0.1)) <= 10
    assert held_out(parts(20), 0.1) == [False]


# training


@pytest.fixture
def learned(ears, folder):
    """Return a function that trains an ear on the folder, and what was warned of."""
    def train_it(data=None, out=None, **more):
        from componium.training.observing import Observer
        from componium.training.train import train

        said = []
        hears = type("Hears", (Observer,), {"warned": lambda self, text: said.append(text)})()
        settings = {"batch": 4, "precision": "float32", "held_out": 0.3} | more.pop("settings", {})
        model = ears.Ear(ears.EarConfig(**more.pop("config", {})))
        train(model, folder if data is None else data, steps=more.pop("steps", 4), settings=settings, device="cpu",
              observers=[hears], out=out, **more)
        return model, said
    return train_it


def test_a_model_learns_from_a_folder(learned, folder, chorales, tmp_path):
    for number in range(5):
        write(folder / f"{number}.wav", noise(number, 40.0, 8000), 8000)
    write(folder / "tiny.wav", noise(9, 0.02, 8000), 8000)
    write_score(chorales[0].content, folder / "score.mid")
    model, _ = learned(out=tmp_path / "run")
    told = model.provenance
    assert told["pieces"] + told["held_out_pieces"] == 6 and told["voice"].startswith("no, by the names")
    assert not set(told["names"]) & set(told["held_out_names"])
    assert set(told["hashes"]) <= {item.hash for item in open_corpus(folder)}
    assert any(name.endswith("_by_recording") for name in model.figures)
    run = json.loads((tmp_path / "run" / "training" / "run.json").read_text())
    assert run["data"]["recordings"]["parts"] == 11 and ["score.mid", "it is a score, not a recording"] in \
        run["data"]["skipped"]
    again, _ = learned(out=tmp_path / "run", resume=True, steps=8)
    assert not again.calls  # all was taken from the cache


def test_a_single_recording_is_said_to_be_split_by_parts(learned, folder):
    write(folder / "long.wav", noise(1, 200.0, 8000), 8000)
    model, said = learned()
    assert any("there is one recording" in text for text in said)
    assert any(name.endswith("_by_part") for name in model.figures)


def test_the_sound_is_mapped_and_kept_once(ears, folder, cache):
    from componium.training.preparing import prepared_of

    write(folder / "a.wav", noise(1, 70.0, 8000), 8000)
    write(folder / "tiny.wav", noise(2, 0.02, 8000), 8000)
    for _ in range(2):
        items = list(found_in(folder)[0].corpus)
        model = ears.Ear()
        found = prepared_of(model, items)
        for item, arrays in zip(items[:-1], found.arrays[:-1], strict=True):
            assert isinstance(arrays["audio"], np.memmap) and arrays["audio"].dtype == np.int16
            assert np.array_equal(arrays["audio"], item.samples) and list(arrays) == ["audio", "loudness"]
        padded = found.arrays[-1]["audio"]
        assert not isinstance(padded, np.memmap) and len(padded) == ears.WINDOW  # the model's own
    assert not model.calls
    kept = sum(path.stat().st_size for path in (cache / "prepared").rglob("*.npz"))
    assert kept < 0.2 * sum(path.stat().st_size for path in (cache / "recordings").iterdir())


def test_thousands_of_recordings_need_no_thousands_of_open_files(ears, folder, monkeypatch):
    from componium.training import audio_store
    from componium.training.preparing import prepared_of

    for number in range(6):
        write(folder / f"{number}.wav", noise(number))
    few = audio_store.functools.lru_cache(maxsize=2)(audio_store.mapped.__wrapped__)
    monkeypatch.setattr(segments, "mapped", few)
    found = prepared_of(ears.Ear(), list(found_in(folder)[0].corpus))
    assert all(len(arrays["audio"]) == 8000 for arrays in found.arrays) and few.cache_info().currsize == 2


def test_scores_alone_are_refused_and_score_models_unchanged(learned, toys, chorales):
    from componium.training.train import train

    with pytest.raises(BadInput, match="it is a score, not a recording"):
        learned(chorales)
    with pytest.raises(BadInput, match="voice is for models that learn from recordings"):
        train(toys.Toy(), chorales, voice=True)
    with pytest.raises(BadInput, match="trim_silence_db is for models that learn from recordings"):
        train(toys.Toy(), chorales, settings={"trim_silence_db": 60.0})


def test_slow_preparing_is_shared_among_processes(ears, folder, monkeypatch):
    from componium.training import ahead
    from componium.training.preparing import prepared_of

    write(folder / "a.wav", noise(1, 200.0, 8000), 8000)
    items = list(found_in(folder)[0].corpus)
    monkeypatch.setattr(ahead, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    told = []
    model = ears.Ear(ears.EarConfig(slow_seconds=0.05))
    ahead.prepare_ahead(model, items, lambda done, text: told.append(done))
    assert told[-1] == 1.0 and len(model.calls) == 1
    prepared_of(model, items)
    assert len(model.calls) == 1  # the others were there


def test_a_voice_needs_consent(learned, folder, tmp_path):
    write(folder / "vocals" / "ana.wav", noise(1, 70.0, 8000), 8000)
    with pytest.raises(BadInput, match=r"its name says 'vocals'.*\n*who: Maria Example"):
        learned()
    model, _ = learned(voice=False)
    assert model.provenance["voice"] == "no, as stated with --no-voice"
    (folder / "consent.yml").write_text("who: Ana\nfor: tests\nuntil: 2999-01-01\n")
    model, _ = learned(out=tmp_path / "run")
    assert model.provenance["consent_who"] == "Ana" and len(model.provenance["consent_sha256"]) == 64
    assert model.provenance["consent_sha256"] in (tmp_path / "run" / "README.md").read_text()
    with pytest.raises(BadInput, match="begun otherwise"):
        learned(out=tmp_path / "run", resume=True, voice=False)
