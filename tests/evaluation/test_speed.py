"""Speed with clocks that are told what time it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from componium.evaluation import speed
from componium.music.errors import BadInput


class Fake:
    """A clock, and work that moves it on by given times."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.steps, self.calls = 100.0, itertools.cycle(seconds), 0

    def clock(self) -> float:
        return self.now

    def work(self) -> None:
        self.calls += 1
        self.now += next(self.steps)


def test_times_real_time_is_the_median_after_the_warm_up() -> None:
    fake = Fake(50.0, 2.0, 1.0, 4.0)
    assert speed.times_real_time(fake.work, 8.0, repeats=3, clock=fake.clock) == pytest.approx(4.0)
    assert fake.calls == 4
    assert speed.times_real_time(lambda: None, 1.0, clock=lambda: 0.0) == math.inf


def test_the_real_clock_goes_forward() -> None:
    assert speed.times_real_time(lambda: sum(range(1000)), 1.0, repeats=1) > 0


@pytest.mark.parametrize(("seconds", "repeats", "warm_ups"), [(0, 1, 0), (math.nan, 1, 0), (-1, 1, 0), (1, 0, 0),
                                                              (1, 1, -1), (math.inf, 1, 0)])
def test_a_speed_of_nothing_is_refused(seconds: float, repeats: int, warm_ups: int) -> None:
    with pytest.raises(BadInput):
        speed.times_real_time(lambda: None, seconds, repeats=repeats, warm_ups=warm_ups)


def test_block_times_leave_out_the_first_blocks() -> None:
    fake = Fake(9.0, 0.25, 0.5)
    assert speed.block_times(fake.work, 2, warm_ups=1, clock=fake.clock) == [0.25, 0.5]
    assert len(speed.block_times(fake.work, 3, clock=fake.clock)) == 3
    assert fake.calls == 3 + 8 + 3
    for count, warm_ups in ((0, 0), (1, -1)):
        with pytest.raises(BadInput):
            speed.block_times(fake.work, count, warm_ups=warm_ups)


def test_percentiles_and_speed_of_a_hundred_and_one_blocks() -> None:
    times = [each / 1000 for each in range(101)]  # 0 to 100 ms: the percentile is its number
    found = speed.evaluate(times[::-1], 0.2)
    assert found == pytest.approx({"times_real_time": 101 * 0.2 / 5.05, "median_block_ms": 50, "slow_block_ms": 95,
                                   "slowest_block_ms": 99, "underruns": 0})
    assert set(found) == {measure.name for measure in speed.MEASURES}


@pytest.mark.parametrize(("times", "spare", "silent"), [
    ([1.0, 1.0, 1.0], 0, 0),  # in time to the last moment
    ([0.5, 1.5, 0.5], 0, 1),
    ([0.5, 2.5, 0.5], 0, 2),  # two blocks of silence
    ([0.5, 1.5, 1.5, 0.5], 0, 2),
    ([0.5, 1.5, 0.5], 1, 0),  # a spare block covers half a block
    ([0.5, 1.5, 1.5, 1.5, 0.5], 1, 1),  # but not three halves
    ([0.5, 1.5, 0.5, 1.5, 0.5], 1, 0),  # it is filled again in between
    ([2.0], 0, 1),
    ([0.1 + 0.2, 0.3], 0, 0),
])
def test_underruns_counted_by_hand(times: list[float], spare: int, silent: int) -> None:
    assert speed.underruns(times, 1.0, spare_blocks=spare) == silent


def test_rounding_makes_no_underrun() -> None:
    assert speed.underruns([0.1 + 0.2] * 1000, 0.3) == 0
    assert speed.underruns([0.3001] * 1000, 0.3) == 1000


@pytest.mark.parametrize(("times", "budget", "spare"), [([], 1.0, 0), ([math.nan], 1.0, 0), ([-1.0], 1.0, 0),
                                                        ([1.0], 0.0, 0), ([1.0], math.inf, 0), ([1.0], 1.0, -1)])
def test_times_that_are_none_are_refused(times: list[float], budget: float, spare: int) -> None:
    with pytest.raises(BadInput):
        speed.underruns(times, budget, spare_blocks=spare)


def delayed(samples: int) -> Callable[[speed.Sound], speed.Sound]:
    def play(sound: speed.Sound) -> speed.Sound:
        return np.concatenate([np.zeros(max(0, samples), np.float32), sound[max(0, -samples):]])[:len(sound)]
    return play


@pytest.mark.parametrize("samples", [0, 1, 63, 2048, 30000, -5])
def test_a_pure_delay_is_found_to_the_sample(samples: int) -> None:
    found = speed.measure_delay(delayed(samples), 100)
    assert found == speed.Delay(100, samples)
    assert found.error_samples == samples - 100


def test_polarity_gain_noise_and_a_change_of_phase_do_not_matter() -> None:
    rng = np.random.default_rng(1)

    def play(sound: speed.Sound) -> speed.Sound:
        spectrum = np.fft.rfft(delayed(700)(sound))
        turned = np.fft.irfft(spectrum * np.exp(0.5j * np.pi), len(sound))  # every partial a quarter of a period on
        return (-0.05 * turned + rng.normal(0, 1e-4, len(sound))).astype(np.float32)

    assert abs(speed.measure_delay(play, 700).error_samples) <= 2


def test_a_symmetric_filter_of_101_samples_is_50_late() -> None:
    kernel = np.hanning(101) / 50
    found = speed.measure_delay(lambda sound: np.convolve(sound, kernel).astype(np.float32), 50)
    assert abs(found.error_samples) <= 10


def test_a_delay_in_blocks_is_that_of_the_whole() -> None:
    def play(sound: speed.Sound) -> speed.Sound:
        state, out = np.zeros(300, np.float32), []
        for block in sound.reshape(-1, 256):
            state = np.concatenate([state, block])
            out.append(state[:256])
            state = state[256:]
        return np.concatenate(out)

    assert speed.measure_delay(play, 300).error_samples == 0


@pytest.mark.parametrize("play", [np.zeros_like, lambda sound: sound[:0], lambda sound: sound * np.nan,
                                  lambda sound: sound[None]])
def test_what_gives_nothing_to_hear_is_refused(play: Callable[[speed.Sound], speed.Sound]) -> None:
    with pytest.raises(BadInput):
        speed.measure_delay(play, 0)


def test_too_short_a_silence_is_refused() -> None:
    with pytest.raises(BadInput):
        speed.measure_delay(delayed(0), 0, samples=1000)
