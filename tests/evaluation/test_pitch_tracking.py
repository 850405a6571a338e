"""Figures of pitch trackers, on rows that are counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from componium.evaluation import pitch_tracking
from componium.music.errors import BadInput


def cents(*values):
    return 440.0 * 2.0 ** (np.array(values) / 1200.0)


def test_figures_counted_by_hand():
    reference = np.array([440, 440, 440, 440, 440, 440, 440, 440, 0, 0], float)
    estimate = np.append(cents(0, 49, -49, 51, 1200, -1200, 2449, 600), [440, 300])
    voiced = np.array([1, 1, 1, 1, 0, 1, 1, 0, 1, 0], bool)
    found = pitch_tracking.evaluate(reference, estimate, voiced)
    assert found.raw_pitch_accuracy == 3 / 8
    assert found.raw_chroma_accuracy == 6 / 8
    assert found.octave_up == found.octave_down == 1 / 8
    assert found.voicing_recall == 6 / 8
    assert found.voicing_false_alarm == 1 / 2
    assert (found.frames, found.silent_frames) == (8, 2)


def test_pitch_counts_where_the_estimate_tells_of_none_but_a_missing_one_is_wrong():
    found = pitch_tracking.evaluate([440.0, 440.0], [440.0, 0.0], np.array([False, False]))
    assert found.raw_pitch_accuracy == found.raw_chroma_accuracy == 0.5
    assert found.voicing_recall == 0.0


def test_what_cannot_be_counted_is_not_zero():
    never = pitch_tracking.evaluate([440.0], [440.0], np.array([True]))
    assert np.isnan(never.voicing_false_alarm)
    silent = pitch_tracking.evaluate([0.0], [440.0], np.array([True]))
    assert np.isnan(silent.raw_pitch_accuracy) and silent.voicing_false_alarm == 1.0
    assert np.isnan(pitch_tracking.evaluate([], [], np.zeros(0, bool)).raw_pitch_accuracy)


def test_an_instrument_may_stand_higher_than_the_reference():
    off = pitch_tracking.cents_off([440.0] * 4, cents(40, 44, 42, 1242))
    assert pitch_tracking.tuning_cents(off) == pytest.approx(42)
    assert pitch_tracking.tuning_cents([]) == 0.0
    plain = pitch_tracking.evaluate([440.0], cents(80), np.array([True]))
    tuned = pitch_tracking.evaluate([440.0], cents(80), np.array([True]), tuning=42.0)
    assert (plain.raw_pitch_accuracy, tuned.raw_pitch_accuracy) == (0.0, 1.0)


@pytest.mark.parametrize(("reference", "estimate", "voiced", "told"), [
    ([440.0], [440.0, 440.0], np.array([True]), "the estimate has the shape"),
    ([440.0], [440.0], np.array([True, False]), "its voicing has the shape"),
    ([[440.0]], [[440.0]], np.array([[True]]), "frame by frame"),
    ([np.nan], [440.0], np.array([True]), "the reference holds"),
    ([440.0], [-1.0], np.array([True]), "the estimate holds"),
    ([440.0], [440.0], np.array([0.7]), "true or false"),
])
def test_rows_that_cannot_be_compared_are_refused(reference, estimate, voiced, told):
    with pytest.raises(BadInput, match=told):
        pitch_tracking.evaluate(reference, estimate, voiced)
