"""Melody transformer: learns melodies and writes on, attending to all that came before.

Idea: Each step of a melody looks back at all earlier ones, weighs them by what they are and how far away they lie, and
foresees what comes next: a note, its going on, a rest, or the end. It never sees what it is to foresee.

Paper: Vaswani et al. 2017, "Attention Is All You Need", the decoder alone; the course (V. Velardo, The Sound of AI,
2023) trains an encoder and a decoder without masks, which see their answer, and draws greedily. Here attention is
causal, steps are told apart by rotation (Su et al. 2021), and melodies are drawn with a temperature.

Learns from: the same as `melody-lstm`: folk songs, tunes, melodies; a thousand make a good model.

Good and bad at: repeats and sequences, also over many bars, as it forgets nothing. On small corpora it needs as much
dropout as the LSTM and learns no faster. It knows no chords and no words.

Trains and generates: by gradient (componium.training), with the same inputs, abilities and arguments as `melody-lstm`.
What was attended to is kept, so that a step costs one look back.

Size and speed: 0.64 million weights at the defaults; 1,000 updates of 16 songs took some 10 minutes on one core of a
shared computer. A reply to a phrase of 8 seconds takes 0.16 s; longer melodies cost a little more a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from componium.composers.melody.hearing import Hearing, Plain, PlainScores, Scores, Shape, Told, shape_of
from componium.composers.melody.listening import ListeningModel
from componium.interface import setting
from componium.music.errors import BadInput
from componium.nn.recurrent import LockedDropout

Kept = tuple[Tensor, Tensor]
"""Keys and values that a layer of attention has kept: [B, heads, T, width of a head] twice."""


@dataclass(frozen=True)
class MelodyTransformerConfig:
    """Settings of `MelodyTransformer`."""

    steps_per_beat: int = setting(4, "grid steps a quarter note: 4 = 16ths, 12 or 24 allow triplets")
    lowest: int = setting(43, "lowest MIDI pitch, after melodies were moved to C major or A minor")
    highest: int = setting(91, "highest MIDI pitch; what lies outside is folded into the range by octaves")
    width: int = setting(128, "width of each step")
    layers: int = setting(3, "layers of attention")
    heads: int = setting(4, "heads of each layer; they share the width")
    inner: int = setting(384, "width between the two layers of each step")
    head: int = setting(128, "width of the layers that score symbols")
    dropout: float = setting(0.2, "share of units that are silenced in training, 0 to 0.9")
    context_steps: int = setting(192, "length of a training example in grid steps")
    plain: bool = setting(False, "hear only the symbol before and score symbols as symbols, as the course does")
    transpose: int = setting(0, "melodies are also learned moved by up to so many semitones")
    lengths: tuple[float, ...] = setting((), "learn only melodies whose notes and rests all have one of these lengths "
                                             "in quarter notes; none = all melodies")


class Attention(nn.Module):
    """A layer of a transformer: attention to this and the earlier steps, then two layers for each step alone.

    Where a step lies is told by rotation (Su et al. 2021): queries and keys are turned by angles that grow with the
    number of the step, so that their product depends on how far two steps are apart.

    Args:
        width: of each step.
        heads: of the attention.
        inner: width between the two layers.
        dropout: share of units that are silenced in training.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.share = heads, dropout
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inwards, self.outwards = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wider, self.narrower = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, kept: Kept | None, turns: Tensor) -> tuple[Tensor, Kept]:
        """Return steps [B, T, width] with what they found, and the keys and values of all steps so far.

        Args:
            hidden: the steps; after kept ones, a single step.
            kept: keys and values of the steps before.
            turns: [T, width of a head / 2] angles of these steps.
        """
        query, key, value = self.inwards(self.first(hidden)).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        query, key, value = (each.transpose(1, 2) for each in (_turned(query, turns), _turned(key, turns), value))
        if kept is not None:
            key, value = torch.cat([kept[0], key], 2), torch.cat([kept[1], value], 2)
        share = self.share if self.training else 0.0
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=kept is None, dropout_p=share)
        hidden = hidden + self.dropout(self.outwards(found.transpose(1, 2).flatten(-2)))
        inner = self.dropout(functional.gelu(self.wider(self.second(hidden))))
        return hidden + self.dropout(self.narrower(inner)), (key, value)


def _turned(values: Tensor, turns: Tensor) -> Tensor:
    """Turn pairs of values [B, T, heads, width of a head] by angles [T, width of a head / 2]."""
    cosine, sine = turns.cos()[:, None].to(values.dtype), turns.sin()[:, None].to(values.dtype)
    first, second = values.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


class MelodyTransformerNetwork(nn.Module):
    """Attends to all earlier steps of its line (Vaswani et al. 2017, the decoder alone, normalised before each part).

    Args:
        shape: of input and output.
        width: of each step.
        layers: how many.
        heads: of each layer.
        inner: width between the two layers of each step.
        head: width of the scoring layers.
        dropout: share of units that are silenced in training.
        slowest: the slowest angle turns once in 2 pi times so many steps.
        plain: whether only the symbol before is told and symbols are scored as symbols alone, as in the course.
    """

    speeds: Tensor
    """[width of a head / 2] by how much each pair turns from step to step."""

    def __init__(self, shape: Shape, *, width: int = 128, layers: int = 3, heads: int = 4, inner: int = 384,
                 head: int = 128, dropout: float = 0.2, slowest: float = 1000.0, plain: bool = False) -> None:
        super().__init__()
        self.shape, self.width, self.heads = shape, width, heads
        self.hearing = Plain(shape) if plain else Hearing(shape)
        self.inwards = nn.Linear(self.hearing.size, width)
        self.layers = nn.ModuleList(Attention(width, heads, inner, dropout) for _ in range(layers))
        self.norm, self.locked, self.dropout = nn.LayerNorm(width), LockedDropout(dropout), nn.Dropout(dropout)
        self.scores = (PlainScores(shape, width, dropout) if plain
                       else Scores(shape, width, self.hearing.size, head, dropout))
        pairs = width // heads // 2
        self.register_buffer("speeds", slowest ** -(torch.arange(pairs) / pairs), persistent=False)

    def forward(self, told: Told) -> Tensor:
        """Return the logits of every step of lines: [B, T, S + 1]."""
        return self._on(told, None)[0]

    def start(self, rows: int) -> list[Kept]:
        """Return the keys and values before the first step of so many lines: none."""
        empty = next(self.parameters()).new_zeros((rows, self.heads, 0, self.width // self.heads))
        return [(empty, empty) for _ in self.layers]

    def heard(self, told: Told) -> list[Kept]:
        """Return the keys and values of steps [B, T, ...]."""
        return self._on(told, None)[1]

    def step(self, state: list[Kept], told: Told) -> tuple[Tensor, list[Kept]]:
        """Return the logits of one step [B, S + 1] and the keys and values with its own; arguments [B, ...]."""
        logits, state = self._on(told.with_time(), state)
        return logits[:, 0], state

    @staticmethod
    def reorder(state: list[Kept], parents: Tensor) -> list[Kept]:
        """Return the keys and values in which row r goes on from what was row ``parents[r]``."""
        return [(key[parents], value[parents]) for key, value in state]

    def _on(self, told: Told, state: list[Kept] | None) -> tuple[Tensor, list[Kept]]:
        heard = self.hearing(told)
        hidden, after = self.inwards(self.locked(heard)), []
        first = 0 if state is None else state[0][0].shape[2]
        turns = torch.arange(first, first + heard.shape[1], device=heard.device)[:, None] * self.speeds
        for number, layer in enumerate(self.layers):
            hidden, kept = layer(hidden, None if state is None else state[number], turns)
            after.append(kept)
        return self.scores(self.dropout(self.norm(hidden)), heard, told), after


class MelodyTransformer(ListeningModel):
    """Causal transformer over the steps of a melody."""

    name: ClassVar[str] = "melody-transformer"
    Config: ClassVar[type] = MelodyTransformerConfig

    def _check(self) -> None:
        super()._check()
        if self.config.width % (2 * self.config.heads):
            raise BadInput(f"width={self.config.width}, heads={self.config.heads}: the width has to be a multiple of "
                           "twice the heads")

    def make_network(self) -> nn.Module:
        """Return the network of the settings."""
        given = self.config
        return MelodyTransformerNetwork(shape_of(self.pitches, given.steps_per_beat), width=given.width,
                                        layers=given.layers, heads=given.heads, inner=given.inner, head=given.head,
                                        dropout=given.dropout, plain=given.plain)
