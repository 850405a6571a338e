"""Single elements and attributes of MusicXML as values; none where they say nothing that can be understood."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree.ElementTree import Element

from componium.music.note_values import TYPES
from componium.music.score import DEFAULT_VELOCITY

SOFTWARE = "Componium"
"""Begins the name of the program in what we write."""
NO_TRACK = "P0"
"""The id of the part that stands in for a score without tracks, as the format asks for one."""
MARKER_ID = "marker"
"""Begins the ids of directions and bookmarks that are markers."""
FORTE_VELOCITY = 0.9
"""MusicXML states loudness in per cent of velocity 90."""
LENGTHS = {name: length for length, name in TYPES.items()}
"""Type of a note -> quarter notes."""


def velocity_of(element: Element) -> int:
    """Return how loud a note is, 0 to 127."""
    given = number_of(element.get("dynamics"))
    return DEFAULT_VELOCITY if given is None else min(max(round(float(given) * FORTE_VELOCITY), 0), 127)


def meter_of(element: Element) -> tuple[int, int] | None:
    """Return (numerator, denominator); of several, as 3/8 and 2/4, their sum."""
    total, finest = Fraction(0), 1
    for beats, kind in zip(element.iterfind("beats"), element.iterfind("beat-type"), strict=False):
        numbers = [whole_of(part) for part in (beats.text or "").split("+")]
        denominator = whole_of(kind.text)
        if denominator not in (1, 2, 4, 8, 16, 32, 64) or None in numbers:
            return None
        total += Fraction(sum(n for n in numbers if n is not None), denominator)
        finest = max(finest, denominator)
    numerator = int(total * finest)
    return (numerator, finest) if 1 <= numerator <= 255 else None


def tempo_of(element: Element) -> float | None:
    """Return the tempo of a direction or a sound in quarter notes a minute."""
    sound = element if element.tag == "sound" else element.find("sound")
    given = number_of(sound.get("tempo")) if sound is not None else None
    if given is None:
        mark = element.find("direction-type/metronome")
        beat = LENGTHS.get(mark.findtext("beat-unit") or "") if mark is not None else None
        shown = number_of(mark.findtext("per-minute")) if mark is not None else None
        if mark is None or beat is None or shown is None:
            return None
        given = shown * beat * (2 - Fraction(1, 2 ** len(mark.findall("beat-unit-dot"))))
    return float(given) if 4 <= given <= 1000 else None


def mode_of(key: Element) -> str | None:
    """Return the mode that a key signature states."""
    mode = (key.findtext("mode") or "").strip().lower()
    return mode if mode not in ("", "none") else None


def order_of(text: str) -> tuple[int, str]:
    """Return what sorts the numbers of staves and voices; names come after them."""
    return (int(text), "") if text.isdigit() else (1 << 30, text)


def number_of(text: str | None) -> Fraction | None:
    """Return a decimal number of at most 15 digits before the point, or none where a text is none."""
    found = re.fullmatch(r"[-+]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})", (text or "").strip(), re.ASCII)
    return Fraction(found[0].rstrip(".")) if found else None


def whole_of(text: str | None) -> int | None:
    """Return a whole number, or none where a text is none."""
    number = number_of(text)
    return int(number) if number is not None and number.denominator == 1 and abs(number) < 1 << 31 else None


def partwise_of(root: Element) -> Element:
    """Return a score-timewise document, bars that hold parts, as parts that hold bars."""
    turned = Element("score-partwise")
    parts: dict[str, Element] = {}
    for element in root:
        if element.tag != "measure":
            turned.append(element)
            continue
        for part in element.iterfind("part"):
            name = part.get("id", "")
            home = parts.setdefault(name, Element("part", id=name))
            measure = Element("measure", element.attrib)
            measure.extend(list(part))
            home.append(measure)
    turned.extend(parts.values())
    return turned
