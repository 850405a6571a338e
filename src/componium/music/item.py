"""Item: one piece of music or one recording, with where it comes from, its terms, and a hash of the music
itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from componium.music.audio import Audio
from componium.music.grid import Grid
from componium.music.score import Score

Progress = Callable[[float, str], None]
"""Called as ``progress(fraction_done, message)``; raising an error in it stops the work."""

UNKNOWN_LICENCE = "unknown"
HASH_STEPS_PER_BEAT = 960


@dataclasses.dataclass(frozen=True)
class Later:
    """Content that is read when it is first asked for.

    Attributes:
        read: returns the content.
        keep: whether the content stays in memory afterwards (recordings do not).
    """

    read: Callable[[], Any]
    keep: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One piece of music, or one recording.

    Attributes:
        name: short name within the corpus, e.g. ``"bwv66.6"`` or ``"train.json#12"``.
        kind: ``"score"`` or ``"audio"``.
        content: the music; where a `Later` was given, it is read on first use.
        source: where it comes from.
        licence: its terms; ``"unknown"`` for a user's own files.
        hash: sha256 (hex) of the musical content (`hash_of_score`), or of the bytes of a recording.
        path: the file, where there is one.
        grid: the exact four-voice grid, where the piece has one (benchmark format, chorales).
        seconds: length of a recording.
    """

    name: str
    kind: str
    content: Score | Audio
    source: str = ""
    licence: str = UNKNOWN_LICENCE
    hash: str = ""
    path: str | None = None
    grid: Grid | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.content, Later):
            self.__dict__["_later"] = self.__dict__.pop("content")

    def __getattr__(self, name: str) -> Any:
        if name != "content" or "_later" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        later: Later = self.__dict__["_later"]
        content = later.read()
        if later.keep:
            self.__dict__["content"] = content
        return content


@dataclasses.dataclass(frozen=True)
class Skipped:
    """A file or a piece that was left out, and why."""

    name: str
    reason: str


def hash_of_score(score: Score) -> str:
    """Return the sha256 (hex) of the notes of a score.

    Onsets, durations (in 1/960 beat) and pitches, voice by voice, count; names, instruments, dynamics, tempo,
    file format and the order of the voices do not. Another key is another hash.
    """
    voices = []
    for track in score.tracks:
        notes = track.notes.numpy()
        if not len(notes["time"]):
            continue
        table = np.stack([
            np.rint(notes["time"].astype(np.float64) * HASH_STEPS_PER_BEAT),
            np.rint(notes["duration"].astype(np.float64) * HASH_STEPS_PER_BEAT),
            notes["pitch"].astype(np.float64) + (128 if track.is_drum else 0),
        ]).astype("<i8")
        voices.append(hashlib.sha256(table[:, np.lexsort(table[::-1])].tobytes()).digest())
    return hashlib.sha256(b"".join(sorted(voices))).hexdigest()
