"""A suffix array: where in a long sequence of numbers does each part of another one stand?

Manber and Myers, "Suffix arrays: a new method for on-line string searches", SIAM Journal on Computing 22(5), 1993: the
suffixes sorted by doubling the length that is compared; a pattern is a range of the sorted suffixes, found by binary
search. Here many patterns are searched together, one token further at a time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class SuffixArray:
    """The sorted suffixes of a sequence of integers.

    Attributes:
        tokens: [N] the sequence, renamed 0, 1, 2 ... in the order of its values; -1 stands for its end.
        order: [N] where the suffixes start, in alphabetical order.
    """

    def __init__(self, sequence: Ints) -> None:
        self.values, names = np.unique(sequence, return_inverse=True)
        self.tokens: Ints = names.reshape(-1).astype(np.int64)
        self.order = _sorted_suffixes(self.tokens)
        self._padded = np.append(self.tokens, -1)

    def renamed(self, pattern: Ints) -> Ints:
        """Return a pattern in the names of `tokens`; -2 for what the sequence does not hold."""
        if not len(self.values):
            return np.full(len(pattern), -2, np.int64)
        places = np.minimum(np.searchsorted(self.values, pattern), len(self.values) - 1)
        return np.where(self.values[places] == pattern, places, -2).astype(np.int64)

    def longest_matches(self, pattern: Ints) -> tuple[Ints, Ints]:
        """Return for each place of a pattern how many tokens from there on stand in the sequence, and where.

        Returns:
            ([n] lengths, [n] the first place of the sequence where so many stand; 0 where the length is 0).
        """
        begins = np.arange(len(pattern))
        lengths, low, high = self.search(pattern, begins, len(pattern) - begins)
        places = [int(self.order[first:last].min()) if length else 0
                  for length, first, last in zip(lengths.tolist(), low.tolist(), high.tolist(), strict=True)]
        return lengths, np.array(places, np.int64)

    def search(self, pattern: Ints, begins: Ints, most: Ints) -> tuple[Ints, Ints, Ints]:
        """Search stretches of a pattern, all together.

        Args:
            pattern: [n] tokens in the values of the sequence.
            begins: [q] where in the pattern each stretch begins.
            most: [q] how many tokens it has.

        Returns:
            ([q] how many of its tokens, from the first on, stand in the sequence,
            [q] and [q] the range of `order` in which all places where they stand are found).
        """
        names = self.renamed(pattern)
        lengths = np.zeros(len(begins), np.int64)
        low, high = np.zeros(len(begins), np.int64), np.full(len(begins), len(self.order), np.int64)
        active, depth = np.flatnonzero(most > 0), 0
        while len(active):
            wanted = names[begins[active] + depth]
            left, right = self._narrowed(low[active], high[active], depth, wanted)
            stays = right > left
            active, depth = active[stays], depth + 1
            low[active], high[active], lengths[active] = left[stays], right[stays], depth
            active = active[most[active] > depth]
        return lengths, low, high

    def _narrowed(self, low: Ints, high: Ints, depth: int, wanted: Ints) -> tuple[Ints, Ints]:
        """Return the parts of ranges of suffixes whose token at ``depth`` is the wanted one."""
        both = self._bounds(np.concatenate([low, low]), np.concatenate([high, high]), depth,
                            np.concatenate([wanted, wanted + 1]))
        return both[:len(low)], both[len(low):]

    def _bounds(self, low: Ints, high: Ints, depth: int, wanted: Ints) -> Ints:
        """Return the first suffix in each range whose token at ``depth`` is not below the wanted one."""
        end = len(self.tokens)
        for _ in range(int(np.max(high - low)).bit_length()):
            middle = (low + high) >> 1
            at = np.minimum(self.order.take(middle, mode="clip") + depth, end)
            below = (self._padded.take(at) < wanted) & (low < high)
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        return low


def _sorted_suffixes(tokens: Ints) -> Ints:
    """Return where the suffixes start, in alphabetical order, by doubling the length that is compared."""
    size = len(tokens)
    rank = tokens.copy()
    order = np.argsort(rank, kind="stable")
    length = 1
    while size:
        behind = np.zeros(size, np.int64)
        behind[:max(size - length, 0)] = rank[length:] + 1
        key = rank * (size + 2) + behind
        order = np.argsort(key, kind="stable")
        changes = np.diff(key[order]) > 0
        rank = np.empty(size, np.int64)
        rank[order] = np.concatenate([[0], np.cumsum(changes)])
        if int(rank[order[-1]]) == size - 1:
            break
        length *= 2
    return order
