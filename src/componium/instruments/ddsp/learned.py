"""What `ddsp` remembers of its recordings as a whole: how high and how loud they are, and how their notes begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays
from componium.music.errors import BadInput

SURE = 0.5
"""A frame is a note's where its pitch is at least so sure."""
QUANTILES = 101
BELOW_LOUDEST_DB = 45.0
"""And where it is not so much below the loudest frames."""
ONSET_SECONDS = 0.4
"""So long is the beginning of notes that is remembered."""
JUMP_DB = 6.0
"""A note begins where it gets so much louder within `RISE_SECONDS`."""
RISE_SECONDS = 0.05
LONG_NOTE_SECONDS = 0.8
VIBRATO_HZ = (3.0, 9.0)


@dataclass(frozen=True)
class Learned:
    """Statistics of the notes.

    Attributes:
        pitch_mean: mean note number (MIDI).
        pitch_range: lowest and highest note number, the outermost hundredths left out.
        loudness_quantiles: [101] dB of the frames of notes.
        quiet_db: median loudness of all other frames.
        attack_db: [n] mean loudness after a note's beginning, against its later loudness; a value a frame.
        vibrato_cents: median depth (peak) of long notes; 0 for none.
        vibrato_hz: its rate.
    """

    pitch_mean: float = 60.0
    pitch_range: tuple[float, float] = (48.0, 72.0)
    loudness_quantiles: tuple[float, ...] = ()
    quiet_db: float = -80.0
    attack_db: tuple[float, ...] = ()
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.5

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Learned:
        """Take back what `to_json` returned; raises `BadInput` where it does not fit."""
        try:
            known: dict[str, Any] = {field.name: data[field.name] for field in fields(cls)}
            read: dict[str, Any] = {name: tuple(float(each) for each in value) if isinstance(value, list)
                                    else float(value) for name, value in known.items()}
            learned = cls(**read)
            return learned._checked()
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"what it knows of its recordings is damaged ({error})") from error

    def _checked(self) -> Learned:
        """Return itself; raises `ValueError` for statistics that cannot be."""
        if not all(np.isfinite(value).all() for value in asdict(self).values()):
            raise ValueError("a number is not finite")
        if len(self.loudness_quantiles) not in (0, QUANTILES) or len(self.pitch_range) != 2:
            raise ValueError("a list has another length")
        if self.pitch_range[0] > self.pitch_range[1] or np.any(np.diff(self.loudness_quantiles) < 0):
            raise ValueError("a list is not rising")
        return self

    def loudness_at(self, share: float | npt.NDArray[np.float64]) -> Any:
        """Return the loudness of notes, dB, that so large a share of them (0 to 1) does not reach."""
        return np.interp(share, np.linspace(0, 1, QUANTILES), self.loudness_quantiles)


def in_note(curves: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    """Return which frames belong to notes."""
    loud = curves["loudness_db"]
    top = float(np.percentile(loud, 98)) if len(loud) else 0.0
    sure: npt.NDArray[np.bool_] = (curves["confidence"] >= SURE) & (loud > top - BELOW_LOUDEST_DB)
    return sure


def learned_from(prepared: Sequence[Arrays], frame_rate_hz: float) -> Learned:
    """Look at all recordings; raises `BadInput` where none has a pitch."""
    masks = [in_note(each) for each in prepared]
    loud = np.concatenate([each["loudness_db"] for each in prepared])
    notes = np.concatenate([_notes(each["f0_hz"]) for each in prepared])
    inside = np.concatenate(masks)
    if not inside.any():
        raise BadInput("no recording has a pitch that can be followed: this instrument needs one note at a time, not "
                       "noise, drums or chords")
    low, high = np.percentile(notes[inside], [1, 99])
    outside = loud[~inside]
    depth, rate = vibrato(prepared, masks, frame_rate_hz)
    return Learned(
        float(notes[inside].mean()), (float(low), float(high)),
        tuple(float(each) for each in np.percentile(loud[inside], np.linspace(0, 100, QUANTILES))),
        float(np.median(outside)) if len(outside) else -80.0, attack(prepared, masks, frame_rate_hz), depth, rate)


def _notes(f0_hz: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return 69.0 + 12.0 * np.log2(f0_hz.astype(np.float64) / 440.0)


def attack(prepared: Sequence[Arrays], masks: Sequence[npt.NDArray[np.bool_]], frame_rate_hz: float) -> tuple[
        float, ...]:
    """Return the mean course of loudness at the beginning of notes, against what follows; dB, a value a frame."""
    length, rise = max(round(ONSET_SECONDS * frame_rate_hz), 2), max(round(RISE_SECONDS * frame_rate_hz), 1)
    courses = []
    for each, mask in zip(prepared, masks, strict=True):
        loud = each["loudness_db"].astype(np.float64)
        padded = np.concatenate([np.full(rise, loud[0] if len(loud) else -80.0), loud])  # cut there, perhaps
        begins = mask & ((loud - padded[:-rise]) > JUMP_DB)
        starts = np.flatnonzero(begins & ~np.append(False, begins[:-1]))
        for start in starts:
            part = loud[start:start + length]
            if len(part) == length and mask[start:start + length].mean() > 0.8:
                courses.append(part - np.median(part[length // 2:]))
    if not courses:
        return ()
    return tuple(float(value) for value in np.median(courses, axis=0))


def vibrato(prepared: Sequence[Arrays], masks: Sequence[npt.NDArray[np.bool_]], frame_rate_hz: float) -> tuple[
        float, float]:
    """Return the median depth in cents (peak) and rate in Hz of the vibrato of long notes; 0 and 5.5 for none."""
    length = round(LONG_NOTE_SECONDS * frame_rate_hz)
    depths, rates = [], []
    for each, mask in zip(prepared, masks, strict=True):
        notes = _notes(each["f0_hz"])
        for start in range(0, len(notes) - length + 1, length):
            part = notes[start:start + length]
            if mask[start:start + length].all() and np.ptp(part) < 1.5:
                depth, rate = swing(part * 100.0, frame_rate_hz)
                depths.append(depth)
                rates.append(rate)
    if not depths or np.median(depths) < 3.0:
        return 0.0, 5.5
    moving = np.array(depths) >= np.median(depths)
    return float(np.median(depths)), float(np.median(np.array(rates)[moving]))


def swing(cents: npt.NDArray[np.float64], frame_rate_hz: float) -> tuple[float, float]:
    """Return the depth (peak) and the rate in Hz of the strongest swing of a curve between 3 and 9 Hz."""
    time = np.arange(len(cents)) / frame_rate_hz
    level = cents - np.polyval(np.polyfit(time, cents, 1), time)
    window = np.hanning(len(cents))
    rates = np.arange(VIBRATO_HZ[0], min(VIBRATO_HZ[1], frame_rate_hz / 2.5), 0.25)
    turns = np.exp(-2j * np.pi * rates[:, None] * time)
    size = 2 * np.abs(turns @ (level * window)) / window.sum()
    best = int(size.argmax())
    return float(size[best]), float(rates[best])
