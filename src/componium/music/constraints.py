"""Rules that a piece has to keep, from a small text file: one rule a line, comments after ``#`` and a space.

    bars 1-4: pitches C D E G A          # only these sound; also: chord G7, scale D dorian, avoid F
    alto: range G3-D5
    soprano bars 1-2: rhythm 1 1/2 1/2 2 # in quarter notes, r1 is a rest; the pitches are free
    bass bars 1-2: melody C3 D3 G2       # these notes in this order; the rhythm is free
    bar 3 beat 1 alto: note A4           # struck there
    bar 5: must contain F#               # sounds somewhere there, in any voice
    tenor bars 1-8: 2-4 onsets a bar
    end: cadence authentic in G major

`tokens.automata.compiled` turns rules into what may be drawn next; `constraint_check.violations` checks a piece.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from componium.music.constraint_rules import Frame, Rule, transposed
from componium.music.constraint_words import read_rule
from componium.music.errors import BadFile, BadInput

__all__ = ["Constraints", "Frame", "Rule"]

MOST_BYTES = 1_000_000
COMMENT = re.compile(r"(^|\s)#(?![\w]).*|^\s*#.*")
"""A # begins a comment at the start of a line, or after a space where no letter follows: F# and Bb stay."""


@dataclass(frozen=True)
class Constraints:
    """Rules in the order of their file; ``bool(constraints)`` tells whether there are any.

    Attributes:
        rules: one a line.
        name: the file, for messages; empty where they were given as text.
    """

    rules: tuple[Rule, ...] = ()
    name: str = ""

    @classmethod
    def parse(cls, text: str, name: str = "") -> Constraints:
        """Read rules from text; raises `BadInput` that names the line and what is near an unknown word."""
        try:
            return cls(tuple(read_rule(number, body) for number, body in _lines(text)), name)
        except BadInput as error:
            raise BadInput(f"{name} {error}" if name else str(error)) from error

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Constraints:
        """Read a constraint file.

        Raises:
            BadFile: it is not there, is not text, or holds no rule.
            BadInput: a line cannot be understood.
        """
        try:
            if Path(path).is_dir():
                raise BadFile(path, "is a folder; name a text file with one rule a line")
            if Path(path).stat().st_size > MOST_BYTES:
                raise BadFile(path, "is larger than 1 MB: a constraint file is a short text")
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
        except UnicodeDecodeError as error:
            raise BadFile(path, "is no text in UTF-8; a constraint file is plain text, one rule a line") from error
        found = cls.parse(text, str(path))
        if not found:
            raise BadFile(path, "holds no rule: write one a line, such as 'bars 1-4: pitches C D E G A'")
        return found

    def transposed(self, semitones: int) -> Constraints:
        """Return the rules of music that is ``semitones`` higher; their text stays as it was written."""
        return replace(self, rules=tuple(replace(rule, kind=transposed(rule.kind, semitones)) for rule in self.rules))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def __str__(self) -> str:
        return "\n".join(rule.text for rule in self.rules)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        body = COMMENT.sub("", line).strip()
        if body:
            yield number, body
