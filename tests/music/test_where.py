"""Bars as they are written, and pieces in which only these change."""

from __future__ import annotations

import pytest

from componium.music.errors import BadInput
from componium.music.score import END, FERMATA, Note, Score, TextMeta, Track, new_score, set_pickup
from componium.music.where import Passage, changes_outside, emptied, filled, inside, passages


def piece(bars: int = 12) -> Score:
    """Quarter notes in two voices, a drum, and events of every kind."""
    score = new_score(tempo_bpm=90, key="G major")
    for name, pitch in (("Flute", 72), ("Cello", 48)):
        track = Track(name)
        for beat in range(4 * bars):
            track.notes.append(Note(float(beat), 1.0, pitch + beat % 5, 70 + beat % 7))
        score.tracks.append(track)
    drums = Track("Drums", 0, True)
    drums.notes.append(Note(8.0, 1.0, 36, 90))
    score.tracks.append(drums)
    score.markers.append(TextMeta(8.0, FERMATA))
    return score


def told(places):
    return [(place.first, place.last, place.start_beats, place.end_beats) for place in places]


def notes(track):
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


@pytest.mark.parametrize(("where", "found"), [
    ("3", [(3, 3, 8, 12)]), ("3-4", [(3, 4, 8, 16)]), ("3-4,7", [(3, 4, 8, 16), (7, 7, 24, 28)]),
    ("7, 3 - 4", [(3, 4, 8, 16), (7, 7, 24, 28)]), ("3,4", [(3, 4, 8, 16)]), ("2-4,3-5", [(2, 5, 4, 20)]),
    ("1-12", [(1, 12, 0, 48)]), ("3\u20134", [(3, 4, 8, 16)]),
])
def test_bars_become_passages(where, found):
    assert told(passages(piece(), where)) == found


@pytest.mark.parametrize(("where", "message"), [
    ("", "no bars are named"), ("  ", "no bars are named"), ("4-3", "run backwards: write 3-4"),
    ("13", "there is no bar 13: the piece has 12 bars"), ("3-15", "there is no bar 15"), ("0", "there is no bar 0"),
    ("three", "'three' in 'three' is no bar"), ("3-", "is no bar"), ("-3", "is no bar"), ("3,,4", "'' in '3,,4'"),
    ("1-999999999", "there is no bar 999999999"), ("1" * 400, "is no bar"), ("3.5", "is no bar"),
    ("\u0663", "is no bar"),
])
def test_what_names_no_bars_is_refused(where, message):
    with pytest.raises(BadInput) as caught:
        passages(piece(), where)
    assert message in str(caught.value)


def test_a_pickup_is_bar_0_and_meters_may_change():
    score = set_pickup(piece(3), 1.0)
    assert told(passages(score, "0-1")) == [(0, 1, 0, 5)]
    with pytest.raises(BadInput, match="3 bars and the pickup, bar 0"):
        passages(score, "9")
    with pytest.raises(BadInput, match=r"the piece has 1 bar$"):
        passages(melody((0, 1, 60)), "2")
    with pytest.raises(BadInput, match="no notes"):
        passages(new_score(), "1")


def test_a_passage_holds_its_start_and_not_its_end():
    places = [Passage(3, 4, 8.0, 16.0)]
    assert inside([7.99, 7.9999, 8.0, 15.9, 15.9999, 16.0], places).tolist() == [False, True, True, True, False, False]
    assert str(places[0]) == "3-4" and str(Passage(3, 3, 8.0, 12.0)) == "3"


def test_only_the_notes_of_the_passages_go_and_drums_stay():
    score = piece()
    left = emptied(score, passages(score, "3,5"))
    assert [len(track.notes) for track in left.tracks] == [40, 40, 1]
    assert changes_outside(score, left, passages(score, "3,5")) == []
    assert score.note_num() == 97


def test_new_notes_are_put_into_the_passages_alone():
    score, new = piece(), piece()
    for track in new.tracks:
        for note in track.notes:
            note.pitch += 1
    places = passages(score, "3-4,7")
    made = filled(score, new, places)
    assert changes_outside(score, made, places) == []
    for old, track in zip(score.tracks[:2], made.tracks, strict=False):
        for before, after in zip(notes(old), notes(track), strict=True):
            there = 8 <= before[0] < 16 or 24 <= before[0] < 28
            assert after == (before if not there else (*before[:2], before[2] + 1, before[3]))
    assert notes(made.tracks[2]) == notes(score.tracks[2])
    with pytest.raises(BadInput, match="1 tracks, and the piece 3"):
        filled(score, melody((0, 1, 60)), places)


def melody(*tones):
    score = new_score()
    score.tracks.append(Track("Melody"))
    for start, length, pitch in tones:
        score.tracks[0].notes.append(Note(float(start), float(length), pitch, 80))
    return score


def test_a_note_that_is_held_into_a_passage_stays_whole():
    score = melody((0, 6, 60), (6, 2, 62), (8, 4, 64))
    made = filled(score, melody((4, 1, 70), (5, 2, 71), (7, 1, 72)), passages(score, "2"))
    assert [note[:3] for note in notes(made.tracks[0])] == [(0, 6, 60), (6, 1, 71), (7, 1, 72), (8, 4, 64)]


def test_a_note_that_was_held_out_of_a_passage_may_be_replaced_by_one_that_is():
    score = melody((0, 4, 60), (4, 6, 62), (10, 2, 64))
    places = passages(score, "2")
    made = filled(score, melody((4, 2, 70), (6, 9, 71)), places)
    assert [note[:3] for note in notes(made.tracks[0])] == [(0, 4, 60), (4, 2, 70), (6, 4, 71), (10, 2, 64)]
    assert changes_outside(score, made, places) == []
    score = melody((0, 4, 60), (4, 4, 62), (10, 2, 64))
    assert notes(filled(score, melody((4, 9, 71)), places).tracks[0])[1][:3] == (4, 4, 71), "no longer than the bar"


def changed(name):
    score = piece()
    flute = score.tracks[0]
    if name == "pitch":
        flute.notes[0].pitch += 1
    elif name == "velocity":
        flute.notes[0].velocity += 1
    elif name == "duration":
        flute.notes[0].duration = 0.5
    elif name == "time":
        flute.notes[0].time = 0.25
    elif name == "lost":
        del flute.notes[47]
    elif name == "name":
        flute.name = "Oboe"
    elif name == "program":
        flute.program = 7
    elif name == "tempo":
        score.tempos[0].qpm = 91
    elif name == "key":
        score.key_signatures[0].key = 2
    elif name == "marker":
        score.markers.clear()
    elif name == "new marker":
        score.markers.append(TextMeta(0.0, FERMATA))
    elif name == "track":
        del score.tracks[2]
    elif name == "long":
        flute.notes[11].duration = 2.0
    return score


@pytest.mark.parametrize("name", ["pitch", "velocity", "duration", "time", "lost", "name", "program", "tempo", "key",
                                  "marker", "new marker", "track", "long"])
def test_every_change_outside_is_seen(name):
    assert len(changes_outside(piece(), changed(name), passages(piece(), "3"))) == 1


def test_changes_inside_and_a_marker_at_the_end_are_none():
    score, after = piece(), piece()
    after.tracks[0].notes[9].pitch = 1
    after.tracks[1].notes[10].velocity = 1
    after.markers.append(TextMeta(48.0, END))
    assert changes_outside(score, after, passages(score, "3")) == []
    assert changes_outside(score, after)[0].startswith("Flute: the notes outside differ, the first at beat 9")
