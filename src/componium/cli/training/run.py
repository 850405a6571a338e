"""One training by gradient from the command line: what was asked for becomes a call of the loop, with its observers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from componium.cli.show import say
from componium.cli.training.asking import Subject, Words, fixed_config, model_settings, train_settings
from componium.music.errors import BadInput, Cancelled, ComponiumError

if TYPE_CHECKING:
    from componium.cli.training.bar import Display, Quiet
    from componium.training.folder import RunFolder
    from componium.training.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Flags:
    """The flags of `componium train`; none where they were not given."""

    out: Path
    recipe: str | None = None
    budget: str | None = None
    steps: int | None = None
    keep: str | None = None
    seed: int | None = None
    device: str = "auto"
    resume: bool = False
    accept_licence: bool = False
    exclude: Path | None = None
    voice: bool | None = None
    force: bool = False


def rank() -> int:
    """Return the number of this process among those that torchrun started; 0 where it started none."""
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdecimal() else 0


def learn_by_gradient(subject: Subject, words: Words, flags: Flags) -> None:
    """Train, and tell of it: in the process that has number 0."""
    try:
        _learn(subject, words, flags)
    except ComponiumError as error:
        if rank() == 0:
            raise
        raise typer.Exit(130 if isinstance(error, Cancelled) else 1) from error  # process 0 tells of it
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from componium.training.machine import Machine

        Machine(flags.device).leave()


def _learn(subject: Subject, words: Words, flags: Flags) -> None:
    from componium.music.errors import require
    from componium.training.folder import RunFolder

    folder = RunFolder(flags.out)
    settings = train_settings(words.train, {"steps": flags.steps, "keep": flags.keep}, subject.cls)
    flags = dataclasses.replace(flags, steps=settings.get("steps"))
    config = model_settings(words.config, subject.cls)
    for package in ("torch", "accelerate", "filelock"):
        require(package, extra="neural", purpose="Training a network")
    if flags.resume:
        model, recipe = _stored(folder, subject, config, settings, flags), None
        if _nothing_left(folder, flags):
            return
    else:
        recipe = _recipe(subject, flags)
        fixed_config(subject, config, recipe)
        folder.check_free(flags.force)
        model = subject.before if subject.before is not None else _new(subject, recipe, config)
        if flags.budget is not None and flags.steps is not None:
            raise BadInput("--budget is turned into a number of steps: give one of --budget and --steps")
    _train(model, words.data or (recipe.data if recipe is not None else ()), settings, folder, subject, flags)


def _recipe(subject: Subject, flags: Flags) -> Recipe | None:
    from componium.training.recipes import find

    return find(flags.recipe, subject.cls.name, cls=subject.cls) if flags.recipe is not None else None


def _new(subject: Subject, recipe: Recipe | None, config: Mapping[str, Any]) -> Any:
    """Return a new model: defaults, recipe, command line."""
    return subject.cls(subject.cls.Config(**{**(recipe.config if recipe is not None else {}), **config}))


def _stored(folder: RunFolder, subject: Subject, config: Mapping[str, Any], settings: Mapping[str, Any],
            flags: Flags) -> Any:
    """Return the model of a run that goes on, with the settings that the run has.

    Raises:
        BadInput: another model, recipe or setting was asked for.
    """
    from componium import registry

    run = folder.read_run()
    name = subject.cls.name
    if run.get("model") != name:
        raise BadInput(f"the run in {folder.path} trains the model {run.get('model')}, not {name}")
    if flags.recipe is not None and flags.recipe != run.get("recipe"):
        raise BadInput(f"the run in {folder.path} was begun with {_of_recipe(run)}, not with --recipe {flags.recipe}; "
                       "leave it out")
    train = {key: value for key, value in settings.items() if key != "steps"}
    folder.check_same({"config": dict(config), "train": train, "seed": flags.seed})
    if subject.before is not None:
        return subject.before
    stored = {key: tuple(value) if isinstance(value, list) else value for key, value in run["config"].items()}
    types = registry.types_of(subject.cls.Config)
    return subject.cls(subject.cls.Config(**registry.read_settings(stored, types, name)))


def _of_recipe(run: Mapping[str, Any]) -> str:
    return f"the recipe {run['recipe']}" if run.get("recipe") else "no recipe"


def _nothing_left(folder: RunFolder, flags: Flags) -> bool:
    """Say so where a run is finished and is not to become longer.

    Raises:
        BadInput: a flag that belongs to a new run.
    """
    if flags.force:
        raise BadInput("--force begins anew and --resume goes on: leave one of them out")
    if flags.budget is not None:
        raise BadInput("--budget is for the beginning, where it becomes a number of steps; to go on for longer, say "
                       "how many steps in all: --steps N")
    told = folder.finished()
    if told is None or (flags.steps is not None and flags.steps > folder.read_run()["steps"]):
        return False
    if rank() == 0:
        say(told)
    return True


def _train(model: Any, data: tuple[str, ...], settings: Mapping[str, Any], folder: RunFolder, subject: Subject,
           flags: Flags) -> None:
    from componium.training.train import train

    display = _display(folder)
    try:
        train(model, data[0] if len(data) == 1 else list(data) or None, progress=display.progress("reading"),
              seed=flags.seed or 0, budget=flags.budget, steps=flags.steps, out=folder.path, resume=flags.resume,
              device=flags.device, recipe=None if flags.resume else flags.recipe, settings=settings,
              observers=_observers(display, folder), accept_licence=flags.accept_licence, exclude=flags.exclude,
              voice=flags.voice, force=flags.force)
    except Cancelled as error:
        raise Cancelled(_stopped(display, subject, folder)) from error
    finally:
        display.close()
    if rank() == 0:
        _tell(model, display, subject, folder)


def _display(folder: RunFolder) -> Display | Quiet:
    from componium.cli.training.bar import Display, Quiet
    from componium.cli.training.telling import before_lines

    return Display(lambda run: before_lines(run, folder.read_run())) if rank() == 0 else Quiet()


def _observers(display: Any, folder: RunFolder) -> tuple[Any, ...]:
    if rank() != 0:
        return ()
    from componium.cli.training.previews import Previews

    return display, Previews(folder.path, folder.preview_path, display.warned)


def _stopped(display: Any, subject: Subject, folder: RunFolder) -> str:
    """Return what is said after Ctrl-C: where the run stands, and how to go on."""
    from componium.cli.training.telling import resume_command

    if not folder.exists():
        return "stopped before the first step; nothing was left half-written"
    step = f" after step {display.summary.step:,} of {display.summary.steps:,}" if display.summary is not None else ""
    return f"stopped{step}; to go on: {resume_command(subject.model, folder.path)}"


def _tell(model: Any, display: Any, subject: Subject, folder: RunFolder) -> None:
    """Say how it ended, where everything is, and what to do next."""
    from componium import registry
    from componium.cli.training import telling

    summary = display.summary
    if summary is None:  # there was nothing left to do
        return
    for line in telling.after_lines(summary, model.figures):
        say(line)
    previews = folder.previews_path
    say(f"saved in {folder.path}" + (f"; previews are in {previews}" if previews.is_dir() else ""))
    for line in telling.next_lines(model, folder.path, own=subject.model, steps=summary.steps,
                                   ladder=len(registry.steps_of(folder.path)) > 1):
        say(line)
