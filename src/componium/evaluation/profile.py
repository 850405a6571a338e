"""Profile: what is usual in a set of pieces, small enough to ship, and how far a single piece is from that.

A profile holds quantiles of every measure, and the unit of its distances (`componium.evaluation.distance.scale_of`).
Those of the built-in corpora ``chorales`` and ``tunes`` come with the package (``tools/make_profiles.py`` makes them),
so that candidates can be ranked without a corpus.

The distance of a piece in one measure is the mean distance of its value x to the values of the reference, less that of
the reference's median, which is the smallest there is: 0 in the middle of the reference, and growing with x outside of
it; in units of the profile and at most 5, so that one odd figure does not decide alone. Of a fault only values above
those of the reference count. Several measures: the mean over those that the piece and the profile have.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.distance import finite, scale_of
from componium.evaluation.measuring import MODULES, Values, described, measure_set
from componium.evaluation.reference import Data, measured_reference
from componium.interface import Progress, silent
from componium.music.errors import BadInput
from componium.music.score import Score

QUANTILES = 41
LARGEST = 5.0
LEAST_SHARE = 0.1
"""A measure that is defined for fewer of the pieces says nothing of them and is left out."""
SHIPPED = ("chorales", "tunes")
FORMAT = 1
DIGITS = 6

Ranker = Callable[[Score], float]
"""Any other measure of a score, lower is better: a likelihood, an originality."""


@dataclasses.dataclass(frozen=True)
class Usual:
    """What is usual in one measure.

    Attributes:
        module: the module that measures it.
        unit: of the measure.
        fault: whether it counts faults.
        pieces: how many pieces have a value.
        quantiles: [41] of their values, from the smallest to the largest.
        scale: the unit of distances.
    """

    module: str
    unit: str
    fault: bool
    pieces: int
    quantiles: tuple[float, ...]
    scale: float

    def distance(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return [N] the distances of values [N]; NaN stays NaN."""
        x, usual = np.asarray(values, np.float64), np.array(self.quantiles)
        middle = float(np.median(usual))

        def away(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            difference = points[:, None] - usual
            apart = np.maximum(difference, 0.0) if self.fault else np.abs(difference)
            return np.asarray(apart.mean(axis=1))

        found = (away(x.reshape(-1)) - away(np.array([middle]))) / self.scale
        return np.asarray(np.clip(found, 0.0, LARGEST))


@dataclasses.dataclass(frozen=True)
class Profile:
    """What is usual in a set of pieces.

    Attributes:
        name: of the set.
        pieces: how many there are.
        measures: measure -> what is usual.
    """

    name: str
    pieces: int
    measures: dict[str, Usual]

    def to_json(self) -> dict[str, Any]:
        """Return the profile as JSON data."""
        return {"format": FORMAT, "name": self.name, "pieces": self.pieces,
                "measures": {name: dataclasses.asdict(usual) for name, usual in self.measures.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Profile:
        """Take back what `to_json` returned; raises `BadInput` for anything else."""
        try:
            if data["format"] != FORMAT:
                raise BadInput(f"the profile has the format {data['format']}, not {FORMAT}: make it anew")
            measures = {name: Usual(**{**usual, "quantiles": tuple(usual["quantiles"])})
                        for name, usual in data["measures"].items()}
            return cls(str(data["name"]), int(data["pieces"]), measures)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput("this is no profile of a set of pieces: make one with profile_of") from error


@functools.cache
def shipped(name: str) -> Profile:
    """Return the profile of a built-in corpus, ``"chorales"`` or ``"tunes"``."""
    if name not in SHIPPED:
        raise BadInput(f"there is no profile of {name!r}; those of {' and '.join(SHIPPED)} come with Componium")
    path = Path(__file__).parent / "data" / f"profile_{name}.json"
    return Profile.from_json(json.loads(path.read_text(encoding="utf-8")))


def profile_of(data: Data, *, modules: Sequence[str] = MODULES, progress: Progress = silent) -> Profile:
    """Measure a set of pieces and return what is usual in it.

    Args:
        data: a path, a built-in name, a corpus, items or scores.
        modules: which modules measure.
        progress: called with the fraction done.

    Raises:
        BadInput: there is no score in it.
        BadFile: it cannot be read.
    """
    reference = measured_reference(data, modules=modules, progress=progress)
    return from_values(reference.name, reference.values, reference.disordered)


def from_values(name: str, values: Values, disordered: Values | None = None) -> Profile:
    """Return the profile of measured pieces: measure -> [N] values, and those of the shuffled pieces."""
    told = {measure.name: (measure, module) for measure, module in described(MODULES)}
    usual = {}
    for key, column in values.items():
        clean = finite(column)
        if key in told and len(clean) and len(clean) >= LEAST_SHARE * len(column):
            measure, module = told[key]
            scale = scale_of(clean, (disordered or {}).get(key, ()))
            quantiles = np.quantile(clean, np.linspace(0.0, 1.0, QUANTILES))
            usual[key] = Usual(module, measure.unit, measure.fault, len(clean),
                               tuple(float(f"{value:.{DIGITS}g}") for value in quantiles),
                               float(f"{scale:.{DIGITS}g}"))
    count = max((len(column) for column in values.values()), default=0)
    if not usual:
        raise BadInput(f"{name}: no measure is defined for any of its {count} pieces, so nothing can be compared to it")
    return Profile(name, count, usual)


def names_of(measure: str, profile: Profile) -> list[str]:
    """Return the measures of a profile that are meant by a module's name, a measure's name, or ``"all"``.

    Raises:
        BadInput: nothing is called so, or the profile has none of it.
    """
    known = [*MODULES, "all", *(each.name for each, _ in described(MODULES))]
    if measure not in known:
        near = difflib.get_close_matches(measure, known, n=3, cutoff=0.5)
        raise BadInput(f"there is no measure {measure!r}; "
                       + (f"did you mean {' or '.join(near)}?" if near else f"use {', '.join((*MODULES, 'all'))}"))
    found = [name for name, usual in profile.measures.items() if measure in ("all", usual.module, name)]
    if not found:
        there = list(dict.fromkeys(usual.module for usual in profile.measures.values()))
        raise BadInput(f"pieces are compared with {profile.name} here, of which there is no {measure} (a single line "
                       f"has no harmony): rank by {', '.join((*there, 'all'))}, or give another reference, --on DATA")
    return found


def distances(values: Values, measure: str, profile: Profile) -> npt.NDArray[np.float64]:
    """Return [N] how far each of N measured pieces is from the profile; NaN where no measure is defined."""
    names = [name for name in names_of(measure, profile) if name in values]
    count = max((len(column) for column in values.values()), default=0)
    if not names:
        return np.full(count, np.nan)
    table = np.stack([profile.measures[name].distance(values[name]) for name in names])  # [measures, N]
    defined = np.isfinite(table)
    total = np.where(defined, table, 0.0).sum(axis=0)
    found = np.divide(total, defined.sum(axis=0), out=np.full(count, np.nan), where=defined.any(axis=0))
    return np.asarray(found)


def rank_scores(scores: Sequence[Score], measure: str | Ranker, profile: Profile | None = None) -> list[float]:
    """Return how far each score is from a profile, in the same order: lower is nearer, NaN where nothing is defined.

    Args:
        scores: the candidates.
        measure: a module (pitch, rhythm, harmony, structure), one measure, ``"all"``, or a function of a score, of
            which lower is better; a `BadInput` that it raises is NaN.
        profile: what they are to be like; not needed for a function.

    Raises:
        BadInput: nothing is called so, or the profile has none of it.
    """
    if callable(measure):
        return [_asked(measure, score) for score in scores]
    if profile is None:
        raise BadInput(f"ranking by {measure} needs a profile: shipped('chorales') or profile_of(DATA)")
    modules = sorted({profile.measures[name].module for name in names_of(measure, profile)})
    return [float(each) for each in distances(measure_set(list(scores), modules), measure, profile)]


def _asked(measure: Ranker, score: Score) -> float:
    try:
        return float(measure(score))
    except BadInput:
        return float("nan")
