"""Spelling: the names that musicians give to notes, on cases from theory and on Bach's chorales."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from componium.music.keys import name_fifths
from componium.music.score import Note, Score, Track, key_signature, new_score
from componium.music.spelling import spell_score, spelling

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {0: "", 1: "#", 2: "##", -1: "b", -2: "bb"}


def melody(pitches: list[int], key: str | None = None, beats: float = 1.0) -> Score:
    score = new_score(key=key)
    track = Track("Voice", 0, False)
    for place, pitch in enumerate(pitches):
        track.notes.append(Note(place * beats, beats, pitch, 80))
    score.tracks.append(track)
    return score


def names(pitches: list[int], key: str | None = None) -> str:
    return " ".join(name.rstrip("-0123456789") for name in spell_score(melody(pitches, key))[0])


@pytest.mark.parametrize(("pitches", "key", "expected"), [
    ([60, 62, 64, 65, 67, 69, 71, 72], "C major", "C D E F G A B C"),
    ([67, 69, 70, 72, 74, 75, 78, 79], "G minor", "G A Bb C D Eb F# G"),
    ([57, 59, 60, 62, 64, 65, 68, 69], "A minor", "A B C D E F G# A"),
    ([60, 64, 67, 66, 67, 64, 60], "C major", "C E G F# G E C"),
    ([70, 69, 70, 72, 73, 75, 77, 78, 80, 82], "Bb minor", "Bb A Bb C Db Eb F Gb Ab Bb"),
    ([66, 68, 70, 71, 73, 75, 77, 78], "F# major", "F# G# A# B C# D# E# F#"),
    ([54, 56, 58, 59, 61, 63, 65, 66], "Gb major", "Gb Ab Bb Cb Db Eb F Gb"),
    ([61, 63, 64, 66, 68, 69, 72, 73], "C# minor", "C# D# E F# G# A B# C#"),
    ([60, 61, 62, 63, 64, 65, 66, 67], "C major", "C C# D D# E F F# G"),
    ([67, 66, 65, 64, 63, 62, 60], "C major", "G F# F E Eb D C"),
    ([66, 66, 65, 67, 66, 67, 70], "G minor", "F# F# F G F# G Bb"),
    ([67, 66, 67, 68, 69, 67], "G minor", "G F# G G# A G"),
])
def test_scales_leading_notes_and_chromatic_lines(pitches: list[int], key: str, expected: str) -> None:
    assert names(pitches, key) == expected


def test_without_a_key_signature_the_notes_decide() -> None:
    assert names([68, 70, 72, 73, 75, 77, 79, 80]) == "Ab Bb C Db Eb F G Ab"


def test_a_change_of_signature_holds_from_where_it_stands() -> None:
    score = melody([66, 68, 70, 71, 73, 75, 77, 78] * 2, "F# major")
    score.key_signatures.append(key_signature("Gb major", 8.0))
    found = [name[:-1] for name in spell_score(score)[0]]
    assert found[:8] == ["F#", "G#", "A#", "B", "C#", "D#", "E#", "F#"]
    assert found[8:] == ["Gb", "Ab", "Bb", "Cb", "Db", "Eb", "F", "Gb"]


def test_octaves_are_those_of_the_name() -> None:
    assert spell_score(melody([71, 59, 72], "Gb major"))[0][:2] == ["Cb5", "Cb4"]
    assert spell_score(melody([61, 60, 61], "C# minor"))[0] == ["C#4", "B#3", "C#4"]


def test_one_note_no_note_drums_and_every_pitch() -> None:
    assert spell_score(melody([61])) in ([["C#4"]], [["Db4"]])
    assert spell_score(new_score()) == []
    assert spell_score(melody([])) == [[]]
    drums = melody([36, 38])
    drums.tracks[0].is_drum = True
    assert spell_score(drums) == [["C2", "D2"]]
    score = melody(list(range(128)), "C# major")
    for name, note in zip(spell_score(score)[0], score.tracks[0].notes, strict=True):
        letter, sign = name[0], name[1:].rstrip("-0123456789")
        octave = int(name[1 + len(sign):])
        assert LETTERS[letter] + {v: k for k, v in SIGNS.items()}[sign] + 12 * (octave + 1) == note.pitch


def test_order_and_tracks_of_the_score_are_kept() -> None:
    score = melody([66, 67], "G minor")
    score.tracks[0].notes.append(Note(0.0, 1.0, 51, 80))
    score.tracks.insert(0, Track("Empty", 0, False))
    assert [list(part) for part in spelling(score)] == [[], [6, 1, -3]]


def truth(path: Path) -> dict[tuple[int, int], set[str]]:
    """Return (time in 48ths, MIDI pitch) -> the names in a MusicXML file."""
    data = path.read_bytes()
    if path.suffix == ".mxl":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read(next(n for n in archive.namelist() if n.endswith("xml") and "META" not in n))
    found: dict[tuple[int, int], set[str]] = {}
    for part in ElementTree.fromstring(data).iterfind("part"):
        start, divisions = 0.0, 1
        for measure in part.iterfind("measure"):
            now = last = reach = start
            for element in measure:
                if element.tag == "attributes":
                    divisions = int(element.findtext("divisions") or divisions)
                length = float(element.findtext("duration") or 0) / divisions
                if element.tag == "backup":
                    now -= length
                elif element.tag == "forward":
                    now += length
                elif element.tag == "note" and element.find("grace") is None:
                    begin = last if element.find("chord") is not None else now
                    if element.find("chord") is None:
                        last, now = now, now + length
                    pitch = element.find("pitch")
                    if pitch is not None:
                        step, alter = pitch.findtext("step") or "", int(float(pitch.findtext("alter") or 0))
                        midi = LETTERS[step] + alter + 12 * (int(pitch.findtext("octave") or 0) + 1)
                        found.setdefault((round(begin * 48), midi), set()).add(step + SIGNS[alter])
                reach = max(reach, now)
            start = reach
    return found


def agreement(step: int) -> tuple[int, int]:
    """Return (notes, notes spelled as in the file) of every ``step``-th of the built-in chorales."""
    from componium.music.chorales import chorale_files
    from componium.music.corpus import open_corpus

    files, notes, same = dict(chorale_files()[0]), 0, 0
    for item in list(open_corpus("chorales"))[::step]:
        stated = truth(files[item.name])
        for track, found in zip(item.content.tracks, spelling(item.content), strict=True):
            for note, place in zip(track.notes, found, strict=True):
                notes += 1
                same += int(place) in {name_fifths(n) for n in stated.get((round(note.time * 48), note.pitch), ())}
    return notes, same


def test_some_chorales_are_spelled_as_in_the_edition() -> None:
    pytest.importorskip("music21", reason="the notation extra is not installed")
    notes, same = agreement(12)
    assert notes > 5000 and same / notes >= 0.995


@pytest.mark.slow
def test_all_chorales_are_spelled_as_in_the_edition() -> None:
    pytest.importorskip("music21", reason="the notation extra is not installed")
    notes, same = agreement(1)
    print(f"\nspelling: {same} of {notes} notes as in the edition, {100 * same / notes:.2f} %")
    assert notes > 79_000 and same / notes >= 0.999


@pytest.mark.parametrize("seed", range(4))
def test_music_in_no_key_has_no_double_sharps_and_flats(seed: int) -> None:
    score = new_score()
    track = Track("Row", 0, False)
    for place, pitch in enumerate(np.random.default_rng(seed).integers(48, 72, 400)):
        track.notes.append(Note(place / 2, 0.5, int(pitch), 80))
    score.tracks.append(track)
    assert not [name for name in spell_score(score)[0] if "##" in name or "bb" in name]


def test_it_is_fast() -> None:
    score = melody([60 + place * 7 % 24 for place in range(20_000)], "C major", 0.25)
    begun = time.perf_counter()
    spelling(score)
    assert time.perf_counter() - begun < 2.0  # about 0.06 s
