"""How likely a model finds music: nats per token, per frame and per onset, with the protocol named.

Two protocols. ``"jsb16"`` is the benchmark for four-voice chorales (JSB-16/tok): only pitches on a 16th grid,
voices in the order S, A, T, B, 47 symbols (MIDI 36-81 and rest), held and repeated notes not told apart, the
first token counted, nothing cut off, nothing transposed. Its figures may be compared with any others of that
protocol. ``"native"`` takes the tokens of the model itself, on any music; its figures compare settings of one
model, not models.

Pieces that a model learned from, or siblings of such pieces, are found by content hash and by melody
fingerprints (`componium.music.provenance`); the averages are given for all pieces and for those without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.report import Averages, LikelihoodReport, Overlap, PieceScore, average, classes
from componium.interface import Progress, TokenLikelihood, silent
from componium.music.corpus import Corpus, Item, Skipped, open_corpus
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, to_grid
from componium.music.provenance import shared_with_evaluation
from componium.music.score import VOICE_NAMES, Score

PROTOCOLS = {
    "jsb16": "four voices on a 16th grid, 47 symbols, S A T B, first token counted (JSB-16/tok)",
    "native": "the model's own tokens",
}
LOWEST_PITCH, HIGHEST_PITCH = 36, 81
STEPS_PER_BEAT = 4
VOICES = len(VOICE_NAMES)
OPENING_SHARE = 0.1
"""Share of the progress bar that opening the data takes."""

Data = str | Path | Corpus | Sequence[Item] | Sequence[str | Path]


def evaluate(model: Any, data: Data, *, protocol: str = "jsb16",
             progress: Progress = silent) -> LikelihoodReport:
    """Measure how likely a model finds music.

    Args:
        model: a model that has `log_likelihood` (and, where it is faster, ``log_likelihood_many(pieces)``).
            For the protocol ``jsb16`` it has to accept a `Grid` whose ties are not known.
        data: a file, a folder, a built-in name, a list of these, a `Corpus`, or a list of `Item`.
        protocol: a key of `PROTOCOLS`.
        progress: called with the fraction done.

    Returns:
        The report. Pieces that the protocol or the model cannot represent are named in ``report.skipped``.

    Raises:
        BadInput: the model does not judge music, no piece could be scored, or the model breaks the protocol
            (a wrong number of tokens, a probability of zero or above one).
        BadFile: the data cannot be read.
    """
    if protocol not in PROTOCOLS:
        raise BadInput(f"protocol {protocol!r} does not exist; the protocols are: {', '.join(PROTOCOLS)}")
    if not hasattr(model, "log_likelihood"):
        raise BadInput(f"the model {_name(model)} does not judge how likely music is, "
                       "so its likelihood cannot be evaluated")
    corpus = opened(data, partial(_part, progress, 0.0, OPENING_SHARE))
    items, pieces, skipped = _prepare(corpus, protocol)
    scored, refused = _score(model, items, pieces, partial(_part, progress, OPENING_SHARE, 1.0))
    skipped += refused
    if not scored:
        raise BadInput(_nothing(corpus, protocol, skipped))
    checked = [(item, _checked(model, item, piece, told, protocol)) for item, piece, told in scored]
    progress(1.0, f"{len(checked)} pieces")
    return _report(model, corpus, protocol, checked, skipped)


def opened(data: Data, progress: Progress) -> Corpus:
    """Return data as a corpus, whatever it is given as."""
    if isinstance(data, Corpus):
        return data
    if isinstance(data, Sequence) and data and all(isinstance(item, Item) for item in data):
        return Corpus([item for item in data if isinstance(item, Item)], name="items")
    return open_corpus(data, progress=progress)  # type: ignore[arg-type]


# What is scored: the pieces as the protocol sees them.

def _prepare(corpus: Corpus, protocol: str) -> tuple[list[Item], list[Score | Grid], list[Skipped]]:
    items: list[Item] = []
    pieces: list[Score | Grid] = []
    skipped = list(corpus.skipped)
    for item in corpus:
        try:
            piece = chorale_grid(item) if protocol == "jsb16" else _score_of(item)
        except BadInput as error:
            skipped.append(Skipped(item.name, str(error)))
            continue
        items.append(item)
        pieces.append(piece)
    return items, pieces, skipped


def chorale_grid(item: Item) -> Grid:
    """Return a piece as the protocol ``jsb16`` sees it: nothing but pitches [steps, 4] on a 16th grid.

    Raises:
        BadInput: not four voices on a 16th grid, or a pitch outside the 47 symbols.
    """
    grid = item.grid if item.grid is not None else to_grid(_score_of(item), steps_per_beat=STEPS_PER_BEAT)
    if grid.steps_per_beat != STEPS_PER_BEAT or grid.voice_count != VOICES:
        raise BadInput(f"it has {grid.voice_count} voices in {grid.steps_per_beat} steps a beat, and not "
                       f"{VOICES} voices in {STEPS_PER_BEAT}")
    sounding = grid.pitches[grid.pitches != REST]
    outside = sounding[(sounding < LOWEST_PITCH) | (sounding > HIGHEST_PITCH)]
    if outside.size:
        raise BadInput(f"the pitch {outside[0]} is outside the 47 symbols "
                       f"({LOWEST_PITCH} to {HIGHEST_PITCH} and rest)")
    if not sounding.size:
        raise BadInput("it holds no notes")
    silent_voices = int((grid.pitches == REST).all(axis=0).sum())
    if item.grid is None and silent_voices:  # rests all along are so easy to foretell that they flatter the figures
        raise BadInput(f"it has {VOICES - silent_voices} of the {VOICES} voices; try --protocol native")
    return Grid.from_pitches(grid.pitches)


def _score_of(item: Item) -> Score:
    if not isinstance(item.content, Score):
        raise BadInput("it is a recording, not a score")
    return item.content


# Scoring: all at once where the model can, else piece by piece, so that one bad piece costs only itself.

_Scored = tuple[Item, Score | Grid, TokenLikelihood]


def _score(model: Any, items: list[Item], pieces: list[Score | Grid],
           progress: Progress) -> tuple[list[_Scored], list[Skipped]]:
    if pieces and hasattr(model, "log_likelihood_many"):
        try:
            told = model.log_likelihood_many(pieces, progress=progress)
            return list(zip(items, pieces, told, strict=True)), []
        except BadInput:
            pass  # one of them cannot be scored: find out which
    scored: list[_Scored] = []
    refused = []
    for number, (item, piece) in enumerate(zip(items, pieces, strict=True)):
        progress(number / len(items), item.name)
        try:
            scored.append((item, piece, model.log_likelihood(piece)))
        except BadInput as error:
            refused.append(Skipped(item.name, str(error)))
    return scored, refused


def _checked(model: Any, item: Item, piece: Score | Grid, told: TokenLikelihood,
             protocol: str) -> TokenLikelihood:
    """Hold the model to the protocol; onsets of ``jsb16`` are counted here and not by the model."""
    nats = np.asarray(told.nats, np.float64)
    if not np.isfinite(nats).all():
        raise BadInput(f"{item.name}: the model {_name(model)} gives what is there a probability of zero, so "
                       "there is no average; a model that is evaluated has to leave something for everything")
    if nats.size == 0 or float(nats.min()) < -1e-9:
        raise BadInput(f"{item.name}: the model {_name(model)} gives no probabilities "
                       "(its nats are missing or negative)")
    if protocol != "jsb16":
        return told
    assert isinstance(piece, Grid)
    return dataclasses.replace(told, onset=_onsets_in_order(model, item, piece, told))


def _onsets_in_order(model: Any, item: Item, grid: Grid, told: TokenLikelihood) -> npt.NDArray[np.bool_]:
    cells = np.asarray(told.step, np.int64) * VOICES + np.asarray(told.voice, np.int64)
    every_cell = np.arange(grid.pitches.size)
    if len(told.nats) != len(every_cell) or not np.array_equal(np.sort(cells), every_cell):
        raise BadInput(f"{item.name}: the model {_name(model)} tells of {len(told.nats)} tokens, not once "
                       f"of each of the {len(grid)} x {VOICES} cells of the protocol; try --protocol native")
    return onsets(grid).reshape(-1)[cells]


def onsets(grid: Grid) -> npt.NDArray[np.bool_]:
    """Return which cells [steps, voices] are onsets: they differ from the same voice one step earlier.

    All cells of the first step are onsets.
    """
    changed = np.ones(grid.pitches.shape, bool)
    changed[1:] = grid.pitches[1:] != grid.pitches[:-1]
    return changed


# The report.

def _report(model: Any, corpus: Corpus, protocol: str, checked: list[tuple[Item, TokenLikelihood]],
            skipped: list[Skipped]) -> LikelihoodReport:
    overlap = overlap_of(model, [item for item, _ in checked])
    flags = overlap.flags()
    pieces = tuple(_piece(item, told, flags.get(item.name, "")) for item, told in checked)
    told = [each for _, each in checked]
    voice_count = VOICES if protocol == "jsb16" else None
    clean = [each for each, piece in zip(told, pieces, strict=True) if not piece.seen]
    leak_free: Averages | None = None
    if overlap.known:
        leak_free = average(clean, voice_count) if clean else None
    return LikelihoodReport(
        model=_name(model), data=corpus.name, protocol=protocol, protocol_text=PROTOCOLS[protocol],
        tokenisation=", ".join(sorted({each.tokenisation for each in told})),
        learned_from=str(getattr(model, "provenance", {}).get("data", "")),
        all_pieces=average(told, voice_count), leak_free=leak_free, overlap=overlap,
        by_voice=classes(told, [each.voice for each in told], _voice_label),
        by_place_in_beat=classes(told, [each.step % each.steps_per_beat for each in told], str),
        pieces=pieces, skipped=tuple(skipped),
    )


def overlap_of(model: Any, items: Sequence[Item]) -> Overlap:
    """Return which pieces a model learned from, and which are siblings of such pieces."""
    provenance = getattr(model, "provenance", {})
    if not provenance.get("hashes"):
        return Overlap(False, (), ())
    shared = shared_with_evaluation(provenance, items)
    return Overlap(True, shared.same, shared.siblings)


def _piece(item: Item, told: TokenLikelihood, seen: str) -> PieceScore:
    total, count, onset_count = float(np.sum(told.nats)), len(told.nats), int(np.sum(told.onset))
    return PieceScore(item.name, count, onset_count, total / count,
                      total / onset_count if onset_count else None, seen)


def _voice_label(voice: int) -> str:
    return VOICE_NAMES[voice] if voice < VOICES else f"voice {voice + 1}"


def _nothing(corpus: Corpus, protocol: str, skipped: list[Skipped]) -> str:
    first = f" (the first: {skipped[0].name}: {skipped[0].reason})" if skipped else ""
    return f"{corpus.name}: no piece could be scored by the protocol {protocol}{first}"


def _part(progress: Progress, begin: float, end: float, done: float, message: str = "") -> None:
    progress(begin + done * (end - begin), message)


def _name(model: Any) -> str:
    return str(getattr(model, "name", type(model).__name__))
