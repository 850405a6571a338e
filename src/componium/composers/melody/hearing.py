"""How `melody-lstm` and `melody-transformer` hear a melody, and how they score what may come next.

Before each step they are told the note that sounds and its age, where the step lies in beat and bar, and what stands
at the sources, earlier steps that this one may repeat (`componium.tokens.melody_listener`). They score the next symbol
in the same three ways at once: as a symbol; as an interval from the latest pitch; and as what stands at each source.
The last is a pointer without a search: one number a source says how much more likely its symbol is, whatever symbol
that is, so that repeating a phrase is learned once and not for each pitch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from componium.composers.melody.lines import crop
from componium.interface import Arrays
from componium.music.grid import Grid
from componium.nn.recurrent import LockedDropout
from componium.tokens.grid import HOLD
from componium.tokens.melody_listener import AGES, AGREEMENTS, SOURCES, Listener, Meter, mark_sizes, told_of

WIDEST = 16
"""Intervals up to this many semitones are scored as intervals."""
PITCH_SIZE, PLACE_SIZE, AGE_SIZE, AGREED_SIZE = 32, 16, 8, 8
IMPOSSIBLE = -1e9
"""The logit of what cannot be; finite, so that gradients stay numbers."""
PITCHES_TOLD = ("before", "last", "source")
"""What is told in pitches, and moves when a melody is transposed."""


class Told(NamedTuple):
    """What is known before each step of B lines; whole numbers [B, T, ...], or [B, ...] for a single step."""

    before: Tensor
    """[B, T] pitch that sounds, from 0; P in a rest, P + 1 before the first step."""
    last: Tensor
    """[B, T] the latest pitch that sounded; P where none has."""
    age: Tensor
    """[B, T] steps since it (or the rest) began."""
    place: Tensor
    """[B, T, marks] where the step to be written lies."""
    source: Tensor
    """[B, T, K] pitch at the sources, as ``before``; P + 1 where there is none."""
    struck: Tensor
    """[B, T, K] 1 where that pitch begins there."""
    agreed: Tensor
    """[B, T, K, 2] for how long the source agreed with the latest steps, in symbols and in rhythm."""

    def with_time(self) -> Told:
        """Return what is told of a single step with the axis of steps: [B, 1, ...]."""
        return Told(*[each[:, None] for each in self])


@dataclass(frozen=True)
class Shape:
    """What the networks are told and what they score.

    Attributes:
        pitches: P, semitones of the range.
        ages: longest age that is told.
        places: how many values each mark of a place has.
        sources: K.
        agreements: how many values an agreement has.
    """

    pitches: int
    ages: int
    places: tuple[int, ...]
    sources: int
    agreements: int

    @property
    def symbols(self) -> int:
        """S: hold, rest and the pitches. The stop symbol is number S."""
        return self.pitches + 2


class Hearing(nn.Module):
    """Turns what is told before a step into numbers: ``[B, T, size]``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.pitch = nn.Embedding(shape.pitches + 2, PITCH_SIZE)
        self.age = nn.Embedding(shape.ages + 1, AGE_SIZE)
        self.places = nn.ModuleList(nn.Embedding(size, PLACE_SIZE) for size in shape.places)
        self.agreed = nn.ModuleList(nn.Embedding(shape.agreements, AGREED_SIZE) for _ in range(2 * shape.sources))
        self.size = (PITCH_SIZE + AGE_SIZE + PLACE_SIZE * len(shape.places) + 1
                     + shape.sources * (PITCH_SIZE + 2 + 2 * AGREED_SIZE))

    def forward(self, told: Told) -> Tensor:
        """Return what is heard: [B, T, size]."""
        known = (told.source < self.shape.pitches) & (told.last < self.shape.pitches)[..., None]
        apart = torch.where(known, (told.source - told.last[..., None]) / 12, 0.0)
        height = torch.where(told.last < self.shape.pitches, (told.last - self.shape.pitches / 2) / 12, 0.0)
        agreed = told.agreed.flatten(-2)
        return torch.cat([
            self.pitch(told.before), self.age(told.age), height[..., None],
            *[table(told.place[..., number]) for number, table in enumerate(self.places)],
            self.pitch(told.source).flatten(-2), told.struck.to(height.dtype), apart,
            *[table(agreed[..., number]) for number, table in enumerate(self.agreed)],
        ], -1)


class Plain(nn.Module):
    """Tells the symbol before alone, as the course does: one-hot, [B, T, size]; zeros before the first step."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.size = shape, shape.symbols

    def forward(self, told: Told) -> Tensor:
        """Return the symbol of the step before, one-hot: [B, T, S]."""
        pitches = self.shape.pitches
        held = (told.age > 0) & (told.before < pitches)
        symbol = torch.where(held, 0, torch.where(told.before == pitches, 1, told.before + 2))
        known = (told.before <= pitches)[..., None]
        given: Tensor = functional.one_hot(symbol.clamp(max=self.size - 1), self.size) * known
        return given.float()


class Scores(nn.Module):
    """Scores the next symbol, from what was remembered and what is heard.

    Args:
        shape: of the input.
        hidden: width of what was remembered.
        heard: width of what is heard.
        head: width of the two layers in between.
        dropout: share of units that are silenced in training.
    """

    def __init__(self, shape: Shape, hidden: int, heard: int, head: int, dropout: float) -> None:
        super().__init__()
        self.shape = shape
        self.remembered, self.glimpse = nn.Linear(hidden, head), nn.Linear(heard, head, bias=False)
        self.between = nn.Linear(head, head)
        self.as_symbol = nn.Linear(head, shape.symbols + 1)
        self.as_interval = nn.Linear(head, 2 * WIDEST + 1)
        self.as_source = nn.Linear(head, shape.sources)
        self.dropout, self.locked = nn.Dropout(dropout), LockedDropout(dropout)
        for layer in (self.as_symbol, self.as_interval, self.as_source):
            nn.init.normal_(layer.weight, std=0.5 / math.sqrt(head))
            nn.init.zeros_(layer.bias)

    def forward(self, remembered: Tensor, heard: Tensor, told: Told) -> Tensor:
        """Return the logits of the symbols and of the stop: [B, T, S + 1]."""
        hidden = self.remembered(remembered) + self.glimpse(self.locked(heard))
        hidden = self.dropout(functional.gelu(hidden))
        hidden = hidden + self.dropout(functional.gelu(self.between(hidden)))
        intervals = functional.pad(self._intervals(self.as_interval(hidden), told.last), (2, 1))
        return self.as_symbol(hidden) + intervals + self._sources(self.as_source(hidden), told)

    def _intervals(self, scores: Tensor, last: Tensor) -> Tensor:
        """Move scores of intervals [B, T, 2 * WIDEST + 1] to the pitches [B, T, P] that they lead to."""
        pitches = torch.arange(self.shape.pitches, device=scores.device)
        interval = pitches - last[..., None] + WIDEST
        there = (interval >= 0) & (interval <= 2 * WIDEST) & (last[..., None] < self.shape.pitches)
        return torch.where(there, scores.gather(-1, interval.clamp(0, 2 * WIDEST)), 0.0)

    def _sources(self, scores: Tensor, told: Told) -> Tensor:
        """Add scores of sources [B, T, K] to the symbols that stand there: [B, T, S + 1]."""
        pitches = self.shape.pitches
        symbol = torch.where(told.struck > 0, told.source + 2, (told.source == pitches).long())  # hold 0, rest 1
        scores = torch.where(told.source <= pitches, scores, 0.0)
        zeros = torch.zeros((*scores.shape[:-1], self.shape.symbols + 1), dtype=scores.dtype, device=scores.device)
        return zeros.scatter_add(-1, symbol.clamp(max=self.shape.symbols), scores)


class PlainScores(nn.Module):
    """Scores the next symbol as a symbol alone, from what was remembered; arguments as `Scores`."""

    def __init__(self, shape: Shape, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.as_symbol = nn.Dropout(dropout), nn.Linear(hidden, shape.symbols + 1)

    def forward(self, remembered: Tensor, heard: Tensor, told: Told) -> Tensor:
        """Return the logits of the symbols and of the stop: [B, T, S + 1]."""
        logits: Tensor = self.as_symbol(self.dropout(remembered))
        return logits


# what the models do with it

def shape_of(pitches: int, steps_per_beat: int) -> Shape:
    """Return the shape for a range of so many semitones, on a grid of so many steps a quarter note."""
    return Shape(pitches, AGES, mark_sizes(steps_per_beat), SOURCES, AGREEMENTS)


def meter_of(grid: Grid) -> Meter:
    """Return the meter of a grid."""
    return Meter(grid.numerator, grid.denominator, grid.pickup_steps, grid.steps_per_beat)


def prepared_melody(symbols: npt.NDArray[np.int16], meter: Meter, pitches: int) -> Arrays:
    """Return what is told before each step of a melody and before its end, and what came: arrays [T + 1, ...]."""
    told = told_of(np.append(symbols, HOLD), meter, pitches)
    target = np.append(symbols, pitches + 2)
    return {name: values.astype(np.int16) for name, values in told.items()} | {"target": target.astype(np.int16)}


def example_of(prepared: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator | None, *, steps: int,
               transpose: int, pitches: int) -> Arrays:
    """Return a crop of ``steps`` steps, moved by up to ``transpose`` semitones; or the whole melody as it is.

    Arrays int64 [steps, ...]; beyond the end of a shorter melody the target is -1.
    """
    told = {name: values.astype(np.int64) for name, values in prepared.items() if name in (*Told._fields, "target")}
    if rng is None:
        return told
    told = transposed(told, _drawn(told["target"], transpose, pitches, rng), pitches)
    return crop(told, steps, rng)


def _drawn(target: npt.NDArray[np.int64], most: int, pitches: int, rng: np.random.Generator) -> int:
    """Draw by how many semitones a melody is moved, so that it stays in range."""
    onsets = target[(target >= 2) & (target < pitches + 2)] - 2
    if not most or not len(onsets):
        return 0
    low, high = max(-most, -int(onsets.min())), min(most, pitches - 1 - int(onsets.max()))
    return int(rng.integers(low, high + 1)) if low <= high else 0


def transposed(told: Arrays, semitones: int, pitches: int) -> Arrays:
    """Return what is told of a melody that is so many semitones higher."""
    moved = dict(told)
    for name in PITCHES_TOLD:
        moved[name] = np.where(told[name] < pitches, told[name] + semitones, told[name])
    target = told["target"]
    moved["target"] = np.where((target >= 2) & (target < pitches + 2), target + semitones, target)
    return moved


def told_in(batch: Mapping[str, Any]) -> Told:
    """Return what a batch of examples tells."""
    return Told(*[batch[name] for name in Told._fields])


def chances(logits: Tensor, before: Tensor, pitches: int) -> Tensor:
    """Return log-probabilities of symbols and the stop [..., S + 1]: nothing is held after a rest."""
    silent = (before >= pitches)[..., None]
    hold = logits[..., HOLD:HOLD + 1].masked_fill(silent, IMPOSSIBLE)
    return torch.cat([hold, logits[..., HOLD + 1:]], -1).log_softmax(-1)


def nats_of(network: nn.Module, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Return nats of each target, which are learned (the stop too), and where the likeliest was right: [B, T]."""
    told, target = told_in(batch), batch["target"]
    logits = network(told)
    exact = logits.float() if network.training else logits.double()
    found = chances(exact, told.before, network.shape.pitches)
    nats = -found.gather(-1, target.clamp(min=0)[..., None])[..., 0]
    return nats, target >= 0, found.argmax(-1) == target


def endings_of(network: nn.Module, symbols: npt.NDArray[np.int16], meter: Meter) -> npt.NDArray[np.float64]:
    """Return how likely a melody is to end after each of its steps, given those up to it: [steps]."""
    prepared = prepared_melody(symbols, meter, network.shape.pitches)
    batch = {name: torch.from_numpy(values.astype(np.int64))[None] for name, values in prepared.items()}
    with torch.inference_mode():
        told = told_in(batch)
        found = chances(network.eval()(told).double(), told.before, network.shape.pitches)
    ending: npt.NDArray[np.float64] = found[0, 1:, -1].exp().numpy()
    return ending


class ToldReader:
    """Reads melodies while they are written, for `componium.nn.filling`.

    Args:
        network: in evaluation mode.
        meter: of all of them.
        rows: how many there are.
    """

    def __init__(self, network: Any, meter: Meter, rows: int) -> None:
        self.network, self.pitches = network, network.shape.pitches
        self.device = next(network.parameters()).device
        self.listener = Listener(rows, meter, self.pitches)
        self.state = network.start(rows)
        self.found = torch.empty(0)
        self.begun = False

    def hear(self, symbols: Tensor) -> None:
        """Hear steps that are given of all melodies: symbols [rows, steps, 1]; those at the beginning at once."""
        told = []
        for step in range(symbols.shape[1]):
            told.append(self._told())
            self.listener.hear(symbols[:, step, 0].cpu().numpy())
        if told and not self.begun:
            self.state = self.network.heard(Told(*[torch.stack(each, 1) for each in zip(*told, strict=True)]))
        elif told:
            for each in told:
                _, self.state = self.network.step(self.state, each)
        self.begun = self.begun or bool(told)

    def step(self, step: int) -> None:
        """Be ready for the next step."""
        told = self._told()
        logits, self.state = self.network.step(self.state, told)
        self.found = chances(logits, told.before, self.pitches)
        self.begun = True

    def chances(self, voice: int) -> Tensor:
        """Return the log-probabilities that the melody goes on with each symbol: [rows, S]; the rest is `ending`."""
        return self.found[:, :-1]

    def write(self, voice: int, symbols: Tensor) -> None:
        """Hear what was chosen: [rows]."""
        self.listener.hear(symbols.cpu().numpy())

    def reorder(self, parents: Tensor) -> None:
        """Let each row go on as a copy of another: [rows]."""
        self.listener.reorder(parents.cpu().numpy())
        self.state = self.network.reorder(self.state, parents)
        self.found = self.found[parents] if len(self.found) else self.found

    def ending(self) -> Tensor:
        """Return how likely each melody is to end here, as log-probabilities: [rows]."""
        told = self._told()
        logits, _ = self.network.step(self.state, told)
        return chances(logits, told.before, self.pitches)[:, -1]

    def _told(self) -> Told:
        told = self.listener.told()
        return Told(*[torch.from_numpy(told[name]).to(self.device) for name in Told._fields])
