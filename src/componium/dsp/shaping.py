"""Shapes of controls: from what a network says to bounded numbers, and from frames to samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ENVELOPES = ("hann", "linear")
"""How a value moves from one frame to the next."""


def exponentiated_sigmoid(x: Tensor) -> Tensor:
    """Return ``2 sigmoid(x) ** ln 10 + 1e-7``: near 0 to 2, even steps of x are about even steps in dB below 1.

    Source: Engel et al. 2020 (DDSP), section B.5. The exponent is applied in the logarithm, so that gradients stay
    finite for very negative x.
    """
    return 2.0 * torch.exp(math.log(10.0) * torch.nn.functional.logsigmoid(x)) + 1e-7


def ramp(hop: int, envelope: str, device: torch.device) -> Tensor:
    """Return [hop] weights of a frame's own value against the one before, within the samples that lead to it.

    ``linear`` is a straight line; ``hann`` half a cosine, which is what overlapping Hann windows of two hops give. The
    last weight is 1: a frame's value is reached with its last sample.
    """
    line = torch.arange(1, hop + 1, device=device, dtype=torch.float32) / hop
    return torch.sin(0.5 * math.pi * line) ** 2 if envelope == "hann" else line


def upsampled(values: Tensor, before: Tensor, hop: int, envelope: str) -> Tensor:
    """Return frames [B, F] as samples [B, F * hop], ``before`` [B, 1] being the value at the start."""
    weights = ramp(hop, envelope, values.device)
    earlier = torch.cat([before, values[:, :-1]], 1)
    return (earlier[..., None] * (1.0 - weights) + values[..., None] * weights).flatten(1)
