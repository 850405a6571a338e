"""Songs of the built-in song books (`tunes`, `essen`), as they are read from ABC files and kept in the cache."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.cache import PackedScores, keep, pack_scores, pack_text, recall, unpack_text
from componium.music.errors import BadInput, require
from componium.music.gather import Gathered, notation_version
from componium.music.item import Item, Later, Progress, Skipped
from componium.music.score import Score

Arrays = dict[str, npt.NDArray[Any]]
Pairs = Sequence[tuple[int, int, float]]


PACKAGE_NOTE = ("music21 passes these files on by permission of their encoders and says that some of its corpus may "
                "not be used commercially; these files themselves say nothing")
"""What the licence note of music21's corpus means for files without terms of their own."""


@dataclasses.dataclass(frozen=True)
class Song:
    """One song: its name in the corpus, its book, its file below music21's corpus, its terms, hash and music."""

    name: str
    book: str
    file: str
    licence: str
    hash: str
    score: Score


@dataclasses.dataclass(frozen=True)
class Songs:
    """Songs, what could not be read of the books as (book, what, why), and pairs of near-duplicates by place."""

    songs: Sequence[Song]
    skipped: Sequence[tuple[str, str, str]] = ()
    near: Pairs = ()


def corpus_folder(purpose: str) -> Path:
    """Return the folder of music21's corpus; raises `MissingExtra` where the package is not installed."""
    return Path(str(require("music21", extra="notation", purpose=purpose).__file__)).parent / "corpus"


def kept_songs(name: str, version: int, read: Callable[[Progress], Songs], *, books: Sequence[str],
               progress: Progress | None = None) -> Gathered:
    """Return the songs of some books from the cache or, the first time, from the files.

    Args:
        name: of the cache entry.
        version: of what is made of the files.
        read: reads the files.
        books: those that are wanted; all where it is empty.
        progress: told of the reading.
    """
    stamp = f"{name} {version} music21 {notation_version()}"
    arrays = recall(name, stamp)
    if arrays is not None:
        try:
            return _unpacked(arrays, books)
        except (ValueError, KeyError, IndexError, TypeError, BadInput):
            pass  # a damaged cache is made anew
    arrays = _packed(read(progress or (lambda fraction, message: None)))
    reason = keep(name, stamp, arrays)
    found = _unpacked(arrays, books)
    if reason:
        found.remarks.append(f"the parsed songs are not kept, the next use takes as long: {reason}")
    return found


def _packed(songs: Songs) -> Arrays:
    about = [[song.name, song.book, song.file, song.licence, song.hash] for song in songs.songs]
    return {**pack_scores([song.score for song in songs.songs]),
            "about": pack_text({"songs": about, "skipped": list(songs.skipped)}),
            "near": np.array([[first, second, similarity] for first, second, similarity in songs.near],
                             np.float64).reshape(-1, 3)}


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]], books: Sequence[str]) -> Gathered:
    scores, told = PackedScores(arrays), unpack_text(arrays["about"])
    if len(scores) != len(told["songs"]):
        raise ValueError("the arrays of the songs do not fit together")
    wanted = [not books or book in books for _, book, *_ in told["songs"]]
    near = [(int(first), int(second), similarity) for first, second, similarity in arrays["near"].tolist()
            if wanted[int(first)] and wanted[int(second)]]
    twice = _twins(near)
    found = Gathered(skipped=[Skipped(name, reason) for book, name, reason in told["skipped"]
                              if not books or book in books])
    source = f"music21 {notation_version()}"
    for index, (name, _, file, licence, digest) in enumerate(told["songs"]):
        if index in twice:
            other, similarity = twice[index]
            found.skipped.append(Skipped(name, _reason(told["songs"][other][0], similarity)))
        elif wanted[index]:
            content = Later(functools.partial(scores.__getitem__, index))
            found.items.append(Item(name, "score", content,  # type: ignore[arg-type]
                                    f"{source}, {file}", licence, digest))
    if twice:
        found.remarks.append(f"{len(twice)} tunes are left out as near-duplicates of others, {len(found.items)} remain")
    return found


def _twins(near: Pairs) -> dict[int, tuple[int, float]]:
    """Return place of a song that is left out -> (place of the earlier song that stays in its stead, similarity)."""
    twice: dict[int, tuple[int, float]] = {}
    for first, second, similarity in sorted(near, key=lambda pair: (pair[1], -pair[2], pair[0])):
        if first not in twice and second not in twice:
            twice[second] = (first, similarity)
    return twice


def _reason(other: str, similarity: float) -> str:
    if similarity == 1.0:
        return f"same melody as {other}, perhaps in another key or rhythm"
    return f"nearly the same melody as {other} ({similarity:.0%} of their runs of intervals in common)"
