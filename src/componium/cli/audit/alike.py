"""Recordings that are the same sound, with what is different in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from componium.cli.show import Progress
from componium.evaluation.recordings import Recorded
from componium.evaluation.sound_copies import Copy, copies
from componium.music.item import Item

LEAST_DB, LEAST_SECONDS, LEAST_LENGTH = 0.2, 0.005, 0.05
"""Differences of level, beginning and length that are told."""


def copies_told(items: Sequence[Item], found: Sequence[Recorded],
                progress: Progress) -> Iterator[tuple[Copy, tuple[str, str]]]:
    """Yield the pairs that are the same sound, and of either recording in what it differs from the other one."""
    for copy in copies(items, found, progress):
        first, second = (items[place] for place in (copy.first, copy.second))
        one, other = found[copy.first], found[copy.second]
        yield copy, (_changes(first, second, one, other, -copy.later_seconds, -copy.louder_db),
                     _changes(second, first, other, one, copy.later_seconds, copy.louder_db))


def _changes(item: Item, base: Item, own: Recorded, theirs: Recorded, later: float, louder: float) -> str:
    told, mine, others = list[str](), own.figures, theirs.figures
    ending, before = (PurePosixPath(each.name).suffix.lower().lstrip(".") for each in (item, base))
    if ending != before and ending:
        told.append(ending.upper())
    if mine["sample_rate"] != others["sample_rate"]:
        told.append(f"{mine['sample_rate']:,.0f} Hz")
    if mine["channels"] != others["channels"]:
        told.append("1 channel" if mine["channels"] == 1 else f"{mine['channels']:.0f} channels")
    if abs(louder) >= LEAST_DB:
        told.append(f"{abs(louder):.1f} dB {'louder' if louder > 0 else 'quieter'}")
    if abs(later) >= LEAST_SECONDS:
        told.append(f"{abs(later):.2f} s {'more' if later > 0 else 'less'} before it")
    longer = mine["duration"] - others["duration"]
    if abs(longer - later) >= LEAST_LENGTH:
        told.append(f"{abs(longer - later):.2f} s {'more' if longer > later else 'less'} after it")
    return ", ".join(told) or "hardly changed"
