"""Pitch of one voice: how high a sound is at each moment, and how surely it has a pitch at all.

Two trackers keep one interface. ``swift-f0`` is a small trained network: the surest, but it needs about a fifth of a
second of sound after the moment it tells of. ``causal`` is a formula without anything trained: it hears at most two
periods of the lowest note around the moment, so that an instrument can be played with it. A model that is played live
learns from the tracker that it is played with.

Conventions.

- Frame k is centred on sample ``first_sample + k * hop_samples``. Beyond both ends of the sound there is silence.
- A frame with a confidence of `VOICED` or more has a pitch. Where there is none, ``f0_hz`` goes on from its neighbours
  (each tracker says how) and stays inside the tracker's range: it can always be played.
- Sound is mono, float, full scale -1..1. NaN and infinity are refused (`BadInput`), as everywhere in the house.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput

Floats = npt.NDArray[np.float32]

TRACKERS = ("swift-f0", "causal")
"""Names that `tracker` takes."""
VOICED = 0.5
"""Confidence from which on a frame has a pitch."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pitch:
    """The pitch of a sound, frame by frame.

    Attributes:
        f0_hz: float32 [F], fundamental frequency; finite and inside the tracker's range in every frame.
        confidence: float32 [F], 0..1, how surely there is a pitch; `VOICED` or more means that there is one.
    """

    f0_hz: Floats
    confidence: Floats


class Tracker(Protocol):
    """What hears the pitch of one voice."""

    name: str
    lowest_hz: float
    highest_hz: float

    def lookahead_samples(self, sample_rate_hz: int) -> int:
        """Return how much sound after the centre of a frame decides about it, in samples."""
        ...

    def track(self, samples: npt.ArrayLike, sample_rate_hz: int, *, hop_samples: int, first_sample: int = 0,
              frames: int | None = None) -> Pitch:
        """Return the pitch of a sound.

        Args:
            samples: float [T], mono.
            sample_rate_hz: samples per second.
            hop_samples: samples from frame to frame.
            first_sample: the sample on which frame 0 is centred; may lie outside the sound.
            frames: how many; where None, ``ceil(T / hop_samples)``.

        Raises:
            BadInput: samples of another shape or kind or with NaN or infinity in them, or a rate, hop or number of
                frames that cannot be.
        """
        ...


def tracker(name: str, *, lowest_hz: float | None = None, highest_hz: float | None = None) -> Tracker:
    """Return a tracker.

    Args:
        name: one of `TRACKERS`.
        lowest_hz: lowest fundamental that is looked for; where None, the tracker's own.
        highest_hz: highest; where None, the tracker's own.

    Raises:
        BadInput: another name, or a range that the tracker has not.
        MissingExtra: swift-f0 is not installed.
    """
    if name == "causal":
        from componium.dsp.pitch_causal import Causal

        return Causal(lowest_hz=lowest_hz, highest_hz=highest_hz)
    if name == "swift-f0":
        from componium.dsp.pitch_swift import SwiftF0

        return SwiftF0(lowest_hz=lowest_hz, highest_hz=highest_hz)
    raise BadInput(f"no pitch tracker is called {name!r}{_near(name)}; there are: {', '.join(TRACKERS)}")


def _near(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(str(name).lower(), TRACKERS, n=2, cutoff=0.4)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def check_range(lowest_hz: float, highest_hz: float, *, within: tuple[float, float], name: str) -> None:
    """Raise `BadInput` where a range of pitch is not one, or goes beyond what a tracker hears."""
    if not (math.isfinite(lowest_hz) and math.isfinite(highest_hz) and lowest_hz * 1.06 <= highest_hz):
        raise BadInput(f"pitch is looked for from a low to a higher frequency (a semitone or more), not from "
                       f"{lowest_hz} to {highest_hz} Hz")
    if lowest_hz < within[0] or highest_hz > within[1]:
        raise BadInput(f"{name} hears pitch from {within[0]:g} to {within[1]:g} Hz, not from {lowest_hz:g} to "
                       f"{highest_hz:g} Hz")


def checked(samples: npt.ArrayLike, sample_rate_hz: int, hop_samples: int, first_sample: int,
            frames: int | None) -> tuple[Floats, int]:
    """Return the samples as float32 [T] and the number of frames, or raise `BadInput` as `Tracker.track` says."""
    found = np.asarray(samples)
    if found.ndim != 1 or found.dtype.kind != "f":
        raise BadInput(f"pitch is heard in one channel of floating-point samples [T], not in {found.dtype} "
                       f"{list(found.shape)}")
    found = np.ascontiguousarray(found, dtype=np.float32)
    if not np.isfinite(found).all():
        raise BadInput("the sound holds NaN or infinity: no pitch can be heard in it")
    for name, value, least in (("sample rate (Hz)", sample_rate_hz, 1), ("hop (samples)", hop_samples, 1),
                               ("number of frames", 0 if frames is None else frames, 0)):
        if not math.isfinite(value) or value < least or value % 1:
            raise BadInput(f"a {name} is a whole number of {least} or more, not {value}")
    if not math.isfinite(first_sample) or first_sample % 1:
        raise BadInput(f"the first frame is centred on a whole sample, not on {first_sample}")
    return found, math.ceil(len(found) / hop_samples) if frames is None else int(frames)
