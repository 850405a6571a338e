"""Bounds of figures over pieces, beside what is known of the mean."""

from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation.bootstrap import DRAWS, interval


def test_bounds_of_a_mean_are_about_two_standard_errors_away():
    values = np.random.default_rng(5).normal(3.0, 1.0, 400)
    low, high = interval(400, lambda places: values[places].mean(1))
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_draws_are_of_pieces_with_replacement_and_a_function_of_the_seed():
    seen = []
    for seed in (1, 1, 2):
        interval(5, lambda places: seen.append(places) or places.mean(1), seed)
    assert seen[0].shape == (DRAWS, 5) and set(np.unique(seen[0])) == set(range(5))
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[2])
    assert any(len(set(row)) < 5 for row in seen[0].tolist())


def test_one_piece_leaves_no_doubt():
    assert interval(1, lambda places: np.array([7.0])[places].sum(1)) == (7.0, 7.0)
