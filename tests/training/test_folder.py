"""The folder of a run: whole or not at all, one process at a time, nothing foreign touched."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("filelock")

from componium import checkpoint  # noqa: E402  (torch may be missing)
from componium.music.errors import BadFile, BadInput, MissingExtra  # noqa: E402
from componium.training import folder as folders  # noqa: E402
from componium.training import state as pairs  # noqa: E402
from componium.training.folder import RunFolder  # noqa: E402

RUN = {"model": "table", "config": {"size": 3, "names": ["a"]}, "train": {"batch": 32, "learning_rate": 0.002},
       "data": {"name": "chorales", "hash": "ab" * 32}, "seed": 1, "steps": 100, "precision": "float32",
       "processes": 1, "threads": 2, "versions": {"torch": "2.13"}}


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 3


class Table:
    """A table of numbers."""

    name = "table"
    Config = Config
    needs_training = True
    deterministic = True

    def __init__(self, config: Config | None = None, *, fill: float = 0.0, rows: int = 3) -> None:
        self.config = config or Config()
        self.provenance: dict[str, Any] = {"data": "Choräle"}
        self.figures: dict[str, Any] = {}
        self.arrays = {"w": np.full((rows, 4), fill, np.float32)}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.arrays, {}

    def load_state(self, arrays: Any, json: Any) -> None:
        self.arrays = dict(arrays)


def arrays(value: float, size: int = 10) -> dict[str, Any]:
    return {"network/w": torch.full((size,), value), "count": torch.tensor(3)}


def value(found: Any) -> float:
    return float(found[0]["network/w"][0])


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that has begun, in a folder whose name is no ASCII."""
    made = RunFolder(tmp_path / "Läufe" / "c")
    with made.lock():
        made.start(RUN)
    return made


def tree(path: Path) -> set[str]:
    return {str(p.relative_to(path)) for p in path.rglob("*")}


# beginning


def test_run_is_written_and_read(run: RunFolder) -> None:
    assert run.exists() and run.read_run() == RUN
    assert tree(run.path) == {"training", "training/run.json", "training/lock"}
    assert run.run_path.stat().st_mode & 0o044


def test_second_beginning_needs_force(run: RunFolder) -> None:
    with pytest.raises(BadFile, match=r"a training run already; --resume goes on .* --force"):
        run.check_free()
    with run.lock(), pytest.raises(BadFile, match="--force"):
        run.start(RUN)
    assert run.read_run() == RUN


def test_force_replaces_a_run_and_nothing_else(run: RunFolder) -> None:
    run.save_state(arrays(1), {"step": 5})
    run.save_best(Table())
    run.save_step(Table(), 4)
    run.save_last(Table())
    run.log_path.write_text("{}\n")
    run.preview_path(5, ".mid").write_bytes(b"MThd")
    (run.path / "my notes.txt").write_text("precious")
    with run.lock():
        run.start(RUN | {"seed": 2}, force=True)
    assert tree(run.path) == {"training", "training/run.json", "training/lock", "my notes.txt"}
    assert run.read_run()["seed"] == 2 and run.load_state() is None


def test_old_run_stays_until_the_new_one_begins(run: RunFolder) -> None:
    run.save_state(arrays(1), {"step": 5})
    run.check_free(force=True)
    with pytest.raises(BadInput, match="no data"), run.lock():
        raise BadInput("no data")
    assert run.read_run() == RUN and value(run.load_state()) == 1


def test_model_is_replaced_with_force_only(tmp_path: Path) -> None:
    place = RunFolder(checkpoint.save(Table(), tmp_path / "m"))
    with pytest.raises(BadFile, match="holds a model already; --force"):
        place.check_free()
    with place.lock():
        place.start(RUN, force=True)
    assert not (place.path / "model.json").exists()


@pytest.mark.parametrize("force", [False, True])
def test_anything_else_is_never_touched(tmp_path: Path, force: bool) -> None:
    for name in ("music", "steps", "training", "foreign run", "foreign model"):
        (tmp_path / name / "training").mkdir(parents=True)
    (tmp_path / "music/opus1.mid").write_bytes(b"precious")
    (tmp_path / "steps/steps").mkdir()
    (tmp_path / "training/training/dance.md").write_text("precious")
    (tmp_path / "foreign run/training/run.json").write_text('{"epochs": 3}')
    (tmp_path / "foreign model/model.json").write_text('{"format": "other"}')
    (tmp_path / "file").write_text("precious")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("music", "steps", "training", "foreign run", "foreign model", "file", "dangling"):
        place = RunFolder(tmp_path / name)
        with pytest.raises(BadFile):
            place.check_free(force)
        with pytest.raises(BadFile), place.lock():
            pytest.fail("was locked")
    assert tree(tmp_path) == before


def test_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with pytest.raises(BadInput), RunFolder(tmp_path / name).lock():
            raise BadInput("no data")
    assert tree(tmp_path) == {"empty"}
    with RunFolder(tmp_path / "deep" / "er").lock():
        RunFolder(tmp_path / "deep" / "er").check_free()  # its own lock is in nobody's way


def test_what_a_kill_before_the_beginning_leaves_is_in_nobodys_way(tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "c")
    for name in (".measured.ab/model", ".state.ab.partial"):
        (place.training / name).mkdir(parents=True)
    (place.training / ".abcdef.part").touch()
    with pytest.raises(BadFile, match="nothing in it is touched"):
        place.check_free()  # without our lock it may be anybody's
    (place.training / "lock").touch()
    place.check_free()
    with place.lock():
        assert {path.name for path in place.training.iterdir()} == {"lock", "process.json"}


def test_read_only_place_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def access(path: Any, mode: int) -> bool:
        asked.append(Path(path))
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(BadFile, match=r"cannot be written .*is read-only"):
        RunFolder(tmp_path / "a" / "b").check_free()
    assert asked == [tmp_path] and tree(tmp_path) == set()


def test_place_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadFile, match="cannot be written"):
        RunFolder(tmp_path / "file" / "c").check_free()
    with pytest.raises(BadFile, match="cannot be written"), RunFolder(tmp_path / "file" / "c").lock():
        pass


# going on


def test_no_run_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="holds no training run to go on with; leave out --resume"):
        RunFolder(tmp_path / "none").read_run()


@pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("[]", "not a training run"), ("{}", "not a training"),
                                            ('{"format": "componium-training", "format_version": 2}', "newer")])
def test_damaged_run_is_named(run: RunFolder, text: str, told: str) -> None:
    run.run_path.write_text(text)
    with pytest.raises(BadFile, match=told):
        run.read_run()


@pytest.mark.parametrize("asked", [
    {}, RUN, {"steps": 100}, {"steps": 200}, {"config": {"size": 3}}, {"config": {"names": ("a",)}},
    {"seed": None, "train": {"batch": None}}, {"data": {"hash": "ab" * 32}},
])
def test_same_settings_and_more_steps_pass(run: RunFolder, asked: dict[str, Any]) -> None:
    assert run.check_same(asked) == []


def test_every_difference_is_named_and_refused(run: RunFolder) -> None:
    with pytest.raises(BadInput) as error:
        run.check_same({"seed": 2, "steps": 99, "train": {"batch": 64, "clip_norm": 1.0}, "data": {"hash": "cd" * 32},
                        "precision": "float32", "config": {"size": 4}})
    for told in ("seed is 1 there, 2 was asked for", "steps is 100 there, 99 was", "train.batch is 32 there, 64 was",
                 "train.clip_norm is null", "; size is 3 there, 4 was",
                 "the music is not that of chorales as it was then", "only --steps may be raised"):
        assert told in str(error.value)
    assert "precision" not in str(error.value) and "cdcd" not in str(error.value)


def test_other_threads_only_warn(run: RunFolder) -> None:
    told = run.check_same({"processes": 2, "threads": 1, "versions": {"torch": "2.14"}, "seed": 1})
    assert len(told) == 3 and all("no longer promised" in sentence for sentence in told)
    assert told[0].startswith("processes was 1 when the run began and is 2 now")


def test_run_is_made_longer_and_never_shorter(run: RunFolder) -> None:
    assert run.extend(150)["steps"] == 150 and run.read_run()["steps"] == 150
    with pytest.raises(BadInput, match="cannot be made shorter"):
        run.extend(149)


def test_finished_run_says_how_to_go_on(run: RunFolder) -> None:
    assert run.finished() is None
    run.save_state(arrays(1), {"step": 99})
    assert run.finished() is None
    run.save_state(arrays(1), {"step": 100})
    assert run.finished() == (f"the run in {run.path} is finished: 100 of 100 steps; "
                              "--resume --steps 200 makes it longer")
    run.extend(200)
    assert run.finished() is None
    run.save_state(arrays(1), {"step": 120, "ended": "no improvement"})
    assert "120 of 200 steps (no improvement)" in str(run.finished())


# the state


def test_state_comes_back_and_the_one_before_is_kept(run: RunFolder) -> None:
    assert run.load_state() is None
    for number in (1, 2, 3):
        run.save_state(arrays(number), {"step": number})
    found = run.load_state()
    assert found is not None and value(found) == 3 and found[1] == {"step": 3}
    assert {p.name for p in run.training.iterdir()} == {"run.json", "lock", "state", "state-before"}


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["empty", "half", "missing"])
def test_damaged_state_is_told_and_the_one_before_taken(run: RunFolder, name: str, damage: str) -> None:
    for number in (1, 2):
        run.save_state(arrays(number), {"step": number})
    spoil(run.training / "state" / name, damage)
    told: list[str] = []
    assert value(run.load_state(told.append)) == 1
    assert len(told) == 1 and name in told[0] and "goes on from the state before, step 1" in told[0]
    spoil(run.training / "state-before" / name, damage)
    with pytest.raises(BadFile, match="no state before it is sound"):
        run.load_state()


def spoil(path: Path, damage: str) -> None:
    data = path.read_bytes()
    path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    if damage == "missing":
        path.unlink()


@pytest.mark.parametrize("moment", ["write_pair", "sync", "first rename", "second rename"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_stopped_save_leaves_a_sound_state(run: RunFolder, monkeypatch: pytest.MonkeyPatch, moment: str,
                                           error: BaseException) -> None:
    for number in (1, 2):
        run.save_state(arrays(number), {"step": number})
    count, rename = [0], Path.rename

    def stop(*_: Any) -> None:
        raise error

    def stop_at(self: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == ["first rename", "second rename"].index(moment) + 1:
            raise error
        return rename(self, target)

    if moment == "write_pair":
        monkeypatch.setattr(pairs, "write_pair", stop)
    elif moment == "sync":
        monkeypatch.setattr(checkpoint, "sync_folder", stop)
    else:
        monkeypatch.setattr(Path, "rename", stop_at)
    with pytest.raises((BadFile, KeyboardInterrupt)) as raised:
        run.save_state(arrays(3), {"step": 3})
    if isinstance(raised.value, BadFile):
        assert "the disk is full" in str(raised.value) and "--resume" in str(raised.value)
    monkeypatch.undo()
    assert value(run.load_state(pytest.fail)) == 2
    run.save_state(arrays(4), {"step": 4})
    assert value(run.load_state(pytest.fail)) == 4
    assert not list(run.training.glob(".*"))


# the models


def test_best_step_and_last_are_models(run: RunFolder) -> None:
    run.save_best(Table(fill=1))
    run.save_step(Table(fill=2), 20)
    run.save_step(Table(fill=3), 20)
    run.save_last(Table(fill=4))
    for place, fill in ((run.path, 1), (run.steps_path / "20", 3), (run.steps_path / "last", 4)):
        assert checkpoint.load(place, Table).arrays["w"][0, 0] == fill
    run.save_best(Table(fill=5))
    assert run.exists() and len(list(run.path.glob("weights*"))) == 1


def test_damaged_step_is_written_again(run: RunFolder) -> None:
    run.save_step(Table(fill=2), 20)
    (run.steps_path / "20" / "model.json").write_text("{")
    run.save_step(Table(fill=3), 20)
    assert checkpoint.load(run.steps_path / "20", Table).arrays["w"][0, 0] == 3


# one process at a time


HOLD = """
import sys, time
from componium.training.folder import RunFolder
with RunFolder(sys.argv[1]).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def holder(place: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_two_runs_into_one_folder_are_refused_and_a_killed_one_is_in_nobodys_way(run: RunFolder) -> None:
    run.save_best(Table(fill=1))
    process = holder(run.path)
    try:
        begun = time.perf_counter()
        for _ in range(2):
            told = rf"another training is running in .*c \(process {process.pid} on "
            with pytest.raises(BadInput, match=told), run.lock():
                pytest.fail("was locked")
        assert time.perf_counter() - begun < 2
    finally:
        process.kill()
        process.wait()
    assert (run.training / "process.json").exists()  # it had no time to clear up
    with run.lock():
        pass
    assert not (run.training / "process.json").exists()


def test_lock_of_the_same_process_is_refused_too(run: RunFolder) -> None:
    with run.lock(), pytest.raises(BadInput, match=f"process {os.getpid()}"), RunFolder(run.path).lock():
        pytest.fail("was locked")
    with run.lock():
        pass


def test_lock_ends_with_an_error_inside(run: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), run.lock():
        raise ZeroDivisionError
    with run.lock():
        pass


def test_missing_package_is_a_sentence(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(MissingExtra, match=r"pip install 'componium\[neural\]'"), run.lock():
        pass


def test_writing_is_explained_with_the_way_out(tmp_path: Path) -> None:
    assert "the disk is full" in str(folders.explained(tmp_path, OSError(122, "Disk quota exceeded")))
    unbegun = str(folders.explained(tmp_path, OSError(28, "No space left on device"), begun=False))
    assert "the disk is full" in unbegun and "the run did not begin" in unbegun and "--resume" not in unbegun
    assert str(folders.explained(tmp_path, OSError(13, "Permission denied"))).endswith(
        "cannot be written (Permission denied)")
    bad = BadFile("x", "is damaged")
    assert folders.explained(tmp_path, bad) is bad


def test_run_json_is_json(run: RunFolder) -> None:
    assert json.loads(run.run_path.read_text())["format"] == "componium-training"
