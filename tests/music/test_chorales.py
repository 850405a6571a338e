"""The built-in chorales: four true voices, parsed once, opened quickly ever after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from symusic.core import NoteQuarter

from componium.music import chorales
from componium.music.chorales import chorale_key, reduce_to_voices
from componium.music.corpus import Corpus, open_corpus
from componium.music.errors import BadFile, BadInput, Cancelled, MissingExtra
from componium.music.grid import from_grid, to_grid
from componium.music.item import Item, hash_of_score
from componium.music.parallel import read_scores
from componium.music.provenance import apart_from_benchmark, benchmark_part, item_fingerprints
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    VOICE_NAMES,
    Score,
    Track,
    key_signature,
    new_score,
    pickup_beats,
)

FEW = ("bwv269", "bwv347", "bwv281", "bwv432", "bwv27.6", "bwv248.9-1")
SOURCE = str(Path(chorales.__file__).parents[2])
DATA = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "jsb16"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Six of the chorales, with a cache of their own (`COMPONIUM_CACHE` is left as set for the second opening)."""
    pytest.importorskip("music21")
    with pytest.MonkeyPatch.context() as patch:
        use_few(patch, tmp_path_factory.mktemp("cache"))
        return open_corpus("chorales")


def use_few(patch: pytest.MonkeyPatch, cache: Path) -> None:
    files, skipped = chorales.chorale_files()
    patch.setenv("COMPONIUM_CACHE", str(cache))
    patch.setattr(chorales, "chorale_files", lambda: ([f for f in files if f[0] in FEW], skipped))


def named(corpus: Corpus, name: str) -> Item:
    return next(item for item in corpus if item.name == name)


def onsets(score: Score) -> list[list[tuple[float, float, int]]]:
    return [[(note.time, note.duration, note.pitch) for note in track.notes] for track in score.tracks]


def parts(*names: str, notes: int = 4) -> Score:
    score = new_score()
    for place, name in enumerate(names):
        track = Track(name, 0, False)
        for time_beats in range(notes):
            track.notes.append(NoteQuarter(time_beats, 1, 76 - 7 * place, 80))
        score.tracks.append(track)
    return score


def test_the_list_names_each_file_once() -> None:
    pytest.importorskip("music21")
    files, skipped = chorales.chorale_files()
    assert len(files) + len(skipped) == 371
    assert len(files) == len({path for _, path in files}) == 350
    assert all(path.is_file() for _, path in files)
    assert {s.name: s.reason for s in skipped}["bwv267 (no. 309)"] == "same file as no. 5"


def test_a_chorale_has_the_notes_that_music21_reads(corpus: Corpus) -> None:
    music21 = pytest.importorskip("music21")
    read = music21.corpus.parse("bach/bwv269.mxl").stripTies()
    expected = [[(float(note.getOffsetInHierarchy(part)), float(note.quarterLength), note.pitch.midi)
                 for note in part.recurse().notes] for part in read.parts]
    item = named(corpus, "bwv269")
    assert onsets(item.content) == expected
    assert [track.name for track in item.content.tracks] == list(VOICE_NAMES)
    assert onsets(from_grid(item.grid)) == expected


def test_a_chorale_knows_its_frame(corpus: Corpus) -> None:
    item = named(corpus, "bwv269")
    assert item.grid is not None
    assert (item.grid.key, item.grid.numerator, item.grid.denominator) == ("G major", 3, 4)
    assert item.grid.pickup_steps == 4
    assert pickup_beats(item.content) == 1.0
    assert item.grid.ties_known
    assert item.licence == "public-domain work, encoding licence not stated"
    assert item.source.startswith("music21 ")
    assert item.source.endswith("bach/bwv269.mxl")
    assert item.hash == hash_of_score(item.content)


def test_fermatas_and_phrase_ends_are_marked(corpus: Corpus) -> None:
    item = named(corpus, "bwv269")
    fermatas = [event.time for event in item.content.markers if event.text == FERMATA]
    ends = [event.time for event in item.content.markers if event.text == PHRASE_END]
    assert fermatas == [step / 4 for step in item.grid.fermatas] == [10.0, 19.0, 28.0, 40.0, 52.0, 61.0]
    assert ends == [12.0, 21.0, 30.0, 42.0, 54.0, 63.0]


def test_holds_are_told_from_repeats(corpus: Corpus) -> None:
    grid = named(corpus, "bwv281").grid
    same = (grid.pitches[1:] == grid.pitches[:-1]) & (grid.pitches[1:] >= 0)
    assert (same & grid.held[1:]).sum() > 100
    assert (same & ~grid.held[1:]).sum() > 5


def test_short_notes_stay_in_the_score_and_are_counted(corpus: Corpus) -> None:
    item = named(corpus, "bwv432")
    assert min(note.duration for note in item.content.tracks[0].notes) == 0.125
    assert "on the 16th grid 4 notes of 1 pieces are rounded" in corpus.report()
    fine = to_grid(item.content, steps_per_beat=8).pitches[::2]
    assert np.mean(fine == item.grid.pitches[:len(fine)]) > 0.99


def test_what_is_no_four_part_chorale_is_skipped_with_its_reason(corpus: Corpus) -> None:
    assert sorted(item.name for item in corpus) == ["bwv269", "bwv281", "bwv347", "bwv432"]
    reasons = {skipped.name: skipped.reason for skipped in corpus.skipped}
    assert "2 parts named Soprano" in reasons["bwv27.6"]
    assert "instruments play alone" in reasons["bwv248.9-1"]
    assert "bwv27.6: has 2 parts" in corpus.report()


def test_the_second_opening_parses_nothing(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_few(monkeypatch, tmp_path)
    open_corpus("chorales")
    monkeypatch.setattr(chorales, "read_scores", None)
    again = open_corpus("chorales")
    assert [item.hash for item in again] == [item.hash for item in corpus]
    assert [item.grid for item in again] == [item.grid for item in corpus]
    assert [item.content for item in again] == [item.content for item in corpus]
    assert again.report() == corpus.report()


@pytest.mark.parametrize("damage", [b"", b"not a cache", None])
def test_a_damaged_cache_is_made_anew(damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    use_few(monkeypatch, tmp_path)
    files = chorales.chorale_files()
    monkeypatch.setattr(chorales, "chorale_files", lambda: (files[0][:1], []))
    path = tmp_path / "chorales.npz"
    open_corpus("chorales")
    whole = path.read_bytes()
    path.write_bytes(whole[:-500] if damage is None else damage)
    assert [item.name for item in open_corpus("chorales")] == ["bwv269"]
    assert path.read_bytes() == whole


def test_without_music21_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(MissingExtra, match=r"componium\[notation\]"):
        open_corpus("chorales")


def test_parts_are_found_by_name_or_by_number() -> None:
    reduced = reduce_to_voices(parts("Horn 1", "soprano", "Alto Oboe", "Tenor", "Bass Continuo", "Timpani"))
    assert [(track.name, track.notes[0].pitch) for track in reduced.tracks] == [
        ("Soprano", 69), ("Alto", 62), ("Tenor", 55), ("Bass", 48)]
    assert [track.name for track in reduce_to_voices(parts("", "", "", "")).tracks] == list(VOICE_NAMES)
    for names in (("Soprano", "Alto", "Tenor"), ("", "", "", "", ""), ("Soprano", "Soprano", "Alto", "Tenor", "Bass")):
        with pytest.raises(BadInput, match="parts named"):
            reduce_to_voices(parts(*names))
    chords = parts("", "", "", "")
    chords.tracks[2].notes.append(NoteQuarter(1.0, 1.0, 40, 80))
    with pytest.raises(BadInput, match="Tenor is not monophonic"):
        reduce_to_voices(chords)


@pytest.mark.parametrize(("stated", "final", "expected"), [
    ("C major", 48, "C major"), ("A minor", 45, "A minor"), ("Eb major", 48, "C major"), (None, 45, "C major")])
def test_the_last_bass_note_decides_between_the_stated_and_the_estimated_key(
        stated: str | None, final: int, expected: str) -> None:
    score = new_score()
    for name, pitches in (("Soprano", [72, 74, 76, 77, 79, 79, 76, 72]), ("Bass", [48, 43, 48, 41, 43, 43, 48, final])):
        track = Track(name, 0, False)
        for time_beats, pitch in enumerate(pitches):
            track.notes.append(NoteQuarter(time_beats, 1, pitch, 80))
        score.tracks.append(track)
    if stated is not None:
        score.key_signatures.append(key_signature(stated))
    assert str(chorale_key(score)) == expected


def test_a_worker_that_dies_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("componium.music.parallel._START", """
import os, componium.music.formats as formats
from componium.music.score import new_score
def read(path):
    if "dies" in path:
        os._exit(3)
    print("noise")
    raise RuntimeError("a bug") if "bug" in path else formats.BadFile(path, "is bad") if "bad" in path else None
def safe(path):
    return read(path) if any(word in path for word in ("dies", "bug", "bad")) else new_score(tempo_bpm=50)
formats.read_score = safe
from componium.music.parallel import work; work()""")
    counts: list[int] = []
    results = read_scores(["a", "dies", "bug", "bad", "ü", "b"], done=counts.append, workers=2)
    told = ["score" if isinstance(result, Score) else str(result) for result in results]
    assert told[0] == told[4] == told[5] == "score"
    assert "ended the reading process" in told[1]
    assert "RuntimeError: a bug" in told[2]
    assert told[3] == "bad: is bad"
    assert isinstance(results[3], BadFile)
    assert counts == [1, 2, 3, 4, 5, 6]


def test_cancelling_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    use_few(monkeypatch, tmp_path / "cache")

    def stop(fraction: float, _message: str) -> None:
        if fraction > 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        open_corpus("chorales", progress=stop)
    assert not (tmp_path / "cache").exists()
    assert not processes_with(str(tmp_path / "cache"))


def processes_with(cache: str) -> list[str]:
    """Return the processes (of Linux) whose environment names this cache folder, this process left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and cache.encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("script", [True, False])
def test_control_c_ends_all_processes_and_leaves_no_file(script: bool, tmp_path: Path) -> None:
    pytest.importorskip("music21")
    text = ("from componium.music.corpus import open_corpus\n"
            "open_corpus('chorales', progress=lambda f, m: print(f, flush=True))\n")
    (tmp_path / "program.py").write_text(text)  # without a main guard
    environment = {**os.environ, "COMPONIUM_CACHE": str(tmp_path / "cache"), "PYTHONPATH": SOURCE}
    with subprocess.Popen([sys.executable, *([str(tmp_path / "program.py")] if script else ["-c", text])],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True) as program:
        assert program.stdout is not None
        while float(program.stdout.readline()) == 0.0:
            pass
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=20) != 0
    assert not list(tmp_path.glob("cache/**/*"))
    time.sleep(0.2)
    assert not processes_with(str(tmp_path / "cache"))


@pytest.mark.slow
def test_the_whole_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("music21")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path))
    whole = open_corpus("chorales")
    assert 340 <= len(whole) <= 350
    assert len({item.hash for item in whole}) == len(whole)
    assert whole.summary()["voices"] == {"4": len(whole)}
    assert sum(bool(item.grid.fermatas) for item in whole) >= len(whole) - 3
    assert all(item.grid.ties_known and item.grid.key for item in whole)
    assert all(to_grid(from_grid(item.grid)) == item.grid for item in whole)
    apart = apart_from_benchmark(whole)
    assert 150 < len(apart) < 200
    assert all(benchmark_part(item_fingerprints(item)) is None for item in apart)

    code = ("import sys; from componium.music.corpus import open_corpus; c = open_corpus('chorales');"
            "c[0].content; assert 'music21' not in sys.modules; print(len(c))")
    start = time.perf_counter()
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": SOURCE})
    assert int(told.stdout) == len(whole)
    assert time.perf_counter() - start < 2.0  # about 0.25 s on an idle machine
