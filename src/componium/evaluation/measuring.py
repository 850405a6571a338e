"""Measuring sets of pieces: all measures of all pieces, in several processes where there are many.

The workers are plain child processes that get scores on their standard input and answer with one line a score. They
neither fork this process nor import its main module again, and end with their pipes; where one fails, its pieces are
measured here.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.interface import Progress, silent
from componium.music.cache import PackedScores, load_arrays, pack_scores, save_arrays
from componium.music.errors import BadInput
from componium.music.score import Score

MODULES = ("pitch", "rhythm", "harmony", "structure")
"""Modules of `componium.evaluation`, each with `MEASURES`, ``validate`` and ``evaluate``."""
FEW = 12
"""Fewer pieces than this are measured in this process: starting others takes longer."""
MAX_WORKERS = 8
_START = "from componium.evaluation.measuring import work; work()"

Values = dict[str, npt.NDArray[np.float64]]
"""Measure -> [N] its value in each piece."""


def module_of(name: str) -> Any:
    """Return a measure module; raises `BadInput` where there is none of that name."""
    if name not in MODULES:
        raise BadInput(f"there is no module {name!r} of measures; they are {', '.join(MODULES)}")
    return importlib.import_module(f"componium.evaluation.{name}")


def described(modules: Sequence[str]) -> list[tuple[Measure, str]]:
    """Return every measure of some modules, with the name of its module."""
    return [(measure, name) for name in modules for measure in module_of(name).MEASURES]


def measure_one(score: Score, modules: Sequence[str] = MODULES) -> dict[str, float]:
    """Return every measure of a piece; NaN for all measures of a module that does not apply to it."""
    values = {}
    for name in modules:
        module = module_of(name)
        values.update(dict.fromkeys((measure.name for measure in module.MEASURES), float("nan")))
        with contextlib.suppress(BadInput):
            module.validate(score)
            values.update({key: float(value) for key, value in module.evaluate(score).items()})
    return values


def measure_set(scores: Sequence[Score], modules: Sequence[str] = MODULES, *, progress: Progress = silent,
                workers: int | None = None) -> Values:
    """Return the measures of a set of pieces, in their order.

    Args:
        scores: the pieces.
        modules: which modules measure.
        progress: called with the fraction done; raising an error in it stops the work.
        workers: number of processes; by default one for each processor core, at most 8.
    """
    names = [measure.name for measure, _ in described(modules)]
    count = min(len(scores), workers or min(os.cpu_count() or 1, MAX_WORKERS))
    if len(scores) < FEW or count < 2 or not sys.executable:
        rows = _measured_here(scores, modules, progress)
    else:
        rows = _measured_there(scores, modules, count, progress)
    return {name: np.array([row[name] for row in rows], np.float64) for name in names}


def _measured_here(scores: Sequence[Score], modules: Sequence[str], progress: Progress) -> list[dict[str, float]]:
    rows = []
    for number, score in enumerate(scores, 1):
        rows.append(measure_one(score, modules))
        progress(number / len(scores), f"measured {number} of {len(scores)} pieces")
    return rows


# Several processes.

def _measured_there(scores: Sequence[Score], modules: Sequence[str], count: int,
                    progress: Progress) -> list[dict[str, float]]:
    answers: queue.SimpleQueue[tuple[int, dict[str, float] | None]] = queue.SimpleQueue()
    shares = [list(range(first, len(scores), count)) for first in range(count)]
    workers = [_Worker([scores[place] for place in share], share, modules, answers) for share in shares]
    rows: list[dict[str, float] | None] = [None] * len(scores)
    try:
        for worker in workers:
            worker.start()
        for finished in range(1, len(scores) + 1):
            place, row = _next(answers)
            rows[place] = row
            progress(finished / len(scores), f"measured {finished} of {len(scores)} pieces")
    finally:
        for worker in workers:
            worker.stop()
    return [measure_one(score, modules) if row is None else row for row, score in zip(rows, scores, strict=True)]


def _next(answers: queue.SimpleQueue[tuple[int, dict[str, float] | None]]) -> tuple[int, dict[str, float] | None]:
    while True:  # short waits, as a long one cannot be interrupted everywhere
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.5)


class _Worker(threading.Thread):
    """One child process, and the thread that feeds it; a piece that it gives no answer for is None."""

    def __init__(self, scores: list[Score], places: list[int], modules: Sequence[str],
                 answers: queue.SimpleQueue[tuple[int, dict[str, float] | None]]) -> None:
        super().__init__(daemon=True)
        message = io.BytesIO()
        save_arrays(message, pack_scores(scores))
        self._message, self._places, self._answers = message.getvalue(), places, answers
        folders = os.pathsep.join(folder for folder in sys.path if folder)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": folders})

    def run(self) -> None:
        """Send the scores and pass on the answers; the places that stay without one get None."""
        waiting = list(self._places)
        assert self._child.stdin is not None and self._child.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            self._child.stdin.write(self._message)
            self._child.stdin.close()
            for line in self._child.stdout:
                self._answers.put((waiting.pop(0), json.loads(line)))
        for place in waiting:
            self._answers.put((place, None))

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def work() -> None:
    """Be a worker: answer the packed scores on standard input with a line each; the modules are the arguments."""
    replies, sys.stdout = sys.stdout, sys.stderr  # what a library prints goes elsewhere
    arrays = load_arrays(io.BytesIO(sys.stdin.buffer.read()))
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        for score in PackedScores(arrays or {}):
            replies.write(json.dumps(measure_one(score, sys.argv[1:])) + "\n")
            replies.flush()
