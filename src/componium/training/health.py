"""Is a training well? Plain sentences on its loss, its gradients and what it makes, each with a way out.

The rules of thumb are the usual ones: a loss that is not finite or climbs back asks for a lower learning rate, a
held-out loss that rises while the training loss falls is overfitting. Medians are compared, so that one odd batch
raises no alarm.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.score import Score
from componium.training.folder import RunFolder
from componium.training.logs import HELD_OUT, TRAIN, JsonlLog, TensorBoardLog, records
from componium.training.observing import HeldOutReport, Observer, RunInfo, StepReport

WINDOW = 10
"""Lines of the log whose median is taken as "now"."""
KEPT_LINES = 2000
RISE, BURST = 1.5, 10.0
"""Times above the best that a loss has risen, above the usual that gradients have grown, to be worth a word."""
HELD_OUT_RISE, HELD_OUT_MEASUREMENTS = 1.01, 3
STALLED_MEASUREMENTS, STALLED_SHARE = 8, 0.25
"""Measurements without improvement that are worth a word: so many, and this share of all so far."""
FALL = 0.002
"""Share of the loss that has to be gained within a third of the lines for learning to go on."""

NOT_FINITE = ("the loss is not a finite number, so the update was left out; if this goes on, use a lower "
              "train.learning_rate, train.clip_norm=1 or train.precision=float32")
DIVERGING = ("the training loss climbs back instead of falling; use a lower train.learning_rate or more "
             "train.warmup_steps")
EXPLODING = ("the gradients have become much larger than before; use a lower train.learning_rate or a smaller "
             "train.clip_norm")
STALLED = ("the training loss no longer falls; the model has learned what it can from this data with these settings, "
           "or train.learning_rate is far from a good value")
OVERFITTING = ("the loss on held-out pieces rises while the training loss falls: the model begins to learn its pieces "
               "by heart; the best model is kept, more data or a smaller model helps")
NOT_IMPROVING = ("the loss on held-out pieces has not improved for long; the best model is kept, so the run can be "
                 "stopped here (train.patience=N stops by itself)")
EMPTY = "what it composes is empty; train it longer, and if it stays so, look at the data with componium corpus"
MOSTLY_RESTS = "what it composes is almost silent; train it longer, or look whether the data is mostly rests"
ONE_NOTE = ("what it composes is one note for ever; a higher temperature or longer training helps, and if it stays so, "
            "a lower train.learning_rate")
SILENT = "what it plays is silent; look at the level of the recordings, or train it longer"
CLIPPED = "what it plays is too loud and distorts; look at the level of the recordings"
SOUND_NOT_FINITE = "what it plays holds values that are not numbers; use a lower train.learning_rate and train it anew"


@dataclass
class History:
    """What is known of a run so far, from the lines of its log.

    Attributes:
        losses: training losses, one a line, the oldest first; without those that are not finite.
        norms: gradient norms, likewise.
        held_out: held-out losses, and the mean training loss before each (or None).
        last_finite: whether the loss of the last line was finite.
    """

    losses: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    norms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    held_out: list[tuple[float, float | None]] = field(default_factory=list)
    last_finite: bool = True

    def train(self, loss: float | None, norm: float | None, *, skipped: bool = False) -> None:
        """Add a line of training; None stands for a number that is not finite."""
        self.last_finite = loss is not None and math.isfinite(loss) and not skipped
        if loss is not None and self.last_finite:
            self.losses.append(loss)
            self.norms.append(norm if norm is not None and math.isfinite(norm) else math.inf)

    def measured(self, loss: float | None, train_loss: float | None) -> None:
        """Add a measurement on held-out pieces."""
        self.held_out.append((loss if loss is not None and math.isfinite(loss) else math.inf, train_loss))


def ailments(history: History) -> list[str]:
    """Return what is wrong now, as sentences; none where all is well or nothing can be said yet."""
    told = [] if history.last_finite else [NOT_FINITE]
    losses, norms, held_out = list(history.losses), list(history.norms), history.held_out
    told += [DIVERGING] if is_diverging(losses) else [STALLED] if is_stalled(losses) and not held_out else []
    told += [EXPLODING] if is_exploding(norms) else []
    told += [OVERFITTING] if is_overfitting(held_out) else [NOT_IMPROVING] if is_not_improving(held_out) else []
    return told


def is_diverging(losses: Sequence[float]) -> bool:
    """Say whether the loss now stands well above where it was: `RISE` times the distance to the lowest stretch."""
    if len(losses) < 3 * WINDOW:
        return False
    blocks = _blocks(losses)
    lowest, now, start = min(blocks), blocks[-1], blocks[0]
    spread = max(abs(lowest), abs(start - lowest))
    return now - lowest > (RISE - 1) * spread


def is_stalled(losses: Sequence[float]) -> bool:
    """Say whether the last third of the lines gained nothing over the third before: no more than chance would bring.

    Chance is the standard error of the difference of two medians, pi / 2 times the variance of a mean, the scatter
    taken from the median deviation (1.48 times which is the standard deviation of a normal distribution).
    """
    third = len(losses) // 3
    if third < 2 * WINDOW:
        return False
    before, now = np.array(losses[-2 * third: -third]), np.array(losses[-third:])
    scatters = [1.4826 * float(np.median(np.abs(part - np.median(part)))) for part in (before, now)]
    chance = math.hypot(*scatters) * math.sqrt(math.pi / 2 / third)
    gain = float(np.median(before) - np.median(now))
    return gain < max(FALL * abs(float(np.median(before))), chance)


def is_exploding(norms: Sequence[float]) -> bool:
    """Say whether gradients are now `BURST` times as large as they usually were, or not finite."""
    if len(norms) < 3 * WINDOW:
        return False
    return median(norms[-WINDOW:]) > BURST * median(norms[:-WINDOW])


def is_overfitting(held_out: Sequence[tuple[float, float | None]]) -> bool:
    """Say whether the held-out loss has risen for long while the training loss fell."""
    if len(held_out) <= HELD_OUT_MEASUREMENTS:
        return False
    losses = [loss for loss, _ in held_out]
    best = losses.index(min(losses))
    since = losses[best + 1:]
    then, now = held_out[best][1], held_out[-1][1]
    risen = len(since) >= HELD_OUT_MEASUREMENTS and min(since[-HELD_OUT_MEASUREMENTS:]) > losses[best] + (
        HELD_OUT_RISE - 1) * abs(losses[best])
    return risen and then is not None and now is not None and now < then


def is_not_improving(held_out: Sequence[tuple[float, float | None]]) -> bool:
    """Say whether the last measurements, a quarter of all and at least eight, brought no better one."""
    losses = [loss for loss, _ in held_out]
    since = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    return since >= max(STALLED_MEASUREMENTS, STALLED_SHARE * len(losses))


def _blocks(values: Sequence[float]) -> list[float]:
    """Return medians of consecutive stretches of `WINDOW` values, the last stretch ending at the end."""
    ends = range(len(values), WINDOW - 1, -WINDOW)
    return [median(values[end - WINDOW: end]) for end in ends][::-1]


class Health(Observer):
    """Watches a run, and tells each ailment once until it has passed.

    It looks at what the log writes down, so that a run that goes on can be watched as if it had not stopped.

    Args:
        warn: called with a sentence.
        log_path: the log of the run (`componium.training.logs.JsonlLog`), from which it learns what was before.
    """

    def __init__(self, warn: Callable[[str], None], log_path: str | Path | None = None) -> None:
        self.warn = warn
        self.log_path = Path(log_path) if log_path else None
        self.history = History()
        self._told: set[str] = set()

    def begun(self, run: RunInfo) -> None:
        """Learn what the log says of the steps done before."""
        if not run.first_step or self.log_path is None:
            return
        for record in records(self.log_path, run.first_step):
            self._recall(record)
        self._told = set(ailments(self.history))

    def _recall(self, record: Mapping[str, Any]) -> None:
        if record.get("kind") == TRAIN:
            self.history.train(record.get("loss"), record.get("gradient_norm"), skipped=bool(record.get("skipped")))
        elif record.get("kind") == HELD_OUT:
            self.history.measured(record.get("loss"), record.get("train_loss"))

    def stepped(self, report: StepReport) -> None:
        """Look at a step that is logged or was left out."""
        if report.log or report.skipped:
            self.history.train(report.loss, report.gradient_norm, skipped=report.skipped)
            self._look()

    def held_out(self, report: HeldOutReport) -> None:
        """Look at a measurement on held-out pieces."""
        self.history.measured(report.loss, report.train_loss)
        self._look()

    def _look(self) -> None:
        now = set(ailments(self.history))
        for sentence in sorted(now - self._told):
            self.warn(sentence)
        self._told = now


def watched(folder: RunFolder | None, observers: Sequence[Observer]) -> list[Observer]:
    """Return the observers of a run with its logs before them, and its health watched: warnings reach all of them.

    Args:
        folder: of the run; without one there are no logs.
        observers: the others; what is among them already is not added again.
    """
    there = {type(observer) for observer in observers}
    logs = [JsonlLog(folder.log_path), TensorBoardLog(folder.tensorboard_path)] if folder is not None else []
    together: list[Observer] = [*(log for log in logs if type(log) not in there), *observers]

    def warn(text: str) -> None:
        for observer in together:
            observer.warned(text)

    if Health not in there:
        together.append(Health(warn, folder.log_path if folder is not None else None))
    return together


# what it makes

STUCK_SHARE, LONG_SHARE, SOUNDING_SHARE, STUCK_NOTES = 0.9, 0.5, 0.1, 8
SILENCE_PEAK, CLIPPED_PEAK, CLIPPED_SHARE = 1e-3, 0.999, 1e-3


def health_of_score(score: Score) -> list[str]:
    """Return what is wrong with a generated score: empty, almost only rests, or one note for ever in every voice."""
    voices = [track.notes for track in score.tracks if len(track.notes) and not track.is_drum]
    if not voices:
        return [] if score.note_num() else [EMPTY]
    length = max(float(note.end) for notes in voices for note in notes)
    spans = [(float(note.start), float(note.end)) for notes in voices for note in notes]
    told = [MOSTLY_RESTS] if _sounding_beats(spans) < SOUNDING_SHARE * length else []
    return told + ([ONE_NOTE] if all(_is_stuck(notes, length) for notes in voices) else [])


def _is_stuck(notes: Any, length_beats: float) -> bool:
    pitches = Counter(int(note.pitch) for note in notes)
    repeated = len(notes) >= STUCK_NOTES and max(pitches.values()) > STUCK_SHARE * len(notes)
    held = length_beats >= STUCK_NOTES and max(float(note.duration) for note in notes) > LONG_SHARE * length_beats
    return repeated or held


def _sounding_beats(spans: list[tuple[float, float]]) -> float:
    """Return for how long at least one note sounds."""
    edges = sorted({edge for span in spans for edge in span})
    if len(edges) < 2:
        return 0.0
    starts = np.array(edges[:-1])
    sounding = np.zeros(len(starts), bool)
    for begin, end in spans:
        sounding[(starts >= begin) & (starts < end)] = True
    return float(sum(b - a for (a, b), on in zip(pairwise(edges), sounding, strict=True) if on))


def health_of_audio(samples: npt.NDArray[Any]) -> list[str]:
    """Return what is wrong with a generated sound: not finite, silent, or clipped.

    Args:
        samples: [channels, samples], full scale at 1.
    """
    if samples.size and not np.isfinite(samples).all():
        return [SOUND_NOT_FINITE]
    loudness = np.abs(samples)
    if not samples.size or float(loudness.max()) < SILENCE_PEAK:
        return [SILENT]
    return [CLIPPED] if float((loudness >= CLIPPED_PEAK).mean()) > CLIPPED_SHARE else []
