"""Loudness in LUFS and a transparent limiter, on plain arrays [channels, samples]."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput

BLOCK_SECONDS = 0.4
"""Gating block of ITU-R BS.1770; shorter sounds are padded with silence to this length."""

Samples = npt.NDArray[np.float32]


def integrated_loudness(samples: Samples, sample_rate_hz: int) -> float:
    """Return the gated integrated loudness of ITU-R BS.1770-4 (EBU R 128), in LUFS.

    Args:
        samples: [channels, samples], one to five channels (left, right, centre, left and right surround).
        sample_rate_hz: the rate.

    Returns:
        The loudness; minus infinity for silence, for no samples, and below the absolute gate of -70 LUFS.

    Raises:
        BadInput: more than five channels.
    """
    import pyloudnorm

    channels, count = samples.shape
    if channels > 5:
        raise BadInput(f"loudness is defined for up to five channels, not {channels}: mix the sound down first")
    if count == 0 or not samples.any():
        return float("-inf")
    shortest = int(np.ceil(BLOCK_SECONDS * sample_rate_hz)) + 1
    if count < shortest:
        samples = np.pad(samples, ((0, 0), (0, shortest - count)))
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore")  # empty gates are the answer -inf, not a warning
        value = float(pyloudnorm.Meter(sample_rate_hz).integrated_loudness(samples.T.astype(np.float64)))
    return value if np.isfinite(value) else float("-inf")


def limiting_gain(samples: Samples, sample_rate_hz: int, *, ceiling: float,
                  look_ahead_seconds: float = 0.01) -> npt.NDArray[np.float64]:
    """Return the gain [samples] that keeps a sound under a ceiling, smooth and the same for all channels.

    The gain each sample needs is held as a minimum over a window around it, then smoothed with a Hann window
    of the same width. A mean of values that are all at most the needed gain is at most the needed gain, so
    that no sample passes the ceiling; there is no distortion of single peaks and no delay.

    Args:
        samples: [channels, samples].
        sample_rate_hz: the rate.
        ceiling: largest absolute value of the result, linear.
        look_ahead_seconds: how long before and after a peak the gain moves.
    """
    from scipy import ndimage, signal

    peaks = np.max(np.abs(samples), axis=0, initial=0.0).astype(np.float64)
    needed: npt.NDArray[np.float64] = ceiling / np.maximum(peaks, ceiling)
    if peaks.size == 0 or peaks.max() <= ceiling:
        return needed
    width = 2 * max(1, round(look_ahead_seconds * sample_rate_hz)) + 1
    lowest = ndimage.minimum_filter1d(needed, width, mode="nearest")
    window = np.hanning(width + 2)[1:-1]
    reduction = signal.oaconvolve(np.pad(1.0 - lowest, width // 2, mode="edge"), window / window.sum(), mode="valid")
    smooth: npt.NDArray[np.float64] = np.minimum(1.0 - reduction, needed)  # the minimum only removes rounding
    return smooth


def normalising_gain(samples: Samples, sample_rate_hz: int, *, lufs: float,
                     peak_ceiling_db: float) -> npt.NDArray[np.float64]:
    """Return the gain that brings a sound to a loudness and never above a peak.

    A plain gain where the peaks allow it. Where they do not, a look-ahead limiter turns the peaks down and
    the gain is raised to make up for it, by at most 6 dB: very spiky sounds stay below the loudness asked for
    rather than being crushed.

    Args:
        samples: [channels, samples].
        sample_rate_hz: the rate.
        lufs: integrated loudness to reach.
        peak_ceiling_db: highest sample peak in dBFS.

    Returns:
        Linear gain, [1] (plain) or [samples] (where the limiter acts); [1.0] for silence.
    """
    measured = integrated_loudness(samples, sample_rate_hz)
    if not np.isfinite(measured):
        return np.ones(1)
    wanted_db, extra_db, ceiling = lufs - measured, 0.0, 10.0 ** (peak_ceiling_db / 20.0)
    plain = 10.0 ** (wanted_db / 20.0)
    if float(np.max(np.abs(samples))) * plain <= ceiling:
        return np.array([plain])
    for _ in range(4):
        raised = 10.0 ** ((wanted_db + extra_db) / 20.0)
        louder = (samples * raised).astype(np.float32)
        gain: npt.NDArray[np.float64] = raised * limiting_gain(louder, sample_rate_hz, ceiling=ceiling)
        missing_db = lufs - integrated_loudness((samples * gain).astype(np.float32), sample_rate_hz)
        if missing_db < 0.05 or extra_db >= 6.0:
            break
        extra_db = min(extra_db + missing_db, 6.0)
    return gain
