"""The loop: update after update, with measurements on held-out pieces, checkpoints, previews and an early stop.

It knows nothing about music. Everything that a resumed run goes on from is in `Loop.state`; what is drawn by chance is
a function of the seed and the step.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from componium import checkpoint
from componium.interface import Arrays, Progress
from componium.music.errors import Cancelled, ComponiumError
from componium.training.folder import RunFolder
from componium.training.ladder import is_kept
from componium.training.observing import HeldOutReport, Observer, StepReport, Summary
from componium.training.settings import TrainSettings
from componium.training.updates import Update, Updates

MOST_SKIPPED = 10
"""Updates in a row whose loss is not finite, after which a run ends."""
PREVIEWS = 5
"""About how many previews a run has where nothing else is asked for."""
FINISHED, NO_IMPROVEMENT, CANCELLED, NOT_FINITE = "finished", "no improvement", "cancelled", "not finite"


@dataclasses.dataclass
class Position:
    """Where a run stands.

    Attributes:
        step: updates done.
        seconds: of training so far.
        best: the lowest held-out loss, None before the first that counts.
        best_step: where it was.
        measured: loss of the last measurement, and its step.
        since_best: measurements since the best.
        skipped: updates in a row whose loss was not finite.
        train_sum, train_count: training losses since the last measurement.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    measured: tuple[float, int] | None = None
    since_best: int = 0
    skipped: int = 0
    train_sum: float = 0.0
    train_count: int = 0


class Loop:
    """A run, ready to go.

    Args:
        updates: makes the updates.
        held_out: batches that are measured on; empty = none.
        settings: of the run.
        observers: of process 0; empty in the others.
        progress: told of each update.
        folder: to keep state and models in (process 0), or None.
        fine_tuning: whether the weights at the beginning were learned before.
        protocol: name of the held-out loss among the model's figures.
    """

    def __init__(self, updates: Updates, held_out: Sequence[Arrays], settings: TrainSettings, *,
                 observers: Sequence[Observer], progress: Progress, folder: RunFolder | None, fine_tuning: bool,
                 protocol: str) -> None:
        self.updates, self.held_out, self.settings = updates, held_out, settings
        self.observers, self.progress, self.folder = observers, progress, folder
        self.fine_tuning, self.protocol = fine_tuning, protocol
        self.model, self.steps = updates.model, updates.steps
        self.position = Position()
        self.best: tuple[Any, Any, dict[str, Any]] | None = None
        self._speed = 0.0
        self._stop = False
        self._began = 0.0

    # going

    def run(self) -> Summary:
        """Go on from where the run stands to its end.

        Raises:
            Cancelled: it was asked to stop; the state was saved, and the model keeps what it has learned.
            ComponiumError: the loss was not finite for too long, or something could not be written.
        """
        position = self.position
        self._began = time.perf_counter() - position.seconds
        reason = ""
        with self._interruptible():
            if not position.step:
                self._first()
            while not reason:
                reason = self._ended() or self._step()
        if reason != NOT_FINITE:  # its weights are those of the last good update, kept already
            self._keep_last(reason)
        self._settle()
        summary = Summary(position.step, self.steps, reason, position.seconds, position.best,
                          position.best_step if position.best is not None else position.step,
                          self.folder.path if self.folder else None)
        self._each("ended", summary)
        if reason == CANCELLED:
            raise Cancelled(f"stopped after step {position.step} of {self.steps}" + self._way_on())
        if reason == NOT_FINITE:
            raise ComponiumError(f"training ended at step {position.step}: the loss was not a finite number "
                                 f"{MOST_SKIPPED} times in a row; try a smaller train.learning_rate than "
                                 f"{self.settings.learning_rate:g}" + self._way_back())
        return summary

    def _way_on(self) -> str:
        return f"; what was learned is in {self.folder.path}, and --resume goes on" if self.folder else ""

    def _way_back(self) -> str:
        if self.folder is None:
            return ""
        if not checkpoint.is_checkpoint(self.folder.path):
            return f"; {self.folder.path} holds no model yet, --force begins it anew"
        return f"; the last good model is in {self.folder.path}"

    def _ended(self) -> str:
        """Return why the run is over, or ``""``."""
        position = self.position
        if position.skipped >= MOST_SKIPPED:
            return NOT_FINITE
        if position.step >= self.steps:
            return FINISHED
        if self.settings.patience and position.since_best >= self.settings.patience:
            return NO_IMPROVEMENT
        return ""

    def _first(self) -> None:
        """Measure and show what is there before training; keep the state, so that a run can always go on."""
        self._measure()
        if self.fine_tuning:
            self._preview()
        self._save("")

    def _step(self) -> str:
        """Make one update and what is due after it; returns `CANCELLED` where that was asked for."""
        position, started = self.position, time.perf_counter()
        update = self.updates.update(position.step, stop=self._stop)
        position.step += 1
        position.skipped = position.skipped + 1 if update.skipped else 0
        if not update.skipped:
            position.train_sum, position.train_count = position.train_sum + update.loss, position.train_count + 1
        self._tell(update, time.perf_counter() - started)
        last = position.step >= self.steps
        if last or position.step % self.settings.held_out_every == 0:
            self._measure()
        if self.folder is not None and is_kept(self.settings.keep, position.step):
            with self.updates.shown():
                self._label()
                self.folder.save_step(self.model, position.step)
        every = self.settings.preview_every or max(self.steps // PREVIEWS, 1)
        if (last or position.step % every == 0) and not self._stop:
            self._preview()
        if position.step % self.settings.save_every == 0 and not last and not position.skipped:
            self._save("")
        position.seconds = time.perf_counter() - self._began
        return CANCELLED if update.stop or (self._stop and self.updates.machine.processes == 1) else ""

    # telling

    def _each(self, tell: str, *what: Any) -> None:
        """Tell all observers; one that raises `Cancelled` asks the run to stop."""
        for observer in self.observers:
            try:
                getattr(observer, tell)(*what)
            except Cancelled:
                self._stop = True

    def _tell(self, update: Update, seconds: float) -> None:
        position, settings, batches = self.position, self.settings, self.updates.batches
        position.seconds = time.perf_counter() - self._began
        speed = batches.batch / max(seconds, 1e-9)
        self._speed = 0.9 * self._speed + 0.1 * speed if self._speed else speed
        step = position.step
        report = StepReport(
            step, self.steps, update.loss, update.parts, update.learning_rate, update.gradient_norm, self._speed,
            step / batches.steps_per_epoch, self.model.stage(step - 1), position.seconds,
            log=step % settings.log_every == 0 or step in (1, self.steps), skipped=update.skipped)
        if update.skipped:
            self._each("warned", f"step {step}: loss or gradient was not a finite number; the update was left out")
        self._each("stepped", report)
        try:
            self.progress(step / self.steps, f"step {step} of {self.steps}, loss {update.loss:.4f}")
        except Cancelled:
            self._stop = True

    def _preview(self) -> None:
        if not self.observers:
            return
        with self.updates.shown():
            self._label()
            self._each("preview", self.position.step, self.model)

    # measuring

    def _measure(self) -> None:
        """Measure on the held-out pieces, and keep the model where it is the best so far."""
        if not self.held_out:
            return
        position = self.position
        with self.updates.shown():
            loss, parts = self.updates.held_out(self.held_out, max(position.step - 1, 0))
            position.measured = (loss, position.step)
            counts = position.step > 0 or self.fine_tuning
            improved = counts and math.isfinite(loss) and (position.best is None or loss < position.best)
            if improved:
                position.best, position.best_step, position.since_best = loss, position.step, 0
                self._keep_best()
            elif counts:
                position.since_best += 1
        train = position.train_sum / position.train_count if position.train_count else None
        position.train_sum, position.train_count = 0.0, 0
        report = HeldOutReport(position.step, loss, parts, loss if position.best is None else position.best,
                               position.best_step, improved, train)
        self._each("held_out", report)

    def _label(self) -> None:
        """Give the model the figures of the weights that it has now."""
        measured, step = self.position.measured, self.position.step
        there = measured is not None and measured[1] == step and math.isfinite(measured[0])
        now = {self.protocol: round(measured[0], 6)} if measured is not None and there else {}
        self.model.figures = now
        self.model.provenance |= {"steps": step, "training_seconds": round(self.position.seconds, 1)}

    # keeping

    def _keep_best(self) -> None:
        """Keep the network as it is now as the model."""
        self._label()
        arrays, told = self.model.state()
        self.best = ({key: value.copy() for key, value in arrays.items()}, copy.deepcopy(told),
                     {"figures": dict(self.model.figures), "provenance": dict(self.model.provenance)})
        if self.folder is not None:
            self.folder.save_best(self.model)

    def _save(self, ended: str) -> None:
        """Save the state to go on from, and the last weights."""
        self.position.seconds = time.perf_counter() - self._began
        if self.folder is None:
            return
        if self.position.step or self.fine_tuning:
            with self.updates.shown():
                self._label()
                self.folder.save_last(self.model)
                if not self.held_out:
                    self.folder.save_best(self.model)
        arrays, told = self.updates.state()
        self.folder.save_state(arrays, told | dataclasses.asdict(self.position) | {"ended": ended})

    def _keep_last(self, reason: str) -> None:
        self._save(reason if reason == NO_IMPROVEMENT else "")
        if self.best is None:
            with self.updates.shown():
                self._keep_best()

    def _settle(self) -> None:
        """Leave the model with its best weights; with the last ones where nothing was held out."""
        if self.best is None:
            return
        arrays, told, words = self.best
        self.model.load_state(arrays, told)
        self.model.figures, self.model.provenance = words["figures"], words["provenance"]

    # state

    def load(self, arrays: Mapping[str, Any], told: Mapping[str, Any], best: tuple[Any, Any, dict[str, Any]] | None
             ) -> None:
        """Take up a run where it was saved.

        Args:
            arrays, told: of the saved state.
            best: state and words of the best model so far, where there is one.
        """
        self.updates.load_state(arrays, told)
        fields = {field.name for field in dataclasses.fields(Position)}
        self.position = Position(**{key: value for key, value in told.items() if key in fields})
        if self.position.measured is not None:
            self.position.measured = (float(self.position.measured[0]), int(self.position.measured[1]))
        self.best = best if self.position.best is not None else None

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C and a polite kill end the run after the update in progress; a second Ctrl-C ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, _frame: Any) -> None:
            if self._stop and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._stop = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
