"""`componium picture`: scores and sounds become pictures; what cannot be drawn is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from componium.cli import picture
from componium.cli.main import app
from componium.music.audio import Audio
from componium.music.formats import write_score
from componium.music.origin import read_origin
from componium.music.score import Note, Track, new_score

for package in ("verovio", "resvg_py"):
    pytest.importorskip(package, reason="the notation extra is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    score = new_score(key="D major")
    track = Track("Flöte", 73, False)
    for beat in range(8):
        track.notes.append(Note(float(beat), 1.0, 74 + beat % 5, 80))
    score.tracks.append(track)
    write_score(score, tmp_path / "a ü.mid")
    write_score(new_score(), tmp_path / "empty.mid")
    Audio(np.sin(np.arange(8000) / 9)[None].astype(np.float32) * 0.5, 8000).write(tmp_path / "s.wav")
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["picture", *(str(folder / w) if "." in w else w for w in words)])
    return result.exit_code, result.output


def test_each_view_of_a_score_and_a_sound(folder: Path) -> None:
    for words in (["a ü.mid", "--out", "a.png"], ["a ü.mid", "--view", "roll", "--out", "r.svg"],
                  ["a ü.mid", "--view", "score", "--out", "n.svg"], ["s.wav", "--out", "w.png"],
                  ["s.wav", "--view", "spectrogram", "--out", "p.png"]):
        status, told = run(folder, *words)
        assert status == 0 and "wrote" in told, told
    for name in ("a.png", "w.png", "p.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert 'class="note' in (folder / "n.svg").read_text() and 'class="note' not in (folder / "r.svg").read_text()
    origin = read_origin(folder / "n.svg")
    assert origin is not None and (origin.made, origin.settings["view"]) == ("drawn", "score")
    assert origin.given[0].role == "score" and origin.given[0].music


def test_a_long_score_becomes_pages_and_none_is_overwritten(folder: Path) -> None:
    score = new_score()
    for name in ("A", "B", "C", "D"):
        track = Track(name, 0, False)
        for beat in range(800):
            track.notes.append(Note(float(beat), 1.0, 60 + beat % 12, 80))
        score.tracks.append(track)
    write_score(score, folder / "long.mid")
    (folder / "l-2.svg").write_text("mine")
    status, told = run(folder, "long.mid", "--out", "l.svg")
    assert status == 1 and "l-2.svg" in told and "--force" in told
    assert not (folder / "l.svg").exists() and (folder / "l-2.svg").read_text() == "mine"
    status, told = run(folder, "long.mid", "--out", "l.svg", "--force")
    assert status == 0 and "more" in told and (folder / "l-2.svg").read_text().startswith("<svg")


def test_a_score_without_notes_is_an_empty_bar(folder: Path) -> None:
    assert run(folder, "empty.mid", "--out", "e.svg")[0] == 0
    status, told = run(folder, "empty.mid", "--view", "roll", "--out", "e.png")
    assert status == 1 and "no notes" in told


@pytest.mark.parametrize(("words", "reason"), [
    (["a ü.mid", "--view", "waveform", "--out", "x.png"], "score or roll"),
    (["s.wav", "--view", "roll", "--out", "x.png"], "waveform or spectrogram"),
    (["a ü.mid", "--out", "x.gif"], ".png, .svg"),
    (["none.mid", "--out", "x.png"], "does not exist"),
    (["a ü.mid", "--out", "s.wav"], ".png, .svg")])
def test_what_cannot_be_drawn_is_told(folder: Path, words: list[str], reason: str) -> None:
    status, told = run(folder, *words)
    assert status == 1 and reason in told and not (folder / "x.png").exists()


def test_without_the_extra_a_score_is_drawn_as_a_roll(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "can_engrave", lambda: False)
    assert picture.chosen_view(folder / "a ü.mid", None) == "roll"
    monkeypatch.setattr(picture, "can_engrave", lambda: True)
    assert picture.chosen_view(folder / "a ü.mid", None) == "score"
