"""Reading one line of a constraint file: where, a colon, and what must hold there."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable
from fractions import Fraction

from componium.music.constraint_rules import (
    CADENCES,
    Cadence,
    Contains,
    Density,
    Kind,
    Melody,
    Pitches,
    Place,
    Range,
    Rests,
    Rhythm,
    Rule,
    Struck,
)
from componium.music.errors import BadInput
from componium.music.keys import Key, name_pitch_class, parse_pitch
from componium.music.theory import SCALES, Chord, scale

VOICES = ("soprano", "alto", "tenor", "bass")
PLACES = (*VOICES, "voice", "bar", "bars", "beat", "beats", "last", "end", "all")
EVERYWHERE = {"", "all", "everywhere", "all voices", "every voice"}
MOST_NOTES = 999
LONGEST_LINE = 2000


def read_rule(number: int, text: str) -> Rule:
    """Return the rule of a line; raises `BadInput`, beginning with the line number, where it cannot be understood."""
    clean = " ".join(text.replace("\N{EN DASH}", "-").replace("♯", "#").replace("♭", "b").split())
    try:
        if len(clean) > LONGEST_LINE:
            raise BadInput(f"the line is longer than {LONGEST_LINE} characters: write one rule a line")
        where, colon, what = clean.partition(":")
        if not colon:
            raise BadInput(f"{clean!r} has no colon: write where, a colon and what, such as 'bars 1-4: pitches C D E'")
        place = read_place(where)
        kind = _read_kind(what.strip())
        _check(place, kind)
    except BadInput as error:
        raise BadInput(f"line {number}: {error}") from error
    return Rule(number, clean, place, kind)


def _near(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else f": use one of {', '.join(known)}"


def read_place(text: str) -> Place:
    """Return where a rule holds: ``"alto, tenor bars 1-4,7 beats 1-2"``, ``"end"``, ``"last 2 bars"``."""
    place, rest = Place(), text.strip().lower()
    if rest in EVERYWHERE:
        return place
    patterns: list[tuple[str, Callable[[Place, re.Match[str]], Place]]] = [
        (r"(?:soprano|alto|tenor|bass)\b|voice (?:[1-9]\d?)\b", lambda p, m: _grown(p, "voices", (m[0],))),
        (r"last (?:(\d+) )?bars?\b", lambda p, m: _grown(p, "bars", ((-int(m[1] or 1), -1),))),
        (r"bars? ((?:\d+(?: ?- ?(?:\d+|end))?(?: ?, ?| and )?)+)", lambda p, m: _grown(p, "bars", _runs(m[1]))),
        (r"beats? (\d{1,3}(?:[./]\d{1,6})?)(?: ?- ?(\d{1,3}(?:[./]\d{1,6})?))?", _with_beats),
        (r"end\b", lambda p, m: dataclasses.replace(p, end=True)),
        (r"all(?: voices)?\b", lambda p, m: p),
        (r",|and\b", lambda p, m: p),
    ]
    while rest:
        for pattern, change in patterns:
            found = re.match(pattern, rest)
            if found:
                place, rest = change(place, found), rest[found.end():].strip()
                break
        else:
            word = rest.split()[0].strip(",")
            if word in PLACES:
                raise BadInput(f"{rest!r} is not complete: write for example 'bars 1-4', 'beat 2' or 'voice 1'")
            raise BadInput(f"{word!r} is no place{_near(word, PLACES)}")
    return place


def _grown(place: Place, field: str, more: tuple[object, ...]) -> Place:
    return dataclasses.replace(place, **{field: getattr(place, field) + more})


def _runs(text: str) -> tuple[tuple[int, int | None], ...]:
    """Return runs of bars: ``"1-4, 7"``, ``"5-end"``."""
    runs: list[tuple[int, int | None]] = []
    for first, dash, last in re.findall(r"(\d+)(?: ?(-) ?(\d+|end))?", text):
        if len(first) > 6 or len(last) > 6:
            raise BadInput(f"there is no bar {max(first, last, key=len)}")
        runs.append((int(first), None if last == "end" else int(last) if dash else int(first)))
        if runs[-1][1] is not None and runs[-1][1] < runs[-1][0]:
            raise BadInput(f"bars {first}-{last} run backwards")
    return tuple(runs)


def _with_beats(place: Place, found: re.Match[str]) -> Place:
    if any(re.search("/0+$", beat or "") for beat in found.groups()):
        raise BadInput(f"{found[0]!r} is no beat: write for example 'beat 2', 'beat 2.5' or 'beat 7/3'")
    first, last = Fraction(found[1]), Fraction(found[2] or found[1])
    if first < 1 or last < first:
        raise BadInput(f"{found[0]!r}: beats are quarter notes, counted from 1 upwards")
    return dataclasses.replace(place, beats=(first, last))


def _read_kind(text: str) -> Kind:
    words = text.split()
    if not words:
        raise BadInput("nothing follows the colon: say what must hold there, such as 'pitches C D E'")
    if "onset" in text or words[0] in ("at", "between"):
        return _density(text)
    for start, reader in KINDS.items():
        if text == start or text.startswith(start + " "):
            return reader(text[len(start):].strip())
    raise BadInput(f"{words[0]!r} is no rule{_near(words[0], tuple(KINDS))}")


def _needs(text: str, example: str) -> str:
    if not text:
        raise BadInput(f"something is missing: write for example {example!r}")
    return text


def _classes(text: str) -> frozenset[int]:
    return frozenset(name_pitch_class(name) for name in _names(_needs(text, "pitches C D E G A")))


def _names(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _avoid(text: str) -> Pitches:
    left = frozenset(range(12)) - _classes(text)
    if not left:
        raise BadInput("every pitch class is avoided: write 'silent' where nothing is to sound")
    return Pitches(left)


def _chord(text: str) -> Pitches:
    chord = Chord.parse(_needs(text, "chord G7"))
    return Pitches(frozenset(chord.pitch_classes), name_pitch_class(chord.bass) if chord.bass else None)


def _scale(text: str) -> Pitches:
    tonic, _, name = _needs(text, "scale D dorian").partition(" ")
    try:
        return Pitches(frozenset(scale(name.strip().lower() or "major", tonic)))
    except BadInput as error:
        way_out = "" if name.lower() in SCALES else "; write for example 'scale D dorian'"
        raise BadInput(f"{error}{way_out}") from error


def _range(text: str) -> Range:
    found = re.fullmatch(r"(\S+?\d) ?(?:-|to) ?(\S+)", _needs(text, "range G3-D5"))
    if not found:
        raise BadInput(f"{text!r} is no range: write the lowest and the highest pitch, such as 'range G3-D5'")
    lowest, highest = parse_pitch(found[1]), parse_pitch(found[2])
    if lowest > highest:
        raise BadInput(f"the range {text} ends below its start: write the lowest pitch first")
    return Range(lowest, highest)


def _rhythm(text: str) -> Rhythm:
    words = _names(_needs(text, "rhythm 1 1/2 1/2 r1"))
    repeated = words[-1] in ("repeated", "repeating")
    words = words[:-1] if repeated else words
    events = []
    for word in words:
        found = re.fullmatch(r"(r?)(\d{1,3}(?:/\d{1,3}|\.\d{1,6})?)", word)
        if not found or not found[2].strip("0./") or found[2].endswith(("/0", "/00", "/000")):
            raise BadInput(f"{word!r} is no length: write quarter notes such as 1, 1/2, 1.5, and r1 for a rest")
        events.append((Fraction(found[2]).limit_denominator(960), not found[1]))
    if not events:
        raise BadInput("there are no lengths to repeat: write for example 'rhythm 1 1/2 1/2 repeated'")
    return Rhythm(tuple(events), repeated)


def _melody(text: str) -> Melody:
    return Melody(tuple(parse_pitch(name) for name in _names(_needs(text, "melody C3 D3 G2"))))


def _note(name: str) -> tuple[int, bool]:
    """Return (MIDI pitch, True) of a name with an octave, (pitch class, False) of one without."""
    return (parse_pitch(name), True) if name[-1:].isdigit() else (name_pitch_class(name), False)


def _contains(text: str) -> Contains:
    return Contains(tuple(dict.fromkeys(_note(name) for name in _names(_needs(text, "must contain F#")))))


def _struck(text: str) -> Struck:
    names = _names(_needs(text, "note A4"))
    if len(names) > 1:
        raise BadInput("'note' names one note: write one line a note, or 'melody' for several in a row")
    return Struck(_note(names[0]))


def _density(text: str) -> Density:
    body = re.sub(r"\b(?:onsets?|notes?|a|per|each|in|every|bar)\b", " ", text)
    found = re.fullmatch(r"\s*(?:(at least|at most|between) )?\s*(\d{1,3})(?:\s*(?:-|to|and)\s*(\d{1,3}))?\s*", body)
    if not found or (found[1] and (found[1] == "between") != bool(found[3])):
        raise BadInput(f"{text!r} is no density: write for example '2-4 onsets a bar' or 'at most 4 onsets a bar'")
    number = int(found[2])
    if found[1] == "at least":
        return Density(number, MOST_NOTES)
    fewest, most = (0, number) if found[1] == "at most" else (number, int(found[3] or number))
    if fewest > most:
        raise BadInput(f"{text!r} runs backwards: write the smaller number first")
    return Density(fewest, most)


def _cadence(text: str) -> Cadence:
    found = re.fullmatch(r"(\w+) in (.+?)( picardy| with picardy third)?", _needs(text, "cadence authentic in G major"))
    if not found:
        raise BadInput(f"'cadence {text}' is not complete: write for example 'cadence authentic in G major'")
    if found[1] not in CADENCES:
        raise BadInput(f"{found[1]!r} is no cadence{_near(found[1], CADENCES)}")
    key = Key.parse(found[2])
    if key.mode not in ("major", "minor"):
        raise BadInput(f"a cadence is in a major or a minor key, not in {key}")
    return Cadence(found[1], key, bool(found[3]))


KINDS: dict[str, Callable[[str], Kind]] = {
    "pitches": lambda text: Pitches(_classes(text)),
    "chord": _chord,
    "scale": _scale,
    "avoid": _avoid,
    "range": _range,
    "rhythm": _rhythm,
    "melody": _melody,
    "must contain": _contains,
    "contain": _contains,
    "note": _struck,
    "silent": lambda text: _alone(text, Rests(True)),
    "no rests": lambda text: _alone(text, Rests(False)),
    "onsets": _density,
    "cadence": _cadence,
}
"""How a rule begins -> its reader."""


def _alone(text: str, rests: Rests) -> Rests:
    if text:
        raise BadInput(f"nothing follows 'silent' or 'no rests', but here is {text!r}")
    return rests


def _check(place: Place, kind: Kind) -> None:
    """Refuse a place that a kind of rule has no use for."""
    if place.end and not isinstance(kind, Cadence):
        raise BadInput("'end' is the place of a cadence; elsewhere write 'last bar' or 'bars 5-end'")
    if place.end and (place.bars or place.beats):
        raise BadInput("a cadence stands at the end or in a bar: name one of the two")
    if isinstance(kind, Cadence):
        if place.voices:
            raise BadInput("a cadence is made by all voices together: name none")
        if not (place.end or place.bars):
            raise BadInput("say where the cadence stands: 'end: cadence ...' or 'bar 4: cadence ...'")
    if isinstance(kind, Struck) and (place.beats is None or place.beats[0] != place.beats[1]):
        raise BadInput("say on which beat the note is struck: 'bar 3 beat 1 alto: note A4'")
    if isinstance(kind, Melody | Rhythm) and not place.voices:
        name = "melody" if isinstance(kind, Melody) else "rhythm"
        raise BadInput(f"say which voice has this {name}, such as 'soprano'; 'soprano, alto, tenor, bass' names all")
