"""Melody LSTM: learns melodies and writes on, one sixteenth after another.

Idea: A recurrent network hears a melody step by step, in C major or A minor, and foresees what the next step will be:
a note, its going on, a rest, or the end. It is told where the step lies in its bar, and what stood at the places that
folk tunes come back to, so that a phrase can be repeated without being learned by heart.

Paper: V. Velardo, "Generating melodies with RNN-LSTM" (The Sound of AI, 2020), the course's system: a grid of 16ths,
one LSTM layer of 256. Here it is split by song, nothing but real steps is counted, songs are heard in crops
of up to twelve bars of 4/4, and repeats are pointed at (after the lookback of E. Waite's Melody RNN, 2016, and the
pointers of Vinyals et al. 2015).

Learns from: folk songs, tunes, melodies of pop songs, lead sheets; a hundred make a style, a thousand a good model. Of
scores with several parts, the melody is taken (`componium.music.melody_line`).

Good and bad at: phrases that answer each other, cadences and bar lines come from the data, and so do its lengths. It
knows no chords and no words, and plans no form beyond eight bars.

Trains and generates: by gradient (componium.training). A seed motif goes on with `continue`, `respond` answers a
phrase, and stop=on lets a new melody end where the model ends it.

Size and speed: 0.74 million weights at the defaults; 1,000 updates of 16 songs took 5 minutes on one core of a shared
computer, a step of composing costs about 2 ms however long the melody is, a hundred melodies of 8 bars together 1 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from componium.composers.melody.hearing import Hearing, Plain, PlainScores, Scores, Shape, Told, shape_of
from componium.composers.melody.listening import ListeningModel
from componium.interface import setting
from componium.nn.recurrent import LockedDropout, Memory, recurrent


@dataclass(frozen=True)
class MelodyLSTMConfig:
    """Settings of `MelodyLSTM`."""

    steps_per_beat: int = setting(4, "grid steps a quarter note: 4 = 16ths, 12 or 24 allow triplets")
    lowest: int = setting(43, "lowest MIDI pitch, after melodies were moved to C major or A minor")
    highest: int = setting(91, "highest MIDI pitch; what lies outside is folded into the range by octaves")
    hidden: int = setting(256, "width of the recurrent layers")
    layers: int = setting(1, "recurrent layers")
    head: int = setting(128, "width of the layers that score symbols")
    dropout: float = setting(0.4, "share of units that are silenced in training, 0 to 0.9")
    context_steps: int = setting(192, "length of a training example in grid steps")
    plain: bool = setting(False, "hear only the symbol before and score symbols as symbols, as the course does")
    transpose: int = setting(0, "melodies are also learned moved by up to so many semitones")
    lengths: tuple[float, ...] = setting((), "learn only melodies whose notes and rests all have one of these lengths "
                                             "in quarter notes; none = all melodies")


class MelodyLSTMNetwork(nn.Module):
    """Remembers with LSTM layers (Hochreiter and Schmidhuber 1997); a step costs the same however long the line is.

    Args:
        shape: of input and output.
        hidden: width of the recurrent layers.
        layers: how many.
        head: width of the scoring layers.
        dropout: share of units that are silenced in training.
        plain: whether only the symbol before is told and symbols are scored as symbols alone, as in the course.
    """

    def __init__(self, shape: Shape, *, hidden: int = 256, layers: int = 1, head: int = 128,
                 dropout: float = 0.4, plain: bool = False) -> None:
        super().__init__()
        self.shape, self.hidden = shape, hidden
        self.hearing = Plain(shape) if plain else Hearing(shape)
        self.inwards = nn.Linear(self.hearing.size, hidden)
        self.layers = nn.ModuleList(nn.LSTM(hidden, hidden, batch_first=True) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers + 1))
        self.locked = LockedDropout(dropout)
        self.scores = (PlainScores(shape, hidden, dropout) if plain
                       else Scores(shape, hidden, self.hearing.size, head, dropout))

    def forward(self, told: Told) -> Tensor:
        """Return the logits of every step of lines: [B, T, S + 1]."""
        return self._on(told, None)[0]

    def start(self, rows: int) -> list[Memory]:
        """Return the memory before the first step of so many lines."""
        empty = next(self.parameters()).new_zeros((1, rows, self.hidden))
        return [(empty, empty) for _ in self.layers]

    def heard(self, told: Told) -> list[Memory]:
        """Return the memory after steps [B, T, ...]."""
        return self._on(told, None)[1]

    def step(self, state: list[Memory], told: Told) -> tuple[Tensor, list[Memory]]:
        """Return the logits of one step [B, S + 1] and the memory after it; arguments [B, ...]."""
        logits, state = self._on(told.with_time(), state)
        return logits[:, 0], state

    @staticmethod
    def reorder(state: list[Memory], parents: Tensor) -> list[Memory]:
        """Return the memory in which row r goes on from what was row ``parents[r]``."""
        return [(hidden[:, parents], cell[:, parents]) for hidden, cell in state]

    def _on(self, told: Told, state: list[Memory] | None) -> tuple[Tensor, list[Memory]]:
        heard = self.hearing(told)
        hidden, after = self.inwards(self.locked(heard)), []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=False)):
            new, memory = recurrent(layer, self.locked(norm(hidden)), None if state is None else state[number])
            hidden = hidden + new
            after.append(memory)
        return self.scores(self.locked(self.norms[-1](hidden)), heard, told), after


class MelodyLSTM(ListeningModel):
    """Recurrent network over the steps of a melody."""

    name: ClassVar[str] = "melody-lstm"
    Config: ClassVar[type] = MelodyLSTMConfig

    def make_network(self) -> nn.Module:
        """Return the network of the settings."""
        given = self.config
        return MelodyLSTMNetwork(shape_of(self.pitches, given.steps_per_beat), hidden=given.hidden,
                                 layers=given.layers, head=given.head, dropout=given.dropout, plain=given.plain)
