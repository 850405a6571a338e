from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation import scape


def slow_fitness(similarity, start, length):
    """The definition, cell by cell, with a traceback: an independent calculation."""
    size = len(similarity)
    best, came = {}, {}
    for n in range(size):
        best[n, 0], came[n, 0] = 0.0, (n - 1, 0)
        if n and best[n - 1, length] > best[n - 1, 0]:
            best[n, 0], came[n, 0] = best[n - 1, length], (n - 1, length)
        elif n:
            best[n, 0] = best[n - 1, 0]
        for m in range(1, length + 1):
            before = [(n - 1, m - 1), (n - 2, m - 1), (n - 1, m - 2)] if m > 1 else [(n, 0)]
            allowed = [cell for cell in before if cell in best and (m == 1 or cell[1] >= 1)]
            cell = max(allowed, key=lambda c: best[c], default=None)
            value = best[cell] if cell else -np.inf
            best[n, m], came[n, m] = value + similarity[n, start + m - 1], cell
    cell = (size - 1, length) if best[size - 1, length] >= best[size - 1, 0] else (size - 1, 0)
    total, path, rows = best[cell], [], set()
    while cell and cell[0] >= 0:
        if cell[1]:
            path.append(cell)
            rows.add(cell[0])
            if came[cell] and came[cell][1]:
                rows.update(range(came[cell][0], cell[0]))
        cell = came[cell]
    score, coverage = (total - length) / max(len(path), 1), (len(rows) - length) / size
    return 2 * score * coverage / (score + coverage) if score > 1e-12 and coverage > 0 else 0.0


def random_matrix(size, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.random((size, size))
    matrix = np.where((matrix + matrix.T) > 1.2, (matrix + matrix.T) / 2, -2.0)
    for shift in (size // 3, size // 2):  # a repetition, so that something is fit
        ahead = np.arange(size - shift)
        matrix[ahead, ahead + shift] = matrix[ahead + shift, ahead] = 0.9
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.parametrize(("size", "seed"), [(1, 0), (2, 1), (5, 2), (13, 3), (24, 4)])
def test_every_segment_has_the_fitness_of_the_definition(size, seed):
    matrix = random_matrix(size, seed)
    plot = scape.scape_plot(matrix)
    for length in range(1, size + 1):
        for start in range(size - length + 1):
            assert plot[length - 1, start] == pytest.approx(slow_fitness(matrix, start, length), abs=1e-12)
        assert not plot[length - 1, size - length + 1:].any()
    assert size < 5 or plot.max() > 0.1


@pytest.mark.parametrize("times", [2, 3, 4, 7])
def test_a_part_that_comes_n_times_has_fitness_of_n_minus_1_in_n(times):
    size, length = 6 * times, 6
    place = np.arange(size) % length
    matrix = np.where(place[:, None] == place, 1.0, -2.0)
    assert scape.scape_plot(matrix)[length - 1, 0] == pytest.approx((times - 1) / times)


def test_a_piece_without_repetition_has_none():
    matrix = np.full((30, 30), -2.0)
    np.fill_diagonal(matrix, 1.0)
    assert scape.scape_plot(matrix).max() == 0.0


def test_one_segment_at_a_time_is_the_same_as_all_at_once(monkeypatch):
    matrix = random_matrix(30, 5)
    at_once = scape.scape_plot(matrix)
    monkeypatch.setattr(scape, "BATCH_CELLS", 1)
    np.testing.assert_array_equal(scape.scape_plot(matrix), at_once)


def test_the_largest_fitness_is_that_of_the_lengths_asked_for():
    matrix = random_matrix(40, 6)
    plot = scape.scape_plot(matrix)
    assert scape.largest_fitness(matrix, 5, 12) == plot[4:12].max()
    assert scape.largest_fitness(matrix, 20, 10_000) == plot[19:].max()
    assert scape.largest_fitness(matrix, 41, 60) == 0.0


def test_a_thinned_search_finds_nearly_as_much_and_never_more():
    matrix = random_matrix(90, 7)
    whole = scape.largest_fitness(matrix, 8, 40)
    thinned = scape.largest_fitness(matrix, 8, 40, budget_cells=300_000)
    assert 0.85 * whole <= thinned <= whole
