"""What harmonising came to: errors and music of each part that was filled in, as tables and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from componium.evaluation.report import Overlap
from componium.music.corpus import Skipped
from componium.music.score import Score

FUNCTIONS = ("tonic", "subdominant", "dominant", "applied dominant", "other")
"""In the order of their numbers in `componium.evaluation.harmony.chords`."""


@dataclasses.dataclass(frozen=True)
class Error:
    """A share of errors.

    Attributes:
        pooled: over the cells of all pieces alike.
        piece_mean: mean over pieces of each piece's share.
        piece_standard_error: of that mean; None for one piece.
        pieces, cells: how many.
    """

    pooled: float
    piece_mean: float
    piece_standard_error: float | None
    pieces: int
    cells: int

    @classmethod
    def of(cls, counts: Sequence[tuple[int, int]]) -> Error | None:
        """Return the error of pieces, each given as (wrong, all); None without any cell."""
        known = np.asarray([count for count in counts if count[1]], np.float64).reshape(-1, 2)
        if not len(known):
            return None
        shares = known[:, 0] / known[:, 1]
        spread = float(shares.std(ddof=1) / math.sqrt(len(shares))) if len(shares) > 1 else None
        return cls(float(known[:, 0].sum() / known[:, 1].sum()), float(shares.mean()), spread, len(known),
                   int(known[:, 1].sum()))


@dataclasses.dataclass(frozen=True)
class Music:
    """A set of pieces, measured.

    Attributes:
        values: measure -> mean over the pieces that have it; NaN where none has.
        functions: function of a chord -> share of the beats, mean over pieces.
    """

    MEASURES: ClassVar[tuple[tuple[str, str, int], ...]] = (
        ("faults_per_interval", "part-writing faults, per 100 melodic intervals", 1),
        ("parallel_fifths", "parallel fifths, per 100 moves", 2),
        ("parallel_octaves", "parallel octaves, per 100 moves", 2),
        ("contrary_fifths_and_octaves", "contrary fifths and octaves, per 100 moves", 2),
        ("direct_fifths_and_octaves", "direct fifths and octaves, per 100 moves", 2),
        ("voice_overlap", "voice overlap, per 100 moves", 2),
        ("voice_crossing", "voice crossing, per 100 chords", 2),
        ("wide_spacing", "wide spacing, per 100 chords", 2),
        ("out_of_range", "out of range, per 100 notes", 2),
        ("forbidden_leaps", "forbidden leaps, per 100 intervals", 2),
        ("unresolved_leading_notes", "unresolved leading notes, per 100", 1),
        ("unresolved_sevenths", "unresolved sevenths, per 100", 1),
        ("untreated_dissonances", "untreated dissonances, per 100 notes", 2),
        ("cadences", "phrase ends with a cadence (share)", 2),
        ("authentic_cadences", "phrase ends with an authentic cadence (share)", 2),
        ("clear_chords", "clear chords (share of beats)", 2),
        ("diatonic_chords", "diatonic chords (share of beats)", 2),
        ("strong_progressions", "strong progressions (share)", 2),
        ("retrogressions", "retrogressions, per 100 dominants", 1),
        ("harmonic_rhythm", "changes of chord per beat", 2),
    )
    """Name, what it is called, and decimals."""
    MOVES: ClassVar[frozenset[str]] = frozenset({
        "parallel_fifths", "parallel_octaves", "contrary_fifths_and_octaves", "direct_fifths_and_octaves",
        "voice_overlap", "forbidden_leaps", "unresolved_leading_notes", "unresolved_sevenths"})
    """The faults of voices that move; ``faults_per_interval`` counts these."""

    values: dict[str, float]
    functions: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the measures as JSON data, None where no piece has one."""
        return {"measures": {name: _number(value) for name, value in self.values.items()},
                "functions": {name: _number(value) for name, value in self.functions.items()}}


@dataclasses.dataclass(frozen=True)
class Filled:
    """One part that was taken away and filled in.

    Attributes:
        part: such as ``"ATB"``.
        token, frame, onset: the errors; ``onset`` is None where Bach strikes no note in it.
        leak_free: the token error over the pieces that the model has not learned from, nor a sibling; None for none.
        same_root, same_function: shares of the beats with Bach's root, and with the function of his chord.
        music: the whole pieces with these voices.
        thesis: token and frame error in per cent of BachBot's thesis; None where it has none.
    """

    part: str
    token: Error
    frame: Error
    onset: Error | None
    leak_free: Error | None
    same_root: float
    same_function: float
    music: Music
    thesis: tuple[float | None, float | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data; errors are shares, the thesis's figures per cent as printed there."""
        errors = {f"{name}_error": None if error is None else dataclasses.asdict(error) for name, error in
                  (("token", self.token), ("frame", self.frame), ("onset", self.onset),
                   ("leak_free_token", self.leak_free))}
        return errors | {"same_root": _number(self.same_root), "same_function": _number(self.same_function),
                         "thesis_token_error_percent": self.thesis[0], "thesis_frame_error_percent": self.thesis[1],
                         **self.music.to_json()}


@dataclasses.dataclass(frozen=True)
class PieceErrors:
    """The token error of each part in one piece, and whether the model has seen it ("", "same" or "sibling")."""

    name: str
    seen: str = ""
    token_error: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class HarmonisingReport:
    """All that `harmonising` found.

    Attributes:
        model, data, arguments, seed: what was measured, on what, how.
        pieces: how many were filled in.
        bach: the music of these pieces as Bach wrote them.
        parts: part -> what it came to.
        per_piece: every piece.
        overlap: which pieces the model has seen.
        skipped: what could not be filled in, and why.
        made: part -> the pieces with these voices, in the order of ``per_piece``.
        originals: the pieces as they were.
    """

    model: str
    data: str
    arguments: dict[str, Any]
    seed: int
    pieces: int
    bach: Music
    parts: dict[str, Filled]
    per_piece: tuple[PieceErrors, ...]
    overlap: Overlap
    skipped: tuple[Skipped, ...]
    made: dict[str, tuple[Score, ...]] = dataclasses.field(default_factory=dict, repr=False)
    originals: tuple[Score, ...] = dataclasses.field(default=(), repr=False)

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "filled in", "token error %", "mean over pieces", "frame error %", "error at onsets %", "same root %",
        "same function %", "BachBot: token", "frame")

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table of errors, in per cent, with `COLUMNS`."""
        return [(each.part, _percent(each.token), _spread(each.token), _percent(each.frame), _percent(each.onset),
                 _shown(100 * each.same_root, 1), _shown(100 * each.same_function, 1), _shown(each.thesis[0], 1),
                 _shown(each.thesis[1], 1)) for each in self.parts.values()]

    def music_columns(self) -> list[str]:
        """Return the header of `music_rows`."""
        return ["", "Bach", *self.parts]

    def music_rows(self) -> list[list[str]]:
        """Return the table of measures of the whole pieces: Bach's own, and with each part filled in."""
        sets = [self.bach, *(each.music for each in self.parts.values())]
        rows = [[label, *(_shown(each.values[name], digits) for each in sets)]
                for name, label, digits in Music.MEASURES]
        return rows + [[f"{name} (share of beats)", *(_shown(each.functions[name], 2) for each in sets)]
                       for name in FUNCTIONS]

    def notes(self) -> list[str]:
        """Return the sentences to show below: what was seen in training, and how far BachBot's figures may be read."""
        told = [self.overlap.sentence(self.pieces).replace(" The column `leak-free` leaves them out.", "")]
        unseen = {name: each.leak_free for name, each in self.parts.items() if each.leak_free is not None}
        if (self.overlap.same or self.overlap.siblings) and unseen:
            shares = ", ".join(f"{name} {_percent(error)}" for name, error in unseen.items() if error is not None)
            count = next(error.pieces for error in unseen.values() if error is not None)
            told.append(f"token error % of the other {count}: {shares}")
        if any(each.thesis[0] is not None for each in self.parts.values()):
            told.append("BachBot: figures of its author's thesis (Liang, 2016), on other pieces, greedily filled in, "
                        "and in an odd order: they tell the order of size only")
        return told

    def to_json(self) -> dict[str, Any]:
        """Return everything but the pieces as JSON data."""
        return {
            "protocol": "harmonising", "model": self.model, "data": self.data, "seed": self.seed,
            "arguments": {name: str(value) for name, value in self.arguments.items()}, "pieces": self.pieces,
            "parts": {name: each.to_json() for name, each in self.parts.items()}, "bach": self.bach.to_json(),
            "overlap": {"known": self.overlap.known, "same": list(self.overlap.same),
                        "siblings": list(self.overlap.siblings)},
            "notes": self.notes(), "per_piece": [dataclasses.asdict(each) for each in self.per_piece],
            "skipped": [dataclasses.asdict(each) for each in self.skipped],
        }


def _percent(error: Error | None) -> str:
    return "-" if error is None else f"{100 * error.pooled:.1f}"


def _spread(error: Error) -> str:
    around = "" if error.piece_standard_error is None else f" ± {100 * error.piece_standard_error:.1f}"
    return f"{100 * error.piece_mean:.1f}{around}"


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
