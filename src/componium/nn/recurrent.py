"""Recurrent layers, and the dropout that goes with them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FEW_ROWS = 32
"""More rows than this are faster through the layer as it is."""

Memory = tuple[Tensor, Tensor]
"""What an LSTM layer remembers: [1, B, hidden] twice."""


class LockedDropout(nn.Module):
    """Silences the same units in all steps of an example (Gal and Ghahramani 2016); [B, T, ...] -> [B, T, ...].

    Args:
        share: of the units that are silenced in training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Silence; changes nothing in evaluation mode."""
        if not self.training or not self.share:
            return values
        return values * functional.dropout(torch.ones_like(values[:, :1]), self.share)


def recurrent(layer: nn.Module, heard: Tensor, state: Memory | None) -> tuple[Tensor, Memory]:
    """Return what a recurrent layer makes of steps [B, T, features], and its memory after them.

    A single step of a few rows goes the short way, which costs a fifth of the time there.
    """
    if state is None or heard.shape[1] > 1 or len(heard) > FEW_ROWS or layer.training:
        found: tuple[Tensor, Memory] = layer(heard, state)
        return found
    hidden, cell = torch.lstm_cell(heard[:, 0], (state[0][0], state[1][0]), *layer.all_weights[0])
    return hidden[:, None], (hidden[None], cell[None])
