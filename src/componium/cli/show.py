"""What the verbs show: tables, progress bars and lines; plain text where the output is not a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

Progress = Callable[[float, str], None]


def new_app() -> typer.Typer:
    """Return the app of one verb: plain help, ``-h`` as well as ``--help``."""
    return typer.Typer(rich_markup_mode=None, add_completion=False,
                       context_settings={"help_option_names": ["-h", "--help"]})


def say(text: str = "") -> None:
    """Write a line to standard output."""
    typer.echo(text)


def warn(text: str) -> None:
    """Write a warning to standard error."""
    typer.echo(f"warning: {text}", err=True)


PIPE_WIDTH = 10_000
"""Columns where the output is no terminal: no cell is folded there."""


def show(renderable: Any) -> None:
    """Write something of rich: as wide as the terminal; in a pipe without colours, folding or spaces at line ends."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(renderable)
        return
    plain = Console(highlight=False, width=PIPE_WIDTH, color_system=None, force_terminal=False)
    with plain.capture() as captured:
        plain.print(renderable)
    for line in captured.get().splitlines():
        say(line.rstrip())


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (),
          title: str | None = None) -> None:
    """Write a table.

    Args:
        header: one word a column; all empty for a table without a header.
        rows: the cells.
        right: numbers of the columns that hold figures and are aligned at the right.
        title: a line above.
    """
    from rich.table import Table
    from rich.text import Text

    if title:
        say(title)
    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=any(header), header_style="bold")
    for number, word in enumerate(header):
        shown.add_column(word, justify="right" if number in right else "left", style="cyan" if number == 0 else None,
                         overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    show(shown)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Give a `Progress` that draws a bar with the time passed and left; on standard error, and only in a terminal."""
    if not sys.stderr.isatty():
        yield lambda _fraction, _message="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[message]}", style="dim"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=1.0, message="")
        yield lambda fraction, message="": bars.update(task, completed=fraction, message=message)


@contextlib.contextmanager
def step(title: str) -> Iterator[Progress]:
    """Show one step of a longer job: its name, a bar while it runs, and a line with the seconds when it is done."""
    begun = time.perf_counter()
    with progress_bar(title) as progress:
        yield progress
    say(f"{title:<52} {time.perf_counter() - begun:5.1f} s")


def skipped_lines(skipped: Sequence[Any], shown: int = 5) -> list[str]:
    """Return what to say about skipped files: how many, and the first few with their reasons."""
    if not skipped:
        return []
    lines = [f"skipped {len(skipped)}:"] + [f"  {each.name}: {each.reason}" for each in skipped[:shown]]
    if len(skipped) > shown:
        lines.append(f"  and {len(skipped) - shown} more ('componium corpus info' names all)")
    return lines


def counted(number: int, thing: str) -> str:
    """Return ``"1 piece"``, ``"2 pieces"``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def quoted(text: object) -> str:
    """Return a word of a command line, in quotation marks where it needs them."""
    import shlex

    return shlex.quote(str(text))
