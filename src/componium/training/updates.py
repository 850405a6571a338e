"""One update of a model after another: forward, backward, clipping, optimiser, average. Knows no folder, no clock."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from componium.interface import Arrays
from componium.training.average import Average
from componium.training.batches import Batches
from componium.training.machine import Machine
from componium.training.schedules import learning_rate
from componium.training.settings import TrainSettings
from componium.training.state import load_optimizer_state, optimizer_state, pack, unpack
from componium.training.turns import (
    Turn,
    noise_seed,
    only_these_learn,
    optimizer_of,
    parameters_of,
    seed_noise,
    stages_of_run,
    tensors,
    turns_of_run,
)

HELD_OUT = "held-out"
"""In the place of the step in the seed of held-out losses, so that each measurement draws the same."""


@dataclasses.dataclass(frozen=True)
class Update:
    """What an update was.

    Attributes:
        loss: summed over turns, the mean over processes.
        parts: named parts of it.
        learning_rate: that was used.
        gradient_norm: before clipping, the largest of the turns.
        skipped: whether a turn was left out because something was not finite.
        stop: whether a process asked to stop after it.
    """

    loss: float
    parts: dict[str, float]
    learning_rate: float
    gradient_norm: float
    skipped: bool
    stop: bool


class Updates:
    """Makes the updates of a run.

    Args:
        model: keeps the contract `Learns`.
        batches: of the run.
        settings: of the run.
        machine: to calculate on.
        steps: of the whole run, for the schedule.
        precision: ``"float32"`` or ``"bfloat16"``.
    """

    def __init__(self, model: Any, batches: Batches, settings: TrainSettings, machine: Machine, *, steps: int,
                 precision: str) -> None:
        self.model, self.batches, self.settings, self.machine, self.steps = model, batches, settings, machine, steps
        turns = turns_of_run(model, steps)
        self.parameters = {turn: parameters_of(model, turn) for turn in turns}
        learned = {p for those in self.parameters.values() for p in those}
        self._frozen = [p for p in model.network.parameters() if p.requires_grad and p not in learned]
        for parameter in self._frozen:
            parameter.requires_grad_(False)
        several = len(turns) > 1 or len(stages_of_run(model, steps)) > 1
        self.accelerator = machine.accelerator(precision, settings.accumulate, find_unused=several)
        self.turn = Turn(model)
        self.module = self.accelerator.prepare(self.turn)
        self.optimizers = {turn: optimizer_of(settings, those) for turn, those in self.parameters.items()}
        self.average = Average(model.network, settings.ema) if settings.ema else None
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="componium-batches")
        self._next: tuple[int, Future[list[Arrays]]] | None = None

    def close(self) -> None:
        """Let the network go: to the CPU, in evaluation mode, all parameters as they were."""
        self._ahead.shutdown(cancel_futures=True)
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        for parameter in self.model.network.parameters():
            parameter.grad = None
        self.model.network.to("cpu").eval()

    # updates

    def update(self, step: int, *, stop: bool = False) -> Update:
        """Make update ``step`` (from 0), all its turns.

        Args:
            step: its number.
            stop: whether this process wants to stop; all are told.
        """
        rate = learning_rate(self.settings, step, steps=self.steps, steps_per_epoch=self.batches.steps_per_epoch)
        batch = [tensors(arrays, self.machine.device) for arrays in self._batch(step)]
        turns, told = self.model.turns(step), []
        self.module.train()
        for turn in turns:
            told.append(self._turn(turn, step, batch, rate, stop))
        if self.average is not None and not any(each.skipped for each in told):
            self.average.update(step + 1)
        return _joined(turns, told) if len(told) > 1 else told[0]

    def _batch(self, step: int) -> list[Arrays]:
        """Return this process's share of a batch, and begin with the one after it."""
        if self._next is not None and self._next[0] == step:
            parts = self._next[1].result()
        else:
            parts = self.batches.parts(step)
        self._next = (step + 1, self._ahead.submit(self.batches.parts, step + 1)) if step + 1 < self.steps else None
        return parts

    def _turn(self, turn: str, step: int, batch: Sequence[Mapping[str, torch.Tensor]], rate: float,
              stop: bool) -> Update:
        optimizer, parameters = self.optimizers[turn], self.parameters[turn]
        optimizer.zero_grad(set_to_none=True)
        alone = len(self.parameters) == 1
        with contextlib.nullcontext() if alone else only_these_learn(self.model.network, parameters):
            names, values = self._gradients(turn, step, batch)
        norm = self._clipped(parameters)
        asked = values.new_tensor([float(stop)])
        numbers = torch.cat([self.machine.mean(torch.cat([asked, values])), norm.reshape(1)]).tolist()
        finite = math.isfinite(numbers[1]) and math.isfinite(numbers[-1])
        if finite:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        parts = dict(zip(names, numbers[2:-1], strict=True))
        return Update(numbers[1], parts, rate, numbers[-1], not finite, numbers[0] > 0)

    def _gradients(self, turn: str, step: int,
                   batch: Sequence[Mapping[str, torch.Tensor]]) -> tuple[list[str], torch.Tensor]:
        """Add up the gradients of the parts of a batch; returns names, and loss and named parts as one tensor."""
        total: torch.Tensor | None = None
        names: list[str] = []
        for number, part in enumerate(batch):
            seed_noise(noise_seed(self.batches.seed, step, turn, self.machine.rank, number), self.machine.device)
            last = number == len(batch) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.module):
                loss, told = self.module(part, turn, step)
                self.accelerator.backward(loss)
            names = list(told)
            row = torch.stack([loss.detach().float(), *(value.float().reshape(()) for value in told.values())])
            total = row if total is None else total + row
        assert total is not None
        return names, total / len(batch)

    def _clipped(self, parameters: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        """Limit the gradient of a turn; returns its norm before."""
        if self.settings.clip_norm:
            return torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm).float()
        return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]).float()

    # what has been learned

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Put the network into the state that is kept and measured: averaged, in evaluation mode."""
        averaged = self.average.applied() if self.average is not None else contextlib.nullcontext()
        with averaged:
            self.model.network.eval()
            yield
        self.model.network.train()

    def held_out(self, batches: Sequence[Arrays], step: int) -> tuple[float, dict[str, float]]:
        """Return the mean loss over held-out examples and its parts, of the last turn of a step.

        Processes share the batches; `shown` is around it.
        """
        turn = self.model.turns(step)[-1]
        sums: torch.Tensor | None = None
        names: list[str] = []
        with torch.no_grad():
            for number in range(self.machine.rank, len(batches), self.machine.processes):
                examples = len(next(iter(batches[number].values())))
                seed_noise(noise_seed(self.batches.seed, 0, HELD_OUT, 0, number), self.machine.device)
                loss, told = self.turn(tensors(batches[number], self.machine.device), turn, step)
                names = list(told)
                row = torch.stack([torch.ones_like(loss), loss, *told.values()]).double().cpu() * examples
                sums = row if sums is None else sums + row
        means = self._over_processes(sums, names)
        return means.pop("loss of all"), means

    def _over_processes(self, sums: torch.Tensor | None, names: list[str]) -> dict[str, float]:
        rows = self.machine.gathered((names, None if sums is None else sums.tolist()))
        there = [(those, row) for those, row in rows if row is not None]
        total = [sum(column) for column in zip(*(row for _, row in there), strict=True)]
        return dict(zip(["loss of all", *there[0][0]], [value / total[0] for value in total[1:]], strict=True))

    # state

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a resumed run needs: weights, their average, the optimisers' numbers; and JSON."""
        groups: dict[str, Mapping[str, torch.Tensor]] = {"network": self.model.network.state_dict()}
        if self.average is not None:
            groups["average"] = self.average.values
        told = {}
        for turn, optimizer in self.optimizers.items():
            groups[f"optimizer.{turn}"], told[turn] = optimizer_state(optimizer, self.model.network.named_parameters())
        return pack(groups), {"optimizers": told}

    def load_state(self, arrays: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        groups = unpack(arrays)
        self.model.network.load_state_dict(groups["network"])
        if self.average is not None:
            self.average.load(groups["average"])
        for turn, optimizer in self.optimizers.items():
            if turn in told["optimizers"]:
                load_optimizer_state(optimizer, self.model.network.named_parameters(),
                                     groups.get(f"optimizer.{turn}", {}), told["optimizers"][turn])


def _joined(turns: Sequence[str], told: Sequence[Update]) -> Update:
    parts = {f"{turn}/{name}": value for turn, each in zip(turns, told, strict=True)
             for name, value in each.parts.items()}
    return Update(sum(each.loss for each in told), parts, told[0].learning_rate,
                  max(each.gradient_norm for each in told), any(each.skipped for each in told),
                  any(each.stop for each in told))
