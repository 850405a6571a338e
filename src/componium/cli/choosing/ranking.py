"""Ranking: how near a candidate comes to the music it is to be like, or how likely the model finds it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from componium.cli.show import Progress
from componium.evaluation.measure import Measure
from componium.music.errors import BadInput
from componium.music.score import Score

LIKELIHOOD = "likelihood"
ALL = "all"


def check_measure(measure: str, on: str | None) -> None:
    """Raise `BadInput` where nothing of that name ranks; the near names are told."""
    if measure == LIKELIHOOD:
        if on is not None:
            raise BadInput("--rank likelihood asks the model itself; --on is for the other measures")
        return
    from componium.evaluation.measuring import MODULES, described

    known = [*MODULES, ALL, LIKELIHOOD, *(each.name for each, _ in described(MODULES))]
    if measure not in known:
        near = difflib.get_close_matches(measure, known, n=3, cutoff=0.6)
        told = (f"did you mean {' or '.join(near)}?" if near else
                f"use {', '.join((*MODULES, ALL, LIKELIHOOD))}, or one measure of these, such as pitch_class_entropy")
        raise BadInput(f"--rank {measure}: there is no such measure; {told}")


class Judge:
    """Measures candidates, and says how far each is from what it is to be like.

    Attributes:
        measure: a module, ``"all"``, one measure, or ``"likelihood"``.
        reference: what candidates are compared with, in words.
        label: what the distance is called in a table.
        help: what it means, in a line.
        text: the same for a page.
        measures: every measure, with the name of its module.
    """

    def __init__(self, measure: str, on: str | None, model: Any, new_from_beats: float = 0.0) -> None:
        from componium.evaluation.measuring import MODULES, described

        if measure == LIKELIHOOD and not hasattr(model, "log_likelihood"):
            raise BadInput(f"--rank likelihood: the model {model.name} does not judge music; rank by "
                           f"{', '.join(MODULES)}")
        self.measure, self._model, self._from = measure, model, new_from_beats
        self._on = on
        self._profile: Any = None
        self.measures: list[tuple[Measure, str]] = described(MODULES)
        self.reference = ""
        self.label, self.help, self.text = "", "", ""
        if measure == LIKELIHOOD:
            self._describe("as the model itself finds them likely", "Nats per token",
                           "How surprised the model is by its own piece, on average over its tokens: lower is "
                           "likelier. The likeliest pieces are safe rather than good: listen to the others too.")

    def read(self, progress: Progress) -> None:
        """Read and measure the music that candidates are to be like, where it was given.

        Raises:
            BadFile: it cannot be read.
            BadInput: there are no scores in it.
        """
        if self._on is not None:
            from componium.evaluation.profile import names_of, profile_of

            self._profile = profile_of(self._on, progress=progress)
            names_of(self.measure, self._profile)  # tells now where it has none of that measure

    def _describe(self, reference: str, label: str, text: str) -> None:
        self.reference, self.label, self.text = reference, label, text
        self.help = text.partition(":")[0]

    def ranks(self, name: str, module: str) -> bool:
        """Return whether a measure took part in the ranking."""
        return self.measure in (ALL, module, name, LIKELIHOOD) or module == self._module()

    def _module(self) -> str:
        return next((module for each, module in self.measures if each.name == self.measure), "")

    def __call__(self, scores: Sequence[Score], progress: Progress) -> tuple[list[float], list[dict[str, float]]]:
        """Return the distance and the measures of each score."""
        from componium.evaluation.measuring import MODULES, measure_set

        values = measure_set(scores, MODULES, progress=progress)
        if self.measure == LIKELIHOOD:
            distances = [self._nats(score, progress, number / len(scores)) for number, score in enumerate(scores)]
        else:
            distances = self._distances(scores, values)
        return distances, [{name: float(column[number]) for name, column in values.items()}
                           for number in range(len(scores))]

    def _distances(self, scores: Sequence[Score], values: Mapping[str, Any]) -> list[float]:
        from componium.evaluation.profile import distances, shipped

        profile, like = self._profile, f"compared with {self._on}"
        if profile is None:
            name = "tunes" if all(sum(len(t.notes) > 0 for t in score.tracks) == 1 for score in scores) else "chorales"
            profile, like = shipped(name), f"compared with the {name} that Componium knows"
        self._describe(like, "Distance",
                       "How far the piece is from the pieces of the reference, on average over the measures that rank: "
                       "0 is in their middle. Faults count only where there are more of them than in the reference.")
        return [float(distance) for distance in distances(dict(values), self.measure, profile)]

    def _nats(self, score: Score, progress: Progress, done: float) -> float:
        """Return the mean nats per token of what the model added; NaN where it cannot represent the piece."""
        progress(done, "judging")
        try:
            told = self._model.log_likelihood(score)
        except BadInput:
            return float("nan")
        new = np.asarray(told.step) >= round(self._from * told.steps_per_beat)
        nats = np.asarray(told.nats)[new]
        return float(nats.mean()) if len(nats) else float("nan")
