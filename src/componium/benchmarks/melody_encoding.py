"""Encoding melodies for Melody RNN: ours on whole arrays against the published approach, one event at a time.

Magenta's code makes the input of a step from a Python list of all events and a position, number by number, and for
the key melody reads the melody from its beginning each time. The two functions `plain_lookback` and `plain_key`
are that approach written plainly; they hold for the default settings (48 to 83, bars of 16 steps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from componium.benchmarks.markov_chain import grids_of
from componium.benchmarks.material import chorales
from componium.benchmarks.measure import Measurement, compare
from componium.music.grid import Grid
from componium.tokens.melody import NO_EVENT, NOTE_OFF, Events, KeyMelody, Lookback, events_of

LOWEST, PITCHES = 48, 36
DISTANCES = (16, 32)
MAJOR = (0, 2, 4, 5, 7, 9, 11)
SHARE = 16
"""The plain way encodes one melody in so many; its time is scaled up."""
PEER = "the published approach, rewritten: Python lists, one event at a time"

Row = tuple[list[float], int]


def lookback() -> list[Measurement]:
    """Time inputs and labels of the lookback encoding."""
    return [_measured("encode-lookback", Lookback(), plain_lookback)]


def key_melody() -> list[Measurement]:
    """Time inputs and labels of the key-melody encoding."""
    return [_measured("encode-key", KeyMelody(), plain_key)]


def _measured(name: str, encoding: Lookback | KeyMelody, plain: Callable[[list[int], int], Row]) -> Measurement:
    melodies, text = sopranos()
    some = [events.tolist() for events in melodies[::SHARE]]
    steps = sum(len(events) for events in melodies)
    return compare(
        name, lambda: _encoded(encoding, melodies), lambda: _encoded_plainly(plain, some),
        peer=PEER, amount=steps, unit="steps", repeats=9, baseline_share=sum(map(len, some)) / steps,
        note=f"inputs and labels of the upper voices of {text}; the plain lists are not made arrays")


def _encoded(encoding: Lookback | KeyMelody, melodies: list[Events]) -> None:
    for events in melodies:  # as on the other side, nothing is kept longer than for its melody
        encoding.inputs(events)
        encoding.labels(events)


def _encoded_plainly(plain: Callable[[list[int], int], Row], melodies: list[list[int]]) -> None:
    for events in melodies:
        [plain(events, step) for step in range(len(events))]


def sopranos() -> tuple[list[Events], str]:
    """Return the upper voices of the benchmarks' chorales as events, and what they are."""
    corpus, text = chorales()
    upper = [Grid(grid.pitches[:, :1], grid.held[:, :1]) for grid in grids_of(corpus)]
    return [events_of(grid) for grid in upper], text


def plain_lookback(events: list[int], step: int) -> Row:
    """Return the input [121] and the label of one step."""
    row = _one_hot(_class_of(events[step]), PITCHES + 2)
    for distance in DISTANCES:
        before = step - distance + 1
        row += _one_hot(_class_of(events[before] if before >= 0 else NO_EVENT), PITCHES + 2)
    row += _digits(step + 1, 5)
    row += [float(_repeats(events, step, distance)) for distance in DISTANCES]
    return row, _label(events, step, _class_of(events[step]))


def _class_of(event: int) -> int:
    return event + 2 if event < 0 else event - LOWEST + 2


def plain_key(events: list[int], step: int) -> Row:
    """Return the input [74] and the label of one step."""
    heard = _Heard()
    for event in events[:step + 1]:
        heard.listen(event)
    row = _one_hot(None if heard.pitch is None else heard.pitch - LOWEST, PITCHES)
    row += [float(heard.pitch is not None), float(heard.pitch is None), float(heard.attack), heard.direction]
    row += [float(_repeats(events, step, distance)) for distance in DISTANCES]
    row += _digits(step + 1, 7)
    row.append(float((step + 1) % 16 == 0))
    row += _keys([event for event in events[:step + 1] if event >= 0])
    row += _keys(heard.recent)
    event = events[step]
    plain = {NO_EVENT: PITCHES, NOTE_OFF: PITCHES + 1}.get(event, event - LOWEST)
    return row, _label(events, step, plain)


@dataclass
class _Heard:
    """What a listener knows of a melody: the pitch that sounds, and the last three different ones."""

    pitch: int | None = None
    attack: bool = False
    direction: float = 0.0

    def __post_init__(self) -> None:
        self.recent: list[int] = []

    def listen(self, event: int) -> None:
        """Take in one event."""
        if event == NO_EVENT:
            self.attack = False
        elif event == NOTE_OFF:
            self.pitch = None
        else:
            if self.recent and event != self.recent[-1]:
                self.direction = 1.0 if event > self.recent[-1] else -1.0
            self.recent = [*(pitch for pitch in self.recent if pitch != event), event][-3:]
            self.pitch, self.attack = event, True


def _one_hot(place: int | None, size: int) -> list[float]:
    row = [0.0] * size
    if place is not None:
        row[place] = 1.0
    return row


def _digits(number: int, bits: int) -> list[float]:
    return [1.0 if number // 2 ** bit % 2 else -1.0 for bit in range(bits)]


def _repeats(events: list[int], step: int, distance: int) -> bool:
    return step >= distance and events[step] == events[step - distance]


def _label(events: list[int], step: int, plain: int) -> int:
    if step < DISTANCES[-1] and events[step] == NO_EVENT:
        return PITCHES + 2 + len(DISTANCES) - 1
    for number, distance in reversed(list(enumerate(DISTANCES))):
        if _repeats(events, step, distance):
            return PITCHES + 2 + number
    return plain


def _keys(pitches: list[int]) -> list[float]:
    classes = [0] * 12
    for pitch in pitches:
        classes[pitch % 12] += 1
    fits = [sum(classes[(key + above) % 12] for above in MAJOR) for key in range(12)]
    return [float(fit == max(fits)) for fit in fits]
