"""Distances: worked out by hand, equal to SciPy, and the same whatever the order; shuffling keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation.distance import (
    closeness,
    distance,
    mean_closeness,
    overlapped_area,
    scale_of,
    self_distances,
    shuffled,
    wasserstein,
)
from componium.evaluation.measure import Measure
from componium.music.score import FERMATA, Note, TextMeta, Track, new_score, note_arrays
from componium.music.voices import is_monophonic

PLAIN = Measure("plain", "bits", "a measure")
FAULT = Measure("fault", "per 100", "a fault", fault=True)
RNG = np.random.default_rng(5)
REFERENCE = RNG.normal(10.0, 2.0, 120)


def test_wasserstein_by_hand():
    assert wasserstein([0.0, 1.0], [0.0, 1.0]) == 0.0
    assert wasserstein([0.0], [3.0]) == 3.0
    assert wasserstein([0.0, 4.0], [1.0]) == pytest.approx(2.0)
    assert wasserstein([1.0, 2.0, 3.0], [1.0, 5.0]) == pytest.approx((0 * 2 + 1 + 3 + 2 * 2) / 6)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 7), (40, 345), (5, 5), (100, 33)])
def test_wasserstein_is_scipys(n, m):
    stats = pytest.importorskip("scipy.stats")
    a, b = np.sort(RNG.normal(0, 1, n)), np.sort(RNG.exponential(2, m))
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)


def test_excess_counts_only_what_lies_above():
    assert wasserstein([5.0, 5.0], [4.0, 8.0], excess=True) == pytest.approx(0.5)
    above, below = (wasserstein(np.sort(REFERENCE + shift), np.sort(REFERENCE), excess=True) for shift in (1.0, -1.0))
    assert above == pytest.approx(1.0) and below == 0.0


def test_many_rows_at_once_are_one_by_one():
    rows = np.sort(RNG.normal(size=(20, 9)), axis=1)
    against = np.sort(RNG.normal(size=31))
    assert wasserstein(rows, against) == pytest.approx([float(wasserstein(row, against)) for row in rows])


def test_a_shift_by_one_standard_deviation_is_one():
    told = distance(PLAIN, REFERENCE + REFERENCE.std(), REFERENCE, REFERENCE + 100)
    assert told.distance == pytest.approx(1.0)
    assert told.value == pytest.approx(told.reference + REFERENCE.std())
    assert told.differs()


def test_a_fair_draw_lies_within_the_floor_nine_times_of_ten():
    rng, inside = np.random.default_rng(8), 0
    for _ in range(200):
        told = distance(PLAIN, rng.normal(10, 2, 30), rng.normal(10, 2, 300), draws=100)
        inside += told.floor_low <= told.distance <= told.floor_high
    assert 150 <= inside <= 195


def test_the_order_of_the_pieces_changes_nothing():
    mixed = RNG.normal(20.0, 2.0, 120)
    told = distance(PLAIN, REFERENCE[:30], REFERENCE, mixed, seed=3)
    again = distance(PLAIN, REFERENCE[:30][::-1], RNG.permutation(REFERENCE), RNG.permutation(mixed), seed=3)
    assert told == again
    assert told != distance(PLAIN, REFERENCE[:30], REFERENCE, mixed, seed=4)


def test_the_floor_falls_and_closeness_tells_floor_from_ceiling():
    few, many = (distance(PLAIN, REFERENCE[:count], REFERENCE) for count in (5, 60))
    assert few.floor > 1.5 * many.floor
    mixed = REFERENCE + 10.0
    near, far = distance(PLAIN, REFERENCE[:60], REFERENCE, mixed), distance(PLAIN, mixed[:60], REFERENCE, mixed)
    assert near.closeness > 0.95 and far.closeness < 0.1
    assert near.ceiling == pytest.approx(10.0 / REFERENCE.std(), rel=0.05)


def test_where_shuffling_changes_nothing_there_is_no_closeness():
    assert distance(PLAIN, REFERENCE + 1, REFERENCE, REFERENCE).closeness is None
    assert closeness(0.5, 0.3, 0.3) is None and closeness(0.5, 0.3, 0.2) is None
    assert closeness(0.1, 0.2, 1.0) == 1.0 and closeness(3.0, 0.2, 1.0) == 0.0
    assert closeness(0.6, 0.2, 1.0) == pytest.approx(0.5)


def test_a_fault_that_is_rarer_than_in_the_reference_is_no_distance():
    fewer, more = (distance(FAULT, REFERENCE + shift, REFERENCE) for shift in (-3.0, 3.0))
    assert fewer.distance == 0.0 and not fewer.differs() and more.distance > 1.0


def test_sets_of_one_and_of_nothing():
    one = distance(PLAIN, [12.0], REFERENCE, REFERENCE + 50)
    assert one.distance == pytest.approx(np.abs(12.0 - REFERENCE).mean() / REFERENCE.std())
    assert one.floor is not None and one.pieces == 1
    alone = distance(PLAIN, REFERENCE, [10.0])
    assert alone.floor is None and alone.closeness is None and alone.overlap is None and not alone.differs()
    for judged, reference in (([], REFERENCE), ([np.nan] * 3, REFERENCE), (REFERENCE, [np.nan]), ([], [])):
        told = distance(PLAIN, judged, reference)
        assert told.distance is None and told.closeness is None and not told.differs()
    assert distance(PLAIN, [np.nan, 12.0, np.inf], REFERENCE).pieces == 1


def test_the_unit_where_the_reference_does_not_vary():
    assert scale_of([3.0, 3.0, 3.0], [3.0, 9.0, 9.0]) == pytest.approx(np.std([3, 3, 3, 3, 9, 9]))
    assert scale_of([3.0, 3.0], [3.0]) == 1.0 and scale_of([], []) == 1.0
    assert scale_of([0.1] * 100) == 1.0  # rounding errors are no spread
    assert distance(PLAIN, [5.0], [3.0, 3.0]).distance == 2.0


def test_self_distances_take_half_at_most():
    assert self_distances(np.sort(REFERENCE), 1000, np.random.default_rng(1)).shape == (200,)
    assert (self_distances(np.array([1.0, 3.0]), 7, np.random.default_rng(1)) == 2.0).all()


def test_overlapped_area_is_one_for_the_same_and_small_for_others():
    assert overlapped_area(REFERENCE, REFERENCE) > 0.95
    assert overlapped_area(REFERENCE + 30, REFERENCE) < 0.02
    assert overlapped_area(np.array([4.0]), np.array([4.0, 4.0])) == 1.0
    assert 0.0 <= overlapped_area(np.array([1e9]), np.array([0.0, 1.0])) < 0.01


def test_overlapped_area_is_that_of_kernels_summed_one_by_one():
    judged, reference = RNG.normal(0.5, 1.0, 12), RNG.normal(0.0, 1.0, 15)
    within = np.array([abs(a - b) for i, a in enumerate(reference) for b in reference[i + 1:]])
    between = np.array([abs(a - b) for a in judged for b in reference])
    grid = np.linspace(-4.0, 10.0, 6001)

    def density(values):
        width = values.std() * len(values) ** -0.2
        return np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))

    expected = float(np.minimum(density(within), density(between)).sum() * (grid[1] - grid[0]))
    assert overlapped_area(np.sort(judged), np.sort(reference)) == pytest.approx(expected, abs=0.005)


def piece():
    score = new_score(tempo_bpm=90, numerator=3)
    for name, low in (("Soprano", 60), ("Bass", 40)):
        track, time = Track(name, 0, False), 0.0
        for number in range(24):
            length = (0.5, 1.0, 1.5)[number % 3]
            track.notes.append(Note(time, length if number % 4 else length / 2, low + number, 80))
            time += length
        score.tracks.append(track)
    score.markers.append(TextMeta(6.0, FERMATA))
    return score


def test_shuffling_keeps_notes_and_loses_their_order():
    score = piece()
    mixed = shuffled(score, np.random.default_rng(1))
    for before, after in zip(score.tracks, mixed.tracks, strict=True):
        old, new = note_arrays(before), note_arrays(after)
        assert sorted(old["pitch"]) == sorted(new["pitch"]) and old["pitch"].tolist() != new["pitch"].tolist()
        assert sorted(old["duration"].tolist()) == sorted(new["duration"].tolist())
        assert is_monophonic(after)
        assert after.start() == before.start() and abs(after.end() - before.end()) <= 1.0
    assert len(mixed.markers) == 1 and mixed.time_signatures[0].numerator == 3
    assert score == piece()


def test_shuffling_is_a_function_of_the_seed():
    first, again, other = (shuffled(piece(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again and first != other


def test_shuffling_what_has_no_order():
    empty = new_score()
    assert shuffled(empty, np.random.default_rng(1)).note_num() == 0
    empty.tracks.append(Track("One", 0, False))
    empty.tracks[0].notes.append(Note(1.0, 1.0, 60, 80))
    assert shuffled(empty, np.random.default_rng(1)) == empty


def test_mean_closeness_leaves_out_what_has_none():
    near = distance(PLAIN, REFERENCE[:60], REFERENCE, REFERENCE + 10)
    none = distance(PLAIN, REFERENCE, REFERENCE, REFERENCE)
    assert mean_closeness([near, none]) == near.closeness and mean_closeness([none]) is None
