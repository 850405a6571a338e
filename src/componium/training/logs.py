"""Logs of a training run: one JSON object a line, and TensorBoard.

A run that goes on after a stop continues its log from the step it goes on from: lines after that step are cut, since
those steps are done again. So the log of a run that was stopped reads like that of one that was not.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from componium.music.errors import BadFile, require
from componium.music.files import replacing
from componium.training.folder import explained
from componium.training.observing import HeldOutReport, Observer, RunInfo, StepReport, Summary

RUN, TRAIN, HELD_OUT, WARNING, ENDED = "run", "train", "held_out", "warning", "ended"
"""The kinds of lines."""
_NOT_LOGGED = {"log", "steps"}


class JsonlLog(Observer):
    """Writes a run down, an object a line: ``{"kind": "train", "step": 10, "loss": ...}``.

    The kinds are ``run`` (what it is), ``train``, ``held_out``, ``warning`` and ``ended``; each line has a ``step``.
    Numbers that are not finite are written as null, so that every line is JSON for every reader.

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._step = 0
        self._there: set[str] = set()
        self._early: list[str] | None = []

    def begun(self, run: RunInfo) -> None:
        """Begin the file, or cut what lies after the step that the run goes on from."""
        self._step = run.first_step
        kept = list(records(self.path, run.first_step)) if run.first_step else []
        self._there = {_key(record) for record in kept if record["step"] == run.first_step}
        told = {record.get("text") for record in kept}
        try:
            with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
                file.writelines(_line(record) for record in kept)
        except (OSError, BadFile) as error:
            raise explained(self.path, error) from error
        if not kept:
            self._write(RUN, run.first_step, _plain(dataclasses.asdict(run) | {"out": None}))
        early, self._early = self._early or [], None
        for text in early:
            if text not in told:
                self.warned(text)

    def stepped(self, report: StepReport) -> None:
        """Write the steps that are to be logged, and those that were left out."""
        self._step = report.step
        if report.log or report.skipped:
            told = {key: value for key, value in vars(report).items() if key not in _NOT_LOGGED}
            self._write(TRAIN, report.step, _plain(told))

    def held_out(self, report: HeldOutReport) -> None:
        """Write a measurement."""
        self._write(HELD_OUT, report.step, _plain(vars(report)))

    def warned(self, text: str) -> None:
        """Write a warning, at the step it was told after; one from before the beginning waits for it."""
        if self._early is not None:
            self._early.append(text)
            return
        self._write(WARNING, self._step, {"text": text})

    def ended(self, summary: Summary) -> None:
        """Write how the run ended."""
        self._write(ENDED, summary.step, _plain(vars(summary) | {"out": None}))

    def _write(self, kind: str, step: int, told: dict[str, Any]) -> None:
        record = {"kind": kind, **told, "step": step}
        if _key(record) in self._there:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            raise explained(self.path, error) from error


def records(path: Path, last_step: int | None = None) -> Iterator[dict[str, Any]]:
    """Read a log: its lines as dictionaries; a line that is not whole is passed over.

    Args:
        path: the file; a missing one holds nothing.
        last_step: leave out what was written after this step, and how the run ended.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if not isinstance(record, dict) or not isinstance(record.get("step"), int):
                continue
            if last_step is None or (record["step"] <= last_step and record.get("kind") != ENDED):
                yield record


class TensorBoardLog(Observer):
    """Writes scalars for TensorBoard: ``train/loss`` and its parts, ``held_out/loss``, learning rate, norm, speed.

    Args:
        folder: where its event files go; each part of a run that was stopped has one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._writer: Any = None
        self._step = 0

    def begun(self, run: RunInfo) -> None:
        """Open an event file; steps that are done again are hidden. Raises `MissingExtra` without tensorboard."""
        require("tensorboard", extra="neural", purpose="Logging for TensorBoard")
        from torch.utils.tensorboard import SummaryWriter

        self._step = run.first_step
        try:
            self._writer = SummaryWriter(str(self.folder), purge_step=run.first_step + 1 if run.first_step else None)
        except OSError as error:
            raise explained(self.folder, error) from error

    def stepped(self, report: StepReport) -> None:
        """Write the scalars of a step that is to be logged."""
        self._step = report.step
        if report.log:
            self._scalars("train", report.step, {"loss": report.loss, **report.parts})
            self._scalars("run", report.step, {
                "learning_rate": report.learning_rate, "gradient_norm": report.gradient_norm,
                "examples_per_second": report.examples_per_second, "epoch": report.epoch})

    def held_out(self, report: HeldOutReport) -> None:
        """Write the scalars of a measurement."""
        self._scalars("held_out", report.step, {"loss": report.loss, **report.parts})
        self._call("flush")

    def warned(self, text: str) -> None:
        """Write a warning as text."""
        self._call("add_text", "warnings", text, self._step)

    def ended(self, summary: Summary) -> None:
        """Close the event file."""
        self._call("close")
        self._writer = None

    def _scalars(self, group: str, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._call("add_scalar", f"{group}/{name}", value, step)

    def _call(self, method: str, *arguments: Any) -> None:
        if self._writer is None:
            return
        try:
            getattr(self._writer, method)(*arguments)
        except OSError as error:
            self._writer = None
            raise explained(self.folder, error) from error


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _key(record: dict[str, Any]) -> str:
    """Return what two lines about the same thing have in common."""
    return json.dumps([record.get("kind"), record.get("step"), record.get("text")])


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: no numbers that are not finite, no paths, no tuples."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
