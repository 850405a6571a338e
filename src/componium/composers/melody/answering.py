"""Answering a phrase, by the rules of Magenta's AI Duet (2016).

An answer is as long as its call, but 1 to 8 seconds; of a long call the last 15 seconds are heard; the tempo of free
playing is guessed where the call has more than four notes, and is 120 otherwise. A call that lies on the grid of its
own tempo is believed: its answer begins at the next bar line. Any other is laid on a grid of its own, where the answer
begins with a beat, which is taken for the first of a bar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from componium.composers.melody import writing
from componium.composers.melody.lines import folded, octaves_into, shifted, to_c
from componium.composers.melody.writing import Wish
from componium.interface import Progress
from componium.music.errors import BadInput
from componium.music.grid import REST as SILENT_CELL
from componium.music.grid import Grid, from_grid, to_grid
from componium.music.melody_line import MelodyLine, melody_line
from componium.music.score import (
    Score,
    TimeSignature,
    key_signature,
    key_signature_of,
    meter,
    new_score,
    note_arrays,
    note_ends,
    pickup_beats,
    seconds_at,
    set_notes,
    tempo_bpm,
)
from componium.music.tempo import guessed_tempo, is_on_grid
from componium.tokens import sheets
from componium.tokens.grid import FIRST_PITCH
from componium.tokens.sheets import Sheet, bar_steps

if TYPE_CHECKING:
    from componium.composers.melody.model import MelodyModel

SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 8.0
"""Of an answer."""
HEARD_SECONDS = 15.0
"""So much of the end of a long call is heard."""
GUESSED_NOTES = 64
"""The tempo is guessed from the last notes, which costs about a millisecond a note."""
LONGEST_NOTE_SECONDS = 4.0
"""Of an answer."""
HIGHEST_TEMPO_BPM = 240.0


@dataclass(frozen=True)
class Call:
    """A phrase that is to be answered.

    Attributes:
        grid: the call on the model's grid, moved; it ends where the answer begins.
        moved: semitones from the phrase to the grid.
        tempo_bpm: quarter notes a minute, stated or guessed.
        seconds: how long the call lasts, from its first onset to the end of its last note.
        line: the melody as it was.
    """

    grid: Grid
    moved: int
    tempo_bpm: float
    seconds: float
    line: MelodyLine


def heard_call(model: MelodyModel, phrase: Score, line: str, asked_bpm: float | None) -> Call:
    """Return a phrase as it is heard; raises `BadInput` for one without notes."""
    found = melody_line(phrase, line)
    if asked_bpm is not None and not 20 <= asked_bpm <= HIGHEST_TEMPO_BPM:
        raise BadInput(f"tempo_bpm={asked_bpm}: between 20 and {HIGHEST_TEMPO_BPM:g} quarter notes a minute")
    starts = note_arrays(found.track)["time"].astype(np.float64)
    seconds = seconds_at(phrase, np.stack([starts, note_ends(found.track)]))
    length = float(seconds[1].max() - seconds[0].min())
    alone = phrase.copy()
    alone.tracks = type(alone.tracks)([found.track.copy()])
    alone.markers.clear()
    believed = asked_bpm is None and len({event.mspq for event in phrase.tempos}) <= 1 and is_on_grid(alone)
    if believed:
        tempo, laid = tempo_bpm(phrase), _since(alone, seconds)
    else:
        tempo = asked_bpm or min(guessed_tempo(np.sort(seconds[0])[-GUESSED_NOTES:]), HIGHEST_TEMPO_BPM)
        laid = _laid(alone, seconds, tempo)
    spb = model.tokens.steps_per_beat
    grid = to_grid(laid, steps_per_beat=spb, voice_count=1)
    bar = bar_steps(grid.numerator, grid.denominator, spb)
    grid = _until(grid, bar if believed else spb, bar)
    moved = to_c(laid) if model.normalised else 0
    moved += octaves_into(grid, moved, model.tokens) if model.normalised else 0
    return Call(folded(grid, moved, model.tokens), moved, tempo, length, found)


def _since(call: Score, seconds: np.ndarray) -> Score:
    """Return a call from its first sounding bar on, or from the first bar of the part that is heard."""
    start = float(note_arrays(call.tracks[0])["time"][_lately(seconds)].min())
    pickup, (numerator, denominator) = pickup_beats(call), meter(call)
    length = 4 * numerator / denominator
    since = 0.0 if start < pickup else pickup + (start - pickup) // length * length
    if since <= 0:
        return call
    kept = call.copy()
    notes = note_arrays(kept.tracks[0])
    inside = notes["time"] >= since - 1e-6
    notes = {name: column[inside] for name, column in notes.items()}
    set_notes(kept.tracks[0], notes | {"time": notes["time"] - since})
    kept.time_signatures.clear()
    kept.time_signatures.append(TimeSignature(0.0, numerator, denominator))
    return kept


def _lately(seconds: np.ndarray) -> np.ndarray:
    """Return which notes begin in the part of a call that is heard; the last one does in any case."""
    kept: np.ndarray = seconds[0] >= min(float(seconds[1].max()) - HEARD_SECONDS, float(seconds[0].max()))
    return kept


def _laid(call: Score, seconds: np.ndarray, tempo: float) -> Score:
    """Return a call played freely, its last part, on beats of a tempo: it begins with a beat."""
    kept = _lately(seconds)
    starts, ends = seconds[0][kept], seconds[1][kept]
    notes = {name: column[kept] for name, column in note_arrays(call.tracks[0]).items()}
    beats = (starts - starts.min()) * tempo / 60.0
    numerator, denominator = meter(call)
    key = key_signature_of(call)
    laid = new_score(tempo_bpm=tempo, numerator=numerator, denominator=denominator, key=key)
    track = call.tracks[0].copy()
    set_notes(track, notes | {"time": beats.astype(np.float32),
                              "duration": np.maximum((ends - starts) * tempo / 60.0, 0.05).astype(np.float32)})
    laid.tracks.append(track)
    return laid


def _until(grid: Grid, unit: int, bar: int) -> Grid:
    """Return a call that goes on until the next whole ``unit`` of steps: its last note sounds on, for a beat at most.

    Where the unit is no bar, bars are counted from there: an answer begins with one.
    """
    origin = grid.pickup_steps if unit == bar else 0
    steps = origin + -(-(len(grid) - origin) // unit) * unit
    missing = steps - len(grid)
    longer = min(missing, grid.steps_per_beat)
    pitches = np.concatenate([grid.pitches, np.repeat(grid.pitches[-1:], longer, 0),
                              np.full((missing - longer, 1), SILENT_CELL, np.int16)])
    held = np.concatenate([grid.held, np.full((longer, 1), bool(grid.pitches[-1, 0] != SILENT_CELL)),
                           np.zeros((missing - longer, 1), bool)])
    pickup = grid.pickup_steps if unit == bar else steps % bar
    return replace(grid, pitches=pitches, held=held, pickup_steps=pickup, fermatas=())


def answer_steps(call: Call) -> int:
    """Return how long an answer is: as long as its call, to the nearest beat, but within 1 to 8 seconds."""
    beats_a_second, spb = call.tempo_bpm / 60.0, call.grid.steps_per_beat
    fewest, most = (math.ceil(round(SHORTEST_SECONDS * beats_a_second, 6)),
                    math.floor(round(LONGEST_SECONDS * beats_a_second, 6)))
    beats = max(min(round(call.seconds * beats_a_second), most), fewest)
    return min(beats * spb, max(int(LONGEST_SECONDS * beats_a_second * spb), 1))  # a slow beat may be too long


def answer_sheet(model: MelodyModel, call: Call, steps: int, *, closed: bool = True) -> Sheet:
    """Return a sheet of an answer alone, which begins with a note; in the rules its first bar is bar 1.

    Where it is ``closed``, nothing begins within its last beat: it ends with a note that has time to be heard as one.
    """
    empty = np.full((steps, 1), SILENT_CELL, np.int16)
    grid = replace(call.grid, pitches=empty, held=np.zeros((steps, 1), bool), pickup_steps=0, key=None)
    possible = sheets.choices(model.tokens, writing.ranges_with(model, call.grid), steps, rests=model.learned.rests)
    if closed:
        possible[max(steps - grid.steps_per_beat + 1, 1):, 0, FIRST_PITCH:] = False
    possible[0, 0, :FIRST_PITCH] = False
    return Sheet(grid, np.full((steps, 1), sheets.OPEN, np.int64), possible, steps, call.moved)


def answered(model: MelodyModel, phrase: Score, seed: int, wish: Wish, progress: Progress,
             asked_bpm: float | None) -> Score:
    """Return the answer to a phrase, from beat 0."""
    call = heard_call(model, phrase, wish.line, asked_bpm)
    sheet = answer_sheet(model, call, answer_steps(call), closed=wish.constraints is None)
    (grid, _), = writing.fill(model, sheet, [seed], wish, progress, call=call.grid)
    answer = from_grid(shifted(grid, -call.moved), tempo_bpm=call.tempo_bpm, names=(writing.NAME,))
    key = key_signature_of(phrase)
    if key is not None:
        answer.key_signatures.append(key_signature(key))
    track = answer.tracks[0]
    track.program = call.line.track.program
    notes = note_arrays(track)
    longest = LONGEST_NOTE_SECONDS * call.tempo_bpm / 60.0
    set_notes(track, notes | {"velocity": writing.as_loud(call.line.track, len(notes["time"])),
                              "duration": np.minimum(notes["duration"], longest)})
    return answer
