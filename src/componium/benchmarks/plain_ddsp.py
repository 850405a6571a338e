"""The published path of DDSP, re-expressed plainly in eager float32 PyTorch: what `ddsp` is compared with.

It is written from the formulas of Engel et al. 2020 as a first reading of the paper would give them: controls are
repeated for each sample of their frame (stairs), phases are a cumulative sum at the full rate, partials are a matrix of
samples by partials, noise is filtered frame by frame with transforms and cut at the frame's end. The network is that
of `ddsp` itself, so that both work with the same weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

    from componium.instruments.ddsp.network import DDSPNetwork

SIZES = (2048, 1024, 512, 256, 128, 64)


def sound_of(network: DDSPNetwork, f0_hz: Tensor, loudness_db: Tensor) -> Tensor:
    """Return the dry sound [B, F * hop] of curves [B, F]."""
    z = f0_hz.new_zeros(*f0_hz.shape, network.z_size)
    amplitudes, magnitudes, _ = network.decoder(f0_hz, loudness_db, z, f0_hz.new_zeros(
        len(f0_hz), network.decoder.hidden))
    return harmonics(f0_hz, amplitudes, network.hop, network.sample_rate_hz) + noise(magnitudes, network.hop)


def harmonics(f0_hz: Tensor, amplitudes: Tensor, hop: int, sample_rate_hz: int) -> Tensor:
    """Return the partials [B, F * hop] of f0 [B, F] with amplitudes [B, F, K]."""
    import torch

    number = torch.arange(1, amplitudes.shape[-1] + 1, device=f0_hz.device)
    phase = torch.cumsum(2 * math.pi * f0_hz.repeat_interleave(hop, 1) / sample_rate_hz, 1)
    return (amplitudes.repeat_interleave(hop, 1) * torch.sin(phase[..., None] * number)).sum(-1)


def noise(magnitudes: Tensor, hop: int) -> Tensor:
    """Return noise [B, F * hop] through filters with magnitudes [B, F, M]."""
    import torch

    taps = 2 * (magnitudes.shape[-1] - 1)
    response = torch.fft.irfft(torch.complex(magnitudes, torch.zeros_like(magnitudes)), n=taps)
    response = torch.roll(response, taps // 2, -1) * torch.hann_window(taps)
    blocks = 2 * torch.rand(*magnitudes.shape[:2], hop) - 1
    size = hop + taps
    filtered = torch.fft.irfft(torch.fft.rfft(blocks, n=size) * torch.fft.rfft(response, n=size), n=size)
    return filtered[..., taps // 2:taps // 2 + hop].flatten(1)


def in_room(sound: Tensor, response: Tensor) -> Tensor:
    """Return a sound [B, T] and its reverberation, by one transform of all of it."""
    import torch

    size = sound.shape[1] + len(response)
    return sound + torch.fft.irfft(torch.fft.rfft(sound, n=size) * torch.fft.rfft(response, n=size),
                                   n=size)[:, :sound.shape[1]]


def loudness_db(sound: Tensor, sample_rate_hz: int, hop: int, window: int) -> Tensor:
    """Return the A-weighted loudness [B, F] of a sound [B, T]."""
    import torch

    power = torch.stft(sound, window, hop, window=torch.hann_window(window), pad_mode="constant",
                       return_complex=True).abs() ** 2
    squared = torch.linspace(0, sample_rate_hz / 2, window // 2 + 1)[:, None].clamp(min=1.0) ** 2
    weight = 12194**2 * squared**2 / ((squared + 20.6**2) * (squared + 12194**2) * torch.sqrt(
        (squared + 107.7**2) * (squared + 737.9**2)))
    return 10 * torch.log10((power * (1.2589 * weight) ** 2).mean(1) / window + 1e-10).clamp(min=-80.0)


def transferred(network: DDSPNetwork, config: Any, samples: npt.NDArray[np.float32]) -> Tensor:
    """Return a mono sound [T] at the model's rate with the timbre of the network [1, F * hop]; the same tracker."""
    import torch

    from componium.instruments.ddsp import features

    hop = config.hop_samples
    pitch = features.tracker_of(config).track(samples, config.sample_rate_hz, hop_samples=hop)
    with torch.no_grad():
        loud = loudness_db(torch.from_numpy(samples)[None], config.sample_rate_hz, hop, config.loudness_window)
        made = sound_of(network, torch.from_numpy(pitch.f0_hz)[None], loud[:, :len(pitch.f0_hz)])
        return made if network.reverb is None else in_room(made, network.response())


def spectral_loss(made: Tensor, target: Tensor) -> Tensor:
    """Return the multi-scale spectral loss of sounds [B, T], left to automatic differentiation."""
    import torch

    total = made.new_zeros(())
    for size in SIZES:
        window = torch.hann_window(size)
        first, second = (torch.stft(each, size, size // 4, window=window, pad_mode="constant",
                                    return_complex=True).abs() for each in (made, target))
        total = total + (first - second).abs().mean()
        total = total + (torch.log(first + 1e-5) - torch.log(second + 1e-5)).abs().mean()
    return total
