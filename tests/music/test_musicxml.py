"""MusicXML that we write: what is in it, that others open it without repair, and that it comes back as it was."""

from __future__ import annotations

import os
import random
import re
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from componium.music.formats import read_score, write_score
from componium.music.item import hash_of_score
from componium.music.lines import score_of
from componium.music.musicxml import musicxml_bytes, musicxml_document
from componium.music.musicxml_elements import LENGTHS
from componium.music.musicxml_reader import read_document
from componium.music.score import (
    END,
    FERMATA,
    PHRASE_END,
    Note,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
    key_signature,
    new_score,
    set_pickup,
)


def content(score: Score) -> list[object]:
    """Return everything that a round trip has to keep."""
    return [[(t.name, t.is_drum, t.program, sorted((round(n.time * 960), round(n.duration * 960), n.pitch, n.velocity)
                                                   for n in t.notes)) for t in score.tracks],
            [(round(s.time, 3), s.numerator, s.denominator) for s in score.time_signatures],
            [(round(s.time, 3), s.key, s.tonality) for s in score.key_signatures],
            sorted((round(m.time, 3), m.text) for m in score.markers),
            [(round(t.time, 3), round(t.qpm, 3)) for t in score.tempos]]


def again(score: Score) -> Score:
    return score_of(read_document(ElementTree.fromstring(musicxml_bytes(score))))


def track(score: Score, name: str, notes: list[tuple[float, float, int]], program: int = 0, *, drums: bool = False,
          velocity: int = 80) -> None:
    made = Track(name, program, drums)
    for time, length, pitch in notes:
        made.notes.append(Note(time, length, pitch, velocity))
    score.tracks.append(made)


def piano() -> Score:
    """Return a piece for a keyboard with a pickup, chords, syncopations, triplets and two voices in a hand."""
    score = set_pickup(new_score(tempo_bpm=72.5, numerator=3, key="G minor"), 1.0)
    notes = [(1 + 3 * b, 3.0, p) for b in range(4) for p in (43, 50, 55)]
    notes += [(1 + 3 * b, 2.5, 82) for b in range(2)]
    notes += [(1 + 3 * b + k / 3, 1 / 3, 70 + k) for b in range(4) for k in range(9)] + [(0.0, 1.0, 74)]
    track(score, "Piano", notes, 0, velocity=65)
    return score


def everything() -> Score:
    """Return a score with all that MusicXML has to hold."""
    score = piano()
    track(score, "Drums", [(b / 2, 0.1 + 0.4 * (b % 2), p) for b in range(26) for p in (36, 42)], 8, drums=True)
    track(score, "", [(1.5, 4.25, 66), (6.2, 0.2, 61), (6.4, 0.6, 63)], 40, velocity=1)
    track(score, "Ünïsön & <Co>", [(1.0, 4.0, 60), (2.0, 1.0, 60), (2.0, 1.0, 60)], 127, velocity=127)
    track(score, "Empty", [])
    score.time_signatures.append(TimeSignature(7.0, 3, 4))
    score.time_signatures.append(TimeSignature(10.0, 5, 8))
    score.key_signatures.append(key_signature("E major", 8.5))
    score.tempos.append(Tempo(4.25, qpm=71.0))
    score.tempos.append(Tempo(7.0, qpm=140.0))
    for time, text in ((1.0, FERMATA), (4.0, PHRASE_END), (5.25, "dolce & è 合"), (5.25, FERMATA), (12.5, END)):
        score.markers.append(TextMeta(time, text))
    return score


def test_everything_comes_back() -> None:
    assert content(again(everything())) == content(everything())
    assert hash_of_score(again(everything())) == hash_of_score(everything())


@pytest.mark.parametrize("score", [
    new_score(), Score(480), new_score(numerator=7, denominator=16), set_pickup(new_score(key="Cb major"), 0.5)])
def test_scores_without_notes_come_back(score: Score) -> None:
    assert content(again(score)) == content(score)


def test_one_note_and_no_meter_no_tempo_no_key_stay_so() -> None:
    score = Score(480)
    track(score, "One", [(0.0, 0.25, 127)])
    assert content(again(score)) == content(score)


def test_unisons_of_several_voices_keep_their_ties_apart() -> None:
    rng = random.Random(5)
    score = new_score()
    track(score, "Piano", [(rng.randrange(128) / 4, rng.randrange(1, 24) / 4, rng.randrange(55, 66))
                           for _ in range(400)])
    assert content(again(score)) == content(score)


def test_the_bytes_are_the_same_twice_and_hold_no_date() -> None:
    data = musicxml_bytes(everything(), title="A title", compressed=True)
    assert data == musicxml_bytes(everything(), title="A title", compressed=True)
    assert b"encoding-date" not in musicxml_bytes(everything())


def test_a_keyboard_part_has_two_staves_and_comes_back_as_one_track() -> None:
    root = ElementTree.fromstring(musicxml_bytes(piano()))
    assert root.findtext(".//staves") == "2"
    assert [(c.get("number"), c.findtext("sign")) for c in root.iter("clef")] == [("1", "G"), ("2", "F")]
    low = [note for note in root.iter("note") if note.findtext("staff") == "2" and note.find("pitch") is not None]
    assert {note.findtext("pitch/octave") for note in low} == {"2", "3"}
    assert len(root.findall(".//chord")) >= 8
    assert len(again(piano()).tracks) == 1


def test_triplets_syncopations_and_ties_are_written_for_readers() -> None:
    score = new_score(key="C major")
    track(score, "Flute", [(k / 3, 1 / 3, 72 + k) for k in range(3)] + [(1.5, 1.0, 76), (2.5, 2.5, 77)], 73)
    notes = list(ElementTree.fromstring(musicxml_bytes(score)).iter("note"))
    shown = [(n.findtext("type"), len(n.findall("dot")), n.findtext("time-modification/actual-notes"),
              "".join(str(t.get("type"))[:3] for t in n.findall("tie"))) for n in notes if n.find("rest") is None]
    assert shown == [("eighth", 0, "3", "")] * 3 + [("eighth", 0, None, "sta"), ("eighth", 0, None, "sto"),
                                                    ("quarter", 1, None, "sta"), ("quarter", 0, None, "sto")]
    assert [t.get("type") for n in notes for t in n.iter("tuplet")] == ["start", "stop"]


def test_a_bookmark_has_no_position_zero_which_the_schema_forbids() -> None:
    marks = list(ElementTree.fromstring(musicxml_bytes(everything())).iter("bookmark"))
    assert {mark.get("name") for mark in marks} >= {FERMATA, PHRASE_END, END}
    assert None in {mark.get("position") for mark in marks}
    assert all(int(mark.get("position", "1")) > 0 for mark in marks)


def test_accidentals_are_printed_where_a_reader_needs_them() -> None:
    score = new_score(key="G minor")
    track(score, "Viola", [(0, 1, 66), (1, 1, 66), (2, 1, 65), (3, 1, 67), (4, 1, 66), (5, 1, 67), (6, 2, 70)])
    notes = ElementTree.fromstring(musicxml_bytes(score)).iter("note")
    assert [n.findtext("accidental") for n in notes] == ["sharp", None, "natural", None, "sharp", None, None]


def test_drums_stand_on_lines_and_keep_sound_and_length() -> None:
    score = new_score()
    track(score, "Kit", [(0, 0.25, 36), (0, 3.5, 49), (1, 0.25, 38), (2.5, 0.5, 76)], drums=True)
    root = ElementTree.fromstring(musicxml_bytes(score))
    assert root.findtext(".//clef/sign") == "percussion"
    assert [n.findtext("unpitched/display-step") for n in root.iter("note") if n.find("unpitched") is not None] == \
        ["A", "C", "C", "F"]
    assert [n.findtext("notehead") for n in root.iter("note") if n.find("notehead") is not None] == ["x", "diamond"]
    assert content(again(score)) == content(score)


def test_drums_keep_to_the_beats_of_the_bar_and_their_last_note_its_length() -> None:
    score = set_pickup(new_score(numerator=7, denominator=8), 0.5)
    hits = [(0.5 + 3.5 * bar + at, 0.125, 36) for bar in range(3) for at in (0.0, 2.0, 3.25)]
    track(score, "Kit", hits, drums=True)
    notes = ElementTree.fromstring(musicxml_bytes(score)).iter("note")
    assert [n.findtext("type") for n in notes if n.find("unpitched") is not None] == ["eighth", "eighth", "16th"] * 3
    assert content(again(score)) == content(score)
    jig = new_score(numerator=3, denominator=8)
    track(jig, "Kit", [(0.0, 0.25, 38), (1.125, 0.25, 38)], drums=True)  # the last bar ends within a quarter note
    assert content(again(jig)) == content(jig)


def test_played_music_is_rounded_and_the_hash_is_that_of_what_is_read() -> None:
    score = new_score()
    track(score, "Played", [(0.013, 0.97, 60), (1.021, 0.01, 62), (2.0, 0.25, 64)])
    data, written, _ = musicxml_document(score)
    assert [(n.time, n.duration) for n in written.tracks[0].notes] == [(0, 1), (1, 0.25), (2, 0.25)]
    assert hash_of_score(score_of(read_document(ElementTree.fromstring(data)))) == hash_of_score(written)


def test_the_title_and_names_may_hold_anything() -> None:
    score = new_score()
    track(score, "a\x00b\x1b&<>\"' \U0001d11e", [(0, 1, 60)])
    data = musicxml_bytes(score, title="\x07T & <b>")
    assert ElementTree.fromstring(data).findtext("work/work-title") == "T & <b>"
    assert again(score).tracks[0].name == "ab&<>\"' \U0001d11e"


def wrong_lengths(data: bytes) -> list[str]:
    """Return what does not add up: notes whose type is not their length, voices that do not fill the bar."""
    found = []
    for part in ElementTree.fromstring(data).iterfind("part"):
        divisions = 1
        for measure in part.iterfind("measure"):
            divisions = int(measure.findtext("attributes/divisions") or divisions)
            place, ends = 0, set()
            for element in measure:
                length = int(element.findtext("duration") or 0)
                if element.tag == "backup":
                    ends.add(place)
                    place -= length
                elif element.tag == "forward" or (element.tag == "note" and element.find("chord") is None):
                    place += length
                kind = element.findtext("type")
                if element.tag == "note" and kind:
                    written = LENGTHS[kind] * (2 - Fraction(1, 2 ** len(element.findall("dot"))))
                    written *= Fraction(int(element.findtext("time-modification/normal-notes") or 1),
                                        int(element.findtext("time-modification/actual-notes") or 1))
                    if written != Fraction(length, divisions):
                        found.append(f"bar {measure.get('number')}: {kind} lasts {length}")
            if len(ends | {place}) != 1:
                found.append(f"bar {measure.get('number')}: voices end at {sorted(ends | {place})}")
    return found


def test_lengths_add_up() -> None:
    for score in (everything(), piano(), new_score()):
        assert wrong_lengths(musicxml_bytes(score)) == []


def test_verovio_and_music21_open_it_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    verovio = pytest.importorskip("verovio", reason="the notation extra is not installed")
    music21 = pytest.importorskip("music21", reason="the notation extra is not installed")
    verovio.enableLog(verovio.LOG_WARNING)
    assert verovio.toolkit().loadData(musicxml_bytes(everything()).decode())
    assert capfd.readouterr() == ("", "")
    stream = music21.converter.parseData(musicxml_bytes(piano()).decode(), format="musicxml")
    theirs = sorted((round(float(n.getOffsetInHierarchy(stream)), 3), p.midi)
                    for n in stream.stripTies().recurse().notes for p in n.pitches)
    assert theirs == sorted((round(n.time, 3), n.pitch) for n in piano().tracks[0].notes)
    assert stream.recurse().getElementsByClass("TimeSignature").first().ratioString == "3/4"


def corpus_scores(count: int) -> list[tuple[str, Score]]:
    """Return chorales and tunes of music21: all chorales, then tunes of four collections at random."""
    music21 = pytest.importorskip("music21", reason="the notation extra is not installed")
    from componium.music.abc import parse_abc
    from componium.music.corpus import open_corpus

    chorales = [(item.name, item.content) for item in open_corpus("chorales")]
    found = chorales if count >= 1000 else chorales[::len(chorales) // (count // 2)]
    root = Path(str(music21.__file__)).parent / "corpus"
    files = [path for folder in ("airdsAirs", "ryansMammoth", "oneills1850", "essenFolksong")
             for path in sorted((root / folder).glob("*.abc"))]
    random.Random(1).shuffle(files)
    for path in files:
        tunes = parse_abc(path.read_text("utf-8", "replace"))[:25 if count >= 1000 else 2]
        found += [(f"{path.stem} {number}", tune) for number, tune in enumerate(tunes) if tune.note_num()]
        if len(found) >= count:
            break
    return found[:count]


def problem(score: Score) -> str:
    """Return what a round trip does not keep, or what does not add up; empty where all is well."""
    if wrong_lengths(musicxml_bytes(score)):
        return wrong_lengths(musicxml_bytes(score))[0]
    names = ("notes", "meters", "keys", "markers", "tempos")
    return " ".join(name for name, one, two in zip(names, content(score), content(again(score)), strict=True)
                    if one != two)


def problems(place: int, parts: int) -> list[tuple[str, str]]:
    return [(name, problem(score)) for name, score in corpus_scores(1000)[place::parts]]


def test_a_sample_of_the_corpora_comes_back_as_it_was() -> None:
    scores = corpus_scores(24)
    assert len(scores) == 24
    assert {name: problem(score) for name, score in scores if problem(score)} == {}


@pytest.mark.slow
def test_a_thousand_scores_come_back_as_they_were() -> None:
    with ProcessPoolExecutor(2) as pool:
        found = [each for part in pool.map(problems, range(2), [2, 2]) for each in part]
    wrong = {name: text for name, text in found if text}
    print(f"\nround trip: {len(found) - len(wrong)} of {len(found)} scores are kept whole")
    assert len(found) == 1000 and wrong == {}


@pytest.mark.slow
def test_verovio_opens_a_thousand_scores_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    verovio = pytest.importorskip("verovio", reason="the notation extra is not installed")
    verovio.enableLog(verovio.LOG_WARNING)
    toolkit = verovio.toolkit()
    for name, score in corpus_scores(1000):
        assert toolkit.loadData(musicxml_bytes(score).decode()), name
    assert capfd.readouterr() == ("", "")


HEAD = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"


def note(length: str = "<duration>1</duration>", *, step: str = "C", more: str = "", kind: str = "quarter") -> str:
    return (f"<note><pitch><step>{step}</step><octave>4</octave></pitch>{length}{more}<voice>1</voice>"
            f"<type>{kind}</type></note>")


def read(tmp_path: Path, *measures: str) -> list[tuple[float, float, int]]:
    bars = "".join(f"<measure number='{n}'>{m}</measure>" for n, m in enumerate(measures, 1))
    (tmp_path / "a.xml").write_text("<score-partwise><part-list><score-part id='P1'><part-name>V</part-name>"
                                    f"</score-part></part-list><part id='P1'>{bars}</part></score-partwise>")
    return [(n.time, n.duration, n.pitch) for t in read_score(tmp_path / "a.xml").tracks for n in t.notes]


def test_damaged_files_are_read_as_far_as_they_tell(tmp_path: Path) -> None:
    plain = [(0, 1, 60), (1, 2, 62)]
    long = note("<duration>2</duration>", step="D", kind="half")
    assert read(tmp_path, HEAD + note() + long) == plain
    assert read(tmp_path, note() + long) == plain  # no divisions: the types tell
    assert read(tmp_path, HEAD + note("") + note("", step="D", kind="half")) == plain
    assert read(tmp_path, HEAD + note("<duration>x</duration>") + note("<duration>-1</duration>", step="D",
                                                                       kind="half")) == plain
    assert read(tmp_path, HEAD + note(more="<tie type='start'/>") + long) == plain
    assert read(tmp_path, HEAD + note(more="<tie type='stop'/>") + long) == plain
    far = "<backup><duration>99</duration></backup>"
    assert read(tmp_path, HEAD + note() + far + note(step="E")) == [(0, 1, 60), (0, 1, 64)]
    crowded = read(tmp_path, HEAD + note() * 6, note(step="D") * 4)
    assert [time for time, _, pitch in crowded if pitch == 62] == [6, 7, 8, 9]
    assert read(tmp_path, "<attributes><divisions>0</divisions><key><fifths>x</fifths></key><time><beats>0</beats>"
                          "<beat-type>3</beat-type></time></attributes>" + note("")) == [(0, 1, 60)]
    assert read(tmp_path) == []


def test_rests_that_are_too_many_in_one_part_move_no_other(tmp_path: Path) -> None:
    rest = "<note><rest/><duration>{}</duration><voice>1</voice></note>"
    first = f"<measure>{HEAD}{note() * 4}</measure><measure>{note(step='D') * 4}</measure>"
    second = f"<measure>{HEAD}{rest.format(4) * 2}</measure><measure>{rest.format(4)}</measure>"
    long = f"<measure>{HEAD}{rest.format(5)}</measure><measure>{note(step='D')}</measure>"
    for parts, begins in (((first, second), 4.0), ((second, first), 4.0), ((long, long), 5.0)):
        (tmp_path / "a.xml").write_text("<score-partwise>" + "".join(f"<part id='P'>{part}</part>" for part in parts)
                                        + "</score-partwise>")
        times = [n.time for t in read_score(tmp_path / "a.xml").tracks for n in t.notes if n.pitch == 62]
        assert min(times) == begins, parts


@pytest.mark.parametrize(("measure", "reason"), [
    ("<note><duration>1</duration></note>", "without a pitch in bar 1"),
    (note(step="H"), "bar 1 whose pitch is no pitch"),
    (note().replace("<octave>4", "<octave>99"), "outside 0 to 127"),
    (note("<duration>99999999999</duration>"), "100,000 beats"),
])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, measure: str, reason: str) -> None:
    from componium.music.errors import BadFile

    with pytest.raises(BadFile, match=reason) as caught:
        read(tmp_path, HEAD + measure)
    assert "a.xml" in str(caught.value) and "\n" not in str(caught.value)


def test_timewise_documents_namespaces_and_tempos_are_read(tmp_path: Path) -> None:
    body = HEAD + "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>60" \
        "</per-minute></metronome></direction-type></direction>" + note() * 4
    (tmp_path / "a.xml").write_text("<score-timewise xmlns='http://x'><part-list><score-part id='P1'><part-name>V"
                                    "</part-name></score-part></part-list><measure number='1'><part id='P1'>"
                                    f"{body}</part></measure></score-timewise>")
    score = read_score(tmp_path / "a.xml")
    assert (len(score.tracks[0].notes), round(score.tempos[0].qpm, 3)) == (4, 90)


def test_voices_of_other_programs_stay_apart(tmp_path: Path) -> None:
    write_score(piano(), tmp_path / "a.musicxml")
    text = (tmp_path / "a.musicxml").read_text()
    (tmp_path / "b.musicxml").write_text(re.sub("<software>[^<]*", "<software>Another program", text))
    found = read_score(tmp_path / "b.musicxml").tracks
    assert len(found) > 1 and sum(len(t.notes) for t in found) == len(piano().tracks[0].notes)
    assert os.path.getsize(tmp_path / "a.musicxml") < 100_000
