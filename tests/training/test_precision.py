"""The choice of precision: what decides it, and that a trial leaves nothing behind."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from componium.training import precision  # noqa: E402
from componium.training.batches import Batches  # noqa: E402
from componium.training.precision import Trial, choose  # noqa: E402
from componium.training.preparing import prepared_of  # noqa: E402
from componium.training.settings import TrainSettings  # noqa: E402

CPU = torch.device("cpu")


def chosen(monkeypatch, plain, short, **settings):
    """Choose between two trials that are told here."""
    trials = {"float32": Trial(plain[0], plain[0], (plain[1],) * 3), "bfloat16": short}
    if isinstance(short, tuple):
        trials["bfloat16"] = Trial(short[0], short[0], (short[1],) * 3)

    def tried(_model, _batches, _settings, _device, kind, _seconds):
        if isinstance(trials[kind], Exception):
            raise trials[kind]
        return trials[kind]

    monkeypatch.setattr(precision, "_trial", tried)
    return choose(None, None, TrainSettings(**settings), CPU)


@pytest.mark.parametrize(("short", "expected", "reason"), [
    ((0.5, 3.01), "bfloat16", "2.00 times as fast"),
    ((0.96, 3.0), "float32", "take 0.96 times as long"),
    ((2.0, 3.0), "float32", "take 2.00 times as long"),
    ((0.5, 3.2), "float32", "differ by 6.7%"),
    ((0.5, float("nan")), "float32", "not a finite number"),
    (RuntimeError("no kernel\nmore"), "float32", "does not work here (no kernel)"),
])
def test_the_faster_is_taken_where_the_losses_agree(monkeypatch, short, expected, reason):
    choice = chosen(monkeypatch, (1.0, 3.0), short)
    assert choice.precision == expected and reason in choice.reason
    assert choice.trial.seconds == (short[0] if expected == "bfloat16" else 1.0)


def test_one_loss_that_is_not_finite_is_enough(monkeypatch):
    choice = chosen(monkeypatch, (1.0, 3.0), Trial(0.5, 0.5, (3.0, float("nan"), 3.0)))
    assert choice.precision == "float32" and choice.trial.seconds == 1.0 and "not a finite number" in choice.reason


def test_what_is_set_is_taken(monkeypatch):
    for kind in ("float32", "bfloat16"):
        choice = chosen(monkeypatch, (1.0, 3.0), (9.0, 9.0), precision=kind)
        assert (choice.precision, choice.reason) == (kind, "as set")


def test_a_device_without_units_keeps_float32(monkeypatch):
    monkeypatch.setattr(precision, "_has_bfloat16", lambda _device: False)
    choice = chosen(monkeypatch, (1.0, 3.0), (0.1, 3.0))
    assert choice.precision == "float32" and "no bfloat16 units" in choice.reason


@pytest.mark.parametrize("model", ["Toy", "Pair"])
def test_a_trial_leaves_weights_and_gradients_as_they_were(toys, cache, chorales, model):
    made = getattr(toys, model)()
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    prepared = prepared_of(made, chorales)
    batches = Batches(made, prepared.arrays, prepared.names, batch=4, seed=0)
    choice = choose(made, batches, TrainSettings(batch=4), CPU, most_seconds=0.5)
    assert choice.precision in ("float32", "bfloat16") and choice.trial.seconds > 0
    assert choice.seconds >= choice.trial.seconds and 2 <= len(choice.trial.losses) <= precision.MOST_STEPS
    assert all(torch.equal(value, before[name]) for name, value in made.network.state_dict().items())
    assert all(p.grad is None for p in made.network.parameters())


def test_both_trials_begin_at_the_same_weights_and_batches(toys, cache, chorales):
    model = toys.Toy()
    prepared = prepared_of(model, chorales)
    batches = Batches(model, prepared.arrays, prepared.names, batch=4, seed=0)
    losses = [choose(model, batches, TrainSettings(batch=4, precision=kind), CPU).trial.losses[0]
              for kind in ("float32", "float32", "bfloat16")]
    assert losses[0] == losses[1] and losses[2] == pytest.approx(losses[0], rel=0.02) and losses[2] != losses[0]
