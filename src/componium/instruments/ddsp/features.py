"""What `ddsp` hears of a sound: pitch, loudness and, where there is z, the colour, frame by frame.

Frame k tells of the moment at which block k of ``hop`` samples ends: it is centred on sample ``(k + 1) * hop``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from componium.dsp.pitch import Tracker, tracker
from componium.dsp.spectra import loudness_db, mfcc

Floats = npt.NDArray[np.float32]
COEFFICIENTS = 30
SILENT_DB = -80.0
CHUNK_FRAMES = 2048


@dataclass(frozen=True)
class Features:
    """Frames of what is heard.

    Attributes:
        f0_hz: [F] fundamental frequency, held where there is no pitch.
        confidence: [F] 0 to 1, how surely there is a pitch.
        loudness_db: [F] A-weighted, -80 for silence.
        z: [F, Z] what is neither; Z may be 0.
    """

    f0_hz: Floats
    confidence: Floats
    loudness_db: Floats
    z: Floats

    def __len__(self) -> int:
        return len(self.f0_hz)

    def with_(self, **changes: Any) -> Features:
        """Return features with some of the curves changed."""
        return replace(self, **changes)


def tracker_of(config: Any) -> Tracker:
    """Return the pitch tracker that a model was trained with."""
    return tracker(config.tracker, lowest_hz=config.lowest_hz, highest_hz=config.highest_hz)


def frames_of(samples: int, hop: int) -> int:
    """Return how many frames cover so many samples; one at least."""
    return max(-(-samples // hop), 1)


def heard(samples: Floats, config: Any, lead: int = 0) -> dict[str, Floats]:
    """Return the curves of a mono sound at the model's rate: f0_hz, confidence, loudness_db [F]; mfcc [F, C] with z.

    Args:
        samples: [T].
        config: of the model.
        lead: so many frames before the first are heard, too, and come first.
    """
    hop, rate = config.hop_samples, config.sample_rate_hz
    frames, first = frames_of(len(samples), hop) + lead, hop - lead * hop
    found = tracker_of(config).track(samples, rate, hop_samples=hop, first_sample=first, frames=frames)
    curves = {"f0_hz": found.f0_hz, "confidence": found.confidence,
              "loudness_db": _loudness(samples, config, first, frames)}
    if config.z_size:
        with torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]
            colour = mfcc(sound, rate, COEFFICIENTS, hop=hop)[0].T.numpy()[1:]  # frame 0 is centred on sample 0
            colour = np.pad(colour, ((lead, 0), (0, 0)), mode="edge")
            missing = max(frames - len(colour), 0)
            curves["mfcc"] = np.pad(colour[:frames], ((0, missing), (0, 0)), mode="edge")
    return {name: np.ascontiguousarray(values, np.float32) for name, values in curves.items()}


def _loudness(samples: Floats, config: Any, first: int, frames: int) -> Floats:
    """Return loudness [F] in dB, some frames at a time: memory does not grow with the sound."""
    hop, window, parts = config.hop_samples, config.loudness_window, []
    for start in range(0, frames, CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, frames - start)
        begin = max(first + start * hop - window, 0)
        piece = samples[begin:max(first + (start + count) * hop + window, begin)]
        sound = torch.from_numpy(np.array(piece if len(piece) else [0.0], np.float32))[None]
        with torch.inference_mode():
            parts.append(loudness_db(sound, config.sample_rate_hz, hop=hop, window=window,
                                     first_sample=first + start * hop - begin, frames=count)[0].numpy())
    return np.concatenate(parts)
