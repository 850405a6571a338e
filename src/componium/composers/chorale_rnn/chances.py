"""From the logits of a cell to the probabilities of what the grammar of holds allows."""

from __future__ import annotations

import torch
from torch import Tensor

from componium.tokens.grid import FIRST_PITCH, HOLD

IMPOSSIBLE = -1e9
"""The logit of what cannot be; finite, so that gradients stay numbers."""


def grammatical(logits: Tensor, before: Tensor, pitches: int, *, joined: Tensor) -> Tensor:
    """Return the log-probabilities of symbols: nothing is held after a rest or at the beginning.

    Args:
        logits: [..., S].
        before: [...] pitch of the same voice in the step before, from 0; ``pitches`` or more: none.
        pitches: how many pitches there are.
        joined: [...] bool, where the source does not tell holds from repeats: both chances are then the hold's.

    Returns:
        [..., S], normalised.
    """
    silent = before >= pitches
    hold = logits[..., HOLD].masked_fill(silent, IMPOSSIBLE)
    logits = torch.cat([hold[..., None], logits[..., HOLD + 1:]], -1)
    values = logits.log_softmax(-1)
    if not bool(joined.any()):
        return values
    same = (before.clamp(max=pitches - 1) + FIRST_PITCH)[..., None]
    joins = (joined & ~silent)[..., None]
    held = values[..., HOLD:HOLD + 1]
    both = torch.where(joins, torch.logaddexp(held, values.gather(-1, same)), held)
    values = values.scatter(-1, same, torch.where(joins, IMPOSSIBLE, values.gather(-1, same)))
    return torch.cat([both, values[..., 1:]], -1)

