from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.dsp import oscillators, shaping  # noqa: E402


def whole(f0: torch.Tensor, amplitudes: torch.Tensor, hop: int, rate: int, envelope: str = "hann") -> torch.Tensor:
    phase = torch.zeros(len(f0), 1, dtype=torch.int64)
    return oscillators.harmonic_sound(f0, amplitudes, f0[:, :1], amplitudes[:, :1], phase, hop, rate, envelope)[0]


def plainly(f0: np.ndarray, amplitudes: np.ndarray, hop: int, rate: int, envelope: str) -> np.ndarray:
    """The same, sample by sample, in double precision."""
    frames, count = amplitudes.shape
    phase, sound = 0.0, []
    for frame in range(frames):
        before = max(frame - 1, 0)
        for n in range(1, hop + 1):
            line = n / hop
            phase += (f0[before] + (f0[frame] - f0[before]) * line) / rate
            weight = math.sin(math.pi / 2 * line) ** 2 if envelope == "hann" else line
            levels = amplitudes[before] * (1 - weight) + amplitudes[frame] * weight
            sound.append(sum(levels[k] * math.sin(2 * math.pi * (k + 1) * phase) for k in range(count)))
    return np.array(sound)


@pytest.mark.parametrize("envelope", shaping.ENVELOPES)
def test_equals_a_plain_loop(envelope: str) -> None:
    rng = np.random.default_rng(0)
    f0, amplitudes = 300 + 200 * rng.random(9), rng.random((9, 5)) / 5
    sound = whole(torch.tensor(f0[None], dtype=torch.float32), torch.tensor(amplitudes[None], dtype=torch.float32), 32,
                  16000, envelope)[0]
    assert np.abs(sound.numpy() - plainly(f0.astype(np.float32), amplitudes, 32, 16000, envelope)).max() < 1e-4


def test_slices_are_exactly_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    f0 = 100 + 900 * torch.rand(2, 60, generator=generator)
    amplitudes = torch.rand(2, 60, 7, generator=generator)
    expected = whole(f0, amplitudes, 64, 48000)
    before_hz, before = f0[:, :1], amplitudes[:, :1]
    phase, parts = torch.zeros(2, 1, dtype=torch.int64), []
    for start, stop in ((0, 1), (1, 2), (2, 20), (20, 60)):
        some, levels = f0[:, start:stop], amplitudes[:, start:stop]
        part, phase = oscillators.harmonic_sound(some, levels, before_hz, before, phase, 64, 48000, "hann")
        before_hz, before = some[:, -1:], levels[:, -1:]
        parts.append(part)
    assert torch.equal(torch.cat(parts, 1), expected)


def test_phase_is_right_after_ten_minutes() -> None:
    rate, hop, f0_hz = 48000, 1024, 441.7
    frames = 600 * rate // hop
    f0 = torch.full((1, frames), f0_hz)
    phases, _ = oscillators.wrapped_phases(f0, f0[:, :1], torch.zeros(1, 1, dtype=torch.int64), hop, rate)
    samples = np.arange(1, frames * hop + 1)[-hop:]
    expected = (float(np.float32(f0_hz)) / rate * samples) % 1.0
    apart = np.abs(phases[0, -1].double().numpy() - expected)
    assert np.minimum(apart, 1 - apart).max() < 2e-5


def test_partials_above_half_the_rate_are_silent() -> None:
    heard = oscillators.audible(torch.tensor([[1000.0, 3000.0]]), 10, 16000)
    assert heard[0].sum(-1).tolist() == [7, 2]


def test_learning_amplitudes_gives_the_gradients_of_the_plain_sum() -> None:
    generator = torch.Generator().manual_seed(1)
    phases = torch.rand(3, 16, generator=generator)
    amplitudes = torch.rand(3, 2, 4, generator=generator, requires_grad=True)
    weight = torch.rand(3, 2, 16, generator=generator)
    (oscillators.partials(phases, amplitudes) * weight).sum().backward()
    plain, amplitudes.grad = amplitudes.grad, None
    (oscillators._learned(phases, amplitudes) * weight).sum().backward()
    assert amplitudes.grad is not None and plain is not None and torch.allclose(plain, amplitudes.grad, atol=1e-5)


def test_frequency_has_the_gradient_of_a_difference() -> None:
    amplitudes = torch.full((1, 4, 2), 0.3)

    def energy(f0: torch.Tensor) -> torch.Tensor:
        sound = whole(f0, amplitudes, 16, 8000)
        return (sound * torch.linspace(0, 1, sound.shape[1])).sum()

    f0 = torch.tensor([[200.0, 210.0, 190.0, 205.0]], requires_grad=True)
    energy(f0).backward()
    step, with_, without = 0.05, f0.detach().clone(), f0.detach().clone()
    with_[0, 1] += step
    without[0, 1] -= step
    assert f0.grad is not None
    assert float(f0.grad[0, 1]) == pytest.approx(float(energy(with_) - energy(without)) / (2 * step), rel=0.02)


def test_exponentiated_sigmoid() -> None:
    x = torch.tensor([-100.0, -5.0, 0.0, 5.0, 100.0], requires_grad=True)
    y = shaping.exponentiated_sigmoid(x)
    expected = [2 * (1 / (1 + math.exp(-v))) ** math.log(10) + 1e-7 for v in x.tolist()]
    assert y.tolist() == pytest.approx(expected, rel=1e-4)
    y.sum().backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all())


def test_upsampled_reaches_each_value_with_the_last_sample_of_its_frame() -> None:
    y = shaping.upsampled(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0]]), 4, "linear")
    assert y[0].tolist() == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0])
