"""Notes beside a grid are told with the grid that holds them; what is played, and ornaments, are let pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from componium.music.errors import BadInput
from componium.music.on_grid import check_on_grid
from componium.music.score import Note, Track


def track_of(starts: Sequence[float], length: float = 0.25) -> Track:
    track = Track("x")
    for start in starts:
        track.notes.append(Note(start, length, 60, 80))
    return track


def test_what_lies_near_its_steps_is_on_the_grid() -> None:
    check_on_grid(track_of((0, 0.25, 1.5, 2.75)), 4)
    check_on_grid(track_of((0.06, 0.2, 1.44, 2.81)), 4)
    check_on_grid(track_of((0, 1 / 3, 2 / 3)), 12)


def test_triplets_are_beside_a_grid_of_16ths() -> None:
    with pytest.raises(BadInput, match=r"^2 of 3 notes begin beside the grid of 4 steps a beat, the first at beat "
                                       r"0\.33: quantise them to 16ths in a notation editor or a DAW, or train with "
                                       r"steps_per_beat=12, which holds them$"):
        check_on_grid(track_of((0, 1 / 3, 2 / 3)), 4)
    with pytest.raises(BadInput, match=r"steps_per_beat=24"):
        check_on_grid(track_of((0, 1 / 24, 3 / 24, 5 / 24)), 4)
    with pytest.raises(BadInput, match=r"quantise them to 16ths in a notation editor or a DAW$"):
        check_on_grid(track_of((0, 1 / 3, 2 / 3)), 4, may_be_finer=False)
    with pytest.raises(BadInput, match=r"quantise them to 16ths in a notation editor or a DAW$"):
        check_on_grid(track_of((0, 1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7)), 4)  # no grid holds them


def test_grids_are_called_what_an_editor_calls_them() -> None:
    with pytest.raises(BadInput, match="quantise them to 8ths in"):
        check_on_grid(track_of((0, 0.25)), 2)
    with pytest.raises(BadInput, match="quantise them to 12 steps a quarter note in"):
        check_on_grid(track_of((0, 0.2)), 12)


def test_a_share_of_the_notes_may_lie_beside_it() -> None:
    track = track_of([*range(9), 9.4])
    check_on_grid(track, 4, most=0.1)
    with pytest.raises(BadInput, match=r"1 of 10 notes .* first at beat 9\.40"):
        check_on_grid(track, 4, most=0.09)


def test_a_few_grace_notes_may_begin_anywhere() -> None:
    track = track_of(range(8))
    track.notes.append(Note(3.9, 0.08, 61, 80))
    check_on_grid(track, 4)
    with pytest.raises(BadInput, match="3 of 4 notes"):
        check_on_grid(track_of((0, 0.4, 0.9, 1.4), length=0.1), 4)  # that all are short is no ornament
