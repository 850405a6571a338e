"""Lookback: a network is told what came a bar ago and two bars ago, and may answer "the same again".

Besides its event, the input of a step tells what followed one bar and two bars earlier, the place in the bar as
binary digits, and whether the melody is repeating itself; two further labels repeat the event of one or two bars
ago. So a network need not remember a pitch for 16 steps to repeat a bar. After E. Waite: Generating long-term
structure in songs and stories (Magenta, 2016), and Magenta's Melody RNN, configuration `lookback`.

Before the beginning there was silence: events of earlier than step 0 count as `NO_EVENT`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.tokens.grid import check_range
from componium.tokens.melody_events import Events
from componium.tokens.melody_onehot import Inputs, Labels, OneHot, State, check_labels

_NOTHING = 0  # the class of NO_EVENT in OneHot


def check_distances(distances: tuple[int, ...], counter_bits: int) -> None:
    """Raise `BadInput` for distances or a counter that are none."""
    if not distances or list(distances) != sorted({steps for steps in distances if steps >= 1}):
        raise BadInput(f"distances={distances}: give steps of at least 1, ascending, such as (16, 32)")
    if not 0 <= counter_bits <= 32:
        raise BadInput(f"counter_bits={counter_bits}: give 0 to 32 binary digits")


def at_distances(classes: Labels, distances: tuple[int, ...], nothing: int) -> Labels:
    """Return the class that stood so many steps earlier, ``nothing`` before the beginning; int64 [T, distances]."""
    padded = np.concatenate([np.full(distances[-1], nothing, dtype=np.int64), classes])
    first = distances[-1] - np.array(distances)  # where step 0 finds what is so many steps earlier
    found: Labels = padded[np.arange(len(classes))[:, np.newaxis] + first]
    return found


def with_repeats(classes: Labels, earlier: Labels, first_repeat: int) -> Labels:
    """Return labels [T]: that of the farthest of the earlier classes [T, distances] that is the same, else the class.

    The repeat label of the nearest distance is ``first_repeat``, the others follow.
    """
    same = earlier == classes[:, np.newaxis]
    farthest = earlier.shape[1] - 1 - same[:, ::-1].argmax(axis=1)
    return np.where(same.any(axis=1), first_repeat + farthest, classes)


def without_repeats(labels: Labels, distances: tuple[int, ...], first_repeat: int, nothing: int) -> Labels:
    """Return the classes that labels stand for, the inverse of `with_repeats`; int64 [T].

    A repeat points at an earlier step, which may be a repeat itself. Each round sends every pointer to where its
    aim points, so that chains of n repeats are followed in about log2(n) rounds.
    """
    steps = np.arange(len(labels))
    back = np.array((0, *distances))[np.maximum(labels - first_repeat + 1, 0)]  # 0 where the label is a class
    source = steps - back  # negative: before the beginning
    while True:
        further = np.where(source >= 0, source[np.maximum(source, 0)], source)
        if np.array_equal(further, source):
            return np.where(source >= 0, labels[np.maximum(source, 0)], nothing)
        source = further


def plain_classes(labels: Labels, repeats: Labels, first_repeat: int) -> Labels:
    """Return the classes that labels [rows] mean where repeats mean the classes ``repeats`` [rows, distances]."""
    repeated = np.take_along_axis(repeats, np.maximum(labels - first_repeat, 0)[:, np.newaxis], axis=1)[:, 0]
    return np.where(labels >= first_repeat, repeated, labels)


def counters(counted: npt.NDArray[np.int64], bits: int) -> Inputs:
    """Return binary digits of numbers [N], the lowest first, as 1 and -1; float32 [N, bits]."""
    digits = counted[:, np.newaxis] >> np.arange(bits) & 1
    return (2 * digits - 1).astype(np.float32)


@dataclass
class History(State):
    """The state of an encoding that looks back.

    Attributes:
        heard: int64 [rows, farthest distance], a ring: the class of step t is at ``t % farthest``.
    """

    heard: Labels

    def at(self, distances: tuple[int, ...]) -> Labels:
        """Return the classes that stood so many steps before the next one; int64 [rows, distances]."""
        return self.heard[:, (self.steps - np.array(distances)) % self.heard.shape[1]]

    def keep(self, classes: Labels) -> None:
        """Put the classes [rows] of the step that was just heard in the place of the oldest."""
        self.heard[:, (self.steps - 1) % self.heard.shape[1]] = classes


@dataclass(frozen=True)
class Lookback:
    """Melody RNN's lookback encoding.

    Labels: the classes of `OneHot`, then one repeat label for each distance; the farther repeat wins, and a
    `NO_EVENT` before the farthest distance is a farthest repeat, too.

    Inputs, 121 numbers at the defaults: [0, 38) the event of this step, one-hot; [38, 76) and [76, 114) what
    followed 16 and 32 steps ago; [114, 119) the number of the next step in binary digits (1 or -1), lowest
    first; [119, 121) whether this event is that of 16 and 32 steps ago.

    Attributes:
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch, inclusive.
        distances: how many steps back it looks, ascending; 16 is a bar of 4/4 in 16ths.
        counter_bits: binary digits of the step's number.
    """

    lowest: int = 48
    highest: int = 83
    distances: tuple[int, ...] = (16, 32)
    counter_bits: int = 5

    def __post_init__(self) -> None:
        check_range(self.lowest, self.highest)
        check_distances(self.distances, self.counter_bits)

    @property
    def plain(self) -> OneHot:
        """The encoding of single events."""
        return OneHot(self.lowest, self.highest)

    @property
    def classes(self) -> int:
        """The number of classes, one for each event: the labels that are no repeats."""
        return self.plain.classes

    @property
    def size(self) -> int:
        """The number of labels: classes and repeats."""
        return self.classes + len(self.distances)

    @property
    def input_size(self) -> int:
        """The numbers of one step's input."""
        return self.classes * (1 + len(self.distances)) + self.counter_bits + len(self.distances)

    def labels(self, events: npt.ArrayLike) -> Labels:
        """Return the label of each event; int64 [T]. Raises `BadInput` for a pitch outside the range."""
        classes = self.plain.labels(events)
        return with_repeats(classes, at_distances(classes, self.distances, _NOTHING), self.classes)

    def events(self, labels: npt.ArrayLike) -> Events:
        """Return the events of labels [T], the inverse of `labels`; int16 [T]."""
        given = check_labels(labels, self.size)
        return self.plain.events(without_repeats(given, self.distances, self.classes, _NOTHING))

    def inputs(self, events: npt.ArrayLike) -> Inputs:
        """Return what a network reads; float32 [T, input_size]: row t is for the prediction of label t + 1."""
        classes = self.plain.labels(events)
        steps = np.arange(len(classes), dtype=np.int64)
        # with one step more, the row of step t + 1 tells what followed
        earlier = at_distances(np.append(classes, _NOTHING), self.distances, _NOTHING)
        repeating = (earlier[:-1] == classes[:, np.newaxis]) & (steps[:, np.newaxis] >= self.distances)
        return self._written(classes, earlier[1:], steps + 1, repeating)

    def start(self, rows: int) -> History:
        """Return the state of so many melodies before their first event."""
        return History(rows, 0, np.full((rows, self.distances[-1]), _NOTHING, dtype=np.int64))

    def advance(self, state: History, events: npt.ArrayLike) -> Inputs:
        """Hear one event of each row; return the input for predicting the next; float32 [rows, input_size]."""
        earlier, reached = state.at(self.distances), state.steps >= np.array(self.distances)
        classes = self.plain.labels(state.hear(events, self.lowest, self.highest))
        state.keep(classes)
        return self._written(classes, state.at(self.distances), np.full(state.rows, state.steps),
                             (earlier == classes[:, np.newaxis]) & reached)

    def repeats(self, state: History) -> Labels:
        """Return the class that each repeat label would stand for at the next step; int64 [rows, distances]."""
        return state.at(self.distances)

    def meant(self, state: History, labels: npt.ArrayLike) -> Events:
        """Return the events that labels [rows] mean at the next step; int16 [rows]."""
        given = check_labels(labels, self.size)
        return self.plain.events(plain_classes(given, self.repeats(state), self.classes))

    def _written(self, classes: Labels, following: Labels, counted: Labels, repeating: npt.NDArray[np.bool_]) -> Inputs:
        """Return inputs from classes [N], what followed [N, distances], steps so far [N] and repeats [N, distances]."""
        inputs = np.zeros((len(classes), self.input_size), dtype=np.float32)
        places = np.column_stack([classes, following]) + self.classes * np.arange(1 + len(self.distances))
        inputs[np.arange(len(classes))[:, np.newaxis], places] = 1
        inputs[:, self.classes * places.shape[1]:-len(self.distances)] = counters(counted, self.counter_bits)
        inputs[:, -len(self.distances):] = repeating
        return inputs
