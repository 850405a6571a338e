"""A sung phrase made by a formula: a voice that glides from note to note and swings on long ones.

Nothing was recorded and nothing learned: the partials of a buzz, weighed by the resonances of an open vowel. It is here
to be turned into an instrument, which follows every bend of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.cli.demo import tune
from componium.cli.demo.plan import LUFS
from componium.music.audio import Audio

Floats = npt.NDArray[np.float64]
RATE_HZ = 44100
STEP = 100
"""Samples from one point of a curve to the next."""
HELD = 1.6
"""So many times longer is the last note, which has a fermata."""
BEFORE_SECONDS, AFTER_SECONDS = 0.15, 0.5
GLIDE_SECONDS, SCOOP_SEMITONES, FALL_SEMITONES = 0.13, 2.5, 1.5
VIBRATO_HZ, VIBRATO_CENTS, VIBRATO_WAIT_SECONDS = 5.4, 45.0, 0.3
FORMANTS = ((750.0, 110.0, 1.0), (1180.0, 130.0, 0.5), (2800.0, 220.0, 0.16), (3600.0, 300.0, 0.08))
"""Centre and half width in Hz, and share, of the resonances of an open vowel."""
SLOPE = 1.15
"""Partial k of the buzz has the amplitude k to the power of minus this."""
BREATH = 0.01
HIGHEST_HZ = 9000.0


def phrase() -> list[tuple[float, float, int]]:
    """Return the tune's first phrase, up to its fermata: start and end in seconds, and pitch."""
    score: Any = tune.melody()
    end = min(float(mark.time) for mark in score.markers)
    beat = 60.0 / float(score.tempos[0].qpm)
    notes = [(float(note.time), float(note.end), int(note.pitch)) for note in score.tracks[0].notes if note.time <= end]
    start, last, pitch = notes[-1]
    notes[-1] = start, start + HELD * (last - start), pitch
    return [(BEFORE_SECONDS + beat * first, BEFORE_SECONDS + beat * end, pitch) for first, end, pitch in notes]


def curves(seed: int) -> tuple[Floats, Floats]:
    """Return pitch (MIDI note numbers) and level (0 to 1) of the phrase, a value every `STEP` samples."""
    notes, rng = phrase(), np.random.default_rng([seed, 17])
    time = np.arange(0.0, notes[-1][1] + AFTER_SECONDS, STEP / RATE_HZ)
    pitch, level = np.full_like(time, notes[0][2]), np.zeros_like(time)
    pitch -= SCOOP_SEMITONES * (1.0 - _eased((time - notes[0][0]) / 0.25))
    for (_, _, before), (start, _, now) in pairwise(notes):
        pitch += (now - before) * _eased((time - start) / GLIDE_SECONDS + 0.6)
    pitch -= FALL_SEMITONES * _eased((time - notes[-1][1]) / 0.3)
    for start, end, _ in notes:
        inside = (time >= start) & (time < end)
        swell = np.clip((time - start - VIBRATO_WAIT_SECONDS) / 0.5, 0.0, 1.0) * inside * (end - start > 0.7)
        pitch += VIBRATO_CENTS / 100.0 * swell * np.sin(2 * np.pi * VIBRATO_HZ * (time - start))
        touch = 1.0 - 0.45 * np.exp(-(((time - start) / 0.035) ** 2))  # each note is begun anew, a little
        arch = np.sin(np.pi * np.clip((time - start) / (end - start), 0.0, 1.0))
        level = np.where(inside, touch * (0.7 + 0.3 * arch), level)
    pitch += _wandering(time, rng) * 0.06
    middle = np.sin(np.pi * np.clip(time / notes[-1][1], 0.0, 1.0))
    level = np.where(time >= notes[-1][1], 0.7, level) * (0.8 + 0.2 * middle)
    level *= _eased((time - notes[0][0]) / 0.12 + 0.3) * (1.0 - _eased((time - notes[-1][1]) / 0.25 + 0.4))
    return pitch, level


def sung(seed: int) -> Audio:
    """Return the phrase as it is sung, mono, of 24 bits: what is written is what is turned."""
    pitch, level = curves(seed)
    hz = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    angle = 2.0 * np.pi * np.cumsum(_between(hz)) / RATE_HZ
    twice, last, now = 2.0 * np.cos(angle), np.zeros_like(angle), np.sin(angle)
    sound = BREATH * np.random.default_rng([seed, 18]).standard_normal(len(angle))
    partials = np.arange(1, int(HIGHEST_HZ / hz.min()) + 1)[:, None]
    gains = partials**-SLOPE * _vowel(partials * hz) * (partials * hz < HIGHEST_HZ)
    for gain in gains / np.sqrt(np.square(gains).sum(0)):  # no note is louder for meeting a resonance
        sound += now * _between(gain)
        last, now = now, twice * now - last  # sines of the multiples of an angle, each from the two before
    made = Audio((sound * _between(level)).astype(np.float32), RATE_HZ).normalise(LUFS)
    return Audio(np.rint(made.samples * np.float32(2**23)) / np.float32(2**23), RATE_HZ)


def _between(curve: Floats) -> Floats:
    """Return the samples of a curve, on straight lines from point to point."""
    steps: Floats = (curve[:-1, None] + np.diff(curve)[:, None] * (np.arange(STEP) / STEP)).ravel()
    return steps


def _vowel(hz: Floats) -> Floats:
    """Return how loud a frequency comes out of the mouth."""
    found: Floats = sum((share / (1.0 + ((hz - centre) / width) ** 2) for centre, width, share in FORMANTS),
                        np.full_like(hz, 0.03))
    return found


def _eased(share: Floats) -> Floats:
    """Return 0 up to 0 and 1 from 1 on, and a smooth way between."""
    share = np.clip(share, 0.0, 1.0)
    eased: Floats = share * share * (3.0 - 2.0 * share)
    return eased


def _wandering(time: Floats, rng: np.random.Generator) -> Floats:
    """Return a slow random curve of about -1 to 1."""
    points = rng.uniform(-1.0, 1.0, int(time[-1] * 4) + 2)
    found: Floats = np.interp(time, np.arange(len(points)) / 4.0, points)
    return found
