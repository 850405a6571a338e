"""Composing melodies and answering phrases with `melody-rnn` and `melody-lstm`, at their defaults.

The networks are not trained: their weights do not change how long it takes. As what they write then has hardly a hold
in it, sixteenths are counted and not notes; real tunes have a note every two to three of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from typing import Any

from componium import registry
from componium.benchmarks.material import invented_grid
from componium.benchmarks.measure import Measurement, compare, on_one_thread, seconds_of
from componium.music.errors import Cancelled, require
from componium.music.grid import Grid, from_grid
from componium.music.item import Item
from componium.music.score import Score

MODELS = ("melody-rnn", "melody-lstm")
BARS = 8
PIECES = 100
ALONE = 10
"""How many of the melodies are composed one by one, to be scaled up."""
LENGTHS = (8, 32, 128, 512)
"""Bars of the melodies whose cost a step is compared."""
STEPS_PER_BAR = 16
STEPS_A_NOTE = 3
PHRASE_BARS, TEMPO_BPM = 4, 120.0
"""A phrase of 8 seconds."""
FIRST_SECONDS = 0.1
"""The limit for the first note of a reply."""
REPEATS = 9
NOTE = "at its defaults, untrained weights, one thread"


def batch() -> list[Measurement]:
    """Time a hundred melodies side by side against one by one."""
    made = []
    for name in MODELS:
        model, steps = _model(name), PIECES * BARS * STEPS_PER_BAR
        one = on_one_thread(lambda model=model, name=name, steps=steps: compare(
            f"melody-batch/{name}", lambda: model.generate_many(count=PIECES, bars=BARS, seed=1, candidates=1),
            lambda: [_compose(model, BARS, seed) for seed in range(1, ALONE + 1)], peer="one after another",
            repeats=3, amount=steps, unit="16ths", baseline_share=ALONE / PIECES, note=NOTE))
        assert one.ours_seconds is not None and one.baseline_seconds is not None
        side, alone = (steps / STEPS_A_NOTE / each for each in (one.ours_seconds, one.baseline_seconds))
        made.append(_noted(one, f"{PIECES} melodies of {BARS} bars; with a note every {STEPS_A_NOTE} 16ths, "
                                f"{side:,.0f} notes a second side by side, {alone:,.0f} one after another"))
    return made


def length() -> list[Measurement]:
    """Time melodies of several lengths; a ratio of 1 says that a step costs the same as in the shortest."""
    model = _model("melody-lstm")
    return on_one_thread(lambda: _lengths(model))


def respond() -> list[Measurement]:
    """Time replies to a phrase of 8 seconds: until the first note is there, and whole."""
    call = phrase()
    return on_one_thread(lambda: [each for name in MODELS for each in _answered(name, _model(name), call)])


def phrase() -> Score:
    """Return a phrase of 8 seconds on the C major scale."""
    grid = invented_grid(3, bars=PHRASE_BARS)
    return from_grid(Grid(grid.pitches[:, :1], grid.held[:, :1]), tempo_bpm=TEMPO_BPM)


def first_note(model: Any, call: Score) -> None:
    """Answer until the first beat, which begins with the first note, is chosen."""
    told = 0

    def stop(_done: float, _message: str = "") -> None:
        nonlocal told
        told += 1  # once before each beat
        if told == 2:
            raise Cancelled

    with contextlib.suppress(Cancelled):
        model.respond(call, seed=1, progress=stop)


def _answered(name: str, model: Any, call: Score) -> list[Measurement]:
    first_note(model, call)  # what is done once only is done
    first, whole = (statistics.median(seconds_of(job, repeats=REPEATS)) for job in (
        lambda: first_note(model, call), lambda: model.respond(call, seed=1)))
    seconds = PHRASE_BARS * 4 * 60 / TEMPO_BPM
    return [Measurement(f"respond-speed/{name}/first-note", "the limit of 100 ms", 1, "note", first, FIRST_SECONDS,
                        REPEATS, f"the reply to a phrase of {seconds:g} s until its first beat is chosen; {NOTE}"),
            Measurement(f"respond-speed/{name}/whole", "playing it", seconds, "seconds of music", whole, seconds,
                        REPEATS, f"a whole reply; {NOTE}")]


def _lengths(model: Any) -> list[Measurement]:
    _compose(model, LENGTHS[0])
    seconds = {bars: statistics.median(seconds_of(lambda bars=bars: _compose(model, bars), repeats=3,
                                                  clock=time.process_time)) for bars in LENGTHS}
    first = seconds[LENGTHS[0]] / LENGTHS[0]
    return [Measurement(
        name=f"melody-length/{bars}", baseline=f"the cost a step of {LENGTHS[0]} bars", amount=bars * STEPS_PER_BAR,
        unit="16ths", ours_seconds=seconds[bars], baseline_seconds=first * bars, repeats=3,
        note=f"melody-lstm: {seconds[bars] / bars / STEPS_PER_BAR * 1e6:,.0f} us a step in {bars} bars, "
             f"{first / STEPS_PER_BAR * 1e6:,.0f} us in {LENGTHS[0]}, of the processor; constant cost is a ratio of 1; "
             f"{NOTE}")
        for bars in LENGTHS[1:]]


def _model(name: str) -> Any:
    """Return a network that composes although it has not learned; it has heard what melodies are like."""
    require("torch", extra="neural", purpose="Composing with a network")
    model = registry.create(name)
    heard = []
    for number in range(8):
        grid = invented_grid(number)
        line = Grid(grid.pitches[:, :1], grid.held[:, :1])
        heard.append(model.prepare(Item(f"invented {number}", "score", from_grid(line))))
    model.measure(heard)
    model.network.eval()
    model.trained = True
    return model


def _compose(model: Any, bars: int, seed: int = 1) -> object:
    return model.generate(bars=bars, seed=seed, candidates=1)


def _noted(one: Measurement, text: str) -> Measurement:
    return dataclasses.replace(one, note=f"{text}; {one.note}")
