"""Rendering a plan into a folder: several files at once, each whole or absent, with the list of their terms.

The workers are plain child processes that talk over their pipes, one JSON line for a file: they neither fork this
process nor import its main module again. When the work is stopped they finish the file that they are at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from componium.interface import Progress, silent
from componium.music.errors import BadFile, ComponiumError
from componium.music.files import replacing
from componium.music.gather import LIST_NAME
from componium.music.origin import Origin
from componium.rendering.plan import Job, Wanted, item_of, jobs_of, made_with, origin_of
from componium.rendering.solo import Solo
from componium.rendering.sounding import at_level, level_of, sound_of

BITS = 16
FEW = 4
"""Fewer files than this are rendered in this process: starting another one takes longer."""
MAX_WORKERS = 8
_START = "from componium.rendering.render import work; work()"
_PATIENCE_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Rendered:
    """What was done.

    Attributes:
        written: names of the new files.
        kept: names of files that were there already.
        seconds: of all files of the plan.
        licences: of the files, each once.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]
    seconds: float
    licences: tuple[str, ...]


def check_place(folder: Path, wanted: Wanted, *, force: bool) -> None:
    """Raise `BadFile` where a rendering cannot go: a file, no permission, or something else lies there.

    A folder with an earlier rendering of the same settings is completed; with others it needs ``force``.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise BadFile(place, "is a file; name a folder")
    if not os.access(place, os.W_OK):
        raise BadFile(folder, f"cannot be written: no permission in {place}")
    if not force and folder.is_dir() and any(folder.iterdir()) and _list_of(folder).get("made") != made_with(wanted):
        raise BadFile(folder, "is a folder with something else in it, so that files of two kinds would be mixed; "
                              "--out DIR takes another, --force replaces files of the same names and the list")


def render(wanted: Wanted, folder: Path, *, force: bool = False, progress: Progress = silent,
           workers: int | None = None) -> Rendered:
    """Render what is wanted into a folder; files of an earlier run with the same settings are kept.

    Args:
        wanted: what to play.
        folder: made where it is missing.
        force: whether files of other settings may be replaced.
        progress: told of the work; raising an error in it stops it.
        workers: number of processes; by default one for each processor core, at most 8.

    Returns:
        What was written. ``corpus.json`` says source and licence of every file.

    Raises:
        BadFile: the folder cannot be used, or the disk is full.
        BadInput: no music fits the instrument.
    """
    check_place(folder, wanted, force=force)
    progress(0.0, "planning")
    jobs = jobs_of(wanted)
    same = _list_of(folder).get("made") == made_with(wanted)
    kept = [job.file for job in jobs if same and (folder / job.file).is_file()]
    missing = [job for job in jobs if job.file not in set(kept)]
    _check_disk(folder, sum(job.seconds for job in missing) * wanted.sample_rate_hz * BITS / 8)
    if not same:  # none of them may count as done when the work is stopped and taken up again
        _take_away([folder / job.file for job in jobs])
    _write_list(folder, wanted, jobs, same)
    if missing:
        progress(0.0, "measuring the level")
        font = str(wanted.font.path)
        with open(font, "rb") as file:
            font_hash = hashlib.file_digest(file, "sha256").hexdigest()
        gain_db = level_of(wanted.program, font, wanted.sample_rate_hz)
        orders = [_order(job, wanted, folder, font_hash, gain_db) for job in missing]
        _all_done(orders, [job.seconds for job in missing], progress, workers)
    progress(1.0, "done")
    return Rendered(tuple(job.file for job in missing), tuple(kept), sum(job.seconds for job in jobs),
                    tuple(sorted({job.licence for job in jobs})))


def _list_of(folder: Path) -> dict[str, Any]:
    """Return the list in a folder; empty where there is none that can be read."""
    try:
        found = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and isinstance(found.get("items"), list) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _write_list(folder: Path, wanted: Wanted, jobs: Sequence[Job], same: bool) -> None:
    """Write the list before the work, so that what is there when it stops has its terms too."""
    items = [item_of(job, wanted) for job in jobs]
    earlier = _list_of(folder)["items"] if same else []
    if len(earlier) > len(items):  # an earlier run was longer: its files are still there
        items = earlier
    listing = {"name": folder.resolve().name, "made": made_with(wanted), "items": items}
    with replacing(folder / LIST_NAME) as temporary:
        temporary.write_text(json.dumps(listing, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _take_away(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BadFile(path, f"cannot be replaced ({error.strerror or error})") from error


def _check_disk(folder: Path, needed_bytes: float) -> None:
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed_bytes > free:
        raise BadFile(folder, f"needs {needed_bytes / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB left: ask "
                              "for fewer minutes, a lower rate, or name another place with --out")


def _order(job: Job, wanted: Wanted, folder: Path, font_hash: str, gain_db: float) -> dict[str, Any]:
    """Return all that a process needs for one file, as JSON data."""
    return {"path": str(folder / job.file), "solo": job.solo.to_json(), "program": wanted.program,
            "font": str(wanted.font.path), "rate": wanted.sample_rate_hz, "gain_db": gain_db,
            "seconds": job.seconds, "origin": origin_of(job, wanted, font_hash).to_json()}


def _carry_out(order: dict[str, Any]) -> None:
    """Render and write one file."""
    rate, origin = order["rate"], Origin.from_json(order["origin"])
    played = sound_of(Solo.from_json(order["solo"]), order["program"], order["font"], rate)
    sound = at_level(played, order["gain_db"], order["seconds"])
    sound.write(order["path"], bits=BITS, origin=origin,
                metadata={"title": origin.title, "license": origin.licence, "software": "Componium"})


def _all_done(orders: Sequence[dict[str, Any]], seconds: Sequence[float], progress: Progress,
              workers: int | None) -> None:
    """Carry out all orders; raises the first error."""
    total, passed = sum(seconds), 0.0

    def done(index: int) -> None:
        nonlocal passed
        passed += seconds[index]
        progress(passed / total, f"{passed / 60.0:.1f} of {total / 60.0:.1f} minutes")

    count = min(len(orders), workers or min(os.cpu_count() or 1, MAX_WORKERS))
    if len(orders) < FEW or count < 2 or not sys.executable:
        for index, order in enumerate(orders):
            _carry_out(order)
            done(index)
        return
    _share_out(orders, count, done)


def _share_out(orders: Sequence[dict[str, Any]], count: int, done: Callable[[int], None]) -> None:
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(orders)):
        jobs.put(index)
    answers: queue.SimpleQueue[tuple[int, ComponiumError | None]] = queue.SimpleQueue()
    pool = [_Worker(orders, jobs, answers) for _ in range(count)]
    try:
        for worker in pool:
            worker.start()
        for _ in orders:
            index, error = _next(answers)
            if error is not None:
                raise error
            done(index)
    finally:
        for worker in pool:
            worker.stopping.set()
        for worker in pool:
            worker.join(_PATIENCE_SECONDS)
            worker.end()


def _next(answers: queue.SimpleQueue[tuple[int, ComponiumError | None]]) -> tuple[int, ComponiumError | None]:
    while True:  # short waits, as a long one cannot be interrupted everywhere
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.5)


class _Worker(threading.Thread):
    """One child process, and the thread that feeds it."""

    def __init__(self, orders: Sequence[dict[str, Any]], jobs: queue.SimpleQueue[int],
                 answers: queue.SimpleQueue[tuple[int, ComponiumError | None]]) -> None:
        super().__init__(daemon=True)
        self._orders, self._jobs, self._answers = orders, jobs, answers
        self._child: subprocess.Popen[str] | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work until no order is left, or the work is stopped."""
        with contextlib.suppress(queue.Empty):
            while not self.stopping.is_set():
                index = self._jobs.get_nowait()
                self._answers.put((index, self._ask(self._orders[index])))
        self.end()

    def _ask(self, order: dict[str, Any]) -> ComponiumError | None:
        try:
            if self._child is None:
                folders = os.pathsep.join(folder for folder in sys.path if folder)
                self._child = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                    stderr=subprocess.DEVNULL, encoding="utf-8", env={**os.environ, "PYTHONPATH": folders})
            assert self._child.stdin is not None and self._child.stdout is not None
            self._child.stdin.write(json.dumps(order) + "\n")
            self._child.stdin.flush()
            answer = json.loads(self._child.stdout.readline() or '["the process ended (out of memory?)"]')
        except (OSError, ValueError) as error:
            answer = [f"the process that renders it cannot be used ({error})"]
        return BadFile(order["path"], answer[0]) if answer else None

    def end(self) -> None:
        """Let the process go."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(OSError):
                child.communicate(timeout=_PATIENCE_SECONDS)
            child.kill()


def work() -> None:
    """Be a worker: carry out each order on standard input, answer ``[]`` or ``[reason]``, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says what happened; a file that is begun is finished
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        order = json.loads(line)
        try:
            _carry_out(order)
            answer = []
        except ComponiumError as error:
            answer = [error.reason if isinstance(error, BadFile) else str(error)]
        except Exception as error:  # noqa: BLE001  (told by the parent, with the file's name)
            answer = [f"cannot be rendered ({type(error).__name__}: {error})"]
        replies.write(json.dumps(answer) + "\n")
        replies.flush()
