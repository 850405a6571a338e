"""The cache: what is kept comes back, and whatever is wrong with a file means that there is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from symusic.core import NoteQuarter

from componium.music.cache import (
    PackedScores,
    cache_folder,
    keep,
    load_arrays,
    pack_scores,
    pack_text,
    recall,
    unpack_text,
)
from componium.music.score import FERMATA, Score, TextMeta, Track, new_score, set_pickup


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def piece() -> Score:
    score = set_pickup(new_score(tempo_bpm=87, numerator=3, denominator=4, key="Bb major"), 1)
    for name, program, drums in (("Geige ü", 40, False), ("empty", 0, False), ("", 0, True)):
        track = Track(name, program, drums)
        if name != "empty":
            track.notes.append(NoteQuarter(1 / 3, 2 / 3, 60, 80))
            track.notes.append(NoteQuarter(1.5, 0.125, 127, 1))
        score.tracks.append(track)
    score.markers.append(TextMeta(1.5, FERMATA))
    return score


def test_the_folder_is_the_one_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.setenv("COMPONIUM_CACHE", " ")
    assert cache_folder().name == "componium"


def test_packed_scores_come_back_equal() -> None:
    scores = [piece(), new_score(), piece()]
    packed = PackedScores(pack_scores(scores))
    assert list(packed) == scores
    assert packed[-1].tracks[0].name == "Geige ü"
    assert packed[0:2] == scores[:2]
    assert len(PackedScores(pack_scores([]))) == 0


def test_packed_scores_that_do_not_fit_are_refused() -> None:
    arrays = pack_scores([piece()])
    arrays["note_pitch"] = arrays["note_pitch"][:-1]
    with pytest.raises(ValueError, match="do not fit"):
        PackedScores(arrays)


def test_text_survives() -> None:
    assert unpack_text(pack_text({"ü": [1, None]})) == {"ü": [1, None]}


def test_what_is_kept_is_recalled_by_name_and_version(cache: Path) -> None:
    assert recall("a/b", "1") is None
    assert keep("a/b", "1", {"x": np.arange(3)}) is None
    recalled = recall("a/b", "1")
    assert recalled is not None
    assert recalled["x"].tolist() == [0, 1, 2]
    assert recall("a/b", "2") is None
    assert [path.name for path in (cache / "a").iterdir()] == ["b.npz"]


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "text", "pickle", "array", "folder"])
def test_a_damaged_file_is_no_file(cache: Path, damage: str) -> None:
    keep("x", "1", {"x": np.arange(1000)})
    path = cache / "x.npz"
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "pickle":
        np.savez(path, x=np.array([{"a": 1}], dtype=object))
    elif damage == "array":
        with open(path, "wb") as stream:
            np.save(stream, np.arange(3))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1:]
        path.write_bytes({"empty": b"", "truncated": whole[:middle], "flipped": flipped, "text": b"hello"}[damage])
    assert load_arrays(path) is None
    assert recall("x", "1") is None


def test_a_cache_that_cannot_be_written_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "file"))
    reason = keep("x", "1", {"x": np.arange(3)})
    assert reason is not None
    assert "file" in reason


def test_an_interrupted_write_leaves_the_old_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("x", "1", {"x": np.arange(3)})

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keep("x", "1", {"x": np.arange(4)})
    assert os.listdir(cache) == ["x.npz"]
    recalled = recall("x", "1")
    assert recalled is not None
    assert len(recalled["x"]) == 3
