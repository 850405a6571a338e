"""The audio store: each recording as mono int16 at a model's rate, in a file that is mapped, never read as a whole.

A file holds the samples, then a line of JSON about them (`Stored`), its length, and a mark. It lies in the cache
folder under a hash of the recording's bytes, the rate and the trimming, is written under another name, synced and
renamed: so it is there as a whole or not at all, and what is there is not made again. Channels are mixed to one by
their mean, rates are converted by soxr in blocks, and sound that would go beyond full scale is turned down, not
clipped.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from componium.music.audio_blocks import AudioBlocks, SoundBlocks
from componium.music.errors import BadFile
from componium.music.files import replacing

FORMAT = 1
"""Rises when what is stored changes; older files are then made anew."""
ENDING = ".s16"
FULL_SCALE = 32768
SILENT = 1
"""Largest absolute sample, in steps of int16, of what counts as silence."""
FRAME_SECONDS = 0.01
BEFORE_SECONDS, AFTER_SECONDS = 0.1, 0.3
"""How much quiet is kept around what is loud enough: attacks begin and rooms fade below the threshold."""
GAP_SECONDS = 1.0
"""Quiet that is shorter stays in."""
FULL_FROM, FULL_TO = 0.9998, 1.0
"""Samples of a file between these count as clipped."""
MAPS = 256
"""Files that are kept open as maps at once."""
_MARK = b"componium audio\n"
_TAIL = struct.Struct(f"<Q{len(_MARK)}s")

Samples = npt.NDArray[np.int16]
Tell = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Stored:
    """What is known of a stored recording.

    Attributes:
        sample_rate_hz: of the store.
        samples: how many are stored.
        hash: sha256 (hex) of them.
        source_rate_hz: of the file.
        channels: of the file.
        seconds: of the file.
        parts: (start, end) in seconds of the file of what is stored; one pair where nothing was left out.
        gain_db: by which it was turned down; 0 = as it was.
        peak: largest absolute sample, 1 = full scale, after that.
        channel_peak: of the channels before they were mixed.
        clipped: share of the file's samples that are at full scale.
        offset: mean of the samples, 1 = full scale (DC).
        quiet: share of the time, of what is stored, that is more than 60 dB below the loudest.
    """

    sample_rate_hz: int
    samples: int
    hash: str
    source_rate_hz: int
    channels: int
    seconds: float
    parts: tuple[tuple[float, float], ...]
    gain_db: float
    peak: float
    channel_peak: float
    clipped: float
    offset: float
    quiet: float


def entry_name(recording_hash: str, sample_rate_hz: int, trim_silence_db: float) -> str:
    """Return the file name of a recording in the store."""
    told = f"{FORMAT} {recording_hash} {sample_rate_hz} {trim_silence_db:g}"
    return hashlib.sha256(told.encode()).hexdigest()[:40] + ENDING


def read_entry(path: Path) -> Stored | None:
    """Return what a file of the store says of itself; None where it is missing, damaged or cut off."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size - _TAIL.size)
            length, mark = _TAIL.unpack(file.read(_TAIL.size))
            if mark != _MARK or length > size:
                return None
            file.seek(size - _TAIL.size - length)
            told = json.loads(file.read(length))
        told["parts"] = tuple((start, end) for start, end in told["parts"])
        stored = Stored(**told)
    except (OSError, ValueError, TypeError, KeyError, struct.error):
        return None
    return stored if stored.samples * 2 + length + _TAIL.size == size else None


@functools.lru_cache(maxsize=MAPS)
def mapped(path: str, samples: int) -> Samples:
    """Return the samples of a file of the store, mapped for reading: int16 [T].

    Raises:
        BadFile: it is gone.
    """
    try:
        return np.memmap(path, np.dtype("<i2"), "r", shape=(samples,))
    except (OSError, ValueError) as error:
        raise BadFile(path, "was taken out of the cache while it was needed: begin again") from error


def store(source: SoundBlocks | AudioBlocks, target: Path, sample_rate_hz: int, trim_silence_db: float,
          tell: Tell) -> Stored:
    """Convert a sound into a file of the store.

    Args:
        source: the sound; it is closed afterwards.
        target: in the store.
        sample_rate_hz: of the store.
        trim_silence_db: what is quieter than the loudest by so much is left out at both ends and in long gaps; 0 =
            nothing is.
        tell: called with the share done.

    Raises:
        BadFile: the sound cannot be used, or the store cannot be written: then its path is ``target``.
    """
    with source as blocks, replacing(target) as temporary, open(temporary, "w+b") as file:
        taken = _Taken(blocks, sample_rate_hz)
        peak = taken.write(file, 1.0, tell)
        gain = 1.0
        if peak > 1.0:
            gain = (FULL_SCALE - 1) / FULL_SCALE / peak
            taken.write(file, gain, tell)
        if taken.peak * FULL_SCALE <= SILENT:
            raise BadFile("the recording", _why_silent(taken))
        levels = np.concatenate(taken.levels)
        parts = kept_parts(levels, trim_silence_db) if trim_silence_db else [(0, len(levels))]
        frame = taken.frame_samples
        places = [(start * frame, min(end * frame, taken.written)) for start, end in parts]
        kept = _moved_together(file, places)
        heard = np.concatenate([levels[start:end] for start, end in parts])
        told = _stored(taken, gain, heard, places, kept, _hash_of(file, kept))
        text = json.dumps(dataclasses.asdict(told)).encode()
        file.seek(kept * 2)
        file.write(text + _TAIL.pack(len(text), _MARK))
        file.flush()
        os.fsync(file.fileno())
    return told


def store_job(job: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Do `store` as a job of `componium.training.workers`; a file that cannot be used is answered with its reason."""
    try:
        store(SoundBlocks(job["source"]), Path(job["target"]), job["sample_rate_hz"], job["trim_silence_db"], tell)
    except BadFile as error:
        if error.path == job["target"]:
            return {"unwritten": error.reason}
        return {"failed": error.reason}
    return {}


class _Taken:
    """A sound file on its way into the store, and what is measured of it."""

    def __init__(self, blocks: SoundBlocks | AudioBlocks, sample_rate_hz: int) -> None:
        self.blocks, self.sample_rate_hz = blocks, sample_rate_hz
        self.frame_samples = max(1, round(FRAME_SECONDS * sample_rate_hz))

    def write(self, file: BinaryIO, gain: float, tell: Tell) -> float:
        """Write all samples as int16 from the beginning of a file; returns the peak that they would have had."""
        self.levels: list[npt.NDArray[np.float64]] = []
        self.read = self.written = self.clipped = 0
        self.total = self.peak = self.channel_peak = 0.0
        rest = np.zeros(0, np.float32)
        file.seek(0)
        file.truncate()
        for sound in self._converted(tell):
            scaled = sound if gain == 1.0 else sound * np.float32(gain)
            whole = np.rint(scaled * np.float32(FULL_SCALE))
            file.write(np.clip(whole, -FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes())
            self.written += len(scaled)
            self.peak = max(self.peak, float(scaled.max(initial=0.0)), -float(scaled.min(initial=0.0)))
            self.total += float(scaled.sum(dtype=np.float64))
            rest = np.concatenate([rest, scaled])
            even = len(rest) // self.frame_samples * self.frame_samples
            self.levels.append(self._level(rest[:even]))
            rest = rest[even:]
        if len(rest):
            self.levels.append(np.array([np.mean(rest.astype(np.float64) ** 2)]))
        return self.peak

    def _level(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the mean square of each frame."""
        frames = sound.reshape(-1, self.frame_samples)
        return np.einsum("ft,ft->f", frames, frames).astype(np.float64) / self.frame_samples

    def _converted(self, tell: Tell) -> Iterable[npt.NDArray[np.float32]]:
        """Yield one channel at the rate of the store, block by block."""
        import soxr

        rates = self.blocks.sample_rate_hz, self.sample_rate_hz
        weights = np.full(self.blocks.channels, 1.0 / self.blocks.channels, np.float32)
        stream = soxr.ResampleStream(*rates, 1, "float32", "HQ") if rates[0] != rates[1] else None
        for block in self.blocks:
            self._measure(block)
            tell(min(1.0, self.read / max(1, self.blocks.sample_count)))
            mono = block[:, 0] if block.shape[1] == 1 else block @ weights
            yield stream.resample_chunk(np.ascontiguousarray(mono)) if stream else mono
        if stream:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)

    def _measure(self, block: npt.NDArray[np.float32]) -> None:
        peak = max(float(block.max()), -float(block.min()))
        self.read += len(block)
        self.channel_peak = max(self.channel_peak, peak)
        if peak >= FULL_FROM:
            size = np.abs(block)
            self.clipped += int(((size >= FULL_FROM) & (size <= FULL_TO)).sum())


def kept_parts(levels: npt.NDArray[np.float64], trim_silence_db: float) -> list[tuple[int, int]]:
    """Return (first, last + 1) of the runs of frames that are kept when silence is trimmed.

    Args:
        levels: [F] mean square of each frame; at least one is above 0.
        trim_silence_db: how far below the loudest frame silence begins.
    """
    loud = np.flatnonzero(levels > levels.max() * 10.0 ** (-trim_silence_db / 10.0))
    before, after = round(BEFORE_SECONDS / FRAME_SECONDS), round(AFTER_SECONDS / FRAME_SECONDS)
    breaks = np.flatnonzero(np.diff(loud) > max(round(GAP_SECONDS / FRAME_SECONDS), before + after))
    firsts, lasts = loud[np.concatenate([[0], breaks + 1])], loud[np.concatenate([breaks, [len(loud) - 1]])]
    return [(max(0, int(first) - before), min(len(levels), int(last) + 1 + after))
            for first, last in zip(firsts, lasts, strict=True)]


def _moved_together(file: BinaryIO, places: Iterable[tuple[int, int]]) -> int:
    """Move the parts of a file that are kept, in samples, to its beginning, cut the rest off; returns their length."""
    at = 0
    for start, end in places:
        if at == start:  # nothing was left out so far
            at = end
            continue
        while start < end:
            file.seek(start * 2)
            block = file.read(min(end - start, 1 << 20) * 2)
            file.seek(at * 2)
            file.write(block)
            at, start = at + len(block) // 2, start + len(block) // 2
    file.truncate(at * 2)
    return at


def _hash_of(file: BinaryIO, samples: int) -> str:
    found, left = hashlib.sha256(), samples * 2
    file.seek(0)
    while left and (block := file.read(min(left, 1 << 20))):
        found.update(block)
        left -= len(block)
    return found.hexdigest()


def _stored(taken: _Taken, gain: float, levels: npt.NDArray[np.float64], places: list[tuple[int, int]], kept: int,
            digest: str) -> Stored:
    rate, source = taken.sample_rate_hz, taken.blocks
    return Stored(
        sample_rate_hz=rate, samples=kept, hash=digest, source_rate_hz=source.sample_rate_hz, channels=source.channels,
        seconds=taken.read / source.sample_rate_hz,
        parts=tuple((round(start / rate, 4), round(end / rate, 4)) for start, end in places),
        gain_db=float(20 * np.log10(gain)), peak=taken.peak, channel_peak=taken.channel_peak,
        clipped=taken.clipped / (taken.read * source.channels), offset=taken.total / taken.written,
        quiet=float(np.mean(levels < levels.max() * 1e-6)))


def _why_silent(taken: _Taken) -> str:
    if taken.channel_peak * FULL_SCALE > SILENT:
        return "is silent as one channel: its channels cancel each other; give one of them"
    return "is silent"
