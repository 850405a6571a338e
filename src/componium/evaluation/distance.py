"""Distance: how far the values of a measure in one set of pieces lie from those in another, and what that means.

Conventions.

- A set has one value a piece [N]; NaN (not defined for the piece) is left out, per measure. The order of the pieces
  changes nothing.
- The distance is Wasserstein-1 (the area between the two quantile functions), divided by the standard deviation of the
  reference, so that measures of different units can be read side by side: 1 is a shift of everything by one standard
  deviation. Where all values of the reference are the same, the standard deviation of the reference and its shuffled
  form together is the unit, and where that is zero too, one unit of the measure.
- Of a fault only what is more than in the reference counts: the area where the quantiles of the judged set lie above.
- The *floor* is what the reference itself comes to: draws of as many pieces as the judged set has (at most half of the
  reference), against the rest of it; the mean, and the interval that holds 90 % of the draws. A distance within the
  interval is no difference that this many pieces can show.
- The *ceiling* is what music without order comes to: draws of the same size of the shuffled reference (`shuffled`: each
  voice keeps its pitches and its note values, both in random order), against the reference.
- ``closeness`` is 1 at the floor, 0 at the ceiling, linear between; None where the ceiling is not above the interval of
  the floor: shuffling does not change such a measure (a histogram of pitches), so there is nothing to be close to.
- ``overlap`` is the overlapped area of MGEval (Yang and Lerch, Neural Computing and Applications 32, 2020): of two
  densities, that of the differences between pieces of the reference and that of the differences between pieces of the
  reference and judged ones. Both are estimated (Gaussian kernels, Scott's rule) on one grid; the program that came with
  the paper takes an own grid for each. 1 is the same; None for fewer than two pieces of the reference.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.music.score import Score, note_arrays, set_notes

Floats = npt.NDArray[np.float64]

DRAWS = 200
GRID_POINTS = 1000
MOST_PAIRS = 1_000_000
NARROWEST_KERNEL = 1e-3
"""Standard deviation of a kernel at least, as a share of the grid: where all differences are equal."""


@dataclasses.dataclass(frozen=True)
class Distance:
    """One measure of one set beside a reference.

    Attributes:
        measure: what was measured.
        value, reference: medians of the two sets; None where no piece has a value.
        pieces, reference_pieces: how many have one.
        distance: in standard deviations of the reference; None where one of the sets has no value.
        floor, floor_low, floor_high: the reference against itself: mean and 90 % interval; None below two pieces.
        ceiling: the shuffled reference against the reference; None where that is not known.
        closeness: 0 (as the ceiling) to 1 (as the floor).
        overlap: overlapped area, 0 to 1.
    """

    measure: Measure
    value: float | None
    reference: float | None
    pieces: int
    reference_pieces: int
    distance: float | None = None
    floor: float | None = None
    floor_low: float | None = None
    floor_high: float | None = None
    ceiling: float | None = None
    closeness: float | None = None
    overlap: float | None = None

    def differs(self) -> bool:
        """Tell whether the distance is larger than what the reference itself comes to in 95 of 100 draws."""
        return self.distance is not None and self.floor_high is not None and self.distance > self.floor_high

    def to_json(self) -> dict[str, object]:
        """Return everything under plain names."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "measure"}
        return {"unit": self.measure.unit, "help": self.measure.help, "fault": self.measure.fault, **told}


def shuffled(score: Score, rng: np.random.Generator) -> Score:
    """Return the score with the order taken out of it: the material of the ceiling.

    In each track the pitches are permuted among the notes, and so are the note values: pairs of (length, time to the
    next start). A line stays a line; its range, its histograms of pitch and length, its start and its end stay. Tempi,
    meters, keys and markers stay too.
    """
    changed = score.copy()
    for track in changed.tracks:
        if len(track.notes) < 2:
            continue
        arrays = note_arrays(track)
        order = np.lexsort((arrays["pitch"], arrays["time"]))
        starts, durations = arrays["time"][order].astype(np.float64), arrays["duration"][order].astype(np.float64)
        gaps = np.append(np.diff(starts), durations[-1])
        values, places = rng.permutation(len(order)), rng.permutation(len(order))
        arrays["time"] = starts[0] + np.concatenate([[0.0], np.cumsum(gaps[values])[:-1]])
        arrays["duration"] = durations[values]
        arrays["pitch"], arrays["velocity"] = arrays["pitch"][order][places], arrays["velocity"][order][places]
        set_notes(track, arrays)
    return changed


def finite(values: npt.ArrayLike) -> Floats:
    """Return the values that are numbers, sorted."""
    array = np.asarray(values, np.float64).reshape(-1)
    return np.sort(array[np.isfinite(array)])


def scale_of(reference: npt.ArrayLike, disordered: npt.ArrayLike = ()) -> float:
    """Return the unit of a distance: standard deviation of the reference, or what stands for it where that is 0."""
    clean = finite(reference)
    for values in (clean, np.concatenate([clean, finite(disordered)])):
        spread = float(values.std()) if len(values) else 0.0
        if spread > 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0))):
            return spread
    return 1.0


def wasserstein(first: npt.ArrayLike, second: npt.ArrayLike, *, excess: bool = False) -> Floats:
    """Return the Wasserstein-1 distance between samples, in the unit of the values.

    Args:
        first: [..., N] SORTED along the last axis.
        second: [..., M] SORTED along the last axis; leading axes are broadcast.
        excess: whether only that part counts in which ``first`` is larger.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n, m = a.shape[-1], b.shape[-1]
    edges = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)  # whole numbers: shares times n times m
    middle = edges[:-1]
    difference = a[..., middle // m] - b[..., middle // n]
    difference = np.maximum(difference, 0.0) if excess else np.abs(difference)
    return np.asarray(difference @ (np.diff(edges) / (n * m)))


def self_distances(reference: Floats, size: int, rng: np.random.Generator, *, excess: bool = False,
                   draws: int = DRAWS) -> Floats:
    """Return [draws] distances of ``size`` random values of a set (at most half of it) to the rest of it."""
    order = np.argsort(rng.random((draws, len(reference))), axis=1)
    size = min(size, len(reference) // 2)
    return wasserstein(np.sort(reference[order[:, :size]], axis=1), np.sort(reference[order[:, size:]], axis=1),
                       excess=excess)


def distance(measure: Measure, judged: npt.ArrayLike, reference: npt.ArrayLike, disordered: npt.ArrayLike = (), *,
             seed: int = 0, draws: int = DRAWS) -> Distance:
    """Compare the values of a measure in two sets.

    Args:
        measure: what was measured; of a fault only the excess counts.
        judged: [N] values, NaN where there is none.
        reference: [M] values.
        disordered: [K] values of the shuffled reference.
        seed: of the draws.
        draws: how many.
    """
    mine, theirs, mixed = finite(judged), finite(reference), finite(disordered)
    told = Distance(measure, _median(mine), _median(theirs), len(mine), len(theirs))
    if not len(mine) or not len(theirs):
        return told
    scale, rng = scale_of(theirs, mixed), np.random.default_rng(seed)
    found = float(wasserstein(mine, theirs, excess=measure.fault)) / scale
    told = dataclasses.replace(told, distance=found, overlap=overlapped_area(mine, theirs))
    if len(theirs) < 2:
        return told
    floors = self_distances(theirs, len(mine), rng, excess=measure.fault, draws=draws) / scale
    low, high = np.quantile(floors, [0.05, 0.95])
    told = dataclasses.replace(told, floor=float(floors.mean()), floor_low=float(low), floor_high=float(high))
    if not len(mixed):
        return told
    drawn = np.sort(mixed[np.argsort(rng.random((draws, len(mixed))), axis=1)[:, :len(mine)]], axis=1)
    ceiling = float(wasserstein(drawn, theirs, excess=measure.fault).mean()) / scale
    near = closeness(found, float(floors.mean()), ceiling) if ceiling > high else None
    return dataclasses.replace(told, ceiling=ceiling, closeness=near)


def closeness(found: float, floor: float, ceiling: float) -> float | None:
    """Return 1 at the floor or below, 0 at the ceiling or above; None where the floor is not below the ceiling."""
    if not floor < ceiling:
        return None
    return min(1.0, max(0.0, (ceiling - found) / (ceiling - floor)))


def mean_closeness(distances: Sequence[Distance]) -> float | None:
    """Return the mean closeness of those measures that have one; None where none has."""
    found = [each.closeness for each in distances if each.closeness is not None]
    return math.fsum(found) / len(found) if found else None


def overlapped_area(judged: Floats, reference: Floats) -> float | None:
    """Return the overlapped area of the differences within the reference and those between the sets, 0 to 1."""
    if len(reference) < 2 or not len(judged):
        return None
    within = np.abs(reference[:, None] - reference)[np.triu_indices(len(reference), 1)]
    between = np.abs(_thinned(judged, len(reference))[:, None] - reference).reshape(-1)
    top = max(float(within.max()), float(between.max()))
    if top <= 0.0:
        return 1.0
    widths = [max(float(each.std()) * len(each) ** -0.2, NARROWEST_KERNEL * top) for each in (within, between)]
    margin = 4.0 * max(widths)
    edges = np.linspace(-margin, top + margin, GRID_POINTS + 1)
    densities = [_density(each, width, edges) for each, width in zip((within, between), widths, strict=True)]
    return float(np.minimum(*densities).sum())


def _thinned(values: Floats, others: int) -> Floats:
    """Return a set, or evenly taken quantiles of it where there would be too many pairs."""
    most = max(1, MOST_PAIRS // others)
    return values if len(values) <= most else values[np.linspace(0, len(values) - 1, most).astype(np.int64)]


def _density(values: Floats, width: float, edges: Floats) -> Floats:
    """Return the share of each cell of a grid, Gaussian kernels of a width laid over a histogram."""
    tally = np.histogram(values, edges)[0] / len(values)
    step = float(edges[1] - edges[0])
    reach = min(GRID_POINTS, math.ceil(4.0 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    laid = np.convolve(tally, kernel / kernel.sum())
    return np.asarray(laid[reach:reach + len(tally)])


def _median(values: Floats) -> float | None:
    return float(np.median(values)) if len(values) else None
