"""The corpora that have a name instead of a path, and their collections (``essen:erk``)."""

from __future__ import annotations

import difflib

from componium.music.errors import BadInput
from componium.music.gather import Gathered
from componium.music.item import Progress

BUILT_IN = {
    "chorales": "J. S. Bach's four-part chorales from the music21 package (needs the notation extra)",
    "tunes": "Dance tunes of O'Neill, Ryan and Aird from the music21 package, each once (needs the notation extra)",
    "essen": "The Essen folk songs from the music21 package: non-commercial use only, needs --accept-licence",
}
"""Corpora that have a name instead of a path."""


def is_built_in(source: object) -> bool:
    """Return whether a source names a built-in corpus, or a collection of one."""
    return isinstance(source, str) and source.partition(":")[0] in BUILT_IN


def collections_of(name: str) -> dict[str, str]:
    """Return collection -> what it is, of a built-in corpus; none for one that is not divided."""
    if name == "tunes":
        from componium.music.tunes import BOOKS

        return dict(BOOKS)
    if name == "essen":
        from componium.music.essen import COLLECTIONS

        return dict(COLLECTIONS)
    return {}


def read_built_in(source: str, *, accept_licence: bool = False, progress: Progress | None = None) -> Gathered:
    """Read a built-in corpus, or collections of it: ``"tunes"``, ``"tunes:ryan"``, ``"essen:erk,kinder"``.

    Raises:
        BadInput: there is no such collection, or the corpus has terms that were not accepted.
        MissingExtra: it needs a package that is not installed.
    """
    name, _, part = source.partition(":")
    books = [book.strip().lower() for book in part.split(",") if book.strip()]
    if ":" in source:
        _check_collections(name, books)
    if name == "chorales":
        from componium.music.chorales import read_chorales

        return read_chorales(progress=progress)
    if name == "tunes":
        from componium.music.tunes import read_tunes

        return read_tunes(books, progress=progress)
    from componium.music.essen import TERMS, read_essen

    if not accept_licence:
        raise BadInput(f"{source}: {TERMS}. Open it with --accept-licence (in Python accept_licence=True) if you keep "
                       "to this")
    return read_essen(books, progress=progress)


def _check_collections(name: str, books: list[str]) -> None:
    known = collections_of(name)
    if not known:
        raise BadInput(f"{name} is one collection: write {name}")
    for book in books or [""]:
        if book not in known:
            near = difflib.get_close_matches(book, known, n=1)
            hint = f"did you mean {name}:{near[0]}?" if near else f"choose from {', '.join(known)}"
            raise BadInput(f"{name} has no collection {book!r}: {hint}")
