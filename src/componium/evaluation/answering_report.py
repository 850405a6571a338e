"""What answering came to: every measure of the replies beside three references, as tables and as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from componium.evaluation.bootstrap import interval
from componium.music.corpus import Skipped
from componium.music.score import Score

ROWS = ("reply", "continuation", "unrelated", "copy")
"""What stands beside the call: the model's reply, and the references."""
MEASURES: dict[str, tuple[str, int]] = {
    "in_key": ("notes in the call's key (share)", 3),
    "same_key": ("same key found (share)", 3),
    "meter_correlation": ("metric profile, correlation with the call's", 3),
    "on_beat": ("onsets on a beat (share)", 3),
    "contour": ("contour similarity (0 to 1)", 3),
    "rhythm": ("rhythm similarity (0 to 1)", 3),
    "closure": ("closure (mean of the next three)", 3),
    "ends_stable": ("  ends on the tonic triad (share)", 3),
    "ends_on_beat": ("  ends on a beat (share)", 3),
    "ends_long": ("  ends with a long note (share)", 3),
    "longest_run": ("longest run of one pitch (notes)", 2),
    "stuck": ("one pitch alone, or no note (share)", 3),
    "copied": ("longest run copied from the call (notes)", 2),
    "length": ("length (in calls)", 2),
}
"""Measure -> what it is called, and decimals."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean over pieces.

    Attributes:
        mean, median: of those that have the figure; None for none.
        low, high: bounds of the 95 % interval of the mean (`componium.evaluation.bootstrap`).
        count: how many have it.
    """

    mean: float | None
    median: float | None
    low: float | None
    high: float | None
    count: int

    @classmethod
    def of(cls, values: npt.NDArray[np.float64]) -> Estimate:
        """Return the mean of values, NaN left out."""
        kept = values[np.isfinite(values)]
        if not len(kept):
            return cls(None, None, None, None, 0)
        low, high = interval(len(kept), lambda places: kept[places].mean(axis=1))
        return cls(float(kept.mean()), float(np.median(kept)), low, high, len(kept))

    def shown(self, digits: int, *, interval: bool = True) -> str:
        """Say it in a cell of a table."""
        if self.mean is None:
            return "-"
        around = f" ({self.low:.{digits}f} to {self.high:.{digits}f})" if interval and self.count > 1 else ""
        return f"{self.mean:.{digits}f}{around}"


@dataclasses.dataclass(frozen=True)
class Band:
    """Where a reply is neither a stranger nor an echo.

    Attributes:
        low, high: its ends.
        shares: row -> share of the phrases below, in and above it.
    """

    low: float
    high: float
    shares: dict[str, tuple[float, float, float]]


@dataclasses.dataclass(frozen=True)
class AnsweringReport:
    """All that `answering` found.

    Attributes:
        model, data, pieces, bars, seed, arguments: who answered what, and how.
        table: measure -> row -> its mean.
        bands: similarity -> its band.
        in_both: row -> share that lies in the bands of contour and rhythm both.
        replies, varied: how many replies to how many calls the variety is of.
        variety: ``distance`` and ``distinct`` of replies to one call; ``distance_unrelated``, of continuations of
            different pieces, for comparison.
        seen: a sentence on what the model has seen of the data.
        skipped: what could not be used, and why.
        names, calls, answers: of each piece, to write and to hear.
    """

    model: str
    data: str
    pieces: int
    bars: int
    seed: int
    arguments: dict[str, Any]
    table: dict[str, dict[str, Estimate]]
    bands: dict[str, Band]
    in_both: dict[str, float]
    replies: int
    varied: int
    variety: dict[str, Estimate]
    seen: str
    skipped: tuple[Skipped, ...]
    names: list[str]
    calls: list[Score]
    answers: list[Score]

    COLUMNS: ClassVar[tuple[str, ...]] = ("", "reply (95 % interval)", "continuation", "unrelated", "copy")
    BAND_COLUMNS: ClassVar[tuple[str, ...]] = ("share in the band", *ROWS)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of the measures, with `COLUMNS`."""
        return [(told, *(self.table[name][row].shown(digits, interval=row == "reply") for row in ROWS))
                for name, (told, digits) in MEASURES.items()]

    def band_rows(self) -> list[tuple[str, ...]]:
        """Return the table of the bands, with `BAND_COLUMNS`."""
        found = [(f"{name}: {band.low:.3f} to {band.high:.3f}", *(f"{band.shares[row][1]:.2f}" for row in ROWS))
                 for name, band in self.bands.items()]
        return [*found, ("both", *(f"{self.in_both[row]:.2f}" for row in ROWS))]

    def notes(self) -> list[str]:
        """Return the sentences to show below the tables."""
        above = ", ".join(f"{name} {band.shares['reply'][2]:.2f}" for name, band in self.bands.items())
        below = ", ".join(f"{name} {band.shares['reply'][0]:.2f}" for name, band in self.bands.items())
        told = [
            "The band reaches from the median of the unrelated phrases (no more of the call than a stranger has) to "
            "the 95th percentile of the continuations that do not repeat the call (nearer to it than nearly all "
            f"composers keep). Share of the replies below it: {below}; above it: {above}.",
            f"Variety, {self.replies} replies to each of {self.varied} calls: mean distance of two replies "
            f"{self.variety['distance'].shown(3)}, different ones {self.variety['distinct'].shown(3)}; the distance of "
            f"unrelated phrases is {self.variety['distance_unrelated'].shown(3, interval=False)}."]
        stuck = self.table["stuck"]["reply"].mean
        if stuck is not None and stuck >= 0.1:
            told.append(f"WARNING: {100 * stuck:.0f} % of the replies are one pitch for ever, or empty")
        return [*told, self.seen]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the music as JSON data."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)
                if field.name not in ("names", "calls", "answers")}
        return {"protocol": "answering"} | told | {
            "arguments": {name: str(value) for name, value in self.arguments.items()},
            "table": {name: {row: dataclasses.asdict(each) for row, each in rows.items()}
                      for name, rows in self.table.items()},
            "bands": {name: dataclasses.asdict(band) for name, band in self.bands.items()},
            "variety": {name: dataclasses.asdict(each) for name, each in self.variety.items()},
            "skipped": [dataclasses.asdict(each) for each in self.skipped]}
