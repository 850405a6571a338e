"""Settings of the training loop: ``train.key=value`` on the command line, the table ``[train]`` of a recipe."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from componium import registry
from componium.interface import setting
from componium.music.errors import BadInput
from componium.music.splits import WAYS
from componium.training.ladder import parse_keep

OPTIMIZERS = ("adamw", "adam", "rmsprop")
SCHEDULES = ("cosine", "constant", "linear", "halving")
PRECISIONS = ("auto", "float32", "bfloat16")
AT_LEAST = {"steps": 1, "batch": 1, "accumulate": 1, "held_out_every": 1, "save_every": 1, "log_every": 1,
            "warmup_steps": 0, "patience": 0, "preview_every": 0, "clip_norm": 0.0, "weight_decay": 0.0, "ema": 0.0,
            "held_out": 0.0, "unseen": 0.0, "trim_silence_db": 0.0,
            "shard_window": 1, "shard_steps": 10}
ABOVE_ZERO = ("learning_rate", "halve_every_epochs", "shard_cache_gb")
BELOW_ONE = ("ema", "held_out", "unseen")


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """How a model learns; what it is lies in its own Config.

    Raises:
        BadInput: a value that cannot be used, with its range.
    """

    steps: int = setting(1000, "number of updates, where neither --steps nor --budget says it")
    batch: int = setting(32, "examples an update, over all processes")
    learning_rate: float = setting(2e-3, "size of the updates after the warm-up")
    optimizer: str = setting("adamw", "how gradients become updates", OPTIMIZERS)
    weight_decay: float = setting(0.01, "pull of the weights towards zero; not on biases and gains")
    schedule: str = setting("cosine", "how the learning rate goes on after the warm-up", SCHEDULES)
    warmup_steps: int = setting(50, "updates in which the learning rate rises, at most a fifth of the run")
    halve_every_epochs: float = setting(5.0, "schedule=halving: passes over the data between two halvings")
    clip_norm: float = setting(1.0, "longest gradient, as a norm; 0 = not limited")
    ema: float = setting(0.0, "decay of the average of the weights that is kept as the model; 0 = none")
    accumulate: int = setting(1, "parts in which a batch goes through the model one after another, to save memory")
    precision: str = setting("auto", "numbers to calculate with; auto measures which is faster", PRECISIONS)
    held_out: float = setting(0.1, "share of the pieces that is not learned from but measured on; 0 = none")
    split_by: str = setting("melody", "how pieces are held out: whole families of a melody, or each by its hash", WAYS)
    unseen: float = setting(0.0, "share of the pieces, by hash, that training never sees, for figures; 0 = none")
    held_out_every: int = setting(100, "updates between two measurements on the held-out pieces")
    patience: int = setting(0, "held-out measurements without improvement after which training stops; 0 = never")
    keep: str = setting("none", "which steps are kept as checkpoints: none, log (1, 2, 4, ...) or every=N")
    preview_every: int = setting(0, "updates between two previews; 0 = about five a run")
    save_every: int = setting(100, "updates between two saved states, from which --resume goes on")
    log_every: int = setting(10, "updates between two lines of the log")
    trim_silence_db: float = setting(0.0, "recordings: what is quieter than the loudest by so much is left out at both "
                                          "ends and in long gaps, such as 60; 0 = nothing is")
    shard_window: int = setting(4, "shards: how many of them are learned from at a time")
    shard_steps: int = setting(500, "shards: updates with one window of them, before the next ones come")
    shard_cache_gb: float = setting(20.0, "shards: the most that their sound, and what is prepared of it, takes on the "
                                          "disk of each machine; three windows have to fit in")
    apart_from_benchmark: bool = setting(False, "leave out the benchmark's valid and test chorales and their siblings")

    def __post_init__(self) -> None:
        for name, least in AT_LEAST.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise BadInput(f"train.{name}={value}: it has to be {least:g} or more")
        for name in ABOVE_ZERO:
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadInput(f"train.{name}={getattr(self, name)}: it has to be above 0")
        for name in BELOW_ONE:
            if getattr(self, name) >= 1:
                raise BadInput(f"train.{name}={getattr(self, name)}: it has to be below 1")
        for field in dataclasses.fields(self):
            choices, value = field.metadata.get("choices", ()), getattr(self, field.name)
            if choices and value not in choices:
                raise BadInput(f"train.{field.name}={value}{registry.near(str(value), choices)}: "
                               f"it has to be one of {', '.join(choices)}")
        parse_keep(self.keep)


def read_train_settings(*tables: Mapping[str, Any] | None) -> TrainSettings:
    """Return the settings from tables of values or words, later ones first in rank; raises `BadInput`."""
    asked: dict[str, Any] = {}
    for table in tables:
        asked |= dict(table or {})
    return TrainSettings(**registry.read_settings(asked, registry.types_of(TrainSettings), "training"))
