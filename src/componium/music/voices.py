"""Voices: one track per voice, or one for all, and the way between them.

`score` offers all of this; the names live here to keep that file short.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic import core

from componium.music.errors import BadInput

Score = core.ScoreQuarter
Track = core.TrackQuarter
Note = core.NoteQuarter

VOICE_NAMES = ("Soprano", "Alto", "Tenor", "Bass")
"""The names of four voices, high to low."""
CLOSE_BEATS = 1e-3
"""Times nearer than this are the same: half a tick at 480 ticks a beat, more than 32-bit times round."""
CROSSING_COST_SEMITONES = 6.0
HOME_WEIGHT = 0.25


def note_arrays(track: Track) -> dict[str, npt.NDArray[Any]]:
    """Return a track's notes as arrays [notes]: time and duration (beats), pitch, velocity."""
    return dict(track.notes.numpy())


def note_ends(track: Track) -> npt.NDArray[np.float64]:
    """Return the end of each note of a track in beats, [notes]."""
    arrays = note_arrays(track)
    return np.asarray(arrays["time"].astype(np.float64) + arrays["duration"].astype(np.float64))


def set_notes(track: Track, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Replace a track's notes by arrays of the form of `note_arrays`."""
    track.notes = core.NoteQuarterList.from_numpy(
        np.ascontiguousarray(arrays["time"], dtype=np.float32),
        np.ascontiguousarray(arrays["duration"], dtype=np.float32),
        np.ascontiguousarray(arrays["pitch"], dtype=np.int8),
        np.ascontiguousarray(arrays["velocity"], dtype=np.int8))


def voices(score: Score) -> list[Track]:
    """Return the tracks that are voices (with notes, no drums), high to low.

    Tracks named Soprano, Alto, Tenor, Bass, or Voice 1, Voice 2 ..., keep that order; others go by their mean
    pitch.
    """
    tracks = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    return ordered(tracks)


def ordered(tracks: Sequence[Track]) -> list[Track]:
    """Return tracks high to low, by their names where these say it; empty ones last."""
    ranks = [voice_rank(track.name) for track in tracks]
    if all(rank is not None for rank in ranks) and len(set(ranks)) == len(ranks):
        return [track for _, track in sorted(zip(ranks, tracks, strict=True), key=lambda pair: pair[0] or 0)]
    return sorted(tracks, key=lambda t: -float(np.mean(note_arrays(t)["pitch"])) if len(t.notes) else 1.0)


def voice_rank(name: str) -> int | None:
    """Return the place, from 0 at the top, that a track's name states, or None."""
    name = name.strip().lower()
    for rank, voice in enumerate(VOICE_NAMES):
        if name == voice.lower():
            return rank
    number = name.removeprefix("voice ")
    return int(number) - 1 if re.fullmatch(r"[1-9]\d{0,2}", number, re.ASCII) and number != name else None


def is_monophonic(track: Track) -> bool:
    """Return whether no two notes of a track sound together."""
    arrays = note_arrays(track)
    order = np.argsort(arrays["time"], kind="stable")
    return bool(np.all(arrays["time"][order][1:] >= note_ends(track)[order][:-1] - CLOSE_BEATS))


def polyphony(notes: Iterable[Note]) -> int:
    """Return how many notes sound together at most."""
    events: list[tuple[float, int]] = []
    for note in notes:
        events += [(note.time + CLOSE_BEATS, 1), (max(note.end, note.time + 2 * CLOSE_BEATS), -1)]
    sounding = most = 0
    for _, change in sorted(events):
        sounding += change
        most = max(most, sounding)
    return most


def merge_voices(score: Score) -> Score:
    """Return the score with all tracks but the drums in one; of the notes of a unison the longest is kept."""
    melodic = [track for track in score.tracks if not track.is_drum]
    if len(melodic) < 2:
        return score.copy()
    merged = melodic[0].copy()
    merged.name = melodic[0].name if len({track.name for track in melodic}) == 1 else "All voices"
    for track in melodic[1:]:
        for part in ("notes", "controls", "pitch_bends", "pedals", "lyrics"):
            getattr(merged, part).extend(getattr(track, part))
    longest: dict[tuple[int, int], Note] = {}
    for note in merged.notes:
        place = (round(note.time / CLOSE_BEATS), note.pitch)
        if place not in longest or note.duration > longest[place].duration:
            longest[place] = note
    kept = [note.copy() for note in longest.values()]
    merged.notes = core.NoteQuarterList(sorted(kept, key=lambda note: (note.time, note.pitch)))
    changed = score.copy()
    changed.tracks = core.TrackQuarterList([merged] + [t.copy() for t in score.tracks if t.is_drum])
    return changed


def split_voices(score: Score, count: int | None = None) -> Score:
    """Return the score with one monophonic track per voice, high to low; drums follow.

    All notes but the drums' go to ``count`` voices (as many as sound together at most, where not given) so
    that lines stay smooth and do not cross: notes that start together keep their order, each prefers the
    voice whose last note was near. Where more notes sound than there are voices, held ones are cut at the
    next start; raises `BadInput` where more notes start together than there are voices. A score that has
    ``count`` monophonic tracks keeps them.
    """
    tracks = voices(score)
    if count is not None and count < 1:
        raise BadInput(f"count={count}: a score has at least one voice")
    changed = score.copy()
    drums = [track.copy() for track in score.tracks if track.is_drum]
    if not tracks or (count in (None, len(tracks)) and all(is_monophonic(track) for track in tracks)):
        changed.tracks = core.TrackQuarterList([track.copy() for track in tracks] + drums)
        return changed
    notes = [note.copy() for track in tracks for note in track.notes]
    notes.sort(key=lambda note: (note.time, -note.pitch))
    lines = _assign(notes, count or polyphony(notes))
    names = VOICE_NAMES if len(lines) == 4 else tuple(f"Voice {place + 1}" for place in range(len(lines)))
    made = []
    for name, line in zip(names, lines, strict=True):
        track = Track(name, tracks[0].program, False)
        track.notes = core.NoteQuarterList(line)
        made.append(track)
    changed.tracks = core.TrackQuarterList(made + drums)
    return changed


def skyline(score: Score) -> Track:
    """Return the melody on top as one monophonic track (skyline; Uitdenbogerd and Zobel 1999).

    A note belongs to it if nothing higher sounds when it starts; it is cut where the next one starts.
    """
    tracks = voices(score)
    line = Track("Melody", tracks[0].program if tracks else 0, False)
    notes = sorted((note for track in tracks for note in track.notes), key=lambda n: (n.time, -n.pitch))
    kept: list[Note] = []
    for note in notes:
        if kept and note.time < kept[-1].end - CLOSE_BEATS:
            if note.pitch <= kept[-1].pitch or note.time < kept[-1].time + CLOSE_BEATS:
                continue
            kept[-1].duration = note.time - kept[-1].time
        kept.append(note.copy())
    line.notes = core.NoteQuarterList(kept)
    return line


def _assign(notes: Sequence[Note], count: int) -> list[list[Note]]:
    """Share sorted notes among voices; what is still held is cut where there are too few."""
    lines: list[list[Note]] = [[] for _ in range(count)]
    homes = _homes(notes, count)
    for group in _starts_together(notes):
        start = group[0].time
        if len(group) > count:
            raise BadInput(f"{len(group)} notes start together at beat {start:g}: more than {count} voices")
        held = {v for v in range(count) if lines[v] and lines[v][-1].end > start + CLOSE_BEATS}
        while count - len(held) < len(group):
            earliest = min(held, key=lambda v: lines[v][-1].time)
            lines[earliest][-1].duration = start - lines[earliest][-1].time
            held.remove(earliest)
        free = [v for v in range(count) if v not in held]
        costs = [[_cost(note, v, lines, homes, held) for v in free] for note in group]
        for note, place in zip(group, _match(costs), strict=True):
            lines[free[place]].append(note)
    return lines


def _starts_together(notes: Sequence[Note]) -> list[list[Note]]:
    groups: list[list[Note]] = []
    for note in notes:
        if groups and note.time - groups[-1][0].time < CLOSE_BEATS:
            groups[-1].append(note)
        else:
            groups.append([note])
    return [sorted(group, key=lambda note: -note.pitch) for group in groups]


def _homes(notes: Sequence[Note], count: int) -> list[float]:
    """Return the usual pitch of each voice: its mean in full chords, or else quantiles of all pitches."""
    full: dict[int, list[int]] = defaultdict(list)
    for group in _starts_together(notes):
        if len(group) == count:
            for place, note in enumerate(group):
                full[place].append(note.pitch)
    if full:
        return [float(np.mean(full[place])) for place in range(count)]
    shares = [(place + 0.5) / count for place in range(count)]
    return [float(q) for q in np.quantile([-note.pitch for note in notes], shares) * -1]


def _cost(note: Note, voice: int, lines: list[list[Note]], homes: list[float], held: set[int]) -> float:
    last = lines[voice][-1].pitch if lines[voice] else homes[voice]
    sounding = [(v, lines[v][-1].pitch) for v in held if lines[v][-1].pitch != note.pitch]
    crossings = sum((pitch > note.pitch) != (v < voice) for v, pitch in sounding)
    distance = abs(note.pitch - last) + HOME_WEIGHT * abs(note.pitch - homes[voice])
    return distance + CROSSING_COST_SEMITONES * crossings


def _match(costs: list[list[float]]) -> list[int]:
    """Return for each row a column, columns rising, at the least sum (dynamic programming over prefixes)."""
    rows, columns = len(costs), len(costs[0])
    best = [[0.0] * (columns + 1)] + [[float("inf")] * (columns + 1) for _ in range(rows)]
    for row in range(1, rows + 1):
        for column in range(row, columns + 1):
            taken = best[row - 1][column - 1] + costs[row - 1][column - 1]
            best[row][column] = min(best[row][column - 1], taken)
    chosen, column = [], columns
    for row in range(rows, 0, -1):
        while best[row][column] == best[row][column - 1]:
            column -= 1
        column -= 1
        chosen.append(column)
    return chosen[::-1]
