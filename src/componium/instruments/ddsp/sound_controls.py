"""The controls of a `ddsp` sound, taken out, edited and put back: pitch, partials and noise, frame by frame.

They lie between what is heard and what sounds: the network says them, oscillators and filters make sound of them. An
edited copy is sound that no recording and no score asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from componium.instruments.ddsp.features import Features
from componium.instruments.ddsp.model import CHUNK_FRAMES, DDSP, check_chance
from componium.instruments.ddsp.network import Room
from componium.instruments.ddsp.streams import lead_frames
from componium.interface import Progress, silent
from componium.music.audio import Audio
from componium.music.errors import BadInput

Floats = npt.NDArray[np.float32]
CURVES = {"f0_hz": 1, "loudness_db": 1, "amplitude": 1, "harmonics": 2, "noise": 2}
"""Name -> dimensions."""
SHAPES = {1: "[frames]", 2: "[frames, number]"}
NUMBERS = ("frame_rate_hz", "sample_rate_hz", "hop_samples", "lead_frames")
LOUDEST = 1000.0
SILENT_AMPLITUDE = 1e-20


@dataclass(frozen=True, eq=False)
class SoundControls:
    """Frames of what oscillators and noise do.

    Frame k is reached when block k of ``hop_samples`` ends; in between, everything moves from frame to frame.

    Attributes:
        f0_hz: [F] fundamental frequency.
        loudness_db: [F] loudness that the network was told. It is there to be read: it changes no sound any more.
        amplitude: [F] of all partials together, 1 = full scale.
        harmonics: [F, K] share of each partial, 1 in all; `amplitude` times these sounds.
        noise: [F, M] magnitudes of the bands of noise, from 0 to half the sample rate.
        frame_rate_hz: frames a second.
        sample_rate_hz: of the sound.
        hop_samples: samples a frame.
        lead_frames: so many frames at the beginning are played, but not kept: they are before the sound.

    Raises:
        BadInput: shapes or values that cannot sound.
    """

    f0_hz: Floats
    loudness_db: Floats
    amplitude: Floats
    harmonics: Floats
    noise: Floats
    frame_rate_hz: float
    sample_rate_hz: int
    hop_samples: int
    lead_frames: int = 0

    def __post_init__(self) -> None:
        for name, dimensions in CURVES.items():
            values = np.asarray(getattr(self, name))
            if values.dtype.kind not in "fiu":
                raise BadInput(f"{name} holds {values.dtype}, not numbers")
            if values.ndim != dimensions or 0 in values.shape:
                raise BadInput(f"{name} has the shape {list(values.shape)}; it is {SHAPES[dimensions]}")
            object.__setattr__(self, name, np.ascontiguousarray(values, np.float32))
        for name in CURVES:
            if len(getattr(self, name)) != len(self.f0_hz):
                raise BadInput(f"{name} has {len(getattr(self, name))} frames, and f0_hz {len(self.f0_hz)}: cut or "
                               "lengthen all curves alike")
        self._check()

    def _check(self) -> None:
        top = self.sample_rate_hz / 2
        for name, low, high in (("f0_hz", 1e-3, top), ("loudness_db", -200.0, 200.0), ("amplitude", 0.0, LOUDEST),
                                ("harmonics", 0.0, LOUDEST), ("noise", 0.0, LOUDEST)):
            values = getattr(self, name)
            wrong = ~((values >= low) & (values <= high))
            if wrong.any():
                frame = int(np.argwhere(wrong)[0][0])
                raise BadInput(f"{name} is {values[wrong][0]:g} in frame {frame}; it has to be between {low:g} and "
                               f"{high:g}")
        if self.hop_samples < 1 or not np.isclose(self.frame_rate_hz * self.hop_samples, self.sample_rate_hz, 1e-4):
            raise BadInput(f"{self.frame_rate_hz:g} frames of {self.hop_samples} samples a second do not make "
                           f"{self.sample_rate_hz} Hz")
        if not 0 <= self.lead_frames < len(self):
            raise BadInput(f"lead_frames is {self.lead_frames}, and there are {len(self)} frames")

    def __len__(self) -> int:
        return len(self.f0_hz)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything as NumPy arrays, ready for `np.savez`."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> SoundControls:
        """Take back what `to_arrays` returned; raises `BadInput` where something is missing or cannot sound."""
        missing = [name for name in (*CURVES, *NUMBERS) if name not in arrays]
        if missing:
            raise BadInput(f"{missing[0]} is missing; controls are {', '.join((*CURVES, *NUMBERS))}")
        known: dict[str, Any] = {name: np.asarray(arrays[name]) for name in CURVES}
        for name in NUMBERS:
            value = np.asarray(arrays[name])
            if value.size != 1 or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
                raise BadInput(f"{name} has to be one number")
            known[name] = float(value.item()) if name == "frame_rate_hz" else int(value.item())
        return cls(**known)


def controls_of(model: DDSP, curves: Features, *, lead: int = 0) -> SoundControls:
    """Return what the network says to curves: the controls that `DDSP.sound_of` makes sound of.

    Args:
        model: a trained one.
        curves: of a sound or a score.
        lead: so many frames of them lie before the sound.
    """
    network, count = model.ready().network.eval(), len(curves)
    state, partials, bands = network.start(1), [], []
    with torch.inference_mode():
        for start in range(0, count, CHUNK_FRAMES):
            f0, loud, z = (torch.from_numpy(np.ascontiguousarray(each[start:start + CHUNK_FRAMES]))[None]
                           for each in (curves.f0_hz, curves.loudness_db, curves.z))
            amplitudes, magnitudes, state = network.controls(f0, loud, z, state)
            partials.append(amplitudes[0].numpy())
            bands.append(magnitudes[0].numpy())
    amplitudes_of_all = np.concatenate(partials)
    total = amplitudes_of_all.sum(1)
    shares = amplitudes_of_all / np.maximum(total, SILENT_AMPLITUDE)[:, None]
    return SoundControls(curves.f0_hz, curves.loudness_db, total, shares, np.concatenate(bands), model.frame_rate_hz,
                         model.sample_rate_hz, model.config.hop_samples, lead)


def sound_of_controls(model: DDSP, controls: SoundControls, *, seed: int = 0, reverb: float = 1.0,
                      progress: Progress = silent) -> Audio:
    """Return the sound of controls: mono, ``hop_samples`` a frame, those of ``lead_frames`` left out.

    Args:
        model: the one that they were taken from, or one of the same sizes.
        controls: as they were, or edited.
        seed: of the noise.
        reverb: how much of the learned room is added, where there is one.
        progress: told how far it is.

    Raises:
        BadInput: they belong to a model of other sizes.
    """
    check_chance(seed, reverb)
    _check_fit(model.ready(), controls)
    network, state, chosen = model.network.eval(), model.network.start(1), torch.tensor([[seed % (2**31 - 1)]])
    partials, parts = controls.amplitude[:, None] * controls.harmonics, []
    with torch.inference_mode():
        for start in range(0, len(controls), CHUNK_FRAMES):
            progress(start / len(controls), "playing")
            f0, amplitudes, magnitudes = (torch.from_numpy(each[start:start + CHUNK_FRAMES])[None]
                                          for each in (controls.f0_hz, partials, controls.noise))
            sound, state = network.synthesise(f0, amplitudes, magnitudes, chosen, state)
            parts.append(sound)
        made = torch.cat(parts, 1)
        if network.reverb is not None and reverb:
            room = Room(network.response(), controls.hop_samples)
            made, _ = room(made, torch.tensor(float(reverb)), room.start(1))
    progress(1.0, "played")
    return Audio(made.numpy()[:, controls.lead_frames * controls.hop_samples:], model.sample_rate_hz)


def _check_fit(model: DDSP, controls: SoundControls) -> None:
    given = {"sample rate": controls.sample_rate_hz, "hop": controls.hop_samples,
             "number of partials": controls.harmonics.shape[1], "number of noise bands": controls.noise.shape[1]}
    config = model.config
    wanted = {"sample rate": config.sample_rate_hz, "hop": config.hop_samples, "number of partials": config.harmonics,
              "number of noise bands": config.noise_bands}
    for name, value in given.items():
        if value != wanted[name]:
            raise BadInput(f"their {name} is {value}, and this model has {wanted[name]}: they belong to another model")


def transferred(model: DDSP, audio: Audio, **arguments: Any) -> tuple[Audio, Features, int]:
    """Return what `DDSP.transfer` does, the curves that it plays, and how many of their frames lie before the sound."""
    played: list[Features] = []
    listener = copy.copy(model)

    def sound_of(curves: Features, **more: Any) -> Audio:
        played.append(curves)
        return model.sound_of(curves, **more)

    listener.sound_of = sound_of  # type: ignore[method-assign]
    return listener.transfer(audio, **arguments), played[0], lead_frames(model.config)
