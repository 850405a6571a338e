from __future__ import annotations

import numpy as np
import pytest

from componium.music.score import Note, Track, new_score
from componium.music.tempo import guessed_tempo, is_on_grid

BARS = {
    "straight": [[1, 1, 1, 1], [.5, .5, 1, 1, 1], [1.5, .5, 1, 1], [.5, .5, .5, .5, 1, 1],
                 [.25, .25, .25, .25, 1, .5, .5, 1], [2, 1, 1], [.75, .25, .75, .25, 1, 1], [1, .5, .25, .25, 2]],
    "triplets": [[1, 1, 1, 1], [.5, .5, 1, 1, 1], [1.5, .5, 1, 1], [1 / 3, 1 / 3, 1 / 3, 1, 1, 1],
                 [1, 2 / 3, 1 / 3, 1, 1], [.5, .5, .5, .5, 1, 1], [.5, .5, 1 / 3, 1 / 3, 1 / 3, 2]],
    "long": [[1, 1, 2], [2, 2], [1, 1, 1, 1], [3, 1]],
}
"""Lengths of notes in beats; melodies are drawn from these bars of four."""


def played(bars, bpm, rng, *, jitter=0.015, rubato=0.0):
    """Return the onsets in seconds of four bars at a tempo that swings every eight beats."""
    lengths = np.concatenate([bars[rng.integers(len(bars))] for _ in range(4)])
    beats = np.concatenate([[0.0], np.cumsum(lengths)])
    fine = np.linspace(0.0, beats[-1], 4000)
    rate = bpm * (1 + rubato * np.sin(2 * np.pi * (fine / 8 + rng.uniform())))
    seconds = np.concatenate([[0.0], np.cumsum(60.0 / rate[:-1] * np.diff(fine))])
    return np.interp(beats, fine, seconds) + rng.normal(0.0, jitter, len(beats))


def ratios(kind, count=60, **more):
    rng = np.random.default_rng(0)
    tempi = rng.uniform(60.0, 200.0, count)
    return np.array([guessed_tempo(played(BARS[kind], bpm, rng, **more)) / bpm for bpm in tempi])


def share(found, *times):
    return float(np.mean([min(abs(ratio / each - 1) for each in times) < 0.05 for ratio in found]))


@pytest.mark.parametrize(("kind", "rubato", "exact", "octave"), [
    ("straight", 0.0, 0.95, 0.95), ("straight", 0.1, 0.85, 0.85), ("triplets", 0.0, 0.95, 0.95),
    ("triplets", 0.1, 0.9, 0.9), ("long", 0.0, 0.2, 0.95)])
def test_the_tempo_of_free_playing_is_found(kind, rubato, exact, octave):
    found = ratios(kind, rubato=rubato)
    assert share(found, 1) >= exact and share(found, 0.5, 1, 2) >= octave


@pytest.mark.parametrize("bpm", [60, 75, 97, 120, 150, 200])
def test_a_known_melody_at_every_tempo(bpm):
    beats = np.cumsum([0, 1, .5, .5, 1, 1, .75, .25, 1, 1, .5, .5, .5, .5])
    onsets = beats * 60 / bpm
    assert guessed_tempo(onsets) == pytest.approx(bpm, rel=1e-3)
    assert guessed_tempo(onsets[::-1] + 1000.0) == pytest.approx(bpm, rel=1e-3), "neither order nor begin matter"
    chords = np.concatenate([onsets, onsets + 0.012])
    assert guessed_tempo(chords) == pytest.approx(bpm, rel=0.02), "a chord is one onset"


def test_a_breath_between_two_phrases_does_not_matter():
    phrase = np.cumsum([0, .5, .5, 1, .5, .5, 1]) * 60 / 100
    onsets = np.concatenate([phrase, phrase + phrase[-1] + 4.123])
    assert guessed_tempo(onsets) == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("onsets", [
    [], [1.0], [0, .4, .8, 1.2], [2.0] * 50, [0, 0.01, 0.02, 0.5, 1.0], [np.nan, np.inf, 0, 1, 2],
    np.arange(6) * 1e4, np.arange(6) * 1e-4])
def test_what_tells_no_tempo_has_the_usual_one(onsets):
    assert guessed_tempo(onsets) == 120.0


@pytest.mark.parametrize("seconds", [0.031, 0.07, 0.2, 0.4, 0.9, 1.4, 3.0, 6.0])
def test_whatever_is_played_the_tempo_is_playable(seconds):
    assert 40.0 <= guessed_tempo(np.arange(12) * seconds) <= 240.0
    assert 40.0 <= guessed_tempo(np.cumsum(np.random.default_rng(1).exponential(seconds, 40))) <= 240.0


@pytest.mark.parametrize(("seconds", "bpm"), [(0.5, 120), (0.6, 100), (0.25, 120), (1.0, 60)])
def test_even_notes_are_heard_near_120(seconds, bpm):
    assert guessed_tempo(np.arange(10) * seconds) == pytest.approx(bpm, rel=0.01)


def score_of(beats, bpm=120):
    score = new_score(tempo_bpm=bpm)
    score.tracks.append(Track("Melody"))
    for beat in beats:
        score.tracks[0].notes.append(Note(float(beat), 0.25, 60, 80))
    return score


def test_written_music_is_on_the_grid_and_free_playing_is_not():
    written = np.cumsum([0, .5, .5, 1, .25, .25, .5, 1, 1, .5, .5])
    assert is_on_grid(score_of(written)) and is_on_grid(score_of(np.cumsum([0, *[1 / 3] * 12])))
    assert not is_on_grid(score_of(written * 97 / 120)), "played at 97, written as if at 120"
    assert is_on_grid(score_of(written * 2 / 3)), "on triplets"
    assert is_on_grid(score_of([])) and is_on_grid(score_of([0])) and is_on_grid(score_of([0, 1]))
    assert is_on_grid(score_of(written + 0.125), 8) and not is_on_grid(score_of(written[1:] + 0.125), 4)


def test_playing_to_a_click_is_told_from_playing_without():
    rng = np.random.default_rng(0)
    click, free = [], []
    for bpm in rng.uniform(60, 150, 200):
        onsets = played(BARS["straight"], bpm, rng)
        onsets -= onsets[0]
        click.append(is_on_grid(score_of(np.maximum(onsets, 0) * bpm / 60)))
        wrong = bpm * rng.choice([-1, 1]) * rng.uniform(0.08, 0.3) + bpm
        free.append(is_on_grid(score_of(np.maximum(onsets, 0) * wrong / 60)))
    assert np.mean(click) > 0.94 and np.mean(free) < 0.05
