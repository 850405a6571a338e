"""Filling the open cells of grids: one cell after another, under what is given and what is allowed.

Every way of composing is this: nothing given (a new piece), the beginning given (a continuation), some voices given
(a harmonisation), everything but a passage given (an infill). Several versions of each piece may grow side by side.
Their weights say how well they foresaw what was given; from time to time the better ones take the place of the worse
(a particle filter: Gordon, Salmond and Smith 1993; Del Moral 1996), and of those that are left the likeliest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from componium.music.errors import BadInput
from componium.nn.samplers import Sampling, Uniforms, beam, draw, effective_size, resample, shaped, taken
from componium.tokens.automata import Automaton
from componium.tokens.grid import FIRST_PITCH, HOLD

METHODS = ("sample", "greedy", "beam")
RECENT_NOTES = 4
"""How many of a voice's last notes `Sampling.repetition` makes less likely."""
FAULT_NATS = 8.0
"""How much less likely a version counts for each parallel that what is given forces on it."""
ABSENT = -1e18
"""The score of a version of a beam that is not there yet; far below what any real one can have."""

Ints = npt.NDArray[np.int64]
Leading = Callable[[int, Tensor, Tensor, int], Tensor]
"""Called with a voice, the pitches [rows, V] of the step before and of this one (from 0; -1: not known yet) and how
many pitches there are; tells which symbols [rows, S] would lead the voice badly."""


class Reader(Protocol):
    """Reads pieces while they are being written: a network's state, kept, so that each cell costs the same.

    It holds many rows, each a version of a piece. A reader that also has ``hear`` is told the steps that are given at
    the beginning of all pieces at once; one that has ``ending`` is asked at the end how likely it is to end there.

    Attributes:
        device: where its tensors are.
    """

    device: Any

    def step(self, step: int) -> None:
        """Hear the step before, and be ready for the voices of this one."""
        ...

    def chances(self, voice: int) -> Tensor:
        """Return the log-probabilities of a voice's symbol in this step; [rows, S]."""
        ...

    def write(self, voice: int, symbols: Tensor) -> None:
        """Take what was chosen for a voice; [rows]."""
        ...

    def reorder(self, parents: Tensor) -> None:
        """Let each row go on as a copy of another; [rows]."""
        ...


class VoicesReader(Reader, Protocol):
    """A reader that also says what sounds: needed to lead voices (`Way.leading`), and where notes are ``joined``.

    Attributes:
        joined: whether repeated notes are not told from held ones.
        before: [rows, V] pitches that sounded in the step before, from 0; as many as there are, or more: silent.
        now: [rows, V] pitches of this step, in the same way.
    """

    joined: bool
    before: Tensor
    now: Tensor


@dataclass(frozen=True)
class Task:
    """One piece to fill.

    Attributes:
        automaton: tells what each cell may be; given cells have one choice.
        seed: of its random numbers.
        known: [steps, voices] pitches, from 0, of the cells that are given; -1 elsewhere.
    """

    automaton: Automaton
    seed: int
    known: Ints


@dataclass(frozen=True)
class Filled:
    """A filled piece.

    Attributes:
        symbols: [steps, voices].
        log_probabilities: [steps, voices] of each symbol, in nats, before any shaping; 0 where it was heard at once.
    """

    symbols: Ints
    log_probabilities: np.ndarray


@dataclass(frozen=True)
class Way:
    """How to fill: by which method, with how many versions of each piece, how to draw.

    Attributes:
        method: one of `METHODS`.
        candidates: versions of each piece.
        leading: tells what leads a voice badly, and is avoided where something else is allowed; None = nothing does.
            It takes a `VoicesReader`.
        sampling: how to draw.
        beat_steps: steps between two moments at which versions are compared.
    """

    method: str = "sample"
    candidates: int = 1
    leading: Leading | None = None
    sampling: Sampling = field(default_factory=Sampling)
    beat_steps: int = 4

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadInput(f"method={self.method}: the method is one of {', '.join(METHODS)}")
        if not 1 <= self.candidates <= 512:
            raise BadInput(f"candidates={self.candidates}: between 1 and 512 versions can be weighed")

    @property
    def versions(self) -> int:
        """How many versions of each piece grow side by side."""
        return 1 if self.method == "greedy" else self.candidates


class Filling:
    """The versions of several pieces while they are being filled.

    Args:
        tasks: the pieces; of those of other lengths the longest counts, what lies beyond a piece's end is free. An
            automaton may know of more steps than its task has cells: those are not filled.
        reader: with ``len(tasks) * way.candidates`` rows, those of one piece one after another.
        voices: how many voices.
        way: how to fill.
    """

    def __init__(self, tasks: Sequence[Task], reader: Reader, voices: int, way: Way) -> None:
        self.tasks, self.voices, self.way = tasks, voices, way
        self.reader: Any = reader
        self.joined = bool(getattr(reader, "joined", False))
        self.versions = way.versions
        self.lengths = np.array([len(task.known) for task in tasks])
        self.groups = _alike(tasks, self.versions)
        self.states = [automaton.start(len(rows)) for automaton, rows, _ in self.groups]
        self.score = torch.zeros(len(tasks), self.versions, dtype=torch.float64)
        if way.method == "beam":
            self.score[:, 1:] = -torch.inf
        self.weight = torch.zeros_like(self.score)
        seeds = [[task.seed, version] for task in tasks for version in range(self.versions)]
        self.uniforms = Uniforms(seeds) if way.method == "sample" else None  # type: ignore[arg-type]
        self.choices = Uniforms([[task.seed, self.versions] for task in tasks])  # type: ignore[arg-type]
        steps = int(self.lengths.max())
        known = [np.pad(task.known, ((0, steps - len(task.known)), (0, 0)), constant_values=-1) for task in tasks]
        self.known = torch.from_numpy(np.repeat(np.stack(known), self.versions, 0))
        self.recent = torch.full((voices, len(seeds), RECENT_NOTES), -1, dtype=torch.int64)
        self.history: list[tuple[Tensor | None, Tensor, Tensor]] = []

    def run(self, progress: Callable[[float, str], None]) -> list[Filled]:
        """Fill everything."""
        steps = int(self.lengths.max())
        with torch.inference_mode():
            for step in range(self._heard_at_once(), steps):
                if step % self.way.beat_steps == 0:
                    progress(step / steps, "composing")
                    self._resample(step)
                self.reader.step(step)
                for voice in range(self.voices):
                    self._cell(step, voice)
            if hasattr(self.reader, "ending") and self.way.method == "sample":
                self.score += self.reader.ending().cpu().double().view(self.score.shape)
        progress(1.0, "composed")
        return self._chosen()

    def _heard_at_once(self) -> int:
        """Let a reader that can hear the steps that are given at the beginning of all pieces; return how many.

        As many random numbers are passed over as step by step, so that this changes nothing but the speed.
        """
        if not hasattr(self.reader, "hear"):
            return 0
        open_steps = (self.known < 0).any(-1).any(0)
        given = int(open_steps.to(torch.uint8).argmax()) if bool(open_steps.any()) else len(open_steps)
        given = min(given, int(self.lengths.min()))
        for step in range(given):
            if step % self.way.beat_steps == 0:
                self._resample(step)  # which leaves them as they are: nobody has chosen yet
            for voice in range(self.voices):
                if self.uniforms is not None:
                    self.uniforms.next()
                shape = torch.Size((len(self.recent[voice]), self.groups[0][0].size))
                symbols = self._allowed(step, voice, shape).to(torch.uint8).argmax(-1)
                self._advance(step, voice, symbols)
                self.history.append((None, symbols, torch.zeros(len(symbols), dtype=torch.float64)))
        if given:
            told = torch.stack([symbols for _, symbols, _ in self.history], 1).unflatten(1, (given, self.voices))
            self.reader.hear(told.to(self.reader.device))
        return given

    def _cell(self, step: int, voice: int) -> None:
        chances = self.reader.chances(voice).cpu().double()
        allowed = self._allowed(step, voice, chances.shape)
        if self.joined:
            chances = self._struck_again(voice, chances, allowed)
        faults = torch.zeros(self.score.shape, dtype=torch.float64)
        if self.way.leading is not None and step:
            allowed, faults = self._led(step, voice, allowed, self.way.leading)
        parents = None
        if self.way.method == "beam":
            live = torch.from_numpy(np.repeat(step < self.lengths, self.versions))[:, None]
            scored = chances.masked_fill(~allowed, -torch.inf) - faults.view(-1, 1)
            ended = torch.full_like(scored, -torch.inf)
            ended[:, 1] = 0.0  # beyond its end a piece rests, which costs nothing
            scored = torch.where(live, scored, ended)
            parents, symbols = self._beam(scored)
            chances = chances[parents]
            self.reader.reorder(parents.to(self.reader.device))
            self._reorder_states(parents)
        else:
            symbols = self._drawn(voice, chances, allowed)
        told = taken(chances, symbols)
        inside = torch.from_numpy(step < self.lengths)[:, None]
        if parents is None:
            self.score += torch.where(inside, told.view(self.score.shape) - faults, 0.0)
            open_mass = chances.masked_fill(~allowed, -torch.inf).logsumexp(-1)
            self.weight += torch.where(inside, open_mass.view(self.score.shape) - faults, 0.0)
        self.reader.write(voice, symbols.to(self.reader.device))
        self._advance(step, voice, symbols)
        self.history.append((parents, symbols, told))

    def _drawn(self, voice: int, chances: Tensor, allowed: Tensor) -> Tensor:
        """Return a symbol a row: drawn, or the likeliest; where all are given there is nothing to shape."""
        uniforms = None if self.uniforms is None else self.uniforms.next()
        if bool((allowed.sum(-1) == 1).all()):
            return allowed.to(torch.uint8).argmax(-1)
        sampling = Sampling(0.0) if self.way.method == "greedy" else self.way.sampling
        recent = self.recent[voice] if sampling.repetition != 1.0 else None
        formed = shaped(chances, allowed, sampling, recent=recent)
        return formed.argmax(-1) if uniforms is None else draw(formed, uniforms)

    def _beam(self, scored: Tensor) -> tuple[Tensor, Tensor]:
        """Return which row each goes on from, and its symbol; the scores are those of the best."""
        shape = (len(self.tasks), self.versions, -1)
        parents, symbols, self.score = beam(scored.view(shape), self.score)
        if bool(self.score.isnan().any()):
            raise BadInput("the network predicts values that are not finite: its weights are damaged; train it again "
                           "or take an earlier checkpoint")
        self.score = self.score.clamp(min=ABSENT)
        base = torch.arange(len(self.tasks))[:, None] * self.versions
        dead = self.score <= ABSENT / 10
        best = symbols[:, :1].expand_as(symbols)
        parents = torch.where(dead, parents[:, :1].expand_as(parents), parents)
        return (parents + base).flatten(), torch.where(dead, best, symbols).flatten()

    def _resample(self, step: int) -> None:
        """Let the versions that foresaw best what was given take the place of the others, where they differ much."""
        if self.way.method != "sample" or self.versions == 1 or not step:
            return
        uniforms = self.choices.next()
        poor = (effective_size(self.weight) < self.versions / 2) & torch.from_numpy(step < self.lengths)
        if not bool(poor.any()):
            return
        same = torch.arange(self.versions).expand(len(self.tasks), -1)
        parents = torch.where(poor[:, None], resample(self.weight, uniforms), same)
        self.score = self.score.gather(1, parents)
        self.weight = torch.where(poor[:, None], 0.0, self.weight)
        rows = (parents + torch.arange(len(self.tasks))[:, None] * self.versions).flatten()
        self.reader.reorder(rows.to(self.reader.device))
        self._reorder_states(rows)
        self.history.append((rows, torch.empty(0), torch.empty(0)))

    # what is allowed

    def _allowed(self, step: int, voice: int, shape: torch.Size) -> Tensor:
        """Return what the cell may be in each row; beyond the end of a piece anything."""
        allowed = np.ones(shape, dtype=np.bool_)
        for (automaton, rows, length), states in zip(self.groups, self.states, strict=True):
            if step < length:
                allowed[rows] = automaton.allowed(step, voice, states)
        return torch.from_numpy(allowed)

    def _led(self, step: int, voice: int, allowed: Tensor, leading: Leading) -> tuple[Tensor, Tensor]:
        """Take away what leads a voice badly, where something is left; return what counts against the others too."""
        before, now = self.reader.before.cpu(), self.reader.now.cpu().clone()
        now[:, voice:] = self.known[:, step, voice:]
        kept = allowed & ~leading(voice, before, now, allowed.shape[-1] - FIRST_PITCH)
        some = kept.any(-1, keepdim=True)
        faults = torch.where(some[:, 0], 0.0, FAULT_NATS).double().view(self.score.shape)
        return torch.where(some, kept, allowed), faults

    def _struck_again(self, voice: int, chances: Tensor, allowed: Tensor) -> Tensor:
        """Give a repeated pitch the chance of a hold where it cannot be held: the model does not tell them apart."""
        same = self.reader.before[:, voice].cpu() + FIRST_PITCH
        rows = torch.nonzero((same < chances.shape[-1]) & ~allowed[:, HOLD])[:, 0]
        chances[rows, same[rows]] = chances[rows, HOLD]
        chances[rows, HOLD] = -torch.inf
        return chances

    def _advance(self, step: int, voice: int, symbols: Tensor) -> None:
        chosen = symbols.numpy()
        for number, (automaton, rows, length) in enumerate(self.groups):
            if step < length:
                self.states[number] = automaton.advance(step, voice, self.states[number], chosen[rows])
        if self.way.sampling.repetition != 1.0:
            old = self.recent[voice]
            moved = torch.cat([old[:, 1:], symbols[:, None]], 1)
            self.recent[voice] = torch.where((symbols >= FIRST_PITCH)[:, None], moved, old)

    def _reorder_states(self, parents: Tensor) -> None:
        rows_of, place = parents.numpy(), np.zeros(len(parents), dtype=np.int64)
        for number, (_, rows, _) in enumerate(self.groups):
            place[rows] = np.arange(len(rows))
            self.states[number] = self.states[number][place[rows_of[rows]]]
        self.recent = self.recent[:, parents]

    # the end

    def _chosen(self) -> list[Filled]:
        """Return the likeliest version of each piece, followed back through its ancestors."""
        rows = self.score.argmax(1) + torch.arange(len(self.tasks)) * self.versions
        symbols, told = [], []
        for parents, chosen, nats in reversed(self.history):
            if len(chosen):
                symbols.append(chosen[rows].numpy())
                told.append(nats[rows].numpy())
            if parents is not None:
                rows = parents[rows]
        cells = np.stack(symbols[::-1], 1).reshape(len(self.tasks), -1, self.voices)
        nats = np.stack(told[::-1], 1).reshape(cells.shape)
        return [Filled(cells[k, :n].astype(np.int64), nats[k, :n]) for k, n in enumerate(self.lengths)]


def _alike(tasks: Sequence[Task], versions: int) -> list[tuple[Automaton, np.ndarray, int]]:
    """Return each automaton with its rows and its length: tasks that share one are asked about together."""
    numbers: dict[int, list[int]] = {}
    for number, task in enumerate(tasks):
        numbers.setdefault(id(task.automaton), []).append(number)
    return [(tasks[those[0]].automaton, np.concatenate([np.arange(versions) + n * versions for n in those]),
             len(tasks[those[0]].known)) for those in numbers.values()]
