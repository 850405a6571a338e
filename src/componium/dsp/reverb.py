"""Reverberation by convolution: whole sounds at once, or in slices with parts of the response (partitions)."""

from __future__ import annotations

import torch
from torch import Tensor

from componium.dsp.pitch_causal import fast_size


def convolved(x: Tensor, response: Tensor) -> Tensor:
    """Return sounds [B, T] convolved with a response [N], cut to their length."""
    size = fast_size(x.shape[-1] + response.shape[-1] - 1)
    product = torch.fft.rfft(x, n=size) * torch.fft.rfft(response, n=size)
    return torch.fft.irfft(product, n=size)[..., :x.shape[-1]]


def partitioned(response: Tensor, block: int) -> Tensor:
    """Return the spectra of a response [N] in partitions of ``block`` samples: complex [P, block + 1]."""
    count = max(-(-response.shape[-1] // block), 1)
    padded = torch.nn.functional.pad(response, (0, count * block - response.shape[-1]))
    return torch.fft.rfft(padded.reshape(count, block), n=2 * block)


def convolve_step(x: Tensor, spectra: Tensor, past: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a slice of sound convolved with a partitioned response, and what is to be remembered.

    Source: uniformly partitioned overlap-save (Stockham 1966; Wefers 2015).

    Args:
        x: [B, n * block].
        spectra: complex [P, block + 1], of `partitioned`.
        past: float [B, P, block + 1, 2] spectra of the latest blocks, the newest first; zeros to begin.
        last: [B, block] the block before; zeros to begin.

    Returns:
        [B, n * block], past, last.
    """
    size = last.shape[1]
    outputs: list[Tensor] = []
    for start in range(0, x.shape[1], size):
        block = x[:, start:start + size]
        heard = torch.view_as_real(torch.fft.rfft(torch.cat([last, block], 1)))
        past = torch.cat([heard[:, None], past[:, :-1]], 1)
        product = (torch.view_as_complex(past.contiguous()) * spectra).sum(1)
        outputs.append(torch.fft.irfft(product, n=2 * size)[:, size:])
        last = block
    return torch.cat(outputs, 1), past, last
