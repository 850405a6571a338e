"""The audit of recordings: what comes first, what the page tells, and the marks on their way into a training."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile

from componium import checkpoint
from componium.cli.audit import piece as audit_piece
from componium.cli.audit.audited import examine
from componium.cli.audit.page import mark_for
from componium.cli.audit.picture import axis, picture
from componium.interface import silent
from componium.music.audio import Audio
from componium.music.corpus import open_corpus
from componium.music.formats import write_score
from componium.music.marks import write_marks
from componium.music.provenance import Learned

RATE = 44100
TINY = ("sample_rate_hz=16000", "hop_samples=320", "loudness_window=320", "harmonics=8", "noise_bands=9", "hidden=8",
        "width=8", "crop_seconds=0.5")


def phrase(seed, seconds=1.5, rate=RATE):
    """Return a few notes with overtones that no other seed has."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(5):
        count = round(rate * seconds / 5)
        time, hz = np.arange(count) / rate, rng.uniform(200, 800)
        tones = sum(rng.uniform(0.2, 1) / k * np.sin(2 * np.pi * k * hz * time + rng.uniform(0, 6))
                    for k in range(1, 6))
        parts.append(tones * np.exp(-3 * time) * rng.uniform(0.1, 0.2))
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture
def sounds(folder):
    """Ten recordings; one of them again as FLAC, one as a quieter MP3 that begins later; and what stands out."""
    place = folder / "sounds"
    for seed in range(10):
        Audio(phrase(seed), RATE).write(place / f"{seed}.wav", bits=16)
    same = Audio.read(place / "3.wav")
    same.write(place / "drei ü.flac", bits=24)  # 16 bits would be dithered again
    with soundfile.SoundFile(place / "fünf.mp3", "w", RATE, 1, "MPEG_LAYER_III", format="MP3") as file:
        file.write(0.5 * phrase(5)[round(0.3 * RATE):])
    Audio(np.zeros(RATE, np.float32), RATE).write(place / "still.wav")
    Audio(phrase(20) * 0.02, RATE).write(place / "quiet.wav", bits=24)
    Audio((phrase(21) * 20).clip(-1, 1), RATE).write(place / "clipped.wav", bits=16)
    (place / "broken.wav").write_bytes(b"RIFF and no more")
    (place / "empty.mp3").write_bytes(b"")
    return place


def data_of(text):
    return json.loads(re.search(r'id="marking">(.*?)</script>', text, re.S)[1])


def test_duplicates_then_near_duplicates_then_outliers_then_the_rest(sounds):
    found = examine(list(open_corpus(sounds)), silent)
    names = [each.item.name for each in found]
    assert names[:4] == ["3.wav", "drei ü.flac", "5.wav", "fünf.mp3"]
    assert set(names[4:7]) == {"clipped.wav", "quiet.wav", "still.wav"} and len(names) == 15
    by_name = {each.item.name: each for each in found}
    assert by_name["3.wav"].why() == "duplicate: drei ü.flac" and by_name["3.wav"].twins[0][1] == 1.0
    mp3 = by_name["fünf.mp3"]
    assert mp3.why().startswith("near-duplicate: 5.wav") and 0.9 <= mp3.twins[0][1] < 1
    assert re.search(r"near-duplicate of 5.wav \(MP3, [56]\.\d dB quieter, 0\.\d\d s less before it", mp3.reason())
    assert by_name["still.wav"].why() == "outlier: almost silent"
    assert "much quieter than the others (loudness" in by_name["quiet.wav"].why()
    assert "clipped (" in by_name["clipped.wav"].why()
    assert not any(by_name[f"{seed}.wav"].twins for seed in (0, 1, 2, 4, 6, 7, 8, 9))


def test_the_page_holds_the_sounds_and_tells_all(run, sounds, folder):
    result = run("corpus", "audit", "sounds")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (folder / "audit-sounds").iterdir()] == ["index.html"]
    text = (folder / "audit-sounds" / "index.html").read_text(encoding="utf-8")
    assert text.count('data-sound="data:audio/') == 15 and "sounds belong together" not in text
    assert "broken.wav" in text and "is empty" in text and "All are shown with waveform and sound" in text
    for told in ("44,100 Hz", "1 (mono)", "dBFS", "LUFS", "% of the samples", "% of the time", "% of full scale",
                 "none: it is silent", "componium train ddsp sounds --exclude exclude.txt"):
        assert told in text
    assert "here MP3" in text and "Recordings with the same samples" in text and "runs of five" not in text


def test_of_a_long_recording_the_loudest_ten_seconds_are_heard(run, folder):
    loud = 0.01 * np.random.default_rng(0).normal(size=8000 * 30).astype(np.float32)
    loud[8000 * 15:8000 * 25] *= 10
    Audio(loud, 8000).write(folder / "long.wav")
    result = run("corpus", "audit", "long.wav", "--out", "page.html")
    assert result.exit_code == 0, result.output
    text = (folder / "page.html").read_text(encoding="utf-8")
    start = re.search(r"Shown and heard: the loudest 10 seconds, from 0:(1[45]) on", text)
    assert start and len(text) < 500_000
    assert 9.9 < float(re.search(r'data-seconds="([\d.]+)"', text)[1]) < 10.1


def test_the_page_does_not_grow_without_end(run, sounds, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "MOST_SOUND", 1000)
    result = run("corpus", "audit", "sounds")
    assert result.exit_code == 0, result.output
    text = (folder / "audit-sounds" / "index.html").read_text(encoding="utf-8")
    assert text.count('data-sound="data:audio/') == 12 and text.count("Without sound: the page holds") == 3


def test_a_mixed_folder_has_a_table_of_each_kind(run, sounds, folder, chorales, browse):
    for item in chorales[:2]:
        write_score(item.content, sounds / f"{item.name}.mid")
    result = run("corpus", "audit", "sounds", "--shown", 0)
    assert result.exit_code == 0, result.output
    page = folder / "audit-sounds" / "index.html"
    with browse(page) as opened:
        assert [each.inner_text() for each in opened.locator("h2").all()][:2] == ["All scores", "All recordings"]
        assert opened.locator(".scores tbody tr").count() == 2 and opened.locator(".audios tbody tr").count() == 15
        opened.locator("button[data-only=duplicate]").click()
        assert opened.locator(".scores tbody tr:not([hidden])").count() == 0
        assert opened.locator(".audios tbody tr:not([hidden])").count() == 4
        assert not opened.troubles and not [url for url in opened.asked if not url.startswith("file:")]


def test_a_recording_is_heard_and_marked_and_not_learned_from(run, sounds, folder, browse):
    pytest.importorskip("torch")
    result = run("corpus", "audit", "sounds", "--shown", 6)
    assert result.exit_code == 0, result.output
    with browse(folder / "audit-sounds" / "index.html") as opened:
        card = opened.locator("article").nth(3)
        card.locator("[data-play]").first.click()
        opened.wait_for_timeout(600)
        assert opened.evaluate("player.audio.currentTime") > 0.05
        card.locator("img").wait_for()
        card.locator(".leave input[type=checkbox]").check()
        with opened.expect_download() as download:
            opened.locator(".marks .save").click()
        download.value.save_as(folder / "marks.txt")
        assert not opened.troubles and not [url for url in opened.asked
                                            if not url.startswith(("file:", "blob:", "data:"))]
    items = {item.name: item for item in open_corpus(sounds)}
    result = run("train", "ddsp", "sounds", "--exclude", "marks.txt", "--steps", 1, "--no-voice", "--device", "cpu",
                 "train.batch=1", *TINY, "--out", "a.ddsp")
    assert result.exit_code == 0, result.output
    learned = set(Learned.from_json(checkpoint.load("a.ddsp").provenance).hashes)
    assert items["fünf.mp3"].hash not in learned and len(learned) >= 10


def test_marked_recordings_are_shown_again(run, sounds, folder):
    items = list(open_corpus(sounds))
    write_marks(sounds / "exclude.txt", [mark_for(items[0])])
    result = run("corpus", "audit", "sounds", "--shown", 0)
    assert result.exit_code == 0, result.output
    data = data_of((folder / "audit-sounds" / "index.html").read_text(encoding="utf-8"))
    assert len(data["items"]) == 15 and [data["items"][int(key)][3] for key, _ in data["marked"]] == [items[0].name]


def test_stopping_leaves_nothing(run, sounds, folder, monkeypatch):
    def stopped(*_given, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("componium.evaluation.sound_copies._compared", stopped)
    before = sorted(folder.rglob("*"))
    assert run("corpus", "audit", "sounds").exit_code != 0
    assert sorted(folder.rglob("*")) == before


def test_the_picture_is_a_png_inside_the_page():
    html = picture(Audio(phrase(1), RATE))
    assert html.startswith('<img alt="Spectrogram, mel bands" src="data:image/png;base64,') and len(html) < 30_000
    assert "10 kHz" in axis(Audio(phrase(1), RATE)) and "10 kHz" not in axis(Audio(phrase(1, rate=16000), 16000))
