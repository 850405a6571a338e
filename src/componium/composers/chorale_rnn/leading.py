"""Part-writing that is kept while composing: no two voices move in parallel fifths, octaves or unisons."""

from __future__ import annotations

import torch
from torch import Tensor

from componium.tokens.grid import FIRST_PITCH

PERFECT = (0, 7)
"""Interval classes, in semitones, that do not follow each other in the same two voices."""


def parallels(voice: int, before: Tensor, now: Tensor, pitches: int) -> Tensor:
    """Return which symbols would make a voice move in parallel perfect intervals with another one; bool [rows, S].

    Args:
        voice: which.
        before: [rows, V] pitches of the step before, from 0; ``pitches`` or more: silent.
        now: [rows, V] pitches of this step, in the same way; -1 where they are not known yet.
        pitches: how many pitches there are.
    """
    own = before[:, voice]
    candidates = torch.arange(pitches, device=before.device)
    wrong = torch.zeros(len(before), pitches, dtype=torch.bool, device=before.device)
    for other in (other for other in range(before.shape[1]) if other != voice):
        was, is_now = before[:, other], now[:, other]
        interval = (was - own) % 12
        sounds = (is_now >= 0) & (is_now < pitches) & (was < pitches) & (own < pitches)
        perfect = sounds & (is_now != was) & torch.isin(interval, torch.tensor(PERFECT, device=before.device))
        again = (is_now[:, None] - candidates) % 12 == interval[:, None]
        wrong |= perfect[:, None] & again & (candidates != own[:, None])
    return torch.nn.functional.pad(wrong, (FIRST_PITCH, 0))
