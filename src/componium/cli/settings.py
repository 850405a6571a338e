"""``key=value`` words on the command line: telling them from paths, and giving each to whom it belongs."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from componium.music.errors import BadInput

FLAGS = ("bars", "seed", "temperature", "prompt", "progress", "count", "where")
"""Arguments of abilities that have a flag of their own."""
OTHER_FLAGS = ("out", "force", "json", "on", "with", "protocol", "budget")


def split_words(words: Sequence[str], known: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """Divide words into plain ones and ``key=value`` pairs.

    A word is a pair if it begins with a name and ``=``, unless a file of that name is there and the name is not one of
    ``known``; ``./a=b.mid`` is always a file.

    Raises:
        BadInput: a key is given twice.
    """
    plain: list[str] = []
    pairs: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_]\w*", key) or (key not in known and Path(word).exists()):
            plain.append(word)
        elif key in pairs:
            raise BadInput(f"{key} is given twice: {key}={pairs[key]} and {word}")
        else:
            pairs[key] = value
    return plain, pairs


def pairs_only(words: Sequence[str], verb: str) -> dict[str, str]:
    """Read words that all have to be ``key=value``.

    Raises:
        BadInput: one of them is not.
    """
    plain, pairs = split_words(words, [word.partition("=")[0] for word in words])
    if plain:
        raise BadInput(f"{plain[0]!r} is more than 'componium {verb}' takes; settings are written key=value")
    return pairs


def argument_types(method: Any) -> dict[str, Any]:
    """Return the keyword-only arguments of an ability that have no flag, with their types."""
    hints = get_type_hints(method)
    return {name: hints.get(name, Any) for name, parameter in inspect.signature(method).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in FLAGS}


def load_with(model: str, pairs: Mapping[str, str], ability: str, verb: str) -> tuple[Any, dict[str, Any]]:
    """Load MODEL and give each ``key=value`` to whom it belongs: the ability's arguments, else the model's settings.

    Args:
        model: what the user wrote.
        pairs: the words.
        ability: name of the method, e.g. ``"generate"``.
        verb: the command, for messages.

    Returns:
        The model, and the arguments of the ability.

    Raises:
        BadInput: no such model, the model cannot do this, or a key that belongs to nobody (the near ones are listed).
    """
    from componium import registry

    found = registry.resolve(model)
    if found.kind != "registry":
        loaded = registry.load(model)
        method = ability_of(loaded, ability, verb)
        arguments = argument_types(method)
        fixed = [key for key in pairs if key not in arguments and key in registry.types_of(type(loaded).Config)]
        if fixed:
            raise BadInput(f"{fixed[0]} of {model} was fixed when it was trained, and is "
                           f"{getattr(loaded.config, fixed[0])!r}")
        return loaded, _read(pairs, arguments, f"{verb} with {model}")
    cls = registry.model_class(found.target)
    arguments, config = argument_types(ability_of(cls, ability, verb)), registry.types_of(cls.Config)
    values = _read(pairs, config | arguments, f"the model {found.target}")
    loaded = cls(cls.Config(**{key: value for key, value in values.items() if key not in arguments}))
    return loaded, {key: value for key, value in values.items() if key in arguments}


def listened(model: Any, score: Any, arguments: Mapping[str, Any]) -> list[str]:
    """Return a sentence on which line of a score a model of one line has taken; none where there is no choice."""
    listens_to = getattr(model, "listens_to", None)
    told = listens_to(score, arguments.get("line", "auto")) if listens_to is not None and score is not None else ""
    if not told:
        return []
    others = sum(bool(len(track.notes)) and not track.is_drum for track in score.tracks) > 1
    return [f"the melody: {told}" + (" (line=NUMBER, NAME or top takes another)" if others else "")]


def ability_of(model: Any, ability: str, verb: str) -> Any:
    """Return a method of a model or class, or raise `BadInput` with what the model can do instead."""
    method = getattr(model, ability, None)
    if method is None:
        from componium.interface import abilities

        able = "; ".join(abilities(model).values())
        raise BadInput(f"the model {model.name} cannot {verb} (it {able})")
    return method


def _read(pairs: Mapping[str, str], types: Mapping[str, Any], owner: str) -> dict[str, Any]:
    from componium import registry

    flags = [key for key in pairs if key in (*FLAGS, *OTHER_FLAGS) and key not in types]
    if flags:
        raise BadInput(f"{flags[0]} is a flag: write --{flags[0]} {pairs[flags[0]]}")
    for key in pairs:
        meant = [] if key in types else difflib.get_close_matches(key, FLAGS, n=1, cutoff=0.8)
        if meant:
            raise BadInput(f"{owner} has no setting {key!r} (did you mean --{meant[0]}?)")
    ready = {key: _from_file(value, types.get(key)) for key, value in pairs.items()}
    return registry.read_settings(ready, types, owner)


def _from_file(value: str, kind: Any) -> Any:
    """Read what a path stands for where the type is a `Score` or a path; anything else is left as it is."""
    from componium.music.score import Score

    kinds = get_args(kind) or (kind,)
    if value == "none" and type(None) in kinds:
        return value
    if Score in kinds:
        from componium.music.formats import read_score

        return read_score(value)
    return Path(value) if Path in kinds and str not in kinds else value


def flag_arguments(method: Any, model: Any, **flags: Any) -> dict[str, Any]:
    """Return the flags that were given, for a method that has them.

    Raises:
        BadInput: a flag was given that the method does not have.
    """
    names = inspect.signature(method).parameters
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if name not in names:
            raise BadInput(f"the model {model.name} has no --{name}")
    return given
