"""The built-in corpus ``chorales``: J. S. Bach's four-part chorales, from the files of the music21 package.

music21's list follows the Riemenschneider edition: 371 numbers, about 350 files. Each chorale is reduced to
its four singing voices; holds are told from repeats, fermatas are markers (with a phrase end where the held
chord ends), the pickup, the meter and the key are kept. The first use parses all files in parallel and keeps
the result in one cache file; from then on nothing is parsed and music21 is not imported.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.cache import PackedScores, keep, pack_scores, pack_text, recall, unpack_text
from componium.music.errors import BadInput, ComponiumError, require
from componium.music.gather import Gathered, notation_version, reason_of
from componium.music.grid import REST, Grid, to_grid
from componium.music.item import Item, Later, Progress, Skipped, hash_of_score
from componium.music.parallel import read_scores
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    VOICE_NAMES,
    Score,
    TextMeta,
    Track,
    key_signature,
    key_signature_of,
    note_ends,
    quantise,
)
from componium.music.songs import PACKAGE_NOTE
from componium.music.theory import Key, key_of
from componium.music.voices import is_monophonic

NAME = "chorales"
LICENCE = "public-domain work, encoding licence not stated"
PURPOSE = "The chorales corpus"
VERSION = 2
"""Rises whenever what is made of the files changes; the cache is then made anew."""
STEPS_PER_BEAT = 4
MOST_SILENCE = 0.25
"""Share of the time in which all voices may rest; above it the chorale alternates with instruments left out
here.
"""


@dataclasses.dataclass(frozen=True)
class Chorale:
    """One chorale as it is kept in the cache: `rounded_notes` is how many notes the 16th grid moves."""

    name: str
    file: str
    score: Score
    grid: Grid
    rounded_notes: int
    hash: str


def read_chorales(*, progress: Progress | None = None) -> Gathered:
    """Return the chorales, from the cache or, the first time, from the files.

    Raises:
        MissingExtra: music21 is not installed.
    """
    version = f"chorales {VERSION} music21 {notation_version()}"
    arrays = recall(NAME, version)
    if arrays is not None:
        try:
            return _with_note(_unpacked(arrays))
        except (ValueError, KeyError, IndexError, TypeError, BadInput):
            pass  # a damaged cache is made anew
    chorales, skipped = _parsed(progress)
    arrays = _packed(chorales, skipped)
    reason = keep(NAME, version, arrays)
    found = _unpacked(arrays)
    if reason:
        found.remarks.append(f"the parsed chorales are not kept, the next use takes as long: {reason}")
    return _with_note(found)


def _with_note(found: Gathered) -> Gathered:
    found.remarks.append(PACKAGE_NOTE)
    return found


def chorale_files() -> tuple[list[tuple[str, Path]], list[Skipped]]:
    """Return (name, file) of each chorale of music21's list once, and the numbers that repeat a file."""
    package = require("music21", extra="notation", purpose=PURPOSE)
    numbered = require("music21.corpus.chorales", extra="notation", purpose=PURPOSE).Iterator(returnType="filename")
    folder = Path(str(package.__file__)).parent / "corpus"
    first: dict[str, int] = {}
    files, skipped = [], []
    for number, title in enumerate(numbered, 1):
        name = str(title).rpartition("/")[2]
        earlier = first.setdefault(name, number)
        if earlier != number:
            skipped.append(Skipped(f"{name} (no. {number})", f"same file as no. {earlier}"))
            continue
        paths = [folder / f"{title}{extension}" for extension in (".mxl", ".xml", ".musicxml", ".krn")]
        paths += sorted((folder / str(title)).parent.glob(f"{name}*"))  # some names are cut short in the list
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            skipped.append(Skipped(name, "music21 has no file of it"))
        else:
            files.append((name, path))
    return files, skipped


def reduce_to_voices(score: Score) -> Score:
    """Return the score with its four singing voices only, named Soprano, Alto, Tenor and Bass.

    Parts are found by their names (other parts are left out), or taken high to low where there are just four.

    Raises:
        BadInput: there are no such four parts, or one of them is not monophonic.
    """
    parts = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    chosen = [[part for part in parts if part.name.strip().lower().startswith(voice.lower())] for voice in VOICE_NAMES]
    if not any(chosen) and len(parts) == len(VOICE_NAMES):
        chosen = [[part] for part in parts]
    reduced = score.copy()
    reduced.tracks.clear()
    for voice, found in zip(VOICE_NAMES, chosen, strict=True):
        if len(found) != 1:
            names = ", ".join(part.name or "unnamed" for part in parts)
            raise BadInput(f"has {len(found)} parts named {voice} (parts: {names})")
        if not is_monophonic(found[0]):
            raise BadInput(f"{voice} is not monophonic")
        track = found[0].copy()
        track.name = voice
        reduced.tracks.append(track)
    return reduced


def chorale_key(score: Score) -> Key:
    """Return the key of a chorale in four voices, Bass last.

    The signatures of these files cannot be trusted alone (modal tunes, and defaults of the notation program),
    nor can an estimate from the notes tell every key from its fifth or its relative. Where the two disagree,
    the one whose tonic is the last bass note is taken; where neither is, the estimate.
    """
    estimate, _ = key_of(score)
    stated = key_signature_of(score)
    final = max(score.tracks[-1].notes, key=lambda note: note.time).pitch % 12
    if stated is not None and stated.tonic_pitch_class == final != estimate.tonic_pitch_class:
        return stated
    return estimate


def _parsed(progress: Progress | None) -> tuple[list[Chorale], list[Skipped]]:
    if progress is not None:
        progress(0.0, "looking for the chorales")
    files, skipped = chorale_files()

    def done(count: int) -> None:
        if progress is not None:
            progress(count / len(files), f"parsed {count} of {len(files)} chorales (once; then they are kept)")

    results = read_scores([os.fspath(path) for _, path in files], done=done)
    chorales = []
    for (name, path), result in zip(files, results, strict=True):
        try:
            if isinstance(result, ComponiumError):
                raise result
            chorales.append(_chorale(name, path.name, result))
        except ComponiumError as error:
            skipped.append(Skipped(name, reason_of(error)))
    return chorales, skipped


def _chorale(name: str, file: str, score: Score) -> Chorale:
    score = reduce_to_voices(score)
    score.key_signatures.clear()
    score.key_signatures.append(key_signature(chorale_key(score)))
    _mark_phrases(score)
    _, rounding = quantise(score, steps_per_beat=STEPS_PER_BEAT)
    grid = to_grid(score, steps_per_beat=STEPS_PER_BEAT)
    silence = float((grid.pitches == REST).all(axis=1).mean())
    if silence > MOST_SILENCE:
        raise BadInput(f"all voices rest for {silence:.0%} of the time, where instruments play alone")
    return Chorale(name, file, score, grid, rounding.moved_notes, hash_of_score(score))


def _mark_phrases(score: Score) -> None:
    """Add a phrase end where each chord with a fermata ends in the soprano."""
    soprano: Track = score.tracks[0]
    ends = note_ends(soprano)
    starts = soprano.notes.numpy()["time"].astype(np.float64)
    for time in sorted({event.time for event in score.markers if event.text == FERMATA}):
        sounding = ends[(starts <= time + 1e-3) & (ends > time + 1e-3)]
        if len(sounding):
            score.markers.append(TextMeta(float(sounding[0]), PHRASE_END))
    score.markers.sort(key=lambda event: event.time, inplace=True)


def _packed(chorales: Sequence[Chorale], skipped: Sequence[Skipped]) -> dict[str, npt.NDArray[Any]]:
    grids = [chorale.grid for chorale in chorales]
    empty = np.zeros((0, len(VOICE_NAMES)))
    about = [{"name": c.name, "file": c.file, "hash": c.hash, "rounded_notes": c.rounded_notes,
              "meter": [c.grid.numerator, c.grid.denominator], "pickup_steps": c.grid.pickup_steps,
              "key": c.grid.key, "fermatas": c.grid.fermatas} for c in chorales]
    return {
        **pack_scores([chorale.score for chorale in chorales]),
        "grid_pitches": np.concatenate([empty, *(grid.pitches for grid in grids)]).astype(np.int16),
        "grid_held": np.concatenate([empty, *(grid.held for grid in grids)]).astype(np.bool_),
        "grid_end": np.cumsum([len(grid) for grid in grids], dtype=np.int64),
        "about": pack_text({"chorales": about, "skipped": [[s.name, s.reason] for s in skipped]}),
    }


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> Gathered:
    scores, told = PackedScores(arrays), unpack_text(arrays["about"])
    found = Gathered(skipped=[Skipped(name, reason) for name, reason in told["skipped"]])
    start, source = 0, f"music21 {notation_version()}"
    if not len(scores) == len(told["chorales"]) == len(arrays["grid_end"]):
        raise ValueError("the arrays of the chorales do not fit together")
    for index, (about, end) in enumerate(zip(told["chorales"], arrays["grid_end"].tolist(), strict=True)):
        numerator, denominator = about["meter"]
        grid = Grid(arrays["grid_pitches"][start:end], arrays["grid_held"][start:end], STEPS_PER_BEAT,
                    numerator, denominator, about["pickup_steps"], about["key"], tuple(about["fermatas"]))
        content = Later(functools.partial(scores.__getitem__, index))
        found.items.append(Item(about["name"], "score", content,  # type: ignore[arg-type]
                                f"{source}, bach/{about['file']}", LICENCE, about["hash"], grid=grid))
        start = end
    rounded = Counter({about["name"]: about["rounded_notes"] for about in told["chorales"]})
    pieces = sum(count > 0 for count in rounded.values())
    if pieces:
        found.remarks.append(f"on the 16th grid {rounded.total()} notes of {pieces} pieces are rounded "
                           "(the scores keep them as they are)")
    return found
