"""Preparing recordings ahead, in several processes: each fills the cache, from which `preparing.prepared_of` takes it.

Nothing depends on it: what is not there afterwards is prepared by the process that trains, in which errors are told.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from componium.interface import Progress
from componium.music.cache import cache_folder
from componium.music.errors import BadInput
from componium.music.item import Item, Later
from componium.training.audio_store import read_entry
from componium.training.preparing import entry_of, key_of, remembered
from componium.training.segments import Recording, Segment, sound_of
from componium.training.workers import run_jobs

WORTH_SECONDS = 15.0
"""Preparing that takes less in all is left to one process: a worker has to start, and to import the model."""
OWN = "componium."


def prepare_ahead(model: Any, items: Sequence[Item], progress: Progress) -> None:
    """Prepare parts of recordings in parallel, where it takes long enough; whoever stops keeps what is done.

    Args:
        model: gives `prepare`; it has to be built from its config alone.
        items: of which some may be in the cache already.
        progress: told of each.
    """
    key, cores = key_of(model), os.cpu_count() or 1
    missing = [item for item in items if isinstance(item, Segment) and item.recording is not None
               and not (cache_folder() / f"{entry_of(model, item, key)[0]}.npz").is_file()]
    if cores < 2 or len(missing) < 4 or not rebuildable(type(model)):
        return
    begun = time.perf_counter()
    try:
        remembered(model, missing[0], key)
    except BadInput:
        return
    if (time.perf_counter() - begun) * len(missing) < WORTH_SECONDS:
        return
    jobs = [{**model_told(model, key), **_item_told(item)} for item in missing[1:]]

    def told(shares: Sequence[float]) -> None:
        done = 1 + sum(share == 1.0 for share in shares)
        progress(done / len(missing), f"prepared {done} of {len(missing)} parts")

    run_jobs("componium.training.ahead:prepare_job", jobs, told=told)


def rebuildable(cls: type) -> bool:
    """Whether an object of a class can be built elsewhere, from its config."""
    file = getattr(inspect.getmodule(cls), "__file__", None)
    return file is not None and cls.__qualname__.isidentifier() and len(inspect.signature(cls).parameters) <= 1


def model_told(model: Any, key: str) -> dict[str, Any]:
    """Return what another process builds a model from, and the key that its entries have."""
    cls = type(model)
    return {"module": cls.__module__, "file": inspect.getfile(cls), "class": cls.__qualname__, "key": key,
            "config": dataclasses.asdict(model.config)}


def _item_told(item: Segment) -> dict[str, Any]:
    assert item.recording is not None
    return {"name": item.name, "source": item.source, "licence": item.licence, "hash": item.hash, "path": item.path,
            "seconds": item.seconds, "first": item.first, "last": item.last, "recording": item.recording.name,
            "recording_hash": item.recording.hash, "store": item.recording.path}


def prepare_job(job: dict[str, Any], _tell: Callable[[float], None]) -> dict[str, Any]:
    """Prepare one part of a recording, as a job of `componium.training.workers`."""
    model = built(job["module"], job["file"], job["class"], json.dumps(job["config"]))
    if key_of(model) != job["key"]:
        return {"failed": "the model is another one in this process"}
    stored = read_entry(Path(job["store"]))
    if stored is None:
        return {"failed": "the recording is gone"}
    recording = Recording(job["recording"], job["recording_hash"], job["store"], stored)
    content = Later(functools.partial(sound_of, recording, job["first"], job["last"]), keep=False)
    segment = Segment(job["name"], "audio", content, job["source"], job["licence"], job["hash"],  # type: ignore[arg-type]
                      job["path"], seconds=job["seconds"], recording=recording, first=job["first"], last=job["last"])
    remembered(model, segment, job["key"])
    return {}


@functools.lru_cache(maxsize=1)
def built(module: str, file: str, name: str, config: str) -> Any:
    """Return a model, built as the process that asks has it."""
    if not module.startswith(OWN) and module not in sys.modules:  # of the user's own file
        spec = importlib.util.spec_from_file_location(module, file)
        assert spec is not None and spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[module] = loaded
        spec.loader.exec_module(loaded)
    cls = getattr(importlib.import_module(module), name)
    stored = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(config).items()}
    return cls(cls.Config(**stored))
