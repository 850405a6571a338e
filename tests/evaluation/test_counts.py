"""Counts: shares that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation.counts import counts
from componium.music.grid import Grid, from_grid
from componium.music.score import Note, Track, new_score


def test_a_small_piece_by_hand():
    """Two voices in quarter notes: up by 4, up by 3, down by 12 above a bass that stays, then falls by 5."""
    pitches = np.repeat([[60, 48], [64, 48], [67, 48], [55, 43]], 4, axis=0)
    held = np.tile([[False, False], [True, True], [True, True], [True, True]], (4, 1))
    held[4:12:4, 1] = True  # the bass is held
    found = counts(from_grid(Grid(pitches, held)))
    told = {name: value for name, value in found.items() if value}
    assert told == {
        "melodic interval +4": 0.25, "melodic interval +3": 0.25, "melodic interval -12": 0.25,
        "melodic interval -5": 0.25, "note of 1 beats": pytest.approx(5 / 6), "note of 3 beats": pytest.approx(1 / 6),
        "motion up then up": 0.5, "motion up then down": 0.5, "note long then long": 1.0,
        "0 semitones above the bass": 0.5, "4 semitones above the bass": 0.25, "7 semitones above the bass": 0.25,
        "bass same and top up": pytest.approx(2 / 3), "bass down and top down": pytest.approx(1 / 3),
        "bass moves by 0 between beats": pytest.approx(2 / 3), "bass moves by 5 between beats": pytest.approx(1 / 3)}


def test_every_piece_has_every_value_between_0_and_1():
    one, drums, far = (new_score() for _ in range(3))
    for score, is_drum, pitches in ((one, False, [60]), (drums, True, [36, 38]), (far, False, [0, 127, 0])):
        track = Track("", 0, is_drum)
        for place, pitch in enumerate(pitches):
            track.notes.append(Note(100.0 * place, 300.0, pitch, 80))
        score.tracks.append(track)
    found = [counts(score) for score in (one, drums, far, new_score())]
    assert all(each.keys() == found[0].keys() for each in found)
    assert all(0.0 <= value <= 1.0 for each in found for value in each.values())
    assert not any(found[3].values())
    assert found[2]["melodic interval +12"] == 0.5
