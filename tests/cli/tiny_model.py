"""Tiny: the next pitch of a melody from the pitch before, a model that learns by gradient in no time."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from componium.interface import setting, silent
from componium.music.errors import BadInput
from componium.music.score import Note, Track, new_score, skyline

PITCHES = 128


@dataclasses.dataclass(frozen=True)
class TinyConfig:
    """Settings of `Tiny`."""

    width: int = setting(8, "size of the layer between")
    context: int = setting(16, "notes an example")


class Tiny:
    """A table of pitch to pitch, through a narrow layer."""

    name: ClassVar[str] = "tiny"
    Config: ClassVar[type] = TinyConfig
    needs_training: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False

    def __init__(self, config: TinyConfig | None = None) -> None:
        self.config = config or TinyConfig()
        if self.config.width < 1:
            raise BadInput(f"width={self.config.width}: it has to be 1 or more")
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.trained = False
        self._network: Any = None

    @property
    def network(self):
        if self._network is None:
            import torch

            self._network = torch.nn.Sequential(torch.nn.Embedding(PITCHES, self.config.width),
                                                torch.nn.Linear(self.config.width, PITCHES))
        return self._network

    def initialise(self, seed):
        import torch

        drawn = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=drawn))

    def prepare(self, item):
        if item.kind != "score":
            raise BadInput("is no score")
        pitches = np.array([note.pitch for note in skyline(item.content).notes], np.int64)
        if len(pitches) < 4:
            raise BadInput("has fewer than four notes")
        return {"pitches": pitches}

    def measure(self, prepared):
        self.first = int(prepared[0]["pitches"][0])

    def example(self, prepared, rng):
        pitches, length = prepared["pitches"], self.config.context + 1
        start = int(rng.integers(max(1, len(pitches) - length + 1))) if rng is not None else 0
        return {"pitches": np.resize(pitches[start:], length)}

    def loss(self, batch, *, turn, step):
        import torch

        pitches = batch["pitches"]
        logits = self.network(pitches[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), pitches[:, 1:].flatten())
        return loss, {"pitch": loss.detach()}

    def turns(self, step):
        return ("all",)

    def parameters_of(self, turn):
        return self.network.parameters()

    def stage(self, step):
        return ""

    def state(self):
        return {key: value.detach().cpu().numpy() for key, value in self.network.state_dict().items()}, {
            "first": getattr(self, "first", 60)}

    def load_state(self, arrays, json):
        import torch

        self.network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in arrays.items()})
        self.first, self.trained = json["first"], True

    def generate(self, *, bars=8, seed=0, temperature=1.0, prompt=None, progress=silent):
        import torch

        drawn = torch.Generator().manual_seed(seed)
        score = new_score()
        score.tracks.append(Track("Melody"))
        pitch = getattr(self, "first", 60)
        with torch.no_grad():
            for beat in range(4 * bars):
                score.tracks[0].notes.append(Note(float(beat), 1.0, pitch, 80))
                chances = torch.softmax(self.network(torch.tensor([pitch])) / temperature, -1)[0]
                pitch = int(torch.multinomial(chances, 1, generator=drawn))
        return score
