from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from componium.dsp import noise, reverb  # noqa: E402


def drawn(count: int, seed: int = 0, first: int = 0) -> np.ndarray:
    return noise.uniform_noise(torch.arange(first, first + count), torch.tensor(seed)).numpy()


def by_hand(sample: int, seed: int) -> float:
    """The same arithmetic in Python's whole numbers."""
    word = 2**32

    def mixed(x: int, factor: int, shift: int) -> int:
        return (x ^ (x // shift)) * factor % word

    x = (sample + seed * 1597334677 % word) % word
    x = mixed(x, 1103515245, 65536)
    x = (x + seed * 747796405 % word) % word
    x = mixed(x, 1664525213, 32768)
    x = mixed(x, 1812433253, 65536)
    return (x ^ (x // 65536)) * 2.0 / word - 1.0


def test_equals_whole_numbers_of_any_size() -> None:
    for seed in (0, 1, 12345, 2**31 - 1):
        for sample in (0, 1, 2, 99999, 2**31 + 5, 2**32 - 1):
            assert drawn(1, seed, sample)[0] == pytest.approx(by_hand(sample, seed), abs=1e-6)


def test_is_white_and_even() -> None:
    x = drawn(1 << 18, seed=3)
    assert abs(x.mean()) < 0.005 and x.var() == pytest.approx(1 / 3, rel=0.01)
    counts, _ = np.histogram(x, 64, (-1, 1))
    assert (np.abs(counts - 4096) < 6 * 64).all()
    for lag in (1, 2, 3, 7, 64, 1000, 1024):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 0.01
    power = (np.abs(np.fft.rfft(x[: 1 << 18].reshape(256, 1024) * np.hanning(1024))) ** 2).mean(0)[2:-2]
    assert power.max() / power.min() < 2.2


def test_seeds_have_nothing_to_do_with_each_other() -> None:
    for one, other in ((0, 1), (1, 2), (5, 5000), (0, 2**31 - 1)):
        assert abs(np.corrcoef(drawn(1 << 15, one), drawn(1 << 15, other))[0, 1]) < 0.03
        both = np.correlate(drawn(2048, one), drawn(1 << 14, other), "valid") / (2048 / 3)
        assert np.abs(both).max() < 0.2, "nor is one the other a little later"


def test_is_the_same_in_slices_and_scripted() -> None:
    assert np.array_equal(np.concatenate([drawn(10), drawn(90, first=10)]), drawn(100))
    scripted = torch.jit.script(noise.uniform_noise)
    assert np.array_equal(scripted(torch.arange(100), torch.tensor(0)).numpy(), drawn(100))


def test_filters_have_their_magnitudes() -> None:
    wanted = torch.linspace(1.0, 0.2, 33)
    response = noise.impulse_responses(wanted[None])[0]
    assert response.shape == (64,) and torch.allclose(response[1:], response.flip(0)[:-1], atol=1e-6), "linear phase"
    found = torch.fft.rfft(response).abs()
    assert float((found - wanted).abs().max()) < 0.03


def test_still_filters_are_a_plain_convolution() -> None:
    magnitudes = torch.rand(33, generator=torch.Generator().manual_seed(0))
    x = drawn(40 * 16)
    y, _ = noise.filtered_noise(magnitudes.expand(1, 40, 33), magnitudes.expand(1, 1, 33), torch.zeros(1, 64),
                                torch.from_numpy(x)[None], 16)
    expected = np.convolve(x, noise.impulse_responses(magnitudes).numpy())[:640]
    assert np.abs(y[0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize(("hop", "bands"), [(64, 17), (16, 33), (50, 65)])
def test_filtered_slices_are_the_whole(hop: int, bands: int) -> None:
    generator = torch.Generator().manual_seed(0)
    magnitudes = torch.rand(2, 12, bands, generator=generator)
    x = torch.rand(2, 12 * hop, generator=generator)
    before, tail = torch.zeros(2, 1, bands), torch.zeros(2, 2 * (bands - 1))
    whole, left = noise.filtered_noise(magnitudes, before, tail, x, hop)
    parts = []
    for start, stop in ((0, 1), (1, 5), (5, 12)):
        part, tail = noise.filtered_noise(magnitudes[:, start:stop], before, tail, x[:, start * hop:stop * hop], hop)
        before = magnitudes[:, stop - 1:stop]
        parts.append(part)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-6) and torch.allclose(tail, left, atol=1e-6)


def test_gradients_of_silence_are_numbers() -> None:
    magnitudes = torch.zeros(1, 4, 17, requires_grad=True)
    y, _ = noise.filtered_noise(magnitudes, torch.zeros(1, 1, 17), torch.zeros(1, 32), torch.rand(1, 256), 64)
    y.square().sum().backward()
    assert magnitudes.grad is not None and bool(torch.isfinite(magnitudes.grad).all())


def test_reverb_in_slices_is_the_whole_and_a_plain_convolution() -> None:
    generator = torch.Generator().manual_seed(0)
    x, response = torch.randn(2, 640, generator=generator), torch.randn(200, generator=generator)
    whole = reverb.convolved(x, response)
    assert np.abs(whole[1].numpy() - np.convolve(x[1].numpy(), response.numpy())[:640]).max() < 1e-3
    spectra = reverb.partitioned(response, 64)
    assert spectra.shape == (4, 65)
    past, last, parts = torch.zeros(2, 4, 65, 2), torch.zeros(2, 64), []
    for start, stop in ((0, 64), (64, 256), (256, 640)):
        part, past, last = reverb.convolve_step(x[:, start:stop], spectra, past, last)
        parts.append(part)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-3)
