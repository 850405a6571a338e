"""MusicXML and kern through music21, with real chorales."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from componium.music.errors import BadFile, MissingExtra
from componium.music.formats import read_score, write_score
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    Note,
    Score,
    TextMeta,
    TimeSignature,
    Track,
    bars,
    key_signature_of,
    meter,
    new_score,
    note_count,
    pickup_beats,
    set_pickup,
    tempo_bpm,
)

music21 = pytest.importorskip("music21", reason="the notation extra is not installed")

from componium.music import notation  # noqa: E402
from componium.music.notation import score_from_music21  # noqa: E402


def content(score: Score) -> list[object]:
    return [[(t.name, t.is_drum, [(round(n.time * 48), round(n.duration * 48), n.pitch) for n in t.notes])
             for t in score.tracks],
            [(s.time, s.numerator, s.denominator) for s in score.time_signatures],
            [(s.time, s.key, s.tonality) for s in score.key_signatures],
            [(m.time, m.text) for m in score.markers], [round(t.qpm) for t in score.tempos]]


def corpus_path(name: str) -> Path:
    return Path(str(music21.corpus.getWork(name)))


def test_a_real_chorale_is_read_whole():
    score = read_score(corpus_path("bwv66.6.mxl"))
    assert [t.name for t in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert (note_count(score), meter(score), pickup_beats(score), tempo_bpm(score)) == (163, (4, 4), 1.0, 96)
    assert str(key_signature_of(score)) == "F# minor"
    stream = music21.corpus.parse("bwv66.6")
    soprano = [n for n in stream.parts[0].recurse().notes if n.expressions]
    assert [m.time for m in score.markers if m.text == FERMATA] == \
        [float(n.getOffsetInHierarchy(stream)) for n in soprano]
    assert len(soprano) == 6
    theirs = sorted((float(n.getOffsetInHierarchy(stream)), n.pitch.midi) for n in stream.stripTies().recurse().notes)
    assert sorted((n.time, n.pitch) for t in score.tracks for n in t.notes) == theirs


@pytest.mark.parametrize(("name", "extension"), [
    ("bwv66.6.mxl", ".musicxml"), ("bwv66.6.mxl", ".mxl"), ("bwv269.mxl", ".xml"), ("bwv10.7.mxl", ".musicxml"),
    ("bwv281.krn", ".musicxml"), ("palestrina/Agnus.krn", ".musicxml")])
def test_musicxml_round_trip_keeps_real_music(name, extension, tmp_path):
    score = read_score(corpus_path(name))
    for track in score.tracks:
        track.name = track.name or "Unnamed"
    write_score(score, tmp_path / f"out{extension}")
    assert content(read_score(tmp_path / f"out{extension}")) == content(score)


def test_the_conversion_costs_little_beside_the_parser():
    stream = music21.corpus.parse("bwv66.6")
    start = time.perf_counter()
    for _ in range(5):
        score_from_music21(stream)
    assert (time.perf_counter() - start) / 5 < 0.05  # about 0.003 s; the parser takes 0.06 s


def written() -> Score:
    score = set_pickup(new_score(tempo_bpm=72, numerator=3, key="G minor"), 0.5)
    for name, pitch in (("Soprano", 67), ("Drums", 40)):
        track = Track(name, 0, name == "Drums")
        track.notes.append(Note(0, 0.5, pitch, 80))
        track.notes.append(Note(0.5, 2, pitch - 1, 80))
        track.notes.append(Note(2.5, 2.5, pitch, 80))  # across the bar line
        for k in range(3):
            track.notes.append(Note(5 + k / 3, 1 / 3, pitch + k, 80))
        track.notes.append(Note(6.5, 3, pitch, 80))
        score.tracks.append(track)
    score.time_signatures.append(TimeSignature(6.5, 4, 4))
    score.markers.extend([TextMeta(2.5, FERMATA), TextMeta(5.0, PHRASE_END), TextMeta(6.5, FERMATA)])
    return score


def test_everything_that_we_write_is_read_again(tmp_path):
    write_score(written(), tmp_path / "ünï.musicxml")
    assert content(read_score(tmp_path / "ünï.musicxml")) == content(written())


def test_spelling_clefs_and_pickup_are_those_of_a_musician(tmp_path):
    write_score(written(), tmp_path / "out.musicxml")
    text = (tmp_path / "out.musicxml").read_text()
    assert re.search(r"<step>F</step>\s*<alter>1</alter>", text)
    assert "<alter>-1</alter>" not in text.split("<part id")[1]
    assert 'number="0" implicit="yes"' in text
    assert "<fifths>-2</fifths>" in text
    assert "composer" not in text
    assert text.count("<bar-style>light-heavy</bar-style>") == text.count("<score-part ")
    assert '<fermata type="upright"' in text
    assert '<score-part id="P1">' in text
    part = music21.converter.parse(tmp_path / "out.musicxml").parts[0]
    first = part.getElementsByClass("Measure")[0]
    assert (first.paddingLeft, first.clef.sign, first.timeSignature.ratioString) == (2.5, "G", "3/4")


def test_a_track_with_chords_and_voices_loses_no_note(tmp_path):
    score = new_score()
    track = Track("Piano", 0, False)
    for start, duration, pitch in ((0, 1, 60), (0, 1, 64), (1, 2, 62), (2, 1, 65), (3.5, 2, 48)):
        track.notes.append(Note(start, duration, pitch, 80))
    score.tracks.append(track)
    write_score(score, tmp_path / "out.musicxml")
    again = read_score(tmp_path / "out.musicxml")
    assert content(again)[0] == content(score)[0]  # one track, as it was


def test_played_music_is_written_on_16ths_and_empty_music_is_written(tmp_path):
    score = new_score()
    score.tracks.append(Track("Played", 0, False))
    score.tracks[0].notes.append(Note(0.013, 0.97, 60, 80))
    score.tracks[0].notes.append(Note(1.021, 0.01, 62, 80))
    write_score(score, tmp_path / "played.musicxml")
    notes = read_score(tmp_path / "played.musicxml").tracks[0].notes
    assert [(n.time, n.duration) for n in notes] == [(0, 1), (1, 0.25)]
    write_score(new_score(), tmp_path / "empty.musicxml")
    assert note_count(read_score(tmp_path / "empty.musicxml")) == 0


def test_irregular_bars_keep_the_bar_lines_in_place():
    part = music21.stream.Part()
    for number, length in enumerate((4, 3, 4, 4)):
        measure = music21.stream.Measure(number=number + 1)
        if number == 0:
            measure.insert(0, music21.meter.TimeSignature("4/4"))
        measure.append(music21.note.Note("C4", quarterLength=length))
        part.append(measure)
    found = [(b.start_beats, b.end_beats) for b in bars(score_from_music21(part))]
    assert found == [(0, 4), (4, 7), (7, 11), (11, 15)]


def test_transposing_instruments_sound_as_they_sound():
    part = music21.stream.Part([music21.instrument.Clarinet(), music21.note.Note("D4")])
    part.atSoundingPitch = False
    assert score_from_music21(part).tracks[0].notes[0].pitch == 60


MUSICXML = ("<?xml version='1.0'?><score-partwise><part-list><score-part id='P1'><part-name>A</part-name>"
            "</score-part></part-list><part id='P1'><measure number='1'>{}</measure></part></score-partwise>")


@pytest.mark.parametrize(("name", "data", "reason"), [
    ("empty.musicxml", b"", "empty"),
    ("cut.musicxml", MUSICXML.encode()[:120], "not XML"),
    ("text.xml", b"hello", "not XML"),
    ("other.xml", b"<html/>", "not MusicXML"),
    ("bad.mxl", b"PK\x03\x04nonsense", "compressed"),
    ("text.mxl", b"hello", "compressed"),
    ("text.krn", b"hello", "not kern"),
    ("number.musicxml", MUSICXML.format("<note><pitch><step>H</step><octave>x</octave></pitch></note>").encode(),
     "bar 1 whose pitch is no pitch"),
])
def test_a_bad_file_is_refused_with_the_reason(name, data, reason, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadFile, match=reason) as caught:
        read_score(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_small_file_that_unpacks_to_more_than_any_score_is_refused(tmp_path, monkeypatch):
    write_score(written(), tmp_path / "a.mxl")
    assert read_score(tmp_path / "a.mxl").note_num() == written().note_num()
    monkeypatch.setattr(notation, "LONGEST_BYTES", 1000)
    with pytest.raises(BadFile, match="more than any score"):
        read_score(tmp_path / "a.mxl")


def test_reading_prints_nothing(capfd, tmp_path):
    write_score(written(), tmp_path / "out.musicxml")
    read_score(tmp_path / "out.musicxml")
    assert capfd.readouterr() == ("", "")


def test_musicxml_needs_no_extra_and_kern_says_what_to_install(monkeypatch, tmp_path):
    kern = corpus_path("bwv281.krn").read_bytes()
    monkeypatch.setitem(sys.modules, "music21", None)
    write_score(written(), tmp_path / "a.musicxml")
    assert content(read_score(tmp_path / "a.musicxml")) == content(written())
    (tmp_path / "a.krn").write_bytes(kern)
    with pytest.raises(MissingExtra, match=r"componium\[notation\]"):
        read_score(tmp_path / "a.krn")
