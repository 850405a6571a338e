"""A small model that learns from recordings, as the contract says: what tests of recordings train."""

from __future__ import annotations

import dataclasses

import numpy as np

from componium.interface import setting
from componium.music.audio import Audio
from componium.music.errors import BadInput

WINDOW = 400


@dataclasses.dataclass(frozen=True)
class EarConfig:
    rate_hz: int = setting(8000, "sample rate")
    slow_seconds: float = setting(0.0, "how long preparing a part takes")


class Ear:
    """Guesses a sample from those before it."""

    name = "ear"
    Config = EarConfig
    needs_training = True
    deterministic = False
    learns_from = "recordings"

    def __init__(self, config=None):
        import torch

        self.config = config or EarConfig()
        self.provenance, self.figures, self.trained = {}, {}, False
        self.calls = []
        self.network = torch.nn.Linear(8, 1)
        self.initialise(0)

    @property
    def sample_rate_hz(self):
        return self.config.rate_hz

    def initialise(self, seed):
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)

    def prepare(self, item):
        import time

        self.calls.append(item.name)
        time.sleep(self.config.slow_seconds)
        audio = item.content
        if not isinstance(audio, Audio):
            raise BadInput(f"{item.name}: it is a score, not a recording")
        assert audio.channels == 1 and audio.sample_rate_hz == self.config.rate_hz
        samples = np.rint(audio.samples[0] * 32768).astype(np.int16)
        if len(samples) < WINDOW:
            samples = np.pad(samples, (0, WINDOW - len(samples)))
        return {"audio": samples, "loudness": np.abs(samples[::100]).astype(np.float32)}

    def measure(self, prepared):
        self.measured = len(prepared)

    def example(self, prepared, rng):
        audio = prepared["audio"]
        start = 0 if rng is None else int(rng.integers(0, len(audio) - WINDOW + 1))
        return {"audio": audio[start:start + WINDOW].astype(np.float32) / 32768}

    def loss(self, batch, *, turn, step):
        frames = batch["audio"].reshape(-1, 8)
        loss = ((self.network(frames[:-1])[:, 0] - frames[1:, 0]) ** 2).mean()
        return loss, {"square": loss}

    def turns(self, step):
        return ("all",)

    def parameters_of(self, turn):
        return self.network.parameters()

    def stage(self, step):
        return ""

    def state(self):
        arrays = {key: value.detach().cpu().numpy().copy() for key, value in self.network.state_dict().items()}
        return arrays, {"trained": self.trained}

    def load_state(self, arrays, json):
        import torch

        self.network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in arrays.items()})
        self.trained = bool(json.get("trained"))
