"""Hearing pitch, against real time: both trackers, at the settings of a live instrument."""

from __future__ import annotations

import statistics

import numpy as np
import numpy.typing as npt

from componium.benchmarks.measure import Measurement, on_one_thread, seconds_of
from componium.music.errors import ComponiumError

SAMPLE_RATE_HZ = 48000
HOP_SAMPLES = 512
SECONDS = 10.0
NOTE_SECONDS = 0.5


def phrase(seconds: float = SECONDS) -> npt.NDArray[np.float32]:
    """Return a line of notes with 12 harmonics, half a second each, between 147 and 587 Hz."""
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    degrees = np.array([0, 4, 7, 12, 16, 19, 24, 19, 14, 7])
    hz = 146.83 * 2.0 ** (degrees[(at / NOTE_SECONDS).astype(np.int64) % len(degrees)] / 12)
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ
    level = 0.1 * np.minimum(1.0, 8.0 * (1.0 - at % NOTE_SECONDS / NOTE_SECONDS))
    return (level * sum(np.sin(k * phase) / k for k in range(1, 13))).astype(np.float32)


def pitch() -> list[Measurement]:
    """Time each tracker on the same sound; one that is not installed says so."""
    from componium.dsp.pitch import TRACKERS

    return [on_one_thread(lambda name=name: _timed(name)) for name in TRACKERS]


def _timed(name: str) -> Measurement:
    from componium.dsp.pitch import tracker

    try:
        hears = tracker(name)
    except ComponiumError as error:
        return Measurement(name=f"pitch/{name}", baseline="real time", skipped=str(error))
    sound = phrase()
    hears.track(sound[:SAMPLE_RATE_HZ], SAMPLE_RATE_HZ, hop_samples=HOP_SAMPLES)
    times = seconds_of(lambda: hears.track(sound, SAMPLE_RATE_HZ, hop_samples=HOP_SAMPLES))
    delay = 1000.0 * hears.lookahead_samples(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return Measurement(
        name=f"pitch/{name}", baseline="real time", amount=len(sound) / SAMPLE_RATE_HZ, unit="seconds of sound",
        ours_seconds=statistics.median(times), baseline_seconds=len(sound) / SAMPLE_RATE_HZ, repeats=len(times),
        note=f"hop {HOP_SAMPLES} at {SAMPLE_RATE_HZ // 1000} kHz, one thread; hears {delay:.1f} ms ahead; the ratio is "
             "times real time")
