from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation.suffixes import SuffixArray


@pytest.mark.parametrize("sequence", [[], [5], [3, 3, 3, 3, 3], [2, 1, 2, 1, 2, -7, 1, 2], list(range(20, 0, -1))])
def test_suffixes_are_in_alphabetical_order(sequence):
    order = SuffixArray(np.array(sequence, np.int64)).order
    assert order.tolist() == sorted(range(len(sequence)), key=lambda place: sequence[place:])


def slow_match(sequence, pattern, begin):
    length = 0
    while begin + length < len(pattern) and any(
            sequence[place:place + length + 1] == pattern[begin:begin + length + 1] for place in range(len(sequence))):
        length += 1
    found = pattern[begin:begin + length]
    return length, [place for place in range(len(sequence)) if sequence[place:place + length] == found]


@pytest.mark.parametrize("seed", range(5))
def test_the_longest_match_of_every_place(seed):
    rng = np.random.default_rng(seed)
    sequence, pattern = rng.integers(0, 4, 200), rng.integers(0, 5, 40)
    pattern[10:25] = sequence[50:65]
    found = SuffixArray(sequence)
    lengths, places = found.longest_matches(pattern)
    assert lengths.max() >= 15
    for begin, (length, place) in enumerate(zip(lengths.tolist(), places.tolist(), strict=True)):
        expected, where = slow_match(sequence.tolist(), pattern.tolist(), begin)
        assert (length, place) == (expected, where[0] if expected else 0)


def test_a_search_stops_at_the_length_asked_for_and_tells_all_places():
    sequence = np.array([1, 2, 3, 1, 2, 4, 1, 2, 3])
    found = SuffixArray(sequence)
    lengths, low, high = found.search(np.array([9, 1, 2, 3, 3]), np.array([1, 1, 0, 3]), np.array([2, 4, 1, 0]))
    assert lengths.tolist() == [2, 3, 0, 0]
    assert sorted(found.order[low[0]:high[0]].tolist()) == [0, 3, 6]
    assert sorted(found.order[low[1]:high[1]].tolist()) == [0, 6]


def test_nothing_is_found_in_nothing():
    lengths, places = SuffixArray(np.zeros(0, np.int64)).longest_matches(np.array([1, 2]))
    assert lengths.tolist() == places.tolist() == [0, 0]
    lengths, places = SuffixArray(np.array([1])).longest_matches(np.zeros(0, np.int64))
    assert len(lengths) == len(places) == 0
