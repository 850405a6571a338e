"""A melody as Melody RNN has it: one event a step, and the exact ways to a grid, to its symbols, and back.

The form is that of Magenta's Melody RNN (Google Brain, 2016). `NO_EVENT` means that what was goes on, `NOTE_OFF`
ends the note that sounds, any other event is the onset of a MIDI pitch. A rest is therefore written once, where
DeepBach's symbols write it anew at each step; silence at the beginning is not written at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.keys import MODES
from componium.tokens.grid import FIRST_PITCH, HOLD, REST, SILENT, GridTokens, Symbols, check_range, out_of_range

NO_EVENT = -2
"""What was goes on: the note, or the silence."""
NOTE_OFF = -1
"""The note that sounds ends here, and silence begins."""
OCTAVE = 12

Events = npt.NDArray[np.int16]

IN_KEY = np.array([[(pitch_class - key) % OCTAVE in MODES["major"] for key in range(OCTAVE)]
                   for pitch_class in range(OCTAVE)], dtype=np.float32)
"""[pitch class, major key]: 1 where the key has the pitch class, 0 elsewhere; keys are named by their tonic, C = 0."""


def check_events(events: npt.ArrayLike, lowest: int = 0, highest: int = 127) -> Events:
    """Return events as int16 [T]; raises `BadInput` for what is none and for a pitch outside the range."""
    given = np.asarray(events)
    if given.ndim != 1:
        raise BadInput(f"a melody has the shape [steps], not {list(given.shape)}")
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise BadInput(f"a melody's events are whole numbers, not {given.dtype}")
    wrong = (given < NO_EVENT) | (given > highest) | ((given >= 0) & (given < lowest))
    if wrong.any():
        step = int(wrong.argmax())
        event = int(given[step])
        if not NO_EVENT <= event <= 127:
            raise BadInput(f"step {step} is {event}: give {NO_EVENT} (goes on), {NOTE_OFF} (note off), or 0 to 127")
        raise BadInput(f"step {step}: {out_of_range(event, lowest, highest)}, "
                       f"or fold it by octaves with squashed(events, {lowest}, {highest})")
    return given.astype(np.int16)


def sounding(events: npt.ArrayLike) -> Events:
    """Return the MIDI pitch that sounds at each step, `SILENT` (-1) where none does; int16 [T]."""
    given = check_events(events)
    return last_told(given, given != NO_EVENT, SILENT)


def last_told(values: Events, told: npt.NDArray[np.bool_], before: int) -> Events:
    """Return the value of the last step, this one included, where ``told`` holds, ``before`` if none does; [T]."""
    source = np.maximum.accumulate(np.where(told, np.arange(len(values)), -1))
    return np.where(source >= 0, values[source], before).astype(np.int16)


def tidied(events: npt.ArrayLike) -> Events:
    """Return events without a `NOTE_OFF` where nothing sounds, as a network may write them; int16 [T].

    Nothing that is heard changes. These are the valid melodies: those that `events_of` makes.
    """
    given = check_events(events)
    before = np.append(np.int16(SILENT), sounding(given))[:-1]
    return np.where((given == NOTE_OFF) & (before == SILENT), NO_EVENT, given).astype(np.int16)


def events_of(grid: Grid) -> Events:
    """Return the events of a grid of one voice; int16 [steps]. Raises `BadInput` for more voices."""
    if grid.voice_count != 1:
        raise BadInput(f"the grid has {grid.voice_count} voices, a melody one: "
                       "make it with to_grid(score, voice_count=1), or choose a voice")
    pitches, held = grid.pitches[:, 0], grid.held[:, 0]
    ends = pitches == SILENT
    ends[1:] &= pitches[:-1] != SILENT
    ends[:1] = False
    events = np.where((pitches == SILENT) | held, NO_EVENT, pitches)
    return np.where(ends, NOTE_OFF, events).astype(np.int16)


def grid_of(events: npt.ArrayLike, like: Grid | None = None, *, steps_per_beat: int = 4, **fields: Any) -> Grid:
    """Return the grid of events, the inverse of `events_of`.

    Args:
        events: [T] a melody; a `NOTE_OFF` where nothing sounds changes nothing.
        like: a grid whose meter, pickup, key, fermatas, knowledge of ties and resolution are taken over.
        steps_per_beat: steps a quarter note, where ``like`` does not tell.
        **fields: of `Grid`, such as ``numerator=3``; they come before those of ``like``.

    Raises `BadInput` for what is no melody, or has no step.
    """
    tokens = GridTokens(voices=1, lowest=0, highest=127,
                        steps_per_beat=steps_per_beat if like is None else like.steps_per_beat)
    symbols = symbols_from_events(events, tokens)
    if not len(symbols):
        raise BadInput("the melody has no steps: a grid has at least one")
    return tokens.decode(symbols, like=like, **fields)


def symbols_from_events(events: npt.ArrayLike, tokens: GridTokens | None = None) -> Symbols:
    """Return the symbols of `GridTokens` for events; int16 [T, 1].

    Args:
        events: [T] a melody.
        tokens: which symbols; ``GridTokens(voices=1)`` where None.

    Raises `BadInput` for a pitch outside the range of ``tokens``.
    """
    tokens = _one_voice(tokens)
    given = check_events(events, tokens.lowest, tokens.highest)
    symbols = np.where(given == NO_EVENT, HOLD, given + (FIRST_PITCH - tokens.lowest))
    return np.where(sounding(given) == SILENT, REST, symbols).astype(np.int16)[:, np.newaxis]


def events_from_symbols(symbols: npt.ArrayLike, tokens: GridTokens | None = None) -> Events:
    """Return the events of symbols [T, 1] or [T], the inverse of `symbols_from_events`; int16 [T].

    Raises `BadInput` for what is no symbol, and for a hold of nothing.
    """
    tokens = _one_voice(tokens)
    given = np.asarray(symbols)
    if given.ndim not in (1, 2) or given.shape[1:] not in ((), (1,)):
        raise BadInput(f"symbols of a melody have the shape [steps, 1], not {list(given.shape)}")
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise BadInput(f"symbols are whole numbers, not {given.dtype}")
    pitches = tokens.sounding(given.reshape(-1, 1))[:, 0]
    before = np.append(np.int16(SILENT), pitches)[:-1]
    events = np.where(given.reshape(-1) == HOLD, NO_EVENT, pitches)
    return np.where(pitches == SILENT, np.where(before == SILENT, NO_EVENT, NOTE_OFF), events).astype(np.int16)


def _one_voice(tokens: GridTokens | None) -> GridTokens:
    tokens = GridTokens(voices=1) if tokens is None else tokens
    if tokens.voices != 1:
        raise BadInput(f"the symbols are of {tokens.voices} voices, a melody has one: give GridTokens(voices=1)")
    return tokens


def major_key(events: npt.ArrayLike) -> int:
    """Return the tonic (C = 0) of the major key that has most of the onsets; of several the lowest number.

    A minor key counts as its relative major, as in Melody RNN.
    """
    given = check_events(events)
    return int(IN_KEY[given[given >= 0] % OCTAVE].sum(axis=0).argmax())


def squashed(events: npt.ArrayLike, lowest: int = 48, highest: int = 83,
             to_key: int | None = 0) -> tuple[Events, int]:
    """Return a melody moved to a key and into the range, as Melody RNN prepares its music, and by how much.

    The key is that of `major_key`; it is moved to ``to_key`` in the octave that brings the middle between the
    lowest and the highest pitch nearest to the middle of the range. Pitches that are outside then are folded
    into the range by octaves.

    Args:
        events: [T] a melody.
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch, inclusive, at least an octave from the lowest.
        to_key: 0 (C major, A minor) to 11, or None: pitches are only folded.

    Returns:
        The events, int16 [T], and the semitones of the move; ``shifted(moved, -semitones)`` is the way back,
        exact where nothing was folded.

    Raises `BadInput` for a range or a key that is none.
    """
    given = check_events(events)
    if to_key is not None and not 0 <= to_key < OCTAVE:
        raise BadInput(f"to_key={to_key}: give 0 (C major, A minor) to 11, or None")
    pitches = given[given >= 0]
    if to_key is None or not len(pitches):
        return shifted(given, 0, lowest, highest), 0
    to_tonic = to_key - major_key(given)
    middle = (int(pitches.min()) + int(pitches.max())) / 2 + to_tonic
    semitones = to_tonic + OCTAVE * round(((lowest + highest) / 2 - middle) / OCTAVE)
    return shifted(given, semitones, lowest, highest), semitones


def shifted(events: npt.ArrayLike, semitones: int, lowest: int = 0, highest: int = 127) -> Events:
    """Return events moved by semitones; what leaves the range is folded into its nearest octave; int16 [T].

    Raises `BadInput` for a range below an octave: not every pitch could be folded into it.
    """
    given = check_events(events)
    check_range(lowest, highest)
    if highest - lowest < OCTAVE - 1:
        raise BadInput(f"lowest={lowest}, highest={highest}: give a range of at least an octave, "
                       f"such as highest={min(lowest + OCTAVE - 1, 127)}")
    pitches = given.astype(np.int64) + semitones
    pitches = np.where(pitches < lowest, lowest + (pitches - lowest) % OCTAVE, pitches)
    pitches = np.where(pitches > highest, highest - (highest - pitches) % OCTAVE, pitches)
    return np.where(given >= 0, pitches, given).astype(np.int16)
