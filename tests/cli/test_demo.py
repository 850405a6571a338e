from __future__ import annotations

import json
import os
import re
import shlex

import numpy as np
import pytest

from componium import checkpoint
from componium.cli.demo import baseline, work
from componium.cli.demo.plan import FILES, Lesson
from componium.cli.pages.takes import unpacked
from componium.music.audio import Audio
from componium.music.corpus import Corpus
from componium.music.errors import MissingExtra
from componium.music.formats import read_score
from componium.music.origin import read_origin
from componium.music.score import bars, key_signature_of
from componium.music.soundfont import find_soundfont
from componium.music.theory import key_of

NEEDS = ("music21", "verovio", "pretty_midi")


@pytest.fixture
def little_corpus(monkeypatch, chorales):
    """The demo learns from four small pieces and is judged on a fifth."""
    for package in NEEDS:
        pytest.importorskip(package)
    corpus = Corpus(chorales, name="little")
    monkeypatch.setattr(work, "read_chorales", lambda _progress: Lesson(corpus, corpus[:4], corpus[4:]))


def checked_page(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    sheet, roll = unpacked(re.search(r'class="drawings">([\w+/=]+)<', page)[1])
    for text in (page, sheet, roll):
        assert not re.search(r'(?:src|href)="(?!data:|chorale\.|#)', text)  # nothing is loaded from anywhere
    assert "default-src 'none'" in page and "data:audio/mpeg;base64," in page
    notes = read_score(folder / "chorale.mid").note_num()
    assert roll.count('data-s="') == notes <= sheet.count('data-s="')
    assert sheet.startswith("<svg") and "data:image/png;base64,iVBOR" in roll and "4 kHz" in roll
    assert page.index('class="sheet"') < page.index('class="stage"')  # the score above the roll
    return page


def test_the_demo_writes_everything_and_its_commands_work(run, folder, little_corpus):
    result = run("demo", "--out", "my demo", "--key", "Bb", "--bars", 4, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    out = folder / "my demo"
    assert sorted(os.listdir(out)) == sorted([*FILES, "model"])
    page = checked_page(out)
    for words in ("4 bars in Bb major", "Markov chain", "made for the tests", "CC0-1.0", "JSB-16/tok", "nats per token",
                  "first-order chain", "cadence", "--seed 3", find_soundfont().licence):
        assert words in page, words
    written = read_score(out / "chorale.musicxml")
    assert len(bars(written)) == len(bars(read_score(out / "chorale.mid"))) == 4
    assert str(key_signature_of(written)) == "Bb major"
    assert [track.program for track in read_score(out / "chorale.mid").tracks] == [68, 71, 60, 70]
    sound = Audio.read(out / "chorale.wav")
    assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db < 0
    for name in ("chorale.mid", "chorale.musicxml", "chorale.wav", "chorale.png"):
        origin = read_origin(out / name)
        assert (origin.verb, origin.seed, origin.licence, origin.models[0].name) == ("demo", 3, "CC0-1.0", "markov")
        assert origin.models[0].checkpoint == checkpoint.digest(out / "model") and origin.settings["key"] == "Bb major"
    assert read_origin(out / "chorale.wav").made == "performed"
    commands = [line.strip() for line in result.stdout.splitlines() if line.startswith("  componium ")]
    assert len(commands) == 3 and all(command in page.replace("&#x27;", "'") for command in commands)
    for command in commands:
        assert run(*shlex.split(command)[1:]).exit_code == 0, command
    assert len(list(out.iterdir())) == len(FILES) + 4


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
    monkeypatch.setattr(work, "page", None)
    assert run("demo", "--out", "d").exit_code == 1
    assert os.listdir(folder) == []


@pytest.mark.parametrize(("words", "told"), [
    (["--key", "H"], "'H' is not a key"), (["--key", "G dorian"], "major and minor"), (["--bars", "1"], "--bars"),
])
def test_what_the_demo_cannot_do_is_told_before_the_work(run, folder, little_corpus, words, told):
    result = run("demo", "--out", "d", *words)
    assert result.exit_code != 0 and told in result.stderr and result.stdout == ""


def test_the_demo_says_what_to_install(run, monkeypatch):
    def missing(package, *, extra, purpose):
        raise MissingExtra(package, extra, purpose)

    monkeypatch.setattr(work, "require", missing)
    result = run("demo", "--out", "d")
    assert result.exit_code == 1 and "pip install 'componium[notation]'" in result.stderr


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
    process = start("demo", "--out", "demo", "--key", "G minor")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert int(re.search(r"Done in (\d+) s", out)[1]) < 90
    page = checked_page(folder / "demo")
    assert "public-domain work, encoding licence not stated" in page
    header = json.loads((folder / "demo" / "model" / "model.json").read_text(encoding="utf-8"))
    assert header["provenance"]["pieces"] > 250
    piece = read_score(folder / "demo" / "chorale.mid")
    assert len(bars(piece)) == 8 and len(piece.tracks) == 4 and str(key_of(piece)[0]) == "G minor"
    sound = Audio.read(folder / "demo" / "chorale.wav")
    assert sound.loudness_lufs == pytest.approx(-16, abs=0.3) and sound.peak_db <= -0.9


@pytest.mark.browser
def test_the_page_plays_and_follows_in_score_and_roll(run, folder, little_corpus, browse):
    assert run("demo", "--out", "d", "--bars", 4).exit_code == 0
    with browse(folder / "d" / "index.html", width=390, height=800) as page:
        page.wait_for_function("() => [...player.takes.values()][0].notes.length > 0")
        page.locator(".plot.roll").scroll_into_view_if_needed()
        box = page.locator(".plot.roll").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
        page.wait_for_function("() => document.querySelector('.roll .on') && document.querySelector('.sheet .on')")
        page.evaluate("player.pause()")
        now, left, spans = page.evaluate("""[player.audio.currentTime,
          parseFloat(document.querySelector(".extra .playhead").style.left),
          [...document.querySelectorAll(".on")].map(e => [+e.dataset.s, +e.dataset.e])]""")
        assert 45 < left < 60 and len(spans) >= 6 and all(start <= now < end for start, end in spans)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not page.troubles and not [url for url in page.asked[1:] if not url.startswith("data:")]
