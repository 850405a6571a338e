"""The tracker causal: the difference function of YIN over two periods of the lowest note, in slices or as a whole.

Sound of period p is like itself p later. For each lag the mean squared difference of all pairs of samples of the
window that are so far apart is taken (from an autocorrelation, by FFT) and divided by its mean over all shorter lags:
the cumulative mean normalised difference of YIN (de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator
for speech and music", JASA 111(4), 2002). Its dips are candidates, placed between the lags by a parabola.

- All pairs of the window count, as in MPM (McLeod and Wyvill, "A smarter way to find pitch", ICMC 2005), not as many
  for each lag: the window is centred whatever the lag, two periods of the lowest note are enough, and of a high note
  there are many periods in it.
- Of the candidates that is taken whose dip is deepest, where each octave down costs `OCTAVE_COST`: what repeats after
  p also repeats after 2 p. YIN's fixed threshold takes the first dip below 0.1, which is half the period of a
  saxophone that starts softly.
- A pitch that has stood for `STEADY_SECONDS` is left for another at a cost (for an octave or more, three quarters of
  `OCTAVE_COST`, so that a real octave is still cheaper to follow than to miss): at the ends of notes, where the second
  harmonic outlives the first, this keeps the octave. What has just begun is not trusted so.
- Confidence comes from the share of the energy at the lag that repeats (MPM's normalised difference, 1 for a periodic
  sound, about 0 for noise): a share of `HALF_SURE` makes 0.5. Below `GATE_DB` there is silence.
- A frame without a pitch keeps the last one that was heard; before the first it is the middle of the range.

NaN and infinity are zeros to `CausalPitch.step`, which is played live and must not stop; `Causal.track` refuses them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from componium.dsp.pitch import Floats, Pitch, check_range, checked
from componium.music.errors import BadInput

LOWEST_HZ = 130.0
HIGHEST_HZ = 2000.0
WIDEST_HZ = (20.0, 5000.0)
"""Between these any range can be asked for."""
OCTAVE_COST = 0.04
"""More of it makes fewer notes an octave too low, and more an octave too high."""
STEADY_SECONDS = 0.05
HALF_SURE = 0.6
GATE_DB = -90.0
"""Level of the window (RMS) below which nothing is heard, dBFS."""
CANDIDATES = 8
FINE_HZ = 32000.0
"""Lags are at least so close: below this sample rate the autocorrelation is interpolated (by its spectrum)."""
NONE_COST = 1e3
BLOCK_FRAMES = 512


class CausalPitch(torch.nn.Module):
    """The tracker in slices; it can be scripted (``torch.jit.script``) and keeps nothing: the state is yours.

    Frame k of a stream is centred on sample ``(k + 1) * hop_samples - delay_frames * hop_samples``.

    Args:
        sample_rate_hz: samples per second.
        hop_samples: samples from frame to frame.
        lowest_hz: lowest pitch; the window is two of its periods.
        highest_hz: highest pitch.
    """

    def __init__(self, sample_rate_hz: int, hop_samples: int, *, lowest_hz: float = LOWEST_HZ,
                 highest_hz: float = HIGHEST_HZ) -> None:
        super().__init__()
        self.half = lookahead_samples(sample_rate_hz, lowest_hz)
        self.window = 2 * self.half
        self.hop = hop_samples
        self.delay_frames = math.ceil(self.half / hop_samples)
        self.keep = (self.delay_frames - 1) * hop_samples + self.half
        self.up = max(1, math.ceil(FINE_HZ / sample_rate_hz))
        self.lag_rate = float(sample_rate_hz * self.up)
        self.low_lag = max(2, math.floor(self.lag_rate / highest_hz))
        self.high_lag = self.half * self.up
        if self.high_lag <= self.low_lag:
            raise BadInput(f"at {sample_rate_hz} Hz there is no pitch to be heard from {lowest_hz:g} to "
                           f"{highest_hz:g} Hz")
        self.fft_size = fast_size(self.window + self.half + 2)
        self.lowest_hz, self.highest_hz = float(lowest_hz), float(highest_hz)
        self.octave_cost = OCTAVE_COST
        self.steadier = min(1.0, hop_samples / (STEADY_SECONDS * sample_rate_hz))
        self.half_sure, self.gate = HALF_SURE, 10.0 ** (GATE_DB / 20.0)
        self.candidates = min(CANDIDATES, self.high_lag - self.low_lag + 1)
        self.none_cost = NONE_COST
        lags = torch.arange(self.high_lag + 2)  # [L], in steps of 1 / lag_rate
        whole = torch.div(lags, self.up, rounding_mode="floor")
        self.register_buffer("lags", lags.float(), persistent=False)
        self.register_buffer("whole", whole, persistent=False)
        self.register_buffer("part", lags.float() / self.up - whole, persistent=False)

    @torch.jit.export
    def start(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first sample: ``heard`` [B, keep], ``f0_hz`` [B], ``steady`` [B] 0..1."""
        device = self.lags.device
        return {
            "heard": torch.zeros(batch, self.keep, device=device),
            "f0_hz": torch.full((batch,), math.sqrt(self.lowest_hz * self.highest_hz), device=device),
            "steady": torch.zeros(batch, device=device),
        }

    @torch.jit.export
    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Hear the next samples.

        Args:
            x: [B, hop_samples * n].
            state: from `start` or the last step; it is not changed.

        Returns:
            f0 in Hz [B, n], confidence [B, n], and the state after them.
        """
        count = x.shape[1] // self.hop
        sound = torch.cat([state["heard"], torch.nan_to_num(x, 0.0, 0.0, 0.0)], dim=1)
        frames = sound.unfold(1, self.window, self.hop)[:, :count]  # [B, n, W]
        costs, candidates_hz, sureness = self.candidates_of(frames)  # each [B, n, K]
        last, steady = state["f0_hz"], state["steady"]
        pitches: list[Tensor] = []
        confidences: list[Tensor] = []
        for k in range(count):
            leaps = torch.abs(torch.log2(candidates_hz[:, k] / last[:, None])).clamp(max=1.0)  # octaves
            total = costs[:, k] + 0.75 * self.octave_cost * leaps * steady[:, None]
            best = torch.argmin(total, dim=1, keepdim=True)
            confidence = sureness[:, k].gather(1, best)[:, 0]
            voiced = confidence >= 0.5
            stays = voiced & (leaps.gather(1, best)[:, 0] < 1.0 / 12.0)
            steady = torch.where(stays, (steady + self.steadier).clamp(max=1.0), torch.zeros_like(steady))
            last = torch.where(voiced, candidates_hz[:, k].gather(1, best)[:, 0], last)
            pitches.append(last)
            confidences.append(confidence)
        after = {"heard": sound[:, sound.shape[1] - self.keep:].clone(), "f0_hz": last, "steady": steady}
        return torch.stack(pitches, 1), torch.stack(confidences, 1), after

    def differences(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return YIN's normalised difference, the share that repeats (each [B, n, L]) and the level [B, n] of frames.

        Args:
            frames: [B, n, W].
        """
        frames = frames - frames.mean(dim=2, keepdim=True)
        peak = frames.abs().amax(dim=2, keepdim=True).clamp(min=1e-12)
        frames = frames / peak  # loud and soft sound in the same range of float32
        level = peak[:, :, 0] * frames.square().mean(dim=2).sqrt()
        power = torch.view_as_real(torch.fft.rfft(frames, n=self.fft_size)).square().sum(-1)
        alike = torch.fft.irfft(power, n=self.fft_size * self.up)[:, :, :self.high_lag + 2] * self.up
        summed = torch.nn.functional.pad(torch.cumsum(frames.square(), dim=2), (1, 0))  # [B, n, W + 1]
        without_end = self.between_samples(summed.flip(2))  # energy of the first of each pair
        without_start = summed[:, :, -1:] - self.between_samples(summed)  # and of the second
        energy = without_end + without_start
        difference = (energy - 2.0 * alike).clamp(min=0.0)
        repeats = 1.0 - difference / energy.clamp(min=1e-9)
        difference = difference / (self.window - self.lags / self.up)  # by the number of pairs
        dips = difference * self.lags / torch.cumsum(difference, dim=2).clamp(min=1e-9)
        return dips, repeats, level

    def between_samples(self, summed: Tensor) -> Tensor:
        """Return sums [.., W + 1] at the lags [.., L], interpolated where these are between samples."""
        if self.up == 1:
            return summed[:, :, :self.high_lag + 2]
        low, high = summed.index_select(2, self.whole), summed.index_select(2, self.whole + 1)
        return low + (high - low) * self.part

    def candidates_of(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return cost, f0 in Hz and confidence, each [B, n, K], of the likeliest periods of frames [B, n, W]."""
        dips, repeats, level = self.differences(frames)
        low, high = self.low_lag, self.high_lag
        here, before, behind = dips[:, :, low:high + 1], dips[:, :, low - 1:high], dips[:, :, low + 1:high + 2]
        cost = here + self.octave_cost * torch.log2(self.lags[low:high + 1] / low)
        cost = torch.where((here < before) & (here <= behind), cost, torch.full_like(cost, self.none_cost))
        costs, places = torch.topk(cost, self.candidates, dim=2, largest=False)
        places = places + low
        left, middle, right = dips.gather(2, places - 1), dips.gather(2, places), dips.gather(2, places + 1)
        bend = (left - 2.0 * middle + right).clamp(min=1e-9)
        shift = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
        deeper = torch.minimum(0.25 * (left - right) * shift, middle)  # between two lags the dip goes on
        f0_hz = (self.lag_rate / (places + shift)).clamp(self.lowest_hz, self.highest_hz)
        share = repeats.gather(2, places)
        confidence = torch.where(share < self.half_sure, 0.5 * share / self.half_sure,
                                 0.5 + 0.5 * (share - self.half_sure) / (1.0 - self.half_sure)).clamp(0.0, 1.0)
        heard = (costs < 0.5 * self.none_cost) & (level > self.gate)[:, :, None]
        return costs - deeper, f0_hz, torch.where(heard, confidence, torch.zeros_like(confidence))


class Causal:
    """The tracker causal for whole sounds; `componium.dsp.pitch.tracker` says how it is made, `Tracker` what it does.

    It is the stream, run over the sound: frames before the first that was asked for are heard, too, so that both
    come to the same.
    """

    name = "causal"

    def __init__(self, *, lowest_hz: float | None = None, highest_hz: float | None = None) -> None:
        self.lowest_hz = LOWEST_HZ if lowest_hz is None else float(lowest_hz)
        self.highest_hz = HIGHEST_HZ if highest_hz is None else float(highest_hz)
        check_range(self.lowest_hz, self.highest_hz, within=WIDEST_HZ, name=self.name)

    def lookahead_samples(self, sample_rate_hz: int) -> int:
        """Return half the window: one period of the lowest note."""
        return lookahead_samples(sample_rate_hz, self.lowest_hz)

    def track(self, samples: npt.ArrayLike, sample_rate_hz: int, *, hop_samples: int, first_sample: int = 0,
              frames: int | None = None) -> Pitch:
        """Return the pitch, as `Tracker.track` says; what is not the sound itself needs memory for seconds only."""
        sound, count = checked(samples, sample_rate_hz, hop_samples, first_sample, frames)
        stream = CausalPitch(sample_rate_hz, hop_samples, lowest_hz=self.lowest_hz, highest_hz=self.highest_hz)
        before = max(0, math.ceil((first_sample + stream.half) / hop_samples))  # frames that may hear the sound
        start = first_sample - (before + 1 - stream.delay_frames) * hop_samples
        state = stream.start(1)
        state["heard"] = torch.from_numpy(piece(sound, start - stream.keep, stream.keep))[None]
        f0_hz, confidence = np.zeros((2, before + count), np.float32)
        with torch.inference_mode():
            for at in range(0, before + count, BLOCK_FRAMES):
                many = min(BLOCK_FRAMES, before + count - at)
                block = torch.from_numpy(piece(sound, start + at * hop_samples, many * hop_samples))
                pitch, sure, state = stream.step(block[None], state)
                f0_hz[at:at + many], confidence[at:at + many] = pitch[0].numpy(), sure[0].numpy()
        return Pitch(f0_hz[before:], confidence[before:])


def lookahead_samples(sample_rate_hz: int, lowest_hz: float) -> int:
    """Return half a window: the longest period, in whole samples."""
    return max(2, math.floor(sample_rate_hz / lowest_hz))


def piece(sound: Floats, start: int, length: int) -> Floats:
    """Return samples [length] from a place on; where the sound is not there is silence."""
    found = np.zeros(length, np.float32)
    low, high = min(max(start, 0), len(sound)), min(max(start + length, 0), len(sound))
    found[low - start:high - start] = sound[low:high] if high > low else 0.0
    return found


def fast_size(least: int) -> int:
    """Return the smallest even size of 2, 3 and 5 only that is not below ``least``: fast to transform."""
    size = least + least % 2
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2
