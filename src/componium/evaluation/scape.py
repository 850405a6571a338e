"""The fitness of segments: how well repetitions of one part of a piece explain the whole piece.

Mueller, Jiang and Grosche, "A robust fitness measure for capturing repetitions in music recordings with applications
to audio thumbnailing", IEEE Transactions on Audio, Speech, and Language Processing 21(3), 2013. A segment of M frames
takes columns of a self-similarity matrix S [N, N] with S <= 1 and ones on the diagonal. A path aligns the segment,
from its first to its last frame, with some rows; steps go one frame ahead in both, or two in one of them. A path
family holds paths whose rows do not overlap; the optimal one has the largest sum of S. With the sum s, the number of
cells c and the number of rows covered r of the optimal family:

    score = (s - M) / c,   coverage = (r - M) / N,   fitness = harmonic mean of both, 0 where one is not positive

(M is subtracted because a segment explains itself). All segments of all starts and lengths make the scape plot.

The paper leaves open which of several equally good families counts; here a path prefers the diagonal step, then two
rows ahead, then two columns ahead, and a family prefers to wait.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BATCH_CELLS = 12_000
"""Columns of segments that are worked on together: what stays in a processor's cache."""
BUDGET_CELLS = 30_000_000
"""Cells of the largest search before segments are thinned out: all segments of about 115 frames."""
_ROW = 1 << 16
"""Cells and rows of a family share one integer: cells + rows * _ROW."""


def fitness(similarity: Floats, starts: Ints, lengths: Ints) -> Floats:
    """Return the fitness of segments, [segments].

    Args:
        similarity: [N, N], at most 1, ones on the diagonal; N at most 32,767.
        starts: [segments] first frame of each.
        lengths: [segments] number of frames, at least 1; a segment lies within the N frames.
    """
    order = np.argsort(lengths, kind="stable")
    found = np.zeros(len(lengths))
    for batch in _batches(lengths[order]):
        chosen = order[batch]
        found[chosen] = _fitness(similarity, starts[chosen], lengths[chosen])
    return found


def scape_plot(similarity: Floats) -> Floats:
    """Return the fitness of all segments, [N lengths (from 1), N starts]; 0 where a segment would pass the end."""
    size = len(similarity)
    lengths, starts = _grid(size, 1, size, 1)
    plot = np.zeros((size, size))
    plot[lengths - 1, starts] = fitness(similarity, starts, lengths)
    return plot


def largest_fitness(similarity: Floats, shortest: int, longest: int, *, budget_cells: int = BUDGET_CELLS) -> float:
    """Return the largest fitness of the segments of ``shortest`` to ``longest`` frames; 0.0 where there are none.

    All segments are tried where that takes at most ``budget_cells`` cells of the recursion. In longer pieces every
    k-th start and length is, and then the neighbours of the best five are, as in Jiang and Mueller, "Towards
    efficient audio thumbnailing", ICASSP 2014: the figure is then a lower bound.
    """
    size = len(similarity)
    longest = min(longest, size)
    if shortest > longest:
        return 0.0
    stride = 1
    while size * int(np.sum((segments := _grid(size, shortest, longest, stride))[0])) > budget_cells:
        stride += 1
    lengths, starts = segments
    found = fitness(similarity, starts, lengths)
    best = float(found.max())
    step = stride
    while step > 1:
        centres = np.argsort(-found, kind="stable")[:5]
        step = (step + 1) // 2 if step > 2 else 1
        lengths, starts = _around(lengths[centres], starts[centres], step, shortest, longest, size)
        found = fitness(similarity, starts, lengths)
        best = max(best, float(found.max()))
    return best


def _grid(size: int, shortest: int, longest: int, stride: int) -> tuple[Ints, Ints]:
    """Return (lengths, starts) of every ``stride``-th segment."""
    lengths = np.arange(shortest, longest + 1, stride)
    counts = (size - lengths) // stride + 1
    places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(lengths, counts), places * stride


def _around(lengths: Ints, starts: Ints, step: int, shortest: int, longest: int, size: int) -> tuple[Ints, Ints]:
    """Return segments and their neighbours at a distance of ``step`` in length and start."""
    moves = np.stack(np.meshgrid((-step, 0, step), (-step, 0, step)), -1).reshape(-1, 2)
    near = (np.stack([lengths, starts], -1)[:, None] + moves).reshape(-1, 2)
    fits = (near[:, 0] >= shortest) & (near[:, 0] <= longest) & (near[:, 1] >= 0) & (near.sum(1) <= size)
    near = np.unique(near[fits], axis=0)
    return near[:, 0], near[:, 1]


def _batches(lengths: Ints) -> Iterator[slice]:
    """Yield slices of segments, each with about `BATCH_CELLS` columns."""
    ends = np.cumsum(lengths + 1)
    start = 0
    while start < len(lengths):
        used = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, used + BATCH_CELLS, side="right")))
        yield slice(start, stop)
        start = stop


def _fitness(similarity: Floats, starts: Ints, lengths: Ints) -> Floats:
    """Return the fitness of one batch: the recursion goes down the rows, for all columns of all segments at once.

    The segments' columns lie in one line, before each segment a barrier of minus infinity.
    """
    size = len(similarity)
    last = np.cumsum(lengths + 1) - 1
    first = last - lengths + 1
    barriers = first - 1
    column = np.arange(int(last[-1]) + 1) - np.repeat(first - starts, lengths + 1)
    column[barriers] = 0
    # sum and (cells, rows) of the best family that ends here; of the two rows before
    score = np.full((3, len(column) + 2), -np.inf)
    told = np.zeros((3, len(column) + 2), np.int32)
    waiting, waiting_told = np.zeros(len(lengths)), np.zeros(len(lengths), np.int32)
    for row in range(size):
        now, one, two = row % 3, (row - 1) % 3, (row - 2) % 3
        ended, ended_told = score[one, 2:][last], told[one, 2:][last]
        waiting_told = np.where(ended > waiting, ended_told, waiting_told)
        waiting = np.maximum(ended, waiting)
        best, best_told = score[now, 2:], told[now, 2:]
        np.copyto(best, score[one, 1:-1])
        np.add(told[one, 1:-1], _ROW + 1, out=best_told)
        for other, other_told, rows in ((score[two, 1:-1], told[two, 1:-1], 2), (score[one, :-2], told[one, :-2], 1)):
            better = other > best
            np.copyto(best, other, where=better)
            np.copyto(best_told, other_told + np.int32(rows * _ROW + 1), where=better)
        best[first], best_told[first] = waiting, waiting_told + np.int32(_ROW + 1)
        best += similarity[row].take(column)
        best[barriers] = -np.inf
    ended, ended_told = score[(size - 1) % 3, 2:][last], told[(size - 1) % 3, 2:][last]
    told_best = np.where(ended >= waiting, ended_told, waiting_told)
    return _harmonic_mean((np.maximum(ended, waiting) - lengths) / np.maximum(told_best % _ROW, 1),
                          (told_best // _ROW - lengths) / size)


def _harmonic_mean(score: Floats, coverage: Floats) -> Floats:
    """Return the harmonic mean where both are positive, otherwise 0."""
    positive = (score > 1e-12) & (coverage > 0)
    total = np.where(positive, score + coverage, 1.0)
    return np.where(positive, 2.0 * score * coverage / total, 0.0)
