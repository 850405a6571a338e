"""The one-hot encoding of melodies: one class for each event; Melody RNN's `basic` and `mono` configurations.

``OneHot()`` is *basic* (36 pitches, 38 classes, melodies moved to C major with `squashed`), ``OneHot(0, 127)`` is
*mono* (130 classes, no transposition). After Magenta's Melody RNN (Google Brain, 2016).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.tokens.grid import check_range
from componium.tokens.melody_events import NO_EVENT, Events, check_events

FIRST_PITCH_CLASS = 2
"""The class of the lowest pitch: ``event + 2`` is that of `NO_EVENT` (0) and `NOTE_OFF` (1)."""

Labels = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.float32]


@dataclass
class State:
    """What an encoding remembers of the rows of a batch while they are composed: of the same size for ever.

    Attributes:
        rows: how many melodies are composed side by side.
        steps: how many events each of them has heard.
    """

    rows: int
    steps: int

    def reorder(self, parents: npt.ArrayLike) -> None:
        """Let row i go on from what row ``parents[i]`` has heard; [rows] whole numbers, as many as are wanted."""
        chosen = np.asarray(parents, dtype=np.int64)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[chosen])
        self.rows = len(chosen)

    def hear(self, events: npt.ArrayLike, lowest: int, highest: int) -> Events:
        """Return checked events, one for each row, and count them."""
        heard = check_events(events, lowest, highest)
        if len(heard) != self.rows:
            raise BadInput(f"{len(heard)} events were given for {self.rows} rows: give one for each row")
        self.steps += 1
        return heard


def one_hot(classes: npt.NDArray[np.integer], size: int) -> Inputs:
    """Return 1 at each class and 0 elsewhere, for -1 only 0; float32 [..., size] for classes [...]."""
    return _rows(size).take(classes, axis=0)


@functools.cache
def _rows(size: int) -> Inputs:
    """Return the one-hot row of each class; the last, which -1 points at, has no 1; [size + 1, size]."""
    return np.eye(size + 1, size, dtype=np.float32)


def check_labels(labels: npt.ArrayLike, size: int) -> Labels:
    """Return labels as int64 [T]; raises `BadInput` for what is none."""
    given = np.asarray(labels)
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise BadInput(f"labels are whole numbers of the shape [steps], not {given.dtype} {list(given.shape)}")
    wrong = (given < 0) | (given >= size)
    if np.any(wrong):
        step = int(wrong.argmax())
        raise BadInput(f"step {step} is {given[step]}: labels are 0 to {size - 1}")
    return given.astype(np.int64)


@dataclass(frozen=True)
class OneHot:
    """Classes of events: `NO_EVENT` is 0, `NOTE_OFF` is 1, a pitch p is ``2 + p - lowest``.

    Attributes:
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch, inclusive.
    """

    lowest: int = 48
    highest: int = 83

    def __post_init__(self) -> None:
        check_range(self.lowest, self.highest)

    @property
    def classes(self) -> int:
        """The number of classes, one for each event."""
        return FIRST_PITCH_CLASS + self.highest - self.lowest + 1

    @property
    def size(self) -> int:
        """The number of labels: the classes."""
        return self.classes

    @property
    def input_size(self) -> int:
        """The numbers of one step's input: the classes."""
        return self.classes

    def labels(self, events: npt.ArrayLike) -> Labels:
        """Return the class of each event; int64 [T]. Raises `BadInput` for a pitch outside the range."""
        given = check_events(events, self.lowest, self.highest).astype(np.int64)
        return np.where(given < 0, given - NO_EVENT, given - self.lowest + FIRST_PITCH_CLASS)

    def events(self, labels: npt.ArrayLike) -> Events:
        """Return the events of labels [T], the inverse of `labels`; int16 [T]."""
        given = check_labels(labels, self.size)
        special = given < FIRST_PITCH_CLASS
        return np.where(special, given + NO_EVENT, given - FIRST_PITCH_CLASS + self.lowest).astype(np.int16)

    def inputs(self, events: npt.ArrayLike) -> Inputs:
        """Return what a network reads; float32 [T, input_size]: row t is for the prediction of label t + 1."""
        return one_hot(self.labels(events), self.classes)

    def start(self, rows: int) -> State:
        """Return the state of so many melodies before their first event."""
        return State(rows, 0)

    def advance(self, state: State, events: npt.ArrayLike) -> Inputs:
        """Hear one event of each row; return the input for predicting the next; float32 [rows, input_size]."""
        return one_hot(self.labels(state.hear(events, self.lowest, self.highest)), self.classes)

    def repeats(self, state: State) -> Labels:
        """Return the classes of repeat labels, of which there are none here; int64 [rows, 0]."""
        return np.zeros((state.rows, 0), dtype=np.int64)

    def meant(self, state: State, labels: npt.ArrayLike) -> Events:
        """Return the events that labels [rows] mean at the next step; int16 [rows]."""
        return self.events(labels)
