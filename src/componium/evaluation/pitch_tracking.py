"""How well a tracker hears pitch: right frames, right but for the octave, and telling pitch from none.

Conventions.

- Two rows of frames are compared, one by one: a reference (frequencies in Hz; 0 where there is no pitch) and an
  estimate (frequencies in Hz that may go on where there is no pitch, and which frames are told to have one).
- Raw pitch accuracy, raw chroma accuracy, voicing recall and voicing false alarm are those of the MIREX task on
  melody (Poliner and others, "Melody transcription from music audio", IEEE TASLP 15(4), 2007; Salamon and others,
  "Melody extraction from polyphonic music signals", IEEE SPM 31(2), 2014), as mir_eval computes them: the frames with
  a pitch in the reference count, whether the estimate tells of one or not, and a pitch is right where it is less than
  50 cents away. A frequency of 0 in the estimate is no guess, and wrong.
- ``octave_up`` and ``octave_down`` count frames less than 50 cents from one octave above or below.
- A figure without a frame to count is NaN: false alarms of a sound that never rests. (mir_eval has a number there.)
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TOLERANCE_CENTS = 50.0
OCTAVE_CENTS = 1200.0


@dataclasses.dataclass(frozen=True)
class PitchScores:
    """Figures of an estimate; shares 0..1, NaN where nothing can be counted.

    Attributes:
        raw_pitch_accuracy: of the frames with pitch, how many are right.
        raw_chroma_accuracy: how many are right but for octaves.
        octave_up: how many are one octave too high.
        octave_down: how many are one octave too low.
        voicing_recall: of the frames with pitch, how many are told to have one.
        voicing_false_alarm: of the frames without pitch, how many are told to have one.
        frames: frames with pitch in the reference.
        silent_frames: frames without.
    """

    raw_pitch_accuracy: float
    raw_chroma_accuracy: float
    octave_up: float
    octave_down: float
    voicing_recall: float
    voicing_false_alarm: float
    frames: int
    silent_frames: int


def validate(reference_hz: npt.ArrayLike, estimate_hz: npt.ArrayLike, voiced: npt.ArrayLike) -> None:
    """Raise `BadInput` where the rows are not as long as each other, or hold what is no frequency."""
    rows = {"the reference": np.asarray(reference_hz), "the estimate": np.asarray(estimate_hz),
            "its voicing": np.asarray(voiced)}
    for name, row in rows.items():
        if row.ndim != 1 or row.shape != rows["the reference"].shape:
            raise BadInput(f"pitch is compared frame by frame: {name} has the shape {row.shape}, the reference "
                           f"{rows['the reference'].shape}")
        if row.dtype != bool and not (np.isfinite(row).all() and (row >= 0).all()):
            raise BadInput(f"{name} holds values that are no frequencies (0 Hz or more)")
    if rows["its voicing"].dtype != bool:
        raise BadInput("voicing is told as true or false for each frame")


def cents_off(reference_hz: npt.ArrayLike, estimate_hz: npt.ArrayLike) -> Floats:
    """Return by how many cents each estimate is too high; NaN where either is 0."""
    reference, estimate = np.asarray(reference_hz, np.float64), np.asarray(estimate_hz, np.float64)
    both = (reference > 0) & (estimate > 0)
    ratio = np.divide(estimate, reference, out=np.ones_like(reference), where=both)
    return np.where(both, OCTAVE_CENTS * np.log2(ratio), np.nan)


def tuning_cents(off: npt.ArrayLike) -> float:
    """Return the tuning of an instrument: the median of `cents_off` over all its notes, wrong octaves aside."""
    values = np.asarray(off, np.float64)
    values = values[np.abs(values) < OCTAVE_CENTS / 2]
    return float(np.median(values)) if len(values) else 0.0


def raw_pitch_accuracy(off: Floats, *, tolerance_cents: float = TOLERANCE_CENTS) -> float:
    """Return the share of frames whose pitch is right; NaN without frames."""
    return _share(np.abs(off) < tolerance_cents)


def raw_chroma_accuracy(off: Floats, *, tolerance_cents: float = TOLERANCE_CENTS) -> float:
    """Return the share of frames whose pitch is right but for whole octaves; NaN without frames."""
    return _share(np.abs(off - OCTAVE_CENTS * np.floor(off / OCTAVE_CENTS + 0.5)) < tolerance_cents)


def octave_errors(off: Floats, *, tolerance_cents: float = TOLERANCE_CENTS) -> tuple[float, float]:
    """Return the shares of frames that are one octave too high, and one too low."""
    return (_share(np.abs(off - OCTAVE_CENTS) < tolerance_cents), _share(np.abs(off + OCTAVE_CENTS) < tolerance_cents))


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def evaluate(reference_hz: npt.ArrayLike, estimate_hz: npt.ArrayLike, voiced: npt.ArrayLike, *,
             tuning: float = 0.0) -> PitchScores:
    """Return all figures of an estimate.

    Args:
        reference_hz: [F]; 0 where there is no pitch.
        estimate_hz: [F].
        voiced: [F] bool, where the estimate tells of a pitch (`componium.dsp.pitch.VOICED` of confidence and more).
        tuning: cents that the instrument stands above the reference, from `tuning_cents`.

    Raises:
        BadInput: as `validate`.
    """
    validate(reference_hz, estimate_hz, voiced)
    there, told = np.asarray(reference_hz) > 0, np.asarray(voiced)
    off = cents_off(reference_hz, estimate_hz)[there] - tuning
    up, down = octave_errors(off)
    return PitchScores(
        raw_pitch_accuracy=raw_pitch_accuracy(off), raw_chroma_accuracy=raw_chroma_accuracy(off), octave_up=up,
        octave_down=down, voicing_recall=_share(told[there]), voicing_false_alarm=_share(told[~there]),
        frames=int(there.sum()), silent_frames=int((~there).sum()))
