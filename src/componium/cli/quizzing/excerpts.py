"""Two pieces made alike: cut at the ends of phrases to one length, in one key, one tempo, one loudness of notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from componium.music.errors import BadInput
from componium.music.expression import phrases
from componium.music.score import (
    CLOSE_BEATS,
    DEFAULT_VELOCITY,
    Tempo,
    bar_beats,
    bars,
    copy_score,
    length_beats,
    meter,
    note_arrays,
    note_ends,
    pickup_beats,
    set_notes,
    transpose,
    voices,
)

TEMPO_BPM = 80.0
SHORTEST, LONGEST = 0.6, 1.25
"""How far from the bars asked for an excerpt may end, as shares of them."""
STRETCH_BEATS = 2.0
"""So much longer the last chord of the shorter excerpt may be held, to end with the other."""
FAR_WEIGHT = 0.25
"""What a beat away from the bars asked for counts, beside a beat of difference between two excerpts."""
MARGIN_SEMITONES = 0.1
"""A smaller move is preferred where registers match as well to so much."""


@dataclass(frozen=True)
class Alike:
    """Two excerpts on equal terms.

    Attributes:
        first: an excerpt.
        second: the other one.
        cut: whether one of them stops in the middle of a phrase, so that both have to be faded.
        key: their key signature, as semitones of the major tonic above C; none where they have none.
    """

    first: Any
    second: Any
    cut: bool
    key: int | None


def possible_ends(score: Any, wanted_bars: int) -> list[float]:
    """Return where an excerpt from the beginning may end, in beats: at phrase ends near ``wanted_bars`` bars.

    Where no phrase ends near it, at the bar itself; nowhere where the piece is too short.
    """
    length, whole = bar_beats(*meter(score)), length_beats(score)
    wanted = wanted_bars * length
    near = [end for end in phrases(score) if SHORTEST * wanted - CLOSE_BEATS <= end <= LONGEST * wanted + CLOSE_BEATS]
    if near:
        return near
    straight = pickup_beats(score) + wanted
    return [straight] if whole >= straight - CLOSE_BEATS else []


def matched_ends(first: list[float], second: list[float], wanted_beats: float) -> tuple[float, float]:
    """Return an end of each of two pieces: as near to each other, then to the length asked for, as there is."""
    return min(((a, b) for a in first for b in second),
               key=lambda ends: (abs(ends[0] - ends[1]) + FAR_WEIGHT * abs(ends[0] - wanted_beats), ends))


def alike(first: Any, second: Any, wanted_bars: int, *, in_place: bool = False) -> Alike:
    """Return excerpts of two pieces that differ in their notes only: length, key and all that is not notes is the same.

    Both are moved by about half of the way between their keys, in the direction that brings their registers together.

    Args:
        first: a piece.
        second: the other one.
        wanted_bars: about how long the excerpts are.
        in_place: whether both stay in their key: two versions of one piece.

    Raises:
        BadInput: one of them is too short, or cannot be moved.
    """
    ends = [possible_ends(score, wanted_bars) for score in (first, second)]
    if not all(ends):
        raise BadInput(f"a piece is too short for {wanted_bars} bars")
    end, other = matched_ends(ends[0], ends[1], wanted_bars * bar_beats(*meter(first)))
    together = max(end, other)
    if abs(end - other) > STRETCH_BEATS + CLOSE_BEATS:  # no phrases that match: both stop with the shorter one
        together = end = other = min(end, other)
    cuts = [excerpt(first, end, together), excerpt(second, other, together)]
    up, down, key = (0, 0, None) if in_place else moves(cuts[0][0], cuts[1][0])
    moved = [plain(score, semitones) for (score, _), semitones in zip(cuts, (up, down), strict=True)]
    return Alike(moved[0], moved[1], cuts[0][1] or cuts[1][1], key)


def excerpt(score: Any, end: float, together: float | None = None) -> tuple[Any, bool]:
    """Return the beginning of a piece, to ``end`` (beats), and whether notes were cut or follow without a phrase end.

    Args:
        score: the piece.
        end: notes that start later are dropped; those that sound longer are shortened.
        together: where what sounds at the end stops instead, if that is later.
    """
    part, crossing = copy_score(score), False
    last = end if together is None else max(end, together)
    for track in part.tracks:
        arrays = note_arrays(track)
        if not len(arrays["time"]):
            continue
        keep = arrays["time"] < end - CLOSE_BEATS
        starts, ends = arrays["time"][keep].astype(np.float64), note_ends(track)[keep]
        crossing = crossing or bool((ends > end + CLOSE_BEATS).any())
        ends = np.where(ends >= end - CLOSE_BEATS, last, ends)
        set_notes(track, {**{name: values[keep] for name, values in arrays.items()}, "duration": ends - starts})
    is_end = any(abs(end - each) < CLOSE_BEATS for each in phrases(score))
    return part, crossing or not is_end


def moves(first: Any, second: Any) -> tuple[int, int, int | None]:
    """Return the semitones by which two excerpts move to meet in one key signature and about one register, and its key.

    Neither moves where one of them has no key.
    """
    from componium.cli.judging.comparison_page import major_tonic

    tonics = major_tonic(first), major_tonic(second)
    if tonics[0] is None or tonics[1] is None:
        return 0, 0, None
    apart = mean_pitch(second) - mean_pitch(first)
    way = (tonics[1] - tonics[0]) % 12
    octave = round((apart - way) / 12)
    ways = (way + 12 * each for each in (octave - 1, octave, octave + 1))
    whole = min(ways, key=lambda each: abs(apart - each) + MARGIN_SEMITONES * abs(each))
    up = round(whole / 2)
    return up, up - whole, (tonics[0] + up) % 12


def mean_pitch(score: Any) -> float:
    """Return the mean pitch of all notes, each counted by its length."""
    arrays = [note_arrays(track) for track in voices(score)]
    pitches = np.concatenate([each["pitch"].astype(np.float64) for each in arrays])
    lengths = np.concatenate([each["duration"].astype(np.float64) for each in arrays])
    return float(np.average(pitches, weights=lengths))


def plain(score: Any, semitones: int = 0) -> Any:
    """Return an excerpt with nothing but its notes and meter: one tempo and velocity, voices from high to low.

    Fermatas, names, instruments and all else that could tell one composer from the other is taken away.

    Raises:
        BadInput: a note would leave MIDI's range.
    """
    bare = transpose(score, semitones)
    tracks = [track.copy() for track in voices(bare)]
    for number, track in enumerate(tracks, 1):
        track.name, track.program = f"Voice {number}", 0
        for part in ("controls", "pitch_bends", "pedals", "lyrics"):
            getattr(track, part).clear()
        arrays = note_arrays(track)
        set_notes(track, {**arrays, "velocity": np.full_like(arrays["velocity"], DEFAULT_VELOCITY)})
    bare.tracks = type(bare.tracks)(tracks)
    for part in ("markers", "tempos"):
        getattr(bare, part).clear()
    bare.tempos.append(Tempo(0.0, qpm=TEMPO_BPM))
    return bare


def usable(score: Any, voice_count: int, wanted_bars: int) -> bool:
    """Return whether a piece has as many voices, and is long enough for an excerpt."""
    parts = voices(score)
    ends = possible_ends(score, wanted_bars) if parts and len(parts) == voice_count else []
    return bool(ends) and all(float(note_arrays(track)["time"].min()) < ends[0] - CLOSE_BEATS for track in parts)


def whole_bars(score: Any) -> int:
    """Return how many bars a piece has, without a pickup."""
    return sum(bar.index > 0 for bar in bars(score))
