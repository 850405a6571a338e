"""Solo: how a line is played. Dynamics from pp to ff, articulation, timing and vibrato, all by a seed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic import core

from componium.music.score import Note, Score, Track, new_score
from componium.rendering.lines import Line

PitchBend = core.PitchBendQuarter
Floats = npt.NDArray[np.float64]

RANGE_DB = 22.0
"""From pp (level 0) to ff (level 1)."""
LOUDEST_VELOCITY = 120
BEND_RANGE_CENTS = 200.0
BEND_STEP_SECONDS = 0.005
LEVEL_STEP_SECONDS = 0.01
TICKS_PER_SECOND = 10_000
ARTICULATIONS = {"legato": (0.99, 1.0), "tenuto": (0.88, 0.96), "detached": (0.6, 0.8), "staccato": (0.28, 0.45)}
"""Name -> least and largest share of the time to the next note for which a note sounds."""


@dataclasses.dataclass(frozen=True)
class Solo:
    """A line as it is played, times in seconds.

    Attributes:
        start: of each note.
        length: of each note.
        pitch: MIDI pitch of each note.
        velocity: of each note, from its level.
        bends: [events, 2] times and cents.
        level: loudness between 0 (pp) and 1 (ff), one value every `LEVEL_STEP_SECONDS`.
    """

    start: Floats
    length: Floats
    pitch: npt.NDArray[np.int64]
    velocity: npt.NDArray[np.int64]
    bends: Floats
    level: Floats

    @property
    def seconds(self) -> float:
        """Where the last note ends."""
        return float(self.start[-1] + self.length[-1])

    def score(self, program: int) -> Score:
        """Return it as a score in which a quarter note is a second."""
        score = new_score(tempo_bpm=60.0, ticks_per_beat=TICKS_PER_SECOND)
        track = Track("solo", program, False)
        for start, length, pitch, velocity in zip(self.start, self.length, self.pitch, self.velocity, strict=True):
            track.notes.append(Note(float(start), float(length), int(pitch), int(velocity)))
        for time, cents in self.bends:
            value = round(float(cents) / BEND_RANGE_CENTS * 8192)
            track.pitch_bends.append(PitchBend(float(time), min(max(value, -8192), 8191)))
        score.tracks.append(track)
        return score

    def gain_db(self, seconds: Floats) -> Floats:
        """Return what is to be added to the played notes, in dB: how the level moves while a note sounds."""
        at_start = self.level_at(self.start)
        note = np.maximum(np.searchsorted(self.start, seconds, side="right") - 1, 0)
        gain: Floats = (self.level_at(seconds) - at_start[note]) * RANGE_DB
        return gain

    def level_at(self, seconds: Floats) -> Floats:
        """Return the level 0..1 at times."""
        found: Floats = np.interp(seconds, np.arange(len(self.level)) * LEVEL_STEP_SECONDS, self.level)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, for another process."""
        return {field.name: np.asarray(getattr(self, field.name)).tolist() for field in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Solo:
        """Take back what `to_json` returned."""
        floats = {name: np.array(data[name], np.float64) for name in ("start", "length", "level")}
        return cls(**floats, bends=np.array(data["bends"], np.float64).reshape(-1, 2),
                   pitch=np.array(data["pitch"], np.int64), velocity=np.array(data["velocity"], np.int64))


def velocity_of(level: Floats | float) -> npt.NDArray[np.int64]:
    """Return the velocity of a level 0..1; loudness follows the square of the velocity."""
    found = LOUDEST_VELOCITY * 10.0 ** ((np.asarray(level) - 1.0) * RANGE_DB / 40.0)
    return np.clip(np.rint(found), 1, 127).astype(np.int64)


def play_line(line: Line, rng: np.random.Generator, *, level: float, vibrato: bool = True) -> Solo:
    """Return a line as it is played.

    Args:
        line: what is written.
        rng: of everything that is left to chance.
        level: loudness that it is about, 0 (pp) to 1 (ff).
        vibrato: whether the instrument can move its pitch.
    """
    beats = np.array([note[0] for note in line.notes])
    lengths = np.array([note[1] for note in line.notes])
    phrase = np.searchsorted(np.array(line.phrase_ends), beats + 1e-6, side="right")
    start, stretch = _timed(line, beats, phrase, rng)
    next_start = np.append(start[1:], np.inf)
    whole = np.minimum(lengths * stretch, next_start - start)
    length = _articulated(whole, next_start - start, phrase, line.swells, rng)
    curve = _levels(start, length, phrase, level, line.swells, rng)
    at_start = np.interp(start, np.arange(len(curve)) * LEVEL_STEP_SECONDS, curve)
    accented = np.clip(at_start + rng.normal(0.0, 0.02, len(start)), 0.0, 1.05)
    bends = _bends(start, length, rng) if vibrato else np.zeros((0, 2))
    return Solo(start, length, line.pitches, velocity_of(accented), bends, curve)


def _timed(line: Line, beats: Floats, phrase: npt.NDArray[np.int64],
           rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the starts in seconds, and seconds a beat at each: phrases hurry in their middle and slow at their end."""
    beat = 60.0 / line.tempo_bpm
    ends = np.append(0.0, line.phrase_ends)
    first = ends[np.clip(phrase, 0, len(ends) - 1)]
    last = ends[np.clip(phrase + 1, 0, len(ends) - 1)]
    position = np.clip((beats - first) / np.maximum(last - first, 1e-3), 0.0, 1.0)
    amount = 0.0 if line.swells else rng.uniform(0.02, 0.1)
    stretch = beat * (1.0 + amount * (0.4 - np.sin(np.pi * position)) + 1.5 * amount * position ** 4)
    gaps = np.diff(beats)
    start = np.concatenate([[0.0], np.cumsum(gaps * stretch[:-1])])
    room = np.minimum(np.append(np.inf, gaps), np.append(gaps, np.inf)) * beat
    shift = np.clip(rng.normal(0.0, 0.008, len(start)), -0.02, 0.02)
    start = np.maximum(start + np.clip(shift, -0.2 * room, 0.2 * room), 0.0) + 0.02
    return start, stretch


def _articulated(whole: Floats, to_next: Floats, phrase: npt.NDArray[np.int64], swells: bool,
                 rng: np.random.Generator) -> Floats:
    """Return how long notes sound; each phrase has its articulation, and ends with a breath."""
    names = list(ARTICULATIONS)
    length = whole.copy()
    for number in np.unique(phrase):
        inside = phrase == number
        low, high = ARTICULATIONS["tenuto" if swells else names[rng.choice(4, p=[0.42, 0.26, 0.16, 0.16])]]
        shares = rng.uniform(low, high, int(inside.sum()))
        if not swells:
            shares[-1] = max(shares[-1], 0.85)  # the last note of a phrase is held
        length[inside] *= shares
    bound = np.where(np.isfinite(to_next), to_next - 0.004, whole)
    return np.maximum(np.minimum(length, bound), 0.03)


def _levels(start: Floats, length: Floats, phrase: npt.NDArray[np.int64], level: float, swells: bool,
            rng: np.random.Generator) -> Floats:
    """Return the level every `LEVEL_STEP_SECONDS`: arches, crescendos and diminuendos around the level asked for."""
    times, values = [0.0], [level]
    for number in np.unique(phrase):
        inside = np.flatnonzero(phrase == number)
        first, last = float(start[inside[0]]), float(start[inside[-1]] + length[inside[-1]])
        about = float(np.clip(level + rng.normal(0.0, 0.05 if swells else 0.15), 0.0, 1.0))
        shape = rng.choice(["arch", "up", "down", "even"], p=[0.25, 0.2, 0.2, 0.35] if swells else [0.5, 0.2, 0.2, 0.1])
        size = float(rng.uniform(0.1, 0.5))
        edges = {"arch": (-0.5, 0.5, -0.5), "up": (-0.5, 0.0, 0.5), "down": (0.5, 0.0, -0.5), "even": (0, 0, 0)}[shape]
        times += [first + 1e-3, (first + last) / 2 + 1e-3, last + 2e-3]
        values += [about + size * edge for edge in edges]
    grid = np.arange(int((start[-1] + length[-1] + 1.0) / LEVEL_STEP_SECONDS)) * LEVEL_STEP_SECONDS
    smooth: Floats = np.clip(np.interp(grid, times, values), 0.0, 1.0)
    return smooth


def _bends(start: Floats, length: Floats, rng: np.random.Generator) -> Floats:
    """Return pitch bends: vibrato on held notes, and intonation a few cents beside the note."""
    depth_of_all, rate = float(rng.uniform(0.0, 28.0)), float(rng.uniform(4.6, 6.4))
    parts = []
    for begin, held in zip(start, length, strict=True):
        off = float(np.clip(rng.normal(0.0, 3.0), -8.0, 8.0))
        depth = depth_of_all * float(rng.uniform(0.5, 1.2)) if held > 0.4 and rng.random() < 0.85 else 0.0
        if depth < 2.0:
            parts.append(np.array([[begin, off]]))
            continue
        times = np.arange(0.0, held + 0.3, BEND_STEP_SECONDS)
        delay = float(rng.uniform(0.08, 0.35)) * min(held, 1.0)
        grown = np.clip((times - delay) / 0.4, 0.0, 1.0)
        phase = 2.0 * np.pi * np.cumsum(rate * (1.0 + 0.06 * np.sin(times * 1.7))) * BEND_STEP_SECONDS
        parts.append(np.column_stack([begin + times, off + depth * grown * np.sin(phase)]))
    for index in range(len(parts) - 1):  # a note's bends end where the next one starts
        parts[index] = parts[index][parts[index][:, 0] < start[index + 1] - 1e-6]
    return np.concatenate(parts)
