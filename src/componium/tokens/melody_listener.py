"""What a melody network is told before each step of a line, made from the symbols so far and the meter alone.

Symbols are those of a grid (`componium.tokens.grid`): `HOLD` 0, `REST` 1, a pitch ``p`` is ``FIRST_PITCH + p -
lowest``. A line is heard with several *sources* beside it: earlier steps that the next one may repeat. They are the
steps 1, 2, 4 and 8 bars ago, and what followed the longest earlier passage that equals the latest one. Nothing tells of
the future, not even how long the line will be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.tokens.grid import FIRST_PITCH, HOLD, REST

STEPS_PER_BEAT = 4
BARS_AGO = (1, 2, 4, 8)
SOURCES = len(BARS_AGO) + 1
"""K: the steps so many bars ago, and what followed the longest match."""
MOST_AGO = 1024
"""Sources lie at most so many steps back."""
AGES = 32
"""Ages of a note are told up to this many steps."""
AGREEMENT = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64])
"""How long a source agreed is told by which of these it reached: 0 to 12."""
AGREEMENTS = len(AGREEMENT) + 1
MOST_BEATS, MOST_NUMERATOR, MOST_BARS = 16, 16, 17

Ints = npt.NDArray[np.int64]


def mark_sizes(steps_per_beat: int) -> tuple[int, ...]:
    """Return how many values each mark has: step of the beat, beat, numerator, power of two of the denominator, bar."""
    return steps_per_beat, MOST_BEATS, MOST_NUMERATOR + 1, 7, MOST_BARS


@dataclass(frozen=True)
class Meter:
    """A meter, the length of the pickup before the first full bar in steps, and the steps of a quarter note."""

    numerator: int = 4
    denominator: int = 4
    pickup_steps: int = 0
    steps_per_beat: int = STEPS_PER_BEAT

    def steps_ago(self, bars: int) -> int:
        """Return how many steps so many bars are, to the nearest."""
        return max(1, round(bars * 4 * self.steps_per_beat * self.numerator / self.denominator))

    def marks(self, steps: npt.ArrayLike) -> Ints:
        """Return the marks of steps [...], as in `mark_sizes`: [..., marks]."""
        since = (np.asarray(steps, dtype=np.int64) - self.pickup_steps) * self.denominator
        length = 4 * self.steps_per_beat * self.numerator  # of a bar, in parts of a step: 1 / denominator
        in_bar, bar = since % length // self.denominator, since // length + 1
        fixed = np.ones_like(bar)
        return np.stack([
            in_bar % self.steps_per_beat, np.minimum(in_bar // self.steps_per_beat, MOST_BEATS - 1),
            fixed * min(self.numerator, MOST_NUMERATOR), fixed * (self.denominator.bit_length() - 1),
            np.where(bar < MOST_BARS, bar, 9 + (bar - 9) % 8),  # from bar 17 on round and round
        ], axis=-1)


class Listener:
    """Hears lines side by side, step by step, and tells what is known before the next step.

    For every distance, up to `MOST_AGO` steps, it keeps for how long the latest steps have agreed with those so many
    steps before. The longest match is the distance that has agreed the longest, of several the nearest.

    Args:
        rows: R, how many lines.
        meter: of all of them.
        pitches: P, semitones of the range.
    """

    def __init__(self, rows: int, meter: Meter, pitches: int) -> None:
        self.meter, self.pitches, self.steps = meter, pitches, 0
        self._symbols = np.zeros((rows, 0), dtype=np.int64)
        self._sounding = np.zeros((rows, 0), dtype=np.int64)
        self._runs = np.zeros((rows, 2, MOST_AGO + 1), dtype=np.int64)  # in symbols and in rhythm; distance 0 is none
        self._last = np.full(rows, pitches, dtype=np.int64)
        self._age = np.zeros(rows, dtype=np.int64)

    def told(self) -> dict[str, Ints]:
        """Return what is known before the next step.

        before: [R] pitch that sounds, from 0; P in a rest, P + 1 before the first step.
        last: [R] the latest pitch that sounded; P where none has.
        age: [R] how many steps before the latest one the note (or the rest) began.
        place: [R, marks] where the next step lies.
        source: [R, K] pitch at the sources, as ``before``; P + 1 where there is no such step.
        struck: [R, K] 1 where that pitch begins there, else 0.
        agreed: [R, K, 2] for how long they agreed with the latest steps, in symbols and in rhythm (`AGREEMENT`).
        """
        rows = np.arange(len(self._last))
        before = self._sounding[:, -1] if self.steps else np.full(len(rows), self.pitches + 1, dtype=np.int64)
        ago = np.stack([*[np.full(len(rows), distance) for distance in _distances(self.meter)],
                        self._runs[:, 0].argmax(axis=1)], axis=-1)
        known, there = (ago > 0) & (ago <= self.steps), np.maximum(self.steps - ago, 0)
        source, struck = np.full(ago.shape, self.pitches + 1), np.zeros(ago.shape, dtype=np.int64)
        if self.steps:
            there = np.minimum(there, self.steps - 1)
            source = np.where(known, self._sounding[rows[:, None], there], source)
            struck = np.where(known, self._symbols[rows[:, None], there] >= FIRST_PITCH, struck).astype(np.int64)
        agreed = self._runs[rows[:, None, None], np.arange(2), np.where(known, ago, 0)[..., None]]
        return {"before": before, "last": self._last, "age": np.minimum(self._age, AGES),
                "place": np.tile(self.meter.marks(self.steps), (len(rows), 1)), "source": source, "struck": struck,
                "agreed": np.searchsorted(AGREEMENT, agreed, side="right")}

    def hear(self, symbols: npt.ArrayLike) -> None:
        """Hear one more step: symbols [R]."""
        now = np.asarray(symbols, dtype=np.int64)
        before = self._sounding[:, -1] if self.steps else np.full(len(now), self.pitches + 1, dtype=np.int64)
        sounding = np.where(now == HOLD, before, np.where(now == REST, self.pitches, now - FIRST_PITCH))
        self._age = np.where(_goes_on(now, before, self.pitches), self._age + 1, 0)
        self._last = np.where(sounding < self.pitches, sounding, self._last)
        past = self._symbols[:, :-MOST_AGO - 1:-1]  # the nearest first
        reach = slice(1, past.shape[1] + 1)
        for number, same in enumerate((past == now[:, None], _rhythm(past) == _rhythm(now)[:, None])):
            self._runs[:, number, reach] = np.where(same, self._runs[:, number, reach] + 1, 0)
        self._symbols = np.concatenate([self._symbols, now[:, None]], axis=1)
        self._sounding = np.concatenate([self._sounding, sounding[:, None]], axis=1)
        self.steps += 1

    def reorder(self, parents: npt.ArrayLike) -> None:
        """Go on from some of the rows: row r continues what was row ``parents[r]``."""
        chosen = np.asarray(parents)
        for name in ("_symbols", "_sounding", "_runs", "_last", "_age"):
            setattr(self, name, getattr(self, name)[chosen])


def told_of(symbols: npt.ArrayLike, meter: Meter, pitches: int) -> dict[str, Ints]:
    """Return what `Listener` tells before each step of a line [steps], all at once: arrays [steps, ...]."""
    line = np.asarray(symbols, dtype=np.int64)
    steps = np.arange(len(line))
    written = np.maximum.accumulate(np.where(line != HOLD, steps, 0))
    sounding = np.where(line[written] == REST, pitches, line[written] - FIRST_PITCH)
    before = np.concatenate([[pitches + 1], sounding])[:-1]
    pitched = np.maximum.accumulate(np.where(sounding < pitches, steps, -1))
    last = np.where(pitched >= 0, sounding[pitched], pitches)
    age = steps - np.maximum.accumulate(np.where(_goes_on(line, before, pitches), 0, steps))
    runs = np.stack([_runs(line), _runs(_rhythm(line))], axis=-1)
    ago = np.stack([*[np.full(len(line), distance) for distance in _distances(meter)],
                    runs[..., 0].argmax(axis=1)], axis=-1)
    known = (ago > 0) & (ago <= steps[:, None])
    there = np.where(known, steps[:, None] - ago, 0)
    agreed = np.where(known[..., None], runs[steps[:, None], np.where(known, ago, 0)], 0)
    return {"before": before, "last": np.concatenate([[pitches], last])[:-1],
            "age": np.minimum(np.concatenate([[0], age])[:-1], AGES), "place": meter.marks(steps),
            "source": np.where(known, sounding[there], pitches + 1),
            "struck": (known & (line[there] >= FIRST_PITCH)).astype(np.int64),
            "agreed": np.searchsorted(AGREEMENT, agreed, side="right")}


def _runs(values: Ints) -> npt.NDArray[np.int32]:
    """Return for how long the steps before each one agreed with those so many steps before: [steps, distances].

    The distances are 0 to `MOST_AGO`, or to the length; at 0 there is nothing.
    """
    steps, most = len(values), min(len(values), MOST_AGO)
    padded = np.concatenate([np.full(most, -1), values[:-1]])
    places = np.arange(steps)[:, None] + most - 1 - np.arange(most + 1)
    same = (padded[np.maximum(places, 0)] == padded[most - 1:most - 1 + steps, None]) & (places >= most)
    same[:, 0] = False
    step = np.arange(steps, dtype=np.int32)[:, None]
    return step - np.maximum.accumulate(np.where(same, np.int32(0), step), axis=0)


def _goes_on(symbols: Ints, before: Ints, pitches: int) -> npt.NDArray[np.bool_]:
    """Return where a symbol prolongs the note or the rest that sounded before."""
    goes_on: npt.NDArray[np.bool_] = (symbols == HOLD) | ((symbols == REST) & (before == pitches))
    return goes_on


def _rhythm(symbols: Ints) -> Ints:
    """Return symbols without their pitches: hold, rest or onset."""
    return np.minimum(symbols, FIRST_PITCH)


def _distances(meter: Meter) -> list[int]:
    """Return how many steps back the sources are that lie bars ago; 0 for those that are too far back."""
    steps = [meter.steps_ago(bars) for bars in BARS_AGO]
    return [distance if distance <= MOST_AGO else 0 for distance in steps]
