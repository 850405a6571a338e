"""An ABC file as a book of tunes: each tune with its fields, and with its music or the reason why it has none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from componium.music.abc import Lines, parse_tune, tune_lines
from componium.music.errors import BadFile, BadInput
from componium.music.formats import read_text
from componium.music.score import Score


@dataclass(frozen=True)
class Tune:
    """One tune of a book.

    Attributes:
        number: what stands after X:.
        line: where it begins in the file.
        fields: letter of a field (T, R, B, Z, N ...) -> its lines.
        score: its music, or None where it cannot be read.
        reason: why it cannot be read; empty otherwise.
        music: its lines that are no fields.
    """

    number: str
    line: int
    fields: dict[str, tuple[str, ...]]
    score: Score | None
    reason: str = ""
    music: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first title, or an empty text."""
        return next((text for text in self.fields.get("T", ()) if text), "")


def read_book(path: str | Path) -> list[Tune]:
    """Return the tunes of an ABC file; one that cannot be read has the reason in the place of its music.

    Raises:
        BadFile: the file cannot be read, or no tune begins in it.
    """
    try:
        return tunes_of(read_text(path))
    except BadInput as error:
        raise BadFile(path, str(error)) from error


def tunes_of(text: str, *, lines_are_phrases: bool = False) -> list[Tune]:
    """Return the tunes of an ABC text, as `read_book` does; raises `BadInput` where no tune begins.

    Args:
        text: of the file.
        lines_are_phrases: whether each line of music is a phrase of the song, to be marked at its end.
    """
    return [tune_of(lines, lines_are_phrases=lines_are_phrases) for lines in tune_lines(text)]


def tune_of(lines: Lines, *, lines_are_phrases: bool = False) -> Tune:
    """Return a tune from its numbered lines."""
    fields: dict[str, tuple[str, ...]] = {}
    music: list[str] = []
    for _, line in lines:
        found = re.match(r"([A-Za-z]):(?![|:])(.*)", line)
        if found:
            fields[found[1]] = (*fields.get(found[1], ()), found[2].strip())
        else:
            music.append(line)
    score, reason = None, ""
    try:
        score = parse_tune(lines, lines_are_phrases=lines_are_phrases)
    except BadInput as error:
        reason = str(error)
    return Tune(fields["X"][0], lines[0][0], fields, score, reason, tuple(line for line in music if line))
