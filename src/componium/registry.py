"""The one table of models, and the ways to get one: `create` a new model, `load` a MODEL, list them all.

Nothing is imported before it is asked for, so listing is instant and needs no optional package.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from componium.music.errors import BadInput, ComponiumError, MissingExtra

MODELS: dict[str, str] = {
    "markov": "componium.composers.markov:Markov",
    "chorale-rnn": "componium.composers.chorale_rnn:ChoraleRNN",
    "melody-lstm": "componium.composers.melody:MelodyLSTM",
    "melody-transformer": "componium.composers.melody:MelodyTransformer",
    "melody-rnn": "componium.composers.melody:MelodyRNN",
    "grammar": "componium.composers.grammar:Grammar",
    "soundfont": "componium.instruments.soundfont:SoundFont",
    "ddsp": "componium.instruments.ddsp:DDSP",
}
"""name -> "module:Class", one line a model, in reading order."""

TITLES: dict[str, str] = {
    "markov": "variable-order, multiple-viewpoint Markov chain over melodies and four-voice chorales",
    "chorale-rnn": "recurrent network that composes, continues and harmonises chorales",
    "melody-lstm": "recurrent network that learns melodies, goes on with yours and answers phrases",
    "melody-transformer": "the same with attention to all that came before",
    "melody-rnn": "Magenta's Melody RNN in its four configurations: answers what you play",
    "grammar": "L-system that rewrites chords and motifs",
    "soundfont": "plays any score through a General MIDI SoundFont",
    "ddsp": "an instrument from your recordings: plays scores, gives other sounds its timbre",
}
"""name -> the line that `componium models` shows."""

NEEDS_TRAINING = frozenset({"markov", "chorale-rnn", "melody-lstm", "melody-transformer", "melody-rnn",
                            "ddsp"})
"""Models that have to learn first; kept here so that listing imports no model (a test compares it with the classes)."""

LEARN_FROM_SOUND = frozenset({"ddsp"})
"""Models that learn from recordings; the others learn from scores."""

PRETRAINED = Path(__file__).parent / "pretrained"
"""Shipped checkpoints, one folder each."""


@dataclass(frozen=True)
class Resolved:
    """What a MODEL stands for.

    Attributes:
        kind: ``"folder"``, ``"shipped"``, ``"registry"`` or ``"hub"``.
        target: the folder, the registry name or the ``owner/name`` on the hub.
        note: a sentence to show where the name could have meant something else, else "".
    """

    kind: str
    target: str
    note: str = ""


def models() -> list[str]:
    """Return the registry names, in reading order."""
    return list(MODELS)


def shipped() -> list[str]:
    """Return the names of the shipped checkpoints."""
    return sorted(p.parent.name for p in PRETRAINED.glob("*/model.json"))


def near(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean a or b?)"`` for a mistyped name, or ``""`` where nothing is near."""
    found = difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def model_class(name: str) -> Any:
    """Return the class of a registry name or of the user's own ``path/to/file.py:Class``.

    Raises:
        BadInput: unknown name (the near ones are listed), or a file without that class.
        MissingExtra: the model needs an optional package.
    """
    if name in MODELS:
        module_name, class_name = MODELS[name].split(":")
        try:
            return getattr(importlib.import_module(module_name), class_name)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtra("torch", "neural", f"The model {name}") from error
    path, separator, class_name = name.rpartition(":")
    if separator and path.endswith(".py"):
        return _class_in_file(Path(path), class_name)
    raise BadInput(f"no model is called {name!r}{near(name, MODELS)}; the models are: {', '.join(MODELS)}")


def _class_in_file(path: Path, class_name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"componium_own_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise BadInput(f"{path}: no such Python file, so no model {class_name} in it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and type hints look their module up there
    try:
        spec.loader.exec_module(module)
    except ComponiumError:
        raise
    except Exception as error:  # whatever the user's own file does wrong
        raise BadInput(f"{path}: cannot be imported ({type(error).__name__}: {error})") from error
    if not hasattr(module, class_name):
        raise BadInput(f"{path}: holds no class {class_name}{near(class_name, vars(module))}")
    return getattr(module, class_name)


def create(name: str, **settings: Any) -> Any:
    """Build a new, untrained model.

    Args:
        name: registry name, or ``path/to/file.py:Class``.
        settings: fields of its Config; strings are read as on the command line.

    Raises:
        BadInput: unknown name, unknown setting (the near ones are listed) or a value that is not of its type.
    """
    cls = model_class(name)
    return cls(cls.Config(**read_settings(settings, types_of(cls.Config), f"the model {name}")))


def load(model: str | Path, **settings: Any) -> Any:
    """Return the model that MODEL stands for: a folder, a shipped name, a registry name or ``hf:owner/name``.

    Args:
        model: see `resolve`.
        settings: config fields, for a model that needs no training.

    Raises:
        BadInput: nothing of that name, a model that must be trained first, or a folder that is no checkpoint.
    """
    from componium import checkpoint

    found = resolve(model)
    if found.kind == "registry":
        return create(found.target, **settings)
    folder = checkpoint.download(found.target) if found.kind == "hub" else Path(found.target)
    loaded = checkpoint.load(folder)
    if settings:
        raise BadInput(f"{model}: its settings were fixed in training ({', '.join(settings)} cannot be changed)")
    return loaded


def steps_of(folder: str | Path) -> list[int]:
    """Return the steps of a training run whose models were kept, in order (`FOLDER@STEP` loads one)."""
    names = (path.parent.name for path in Path(folder).glob("steps/*/model.json"))
    return sorted(int(name) for name in names if name.isdecimal())


def resolve(model: str | Path) -> Resolved:
    """Say what MODEL stands for, in this order: a path, a shipped checkpoint, a model that needs no training, the hub.

    A path may end in ``@2000`` (a step that a training kept), ``@last`` (its last) or ``@best`` (the folder's own).

    Raises:
        BadInput: nothing of that name; or a registry name that must be trained first.
    """
    text = str(model)
    if text.startswith("shipped:"):
        return _resolve_shipped(text.removeprefix("shipped:"))
    if text.startswith("hf:"):
        return Resolved("hub", text.removeprefix("hf:"))
    try:
        path = Path(model).expanduser()
        of_a_run = not path.exists() and Path(text.rpartition("@")[0] or "?").expanduser().is_dir()
    except RuntimeError as error:  # ~somebody who is not known here
        raise BadInput(f"{text}: no such folder ({error})") from error
    if of_a_run:
        return _resolve_step(text)
    if isinstance(model, Path) or "/" in text or "\\" in text or (path / "model.json").is_file():
        if text.rpartition(":")[0].endswith(".py"):
            return Resolved("registry", text)
        if not path.exists():
            raise BadInput(f"{text}: no such folder (a model is a folder with a model.json)")
        other = text in MODELS or text in shipped()
        note = f"{text} is also the name of a model; the folder {text} was taken" if other else ""
        return Resolved("folder", str(path), note)
    if text in shipped():
        note = f"{text} is also a model of the registry; the shipped checkpoint was taken" if text in MODELS else ""
        return Resolved("shipped", str(PRETRAINED / text), note)
    if text in NEEDS_TRAINING:
        data = "FOLDER_OF_RECORDINGS" if text in LEARN_FROM_SOUND else "FOLDER_OF_MIDI"
        raise BadInput(f"{text} has to be trained first: componium train {text} {data} --out my.{text}")
    if text in MODELS:
        return Resolved("registry", text)
    known = [*MODELS, *shipped()]
    raise BadInput(f"no model and no folder is called {text!r}{near(text, known)}; 'componium models' lists them")


def _resolve_step(text: str) -> Resolved:
    """Return the folder that ``DIR@STEP`` stands for."""
    base, _, step = text.rpartition("@")
    folder = Path(base).expanduser()
    if step == "best":
        return Resolved("folder", str(folder))
    name = str(int(step)) if step.isdecimal() else step
    if (name == "last" or name.isdecimal()) and (folder / "steps" / name / "model.json").is_file():
        return Resolved("folder", str(folder / "steps" / name))
    kept = [str(number) for number in steps_of(folder)]
    kept += ["last"] if (folder / "steps" / "last" / "model.json").is_file() else []
    if step == "all":
        raise BadInput(f"{text}: one model is needed here; the steps that were kept are: {', '.join(kept) or 'none'}")
    told = f"the steps that were kept are: {', '.join(kept)}" if kept else "no steps were kept (train with --keep log)"
    raise BadInput(f"{text}: {base} has no step {step!r}; {told}")


def _resolve_shipped(name: str) -> Resolved:
    if name not in shipped():
        raise BadInput(f"no checkpoint called {name!r} is shipped{near(name, shipped())}")
    return Resolved("shipped", str(PRETRAINED / name))


def types_of(config: type) -> dict[str, Any]:
    """Return the fields of a Config dataclass with their types."""
    return get_type_hints(config)


def read_settings(settings: Mapping[str, Any], types_by_name: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Turn ``key=value`` pairs into values of the declared types.

    Args:
        settings: names and values; a value that is not a string is checked, a string is read.
        types_by_name: the names that exist and their types (int, float, bool, str, None-able or tuples of these).
        owner: who has these settings, for the error, e.g. ``"the model markov"``.

    Raises:
        BadInput: an unknown name, with the near ones; a value that is not of its type.
    """
    values = {}
    for key, value in settings.items():
        if key not in types_by_name:
            listed = ", ".join(types_by_name) or "none"
            raise BadInput(f"{owner} has no setting {key!r}{near(key, types_by_name)}; its settings are: {listed}")
        values[key] = read_value(value, types_by_name[key], key)
    return values


def read_value(value: Any, kind: Any, key: str) -> Any:
    """Read one value of ``key=value``; raises `BadInput` where it is not of type ``kind``."""
    if get_origin(kind) in (Union, types.UnionType):
        options = get_args(kind)
        if type(None) in options and (value is None or value == "none"):
            return None
        return _read_first(value, [o for o in options if o is not type(None)], key)
    if get_origin(kind) is tuple:
        if not isinstance(value, str | list | tuple):
            raise BadInput(f"{key}={value}: {key} has to be several values with commas between them")
        parts = [p for p in value.split(",") if p] if isinstance(value, str) else list(value)
        return tuple(read_value(p, get_args(kind)[0], key) for p in parts)
    if kind is Any or not isinstance(kind, type):
        return value
    return _read_plain(value, kind, key)


def _read_first(value: Any, options: list[Any], key: str) -> Any:
    for option in options[:-1]:
        try:
            return read_value(value, option, key)
        except BadInput:
            continue
    return read_value(value, options[-1], key)


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _read_plain(value: Any, kind: type, key: str) -> Any:
    if kind is bool and isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    wanted = {int: "a whole number", float: "a number", bool: "on or off", str: "text"}.get(kind, kind.__name__)
    raise BadInput(f"{key}={value}: {key} has to be {wanted}")


