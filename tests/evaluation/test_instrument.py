"""How notes sound: every measure on sounds that were made to have a known one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from componium.evaluation import instrument
from componium.evaluation.instrument import Curves
from componium.music.errors import BadInput

RATE, HOP = 16000, 160


def curves(f0, *, level_db=-20.0, confidence=1.0):
    """Curves of 100 frames a second."""
    f0 = np.asarray(f0, np.float64)
    return Curves(f0, np.broadcast_to(np.asarray(confidence, np.float64), f0.shape),
                  np.broadcast_to(np.asarray(level_db, np.float64), f0.shape), HOP, RATE)


def cents(values, base=6900.0):
    return 440.0 * 2 ** ((np.asarray(values, np.float64) + base - 6900.0) / 1200.0)


def tone(f0, seconds, partials=5):
    time = np.arange(int(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * f0 * k * time) / k for k in range(1, partials + 1)) * 0.2


def silent_edges(value, frames=150, edge=25):
    found = np.full(frames, -80.0)
    found[edge:-edge] = value
    return found


@pytest.mark.parametrize("rise_ms", [20, 60, 200])
def test_the_attack_is_the_rise_from_a_tenth_to_nine_tenths(rise_ms):
    sound = np.concatenate([np.zeros(RATE // 4), tone(440, 1.0), np.zeros(RATE // 4)])
    rise = round(rise_ms / 1000 * RATE)
    sound[RATE // 4:RATE // 4 + rise] *= np.arange(rise) / rise
    quiet = silent_edges(-20.0)
    heard = curves(np.full(150, 440.0), level_db=quiet, confidence=np.where(quiet > -80, 1.0, 0.0))
    notes = instrument.notes_of(heard)
    assert [(note.first, note.last, note.rested) for note in notes] == [(25, 125, True)]
    (found,) = instrument.attacks_ms(sound, heard, notes)
    assert found == pytest.approx(0.8 * rise_ms, abs=6)


def test_a_step_takes_what_the_window_takes_and_a_note_in_full_sound_has_no_attack():
    sound = np.concatenate([np.zeros(RATE // 4), tone(440, 1.25)])
    level = silent_edges(-20.0)
    heard = curves(np.full(150, 440.0), level_db=level, confidence=np.where(level > -80, 1.0, 0.0))
    assert instrument.attacks_ms(sound, heard, instrument.notes_of(heard))[0] == pytest.approx(12, abs=2)
    assert instrument.attacks_ms(tone(440, 1.5), heard, instrument.notes_of(heard)) == []


def test_what_sounds_at_once_in_the_middle_of_a_sound_is_no_beginning():
    whole = curves(np.full(100, 440.0))
    assert instrument.notes_of(whole)[0].rested
    assert not instrument.notes_of(dataclasses.replace(whole, cut=True))[0].rested


@pytest.mark.parametrize(("depth", "rate"), [(30.0, 5.5), (12.0, 7.0), (60.0, 4.0)])
def test_vibrato_is_found_with_its_depth_and_rate(depth, rate):
    time = np.arange(200) / 100
    heard = curves(cents(depth * np.sin(2 * np.pi * rate * time) + 20 * time))
    found = instrument.evaluate([(np.zeros(2 * RATE, np.float32), heard)])
    assert found["vibrato_cents"] == pytest.approx(depth, rel=0.05)
    assert found["vibrato_hz"] == pytest.approx(rate, abs=0.15)


def test_without_vibrato_there_is_no_rate():
    found = instrument.evaluate([(np.zeros(2 * RATE, np.float32), curves(np.full(200, 440.0)))])
    assert found["vibrato_cents"] == pytest.approx(0, abs=1e-6) and math.isnan(found["vibrato_hz"])


def test_notes_are_divided_where_the_pitch_leaves_or_the_loudness_jumps_and_not_by_vibrato():
    steps = curves(cents(np.repeat([0, 200, 100], 50)))
    assert [(n.first, n.last) for n in instrument.notes_of(steps)] == [(0, 50), (50, 100), (100, 150)]
    again = curves(np.full(100, 440.0), level_db=np.repeat([-15, -30, -15], [40, 10, 50]))
    assert len(instrument.notes_of(again)) == 2
    swinging = curves(cents(70 * np.sin(2 * np.pi * 5.5 * np.arange(200) / 100)))
    assert len(instrument.notes_of(swinging)) == 1


def test_a_step_has_no_transition_and_an_even_glide_a_quarter_of_the_interval():
    step = curves(cents(np.repeat([0, 400], 50)))
    assert instrument.transitions(step, instrument.notes_of(step)) == [pytest.approx(0)]
    glide = curves(cents(np.concatenate([np.zeros(50), 400 * (np.arange(16) + 0.5) / 16, np.full(50, 400)])))
    notes = [instrument.Note(0, 58, 6900.0, True), instrument.Note(58, 116, 7300.0, False)]
    assert instrument.transitions(glide, notes) == [pytest.approx(100, rel=0.02)]
    (found,) = instrument.transitions(glide, instrument.notes_of(glide))
    assert 50 < found < 110


@pytest.mark.parametrize("ratio_db", [-10.0, -25.0, -40.0])
def test_breath_is_the_share_of_noise(ratio_db):
    clean = tone(440, 1.0, partials=12)
    noise = np.random.default_rng(0).normal(size=len(clean))
    noise *= np.sqrt(np.square(clean).mean() * 10 ** (ratio_db / 10) / np.square(noise).mean())
    told = instrument.breath_shares_db(clean + noise, curves(np.full(100, 440.0)))
    share = 10 * math.log10(10 ** (ratio_db / 10) / (1 + 10 ** (ratio_db / 10)))
    assert np.median(told) == pytest.approx(share, abs=1.0)


def test_noise_alone_is_all_breath_and_a_tone_alone_has_almost_none():
    noise = np.random.default_rng(0).normal(size=RATE) * 0.1
    assert np.median(instrument.breath_shares_db(noise, curves(np.full(100, 440.0)))) == pytest.approx(0, abs=1.0)
    assert np.median(instrument.breath_shares_db(tone(440, 1.0), curves(np.full(100, 440.0)))) < -50


def test_the_dynamics_are_those_of_notes_alone():
    level = np.concatenate([np.linspace(-40, -10, 101), np.full(50, -75.0)])
    heard = curves(np.full(151, 440.0), level_db=level, confidence=np.repeat([1.0, 0.0], [101, 50]))
    told = instrument.evaluate([(np.zeros(151 * HOP, np.float32), heard)])
    assert told["dynamics_db"] == pytest.approx(27.0, abs=0.1)


def test_played_notes_are_compared_with_what_is_written():
    heard = curves(np.repeat([cents(10), cents(200 - 30)], 50))
    written = [(0.0, 0.5, 69.0), (0.5, 1.0, 71.0)]
    assert instrument.cents_off(heard, written) == [pytest.approx(10), pytest.approx(-30)]


def test_louder_velocities_are_ordered():
    heard = curves(np.full(150, 440.0), level_db=np.repeat([-10.0, -30.0, -20.0], 50))
    written = [(0.0, 0.5, 120), (0.5, 1.0, 30), (1.0, 1.5, 80)]
    assert instrument.loudness_of_velocities(heard, written) == [-30.0, -20.0, -10.0]
    assert instrument.rising_share([-30, -20, -10]) == 1 and instrument.rising_share([1, 1, 0]) == 0
    assert math.isnan(instrument.rising_share([1.0]))


def test_silence_and_nothing_have_no_figures():
    quiet = curves(np.full(100, 440.0), level_db=-80.0)
    for told in (instrument.evaluate([]), instrument.evaluate([(np.zeros(RATE), quiet)])):
        assert told.pop("notes") == 0 and all(math.isnan(value) for value in told.values())
    with pytest.raises(BadInput, match="as many frames"):
        instrument.evaluate([(np.zeros(RATE), Curves(np.ones(3), np.ones(2), np.ones(3), HOP, RATE))])
    with pytest.raises(BadInput, match="one channel"):
        instrument.evaluate([(np.zeros((2, RATE)), quiet)])
