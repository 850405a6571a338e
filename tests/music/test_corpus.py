"""The corpus: everything readable is found once, everything else is named with its reason."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from symusic.core import NoteQuarter

from componium.music.audio import Audio
from componium.music.corpus import Corpus, Item, hash_of_score, open_corpus
from componium.music.errors import BadFile, BadInput, Cancelled
from componium.music.formats import write_grid_json, write_score
from componium.music.grid import Grid, from_grid
from componium.music.marks import MARKS_NAME, Mark, mark_of, write_marks
from componium.music.score import Score, Track, new_score, transpose

DATA = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "jsb16"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "music").mkdir()
    return tmp_path / "music"


def piece(seed: int, notes: int = 8, voices: int = 1) -> Score:
    rng = np.random.default_rng(seed)
    score = new_score()
    for voice in range(voices):
        track = Track(f"Voice {voice + 1}", 0, False)
        for index in range(notes):
            track.notes.append(NoteQuarter(index, 1, int(rng.integers(48, 80)) - 12 * voice, 80))
        score.tracks.append(track)
    return score


def grid(seed: int) -> Grid:
    rng = np.random.default_rng(seed)
    return Grid.from_pitches(np.repeat(rng.integers(40, 80, (16, 4)), 2, axis=0))


def reasons(corpus: Corpus) -> dict[str, str]:
    return {skipped.name: skipped.reason for skipped in corpus.skipped}


def test_a_folder_is_read_with_its_subfolders_in_order(folder: Path) -> None:
    (folder / "zwölf").mkdir()
    (folder / ".hidden").mkdir()
    for number, name in enumerate(("b.mid", "zwölf/a.mid", "a.MID", ".hidden/x.mid", "._b.mid")):
        target = folder / name
        write_score(piece(number), target.with_suffix(".mid"))
        target.with_suffix(".mid").rename(target)
    (folder / "notes.txt").write_text("not music")
    corpus = open_corpus(folder)
    assert [item.name for item in corpus] == ["a.MID", "b.mid", "zwölf/a.mid"]
    assert [item.kind for item in corpus] == ["score"] * 3
    assert corpus.other_files == 1
    assert corpus.name == "music"
    assert corpus[1].licence == "unknown"
    assert corpus[1].path == str(folder / "b.mid")
    assert corpus[1].hash == hash_of_score(piece(0))


def test_what_cannot_be_read_is_named(folder: Path) -> None:
    write_score(piece(0), folder / "good.mid")
    whole = (folder / "good.mid").read_bytes()
    (folder / "empty.mid").write_bytes(b"")
    (folder / "cut.mid").write_bytes(whole[:40])
    (folder / "text.mid").write_text("this is a text")
    (folder / "cut.json").write_text("[[[60, 55,")
    (folder / "text.wav").write_text("this is a text")
    write_score(new_score(), folder / "silent.mid")
    corpus = open_corpus(str(folder))
    assert [item.name for item in corpus] == ["good.mid"]
    assert set(reasons(corpus)) == {"empty.mid", "cut.mid", "text.mid", "cut.json", "text.wav", "silent.mid"}
    assert "no notes" in reasons(corpus)["silent.mid"]
    assert all(str(folder) not in reason for reason in reasons(corpus).values())
    report = corpus.report()
    for name, reason in reasons(corpus).items():
        assert f"{name}: {reason}" in report


def test_the_same_music_is_kept_once(folder: Path) -> None:
    write_score(piece(0), folder / "a.mid")
    write_score(piece(0), folder / "b.mid")
    write_score(piece(0), folder / "c.abc")
    corpus = open_corpus([folder / "a.mid", folder])
    assert len(corpus) == 1
    assert reasons(corpus)["b.mid"] == "same music as a.mid"
    assert reasons(corpus)["c.abc"] == "same music as a.mid"


def test_the_hash_is_of_the_music() -> None:
    score = piece(0, voices=2)
    other = score.copy()
    other.tracks[0].name, other.tracks[0].program = "Flute", 73
    other.tempos[0].mspq = 1
    order = [other.tracks[1], other.tracks[0]]
    other.tracks.clear()
    other.tracks.extend(order)
    assert hash_of_score(other) == hash_of_score(score)
    for change in ({"time": 0.25}, {"duration": 0.5}, {"pitch": 30}):
        changed = score.copy()
        for name, value in change.items():
            setattr(changed.tracks[0].notes[0], name, value)
        assert hash_of_score(changed) != hash_of_score(score)


def test_a_grid_file_gives_one_item_a_piece_and_stays_whole(folder: Path) -> None:
    grids = [grid(0), grid(1), grid(0)]
    write_grid_json(grids, folder / "train.json")
    corpus = open_corpus(folder / "train.json")
    assert [item.name for item in corpus] == ["train.json#0", "train.json#1", "train.json#2"]
    assert [item.grid for item in corpus] == grids
    assert corpus[0].hash == corpus[2].hash == hash_of_score(from_grid(grids[0]))
    write_grid_json(grids[1:2], folder / "more.json")
    both = open_corpus([folder / "train.json", folder / "more.json"])
    assert len(both) == 3
    assert reasons(both) == {"more.json#0": "same music as train.json#1"}


def test_recordings_are_read_when_needed(folder: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 22050)).astype(np.float32)
    for name in ("a.wav", "b.flac"):
        Audio(samples, 44100).write(folder / name)
    Audio(samples[:, :4410], 22050).write(folder / "c.ogg")
    (folder / "again.wav").write_bytes((folder / "a.wav").read_bytes())
    corpus = open_corpus(folder)
    assert [(item.name, item.kind, item.seconds) for item in corpus] == [
        ("a.wav", "audio", 0.5), ("b.flac", "audio", 0.5), ("c.ogg", "audio", 0.2)]
    assert reasons(corpus) == {"again.wav": "same music as a.wav"}
    content = corpus[1].content
    assert isinstance(content, Audio)
    np.testing.assert_allclose(content.samples, samples, atol=1e-4)
    (folder / "b.flac").unlink()
    with pytest.raises(BadFile, match=r"b\.flac"):
        _ = corpus[1].content
    assert corpus.summary()["seconds"] == 1.2


def test_an_empty_result_says_what_to_do(folder: Path) -> None:
    (folder / "readme.txt").write_text("x")
    (folder / "bad.mid").write_text("x")
    with pytest.raises(BadInput, match=r"1 other files.*bad\.mid.*Give a folder"):
        open_corpus(folder)
    with pytest.raises(BadFile, match=r"bad\.mid"):
        open_corpus(folder / "bad.mid")
    with pytest.raises(BadFile, match="not a music file"):
        open_corpus(folder / "readme.txt")
    with pytest.raises(BadFile, match="did you mean chorales"):
        open_corpus("chorale")
    with pytest.raises(BadFile, match="no such file"):
        open_corpus(folder / "missing")
    for nothing in ("", []):
        with pytest.raises(BadInput, match="empty"):
            open_corpus(nothing)


def test_a_split_depends_on_the_music_alone() -> None:
    items = [Item(str(seed), "score", score, hash=hash_of_score(score))
             for seed, score in ((seed, piece(seed)) for seed in range(300))]
    parts = Corpus(items).split((0.8, 0.1, 0.1))
    assert sum(map(len, parts)) == 300
    assert 210 < len(parts[0]) < 270
    assert all(len(part) > 10 for part in parts)
    place = {item.name: number for number, part in enumerate(parts) for item in part}
    fewer = Corpus(list(reversed(items[:100]))).split((0.8, 0.1, 0.1))
    assert all(place[item.name] == number for number, part in enumerate(fewer) for item in part)
    assert [len(part) for part in Corpus(items).split((1.0,))] == [300]


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (1.5, -0.5), (0.1,)])
def test_fractions_that_are_no_split_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="fractions"):
        Corpus([]).split(fractions)


def test_the_report_counts(folder: Path) -> None:
    write_score(piece(0, notes=8, voices=2), folder / "a.mid")
    write_score(piece(1, notes=4), folder / "b.mid")
    corpus = open_corpus(folder)
    summary = corpus.summary()
    assert (summary["items"], summary["bars"], summary["beats"], summary["notes"]) == (2, 3, 12.0, 20)
    assert summary["voices"] == {"1": 1, "2": 1}
    assert corpus.licences == {"unknown": 2}
    assert json.loads(json.dumps(summary)) == summary
    assert "2 scores: 3 bars, 12 beats, 20 notes" in corpus.report()


def test_an_export_is_safe_and_lists_what_it_wrote(folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a b.mid", "sub/a b.mid", "a_b.mid", "ünïcode.mid")):
        (folder / name).parent.mkdir(exist_ok=True)
        write_score(piece(number), folder / name)
    Audio(np.zeros((1, 100), np.float32), 8000).write(folder / "hit.wav")
    corpus = open_corpus(folder)
    written = corpus.export(tmp_path / "out")
    assert [path.name for path in written] == ["a_b.mid", "a_b-2.mid", "hit.wav", "sub_a_b.mid", "ünïcode.mid",
                                               "corpus.json"]
    listed = json.loads(written[-1].read_text(encoding="utf-8"))["items"]
    assert [entry["hash"] for entry in listed] == [item.hash for item in corpus]
    assert {item.hash for item in open_corpus(tmp_path / "out")} == {item.hash for item in corpus}
    with pytest.raises(BadInput, match="exists already"):
        corpus.export(tmp_path / "out")
    assert len(corpus.export(tmp_path / "out", force=True)) == 6
    with pytest.raises(BadInput, match="format"):
        corpus.export(tmp_path / "out2", format="pdf")
    with pytest.raises(BadInput, match="cannot be written"):
        corpus.export(tmp_path / "out2", format="krn")  # it can only be read
    assert not (tmp_path / "out2").exists()


def test_an_exported_folder_keeps_its_sources_and_licences(folder: Path, tmp_path: Path) -> None:
    write_score(piece(1), tmp_path / "own.mid")
    Audio(np.zeros((1, 100), np.float32), 8000).write(tmp_path / "hit.wav")
    free = [dataclasses.replace(item, licence="CC0", source="archive", content=item.content)
            for item in (*open_corpus(tmp_path / "own.mid"), *open_corpus(tmp_path / "hit.wav"))]
    Corpus(free).export(folder)
    write_score(piece(2), folder / "added.mid")
    told = {item.name: (item.licence, item.source) for item in open_corpus(folder)}
    assert told == {"own.mid": ("CC0", "archive"), "hit.wav": ("CC0", "archive"),
                    "added.mid": ("unknown", "folder music")}
    assert "content" not in vars(next(item for item in open_corpus(folder) if item.kind == "audio"))


@pytest.mark.parametrize("text", ["", "[]", '{"items": 3}', '{"items": [{"file": "a.mid"}]}', "[" * 100_000,
                                  '{"items": [{"file": "a.mid", "source": 1, "licence": null}]}'])
def test_a_list_of_something_else_is_no_list(folder: Path, text: str) -> None:
    write_score(piece(1), folder / "a.mid")
    (folder / "corpus.json").write_text(text)
    assert open_corpus(folder).licences == {"unknown": 1}


def test_a_thousand_midi_files_open_quickly_and_can_be_cancelled(folder: Path) -> None:
    for number in range(1000):
        piece(number, notes=40, voices=4).dump_midi(folder / f"{number:04}.mid")
    start = time.perf_counter()
    corpus = open_corpus(folder)
    assert time.perf_counter() - start < 5.0
    assert len(corpus) == 1000

    def stop(fraction: float, _message: str) -> None:
        if fraction > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        open_corpus(folder, progress=stop)


def test_parsed_scores_are_cached_by_content(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    write_score(piece(0), folder / "a.musicxml")
    first = open_corpus(folder)
    kept = list((cache / "scores").iterdir())
    assert len(kept) == 1
    (folder / "a.musicxml").rename(folder / "b.musicxml")
    monkeypatch.setattr("componium.music.gather.read_scores", None)
    again = open_corpus(folder)
    assert again[0].content == first[0].content
    assert again[0].hash == hash_of_score(piece(0))
    monkeypatch.undo()


def test_an_unwritable_cache_is_only_a_note(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "file"))
    write_score(piece(0), folder / "a.musicxml")
    (folder / "b.musicxml").write_text("<score-partwise")
    corpus = open_corpus(folder)
    assert len(corpus) == 1
    assert list(reasons(corpus)) == ["b.musicxml"]
    assert "not kept" in corpus.report()


@pytest.mark.skipif(not (DATA / "train.json").is_file(), reason="COMPONIUM_BENCH_DATA is not set")
def test_the_benchmark_files_open_whole() -> None:
    assert [len(open_corpus(DATA / name)) for name in ("train.json", "valid.json")] == [229, 76]


def test_marked_items_are_left_out_of_a_folder(folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a.mid", "b.mid", "deep/c.mid")):
        write_score(piece(number), folder / name)
    whole = open_corpus(folder)
    write_marks(folder / MARKS_NAME, [mark_of(whole[0], "wrong notes"), mark_of(whole[2])])
    corpus = open_corpus(folder)
    assert [item.name for item in corpus] == ["b.mid"]
    assert reasons(corpus) == {"a.mid": "marked to be excluded (wrong notes)", "deep/c.mid": "marked to be excluded"}
    assert corpus.other_files == 0
    write_score(piece(9), folder / "a.mid")  # another piece under the marked name stays
    assert [item.name for item in open_corpus(folder)] == ["a.mid", "b.mid"]
    assert "marks of exclude.txt that meet no item: 1" in open_corpus(folder).report()
    write_marks(folder / MARKS_NAME, [Mark(name) for name in ("a.mid", "b.mid", "deep/c.mid")])
    with pytest.raises(BadInput, match="marked to be excluded"):
        open_corpus(folder)
    (folder / MARKS_NAME).write_text("\tno mark\n")
    with pytest.raises(BadFile, match=r"exclude\.txt: line 1 is no mark"):
        open_corpus(folder)


def test_a_file_of_marks_for_any_source(folder: Path, tmp_path: Path) -> None:
    write_grid_json([grid(0), grid(1), grid(2)], folder / "train.json")
    marks = tmp_path / "marks.txt"
    write_marks(marks, [Mark("train.json#1", reason="odd"), Mark("gone")])
    for source in (folder / "train.json", [folder], open_corpus(folder)):
        corpus = open_corpus(source, exclude=marks)
        assert [item.name for item in corpus] == ["train.json#0", "train.json#2"]
        assert reasons(corpus) == {"train.json#1": "marked to be excluded (odd)"}
        assert f"marks of {marks} that meet no item: 1, e.g. gone" in corpus.report()
    write_marks(marks, [Mark(f"train.json#{number}") for number in range(3)])
    with pytest.raises(BadInput, match="every item is marked"):
        open_corpus(folder, exclude=marks)
    with pytest.raises(BadFile, match="cannot be read"):
        open_corpus(folder, exclude=tmp_path / "none.txt")


def test_the_report_says_what_the_licences_allow(folder: Path) -> None:
    items = [Item(f"{number}", "score", piece(number), licence=licence, hash=f"{number:064x}")
             for number, licence in enumerate(["CC0", "CC BY 4.0", "", "© 2001 A. Name", "CC0"])]
    summary = Corpus(items).summary()
    assert summary["licence_classes"] == {"free": 2, "attribution": 1, "reserved": 1, "unknown": 1}
    assert summary["rights"].startswith("most restrictive: unknown (1 of 5 items)")
    report = Corpus(items).report()
    assert "items by class of licence: free 2, attribution 1, reserved 1, unknown 1" in report
    assert "rights: most restrictive: unknown" in report
    assert "rights" not in Corpus([]).report() and Corpus([]).summary()["melody_families"] == 0
    many = [dataclasses.replace(item, licence=f"© {number} B") for number in range(20) for item in items[:1]]
    assert "licence: 12 others (12), all in the JSON report" in Corpus(many).report()


def test_relatives_are_counted(folder: Path) -> None:
    same = transpose(piece(1, notes=30), 2)
    corpus = Corpus([Item(str(number), "score", score, hash=hash_of_score(score))
                     for number, score in enumerate((piece(1, notes=30), same, piece(2, notes=30)))])
    assert "melodies: 2 families with the same opening, the largest of 2" in corpus.report()
