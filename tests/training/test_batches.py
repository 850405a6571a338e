"""Batches: a function of (seed, n) alone, whatever the number of processes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from componium.music.errors import BadInput
from componium.training.batches import Batches, check_finite, held_out_batches, stacked


class Numbers:
    """An example is the number of the item and something drawn."""

    def example(self, prepared, rng):
        return {"item": prepared["item"], "drawn": np.array(0.0 if rng is None else rng.random())}


def made(count=7, batch=4, seed=3, **more):
    prepared = [{"item": np.array(n)} for n in range(count)]
    return Batches(Numbers(), prepared, [f"piece {n}" for n in range(count)], batch=batch, seed=seed, **more)


def joined(parts):
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def test_a_batch_depends_on_its_number_and_the_seed_alone():
    one, other = made(), made()
    forward = [joined(one.parts(n)) for n in range(8)]
    for n in (5, 0, 7, 5):
        again = joined(other.parts(n))
        assert all(np.array_equal(again[key], forward[n][key]) for key in again)
    assert not np.array_equal(joined(made(seed=4).parts(0))["drawn"], forward[0]["drawn"])


def test_every_item_is_met_once_an_epoch_in_another_order():
    batches = made(count=7, batch=7)
    epochs = [joined(batches.parts(n))["item"].tolist() for n in range(4)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs) and len({tuple(epoch) for epoch in epochs}) > 1
    uneven = made(count=7, batch=4)
    met = Counter(np.concatenate([joined(uneven.parts(n))["item"] for n in range(7)]).tolist())
    assert set(met.values()) == {4}
    assert uneven.steps_per_epoch == 7 / 4


def test_a_batch_may_be_larger_than_the_corpus():
    drawn = joined(made(count=1, batch=8).parts(0))
    assert drawn["item"].tolist() == [0] * 8 and len(set(drawn["drawn"].tolist())) == 8


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (1, 2), (2, 2), (4, 1)])
def test_processes_and_parts_share_the_same_batch(processes, accumulate):
    whole = joined(made(batch=8).parts(5))
    shares = [made(batch=8, processes=processes, rank=rank, accumulate=accumulate).parts(5)
              for rank in range(processes)]
    assert all(len(share) == accumulate and len(part["item"]) == 8 // processes // accumulate
               for share in shares for part in share)
    together = np.concatenate([joined(share)["drawn"] for share in shares])
    assert sorted(together) == sorted(whole["drawn"])
    assert joined(shares[0])["drawn"].tolist() == whole["drawn"][::processes].tolist()


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(BadInput, match=r"4 processes and train\.accumulate=2 need a multiple of 8, such as 8"):
        made(batch=9, processes=4, accumulate=2)


def test_what_is_not_finite_is_named():
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(BadInput, match=r"a\.mid.*array x"):
            check_finite({"y": np.zeros(2), "x": np.array([0, wrong])}, "a.mid")
    check_finite({"x": np.arange(3), "b": np.array([True])}, "a.mid")


def test_examples_of_several_shapes_are_refused_with_names():
    with pytest.raises(BadInput, match=r"b: .* another shape than that of a \(x\)"):
        stacked([("a", {"x": np.zeros(3)}), ("b", {"x": np.zeros(4)})])
    with pytest.raises(BadInput, match="another shape"):
        stacked([("a", {"x": np.zeros(3)}), ("b", {})])


def test_held_out_examples_of_one_shape_go_together():
    class Lengths:
        def example(self, prepared, rng):
            assert rng is None
            return prepared

    prepared = [{"x": np.zeros(length)} for length in (3, 4, 3, 3, 4)]
    found = held_out_batches(Lengths(), prepared, list("abcde"), 2)
    assert sorted(batch["x"].shape for batch in found) == [(1, 3), (2, 3), (2, 4)]
