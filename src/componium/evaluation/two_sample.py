"""Two-sample test: how often a classifier tells which of two sets of pieces an unseen excerpt is from.

An automatic stand-in for a listening test (D. Lopez-Paz, M. Oquab: Revisiting classifier two-sample tests, ICLR 2017).
50 % is what guessing comes to: the classifier finds no difference; 100 % is two sets that nobody would confuse. It
knows what the measures of `componium.evaluation` and the counts of `componium.evaluation.counts` tell, and nothing
else, so that 50 % is no proof that a listener hears no difference.

Conventions.

- Excerpts have one length and begin with the piece; longer pieces are cut, shorter ones left out. Only notes and bars
  count (bars where all pieces state them): tempi, loudness, names, key signatures and marks are taken away.
- The unit is the piece: the larger set is thinned at random to the size of the smaller one, each piece is told once,
  by a classifier that has seen neither it nor pieces of the same melody (ten-fold cross-validation; a melody that more
  than a tenth of the pieces share, as of a given prompt, is no such tie). Doubles within a set count once.
- The classifier is logistic regression with a Gaussian prior on the weights of standardised values, so wide that the
  log odds have a standard deviation of 3. Standardising looks at both sets together and at no label.
- The interval of the accuracy is exact for independent answers. Those of a cross-validation are nearly so: the same
  procedure with shuffled labels stands beside it (``null``), and ``p_value`` counts how often it comes as far.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.binomial import interval
from componium.evaluation.counts import counts
from componium.evaluation.measuring import MODULES, measure_set
from componium.evaluation.musical import without_ties
from componium.interface import Progress, silent
from componium.music.errors import BadInput
from componium.music.grid import TIES_UNKNOWN
from componium.music.item import hash_of_score
from componium.music.provenance import fingerprints_of
from componium.music.score import Score, Track, copy_score, length_beats, new_score, note_arrays, note_ends, set_notes
from componium.music.splits import families

FEWEST = 5
"""Pieces that each set needs."""
FOLDS = 10
SHUFFLES = 100
LONGEST_BEATS, SHORTEST_BEATS = 64.0, 8.0
SHORTER_SHARE = 0.2
"""Of each set at most this share may be shorter than the excerpts, where their length is not given."""
LOG_ODDS_SPREAD = 3.0
MOST_DEVIATIONS = 5.0
"""Standardised values are clipped here."""
TELLS = 8
NOT_COMPOSED = {"notes_per_second"}
"""Measures of what a player adds."""

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class TwoSample:
    """How well two sets of pieces were told apart.

    Attributes:
        accuracy, low, high: share of pieces that were told right, and its exact 95 % interval.
        correct: how many pieces were told right.
        pieces: how many of each set were told.
        left_out: how many were left out as too short, without notes, doubled, or too many.
        beats: length of the excerpts in quarter notes.
        ranking: how often a piece of the first set is found more like it than one of the second (area under the curve).
        null_mean, null_low, null_high: accuracy with shuffled labels: mean, and what 95 % of the shuffles lie between.
        p_value: how often shuffled labels come as far, the found one counted in.
        shuffles: how often labels were shuffled; 0: the null is not known.
        features: how many values the classifier sees of a piece.
        tells: (value in words, weight) of the values that count most; above 0: the first set has more of it.
    """

    accuracy: float
    low: float
    high: float
    correct: int
    pieces: int
    left_out: int
    beats: float
    ranking: float
    null_mean: float | None
    null_low: float | None
    null_high: float | None
    p_value: float | None
    shuffles: int
    features: int
    tells: tuple[tuple[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything under plain names."""
        return dataclasses.asdict(self)

    def sentence(self) -> str:
        """Return the result in words."""
        told = (f"{self.correct} of {2 * self.pieces} excerpts of {self.beats:g} beats told right: "
                f"{self.accuracy:.0%} (95 % interval {self.low:.0%} to {self.high:.0%}; guessing 50 %")
        if self.null_low is not None:
            told += f", shuffled labels {self.null_low:.0%} to {self.null_high:.0%}"
        return told + ")"


def two_sample(first: Sequence[Score], second: Sequence[Score], *, seed: int = 0, beats: float | None = None,
               shuffles: int = SHUFFLES, modules: Sequence[str] = MODULES, progress: Progress = silent) -> TwoSample:
    """Tell two sets of pieces apart with a classifier, cross-validated.

    Args:
        first, second: the pieces.
        seed: of thinning, folds and shuffles.
        beats: length of the excerpts in quarter notes; by default as long as four fifths of each set allow, 8 to 64.
        shuffles: how often the procedure is repeated with shuffled labels; 0 leaves the null out.
        modules: whose measures the classifier sees, beside the counts.
        progress: called with the fraction done; raising an error in it stops the work.

    Raises `BadInput` where fewer than 5 pieces of a set are left.
    """
    if shuffles < 0:
        raise BadInput(f"shuffles={shuffles}: give 0 or more")
    rng = np.random.default_rng(seed)
    length = _length(first, second) if beats is None else beats
    if not length > 0:
        raise BadInput(f"beats={length}: give the length of the excerpts in quarter notes, such as 32")
    sets = [_excerpts(scores, length) for scores in _on_equal_terms(first, second)]
    size = min(map(len, sets))
    if size < FEWEST:
        raise BadInput(f"{len(sets[0])} and {len(sets[1])} different pieces of {length:g} beats or more: two sets are "
                       f"told apart from {FEWEST} pieces each; give more, or shorter excerpts (beats={length / 2:g})")
    chosen = [each[place] for each in sets for place in np.sort(rng.permutation(len(each))[:size])]
    names, values = _features(chosen, modules, _first_part(progress, 0.7))
    labels = np.repeat([1.0, -1.0], size)
    related = _families(chosen)
    odds = _cross_validated(values, labels, related, rng)
    null = []
    for number in range(shuffles):
        mixed = rng.permutation(labels)
        null.append(float(np.mean((_cross_validated(values, mixed, related, rng) > 0) == (mixed > 0))))
        progress(0.7 + 0.3 * (number + 1) / shuffles, f"shuffled labels: {number + 1} of {shuffles}")
    correct = int(np.sum((odds > 0) == (labels > 0)))
    low, high = interval(correct, 2 * size)
    return TwoSample(
        correct / (2 * size), low, high, correct, size, len(first) + len(second) - 2 * size, float(length),
        _ranking(odds[:size], odds[size:]), *_null(null, correct / (2 * size)), shuffles, values.shape[1],
        _tells(names, values, labels))


def _length(first: Sequence[Score], second: Sequence[Score]) -> float:
    """Return the length of the excerpts: what most pieces of both sets have, in whole beats."""
    usual = [float(np.quantile([length_beats(score) for score in scores], SHORTER_SHARE)) for scores in (first, second)
             if len(scores)]
    return float(np.clip(np.floor(min(usual, default=SHORTEST_BEATS)), SHORTEST_BEATS, LONGEST_BEATS))


def _on_equal_terms(first: Sequence[Score], second: Sequence[Score]) -> list[list[Score]]:
    """Return both sets with no more than both know: neither ties nor bars where one of them lacks these."""
    sets, both = [list(first), list(second)], [*first, *second]
    if any(event.text == TIES_UNKNOWN for score in both for event in score.markers):
        sets = [[without_ties(score) for score in scores] for scores in sets]
    if not all(len(score.time_signatures) for score in both):
        sets = [[copy_score(score) for score in scores] for scores in sets]
        for score in (score for scores in sets for score in scores):
            score.time_signatures.clear()
    return sets


def _excerpts(scores: Sequence[Score], beats: float) -> list[Score]:
    """Return the beginnings of those pieces that are long enough, each once."""
    found: dict[str, Score] = {}
    for score in scores:
        if score.note_num() and length_beats(score) >= beats - 1e-6:
            cut = excerpt(score, beats)
            if cut.note_num():
                found.setdefault(hash_of_score(cut), cut)
    return list(found.values())


def excerpt(score: Score, beats: float) -> Score:
    """Return the first beats of a score: its notes, cut where they go on, and its meters, at 100 bpm; nothing else."""
    cut = new_score(tempo_bpm=100.0)
    cut.time_signatures.clear()
    for event in score.time_signatures:
        if event.time < beats:
            cut.time_signatures.append(event)
    for track in score.tracks:
        notes, ends = note_arrays(track), note_ends(track)
        kept = notes["time"] < beats
        if not np.any(kept):
            continue
        line = Track("", 0, track.is_drum)
        set_notes(line, {"time": notes["time"][kept],
                         "duration": (np.minimum(ends, beats) - notes["time"])[kept], "pitch": notes["pitch"][kept],
                         "velocity": np.full(int(kept.sum()), 80)})
        cut.tracks.append(line)
    return cut


def _features(scores: Sequence[Score], modules: Sequence[str],
              progress: Progress) -> tuple[list[str], Floats]:
    """Return the names and the standardised values [N, D]; where a value is not defined it is the mean, and told."""
    measured = measure_set(scores, modules, progress=progress)
    counted = [counts(score) for score in scores]
    columns = {name.replace("_", " "): values for name, values in measured.items() if name not in NOT_COMPOSED}
    columns |= {name: np.array([row[name] for row in counted]) for name in counted[0]}
    names, found = [], []
    for name, values in columns.items():
        known = np.isfinite(values)
        spread = float(values[known].std()) if np.any(known) else 0.0
        if spread > 1e-9:
            scaled = np.where(known, (values - values[known].mean()) / spread, 0.0)
            names.append(name)
            found.append(np.clip(scaled, -MOST_DEVIATIONS, MOST_DEVIATIONS))
        if np.any(known) and not np.all(known):
            names.append(f"no {name}")
            found.append((~known - (~known).mean()) / (~known).std())
    if not found:
        return [], np.zeros((len(scores), 1))
    return names, np.stack(found, axis=1)


def _families(scores: Sequence[Score]) -> list[list[int]]:
    """Return the pieces by melody, as places; a family that a fold cannot hold is none."""
    most = max(1, len(scores) // FOLDS)
    found = families([fingerprints_of(score) for score in scores])
    return [part for family in found for part in ([family] if len(family) <= most else [[place] for place in family])]


def _cross_validated(values: Floats, labels: Floats, related: Sequence[Sequence[int]],
                     rng: np.random.Generator) -> Floats:
    """Return the log odds [N] of the first set, each piece judged by a classifier that has not seen its family."""
    folds = _folds(labels, related, rng)
    turned = _turned(values)
    odds = np.empty(len(labels))
    for fold in np.unique(folds):
        left, seen = folds == fold, folds != fold
        odds[left] = turned[left] @ logistic(turned[seen], labels[seen], values.shape[1] / LOG_ODDS_SPREAD**2)
    return odds


def _folds(labels: Floats, related: Sequence[Sequence[int]], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the fold of each piece [N]: families together, as many of both sets in each fold as can be."""
    folds = np.zeros(len(labels), dtype=np.int64)
    filled = np.zeros((min(FOLDS, int(np.sum(labels > 0))), 2), dtype=np.int64)
    order = sorted(rng.permutation(len(related)).tolist(), key=lambda place: -len(related[place]))
    for family in (list(related[place]) for place in order):
        added = np.array([np.sum(labels[family] > 0), np.sum(labels[family] < 0)])
        full = np.sum((filled + added) ** 2, axis=1)
        fold = int(rng.choice(np.flatnonzero(full == full.min())))
        filled[fold] += added
        folds[family] = fold
    return folds


def _turned(values: Floats) -> Floats:
    """Return the same pieces in as few coordinates as there are pieces; products and penalty stay the same."""
    if values.shape[1] <= values.shape[0]:
        return values
    left, scale, _ = np.linalg.svd(values, full_matrices=False)
    return np.asarray(left * scale)


def logistic(values: Floats, labels: Floats, penalty: float, *, steps: int = 50) -> Floats:
    """Return the weights [D] of logistic regression without intercept, by Newton's method.

    Args:
        values: [N, D].
        labels: [N], 1 or -1.
        penalty: of half the sum of the squared weights; above 0.
        steps: the most that are taken.
    """
    weights = np.zeros(values.shape[1])
    for _ in range(steps):
        chance = 1.0 / (1.0 + np.exp(np.clip(labels * (values @ weights), -500.0, 500.0)))  # of being wrong
        gradient = penalty * weights - values.T @ (labels * chance)
        curve = (values * (chance * (1.0 - chance))[:, None]).T @ values
        curve[np.diag_indices_from(curve)] += penalty
        step = np.linalg.solve(curve, gradient)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return np.asarray(weights)


def _ranking(first: Floats, second: Floats) -> float:
    """Return how often a value of the first set is above one of the second; equal ones count half."""
    above = np.sign(first[:, None] - second)
    return float((above.mean() + 1.0) / 2.0)


def _null(null: Sequence[float], found: float) -> tuple[float | None, float | None, float | None, float | None]:
    if not null:
        return None, None, None, None
    low, high = np.quantile(null, [0.025, 0.975])
    far = 1 + sum(value >= found - 1e-12 for value in null)
    return float(np.mean(null)), float(low), float(high), far / (1 + len(null))


def _tells(names: Sequence[str], values: Floats, labels: Floats) -> tuple[tuple[str, float], ...]:
    """Return the values that count most in a classifier of all pieces."""
    if not names:
        return ()
    weights = logistic(values, labels, values.shape[1] / LOG_ODDS_SPREAD**2)
    return tuple((names[place], float(weights[place])) for place in np.argsort(-np.abs(weights))[:TELLS])


def _first_part(progress: Progress, share: float) -> Progress:
    def part(done: float, message: str = "") -> None:
        progress(share * done, message)

    return part
