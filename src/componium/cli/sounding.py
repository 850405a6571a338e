"""What `perform` and `transfer` share: reading a sound with a look at it, and what is told of sounds and voices."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.cli.show import say, warn
from componium.music.audio import Audio
from componium.music.errors import BadFile

SILENT_DB = -90.0
"""A sound is silent where no sample is above this, dBFS."""
CLIPPED = 0.999
"""Samples from here on, four or more of the same value in a row, are clipped."""


@dataclass(frozen=True)
class Heard:
    """A sound file as one channel, and what is to be said of it.

    Attributes:
        audio: the mean of its channels, at its own rate.
        channels: of the file.
        clipped_samples: how many samples are cut off at full scale.
    """

    audio: Audio
    channels: int
    clipped_samples: int


def read_mono(path: Path) -> Heard:
    """Read a sound block by block, so that only one channel of it is kept.

    Raises:
        BadFile: it cannot be read, holds NaN, is cut off, or is silent.
    """
    from componium.music.audio_blocks import SoundBlocks

    parts, clipped, peak = [], 0, 0.0
    with SoundBlocks(path) as blocks:
        for block in blocks:
            parts.append(block.mean(axis=1, dtype=np.float64).astype(np.float32))
            clipped += clipped_in(block)
            peak = max(peak, float(np.abs(block).max()))
        rate, channels = blocks.sample_rate_hz, blocks.channels
    audio = Audio(np.concatenate(parts), rate)
    if audio.peak_db < SILENT_DB:
        cancelled = peak > 10 * 10 ** (SILENT_DB / 20)
        raise BadFile(path, "is silent when its channels are mixed to one: they cancel each other out; give one of "
                            "them" if cancelled else "is silent: there is nothing in it to follow")
    return Heard(audio, channels, clipped)


def clipped_in(block: npt.NDArray[np.float32]) -> int:
    """Return how many samples [samples, channels] are cut off at full scale: as loud as the three before them."""
    flat = (np.abs(block) >= CLIPPED)[1:] & (np.diff(block, axis=0) == 0)
    return int((flat[2:] & flat[1:-1] & flat[:-2]).sum())


def told_of(sound: Audio) -> str:
    """Return length, rate, loudness and peak of a sound in words."""
    return (f"{sound.seconds:.1f} s, {sound.sample_rate_hz} Hz, {sound.loudness_lufs:.1f} LUFS, "
            f"peak {sound.peak_db:.1f} dB")


def channels_of(count: int) -> str:
    """Return the usual name of a number of channels."""
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(count, f"{count} channels")


def tell_consent(name: str, model: Any) -> None:
    """Say where a model is a person's voice, with whose consent, for what and until when; warn where it has ended."""
    told = {key: str(value) for key, value in model.provenance.items() if key.startswith("consent")}
    if not told.get("consent_who"):
        return
    until = told.get("consent_until", "")
    say(f"{name}: a voice, with the consent of {told['consent_who']} until {until or 'a day that is not known'}, for: "
        f"{told.get('consent_for', 'what is not known')} (consent {told.get('consent_sha256', '')[:12]})")
    if ended := [day for day in until.split("; ") if _is_past(day)]:
        warn(f"{name}: this consent ended on {ended[0]}; ask again before you use it")


def _is_past(day: str) -> bool:
    try:
        return datetime.date.fromisoformat(day) < datetime.date.today()
    except ValueError:  # unlimited
        return False
