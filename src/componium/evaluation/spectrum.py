"""Spectrum: how close a sound comes to the one that it should be.

Conventions.

- Two sounds of one rate and one number of channels are compared sample by sample: the reference, and the estimate that
  is judged. Where one is a little longer (a codec that fills its last frame), both are cut to the shorter;
  more than 50 ms is an error, as are other rates and channels: nothing is resampled or mixed unasked.
- Channels count alike. ``multi_resolution_stft`` takes all channels as one set of spectra, ``mel_distance`` is the mean
  of all bands, frames and channels, ``si_sdr_db`` is the mean of the channels.
- ``multi_resolution_stft`` is that of Yamamoto, Song and Kim (Parallel WaveGAN, ICASSP 2020) with the defaults of
  auraloss 0.4, to which it is equal: frames of 1024, 2048 and 512 samples, 120, 240 and 50 apart, with Hann windows of
  600, 1200 and 240 samples; of each the spectral convergence plus the mean difference of natural log magnitudes; the
  mean of the three. Power counts with at least 1e-8. The frames are in samples: compare at one rate only.
- ``mel_distance`` is that of Kumar and others (High-fidelity audio compression with improved RVQGAN, NeurIPS 2023;
  DAC): windows of 32 to 2048 samples, a quarter apart, with 5 to 320 mel bands (of equal area, up to half the rate);
  of each the mean difference of log10 magnitudes of at least 1e-5; the sum of the seven.
- ``si_sdr_db`` is the scale-invariant ratio of signal to distortion of Le Roux and others (SDR: half-baked or well
  done?, ICASSP 2019), means removed; more is better. auraloss and audiocraft give its negative.
- Silence: the two distances are finite (0 for silence against silence). ``si_sdr_db`` is NaN where a channel of either
  sound is silent, as there is nothing to scale, and infinity for a copy.
- ``distortion`` is what ``si_sdr_db`` calls distortion, to be heard.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.music.audio import Audio
from componium.music.errors import BadInput, require

MEASURES: tuple[Measure, ...] = (
    Measure("multi_resolution_stft", "distance", "spectral convergence and log magnitudes (auraloss), 0 for a copy"),
    Measure("mel_distance", "distance", "log10 magnitudes in mel bands, seven window lengths (DAC), 0 for a copy"),
    Measure("si_sdr_db", "dB", "signal to distortion, whatever the gain: more is closer"),
)

STFT_FRAMES = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
"""Of the multi-resolution distance: frame, hop and window in samples."""
MEL_FRAMES = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))
"""Of the mel distance: window in samples, mel bands."""
LEAST_POWER = 1e-8
LEAST_MEL = 1e-5
CUT_SECONDS = 0.05
"""So much longer may one sound be than the other."""
_LONGEST_FRAME = 2048

Floats = npt.NDArray[np.float64]


def validate(reference: Audio, estimate: Audio) -> None:
    """Raise `BadInput` for sounds that cannot be compared: other rates, channels or lengths, or too short ones."""
    if reference.sample_rate_hz != estimate.sample_rate_hz:
        raise BadInput(f"the reference is at {reference.sample_rate_hz} Hz and the estimate at "
                       f"{estimate.sample_rate_hz} Hz: resample one of them")
    if reference.channels != estimate.channels:
        raise BadInput(f"the reference has {reference.channels} channel(s) and the estimate {estimate.channels}: "
                       "mix both to mono, or compare channel by channel")
    if abs(reference.sample_count - estimate.sample_count) > CUT_SECONDS * reference.sample_rate_hz:
        raise BadInput(f"the reference lasts {reference.seconds:.3f} s and the estimate {estimate.seconds:.3f} s: cut "
                       f"both to the same stretch (a difference of {1000 * CUT_SECONDS:.0f} ms is cut here)")
    shorter = min(reference.sample_count, estimate.sample_count)
    if shorter <= _LONGEST_FRAME // 2:
        raise BadInput(f"spectra are compared of sounds with more than {_LONGEST_FRAME // 2} samples, not {shorter}")


def multi_resolution_stft(reference: Audio, estimate: Audio) -> float:
    """Return the multi-resolution STFT distance: the mean over three resolutions of `stft_distance`."""
    return sum(sum(stft_distance(reference, estimate, *each)) for each in STFT_FRAMES) / len(STFT_FRAMES)


def stft_distance(reference: Audio, estimate: Audio, size: int, hop: int, window: int) -> tuple[float, float]:
    """Return the spectral convergence and the mean difference of natural log magnitudes at one resolution.

    Args:
        reference: the sound that should be.
        estimate: the sound that is judged.
        size: samples of a frame, which the window is filled up to with zeros.
        hop: samples between frames.
        window: samples of the window.
    """
    wanted, found = (np.sqrt(np.maximum(_power(each, size, hop, window), LEAST_POWER))
                     for each in _aligned(reference, estimate))
    convergence = float(np.linalg.norm(wanted - found) / np.linalg.norm(wanted))
    return convergence, float(np.abs(np.log(wanted) - np.log(found)).mean())


def mel_distance(reference: Audio, estimate: Audio) -> float:
    """Return the mel distance: the sum over seven window lengths."""
    require("torch", extra="neural", purpose="The mel distance")
    from componium.dsp.spectra import mel_filters

    total = 0.0
    for size, bands in MEL_FRAMES:
        filters = mel_filters(size // 2 + 1, reference.sample_rate_hz, bands).numpy().astype(np.float64)
        wanted, found = (np.log10(np.maximum(np.sqrt(_power(each, size, size // 4, size)) @ filters.T, LEAST_MEL))
                         for each in _aligned(reference, estimate))
        total += float(np.abs(wanted - found).mean())
    return total


def si_sdr_db(reference: Audio, estimate: Audio) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB, the mean of the channels; see the conventions."""
    target, rest = _decomposed(reference, estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 10 * np.log10(np.square(target).sum(1) / np.square(rest).sum(1))
    return float(ratios.mean())


def distortion(reference: Audio, estimate: Audio) -> Audio:
    """Return what the estimate has besides the reference (at the gain that fits best): silence for a copy."""
    _, rest = _decomposed(reference, estimate)
    return Audio(np.nan_to_num(rest).astype(np.float32), reference.sample_rate_hz)


def evaluate(reference: Audio, estimate: Audio) -> dict[str, float]:
    """Return every measure of `MEASURES` by name; NaN where it is not defined for these sounds."""
    return {
        "multi_resolution_stft": multi_resolution_stft(reference, estimate),
        "mel_distance": mel_distance(reference, estimate),
        "si_sdr_db": si_sdr_db(reference, estimate),
    }


def _aligned(reference: Audio, estimate: Audio) -> tuple[Floats, Floats]:
    """Return both sounds [channels, samples] at the shorter length, or raise as `validate`."""
    validate(reference, estimate)
    count = min(reference.sample_count, estimate.sample_count)
    return reference.samples[:, :count].astype(np.float64), estimate.samples[:, :count].astype(np.float64)


def _power(x: Floats, size: int, hop: int, window: int) -> Floats:
    """Return the power spectra [channels, frames, bins] of centred frames of x [channels, samples].

    The sound is mirrored at its ends; the Hann window (periodic) stands in the middle of its frame.
    """
    padded = np.pad(x, ((0, 0), (size // 2, size // 2)), mode="reflect")
    shape = np.zeros(size)
    before = (size - window) // 2
    shape[before:before + window] = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(window) / window)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::hop]
    power: Floats = np.square(np.abs(np.fft.rfft(frames * shape)))
    return power


def _decomposed(reference: Audio, estimate: Audio) -> tuple[Floats, Floats]:
    """Return the estimate without its mean as a multiple of the reference, and the rest, both [channels, samples].

    A channel that is silent in either is NaN.
    """
    wanted, found = (each - each.mean(axis=1, keepdims=True) for each in _aligned(reference, estimate))
    energy = np.square(wanted).sum(1, keepdims=True)
    silent = (energy < 1e-20) | (np.square(found).sum(1, keepdims=True) < 1e-20)
    gain = np.where(silent, np.nan, (wanted * found).sum(1, keepdims=True) / np.where(energy > 0, energy, 1.0))
    return gain * wanted, found - gain * wanted
