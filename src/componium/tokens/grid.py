"""Grid symbols: one symbol for each cell of a voice, and the exact way back.

`HOLD` prolongs the note of the step before, `REST` is silence, any other symbol is the onset of a pitch: the
encoding of DeepBach (Hadjeres, Pachet, Nielsen 2017), which tells held notes from repeated ones. A rest is
written anew at each step. Bars and fermatas are no symbols: `places` tells them of each step.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music import grid as music_grid
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.keys import pitch_name

HOLD = 0
"""The note of the step before goes on."""
REST = 1
"""The voice is silent."""
FIRST_PITCH = 2
"""The symbol of the lowest pitch; the others follow in semitones."""
SILENT = music_grid.REST
"""How a grid writes a silent cell among its pitches (-1)."""
UNKNOWN = -1
"""What `GridTokens.places` writes where something is not known."""

Symbols = npt.NDArray[np.int16]


@dataclass(frozen=True)
class GridTokens:
    """Symbols of a grid: ``HOLD`` = 0, ``REST`` = 1, a pitch p is ``2 + p - lowest``.

    Attributes:
        voices: how many voices, high to low.
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch.
        steps_per_beat: steps a quarter note, such as 4 (16ths), 12 or 24.
    """

    voices: int = 4
    lowest: int = 36
    highest: int = 81
    steps_per_beat: int = 4

    def __post_init__(self) -> None:
        if self.voices < 1 or self.steps_per_beat < 1:
            raise BadInput(f"voices={self.voices}, steps_per_beat={self.steps_per_beat}: give at least 1 of each")
        check_range(self.lowest, self.highest)

    @property
    def size(self) -> int:
        """The number of symbols."""
        return FIRST_PITCH + self.highest - self.lowest + 1

    def symbol_of(self, pitch: int) -> int:
        """Return the symbol of a MIDI pitch's onset."""
        if not self.lowest <= pitch <= self.highest:
            raise BadInput(out_of_range(pitch, self.lowest, self.highest))
        return FIRST_PITCH + pitch - self.lowest

    def pitch_of(self, symbol: int) -> int:
        """Return the MIDI pitch of an onset's symbol, the inverse of `symbol_of`."""
        if not FIRST_PITCH <= symbol < self.size:
            raise BadInput(f"{symbol} is no pitch's symbol: they are {FIRST_PITCH} to {self.size - 1}")
        return symbol - FIRST_PITCH + self.lowest

    def encode(self, grid: Grid) -> Symbols:
        """Return the symbols of a grid; int16 [steps, voices]. Raises `BadInput` for one that does not fit."""
        check_grid(grid, self.voices, self.lowest, self.highest, self.steps_per_beat)
        symbols = FIRST_PITCH - self.lowest + grid.pitches
        symbols[grid.pitches == SILENT] = REST
        symbols[grid.held] = HOLD
        return symbols.astype(np.int16)

    def decode(self, symbols: npt.ArrayLike, like: Grid | None = None, **fields: Any) -> Grid:
        """Return the grid of symbols [steps, voices], the inverse of `encode`.

        Args:
            symbols: as `encode` returns them.
            like: a grid whose meter, pickup, key, fermatas and knowledge of ties are taken over.
            **fields: of `Grid`, such as ``numerator=3``; they come before those of ``like``. Where
                ``ties_known=False``, a repeated pitch is held, as such a grid has it.

        Raises `BadInput` for what is no symbol, and for a `HOLD` of nothing.
        """
        given = np.asarray(symbols)
        if given.ndim != 2 or given.shape[1] != self.voices or not len(given):
            raise BadInput(f"symbols have the shape [steps, {self.voices}], not {list(given.shape)}")
        if not np.issubdtype(given.dtype, np.integer):
            raise BadInput(f"symbols are whole numbers, not {given.dtype}")
        pitches = self.sounding(given)
        settings = like_fields(like, len(given), self.steps_per_beat) | fields
        held = given == HOLD
        if not settings.get("ties_known", True):
            held = held | _repeated(pitches)
        return Grid(pitches, held, steps_per_beat=self.steps_per_beat, **settings)

    def sounding(self, symbols: npt.ArrayLike) -> npt.NDArray[np.int16]:
        """Return the MIDI pitch that sounds in each cell, `SILENT` in rests; int16 [steps, voices], as ``symbols``."""
        given = np.asarray(symbols)
        wrong = (given < 0) | (given >= self.size)
        if np.any(wrong):
            step, voice = np.argwhere(wrong)[0]
            raise BadInput(f"step {step}, voice {voice} is {given[step, voice]}: symbols are 0 to {self.size - 1}")
        # the last cell of the voice, up to and including this one, that is no hold; -1: there is none
        steps = np.arange(len(given))[:, np.newaxis]
        source = np.maximum.accumulate(np.where(given != HOLD, steps, -1), axis=0)
        written = np.take_along_axis(given, np.maximum(source, 0), axis=0)
        nothing = (given == HOLD) & ((source < 0) | (written == REST))
        if np.any(nothing):
            step, voice = np.argwhere(nothing)[0]
            raise BadInput(f"step {step}, voice {voice} holds a note, but none sounds before it")
        return np.where(written == REST, SILENT, written - FIRST_PITCH + self.lowest).astype(np.int16)

    def allowed_after(self, sounding: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return which symbols may follow in a voice; bool [..., size].

        Args:
            sounding: [...] the MIDI pitch that sounds in the step before, or `SILENT` (-1), also at the beginning.
        """
        sounds = np.asarray(sounding) != SILENT
        allowed = np.ones((*sounds.shape, self.size), dtype=np.bool_)
        allowed[..., HOLD] = sounds
        return allowed

    def flat(self, symbols: npt.ArrayLike) -> Symbols:
        """Return symbols [steps, voices] as one sequence [steps * voices]: the voices high to low, step by step."""
        return np.asarray(symbols, dtype=np.int16).reshape(-1)

    def unflat(self, sequence: npt.ArrayLike) -> Symbols:
        """Return a sequence [steps * voices] as symbols [steps, voices], the inverse of `flat`."""
        given = np.asarray(sequence, dtype=np.int16)
        if given.ndim != 1 or len(given) % self.voices:
            raise BadInput(f"{given.size} symbols are no whole steps of {self.voices} voices")
        return given.reshape(-1, self.voices)

    def transpositions(self, symbols: npt.ArrayLike) -> range:
        """Return by how many semitones the symbols may be moved with all pitches in range."""
        given = np.asarray(symbols)
        pitches = given[given >= FIRST_PITCH]
        if not len(pitches):
            return range(1)
        return range(FIRST_PITCH - int(pitches.min()), self.size - int(pitches.max()))

    def transposed(self, symbols: npt.ArrayLike, semitones: int) -> Symbols:
        """Return the symbols moved by semitones; raises `BadInput` where one would leave the range."""
        given = np.asarray(symbols, dtype=np.int16)
        if semitones not in self.transpositions(given):
            raise BadInput(f"{semitones} semitones would lead outside {self.lowest} to {self.highest}")
        return np.where(given >= FIRST_PITCH, given + semitones, given).astype(np.int16)


def places(grid: Grid, *, furthest: int = 64, meter_known: bool | None = None, fermatas_known: bool | None = None,
           end_known: bool = True) -> dict[str, npt.NDArray[np.int64]]:
    """Return marks of each step that a network may be told: where it is in its beat, bar and phrase.

    Args:
        grid: the music; its own pickup and meter are counted.
        furthest: distances in steps are clipped to this.
        meter_known: whether bars are known; left out, they are where ties are (the benchmark's format has neither).
        fermatas_known: whether fermatas are known; left out, they are where there is one.
        end_known: whether the steps to the end are told.

    Returns arrays [steps], `UNKNOWN` (-1) where something is not known:
        place_in_beat: step within the quarter note, from 0.
        beat_of_bar: quarter note within the bar, from 0.
        bar: bar number from 1; 0 is the pickup.
        fermata: 1 at a fermata, 0 elsewhere.
        steps_to_fermata: steps until the next fermata, 0 at one; ``furthest`` where none follows.
        bars_to_fermata: bar lines until the next fermata, clipped to ``furthest`` in the same way.
        steps_to_end: steps that follow this one.
        known: 1 where bars and fermatas are known, 0 elsewhere.
    """
    steps = np.arange(len(grid), dtype=np.int64)
    meter_known = grid.ties_known if meter_known is None else meter_known
    fermatas_known = bool(grid.fermatas) if fermatas_known is None else fermatas_known
    bar_length = 4 * grid.steps_per_beat * grid.numerator  # in parts of a step: 1 / denominator
    since = (steps - grid.pickup_steps) * grid.denominator
    bar = since // bar_length + 1
    in_bar = since % bar_length // grid.denominator
    # the next fermata of each step; len(fermatas) points at none
    fermatas = np.array(grid.fermatas, dtype=np.int64)
    following = np.searchsorted(fermatas, steps)
    reached = following < len(fermatas)
    target = np.append(fermatas, len(grid) - 1)[following]
    to_fermata = np.where(reached, np.minimum(target - steps, furthest), furthest)
    bars_to = np.where(reached, np.minimum(bar[target] - bar, furthest), furthest)
    marks = {
        "place_in_beat": (in_bar % grid.steps_per_beat, meter_known),
        "beat_of_bar": (in_bar // grid.steps_per_beat, meter_known),
        "bar": (bar, meter_known),
        "fermata": (np.isin(steps, fermatas).astype(np.int64), fermatas_known),
        "steps_to_fermata": (to_fermata, fermatas_known),
        "bars_to_fermata": (bars_to, fermatas_known and meter_known),
        "steps_to_end": (np.minimum(len(grid) - 1 - steps, furthest), end_known),
    }
    told = {name: values if known else np.full(len(grid), UNKNOWN) for name, (values, known) in marks.items()}
    return told | {"known": np.full(len(grid), int(meter_known and fermatas_known))}


def check_grid(grid: Grid, voices: int, lowest: int, highest: int, steps_per_beat: int) -> None:
    """Raise `BadInput`, with the way out, for a grid of another kind or with a pitch outside the range."""
    if grid.voice_count != voices:
        raise BadInput(f"the grid has {grid.voice_count} voices, not {voices}: "
                       f"make it with to_grid(score, voice_count={voices}), or train with voices={grid.voice_count}")
    if grid.steps_per_beat != steps_per_beat:
        raise BadInput(f"the grid has {grid.steps_per_beat} steps a beat, not {steps_per_beat}: make it with "
                       f"steps_per_beat={steps_per_beat}, or train with steps_per_beat={grid.steps_per_beat}")
    beyond = np.where(grid.pitches == SILENT, 0, np.maximum(lowest - grid.pitches, grid.pitches - highest))
    if np.any(beyond > 0):
        step, voice = np.unravel_index(beyond.argmax(), beyond.shape)  # the farthest: what fits it fits the others
        raise BadInput(f"{_where(grid, int(step))}, voice {voice + 1}: "
                       f"{out_of_range(int(grid.pitches[step, voice]), lowest, highest)}")


def _where(grid: Grid, step: int) -> str:
    """Return a step in words: ``"bar 3, beat 2.5"``; beats are quarter notes, bar 0 is the pickup."""
    bar_steps = Fraction(4 * grid.steps_per_beat * grid.numerator, grid.denominator)
    bar = math.floor((step - grid.pickup_steps) / bar_steps)
    start = max(grid.pickup_steps + bar * bar_steps, Fraction(0))
    return f"bar {bar + 1}, beat {float((step - start) / grid.steps_per_beat + 1):g}"


def check_range(lowest: int, highest: int) -> None:
    """Raise `BadInput` for a range of pitches that is none."""
    if not 0 <= lowest <= highest <= 127:
        raise BadInput(f"lowest={lowest}, highest={highest}: give MIDI pitches, 0 to 127, the lower first")


def out_of_range(pitch: int, lowest: int, highest: int) -> str:
    """Return what is wrong with a pitch and the way out, as the end of a sentence."""
    way = f"train with lowest={pitch}" if pitch < lowest else f"train with highest={pitch}"
    return (f"{pitch_name(pitch)} ({pitch}) is outside {pitch_name(lowest)} ({lowest}) to "
            f"{pitch_name(highest)} ({highest}); transpose it, or {way}")


def like_fields(like: Grid | None, steps: int, steps_per_beat: int) -> dict[str, Any]:
    """Return the fields of a grid besides its cells, for music of so many steps."""
    if like is None:
        return {}
    if like.steps_per_beat != steps_per_beat:
        raise BadInput(f"like has {like.steps_per_beat} steps a beat, the symbols {steps_per_beat}")
    names = {field.name for field in dataclasses.fields(Grid)} - {"pitches", "held", "steps_per_beat"}
    taken: dict[str, Any] = {name: getattr(like, name) for name in names}
    return taken | {"fermatas": tuple(step for step in like.fermatas if step < steps)}


def _repeated(pitches: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Return where a pitch is that of the step before; bool [steps, voices]."""
    same = np.zeros(pitches.shape, dtype=np.bool_)
    same[1:] = (pitches[1:] == pitches[:-1]) & (pitches[1:] != SILENT)
    return same
