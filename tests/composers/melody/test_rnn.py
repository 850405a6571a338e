"""Melody RNN: its four configurations, their labels, and the layer that looks back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from componium.composers.melody import MelodyRNN, MelodyRNNConfig, lines
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.score import Score
from componium.tokens.grid import HOLD, REST
from componium.tokens.melody import NO_EVENT, NOTE_OFF, OneHot

torch = pytest.importorskip("torch")

from componium.composers.melody.rnn import (  # noqa: E402
    CONFIGURATIONS,
    AttentiveLSTM,
    class_of_symbols,
    event_chances,
)

SURE = 60.0


@pytest.fixture(params=CONFIGURATIONS)
def configured(request: pytest.FixtureRequest, network: Any, melodies: list[Item]) -> Any:
    """A model of each configuration, which tests may change."""
    return network("rnn", melodies, configuration=request.param)


def test_sizes_are_those_that_were_published() -> None:
    sizes = {name: MelodyRNN(MelodyRNNConfig(configuration=name)).encoding for name in CONFIGURATIONS}
    assert {name: (each.input_size, each.size) for name, each in sizes.items()} == {
        "basic": (38, 38), "mono": (130, 130), "lookback": (121, 40), "attention": (74, 40)}


def sure_of(model: Any, label: int) -> None:
    """Let a network always say one label."""
    with torch.no_grad():
        model.network.scores.weight.zero_()
        model.network.scores.bias.zero_()
        model.network.scores.bias[label] = SURE


@pytest.mark.parametrize("symbol", [HOLD, REST, 14])
def test_each_label_is_the_symbol_of_its_event(configured: Any, random_grid: Any, symbol: int) -> None:
    """The encodings number their events in different orders: a network that says an event means that symbol."""
    lowest = configured.encoding.lowest
    event = {HOLD: NO_EVENT, REST: NOTE_OFF}.get(symbol, symbol - 2 + lowest)
    first = 12 + lowest
    label = int(configured.encoding.labels(np.array([first, event]))[1])
    sure_of(configured, label)
    reader = configured.reader(random_grid(0, 4), 1)
    with torch.inference_mode():
        reader.step(0)
        reader.write(0, torch.tensor([14]))
        reader.step(1)
        assert int(reader.chances(0).argmax()) == symbol
        assert float(reader.chances(0)[0, symbol]) == pytest.approx(0, abs=1e-6)
    grid = configured.tokens.decode(np.array([14, symbol, 14, symbol])[:, None])
    batch = configured.together([lines.prepared_line(grid, configured.tokens)])
    nats, counts, right = configured.nats(batch)
    assert nats[0, [1, 3]].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert right[0, [1, 3]].all() and counts.all()


def test_a_repeat_means_what_stood_a_bar_ago(network: Any, melodies: list[Item], random_grid: Any) -> None:
    symbols = np.array([14, HOLD, 16, REST, 19, HOLD, HOLD, 14, 16, 16, REST, REST, 21, HOLD, 19, HOLD] * 3)
    for configuration in ("lookback", "attention"):
        model = network("rnn", melodies, configuration=configuration)
        grid = model.tokens.decode(symbols[:, None])
        for distance, number in ((16, 0), (32, 1)):
            sure_of(model, model.encoding.classes + number)
            nats, _, _ = model.nats(model.together([lines.prepared_line(grid, model.tokens)]))
            assert nats[0, distance:].max() < 1e-6
            reader = model.reader(grid, 1)
            with torch.inference_mode():
                for step, symbol in enumerate(symbols.tolist()):
                    reader.step(step)
                    assert step < distance or float(reader.chances(0)[0, symbol]) == pytest.approx(0, abs=1e-6)
                    reader.write(0, torch.tensor([symbol]))


def test_repeats_are_added_to_what_they_mean_by_hand() -> None:
    shares = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25])  # two pitches, what goes on, what ends; a repeat
    logits, order = shares.log()[None], torch.tensor([2, 3, 0, 1])  # hold, rest, the pitches
    sounds, silent = torch.tensor([False]), torch.tensor([True])
    repeats_pitch = event_chances(logits, torch.tensor([[1]]), sounds, order).exp()[0]
    assert repeats_pitch.tolist() == pytest.approx([0.3, 0.15, 0.1, 0.45])
    repeats_hold = event_chances(logits, torch.tensor([[2]]), sounds, order).exp()[0]
    assert repeats_hold.tolist() == pytest.approx([0.55, 0.15, 0.1, 0.2])
    in_silence = event_chances(logits, torch.tensor([[2]]), silent, order).exp()[0]
    assert in_silence.tolist() == pytest.approx([0, 0.7, 0.1, 0.2])


def test_symbols_find_their_classes(configured: Any) -> None:
    encoding = configured.encoding
    events = np.array([NO_EVENT, NOTE_OFF, *range(encoding.lowest, encoding.highest + 1)])
    labels = [int(encoding.labels(np.array([encoding.lowest] * 40 + [event]))[-1]) for event in events]
    assert labels[3:] == class_of_symbols(encoding)[3:].tolist()  # [2] repeats, and has a label of its own
    plain = OneHot(encoding.lowest, encoding.highest)
    assert class_of_symbols(plain).tolist() == plain.labels(events).tolist()


def test_a_layer_that_looks_back_by_hand() -> None:
    torch.manual_seed(0)
    layer, steps = AttentiveLSTM(3, 4, 2), 5
    told = torch.randn(1, steps, 3)
    weights = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    hidden, cell, seen = np.zeros(4), np.zeros(4), np.zeros(4)
    said, wanted = [np.zeros(4)] * 2, []
    for now in told[0].numpy():
        merged = weights["merge.weight"] @ np.concatenate([now, seen]) + weights["merge.bias"]
        gates = (weights["cell.weight_ih"] @ merged + weights["cell.bias_ih"]
                 + weights["cell.weight_hh"] @ hidden + weights["cell.bias_hh"])
        taken, kept, new, out = np.split(gates, 4)
        taken, kept, out = (1 / (1 + np.exp(-each)) for each in (taken, kept, out))
        cell = kept * cell + taken * np.tanh(new)
        hidden = out * np.tanh(cell)
        query = weights["query.weight"] @ np.concatenate([cell, hidden]) + weights["query.bias"]
        keys = [weights["key.weight"] @ each for each in said]
        scores = np.array([weights["score.weight"][0] @ np.tanh(key + query) for key in keys])
        shares = np.exp(scores) / np.exp(scores).sum()
        seen = sum(share * each for share, each in zip(shares, said, strict=True))
        wanted.append(weights["out.weight"] @ np.concatenate([hidden, seen]) + weights["out.bias"])
        said = [said[1], wanted[-1]]
    found, _ = layer(told, layer.start(1))
    assert np.allclose(found[0].detach().numpy(), wanted, atol=1e-6)


def test_what_a_layer_hears_of_itself_stays_finite(network: Any, melodies: list[Item], random_grid: Any) -> None:
    model = network("rnn", melodies)
    with torch.no_grad():
        model.network.attentive.out.weight.mul_(8)  # each step says more than the last
    nats, _, _ = model.nats(model.together([lines.prepared_line(random_grid(0, 1500), model.tokens)]))
    assert bool(nats.isfinite().all())


def test_mono_takes_melodies_as_they_come(configured: Any, line: Any) -> None:
    high, low = line((90, 92, 94, 95)), line((30, 32, 34, 35))
    for score in (high, low):
        found = configured.hear(score)
        as_they_come = found.grid.pitches[::4, 0].tolist() == [note.pitch for note in score.tracks[0].notes]
        assert as_they_come == (configured.config.configuration == "mono") == (not configured.normalised)
        assert found.moved == 0 or configured.normalised
        assert isinstance(configured.continue_(score, bars=1), Score)


@pytest.mark.parametrize(("wrong", "words"), [
    ({"configuration": "fast"}, "configuration=fast: it is one of basic, mono, lookback, attention"),
    ({"hidden": 4}, "hidden=4: hidden has to be between 8 and 4096"),
    ({"layers": 0}, "layers=0"), ({"dropout": 1.0}, "dropout=1.0"), ({"attention_steps": 0}, "attention_steps=0"),
    ({"lowest": 60, "highest": 70}, "has to be an octave wide"), ({"context_steps": 2}, "context_steps=2"),
    ({"lowest": -5}, "-5"), ({"highest": 130}, "130"),
])
def test_settings_that_make_no_network_are_told(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        MelodyRNN(MelodyRNNConfig(**wrong))


def test_what_is_trained_are_the_labels_with_their_repeats(network: Any, melodies: list[Item]) -> None:
    model = network("rnn", melodies, configuration="lookback")
    example = model.example(model.prepare(melodies[0]), None)
    assert example["labels"].max() >= model.encoding.classes and example["target"].max() < model.encoding.classes
    batch = {name: torch.from_numpy(values)[None] for name, values in example.items()}
    model.network.train()
    sure_of(model, model.encoding.classes + 1)
    nats, _, _ = model.nats(batch)
    assert ((nats[0] < 1e-6) == (batch["labels"][0] == model.encoding.classes + 1)).all()
