"""The spectrogram of a recording on the page of an audit: a small picture of its mel bands, inside the page."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from componium.cli.pages.parts import data_uri
from componium.cli.pages.roll import labels
from componium.music.audio import Audio
from componium.music.picture import log_mel

BANDS, FRAMES = 64, 400
FLOOR_DB = 70.0
SHADES = 16
_MAGMA = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Points of matplotlib's scale magma."""


def picture(audio: Audio) -> str:
    """Return the log-mel spectrogram as HTML, 0 to 70 dB below its loudest point."""
    levels, _, _ = log_mel(audio, bands=BANDS, most_frames=FRAMES)
    shades = np.clip(np.rint((1 + levels[::-1] / FLOOR_DB) * (SHADES - 1)), 0, SHADES - 1).astype(np.uint8)
    return f'<img alt="Spectrogram, mel bands" src="{data_uri("image/png", _png(shades))}">'


def axis(audio: Audio) -> str:
    """Return the labels of its frequencies."""
    _, centres, _ = log_mel(Audio(audio.samples[:, :1], audio.sample_rate_hz), bands=BANDS)
    wanted = [hz for hz in (200, 1000, 4000, 10000) if centres[0] <= hz <= centres[-1]]
    places = 1 - (np.interp(wanted, centres, np.arange(BANDS)) + 0.5) / BANDS
    return labels([(f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", float(place))
                   for hz, place in zip(wanted, places, strict=True)], "top")


def _png(shades: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG of four bits a pixel with the palette of magma."""
    height, width = shades.shape
    even = np.pad(shades, ((0, 0), (0, width % 2)))
    rows = np.pad(even[:, ::2] << 4 | even[:, 1::2], ((0, 0), (1, 0)))  # each row begins with its filter: none
    points = np.linspace(0, SHADES - 1, len(_MAGMA))
    palette = np.stack([np.interp(np.arange(SHADES), points, colour) for colour in np.transpose(_MAGMA)], axis=1)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
             (b"PLTE", np.rint(palette).astype(np.uint8).tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)),
             (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
