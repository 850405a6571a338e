"""Reading MusicXML: from the document to lines of notes and signs; `notation` makes a score of them.

Read here rather than by music21: four times as fast, and with what is wrong in a file in our hands. What can be read
is read: a length that is missing or no number follows from the note's type, a bar lasts as long as its longest part
(rests that are too many in one part do not count), a tie that leads nowhere ends its note. A note without a pitch, or
with one that is none, is one error that names the bar.

A file that Componium wrote is read back exactly: a track stays one track whatever its voices, and its markers and
hidden meters and tempos count instead of what the printed signs suggest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from componium.music.errors import BadInput
from componium.music.keys import LETTER_PITCH_CLASSES
from componium.music.lines import Line, Reading
from componium.music.musicxml_elements import (
    LENGTHS,
    MARKER_ID,
    NO_TRACK,
    SOFTWARE,
    meter_of,
    mode_of,
    number_of,
    order_of,
    partwise_of,
    tempo_of,
    velocity_of,
    whole_of,
)

_NEAR = Fraction(1, 1000)
LONGEST_BEATS = 100_000
"""Music longer than this, fourteen hours at 120, is a mistake in a file."""


def read_document(root: Element) -> Reading:
    """Return what a MusicXML document holds.

    Raises:
        BadInput: a note cannot be understood, or there is no part.
    """
    for element in root.iter():
        if "}" in element.tag:  # a namespace, which the format does not have
            element.tag = element.tag.rpartition("}")[2]
    if root.tag == "score-timewise":
        root = partwise_of(root)
    parts = root.findall("part")
    if not parts:
        raise BadInput("is MusicXML without a part")
    reading = Reading(ours=_ours(root))
    listed = {part.get("id"): part for part in root.iter("score-part")}
    readers = [_Part(part, listed.get(part.get("id")), place, reading) for place, part in enumerate(parts)
               if not (reading.ours and part.get("id") == NO_TRACK)]
    count = max((len(reader.measures) for reader in readers), default=0)
    time = Fraction(0)
    for number in range(count):
        length = _bar_length([reader.measure(number, time) for reader in readers if number < len(reader.measures)],
                             readers[0].nominal)
        if time + length > LONGEST_BEATS:
            raise BadInput(f"has a bar (number {number + 1}) that ends after {LONGEST_BEATS:,} beats")
        reading.bar_starts.append(float(time))
        reading.last_bar_length = float(length)
        time += length
    for reader in readers:
        reading.lines += reader.finished()
    if not readers and parts[0].find("measure") is not None:
        _Part(parts[0], None, 0, reading).measure(0, time)
    return reading


def _bar_length(parts: list[tuple[Fraction, Fraction]], nominal: Fraction) -> Fraction:
    """Return how long a bar is: as its longest part, but rests alone do not make it longer than meter and other parts.

    Args:
        parts: of each part, how far it is written and how far it sounds.
        nominal: the length that the meter asks for.
    """
    written, sounding = [part[0] for part in parts], [part[1] for part in parts]
    return max(min(max(written), max(nominal, min(written))), *sounding) or nominal


def _ours(root: Element) -> bool:
    software = [element.text or "" for element in root.iterfind("identification/encoding/software")]
    return bool(software) and all(name.startswith(f"{SOFTWARE} ") for name in software)


@dataclass
class _Open:
    """A note that a tie goes on from."""

    line: Line
    index: int
    end: Fraction


@dataclass
class _Part:
    """One part while it is read, bar by bar."""

    part: Element
    listed: Element | None
    place: int
    reading: Reading
    divisions: Fraction = Fraction(0)
    transposition: int = 0
    nominal: Fraction = Fraction(4)
    drums: bool = False
    name: str = ""
    program: int = 0
    sounds: dict[str, int] = field(default_factory=dict)
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    ties: dict[int, list[_Open]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.measures = self.part.findall("measure")
        listed = self.listed
        if listed is None:
            return
        self.name = listed.findtext("part-name") or ""
        if not self.reading.ours:
            self.name = self.name.strip()
        for midi in listed.iterfind("midi-instrument"):
            program, sound = whole_of(midi.findtext("midi-program")), whole_of(midi.findtext("midi-unpitched"))
            if program is not None and 1 <= program <= 128 and not self.program:
                self.program = program - 1
            if sound is not None and 1 <= sound <= 128:
                self.sounds[midi.get("id", "")] = sound - 1
            self.drums |= self.reading.ours and whole_of(midi.findtext("midi-channel")) == 10

    def measure(self, number: int, start: Fraction) -> tuple[Fraction, Fraction]:
        """Read one bar that starts at a time; return how far it is written, and how far it sounds."""
        measure = self.measures[number]
        place = reach = last = sounding = start
        for element in measure:
            if element.tag == "note":
                length = self._length(element)
                begin = last if element.find("chord") is not None else place
                self._note(element, begin, length, number)
                if element.find("rest") is None:
                    sounding = max(sounding, begin + length)
                if element.find("chord") is None and element.find("grace") is None:
                    last, place = place, place + length
            elif element.tag in ("backup", "forward"):
                length = self._length(element)
                place = max(start, place - length) if element.tag == "backup" else place + length
            elif element.tag == "attributes":
                self._attributes(element, place, first=number == 0)
            elif element.tag in ("direction", "sound", "bookmark"):
                self._sign(element, start, place)
            reach = max(reach, place)
        if self.reading.ours and number == 0 and measure.get("implicit") == "yes":
            self.reading.pickup = float(reach - start)
        return reach - start, sounding - start

    def finished(self) -> list[Line]:
        """Return the lines of the part, the notes of a file of ours in one."""
        rows = sorted(self.lines.items(), key=lambda item: (order_of(item[0][0]), order_of(item[0][1])))
        if self.reading.ours or not rows:
            whole = Line(self.name, self.program, self.drums)
            whole.notes = [note for _, line in rows for note in line.notes]
            return [whole]
        found, before, count = [], None, 1
        for (staff, _), line in rows:
            count = count + 1 if staff == before else 1
            before = staff
            line.name = self.name if count == 1 else f"{self.name} ({count})".strip()
            line.is_drum = self.drums
            if line.notes or count == 1:
                found.append(line)
        return found

    def _length(self, element: Element) -> Fraction:
        """Return a duration in quarter notes; where there is none, what the note's type tells."""
        given = number_of(element.findtext("duration"))
        if given is not None and given > 0 and self.divisions > 0:
            return given / self.divisions
        if element.find("grace") is not None:
            return Fraction(0)
        length = LENGTHS.get(element.findtext("type") or "")
        if length is None:
            return Fraction(0) if given is None or given <= 0 else given
        dots = len(element.findall("dot"))
        length *= 2 - Fraction(1, 2 ** min(dots, 8))
        actual = number_of(element.findtext("time-modification/actual-notes"))
        normal = number_of(element.findtext("time-modification/normal-notes"))
        return length * normal / actual if actual and normal else length

    def _note(self, element: Element, time: Fraction, length: Fraction, number: int) -> None:
        if element.find("grace") is not None or element.find("cue") is not None:
            return
        start = time
        if element.find("rest") is None:
            pitch = self._pitch(element, number)
            if length <= 0:
                return
            key = element.findtext("staff") or "1", element.findtext("voice") or "1"
            line = self.lines.setdefault(key, Line(self.name, self.program, self.drums))
            start = self._add(element, line, time, length, pitch)
        for notations in element.iterfind("notations"):
            if notations.find("fermata") is not None:
                self.reading.fermatas.append((self.place, start, time + length))
            if notations.find("articulations/breath-mark") is not None:
                self.reading.breaths.add(float(time + length))

    def _pitch(self, element: Element, number: int) -> int:
        unpitched, pitch = element.find("unpitched"), element.find("pitch")
        if unpitched is not None:
            named = element.find("instrument")
            sound = self.sounds.get(named.get("id", "") if named is not None else "")
            if sound is not None:
                return sound
        home = unpitched if unpitched is not None else pitch
        prefix = "display-" if unpitched is not None else ""
        bar = self.measures[number].get("number", str(number + 1))
        if home is None:
            raise BadInput(f"has a note without a pitch in bar {bar}")
        step = (home.findtext(f"{prefix}step") or ("B" if prefix else "")).strip()
        octave = whole_of(home.findtext(f"{prefix}octave") or ("4" if prefix else ""))
        alter = number_of(home.findtext("alter") or "0")
        if step not in LETTER_PITCH_CLASSES or octave is None or alter is None:
            raise BadInput(f"has a note in bar {bar} whose pitch is no pitch ({step or 'no letter'}, octave "
                           f"{home.findtext(f'{prefix}octave') or 'none'})")
        midi = LETTER_PITCH_CLASSES[step] + round(alter) + 12 * (octave + 1)
        midi += 0 if prefix else self.transposition
        if not 0 <= midi <= 127:
            raise BadInput(f"has a note in bar {bar} that is MIDI {midi}, outside 0 to 127")
        return midi

    def _add(self, element: Element, line: Line, time: Fraction, length: Fraction, pitch: int) -> Fraction:
        """Append a note, or prolong the one that is tied to it; return where it starts."""
        kinds = {tie.get("type") for tie in element.iterfind("tie")} or \
            {tie.get("type") for tie in element.iterfind("notations/tied")}
        found = self._opened(line, pitch, time) if kinds & {"stop", "continue"} else None
        if found is not None:
            start, _, _, velocity = found.line.notes[found.index]
            found.line.notes[found.index] = (start, time + length - start, pitch, velocity)
        else:
            start = time
            line.notes.append((time, length, pitch, velocity_of(element)))
            found = _Open(line, len(line.notes) - 1, time)
        release = number_of(element.get("release")) if self.reading.ours else None
        if release and self.divisions > 0:
            start, sounding, _, velocity = found.line.notes[found.index]
            found.line.notes[found.index] = (start, sounding + release / self.divisions, pitch, velocity)
        if kinds & {"start", "continue", "let-ring"} - {"let-ring"}:
            self.ties.setdefault(pitch, []).append(_Open(found.line, found.index, time + length))
        return Fraction(start)

    def _opened(self, line: Line, pitch: int, time: Fraction) -> _Open | None:
        """Return, and close, the tie that leads to a time; first one of the same voice."""
        waiting = [each for each in self.ties.get(pitch, []) if abs(each.end - time) < _NEAR]
        best = next((each for each in waiting if each.line is line), waiting[0] if waiting else None)
        self.ties[pitch] = [each for each in self.ties.get(pitch, []) if each is not best]
        return best

    def _attributes(self, element: Element, time: Fraction, *, first: bool) -> None:
        divisions = number_of(element.findtext("divisions"))
        if divisions is not None and divisions > 0:
            self.divisions = divisions
        for transpose in element.iterfind("transpose"):
            self.transposition = (whole_of(transpose.findtext("chromatic")) or 0) + \
                12 * (whole_of(transpose.findtext("octave-change")) or 0)
        self.drums |= any(clef.findtext("sign") == "percussion" for clef in element.iterfind("clef"))
        for key in element.iterfind("key"):
            fifths = whole_of(key.findtext("fifths"))
            if fifths is not None:
                self.reading.keys.setdefault(float(time), (fifths, mode_of(key)))
        for meter in element.iterfind("time"):
            read = meter_of(meter)
            if read is None:
                continue
            self.nominal = Fraction(4 * read[0], read[1])
            unstated = self.reading.ours and first and meter.get("print-object") == "no"
            if not unstated:
                self.reading.meters.setdefault(float(time), read)

    def _sign(self, element: Element, start: Fraction, place: Fraction) -> None:
        """Read a tempo or, in a file of ours, a marker."""
        offset = number_of(element.findtext("offset") or element.get("position") or "0") or Fraction(0)
        time = float(place + (offset / self.divisions if self.divisions > 0 else 0))
        if element.tag != "bookmark":
            tempo_bpm = tempo_of(element)
            if tempo_bpm is not None and not (self.reading.ours and self.place):
                self.reading.tempos.setdefault(max(time, 0.0), tempo_bpm)
        if self.reading.ours and element.get("id", "").startswith(MARKER_ID):
            text = element.get("name") or element.findtext("direction-type/words") or ""
            self.reading.markers.append((time, text))
