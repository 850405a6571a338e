"""Chorale RNN: writes, continues and harmonises in four voices, one sixteenth after another.

Idea: A recurrent network hears what all voices did in the step before and remembers the piece so far; then it gives
the next step to the voices one by one, high to low, each knowing what the higher ones have just been given. Notes of
yours are kept as they are, and what they leave open is composed around them.

Paper: Liang 2016 and Liang, Gotham, Johnson & Shotton 2017, "Automatic Stylistic Composition of Bach Chorales with
Deep LSTM" (BachBot), whose encoding and network are here as encoding=bachbot. The default, encoding=grid, hears whole
steps, as in the frames of RNN-NADE (Boulanger-Lewandowski et al. 2012), with the holds of DeepBach (Hadjeres et al.
2017) and the order of voices of TonicNet (Peracha 2019). Harmonising weighs several versions at once (Del Moral 1996).

Learns from: pieces in as many voices as voices= says; two hundred chorales make a style, a dozen a sketch of one. They
are learned in all keys that their ranges allow. Bars, fermatas and the end are told where they are known.

Good and bad at: voice leading, cadences at fermatas and typical dissonances come from the data, as does the habit of
modulating. It plans no form: phrases come from the fermatas that are asked for. Sevenths and leading notes resolve less
often than in its models. A melody far from the style it learned is harmonised, but not well.

Trains and generates: by gradient (componium.training), a thousand small steps. Composing keeps a state, so that
a note costs the same wherever it stands. Harmonising runs several versions side by side, lets those go on that foresee
your notes best, and takes the likeliest.

Size and speed: 0.56 million weights at the defaults, 1.8 million as shipped (12 minutes of training on two cores). At
the defaults, on one core, an update of 16 examples takes 0.09 s, eight bars a third of a second, a hundred pieces of
eight bars together 0.7 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from componium.composers.chorale_rnn import bachbot, composing, judging, views
from componium.composers.chorale_rnn.chances import grammatical
from componium.composers.chorale_rnn.corpus import Learned, voiced_grid
from componium.composers.chorale_rnn.network import ChoraleNetwork, Shape
from componium.interface import Arrays, Progress, TokenLikelihood, given_again, seeds_of, setting, silent
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.item import Item
from componium.music.score import VOICE_NAMES, Score
from componium.music.theory import key_of
from componium.nn import weights
from componium.tokens.grid import GridTokens

LONGEST_AGE_BEATS = 8


def check_config(given: ChoraleRNNConfig) -> None:
    """Raise `BadInput` for settings that make no network."""
    ranges = {"voices": (1, 8), "steps_per_beat": (1, 48), "hidden": (8, 4096), "layers": (1, 12), "head": (8, 4096),
              "context_steps": (8, 65536), "dropout": (0, 0.9), "untold": (0, 1)}
    for name, (low, high) in ranges.items():
        if not low <= getattr(given, name) <= high:
            raise BadInput(f"{name}={getattr(given, name)}: {name} has to be between {low} and {high}")
    if given.encoding not in ("grid", "bachbot"):
        raise BadInput(f"encoding={given.encoding}: the encoding is grid or bachbot")
    if given.highest - given.lowest < 11:
        raise BadInput(f"lowest={given.lowest}, highest={given.highest}: the grid has to be an octave wide at least")


def _mean(nats: Tensor, real: Tensor) -> Tensor:
    """Return the mean over examples of the mean over what is real of each; [B, ...] -> scalar."""
    return (nats * real).flatten(1).sum(1).div(real.flatten(1).sum(1).clamp(min=1)).mean()


@dataclass(frozen=True)
class ChoraleRNNConfig:
    """Settings of `ChoraleRNN`."""

    encoding: str = setting("grid", "grid: steps of all voices; bachbot: one token after another, keys normalised",
                            ("grid", "bachbot"))
    voices: int = setting(4, "how many voices, 1 to 8, high to low")
    steps_per_beat: int = setting(4, "grid steps a quarter note: 4 = 16ths, 12 or 24 allow triplets")
    lowest: int = setting(36, "lowest MIDI pitch of the grid")
    highest: int = setting(81, "highest MIDI pitch of the grid")
    hidden: int = setting(128, "width of the recurrent layers")
    layers: int = setting(2, "recurrent layers")
    head: int = setting(96, "width of the head of each voice; encoding=grid only")
    dropout: float = setting(0.2, "share of units that are silenced in training, 0 to 0.9")
    context_steps: int = setting(128, "length of a training example: grid steps, or tokens of encoding=bachbot")
    transpose: bool = setting(True, "learn each piece in all keys in range; encoding=grid only")
    marks: bool = setting(True, "tell the network of bars, fermatas and the end, where they are known")
    untold: float = setting(0.25, "share of examples in which each kind of mark is hidden, 0 to 1")


class ChoraleRNN:
    """Recurrent network over the voices of a grid."""

    name: ClassVar[str] = "chorale-rnn"
    Config: ClassVar[type] = ChoraleRNNConfig
    needs_training: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    prepares_with: ClassVar[tuple[str, ...]] = ("encoding", "voices", "steps_per_beat", "lowest", "highest")
    prepared_version: ClassVar[int] = 1

    def __init__(self, config: ChoraleRNNConfig | None = None) -> None:
        self.config = config or ChoraleRNNConfig()
        check_config(self.config)
        given = self.config
        self.tokens = GridTokens(given.voices, given.lowest, given.highest, given.steps_per_beat)
        self.words = bachbot.tokens_of(given.voices, given.lowest, given.highest, given.steps_per_beat)
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.trained = False
        self.half = False
        self.learned = Learned.nothing(given.voices)
        self.initialise(0)

    # learning

    def initialise(self, seed: int) -> None:
        """Draw the weights anew."""
        given = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: torch.nn.Module = self._network(given)
        self.trained = False

    def _network(self, given: ChoraleRNNConfig) -> torch.nn.Module:
        if given.encoding == "bachbot":
            return bachbot.BachBotNetwork(self.words.size, given.hidden, given.layers, given.dropout)
        return ChoraleNetwork(Shape(
            given.voices, given.highest - given.lowest + 1, LONGEST_AGE_BEATS * given.steps_per_beat,
            views.mark_sizes(given.steps_per_beat), given.hidden, given.layers, given.head, given.dropout))

    def prepare(self, item: Item) -> Arrays:
        """Return the grid of a score with its marks, as arrays."""
        grid = voiced_grid(item, self.config.voices, self.config.steps_per_beat)
        if self.config.encoding == "bachbot":
            moved, _ = bachbot.in_c(grid, key_of(item.content)[0], self.tokens)
            return views.prepared_grid(moved, self.tokens) | {"tokens": self.words.encode(moved)}
        return views.prepared_grid(grid, self.tokens)

    def measure(self, prepared: Sequence[Arrays]) -> None:
        """Note ranges, meters and where fermatas stand."""
        self.learned = Learned.of(prepared, self.tokens)

    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return a crop in a key of its own, or the whole piece."""
        if self.config.encoding == "bachbot":
            return bachbot.example_of(prepared, rng, self.config.context_steps)
        return views.example_of(prepared, self.tokens, rng, steps=self.config.context_steps,
                                transpose=self.config.transpose, marks=self.config.marks, untold=self.config.untold)

    def loss(self, batch: Mapping[str, Any], *, turn: str, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean over examples of the nats per cell (or token), and those of each voice."""
        if self.config.encoding == "bachbot":
            logits, _ = self.network(batch["tokens"])
            nats = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), batch["target"], ignore_index=-1,
                                                     reduction="none")
            return _mean(nats, batch["target"] >= 0), {}
        nats, real = self.nats(batch), batch["target"] >= 0
        parts = {name: _mean(nats[..., voice], real[..., voice]).detach()
                 for voice, name in enumerate(self.voice_names)}
        return _mean(nats.flatten(1), real.flatten(1)), parts

    def nats(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the nats of each cell of a batch: [B, T, V]; 0 where there is none."""
        logits = self.network(batch["before"], batch["age"], batch["place"], batch["now"], batch["struck"])
        exact = logits.float() if self.network.training else logits.double()  # no sum of chances rounds above one
        log_probabilities = grammatical(exact, batch["before"], self.tokens.highest - self.tokens.lowest + 1,
                                        joined=~batch["ties"][:, None, None])
        target = batch["target"]
        nats = -log_probabilities.gather(-1, target.clamp(min=0)[..., None])[..., 0]
        return torch.where(target >= 0, nats, 0.0)

    def turns(self, step: int) -> tuple[str, ...]:
        """Return the one turn there is."""
        return ("all",)

    def parameters_of(self, turn: str) -> Iterable[torch.nn.Parameter]:
        """Return all parameters."""
        return self.network.parameters()

    def stage(self, step: int) -> str:
        """Return the one stage there is, which has no name."""
        return ""

    @property
    def voice_names(self) -> tuple[str, ...]:
        """The voices' names in figures."""
        if self.config.voices == len(VOICE_NAMES):
            return tuple(name.lower() for name in VOICE_NAMES)
        return tuple(f"voice {voice + 1}" for voice in range(self.config.voices))

    # state

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return the weights, in 16 bits where `halve` was called, and what is known of the corpus."""
        if not self.trained:
            return {}, {}
        return weights.weights_of(self.network, half=self.half), {"learned": self.learned.to_json(), "half": self.half}

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Take back what `state` returned; raises `BadInput` where it does not fit these settings."""
        if not arrays:
            return
        learned = Learned.from_json(json.get("learned", {}), self.config.voices)
        weights.load_weights(self.network, arrays)
        self.learned, self.half = learned, bool(json.get("half", False))
        self.trained = True

    def halve(self) -> None:
        """Round the weights to 16 bits, in which they are then kept: half the size on disk."""
        weights.halve(self.network)
        self.half = True

    # abilities

    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, prompt: Score | None = None,
                 key: str | None = None, meter: str | None = None, phrase_bars: int = 2,
                 tempo_bpm: float | None = None, candidates: int = 4, top_k: int = 0, top_p: float = 0.9,
                 typical_p: float = 1.0, repetition: float = 1.0, rests: bool = False, parallels: bool = False,
                 constraints: Path | None = None, progress: Progress = silent) -> Score:
        """Compose a piece.

        Args:
            bars: length of the whole piece in bars, the prompt included.
            seed: same seed, same piece.
            temperature: 1 as learned, lower more usual, higher more surprising, 0 always the likeliest.
            prompt: music to begin with; kept to the note.
            key: such as "G minor": the first and the last chord are its tonic; none = as it comes.
            meter: such as "3/4"; the corpus's most common if none.
            phrase_bars: bars a phrase, each closed by a fermata where the corpus has them; 0 for one long phrase.
            tempo_bpm: quarter notes a minute.
            candidates: versions that are composed side by side, of which the likeliest is taken, 1 to 512.
            top_k: draw only from the k likeliest symbols; 0 from all.
            top_p: draw only from the fewest symbols that have this probability together.
            typical_p: draw only from the symbols of this probability that are about as surprising as expected.
            repetition: what the odds of a voice's last notes are divided by; 1 changes nothing.
            rests: whether voices may rest.
            parallels: whether voices may move in parallel fifths, octaves and unisons.
            constraints: a text file of rules that the piece keeps; docs/7-constraints.md shows them.
        """
        return self.generate_many(count=1, **given_again(locals(), seed=[seed]))[0]

    def generate_many(self, *, count: int, bars: int = 8, seed: int | Sequence[int] = 0, temperature: float = 1.0,
                      prompt: Score | None = None, key: str | None = None, meter: str | None = None,
                      phrase_bars: int = 2, tempo_bpm: float | None = None, candidates: int = 4, top_k: int = 0,
                      top_p: float = 0.9, typical_p: float = 1.0, repetition: float = 1.0, rests: bool = False,
                      parallels: bool = False, constraints: Path | None = None,
                      progress: Progress = silent) -> list[Score]:
        """Compose ``count`` pieces side by side. Arguments as in `generate`.

        Args:
            count: how many pieces.
            seed: of the first piece, the others have those that follow; or one of each piece.
        """
        wish, seeds = composing.Wish.of(locals()), seeds_of(seed, count)
        self._ready()
        if prompt is None:
            return composing.new_pieces(self, seeds, wish, progress, bars=bars, key=key, meter=meter,
                                        phrase_bars=phrase_bars, tempo=tempo_bpm)
        if meter is not None or tempo_bpm is not None or key is not None:
            raise BadInput("a prompt has its key, its meter and its tempo already: leave out key, meter and tempo_bpm")
        return [composing.continued(self, prompt, each, wish, progress, bars=None, total_bars=bars,
                                    phrase_bars=phrase_bars) for each in seeds]

    def continue_(self, score: Score, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, phrase_bars: int = 2,
                  candidates: int = 4, top_k: int = 0, top_p: float = 0.9, typical_p: float = 1.0,
                  repetition: float = 1.0, rests: bool = False, parallels: bool = False,
                  constraints: Path | None = None, progress: Progress = silent) -> Score:
        """Return the score, kept to the note, followed by new bars; arguments as in `generate`.

        Args:
            score: the music to go on from.
            bars: how many bars to add.
        """
        wish = composing.Wish.of(locals())
        return composing.continued(self._ready(), score, seed, wish, progress, bars=bars, total_bars=None,
                                   phrase_bars=phrase_bars)

    def harmonize(self, score: Score, *, seed: int = 0, temperature: float = 0.8, given: str = "auto",
                  method: str = "sample", candidates: int = 16, top_k: int = 0, top_p: float = 0.9,
                  typical_p: float = 1.0, repetition: float = 1.0, rests: bool = False, parallels: bool = False,
                  constraints: Path | None = None, progress: Progress = silent) -> Score:
        """Return the score, kept to the note, with the voices that it lacks; arguments as in `generate`.

        Args:
            score: one or more voices; fermatas in it (markers of that name) are met with cadences.
            given: which voices they are, such as "soprano" or "alto,tenor"; auto: by their names, else from the top.
            method: sample (versions drawn side by side, the likeliest taken), beam (the likeliest path), or greedy.
            candidates: how many versions, or how wide the beam is.
        """
        return self.harmonize_many([score], **given_again(locals(), "score", seed=[seed]))[0]

    def harmonize_many(self, scores: Sequence[Score], *, seed: Sequence[int], temperature: float = 0.8,
                       given: str = "auto", method: str = "sample", candidates: int = 16, top_k: int = 0,
                       top_p: float = 0.9, typical_p: float = 1.0, repetition: float = 1.0, rests: bool = False,
                       parallels: bool = False, constraints: Path | None = None,
                      progress: Progress = silent) -> list[Score]:
        """Return `harmonize` of several scores, faster than one by one; one seed of each."""
        wish = composing.Wish.of(locals())
        return composing.harmonized(self._ready(), scores, given, list(seed), wish, progress) if scores else []

    def infill(self, score: Score, *, where: str, seed: int = 0, temperature: float = 0.8, method: str = "sample",
               candidates: int = 32, top_k: int = 0, top_p: float = 0.9, typical_p: float = 1.0,
               repetition: float = 1.0, rests: bool = False, parallels: bool = False, constraints: Path | None = None,
               progress: Progress = silent) -> Score:
        """Return the score with new music in some bars, untouched elsewhere; arguments as in `harmonize`.

        Args:
            score: the piece.
            where: bars, such as "3-4" or "3-4,7"; the first full bar is 1.
        """
        wish = composing.Wish.of(locals())
        return composing.infilled(self._ready(), score, where, seed, wish, progress)

    def log_likelihood(self, score: Score | Grid) -> TokenLikelihood:
        """Return the nats of every cell (or token); raises `BadInput` for music that the grid cannot hold.

        A grid that does not tell repeats from holds is scored by pitch alone: both ways to sound it count.
        """
        return self.log_likelihood_many([score])[0]

    def log_likelihood_many(self, pieces: Sequence[Score | Grid], *,
                            progress: Progress = silent) -> list[TokenLikelihood]:
        """Return `log_likelihood` of several pieces, faster than one by one."""
        return judging.judged(self._ready(), pieces, progress)

    def _ready(self) -> ChoraleRNN:
        if not self.trained:
            raise BadInput("chorale-rnn has to be trained first: componium train chorale-rnn chorales "
                           "--out my.chorale-rnn")
        return self
