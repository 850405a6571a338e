"""The audit catches probabilities that do not add up, and models that look ahead."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from componium.benchmarks.material import invented, invented_grid
from componium.evaluation.audit import SYMBOLS, audit
from componium.interface import TokenLikelihood
from componium.music.grid import Grid
from componium.registry import create

GRID = invented_grid(5, bars=2)


class Even:
    """Gives every symbol the same probability."""

    def log_likelihood(self, grid):
        """Return log 47 everywhere."""
        steps, voices = grid.pitches.shape
        return TokenLikelihood(np.full(grid.pitches.size, math.log(len(SYMBOLS))), np.tile(range(voices), steps),
                               np.repeat(range(steps), voices), np.ones(grid.pitches.size, bool), 4, "grid")


class Greedy(Even):
    """Gives a held pitch more than is left of the others."""

    def log_likelihood(self, grid):
        """Return log 2 for a held cell."""
        told = super().log_likelihood(grid)
        held = np.zeros(grid.pitches.shape, bool)
        held[1:] = grid.pitches[1:] == grid.pitches[:-1]
        told.nats[held.reshape(-1)] = math.log(2)
        return told


class Ahead(Even):
    """Moves nats from the first cell to the last ones where the last soprano note is high."""

    def log_likelihood(self, grid):
        """Look at the end first."""
        told = super().log_likelihood(grid)
        told.nats[0] += 0.5 * float(grid.pitches[-1, 0] > 60)
        return told


def test_an_even_model_is_sound():
    assert audit(Even(), GRID).sound()


def test_probabilities_that_do_not_add_up_are_found():
    found = audit(Greedy(), GRID, cells=8)
    assert found.sum_error == pytest.approx(46 / 47 + 0.5 - 1)
    assert not found.sound()


def test_looking_ahead_is_found():
    found = audit(Ahead(), GRID, cells=8)
    assert found.looked_ahead_nats == 0.5
    assert not found.sound()


@pytest.mark.parametrize("settings", [{}, {"short_term": False}, {"order": 1}])
def test_markov_is_sound(settings):
    model = create("markov", **settings)
    model.fit(invented(8, bars=4))
    assert audit(model, GRID, cells=6).sound()


def test_markov_that_knows_repeats_from_holds_is_sound_where_they_are_not_told():
    items = []
    for item in invented(8, bars=4):
        struck = np.arange(len(item.grid))[:, None] % 8 == 0
        items.append(dataclasses.replace(item, grid=Grid(item.grid.pitches, item.grid.held & ~struck)))
    model = create("markov")
    model.fit(items)
    assert audit(model, GRID, cells=6).sound()
