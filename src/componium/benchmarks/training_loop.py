"""The training loop: updates a second against a plain PyTorch loop, and what the chosen precision gains.

Both loops train the model `chorale-rnn` at its defaults, from the same weights on batches of the same size.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from componium import registry
from componium.benchmarks.material import chorales
from componium.benchmarks.measure import Measurement
from componium.interface import Arrays
from componium.music.corpus import Corpus
from componium.music.errors import require
from componium.training.observing import HeldOutReport, Observer, RunInfo, Summary
from componium.training.settings import TrainSettings
from componium.training.train import train

MODEL = "chorale-rnn"
STEPS, REPEATS = 20, 3
LEARNED_STEPS = 100
"""Updates after which held-out losses are compared."""
BATCH = 16


class Heard(Observer):
    """Keeps what is needed of a run."""

    run: RunInfo
    end: Summary

    def __init__(self) -> None:
        self.held: list[float] = []

    def begun(self, run: RunInfo) -> None:
        """Keep what the run is."""
        self.run = run

    def held_out(self, report: HeldOutReport) -> None:
        """Keep the loss."""
        self.held.append(report.loss)

    def ended(self, summary: Summary) -> None:
        """Keep how it ended."""
        self.end = summary


def steps() -> list[Measurement]:
    """Time updates: ours with a folder, logs of the loop and checks; the plain loop with nothing."""
    require("torch", extra="neural", purpose="The benchmark of the training loop")
    corpus, text = chorales()
    ours, plain = [], []
    for _ in range(REPEATS):
        plain.append(_plain_seconds(corpus))
        ours.append(_our_seconds(corpus))
    return [Measurement(
        name="train-steps", baseline="a plain PyTorch loop (AdamW, clipping)", amount=STEPS, unit="updates",
        ours_seconds=statistics.median(ours), baseline_seconds=statistics.median(plain), repeats=REPEATS,
        note=f"{MODEL} at its defaults, batches of {BATCH}, float32, {text}; ours checks that all is finite, "
             "draws batches that do not depend on what went before, and saves its state at both ends")]


def _our_seconds(corpus: Corpus) -> float:
    heard = Heard()
    with tempfile.TemporaryDirectory() as folder:
        train(registry.create(MODEL), corpus, steps=STEPS, device="cpu", observers=[heard], out=Path(folder) / "run",
              settings={"precision": "float32", "held_out": 0.0, "batch": BATCH})
    return heard.end.seconds


def _plain_seconds(corpus: Corpus) -> float:
    import torch

    model, settings = registry.create(MODEL), TrainSettings()
    prepared = [model.prepare(item) for item in corpus]
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=settings.learning_rate, fused=True)
    rng = np.random.default_rng(0)
    model.network.train()
    started = time.perf_counter()
    for step in range(STEPS):
        loss, _ = model.loss(_batch(model, prepared, rng), turn="all", step=step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.network.parameters(), settings.clip_norm)
        optimizer.step()
        loss.item()
    return time.perf_counter() - started


def _batch(model: Any, prepared: list[Arrays], rng: np.random.Generator) -> dict[str, Any]:
    import torch

    examples = [model.example(prepared[place], rng) for place in rng.integers(len(prepared), size=BATCH)]
    return {key: torch.from_numpy(np.stack([one[key] for one in examples])) for key in examples[0]}


def precision() -> list[Measurement]:
    """Time training in the precision that is chosen here against float32, and compare their held-out losses."""
    require("torch", extra="neural", purpose="The benchmark of the precision")
    corpus, text = chorales()
    runs = {}
    for kind in ("float32", "auto"):
        runs[kind] = Heard()
        train(registry.create(MODEL), corpus, steps=LEARNED_STEPS, device="cpu", observers=[runs[kind]],
              settings={"precision": kind, "held_out_every": LEARNED_STEPS, "batch": BATCH})
    chosen, plain = runs["auto"], runs["float32"]
    return [Measurement(
        name="train-precision", baseline="the same in float32", amount=LEARNED_STEPS, unit="updates",
        ours_seconds=chosen.end.seconds, baseline_seconds=plain.end.seconds, repeats=1,
        note=f"{MODEL}, {text}; auto chose {chosen.run.precision} ({chosen.run.precision_reason}); held-out loss "
             f"after {LEARNED_STEPS} updates {chosen.held[-1]:.4f}, in float32 {plain.held[-1]:.4f}")]
