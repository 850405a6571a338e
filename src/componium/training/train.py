"""Training in one call: data in, a model that has learned and says from what.

Models that count or evolve learn in `componium.training.fit`; models that learn by gradient in the loop of
`componium.training.loop`, on one processor or, started by torchrun, on many.
"""

from __future__ import annotations

import contextlib
import dataclasses
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from componium import checkpoint, registry
from componium.interface import Fits, Learns, Progress, silent
from componium.music.corpus import Corpus
from componium.music.errors import BadInput, require
from componium.music.provenance import apart_from_benchmark
from componium.training import fit
from componium.training.fit import Data, open_data, read_budget
from componium.training.folder import RunFolder
from componium.training.observing import Observer
from componium.training.settings import TrainSettings, read_train_settings
from componium.training.shards import Shards, is_shards, is_url

OPENING_SHARE = 0.05
"""Share of the progress bar that opening the data takes."""


def train(model: Any, data: Data | None = None, *, progress: Progress = silent, seed: int = 0,
          budget: str | float | None = None, steps: int | None = None, out: str | Path | None = None,
          resume: bool = False, device: str = "auto", recipe: str | Path | None = None,
          settings: Mapping[str, Any] | None = None, observers: Sequence[Observer] = (),
          accept_licence: bool = False, exclude: str | Path | None = None, voice: bool | None = None,
          force: bool = False) -> Any:
    """Let a model learn from music.

    Weights that were learned before are continued (fine-tuning); an untrained network begins with weights that the
    seed draws. Where pieces are held out, the model keeps the weights that were best on them.

    Args:
        model: a model that learns; it is changed and returned.
        data: a file, a folder, a built-in name, a list of these, a `Corpus`, or a list of `Item`. It may be left out
            where a recipe names it, and with ``resume``. Shards of recordings (`componium.training.shards`) are named
            by a path or an address, with braces for many.
        progress: called with the fraction done; raising `Cancelled` in it stops the work.
        seed: of weights, batches and augmentation; a model that counts gives the same result for every seed.
        budget: time to train for, as `read_budget` reads it; it is turned into a number of steps once.
        steps: number of updates; with ``resume``, a larger number makes the run longer.
        out: a folder to keep the run in: best and last model, state, logs; None keeps nothing.
        resume: go on with the run in ``out``, as it was begun.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        recipe: name or path of a recipe; its table ``[train]`` and its data are taken where nothing else is given.
        settings: fields of `TrainSettings`.
        observers: listen to the run.
        accept_licence: whether you keep to the terms of a built-in corpus that has some.
        exclude: a file of marks (`componium.music.marks`) for items to leave out.
        voice: whether recordings are a person's voice, which needs a consent (`componium.music.consent`); None = by
            their names.
        force: replace a run or a model in ``out``.

    Returns:
        The same model, its ``provenance`` and ``figures`` filled.

    Raises:
        BadInput: the model does not learn, the data holds nothing to learn from, or a setting cannot be used.
        BadFile: the data cannot be read, or ``out`` cannot be written.
        MissingExtra: torch is needed and not installed.
        Cancelled: `progress` asked to stop, or Ctrl-C; the model keeps what it has learned so far.
    """
    if voice is not None and getattr(model, "learns_from", "scores") != "recordings":
        raise BadInput(f"voice is for models that learn from recordings; {fit.name_of(model)} learns from scores")
    if not isinstance(model, Learns):
        _only_for_networks(model, steps=steps, resume=resume, recipe=recipe, settings=settings)
        return _fit(model, data, out, force, progress=progress, seed=seed, budget=budget,
                    accept_licence=accept_licence, exclude=exclude)
    for package in ("torch", "accelerate", "filelock"):
        require(package, extra="neural", purpose=f"Training {model.name}")
    folder = RunFolder(out) if out is not None else None
    asked = _asked(model, data, seed=seed, budget=budget, steps=steps, folder=folder, resume=resume, device=device,
                   recipe=recipe, settings=settings, accept_licence=accept_licence, exclude=exclude, voice=voice,
                   force=force)
    from componium.training.machine import Machine

    machine = Machine(device)
    told_to = tuple(observers) if machine.main else ()
    with _held(folder, machine.main, resume, force):
        finished = folder.finished() if folder is not None and resume else None
        if folder is not None and finished and (steps is None or steps == folder.read_run()["steps"]):
            folder.check_same({"model": model.name, "config": dataclasses.asdict(model.config), "seed": seed or None,
                               "train": {key: value for key, value in asked.given.items() if key != "steps"}})
            return _as_finished(model, folder, finished, progress, told_to)
        return _learn(model, data, asked, folder, machine, progress if machine.main else silent, told_to)


def _learn(model: Any, data: Data | None, asked: Any, folder: RunFolder | None, machine: Any, progress: Progress,
           observers: Sequence[Observer]) -> Any:
    from componium.training.learning import learn

    sources = asked.sources
    if any(is_shards(source) for source in sources["sources"]):
        return learn(model, Shards(sources["sources"]), asked, folder, machine, progress=progress, observers=observers)
    with machine.main_first():  # it fills the caches that the others read
        corpus = open_data(data if data is not None else list(sources["sources"]),
                           lambda done, text="": progress(OPENING_SHARE * done, text), sources["accept_licence"],
                           sources["exclude"])
    if asked.settings.apart_from_benchmark:
        corpus = _apart(corpus)
    return learn(model, corpus, asked, folder, machine, progress=progress, observers=observers)


def _fit(model: Any, data: Data | None, out: str | Path | None, force: bool, **asked: Any) -> Any:
    """Let a model that counts learn, and keep it where that was asked for."""
    if not isinstance(model, Fits):
        raise BadInput(f"the model {fit.name_of(model)} does not learn from a corpus; it works as it is")
    if data is None:
        raise BadInput(f"what should {fit.name_of(model)} learn from? Give a file, a folder or a built-in name")
    if out is not None:
        checkpoint.check_free(Path(out), force=force)
    fit.train(model, data, **asked)
    if out is not None:
        checkpoint.save(model, out, force=force)
    return model


def _only_for_networks(model: Any, **given: Any) -> None:
    """Raise for an argument that means nothing to a model that counts."""
    for name, value in given.items():
        if value:
            raise BadInput(f"{name} is for models that learn by gradient; {fit.name_of(model)} "
                           + ("reads its data once" if isinstance(model, Fits) else "does not learn"))


def _asked(model: Any, data: Data | None, *, seed: int, budget: str | float | None, steps: int | None,
           folder: RunFolder | None, resume: bool, device: str, recipe: str | Path | None,
           settings: Mapping[str, Any] | None, accept_licence: bool, exclude: str | Path | None,
           voice: bool | None, force: bool) -> Any:
    """Read what was asked for; nothing is opened yet."""
    from componium.training.learning import Asked
    from componium.training.recipes import find

    seed, steps = _whole(seed, "seed"), None if steps is None else _whole(steps, "steps")
    if seed < 0:
        raise BadInput(f"seed={seed}: a seed is 0 or more")
    if steps is not None and steps < 1:
        raise BadInput(f"steps={steps}: a run has at least 1 step")
    if budget is not None and (steps is not None or resume):
        raise BadInput("give steps or a budget, not both" if steps is not None else
                       "a run that goes on keeps its number of steps; --steps makes it longer, a budget does not")
    budget_seconds = read_budget(budget)
    chosen = find(recipe, model.name, cls=type(model)) if recipe is not None else None
    types = registry.types_of(TrainSettings)
    given = registry.read_settings({**(chosen.train if chosen else {}), **(settings or {})}, types, "training")
    stored: dict[str, Any] = {}
    if resume:
        if folder is None:
            raise BadInput("resume goes on with the run in a folder: name it with out")
        stored = folder.read_run()
    if data is None and chosen is not None and chosen.data:
        data = list(chosen.data)
    if stored and data is None and exclude is not None and folder is not None:
        folder.check_same({"data": {"exclude": str(Path(exclude).absolute())}})
    if stored and voice is not None and folder is not None:
        folder.check_same({"data": {"voice": voice}})
    sources = _sources(data, accept_licence, exclude) if data is not None else _stored_sources(model, stored)
    sources["voice"] = stored.get("data", {}).get("voice") if stored else voice
    loop = TrainSettings(**stored["train"], steps=stored["steps"]) if stored else read_train_settings(given)
    return Asked(loop, given, seed or stored.get("seed", 0), steps, budget_seconds, device,
                 str(recipe or stored.get("recipe", "")), sources, resume, force)


def _whole(value: Any, name: str) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise BadInput(f"{name}={value}: {name} has to be a whole number") from error


def _sources(data: Data, accept_licence: bool, exclude: str | Path | None) -> dict[str, Any]:
    """Return what the data is opened from, in a form in which another day and another folder open the same."""
    told: dict[str, Any] = {"sources": [], "accept_licence": accept_licence,
                            "exclude": None if exclude is None else str(Path(exclude).absolute())}
    each = [data] if isinstance(data, str | Path) else [] if isinstance(data, Corpus) else list(data)
    if all(isinstance(one, str | Path) for one in each):
        from componium.music.built_in import is_built_in

        told["sources"] = [str(one) if isinstance(one, str) and (is_built_in(one) or is_url(one) or
                                                                 one.startswith("pipe:"))
                           else str(Path(str(one)).absolute()) for one in each]
    return told


def _stored_sources(model: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(stored.get("data", {}))
    if not told.get("sources"):
        raise BadInput(f"what should {model.name} learn from? "
                       + ("The run was begun with data that lay in memory; give it again" if stored else
                          "Give a file, a folder or a built-in name"))
    return {key: told.get(key) for key in ("sources", "accept_licence", "exclude")}


def _apart(corpus: Corpus) -> Corpus:
    kept = apart_from_benchmark(corpus)
    if not kept:
        raise BadInput(f"{corpus.name}: every piece is in the benchmark's valid or test part or a sibling of one that "
                       "is; train.apart_from_benchmark=off learns from them")
    remark = f"left out as part of the benchmark or its siblings: {len(corpus) - len(kept)}"
    return Corpus(kept, name=f"{corpus.name} (apart from the benchmark)", skipped=corpus.skipped,
                  other_files=corpus.other_files, remarks=[*corpus.remarks, remark])


@contextlib.contextmanager
def _held(folder: RunFolder | None, main: bool, resume: bool, force: bool) -> Any:
    """Hold the folder of a run in process 0."""
    if folder is None or not main:
        yield
        return
    if not resume:
        folder.check_free(force)
    with folder.lock():
        yield


def _as_finished(model: Any, folder: RunFolder, sentence: str, progress: Progress,
                 observers: Sequence[Observer]) -> Any:
    """Give a model what the finished run in a folder has learned."""
    done = checkpoint.load(folder.path, cls=type(model))
    model.load_state(*done.state())
    model.provenance, model.figures = done.provenance, done.figures
    for observer in observers:
        observer.warned(sentence)
    progress(1.0, sentence)
    return model
