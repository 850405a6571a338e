"""Making a file again from its origin, by the same functions that the verbs use, and comparing the two."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from componium.cli.outputs import PICTURES, SOUNDS, write_piece
from componium.cli.show import Progress, quoted, warn
from componium.music.errors import BadFile, BadInput
from componium.music.origin import NOT_RECORDED, Given, Origin, Used, read_origin, version


@dataclass(frozen=True)
class Verdict:
    """How a file compares with its first version: in words, and whether it is the same."""

    text: str
    same: bool


@dataclass(frozen=True)
class Found:
    """What is needed to make a file again, found on this computer.

    Attributes:
        origin: of the file, as it is to be written again.
        models: MODEL as it was written -> as it has to be written here.
        files: role -> path of a file that was given.
        out: the file to write.
        progress: told how far it is.
        accept_licence: whether the terms of a built-in corpus are accepted.
    """

    origin: Origin
    models: dict[str, str]
    files: dict[str, Path]
    out: Path
    progress: Progress
    accept_licence: bool = False

    @property
    def words(self) -> dict[str, str]:
        """The ``key=value`` words; those that name files name them where they are now."""
        words = {str(key): str(value) for key, value in self.setting("words", dict, {}).items()}
        return words | {role: str(path) for role, path in self.files.items() if role in words}

    @property
    def model(self) -> str:
        """The one model of a composition."""
        if len(self.origin.models) != 1:
            raise BadInput("the record of what made it is damaged: it names no model")
        return self.models[self.origin.models[0].model]

    def setting(self, name: str, kind: Any, default: Any = None) -> Any:
        """Return a setting; raises `BadInput` where it is missing without a default, or of another kind."""
        value = self.origin.settings.get(name, default)
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
            raise BadInput(f"the record of what made it is damaged: its setting {name} is missing or of another kind")
        return value

    def file(self, role: str) -> Path:
        """Return a file that was given; raises `BadInput` where the record has none."""
        if role not in self.files:
            raise BadInput(f"the record of what made it is damaged: it names no {role} that was given")
        return self.files[role]


def again(file: Path, out: Path, origin: Origin, *, models: Sequence[Path], given: Sequence[Path],
          progress: Progress, accept_licence: bool = False) -> Verdict:
    """Make a file again and compare the two.

    Args:
        file: the file.
        out: the file to write; the same ending.
        origin: what ``file`` says of itself.
        models: other places of its models.
        given: other places of the files that were given to it, or folders with them.
        progress: told how far it is.
        accept_licence: whether the terms of a built-in corpus are accepted.

    Raises:
        BadInput: nothing tells how; or a checkpoint or a file that was given is missing or another one.
    """
    way = WAYS_AGAIN.get(origin.verb)
    if origin.made == NOT_RECORDED or way is None:
        told = "what made it was not recorded" if origin.made == NOT_RECORDED or not origin.verb else (
            f"'componium {origin.verb}' makes its files only together: {command_of(origin)}")
        raise BadInput(f"{file}: cannot be made again: {told}")
    if file.suffix.lower() == ".mp3":
        raise BadInput(f"{file}: MP3 is not made again, as it does not keep the samples; make its score again, and "
                       "perform that")
    if out.suffix.lower() != file.suffix.lower():
        raise BadInput(f"{out}: the same file has the same ending: write it as {out.stem}{file.suffix}")
    if origin.componium != version():
        warn(f"{file} was written by Componium {origin.componium}, this is {version()}: the result may differ")
    files = {each.role: find_given(each, file.parent, given) for each in origin.given}
    if any(out.exists() and out.samefile(place) for place in (file, *files.values())):
        raise BadInput(f"{out}: it is needed to make it again; write to another file")
    names = {used.model: find_model(used, file.parent, models, files) for used in origin.models}
    way(Found(replace(origin, componium=version(), music="", file=""), names, files, out, progress,
              accept_licence))
    return compared(file, out, origin)


def find_given(given: Given, beside: Path, others: Sequence[Path]) -> Path:
    """Return where a file that was given is now: where it was, beside the file, or in the other places.

    Raises:
        BadInput: it is nowhere, or only a file of that name with other bytes is there.
    """
    name = Path(given.file).name
    places = [Path(given.file), beside / name]
    for other in others:
        places += [other / name] if other.is_dir() else [other]
    there = [place for place in places if place.is_file()]
    for place in there:
        with place.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == given.sha256:
                return place
    reason = f"{there[0]} has been changed since" if there else "it is not there any more"
    raise BadInput(f"the {given.role} that was given, {given.file}, is needed: {reason}; "
                   f"--given FILE names the one with the sha256 {given.sha256[:12]}...")


def find_model(used: Used, beside: Path, others: Sequence[Path], files: dict[str, Path]) -> str:
    """Return MODEL as it has to be written here, so that it is the checkpoint that was used.

    Raises:
        BadInput: it is nowhere, or has another hash.
    """
    from componium.cli.origins import folder_of

    if used.name == "soundfont":  # the font is compared when the instruments are ready
        return used.model
    if not used.checkpoint:
        return f"{files['model'].absolute()}:{used.model.rpartition(':')[2]}" if "model" in files else used.model
    from componium import checkpoint

    seen = []
    for place in [used.model, str(beside / Path(used.model).name), *map(str, others)]:
        try:
            folder = folder_of(place)
            found = checkpoint.digest(folder) if folder is not None else ""
        except (BadInput, BadFile):
            continue
        if found == used.checkpoint:
            return place
        seen.append(f"{place} is another checkpoint ({found[:12] or 'untrained'}; it was trained again, or is another "
                    "model)")
    reason = seen[-1] if seen else f"there is no checkpoint at {used.model}"
    raise BadInput(f"the checkpoint {used.checkpoint[:12]} of the model {used.name} is needed, and {reason}; "
                   "--model DIR names where it is")


def generated(found: Found) -> None:
    """Make again what ``componium generate`` wrote."""
    from componium.cli.generate import Asked, make, prepare

    asked = Asked(found.model, found.words, found.setting("bars", int), found.origin.seed or 0, temperature(found),
                  found.files.get("prompt"), found.setting("count", int, 1))
    ready, wanted = prepare(asked), found.setting("number", int, 1)
    for number, (piece, _) in enumerate(make(ready, found.progress), 1):
        if number == wanted:
            write_piece(piece, found.out, found.origin.title, found.origin)


def continued(found: Found) -> None:
    """Make again what ``componium continue`` wrote."""
    from componium.cli.continue_ import Asked, make, prepare

    ready = prepare(Asked(found.model, found.words, found.file("score"), found.setting("bars", int),
                          found.origin.seed or 0, temperature(found)))
    piece, _ = make(ready, found.progress)
    write_piece(piece, found.out, found.origin.title, found.origin)


def harmonised(found: Found) -> None:
    """Make again what ``componium harmonize`` wrote."""
    from componium.cli.harmonize import Asked, make, prepare

    ready = prepare(Asked(found.model, found.words, found.file("score"), found.origin.seed or 0, temperature(found)))
    piece, _ = make(ready, found.progress)
    write_piece(piece, found.out, found.origin.title, found.origin)


def infilled(found: Found) -> None:
    """Make again what ``componium infill`` wrote."""
    from componium.cli.infill import Asked, make, prepare

    ready = prepare(Asked(found.model, found.words, found.file("score"), found.setting("where", str),
                          found.origin.seed or 0, temperature(found)))
    piece, _ = make(ready, found.progress)
    write_piece(piece, found.out, found.origin.title, found.origin)


def responded(found: Found) -> None:
    """Make again what ``componium respond`` wrote."""
    from componium.cli.respond import Asked, make, prepare

    ready = prepare(Asked(found.model, found.words, found.file("score"), found.origin.seed or 0, temperature(found),
                          found.setting("with_call", bool, False)))
    piece, _ = make(ready, found.progress)
    write_piece(piece, found.out, found.origin.title, found.origin)


def temperature(found: Found) -> float | None:
    """Return the temperature of a composition; none = the model's own."""
    return found.setting("temperature", int | float) if "temperature" in found.origin.settings else None


def performed(found: Found) -> None:
    """Make again what ``componium perform`` wrote: the mix, or one of its stems."""
    from componium.cli.perform import Asked, make, prepare, write
    from componium.music.formats import read_score

    origin = found.origin
    choices, gain, pan = (tuple(map(str, found.setting(name, list, []))) for name in ("with", "gain", "pan"))
    asked = Asked(found.file("score"), found.words, tuple(_renamed(choice, found.models) for choice in choices), gain,
                  pan, found.setting("lufs", int | float), found.setting("expression", bool), origin.seed or 0)
    ready = prepare(asked, read_score(asked.file))
    for now, then in zip(ready.origin.models, origin.models, strict=False):
        if now.checkpoint != then.checkpoint:
            raise BadInput(f"it was played with the {then.name} {then.data or then.model} ({then.checkpoint[:12]}), "
                           f"and here is {now.data or now.model} ({now.checkpoint[:12]}); soundfont: set "
                           "COMPONIUM_SOUNDFONT to the font that was used")
    _warn_of_platform(origin, ready.origin)
    stem = found.setting("stem", str, "")
    if not stem:
        write(make(ready, found.progress), found.out, origin)
        return
    whole = replace(origin, settings={key: value for key, value in origin.settings.items() if key != "stem"})
    found.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".stems-", dir=found.out.parent) as folder:
        make(replace(ready, origin=whole), found.progress, stems_to=Path(folder))
        played = {path.stem: path for path in Path(folder).glob("*.wav")}
        if stem not in played:
            raise BadInput(f"the record of what made it is damaged: there is no part {stem}")
        played[stem].replace(found.out)


def transferred(found: Found) -> None:
    """Make again what ``componium transfer`` wrote: a sound, or the picture of its controls."""
    from componium.cli.transfer import Asked, draw, make, prepare

    origin = found.origin
    ready = prepare(Asked(found.model, found.words, found.file("controls" if "controls" in found.files else "sound"),
                          origin.seed or 0))
    _warn_of_platform(origin, ready.origin)
    pictured = found.out.suffix.lower() in PICTURES
    made = make(ready, found.progress, with_controls=pictured)
    if pictured:
        draw(made, ready, found.out, origin)
        return
    made.sound.write(found.out, metadata={"title": origin.title, "software": "Componium"}, origin=origin)


def _warn_of_platform(then: Origin, now: Origin) -> None:
    if then.platform and then.platform != now.platform:
        warn(f"it was made on {then.platform}, this is {now.platform}: samples may differ in the last bit")


def drawn(found: Found) -> None:
    """Make again what ``componium picture`` wrote: one page."""
    from componium.cli.picture import SCORE_VIEWS, Asked, make
    from componium.music.picture import written

    view, number, ending = found.setting("view", str), found.setting("page", int, 1), found.out.suffix.lower()
    file = found.file("score" if view in SCORE_VIEWS else "sound")
    pages = make(Asked(file, view, found.setting("title", str, ""), ending), found.progress)
    if not 1 <= number <= len(pages):
        raise BadInput(f"{file} has no page {number} any more, it has {len(pages)}")
    written(pages[number - 1], found.out, ending, found.origin)


def exported(found: Found) -> None:
    """Make again what ``componium corpus export`` wrote."""
    from componium.music.corpus import open_corpus
    from componium.music.formats import write_score

    source, name, known = (found.setting(name, str) for name in ("source", "item", "hash"))
    place = found.files.get("piece")  # a file of the user, which may lie elsewhere now; none of a built-in corpus
    corpus = open_corpus(place or source, accept_licence=found.accept_licence, progress=found.progress)
    item = next((item for item in corpus if item.hash == known and (place or item.name == name)), None)
    if item is None:
        raise BadInput(f"{source} holds no {name} with the notes that were exported any more")
    write_score(item.content, found.out, origin=found.origin)


WAYS_AGAIN: dict[str, Callable[[Found], None]] = {
    "generate": generated, "continue": continued, "harmonize": harmonised, "infill": infilled,
    "respond": responded, "perform": performed, "transfer": transferred, "picture": drawn, "corpus export": exported}
"""Verb -> what makes one of its files again."""


def compared(file: Path, out: Path, origin: Origin) -> Verdict:
    """Compare a file with what was made again."""
    from componium.cli.whence import state_of

    if file.read_bytes() == out.read_bytes():
        return Verdict("identical, byte for byte", True)
    new = read_origin(out) or Origin()
    sound = file.suffix.lower() in SOUNDS
    things, key = ("samples", "music") if sound else ("notes", "music") if new.music else ("picture", "file")
    state = state_of(file, origin)
    if getattr(new, key) != getattr(origin, key):
        reason = "" if origin.componium == version() else f" (Componium {origin.componium} then, {version()} now)"
        return Verdict(f"NOT the same: the {things} differ from those that were written{reason}", False)
    if state.startswith("changed"):
        return Verdict(f"the {things} that were written then; {file} has been changed since", True)
    if sound:
        return Verdict("identical, sample for sample", True)
    reason = "the version that is written inside" if origin.componium != version() else "how the file was saved since"
    return Verdict(f"the same {things}; the bytes differ in {reason}", True)


def command_of(origin: Origin) -> str:
    """Return the command that makes all files of a verb again."""
    if origin.verb == "train" and origin.models:  # a preview: what the model composed at a step
        return (f"componium generate {quoted(origin.models[0].model)} --bars {origin.settings.get('bars', 8)} "
                f"--seed {origin.seed}, where that step was kept (train --keep)")
    settings = {**origin.settings, "seed": origin.seed}
    subject = [quoted(settings.pop("subject"))] if "subject" in settings else []
    flags = [f"--{key} {quoted(value)}" for key, value in settings.items() if key != "words" and value is not None]
    return " ".join(["componium", origin.verb, *subject, *flags])


def _renamed(choice: str, models: dict[str, Any]) -> str:
    part, sign, model = choice.rpartition("=")
    return f"{part}{sign}{models.get(model.strip(), model)}"
