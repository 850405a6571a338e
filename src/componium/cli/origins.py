"""What the verbs write into their files: the model with its checkpoint and rights, and the files a human gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from componium.music import origin as origin_module
from componium.music.errors import ComponiumError
from componium.music.licences import licence_class, most_restrictive
from componium.music.origin import Given, Origin, Used, version


def used_model(model: str, loaded: Any, *, part: str = "") -> Used:
    """Return the record of a model that takes part.

    Args:
        model: MODEL as the user wrote it.
        loaded: the model itself.
        part: the part of the score that it plays.
    """
    from componium import checkpoint

    folder = folder_of(model)
    licence = loaded.provenance.get("licence", "") if folder is not None else ""
    return Used(loaded.name, model, checkpoint.digest(folder) if folder is not None else "",
                str(loaded.provenance.get("data", "")), licence, licence_class(licence) if licence else "", part)


def folder_of(model: str) -> Path | None:
    """Return the folder of the checkpoint that MODEL stands for; None for a model that works untrained."""
    from componium import checkpoint, registry

    found = registry.resolve(model)
    if found.kind == "registry":
        return None
    return checkpoint.download(found.target) if found.kind == "hub" else Path(found.target)


def given_file(role: str, path: Path) -> Given:
    """Return the record of a file that a human gave, with the hash of its music where it is a score."""
    return origin_module.given_file(role, path, music=music_of(path))


def given_words(pairs: Mapping[str, str]) -> list[Given]:
    """Return the records of the ``key=value`` words whose value is a file."""
    return [given_file(key, Path(value)) for key, value in pairs.items() if is_file(value)]


def is_file(value: str) -> bool:
    """Tell whether the value of a ``key=value`` word names a file: it is there, and has an ending or a separator."""
    try:
        return ("." in value or "/" in value or "\\" in value) and Path(value).is_file()
    except (OSError, ValueError):  # longer than a name may be, or with a zero in it
        return False


def model_files(model: str) -> list[Given]:
    """Return the record of a model's own Python file (``my_file.py:MyModel``), where it has one."""
    file = model.rpartition(":")[0]
    return [given_file("model", Path(file))] if file.endswith(".py") else []


def music_of(path: Path) -> str:
    """Return the hash of the music in a score file; empty where it is none, or cannot be read."""
    from componium.music.formats import is_score_path, read_score
    from componium.music.item import hash_of_score

    if not is_score_path(path):
        return ""
    try:
        return hash_of_score(read_score(path))
    except ComponiumError:
        return ""


def origin_for(made: str, verb: str, models: Iterable[Used], *, seed: int | None = None,
               settings: Mapping[str, Any] | None = None, given: Iterable[Given] = ()) -> Origin:
    """Return an origin with the rights of all that went into it: models, sounds, and the music that was given."""
    models, given = tuple(models), tuple(given)
    terms = [*(used.licence for used in models), *(each.origin.licence for each in given if each.origin is not None)]
    licence = most_restrictive(text for text in terms if text) if any(terms) else ""
    kept = {key: value for key, value in (settings or {}).items() if value not in (None, {}, [])}
    return Origin(made, version(), verb, models=models, seed=seed, settings=kept, licence=licence,
                  licence_class=licence_class(licence) if licence else "", given=given)
