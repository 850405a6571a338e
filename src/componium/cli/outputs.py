"""Where results go: checked before the work begins, so that nothing is lost and nothing is overwritten."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from componium.music.errors import BadFile, BadInput

PICTURES = (".png", ".svg")
SOUNDS = (".wav", ".flac", ".ogg")


def check_file(path: Path, *, force: bool) -> None:
    """Raise `BadFile` where a file may not or cannot be written.

    Args:
        path: the file to come.
        force: whether a file that is there may be replaced.
    """
    if path.is_dir():
        raise BadFile(path, "is a folder; name a file")
    if path.exists() and not force:
        raise BadFile(path, "is there already; --force replaces it, --out NAME writes another")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise BadFile(folder, "is a file, so nothing can be written below it")
    if not os.access(folder, os.W_OK):
        raise BadFile(path, f"cannot be written: no permission in {folder}")


def check_files(paths: Sequence[Path], *, force: bool) -> None:
    """Check several files; see `check_file`."""
    for path in paths:
        check_file(path, force=force)


def extension_of(path: Path, known: Sequence[str], what: str) -> str:
    """Return a file's extension in lower case, or raise `BadInput` with those that can be written."""
    extension = path.suffix.lower()
    if extension not in known:
        told = f"the ending {extension} names no format for {what}" if extension else "has no ending to name a format"
        raise BadInput(f"{path}: {told}; use one of {', '.join(known)}")
    return extension


def check_score_format(path: Path) -> None:
    """Raise where a score cannot be written under that name: its ending is unknown."""
    from componium.music.formats import WRITTEN_EXTENSIONS

    extension_of(path, (*WRITTEN_EXTENSIONS, *PICTURES), "scores")


def out_path(out: Path | None, default: str) -> Path:
    """Return the file to write: as asked for, the default name in the folder asked for, or the default name here."""
    if out is None:
        return Path(default)
    return out / default if out.is_dir() or str(out).endswith(("/", os.sep)) else out


def numbered(path: Path, count: int) -> list[Path]:
    """Return ``count`` names: the path itself, or ``a-1.mid``, ``a-2.mid`` and so on."""
    if count == 1:
        return [path]
    width = len(str(count))
    return [path.with_name(f"{path.stem}-{number:0{width}}{path.suffix}") for number in range(1, count + 1)]


def write_piece(score: Any, path: Path, title: str, origin: Any = None, *, view: str = "roll") -> None:
    """Write a score by the file's ending: a score format, or a picture of it.

    Args:
        score: the music.
        path: the file.
        title: of a picture; a score has the title of its origin, else the file's name.
        origin: what made it (`music.origin.Origin`); none = not recorded.
        view: of a picture: ``"roll"``, or ``"score"`` for staves.
    """
    if path.suffix.lower() in PICTURES:
        from componium.music.origin import Origin
        from componium.music.picture import engraved, piano_roll

        show = engraved if view == "score" else piano_roll
        show(score, path, title=title, origin=dataclasses.replace(origin or Origin(), title=title))
        return
    from componium.music.formats import write_score

    write_score(score, path, origin=origin)


def write_text(path: Path, text: str) -> None:
    """Write a text file; it appears complete or not at all. What is no text (in names of files) becomes a ?."""
    from componium.music.files import replacing

    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def write_json(path: Path, data: Any) -> None:
    """Write JSON; the file appears complete or not at all."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
