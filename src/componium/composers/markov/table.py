"""The transition table of `markov`: readable, editable, and felt in everything the model then does.

The table says, for each mode and voice, from which degree of the scale the melody moved to which. Editing a
probability multiplies every viewpoint's opinion of that step by the same factor (edited over learned), so a step
can be forbidden or favoured without learning anything anew.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.composers.markov.chain import Floats
from componium.composers.markov.viewpoints import REPEAT, REST_SYMBOL, SAME, SPAN, Tokens
from componium.music.errors import BadFile
from componium.music.files import replacing
from componium.music.theory import PITCH_NAMES

COLUMNS = ("mode", "voice", "from", "to", "count", "probability")
MODES = ("major", "minor")
DIGITS = 6
FORBIDDEN = -1e4
"""What is added to the score of a step whose probability was edited to 0."""
MOST = 50.0
"""Largest factor by which an edit can favour a step."""

Counts = npt.NDArray[np.int64]


def count_transitions(tokens: Tokens, keys: npt.NDArray[np.int64], voices: int) -> Counts:
    """Count the moves of every voice: [mode, voice, from, to], degrees in semitones above the tonic.

    Args:
        tokens: the cells of the corpus.
        keys: [pieces] the key of each piece, see `views.whole_key`.
        voices: how many.
    """
    key = keys[tokens.piece]
    degree, mode = (tokens.anchors - key) % 12, key // 12
    moves = tokens.moved & (tokens.cells >= 0) & (mode < 2) & (tokens.step > 0)
    counts = np.zeros((2, voices, 12, 12), np.int64)
    to = (degree + tokens.cells - tokens.anchors) % 12
    np.add.at(counts, (mode[moves], tokens.voice[moves], degree[moves], to[moves]), 1)
    return counts


def learned(counts: Counts) -> npt.NDArray[np.float64]:
    """Return the probabilities of the table: counts over the sum of their row (0 where a degree never occurs)."""
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1))


def write(counts: Counts, factors: Floats, path: Path) -> None:
    """Write the table, edits included, as CSV; rows with probability 0 are left out."""
    edited = learned(counts) * factors
    edited /= np.maximum(edited.sum(axis=-1, keepdims=True), 1e-12)
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for mode, voice, start, to in np.argwhere(edited > 0):
            writer.writerow([MODES[mode], voice + 1, PITCH_NAMES[start], PITCH_NAMES[to],
                             counts[mode, voice, start, to], f"{edited[mode, voice, start, to]:.{DIGITS}f}"])


def read(counts: Counts, path: Path) -> Floats:
    """Return the factors [mode, voice, from, to] that an edited table asks for.

    Raises:
        BadFile: not a transition table, a line that cannot be read, or a degree that is left without a way out.
    """
    before, after = learned(counts), np.zeros(counts.shape)
    for line, row in enumerate(_rows(path), start=2):
        try:
            place = (MODES.index(row["mode"]), int(row["voice"]) - 1, PITCH_NAMES.index(row["from"]),
                     PITCH_NAMES.index(row["to"]))
            value = float(row["probability"])
            if place[1] < 0 or not 0 <= value < np.inf:
                raise ValueError(row)
            after[place] = value
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise BadFile(path, f"line {line} is not a transition ({', '.join(COLUMNS)})") from error
    stuck = np.argwhere((before.sum(axis=-1) > 0) & (after.sum(axis=-1) <= 0))
    if len(stuck):
        mode, voice, start = stuck[0]
        raise BadFile(path, f"{MODES[mode]}, voice {voice + 1}: {PITCH_NAMES[start]} has no way out (all its "
                            "probabilities are 0)")
    after /= np.maximum(after.sum(axis=-1, keepdims=True), 1e-12)
    same = np.abs(after - before) <= 2 * 10.0**-DIGITS
    base = np.maximum(before, 0.5 / (counts.sum(axis=-1, keepdims=True) + 6.0))
    return np.where(same, 1.0, np.minimum(after / base, MOST)).astype(np.float32)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadFile(path, f"cannot be read as a transition table ({reason})") from error
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        raise BadFile(path, f"is not a transition table (its first line has to be {','.join(COLUMNS)})")
    return rows


def log_factors(factors: Floats, features: npt.NDArray[np.integer[Any]], names: Sequence[str],
                before: npt.NDArray[np.int64], symbols: int) -> Floats | None:
    """Return what the edits add to each symbol's score [N, symbols]; None if nothing was edited.

    Args:
        factors: [mode, voice, from, to], see `read`.
        features: [N, F] with the columns ``names``.
        before: [N] the voice's cell one step earlier: a note that only goes on is no transition.
        symbols: number of symbols.
    """
    if (factors == 1.0).all():
        return None
    column = {name: index for index, name in enumerate(names)}
    degree, mode, voice = (features[:, column[name]] for name in ("degree", "mode", "voice"))
    known = np.flatnonzero(mode < 2)
    result = np.zeros((len(features), symbols), np.float32)
    to = (degree[known, None] + np.arange(-SPAN, SPAN + 1)) % 12
    with np.errstate(divide="ignore"):
        logs = np.log(factors[mode[known, None], voice[known, None], degree[known, None], to])
    logs = np.maximum(logs, FORBIDDEN)
    again = logs[:, SAME].copy()
    logs[before[known] >= 0, SAME] = 0.0
    result[known, :REST_SYMBOL] = logs
    result[known, REPEAT] = again
    return result
