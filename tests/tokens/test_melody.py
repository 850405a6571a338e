"""Melodies: exact ways to grids and symbols and back, each encoding and its inverse, whole and step by step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.tokens.grid import HOLD, REST, GridTokens
from componium.tokens.melody import (
    NO_EVENT,
    NOTE_OFF,
    KeyMelody,
    Lookback,
    OneHot,
    Series,
    events_from_symbols,
    events_of,
    grid_of,
    major_key,
    shifted,
    sounding,
    squashed,
    symbols_from_events,
    tidied,
)
from componium.tokens.melody_events import IN_KEY

GO, OFF = NO_EVENT, NOTE_OFF
ENCODINGS = [OneHot(), OneHot(0, 127), Lookback(), Lookback(48, 83, (1, 2, 5), 3), KeyMelody(),
             KeyMelody(48, 83, (3,), 0, 12), Series()]
LONGEST = 4096


def named(encoding) -> str:
    return f"{type(encoding).__name__}-{encoding.size}"


@st.composite
def written(draw: st.DrawFn, most: int = 60) -> np.ndarray:
    """Draw events as a network may write them: few pitches, so that they recur, and note-offs anywhere."""
    events = draw(st.lists(st.sampled_from([GO, GO, GO, OFF, 48, 60, 62, 72, 83]), min_size=1, max_size=most))
    return np.array(events, dtype=np.int16)


def melodies(most: int = 60) -> st.SearchStrategy[np.ndarray]:
    return written(most).map(tidied)


EXTREMES = {
    "one step of silence": [GO], "one note": [60], "silence": [GO] * 40, "a note that never ends": [60] + [GO] * 99,
    "a note on each step": [60, 62] * 30, "rests between all notes": [60, OFF] * 30,
    "the longest": [60, GO, 64, OFF] * (LONGEST // 4), "no step": [],
}


# Grids and symbols

@settings(max_examples=60, deadline=None)
@given(melodies())
def test_a_melody_comes_back_from_its_grid_and_from_its_symbols(events):
    grid = grid_of(events, numerator=3, key="D minor")
    assert np.array_equal(events_of(grid), events)
    assert events_of(grid).dtype == np.int16
    assert np.array_equal(grid.pitches[:, 0], sounding(events))
    tokens = GridTokens(voices=1, lowest=40, highest=90)
    symbols = symbols_from_events(events, tokens)
    assert np.array_equal(symbols, tokens.encode(grid))
    assert np.array_equal(events_from_symbols(symbols, tokens), events)
    assert np.array_equal(events_from_symbols(symbols[:, 0], tokens), events)


@settings(max_examples=60, deadline=None)
@given(melodies(), st.booleans())
def test_a_grid_comes_back_from_its_melody(events, ties_known):
    grid = grid_of(events, steps_per_beat=12, pickup_steps=6, fermatas=(0,))
    if not ties_known:
        grid = dataclasses.replace(Grid.from_pitches(grid.pitches, steps_per_beat=12), pickup_steps=6)
    assert grid_of(events_of(grid), like=grid) == grid


@settings(max_examples=60, deadline=None)
@given(written())
def test_a_note_off_where_nothing_sounds_changes_nothing(events):
    assert np.array_equal(sounding(tidied(events)), sounding(events))
    assert grid_of(tidied(events)) == grid_of(events)
    assert np.array_equal(events_of(grid_of(events)), tidied(events))


def test_events_by_hand():
    events = [GO, GO, 60, GO, 60, OFF, GO, 62, OFF, 62]
    assert sounding(events).tolist() == [-1, -1, 60, 60, 60, -1, -1, 62, -1, 62]
    symbols = symbols_from_events(events, GridTokens(voices=1, lowest=60, highest=62))[:, 0]
    assert symbols.tolist() == [REST, REST, 2, HOLD, 2, REST, REST, 4, REST, 4]
    assert tidied([OFF, 60, OFF, GO, OFF, 60]).tolist() == [GO, 60, OFF, GO, GO, 60]


# Encodings

@pytest.mark.parametrize("encoding", ENCODINGS, ids=named)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_events_come_back_from_their_labels(encoding, data):
    events = data.draw(melodies() if isinstance(encoding, Series) else written())
    labels = encoding.labels(events)
    assert labels.dtype == np.int64
    assert labels.min() >= 0
    assert labels.max() < encoding.size
    assert np.array_equal(encoding.events(labels), events)
    assert encoding.events(labels).dtype == np.int16


@pytest.mark.parametrize("encoding", ENCODINGS, ids=named)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_step_by_step_is_the_same_as_whole(encoding, data):
    steps, rows = data.draw(st.integers(1, 40)), 3
    long = st.lists(st.sampled_from([GO, GO, OFF, 48, 60, 62, 72, 83]), min_size=steps, max_size=steps)
    events = np.array([data.draw(long) for _ in range(rows)], dtype=np.int16)
    events = np.stack([tidied(row) for row in events])
    whole = np.stack([encoding.inputs(row) for row in events], axis=1)  # [steps, rows, input_size]
    labels = np.stack([encoding.labels(row)[:steps] for row in events], axis=1)
    assert whole.dtype == np.float32
    assert whole.shape == (steps, rows, encoding.input_size)
    state = encoding.start(rows)
    for step in range(steps):
        assert encoding.repeats(state).shape == (rows, encoding.size - encoding.classes)
        assert np.array_equal(encoding.meant(state, labels[step]), events[:, step])
        assert np.array_equal(encoding.advance(state, events[:, step]), whole[step])
    assert state.steps == steps


@pytest.mark.parametrize("encoding", ENCODINGS, ids=named)
def test_rows_go_on_from_their_parents(encoding):
    rng = np.random.default_rng(0)
    events = np.stack([tidied(row) for row in rng.choice([GO, OFF, 50, 60, 62, 70], size=(4, 80))])
    parents, state = [2, 2, 0, 3, 1], encoding.start(4)
    for step in range(50):
        encoding.advance(state, events[:, step])
    state.reorder(parents)
    after = np.where(events[[1, 3, 0, 2, 2], 50:] == OFF, 55, events[[1, 3, 0, 2, 2], 50:])
    for step in range(30):
        inputs = encoding.advance(state, after[:, step])
        for row, parent in enumerate(parents):
            heard = np.concatenate([events[parent, :50], after[row, :step + 1]])
            assert np.array_equal(inputs[row], encoding.inputs(heard)[-1])


@pytest.mark.parametrize("encoding", ENCODINGS, ids=named)
@pytest.mark.parametrize("kind", EXTREMES)
def test_extremes_come_back_and_have_inputs(encoding, kind):
    events = np.array(EXTREMES[kind], dtype=np.int16)
    assert np.array_equal(encoding.events(encoding.labels(events)), events)
    inputs = encoding.inputs(events)
    assert inputs.shape == (len(events), encoding.input_size)
    assert np.all(np.isin(inputs, (-1, 0, 1)))


@pytest.mark.parametrize("encoding", ENCODINGS, ids=named)
def test_a_state_does_not_grow(encoding):
    def size(state):
        return sum(value.nbytes for value in vars(state).values() if isinstance(value, np.ndarray))

    state = encoding.start(2)
    before = size(state)
    for _ in range(200):
        encoding.advance(state, np.array([60, NOTE_OFF]))
    assert size(state) == before


@pytest.mark.parametrize("encoding", [each for each in ENCODINGS if each.size != 130], ids=named)
def test_a_pitch_outside_the_range_is_named_with_the_way_out(encoding):
    for ask in (encoding.labels, encoding.inputs, lambda events: encoding.advance(encoding.start(3), events)):
        with pytest.raises(BadInput, match=r"step 1: C6 \(84\) is outside C3 \(48\) to B5 \(83\).*squashed"):
            ask(np.array([60, 84, 0]))


def test_the_sizes_are_the_published_ones():
    sizes = [(each.size, each.input_size) for each in (OneHot(), OneHot(0, 127), Lookback(), KeyMelody())]
    assert sizes == [(38, 38), (130, 130), (40, 121), (40, 74)]
    assert [each.size - each.classes for each in (OneHot(), Lookback(), KeyMelody(), Series())] == [0, 2, 2, 0]


# By hand

def test_the_farther_repeat_wins_and_silence_before_the_beginning_is_one():
    short = Lookback(60, 62, (2, 4), 2)  # classes: 0 goes on, 1 off, 2 to 4 pitches; 5 and 6 repeat
    events = [60, GO, 60, 61, 60, 61, 62, OFF]
    assert short.labels(events).tolist() == [2, 6, 5, 3, 6, 5, 4, 1]
    state = short.start(1)
    for event in events[:6]:
        short.advance(state, [event])
    assert short.repeats(state).tolist() == [[2, 2]]  # 60 was two steps ago, and four
    assert short.meant(state, [5]).tolist() == short.meant(state, [6]).tolist() == [60]


def test_the_lookback_input_by_hand():
    short = Lookback(60, 61, (2, 3), 2)  # 4 classes
    row = short.inputs([60, 61, 60, OFF])[2].tolist()
    assert row[:4] == [0, 0, 1, 0]  # 60
    assert row[4:8] == [0, 0, 0, 1]  # two steps before the next: 61
    assert row[8:12] == [0, 0, 1, 0]  # three steps before the next: 60
    assert row[12:14] == [1, 1]  # the next is step 3
    assert row[14:] == [1, 0]  # it repeats two steps ago; three steps ago is before the beginning


def test_the_key_melody_input_by_hand():
    inputs = KeyMelody().inputs([60, OFF, 67, GO, 65, 65])
    assert np.flatnonzero(inputs[:, 36]).tolist() == [0, 2, 3, 4, 5]  # a note sounds
    assert np.flatnonzero(inputs[:, 37]).tolist() == [1]  # none does
    assert inputs[:, 38].tolist() == [1, 1, 1, 0, 1, 1]  # as the original, the note-off after one step counts, too
    assert inputs[:, 39].tolist() == [0, 0, 1, 1, -1, -1]
    assert np.flatnonzero(inputs[2, 50:62]).tolist() == [0, 3, 5, 7, 8, 10]  # the major keys with C and G
    assert np.flatnonzero(inputs[4, 50:62]).tolist() == [0, 3, 5, 8, 10]  # and F
    fourth = KeyMelody().inputs([60, 62, 64, 66])[3, 62:]
    assert np.flatnonzero(fourth).tolist() == [2, 7, 9]  # D, E and F sharp; C is forgotten


def test_the_lowest_midi_pitch_sounds():
    assert KeyMelody(0, 127).inputs([0])[0, [0, 128, 129]].tolist() == [1, 1, 0]


def test_series_words_by_hand():
    series = Series()
    labels = series.labels([GO, GO, 60, GO, OFF, 62])
    assert series.words(labels) == ["r", "_", "60", "_", "r", "62", "/"]
    assert np.array_equal(series.labels_of("r _ 60 _ r 62 /"), labels)
    assert series.events(series.labels_of("60 _ / / 62")).tolist() == [60, GO]
    assert series.meant(series.start(3), [series.end, 1, 2]).tolist() == [GO, GO, 48]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, Series().size - 1)))
def test_any_words_come_back_from_their_numbers(labels):
    words = Series().words(labels)
    assert Series().labels_of(words).tolist() == Series().labels_of(" ".join(words)).tolist() == labels


# Moving

@settings(max_examples=60, deadline=None)
@given(melodies(), st.integers(-12, 12), st.integers(0, 11))
def test_a_melody_is_moved_to_the_key_and_back(events, by, to_key):
    moved, semitones = squashed(shifted(events, by), 24, 107, to_key)
    fits = IN_KEY[moved[moved >= 0] % 12].sum(axis=0)
    assert fits[to_key] == fits.max()  # there may be other keys that hold as many
    assert np.array_equal(shifted(moved, -semitones), shifted(events, by))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-2, 127)), st.integers(-60, 60), st.integers(0, 100), st.integers(11, 27))
def test_what_is_folded_stays_in_the_range_and_keeps_its_name(events, semitones, lowest, width):
    given = np.array(events, dtype=np.int16)
    moved = shifted(given, semitones, lowest, lowest + width)
    notes = given >= 0
    assert np.array_equal(moved[~notes], given[~notes])
    assert np.all((moved[notes] >= lowest) & (moved[notes] <= lowest + width))
    assert np.all((moved[notes] - given[notes] - semitones) % 12 == 0)


def test_a_key_is_found_and_the_octave_nearest_to_the_middle():
    g_major = [67, 69, 71, 72, 74, 76, 78, 79]
    assert major_key(g_major) == 7
    moved, semitones = squashed(g_major)
    assert (moved.tolist(), semitones) == ([60, 62, 64, 65, 67, 69, 71, 72], -7)
    assert squashed([GO, GO])[1] == 0
    assert squashed([30, 100], 48, 83, None)[0].tolist() == [54, 76]


# What does not fit

@pytest.mark.parametrize(("ask", "words"), [
    (lambda: OneHot(50, 40), "the lower first"),
    (lambda: OneHot().labels([60.0]), "whole numbers"),
    (lambda: OneHot().labels([[60]]), "shape"),
    (lambda: OneHot().labels([60, -3]), "step 1 is -3"),
    (lambda: OneHot().labels([128]), "step 0 is 128"),
    (lambda: OneHot().events([0, 38]), "step 1 is 38: labels are 0 to 37"),
    (lambda: OneHot().events([0.5]), "whole numbers"),
    (lambda: Lookback(distances=()), "ascending"),
    (lambda: Lookback(distances=(32, 16)), "ascending"),
    (lambda: Lookback(counter_bits=-1), "binary digits"),
    (lambda: KeyMelody(distances=(0, 16)), "at least 1"),
    (lambda: KeyMelody(steps_per_bar=0), "steps_per_bar=0"),
    (lambda: Lookback().advance(Lookback().start(2), [60]), "1 events were given for 2 rows"),
    (lambda: Series().events([0, 5]), "begin with"),
    (lambda: Series().labels_of("60 _ x"), "word 2 is 'x'"),
    (lambda: Series().labels_of("84"), "transpose"),
    (lambda: squashed([60], 60, 70), "at least an octave"),
    (lambda: squashed([60], to_key=12), "to_key=12"),
    (lambda: events_of(Grid.from_pitches([[60, 48]])), "voice_count=1"),
    (lambda: grid_of([]), "no steps"),
    (lambda: symbols_from_events([60], GridTokens(voices=4)), "GridTokens"),
    (lambda: symbols_from_events([90]), "outside"),
    (lambda: events_from_symbols([[1, 2]]), r"\[steps, 1\]"),
    (lambda: events_from_symbols([1.5]), "whole numbers"),
    (lambda: events_from_symbols([0]), "none sounds before"),
])
def test_what_does_not_fit_is_said_with_the_way_out(ask, words):
    with pytest.raises(BadInput, match=words):
        ask()
