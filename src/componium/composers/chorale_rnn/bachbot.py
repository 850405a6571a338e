"""BachBot's network: a chorale as one long word, read token by token.

Liang 2016 and Liang, Gotham, Johnson & Shotton 2017: an embedding of 32, three LSTM layers of 256, batch normalisation
between them, dropout. Pieces are moved to C major or A minor, so that one key is learned for all; what the network
composes is moved to the key that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from componium.composers.chorale_rnn.network import recurrent
from componium.interface import Arrays
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid
from componium.music.keys import Key, pitch_name
from componium.tokens.bachbot import START, BachBotTokens, semitones_to_c
from componium.tokens.grid import GridTokens

EMBEDDING = 32


class BachBotNetwork(nn.Module):
    """Predicts each token from those before it.

    Args:
        size: number of tokens.
        hidden: width of the recurrent layers.
        layers: how many.
        dropout: share of units that are silenced in training.
    """

    def __init__(self, size: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, EMBEDDING)
        widths = [EMBEDDING] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, size)

    def forward(self, tokens: Tensor, state: list[tuple[Tensor, Tensor]] | None = None) -> tuple[
            Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the logits of the token after each, [B, T] -> [B, T, size], and the state after the last."""
        heard, after = self.embedding(tokens), []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            heard, memory = recurrent(layer, heard, None if state is None else state[number])
            after.append(memory)
            heard = self.dropout(norm(heard.transpose(1, 2)).transpose(1, 2))
        return self.out(heard), after


def in_c(grid: Grid, key: Key, tokens: GridTokens) -> tuple[Grid, int]:
    """Return a grid moved to C major or A minor, and by how many semitones; an octave off where it would not fit.

    The symbols of ``tokens`` bound what fits; raises `BadInput` for a grid that fits nowhere.
    """
    sounding = grid.pitches[grid.pitches != REST].astype(np.int64)
    semitones = semitones_to_c(key)
    for octave in (0, 12, -12):
        moved = semitones + octave
        if sounding.size and tokens.lowest <= sounding.min() + moved and sounding.max() + moved <= tokens.highest:
            return transposed(grid, moved), moved
    if sounding.size:
        low, high = (pitch_name(int(pitch)) for pitch in (sounding.min(), sounding.max()))
        raise BadInput(f"{low} to {high}, moved from {key} to {'A minor' if key.is_minor else 'C major'}, does not fit "
                       f"{pitch_name(tokens.lowest)} to {pitch_name(tokens.highest)}; train with lowest= and highest= "
                       "further apart")
    return transposed(grid, semitones), semitones


def transposed(grid: Grid, semitones: int) -> Grid:
    """Return a grid moved by semitones, with its marks; its key is left out, as it is another one."""
    pitches = np.where(grid.pitches == REST, REST, grid.pitches + semitones)
    return Grid(pitches.astype(np.int16), grid.held, grid.steps_per_beat, grid.numerator, grid.denominator,
                grid.pickup_steps, None, grid.fermatas, grid.ties_known)


def example_of(prepared: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator | None, length: int) -> Arrays:
    """Return a training example: ``length`` tokens and those that follow each; the whole piece where ``rng`` is None.

    Returns:
        ``tokens`` [length] and ``target`` [length], -1 where a short piece was filled up.
    """
    sequence = prepared["tokens"].astype(np.int64)
    start = 0
    if rng is None:
        length = len(sequence) - 1
    elif len(sequence) - 1 > length:
        start = int(rng.integers(0, len(sequence) - length))
    tokens, target = sequence[:-1][start:start + length], sequence[1:][start:start + length]
    missing = (0, length - len(tokens))
    return {"tokens": np.pad(tokens, missing, constant_values=START),
            "target": np.pad(target, missing, constant_values=-1)}


def tokens_of(voices: int, lowest: int, highest: int, steps_per_beat: int) -> BachBotTokens:
    """Return the vocabulary."""
    return BachBotTokens(voices, lowest, highest, steps_per_beat)
