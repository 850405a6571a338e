"""Chords in four voices: every complete voicing in range, and the one that the voices reach most smoothly."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from componium.music.theory import Chord

Pitches = npt.NDArray[np.int64]

VOICE_RANGES = ((60, 79), (55, 74), (48, 67), (40, 60))
"""Lowest and highest MIDI pitch of soprano, alto, tenor and bass."""
MIDDLE = np.array([69, 64, 57, 48])
"""Where the first chord lies, more or less."""
FIRST_CHOICES = 12
PARALLEL_COST_SEMITONES = 24
WIDEST_UPPER_GAP_SEMITONES = 12


def voice(chords: Iterable[Chord], rng: np.random.Generator) -> Pitches:
    """Return MIDI pitches [chords, 4], high to low.

    The first voicing is drawn from those around the middle of the voices; each further one moves the voices
    least and avoids parallel fifths and octaves.
    """
    found: list[Pitches] = []
    for chord in chords:
        choices = voicings(chord.bass_pitch_class, chord.pitch_classes)
        if found:
            found.append(_nearest(found[-1], choices))
        else:
            near = np.abs(choices - MIDDLE).sum(axis=1).argsort(kind="stable")[:FIRST_CHOICES]
            found.append(choices[int(rng.choice(near))])
    return np.array(found)


@functools.lru_cache(maxsize=512)
def voicings(bass: int, pitch_classes: tuple[int, ...]) -> Pitches:
    """Return every voicing [voicings, 4] of a chord, high to low: complete, uncrossed, no wide gap.

    Args:
        bass: pitch class of the lowest voice.
        pitch_classes: of the chord, from the root; of more than four the last ones and the third are kept.
    """
    if len(pitch_classes) > 4:
        pitch_classes = (pitch_classes[1], *pitch_classes[-2:])
    allowed = [*[pitch_classes] * 3, (bass,)]
    voices = [[pitch for pitch in range(low, high + 1) if pitch % 12 in classes]
              for (low, high), classes in zip(VOICE_RANGES, allowed, strict=True)]
    found = np.stack(np.meshgrid(*voices, indexing="ij"), axis=-1).reshape(-1, 4)
    gaps = found[:, :-1] - found[:, 1:]
    good = (gaps > 0).all(axis=1) & (gaps[:, :2] <= WIDEST_UPPER_GAP_SEMITONES).all(axis=1)
    for pitch_class in pitch_classes:
        good &= (found % 12 == pitch_class).any(axis=1)
    return np.asarray(found[good], dtype=np.int64)


def _nearest(last: Pitches, choices: Pitches) -> Pitches:
    moves = choices - last
    cost = np.abs(moves).sum(axis=1)
    for high, low in itertools.combinations(range(4), 2):
        interval = (last[high] - last[low]) % 12
        if interval in (0, 7):
            kept = (choices[:, high] - choices[:, low]) % 12 == interval
            cost += PARALLEL_COST_SEMITONES * (kept & (moves[:, low] != 0))
    return np.asarray(choices[int(cost.argmin())])
