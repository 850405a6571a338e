"""Provenance: fingerprints follow the benchmark's definition, and overlaps are found in any key and
edition.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from componium.music.grid import Grid, from_grid
from componium.music.item import Item, hash_of_score
from componium.music.provenance import (
    Learned,
    benchmark_part,
    collection,
    evaluation_fingerprints,
    fingerprint,
    fingerprints_of,
    shared_with_evaluation,
    siblings,
)
from componium.music.score import merge_voices, transpose

DATA = Path(os.environ.get("COMPONIUM_BENCH_DATA", "")) / "jsb16"
needs_data = pytest.mark.skipif(not (DATA / "valid.json").is_file(), reason="COMPONIUM_BENCH_DATA is not set")


def grid(seed: int, steps: int = 96) -> Grid:
    rng = np.random.default_rng(seed)
    melody = np.repeat(60 + np.cumsum(rng.integers(-2, 3, steps // 4)) % 12, 4)
    return Grid.from_pitches(np.stack([melody + 12, melody + 5, melody - 4, melody - 16], axis=1))


def item(name: str, music: Grid) -> Item:
    score = from_grid(music)
    return Item(name, "score", score, "made here", "CC0", hash_of_score(score), grid=music)


def test_a_fingerprint_is_worked_out_as_defined() -> None:
    def run(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    melody = [60, 60, -1, 62, 64, 62, 60, -1, -1, 59, 60, 72]
    assert fingerprint(melody) == sorted([run("2,2,-2,-2,-1,1"), run("2,-2,-2,-1,1,12")])


def test_a_fingerprint_takes_only_the_opening() -> None:
    melody = np.cumsum(np.random.default_rng(0).integers(1, 100, 60)).tolist()
    assert len(fingerprint(melody)) == 35
    assert fingerprint(melody[:41]) == fingerprint(melody)
    assert len(fingerprint(melody[:40])) == 34


@pytest.mark.parametrize("melody", [[], [-1, -1], [60], [60] * 50, [60, 62, 64, 65, 67, 69]])
def test_a_short_melody_has_none(melody: list[int]) -> None:
    assert fingerprint(melody) == []
    assert not siblings(fingerprint(melody), fingerprint(melody))


def test_a_score_its_grid_and_another_key_have_the_same_fingerprints() -> None:
    one = grid(1)
    score = from_grid(one)
    assert fingerprints_of(score) == fingerprints_of(one) == fingerprints_of(transpose(score, -3))
    assert fingerprints_of(merge_voices(score)) == fingerprints_of(one)
    assert len(fingerprints_of(one)) > 5


def test_shared_pieces_and_siblings_are_told_apart() -> None:
    training = [item("a", grid(1)), item("b", grid(2))]
    raised = Grid.from_pitches(grid(2).pitches + 2)
    evaluation = [item("x", grid(1)), item("y", raised), item("z", grid(3))]
    shared = shared_with_evaluation(training, evaluation)
    assert (shared.same, shared.siblings, shared.evaluation_pieces) == (("x",), ("y",), 3)
    assert not shared.clean
    assert "1 of the 3" in shared.sentence()
    assert shared_with_evaluation(training, evaluation[2:]).clean


def test_the_record_survives_json() -> None:
    record = Learned.of([item("a", grid(1)), item("b", grid(2))])
    data = json.loads(json.dumps(record.to_json()))
    assert Learned.from_json(data) == record
    assert record.licences == {"CC0": 2}
    assert shared_with_evaluation(data, [item("again", grid(1))]).same == ("again",)
    assert shared_with_evaluation({}, [item("again", grid(1))]).clean


def test_the_shipped_fingerprints_are_complete() -> None:
    assert {part: len(pieces) for part, pieces in evaluation_fingerprints().items()} == {"valid": 76, "test": 77}
    assert benchmark_part(fingerprints_of(grid(1))) is None
    assert benchmark_part(evaluation_fingerprints()["test"][5]) == "test"


@needs_data
def test_the_benchmark_pieces_have_the_shipped_fingerprints() -> None:
    pieces = json.loads((DATA / "valid.json").read_text())
    assert [fingerprint(step[0] for step in piece) for piece in pieces] == evaluation_fingerprints()["valid"]


def test_siblings_share_seven_tenths_of_the_shorter_one():
    runs = [str(number) for number in range(10)]
    assert siblings(runs, [*runs[:7], "a", "b", "c"]) and siblings([*runs[:7], "a", "b", "c"], [*runs, "d", "e", "f"])
    assert not siblings(runs, [*runs[:6], "a", "b", "c", "d"])
    assert not siblings([], runs)


@pytest.mark.parametrize(("source", "whole"), [
    ("music21 10.5.1, bach/bwv269.mxl", "music21 10.5.1, bach"), ("folder my, own/pieces", "folder my, own"),
    ("folder x", "folder x"), ("file a/b.mid", "file a/b.mid"), ("", ""), ("a, b.mid", "a, b.mid")])
def test_the_pieces_of_a_collection_have_one_source(source: str, whole: str) -> None:
    assert collection(source) == whole


def test_sources_are_counted_by_collection(chorales: list[Item]) -> None:
    items = [dataclasses.replace(item, source=f"music21 10.5.1, bach/{n}.mxl") for n, item in enumerate(chorales)]
    assert Learned.of(items).sources == {"music21 10.5.1, bach": 5}
