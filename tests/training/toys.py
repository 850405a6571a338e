"""Two small models that keep the contract `Learns`: one learns pitches, one is a pair of adversaries."""

from __future__ import annotations

import dataclasses

import numpy as np

from componium.interface import setting
from componium.music.errors import BadInput
from componium.music.item import Item

CLASSES = 128


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    width: int = setting(8, "units of the network")
    context: int = setting(4, "notes that the next is guessed from")
    dropout: float = setting(0.0, "share of units that are left out")
    explode_at: int = setting(-1, "step from which the loss is not finite; -1 = never")
    explode_for: int = setting(1_000_000, "for how many steps")


class Toy:
    """Guesses the next note from the notes before."""

    name = "toy"
    Config = ToyConfig
    needs_training = True
    deterministic = False
    prepares_with = ("context",)

    def __init__(self, config=None):
        import torch

        self.config = config or ToyConfig()
        self.provenance, self.figures, self.trained = {}, {}, False
        self.calls, self.measured = [], None
        width = self.config.width
        self.network = torch.nn.Sequential(
            torch.nn.Embedding(CLASSES, width), torch.nn.Flatten(), torch.nn.Linear(self.config.context * width, 32),
            torch.nn.Tanh(), torch.nn.Dropout(self.config.dropout), torch.nn.Linear(32, CLASSES))
        self.initialise(0)

    def initialise(self, seed):
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)

    def prepare(self, item: Item):
        self.calls.append(item.name)
        notes = [note.pitch for track in item.content.tracks for note in track.notes]
        if len(notes) <= self.config.context:
            raise BadInput(f"{item.name}: it holds {len(notes)} notes, fewer than {self.config.context + 1}")
        return {"pitches": np.array(notes, np.int64)}

    def measure(self, prepared):
        self.measured = len(prepared)

    def example(self, prepared, rng):
        start = 0 if rng is None else int(rng.integers(0, len(prepared["pitches"]) - self.config.context))
        window = prepared["pitches"][start:start + self.config.context + 1]
        shift = 0 if rng is None else int(rng.integers(-2, 3))
        return {"notes": window + shift}

    def loss(self, batch, *, turn, step):
        import torch

        notes = batch["notes"]
        loss = torch.nn.functional.cross_entropy(self.network(notes[:, :-1]), notes[:, -1])
        if self.config.explode_at >= 0 and 0 <= step - self.config.explode_at < self.config.explode_for:
            loss = loss * float("nan")
        return loss, {"nats": loss}

    def turns(self, step):
        return ("all",)

    def parameters_of(self, turn):
        return self.network.parameters()

    def stage(self, step):
        return "beginning" if step < 5 else "end"

    def state(self):
        arrays = {key: value.detach().cpu().numpy().copy() for key, value in self.network.state_dict().items()}
        return arrays, {"trained": self.trained}

    def load_state(self, arrays, json):
        import torch

        self.network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in arrays.items()})
        self.trained = bool(json.get("trained"))


@dataclasses.dataclass(frozen=True)
class PairConfig:
    width: int = setting(16, "units of either network")


class Pair:
    """Adversaries on single numbers: the generator learns to draw pitches as the data has them."""

    name = "pair"
    Config = PairConfig
    needs_training = True
    deterministic = False

    def __init__(self, config=None):
        import torch

        self.config = config or PairConfig()
        self.provenance, self.figures, self.trained = {}, {}, False

        def small():
            return torch.nn.Sequential(torch.nn.Linear(1, self.config.width), torch.nn.Tanh(),
                                       torch.nn.Linear(self.config.width, 1))

        self.network = torch.nn.ModuleDict({"generator": small(), "discriminator": small()})
        self.initialise(0)

    initialise = Toy.initialise
    state = Toy.state
    load_state = Toy.load_state

    def prepare(self, item):
        return {"pitches": np.array([n.pitch for t in item.content.tracks for n in t.notes], np.float32)}

    def measure(self, prepared):
        pass

    def example(self, prepared, rng):
        place = 0 if rng is None else int(rng.integers(len(prepared["pitches"])))
        return {"pitch": (prepared["pitches"][place:place + 1] - 60) / 12}

    def loss(self, batch, *, turn, step):
        import torch

        real = batch["pitch"]
        made = self.network["generator"](torch.randn_like(real))
        judge, cost = self.network["discriminator"], torch.nn.functional.softplus
        if turn == "discriminator":
            loss = cost(judge(made.detach())).mean() + cost(-judge(real)).mean()
        else:
            loss = cost(-judge(made)).mean()
        return loss, {"cost": loss}

    def turns(self, step):
        return ("discriminator",) if step % 3 == 0 else ("discriminator", "generator")

    def parameters_of(self, turn):
        return self.network[turn].parameters()

    def stage(self, step):
        return ""


class Quiet(Pair):
    """The adversaries without chance: the generator draws from the data itself."""

    name = "quiet"

    def loss(self, batch, *, turn, step):
        import torch

        real = batch["pitch"]
        made = self.network["generator"](real.cos())
        judge, cost = self.network["discriminator"], torch.nn.functional.softplus
        if turn == "discriminator":
            loss = cost(judge(made.detach())).mean() + cost(-judge(real)).mean()
        else:
            loss = cost(-judge(made)).mean()
        return loss, {"cost": loss}
