"""Splits of a corpus: by the content of each piece, or by melody, so that no tune is in two parts.

Both depend on the music alone, never on names, order or chance. By melody, the pieces are joined to families:
siblings (`provenance.siblings`: the same opening in another key, metre or harmony) and siblings of siblings. A family
follows one of its members, chosen by a hash of the hashes, and a piece without relatives goes where it goes by
content. So a piece that is added to the corpus moves no other family, and its own only where it is the one chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from componium.music.duplicates import overlaps
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.provenance import SIBLING_SHARE, item_fingerprints

WAYS = ("hash", "melody")


def parts_of(items: Sequence[Item], fractions: Sequence[float], by: str = "hash") -> list[int]:
    """Return the number of the part that each item goes to.

    Args:
        items: of a corpus.
        fractions: sizes of the parts, 1 in all.
        by: ``"hash"``: each item by its content hash alone; ``"melody"``: families of melodies stay together.

    Raises:
        BadInput: the fractions are no parts of a whole, or there is no such way.
    """
    if not fractions or min(fractions) < 0 or not abs(sum(fractions) - 1) <= 1e-6:
        raise BadInput(f"fractions {tuple(fractions)}: give parts of a whole, e.g. 0.8, 0.1, 0.1")
    if by not in WAYS:
        raise BadInput(f"by={by!r}: a corpus is split by one of {', '.join(WAYS)}")
    parts = [_part(int(item.hash[:13] or "0", 16) / 16**13, fractions) for item in items]
    if by == "hash":
        return parts
    for family in families([item_fingerprints(item) for item in items]):
        leader = min(family, key=lambda member: hashlib.sha256(items[member].hash.encode()).digest())
        for member in family:
            parts[member] = parts[leader]
    return parts


def families(prints: Sequence[Collection[str]]) -> list[list[int]]:
    """Return the families of pieces by their fingerprints, as places in order; a piece without any is its own."""
    sets = [frozenset(each) for each in prints]
    head = list(range(len(sets)))
    for first, second, shared in overlaps(sets):
        if shared >= SIBLING_SHARE * min(len(sets[first]), len(sets[second])):
            a, b = _head(head, first), _head(head, second)
            head[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = {}
    for place in range(len(sets)):
        members.setdefault(_head(head, place), []).append(place)
    return list(members.values())


def families_of(items: Sequence[Item]) -> list[list[Item]]:
    """Return the families of melodies of a corpus, the largest first; recordings are their own."""
    found = families([item_fingerprints(item) for item in items])
    return [[items[place] for place in family] for family in sorted(found, key=len, reverse=True)]


def _head(head: list[int], place: int) -> int:
    while head[place] != place:
        head[place] = head[head[place]]
        place = head[place]
    return place


def _part(place: float, fractions: Sequence[float]) -> int:
    part = 0
    while part < len(fractions) - 1 and place >= sum(fractions[:part + 1]):
        part += 1
    return part
