"""The tracker swift-f0: a small network (the package swift-f0, MIT), with its octaves checked by the causal tracker.

The network knows single voices and most instruments, also under noise, and places pitch within a few cents. But on
soft high or bright low notes of a saxophone it tells of a pitch that is two to four times too high, on sounds without
even harmonics three or five times, on a high clarinet a third, and it is sure of it. The difference function sees how
the sound repeats: where it is sure and the two are an octave or more apart, it is believed. Whether there is a pitch
at all is left to the network.

Frames without a pitch take the nearest pitch in time, before or after: what is learned from a sound should not start
each note at the pitch of the last one. That, and only that, may come from further than the lookahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from componium.dsp.pitch import VOICED, Floats, Pitch, check_range, checked
from componium.dsp.pitch_causal import CausalPitch
from componium.music.errors import require

LOWEST_HZ = 46.875
HIGHEST_HZ = 2093.75
RATE_HZ = 16000
HOP = 256  # samples between the network's frames, of which the first is centred on the first sample
REACH_SAMPLES = 2815
"""How far the network hears before and after the centre of a frame, at its rate, by its documentation."""
RESAMPLER_SECONDS = 0.008
"""How far the resampler hears: what is further away changes a sample by less than 1e-4 of the peak (measured)."""
SILENCE_FRAMES = 16
"""Frames of silence that are put before and after the sound: more than the network reaches."""
GAIN = 10.0
"""The network takes peaks below -60 dBFS for silence. It hears loud sound as well as soft: 20 dB are added."""
BLOCK_SECONDS = 20
LEAP_OCTAVES = 1.0 / 12.0
"""Between frames that are further apart than that there is a new note, and nothing in between."""
SURE = 0.8
"""Confidence from which on the formula may contradict a pitch that is an octave or more too high."""
VERY_SURE = 0.97
"""The same for one that is too low: the formula's pitch explains all of the sound, harmonics that are missing aside."""


class SwiftF0:
    """The tracker swift-f0; `componium.dsp.pitch.tracker` says how it is made, `Tracker` what it does."""

    name = "swift-f0"

    def __init__(self, *, lowest_hz: float | None = None, highest_hz: float | None = None) -> None:
        self.lowest_hz = LOWEST_HZ if lowest_hz is None else float(lowest_hz)
        self.highest_hz = HIGHEST_HZ if highest_hz is None else float(highest_hz)
        check_range(self.lowest_hz, self.highest_hz, within=(LOWEST_HZ, HIGHEST_HZ), name=self.name)
        package = require("swift_f0", extra="neural", purpose="The pitch tracker swift-f0")
        self._network = package.SwiftF0(threads=1, spin=False)

    def lookahead_samples(self, sample_rate_hz: int) -> int:
        """Return the reach of the network, one of its frames (between two of them is interpolated), the resampler's."""
        return int(np.ceil(((REACH_SAMPLES + HOP) / RATE_HZ + RESAMPLER_SECONDS) * sample_rate_hz))

    def track(self, samples: npt.ArrayLike, sample_rate_hz: int, *, hop_samples: int, first_sample: int = 0,
              frames: int | None = None) -> Pitch:
        """Return the pitch, as `Tracker.track` says; an hour of sound needs little more memory than its samples."""
        sound, count = checked(samples, sample_rate_hz, hop_samples, first_sample, frames)
        network, formula = self._heard(sound, sample_rate_hz)  # [N], frame SILENCE_FRAMES is the sound's first sample
        heard = Pitch(octaves_checked(network, formula), network.confidence)
        seconds = (first_sample + hop_samples * np.arange(count)) / sample_rate_hz
        found = between(heard, seconds * (RATE_HZ / HOP) + SILENCE_FRAMES)
        f0_hz = held(found.f0_hz, found.confidence >= VOICED, math.sqrt(self.lowest_hz * self.highest_hz))
        return Pitch(np.clip(f0_hz, self.lowest_hz, self.highest_hz).astype(np.float32), found.confidence)

    def _heard(self, sound: Floats, sample_rate_hz: int) -> tuple[Pitch, Pitch]:
        """Return the frames of the network and of the formula, block by block, with silence around the sound."""
        import torch

        stream = self._network.stream(fmin=self.lowest_hz, fmax=self.highest_hz)
        formula = CausalPitch(RATE_HZ, HOP, lowest_hz=self.lowest_hz, highest_hz=self.highest_hz)
        state, late = formula.start(1), formula.delay_frames - 1
        network, pitches, confidences = [], [], []
        with torch.inference_mode():
            for block in in_frames(at_16_khz(sound, sample_rate_hz)):
                network.append(stream.push(block, RATE_HZ))
                f0_hz, confidence, state = formula.step(torch.from_numpy(block)[None], state)
                pitches.append(f0_hz[0].numpy())
                confidences.append(confidence[0].numpy())
        network.append(stream.flush())
        count = sum(len(part.pitch_hz) for part in network) - late
        return (Pitch(np.concatenate([part.pitch_hz for part in network])[:count].astype(np.float32),
                      np.concatenate([part.confidence for part in network])[:count].astype(np.float32)),
                Pitch(np.concatenate(pitches)[late:], np.concatenate(confidences)[late:]))


def in_frames(blocks: Iterable[Floats]) -> Iterator[Floats]:
    """Yield silence, the sound in whole frames at the level that the network likes, and silence."""
    quiet = np.zeros(SILENCE_FRAMES * HOP, np.float32)
    yield quiet
    rest = quiet[:0]
    for block in blocks:
        rest = np.concatenate([rest, block * np.float32(GAIN)])
        whole = len(rest) // HOP * HOP
        if whole:
            yield rest[:whole]
        rest = rest[whole:]
    yield np.concatenate([rest, quiet[:-len(rest)] if len(rest) else quiet])
    yield quiet


def at_16_khz(sound: Floats, sample_rate_hz: int) -> Iterator[Floats]:
    """Yield the sound at the network's rate in blocks (soxr, very high quality, no delay)."""
    size = BLOCK_SECONDS * sample_rate_hz
    if sample_rate_hz == RATE_HZ:
        yield from (sound[start:start + size] for start in range(0, len(sound), size))
        return
    import soxr

    resampler = soxr.ResampleStream(sample_rate_hz, RATE_HZ, 1, dtype="float32", quality="VHQ")
    for start in range(0, len(sound), size):
        yield resampler.resample_chunk(sound[start:start + size], last=start + size >= len(sound))


def between(heard: Pitch, places: npt.NDArray[np.float64]) -> Pitch:
    """Return the pitch at places between frames: even in cents inside a note, that of the nearer note elsewhere.

    Args:
        heard: frames [N].
        places: [F], in frames; outside of 0..N-1 there is no pitch.
    """
    f0_hz, confidence = heard.f0_hz, heard.confidence
    inside = np.clip(places, 0, len(f0_hz) - 1)
    low = np.minimum(np.floor(inside).astype(np.int64), len(f0_hz) - 2)
    part = inside - low
    octaves, voiced = np.log2(f0_hz), confidence >= VOICED
    even = octaves[low] * (1 - part) + octaves[low + 1] * part
    one_note = voiced[low] & voiced[low + 1] & (np.abs(octaves[low + 1] - octaves[low]) < LEAP_OCTAVES)
    later = np.where(voiced[low] == voiced[low + 1], part > 0.5, voiced[low + 1])
    pitch = np.exp2(np.where(one_note, even, octaves[low + later]))
    sure = np.where(inside == places, confidence[low] * (1 - part) + confidence[low + 1] * part, 0.0)
    return Pitch(pitch.astype(np.float32), np.clip(sure, 0.0, 1.0).astype(np.float32))


def octaves_checked(network: Pitch, formula: Pitch) -> Floats:
    """Return the network's f0 [N], or the formula's where they are an octave or more apart and that is surer.

    Args:
        network: frames [N].
        formula: the same frames, heard by the causal tracker.
    """
    octaves = np.log2(network.f0_hz / formula.f0_hz)
    too_high = (octaves > 1.0 - LEAP_OCTAVES) & (formula.confidence >= SURE)
    too_low = (octaves < LEAP_OCTAVES - 1.0) & (formula.confidence >= VERY_SURE)
    return np.where(too_high | too_low, formula.f0_hz, network.f0_hz)


def held(f0_hz: Floats, voiced: npt.NDArray[np.bool_], otherwise_hz: float) -> Floats:
    """Return f0 [F] where frames without pitch have that of the nearest frame with one (the earlier of two)."""
    known = np.flatnonzero(voiced)
    if not len(known):
        return np.full(len(f0_hz), otherwise_hz, np.float32)
    at = np.arange(len(f0_hz))
    after = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(known[before] - at) <= np.abs(known[after] - at), known[before], known[after])
    return f0_hz[nearest]
