"""A voice of an ABC tune while it is read, bar by bar, and the order in which its bars are played."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from componium.music.errors import BadInput
from componium.music.keys import Key
from componium.music.score import KeySignature, Tempo, TextMeta
from componium.music.score import TimeSignature as Meter

LONGEST_BEATS = 4096


@dataclass
class Sound:
    """Notes that start together (none: a rest), inside a bar; times in quarter notes."""

    start: Fraction
    length: Fraction
    pitches: list[int]
    tied: bool = False
    fermata: bool = False


@dataclass
class Bar:
    """A bar of one voice with its repeat signs, and the changes in it: (offset, event)."""

    sounds: list[Sound] = field(default_factory=list)
    length: Fraction = Fraction(0)
    starts_repeat: bool = False
    ends_repeat: bool = False
    endings: frozenset[int] = frozenset()
    events: list[tuple[Fraction, Meter | KeySignature | Tempo | TextMeta]] = field(default_factory=list)


@dataclass
class Voice:
    """What is known while one voice is read."""

    name: str
    unit: Fraction
    meter: tuple[int, int]
    key: Key
    bars: list[Bar] = field(default_factory=lambda: [Bar()])
    altered: dict[tuple[str, str], int] = field(default_factory=dict)
    endings: frozenset[int] = frozenset()
    tuplet: tuple[Fraction, int] = (Fraction(1), 0)
    broken: Fraction = Fraction(1)
    fermata: bool = False

    @property
    def bar(self) -> Bar:
        """The bar that is being read."""
        return self.bars[-1]

    def add(self, pitches: list[int], length: Fraction) -> None:
        """Append notes (or a rest) at the end of the bar."""
        ratio, left = self.tuplet
        if left:
            length, self.tuplet = length * ratio, (ratio, left - 1)
        length, self.broken = length * self.broken, Fraction(1)
        if length > LONGEST_BEATS:
            raise BadInput(f"a note of more than {LONGEST_BEATS} beats is no music")
        self.bar.sounds.append(Sound(self.bar.length, length, pitches, fermata=self.fermata))
        self.bar.length += length
        self.fermata = False

    def close_bar(self, sign: str) -> None:
        """End a bar with its bar line."""
        self.altered.clear()
        if self.bar.sounds or self.bar.events:
            self.bar.ends_repeat = sign.startswith(":")
            self.bars.append(Bar())
        elif sign.startswith(":") and len(self.bars) > 1:
            self.bars[-2].ends_repeat = True
        if sign.startswith(":") or sign in ("||", "|]", "]"):
            self.endings = frozenset()
        if sign.endswith(":"):
            self.bar.starts_repeat, self.endings = True, frozenset()
        self.bar.endings = self.endings


def played(bars: list[Bar]) -> list[Bar]:
    """Return the bars in the order in which they are played."""
    played, place, start, turn = [], 0, 0, 1
    while place < len(bars):
        bar = bars[place]
        if bar.starts_repeat and place > start:
            start, turn = place, 1
        following = bars[place + 1].endings if place + 1 < len(bars) else frozenset()
        if bar.endings and turn not in bar.endings:
            place += 1
            continue
        played.append(bar)
        more = any(turn + 1 in later.endings for later in bars[place:place + 64]) if bar.endings else turn < 2
        if bar.ends_repeat and more:
            place, turn = start, turn + 1
            continue
        if bar.ends_repeat or (bar.endings and following != bar.endings):
            start, turn = place + 1, 1
        place += 1
    return played
