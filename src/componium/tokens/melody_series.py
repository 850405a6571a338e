"""The time-series grid of the course's melody LSTM: one word a step, and "/" at the end.

A pitch is written as its MIDI number at its onset, a rest as "r" at its start, "_" says that either goes on, "/"
is the end. V. Velardo: Generating melodies with RNN-LSTM (The Sound of AI, 2020). There a song ends in 64 ends
that are counted in its figures; here it ends in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.tokens.grid import check_range
from componium.tokens.melody_events import NO_EVENT, NOTE_OFF, Events, check_events
from componium.tokens.melody_onehot import Inputs, Labels, State, check_labels, one_hot

GOES_ON = 0
"""The number of "_"."""
REST = 1
"""The number of "r", the start of a rest."""
FIRST_PITCH = 2
"""The number of the lowest pitch; the others follow in semitones, and then the end."""


@dataclass(frozen=True)
class Series:
    """Words and numbers: "_" is 0, "r" is 1, a pitch p is ``2 + p - lowest``, "/" is the last.

    Attributes:
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch, inclusive.
    """

    lowest: int = 48
    highest: int = 83

    def __post_init__(self) -> None:
        check_range(self.lowest, self.highest)

    @property
    def end(self) -> int:
        """The number of "/"; its one-hot input also stands for the beginning, as in the course."""
        return FIRST_PITCH + self.highest - self.lowest + 1

    @property
    def size(self) -> int:
        """The number of words, the end among them."""
        return self.end + 1

    @property
    def classes(self) -> int:
        """The number of words: no label is a repeat."""
        return self.size

    @property
    def input_size(self) -> int:
        """The numbers of one step's input: the words."""
        return self.size

    def labels(self, events: npt.ArrayLike) -> Labels:
        """Return the number of each step's word, and the end; int64 [T + 1].

        Raises `BadInput` for a pitch outside the range.
        """
        given = check_events(events, self.lowest, self.highest)
        return np.append(self._numbers(given, np.arange(len(given)) == 0), self.end)

    def events(self, labels: npt.ArrayLike) -> Events:
        """Return the events of labels up to the first end, the inverse of `labels`; int16 [T].

        The end may be missing, as in a melody that was cut. Raises `BadInput` for "_" at the beginning.
        """
        given = check_labels(labels, self.size)
        given = given[:int((given == self.end).argmax())] if np.any(given == self.end) else given
        if len(given) and given[0] == GOES_ON:
            raise BadInput('step 0 is "_", but nothing goes on at the beginning: begin with "r" or a pitch')
        events = self._events(given)
        events[:1][given[:1] == REST] = NO_EVENT  # silence at the beginning is not written in events
        return events

    def inputs(self, events: npt.ArrayLike) -> Inputs:
        """Return what a network reads; float32 [T, input_size]: row t is for the prediction of label t + 1."""
        return one_hot(self.labels(events)[:-1], self.size)

    def words(self, labels: npt.ArrayLike) -> list[str]:
        """Return the words of labels, such as ``["60", "_", "r", "/"]``."""
        special = {GOES_ON: "_", REST: "r", self.end: "/"}
        given = check_labels(labels, self.size).tolist()
        return [special.get(number) or str(number - FIRST_PITCH + self.lowest) for number in given]

    def labels_of(self, words: Sequence[str] | str) -> Labels:
        """Return the labels of words, the inverse of `words`; int64 [words]; a text is split at its blanks."""
        words = words.split() if isinstance(words, str) else words
        numbers = {"_": GOES_ON, "r": REST, "/": self.end}
        numbers |= {str(pitch): FIRST_PITCH + pitch - self.lowest for pitch in range(self.lowest, self.highest + 1)}
        for place, word in enumerate(words):
            if word not in numbers:
                raise BadInput(f"word {place} is {word!r}: words are _, r, / and pitches, {self.lowest} to "
                               f"{self.highest}; transpose the melody, or train with lowest and highest that hold it")
        return np.array([numbers[word] for word in words], dtype=np.int64)

    def start(self, rows: int) -> State:
        """Return the state of so many melodies before their first event."""
        return State(rows, 0)

    def advance(self, state: State, events: npt.ArrayLike) -> Inputs:
        """Hear one event of each row; return the input for predicting the next; float32 [rows, input_size]."""
        heard = state.hear(events, self.lowest, self.highest)
        return one_hot(self._numbers(heard, np.full(state.rows, state.steps == 1)), self.size)

    def repeats(self, state: State) -> Labels:
        """Return the classes of repeat labels, of which there are none here; int64 [rows, 0]."""
        return np.zeros((state.rows, 0), dtype=np.int64)

    def meant(self, state: State, labels: npt.ArrayLike) -> Events:
        """Return the events that labels [rows] mean at the next step; int16 [rows]. An end means silence."""
        given = check_labels(labels, self.size)
        events = self._events(np.where(given == self.end, REST, given))
        return np.where(events == NOTE_OFF, NO_EVENT, events).astype(np.int16) if state.steps == 0 else events

    def _numbers(self, events: Events, first: npt.NDArray[np.bool_]) -> Labels:
        """Return the numbers of events [N], of which some are the first of their melody: there silence is a rest."""
        given = events.astype(np.int64)
        special = np.where((given == NOTE_OFF) | first, REST, GOES_ON)
        return np.where(given < 0, special, given - self.lowest + FIRST_PITCH)

    def _events(self, numbers: Labels) -> Events:
        """Return the events of numbers [N] that are no ends and not the first of their melody."""
        return np.where(numbers < FIRST_PITCH, numbers + NO_EVENT, numbers - FIRST_PITCH + self.lowest).astype(np.int16)
