"""Marking a notebook: it runs in a process of its own, with time limits, and each exercise gets its verdict.

Where an exercise or a cell takes too long, or ends the process, a new process begins without it, so that one endless
loop does not hide the other answers. Nothing of a notebook runs in the process that calls `mark`.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from componium.lessons.notebook import Cell
from componium.lessons.shelf import Lesson
from componium.lessons.verdict import FAILED, NOT_ANSWERED, RIGHT, TOO_LONG, Verdict
from componium.music.errors import BadInput

Progress = Callable[[float, str], None]
LIMIT_SECONDS = 20.0
"""For each exercise."""
REST_SECONDS = 60.0
"""For everything that is not an exercise, together; a single other cell has half of it."""
START_SECONDS = 60.0
"""For a process to start: longer than any start takes."""


@dataclass
class Report:
    """What marking found.

    Attributes:
        verdicts: number of an exercise -> verdict, for every exercise of the lesson.
        failed_cells: number of a code cell -> what it raised, or that it took too long.
        seconds: how long it took.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    failed_cells: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def right_count(self) -> int:
        """How many exercises are right."""
        return sum(verdict.status == RIGHT for verdict in self.verdicts.values())


def silent(_fraction: float, _message: str = "") -> None:
    """Take no notice of progress."""


def mark(lesson: Lesson, cells: list[Cell], folder: Path, *, limit_seconds: float = LIMIT_SECONDS,
         whole: bool = False, progress: Progress = silent) -> Report:
    """Run a notebook and return a verdict on every exercise.

    Args:
        lesson: the lesson that it answers.
        cells: its code cells.
        folder: where it runs, as in Jupyter the folder of the notebook.
        limit_seconds: for each exercise; the whole may take `REST_SECONDS` longer than all of them.
        whole: whether what comes after the last exercise runs, too.
        progress: called with the fraction done; raising an error in it stops the work.

    Raises:
        BadInput: the limit is not a time.
    """
    if not 0.1 <= limit_seconds <= 3600:
        raise BadInput(f"a limit of {limit_seconds:g} seconds: give 0.1 to 3600")
    begun, job = time.monotonic(), _job(lesson, cells, whole)
    report, marked = Report(), _Marked(job)
    limit_all = REST_SECONDS + limit_seconds * len(lesson.exercises)
    while not marked.done and (left := begun + limit_all - time.monotonic()) > 0:
        marked.attempt(folder, limit_seconds, left, progress)
    report.failed_cells = dict(sorted(marked.failed.items()))
    for number, (name, _title) in lesson.exercises.items():
        late = Verdict(number, NOT_ANSWERED, f"`{name}` was not reached: the notebook took longer than {limit_all:g} "
                                             "seconds in all.")
        report.verdicts[number] = marked.verdicts.get(number, late)
    report.seconds = time.monotonic() - begun
    return report


def answers_of(lesson: Lesson, cell: Cell) -> list[int]:
    """Return the exercises that a cell answers: by its tag, or by the name that it defines."""
    found = [number for number in lesson.exercises if f"exercise-{number}" in cell.tags]
    names = _defined(cell.source)
    return found or [number for number, (name, _title) in lesson.exercises.items() if name in names]


def _defined(source: str) -> set[str]:
    """Return the names that a cell defines; of one with a syntax error, what looks like it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"^(?:def\s+)?(\w+)\s*[(=]", source, re.M))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _job(lesson: Lesson, cells: list[Cell], whole: bool) -> dict[str, Any]:
    """Return what the worker is told; without ``whole``, the cells up to the last that has to do with an exercise."""
    told = [{"number": cell.number, "source": cell.source, "answers": answers_of(lesson, cell)} for cell in cells]
    checks = [bool(each["answers"]) or re.search(r"\bcheck\(", str(each["source"])) for each in told]
    last = max((place for place, wanted in enumerate(checks) if wanted), default=-1)
    return {"lesson": lesson.name, "cells": told if whole or last < 0 else told[:last + 1]}


class _Marked:
    """What is known so far, over one process after the other."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job, self.done, self.fraction = job, False, 0.0
        self.verdicts: dict[int, Verdict] = {}
        self.failed: dict[int, str] = {}
        self.skip: set[int] = set()
        self.settled: set[int] = set()

    def attempt(self, folder: Path, limit: float, left: float, progress: Progress) -> None:
        """Run the notebook once, until it is done, or something takes too long or ends the process."""
        given = {str(n): (self.verdicts[n].status, self.verdicts[n].message) for n in self.settled}
        place: dict[str, Any] = {"event": "start"}
        allowed, reason = START_SECONDS, ""
        deadline = time.monotonic() + left
        with _worker(self.job | {"given": given, "skip": sorted(self.skip)}, folder) as (process, events):
            while True:
                seconds = min(allowed, deadline - time.monotonic())
                try:
                    event = events.get(timeout=max(0.0, seconds))
                except queue.Empty:
                    reason = f"It did not end within {seconds:.3g} s."
                    break
                if event is None:
                    reason = f"It ended Python ({_ending(process.wait())})."
                    break
                if event["event"] == "done":
                    self.done = True
                    return
                progress(*self._progress(event))
                place, allowed = self._note(event, place), self._allowed(event, limit)
        if place["event"] in ("start", "ready") and time.monotonic() >= deadline:
            return  # the time for all is over before anything began
        self._stopped(place, reason, TOO_LONG if reason.startswith("It did not") else FAILED)

    def _progress(self, event: dict[str, Any]) -> tuple[float, str]:
        if event["event"] == "exercise":
            return self.fraction, f"exercise {event['exercise']}"
        self.fraction = max(self.fraction, int(event.get("number") or 0) / (len(self.job["cells"]) + 1))
        return self.fraction, f"code cell {event['number']}" if "number" in event else ""

    def _note(self, event: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
        """Keep what an event says, and return where the notebook is now."""
        if event["event"] == "verdict":
            number = int(event["exercise"])
            self.verdicts[number] = Verdict(number, event["status"], event["message"])
            return {"event": "after", "number": place.get("number")}
        if event["event"] == "cell failed":
            self.failed[int(event["number"])] = event["message"]
        if event["event"] == "exercise":
            return event | {"number": place.get("number")}
        return event

    def _allowed(self, event: dict[str, Any], limit: float) -> float:
        """Return how long what begins now may take."""
        if event["event"] == "exercise":
            return limit
        answers: list[int] = next((c["answers"] for c in self.job["cells"] if c["number"] == event.get("number")), [])
        return limit if event["event"] == "cell" and answers else max(limit, REST_SECONDS / 2)

    def _stopped(self, place: dict[str, Any], reason: str, status: str) -> None:
        """Settle what stopped the process, so that the next one begins without it."""
        if place["event"] == "exercise":
            self._settle(int(place["exercise"]), status, reason + (" Is there a loop without end?"
                                                                   if status == TOO_LONG else ""))
        elif place.get("number") is None:
            raise BadInput(f"Python could not be started for the check: {reason}")
        else:
            number = int(place["number"])
            if number in self.skip:
                self.done = True
            self.skip.add(number)
            self.failed[number] = reason
            for exercise in next(c["answers"] for c in self.job["cells"] if c["number"] == number):
                self._settle(exercise, status, f"Code cell {number}: {reason}")

    def _settle(self, exercise: int, status: str, message: str) -> None:
        self.verdicts[exercise] = Verdict(exercise, status, message)
        self.settled.add(exercise)


@contextlib.contextmanager
def _worker(job: dict[str, Any], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[Any]]]:
    """Give a process that runs a job, and the queue of its events (None at its end); it is gone afterwards."""
    source = str(Path(__file__).resolve().parents[2])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1",
                "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    process = subprocess.Popen([sys.executable, "-P", "-W", "ignore", "-m", "componium.lessons.worker"], cwd=folder,
                               env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    events: queue.Queue[Any] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, events), daemon=True)
    assert process.stdin is not None
    try:
        reader.start()
        with contextlib.suppress(OSError):  # a process that ends at once takes no job; its end is told by the queue
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()  # it stays open: when this process is gone, it closes, and the worker ends
        yield process, events
    finally:
        _end(process)
        with contextlib.suppress(OSError):
            process.stdin.close()
        reader.join(timeout=2.0)  # what a notebook has forked may hold the pipe open; the thread then stays behind


def _read(process: subprocess.Popen[bytes], events: queue.Queue[Any]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            with contextlib.suppress(ValueError):
                events.put(json.loads(line))
    events.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _ending(status: int) -> str:
    """Say how a process ended."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-status).name}"
    return f"exit status {status}"
