"""Which numbers to calculate with: a few whole updates are timed in float32 and in bfloat16 autocast.

The trial begins at the run's own weights and batches, and leaves weights, gradients and generators as they were.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch

from componium.training.batches import Batches
from componium.training.settings import TrainSettings
from componium.training.turns import Turn, noise_seed, optimizer_of, parameters_of, seed_noise, tensors, turns_of_run

MOST_STEPS = 7
LEAST_GAIN = 1.05
MOST_DIFFERENCE = 0.02
FIRST_CUDA = (8, 0)
"""Compute capability from which GPUs have bfloat16 units (Ampere)."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A few updates that were made for their time.

    Attributes:
        seconds: of an update, the median without the first.
        fastest_seconds: the shortest.
        losses: of each update.
    """

    seconds: float
    fastest_seconds: float
    losses: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Choice:
    """The precision that was chosen, why, the trial in it, and the seconds that all trials took."""

    precision: str
    reason: str
    trial: Trial
    seconds: float = 0.0


def choose(model: Any, batches: Batches, settings: TrainSettings, device: torch.device, *,
           most_seconds: float = 10.0) -> Choice:
    """Return the precision of a run and the time of an update in it.

    bfloat16 is taken where the device has it, an update is faster by more than 5 %, and the losses from the same
    weights agree within 2 %.

    Args:
        model: keeps the contract `Learns`; its network is on the device.
        batches: of the run.
        settings: of the run; ``precision`` decides unless it is auto.
        device: to calculate on.
        most_seconds: about the longest that each trial may take.
    """
    begun = time.perf_counter()
    choice = _chosen(settings, device,
                     lambda precision: _trial(model, batches, settings, device, precision, most_seconds))
    return dataclasses.replace(choice, seconds=time.perf_counter() - begun)


def _chosen(settings: TrainSettings, device: torch.device, tried: Callable[[str], Trial]) -> Choice:
    if settings.precision != "auto":
        return Choice(settings.precision, "as set", tried(settings.precision))
    plain = tried("float32")
    if not _has_bfloat16(device):
        return Choice("float32", f"this {device.type} device has no bfloat16 units", plain)
    try:
        short = tried("bfloat16")
    except RuntimeError as error:  # an operation that torch has not in bfloat16
        return Choice("float32", f"bfloat16 does not work here ({str(error).splitlines()[0]})", plain)
    return _better(plain, short)


def _better(plain: Trial, short: Trial) -> Choice:
    if not all(math.isfinite(loss) for loss in short.losses):
        return Choice("float32", "a loss in bfloat16 is not a finite number", plain)
    gain = plain.fastest_seconds / max(short.fastest_seconds, 1e-9)
    difference = max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(plain.losses, short.losses, strict=False))
    if not difference <= MOST_DIFFERENCE:
        return Choice("float32", f"losses in bfloat16 differ by {difference:.1%}", plain)
    if gain < LEAST_GAIN:
        return Choice("float32", f"updates in bfloat16 take {1 / gain:.2f} times as long", plain)
    return Choice("bfloat16", f"updates are {gain:.2f} times as fast as in float32, losses agree within "
                              f"{math.ceil(difference * 1000) / 10:.1f} %", short)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= FIRST_CUDA
    return device.type == "cpu"  # the trial's time tells whether it has units for it


def _trial(model: Any, batches: Batches, settings: TrainSettings, device: torch.device, precision: str,
           most_seconds: float) -> Trial:
    before = {name: value.detach().clone() for name, value in model.network.state_dict().items()}
    times, losses, begun = [], [], time.perf_counter()
    update = _updates(model, batches, settings, device, precision)
    model.network.train()
    try:
        while len(times) < MOST_STEPS and (len(times) < 2 or time.perf_counter() - begun < most_seconds):
            started = time.perf_counter()
            losses.append(update(len(times)))
            times.append(time.perf_counter() - started)
    finally:
        model.network.load_state_dict(before)
        for parameter in model.network.parameters():
            parameter.grad = None
    warm = sorted(times[1:])
    return Trial(warm[len(warm) // 2], warm[0], tuple(losses))


def _updates(model: Any, batches: Batches, settings: TrainSettings, device: torch.device,
             precision: str) -> Callable[[int], float]:
    """Return a function that makes one whole update and returns its loss."""
    module = Turn(model)
    optimizers = {turn: optimizer_of(settings, parameters_of(model, turn)) for turn in turns_of_run(model, MOST_STEPS)}

    def update(step: int) -> float:
        parts, total = batches.parts(step), 0.0
        for turn in model.turns(step):
            module.zero_grad(set_to_none=True)
            for number, arrays in enumerate(parts):
                seed_noise(noise_seed(batches.seed, step, turn, batches.rank, number), device)
                with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                    loss, _ = module(tensors(arrays, device), turn, step)
                (loss / len(parts)).backward()
                total += float(loss.detach()) / len(parts)
            torch.nn.utils.clip_grad_norm_(parameters_of(model, turn), settings.clip_norm or 1e9)
            optimizers[turn].step()
        return total

    return update
