"""Choosing what is played where: pitches and loudnesses are covered evenly over the minutes.

Every line is placed where its notes were heard least so far, as a table of pitch x loudness counts the seconds;
between the melodies come scales, arpeggios, runs, and long tones on the pitches that are still missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from componium.music.errors import BadInput
from componium.rendering import lines
from componium.rendering.lines import Line
from componium.rendering.ranges import has_vibrato, is_held, range_of
from componium.rendering.solo import Floats, Solo, play_line

LEVELS = np.array([0.1, 0.35, 0.55, 0.75, 0.95])
"""pp, p, mf, f, ff."""
TURNS = ("melody", "long_tones", "melody", "scale", "melody", "arpeggio", "long_tones", "melody", "chromatic", "melody",
         "long_tones", "scale")
"""What follows what; ``"melody"`` is a piece of the corpus where one is given."""
TAIL_SECONDS = 0.6
"""Kept after the last note, whose release is faded out in it."""
_KINDS = {"melody": lines.melody, "scale": lines.scale, "chromatic": lines.chromatic, "arpeggio": lines.arpeggio}


@dataclasses.dataclass(frozen=True)
class Chosen:
    """One performance to come: the line, at its place, as it is played."""

    line: Line
    solo: Solo

    @property
    def seconds(self) -> float:
        """Length with its tail."""
        return self.solo.seconds + TAIL_SECONDS


def performances(program: int, minutes: float, *, seed: int = 0, pieces: Sequence[Line] = ()) -> list[Chosen]:
    """Return performances of so many minutes in all; the last one goes over.

    Args:
        program: the instrument.
        minutes: how long all of them last.
        seed: of everything that is left to chance.
        pieces: lines that take the place of invented melodies, in this order.

    Raises:
        BadInput: an instrument without pitch, or pieces of which none fits into its range.
    """
    low, high = range_of(program)
    fitting = [line for line in pieces if int(np.ptp(line.pitches)) <= high - low]
    if pieces and not fitting:
        raise BadInput(f"none of the {len(pieces)} melodies fits into the range of the instrument ({low} to {high}): "
                       "give other music with --on, or leave it out for studies")
    heard = np.zeros((high - low + 1, len(LEVELS)))
    chosen: list[Chosen] = []
    seconds = 0.0
    for turn, line in _lines(program, fitting, heard, seed):
        rng = np.random.default_rng([seed, program, turn, 1])
        line, level = _placed(line, heard, low, rng)
        solo = play_line(line, rng, level=level, vibrato=has_vibrato(program))
        _count(heard, solo, low)
        chosen.append(Chosen(line, solo))
        seconds += chosen[-1].seconds
        if seconds >= minutes * 60.0:
            return chosen
    raise AssertionError("lines never end")


def _lines(program: int, pieces: Sequence[Line], heard: Floats, seed: int) -> Iterator[tuple[int, Line]]:
    """Yield lines without end, each a function of the seed, its turn and what was heard so far."""
    low, high = range_of(program)
    turn = used = 0
    while True:
        rng = np.random.default_rng([seed, program, turn])
        kind = TURNS[turn % len(TURNS)]
        if kind == "long_tones":
            count = int(rng.integers(3, 6)) if is_held(program) else 6
            rare = np.argsort(heard.sum(axis=1) + rng.uniform(0.0, 0.5, len(heard)))[:count]
            yield turn, lines.long_tones(rng, [int(pitch) + low for pitch in rng.permutation(rare)])
        elif kind == "melody" and pieces:
            yield turn, pieces[used % len(pieces)]
            used += 1
        else:
            least = int(rng.integers(12, 25)) if kind in ("melody", "arpeggio") else int(rng.integers(7, 20))
            width = min(high - low, least)
            bottom = int(rng.integers(low, high - width + 1))
            yield turn, _KINDS[kind](rng, bottom, bottom + width)
        turn += 1


def _placed(line: Line, heard: Floats, low: int, rng: np.random.Generator) -> tuple[Line, float]:
    """Return the line in the key, and the level, that were heard least; long tones stay on their pitches."""
    pitches, lengths = line.pitches, np.array([note[1] for note in line.notes])
    keys = [0] if line.swells else range(low - int(pitches.min()), low + len(heard) - int(pitches.max()))
    weight = lengths / lengths.sum()
    best, found = np.inf, (0, 0)
    for key in keys:
        # a pitch that was never heard draws a line to itself, although its neighbours were
        costs = weight @ np.sqrt(heard[pitches + key - low] + 0.1) + rng.uniform(0.0, 0.2, len(LEVELS))
        if costs.min() < best:
            best, found = float(costs.min()), (key, int(costs.argmin()))
    level = float(np.clip(LEVELS[found[1]] + rng.normal(0.0, 0.05), 0.0, 1.0))
    return line.moved(found[0]), level


def _count(heard: Floats, solo: Solo, low: int) -> None:
    """Add the seconds of a performance to the table of pitch x loudness."""
    middle = solo.level_at(solo.start + solo.length / 2)
    bins = np.abs(middle[:, None] - LEVELS).argmin(axis=1)
    np.add.at(heard, (solo.pitch - low, bins), solo.length)
