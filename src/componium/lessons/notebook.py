"""Notebooks as text and as .ipynb: reading, the student's form, writing.

The text form is jupytext's percent format: a cell begins with ``# %%``, text is in comments below
``# %% [markdown]``. A solution stands between ``# solution:begin`` and ``# solution:end``; a whole cell that only the
solved lesson has carries the tag ``solution``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from componium.music.errors import BadFile, BadInput, require
from componium.music.files import replacing

ENDINGS = (".ipynb", ".py")
LARGEST_BYTES = 200_000_000
ANSWER_HERE = "...  # your answer goes here"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_BEGIN, _END = re.compile(r"^(\s*)#\s*solution:begin\s*$"), re.compile(r"^\s*#\s*solution:end\s*$")


@dataclass(frozen=True)
class Cell:
    """A code cell: its number among the code cells (1 for the first), its text, its tags."""

    number: int
    source: str
    tags: tuple[str, ...] = ()


def read_notebook(path: Path) -> Any:
    """Return a notebook (nbformat 4) from .ipynb, or from .py in the percent format.

    Raises:
        BadFile: missing, another ending, damaged, or without a code cell.
        MissingExtra: jupytext is not installed.
    """
    jupytext = require("jupytext", extra="lessons", purpose="Reading a notebook")
    ending, text = path.suffix.lower(), _text_of(path)
    if ending == ".ipynb":
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadFile(path, "is not a notebook: its JSON is damaged; was it saved to the end?") from error
        if isinstance(raw, dict) and "worksheets" in raw:
            raise BadFile(path, "is in the notebook format of before 2015; open and save it in Jupyter")
        if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
            raise BadFile(path, "is not a notebook: it has no cells")
    try:
        notebook = jupytext.reads(text, fmt="ipynb" if ending == ".ipynb" else "py:percent")
        cells = code_cells(notebook)
    except Exception as error:  # nbformat, its validator and jupytext have no error in common
        told = " ".join(str(error).split())[:100]
        raise BadFile(path, f"is not a notebook that can be read ({told or type(error).__name__})") from error
    if not cells:
        raise BadFile(path, "has no code cell, so there is nothing to check")
    return notebook


def code_cells(notebook: Any) -> list[Cell]:
    """Return the code cells of a notebook."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [Cell(number, str(cell.source), tuple(cell.metadata.get("tags", ()))) for number, cell in enumerate(code, 1)]


def lesson_of(notebook: Any) -> str | None:
    """Return the lesson that a notebook says it belongs to (``"01_markov"``), None where it says nothing."""
    stated = notebook.metadata.get("componium", {})
    return str(stated["lesson"]) if isinstance(stated, dict) and "lesson" in stated else None


def student_form(notebook: Any, lesson: str | None = None) -> Any:
    """Return a copy of a solved notebook without solutions and outputs; checks stay.

    Args:
        notebook: the solved notebook.
        lesson: written into it, so that a check knows which lesson it answers.

    Raises:
        BadInput: a solution that does not end, or ends without having begun.
    """
    student = type(notebook)(notebook.copy())
    student.cells = [cell.copy() for cell in notebook.cells if "solution" not in cell.metadata.get("tags", ())]
    for cell in student.cells:
        cell.source = without_solution(cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    student.metadata = type(notebook.metadata)({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    if lesson:
        student.metadata["componium"] = {"lesson": lesson}
    return student


def without_solution(source: str) -> str:
    """Return the text of a cell with each solution replaced by a line to be answered."""
    kept: list[str] = []
    begun = 0
    for number, line in enumerate(source.splitlines(), 1):
        begins, ends = _BEGIN.match(line), _END.match(line)
        if (begins and begun) or (ends and not begun):
            raise BadInput(f"line {number} of the cell that begins {source[:40]!r}: a solution "
                           f"{'begins inside another' if begins else 'ends that has not begun'}")
        if begins:
            begun = number
            kept.append(begins.group(1) + ANSWER_HERE)
        elif ends:
            begun = 0
        elif not begun:
            kept.append(line)
    if begun:
        raise BadInput(f"line {begun} of the cell that begins {source[:40]!r}: the solution has no "
                       "'# solution:end'")
    return "\n".join(kept)


def write_notebook(notebook: Any, path: Path) -> None:
    """Write .ipynb or .py; the file appears complete or not at all."""
    jupytext = require("jupytext", extra="lessons", purpose="Writing a notebook")
    if path.suffix.lower() not in ENDINGS:
        raise BadFile(path, "a notebook is written as .ipynb or .py")
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:03d}"  # the same notebook gives the same file
    text = jupytext.writes(notebook, fmt="ipynb" if path.suffix.lower() == ".ipynb" else "py:percent")
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise BadFile(path, "is a folder; name a notebook, .ipynb or .py")
    if not path.exists():
        raise BadFile(path, "there is no such file")
    if path.suffix.lower() not in ENDINGS:
        raise BadFile(path, "is not a notebook: name a file that ends with .ipynb or .py")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadFile(path, "is larger than 200 MB; clear the outputs of the notebook and save it")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(path, "is not a notebook: it is not text") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    if not text.strip():
        raise BadFile(path, "is empty")
    return text
