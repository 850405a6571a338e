"""What a rule of a constraint file says, and where in a piece it holds.

A rule is a `Place` and one of the kinds below. Beats are quarter notes, counted from 1 in each bar; bar 0 is the
pickup.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from componium.music.errors import BadInput
from componium.music.keys import Key
from componium.music.score import check_meter
from componium.music.voices import VOICE_NAMES

CADENCES = ("authentic", "perfect", "half", "plagal", "deceptive")
Span = tuple[int, int]
"""First step, and the step after the last."""


@dataclass(frozen=True)
class Place:
    """Where a rule holds.

    Attributes:
        voices: names in small letters (``"alto"``, ``"voice 2"``); empty for all.
        bars: (first, last) of each run of bars, last None for the end, negative numbers from the end (-1 the last bar);
            empty for the whole piece.
        beats: (first, last) beat in each bar, both included; None for the whole bar.
        end: whether the end of the piece is meant.
    """

    voices: tuple[str, ...] = ()
    bars: tuple[tuple[int, int | None], ...] = ()
    beats: tuple[Fraction, Fraction] | None = None
    end: bool = False


@dataclass(frozen=True)
class Pitches:
    """Only these pitch classes sound (rests are free); ``bass``, where given, is that of the lowest voice."""

    classes: frozenset[int]
    bass: int | None = None


@dataclass(frozen=True)
class Range:
    """Only MIDI pitches from ``lowest`` to ``highest`` sound."""

    lowest: int
    highest: int


@dataclass(frozen=True)
class Rests:
    """The voice is silent throughout, or never."""

    silent: bool


@dataclass(frozen=True)
class Rhythm:
    """The voice has exactly these notes and rests: (length in beats, whether it is a note)."""

    events: tuple[tuple[Fraction, bool], ...]
    repeated: bool = False


@dataclass(frozen=True)
class Melody:
    """The notes that a voice strikes are exactly these MIDI pitches, in this order; their rhythm is free."""

    pitches: tuple[int, ...]


@dataclass(frozen=True)
class Contains:
    """Each of these notes sounds somewhere there: (pitch class, or MIDI pitch; whether it is a MIDI pitch)."""

    notes: tuple[tuple[int, bool], ...]


@dataclass(frozen=True)
class Struck:
    """This note is struck at the very beat: pitch class, or MIDI pitch."""

    note: tuple[int, bool]


@dataclass(frozen=True)
class Density:
    """In each bar a voice strikes from ``fewest`` to ``most`` notes."""

    fewest: int
    most: int


@dataclass(frozen=True)
class Cadence:
    """Two chords that end a phrase; ``picardy``: the last third is major in minor too."""

    kind: str
    key: Key
    picardy: bool = False


Kind = Pitches | Range | Rests | Rhythm | Melody | Contains | Struck | Density | Cadence


def transposed(kind: Kind, semitones: int) -> Kind:
    """Return what a rule says of music that is ``semitones`` higher."""
    if isinstance(kind, Pitches):
        bass = None if kind.bass is None else (kind.bass + semitones) % 12
        return Pitches(frozenset((number + semitones) % 12 for number in kind.classes), bass)
    if isinstance(kind, Range):
        return Range(kind.lowest + semitones, kind.highest + semitones)
    if isinstance(kind, Melody):
        return Melody(tuple(pitch + semitones for pitch in kind.pitches))
    if isinstance(kind, Contains):
        return Contains(tuple(_moved(note, semitones) for note in kind.notes))
    if isinstance(kind, Struck):
        return Struck(_moved(kind.note, semitones))
    if isinstance(kind, Cadence):
        return replace(kind, key=Key.of(kind.key.tonic_pitch_class + semitones, kind.key.mode))
    return kind


def _moved(note: tuple[int, bool], semitones: int) -> tuple[int, bool]:
    number, exact = note
    return (number + semitones, True) if exact else ((number + semitones) % 12, False)


@dataclass(frozen=True)
class Rule:
    """One line of a constraint file."""

    line: int
    text: str
    place: Place
    kind: Kind

    def __str__(self) -> str:
        return f"line {self.line} ({self.text})"


@dataclass(frozen=True)
class Frame:
    """The piece that rules are applied to.

    Attributes:
        steps: its length.
        voices: how many, high to low.
        steps_per_beat: steps a quarter note.
        numerator: of the meter.
        denominator: of the meter.
        pickup_steps: length of bar 0; 0 without a pickup.
    """

    steps: int
    voices: int
    steps_per_beat: int = 4
    numerator: int = 4
    denominator: int = 4
    pickup_steps: int = 0

    def __post_init__(self) -> None:
        check_meter(self.numerator, self.denominator)
        if self.steps < 1 or self.voices < 1 or self.steps_per_beat < 1:
            raise BadInput("a piece that rules are applied to has at least one step, one voice and one step a beat")
        if self.bar_steps.denominator != 1:
            raise BadInput(f"a {self.numerator}/{self.denominator} bar is no whole number of steps at "
                           f"steps_per_beat={self.steps_per_beat}: take a finer grid")
        if not 0 <= self.pickup_steps < self.bar_steps:
            raise BadInput(f"pickup_steps={self.pickup_steps} is not shorter than a bar")

    @property
    def bar_steps(self) -> Fraction:
        """The length of a whole bar in steps, a whole number."""
        return Fraction(4 * self.numerator * self.steps_per_beat, self.denominator)

    @property
    def bars(self) -> range:
        """The numbers of the bars, from 0 where there is a pickup."""
        whole = math.ceil((self.steps - self.pickup_steps) / int(self.bar_steps))
        return range(0 if self.pickup_steps else 1, max(0, whole) + 1)

    def span(self, bar: int) -> Span:
        """Return the steps of a bar, cut off where the piece ends."""
        start = self.pickup_steps + (bar - 1) * int(self.bar_steps)
        return max(0, start), min(start + int(self.bar_steps), self.steps)

    def is_whole(self, bar: int) -> bool:
        """Tell whether a bar is as long as the meter says."""
        start, stop = self.span(bar)
        return stop - start == self.bar_steps

    def where(self, step: int) -> str:
        """Return a step in words: ``"bar 3, beat 2.5"``."""
        bar = 0 if step < self.pickup_steps else 1 + (step - self.pickup_steps) // int(self.bar_steps)
        return f"bar {bar}, beat {float(Fraction(step - self.span(bar)[0], self.steps_per_beat) + 1):g}"

    def steps_of(self, beats: Fraction) -> int:
        """Return a length in steps; raises `BadInput` where it is off the grid."""
        steps = beats * self.steps_per_beat
        if steps.denominator != 1:
            raise BadInput(f"{beats} of a quarter note is off a grid of {self.steps_per_beat} steps a quarter note")
        return int(steps)

    def voices_of(self, place: Place) -> tuple[int, ...]:
        """Return the places of the voices that a rule names, 0 the highest; all where it names none."""
        return tuple(sorted({self._voice(name) for name in place.voices})) or tuple(range(self.voices))

    def _voice(self, name: str) -> int:
        names = [voice.lower() for voice in VOICE_NAMES] if self.voices == len(VOICE_NAMES) else []
        known = {**{voice: place for place, voice in enumerate(names)}, "soprano": 0, "bass": self.voices - 1,
                 **{f"voice {place + 1}": place for place in range(self.voices)}}
        if name not in known:
            raise BadInput(f"there is no {name} among {self.voices} voices: {', '.join(known)}")
        return known[name]

    def voice_name(self, voice: int) -> str:
        """Return what a voice is called: ``"alto"``, or ``"voice 2"`` where there are not four."""
        return VOICE_NAMES[voice].lower() if self.voices == len(VOICE_NAMES) else f"voice {voice + 1}"

    def bars_of(self, place: Place) -> list[int]:
        """Return the bars that a rule names, ascending; all where it names none."""
        if not place.bars:
            return list(self.bars)
        found: set[int] = set()
        for first, last in place.bars:
            ends = [self.bars[-1] + 1 + bar if bar < 0 else bar for bar in (first, -1 if last is None else last)]
            for bar in ends:
                if bar not in self.bars:
                    raise BadInput(f"there is no bar {bar}: the piece has the bars {self.bars[0]} to {self.bars[-1]}")
            found.update(range(ends[0], ends[1] + 1))
        return sorted(found)

    def spans_of(self, place: Place) -> list[Span]:
        """Return the steps that a rule names, a span for each bar.

        Raises `BadInput` where a bar that it names has no such beat; where it names none, those that have it are meant.
        """
        return [span for _, span in self.bar_spans_of(place)]

    def bar_spans_of(self, place: Place) -> list[tuple[int, Span]]:
        """Return the same with the number of each bar."""
        spans = [(bar, self._within(bar, place)) for bar in self.bars_of(place)]
        found = [(bar, span) for bar, span in spans if span[0] < span[1]]
        if not found:
            raise BadInput(f"no bar has a beat {place.beats[1] if place.beats else 1}")
        return found

    def _within(self, bar: int, place: Place) -> Span:
        start, stop = self.span(bar)
        if place.beats is None:
            return start, stop
        first, last = (start + self.steps_of(beat - 1) for beat in place.beats)
        if last >= stop and not place.bars:
            return stop, stop
        if last >= stop:
            raise BadInput(f"bar {bar} has no beat {place.beats[1]}: it is {(stop - start) / self.steps_per_beat:g} "
                           "quarter notes long")
        return first, min(last + self.steps_per_beat, stop)

    def stretches_of(self, place: Place) -> list[Span]:
        """Return the steps that a rule names, neighbouring bars joined."""
        joined: list[Span] = []
        for start, stop in self.spans_of(place):
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], stop)
            else:
                joined.append((start, stop))
        return joined

    def cadence_span(self, place: Place) -> Span:
        """Return where the last chord of a cadence may begin: in the bar named, or less than a bar before the end."""
        if place.bars:
            spans = self.spans_of(place)
            if len(spans) > 1:
                raise BadInput("a cadence stands in one bar: name the bar of its last chord")
            return (spans[0][0], spans[0][0] + 1) if place.beats else spans[0]
        return max(0, self.steps - int(self.bar_steps)), self.steps

    def pulses(self, span: Span) -> Iterator[int]:
        """Yield the steps of a span that lie on a beat as it is felt: dotted in 6/8, 9/8 and 12/8."""
        compound = self.denominator >= 8 and self.numerator > 3 and self.numerator % 3 == 0
        length = Fraction(12 if compound else 4, max(4, self.denominator)) * self.steps_per_beat
        for step in range(*span):
            if ((step - self.pickup_steps) % int(self.bar_steps)) % length == 0:
                yield step

    def is_strong(self, step: int) -> bool:
        """Tell whether a step begins a bar, or the second half of a bar that has two halves."""
        place = (step - self.pickup_steps) % int(self.bar_steps)
        return place == 0 or (self.numerator % 2 == 0 and 2 * place == self.bar_steps)
