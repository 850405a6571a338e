"""Writing MusicXML, to be edited in any notation program, through music21 (extra ``notation``).

Bars, pickup, meters, keys, tempo, names, clefs, ties across bar lines, fermatas, phrase ends (as breath
marks) and correct spelling; what is written is read again as the same notes by `notation`.
"""

from __future__ import annotations

import bisect
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from componium.music.errors import require
from componium.music.keys import Key, spell
from componium.music.notation import quiet
from componium.music.score import (
    CLOSE_BEATS,
    FERMATA,
    PHRASE_END,
    Bar,
    Score,
    Track,
    bar_beats,
    bars,
    key_signature_of,
    note_arrays,
    note_ends,
    quantise,
)
from componium.music.theory import key_of
from componium.music.voices import is_monophonic, polyphony, split_voices

FINEST_PARTS = 48
"""Times are kept to 1/48 of a beat: 32nds and sextuplets."""
_DEFAULT_COMPOSER = b'<creator type="composer">Music21</creator>'  # what music21 writes where none is known
_CONTAINER = ('<?xml version="1.0" encoding="UTF-8"?><container><rootfiles>'
              '<rootfile full-path="score.musicxml"/></rootfiles></container>')


@dataclass(frozen=True)
class _Event:
    """A note with exact times and the pitches before and after it in its voice."""

    start: Fraction
    end: Fraction
    pitch: int
    velocity: int
    before: int | None
    after: int | None


def musicxml_bytes(score: Score, *, title: str = "", compressed: bool = False) -> bytes:
    """Return a score as MusicXML, compressed (.mxl) on request.

    Played music whose times fit neither 32nds nor sextuplets is rounded to 16ths. Raises `MissingExtra`
    without music21.
    """
    music21 = require("music21", extra="notation", purpose="Writing MusicXML")
    with quiet():
        stream = _stream(music21, _writable(score), title)
        data: bytes = music21.musicxml.m21ToXml.GeneralObjectExporter(stream).parse()
    data = data.replace(_DEFAULT_COMPOSER, b"")
    if not compressed:
        return data
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", _CONTAINER)
        archive.writestr("score.musicxml", data)
    return packed.getvalue()


def _writable(score: Score) -> Score:
    """Return the score, on 16ths if its times fit no finer note values."""
    for track in score.tracks:
        arrays = note_arrays(track)
        for times in (arrays["time"], note_ends(track)):
            on_32nds, on_sextuplets = (abs(times * n - (times * n).round()) < n * CLOSE_BEATS for n in (8, 12))
            if not (on_32nds | on_sextuplets).all():
                return quantise(score, steps_per_beat=4)[0]
    return score


def _stream(music21: Any, score: Score, title: str) -> Any:
    whole = music21.stream.Score()
    whole.metadata = music21.metadata.Metadata(title=title or "Untitled")
    key = key_signature_of(score) or (key_of(score)[0] if score.note_num() else Key.of(0, "major"))
    for place, track in enumerate(list(score.tracks) or [Track()]):
        whole.insert(0, _part(music21, score, track, place, key))
    return whole


def _part(music21: Any, score: Score, track: Track, place: int, key: Key) -> Any:
    part = music21.stream.Part(id=f"part {place + 1}")
    part.partName = track.name or f"Part {place + 1}"
    instrument = music21.instrument.Instrument(part.partName)
    instrument.partId, instrument.instrumentId = f"P{place + 1}", f"I{place + 1}"
    instrument.midiProgram = track.program
    part.insert(0, instrument)
    lines = [_events(line) for line in _lines(track)]
    fermatas = _marked(score, FERMATA)
    breaths = _marked(score, PHRASE_END) if place == 0 else set()
    grid = bars(score) or [Bar(1, 0.0, 4.0, 4, 4)]
    for number, bar in enumerate(grid):
        following = grid[number + 1] if number + 1 < len(grid) else None
        measure = _measure(music21, bar, following, grid[number - 1] if number else None)
        if number == 0:
            measure.insert(0, _clef(music21, track))
        _signs(music21, score, bar, measure, tempo=place == 0)
        for line in lines:
            home = measure if len(lines) == 1 else music21.stream.Voice()
            _fill(music21, line, bar, home, key, fermatas, breaths)
            if home is not measure:
                measure.insert(0, home)
        part.append(measure)
    measure.rightBarline = music21.bar.Barline("final")
    return part


def _measure(music21: Any, bar: Bar, following: Bar | None, before: Bar | None) -> Any:
    measure = music21.stream.Measure(number=bar.index)
    meter = (bar.numerator, bar.denominator)
    if bar.index == 0 and following is not None:  # a pickup is written in the meter of the piece
        meter = (following.numerator, following.denominator)
        measure.showNumber = music21.stream.enums.ShowNumber.NEVER
        measure.paddingLeft = bar_beats(*meter) - (bar.end_beats - bar.start_beats)
    known = (before.numerator, before.denominator) if before is not None and before.index > 0 else None
    if before is None or (known is not None and known != meter):
        measure.insert(0, music21.meter.TimeSignature(f"{meter[0]}/{meter[1]}"))
    return measure


def _clef(music21: Any, track: Track) -> Any:
    if track.is_drum:
        return music21.clef.PercussionClef()
    pitches = note_arrays(track)["pitch"]
    middle = float(pitches.mean()) if len(pitches) else 67.0
    if track.name.strip().lower() == "tenor" and 48 <= middle < 67:
        return music21.clef.Treble8vbClef()
    return music21.clef.TrebleClef() if middle >= 59 else music21.clef.BassClef()


def _signs(music21: Any, score: Score, bar: Bar, measure: Any, *, tempo: bool) -> None:
    """Put the keys, and in the first part the tempos, of a bar into its measure."""
    first, last = bar.start_beats - CLOSE_BEATS, bar.end_beats - CLOSE_BEATS
    for event in score.key_signatures:
        if first <= event.time < last:
            key = Key.from_signature(event.key, "minor" if event.tonality else "major")
            tonic = key.tonic_name.replace("b", "-")
            measure.insert(_fraction(event.time - bar.start_beats), music21.key.Key(tonic, key.mode))
    for change in score.tempos if tempo else []:
        if first <= change.time < last:
            mark = music21.tempo.MetronomeMark(number=round(change.qpm, 2))
            measure.insert(_fraction(change.time - bar.start_beats), mark)


def _lines(track: Track) -> list[Track]:
    """Return the voices of a track, as few as hold its notes; one even if it is empty."""
    if is_monophonic(track):
        return [track]
    alone = Score(480)
    alone.tracks.append(track.copy())
    alone.tracks[0].is_drum = False
    return list(split_voices(alone, polyphony(track.notes)).tracks)


def _events(line: Track) -> list[_Event]:
    """Return the notes of a voice in order, with exact times and their neighbours' pitches."""
    notes = sorted(line.notes, key=lambda note: note.time)
    pitches: list[int | None] = [None, *(note.pitch for note in notes), None]
    return [_Event(_fraction(note.time), _fraction(note.end), note.pitch, note.velocity, pitches[place],
                   pitches[place + 2]) for place, note in enumerate(notes)]


def _fill(music21: Any, events: Sequence[_Event], bar: Bar, home: Any, key: Key, fermatas: set[Fraction],
          breaths: set[Fraction]) -> None:
    """Put the notes and rests of one voice and bar into a measure or a voice of it."""
    origin, end = _fraction(bar.start_beats), _fraction(bar.end_beats)
    place = origin
    first = max(0, bisect.bisect_right(events, origin, key=lambda event: event.start) - 1)
    for event in events[first:bisect.bisect_left(events, end, key=lambda event: event.start)]:
        if event.end <= origin or event.end <= event.start:
            continue
        begin, finish = max(event.start, origin), min(event.end, end)
        _rest(music21, home, place, begin)
        name = spell(event.pitch, key, previous=event.before, next=event.after)
        written = music21.note.Note(_music21_name(name), quarterLength=finish - begin)
        written.volume.velocity = event.velocity
        from_before, goes_on = event.start < begin, event.end > finish
        if from_before or goes_on:
            kind = "continue" if from_before and goes_on else "stop" if from_before else "start"
            written.tie = music21.tie.Tie(kind)
        if not from_before and event.start in fermatas:
            fermata = music21.expressions.Fermata()
            fermata.type = "upright"
            written.expressions.append(fermata)
        if not goes_on and event.end in breaths:
            written.articulations.append(music21.articulations.BreathMark())
        home.insert(begin - origin, written)
        place = finish
    _rest(music21, home, place, end)


def _rest(music21: Any, home: Any, start: Fraction, end: Fraction) -> None:
    if end > start:
        home.append(music21.note.Rest(quarterLength=end - start))


def _marked(score: Score, text: str) -> set[Fraction]:
    return {_fraction(event.time) for event in score.markers if event.text == text}


def _music21_name(name: str) -> str:
    letter, rest = name[0], name[1:]
    return letter + rest.replace("b", "-", 2) if "b" in rest else name


def _fraction(time: float) -> Fraction:
    return Fraction(round(time * FINEST_PARTS), FINEST_PARTS)
