"""A score on its way to MusicXML: its bars, its voices bar by bar, the accidentals to print, names and ids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from componium.music.note_values import Meter, exact, meter_of
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    Bar,
    Score,
    bar_beats,
    bars,
    meter,
    pickup_beats,
    pickup_meter,
)
from componium.music.staves import Chord, Head, Staff

_SIGNS = {"": 0, "#": 1, "##": 2, "b": -1, "bb": -2}
_SHARPS = "FCGDAEB"


@dataclass(frozen=True)
class Space:
    """One written bar: where it lies, its meter, and where in the full bar its music begins (0 but in a pickup)."""

    bar: Bar
    start: Fraction
    end: Fraction
    meter: Meter
    shift: Fraction


@dataclass(frozen=True)
class Placed:
    """A note head that was written: its id, its track, which note of it, and the written time."""

    id: str
    track: int
    note: int
    start: Fraction
    end: Fraction


@dataclass(frozen=True)
class Piece:
    """A score on its way to MusicXML.

    Attributes:
        score: the music.
        layouts: (staves, notes) of each track.
        names: the spelling of each note of each track.
        spaces: the written bars.
        divisions: MusicXML's parts of a quarter note.
        fermatas: where held chords start.
        breaths: where phrases end.
        placed: the note heads, in the order in which they were written.
    """

    score: Score
    layouts: list[tuple[list[Staff], list[Head]]]
    names: list[list[str]]
    spaces: list[Space]
    divisions: int
    fermatas: frozenset[Fraction] = field(default=frozenset())
    breaths: frozenset[Fraction] = field(default=frozenset())
    placed: list[Placed] = field(default_factory=list)

    @classmethod
    def of(cls, score: Score, spaces: list[Space], layouts: list[tuple[list[Staff], list[Head]]],
           names: list[list[str]]) -> Piece:
        """Return a score with its bars (of `spaces_of`), the notes on staves, and their names."""
        times = {head.start for _, heads in layouts for head in heads}
        times |= {head.end for _, heads in layouts for head in heads}
        times |= {chord.end for staves, _ in layouts for staff in staves for voice in staff.voices for chord in voice}
        times |= {space.start for space in spaces}
        times |= {near(event.time) for part in (score.tempos, score.markers, score.key_signatures) for event in part}
        divisions = math.lcm(*(time.denominator for time in times), 1)
        fermatas, breaths = (frozenset(near(event.time) for event in score.markers if event.text == text)
                             for text in (FERMATA, PHRASE_END))
        return cls(score, layouts, names, spaces, divisions, fermatas, breaths)

    def duration(self, length: Fraction) -> str:
        """Return a length in divisions."""
        return str(int(length * self.divisions))


def note_id(part: int, note: int, piece: int = 0) -> str:
    """Return the id of a note head: of the track, of the note in it, and of the tied piece (0 the first)."""
    return f"p{part + 1}n{note + 1}" + (f"t{piece + 1}" if piece else "")


def instrument_id(part_id: str, sound: int | None = None) -> str:
    """Return the id of a part's instrument, or of one sound of its drums."""
    return f"{part_id}-I1" if sound is None else f"{part_id}-S{sound}"


def clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")


def near(time: float) -> Fraction:
    """Return the time of a sign as a fraction: that of a note value, or on 480ths of a beat."""
    return exact(time) or Fraction(round(time * 480), 480)


def spaces_of(score: Score) -> list[Space]:
    """Return the bars to be written; one at least."""
    grid = bars(score) or _first_bars(score)
    found = []
    for number, bar in enumerate(grid):
        start, end = near(bar.start_beats), near(bar.end_beats)
        pickup = bar.index == 0 and number + 1 < len(grid)
        home = grid[number + 1] if pickup else bar
        full = meter_of(home.numerator, home.denominator)
        found.append(Space(bar, start, end, full, full.length - (end - start) if pickup else Fraction(0)))
    return found


def beats_of(spaces: Sequence[Space]) -> list[Fraction]:
    """Return where the beats of all bars end, rising; a beat is at most a quarter note, or three eighths in 6/8."""
    found = []
    for space in spaces:
        beat = space.meter.beat if space.meter.compound else min(space.meter.beat, Fraction(1))
        first = space.start - space.shift
        inner = (first + beat * count for count in range(1, math.ceil((space.end - first) / beat)))
        found += [point for point in inner if point > space.start]
        found.append(space.end)
    return found


def _first_bars(score: Score) -> list[Bar]:
    """Return the bars of a score without notes: one, after its pickup."""
    start, (numerator, denominator) = pickup_beats(score), meter(score)
    first = Bar(1, start, start + bar_beats(numerator, denominator), numerator, denominator)
    return [Bar(0, 0.0, start, *pickup_meter(start)), first] if start else [first]


def by_bar(voice: Sequence[Chord], spaces: Sequence[Space]) -> list[list[Chord]]:
    """Return the chords that sound in each bar."""
    found: list[list[Chord]] = [[] for _ in spaces]
    number = 0
    for chord in voice:
        while number + 1 < len(spaces) and spaces[number].end <= chord.start:
            number += 1
        for place in range(number, len(spaces)):
            if spaces[place].start >= chord.end:
                break
            found[place].append(chord)
    return found


def accidentals(row: Sequence[Sequence[Chord]], names: Sequence[str], space: Space,
                 signature: int) -> dict[tuple[int, Fraction], int]:
    """Return the accidentals to print on one staff in a bar: (note, start) -> alteration.

    One holds for its line to the end of the bar; it is repeated where the same letter in another octave differs.
    """
    heads = sorted((head for chords in row for chord in chords for head in chord.heads),
                   key=lambda head: (head.start, head.pitch))
    of_key = {letter: (signature - place + 6) // 7 for place, letter in enumerate(_SHARPS)}
    known: dict[tuple[str, str], int] = {}
    found = {}
    for head in heads:
        if head.start < space.start:
            continue
        letter, sign, octave = name_parts(names[head.index])
        others = {value for (name, _), value in known.items() if name == letter}
        if known.get((letter, octave), of_key[letter]) != sign or others - {sign}:
            found[head.index, head.start] = sign
        known[letter, octave] = sign
    return found


def name_parts(name: str) -> tuple[str, int, str]:
    """Return (letter, alteration, octave) of a name such as ``"Bb3"``."""
    sign = name[1:].rstrip("-0123456789")
    return name[0], _SIGNS[sign], name[1 + len(sign):]
