"""Engraving: the notes on the pages are those of the score, at the time at which they sound."""

from __future__ import annotations

import re
import struct
import sys
import time
from xml.etree import ElementTree

import pytest

from componium.music.errors import BadInput, MissingExtra
from componium.music.score import Note, Score, Tempo, Track, new_score

pytest.importorskip("verovio", reason="the notation extra is not installed")

from componium.music.engraving import engrave, png_of


def score_of(notes: list[tuple[float, float, int]], name: str = "Voice") -> Score:
    score = new_score(key="G major")
    track = Track(name, 0, False)
    for start, length, pitch in notes:
        track.notes.append(Note(start, length, pitch, 80))
    score.tracks.append(track)
    return score


def ids(page: str) -> list[str]:
    return re.findall(r'\bid="([^"]+)"', page)


def test_every_note_is_on_the_page_with_its_time() -> None:
    score = score_of([(0, 1, 67), (1, 1, 66), (1, 1, 62), (2, 3, 67), (5, 0.5, 71)])
    found = engrave(score)
    assert len(found.pages) == 1 and ElementTree.fromstring(found.pages[0]).tag.endswith("svg")
    assert {note.id for note in found.notes} <= set(ids(found.pages[0]))
    assert [(n.start_beats, n.end_beats, n.pitch, n.track, n.page) for n in found.notes] == [
        (0, 1, 67, 0, 0), (1, 2, 62, 0, 0), (1, 2, 66, 0, 0), (2, 4, 67, 0, 0), (4, 5, 67, 0, 0), (5, 5.5, 71, 0, 0)]
    assert [n.id for n in found.notes if n.pitch == 67][1:] == ["p1n4", "p1n4t2"]  # both heads of the tied note


def test_played_music_keeps_the_times_at_which_it_sounds() -> None:
    found = engrave(score_of([(0.02, 0.9, 67), (1.03, 4.1, 66), (5.2, 0.01, 67)]))
    times = [(round(n.start_beats, 2), round(n.end_beats, 2)) for n in found.notes]
    assert times[0] == (0.02, 0.92) and times[1][0] == 1.03 and times[-1] == (5.2, 5.21)
    assert times[2][1] == 5.13 or times[3][1] == 5.13  # the last head of the tied note ends with the sound


def test_the_same_score_gives_the_same_page_and_prefixes_keep_pages_apart() -> None:
    score = score_of([(0, 1, 67), (1, 3, 66)])
    assert engrave(score, prefix="a-") == engrave(score, prefix="a-")
    first, second = (engrave(score, prefix=prefix) for prefix in ("a-", "b-"))
    assert not set(ids(first.pages[0])) & set(ids(second.pages[0]))
    for reference in re.findall(r'href="#([^"]+)"', first.pages[0]):
        assert reference in ids(first.pages[0])
    assert all(note.id.startswith("a-p1n") for note in first.notes)


def test_a_title_is_shown_once_and_escaped() -> None:
    page = engrave(score_of([(0, 4, 67)], "Ünï <b>"), title="Tü & <i>").pages[0]
    assert "Tü &amp; &lt;i&gt;" in page and "Ünï &lt;b&gt;" in page
    assert "Untitled" not in engrave(score_of([(0, 4, 67)])).pages[0]


def test_tempo_marks_need_no_music_font() -> None:
    score = score_of([(0, 4, 67)])
    score.tempos.append(Tempo(2.0, qpm=60))
    page = engrave(score).pages[0]
    assert "♩" in page and "font-face" not in page and "Leipzig" not in page


@pytest.mark.parametrize("score", [Score(480), new_score(), score_of([]), score_of([(0, 0.25, 0)]),
                                   score_of([(0, 64, 127)])])
def test_scores_with_hardly_a_note(score: Score) -> None:
    found = engrave(score)
    assert len(found.pages) == 1 and len({note.pitch for note in found.notes}) == min(1, score.note_num())


def test_a_huge_score_has_several_pages() -> None:
    score = score_of([(beat, 1, 60 + beat * 5 % 20) for beat in range(4000)])  # 1,000 bars
    begun = time.perf_counter()
    found = engrave(score, height_px=4000, crop=True)
    assert time.perf_counter() - begun < 30  # about 2 s
    assert len(found.pages) > 2 and len(found.notes) == 4000
    assert [note.page for note in found.notes] == sorted(note.page for note in found.notes)


def test_drawing_many_pages_tells_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from componium.music import engraving
    from componium.music.picture import engraved_pages

    monkeypatch.setattr(engraving, "PAGE_PX", 200)
    told: list[tuple[float, str]] = []
    pages = engraved_pages(score_of([(beat, 1, 67) for beat in range(60)]), ".svg",
                           progress=lambda done, message: told.append((done, message)))
    assert len(pages) > 1 and [message for _, message in told] == [
        f"page {number} of {len(pages)}" for number in range(1, len(pages) + 1)]
    assert 0.0 <= told[0][0] < told[-1][0] < 1.0


@pytest.mark.parametrize(("arguments", "reason"), [
    ({"width_px": 10}, "width_px=10"), ({"height_px": 1_000_000}, "height_px"), ({"scale_percent": 0}, "scale_percent"),
    ({"prefix": "1 a"}, "prefix")])
def test_sizes_that_cannot_be_engraved_are_refused(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        engrave(score_of([(0, 1, 60)]), **arguments)  # type: ignore[arg-type]


def test_a_page_becomes_a_png_with_its_text() -> None:
    pytest.importorskip("resvg_py", reason="the notation extra is not installed")
    plain, titled = (png_of(engrave(score_of([(0, 4, 67)]), title=title, width_px=400).pages[0])
                     for title in ("", "A long title"))
    assert plain[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", plain[16:20])[0] == 800
    assert struct.unpack(">I", titled[20:24])[0] > struct.unpack(">I", plain[20:24])[0]
    with pytest.raises(BadInput, match="zoom"):
        png_of(engrave(new_score()).pages[0], zoom=0)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    page = engrave(new_score()).pages[0]
    monkeypatch.setitem(sys.modules, "verovio", None)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    for work in (lambda: engrave(new_score()), lambda: png_of(page)):
        with pytest.raises(MissingExtra, match=r"componium\[notation\]"):
            work()
