"""Which line of a score is its melody: what a model of one voice listens to, and how that is told.

A score of one line has no choice. Where a track is called a melody (or soprano, voice, lead ...), it is the one.
Otherwise it is the highest of the tracks that sound for at least half as long as the busiest; of chords, the notes on
top. A note that lasts into the next, as in legato playing, ends there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from componium.music.errors import BadInput
from componium.music.score import Score, Track, note_arrays, note_ends, set_notes, skyline
from componium.music.voices import is_monophonic

MELODY_WORDS = ("melod", "sopran", "vocal", "voice", "lead", "solo", "sing", "tune", "cantus", "canto", "discant",
                "gesang", "chant")
"""Beginnings of words in the name of a track that is the melody."""
_MELODY = re.compile(rf"(?<![^\W\d_])({'|'.join(MELODY_WORDS)})")
BUSY = 0.5
"""A melody sounds for at least this share of the time that the busiest track does."""


@dataclass(frozen=True)
class MelodyLine:
    """The melody of a score.

    Attributes:
        track: a copy of it, in which no two notes sound together.
        place: the number of its track in the score, from 0.
        told: which line was taken, as a sentence; empty where there was no choice.
    """

    track: Track
    place: int
    told: str


def melody_line(score: Score, wanted: str = "auto") -> MelodyLine:
    """Return the melody of a score.

    Args:
        score: any score with notes that have a pitch.
        wanted: ``"auto"`` as above, ``"top"`` for the highest notes of all tracks together, or the name or the number
            (from 1) of a track.

    Raises:
        BadInput: there are no notes, only drums, or no such track.
    """
    full = [place for place, track in enumerate(score.tracks) if len(track.notes) and not track.is_drum]
    if not full:
        drums = any(len(track.notes) for track in score.tracks)
        raise BadInput("the score has only drums, and no notes with a pitch: there is no melody in it" if drums else
                       "the score has no notes: there is no melody in it")
    asked = wanted.strip().lower()
    if asked == "top":
        return _top_of(score, full, f"the highest notes of {len(full)} tracks" if len(full) > 1 else "")
    if asked != "auto":
        place = _named(score, full, asked)
        return _line_of(score, place, f"track {place + 1}{_called(score, place)}")
    if len(full) == 1:
        return _line_of(score, full[0], "")
    place, why = _melody_among(score, full)
    return _line_of(score, place, f"track {place + 1}{_called(score, place)}, {why} of {len(full)} with notes")


def _melody_among(score: Score, full: Sequence[int]) -> tuple[int, str]:
    """Return the track that is the melody, and why."""
    named = [place for place in full if _MELODY.search(score.tracks[place].name.lower())]
    if len(named) == 1:
        return named[0], "by its name"
    lengths = {place: _sounding_beats(score.tracks[place]) for place in named or full}
    busy = [place for place in lengths if lengths[place] >= BUSY * max(lengths.values())]
    heights = {place: float(np.mean(note_arrays(score.tracks[place])["pitch"])) for place in busy}
    return max(busy, key=lambda place: heights[place]), "the highest"


def _sounding_beats(track: Track) -> float:
    """Return for how long a track sounds; a chord counts once."""
    order = np.argsort(note_arrays(track)["time"], kind="stable")
    starts, ends = note_arrays(track)["time"].astype(np.float64)[order], np.maximum.accumulate(note_ends(track)[order])
    return float(np.maximum(ends - np.maximum(starts, np.append(starts[0], ends[:-1])), 0.0).sum())


def _named(score: Score, full: Sequence[int], asked: str) -> int:
    """Return the track that is meant by a number from 1 or by a name."""
    if asked.isdecimal() and int(asked) - 1 in full:
        return int(asked) - 1
    same = [place for place in full if score.tracks[place].name.strip().lower() == asked]
    if len(same) == 1:
        return same[0]
    known = ", ".join(f"{place + 1}{_called(score, place)}" for place in full)
    raise BadInput(f"line={asked}: the tracks with notes are {known}; give one of these numbers, a name that only one "
                   "has, top or auto")


def _called(score: Score, place: int) -> str:
    name = score.tracks[place].name.strip()
    return f" ({name})" if name else ""


def _line_of(score: Score, place: int, told: str) -> MelodyLine:
    """Return a track as one line: what overlaps a little is legato; of chords the highest notes are taken."""
    track = score.tracks[place].copy()
    legato(track)
    if is_monophonic(track):
        return MelodyLine(track, place, told)
    top = _top_of(score, [place], "")
    return MelodyLine(top.track, place, f"the highest notes of {told or 'its chords'}")


def _top_of(score: Score, places: Sequence[int], told: str) -> MelodyLine:
    alone = score.copy()
    alone.tracks = type(alone.tracks)([score.tracks[place].copy() for place in places])
    line = skyline(alone)
    first = (float(line.notes[0].time), int(line.notes[0].pitch))
    home = next((place for place in places if any((float(note.time), int(note.pitch)) == first
                                                  for note in score.tracks[place].notes)), places[0])
    line.name, line.program = score.tracks[home].name, score.tracks[home].program
    return MelodyLine(line, home, told)


def legato(track: Track) -> None:
    """End each note of a track where the next one begins, in place, where all begin one after another."""
    notes = note_arrays(track)
    order = np.argsort(notes["time"], kind="stable")
    notes = {name: column[order] for name, column in notes.items()}
    starts, ends = notes["time"].astype(np.float64), note_ends(track)[order]
    beyond = np.maximum(ends[:-1] - starts[1:], 0.0)
    held_long = np.any(beyond > 0.5 * (ends - starts)[:-1])
    if beyond.any() and np.all(np.diff(starts) > 0) and not held_long:
        notes["duration"][:-1] -= beyond.astype(np.float32)
        set_notes(track, notes)
