"""The progress of a training: a bar on standard error in a terminal, else a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from componium.cli.show import Progress, say
from componium.cli.training.telling import duration
from componium.training.observing import Observer

if TYPE_CHECKING:
    from componium.training.observing import HeldOutReport, RunInfo, StepReport, Summary

REFRESH_SECONDS = 0.2
FIRST_LINE_SECONDS, LINE_SECONDS = 10.0, 60.0
"""Without a terminal: when the first line comes, and how far apart the others are."""
MOST_PARTS = 4
"""Named parts of the loss in the bar; the logs have all."""


class Display(Observer):
    """Shows reading, preparing and training; as an observer it listens to the loop.

    Args:
        told_before: the lines to say when the run begins.
        console: of rich, to draw on; none = standard error, where that is a terminal.
        clock: tells seconds.
    """

    def __init__(self, told_before: Callable[[RunInfo], list[str]], console: Any = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.told_before, self.console, self.clock = told_before, console, clock
        self.run: RunInfo | None = None
        self.summary: Summary | None = None
        self.measured: HeldOutReport | None = None
        self._stage = ""
        self._bars: Any = None
        self._task: Any = None
        self._shown = self._line = self._begun = clock()

    def progress(self, title: str) -> Progress:
        """Return what is told of the work before the first step; its bar goes when the run begins."""
        def told(fraction: float, message: str = "") -> None:
            if self.run is not None or not self._terminal:
                return
            if self._bars is None:
                self._start(title, 1.0)
            self._bars.update(self._task, completed=fraction, told=message)

        return told

    def begun(self, run: RunInfo) -> None:
        """Say what is going to be done, and show the bar."""
        self.close()
        self.run, self._begun = run, self.clock()
        self._line = self._begun + FIRST_LINE_SECONDS - LINE_SECONDS
        for line in self.told_before(run):
            say(line)
        sys.stdout.flush()
        if self._terminal:
            self._start("training", run.steps, run.first_step)

    def stepped(self, report: StepReport) -> None:
        """Move the bar, or write a line where it is time for one."""
        now, last = self.clock(), report.step >= report.steps
        if report.stage and report.stage != self._stage:
            self._stage = report.stage
            self._write(f"from step {report.step:,}: {report.stage}")
        if self._bars is not None:
            if last or now - self._shown >= REFRESH_SECONDS:
                self._shown = now
                self._bars.update(self._task, completed=report.step, told=bar_text(report, self.measured))
        elif now - self._line >= LINE_SECONDS and not last:
            self._line = now
            self._write(f"step {report.step} of {report.steps}: {bar_text(report, self.measured)}, "
                        f"about {duration(self._left(report, now))} left")

    def _left(self, report: StepReport, now: float) -> float:
        """Return the seconds that are left, at the speed since the run was begun or resumed."""
        first = self.run.first_step if self.run is not None else 0
        return (now - self._begun) / max(1, report.step - first) * (report.steps - report.step)

    def held_out(self, report: HeldOutReport) -> None:
        """Keep a measurement, to show it beside the loss."""
        self.measured = report

    def warned(self, text: str) -> None:
        """Write a warning above the bar."""
        self._write(f"warning: {text}")

    def _write(self, text: str) -> None:
        """Write a line, above the bar where there is one; a terminal that was closed does not end a training."""
        with contextlib.suppress(OSError):
            if self._bars is None:
                typer.echo(text, err=True)
            else:
                self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def ended(self, summary: Summary) -> None:
        """Take the bar away."""
        self.summary = summary
        self.close()

    def close(self) -> None:
        """Take away the bar, whatever it shows; called in any case at the end."""
        bars, self._bars = self._bars, None
        if bars is not None:
            bars.stop()

    @property
    def _terminal(self) -> bool:
        return self.console is not None or sys.stderr.isatty()

    def _start(self, title: str, total: float, done: float = 0) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        count = MofNCompleteColumn() if total != 1.0 or title == "training" else TaskProgressColumn()
        told = TextColumn("{task.fields[told]}", style="dim", markup=False,
                          table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
        self._bars = Bars(TextColumn(title), BarColumn(bar_width=20), count, TimeRemainingColumn(compact=True),
                          TextColumn("left"), told, console=self.console or Console(stderr=True), transient=True,
                          expand=True, speed_estimate_period=120.0)
        self._task = self._bars.add_task(title, total=total, completed=done, told="")
        self._bars.start()


def bar_text(report: StepReport, measured: HeldOutReport | None = None) -> str:
    """Return what stands beside the bar: loss, its named parts, held-out loss, speed, stage."""
    parts = named(report.parts)
    text = [f"loss {report.loss:.4g}" + (f" ({parts})" if parts else "")]
    if measured is not None:
        best = f", best {measured.best:.4g}" if measured.best < measured.loss else ""
        text.append(f"held out {measured.loss:.4g}{best}")
    if report.examples_per_second:
        text.append(f"{report.examples_per_second:,.3g} examples/s" if report.examples_per_second < 1000
                    else f"{report.examples_per_second:,.0f} examples/s")
    return ", ".join([*text, report.stage] if report.stage else text)


def named(parts: Mapping[str, float]) -> str:
    """Return the first named parts of a loss; nothing where the only part is the loss itself."""
    if len(parts) < 2:
        return ""
    told = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in list(parts.items())[:MOST_PARTS]]
    return ", ".join([*told, "..."] if len(parts) > MOST_PARTS else told)


class Quiet(Observer):
    """Shows nothing: what the other processes of a run have."""

    summary: Summary | None = None
    run: RunInfo | None = None

    def progress(self, _title: str) -> Progress:
        """Return a progress that shows nothing."""
        return lambda _fraction, _message="": None

    def close(self) -> None:
        """Do nothing."""
