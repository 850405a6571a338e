"""Spectra against formulas written out in NumPy, and the spectral loss against automatic differentiation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import scipy.stats

from componium.music.errors import BadInput

torch = pytest.importorskip("torch")

from componium.dsp import spectra  # noqa: E402


def noise(*shape: int, seed: int = 0, dtype: object = None) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, shape)).to(dtype or torch.float32)


def sine(frequency_hz: float, rate_hz: int, seconds: float = 1.0, amplitude: float = 1.0) -> torch.Tensor:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return torch.from_numpy(amplitude * np.sin(2 * np.pi * frequency_hz * times)).float()[None]


def hann(size: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def transform(frame: np.ndarray) -> np.ndarray:
    """The sum of the definition."""
    size = len(frame)
    return np.exp(-2j * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size) @ frame


def test_frames_are_the_sum_of_the_definition() -> None:
    x = noise(2, 100, dtype=torch.float64)
    found = spectra.stft(x, 16, 5).numpy()
    padded = np.pad(x.numpy(), ((0, 0), (8, 100)))
    assert found.shape == (2, 9, 21)
    for example in range(2):
        for k in range(21):
            expected = transform(padded[example, 5 * k:5 * k + 16] * hann(16))
            np.testing.assert_allclose(found[example, :, k], expected, atol=1e-12)


def test_the_transform_is_that_of_torch() -> None:
    x, window = noise(3, 4000), torch.hann_window(256)
    for centred in (True, False):
        expected = torch.stft(x, 256, 64, window=window, center=centred, pad_mode="constant", return_complex=True)
        torch.testing.assert_close(spectra.stft(x, 256, 64, centred=centred), expected)


@pytest.mark.parametrize(("size", "hop"), [(256, 64), (256, 128), (250, 60), (64, 1), (17, 5), (1024, 256)])
def test_there_and_back_is_the_same_sound(size: int, hop: int) -> None:
    x = noise(2, 3001)
    back = spectra.istft(spectra.stft(x, size, hop), size, hop, samples=3001)
    assert (back - x).abs().max() < 1e-5


def test_there_and_back_without_centring_loses_only_the_edges() -> None:
    x = noise(1, 64 + 10 * 16)
    back = spectra.istft(spectra.stft(x, 64, 16, centred=False), 64, 16, centred=False)
    assert back.shape == x.shape
    assert (back - x)[:, 8:-8].abs().max() < 1e-5


def test_overlapping_frames_add() -> None:
    frames = noise(2, 7, 10, dtype=torch.float64)
    expected = np.zeros((2, 6 * 3 + 10))
    for k in range(7):
        expected[:, 3 * k:3 * k + 10] += frames[:, k].numpy()
    np.testing.assert_allclose(spectra.overlap_add(frames, 3), expected, atol=1e-15)


@pytest.mark.parametrize("first", [-1000, -7, 0, 3, 49, 50, 5000])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_frames_beyond_the_sound_are_silent(first: int, count: int) -> None:
    x = torch.arange(1.0, 51.0)[None]
    found = spectra.frames_of(x, 8, 5, first=first, count=count)
    expected = [[[n + 1.0 if 0 <= n < 50 else 0.0 for n in range(first + 5 * k, first + 5 * k + 8)]
                 for k in range(count)]]
    np.testing.assert_array_equal(found.numpy(), np.reshape(expected, (1, count, 8)))


def test_a_full_scale_sine_has_a_quarter_of_the_size() -> None:
    found = spectra.magnitudes(sine(1000, 16000), 512, 128)
    assert float(found[0, 32, 40]) == pytest.approx(128, rel=1e-3)


def test_mel_filters_of_slaney_have_equal_area_and_of_htk_peaks_of_one() -> None:
    step_hz = 8000 / 16384
    equal_area = spectra.mel_filters(16385, 16000, 40).double()
    np.testing.assert_allclose(equal_area.sum(1) * step_hz, 1.0, rtol=1e-3)
    peaks = spectra.mel_filters(16385, 16000, 40, 50, 7000, slaney=False)
    np.testing.assert_allclose(peaks.amax(1), 1.0, atol=0.01)
    mels = 2595 * np.log10(1 + np.array([50, 7000]) / 700)
    centres = 700 * (10 ** (np.linspace(*mels, 42)[1:-1] / 2595) - 1)
    np.testing.assert_allclose(peaks.argmax(1) * step_hz, centres, atol=step_hz)


def test_slaney_centres_are_linear_to_1_khz_and_then_logarithmic() -> None:
    # the toolbox: 66.67 Hz a mel to 15 mel, then a factor of 6.4 in 27 mel
    filters = spectra.mel_filters(1 << 16, 40000, 57, 0, 1000 * 6.4 ** (43 / 27))  # corners on whole mels: 0 to 58
    centres = [200 / 3 * m if m <= 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in range(1, 58)]
    np.testing.assert_allclose(filters.argmax(1) * 20000 / 65535, centres, atol=0.4)


def test_one_mel_filter_by_hand() -> None:
    # HTK, corners 0, 500.5..., 1358.6... Hz would be odd numbers: take the formula at 5 bins of 1 kHz
    low, high = 0.0, 2595 * math.log10(1 + 4000 / 700)
    left, middle, right = (700 * (10 ** (m / 2595) - 1) for m in np.linspace(low, high, 4)[:3])
    expected = [max(0.0, min((f - left) / (middle - left), (right - f) / (right - middle)))
                for f in (0, 1000, 2000, 3000, 4000)]
    found = spectra.mel_filters(5, 8000, 2, slaney=False)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(expected) > 0.5


def test_mel_is_filters_times_magnitudes() -> None:
    x = noise(2, 2000)
    expected = np.einsum("mb,nbf->nmf", spectra.mel_filters(129, 8000, 20, 100, 3000),
                         spectra.magnitudes(x, 256, 64).numpy() ** 2)
    found = spectra.mel(x, 8000, 20, size=256, hop=64, lowest_hz=100, highest_hz=3000, power=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


def test_cepstral_coefficients_are_the_orthonormal_cosine_transform_of_log_mel() -> None:
    x = noise(2, 4000)
    bands = spectra.mel(x, 16000, 64, size=512, hop=128, lowest_hz=20, highest_hz=8000, slaney=False).numpy()
    expected = scipy.fft.dct(np.log(bands + 1e-5), type=2, norm="ortho", axis=1)[:, :13]
    np.testing.assert_allclose(spectra.mfcc(x, 16000, 13, 64, size=512, hop=128), expected, atol=2e-4)
    assert spectra.mfcc(x, 16000).shape == (2, 30, 4000 // 256 + 1)


@pytest.mark.parametrize(("frequency_hz", "weight_db"), [  # IEC 61672-1, table 3
    (10, -70.4), (31.5, -39.4), (100, -19.1), (200, -10.9), (500, -3.2), (1000, 0.0), (2000, 1.2), (4000, 1.0),
    (8000, -1.1), (16000, -6.6)])
def test_a_weighting_is_that_of_the_standard(frequency_hz: float, weight_db: float) -> None:
    exact = 1000 * 10 ** (round(10 * math.log10(frequency_hz / 1000)) / 10)  # the table is for exact third octaves
    assert float(spectra.a_weighting_db(torch.tensor([exact]))) == pytest.approx(weight_db, abs=0.06)


def test_a_weighting_at_0_hz_and_1_khz() -> None:
    found = spectra.a_weighting_db(torch.tensor([0.0, 1000.0]))
    assert found[0] == -math.inf
    assert abs(float(found[1])) < 1e-6


@pytest.mark.parametrize("rate_hz", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize(("frequency_hz", "expected_db"), [(1000, 0.0), (100, -19.1), (3000, 1.2)])
def test_loudness_of_full_scale_sines_at_any_rate(rate_hz: int, frequency_hz: float, expected_db: float) -> None:
    window = round(0.064 * rate_hz)
    found = spectra.loudness_db(sine(frequency_hz, rate_hz), rate_hz, hop=rate_hz // 100, window=window)
    assert found.shape == (1, -(-rate_hz // (rate_hz // 100)))
    np.testing.assert_allclose(found[0, 10:-10], expected_db, atol=0.1)


def test_loudness_follows_the_amplitude_and_ends_at_the_floor() -> None:
    for amplitude, expected_db in ((0.1, -20.0), (1e-3, -60.0), (1e-5, -80.0), (0.0, -80.0)):
        found = spectra.loudness_db(sine(1000, 16000, amplitude=amplitude), 16000, hop=160, window=1024)
        np.testing.assert_allclose(found[0, 10:-10], expected_db, atol=0.1)


def test_loudness_is_power_in_the_time_domain_where_weights_are_one() -> None:
    x = sine(1000, 16000, 0.2, 0.5)
    found = spectra.loudness_db(x, 16000, hop=100, window=512)
    padded = np.pad(x[0].double().numpy(), (256, 512))
    for k in (6, 12, 20):
        frame = padded[100 * k:100 * k + 512] * hann(512)
        power = (frame ** 2).sum() / (hann(512) ** 2).sum() / 0.5
        assert float(found[0, k]) == pytest.approx(10 * math.log10(power), abs=0.02)


def test_loudness_frames_are_where_they_are_said_to_be() -> None:
    x = torch.zeros(1, 2000)
    x[0, 700] = 1.0
    for first in (-300, 0, 5, 100, 699):
        found = spectra.loudness_db(x, 16000, hop=1, window=64, first_sample=first)[0]
        assert len(found) == 2000 - first
        assert int(found.argmax()) + first == 700
        assert float(found[:max(0, 700 - first - 40)].amax() if first < 660 else -80.0) == -80.0
    assert spectra.loudness_db(x, 16000, hop=100, window=64, frames=33).shape == (1, 33)
    assert spectra.loudness_db(x, 16000, hop=100, window=64, first_sample=5000).shape == (1, 0)
    assert float(spectra.loudness_db(x, 16000, hop=100, window=64, first_sample=5000, frames=3).amax()) == -80.0


def test_loudness_in_slices_is_that_of_the_whole() -> None:
    x = noise(2, 6400)
    whole = spectra.loudness_db(x, 16000, hop=160, window=512)
    part = spectra.loudness_db(x[:, 1600:4800], 16000, hop=160, window=512, first_sample=480, frames=14)
    torch.testing.assert_close(part, whole[:, 13:27])


def plain_losses(x: torch.Tensor, y: torch.Tensor, sizes: tuple[int, ...] = spectra.SIZES) -> torch.Tensor:
    """The definition, with torch.stft and automatic differentiation."""
    total = torch.zeros(len(x), dtype=x.dtype)
    for size in sizes:
        a, b = ((torch.view_as_real(torch.stft(
            each, size, size // 4, window=torch.hann_window(size, dtype=x.dtype), pad_mode="constant",
            return_complex=True)).square().sum(-1) + 1e-14).sqrt() for each in (x, y))
        total = total + (a - b).abs().mean((1, 2)) + (torch.log(a + 1e-5) - torch.log(b + 1e-5)).abs().mean((1, 2))
    return total


@pytest.mark.parametrize("samples", [100, 5000, 70001])
def test_the_spectral_loss_and_its_gradients_are_those_of_the_definition(samples: int) -> None:
    x, y = noise(3, samples, dtype=torch.float64), noise(3, samples, seed=1, dtype=torch.float64)
    scale = torch.tensor([1.0, 0.3, 2.0], dtype=torch.float64)
    results = []
    for losses in (spectra.spectral_losses, plain_losses):
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        found = losses(a, b)
        (found * scale).sum().backward()
        results.append((found.detach(), a.grad, b.grad))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
    assert float(spectra.spectral_loss(x, y)) == pytest.approx(float(plain_losses(x, y).mean()))


def test_the_spectral_loss_by_hand() -> None:
    # one frame size of 4, hop 1, a window of 0, 1/2, 1, 1/2; x is a click, y is silence
    x = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
    heights = np.array([0.0, 0.5, 1.0, 0.5, 0.0, 0.0])  # six frames; a click has one magnitude in all three bins
    expected = np.mean(np.repeat(heights, 3)) + np.mean(np.repeat(np.log(heights + 1e-5) - np.log(1e-5), 3))
    assert float(spectra.spectral_loss(x, torch.zeros(1, 5), (4,))) == pytest.approx(expected, rel=2e-3)


def test_single_precision_gradients_are_close_to_double() -> None:
    x, y = noise(2, 6000), noise(2, 6000, seed=1)
    single, double = x.clone().requires_grad_(), x.double().requires_grad_()
    spectra.spectral_loss(single, y).backward()
    spectra.spectral_loss(double, y.double()).backward()
    assert (single.grad - double.grad).norm() < 0.05 * double.grad.norm()


def test_a_sound_is_no_way_from_itself_and_silence_has_finite_gradients() -> None:
    x = noise(2, 4000)
    assert float(spectra.spectral_loss(x, x)) == 0.0
    for a, b in ((torch.zeros(2, 4000), x), (x, torch.zeros(2, 4000)), (torch.zeros(2, 9), torch.zeros(2, 9))):
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        spectra.spectral_loss(a, b).backward()
        assert torch.isfinite(a.grad).all() and torch.isfinite(b.grad).all()


def test_the_loss_works_without_gradients_in_half_precision_and_after_inference_mode() -> None:
    spectra.hann.cache_clear()
    x, y = noise(2, 3000), noise(2, 3000, seed=1)
    with torch.inference_mode():
        expected = float(spectra.spectral_loss(x, y))
        spectra.mfcc(x, 16000)
    trained = x.clone().requires_grad_()
    loss = spectra.spectral_loss(trained, y)
    (loss + spectra.mfcc(trained, 16000).square().mean()).backward()
    assert float(loss.detach()) == pytest.approx(expected)
    assert float(spectra.spectral_loss(x.bfloat16(), y)) == pytest.approx(expected, rel=0.02)


def test_other_losses_than_of_two_equal_sounds_are_refused() -> None:
    x = noise(2, 100)
    for a, b, sizes in ((x, x[:1], (64,)), (x[0], x[0], (64,)), (x, x, ()), (x, x, (63,)), (x, x, (0,)),
                        (x[:, :0], x[:, :0], (64,))):
        with pytest.raises(BadInput):
            spectra.spectral_loss(a, b, sizes)


def test_descriptors_of_a_sine_and_of_noise() -> None:
    rate_hz = 16000
    tone = spectra.magnitudes(sine(2000, rate_hz, amplitude=0.5), 1024, 256)[:, :, 4:-4]
    hiss = spectra.magnitudes(noise(1, rate_hz), 1024, 256)[:, :, 4:-4]
    np.testing.assert_allclose(spectra.centroid_hz(tone, rate_hz), 2000, atol=5)
    np.testing.assert_allclose(spectra.spread_hz(tone, rate_hz), math.sqrt(2 * 0.25) * rate_hz / 1024, rtol=0.05)
    np.testing.assert_allclose(spectra.rolloff_hz(tone, rate_hz), 2000 + rate_hz / 1024, atol=1)
    assert float(spectra.flatness_db(tone).amax()) < -40
    assert float(spectra.centroid_hz(hiss, rate_hz).mean()) == pytest.approx(4000, rel=0.03)
    assert float(spectra.spread_hz(hiss, rate_hz).mean()) == pytest.approx(8000 / math.sqrt(12), rel=0.03)
    assert float(spectra.rolloff_hz(hiss, rate_hz).mean()) == pytest.approx(0.85 * 8000, rel=0.03)
    assert float(spectra.flatness_db(hiss).mean()) == pytest.approx(-2.5, abs=0.3)  # chi-squared power: -2.51 dB


def test_descriptors_are_their_formulas() -> None:
    spectrum = spectra.magnitudes(noise(2, 2000, dtype=torch.float64), 128, 32)
    m, f = spectrum.numpy(), np.linspace(0, 4000, 65)[:, None]
    centroid = (m * f).sum(1) / m.sum(1)
    np.testing.assert_allclose(spectra.centroid_hz(spectrum, 8000), centroid, rtol=1e-5)
    spread = np.sqrt((m * (f - centroid[:, None]) ** 2).sum(1) / m.sum(1))
    np.testing.assert_allclose(spectra.spread_hz(spectrum, 8000), spread, rtol=1e-5)
    np.testing.assert_allclose(spectra.flatness_db(spectrum), 10 * np.log10(
        scipy.stats.gmean(m ** 2, axis=1) / (m ** 2).mean(1)), rtol=1e-5)
    reached = np.cumsum(m, axis=1) >= 0.85 * m.sum(1, keepdims=True)
    np.testing.assert_allclose(spectra.rolloff_hz(spectrum, 8000), reached.argmax(1) * 4000 / 64)


def test_zero_crossings_and_root_mean_square() -> None:
    x = sine(440.5, 16000, amplitude=0.5)
    crossings = spectra.zero_crossings_hz(x, 16000, 1600, 400)
    np.testing.assert_allclose(crossings[0, 3:-3], 881, atol=10)
    rms = spectra.rms_db(x, 1600, 400)
    np.testing.assert_allclose(rms[0, 3:-3], 20 * math.log10(0.5 / math.sqrt(2)), atol=0.05)
    assert crossings.shape == rms.shape == spectra.magnitudes(x, 1600, 400)[:, 0].shape


def test_descriptors_of_silence_are_finite_and_so_are_their_gradients() -> None:
    x = torch.zeros(1, 2000, requires_grad=True)
    spectrum = spectra.magnitudes(x, 256, 64)
    found = {"centroid": spectra.centroid_hz(spectrum, 8000), "spread": spectra.spread_hz(spectrum, 8000),
             "flatness": spectra.flatness_db(spectrum), "rms": spectra.rms_db(x, 256, 64),
             "loudness": spectra.loudness_db(x, 8000, hop=64, window=256), "mfcc": spectra.mfcc(x, 8000)}
    sum(each.sum() for each in found.values()).backward()
    assert torch.isfinite(x.grad).all()
    silent = {"centroid": 0, "flatness": 0, "rms": -120, "loudness": -80}
    assert {name: float(found[name].detach().mean()) for name in silent} == pytest.approx(silent, abs=1e-4)
    assert float(spectra.rolloff_hz(spectrum.detach(), 8000).amax()) == 0
    assert float(spectra.zero_crossings_hz(x, 8000, 256, 64).amax()) == 0


def test_what_cannot_be_framed_is_refused() -> None:
    x = noise(1, 100)
    for call in (lambda: spectra.stft(x[0], 16, 4), lambda: spectra.stft(x, 0, 4), lambda: spectra.stft(x, 16, 0),
                 lambda: spectra.stft(x, 128, 4, centred=False), lambda: spectra.mfcc(x, 16000, 40, 30),
                 lambda: spectra.mel_filters(65, 8000, 10, 0, 5000), lambda: spectra.mel_filters(65, 8000, 0),
                 lambda: spectra.loudness_db(x, 8000, hop=0, window=64),
                 lambda: spectra.loudness_db(x, 8000, hop=10, window=64, frames=-1)):
        with pytest.raises(BadInput):
            call()
