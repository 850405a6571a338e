"""A run that is killed, or whose disk is full, at any moment: nothing is lost and nothing is half."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("filelock")

from componium import checkpoint, registry  # noqa: E402  (torch may be missing)
from componium.music.errors import BadFile  # noqa: E402
from componium.training.estimate import saving_seconds  # noqa: E402
from componium.training.folder import RunFolder  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from test_folder import RUN, Table, arrays, value  # noqa: E402


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that has begun."""
    made = RunFolder(tmp_path / "c")
    with made.lock():
        made.start(RUN)
    return made


# a disk that is full


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk of one MiB, where the system lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    may = shutil.which("mount") and hasattr(os, "geteuid") and os.geteuid() == 0
    if not may or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_really_full_disk(small_disk: Path) -> None:
    run = RunFolder(small_disk / "c")
    with run.lock():
        run.start(RUN)
        run.save_state(arrays(1, 30_000), {"step": 1})  # 120 kB each
        run.save_best(Table(fill=1, rows=7_000))
        run.save_step(Table(fill=1, rows=7_000), 1)
        (small_disk / "filler").write_bytes(b"x" * (1_048_576 - 550_000))
        for save in (lambda: run.save_state(arrays(2, 30_000), {"step": 2}),
                     lambda: run.save_best(Table(fill=2, rows=7_000)),
                     lambda: run.save_step(Table(fill=2, rows=7_000), 1),
                     lambda: run.save_last(Table(fill=2, rows=7_000))):
            with pytest.raises(BadFile, match=r"the disk is full .*make room and go on with --resume"):
                for _ in range(9):  # the first may still find room
                    save()
        left = [p for p in run.path.rglob("*") if p.name.startswith(".")]
        assert left == []
        found = run.load_state(pytest.fail)
        assert value(found) in (1, 2)
        assert checkpoint.load(run.path, Table).arrays["w"].shape == (7_000, 4)
        assert checkpoint.load(run.steps_path / "1", Table).arrays["w"].shape == (7_000, 4)


def test_disk_full_before_the_run_began(small_disk: Path) -> None:
    """Nobody is sent to --resume where there is nothing to go on with."""
    run = RunFolder(small_disk / "c")
    with run.lock():
        (small_disk / "filler").write_bytes(b"x" * (1_048_576 - 90_000))
        for begin in (lambda: saving_seconds(Table(fill=1, rows=20_000), run.training, 10),
                      lambda: run.start(RUN | {"long": "x" * 200_000})):
            with pytest.raises(BadFile, match=r"the disk is full .*the run did not begin; make room") as raised:
                begin()
            assert "--resume" not in str(raised.value)
    assert not run.path.exists()


def test_file_size_limit(run: RunFolder) -> None:
    """The system cuts a write short in the middle: what was saved before stays."""
    run.save_state(arrays(1), {"step": 1})
    run.save_best(Table(fill=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(BadFile, match="the disk is full"):
            run.save_state(arrays(2, 100_000), {"step": 2})
        with pytest.raises(BadFile, match="the disk is full"):
            run.save_best(Table(fill=2, rows=9_000))
        with pytest.raises(BadFile, match="the disk is full"):
            run.save_step(Table(fill=2, rows=9_000), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert value(run.load_state(pytest.fail)) == 1
    assert checkpoint.load(run.path, Table).arrays["w"][0, 0] == 1
    assert not (run.steps_path / "1").exists()


# killed at any moment

WRITER = """
import sys, torch
sys.path.insert(0, {tests!r})
from test_folder import RUN, RunFolder, Table, arrays
run = RunFolder(sys.argv[1])
with run.lock():
    if not run.exists():
        run.start(RUN)
    found = run.load_state(lambda text: print("WARNED", text, flush=True))
    step = found[1]["step"] if found else 0
    print("from", step, flush=True)
    while True:
        step += 1
        run.save_best(Table(fill=step, rows=2000))
        run.save_step(Table(fill=step, rows=2000), step % 5 + 1)
        run.save_state(arrays(step, 50_000), {{"step": step}})
        print("saved", step, flush=True)
"""


def kill_writers(place: Path, kills: int, seed: int) -> None:
    """Kill a process that saves without pause, again and again; what it left always loads and never goes back."""
    rng, reached = np.random.default_rng(seed), 0
    code = textwrap.dedent(WRITER.format(tests=str(Path(__file__).parent)))
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == f"from {reached}\n"
        time.sleep(float(rng.uniform(0.0, 0.15)))
        process.kill()
        lines = process.stdout.read().splitlines()
        process.wait()
        assert not [line for line in lines if "WARNED" in line]
        printed = max([int(line.split()[1]) for line in lines if line.startswith("saved")], default=reached)
        found = RunFolder(place).load_state(pytest.fail)
        reached = found[1]["step"] if found else 0
        assert printed <= reached <= printed + 1
        assert found is None or value(found) == reached
        if (place / "model.json").exists():
            assert checkpoint.load(place, Table).arrays["w"][0, 0] in (reached, reached + 1)
        assert reached < 5 or all(checkpoint.load(place / "steps" / str(n), Table) for n in registry.steps_of(place))


def test_killed_while_saving(tmp_path: Path) -> None:
    kill_writers(tmp_path / "c", kills=2, seed=1)


@pytest.mark.slow
def test_killed_while_saving_twenty_times(tmp_path: Path) -> None:
    kill_writers(tmp_path / "c", kills=20, seed=2)


# a training that is killed

ONE_RUN = Path(__file__).with_name("one_run.py")
TIMES = {"seconds", "examples_per_second", "estimate", "training_seconds"}
"""What differs between two runs that are the same."""


class Killed:
    """Trains in processes that are forked from one, so that all is imported only once, and kills them."""

    def __init__(self, cache: Path, steps: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ONE_RUN), str(steps)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "COMPONIUM_CACHE": str(cache)})
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def train(self, folder: Path, kill_after_seconds: float = 0.0) -> int:
        """Train in a folder until the end or the kill; return the status of the process."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{kill_after_seconds} {folder}\n")
        self.process.stdin.flush()
        return int(self._line())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(120)


def what_is_left(folder: Path) -> dict[str, Any]:
    """Return all that a run leaves, but for the times that it took."""
    left: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".safetensors" and "state-before" not in name:
            left[name] = path.read_bytes()
        elif path.name in ("model.json", "run.json") or name.endswith("state/state.json"):
            left[name] = without_times(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".jsonl":
            left[name] = [without_times(json.loads(line)) for line in path.read_text().splitlines()]
    return left


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items()
                if key not in TIMES and not key.endswith("sha256")}
    return value


def resumed_after(kills: int, share: float, seed: int, trainings: Killed, folder: Path) -> int:
    """Train to the end once, and again with kills at random moments; return how many kills hit.

    Each comes within a share of the time of the whole run, counted from when the process began.
    """
    started = time.perf_counter()
    assert trainings.train(folder / "whole") == 0
    seconds = time.perf_counter() - started
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(kills):
        delay_seconds = float(rng.uniform(0.001, share * seconds))
        hits += trainings.train(folder / "killed", delay_seconds) == signal.SIGKILL
    assert trainings.train(folder / "killed") == 0
    assert RunFolder(folder / "killed").finished()
    return hits


@pytest.fixture
def trainings(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Trains in the folders that it is told."""
    pytest.importorskip("accelerate")
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    made = Killed(tmp_path / "cache", request.param)
    yield made
    made.close()


def compare(tmp_path: Path) -> None:
    whole, killed = what_is_left(tmp_path / "whole"), what_is_left(tmp_path / "killed")
    assert whole.keys() == killed.keys() and len(whole) > 12
    assert len(whole["training/log.jsonl"]) > 20
    assert [name for name in whole if whole[name] != killed[name]] == []


@pytest.mark.parametrize("trainings", [60], indirect=True)
def test_run_that_is_killed_three_times_ends_the_same_to_the_bit(trainings: Killed, tmp_path: Path) -> None:
    hits = resumed_after(3, 0.4, 5, trainings, tmp_path)
    assert hits >= 1
    compare(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [400], indirect=True)
def test_run_that_is_killed_twenty_times_ends_the_same_to_the_bit(trainings: Killed, tmp_path: Path) -> None:
    hits = resumed_after(20, 0.1, 6, trainings, tmp_path)
    assert hits >= 10
    compare(tmp_path)
