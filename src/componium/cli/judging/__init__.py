"""Judging: what `evaluate` and `compare` have in common: whom they judge, what is composed, how it is measured."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from componium.cli.show import Progress
from componium.music.errors import BadInput

MOST_BARS, FEWEST_BARS = 64, 4
PIECES = 40


@dataclasses.dataclass
class Subject:
    """Whom is judged: a model, or a set of pieces.

    Attributes:
        name: what it is called in tables.
        word: as the user wrote it.
        model: the model, or None for a set of pieces.
        arguments: of its `generate`.
        items: the set of pieces, or what the model composed.
        seed, bars: what was asked of the model.
        composing_seconds: how long composing took.
        likelihood: the report, or None.
        not_judged: why there is no likelihood.
        music: the report, or None.
        told_apart: how well a classifier tells it from the reference, or None.
        not_told_apart: why that is not known.
    """

    name: str
    model: Any = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    items: list[Any] = dataclasses.field(default_factory=list)
    seed: int = 0
    bars: int = 0
    composing_seconds: float = 0.0
    likelihood: Any = None
    not_judged: str = ""
    music: Any = None
    told_apart: Any = None
    not_told_apart: str = ""
    word: str = ""

    @property
    def provenance(self) -> Mapping[str, Any] | None:
        """What its model learned from, or None."""
        return None if self.model is None else self.model.provenance

    def __str__(self) -> str:
        return self.name


def is_music(text: str) -> bool:
    """Return whether a word of the command line stands for pieces rather than a model."""
    from componium import checkpoint, registry
    from componium.music.built_in import is_built_in

    path = Path(text).expanduser()
    if text.startswith(("shipped:", "hf:")) or text in registry.MODELS or text.rpartition(":")[0].endswith(".py"):
        return False
    if path.is_file():
        return True
    if path.is_dir():
        return not ((path / checkpoint.HEADER).exists() or checkpoint.is_checkpoint(path))
    return is_built_in(text)


def find(text: str, pairs: Mapping[str, str], accept_licence: bool, progress: Progress) -> Subject:
    """Return the model or the pieces that a word stands for.

    Raises:
        BadInput: nothing of that name, a model that can neither judge nor compose, or settings for pieces.
        BadFile: it cannot be read.
    """
    if is_music(text):
        if pairs:
            raise BadInput(f"{text} is music and not a model, so it takes no settings ({next(iter(pairs))}=...)")
        return Subject(called(text), items=list(open_data(text, accept_licence, progress)), word=text)
    from componium.cli.settings import load_with

    ability = "generate" if hasattr(class_of(text), "generate") else "log_likelihood"
    if not hasattr(class_of(text), ability):
        raise BadInput(f"the model {text} neither composes nor judges how likely music is, so it cannot be evaluated")
    model, arguments = load_with(text, pairs, ability, "be evaluated")
    return Subject(called(text), model, arguments, word=text)


def called(text: str) -> str:
    """Return a short name of a model or of music: the last part of a path."""
    return (Path(text).name or text) if Path(text).expanduser().exists() else text


def distinguish(subjects: Sequence[Subject]) -> None:
    """Give those that share a short name their whole path."""
    names = [subject.name for subject in subjects]
    for subject in subjects:
        if names.count(subject.name) > 1:
            subject.name = subject.word


def class_of(text: str) -> Any:
    """Return the class of the model that a word stands for; of a checkpoint only the header is read."""
    from componium import checkpoint, registry
    from componium.cli.origins import folder_of

    folder = folder_of(text)
    if folder is None:
        return registry.model_class(registry.resolve(text).target)
    try:
        return registry.model_class(json.loads((folder / checkpoint.HEADER).read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError, BadInput):
        return type(registry.load(text))  # tells what is wrong with it


def open_data(text: str, accept_licence: bool, progress: Progress) -> Any:
    """Return the corpus that a word stands for; raises `BadInput` where it has nothing in it."""
    from componium.music.corpus import open_corpus

    corpus = open_corpus(text, accept_licence=accept_licence, progress=progress)
    if not len(corpus):
        told = f" (the first left out: {corpus.skipped[0].name}: {corpus.skipped[0].reason})" if corpus.skipped else ""
        raise BadInput(f"{text}: there is no music in it{told}")
    return corpus


def check_scores(corpus: Any, text: str) -> None:
    """Raise `BadInput` where a corpus holds recordings alone: they judge instruments."""
    if all(item.kind == "audio" for item in corpus):
        raise BadInput(f"{text} holds recordings, and these judge instruments that learned from recordings; give "
                       "scores (MIDI, MusicXML, ABC, kern) here")


def usual_bars(scores: Sequence[Any]) -> int:
    """Return the median number of whole bars of pieces, 4 to 64."""
    from componium.music.score import bars

    counts = [sum(bar.index > 0 for bar in bars(score)) for score in scores]
    return int(np.clip(round(float(np.median(counts))), FEWEST_BARS, MOST_BARS)) if counts else FEWEST_BARS


def compose(subject: Subject, count: int, bars: int, seed: int, progress: Progress) -> None:
    """Let a model compose; pieces without notes and seeds that end nowhere are left out.

    Raises:
        BadInput: there is no piece at all, with the reason of the first failure.
    """
    from componium.music.item import Item, hash_of_score

    model, began = subject.model, time.perf_counter()
    scores: list[Any] = []
    reason: BadInput | None = None
    if count > 1 and hasattr(model, "generate_many") and not model.deterministic:
        scores = model.generate_many(count=count, bars=bars, seed=seed, progress=progress, **subject.arguments)
    else:
        for number in range(1 if model.deterministic else count):
            progress(number / count, f"{number} pieces")
            try:
                scores.append(model.generate(bars=bars, seed=seed + number, **subject.arguments))
            except BadInput as error:
                reason = reason or error
    subject.composing_seconds = time.perf_counter() - began
    subject.seed, subject.bars = seed, bars
    subject.items = [Item(f"piece {number}", "score", score, source=f"generated by {subject.name}",
                          hash=hash_of_score(score)) for number, score in enumerate(scores, 1) if score.note_num()]
    if not subject.items:
        raise reason or BadInput(f"{subject.name} composed nothing with notes in {count} attempts, so there is nothing "
                                 "to measure; --count 0 leaves composing out")


def judge_likelihood(subject: Subject, corpus: Any, protocol: str, progress: Progress) -> None:
    """Measure how likely a model finds the corpus, where it can; with ``auto`` by the protocol that fits.

    Raises:
        BadInput: a protocol was asked for by name and cannot be kept.
    """
    from componium.evaluation.likelihood import evaluate

    if not hasattr(subject.model, "log_likelihood"):
        if protocol != "auto":
            raise BadInput(f"the model {subject.name} does not judge how likely music is; leave out --protocol")
        subject.not_judged = f"{subject.name} does not judge how likely music is"
        return
    tried = [protocol] if protocol != "auto" else (["jsb16", "native"] if four_voices(corpus) else ["native"])
    for number, each in enumerate(tried):
        try:
            subject.likelihood = evaluate(subject.model, corpus, protocol=each, progress=progress)
            subject.not_judged = ""
            return
        except BadInput as error:
            if protocol != "auto":
                raise
            subject.not_judged = subject.not_judged or str(error)
        progress(number / len(tried), "")


def four_voices(corpus: Any) -> bool:
    """Return whether at least half of the pieces fit the benchmark's protocol: four voices on a 16th grid."""
    from componium.evaluation.likelihood import chorale_grid

    fitting = 0
    for item in corpus:
        try:
            chorale_grid(item)
            fitting += 1
        except BadInput:
            continue
    return 2 * fitting >= len(corpus)


def check_protocol(protocol: str, others: Iterable[str] = ()) -> None:
    """Raise `BadInput` for a protocol that is neither one of likelihood nor one of the others."""
    from componium.evaluation.likelihood import PROTOCOLS

    known = ("auto", *PROTOCOLS, *others)
    if protocol not in known:
        raise BadInput(f"protocol {protocol!r} does not exist; the protocols are: {', '.join(known)}")


def texture_of(items: Sequence[Any]) -> int:
    """Return the usual number of voices (tracks with pitched notes) of a set of pieces."""
    from componium.music.score import voices

    counts = [len(voices(item.content)) for item in items]
    return int(np.median(counts)) if counts else 0


def size_bytes(text: str) -> int | None:
    """Return how large a checkpoint is on disk; None for a model that needs none."""
    from componium.cli.origins import folder_of

    folder = folder_of(text)
    return None if folder is None else sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
