"""Which line of a score is its melody, how that is told, and what becomes of chords and of legato."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from componium.music.errors import BadInput
from componium.music.melody_line import legato, melody_line
from componium.music.score import Note, Score, Track, new_score
from componium.music.voices import is_monophonic

LINE = (60, 62, 64, 65)


def track_of(name: str, pitches: Sequence[int], beats: float = 1.0, *, length: float | None = None,
             drums: bool = False, start: float = 0.0) -> Track:
    track = Track(name, is_drum=drums)
    for place, pitch in enumerate(pitches):
        if pitch:
            track.notes.append(Note(start + place * beats, length or beats, pitch, 80))
    return track


def score_of(*tracks: Track) -> Score:
    score = new_score()
    score.tracks.extend(tracks)
    return score


def pitches_of(track: Track) -> list[int]:
    return [note.pitch for note in track.notes]


def test_one_line_leaves_no_choice() -> None:
    for score in (score_of(track_of("Kazoo", LINE)), score_of(track_of("", ()), track_of("x", LINE)),
                  score_of(track_of("Kit", LINE, drums=True), track_of("", LINE))):
        found = melody_line(score)
        assert pitches_of(found.track) == list(LINE) and found.told == ""
        assert found.place == len(score.tracks) - 1
        assert found.track == score.tracks[found.place]
        found.track.notes.clear()
        assert len(score.tracks[found.place].notes), "it is a copy"


@pytest.mark.parametrize("name", ["Melody", "melodie", "Soprano 1", "Lead guitar", "lead_vocals", "2nd Voice",
                                  "main-melody", "Gesang", "SOLO"])
def test_a_track_that_is_called_a_melody_is_it(name: str) -> None:
    score = score_of(track_of("Violin", [pitch + 24 for pitch in LINE]), track_of(name, LINE))
    found = melody_line(score)
    assert (found.place, found.told) == (1, f"track 2 ({name}), by its name of 2 with notes")


@pytest.mark.parametrize("name", ["Closing", "Misleading", "Neptune"])
def test_only_the_beginnings_of_words_count(name: str) -> None:
    score = score_of(track_of("Violin", [pitch + 24 for pitch in LINE]), track_of(name, LINE))
    assert melody_line(score).told == "track 1 (Violin), the highest of 2 with notes"


def test_of_several_melodies_the_highest_is_taken() -> None:
    score = score_of(track_of("Voice 2", LINE), track_of("Voice 1", [pitch + 5 for pitch in LINE]),
                     track_of("Flute", [pitch + 30 for pitch in LINE]))
    assert melody_line(score).told == "track 2 (Voice 1), the highest of 3 with notes"


def test_a_track_that_hardly_plays_is_no_melody() -> None:
    triangle = track_of("Bells", (96,))
    assert melody_line(score_of(triangle, track_of("", LINE))).told == "track 2, the highest of 2 with notes"
    half = track_of("Bells", (96, 96))
    assert melody_line(score_of(half, track_of("", LINE))).place == 0


def test_chords_count_once_for_how_long_they_sound() -> None:
    """Three notes at once do not play three times as long as the melody above them."""
    chords = track_of("Piano", (0, 0))
    chords.notes.extend([Note(start, 2.0, pitch, 80) for start in (0, 2) for pitch in (40, 44, 47, 52)])
    assert melody_line(score_of(chords, track_of("Flute", LINE))).told == "track 2 (Flute), the highest of 2 with notes"


def test_a_line_can_be_named() -> None:
    score = score_of(track_of("Violin", LINE), track_of("Kit", LINE, drums=True), track_of("Cello ", (40, 41)))
    for wanted in ("3", " cello", "CELLO"):
        assert (melody_line(score, wanted).place, melody_line(score, wanted).told) == (2, "track 3 (Cello)")
    for wrong in ("2", "4", "0", "-1", "viola", "", "1.5"):
        with pytest.raises(BadInput, match=rf"line={wrong}: the tracks with notes are 1 \(Violin\), 3 \(Cello\); give"):
            melody_line(score, wrong)
    twins = score_of(track_of("Violin", LINE), track_of("Violin", LINE))
    with pytest.raises(BadInput, match="a name that only one has"):
        melody_line(twins, "violin")


def test_the_highest_notes_of_all_tracks() -> None:
    score = score_of(track_of("Low", (48, 72, 48, 72)), track_of("High", (60, 60, 60, 60)))
    found = melody_line(score, "top")
    assert pitches_of(found.track) == [60, 72, 60, 72] and is_monophonic(found.track)
    assert (found.place, found.told) == (1, "the highest notes of 2 tracks")
    assert melody_line(score_of(track_of("Low", LINE)), "top").told == ""


def test_of_chords_the_notes_on_top_are_taken() -> None:
    piano = track_of("Piano", LINE)
    piano.notes.extend([Note(place, 1.0, pitch - 4, 60) for place, pitch in enumerate(LINE)])
    piano.program = 5
    alone = melody_line(score_of(piano))
    assert pitches_of(alone.track) == list(LINE) and alone.told == "the highest notes of its chords"
    assert (alone.track.name, alone.track.program) == ("Piano", 5)
    beside = melody_line(score_of(piano, track_of("Bass", (30, 30, 30, 30))))
    assert beside.told == "the highest notes of track 1 (Piano), the highest of 2 with notes"


def test_legato_ends_where_the_next_note_begins() -> None:
    played = track_of("Flute", LINE, length=1.2)
    found = melody_line(score_of(played))
    assert [(note.time, round(note.duration, 5)) for note in found.track.notes] == [(0, 1), (1, 1), (2, 1), (3, 1.2)]
    assert round(played.notes[0].duration, 5) == 1.2, "the score stays"
    assert found.told == ""
    held = track_of("Organ", LINE, length=3.0)
    before = held.copy()
    legato(held)
    assert held == before, "what is held much longer is a second voice"


def test_scores_without_a_melody_are_told() -> None:
    with pytest.raises(BadInput, match="the score has no notes: there is no melody in it"):
        melody_line(score_of(track_of("", ())))
    with pytest.raises(BadInput, match="the score has only drums, and no notes with a pitch: there is no melody in it"):
        melody_line(score_of(track_of("", LINE, drums=True)))
