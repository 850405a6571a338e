"""Voices cut into slices: a slice lasts as long as no voice strikes or ends a note.

All of `componium.evaluation.harmony` counts on this table, so that a sixteenth note and a breve are looked at in the
same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, to_grid
from componium.music.score import (
    CLOSE_BEATS,
    FERMATA,
    PHRASE_END,
    Score,
    bars,
    end_beats,
    note_arrays,
    note_ends,
    round_half_up,
)
from componium.music.voices import VOICE_NAMES, is_monophonic, merge_voices, polyphony, split_voices, voices

STEPS_PER_BEAT = 24
"""Starts and ends go to the nearest 24th of a quarter note: 32nd notes and triplets are exact."""
SHORTEST_SPAN_BEATS = 0.25
LONGEST_BEATS = 20_000.0
"""More than three hours at 100 quarter notes a minute."""
MOST_VOICES = 8
"""Above it nobody follows single voices."""
STEADY = 0.75
"""Chords written in one track are voices if each of them sounds in this share of the sounding time."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Texture:
    """The voices of a score on slices.

    Attributes:
        pitches: [slices, voices], MIDI pitch or `REST`; voices high to low.
        struck: [slices, voices], where a note starts.
        edges_beats: [slices + 1], where each slice starts, and the end of the last.
        phrase: [slices], the number of the phrase from 0; it rises with the first slice after each phrase end.
        names: of the voices, e.g. ``"Soprano"``.
        sung: whether the tracks are named Soprano, Alto, Tenor and Bass, so that ranges are known.
    """

    pitches: Ints
    struck: Flags
    edges_beats: npt.NDArray[np.float64]
    phrase: Ints
    names: tuple[str, ...]
    sung: bool

    @property
    def sounding(self) -> Flags:
        """Which voices sound, [slices, voices]."""
        return np.asarray(self.pitches != REST)

    @property
    def chords(self) -> Flags:
        """Which slices are chords: at least two voices sound and one of them is struck, [slices]."""
        return np.asarray((self.sounding.sum(axis=1) >= 2) & self.struck.any(axis=1))

    @property
    def joined(self) -> Flags:
        """Where a slice follows one of the same phrase, [slices - 1]."""
        return np.asarray(np.diff(self.phrase) == 0)

    @property
    def moving(self) -> Flags:
        """Which voices sound before and after and change their pitch, within a phrase, [slices - 1, voices]."""
        before, after = self.pitches[:-1], self.pitches[1:]
        return np.asarray((before != after) & (before != REST) & (after != REST) & self.joined[:, None])

    @property
    def move_count(self) -> int:
        """The number of moves: steps from a slice to the next, within a phrase, where two or more voices move."""
        return int((self.moving.sum(axis=1) >= 2).sum())


def texture_of(score: Score) -> Texture | None:
    """Return the voices of a score on slices; None where no voices can be told apart.

    Voices are told apart where each track is a single line, 2 to `MOST_VOICES` of them. Chords within tracks are
    split into voices (high to low) where each voice then sounds for `STEADY` of the time, as in a chorale on two
    staves; a keyboard texture, whose voices come and go, has none.
    """
    found = _voices_on_grid(score)
    if found is None:
        return None
    grid, names = found
    pitches = grid.pitches.astype(np.int64)
    changed = np.ones(len(grid), bool)
    changed[1:] = ((pitches[1:] != pitches[:-1]) | (~grid.held[1:] & (pitches[1:] != REST))).any(axis=1)
    first = np.flatnonzero(changed)
    phrase = np.zeros(len(first), np.int64)
    for end in phrase_ends_beats(score):
        phrase[np.searchsorted(first, round_half_up(end * STEPS_PER_BEAT)):] += 1
    struck = (~grid.held & (grid.pitches != REST))[first]
    sung = [track.name.strip().lower() for track in voices(score)] == [name.lower() for name in VOICE_NAMES]
    return Texture(pitches[first], struck, np.append(first, len(grid)) / STEPS_PER_BEAT, phrase, names, sung)


def phrase_ends_beats(score: Score) -> list[float]:
    """Return where phrases end: at `PHRASE_END` markers, and where the highest note of a `FERMATA` ends."""
    ends = {float(event.time) for event in score.markers if event.text == PHRASE_END and event.time > CLOSE_BEATS}
    for time in (float(event.time) for event in score.markers if event.text == FERMATA):
        for track in voices(score):
            stops = note_ends(track)
            held = stops[(note_arrays(track)["time"] <= time + CLOSE_BEATS) & (stops > time + CLOSE_BEATS)]
            if len(held):
                ends.add(float(held.max()))
                break
    return sorted(ends)


def _voices_on_grid(score: Score) -> tuple[Grid, tuple[str, ...]] | None:
    tracks = voices(score)
    names = tuple(track.name or f"Voice {place + 1}" for place, track in enumerate(tracks))
    if any(_has_chords(note_arrays(track)["time"]) and not is_monophonic(track) for track in tracks):
        most = polyphony(note for track in merge_voices(score).tracks if not track.is_drum for note in track.notes)
        if not 2 <= most <= MOST_VOICES:
            return None
        try:
            score = split_voices(score, most)
        except BadInput:  # more notes start together, on this grid, than sound together
            return None
        grid = to_grid(score, steps_per_beat=STEPS_PER_BEAT, voice_count=most)
        heard = grid.pitches != REST
        if heard.mean(axis=0).min() < STEADY * heard.any(axis=1).mean():
            return None
        return grid, tuple(track.name for track in voices(score))
    if not 2 <= len(tracks) <= MOST_VOICES:
        return None
    return to_grid(score, steps_per_beat=STEPS_PER_BEAT, voice_count=len(tracks)), names


def _has_chords(starts_beats: npt.NDArray[np.float32]) -> bool:
    steps = round_half_up(starts_beats.astype(np.float64) * STEPS_PER_BEAT)
    return len(np.unique(steps)) < len(steps)


def spans_of(score: Score) -> npt.NDArray[np.float64]:
    """Return the edges, in beats, of the spans that have one chord each, [spans + 1].

    A span is a beat of the meter: a dotted quarter in 6/8, 9/8 and 12/8, an eighth in 3/8, a quarter where the meter
    counts quarters or longer. It is cut where a bar is, and never shorter than `SHORTEST_SPAN_BEATS`.
    """
    edges = [0.0]
    for bar in bars(score):
        compound = bar.numerator % 3 == 0 and bar.numerator > 3 and bar.denominator >= 8
        length = min(4.0 / bar.denominator * (3 if compound else 1), 1.5 if compound else 1.0)
        length = max(length, SHORTEST_SPAN_BEATS)
        count = int(np.ceil((bar.end_beats - bar.start_beats) / length - 1e-6))
        inside = (bar.start_beats + length * place for place in range(count))
        edges.extend(edge for edge in inside if edge >= edges[-1] + SHORTEST_SPAN_BEATS - CLOSE_BEATS)
    end = end_beats(score)
    return np.asarray([edge for edge in edges if edge < end - 1.0 / STEPS_PER_BEAT or edge == 0.0] + [end])


def sounding_classes(score: Score, edges_beats: npt.NDArray[np.float64]) -> tuple[
        npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what sounds in each span: all pitch classes, and those of the lowest note, each [spans, 12].

    The unit is one note through the whole span; notes at the start of a span count a little more in the bass, so
    that of two equally long bass notes the first is taken.
    """
    steps = np.maximum.accumulate(round_half_up(edges_beats * STEPS_PER_BEAT))
    starts, ends, pitches = _notes_in_steps(score)
    change = np.zeros((int(max(steps[-1], ends.max())) + 1, 12))
    np.add.at(change, (starts, pitches % 12), 1.0)
    np.add.at(change, (ends, pitches % 12), -1.0)
    lowest = np.full(len(change), REST)
    for note in np.argsort(-pitches, kind="stable").tolist():
        lowest[starts[note]:ends[note]] = pitches[note]
    bass = np.zeros_like(change)
    heard = np.flatnonzero(lowest != REST)
    bass[heard, lowest[heard] % 12] = 1.0
    total = np.maximum(np.diff(steps), 1)[:, None]
    at_start = 0.01 * bass[np.minimum(steps[:-1], len(bass) - 1)]
    return _per_span(np.cumsum(change, axis=0), steps) / total, _per_span(bass, steps) / total + at_start


def _per_span(values: npt.NDArray[np.float64], steps: Ints) -> npt.NDArray[np.float64]:
    summed = np.concatenate([np.zeros((1, 12)), np.cumsum(values, axis=0)])
    return np.asarray(np.diff(summed[np.minimum(steps, len(values))], axis=0))


def _notes_in_steps(score: Score) -> tuple[Ints, Ints, Ints]:
    """Return start, end (at least a step later) and pitch of every note but the drums', each [notes]."""
    tracks = voices(score)
    starts = np.concatenate([note_arrays(track)["time"] for track in tracks]).astype(np.float64)
    ends = np.concatenate([note_ends(track) for track in tracks])
    pitches = np.concatenate([note_arrays(track)["pitch"] for track in tracks]).astype(np.int64)
    first = round_half_up(starts * STEPS_PER_BEAT)
    return first, np.maximum(round_half_up(ends * STEPS_PER_BEAT), first + 1), pitches
