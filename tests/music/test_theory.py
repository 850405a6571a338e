"""Keys, spelling, scales, chords, Roman numerals and key finding."""

from __future__ import annotations

import pytest

from componium.music.errors import BadInput
from componium.music.keys import MODES, parse_key, pitch_name, signature_after
from componium.music.score import Note, Score, Track, new_score, transpose
from componium.music.theory import (
    CHORDS,
    SCALES,
    Chord,
    Key,
    chord_name,
    key_of,
    more_likely_key,
    parse_pitch,
    roman,
    scale,
    spell,
)


@pytest.mark.parametrize(("text", "name", "sharps"), [
    ("G minor", "G minor", -2), ("g", "G minor", -2), ("Bb", "Bb major", -2), ("F#m", "F# minor", 3),
    ("B-flat major", "Bb major", -2), ("b", "B minor", 2), ("bb", "Bb minor", -5), ("D dorian", "D dorian", 0),
    ("A# major", "Bb major", -2), ("C♯ min", "C# minor", 4), ("E-", "Eb major", -3), ("C", "C major", 0),
    ("Cmaj", "C major", 0)])
def test_keys_are_read_as_people_write_them(text, name, sharps):
    assert (str(Key.parse(text)), Key.parse(text).signature) == (name, sharps)
    assert Key.parse(name) == Key.parse(text)


@pytest.mark.parametrize("text", ["", "H", "C mayor", "Cis dur", "12", "major"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(BadInput, match="not a key"):
        Key.parse(text)


def test_a_setting_takes_major_and_minor_keys_alone():
    assert str(parse_key("g minor")) == "G minor"
    with pytest.raises(BadInput, match="key=D dorian: give a major or minor key"):
        parse_key("D dorian")


def test_every_signature_has_a_key_in_every_mode():
    for mode in MODES:
        for fifths in range(-7, 8):
            key = Key.from_signature(fifths, mode)
            assert key.signature == fifths
            assert Key.parse(str(key)) == key
            assert set(key.scale) == {(5 + 7 * (i + fifths)) % 12 for i in range(7)}


def test_signatures_transpose_with_the_music():
    assert signature_after(0, False, 2) == 2
    assert signature_after(-3, True, -2) == -5
    assert all(signature_after(f, False, 12 - 12) == f for f in range(-7, 8))


@pytest.mark.parametrize(("name", "midi"), [("C4", 60), ("F#4", 66), ("Bb3", 58), ("Cb5", 71), ("B#3", 60),
                                            ("C-1", 0), ("G9", 127), ("Fx4", 67)])
def test_pitches_are_read(name, midi):
    assert parse_pitch(name) == midi


@pytest.mark.parametrize("name", ["", "C", "H4", "G#9", "C99"])
def test_what_is_no_pitch_is_refused(name):
    with pytest.raises(BadInput):
        parse_pitch(name)


@pytest.mark.parametrize(("midi", "key", "context", "name"), [
    (66, "g", {}, "F#4"), (64, "g", {}, "E4"), (63, "g", {}, "Eb4"), (68, "a", {}, "G#4"),
    (66, "C", {"next": 67}, "F#4"), (66, "C", {"next": 65}, "Gb4"), (70, "C", {"next": 69}, "Bb4"),
    (70, "C", {"next": 71}, "A#4"), (63, "C", {}, "Eb4"), (61, "C", {}, "C#4"), (68, "C", {"previous": 69}, "Ab4"),
    (68, "C", {"previous": 67}, "G#4"), (71, "Gb", {}, "Cb5"), (60, "C#", {}, "B#3"), (67, "g#", {}, "F##4"),
    (0, "C", {}, "C-1")])
def test_spelling_follows_key_and_context(midi, key, context, name):
    assert spell(midi, Key.parse(key), **context) == name


def test_a_spelled_pitch_always_sounds_the_same():
    keys = [Key.from_signature(f, m) for f in range(-7, 8) for m in ("major", "minor", "dorian")]
    for key in keys:
        for midi in range(20, 100):
            for context in ({}, {"next": midi + 1}, {"next": midi - 1}, {"previous": midi + 1}):
                assert parse_pitch(spell(midi, key, **context)) == midi
    assert all(parse_pitch(pitch_name(midi)) == midi for midi in range(128))


def test_scales_begin_on_their_tonic():
    assert scale("blues", "Eb") == (3, 6, 8, 9, 10, 1)
    assert scale("minor", 9) == Key.parse("a").scale
    assert all(steps[0] == 0 and list(steps) == sorted(set(steps)) for steps in SCALES.values())
    with pytest.raises(BadInput, match="whole tone"):
        scale("nonsense", 0)


@pytest.mark.parametrize(("text", "written", "classes"), [
    ("C", "C", {0, 4, 7}), ("Am", "Am", {9, 0, 4}), ("Cmaj7", "Cmaj7", {0, 4, 7, 11}),
    ("F#m7b5", "F#m7b5", {6, 9, 0, 4}), ("G/B", "G/B", {7, 11, 2}), ("Bbmin7", "Bbm7", {10, 1, 5, 8}),
    ("C/D", "C/D", {2, 0, 4, 7}), ("C6/9", "C6/9", {0, 4, 7, 9, 2})])
def test_chords_are_read_and_written(text, written, classes):
    chord = Chord.parse(text)
    assert (str(chord), set(chord.pitch_classes)) == (written, classes)
    assert Chord.parse(str(chord)) == chord


@pytest.mark.parametrize("text", ["", "H7", "Cnonsense", "C/H"])
def test_what_is_no_chord_is_refused(text):
    with pytest.raises(BadInput):
        Chord.parse(text)


def test_pitches_are_named_as_chords():
    assert str(chord_name([60, 64, 67])) == "C"
    assert str(chord_name([59, 62, 67])) == "G/B"
    assert str(chord_name([60, 64, 70])) == "C7"  # without its fifth
    assert str(chord_name([57, 61, 64], Key.parse("A"))) == "A"
    assert str(chord_name([56, 60, 63], Key.parse("c#"))) == "G#"
    assert chord_name([60, 61, 62]) is None
    assert chord_name([60, 72]) is None
    assert chord_name([]) is None
    for quality in CHORDS:
        found = chord_name([48 + i for i in CHORDS[quality]])
        assert found is not None
        assert {p % 12 for p in CHORDS[quality]} == set(found.pitch_classes)


@pytest.mark.parametrize(("numeral", "key", "chord"), [
    ("I", "C", "C"), ("ii6", "C", "Dm/F"), ("V7", "g", "D7"), ("V65", "F", "C7/E"), ("V42", "E", "B7/A"),
    ("I64", "C", "C/G"), ("viio7", "a", "G#dim7"), ("viio", "C", "Bdim"), ("iiø65", "c", "Dm7b5/F"),
    ("V/V", "C", "D"), ("V7/V", "Bb", "C7"), ("N6", "d", "Eb/G"), ("bVI", "C", "Ab"), ("VI", "a", "F"),
    ("VII", "a", "G"), ("IV7", "C", "Fmaj7"), ("ii7", "C", "Dm7"), ("i", "f#", "F#m"), ("#ivo7", "C", "F#dim7")])
def test_roman_numerals(numeral, key, chord):
    assert str(roman(numeral, Key.parse(key))) == chord


@pytest.mark.parametrize("numeral", ["", "VIII", "H", "Vnonsense"])
def test_what_is_no_numeral_is_refused(numeral):
    with pytest.raises(BadInput):
        roman(numeral, Key.parse("C"))


def melody(pitches: list[int]) -> Score:
    score = new_score()
    track = Track("m", 0, False)
    for time, pitch in enumerate(pitches):
        track.notes.append(Note(time, 1, pitch, 80))
    score.tracks.append(track)
    return score


def test_the_key_is_found_in_every_transposition():
    major = melody([60, 64, 67, 65, 64, 62, 60, 59, 60, 67, 72, 60])
    minor = melody([69, 71, 72, 76, 68, 69, 64, 65, 64, 69])
    for semitones in range(12):
        assert key_of(transpose(major, semitones))[0] == Key.of(semitones, "major")
        assert key_of(transpose(minor, semitones))[0] == Key.of(9 + semitones, "minor")
    assert 0 < key_of(major)[1] < 1
    assert str(more_likely_key(minor, [Key.parse("C"), Key.parse("a")])) == "A minor"


def test_no_notes_no_key_and_every_pitch_alike_is_undecided():
    with pytest.raises(BadInput, match="no notes"):
        key_of(new_score())
    assert key_of(melody(list(range(60, 72))))[1] == 0.0


def test_a_key_is_heard_by_how_long_notes_last_and_how_clear_it_is_by_no_tempo():
    short, long = (Score(480) for _ in range(2))
    for score, factor in ((short, 1.0), (long, 8.0)):
        track, time = Track("Melody"), 0.0
        for pitch, beats in [(60, 4.0), (64, 4.0), (67, 4.0), *[(61, 0.25), (66, 0.25), (68, 0.25)] * 4]:
            track.notes.append(Note(time, beats * factor, pitch, 80))
            time += beats * factor
        score.tracks.append(track)
    assert str(key_of(short)[0]) == "C major"
    assert key_of(long)[1] == pytest.approx(key_of(short)[1]) and 0.0 < key_of(short)[1] <= 1.0
