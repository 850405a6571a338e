"""Provenance: what a model learned from, and whether that overlaps with what it is judged on.

Exact copies are found by hash. Editions differ, so siblings (the same tune in another key, metre or
harmonisation) are found by fingerprints of the opening of the melody; those of the validation and test parts
of the benchmark chorales (JSB-16) ship with the package, so that training on another edition of the same
chorales is noticed without the data.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.grid import REST, Grid
from componium.music.item import UNKNOWN_LICENCE, Item
from componium.music.score import Score, skyline, voices

RUN_INTERVALS = 6
OPENING_INTERVALS = 40
SIBLING_SHARE = 0.7
"""Share of the runs of the shorter of two pieces that makes them the same piece or close siblings."""


def fingerprint(pitches: Iterable[int]) -> list[str]:
    """Return the fingerprints of a melody: sorted hashes of short runs of intervals of its opening.

    Rests (negative) are dropped and repeated pitches collapsed; each run of 6 consecutive intervals among the
    first 40, written in semitones with commas, gives the first 12 hex digits of its sha256. Transposition,
    rhythm and holds do not matter. A melody of fewer than 6 intervals has none.
    """
    melody = np.array([pitch for pitch in pitches if pitch >= 0], np.int64)
    steps = np.diff(melody)
    intervals = [str(step) for step in steps[steps != 0][:OPENING_INTERVALS].tolist()]
    runs = (",".join(intervals[i:i + RUN_INTERVALS]) for i in range(len(intervals) - RUN_INTERVALS + 1))
    return sorted({hashlib.sha256(run.encode()).hexdigest()[:12] for run in runs})


def fingerprints_of(music: Score | Grid) -> list[str]:
    """Return the `fingerprint` of the upper voice: the first voice of a grid or of a score in monophonic
    voices, else the highest sounding notes.
    """
    if isinstance(music, Grid):
        return fingerprint(music.pitches[:, 0].tolist() if music.pitches.size else [REST])
    parts = voices(music)
    if not parts:
        return []
    notes = parts[0].notes.numpy()
    if _overlapping(notes):
        notes = skyline(music).notes.numpy()
    return fingerprint(notes["pitch"][np.argsort(notes["time"], kind="stable")].tolist())


def _overlapping(notes: Mapping[str, npt.NDArray[Any]]) -> bool:
    order = np.argsort(notes["time"], kind="stable")
    start = notes["time"][order].astype(np.float64)
    end = start + notes["duration"][order]
    return bool((start[1:] < end[:-1] - 1e-3).any())


def siblings(first: Collection[str], second: Collection[str]) -> bool:
    """Tell whether two fingerprints belong to the same piece or to close siblings."""
    shorter = min(len(first), len(second))
    return shorter > 0 and len(frozenset(first) & frozenset(second)) >= SIBLING_SHARE * shorter


@functools.cache
def evaluation_fingerprints() -> dict[str, list[list[str]]]:
    """Return the fingerprints of the benchmark chorales (JSB-16): ``"valid"`` and ``"test"`` -> one list per
    piece.
    """
    stored = json.loads((Path(__file__).parent / "data" / "jsb16_fingerprints.json").read_text(encoding="utf-8"))
    return {part: stored[part] for part in ("valid", "test")}


def benchmark_part(prints: Collection[str]) -> str | None:
    """Return ``"valid"`` or ``"test"`` where a piece with these fingerprints is in, or a sibling of a piece
    in, that part of the benchmark chorales (test is looked at first); None where it is in neither.
    """
    for part in ("test", "valid"):
        if any(siblings(prints, piece) for piece in evaluation_fingerprints()[part]):
            return part
    return None


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a model learned from, small enough for its checkpoint.

    Attributes:
        names: of the pieces.
        hashes: of their musical content.
        fingerprints: of their melodies; empty for recordings.
        licences: licence -> number of pieces.
        sources: source -> number of pieces; pieces of one collection count as one source (`collection`).
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    fingerprints: tuple[tuple[str, ...], ...]
    licences: dict[str, int]
    sources: dict[str, int]

    @classmethod
    def of(cls, items: Iterable[Item]) -> Learned:
        """Record the items of a corpus."""
        pieces = list(items)
        return cls(
            tuple(item.name for item in pieces),
            tuple(item.hash for item in pieces),
            tuple(tuple(item_fingerprints(item)) for item in pieces),
            dict(Counter(item.licence or UNKNOWN_LICENCE for item in pieces)),
            dict(Counter(collection(item.source) for item in pieces)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data, for a model's ``provenance``."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Learned:
        """Take back what `to_json` returned; what is missing is empty."""
        prints = tuple(tuple(piece) for piece in data.get("fingerprints", ()))
        return cls(tuple(data.get("names", ())), tuple(data.get("hashes", ())), prints,
                   dict(data.get("licences", {})), dict(data.get("sources", {})))


def collection(source: str) -> str:
    """Return the source of a piece without its file: ``"music21 10.5.1, bach/bwv269.mxl"`` is of
    ``"music21 10.5.1, bach"``; a source without a package in front stays as it is.
    """
    package, _, place = source.partition(", ")
    folder = place.rpartition("/")[0]
    return f"{package}, {folder}" if folder else source


def item_fingerprints(item: Item) -> list[str]:
    """Return the fingerprints of an item's melody; none for a recording."""
    if item.kind != "score":
        return []
    if item.grid is not None:
        return fingerprints_of(item.grid)
    content = item.content
    return fingerprints_of(content) if isinstance(content, Score) else []


def apart_from_benchmark(items: Iterable[Item]) -> list[Item]:
    """Return the items that are neither in the validation or test part of the benchmark chorales nor siblings."""
    return [item for item in items if benchmark_part(item_fingerprints(item)) is None]


@dataclasses.dataclass(frozen=True)
class Shared:
    """What training and evaluation have in common.

    Attributes:
        same: names of the evaluation pieces that were trained on (equal hash).
        siblings: names of the other evaluation pieces with a sibling among the training pieces.
        evaluation_pieces: how many pieces were compared.
    """

    same: tuple[str, ...]
    siblings: tuple[str, ...]
    evaluation_pieces: int

    @property
    def clean(self) -> bool:
        """Whether nothing is shared."""
        return not (self.same or self.siblings)

    def sentence(self) -> str:
        """Say it in one line."""
        if self.clean:
            return f"none of the {self.evaluation_pieces} evaluation pieces was in the training data, nor a sibling"
        return (f"{len(self.same)} of the {self.evaluation_pieces} evaluation pieces were in the training data, "
                f"{len(self.siblings)} more have a sibling there")


def shared_with_evaluation(training: Learned | Mapping[str, Any] | Iterable[Item],
                           evaluation: Iterable[Item]) -> Shared:
    """Compare what a model learned from with what it is judged on, by content hash and by melody
    fingerprints.

    Args:
        training: a `Learned` record, its JSON (a model's ``provenance``), or the training items.
        evaluation: the items of the evaluation data.
    """
    if isinstance(training, Mapping):
        training = Learned.from_json(training)
    elif not isinstance(training, Learned):
        training = Learned.of(training)
    hashes, prints = set(training.hashes), [frozenset(piece) for piece in training.fingerprints if piece]
    same, related, count = [], [], 0
    for item in evaluation:
        count += 1
        piece = frozenset(item_fingerprints(item))
        if item.hash and item.hash in hashes:
            same.append(item.name)
        elif any(siblings(piece, other) for other in prints):
            related.append(item.name)
    return Shared(tuple(same), tuple(related), count)
