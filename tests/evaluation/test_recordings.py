"""The figures of recordings that are read in blocks, and copies that are found again."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from componium.evaluation import recordings, sound_copies
from componium.evaluation.recordings import _Clips, examined, excerpt, loudest, recording_figures
from componium.evaluation.sound_copies import copies
from componium.music import audio_blocks
from componium.music.audio import Audio
from componium.music.item import Item

RATE = 44100


def notes(seed, count=4, rate=RATE):
    rng = np.random.default_rng(seed)
    time = np.arange(round(0.5 * rate)) / rate
    return np.concatenate([
        0.2 * np.exp(-2 * time) * sum(rng.uniform(0.3, 1) / k * np.sin(2 * np.pi * k * hz * time + rng.uniform(0, 6))
                                      for k in range(1, 8))
        for hz in rng.uniform(150, 700, count)]).astype(np.float32)


def item(samples, rate=RATE, name="x"):
    return Item(name, "audio", Audio(samples, rate))


@pytest.mark.parametrize(("rate", "channels", "count"), [(44100, 1, 44100 * 3 + 777), (48000, 2, 48000 * 4 + 13),
                                                         (22050, 5, 22050), (8000, 1, 24000)])
def test_loudness_in_blocks_is_that_of_the_whole(rate, channels, count):
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.normal(size=(channels, count)) * np.linspace(0.01, 1, count)
    audio = Audio(samples.clip(-1, 1), rate)
    assert recording_figures(audio)["loudness"] == pytest.approx(audio.loudness_lufs, abs=1e-6)


def test_the_size_of_the_blocks_changes_nothing(monkeypatch):
    samples = np.tile(notes(1), 2)
    samples[4094:4100] = samples[8191:8194] = 1.0
    whole = examined(item(samples))
    monkeypatch.setattr(audio_blocks, "BLOCK_SAMPLES", 1 << 12)
    parts = examined(item(samples))
    assert parts.figures == pytest.approx(whole.figures, rel=1e-6) and parts.samples_hash == whole.samples_hash
    assert parts.bands_db.shape == whole.bands_db.shape and np.abs(parts.levels_db - whole.levels_db).max() < 0.01


def test_runs_at_the_end_of_the_range_go_on_in_the_next_block():
    rng = np.random.default_rng(0)
    sizes = (rng.random(3000) < 0.6).astype(np.float32)
    whole = _Clips()
    whole.take(sizes)
    expected = sum(len(run) for run in "".join("1" if s else "0" for s in sizes).split("0") if len(run) >= 3)
    for step in (1, 2, 3, 7, 100):
        clips = _Clips()
        for start in range(0, len(sizes), step):
            clips.take(sizes[start:start + step])
        assert clips.ended() == expected
    assert whole.ended() == expected


def test_brightness_noise_and_pitch():
    time = np.arange(RATE) / RATE
    tone = examined(item(0.2 * np.sin(2 * np.pi * 440 * time).astype(np.float32)))
    noise = examined(item(0.1 * np.random.default_rng(0).normal(size=RATE).clip(-5, 5).astype(np.float32)))
    assert tone.figures["centroid"] == pytest.approx(440, rel=0.02) and noise.figures["flatness"] > -4
    assert noise.figures["centroid"] == pytest.approx(4000, rel=0.05) and tone.figures["flatness"] < -30
    still = examined(item(np.zeros(RATE, np.float32)))
    assert still.pitch_hz is None and math.isnan(still.figures["centroid"]) and not still.samples_hash
    pytest.importorskip("torch")
    assert tone.pitch_hz == pytest.approx((440, 440), rel=0.01) and tone.figures["pitch_confidence"] > 0.9
    assert noise.pitch_hz is None and noise.figures["pitch_confidence"] < 0.5


def test_without_torch_there_is_no_figure_of_pitch(monkeypatch):
    monkeypatch.setattr(recordings.importlib.util, "find_spec", lambda _name: None)
    assert math.isnan(recording_figures(Audio(notes(1), RATE))["pitch_confidence"])


def test_the_loudest_stretch_and_an_excerpt(tmp_path):
    levels = np.full(400, -60.0)
    levels[200:250] = -10.0
    assert loudest(levels, 40.0, 5.0) == pytest.approx(20.0) and loudest(levels, 4.0, 5.0) == 0.0
    sound = item(np.arange(RATE, dtype=np.float32) / RATE)
    assert excerpt(sound, 0.5, 0.25).samples[0, [0, -1]] == pytest.approx([0.5, 0.75], abs=1e-3)
    assert excerpt(sound, -0.5, 0.75).seconds == pytest.approx(0.25) and excerpt(sound, 2.0, 1.0).sample_count == 0


def test_copies_are_found_and_told_how(tmp_path):
    sound = Audio(notes(0, 6), RATE)
    with soundfile.SoundFile(tmp_path / "a.mp3", "w", RATE, 1, "MPEG_LAYER_III", format="MP3") as file:
        file.write(sound.samples.T)
    made = {"gain": sound.gain(-6), "trimmed": Audio(sound.samples[:, round(0.3 * RATE):], RATE),
            "between": Audio(sound.samples[:, 11111:], RATE), "resampled": sound.resample(22050),
            "low": sound.resample(8000), "turned": Audio(-sound.samples, RATE), "stereo": sound.to_stereo(),
            "mp3": Audio.read(tmp_path / "a.mp3")}
    others = [item(notes(seed, 6)) for seed in range(1, 12)]
    expected = {"gain": (0, -6), "trimmed": (-0.3, 0), "between": (-11111 / RATE, 0), "stereo": (0, -3.01)}
    for name, audio in made.items():
        items = [item(sound.samples), *others, Item(name, "audio", audio)]
        pairs = copies(items, [examined(each) for each in items])
        assert [(pair.first, pair.second) for pair in pairs] == [(0, 12)], name
        later, louder = expected.get(name, (0, 0))
        assert pairs[0].later_seconds == pytest.approx(later, abs=0.002 if name != "mp3" else 0.1), name
        assert pairs[0].louder_db == pytest.approx(louder, abs=0.5) and pairs[0].similarity >= sound_copies.SAME


def test_a_long_recording_that_hardly_changes_and_an_excerpt_of_a_long_one_are_found():
    noise = (0.1 * np.random.default_rng(0).normal(size=8000 * 30)).clip(-1, 1).astype(np.float32)
    piece = np.concatenate([notes(seed, 6, 8000) for seed in range(10)])
    items = [item(noise, 8000), item(noise[8000 * 5:], 8000), item(piece, 8000), item(piece[77777:77777 + 32000], 8000)]
    pairs = {(pair.first, pair.second): pair for pair in copies(items, [examined(each) for each in items])}
    assert set(pairs) == {(0, 1), (2, 3)} and pairs[0, 1].later_seconds == pytest.approx(-5, abs=0.001)
    assert pairs[2, 3].later_seconds == pytest.approx(-77777 / 8000, abs=0.001)


def test_two_takes_of_one_note_are_no_copies():
    def take(seed):
        rng = np.random.default_rng(seed)
        time = np.arange(2 * RATE) / RATE
        drift = np.cumsum(rng.normal(size=len(time))) * 2e-3  # of phase
        sizes = 1 + 0.1 * np.interp(time, np.linspace(0, 2, 9), rng.normal(size=9))
        return (0.1 * sizes * sum(np.sin(k * (2 * np.pi * 220 * time + drift)) / k for k in range(1, 9))).astype(
            np.float32)

    items = [item(take(seed)) for seed in range(4)]
    assert not copies(items, [examined(each) for each in items])


def test_silence_and_the_shortest_sounds_are_no_copies():
    items = [item(np.zeros(RATE, np.float32)), item(np.zeros(500, np.float32)), item(np.ones(1, np.float32) * 0.1),
             item(notes(1))]
    assert not copies(items, [examined(each) for each in items]) and not copies([], [])
