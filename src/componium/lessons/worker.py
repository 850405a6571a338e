"""The process that runs a notebook for `componium.lessons.marking`; started as ``python -m``, never imported by it.

The job comes as a line of JSON on standard input, which stays open as long as somebody waits; what happens goes back
as a line of JSON an event. The notebook's own standard output and error lead nowhere, it cannot ask questions, and its
memory and files are limited where the system can do that.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import linecache
import os
import re
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from componium import lessons
from componium.lessons.shelf import find
from componium.lessons.verdict import FAILED, NOT_ANSWERED, StoppedByStudent, Verdict, judge, line_of, told

MOST_PRINTED = 1_000_000
"""Characters that a notebook may print."""
MEMORY_BYTES, FILE_BYTES = 8 << 30, 1 << 30
_LINE_MAGIC = re.compile(r"^(\s*)(?:[%!].*|\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*$")
_TIMERS = ("%%time", "%%timeit", "%%capture", "%%prun")

Tell = Callable[..., None]


class Counted(io.TextIOBase):
    """Standard output that keeps nothing, and stops a notebook that prints without end."""

    printed = 0

    def write(self, text: str) -> int:
        """Count the characters; raises `StoppedByStudent` when there are too many."""
        self.printed += len(text)
        if self.printed > MOST_PRINTED:
            self.printed = 0
            raise StoppedByStudent(f"It prints more than {MOST_PRINTED:,} characters; take the print out of the loop")
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True


def plain_python(source: str) -> str:
    """Return a cell without what only IPython understands; each line keeps its number."""
    lines = source.splitlines()
    first = lines[0].strip() if lines else ""
    if first.startswith("%%"):
        lines = ["pass", *lines[1:]] if first.split()[0] in _TIMERS else []
    return "\n".join(_LINE_MAGIC.sub(r"\1pass", line) for line in lines) + "\n"


class Run:
    """One run of a notebook."""

    def __init__(self, job: dict[str, Any], tell: Tell) -> None:
        self.tell, self.lesson = tell, find(job["lesson"])
        self.cells: list[dict[str, Any]] = job["cells"]
        self.given = {int(number): Verdict(int(number), *said) for number, said in job["given"].items()}
        self.skip = set(job["skip"])
        self.judged = set(self.given)
        self.failed: dict[int, str] = {}
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.space: dict[str, Any] = vars(module)
        self.space["display"] = lambda *_things, **_more: None

    def whole(self) -> None:
        """Run the cells in order, then judge what no cell has had judged."""
        lessons.listen(self.heard)
        for cell in self.cells:
            if cell["number"] not in self.skip:
                self.cell(cell)
        for number, (name, _title) in self.lesson.exercises.items():
            if number not in self.judged:
                self.exercise(number, name)
        self.tell("done")

    def cell(self, cell: dict[str, Any]) -> None:
        """Run one cell; what it raises is told, and the next cells run all the same."""
        number, answers = cell["number"], cell["answers"]
        self.tell("cell", number=number)
        source, filename = plain_python(cell["source"]), f"<cell {number}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        try:
            exec(compile(source, filename, "exec"), self.space)
        except (Exception, SystemExit, StoppedByStudent) as error:  # noqa: BLE001 - whatever a notebook raises is told
            message = told(error, line_of(error.__traceback__, filename))
            self.failed |= dict.fromkeys(answers, f"Code cell {number}: {message}")
            self.tell("cell failed", number=number, message=message)

    def heard(self, phase: str, exercise: int, verdict: Verdict | None) -> Verdict | None:
        """Tell of a check that a cell asks for; one that took too long before is not tried again."""
        if phase == "begin" and exercise in self.given:
            return self.given[exercise]
        self.tell_verdict(verdict) if verdict else self.tell("exercise", exercise=exercise)
        return None

    def exercise(self, number: int, name: str) -> None:
        """Judge an exercise that the notebook itself did not have checked."""
        self.tell("exercise", exercise=number)
        if name in self.space:
            self.tell_verdict(judge(self.lesson.exercise(number), self.space[name]))
        elif number in self.failed:
            self.tell_verdict(Verdict(number, FAILED, self.failed[number]))
        else:
            self.tell_verdict(Verdict(number, NOT_ANSWERED, f"There is no `{name}` in the notebook."))

    def tell_verdict(self, verdict: Verdict) -> None:
        """Send a verdict; an answer that could not even be defined is told with the reason."""
        if verdict.status == NOT_ANSWERED and verdict.exercise in self.failed:
            verdict = Verdict(verdict.exercise, FAILED, self.failed[verdict.exercise])
        self.judged.add(verdict.exercise)
        self.tell("verdict", exercise=verdict.exercise, status=verdict.status, message=verdict.message)


def refuse_question(*_words: object) -> str:
    """Stand in for `input`."""
    raise StoppedByStudent("It asks for something to be typed, with input(), which a check cannot do; take that out")


def set_limits() -> None:
    """Limit memory and the size of files, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for kind, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_FSIZE, FILE_BYTES)):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def end_with_parent() -> None:
    """End this process, whatever it does, when standard input as it is now closes: nobody waits for it any more."""
    def wait(parent: int) -> None:
        while os.read(parent, 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, args=(os.dup(0),), daemon=True).start()


def private_channel() -> Tell:
    """Return what sends an event; standard input, output and error lead nowhere from now on."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for known in (0, 1, 2):
        os.dup2(nowhere, known)
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull, encoding="utf-8"), Counted(), Counted()  # noqa: SIM115

    def tell(event: str, **more: Any) -> None:
        channel.write(json.dumps({"event": event, **more}) + "\n")
        channel.flush()

    return tell


def main() -> None:
    """Run the job that is the first line of standard input."""
    job = json.loads(sys.stdin.buffer.readline())
    end_with_parent()
    tell = private_channel()
    builtins.input = refuse_question
    set_limits()
    sys.path.insert(0, os.getcwd())
    tell("ready")
    Run(job, tell).whole()


if __name__ == "__main__":
    main()
