"""Reading and writing scores by file extension: MIDI, ABC, MusicXML, kern, and the four-voice grid JSON.

Only kern needs the extra ``notation`` (music21).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from componium.music.abc import parse_abc, parse_tune, tune_lines
from componium.music.abc_text import abc_text
from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.grid import Grid, from_grid, to_grid
from componium.music.item import hash_of_score
from componium.music.midi import midi_bytes, read_midi
from componium.music.origin import Origin
from componium.music.score import Score

MIDI_EXTENSIONS = (".mid", ".midi")
NOTATION_EXTENSIONS = (".musicxml", ".xml", ".mxl", ".krn")
SCORE_EXTENSIONS = (*MIDI_EXTENSIONS, ".abc", *NOTATION_EXTENSIONS, ".json")
"""What `read_score` reads."""
WRITTEN_EXTENSIONS = tuple(extension for extension in SCORE_EXTENSIONS if extension != ".krn")
"""What `write_score` writes."""


def is_score_path(path: str | Path) -> bool:
    """Return whether a file is a score by its extension (upper or lower case)."""
    return Path(path).suffix.lower() in SCORE_EXTENSIONS


def read_score(path: str | Path) -> Score:
    """Read a score file of any of `SCORE_EXTENSIONS`; of a file with several pieces, the first.

    A file without notes gives a score without notes. Raises `BadFile` with the reason where it cannot be
    read, and `MissingExtra` where the format needs the notation extra.
    """
    extension = _check_readable(path)
    if extension in MIDI_EXTENSIONS:
        return read_midi(path)
    if extension == ".abc":
        return read_abc(path, most=1)[0]
    if extension == ".json":
        return from_grid(read_grid_json(path)[0])
    from componium.music.notation import read_notation

    return read_notation(path)


def write_score(score: Score, path: str | Path, *, origin: Origin | None = None) -> None:
    """Write a score by the extension of ``path``; the file is complete or absent.

    Every file but the JSON grid, which has no room, carries its origin; without one it says "not recorded".
    The title is the origin's, else the file's name. The JSON grid is on 16ths with four voices. Raises
    `BadFile` for an extension that cannot be written or a place that cannot be written to, and `BadInput`
    where the score does not fit the format.
    """
    extension = Path(path).suffix.lower()
    origin = origin or Origin()
    title = (origin.title or Path(path).stem).encode("utf-8", "replace").decode()  # names of files are not always text
    origin = dataclasses.replace(origin, title=title)
    if extension in MIDI_EXTENSIONS:
        data = midi_bytes(score, origin=origin)
    elif extension == ".abc":
        text = abc_text(score, title=origin.title)
        data = origin.into(text.encode(), ".abc", music=_hash_of_abc(text))
    elif extension == ".json":
        write_grid_json([to_grid(score)], path)
        return
    elif extension in (".musicxml", ".xml", ".mxl"):
        from componium.music.musicxml import musicxml_bytes

        data = musicxml_bytes(score, title=origin.title, compressed=extension == ".mxl", origin=origin)
    else:
        raise BadFile(path, f"has an extension that cannot be written: use one of {', '.join(WRITTEN_EXTENSIONS)}")
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _hash_of_abc(text: str) -> str:
    """Return the hash of the music as it will be read again; empty where that cannot be."""
    try:
        return hash_of_score(parse_abc(text)[0])
    except BadInput:
        return ""


def read_abc(path: str | Path, *, most: int | None = None) -> list[Score]:
    """Read every tune of an ABC file, or the first ones; raises `BadFile` with the line where one cannot be read."""
    text = read_text(path)
    try:
        return [parse_tune(lines) for lines in tune_lines(text)[:most]]
    except BadInput as error:
        raise BadFile(path, str(error)) from error


def read_grid_json(path: str | Path) -> list[Grid]:
    """Read pieces of four-voice pitches on a 16th grid, -1 for a rest: a list of pieces, or one piece.

    A piece is a list of steps, a step a list of MIDI pitches, high to low (the format of the JSB-16
    benchmark). The numbers alone are read: ties are not known. Raises `BadFile` with the piece that is wrong.
    """
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadFile(path, f"is not JSON, or cut short{place}") from error
    if not isinstance(content, list) or not content:
        raise BadFile(path, "holds no list of pieces: give [[[soprano, alto, tenor, bass], ...], ...]")
    pieces = content if _depth(content) == 3 else [content]
    grids = []
    for number, piece in enumerate(pieces):
        try:
            grids.append(Grid.from_pitches(piece))
        except BadInput as error:
            raise BadFile(path, f"piece {number + 1} is no grid: {error}") from error
    return grids


def write_grid_json(grids: Sequence[Grid], path: str | Path) -> None:
    """Write grids as a list of pieces; only pitches are kept. Raises `BadInput` off a 16th grid."""
    for grid in grids:
        if grid.steps_per_beat != 4:
            raise BadInput(f"grid JSON has 4 steps a beat, not {grid.steps_per_beat}")
    with replacing(path) as temporary:
        pieces = [np.asarray(grid.pitches).tolist() for grid in grids]
        temporary.write_text(json.dumps(pieces, separators=(",", ":")), encoding="utf-8")


def _check_readable(path: str | Path) -> str:
    """Return the extension of a file that is there; raise `BadFile` for anything that is no score file."""
    file = Path(path)
    if file.is_dir():
        raise BadFile(path, "is a folder, not a score file")
    if not is_score_path(file):
        known = ", ".join(SCORE_EXTENSIONS)
        raise BadFile(path, f"is not a score by its extension: use one of {known}")
    if not file.exists():
        raise BadFile(path, "does not exist")
    return file.suffix.lower()


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8 or else Latin-1 (older ABC); raise `BadFile` where it is no text."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    if not data.strip():
        raise BadFile(path, "is empty")
    if b"\0" in data:
        raise BadFile(path, "is not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _depth(content: object) -> int:
    depth = 0
    while isinstance(content, list) and content:
        content, depth = content[0], depth + 1
    return depth
