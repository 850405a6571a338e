"""The built-in corpus ``essen``: folk songs of the Essen collection, most of them German, and others from Alsace,
Lorraine, Luxembourg, China and elsewhere, as ABC files in the music21 package (translated from EsAC by Seymour Shlien).

Each line of a song is one phrase, which is marked at its end. EsAC states the tonic of a song but not its mode; the
mode is the one in which the fewest notes need an accidental. The Essen archive has permitted non-commercial
distribution and use; the legal status of the encodings is otherwise unclear, so that the corpus opens only for
somebody who has accepted this.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from componium.music.abc_book import Tune, tunes_of
from componium.music.errors import BadInput
from componium.music.formats import read_text
from componium.music.gather import NO_NOTES, Gathered
from componium.music.item import Progress, hash_of_score
from componium.music.keys import Key
from componium.music.score import Score, key_signature, key_signature_of
from componium.music.songs import Song, Songs, corpus_folder, kept_songs
from componium.music.tunes import unused

NAME = "essen"
VERSION = 1
"""Rises whenever what is made of the files changes; the cache is then made anew."""
FOLDER = "essenFolksong"
LICENCE = "non-commercial use and distribution only (Essen archive; status of the encodings otherwise unclear)"
TERMS = ("the Essen folk songs may be used and passed on for non-commercial purposes only, by permission of the Essen "
         "archive; the legal status of the encodings is otherwise unclear")
COLLECTIONS = {
    "altdeu": "Old German songs (Böhme, Altdeutsches Liederbuch)", "ballad": "German ballads",
    "boehme": "Böhme, Volkstümliche Lieder", "dva": "German Folk Song Archive, Freiburg",
    "erk": "Erk and Böhme, Deutscher Liederhort", "fink": "Fink, Musikalischer Hausschatz",
    "folkhaydn": "Folk songs that Haydn arranged", "han": "Songs of the Han, China", "irl": "Irish songs",
    "kinder": "Children's songs", "lot": "Songs of Lorraine (Pinck)", "lux": "Songs of Luxembourg",
    "test": "Variants of one song", "variant": "Variants", "zuccal": "Zuccalmaglio",
}
"""Collection -> what it is; the files are named after it, with numbers."""
_MODES = ("major", "minor", "dorian", "mixolydian", "phrygian", "lydian")
"""In this order, where two modes need as many accidentals."""
_LOST = re.compile(r"(?:^|[\s|])\d")
"""A length without a note before it: the translation has dropped letters that it could not write."""


def read_essen(books: Sequence[str] = (), *, progress: Progress | None = None) -> Gathered:
    """Return the songs of some of the `COLLECTIONS`, by default of all.

    Raises:
        BadInput: there is no such collection.
        MissingExtra: music21 is not installed.
    """
    books = [book.lower() for book in books]
    unknown = [book for book in books if book not in COLLECTIONS]
    if unknown:
        raise BadInput(f"essen has no collection {unknown[0]!r}: choose from {', '.join(COLLECTIONS)}")
    found = kept_songs(NAME, VERSION, _read, books=books, progress=progress)
    if not books:
        counts = Counter(item.name.partition("-")[0] for item in found.items)
        found.remarks.append("collections (essen:NAME opens one): "
                             + ", ".join(f"{book} {counts[book]}" for book in COLLECTIONS if counts[book]))
    return found


def _read(progress: Progress) -> Songs:
    paths = sorted((corpus_folder("The essen corpus") / FOLDER).glob("*.abc"),
                   key=lambda path: (collection_of(path) == "test", path.name))  # what it repeats is kept elsewhere
    songs: list[Song] = []
    skipped: list[tuple[str, str, str]] = []
    names: set[str] = set()
    for number, path in enumerate(paths):
        progress(number / len(paths), f"reading {path.name} (once; then the songs are kept)")
        book = collection_of(path)
        for tune in _tunes(path):
            name = unused(f"{book}-{next(iter(tune.fields.get('N', ())), '') or tune.number}", names)
            reason = tune.reason or _damage(tune)
            if tune.score is None or reason:
                skipped.append((book, name, reason))
                continue
            score = with_mode(tune.score)
            songs.append(Song(name, book, f"{FOLDER}/{path.name}", LICENCE, hash_of_score(score), score))
    return Songs(songs, skipped)


def _tunes(path: Path) -> list[Tune]:
    try:
        return tunes_of(read_text(path), lines_are_phrases=True)
    except BadInput as error:
        return [Tune("", 0, {}, None, str(error))]


def collection_of(path: Path) -> str:
    """Return the collection that a file belongs to: its name without numbers."""
    stem = path.stem.rstrip("0123456789").lower()
    return next((name for name in COLLECTIONS if stem.startswith(name)), stem)


def _damage(tune: Tune) -> str:
    """Return why a song that was read is not as it was meant; empty where nothing speaks against it."""
    if tune.score is not None and not tune.score.note_num():
        return NO_NOTES
    key = next(iter(tune.fields.get("K", ())), "")
    if not re.fullmatch(r"[A-G][#b]?m?", key):
        return f"the key {key!r} is none of ABC, and notes have lost their letters"
    if any(_LOST.search(line) for line in tune.music):
        return "notes have lost their letters: a length stands without one"
    return ""


def with_mode(score: Score) -> Score:
    """Return the song with the key signature of the mode in which the fewest notes (by length) need an accidental."""
    stated = key_signature_of(score)
    if stated is None or stated.mode != "major" or not score.note_num():
        return score
    weights = np.zeros(12)
    for track in score.tracks:
        notes = track.notes.numpy()
        np.add.at(weights, notes["pitch"].astype(np.int64) % 12, notes["duration"].astype(np.float64))
    keys = [Key.of(stated.tonic_pitch_class, mode) for mode in _MODES]
    outside = [weights[[pitch not in key.scale for pitch in range(12)]].sum() for key in keys]
    changed = score.copy()
    changed.key_signatures.clear()
    changed.key_signatures.append(key_signature(keys[int(np.argmin(np.round(outside, 6)))]))
    return changed
