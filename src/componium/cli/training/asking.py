"""What a command line of `componium train` asks for: which model, what data, which settings, in which order of
precedence: defaults, recipe, command line.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.settings import split_words
from componium.cli.show import quoted
from componium.music.errors import BadInput

if TYPE_CHECKING:
    from componium.training.recipes import Recipe

FLAGS = {"budget": "--budget 10m", "out": "--out DIR", "seed": "--seed 1", "recipe": "--recipe NAME",
         "resume": "--resume", "device": "--device cpu", "force": "--force", "exclude": "--exclude FILE"}
"""Words that are flags and no settings, with an example of each."""
TRAIN_FLAGS = {"steps": "--steps", "keep": "--keep"}
"""Settings of the training that have a flag of their own."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is trained.

    Attributes:
        model: MODEL as the user wrote it.
        cls: its class.
        before: the trained model whose weights are continued; none = a new one.
    """

    model: str
    cls: Any
    before: Any = None

    @property
    def learns_by_gradient(self) -> bool:
        """Whether the training loop teaches it; else it has `fit`."""
        return hasattr(self.cls, "loss")


@dataclasses.dataclass(frozen=True)
class Words:
    """The words of a command line, told apart, and not yet read.

    Attributes:
        data: what to learn from.
        config: ``key=value``, for the model's Config.
        train: ``train.key=value``, for the loop, without ``train.``.
    """

    data: tuple[str, ...]
    config: Mapping[str, str]
    train: Mapping[str, str]


def subject_of(model: str) -> Subject:
    """Return what MODEL stands for on `train`: a bare registry name is a new model, everything else is continued.

    Raises:
        BadInput: no such model, music where the model should be, or a model that does not learn.
        BadFile: a run that has kept no model yet.
    """
    from componium import checkpoint, registry

    if model in registry.models() or model.rpartition(":")[0].endswith(".py"):
        return _learning(Subject(model, registry.model_class(model)))
    place = Path(model)
    if (place / checkpoint.RUN).is_file():
        checkpoint.header_of(place)  # tells of a run that has kept no model yet
    if place.exists() and not (place / "model.json").is_file():
        raise BadInput(f"the model comes first and the music after it: componium train MODEL {quoted(model)} --out DIR")
    try:
        found = registry.resolve(model)
    except BadInput:
        if "/" in model or "\\" in model or ":" in model or "@" in model:
            raise
        return _learning(Subject(model, registry.model_class(model)))  # tells of the models, near ones first
    if found.kind == "registry":
        return _learning(Subject(model, registry.model_class(found.target)))
    loaded = registry.load(model)
    return _learning(Subject(model, type(loaded), loaded))


def subject_of_run(folder: Path) -> Subject:
    """Return what the training run in a folder trains.

    Raises:
        BadInput: a model of one's own, whose file has to be named.
        BadFile: the run is damaged.
    """
    from componium import registry
    from componium.training.folder import RunFolder

    name = str(RunFolder(folder).read_run().get("model"))
    if name not in registry.MODELS:
        raise BadInput(f"the run in {folder} trains a model of your own, {name!r}; name its file and class: "
                       f"componium train FILE.py:CLASS --out {quoted(folder)} --resume")
    return _learning(Subject(name, registry.model_class(name)))


def _learning(subject: Subject) -> Subject:
    cls, model = subject.cls, subject.model
    if not hasattr(cls, "fit") and not subject.learns_by_gradient:
        raise BadInput(f"the model {model} does not learn; it works as it is ('componium info {model}' tells how)")
    if subject.before is not None and not subject.learns_by_gradient:
        raise BadInput(f"{model} counted what it learned from, and counts nothing on top of that: train anew on all of "
                       f"it, componium train {cls.name} OLD_DATA NEW_DATA --out DIR")
    return subject


def read_words(words: Sequence[str], subject: Subject) -> Words:
    """Tell data, settings of the model and settings of the training (``train.key=value``) apart.

    Raises:
        BadInput: something is given twice, or a word before the dot is not ``train``.
    """
    from componium import registry

    mine: list[str] = []
    train: dict[str, str] = {}
    for word in words:
        told = re.match(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)=(.*)", word, re.S)
        if told is None or (told[1] != "train" and Path(word).exists()):
            mine.append(word)
        elif told[1] != "train":
            near = registry.near(told[1], ["train"])
            raise BadInput(f"{word}: settings of the training are written train.KEY=VALUE, those of the model "
                           f"KEY=VALUE{near}")
        elif told[2] in train:
            raise BadInput(f"train.{told[2]} is given twice: train.{told[2]}={train[told[2]]} and {word}")
        else:
            train[told[2]] = told[3]
    data, config = split_words(mine, registry.types_of(subject.cls.Config))
    return Words(tuple(data), config, train)


def model_settings(pairs: Mapping[str, str], cls: Any) -> dict[str, Any]:
    """Return ``key=value`` words as values of the Config.

    Raises:
        BadInput: a setting that does not exist: a flag, or a setting of the training, is named as what it is.
    """
    from componium import registry

    types = registry.types_of(cls.Config)
    loop = train_types()
    for key, value in pairs.items():
        if key in types:
            continue
        if key in FLAGS or key in TRAIN_FLAGS:
            raise BadInput(f"{key} is a flag: write {FLAGS.get(key) or f'{TRAIN_FLAGS[key]} {value}'}")
        if key in loop:
            raise BadInput(f"{key} is a setting of the training: write train.{key}={value}")
        near = registry.near(key, [*types, *loop])
        if not registry.near(key, types) and near:
            raise BadInput(f"neither the model {cls.name} nor the training has a setting {key!r}{near}; settings of "
                           f"the training are written train.KEY=VALUE, those of {cls.name} are: {', '.join(types)}")
    return registry.read_settings(pairs, types, f"the model {cls.name}")


def train_settings(pairs: Mapping[str, str], flags: Mapping[str, Any], cls: Any) -> dict[str, Any]:
    """Return ``train.key=value`` words and flags as values of the loop's settings.

    Raises:
        BadInput: a setting that does not exist (the near ones are named; a setting of the model is named as such),
            a value that cannot be, or the same in a word and in a flag.
    """
    from componium import registry
    from componium.training.settings import TrainSettings

    types = train_types()
    for key, value in pairs.items():
        if key not in types and key in registry.types_of(cls.Config):
            raise BadInput(f"{key} is a setting of the model {cls.name}: write {key}={value}, without train.")
        if flags.get(key) is not None and str(flags[key]) != value:
            raise BadInput(f"{key} is given twice: {TRAIN_FLAGS[key]} {flags[key]} and train.{key}={value}")
    given = registry.read_settings({**pairs, **{key: value for key, value in flags.items() if value is not None}},
                                   types, "the training")
    TrainSettings(**given)  # refuses what cannot be
    return given


def train_types() -> dict[str, Any]:
    """Return the settings of the training with their types."""
    from componium import registry
    from componium.training.settings import TrainSettings

    return registry.types_of(TrainSettings)


def only_gradient(subject: Subject, flags: Mapping[str, Any], train: Mapping[str, str]) -> None:
    """Raise `BadInput` where something was given that a model which counts has no use for."""
    named = [f"--{name}" for name, value in flags.items() if value] + [f"train.{key}" for key in train]
    if named:
        raise BadInput(f"{subject.model} learns by counting, in one pass over the data; {named[0]} is for models that "
                       "learn by gradient")


def fixed_config(subject: Subject, config: Mapping[str, Any], recipe: Recipe | None) -> None:
    """Raise `BadInput` where a setting of a model whose weights are continued would change."""
    if subject.before is None:
        return
    told = {**(recipe.config if recipe is not None else {}), **config}
    for key, value in told.items():
        now = getattr(subject.before.config, key)
        if value != now:
            who = "" if key in config else f" (the recipe {recipe.name if recipe else ''} asks for {value!r})"
            raise BadInput(f"{key} of {subject.model} was fixed when it was trained, and is {now!r}{who}; "
                           f"'componium train {subject.cls.name} ...' begins a new model")
