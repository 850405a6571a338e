"""The check of exercise 1 of lesson 03: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Array = npt.NDArray[Any]
Waves = Callable[[Array], Array]


def summed(cycles: Array) -> Array:
    """Return the phase in cycles of what each sample adds."""
    return np.cumsum(cycles)


def sound_of(f0_hz: Array, amplitudes: Array, rate_hz: int, *, phase: Callable[[Array], Array] = summed,
             wave: Waves = np.sin, first: int = 1, turn: float = 2 * np.pi, silent: str = "by sample") -> Array:
    """Return the partials [N, K] of a note that moves; the arguments are ways to get it wrong."""
    number = np.arange(first, first + amplitudes.shape[1])
    angle = phase(f0_hz / rate_hz)[:, None] * number
    partial_hz = f0_hz[:, None] * number
    audible = {"by sample": partial_hz < rate_hz / 2, "never": np.ones_like(partial_hz, bool),
               "once": (partial_hz < rate_hz / 2).all(axis=0) & np.ones_like(partial_hz, bool),
               "at the end": (partial_hz < rate_hz / 2)[-1] & np.ones_like(partial_hz, bool),
               "rate": partial_hz < rate_hz, "quarter": partial_hz < rate_hz / 4}[silent]
    return np.asarray(amplitudes * audible * wave(turn * angle))


def cases() -> list[tuple[str, Array, Array, int]]:
    """Return what is tried, from simple to difficult: what it is, frequencies, amplitudes, rate."""
    still, glide = np.full(300, 110.3), np.linspace(150.0, 450.0, 400)
    over = 500.0 + 700.0 * np.sin(np.linspace(0, np.pi, 500))  # its partials climb above half the rate and come back
    fading = np.linspace([0.3, 0.1, 0.0, 0.05], [0.0, 0.2, 0.1, 0.05], 400)
    return [("a sine of 110.3 Hz with amplitude 1, at 11025 samples a second,", still, np.ones((300, 1)), 11025),
            ("three partials that stay the same, at 16000 samples a second,", still, np.tile([0.5, 0.3, 0.1], (300, 1)),
             16000),
            ("four partials that glide and change, at 8000 samples a second,", glide, fading, 8000),
            ("ten partials of which some climb above 4000 Hz and come back, at 8000 samples a second,", over,
             np.tile(np.linspace(0.2, 0.1, 10), (500, 1)), 8000)]


def check(harmonic_sound: Callable[[Array, Array, int], Any]) -> None:
    """Check ``harmonic_sound(f0_hz, amplitudes, rate_hz)``."""
    with np.errstate(all="ignore"):
        for told, f0_hz, amplitudes, rate_hz in cases():
            given = f0_hz.copy(), amplitudes.copy()
            found = harmonic_sound(*given, rate_hz)
            _check_sound(found, told, f0_hz, amplitudes, rate_hz)
            for name, now, before in (("f0_hz", given[0], f0_hz), ("amplitudes", given[1], amplitudes)):
                if not np.array_equal(now, before):
                    raise Wrong(f"Your function changes the array `{name}`, which it is only given to read. `a *= b` "
                                "changes the array itself; `a = a * b` makes a new one.")


def beginnings() -> list[Callable[[Array], Array]]:
    """Return ways to begin that are all right: after a step, at 0, and with the means of neighbours."""
    def means(cycles: Array) -> Array:
        return np.concatenate([[0.0], np.cumsum((cycles[1:] + cycles[:-1]) / 2)])

    return [summed, lambda cycles: np.cumsum(cycles) - cycles, lambda cycles: np.cumsum(cycles) - cycles[0], means]


def _close(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0, atol=1e-6))


def _check_sound(found: Any, told: str, f0_hz: Array, amplitudes: Array, rate_hz: int) -> None:
    if found is None:
        raise Wrong("`harmonic_sound` returns nothing. Does it end with `return`?")
    sound = np.asarray(found)
    if sound.dtype.kind not in "fiu":
        raise Wrong(f"`harmonic_sound` has to return an array of real numbers; yours is of type {sound.dtype}.")
    count, partials = amplitudes.shape
    if sound.shape == amplitudes.shape and partials > 1:
        raise Wrong(f"`harmonic_sound` returns {count} x {partials} numbers, the partials one by one. Add them up: "
                    "`.sum(axis=1)`.")
    if sound.shape in ((count, 1), (1, count)):
        raise Wrong(f"The sound has to be an array of one dimension, [{count}]; yours is {list(sound.shape)}. "
                    "`.sum(axis=1)` adds up the partials and leaves one dimension.")
    if sound.shape == (partials,):
        raise Wrong("Your function adds up the samples of each partial, not the partials at each sample: "
                    "`.sum(axis=1)` instead of `axis=0`.")
    if sound.shape != (count,):
        raise Wrong(f"For {count} frequencies the sound has to have {count} samples; yours has the shape "
                    f"{list(sound.shape)}.")
    if not np.isfinite(sound).all():
        raise Wrong("There are samples that are not numbers (NaN or infinity) in your sound.")
    rights = [sound_of(f0_hz, amplitudes, rate_hz, phase=each).sum(axis=1) for each in beginnings()]
    if any(_close(sound, right) for right in rights):
        return
    for wrong, message in _usual(f0_hz, amplitudes, rate_hz):
        if _close(sound, wrong) and not any(_close(wrong, right) for right in rights):
            raise Wrong(message)
    place = int(np.argmax(np.abs(sound - rights[0]) > 1e-6))
    low = max(0, min(place, count - 4))
    raise Wrong(f"For {told} samples {low} to {low + 3} should be {numbers(rights[0][low:low + 4])}, and yours are "
                f"{numbers(sound[low:low + 4])}. The phase of the first partial is 2π times the sum of f0 / rate so "
                "far; partial k has k times that phase.")


def _usual(f0_hz: Array, amplitudes: Array, rate_hz: int) -> list[tuple[Array, str]]:
    """Return what usual mistakes give, with what to say of each."""
    def made(**mistake: Any) -> Array:
        return np.asarray(sound_of(f0_hz, amplitudes, rate_hz, **mistake).sum(axis=1))

    def by_time(cycles: Array) -> Array:
        return cycles * np.arange(len(cycles))

    def by_time_after(cycles: Array) -> Array:
        return cycles * np.arange(1, len(cycles) + 1)

    above = "A partial at half the sample rate or above has to be silent: "
    hard = [(made(phase=lambda cycles, rate=rate: np.cumsum(cycles) * rate_hz / rate),
             f"Your sound is right for {rate} samples a second; here it is {rate_hz}. Use `rate_hz`.")
            for rate in (8000, 16000, 44100) if rate != rate_hz]
    return [
        (made(turn=1.0), "2π is missing: a cycle is 2π of what `np.sin` takes."),
        (made(turn=360.0), "`np.sin` takes radians, 2π to a cycle, not 360 degrees."),
        (made(turn=np.pi), "It sounds an octave too low: a cycle is 2π, not π."),
        (made(wave=np.cos), "These are cosines. Every partial begins at 0, as a sine does: `np.sin`."),
        (made(first=0), "The partials are numbered from 0: the first of yours has the frequency 0, which is no sound. "
                        "`np.arange(1, K + 1)` numbers them from 1."),
        (made(first=2), "The partials are numbered from 2: your sound has no first partial."),
        *hard,
        (made(phase=lambda cycles: np.cumsum(cycles * rate_hz)), "The phase grows too fast: each sample adds f0 / "
                                                                 "`rate_hz` cycles, not f0."),
        (made(phase=by_time), "The phase is not accumulated: f0 times the time is right only where f0 never moved. Add "
                              "up the cycles of all samples so far: `np.cumsum(f0_hz / rate_hz)`."),
        (made(phase=by_time_after), "The phase is not accumulated: f0 times the time is right only where f0 never "
                                    "moved. Add up the cycles of all samples so far: `np.cumsum(f0_hz / rate_hz)`."),
        (made(phase=lambda cycles: np.full(len(cycles), cycles.mean()).cumsum()),
         "The sound has the mean frequency all the time: the frequency of each sample counts."),
        (np.asarray(sound_of(f0_hz, amplitudes, rate_hz).mean(axis=1)),
         f"The partials are averaged: your sound is {amplitudes.shape[1]} times too soft. Add them up: "
         "`.sum(axis=1)`."),
        (np.asarray(sound_of(f0_hz, amplitudes[:, ::-1], rate_hz).sum(axis=1)),
         "The amplitudes are taken from the last to the first: column 0 belongs to partial 1."),
        (np.asarray(sound_of(f0_hz, np.tile(amplitudes[0], (len(amplitudes), 1)), rate_hz).sum(axis=1)),
         "The amplitudes of the first sample are used all the time: each row belongs to one sample."),
        (np.asarray(sound_of(f0_hz, np.ones_like(amplitudes), rate_hz).sum(axis=1)), "The amplitudes are not used."),
        (made(silent="never"), above + "you play them all, and they come down again as wrong notes. "
                                        "Partial k has k times the frequency of the first."),
        (made(silent="rate"), above + "you play them up to the rate itself. Compare with `rate_hz / 2`."),
        (made(silent="quarter"), "Your partials are silent from a quarter of the sample rate on; they may go up to "
                                 "`rate_hz / 2`."),
        (made(silent="once"), "A partial that climbs too high once is silent all the time in your sound. Decide sample "
                              "by sample: the condition is an array [N, K]."),
        (made(silent="at the end"), "Which partials sound is decided by the last sample for all. Decide sample by "
                                    "sample: the condition is an array [N, K]."),
    ]
