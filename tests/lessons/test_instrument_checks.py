"""The checks of lesson 03: right answers of several makes, and each usual mistake with its message."""

from __future__ import annotations

import numpy as np
import pytest

from componium.lessons.marking import mark
from componium.lessons.notebook import Cell, code_cells, read_notebook
from componium.lessons.shelf import find
from componium.lessons.verdict import FAILED, NOT_ANSWERED, RIGHT, WRONG, judge

LESSON = find("03")
SOUND, RESPONSE, LOSS = (LESSON.exercise(number) for number in (1, 2, 3))


def told_of(exercise, answer, told):
    verdict = judge(exercise, answer)
    assert verdict.status == WRONG, verdict
    assert all(part in verdict.message for part in told), verdict.message
    assert len(verdict.message) < 600


# the oscillator


def number_of(amplitudes, first=1):
    return np.arange(first, first + amplitudes.shape[1])


def harmonic(f0, amplitudes, rate, *, wave=np.sin, first=1, turn=2 * np.pi, cycles=lambda f, r: np.cumsum(f / r),
             heard=lambda partial_hz, rate: partial_hz < rate / 2, add=lambda x: x.sum(axis=1)):
    number = number_of(amplitudes, first)
    audible = heard(f0[:, None] * number, rate)
    return add(amplitudes * audible * wave(turn * cycles(f0, rate)[:, None] * number))


def in_a_loop(f0, amplitudes, rate):
    sound, phase = [], 0.0
    for hz, row in zip(f0, amplitudes, strict=True):
        sound.append(sum(size * np.sin(k * phase) for k, size in enumerate(row, 1) if k * hz < rate / 2))
        phase = (phase + 2 * np.pi * hz / rate) % (2 * np.pi)
    return sound


def by_partials(f0, amplitudes, rate):
    sound = np.zeros(len(f0))
    for k in range(1, amplitudes.shape[1] + 1):
        size = np.where(k * f0 >= rate / 2, 0, amplitudes[:, k - 1])
        sound += size * np.sin(np.cumsum(2 * np.pi * k * f0 / rate))
    return sound


@pytest.mark.parametrize("answer", [harmonic, in_a_loop, by_partials])
def test_right_oscillators_are_right(answer):
    verdict = judge(SOUND, answer)
    assert verdict.status == RIGHT, verdict.message


def mistaken(**mistake):
    return lambda *given: harmonic(*given, **mistake)


def changes_the_amplitudes(f0, amplitudes, rate):
    amplitudes *= f0[:, None] * number_of(amplitudes) < rate / 2
    return harmonic(f0, amplitudes, rate)


@pytest.mark.parametrize(("answer", "told"), [
    (mistaken(turn=1), ["2π is missing"]),
    (mistaken(turn=360), ["radians"]),
    (mistaken(turn=np.pi), ["octave too low"]),
    (mistaken(wave=np.cos), ["cosines", "`np.sin`"]),
    (mistaken(first=0), ["numbered from 0", "`np.arange(1, K + 1)`"]),
    (mistaken(first=2), ["numbered from 2"]),
    (mistaken(cycles=lambda f, r: np.cumsum(f / 16000)), ["right for 16000 samples a second", "`rate_hz`"]),
    (mistaken(cycles=lambda f, r: np.cumsum(f / 8000)), ["right for 8000 samples a second"]),
    (mistaken(cycles=lambda f, r: np.cumsum(f)), ["grows too fast"]),
    (mistaken(cycles=lambda f, r: f * np.arange(len(f)) / r), ["not accumulated", "`np.cumsum(f0_hz / rate_hz)`"]),
    (mistaken(cycles=lambda f, r: f * np.arange(1, len(f) + 1) / r), ["not accumulated"]),
    (mistaken(cycles=lambda f, r: np.cumsum(np.full(len(f), f.mean() / r))), ["mean frequency"]),
    (mistaken(heard=lambda hz, rate: True), ["at half the sample rate or above has to be silent", "wrong notes"]),
    (mistaken(heard=lambda hz, rate: hz < rate), ["up to the rate itself"]),
    (mistaken(heard=lambda hz, rate: hz < rate / 4), ["a quarter of the sample rate"]),
    (mistaken(heard=lambda hz, rate: (hz < rate / 2).all(axis=0)), ["once is silent all the time", "[N, K]"]),
    (mistaken(heard=lambda hz, rate: (hz < rate / 2)[-1]), ["decided by the last sample"]),
    (mistaken(heard=lambda hz, rate: hz[:, :1] < rate / 2), ["k times the frequency of the first"]),
    (mistaken(add=lambda x: x), ["`.sum(axis=1)` adds up the partials"]),
    (mistaken(add=lambda x: x if x.shape[1] > 1 else x[:, 0]), ["the partials one by one", "`.sum(axis=1)`"]),
    (mistaken(add=lambda x: x.sum(axis=1, keepdims=True)), ["one dimension"]),
    (mistaken(add=lambda x: x.sum(axis=0)), ["instead of `axis=0`"]),
    (mistaken(add=lambda x: x.mean(axis=1)), ["averaged", "3 times too soft"]),
    (mistaken(add=lambda x: x.sum(axis=1)[1:]), ["300 samples", "[299]"]),
    (mistaken(add=lambda x: x.sum(axis=1) + 0j), ["real numbers"]),
    (mistaken(add=lambda x: x.sum(axis=1) * np.nan), ["not numbers"]),
    (mistaken(add=lambda x: 0.7 * x.sum(axis=1)), ["samples 0 to 3 should be", "yours are"]),
    (lambda f, a, r: harmonic(f, a[:, ::-1], r), ["column 0 belongs to partial 1"]),
    (lambda f, a, r: harmonic(f, np.tile(a[0], (len(a), 1)), r), ["each row belongs to one sample"]),
    (lambda f, a, r: harmonic(f, np.ones_like(a), r), ["amplitudes are not used"]),
    (changes_the_amplitudes, ["changes the array `amplitudes`"]),
    (lambda f, a, r: print(len(f)), ["returns nothing"]),
])
def test_each_mistake_in_the_oscillator_has_its_message(answer, told):
    told_of(SOUND, answer, told)


def test_an_error_in_the_oscillator_is_told_with_its_line():
    def turned(f0, amplitudes, rate):
        return amplitudes * f0
    verdict = judge(SOUND, turned)
    assert verdict.status == FAILED or "1 x 1" in verdict.message or "shape" in verdict.message, verdict


# the breath


def hann(size, periodic=True):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - (not periodic)))


def response(magnitudes, *, turn=None, window=hann, window_first=False, scale=1.0):
    size = 2 * (len(magnitudes) - 1)
    found = np.fft.irfft(magnitudes)
    if window_first:
        found = found * window(size)
    found = np.roll(found, size // 2 if turn is None else turn(size))
    return scale * found * (1 if window_first else window(size))


def by_cosines(magnitudes):
    half = len(magnitudes) - 1
    weights = np.where((np.arange(half + 1) % half) == 0, 1, 2) * magnitudes / (2 * half)
    places = np.arange(-half, half)
    return np.cos(np.pi * np.outer(places, np.arange(half + 1)) / half) @ weights * hann(2 * half)


def by_shifting(magnitudes):
    both = np.concatenate([magnitudes, magnitudes[-2:0:-1]])
    return np.fft.fftshift(np.fft.ifft(both).real) * np.hanning(len(both))


@pytest.mark.parametrize("answer", [response, by_cosines, by_shifting])
def test_right_responses_are_right(answer):
    verdict = judge(RESPONSE, answer)
    assert verdict.status == RIGHT, verdict.message


def ones(size):
    return np.ones(size)


def changes_the_magnitudes(magnitudes):
    magnitudes *= 1.5
    return response(magnitudes / 1.5)


@pytest.mark.parametrize(("answer", "told"), [
    (np.fft.irfft, ["`irfft` alone", "`np.roll` it by 16"]),
    (lambda m: response(m, window=ones), ["window is missing"]),
    (lambda m: response(m, turn=lambda size: 0), ["no `np.roll`"]),
    (lambda m: response(m, window_first=True), ["window comes too early", "Roll first"]),
    (lambda m: response(m, turn=lambda size: size // 2 - 1), ["`np.roll` by 16", "yours went by 15"]),
    (lambda m: response(m, turn=lambda size: size // 4), ["yours went by 8"]),
    (lambda m: response(m, window=lambda size: hann(size) ** 2), ["window is there twice"]),
    (lambda m: response(m, window=lambda size: np.sqrt(hann(size))), ["root of a Hann window"]),
    (lambda m: response(m, window=np.hamming), ["Hamming"]),
    (lambda m: response(m, scale=2), ["twice as strong"]),
    (lambda m: response(m, scale=2 * (len(m) - 1)), ["by its length"]),
    (lambda m: response(m) / np.abs(response(m)).max(), ["as strong as 1"]),
    (lambda m: response(m, scale=0.7), ["three samples in the middle should be"]),
    (lambda m: np.fft.ifft(m), ["complex", "`np.fft.irfft`"]),
    (lambda m: np.fft.irfft(m, len(m)), ["come 32 samples; your response has 17"]),
    (lambda m: np.fft.irfft(m, 2 * len(m)), ["2 (17 - 1) = 32 samples", "[34]"]),
    (lambda m: ["soft"], ["array of numbers"]),
    (changes_the_magnitudes, ["changes the array `magnitudes`"]),
    (lambda m: print(len(m)), ["returns nothing"]),
])
def test_each_mistake_in_the_response_has_its_message(answer, told):
    told_of(RESPONSE, answer, told)


# the loss


def magnitudes(sound, size, hop):
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, size // 2), size)[::hop]
    return np.abs(np.fft.rfft(frames * hann(size)))


def loss(x, y, sizes, *, log=np.log, offset=1e-5, plain=True, logs=True, size_of=np.abs, mean=np.mean, total=sum,
         hop=lambda size: size // 4):
    parts = []
    for size in sizes:
        one, other = magnitudes(x, size, hop(size)), magnitudes(y, size, hop(size))
        parts.append(plain * mean(size_of(one - other)) + logs * mean(size_of(log(one + offset) - log(other + offset))))
    return total(parts)


def loss_by_torch(x, y, sizes):
    torch = pytest.importorskip("torch")
    from componium.dsp.spectra import stft
    total = 0.0
    for size in sizes:
        one, other = (stft(torch.tensor(each)[None], size, size // 4).abs() for each in (x, y))
        total += (one - other).abs().mean() + ((one + 1e-5) / (other + 1e-5)).log().abs().mean()
    return float(total)


@pytest.mark.parametrize("answer", [loss, loss_by_torch])
def test_right_losses_are_right(answer):
    verdict = judge(LOSS, answer)
    assert verdict.status == RIGHT, verdict.message


def lossy(**mistake):
    return lambda *given: loss(*given, **mistake)


def silent_breaks(x, y, sizes):
    return loss(x, y, sizes, offset=1e-5 if x.any() and y.any() else 0.0)


def changes_the_sound(x, y, sizes):
    x -= y
    return loss(x + y, y, sizes)


@pytest.mark.parametrize(("answer", "told"), [
    (lossy(logs=False), ["logarithms are missing"]),
    (lossy(plain=False), ["Only the logarithms"]),
    (lossy(size_of=lambda x: x), ["The sign is not dropped"]),
    (lossy(size_of=lambda x: x, mean=lambda x: abs(np.mean(x))), ["before the sign is dropped"]),
    (lossy(size_of=np.square), ["squared"]),
    (lossy(mean=np.sum), ["sums over frames and frequencies"]),
    (lossy(mean=lambda x: x.mean(axis=0)), ["one number; yours is"]),
    (lossy(total=np.mean), ["mean over the 3 sizes"]),
    (lossy(total=lambda parts: parts[0]), ["Only the first size", "inside the loop"]),
    (lossy(total=lambda parts: parts[-1]), ["Only the last size", "`loss += ...`"]),
    (lossy(log=np.log10), ["base 10"]),
    (lossy(log=lambda x: 20 * np.log10(x)), ["decibels"]),
    (lossy(offset=1.0), ["log(1 + X)"]),
    (lossy(offset=1e-7), ["1e-07 is added", "1e-5"]),
    (lossy(offset=0.0), ["1e-5 is not added"]),
    (silent_breaks, ["is silent", "*before* `np.log`"]),
    (lossy(hop=lambda size: size // 2), ["1/2 of their size apart"]),
    (lossy(hop=lambda size: 64), ["should be `size // 4` apart"]),
    (lambda x, y, sizes: np.abs(x - y).mean(), ["the samples, not the spectra"]),
    (lambda x, y, sizes: loss(x, y, sizes) + 0.1 * (x is not y), ["the loss should be", "yours is"]),
    (lambda x, y, sizes: loss(x, y, sizes) + 0.1 * np.array_equal(x, y), ["no distance from itself"]),
    (changes_the_sound, ["changes the sounds"]),
    (lambda x, y, sizes: print(len(x)), ["returns nothing"]),
    (lambda x, y, sizes: "far", ["one real number"]),
])
def test_each_mistake_in_the_loss_has_its_message(answer, told):
    told_of(LOSS, answer, told)


def test_what_is_empty_is_not_answered():
    def empty(f0_hz, amplitudes, rate_hz):
        """Nothing yet."""
    assert judge(SOUND, empty).status == NOT_ANSWERED


def test_the_lesson_says_what_it_proves_and_goes_on_without_torch_recordings_or_soundfont(tmp_path):
    pytest.importorskip("jupytext", reason="notebooks need the extra lessons")
    pytest.importorskip("IPython", reason="notebooks need the extra lessons")
    solved = code_cells(read_notebook(LESSON.text))
    asserted = "\n".join(cell.source for cell in solved)
    assert "assert error < 1e-3" in asserted and "assert abs(mine / theirs - 1) < 1e-4" in asserted
    without = Cell(100, "import os, sys\nclass Nowhere:\n    def find_spec(self, name, *_):\n"
                        "        if name == 'torch':\n            raise ModuleNotFoundError(name, name=name)\n"
                        "sys.meta_path.insert(0, Nowhere())\n"
                        "os.environ.pop('COMPONIUM_BENCH_DATA', None)\nfrom componium.music import soundfont\n"
                        "sys.modules['pretty_midi'] = None\nsoundfont._system_files = lambda: iter(())")
    after = Cell(101, "assert torch is None and source == 'a formula' and abs(f0_hz[middle] - 220) < 0.5\n"
                      "assert spectral_loss(note[:len(rebuilt)], rebuilt) < spectral_loss(note[:len(sines)], sines)")
    report = mark(LESSON, [without, *solved, after], tmp_path, whole=True)
    assert report.failed_cells == {} and report.right_count == 3
    assert list(tmp_path.iterdir()) == []
