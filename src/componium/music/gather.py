"""Reading whatever lies in a file or a folder into Items, and naming what could not be read.

MIDI, ABC and the four-voice grid JSON are read at once; MusicXML and kern, which are slow to parse, in
parallel and then from the cache, by the content of the file; of recordings only the header is read until they
are needed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from componium.music.abc_book import read_book
from componium.music.audio import AUDIO_EXTENSIONS, Audio
from componium.music.cache import PackedScores, keep, pack_scores, recall
from componium.music.errors import BadFile, ComponiumError
from componium.music.formats import MIDI_EXTENSIONS, SCORE_EXTENSIONS, read_grid_json, read_score
from componium.music.grid import from_grid
from componium.music.item import UNKNOWN_LICENCE, Item, Later, Progress, Skipped, hash_of_score
from componium.music.marks import MARKS_NAME, read_marks, without_marked
from componium.music.parallel import Result, read_scores
from componium.music.rights import licences_beside, stated_in, stated_in_abc, stated_in_tags
from componium.music.score import Score

NO_NOTES = "holds no notes"
LIST_NAME = "corpus.json"
"""The list of sources and licences that an export writes beside the files."""


@dataclasses.dataclass
class Gathered:
    """What was found: items, what was skipped, how many files were not music, and remarks for the report."""

    items: list[Item] = dataclasses.field(default_factory=list)
    skipped: list[Skipped] = dataclasses.field(default_factory=list)
    other_files: int = 0
    remarks: list[str] = dataclasses.field(default_factory=list)

    def extend(self, more: Gathered) -> None:
        """Take over all of another one."""
        self.items += more.items
        self.skipped += more.skipped
        self.other_files += more.other_files
        self.remarks += [text for text in more.remarks if text not in self.remarks]


def gather(root: Path, *, progress: Progress | None = None) -> Gathered:
    """Read a file, or a folder and all folders in it (hidden ones left out), in the order of the names."""
    found = Gathered()
    if root.is_dir():
        files = _files_below(root, found)
        source = f"folder {root.name or root.resolve().name}"
    else:
        files, source = [(root.name, root)], f"file {root.name}"
    by_name: dict[str, list[Item]] = {}
    slow = []
    for number, (name, path) in enumerate(files):
        extension = path.suffix.lower()
        try:
            if extension in AUDIO_EXTENSIONS:
                by_name[name] = [_recording(name, path, source)]
            elif extension == ".json":
                by_name[name] = _pieces(name, path, source)
            elif extension == ".abc":
                by_name[name] = _tunes(name, path, source, found)
            elif extension in MIDI_EXTENSIONS:
                by_name[name] = [score_item(name, read_score(path), path, source, stated_in(path))]
            elif extension in SCORE_EXTENSIONS:
                slow.append((name, path))
            elif root.is_dir():
                found.other_files += 1
            else:
                raise BadFile(path, f"is not a music file (known: {', '.join((*SCORE_EXTENSIONS, *AUDIO_EXTENSIONS))})")
        except ComponiumError as error:
            found.skipped.append(Skipped(name, reason_of(error)))
        if progress is not None and number % 50 == 0:
            progress(number / len(files), f"reading {root.name}")
    _gather_slow(slow, source, by_name, found, progress)
    listed = _listed({path.parent for _, path in files}) if root.is_dir() else {}
    items = [_as_listed(item, listed) for name, _ in files for item in by_name.get(name, ())]
    found.items = _with_terms_beside(items, root if root.is_dir() else root.parent)
    if root.is_dir() and (root / MARKS_NAME).exists():
        found.items, marked, unused = without_marked(found.items, read_marks(root / MARKS_NAME))
        found.skipped += marked
        found.remarks += [f"marks of {MARKS_NAME} that meet no item: {len(unused)}"] if unused else []
    return found


def reason_of(error: ComponiumError) -> str:
    """Return why a file was refused, without its name."""
    return error.reason if isinstance(error, BadFile) else str(error)


def score_item(name: str, score: Score, path: Path, source: str, licence: str) -> Item:
    """Return the Item of a score; raises `BadFile` for one without notes."""
    if not score.note_num():
        raise BadFile(path, NO_NOTES)
    return Item(name, "score", score, source, licence or UNKNOWN_LICENCE, hash_of_score(score), str(path))


def _files_below(root: Path, found: Gathered) -> list[tuple[str, Path]]:
    def unreadable(error: OSError) -> None:
        name = Path(error.filename or root)
        found.skipped.append(Skipped(os.path.relpath(name, root), f"cannot be opened ({error.strerror or error})"))

    files = []
    for folder, subfolders, names in os.walk(root, onerror=unreadable):
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "__"))]
        paths = [Path(folder, name) for name in names if not name.startswith(".")]
        files += [(path.relative_to(root).as_posix(), path) for path in paths]
    found.other_files += sum(path.name == LIST_NAME for _, path in files)
    return sorted((name, path) for name, path in files if path.name != LIST_NAME and name != MARKS_NAME)


def _listed(folders: Iterable[Path]) -> dict[str, tuple[str, str]]:
    """Return path -> (source, licence), as the list beside exported files says; a list of others is no list."""
    listed = {}
    for folder in folders:
        try:
            entries = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))["items"]
            for entry in entries:
                source, licence = entry["source"], entry["licence"]
                if isinstance(source, str) and isinstance(licence, str) and source and licence:
                    listed[str(folder / entry["file"])] = (source, licence)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return listed


def _with_terms_beside(items: list[Item], root: Path) -> list[Item]:
    """Return the items; those that state no terms themselves with those of a licence file in their folder or above."""
    silent = {Path(item.path).parent for item in items if item.path and item.licence == UNKNOWN_LICENCE}
    beside = licences_beside(root, silent)
    return [_changed(item, licence=beside[Path(item.path).parent])
            if item.path and item.licence == UNKNOWN_LICENCE and Path(item.path).parent in beside else item
            for item in items]


def _changed(item: Item, **changes: str) -> Item:
    """Return an item with other words about it; a recording is not read for that."""
    return dataclasses.replace(item, content=vars(item).get("_later") or item.content, **changes)  # type: ignore[arg-type]


def _as_listed(item: Item, listed: Mapping[str, tuple[str, str]]) -> Item:
    """Return the item with its listed source and licence."""
    if item.path is None or item.path not in listed:
        return item
    source, licence = listed[item.path]
    return _changed(item, source=source, licence=licence)


def _pieces(name: str, path: Path, source: str) -> list[Item]:
    items = []
    for index, grid in enumerate(read_grid_json(path)):
        score = from_grid(grid)
        if score.note_num():
            items.append(Item(f"{name}#{index}", "score", score, source, hash=hash_of_score(score), path=str(path),
                              grid=grid))
    if not items:
        raise BadFile(path, NO_NOTES)
    return items


def _tunes(name: str, path: Path, source: str, found: Gathered) -> list[Item]:
    """Return the tunes of an ABC file that can be read and have notes; the others are named as skipped."""
    tunes = read_book(path)
    if len(tunes) == 1 and tunes[0].score is None:
        raise BadFile(path, tunes[0].reason)
    items, of_file = [], stated_in(path)
    for index, tune in enumerate(tunes):
        own = name if len(tunes) == 1 else f"{name}#{index}"
        if tune.score is not None and tune.score.note_num():
            items.append(score_item(own, tune.score, path, source, stated_in_abc(tune.fields) or of_file))
        else:
            found.skipped.append(Skipped(own, tune.reason or NO_NOTES))
    return items


def _recording(name: str, path: Path, source: str) -> Item:
    import soundfile

    try:
        with soundfile.SoundFile(os.fspath(path)) as header:
            seconds, tags = header.frames / header.samplerate, header.copy_metadata()
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, RuntimeError) as error:  # soundfile's own errors are RuntimeErrors
        reason = "is empty" if path.is_file() and not path.stat().st_size else "is damaged or not a sound file"
        raise BadFile(path, reason) from error
    if seconds <= 0:
        raise BadFile(path, "holds no sound")
    content = Later(functools.partial(Audio.read, path), keep=False)
    return Item(name, "audio", content, source, stated_in_tags(tags) or stated_in(path) or UNKNOWN_LICENCE,  # type: ignore[arg-type]
                digest, str(path), seconds=seconds)


def _gather_slow(files: Sequence[tuple[str, Path]], source: str, by_name: dict[str, list[Item]], found: Gathered,
                 progress: Progress | None) -> None:
    """Take scores from the cache, parse the rest, and keep those."""
    version = f"notation 3 music21 {notation_version()}"
    keys, missing = {}, []
    results: dict[str, Result] = {}
    for name, path in files:
        try:
            keys[name] = f"scores/{hashlib.sha256(path.read_bytes()).hexdigest()}{path.suffix.lower()}"
        except OSError as error:
            found.skipped.append(Skipped(name, f"cannot be opened ({error.strerror or error})"))
            continue
        score = _cached(keys[name], version)
        if score is None:
            missing.append((name, path))
        else:
            results[name] = score
    parsed = _parse([path for _, path in missing], progress)
    for (name, _), fresh in zip(missing, parsed, strict=True):
        results[name] = fresh
        if isinstance(fresh, Score) and (reason := keep(keys[name], version, pack_scores([fresh]))):
            found.remarks = [f"parsed scores are not kept, the next reading takes as long: {reason}"]
    for name, path in files:
        try:
            result: Result | None = results.get(name)
            if isinstance(result, ComponiumError):
                raise result
            if isinstance(result, Score):
                by_name[name] = [score_item(name, result, path, source, stated_in(path))]
        except ComponiumError as error:
            found.skipped.append(Skipped(name, reason_of(error)))


def _cached(key: str, version: str) -> Score | None:
    arrays = recall(key, version)
    try:
        return PackedScores(arrays)[0] if arrays is not None else None
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def _parse(paths: Sequence[Path], progress: Progress | None) -> list[Result]:
    def done(count: int) -> None:
        if progress is not None:
            progress(count / len(paths), f"parsed {count} of {len(paths)} scores")

    return read_scores([os.fspath(path) for path in paths], done=done) if paths else []


def notation_version() -> str:
    """Return the version of music21, without importing it; ``"none"`` where it is not installed."""
    try:
        return metadata.version("music21")
    except metadata.PackageNotFoundError:
        return "none"
