"""Composing with the recurrent network of `chorale-rnn`: state that is kept, pieces side by side, length.

The network is not trained: its weights do not change how long it takes.
"""

from __future__ import annotations

import statistics
from typing import Any

from componium import registry
from componium.benchmarks.material import invented
from componium.benchmarks.measure import Measurement, compare, on_one_thread, seconds_of
from componium.music.errors import require

BARS = 8
PIECES = 100
ALONE = 10
"""How many of the pieces are composed one by one, to be scaled up."""
READ_AGAIN = (8, 64)
"""Bars of the pieces that are composed by reading them again at each step."""
LENGTHS = (8, 32, 128, 512)
"""Bars of the pieces whose cost a token is compared."""
STEPS_PER_BAR, VOICES = 16, 4
NOTE = "one version of each, untrained weights, one thread"


def state() -> list[Measurement]:
    """Time composing with the state that is kept against reading all again at each step; the music is the same."""
    model, again = _model(), _rereading(_model())
    return on_one_thread(lambda: [compare(
        f"compose-state/{bars}", lambda bars=bars: _compose(model, bars),
        lambda bars=bars: _compose(again, bars), peer="reading the piece so far again at each step",
        repeats=3, amount=bars * STEPS_PER_BAR * VOICES, unit="tokens", note=f"one piece of {bars} bars; {NOTE}")
        for bars in READ_AGAIN])


def batch() -> list[Measurement]:
    """Time a hundred chorales side by side against one by one."""
    model = _model()
    return [on_one_thread(lambda: compare(
        "compose-batch", lambda: model.generate_many(count=PIECES, bars=BARS, seed=1, candidates=1),
        lambda: [_compose(model, BARS, seed) for seed in range(1, ALONE + 1)], peer="one after another",
        repeats=3, amount=PIECES * BARS * STEPS_PER_BAR * VOICES, unit="tokens", baseline_share=ALONE / PIECES,
        note=f"{PIECES} pieces of {BARS} bars; {NOTE}"))]


def length() -> list[Measurement]:
    """Time pieces of several lengths; a ratio of 1 says that a token costs the same as in the shortest."""
    model = _model()
    return on_one_thread(lambda: _lengths(model))


def _lengths(model: Any) -> list[Measurement]:
    _compose(model, LENGTHS[0])  # what is done once only is done
    seconds = {bars: statistics.median(seconds_of(lambda bars=bars: _compose(model, bars), repeats=3))
               for bars in LENGTHS}
    first = seconds[LENGTHS[0]] / LENGTHS[0]
    made = []
    for bars in LENGTHS[1:]:
        tokens = bars * STEPS_PER_BAR * VOICES
        made.append(Measurement(
            name=f"compose-length/{bars}", baseline=f"the cost a token of {LENGTHS[0]} bars", amount=tokens,
            unit="tokens", ours_seconds=seconds[bars], baseline_seconds=first * bars, repeats=1,
            note=f"{seconds[bars] / tokens * 1e6:.0f} us a token in {bars} bars, "
                 f"{first / STEPS_PER_BAR / VOICES * 1e6:.0f} us in {LENGTHS[0]}; constant cost is a ratio of 1; "
                 f"{NOTE}"))
    return made


def _model() -> Any:
    """Return a network that composes although it has not learned; it has heard what chorales are like."""
    require("torch", extra="neural", purpose="Composing with a network")
    model = registry.create("chorale-rnn")
    corpus = invented(8)
    model.measure([model.prepare(item) for item in corpus])
    model.network.eval()
    model.trained = True
    return model


def _compose(model: Any, bars: int, seed: int = 1) -> object:
    return model.generate(bars=bars, seed=seed, candidates=1)


def _rereading(model: Any) -> Any:
    """Let a model's network keep no state: it hears the piece from its beginning on at each step."""
    import torch

    remember = model.network.remember

    def from_the_beginning(seen: Any, state: Any = None) -> tuple[Any, Any]:
        so_far = seen if state is None else torch.cat([state[0][0].transpose(0, 1), seen], 1)
        return remember(so_far)[0][:, -1:], [(so_far.transpose(0, 1), so_far[None, :, 0])]  # rows second, as in a state

    model.network.remember = from_the_beginning
    return model
