"""The controls of a sound: taken out and put back they give the same, edited they give what was asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from componium.instruments.ddsp import DDSP, DDSPConfig
from componium.instruments.ddsp.features import Features
from componium.instruments.ddsp.learned import Learned
from componium.instruments.ddsp.sound_controls import SoundControls, controls_of, sound_of_controls, transferred
from componium.music.audio import Audio
from componium.music.errors import BadInput

RATE, HOP, FRAMES = 16000, 320, 40
SMALL = DDSPConfig(sample_rate_hz=RATE, hop_samples=HOP, harmonics=8, noise_bands=9, hidden=16, width=16)


def small(**changes):
    model = DDSP(dataclasses.replace(SMALL, **changes))
    model.trained = True
    model.learned = Learned(pitch_mean=60, pitch_range=(48, 72), loudness_quantiles=tuple(np.linspace(-40, -10, 101)))
    return model


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture(scope="module")
def curves():
    glide = 220 * 2 ** np.linspace(0, 1, FRAMES)
    return Features(glide.astype(np.float32), np.ones(FRAMES, np.float32),
                    np.linspace(-50, -15, FRAMES).astype(np.float32), np.zeros((FRAMES, 0), np.float32))


def tone(hz=220.0, seconds=0.8, rate=RATE):
    return Audio((0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32), rate)


def level(audio, hz):
    wave = audio.samples[0] * np.hanning(audio.sample_count)
    return abs(wave @ np.exp(-2j * np.pi * hz * np.arange(len(wave)) / audio.sample_rate_hz)) / len(wave)


@pytest.mark.parametrize("changes", [{}, {"reverb_seconds": 0.1}, {"envelope": "linear"}])
def test_taken_out_and_put_back_the_sound_is_the_same(curves, changes, monkeypatch):
    monkeypatch.setattr("componium.instruments.ddsp.sound_controls.CHUNK_FRAMES", 16)
    model = small(**changes)
    back = sound_of_controls(model, controls_of(model, curves), seed=3)
    np.testing.assert_allclose(back.samples, model.sound_of(curves, seed=3).samples, atol=1e-6)
    assert np.abs(back.samples - sound_of_controls(model, controls_of(model, curves), seed=4).samples).max() > 1e-7


def test_shares_add_up_and_partials_above_half_the_rate_are_silent(model, curves):
    controls = controls_of(model, curves)
    np.testing.assert_allclose(controls.harmonics.sum(1), 1.0, atol=1e-5)
    high = controls_of(model, curves.with_(f0_hz=np.full(FRAMES, 3000, np.float32)))
    assert not high.harmonics[:, 2:].any() and high.harmonics[:, :2].all()
    assert (controls.frame_rate_hz, len(controls)) == (50.0, FRAMES)


def test_an_edit_is_heard(model, curves):
    controls = controls_of(model, curves)
    only = np.zeros_like(controls.harmonics)
    only[:, 1] = 1.0
    edited = dataclasses.replace(controls, f0_hz=np.full(FRAMES, 300, np.float32), harmonics=only,
                                 amplitude=np.full(FRAMES, 0.5, np.float32), noise=np.zeros_like(controls.noise))
    sound = sound_of_controls(model, edited)
    assert level(sound, 600) > 0.1 and level(sound, 300) < 1e-3 * level(sound, 600)


def test_arrays_and_back(model, curves):
    controls = controls_of(model, curves, lead=2)
    back = SoundControls.from_arrays({**controls.to_arrays(), "origin": np.array("text")})
    assert all(np.array_equal(a, b) for a, b in zip(back.to_arrays().values(), controls.to_arrays().values(),
                                                    strict=True))
    assert sound_of_controls(model, back).sample_count == (FRAMES - 2) * HOP


@pytest.mark.parametrize(("changes", "told"), [
    ({"f0_hz": None}, "f0_hz is missing"),
    ({"f0_hz": np.zeros(FRAMES)}, "f0_hz is 0 in frame 0"),
    ({"f0_hz": np.full(FRAMES, np.nan)}, "f0_hz is nan in frame 0"),
    ({"f0_hz": np.full(FRAMES, 9000.0)}, "between 0.001 and 8000"),
    ({"amplitude": np.full(FRAMES, -1.0)}, "amplitude is -1"),
    ({"noise": np.ones((FRAMES - 1, 9))}, "noise has 39 frames, and f0_hz 40"),
    ({"harmonics": np.ones(FRAMES)}, r"shape \[40\]; it is \[frames, number\]"),
    ({"harmonics": np.full((FRAMES, 8), "a")}, "not numbers"),
    ({"hop_samples": np.array(0)}, "do not make 16000 Hz"),
    ({"hop_samples": np.array("many")}, "hop_samples has to be one number"),
    ({"frame_rate_hz": np.array([1.0, 2.0])}, "frame_rate_hz has to be one number"),
    ({"lead_frames": np.array(FRAMES)}, "lead_frames is 40"),
])
def test_what_cannot_sound_is_told(model, curves, changes, told):
    arrays = {**controls_of(model, curves).to_arrays(), **changes}
    with pytest.raises(BadInput, match=told):
        SoundControls.from_arrays({name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(("changes", "told"), [
    ({"harmonics": 9}, "number of partials is 8, and this model has 9"),
    ({"noise_bands": 17}, "number of noise bands is 9"), ({"hop_samples": 160}, "hop is 320")])
def test_controls_of_another_model_are_told(model, curves, changes, told):
    with pytest.raises(BadInput, match=told):
        sound_of_controls(small(**changes), controls_of(model, curves))


def test_a_transfer_and_the_curves_that_it_plays(model):
    words = {"octave_shift": 1.0, "adjust": False, "quiet_db": 0.0, "seed": 5}
    sound, curves, lead = transferred(model, tone(), **words)
    assert np.array_equal(sound.samples, model.transfer(tone(), **words).samples)
    assert np.median(curves.f0_hz[lead:]) == pytest.approx(440, rel=0.02)
    back = sound_of_controls(model, controls_of(model, curves, lead=lead), seed=5)
    np.testing.assert_allclose(back.samples[:, :sound.sample_count], sound.samples, atol=1e-6)
    with pytest.raises(BadInput, match="octave_shift=9"):
        transferred(model, tone(), octave_shift=9.0)
