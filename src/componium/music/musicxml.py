"""Writing MusicXML 4.0, to be edited in any notation program; nothing but Python is needed.

Bars, pickup, meters, keys, tempo, names, instruments, clefs (two staves for a keyboard), voices, chords, spelling,
ties, tuplets, beams, fermatas, phrase ends (breath marks), drums on their lines. `notation` reads all of it back:
what the signs cannot hold (markers, the loudness of a note, hidden tempo changes) stands in elements and attributes
that notation programs leave alone. The same score gives the same bytes.

Written here rather than by music21, whose writer has no room for ids, hidden marks, what a drum sounds longer than it
is written, and a track on two staves, and writes the date into the file.
"""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

from componium.music.errors import BadInput
from componium.music.item import hash_of_score
from componium.music.musicxml_bars import add_bars
from componium.music.musicxml_elements import NO_TRACK, SOFTWARE
from componium.music.musicxml_piece import Piece, Placed, beats_of, clean, instrument_id, spaces_of
from componium.music.note_values import exact
from componium.music.origin import Origin, version
from componium.music.score import Score, Track, note_arrays, note_ends, quantise, set_notes
from componium.music.spelling import spell_score
from componium.music.staves import Head, staves

_HEADER = (b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
           b'"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n')
_CONTAINER = (b'<?xml version="1.0" encoding="UTF-8"?><container><rootfiles>'
              b'<rootfile full-path="score.musicxml"/></rootfiles></container>')


def musicxml_bytes(score: Score, *, title: str = "", compressed: bool = False,
                   origin: Origin | None = None) -> bytes:
    """Return a score as MusicXML, compressed (.mxl) on request.

    Times within half a tick (at 480 a beat) of a note value are that value. Music with any other times was
    played, not written: it is rounded to 16ths. An origin is written as miscellaneous fields.
    """
    data, written, _ = musicxml_document(score, title)
    if origin is not None:
        data = origin.into(data, ".musicxml", music=hash_of_score(written))
    if not compressed:
        return data
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", data)):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without the time of writing
    return packed.getvalue()


def musicxml_document(score: Score, title: str = "") -> tuple[bytes, Score, list[Placed]]:
    """Return a score as MusicXML, with the score as it was written (on note values), and its note heads."""
    try:
        written, root, placed = _written(score, title)
    except BadInput:  # lengths that no note value holds
        written, root, placed = _written(quantise(score, steps_per_beat=4)[0], title)
    ElementTree.indent(root, " ")
    return _HEADER + ElementTree.tostring(root, encoding="utf-8"), written, placed


def _written(score: Score, title: str) -> tuple[Score, ElementTree.Element, list[Placed]]:
    """Return the score with the times that are written, its document and heads; raises `BadInput` for other times."""
    score = score.copy()
    heads = [_heads(track) for track in score.tracks]
    for track, found in zip(score.tracks, heads, strict=True):
        if found:
            arrays = note_arrays(track)
            arrays["time"] = arrays["time"].astype("f8")
            arrays["duration"] = arrays["duration"].astype("f8")
            for head in found:
                arrays["time"][head.index] = float(head.start)
                arrays["duration"][head.index] = float(head.end - head.start)
            set_notes(track, arrays)
    return score, *_document(score, heads, title)


def _heads(track: Track) -> list[Head]:
    """Return the notes of a track with exact times; raises `BadInput` where one has none."""
    found = []
    arrays = note_arrays(track)
    rows = zip(arrays["time"].tolist(), note_ends(track).tolist(), arrays["pitch"].tolist(),
               arrays["velocity"].tolist(), strict=True)
    for index, (time, end_time, pitch, velocity) in enumerate(rows):
        start, end = exact(time), exact(end_time)
        if start is None or end is None or end <= start:
            raise BadInput(f"a note at beat {time:g} has no note value")
        found.append(Head(index, start, end, pitch, velocity))
    return sorted(found, key=lambda head: (head.start, head.pitch, head.index))


def _document(score: Score, heads: list[list[Head]], title: str) -> tuple[ElementTree.Element, list[Placed]]:
    root = ElementTree.Element("score-partwise", version="4.0")
    if title:
        ElementTree.SubElement(ElementTree.SubElement(root, "work"), "work-title").text = clean(title)
    identification = ElementTree.SubElement(root, "identification")
    encoding = ElementTree.SubElement(identification, "encoding")
    ElementTree.SubElement(encoding, "software").text = f"{SOFTWARE} {version()}"
    listed = ElementTree.SubElement(root, "part-list")
    tracks = list(score.tracks) or [Track()]
    heads = heads or [[]]
    names = spell_score(score) or [[]]
    ids = [f"P{place + 1}" for place in range(len(tracks))] if len(score.tracks) else [NO_TRACK]
    spaces = spaces_of(score)
    layouts = [(staves(track, found, beats_of(spaces)), found) for track, found in zip(tracks, heads, strict=True)]
    piece = Piece.of(score, spaces, layouts, names)
    bracket = len(tracks) > 1
    if bracket:
        group = ElementTree.SubElement(listed, "part-group", type="start", number="1")
        ElementTree.SubElement(group, "group-symbol").text = "bracket"
    for place, (track, part_id) in enumerate(zip(tracks, ids, strict=True)):
        _list_part(listed, track, part_id, place)
    if bracket:
        ElementTree.SubElement(listed, "part-group", type="stop", number="1")
    for place, part_id in enumerate(ids):
        add_bars(ElementTree.SubElement(root, "part", id=part_id), piece, place, part_id)
    return root, piece.placed


def _list_part(listed: ElementTree.Element, track: Track, part_id: str, place: int) -> None:
    """Add the name and the instruments of a part; drums have one instrument for each sound."""
    part = ElementTree.SubElement(listed, "score-part", id=part_id)
    ElementTree.SubElement(part, "part-name").text = clean(track.name)
    channel = 10 if track.is_drum else place % 15 + 1 + (place % 15 >= 9)
    sounds = sorted({note.pitch for note in track.notes}) if track.is_drum else [None]
    names = [(instrument_id(part_id, sound), sound) for sound in sounds or [None]]
    for name, sound in names:
        instrument = ElementTree.SubElement(part, "score-instrument", id=name)
        ElementTree.SubElement(instrument, "instrument-name").text = \
            clean(track.name) if sound is None else f"Sound {sound}"
    for name, sound in names:
        midi = ElementTree.SubElement(part, "midi-instrument", id=name)
        ElementTree.SubElement(midi, "midi-channel").text = str(channel)
        ElementTree.SubElement(midi, "midi-program").text = str(track.program + 1)
        if sound is not None:
            ElementTree.SubElement(midi, "midi-unpitched").text = str(sound + 1)

