"""Latent: a trajectory through a model's latent space, and the ways to move between trajectories."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput

_PARALLEL = 1e-6  # radians; closer directions (or opposite ones) have no usable arc between them


@dataclasses.dataclass(frozen=True, eq=False)
class Latent:
    """A latent trajectory.

    Attributes:
        values: float32 [dimensions, frames]; a vector [dimensions] becomes one frame.
        frame_rate_hz: frames per second of sound.

    Raises:
        BadInput: the values are not one or two dimensional, not finite, or the rate is not positive.
    """

    values: npt.NDArray[np.float32]
    frame_rate_hz: float

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[0] == 0:
            raise BadInput(f"a latent trajectory is [dimensions, frames], not an array of shape {values.shape}")
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise BadInput("a latent trajectory holds finite numbers only")
        if not (np.isfinite(self.frame_rate_hz) and self.frame_rate_hz > 0):
            raise BadInput(f"the frame rate of a latent trajectory is above 0 Hz, not {self.frame_rate_hz}")
        object.__setattr__(self, "values", np.ascontiguousarray(values, dtype=np.float32))
        object.__setattr__(self, "frame_rate_hz", float(self.frame_rate_hz))

    @property
    def dimensions(self) -> int:
        """Number of latent dimensions."""
        return int(self.values.shape[0])

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.values.shape[1])

    @property
    def seconds(self) -> float:
        """Length of the sound that the trajectory stands for, in seconds."""
        return self.frames / self.frame_rate_hz


def lerp(a: Latent, b: Latent, t: float | npt.ArrayLike) -> Latent:
    """Interpolate on straight lines, frame by frame.

    Args:
        a: where ``t`` = 0.
        b: where ``t`` = 1; same shape and rate as ``a`` (one frame is held for the whole of the other).
        t: the place between them, one number or one per frame [frames].

    Raises:
        BadInput: shapes, rates or the length of ``t`` do not fit.
    """
    first, second, place = _aligned(a, b, t)
    return Latent(((1.0 - place) * first + place * second).astype(np.float32), a.frame_rate_hz)


def slerp(a: Latent, b: Latent, t: float | npt.ArrayLike) -> Latent:
    """Interpolate on the sphere, frame by frame: directions turn evenly, lengths change evenly.

    Points between two draws of a Gaussian stay as far from the origin as the draws are, where straight lines
    would pass closer to it (Shoemake 1985; White 2016, "Sampling generative networks"). Frames with the same
    or opposite directions, or of zero length, are interpolated on a straight line.

    Args and errors: as `lerp`.
    """
    first, second, place = _aligned(a, b, t)
    length_a = np.linalg.norm(first, axis=0)  # [frames]
    length_b = np.linalg.norm(second, axis=0)
    lengths = length_a * length_b
    cosine = np.sum(first * second, axis=0) / np.where(lengths > 0, lengths, 1.0)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    curved = (lengths > 0) & (sine > _PARALLEL)
    safe = np.where(curved, sine, 1.0)
    direction = (np.sin((1.0 - place) * angle) / safe) * first / np.where(curved, length_a, 1.0) + (
        np.sin(place * angle) / safe
    ) * second / np.where(curved, length_b, 1.0)
    on_sphere = direction * ((1.0 - place) * length_a + place * length_b)
    straight = (1.0 - place) * first + place * second
    return Latent(np.where(curved, on_sphere, straight).astype(np.float32), a.frame_rate_hz)


def walk(start: Latent, steps: int, size: float, seed: int = 0) -> Latent:
    """Wander at random from the last frame of ``start``.

    Args:
        start: where the walk begins.
        steps: number of frames of the result, the first of them being the starting point.
        size: standard deviation of one step in each dimension.
        seed: same seed, same walk.

    Returns:
        Latent [dimensions, steps] at the rate of ``start``.

    Raises:
        BadInput: no frame to start from, fewer than one step, or a negative size.
    """
    if start.frames == 0:
        raise BadInput("a latent walk needs at least one frame to start from")
    if steps < 1 or not np.isfinite(size) or size < 0:
        raise BadInput(f"a latent walk needs steps >= 1 and size >= 0, not steps={steps} size={size}")
    moves = np.random.default_rng(seed).normal(0.0, 1.0, (steps, start.dimensions)).T * size
    moves[:, 0] = 0.0
    return Latent((start.values[:, -1:] + np.cumsum(moves, axis=1)).astype(np.float32), start.frame_rate_hz)


def _aligned(
    a: Latent, b: Latent, t: float | npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if a.dimensions != b.dimensions or a.frame_rate_hz != b.frame_rate_hz:
        raise BadInput(
            f"latent trajectories do not fit: {a.dimensions} dimensions at {a.frame_rate_hz:g} Hz and "
            f"{b.dimensions} dimensions at {b.frame_rate_hz:g} Hz"
        )
    if a.frames != b.frames and 1 not in (a.frames, b.frames):
        raise BadInput(f"latent trajectories have different lengths: {a.frames} and {b.frames} frames")
    frames = b.frames if a.frames == 1 else a.frames
    place = np.asarray(t, dtype=np.float64)
    if place.ndim > 1 or (place.ndim == 1 and place.shape[0] != frames) or not np.isfinite(place).all():
        raise BadInput(f"the place between two trajectories is one number or one for each of {frames} frames")
    shape = (a.dimensions, frames)
    return (
        np.broadcast_to(a.values.astype(np.float64), shape),
        np.broadcast_to(b.values.astype(np.float64), shape),
        np.broadcast_to(place, (frames,)),
    )
