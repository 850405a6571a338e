"""Lessons: executable notebooks whose exercises check themselves.

A notebook asks ``check("01", 1, transition_matrix)`` and shows what comes back. `componium lesson check` runs a whole
notebook in a process of its own (`componium.lessons.marking`). The lessons themselves are in the folder ``lessons``
beside the source, and in ``componium/lessons/texts`` of an installed package; ``lessons/README.md`` is their format.
"""

from __future__ import annotations

from collections.abc import Callable

from componium.lessons.shelf import find
from componium.lessons.verdict import Verdict, judge

__all__ = ["Verdict", "check"]

Listener = Callable[[str, int, "Verdict | None"], "Verdict | None"]
_listeners: list[Listener] = []


def check(lesson: str, exercise: int, answer: object) -> Verdict:
    """Return what a lesson says of an answer.

    Args:
        lesson: its number, ``"01"``.
        exercise: the number of the exercise.
        answer: the function or the value that the exercise asks for.

    Raises:
        BadInput: there is no such lesson or no such exercise in it.
    """
    asked = find(lesson).exercise(exercise)
    for listener in _listeners:
        instead = listener("begin", exercise, None)
        if instead is not None:
            return instead
    verdict = judge(asked, answer)
    for listener in _listeners:
        listener("end", exercise, verdict)
    return verdict


def listen(listener: Listener) -> None:
    """Let something hear of every check: ``listener("begin" | "end", exercise, verdict)``.

    A verdict that it returns at the beginning is given instead of checking.
    """
    _listeners.append(listener)
