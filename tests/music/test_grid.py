"""Grids: what they refuse, and that the way to a score and back is exact."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid, to_grid
from componium.music.midi import midi_bytes, parse_midi
from componium.music.score import FERMATA, Note, Track, meter, new_score, note_count, pickup_beats

BENCH_DATA = os.environ.get("COMPONIUM_BENCH_DATA")


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    steps, voices = draw(st.integers(1, 24)), draw(st.sampled_from([1, 2, 4]))
    cells = st.lists(st.sampled_from([REST, 48, 60, 61, 127, 0]), min_size=voices, max_size=voices)
    pitches = np.array(draw(st.lists(cells, min_size=steps, max_size=steps)), dtype=np.int16)
    same = np.zeros(pitches.shape, dtype=bool)
    same[1:] = (pitches[1:] == pitches[:-1]) & (pitches[1:] != REST)
    ties_known = draw(st.booleans())
    if ties_known:
        same &= np.array(draw(st.lists(st.booleans(), min_size=same.size, max_size=same.size))).reshape(same.shape)
    steps_per_beat, pickup = draw(st.sampled_from([(1, 0), (1, 2), (4, 3), (24, 3), (12, 0)]))
    return Grid(pitches, same, steps_per_beat, numerator=3, denominator=4, pickup_steps=pickup,
                key=draw(st.sampled_from([None, "g", "Eb major"])),
                fermatas=tuple(sorted(draw(st.sets(st.integers(0, steps - 1), max_size=3)))),
                ties_known=ties_known)


@settings(max_examples=60, deadline=None)
@given(grids())
def test_grid_to_score_to_grid_is_exact(grid):
    score = from_grid(grid)
    again = to_grid(score, steps_per_beat=grid.steps_per_beat, voice_count=grid.voice_count)
    assert again == grid
    through_midi = parse_midi(midi_bytes(score))
    assert to_grid(through_midi, steps_per_beat=grid.steps_per_beat, voice_count=grid.voice_count) == grid


def small() -> Grid:
    pitches = [[REST, 60, 55, 48]] * 2 + [[72, 60, REST, 48]] * 3 + [[72, 62, REST, REST]] + [[REST] * 4] * 2
    return Grid.from_pitches(pitches)


def test_the_small_example_is_exact_with_rests_at_both_ends():
    assert to_grid(from_grid(small())) == small()


def test_holds_and_repeats_are_told_apart_where_they_are_known():
    grid = Grid(np.full((4, 1), 60), np.array([[0], [1], [0], [1]], dtype=bool))
    score = from_grid(grid)
    assert [n.duration for n in score.tracks[0].notes] == [0.5, 0.5]
    assert to_grid(score, voice_count=1) == grid
    assert grid != Grid.from_pitches(np.full((4, 1), 60))


def test_pickup_meter_key_and_fermatas_travel():
    grid = Grid(np.full((14, 2), 60), np.zeros((14, 2)), numerator=3, pickup_steps=2, key="f#", fermatas=(4, 13))
    score = from_grid(grid, tempo_bpm=72)
    assert (pickup_beats(score), meter(score)) == (0.5, (3, 4))
    assert [m.time for m in score.markers if m.text == FERMATA] == [1.0, 3.25]
    assert to_grid(score, voice_count=2) == grid
    assert grid.key == "F# minor"
    assert to_grid(from_grid(grid, key="G"), voice_count=2).key == "G major"


@pytest.mark.parametrize("pitches", [[], [[]], [[60, 61], [60]], [["a"]], [[128]], [[-2]], [[60.5]], [[None]],
                                     [60, 61], [[[60]]]])
def test_what_is_no_grid_is_refused(pitches):
    with pytest.raises(BadInput):
        Grid.from_pitches(pitches)


@pytest.mark.parametrize("wrong", [
    {"held": np.ones((4, 1))}, {"held": np.zeros((3, 1))}, {"fermatas": (4,)}, {"fermatas": (2, 1)},
    {"pickup_steps": 16}, {"pickup_steps": -1}, {"steps_per_beat": 0}, {"key": "nonsense"}, {"key": "D dorian"},
    {"denominator": 5}, {"ties_known": False}, {"steps_per_beat": 12, "pickup_steps": 1}])
def test_contradictions_are_refused(wrong):
    with pytest.raises(BadInput):
        Grid(**{"pitches": np.full((4, 1), 60), "held": np.zeros((4, 1)), **wrong})


def test_a_melody_fills_the_top_voice_and_a_chord_track_is_split():
    score = new_score()
    track = Track("Piano", 0, False)
    for time, pitch in ((0, 60), (1, 64)):
        track.notes.append(Note(time, 1, pitch, 80))
    score.tracks.append(track)
    assert to_grid(score).pitches[[0, 4]].tolist() == [[60, REST, REST, REST], [64, REST, REST, REST]]
    for pitch in (48, 55, 67):
        score.tracks[0].notes.append(Note(0, 1, pitch, 80))
    assert to_grid(score).pitches[0].tolist() == [67, 60, 55, 48]
    score.tracks[0].notes.append(Note(0, 1, 72, 80))
    with pytest.raises(BadInput, match="5 notes sound together"):
        to_grid(score)


def test_an_ornament_in_a_line_does_not_make_a_second_voice():
    score = new_score()
    score.tracks.append(Track("Flute", 0, False))
    for time, duration, pitch in ((0, 1, 60), (1, 1 / 16, 64), (1 + 1 / 16, 1 / 16, 62), (1.125, 0.875, 60)):
        score.tracks[0].notes.append(Note(time, duration, pitch, 80))
    coarse = to_grid(score, steps_per_beat=2, voice_count=1)
    assert coarse.pitches[:, 0].tolist() == [60, 60, 60, 60]
    assert not coarse.held[2, 0], "the note after the ornament is struck"
    assert note_count(score) == 4, "the argument is left alone"


def test_a_short_overlap_of_played_voices_is_cut():
    score = new_score()
    for name, pitch in zip(("Soprano", "Alto", "Tenor", "Bass"), (72, 67, 60, 48), strict=True):
        track = Track(name, 0, False)
        track.notes.append(Note(0, 1.3, pitch, 80))
        track.notes.append(Note(1, 1, pitch + 2, 80))
        score.tracks.append(track)
    grid = to_grid(score)
    assert grid.pitches[:, 0].tolist() == [72] * 4 + [74] * 4
    assert note_count(from_grid(grid)) == 8


def test_a_score_without_notes_is_refused():
    with pytest.raises(BadInput, match="no notes"):
        to_grid(new_score())


@pytest.mark.parametrize("names", [["Voice 0", "Voice 1", "Voice 2", "Voice 3"], ["Voice ²", "Voice 1", "", "x"]])
def test_names_that_are_no_places_lose_no_voice(names):
    score = new_score()
    for name, pitch in zip(names, (72, 65, 60, 48), strict=True):
        score.tracks.append(Track(name, 0, False))
        score.tracks[-1].notes.append(Note(0.0, 1.0, pitch, 80))
    assert to_grid(score).pitches[0].tolist() == [72, 65, 60, 48]


@pytest.mark.skipif(not BENCH_DATA, reason="COMPONIUM_BENCH_DATA is not set: the benchmark data is not here")
def test_every_benchmark_piece_survives_exactly():
    pieces = json.loads(Path(BENCH_DATA or "", "jsb16", "train.json").read_text())
    assert len(pieces) == 229
    for piece in pieces:
        grid = Grid.from_pitches(piece)
        again = to_grid(from_grid(grid))
        assert again == grid
        assert again.pitches.tolist() == piece
