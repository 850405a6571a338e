"""Where the lessons are, and what is in them.

A lesson is a folder ``NN_name`` with ``lesson.toml`` (title, minutes, exercises), ``lesson.py`` (the notebook, solved,
in jupytext's percent format) and for each exercise ``check_N.py`` (with a function ``check``).
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from componium.lessons.verdict import Exercise
from componium.music.errors import BadFile, BadInput


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        folder: where it is.
        title: its title.
        minutes: how long it takes.
        exercises: number of an exercise -> (name that it asks for, title).
    """

    folder: Path
    title: str
    minutes: int
    exercises: dict[int, tuple[str, str]]

    @property
    def name(self) -> str:
        """``"01_markov"``."""
        return self.folder.name

    @property
    def number(self) -> str:
        """``"01"``."""
        return self.name.partition("_")[0]

    @property
    def text(self) -> Path:
        """The solved notebook in its text form."""
        return self.folder / "lesson.py"

    def exercise(self, number: int) -> Exercise:
        """Return an exercise with its check; raises `BadInput` where there is none of that number."""
        if number not in self.exercises:
            known = ", ".join(map(str, self.exercises)) or "none"
            raise BadInput(f"lesson {self.number} has no exercise {number}; its exercises: {known}")
        name, title = self.exercises[number]
        return Exercise(number, name, title, _check_of(self.folder / f"check_{number}.py"))


def lessons_folder() -> Path:
    """Return the folder of the lessons: beside the source, or inside the installed package."""
    here = Path(__file__).resolve().parent
    beside = here.parents[2] / "lessons"
    if here.parents[1].name == "src" and beside.is_dir():
        return beside
    return here / "texts"


def lessons() -> list[Lesson]:
    """Return all lessons in order."""
    folder = lessons_folder()
    if not folder.is_dir():
        raise BadFile(folder, "the lessons are not there; installing Componium again brings them back")
    return [_read(place) for place in sorted(folder.iterdir())
            if re.match(r"\d+_", place.name) and (place / "lesson.toml").is_file()]


def find(wanted: str) -> Lesson:
    """Return the lesson of a number or name (``"01"``, ``"1"``, ``"01_markov"``, ``"markov"``).

    Raises:
        BadInput: there is no such lesson; the message names those that there are.
    """
    asked = str(wanted).strip()
    known = lessons()
    for lesson in known:
        same_number = asked.isascii() and asked.isdigit() and int(asked) == int(lesson.number)
        if same_number or asked in (lesson.name, lesson.name.partition("_")[2]):
            return lesson
    told = ", ".join(f"{lesson.number} ({lesson.title})" for lesson in known) or "none"
    raise BadInput(f"there is no lesson {asked!r}; the lessons are {told}")


def _read(folder: Path) -> Lesson:
    place = folder / "lesson.toml"
    try:
        stated = tomllib.loads(place.read_text(encoding="utf-8"))
        exercises = {int(each["number"]): (str(each["name"]), str(each["title"])) for each in stated["exercises"]}
        return Lesson(folder, str(stated["title"]), int(stated["minutes"]), exercises)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadFile(place, f"does not say title, minutes and exercises as a lesson has to ({error})") from error


def _check_of(path: Path) -> Callable[[Any], None]:
    """Return the function ``check`` of a file."""
    spec = importlib.util.spec_from_file_location(f"componium_lesson_{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadFile(path, "is missing; installing Componium again brings it back")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Callable[[Any], None] = module.check
    return check
