"""A run of the loop put together: prepared data, machine, precision, steps, folder, and what is told of it."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import accelerate
import torch

from componium import checkpoint
from componium.interface import Progress
from componium.music.consent import consents_for
from componium.music.consent import told_of as consent_told
from componium.music.corpus import Corpus
from componium.music.errors import BadFile, BadInput
from componium.music.origin import version
from componium.training.ahead import prepare_ahead
from componium.training.batches import Batches, held_out_batches
from componium.training.estimate import Costs, forward_seconds, saving_seconds, state_bytes
from componium.training.fit import provenance_of
from componium.training.folder import RunFolder
from componium.training.health import watched
from componium.training.lineage import continued
from componium.training.loop import Loop
from componium.training.machine import Machine
from componium.training.observing import Estimate, Observer, RunInfo
from componium.training.precision import choose
from componium.training.preparing import Prepared, divided, prepared_of, set_aside
from componium.training.recordings import Found, recordings_of
from componium.training.segments import one_of_each
from componium.training.segments import told_of as segments_told
from componium.training.settings import TrainSettings
from componium.training.shard_batches import Teller, WindowBatches
from componium.training.shard_windows import Windows
from componium.training.shards import Shards
from componium.training.telling import Part, Warnings, quiet
from componium.training.updates import Updates

OPENED, STORED, AHEAD, PREPARED = 0.05, 0.07, 0.095, 0.1
"""Shares of the progress bar at which data is opened, recordings are in the store and prepared, and all is."""
TRIAL_SHARE = 0.1
"""Share of a budget that the trial of a precision may take."""
TRIAL_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Asked:
    """What was asked of a run.

    Attributes:
        settings: of the loop; a resumed run has its own.
        given: the settings that were given by hand or by a recipe, for a resumed run.
        seed: of the run.
        steps: number of updates, None where it follows from budget or settings.
        budget_seconds: time to train for, or None.
        device: one of `machine.DEVICES`.
        recipe: name, or "".
        sources: what the data was opened from, as text; empty where it was given as objects.
        resume: go on with the run in the folder.
        force: replace what is in the folder.
    """

    settings: TrainSettings
    given: Mapping[str, Any]
    seed: int
    steps: int | None
    budget_seconds: float | None
    device: str
    recipe: str
    sources: Mapping[str, Any]
    resume: bool
    force: bool


@dataclasses.dataclass
class Plan:
    """A run as it will be: what `training/run.json` says of it, and what is not written down."""

    run: dict[str, Any]
    settings: TrainSettings
    estimate: Estimate | None = None
    before: tuple[dict[str, Any], dict[str, Any]] | None = None
    """The saved state of a resumed run."""


def learn(model: Any, data: Corpus | Shards, asked: Asked, folder: RunFolder | None, machine: Machine, *,
          progress: Progress, observers: Sequence[Observer]) -> Any:
    """Let a model learn by gradient; the arguments are those of `componium.training.train.train`, opened and read."""
    observers = watched(folder, observers) if machine.main else []
    warn = Warnings(observers)
    if not isinstance(data, Shards):
        return _learn(model, data, None, asked, folder, machine, progress=progress, observers=observers, warn=warn)
    windows = Windows(model, data, asked, machine, warn)
    try:
        windows.begin(folder if asked.resume else None, Part(progress, 0.0, STORED))
        return _learn(model, Corpus((), name=data.name), windows, asked, folder, machine, progress=progress,
                      observers=observers, warn=warn)
    finally:
        windows.cache.close()


def _learn(model: Any, corpus: Corpus, windows: Windows | None, asked: Asked, folder: RunFolder | None,
           machine: Machine, *, progress: Progress, observers: Sequence[Observer], warn: Any) -> Any:
    fine_tuning = bool(model.trained)
    settings = asked.settings
    with machine.main_first():
        found = windows.found() if windows else _recordings(model, corpus, asked, progress, warn)
        corpus = found.corpus if found is not None else corpus
        if found is not None and machine.main and windows is None:
            prepare_ahead(model, corpus, Part(progress, STORED, AHEAD))
        begin = OPENED if found is None else AHEAD
        prepared = prepared_of(model, list(corpus), progress=Part(progress, begin, PREPARED))
    model.passed_over = list(prepared.passed_over)
    seen, unseen = set_aside(prepared, settings.unseen)
    if not seen.items:
        raise BadInput(f"train.unseen={settings.unseen:g} leaves nothing of {len(prepared.items)} pieces to learn from")
    learned, held = divided(seen, settings.held_out, settings.split_by)
    if settings.held_out and not held.items:
        warn(f"nothing is held out of {len(seen.items)} piece{'s' if len(seen.items) > 1 else ''} (too few, or "
             "all of one family), so there is no held-out loss, and the last weights are kept, not the best")
    elif found is not None and held.items and found.split_by(learned.items, held.items) == "part":
        warn(f"there is one recording, so {len(held.items)} of its {len(seen.items)} parts are held out: they are "
             "nearer to what is learned than another recording would be")
    batches: Batches | WindowBatches
    if windows is not None and found is not None:
        batches = WindowBatches(windows, learned, [*held.items, *unseen.items], found)
        observers = [Teller(batches, folder, warn), *observers] if machine.main else []
    else:
        batches = Batches(model, learned.arrays, learned.names, batch=settings.batch, seed=asked.seed,
                          processes=machine.processes, rank=machine.rank, accumulate=settings.accumulate)
    data_hash = windows.data_hash(prepared) if windows else prepared.data_hash
    held_batches = held_out_batches(model, held.arrays, held.names, settings.batch)
    model.measure(learned.arrays)
    if asked.resume and folder is not None:
        plan = _resumed(folder, model, data_hash, asked, machine, warn)
        fine_tuning = bool(plan.run["fine_tuning"])
    else:
        if not fine_tuning:
            model.initialise(asked.seed)
        plan = _fresh(model, batches, held_batches, asked, folder, machine, fine_tuning)
        plan.run |= {"data": dict(asked.sources) | _data(corpus, data_hash, learned, held, unseen),
                     "provenance": _provenance(model, corpus, learned, held, asked, fine_tuning, found)}
        if found is not None:
            plan.run["data"] |= {"recordings": found.told(), "split_by": found.split_by(learned.items, held.items)}
        if windows is not None:
            plan.run["data"] |= {"shards": windows.told()}
        if folder is not None and machine.main:
            folder.start(plan.run, force=asked.force)
    machine.wait()
    return _go(model, plan, batches, held_batches, folder, machine, progress=progress, observers=observers,
               fine_tuning=fine_tuning)


def _recordings(model: Any, corpus: Corpus, asked: Asked, progress: Progress, warn: Any) -> Found | None:
    """Return the recordings of a corpus for a model that learns from them; None for one that learns from scores.

    Raises:
        BadInput: a voice without consent, nothing that can be used, or a setting that has no meaning for scores.
    """
    if getattr(model, "learns_from", "scores") != "recordings":
        if asked.settings.trim_silence_db:
            raise BadInput(f"train.trim_silence_db is for models that learn from recordings; {model.name} learns from "
                           "scores")
        return None
    consents = consents_for(corpus.only("audio"), asked.sources.get("voice"),
                            roots=[Path(source) for source in asked.sources.get("sources") or ()])
    found = recordings_of(corpus, model.sample_rate_hz, trim_silence_db=asked.settings.trim_silence_db,
                          progress=Part(progress, OPENED, STORED), warn=warn)
    return dataclasses.replace(found, consent=consent_told(consents, asked.sources.get("voice")))


def _go(model: Any, plan: Plan, batches: Batches | WindowBatches, held_batches: Sequence[Any], folder: RunFolder | None,
        machine: Machine, *, progress: Progress, observers: Sequence[Observer], fine_tuning: bool) -> Any:
    run = plan.run
    split_by = run["data"].get("split_by", plan.settings.split_by)
    model.provenance = dict(run["provenance"]) | {
        "device": machine.device.type, "precision": run["precision"], "processes": machine.processes}
    model.figures, model.trained = {}, True
    told_to = list(observers) if machine.main else []
    if isinstance(batches, WindowBatches):
        batches.run_steps = run["steps"]
    with machine.own_randomness():
        updates = Updates(model, batches, plan.settings, machine, steps=run["steps"], precision=run["precision"])
        loop = Loop(updates, held_batches, plan.settings, observers=told_to, folder=folder if machine.main else None,
                    progress=Part(progress, PREPARED, 1.0) if machine.main else quiet, fine_tuning=fine_tuning,
                    protocol=f"held_out_loss_of_{run['data']['held_out_pieces']}_pieces_by_{split_by}")
        try:
            if plan.before is not None:
                loop.load(*plan.before, best=_best_of(folder, model))
            for observer in told_to:
                observer.begun(_info(model, plan, machine, folder, loop.position.step))
            summary = loop.run()
        finally:
            if isinstance(batches, WindowBatches):
                batches.close()
            updates.close()
            model.trained = fine_tuning or loop.position.step > 0
    progress(1.0, f"{summary.reason} after step {summary.step} in {summary.seconds:.1f} s")
    return model


def _fresh(model: Any, batches: Any, held_batches: Sequence[Any], asked: Asked, folder: RunFolder | None,
           machine: Machine, fine_tuning: bool) -> Plan:
    """Measure a few updates; decide precision and number of steps."""
    settings = asked.settings
    model.network.to(machine.device)
    limit = TRIAL_SECONDS if asked.budget_seconds is None else min(TRIAL_SECONDS, TRIAL_SHARE * asked.budget_seconds)
    with machine.own_randomness():
        choice = choose(model, batches, settings, machine.device, most_seconds=limit)
        held_seconds = forward_seconds(model, held_batches, machine.device, choice.precision)
    keep_seconds, save_seconds = 0.0, 0.0
    if folder is not None and machine.main:
        before, model.trained = model.trained, True  # so that there are weights to keep
        try:
            size = state_bytes(model.network, settings)
            keep_seconds, save_seconds = saving_seconds(model, folder.training, size)
        finally:
            model.trained = before
    costs = Costs(choice.trial.seconds, held_seconds / machine.processes + keep_seconds * bool(held_batches),
                  save_seconds, settings)
    steps = asked.steps or (settings.steps if asked.budget_seconds is None
                            else costs.steps_in(asked.budget_seconds - choice.seconds))
    precision, steps, reason = machine.agreed([choice.precision, steps, choice.reason])
    estimate = costs.estimate(model.network, steps, memory_bytes=machine.memory_bytes(), on_disk=folder is not None)
    run = {"model": model.name, "config": dataclasses.asdict(model.config),
           "train": {key: value for key, value in dataclasses.asdict(settings).items() if key != "steps"},
           "seed": asked.seed, "steps": steps, "budget_seconds": asked.budget_seconds, "recipe": asked.recipe,
           "precision": precision, "precision_reason": reason, "fine_tuning": fine_tuning, **surroundings(machine)}
    return Plan(run, settings, estimate)


def surroundings(machine: Machine) -> dict[str, Any]:
    """Return what the last bits of a result depend on besides the settings."""
    return {"processes": machine.processes, "threads": torch.get_num_threads(), "device": machine.device.type,
            "versions": {"componium": version(), "torch": torch.__version__, "accelerate": accelerate.__version__,
                         "python": platform.python_version()}}


def _resumed(folder: RunFolder, model: Any, data_hash: str, asked: Asked, machine: Machine, warn: Any) -> Plan:
    """Compare what is asked for with the run that is there, and take up its state."""
    given = {key: value for key, value in asked.given.items() if key != "steps"}
    run = folder.read_run()
    for text in folder.check_same({
            "model": model.name, "config": dataclasses.asdict(model.config), "train": given,
            "seed": asked.seed or None, "steps": asked.steps, "data": {"hash": data_hash},
            **surroundings(machine)}):
        warn(text)
    longer = asked.steps is not None and asked.steps > run["steps"]
    machine.wait()
    if longer and machine.main:
        folder.extend(asked.steps or 0)
    machine.wait()
    run = folder.read_run()
    found = folder.load_state(warn)
    if found is None and run["fine_tuning"]:
        raise BadFile(folder.path, "was stopped before its first state was saved; --force begins it anew")
    if found is None:
        model.initialise(run["seed"])
    elif longer:
        found[1].update(ended="", since_best=0)
    return Plan(run, TrainSettings(**run["train"], steps=run["steps"]), before=found)


def _best_of(folder: RunFolder | None, model: Any) -> tuple[Any, Any, dict[str, Any]] | None:
    """Return the best model so far of a folder, as `Loop.load` takes it."""
    if folder is None or not checkpoint.is_checkpoint(folder.path):
        return None
    other = checkpoint.load(folder.path, cls=type(model))
    return (*other.state(), {"figures": other.figures, "provenance": other.provenance})


def _data(corpus: Corpus, data_hash: str, learned: Prepared, held: Prepared, unseen: Prepared) -> dict[str, Any]:
    return {"name": corpus.name, "hash": data_hash, "pieces": len(learned.items),
            "held_out_pieces": len(held.items), "unseen_pieces": len(unseen.items),
            "skipped": [[skipped.name, skipped.reason] for skipped in corpus.skipped],
            "passed_over": [[item.name, reason] for item, reason in learned.passed_over]}


def _provenance(model: Any, corpus: Corpus, learned: Prepared, held: Prepared, asked: Asked,
                fine_tuning: bool, found: Found | None) -> dict[str, Any]:
    """Return what the checkpoints say of the data, earlier data included where weights are continued."""
    pieces = learned.items if found is None else one_of_each(learned.items)
    used = Corpus(pieces, name=corpus.name, skipped=corpus.skipped)
    told = provenance_of(used)
    told["skipped_pieces"] += len(learned.passed_over)
    told |= {"data_hash": learned.data_hash, "held_out_pieces": len(held.items),
             "held_out_hashes": [item.hash for item in held.items]}
    if found is not None:
        told |= {**segments_told(learned.items, held.items), **found.consent}
    told |= {"recipe": asked.recipe or "none",
             "seed": asked.seed, "parameters": parameters(model)}
    return continued(told, model.provenance) if fine_tuning else told


def parameters(model: Any) -> int:
    """Return the number of parameters of a model's network."""
    return sum(parameter.numel() for parameter in model.network.parameters())


def _info(model: Any, plan: Plan, machine: Machine, folder: RunFolder | None, first_step: int) -> RunInfo:
    run = plan.run
    data = run["data"]
    return RunInfo(
        model=model.name, steps=run["steps"], first_step=first_step, settings=run["train"], seed=run["seed"],
        parameters=parameters(model), data=data["name"], pieces=data["pieces"],
        held_out_pieces=data["held_out_pieces"], unseen_pieces=data.get("unseen_pieces", 0),
        passed_over=tuple((a, b) for a, b in data["passed_over"]),
        device=machine.device.type, processes=machine.processes, precision=run["precision"],
        precision_reason=run["precision_reason"], estimate=plan.estimate, budget_seconds=run["budget_seconds"],
        fine_tuning=run["fine_tuning"], out=folder.path if folder is not None else None)
