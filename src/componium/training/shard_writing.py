"""Making shards from a folder of recordings: the files as they are, each with its terms in a JSON file beside it."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from componium.interface import Progress, silent
from componium.music.audio import AUDIO_EXTENSIONS
from componium.music.consent import FILE_NAME
from componium.music.corpus import Corpus
from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.item import Item

BLOCK = 512
"""Bytes of a header, and what contents are filled up to."""
ENDS = 10240
"""Bytes that a tar file is filled up to."""


def write_shards(corpus: Corpus, folder: Path, *, size_bytes: int, root: Path, force: bool = False,
                 progress: Progress = silent) -> list[Path]:
    """Write the recordings of a corpus as shards; the same files give the same bytes.

    Args:
        corpus: of one folder or file; scores in it are left out.
        folder: for ``part-000.tar``, ``part-001.tar`` and so on; it is made.
        size_bytes: about the most that a shard takes; a longer recording has one of its own.
        root: that the corpus was opened from: its name stays in those of the recordings, and its file of consent is
            copied.
        force: replace files that are there.
        progress: told of each shard.

    Raises:
        BadInput: there is no recording.
        BadFile: a file cannot be read or written, or is there already.
    """
    items = sorted((item for item in corpus if item.kind == "audio" and item.path is not None),
                   key=lambda item: item.name)
    if not items:
        raise BadInput(f"{corpus.name}: no recording to put into shards; they are made from "
                       f"{', '.join(AUDIO_EXTENSIONS)}")
    rows = [(_texts(item), item, name) for item, name in zip(items, _names(items, root), strict=True)]
    groups = _groups(rows, size_bytes)
    width = max(3, len(str(len(groups) - 1)))
    paths = [folder / f"part-{number:0{width}}.tar" for number in range(len(groups))]
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise BadFile(there[0], f"is there already ({len(there)} of {len(paths)} shards); --force replaces them")
    for number, (path, group) in enumerate(zip(paths, groups, strict=True)):
        progress(number / len(groups), f"writing {path.name}")
        with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for text, item, name in group:
                _add(tar, text, item, name)
    consent = (root if root.is_dir() else root.parent) / FILE_NAME
    if consent.is_file() and not ((target := folder / FILE_NAME).exists() and target.samefile(consent)):
        with replacing(folder / FILE_NAME) as temporary:
            shutil.copyfile(consent, temporary)
    return paths


def pattern_of(paths: Sequence[Path]) -> str:
    """Return how shards are named all at once: ``part-{000..009}.tar``."""
    if len(paths) == 1:
        return str(paths[0])
    first, last = (path.stem.removeprefix("part-") for path in (paths[0], paths[-1]))
    return str(paths[0].with_name(f"part-{{{first}..{last}}}.tar"))


def _texts(item: Item) -> bytes:
    told = {"name": item.name, "source": item.source, "licence": item.licence, "sha256": item.hash,
            "seconds": item.seconds}
    return (json.dumps(told, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "replace")


def _names(items: Sequence[Item], root: Path) -> list[str]:
    """Return a name for each file in a shard, different from all others up to its first full stop."""
    above = root.resolve().name if root.is_dir() else ""
    taken: set[str] = set()
    names = []
    for item in items:
        place = PurePosixPath(above) / item.name
        stem = str(place.with_suffix(""))
        stem = re.sub(r"\.", "_", stem).strip("/") or "recording"
        key, number = stem, 2
        while key.casefold() in taken:
            key, number = f"{stem}-{number}", number + 1
        taken.add(key.casefold())
        names.append(key + PurePosixPath(item.path or "").suffix.lower())
    return names


def _groups(rows: Sequence[tuple[bytes, Item, str]], size_bytes: int) -> list[list[tuple[bytes, Item, str]]]:
    groups: list[list[Any]] = []
    used = 0
    for row in rows:
        text, item, _ = row
        size = 4 * BLOCK + sum(-(-each // BLOCK) * BLOCK for each in (len(text), Path(item.path or "").stat().st_size))
        if not groups or used + size > size_bytes - ENDS:
            groups.append([])
            used = 0
        groups[-1].append(row)
        used += size
    return groups


def _add(tar: tarfile.TarFile, text: bytes, item: Item, name: str) -> None:
    path = Path(item.path or "")
    with open(path, "rb") as file:
        header = tarfile.TarInfo(name)  # without times, owners and rights: the same files give the same shard
        header.size = path.stat().st_size
        tar.addfile(header, file)
    words = tarfile.TarInfo(str(PurePosixPath(name).with_suffix(".json")))
    words.size = len(text)
    tar.addfile(words, io.BytesIO(text))
