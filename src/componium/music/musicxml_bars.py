"""The bars of a part as MusicXML: attributes and directions around the notes of `musicxml_notes`."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement

from componium.music.musicxml_elements import MARKER_ID
from componium.music.musicxml_notes import NoteWriter
from componium.music.musicxml_piece import Piece, Space, accidentals, by_bar, clean, near
from componium.music.score import CLOSE_BEATS, END, FERMATA, PHRASE_END, KeySignature, Score, Tempo
from componium.music.staves import Staff


def add_bars(part: Element, piece: Piece, place: int, part_id: str) -> None:
    """Add all bars of a track to its part, in place."""
    staves, _ = piece.layouts[place]
    writer = BarWriter(piece, place, part_id, two=len(staves) > 1)
    rows = [(number, [by_bar(voice, piece.spaces) for voice in staff.voices]) for number, staff in enumerate(staves)]
    for number, space in enumerate(piece.spaces):
        measure = SubElement(part, "measure", number=str(space.bar.index))
        if space.bar.index == 0:
            measure.set("implicit", "yes")
        writer.open(measure, number, staves)
        voice, first = 0, True
        for staff, found in rows:
            signs = accidentals([row[number] for row in found], piece.names[place], space, writer.signature)
            for line, row in enumerate(found):
                voice += 1
                if row[number] or line == 0:
                    if not first:
                        _move(measure, "backup", piece.duration(space.end - space.start))
                    writer.notes.voice(measure, space, row[number], (voice, staff + 1, line > 0), signs)
                    first = False
        writer.late_keys(measure, space)
    if len(piece.spaces):
        SubElement(SubElement(measure, "barline", location="right"), "bar-style").text = "light-heavy"


class BarWriter:
    """Writes the bars of one part around its notes; keeps the key signature that holds.

    Args:
        piece: the score.
        place: which of its tracks.
        part_id: the part's.
        two: whether it has two staves.
    """

    def __init__(self, piece: Piece, place: int, part_id: str, *, two: bool) -> None:
        self.piece, self.place, self.two = piece, place, two
        self.notes = NoteWriter(piece, place, part_id, two=two)
        self.signature = 0
        first = piece.score if place == 0 else Score(480)  # the first part has the signs of all
        self.tempos = _by_space(piece, [event.time for event in first.tempos])
        self.visible = _visible([float(event.qpm) for event in first.tempos])
        self.markers = _by_space(piece, [event.time for event in first.markers])

    def open(self, measure: Element, number: int, staves: Sequence[Staff]) -> None:
        """Add what stands at the start of a bar: attributes, and in the first part tempos and markers."""
        space = self.piece.spaces[number]
        attributes = Element("attributes")
        if number == 0:
            SubElement(attributes, "divisions").text = str(self.piece.divisions)
        for event in self._keys(space):
            if near(event.time) <= space.start:
                self._key(attributes, event)
        self._time(attributes, number)
        if number == 0:
            if self.two:
                SubElement(attributes, "staves").text = str(len(staves))
            for count, staff in enumerate(staves, 1):
                clef = SubElement(attributes, "clef", {"number": str(count)} if self.two else {})
                sign, line, octave = staff.clef
                SubElement(clef, "sign").text = sign
                SubElement(clef, "line").text = str(line)
                if octave:
                    SubElement(clef, "clef-octave-change").text = str(octave)
        if len(attributes):
            measure.append(attributes)
        for place in self.tempos.get(number, []):
            _add_tempo(measure, self.piece, space, self.piece.score.tempos[place], visible=self.visible[place])
        for place in self.markers.get(number, []):
            _add_marker(measure, self.piece, space, place)

    def late_keys(self, measure: Element, space: Space) -> None:
        """Add the key signatures that change inside a bar."""
        for event in self._keys(space):
            time = near(event.time)
            if time > space.start:
                _move(measure, "backup", self.piece.duration(space.end - time))
                self._key(SubElement(measure, "attributes"), event)
                _move(measure, "forward", self.piece.duration(space.end - time))

    def _keys(self, space: Space) -> Iterator[KeySignature]:
        last = space is self.piece.spaces[-1]
        return (event for event in self.piece.score.key_signatures
                if space.start <= near(event.time) < space.end or (last and near(event.time) == space.end))

    def _key(self, attributes: Element, event: KeySignature) -> None:
        sharps, minor = int(event.key), bool(event.tonality)
        key = SubElement(attributes, "key", {"print-object": "no"} if self.notes.drums else {})
        SubElement(key, "fifths").text = str(sharps)
        SubElement(key, "mode").text = "minor" if minor else "major"
        self.signature = sharps

    def _time(self, attributes: Element, number: int) -> None:
        """Add the meter where the score states one; a bar's meter that it does not state is hidden."""
        space = self.piece.spaces[number]
        stated = any(abs(event.time - space.bar.start_beats) < CLOSE_BEATS
                     for event in self.piece.score.time_signatures)
        before = self.piece.spaces[number - 1] if number else None
        if not stated and number:
            return
        if before is not None and before.bar.index == 0:
            return  # the pickup has the meter of this bar
        shown = space.bar if space.bar.index or number + 1 == len(self.piece.spaces) \
            else self.piece.spaces[number + 1].bar
        known = before is not None and (before.bar.numerator, before.bar.denominator) == \
            (shown.numerator, shown.denominator)
        time = SubElement(attributes, "time", {"print-object": "no"} if known or not stated else {})
        SubElement(time, "beats").text = str(shown.numerator)
        SubElement(time, "beat-type").text = str(shown.denominator)


def _move(measure: Element, direction: str, duration: str) -> None:
    SubElement(SubElement(measure, direction), "duration").text = duration


def _by_space(piece: Piece, times: Sequence[float]) -> dict[int, list[int]]:
    """Return bar -> the places of the signs at some times; what comes after the end stands in the last bar."""
    starts = [space.start for space in piece.spaces]
    found: dict[int, list[int]] = {}
    for place, time in enumerate(times):
        found.setdefault(max(0, bisect.bisect_right(starts, near(time)) - 1), []).append(place)
    return found


def _visible(tempos: Sequence[float]) -> list[bool]:
    """Return which tempos to print: those that differ by over 4 % from the last one printed."""
    found, shown = [], 0.0
    for tempo_bpm in tempos:
        found.append(abs(tempo_bpm - shown) > 0.04 * shown)
        shown = tempo_bpm if found[-1] else shown
    return found


def _add_tempo(measure: Element, piece: Piece, space: Space, event: Tempo, *, visible: bool) -> None:
    """Add a tempo; one that changes little, as in played music, is there but not printed."""
    tempo_bpm, offset = float(event.qpm), near(event.time) - space.start
    sound = Element("sound", tempo=f"{tempo_bpm:.4f}".rstrip("0").rstrip("."))
    if not visible:
        measure.append(sound)
        _offset(sound, piece, offset)
        return
    direction = SubElement(measure, "direction", placement="above")
    mark = SubElement(SubElement(direction, "direction-type"), "metronome", parentheses="no")
    SubElement(mark, "beat-unit").text = "quarter"
    dotted = space.meter.compound and space.meter.beat == Fraction(3, 2)
    if dotted:
        SubElement(mark, "beat-unit-dot")
    SubElement(mark, "per-minute").text = f"{tempo_bpm / (1.5 if dotted else 1):.0f}"
    _offset(direction, piece, offset, sound="yes")
    direction.append(sound)


def _add_marker(measure: Element, piece: Piece, space: Space, number: int) -> None:
    """Add a marker: as words, or hidden where a sign shows it."""
    event = piece.score.markers[number]
    name, offset = f"{MARKER_ID}{number + 1}", near(event.time) - space.start
    if event.text in (FERMATA, PHRASE_END, END):  # a bookmark is printed nowhere
        bookmark = SubElement(measure, "bookmark", id=name, name=event.text)
        if offset:  # the schema has no position 0
            bookmark.set("position", piece.duration(offset))
        return
    direction = SubElement(measure, "direction", placement="above", id=name)
    SubElement(SubElement(direction, "direction-type"), "words").text = clean(event.text)
    _offset(direction, piece, offset)


def _offset(parent: Element, piece: Piece, length: Fraction, **attributes: str) -> None:
    if length:
        SubElement(parent, "offset", attributes).text = piece.duration(length)
