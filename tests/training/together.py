"""What one of several processes does in `test_distributed.py`; torchrun starts it.

    together.py WHAT MODEL FOLDER      WHAT: gradients, train, resume, stop
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from componium import registry
from componium.music.errors import Cancelled, ComponiumError
from componium.music.grid import Grid, from_grid
from componium.music.item import Item, hash_of_score
from componium.training.observing import Observer
from componium.training.train import train

SETTINGS = {"precision": "float32", "batch": 8, "held_out": 0.3, "held_out_every": 4, "save_every": 4, "log_every": 4}
STEPS = 10


def pieces(count: int = 6) -> list[Item]:
    """Return the same invented pieces in every process."""
    rng = np.random.default_rng(0)
    scores = [from_grid(Grid.from_pitches(rng.integers(50, 75, size=(24, 2)))) for _ in range(count)]
    return [Item(f"piece {n}", "score", score, hash=hash_of_score(score)) for n, score in enumerate(scores)]


class Ear(Observer):
    """Writes down what is told, a file a process."""

    def __init__(self, folder: Path, stop_after: int | None) -> None:
        self.path, self.stop_after = folder / f"told-{os.environ.get('RANK', '0')}.jsonl", stop_after

    def stepped(self, report):
        with self.path.open("a") as file:
            file.write(json.dumps({"step": report.step, "loss": report.loss, "norm": report.gradient_norm}) + "\n")
        if report.step == self.stop_after:
            raise Cancelled("enough")

    def held_out(self, report):
        with self.path.open("a") as file:
            file.write(json.dumps({"held_out": report.loss, "step": report.step}) + "\n")


def gradients(machine, model, accumulate: int) -> dict[str, np.ndarray]:
    """Return the gradients of a batch, turn by turn, and the weights after three updates."""
    from componium.training.batches import Batches
    from componium.training.preparing import prepared_of
    from componium.training.settings import TrainSettings
    from componium.training.turns import tensors
    from componium.training.updates import Updates

    settings = TrainSettings(batch=8, accumulate=accumulate, warmup_steps=0)
    prepared = prepared_of(model, pieces())
    batches = Batches(model, prepared.arrays, prepared.names, batch=8, seed=1, processes=machine.processes,
                      rank=machine.rank, accumulate=accumulate)
    updates = Updates(model, batches, settings, machine, steps=9, precision="float32")
    found = {}
    for turn in model.turns(1):
        for parameter in model.network.parameters():
            parameter.grad = None
        updates._gradients(turn, 1, [tensors(part, machine.device) for part in batches.parts(1)])
        found |= {f"{turn} {name}": p.grad.numpy().copy() for name, p in model.network.named_parameters()
                  if p.grad is not None and any(p is other for other in model.parameters_of(turn))}
    for step in range(3):
        updates.update(step)
    found |= {f"weights {name}": value.numpy().copy() for name, value in model.network.state_dict().items()}
    updates.close()
    return found


def write_gradients(path: str, folder: Path) -> None:
    """Write the gradients of the models that have no chance in them, of whole batches and of parts."""
    from componium.training.machine import Machine

    machine, found = Machine("cpu"), {}
    for name in ("Toy", "Quiet"):
        for accumulate in (1, 2):
            these = gradients(machine, registry.create(f"{path}:{name}"), accumulate)
            found |= {f"{name}{accumulate} {key}": value for key, value in these.items()}
    np.savez(folder / f"found-{machine.processes}-{machine.rank}.npz", **found)
    machine.leave()


def main() -> None:
    """Do what was asked for."""
    what, name, place = sys.argv[1:4]
    folder = Path(place)
    if what == "gradients":
        write_gradients(name.rpartition(":")[0], folder)
        return
    model = registry.create(name)
    ear = Ear(folder, 5 if what == "stop" else None)
    more = {"resume": True} if what == "resume" else {"steps": STEPS, "settings": SETTINGS}
    try:
        train(model, pieces(), out=folder / "run", observers=[ear], **more)
    except (Cancelled, ComponiumError) as error:
        (folder / f"error-{os.environ.get('RANK', '0')}.txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
