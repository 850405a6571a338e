"""A corpus: one object for a file, a folder of scores, a folder of recordings, a built-in name, or a list of
these.

It yields `Item`s, each with its content, source, licence and a hash of the music itself, so that the same
piece in two files or two formats is one piece, and so that a split never depends on file names or on the
other pieces.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from componium.music.built_in import BUILT_IN, is_built_in, read_built_in
from componium.music.corpus_report import report_lines
from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.formats import SCORE_EXTENSIONS, WRITTEN_EXTENSIONS, write_score
from componium.music.gather import LIST_NAME, Gathered, gather
from componium.music.item import Item, Later, Progress, Skipped, hash_of_score
from componium.music.licences import classes_of, licence_class, rights_of
from componium.music.marks import Mark, read_marks, without_marked
from componium.music.origin import CONVERTED, Given, Origin, given_file, version
from componium.music.score import Score, bars, length_beats
from componium.music.splits import families_of, parts_of

__all__ = ["BUILT_IN", "Corpus", "Item", "Later", "Progress", "Skipped", "hash_of_score", "open_corpus"]

Source = str | Path


class Corpus(Sequence[Item]):
    """A sequence of Items.

    Attributes:
        name: short name.
        skipped: the files and pieces that were left out, each with its reason.
        other_files: number of files that are not music.
        remarks: what else the report says.
    """

    def __init__(self, items: Sequence[Item], *, name: str = "corpus", skipped: Sequence[Skipped] = (),
                 other_files: int = 0, remarks: Sequence[str] = ()) -> None:
        self.name = name
        self.skipped = list(skipped)
        self.other_files = other_files
        self.remarks = list(remarks)
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Corpus: ...
    def __getitem__(self, index: int | slice) -> Item | Corpus:
        """Return one item, or a corpus of several."""
        if isinstance(index, slice):
            return Corpus(self._items[index], name=self.name)
        return self._items[index]

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, {len(self)} items)"

    @property
    def licences(self) -> dict[str, int]:
        """Licence -> number of items, the most frequent first."""
        return dict(Counter(item.licence for item in self).most_common())

    def only(self, kind: str) -> Corpus:
        """Return the part of one kind: ``"score"`` or ``"audio"``."""
        return Corpus([item for item in self if item.kind == kind], name=self.name)

    def split(self, fractions: Sequence[float] = (0.8, 0.1, 0.1), *, by: str = "hash") -> tuple[Corpus, ...]:
        """Split into parts of about these sizes by the music alone, whatever its names and order.

        The same music goes to the same part in every corpus, so that adding or renaming pieces moves no other
        piece. Parts of a small corpus may differ much from the fractions, or be empty.

        Args:
            fractions: sizes of the parts, 1 in all.
            by: ``"hash"``: each piece by its content hash alone; ``"melody"``: pieces with the same melody, in any
                key, and their relatives (`splits.families_of`) stay together, so that no tune is in two parts.

        Raises:
            BadInput: the fractions are no parts of a whole, or there is no such way.
        """
        parts: list[list[Item]] = [[] for _ in fractions]
        for item, part in zip(self._items, parts_of(self._items, fractions, by), strict=True):
            parts[part].append(item)
        return tuple(Corpus(items, name=f"{self.name} (part {number} of {len(parts)})")
                     for number, items in enumerate(parts, 1))

    def summary(self) -> dict[str, Any]:
        """Return the figures of the report as JSON data."""
        scores = [item.content for item in self if item.kind == "score"]
        melodies = families_of(self.only("score"))
        pitches = [note["pitch"] for score in scores if isinstance(score, Score)
                   for track in score.tracks if not track.is_drum and len((note := track.notes.numpy())["pitch"])]
        voices = Counter(sum(not t.is_drum and len(t.notes) > 0 for t in s.tracks) for s in scores
                         if isinstance(s, Score))
        return {
            "name": self.name,
            "items": len(self),
            "scores": len(scores),
            "recordings": len(self) - len(scores),
            "bars": sum(len(bars(score)) for score in scores if isinstance(score, Score)),
            "beats": round(sum(length_beats(score) for score in scores if isinstance(score, Score)), 3),
            "notes": sum(score.note_num() for score in scores if isinstance(score, Score)),
            "seconds": round(sum(item.seconds or 0.0 for item in self if item.kind == "audio"), 3),
            "lowest_pitch": min((int(p.min()) for p in pitches), default=None),
            "highest_pitch": max((int(p.max()) for p in pitches), default=None),
            "voices": {str(count): pieces for count, pieces in sorted(voices.items())},
            "licences": self.licences,
            "licence_classes": classes_of(self.licences),
            "rights": rights_of(self.licences),
            "melody_families": len(melodies),
            "largest_family": len(melodies[0]) if melodies else 0,
            "skipped": [{"name": skipped.name, "reason": skipped.reason} for skipped in self.skipped],
            "other_files": self.other_files,
            "remarks": list(self.remarks),
        }

    def report(self) -> str:
        """Return the report as plain text; every skipped file is named with its reason."""
        return "\n".join(report_lines(self.summary()))

    def export(self, folder: Source, format: str = "mid", *, force: bool = False,  # noqa: A002
               source: str = "") -> list[Path]:
        """Write every item into a folder, and ``corpus.json`` with source, licence and hash of each.

        Args:
            folder: made where it is missing.
            format: extension of the scores, e.g. ``"mid"`` or ``"musicxml"``; recordings are copied as they
                are.
            force: whether existing files may be replaced.
            source: what `open_corpus` was given, noted in the files so that each can be made again.

        Returns:
            The files, ``corpus.json`` last.
        """
        extension = "." + format.lower().lstrip(".")
        if extension not in WRITTEN_EXTENSIONS:
            raise BadInput(f"format {format!r} cannot be written: give one of {', '.join(WRITTEN_EXTENSIONS)}")
        folder = Path(folder)
        files = [folder / name for name in _file_names(self._items, extension)]
        targets = [*files, folder / LIST_NAME]
        existing = [path for path in targets if path.exists()]
        if existing and not force:
            raise BadInput(f"{existing[0]} exists already ({len(existing)} files in all): "
                           "choose another folder, or replace them with --force")
        listing = []
        for item, path in zip(self._items, files, strict=True):
            _write_item(item, path, source or self.name)
            listing.append({"file": path.name, "name": item.name, "kind": item.kind, "source": item.source,
                            "licence": item.licence, "hash": item.hash})
        with replacing(targets[-1]) as temporary:
            text = json.dumps({"name": self.name, "items": listing}, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        return targets


def open_corpus(source: Source | Sequence[Source] | Corpus, *, accept_licence: bool = False,
                exclude: Source | None = None, progress: Progress | None = None) -> Corpus:
    """Open a file, a folder, a built-in name (or a collection, ``"essen:erk"``), or a list of these.

    A built-in name is taken before a file of that name (write ``./chorales`` for the file). Music that occurs
    twice is kept once, except within one file of the benchmark format, which stays as it is. Items that are marked
    in an ``exclude.txt`` (`marks`) of a folder are left out and named.

    Args:
        source: what to open; a `Corpus` is only taken through `exclude`.
        accept_licence: whether you keep to the terms of a built-in corpus that has some.
        exclude: a file of marks for items of any source.
        progress: told of the reading.

    Raises:
        BadFile: there is no such file or folder, the one file given cannot be read, or a file of marks is none.
        BadInput: nothing was found that can be used, or terms were not accepted.
        MissingExtra: a built-in corpus needs a package that is not installed.
    """
    marks = read_marks(exclude) if exclude is not None else []
    if isinstance(source, Corpus):
        return _without(source, marks, exclude) if marks else source
    sources = [source] if isinstance(source, (str, Path)) else list(source)
    if not sources:
        raise BadInput("an empty list is no corpus: give a file, a folder or a built-in name")
    found, names = Gathered(), []
    for number, one in enumerate(sources):
        found.extend(_open_one(one, accept_licence, _part(progress, number, len(sources))))
        names.append(str(one) if is_built_in(one) else Path(one).name or Path(one).resolve().name)
    name = " + ".join(names)
    if not found.items:
        raise _nothing(name, sources, found)
    items, twice = _unique(found.items)
    corpus = Corpus(items, name=name, skipped=found.skipped + twice, other_files=found.other_files,
                    remarks=found.remarks)
    return _without(corpus, marks, exclude) if marks else corpus


def _without(corpus: Corpus, marks: Sequence[Mark], path: Source | None) -> Corpus:
    """Return the corpus without the items that are marked in a file."""
    items, skipped, unused = without_marked(list(corpus), marks)
    if not items:
        raise BadInput(f"{corpus.name}: every item is marked to be excluded in {path}: take marks out of it")
    remarks = list(corpus.remarks)
    if unused:
        remarks.append(f"marks of {path} that meet no item: {len(unused)}, e.g. {unused[0].name or unused[0].hash}")
    return Corpus(items, name=corpus.name, skipped=corpus.skipped + skipped, other_files=corpus.other_files,
                  remarks=remarks)


def _open_one(source: Source, accept_licence: bool, progress: Progress | None) -> Gathered:
    if isinstance(source, str) and is_built_in(source):
        found = read_built_in(source, accept_licence=accept_licence, progress=progress)
        if Path(source).exists():
            found.remarks.append(f"{source!r} is the built-in corpus; for the file or folder write ./{source}")
        return found
    path = Path(source)
    if not str(source).strip():
        raise BadInput("an empty name is no corpus: give a file, a folder or a built-in name")
    if not path.exists():
        near = difflib.get_close_matches(str(source), BUILT_IN, n=1)
        hint = f"; did you mean {near[0]}?" if near else f" (built-in corpora: {', '.join(BUILT_IN)})"
        raise BadFile(source, f"no such file or folder{hint}")
    return gather(path, progress=progress)


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda fraction, message: progress((number + fraction) / count, message)


def _unique(items: Sequence[Item]) -> tuple[list[Item], list[Skipped]]:
    first: dict[str, Item] = {}
    kept, twice = [], []
    for item in items:
        other = first.setdefault(item.hash, item)
        if other is item or (item.grid is not None and item.path is not None and item.path == other.path):
            kept.append(item)
        else:
            twice.append(Skipped(item.name, f"same music as {other.name}"))
    return kept, twice


def _nothing(name: str, sources: Sequence[Source], found: Gathered) -> BadFile | BadInput:
    if len(sources) == 1 and len(found.skipped) == 1 and Path(sources[0]).is_file():
        return BadFile(sources[0], found.skipped[0].reason)
    reasons = "; ".join(f"{skipped.name}: {skipped.reason}" for skipped in found.skipped[:3])
    more = f" and {len(found.skipped) - 3} more" if len(found.skipped) > 3 else ""
    why = f", skipped {reasons}{more}" if reasons else ""
    return BadInput(f"{name}: no music that can be used ({found.other_files} other files{why}). Give a folder with "
                    "scores (.mid, .abc, .musicxml, .krn) or recordings (.wav, .flac, .ogg, .mp3)")


def _file_names(items: Sequence[Item], extension: str) -> list[str]:
    """Return a safe and different file name for each item."""
    taken: set[str] = {LIST_NAME}
    names = []
    for item in items:
        stem = item.name
        suffix = extension if item.kind == "score" else Path(item.path or item.name).suffix.lower()
        if Path(stem).suffix.lower() in (*SCORE_EXTENSIONS, suffix):
            stem = stem[:-len(Path(stem).suffix)]
        stem = re.sub(r"[^\w.+-]+", "_", stem).strip("._")[:100] or "piece"
        name, number = f"{stem}{suffix}", 2
        while name.lower() in taken:
            name, number = f"{stem}-{number}{suffix}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


@functools.lru_cache(maxsize=16)  # a book holds a thousand tunes
def _given(path: str, _changed_ns: int) -> Given:
    return given_file("piece", path)


def _write_item(item: Item, path: Path, source: str) -> None:
    content = item.content
    if isinstance(content, Score):
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = {"source": source, "item": item.name, "from": item.source, "hash": item.hash}
        given = () if item.path is None else (_given(item.path, Path(item.path).stat().st_mtime_ns),)
        write_score(content, path, origin=Origin(
            CONVERTED, version(), "corpus export", settings=settings, licence=item.licence,
            licence_class=licence_class(item.licence), given=given))
    elif item.path is not None:
        with replacing(path) as temporary:
            shutil.copyfile(item.path, temporary)
    else:
        content.write(path)
