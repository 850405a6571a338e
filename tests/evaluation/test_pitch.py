"""Pitch measures: equal to MusPy on stored cases, worked out by hand where they differ, defined on odd input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation import pitch
from componium.evaluation.notes import pitched, sounding
from componium.music.errors import BadInput
from componium.music.score import Note, Score, Track, new_score

STORED = json.loads((Path(__file__).parent / "data" / "muspy_cases.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in STORED["cases"]}


def score_of(case) -> Score:
    score = new_score(tempo_bpm=120, numerator=case["meter"][0], denominator=case["meter"][1])
    for number, stored in enumerate(case["tracks"]):
        track = Track(f"part {number}", 0, stored["drums"])
        for start, duration, key in stored["notes"]:
            track.notes.append(Note(start / 24, duration / 24, key, 80))
        score.tracks.append(track)
    return score


def melody(pitches, durations=None, **more) -> Score:
    score, time = new_score(**more), 0.0
    track = Track("Melody", 0, False)
    for key, duration in zip(pitches, durations or [1.0] * len(pitches), strict=True):
        track.notes.append(Note(time, duration, key, 80))
        time += duration
    score.tracks.append(track)
    return score


SAME_IN_MUSPY = {"pitches_used": "n_pitches_used", "pitch_classes_used": "n_pitch_classes_used",
                 "pitch_range": "pitch_range", "pitch_entropy": "pitch_entropy",
                 "pitch_class_entropy": "pitch_class_entropy", "scale_consistency": "scale_consistency",
                 "polyphony": "polyphony"}


@pytest.mark.parametrize("name", CASES)
def test_equal_to_muspy(name):
    told = pitch.evaluate(score_of(CASES[name]))
    stored = CASES[name]["muspy"]
    for mine, theirs in SAME_IN_MUSPY.items():
        assert told[mine] == pytest.approx(stored[theirs], abs=1e-9), mine


@pytest.mark.parametrize("name", CASES)
def test_polyphony_rate_is_muspys_at_a_threshold_that_means_two_or_more(name):
    score, stored = score_of(CASES[name]), CASES[name]["muspy"]
    notes = pitched(score)
    end = sounding(score).ends.max()
    assert pitch.polyphony_rate(notes, end) == pytest.approx(stored["polyphony_rate_threshold_1"], abs=1e-9)
    assert pitch.polyphony_rate(notes, end, least=3) == pytest.approx(stored["polyphony_rate"], abs=1e-9)


def test_every_name_and_only_these():
    told = pitch.evaluate(melody([60, 62]))
    assert list(told) == [measure.name for measure in pitch.MEASURES]
    assert all(isinstance(value, float) for value in told.values())


def test_moves_of_a_line_by_hand():
    told = pitch.evaluate(melody([60, 62, 62, 67, 66, 60]))  # 2, 0, 5, -1, -6
    assert told["mean_interval"] == pytest.approx(14 / 5)
    assert told["stepwise_share"] == pytest.approx(2 / 4)
    assert told["repeated_pitches"] == pytest.approx(1 / 5)


def test_the_highest_note_of_a_chord_is_the_line():
    score = melody([60, 64])
    for key in (40, 50):
        score.tracks[0].notes.append(Note(0.0, 1.0, key, 80))
    assert pitch.intervals(score)[0].tolist() == [4]


def test_uncertainty_of_the_next_pitch_class():
    assert pitch.pitch_class_uncertainty(melody([60, 62] * 8)) == 0.0
    after_c = melody([60, 62, 60, 64] * 16)  # after c comes d or e with equal chance, after these always c
    pairs = 32 + 31
    assert pitch.pitch_class_uncertainty(after_c) == pytest.approx(32 / pairs, abs=1e-9)


def test_windowed_entropy_by_hand():
    score = melody([60, 60, 60, 60, 60, 62, 64, 65, 60, 62, 60, 62])
    assert pitch.windowed_entropy(score, 1) == pytest.approx((0 + 2 + 1) / 3)
    assert math.isnan(pitch.windowed_entropy(score, 4))


def test_an_empty_bar_is_no_window():
    score = melody([60, 62])
    score.tracks[0].notes.append(Note(8.0, 1.0, 60, 80))
    assert pitch.windowed_entropy(score, 1) == pytest.approx((1 + 0) / 2)


def test_drums_have_no_pitch():
    with_drums = melody([60, 62, 64])
    drums = Track("Drums", 0, True)
    drums.notes.append(Note(0.0, 9.0, 36, 80))
    with_drums.tracks.append(drums)
    told, alone = pitch.evaluate(with_drums), pitch.evaluate(melody([60, 62, 64]))
    assert {**told, "polyphony_rate": 0, "bar_entropy": 0} == pytest.approx(
        {**alone, "polyphony_rate": 0, "bar_entropy": 0}, nan_ok=True)


def test_a_single_note_has_nan_and_no_error():
    told = pitch.evaluate(melody([60]))
    assert told["pitch_entropy"] == 0.0 and told["polyphony"] == 1.0
    assert all(math.isnan(told[name]) for name in ("mean_interval", "stepwise_share", "pitch_class_uncertainty",
                                                   "four_bar_entropy"))


def test_what_cannot_be_measured_says_why():
    drums = Track("Drums", 0, True)
    drums.notes.append(Note(0.0, 1.0, 36, 80))
    only_drums = new_score()
    only_drums.tracks.append(drums)
    far = melody([60])
    far.tracks[0].notes.append(Note(1e6, 1.0, 60, 80))
    for score, told in ((new_score(), "no notes"), (only_drums, "drums"), (far, "cut it into pieces")):
        with pytest.raises(BadInput, match=told):
            pitch.validate(score)


def test_transposition_changes_pitches_but_no_share():
    told, moved = (pitch.evaluate(melody(np.array([60, 64, 62, 67, 71, 60]) + up)) for up in (0, 5))
    assert told == pytest.approx(moved, nan_ok=True)


def test_without_a_meter_there_are_no_windows_of_bars():
    score = new_score()
    score.tracks.append(Track("x"))
    for beat in range(16):
        score.tracks[0].notes.append(Note(float(beat), 1.0, 60 + beat % 5, 80))
    assert not any(np.isnan(value) for value in pitch.evaluate(score).values())
    score.time_signatures.clear()
    undefined = {name for name, value in pitch.evaluate(score).items() if np.isnan(value)}
    assert undefined == {"bar_entropy", "four_bar_entropy"}
