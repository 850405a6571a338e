"""Answering: how a model's reply to a phrase agrees with it, and whether it is more than an echo or a stranger.

Conventions.

- A *call* is the beginning of a held-out piece, so many bars from its first note on: a pickup belongs to it, and the
  upbeat of what follows does not. Of a piece of several voices it is the top line. The model replies once to every
  call. Pieces that change their meter there, or are shorter than twice that, are left out.
- Pieces that the model learned from (by hash of content) are left out where the data holds others; how many is told.
- Beside each figure stand those of three other phrases in place of the reply: the *continuation*, the next so many bars
  of the same piece; something *unrelated*, the continuation of another piece in the same meter (any, where there is
  none); and a *copy*, the call itself. A figure of the reply means something between these only.
- *Key*: the share of the reply's notes in the scale of the key that `theory.key_of` finds in the call (the leading note
  of minor counts as in it), and whether the same key is found in both. Four bars often leave the key open: the
  continuation says how far agreement can go.
- *Meter*: how much of the reply's sound begins on each 16th of the bar (onsets weighted by length), correlated with the
  same of the call; and the share of onsets on a beat of the meter, of the reply alone.
- *Contour*: correlation (Pearson, not below 0) of the pitch at each 16th, the last one held through rests, of two
  phrases laid on each other at the best lag of whole bars; times the share of the bars of the shorter phrase that meet.
  1 is a copy, transposed or not. *Rhythm*: the same lags, with the share of onsets that are common (F1, on a grid of
  1/12 beat), mean over the bars.
- *The band* of contour and rhythm reaches from the median of the unrelated phrases to the 95th percentile of the
  continuations, those left out that repeat the call (contour and rhythm above 0.95 both: a repeat that is written out).
  Below it a reply has no more of the call than a stranger; above it, it keeps nearer to the call than nearly all
  composers do who go on at all. By this definition half of the unrelated phrases lie in the band or above it, and a
  share says nothing without theirs. Where pieces go on in the same rhythm, as jigs do, the band of rhythm reaches to 1:
  then only the contour tells an echo.
- *Closure*: the phrase ends on a note of the tonic triad of the call's key; that note begins on a beat; it lasts, with
  the rest after it, longer than the median note; and the mean of the three.
- *Variety*, of several replies to one call: the mean distance of all pairs (1 less the F1 of their notes: pitch and
  start), and the share of different ones. *Repetition*: the longest run of one pitch, and whether a reply is *stuck*:
  without a note, or with one pitch alone. *Copied*: the longest run of notes with the pitches and lengths of the call.
- A reply without notes has similarities of 0 and is stuck; what is not defined for it is left out of the means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.answering_report import MEASURES, ROWS, AnsweringReport, Band, Estimate
from componium.evaluation.likelihood import Data, opened, overlap_of
from componium.evaluation.phrases import Phrase, compared, distance, excerpt, phrase_of
from componium.interface import Progress, silent
from componium.music import score as scores
from componium.music.corpus import Item, Skipped
from componium.music.errors import BadInput
from componium.music.keys import Key
from componium.music.score import CLOSE_BEATS, Score, bar_beats, meter, pickup_beats
from componium.music.theory import key_of

Floats = npt.NDArray[np.float64]

REPEATED = 0.95
UPPER_PERCENTILE = 95.0
FEWEST_NOTES = 4
"""A call with fewer notes has no contour, and leaves every key open."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A call, what follows it in its piece, and both as phrases."""

    name: str
    score: Score
    phrase: Phrase
    continuation: Phrase
    key: Key


def answering(model: Any, data: Data, *, bars: int = 4, seed: int = 0, most: int | None = None, replies: int = 20,
              varied: int = 10, progress: Progress = silent, **arguments: Any) -> AnsweringReport:
    """Let a model reply to the beginnings of pieces, and measure how the replies agree with them.

    Args:
        model: a model that has `respond`.
        data: pieces that it has not learned from, in any form that `likelihood.evaluate` takes.
        bars: length of a call.
        seed: of the first reply; the replies after it have those that follow.
        most: the first so many pieces of the data only.
        replies: so many are given to one call for the variety.
        varied: to so many calls.
        progress: called with the fraction done.
        **arguments: of `respond`, such as ``temperature=0.8``.

    Raises:
        BadInput: the model does not respond, or there is no piece to measure.
    """
    if not hasattr(model, "respond"):
        raise BadInput(f"the model {model.name} answers no phrases (it has no respond)")
    if bars < 1 or replies < 2:
        raise BadInput(f"bars={bars}, replies={replies}: a call has at least one bar, and variety at least two replies")
    corpus = opened(data, silent)
    unlearned = not_learned(model, list(corpus))
    items, skipped, calls, answers = unlearned[:most], list(corpus.skipped), [], []
    for number, item in enumerate(items):
        progress(0.5 * number / len(items), item.name)
        try:
            call = call_of(item, bars)
            answers.append(model.respond(call.score, seed=seed + number, **arguments))
            calls.append(call)
        except BadInput as error:
            skipped.append(Skipped(item.name, str(error)))
    if not calls:
        first = f" (the first: {skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise BadInput(f"{corpus.name}: the model {model.name} answered no call that could be measured{first}")
    sets = _beside(calls, answers, seed)
    variety = []
    for number, call in enumerate(calls[:varied]):
        progress(0.5 + 0.5 * number / min(varied, len(calls)), "asking again")
        variety.append(_variety(model, call, seed, replies, arguments))
    known = {name: _values(calls, phrases) for name, phrases in sets.items()}
    table = {measure: {name: Estimate.of(values[measure]) for name, values in known.items()} for measure in MEASURES}
    spread = np.array(variety, np.float64)
    return AnsweringReport(
        model.name, corpus.name, len(calls), bars, seed, dict(arguments), table,
        {name: band_of(name, known) for name in ("contour", "rhythm")},
        _in_both(known), replies, len(variety),
        {"distance": Estimate.of(spread[:, 0]), "distinct": Estimate.of(spread[:, 1]),
         "distance_unrelated": Estimate.of(np.array([distance(*pair) for pair in zip(
             sets["continuation"], sets["unrelated"], strict=True)]))},
        _seen(model, items, len(corpus) - len(unlearned)),
        tuple(skipped), [call.name for call in calls], [call.score for call in calls], answers)


def not_learned(model: Any, items: Sequence[Item]) -> list[Item]:
    """Return the items that a model has not learned from; all of them where it learned from all."""
    learned = set(getattr(model, "provenance", {}).get("hashes", ()))
    return [item for item in items if not item.hash or item.hash not in learned] or list(items)


def _seen(model: Any, items: Sequence[Item], left_out: int) -> str:
    """Say what the model has seen of the pieces, and how many that it has learned from were left out."""
    told = overlap_of(model, items).sentence(len(items)).replace(" The column `leak-free` leaves them out.", "")
    return f"{told} The {left_out:,} pieces of the data that it did learn from are left out." if left_out else told


def call_of(item: Item, count: int) -> Call:
    """Return the call of a piece; raises `BadInput` where it is too short, or changes its meter."""
    score = item.content
    if not isinstance(score, Score):
        raise BadInput("it is a recording, not a score")
    pickup, length = pickup_beats(score), bar_beats(*meter(score)) * count
    full = [bar for bar in scores.bars(score) if bar.index > 0]
    if len(full) < 2 * count:
        raise BadInput(f"it has {len(full)} bars: a call of {count} and its continuation need {2 * count}")
    lasting = {bar.end_beats - bar.start_beats for bar in full[:2 * count - bool(pickup)]}
    if max(lasting) - min(lasting) > CLOSE_BEATS:
        raise BadInput(f"it changes its meter in the first {2 * count} bars")
    call = excerpt(score, 0.0, length, pickup)
    following = excerpt(score, length, 2 * length, pickup)
    phrase, after = phrase_of(call), phrase_of(following)
    if min(len(phrase), len(after)) < FEWEST_NOTES:
        raise BadInput(f"its first {count} bars, or the next, have fewer than {FEWEST_NOTES} notes")
    return Call(item.name, call, _ended(phrase, length), _ended(after, length), key_of(call)[0])


def _ended(phrase: Phrase, length: float) -> Phrase:
    """Return a phrase that is so long, whatever its last bar lacks."""
    return dataclasses.replace(phrase, stops=phrase.begins + length)


def _beside(calls: Sequence[Call], answers: Sequence[Score], seed: int) -> dict[str, list[Phrase]]:
    """Return what stands beside each call, by the names of `ROWS`."""
    order = np.random.default_rng(seed).permutation(len(calls)).tolist()
    unrelated = []
    for number, call in enumerate(calls):
        others = [other for other in order if other != number]
        fitting = [other for other in others if calls[other].phrase.bar == call.phrase.bar] or others or [number]
        unrelated.append(calls[fitting[number % len(fitting)]].continuation)
    return dict(zip(ROWS, ([phrase_of(each) for each in answers], [call.continuation for call in calls], unrelated,
                           [call.phrase for call in calls]), strict=True))


def _values(calls: Sequence[Call], phrases: Sequence[Phrase]) -> dict[str, Floats]:
    rows = [compared(phrase, call.phrase, call.key) for call, phrase in zip(calls, phrases, strict=True)]
    return {name: np.array([row[name] for row in rows], np.float64) for name in MEASURES}


def _variety(model: Any, call: Call, seed: int, count: int, arguments: Mapping[str, Any]) -> tuple[float, float]:
    """Return the mean distance of all pairs of replies to a call, and the share of different ones."""
    heard = []
    for number in range(count):
        try:
            heard.append(phrase_of(model.respond(call.score, seed=seed + number, **arguments)))
        except BadInput:
            continue
    if len(heard) < 2:
        return float("nan"), float("nan")
    pairs = [distance(one, other) for place, one in enumerate(heard) for other in heard[:place]]
    different = {(each.starts.tobytes(), each.ends.tobytes(), each.pitches.tobytes()) for each in heard}
    return float(np.mean(pairs)), len(different) / len(heard)


def limits(unrelated: Floats, continuations: Floats, repeated: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the ends of the band: median of the unrelated, 95th percentile of the continuations that do not repeat."""
    kept = continuations[~repeated] if (~repeated).any() else continuations
    low = float(np.median(unrelated))
    return low, max(low, float(np.percentile(kept, UPPER_PERCENTILE)))


def band_of(name: str, known: Mapping[str, Mapping[str, Floats]]) -> Band:
    """Return the band of a similarity, and what share of each set lies in it, below and above it."""
    low, high = _limits(name, known)
    return Band(low, high, {row: (float((values[name] < low).mean()),
                                  float(((values[name] >= low) & (values[name] <= high)).mean()),
                                  float((values[name] > high).mean())) for row, values in known.items()})


def _limits(name: str, known: Mapping[str, Mapping[str, Floats]]) -> tuple[float, float]:
    following = known["continuation"]
    repeated = (following["contour"] > REPEATED) & (following["rhythm"] > REPEATED)
    return limits(known["unrelated"][name], following[name], repeated)


def _in_both(known: Mapping[str, Mapping[str, Floats]]) -> dict[str, float]:
    """Return what share of each set lies in the bands of contour and rhythm both."""
    found, ends = {}, {name: _limits(name, known) for name in ("contour", "rhythm")}
    for row, values in known.items():
        inside = [(values[name] >= low) & (values[name] <= high) for name, (low, high) in ends.items()]
        found[row] = float(np.logical_and(*inside).mean())
    return found
