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
    wrong = torch.zeros(len(before), pitches + FIRST_PITCH, dtype=torch.bool, device=before.device)
    others = [other for other in range(before.shape[1]) if other != voice]
    own, was, is_now = before[:, voice, None], before[:, others], now[:, others]
    moved = (is_now != was) & (is_now >= 0) & (is_now < pitches) & (was < pitches) & (own < pitches)
    if not bool(moved.any()):
        return wrong
    interval = (was - own).abs() % 12
    perfect = moved & torch.isin(interval, torch.tensor(PERFECT, device=before.device))
    candidates = torch.arange(pitches, device=before.device)
    again = (is_now[..., None] - candidates).abs() % 12 == interval[..., None]
    wrong[:, FIRST_PITCH:] = (perfect[..., None] & again).any(1) & (candidates != own)
    return wrong
