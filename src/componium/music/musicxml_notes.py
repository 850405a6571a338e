"""Notes and rests of one part as MusicXML elements; `musicxml_bars` writes the bars around them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement

from componium.music.drums import drum_line
from componium.music.musicxml_elements import FORTE_VELOCITY
from componium.music.musicxml_piece import Piece, Placed, Space, instrument_id, name_parts, note_id
from componium.music.note_values import Value, beams, tuplet_spans, values
from componium.music.staves import Chord, Head

Home = tuple[int, int, bool]
"""Where notes go: (voice, staff, whether the voice's rests are hidden)."""
_ACCIDENTAL_NAMES = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


class NoteWriter:
    """Writes the notes of one part, and keeps what has been written of them.

    Args:
        piece: the score.
        place: which of its tracks.
        part_id: the part's.
        two: whether it has two staves.
    """

    def __init__(self, piece: Piece, place: int, part_id: str, *, two: bool) -> None:
        self.piece, self.place, self.part_id, self.two = piece, place, part_id, two
        self.drums = place < len(piece.score.tracks) and piece.score.tracks[place].is_drum
        self._pieces: dict[int, int] = {}
        self._signed: set[tuple[int, Fraction]] = set()

    def voice(self, measure: Element, space: Space, chords: Sequence[Chord], home: Home,
              signs: dict[tuple[int, Fraction], int]) -> None:
        """Add the notes and rests of one voice in a bar."""
        origin = space.start - space.shift
        begin, end = space.shift, space.end - origin
        points = {begin, end} | {min(max(t - origin, begin), end) for c in chords for t in (c.start, c.end)}
        spans = tuplet_spans(sorted(points), space.meter)
        row: list[tuple[Chord | None, Value]] = []
        place = begin
        for chord in chords:
            first, last = max(chord.start - origin, begin), min(chord.end - origin, end)
            row += [(None, value) for value in values(place, first, space.meter, spans, rest=True)]
            row += [(chord, value) for value in values(first, last, space.meter, spans)]
            place = last
        if not chords and space.shift == 0 and end == space.meter.length:
            self._bar_rest(measure, end, home)
            return
        row += [(None, value) for value in values(place, end, space.meter, spans, rest=True)]
        marks = beams([value if chord else None for chord, value in row], space.meter)
        for (sounding, value), mark in zip(row, marks, strict=True):
            if sounding is None:
                self._rest(measure, value, home)
                continue
            for number, head in enumerate(sounding.heads):
                self._note(measure, (sounding, head, number > 0), value, home, mark, origin, signs)

    def _note(self, measure: Element, which: tuple[Chord, Head, bool], value: Value, home: Home,
              mark: Sequence[str], origin: Fraction, signs: dict[tuple[int, Fraction], int]) -> None:
        chord, head, upper = which
        count = self._pieces.get(head.index, 0)
        self._pieces[head.index] = count + 1
        name = note_id(self.place, head.index, count)
        self.piece.placed.append(Placed(name, self.place, head.index, value.start + origin, value.end + origin))
        note = SubElement(measure, "note", id=name, dynamics=f"{head.velocity / FORTE_VELOCITY:.2f}")
        ties = [kind for kind, tied in (("stop", value.start + origin > chord.start),
                                        ("start", value.end + origin < chord.end)) if tied]
        if head.end != chord.end and "start" not in ties:  # drums sound longer or shorter than they are written
            note.set("release", self.piece.duration(head.end - chord.end))
        if upper:
            SubElement(note, "chord")
        notehead = self._pitch(note, head)
        SubElement(note, "duration").text = self.piece.duration(value.end - value.start)
        for kind in ties:
            SubElement(note, "tie", type=kind)
        if self.drums:
            SubElement(note, "instrument", id=instrument_id(self.part_id, head.pitch))
        self._shape(note, value, home, signs.get((head.index, value.start + origin)))
        if self.drums:
            SubElement(note, "stem").text = "up" if home[0] == 1 else "down"
        if notehead:
            SubElement(note, "notehead").text = notehead
        if self.two:
            SubElement(note, "staff").text = str(home[1])
        for level, beam in enumerate([] if upper else mark, 1):
            SubElement(note, "beam", number=str(level)).text = beam
        notations = Element("notations")
        for kind in ties:
            SubElement(notations, "tied", type=kind)
        if not upper:
            _tuplet(notations, value, beamed=bool(mark))
            self._signs(notations, chord, value, origin, home[1])
        if len(notations):
            note.append(notations)

    def _signs(self, notations: Element, chord: Chord, value: Value, origin: Fraction, staff: int) -> None:
        """Add fermata (once on a staff) and breath mark (once in the score)."""
        held, ends = (staff, chord.start), (0, chord.end)
        if value.start + origin == chord.start and chord.start in self.piece.fermatas and held not in self._signed:
            self._signed.add(held)
            SubElement(notations, "fermata", type="upright")
        if self.place == 0 and value.end + origin == chord.end and chord.end in self.piece.breaths \
                and ends not in self._signed:
            self._signed.add(ends)
            SubElement(SubElement(notations, "articulations"), "breath-mark")

    def _pitch(self, note: Element, head: Head) -> str:
        """Add the pitch, or the line of a drum; return its special note head."""
        if self.drums:
            step, octave, notehead = drum_line(head.pitch)
            unpitched = SubElement(note, "unpitched")
            SubElement(unpitched, "display-step").text = step
            SubElement(unpitched, "display-octave").text = str(octave)
            return notehead
        letter, sign, octave_text = name_parts(self.piece.names[self.place][head.index])
        pitch = SubElement(note, "pitch")
        SubElement(pitch, "step").text = letter
        if sign:
            SubElement(pitch, "alter").text = str(sign)
        SubElement(pitch, "octave").text = octave_text
        return ""

    def _shape(self, note: Element, value: Value, home: Home, sign: int | None = None) -> None:
        """Add voice, type, dots, accidental and tuplet."""
        SubElement(note, "voice").text = str(home[0])
        SubElement(note, "type").text = value.type
        for _ in range(value.dots):
            SubElement(note, "dot")
        if sign is not None and not self.drums:
            SubElement(note, "accidental").text = _ACCIDENTAL_NAMES[sign]
        if value.tuplet:
            change = SubElement(note, "time-modification")
            for name, content in zip(("actual-notes", "normal-notes", "normal-type"), value.tuplet, strict=True):
                SubElement(change, name).text = str(content)

    def _rest(self, measure: Element, value: Value, home: Home) -> None:
        note = SubElement(measure, "note", {"print-object": "no"} if home[2] else {})
        SubElement(note, "rest")
        SubElement(note, "duration").text = self.piece.duration(value.end - value.start)
        self._shape(note, value, home)
        if self.two:
            SubElement(note, "staff").text = str(home[1])
        notations = Element("notations")
        _tuplet(notations, value, beamed=False)
        if len(notations):
            note.append(notations)

    def _bar_rest(self, measure: Element, length: Fraction, home: Home) -> None:
        note = SubElement(measure, "note")
        SubElement(note, "rest", measure="yes")
        SubElement(note, "duration").text = self.piece.duration(length)
        SubElement(note, "voice").text = str(home[0])
        if self.two:
            SubElement(note, "staff").text = str(home[1])


def _tuplet(notations: Element, value: Value, *, beamed: bool) -> None:
    for kind, here in (("start", value.tuplet_start), ("stop", value.tuplet_end)):
        if here:
            extra = {"bracket": "no" if beamed else "yes"} if kind == "start" else {}
            SubElement(notations, "tuplet", {"type": kind, "number": "1", **extra})
