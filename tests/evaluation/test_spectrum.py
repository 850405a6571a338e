"""Spectral distances: stored sounds with the figures of auraloss (and of librosa's mel filters), and what must hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation import spectrum
from componium.music.audio import Audio
from componium.music.errors import BadInput

pytest.importorskip("torch")

DATA = Path(__file__).parent / "data"
STORED = json.loads((DATA / "spectrum_cases.json").read_text(encoding="utf-8"))
CASES = STORED["cases"]
RATE = STORED["sample_rate_hz"]


def sound(*names: str) -> Audio:
    with np.load(DATA / "spectrum_sounds.npz") as stored:
        return Audio(np.stack([stored[name] / np.float32(32768) for name in names]), RATE)


def named(case: dict[str, object]) -> str:
    return f"{'+'.join(case['reference'])}-{'+'.join(case['estimate'])}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_figures_are_those_of_auraloss(case: dict[str, object]) -> None:
    reference, estimate = sound(*case["reference"]), sound(*case["estimate"])
    found = spectrum.evaluate(reference, estimate)
    assert found["multi_resolution_stft"] == pytest.approx(case["multi_resolution_stft"], rel=1e-5)
    assert found["mel_distance"] == pytest.approx(case["mel_distance"], rel=1e-5)
    for frames, convergence, logs in zip(spectrum.STFT_FRAMES, case["spectral_convergence"], case["log_magnitude"],
                                         strict=True):
        assert spectrum.stft_distance(reference, estimate, *frames) == pytest.approx((convergence, logs), rel=1e-5)
    if case["si_sdr_db"] is None:
        assert math.isnan(found["si_sdr_db"])
    else:
        assert found["si_sdr_db"] == pytest.approx(case["si_sdr_db"], abs=1e-3)
    assert set(found) == {measure.name for measure in spectrum.MEASURES}


def test_a_copy_is_no_way_from_itself() -> None:
    for names in (("tone",), ("tone", "noise")):
        found = spectrum.evaluate(sound(*names), sound(*names))
        assert found == {"multi_resolution_stft": 0.0, "mel_distance": 0.0, "si_sdr_db": math.inf}


def test_silence_is_no_way_from_silence() -> None:
    found = spectrum.evaluate(sound("silence"), sound("silence"))
    assert found["multi_resolution_stft"] == found["mel_distance"] == 0.0
    assert math.isnan(found["si_sdr_db"])


@pytest.mark.parametrize("ratio_db", [-10.0, 0.0, 20.0])
def test_noise_at_a_right_angle_gives_its_ratio(ratio_db: float) -> None:
    times = np.arange(8000) / 8000
    wanted, other = np.sin(2 * np.pi * 400 * times), np.sin(2 * np.pi * 700 * times)
    estimate = 0.3 * (wanted + 10 ** (-ratio_db / 20) * other) + 0.05  # neither gain nor mean count
    reference, judged = Audio(0.5 * wanted, 8000), Audio(estimate, 8000)
    assert spectrum.si_sdr_db(reference, judged) == pytest.approx(ratio_db, abs=1e-3)
    left = spectrum.distortion(reference, judged).samples[0]
    np.testing.assert_allclose(left, 0.3 * 10 ** (-ratio_db / 20) * other, atol=1e-5)


def test_what_is_nothing_of_the_reference_is_infinitely_far() -> None:
    reference = np.tile([1.0, -1.0, 0.0, 0.0], 500)
    estimate = np.tile([0.0, 0.0, 1.0, -1.0], 500)
    assert spectrum.si_sdr_db(Audio(reference, 8000), Audio(estimate, 8000)) == -math.inf


def test_the_channels_are_averaged() -> None:
    each = [spectrum.si_sdr_db(sound("tone"), sound(name)) for name in ("noisy_tone", "other")]
    assert spectrum.si_sdr_db(sound("tone", "tone"), sound("noisy_tone", "other")) == pytest.approx(np.mean(each))
    each = [spectrum.mel_distance(sound("tone"), sound(name)) for name in ("noisy_tone", "other")]
    assert spectrum.mel_distance(sound("tone", "tone"), sound("noisy_tone", "other")) == pytest.approx(np.mean(each))


def test_half_as_loud_is_a_known_mel_distance() -> None:
    loud = Audio(np.random.default_rng(0).normal(0, 0.2, 8000), 8000)
    found = spectrum.mel_distance(loud, loud.gain(-20 * math.log10(2)))
    # log10(2) for every band that is not empty: at 8 kHz some of 320 bands lie between two bins
    assert 6 * math.log10(2) < found <= 7 * math.log10(2) + 1e-4


def test_a_little_longer_is_cut() -> None:
    longer = Audio(np.pad(sound("noisy_tone").samples, ((0, 0), (0, 300))), RATE)
    assert spectrum.evaluate(sound("tone"), longer) == spectrum.evaluate(sound("tone"), sound("noisy_tone"))


@pytest.mark.parametrize(("reference", "estimate", "told"), [
    (Audio(np.zeros(8000), 8000), Audio(np.zeros(8000), 16000), "resample"),
    (Audio(np.zeros(8000), 8000), Audio(np.zeros((2, 8000)), 8000), "channel"),
    (Audio(np.zeros(8000), 8000), Audio(np.zeros(8401), 8000), "cut both"),
    (Audio(np.zeros(1024), 8000), Audio(np.zeros(1024), 8000), "1024"),
    (Audio(np.zeros(0), 8000), Audio(np.zeros(0), 8000), "not 0"),
])
def test_what_cannot_be_compared_is_told(reference: Audio, estimate: Audio, told: str) -> None:
    for measure in (spectrum.validate, spectrum.evaluate, spectrum.si_sdr_db, spectrum.distortion):
        with pytest.raises(BadInput, match=told):
            measure(reference, estimate)
