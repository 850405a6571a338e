"""`componium corpus trained-on`: which models have seen a piece, or a sibling of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force
from componium.cli.outputs import check_file, write_json
from componium.cli.show import counted, progress_bar, say, table
from componium.music.errors import BadFile, BadInput
from componium.music.provenance import Learned, item_fingerprints, siblings

EPILOG = """\b
Examples:
  componium corpus trained-on mine.mid --in models
  componium corpus trained-on bwv269 --in .
  componium corpus trained-on song.abc --in models --json -

\b
A sibling is the same tune in another key, metre, edition or setting, told by the intervals of its opening."""


@dataclass(frozen=True)
class Sought:
    """A piece to look for: its name, the hash of its music, and the fingerprints of its melody."""

    name: str
    hash: str
    fingerprints: frozenset[str]


@dataclass(frozen=True)
class Saw:
    """A checkpoint that saw a piece.

    Attributes:
        checkpoint: its folder.
        model: its line in the registry.
        piece: the piece that was sought.
        how: ``"the same music"`` or ``"a sibling"``.
        as_: name of the piece in the training data.
        data: the training data.
        licence: its most restrictive licence.
    """

    checkpoint: str
    model: str
    piece: str
    how: str
    as_: str
    data: str
    licence: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and what it says that it learned from."""

    folder: Path
    model: str
    learned: Learned
    data: str
    licence: str


def trained_on(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="A music file, or the name of a piece.")],
    folder: Annotated[Path, typer.Option("--in", metavar="FOLDER", show_default=False,
                                         help="Where the models are, at any depth.")] = Path("."),
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write it as JSON; '-' shows only "
                                                                            "that.")] = None,
    force: Force = False,
) -> None:
    """List the models that learned from a piece, or from a sibling of it."""
    if json is not None and str(json) != "-":
        check_file(json, force=force)
    models, silent = checkpoints(folder)
    sought = list(pieces(item, models))
    found = [saw for model in models for piece in sought for saw in sights(model, piece)]
    told = {"item": item, "models": len(models) + len(silent), "saw_it": [
        {key.rstrip("_"): value for key, value in asdict(saw).items()} for saw in found],
            "cannot_tell": [{"checkpoint": str(path), "reason": reason} for path, reason in silent]}
    if str(json) != "-":
        tell(item, folder, models, found, silent)
    if json is not None:
        show_json(told, json)


def tell(item: str, folder: Path, models: Sequence[Checkpoint], found: Sequence[Saw],
         silent: Sequence[tuple[Path, str]]) -> None:
    """Show what was found, and what cannot be told."""
    if found:
        many = len({saw.piece for saw in found}) > 1
        table(["model", *(["piece"] if many else []), "saw", "as", "data", "licence"],
              [[saw.checkpoint, *([saw.piece] if many else []), saw.how, saw.as_, saw.data, saw.licence]
               for saw in found])
    elif models:
        say(f"none of {counted(len(models), 'model')} in {folder} learned from {item}, nor from a sibling of it")
    if not models and not silent:
        say(f"there is no model in {folder}")
    for path, reason in silent:
        say(f"cannot tell: {path} ({reason})")


def show_json(told: dict[str, Any], path: Path) -> None:
    """Write or show the result."""
    if str(path) == "-":
        import json

        say(json.dumps(told, ensure_ascii=False, indent=1))
        return
    write_json(path, told)
    say(f"wrote {path}")


def checkpoints(folder: Path) -> tuple[list[Checkpoint], list[tuple[Path, str]]]:
    """Return the checkpoints below a folder that say what they learned from, and the others with the reason.

    Raises:
        BadFile: there is no such folder.
    """
    from componium import checkpoint

    if not folder.is_dir():
        raise BadFile(folder, "is not a folder; --in FOLDER names the one with the models")
    models, silent = [], []
    for path in sorted(header.parent for header in folder.rglob(checkpoint.HEADER)):
        try:
            header = checkpoint.header_of(path)
            provenance = header["provenance"]
            learned = Learned.from_json(provenance)
        except BadFile as error:
            if checkpoint.is_checkpoint(path) or "damaged" in error.reason:
                silent.append((path, error.reason))
            continue
        except (TypeError, ValueError, AttributeError):
            silent.append((path, "what it says of its training is damaged"))
            continue
        if len(learned.names) != len(learned.hashes):
            silent.append((path, "what it says of its training is damaged"))
        elif not learned.hashes:
            silent.append((path, "it does not say what it learned from" if provenance else "it learned from no data"))
        else:
            models.append(Checkpoint(path, str(header["name"]), learned, str(provenance.get("data", "")),
                                     str(provenance.get("licence", "unknown"))))
    return models, silent


def pieces(item: str, models: Sequence[Checkpoint]) -> Iterator[Sought]:
    """Yield what to look for: the pieces of a file, or those that the models know by a name.

    Raises:
        BadInput: neither a file nor a piece that one of the models names.
        BadFile: the file holds no music that can be read.
    """
    if Path(item).exists():
        from componium.music.corpus import open_corpus

        with progress_bar("reading") as progress:
            for each in open_corpus(Path(item), progress=progress):
                yield Sought(each.name, each.hash, frozenset(item_fingerprints(each)))
        return
    known, seen = False, set()
    for model in models:
        for place, name in enumerate(model.learned.names):
            if item.lower() not in (name.lower(), without_ending(name).lower()):
                continue
            known = True
            learned = model.learned
            if learned.hashes[place] not in seen:
                seen.add(learned.hashes[place])
                prints = learned.fingerprints[place] if place < len(learned.fingerprints) else ()
                yield Sought(name, learned.hashes[place], frozenset(prints))
    if not known and models:
        near = difflib.get_close_matches(item, {name for model in models for name in model.learned.names}, n=2)
        hint = f" (there is {' and '.join(near)})" if near else ""
        raise BadInput(f"{item}: no such file, and none of the models names a piece so{hint}; "
                       "a file is found under any name, by its notes")


def without_ending(name: str) -> str:
    """Return the name of a piece without the ending of its file; ``bwv26.6`` has none."""
    from componium.music.audio import AUDIO_EXTENSIONS
    from componium.music.formats import SCORE_EXTENSIONS

    ending = Path(name).suffix
    return name[:-len(ending)] if ending.lower() in (*SCORE_EXTENSIONS, *AUDIO_EXTENSIONS) else name


def sights(model: Checkpoint, piece: Sought) -> Iterator[Saw]:
    """Yield how a model saw a piece: the same music, else its nearest siblings."""
    learned, found = model.learned, []
    if piece.hash and piece.hash in learned.hashes:
        found = [("the same music", learned.names[learned.hashes.index(piece.hash)])]
    else:
        found = [("a sibling", name) for name, prints in zip(learned.names, learned.fingerprints, strict=False)
                 if siblings(piece.fingerprints, prints)]
    for how, name in found:
        yield Saw(str(model.folder), model.model, piece.name, how, name, model.data, model.licence)
