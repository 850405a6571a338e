"""What the melody models have in common: they hear one line, and write on it. Each has a file of its own:
`lstm` (the course's), `transformer` and `rnn` (Magenta's), which holds its settings, its network and its loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from componium.composers.melody import answering, lines, writing
from componium.composers.melody.learned import Learned
from componium.composers.melody.lines import Heard
from componium.interface import Arrays, Progress, TokenLikelihood, given_again, seeds_of, silent
from componium.music.errors import BadInput
from componium.music.grid import Grid, from_grid
from componium.music.item import Item
from componium.music.melody_line import melody_line
from componium.music.score import Score, note_arrays
from componium.nn import weights
from componium.nn.filling import Reader
from componium.tokens.grid import FIRST_PITCH, REST, GridTokens

SHORTEST_BEATS = 2
MOST_BESIDE = 0.1
"""This share of the notes of a melody that is learned or judged may lie beside the grid, as ornaments do."""
RANGES = {"steps_per_beat": (1, 24), "hidden": (8, 4096), "layers": (1, 12), "head": (8, 4096), "dropout": (0, 0.9),
          "context_steps": (8, 65536), "width": (8, 4096), "heads": (1, 64), "inner": (8, 16384),
          "attention_steps": (1, 4096)}
"""What the settings of the family may be, where a model has them."""


class MelodyModel(ABC):
    """A model of one line.

    Attributes:
        tokens: symbols of its grid, one voice.
        normalised: whether it hears every melody in C major or A minor.
        knows_endings: whether it has learned where melodies end.
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    needs_training: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    prepares_with: ClassVar[tuple[str, ...]] = ("steps_per_beat", "lowest", "highest", "lengths")
    prepared_version: ClassVar[int] = 1
    knows_endings: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._check()
        self.tokens = self.make_tokens()
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.trained = False
        self.half = False
        self.learned = Learned.nothing()
        self.initialise(0)

    def _check(self) -> None:
        """Raise `BadInput` for settings that make no network."""
        given = self.config
        for name, (low, high) in RANGES.items():
            if hasattr(given, name) and not low <= getattr(given, name) <= high:
                raise BadInput(f"{name}={getattr(given, name)}: {name} has to be between {low} and {high}")
        if given.highest - given.lowest < 11:
            raise BadInput(f"lowest={given.lowest}, highest={given.highest}: the range has to be an octave wide at "
                           "least")

    # what each model brings

    @property
    def normalised(self) -> bool:
        """Whether it hears every melody in C major or A minor."""
        return True

    def make_tokens(self) -> GridTokens:
        """Return the symbols of its grid."""
        return GridTokens(1, self.config.lowest, self.config.highest, self.config.steps_per_beat)

    @abstractmethod
    def make_network(self) -> torch.nn.Module:
        """Return the network of the settings, with weights as they are drawn."""

    @abstractmethod
    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return one training example; without a generator the whole melody as held-out loss is measured on."""

    @abstractmethod
    def nats(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Return nats, what counts, and where the likeliest was right: each [B, T]."""

    @abstractmethod
    def reader(self, grid: Grid, rows: int) -> Reader:
        """Return what reads so many versions of a grid while they are written."""

    def endings(self, grid: Grid) -> npt.NDArray[np.float64]:
        """Return how likely the melody is to end after each of its steps: [steps]; where it ``knows_endings``."""
        raise NotImplementedError

    # learning

    def initialise(self, seed: int) -> None:
        """Draw the weights anew."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: Any = self.make_network()
        self.trained = False

    def prepare(self, item: Item) -> Arrays:
        """Return the symbols of an item's melody with its meter, as arrays."""
        if not isinstance(item.content, Score):
            raise BadInput("it is a recording, not a score")
        found = self.hear(item.content, most_beside=MOST_BESIDE)
        lines.check_lengths(note_arrays(found.line.track), tuple(getattr(self.config, "lengths", ())))
        if len(found.grid) < SHORTEST_BEATS * self.tokens.steps_per_beat:
            raise BadInput("its melody is shorter than two quarter notes")
        return lines.prepared_line(found.grid, self.tokens)

    def measure(self, prepared: Sequence[Arrays]) -> None:
        """Note the range, the meters, and whether melodies rest."""
        self.learned = Learned.of(prepared, self.tokens)

    def loss(self, batch: Mapping[str, Any], *, turn: str, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean over examples of the nats a step, and the share of steps whose likeliest symbol was right."""
        nats, counts, right = self.nats(batch)
        shares = counts.flatten(1).sum(1).clamp(min=1)
        accuracy = (right & counts).flatten(1).sum(1).div(shares).mean()
        return (nats * counts).flatten(1).sum(1).div(shares).mean(), {"accuracy": accuracy.detach()}

    def turns(self, step: int) -> tuple[str, ...]:
        """Return the one turn there is."""
        return ("all",)

    def parameters_of(self, turn: str) -> Iterable[torch.nn.Parameter]:
        """Return all parameters."""
        parameters: Iterable[torch.nn.Parameter] = self.network.parameters()
        return parameters

    def stage(self, step: int) -> str:
        """Return the one stage there is, which has no name."""
        return ""

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
        learned = Learned.from_json(json.get("learned", {}))
        weights.load_weights(self.network, arrays)
        self.learned, self.half = learned, bool(json.get("half", False))
        self.trained = True

    def halve(self) -> None:
        """Round the weights to 16 bits, in which they are then kept: half the size on disk."""
        weights.halve(self.network)
        self.half = True

    # abilities

    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, prompt: Score | None = None,
                 key: str | None = None, meter: str | None = None, tempo_bpm: float | None = None, stop: bool = False,
                 method: str = "sample", candidates: int = 4, top_k: int = 0, top_p: float = 0.95,
                 typical_p: float = 1.0, repetition: float = 1.0, line: str = "auto",
                 constraints: Path | None = None, progress: Progress = silent) -> Score:
        """Compose a melody.

        Args:
            bars: length of the whole piece in bars, the prompt included.
            seed: same seed, same melody.
            temperature: 1 as learned, lower more usual, higher more surprising, 0 always the likeliest.
            prompt: music to begin with, the seed motif; kept to the note.
            key: such as "G minor", on whose tonic the last bar ends; none = as it comes.
            meter: such as "3/4"; the corpus's most common if none.
            tempo_bpm: quarter notes a minute.
            stop: end where the model ends the melody, if that is before the last bar; one version is drawn.
            method: sample (drawn), beam (the likeliest path) or greedy.
            candidates: versions that are composed side by side, of which the likeliest is taken, or the beam's width.
            top_k: draw only from the k likeliest symbols; 0 from all.
            top_p: draw only from the fewest symbols that have this probability together.
            typical_p: draw only from the symbols of this probability that are about as surprising as expected.
            repetition: what the odds of the last four notes are divided by; 1 changes nothing.
            line: which line of a score it goes on with: auto, top, or the name or number of a track.
            constraints: a text file of rules that the piece keeps; docs/7-constraints.md shows them.
        """
        return self.generate_many(count=1, **given_again(locals(), seed=[seed]))[0]

    def generate_many(self, *, count: int, bars: int = 8, seed: int | Sequence[int] = 0, temperature: float = 1.0,
                      prompt: Score | None = None, key: str | None = None, meter: str | None = None,
                      tempo_bpm: float | None = None, stop: bool = False, method: str = "sample", candidates: int = 4,
                      top_k: int = 0, top_p: float = 0.95, typical_p: float = 1.0, repetition: float = 1.0,
                      line: str = "auto", constraints: Path | None = None,
                      progress: Progress = silent) -> list[Score]:
        """Compose ``count`` melodies side by side. Arguments as in `generate`.

        Args:
            count: how many melodies.
            seed: of the first, the others have those that follow; or one of each.
        """
        wish, seeds = writing.Wish.of(locals()), seeds_of(seed, count)
        self.ready()
        if prompt is None:
            return writing.new_pieces(self, seeds, wish, progress, bars=bars, key=key, meter=meter, tempo=tempo_bpm,
                                      stop=stop)
        if meter is not None or tempo_bpm is not None or key is not None or stop:
            raise BadInput("a prompt has its key, its meter and its tempo already: leave out key, meter, tempo_bpm "
                           "and stop")
        return [writing.continued(self, prompt, each, wish, progress, bars=None, total_bars=bars) for each in seeds]

    def continue_(self, score: Score, *, bars: int = 8, seed: int = 0, temperature: float = 1.0,
                  method: str = "sample", candidates: int = 4, top_k: int = 0, top_p: float = 0.95,
                  typical_p: float = 1.0, repetition: float = 1.0, line: str = "auto",
                  constraints: Path | None = None, progress: Progress = silent) -> Score:
        """Return the score, kept to the note, with new bars of melody after it; arguments as in `generate`.

        Args:
            score: the music to go on from.
            bars: how many bars to add.
        """
        wish = writing.Wish.of(locals())
        return writing.continued(self.ready(), score, seed, wish, progress, bars=bars, total_bars=None)

    def infill(self, score: Score, *, where: str, seed: int = 0, temperature: float = 1.0, method: str = "sample",
               candidates: int = 16, top_k: int = 0, top_p: float = 0.95, typical_p: float = 1.0,
               repetition: float = 1.0, line: str = "auto", constraints: Path | None = None,
               progress: Progress = silent) -> Score:
        """Return the score with new melody in some bars, untouched elsewhere; arguments as in `generate`.

        Args:
            score: the piece.
            where: bars, such as "3-4" or "3-4,7"; the first full bar is 1.
        """
        wish = writing.Wish.of(locals())
        return writing.infilled(self.ready(), score, where, seed, wish, progress)

    def respond(self, phrase: Score, *, seed: int = 0, temperature: float = 1.0, tempo_bpm: float | None = None,
                method: str = "sample", candidates: int = 1, top_k: int = 0, top_p: float = 0.95,
                typical_p: float = 1.0, repetition: float = 1.0, line: str = "auto", constraints: Path | None = None,
                progress: Progress = silent) -> Score:
        """Return an answer to a phrase: as long as the phrase, but 1 to 8 seconds; arguments as in `generate`.

        In constraints, bar 1 is the first of the answer.

        Args:
            phrase: the call; free playing, as a keyboard records it, is laid on a grid of its own tempo.
            tempo_bpm: quarter notes a minute of the call; none = as stated, or guessed where its notes lie beside it.
        """
        wish = writing.Wish.of(locals())
        return answering.answered(self.ready(), phrase, seed, wish, progress, tempo_bpm)

    def listens_to(self, score: Score, line: str = "auto") -> str:
        """Return which line of a score is taken, as a sentence; empty where there is only one."""
        return melody_line(score, line).told

    def log_likelihood(self, score: Score | Grid) -> TokenLikelihood:
        """Return the nats of every step of the melody; raises `BadInput` for what the grid cannot hold.

        What is learned can be judged: where up to `MOST_BESIDE` of the notes lie beside the grid, they are heard at its
        nearest steps, as `prepare` hears them.
        """
        return self.log_likelihood_many([score])[0]

    def log_likelihood_many(self, pieces: Sequence[Score | Grid], *,
                            progress: Progress = silent) -> list[TokenLikelihood]:
        """Return `log_likelihood` of several pieces, faster than one by one."""
        self.ready()
        grids = [self._grid(piece) for piece in pieces]
        order = sorted(range(len(grids)), key=lambda number: len(grids[number]))
        found: dict[int, TokenLikelihood] = {}
        with torch.inference_mode():
            self.network.eval()
            for start in range(0, len(order), TOGETHER):
                progress(start / len(order), "judging")
                some = order[start:start + TOGETHER]
                batch = self.together([lines.prepared_line(grids[number], self.tokens) for number in some])
                nats, _, right = self.nats(batch)
                for row, number in enumerate(some):
                    steps = slice(len(grids[number]))
                    found[number] = self._told(grids[number], nats[row, steps].double().cpu().numpy(),
                                               right[row, steps].cpu().numpy())
        progress(1.0, "judged")
        return [found[number] for number in range(len(grids))]

    # what others of the family need

    def together(self, prepared: Sequence[Arrays]) -> dict[str, Tensor]:
        """Return whole melodies as one batch, the shorter ones filled up with what does not count."""
        examples = [self.example(each, None) for each in prepared]
        longest = {name: max(len(each[name]) for each in examples) for name in examples[0] if examples[0][name].ndim}
        return {name: torch.from_numpy(np.stack([lines.filled_up(each[name], longest[name], name) if name in longest
                                                 else each[name] for each in examples]))
                for name in examples[0]}

    def hear(self, score: Score, line: str = "auto", *, most_beside: float = 0.0) -> Heard:
        """Return the melody of a score as the model hears it; see `lines.heard`."""
        return lines.heard(score, self.tokens, line=line, normalised=self.normalised, most_beside=most_beside,
                           may_be_finer=hasattr(self.config, "steps_per_beat"))

    def ready(self) -> Any:
        """Return the model; raises `BadInput` where it has not been trained."""
        if not self.trained:
            raise BadInput(f"{self.name} has to be trained first: componium train {self.name} MY_MIDI_FOLDER "
                           f"--out my.{self.name}")
        return self

    def _grid(self, piece: Score | Grid) -> Grid:
        if isinstance(piece, Grid) and piece.voice_count != 1:
            raise BadInput(f"the grid has {piece.voice_count} voices: {self.name} judges one line")
        score = from_grid(piece) if isinstance(piece, Grid) else piece
        return self.hear(score, most_beside=MOST_BESIDE).grid

    def _told(self, grid: Grid, nats: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> TokenLikelihood:
        symbols = self.tokens.encode(grid)[:, 0]
        before = np.append(-1, symbols[:-1])
        onset = (symbols >= FIRST_PITCH) | ((symbols == REST) & (before != REST))
        steps = np.arange(len(symbols))
        return TokenLikelihood(nats, np.zeros_like(steps), steps, onset, self.tokens.steps_per_beat,
                               f"melody grid, {self.tokens.steps_per_beat} steps a beat, one line", right)


TOGETHER = 32
"""Melodies that are judged at once."""
