"""Lines: what a soloist is given to play. Studies that are made up here, and melodies out of scores.

The studies (melodies by chance, scales, arpeggios, runs, long notes) are nobody's music: what is rendered from them
has the licence of the SoundFont alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from componium.music.score import PHRASE_END, Score, note_arrays, voices

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10),
          "harmonic minor": (0, 2, 3, 5, 7, 8, 11)}
_RHYTHMS = ((1.0, 1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (1.5, 0.5, 1.0, 1.0), (0.5,) * 8, (1.0, 0.5, 0.5, 2.0), (3.0, 1.0),
            (0.5, 0.5, 1.0, 0.5, 0.5, 1.0), (0.25, 0.25, 0.5, 1.0, 0.5, 0.5, 1.0), (2.0, 2.0),
            (0.75, 0.25, 0.75, 0.25, 1.0, 1.0), (1 / 3,) * 6 + (1.0, 1.0))
"""Bars of four quarter notes."""


@dataclasses.dataclass(frozen=True)
class Line:
    """Notes one after the other.

    Attributes:
        name: of the study or the piece, for the file.
        notes: (start, length, MIDI pitch), times in quarter notes, in order and apart.
        phrase_ends: where phrases end, in quarter notes.
        tempo_bpm: quarter notes a minute.
        swells: whether every note is a phrase of its own (long tones).
        source: where the notes come from.
        licence: terms of the notes; empty for studies, which are nobody's.
    """

    name: str
    notes: tuple[tuple[float, float, int], ...]
    phrase_ends: tuple[float, ...]
    tempo_bpm: float
    swells: bool = False
    source: str = "studies of Componium"
    licence: str = ""

    def moved(self, semitones: int) -> Line:
        """Return the line transposed."""
        return dataclasses.replace(self, notes=tuple((start, length, pitch + semitones)
                                                     for start, length, pitch in self.notes))

    @property
    def pitches(self) -> npt.NDArray[np.int64]:
        """MIDI pitches, one a note."""
        return np.array([pitch for _, _, pitch in self.notes], np.int64)

    @property
    def seconds(self) -> float:
        """Length as written, without tail."""
        start, length, _ = self.notes[-1]
        return (start + length) * 60.0 / self.tempo_bpm


def _joined(name: str, steps: Sequence[tuple[float, int]], tempo_bpm: float, every_beats: float,
            swells: bool = False) -> Line:
    """Return a line of (length, pitch) steps; a negative pitch is a rest; a phrase ends every so many beats."""
    notes, ends, now, phrase = [], [], 0.0, 0.0
    for length, pitch in steps:
        if pitch >= 0:
            notes.append((now, length, pitch))
        now += length
        if now - phrase >= every_beats - 1e-6:
            ends.append(now)
            phrase = now
    return Line(name, tuple(notes), tuple(ends or [now]), tempo_bpm, swells)


def melody(rng: np.random.Generator, low: int, high: int) -> Line:
    """Return a melody by chance: mostly steps, leaps that turn back, phrases of two bars that end on a long note."""
    scale = np.array(list(SCALES.values())[rng.integers(len(SCALES))])
    pitches = _degrees(scale, int(rng.integers(12)), low, high)
    tempo = float(rng.uniform(52, 150))
    bars = max(2, 2 * round(float(rng.uniform(12, 22)) * tempo / 60 / 8))
    place, last = int(rng.integers(len(pitches))), 0
    steps: list[tuple[float, int]] = []
    for bar in range(bars):
        rhythm = _RHYTHMS[rng.integers(len(_RHYTHMS))]
        if bar % 2:
            rhythm = (1.0, 1.0, 2.0) if rng.random() < 0.5 else (0.5, 0.5, 1.0, 2.0)
        for length in rhythm:
            rest = bar % 2 and length == 2.0 and rng.random() < 0.3
            steps += [(1.5, int(pitches[place])), (0.5, -1)] if rest else [(length, int(pitches[place]))]
            last = _motion(rng, last, place, len(pitches))
            place = int(np.clip(place + last, 0, len(pitches) - 1))
    return _joined("melody", steps, tempo, 8.0)


def _motion(rng: np.random.Generator, last: int, place: int, count: int) -> int:
    """Return the next interval in scale steps; after a leap the line turns back."""
    if abs(last) > 2:
        return int(-np.sign(last) * rng.integers(1, 3))
    size = int(rng.choice([0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 7]))
    up = 0.5 + 0.4 * (0.5 - place / max(count - 1, 1))
    return size if rng.random() < up else -size


def scale(rng: np.random.Generator, low: int, high: int) -> Line:
    """Return a scale up and down in even notes, slow or fast."""
    kind = list(SCALES)[rng.integers(len(SCALES))]
    pitches = _degrees(np.array(SCALES[kind]), int(rng.integers(12)), low, high)
    return _up_and_down(rng, "scale", pitches, float(rng.choice([0.25, 0.5, 1.0])))


def chromatic(rng: np.random.Generator, low: int, high: int) -> Line:
    """Return all semitones up and down in fast notes."""
    return _up_and_down(rng, "chromatic", np.arange(low, high + 1), 0.25)


def arpeggio(rng: np.random.Generator, low: int, high: int) -> Line:
    """Return a broken chord up and down."""
    chord = np.array([(0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6, 9)][rng.integers(4)], dtype=object)
    return _up_and_down(rng, "arpeggio", _degrees(np.array(list(chord), int), int(rng.integers(12)), low, high), 0.5)


def _up_and_down(rng: np.random.Generator, name: str, pitches: npt.NDArray[np.int64], length: float) -> Line:
    tempo = float(rng.uniform(60, 132))
    wanted = max(6, round(float(rng.uniform(12, 20)) * tempo / 60 / length))
    turn = np.concatenate([pitches, pitches[-2:0:-1]]) if len(pitches) > 2 else pitches
    if rng.random() < 0.5:
        turn = np.roll(turn, len(turn) // 2)  # from the top
    order = np.resize(turn, wanted)
    steps = [(length, int(pitch)) for pitch in order[:-1]] + [(2.0, int(order[-1]))]
    return _joined(name, steps, tempo, max(4.0, length * len(pitches)))


def long_tones(rng: np.random.Generator, pitches: Sequence[int]) -> Line:
    """Return held notes of two to five seconds with short rests, on the pitches given."""
    steps: list[tuple[float, int]] = []
    for pitch in pitches:
        steps += [(float(rng.uniform(2.0, 5.0)), int(pitch)), (float(rng.uniform(0.2, 0.5)), -1)]
    return dataclasses.replace(_joined("long_tones", steps[:-1], 60.0, 0.0, swells=True))


def _degrees(scale: npt.NDArray[np.int64], tonic: int, low: int, high: int) -> npt.NDArray[np.int64]:
    """Return the pitches of a scale from low to high."""
    every = np.arange(low, high + 1)
    return every[np.isin((every - tonic) % 12, scale)]


def lines_of(score: Score, name: str, *, longest_seconds: float = 25.0, source: str = "",
             licence: str = "") -> list[Line]:
    """Return the voices of a score as lines of at most so many seconds, cut at rests and phrase ends.

    Args:
        score: the music; each part in one voice is a line of its own.
        name: of the piece.
        longest_seconds: longest line; longer voices are several lines.
        source: of the piece.
        licence: of the piece.
    """
    tempo = float(score.tempos[0].qpm) if len(score.tempos) else 100.0
    tempo = min(max(tempo, 40.0), 180.0)
    marked = [float(event.time) for event in score.markers if event.text == PHRASE_END]
    found = []
    for track in voices(score):
        notes = _apart(track)
        for number, part in enumerate(_cut(notes, marked, longest_seconds * tempo / 60.0)):
            start = part[0][0]
            ends = tuple(end - start for end in marked if start < end < part[-1][0]) or _every(part, start)
            found.append(Line(f"{name}" + (f"-{number + 1}" if number else ""),
                              tuple((at - start, length, pitch) for at, length, pitch in part),
                              (*ends, part[-1][0] + part[-1][1] - start), tempo, source=source, licence=licence))
    return found


def _apart(track: object) -> list[tuple[float, float, int]]:
    """Return the notes of a voice in order, each ending where the next begins at the latest."""
    arrays = note_arrays(track)  # type: ignore[arg-type]
    order = np.lexsort((-arrays["pitch"], arrays["time"]))
    notes: list[tuple[float, float, int]] = []
    for index in order:
        start, length = float(arrays["time"][index]), float(arrays["duration"][index])
        if notes and start - notes[-1][0] < 0.05:
            continue
        if notes and notes[-1][0] + notes[-1][1] > start:
            notes[-1] = (notes[-1][0], start - notes[-1][0], notes[-1][2])
        notes.append((start, max(length, 0.05), int(arrays["pitch"][index])))
    return notes


def _cut(notes: list[tuple[float, float, int]], marked: Sequence[float],
         longest: float) -> list[list[tuple[float, float, int]]]:
    """Return the notes in parts of at most so many beats; rests of more than a bar are cut out."""
    parts: list[list[tuple[float, float, int]]] = [[]]
    for note in notes:
        part = parts[-1]
        if part and (note[0] + note[1] - part[0][0] > longest or note[0] - part[-1][0] - part[-1][1] > 4.0):
            parts.append([])
        parts[-1].append(note)
    return [part for part in parts if len(part) >= 4]


def _every(part: Sequence[tuple[float, float, int]], start: float) -> tuple[float, ...]:
    """Return a phrase end every eight beats."""
    length = part[-1][0] + part[-1][1] - start
    return tuple(float(beat) for beat in np.arange(8.0, length - 4.0, 8.0))
