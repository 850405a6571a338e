"""Harmonic oscillators: frames of fundamental frequency and amplitudes in, sound out, whole or in slices.

Frame k governs the samples from ``k * hop`` to ``(k + 1) * hop``, in which frequency and amplitudes move from the
values of the frame before to its own. Phases are counted in whole numbers of 2 ** -32 cycles from frame to frame, so
that slices add up to exactly the same as the whole and nothing drifts, however long a note sounds.

Source: Engel et al., "DDSP: Differentiable Digital Signal Processing" (2020), section 3; exact sums instead of
cumulative ones.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from componium.dsp.shaping import ramp


def chunk_of(hop: int) -> int:
    """Return for how many frames sines are calculated at once: 4096 samples, which fit the processor's cache."""
    return max(4096 // hop, 1)


def wrapped_phases(f0_hz: Tensor, before_hz: Tensor, phase: Tensor, hop: int, sample_rate_hz: int) -> tuple[
        Tensor, Tensor]:
    """Return the phase of each sample in cycles, 0 to 1, and the phase at the end, in counts.

    Args:
        f0_hz: [B, F] fundamental frequency at the end of each frame.
        before_hz: [B, 1] at the start.
        phase: int64 [B, 1] phase of the sample before the first, in 2 ** 32 counts a cycle.
        hop: samples a frame.
        sample_rate_hz: of the sound.

    Returns:
        [B, F, hop] float32 with gradients for the frequencies, and int64 [B, 1].
    """
    counts_a_cycle = 4294967296
    now = f0_hz.double()
    earlier = torch.cat([before_hz.double(), now[:, :-1]], 1)
    number = torch.arange(1, hop + 1, device=f0_hz.device, dtype=torch.float64)
    rise = number * (number + 1) / (2 * hop)
    cycles = (earlier[..., None] * number + (now - earlier)[..., None] * rise) / sample_rate_hz  # sums of a line
    whole = cycles[..., -1]
    counts = torch.round((whole.detach() - torch.floor(whole.detach())) * counts_a_cycle).long()
    ends = torch.cumsum(counts, 1) + phase
    starts = torch.remainder(ends - counts, counts_a_cycle).double() / counts_a_cycle
    drift = torch.cumsum(whole, 1) - whole  # for gradients alone
    cycles = cycles + (starts + drift - drift.detach())[..., None]
    return (cycles - torch.floor(cycles.detach())).float(), torch.remainder(ends[:, -1:], counts_a_cycle)


def partials(phases: Tensor, amplitudes: Tensor) -> Tensor:
    """Return the sum over k of ``amplitude[k] * sin(2 pi k phase)`` for two sets of amplitudes at once.

    Args:
        phases: [N, hop] of the fundamental, in cycles.
        amplitudes: [N, 2, K] of the partials 1 to K.

    Returns:
        [N, 2, hop].
    """
    number = 2 * math.pi * torch.arange(1, amplitudes.shape[-1] + 1, device=phases.device, dtype=phases.dtype)
    chunk = chunk_of(phases.shape[1])
    sounds: list[Tensor] = []
    for start in range(0, phases.shape[0], chunk):
        some = phases[start:start + chunk]
        sounds.append(amplitudes[start:start + chunk] @ torch.sin(some[:, None] * number[:, None]))
    return torch.cat(sounds)


class _Partials(torch.autograd.Function):
    """`partials` for learning amplitudes: the sines are calculated again instead of kept."""

    @staticmethod
    def forward(ctx: Any, phases: Tensor, amplitudes: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(phases)
        ctx.count = amplitudes.shape[-1]
        return partials(phases, amplitudes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (phases,), (gradient,) = ctx.saved_tensors, gradients
        number = 2 * math.pi * torch.arange(1, ctx.count + 1, device=phases.device, dtype=phases.dtype)
        chunk = chunk_of(phases.shape[1])
        parts = [some @ torch.sin(those[:, None] * number[:, None]).transpose(1, 2)
                 for some, those in zip(gradient.split(chunk), phases.split(chunk), strict=True)]
        return None, torch.cat(parts)


def audible(f0_hz: Tensor, count: int, sample_rate_hz: int) -> Tensor:
    """Return which partials 1 to ``count`` of a fundamental [B, F] lie below half the sample rate: bool [B, F, count].
    """
    number = torch.arange(1, count + 1, device=f0_hz.device)
    return f0_hz[..., None] * number < 0.5 * sample_rate_hz


def harmonic_sound(f0_hz: Tensor, amplitudes: Tensor, before_hz: Tensor, before: Tensor, phase: Tensor, hop: int,
                   sample_rate_hz: int, envelope: str) -> tuple[Tensor, Tensor]:
    """Return the sound of a harmonic series, and the phase at its end.

    Args:
        f0_hz: [B, F] fundamental frequency.
        amplitudes: [B, F, K] of the partials, linear; those at or above half the sample rate have to be 0 (`audible`).
        before_hz: [B, 1] the frequency of the frame before the first.
        before: [B, 1, K] its amplitudes.
        phase: int64 [B, 1]; see `wrapped_phases`; 0 to begin.
        hop: samples a frame.
        sample_rate_hz: of the sound.
        envelope: how amplitudes move, one of `componium.dsp.shaping.ENVELOPES`.

    Returns:
        [B, F * hop], and int64 [B, 1].
    """
    batch, frames, count = amplitudes.shape
    phases, after = wrapped_phases(f0_hz, before_hz, phase, hop, sample_rate_hz)
    earlier = torch.cat([before, amplitudes[:, :-1]], 1)
    both = torch.stack([earlier, amplitudes], 2).reshape(batch * frames, 2, count)
    sounds = _sounds(phases.reshape(batch * frames, hop), both)
    weights = ramp(hop, envelope, amplitudes.device)
    mixed = sounds[:, 0] * (1.0 - weights) + sounds[:, 1] * weights
    return mixed.reshape(batch, frames * hop), after


def _sounds(phases: Tensor, amplitudes: Tensor) -> Tensor:
    if torch.jit.is_scripting():
        return partials(phases, amplitudes)
    if amplitudes.requires_grad and not phases.requires_grad:
        return _learned(phases, amplitudes)
    return partials(phases, amplitudes)


@torch.jit.unused
def _learned(phases: Tensor, amplitudes: Tensor) -> Tensor:
    sounds: Tensor = _Partials.apply(phases, amplitudes)  # type: ignore[no-untyped-call]
    return sounds
