"""The logs of a run: one that was stopped reads like one that was not."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from componium.music.errors import BadFile, MissingExtra
from componium.training.logs import JsonlLog, TensorBoardLog, records
from componium.training.observing import HeldOutReport, Observer, RunInfo, StepReport, Summary


def info(first_step: int = 0, steps: int = 50) -> RunInfo:
    return RunInfo(model="table", steps=steps, first_step=first_step, settings={"batch": 32}, seed=1, parameters=12,
                   data="Choräle", pieces=3, held_out_pieces=1, passed_over=(("ä", "too short"),), device="cpu",
                   processes=1, precision="float32", precision_reason="asked for", estimate=None, budget_seconds=None,
                   fine_tuning=False, out=Path("/x"))


def step(number: int, loss: float | None = None, **changes: Any) -> StepReport:
    report = StepReport(step=number, steps=50, loss=1 / number if loss is None else loss,
                        parts={"nats": 1 / number, "pitch/voice 1": 2.0}, learning_rate=0.1 / number,
                        gradient_norm=1.0, examples_per_second=100.0, epoch=number / 10, stage="",
                        seconds=number * 0.5, log=number % 5 == 0)
    return dataclasses.replace(report, **changes)


def held(number: int) -> HeldOutReport:
    return HeldOutReport(step=number, loss=2 / number, parts={"nats": 2 / number}, best=2 / number, best_step=number,
                         improved=True, train_loss=1.0)


def run_steps(log: Observer, first: int, last: int, *, begin: bool = True) -> None:
    if begin:
        log.begun(info(first))
    for number in range(first + 1, last + 1):
        log.stepped(step(number))
        if number % 10 == 0:
            log.held_out(held(number))
        if number == 15:
            log.warned("the loss no longer falls")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


SUMMARY = Summary(step=50, steps=50, reason="finished", seconds=25.0, held_out=0.04, best_step=50, out=Path("/x"))


def test_every_line_is_json_with_kind_and_step(tmp_path: Path) -> None:
    log = JsonlLog(tmp_path / "training" / "log.jsonl")
    run_steps(log, 0, 20)
    log.ended(SUMMARY)
    told = lines(log.path)
    assert [(r["kind"], r["step"]) for r in told] == [
        ("run", 0), ("train", 5), ("train", 10), ("held_out", 10), ("train", 15), ("warning", 15), ("train", 20),
        ("held_out", 20), ("ended", 50)]
    assert told[0]["data"] == "Choräle" and told[0]["passed_over"] == [["ä", "too short"]]
    assert told[1]["parts"] == {"nats": 0.2, "pitch/voice 1": 2.0} and told[-1]["reason"] == "finished"


@pytest.mark.parametrize(("killed_at", "resumed_at"), [(13, 10), (20, 20), (37, 30), (3, 0), (49, 40)])
def test_log_of_a_stopped_run_is_that_of_one_that_was_not(tmp_path: Path, killed_at: int, resumed_at: int) -> None:
    whole, parted = JsonlLog(tmp_path / "a.jsonl"), tmp_path / "b.jsonl"
    run_steps(whole, 0, 50)
    whole.ended(SUMMARY)

    run_steps(JsonlLog(parted), 0, killed_at)
    with parted.open("a") as file:
        file.write('{"kind": "train", "step": 4')  # cut short by the kill
    again = JsonlLog(parted)
    run_steps(again, resumed_at, 50)
    again.ended(SUMMARY)
    assert parted.read_bytes() == whole.path.read_bytes()


def test_what_is_told_again_at_the_step_of_the_stop_is_written_once(tmp_path: Path) -> None:
    run_steps(JsonlLog(tmp_path / "l"), 0, 10)
    log = JsonlLog(tmp_path / "l")
    log.begun(info(10))
    log.held_out(held(10))
    assert [r["kind"] for r in lines(log.path)] == ["run", "train", "train", "held_out"]


def test_end_of_a_run_that_is_made_longer_is_cut(tmp_path: Path) -> None:
    log = JsonlLog(tmp_path / "l")
    run_steps(log, 0, 50)
    log.ended(SUMMARY)
    JsonlLog(tmp_path / "l").begun(info(50, steps=80))
    assert [r["kind"] for r in lines(log.path)][-2:] == ["train", "held_out"]


def test_numbers_that_are_not_finite_are_null_and_skipped_steps_are_told(tmp_path: Path) -> None:
    log = JsonlLog(tmp_path / "l")
    log.begun(info())
    log.stepped(step(3, math.nan, gradient_norm=math.inf, skipped=True))
    told = lines(log.path)[-1]
    assert (told["step"], told["loss"], told["gradient_norm"], told["skipped"]) == (3, None, None, True)
    assert "NaN" not in log.path.read_text()


def test_warnings_from_before_the_beginning_are_written_once(tmp_path: Path) -> None:
    for first in (0, 0, 10):
        log = JsonlLog(tmp_path / "l")
        log.warned("nothing is held out")
        if first:
            log.warned("threads was 1")
        run_steps(log, first, 12)
    assert [(r["kind"], r["step"]) for r in lines(log.path)] == [
        ("run", 0), ("warning", 0), ("train", 5), ("train", 10), ("held_out", 10), ("warning", 10)]


def test_log_that_is_gone_begins_again(tmp_path: Path) -> None:
    log = JsonlLog(tmp_path / "l")
    log.begun(info(20))
    assert [(r["kind"], r["step"]) for r in lines(log.path)] == [("run", 20)]


def test_records_pass_over_what_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b'[]\n{"kind": "train"}\n\xff\xfe\n{"kind": "train", "step": 2}\n3\n{"step": "x"}\n')
    assert list(records(tmp_path / "l")) == [{"kind": "train", "step": 2}]
    assert list(records(tmp_path / "none")) == []


def test_full_disk_is_a_sentence(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    log = JsonlLog(tmp_path / "l")
    log.begun(info())
    log.path = full
    with pytest.raises(BadFile, match="the disk is full"):
        log.stepped(step(5))


# TensorBoard


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_tensorboard_shows_a_stopped_run_as_one(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    whole = TensorBoardLog(tmp_path / "a")
    run_steps(whole, 0, 50)
    whole.ended(SUMMARY)

    first = TensorBoardLog(tmp_path / "b")
    run_steps(first, 0, 37)
    first.ended(SUMMARY)
    second = TensorBoardLog(tmp_path / "b")
    run_steps(second, 30, 50)
    second.ended(SUMMARY)
    told = scalars(tmp_path / "a")
    assert scalars(tmp_path / "b") == told
    assert set(told) == {"train/loss", "train/nats", "train/pitch/voice 1", "held_out/loss", "held_out/nats",
                         "run/learning_rate", "run/gradient_norm", "run/examples_per_second", "run/epoch"}
    assert [number for number, _ in told["held_out/loss"]] == [10, 20, 30, 40, 50]


def test_missing_tensorboard_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'componium\[neural\]'"):
        TensorBoardLog(tmp_path).begun(info())
