"""The data store: what a model prepares of each item, kept in the cache.

An entry lies under the hash of the item, the model, its ``prepared_version``, the settings that it reads
(``prepares_with``, else all) and the text of the file or the folder that the model is written in, so that a change of
any of these makes it anew. A cache that is damaged or cannot be written only costs time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from componium.interface import Arrays, Progress, silent
from componium.music.cache import keep, recall
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.splits import parts_of
from componium.training.batches import check_finite

MOST_REASONS = 3


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Items and what was prepared of them.

    Attributes:
        items: that can be learned from.
        arrays: one dictionary an item.
        passed_over: the others, each with its reason.
    """

    items: tuple[Item, ...]
    arrays: tuple[Arrays, ...]
    passed_over: tuple[tuple[Item, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the items."""
        return tuple(item.name for item in self.items)

    @property
    def data_hash(self) -> str:
        """Hash of the set of items: the same for the same music in any order."""
        return hashlib.sha256("\n".join(sorted(item.hash for item in self.items)).encode()).hexdigest()

    def only(self, places: Iterable[int]) -> Prepared:
        """Return the part at these places."""
        chosen = list(places)
        return Prepared(tuple(self.items[i] for i in chosen), tuple(self.arrays[i] for i in chosen), self.passed_over)


def prepared_of(model: Any, items: Sequence[Item], *, progress: Progress = silent) -> Prepared:
    """Prepare items, or take what was prepared before.

    Args:
        model: gives `prepare`.
        items: of a corpus.
        progress: told of each item.

    Raises:
        BadInput: nothing is left, with the reasons; or an array holds what is not a number.
    """
    key = _key(model)
    used: list[Item] = []
    arrays: list[Arrays] = []
    passed_over: list[tuple[Item, str]] = []
    for number, item in enumerate(items):
        progress(number / len(items), f"preparing {item.name}")
        try:
            made = _remembered(model, item, key)
        except BadInput as error:
            passed_over.append((item, str(error)))
            continue
        check_finite(made, item.name)
        used.append(item)
        arrays.append(made)
    if not used:
        raise BadInput(_nothing_left(model, passed_over))
    return Prepared(tuple(used), tuple(arrays), tuple(passed_over))


def _remembered(model: Any, item: Item, key: str) -> Arrays:
    """Return what was prepared of an item, from the cache where it is there."""
    if not item.hash:
        return _checked(model.prepare(item), model, item)
    version = f"{key} {item.hash}"
    name = f"prepared/{_folder(model)}/{hashlib.sha256(version.encode()).hexdigest()[:32]}"
    stored = recall(name, version)
    if stored is not None:
        stored.pop("version")
        return stored
    made = _checked(model.prepare(item), model, item)
    if "version" not in made:  # the name of the cache's own entry
        keep(name, version, made)
    return made


def _checked(made: Arrays, model: Any, item: Item) -> Arrays:
    if not made or not all(isinstance(value, np.ndarray) and value.dtype.kind in "biufc" for value in made.values()):
        raise TypeError(f"{type(model).__name__}.prepare({item.name}) has to return arrays of numbers")
    return made


def _folder(model: Any) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in str(model.name))[:60]


def _key(model: Any) -> str:
    """Return what an entry depends on besides the item."""
    config = dataclasses.asdict(model.config)
    fields = getattr(model, "prepares_with", None)
    read = config if fields is None else {name: config[name] for name in fields}
    told = {"model": model.name, "version": getattr(model, "prepared_version", 1), "config": read,
            "source": _source_of(type(model))}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def _source_of(cls: type) -> str:
    """Return a hash of what a class is written in: its file, and those beside it where a model is a folder of files."""
    module = inspect.getmodule(cls)
    file = Path(getattr(module, "__file__", None) or "")
    folder = cls.__module__.startswith("componium.") and cls.__module__.count(".") > 2
    files = sorted(file.parent.glob("*.py")) if folder else [file] if file.is_file() else []
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    return hashlib.sha256(f"{cls.__module__}.{cls.__qualname__}\n{text}".encode()).hexdigest()


def _nothing_left(model: Any, passed_over: Sequence[tuple[Item, str]]) -> str:
    if len(passed_over) == 1:
        return f"{model.name} cannot learn from {passed_over[0][0].name}: {passed_over[0][1]}"
    counts = Counter(reason.replace(item.name, "...") for item, reason in passed_over).most_common()
    told = [f"{count} x {reason}" for reason, count in counts[:MOST_REASONS]]
    more = [f"and {len(counts) - MOST_REASONS} other reasons"] if len(counts) > MOST_REASONS else []
    return f"{model.name} cannot learn from any of the {len(passed_over)} pieces: {'; '.join([*told, *more])}"


def set_aside(prepared: Prepared, share: float) -> tuple[Prepared, Prepared]:
    """Return what training may see, and a share of the pieces, by their hashes, that it never sees.

    They are those of the lowest hashes, and `divided` holds out the highest. Each is chosen by itself, so that
    figures stay comparable when a corpus grows, and relatives of theirs may be learned. Evaluation finds those by
    their fingerprints and gives its figures once more without them (`evaluation.likelihood.overlap_of`).
    """
    if not share or len(prepared.items) < 2:
        return prepared, prepared.only(())
    parts = parts_of(prepared.items, (share, 1 - share), "hash")
    return (prepared.only(i for i, part in enumerate(parts) if part),
            prepared.only(i for i, part in enumerate(parts) if not part))


def divided(prepared: Prepared, share: float, by: str) -> tuple[Prepared, Prepared]:
    """Return what is learned from and what is held out.

    Both are chosen by the music alone (`componium.music.splits`). Where a small corpus has nothing in the held-out
    share, a larger share is tried, so that two unrelated pieces are enough; where all are related, nothing is held
    out.

    Args:
        prepared: all.
        share: of the pieces to hold out, 0 to 1.
        by: a way of `splits.WAYS`.
    """
    nothing = prepared.only(())
    if not share or len(prepared.items) < 2:
        return prepared, nothing
    for wider in (share, *(tenth / 10 for tenth in range(1, 10) if tenth / 10 > share)):
        parts = parts_of(prepared.items, (1 - wider, wider), by)
        if 0 < sum(parts) < len(parts):
            return (prepared.only(i for i, part in enumerate(parts) if not part),
                    prepared.only(i for i, part in enumerate(parts) if part))
    return prepared, nothing
