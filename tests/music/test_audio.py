"""Sound: files, rates, gain, pan, loudness."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from componium.music.audio import Audio, mix, read_metadata, silence
from componium.music.errors import BadFile, BadInput
from componium.music.loudness import limiting_gain


def sine(hz: float = 440.0, seconds: float = 1.0, level_db: float = -6.0, rate: int = 44100,
         channels: int = 1) -> Audio:
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def noise(seconds: float = 1.0, rate: int = 44100, channels: int = 2, seed: int = 0) -> Audio:
    wave = np.random.default_rng(seed).normal(0, 0.1, (channels, round(seconds * rate)))
    return Audio(wave.astype(np.float32), rate)


def test_shape_rate_and_length() -> None:
    sound = Audio(np.zeros(22050, np.float32), 44100)
    assert (sound.channels, sound.sample_count, sound.seconds) == (1, 22050, 0.5)
    assert sound.peak_db == -np.inf and sound.loudness_lufs == -np.inf


@pytest.mark.parametrize(("samples", "rate"), [
    (np.zeros((1, 2, 3), np.float32), 44100), (np.zeros(4, np.int16), 44100), (np.array([np.nan], np.float32), 44100),
    (np.array([np.inf], np.float32), 44100), (np.zeros(4, np.float32), 0), (np.zeros(4, np.float32), 44100.5),
])
def test_other_arrays_and_rates_are_refused(samples: np.ndarray, rate: float) -> None:
    with pytest.raises(BadInput):
        Audio(samples, rate)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "bits", "largest"), [
    ("a.wav", 16, 2.1 / 2**15), ("a.wav", 24, 0.51 / 2**23), ("a.wav", "32f", 0.0), ("a.flac", 16, 2.1 / 2**15),
    ("a.flac", 24, 0.51 / 2**23),
])
def test_what_is_written_is_read(tmp_path: Path, name: str, bits: int | str, largest: float) -> None:
    sound = noise()
    sound.write(tmp_path / name, bits=bits)
    back = Audio.read(tmp_path / name)
    assert back.sample_rate_hz == 44100 and back.samples.shape == sound.samples.shape
    assert np.max(np.abs(back.samples - sound.samples)) <= largest


def test_ogg_of_a_minute_keeps_length_and_level(tmp_path: Path) -> None:
    sound = noise(60.0, rate=22050)
    sound.write(tmp_path / "a.ogg")
    back = Audio.read(tmp_path / "a.ogg")
    assert back.samples.shape == sound.samples.shape
    assert np.std(back.samples) == pytest.approx(np.std(sound.samples), rel=0.25)


def test_mp3_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", sine(seconds=2.0).samples.T, 44100, format="MP3")
    back = Audio.read(tmp_path / "a.mp3")
    assert back.seconds == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(back.samples[0]))
    assert np.argmax(spectrum) / back.seconds == pytest.approx(440.0, abs=1.0)


def test_writing_16_bits_twice_gives_the_same_file_and_silence_stays_digital(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        noise().write(tmp_path / name, bits=16)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    silence(0.1).write(tmp_path / "s.wav", bits=16)
    assert not Audio.read(tmp_path / "s.wav").samples.any()


@pytest.mark.parametrize("name", ["合唱 Müller.wav", "UPPER.WAV", "new/folder/a.flac"])
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    sine().write(tmp_path / name)
    assert Audio.read(tmp_path / name).sample_count == 44100
    assert [p.name for p in (tmp_path / name).parent.iterdir() if p.suffix == ".part"] == []


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_metadata_comes_back(tmp_path: Path, name: str) -> None:
    texts = {"title": "Choräle", "comment": '{"seed": 1}'}
    sine().write(tmp_path / name, metadata=texts)
    assert read_metadata(tmp_path / name).items() >= texts.items()
    with pytest.raises(BadInput, match="colour"):
        sine().write(tmp_path / name, metadata={"colour": "red"})


def test_bad_files_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is not sound, it only claims to be " * 20)
    sine().write(tmp_path / "whole.flac")
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[:30])
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 44100)
    for name, reason in [("empty.wav", "empty"), ("text.wav", "not a sound file"), ("cut.flac", "not a sound file"),
                         ("folder.wav", "folder"), ("none.wav", "no samples"), ("missing.wav", "no such file")]:
        with pytest.raises(BadFile, match=reason) as caught:
            Audio.read(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["whole.wav", "whole.flac"])
def test_a_file_cut_off_in_its_sound_is_refused(tmp_path: Path, name: str) -> None:
    noise(3.0).write(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"cut-{name}").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadFile, match=r"cut off|damaged"):
        Audio.read(tmp_path / f"cut-{name}")


def test_a_wav_from_a_pipe_without_its_length_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine().samples.T, 44100, subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data") + 4
    data[at:at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "pipe.wav").write_bytes(data)
    assert Audio.read(tmp_path / "pipe.wav").sample_count == 44100


def test_writing_refuses_what_it_cannot_do_and_leaves_nothing(tmp_path: Path) -> None:
    loud = sine(level_db=2.0)
    for name, bits, error, said in [("a.mp3", 24, BadFile, "mp3"), ("a", 24, BadFile, "ending"),
                                    ("a.flac", 32, BadInput, "16 or 24"), ("a.wav", 12, BadInput, "12"),
                                    ("a.wav", 24, BadInput, "clip")]:
        with pytest.raises(error, match=said):
            (loud if said == "clip" else sine()).write(tmp_path / name, bits=bits)
    with pytest.raises(BadInput, match="0 samples"):
        silence(0.0).write(tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []
    loud.write(tmp_path / "a.wav", bits=32)
    assert Audio.read(tmp_path / "a.wav").peak_db == pytest.approx(2.0, abs=0.01)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    sine().write(target)
    before = target.read_bytes()
    too_many = Audio(np.zeros((2000, 10), np.float32), 44100)
    with pytest.raises(BadFile, match="2000 channels"):
        too_many.write(target)
    assert target.read_bytes() == before and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(BadFile, match="is the disk full"):
            noise(2.0).write(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadFile, match="cannot be written"):
        sine().write(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96001])
def test_resampling_keeps_pitch_level_and_length(rate: int) -> None:
    moved = sine(997.0).resample(rate)
    assert moved.seconds == pytest.approx(1.0, abs=1e-3)
    middle = moved.samples[0, rate // 4: rate // 4 * 3]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(997.0, abs=2.0)
    assert np.max(np.abs(middle)) == pytest.approx(10 ** (-6 / 20), rel=0.01)


def test_resampling_down_does_not_alias() -> None:
    assert sine(15000.0).resample(22050).samples[0, 2000:-2000].std() < 1e-4


@pytest.mark.parametrize("pan", [-1.0, -0.5, 0.0, 0.3, 1.0])
def test_pan_keeps_the_power(pan: float) -> None:
    for sound in (sine(), sine(channels=2)):
        placed = sound.to_stereo(pan)
        assert np.sum(placed.samples ** 2) == pytest.approx(float(np.sum(sound.samples ** 2)), rel=1e-4)
    left, right = (np.abs(side).max() for side in sine().to_stereo(pan).samples)
    assert (left > right) == (pan < 0) or pan == 0.0
    if abs(pan) == 1.0:
        assert min(left, right) < 1e-6


def test_pan_and_channels() -> None:
    with pytest.raises(BadInput, match="pan"):
        sine().to_stereo(1.2)
    assert sine(channels=6).to_stereo().channels == 2
    assert sine(channels=2).to_mono().channels == 1


def test_gain_and_fade() -> None:
    assert sine().gain(-6.0).peak_db == pytest.approx(-12.0, abs=0.01)
    assert not sine().gain(-np.inf).samples.any()
    faded = sine().fade(0.1, 0.2)
    assert abs(faded.samples[0, 0]) < 1e-6 and abs(faded.samples[0, -1]) < 1e-3
    np.testing.assert_array_equal(faded.samples[0, 4410:-8820], sine().samples[0, 4410:-8820])
    assert np.isfinite(sine(seconds=0.01).fade(5.0, 5.0).samples).all()


def test_mixing_adds_aligned_and_pads() -> None:
    mixed = mix([sine(), sine(seconds=0.5, channels=2)], gains_db=[0.0, -np.inf])
    assert mixed.channels == 2 and mixed.sample_count == 44100
    np.testing.assert_allclose(mixed.samples[0], sine().samples[0] / np.sqrt(2), rtol=1e-5)
    with pytest.raises(BadInput, match="22050, 44100"):
        mix([sine(), sine(rate=22050)])
    with pytest.raises(BadInput):
        mix([])


@pytest.mark.parametrize("rate", [44100, 48000])
def test_loudness_of_the_reference_tone(rate: int) -> None:
    # EBU Tech 3341, case 1: a stereo sine of 1000 Hz at -23 dBFS reads -23 LUFS; BS.1770's tone is 997 Hz
    assert sine(997.0, 5.0, -23.0, rate, 2).loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert sine(997.0, 5.0, -33.0, rate, 2).loudness_lufs == pytest.approx(-33.0, abs=0.1)
    assert sine(997.0, 5.0, 0.0, rate, 1).loudness_lufs == pytest.approx(-3.01, abs=0.1)


def test_loudness_is_gated() -> None:
    # EBU Tech 3341, case 3: 10 s at -36, 60 s at -23, 10 s at -36 dBFS read -23 LUFS
    parts = [sine(1000.0, seconds, level, 48000, 2).samples for seconds, level in ((5, -36), (30, -23), (5, -36))]
    assert Audio(np.concatenate(parts, axis=1), 48000).loudness_lufs == pytest.approx(-23.0, abs=0.1)


def test_loudness_of_short_quiet_and_many_channelled_sounds() -> None:
    assert -30 < sine(seconds=0.05, level_db=0.0).loudness_lufs < -3
    assert silence(0.0).loudness_lufs == -np.inf
    assert sine(level_db=-100.0).loudness_lufs == -np.inf
    with pytest.raises(BadInput, match="five channels"):
        _ = sine(channels=6).loudness_lufs


def test_normalising_reaches_the_loudness_by_plain_gain_where_it_can() -> None:
    sound = noise(2.0)
    normalised = sound.normalise(-20.0)
    assert normalised.loudness_lufs == pytest.approx(-20.0, abs=0.02)
    ratio = normalised.samples / sound.samples
    assert ratio.std() < 1e-5 * ratio.mean()


def test_normalising_never_passes_the_ceiling_and_makes_up_for_the_limiter() -> None:
    spiky = noise(3.0).samples.copy()
    spiky[:, ::20000] = 1.0
    loud = Audio(spiky, 44100).normalise(-14.0, -1.0)
    assert loud.peak_db <= -1.0 + 1e-5
    assert loud.loudness_lufs == pytest.approx(-14.0, abs=0.2)
    clicks = Audio(np.zeros((1, 44100 * 2), np.float32), 44100)
    clicks.samples[0, ::22050] = 0.5
    assert clicks.normalise(-10.0).peak_db <= -1.0 + 1e-5
    assert not silence(1.0).normalise().samples.any()


def test_limiter_leaves_what_is_far_from_the_peak_alone() -> None:
    sound = sine(level_db=-20.0)
    sound.samples[0, 22050] = 1.0
    wanted = sound.loudness_lufs + 3.0
    loud = sound.normalise(wanted, -1.0)
    ratio = loud.samples[0, 1000:15000].std() / sound.samples[0, 1000:15000].std()
    assert 20 * np.log10(ratio) == pytest.approx(3.0, abs=0.3)


def test_the_limiter_moves_smoothly_into_and_out_of_a_peak() -> None:
    samples = np.full((1, 8820), 0.5, np.float32)
    samples[0, 4410] = 2.0
    gain = limiting_gain(samples, 44100, ceiling=1.0)
    assert np.max(samples[0] * gain) <= 1.0
    assert gain[4410] == pytest.approx(0.5) and np.max(np.abs(np.diff(gain))) < 0.005
