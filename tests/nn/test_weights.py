"""Weights as arrays and back: what is kept, what is refused, what 16 bits do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.music.errors import BadInput  # noqa: E402
from componium.nn.weights import halve, load_weights, weights_of  # noqa: E402


@pytest.fixture
def network() -> Any:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))


def test_a_network_gets_back_its_weights(network: Any) -> None:
    network[1].num_batches_tracked += 7
    arrays = weights_of(network)
    assert {value.dtype for name, value in arrays.items() if "tracked" not in name} == {np.dtype(np.float32)}
    other = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
    load_weights(other, arrays)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in network.state_dict().items())
    assert int(other[1].num_batches_tracked) == 7 and not other.training


def test_what_is_loaded_is_not_shared(network: Any) -> None:
    arrays = {name: np.array(value) for name, value in weights_of(network).items()}
    load_weights(network, arrays)
    arrays["0.weight"][:] = 99
    assert float(network[0].weight.detach().max()) < 99


def test_sixteen_bits_hold_what_was_halved(network: Any) -> None:
    before = network[0].weight.detach().clone()
    halve(network)
    after = network[0].weight.detach().clone()
    assert after.dtype == torch.float32 and not torch.equal(before, after) and torch.allclose(before, after, atol=1e-3)
    arrays = weights_of(network, half=True)
    assert arrays["0.weight"].dtype == np.float16 and arrays["1.num_batches_tracked"].dtype == np.int64
    load_weights(network, arrays)
    assert network[0].weight.dtype == torch.float32 and torch.equal(network[0].weight, after)


@pytest.mark.parametrize("change", [
    {"0.weight": np.zeros((5, 4), np.float32)}, {"0.bias": None}, {"0.more": np.zeros(2, np.float32)}])
def test_weights_of_another_network_change_nothing(network: Any, change: dict[str, Any]) -> None:
    before = {name: np.array(value) for name, value in weights_of(network).items()}
    arrays = {name: np.zeros_like(value) for name, value in before.items()} | change
    arrays = {name: value for name, value in arrays.items() if value is not None}
    with pytest.raises(BadInput, match=rf"do not belong to these settings \({next(iter(change))}\)"):
        load_weights(network, arrays)
    assert all(np.array_equal(value, weights_of(network)[name]) for name, value in before.items())
