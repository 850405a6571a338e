"""The cache of shards: the sound of some of them on this machine's disk, never more than a limit.

Each shard has a folder of its own: files of the audio store, ``shard.json`` about them, and a list of what models have
prepared of them elsewhere in the cache. What was needed longest ago goes first. A process marks the shards that it
needs with a file that names them; no process takes away what another one has marked.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from componium.music.cache import cache_folder
from componium.music.errors import BadFile
from componium.music.files import replacing
from componium.music.item import Item, Later
from componium.training.ahead import built
from componium.training.audio_store import Tell, read_entry
from componium.training.preparing import entry_of, remembered
from componium.training.segments import Recording, Segment, segments_of
from componium.training.shard_reading import Unreadable, Wanted, read_shard
from componium.training.shards import is_url

FORMAT = 1
"""Rises when what is kept changes; older folders are then never asked for, and go in time."""
FOLDER, TOLD, USERS, PREPARED = "shards", "shard.json", "users", "prepared-"
HALF, GONE = ".half-", ".gone-"
LEFTOVER_SECONDS = 24 * 3600.0
"""Age from which a mark, or what is half-written, belongs to a process that was killed."""


class ShardCache:
    """The folder of all shards.

    Args:
        limit_bytes: of sound and of what is prepared of it.
        root: the folder; none = in the cache.

    Raises:
        BadFile: it cannot be written.
    """

    def __init__(self, limit_bytes: int, root: Path | None = None) -> None:
        self.root, self.limit_bytes = root or cache_folder() / FOLDER, limit_bytes
        self._mark = self.root / USERS / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.json"
        try:
            (self.root / USERS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadFile(self.root, f"cannot be written ({error.strerror or error}), and shards are kept there while "
                                     "they are learned from; COMPONIUM_CACHE names another cache folder") from error

    def folder(self, key: str) -> Path:
        """Return where a shard is kept."""
        return self.root / key

    def told(self, key: str) -> dict[str, Any] | None:
        """Return what is known of a shard and its recordings; None where it is not there as a whole."""
        try:
            told = json.loads((self.folder(key) / TOLD).read_text(encoding="utf-8"))
            there = all((self.folder(key) / each["entry"]).is_file() for each in told["recordings"])
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return dict(told) if there else None

    def held(self, name: str) -> Any:
        """Return a lock, for a ``with`` statement: of a shard, or of the marks."""
        from filelock import FileLock

        return FileLock(self.root / USERS / f"{name}.lock")

    # what is needed

    def need(self, keys: Iterable[str]) -> None:
        """Mark these shards, and no others, as needed by this process."""
        needed = sorted(set(keys))
        with self.held("marks"), replacing(self._mark) as temporary:
            temporary.write_text(json.dumps(needed), encoding="utf-8")
        for key in needed:
            with contextlib.suppress(OSError):
                os.utime(self.folder(key) / TOLD)

    def close(self) -> None:
        """Need nothing any more."""
        with contextlib.suppress(OSError):
            self._mark.unlink(missing_ok=True)

    def _needed(self) -> set[str]:
        needed: set[str] = set()
        for path in (self.root / USERS).glob("*.json"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                if _is_stale(path):
                    path.unlink(missing_ok=True)
                else:
                    needed |= set(json.loads(path.read_text(encoding="utf-8")))
        return needed

    # room

    def bytes_of(self, key: str) -> int:
        """Return what a shard takes, with what was prepared of it."""
        return sum(_size(path) for path in (*_files_in(self.folder(key)), *self._prepared(key)))

    def used_bytes(self) -> int:
        """Return what all shards take, half-written ones included."""
        half = sum(_size(path) for folder in self.root.glob(f"{HALF}*") for path in _files_in(folder))
        return half + sum(self.bytes_of(path.parent.name) for path in self.root.glob(f"*/{TOLD}"))

    def make_room(self, wanted_bytes: int = 0) -> None:
        """Take shards away that nobody needs, those that were needed longest ago first, until the limit is kept.

        Args:
            wanted_bytes: that are to fit in besides; less than the largest shard counts as that.
        """
        with self.held("marks"):
            needed = self._needed()
            there = sorted((path for path in self.root.glob(f"*/{TOLD}")), key=lambda path: path.stat().st_mtime_ns)
            sizes = {path.parent.name: self.bytes_of(path.parent.name) for path in there}
            wanted = max(wanted_bytes, max(sizes.values(), default=0)) if wanted_bytes else 0
            over = self.used_bytes() + wanted - self.limit_bytes
            for key, size in sizes.items():
                if over > 0 and key not in needed:
                    self._take_away(key)
                    over -= size
            self._clear_leftovers()

    def _take_away(self, key: str) -> None:
        for path in self._prepared(key):
            with contextlib.suppress(OSError):
                path.unlink()
        gone = self.root / f"{GONE}{key}-{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            os.replace(self.folder(key), gone)  # at once: half a shard is never seen
            shutil.rmtree(gone, ignore_errors=True)

    def _clear_leftovers(self) -> None:
        for path in (*self.root.glob(f"{GONE}*"), *self.root.glob(f"{HALF}*")):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    # filling

    def fill(self, key: str, wanted: Wanted, tell: Tell) -> dict[str, Any]:
        """Read a shard into its folder; whoever calls holds it.

        Raises:
            Unreadable: as `shard_reading.read_shard`.
            BadFile: the folder cannot be written.
        """
        half = self.root / f"{HALF}{key}"
        shutil.rmtree(half, ignore_errors=True)
        shutil.rmtree(self.folder(key), ignore_errors=True)
        try:
            half.mkdir()
            told = read_shard(wanted, half, tell)
            with replacing(half / TOLD) as temporary:
                temporary.write_text(json.dumps(told), encoding="utf-8")
            os.replace(half, self.folder(key))
        except OSError as error:
            raise BadFile(self.root, f"cannot be written ({error.strerror or error})") from error
        finally:
            shutil.rmtree(half, ignore_errors=True)
        return told

    def prepare(self, key: str, model_key: str, model: Any, items: Iterable[Segment]) -> None:
        """Prepare the parts of a shard into the cache, and note what belongs to it before any is there."""
        named = {entry_of(model, item, model_key)[0]: item for item in items}
        with replacing(self._list_of(key, model_key)) as temporary:
            temporary.write_text(json.dumps({"entries": list(named), "whole": False}), encoding="utf-8")
        for item in named.values():
            with contextlib.suppress(Exception):  # told by the process that trains, which meets it again
                remembered(model, item, model_key)
        with replacing(self._list_of(key, model_key)) as temporary:
            temporary.write_text(json.dumps({"entries": list(named), "whole": True}), encoding="utf-8")

    def is_prepared(self, key: str, model_key: str) -> bool:
        """Tell whether a model has nothing left to prepare of a shard."""
        try:
            return bool(json.loads(self._list_of(key, model_key).read_text(encoding="utf-8"))["whole"])
        except (OSError, ValueError, LookupError, TypeError):
            return False

    def _list_of(self, key: str, model_key: str) -> Path:
        return self.folder(key) / f"{PREPARED}{model_key[:32]}.json"

    def _prepared(self, key: str) -> list[Path]:
        found: list[Path] = []
        for path in self.folder(key).glob(f"{PREPARED}*.json"):
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                found += [cache_folder() / f"{name}.npz"
                          for name in json.loads(path.read_text(encoding="utf-8"))["entries"]]
        return found


def bring_job(job: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Bring a shard into the cache and prepare it, as a job of `componium.training.workers`."""
    cache, key = ShardCache(job["limit_bytes"], Path(job["root"])), job["key"]
    wanted = Wanted(job["place"], job["sample_rate_hz"], job["trim_silence_db"], job["limit_bytes"])
    model = job["model"]
    try:
        with cache.held(key):
            told = cache.told(key)
            if told is None:
                cache.make_room(max(1, _size(Path(wanted.place)) if not is_url(wanted.place) else 1))
                told = cache.fill(key, wanted, tell)
            if model is not None and not cache.is_prepared(key, model["key"]):
                made = built(model["module"], model["file"], model["class"], json.dumps(model["config"]))
                cache.prepare(key, model["key"], made, items_of(told, cache.folder(key), job["name"], wanted.place)[0])
        cache.make_room()
    except Unreadable as error:
        return {"failed": str(error)}
    except BadFile as error:
        return {"unwritten": str(error)}
    return {}


def items_of(told: dict[str, Any], folder: Path, name: str, place: str) -> tuple[list[Segment], list[Recording]]:
    """Return the recordings of a shard, and their parts as items."""
    segments: list[Segment] = []
    recordings = []
    beside = Path(name) if is_url(place) else Path(place)
    for each in told["recordings"]:
        path = folder / each["entry"]
        stored = read_entry(path)
        if stored is None:
            raise BadFile(path, "is damaged, or was taken out of the cache while it was needed: begin again")
        item = Item(f"{_stem(name)}/{each['name']}", "audio", Later(lambda: None), each["source"] or f"shard {name}",  # type: ignore[arg-type]
                    each["licence"], each["hash"], str(beside / each["name"]), seconds=stored.seconds)
        recordings.append(Recording(item.name, each["hash"], str(path), stored))
        segments += segments_of(item, recordings[-1])
    return segments, recordings


def _stem(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")


def _is_stale(path: Path) -> bool:
    host, _, rest = path.stem.rpartition("-")[0].rpartition("-")
    if host == socket.gethostname() and os.name == "posix":
        try:
            os.kill(int(rest), 0)
        except ProcessLookupError:
            return True
        except (OSError, ValueError):
            return False
        return False
    return time.time() - path.stat().st_mtime > LEFTOVER_SECONDS


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
