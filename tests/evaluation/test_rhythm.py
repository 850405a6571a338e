"""Rhythm measures: equal to MusPy on stored cases, syncopation by hand, defined on odd input."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest

from componium.evaluation import rhythm
from componium.evaluation.notes import sounding
from componium.music.errors import BadInput
from componium.music.score import Bar, Note, Tempo, Track, bars, new_score, set_pickup

_spec = importlib.util.spec_from_file_location("pitch_cases", Path(__file__).parent / "test_pitch.py")
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)
CASES, melody, score_of = _cases.CASES, _cases.melody, _cases.score_of


@pytest.mark.parametrize("name", CASES)
def test_groove_is_muspys_on_16ths(name):
    score, stored = score_of(CASES[name]), CASES[name]["muspy"]["groove_consistency_16ths"]
    found = rhythm.groove_consistency(sounding(score), bars(score))
    assert math.isnan(found) if stored is None else found == pytest.approx(stored, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_empty_beats_are_muspys_where_notes_do_not_end_on_a_beat(name):
    found = rhythm.empty_beat_rate(sounding(score_of(CASES[name])))
    assert found == pytest.approx(CASES[name]["muspy"]["empty_beat_rate_shortened"], abs=1e-9)


def test_the_pitfalls_of_the_reference_are_there_and_avoided():
    stored, score = CASES["random piano"]["muspy"], score_of(CASES["random piano"])
    saturated = rhythm.groove_consistency(sounding(score), bars(score), steps_per_beat=24)
    assert saturated == pytest.approx(stored["groove_consistency_ticks"], abs=0.03)
    assert saturated > 0.7 > rhythm.evaluate(score)["groove_consistency"]
    drums = CASES["drums and bass"]["muspy"]
    assert drums["groove_consistency_ticks"] < 1.0  # a bar behind the end counts there; the pattern never changes
    only = score_of({**CASES["drums and bass"], "tracks": CASES["drums and bass"]["tracks"][:1]})
    assert rhythm.evaluate(only)["groove_consistency"] == 1.0


def lhl(starts, end, *, numerator=4, denominator=4):
    score = new_score(numerator=numerator, denominator=denominator)
    track = Track("Line", 0, False)
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        track.notes.append(Note(start, stop - start, 60, 80))
    score.tracks.append(track)
    return rhythm.syncopation(score) * len(bars(score))


@pytest.mark.parametrize(("starts", "end", "total"), [
    ([0, 1, 2, 3], 4, 0),                       # on every beat
    ([0, 2], 4, 0),                             # weaker places are passed, never stronger ones
    ([0, 1, 3], 4, 1),                          # the second beat (-2) is held over the third (-1)
    ([0, 0.5, 1.5, 2.5, 3.5], 4, 1 + 2 + 1),    # eighths (-3) over the beats 2 (-2), 3 (-1) and 4 (-2)
    ([0, 3.5], 5, 3),                           # an eighth (-3) over the barline (0)
    ([0.25], 4, 3),                             # a 16th (-4), held over the half bar (-1)
    ([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], 4, 0),  # triplets
    ([0, 5 / 3], 4, 2),                         # the last of a triplet (-3) over the half bar (-1)
])
def test_syncopation_by_hand(starts, end, total):
    assert lhl(starts, end) == pytest.approx(total)


def test_syncopation_of_other_meters_by_hand():
    assert lhl([0, 1], 3, numerator=3) == 0  # in three, both other beats weigh the same
    assert lhl([0, 2], 4, numerator=3) == pytest.approx(1)  # the third beat (-1) over the barline
    assert lhl([0, 1.5], 3, numerator=6, denominator=8) == 0
    assert lhl([0, 1.0], 3, numerator=6, denominator=8) == pytest.approx(1)  # an eighth (-2) over the middle (-1)


@pytest.mark.parametrize(("meter", "weights"), [
    ((4, 4), [0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4]),
    ((3, 4), [0, -3, -2, -3, -1, -3, -2, -3, -1, -3, -2, -3]),
    ((6, 8), [0, -3, -2, -3, -2, -3, -1, -3, -2, -3, -2, -3]),
    ((2, 4), [0, -3, -2, -3, -1, -3, -2, -3]),
    ((3, 8), [0, -2, -1, -2, -1, -2]),
])
def test_metrical_weights(meter, weights):
    assert rhythm.metrical_weights(Bar(1, 0.0, 1.0, *meter)).tolist() == weights


@pytest.mark.parametrize("meter", [(1, 4), (5, 8), (7, 16), (4, 32), (3, 64), (255, 64), (13, 2)])
def test_no_meter_is_too_odd(meter):
    told = rhythm.evaluate(melody([60, 62, 64, 65] * 4, [0.5, 1.0, 0.25, 0.75] * 4, numerator=meter[0],
                                  denominator=meter[1]))
    assert told["syncopation"] >= 0.0


def test_a_pickup_ends_with_its_bar():
    plain = melody([60] * 9)
    moved = set_pickup(plain, 1.0)
    assert rhythm.evaluate(moved)["syncopation"] == 0.0
    assert rhythm.evaluate(moved)["off_beat_share"] == 0.0


def test_densities_by_hand():
    score = melody([60, 62, 64, 65], [1.0, 0.5, 0.5, 2.0], tempo_bpm=120)
    score.tempos.append(Tempo(2.0, qpm=60.0))
    told = rhythm.evaluate(score)
    assert told["notes_per_beat"] == pytest.approx(1.0)
    assert told["notes_per_second"] == pytest.approx(4 / 3, abs=1e-6)  # 2 beats in 1 s and 2 in 2 s
    assert told["off_beat_share"] == pytest.approx(1 / 4)
    assert told["mean_inter_onset"] == pytest.approx(2 / 3)
    assert told["inter_onset_entropy"] == pytest.approx(math.log2(3) - 2 / 3)
    assert told["note_length_entropy"] == pytest.approx(1.5)
    assert told["mean_note_length"] == pytest.approx(1.0)


def test_a_chord_is_one_start():
    score = melody([60, 62])
    for key in (50, 55):
        score.tracks[0].notes.append(Note(0.0, 1.0, key, 80))
    assert rhythm.evaluate(score)["onsets_per_beat"] == 1.0


def test_the_beat_of_six_eight_is_a_dotted_quarter():
    told = rhythm.evaluate(melody([60] * 6, [0.5] * 6, numerator=6, denominator=8))
    assert told["off_beat_share"] == pytest.approx(4 / 6)


def test_a_single_note_has_nan_and_no_error():
    told = rhythm.evaluate(melody([60]))
    assert list(told) == [measure.name for measure in rhythm.MEASURES]
    assert all(math.isnan(told[name]) for name in ("groove_consistency", "mean_inter_onset", "inter_onset_entropy"))
    assert told["empty_beat_rate"] == 0.0 and told["note_length_entropy"] == 0.0


def test_bars_of_several_lengths_are_compared_with_their_like():
    score = melody([60] * 14)
    score.time_signatures.append(type(score.time_signatures[0])(8.0, 3, 4))
    assert rhythm.evaluate(score)["groove_consistency"] == 1.0


def test_what_cannot_be_measured_says_why():
    with pytest.raises(BadInput, match="no notes"):
        rhythm.validate(new_score())


def test_without_a_meter_what_needs_bars_is_not_defined():
    score = melody([60, 62, 64, 65] * 4, [0.5, 1.0, 0.25, 0.75] * 4)
    with_meter = {name for name, value in rhythm.evaluate(score).items() if math.isnan(value)}
    score.time_signatures.clear()
    without = {name for name, value in rhythm.evaluate(score).items() if math.isnan(value)}
    assert without - with_meter == {"groove_consistency", "off_beat_share", "syncopation"} and not with_meter
