"""Melody RNN: Magenta's recurrent networks over melodies, in their four configurations, which answer a player.

Idea: Two recurrent layers foresee what a melody does in the next sixteenth: begin a note, end it, or go on. The
configurations differ in what they are told: basic and mono the event before, lookback also what followed one and two
bars ago, attention how the melody moves and in which keys it is; its first layer looks back at its last 40 steps.

Paper: E. Waite, "Generating Long-Term Structure in Songs and Stories" (Magenta, 2016); attention after Bahdanau, Cho &
Bengio 2014. Answers follow the rules of AI Duet (Y. Mann, Google Creative Lab, 2016). The encodings are
`componium.tokens.melody`, and equal note-seq's event for event.

Learns from: melodies on a grid of 16ths; its authors had thousands of MIDI files, the model shipped here learned from
3,100 dance tunes. Bars of 4/4 fit it best: it counts sixteen steps a bar in every meter.

Good and bad at: playing along: it answers at once, and in the key of the call (mono does not keep it). Repeats and
sequences are in reach of lookback and attention; the end of a melody it does not know, nor the bars of 3/4 and 6/8.

Trains and generates: by gradient (componium.training); the recipe of each configuration has the published settings,
Adam and a dropout of a half. A label that says "as one bar ago" is added to the event that it means, so that figures
count events and not ways to write them.

Size and speed: 0.22 (basic) to 0.34 million weights (attention), as published. An update of 64 crops of eight bars
takes 0.14 s on one core, 0.7 s with attention; the first note of a reply to 8 seconds 10 to 30 ms, all of it 0.1 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from componium.composers.melody.lines import crop
from componium.composers.melody.model import MelodyModel
from componium.interface import Arrays, setting
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.nn.recurrent import Memory, recurrent
from componium.tokens.grid import HOLD, REST, GridTokens
from componium.tokens.melody import (
    NO_EVENT,
    NOTE_OFF,
    KeyMelody,
    Lookback,
    OneHot,
    events_from_symbols,
    sounding,
)
from componium.tokens.melody_lookback import at_distances

CONFIGURATIONS = ("basic", "mono", "lookback", "attention")
STEPS_PER_BEAT = 4
LOUDEST = 100.0
"""Bound of what an attentive layer says, which it hears again, so that it stays finite over thousands of steps."""
Encoding = OneHot | Lookback | KeyMelody


@dataclass(frozen=True)
class MelodyRNNConfig:
    """Settings of `MelodyRNN`."""

    configuration: str = setting("attention", "what it is told: basic, mono (all keys and pitches as they come), "
                                              "lookback or attention", CONFIGURATIONS)
    lowest: int = setting(48, "lowest MIDI pitch, after melodies were moved to C major or A minor; not for mono")
    highest: int = setting(83, "highest MIDI pitch; what lies outside is folded into the range by octaves; not for "
                               "mono")
    hidden: int = setting(128, "width of the recurrent layers")
    layers: int = setting(2, "recurrent layers")
    attention_steps: int = setting(40, "how many steps configuration=attention looks back at")
    dropout: float = setting(0.5, "share of units that are silenced in training, 0 to 0.9")
    context_steps: int = setting(128, "length of a training example in grid steps")
    lengths: tuple[float, ...] = setting((), "learn only melodies whose notes and rests all have one of these lengths "
                                             "in quarter notes; none = all melodies")


# the network, from small to large

class AttentiveLSTM(nn.Module):
    """An LSTM layer that looks back at what it said in its last steps (Bahdanau et al. 2014, as in Magenta's wrapper).

    Args:
        inputs: width of a step's input.
        hidden: width of the layer.
        steps: how many steps it looks back at; before the first, zeros are seen.
    """

    def __init__(self, inputs: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.hidden, self.steps = hidden, steps
        self.merge = nn.Linear(inputs + hidden, inputs)
        self.cell = nn.LSTMCell(inputs, hidden)
        self.query = nn.Linear(2 * hidden, hidden)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.out = nn.Linear(2 * hidden, hidden)

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """Return hidden, cell, what was seen [rows, hidden]; what was said, and its keys [rows, steps, hidden]."""
        zeros = self.out.weight.new_zeros
        return (*(zeros(rows, self.hidden) for _ in range(3)), *(zeros(rows, self.steps, self.hidden) for _ in "sk"))

    def forward(self, told: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what is said in steps [B, T, hidden] of inputs [B, T, inputs], and the state after them."""
        hidden, cell, seen, said, keys = state
        fixed = functional.linear(told, self.merge.weight[:, :told.shape[-1]], self.merge.bias)  # the part of the input
        moving = self.merge.weight[:, told.shape[-1]:]
        outputs = []
        for step in range(told.shape[1]):
            hidden, cell = self.cell(fixed[:, step] + functional.linear(seen, moving), (hidden, cell))
            query = self.query(torch.cat([cell, hidden], -1))
            shares = (torch.tanh(keys + query[:, None]) @ self.score.weight[0]).softmax(1)  # [B, steps]
            seen = torch.bmm(shares[:, None], said)[:, 0]
            output = self.out(torch.cat([hidden, seen], -1)).clamp(-LOUDEST, LOUDEST)
            said = torch.cat([said[:, 1:], output[:, None]], 1)
            keys = torch.cat([keys[:, 1:], self.key(output)[:, None]], 1)
            outputs.append(output)
        return torch.stack(outputs, 1), (hidden, cell, seen, said, keys)


def draw_weights(network: nn.Module) -> None:
    """Draw weights as the original's framework does, in place: Glorot and Bengio 2010; cells begin by remembering.

    With the smaller weights that torch draws, a chain of merging, remembering and looking back hardly learns at first.
    """
    for module in network.modules():
        for name, value in module.named_parameters(recurse=False):
            if name.startswith("weight"):
                nn.init.xavier_uniform_(value)
            else:
                nn.init.zeros_(value)
        if isinstance(module, nn.LSTM | nn.LSTMCell):
            for name, value in module.named_parameters(recurse=False):
                if name.startswith("bias_ih"):  # gates: in, forget, candidate, out
                    value.data[module.hidden_size:2 * module.hidden_size] = 1.0


class MelodyRNNNetwork(nn.Module):
    """Recurrent layers, and a score for each label.

    Args:
        inputs: width of a step's input.
        labels: how many labels there are.
        hidden: width of the layers.
        layers: how many.
        dropout: share of each layer's output that is silenced in training.
        attention_steps: how many steps the first layer looks back at; 0 for none.
    """

    def __init__(self, inputs: int, labels: int, *, hidden: int, layers: int, dropout: float,
                 attention_steps: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.attentive = AttentiveLSTM(inputs, hidden, attention_steps) if attention_steps else None
        widths = [hidden if number or attention_steps else inputs for number in range(layers)]
        self.layers = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True)
                                    for width in widths[bool(attention_steps):])
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(hidden, labels)
        draw_weights(self)

    def start(self, rows: int) -> list[tuple[Tensor, ...]]:
        """Return the memory before the first step of so many melodies, layer by layer."""
        empty = self.scores.weight.new_zeros((1, rows, self.hidden))
        first = [] if self.attentive is None else [self.attentive.start(rows)]
        return [*first, *((empty, empty) for _ in self.layers)]

    def forward(self, told: Tensor, state: list[tuple[Tensor, ...]] | None = None) -> tuple[
            Tensor, list[tuple[Tensor, ...]]]:
        """Return the logits of the labels [B, T, labels] of inputs [B, T, inputs], and the memory after them."""
        state = self.start(len(told)) if state is None else list(state)
        hidden, after = told, []
        if self.attentive is not None:
            hidden, memory = self.attentive(hidden, state.pop(0))
            hidden = self.dropout(hidden)
            after.append(memory)
        for layer, before in zip(self.layers, state, strict=True):
            kept: Memory = before  # type: ignore[assignment]
            hidden, kept = recurrent(layer, hidden, kept)
            hidden = self.dropout(hidden)
            after.append(kept)
        return self.scores(hidden), after

    def reorder(self, state: list[tuple[Tensor, ...]], parents: Tensor) -> list[tuple[Tensor, ...]]:
        """Return the memory in which row r goes on from what was row ``parents[r]``."""
        first = [] if self.attentive is None else [tuple(each[parents] for each in state[0])]
        return [*first, *(tuple(each[:, parents] for each in memory) for memory in state[len(first):])]


def class_of_symbols(encoding: Encoding) -> npt.NDArray[np.int64]:
    """Return the class of each symbol (hold, rest, the pitches) in an encoding; `KeyMelody` has its pitches first."""
    classes = np.arange(encoding.classes)
    return np.roll(classes, 2) if isinstance(encoding, KeyMelody) else classes


def event_chances(logits: Tensor, meant: Tensor, silent: Tensor, of_symbols: Tensor) -> Tensor:
    """Return log-probabilities of symbols, hold, rest and the pitches: [..., S].

    A label that repeats is added to what it means; in silence, what goes on and what ends are both a rest.

    Args:
        logits: [..., labels].
        meant: [..., labels - S] the class that each repeat means.
        silent: [...] whether nothing sounds before the step.
        of_symbols: [S] the class of each symbol.
    """
    chances, classes = logits.softmax(-1), len(of_symbols)
    plain = chances[..., :classes]
    for number in range(meant.shape[-1]):
        plain = plain.scatter_add(-1, meant[..., number:number + 1], chances[..., classes + number, None])
    plain = plain[..., of_symbols]
    hold, rest = plain[..., HOLD], plain[..., REST]
    special = torch.stack([torch.where(silent, 0.0, hold), torch.where(silent, hold + rest, rest)], -1)
    return torch.cat([special, plain[..., REST + 1:]], -1).clamp(min=1e-30).log()


class MelodyReader:
    """Reads melodies while they are written, for `componium.nn.filling`.

    Args:
        network: in evaluation mode.
        encoding: what it is told.
        rows: how many melodies.
    """

    def __init__(self, network: MelodyRNNNetwork, encoding: Encoding, rows: int) -> None:
        self.network, self.encoding = network, encoding
        self.device = network.scores.weight.device
        self.of_symbols = torch.from_numpy(class_of_symbols(encoding)).to(self.device)
        self.heard = encoding.start(rows)
        self.state = network.start(rows)
        self.sounds = np.full(rows, False)
        self.told = torch.zeros((rows, encoding.input_size), device=self.device)
        self.found = torch.empty(0)

    def hear(self, symbols: Tensor) -> None:
        """Hear steps that are given of all melodies at once: symbols [rows, steps, 1]."""
        told = []
        for step in range(symbols.shape[1]):
            told.append(self.told)
            self.write(0, symbols[:, step, 0])
        if told:
            _, self.state = self.network(torch.stack(told, 1), self.state)

    def step(self, step: int) -> None:
        """Be ready for the next step."""
        logits, self.state = self.network(self.told[:, None], self.state)
        meant = torch.from_numpy(self.encoding.repeats(self.heard)).to(self.device)
        silent = torch.from_numpy(~self.sounds).to(self.device)
        self.found = event_chances(logits[:, 0], meant, silent, self.of_symbols)

    def chances(self, voice: int) -> Tensor:
        """Return the log-probabilities of the next symbol: [rows, S]."""
        return self.found

    def write(self, voice: int, symbols: Tensor) -> None:
        """Hear what was chosen: [rows]."""
        given = symbols.cpu().numpy()
        quiet = np.where(self.sounds, NOTE_OFF, NO_EVENT)
        events = np.where(given == HOLD, NO_EVENT, np.where(given == REST, quiet, given - 2 + self.encoding.lowest))
        self.sounds = np.where(given == HOLD, self.sounds, given != REST)
        self.told = torch.from_numpy(self.encoding.advance(self.heard, events)).to(self.device)

    def reorder(self, parents: Tensor) -> None:
        """Let each row go on as a copy of another: [rows]."""
        rows = parents.cpu().numpy()
        self.heard.reorder(rows)
        self.sounds, self.told = self.sounds[rows], self.told[parents]
        self.state = self.network.reorder(self.state, parents)
        self.found = self.found[parents] if len(self.found) else self.found


class MelodyRNN(MelodyModel):
    """Magenta's Melody RNN."""

    name: ClassVar[str] = "melody-rnn"
    Config: ClassVar[type] = MelodyRNNConfig
    prepares_with: ClassVar[tuple[str, ...]] = ("configuration", "lowest", "highest", "lengths")

    def _check(self) -> None:
        if self.config.configuration not in CONFIGURATIONS:
            raise BadInput(f"configuration={self.config.configuration}: it is one of {', '.join(CONFIGURATIONS)}")
        super()._check()
        mono = self.config.configuration == "mono"
        lowest, highest = (0, 127) if mono else (self.config.lowest, self.config.highest)
        self.encoding: Encoding = {"lookback": Lookback, "attention": KeyMelody}.get(
            self.config.configuration, OneHot)(lowest, highest)

    def make_tokens(self) -> GridTokens:
        """Return the symbols of its grid: 16ths, as in the original."""
        return GridTokens(1, self.encoding.lowest, self.encoding.highest, STEPS_PER_BEAT)

    @property
    def normalised(self) -> bool:
        """Whether it hears every melody in C major or A minor: all but mono do."""
        return bool(self.config.configuration != "mono")

    def make_network(self) -> MelodyRNNNetwork:
        """Return the network of the settings."""
        given = self.config
        attentive = given.attention_steps if given.configuration == "attention" else 0
        return MelodyRNNNetwork(self.encoding.input_size, self.encoding.size, hidden=given.hidden, layers=given.layers,
                                dropout=given.dropout, attention_steps=attentive)

    # learning

    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return a crop of what is told, what came, and what repeats mean; or the whole melody."""
        events = events_from_symbols(prepared["symbols"], self.tokens)
        encoding, of_symbols = self.encoding, class_of_symbols(self.encoding)
        came = OneHot(encoding.lowest, encoding.highest).labels(events)
        told = np.zeros((len(events), encoding.input_size), np.float32)
        told[1:] = encoding.inputs(events)[:-1]
        distances = getattr(encoding, "distances", ())
        meant = (at_distances(of_symbols[came], distances, int(of_symbols[HOLD])) if distances
                 else np.zeros((len(came), 0), np.int64))
        silent = np.append(True, sounding(events)[:-1] < 0)
        target = np.where(silent & (came == 0), REST, came)
        arrays = {"told": told, "labels": encoding.labels(events), "meant": meant, "silent": silent, "target": target}
        if rng is None:
            return arrays
        return crop(arrays, self.config.context_steps, rng)

    def nats(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Return nats a step, what counts, and where the likeliest was right: each [B, T]."""
        logits, _ = self.network(batch["told"])
        target = batch["target"]
        if self.network.training:  # as published: the labels, with their repeats
            labels = batch["labels"]
            nats = functional.cross_entropy(logits.float().transpose(1, 2), labels.clamp(min=0), reduction="none")
            return nats, labels >= 0, logits.argmax(-1) == labels
        of_symbols = torch.from_numpy(class_of_symbols(self.encoding)).to(logits.device)
        found = event_chances(logits.double(), batch["meant"], batch["silent"], of_symbols)
        nats = -found.gather(-1, target.clamp(min=0)[..., None])[..., 0]
        return nats, target >= 0, found.argmax(-1) == target

    # writing

    def reader(self, grid: Grid, rows: int) -> MelodyReader:
        """Return what reads so many versions of a grid while they are written."""
        return MelodyReader(self.network.eval(), self.encoding, rows)
