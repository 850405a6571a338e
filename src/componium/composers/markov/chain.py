"""Back-off chains over hashed contexts: the counting and the smoothing of `markov`, for one viewpoint at a time.

A context is a 64-bit hash of what is known before a symbol; a viewpoint has several, from coarse to fine. The
long-term chain counts symbols per context over a corpus and interpolates from coarse to fine with Witten and Bell's
method C (Witten & Bell 1991, "The zero-frequency problem", IEEE Trans. Information Theory 37(4)): a context that was
followed by n symbols of T different kinds trusts its own counts with weight n / (n + a T), and the rest goes to the
next coarser context. The short-term chain does the same with the piece so far (Conklin & Witten 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]

DENSE_CONTEXTS = 8192
"""Levels of at most so many contexts are kept as dense tables too."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_STAFFORD = np.uint64(0xBF58476D1CE4E5B9)


def mix_hash(hashes: Hashes, feature: npt.NDArray[np.integer[Any]]) -> Hashes:
    """Fold one feature into context hashes (multiply and xor-shift, after Stafford's variant of MurmurHash3).

    Args:
        hashes: [N] hashes so far (zeros to begin with).
        feature: [N] integers.
    """
    mixed = (hashes * _GOLDEN) ^ (feature.astype(np.int64) + 1000).astype(np.uint64)
    mixed ^= mixed >> np.uint64(29)
    mixed *= _STAFFORD
    mixed ^= mixed >> np.uint64(32)
    return mixed


@dataclass
class Level:
    """Counts of one context length, sparse: contexts sorted by hash, each with the symbols that followed it.

    Attributes:
        contexts: [C] sorted hashes.
        offsets: [C + 1] where each context's entries begin.
        symbols: [E] the symbols.
        counts: [E] how often each followed.
    """

    contexts: Hashes
    offsets: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.uint32]

    @classmethod
    def count(cls, hashes: Hashes, symbols: npt.NDArray[np.int64], size: int) -> Level:
        """Count ``symbols`` [N] (each below ``size``) in the contexts ``hashes`` [N]."""
        order = np.argsort(hashes, kind="stable")
        ranked = hashes[order]
        first = np.r_[True, ranked[1:] != ranked[:-1]]
        pairs, counts = np.unique((np.cumsum(first) - 1) * size + symbols[order], return_counts=True)
        contexts = ranked[first]
        offsets = np.searchsorted(pairs // size, np.arange(len(contexts) + 1))
        return cls(contexts, offsets.astype(np.int64), (pairs % size).astype(np.uint8), counts.astype(np.uint32))

    def __post_init__(self) -> None:
        self.kinds = np.diff(self.offsets)
        self.totals = np.add.reduceat(self.counts, self.offsets[:-1]).astype(np.float32)
        self._dense: Floats | None = None

    def refine(self, coarser: Floats, hashes: Hashes, caution: float) -> Floats:
        """Interpolate the coarser probabilities [N, S] with the counts of those of ``hashes`` [N] that are known."""
        place = np.searchsorted(self.contexts, hashes)
        np.minimum(place, len(self.contexts) - 1, out=place)
        known = self.contexts[place] == hashes
        if known.all():
            return self._interpolate(coarser, place, caution)
        rows = np.flatnonzero(known)
        if len(rows):
            coarser[rows] = self._interpolate(coarser[rows], place[rows], caution)
        return coarser

    def _interpolate(self, coarser: Floats, place: npt.NDArray[np.int64], caution: float) -> Floats:
        trust = (caution * self.kinds[place]).astype(np.float32)
        result = coarser * trust[:, None]
        result += self._counts(place, coarser.shape[1])
        result /= (self.totals[place] + trust)[:, None]
        return result

    def _counts(self, place: npt.NDArray[np.int64], size: int) -> Floats:
        """Return the dense counts [M, size] of contexts by their places [M]; small levels are kept dense."""
        if self._dense is None and len(self.contexts) <= DENSE_CONTEXTS:
            self._dense = self._scatter(np.arange(len(self.contexts)), size)
        return self._scatter(place, size) if self._dense is None else self._dense[place]

    def _scatter(self, place: npt.NDArray[np.int64], size: int) -> Floats:
        length = self.kinds[place]
        stop = np.cumsum(length)
        rows = np.repeat(np.arange(len(place)), length)
        entries = np.arange(len(rows)) + np.repeat(self.offsets[place] - stop + length, length)
        dense = np.zeros((len(place), size), np.float32)
        dense[rows, self.symbols[entries]] = self.counts[entries]
        return dense


def pack_levels(levels: Sequence[Level]) -> dict[str, npt.NDArray[Any]]:
    """Lay levels end to end in four arrays, for a checkpoint."""
    return {
        "contexts": np.concatenate([level.contexts for level in levels]),
        "kinds": np.concatenate([level.kinds for level in levels]).astype(np.uint8),
        "symbols": np.concatenate([level.symbols for level in levels]),
        "counts": np.concatenate([level.counts for level in levels]).astype(np.uint32),
    }


def unpack_levels(arrays: Mapping[str, npt.NDArray[Any]], sizes: Sequence[int]) -> Iterator[Level]:
    """Yield the levels that `pack_levels` laid end to end, of ``sizes`` contexts each."""
    entry, context = 0, 0
    for size in sizes:
        kinds = arrays["kinds"][context:context + size].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(kinds)])
        stop = entry + int(offsets[-1])
        yield Level(arrays["contexts"][context:context + size], offsets, arrays["symbols"][entry:stop],
                    arrays["counts"][entry:stop])
        entry, context = stop, context + size


class BackoffChain:
    """A variable-order chain of one viewpoint, smoothed by interpolated Witten-Bell back-off."""

    def __init__(self, levels: list[Level], size: int, caution: float) -> None:
        self.levels, self.size, self.caution = levels, size, caution

    @classmethod
    def count(cls, hashes: Sequence[Hashes], symbols: npt.NDArray[np.int64], size: int, caution: float) -> BackoffChain:
        """Count a corpus.

        Args:
            hashes: one [N] array of context hashes a level, coarse to fine.
            symbols: [N] what followed.
            size: number of symbols.
            caution: weight of the number of kinds (``a`` above); 1 is Witten and Bell's.
        """
        return cls([Level.count(level, symbols, size) for level in hashes], size, caution)

    def probabilities(self, hashes: Sequence[Hashes]) -> Floats:
        """Return [N, size] probabilities of the next symbol in the contexts given (one [N] array a level)."""
        result = np.full((len(hashes[0]), self.size), 1.0 / self.size, np.float32)
        for level, wanted in zip(self.levels, hashes, strict=True):
            result = level.refine(result, wanted, self.caution)
        return result


def witten_bell(counts: Floats, coarser: Floats, caution: float) -> Floats:
    """Interpolate counts [N, S], each row with at least one, with the coarser probabilities [N, S]."""
    kinds = caution * np.count_nonzero(counts, axis=1)[:, None].astype(np.float32)
    return np.asarray((counts + kinds * coarser) / (counts.sum(axis=1, keepdims=True) + kinds), np.float32)


def short_term(hashes: Sequence[Hashes], symbols: npt.NDArray[np.int64], size: int,
               caution: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Predict every token of pieces from what came before it in the same piece.

    Args:
        hashes: one [N] array a level, coarse to fine; the piece's number has to be part of the hash.
        symbols: [N] in order of time.
        size, caution: see `BackoffChain`.

    Returns:
        probabilities [N, size] (uniform where nothing matched) and how many levels matched [N].
    """
    total = len(symbols)
    result = np.full((total, size), 1.0 / size, np.float32)
    depth = np.zeros(total, np.int64)
    for level in hashes:
        counts = _counts_so_far(level, symbols, size)
        known = np.flatnonzero(counts.any(axis=1))
        result[known] = witten_bell(counts[known], result[known], caution)
        depth[known] += 1
    return result, depth


def _counts_so_far(hashes: Hashes, symbols: npt.NDArray[np.int64], size: int) -> Floats:
    """Count, for each token, the symbols that followed the same context earlier: [N, size]."""
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    first = np.r_[True, ranked[1:] != ranked[:-1]]
    group = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    seen = np.zeros((len(order), size), np.float32)
    seen[np.arange(len(order)), symbols[order]] = 1
    running = np.cumsum(seen, axis=0, dtype=np.float64) - seen
    counts = np.empty((len(order), size), np.float32)
    counts[order] = running - running[group]
    return counts


class ShortTermMemory:
    """The short-term chain while composing: remembers the contexts of pieces that grow side by side."""

    def __init__(self, pieces: int, steps: int, voices: int, levels: int, size: int, caution: float) -> None:
        self.size, self.caution = size, caution
        self.contexts = np.zeros((levels, voices, pieces, steps), np.uint64)
        self.symbols = np.zeros((voices, pieces, steps), np.int64)
        self.used = np.zeros(voices, np.int64)

    def probabilities(self, voice: int, hashes: Sequence[Hashes]) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return [B, size] probabilities and [B] matched levels for the next symbol of one voice of every piece."""
        pieces, used = self.symbols.shape[1], int(self.used[voice])
        result = np.full((pieces, self.size), 1.0 / self.size, np.float32)
        depth = np.zeros(pieces, np.int64)
        for level, wanted in enumerate(hashes):
            piece, step = np.nonzero(self.contexts[level, voice, :, :used] == wanted[:, None])
            if not len(piece):
                break
            flat = np.bincount(piece * self.size + self.symbols[voice, piece, step], minlength=pieces * self.size)
            counts = flat.reshape(pieces, self.size).astype(np.float32)
            known = np.flatnonzero(counts.any(axis=1))
            result[known] = witten_bell(counts[known], result[known], self.caution)
            depth[known] += 1
        return result, depth

    def remember(self, voice: int, hashes: Sequence[Hashes], symbols: npt.NDArray[np.int64]) -> None:
        """Store what followed the contexts of one voice in every piece."""
        step = int(self.used[voice])
        for level, context in enumerate(hashes):
            self.contexts[level, voice, :, step] = context
        self.symbols[voice, :, step] = symbols
        self.used[voice] += 1

    def reorder(self, rows: npt.NDArray[np.int64]) -> None:
        """Let piece b go on from the memory of piece ``rows[b]``."""
        self.contexts, self.symbols = self.contexts[:, :, rows], self.symbols[:, rows]
