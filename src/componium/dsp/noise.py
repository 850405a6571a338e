"""Noise that is a function of sample number and seed, and noise through filters that change from frame to frame.

Nothing is drawn: sample i of seed s is always the same, in whatever slices it is asked for and whatever calculates it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from componium.dsp.shaping import ramp


def _mixed(x: Tensor, factor: int, bits: int) -> Tensor:
    """Fold the upper bits into the lower, and multiply by an odd factor."""
    return torch.bitwise_and(torch.bitwise_xor(x, torch.bitwise_right_shift(x, bits)) * factor, 4294967295)


def uniform_noise(samples: Tensor, seed: Tensor) -> Tensor:
    """Return white noise, even between -1 and 1: float32, as many as there are sample numbers.

    Args:
        samples: int64 numbers of the samples, 0 or more; they repeat after 2 ** 32.
        seed: int64, 0 to 2 ** 31 - 1, of a shape that goes with it.
    """
    word = 4294967295  # modulo 2 ** 32, with factors below 2 ** 31: no product leaves 64 bits, and none is negative
    x = torch.bitwise_and(samples + torch.bitwise_and(seed * 1597334677, word), word)
    x = _mixed(x, 1103515245, 16)
    x = torch.bitwise_and(x + torch.bitwise_and(seed * 747796405, word), word)
    x = _mixed(x, 1664525213, 15)
    x = _mixed(x, 1812433253, 16)
    x = torch.bitwise_xor(x, torch.bitwise_right_shift(x, 16))
    return (x.double() * (2.0 / 4294967296) - 1.0).float()


def impulse_responses(magnitudes: Tensor) -> Tensor:
    """Return causal linear-phase filters [..., 2 (M - 1)] of magnitudes [..., M] at even steps from 0 to Nyquist.

    The response of zero phase is windowed (Hann) and moved, so that it is delayed by ``M - 1`` samples.
    """
    taps = 2 * (magnitudes.shape[-1] - 1)
    zero_phase = torch.fft.irfft(torch.complex(magnitudes, torch.zeros_like(magnitudes)), n=taps)
    window = torch.hann_window(taps, dtype=magnitudes.dtype, device=magnitudes.device)
    return torch.roll(zero_phase, taps // 2, -1) * window


def filtered_noise(magnitudes: Tensor, before: Tensor, tail: Tensor, noise: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """Return noise through filters that move from frame to frame, and what still sounds after the last.

    Within a frame the noise fades from the filter before to the frame's own.

    Args:
        magnitudes: [B, F, M].
        before: [B, 1, M] those of the frame before the first.
        tail: [B, 2 (M - 1)] what still sounds from before; zeros to begin.
        noise: [B, F * hop].
        hop: samples a frame.

    Returns:
        [B, F * hop], delayed by ``M - 1`` samples, and [B, 2 (M - 1)].
    """
    batch, frames, bands = magnitudes.shape
    taps = 2 * (bands - 1)
    size = 1
    while size < hop + taps:
        size *= 2
    spectra = torch.fft.rfft(impulse_responses(torch.cat([before, magnitudes], 1)), n=size)
    weights = ramp(hop, "hann", magnitudes.device)
    blocks = noise.reshape(batch, frames, hop)
    sound = torch.fft.rfft(blocks * (1.0 - weights), n=size) * spectra[:, :-1]
    sound = sound + torch.fft.rfft(blocks * weights, n=size) * spectra[:, 1:]
    return overlapped(torch.fft.irfft(sound, n=size)[..., :hop + taps], tail, hop)


def overlapped(blocks: Tensor, tail: Tensor, hop: int) -> tuple[Tensor, Tensor]:
    """Add up blocks [B, F, hop + tail] that begin every ``hop`` samples and a tail [B, tail] from before.

    Returns:
        [B, F * hop] and the tail that is left, [B, tail].
    """
    batch, frames, width = blocks.shape
    length = tail.shape[1]
    whole = torch.zeros(batch, frames * hop + length, dtype=blocks.dtype, device=blocks.device)
    whole[:, :length] = tail
    for start in range(0, width, hop):
        part = blocks[:, :, start:start + hop]
        part = torch.nn.functional.pad(part, (0, hop - part.shape[2])).flatten(1)
        end = min(start + frames * hop, whole.shape[1])
        whole = whole + torch.nn.functional.pad(part[:, :end - start], (start, whole.shape[1] - end))
    return whole[:, :frames * hop], whole[:, frames * hop:]
