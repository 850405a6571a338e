"""The music that benchmarks work on: real chorales where there are any, else invented ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from componium.music.corpus import Corpus, Item, open_corpus
from componium.music.errors import ComponiumError
from componium.music.grid import Grid, from_grid
from componium.music.item import hash_of_score

DATA_VARIABLE = "COMPONIUM_BENCH_DATA"
INVENTED_PIECES = 100
INVENTED_BARS = 12


def chorales() -> tuple[Corpus, str]:
    """Return four-voice chorales and what they are.

    The benchmark data where `DATA_VARIABLE` names its folder, else the built-in chorales, else invented ones.
    """
    folder = os.environ.get(DATA_VARIABLE)
    if folder and (Path(folder) / "jsb16" / "train.json").is_file():
        return open_corpus(Path(folder) / "jsb16" / "train.json"), "the train part of JSB-16"
    try:
        return open_corpus("chorales"), "the built-in chorales"
    except ComponiumError:
        return invented(INVENTED_PIECES), f"{INVENTED_PIECES} invented chorales"


def invented(count: int, *, bars: int = INVENTED_BARS) -> Corpus:
    """Return pieces in four voices that wander on the C major scale, as long as chorales."""
    items = []
    for number in range(count):
        grid = invented_grid(number, bars=bars)
        score = from_grid(grid)
        items.append(Item(name=f"invented {number}", kind="score", content=score, source="invented",
                          licence="CC0", hash=hash_of_score(score), grid=grid))
    return Corpus(items, name="invented")


def invented_grid(seed: int, *, bars: int = INVENTED_BARS) -> Grid:
    """Return four voices in quarter notes on a 16th grid, a random walk on the scale for each."""
    rng = np.random.default_rng(seed)
    scale = np.array([p for p in range(36, 82) if p % 12 in (0, 2, 4, 5, 7, 9, 11)])
    walk = np.cumsum(rng.integers(-1, 2, size=(bars * 4, 4)), axis=0)  # [beats, 4]
    centres = np.searchsorted(scale, [72, 65, 59, 48])
    reach = np.clip(walk, -4, 4)
    return Grid.from_pitches(np.repeat(scale[np.clip(centres + reach, 0, len(scale) - 1)], 4, axis=0))
