"""Reading a sound file block by block, so that an hour of it needs no more memory than a second."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from componium.music.audio import Audio, open_sound, said_by, wav_is_cut
from componium.music.errors import BadFile

BLOCK_SAMPLES = 1 << 17
"""Samples of each channel in a block."""

Block = npt.NDArray[np.float32]


class SoundBlocks:
    """A sound file as blocks [samples, channels] of float32; use it in a ``with`` statement.

    Attributes:
        sample_rate_hz: of the file.
        channels: of the file.
        sample_count: of each channel, as the header says it; of an MP3 it may be an estimate.

    Raises:
        BadFile: as `componium.music.audio.Audio.read`, some of it only while the blocks are read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._file = open_sound(path)
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.sample_count: int = self._file.frames

    def __enter__(self) -> SoundBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks from the beginning; it may be asked for again."""
        import soundfile

        read = 0
        try:
            self._file.seek(0)
            while len(block := self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                if not np.isfinite(block).all():
                    raise BadFile(self._path, "holds samples that are not numbers (NaN or infinity)")
                read += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            raise BadFile(self._path, f"the sound is damaged ({said_by(error)})") from error
        if (self._file.format != "MP3" and read < self.sample_count) or wav_is_cut(self._path):
            raise BadFile(self._path, "is cut off: it ends before its sound does")
        if not read:
            raise BadFile(self._path, "holds no samples")


class AudioBlocks:
    """A sound that lies in memory, as the blocks that `SoundBlocks` gives of a file."""

    def __init__(self, audio: Audio) -> None:
        self._audio = audio
        self.sample_rate_hz, self.channels, self.sample_count = audio.sample_rate_hz, audio.channels, audio.sample_count

    def __enter__(self) -> AudioBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks from the beginning."""
        if not self.sample_count:
            raise BadFile("a recording in memory", "holds no samples")
        for start in range(0, self.sample_count, BLOCK_SAMPLES):
            yield self._audio.samples[:, start:start + BLOCK_SAMPLES].T
