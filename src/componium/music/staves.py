"""Staves: how many staves a track needs, their clefs, and which notes go to which staff and voice."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from componium.music.voices import Track, is_monophonic, note_arrays

TREBLE, BASS, TENOR = ("G", 2, 0), ("F", 4, 0), ("G", 2, -1)
HIGH, LOW = ("G", 2, 1), ("F", 4, -1)
DRUMS = ("percussion", 2, 0)
"""Clefs: sign, line, octaves that it moves."""
MIDDLE_C = 60
HAND_SEMITONES = 14
"""What a hand reaches with ease."""
FEET = (35, 36, 44)
"""The drums that a foot plays: bass drums and pedal hi-hat."""
GUITARS = range(24, 32)
BASSES = range(32, 40)


@dataclass(frozen=True)
class Head:
    """One note with exact times: which of its track's notes it is, pitch and loudness."""

    index: int
    start: Fraction
    end: Fraction
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Chord:
    """Notes of one voice that are written with one stem, low to high, and the time they are written with."""

    start: Fraction
    end: Fraction
    heads: tuple[Head, ...]


@dataclass(frozen=True)
class Staff:
    """One staff: its clef, and its voices, each a row of chords that do not overlap."""

    clef: tuple[str, int, int]
    voices: tuple[tuple[Chord, ...], ...]


def staves(track: Track, heads: Sequence[Head], beats: Sequence[Fraction] = ()) -> list[Staff]:
    """Return the staves of a track: one, or two where it plays chords in both clefs.

    Args:
        track: gives name and program.
        heads: its notes with exact times.
        beats: where beats and bars end, rising: no drum is written across one. After the last: quarter notes.
    """
    if track.is_drum:
        return [Staff(DRUMS, _drum_voices(heads, beats))]
    if not needs_two(track):
        return [Staff(clef(track), _voices(heads))]
    split = split_points([(head.start, head.end, head.pitch) for head in heads])
    upper = [head for head, point in zip(heads, split, strict=True) if head.pitch >= point]
    lower = [head for head, point in zip(heads, split, strict=True) if head.pitch < point]
    return [Staff(TREBLE, _voices(upper)), Staff(BASS, _voices(lower))]


def needs_two(track: Track) -> bool:
    """Return whether a track has to stand on two staves: notes together, many low and many high ones."""
    if len(track.notes) < 2 or is_monophonic(track):
        return False
    low, high = np.quantile(note_arrays(track)["pitch"], (0.1, 0.9))
    return bool(low < MIDDLE_C - 6 and high > MIDDLE_C + 5)


def clef(track: Track) -> tuple[str, int, int]:
    """Return the clef of a track on one staff; tenors and guitars read treble, and sound an octave lower."""
    pitches = note_arrays(track)["pitch"]
    middle = float(np.mean(pitches)) if len(pitches) else 67.0
    eighth = track.name.strip().lower() == "tenor" or track.program in GUITARS
    if eighth and 48 <= middle < 67:
        return TENOR
    if track.program in BASSES and middle < 43:
        return LOW
    if middle > 89:
        return HIGH
    return TREBLE if middle >= MIDDLE_C - 1 else BASS if middle >= 33 else LOW


def split_points(notes: Sequence[tuple[Fraction, Fraction, int]]) -> list[int]:
    """Return for each note the pitch from which on notes go to the upper staff, at its start.

    The best path over the chords (dynamic programming): a hand reaches `HAND_SEMITONES`, the point stays near
    middle C and where it was, and lies in a gap between notes.

    Args:
        notes: (start, end, pitch), in the order of their starts.
    """
    points = np.arange(MIDDLE_C - 14, MIDDLE_C + 15)
    onsets = sorted({start for start, _, _ in notes})
    costs = _split_costs(notes, onsets, points)
    moves = 0.5 * abs(points[:, None] - points[None, :])
    best, came = costs[0], []
    for cost in costs[1:]:
        paths = best[:, None] + moves
        came.append(paths.argmin(axis=0))
        best = paths.min(axis=0) + cost
    state = int(best.argmin())
    path = [state]
    for back in reversed(came):
        state = int(back[state])
        path.append(state)
    point_at = dict(zip(onsets, (int(points[state]) for state in reversed(path)), strict=True))
    return [point_at[start] for start, _, _ in notes]


def _split_costs(notes: Sequence[tuple[Fraction, Fraction, int]], onsets: Sequence[Fraction],
                 points: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return what each splitting point costs at each onset, [onsets, points]."""
    costs = np.empty((len(onsets), len(points)))
    place, sounding = 0, list[tuple[Fraction, int]]()
    for row, onset in enumerate(onsets):
        sounding = [(end, pitch) for end, pitch in sounding if end > onset]
        while place < len(notes) and notes[place][0] == onset:
            sounding.append(notes[place][1:])
            place += 1
        pitches = np.array(sorted(pitch for _, pitch in sounding))
        count = np.searchsorted(pitches, points)  # how many go to the lower staff
        below = pitches[np.maximum(count - 1, 0)]
        above = pitches[np.minimum(count, len(pitches) - 1)]
        reach = np.where(count > 0, below - pitches[0], 0), np.where(count < len(pitches), pitches[-1] - above, 0)
        both = (count > 0) & (count < len(pitches))
        gap = np.where(both, np.minimum(above - below, 12), 0)
        costs[row] = (0.15 * abs(points - MIDDLE_C) - 0.2 * gap
                      + sum(2.0 * np.maximum(0, span - HAND_SEMITONES) for span in reach))
        # far beyond the five lines
        costs[row] += 0.3 * np.where(count > 0, np.maximum(0, below - 64), 0)
        costs[row] += 0.3 * np.where(count < len(pitches), np.maximum(0, 57 - above), 0)
    return costs


def _voices(heads: Sequence[Head]) -> tuple[tuple[Chord, ...], ...]:
    """Return the voices of a staff, as few as hold its notes, the higher ones first; one even if it is empty."""
    def together(head: Head) -> tuple[Fraction, Fraction]:
        return head.start, head.end

    groups = itertools.groupby(sorted(heads, key=lambda h: (h.start, h.end, h.pitch, h.index)), key=together)
    chords = [Chord(start, end, tuple(found)) for (start, end), found in groups]
    lines: list[list[Chord]] = [[] for _ in range(max(1, _most_together(chords)))]
    for cluster in _clusters(chords):
        ranks = _ranks(cluster)
        for _, found in itertools.groupby(cluster, key=lambda chord: chord.start):
            group = sorted(found, key=lambda chord: -chord.heads[-1].pitch)
            free = [n for n, line in enumerate(lines) if not line or line[-1].end <= group[0].start]
            choices = itertools.islice(itertools.combinations(free, len(group)), 200)
            chosen = min(choices, key=lambda some: _cost(tuple(some), group, lines, ranks))
            for number, chord in zip(chosen, group, strict=True):
                lines[number].append(chord)
    return tuple(tuple(line) for line in lines)


def _clusters(chords: Sequence[Chord]) -> list[list[Chord]]:
    """Return stretches of chords that overlap; between them a voice may begin anew."""
    found: list[list[Chord]] = []
    reach = Fraction(-1)
    for chord in chords:
        if chord.start >= reach:
            found.append([])
        found[-1].append(chord)
        reach = max(reach, chord.end)
    return found


def _ranks(cluster: Sequence[Chord]) -> dict[int, int]:
    """Return for each chord (by identity) how many higher ones sound with it at most: the voice it belongs to."""
    ranks: dict[int, int] = {}
    sounding: list[Chord] = []
    for start, found in itertools.groupby(cluster, key=lambda chord: chord.start):
        sounding = [chord for chord in sounding if chord.end > start] + list(found)
        sounding.sort(key=lambda chord: -chord.heads[-1].pitch)
        for place, chord in enumerate(sounding):
            ranks[id(chord)] = max(ranks.get(id(chord), 0), place)
    return ranks


def _most_together(chords: Sequence[Chord]) -> int:
    changes = sorted([(chord.start, 1) for chord in chords] + [(chord.end, -1) for chord in chords])
    return max(itertools.accumulate(change for _, change in changes), default=0)


def _cost(taken: Sequence[int], group: Sequence[Chord], lines: Sequence[Sequence[Chord]],
          ranks: Mapping[int, int]) -> float:
    """Return how ill some voices suit chords that start together: another rank, leaps, crossings with what is held."""
    cost = 0.0
    for number, chord in zip(taken, group, strict=True):
        pitch = chord.heads[-1].pitch
        cost += 10.0 * abs(number - ranks[id(chord)])
        cost += 0.5 * min(12, abs(pitch - lines[number][-1].heads[-1].pitch)) if lines[number] else 2.0
        held = [(other, line[-1].heads[-1].pitch) for other, line in enumerate(lines)
                if other not in taken and line and line[-1].end > chord.start]
        cost += 8.0 * sum((other < number) != (high > pitch) for other, high in held if high != pitch)
    return cost


def _drum_voices(heads: Sequence[Head], beats: Sequence[Fraction]) -> tuple[tuple[Chord, ...], ...]:
    """Return what hands and feet play, each as a voice of short values, whatever the notes last."""
    def limit(start: Fraction) -> Fraction:
        place = bisect.bisect_right(beats, start)
        return beats[place] if place < len(beats) else Fraction(start // 1) + 1

    rows = []
    for feet in (False, True):
        mine = sorted((head for head in heads if (head.pitch in FEET) == feet),
                      key=lambda head: (head.start, head.pitch, head.index))
        groups = [(start, tuple(found)) for start, found in itertools.groupby(mine, key=lambda head: head.start)]
        later = [*(start for start, _ in groups), Fraction(1 << 40)][1:]
        rows.append(tuple(Chord(start, min(following, limit(start)), found)
                          for (start, found), following in zip(groups, later, strict=bool(groups))))
    return tuple(row for row in rows if row) or ((),)
