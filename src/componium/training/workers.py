"""Work in child processes: each takes jobs one after another and answers in JSON.

As the readers of `componium.music.parallel`, the workers are plain child processes that talk over their pipes: they
neither fork this process nor import its main module again, and end with their pipes. A job that brings its worker
down costs that job only.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, cast

MOST_WORKERS = 8
TICK_SECONDS = 0.2
"""How often whoever waits looks whether the work is to be stopped."""
END_SECONDS = 2.0
"""How long a worker that is told to end may take to leave nothing half-written."""
_START = "from componium.training.workers import work; work({!r})"

Job = dict[str, Any]
Tell = Callable[[float], None]
"""Called by a job with the share of it that is done."""


def run_jobs(target: str, jobs: Sequence[Job], *, told: Callable[[Sequence[float]], None],
             workers: int | None = None) -> list[Job]:
    """Do jobs in child processes; returns the answer to each, ``{"failed": reason}`` where there is none.

    Args:
        target: ``"module:function"``, called as ``function(job, tell)`` in a worker; it returns a dictionary.
        jobs: JSON data.
        told: called in this thread, several times a second, with the share done of each job; raising an error in it
            stops the work.
        workers: how many; by default one for each processor core, at most 8.
    """
    count = min(len(jobs), workers or min(os.cpu_count() or 1, MOST_WORKERS))
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    messages: queue.SimpleQueue[tuple[int, Job]] = queue.SimpleQueue()
    shares, answers = [0.0] * len(jobs), cast(list[Job | None], [None] * len(jobs))
    pool = [_Worker(target, waiting, messages, jobs) for _ in range(count)]
    try:
        for worker in pool:
            worker.start()
        while None in answers:
            for number, message in _arrived(messages):
                shares[number] = message.get("share", 1.0)
                answers[number] = message.get("answer")
            told(shares)
    finally:
        for worker in pool:
            worker.stop()
    return [answer for answer in answers if answer is not None]


def _arrived(messages: queue.SimpleQueue[tuple[int, Job]]) -> Iterator[tuple[int, Job]]:
    """Yield what has come, after a short wait where there is nothing: a long one cannot be interrupted everywhere."""
    with contextlib.suppress(queue.Empty):
        yield messages.get(timeout=TICK_SECONDS)
        while True:
            yield messages.get_nowait()


class _Worker(threading.Thread):
    """One child process, and the thread that feeds it."""

    def __init__(self, target: str, waiting: queue.SimpleQueue[int], messages: queue.SimpleQueue[tuple[int, Job]],
                 jobs: Sequence[Job]) -> None:
        super().__init__(daemon=True)
        self._target, self._waiting, self._messages, self._jobs = target, waiting, messages, jobs
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Work until no job is left."""
        with contextlib.suppress(queue.Empty):
            while not self._stopping.is_set():
                number = self._waiting.get_nowait()
                self._messages.put((number, {"answer": self._ask(number)}))
        self._end()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._stopping.set()
        self._end()

    def _ask(self, number: int) -> Job:
        try:
            child = self._running_child()
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(json.dumps(self._jobs[number]).encode() + b"\n")
            child.stdin.flush()
            while line := child.stdout.readline():
                message = json.loads(line)
                if "answer" in message:
                    return dict(message["answer"])
                self._messages.put((number, message))
        except (OSError, ValueError) as error:  # ValueError: its pipe was closed meanwhile
            self._end()
            return {"failed": f"the working process cannot be used ({error})"}
        self._end()
        return {"failed": "it ended the working process (out of memory, or a damaged file)"}

    def _running_child(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopping.is_set():
                raise OSError("stopped")
            if self._child is None:
                folders = os.pathsep.join(folder for folder in sys.path if folder)
                self._child = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START.format(self._target)], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": folders, "OMP_NUM_THREADS": "1"})
            return self._child

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def work(target: str) -> None:
    """Be a worker: answer each line of standard input until it ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # in good order: what is half-written is taken away
    requests, replies = cast(IO[bytes], sys.stdin.buffer), cast(IO[bytes], sys.stdout.buffer)
    with open(os.devnull) as nothing, contextlib.suppress(KeyboardInterrupt):  # the parent says what happened
        sys.stdin, sys.stdout = nothing, sys.stderr
        module, _, name = target.partition(":")
        function = getattr(importlib.import_module(module), name)
        while line := requests.readline():
            _send(replies, {"answer": _answer(function, json.loads(line), _Sharing(replies))})


class _Sharing:
    """Tells now and then how far a job is."""

    def __init__(self, replies: IO[bytes]) -> None:
        self._replies, self._last = replies, time.monotonic()

    def __call__(self, share: float) -> None:
        if time.monotonic() - self._last >= TICK_SECONDS:
            self._last = time.monotonic()
            _send(self._replies, {"share": share})


def _answer(function: Callable[[Job, Tell], Job], job: Job, tell: Tell) -> Job:
    try:
        return function(job, tell)
    except Exception as error:  # noqa: BLE001  (a bug must cost one job, not all)
        return {"failed": f"{type(error).__name__}: {error}"}


def _send(stream: IO[bytes], message: Job) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()
