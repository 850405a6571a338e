"""From the curves of any sound to those that an instrument can play: the knobs of timbre transfer.

The knobs are those that DDSP's users know; each is a function of curves, so that it can be looked at on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.instruments.ddsp.features import SILENT_DB, Features
from componium.instruments.ddsp.learned import QUANTILES, Learned
from componium.music.errors import BadInput

Floats = npt.NDArray[np.float64]
HOLD_SECONDS = 0.08
"""Within so long a time confidence falls to a third, where nothing is sure."""
MAJOR = (0, 2, 4, 5, 7, 9, 11)
OFFSETS_CENTS = np.linspace(-50, 50, 101)
HIGHEST_NOTE = 110.0


@dataclass(frozen=True)
class Knobs:
    """What is asked for; see `DDSP.transfer` for the meanings. Raises `BadInput` for values out of range."""

    octave_shift: float = 0.0
    confidence_threshold: float = 0.5
    loudness_shift_db: float = 0.0
    quiet_db: float = 20.0
    autotune: float = 0.0
    adjust: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("octave_shift", -4, 4), ("quiet_db", 0, 60), ("confidence_threshold", 0, 1),
                                ("loudness_shift_db", -40, 40), ("autotune", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise BadInput(f"{name}={getattr(self, name)}: {name} has to be between {low} and {high}")


def turned(curves: Features, knobs: Knobs, learned: Learned, frame_rate_hz: float) -> Features:
    """Return the curves of a sound as the knobs turn them."""
    notes = notes_in(curves, knobs.confidence_threshold, frame_rate_hz)
    if knobs.adjust:
        curves = adjusted(curves, notes, learned)
    curves = quieted(autotuned(curves, notes, knobs.autotune), notes, knobs.quiet_db)
    return shifted(curves, knobs.octave_shift, knobs.loudness_shift_db)


def held(confidence: npt.NDArray[np.floating], frame_rate_hz: float) -> Floats:
    """Return confidence that rises at once and falls slowly: a note is not torn by an unsure frame, nor begins late."""
    fall = np.log(kept_a_frame(frame_rate_hz)) * np.arange(len(confidence))
    with np.errstate(divide="ignore"):
        level = np.log(confidence.astype(np.float64)) - fall
    sure: Floats = np.exp(np.maximum.accumulate(level) + fall)
    return sure


def kept_a_frame(frame_rate_hz: float) -> float:
    """Return what is left of confidence a frame later."""
    return float(np.exp(-1.0 / (HOLD_SECONDS * frame_rate_hz)))


def notes_in(curves: Features, confidence_threshold: float, frame_rate_hz: float) -> Floats:
    """Return how surely each frame belongs to a note, 0 to 1: 1 where held confidence reaches the threshold."""
    return np.clip(held(curves.confidence, frame_rate_hz) / max(confidence_threshold, 1e-6), 0.0, 1.0)


def adjusted(curves: Features, notes: Floats, learned: Learned) -> Features:
    """Return curves moved by octaves to the pitch that was learned, and to the loudness that was learned.

    Loudness of notes is mapped quantile by quantile; what is softer than every note moves with the softest.
    """
    inside = notes >= 1.0
    if not inside.any() or not learned.loudness_quantiles:
        return curves
    height = midi(curves.f0_hz)
    distance = (learned.pitch_mean - float(height[inside].mean())) / 12.0
    octaves = float(np.round(distance))
    given = np.percentile(curves.loudness_db[inside].astype(np.float64), np.linspace(0, 100, QUANTILES))
    given = given + 1e-6 * np.arange(QUANTILES)  # rising, where many frames are alike
    wanted = np.asarray(learned.loudness_quantiles)
    loud = curves.loudness_db.astype(np.float64)
    mapped = np.interp(loud, given, wanted)
    mapped = np.where(loud < given[0], loud - given[0] + wanted[0], mapped)
    mapped = np.where(loud > given[-1], loud - given[-1] + wanted[-1], mapped)
    return curves.with_(f0_hz=np.float32(curves.f0_hz * 2.0**octaves), loudness_db=mapped.astype(np.float32))


def quieted(curves: Features, notes: Floats, quiet_db: float) -> Features:
    """Return curves in which what belongs to no note is softer by up to ``quiet_db``."""
    return curves.with_(loudness_db=np.float32(curves.loudness_db - quiet_db * (1.0 - notes)))


def shifted(curves: Features, octave_shift: float, loudness_shift_db: float) -> Features:
    """Return curves moved by octaves and by a level."""
    top = 440.0 * 2.0 ** ((HIGHEST_NOTE - 69.0) / 12.0)
    f0 = np.minimum(curves.f0_hz * 2.0**octave_shift, top)
    loud = np.clip(curves.loudness_db + loudness_shift_db, SILENT_DB, 0.0)
    return curves.with_(f0_hz=f0.astype(np.float32), loudness_db=loud.astype(np.float32))


def autotuned(curves: Features, notes: Floats, amount: float) -> Features:
    """Return curves whose pitch is pulled to the major scale that fits best, after the tuning is estimated.

    Args:
        curves: of a sound.
        notes: which frames count (1).
        amount: 0 = as it is, 1 = exactly on the scale.
    """
    inside = notes >= 1.0
    if amount <= 0 or not inside.any():
        return curves
    height = midi(curves.f0_hz)
    offset = tuning_cents(height[inside]) / 100.0
    tonic = best_major(height[inside] - offset)
    scale = np.array(sorted((tonic + step) % 12 for step in MAJOR), dtype=np.float64)
    steps = np.concatenate([scale - 12, scale, scale + 12])
    within = np.mod(height - offset, 12.0)
    nearest = steps[np.abs(within[:, None] - steps).argmin(1)]
    target = height - within + nearest
    moved = height + amount * (target - height)
    return curves.with_(f0_hz=np.float32(440.0 * 2.0 ** ((moved - 69.0) / 12.0)))


def tuning_cents(notes: Floats) -> float:
    """Return by how many cents, -50 to 50, note numbers lie above the equal-tempered notes of A 440."""
    apart = notes[:, None] * 100.0 - OFFSETS_CENTS
    return float(OFFSETS_CENTS[np.abs((apart + 50.0) % 100.0 - 50.0).mean(0).argmin()])


def best_major(notes: Floats) -> int:
    """Return the tonic, 0 to 11, of the major scale from which note numbers lie the least apart."""
    within = np.mod(notes, 12.0)
    costs = []
    for tonic in range(12):
        scale = np.mod(np.array(MAJOR) + tonic, 12)
        apart = np.abs(within[:, None] - scale)
        costs.append(float(np.minimum(apart, 12.0 - apart).min(1).mean()))
    return int(np.argmin(costs))


def midi(f0_hz: npt.NDArray[np.floating]) -> Floats:
    """Return note numbers of frequencies."""
    return 69.0 + 12.0 * np.log2(f0_hz.astype(np.float64) / 440.0)
