"""Harmonising: voices of held-out chorales are taken away and filled in by a model; how far is that from Bach?

Conventions.

- Pieces have four voices on a 16th grid (the protocol ``jsb16`` of `componium.evaluation.likelihood`). The model is
  given the other voices, the meter, the fermatas and the length, as far as the data know them; its result has to hold
  these voices unchanged.
- The *token error* is the share of the cells (16ths of the voices that were taken away) whose pitch, or rest, is not
  Bach's; the *frame error* the share of the 16ths in which any of these voices differs; the *error at onsets* the
  token error over the cells in which Bach strikes a note, where holding on does not help. Pooled over all cells of all
  pieces, and as a mean over pieces with its standard error.
- Another harmony than Bach's can be as good. So each result, its given voices in place, is also measured as a piece
  (`componium.evaluation.harmony`): faults of part-writing, cadences at phrase ends (fermatas, and the last chord),
  chords and their functions, each beside the same measure of Bach's own pieces; means over the pieces that have it.
  The key is Bach's in both. ``same_root`` and ``same_function`` are the shares of the beats on which the root, or the
  function in its local key, is that of Bach's chord.
- The figures of BachBot's author (Liang, 2016) stand beside: `THESIS`. They fill in greedily in keys that are
  normalised, on a split of their own, and how they were counted is not stated in full (that with fewer voices given the
  errors become fewer is odd): they tell the order of size, not more.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation import harmony
from componium.evaluation.harmonising_report import FUNCTIONS, Error, Filled, HarmonisingReport, Music, PieceErrors
from componium.evaluation.likelihood import Data, chorale_grid, opened, overlap_of
from componium.interface import Progress, silent
from componium.music.corpus import Skipped
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid, to_grid
from componium.music.item import Item
from componium.music.score import END, VOICE_NAMES, Score, TextMeta, end_beats, key_signature_of
from componium.music.theory import key_of

PARTS = ("S", "A", "T", "B", "AT", "ATB")
"""What is taken away, by the first letters of the voices; every choice of one to three letters may be asked for."""
THESIS: dict[str, tuple[float, float | None]] = {
    "S": (46.8, None), "A": (55.8, None), "T": (76.5, None), "B": (75.9, None), "AT": (31.4, 21.3),
    "ATB": (28.2, 12.2)}
"""Part -> token error and frame error in per cent of BachBot (Liang, 2016)."""
LETTERS = "SATB"


def harmonising(model: Any, data: Data, *, parts: Sequence[str] = PARTS, seed: int = 0, most: int | None = None,
                progress: Progress = silent, **arguments: Any) -> HarmonisingReport:
    """Let a model fill in voices of chorales, and compare the result with Bach's.

    Args:
        model: a model that has `harmonize` (and, where it is faster, ``harmonize_many(scores, seed=[...])``). Where
            it has an argument ``given``, it is told the names of the voices that it gets, ``"soprano,bass"``.
        data: chorales that it has not learned from, in any form that `likelihood.evaluate` takes.
        parts: what is taken away, e.g. ``"S"`` or ``"ATB"``.
        seed: of the first piece; the pieces after it have those that follow.
        most: the first so many pieces of the data only.
        progress: called with the fraction done.
        **arguments: of the model's `harmonize`, such as ``method="beam"``.

    Raises:
        BadInput: the model cannot harmonise, has no such argument, changes what it is given, or there is no piece that
            it can fill in; or such parts do not exist.
    """
    chosen = [_part(part) for part in parts]
    _check(model, arguments)
    corpus = opened(data, silent)
    skipped = list(corpus.skipped)
    pieces = _pieces(list(corpus)[:most], skipped)
    for number, part in enumerate(chosen):
        def share(fraction: float, _message: str = "", done: int = number, name: str = part) -> None:
            progress((done + fraction) / len(chosen), f"filling in {name}")

        _fill(model, pieces, part, seed, arguments, share)
    refused = [piece for piece in pieces if piece.refused]
    skipped += [Skipped(piece.item.name, piece.refused) for piece in refused]
    done = [piece for piece in pieces if not piece.refused]
    if not done:
        first = f" (the first: {skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise BadInput(f"{corpus.name}: no piece could be filled in by the model {model.name}{first}")
    return _report(model, corpus.name, chosen, done, skipped, seed, arguments)


@dataclasses.dataclass
class _Piece:
    """A chorale, and what the model made of it: part -> the whole piece with the new voices."""

    item: Item
    grid: Grid
    bach: Score
    made: dict[str, Grid] = dataclasses.field(default_factory=dict)
    refused: str = ""


def _part(letters: str) -> str:
    """Return a part in the order of the voices, capital letters."""
    found = "".join(letter for letter in LETTERS if letter in letters.upper())
    if not 1 <= len(found) < len(LETTERS) or len(found) != len(letters):
        raise BadInput(f"{letters!r} is no part to be filled in: give one to three of the letters S, A, T, B")
    return found


def _check(model: Any, arguments: Mapping[str, Any]) -> None:
    if not hasattr(model, "harmonize"):
        raise BadInput(f"the model {model.name} does not harmonise, so this cannot be measured")
    for name in arguments:
        if name not in inspect.signature(model.harmonize).parameters:
            raise BadInput(f"harmonize of the model {model.name} has no argument {name}")


def _pieces(items: Sequence[Item], skipped: list[Skipped]) -> list[_Piece]:
    found = []
    for item in items:
        try:
            chorale_grid(item)
            grid = item.grid if item.grid is not None else to_grid(item.content)  # type: ignore[arg-type]
            found.append(_Piece(item, grid, from_grid(grid)))
        except BadInput as error:
            skipped.append(Skipped(item.name, str(error)))
    return found


# Filling in.

def _fill(model: Any, pieces: Sequence[_Piece], part: str, seed: int, arguments: Mapping[str, Any],
          progress: Progress) -> None:
    """Fill in a part of every piece that was not refused before; keeps the results or the refusals in the pieces."""
    given = [voice for voice, letter in enumerate(LETTERS) if letter not in part]
    extra = dict(arguments)
    if "given" in inspect.signature(model.harmonize).parameters:
        extra["given"] = ",".join(VOICE_NAMES[voice].lower() for voice in given)
    waiting = [(number, piece) for number, piece in enumerate(pieces) if not piece.refused]
    results = _together(model, [without(piece.grid, part) for _, piece in waiting],
                        [seed + number for number, _ in waiting], extra, progress)
    for place, (number, piece) in enumerate(waiting):
        try:
            if results is None:
                made = model.harmonize(without(piece.grid, part), seed=seed + number, **extra)
            else:
                made = results[place]
            piece.made[part] = completed(piece.grid, to_grid(made), part, f"{piece.item.name}: {model.name}")
        except BadInput as error:
            piece.refused = str(error)
        progress((place + 1) / len(waiting), piece.item.name)


def _together(model: Any, scores: list[Score], seeds: list[int], arguments: Mapping[str, Any],
              progress: Progress) -> list[Score] | None:
    """Return all results at once from a model that can, else None; also where one of the pieces is refused."""
    if not scores or not hasattr(model, "harmonize_many"):
        return None
    try:
        return list(model.harmonize_many(scores, seed=seeds, progress=progress, **arguments))
    except BadInput:
        return None


def without(grid: Grid, part: str) -> Score:
    """Return a chorale without the voices of a part; a marker keeps its length."""
    score = from_grid(grid)
    whole = end_beats(score)
    for name in (VOICE_NAMES[LETTERS.index(letter)] for letter in part):
        del score.tracks[[track.name for track in score.tracks].index(name)]
    if end_beats(score) < whole:
        score.markers.append(TextMeta(whole, END))
    return score


def completed(bach: Grid, made: Grid, part: str, who: str) -> Grid:
    """Return Bach's piece with the voices of a part as they were made; what is missing at the end is a rest.

    Raises:
        BadInput: one of the other voices is not Bach's any more.
    """
    rows = min(len(bach), len(made))
    pitches, held = np.full_like(bach.pitches, REST), np.zeros_like(bach.held)
    pitches[:rows], held[:rows] = made.pitches[:rows], made.held[:rows]
    for voice, letter in enumerate(LETTERS):
        if letter in part:
            continue
        if not np.array_equal(pitches[:, voice], bach.pitches[:, voice]):
            raise BadInput(f"{who} changed the {VOICE_NAMES[voice].lower()} that it was given")
        held[:, voice] = bach.held[:, voice]
    if not bach.ties_known:
        held = Grid.from_pitches(pitches).held
    return dataclasses.replace(bach, pitches=pitches, held=held)


# The report.

def _report(model: Any, data: str, parts: Sequence[str], done: Sequence[_Piece], skipped: Sequence[Skipped], seed: int,
            arguments: Mapping[str, Any]) -> HarmonisingReport:
    overlap = overlap_of(model, [piece.item for piece in done])
    seen = overlap.flags()
    keys = [key_signature_of(piece.bach) or key_of(piece.bach)[0] for piece in done]
    bach_scores = [from_grid(piece.grid, key=key) for piece, key in zip(done, keys, strict=True)]
    bach_music, bach_chords = music_of(bach_scores)
    clean = [not seen.get(piece.item.name) for piece in done]
    filled, per_piece = {}, {piece.item.name: PieceErrors(piece.item.name, seen.get(piece.item.name, ""))
                             for piece in done}
    for part in parts:
        errors = [errors_of(piece.grid, piece.made[part], part) for piece in done]
        scores = [from_grid(piece.made[part], key=key) for piece, key in zip(done, keys, strict=True)]
        music, chords = music_of(scores)
        token, frame, onset = (Error.of([each[kind] for each in errors]) for kind in range(3))
        assert token is not None and frame is not None
        unseen = Error.of([each[0] for each in _only(errors, clean)]) if overlap.known else None
        filled[part] = Filled(part, token, frame, onset, unseen, *agreement(bach_chords, chords), music,
                              THESIS.get(part, (None, None)))
        for piece, each in zip(done, errors, strict=True):
            per_piece[piece.item.name].token_error[part] = each[0][0] / each[0][1]
    return HarmonisingReport(
        model=model.name, data=data, arguments=dict(arguments), seed=seed, pieces=len(done), bach=bach_music,
        parts=filled, per_piece=tuple(per_piece.values()), overlap=overlap, skipped=tuple(skipped),
        made={part: tuple(from_grid(piece.made[part]) for piece in done) for part in parts},
        originals=tuple(piece.bach for piece in done))


def _only(values: Sequence[Any], which: Sequence[bool]) -> list[Any]:
    return [value for value, wanted in zip(values, which, strict=True) if wanted]


def errors_of(bach: Grid, made: Grid, part: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return (differing, all) of the cells of a part, of its frames, and of its cells in which Bach strikes a note."""
    voices = [LETTERS.index(letter) for letter in part]
    wrong = bach.pitches[:, voices] != made.pitches[:, voices]
    struck = ~bach.held[:, voices] & (bach.pitches[:, voices] != REST)
    frames = wrong.any(axis=1)
    return ((int(wrong.sum()), wrong.size), (int(frames.sum()), frames.size),
            (int((wrong & struck).sum()), int(struck.sum())))


def music_of(scores: Sequence[Score]) -> tuple[Music, list[harmony.Chords | None]]:
    """Return the measures of a set of pieces, means over those that have them, and the chords of each."""
    rows: list[dict[str, float]] = []
    chords: list[harmony.Chords | None] = []
    functions = np.zeros(len(FUNCTIONS))
    for score in scores:
        try:
            rows.append(harmony.evaluate(score) | _leading(score))
        except BadInput:  # nothing but rests was filled in: a single line has no harmony
            chords.append(None)
            continue
        chords.append(harmony.chords_of(score))
        heard = chords[-1].functions[chords[-1].roots >= 0]  # type: ignore[union-attr]
        functions += np.bincount(heard, minlength=len(FUNCTIONS)) / max(1, len(heard))
    names = [name for name, _, _ in Music.MEASURES]
    values = {name: _mean([row[name] for row in rows]) for name in names}
    shares = functions / len(rows) if rows else np.full(len(FUNCTIONS), math.nan)
    return Music(values, dict(zip(FUNCTIONS, shares.tolist(), strict=True))), chords


def _leading(score: Score) -> dict[str, float]:
    """Return the number of faults between and in voices that move, for 100 melodic intervals."""
    texture = harmony.texture_of(score)
    intervals = 0 if texture is None else int(texture.moving.sum())
    faults = sum(fault.kind in Music.MOVES for fault in harmony.faults(score))
    return {"faults_per_interval": 100.0 * faults / intervals if intervals else math.nan}


def agreement(bach: Sequence[harmony.Chords | None], made: Sequence[harmony.Chords | None]) -> tuple[float, float]:
    """Return the shares of the beats on which root and function are those of Bach's chords, over all pieces."""
    beats = roots = functions = 0
    for one, other in zip(bach, made, strict=True):
        if one is None:
            continue
        starts, heard = one.edges_beats[:-1], one.roots >= 0
        beats += int(heard.sum())
        if other is None:
            continue
        place = np.searchsorted(other.edges_beats[:-1], starts + 1e-3, side="right") - 1
        same = heard & (other.roots[place] == one.roots)
        alike = heard & (other.roots[place] >= 0) & (other.functions[place] == one.functions)
        roots, functions = roots + int(same.sum()), functions + int(alike.sum())
    return (roots / beats, functions / beats) if beats else (math.nan, math.nan)


def _mean(values: Sequence[float]) -> float:
    known: npt.NDArray[np.float64] = np.asarray([value for value in values if not math.isnan(value)], np.float64)
    return float(known.mean()) if len(known) else math.nan
