"""Several processes (gloo, on the CPU, started by torchrun): the same gradients, losses and models as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from componium import checkpoint  # noqa: E402

HERE = Path(__file__).parent
TOYS, WORKER = HERE / "toys.py", HERE / "together.py"
pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def start(what: str, model: str, folder: Path, processes: int) -> str:
    """Run the worker; returns what all processes printed."""
    command = [sys.executable, str(WORKER)]
    if processes > 1:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                   str(WORKER)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COMPONIUM_CACHE": str(folder / "cache")}
    done = subprocess.run([*command, what, f"{TOYS}:{model}", str(folder)], env=environment, capture_output=True,
                          text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_two_half_batches_have_the_gradients_of_the_whole(tmp_path):
    start("gradients", "Toy", tmp_path, 2)
    start("gradients", "Toy", tmp_path, 1)
    alone = np.load(tmp_path / "found-1-0.npz")
    ranks = [np.load(tmp_path / f"found-2-{rank}.npz") for rank in (0, 1)]
    parts = {" ".join(key.split()[:2]) for key in alone.files}
    assert parts == {f"{model}{accumulate} {part}" for accumulate in (1, 2) for model, part in (
        ("Toy", "all"), ("Toy", "weights"), ("Quiet", "discriminator"), ("Quiet", "generator"), ("Quiet", "weights"))}
    for key in alone.files:
        assert np.array_equal(ranks[0][key], ranks[1][key]), key
        whole = alone[key.replace("2", "1", 1) if key.startswith(("Toy2", "Quiet2")) else key]
        limit = 2e-5 if " weights " in key else 1e-6  # Adam enlarges the last bits of small gradients
        assert np.allclose(whole, ranks[0][key], atol=limit), key
        assert " weights " in key or np.abs(whole).max() > 1e-5, key


def told(folder: Path, rank: int = 0) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / f"told-{rank}.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one_and_only_the_first_tells(tmp_path, toys):
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        start("train", "Toy", tmp_path / str(processes), processes)
    one, two = told(tmp_path / "1"), told(tmp_path / "2")
    assert not (tmp_path / "2" / "told-1.jsonl").exists() and len(one) == len(two)
    for line, other in zip(one, two, strict=True):
        assert line.keys() == other.keys()
        assert list(line.values()) == pytest.approx(list(other.values()), abs=1e-4)
    models = [checkpoint.load(tmp_path / run / "run", cls=toys.Toy) for run in ("1", "2")]
    for a, b in zip(*(model.network.parameters() for model in models), strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    assert models[1].provenance["processes"] == 2


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on_to_the_bit(tmp_path, toys):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    start("train", "Toy", tmp_path / "whole", 2)
    start("stop", "Toy", tmp_path / "parts", 2)
    for rank in (0, 1):
        assert "Cancelled" in (tmp_path / "parts" / f"error-{rank}.txt").read_text()
    start("resume", "Toy", tmp_path / "parts", 2)
    models = [checkpoint.load(tmp_path / run / "run" / "steps" / "last", cls=toys.Toy) for run in ("whole", "parts")]
    assert all(torch.equal(a, b) for a, b in zip(*(m.network.state_dict().values() for m in models), strict=True))
