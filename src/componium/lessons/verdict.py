"""What a check says of an answer: right, wrong and why, not answered yet, took too long, or failed where.

A check is a function of the answer. It returns where the answer is right, and raises `Wrong` with one or two
sentences to the student where it is not. What the answer itself raises is told with the line of the student's code.
"""

from __future__ import annotations

import dis
import html
import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType, TracebackType
from typing import Any

RIGHT, WRONG, NOT_ANSWERED, TOO_LONG, FAILED = "right", "wrong", "not answered yet", "took too long", "error"
_COLOURS = {RIGHT: "#009E73", WRONG: "#D55E00", FAILED: "#D55E00", TOO_LONG: "#D55E00", NOT_ANSWERED: "#7F7F7F"}
LONGEST = 600
"""Characters of a message; what an error says of itself can be a whole array."""


class Wrong(Exception):
    """The answer is wrong; the text says what is wrong, to the student."""


class StoppedByStudent(BaseException):
    """Something that a check cannot take part in, such as a question on the keyboard; the text says what."""


@dataclass(frozen=True)
class Exercise:
    """An exercise: its number, the name that it asks for, its title, and its check."""

    number: int
    name: str
    title: str
    check: Callable[[Any], None]


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Attributes:
        exercise: number of the exercise.
        status: ``"right"``, ``"wrong"``, ``"not answered yet"``, ``"took too long"`` or ``"error"``.
        message: what is wrong, and what to do; empty where all is well.
    """

    exercise: int
    status: str
    message: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.status == RIGHT

    def __repr__(self) -> str:
        return f"Exercise {self.exercise}: {self.status}." + (f" {self.message}" if self.message else "")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        colour = _COLOURS.get(self.status, "#7F7F7F")
        told = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.message))
        return (f'<div style="border-left: 6px solid {colour}; padding: 4px 12px"><b>Exercise {self.exercise}: '
                f"{self.status}.</b> {told}</div>")


def judge(exercise: Exercise, answer: object) -> Verdict:
    """Return what an exercise's check says of an answer; nothing that the answer raises comes through."""
    if answer is None or answer is ... or is_empty(answer):
        return Verdict(exercise.number, NOT_ANSWERED, f"Write `{exercise.name}`, then run this cell again.")
    try:
        exercise.check(answer)
    except Wrong as wrong:
        return Verdict(exercise.number, WRONG, str(wrong)[:LONGEST])
    except NotImplementedError:
        return Verdict(exercise.number, NOT_ANSWERED, f"`{exercise.name}` still says that it is not implemented.")
    except (Exception, SystemExit, StoppedByStudent) as error:
        filename = getattr(getattr(answer, "__code__", None), "co_filename", "")
        line = line_of(error.__traceback__, filename)
        if filename and not line and not isinstance(error, TypeError | SystemExit | StoppedByStudent):
            raise  # the check itself is at fault: the answer was not even called
        return Verdict(exercise.number, FAILED, told(error, line))
    return Verdict(exercise.number, RIGHT)


def numbers(row: Iterable[float]) -> str:
    """Return a row of a matrix for a message: ``"[0.50, 0.25, 0.25]"``."""
    return f"[{', '.join(f'{value:.2f}' for value in row)}]"


def is_empty(answer: object) -> bool:
    """Say whether something is a function without a body: a docstring, ``...`` or ``pass``, and nothing else."""
    if not isinstance(answer, FunctionType):
        return False
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "CACHE"}
    steps = list(dis.get_instructions(answer))
    returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return all(step.opname in nothing for step in steps) and returned == [None]


def line_of(trace: TracebackType | None, filename: str) -> str:
    """Return "line 3 (`x = y`)" of the last place in a file that an error came through, or ""."""
    for frame in reversed(traceback.extract_tb(trace)):
        if filename and frame.filename == filename:
            source = (frame.line or "").strip()
            return f"line {frame.lineno}" + (f" (`{source[:80]}`)" if source else "")
    return ""


def told(error: BaseException, line: str = "") -> str:
    """Say in a sentence or two what code raised, and in which line."""
    where = f" in {line}" if line else ""
    if isinstance(error, SystemExit):
        return f"It calls exit(){where}, which stops a notebook; take that out."
    if isinstance(error, StoppedByStudent):
        return f"{error}{where}."
    if isinstance(error, RecursionError):
        return f"It calls itself without end{where}."
    if isinstance(error, MemoryError):
        return f"It needs more memory than there is{where}."
    if isinstance(error, SyntaxError) and str(error.filename).startswith("<cell"):
        source = (error.text or "").strip()
        return f"{type(error).__name__} in line {error.lineno}" + (f" (`{source[:80]}`)" if source else "") + (
            f": {error.msg}.")
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}{where}" + (f": {text}." if text else ".")
