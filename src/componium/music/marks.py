"""Marks: the items of a corpus that somebody has looked at and wants left out, in a small text file.

One line an item: its name, a tab, the start of its content hash, and a reason after ``#``; other lines that begin
with ``#`` are remarks::

    bwv66.6	3f2a91c07b1e	# wrong notes in the tenor

An item is meant where name and hash agree; where only one of them is given (``-`` stands for none), that one counts.
So a mark neither hits another piece that took the name, nor gets lost when a file is renamed without a name given.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from componium.music.errors import BadFile
from componium.music.files import replacing
from componium.music.item import Item, Skipped

MARKS_NAME = "exclude.txt"
"""The file of marks in a folder of music, which `open_corpus` keeps to."""
HASH_DIGITS = 12
"""Hex digits of the content hash that are written."""
_FIRST_LINE = "# Items to be left out: name, tab, start of the content hash, tab, # reason"
_NONE = "-"


@dataclasses.dataclass(frozen=True)
class Mark:
    """One item to be left out.

    Attributes:
        name: its name in the corpus; empty: any name.
        hash: the start of its content hash (hex); empty: any content.
        reason: why, in the words of whoever marked it; may be empty.
    """

    name: str
    hash: str = ""
    reason: str = ""

    def hits(self, item: Item) -> bool:
        """Return whether this item is meant."""
        named = not self.name or self.name == _one_line(item.name)
        return bool(self.name or self.hash) and named and item.hash.startswith(self.hash)


def read_marks(path: str | Path) -> list[Mark]:
    """Return the marks of a file, in its order.

    Raises:
        BadFile: it cannot be read, is no text, or a line is no mark (the line is named).
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise BadFile(path, "is not text in UTF-8, as a list of items to exclude is") from error
    return [_mark(path, number, line) for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")]


def write_marks(path: str | Path, marks: Iterable[Mark]) -> None:
    """Write marks, one line each, the same mark once; the file is complete or absent.

    Raises `BadFile` where it cannot be written.
    """
    lines = [_FIRST_LINE, *dict.fromkeys(_line(mark) for mark in marks)]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def mark_of(item: Item, reason: str = "") -> Mark:
    """Return the mark that excludes an item: by its hash alone where its name would be read as something else."""
    name = _one_line(item.name)
    return Mark("" if name.startswith("#") or name == _NONE else name, item.hash[:HASH_DIGITS], reason)


def without_marked(items: Sequence[Item], marks: Sequence[Mark]) -> tuple[list[Item], list[Skipped], list[Mark]]:
    """Return the items that no mark hits, those left out with the reason, and the marks that hit nothing."""
    named: dict[str, list[Mark]] = {}
    for mark in marks:
        named.setdefault(mark.name, []).append(mark)
    kept, skipped, used = [], [], set()
    for item in items:
        candidates = [*named.get(_one_line(item.name), ()), *named.get("", ())]
        hit = [mark for mark in candidates if mark.hits(item)]
        used.update(hit)
        if hit:
            reason = f" ({hit[0].reason})" if hit[0].reason else ""
            skipped.append(Skipped(item.name, f"marked to be excluded{reason}"))
        else:
            kept.append(item)
    return kept, skipped, [mark for mark in marks if mark not in used]


def _mark(path: str | Path, number: int, line: str) -> Mark:
    fields = line.strip("\r\n").split("\t")
    name, digits = fields[0].strip(), fields[1].strip().lower() if len(fields) > 1 else ""
    reason = "\t".join(fields[2:])
    if digits.startswith("#"):  # a name and a reason, without a hash
        digits, reason = "", "\t".join(fields[1:])
    digits, name = digits.replace(_NONE, ""), "" if name == _NONE else name
    if not re.fullmatch(r"[0-9a-f]{0,64}", digits) or not (name or digits):
        raise BadFile(path, f"line {number} is no mark: write a name, a tab, and the start of the content hash (hex)")
    return Mark(name, digits, reason.strip().lstrip("#").strip())


def _line(mark: Mark) -> str:
    reason = f"\t# {_one_line(mark.reason)}" if mark.reason else ""
    return f"{_one_line(mark.name) or _NONE}\t{mark.hash[:HASH_DIGITS] or _NONE}{reason}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
