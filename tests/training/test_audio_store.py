"""The audio store: any sound file becomes mono int16 at a rate, whole or not at all, in bounded memory."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

from componium.music.audio_blocks import SoundBlocks
from componium.music.errors import BadFile, Cancelled
from componium.training.audio_store import kept_parts, mapped, read_entry, store


def tone(seconds=1.0, rate=16000, hz=440.0, size=0.5):
    return (size * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def stored(tmp_path):
    """Return a function that stores a sound: (samples of the store, what is known of it)."""
    def make(samples, rate=16000, *, to=16000, trim=0.0, ending="wav", subtype=None):
        source, target = tmp_path / f"sound.{ending}", tmp_path / "store" / "entry.s16"
        soundfile.write(source, samples, rate, subtype=subtype)
        told = store(SoundBlocks(source), target, to, trim, lambda _share: None)
        mapped.cache_clear()
        assert read_entry(target) == told and not list(target.parent.glob(".*"))
        return mapped(str(target), told.samples), told
    return make


def test_sixteen_bits_at_the_same_rate_come_through_untouched(stored):
    samples = np.random.default_rng(0).integers(-32768, 32768, 300_000).astype(np.int16)
    found, told = stored(samples)
    assert found.dtype == np.int16 and np.array_equal(found, samples) and told.gain_db == 0
    assert not found.flags.writeable


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_rates_and_channels(stored, rate, channels):
    sound = tone(1.5, rate)
    found, told = stored(np.repeat(sound[:, None], channels, axis=1), rate)
    assert told.source_rate_hz == rate and told.channels == channels and abs(told.samples - 24000) <= 1
    middle = found[4000:20000] / 32768
    assert np.abs(middle - tone(1.5)[4000:20000]).max() < 1e-3  # neither delayed nor louder


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats(stored, ending):
    found, _ = stored(tone(2.0), ending=ending)
    assert abs(np.sqrt(np.mean((found[8000:24000] / 32768) ** 2)) - 0.5 / np.sqrt(2)) < 0.01


def test_a_tenth_of_a_second_is_kept_whole(stored):
    assert stored(tone(0.1))[1].samples == 1600


def test_what_goes_beyond_full_scale_is_turned_down_and_noted(stored):
    found, told = stored(tone(size=4.0), subtype="FLOAT")
    assert told.gain_db == pytest.approx(-12.04, abs=0.01) and told.clipped == 0
    assert np.abs(found).max() == 32767
    assert np.corrcoef(found, tone())[0, 1] > 0.999999  # nothing was cut


def test_clipping_offset_and_quiet_are_measured(stored):
    told = stored(np.clip(tone(size=4.0), -1, 1))[1]
    assert told.clipped > 0.5
    assert stored(tone() + np.float32(0.1))[1].offset == pytest.approx(0.1, abs=1e-3)
    assert stored(np.concatenate([tone(1.0), np.zeros(48000, np.float32)]))[1].quiet == pytest.approx(0.75, abs=0.01)


def refused(tmp_path, data):
    (tmp_path / "bad.wav").write_bytes(data)
    with pytest.raises(BadFile) as caught:
        store(SoundBlocks(tmp_path / "bad.wav"), tmp_path / "store" / "x.s16", 16000, 0.0, lambda _share: None)
    assert not list((tmp_path / "store").glob("*")) if (tmp_path / "store").exists() else True
    return caught.value.reason


def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path):
    def wav(samples, subtype="FLOAT"):
        soundfile.write(tmp_path / "made.wav", samples, 16000, subtype=subtype)
        return (tmp_path / "made.wav").read_bytes()

    assert refused(tmp_path, b"") == "is empty"
    assert "not a sound file" in refused(tmp_path, b"no sound at all" * 20)
    assert "NaN" in refused(tmp_path, wav(np.array([0.1, np.nan, 0.1], np.float32)))
    assert refused(tmp_path, wav(np.zeros(16000, np.float32))) == "is silent"
    assert "cancel each other" in refused(tmp_path, wav(np.stack([tone(), -tone()], axis=1)))
    assert "no samples" in refused(tmp_path, wav(np.zeros(0, np.float32)))
    assert "cut off" in refused(tmp_path, wav(tone(), "PCM_16")[:-8000])


def test_silence_is_trimmed_at_both_ends_and_in_long_gaps(stored):
    quiet = np.zeros(48000, np.float32)
    short = np.zeros(8000, np.float32)
    sound = np.concatenate([quiet, tone(1.0), short, tone(1.0), quiet, tone(2.0, hz=300.0), quiet])
    found, told = stored(sound, trim=60.0)
    assert told.parts == ((2.9, 5.8), (8.4, 10.8))
    assert told.samples == len(found) == round((2.9 + 2.4) * 16000)
    whole, _ = stored(sound)
    assert np.array_equal(found, np.concatenate([whole[46400:92800], whole[134400:172800]]))
    assert stored(tone(), trim=60.0)[1].samples == 16000


def test_kept_parts_overlap_nowhere():
    rng = np.random.default_rng(3)
    for _ in range(50):
        levels = np.where(rng.random(2000) < 0.01, 1.0, 1e-9)
        levels[rng.integers(2000)] = 1.0
        parts = kept_parts(levels, 60.0)
        assert all(start < end for start, end in parts)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(parts))
        assert all(any(start <= place < end for start, end in parts) for place in np.flatnonzero(levels == 1.0))


def test_a_damaged_entry_is_none(stored, tmp_path):
    stored(tone())
    path = tmp_path / "store" / "entry.s16"
    data = path.read_bytes()
    for wrong in (b"", data[:-1], data[2:], data[:100] + data[200:], data[:-40] + b"x" * 40):
        path.write_bytes(wrong)
        assert read_entry(path) is None
    assert read_entry(tmp_path / "none") is None


def test_whoever_stops_leaves_nothing_half_written(tmp_path):
    soundfile.write(tmp_path / "long.wav", tone(60.0), 16000)

    def stop(share):
        if share > 0.4:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        store(SoundBlocks(tmp_path / "long.wav"), tmp_path / "store" / "x.s16", 16000, 0.0, stop)
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path):
    """An hour of stereo is 1.3 GB as float32."""
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", 44100, 2, "PCM_16") as file:
        minute = np.stack([tone(60.0, 44100), tone(60.0, 44100, 600.0)], axis=1)
        for _ in range(60):
            file.write(minute)
    code = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from componium.music.audio_blocks import SoundBlocks
        from componium.training.audio_store import store
        import soundfile, soxr
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        told = store(SoundBlocks(sys.argv[1]), Path(sys.argv[2]), 48000, 60.0, lambda share: None)
        print(told.samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """)
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "hour.flac", tmp_path / "x.s16"], text=True,
                          capture_output=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    samples, kilobytes = map(int, done.stdout.split())
    assert abs(samples - 3600 * 48000) <= 1 and kilobytes < 100_000
