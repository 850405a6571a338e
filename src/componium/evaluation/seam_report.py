"""What the joins of composed passages came to: likelihood and intervals by place, as tables and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from componium.music.corpus import Skipped

PLACES: dict[str, str] = {
    "join": "at the joins",
    "join_original": "at the same places of the originals",
    "join_other": "at the joins, in the context of other pieces",
    "join_original_other": "the same of the originals",
    "bar_line_kept": "at other bar lines, outside",
    "bar_line_new": "at other bar lines, composed",
    "inside_kept": "inside bars, outside",
    "inside_new": "inside bars, composed",
}
"""Place -> what it is called, in the order of the table."""


@dataclasses.dataclass(frozen=True)
class Place:
    """All tokens and melodic intervals of one kind of place, over all pieces.

    Attributes:
        nats_per_onset: nats of all its tokens divided by its onsets; None without onsets or without a judge.
        onsets: how many.
        interval_semitones: mean size of the melodic intervals, repeated notes included; None for none.
        wide_share: the share of them that are wider than a third (four semitones); None for none.
        intervals: how many.
    """

    nats_per_onset: float | None
    onsets: int
    interval_semitones: float | None
    wide_share: float | None
    intervals: int


@dataclasses.dataclass(frozen=True)
class Paired:
    """Nats in the quarter note after a join in a piece's own context less those in the context of another piece.

    Attributes:
        difference: mean over pieces; negative: the own context is likelier.
        standard_error: of it; None for one piece.
        own_likelier: the share of the pieces whose own context is likelier.
        pieces: how many.
    """

    difference: float
    standard_error: float | None
    own_likelier: float
    pieces: int

    @classmethod
    def of(cls, differences: Sequence[float]) -> Paired | None:
        """Return the mean of differences; None for none."""
        values = np.asarray(differences, np.float64)
        if not len(values):
            return None
        spread = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        return cls(float(values.mean()), spread, float((values < 0).mean()), len(values))

    def sentence(self, what: str) -> str:
        """Say it in one line."""
        around = "" if self.standard_error is None else f" ± {self.standard_error:.3f}"
        return (f"{what}: own context less another's {self.difference:+.3f}{around} nats in the quarter note after a "
                f"join; the own one is likelier in {100 * self.own_likelier:.0f} % of {self.pieces} pieces")


@dataclasses.dataclass(frozen=True)
class Seam:
    """The joins of one ability.

    Attributes:
        ability: ``"infill"`` or ``"continue_"``.
        pieces: how many passages were composed.
        places: place -> what it came to.
        composed, original: own context against another's, of the composed passages and of the originals; None where
            nothing judges, or no other piece fits.
    """

    ability: str
    pieces: int
    places: dict[str, Place]
    composed: Paired | None
    original: Paired | None

    COLUMNS: ClassVar[tuple[str, ...]] = ("", "nats per onset", "onsets", "interval (semitones)",
                                          "wider than a third %", "intervals")

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table, with `COLUMNS`."""
        return [(PLACES[name], _shown(place.nats_per_onset, 3), str(place.onsets or "-"),
                 _shown(place.interval_semitones, 2), _shown(place.wide_share, 1, 100.0), str(place.intervals or "-"))
                for name, place in self.places.items()]

    def notes(self) -> list[str]:
        """Return the sentences to show below the table."""
        return [paired.sentence(what) for paired, what in
                ((self.composed, "composed passages"), (self.original, "original passages")) if paired is not None]


@dataclasses.dataclass(frozen=True)
class SeamReport:
    """All that `seam` found.

    Attributes:
        model, judge: who composed, and who told how likely the result is ("" = nobody could).
        data, bars, where, seed, arguments: on what, how.
        seams: ability -> its joins.
        seen: a sentence on what the model has seen of the data.
        skipped: what could not be used, and why.
    """

    model: str
    judge: str
    data: str
    bars: int
    where: str
    seed: int
    arguments: dict[str, Any]
    seams: dict[str, Seam]
    seen: str
    skipped: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"protocol": "seam"} | told | {
            "arguments": {name: str(value) for name, value in self.arguments.items()},
            "seams": {name: dataclasses.asdict(each) for name, each in self.seams.items()},
            "skipped": [dataclasses.asdict(each) for each in self.skipped]}


def _shown(value: float | None, digits: int, times: float = 1.0) -> str:
    return "-" if value is None else f"{times * value:.{digits}f}"
