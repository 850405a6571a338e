"""What players play: the practical range of each General MIDI instrument, and how its notes live."""

from __future__ import annotations

from componium.music.errors import BadInput
from componium.music.general_midi import instrument_name

_OF_FAMILY = ((36, 96), (60, 96), (36, 96), (43, 84), (31, 60), (48, 88), (43, 84), (45, 81),
              (48, 84), (60, 96), (48, 91), (41, 89), (45, 84), (48, 84), (48, 84), (48, 84))
"""Lowest and highest pitch of each family of eight programs."""
_RANGES = {
    40: (55, 96), 41: (48, 88), 42: (36, 81), 43: (28, 67), 44: (43, 93), 45: (43, 93), 46: (28, 98), 47: (38, 57),
    52: (43, 81), 53: (48, 79), 54: (48, 79),
    56: (54, 84), 57: (40, 74), 58: (28, 62), 59: (54, 84), 60: (41, 77), 61: (41, 84),
    64: (56, 88), 65: (49, 81), 66: (44, 76), 67: (37, 69), 68: (58, 91), 69: (52, 81), 70: (34, 74), 71: (50, 91),
    72: (74, 103), 73: (60, 96), 74: (60, 93), 75: (60, 93), 77: (55, 86), 78: (72, 96), 79: (67, 93),
    105: (48, 86), 109: (65, 84), 110: (55, 93), 111: (58, 88), 8: (60, 108), 9: (79, 108), 11: (53, 89),
    12: (45, 96), 13: (65, 108), 14: (60, 77),
}
"""Program -> lowest and highest pitch that its players are commonly asked for."""
_HELD = {*range(16, 24), *range(40, 45), *range(48, 55), *range(56, 104), 109, 110, 111}
"""Programs whose notes sound as long as they are held."""
_NO_VIBRATO = {*range(22), 45, 46, 47, *range(8, 16), *range(104, 109), *range(112, 128)}
_NO_PITCH = {55, 113, *range(115, 128)}
"""Programs that are noises and drums: no melody can be played on them."""


def range_of(program: int) -> tuple[int, int]:
    """Return the lowest and highest MIDI pitch that an instrument is asked to play.

    Raises:
        BadInput: no General MIDI program, or one that is a noise or a drum.
    """
    name = instrument_name(program)
    if program in _NO_PITCH:
        raise BadInput(f"{name} has no pitch of its own, so there are no notes to learn from; choose an instrument "
                       "that plays melodies, such as violin, flute or marimba")
    return _RANGES.get(program, _OF_FAMILY[program // 8])


def is_held(program: int) -> bool:
    """Tell whether notes sound as long as they are held (bowed, blown), or die away (struck, plucked)."""
    return program in _HELD


def has_vibrato(program: int) -> bool:
    """Tell whether players of the instrument can move the pitch of a note."""
    return program not in _NO_VIBRATO
