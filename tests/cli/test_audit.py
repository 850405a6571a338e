"""The audit of a corpus: what it finds, the page, and the marks on their way from the page to a model's training."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
import shutil
from urllib.parse import unquote

import numpy as np
import pytest

from componium import checkpoint
from componium.cli import pages
from componium.cli.audit import audited
from componium.cli.audit import page as audit_page
from componium.cli.audit import piece as audit_piece
from componium.cli.audit.audited import examine
from componium.cli.audit.page import mark_for
from componium.interface import silent
from componium.music.audio import Audio
from componium.music.corpus import open_corpus
from componium.music.formats import write_score
from componium.music.item import Item
from componium.music.marks import Mark, read_marks, without_marked, write_marks
from componium.music.provenance import Learned
from componium.music.score import Note, Track, new_score, transpose

BOX = '<input type="checkbox"'


@pytest.fixture
def corpus(folder, chorales):
    """A folder: five pieces, one of them again in another key, and a file that is none."""
    music = folder / "music"
    for item in chorales:
        write_score(item.content, music / f"{item.name}.mid")
    write_score(transpose(chorales[0].content, 1), music / "more" / "again é.mid")
    (music / "broken.mid").write_bytes(b"MThd and no more")
    return music


def wave(path, samples, rate=44100):
    Audio(np.asarray(samples, np.float32), rate).write(path)


def tone(hz=300.0, seconds=0.2):
    return 0.2 * np.sin(2 * np.pi * hz * np.arange(round(44100 * seconds)) / 44100)


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="marking">(.*?)</script>', text, re.S)[1])


def done(result):
    assert result.exit_code == 0, result.output


# What is found

def test_a_transposed_copy_is_found_and_comes_first(corpus):
    found = examine(list(open_corpus(corpus)), silent)
    first = {each.item.name for each in found[:2]}
    assert "more/again é.mid" in first and found[0].twins[0][1] == 1.0 and found[0].family == found[1].family == 0
    assert found[0].sure and found[0].reason().endswith("(100 %)")


def test_the_same_sound_in_another_file_is_a_duplicate_and_a_damaged_one_is_named(folder):
    place = folder / "sounds"
    for number in range(3):
        wave(place / f"{number}.wav", tone(300 + 50 * number))
    wave(place / "copy.flac", tone(300))
    wave(place / "silence.wav", np.zeros(9000))
    wave(place / "silence.flac", np.zeros(9000))
    rng = np.random.default_rng(0)
    wave(place / "damaged.flac", 0.1 * rng.normal(size=44100).clip(-5, 5))
    data = (place / "damaged.flac").read_bytes()
    (place / "damaged.flac").write_bytes(data[:len(data) // 2] + bytes(2000) + data[len(data) // 2 + 2000:])
    found = {each.item.name: each for each in examine(list(open_corpus(place)), silent)}
    assert [(other.name, similarity) for other, similarity in found["0.wav"].twins] == [("copy.flac", 1.0)]
    assert not found["silence.wav"].twins  # one silence is like another
    assert found["damaged.flac"].trouble and found["damaged.flac"].reason().startswith("cannot be read: ")
    assert found["silence.wav"].findings[0].figure.name == "silent_channels"
    assert list(found)[:2] == ["0.wav", "copy.flac"] and list(found)[2] == "damaged.flac"
    assert list(found)[-2:] == ["1.wav", "2.wav"]


def test_groups_that_touch_are_one_and_sure_ones_come_before_outliers():
    items = [Item(str(number), "score", new_score()) for number in range(6)]
    found = [audited.Audited(item) for item in items]
    found[4].trouble = "is damaged"
    order = audited._order(found, [(1, 2, 0.9), (2, 3, 0.3), (0, 5, 0.3), (1, 4, 0.1)])  # 4: another setting of 1
    assert order == [1, 2, 3, 4, 0, 5]
    assert [each.family for each in found] == [1, 0, 0, 0, -1, 1]
    assert [each.sure for each in found] == [False, True, True, True, False, False]


def in_voices(name, *lines):
    score = new_score()
    for number, pitches in enumerate(lines):
        score.tracks.append(Track(f"Voice {number + 1}"))
        for beat, pitch in enumerate(pitches):
            score.tracks[number].notes.append(Note(float(beat), 1.0, int(pitch), 80))
    return Item(name, "score", score)


def test_a_melody_with_other_voices_is_another_setting_and_no_duplicate():
    rng = np.random.default_rng(3)
    tune, bass, other = (rng.integers(low, low + 20, 40) for low in (60, 40, 40))
    items = [in_voices("a", tune, bass), in_voices("b", tune + 2, other), in_voices("c", tune - 1, bass - 1),
             in_voices("tune alone", tune), in_voices("unlike", *rng.integers(50, 70, (2, 40)))]
    found = {each.item.name: each for each in examine(items, silent)}
    likes = {name: {other.name: audited.kind_of(similarity) for other, similarity in each.twins}
             for name, each in found.items()}
    assert likes["a"] == {"b": "another setting", "c": "duplicate", "tune alone": "duplicate"}
    assert likes["b"] == {"a": "another setting", "c": "another setting", "tune alone": "duplicate"}
    assert likes["unlike"] == {}
    assert list(audit_piece._likes(found["a"])) == [
        "Duplicate of c (100 %), tune alone (100 %).", "Another setting of b (0 %)."]
    assert audited.summary(examine(items[:2], silent)) == "2 items: 2 with another setting of the melody"


def test_what_stands_out_is_told_with_its_value():
    score = new_score()
    score.tracks.append(Track("x"))
    for beat in range(6):
        score.tracks[0].notes.append(Note(0.7 * beat, 0.5, 60 + beat, 80))
    score.time_signatures.clear()
    score.tempos.clear()
    found = examine([Item("x", "score", score)], silent)
    assert found[0].why() == "outlier: off grid 0.667" and audited.summary(found) == "1 item: 1 that stands out"
    assert dict(audit_piece._facts(score)) | {"Key by its notes": ""} == {
        "Key by its notes": "", "Meter": "none stated", "Tempo": "none stated, 120 BPM taken"}
    lead = audit_page._lead(audit_page.Audit("x", "x", [audited.Audited(Item("a", "audio", None))], 1), 1)
    assert "All are shown with waveform and sound" in lead


def test_percent_is_rounded_down():
    assert audited.percent(0.3999) == "39 %" and audited.percent(1.0) == "100 %" and audited.percent(0.4) == "40 %"
    assert audited.kind_of(0.3999) == "perhaps a duplicate" and audited.kind_of(0.4) == "duplicate"


# The command and its page

def test_the_page_names_everything(run, corpus, folder):
    result = run("corpus", "audit", "music", "--shown", 2)
    assert result.exit_code == 0, result.output
    page = folder / "audit-music" / "index.html"
    text = page.read_text(encoding="utf-8")
    reason = html.escape(open_corpus(corpus).skipped[0].reason)
    assert "6 items: " in result.stdout and "audit-music/index.html" in result.stdout
    assert text.count('<article class="take"') == 2 and text.count(BOX) == 6 + 2
    assert "broken.mid" in text and reason in text
    assert "componium train markov music --exclude exclude.txt --out my.markov" in text
    assert "2 are shown with score and sound" in text
    assert "again é.mid" in text and "Duplicate of " in text and "folder music" in text and "unknown" in text
    sounds = re.findall(r'data-sound="([^"]+)"', text)
    for sound in sounds:
        assert (page.parent / unquote(sound)).stat().st_size > 1000
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]


def test_no_cards_and_one_item_and_a_single_file(run, corpus, folder):
    done(run("corpus", "audit", "music", "--shown", 0, "--out", "none"))
    text = (folder / "none" / "index.html").read_text(encoding="utf-8")
    assert '<article class="take"' not in text and text.count(BOX) == 6
    assert sorted(path.name for path in (folder / "none").iterdir()) == ["index.html"]
    single = next(corpus.glob("*.mid"))
    for other in [path for path in corpus.rglob("*.mid") if path != single]:
        other.unlink()
    if single.name == "broken.mid":
        pytest.fail("the broken one is no item")
    for source, out in (("music", "one"), (single, "file")):
        result = run("corpus", "audit", source, "--out", out, "--shown", 0)
        assert result.exit_code == 0 and "1 item: none stands out" in result.stdout, result.output


@pytest.mark.parametrize(("words", "told"), [
    (("nowhere",), "no such file or folder"), (("empty",), "no music that can be used"),
    (("music", "--out", "music/page"), "name a place outside"), (("music", "--out", "music/a.html"), "name a place"),
    (("music", "--out", "taken"), "--force"), (("music", "--out", "taken/x.html"), "--force"),
    (("music", "--exclude", "nowhere.txt"), "cannot be read"), (("essen",), "--accept-licence"),
])
def test_what_cannot_be_is_said_before_anything_is_written(run, corpus, folder, words, told):
    (folder / "empty").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "x.html").write_text("mine")
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    result = run("corpus", "audit", *words)
    assert result.exit_code == 1 and told in result.stderr, result.output
    assert before == sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_the_folder_that_is_looked_at_cannot_be_the_one_that_one_stands_in(run, corpus, monkeypatch):
    monkeypatch.chdir(corpus)
    result = run("corpus", "audit", ".")
    assert result.exit_code == 1 and "--out" in result.stderr
    done(run("corpus", "audit", ".", "--out", "../page", "--shown", 0))


def test_a_page_by_name_and_again_over_it(run, corpus, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    done(run("corpus", "audit", "music", "--out", "a.html", "--shown", 3))
    names = sorted(path.name for path in (folder / "a_sounds").iterdir())
    assert len(names) == 3 and 'data-sound="a_sounds/' in (folder / "a.html").read_text(encoding="utf-8")
    (folder / "a_sounds" / "mine.mp3").write_bytes(b"mine")
    assert run("corpus", "audit", "music", "--out", "a.html", "--shown", 1).exit_code == 1
    done(run("corpus", "audit", "music", "--out", "a.html", "--shown", 1, "--force"))
    left = sorted(path.name for path in (folder / "a_sounds").iterdir())
    assert len(left) == 2 and "mine.mp3" in left  # sounds that no page plays any more are gone; others are not ours


def made_up(pieces, *, sounds_to, sounds_at, first, progress, **_more):
    """Stand in for `make_takes` where sound and score are not what counts."""
    takes = []
    for number, piece in enumerate(pieces):
        progress(number / len(pieces), piece.title)
        (sounds_to / f"{piece.name}.mp3").write_bytes(b"sound")
        bare = pages.make_takes([pages.Piece(piece.title)], first=first + number)[0]
        takes.append(dataclasses.replace(bare, piece=piece, sound=f"{sounds_at}{piece.name}.mp3", seconds=1.0))
    return takes


@pytest.mark.parametrize("out", ["page", "page.html"])
def test_ctrl_c_leaves_nothing(run, corpus, folder, monkeypatch, out):
    def stopped(pieces, **more):
        made_up(pieces, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_piece, "make_takes", stopped)
    before = sorted(folder.iterdir())
    result = run("corpus", "audit", "music", "--out", out)
    assert result.exit_code != 0
    assert sorted(folder.iterdir()) == before


def test_names_of_all_kinds_are_shown_and_can_be_marked(run, corpus, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    files = sorted(corpus.glob("*.mid"))
    files = [path for path in files if path.name != "broken.mid"]
    files[0].rename(corpus / "#1 first.mid")
    files[1].rename(corpus / "a <b> & \"c\".mid")
    os.rename(files[2], os.fsencode(corpus) + b"/l\xe4t.mid")
    done(run("corpus", "audit", "music"))
    text = (folder / "audit-music" / "index.html").read_text(encoding="utf-8")
    assert "#1 first.mid" in text and "a &lt;b&gt; &amp; &quot;c&quot;.mid" in text and "l?t.mid" in text
    items = list(open_corpus(corpus))
    for item in items:  # a line that begins with # would be a remark
        write_marks(folder / "one.txt", [mark_for(item)])
        kept, _, unused = without_marked(items, read_marks(folder / "one.txt"))
        assert len(kept) == len(items) - 1 and not unused and item not in kept


def test_a_group_of_duplicates_is_shown_whole_or_not(chorales):
    found = [audited.Audited(item) for item in chorales]
    for number, family in enumerate((0, 0, 1, 1, -1)):
        found[number].family = family
    counts = [audit_page._shown(audit_page.Audit("x", "x", found, shown)) for shown in range(7)]
    assert counts == [0, 1, 2, 2, 4, 5, 5]


def test_a_piece_without_end_is_cut(chorales):
    score = new_score(tempo_bpm=60)
    score.tracks.append(Track("Hanging"))
    score.tracks[0].notes.extend([Note(0, 1, 60, 80), Note(590, 5000, 62, 80), Note(6000, 1, 64, 80)])
    short, cut = audit_piece._music(Item("x", "score", score))
    left = [(note.time, note.duration) for note in short.tracks[0].notes]
    assert cut and left == [(0, 1), (590, 10)]
    assert score.tracks[0].notes[1].duration == 5000  # the piece itself is as it was
    whole, cut = audit_piece._music(chorales[0])
    assert whole is chorales[0].content and not cut


# Marks

def test_marks_that_exist_are_on_the_page(run, corpus, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    items = {item.name: item for item in open_corpus(corpus)}
    first, nested = next(iter(items)), "more/again é.mid"
    marks = [mark_for(items[nested]), Mark(first, "", "too plain"), Mark("gone", "ab", "x")]
    write_marks(corpus / "exclude.txt", marks)
    write_marks(folder / "more.txt", [Mark("elsewhere")])
    assert nested not in {item.name for item in open_corpus(corpus)}
    done(run("corpus", "audit", "music", "--exclude", "more.txt"))
    data = data_of(folder / "audit-music" / "index.html")
    names = [entry[3] for entry in data["items"]]
    marked = {names[int(key)]: why for key, why in data["marked"] if not key.startswith("o")}
    assert len(names) == 6 and marked == {nested: "", first: "too plain"}  # those left out are there to look at
    assert [other[:3] for other in data["others"]] == [["gone", "ab", "x"], ["elsewhere", "", ""]]
    assert "marked to be excluded" not in (folder / "audit-music" / "index.html").read_text(encoding="utf-8")


def test_tunes_of_a_book_that_are_marked_are_shown_again(run, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    book = folder / "books" / "sub" / "tunes.abc"
    book.parent.mkdir(parents=True)
    book.write_text("".join(f"X:{n}\nT:Tune {n}\nM:4/4\nL:1/4\nK:C\n{'CDEF GABc ' * n}|\n\n" for n in (1, 2, 3)))
    items = list(open_corpus(folder / "books"))
    write_marks(folder / "books" / "exclude.txt", [mark_for(items[1])])
    done(run("corpus", "audit", "books"))
    data = data_of(folder / "audit-books" / "index.html")
    assert sorted(entry[3] for entry in data["items"]) == [f"sub/tunes.abc#{n}" for n in range(3)]
    assert [data["items"][int(key)][3] for key, _ in data["marked"]] == ["sub/tunes.abc#1"]


def test_marks_go_from_the_page_to_the_training(run, corpus, folder, browse, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    write_marks(corpus / "exclude.txt", [Mark("gone", "ab12", "not here")])
    done(run("corpus", "audit", "music", "--shown", 4))
    page = folder / "audit-music" / "index.html"
    items = {item.name: item for item in open_corpus(corpus)}
    names = [entry[3] for entry in data_of(page)["items"]]
    with browse(page) as opened:
        opened.locator("td.mark input").nth(5).check()          # in the table, without a card
        card = opened.locator("article .leave").nth(1)
        card.locator("input[type=checkbox]").check()            # in a card, with a reason
        card.locator("input[type=text]").fill("  wrong\tnotes # in bar 3 ")
        opened.locator("td.mark input").nth(2).check()
        opened.locator("td.mark input").nth(2).uncheck()        # changed our mind
        assert opened.locator("article input[type=checkbox]").nth(1).is_checked()
        assert opened.locator("td.mark input").nth(1).is_checked()
        assert opened.locator(".marks .told").text_content() == "3 items marked"
        with opened.expect_download() as download:
            opened.locator(".marks .save").click()
        assert download.value.suggested_filename == "exclude.txt"
        download.value.save_as(folder / "saved.txt")
        assert "not saved yet" not in opened.locator(".marks").inner_text()
        assert not opened.troubles and not [url for url in opened.asked if not url.startswith(("file:", "blob:"))]
    marks = read_marks(folder / "saved.txt")
    assert [(mark.name, mark.reason) for mark in marks if mark.name == "gone"] == [("gone", "not here")]
    told = {mark.name: mark for mark in marks if mark.name != "gone"}
    assert set(told) == {names[1], names[5]} and told[names[1]].reason == "wrong notes # in bar 3"
    assert all(items[name].hash.startswith(mark.hash) and len(mark.hash) == 12 for name, mark in told.items())
    (corpus / "exclude.txt").unlink()
    outside = trained(run, "music", "--exclude", "saved.txt", "--out", "one.markov")
    shutil.copy(folder / "saved.txt", corpus / "exclude.txt")
    inside = trained(run, "music", "--out", "two.markov")
    assert outside == inside == {item.hash for name, item in items.items() if name not in told}


def trained(run, *words):
    """Return the hashes of the pieces that a model learned from."""
    result = run("train", "markov", *words)
    assert result.exit_code == 0, result.output
    return set(Learned.from_json(checkpoint.load(words[-1]).provenance).hashes)


def test_the_page_works_with_keys_the_list_and_the_clipboard(run, corpus, folder, browse, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    done(run("corpus", "audit", "music", "--shown", 2))
    with browse(folder / "audit-music" / "index.html", width=390) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("td.mark input").nth(0).focus()
        page.keyboard.press("Space")
        assert page.locator(".marks").evaluate("element => element.classList.contains('unsaved')")
        page.locator(".marks summary").click()
        page.locator(".marks li input").fill("heard")
        assert page.locator("article .leave input[type=text]").nth(0).input_value() == "heard"
        assert page.locator(".marks pre").text_content().endswith("\t# heard\n")
        page.locator("button[data-only=marked]").click()
        assert page.locator(".overview tbody tr:not([hidden])").count() == 1
        page.locator("button[data-only='']").click()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator(".marks .copy").click()
        page.locator(".marks .said", has_text="copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == page.locator(".marks pre").text_content()
        page.locator(".marks li button").click()
        assert not page.locator("td.mark input").nth(0).is_checked()
        assert page.locator(".marks .told").text_content() == "0 items marked"
        assert not page.troubles


def test_an_empty_list_saved_keeps_everything(run, corpus, folder, browse, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    items = list(open_corpus(corpus))
    write_marks(corpus / "exclude.txt", [mark_for(items[0])])
    done(run("corpus", "audit", "music"))
    with browse(folder / "audit-music" / "index.html") as page:
        page.locator("td.mark input:checked").uncheck()
        with page.expect_download() as download:
            page.locator(".marks .save").click()
        download.value.save_as(corpus / "exclude.txt")
    assert read_marks(corpus / "exclude.txt") == [] and len(open_corpus(corpus)) == len(items)


def test_a_folder_in_which_everything_is_marked_is_shown(run, corpus, folder, monkeypatch):
    monkeypatch.setattr(audit_piece, "make_takes", made_up)
    write_marks(corpus / "exclude.txt", [mark_for(item) for item in open_corpus(corpus)])
    done(run("corpus", "audit", "music"))
    data = data_of(folder / "audit-music" / "index.html")
    assert len(data["items"]) == len(data["marked"]) == 6
