"""Key melody: a network is told what sounds, where the melody leads, and in which keys it may be.

The input has no note-off: it tells which pitch sounds or that none does, whether a note has just begun, whether
the melody was last rising or falling, repeats and the place in the bar as `Lookback` does, and the major keys that
hold most of the onsets so far, and most of the last three different pitches. After Magenta's Melody RNN (2016),
whose configuration `attention` uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.tokens.grid import SILENT, check_range
from componium.tokens.melody_events import IN_KEY, NO_EVENT, NOTE_OFF, OCTAVE, Events, check_events, last_told
from componium.tokens.melody_lookback import (
    History,
    at_distances,
    check_distances,
    counters,
    plain_classes,
    with_repeats,
    without_repeats,
)
from componium.tokens.melody_onehot import Inputs, Labels, check_labels, one_hot

RECENT = 3
"""How many different pitches the key of the moment is estimated from."""


def best_keys(fitting: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return which keys hold most: all that share the maximum, so all 12 where nothing was heard; bool [N, 12].

    ``fitting`` [N, 12] tells how many notes fit into each major key.
    """
    best: npt.NDArray[np.bool_] = fitting == fitting.max(axis=1, keepdims=True)
    return best


def recent_pitches(pitches: Events, lowest: int, highest: int) -> npt.NDArray[np.bool_]:
    """Return which of the pitches are the last `RECENT` different ones after each onset; bool [onsets + 1, pitches].

    ``pitches`` [onsets] are those of the onsets in order; the first row, before any, is empty.
    """
    places = np.arange(lowest, highest + 1)
    number = np.arange(1, len(pitches) + 1)
    # the number of the last onset of each pitch; 0 where there was none
    last = np.zeros((len(pitches) + 1, len(places)), dtype=np.int64)
    last[1:] = np.maximum.accumulate(np.where(pitches[:, np.newaxis] == places, number[:, np.newaxis], 0), axis=0)
    kept = min(RECENT, len(places))
    oldest = np.partition(last, -kept, axis=1)[:, -kept]
    return (last > 0) & (last >= oldest[:, np.newaxis])


def directions(pitches: Events) -> Inputs:
    """Return 1 where the melody last rose, -1 where it fell, 0 before it moved; float32 [onsets + 1]."""
    moves = np.zeros(len(pitches) + 1, dtype=np.float32)
    moves[2:] = np.sign(np.diff(pitches))
    moved = np.maximum.accumulate(np.where(moves != 0, np.arange(len(moves)), 0))
    return moves[moved]


@dataclass
class KeyHistory(History):
    """The state of `KeyMelody`.

    Attributes:
        sounds: int16 [rows], the pitch that sounds, or `SILENT`.
        attacked: bool [rows], whether a note has just begun.
        direction: float32 [rows], 1 after a rise, -1 after a fall, 0 before either.
        recent: int16 [rows, RECENT], the last different pitches, the newest first, `SILENT` where there are fewer.
        fitting: float32 [rows, 12], how many onsets fit into each major key.
    """

    sounds: Events
    attacked: npt.NDArray[np.bool_]
    direction: Inputs
    recent: Events
    fitting: Inputs

    def listen(self, events: Events) -> None:
        """Take in one event of each row [rows]."""
        onset = events >= 0
        self.sounds = np.where(events == NO_EVENT, self.sounds, events)  # a NOTE_OFF is SILENT: both are -1
        self.attacked = np.where(events == NOTE_OFF, self.attacked, onset)
        newest, middle, oldest = self.recent.T
        moved = onset & (newest != SILENT) & (newest != events)
        self.direction = np.where(moved, np.sign(events - newest), self.direction).astype(np.float32)
        # the new pitch comes first, and leaves the place that it had
        ahead = np.stack([events, np.where(events == newest, middle, newest),
                          np.where((events == newest) | (events == middle), oldest, middle)], axis=1)
        self.recent = np.where(onset[:, np.newaxis], ahead, self.recent)
        self.fitting = self.fitting + np.where(onset[:, np.newaxis], IN_KEY[events % OCTAVE], 0)


@dataclass(frozen=True)
class KeyMelody:
    """Melody RNN's key-melody encoding, of its configuration `attention`.

    Labels: a pitch p is ``p - lowest``, then come `NO_EVENT` and `NOTE_OFF` (36 and 37 at the defaults), then a
    repeat label for each distance, as in `Lookback`.

    Inputs, 74 numbers at the defaults: [0, 36) the pitch that sounds; 36 and 37 whether one sounds or none does;
    38 whether a note has just begun; 39 the direction (1 after a rise, -1 after a fall, 0 before either);
    [40, 42) whether this event is that of 16 and 32 steps ago; [42, 49) the number of the next step in binary
    digits (1 or -1), lowest first; 49 whether a bar begins next; [50, 62) the major keys, C to B, that hold most
    onsets so far; [62, 74) those that hold most of the last three different pitches.

    Two things are as in the original: a note of one step still counts as just begun in the step of its note-off,
    and minor keys are those of their relative major. One is not: the original takes MIDI pitch 0 for silence.

    Attributes:
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch, inclusive.
        distances: how many steps back it looks, ascending; 16 is a bar of 4/4 in 16ths.
        counter_bits: binary digits of the step's number.
        steps_per_bar: steps of a bar.
    """

    lowest: int = 48
    highest: int = 83
    distances: tuple[int, ...] = (16, 32)
    counter_bits: int = 7
    steps_per_bar: int = 16

    def __post_init__(self) -> None:
        check_range(self.lowest, self.highest)
        check_distances(self.distances, self.counter_bits)
        if self.steps_per_bar < 1:
            raise BadInput(f"steps_per_bar={self.steps_per_bar}: give at least 1")

    @property
    def pitches(self) -> int:
        """The number of pitches; also the label of `NO_EVENT`."""
        return self.highest - self.lowest + 1

    @property
    def classes(self) -> int:
        """The number of classes, one for each event: the labels that are no repeats."""
        return self.pitches + 2

    @property
    def size(self) -> int:
        """The number of labels: classes and repeats."""
        return self.classes + len(self.distances)

    @property
    def input_size(self) -> int:
        """The numbers of one step's input."""
        return self.pitches + 2 + 1 + 1 + len(self.distances) + self.counter_bits + 1 + 2 * OCTAVE

    def _classes(self, events: Events) -> Labels:
        special = self.pitches - NO_EVENT + events.astype(np.int64)
        return np.where(events < 0, special, events.astype(np.int64) - self.lowest)

    def _events(self, classes: Labels) -> Events:
        special = classes - self.pitches + NO_EVENT
        return np.where(classes >= self.pitches, special, classes + self.lowest).astype(np.int16)

    def labels(self, events: npt.ArrayLike) -> Labels:
        """Return the label of each event; int64 [T]. Raises `BadInput` for a pitch outside the range."""
        classes = self._classes(check_events(events, self.lowest, self.highest))
        return with_repeats(classes, at_distances(classes, self.distances, self.pitches), self.classes)

    def events(self, labels: npt.ArrayLike) -> Events:
        """Return the events of labels [T], the inverse of `labels`; int16 [T]."""
        given = check_labels(labels, self.size)
        return self._events(without_repeats(given, self.distances, self.classes, self.pitches))

    def inputs(self, events: npt.ArrayLike) -> Inputs:
        """Return what a network reads; float32 [T, input_size]: row t is for the prediction of label t + 1."""
        given = check_events(events, self.lowest, self.highest)
        steps, onset = np.arange(len(given), dtype=np.int64), given >= 0
        attacked = last_told(given, given != NOTE_OFF, NO_EVENT) >= 0
        sounds = last_told(given, given != NO_EVENT, SILENT)
        classes = self._classes(given)
        earlier = at_distances(classes, self.distances, self.pitches)
        repeating = (earlier == classes[:, np.newaxis]) & (steps[:, np.newaxis] >= self.distances)
        # what changes at onsets only is found for each onset, and for none yet (row 0), and then spread out
        onsets, heard = given[onset], np.cumsum(onset)
        fits = np.concatenate([np.zeros((1, OCTAVE), dtype=np.float32), IN_KEY[onsets % OCTAVE]]).cumsum(axis=0)
        recent = recent_pitches(onsets, self.lowest, self.highest).astype(np.float32)
        recent_fits = recent @ IN_KEY[np.arange(self.lowest, self.highest + 1) % OCTAVE]
        return self._written(sounds, attacked, directions(onsets)[heard], repeating, steps + 1,
                             best_keys(fits)[heard], best_keys(recent_fits)[heard])

    def start(self, rows: int) -> KeyHistory:
        """Return the state of so many melodies before their first event."""
        return KeyHistory(
            rows, 0, np.full((rows, self.distances[-1]), self.pitches, dtype=np.int64),
            sounds=np.full(rows, SILENT, dtype=np.int16), attacked=np.zeros(rows, dtype=np.bool_),
            direction=np.zeros(rows, dtype=np.float32), recent=np.full((rows, RECENT), SILENT, dtype=np.int16),
            fitting=np.zeros((rows, OCTAVE), dtype=np.float32))

    def advance(self, state: KeyHistory, events: npt.ArrayLike) -> Inputs:
        """Hear one event of each row; return the input for predicting the next; float32 [rows, input_size]."""
        earlier, reached = state.at(self.distances), state.steps >= np.array(self.distances)
        heard = state.hear(events, self.lowest, self.highest)
        classes = self._classes(heard)
        state.keep(classes)
        state.listen(heard)
        there = (state.recent != SILENT)[..., np.newaxis]
        recent_fits = np.where(there, IN_KEY[state.recent % OCTAVE], 0).sum(axis=1)
        repeating = (earlier == classes[:, np.newaxis]) & reached
        return self._written(state.sounds, state.attacked, state.direction, repeating,
                             np.full(state.rows, state.steps), best_keys(state.fitting), best_keys(recent_fits))

    def repeats(self, state: KeyHistory) -> Labels:
        """Return the class that each repeat label would stand for at the next step; int64 [rows, distances]."""
        return state.at(self.distances)

    def meant(self, state: KeyHistory, labels: npt.ArrayLike) -> Events:
        """Return the events that labels [rows] mean at the next step; int16 [rows]."""
        given = check_labels(labels, self.size)
        return self._events(plain_classes(given, self.repeats(state), self.classes))

    def _written(self, sounds: Events, attacked: npt.NDArray[np.bool_], direction: Inputs,
                 repeating: npt.NDArray[np.bool_], counted: Labels, keys: npt.NDArray[np.bool_],
                 recent_keys: npt.NDArray[np.bool_]) -> Inputs:
        """Return inputs in the order of the class's docstring; each argument [N] or [N, numbers]."""
        silent = sounds == SILENT
        return np.column_stack([
            one_hot(np.where(silent, -1, sounds - self.lowest), self.pitches), ~silent, silent, attacked, direction,
            repeating, counters(counted, self.counter_bits), counted % self.steps_per_bar == 0, keys, recent_keys,
        ]).astype(np.float32, copy=False)
