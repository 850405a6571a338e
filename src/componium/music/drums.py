"""Drums on a staff: the line and the note head of each sound of General MIDI's percussion key map."""

from __future__ import annotations

_CROSS, _DIAMOND, _TRIANGLE, _CIRCLED = "x", "diamond", "triangle", "circle-x"
LINES: dict[int, tuple[str, int, str]] = {
    35: ("E", 4, ""), 36: ("F", 4, ""), 37: ("C", 5, _CROSS), 38: ("C", 5, ""), 39: ("D", 5, _CROSS),
    40: ("C", 5, ""), 41: ("G", 4, ""), 42: ("G", 5, _CROSS), 43: ("A", 4, ""), 44: ("D", 4, _CROSS),
    45: ("B", 4, ""), 46: ("G", 5, _CIRCLED), 47: ("D", 5, ""), 48: ("E", 5, ""), 49: ("A", 5, _CROSS),
    50: ("F", 5, ""), 51: ("F", 5, _CROSS), 52: ("A", 5, _CIRCLED), 53: ("F", 5, _DIAMOND), 54: ("B", 5, _CROSS),
    55: ("B", 5, _CIRCLED), 56: ("E", 5, _TRIANGLE), 57: ("A", 5, _CROSS), 58: ("B", 4, _CROSS), 59: ("F", 5, _CROSS),
    80: ("A", 5, _TRIANGLE), 81: ("A", 5, _TRIANGLE),
}
"""MIDI pitch -> (step, octave, note head), as in treble clef; after Weinberg, Guidelines for Drumset Notation, 1998."""


def drum_line(pitch: int) -> tuple[str, int, str]:
    """Return (step, octave, note head) of a sound; those without a line of their own stand on the third space."""
    return LINES.get(pitch, ("C", 5, _DIAMOND))
