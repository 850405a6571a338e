"""What a run will take: sums against counting by hand, and budgets."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from componium.music.errors import BadFile  # noqa: E402
from componium.training.estimate import Costs, network_bytes, saving_seconds, state_bytes  # noqa: E402
from componium.training.settings import TrainSettings  # noqa: E402

SETTINGS = TrainSettings(held_out_every=10, save_every=25)


def test_the_time_of_a_run_is_that_of_its_parts():
    costs = Costs(0.1, 2.0, 3.0, SETTINGS)
    assert costs.total_seconds(100) == pytest.approx(100 * 0.1 + 12 * 2.0 + 6 * 3.0)


@pytest.mark.parametrize("seconds", [0.001, 1, 10, 60, 3600, 1e6])
def test_a_budget_holds_as_many_updates_as_fit(seconds):
    costs = Costs(0.013, 0.2, 0.05, SETTINGS)
    steps = costs.steps_in(seconds)
    assert steps >= 1 and costs.total_seconds(steps + 1) > seconds
    assert steps == 1 or costs.total_seconds(steps) <= seconds


def test_a_budget_that_is_spent_already_holds_one_update():
    assert Costs(1.0, 1.0, 1.0, SETTINGS).steps_in(-5) == 1


def test_sizes_are_those_of_the_tensors():
    net = torch.nn.Sequential(torch.nn.Linear(10, 5), torch.nn.BatchNorm1d(5))
    assert network_bytes(net) == 4 * (55 + 20) + 8
    assert state_bytes(net, TrainSettings()) == 3 * network_bytes(net)
    assert state_bytes(net, TrainSettings(optimizer="rmsprop", ema=0.9)) == 3 * network_bytes(net)


def test_the_estimate_tells_memory_and_disk():
    net = torch.nn.Linear(100, 100)
    costs = Costs(0.1, 0.0, 0.0, TrainSettings(keep="every=10"))
    found = costs.estimate(net, 100, memory_bytes=123, on_disk=True)
    assert found.total_seconds == pytest.approx(10.0) and found.memory_bytes == 123
    assert found.disk_bytes > 12 * network_bytes(net)
    assert costs.estimate(net, 100, memory_bytes=0, on_disk=False).disk_bytes == 0


def test_measuring_a_save_leaves_the_folder_as_it_was(toys, tmp_path):
    once, both = saving_seconds(toys.Toy(), tmp_path, 1_000_000)
    assert 0 < once < both and list(tmp_path.iterdir()) == []
    with pytest.raises(BadFile):
        saving_seconds(toys.Toy(), tmp_path / "nowhere", 10)
