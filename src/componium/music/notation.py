"""Reading notation, MusicXML and kern, through music21 (extra ``notation``).

One track per voice; ties are one note; fermatas become markers at the onset of the held chord, breath marks
become phrase ends; pickups, meters, keys and tempo are kept. Grace notes are left out and repeats are not
played out.
"""

from __future__ import annotations

import contextlib
import io
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from componium.music.barlines import with_bars
from componium.music.errors import BadFile, BadInput, require
from componium.music.keys import Key
from componium.music.score import (
    CLOSE_BEATS,
    DEFAULT_VELOCITY,
    FERMATA,
    PHRASE_END,
    KeySignature,
    Note,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
    key_signature,
)
from componium.music.theory import more_likely_key

PURPOSE = "Reading MusicXML and kern"
# music21 tells of damaged input with whatever exception its parser happens to meet
_PARSER_ERRORS = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
                  SyntaxError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
Time = float | Fraction


def read_notation(path: str | Path) -> Score:
    """Read a MusicXML (.musicxml, .xml, .mxl) or kern file.

    Raises:
        BadFile: it cannot be read; the reason says why.
        MissingExtra: music21 is not installed.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    extension = file.suffix.lower()
    text = _checked_text(data, extension, path)
    music21 = require("music21", extra="notation", purpose=PURPOSE)
    kind = "humdrum" if extension == ".krn" else "musicxml"
    try:
        with quiet():
            return score_from_music21(music21.converter.parseData(text, format=kind))
    except BadInput as error:
        raise BadFile(path, str(error)) from error
    except (*_PARSER_ERRORS, music21.exceptions21.Music21Exception) as error:
        kind = type(error).__name__
        raise BadFile(path, f"is no valid {_format_name(extension)} ({kind}: {str(error)[:80]})") from error


def score_from_music21(stream: Any) -> Score:
    """Return a music21 stream (a Score, a Part, or the first piece of an Opus) as a `Score`.

    A part with several voices becomes a track per voice. Where a key signature tells no mode, major or minor
    is chosen by the notes. Bars that are shorter or longer than their meter (unless two make one) become
    meter changes.
    """
    if "Opus" in stream.classes:
        stream = next(iter(stream.scores), None)
        if stream is None:
            raise BadInput("holds no piece")
    parts = list(stream.parts) if hasattr(stream, "parts") else []
    reading = _Reading()
    for place, part in enumerate(parts or [stream]):
        _read_part(part, place, reading)
    return _assemble(reading)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what music21 prints and warns of from the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), \
            contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@dataclass
class _Line:
    """The notes of one voice while it is read: [start, length, pitch, velocity]."""

    name: str
    program: int = 0
    is_drum: bool = False
    notes: list[tuple[Time, Time, int, int]] = field(default_factory=list)
    open_ties: dict[int, int] = field(default_factory=dict)


@dataclass
class _Reading:
    """What is collected from all parts."""

    lines: list[_Line] = field(default_factory=list)
    fermatas: list[tuple[int, Time, Time]] = field(default_factory=list)
    breaths: set[float] = field(default_factory=set)
    meters: dict[float, tuple[int, int]] = field(default_factory=dict)
    keys: dict[float, tuple[int, str | None]] = field(default_factory=dict)
    tempos: dict[float, float] = field(default_factory=dict)
    bar_starts: list[float] = field(default_factory=list)
    last_bar_length: float = 0.0


def _read_part(part: Any, place: int, reading: _Reading) -> None:
    name = str(getattr(part, "partName", None) or "").strip()
    measures: list[tuple[Time, Any]] = []
    instruments = []
    for element in part:
        classes = element.classSet
        if "Measure" in classes:
            measures.append((element.offset, element))
        elif "Instrument" in classes:
            instruments.append(element)
    if any(instrument.transposition is not None for instrument in instruments):
        part = part.toSoundingPitch()
        measures = [(element.offset, element) for element in part if "Measure" in element.classSet]
    program = next((i.midiProgram for i in instruments if i.midiProgram is not None), 0)
    lines: dict[str, _Line] = {}
    for start, measure in measures or [(0.0, part)]:
        if place == 0 and measures:
            reading.bar_starts.append(float(start))
            reading.last_bar_length = float(measure.quarterLength)
        voices = [element for element in measure if "Voice" in element.classSet]
        for number, voice in enumerate([measure, *voices]):
            key = "" if number <= 1 else str(number)
            if key not in lines:
                lines[key] = _Line(name if not key else f"{name} ({key})".strip(), program)
            begin = start if voice is measure else start + voice.offset
            for element in voice:
                _read_element(element, begin + element.offset, place, lines[key], reading)
    reading.lines += [line for line in lines.values() if line.notes or line is lines[""]]


def _read_element(element: Any, time: Time, place: int, line: _Line, reading: _Reading) -> None:
    classes = element.classSet
    if "GeneralNote" in classes:
        if not element.duration.isGrace:
            _read_note(element, time, place, line, reading, classes)
    elif "TimeSignature" in classes:
        reading.meters.setdefault(float(time), (element.numerator, element.denominator))
    elif "KeySignature" in classes:
        mode = getattr(element, "mode", None)
        reading.keys.setdefault(float(time), (element.sharps, mode))
    elif "MetronomeMark" in classes:
        tempo_bpm = element.getQuarterBPM()
        if tempo_bpm:
            reading.tempos.setdefault(float(time), float(tempo_bpm))
    elif "PercussionClef" in classes:
        line.is_drum = True


def _read_note(element: Any, time: Time, place: int, line: _Line, reading: _Reading, classes: Any) -> None:
    length = element.quarterLength
    start = time
    if "Rest" not in classes and "ChordSymbol" not in classes:
        for note in element.notes if "ChordBase" in classes else [element]:
            pitch = note.pitch.midi if hasattr(note, "pitch") else _drum_pitch(note)
            start = min(start, _add_note(line, time, length, pitch, note, element))
    for expression in element.expressions:
        if "Fermata" in expression.classSet:
            reading.fermatas.append((place, start, time + length))
    for articulation in element.articulations:
        if "BreathMark" in articulation.classSet:
            reading.breaths.add(float(time + length))


def _add_note(line: _Line, time: Time, length: Time, pitch: int, note: Any, element: Any) -> Time:
    """Append a note, or prolong the one that is tied to it; returns where it starts."""
    if not 0 <= pitch <= 127:
        raise BadInput(f"a note at beat {float(time):g} is MIDI {pitch}, outside 0 to 127")
    tie = note.tie or element.tie
    kind = tie.type if tie is not None else None
    known = line.open_ties.pop(pitch, None) if kind in ("stop", "continue") else None
    if known is not None:
        start, _, _, velocity = line.notes[known]
        line.notes[known] = (start, time + length - start, pitch, velocity)
    else:
        loudness = element.volume.velocity if element.hasVolumeInformation() else None
        line.notes.append((time, length, pitch, DEFAULT_VELOCITY if loudness is None else int(loudness)))
        known = len(line.notes) - 1
    if kind in ("start", "continue"):
        line.open_ties[pitch] = known
    return line.notes[known][0]


def _drum_pitch(note: Any) -> int:
    instrument = getattr(note, "storedInstrument", None)
    sound = getattr(instrument, "percMapPitch", None)
    return int(sound) if sound is not None else int(note.displayPitch().midi)


def _assemble(reading: _Reading) -> Score:
    score = Score(480)
    for line in reading.lines:
        track = Track(line.name, line.program, line.is_drum)
        for start, length, pitch, velocity in sorted(line.notes, key=lambda note: (note[0], note[2])):
            track.notes.append(Note(float(start), max(float(length), 1 / 480), pitch, velocity))
        score.tracks.append(track)
    for time, (numerator, denominator) in sorted(reading.meters.items()):
        score.time_signatures.append(TimeSignature(time, numerator, denominator))
    if reading.bar_starts:
        score = with_bars(score, reading.bar_starts, reading.last_bar_length, reading.meters)
    for time, tempo_bpm in sorted(reading.tempos.items()):
        score.tempos.append(Tempo(time, qpm=tempo_bpm))
    for event in _keys(score, reading):
        score.key_signatures.append(event)
    for time in _fermata_times(reading.fermatas):
        score.markers.append(TextMeta(time, FERMATA))
    for time in sorted(reading.breaths):
        score.markers.append(TextMeta(time, PHRASE_END))
    score.markers.sort(key=lambda event: event.time, inplace=True)
    return score


def _keys(score: Score, reading: _Reading) -> Iterable[KeySignature]:
    for time, (sharps, mode) in sorted(reading.keys.items()):
        if abs(sharps) > 7:
            continue
        if mode is None:
            twins = [Key.from_signature(sharps, "major"), Key.from_signature(sharps, "minor")]
            yield key_signature(more_likely_key(score, twins), time)
        else:
            yield KeySignature(time, sharps, int(mode in ("minor", "dorian", "phrygian", "aeolian")))


def _fermata_times(fermatas: list[tuple[int, Time, Time]]) -> list[float]:
    """Return the onset of each held chord: that of the highest part that has the sign."""
    times: list[float] = []
    covered: list[tuple[float, float]] = []
    for _, start, end in sorted(fermatas, key=lambda fermata: (fermata[0], float(fermata[1]))):
        if not any(float(start) < last - CLOSE_BEATS and first < float(end) - CLOSE_BEATS
                   for first, last in covered):
            times.append(float(start))
        covered.append((float(start), float(end)))
    return sorted(times)


def _checked_text(data: bytes, extension: str, path: object) -> str | bytes:
    """Return what the parser gets; raise `BadFile` for what cannot be notation."""
    if not data.strip():
        raise BadFile(path, "is empty")
    if extension == ".krn":
        if b"**kern" not in data:
            raise BadFile(path, "is not kern (no **kern spine)")
        return data.decode("utf-8", errors="replace")
    if data[:2] == b"PK" or extension == ".mxl":
        data = _unpacked(data, path)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadFile(path, f"is not XML, or cut short ({error})") from error
    if root.tag not in ("score-partwise", "score-timewise"):
        raise BadFile(path, f"is XML, but not MusicXML (its root is <{root.tag}>)")
    return data


def _unpacked(data: bytes, path: object) -> bytes:
    """Return the score inside a compressed MusicXML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist()
                     if n.lower().endswith((".musicxml", ".xml")) and not n.startswith(("META-INF", "__MACOSX"))]
            if not names:
                raise BadFile(path, "is compressed, but holds no MusicXML")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadFile(path, "is not compressed MusicXML, or is cut short") from error


def _format_name(extension: str) -> str:
    return "kern" if extension == ".krn" else "MusicXML"
