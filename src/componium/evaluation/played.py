"""Played: does an instrument play what is written? A tune against its notes, and velocities against loudness."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from componium.evaluation import instrument
from componium.evaluation.instrument import Curves
from componium.music.audio import Audio
from componium.music.score import Note, Score, Track, new_score

TITLE = "Ode to Joy (L. van Beethoven, 1824)"
TUNE = ((64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1), (60, 1), (60, 1), (62, 1), (64, 1),
        (64, 1.5), (62, 0.5), (62, 2), (64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1), (60, 1),
        (60, 1), (62, 1), (64, 1), (62, 1.5), (60, 0.5), (60, 2))
"""MIDI pitch and beats of each note, in C major."""
TEMPO_BPM = 96.0
VELOCITIES = (20, 40, 60, 80, 100, 120)
LEAST_PITCH, MOST_PITCH = 24, 96


@dataclasses.dataclass(frozen=True, eq=False)
class Played:
    """What a model played.

    Attributes:
        score: the tune.
        sound: the model's.
        cents: median distance from the written notes, without sign; NaN where no note is heard.
        worst_cents: of the note that is farthest from what is written.
        rising: share of pairs of velocities of which the higher one is louder: 1 = strictly monotonic.
        range_db: loudness of the highest velocity above that of the lowest.
        velocities: dB of each of `VELOCITIES`.
    """

    score: Score
    sound: Audio
    cents: float
    worst_cents: float
    rising: float
    range_db: float
    velocities: tuple[float, ...]


def tune_near(pitch: float) -> Score:
    """Return the tune, transposed so that the middle of its range is nearest to a note number."""
    middle = (min(TUNE)[0] + max(TUNE)[0]) / 2
    shift = int(np.clip(round(pitch - middle), LEAST_PITCH - min(TUNE)[0], MOST_PITCH - max(TUNE)[0]))
    return _score([(note + shift, beats, 80) for note, beats in TUNE])


def velocities_at(pitch: float) -> Score:
    """Return one note in all velocities, two beats each."""
    return _score([(int(np.clip(round(pitch), LEAST_PITCH, MOST_PITCH)), 2, velocity) for velocity in VELOCITIES],
                  sounding=0.8)


def _score(notes: list[tuple[int, float, int]], sounding: float = 1.0) -> Score:
    score, track, time = new_score(tempo_bpm=TEMPO_BPM), Track("Melody"), 0.0
    for pitch, beats, velocity in notes:
        track.notes.append(Note(time, sounding * beats, pitch, velocity))
        time += beats
    score.tracks.append(track)
    return score


def played(model: Any, pitch: float, seed: int) -> Played:
    """Let a model play, and hear what it played with its own tracker.

    Args:
        model: an instrument.
        pitch: note number around which it plays.
        seed: of its noise.
    """
    tune, loud = tune_near(pitch), velocities_at(pitch)
    sound = model.play(tune, seed=seed)
    away = [abs(each) for each in instrument.cents_off(_curves(model, sound), _written(tune))]
    levels = instrument.loudness_of_velocities(_curves(model, model.play(loud, seed=seed)), _velocities(loud))
    return Played(tune, sound, float(np.median(away)) if away else math.nan, max(away, default=math.nan),
                  instrument.rising_share(levels), levels[-1] - levels[0], tuple(levels))


def _curves(model: Any, sound: Audio) -> Curves:
    heard, hop = model.hear(sound), round(model.sample_rate_hz / model.frame_rate_hz)
    return Curves(*(np.asarray(each, np.float64) for each in (heard.f0_hz, heard.confidence, heard.loudness_db)), hop,
                  model.sample_rate_hz, hop)


def _written(score: Score) -> list[tuple[float, float, float]]:
    timed: Any = score.to("second")
    return [(float(n.start), float(n.end), float(n.pitch)) for n in timed.tracks[0].notes]


def _velocities(score: Score) -> list[tuple[float, float, int]]:
    timed: Any = score.to("second")
    return [(float(n.start), float(n.end), int(n.velocity)) for n in timed.tracks[0].notes]
