"""Speed: how much faster than real time something plays, how late it is, and whether it would ever fall silent.

Conventions.

- ``times_real_time`` is seconds of sound by seconds of computing: above 1 it can be played live. It is the median of
  several runs, after one that does not count.
- Blocks are timed one by one, after the first eight. Percentiles are those of NumPy (linear between two blocks).
- An underrun is a block that is not ready when it has to sound. The player begins a block as soon as there is room for
  it: with no spare blocks when the one before it begins to sound. After an underrun everything is late by as many
  whole blocks as were silent; these are what is counted.
- A delay is that of bursts of noise in silence: the shift at which the smoothed power of what comes out is most like
  that of what went in. It needs no likeness of the waveforms, and finds a pure delay to the sample. Where a sound is
  smeared it is about the middle of the smear.
- Clocks, players and steps are handed in; a figure without the machine that it was taken on says little.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.music.errors import BadInput

MEASURES: tuple[Measure, ...] = (
    Measure("times_real_time", "times", "seconds of sound by seconds of computing, on average over the blocks"),
    Measure("median_block_ms", "ms", "half of the blocks are computed in less (P50)"),
    Measure("slow_block_ms", "ms", "95 of 100 blocks are computed in less (P95)"),
    Measure("slowest_block_ms", "ms", "99 of 100 blocks are computed in less (P99)"),
    Measure("underruns", "blocks", "that would be silent because they are not ready", fault=True),
)

WARM_UP_BLOCKS = 8
BURSTS = 16
"""With which a delay is measured, at irregular distances."""
BURST_SAMPLES = 256
SMOOTHED_SAMPLES = 128
"""Length of the window by which power is smoothed before it is compared."""

Clock = Callable[[], float]
Sound = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Delay:
    """What was declared, and what was measured, in samples."""

    declared_samples: int
    measured_samples: int

    @property
    def error_samples(self) -> int:
        """How much later the sound comes than declared; negative where it comes earlier."""
        return self.measured_samples - self.declared_samples


def validate(block_seconds: Sequence[float], budget_seconds: float) -> None:
    """Raise `BadInput` where there are no times, or one that is no time, or a block lasts nothing."""
    if not len(block_seconds) or not all(math.isfinite(each) and each >= 0 for each in block_seconds):
        raise BadInput("speed is told from the times of one block or more, in seconds")
    if not (math.isfinite(budget_seconds) and budget_seconds > 0):
        raise BadInput(f"a block lasts more than 0 seconds, not {budget_seconds}")


def times_real_time(play: Callable[[], object], seconds: float, *, repeats: int = 5, warm_ups: int = 1,
                    clock: Clock = time.perf_counter) -> float:
    """Return how many seconds of sound are made in a second: the median of the runs.

    Args:
        play: makes the sound, all of it, when it is called.
        seconds: length of the sound.
        repeats: runs that count.
        warm_ups: runs before them that do not.
        clock: tells the time in seconds.

    Raises:
        BadInput: no runs, or a sound without length.
    """
    if repeats < 1 or warm_ups < 0 or not (math.isfinite(seconds) and seconds > 0):
        raise BadInput(f"a speed takes a run or more of a sound with a length, not {repeats} of {seconds} s")
    for _ in range(warm_ups):
        play()
    median = statistics.median(_timed(play, clock) for _ in range(repeats))
    return seconds / median if median > 0 else math.inf


def block_times(step: Callable[[], object], count: int, *, warm_ups: int = WARM_UP_BLOCKS,
                clock: Clock = time.perf_counter) -> list[float]:
    """Return the seconds that each of ``count`` calls of a step took, after some that do not count."""
    if count < 1 or warm_ups < 0:
        raise BadInput(f"1 block or more is timed, not {count}")
    for _ in range(warm_ups):
        step()
    return [_timed(step, clock) for _ in range(count)]


def percentile(block_seconds: Sequence[float], percent: float) -> float:
    """Return the time in seconds that so many of a hundred blocks do not exceed."""
    return float(np.percentile(np.asarray(block_seconds, np.float64), percent))


def underruns(block_seconds: Sequence[float], budget_seconds: float, *, spare_blocks: int = 0) -> int:
    """Return how many blocks of silence a listener would have heard; see the conventions.

    Args:
        block_seconds: how long each block took to compute.
        budget_seconds: how long a block sounds.
        spare_blocks: blocks that may be ready ahead of time, each of which adds its length to the latency.
    """
    validate(block_seconds, budget_seconds)
    if spare_blocks < 0:
        raise BadInput(f"there are 0 spare blocks or more, not {spare_blocks}")
    ready, deadline, silent = 0.0, 0.0, 0
    for number, seconds in enumerate(block_seconds):
        room = deadline - (1 + spare_blocks) * budget_seconds
        ready = max(ready, room) + seconds if number else room + seconds
        if ready > deadline * (1 + 1e-12) + 1e-12:
            missed = math.ceil((ready - deadline) / budget_seconds - 1e-9)
            silent += missed
            deadline += missed * budget_seconds
        deadline += budget_seconds
    return silent


def measure_delay(play: Callable[[Sound], Sound], declared_samples: int, *, samples: int = 1 << 16,
                  seed: int = 0) -> Delay:
    """Return the declared and the measured delay of something that sound passes through.

    Args:
        play: takes a sound [samples] and returns what becomes of it, from the same moment on, in one call or in blocks.
        declared_samples: what it says of itself.
        samples: length of the silence with the bursts, which lie in its second to fourth eighth; the delay should be
            shorter than half of it.
        seed: of the noise.

    Raises:
        BadInput: nothing comes out, or no numbers, or more than one channel.
    """
    if samples < 32 * BURST_SAMPLES:
        raise BadInput(f"a delay is measured in {32 * BURST_SAMPLES} samples or more, not {samples}")
    rng, sent = np.random.default_rng(seed), np.zeros(samples, np.float32)
    for start in rng.integers(samples // 8, samples // 2 - BURST_SAMPLES, BURSTS):
        sent[start:start + BURST_SAMPLES] += rng.normal(0, 0.1, BURST_SAMPLES) * np.hanning(BURST_SAMPLES)
    return Delay(declared_samples, delay_samples(sent, play(sent.copy())))


def delay_samples(sent: npt.ArrayLike, heard: npt.ArrayLike) -> int:
    """Return by how many samples what is heard comes after what was sent; both [samples], of any length."""
    powers = [_smooth_power(np.asarray(each, np.float64)) for each in (sent, heard)]
    size = 1 << (len(powers[0]) + len(powers[1])).bit_length()
    spectra = [np.fft.rfft(each, size) for each in powers]
    likeness = np.fft.irfft(spectra[1] * np.conj(spectra[0]), size)
    found = int(np.argmax(likeness))
    return found if found < len(powers[1]) else found - size


def evaluate(block_seconds: Sequence[float], budget_seconds: float) -> dict[str, float]:
    """Return every measure of `MEASURES` by name.

    Args:
        block_seconds: from `block_times`.
        budget_seconds: how long a block sounds: its samples by the sample rate.
    """
    validate(block_seconds, budget_seconds)
    total = math.fsum(block_seconds)
    return {
        "times_real_time": len(block_seconds) * budget_seconds / total if total > 0 else math.inf,
        "median_block_ms": 1000 * percentile(block_seconds, 50),
        "slow_block_ms": 1000 * percentile(block_seconds, 95),
        "slowest_block_ms": 1000 * percentile(block_seconds, 99),
        "underruns": float(underruns(block_seconds, budget_seconds)),
    }


def _timed(call: Callable[[], object], clock: Clock) -> float:
    start = clock()
    call()
    return clock() - start


def _smooth_power(sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the power of a sound, smoothed (which shifts what was sent and what is heard alike), after checking it."""
    if sound.ndim != 1 or not np.isfinite(sound).all():
        raise BadInput(f"a delay is measured of one channel of finite samples, not of an array of shape {sound.shape}")
    if not len(sound) or not sound.any():
        raise BadInput("a delay cannot be measured: nothing is heard")
    return np.convolve(np.square(sound), np.hanning(SMOOTHED_SAMPLES))
