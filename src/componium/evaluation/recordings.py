"""The figures of a recording, taken while it is read block by block: an hour needs little more memory than a second.

Conventions.

- Silence is below -60 dBFS in windows of 20 ms. Loudness is that of ITU-R BS.1770-4, as `Audio.loudness_lufs` has it.
- The spectrum is that of one channel, up to 8 kHz, in frames of 0.256 s every 0.1 s. Centroid and flatness are means
  over the frames that are at most 40 dB below the loudest: how a sound fades does not count.
- Pitch is heard in the loudest ten seconds, by the tracker ``causal`` from 50 to 2000 Hz; it needs torch, and without
  it there is no figure of pitch.
- What comes of a recording besides its figures (`Recorded`) is small: 20 kB for a minute, to find it again by.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.outliers import FULL_SCALE, RECORDING_FIGURES, SILENT_DB
from componium.music.audio import Audio, open_sound
from componium.music.audio_blocks import AudioBlocks, SoundBlocks
from componium.music.item import Item

RATE = 16000
"""Samples a second at which spectrum and pitch are looked at."""
FRAME, HOP = 4096, 1600
HOP_SECONDS = HOP / RATE
BANDS, LOWEST_HZ, HIGHEST_HZ = 24, 60.0, 3800.0
"""Mel bands by which a recording is found again: they survive 8 kHz, MP3 and small loudspeakers."""
HEARD_DB, NOTHING_DB = 40.0, -80.0
"""Frames that far below the loudest, or below that level, say nothing of how it sounds."""
EXCERPT_SECONDS = 10.0
PITCH_HZ = (50.0, 2000.0)
PITCH_STEPS = 50
"""Frames of pitch a second."""
FEWEST_PITCHED = 0.2
"""Share of the frames that need a pitch, for a range of pitch to be told."""
WINDOW_SECONDS = 0.02
_TINY = 1e-12

Floats = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]
Tell = Callable[[float], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """What was found of a recording.

    Attributes:
        figures: those of `outliers.RECORDING_FIGURES`; NaN where one is not defined.
        samples_hash: sha256 (hex) of the samples in 16 bits with rate and channels; empty for silence.
        bands_db: float16 [F, `BANDS`], level of each band every `HOP_SECONDS`.
        levels_db: float32 [F], level of each frame below 8 kHz.
        pitch_hz: lowest and highest pitch, the outer twentieths left out; none where there is none.
    """

    figures: dict[str, float]
    samples_hash: str
    bands_db: npt.NDArray[np.float16]
    levels_db: Single
    pitch_hz: tuple[float, float] | None

    def loudest(self, seconds: float = EXCERPT_SECONDS) -> float:
        """Return where the loudest stretch of so many seconds begins, in seconds."""
        return loudest(self.levels_db, self.figures["duration"], seconds)


def recording_figures(audio: Audio) -> dict[str, float]:
    """Return the figures of a recording in memory, those of `RECORDING_FIGURES`."""
    return examined(Item("", "audio", audio)).figures


def examined(item: Item, tell: Tell = lambda _share: None) -> Recorded:
    """Return what is found of a recording; ``tell`` is called with the share that is read.

    Raises:
        BadFile: as `SoundBlocks`.
    """
    with _blocks_of(item) as blocks:
        taken = _Taken(blocks.sample_rate_hz, blocks.channels)
        for block in blocks:
            taken.take(block)
            tell(min(1.0, taken.count / max(1, blocks.sample_count)))
    figures = taken.figures()
    bands, levels, centroid, flatness = taken.spectrum.ended()
    heard = levels > max(float(levels.max()) - HEARD_DB, NOTHING_DB)
    if heard.any():
        figures |= {"centroid": float(centroid[heard].mean()), "flatness": float(flatness[heard].mean())}
    sure, pitch = _pitch(excerpt(item, loudest(levels, figures["duration"])))
    figures["pitch_confidence"] = sure
    return Recorded({figure.name: figures.get(figure.name, math.nan) for figure in RECORDING_FIGURES},
                    taken.hash(), bands, levels, pitch)


def excerpt(item: Item, start_seconds: float, seconds: float = EXCERPT_SECONDS) -> Audio:
    """Return a part of a recording; of a file no more is read. What lies outside it is left out."""
    if item.path is None or "_later" not in vars(item):
        audio = item.content
        assert isinstance(audio, Audio)
        first, last = (round(each * audio.sample_rate_hz) for each in (start_seconds, start_seconds + seconds))
        return Audio(audio.samples[:, max(0, first):max(0, last)], audio.sample_rate_hz)
    with open_sound(item.path) as file:
        first, last = (max(0, round(each * file.samplerate)) for each in (start_seconds, start_seconds + seconds))
        file.seek(min(first, file.frames))
        return Audio(file.read(max(0, last - first), dtype="float32", always_2d=True).T, file.samplerate)


def loudest(levels_db: npt.ArrayLike, duration: float, seconds: float = EXCERPT_SECONDS) -> float:
    """Return where the loudest stretch of so many seconds begins, in seconds; 0 where there is no more sound."""
    power = 10.0 ** (np.asarray(levels_db, np.float64) / 10.0)
    width = math.ceil(seconds / HOP_SECONDS)
    if duration <= seconds or len(power) <= width:
        return 0.0
    sums = np.cumsum(np.concatenate([[0.0], power]))
    return min(float(np.argmax(sums[width:] - sums[:-width])) * HOP_SECONDS, duration - seconds)


def mono_at(audio: Audio, sample_rate_hz: int) -> Single:
    """Return one channel at a rate, [T]."""
    return np.asarray(audio.to_mono().resample(sample_rate_hz).samples[0], np.float32)


def _blocks_of(item: Item) -> SoundBlocks | AudioBlocks:
    if item.path is not None and "_later" in vars(item):
        return SoundBlocks(item.path)
    assert isinstance(item.content, Audio)
    return AudioBlocks(item.content)


def _pitch(audio: Audio) -> tuple[float, tuple[float, float] | None]:
    """Return how surely there is a pitch where there is sound, and the range of pitch; NaN where it cannot be heard."""
    if importlib.util.find_spec("torch") is None:
        return math.nan, None
    from componium.dsp.pitch import VOICED, tracker

    samples, hop = mono_at(audio, RATE), RATE // PITCH_STEPS
    if not samples.any():
        return math.nan, None
    heard = tracker("causal", lowest_hz=PITCH_HZ[0], highest_hz=PITCH_HZ[1]).track(samples, RATE, hop_samples=hop)
    edges = np.arange(0, len(samples), hop)
    power = np.add.reduceat(samples.astype(np.float64) ** 2, edges)[:len(heard.f0_hz)]
    loud = power > power.max() * 10.0 ** (-HEARD_DB / 10.0)
    voiced = loud & (heard.confidence >= VOICED)
    sure = float(heard.confidence[loud].mean())
    if voiced.sum() < FEWEST_PITCHED * loud.sum():
        return sure, None
    low, high = np.quantile(heard.f0_hz[voiced], (0.05, 0.95)).tolist()
    return sure, (low, high)


class _Taken:
    """What is measured of a recording while it is read."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels, self.count = rate, channels, 0
        self.spectrum = _Spectrum(rate, channels)
        self._loudness = _Loudness(rate, channels)
        self._clips = [_Clips() for _ in range(channels)]
        self._window = max(1, round(WINDOW_SECONDS * rate))
        self._rest = np.zeros((0, channels), np.float32)
        self._peaks: list[Single] = []
        self._sums = np.zeros(channels)
        self._digest, self._any = hashlib.sha256(f"{rate} {channels} ".encode()), False

    def take(self, block: Single) -> None:
        """Take the next block [samples, channels]."""
        self.count += len(block)
        self._sums += block.sum(axis=0, dtype=np.float64)
        rounded = np.rint(np.clip(block, -1.0, 1.0) * 32767).astype("<i2")
        self._digest.update(rounded.tobytes())
        self._any = self._any or bool(rounded.any())
        sizes = np.abs(block)
        for clips, channel in zip(self._clips, sizes.T, strict=True):
            clips.take(channel)
        sizes = np.concatenate([self._rest, sizes])
        even = len(sizes) // self._window * self._window
        self._peaks.append(sizes[:even].reshape(-1, self._window, self.channels).max(axis=1))
        self._rest = sizes[even:]
        self._loudness.take(block)
        self.spectrum.take(block)

    def hash(self) -> str:
        """Return the hash of the samples; none of silence: one is like another."""
        return self._digest.hexdigest() if self._any else ""

    def figures(self) -> dict[str, float]:
        """Return the figures that need no spectrum."""
        last = [self._rest.max(axis=0)[None]] if len(self._rest) else []
        windows = np.concatenate([*self._peaks, *last])  # [windows, channels]
        threshold, peak, seconds = 10 ** (SILENT_DB / 20), float(windows.max()), self.count / self.rate
        sounding = np.flatnonzero(windows.max(axis=1) >= threshold)
        return {
            "duration": seconds, "loudness": self._loudness.integrated(),
            "peak": 20 * math.log10(peak) if peak > 0 else math.nan,
            "silence": 1.0 - len(sounding) / len(windows),
            "leading_silence": WINDOW_SECONDS * float(sounding[0]) if len(sounding) else seconds,
            "clipped": 100.0 * sum(clips.ended() for clips in self._clips) / (self.count * self.channels),
            "dc_offset": float(np.max(np.abs(self._sums / self.count))),
            "silent_channels": float(np.sum(windows.max(axis=0) < threshold)),
            "sample_rate": float(self.rate), "channels": float(self.channels),
        }


class _Clips:
    """Counts the samples of a channel that lie in runs of three or more at the end of the range."""

    def __init__(self) -> None:
        self._count = self._run = 0

    def take(self, sizes: Single) -> None:
        """Take the absolute samples of the next block."""
        full = np.concatenate([[False], sizes >= FULL_SCALE, [False]])
        changes = np.flatnonzero(full[1:] != full[:-1])
        runs, at_end = changes[1::2] - changes[::2], bool(full[-2])
        if len(runs) and changes[0] == 0:
            runs[0] += self._run
            if at_end and len(runs) == 1:
                self._run = int(runs[0])
                return
            self._run = 0
        self.ended()
        if at_end:
            self._run, runs = int(runs[-1]), runs[:-1]
        self._count += int(runs[runs >= 3].sum())

    def ended(self) -> int:
        """Return how many there are, the last run included."""
        self._count, self._run = self._count + (self._run if self._run >= 3 else 0), 0
        return self._count


class _Loudness:
    """Gated loudness of ITU-R BS.1770-4, with the filters and blocks of pyloudnorm; more than five channels as one."""

    def __init__(self, rate: int, channels: int) -> None:
        import pyloudnorm

        self.rate, self.channels = rate, channels if channels <= 5 else 1
        self._filters = [(each.passband_gain * each.b, each.a)
                         for each in pyloudnorm.Meter(rate)._filters.values()]
        self._states = [np.zeros((2, self.channels)) for _ in self._filters]
        self._sums: Floats = np.zeros((1, self.channels))
        self._count = 0

    def take(self, block: Single) -> None:
        """Take the next block [samples, channels]."""
        from scipy import signal

        sound = block.astype(np.float64) if block.shape[1] == self.channels else block.mean(axis=1, keepdims=True)
        for number, (b, a) in enumerate(self._filters):
            sound, self._states[number] = signal.lfilter(b, a, sound, axis=0, zi=self._states[number])
        places = ((np.arange(self._count, self._count + len(sound)) + 0.5) / (0.1 * self.rate)).astype(np.int64)
        first = np.flatnonzero(np.diff(places, prepend=-1))
        more = np.zeros((int(places[-1]) + 1 - len(self._sums), self.channels))
        self._sums = np.concatenate([self._sums, more])
        self._sums[places[first]] += np.add.reduceat(np.square(sound), first, axis=0)
        self._count += len(sound)

    def integrated(self) -> float:
        """Return the loudness in LUFS; NaN below the gate of -70."""
        blocks = round(self._count / self.rate / 0.1 - 4) + 1
        padded = np.pad(self._sums, ((0, max(0, blocks + 4 - len(self._sums), 4)), (0, 0)))
        total = np.cumsum(np.pad(padded, ((1, 0), (0, 0))), axis=0)
        power = ((total[4:] - total[:-4])[:max(1, blocks)] / (0.4 * self.rate)) @ _channel_weights(self.channels)
        levels = -0.691 + 10 * np.log10(np.maximum(power, _TINY))
        above = power[levels >= -70.0]
        if not len(above):
            return math.nan
        relative = -0.691 + 10 * math.log10(above.mean()) - 10.0
        kept = power[(levels > relative) & (levels > -70.0)]
        return float(-0.691 + 10 * math.log10(kept.mean())) if len(kept) else math.nan


def _channel_weights(channels: int) -> Floats:
    return np.array([1.0, 1.0, 1.0, 1.41, 1.41])[:channels]


class _Spectrum:
    """Bands, levels, centroid and flatness of the frames of a recording."""

    def __init__(self, rate: int, channels: int) -> None:
        import soxr

        self._stream = soxr.ResampleStream(rate, RATE, 1, "float32", "HQ") if rate != RATE else None
        self._weights = np.full(channels, 1.0 / channels, np.float32)
        self._rest = np.zeros(FRAME // 2, np.float32)
        self._found: list[tuple[Any, ...]] = []

    def take(self, block: Single) -> None:
        """Take the next block [samples, channels]."""
        mono = block[:, 0] if block.shape[1] == 1 else block @ self._weights
        self._frames(self._stream.resample_chunk(np.ascontiguousarray(mono)) if self._stream else mono)

    def ended(self) -> tuple[npt.NDArray[np.float16], Single, Single, Single]:
        """Return bands in dB [F, `BANDS`], levels in dB, centroid in Hz and flatness in dB [F] of all frames."""
        last = self._stream.resample_chunk(np.zeros(0, np.float32), last=True) if self._stream else self._rest[:0]
        self._frames(np.concatenate([last, np.zeros(FRAME // 2 + HOP // 2, np.float32)]))
        bands, *others = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        return bands, others[0], others[1], others[2]

    def _frames(self, sound: Single) -> None:
        sound = np.concatenate([self._rest, sound])
        count = max(0, (len(sound) - FRAME) // HOP + 1)
        self._rest = sound[count * HOP:]
        window, filters, places = _analysis()
        for first in range(0, count, 256):
            part = sound[first * HOP:(min(count, first + 256) - 1) * HOP + FRAME]
            frames = np.lib.stride_tricks.sliding_window_view(part, FRAME)[::HOP] * window
            power = np.abs(np.fft.rfft(frames, axis=1)).astype(np.float32) ** 2 + _TINY
            total = power.sum(axis=1)
            self._found.append((
                (10 * np.log10(power @ filters.T)).astype(np.float16), 10 * np.log10(total),
                (power @ places) / total,
                10 / math.log(10) * (np.log(power).mean(axis=1) - np.log(power.mean(axis=1)))))


@functools.cache
def _analysis() -> tuple[Single, Single, Single]:
    """Return the window (a full-scale sine has 0 dB in all), the mel filters [bands, bins], and the bins in Hz."""
    window = np.hanning(FRAME + 1)[:-1]
    places = np.fft.rfftfreq(FRAME, 1 / RATE)
    mels = np.linspace(math.log1p(LOWEST_HZ / 700), math.log1p(HIGHEST_HZ / 700), BANDS + 2)
    corners = 700 * np.expm1(mels)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    filters = np.clip(np.minimum((places - left) / (middle - left), (right - places) / (right - middle)), 0, None)
    scale = 4 / math.sqrt(1.5) / FRAME
    return tuple(each.astype(np.float32) for each in (window * scale, filters, places))  # type: ignore[return-value]
