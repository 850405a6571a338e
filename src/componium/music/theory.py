"""Scales, chords, Roman numerals and key finding; keys and spelling of `keys` are offered here too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.keys import (
    MODES,
    PITCH_NAMES,
    Key,
    fifths_name,
    name_fifths,
    name_pitch_class,
    parse_pitch,
    pitch_name,
    spell,
)
from componium.music.score import Score, note_arrays

__all__ = ["CHORDS", "MODES", "PITCH_NAMES", "SCALES", "Chord", "Key", "chord_name", "key_of", "more_likely_key",
           "parse_pitch", "pitch_name", "roman", "scale", "spell"]

SCALES: dict[str, tuple[int, ...]] = {
    "major": MODES["major"],
    "natural minor": MODES["minor"],
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": MODES["dorian"],
    "phrygian": MODES["phrygian"],
    "lydian": MODES["lydian"],
    "mixolydian": MODES["mixolydian"],
    "locrian": MODES["locrian"],
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "octatonic": (0, 2, 3, 5, 6, 8, 9, 11),
    "half-whole octatonic": (0, 1, 3, 4, 6, 7, 9, 10),
    "chromatic": tuple(range(12)),
}
"""Semitones above the tonic; melodic minor is its rising form, octatonic begins with a whole tone."""

CHORDS: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus4": (0, 5, 7), "sus2": (0, 2, 7),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "mMaj7": (0, 3, 7, 11),
    "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "7#5": (0, 4, 8, 10), "maj7#5": (0, 4, 8, 11),
    "7b5": (0, 4, 6, 10), "7sus4": (0, 5, 7, 10), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9),
    "add9": (0, 4, 7, 14), "madd9": (0, 3, 7, 14), "9": (0, 4, 7, 10, 14), "maj9": (0, 4, 7, 11, 14),
    "m9": (0, 3, 7, 10, 14), "7b9": (0, 4, 7, 10, 13), "7#9": (0, 4, 7, 10, 15), "6/9": (0, 4, 7, 9, 14),
    "11": (0, 4, 7, 10, 14, 17), "m11": (0, 3, 7, 10, 14, 17), "13": (0, 4, 7, 10, 14, 21), "5": (0, 7),
}
"""Quality as written after the root -> semitones above the root."""
_QUALITY_WORDS = {
    "M": "", "maj": "", "min": "m", "-": "m", "°": "dim", "o": "dim", "+": "aug", "M7": "maj7", "Maj7":
    "maj7", "min7": "m7", "-7": "m7", "ø": "m7b5", "ø7": "m7b5", "°7": "dim7", "o7": "dim7", "+7": "7#5",
    "aug7": "7#5", "mM7": "mMaj7", "sus": "sus4", "69": "6/9", "M9": "maj9", "min9": "m9",
}


@dataclass(frozen=True)
class Chord:
    """A chord symbol.

    Attributes:
        root: as it is spelled, e.g. ``"F#"``.
        quality: a key of `CHORDS`, e.g. ``"m7b5"``; empty for a major triad.
        bass: the lowest note if it is not the root, e.g. ``"B"`` in G/B.
    """

    root: str
    quality: str = ""
    bass: str | None = None

    def __post_init__(self) -> None:
        name_pitch_class(self.root)
        if self.bass is not None:
            name_pitch_class(self.bass)
        if self.quality not in CHORDS:
            raise BadInput(f"chord quality {self.quality!r} is not known: use one of {', '.join(CHORDS)[2:]}")

    @classmethod
    def parse(cls, text: str) -> Chord:
        """Read a chord symbol: ``"Cmaj7"``, ``"Am"``, ``"F#m7b5"``, ``"G/B"``."""
        clean = text.strip().replace("♭", "b").replace("♯", "#")
        found = re.fullmatch(r"([A-G][#b]?)(.*?)(?:/([A-G][#b]?))?", clean)
        if not found:
            raise BadInput(f"{text!r} is not a chord: write for example 'C', 'Am', 'F#m7b5' or 'G/B'")
        quality = _QUALITY_WORDS.get(found[2], found[2])
        if quality not in CHORDS:
            known = ", ".join(CHORDS)[2:]
            raise BadInput(f"{text!r} is not a chord: {quality!r} is none of {known}")
        return cls(found[1], quality, found[3])

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The pitch classes from the root upward; a bass that is no chord note comes first."""
        root = name_pitch_class(self.root)
        classes = tuple((root + interval) % 12 for interval in CHORDS[self.quality])
        bass = self.bass_pitch_class
        return classes if bass in classes else (bass, *classes)

    @property
    def bass_pitch_class(self) -> int:
        """The pitch class of the lowest note."""
        return name_pitch_class(self.bass or self.root)

    def __str__(self) -> str:
        return self.root + self.quality + (f"/{self.bass}" if self.bass else "")


def scale(name: str, tonic: str | int) -> tuple[int, ...]:
    """Return the pitch classes of a scale of `SCALES` from its tonic upward, e.g. ``scale("blues", "Eb")``."""
    name = {"minor": "natural minor", "ionian": "major", "aeolian": "natural minor"}.get(name, name)
    if name not in SCALES:
        raise BadInput(f"scale {name!r} is not known: use one of {', '.join(SCALES)}")
    start = name_pitch_class(tonic) if isinstance(tonic, str) else tonic
    return tuple((start + step) % 12 for step in SCALES[name])


def chord_name(pitches: Iterable[int], key: Key | None = None) -> Chord | None:
    """Return the chord that MIDI pitches form, or None where they form none of `CHORDS`.

    The lowest pitch is the bass; it is tried as the root first. A seventh chord may lack its fifth. ``key``
    decides the spelling.
    """
    sounding = sorted(pitches)
    classes = {pitch % 12 for pitch in sounding}
    if len(classes) < 2:
        return None
    bass = sounding[0] % 12
    for missing in ((), (7,)):  # complete chords first, then those without a fifth
        for root in [bass, *sorted(classes - {bass})]:
            intervals = {(pitch_class - root) % 12 for pitch_class in classes}
            for quality, steps in CHORDS.items():
                if missing and (7 not in steps or len(steps) < 4):
                    continue
                if intervals == {step % 12 for step in steps} - set(missing):
                    name = _name(bass, key) if bass != root else None
                    return Chord(_name(root, key), quality, name)
    return None


def roman(numeral: str, key: Key) -> Chord:
    """Return the chord of a Roman numeral in a key: ``"V7"``, ``"ii6"``, ``"viio7"``, ``"bVI"``, ``"V7/V"``,
    ``"N6"``.

    Upper case is major, lower case minor; a 7 takes the seventh of the key (in minor with the raised leading
    tone in V and vii). Figures 6, 64, 65, 43 and 42 are inversions. In minor the degrees are those of natural
    minor, but a diminished vii stands on the leading tone.
    """
    text = numeral.strip().replace("°", "o").replace("♭", "b").replace("♯", "#")
    if "/" in text and text != "6/9":
        numeral_of, target = text.split("/", 1)
        aim = roman(target, key)
        minor = CHORDS[aim.quality][1] == 3
        return roman(numeral_of, Key.parse(f"{aim.root} {'minor' if minor else 'major'}"))
    text = "bII" + text[1:] if text.startswith("N") else text
    found = re.fullmatch(r"([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)", text)
    if not found:
        raise BadInput(f"{numeral!r} is not a Roman numeral: write for example 'I', 'ii6', 'viio7', 'V7/V'")
    sign, letters, rest = found.groups()
    degree = ("i", "ii", "iii", "iv", "v", "vi", "vii").index(letters.lower())
    diminished = rest.startswith(("o", "ø", "dim", "m7b5"))
    root = _degree_fifths(degree, key)
    if degree == 6 and letters.islower() and diminished and key.is_minor:
        root, sign = root + 7, ""
    elif degree == 1 and text.startswith("b") and key.mode == "phrygian":
        sign = ""
    root += {"b": -7, "#": 7}.get(sign, 0)
    for figure, place in {"64": 2, "65": 1, "43": 2, "42": 3, "6": 1}.items():
        if rest.endswith(figure) and not rest.endswith("b" + figure):
            head = rest.removesuffix(figure) + ("7" if figure in ("65", "43", "42") else "")
            return _inverted(root, _quality(letters, head, degree, key, numeral), place)
    return Chord(fifths_name(root), _quality(letters, rest, degree, key, numeral))


# Albrecht and Shanahan, The use of large corpora to train a new type of key-finding algorithm,
# Music Perception 31(1), 2013
MAJOR_PROFILE = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
MINOR_PROFILE = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)


def key_of(score: Score) -> tuple[Key, float]:
    """Return the most likely key of the notes, and how clear it is.

    The Krumhansl-Schmuckler algorithm (Krumhansl, Cognitive Foundations of Musical Pitch, 1990): pitch
    classes weighted by duration are correlated with a profile per key, here those of Albrecht and Shanahan
    (2013). The clearness is the best correlation minus the second best: 0 is undecided, above about 0.1
    clear. Key signatures are not looked at, nor drums. Raises `BadInput` for a score without notes.
    """
    weights = _pitch_class_beats(score)
    if not weights.any():
        raise BadInput("the score has no notes: no key can be found")
    if weights.min() == weights.max():  # every pitch class as long as any other
        return Key.of(0, "major"), 0.0
    found = [(_correlation(weights, np.roll(np.asarray(profile), tonic)), tonic, mode)
             for mode, profile in (("major", MAJOR_PROFILE), ("minor", MINOR_PROFILE)) for tonic in range(12)]
    found.sort(key=lambda entry: -entry[0])
    return Key.of(found[0][1], found[0][2]), found[0][0] - found[1][0]


def more_likely_key(score: Score, keys: Sequence[Key]) -> Key:
    """Return the one of several keys, such as major and minor of one signature, that fits the notes best."""
    weights = _pitch_class_beats(score)
    if weights.min() == weights.max():
        return keys[0]
    profiles = [np.roll(np.asarray(MINOR_PROFILE if key.is_minor else MAJOR_PROFILE), key.tonic_pitch_class)
                for key in keys]
    return max(zip(keys, profiles, strict=True), key=lambda pair: _correlation(weights, pair[1]))[0]


def _pitch_class_beats(score: Score) -> npt.NDArray[np.float64]:
    """Return how long each pitch class sounds, in beats, [12]."""
    weights = np.zeros(12)
    for track in score.tracks:
        if not track.is_drum and len(track.notes):
            notes = note_arrays(track)
            np.add.at(weights, notes["pitch"] % 12, notes["duration"])
    return weights


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def _name(pitch_class: int, key: Key | None) -> str:
    return PITCH_NAMES[pitch_class] if key is None else spell(60 + pitch_class, key).rstrip("-0123456789")


def _degree_fifths(degree: int, key: Key) -> int:
    """Return a scale degree's (0 the tonic) place on the line of fifths."""
    steps = MODES[key.mode][degree]
    tonic = name_fifths(key.tonic_name)
    return next(place for place in range(tonic - 6, tonic + 7)
                if (place - tonic) * 7 % 12 == steps and key.signature - 1 <= place <= key.signature + 5)


def _quality(letters: str, rest: str, degree: int, key: Key, numeral: str) -> str:
    """Return the chord quality of a numeral's case and what follows it."""
    minor = letters.islower()
    named = {"": "m" if minor else "", "o": "dim", "dim": "dim", "+": "aug", "ø": "m7b5", "ø7": "m7b5",
             "o7": "dim7", "dim7": "dim7", "maj7": "mMaj7" if minor else "maj7", "+7": "7#5"}
    if rest in named:
        return named[rest]
    if rest == "7":
        third = MODES[key.mode][degree]
        sevenths = {(step - third) % 12 for step in MODES[key.mode]}
        return "m7" if minor else "7" if degree == 4 or 10 in sevenths else "maj7"
    quality = ("m" + rest) if minor and "m" + rest in CHORDS else rest
    if quality not in CHORDS:
        raise BadInput(f"{numeral!r} is not a Roman numeral: what follows {letters} is no chord")
    return quality


def _inverted(root: int, quality: str, place: int) -> Chord:
    """Return a chord whose bass is its third (1), fifth (2) or seventh (3)."""
    interval = CHORDS[quality][place]
    along = {3: -3, 4: 4, 5: -1, 2: 2, 6: -6, 7: 1, 8: 8, 9: -9, 10: -2, 11: 5}[interval]
    return Chord(fifths_name(root), quality, fifths_name(root + along))
