"""Observers: what a run tells while it goes on. Logs, bars, previews and warnings listen; the loop knows none of them.

The loop calls observers in process 0 only. What an observer raises ends the run; `Cancelled` ends it in good order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a run will take, from a few measured steps.

    Attributes:
        step_seconds: of one update, its batch included.
        held_out_seconds: of one measurement on the held-out pieces.
        save_seconds: of saving the state once; 0 without a folder.
        total_seconds: of the whole run.
        memory_bytes: the most that was in use: of the GPU where there is one, else of the process; 0 = not known.
        disk_bytes: what the folder will hold, checkpoints and state; 0 without a folder.
    """

    step_seconds: float
    held_out_seconds: float
    save_seconds: float
    total_seconds: float
    memory_bytes: int
    disk_bytes: int


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What a run is, told before its first step.

    Attributes:
        model: name of the model.
        steps: of the whole run.
        first_step: steps that were done before (resumed); 0 for a fresh run.
        settings: fields of `TrainSettings`.
        seed: of the run.
        parameters: number of parameters that are learned.
        data: name of the corpus.
        pieces: that are learned from.
        held_out_pieces: that are measured on.
        passed_over: name and reason of each piece that could not be used.
        device: such as ``"cpu"`` or ``"cuda"``.
        processes: that train together.
        precision: ``"float32"`` or ``"bfloat16"``.
        precision_reason: why, in a few words.
        estimate: what it will take; None where it was not measured (resumed).
        budget_seconds: that the steps were reckoned from; None where they were given.
        fine_tuning: whether weights that were learned before are continued.
        out: the folder, or None.
        unseen_pieces: that training never sees.
    """

    model: str
    steps: int
    first_step: int
    settings: Mapping[str, Any]
    seed: int
    parameters: int
    data: str
    pieces: int
    held_out_pieces: int
    passed_over: tuple[tuple[str, str], ...]
    device: str
    processes: int
    precision: str
    precision_reason: str
    estimate: Estimate | None
    budget_seconds: float | None
    fine_tuning: bool
    out: Path | None
    unseen_pieces: int = 0


@dataclasses.dataclass(frozen=True)
class StepReport:
    """One update.

    Attributes:
        step: number of updates done, from 1.
        steps: of the whole run.
        loss: of the batch; the sum over turns.
        parts: named parts of the loss, as ``"turn/part"`` where there are several turns.
        learning_rate: that was used.
        gradient_norm: before clipping; the largest of the turns.
        examples_per_second: over all processes, smoothed; 0 while unknown.
        epoch: passes over the data so far.
        stage: what the model says is learned now, or "".
        seconds: of training so far, resumed parts included.
        log: whether a log writes this step down (every ``log_every`` steps, the first and the last).
        skipped: whether the update was left out because its loss or gradient was not finite.
    """

    step: int
    steps: int
    loss: float
    parts: Mapping[str, float]
    learning_rate: float
    gradient_norm: float
    examples_per_second: float
    epoch: float
    stage: str
    seconds: float
    log: bool
    skipped: bool = False


@dataclasses.dataclass(frozen=True)
class HeldOutReport:
    """One measurement on the held-out pieces.

    Attributes:
        step: updates done before it; 0 = before training.
        loss: mean over the examples, of the last turn.
        parts: named parts, likewise.
        best: the lowest loss so far, this one included.
        best_step: where it was.
        improved: whether this is the best.
        train_loss: mean training loss since the measurement before, or None.
    """

    step: int
    loss: float
    parts: Mapping[str, float]
    best: float
    best_step: int
    improved: bool
    train_loss: float | None


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        step: updates done in all.
        steps: that were planned.
        reason: ``"finished"``, ``"no improvement"`` (early stop), ``"cancelled"`` or ``"not finite"``.
        seconds: of training, resumed parts included.
        held_out: the lowest held-out loss, or None.
        best_step: where it was; the step that the model now stands at.
        out: the folder, or None.
    """

    step: int
    steps: int
    reason: str
    seconds: float
    held_out: float | None
    best_step: int
    out: Path | None


class Observer:
    """Listens to a run; override what is wanted."""

    def begun(self, run: RunInfo) -> None:
        """Take note of what is going to be done; called once, before the first step."""

    def stepped(self, report: StepReport) -> None:
        """Take note of an update; called after each."""

    def held_out(self, report: HeldOutReport) -> None:
        """Take note of a measurement on the held-out pieces."""

    def preview(self, step: int, model: Any) -> None:
        """Let the model show what it can do after so many steps; it stands in evaluation mode meanwhile."""

    def warned(self, text: str) -> None:
        """Take note of a warning: a sentence for the user."""

    def ended(self, summary: Summary) -> None:
        """Take note of the end; called once, also after Ctrl-C."""
