"""Latent trajectories: shapes, interpolation, walks."""

from __future__ import annotations

import numpy as np
import pytest

from componium.music.errors import BadInput
from componium.music.latent import Latent, lerp, slerp, walk


def gaussian(seed: int, dimensions: int = 64, frames: int = 5) -> Latent:
    return Latent(np.random.default_rng(seed).normal(size=(dimensions, frames)).astype(np.float32), 43.0)


def test_shape_rate_and_length() -> None:
    latent = Latent(np.zeros((8, 86)), 43.0)
    assert (latent.dimensions, latent.frames, latent.seconds) == (8, 86, 2.0)
    assert latent.values.dtype == np.float32
    assert Latent(np.zeros(8), 43.0).frames == 1


@pytest.mark.parametrize("values", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.full((2, 2), np.nan), np.array("x")])
def test_other_arrays_are_refused(values: np.ndarray) -> None:
    with pytest.raises(BadInput):
        Latent(values, 43.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, np.inf])
def test_other_rates_are_refused(rate: float) -> None:
    with pytest.raises(BadInput, match="rate"):
        Latent(np.zeros((2, 2)), rate)


@pytest.mark.parametrize("between", [lerp, slerp])
def test_ends_of_an_interpolation_are_its_arguments(between) -> None:
    a, b = gaussian(1), gaussian(2)
    np.testing.assert_allclose(between(a, b, 0.0).values, a.values, atol=1e-6)
    np.testing.assert_allclose(between(a, b, 1.0).values, b.values, atol=1e-6)


def test_slerp_keeps_the_radius_where_lerp_loses_it() -> None:
    a, b = gaussian(1), gaussian(2)
    radius = np.linalg.norm(slerp(a, b, 0.5).values, axis=0)
    expected = (np.linalg.norm(a.values, axis=0) + np.linalg.norm(b.values, axis=0)) / 2
    np.testing.assert_allclose(radius, expected, rtol=1e-5)
    assert (np.linalg.norm(lerp(a, b, 0.5).values, axis=0) < 0.85 * expected).all()


def test_slerp_turns_evenly() -> None:
    a, b = Latent(np.array([1.0, 0.0]), 1.0), Latent(np.array([0.0, 2.0]), 1.0)
    x, y = slerp(a, b, 1 / 3).values[:, 0]
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(30.0, abs=1e-4)


def test_slerp_of_zero_equal_and_opposite_frames_is_finite() -> None:
    a = Latent(np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), 1.0)
    b = Latent(np.array([[1.0, 1.0, -1.0], [0.0, 0.0, 0.0]]), 1.0)
    np.testing.assert_allclose(slerp(a, b, 0.5).values, [[0.5, 1.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-6)


def test_place_per_frame_and_one_frame_against_many() -> None:
    a, b = gaussian(1), gaussian(2)
    moved = slerp(a, b, np.linspace(0, 1, 5))
    np.testing.assert_allclose(moved.values[:, 0], a.values[:, 0], atol=1e-6)
    np.testing.assert_allclose(moved.values[:, 4], b.values[:, 4], atol=1e-6)
    assert lerp(gaussian(3, frames=1), b, 0.3).frames == 5


def test_trajectories_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match="dimensions"):
        lerp(gaussian(1), gaussian(2, dimensions=3), 0.5)
    with pytest.raises(BadInput, match="lengths"):
        slerp(gaussian(1, frames=4), gaussian(2, frames=5), 0.5)
    with pytest.raises(BadInput, match="5 frames"):
        lerp(gaussian(1), gaussian(2), [0.1, 0.2])


def test_walk_is_seeded_starts_at_the_start_and_has_its_step_size() -> None:
    start = gaussian(1)
    path = walk(start, 2000, 0.1, seed=3)
    assert path.values.shape == (64, 2000)
    np.testing.assert_array_equal(path.values[:, 0], start.values[:, -1])
    np.testing.assert_array_equal(path.values, walk(start, 2000, 0.1, seed=3).values)
    assert not np.array_equal(path.values, walk(start, 2000, 0.1, seed=4).values)
    assert np.diff(path.values, axis=1).std() == pytest.approx(0.1, rel=0.02)
    with pytest.raises(BadInput):
        walk(start, 0, 0.1)
