"""The built-in corpus ``tunes``: dance tunes and songs of Ireland, Scotland and America in one voice, from three
printed collections in the music21 package.

O'Neill's Music of Ireland (Chicago 1903, "1850 melodies"), Ryan's Mammoth Collection (Boston 1883) and Aird's
Selection of Scotch, English, Irish and Foreign Airs (Glasgow 1778-1801), typed in as ABC by many people. The prints
are in the public domain; what may be done with the files is stated nowhere. A tune that stands in several
collections, in another key or with small changes, is kept once (`duplicates`), in the order above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from componium.music.abc_book import Tune, tunes_of
from componium.music.duplicates import melody_of, near_pairs, runs_of
from componium.music.errors import BadFile, BadInput
from componium.music.formats import read_text
from componium.music.gather import NO_NOTES, Gathered, reason_of
from componium.music.item import Progress, hash_of_score
from componium.music.rights import stated_in, stated_in_abc
from componium.music.songs import PACKAGE_NOTE, Song, Songs, corpus_folder, kept_songs

NAME = "tunes"
VERSION = 1
"""Rises whenever what is made of the files changes; the cache is then made anew."""
LICENCE = "public-domain work, encoding licence not stated"
BOOKS = {"oneill": "O'Neill's Music of Ireland, Chicago 1903", "ryan": "Ryan's Mammoth Collection, Boston 1883",
         "aird": "Aird's Selection of Airs, Glasgow 1778-1801"}
"""Collection -> what it is."""
_FOLDERS = {"oneill": "oneills1850", "ryan": "ryansMammoth", "aird": "airdsAirs"}
"""Collection -> folder in music21's corpus."""
_MISPRINTS = (("0732-0758_bs", "K:Bn", "K:Bm"), ("0732-0758_mh", "K:Bn", "K:Bm"))
"""(file, what it says, what was meant)."""


def read_tunes(books: Sequence[str] = (), *, progress: Progress | None = None) -> Gathered:
    """Return the tunes of some of the collections (`BOOKS`), by default of all.

    Raises:
        BadInput: there is no such collection.
        MissingExtra: music21 is not installed.
    """
    unknown = [book for book in books if book not in BOOKS]
    if unknown:
        raise BadInput(f"tunes has no collection {unknown[0]!r}: choose from {', '.join(BOOKS)}")
    found = kept_songs(NAME, VERSION, _read, books=books, progress=progress)
    found.remarks.append(PACKAGE_NOTE)
    return found


def _read(progress: Progress) -> Songs:
    folder = corpus_folder("The tunes corpus")
    files = [(book, path) for book, name in _FOLDERS.items() for path in sorted((folder / name).glob("*.abc"))]
    songs: list[Song] = []
    skipped: list[tuple[str, str, str]] = []
    names: set[str] = set()
    for number, (book, path) in enumerate(files):
        if number % 10 == 0:
            progress(number / len(files), f"reading {path.parent.name} (once; then the tunes are kept)")
        for name, tune, reason in _tunes_of(book, path):
            name = unused(name, names)
            if tune is None or tune.score is None:
                skipped.append((book, name, reason))
                continue
            licence = stated_in_abc(tune.fields) or stated_in(path) or LICENCE
            songs.append(Song(name, book, f"{path.parent.name}/{path.name}", licence, hash_of_score(tune.score),
                              tune.score))
    progress(1.0, "looking for tunes that are written down twice")
    return Songs(songs, skipped, near_pairs([runs_of(melody_of(song.score)) for song in songs]))


def _tunes_of(book: str, path: Path) -> Iterator[tuple[str, Tune | None, str]]:
    """Yield (name, tune, why it cannot be used) of each tune of a file."""
    try:
        text = read_text(path)
        for file, wrong, right in _MISPRINTS:
            text = text.replace(wrong, right) if file == path.stem else text
        tunes = tunes_of(text)
    except (BadFile, BadInput) as error:
        yield f"{book}-{path.stem}", None, reason_of(error)
        return
    for tune in tunes:
        name = f"{book}-{path.stem}" if book == "ryan" else f"{book}-{tune.number.lstrip('0') or '0'}"
        empty = tune.score is not None and not tune.score.note_num()
        yield name, None if empty else tune, NO_NOTES if empty else tune.reason


def unused(name: str, names: set[str]) -> str:
    """Return the name, with a number where it is taken already, and take it."""
    stem, number = re.sub(r"\s+", "_", name), 2
    name = stem
    while name in names:
        name, number = f"{stem}-{number}", number + 1
    names.add(name)
    return name
