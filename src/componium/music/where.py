"""Where in a piece: bars as a user writes them, ``"3-4"`` or ``"3-4,7"``, and a piece with new notes in them alone.

Bars are numbered as `componium.music.score.bars` numbers them: 1 is the first full bar, 0 a pickup. A note belongs to
the bar in which it starts: one that is held into the bars stays whole, and one that is held out of them goes with them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.score import END, bars
from componium.music.voices import CLOSE_BEATS, Score, Track, is_monophonic, note_arrays, note_ends, set_notes

_RANGE = re.compile(r"(\d{1,9})(?:\s*[-\u2013]\s*(\d{1,9}))?", re.ASCII)
_EVENTS = ("tempos", "time_signatures", "key_signatures")
_PARTS = ("controls", "pitch_bends", "pedals", "lyrics")


@dataclass(frozen=True)
class Passage:
    """Bars that follow each other.

    Attributes:
        first, last: numbers of the first and of the last bar.
        start_beats, end_beats: where they start and end.
    """

    first: int
    last: int
    start_beats: float
    end_beats: float

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def passages(score: Score, where: str) -> list[Passage]:
    """Return the passages of a score that ``where`` names, in order; bars that touch or are named twice are joined.

    Args:
        score: the piece.
        where: bars and ranges of bars, such as ``"3-4"`` or ``"3-4,7"``.

    Raises:
        BadInput: it names no bars, a range runs backwards, or the piece has no such bar.
    """
    there = {bar.index: bar for bar in bars(score)}
    if not there:
        raise BadInput("the piece has no notes, so it has no bars")
    wanted: set[int] = set()
    for first, last in _ranges(where):
        if first not in there or last not in there:
            missing = first if first not in there else last
            pickup = " and the pickup, bar 0" if 0 in there else ""
            raise BadInput(f"there is no bar {missing}: the piece has {_bars(max(there))}{pickup}")
        wanted |= set(range(first, last + 1))
    found: list[Passage] = []
    for index in sorted(wanted):
        start = there[index].start_beats
        joined = found.pop() if found and found[-1].last == index - 1 else Passage(index, index, start, start)
        found.append(Passage(joined.first, index, joined.start_beats, there[index].end_beats))
    return found


def inside(times_beats: npt.ArrayLike, places: Iterable[Passage]) -> npt.NDArray[np.bool_]:
    """Return which times lie in one of the passages; a passage holds its start and not its end."""
    times = np.asarray(times_beats, dtype=np.float64)
    found = np.zeros(times.shape, bool)
    for place in places:
        found |= (times >= place.start_beats - CLOSE_BEATS) & (times < place.end_beats - CLOSE_BEATS)
    return found


def emptied(score: Score, places: Sequence[Passage]) -> Score:
    """Return the score without the notes that start in the passages; drums and everything else stay."""
    changed = score.copy()
    for track in changed.tracks:
        if len(track.notes) and not track.is_drum:
            notes = note_arrays(track)
            stays = ~inside(notes["time"], places)
            set_notes(track, {name: column[stays] for name, column in notes.items()})
    return changed


def filled(score: Score, new: Score, places: Sequence[Passage]) -> Score:
    """Return the score with the notes of another one in the passages, everything else untouched to the note.

    Tracks meet by their places; drums stay. A new note ends where its passage does, or, where the old music of the
    track was held beyond it, where that ended. In a single line it begins where a note that is held into the passage
    ends.

    Raises:
        BadInput: the scores have different numbers of tracks.
    """
    if len(score.tracks) != len(new.tracks):
        raise BadInput(f"the new passage has {len(new.tracks)} tracks, and the piece {len(score.tracks)}")
    changed = emptied(score, places)
    for track, old, source in zip(changed.tracks, score.tracks, new.tracks, strict=True):
        if track.is_drum or not len(source.notes):
            continue
        for place in places:
            latest = _latest_end(old, place)
            held_until = _held_until(track, place) if is_monophonic(old) else place.start_beats
            _insert(track, source, place, held_until, latest)
        track.notes.sort(key=lambda note: (note.time, note.pitch), inplace=True)
    return changed


def changes_outside(before: Score, after: Score, places: Sequence[Passage] = ()) -> list[str]:
    """Return what two scores differ in besides the notes in some passages, a sentence each; empty if in nothing.

    Compared are every note with its start, length and loudness, tracks with names and programs, tempos, meters, keys,
    markers, controls and lyrics. A new note may last beyond its passage only as far as the old ones did. A marker
    `END` may be added: it keeps the length of a piece that now ends in a rest.
    """
    told = [f"the {name.replace('_', ' ')} differ" for name in _EVENTS
            if _listed(getattr(before, name)) != _listed(getattr(after, name))]
    added = _markers(after) - _markers(before)
    if _markers(before) - _markers(after) or any(text != END for _, text in added):
        told.append("the markers differ")
    if len(before.tracks) != len(after.tracks):
        return [*told, f"there are {len(after.tracks)} tracks, and not {len(before.tracks)}"]
    for number, (old, new) in enumerate(zip(before.tracks, after.tracks, strict=True), 1):
        name = old.name or f"track {number}"
        if (old.name, old.program, old.is_drum) != (new.name, new.program, new.is_drum):
            told.append(f"{name} has another name or program")
        if any(_listed(getattr(old, part)) != _listed(getattr(new, part)) for part in _PARTS):
            told.append(f"the controls or lyrics of {name} differ")
        told += [f"{name}: {text}" for text in _notes_changed(old, new, places)]
    return told


def note_counts(track: Track, places: Iterable[Passage] = ()) -> Counter[tuple[float, float, int, int]]:
    """Return how often a track has each note that starts outside the passages: (start, length, pitch, velocity)."""
    if not len(track.notes):
        return Counter()
    notes = note_arrays(track)
    stays = ~inside(notes["time"], places)
    columns = (notes[name][stays].tolist() for name in ("time", "duration", "pitch", "velocity"))
    return Counter(zip(*columns, strict=True))


def _ranges(where: str) -> list[tuple[int, int]]:
    """Return the ranges of bars that are written, first and last."""
    example = "name bars such as 3-4 or 3-4,7"
    if not where.strip():
        raise BadInput(f"no bars are named: {example}")
    found = []
    for word in where.split(","):
        match = _RANGE.fullmatch(word.strip())
        if match is None:
            raise BadInput(f"{word.strip()[:40]!r} in {where[:40]!r} is no bar: {example}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise BadInput(f"the bars {first}-{last} run backwards: write {last}-{first}")
        found.append((first, last))
    return found


def _bars(count: int) -> str:
    return f"{count} bar{'' if count == 1 else 's'}"


def _latest_end(track: Track, place: Passage) -> float:
    """Return where music that starts in a passage may end."""
    if not len(track.notes):
        return place.end_beats
    ends = note_ends(track)[inside(note_arrays(track)["time"], [place])]
    return float(np.max(ends, initial=place.end_beats))


def _held_until(track: Track, place: Passage) -> float:
    """Return where a note ends that is held into a passage, or else its start."""
    if not len(track.notes):
        return place.start_beats
    ends = note_ends(track)[note_arrays(track)["time"] < place.start_beats - CLOSE_BEATS]
    return float(np.max(ends, initial=place.start_beats))


def _insert(track: Track, source: Track, place: Passage, earliest: float, latest: float) -> None:
    for note in source.notes:
        start, end = max(float(note.time), earliest), min(float(note.end), latest)
        if inside(note.time, [place]) and start < min(end, place.end_beats) - CLOSE_BEATS:
            copy = note.copy()
            copy.time, copy.duration = start, end - start
            track.notes.append(copy)


def _notes_changed(old: Track, new: Track, places: Sequence[Passage]) -> list[str]:
    kept, there = note_counts(old, places), note_counts(new, places)
    told = []
    if kept != there:
        start = min((kept - there) + (there - kept))[0]
        told.append(f"the notes outside differ, the first at beat {start:g}")
    for place in places:
        latest, end = _latest_end(old, place), _latest_end(new, place)
        if end > latest + CLOSE_BEATS:
            told.append(f"a new note lasts beyond bar {place.last}, to beat {end:g}")
    return told


def _listed(events: Any) -> list[str]:
    return sorted(repr(event) for event in events)


def _markers(score: Score) -> Counter[tuple[float, str]]:
    return Counter((float(event.time), str(event.text)) for event in score.markers)
