"""What a run will take, from a few measured updates; and how many updates a budget of time holds."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from componium import checkpoint
from componium.music.errors import BadFile
from componium.training.folder import explained
from componium.training.ladder import disk_bytes
from componium.training.observing import Estimate
from componium.training.settings import TrainSettings
from componium.training.turns import Turn, tensors

MOST_WRITTEN_BYTES = 2**26
MOMENTS = {"adamw": 2, "adam": 2, "rmsprop": 1}
"""Numbers that an optimiser keeps for each parameter."""


def network_bytes(network: torch.nn.Module) -> int:
    """Return the size of all weights."""
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def state_bytes(network: torch.nn.Module, settings: TrainSettings) -> int:
    """Return the size of what a resumed run reads: weights, their average, the optimiser's numbers."""
    return network_bytes(network) * (1 + MOMENTS[settings.optimizer] + (settings.ema > 0))


def saving_seconds(model: Any, place: Path, size: int) -> tuple[float, float]:
    """Return how long it takes to keep the model once, and to save a state of so many bytes besides the last model.

    Args:
        model: to keep.
        place: a folder that is there, on the same disk; it is left as it was.
        size: of the state, bytes.
    """
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".measured.") as folder:
            started = time.perf_counter()
            checkpoint.update(model, Path(folder) / "model")
            model_seconds = time.perf_counter() - started
            block = os.urandom(min(max(size, 1), MOST_WRITTEN_BYTES))
            started = time.perf_counter()
            with (Path(folder) / "state").open("wb") as file:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
            state_seconds = (time.perf_counter() - started) * size / len(block)
    except (OSError, BadFile) as error:
        raise explained(place, error, begun=False) from error
    return model_seconds, 2 * model_seconds + state_seconds


def forward_seconds(model: Any, batches: Sequence[Mapping[str, Any]], device: torch.device, precision: str) -> float:
    """Return how long it takes to measure the loss on batches, from one of middling size."""
    if not batches:
        return 0.0
    sizes = [sum(value.size for value in batch.values()) for batch in batches]
    middle = batches[sorted(range(len(batches)), key=sizes.__getitem__)[len(batches) // 2]]
    batch, turn, module = tensors(middle, device), model.turns(0)[-1], Turn(model).eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        started = time.perf_counter()
        float(module(batch, turn, 0)[0])
    share = sum(sizes) / max(sum(value.size for value in middle.values()), 1)
    return (time.perf_counter() - started) * share


class Costs:
    """The measured costs of a run.

    Args:
        step_seconds: of one update.
        held_out_seconds: of one measurement on the held-out pieces, and of keeping the model as the best.
        save_seconds: of saving the state and the last model once.
        settings: of the run.
    """

    def __init__(self, step_seconds: float, held_out_seconds: float, save_seconds: float,
                 settings: TrainSettings) -> None:
        self.step_seconds, self.held_out_seconds, self.save_seconds = step_seconds, held_out_seconds, save_seconds
        self.settings = settings

    def total_seconds(self, steps: int) -> float:
        """Return how long so many updates take, with measurements and saves, those at both ends included."""
        return (steps * self.step_seconds + (2 + steps // self.settings.held_out_every) * self.held_out_seconds
                + (2 + steps // self.settings.save_every) * self.save_seconds)

    def steps_in(self, seconds: float) -> int:
        """Return how many updates a time holds, at least 1."""
        low, high = 1, 2
        while self.total_seconds(high) <= seconds:
            high *= 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.total_seconds(middle) <= seconds else (low, middle)
        return low

    def estimate(self, network: Any, steps: int, *, memory_bytes: int, on_disk: bool) -> Estimate:
        """Return the estimate of a run of so many updates."""
        disk = disk_bytes(weights_bytes=network_bytes(network), state_bytes=state_bytes(network, self.settings),
                          keep=self.settings.keep, steps=steps) if on_disk else 0
        return Estimate(self.step_seconds, self.held_out_seconds, self.save_seconds, self.total_seconds(steps),
                        memory_bytes, disk)
