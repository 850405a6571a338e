"""Reading a piece while it is being written: the network's state, kept, so that each note costs the same.

A reader holds many rows, each a version of a piece. `step` hears what was written in the step before, `chances` gives
the probabilities of a voice's symbol, `write` takes what was chosen, `reorder` lets rows go on as copies of others.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from componium.composers.chorale_rnn.bachbot import BachBotNetwork
from componium.composers.chorale_rnn.chances import IMPOSSIBLE, grammatical
from componium.composers.chorale_rnn.network import ChoraleNetwork
from componium.composers.chorale_rnn.views import Ints
from componium.tokens.bachbot import FERMATA, FIRST_NOTE, FRAME, START
from componium.tokens.grid import FIRST_PITCH, HOLD, REST

State = list[tuple[Tensor, Tensor]]


class GridReader:
    """Reads with a `ChoraleNetwork`.

    Args:
        network: in evaluation mode.
        marks: [rows, T, marks] of each step.
        joined: whether repeats are not told from holds.
    """

    def __init__(self, network: ChoraleNetwork, marks: Ints, *, joined: bool) -> None:
        self.network, self.shape = network, network.shape
        self.device = next(network.parameters()).device
        rows = len(marks)
        self.marks = torch.from_numpy(marks).to(self.device)
        self.joined, self._joined = joined, torch.tensor(joined, device=self.device)
        size = (rows, self.shape.voices)
        self.before = torch.full(size, self.shape.rest + 1, dtype=torch.int64, device=self.device)
        self.now = self.before.clone()
        self.age = torch.zeros(size, dtype=torch.int64, device=self.device)
        self.age_now = self.age.clone()
        self.struck = torch.zeros(size, dtype=torch.int64, device=self.device)
        self.state: State | None = None
        self.start = torch.empty(0)

    def step(self, step: int) -> None:
        """Hear the step before, and be ready for the voices of this one."""
        if step:
            self.before, self.age = self.now, self.age_now
            self.now, self.age_now, self.struck = self.now.clone(), self.age_now.clone(), self.struck.clone()
        place = self.marks[:, step:step + 1]
        seen = self.network.see(self.before[:, None], self.age[:, None], place)
        start, self.state = self.network.remember(seen, self.state)
        self.start = start[:, 0]

    def chances(self, voice: int) -> Tensor:
        """Return the log-probabilities of a voice's symbol in this step; [rows, S]."""
        logits = self.network.voice(voice, self.start[:, voice], self.before, self.now, self.struck)
        return grammatical(logits, self.before[:, voice], self.shape.pitches, joined=self._joined)

    def write(self, voice: int, symbols: Tensor) -> None:
        """Take what was chosen for a voice; [rows]. Where repeats are not told from holds, they are heard as holds."""
        before, pitch = self.before[:, voice], symbols - FIRST_PITCH
        if self.joined:
            symbols = torch.where(pitch == before, HOLD, symbols)
        now = torch.where(symbols == HOLD, before, torch.where(symbols == REST, self.shape.rest, pitch))
        goes_on = (symbols == HOLD) | ((symbols == REST) & (before == self.shape.rest))
        self.now[:, voice] = now
        self.age_now[:, voice] = torch.where(goes_on, self.age[:, voice] + 1, 0)
        self.struck[:, voice] = (symbols > REST).to(torch.int64)

    def reorder(self, parents: Tensor) -> None:
        """Let each row go on as a copy of another; [rows]."""
        for name in ("before", "now", "age", "age_now", "struck", "start", "marks"):
            setattr(self, name, getattr(self, name)[parents])
        if self.state is not None:
            self.state = [(h[:, parents], c[:, parents]) for h, c in self.state]


class BachBotReader:
    """Reads with a `BachBotNetwork`; what it foresees of notes is told as symbols of voices, high to low.

    A note that is tied is a hold of the voice that has it; notes above the voice before are left out, as are rests:
    the encoding tells of no voice that is silent, so that a rest is only written where it is given.

    Args:
        network: in evaluation mode.
        fermatas: [rows, T] bool, the steps with a fermata.
        pitches: how many pitches there are.
        voices: how many voices.
        joined: whether repeats are not told from holds.
    """

    def __init__(self, network: BachBotNetwork, fermatas: np.ndarray, pitches: int, voices: int, *,
                 joined: bool = False) -> None:
        self.network, self.pitches, self.voices = network, pitches, voices
        self.device = next(network.parameters()).device
        self.joined, self._joined = joined, torch.tensor(joined, device=self.device)
        self.fermatas = torch.from_numpy(fermatas).to(self.device)
        rows = len(fermatas)
        self.before = torch.full((rows, voices), pitches + 1, dtype=torch.int64, device=self.device)
        self.now = self.before.clone()
        self.state: State | None = None
        self.logits = torch.empty(0)
        self._push(torch.full((rows,), START, dtype=torch.int64, device=self.device))

    def step(self, step: int) -> None:
        """Close the frame before, and open this one."""
        if step:
            self._push(torch.full((len(self.now),), FRAME, dtype=torch.int64, device=self.device))
            self.before, self.now = self.now, self.now.clone()
        marked = self.fermatas[:, step]
        if bool(marked.any()):
            self._push(torch.full((len(self.now),), FERMATA, dtype=torch.int64, device=self.device), only=marked)

    def chances(self, voice: int) -> Tensor:
        """Return the log-probabilities of a voice's symbol in this step; [rows, S]."""
        notes = self.logits[:, FIRST_NOTE:].unflatten(-1, (self.pitches, 2))
        before = self.before[:, voice]
        tied = notes[..., 1].gather(-1, before.clamp(max=self.pitches - 1)[:, None])
        rest = self.logits[:, FRAME, None]
        new = notes[..., 0]
        if voice:
            above = self.now[:, voice - 1:voice]
            higher = torch.arange(self.pitches, device=self.device) > torch.where(above < self.pitches, above, 999)
            new = new.masked_fill(higher, IMPOSSIBLE)
        logits = torch.cat([tied, rest - 4.0, new], -1)
        return grammatical(logits, before, self.pitches, joined=self._joined)

    def write(self, voice: int, symbols: Tensor) -> None:
        """Take what was chosen for a voice; [rows]. Where repeats are not told from holds, they are heard as holds."""
        before = self.before[:, voice]
        if self.joined:
            symbols = torch.where(symbols - FIRST_PITCH == before, HOLD, symbols)
        sounding = torch.where(symbols == HOLD, before, symbols - FIRST_PITCH)
        self.now[:, voice] = torch.where(symbols == REST, self.pitches, sounding)
        token = FIRST_NOTE + 2 * sounding + (symbols == HOLD).to(torch.int64)
        self._push(token.clamp(min=0), only=symbols != REST)

    def reorder(self, parents: Tensor) -> None:
        """Let each row go on as a copy of another; [rows]."""
        for name in ("before", "now", "logits", "fermatas"):
            setattr(self, name, getattr(self, name)[parents])
        assert self.state is not None
        self.state = [(h[:, parents], c[:, parents]) for h, c in self.state]

    def _push(self, tokens: Tensor, only: Tensor | None = None) -> None:
        """Hear one token in each row, or in some rows only."""
        logits, state = self.network(tokens[:, None], self.state)
        if only is None or self.state is None or bool(only.all()):
            self.logits, self.state = logits[:, 0], state
            return
        self.logits = torch.where(only[:, None], logits[:, 0], self.logits)
        kept = only[None, :, None]
        self.state = [(torch.where(kept, h, old_h), torch.where(kept, c, old_c))
                      for (h, c), (old_h, old_c) in zip(state, self.state, strict=True)]
