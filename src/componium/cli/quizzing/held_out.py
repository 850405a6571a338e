"""The pieces of a quiz that were not composed by the model: only those that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from componium.music.built_in import is_built_in
from componium.music.errors import BadInput
from componium.music.provenance import Learned, benchmark_part, item_fingerprints, siblings

PARTS = ("test", "valid", None)
"""Parts of the benchmark chorales, in the order in which pieces are taken; None = in neither."""
HUMAN = "a human composer"


@dataclass
class HeldOut:
    """Items of a corpus that a model did not learn from.

    Iterating compares the items with the record of what the model learned, one after the other: first those of the
    benchmark's test part and their siblings, then of its validation part, then others; by chance within each.

    Attributes:
        name: of the corpus.
        items: its scores.
        learned: what the model learned from.
        seed: of the order.
        same: items that the model learned from, found so far.
        related: items whose siblings it learned from, found so far.
    """

    name: str
    items: Sequence[Any]
    learned: Learned
    seed: int = 0
    same: int = 0
    related: int = 0
    _prints: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._prints = [item_fingerprints(item) for item in self.items]

    def __iter__(self) -> Iterator[Any]:
        self.same = self.related = 0
        hashes = set(self.learned.hashes)
        known = [frozenset(piece) for piece in self.learned.fingerprints if piece]
        for place in self._order():
            item, prints = self.items[place], frozenset(self._prints[place])
            if item.hash and item.hash in hashes:
                self.same += 1
            elif any(siblings(prints, each) for each in known):
                self.related += 1
            else:
                yield item

    def _order(self) -> list[int]:
        drawn = np.random.default_rng([self.seed, 1]).permutation(len(self.items)).tolist()
        rank = {place: PARTS.index(benchmark_part(self._prints[place])) for place in drawn}
        return sorted(drawn, key=rank.__getitem__)  # sorting keeps the drawn order within a part

    def none_left(self, model: str) -> BadInput:
        """Return the error that tells why there is no held-out piece; to be made after iterating."""
        return BadInput(
            f"{model} has heard all of {self.name}: it learned from {self.same} of its {len(self.items)} pieces, and "
            f"from siblings of {self.related} more; name music that it did not learn from with --on DATA")


def held_out(corpus: Any, model: Any, word: str, seed: int) -> HeldOut:
    """Return the items of a corpus that a model did not learn from.

    Args:
        corpus: where they are taken from.
        model: the model; its ``provenance`` tells what it learned from.
        word: MODEL as the user wrote it.
        seed: of their order.

    Raises:
        BadInput: the corpus holds no scores, or the model does not say what it learned from.
    """
    items = [item for item in corpus if item.kind == "score"]
    if not items:
        raise BadInput(f"{corpus.name} holds recordings only; a quiz needs scores: name others with --on DATA")
    learned = Learned.from_json(model.provenance)
    if model.needs_training and not learned.hashes:
        raise BadInput(f"{word} does not say which pieces it learned from, so that none can be shown to be held out; "
                       "train it again with this version")
    return HeldOut(corpus.name, items, learned, seed)


def composer_of(word: str, items: Sequence[Any]) -> str:
    """Return who composed the pieces: "Bach", where they are chorales of his, or "a human composer".

    Args:
        word: DATA as the user wrote it.
        items: the pieces that are asked about.
    """
    if is_built_in(word) and word.startswith("chorales"):
        return "Bach"
    return "Bach" if all(benchmark_part(item_fingerprints(item)) for item in items) else HUMAN
