"""Note values: lengths as a reader sees them, with dots, tuplets, ties and beams.

A length is written as one value where the bar stays readable, and as tied values where it would hide a beat: a
note may cross a point of the bar (its middle, a beat, half a beat) only if it starts or ends on a point that is as
strong, or lies in the middle of a syncopation such as eighth, quarter, eighth. Rests are stricter. Times inside
this file are exact fractions of a quarter note from the start of the (full) bar.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from componium.music.errors import BadInput

TYPES = {Fraction(2) ** power: name for power, name in zip(
    range(5, -8, -1), ("maxima", "long", "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th",
                       "256th", "512th"), strict=True)}
"""Length in quarter notes -> name in MusicXML, without dots."""
GRIDS = (1, 2, 3, 4, 6, 8, 12, 16, 5, 10, 24, 7, 14, 9, 20, 32)
"""Parts of a beat that can be written: to 128ths, and tuplets of 3, 5, 7 and 9."""
TOLERANCE_BEATS = 1.05e-3  # half a tick at 480 ticks a beat, and what 32-bit times round
_TUPLETS = (3, 5, 7, 9, 6, 10, 11, 13)


@dataclass(frozen=True)
class Value:
    """One written note value.

    Attributes:
        start: where it starts in the bar.
        end: where it ends.
        type: its name in MusicXML, such as ``"eighth"``.
        dots: 0 or 1.
        tuplet: (actual notes, notes in their time, type of each), or none.
        tuplet_start: whether a tuplet begins with it.
        tuplet_end: whether a tuplet ends with it.
    """

    start: Fraction
    end: Fraction
    type: str
    dots: int
    tuplet: tuple[int, int, str] | None = None
    tuplet_start: bool = False
    tuplet_end: bool = False


@dataclass(frozen=True, eq=False)  # one object for each meter: see `meter_of`
class Meter:
    """What a meter means for notation.

    Attributes:
        length: of a full bar in quarter notes.
        beat: length of a beat.
        levels: the points of the bar from strong to weak: groups of beats, beats, and parts of them.
        compound: whether beats have three parts, as in 6/8.
        triple: whether the bar has three beats.
    """

    length: Fraction
    beat: Fraction
    levels: tuple[frozenset[Fraction], ...]
    compound: bool
    triple: bool


@functools.lru_cache(maxsize=256)
def meter_of(numerator: int, denominator: int) -> Meter:
    """Return what the meter ``numerator/denominator`` means for notation."""
    unit = Fraction(4, denominator)
    compound = numerator % 3 == 0 and (numerator > 3 or denominator >= 8)
    beat = unit * 3 if compound else unit
    count = numerator // 3 if compound else numerator
    length, levels = unit * numerator, []
    for spans in _groupings(count):
        levels.append(frozenset(itertools.accumulate((beat * n for n in spans), initial=Fraction(0))))
    step = beat
    if compound:
        step = unit
        levels.append(frozenset(step * n for n in range(numerator + 1)))
    while step > Fraction(1, 32):
        step /= 2
        levels.append(frozenset(step * n for n in range(int(length / step) + 1)))
    return Meter(length, beat, tuple(levels), compound, count == 3)


def exact(time: float) -> Fraction | None:
    """Return a time in beats as the simplest fraction that can be written, or none where there is no near one."""
    for parts in GRIDS:
        near = round(time * parts)
        if abs(time * parts - near) < parts * TOLERANCE_BEATS:
            return Fraction(near, parts)
    return None


def plain(length: Fraction) -> tuple[str, int] | None:
    """Return (type, dots) of a length that one value holds, else none."""
    if length in TYPES:
        return TYPES[length], 0
    base = length * 2 / 3
    return (TYPES[base], 1) if base in TYPES else None


def tuplet_spans(points: Sequence[Fraction], meter: Meter) -> list[tuple[Fraction, Fraction, int, int]]:
    """Return where a bar needs tuplets: (start, end, actual notes, notes in their time).

    Args:
        points: where notes and rests start and end in the bar, rising, the bar's own ends among them.
        meter: the bar's.

    Raises:
        BadInput: no tuplet fits.
    """
    found = []
    for start, end, inner in _odd_spans(points):
        beats = [beat for beat in _beats_between(start, end, meter) if beat not in inner]
        # equal notes are one tuplet; others are cut at the beats that a plain length crosses, or else at all beats
        equal = len({b - a for a, b in itertools.pairwise([start, *inner, end])}) == 1
        gentle = [beat for beat in beats if not inner[0] < beat < inner[-1]]
        for cuts in ([], beats) if equal else (gentle, beats):
            parts = [(a, b, [p for p in inner if a < p < b]) for a, b in itertools.pairwise([start, *cuts, end])]
            ratios = [_ratio(a, b, between) if between else (0, 0) for a, b, between in parts]
            if None not in ratios:
                found += [(a, b, *ratio) for (a, b, between), ratio in zip(parts, ratios, strict=True)
                          if between and ratio is not None]
                break
        else:
            raise BadInput("these lengths need tuplets within tuplets")
    return found


def values(start: Fraction, end: Fraction, meter: Meter, spans: Sequence[tuple[Fraction, Fraction, int, int]], *,
           rest: bool = False) -> list[Value]:
    """Return the values that a note or a rest is written with, in order.

    Args:
        start: where it starts in the bar.
        end: where it ends.
        meter: the bar's.
        spans: the bar's tuplets, of `tuplet_spans`.
        rest: whether it is a rest.
    """
    found: list[Value] = []
    place = start
    for first, last, actual, normal in [*spans, (end, end, 0, 0)]:
        if last <= place and first < end:
            continue
        until = min(first, end)
        if place < until:
            found += _plain_values(place, until, meter, rest)
            place = until
        if place >= end:
            break
        until = min(last, end)
        found += _in_tuplet(place, until, first, last, actual, normal)
        place = until
    return found


def beams(row: Sequence[Value | None], meter: Meter) -> list[list[str]]:
    """Return the beams of each note of a voice and bar: ``["begin", "forward hook"]`` and so on, outermost first.

    Args:
        row: the values of the notes in order; none for a rest, which breaks a beam.
        meter: the bar's.
    """
    names = list(TYPES.values())
    flags = [0 if value is None else max(0, names.index(value.type) - names.index("quarter")) for value in row]
    width = max(meter.beat, Fraction(1))
    group = [None if not flag or value is None else value.start // width
             for value, flag in zip(row, flags, strict=True)]
    marks: list[list[str]] = [[] for _ in row]
    place = 0
    while place < len(row):
        last = place
        while last + 1 < len(row) and group[place] is not None and group[last + 1] == group[place]:
            last += 1
        if last > place:
            _beam(flags, place, last, marks)
        place = last + 1
    return marks


def _beam(flags: Sequence[int], first: int, last: int, marks: list[list[str]]) -> None:
    """Mark the beams of one group, in place."""
    for place in range(first, last + 1):
        for level in range(1, flags[place] + 1):
            before = place > first and flags[place - 1] >= level
            after = place < last and flags[place + 1] >= level
            if before or after:
                marks[place].append("continue" if before and after else "end" if before else "begin")
            else:
                marks[place].append("backward hook" if place > first else "forward hook")


def _groupings(count: int) -> list[tuple[int, ...]]:
    """Return how ``count`` beats are grouped, coarse to fine: 4 as 2+2, 5 as 3+2, then single beats."""
    groups: list[tuple[int, ...]] = [(count,)]
    while max(groups[-1]) > 3:
        groups.append(tuple(part for size in groups[-1] for part in ((size - size // 2, size // 2) if size > 3
                                                                    else (size,))))
    return [*groups[1:], (1,) * count]


def _is_binary(fraction: Fraction) -> bool:
    return fraction.denominator & (fraction.denominator - 1) == 0


def _odd_spans(points: Sequence[Fraction]) -> list[tuple[Fraction, Fraction, list[Fraction]]]:
    """Return the stretches between binary points that hold others: (start, end, the points inside)."""
    found, start, inner = [], points[0], []
    for point in points:
        if not _is_binary(point):
            inner.append(point)
            continue
        if inner:
            found.append((start, point, inner))
        start, inner = point, []
    return found


def _beats_between(start: Fraction, end: Fraction, meter: Meter) -> list[Fraction]:
    beat = min(meter.beat, Fraction(1)) if not meter.compound else meter.beat
    return [beat * n for n in range(int(start // beat) + 1, -int(-end // beat)) if start < beat * n < end]


def _ratio(start: Fraction, end: Fraction, inner: Sequence[Fraction]) -> tuple[int, int] | None:
    """Return (actual, normal) of the tuplet that holds some points, or none."""
    length = end - start
    for actual in _TUPLETS:
        if all(_is_binary((point - start) / length * actual) for point in inner):
            for base in (1, 3):
                normal = base
                while normal * 2 < actual:
                    normal *= 2
                if normal < actual and length / normal in TYPES:
                    return actual, normal
    return None


def _named(length: Fraction) -> tuple[str, int]:
    name = plain(length)
    if name is None:
        raise BadInput(f"a length of {length} beats cannot be written")
    return name


@functools.lru_cache(maxsize=4096)
def _plain_values(start: Fraction, end: Fraction, meter: Meter, rest: bool) -> list[Value]:
    return [Value(a, b, *_named(b - a)) for a, b in _split(start, end, meter, rest=rest)]


def _split(start: Fraction, end: Fraction, meter: Meter, *, rest: bool) -> list[tuple[Fraction, Fraction]]:
    """Return a binary length in the pieces that one value each can hold."""
    single = plain(end - start) is not None
    if start == 0 and end == meter.length and single:
        return [(start, end)]
    for number, level in enumerate(meter.levels):
        inner = sorted(point for point in level if start < point < end)
        if not inner:
            continue
        if not single or not _may_cross(start, end, inner, meter, number, rest=rest):
            cut = inner[0] if start not in level else inner[-1]
            return [*_split(start, cut, meter, rest=rest), *_split(cut, end, meter, rest=rest)]
    return [(start, end)]


def _may_cross(start: Fraction, end: Fraction, inner: Sequence[Fraction], meter: Meter, number: int, *,
               rest: bool) -> bool:
    level = meter.levels[number]
    strong = (start in level) + (end in level)
    beats = frozenset(meter.beat * n for n in range(int(meter.length / meter.beat) + 1))
    if rest:
        return strong == 2 and not (meter.triple and level == beats and not meter.compound)
    if meter.compound and level == beats:
        return strong == 2
    if strong or number + 1 == len(meter.levels):
        return strong > 0
    centred = inner[0] - start == end - inner[-1] and len(inner) == 1 and end - start in TYPES
    return centred and start in meter.levels[number + 1]


def _in_tuplet(start: Fraction, end: Fraction, first: Fraction, last: Fraction, actual: int,
               normal: int) -> list[Value]:
    """Return the values of a stretch inside a tuplet."""
    unit = TYPES[(last - first) / normal]
    found, place = [], start
    while place < end:
        stretched = (end - place) * actual / normal
        if plain(stretched) is None:
            # up to the next unit of the tuplet, or whole units as many as one value holds
            step = (last - first) / actual
            behind = first + step * ((place - first) // step + 1)
            if behind >= end or (place - first) % step == 0:
                stretched = max(length for length in TYPES if length < stretched)
            else:
                stretched = (behind - place) * actual / normal
        until = place + stretched * normal / actual
        found.append(Value(place, until, *_named(stretched), (actual, normal, unit), place == first, until == last))
        place = until
    return found
