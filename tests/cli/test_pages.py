from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest

from componium.cli import pages
from componium.cli.pages import Column, Html, Piece, cards, document, make_takes, overview, section, takes, write_page
from componium.cli.pages.cards import clock
from componium.cli.pages.folder import new_folder
from componium.cli.pages.parts import NOTHING, shown
from componium.cli.pages.roll import pitch_range, roll, voices_of, waveform
from componium.cli.pages.sound import encode
from componium.cli.pages.takes import file_names, packed, unpacked
from componium.music.audio import Audio, silence
from componium.music.errors import BadFile, BadInput, Cancelled, MissingExtra
from componium.music.expression import expression
from componium.music.score import Note, Tempo, Track, concatenate, new_score, seconds_at

NASTY = '<script>alert("x")</script> & "Größe" \'音楽\''


@pytest.fixture
def notation():
    pytest.importorskip("verovio", reason="no engraving without the extra notation")
    pytest.importorskip("music21", reason="no engraving without the extra notation")


@pytest.fixture
def player():
    pytest.importorskip("pretty_midi", reason="no SoundFont without the extra soundfont")


def drawn(take):
    return unpacked(take.drawings)


# Sound and time

def test_a_sound_is_mp3_as_long_as_it_was(sine):
    import soundfile

    sound = encode(sine, comment="made so: {\"größe\": 1}")
    back = Audio(soundfile.read(io.BytesIO(sound.data), dtype="float32", always_2d=True)[0].T, 44100)
    assert (sound.kind, sound.ending, sound.seconds) == ("audio/mpeg", ".mp3", 0.5)
    assert back.channels == 1 and back.seconds == pytest.approx(0.5, abs=0.06)
    assert back.peak_db == pytest.approx(sine.peak_db, abs=1)
    assert soundfile.SoundFile(io.BytesIO(sound.data)).comment == 'made so: {"gr??e": 1}'


def test_sounds_of_any_rate_and_level_are_encoded_and_none_is_refused():
    loud = Audio(3 * np.ones((2, 8000), np.float32), 8000)
    assert encode(loud).seconds == pytest.approx(1.0) and encode(loud, stereo=True).data != encode(loud).data
    assert encode(silence(0.1)).data
    with pytest.raises(BadInput, match="0 samples"):
        encode(silence(0.0))


def test_beats_lie_where_the_tempos_put_them():
    score = new_score(tempo_bpm=60)
    score.tempos.append(Tempo(4.0, qpm=120))
    assert seconds_at(score, [0, 2, 4, 6, 10]).tolist() == pytest.approx([0, 2, 4, 5, 7])
    score.tempos.clear()
    assert seconds_at(score, [4.0])[0] == pytest.approx(2.0)
    assert seconds_at(score, []).shape == (0,)


def test_beats_agree_with_the_notes_that_are_played(chorales):
    played = expression(chorales[0].content, timing_seconds=0.0)
    for track, timed in zip(played.tracks, played.to("second").tracks, strict=True):
        assert seconds_at(played, [n.start for n in track.notes]) == pytest.approx([n.start for n in timed.notes],
                                                                                    abs=2e-3)


# Parts

def test_every_text_is_escaped_and_ids_are_unique(chorales, tmp_path, notation, player):
    pieces = [Piece(NASTY, chorales[n].content, note=NASTY, values={"a": NASTY}, facts=[(NASTY, NASTY)],
                    details={NASTY: [(NASTY, NASTY)]}, links=[(NASTY, NASTY)], instruments=[NASTY]) for n in (0, 1)]
    made = make_takes(pieces, sounds_to=tmp_path)
    whole = document(NASTY, section(NASTY, overview(made, [Column("a", NASTY, NASTY)], label=NASTY), cards(made)),
                     lead=NASTY, takes=made)
    for text in (whole, *(part for take in made for part in drawn(take))):
        assert "alert(" not in text.replace("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;", "")
    ids = re.findall(r'\bid="([^"]+)"', whole + "".join(part for take in made for part in drawn(take)))
    assert len(ids) > 100 and len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', whole + "".join(part for take in made for part in drawn(take))))
    assert targets and targets <= set(ids)


def test_a_page_asks_for_nothing_from_a_network(chorales, notation, player):
    made = make_takes([Piece("one", chorales[0].content)])
    whole = document("t", cards(made), takes=made)
    assert "default-src 'none'" in whole and not re.search(r'(?:src|href)="(?:https?:)?//', whole)
    assert made[0].sound.startswith("data:audio/mpeg;base64,") and made[0].sound in whole
    assert not re.search(r"@import|url\((?!data:)", whole + "".join(drawn(made[0])))


def test_values_are_shown_as_numbers_or_as_nothing():
    assert [shown(v) for v in (None, float("nan"), "", 1, 2.345, "x", float("inf"))] == \
        [NOTHING, NOTHING, NOTHING, "1", "2.35", "x", "inf"]
    made = pages.table(("a", "b"), [("x", 2.5), (Html("<b>y</b>"), None)], sortable=True, caption="<c>")
    assert 'data-v="2.5"' in made and "<b>y</b>" in made and "&lt;c&gt;" in made and made.count("data-v") == 1
    assert [clock(each) for each in (65.9, 10.0, 0.97, 9.99, 0.0)] == ["1:05", "0:10", "0:00.9", "0:09.9", "0:00.0"]


def test_sounds_have_names_of_their_own():
    assert file_names(["a/b", "A b", "a b", "...", "", "音楽"]) == ["a-b", "A-b-2", "a-b-3", "piece", "piece-2", "音楽"]


def test_drawings_are_packed_small_and_alike_each_time():
    text = ["<svg>" + "<rect/>" * 1000, "é"]
    assert unpacked(packed(*text)) == text and len(packed(*text)) < 200 and packed(*text) == packed(*text)


# Takes

def test_a_take_has_score_roll_and_sound_on_one_clock(chorales, tmp_path, notation, player):
    score = chorales[0].content
    take = make_takes([Piece("Größe/音", score, values={"n": 1})], sounds_to=tmp_path / "s", sounds_at="s")[0]
    assert os.listdir(tmp_path / "s") == ["Größe-音.mp3"] and take.sound == "s/Gr%C3%B6%C3%9Fe-%E9%9F%B3.mp3"
    assert Audio.read(tmp_path / "s" / "Größe-音.mp3").seconds == pytest.approx(take.seconds, abs=0.06)
    sheet, notes = drawn(take)
    played = [note for track in expression(score).to("second").tracks for note in track.notes]
    times = [tuple(map(float, pair)) for pair in re.findall(r'data-s="([\d.]+)" data-e="([\d.]+)"', notes)]
    assert sorted(start for start, _ in times) == pytest.approx(sorted(n.start for n in played), abs=2e-3)
    assert sorted(end for _, end in times) == pytest.approx(sorted(n.end for n in played), abs=2e-3)
    heads = [tuple(map(float, pair)) for pair in re.findall(r'data-s="([\d.]+)" data-e="([\d.]+)"', sheet)]
    assert len(heads) >= score.note_num() and max(end for _, end in heads) <= take.seconds + 0.01
    for note in played:  # a note that is tied has more heads than one; the first stands where it begins
        assert min(abs(start - note.start) for start, _ in heads) < 0.03


def test_what_cannot_be_made_is_told_in_the_card(chorales, monkeypatch, notation, player):
    empty, one = new_score(), new_score()
    one.tracks.append(Track("x"))
    one.tracks[0].notes.append(Note(0.0, 1.0, 0, 80))
    monkeypatch.setattr(takes, "MOST_NOTES", 20)
    made = make_takes([Piece("empty", empty), Piece("one", one), Piece("long", chorales[0].content), Piece("nothing")])
    assert "no notes" in made[0].troubles[0] and not made[0].sound and drawn(made[0]) == ["", ""]
    assert made[1].sound and made[1].seconds > 0 and "1 note" in drawn(made[1])[1]
    assert "too many" in made[2].troubles[0] and drawn(made[2])[0] == "" and made[2].sound
    shown_cards = cards(made)
    assert shown_cards.count('class="trouble"') == 2 and shown_cards.count('class="seek"') == 2
    assert document("t", shown_cards, takes=made)


def test_without_soundfont_or_verovio_the_page_says_so(chorales, monkeypatch):
    def missing(*_args, **_more):
        raise MissingExtra("it", "soundfont", "This")

    monkeypatch.setattr("componium.performance.perform", missing)
    monkeypatch.setattr(takes, "sheet", missing)
    made = make_takes([Piece("a", chorales[0].content)])
    assert len(made[0].troubles) == 2 and all("pip install" in text for text in made[0].troubles)
    assert "<rect" in drawn(made[0])[1] and made[0].seconds > 5


def test_recordings_are_shown_as_waveforms(sine):
    made = make_takes([Piece("hum", audio=sine), Piece("hush", audio=silence(0.2))])
    assert [take.seconds for take in made] == pytest.approx([0.5, 0.2]) and not made[0].troubles
    assert "Waveform of 0.5 seconds" in drawn(made[0])[1] and made[0].sound.startswith("data:audio/mpeg")
    assert waveform(silence(0.00003, 44100)).startswith("<svg")


def test_no_take_without_pieces_and_numbers_go_on():
    assert make_takes([]) == [] and cards([]) == '<div class="takes"></div>'
    assert make_takes([Piece("x")], first=7)[0].anchor == "t7"


def test_the_roll_has_room_for_one_pitch_and_many_voices(chorales):
    score = new_score()
    for _ in range(8):
        score.tracks.append(Track(""))
        score.tracks[-1].notes.append(Note(0.0, 1.0, 60, 80))
    voices = voices_of(score)
    assert pitch_range(voices) == (54, 66) and voices[7].name == "Part 8"
    assert roll(voices, [], 1.0).count('class="v') == 8


def test_stopping_leaves_nothing_behind(chorales, tmp_path, player):
    def stop(fraction, _message=""):
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled), new_folder(tmp_path / "a" / "b") as folder:
        make_takes([Piece(str(n), chorales[n].content) for n in range(4)], sounds_to=folder, progress=stop)
    assert os.listdir(tmp_path) == []


def test_a_folder_is_complete_or_absent(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "x") as folder:
        (folder / "half").write_text("half")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    with new_folder(tmp_path / "x") as folder:
        write_page(folder / "sub" / "index.html", "one")
    assert (tmp_path / "x" / "sub" / "index.html").read_text() == "one" and os.listdir(tmp_path) == ["x"]
    with pytest.raises(BadFile, match="--force"), new_folder(tmp_path / "x"):
        pass
    with new_folder(tmp_path / "x", force=True) as folder:
        (folder / "index.html").write_text("two")
    assert sorted(os.listdir(tmp_path / "x")) == ["index.html", "sub"]
    for failure in (OSError(28, "No space left on device", "{}/a.mid"), BadFile("{}/a.mid", "No space left on device")):
        with pytest.raises(BadFile) as told, new_folder(tmp_path / "y") as folder:
            for name in ("filename", "path"):
                if hasattr(failure, name):
                    setattr(failure, name, getattr(failure, name).format(folder))
            raise failure
        assert told.value.path == str(tmp_path / "y") and "No space left" in told.value.reason
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "y"):
        (tmp_path / "elsewhere").read_text()
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadFile, match="file"), new_folder(place):
            pass


# In a browser

@pytest.fixture
def page_of(chorales, tmp_path, notation, player):
    """A page with three takes, a row without a card, and sounds beside it."""
    long = concatenate(chorales[0].content, chorales[1].content, at_beats=32.0)
    pieces = [Piece(f"piece {n}", long if n == 0 else chorales[n].content, values={"fifths": value, "word": word})
              for n, (value, word) in enumerate([(2.0, "b"), (None, "zz"), (10.0, "a")])]
    made = make_takes(pieces, sounds_to=tmp_path / "sounds", sounds_at="sounds/")
    body = overview(made, [Column("fifths"), Column("word")], others=[Piece("row only", values={"fifths": 1.0})])
    write_page(tmp_path / "index.html", document("Takes", section("All", body, cards(made)), takes=made))
    return tmp_path / "index.html"


@pytest.mark.browser
def test_the_notes_that_sound_are_marked_in_score_and_roll(page_of, chorales, browse):
    played = [note for track in expression(chorales[1].content).to("second").tracks for note in track.notes]
    with browse(page_of) as page:
        page.wait_for_function("() => [...player.takes.values()].every(take => take.notes.length)")
        for at in (3.1, 8.0):
            found = page.evaluate("""async at => {
              const take = player.takes.get("t2");
              player.seek(take, at);
              await player.play(take);
              await new Promise(done => setTimeout(done, 400));
              await new Promise(done => requestAnimationFrame(() => { player.pause(); done(); }));
              const on = kind => [...take.card.querySelectorAll(kind + " .on")]
                .map(e => [+e.dataset.s, +e.dataset.e]);
              return [player.audio.currentTime, on(".roll"), on(".sheet"),
                      parseFloat(take.card.querySelector(".playhead").style.left), take.seconds];
            }""", at)
            now, roll_on, sheet_on, left, seconds = found
            expected = sorted(round(n.start, 2) for n in played if n.start <= now < n.end)
            assert at < now < at + 3 and len(expected) >= 3
            assert sorted(round(s, 2) for s, _ in roll_on) == pytest.approx(expected, abs=0.011)
            assert all(start <= now < end for start, end in sheet_on) and len(sheet_on) >= 3
            assert left == pytest.approx(100 * now / seconds, abs=0.5)
        assert not page.troubles


@pytest.mark.browser
def test_one_plays_at_a_time_with_mouse_and_keyboard(page_of, browse):
    with browse(page_of, width=400) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert len(page.asked) == 1  # no sound is loaded before it is wanted
        page.click("tr[data-take=t1] [data-play]")
        page.wait_for_function("() => player.audio.currentTime > 0.1")
        page.focus("#t3 .play")
        page.keyboard.press("Enter")
        page.wait_for_function("() => player.current.card.id === 't3' && player.audio.currentTime > 0.1")
        assert page.evaluate("[...document.querySelectorAll('.play.playing')].map(e => e.dataset.play)") == ["t3", "t3"]
        assert page.get_attribute("#t3 .play", "aria-label") == "Pause piece 2"
        page.focus("#t3 .seek")
        before = page.evaluate("player.audio.currentTime")
        page.keyboard.press("PageUp")
        page.wait_for_function(f"() => player.audio.currentTime > {before} + 0.5")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        page.wait_for_function("() => player.audio.paused")
        assert not page.troubles and all(url.startswith("file:") for url in page.asked)
        assert page.evaluate("player.takes.get('t1').at") > 0.1  # goes on from there when it is played again


@pytest.mark.browser
def test_a_click_on_a_note_plays_from_it_and_the_score_scrolls_to_it(page_of, browse):
    with browse(page_of, width=400, height=500) as page:
        page.wait_for_function("() => [...player.takes.values()].every(take => take.notes.length)")
        page.evaluate("document.querySelector('#t1 .sheet').style.maxHeight = '150px'")
        page.evaluate("(() => { const take = player.takes.get('t1'); player.seek(take, take.seconds - 4); "
                      "player.play(take); })()")
        page.wait_for_function("() => document.querySelector('#t1 .sheet').scrollTop > 20")
        seen = page.evaluate("""() => { const box = document.querySelector('#t1 .sheet').getBoundingClientRect();
          const note = document.querySelector('#t1 .sheet .on').getBoundingClientRect();
          return note.left >= box.left && note.right <= box.right; }""")
        assert seen
        start = page.evaluate("""() => { const notes = document.querySelectorAll('#t2 .sheet .note[data-s]');
          const note = notes[8]; note.dispatchEvent(new MouseEvent('click', {bubbles: true}));
          return +note.dataset.s; }""")
        page.wait_for_function("() => player.current.card.id === 't2' && !player.audio.paused")
        assert start <= page.evaluate("player.audio.currentTime") < start + 3 and not page.troubles


@pytest.mark.browser
def test_tables_sort_and_filter_with_their_cards(page_of, browse):
    def rows(page):
        return page.evaluate("[...document.querySelectorAll('tbody tr:not([hidden]) th')].map(e => e.textContent)")

    with browse(page_of) as page:
        page.click("text=fifths")
        assert rows(page) == ["row only", "piece 0", "piece 2", "piece 1"]  # what has no value comes last
        page.click("text=fifths")
        assert rows(page) == ["piece 2", "piece 0", "row only", "piece 1"]
        assert page.evaluate("[...document.querySelectorAll('.take')].map(e => e.id)") == ["t3", "t1", "t2"]
        assert page.get_attribute("th:has-text('fifths')", "aria-sort") == "descending"
        page.fill(".filter", " ZZ")
        assert rows(page) == ["piece 1"] and page.inner_text(".count") == "1 of 4 pieces"
        assert page.is_hidden("#t1") and page.is_visible("#t2")
        page.fill(".filter", "nothing like it")
        assert rows(page) == [] and page.inner_text(".count").startswith("0 of")
        assert not page.troubles


@pytest.mark.browser
def test_a_sound_that_is_gone_is_told(page_of, browse):
    for sound in (page_of.parent / "sounds").iterdir():
        sound.unlink()
    with browse(page_of) as page:
        page.click("#t1 .play")
        page.wait_for_selector("#t1 .trouble")
        assert "beside" in page.inner_text("#t1 .trouble")


@pytest.mark.slow
@pytest.mark.browser
def test_two_hundred_takes_stay_usable(chorales, tmp_path, notation, player, browse):
    pieces = [Piece(f"piece {n}", chorales[n % 5].content, values={"n": n}) for n in range(200)]
    made = make_takes(pieces, sounds_to=tmp_path / "sounds", sounds_at="sounds/")
    write_page(tmp_path / "index.html", document("Takes", overview(made, [Column("n")]) + cards(made), takes=made))
    assert (tmp_path / "index.html").stat().st_size < 10e6
    with browse(tmp_path / "index.html") as page:
        taken = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert taken < 3000 and len(page.asked) == 1
        assert page.evaluate("[...player.takes.values()].filter(take => take.drawn).length") < 10
        page.click("tr:nth-child(150) [data-play]")
        page.wait_for_function("() => player.audio.currentTime > 0.1")
        page.evaluate("player.drawAll()")
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) > 10_000 and len(ids) == len(set(ids)) and not page.troubles
