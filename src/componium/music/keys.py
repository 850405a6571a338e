"""Pitches, keys and spelling: the names of notes, and what a key makes of them.

Middle C is MIDI 60, written C4. Spelling follows the line of fifths (Temperley, The Cognition of Basic
Musical Structures, 2001) with the rule of every harmony book for chromatic neighbours: raised on the way up,
lowered on the way down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from componium.music.errors import BadInput

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""The usual name of each pitch class where nothing is known of the key."""
LETTER_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LINE_OF_FIFTHS = "FCGDAEB"
MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10),
         "phrygian": (0, 1, 3, 5, 7, 8, 10), "lydian": (0, 2, 4, 6, 7, 9, 11),
         "mixolydian": (0, 2, 4, 5, 7, 9, 10), "locrian": (0, 1, 3, 5, 6, 8, 10)}
"""Semitones above the tonic; minor is natural minor."""
_MODE_FIFTHS = {"lydian": 1, "major": 0, "mixolydian": -1, "dorian": -2, "minor": -3, "phrygian": -4,
                "locrian": -5}
_MODE_WORDS = {"": "major", "maj": "major", "ionian": "major", "dur": "major", "m": "minor", "min": "minor",
               "aeolian": "minor", "moll": "minor"} | {name: name for name in MODES}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1, "##": 2, "bb": -2, "x": 2}


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        tonic_pitch_class: 0 (C) to 11 (B).
        mode: ``"major"`` or ``"minor"``, or a church mode such as ``"dorian"``.
        tonic_name: the tonic as it is spelled, e.g. ``"Bb"``.
    """

    tonic_pitch_class: int
    mode: str
    tonic_name: str

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(f"mode {self.mode!r} is not known: use one of {', '.join(MODES)}")
        if name_pitch_class(self.tonic_name) != self.tonic_pitch_class:
            raise BadInput(f"the tonic {self.tonic_name} is not pitch class {self.tonic_pitch_class}")
        if abs(self.signature) > 7:
            raise BadInput(f"{self} would need {abs(self.signature)} accidentals: use its enharmonic twin")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read a key: ``"G minor"``, ``"g"``, ``"Bb"``, ``"F#m"``, ``"G dorian"``, ``"B-flat major"``.

        A lower-case letter alone is minor. A key of more than seven accidentals becomes its enharmonic twin.
        """
        clean = re.sub(r"[\s-]*flat", "b", re.sub(r"[\s-]*sharp", "#", text.strip()))
        clean = clean.replace("♭", "b").replace("♯", "#")
        found = re.fullmatch(r"([A-Ga-g])(##|bb|#|b|x|-(?!\w))?[\s_-]*([A-Za-z]*)", clean)
        if not found:
            raise BadInput(f"{text!r} is not a key: write for example 'G minor', 'Bb', 'f#' or 'D dorian'")
        letter, accidental, word = found[1], (found[2] or "").replace("-", "b"), found[3]
        mode = _MODE_WORDS.get("major" if word == "M" else word if word == "m" else word.lower())
        if mode is None:
            raise BadInput(f"{text!r} is not a key: {word!r} is none of {', '.join(MODES)}")
        if not word and letter.islower():
            mode = "minor"
        name = letter.upper() + accidental
        fifths = name_fifths(name) + _MODE_FIFTHS[mode]
        return cls.from_signature(_within(fifths, -7, 7), mode)

    @classmethod
    def from_signature(cls, fifths: int, mode: str = "major") -> Key:
        """Return the key of a signature: ``fifths`` sharps (negative: flats), -7 to 7."""
        if not -7 <= fifths <= 7 or mode not in MODES:
            raise BadInput(f"a key signature has -7 to 7 sharps and a mode, not {fifths} and {mode!r}")
        name = fifths_name(fifths - _MODE_FIFTHS[mode])
        return cls(name_pitch_class(name), mode, name)

    @classmethod
    def of(cls, tonic_pitch_class: int, mode: str) -> Key:
        """Return the key of a tonic in its usual spelling (Bb major, not A# major; F# major, not Gb)."""
        fifths = tonic_pitch_class % 12 * 7 + _MODE_FIFTHS.get(mode, 0)
        return cls.from_signature((fifths + 5) % 12 - 5, mode)

    @property
    def scale(self) -> tuple[int, ...]:
        """The pitch classes of its scale from the tonic upward; natural minor in minor."""
        return tuple((self.tonic_pitch_class + step) % 12 for step in MODES[self.mode])

    @property
    def signature(self) -> int:
        """The number of sharps of its signature; negative for flats."""
        return name_fifths(self.tonic_name) + _MODE_FIFTHS[self.mode]

    @property
    def is_minor(self) -> bool:
        """Whether its third is minor."""
        return MODES[self.mode][2] == 3

    def __str__(self) -> str:
        return f"{self.tonic_name} {self.mode}"


def parse_key(text: str) -> Key:
    """Return a major or minor key; raises `BadInput` for any other, in the words of a setting ``key=``."""
    key = Key.parse(text)
    if key.mode not in ("major", "minor"):
        raise BadInput(f"key={text}: give a major or minor key, such as 'G major' or 'G minor'")
    return key


def name_fifths(name: str) -> int:
    """Return the place of a note name on the line of fifths: F -1, C 0, G 1, Bb -2, F# 6."""
    return LINE_OF_FIFTHS.index(name[0]) - 1 + 7 * _ACCIDENTALS[name[1:]]


def fifths_name(fifths: int) -> str:
    """Return the note name at a place on the line of fifths, the inverse of `name_fifths`."""
    alteration, letter = divmod(fifths + 1, 7)
    return LINE_OF_FIFTHS[letter] + ("#" * alteration if alteration > 0 else "b" * -alteration)


def name_pitch_class(name: str) -> int:
    """Return the pitch class, 0 to 11, of a note name without octave such as ``"Bb"``."""
    if not name or name[0] not in LETTER_PITCH_CLASSES or name[1:] not in _ACCIDENTALS:
        raise BadInput(f"{name!r} is not a note name: write for example 'C', 'F#' or 'Bb'")
    return (LETTER_PITCH_CLASSES[name[0]] + _ACCIDENTALS[name[1:]]) % 12


def parse_pitch(text: str) -> int:
    """Return the MIDI pitch of a name with octave: ``"C4"`` is 60, ``"Bb3"`` 58, ``"Cb5"`` 71."""
    found = re.fullmatch(r"([A-Ga-g])(##|bb|#|b|x)?(-?\d{1,2})", text.strip())
    if not found:
        raise BadInput(f"{text!r} is not a pitch: write for example 'C4' (middle C), 'F#4' or 'Bb3'")
    letter, accidental, octave = found[1].upper(), found[2] or "", int(found[3])
    midi = LETTER_PITCH_CLASSES[letter] + _ACCIDENTALS[accidental] + 12 * (octave + 1)
    if not 0 <= midi <= 127:
        raise BadInput(f"{text!r} is MIDI {midi}, outside 0 to 127")
    return midi


def pitch_name(midi: int) -> str:
    """Return the usual name of a MIDI pitch where no key is known: 60 is ``"C4"``."""
    return with_octave(PITCH_NAMES[midi % 12], midi)


def spell(midi: int, key: Key, *, previous: int | None = None, next: int | None = None) -> str:  # noqa: A002
    """Return the name of a MIDI pitch in a key, such as ``"F#4"``.

    A note of the scale (in minor: the raised sixth and seventh too) is spelled as in the scale. A chromatic
    note that moves on by a semitone is raised if it rises to ``next`` and lowered if it falls; one that only
    comes from its ``previous`` by a semitone goes on in that direction. Any other is the nearest on the line
    of fifths.
    """
    pitch_class = midi % 12
    fifths = _scale_fifths(key)
    if pitch_class not in fifths:
        towards = 0
        if next is not None and abs(next - midi) == 1:
            towards = next - midi
        elif previous is not None and abs(previous - midi) == 1:
            towards = midi - previous
        target = fifths.get((pitch_class + towards) % 12)
        if towards and target is not None:
            # a semitone between neighbouring letters is five places on the line of fifths
            return with_octave(fifths_name(target - 5 * -towards), midi)
        low = name_fifths(key.tonic_name) - (5 if key.is_minor else 3)
        return with_octave(fifths_name(_within(pitch_class * 7, low, low + 11)), midi)
    return with_octave(fifths_name(fifths[pitch_class]), midi)


def signature_after(fifths: int, minor: bool, semitones: int) -> int:
    """Return the key signature after a transposition, in -5 to 6 sharps (minor: -6 to 5)."""
    low = -6 if minor else -5
    return fifths if semitones == 0 else _within(fifths + 7 * semitones, low, low + 11)


def _scale_fifths(key: Key) -> dict[int, int]:
    """Return the scale's notes: pitch class -> place on the line of fifths."""
    places = list(range(key.signature - 1, key.signature + 6))
    if key.mode == "minor":
        tonic = name_fifths(key.tonic_name)
        places += [tonic + 3, tonic + 5]  # raised sixth and seventh
    return {place * 7 % 12: place for place in places}


def with_octave(name: str, midi: int) -> str:
    """Return a name such as ``"Cb"`` with the octave of a MIDI pitch: 71 makes it ``"Cb5"``."""
    return f"{name}{(midi - _ACCIDENTALS[name[1:]]) // 12 - 1}"


def _within(fifths: int, low: int, high: int) -> int:
    """Move a place on the line of fifths by enharmonic steps (12) into a range."""
    while fifths < low:
        fifths += 12
    while fifths > high:
        fifths -= 12
    return fifths
