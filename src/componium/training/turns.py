"""Turns: one module's `forward` for everything, and one optimiser a turn.

The model's network is registered in a `Turn`, which alone is wrapped for several processes: whatever is calculated
with gradients goes through its `forward`, so that gradients are always synchronised. In a turn only the parameters of
that turn get gradients (Goodfellow et al. 2014 alternate so between discriminator and generator).
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from componium.music.errors import BadInput
from componium.training.settings import TrainSettings

NOISE = 3
"""The stream of randomness below the seed that losses draw from."""
MANY_STEPS = 10_000


class Turn(torch.nn.Module):
    """The module that is wrapped: its forward is the loss of a model.

    Args:
        model: keeps the contract `Learns`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.network = model.network
        self._of = (model,)  # in a tuple, as a model may be a module itself

    def forward(self, batch: Mapping[str, torch.Tensor], turn: str,
                step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch, and its parts without gradients."""
        loss, parts = self._of[0].loss(batch, turn=turn, step=step)
        return loss, {name: torch.as_tensor(part).detach() for name, part in parts.items()}


def tensors(arrays: Mapping[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
    """Return arrays as tensors on a device."""
    return {key: torch.from_numpy(value).to(device, non_blocking=True) for key, value in arrays.items()}


def noise_seed(seed: int, step: int, turn: str, rank: int, part: int) -> int:
    """Return the seed of a loss: a function of the run's seed and the place of the loss in the run."""
    words = np.random.SeedSequence([seed, NOISE, step, zlib.crc32(turn.encode()), rank, part])
    return int(words.generate_state(1, np.uint64)[0] >> 1)


def seed_noise(seed: int, device: torch.device) -> None:
    """Seed the global generators that losses draw from: of the processor and of this device.

    As `torch.manual_seed`, which besides looks for every kind of device and takes up to a millisecond.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def turns_of_run(model: Any, steps: int) -> tuple[str, ...]:
    """Return the names of all turns of a run, in order of appearance."""
    stride = max(1, steps // MANY_STEPS)
    return tuple(dict.fromkeys(turn for step in range(0, steps, stride) for turn in model.turns(step)))


def stages_of_run(model: Any, steps: int) -> tuple[str, ...]:
    """Return the names of all stages of a run, in order of appearance."""
    stride = max(1, steps // MANY_STEPS)
    return tuple(dict.fromkeys(model.stage(step) for step in range(0, steps, stride)))


def parameters_of(model: Any, turn: str) -> list[torch.nn.Parameter]:
    """Return the parameters of a turn, each once; raises `BadInput` where there are none."""
    found = list(dict.fromkeys(model.parameters_of(turn)))
    if not found:
        raise BadInput(f"{model.name}: the turn {turn!r} has no parameters to learn")
    return found


def optimizer_of(settings: TrainSettings, parameters: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of a turn; weight decay acts on matrices, not on biases and gains."""
    groups = [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=settings.learning_rate, foreach=True)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=settings.learning_rate, fused=fused)


@contextlib.contextmanager
def only_these_learn(network: torch.nn.Module, parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Let only these parameters of a network get gradients for a while."""
    before = [(p, p.requires_grad) for p in network.parameters()]
    mine = set(parameters)
    try:
        for p, learns in before:
            p.requires_grad_(learns and p in mine)
        yield
    finally:
        for p, learns in before:
            p.requires_grad_(learns)
