"""What a melody network is told: by hand, step by step as whole, in every meter, and never of what comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.tokens.melody_listener import (
    AGES,
    AGREEMENT,
    HOLD,
    MOST_AGO,
    REST,
    SOURCES,
    Listener,
    Meter,
    mark_sizes,
    told_of,
)

PITCHES = 12
METERS = [Meter(), Meter(3, 4, 4), Meter(6, 8), Meter(5, 8, 2), Meter(2, 2), Meter(7, 16, 3), Meter(4, 4, 0, 12),
          Meter(1, 4), Meter(32, 4), Meter(3, 8, 0, 24)]


def lines(most: int = 90) -> st.SearchStrategy[list[int]]:
    """Symbols of lines with few pitches, so that passages recur; nothing is held over silence."""
    return st.lists(st.sampled_from([HOLD, HOLD, HOLD, REST, 2, 4, 9, 13]), min_size=1, max_size=most).map(tidied)


def tidied(symbols: list[int]) -> list[int]:
    found: list[int] = []
    for symbol in symbols:
        silent = not found or found[-1] == REST
        found.append(REST if symbol == HOLD and silent else symbol)
    return found


def step_by_step(rows: np.ndarray, meter: Meter) -> dict[str, np.ndarray]:
    """Return what a listener tells before each step of lines [rows, steps]: arrays [rows, steps, ...]."""
    listener, found = Listener(len(rows), meter, PITCHES), []
    for now in rows.T:
        found.append(listener.told())
        listener.hear(now)
    return {name: np.stack([each[name] for each in found], 1) for name in found[0]}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(values, other[name]) for name, values in one.items())


@pytest.mark.parametrize("meter", METERS, ids=str)
@settings(max_examples=12, deadline=None)
@given(line=lines())
def test_step_by_step_is_the_same_as_whole(meter: Meter, line: list[int]) -> None:
    told = step_by_step(np.array([line]), meter)
    assert same({name: values[0] for name, values in told.items()}, told_of(line, meter, PITCHES))


def test_rows_do_not_look_at_each_other_and_go_on_from_their_parents() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([tidied(rng.choice([0, 0, 0, 1, 2, 4, 9], 70).tolist()) for _ in range(4)])
    parents, meter = [3, 3, 0, 1], Meter(3, 4)
    listener = Listener(4, meter, PITCHES)
    for now in rows[:, :40].T:
        listener.hear(now)
    listener.reorder(parents)
    joined = np.concatenate([rows[parents, :40], np.full((4, 1), 5), rows[:, 41:]], 1)
    for step in range(40, 70):
        told = listener.told()
        for row in range(4):
            whole = told_of(joined[row], meter, PITCHES)
            assert all(np.array_equal(whole[name][step], values[row]) for name, values in told.items())
        listener.hear(joined[:, step])


def test_a_long_line_is_told_alike() -> None:
    rng = np.random.default_rng(1)
    theme = tidied(rng.choice([0, 0, 1, 2, 4, 9], 300).tolist())
    rows = np.array([tidied([*theme, *rng.choice([0, 2], 900), *theme])])
    assert rows.shape[1] > MOST_AGO
    assert same({name: values[0] for name, values in step_by_step(rows, Meter()).items()},
                told_of(rows[0], Meter(), PITCHES))


@pytest.mark.parametrize("meter", [Meter(), Meter(5, 8, 2)], ids=str)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_nothing_is_told_of_what_comes(meter: Meter, data: st.DataObject) -> None:
    line = data.draw(lines())
    cut = data.draw(st.integers(0, len(line) - 1))
    other = tidied([*line[:cut], *data.draw(lines())])
    one, another = told_of(line, meter, PITCHES), told_of(other, meter, PITCHES)
    for name, values in one.items():
        assert np.array_equal(values[:cut + 1], another[name][:cut + 1]), name


def test_what_is_told_by_hand() -> None:
    line = [REST, 5, HOLD, HOLD, 7, 7, REST, REST, 5]
    told = told_of(line, Meter(1, 4), PITCHES)
    silent, before_all = PITCHES, PITCHES + 1
    assert told["before"].tolist() == [before_all, silent, 3, 3, 3, 5, 5, silent, silent]
    assert told["last"].tolist() == [silent, silent, 3, 3, 3, 5, 5, 5, 5]
    assert told["age"].tolist() == [0, 0, 0, 1, 2, 0, 0, 0, 1]
    assert told["source"][:, 0].tolist() == [before_all] * 4 + [silent, 3, 3, 3, 5], "a bar of four steps ago"
    assert told["struck"][:, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 1]
    assert told["source"].shape == told["struck"].shape == (9, SOURCES) and told["agreed"].shape == (9, SOURCES, 2)
    assert (told["source"][:, 3] == before_all).all(), "eight bars ago there was nothing"


def test_the_longest_match_points_to_what_followed() -> None:
    theme = [2, HOLD, 4, HOLD, 9, HOLD, 13, 4]
    line = [*theme, 6, 6, 6, *theme[:6]]
    told = told_of([*line, HOLD], Meter(), PITCHES)
    assert told["source"][-1, -1] == 13 - 2 and told["struck"][-1, -1] == 1
    assert told["agreed"][-1, -1].tolist() == [np.searchsorted(AGREEMENT, 6, side="right")] * 2
    rhythm = [*theme, *[symbol + 1 if symbol > REST else symbol for symbol in theme[:6]]]
    told = told_of([*rhythm, HOLD], Meter(2, 4), PITCHES)
    assert told["agreed"][-1, 0].tolist() == [np.searchsorted(AGREEMENT, 1, side="right"),
                                              np.searchsorted(AGREEMENT, 6, side="right")], \
        "a bar ago the rhythm was the same for longer than the notes (a hold alone)"


@pytest.mark.parametrize("meter", METERS, ids=str)
def test_marks_count_the_meter(meter: Meter) -> None:
    spb = meter.steps_per_beat
    marks = meter.marks(np.arange(40 * spb))
    sizes = mark_sizes(spb)
    assert marks.shape == (40 * spb, len(sizes)) and (marks >= 0).all() and (marks < sizes).all()
    bar_steps = 4 * spb * meter.numerator / meter.denominator
    assert meter.steps_ago(1) == max(round(bar_steps), 1) and meter.steps_ago(4) == round(4 * bar_steps)
    first = marks[meter.pickup_steps]
    assert first[:2].tolist() == [0, 0] and first[4] == 1, "the first full bar is bar 1"
    assert meter.pickup_steps == 0 or marks[0, 4] == 0
    downbeats = np.flatnonzero((marks[:, 0] == 0) & (marks[:, 1] == 0) & (np.append(-1, marks[:-1, 4]) != marks[:, 4]))
    assert len(downbeats) >= int(40 * spb / bar_steps) - 1 or bar_steps > 16 * spb
    assert (marks[:, 2] == min(meter.numerator, 16)).all() and (1 << marks[0, 3]) == meter.denominator


def test_ages_and_bars_are_bounded() -> None:
    told = told_of([2, *[HOLD] * 600], Meter(1, 4), PITCHES)
    assert told["age"].max() == AGES and told["place"][:, 4].max() == 16
    assert told["place"][4 * 17 - 1, 4] == 9, "from bar 17 on they go round"
