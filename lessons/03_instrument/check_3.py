"""The check of exercise 3 of lesson 03: compares an answer with the right one and with the usual wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.lessons.verdict import Wrong

Array = npt.NDArray[Any]
SIZES = (512, 128, 64)
OFFSET = 1e-5


def magnitudes(sound: Array, size: int, hop: int) -> Array:
    """Return the spectra of a sound as the lesson takes them."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, size // 2), size)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.asarray(np.abs(np.fft.rfft(frames * window)))


def parts_of(x: Array, y: Array, sizes: Sequence[int], *, hop: int | None = None, share: int = 4,
             offset: float = OFFSET, log: Callable[[Array], Array] = np.log) -> list[tuple[Array, Array]]:
    """Return for each size the differences of magnitudes and of their logarithms, with signs."""
    pairs = [(magnitudes(x, size, hop or size // share), magnitudes(y, size, hop or size // share)) for size in sizes]
    return [(one - other, log(one + offset) - log(other + offset)) for one, other in pairs]


def loss_of(x: Array, y: Array, sizes: Sequence[int]) -> float:
    """Return the right loss."""
    return float(sum(np.abs(plain).mean() + np.abs(logs).mean() for plain, logs in parts_of(x, y, sizes)))


def sounds() -> tuple[Array, Array]:
    """Return two sounds: a note that fades, and another one that does not."""
    time, rng = np.arange(3000) / 16000, np.random.default_rng(5)
    one = 0.4 * np.sin(2 * np.pi * 220 * time) * np.exp(-8 * time) + 0.01 * rng.standard_normal(3000)
    other = 0.2 * np.sin(2 * np.pi * 330 * time) + 0.02 * rng.standard_normal(3000)
    return one, other


def check(spectral_loss: Callable[..., Any]) -> None:
    """Check ``spectral_loss(x, y, sizes)``."""
    one, other = sounds()
    with np.errstate(all="ignore"):
        _check_loss(spectral_loss, one, other, (256,))
        _check_loss(spectral_loss, one, other, SIZES)
        _check_loss(spectral_loss, other, one, SIZES)
        _check_loss(spectral_loss, one, one.copy(), SIZES)
        for x, y in ((one, np.zeros(3000)), (np.zeros(3000), np.zeros(3000))):
            if not np.isfinite(_number(spectral_loss(x.copy(), y.copy(), SIZES))):
                raise Wrong("Where a sound is silent, your loss is not a number any more: the logarithm of 0 is minus "
                            "infinity. Add 1e-5 to the magnitudes *before* `np.log`.")
            _check_loss(spectral_loss, x, y, SIZES)


def _number(found: Any) -> float:
    if found is None:
        raise Wrong("`spectral_loss` returns nothing. Does it end with `return`?")
    value = np.asarray(found)
    if value.dtype.kind not in "fiu":
        raise Wrong(f"`spectral_loss` has to return one real number; yours is of type {value.dtype}.")
    if value.size != 1:
        raise Wrong(f"`spectral_loss` has to return one number; yours is {value.size} numbers. Each mean is taken over "
                    "all frames and frequencies, `.mean()` without an axis.")
    return float(value.reshape(()))


def _check_loss(spectral_loss: Callable[..., Any], x: Array, y: Array, sizes: tuple[int, ...]) -> None:
    given = x.copy(), y.copy()
    found, right = _number(spectral_loss(*given, sizes)), loss_of(x, y, sizes)
    if not (np.array_equal(given[0], x) and np.array_equal(given[1], y)):
        raise Wrong("Your function changes the sounds that it is given. `a -= b` changes the array itself; `a - b` "
                    "makes a new one.")
    if _alike(found, right):
        return
    if right == 0:
        raise Wrong(f"A sound is no distance from itself, and your loss is {found:.4g}.")
    for wrong, message in _usual(x, y, sizes):
        if _alike(found, wrong) and not _alike(wrong, right):
            raise Wrong(message)
    named = f"frames of {', '.join(map(str, sizes))} samples"
    raise Wrong(f"For the two sounds of the check and {named} the loss should be {right:.4f}, and yours is "
                f"{found:.4f}. For each size it is the mean of |X - Y| plus the mean of |log(X + 1e-5) - log(Y + "
                "1e-5)|.")


def _alike(one: float, other: float) -> bool:
    return bool(np.isclose(one, other, rtol=1e-7, atol=1e-12))


def _usual(x: Array, y: Array, sizes: tuple[int, ...]) -> list[tuple[float, str]]:
    """Return what usual mistakes give, with what to say of each."""
    parts = parts_of(x, y, sizes)
    each = [np.abs(plain).mean() + np.abs(logs).mean() for plain, logs in parts]

    def total(**other: Any) -> float:
        return float(sum(np.abs(plain).mean() + np.abs(logs).mean() for plain, logs in parts_of(x, y, sizes, **other)))

    found: list[tuple[float, str]] = [
        (sum(np.abs(plain).mean() for plain, _ in parts), "The logarithms are missing: all that is soft counts for "
                                                          "nothing."),
        (sum(np.abs(logs).mean() for _, logs in parts), "Only the logarithms are compared: the mean of |X - Y| comes "
                                                        "in addition."),
        (sum(abs(plain.mean()) + abs(logs.mean()) for plain, logs in parts),
         "The mean is taken before the sign is dropped, so that too much here and too little there cancel each other. "
         "`np.abs(...)` first, then `.mean()`."),
        (sum(plain.mean() + logs.mean() for plain, logs in parts),
         "The sign is not dropped: too much here and too little there cancel each other. Take `np.abs` of the "
         "differences."),
        (sum((plain**2).mean() + (logs**2).mean() for plain, logs in parts),
         "The differences are squared. Take them as they are, without their sign: `np.abs`."),
        (sum(np.abs(plain).sum() + np.abs(logs).sum() for plain, logs in parts),
         "These are sums over frames and frequencies, not means: a longer sound would be further away."),
        (float(np.mean(each)), f"The mean over the {len(sizes)} sizes is taken; it is their sum."),
        (each[0], "Only the first size counts in your loss. Does the function return inside the loop?"),
        (each[-1], "Only the last size counts in your loss. `loss = ...` begins anew each time; `loss += ...` adds."),
        (total(log=np.log10), "These are logarithms to the base 10; `np.log` is the natural one."),
        (total(log=np.log1p, offset=0.0), "You take log(1 + X): that hides all that is soft. Add 1e-5, not 1."),
        (total(log=lambda value: 20 * np.log10(value)), "These are decibels; take `np.log` as it is."),
        (total(offset=0.0), "1e-5 is not added before the logarithm."),
        *((total(offset=value), f"{value:g} is added before the logarithm; it should be 1e-5.")
          for value in (1e-3, 1e-4, 1e-6, 1e-7, 1e-8)),
        *((total(share=value), f"The frames are 1/{value} of their size apart, not a quarter: `size // 4`.")
          for value in (1, 2, 8)),
        (total(hop=256), "The frames are 256 samples apart for every size; they should be `size // 4` apart."),
        (total(hop=64), "The frames are 64 samples apart for every size; they should be `size // 4` apart."),
        (float(np.abs(x - y).mean()), "These are the samples, not the spectra: `magnitudes(x, size, size // 4)`."),
        (sum(np.abs(np.log(np.abs(plain) + OFFSET)).mean() + np.abs(plain).mean() for plain, _ in parts),
         "That is the logarithm of the difference; it is the difference of the logarithms."),
    ]
    return found
