"""The network that reads a grid step by step and writes each step voice by voice.

A recurrent network hears whole steps: what sounded in the step before, for how long, and where in beat, bar and
phrase the next step lies. What it remembers then goes to one small head a voice, which also sees what the higher
voices have just been given. So a step costs one recurrent update and as many heads as there are voices, however long
the piece is.

Each head scores a pitch in three ways at once: as a pitch, as an interval from the voice's own last note, and as an
interval from the voice above. The last two are what a piece in another key has in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from componium.nn.recurrent import LockedDropout, recurrent

WIDEST = 24
"""Intervals up to this many semitones are scored as intervals."""
PLACE_SIZE = 16
"""Width of the code of each mark of a place."""
PITCH_SIZE, AGE_SIZE = 32, 8


@dataclass(frozen=True)
class Shape:
    """The sizes of a `ChoraleNetwork`.

    Attributes:
        voices: V, high to low.
        pitches: P, semitones from the lowest pitch to the highest.
        ages: longest age of a note that is told apart, in steps.
        places: how many values each mark of a place has.
        hidden: width of the recurrent layers.
        layers: recurrent layers.
        head: width of the heads.
        dropout: share of units that are silenced in training.
    """

    voices: int
    pitches: int
    ages: int
    places: tuple[int, ...]
    hidden: int
    layers: int
    head: int
    dropout: float

    @property
    def symbols(self) -> int:
        """S: hold, rest, and the pitches."""
        return self.pitches + 2

    @property
    def rest(self) -> int:
        """What stands for a silent voice among the pitches 0 to P - 1; the next number: before the beginning."""
        return self.pitches


class ChoraleNetwork(nn.Module):
    """Predicts every cell of a grid from the steps before it and the higher voices of its own step."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        voices, hidden, head = shape.voices, shape.hidden, shape.head
        self.pitch = nn.Embedding(shape.pitches + 2, PITCH_SIZE)
        self.age = nn.Embedding(shape.ages + 1, AGE_SIZE)
        self.places = nn.ModuleList(nn.Embedding(size, PLACE_SIZE) for size in shape.places)
        seen = voices * (PITCH_SIZE + AGE_SIZE) + PLACE_SIZE * len(shape.places) + voices * (voices + 1) // 2
        self.inwards = nn.Linear(seen, hidden)
        self.layers = nn.ModuleList(nn.LSTM(hidden, hidden, batch_first=True) for _ in range(shape.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(shape.layers + 1))
        self.dropout, self.locked = nn.Dropout(shape.dropout), LockedDropout(shape.dropout)
        self.remembered = nn.Linear(hidden, voices * head)
        self.glimpse = nn.Linear(seen, voices * head, bias=False)
        self.higher = nn.ModuleList(nn.Linear(v * (PITCH_SIZE + 1), head, bias=False) for v in range(1, voices))
        self.between = nn.ModuleList(nn.Linear(head, head) for _ in range(voices))
        self.as_pitch = nn.ModuleList(nn.Linear(head, shape.symbols) for _ in range(voices))
        self.as_interval = nn.ModuleList(nn.Linear(head, 2 * (2 * WIDEST + 1)) for _ in range(voices))
        for layer in (*self.as_pitch, *self.as_interval):
            nn.init.normal_(layer.weight, std=0.5 / math.sqrt(head))
            nn.init.zeros_(layer.bias)

    def see(self, before: Tensor, age: Tensor, place: Tensor) -> Tensor:
        """Return what is seen before a step is written: [B, T, features].

        Args:
            before: [B, T, V] pitch that sounded in the step before (`Shape.rest`: none; the next number: nothing yet).
            age: [B, T, V] steps since its onset.
            place: [B, T, marks] where the step to be written lies.
        """
        height = (before - self.shape.pitches / 2) / 12
        height = torch.where(before < self.shape.rest, height, 0.0)
        pairs = [height[..., high] - height[..., low] for low in range(self.shape.voices) for high in range(low)]
        heights = torch.stack([*height.unbind(-1), *pairs], -1)
        marks = [table(place[..., number]) for number, table in enumerate(self.places)]
        age = age.clamp(max=self.shape.ages)
        return torch.cat([self.pitch(before).flatten(-2), self.age(age).flatten(-2), *marks, heights], -1)

    def remember(self, seen: Tensor, state: list[tuple[Tensor, Tensor]] | None = None) -> tuple[
            Tensor, list[tuple[Tensor, Tensor]]]:
        """Hear steps [B, T, features]; return what the heads start from [B, T, V, head], and the state after."""
        heard = self.inwards(self.locked(seen))
        after = []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=False)):
            new, memory = recurrent(layer, self.locked(norm(heard)), None if state is None else state[number])
            heard = heard + new
            after.append(memory)
        start = self.remembered(self.locked(self.norms[-1](heard))) + self.glimpse(self.dropout(seen))
        return start.unflatten(-1, (self.shape.voices, self.shape.head)), after

    def voice(self, voice: int, start: Tensor, before: Tensor, now: Tensor, struck: Tensor) -> Tensor:
        """Return the logits of one voice's symbol, [..., S].

        Args:
            voice: which.
            start: [..., head] of `remember`.
            before: [..., V] pitches of the step before.
            now: [..., >= voice] pitches of this step, of at least the higher voices.
            struck: [..., >= voice] 1 where they begin in this step, else 0.
        """
        hidden = start
        if voice:
            higher = torch.cat([self.pitch(now[..., :voice]), struck[..., :voice, None].to(start.dtype)], -1)
            hidden = hidden + self.higher[voice - 1](higher.flatten(-2))
        hidden = self.dropout(functional.gelu(hidden))
        hidden = hidden + self.dropout(functional.gelu(self.between[voice](hidden)))
        own, other = self.as_interval[voice](hidden).chunk(2, -1)
        beside = now[..., voice - 1] if voice else before[..., -1]
        intervals = self._placed(own, before[..., voice]) + self._placed(other, beside)
        return self.as_pitch[voice](hidden) + functional.pad(intervals, (2, 0))

    def forward(self, before: Tensor, age: Tensor, place: Tensor, now: Tensor, struck: Tensor) -> Tensor:
        """Return the logits of all cells where what is written is known: [B, T, V, S]; arguments as above."""
        start, _ = self.remember(self.see(before, age, place))
        return torch.stack([self.voice(voice, start[..., voice, :], before, now, struck)
                            for voice in range(self.shape.voices)], -2)

    def _placed(self, scores: Tensor, reference: Tensor) -> Tensor:
        """Move scores of intervals [..., 2 * WIDEST + 1] to the pitches [..., P] that they lead to from a reference."""
        pitches = torch.arange(self.shape.pitches, device=scores.device)
        interval = pitches - reference[..., None] + WIDEST
        there = (interval >= 0) & (interval <= 2 * WIDEST) & (reference[..., None] < self.shape.rest)
        return torch.where(there, scores.gather(-1, interval.clamp(0, 2 * WIDEST)), 0.0)
