"""Small machines that follow one voice through the steps of a rule: how many notes, which of a melody, whether yet.

A machine has a few places, 0 the first. An event is a sound that goes on (held) or that begins (struck, or a rest):
sounds are 0 for silence and ``1 + pitch - lowest``. Its tables say which place follows, -1 that none does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.int32]


@dataclass(eq=False)
class Counter:
    """One machine.

    Attributes:
        start: the first step that it follows.
        stop: the step after the last; there it has to be in a place of ``accepting``.
        held: [places, sounds] the next place when a sound goes on.
        struck: [places, sounds] the next place when a sound begins.
        accepting: bool [places].
        hits_held: bool [sounds], for what any voice may do: which held sounds do it.
        hits_struck: bool [sounds], the same for sounds that begin.
    """

    start: int
    stop: int
    held: Table
    struck: Table
    accepting: npt.NDArray[np.bool_]
    hits_held: npt.NDArray[np.bool_] | None = None
    hits_struck: npt.NDArray[np.bool_] | None = None
    places: int = field(init=False)

    def __post_init__(self) -> None:
        self.places = len(self.accepting)


def density(start: int, stop: int, fewest: int, most: int, sounds: int) -> Counter:
    """Follow how many notes begin: at least ``fewest``, at most ``most``."""
    most = min(most, stop - start)
    if fewest <= 0 and most == stop - start:  # nothing to count
        anything = np.zeros((1, sounds), dtype=np.int32)
        return Counter(start, stop, anything, anything, np.ones(1, dtype=np.bool_))
    top = max(fewest, most)
    same = np.repeat(np.arange(top + 1, dtype=np.int32)[:, None], sounds, axis=1)
    struck = same + 1
    struck[most:] = -1
    struck[:, 0] = same[:, 0]
    counts = np.arange(top + 1)
    return Counter(start, stop, same, struck, (counts >= fewest) & (counts <= most))


def melody(start: int, stop: int, notes: npt.NDArray[np.int64], sounds: int) -> Counter:
    """Follow a line: the sounds that begin are exactly these, in this order; rests are free."""
    count = len(notes)
    same = np.repeat(np.arange(count + 1, dtype=np.int32)[:, None], sounds, axis=1)
    struck = np.full_like(same, -1)
    struck[np.arange(count), notes] = np.arange(1, count + 1)
    struck[:, 0] = same[:, 0]
    return Counter(start, stop, same, struck, np.arange(count + 1) == count)


def contains(start: int, stop: int, targets: npt.NDArray[np.bool_], *, by_striking: bool = False) -> Counter:
    """Follow whether one of some sounds (bool [sounds]) has been heard; held ones count unless ``by_striking``."""
    sounds = len(targets)
    same = np.repeat(np.arange(2, dtype=np.int32)[:, None], sounds, axis=1)
    struck = same.copy()
    struck[0, targets] = 1
    held = same.copy() if by_striking else struck.copy()
    hits_held = np.zeros(sounds, dtype=np.bool_) if by_striking else targets
    return Counter(start, stop, held, struck, np.array([False, True]), hits_held=hits_held, hits_struck=targets)


def joined(now: list[Counter], later: list[Counter], sounds: int) -> tuple[Table, Table]:
    """Return the tables (held, struck) of several machines at once: from the places of ``now`` to those of ``later``.

    A joint place numbers the places of its machines, the last varying fastest. A machine that only ``later`` has is
    in its first place; one that only ``now`` has must end in an accepting place.
    """
    count = math.prod(counter.places for counter in now)
    each = np.unravel_index(np.arange(count), [counter.places for counter in now]) if now else ()
    strides = strides_of(later)
    tables = []
    for name in ("held", "struck"):
        total = np.zeros((count, sounds), dtype=np.int32)
        possible = np.ones((count, sounds), dtype=np.bool_)
        for counter, places in zip(now, each, strict=True):
            following = getattr(counter, name)[places]
            possible &= following >= 0
            if counter in strides:
                total += following * np.int32(strides[counter])
            else:
                possible &= counter.accepting[following]
        tables.append(np.where(possible, total, np.int32(-1)))
    return tables[0], tables[1]


def strides_of(counters: list[Counter]) -> dict[Counter, int]:
    """Return what one place of each machine counts in a joint place."""
    strides, stride = {}, 1
    for counter in reversed(counters):
        strides[counter] = stride
        stride *= counter.places
    return strides
