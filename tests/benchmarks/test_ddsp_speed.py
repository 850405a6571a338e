"""The plain path that `ddsp` is compared with makes the same sound, and memory is what a job takes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.benchmarks import ddsp_speed, memory, plain_ddsp  # noqa: E402
from componium.benchmarks.measure import Measurement, rows  # noqa: E402
from componium.benchmarks.pitch_tracking import phrase  # noqa: E402
from componium.dsp.noise import filtered_noise  # noqa: E402
from componium.dsp.oscillators import harmonic_sound  # noqa: E402
from componium.dsp.spectra import loudness_db, spectral_loss  # noqa: E402
from componium.music.errors import BadInput  # noqa: E402

on_linux = pytest.mark.skipif(not memory.STATUS.is_file(), reason="peak memory is measured on Linux only")


def test_the_plain_partials_of_a_steady_tone_are_ours():
    f0, amplitudes = torch.full((1, 20), 441.0), torch.rand(20).expand(1, 20, 20) / 20
    ours, _ = harmonic_sound(f0, amplitudes, f0[:, :1], amplitudes[:, :1], torch.zeros(1, 1, dtype=torch.int64), 256,
                             48000, "linear")
    assert torch.allclose(plain_ddsp.harmonics(f0, amplitudes, 256, 48000), ours, atol=1e-3)


def test_the_plain_noise_has_the_colour_of_ours():
    magnitudes = torch.linspace(1.0, 0.0, 65).expand(1, 400, 65)
    white = 2 * torch.rand(1, 400 * 320) - 1
    ours, _ = filtered_noise(magnitudes, magnitudes[:, :1], torch.zeros(1, 128), white, 320)
    power = [torch.stft(sound, 256, window=torch.hann_window(256), return_complex=True).abs().square().mean((0, 2))
             for sound in (ours, plain_ddsp.noise(magnitudes, 320))]
    assert torch.all((10 * torch.log10(power[0] / power[1]))[2:100].abs() < 1.5)


def test_the_plain_loudness_and_the_plain_loss_are_ours():
    sound = torch.from_numpy(phrase(1.0))[None]
    heard = plain_ddsp.loudness_db(sound, 48000, 512, 1024)
    ours = loudness_db(sound, 48000, hop=512, window=1024)
    apart = (heard[:, :ours.shape[1]] - ours)[0, 4:-4]
    assert apart.std() < 0.5, "the same but for the level that is 0 dB"
    other = sound.flip(1)
    assert plain_ddsp.spectral_loss(sound, other).item() == pytest.approx(spectral_loss(sound, other).item(), rel=5e-3)


def test_both_sides_make_sound_of_one_length():
    ours, plain = (ddsp_speed.synthesis_job(side, "vst", 0.5)() for side in ("ours", "plain"))
    assert ours.samples.shape == plain.shape == (1, 8000)
    assert np.isfinite(plain).all() and np.abs(plain).max() > 0


def test_both_sides_learn_from_the_same_batch(monkeypatch):
    monkeypatch.setattr(ddsp_speed, "BATCH", 1)
    monkeypatch.setattr(ddsp_speed, "CROP_SECONDS", 0.2)
    ours, plain = (ddsp_speed.training_job(side)() for side in ("ours", "plain"))
    assert plain == pytest.approx(ours, rel=0.1)


@on_linux
def test_the_memory_of_a_job_is_seen():
    used = memory.used_by("componium.benchmarks.ddsp_speed:synthesis_job", ["plain", "vst", 4.0])
    assert used.bytes > 16000 * 4.0 * 60 * 4, "a matrix of samples by partials at least"
    assert used.seconds > 0


def test_a_job_that_fails_is_told():
    with pytest.raises(BadInput, match=r"failed: .*nothing"):
        memory.used_by("componium.benchmarks.nothing:job", [])


def test_memory_without_pages_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    with pytest.raises(BadInput, match="Linux"):
        memory.pages("VmRSS")


def test_memory_is_shown_beside_the_time():
    one = Measurement("a", "peer", 1, "step", 1.0, 2.0, 3, ours_bytes=10_000_000, baseline_bytes=70_000_000)
    assert one.memory_ratio == one.to_json()["memory_ratio"] == 7.0
    assert "memory 10 MB and 70 MB, a ratio of 7" in rows([one])[0][-1]
    assert Measurement("a", "peer").memory_ratio is None
