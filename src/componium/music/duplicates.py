"""Near-duplicates: the same tune written down twice, in another key or with small changes.

A melody is compared by its runs of five intervals in semitones, over the whole piece: transposition, note values,
repeated notes and repeated parts do not matter. The similarity of two pieces is the share of all their runs that
both have (Jaccard index), so that a tune is apart from one that holds it among much else.

The threshold comes from the 4,246 tunes of O'Neill, Ryan and Aird: of two tunes taken at random 0.5 % share a word of
their titles; of the pairs with a similarity of 0.15 to 0.2 it is 10 %, and from 0.25 on 30 % and more (the same tune
often has two names). At 0.4 two tunes of one length share 57 % of their runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from componium.music.grid import REST
from componium.music.item import Item
from componium.music.score import Score, skyline, voices

RUN_INTERVALS = 5
FEWEST_RUNS = 8
"""Runs that a melody needs to be compared: shorter ones are alike by chance."""
NEAR = 0.4
"""Jaccard index of the runs from which on two pieces are the same tune."""


def near_duplicates(items: Sequence[Item], *, threshold: float = NEAR) -> list[tuple[Item, Item, float]]:
    """Return the pairs of pieces that are the same tune: (earlier item, later item, similarity from 0 to 1).

    Recordings, pieces without a melody and melodies of fewer than 8 runs are in no pair. Sorted by similarity, the
    most similar pair first. All pairs are found through an index of the runs, without comparing each with each.

    Args:
        items: of a corpus.
        threshold: the least similarity.
    """
    pairs = near_pairs([melody_runs(item) for item in items], threshold=threshold)
    return [(items[first], items[second], similarity) for first, second, similarity in pairs]


def near_pairs(runs: Sequence[Collection[int]], *, threshold: float = NEAR) -> list[tuple[int, int, float]]:
    """Return (first, second, similarity) of the sets of runs that are as similar as `near_duplicates` asks."""
    sets = [frozenset(each) if len(each) >= FEWEST_RUNS else frozenset() for each in runs]
    found = []
    for first, second, shared in overlaps(sets):
        similarity = shared / (len(sets[first]) + len(sets[second]) - shared)
        if similarity >= threshold:
            found.append((first, second, similarity))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def overlaps(sets: Sequence[Collection[int] | Collection[str]]) -> Iterator[tuple[int, int, int]]:
    """Yield (first, second, number of shared members) of every two sets that share something, in order."""
    holders: dict[int | str, list[int]] = defaultdict(list)
    for place, members in enumerate(sets):
        counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        earlier = [np.array(holders[member], np.int64) for member in members if member in holders]
        if earlier:
            counts = np.bincount(np.concatenate(earlier))
        for other in np.flatnonzero(counts).tolist():
            yield other, place, int(counts[other])
        for member in members:
            holders[member].append(place)


def melody_runs(item: Item) -> frozenset[int]:
    """Return the runs of intervals of an item's melody, as numbers; none for a recording."""
    if item.kind != "score":
        return frozenset()
    if item.grid is not None:
        top = item.grid.pitches[:, 0] if item.grid.pitches.size else np.array([REST])
        return runs_of(top[top >= 0].astype(np.int64))
    content = item.content
    return runs_of(melody_of(content)) if isinstance(content, Score) else frozenset()


def melody_of(score: Score) -> npt.NDArray[np.int64]:
    """Return the pitches of the upper voice in the order of time: its first voice where that is monophonic, else the
    highest sounding notes.
    """
    parts = voices(score)
    if not parts:
        return np.zeros(0, np.int64)
    notes = parts[0].notes.numpy()
    order = np.argsort(notes["time"], kind="stable")
    start = notes["time"][order].astype(np.float64)
    if (start[1:] < (start + notes["duration"][order])[:-1] - 1e-3).any():
        notes = skyline(score).notes.numpy()
        order = np.argsort(notes["time"], kind="stable")
    return np.asarray(notes["pitch"][order], np.int64)


def runs_of(pitches: npt.NDArray[np.int64], length: int = RUN_INTERVALS) -> frozenset[int]:
    """Return the runs of so many intervals of a melody; repeated pitches count once, so that note values do not."""
    steps = np.diff(np.asarray(pitches, np.int64))
    steps = steps[steps != 0]
    if len(steps) < length:
        return frozenset()
    windows = np.lib.stride_tricks.sliding_window_view(steps + 128, length)
    return frozenset((windows @ (256 ** np.arange(length))).tolist())
