"""Reading many slow score files (MusicXML, kern) at once, each worker an own Python process.

The workers are plain child processes that talk over their pipes. They neither fork this process (unsafe
beside threads) nor import its main module again (which breaks scripts without a main guard, and notebooks).
They end with their pipes, so that Ctrl-C, a kill or a crash leaves none behind; a file that brings its worker
down costs that file only.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, cast

from componium.music.cache import (
    Arrays,
    PackedScores,
    load_arrays,
    pack_scores,
    pack_text,
    save_arrays,
    unpack_text,
)
from componium.music.errors import BadFile, ComponiumError
from componium.music.score import Score

MAX_WORKERS = 8
FEW = 3
"""Fewer files than this are read in this process: starting another one takes longer."""
_LENGTH = struct.Struct("<Q")
_START = "from componium.music.parallel import work; work()"

Result = Score | ComponiumError


def read_scores(paths: Sequence[str], *, done: Callable[[int], None] | None = None,
                workers: int | None = None) -> list[Result]:
    """Read score files in parallel; returns, for each path, its score or the error that reading it gave.

    Args:
        paths: the files.
        done: called in this thread with the number of files finished so far; raising an error in it stops the
            work. workers: number of processes; by default one for each processor core, at most 8.
    """
    count = min(len(paths), workers or min(os.cpu_count() or 1, MAX_WORKERS))
    if len(paths) < FEW or not sys.executable:
        return _read_here(paths, done)
    results: list[Result | None] = [None] * len(paths)
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(paths)):
        jobs.put(index)
    answers: queue.SimpleQueue[tuple[int, Result]] = queue.SimpleQueue()
    pool = [_Worker(jobs, answers, paths) for _ in range(count)]
    try:
        for worker in pool:
            worker.start()
        for finished in range(1, len(paths) + 1):
            index, result = _next(answers)
            results[index] = result
            if done is not None:
                done(finished)
    finally:
        for worker in pool:
            worker.stop()
    return [result for result in results if result is not None]


def _next(answers: queue.SimpleQueue[tuple[int, Result]]) -> tuple[int, Result]:
    while True:  # short waits, as a long one cannot be interrupted everywhere
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=0.5)


def _read_here(paths: Sequence[str], done: Callable[[int], None] | None) -> list[Result]:
    results = []
    for finished, path in enumerate(paths, 1):
        results.append(_unpacked(path, _read(path)))
        if done is not None:
            done(finished)
    return results


class _Worker(threading.Thread):
    """One child process, and the thread that feeds it."""

    def __init__(self, jobs: queue.SimpleQueue[int], answers: queue.SimpleQueue[tuple[int, Result]],
                 paths: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._jobs, self._answers, self._paths = jobs, answers, paths
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Work until no job is left."""
        with contextlib.suppress(queue.Empty):
            while not self._stopping.is_set():
                index = self._jobs.get_nowait()
                self._answers.put((index, self._ask(self._paths[index])))
        self._end()

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._stopping.set()
        self._end()

    def _ask(self, path: str) -> Result:
        try:
            child = self._running_child()
            assert child.stdin is not None and child.stdout is not None
            _send(child.stdin, path.encode("utf-8", "surrogateescape"))
            answer = _receive(child.stdout)
        except (OSError, ValueError) as error:  # ValueError: its pipe was closed meanwhile
            self._end()
            return BadFile(path, f"the reading process cannot be used ({error})")
        if answer is None:
            self._end()
            return BadFile(path, "reading it ended the reading process (out of memory, or a damaged file)")
        return _unpacked(path, load_arrays(io.BytesIO(answer)))

    def _running_child(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopping.is_set():
                raise OSError("stopped")
            if self._child is None:
                folders = os.pathsep.join(folder for folder in sys.path if folder)
                self._child = subprocess.Popen(
                    [sys.executable, "-P", "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": folders})
            return self._child

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if head is None or len(head) < _LENGTH.size:
        return None
    message = stream.read(_LENGTH.unpack(head)[0])
    return message if message is not None and len(message) == _LENGTH.unpack(head)[0] else None


def _unpacked(path: str, arrays: Arrays | None) -> Result:
    if arrays is None:
        return BadFile(path, "the reading process gave no answer that can be understood")
    if "error" in arrays:
        return BadFile(path, str(unpack_text(arrays["error"])))
    return PackedScores(arrays)[0]


def work() -> None:
    """Be a worker: answer each path on standard input with a packed score, until the input ends."""
    with _own_streams() as (requests, replies):
        while (path := _receive(requests)) is not None:
            reply = io.BytesIO()
            save_arrays(reply, _read(path.decode("utf-8", "surrogateescape")))
            _send(replies, reply.getvalue())


@contextlib.contextmanager
def _own_streams() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Keep the pipes to ourselves: what a library prints goes to standard error."""
    requests, replies = cast(IO[bytes], sys.stdin.buffer), cast(IO[bytes], sys.stdout.buffer)
    with open(os.devnull) as nothing, contextlib.suppress(KeyboardInterrupt):  # the parent says what happened
        sys.stdin, sys.stdout = nothing, sys.stderr
        yield requests, replies


def _read(path: str) -> Arrays:
    from componium.music.formats import read_score

    try:
        return pack_scores([read_score(path)])
    except BadFile as error:
        return {"error": pack_text(error.reason)}
    except ComponiumError as error:
        return {"error": pack_text(str(error))}
    except Exception as error:  # noqa: BLE001  (a reader's bug must cost one file, not the corpus)
        return {"error": pack_text(f"cannot be read ({type(error).__name__}: {error})")}
