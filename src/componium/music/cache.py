"""The cache: parsed scores kept as plain arrays, so that a corpus opens in a fraction of a second.

One cache file is an uncompressed ``.npz`` (numbers, never pickled objects): note columns for all scores
together, and everything that is not a note as JSON in one array of bytes. A file that is missing, damaged or
of another version is the same as no file: the caller makes it anew. A cache that cannot be written is
reported, never an error.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import numpy.typing as npt
from symusic.core import (
    KeySignatureQuarter,
    ScoreQuarter,
    TempoQuarter,
    TextMetaQuarter,
    TimeSignatureQuarter,
    TrackQuarter,
)

from componium.music.errors import ComponiumError
from componium.music.files import replacing
from componium.music.voices import set_notes

Arrays = dict[str, npt.NDArray[Any]]

FORMAT_VERSION = 2
"""Rises whenever packed scores, or what is read from a score file, change; older cache files are then made anew."""

_NOTE_COLUMNS = {"time": "<f4", "duration": "<f4", "pitch": "i1", "velocity": "i1"}


def cache_folder() -> Path:
    """Return the folder of the caches: ``COMPONIUM_CACHE``, or the platform's cache folder. It may not exist
    yet.
    """
    chosen = os.environ.get("COMPONIUM_CACHE", "").strip()
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("componium", appauthor=False))


def pack_text(data: Any) -> npt.NDArray[np.uint8]:
    """Return JSON data as an array of UTF-8 bytes."""
    return np.frombuffer(json.dumps(data, ensure_ascii=False).encode(), np.uint8)


def unpack_text(array: npt.NDArray[np.uint8]) -> Any:
    """Return the JSON data that `pack_text` was given."""
    return json.loads(array.tobytes().decode())


def save_arrays(target: Path | BinaryIO, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to a file or stream as ``.npz``; a file is either complete or absent."""
    if isinstance(target, Path):
        with replacing(target) as temporary, open(temporary, "wb") as stream:
            _save(stream, arrays)
    else:
        _save(target, arrays)


def _save(stream: BinaryIO, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    np.savez(stream, allow_pickle=False, **arrays)


def load_arrays(source: Path | BinaryIO) -> Arrays | None:
    """Return the arrays of a ``.npz``, checksums verified, or None where it is missing or damaged."""
    try:
        with np.load(source, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, NotImplementedError,
            zipfile.BadZipFile, SyntaxError, MemoryError, RuntimeError):
        return None


def recall(name: str, version: str) -> Arrays | None:
    """Return the arrays kept under a name, or None where there are none, or none of this version.

    Args:
        name: path of the entry below the cache folder, without extension, e.g. ``"chorales"``.
        version: what the entry was made with; any difference makes it worthless.
    """
    arrays = load_arrays(cache_folder() / f"{name}.npz")
    if arrays is None or "version" not in arrays:
        return None
    try:
        return arrays if unpack_text(arrays["version"]) == f"{FORMAT_VERSION} {version}" else None
    except (ValueError, UnicodeDecodeError):
        return None


def keep(name: str, version: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str | None:
    """Keep arrays under a name; returns None, or the reason why the cache could not be written."""
    try:
        save_arrays(cache_folder() / f"{name}.npz",
                    {**arrays, "version": pack_text(f"{FORMAT_VERSION} {version}")})
    except (ComponiumError, OSError) as error:
        return str(error)
    return None


def pack_scores(scores: Sequence[ScoreQuarter]) -> Arrays:
    """Return scores as arrays: notes, names, programs, tempos, signatures and markers (no controllers or
    pedals).
    """
    tracks = [track for score in scores for track in score.tracks]
    columns: list[Mapping[str, npt.NDArray[Any]]] = [track.notes.numpy() for track in tracks]
    arrays: Arrays = {
        f"note_{name}": np.concatenate([np.zeros(0, dtype), *(c[name] for c in columns)]).astype(dtype)
        for name, dtype in _NOTE_COLUMNS.items()
    }
    arrays["note_end"] = np.cumsum([len(c["time"]) for c in columns], dtype=np.int64)
    arrays["rest"] = pack_text([_rest_of(score) for score in scores])
    return arrays


def _rest_of(score: ScoreQuarter) -> dict[str, Any]:
    return {
        "ticks_per_quarter": score.ticks_per_quarter,
        "tracks": [[t.name, t.program, t.is_drum] for t in score.tracks],
        "tempos": [[t.time, t.mspq] for t in score.tempos],
        "time_signatures": [[t.time, t.numerator, t.denominator] for t in score.time_signatures],
        "key_signatures": [[k.time, k.key, k.tonality] for k in score.key_signatures],
        "markers": [[m.time, m.text] for m in score.markers],
    }


class PackedScores(Sequence[ScoreQuarter]):
    """Scores in arrays (`pack_scores`); each is built anew whenever it is asked for.

    Raises:
        ValueError, KeyError: the arrays do not fit together.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._columns = {name: arrays[f"note_{name}"] for name in _NOTE_COLUMNS}
        self._rest: list[dict[str, Any]] = unpack_text(arrays["rest"])
        self._first_track = np.cumsum([0, *(len(score["tracks"]) for score in self._rest)])
        self._first_note = np.concatenate([[0], arrays["note_end"]])
        counts = {len(column) for column in self._columns.values()}
        if (len(self._first_note) != self._first_track[-1] + 1 or counts != {int(self._first_note[-1])}
                or (np.diff(self._first_note) < 0).any()):
            raise ValueError("the arrays of the packed scores do not fit together")

    def __len__(self) -> int:
        return len(self._rest)

    @overload
    def __getitem__(self, index: int) -> ScoreQuarter: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScoreQuarter]: ...
    def __getitem__(self, index: int | slice) -> ScoreQuarter | list[ScoreQuarter]:
        """Build one score, or a list of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        rest = self._rest[index]
        score = ScoreQuarter(rest["ticks_per_quarter"])
        for offset, (name, program, is_drum) in enumerate(rest["tracks"]):
            track = TrackQuarter(name, program, is_drum)
            number = int(self._first_track[index]) + offset
            part = slice(int(self._first_note[number]), int(self._first_note[number + 1]))
            set_notes(track, {name: column[part] for name, column in self._columns.items()})
            score.tracks.append(track)
        for time, mspq in rest["tempos"]:
            score.tempos.append(TempoQuarter(time, mspq=mspq))
        for values in rest["time_signatures"]:
            score.time_signatures.append(TimeSignatureQuarter(*values))
        for values in rest["key_signatures"]:
            score.key_signatures.append(KeySignatureQuarter(*values))
        for values in rest["markers"]:
            score.markers.append(TextMetaQuarter(*values))
        return score
