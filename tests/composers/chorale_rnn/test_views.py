"""What the network is told of a piece, and the examples that are cut from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from componium.music.grid import Grid, to_grid
from componium.music.item import Item

pytest.importorskip("torch")

from componium.composers.chorale_rnn import composing, views
from componium.tokens.grid import GridTokens

TOKENS = GridTokens()
ARRAYS = {"now", "struck", "before", "age", "target", "place", "ties"}


def marked(steps: int, **fields: Any) -> np.ndarray:
    shape = (steps, 4)
    return views.marks_of(Grid(np.full(shape, 60, np.int16), np.arange(steps)[:, None] * np.ones(4) > 0, **fields))


@pytest.mark.parametrize(("meter", "pickup", "spb"), [
    ((4, 4), 0, 4), ((4, 4), 4, 4), ((4, 4), 2, 4), ((3, 4), 4, 4), ((6, 8), 2, 4), ((3, 2), 8, 4), ((5, 4), 0, 12),
    ((12, 8), 0, 4), ((2, 2), 3, 4), ((7, 8), 6, 12)])
def test_places_are_counted_from_the_bar_lines(meter: tuple[int, int], pickup: int, spb: int):
    bar = meter[0] * 4 * spb // meter[1]
    marks = marked(3 * bar + pickup, numerator=meter[0], denominator=meter[1], pickup_steps=pickup, steps_per_beat=spb)
    for step in range(len(marks)):
        in_bar = (step - pickup) % bar
        assert marks[step, :3].tolist() == [in_bar % spb, in_bar // spb, -(-bar // spb)]


def test_beats_are_counted_from_the_beginning_where_bars_are_not_known():
    marks = views.marks_of(Grid.from_pitches(np.full((40, 4), 60)))
    assert marks[:, 0].tolist() == [step % 4 for step in range(40)]
    assert marks[:, 1].tolist() == [16 + step // 4 % 4 for step in range(40)]
    assert (marks[:, 2] == 0).all() and (marks[:, 3] == views.NOT_TOLD).all()


def test_distances_are_in_beats_rounded_up():
    marks = marked(100, fermatas=(9, 30))
    for step in range(100):
        following = [fermata - step for fermata in (9, 30) if fermata >= step]
        assert marks[step, 3] == (min(-(-following[0] // 4), 16) if following else 16)
        assert marks[step, 4] == min(-(-(99 - step) // 4), 16)
    assert (marked(20)[:, 3] == views.NOT_TOLD).all()


def test_every_mark_has_a_number_that_the_network_knows(random_grid: Callable[..., Grid]):
    for spb, meter in ((4, (4, 4)), (12, (17, 16)), (4, (32, 4)), (1, (3, 4))):
        for known in (True, False):
            grid = random_grid(0, 90, steps_per_beat=spb, numerator=meter[0], denominator=meter[1], fermatas=(70,))
            grid = grid if known else Grid.from_pitches(grid.pitches, steps_per_beat=spb)
            marks = views.marks_of(grid)
            assert (marks >= 0).all() and (marks.max(axis=0) < views.mark_sizes(spb)).all()


def test_marks_that_are_not_told_are_those_of_music_that_has_none(random_grid: Callable[..., Grid]):
    grid = random_grid(1, 50, numerator=3, pickup_steps=4, fermatas=(20,))
    told = views.marks_of(grid)
    for meter in (True, False):
        for fermatas in (True, False):
            for end in (True, False):
                hidden = views.without_marks(told, meter=meter, fermatas=fermatas, end=end)
                assert (hidden == views.marks_of(grid, meter=not meter, fermatas=not fermatas, end=not end)).all()
    assert (views.without_marks(told[8:], meter=True, fermatas=False, end=False, first_step=8)[:, 1]
            == views.marks_of(grid, meter=False)[8:, 1]).all()


def seen_slowly(grid: Grid) -> dict[str, np.ndarray]:
    found = {name: np.zeros(grid.pitches.shape, np.int64) for name in ("now", "struck", "before", "age")}
    for voice in range(4):
        age = 0
        for step in range(len(grid)):
            pitch = int(grid.pitches[step, voice])
            previous = int(grid.pitches[step - 1, voice]) if step else None
            found["before"][step, voice] = 47 if previous is None else 46 if previous < 0 else previous - 36
            found["age"][step, voice] = age
            found["now"][step, voice] = 46 if pitch < 0 else pitch - 36
            found["struck"][step, voice] = pitch >= 0 and not grid.held[step, voice]
            goes_on = step and (grid.held[step, voice] or (pitch < 0 and previous == pitch))
            age = age + 1 if goes_on else 0
    return found


def test_what_is_seen_of_each_step(random_grid: Callable[..., Grid]):
    grid = random_grid(2, 40)
    found = views.seen(TOKENS.encode(grid).astype(np.int64), TOKENS)
    for name, wanted in seen_slowly(grid).items():
        assert (found[name] == wanted).all(), name


def prepared_of(grid: Grid) -> dict[str, np.ndarray]:
    return views.prepared_grid(grid, TOKENS)


def cut(grid: Grid, seed: int | None, **more: Any) -> dict[str, np.ndarray]:
    settings: dict[str, Any] = {"steps": 32, "transpose": False, "marks": True, "untold": 0.0} | more
    rng = None if seed is None else np.random.default_rng(seed)
    return views.example_of(prepared_of(grid), TOKENS, rng, **settings)


def test_a_crop_tells_what_the_whole_piece_tells_of_its_steps(random_grid: Callable[..., Grid]):
    grid = random_grid(3, 90, numerator=3, pickup_steps=4, fermatas=(50,))
    whole = views.seen(TOKENS.encode(grid).astype(np.int64), TOKENS) | {"place": views.marks_of(grid)}
    starts = set()
    for seed in range(60):
        example = cut(grid, seed)
        assert set(example) == ARRAYS
        fits = [start for start in range(59) if all((example[name] == whole[name][start:start + 32]).all()
                                                       for name in ("target", "age", "before", "place"))]
        assert len(fits) == 1 and fits[0] % 4 == 0
        starts |= set(fits)
    assert {0, 56} <= starts and len(starts) > 8
    assert cut(grid, 5)["target"].tolist() == cut(grid, 5)["target"].tolist()


def test_crops_have_one_shape_and_short_pieces_are_filled_up(random_grid: Callable[..., Grid]):
    shapes = set()
    for steps in (1, 7, 32, 33, 200):
        example = cut(random_grid(steps, steps), 1)
        shapes.add(tuple(sorted((name, values.shape) for name, values in example.items())))
        beyond = min(steps, 32)
        assert (example["target"][:beyond] >= 0).all() and (example["target"][beyond:] == -1).all()
    assert len(shapes) == 1


def test_other_keys_move_every_pitch_alike_and_within_the_range(random_grid: Callable[..., Grid]):
    grid = random_grid(4, 32)
    plain, moves = cut(grid, None)["now"], set()
    for seed in range(80):
        example = cut(grid, seed, transpose=True)
        sounding = plain < 46
        move = np.unique(example["now"][sounding] - plain[sounding])
        assert len(move) == 1 and (example["now"][~sounding] == 46).all()
        assert example["target"].min() >= 0 and example["target"].max() < TOKENS.size
        moves.add(int(move[0]))
    lowest, highest = plain[plain < 46].min(), plain[plain < 46].max()
    assert moves == set(range(-lowest, 46 - highest))


def test_the_held_out_example_is_the_whole_piece_as_it_is(random_grid: Callable[..., Grid]):
    grid = random_grid(5, 90, fermatas=(50,))
    example = cut(grid, None, transpose=True, untold=1.0)
    assert (example["target"] == TOKENS.encode(grid)).all() and (example["place"] == views.marks_of(grid)).all()


def test_marks_are_hidden_kind_by_kind(random_grid: Callable[..., Grid]):
    grid = random_grid(6, 32, fermatas=(20,))
    kinds = {tuple((example["place"] != views.marks_of(grid)).any(axis=0)[[1, 3, 4]].tolist())
             for example in (cut(grid, seed, untold=0.5) for seed in range(80))}
    assert len(kinds) == 8
    hidden = cut(grid, 1, marks=False)["place"]
    assert (hidden[:, 2] == 0).all() and (hidden[:, 3:] == views.NOT_TOLD).all()


def test_a_network_is_told_only_what_its_corpus_has(untied_model: Any, grid_model: Any, chorales: list[Item]):
    grid = to_grid(chorales[0].content)
    assert (composing.marks_of(grid_model, grid) == views.marks_of(grid)).all()
    told = composing.marks_of(untied_model, grid)
    assert (told[:, 2] == 0).all() and (told[:, 3] == views.NOT_TOLD).all() and told[-1, 4] == 0
    quiet = type(grid_model)(replace(grid_model.config, marks=False))
    quiet.learned = grid_model.learned
    assert (composing.marks_of(quiet, grid)[:, 3:] == views.NOT_TOLD).all()
