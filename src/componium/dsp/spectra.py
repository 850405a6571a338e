"""Spectra: short-time Fourier transforms, mel bands, loudness, spectral losses and descriptors of sounds, on torch.

Conventions.

- A sound is [B, T], full scale -1..1; what is taken of its frames is [B, F] or [B, features, F]. Silence is assumed
  beyond both ends. ``centred`` frames have their middle on the samples 0, hop, 2 hop ... up to the last that is not
  behind the end (T // hop + 1 frames); frames that are not centred lie wholly inside the sound.
- Windows are Hann windows in their periodic form, unnormalised: a full-scale sine has a magnitude of size / 4.
- Everything is differentiable except the roll-off and the rate of zero crossings, with finite gradients for silence.
- Loudness is A-weighted power (IEC 61672-1) in decibels below that of a full-scale sine at 1 kHz.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from componium.music.errors import BadInput

P = ParamSpec("P")

FLOOR_DB = -80.0
"""Loudness of silence."""
SIZES = (2048, 1024, 512, 256, 128, 64)
"""Frames of the spectral loss, in samples."""
LOG_OFFSET = 1e-5
"""Added to magnitudes before their logarithm is taken."""
_TINY = 1e-14  # added to power under a root: 1e-7 of magnitude
_SAMPLES_AT_ONCE = 1 << 16  # of a spectral loss on a CPU: what is computed of them stays in the cache


def stft(x: Tensor, size: int, hop: int, *, centred: bool = True) -> Tensor:
    """Return the short-time Fourier transform, complex [B, size // 2 + 1, F].

    Args:
        x: [B, T].
        size: samples of a frame.
        hop: samples from one frame to the next.
        centred: frame k has its middle on sample k * hop; otherwise it begins there.

    Raises:
        BadInput: another shape, sizes below 1, or a sound shorter than a frame that is not centred.
    """
    return _whole_spectrum(x, size, hop, centred).transpose(1, 2)


def istft(spectrum: Tensor, size: int, hop: int, *, centred: bool = True, samples: int | None = None) -> Tensor:
    """Return the sound [B, T] whose spectrum comes closest: least squares (Griffin and Lim, 1984).

    Args:
        spectrum: complex [B, size // 2 + 1, F], as `stft` gives it.
        size: as there.
        hop: as there; no more than half of ``size``, or samples between frames stay silent.
        centred: as there.
        samples: length of the sound; None for all that the frames cover. What they do not cover is silent, as are
            the outermost samples of frames that are not centred, where the windows are zero.
    """
    window = hann(size, spectrum.device, spectrum.real.dtype)
    whole = overlap_add(torch.fft.irfft(spectrum.transpose(1, 2), n=size) * window, hop)
    weight = overlap_add(window.square().expand(1, spectrum.shape[2], size), hop)
    sound = torch.where(weight > 1e-10, whole / weight.clamp_min(1e-10), 0.0)
    if centred:
        sound = sound[:, size // 2:]
    count = samples if samples is not None else sound.shape[1] - (size - size // 2 if centred else 0)
    return F.pad(sound, (0, max(0, count - sound.shape[1])))[:, :count]


def magnitudes(x: Tensor, size: int, hop: int, *, centred: bool = True) -> Tensor:
    """Return the magnitudes of `stft`, [B, size // 2 + 1, F]; 1e-7 in silence, where their gradient is zero."""
    return _magnitude(_whole_spectrum(x, size, hop, centred)).transpose(1, 2)


def frames_of(x: Tensor, size: int, hop: int, *, first: int = 0, count: int) -> Tensor:
    """Return frames [B, count, size] of a sound x [B, T]: frame k begins on sample first + k * hop.

    Samples before 0 and behind the end are silence.
    """
    _check(x, size, hop)
    if count == 0:
        return x.new_zeros(len(x), 0, size)
    end = first + (count - 1) * hop + size
    inside = x[:, max(0, first):max(0, end)]
    before = min(max(0, -first), end - first)
    return F.pad(inside, (before, end - first - before - inside.shape[1])).unfold(1, size, hop)


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Return the sum [B, (F - 1) * hop + size] of frames [B, F, size] that each begin hop samples after the last."""
    batch, count, size = frames.shape
    parts = -(-size // hop)
    if size % hop:
        frames = F.pad(frames, (0, parts * hop - size))
    frames = frames.reshape(batch, count, parts, hop)
    total = frames.new_zeros(batch, count + parts - 1, hop)
    for part in range(parts):
        total[:, part:part + count] += frames[:, :, part]
    return total.reshape(batch, -1)[:, :max(0, (count - 1) * hop + size)]


def mel_filters(bins: int, sample_rate_hz: float, bands: int, lowest_hz: float = 0.0,
                highest_hz: float | None = None, *, slaney: bool = True) -> Tensor:
    """Return triangular filters [bands, bins] whose corners are spaced evenly on the mel scale.

    Args:
        bins: of the spectrum: size // 2 + 1, from 0 Hz to half the sample rate.
        sample_rate_hz: of the sound.
        bands: number of filters. With very many, some of the lowest may lie between two bins and be empty.
        lowest_hz: where the first begins.
        highest_hz: where the last ends; None for half the sample rate.
        slaney: the scale of Slaney's Auditory Toolbox (linear up to 1 kHz) with filters of equal area (2 divided by
            their width in Hz), which is what librosa does unasked; otherwise the scale of HTK with peaks of 1.

    Raises:
        BadInput: fewer than 1 band or 2 bins, or edges that do not rise from 0 to half the sample rate.
    """
    highest = sample_rate_hz / 2 if highest_hz is None else highest_hz
    if bands < 1 or bins < 2 or not 0 <= lowest_hz < highest <= sample_rate_hz / 2:
        raise BadInput(f"{bands} mel bands of {bins} bins from {lowest_hz} to {highest} Hz at {sample_rate_hz} Hz: "
                       "there has to be a band, and edges rise from 0 to half the sample rate")
    to_mel, to_hz = (_slaney_mel, _slaney_hz) if slaney else (_htk_mel, _htk_hz)
    low, high = to_mel(torch.tensor([lowest_hz, highest], dtype=torch.float64)).tolist()
    corners = to_hz(torch.linspace(low, high, bands + 2, dtype=torch.float64))
    places = torch.linspace(0, sample_rate_hz / 2, bins, dtype=torch.float64)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    filters = torch.minimum((places - left) / (middle - left), (right - places) / (right - middle)).clamp_min(0)
    return (filters * 2 / (right - left) if slaney else filters).to(torch.float32)


def mel(x: Tensor, sample_rate_hz: float, bands: int = 128, *, size: int = 2048, hop: int = 512,
        lowest_hz: float = 0.0, highest_hz: float | None = None, slaney: bool = True, power: bool = False) -> Tensor:
    """Return the magnitudes (or the power) of a sound [B, T] in mel bands, [B, bands, F]; see `mel_filters`."""
    spectrum = magnitudes(x, size, hop)
    filters = _mel_filters(size // 2 + 1, sample_rate_hz, bands, lowest_hz, highest_hz, slaney, x.device, x.dtype)
    return filters @ (spectrum.square() if power else spectrum)


def mfcc(x: Tensor, sample_rate_hz: float, coefficients: int = 30, bands: int = 128, *, size: int | None = None,
         hop: int | None = None, lowest_hz: float = 20.0, highest_hz: float = 8000.0) -> Tensor:
    """Return the mel-frequency cepstral coefficients of a sound [B, T], [B, coefficients, F].

    They are the orthonormal cosine transform (DCT-II) of the natural logarithms of the magnitudes (plus 1e-5) in HTK's
    mel bands. With the defaults the bands are those of DDSP (Engel and others, ICLR 2020).

    Args:
        x: [B, T].
        sample_rate_hz: of the sound.
        coefficients: how many are kept, of ``bands``.
        bands: mel bands.
        size: samples of a frame; None for the first power of two that lasts 50 ms.
        hop: samples between frames; None for a quarter of ``size``.
        lowest_hz: edge of the lowest band.
        highest_hz: edge of the highest band; no more than half the sample rate is used.
    """
    if not 1 <= coefficients <= bands:
        raise BadInput(f"of {bands} mel bands there are 1 to {bands} cepstral coefficients, not {coefficients}")
    size = size or 2 ** math.ceil(math.log2(0.05 * sample_rate_hz))
    logs = torch.log(mel(x, sample_rate_hz, bands, size=size, hop=hop or max(1, size // 4), lowest_hz=lowest_hz,
                         highest_hz=min(highest_hz, sample_rate_hz / 2), slaney=False) + LOG_OFFSET)
    return _cosines(coefficients, bands, x.device, x.dtype) @ logs


def a_weighting_db(frequencies_hz: Tensor) -> Tensor:
    """Return the A-weighting (IEC 61672-1) of frequencies in decibels: 0 at 1 kHz, minus infinity at 0 Hz."""
    squared = frequencies_hz.double().square()
    one = torch.tensor(1000.0 ** 2, dtype=torch.float64)
    return (20 * torch.log10(_a_response(squared) / _a_response(one))).to(frequencies_hz.dtype)


def loudness_db(x: Tensor, sample_rate_hz: float, *, hop: int, window: int, first_sample: int = 0,
                frames: int | None = None) -> Tensor:
    """Return the A-weighted loudness [B, F] of a sound [B, T] in frames, from -80 dB (silence).

    0 dB is the power of a full-scale sine at 1 kHz. The power is that of the frame on average, weighted by a Hann
    window: frames of different lengths and sounds of different rates can be compared. A window has to hold about four
    periods of the lowest frequency that should be weighted right (100 Hz: 2048 samples at 48 kHz).

    Args:
        x: [B, T].
        sample_rate_hz: of the sound.
        hop: samples between frames.
        window: samples of a frame.
        first_sample: place of the middle of frame 0; frame k has its middle on first_sample + k * hop.
        frames: how many; None for all whose middle is a sample of the sound.
    """
    _check(x, window, hop)
    count = max(0, -(-(x.shape[1] - first_sample) // hop)) if frames is None else frames
    if count < 0:
        raise BadInput(f"there are 0 frames or more, not {count}")
    if count == 0:
        return x.new_zeros(len(x), 0)
    taken = frames_of(x, window, hop, first=first_sample - window // 2, count=count)
    spectrum = torch.fft.rfft(taken * hann(window, x.device, x.dtype))
    power = spectrum.real.square() + spectrum.imag.square()
    relative = power @ _loudness_weights(window, float(sample_rate_hz), x.device, x.dtype)
    return 10 * torch.log10(relative.clamp_min(10 ** (FLOOR_DB / 10)))


def loudness_weights(window: int, sample_rate_hz: float) -> Tensor:
    """Return the weights [window // 2 + 1] of `loudness_db`: of power of a frame under a Hann window, bin by bin."""
    return _loudness_weights(window, float(sample_rate_hz), torch.device("cpu"), torch.float32)


def spectral_loss(x: Tensor, y: Tensor, sizes: Sequence[int] = SIZES) -> Tensor:
    """Return how far the spectra of two sounds [B, T] are apart: a scalar, the mean of `spectral_losses`."""
    return spectral_losses(x, y, sizes).mean()


def spectral_losses(x: Tensor, y: Tensor, sizes: Sequence[int] = SIZES) -> Tensor:
    """Return the multi-scale spectral loss of each example, [B] (Engel and others, DDSP, ICLR 2020, section 3).

    For each frame size, with frames that overlap by 75 %: the mean difference of the magnitudes plus the mean
    difference of their natural logarithms (of magnitude + 1e-5), without signs; summed over the sizes. Gradients reach
    both sounds; second derivatives are not available.

    Args:
        x: [B, T].
        y: [B, T].
        sizes: samples of the frames, multiples of 4.

    Raises:
        BadInput: unequal or empty shapes, or other sizes.
    """
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] == 0:
        raise BadInput(f"two sounds of one shape [B, T] are compared, not {tuple(x.shape)} and {tuple(y.shape)}")
    if not sizes or any(size < 4 or size % 4 for size in sizes):
        raise BadInput(f"frames of a spectral loss have 4, 8, 12 ... samples, not {tuple(sizes)}")
    wide = torch.float64 if torch.float64 in (x.dtype, y.dtype) else torch.float32
    losses: Tensor = _SpectralLosses.apply(x.to(wide), y.to(wide), tuple(sizes))  # type: ignore[no-untyped-call]
    return losses


class _SpectralLosses(torch.autograd.Function):
    """The losses of each example; their gradients are computed in the same pass, while the spectra are in the cache.

    Logarithms keep the order of magnitudes, so that both differences have one sign: the gradient of a magnitude m is
    sign * (1 + 1 / (m + 1e-5)). One transform back then replaces all that automatic differentiation would store.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Return [B] losses."""
        losses = x.new_zeros(len(x))
        grads = tuple(torch.zeros_like(each) if needed else None
                      for each, needed in zip((x, y), ctx.needs_input_grad, strict=False))
        step = max(1, _SAMPLES_AT_ONCE // x.shape[1]) if x.device.type == "cpu" else len(x)
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            for size in sizes:
                losses[part] += _compare(x[part], y[part], size, [g if g is None else g[part] for g in grads])
        ctx.save_for_backward(*grads)
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of both sounds."""
        return (*(g if g is None else g * upstream[0][:, None] for g in ctx.saved_tensors), None)


def _compare(x: Tensor, y: Tensor, size: int, grads: Sequence[Tensor | None]) -> Tensor:
    """Return [B] losses of one frame size, and add the gradients of x and y to ``grads``."""
    hop, total = size // 4, x.shape[1]
    count = total // hop + 1
    step = max(1, _SAMPLES_AT_ONCE // (hop * len(x))) if x.device.type == "cpu" else count
    weights = _half_inside(size, x.device, x.dtype) / (count * (size // 2 + 1))
    apart = x.new_zeros(len(x))
    for number in range(0, count, step):
        first, frames = number * hop - size // 2, min(step, count - number)
        spectra = [_spectrum(each, size, hop, first, frames) for each in (x, y)]
        magnitude = [_magnitude(each) for each in spectra]
        difference = magnitude[0] - magnitude[1]
        signs = torch.sign(difference)
        apart += difference.abs_().sum((1, 2))
        offset = [each + LOG_OFFSET for each in magnitude]
        apart += (offset[0] / offset[1]).log_().abs_().sum((1, 2))
        for which, grad in enumerate(grads):
            if grad is not None:
                slope = offset[which].reciprocal_().add_(1).mul_(signs).div_(magnitude[which])
                slope *= weights if which == 0 else -weights
                torch.view_as_real(spectra[which]).mul_(slope[..., None])
                found = torch.fft.irfft(spectra[which], n=size, norm="forward").mul_(hann(size, x.device, x.dtype))
                sound = overlap_add(found, hop)
                start, end = max(0, first), min(total, first + sound.shape[1])
                grad[:, start:end] += sound[:, start - first:end - first]
    return apart / (count * (size // 2 + 1))


def centroid_hz(spectrum: Tensor, sample_rate_hz: float) -> Tensor:
    """Return the spectral centroid [B, F]: the mean of frequency, weighted by magnitudes [B, bins, F]; 0 in silence."""
    return (_shares(spectrum) * _bin_hz(spectrum, sample_rate_hz)).sum(1)


def spread_hz(spectrum: Tensor, sample_rate_hz: float) -> Tensor:
    """Return the spectral spread [B, F]: the standard deviation of frequency about the centroid; 0 in silence."""
    distance = _bin_hz(spectrum, sample_rate_hz) - centroid_hz(spectrum, sample_rate_hz)[:, None]
    return ((_shares(spectrum) * distance.square()).sum(1) + _TINY).sqrt()


def rolloff_hz(spectrum: Tensor, sample_rate_hz: float, *, share: float = 0.85) -> Tensor:
    """Return the roll-off [B, F]: the first bin's frequency up to which a share of all magnitude lies; 0 in silence."""
    total = spectrum.cumsum(1)
    place = (total < share * total[:, -1:]).sum(1)
    silent = total[:, -1] <= spectrum.shape[1] * 1.01 * math.sqrt(_TINY)
    return torch.where(silent, 0, place).to(spectrum.dtype) * (sample_rate_hz / 2 / (spectrum.shape[1] - 1))


def flatness_db(spectrum: Tensor) -> Tensor:
    """Return the spectral flatness [B, F]: geometric by arithmetic mean of power, 0 dB for a flat spectrum or silence.

    A bin counts with a power of at least 1e-10.
    """
    power = spectrum.square().clamp_min(1e-10)
    return 10 / math.log(10) * (power.log().mean(1) - power.mean(1).log())


def zero_crossings_hz(x: Tensor, sample_rate_hz: float, size: int, hop: int) -> Tensor:
    """Return how often a sound [B, T] changes its sign a second, in centred frames [B, F]; a sine of f Hz: 2 f."""
    _check(x, size, hop)
    crossed = (torch.signbit(x[:, 1:]) != torch.signbit(x[:, :-1])).to(x.dtype)
    counted = frames_of(F.pad(crossed, (1, 0)), size, hop, first=-(size // 2), count=x.shape[1] // hop + 1)
    return counted.mean(2) * sample_rate_hz


def rms_db(x: Tensor, size: int, hop: int) -> Tensor:
    """Return the root mean square of a sound [B, T] in centred frames [B, F], in dB re full scale; -120 in silence."""
    _check(x, size, hop)
    framed = frames_of(x, size, hop, first=-(size // 2), count=x.shape[1] // hop + 1)
    return 10 * torch.log10(framed.square().mean(2).clamp_min(1e-12))


def _spectrum(x: Tensor, size: int, hop: int, first: int, frames: int) -> Tensor:
    """Return complex [B, frames, bins]; the first frame begins on sample ``first``."""
    framed = frames_of(x, size, hop, first=first, count=frames)
    spectrum: Tensor = torch.fft.rfft(framed * hann(size, x.device, x.dtype))
    return spectrum


def _whole_spectrum(x: Tensor, size: int, hop: int, centred: bool) -> Tensor:
    """Return complex [B, F, bins] of all frames."""
    _check(x, size, hop)
    if centred:
        return _spectrum(x, size, hop, -(size // 2), x.shape[1] // hop + 1)
    if x.shape[1] < size:
        raise BadInput(f"a sound of {x.shape[1]} samples is shorter than a frame of {size}: centre the frames")
    return _spectrum(x, size, hop, 0, (x.shape[1] - size) // hop + 1)


def _magnitude(spectrum: Tensor) -> Tensor:
    squares = torch.view_as_real(spectrum).square()  # contiguous: twice as fast as the real and imaginary parts
    return (squares[..., 0] + squares[..., 1] + _TINY).sqrt()


def _check(x: Tensor, size: int, hop: int) -> None:
    if x.ndim != 2 or size < 1 or hop < 1:
        raise BadInput(f"a sound [B, T] is taken in frames of 1 sample or more, not one of shape {tuple(x.shape)} in "
                       f"frames of {size}, {hop} apart")


def _shares(spectrum: Tensor) -> Tensor:
    """Return magnitudes as shares of each frame; those of silence are (almost) zero."""
    audible = (spectrum - 1.01 * math.sqrt(_TINY)).clamp_min(0)
    return audible / (audible.sum(1, keepdim=True) + _TINY)


def _bin_hz(spectrum: Tensor, sample_rate_hz: float) -> Tensor:
    return torch.linspace(0, sample_rate_hz / 2, spectrum.shape[1], device=spectrum.device,
                          dtype=spectrum.dtype)[:, None]


def _constant(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Keep the tensors that a function makes; also those made in inference mode can be trained with later."""

    @functools.wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return cast(Callable[P, Tensor], functools.lru_cache(maxsize=64)(make))


@_constant
def hann(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the periodic Hann window [size], made once; it is not to be changed."""
    return torch.hann_window(size, periodic=True, dtype=torch.float64).to(device, dtype)


@_constant
def _half_inside(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return [bins] weights with which the real inverse transform is the adjoint of the transform."""
    weights = torch.full((size // 2 + 1,), 0.5, dtype=torch.float64)
    weights[0] = weights[-1] = 1.0
    return weights.to(device, dtype)


@_constant
def _mel_filters(bins: int, sample_rate_hz: float, bands: int, lowest_hz: float, highest_hz: float | None, slaney: bool,
                 device: torch.device, dtype: torch.dtype) -> Tensor:
    return mel_filters(bins, sample_rate_hz, bands, lowest_hz, highest_hz, slaney=slaney).to(device, dtype)


@_constant
def _cosines(coefficients: int, bands: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the first rows of the orthonormal DCT-II, [coefficients, bands]."""
    angles = torch.outer(torch.arange(coefficients), 2 * torch.arange(bands) + 1).double() * (math.pi / (2 * bands))
    rows = angles.cos() * math.sqrt(2 / bands)
    rows[0] /= math.sqrt(2)
    return rows.to(device, dtype)


@_constant
def _loudness_weights(window: int, sample_rate_hz: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return [bins] weights that turn |X|^2 into A-weighted mean power, that of a full-scale sine being 1."""
    places = torch.arange(window // 2 + 1, dtype=torch.float64) * (sample_rate_hz / window)
    weights = 10 ** (a_weighting_db(places) / 10)
    both_sides = torch.full_like(weights, 2.0)
    both_sides[0] = 1.0
    if window % 2 == 0:
        both_sides[-1] = 1.0
    energy = torch.hann_window(window, periodic=True, dtype=torch.float64).square().sum()
    return (weights * both_sides / (window * energy * 0.5)).to(device, dtype)


def _a_response(squared_hz: Tensor) -> Tensor:
    return (12194.217 ** 2 * squared_hz.square() / ((squared_hz + 20.598997 ** 2) * (squared_hz + 12194.217 ** 2)
            * ((squared_hz + 107.65265 ** 2) * (squared_hz + 737.86223 ** 2)).sqrt()))


def _htk_mel(hz: Tensor) -> Tensor:
    return 2595 * torch.log10(1 + hz / 700)


def _htk_hz(mels: Tensor) -> Tensor:
    return 700 * (10 ** (mels / 2595) - 1)


def _slaney_mel(hz: Tensor) -> Tensor:
    return torch.where(hz < 1000, hz * 3 / 200, 15 + 27 * torch.log(hz.clamp_min(1000) / 1000) / math.log(6.4))


def _slaney_hz(mels: Tensor) -> Tensor:
    return torch.where(mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15).clamp_min(0) * math.log(6.4) / 27))
