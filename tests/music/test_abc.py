"""ABC: what is read, what is refused, and that what is written is read again."""

from __future__ import annotations

import pytest

from componium.music.abc import parse_abc
from componium.music.abc_book import read_book, tunes_of
from componium.music.abc_text import abc_text
from componium.music.corpus import open_corpus
from componium.music.errors import BadFile, BadInput
from componium.music.formats import read_abc, read_score, write_score
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    Note,
    Score,
    TextMeta,
    Track,
    key_signature_of,
    meter,
    new_score,
    pickup_beats,
    set_pickup,
    tempo_bpm,
)

HEAD = "X:1\nT:Tune\nM:4/4\nL:1/8\nK:C\n"


def heard(text: str) -> list[tuple[float, float, int]]:
    return [(round(n.time, 3), round(n.duration, 3), n.pitch) for t in parse_abc(text)[0].tracks for n in t.notes]


def pitches(text: str) -> list[int]:
    return [pitch for _, _, pitch in heard(text)]


@pytest.mark.parametrize(("music", "expected"), [
    ("C2 c c' C,|", [(0, 1, 60), (1, .5, 72), (1.5, .5, 84), (2, .5, 48)]),
    ("A/ A/2 A// A3/2|", [(0, .25, 69), (.25, .25, 69), (.5, .125, 69), (.625, .75, 69)]),
    ("A>B A<B|", [(0, .75, 69), (.75, .25, 71), (1, .25, 69), (1.25, .75, 71)]),
    ("(3ABc d2|", [(0, .333, 69), (.333, .333, 71), (.667, .333, 72), (1, 1, 74)]),
    ("[CEG]2 z2 [Ce]-|[Ce]|", [(0, 1, 60), (0, 1, 64), (0, 1, 67), (2, 1, 60), (2, 1, 76)]),
    ("c4-|c4 c|", [(0, 4, 72), (4, .5, 72)]),
    ("{g}c \"Am\"d !trill!.e ~f|", [(0, .5, 72), (.5, .5, 74), (1, .5, 76), (1.5, .5, 77)]),
    ("Z2|c|", [(8, .5, 72)]),
    ("c4 [L:1/4] c|", [(0, 2, 72), (2, 1, 72)]),
])
def test_lengths_and_pitches(music, expected):
    assert heard(HEAD + music) == expected


def test_accidentals_hold_for_the_bar_and_the_key_is_kept():
    assert pitches(HEAD + "^F F f =F|F _B ^^C __D|") == [66, 66, 77, 65, 65, 70, 62, 60]
    assert pitches("X:1\nK:Ddor\nFB|[K:D]FC|\n") == [65, 71, 66, 61]
    assert pitches("X:1\nK:Eb\nEAB|\n") == [63, 68, 70]


def test_repeats_and_endings_are_played_out():
    assert pitches(HEAD + "|:C D:|E|") == [60, 62, 60, 62, 64]
    assert pitches(HEAD + "C|1 D:|2 E||F|") == [60, 62, 60, 64, 65]
    assert pitches(HEAD + "|:C|[1 D:|[2 E:|:F:|") == [60, 62, 60, 64, 65, 65]
    assert pitches(HEAD + "C::D::E|") == [60, 60, 62, 62, 64]


def test_header_pickup_fermata_and_voices():
    tune = "X:1\nT:Two\nM:3/4\nL:1/4\nQ:1/4=96\nK:Gm\nV:1 name=\"Top\"\nD|!fermata!G2A|HB3|\nV:2\nD,|G,3|G,3|\n"
    score = parse_abc(tune)[0]
    assert (tempo_bpm(score), meter(score), pickup_beats(score)) == (96, (3, 4), 1.0)
    assert str(key_signature_of(score)) == "G minor"
    assert [(m.time, m.text) for m in score.markers] == [(1.0, FERMATA), (4.0, FERMATA)]
    assert [(t.name, len(t.notes)) for t in score.tracks] == [("Top", 4), ("Voice 2", 3)]
    assert tempo_bpm(parse_abc("X:1\nM:6/8\nQ:3/8=60\nK:C\nc\n")[0]) == 90


def test_several_tunes_a_file(tmp_path):
    (tmp_path / "tunes.abc").write_bytes("% a book\nX:1\nT:Één\nK:C\nC|\n\nX:2\nK:D\nF|\n".encode("latin-1"))
    assert [s.tracks[0].notes[0].pitch for s in read_abc(tmp_path / "tunes.abc")] == [60, 66]
    assert read_score(tmp_path / "tunes.abc").tracks[0].name == "Één"


@pytest.mark.parametrize(("text", "reason"), [
    ("no tune", "X:1"), ("X:1\nT:only\n", "K:"), (HEAD + "C & E|", "line 6: column 3"), (HEAD + "[CE", "chord"),
    (HEAD + "C,,,,,,,|", "range"), ("X:1\nM:nonsense\nK:C\nC|\n", "meter"), ("X:1\nL:0\nK:C\nC|", "length")])
def test_what_cannot_be_read_is_refused_with_its_line(text, reason, tmp_path):
    with pytest.raises(BadInput, match=reason):
        parse_abc(text)
    (tmp_path / "bad.abc").write_text(text)
    with pytest.raises(BadFile, match=r"bad\.abc.*" + reason):
        read_score(tmp_path / "bad.abc")


def test_what_is_written_is_read_again(tmp_path):
    score = set_pickup(new_score(tempo_bpm=84, numerator=3, key="C minor"), 1.0)
    for name, base in (("High", 72), ("Low \"8\"", 48)):
        track = Track(name, 0, False)
        for k in range(12):
            track.notes.append(Note(k, 1, base + (0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 1)[k], 80))
        for k in range(6):
            track.notes.append(Note(13 + k / 3, 1 / 3, base + k, 80))
        track.notes.append(Note(15, 4, base, 80))  # across a bar line
        score.tracks.append(track)
    score.markers.append(TextMeta(3.0, FERMATA))
    write_score(score, tmp_path / "out.abc")
    again = read_score(tmp_path / "out.abc")

    def notes(of: Score) -> list[list[tuple[int, int, int]]]:
        return [[(round(n.time * 12), round(n.duration * 12), n.pitch) for n in t.notes] for t in of.tracks]

    assert notes(again) == notes(score)
    assert (tempo_bpm(again), meter(again), pickup_beats(again)) == (84, (3, 4), 1.0)
    assert str(key_signature_of(again)) == "C minor"
    assert [(m.time, m.text) for m in again.markers] == [(3.0, FERMATA)]
    assert [t.name for t in again.tracks] == ["High", "Low '8'"]


def test_chords_are_written_as_voices_and_no_note_is_lost():
    score = new_score()
    track = Track("Piano", 0, False)
    for time, duration, pitch in ((0, 1, 60), (0, 1, 64), (1, 2, 62), (2, 1, 65)):
        track.notes.append(Note(time, duration, pitch, 80))
    score.tracks.append(track)
    found = sorted((n.time, n.duration, n.pitch) for t in parse_abc(abc_text(score))[0].tracks for n in t.notes)
    assert found == [(0, 1, 60), (0, 1, 64), (1, 2, 62), (2, 1, 65)]
    assert parse_abc(abc_text(new_score()))[0].note_num() == 0


@pytest.mark.parametrize("music", ["C99999999999", "C" + "9" * 5000, "C99999", "(3:99999:3CCC"])
def test_a_length_beyond_music_is_refused_before_it_fills_the_memory(music):
    with pytest.raises(BadInput, match="line 3: a n"):
        parse_abc(f"X:1\nK:C\n{music}\n")


def test_a_tune_without_meter_has_none():
    score = parse_abc("X:1\nM:none\nL:1/4\nK:C\nCDE|FG|A|c4 d e|\n")[0]
    assert (len(score.time_signatures), pickup_beats(score), meter(score)) == (0, 0.0, (4, 4))
    assert len(score.tracks[0].notes) == 9


def test_a_fermata_stands_inside_a_chord():
    score = parse_abc(HEAD + "[HC6HA6] [!fermata!CE]2 [CE]|")[0]
    assert [(m.time, m.text) for m in score.markers] == [(0.0, FERMATA), (3.0, FERMATA)]


def test_lines_are_phrases_where_that_is_asked():
    text = "X:1\nM:3/4\nL:1/4\nK:G\nG|A2B|c2\nc|d3|\nz G2|G3|\n"
    tune = tunes_of(text, lines_are_phrases=True)[0]
    assert tune.score is not None and tune.music == ("G|A2B|c2", "c|d3|", "z G2|G3|")
    assert [m.time for m in tune.score.markers if m.text == PHRASE_END] == [6.0, 10.0, 16.0]
    assert pickup_beats(tune.score) == 1.0
    plain = tunes_of(text)[0].score
    assert plain is not None and not len(plain.markers)


def test_one_bad_tune_does_not_cost_the_book(tmp_path):
    path = tmp_path / "book.abc"
    path.write_text("X:1\nT:Good\nT:Also good\nZ:me\nK:C\nCDEF|\n\nX:2\nT:Bad\nK:C\nC & D|\n\nX:3\nK:C\nz4|\n\n"
                    "X:4\nK:C\nGFED|\n")
    good, bad, empty, last = read_book(path)
    assert (good.number, good.title, good.fields["T"], good.line) == ("1", "Good", ("Good", "Also good"), 1)
    assert bad.score is None and bad.reason == "line 11: column 3: '&' cannot be read"
    assert empty.score is not None and last.title == ""
    assert read_score(path).tracks[0].notes[0].pitch == 60
    corpus = open_corpus(path)
    assert [item.name for item in corpus] == ["book.abc#0", "book.abc#3"]
    assert {s.name: s.reason for s in corpus.skipped} == {"book.abc#1": bad.reason, "book.abc#2": "holds no notes"}
    path.write_text("X:1\nK:C\nC & D|\n\nX:2\nK:C\n[C|\n")
    with pytest.raises(BadInput, match=r"#0.*column 3.*#1.*chord"):
        open_corpus(path)
    path.write_text("no tune at all")
    with pytest.raises(BadFile, match="no tune begins"):
        read_book(path)


def test_a_line_that_begins_like_a_field_but_is_music_begins_no_tune() -> None:
    from componium.music.abc_book import tunes_of

    with pytest.raises(BadInput, match="no tune begins"):
        tunes_of("X:|\nK:C\nCDE|\n")
    assert [tune.number for tune in tunes_of("X:1\nK:C\nCDE|\nX::1\nX:2\nK:C\nC|\n")] == ["1", "2"]
