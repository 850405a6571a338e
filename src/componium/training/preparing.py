"""The data store: what a model prepares of each item, kept in the cache.

An entry lies under the hash of the item, the model, its ``prepared_version``, the settings that it reads
(``prepares_with``, else all) and the text of the file or the folder that the model is written in (of `dsp`, too, where
it learns from recordings), so that a change of any of these makes it anew; a change elsewhere does not. A cache that is
damaged or cannot be written only costs time.

The sound of recordings is not kept again: in the place of an ``"audio"`` that is the item's own samples stands their
map in the audio store (`Mapped`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays, Progress, silent
from componium.music.cache import keep, recall
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.splits import parts_of
from componium.training.batches import check_finite
from componium.training.segments import Segment, held_out

MOST_REASONS = 3
AUDIO, IN_STORE = "audio", "audio_in_store"
"""What models call the sound of a recording, and the mark that stands for it in the cache."""
ROUNDING = 2
"""Steps of int16 by which a model's own way to whole numbers may differ from the store's."""


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
    key = key_of(model)
    used: list[Item] = []
    arrays: list[Arrays] = []
    passed_over: list[tuple[Item, str]] = []
    for number, item in enumerate(items):
        progress(number / len(items), f"preparing {item.name}")
        try:
            made = remembered(model, item, key)
        except BadInput as error:
            passed_over.append((item, str(error)))
            continue
        check_finite(made, item.name)
        used.append(item)
        arrays.append(made)
    if not used:
        raise BadInput(_nothing_left(model, passed_over))
    return Prepared(tuple(used), tuple(arrays), tuple(passed_over))


def remembered(model: Any, item: Item, key: str) -> Arrays:
    """Return what was prepared of an item, from the cache where it is there."""
    if not item.hash:
        return _checked(model.prepare(item), model, item)
    name, version = entry_of(model, item, key)
    stored = recall(name, version)
    if stored is not None:
        stored.pop("version")
        return _with_map(stored, item)
    made = _without_own_sound(_checked(model.prepare(item), model, item), item)
    if "version" not in made:  # the name of the cache's own entry
        keep(name, version, made)
    return _with_map(made, item)


def entry_of(model: Any, item: Item, key: str) -> tuple[str, str]:
    """Return the name of the cache's entry of an item, and what it depends on."""
    version = f"{key} {item.hash}"
    return f"prepared/{_folder(model)}/{hashlib.sha256(version.encode()).hexdigest()[:32]}", version


class Mapped(Mapping[str, npt.NDArray[Any]]):
    """What was prepared of a part of a recording; its ``"audio"`` is the map of the store, opened when it is asked for.

    So the memory for the sound stays the system's, and thousands of recordings need no thousands of open files.
    """

    def __init__(self, features: Arrays, segment: Segment) -> None:
        self._features, self._segment = features, segment

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._segment.samples if name == AUDIO else self._features[name]

    def __iter__(self) -> Iterator[str]:
        yield AUDIO
        yield from self._features

    def __len__(self) -> int:
        return 1 + len(self._features)


def _without_own_sound(made: Arrays, item: Item) -> Arrays:
    """Return what is kept of an item: a sound that is the item's own is replaced by a mark."""
    sound = made.get(AUDIO)
    if not isinstance(item, Segment) or sound is None or sound.dtype != np.int16 or sound.shape != item.samples.shape:
        return made
    if int(np.abs(sound.astype(np.int32) - item.samples).max(initial=0)) > ROUNDING:  # changed by the model
        return made
    return {name: value for name, value in made.items() if name != AUDIO} | {IN_STORE: np.ones(1, np.uint8)}


def _with_map(arrays: Arrays, item: Item) -> Any:
    """Return what was prepared, with the map of the item's own sound where that was replaced by a mark."""
    if IN_STORE not in arrays or not isinstance(item, Segment):
        return arrays
    return Mapped({name: value for name, value in arrays.items() if name != IN_STORE}, item)


def _checked(made: Arrays, model: Any, item: Item) -> Arrays:
    if not made or not all(isinstance(value, np.ndarray) and value.dtype.kind in "biufc" for value in made.values()):
        raise TypeError(f"{type(model).__name__}.prepare({item.name}) has to return arrays of numbers")
    return made


def _folder(model: Any) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in str(model.name))[:60]


def key_of(model: Any) -> str:
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
    if getattr(cls, "learns_from", "") == "recordings":  # what it hears by
        files += sorted((Path(__file__).parents[1] / "dsp").glob("*.py"))
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
    if _of_recordings(prepared):
        return _apart(prepared, held_out(prepared.items, share, lowest=True))
    return _apart(prepared, [not part for part in parts_of(prepared.items, (share, 1 - share), "hash")])


def divided(prepared: Prepared, share: float, by: str) -> tuple[Prepared, Prepared]:
    """Return what is learned from and what is held out.

    Both are chosen by the music alone (`componium.music.splits`). Where a small corpus has nothing in the held-out
    share, a larger share is tried, so that two unrelated pieces are enough; where all are related, nothing is held
    out.

    Of recordings whole ones are held out, or parts of a single one (`segments.held_out`).

    Args:
        prepared: all.
        share: of the pieces to hold out, 0 to 1.
        by: a way of `splits.WAYS`, for scores.
    """
    nothing = prepared.only(())
    if not share or len(prepared.items) < 2:
        return prepared, nothing
    if _of_recordings(prepared):
        return _apart(prepared, held_out(prepared.items, share))
    for wider in (share, *(tenth / 10 for tenth in range(1, 10) if tenth / 10 > share)):
        parts = parts_of(prepared.items, (1 - wider, wider), by)
        if 0 < sum(parts) < len(parts):
            return _apart(prepared, [bool(part) for part in parts])
    return prepared, nothing


def _of_recordings(prepared: Prepared) -> bool:
    return all(isinstance(item, Segment) for item in prepared.items)


def _apart(prepared: Prepared, chosen: Sequence[bool]) -> tuple[Prepared, Prepared]:
    """Return what was not chosen, and what was."""
    return (prepared.only(i for i, one in enumerate(chosen) if not one),
            prepared.only(i for i, one in enumerate(chosen) if one))
