"""Outliers: the figures of pieces and recordings on cases worked out by hand, and which of a set is told to be out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from componium.evaluation.outliers import (
    RECORDING_FIGURES,
    SCORE_FIGURES,
    Figure,
    outliers,
    phrase,
    score_figures,
)
from componium.evaluation.recordings import recording_figures
from componium.music.audio import Audio, silence
from componium.music.score import Note, Track, new_score

RATE = 44100


def piece(*voices, drums=False):
    score = new_score()
    for number, notes in enumerate(voices):
        score.tracks.append(Track(str(number), is_drum=drums))
        score.tracks[-1].notes.extend([Note(start, length, pitch, 80) for start, length, pitch in notes])
    return score


def tone(seconds=1.0, gain=0.2, rate=RATE):
    return gain * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def figure(name, those=SCORE_FIGURES):
    return next(each for each in those if each.name == name)


# Figures

def test_the_figures_of_a_piece_by_hand():
    score = piece([(0, 2, 60), (1, 2, 64), (12, 4, 60), (12, 1, 60)], [(0.1, 0.9, 20), (14, 2, 109)])
    found = score_figures(score)
    assert set(found) == {each.name for each in SCORE_FIGURES}
    assert (found["length"], found["notes"], found["density"], found["voices"]) == (16.0, 6, 6 / 16, 2)
    assert (found["range"], found["notes_out_of_range"], found["doubled_notes"]) == (89, 2, 1)
    assert found["longest_note"] == 4.0
    assert found["silence"] == pytest.approx(9 / 16)  # from 3 to 12
    assert found["empty_bars"] == 2  # the second and the third; the first and the last hold notes
    assert found["off_grid"] == pytest.approx(1 / 6)  # 0.1 beats


def test_a_bar_that_a_long_note_fills_is_not_empty():
    assert score_figures(piece([(0, 16, 60)]))["empty_bars"] == 0
    assert score_figures(piece([(0, 4, 60), (8, 4, 60)]))["empty_bars"] == 1
    assert score_figures(piece([(8, 4, 60)]))["empty_bars"] == 2


@pytest.mark.parametrize("fine", [1 / 4, 1 / 3, 1 / 8, 1 / 6, 1 / 12, 1 / 16])
def test_notes_on_usual_grids_are_on_the_grid(fine):
    assert score_figures(piece([(step * fine, fine, 60 + step % 5) for step in range(64)]))["off_grid"] == 0


def test_pieces_without_much_in_them():
    nothing = score_figures(new_score())
    assert (nothing["notes"], nothing["voices"]) == (0, 0) and math.isnan(nothing["length"])
    one = score_figures(piece([(0, 1, 60)]))
    assert (one["range"], one["silence"], one["empty_bars"]) == (0, 0, 0)
    drums = score_figures(piece([(0, 1, 20)], drums=True))
    assert math.isnan(drums["range"]) and math.isnan(drums["key_clearness"]) and drums["length"] == 1
    flat = score_figures(piece([(0, 0, 60), (0, 0, 62)]))
    assert flat["notes"] == 2 and math.isnan(flat["density"]) and math.isnan(flat["silence"])


def test_a_length_that_is_a_mistake_takes_no_time():
    found = score_figures(piece([(0, 1, 60), (9e7, 1, 60)]))
    assert found["length"] == pytest.approx(9e7, rel=1e-6) and math.isnan(found["empty_bars"])


def test_the_figures_of_a_recording_by_hand():
    samples = np.stack([np.concatenate([np.zeros(RATE // 2, np.float32), tone(0.5)]), np.zeros(RATE, np.float32)])
    found = recording_figures(Audio(samples, RATE))
    assert set(found) == {each.name for each in RECORDING_FIGURES}
    assert (found["duration"], found["channels"], found["sample_rate"]) == (1.0, 2, RATE)
    assert (found["silent_channels"], found["clipped"]) == (1, 0)
    assert found["silence"] == pytest.approx(0.5, abs=0.03) and found["leading_silence"] == pytest.approx(0.5, abs=0.03)
    assert found["peak"] == pytest.approx(20 * math.log10(0.2), abs=0.01)
    assert found["loudness"] == pytest.approx(Audio(samples, RATE).loudness_lufs)


def test_clipping_and_offset():
    samples = tone()
    samples[100:104], samples[200:202] = 1.0, 1.0  # a run of four counts, one of two does not
    found = recording_figures(Audio(samples + 0.0, RATE))
    assert found["clipped"] == pytest.approx(100 * 4 / len(samples)) and found["dc_offset"] < 0.001
    assert recording_figures(Audio(tone() + np.float32(0.1), RATE))["dc_offset"] == pytest.approx(0.1, abs=0.001)


def test_silence_and_many_channels():
    found = recording_figures(silence(0.5))
    assert found["silence"] == 1.0 and found["silent_channels"] == 1 and found["leading_silence"] == 0.5
    assert math.isnan(found["loudness"]) and math.isnan(found["peak"])
    assert math.isfinite(recording_figures(Audio(np.tile(tone(), (8, 1)), RATE))["loudness"])
    assert recording_figures(Audio(np.ones(1, np.float32) * 0.1, RATE))["duration"] == pytest.approx(1 / RATE)


# Outliers

def test_far_out_is_three_interquartile_ranges_beyond_the_quartiles():
    size = Figure("size", "things", "")
    usual = [{"size": 12.0}] * 50 + [{"size": 16.0}] * 50  # quartiles 12 and 16, whatever one more is
    for value, out in ((28.0, False), (29.0, True), (0.0, False), (-1.0, True)):
        found = outliers([*usual, {"size": value}], [size])
        assert not any(found[:100]) and bool(found[100]) is out
    assert found[100][0].text == ("size -1 things: the middle half of the set has 12 to 16, "
                                  "3.2 interquartile ranges below")


def test_ratios_are_compared_by_their_logarithm():
    rows = [{"length": 2.0 ** (place / 4)} for place in range(40)]  # evenly spread: none is out
    assert not any(outliers(rows, [figure("length")]))
    found = outliers([*rows, {"length": 0.0}], [figure("length")])
    assert found[-1] and math.isfinite(found[-1][0].far)  # its logarithm is not


def test_small_differences_in_an_even_set_are_no_outliers():
    rows = [{"length": 64.0}] * 20 + [{"length": 80.0}]
    assert not any(outliers(rows, [figure("length")]))
    assert outliers([*rows, {"length": 640.0}], [figure("length")])[-1]


def test_faults_are_told_unless_they_belong_to_the_set():
    bars = figure("empty_bars")
    assert [bool(each) for each in outliers([{"empty_bars": 0.0}] * 2 + [{"empty_bars": 1.0}], [bars])] == [
        False, False, True]  # however few there are
    many = [{"empty_bars": float(place % 2)} for place in range(20)]
    assert not any(outliers(many, [bars]))
    found = outliers([*many, {"empty_bars": 50.0}], [bars])
    assert [place for place, each in enumerate(found) if each] == [20]
    assert all(finding.far < 1000 for each in found for finding in each)


def test_rare_kinds_are_told_where_most_have_one():
    rate = figure("sample_rate", RECORDING_FIGURES)
    rows = [{"sample_rate": 44100.0}] * 30
    found = outliers([*rows, {"sample_rate": 22050.0}], [rate])
    assert [place for place, each in enumerate(found) if each] == [30]
    assert found[30][0].text == ("another sample rate than the others (sample rate 22,050 Hz): "
                                 "30 of 31 have 44,100")
    mixed = [{"sample_rate": 1000.0 * place} for place in range(1, 31)]
    assert not any(outliers(mixed, [rate]))


def test_few_items_and_missing_figures_are_no_outliers():
    rows = [{"length": 1.0}, {"length": 1000.0}, {}, {"length": math.nan}]
    assert outliers(rows, SCORE_FIGURES) == [[], [], [], []]
    assert outliers([], SCORE_FIGURES) == []
    many = [{"length": 64.0}] * 10 + [{}, {"length": math.nan}]
    assert not any(outliers(many, SCORE_FIGURES))


def test_figures_are_read_as_sentences():
    assert phrase(figure("length"), 12.0) == "length 12.0 beats"
    assert phrase(figure("voices"), 3) == "3 voices"
    assert phrase(figure("empty_bars"), 1) == "1 empty bar"
    assert phrase(figure("notes_out_of_range"), 1) == "1 note out of range"
    assert phrase(figure("silence"), 0.25) == "silence 0.250"


def test_the_farthest_finding_comes_first():
    rows = [{"length": 64.0, "notes": 100.0}] * 10 + [{"length": 1024.0, "notes": 12800.0}]
    found = outliers(rows, SCORE_FIGURES)[-1]
    assert len(found) == 2 and found[0].far >= found[1].far
