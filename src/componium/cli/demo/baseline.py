"""What the demo's figure is compared with: a first-order chain for each voice, and knowing nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

LOWEST, SYMBOLS = 36, 47
"""The 47 symbols of the protocol JSB-16/tok: MIDI pitches 36 to 81, and the rest."""
UNIFORM_NATS = math.log(SYMBOLS)


def first_order(train: Sequence[npt.NDArray[np.int16]], judged: Sequence[npt.NDArray[np.int16]]) -> float:
    """Return the nats per token of a plain chain: each voice's symbol from that voice's last one, counts plus one.

    Args:
        train: pitches [steps, voices] of each piece, -1 for rests.
        judged: the pieces that are judged.
    """
    voices = train[0].shape[1]
    counts = np.ones((voices, SYMBOLS + 1, SYMBOLS))  # the extra state is the beginning
    for pitches in train:
        np.add.at(counts, transitions(pitches), 1)
    nats = -np.log(counts / counts.sum(axis=2, keepdims=True))
    return float(np.concatenate([nats[transitions(pitches)].ravel() for pitches in judged]).mean())


def transitions(pitches: npt.NDArray[np.int16]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return (voice, state before, symbol) of each cell, each [steps, voices]."""
    symbols = np.where(pitches < 0, SYMBOLS - 1, pitches - LOWEST).astype(np.int64)
    before = np.concatenate([np.full_like(symbols[:1], SYMBOLS), symbols[:-1]])
    voice = np.broadcast_to(np.arange(pitches.shape[1]), symbols.shape)
    return voice, before, symbols
