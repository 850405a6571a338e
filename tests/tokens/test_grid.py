"""Grid symbols: visible arithmetic, an exact inverse, and one sentence for what does not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.tokens.grid import FIRST_PITCH, HOLD, REST, SILENT, GridTokens, places

TOKENS = GridTokens(voices=3, lowest=48, highest=72)


@st.composite
def symbol_tables(draw: st.DrawFn, tokens: GridTokens = TOKENS) -> np.ndarray:
    """Draw valid symbols by the grammar alone: each one from what `allowed_after` allows."""
    rows, sounding = [], [SILENT] * tokens.voices
    for _ in range(draw(st.integers(1, 12))):
        row = []
        for voice in range(tokens.voices):
            symbol = int(draw(st.sampled_from(np.flatnonzero(tokens.allowed_after(sounding[voice])).tolist())))
            if symbol != HOLD:
                sounding[voice] = SILENT if symbol == REST else tokens.pitch_of(symbol)
            row.append(symbol)
        rows.append(row)
    return np.array(rows, dtype=np.int16)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    steps = draw(st.integers(1, 16))
    cells = st.lists(st.sampled_from([SILENT, 48, 60, 72]), min_size=3, max_size=3)
    pitches = np.array(draw(st.lists(cells, min_size=steps, max_size=steps)), dtype=np.int16)
    same = Grid.from_pitches(pitches).held
    ties_known = draw(st.booleans())
    if ties_known:
        told = draw(st.lists(st.booleans(), min_size=same.size, max_size=same.size))
        same = same & np.array(told).reshape(same.shape)
    return Grid(pitches, same, numerator=3, pickup_steps=draw(st.sampled_from([0, 4])), key="D minor",
                fermatas=tuple(sorted(draw(st.sets(st.integers(0, steps - 1), max_size=3)))), ties_known=ties_known)


@settings(max_examples=80, deadline=None)
@given(grids())
def test_any_grid_comes_back_exactly(grid):
    symbols = TOKENS.encode(grid)
    assert symbols.dtype == np.int16 and symbols.shape == grid.pitches.shape
    assert TOKENS.decode(symbols, like=grid) == grid
    assert np.array_equal(TOKENS.sounding(symbols), grid.pitches)
    assert np.array_equal(TOKENS.unflat(TOKENS.flat(symbols)), symbols)


@settings(max_examples=80, deadline=None)
@given(symbol_tables())
def test_any_valid_symbols_come_back_exactly(symbols):
    assert np.array_equal(TOKENS.encode(TOKENS.decode(symbols)), symbols)


def test_symbols_are_visible_arithmetic():
    tokens = GridTokens()
    assert (tokens.size, tokens.symbol_of(36), tokens.symbol_of(81)) == (48, 2, 47)
    assert [tokens.pitch_of(symbol) for symbol in range(FIRST_PITCH, tokens.size)] == list(range(36, 82))
    for wrong in (35, 82):
        with pytest.raises(BadInput, match="outside"):
            tokens.symbol_of(wrong)
    for wrong in (REST, tokens.size, -1):
        with pytest.raises(BadInput, match="no pitch's symbol"):
            tokens.pitch_of(wrong)


def test_the_small_example():
    tokens = GridTokens(voices=2, lowest=60, highest=64)
    grid = Grid([[64, -1], [64, -1], [64, 60], [-1, 60]], [[0, 0], [1, 0], [0, 0], [0, 1]])
    assert tokens.encode(grid).tolist() == [[6, REST], [HOLD, REST], [6, 2], [REST, HOLD]]
    assert tokens.flat(tokens.encode(grid)).tolist() == [6, 1, 0, 1, 6, 2, 1, 0]


def test_where_ties_are_not_known_repeats_are_held():
    tokens = GridTokens(voices=1)
    grid = Grid.from_pitches([[60], [60], [62]])
    assert tokens.encode(grid).tolist() == [[26], [HOLD], [28]]
    assert tokens.decode([[26], [26], [28]], like=grid) == grid
    assert tokens.decode([[26], [26], [28]]).held.tolist() == [[False]] * 3


def test_what_a_grid_like_gives():
    like = Grid(np.full((8, 1), 60), np.zeros((8, 1)), numerator=3, pickup_steps=2, key="g", fermatas=(1, 7))
    tokens = GridTokens(voices=1)
    shorter = tokens.decode(tokens.encode(like)[:4], like=like, key=None)
    assert (shorter.numerator, shorter.pickup_steps, shorter.key, shorter.fermatas) == (3, 2, None, (1,))
    with pytest.raises(BadInput, match="4 steps a beat, the symbols 12"):
        GridTokens(voices=1, steps_per_beat=12).decode([[REST]], like=like)


@pytest.mark.parametrize(("grid", "words"), [
    (Grid.from_pitches([[60, 60]]), "2 voices, not 3.*voice_count=3.*voices=2"),
    (Grid.from_pitches([[60, 60, 60]], steps_per_beat=12), "12 steps a beat, not 4.*steps_per_beat=12"),
    (Grid.from_pitches([[60, 60, 47]]), r"^bar 1, beat 1, voice 3: B2 \(47\) is outside C3 \(48\) to C5 \(72\); "
                                       "transpose it, or train with lowest=47"),
    (Grid.from_pitches([[73, 60, 60]]), "train with highest=73"),
    (Grid.from_pitches([[73, 60, 60]] * 21 + [[76, 60, 60]]), "^bar 2, beat 2.25, voice 1: E5 .*train with highest=76"),
    (dataclasses.replace(Grid.from_pitches([[60, 60, 60]] * 6 + [[73, 60, 60]] * 4), pickup_steps=8),
     "^bar 0, beat 2.5, voice 1"),
])
def test_a_grid_that_does_not_fit_is_refused_with_the_way_out(grid, words):
    with pytest.raises(BadInput, match=words):
        TOKENS.encode(grid)


@pytest.mark.parametrize(("symbols", "words"), [
    ([[2, 2, HOLD]], "step 0, voice 2 holds"),
    ([[2, REST, 2], [HOLD, HOLD, HOLD]], "step 1, voice 1 holds"),
    ([[2, 2, 27]], "step 0, voice 2 is 27: symbols are 0 to 26"),
    ([[2, 2, -1]], "is -1"),
    ([[2, 2]], r"\[steps, 3\], not \[1, 2\]"),
    (np.zeros((0, 3), dtype=np.int16), r"not \[0, 3\]"),
    ([2, 2, 2], r"not \[3\]"),
    ([[2.0, 2.0, 2.5]], "whole numbers"),
])
def test_what_are_no_symbols_is_refused(symbols, words):
    with pytest.raises(BadInput, match=words):
        TOKENS.decode(symbols)


def test_half_a_step_is_refused():
    with pytest.raises(BadInput, match="5 symbols are no whole steps of 3 voices"):
        TOKENS.unflat([2] * 5)


@pytest.mark.parametrize("wrong", [{"voices": 0}, {"lowest": 60, "highest": 59}, {"highest": 128},
                                   {"steps_per_beat": 0}])
def test_settings_that_are_none_are_refused(wrong):
    with pytest.raises(BadInput, match="give"):
        GridTokens(**wrong)


def test_a_hold_is_allowed_only_where_a_note_sounds():
    allowed = TOKENS.allowed_after(np.array([[SILENT, 60]]))
    assert allowed.shape == (1, 2, TOKENS.size)
    assert not allowed[0, 0, HOLD] and allowed[0, 0, 1:].all() and allowed[0, 1].all()
    assert TOKENS.allowed_after(60).shape == (TOKENS.size,)


def test_transposition_keeps_to_the_range():
    symbols = TOKENS.encode(Grid.from_pitches([[70, 60, -1], [70, 60, 50]]))
    assert TOKENS.transpositions(symbols) == range(-2, 3)
    for semitones in (-2, 0, 2):
        moved = TOKENS.decode(TOKENS.transposed(symbols, semitones))
        assert moved.pitches.tolist() == [[70 + semitones, 60 + semitones, -1], [70 + semitones, 60 + semitones,
                                                                                 50 + semitones]]
    for semitones in (-3, 3):
        with pytest.raises(BadInput, match="outside 48 to 72"):
            TOKENS.transposed(symbols, semitones)
    assert TOKENS.transpositions(np.full((2, 3), REST)) == range(1)


def test_places_count_pickup_bars_and_fermatas():
    grid = Grid(np.full((30, 1), 60), np.zeros((30, 1)), numerator=3, pickup_steps=4, fermatas=(3, 15))
    told = places(grid, furthest=20)
    assert told["beat_of_bar"][:9].tolist() == [2] * 4 + [0] * 4 + [1]
    assert told["place_in_beat"][:6].tolist() == [0, 1, 2, 3, 0, 1]
    assert told["bar"][[0, 3, 4, 15, 16, 29]].tolist() == [0, 0, 1, 1, 2, 3]
    assert told["steps_to_fermata"][[0, 3, 4, 15, 16, 29]].tolist() == [3, 0, 11, 0, 20, 20]
    assert told["bars_to_fermata"][[0, 3, 4, 16]].tolist() == [0, 0, 0, 20]
    assert np.flatnonzero(told["fermata"]).tolist() == [3, 15]
    assert told["steps_to_end"][[0, 9, 10, 29]].tolist() == [20, 20, 19, 0]
    assert told["known"].tolist() == [1] * 30
    assert all(values.shape == (30,) and values.dtype == np.int64 for values in told.values())


@pytest.mark.parametrize(("meter", "steps_per_beat", "places_in_bar"), [
    ((6, 8), 4, 12), ((5, 8), 4, 10), ((2, 2), 12, 48), ((3, 16), 4, 3), ((4, 4), 24, 96),
])
def test_places_of_other_meters(meter, steps_per_beat, places_in_bar):
    grid = Grid(np.full((200, 1), 60), np.zeros((200, 1)), steps_per_beat, *meter)
    told = places(grid)
    assert np.flatnonzero(np.diff(told["bar"]))[0] + 1 == places_in_bar
    steps = told["beat_of_bar"] * steps_per_beat + told["place_in_beat"]
    assert steps.tolist() == [step % places_in_bar for step in range(200)]


def test_places_say_what_is_not_known():
    told = places(Grid.from_pitches([[60], [62]]), end_known=False)
    assert {name: set(values.tolist()) for name, values in told.items()} \
        == {name: {-1} for name in told if name != "known"} | {"known": {0}}
    told = places(Grid.from_pitches([[60], [62]]), meter_known=True, fermatas_known=True)
    assert told["beat_of_bar"].tolist() == [0, 0] and told["steps_to_fermata"].tolist() == [64, 64]
