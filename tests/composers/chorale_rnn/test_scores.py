"""Reading scores: played lines, chords, grace notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from componium.music.errors import BadInput
from componium.music.grid import REST
from componium.music.score import Note, Score, merge_voices

pytest.importorskip("torch")

from componium.composers.chorale_rnn import scores
from componium.tokens.grid import GridTokens

TOKENS, NAMES = GridTokens(), ("Soprano", "Alto", "Tenor", "Bass")
PITCHES = (67, 69, 71, 72, 74, 72, 71, 69)


def lines_of(score: Score, count: int | None = None) -> list[list[int]]:
    return [[note.pitch for note in track.notes] for track in scores.lined(score, 4, count).tracks]


def test_a_legato_line_is_one_line(line: Any):
    score = line(PITCHES)
    for note in score.tracks[0].notes:
        note.duration = 1.2
    grid = scores.grid_of(score, TOKENS)
    assert (grid.pitches[:, 1:] == REST).all()
    assert grid.pitches[:32:4, 0].tolist() == list(PITCHES) and (~grid.held[:32, 0]).sum() == 8
    assert score.tracks[0].notes[0].duration == pytest.approx(1.2), "the score is not changed"


def test_two_lines_in_one_track_stay_two(line: Any):
    score = line(PITCHES, beats=2.0)
    score.tracks[0].notes.extend([Note(2 * k + 1, 2.0, 55, 70) for k in range(8)])
    grid = scores.grid_of(score, TOKENS)
    assert (grid.pitches[4:60] != REST).sum(axis=1).tolist() == [2] * 56


def test_clean_music_is_left_alone(chorales: Any, tune: Score):
    for score in (chorales[0].content, tune):
        assert [note for track in scores.lined(score, 4).tracks for note in track.notes] == \
            [note for track in score.tracks for note in track.notes]


def test_chords_all_through_are_lines_and_a_few_are_not(line: Any, chorales: Any):
    score = line(PITCHES)
    score.tracks[0].notes.append(Note(2.0, 1.0, 60, 70))
    assert lines_of(score) == [list(PITCHES)]
    score.tracks[0].notes.extend([Note(k, 1.0, 60, 70) for k in range(8) if k != 2])
    assert lines_of(score) == [list(PITCHES), [60] * 8]
    assert lines_of(score, 1) == [list(PITCHES)]
    assert len(lines_of(merge_voices(chorales[0].content))) == 4


def test_double_notes_in_one_of_several_tracks(line: Any):
    score = line(PITCHES)
    score.tracks.append(line([48] * 8, name="low").tracks[0])
    score.tracks[0].notes.append(Note(3.0, 1.0, 60, 70))
    assert lines_of(score) == [list(PITCHES), [48] * 8]


def test_grace_notes_may_lie_beside_the_grid_but_not_many(line: Any):
    score = line(PITCHES)
    score.tracks[0].notes.append(Note(1.93, 0.06, 73, 60))
    grid = scores.grid_of(score, TOKENS)
    assert grid.pitches[:32:4, 0].tolist() == list(PITCHES)
    with pytest.raises(BadInput, match="beside the grid of 4 steps"):
        scores.grid_of(line(range(60, 70), beats=0.11), TOKENS)


def test_triplets_need_a_finer_grid(line: Any):
    triplets = line(PITCHES, beats=1 / 3)
    with pytest.raises(BadInput, match=r"5 of 8 notes .* train with steps_per_beat=12, which holds them"):
        scores.grid_of(triplets, TOKENS)
    assert len(scores.grid_of(triplets, GridTokens(steps_per_beat=12))) == 32
    with pytest.raises(BadInput, match=r"12 steps .* train with steps_per_beat=24"):
        scores.grid_of(line(PITCHES, beats=1 / 8), GridTokens(steps_per_beat=12))
    with pytest.raises(BadInput, match=r"quantise them"):  # quintuplets fit none of these
        scores.grid_of(line(PITCHES, beats=1 / 5), TOKENS)
    thirty_seconds = line(PITCHES, beats=1 / 8)
    with pytest.raises(BadInput, match="train with steps_per_beat=24, which holds them"):
        scores.grid_of(thirty_seconds, TOKENS)
    assert len(scores.grid_of(thirty_seconds, GridTokens(steps_per_beat=24))) == 24


def test_voices_by_name_by_height_and_by_wish(chorales: Any):
    score = chorales[0].content.copy()
    score.tracks = type(score.tracks)([score.tracks[2], score.tracks[0]])
    named, found = scores.given_voices(score, "auto", NAMES, 4)
    assert found == [] and [track.name for track in named.tracks] == ["Tenor", "Soprano"]
    named, found = scores.given_voices(score, " Bass, alto ", NAMES, 4)
    assert found == [1, 3] and [track.name for track in named.tracks] == ["Bass", "Alto"]
    assert [track.name for track in score.tracks] == ["Tenor", "Soprano"]
    for track in score.tracks:
        track.name = "x"
    named, _ = scores.given_voices(score, "soprano,bass", NAMES, 4)
    assert [track.name for track in named.tracks] == ["Bass", "Soprano"]


def test_the_track_of_a_voice(chorales: Any):
    score = chorales[1].content.copy()
    score.tracks = type(score.tracks)(list(score.tracks)[::-1])
    grid = scores.grid_of(score, TOKENS)
    assert [scores.track_of_voice(score, grid, voice) for voice in range(4)] == [3, 2, 1, 0]
    alone = scores.grid_of(merge_voices(score), TOKENS)
    assert [scores.track_of_voice(merge_voices(score), alone, voice) for voice in range(4)] == [0] * 4
    silent = np.full_like(grid.pitches, REST)
    assert scores.track_of_voice(score, type(grid)(silent, np.zeros(silent.shape, bool)), 0) is None
