"""From a constraint file to the automaton that keeps it: `compiled`.

Rules that leave a choice (where a cadence falls, which voice has the F#) are tried in a fixed order, the most natural
first, until every voice can reach the end; if none can, the smallest set of rules that contradict each other is named
(QuickXplain; Junker, Preferred explanations and relaxations for over-constrained problems, 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from componium.music.constraint_rules import Frame, Rule
from componium.music.constraints import Constraints
from componium.music.errors import BadInput
from componium.tokens.choosing import Search, Solution
from componium.tokens.demands import Demands
from componium.tokens.grid import HOLD, REST
from componium.tokens.lookahead import Automaton, stuck_at

__all__ = ["Automaton", "compiled"]

def compiled(constraints: Constraints, frame: Frame, *, lowest: int, highest: int, fixed: npt.ArrayLike | None = None,
             possible: npt.ArrayLike | None = None, sounding: npt.ArrayLike | None = None) -> Automaton:
    """Return the automaton that allows exactly what keeps all rules to the end.

    Args:
        constraints: the rules; without any, the grammar of the grid is left (nothing is held over silence).
        frame: the piece.
        lowest: the MIDI pitch of symbol 2.
        highest: the highest MIDI pitch that can be written.
        fixed: int [steps, voices] symbols that are given; -1 where the cell is free.
        possible: bool [steps or 1, voices, S] what may be written besides; given cells are not asked.
        sounding: int [steps, voices] the REST or onset symbol of what has to sound, struck or held; -1 where free.

    Raises:
        BadInput: no piece keeps all rules (the lines that contradict each other are named), or a rule or an array does
            not fit the piece.
    """
    problem = _Problem(constraints, frame, (lowest, highest), (fixed, possible, sounding))
    try:
        found = problem.solve(constraints.rules)
    except BadInput as error:
        raise BadInput(f"{constraints.name}: {error}" if constraints.name else str(error)) from error
    if found is None:
        raise BadInput(problem.conflict())
    return Automaton(frame, *found)


class _Problem:
    """A piece before any rule, and the search for tables that keep some."""

    def __init__(self, constraints: Constraints, frame: Frame, span: tuple[int, int],
                 arrays: tuple[npt.ArrayLike | None, ...]) -> None:
        self.constraints, self.frame, self.span, self.arrays = constraints, frame, span, arrays
        size = span[1] - span[0] + 3
        if size < 3:
            raise BadInput(f"lowest={span[0]} and highest={span[1]}: give the lowest pitch first")
        steps, voices = frame.steps, frame.voices
        fixed = _cells(arrays[0], (steps, voices), size, "fixed")
        sounding = _cells(arrays[2], (steps, voices), size, "sounding")
        if np.any(sounding == HOLD):
            raise BadInput("sounding has the symbol HOLD: name the sound itself, REST or a pitch")
        symbols = np.ones((steps, voices, size), dtype=np.bool_)
        if arrays[1] is not None:
            symbols &= np.asarray(arrays[1], dtype=np.bool_)
        given = fixed >= 0
        symbols[given] = fixed[given][:, None] == np.arange(size)
        sounds = np.ones((steps, voices, size - 1), dtype=np.bool_)
        told = sounding >= 0
        sounds[told] = sounding[told][:, None] == np.arange(1, size)
        heard = np.where(given | told, _heard(fixed, sounding), -1)
        self.base = Demands(frame, span[0], symbols, sounds, fixed, heard, [[] for _ in range(voices)])

    def solve(self, rules: Sequence[Rule]) -> Solution | None:
        """Return tables for every voice, and who keeps what any may keep; None where there are none."""
        demands = self.base.copy()
        for rule in rules:
            demands.add(rule)
        return Search().solve(demands)

    def conflict(self) -> str:
        """Return the sentence that names the fewest rules that cannot be kept together."""
        least = _least(list(self.constraints.rules), lambda rules: self.solve(rules) is None)
        name = f"{self.constraints.name}: " if self.constraints.name else ""
        besides = ("the given notes", "what the voices may sing (their ranges, and the key asked for)",
                   "the notes tied over")
        beside = [text for place, text in enumerate(besides)
                  if self.arrays[place] is not None and self._keeps_without(place, least)]
        told = " and ".join([*map(str, least), *beside[:1]])
        if not least:
            return f"the given notes cannot be written here{self._where(least)}"
        single = len(least) == 1 and not beside
        return f"{name}{told} {'cannot be kept' if single else 'contradict each other'}{self._where(least)}"

    def _keeps_without(self, place: int, rules: list[Rule]) -> bool:
        arrays = tuple(None if place == at else array for at, array in enumerate(self.arrays))
        return _Problem(self.constraints, self.frame, self.span, arrays).solve(rules) is not None

    def _where(self, rules: list[Rule]) -> str:
        """Return where a voice gets stuck, in words; nothing where that is between voices."""
        demands = self.base.copy()
        for rule in rules:
            demands.add(rule)
        for voice in range(self.frame.voices):
            step = stuck_at(demands.symbols[:, voice], demands.sounds[:, voice], demands.counters[voice])
            if step is not None:
                return f": the {self.frame.voice_name(voice)} has no way on in {self.frame.where(step)}"
        return ""


def _cells(array: npt.ArrayLike | None, shape: tuple[int, int], size: int, name: str) -> npt.NDArray[np.int64]:
    """Return symbols as they were given, -1 everywhere where none were."""
    if array is None:
        return np.full(shape, -1, dtype=np.int64)
    cells = np.asarray(array, dtype=np.int64)
    if cells.shape != shape or cells.min(initial=-1) < -1 or cells.max(initial=-1) >= size:
        raise BadInput(f"{name} needs the shape {shape} and symbols from -1 to {size - 1}, not the shape {cells.shape} "
                       f"and {cells.min(initial=-1)} to {cells.max(initial=-1)}")
    return cells


def _heard(fixed: npt.NDArray[np.int64], sounding: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the sounds that are known: given onsets and rests, what is held from them, and what has to sound."""
    heard = np.where(sounding >= REST, sounding - 1, np.where(fixed >= REST, fixed - 1, -1))
    for step in range(1, len(heard)):
        goes_on = (fixed[step] == HOLD) & (heard[step] < 0)
        heard[step, goes_on] = heard[step - 1, goes_on]
    return heard


def _least(rules: list[Rule], fails: Callable[[list[Rule]], bool]) -> list[Rule]:
    """Return a smallest set of rules that still fails: no rule of it can be left out (QuickXplain)."""
    if fails([]):
        return []

    def within(background: list[Rule], added: bool, suspects: list[Rule]) -> list[Rule]:
        if added and fails(background):
            return []
        if len(suspects) == 1:
            return suspects
        first, second = suspects[: len(suspects) // 2], suspects[len(suspects) // 2:]
        later = within(background + first, True, second)
        earlier = within(background + later, bool(later), first)
        return earlier + later

    return within([], False, rules)
