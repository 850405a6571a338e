"""Reading notation: MusicXML, and kern through music21 (extra ``notation``).

One track per voice; ties are one note; fermatas become markers at the onset of the held chord, breath marks
become phrase ends; pickups, meters, keys and tempo are kept. Grace notes and cue notes are left out, and
repeats are not played out: the music is read as it is written. What Componium wrote comes back as it was.
"""

from __future__ import annotations

import contextlib
import io
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from componium.music.errors import BadFile, BadInput, require
from componium.music.lines import Line, Reading, Time, score_of
from componium.music.musicxml_reader import read_document
from componium.music.score import DEFAULT_VELOCITY, Score

PURPOSE = "Reading kern"
LONGEST_BYTES = 1 << 28
"""A compressed file that holds more is refused: a small one can grow to fill the memory."""
# music21 tells of damaged input with whatever exception its parser happens to meet
_PARSER_ERRORS = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
                  SyntaxError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


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
    try:
        if extension == ".krn":
            return _read_kern(data, path)
        return score_of(read_document(_checked_document(data, extension, path)))
    except BadInput as error:
        raise BadFile(path, str(error)) from error


def _read_kern(data: bytes, path: object) -> Score:
    if not data.strip():
        raise BadFile(path, "is empty")
    if b"**kern" not in data:
        raise BadFile(path, "is not kern (no **kern spine)")
    music21 = require("music21", extra="notation", purpose=PURPOSE)
    try:
        with quiet():
            return score_from_music21(music21.converter.parseData(data.decode("utf-8", "replace"), format="humdrum"))
    except (*_PARSER_ERRORS, music21.exceptions21.Music21Exception) as error:
        raise BadFile(path, f"is no valid kern ({type(error).__name__}: {str(error)[:80]})") from error


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
    reading = Reading()
    for place, part in enumerate(parts or [stream]):
        _read_part(part, place, reading)
    return score_of(reading)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what music21 prints and warns of from the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), \
            contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _read_part(part: Any, place: int, reading: Reading) -> None:
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
    lines: dict[str, Line] = {}
    for start, measure in measures or [(0.0, part)]:
        if place == 0 and measures:
            reading.bar_starts.append(float(start))
            reading.last_bar_length = float(measure.quarterLength)
        voices = [element for element in measure if "Voice" in element.classSet]
        for number, voice in enumerate([measure, *voices]):
            key = "" if number <= 1 else str(number)
            if key not in lines:
                lines[key] = Line(name if not key else f"{name} ({key})".strip(), program)
            begin = start if voice is measure else start + voice.offset
            for element in voice:
                _read_element(element, begin + element.offset, place, lines[key], reading)
    reading.lines += [line for line in lines.values() if line.notes or line is lines[""]]


def _read_element(element: Any, time: Time, place: int, line: Line, reading: Reading) -> None:
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


def _read_note(element: Any, time: Time, place: int, line: Line, reading: Reading, classes: Any) -> None:
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


def _add_note(line: Line, time: Time, length: Time, pitch: int, note: Any, element: Any) -> Time:
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


def _checked_document(data: bytes, extension: str, path: object) -> ElementTree.Element:
    """Return the MusicXML document in a file; raise `BadFile` for what cannot be one."""
    if not data.strip():
        raise BadFile(path, "is empty")
    if data[:2] == b"PK" or extension == ".mxl":
        data = _unpacked(data, path)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadFile(path, f"is not XML, or cut short ({error})") from error
    if root.tag.rpartition("}")[2] not in ("score-partwise", "score-timewise"):
        raise BadFile(path, f"is XML, but not MusicXML (its root is <{root.tag}>)")
    return root


def _unpacked(data: bytes, path: object) -> bytes:
    """Return the score inside a compressed MusicXML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist()
                     if n.lower().endswith((".musicxml", ".xml")) and not n.startswith(("META-INF", "__MACOSX"))]
            if not names:
                raise BadFile(path, "is compressed, but holds no MusicXML")
            if archive.getinfo(names[0]).file_size > LONGEST_BYTES:
                raise BadFile(path, f"holds more than {LONGEST_BYTES >> 20} MB of MusicXML, more than any score")
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadFile(path, "is not compressed MusicXML, or is cut short") from error
