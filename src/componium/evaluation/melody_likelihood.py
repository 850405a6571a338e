"""How well a model foresees one line, beside a back-off chain that counted the pieces that the model learned from.

Conventions.

- Music is symbols on a grid of 16ths, as the model itself prepares them: a hold (the note goes on), a rest (written
  anew at each 16th), or the onset of a pitch. Nothing but real steps is counted: the first one counts, a stop symbol
  does not. A model that moves melodies to C judges them there, and the chain counts and judges the same symbols; so
  the ratio of the two may be compared between models, and nats between models that hear the same symbols.
- The *test pieces* are those of the data that the model neither learned from nor held out (by hash of content). Where
  there are none, they are the held-out ones, which the training chose its weights by.
- The *chain* is a Witten-Bell back-off chain (`componium.evaluation.back_off`) of orders 0, 1, 2 and 4. It counts the
  pieces of the data that the model learned from, and those held out where they are not the test pieces. Where the model
  learned from none of the data, there is nothing that both could have learned from, and no chain.
- *Nats per 16th*: all nats by all steps (token mean; long pieces count more), and the mean of the pieces' own means.
  *Per onset*: all nats by the number of onsets: notes, and beginnings of rests. *Holds, rests, onsets*: what steps of
  each kind add to the token mean; here onsets are notes.
- *Accuracy*: the share of steps whose symbol was the likeliest.
- The *ratio* is that of the token means of the model and of the chain of order 4, with a 95 % interval over pieces
  (`componium.evaluation.bootstrap`).
- *Leak-free* pieces share no melody with one that the model learned from (`componium.music.provenance`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.back_off import BackOffChain
from componium.evaluation.bootstrap import interval
from componium.evaluation.likelihood import Data, opened, overlap_of
from componium.evaluation.melody_report import CHAIN, KINDS, MODEL, Judgement, MelodyPiece, MelodyReport, Ratio
from componium.evaluation.report import average, classes
from componium.interface import Progress, TokenLikelihood, silent
from componium.music.corpus import Corpus, Item, Skipped
from componium.music.errors import BadInput
from componium.tokens.grid import FIRST_PITCH, HOLD, REST, GridTokens

STEPS_PER_BEAT = 4
ORDERS = (4, 2, 1, 0)
BESIDE = CHAIN.format(ORDERS[0])
"""The judge that the model is compared with."""

Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Line:
    """A piece and its symbols [steps]."""

    item: Item
    symbols: Ints


@dataclasses.dataclass(frozen=True)
class Lines:
    """The pieces of the data, by what the model has seen of them, and those that it cannot hear."""

    learned: tuple[Line, ...]
    held_out: tuple[Line, ...]
    new: tuple[Line, ...]
    skipped: tuple[Skipped, ...]


def melody_likelihood(model: Any, data: Data, *, most: int | None = None, seed: int = 0,
                      progress: Progress = silent) -> MelodyReport:
    """Measure how well a model foresees melodies that are new to it, beside a chain.

    Args:
        model: has `log_likelihood`, `prepare` (whose ``symbols`` are one line) and ``tokens`` of one voice.
        data: in any form that `likelihood.evaluate` takes; best the whole that a part was learned from.
        most: so many of the test pieces only.
        seed: of the draws of the interval.
        progress: called with the fraction done.

    Raises:
        BadInput: the model does not judge one line, or there is nothing to judge.
    """
    check_model(model)
    corpus = opened(data, partial(_part, progress, 0.0, 0.1))
    lines = lines_of(model, corpus, partial(_part, progress, 0.1, 0.6))
    tested = (lines.new or lines.held_out)[:most]
    if not tested:
        raise BadInput(_nothing(model, corpus, lines))
    judged, refused = _judged(model, tested, partial(_part, progress, 0.6, 0.9))
    if not judged:
        raise BadInput(f"{corpus.name}: the model {model.name} judged none of {len(tested)} test pieces (the first: "
                       f"{refused[0].name}: {refused[0].reason})")
    counted = (*lines.learned, *(lines.held_out if lines.new else ())) if lines.learned else ()
    told = {MODEL: [each for _, each in judged]}
    for number, order in enumerate(ORDERS if counted else ()):
        progress(0.9 + 0.1 * number / len(ORDERS), f"a chain of order {order}")
        chain = BackOffChain(order, model.tokens.size).fit([line.symbols for line in counted])
        told[CHAIN.format(order)] = [_by_chain(chain, line, each) for line, each in judged]
    progress(1.0, f"{len(judged)} pieces")
    return _report(model, corpus, lines, [line for line, _ in judged], told, refused, len(counted), seed)


def check_model(model: Any) -> None:
    """Raise `BadInput` for a model that does not judge one line on a grid of 16ths."""
    tokens = getattr(model, "tokens", None)
    if not hasattr(model, "log_likelihood"):
        raise BadInput(f"the model {model.name} does not judge how likely music is; --protocol melody is for models of "
                       "one line, such as melody-lstm")
    if not hasattr(model, "prepare") or not isinstance(tokens, GridTokens) or tokens.voices != 1:
        raise BadInput(f"the model {model.name} does not judge one line alone: --protocol melody is for models of one "
                       "line, such as melody-lstm; jsb16 is for chorales, and native for any model")
    if tokens.steps_per_beat != STEPS_PER_BEAT:
        raise BadInput(f"the model {model.name} hears {tokens.steps_per_beat} steps a quarter note, and "
                       f"--protocol melody is on 16ths ({STEPS_PER_BEAT})")


def lines_of(model: Any, corpus: Corpus, progress: Progress = silent) -> Lines:
    """Return the lines of a corpus as a model prepares them, by what it has seen of them."""
    hashes = [set(model.provenance.get(name, ())) for name in ("hashes", "held_out_hashes")]
    parts: tuple[list[Line], ...] = ([], [], [])
    skipped = list(corpus.skipped)
    for number, item in enumerate(corpus):
        progress(number / len(corpus), f"preparing {item.name}")
        try:
            symbols = np.asarray(model.prepare(item)["symbols"]).astype(np.int64)
        except BadInput as error:
            skipped.append(Skipped(item.name, str(error)))
            continue
        seen = next((place for place, known in enumerate(hashes) if item.hash and item.hash in known), 2)
        parts[seen].append(Line(item, symbols))
    learned, held_out, new = (tuple(part) for part in parts)
    return Lines(learned, held_out, new, tuple(skipped))


def kinds_of(symbols: Ints) -> Ints:
    """Return what each symbol is, as its place in `KINDS`: [steps]."""
    return np.where(symbols == HOLD, 0, np.where(symbols == REST, 1, 2))


def onsets_of(symbols: Ints) -> npt.NDArray[np.bool_]:
    """Return which steps are onsets: notes, and beginnings of rests; [steps]."""
    begun: npt.NDArray[np.bool_] = (symbols >= FIRST_PITCH) | (
        (symbols == REST) & (np.append(HOLD, symbols[:-1]) != REST))
    return begun


def ratio_of(model: Sequence[TokenLikelihood], chain: Sequence[TokenLikelihood], seed: int) -> Ratio:
    """Return the ratio of two judges' nats, with an interval over pieces."""
    sums = np.array([[each.nats.sum() for each in judge] for judge in (model, chain)])  # [2, pieces]

    def ratios(places: Ints) -> npt.NDArray[np.float64]:
        mine, theirs = sums[:, places].sum(-1)  # [draws] each
        found: npt.NDArray[np.float64] = mine / theirs
        return found

    low, high = interval(sums.shape[1], ratios, seed)
    return Ratio(float(sums[0].sum() / sums[1].sum()), low, high)


def _judged(model: Any, tested: Sequence[Line],
            progress: Progress) -> tuple[list[tuple[Line, TokenLikelihood]], list[Skipped]]:
    """Return the test pieces with the model's judgements, and those that it refuses; at once where it can."""
    contents = [line.item.content for line in tested]
    if hasattr(model, "log_likelihood_many"):
        try:
            many = model.log_likelihood_many(contents, progress=progress)
            return [(line, _checked(model, line, each)) for line, each in zip(tested, many, strict=True)], []
        except BadInput:
            pass  # one of them cannot be judged: find out which
    judged, refused = [], []
    for number, line in enumerate(tested):
        progress(number / len(tested), line.item.name)
        try:
            judged.append((line, _checked(model, line, model.log_likelihood(line.item.content))))
        except BadInput as error:
            refused.append(Skipped(line.item.name, str(error)))
    return judged, refused


def _checked(model: Any, line: Line, told: TokenLikelihood) -> TokenLikelihood:
    """Hold a model to the protocol: finite nats of the very steps that it prepares; onsets are counted here."""
    nats = np.asarray(told.nats, np.float64)
    if len(nats) != len(line.symbols) or told.steps_per_beat != STEPS_PER_BEAT or np.any(told.voice != told.voice[0]):
        raise BadInput(f"{line.item.name}: the model {model.name} judges {len(nats)} tokens, and prepares "
                       f"{len(line.symbols)} 16ths of one line")
    if not np.isfinite(nats).all() or nats.min() < -1e-9:
        raise BadInput(f"{line.item.name}: the nats of the model {model.name} are no logarithms of probabilities above "
                       "zero")
    return dataclasses.replace(told, nats=nats, onset=onsets_of(line.symbols))


def _by_chain(chain: BackOffChain, line: Line, told: TokenLikelihood) -> TokenLikelihood:
    nats, right = chain.judged(line.symbols)
    return dataclasses.replace(told, nats=nats, right=right)


def _report(model: Any, corpus: Corpus, lines: Lines, tested: Sequence[Line],
            told: Mapping[str, Sequence[TokenLikelihood]], refused: Sequence[Skipped], counted: int,
            seed: int) -> MelodyReport:
    overlap = overlap_of(model, [line.item for line in tested])
    flags = overlap.flags()
    clean = [place for place, line in enumerate(tested) if not flags.get(line.item.name)]
    free = {name: [those[place] for place in clean] for name, those in told.items()} if overlap.known and clean else {}
    keys = [kinds_of(line.symbols) for line in tested]
    beside: Sequence[TokenLikelihood | None] = told.get(BESIDE, [None] * len(tested))
    return MelodyReport(
        model=model.name, data=corpus.name, seed=seed, learned_from=str(model.provenance.get("data", "")),
        knows_its_data=overlap.known, learned_pieces=len(lines.learned), held_out_pieces=len(lines.held_out),
        new_pieces=len(lines.new), tested="new" if lines.new else "held out", refused=tuple(refused),
        counted_pieces=counted,
        judges={name: _judgement(those, keys) for name, those in told.items()},
        leak_free={name: _judgement(those, [keys[place] for place in clean]) for name, those in free.items()},
        ratio=ratio_of(told[MODEL], told[BESIDE], seed) if counted else None,
        leak_free_ratio=ratio_of(free[MODEL], free[BESIDE], seed) if counted and free else None,
        siblings=overlap.siblings,
        pieces=tuple(MelodyPiece(line.item.name, len(line.symbols), int(mine.onset.sum()), float(mine.nats.mean()),
                                 None if chain is None else float(chain.nats.mean()), line.item.name in flags)
                     for line, mine, chain in zip(tested, told[MODEL], beside, strict=True)),
        skipped=lines.skipped)


def _judgement(told: Sequence[TokenLikelihood], keys: Sequence[Ints]) -> Judgement:
    right = [each.right for each in told if each.right is not None]
    accuracy = float(np.concatenate(right).mean()) if len(right) == len(told) else None
    return Judgement(average(told, 1), accuracy, classes(told, keys, KINDS.__getitem__))


def _nothing(model: Any, corpus: Corpus, lines: Lines) -> str:
    if lines.learned:
        return (f"the model {model.name} learned from all {len(lines.learned)} pieces of {corpus.name} that it hears, "
                "so none is left to judge; give others, or train with train.unseen=0.1, which keeps a tenth aside")
    first = f" (the first: {lines.skipped[0].name}: {lines.skipped[0].reason})" if lines.skipped else ""
    return f"{corpus.name}: the model {model.name} hears a melody in none of its pieces{first}"


def _part(progress: Progress, begin: float, end: float, done: float, message: str = "") -> None:
    progress(begin + done * (end - begin), message)
