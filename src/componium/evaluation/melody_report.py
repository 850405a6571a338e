"""What the likelihood of melodies came to: a model beside chains, as tables, sentences and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from componium.evaluation.report import Averages, Class
from componium.music.corpus import Skipped

MODEL, CHAIN = "model", "chain-{}"
"""The judges: the model, and the chain of an order."""
KINDS = ("holds", "rests", "onsets")


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What one judge says of all pieces.

    Attributes:
        averages: nats per 16th and per onset.
        accuracy: share of steps whose symbol was the likeliest; None where the judge does not tell.
        kinds: the steps of each of `KINDS`.
    """

    averages: Averages
    accuracy: float | None
    kinds: dict[str, Class]

    def part(self, kind: str) -> float:
        """Return what the steps of a kind add to the nats per 16th."""
        found = self.kinds.get(kind)
        return 0.0 if found is None else found.tokens * found.nats_per_token / self.averages.tokens

    def row(self, name: str) -> tuple[str, ...]:
        """Return a line of the table."""
        return (name, f"{self.averages.token_mean:.4f}", f"{self.averages.piece_mean:.4f}",
                "-" if self.averages.nats_per_onset is None else f"{self.averages.nats_per_onset:.3f}",
                "-" if self.accuracy is None else f"{100 * self.accuracy:.1f} %",
                *(f"{self.part(kind):.4f}" for kind in KINDS))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return self.averages.to_json() | {"accuracy": self.accuracy, "kinds": {
            kind: {"steps": each.tokens, "nats_per_step": each.nats_per_token, "nats_per_16th": self.part(kind)}
            for kind, each in self.kinds.items()}}


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The model's nats by the chain's, with the bounds of the 95 % interval over pieces."""

    ratio: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.ratio:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclasses.dataclass(frozen=True)
class MelodyPiece:
    """One test piece: its steps and onsets, nats per 16th of the model and of the chain, whether it has a sibling."""

    name: str
    steps: int
    onsets: int
    nats_per_16th: float
    chain_nats_per_16th: float | None
    sibling: bool


@dataclasses.dataclass(frozen=True)
class MelodyReport:
    """All that `melody_likelihood` found.

    Attributes:
        model, data, seed, learned_from: who judged what; ``seed`` is that of the interval.
        knows_its_data: whether the model says what it learned from.
        learned_pieces, held_out_pieces, new_pieces: of the data, of those that the model can hear.
        tested: ``"new"`` or ``"held out"``: which of them are the test pieces.
        refused: those of the test pieces that the model prepares and does not judge, and why.
        counted_pieces: that the chain counted; 0 where there is no chain.
        judges: judge -> what it says of all test pieces; `MODEL` first.
        leak_free: the same of those that have no sibling among what was learned; empty where there are none.
        ratio, leak_free_ratio: of the model and the chain of order 4; None without a chain.
        siblings: names of the test pieces that share a melody with one that was learned.
        pieces: every test piece.
        skipped: what could not be opened or prepared, and why.
    """

    model: str
    data: str
    seed: int
    learned_from: str
    knows_its_data: bool
    learned_pieces: int
    held_out_pieces: int
    new_pieces: int
    tested: str
    refused: tuple[Skipped, ...]
    counted_pieces: int
    judges: dict[str, Judgement]
    leak_free: dict[str, Judgement]
    ratio: Ratio | None
    leak_free_ratio: Ratio | None
    siblings: tuple[str, ...]
    pieces: tuple[MelodyPiece, ...]
    skipped: tuple[Skipped, ...]

    COLUMNS: ClassVar[tuple[str, ...]] = ("", "nats per 16th", "piece mean", "per onset", "accuracy", *KINDS)

    def rows(self, leak_free: bool = False) -> list[tuple[str, ...]]:
        """Return the table of all test pieces, or of the leak-free ones, with `COLUMNS`."""
        return [each.row(self.model if name == MODEL else f"chain, order {name.removeprefix(CHAIN.format(''))}")
                for name, each in (self.leak_free if leak_free else self.judges).items()]

    def notes(self) -> list[str]:
        """Return the sentences to show below the tables."""
        return [self._division(), *self._refusals(), self._chain(), *self._ratios(), self._kinds(), self._leaks()]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"protocol": "melody"} | told | {
            "judges": _judges(self.judges), "leak_free": _judges(self.leak_free),
            "ratio": None if self.ratio is None else dataclasses.asdict(self.ratio),
            "leak_free_ratio": None if self.leak_free_ratio is None else dataclasses.asdict(self.leak_free_ratio),
            "siblings": list(self.siblings), "pieces": [dataclasses.asdict(each) for each in self.pieces],
            "refused": [dataclasses.asdict(each) for each in self.refused],
            "skipped": [dataclasses.asdict(each) for each in self.skipped], "notes": self.notes()}

    def _division(self) -> str:
        heard = self.learned_pieces + self.held_out_pieces + self.new_pieces
        if not self.knows_its_data:
            return (f"The model does not say what it learned from, so it may have seen these pieces: all {heard:,} are "
                    "test pieces.")
        told = (f"Of {heard:,} pieces of {self.data} in which it hears a melody, the model learned from "
                f"{self.learned_pieces:,}, {self.held_out_pieces:,} were held out of its training, and "
                f"{self.new_pieces:,} are new to it.")
        if self.tested == "new":
            return f"{told} The new ones are the test pieces."
        return (f"{told} The held-out ones are the test pieces: as training chose the weights that do best on them, "
                "they flatter the model a little. Trained with train.unseen=0.1, it never sees a tenth.")

    def _refusals(self) -> list[str]:
        if not self.refused:
            return []
        first, count = self.refused[0], len(self.refused)
        return [f"{count} of {count + len(self.pieces)} test pieces it does not judge, and they are left out (the "
                f"first: {first.name}: {first.reason})."]

    def _chain(self) -> str:
        if not self.counted_pieces:
            return ("As the model learned from no piece of this data (or does not say so), there is nothing to fit the "
                    "chain on that the model learned from too: none stands beside it.")
        also = (f", the {self.held_out_pieces:,} held out among them (the model did not learn from these, but its "
                "weights were chosen by them)") if self.tested == "new" and self.held_out_pieces else ""
        return f"The chain (Witten-Bell back-off on the same symbols) counted {self.counted_pieces:,} pieces{also}."

    def _ratios(self) -> list[str]:
        if self.ratio is None:
            return []
        free = f"; leak-free {self.leak_free_ratio}" if self.leak_free_ratio is not None else ""
        change = 100 * (1 - self.ratio.ratio)
        return [f"Nats of the model by those of the chain of order 4: {self.ratio}{free}: {abs(change):.1f} % "
                f"{'below' if change >= 0 else 'above'} the chain (95 % interval over pieces)."]

    def _kinds(self) -> str:
        judged = self.judges[MODEL]
        shares = {kind: each.tokens / judged.averages.tokens for kind, each in judged.kinds.items()}
        told = ", ".join(f"{100 * shares.get(kind, 0):.1f} % {kind}" for kind in KINDS)
        return (f"{judged.averages.tokens:,} 16ths of {judged.averages.pieces:,} pieces: {told} of notes. The last "
                "three columns are what they add to the nats per 16th. Per onset: all nats by the number of notes and "
                "beginnings of rests.")

    def _leaks(self) -> str:
        if not self.knows_its_data:
            return "Which pieces share a melody with what it learned from is not known."
        if not self.siblings:
            return "No test piece shares a melody with one that the model learned from."
        left = len(self.pieces) - len(self.siblings)
        return (f"{len(self.siblings)} of {len(self.pieces)} test pieces share a melody with one that the model "
                f"learned from; {f'the second table is of the other {left}' if left else 'no other is left'}.")


def _judges(judges: Mapping[str, Judgement]) -> dict[str, Any]:
    return {name: each.to_json() for name, each in judges.items()}
