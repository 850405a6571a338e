"""How `markov` looks at scores: as grids of one voice or four, each with a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from componium.composers.markov.viewpoints import PROFILES, UNKNOWN_KEY, moved_cells
from componium.music.errors import BadInput, ComponiumError
from componium.music.grid import Grid, to_grid
from componium.music.item import Item
from componium.music.score import Score, Track, note_count, skyline, voices
from componium.music.theory import Key
from componium.music.voices import is_monophonic

CHORALE_VOICES = 4


def grids_of(items: Sequence[Item], texture: str,
             steps_per_beat: int) -> tuple[list[Grid], list[tuple[Item, str]]]:
    """Turn a corpus into grids of equally many voices; raises `BadInput` if nothing can be used.

    Args:
        items: scores.
        texture: ``"melody"``, ``"chorale"``, or ``"auto"``: chorales if most pieces have four voices.
        steps_per_beat: steps a quarter note.

    Returns:
        The grids, and the items that were passed over with the reason.
    """
    scores = [item for item in items if item.kind == "score"]
    if not scores:
        raise BadInput("there are no scores to learn from (markov learns from MIDI, ABC, MusicXML or grid JSON)")
    if texture == "auto":
        four = sum(_has_four_voices(item) for item in scores)
        texture = "chorale" if four * 2 > len(scores) else "melody"
    grids: list[Grid] = []
    passed_over: list[tuple[Item, str]] = []
    for item in items:
        try:
            grids.append(_grid(item, texture, steps_per_beat))
        except ComponiumError as error:
            passed_over.append((item, str(error)))
    if not grids:
        item, reason = next(each for each in passed_over if each[0].kind == "score")
        raise BadInput(f"none of the {len(scores)} scores can be read as a {texture} ({item.name}: {reason})")
    return grids, passed_over


def _has_four_voices(item: Item) -> bool:
    if item.grid is not None:
        return item.grid.voice_count == CHORALE_VOICES
    assert isinstance(item.content, Score)
    parts = voices(item.content)
    return len(parts) == CHORALE_VOICES and all(is_monophonic(part) for part in parts)


def _grid(item: Item, texture: str, steps_per_beat: int) -> Grid:
    """Return a piece as a grid; raises `ComponiumError` where it has another texture or nothing to sing."""
    if item.kind != "score":
        raise BadInput("it is a recording, and markov learns from scores")
    if texture == "chorale" and not _has_four_voices(item):
        raise BadInput("it does not have four voices, each on a track of its own; texture=melody takes its top line")
    if texture == "chorale" and item.grid is not None and item.grid.steps_per_beat == steps_per_beat:
        return item.grid
    assert isinstance(item.content, Score)
    return prompt_grid(item.content, CHORALE_VOICES if texture == "chorale" else 1, steps_per_beat)


def prompt_grid(score: Score, voice_count: int, steps_per_beat: int) -> Grid:
    """Return a score as a grid of ``voice_count`` voices; one voice is the highest that sounds.

    Raises:
        BadInput: the score is empty, or has more voices at once than asked for.
    """
    if not note_count(score):
        raise BadInput("the score has no notes")
    if not any(len(track.notes) for track in score.tracks if not track.is_drum):
        raise BadInput("the score has no notes with a pitch (drums say nothing to a melody)")
    if voice_count > 1:
        return to_grid(score, steps_per_beat=steps_per_beat, voice_count=voice_count)
    return to_grid(_melody_of(score), steps_per_beat=steps_per_beat, voice_count=1)


def _melody_of(score: Score) -> Score:
    line = Score(score)
    top: Track = skyline(score)
    line.tracks.clear()
    line.tracks.append(top)
    return line


def key_number(key: str) -> int:
    """Return 0..11 for a major key and 12..23 for a minor one; raises `BadInput` for other modes."""
    parsed = Key.parse(key)
    if parsed.mode not in ("major", "minor"):
        raise BadInput(f"key={key}: markov knows major and minor keys only, such as 'G major' or 'G minor'")
    return parsed.tonic_pitch_class + (12 if parsed.mode == "minor" else 0)


def key_name(number: int) -> str:
    """Return the name of a key number, such as ``"G minor"``."""
    return str(Key.of(number % 12, "minor" if number >= 12 else "major"))


def whole_key(grid: Grid) -> int:
    """Return the key number of a piece: as declared (its mode folded to major or minor), else heard from all cells."""
    if grid.key is not None:
        try:
            return key_number(grid.key)
        except ComponiumError:
            pass
    sounding = grid.pitches[grid.pitches >= 0]
    counts = np.bincount(sounding % 12, minlength=12).astype(float)
    if not counts.any():
        return UNKNOWN_KEY
    return int(np.argmax((counts - counts.mean()) @ PROFILES.T))


RARE = 3
"""A chord counts as one of the corpus from so many steps on."""


def sonorities_of(grids: Sequence[Grid]) -> npt.NDArray[np.bool_]:
    """Return which chords a corpus holds: [mode, on the beat, voice, set of degrees].

    A set of degrees is a 12-bit number, bit k for k semitones above the tonic; the entry of a voice tells whether it
    and the voices above it have sounded that set often enough, on the beat or between beats.
    """
    voice_count = grids[0].voice_count
    counts = np.zeros((2, 2, voice_count, 4096), np.int64)
    for grid in grids:
        key = whole_key(grid)
        if key == UNKNOWN_KEY:
            continue
        pitches = grid.pitches.astype(np.int64)
        degrees = np.where(pitches >= 0, 1 << ((pitches - key) % 12), 0)
        on_beat = ((np.arange(len(pitches)) - grid.pickup_steps) % grid.steps_per_beat == 0).astype(np.int64)
        for voice, chord in enumerate(np.bitwise_or.accumulate(degrees, axis=1).T):
            np.add.at(counts, (key // 12, on_beat, voice, chord), 1)
    counts = counts + counts.max(axis=0, keepdims=True) * (counts.sum(axis=(1, 2, 3), keepdims=True) == 0)
    return np.asarray(counts >= min(RARE, max(len(grids) // 20, 1)))


def longest_notes(grids: Sequence[Grid]) -> npt.NDArray[np.int64]:
    """Return for each voice how many steps a note lasts at most but for one in a hundred; a beat at least."""
    longest = []
    for voice in range(grids[0].voice_count):
        lengths = []
        for grid in grids:
            begun = np.flatnonzero(moved_cells(grid)[:, voice])
            sounding = grid.pitches[begun, voice] >= 0
            lengths.append(np.diff(np.append(begun, len(grid)))[sounding])
        every = np.concatenate(lengths)
        longest.append(max(np.quantile(every, 0.99) if every.size else 0, grids[0].steps_per_beat))
    return np.array(longest, np.int64)
