"""Reading a shard once, from its beginning to its end, into files of the audio store.

The tar file itself is never kept: of each recording in it a copy lies on the disk while it is converted. A shard that
is damaged or cut off is not taken at all, so that what is learned never depends on how far a download came.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from componium.music.audio import AUDIO_EXTENSIONS
from componium.music.audio_blocks import SoundBlocks
from componium.music.errors import BadFile
from componium.music.item import UNKNOWN_LICENCE
from componium.training.audio_store import Tell, entry_name, store
from componium.training.shards import is_url

TRIES = 3
WAIT_SECONDS = 2.0
"""Before the second try of an address; twice as long before the third."""
SILENT_SECONDS = 30.0
"""How long a server may say nothing."""
BLOCK_BYTES = 1 << 20
LARGEST_JSON, LONGEST_WORDS = 1 << 20, 500
MOST_SKIPPED = 100
"""Recordings of a shard that are named with the reason why they were left out; of the others only their number is."""


class Unreadable(Exception):
    """Why a shard cannot be read.

    Attributes:
        again: whether another try may go well.
    """

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is made of a shard: at a rate, with silence trimmed, of at most so many bytes."""

    place: str
    sample_rate_hz: int
    trim_silence_db: float
    most_bytes: int


def read_shard(wanted: Wanted, folder: Path, tell: Tell, *, tries: int = TRIES,
               wait_seconds: float = WAIT_SECONDS) -> dict[str, Any]:
    """Fill an empty folder with the recordings of a shard; returns what is known of them, as JSON.

    Addresses are tried several times.

    Raises:
        Unreadable: the shard is missing, damaged or cut off, or takes too much room.
        BadFile: the folder cannot be written.
    """
    for number in range(tries):
        try:
            return _read(wanted, folder, tell)
        except Unreadable as error:
            for path in folder.iterdir():
                path.unlink()
            if number + 1 == tries or not error.again:
                more = f" ({number + 1} tries)" if number else ""
                raise Unreadable(f"{error}{more}") from error
        time.sleep(wait_seconds * 2**number)
    raise AssertionError("there is no try left")


def _read(wanted: Wanted, folder: Path, tell: Tell) -> dict[str, Any]:
    shard = _Shard(wanted, folder)
    with _opened(wanted.place) as (stream, length):
        hashed = _Hashed(stream, length, tell, again=is_url(wanted.place))
        try:
            with tarfile.open(fileobj=hashed, mode="r|*", tarinfo=_Strict, errorlevel=1) as tar:  # type: ignore[call-overload]
                for member in tar:
                    if member.isreg() and (content := tar.extractfile(member)) is not None:
                        shard.take(member.name, member.size, content)
            hashed.drain()
        except (tarfile.TarError, EOFError) as error:
            hashed.check()
            raise Unreadable(f"is damaged or no tar file ({error})") from error
    return shard.told() | {"sha256": hashed.sha256.hexdigest(), "bytes": hashed.bytes}


@contextlib.contextmanager
def _opened(place: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a file or an address; the length is None where the server does not tell it."""
    if not is_url(place):
        try:
            with open(place, "rb") as file:
                yield file, os.fstat(file.fileno()).st_size
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror or error})") from error
        return
    request = urllib.request.Request(place, headers={"User-Agent": "componium"})
    try:
        with urllib.request.urlopen(request, timeout=SILENT_SECONDS) as answer:
            told = answer.headers.get("Content-Length")
            yield answer, int(told) if told and told.isdigit() else None
    except urllib.error.HTTPError as error:
        again = error.code >= 500 or error.code in (408, 429)
        raise Unreadable(f"the server says {error.code} {error.reason}", again) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreadable(f"the connection failed ({getattr(error, 'reason', error)})", True) from error


class _Strict(tarfile.TarInfo):
    """Headers of which a damaged one is an error: tarfile takes it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> _Strict:
        """Read a header."""
        try:
            return super().frombuf(buf, encoding, errors)  # type: ignore[return-value]
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError("a header is damaged") from error


class _Hashed:
    """A stream whose bytes are counted and hashed while they are read."""

    def __init__(self, stream: IO[bytes], length: int | None, tell: Tell, *, again: bool) -> None:
        self._stream, self._length, self._tell, self._again = stream, length, tell, again
        self.sha256, self.bytes = hashlib.sha256(), 0

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        """Read some bytes."""
        block = self._stream.read(size)
        self.sha256.update(block)
        self.bytes += len(block)
        if self._length:
            self._tell(min(1.0, self.bytes / self._length))
        if not block:
            self.check()
        return block

    def drain(self) -> None:
        """Read to the end: the hash is that of the whole file."""
        while self.read():
            pass

    def check(self) -> None:
        """Raise where the server sent less than it promised."""
        if self._again and self._length is not None and self.bytes < self._length:
            raise Unreadable(f"was cut off after {self.bytes:,} of {self._length:,} bytes", again=True)


class _Shard:
    """The recordings of a shard on their way into a folder."""

    def __init__(self, wanted: Wanted, folder: Path) -> None:
        self._wanted, self._folder = wanted, folder
        self._bytes = 0
        self._recordings: list[dict[str, Any]] = []
        self._words: dict[str, dict[str, Any]] = {}
        self._skipped: list[list[str]] = []
        self._more = self._others = 0

    def take(self, name: str, size: int, content: IO[bytes]) -> None:
        """Take one file of the shard."""
        name = name.encode("utf-8", "replace").decode().removeprefix("./")
        extension = PurePosixPath(name).suffix.lower()
        if extension in AUDIO_EXTENSIONS:
            self._take_recording(name, size, content)
        elif extension == ".json" and size <= LARGEST_JSON:
            with contextlib.suppress(ValueError, RecursionError):
                words = json.loads(content.read())
                self._words[_key(name)] = words if isinstance(words, dict) else {}
        else:
            self._others += 1

    def _take_recording(self, name: str, size: int, content: IO[bytes]) -> None:
        if size > self._wanted.most_bytes:
            self._skip(name, "is larger than the cache of shards may be (train.shard_cache_gb)")
            return
        copy = self._folder / f"copy{PurePosixPath(name).suffix}"
        digest = self._copied(content, copy)
        entry = entry_name(digest, self._wanted.sample_rate_hz, self._wanted.trim_silence_db)
        target = self._folder / entry
        try:
            if not target.exists():
                store(SoundBlocks(copy), target, self._wanted.sample_rate_hz, self._wanted.trim_silence_db,
                      lambda _share: None)
                self._bytes += target.stat().st_size
        except BadFile as error:
            if error.path == str(target):
                raise
            self._skip(name, error.reason)
            return
        finally:
            copy.unlink()
        self._recordings.append({"name": name, "hash": digest, "entry": entry})
        if self._bytes > self._wanted.most_bytes:
            raise Unreadable(f"takes more than {self._wanted.most_bytes / 1e9:.3g} GB as sound, which is all that "
                             "train.shard_cache_gb allows: make smaller shards")

    def _copied(self, content: IO[bytes], path: Path) -> str:
        """Write one file of the shard to the disk; returns its hash."""
        digest = hashlib.sha256()
        try:
            with open(path, "wb") as file:
                while block := _block_of(content):
                    digest.update(block)
                    file.write(block)
        except OSError as error:
            raise BadFile(self._folder, f"cannot be written ({error.strerror or error})") from error
        return digest.hexdigest()

    def _skip(self, name: str, reason: str) -> None:
        if len(self._skipped) < MOST_SKIPPED:
            self._skipped.append([name, reason])
        else:
            self._more += 1

    def told(self) -> dict[str, Any]:
        """Return the recordings, their terms from the JSON beside them, and what was left out."""
        for recording in self._recordings:
            words = self._words.get(_key(recording["name"]), {})
            licence = words.get("licence", words.get("license"))
            known = isinstance(licence, str) and licence.strip()
            recording["licence"] = licence[:LONGEST_WORDS] if known else UNKNOWN_LICENCE
            source = words.get("source")
            recording["source"] = source[:LONGEST_WORDS] if isinstance(source, str) else ""
        return {"recordings": self._recordings, "skipped": self._skipped, "skipped_more": self._more,
                "other_files": self._others}


def _block_of(content: IO[bytes]) -> bytes:
    """Read on; a connection that fails is no fault of the disk."""
    try:
        return content.read(BLOCK_BYTES)
    except OSError as error:
        raise Unreadable(f"the connection failed ({error})", True) from error


def _key(name: str) -> str:
    """Return what files that belong together have in common: all up to the first full stop of the file's name."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"
