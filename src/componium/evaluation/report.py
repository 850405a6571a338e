"""The averages of a likelihood, and the report that carries them: as a table and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import TokenLikelihood
from componium.music.corpus import Skipped


@dataclasses.dataclass(frozen=True)
class Averages:
    """The averages over a set of pieces.

    Attributes:
        pieces: how many.
        tokens: how many, in all pieces.
        onsets: tokens that differ from the same voice one step earlier, the first step included.
        token_mean: nats per token over all tokens alike: long pieces count more.
        piece_mean: mean over pieces of each piece's nats per token.
        piece_standard_error: standard error of ``piece_mean`` over pieces; None for one piece.
        nats_per_frame: nats of all voices of one step; None where tokens are not cells of a grid.
        nats_per_onset: the nats of ALL tokens divided by the number of onsets; None without onsets.
    """

    pieces: int
    tokens: int
    onsets: int
    token_mean: float
    piece_mean: float
    piece_standard_error: float | None
    nats_per_frame: float | None
    nats_per_onset: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the averages under the names of the protocol."""
        return {
            "nats_per_token": {"token_mean": self.token_mean, "piece_mean": self.piece_mean,
                               "piece_standard_error": self.piece_standard_error},
            "nats_per_frame": self.nats_per_frame,
            "nats_per_onset": self.nats_per_onset,
            "bits_per_token": self.token_mean / math.log(2),
            "pieces": self.pieces,
            "tokens": self.tokens,
            "onsets": self.onsets,
        }


@dataclasses.dataclass(frozen=True)
class Class:
    """The tokens of one voice, or of one place in the beat.

    Attributes:
        tokens: how many.
        onsets: how many of them are onsets.
        nats_per_token: their mean.
        nats_per_onset: their nats divided by their onsets; None without onsets.
    """

    tokens: int
    onsets: int
    nats_per_token: float
    nats_per_onset: float | None


@dataclasses.dataclass(frozen=True)
class PieceScore:
    """One piece: its size, its averages, and whether the model has seen it ("" or "same" or "sibling")."""

    name: str
    tokens: int
    onsets: int
    nats_per_token: float
    nats_per_onset: float | None
    seen: str = ""


@dataclasses.dataclass(frozen=True)
class Overlap:
    """What the model's training data and the evaluation data share.

    Attributes:
        known: whether the model says what it learned from.
        same: names of evaluation pieces that it learned from (equal content hash).
        siblings: names of evaluation pieces that share a melody with a piece that it learned from.
    """

    known: bool
    same: tuple[str, ...]
    siblings: tuple[str, ...]

    def flags(self) -> dict[str, str]:
        """Return name -> ``"same"`` or ``"sibling"``."""
        return dict.fromkeys(self.siblings, "sibling") | dict.fromkeys(self.same, "same")

    def sentence(self, pieces: int) -> str:
        """Say it in one line."""
        if not self.known:
            return "The model does not say what it learned from, so it may have seen these pieces."
        if not self.same and not self.siblings:
            return f"The model learned from none of these {pieces} pieces, nor from a sibling of one."
        told = []
        if self.same:
            told.append(f"WARNING: the model learned from {len(self.same)} of these {pieces} pieces")
        if self.siblings:
            told.append(f"{len(self.siblings)} of {pieces} share a melody with a piece that it learned from")
        return "; ".join(told) + ". The column `leak-free` leaves them out."


@dataclasses.dataclass(frozen=True)
class LikelihoodReport:
    """All that `componium.evaluate` found.

    Attributes:
        model, data, protocol, protocol_text, tokenisation, learned_from: what was measured, on what, how.
        all_pieces: the averages over all pieces.
        leak_free: over the pieces that the model has not seen, nor a sibling; None where there are none or
            where that is not known.
        overlap: which pieces it has seen.
        by_voice, by_place_in_beat: tokens by voice name, and by step within the beat ("0" is on the beat).
        pieces: every piece.
        skipped: what could not be scored, and why.
    """

    model: str
    data: str
    protocol: str
    protocol_text: str
    tokenisation: str
    learned_from: str
    all_pieces: Averages
    leak_free: Averages | None
    overlap: Overlap
    by_voice: dict[str, Class]
    by_place_in_beat: dict[str, Class]
    pieces: tuple[PieceScore, ...]
    skipped: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data; the averages over all pieces stand at the top level."""
        return {
            "model": self.model,
            "learned_from": self.learned_from or None,
            "data": self.data,
            "protocol": self.protocol,
            "protocol_text": self.protocol_text,
            "tokenisation": self.tokenisation,
            **self.all_pieces.to_json(),
            "by_voice": {key: dataclasses.asdict(value) for key, value in self.by_voice.items()},
            "by_place_in_beat": {key: dataclasses.asdict(one) for key, one in self.by_place_in_beat.items()},
            "leak_free": None if self.leak_free is None else self.leak_free.to_json(),
            "overlap": {"known": self.overlap.known, "same": list(self.overlap.same),
                        "siblings": list(self.overlap.siblings), "text": self.notes()[0]},
            "per_piece": [dataclasses.asdict(piece) for piece in self.pieces],
            "skipped": [dataclasses.asdict(each) for each in self.skipped],
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the table: (what, over all pieces, over the leak-free pieces or "-")."""
        every, clean = self.all_pieces, self.leak_free
        shown: list[tuple[str, Callable[[Averages], float | None]]] = [
            ("pieces", lambda a: a.pieces),
            ("tokens", lambda a: a.tokens),
            ("nats per token, token mean", lambda a: a.token_mean),
            ("nats per token, piece mean", lambda a: a.piece_mean),
            ("bits per token, token mean", lambda a: a.token_mean / math.log(2)),
            ("nats per frame", lambda a: a.nats_per_frame),
            ("nats per onset", lambda a: a.nats_per_onset),
        ]
        rows = [(text, _show(of(every)), _show(of(clean) if clean else None)) for text, of in shown]
        rows += [(f"nats per onset, {name}", _show(one.nats_per_onset), "-")
                 for name, one in self.by_voice.items()]
        rows += [(f"nats per onset, step {place} of the beat", _show(one.nats_per_onset), "-")
                 for place, one in self.by_place_in_beat.items()]
        return rows

    def notes(self) -> list[str]:
        """Return the sentences to show below the table: what was seen in training, what was skipped."""
        notes = [self.overlap.sentence(len(self.pieces))]
        if self.skipped:
            notes.append(f"{len(self.skipped)} pieces were skipped, the first: "
                         f"{self.skipped[0].name} ({self.skipped[0].reason})")
        return notes


def _show(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def average(told: Sequence[TokenLikelihood], voice_count: int | None) -> Averages:
    """Return the averages over pieces; ``voice_count`` tokens make a frame, None where there are none."""
    sums = np.array([np.sum(each.nats) for each in told], np.float64)
    sizes = np.array([len(each.nats) for each in told], np.int64)
    onset_count = int(sum(np.sum(each.onset) for each in told))
    means = sums / sizes
    token_mean = float(sums.sum() / sizes.sum())
    spread = float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else None
    return Averages(
        pieces=len(told), tokens=int(sizes.sum()), onsets=onset_count, token_mean=token_mean,
        piece_mean=float(means.mean()), piece_standard_error=spread,
        nats_per_frame=None if voice_count is None else token_mean * voice_count,
        nats_per_onset=float(sums.sum()) / onset_count if onset_count else None,
    )


def classes(told: Sequence[TokenLikelihood], keys: Sequence[npt.NDArray[np.int64]],
            label: Callable[[int], str]) -> dict[str, Class]:
    """Divide the tokens by a key, ascending; each class has its own nats over its own onsets."""
    nats = np.concatenate([np.asarray(each.nats, np.float64) for each in told])
    onset = np.concatenate([np.asarray(each.onset, bool) for each in told])
    key = np.concatenate([np.asarray(each, np.int64) for each in keys])
    found = {}
    for value in np.unique(key).tolist():
        here = key == value
        size, count, total = int(here.sum()), int(onset[here].sum()), float(nats[here].sum())
        found[label(value)] = Class(size, count, total / size, total / count if count else None)
    return found
