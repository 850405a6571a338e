"""Reading scores: which lines they have, and how these come to lie on the grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from componium.music.errors import BadInput
from componium.music.grid import REST as SILENT_CELL
from componium.music.grid import Grid, to_grid
from componium.music.on_grid import check_on_grid
from componium.music.score import Score, Track, note_arrays, note_ends, quantise, set_notes, skyline, split_voices
from componium.music.voices import is_monophonic, polyphony, voice_rank
from componium.tokens.grid import GridTokens
from componium.tokens.sheets import bar_steps

MOST_OVERLAP = 0.25
"""A line whose notes overlap by up to this share of its length is one line, played legato."""
DENSE = 0.5
"""Lines that sound for this share of what the busiest does are voices; less is a double note here and there."""


def grid_of(score: Score, tokens: GridTokens) -> Grid:
    """Return a score on the model's grid.

    Raises:
        BadInput: it is empty, has only drums, too many voices, notes beside the grid, or pitches outside of it.
    """
    check_notes(score, tokens.steps_per_beat)
    score = score.copy()
    for track in pitched_tracks(score):
        one_line(track)
    grid = to_grid(score, steps_per_beat=tokens.steps_per_beat, voice_count=tokens.voices)
    bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat)
    tokens.encode(grid)
    return grid


def check_notes(score: Score, steps_per_beat: int) -> None:
    """Raise `BadInput` for a score without notes that have a pitch, and for notes beside the grid."""
    pitched = pitched_tracks(score)
    if not pitched:
        drums = any(len(track.notes) for track in score.tracks)
        raise BadInput("the score has only drums, and no notes with a pitch" if drums else "the score has no notes")
    for track in pitched:
        check_on_grid(track, steps_per_beat)


def pitched_tracks(score: Score) -> list[Track]:
    """Return the tracks with notes, drums left out."""
    return [track for track in score.tracks if len(track.notes) and not track.is_drum]


def one_line(track: Track) -> None:
    """End each note of a track where the next begins, in place, where it is one line that was played legato."""
    notes = note_arrays(track)
    order = np.argsort(notes["time"], kind="stable")
    notes = {name: column[order] for name, column in notes.items()}
    starts, ends = notes["time"].astype(np.float64), note_ends(track)[order]
    beyond = np.maximum(ends[:-1] - starts[1:], 0.0)
    if beyond.any() and np.all(np.diff(starts) > 0) and beyond.sum() <= MOST_OVERLAP * (ends - starts).sum():
        notes["duration"][:-1] -= beyond.astype(np.float32)
        set_notes(track, notes)


def lined(score: Score, steps_per_beat: int, count: int | None = None) -> Score:
    """Return the score with a track for each line.

    Chords are shared among lines where all of these sound most of the time; a track that has only some double notes
    becomes its highest line.

    Args:
        score: a score with notes.
        steps_per_beat: of the grid.
        count: how many lines there are to be; as many as it has where not given.
    """
    changed = score.copy()
    for track in pitched_tracks(changed):
        one_line(track)
    if all(is_monophonic(track) for track in pitched_tracks(changed)):
        return changed
    changed, _ = quantise(changed, steps_per_beat=steps_per_beat)
    tracks = pitched_tracks(changed)
    most = polyphony(note for track in tracks for note in track.notes)
    split = split_voices(changed, most)
    lengths = [float(note_arrays(track)["duration"].sum()) for track in pitched_tracks(split)]
    if count in (None, most) and min(lengths) >= DENSE * max(lengths):
        return split
    for track in tracks:
        if not is_monophonic(track):
            alone = changed.copy()
            alone.tracks = type(alone.tracks)([track])
            track.notes = skyline(alone).notes
    return changed


def given_voices(score: Score, given: str, names: Sequence[str], steps_per_beat: int) -> tuple[Score, list[int]]:
    """Return the score with a track for each line, named as the voices that they are, and which these are, ascending.

    Args:
        score: the given voices.
        given: ``"auto"``: by the tracks' names, otherwise from the top; or names with commas, one a line.
        names: the voices' names, high to low.
        steps_per_beat: of the grid.

    Raises:
        BadInput: no such voice, another number of them than the score has, or notes beside the grid.
    """
    known = [name.lower() for name in names]
    asked = [] if given.strip().lower() == "auto" else [word.strip().lower() for word in given.split(",")]
    wrong = [word for word in asked if word not in known]
    if wrong or len(set(asked)) < len(asked):
        raise BadInput(f"given={given}: name each voice once, of {', '.join(known)}, or write auto")
    check_notes(score, steps_per_beat)
    score = lined(score, steps_per_beat, len(asked) or None)
    if not asked:
        return score, []
    full = pitched_tracks(score)
    if len(asked) != len(full):
        raise BadInput(f"given={given} names {len(asked)} of the voices, and the score has {len(full)} "
                       f"{'line' if len(full) == 1 else 'lines'}")
    found = sorted(known.index(word) for word in asked)
    ranks = [voice_rank(track.name) for track in full]
    order = sorted(full, key=mean_height) if None in ranks else sorted(full, key=lambda t: voice_rank(t.name) or 0)
    for track, voice in zip(order, found, strict=True):
        track.name = names[voice]
    return score, found


def mean_height(track: Track) -> float:
    """Return how low a track lies: its mean pitch, negative, so that sorting puts the highest first."""
    return -float(np.mean(note_arrays(track)["pitch"]))


def high_to_low(score: Score, places: Sequence[int]) -> list[int]:
    """Return tracks ordered by their mean pitch, the highest first."""
    return sorted(places, key=lambda place: mean_height(score.tracks[place]))



def track_of_voice(score: Score, grid: Grid, voice: int) -> int | None:
    """Return the track that most of a voice's notes stand in; None for a silent voice."""
    onsets = np.flatnonzero(~grid.held[:, voice] & (grid.pitches[:, voice] != SILENT_CELL))
    if not len(onsets):
        return None
    wanted = set(zip(onsets.tolist(), grid.pitches[onsets, voice].tolist(), strict=True))
    found = []
    for track in score.tracks:
        if track.is_drum or not len(track.notes):
            found.append(-1)
            continue
        steps = np.round(note_arrays(track)["time"].astype(np.float64) * grid.steps_per_beat).astype(int)
        found.append(len(wanted & set(zip(steps.tolist(), note_arrays(track)["pitch"].tolist(), strict=True))))
    return int(np.argmax(found))

