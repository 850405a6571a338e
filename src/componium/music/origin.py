"""Origin: what made a file, written into it and read back from it.

Every score, sound and picture that Componium writes carries its origin (`stamps` says where in each format): the
version, the verb and its settings, the models with the hashes of their checkpoints and the licences of what they
learned from, the seed, what a human gave (each file with its hash, and with the origin that it carries itself), and
the hash of the music as it was written. It holds no time and no computer's name: the same work gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from componium.music import stamps
from componium.music.errors import BadFile, BadInput

GENERATED, PERFORMED, DRAWN, CONVERTED, NOT_RECORDED = "generated", "performed", "drawn", "converted", "not recorded"
WAYS = (GENERATED, PERFORMED, DRAWN, CONVERTED, NOT_RECORDED)
"""How a file came to be; "not recorded" where a program wrote it without saying."""
DEEPEST = 200
"""So many files made from files made from files are read."""


@functools.cache
def version() -> str:
    """Return the version of Componium; "unknown" where the package is not installed."""
    try:
        return importlib.metadata.version("componium")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@dataclasses.dataclass(frozen=True)
class Used:
    """A model that took part.

    Attributes:
        name: its line in the registry.
        model: MODEL as the user wrote it.
        checkpoint: hash of the checkpoint (`checkpoint.digest`), or of the font of a SoundFont player; empty for
            a model that works untrained.
        data: name of the data that it learned from.
        licence: the most restrictive licence of that data, or of the sounds that an instrument plays.
        licence_class: the class of that licence (`music.licences`).
        part: the part of the score that it played; empty where there is one model for all.
    """

    name: str
    model: str = ""
    checkpoint: str = ""
    data: str = ""
    licence: str = ""
    licence_class: str = ""
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Given:
    """A file that a human gave.

    Attributes:
        role: what it was given as: ``"prompt"``, ``"score"``, ``"table"`` ...
        file: its path as it was written.
        sha256: hash of its bytes.
        music: hash of its music (`hash_of_score`); empty where it is no score.
        edited: whether its music was changed after its own origin was written; none where that is not known.
        origin: what that file said of its own origin.
    """

    role: str
    file: str
    sha256: str = ""
    music: str = ""
    edited: bool | None = None
    origin: Origin | None = None


@dataclasses.dataclass(frozen=True)
class Origin:
    """What made a file.

    Attributes:
        made: one of `WAYS`.
        componium: version that wrote it.
        verb: the command, or the name of what a program called.
        title: the title that the file was written with.
        models: the models that took part.
        seed: of everything that was left to chance.
        settings: the arguments with which it can be made again, by the names of the command line.
        licence: the most restrictive licence of what went in.
        licence_class: its class.
        given: the files that a human gave.
        platform: system and processor; only of sounds, which may differ in the last bit elsewhere.
        music: hash of the notes or samples as they were written.
        file: hash of the file without this record; empty where only `music` tells.
    """

    made: str = NOT_RECORDED
    componium: str = dataclasses.field(default_factory=version)
    verb: str = ""
    title: str = ""
    models: tuple[Used, ...] = ()
    seed: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    licence: str = ""
    licence_class: str = ""
    given: tuple[Given, ...] = ()
    platform: str = ""
    music: str = ""
    file: str = ""

    def to_json(self) -> str:
        """Return the origin as compact JSON in ASCII; what is empty is left out."""
        return json.dumps(_short(dataclasses.asdict(self)), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Take back what `to_json` returned; names that are not known are passed over.

        Raises:
            BadInput: it is no such record, or a damaged one.
        """
        try:
            return _origin(json.JSONDecoder().raw_decode(text)[0], 0)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput("the record of what made the file is damaged") from error

    def sentence(self) -> str:
        """Say it in one line."""
        head = f"Written by Componium {self.componium}; what made it was not recorded"
        if self.made != NOT_RECORDED:
            head = f"{self.made.capitalize()} by Componium {self.componium}"
        if self.models:
            names = list(dict.fromkeys(f"{m.name} {m.checkpoint[:12]}".strip() for m in self.models))
            head += f" with {', '.join(names)}"
        parts = [head, f"seed {self.seed}" if self.seed is not None else "",
                 f"licence: {self.licence}" if self.licence else ""]
        return "; ".join(part for part in parts if part)

    def into(self, data: bytes, kind: str, *, music: str = "") -> bytes:
        """Return the bytes of a file with this origin in them, with their hash.

        Args:
            data: the file, without an origin.
            kind: its ending, see `stamps.stamped`.
            music: hash of the notes as they are read back.
        """
        whole = dataclasses.replace(self, file=hashlib.sha256(data).hexdigest(), music=music)
        return stamps.stamped(data, kind, whole.sentence(), whole.to_json())

    def comment(self, *, music: str) -> str:
        """Return the origin as a comment for a sound file, for people and programs; ``music`` hashes the samples."""
        whole = dataclasses.replace(self, music=music)
        return f"{whole.sentence()}\n{stamps.MARK}{whole.to_json()}"


def read_origin(path: str | Path) -> Origin | None:
    """Return what a score, a sound or a picture says of its origin; None where it says nothing.

    Raises:
        BadFile: the file cannot be read, or its record is damaged.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise BadFile(path, "is a folder, a device or a pipe; name a file")
        texts = list(stamps.texts_in(path, stamps.kind_of(path)))
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    found = next((text for text in texts if stamps.MARK + "{" in text), None)
    if found is None:
        return None
    try:
        return Origin.from_json(found.partition(stamps.MARK)[2])
    except BadInput as error:
        raise BadFile(path, "the record of what made it is damaged or cut short") from error


def given_file(role: str, path: str | Path, *, music: str = "") -> Given:
    """Return the record of a file that a human gave: its hashes, and the origin that it carries itself.

    Args:
        role: what it is given as.
        path: the file.
        music: hash of its music, where it is a score.

    Raises:
        BadFile: the file cannot be read. A damaged origin counts as none.
    """
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    try:
        origin = read_origin(path)
    except BadFile:
        origin = None
    edited = origin.music != music if origin is not None and origin.music and music else None
    return Given(role, str(path), found, music, edited, origin)


def _short(value: Any) -> Any:
    """Leave out what is empty in dataclasses turned into dictionaries; settings stay whole."""
    if isinstance(value, dict):
        return {key: each if key == "settings" else _short(each) for key, each in value.items()
                if each is not None and each != "" and each != () and each != {}}
    return [_short(each) for each in value] if isinstance(value, list | tuple) else value


def _origin(data: Any, depth: int) -> Origin:
    if depth > DEEPEST:
        raise ValueError("too many origins inside each other")
    models = tuple(Used(**_fields(Used, each)) for each in data.get("models", ()))
    given = [Given(**_fields(Given, each)) for each in data.get("given", ())]
    inside = [_origin(each["origin"], depth + 1) if each.get("origin") else None for each in data.get("given", ())]
    return Origin(**{"componium": "", **_fields(Origin, data)}, models=models,
                  given=tuple(dataclasses.replace(g, origin=o) for g, o in zip(given, inside, strict=True)))


def _fields(cls: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that the class knows; raises `ValueError` for one of another kind."""
    kinds = {"seed": int, "edited": bool, "settings": dict}
    known = {field.name for field in dataclasses.fields(cls)} - {"models", "given", "origin"}
    found = {key: value for key, value in data.items() if key in known}
    wrong = [key for key, value in found.items() if not isinstance(value, kinds.get(key, str))]
    if wrong:
        raise ValueError(f"{wrong[0]} is of another kind")
    return found
