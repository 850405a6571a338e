"""Sounding: a performance becomes dry mono sound at a level that all files of an instrument share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium import registry
from componium.music.audio import Audio
from componium.music.loudness import limiting_gain
from componium.rendering.choose import LEVELS
from componium.rendering.ranges import range_of
from componium.rendering.solo import LEVEL_STEP_SECONDS, Solo, velocity_of

LUFS = -20.0
"""Loudness of what is played between mezzo forte and fortissimo."""
PEAK_DB = -1.5
"""No sample is above this."""
LONGEST_TAIL_SECONDS = 1.5
MEASURED_PITCHES = 9
"""So many pitches, at each of `LEVELS`, are measured before the level of an instrument is set."""
_CUTOFFS_HZ = (2500.0, 5000.0, 10_000.0)
"""Low-pass of first order, forwards and backwards, at pp, p and mf; none at ff."""

Wave = npt.NDArray[np.float32]


def sound_of(solo: Solo, program: int, soundfont: str, sample_rate_hz: int) -> Audio:
    """Return a performance as the SoundFont plays it, in mono, before its level is set.

    The player reads no modulators, so that all loudnesses would sound alike: here soft notes are darker, as they
    are on every instrument, by a low-pass that opens from pp to ff.
    """
    player = registry.create("soundfont", soundfont=soundfont, sample_rate_hz=sample_rate_hz,
                             tail_seconds=LONGEST_TAIL_SECONDS, gain_db=0.0)
    wave = player.play(solo.score(program)).to_mono().samples[0]
    seconds = np.arange(len(wave)) / sample_rate_hz
    blocks = seconds[::64]
    gain = np.interp(seconds, blocks, _smooth(solo.gain_db(blocks)))
    wave = wave * (10.0 ** (gain / 20.0)).astype(np.float32)
    return Audio(_darker(wave, np.interp(seconds, blocks, solo.level_at(blocks)), sample_rate_hz), sample_rate_hz)


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a curve without its jumps between notes."""
    kernel = np.hanning(9)
    return np.convolve(np.pad(values, 4, mode="edge"), kernel / kernel.sum(), mode="valid")


def _darker(wave: Wave, level: npt.NDArray[np.float64], rate_hz: int) -> Wave:
    """Return the wave with a low-pass that follows the level: a crossfade of filters without delay."""
    from scipy.signal import butter, sosfiltfilt

    versions = [sosfiltfilt(butter(1, min(cutoff, 0.45 * rate_hz), fs=rate_hz, output="sos"), wave)
                for cutoff in _CUTOFFS_HZ] + [wave]
    place = np.clip(level, 0.0, 1.0) * (len(versions) - 1)
    mixed = np.zeros(len(wave))
    for number, version in enumerate(versions):
        mixed += version * np.maximum(1.0 - np.abs(place - number), 0.0)
    return mixed.astype(np.float32)


def level_of(program: int, soundfont: str, sample_rate_hz: int) -> float:
    """Return the gain in dB that brings an instrument to `LUFS`: the same whatever it plays, and however long.

    Measured on pitches over the whole range, each at all loudnesses.
    """
    pitches = np.linspace(*range_of(program), MEASURED_PITCHES).round().astype(np.int64).repeat(len(LEVELS))
    level = np.tile(LEVELS, MEASURED_PITCHES)
    start = 0.8 * np.arange(len(pitches), dtype=np.float64)
    curve = np.repeat(level, round(0.8 / LEVEL_STEP_SECONDS))
    solo = Solo(start, np.full(len(start), 0.75), pitches, velocity_of(level), np.zeros((0, 2)), curve)
    return LUFS - sound_of(solo, program, soundfont, sample_rate_hz).loudness_lufs


def at_level(sound: Audio, gain_db: float, seconds: float) -> Audio:
    """Return the sound at its level and exactly so long; peaks are turned down where they would pass `PEAK_DB`."""
    ceiling = 10.0 ** (PEAK_DB / 20.0)
    samples = sound.gain(gain_db).samples
    limited = samples * limiting_gain(samples, sound.sample_rate_hz, ceiling=ceiling)
    count = round(seconds * sound.sample_rate_hz)
    clipped = np.clip(limited[:, :count], -ceiling, ceiling).astype(np.float32)
    faded = Audio(clipped, sound.sample_rate_hz).fade(0.002, 0.05).samples
    return Audio(np.pad(faded, ((0, 0), (0, count - faded.shape[1]))), sound.sample_rate_hz)
