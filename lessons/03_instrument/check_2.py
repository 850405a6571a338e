"""The check of exercise 2 of lesson 03: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong, numbers

Array = npt.NDArray[Any]


def hann(size: int, *, periodic: bool = True) -> Array:
    """Return a Hann window; one that is not periodic reaches 0 at its last sample, too."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size if periodic else size - 1)))


def response_of(magnitudes: Array) -> Array:
    """Return the right response."""
    size = 2 * (len(magnitudes) - 1)
    return np.asarray(np.roll(np.fft.irfft(magnitudes, size), size // 2) * hann(size))


def check(impulse_response: Callable[[Array], Any]) -> None:
    """Check ``impulse_response(magnitudes)``."""
    rng = np.random.default_rng(3)
    for magnitudes in (rng.uniform(0, 1, 17), np.ones(9), rng.uniform(0, 0.1, 33), np.exp(-np.arange(65) / 8)):
        given = magnitudes.copy()
        found = impulse_response(given)
        _check_response(found, magnitudes)
        if not np.array_equal(given, magnitudes):
            raise Wrong("Your function changes the array `magnitudes`, which it is only given to read. `a *= b` "
                        "changes the array itself; `a * b` makes a new one.")


def _close(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0, atol=1e-9))


def _check_response(found: Any, magnitudes: Array) -> None:
    if found is None:
        raise Wrong("`impulse_response` returns nothing. Does it end with `return`?")
    response, bands = np.asarray(found), len(magnitudes)
    size = 2 * (bands - 1)
    if response.dtype.kind == "c":
        raise Wrong("The response is made of complex numbers: `np.fft.ifft` takes the spectrum of both sides. "
                    "`np.fft.irfft` takes the one side that we have, and gives real numbers.")
    if response.dtype.kind not in "fiu":
        raise Wrong(f"`impulse_response` has to return an array of numbers; yours is of type {response.dtype}.")
    if response.shape == (bands,):
        raise Wrong(f"Of {bands} magnitudes come {size} samples; your response has {bands}. `np.fft.irfft(magnitudes)` "
                    "without more gives the right length.")
    if response.shape != (size,):
        raise Wrong(f"Of {bands} magnitudes come 2 ({bands} - 1) = {size} samples; yours has the shape "
                    f"{list(response.shape)}.")
    right = response_of(magnitudes)
    rolled = np.roll(np.fft.irfft(magnitudes, size), size // 2)
    if _close(response, right) or _close(response, rolled * hann(size, periodic=False)):
        return
    for wrong, message in _usual(magnitudes, size, rolled):
        if _close(response, wrong):
            raise Wrong(message)
    middle = slice(size // 2 - 1, size // 2 + 2)
    raise Wrong(f"Of the magnitudes {numbers(magnitudes[:3])[:-1]}, ...] the three samples in the middle should be "
                f"{numbers(right[middle])}, and yours are {numbers(response[middle])}. `np.fft.irfft`, then `np.roll` "
                f"by {size // 2}, then the Hann window of {size} samples.")


def _usual(magnitudes: Array, size: int, rolled: Array) -> list[tuple[Array, str]]:
    """Return what usual mistakes give, with what to say of each."""
    around = np.fft.irfft(magnitudes, size)
    one_sided = "the response is still rolled up around sample 0: its second half belongs before its first. "
    roll = f"`np.roll` it by {size // 2} samples."
    windows = [hann(size), hann(size, periodic=False)]
    return [
        (around, "That is `irfft` alone; " + one_sided + roll + " Then comes the window."),
        (rolled, "The window is missing: the response begins and ends abruptly."),
        *((around * window, "There is no `np.roll`, so the window lets the wrong part through: " + one_sided + roll)
          for window in windows),
        *((np.roll(around * window, size // 2), "The window comes too early: before `np.roll` the middle of the "
                                                "response is at sample 0, where the window is 0. Roll first.")
          for window in windows),
        *((np.roll(around, step) * window, f"The middle of the response is not in the middle: `np.roll` by {size // 2} "
                                           f"samples, which is M - 1; yours went by {step}.")
          for window in windows for step in (size // 2 + 1, size // 2 - 1, size // 4)),
        *((rolled * window**2, "The window is there twice.") for window in windows),
        *((rolled * np.sqrt(window), "That is the root of a Hann window.") for window in windows),
        (rolled * np.hamming(size), "That is a Hamming window, which does not go down to 0. Take Hann's."),
        *((2 * rolled * window, "The response is twice as strong as it should be.") for window in windows),
        *((size * rolled * window, "The response is too strong by its length: `np.fft.irfft` has divided by it "
                                   "already.") for window in windows),
        *((rolled / np.abs(rolled).max() * window, "The response is made as strong as 1, so that soft noise is as loud "
                                                   "as loud noise. Leave its strength alone.") for window in windows),
    ]
