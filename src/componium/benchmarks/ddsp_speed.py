"""The neural instrument `ddsp` against the published path written plainly (`componium.benchmarks.plain_ddsp`).

The networks are not trained: their weights do not change how long it takes. Times are those of the processor, on one
thread: what other programs do meanwhile does not count; times of the clock stand in the notes.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from componium import registry
from componium.benchmarks import memory
from componium.benchmarks.measure import MOST_SECONDS, Measurement, duration, on_one_thread, seconds_of
from componium.benchmarks.pitch_tracking import SAMPLE_RATE_HZ, phrase
from componium.evaluation.speed import block_times, percentile, underruns
from componium.interface import Arrays
from componium.music.audio import Audio
from componium.music.errors import require

RECIPES = LONG_RECIPES = ("vst", "live")
SECONDS, LONG_SECONDS = 10.0, 60.0
BLOCKS = 400
BATCH, TRAINED, CROP_SECONDS = 8, "small", 2.0
REPEATS = 5
PEER = "the published path in plain PyTorch"
NOTE = "untrained weights, one thread, processor time"
PERCENTS = (50, 95, 99)


def synthesis() -> list[Measurement]:
    """Time curves of pitch and loudness to dry sound."""
    return on_one_thread(lambda: [_synthesised(recipe) for recipe in RECIPES])


def transfer() -> list[Measurement]:
    """Time sound to sound, whole and in blocks of one frame."""
    def made() -> list[Measurement]:
        whole = [_transferred(recipe) for recipe in RECIPES]
        return whole + [each for recipe in RECIPES for each in _in_blocks(recipe)]

    return on_one_thread(made)


def train() -> list[Measurement]:
    """Time one step of training, forwards and back, and measure its peak memory."""
    def made() -> Measurement:
        samples = BATCH * CROP_SECONDS
        one = side_by_side("ddsp-train", training_job("ours"), training_job("plain"), samples,
                           f"{PEER} with torch.stft",
                           f"recipe {TRAINED}, one step of {BATCH} x {CROP_SECONDS:g} s without the optimizer")
        return with_memory(one, "training_job", [])

    return [on_one_thread(made)]


def long_memory() -> list[Measurement]:
    """Measure the peak memory of making a minute of sound."""
    made = []
    for recipe in LONG_RECIPES:
        ours, plain = (memory.used_by(f"{__name__}:synthesis_job", [side, recipe, LONG_SECONDS])
                       for side in ("ours", "plain"))
        made.append(Measurement(
            f"ddsp-memory/{recipe}", PEER, LONG_SECONDS, "seconds of sound", ours.seconds, plain.seconds, 1,
            f"{told(recipe)}, at once; {NOTE}", ours_bytes=ours.bytes, baseline_bytes=plain.bytes))
    return made


def side_by_side(name: str, ours: Callable[[], object], plain: Callable[[], object], sound_seconds: float, peer: str,
                 note: str) -> Measurement:
    """Time two jobs in turn, after each has been done once: medians of the processor's time, the clock's in the note.
    """
    jobs, spent = (ours, plain), 0.0
    times: list[list[tuple[float, float]]] = [[], []]
    for job in jobs:
        job()
    while len(times[0]) < REPEATS and spent < MOST_SECONDS:
        for job, found in zip(jobs, times, strict=True):
            started, clock = time.process_time(), time.perf_counter()
            job()
            found.append((time.process_time() - started, time.perf_counter() - clock))
            spent += found[-1][1]
    (mine, mine_clock), (theirs, their_clock) = ([statistics.median(column) for column in zip(*found, strict=True)]
                                                 for found in times)
    return Measurement(
        name, peer, sound_seconds, "seconds of sound", mine, theirs, len(times[0]),
        f"{note}; {sound_seconds / mine:,.1f} times real time, the peer {sound_seconds / theirs:,.1f}; by the clock "
        f"{duration(mine_clock)} and {duration(their_clock)}; {NOTE}")


def with_memory(one: Measurement, job: str, arguments: list[Any]) -> Measurement:
    """Return a measurement with the peak memory of both sides, each in a process of its own."""
    ours, plain = (memory.used_by(f"{__name__}:{job}", [side, *arguments]).bytes for side in ("ours", "plain"))
    return dataclasses.replace(one, ours_bytes=ours, baseline_bytes=plain)


def synthesis_job(side: str, recipe: str, seconds: float) -> Callable[[], object]:
    """Return what makes so many seconds of sound from curves; a little has been made already."""
    require("torch", extra="neural", purpose="The benchmark of ddsp")
    import torch

    from componium.benchmarks import plain_ddsp

    torch.set_num_threads(1)
    model = _model(recipe)

    def ours(length: float) -> object:
        return model.sound_of(_curves(model, length), reverb=0.0)

    def plain(length: float) -> object:
        curves = _curves(model, length)
        with torch.inference_mode():
            return plain_ddsp.sound_of(model.network, torch.from_numpy(curves.f0_hz)[None],
                                       torch.from_numpy(curves.loudness_db)[None]).numpy()

    make = ours if side == "ours" else plain
    make(0.1)
    return lambda: make(seconds)


def training_job(side: str) -> Callable[[], object]:
    """Return what does a step of training without the optimizer; a small one has been done already."""
    require("torch", extra="neural", purpose="The benchmark of ddsp")
    import torch

    from componium.benchmarks import plain_ddsp

    torch.set_num_threads(1)
    model = _model(TRAINED)
    model.network.train()

    def loss(batch: dict[str, Any]) -> Any:
        if side == "ours":
            return model.loss(batch, turn="all", step=0)[0]
        made = plain_ddsp.sound_of(model.network, batch["f0_hz"][:, 1:], batch["loudness_db"][:, 1:])
        return plain_ddsp.spectral_loss(made, batch["audio"])

    def step(batch: dict[str, Any]) -> float:
        model.network.zero_grad(set_to_none=True)
        found = loss(batch)
        found.backward()
        return float(found.item())

    frames = max(round(CROP_SECONDS * model.frame_rate_hz), 8)
    step(_batch(model, 1, 8))
    batch = _batch(model, BATCH, frames)
    return lambda: step(batch)


def told(recipe: str) -> str:
    """Return a recipe and what it works with."""
    config = _model(recipe).config
    return f"recipe {recipe} ({config.sample_rate_hz / 1000:g} kHz, hop {config.hop_samples})"


def _synthesised(recipe: str) -> Measurement:
    ours, plain = (synthesis_job(side, recipe, SECONDS) for side in ("ours", "plain"))
    network = statistics.median(seconds_of(_network_job(recipe), repeats=REPEATS, clock=time.process_time))
    return side_by_side(f"ddsp-synthesis/{recipe}", ours, plain, SECONDS, PEER,
                        f"{told(recipe)}; the network, which is the same in both, takes {duration(network)} of it")


def _network_job(recipe: str) -> Callable[[], object]:
    import torch

    model = _model(recipe)
    curves = _curves(model, SECONDS)
    f0, loud, z = (torch.from_numpy(each)[None] for each in (curves.f0_hz, curves.loudness_db, curves.z))

    def says() -> object:
        with torch.inference_mode():
            return model.network.decoder(f0, loud, z, torch.zeros(1, model.config.hidden))

    says()
    return says


def _transferred(recipe: str) -> Measurement:
    import torch

    from componium.benchmarks import plain_ddsp

    model = _model(recipe)
    sound = Audio(phrase(SECONDS)[None], SAMPLE_RATE_HZ).resample(model.sample_rate_hz)
    samples: npt.NDArray[np.float32] = np.ascontiguousarray(sound.samples[0], np.float32)

    def plain() -> object:
        with torch.inference_mode():
            return plain_ddsp.transferred(model.network, model.config, samples).numpy()

    return side_by_side(f"ddsp-transfer/{recipe}", lambda: model.transfer(sound), plain, SECONDS,
                        f"{PEER} with the same tracker", f"{told(recipe)}, tracker {model.config.tracker}")


def _in_blocks(recipe: str) -> list[Measurement]:
    """Time the stream of sound to sound, block by block, against how long a block sounds."""
    import torch

    model = _model(recipe)
    stream = model.streams().get("transfer")
    if stream is None:
        return []
    hop = model.config.hop_samples
    budget = hop / model.sample_rate_hz
    sound = torch.from_numpy(phrase(2.0)[:48 * hop])
    blocks = sound[:len(sound) // hop * hop].reshape(-1, 1, 1, hop)
    knobs = torch.tensor([float(each.default) for each in stream.controls])
    state, place = stream.start(1), 0

    def step() -> None:
        nonlocal state, place
        _, state = stream(blocks[place % len(blocks)], knobs, state)
        place += 1

    with torch.inference_mode():
        busy, clock = (block_times(step, BLOCKS, clock=each) for each in (time.process_time, time.perf_counter))
    late = underruns(clock, budget)
    return [Measurement(
        f"ddsp-transfer/{recipe}/block-p{percent}", "how long a block sounds", hop, "samples",
        percentile(busy, percent), budget, BLOCKS,
        f"recipe {recipe}, sound to sound in blocks of one frame: {percent} of 100 blocks take no longer; by the clock "
        f"{duration(percentile(clock, percent))}, and {late} of {BLOCKS} blocks came late; {NOTE}")
        for percent in PERCENTS]


def _model(recipe: str) -> Any:
    """Return a model that plays although it has not learned."""
    require("torch", extra="neural", purpose="The benchmark of ddsp")
    from componium.training.recipes import find

    model = registry.create("ddsp", **find(recipe, "ddsp").config)
    model.trained = True
    model.network.eval()
    return model


def _curves(model: Any, seconds: float) -> Any:
    """Return curves of a line of notes with vibrato."""
    from componium.instruments.ddsp.features import Features

    frames = max(round(seconds * model.frame_rate_hz), 1)
    at = np.arange(frames) / model.frame_rate_hz
    hz = 220.0 * 2.0 ** ((np.floor(at * 2) % 13 + 0.3 * np.sin(2 * np.pi * 5.5 * at)) / 12)
    return Features(hz.astype(np.float32), np.ones(frames, np.float32),
                    (-20.0 - 10.0 * (at * 2 % 1.0)).astype(np.float32),
                    np.zeros((frames, model.config.z_size), np.float32))


def _batch(model: Any, size: int, frames: int) -> dict[str, Any]:
    """Return excerpts of a sound and its curves, as `DDSP.example` makes them."""
    import torch

    hop, rng = model.config.hop_samples, np.random.default_rng(0)
    curves = _curves(model, (frames + 1.5) / model.frame_rate_hz)
    sound = np.resize(phrase(2.0), frames * hop)
    one: Arrays = {"audio": sound, "f0_hz": curves.f0_hz[:frames + 1], "loudness_db": curves.loudness_db[:frames + 1]}
    batch = {name: np.tile(values, (size, 1)) for name, values in one.items()}
    batch["noise"] = 2 * rng.random((size, frames * hop), dtype=np.float32) - 1
    return {name: torch.from_numpy(values) for name, values in batch.items()}
