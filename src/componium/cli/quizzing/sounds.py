"""The sounds of a quiz: two of a pair are as long, as loud and as large as each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

import numpy as np

from componium.cli.pages.sound import Sound, encode
from componium.cli.quizzing.pairs import Pair
from componium.cli.show import Progress, counted
from componium.music.audio import Audio

LUFS = -16.0
TAIL_SECONDS = 2.0
FADE_SECONDS = 2.0
"""At the end of both, where one of them stops in the middle of a phrase."""
COMMENT = "Half of a pair of a Componium listening quiz; the page of the quiz tells what made it."
WORKERS = 4
POLL_SECONDS = 0.2


def play_pairs(pairs: Sequence[Pair], instruments: Any, seed: int, progress: Progress) -> list[tuple[Sound, Sound]]:
    """Return the sounds of each pair: (of the held-out piece, of the model's).

    The work is done in threads, so that the first one hears Ctrl-C.

    Args:
        pairs: what is played.
        instruments: as `componium.performance.perform` takes them.
        seed: of the slight differences in timing; the same for both of a pair.
        progress: told of the work.

    Raises:
        BadFile: there is no SoundFont.
    """
    workers = ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, WORKERS)))
    try:
        running = [workers.submit(play_pair, pair, instruments, [seed, number]) for number, pair in enumerate(pairs)]
        found = []
        for number, future in enumerate(running):
            found.append(_wait(future, lambda done=number: progress(done / len(pairs), f"pair {done + 1}")))
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
    progress(1.0, counted(len(pairs), "pair"))
    return found


def play_pair(pair: Pair, instruments: Any, seed: Sequence[int]) -> tuple[Sound, Sound]:
    """Return the sounds of one pair; see `play_pairs`."""
    human, made = as_long(played(pair.human, instruments, seed), played(pair.made, instruments, seed),
                          fade_seconds=FADE_SECONDS if pair.cut else 0.0)
    return encode(human, comment=COMMENT), encode(made, comment=COMMENT)


def played(score: Any, instruments: Any, seed: Sequence[int]) -> Audio:
    """Return an excerpt as sound, one channel."""
    from componium.performance import perform

    number = int(np.random.default_rng(list(seed)).integers(2 ** 31))
    return perform(score, instruments, lufs=LUFS, tail_seconds=TAIL_SECONDS, seed=number).to_mono()


def as_long(first: Audio, second: Audio, *, fade_seconds: float = 0.0) -> tuple[Audio, Audio]:
    """Return two sounds of the length of the longer one: the other is followed by silence.

    Args:
        first: a sound.
        second: the other one.
        fade_seconds: how long both are faded out at the end.
    """
    count = max(first.sample_count, second.sample_count)
    both = [Audio(np.pad(each.samples, ((0, 0), (0, count - each.sample_count))), each.sample_rate_hz)
            for each in (first, second)]
    if fade_seconds:
        both = [each.fade(0.0, fade_seconds) for each in both]
    return both[0], both[1]


def _wait(future: Future[Any], tick: Callable[[], None]) -> Any:
    """Return a result, and tick while waiting."""
    while True:
        try:
            tick()
            return future.result(timeout=POLL_SECONDS)
        except NotYet:
            continue
