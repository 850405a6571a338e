"""Batches: batch n of a run, and the augmentation of each example in it, are a function of (seed, n) alone.

Every item is met once an epoch, in an order drawn from (seed, epoch); example k of the run draws its crop and
augmentation from (seed, k). So a resumed run needs no state of a generator, and it does not matter how many processes
share a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays
from componium.music.errors import BadInput

ORDER, EXAMPLE = 1, 2
"""Streams of randomness below the seed."""


class Batches:
    """The batches of a run, as this process sees them.

    Args:
        model: gives `example`.
        prepared: what was prepared of each item.
        names: of the items, for errors.
        batch: examples a batch, over all processes.
        seed: of the run.
        processes: that share a batch.
        rank: of this process.
        accumulate: parts in which this process takes its share.

    Raises:
        BadInput: a batch cannot be divided.
    """

    def __init__(self, model: Any, prepared: Sequence[Arrays], names: Sequence[str], *, batch: int, seed: int,
                 processes: int = 1, rank: int = 0, accumulate: int = 1) -> None:
        if batch % (processes * accumulate):
            raise BadInput(f"train.batch={batch}: {processes} processes and train.accumulate={accumulate} need a "
                           f"multiple of {processes * accumulate}, such as "
                           f"{max(round(batch / (processes * accumulate)), 1) * processes * accumulate}")
        self.model, self.prepared, self.names = model, prepared, names
        self.batch, self.seed = batch, seed
        self.processes, self.rank, self.accumulate = processes, rank, accumulate
        self._order: tuple[int, npt.NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    @property
    def steps_per_epoch(self) -> float:
        """Updates in one pass over the items."""
        return len(self.prepared) / self.batch

    def item_of(self, example: int) -> int:
        """Return the number of the item that an example of the run is taken from."""
        epoch, place = divmod(example, len(self.prepared))
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, ORDER, epoch])
            self._order = (epoch, rng.permutation(len(self.prepared)))
        return int(self._order[1][place])

    def parts(self, number: int) -> list[Arrays]:
        """Return the share of this process of a batch, stacked: one dictionary of arrays [B, ...] for each part."""
        first = number * self.batch
        mine = [self._example(first + place) for place in range(self.rank, self.batch, self.processes)]
        size = len(mine) // self.accumulate
        return [stacked(mine[start:start + size]) for start in range(0, len(mine), size)]

    def _example(self, example: int) -> tuple[str, Arrays]:
        item = self.item_of(example)
        rng = np.random.default_rng([self.seed, EXAMPLE, example])
        made = self.model.example(self.prepared[item], rng)
        check_finite(made, self.names[item])
        return self.names[item], made


def held_out_batches(model: Any, prepared: Sequence[Arrays], names: Sequence[str], batch: int) -> list[Arrays]:
    """Return the examples that held-out loss is measured on: one an item, neither cropped by chance nor augmented.

    Examples of one shape are stacked together, at most ``batch`` of them.
    """
    alike: dict[tuple[Any, ...], list[tuple[str, Arrays]]] = {}
    for name, arrays in zip(names, prepared, strict=True):
        example = model.example(arrays, None)
        check_finite(example, name)
        shapes = tuple((key, value.shape) for key, value in sorted(example.items()))
        alike.setdefault(shapes, []).append((name, example))
    return [stacked(those[start:start + batch]) for those in alike.values() for start in range(0, len(those), batch)]


def stacked(examples: Sequence[tuple[str, Arrays]]) -> Arrays:
    """Return named examples as one dictionary of arrays [B, ...]; raises `BadInput` where their shapes differ."""
    first, arrays = examples[0]
    for name, other in examples[1:]:
        wrong = [key for key in arrays.keys() | other.keys()
                 if key not in arrays or key not in other or arrays[key].shape != other[key].shape]
        if wrong:
            raise BadInput(f"{name}: its training example has another shape than that of {first} ({wrong[0]}); "
                           "all examples of a model have one")
    return {key: np.stack([example[key] for _, example in examples]) for key in arrays}


def check_finite(arrays: Arrays, name: str) -> None:
    """Raise `BadInput` where an array holds what is not a number, naming the item and the array."""
    for key, value in arrays.items():
        if value.dtype.kind in "fc" and not np.isfinite(value).all():
            raise BadInput(f"{name}: what is learned from it holds values that are not finite numbers (array {key}); "
                           "leave the piece out with --exclude, or mend it")
