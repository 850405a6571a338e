"""Recipes: settings that belong together, one TOML file each, ``recipes/<model>/<name>.toml``.

A recipe names its model, says in a sentence what it is for (``about``), may name a corpus (``data``), and sets fields
of the model's Config (table ``[config]``) and of the training (table ``[train]``). What the command line says goes
before what a recipe says, and that before the defaults. A recipe of one's own is any TOML file with a path.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from componium import registry
from componium.music.errors import BadFile, BadInput

RECIPES = Path(__file__).parent.parent / "recipes"
"""The recipes that come with Componium, one folder a model."""
ENDING = ".toml"
TEXTS, TABLES = ("model", "about", "data"), ("config", "train")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a recipe says; its values are checked against the model and the loop by `checked`.

    Attributes:
        name: such as ``"jsb16"``, or the path of one's own.
        model: registry name, or the name of one's own model.
        about: a sentence: what it is for.
        data: what to learn from where nothing else is named; empty = nothing.
        config: fields of the model's Config.
        train: fields of `componium.training.settings.TrainSettings`.
        path: the file.
    """

    name: str
    model: str
    about: str
    data: tuple[str, ...]
    config: Mapping[str, Any]
    train: Mapping[str, Any]
    path: Path


def recipes(model: str) -> list[str]:
    """Return the names of the recipes of a model that come with Componium, in the order of the alphabet."""
    return sorted(path.stem for path in (RECIPES / model).glob(f"*{ENDING}")) if model in registry.MODELS else []


def find(recipe: str | Path, model: str, *, cls: Any = None) -> Recipe:
    """Return a model's recipe by name, or one's own by path (with a separator, or ending in ``.toml``).

    Args:
        recipe: the name or the path.
        model: the registry name, or ``name`` of one's own class.
        cls: the model's class, where it is at hand; else it is looked up.

    Raises:
        BadInput: the model has none of that name (the near ones are named), it is for another model, or it sets
            something that does not exist.
        BadFile: no such file, or it is no recipe.
    """
    text = str(recipe)
    own = isinstance(recipe, Path) or "/" in text or "\\" in text or text.endswith(ENDING)
    if not own and text not in recipes(model):
        raise BadInput(_unknown(text, model))
    read = read_recipe(Path(recipe) if own else RECIPES / model / f"{text}{ENDING}", name=text)
    if read.model != model:
        raise BadInput(f"the recipe {text} is for the model {read.model}, not for {model}")
    return checked(read, cls if cls is not None else registry.model_class(model))


def _unknown(name: str, model: str) -> str:
    known = recipes(model)
    elsewhere = [other for other in registry.MODELS if name in recipes(other)]
    if known:
        return f"{model} has no recipe {name!r}{registry.near(name, known)}; its recipes are: {', '.join(known)}"
    told = f"{name} is a recipe of {' and '.join(elsewhere)}; " if elsewhere else ""
    return f"{told}{model} has no recipes; a file of your own is named with its path, such as ./{name.lower()}{ENDING}"


def read_recipe(path: str | Path, *, name: str | None = None) -> Recipe:
    """Read a recipe; what its tables set is not looked at, see `checked`.

    Raises:
        BadFile: no such file, not TOML, or something in it that no recipe has.
    """
    path = Path(path)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadFile(path, f"the recipe cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFile(path, f"is not a recipe: not TOML ({_plain(error)})") from error
    _check_form(told, path)
    data = told.get("data", ())
    sources = (data,) if isinstance(data, str) else tuple(data)
    return Recipe(name or str(path), told["model"], told.get("about", ""), sources, told.get("config", {}),
                  told.get("train", {}), path)


def _plain(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return str(error) if isinstance(error, tomllib.TOMLDecodeError) else "its values are nested too deeply"


def _check_form(told: Mapping[str, Any], path: Path) -> None:
    for key, value in told.items():
        if key not in (*TEXTS, *TABLES):
            raise BadFile(path, f"a recipe has no {key!r}{registry.near(key, (*TEXTS, *TABLES))}; it has model, about "
                                "and data, and the tables [config] and [train]")
        if key in TABLES and not isinstance(value, dict):
            raise BadFile(path, f"{key} has to be a table: a line [{key}], and below it a line for each setting")
        listed = key == "data" and isinstance(value, list) and all(isinstance(each, str) and each for each in value)
        if key in TEXTS and not listed and (not isinstance(value, str) or not value.strip()):
            raise BadFile(path, f'{key} has to be text in quotation marks, such as {key} = "chorales"')
    if "model" not in told:
        raise BadFile(path, 'does not say which model it is for: its first line is model = "NAME"')


def checked(recipe: Recipe, cls: Any) -> Recipe:
    """Return the recipe with its values read as the types of the Config and of the loop.

    Raises:
        BadInput: a setting that does not exist (the near ones are named), a value that is not of its type, or
            settings that the Config refuses.
    """
    from componium.training.settings import TrainSettings

    config = _values(recipe, "config", registry.types_of(cls.Config), f"the model {recipe.model}")
    train = _values(recipe, "train", registry.types_of(TrainSettings), "the training")
    try:
        cls(cls.Config(**config))
        TrainSettings(**train)
    except BadInput as error:
        raise BadInput(f"{recipe.name}: {error}") from error
    return dataclasses.replace(recipe, config=config, train=train)


def _values(recipe: Recipe, table: str, types: Mapping[str, Any], owner: str) -> dict[str, Any]:
    told = recipe.config if table == "config" else recipe.train
    try:
        return registry.read_settings({key: _value(value) for key, value in told.items()}, types, owner)
    except BadInput as error:
        raise BadInput(f"{recipe.name}, [{table}]: {error}") from error


def _value(value: Any) -> Any:
    """Return a TOML value as a Config holds it: lists are tuples; TOML has no none, so the word is read as text."""
    return tuple(value) if isinstance(value, list) else value


def described(model: str) -> Iterable[tuple[str, str]]:
    """Yield the name of each recipe of a model with what it is for."""
    for name in recipes(model):
        yield name, read_recipe(RECIPES / model / f"{name}{ENDING}").about
