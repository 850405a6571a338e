"""How far a student is: what the last check of a notebook said, kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from componium.lessons.shelf import Lesson
from componium.music.cache import cache_folder
from componium.music.errors import BadFile
from componium.music.files import replacing

MOST_KEPT = 200


def note(lesson: Lesson, path: Path, right: int) -> None:
    """Keep what a check of a notebook said; where nothing can be kept, nothing is."""
    known = _known()
    known.pop(str(path.resolve()), None)
    known[str(path.resolve())] = {"lesson": lesson.name, "hash": _hash(path), "right": right}
    newest = dict(list(known.items())[-MOST_KEPT:])
    try:
        with replacing(_place()) as temporary:
            temporary.write_text(json.dumps(newest, ensure_ascii=False), encoding="utf-8")
    except BadFile:
        return


def state_of(lesson: Lesson, path: Path | None) -> str:
    """Say how far a student is with a lesson whose notebook is ``path`` (None: not opened)."""
    if path is None:
        return "not opened in this folder"
    last = _known().get(str(path.resolve()))
    if not isinstance(last, dict) or last.get("lesson") != lesson.name:
        return f"{path}, not checked yet"
    changed = ", changed since" if last.get("hash") != _hash(path) else ""
    return f"{path}, {last.get('right')} of {len(lesson.exercises)} right{changed}"


def _place() -> Path:
    return cache_folder() / "lessons.json"


def _known() -> dict[str, Any]:
    try:
        known = json.loads(_place().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
