"""How likely music is under the model: nats of every cell of a grid, or of every token of BachBot's encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from componium.composers.chorale_rnn import bachbot, views
from componium.composers.chorale_rnn.composing import marks_of
from componium.composers.chorale_rnn.scores import grid_of
from componium.interface import Progress, TokenLikelihood
from componium.music.grid import Grid, from_grid
from componium.music.score import Score
from componium.music.theory import key_of
from componium.tokens.bachbot import FIRST_NOTE
from componium.tokens.grid import GridTokens

if TYPE_CHECKING:
    from componium.composers.chorale_rnn.model import ChoraleRNN

TOGETHER = 32
"""Pieces that are judged at once."""


def judged(model: ChoraleRNN, pieces: Sequence[Score | Grid], progress: Progress) -> list[TokenLikelihood]:
    """Return the likelihood of pieces, those of like length together."""
    one = _grid_pieces if model.config.encoding == "grid" else _sequences
    grids = [_grid(model, piece) for piece in pieces]
    order = sorted(range(len(grids)), key=lambda number: len(grids[number]))
    found: dict[int, TokenLikelihood] = {}
    with torch.inference_mode():
        model.network.eval()
        for start in range(0, len(order), TOGETHER):
            progress(start / len(order), "judging")
            some = order[start:start + TOGETHER]
            found.update(zip(some, one(model, [grids[number] for number in some]), strict=True))
    progress(1.0, "judged")
    return [found[number] for number in range(len(grids))]


def _grid(model: ChoraleRNN, piece: Score | Grid) -> Grid:
    if model.config.encoding == "bachbot":
        wide = GridTokens(model.config.voices, 0, 127, model.config.steps_per_beat)
        grid = piece if isinstance(piece, Grid) else grid_of(piece, wide)
        score = from_grid(piece) if isinstance(piece, Grid) else piece
        moved = bachbot.in_c(grid, key_of(score)[0], model.tokens)[0]
        return moved if model.learned.ties else untied(moved)
    grid = piece if isinstance(piece, Grid) else grid_of(piece, model.tokens)
    return grid if model.learned.ties else untied(grid)


def untied(grid: Grid) -> Grid:
    """Return a grid that does not tell repeats from holds, for a model that has learned from such alone."""
    return replace(Grid.from_pitches(grid.pitches, steps_per_beat=grid.steps_per_beat), numerator=grid.numerator,
                   denominator=grid.denominator, pickup_steps=grid.pickup_steps, fermatas=grid.fermatas)


def _grid_pieces(model: ChoraleRNN, grids: list[Grid]) -> list[TokenLikelihood]:
    examples = []
    for grid in grids:
        prepared = views.prepared_grid(grid, model.tokens) | {"marks": marks_of(model, grid)}
        examples.append(model.example(prepared, None))
    longest = max(len(grid) for grid in grids)
    batch = {name: torch.from_numpy(np.stack([_long(example[name], longest, name) for example in examples]))
             for name in examples[0]}
    nats = model.nats(batch).double().numpy()
    name = f"grid {model.config.steps_per_beat} steps a beat, {model.config.voices} voices"
    return [_told(model, grid, nats[row, :len(grid)], name) for row, grid in enumerate(grids)]


def _long(values: np.ndarray, steps: int, name: str) -> np.ndarray:
    if not values.ndim:
        return values
    return np.pad(values, [(0, steps - len(values)), *[(0, 0)] * (values.ndim - 1)],
                  constant_values=-1 if name == "target" else 0)


def _told(model: ChoraleRNN, grid: Grid, nats: np.ndarray, name: str) -> TokenLikelihood:
    steps, voices = np.indices(nats.shape)
    sounding = grid.pitches.astype(np.int64)
    onset = np.ones(nats.shape, bool)
    onset[1:] = (sounding[1:] != sounding[:-1]) | ((sounding[1:] >= 0) & ~grid.held[1:])
    return TokenLikelihood(nats.ravel(), voices.ravel(), steps.ravel(), onset.ravel(), model.config.steps_per_beat,
                           name)


def _sequences(model: ChoraleRNN, grids: list[Grid]) -> list[TokenLikelihood]:
    """Judge BachBot's sequences; what follows the end of a shorter one is left out."""
    rows = [model.words.encode(grid).astype(np.int64) for grid in grids]
    longest = max(map(len, rows))
    tokens = torch.from_numpy(np.stack([np.pad(row, (0, longest - len(row))) for row in rows]))
    logits, _ = model.network(tokens[:, :-1])
    nats = -logits.float().log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0].double().numpy()
    found, name = [], f"BachBot, {model.words.size} tokens, C major or A minor"
    for row, sequence in enumerate(rows):
        frame, part = model.words.places(sequence)
        new = (sequence >= FIRST_NOTE) & ((sequence - FIRST_NOTE) % 2 == 0)
        found.append(TokenLikelihood(nats[row, :len(sequence) - 1], part[1:], frame[1:], new[1:],
                                     model.config.steps_per_beat, name))
    return found
