from __future__ import annotations

import json
import os
import re
import shlex

import numpy as np
import pytest

from componium import checkpoint
from componium.cli.demo import baseline, plan, tune, work, writing
from componium.cli.demo.plan import CHAIN, FILES, NETWORK, Asked, Lesson
from componium.cli.pages.takes import unpacked
from componium.music.audio import Audio
from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.corpus import Corpus
from componium.music.errors import MissingExtra
from componium.music.formats import read_score
from componium.music.grid import to_grid
from componium.music.origin import read_origin
from componium.music.provenance import benchmark_part, item_fingerprints
from componium.music.score import FERMATA, bars, key_signature_of, pickup_beats
from componium.music.soundfont import find_soundfont
from componium.music.theory import key_of
from componium.registry import PRETRAINED

NEEDS = ("torch", "music21", "verovio", "pretty_midi")
SHOWN = ("chorale", "folk-tune", "markov")


@pytest.fixture
def little_corpus(monkeypatch, chorales):
    """The demo learns from four small pieces, is judged on a fifth, and measures two pieces of each model."""
    for package in NEEDS:
        pytest.importorskip(package)
    corpus = Corpus(chorales, name="little")
    monkeypatch.setattr(plan, "MOST_MEASURED", 2)
    monkeypatch.setattr(work, "CANDIDATES", 2)
    monkeypatch.setattr(work, "read_chorales", lambda _progress: Lesson(corpus, corpus[:4], corpus[4:]))


def checked_page(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    drawn = re.findall(r'class="drawings">([\w+/=]+)<', page)
    assert len(drawn) == page.count("data:audio/mpeg;base64,") == len(SHOWN) and "default-src 'none'" in page
    for stem, packed in zip(SHOWN, drawn, strict=True):
        sheet, roll = unpacked(packed)
        notes = read_score(folder / f"{stem}.mid").note_num()
        assert roll.count('data-s="') == notes <= sheet.count('data-s="')
        assert sheet.startswith("<svg") and "data:image/png;base64,iVBOR" in roll and "4 kHz" in roll
        for text in (sheet, roll):
            assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    linked = set(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page))
    assert linked == {*FILES} - {"index.html"}  # nothing else is loaded from anywhere
    assert page.index('class="sheet"') < page.index('class="stage"')  # the score above the roll
    assert all(re.search(r'alt="[^"]', image) for image in re.findall(r"<img [^>]*>", page))
    return page


def table_of(page, heading):
    """Return the rows of the table whose first header cell is ``heading``: name -> the other cells."""
    body = page[page.index(heading):].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>") if row]
    return {row[0]: row[1:] for row in rows}


def test_the_demo_writes_everything_and_its_commands_work(run, folder, little_corpus):
    result = run("demo", "--out", "my demo", "--key", "Bb", "--bars", 4, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    out = folder / "my demo"
    assert sorted(os.listdir(out)) == sorted([*FILES, "model"])
    page = checked_page(out)
    for words in ("4 bars in Bb major", "Markov chain", "made for the tests", "CC0-1.0", "JSB-16/tok", "nats per token",
                  "first-order chain", "cadence", "--seed 3", find_soundfont().licence, tune.TITLE, tune.SOURCE,
                  "encoding licence not stated"):
        assert words in page, words
    scores = table_of(page, ">model<")
    assert list(scores)[:2] == [NETWORK, CHAIN] and float(scores[CHAIN][0]) < 3.85 > float(scores[NETWORK][0])
    music = table_of(page, ">measure (mean over pieces)<")
    assert len(music) > 10 and all(len(cells) == 3 for cells in music.values())
    written = read_score(out / "chorale.musicxml")
    assert len(bars(written)) == len(bars(read_score(out / "chorale.mid"))) == 4
    assert str(key_signature_of(written)) == "Bb major"
    assert [track.program for track in read_score(out / "chorale.mid").tracks] == [68, 71, 60, 70]
    sound = Audio.read(out / "chorale.wav")
    assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db < 0
    for name in (name for name in FILES if name.endswith((".mid", ".musicxml", ".wav", ".png"))):
        origin, by_chain = read_origin(out / name), name.startswith("markov")
        licence = "CC0-1.0" if by_chain else "public-domain work, encoding licence not stated"
        assert (origin.verb, origin.seed, origin.licence) == ("demo", 3, licence)
        assert origin.models[0].name == (CHAIN if by_chain else NETWORK) and origin.settings["key"] == "Bb major"
        assert origin.models[0].checkpoint == checkpoint.digest(out / "model" if by_chain else PRETRAINED / NETWORK)
        assert origin.made == ("performed" if name.endswith(".wav") else "generated")
    commands = [line.strip() for line in result.stdout.splitlines() if line.startswith("  componium ")]
    assert len(commands) == 3 and all(command in page.replace("&#x27;", "'") for command in commands)
    for command in commands:
        assert run(*shlex.split(command)[1:]).exit_code == 0, command
    assert len(list(out.iterdir())) == len(FILES) + 4
    assert read_score(out / "folk-tune-2.mid").note_num() > read_score(out / "tune.abc").note_num()


def test_the_demo_replaces_its_own_files_only_and_only_with_force(run, folder, little_corpus):
    (folder / "d").mkdir()
    (folder / "d" / "mine.txt").write_text("mine")
    assert run("demo", "--out", "d", "--bars", 2).exit_code == 0
    before = (folder / "d" / "chorale.mid").read_bytes()
    result = run("demo", "--out", "d", "--bars", 3)
    assert result.exit_code == 1 and "--force" in result.stderr and result.stdout == ""
    assert (folder / "d" / "chorale.mid").read_bytes() == before
    assert run("demo", "--out", "d", "--bars", 3, "--force").exit_code == 0
    assert (folder / "d" / "chorale.mid").read_bytes() != before
    assert (folder / "d" / "mine.txt").read_text() == "mine"


def test_a_demo_that_fails_leaves_nothing(run, folder, little_corpus, monkeypatch):
    monkeypatch.setattr(writing, "page", None)
    assert run("demo", "--out", "d", "--bars", 2).exit_code == 1
    assert os.listdir(folder) == []


@pytest.mark.parametrize(("words", "told"), [
    (["--key", "H"], "'H' is not a key"), (["--key", "G dorian"], "major and minor"), (["--bars", "1"], "--bars"),
])
def test_what_the_demo_cannot_do_is_told_before_the_work(run, folder, little_corpus, words, told):
    result = run("demo", "--out", "d", *words)
    assert result.exit_code != 0 and told in result.stderr and result.stdout == ""


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(run, folder, little_corpus, monkeypatch, there):
    def refuse(**_arguments):
        raise PermissionError(13, "Permission denied")

    if there:
        (folder / "d").mkdir()
    monkeypatch.setattr(writing.tempfile, "TemporaryDirectory", refuse)
    result = run("demo", "--out", "d")
    assert result.exit_code == 1 and "d: cannot be written (Permission denied)" in result.stderr
    assert result.stdout == "" and (folder / "d").exists() == there


@pytest.mark.parametrize(("absent", "told"), [("torch", "neural"), ("music21", "notation"), ("verovio", "notation")])
def test_the_demo_says_what_to_install(run, folder, monkeypatch, absent, told):
    def missing(package, *, extra, purpose):
        if package == absent:
            raise MissingExtra(package, extra, purpose)

    monkeypatch.setattr(writing, "require", missing)
    result = run("demo", "--out", "d")
    assert result.exit_code == 1 and f"pip install 'componium[{told}]'" in result.stderr
    assert result.stdout == "" and not (folder / "d").exists()


def test_the_tune_is_what_people_sing():
    score = tune.melody()
    steps = np.diff([note.pitch for note in score.tracks[0].notes]).tolist()
    first, third = [5, 0, 0, 4, -2, -2, 2, 2], [0, -2, -3, 0, -4, 2, -2, 2, 2]
    assert steps == [*first, -4, 0, 4, 3, 2, *third, -4, -3, 0, -2, 5]  # semitones, the steps between lines included
    assert pickup_beats(score) == 1 and len(bars(score)) == 9 and str(key_signature_of(score)) == tune.KEY
    assert [float(mark.time) for mark in score.markers if mark.text == FERMATA] == [7, 13, 23, 29]
    assert all(60 <= note.pitch <= 79 for note in score.tracks[0].notes)  # a soprano's range


def test_the_harmonised_tune_keeps_the_melody_and_its_rules():
    pytest.importorskip("torch")
    lesson = Lesson(None, None, None)
    work.load_network(lesson)
    made = work.harmonise(lesson, 5, lambda *_: None)
    given = [(note.time, note.duration, note.pitch) for note in tune.melody().tracks[0].notes]
    assert [(note.time, note.duration, note.pitch) for note in made.tracks[0].notes] == given
    assert [track.name for track in made.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert not violations(to_grid(made), Constraints.parse(tune.RULES))


@pytest.mark.parametrize(("length", "count"), [(2, 16), (8, 16), (12, 10), (64, 2)])
def test_longer_pieces_are_measured_in_smaller_numbers(length, count, tmp_path):
    assert Asked("G minor", length, 0, tmp_path).measured == count


def test_nobody_learned_from_what_both_are_judged_on():
    for package in NEEDS:
        pytest.importorskip(package)
    lesson = work.read_chorales(lambda *_: None)
    work.load_network(lesson)
    parts = {benchmark_part(item_fingerprints(item)) for item in lesson.held_out}
    assert parts == {"test"} and len(lesson.held_out) > 50
    learned = {item.hash for item in lesson.train} | set(lesson.network.provenance["hashes"])
    assert not learned & {item.hash for item in lesson.held_out}


def test_the_baseline_counts_first_order_transitions():
    train = [np.array([[60, 48], [60, 48], [62, 50]], np.int16)]
    told = baseline.first_order(train, [np.array([[60, 48], [62, 50]], np.int16)])
    first, second = np.log(48 / 2), np.log(49 / 2)  # of 47 counts of one: the beginning once, and 60 twice, left
    assert told == pytest.approx((first + second) / 2)
    assert baseline.first_order(train, [np.full((1, 2), -1, np.int16)]) == pytest.approx(np.log(48))
    assert pytest.approx(3.850, abs=1e-3) == baseline.UNIFORM_NATS


@pytest.mark.slow
def test_the_real_demo_is_done_in_time_and_sounds(start, folder):
    for package in NEEDS:
        pytest.importorskip(package)
    before = os.times()[2:4]
    process = start("demo", "--out", "demo", "--key", "G minor")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    spent = np.subtract(os.times()[2:4], before)  # processor time: other work on the computer does not count
    assert re.search(r"Done in (\d+) s", out) and spent.sum() < 60
    page = checked_page(folder / "demo")
    assert "public-domain work, encoding licence not stated" in page
    header = json.loads((folder / "demo" / "model" / "model.json").read_text(encoding="utf-8"))
    assert header["provenance"]["pieces"] > 150
    piece = read_score(folder / "demo" / "markov.mid")
    assert len(bars(piece)) == 8 and len(piece.tracks) == 4 and str(key_of(piece)[0]) == "G minor"
    piece = read_score(folder / "demo" / "chorale.mid")
    assert len(bars(piece)) == 8 and str(key_signature_of(piece)) == "G minor"
    assert not violations(to_grid(piece), Constraints.parse("end: cadence authentic in G minor"))
    scores = table_of(page, ">model<")
    assert float(scores[NETWORK][0]) < 0.6 > float(scores[CHAIN][0])
    for stem in SHOWN:
        sound = Audio.read(folder / "demo" / f"{stem}.wav")
        assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db <= -0.9


@pytest.mark.browser
def test_the_page_plays_and_follows_in_score_and_roll(run, folder, little_corpus, browse):
    assert run("demo", "--out", "d", "--bars", 4).exit_code == 0
    with browse(folder / "d" / "index.html", width=390, height=800) as page:
        for anchor in ("t1", "t2", "t3"):
            page.evaluate(f"document.querySelector('#{anchor} .sheet').scrollIntoView()")
            page.wait_for_function(f"() => player.takes.get('{anchor}').notes.length > 0")
            page.locator(f"#{anchor} .plot.roll").scroll_into_view_if_needed()
            box = page.locator(f"#{anchor} .plot.roll").bounding_box()
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
            page.wait_for_function(f"""() => document.querySelector('#{anchor} .roll .on')
              && document.querySelector('#{anchor} .sheet .on')""")
            page.evaluate("player.pause()")
            now, left, spans = page.evaluate(f"""[player.audio.currentTime,
              parseFloat(document.querySelector("#{anchor} .extra .playhead").style.left),
              [...document.querySelectorAll("#{anchor} .on")].map(e => [+e.dataset.s, +e.dataset.e])]""")
            assert 45 < left < 60 and len(spans) >= 6 and all(start <= now < end for start, end in spans)
        for button in page.locator("button.play").all():
            button.click()
            page.wait_for_function("() => !player.audio.paused && player.audio.currentTime > 0")
            button.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not page.troubles and not [url for url in page.asked[1:] if not url.startswith("data:")]
