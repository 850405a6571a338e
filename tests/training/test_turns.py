"""Turns of adversaries: the schedule, whose gradients, resuming."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from componium.music.errors import BadInput, Cancelled  # noqa: E402
from componium.training.average import Average  # noqa: E402
from componium.training.batches import Batches  # noqa: E402
from componium.training.machine import Machine  # noqa: E402
from componium.training.observing import Observer  # noqa: E402
from componium.training.preparing import prepared_of  # noqa: E402
from componium.training.settings import TrainSettings  # noqa: E402
from componium.training.train import train  # noqa: E402
from componium.training.turns import noise_seed, only_these_learn, optimizer_of, turns_of_run  # noqa: E402
from componium.training.updates import Updates  # noqa: E402

SETTINGS = {"precision": "float32", "batch": 8, "held_out": 0.3, "held_out_every": 4, "save_every": 4}


def updates_of(model, items, steps=9, **settings):
    prepared = prepared_of(model, items)
    told = TrainSettings(**{"batch": 8, "warmup_steps": 0, "schedule": "constant", **settings})
    batches = Batches(model, prepared.arrays, prepared.names, batch=8, seed=1, accumulate=told.accumulate)
    return Updates(model, batches, told, Machine("cpu"), steps=steps, precision="float32")


def copied(network):
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def changed(before, network, part):
    return any(not torch.equal(value, before[name]) for name, value in network.state_dict().items()
               if name.startswith(part))


def test_the_schedule_is_kept_and_each_turn_changes_its_own(toys, cache, chorales):
    model = toys.Pair()
    updates = updates_of(model, chorales)
    for step in range(6):
        before = copied(model.network)
        told = updates.update(step)
        assert changed(before, model.network, "discriminator")
        assert changed(before, model.network, "generator") is (step % 3 != 0)
        wanted = {"cost"} if step % 3 == 0 else {"discriminator/cost", "generator/cost"}
        assert set(told.parts) == wanted and told.loss == pytest.approx(sum(told.parts.values()))
    assert turns_of_run(model, 9) == ("discriminator", "generator")
    updates.close()


def test_a_turn_leaves_the_gradients_of_the_other_alone(toys, cache, chorales):
    model = toys.Pair()
    updates = updates_of(model, chorales)
    seen = {}
    whole = updates._gradients

    def watching(turn, step, batch):
        for parameter in model.network.parameters():
            parameter.grad = None
        told = whole(turn, step, batch)
        seen[turn] = {part: [p.grad is not None for p in net.parameters()] for part, net in model.network.items()}
        return told

    updates._gradients = watching
    updates.update(1)
    updates.close()
    assert all(seen["generator"]["generator"]) and not any(seen["generator"]["discriminator"])
    assert all(seen["discriminator"]["discriminator"]) and not any(seen["discriminator"]["generator"])
    assert all(p.requires_grad for p in model.network.parameters())


def test_adversaries_learn_what_the_data_looks_like(toys, cache, chorales):
    model = train(toys.Pair(), chorales, steps=400, settings=SETTINGS | {
        "learning_rate": 0.01, "batch": 32, "ema": 0.9, "held_out": 0.0, "schedule": "constant"})
    with torch.no_grad():
        drawn = model.network["generator"](torch.randn(500, 1))
    real = torch.tensor([(n.pitch - 60) / 12 for item in chorales for t in item.content.tracks for n in t.notes])
    assert abs(float(drawn.mean() - real.mean())) < 0.5


class Stop(Observer):
    def stepped(self, report):
        if report.step == 5:
            raise Cancelled("enough")


def test_a_stopped_duel_goes_on_to_the_bit(toys, cache, chorales, tmp_path):
    more = SETTINGS | {"accumulate": 2}
    whole = train(toys.Pair(), chorales, steps=10, settings=more, out=tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(toys.Pair(), chorales, steps=10, settings=more, out=tmp_path / "parts", observers=[Stop()])
    parts = train(toys.Pair(), chorales, out=tmp_path / "parts", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.network.state_dict().values(),
                                                 parts.network.state_dict().values(), strict=True))


def test_accumulated_gradients_are_those_of_the_whole_batch(toys, cache, chorales):
    ends = []
    for parts in (1, 2, 4):
        model = toys.Toy()
        updates = updates_of(model, chorales, accumulate=parts)
        for step in range(3):
            updates.update(step)
        ends.append(copied(model.network))
        updates.close()
    for other in ends[1:]:
        assert all(torch.allclose(ends[0][key], other[key], atol=1e-5) for key in other)


def test_a_turn_without_parameters_is_refused(toys, cache, chorales):
    class Empty(toys.Toy):
        def parameters_of(self, turn):
            return []

    with pytest.raises(BadInput, match="turn 'all' has no parameters"):
        updates_of(Empty(), chorales)


def test_parameters_in_no_turn_stay_as_they_are(toys, cache, chorales):
    class Head(toys.Toy):
        def parameters_of(self, turn):
            return self.network[-1].parameters()

    model = Head()
    before = copied(model.network)
    updates = updates_of(model, chorales)
    updates.update(0)
    assert not changed(before, model.network, "0.") and changed(before, model.network, "5.")
    updates.close()
    assert all(p.requires_grad for p in model.network.parameters())


def test_gradients_are_clipped_and_their_norm_is_told(toys, cache, chorales):
    norms = []
    for clip in (0.0, 1e-9):
        model = toys.Toy()
        before = copied(model.network)
        updates = updates_of(model, chorales, clip_norm=clip, optimizer="rmsprop", learning_rate=1e-12, weight_decay=0)
        norms.append(updates.update(0).gradient_norm)
        total = torch.nn.utils.get_total_norm([p.grad for p in model.network.parameters()])
        assert float(total) == pytest.approx(clip or norms[0], rel=1e-3)
        assert not changed(before, model.network, "nothing")
        updates.close()
    assert norms[0] == pytest.approx(norms[1]) and norms[0] > 1e-3


def test_weights_decay_and_biases_do_not():
    net = torch.nn.Linear(3, 2)
    groups = optimizer_of(TrainSettings(weight_decay=0.3), list(net.parameters())).param_groups
    assert [(g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups] == [(0.3, [2]), (0.0, [1])]


def test_only_some_learn_for_a_while():
    net = torch.nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    with only_these_learn(net, [net.bias]):
        assert not net.weight.requires_grad and not net.bias.requires_grad  # what is frozen stays so
    assert net.weight.requires_grad and not net.bias.requires_grad


def test_noise_differs_by_all_that_it_is_drawn_for():
    places = [(0, 0, "all", 0, 0), (1, 0, "all", 0, 0), (0, 1, "all", 0, 0), (0, 0, "x", 0, 0), (0, 0, "all", 1, 0),
              (0, 0, "all", 0, 1)]
    assert len({noise_seed(*place) for place in places}) == 6 and noise_seed(*places[0]) == noise_seed(*places[0])
    assert all(0 <= noise_seed(*place) < 2**63 for place in places)


def test_the_average_follows_slowly_and_steps_aside():
    net = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(0.0)
    average, expected = Average(net, 0.9), 0.0
    for step in range(1, 51):
        with torch.no_grad():
            net.weight.fill_(float(step))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.applied():
        assert net.weight.item() == pytest.approx(expected, rel=1e-5) and expected < 45
    assert net.weight.item() == 50.0
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert net.weight.item() == 50.0
