"""What may come next, so that every rule can still be kept: one finite automaton a voice, looked ahead to the end.

Symbols are those of `tokens.grid`: HOLD 0, REST 1, ``2 + pitch - lowest`` an onset. A state is the sound that a voice
has and where its counters are; going back from the last step, only those states are kept from which the end can be
reached (backward reachability, as in Pachet and Roy, Markov constraints, 2011, for models of any memory). Voices do
not depend on each other but for rules that any of them may keep ("bar 4: must contain F#"): each such rule has one
voice that keeps it at the last moment where no other has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from componium.music.constraint_rules import Frame
from componium.music.errors import BadInput
from componium.tokens.counters import Counter, Table, joined, strides_of
from componium.tokens.grid import HOLD

MOST_CELLS = 60_000_000
"""States times steps of one voice: more would take more than about 200 MB."""
MOST_PLACES = 4_000_000
_TIME = 32
"""A state's upper bits count the steps that its voice has gone."""

Mask = npt.NDArray[np.bool_]
States = npt.NDArray[np.int64]


@dataclass(eq=False)
class VoiceTables:
    """All that one voice may do.

    Attributes:
        counters: for each step from 0 to the end: the machines that run there.
        following: for each step: (held, struck), the joint place that an event leads to, [places, sounds].
        held: for each step: bool [places, sounds], whether the sound may go on.
        struck: for each step: bool [places, sounds], whether the sound may begin.
        alive: whether there is any way from the start to the end.
    """

    counters: list[list[Counter]]
    following: list[tuple[Table, Table]]
    held: list[Mask]
    struck: list[Mask]
    alive: bool
    _reached: list[Mask] = field(default_factory=list)

    @classmethod
    def build(cls, symbols: Mask, sounds: Mask, counters: list[Counter]) -> VoiceTables:
        """Look ahead from the end.

        Args:
            symbols: [steps, S] which symbols may be written, as far as a step alone tells.
            sounds: [steps, S - 1] which sounds may be heard, struck or held.
            counters: the machines that follow the voice.

        Raises:
            BadInput: so many machines run at once that the tables would be too large.
        """
        steps, size = sounds.shape
        running = [[c for c in counters if c.start <= step < c.stop] for step in range(steps + 1)]
        _check_size(running, size)
        known: dict[tuple[int, ...], tuple[Table, Table]] = {}
        following = []
        for now, later in itertools.pairwise(running):
            key = (*map(id, now), -1, *map(id, later))
            if key not in known:
                known[key] = joined(now, later, size)
            following.append(known[key])
        strikes, holds = symbols[:, 1:] & sounds, may_hold(symbols, sounds)
        held, struck, ways = [], [], np.ones((1, size), dtype=np.bool_)
        columns = np.arange(size)
        for step in range(steps - 1, -1, -1):
            on, begun = following[step]
            held.append((on >= 0) & holds[step] & ways[on, columns])
            struck.append((begun >= 0) & strikes[step] & ways[begun, columns])
            ways = held[-1] | struck[-1].any(axis=1, keepdims=True)
        return cls(running, following, held[::-1], struck[::-1], bool(ways[0, 0]))

    def reached(self) -> list[Mask]:
        """Return for each step the states that a voice can be in before it, and that lead to the end."""
        if not self._reached:
            self._reached = list(_forward(self.following, self.held, self.struck))
        return self._reached

    def passes(self, start: int, sounds: Mask) -> bool:
        """Tell whether a voice that may sound only ``sounds`` [n, S - 1] in the n steps from ``start`` gets through."""
        steps = slice(start, start + len(sounds))
        held, struck = ([ways & mine for ways, mine in zip(table[steps], sounds, strict=True)]
                        for table in (self.held, self.struck))
        *_, last = _forward(self.following[steps], held, struck, self.reached()[start])
        return bool(last.any())

    def could(self, counter: Counter) -> bool:
        """Tell whether a voice can do what a machine of `counters.contains` waits for."""
        assert counter.hits_held is not None and counter.hits_struck is not None
        for step in range(counter.start, counter.stop):
            here = self.reached()[step]
            if (here & self.held[step] & counter.hits_held).any() \
                    or (here.any(axis=1, keepdims=True) & self.struck[step] & counter.hits_struck).any():
                return True
        return False


def _check_size(running: list[list[Counter]], size: int) -> None:
    places = [math.prod(c.places for c in now) for now in running]
    if max(places) * size > MOST_PLACES or sum(places) * size > MOST_CELLS:
        raise BadInput("too many rules that count hold for one voice at the same time: spread them over more bars")


def _forward(following: Sequence[tuple[Table, Table]], held: Sequence[Mask], struck: Sequence[Mask],
             here: Mask | None = None) -> Iterator[Mask]:
    """Yield the states that can be reached, [places, sounds], before the first step and after each."""
    size = held[0].shape[1]
    if here is None:
        here = np.zeros((len(following[0][0]), size), dtype=np.bool_)
        here[0, 0] = True
    yield here
    places_after = [len(on) for on, _ in following[1:]]
    places_after.append(max(int(table.max()) for table in following[-1]) + 1)
    for (on, begun), hold, begin, count in zip(following, held, struck, places_after, strict=True):
        there = np.zeros((count, size), dtype=np.bool_)
        for ways, table in ((here & hold, on), (here.any(axis=1, keepdims=True) & begin, begun)):
            places, columns = np.nonzero(ways)
            there[table[places, columns], columns] = True
        here = there
        yield here


def stuck_at(symbols: Mask, sounds: Mask, counters: list[Counter]) -> int | None:
    """Return the step that a voice cannot go beyond, whatever it does before; None where it reaches the end."""
    tables = VoiceTables.build(np.ones_like(symbols), np.ones_like(sounds), counters)
    held = [(on >= 0) & may for (on, _), may in zip(tables.following, may_hold(symbols, sounds), strict=True)]
    struck = [(begun >= 0) & may for (_, begun), may in zip(tables.following, symbols[:, 1:] & sounds, strict=True)]
    for step, here in enumerate(_forward(tables.following, held, struck)):
        if not here.any():
            return step - 1
    return None


def may_hold(symbols: Mask, sounds: Mask) -> Mask:
    """Return which sounds may go on at each step: [steps, S - 1]; silence does not, it is written as REST again."""
    found: Mask = symbols[:, :1] & sounds
    found[:, 0] = False
    return found


class Automaton:
    """What each voice may do, step by step; states are plain arrays, so that rows can be copied and reordered.

    Args:
        frame: the piece.
        tables: one a voice, all alive.
        shared: the machines that any voice may satisfy, and the voice whose tables hold each.
    """

    def __init__(self, frame: Frame, tables: list[VoiceTables], shared: list[tuple[Counter, int]]) -> None:
        self.frame = frame
        self._tables = tables
        self._shared = shared
        self._unheard: frozenset[int] = frozenset()
        self._sounds: int = tables[0].held[0].shape[1]

    @property
    def size(self) -> int:
        """The number of symbols S."""
        return self._sounds + 1

    def with_unheard(self, voices: Iterable[int], other: Automaton) -> Automaton:
        """Return an automaton whose ``voices`` do as in another one of the piece; they keep no rules for the others."""
        unheard = frozenset(voices)
        tables = [(other if voice in unheard else self)._tables[voice] for voice in range(len(self._tables))]
        joined = Automaton(self.frame, tables, self._shared)
        joined._unheard = unheard
        return joined

    def start(self, batch: int) -> States:
        """Return the states before the first step: int64 [batch, voices]."""
        return np.zeros((batch, len(self._tables)), dtype=np.int64)

    def allowed(self, step: int, voice: int, states: States) -> Mask:
        """Return which symbols a voice may write at a step: bool [batch, S], at least one a row.

        Raises `BadInput` where the states are not those of that step.
        """
        places, sounds = self._placed(step, voice, states)
        tables = self._tables[voice]
        return np.concatenate([tables.held[step][places, sounds, None], tables.struck[step][places]], axis=1)

    def advance(self, step: int, voice: int, states: States, symbols: npt.ArrayLike) -> States:
        """Return the states after a voice has written symbols [batch] at a step; ``states`` is not changed.

        Every cell is told, given ones too: steps ascending, the voices of a step in any order.

        Raises:
            BadInput: a symbol was not allowed, or the states are not those of that step.
        """
        written = np.asarray(symbols, dtype=np.int64)
        places, sounds = self._placed(step, voice, states)
        tables = self._tables[voice]
        goes_on = written == HOLD
        heard = np.where(goes_on, sounds, written - 1)
        if written.shape != places.shape or np.any((heard < 0) | (heard >= self._sounds)) \
                or not np.where(goes_on, tables.held[step][places, heard], tables.struck[step][places, heard]).all():
            raise BadInput(f"a symbol of the {self.frame.voice_name(voice)} at step {step} is not allowed there")
        on, begun = tables.following[step]
        places = np.where(goes_on, on[places, heard], begun[places, heard]).astype(np.int64)
        after = states.copy()
        after[:, voice] = (places * self._sounds + heard) | (step + 1 << _TIME)
        self._note(step, voice, after, goes_on, heard)
        return after

    def _placed(self, step: int, voice: int, states: States) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the joint places and the sounds of a voice."""
        code = states[:, voice]
        if np.any(code >> _TIME != step):
            raise BadInput(f"the {self.frame.voice_name(voice)} is not at step {step}: every cell is told to the "
                           "automaton once, step after step")
        return np.divmod(code & ((1 << _TIME) - 1), self._sounds)

    def _note(self, step: int, voice: int, states: States, goes_on: Mask, heard: npt.NDArray[np.int64]) -> None:
        """Tell the voice that has to keep a shared rule that another has kept it, in place."""
        if voice in self._unheard:
            return
        for counter, keeper in self._shared:
            if keeper == voice or not counter.start <= step < counter.stop:
                continue
            assert counter.hits_held is not None and counter.hits_struck is not None
            hits = np.where(goes_on, counter.hits_held[heard], counter.hits_struck[heard])
            if not hits.any():
                continue
            at = int(states[0, keeper]) >> _TIME  # the keeper may have written its symbol of this step already
            strides = strides_of(self._tables[keeper].counters[at])
            if counter not in strides:
                continue  # it had to keep the rule itself
            stride = strides[counter]
            places = (states[:, keeper] & ((1 << _TIME) - 1)) // self._sounds
            unkept = (places // stride) % 2 == 0
            states[:, keeper] += np.where(hits & unkept, stride * self._sounds, 0)
