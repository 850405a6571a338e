"""The sound of a page: encoded so that every browser plays it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from componium.music.audio import Audio
from componium.music.errors import BadInput

_KINDS = (("MP3", "MPEG_LAYER_III", "audio/mpeg", ".mp3"), ("FLAC", "PCM_16", "audio/flac", ".flac"))
"""Format, subtype, media type and ending, the first that this computer's libsndfile writes is taken."""
_COMPRESSION = {1: 0.8, 2: 0.5}
"""Channels -> libsndfile's level: 96 and 160 kbit a second at 44.1 kHz."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Sound:
    """An encoded sound.

    Attributes:
        data: the bytes of the file.
        kind: media type, such as ``"audio/mpeg"``.
        ending: of a file name, such as ``".mp3"``.
        seconds: length.
    """

    data: bytes
    kind: str
    ending: str
    seconds: float


def encode(audio: Audio, *, stereo: bool = False, comment: str = "") -> Sound:
    """Encode a sound for a page: MP3 at constant bit rate, which every browser plays and finds its place in.

    Where libsndfile was built without MP3, FLAC is taken.

    Args:
        audio: the sound; peaks above full scale are turned down.
        stereo: whether to keep two channels; else one carries the mean of all.
        comment: a text in the file; letters beyond ASCII become question marks, as MP3 has no sure place for them.

    Raises:
        BadInput: a sound without samples.
    """
    import soundfile

    if audio.sample_count == 0:
        raise BadInput("there is no sound: 0 samples")
    audio = audio if stereo and audio.channels == 2 else audio.to_mono()
    audio = audio.resample(44100) if audio.sample_rate_hz not in (32000, 44100, 48000) else audio
    samples = audio.samples.T / max(1.0, float(np.max(np.abs(audio.samples))))
    known = soundfile.available_formats()
    name, subtype, kind, ending = next(each for each in _KINDS if each[0] in known)
    level = _COMPRESSION[audio.channels]
    more: dict[str, Any] = {"bitrate_mode": "CONSTANT", "compression_level": level} if name == "MP3" else {}
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", audio.sample_rate_hz, audio.channels, subtype, format=name, **more) as file:
        if comment:
            file.comment = comment.encode("ascii", "replace").decode()
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start:start + _BLOCK])
    return Sound(stream.getvalue(), kind, ending, audio.seconds)
