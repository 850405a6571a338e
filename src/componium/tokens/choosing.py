"""The search among what rules leave open: where each cadence falls, and which voice keeps what any voice may keep.

What can be seen to be impossible by itself is left out first; then the first choice of everything is tried at once, and
only where that fails one choice after another, with a way back.
"""

from __future__ import annotations

from collections.abc import Sequence

from componium.music.constraint_rules import Rule
from componium.music.errors import BadInput
from componium.tokens import cadences
from componium.tokens.counters import Counter
from componium.tokens.demands import Demands
from componium.tokens.lookahead import VoiceTables

Shared = list[tuple[Counter, int]]
Solution = tuple[list[VoiceTables], Shared]
MOST_TABLES = 2000
"""How many tables are built before the search is given up: about a minute for 64 bars."""


class Search:
    """One search; counts the tables that it builds."""

    def __init__(self) -> None:
        self._left = MOST_TABLES

    def solve(self, demands: Demands) -> Solution | None:
        """Return tables for every voice and the keepers of shared rules, or None where no choice leads to the end.

        Raises:
            BadInput: there are more choices than can be tried.
        """
        tables = self._tables(demands)
        if tables is None:
            return None
        where = [self._onsets(rule, demands, tables) for rule in demands.cadences]
        if not all(where):
            return None
        trial = demands.copy()
        for rule, onsets in zip(demands.cadences, where, strict=True):
            cadences.place(rule, onsets[0], trial)
        found = self._kept(trial, None if where else tables)
        if found is not None or not where:
            return found
        return self._placed(demands, demands.cadences, where)

    def _build(self, demands: Demands, voice: int) -> VoiceTables:
        self._left -= 1
        if self._left < 0:
            raise BadInput("the rules leave more choices than can be tried: name the voice of each 'must contain', and "
                           "the beat of each cadence")
        return VoiceTables.build(demands.symbols[:, voice], demands.sounds[:, voice], demands.counters[voice])

    def _tables(self, demands: Demands) -> list[VoiceTables] | None:
        """Return the tables of all voices; None where one is not alive."""
        built = []
        for voice in range(demands.frame.voices):
            built.append(self._build(demands, voice))
            if not built[-1].alive:
                return None
        return built

    @staticmethod
    def _onsets(rule: Rule, demands: Demands, tables: list[VoiceTables]) -> list[int]:
        """Return where a cadence could be if it were the only one."""
        fitting = []
        for onset in cadences.onsets(rule, demands):
            trial = demands.copy()
            start, stop = cadences.place(rule, onset, trial)
            if all(table.passes(start, trial.sounds[start:stop, voice]) for voice, table in enumerate(tables)):
                fitting.append(onset)
        return fitting

    def _placed(self, demands: Demands, rules: Sequence[Rule], where: Sequence[list[int]]) -> Solution | None:
        """Place the cadences one after another."""
        if not rules:
            return self._kept(demands)
        for onset in where[0]:
            trial = demands.copy()
            cadences.place(rules[0], onset, trial)
            if len(rules) == 1 or self._kept(trial) is not None:
                found = self._placed(trial, rules[1:], where[1:])
                if found is not None:
                    return found
        return None

    def _kept(self, demands: Demands, tables: list[VoiceTables] | None = None) -> Solution | None:
        """Build every voice's tables, where they are not given, and find a keeper for each shared machine."""
        tables = tables or self._tables(demands)
        if tables is None:
            return None
        keepers = [[voice for voice in _in_order(demands.frame.voices) if tables[voice].could(counter)]
                   for counter in demands.shared]
        if not all(keepers):
            return None
        chosen = [(counter, voices[0]) for counter, voices in zip(demands.shared, keepers, strict=True)]
        trial = demands.copy()
        for counter, voice in chosen:
            trial.counters[voice].append(counter)
        built = self._rebuilt(trial, tables, {voice for _, voice in chosen})
        return (built, chosen) if built is not None else self._one_by_one(demands, tables, keepers, [])

    def _rebuilt(self, demands: Demands, tables: list[VoiceTables], voices: set[int]) -> list[VoiceTables] | None:
        """Return the tables with those of some voices built anew; None where one is not alive."""
        built = list(tables)
        for voice in sorted(voices):
            built[voice] = self._build(demands, voice)
            if not built[voice].alive:
                return None
        return built

    def _one_by_one(self, demands: Demands, tables: list[VoiceTables], keepers: list[list[int]],
                    done: Shared) -> Solution | None:
        """Give one shared machine after another to a voice that can still keep it."""
        if len(done) == len(keepers):
            return tables, done
        counter = demands.shared[len(done)]
        for voice in keepers[len(done)]:
            trial = demands.copy()
            trial.counters[voice].append(counter)
            built = self._rebuilt(trial, tables, {voice})
            found = built and self._one_by_one(trial, built, keepers, [*done, (counter, voice)])
            if found:
                return found
        return None


def _in_order(voices: int) -> list[int]:
    """Return the voices in the order in which they are asked to keep a rule: inner ones from below, the bass last."""
    return [*range(voices - 2, 0, -1), 0, voices - 1] if voices > 1 else [0]
