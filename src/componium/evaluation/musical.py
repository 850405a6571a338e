"""Musical judgement: all measures of a set of pieces, each as a distance to a reference with its floor and ceiling.

What the distances mean is said in `componium.evaluation.distance`; what the measures mean, in the modules `pitch`,
`rhythm`, `harmony`, `structure` and `originality`. The last is measured where the training set is given; what the
reference shares with the same training set stands beside it.

A judgement by music that was learned from says little: a model that copies is closest. Pieces of the reference that the
model has learned from, and judged pieces that stand in the reference, are therefore counted and told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from componium.evaluation import originality
from componium.evaluation.distance import DRAWS, Distance, distance, mean_closeness
from componium.evaluation.measure import Measure
from componium.evaluation.measuring import MODULES, Values, described, measure_set
from componium.evaluation.reference import (
    SHUFFLE_SEED,
    Data,
    Reference,
    content_digest,
    disordered_form,
    measured_reference,
    open_scores,
)
from componium.interface import Progress, silent
from componium.music.corpus import Skipped
from componium.music.errors import BadInput
from componium.music.grid import Grid, from_grid, to_grid
from componium.music.item import Item, hash_of_score
from componium.music.provenance import Learned, Shared, shared_with_evaluation
from componium.music.score import Score

REFERENCE_SHARE = 0.6
"""Of the progress bar."""
ORIGINALITY = "originality"


@dataclasses.dataclass(frozen=True)
class MusicReport:
    """How a set of pieces compares with a reference.

    Attributes:
        name: of the judged set.
        data: name of the reference.
        pieces, reference_pieces: how many there are.
        distances: module -> its measures.
        values: measure -> [N] values of the judged pieces.
        learned: what the reference shares with what the model learned from; None where that is not known.
        copied: judged pieces (or siblings of them) that stand in the reference.
        seed: of the draws.
        ties_unknown: whether the reference does not tell held from repeated notes.
        skipped: what was left out of the judged set and of the reference.
    """

    name: str
    data: str
    pieces: int
    reference_pieces: int
    distances: dict[str, tuple[Distance, ...]]
    values: Values
    learned: Shared | None
    copied: Shared
    seed: int
    ties_unknown: bool = False
    skipped: tuple[Skipped, ...] = ()

    def all_distances(self) -> list[tuple[str, Distance]]:
        """Return (module, distance), in the order of the modules."""
        return [(module, each) for module, those in self.distances.items() for each in those]

    def closeness(self) -> dict[str, float | None]:
        """Return module -> mean closeness of its measures; None where none has one."""
        return {module: mean_closeness(those) for module, those in self.distances.items()}

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data; NaN does not occur, what is not defined is null."""
        return {
            "pieces": self.pieces, "reference": self.data, "reference_pieces": self.reference_pieces,
            "distance_unit": "Wasserstein-1 in standard deviations of the reference",
            "floor_draws": DRAWS, "seed": self.seed, "shuffle_seed": SHUFFLE_SEED,
            "closeness": self.closeness(),
            "measures": {module: {each.measure.name: each.to_json() for each in those}
                         for module, those in self.distances.items()},
            "learned": None if self.learned is None else dataclasses.asdict(self.learned),
            "copied": dataclasses.asdict(self.copied),
            "notes": self.notes(),
            "skipped_pieces": [dataclasses.asdict(each) for each in self.skipped],
        }

    def rows(self) -> list[list[str]]:
        """Return the table: measure, unit, value, reference, distance, floor, its interval, ceiling, closeness.

        Measures that the judged pieces have none of (chords, of a single voice) are left out; `notes` names them.
        """
        return [[each.measure.name.replace("_", " "), each.measure.unit, _shown(each.value), _shown(each.reference),
                 _shown(each.distance) + ("*" if each.differs() else ""), _shown(each.floor),
                 "-" if each.floor_high is None else f"{each.floor_low:.2f} to {each.floor_high:.2f}",
                 _shown(each.ceiling), _shown(each.closeness)] for _, each in self.all_distances()
                if each.value is not None]

    def without_value(self) -> dict[str, int]:
        """Return module -> number of measures that the judged pieces have none of."""
        return {module: count for module, those in self.distances.items()
                if (count := sum(each.value is None for each in those))}

    def warnings(self) -> list[str]:
        """Return what makes the figures say less than they seem to."""
        told = []
        if self.learned is not None and not self.learned.clean:
            same, siblings = len(self.learned.same), len(self.learned.siblings)
            told.append(f"the reference is not apart from what was learned: {same} of its {self.reference_pieces} "
                        f"pieces were learned from and {siblings} more have a sibling there; a copy would be closest")
        if not self.copied.clean:
            told.append(f"{len(self.copied.same)} of the {self.pieces} judged pieces stand in the reference, and "
                        f"{len(self.copied.siblings)} more have a sibling there")
        if self.reference_pieces < 2:
            told.append("the reference is a single piece: there is no floor, and the distances say little")
        return told

    def notes(self) -> list[str]:
        """Return the sentences to show below the table."""
        notes = [f"distance: how far the values of the {self.pieces} pieces lie from those of the reference, in its "
                 "standard deviations (of faults, what is more); * = more than the reference against itself in 95 of "
                 "100 draws (floor); ceiling = the reference shuffled; closeness = 1 at the floor, 0 at the ceiling"]
        if self.ties_unknown:
            notes.append("The reference does not tell held from repeated notes, nor bars and tempi: the judged pieces "
                         "were measured as it would have written them.")
        if missing := self.without_value():
            told = ", ".join(f"{count} of {module}" for module, count in missing.items())
            notes.append(f"Left out, because the judged pieces have none of them: {told}.")
        if "originality" not in self.distances:
            notes.append("Originality was not measured: it takes the music that was learned from (evaluate --training "
                         "DATA).")
        if self.learned is None:
            notes.append("What the pieces were learned from is not known, so they may be copies.")
        return notes + self.warnings()


COLUMNS = ("measure", "unit", "value", "reference", "distance", "floor", "90 %", "ceiling", "closeness")
"""Of `MusicReport.rows`."""


def judge(pieces: Data, reference: Data | Reference, *, name: str | None = None, modules: Sequence[str] = MODULES,
          provenance: Mapping[str, Any] | None = None, training: Sequence[Item] | None = None, seed: int = 0,
          progress: Progress = silent) -> MusicReport:
    """Measure a set of pieces and compare it with a reference.

    Args:
        pieces: scores, items, a corpus, a path or a built-in name.
        reference: the same, or a measured one (`componium.evaluation.reference.measured_reference`).
        name: what the judged set is called; the name of the corpus where not given.
        modules: which modules measure.
        provenance: of the model that composed them, as in its ``provenance``: what it learned from.
        training: the pieces that it learned from, for `originality`.
        seed: of the draws of the floor.
        progress: called with the fraction done; raising an error in it stops the work.

    Raises:
        BadInput: one of the two holds no score.
        BadFile: one of them cannot be read.
    """
    own, items, skipped = open_scores(pieces, _part(progress, 0.0, 0.05))
    if not isinstance(reference, Reference):
        reference = measured_reference(reference, modules=modules, progress=_part(progress, 0.05, REFERENCE_SHARE))
    scores = [item.content for item in items if isinstance(item.content, Score)]
    if reference.ties_unknown:
        scores = [without_ties(score) for score in scores]
    values = measure_set(scores, modules, progress=_part(progress, REFERENCE_SHARE, 0.95))
    found = {module: tuple(distance(measure, values[measure.name], reference.values[measure.name],
                                    reference.disordered[measure.name], seed=seed)
                           for measure in _measures(module)) for module in modules}
    learned = None
    if training is not None or (provenance is not None and provenance.get("hashes")):
        learned = shared_with_evaluation(training if training is not None else provenance or {}, reference.items)
    if training is not None and learned is not None:
        unseen = _apart(reference.items, {*learned.same, *learned.siblings})
        copied, found[ORIGINALITY] = _originality(scores, unseen, training, seed)
        values = values | copied
    progress(1.0, f"{len(scores)} pieces")
    return MusicReport(name or own, reference.name, len(scores), len(reference.items), found, values, learned,
                       _copied(items, reference), seed, reference.ties_unknown, (*skipped, *reference.skipped))


def without_ties(score: Score) -> Score:
    """Return a score as a file that knows only pitches on a 16th grid writes it; where that cannot be, as it is."""
    try:
        return from_grid(Grid.from_pitches(to_grid(score).pitches))
    except BadInput:
        return score


def _apart(items: Sequence[Item], names: set[str]) -> list[Score]:
    return [item.content for item in items if item.name not in names and isinstance(item.content, Score)]


def _originality(scores: Sequence[Score], unseen: Sequence[Score], training: Sequence[Item],
                 seed: int) -> tuple[Values, tuple[Distance, ...]]:
    """Return what pieces share with the training set, beside what reference pieces that it does not hold share."""
    index = originality.TrainingIndex.of(training)
    mixed = [disordered_form(score, content_digest(score)) for score in unseen]
    values, held_out, disordered = (_copied_shares(those, index) for those in (scores, unseen, mixed))
    return values, tuple(distance(measure, values[measure.name], held_out[measure.name], disordered[measure.name],
                                  seed=seed) for measure in originality.MEASURES)


def _copied_shares(scores: Sequence[Score], index: originality.TrainingIndex) -> Values:
    rows = []
    for score in scores:
        try:
            rows.append(originality.evaluate(score, index))
        except BadInput:
            rows.append({})
    return {measure.name: np.array([row.get(measure.name, np.nan) for row in rows], np.float64)
            for measure in originality.MEASURES}


def _measures(module: str) -> list[Measure]:
    return [measure for measure, _ in described([module])]


def _copied(items: Sequence[Item], reference: Reference) -> Shared:
    """Return which judged pieces stand in the reference."""
    return shared_with_evaluation(Learned.of(map(_hashed, reference.items)), map(_hashed, items))


def _hashed(item: Item) -> Item:
    if item.hash or not isinstance(item.content, Score):
        return item
    return dataclasses.replace(item, hash=hash_of_score(item.content))


def _part(progress: Progress, begin: float, end: float) -> Progress:
    def part(done: float, message: str = "") -> None:
        progress(begin + done * (end - begin), message)

    return part


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 100 else f"{value:.2f}"
