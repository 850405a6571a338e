"""What a sheet of chorales has besides: a key that it begins and ends in, and fermatas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from componium.composers.chorale_rnn.corpus import Learned
from componium.music.keys import Key
from componium.tokens.grid import FIRST_PITCH, GridTokens
from componium.tokens.sheets import Sheet, bar_steps


def in_key(sheet: Sheet, key: Key, tokens: GridTokens) -> Sheet:
    """Return a sheet whose first and last chords are the tonic's, with the root in the lowest voice."""
    tonic = key.tonic_pitch_class
    third = (tonic + (3 if key.is_minor else 4)) % 12
    symbols = np.arange(tokens.size)
    classes = (symbols - FIRST_PITCH + tokens.lowest) % 12
    onset, possible = symbols >= FIRST_PITCH, sheet.possible.copy()
    at_end = sheet.grid.fermatas[-1] if sheet.grid.fermatas else len(sheet) - min(len(sheet), tokens.steps_per_beat)
    for step, thirds in ((0, {third}), (at_end, {third, (tonic + 4) % 12})):
        chord = onset & np.isin(classes, [tonic, (tonic + 7) % 12, *thirds])
        for voice in range(tokens.voices):
            lowest = voice == tokens.voices - 1
            possible[step, voice] &= onset & (classes == tonic) if lowest else chord
    possible[at_end + 1:, :, FIRST_PITCH:] = False
    return replace(sheet, possible=possible)


def with_fermatas(sheet: Sheet, learned: Learned, *, phrase_bars: int, from_step: int = 0) -> Sheet:
    """Return a sheet with a fermata at the end of every ``phrase_bars`` bars and of the piece, if the corpus has them.

    Args:
        sheet: the sheet.
        learned: tells on which beat they mostly stand.
        phrase_bars: bars a phrase; 0 for one long phrase.
        from_step: the first open step; earlier ones keep their own.
    """
    grid = sheet.grid
    meter, length = (grid.numerator, grid.denominator), bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat)
    inner, final = learned.fermata_beat(meter, at_end=False), learned.fermata_beat(meter, at_end=True)
    if final is None or inner is None:
        return sheet
    first = -(-(from_step - grid.pickup_steps) // length)  # whole bars before the new music
    bars = -(-(len(sheet) - grid.pickup_steps) // length)
    last = grid.pickup_steps + (bars - 1) * length + final * grid.steps_per_beat
    steps = [step for step in grid.fermatas if step < from_step]
    if phrase_bars:
        ends = range(first + phrase_bars - 1, bars - 1, phrase_bars)
        steps += [grid.pickup_steps + bar * length + inner * grid.steps_per_beat for bar in ends]
    fermatas = sorted({step for step in [*steps, last] if 0 <= step < len(sheet)})
    return replace(sheet, grid=replace(grid, fermatas=tuple(fermatas)))

