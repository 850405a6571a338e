"""The musical half of an L-system: a word read as chords or hits, as a melody, or as a turtle's path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from componium.music.errors import BadInput
from componium.music.score import CLOSE_BEATS
from componium.music.theory import Chord, Key, roman

SHORTEST_BEATS, LONGEST_BEATS = 0.125, 4.0
"""How far h and l halve and double the notes of a melody."""
_NO_TIME = "the grammar makes nothing that takes time, so its bars are never filled"
_IN_MINOR = {"I": "i", "ii": "iio", "iii": "III", "IV": "iv", "vi": "VI", "I7": "i7", "IV7": "iv7",
             "ii7": "iiø7"}


class Span(NamedTuple):
    """A symbol, or a degree of a scale (0 the tonic), and when it sounds."""

    start_beats: float
    beats: float
    what: Any


def lay_out(symbols: Iterator[str], beats: float, total_beats: float, *, small_beats: float) -> list[Span]:
    """Put symbols end to end; the last one is cut at ``total_beats``.

    Args:
        symbols: as many as it takes; ``V7:2`` lasts 2 beats whatever the rest does.
        beats: length of a symbol.
        total_beats: where to stop.
        small_beats: length of a symbol in small letters.

    Raises:
        BadInput: a length that is none, or symbols that end before the time is filled.
    """
    spans, time = [], 0.0
    for symbol in symbols:
        name, colon, told = symbol.partition(":")
        length = small_beats if name.islower() else beats
        if colon:
            length = float(told) if re.fullmatch(r"\d*\.?\d+", told) else 0.0
        if not name or length < 1 / 16:
            raise BadInput(f"the grammar's symbol '{symbol}' has no length; "
                           "after a colon stands a number of beats, as in V:2")
        spans.append(Span(time, min(length, total_beats - time), name))
        time += length
        if time >= total_beats - CLOSE_BEATS:
            return spans
    raise BadInput(_NO_TIME)


def read_melody(symbols: Iterator[str], beats: float, total_beats: float, *, degree: int,
                octave: int) -> list[Span]:
    """Read a melody: spans of scale degrees.

    n is a note and r a rest; u and d go a step of the scale up and down, U and D an octave; h and l halve
    and double the length; [ remembers degree and length, ] returns to them. Other symbols are silent.

    Args:
        symbols: as many as it takes.
        beats: length of the first note.
        total_beats: where to stop.
        degree: where to begin, in steps above the tonic.
        octave: steps in an octave.

    Raises:
        BadInput: symbols that end before the time is filled.
    """
    steps = {"u": 1, "d": -1, "U": octave, "D": -octave}
    spans: list[Span] = []
    stack: list[tuple[int, float]] = []
    time = 0.0
    for symbol in symbols:
        if symbol == "n":
            spans.append(Span(time, min(beats, total_beats - time), degree))
        if symbol in ("n", "r"):
            time += beats
        elif symbol == "h":
            beats = max(beats / 2, SHORTEST_BEATS)
        elif symbol == "l":
            beats = min(beats * 2, LONGEST_BEATS)
        elif symbol == "[":
            stack.append((degree, beats))
        elif symbol == "]" and stack:
            degree, beats = stack.pop()
        degree += steps.get(symbol, 0)
        if time >= total_beats - CLOSE_BEATS:
            return spans
    raise BadInput(_NO_TIME)


def read_turtle(symbols: Iterator[str], beats: float, total_beats: float, *, degree: int,
                turn: int) -> list[Span]:
    """Walk a path (Prusinkiewicz 1986), sideways is time, up and down is pitch: spans of scale degrees.

    F goes forward; + and - turn by 90 degrees; [ remembers height and heading, ] returns to them. Other
    symbols are silent. Steps sideways at one height are one note.

    Args:
        symbols: as many as it takes.
        beats: length of a step sideways.
        total_beats: where to stop.
        degree: where to begin, in steps above the tonic.
        turn: 1, or -1 for the path in a mirror.

    Raises:
        BadInput: symbols that end before the time is filled.
    """
    spans: list[Span] = []
    stack: list[tuple[int, int]] = []
    heading, time, moved = 0, 0.0, True  # heading: 0 right, 1 up, 2 left, 3 down
    for symbol in symbols:
        if symbol in ("+", "-"):
            heading = (heading + (turn if symbol == "+" else -turn)) % 4
        elif symbol == "[":
            stack.append((degree, heading))
        elif symbol == "]" and stack:
            (degree, heading), moved = stack.pop(), True
        elif symbol == "F" and heading % 2:
            degree, moved = degree + 2 - heading, True
        elif symbol == "F":
            if moved:
                spans.append(Span(time, 0.0, degree))
            time, moved = min(time + beats, total_beats), False
            spans[-1] = spans[-1]._replace(beats=time - spans[-1].start_beats)
        if time >= total_beats - CLOSE_BEATS:
            return spans
    raise BadInput(_NO_TIME)


def fold(degree: int, low: int = -7, high: int = 9) -> int:
    """Reflect a degree at both ends of a range, so that a path that wanders off comes back."""
    place = (degree - low) % (2 * (high - low))
    return low + min(place, 2 * (high - low) - place)


def read_chord(symbol: str, key: Key, *, translate: bool = False) -> Chord:
    """Return the chord of a Roman numeral or a chord name.

    As in jazz, ``I7`` is a dominant seventh chord on any degree; a major seventh is written ``Imaj7``.

    Args:
        symbol: such as ``"ii"``, ``"V7/V"`` or ``"Am7"``.
        key: what the numerals refer to.
        translate: the numerals were meant for major; in a minor key they become its own.

    Raises:
        BadInput: neither a numeral nor a chord name.
    """
    numeral = _IN_MINOR.get(symbol, symbol) if translate and key.is_minor else symbol
    try:
        if re.match(r"[b#]?[iIvVN]", numeral) is None:
            return Chord.parse(numeral)
        chord = roman(numeral, key)
    except BadInput as error:
        raise BadInput(f"the grammar's symbol '{symbol}' is no chord: {error}") from error
    return Chord(chord.root, "7") if re.fullmatch(r"[b#]?[IV]+7", numeral) else chord
