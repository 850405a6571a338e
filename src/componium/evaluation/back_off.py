"""A back-off Markov chain over the symbols of one line: the baseline that melody models are judged against.

The chain counts what followed the last 0, 1, ... n symbols. The probability of a symbol after a context of k symbols is
a mixture of how often it followed that context and its probability after the last k - 1 of them, weighted as Witten and
Bell have it (1991, "The zero-frequency problem", method C; in its interpolated form, Chen and Goodman 1999, "An
empirical study of smoothing techniques for language modeling"). With N occurrences of the context, c of them followed
by the symbol, and D different symbols that followed it, it is (c + D * shorter) / (N + D): the more different symbols
followed, the more likely is a new one. A context that never occurred gives way to the shorter one, and below the empty
context every symbol is as likely as any other. So each symbol has a probability above zero, and together they have one.

Before the first symbol of a line stands a mark, so that the chain knows how lines begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ROWS_AT_ONCE = 4096
"""Distributions are made for so many steps at a time."""


@dataclass(frozen=True)
class _Counts:
    """What followed the contexts of one length.

    Attributes:
        followed: [pairs] the pairs of context and symbol that occurred, ``context * size + symbol``, ascending.
        counts: [pairs] how often.
        first: [contexts + 1] where the pairs of each context begin.
        longer: the contexts of the next length that occurred, ``context * (size + 1) + symbol before it``, ascending;
            their places are their numbers. Empty for the greatest length.
    """

    followed: Ints
    counts: Floats
    first: Ints
    longer: Ints


class BackOffChain:
    """An order-n chain with Witten-Bell smoothing over symbols 0 to ``size - 1``, such as those of a grid's voice.

    Args:
        order: how many symbols before it a symbol depends on.
        size: how many symbols there are.
    """

    def __init__(self, order: int, size: int) -> None:
        if order < 0 or size < 1:
            raise BadInput(f"order={order}, size={size}: give an order of 0 or more and at least one symbol")
        self.order, self.size = order, size
        self._levels: list[_Counts] = []

    def fit(self, lines: Sequence[npt.ArrayLike]) -> BackOffChain:
        """Count lines of symbols, each [steps], in place of what was counted before; returns the chain itself."""
        checked = [self._checked(line) for line in lines]
        if not sum(len(line) for line in checked):
            raise BadInput("there are no symbols to count: give at least one line that is not empty")
        symbols = np.concatenate(checked)
        before = np.concatenate([self._before(line) for line in checked])
        context, levels = np.zeros(len(symbols), dtype=np.int64), []
        for length in range(self.order + 1):
            followed, counts = np.unique(context * self.size + symbols, return_counts=True)
            first = np.searchsorted(followed, np.arange(int(context.max()) + 2) * self.size)
            longer = np.zeros(0, dtype=np.int64)
            if length < self.order:
                longer, context = np.unique(context * (self.size + 1) + before[:, length], return_inverse=True)
            levels.append(_Counts(followed, counts.astype(np.float64), first.astype(np.int64), longer))
        self._levels = levels
        return self

    def probabilities(self, symbols: npt.ArrayLike) -> Floats:
        """Return the distribution of the symbol of each step after those before it: [steps, size], each row sums to 1.

        Row t depends on the symbols before step t alone.
        """
        if not self._levels:
            raise BadInput("the chain has counted nothing yet: call fit first")
        before = self._before(self._checked(symbols))
        chances = np.full((len(before), self.size), 1.0 / self.size)
        context, known = np.zeros(len(before), dtype=np.int64), np.ones(len(before), dtype=np.bool_)
        for length, level in enumerate(self._levels):
            rows = np.flatnonzero(known)
            chances[rows] = self._mixed(level, context[rows], chances[rows])
            if length < self.order:
                wanted = context * (self.size + 1) + before[:, length]
                context = np.minimum(np.searchsorted(level.longer, wanted), len(level.longer) - 1)
                known &= level.longer[context] == wanted
        return chances

    def nats(self, symbols: npt.ArrayLike) -> Floats:
        """Return the surprise of each step of a line, ``-log(probability)``: [steps]."""
        return self.judged(symbols)[0]

    def judged(self, symbols: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return the nats of each step of a line [steps], and whether its symbol was the likeliest one, bool [steps].

        Of several symbols that are equally likely the first is taken for the likeliest.
        """
        given = self._checked(symbols)
        chances = self.probabilities(given)
        nats = -np.log(chances[np.arange(len(given)), given])
        return nats, chances.argmax(axis=1) == given

    def accuracy(self, lines: Sequence[npt.ArrayLike]) -> float:
        """Return the share of the steps of all lines whose symbol was the likeliest one."""
        right = [self.judged(line)[1] for line in lines]
        if not sum(len(each) for each in right):
            raise BadInput("there are no symbols to judge: give at least one line that is not empty")
        return float(np.concatenate(right).mean())

    def _mixed(self, level: _Counts, context: Ints, shorter: Floats) -> Floats:
        """Return the distributions [N, size] after contexts [N] that occurred, from those after the shorter ones."""
        mixed = np.empty_like(shorter)
        for start in range(0, len(context), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            begin, end = level.first[context[part]], level.first[context[part] + 1]
            different = end - begin
            # the pairs of each context lie side by side: one row of them after the other
            row = np.repeat(np.arange(len(begin)), different)
            pair = np.arange(len(row)) - np.repeat(np.cumsum(different) - different, different) + begin[row]
            counted = np.zeros((len(begin), self.size))
            counted[row, level.followed[pair] % self.size] = level.counts[pair]
            total = counted.sum(axis=1) + different
            mixed[part] = (counted + different[:, None] * shorter[part]) / total[:, None]
        return mixed

    def _before(self, line: Ints) -> Ints:
        """Return the symbols before each step, the nearest first, `size` before the beginning: [steps, order]."""
        padded = np.concatenate([np.full(self.order, self.size), line])
        places = np.arange(len(line))[:, None] + self.order - 1 - np.arange(self.order)[None, :]
        before: Ints = padded[places]
        return before

    def _checked(self, line: npt.ArrayLike) -> Ints:
        given = np.asarray(line)
        if given.ndim != 1 or (len(given) and not np.issubdtype(given.dtype, np.integer)):
            raise BadInput(f"a line is whole numbers [steps], not {given.dtype} {list(given.shape)}")
        wrong = np.flatnonzero((given < 0) | (given >= self.size))
        if len(wrong):
            raise BadInput(f"step {wrong[0]} is {given[wrong[0]]}: symbols are 0 to {self.size - 1}")
        return given.astype(np.int64)
