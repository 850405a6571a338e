"""`componium lesson`: executable notebooks whose exercises check themselves."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force, Json
from componium.cli.outputs import check_file, write_json
from componium.cli.show import counted, new_app, progress_bar, quoted, say, table, warn
from componium.lessons.progress import note, state_of
from componium.lessons.shelf import Lesson, find, lessons
from componium.music.errors import BadFile, BadInput

app = new_app()

Number = Annotated[str, typer.Argument(metavar="LESSON", help="Its number or name: 01, markov.")]


@app.callback(epilog="""\b
Examples:
  componium lesson list
  componium lesson open 01
  componium lesson check 01""")
def lesson() -> None:
    """Learn how generative music works: notebooks to read, hear and complete."""


@app.command("list")
def list_() -> None:
    """List the lessons, and how far you are with each in this folder."""
    rows = [[each.number, each.title, str(each.minutes), state_of(each, _mine(each))] for each in lessons()]
    table(["number", "title", "minutes", "state"], rows, right=[2])
    say("\n'componium lesson open 01' writes the notebook of a lesson into this folder and opens it.")


@app.command("open", epilog="""\b
Examples:
  componium lesson open 01
  componium lesson open 01 --out my_course --no-start""")
def open_(
    number: Number,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where your notebook goes.")] = Path("."),
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start Jupyter where it is installed.")] = True,
    force: Force = False,
) -> None:
    """Write the notebook of a lesson, to be completed by you, and open it; your work is never overwritten."""
    from componium.lessons.notebook import read_notebook, student_form, write_notebook

    chosen = find(number)
    path = out / f"{chosen.name}.ipynb"
    if path.is_file() and not force:
        say(f"{path} is there already; it is kept as it is (--force begins anew)")
    else:
        check_file(path, force=force)
        write_notebook(student_form(read_notebook(chosen.text), chosen.name), path)
        say(f"wrote {path}")
    say(f"when you have answered: componium lesson check {chosen.number} {quoted(path)}")
    _start(path, start)


@app.command(epilog="""\b
Examples:
  componium lesson check 01                       your notebook in this folder, else the lesson's own solution
  componium lesson check 01 my_course/01_markov.ipynb
  componium lesson check 01 answers.py --limit 5

\b
The code of the notebook runs on this computer, as in Jupyter, but in a process of its own. The exit status is 0 only
if all exercises are right.""")
def check(
    number: Number,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A notebook, .ipynb or .py.",
                                                show_default=False)] = None,
    limit: Annotated[float, typer.Option("--limit", metavar="SECONDS", min=0.1, max=3600.0,
                                         help="How long each exercise may take; all other cells together may take 60 "
                                              "seconds.")] = 20.0,
    json: Json = None,
    force: Force = False,
) -> None:
    """Run a notebook and say of each exercise whether it is right, and if not, what is wrong."""
    from componium.lessons.marking import mark
    from componium.lessons.notebook import code_cells, read_notebook

    chosen = find(number)
    if json is not None:
        check_file(json, force=force)
    path = file or _mine(chosen)
    own = path is None
    notebook = read_notebook(path or chosen.text)
    _check_belongs(notebook, chosen, path)
    say(f"lesson {chosen.number}, {chosen.title}: " + ("its own solution" if path is None else str(path)))
    with _where_it_runs(path) as folder, progress_bar("checking") as progress:
        report = mark(chosen, code_cells(notebook), folder, limit_seconds=limit, whole=own, progress=progress)
    _tell(chosen, report, own)
    if path is not None:
        note(chosen, path, report.right_count)
    if json is not None:
        write_json(json, _as_json(chosen, path, report))
        say(f"wrote {json}")
    if report.right_count < len(chosen.exercises) or (own and report.failed_cells):
        raise typer.Exit(1)


@app.command(epilog="""\b
Examples:
  componium lesson student lessons/01_markov/lesson.py --out 01_markov.ipynb""")
def student(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A solved notebook, .ipynb or .py.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where it goes: .ipynb or .py.")] = None,
    force: Force = False,
) -> None:
    """Turn a solved notebook into the student's: solutions are taken out, checks stay."""
    from componium.lessons.notebook import lesson_of, read_notebook, student_form, write_notebook

    notebook = read_notebook(file)
    path = out or file.with_name(f"{file.stem}-student.ipynb")
    check_file(path, force=force)
    if path.resolve() == file.resolve():
        raise BadFile(path, "is the solved notebook itself; --out NAME writes another")
    known = file.resolve().parent.name if (file.resolve().parent / "lesson.toml").is_file() else None
    write_notebook(student_form(notebook, known or lesson_of(notebook)), path)
    say(f"wrote {path}")


def _mine(chosen: Lesson) -> Path | None:
    """Return the student's notebook in the current folder, None where there is none."""
    names = (Path(f"{chosen.name}{ending}") for ending in (".ipynb", ".py"))
    return next((name for name in names if name.is_file()), None)


def _check_belongs(notebook: Any, chosen: Lesson, path: Path | None) -> None:
    from componium.lessons.notebook import lesson_of

    stated = lesson_of(notebook)
    if stated is not None and stated != chosen.name:
        raise BadInput(f"{path} is a notebook of lesson {stated}: componium lesson check {stated.partition('_')[0]} "
                       f"{quoted(path)}")


@contextlib.contextmanager
def _where_it_runs(path: Path | None) -> Iterator[Path]:
    """Give the folder that a notebook runs in: its own, or an empty one for the lesson's solution."""
    if path is not None:
        yield path.resolve().parent
        return
    with tempfile.TemporaryDirectory(prefix="componium-") as folder:
        yield Path(folder)


def _tell(chosen: Lesson, report: Any, own: bool) -> None:
    """Say what was found: a line an exercise, then the cells that failed."""
    for number, verdict in report.verdicts.items():
        name, title = chosen.exercises[number]
        say(f"exercise {number}, {title} ({name}): {verdict.status}")
        if verdict.message:
            say(f"  {verdict.message}")
    for number, message in report.failed_cells.items():
        told = f"code cell {number}: {message}"
        say(told) if own else warn(told)
    say(f"{report.right_count} of {counted(len(chosen.exercises), 'exercise')} right, in {report.seconds:.1f} s")


def _as_json(chosen: Lesson, path: Path | None, report: Any) -> dict[str, Any]:
    return {"lesson": chosen.name, "file": None if path is None else str(path),
            "exercises": [{"number": number, "name": chosen.exercises[number][0], "status": verdict.status,
                           "message": verdict.message} for number, verdict in report.verdicts.items()],
            "failed_cells": [{"cell": number, "message": text} for number, text in report.failed_cells.items()],
            "right": report.right_count, "seconds": round(report.seconds, 2)}


def _start(path: Path, wanted: bool) -> None:
    """Start Jupyter with a notebook where there is one and a person to use it; otherwise say how to open it."""
    found = next((name for name in ("jupyterlab", "notebook") if importlib.util.find_spec(name)), None)
    if found and wanted and somebody_looks():
        say("starting Jupyter; Ctrl-C ends it")
        status = subprocess.run([sys.executable, "-m", found, str(path)], check=False).returncode
        raise typer.Exit(status)
    jupyter = f"{quoted(sys.executable)} -m {found} {quoted(path)}" if found else \
        f"pip install jupyterlab, then: jupyter lab {quoted(path)}"
    say(f"to open it: {jupyter}\n"
        f"or in an editor that shows notebooks, such as VS Code, with this Python: {quoted(sys.executable)}")


def somebody_looks() -> bool:
    """Say whether the output is a terminal."""
    return sys.stdout.isatty()
