"""Shards: recordings in tar files, named one by one, with braces, or by their web addresses.

A shard is what the webdataset package reads and writes: a tar file (or one packed by gzip) in which ``NAME.flac`` and
``NAME.json`` beside it belong together. Braces stand for many: ``part-{000..099}.tar``, ``{train,more}-{0..9}.tar``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from componium.music.errors import BadFile, BadInput

ENDINGS = (".tar", ".tar.gz", ".tgz")
MOST_SHARDS = 100_000
"""That one list may name: more is a slip of the pen."""
SCHEMES = ("http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


class Shards:
    """A list of shards, nothing of which is opened yet.

    Args:
        sources: paths and addresses, with or without braces.

    Raises:
        BadInput: something else is among them, a command, or braces that cannot be read.
        BadFile: a single shard that is not there.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = tuple(sources)
        other = [source for source in sources if not is_shards(source)]
        if other:
            raise BadInput(f"{other[0]}: shards are learned from alone: put it into a shard too (componium corpus "
                           "shards), or leave it out")
        listed = list(itertools.islice(_all(sources), MOST_SHARDS + 1))
        if len(listed) > MOST_SHARDS:
            raise BadInput(f"{sources[0]}: names more than {MOST_SHARDS:,} shards")
        self.places = tuple(dict.fromkeys(listed))
        if len(self.places) == 1 and not is_url(self.places[0]) and not Path(self.places[0]).exists():
            raise BadFile(self.places[0], "no such shard")
        self.names = _names(self.places)

    @property
    def name(self) -> str:
        """Short name of the list."""
        return " + ".join(_name(source) for source in self.sources)


def is_shards(source: Any) -> bool:
    """Tell whether a word names shards: by its ending, or because it is an address or a command."""
    if not isinstance(source, str | Path):
        return False
    text = str(source)
    return is_url(text) or text.startswith("pipe:") or text.lower().endswith(ENDINGS)


def is_url(source: str) -> bool:
    """Tell whether it is an address of any kind."""
    return _SCHEME.match(source) is not None


def _all(sources: Sequence[str]) -> Any:
    for source in sources:
        _check_place(source)
        yield from (source,) if not is_url(source) and Path(source).exists() else expanded(source)


def _check_place(source: str) -> None:
    if source.startswith("pipe:") or "::" in source:
        raise BadInput(f"{source}: commands are not run: what an address says must never be executed. Name files or "
                       "addresses that begin with https://")
    scheme = _SCHEME.match(source)
    if scheme and scheme[1].lower() not in SCHEMES:
        raise BadInput(f"{source}: shards are read from files and from {'://, '.join(SCHEMES)}://, not from "
                       f"{scheme[1]}://")
    path = urlsplit(source).path if scheme else source
    if not path.lower().endswith(ENDINGS):
        raise BadInput(f"{source}: is no shard: its name has to end in {', '.join(ENDINGS)}")


def expanded(pattern: str) -> list[str]:
    """Return what a name with braces stands for, in order: ranges of numbers, ``{000..010}``, and lists, ``{a,b}``.

    Numbers have as many digits as the range is written with.

    Raises:
        BadInput: braces without a partner or within each other, or what is between them is neither.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)
    if any(sign in text for text in parts[::2] for sign in "{}"):
        raise BadInput(f"{pattern}: a brace has no partner, or braces stand within braces; write part-{{000..099}}.tar")
    choices: list[Sequence[str]] = [[text] if place % 2 == 0 else _choices(text, pattern)
                                    for place, text in enumerate(parts)]
    return ["".join(each) for each in itertools.islice(itertools.product(*choices), MOST_SHARDS + 1)]


def _choices(text: str, pattern: str) -> Sequence[str]:
    if told := _RANGE.fullmatch(text):
        first, last = int(told[1]), int(told[2])
        if first > last:
            raise BadInput(f"{pattern}: {{{text}}} runs backwards; write {{{told[2]}..{told[1]}}}")
        padded = any(len(each) > 1 and each.startswith("0") for each in told.groups())
        width = max(map(len, told.groups())) if padded else 0
        return [f"{number:0{width}d}" for number in range(first, min(last, first + MOST_SHARDS) + 1)]
    if "," in text:
        return text.split(",")
    raise BadInput(f"{pattern}: {{{text}}} is neither a range of numbers, as {{000..099}}, nor a list, as {{a,b}}")


def _name(place: str) -> str:
    """Return the name of a shard without its folder; of an address also without what follows a question mark."""
    return PurePosixPath(unquote(urlsplit(place).path)).name if is_url(place) else Path(place).name


def _names(places: Sequence[str]) -> tuple[str, ...]:
    """Return a different name for each shard: its file's, or with its folder's where two have one."""
    names = [_name(place) for place in places]
    if len(set(names)) == len(names):
        return tuple(names)
    longer = [f"{PurePosixPath(unquote(urlsplit(p).path)).parent.name if is_url(p) else Path(p).parent.name}/{name}"
              for p, name in zip(places, names, strict=True)]
    return tuple(longer if len(set(longer)) == len(longer) else
                 [f"{number}:{name}" for number, name in enumerate(names)])
