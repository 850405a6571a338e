"""Whether a finished piece keeps its rules, looked up note by note.

Nothing here is shared with the tables that composing follows but where a rule stands (`constraint_rules.Frame`), so
that the one proves the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from componium.music.constraint_rules import (
    Cadence,
    Contains,
    Density,
    Frame,
    Melody,
    Pitches,
    Range,
    Rests,
    Rhythm,
    Rule,
    Struck,
)
from componium.music.constraints import Constraints
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.keys import Key, pitch_name
from componium.music.theory import Chord, roman


@dataclass(frozen=True)
class Heard:
    """A note of a voice: its first step, the step after its last, and its MIDI pitch."""

    start: int
    stop: int
    pitch: int


@dataclass(frozen=True)
class Piece:
    """A grid as notes: for each voice, in time order."""

    frame: Frame
    notes: tuple[tuple[Heard, ...], ...]

    @classmethod
    def of(cls, grid: Grid) -> Piece:
        """Read the notes of a grid."""
        frame = Frame(len(grid), grid.voice_count, grid.steps_per_beat, grid.numerator, grid.denominator,
                      grid.pickup_steps)
        voices = []
        for voice in range(grid.voice_count):
            notes = []
            for step in range(len(grid)):
                if grid.pitches[step, voice] < 0 or grid.held[step, voice]:
                    continue
                stop = step + 1
                while stop < len(grid) and grid.held[stop, voice]:
                    stop += 1
                notes.append(Heard(step, stop, int(grid.pitches[step, voice])))
            voices.append(tuple(notes))
        return cls(frame, tuple(voices))

    def during(self, voice: int, start: int, stop: int) -> list[Heard]:
        """Return the notes of a voice that sound in some steps."""
        return [note for note in self.notes[voice] if note.start < stop and note.stop > start]

    def begun(self, voice: int, start: int, stop: int) -> list[Heard]:
        """Return the notes of a voice that begin in some steps."""
        return [note for note in self.notes[voice] if start <= note.start < stop]


def violations(grid: Grid, constraints: Constraints) -> list[str]:
    """Return a sentence for each rule that a piece breaks, and each voice that breaks it; none where all are kept.

    Raises `BadInput` where a rule names a bar, a beat or a voice that the piece has not.
    """
    piece = Piece.of(grid)
    found = []
    for rule in constraints.rules:
        try:
            found += [f"{rule}: {told}" for told in _broken(piece, rule)]
        except BadInput as error:
            name = f"{constraints.name}: " if constraints.name else ""
            raise BadInput(f"{name}{rule}: {error}") from error
    return found


def _broken(piece: Piece, rule: Rule) -> Iterator[str]:
    kind = rule.kind
    if isinstance(kind, Cadence):
        if not any(_is_cadence(piece, rule, kind, onset) for onset in range(*piece.frame.cadence_span(rule.place))):
            yield "there is no such cadence"
    elif isinstance(kind, Contains | Struck) and not rule.place.voices:
        yield from _missing(piece, rule, list(range(piece.frame.voices)), "no voice")
    else:
        for voice in piece.frame.voices_of(rule.place):
            name = f"the {piece.frame.voice_name(voice)}"
            if isinstance(kind, Contains | Struck):
                yield from _missing(piece, rule, [voice], f"not the {piece.frame.voice_name(voice)}")
            else:
                told = next(_of_voice(piece, rule, voice), None)
                if told:
                    yield f"{name} {told}"


def _missing(piece: Piece, rule: Rule, voices: list[int], who: str) -> Iterator[str]:
    """Yield the notes that none of some voices has where a rule requires them."""
    kind = rule.kind
    if isinstance(kind, Contains):
        for start, stop in piece.frame.stretches_of(rule.place):
            for number, exact in kind.notes:
                heard = [note.pitch for voice in voices for note in piece.during(voice, start, stop)]
                if number not in (heard if exact else [pitch % 12 for pitch in heard]):
                    yield f"{who} has it from {piece.frame.where(start)}"
    elif isinstance(kind, Struck):
        for start, _ in piece.frame.spans_of(rule.place):
            struck = [note.pitch for voice in voices for note in piece.begun(voice, start, start + 1)]
            if kind.note[0] not in (struck if kind.note[1] else [pitch % 12 for pitch in struck]):
                yield f"{who} strikes it in {piece.frame.where(start)}"


def _of_voice(piece: Piece, rule: Rule, voice: int) -> Iterator[str]:
    """Yield what one voice does against a rule."""
    kind, frame = rule.kind, piece.frame
    if isinstance(kind, Density):
        for bar, (start, stop) in frame.bar_spans_of(rule.place):
            count = len(piece.begun(voice, start, stop))
            if (rule.place.bars or frame.is_whole(bar)) and not kind.fewest <= count <= kind.most:
                yield f"strikes {count} notes from {frame.where(start)}"
    elif isinstance(kind, Melody):
        for start, stop in frame.stretches_of(rule.place):
            struck = tuple(note.pitch for note in piece.begun(voice, start, stop))
            if struck != kind.pitches:
                yield f"strikes {' '.join(map(pitch_name, struck)) or 'nothing'} from {frame.where(start)}"
    elif isinstance(kind, Rhythm):
        for start, stop in frame.stretches_of(rule.place):
            if not _has_rhythm(piece, kind, voice, start, stop):
                yield f"has another rhythm from {frame.where(start)}"
    else:
        for start, stop in frame.spans_of(rule.place):
            for told in _sounds_wrong(piece, rule, voice, start, stop):
                yield f"{told} from {frame.where(start)}"


def _sounds_wrong(piece: Piece, rule: Rule, voice: int, start: int, stop: int) -> Iterator[str]:
    """Yield what sounds in some steps against a rule of pitches, range or rests."""
    kind, notes = rule.kind, piece.during(voice, start, stop)
    if isinstance(kind, Rests):
        sounding = sum(min(note.stop, stop) - max(note.start, start) for note in notes)
        if kind.silent and sounding:
            yield "sounds"
        elif not kind.silent and sounding < stop - start:
            yield "rests"
    for note in notes:
        wrong = False
        if isinstance(kind, Pitches):
            in_bass = kind.bass is not None and voice == piece.frame.voices - 1
            wrong = note.pitch % 12 not in kind.classes or (in_bass and note.pitch % 12 != kind.bass)
        elif isinstance(kind, Range):
            wrong = not kind.lowest <= note.pitch <= kind.highest
        if wrong:
            yield f"has {pitch_name(note.pitch)}"


def _has_rhythm(piece: Piece, kind: Rhythm, voice: int, start: int, stop: int) -> bool:
    """Tell whether the notes that begin in some steps are those of a rhythm, and rests are where it has rests."""
    at, expected, times = start, [], stop - start if kind.repeated else 1
    for beats, is_note in itertools.chain.from_iterable(itertools.repeat(kind.events, times)):
        if at >= stop and kind.repeated:
            break
        length = piece.frame.steps_of(beats)
        if is_note:
            expected.append((at, at + length))
        at += length
    return at == stop and expected == [(note.start, note.stop) for note in piece.during(voice, start, stop)]


def _is_cadence(piece: Piece, rule: Rule, kind: Cadence, onset: int) -> bool:
    """Tell whether the last chord of a cadence begins at a step."""
    frame, key = piece.frame, kind.key
    stop = frame.steps
    if rule.place.bars:
        bar_stop = min(frame.span(bar)[1] for bar in frame.bars_of(rule.place))
        stop = min(bar_stop, onset + frame.steps_per_beat)
    before = (max(0, onset - max(1, frame.steps_per_beat // 2)), onset)
    last, first = _chords(kind, key)
    top = [note.pitch % 12 for note in piece.during(0, onset, stop)]
    if kind.kind == "perfect" and set(top) != {key.tonic_pitch_class}:
        return False
    return _stands(piece, last, onset, stop) and (first is None or (onset > 0 and _stands(piece, first, *before)))


def _chords(kind: Cadence, key: Key) -> tuple[Chord, Chord | None]:
    """Return the last chord of a cadence and the one before."""
    minor = key.is_minor
    home = roman("i" if minor and not kind.picardy else "I", key)
    dominant = roman("V7", key)
    return {"authentic": (home, dominant), "perfect": (home, dominant), "half": (roman("V", key), None),
            "plagal": (home, roman("iv" if minor else "IV", key)),
            "deceptive": (roman("VI" if minor else "vi", key), dominant)}[kind.kind]


def _stands(piece: Piece, chord: Chord, start: int, stop: int) -> bool:
    """Tell whether only a chord sounds in some steps, its root in the lowest voice throughout, its third somewhere."""
    voices = range(piece.frame.voices)
    sounding = [note.pitch % 12 for voice in voices for note in piece.during(voice, start, stop)]
    if not all(pitch_class in chord.pitch_classes for pitch_class in sounding):
        return False
    bass = piece.during(voices[-1], start, stop)
    whole = sum(min(note.stop, stop) - max(note.start, start) for note in bass) == stop - start
    if len(voices) == 1:
        return whole
    root, third = chord.pitch_classes[0], chord.pitch_classes[1]
    return whole and all(note.pitch % 12 == root for note in bass) and third in sounding
