"""`componium corpus audit`: a page to look at a corpus, hear it, and mark what is to be left out."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

import typer

from componium.cli.flags import AcceptLicence, Exclude, Force
from componium.cli.outputs import check_file
from componium.cli.show import progress_bar, quoted, say
from componium.music.errors import BadInput

if TYPE_CHECKING:
    from componium.cli.audit.page import Audit
    from componium.music.item import Item

EPILOG = """\b
Examples:
  componium corpus audit MY_MIDI_FOLDER
  componium corpus audit tunes --out audit
  componium corpus audit MY_RECORDINGS --shown 200 --out recordings.html

\b
Tick what is to be left out, save the list from the page, and put it into the folder as exclude.txt, or name it:
  componium train markov tunes --exclude exclude.txt --out my.markov"""
PAGE, SOUNDS = "index.html", "sounds"
SHOWN = 100


def audit(
    source: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A file, a folder or a built-in name.")],
    out: Annotated[Path | None, typer.Option(metavar="PAGE_OR_FOLDER", help="A folder for the page and its sounds, or "
                                                                            "a page such as audit.html.")] = None,
    exclude: Exclude = None,
    shown: Annotated[int, typer.Option(min=0, help="So many items get a score and a sound, duplicates and outliers "
                                                   "first; the others are in the table.")] = SHOWN,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Write a page to look at a corpus, hear it, and mark what is to be left out."""
    from componium.cli.audit.audited import examine
    from componium.cli.audit.page import Audit
    from componium.music.marks import MARKS_NAME, read_marks

    place = _Place(out if out is not None else Path(f"audit-{_plain(source)}"), force)
    folder = _folder_of(source)
    place.check(folder)
    marks = [mark for path in (folder / MARKS_NAME if folder is not None else None, exclude)
             if path is not None and (path == exclude or path.exists()) for mark in read_marks(path)]
    with progress_bar("reading") as progress:
        corpus, items = _opened(source, folder, accept_licence, progress)
    with progress_bar("measuring") as progress:
        found = examine(items, progress)
    known = {item.name for item in items}
    skipped = [each for each in corpus.skipped if each.name not in known]
    made = Audit(source, corpus.name, found, shown, skipped, corpus.remarks, marks, folder, accept_licence)
    place.write(made)
    _say(made, place.page, len(skipped))


def _plain(source: str) -> str:
    """Return a source as part of a file name."""
    name = source if not Path(source).exists() else Path(source).resolve().stem
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "corpus"


def _folder_of(source: str) -> Path | None:
    """Return the folder that a source names; None for a file or a built-in name."""
    from componium.music.built_in import is_built_in

    return Path(source) if not is_built_in(source) and Path(source).is_dir() else None


def _opened(source: str, folder: Path | None, accept_licence: bool, progress: Any) -> tuple[Any, list[Item]]:
    """Return the corpus, and its items with those that the marks in its folder leave out."""
    from componium.music.corpus import Corpus, open_corpus
    from componium.music.gather import gather

    try:
        corpus = open_corpus(source, accept_licence=accept_licence, progress=progress)
    except BadInput:
        skipped = gather(folder).skipped if folder is not None else []
        if not _marked_names(skipped):
            raise
        corpus = Corpus([], name=source, skipped=skipped)  # every item is marked: time to look at them again
    return corpus, [*corpus, *(_marked_items(folder, _marked_names(corpus.skipped)) if folder is not None else ())]


def _marked_names(skipped: Sequence[Any]) -> list[str]:
    return [each.name for each in skipped if each.reason.startswith("marked to be excluded")]


def _marked_items(folder: Path, names: Sequence[str]) -> list[Item]:
    """Return the items of a folder that its marks leave out, by their names in it."""
    from dataclasses import replace

    from componium.music.gather import gather
    from componium.music.item import Item

    wanted, found = set(names), list[Item]()
    files = {name if (folder / name).is_file() else re.sub(r"#\d+$", "", name) for name in names}
    for file in sorted(files):
        for item in gather(folder / file).items:
            name = str(PurePosixPath(file).parent / item.name)
            if name in wanted:
                content = vars(item).get("_later") or item.content
                found.append(replace(item, name=name, content=content, source=f"folder {folder.resolve().name}"))
    return found


def _say(made: Audit, page: Path, skipped: int) -> None:
    from componium.cli.audit.audited import summary

    say(summary(made.items))
    for each in [each for each in made.items if each.trouble][:5]:
        say(f"  cannot be read: {each.item.name}: {each.trouble}")
    if skipped:
        say(f"left out when it was opened: {skipped:,} (the page names them)")
    say(f"look, listen and mark: {quoted(page)}")


class _Place:
    """Where the page and its sounds go: a folder of their own, or a page with a folder of sounds beside it."""

    def __init__(self, out: Path, force: bool) -> None:
        self.force = force
        alone = out.suffix.lower() in (".html", ".htm")
        self.out = out.with_name(f"{out.stem}_{SOUNDS}") if alone else out
        self.page = out if alone else out / PAGE
        self.sounds = "" if alone else f"{SOUNDS}/"  # below self.out
        self.alone = alone

    def check(self, corpus: Path | None) -> None:
        """Raise before the work where nothing can be written, or where the sounds would become part of the corpus."""
        from componium.cli.pages.folder import check_folder

        if corpus is not None and self.out.resolve().is_relative_to(corpus.resolve()):
            raise BadInput(f"{self.page} would lie in the folder that is looked at, and its sounds would count as "
                           "music: name a place outside with --out")
        check_folder(self.out, force=self.force)
        if self.alone:
            check_file(self.page, force=self.force)

    def write(self, made: Audit) -> None:
        """Write page and sounds, all or nothing; sounds of an earlier page in the same place go."""
        from componium.cli.audit.page import page
        from componium.cli.pages import new_folder, write_page

        old = self._earlier()
        with new_folder(self.out, force=self.force) as folder:
            sounds = folder / self.sounds
            sounds.mkdir(exist_ok=True)
            at = f"{self.out.name}/" if self.alone else self.sounds
            with progress_bar("engraving and playing") as progress:
                text = page(made, sounds_to=sounds, sounds_at=at, progress=progress)
            new = {path.name for path in sounds.iterdir()}
            if not self.alone:
                write_page(folder / PAGE, text)
        if self.alone:
            write_page(self.page, text)
        for name in old - new:
            (self.out / self.sounds / name).unlink(missing_ok=True)
        for empty in (self.out / self.sounds, self.out):
            with contextlib.suppress(OSError):
                empty.rmdir()

    def _earlier(self) -> set[str]:
        """Return the names of the sounds that the page in this place plays."""
        try:
            text = self.page.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return set()
        found = (unquote(html.unescape(each)) for each in re.findall(r'data-sound="([^"]+\.(?:mp3|flac))"', text))
        folder = self.out.name if self.alone else SOUNDS
        return {name for head, _, name in (each.rpartition("/") for each in found) if head == folder}
