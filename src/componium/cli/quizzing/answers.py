"""Adding up the answers of a quiz: of several people, by musical training and by kind of pair."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from componium.cli.quizzing.page import TRAINING
from componium.cli.quizzing.pairs import KINDS
from componium.evaluation.binomial import answers_needed, interval
from componium.music.errors import BadFile

FORMAT, VERSION = "componium quiz answers", 1
SIDES = ("A", "B")
LARGEST_BYTES = 10_000_000
"""A file of answers has some thousand bytes; a page of a quiz, given by mistake, has millions."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question; the sides are "A" and "B".

    Attributes:
        pair: number of the pair.
        kind: what the model made of it, one of `KINDS`.
        repeat: whether the pair was asked before.
        human: the side of the held-out piece.
        told: the side that was named as it.
        prefers: the side that was preferred.
        writing: the side with the better part-writing.
    """

    pair: int
    kind: str
    repeat: bool
    human: str
    told: str
    prefers: str
    writing: str


@dataclasses.dataclass(frozen=True)
class Sitting:
    """The answers of one person in one go.

    Attributes:
        file: where they were read.
        quiz: which page.
        sitting: which go.
        model: the model that was asked about, as its maker named it.
        checkpoint: hash of it; empty for a model that works untrained.
        composer: of the held-out pieces.
        training: musical training, a key of `TRAINING`.
        answers: in the order of the questions.
    """

    file: str
    quiz: str
    sitting: str
    model: str
    checkpoint: str
    composer: str
    training: str
    answers: tuple[Answer, ...]


@dataclasses.dataclass(frozen=True)
class Share:
    """So many of so many answers, with the exact 95 % interval and how many more bring it to five points either way."""

    hits: int
    trials: int
    low: float
    high: float
    needed: int

    @classmethod
    def of(cls, hits: int, trials: int) -> Share:
        """Compute it."""
        return cls(hits, trials, *interval(hits, trials), answers_needed(hits, trials))

    def __str__(self) -> str:
        if not self.trials:
            return "-"
        share, low, high = (math.floor(100 * each + 0.5) for each in (self.hits / self.trials, self.low, self.high))
        return f"{self.hits} of {self.trials}, {share} % ({low} to {high})"  # rounded as the page rounds


@dataclasses.dataclass(frozen=True)
class Tally:
    """What a group of sittings answered.

    Attributes:
        people: sittings with an answer.
        told: answers that told the held-out piece from the model's.
        prefers: answers that preferred the model's.
        writing: answers that found the model's part-writing better.
        consistent: repeated pairs whose held-out piece was named the same way both times.
    """

    people: int
    told: Share
    prefers: Share
    writing: Share
    consistent: Share

    @classmethod
    def of(cls, sittings: Iterable[Sitting], kind: str = "") -> Tally:
        """Count; repetitions count for consistency only.

        Args:
            sittings: whose answers.
            kind: only pairs of this kind; empty = all.
        """
        groups = [[answer for answer in each.answers if kind in ("", answer.kind)] for each in sittings]
        first = [answer for group in groups for answer in group if not answer.repeat]
        twice = [(a, b) for group in groups for b in group if b.repeat
                 for a in group if not a.repeat and a.pair == b.pair]

        def share(hit: Callable[[Answer], bool]) -> Share:
            return Share.of(sum(map(hit, first)), len(first))

        same = sum((a.told == a.human) == (b.told == b.human) for a, b in twice)
        return cls(sum(bool(group) for group in groups), share(lambda a: a.told == a.human),
                   share(lambda a: a.prefers != a.human), share(lambda a: a.writing != a.human),
                   Share.of(same, len(twice)))


def read_answers(paths: Sequence[Path]) -> tuple[list[Sitting], list[str]]:
    """Return the sittings that files hold, each once, and a sentence for each that was left out.

    Raises:
        BadFile: a file is no file of answers.
    """
    found: dict[str, Sitting] = {}
    left_out = []
    for path in paths:
        for sitting in read_file(path):
            other = found.get(sitting.sitting)
            if other is None or len(sitting.answers) > len(other.answers):
                found[sitting.sitting] = sitting
            if other is not None:
                left_out.append(f"{path} holds the same sitting as {other.file}: counted once")
    return list(found.values()), left_out


def read_file(path: Path) -> list[Sitting]:
    """Return the sittings of one file, JSON or CSV as the page of the quiz saves them.

    Raises:
        BadFile: it is no such file, or damaged.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadFile(path, "is no file of answers: too large; save the answers at the end of the quiz")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(path, "is no file of answers: it is not text") from error
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    try:
        return _from_csv(path, text) if path.suffix.lower() == ".csv" else [_sitting(path, json.loads(text))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        told = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error).partition(":")[0]
        raise BadFile(path, f"is no file of answers of a quiz, or damaged ({told}); the page saves them at the end "
                            "as .json or .csv") from error


def _sitting(path: Path, data: Mapping[str, Any]) -> Sitting:
    if data["format"] != FORMAT:
        raise ValueError("it says that it is something else")
    if int(data["version"]) > VERSION:
        raise ValueError("it was saved by a newer version")
    if data["training"] not in TRAINING:
        raise ValueError(f"training {data['training']!r} is none of the choices")
    words = [str(data[key]) for key in ("quiz", "sitting", "model", "checkpoint", "composer", "training")]
    return Sitting(str(path), *words, tuple(map(_answer, data["answers"])))


def _answer(data: Mapping[str, Any]) -> Answer:
    sides = {name: data[name] for name in ("human", "told", "prefers", "writing")}
    for name, side in sides.items():
        if side not in SIDES:
            raise ValueError(f"{name} is {side!r} instead of A or B")
    if data["kind"] not in KINDS:
        raise ValueError(f"there is no kind {data['kind']!r}")
    repeat = data["repeat"]
    if repeat not in (True, False, "true", "false"):
        raise ValueError(f"repeat is {repeat!r}")
    return Answer(int(data["pair"]), data["kind"], repeat in (True, "true"), **sides)


def _from_csv(path: Path, text: str) -> list[Sitting]:
    rows = list(csv.DictReader(text.splitlines()))
    if not rows:
        raise ValueError("there is no answer in it")
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["sitting"], []).append(row)
    return [_sitting(path, {**group[0], "answers": group}) for group in groups.values()]


def by_model(sittings: Sequence[Sitting]) -> dict[str, list[Sitting]]:
    """Return the sittings by what they are about: "MODEL (checkpoint), beside COMPOSER"."""
    found: dict[str, list[Sitting]] = {}
    for each in sittings:
        name = f"{each.model}{f' ({each.checkpoint[:12]})' if each.checkpoint else ''}, beside {each.composer}"
        found.setdefault(name, []).append(each)
    return found


def tallies(sittings: Sequence[Sitting]) -> dict[str, Tally]:
    """Return the tally of all, of each musical training that there is, and of each kind of pair where there are more.

    The same person, or the same pair, in several sittings is counted as often as it comes.
    """
    found = {"everyone": Tally.of(sittings)}
    for training in TRAINING:
        group = [each for each in sittings if each.training == training]
        if group:
            found[f"training: {training}"] = Tally.of(group)
    kinds = {answer.kind for each in sittings for answer in each.answers}
    if len(kinds) > 1:
        found |= {f"pairs {KINDS[kind]}": Tally.of(sittings, kind) for kind in KINDS if kind in kinds}
    return found
