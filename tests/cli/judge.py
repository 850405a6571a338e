"""Judge: finds every step of one line as likely as any other; the tests copy it beside a user's files."""

from __future__ import annotations

import dataclasses

import numpy as np

from componium.interface import TokenLikelihood, setting
from componium.music.errors import BadInput
from componium.music.grid import to_grid
from componium.tokens.grid import FIRST_PITCH, HOLD, REST, GridTokens


@dataclasses.dataclass(frozen=True)
class JudgeConfig:
    seen: str = setting("", "hashes of what it has learned from, with commas")
    held: str = setting("", "hashes of what was held out")
    voices: int = setting(1, "how many it hears")
    steps_per_beat: int = setting(4, "its grid")


class Judge:
    """Holds are likelier: their chance is a half, the rest is for all the others alike."""

    name = "judge"
    Config = JudgeConfig
    needs_training = False
    deterministic = False

    def __init__(self, config=JudgeConfig()):
        self.config, self.figures = config, {}
        self.tokens = GridTokens(config.voices, 48, 83, config.steps_per_beat)
        self.provenance = {name: value.split(",") for name, value in (
            ("hashes", config.seen), ("held_out_hashes", config.held)) if value}

    def state(self):
        return {}, {}

    def load_state(self, arrays, json):
        pass

    def prepare(self, item):
        """Return the symbols of one line."""
        return {"symbols": self._symbols(item.content)}

    def _symbols(self, score):
        if len(score.tracks) != 1:
            raise BadInput(f"it has {len(score.tracks)} tracks")
        return self.tokens.encode(to_grid(score, steps_per_beat=self.config.steps_per_beat, voice_count=1))[:, 0]

    def log_likelihood(self, score):
        """Judge."""
        symbols = self._symbols(score)
        steps, hold = np.arange(len(symbols)), symbols == HOLD
        nats = -np.log(np.where(hold, 0.5, 0.5 / (self.tokens.size - 1)))
        onset = (symbols >= FIRST_PITCH) | (symbols == REST)
        return TokenLikelihood(nats, np.zeros_like(steps), steps, onset, self.config.steps_per_beat, "judge", hold)


class Mute:
    """A model that judges nothing."""

    name = "mute"
    Config = JudgeConfig
    needs_training = False
    deterministic = False

    def __init__(self, config=JudgeConfig()):
        self.config, self.provenance, self.figures = config, {}, {}

    def generate(self, *, bars=8, seed=0):
        """Compose nothing."""
        raise BadInput("nothing")
