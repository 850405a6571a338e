"""The batches of a run on shards, and what it tells of them on the way."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from componium.interface import Arrays
from componium.music.errors import BadFile, Cancelled
from componium.music.files import replacing
from componium.music.licences import most_restrictive
from componium.music.provenance import collection
from componium.training.audio_store import mapped
from componium.training.batches import Batches
from componium.training.observing import Observer, RunInfo, StepReport
from componium.training.preparing import Prepared
from componium.training.recordings import Found, Warn
from componium.training.shard_windows import RECORD, Missing, Windows

BEGIN_AHEAD = 9
"""Steps into a window after which the next one is brought in: the trial that estimates the time is over by then."""
LONG_SECONDS = 5.0
"""From which on it is told that training waited for shards."""
MOST_LISTED = 50_000
"""Recordings that a model lists with their hashes; of more, the hashes of the shards have to do."""


class WindowBatches:
    """The batches of a run, as `batches.Batches`, each drawn from its window.

    Args:
        windows: of the run.
        learned: of the first window.
        apart: parts of the first window that are held out, or never to be seen.
        found: the recordings of the first window.
    """

    def __init__(self, windows: Windows, learned: Prepared, apart: Sequence[Any], found: Found) -> None:
        self.windows, self.steps = windows, windows.settings.shard_steps
        there = {item.recording.hash for item in learned.items}  # type: ignore[attr-defined]
        windows.out = {item.hash for item in apart} | {item.recording.hash for item in apart} - there
        self._first = self._over(learned)
        self._now: tuple[int, Batches] = (0, self._first)
        self._shards = windows.shards_of(0)
        self._ahead: _Ahead | None = None
        self._stopping = threading.Event()
        self.run_steps: int | None = None
        """Length of the run, once it is known: what comes after it is not brought in."""
        self.reports: deque[dict[str, Any]] = deque([windows.report(0, found, windows.first_missing, learned.items)])
        several = windows.machine.processes > 1
        self._group = _new_group() if several else None

    def _over(self, prepared: Prepared) -> Batches:
        settings, machine = self.windows.settings, self.windows.machine
        return Batches(self.windows.model, prepared.arrays, prepared.names, batch=settings.batch,
                       seed=self.windows.seed, processes=machine.processes, rank=machine.rank,
                       accumulate=settings.accumulate)

    @property
    def batch(self) -> int:
        """Examples a batch, over all processes."""
        return self._first.batch

    @property
    def seed(self) -> int:
        """Of the run."""
        return self._first.seed

    @property
    def rank(self) -> int:
        """Of this process."""
        return self._first.rank

    @property
    def steps_per_epoch(self) -> float:
        """Updates in one pass over the shards."""
        return float(self.steps * self.windows.per_pass)

    def parts(self, number: int) -> list[Arrays]:
        """Return the share of this process of a batch; see `batches.Batches.parts`."""
        window = number // self.steps
        if window != self._now[0]:
            self._turn_to(window)
        self._look_ahead(number)
        return self._now[1].parts(number)

    def close(self) -> None:
        """Stop what is under way."""
        self._stopping.set()
        if self._ahead is not None:
            self._ahead.join()
        self.windows.cache.close()

    # from one window to the next

    def _turn_to(self, window: int) -> None:
        shards = self.windows.shards_of(window)
        if shards == self._shards:
            self._now = (window, self._now[1])
            return
        begun = time.perf_counter()
        missing = self._agreed(self._brought(window))
        found = self.windows.found(window, missing)
        items = self.windows.learned_in(found)
        mapped.cache_clear()  # so that files that are taken away free the disk
        prepared = self.windows.prepared(items)
        report = self.windows.report(window, found, missing, prepared.items if prepared is not None else ())
        report["waited_seconds"] = time.perf_counter() - begun
        report["empty"] = prepared is None
        self.reports.append(report)
        self._now = (window, self._first if prepared is None else self._over(prepared))
        self._shards = shards

    def _brought(self, window: int) -> Missing | None:
        """Return what is missing of a window that is in the cache now; None where the run is stopped."""
        ahead, self._ahead = self._ahead, None
        try:
            if ahead is not None and ahead.window == window:
                ahead.join()
                if isinstance(ahead.error, Cancelled):
                    return None
                if ahead.error is not None:
                    raise ahead.error
                self.windows.need(window)
                return ahead.missing
            self.windows.need(window)
            return self.windows.bring(window, self._tick)
        except Cancelled:
            return None

    def _tick(self, _share: float, _text: str) -> None:
        if self._stopping.is_set():
            raise Cancelled("stopped")

    def _agreed(self, missing: Missing | None) -> Missing:
        """Return what is missing in any of the processes: none learns from it."""
        told: list[Missing | None] = [missing]
        if self._group is not None:
            import torch

            told = [None] * self.windows.machine.processes
            torch.distributed.all_gather_object(told, missing, group=self._group)
        if any(each is None for each in told):
            raise Cancelled("stopped while shards were read")
        return {shard: reason for each in told if each is not None for shard, reason in each.items()}

    def _look_ahead(self, number: int) -> None:
        window = number // self.steps + 1
        ends = self.run_steps is not None and window * self.steps >= self.run_steps
        if (self._ahead is not None or ends or number % self.steps < BEGIN_AHEAD or self._stopping.is_set()
                or os.environ.get("LOCAL_RANK", "0") != "0" or self.windows.shards_of(window) == self._shards):
            return
        self.windows.need(window - 1, window)
        self._ahead = _Ahead(self.windows, window, self._stopping)
        self._ahead.start()


class _Ahead(threading.Thread):
    """Brings a window into the cache while another one is learned from; the work is done by a process of its own."""

    def __init__(self, windows: Windows, window: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._windows, self.window, self._stopping = windows, window, stopping
        self.missing: Missing = {}
        self.error: Exception | None = None

    def run(self) -> None:
        """Bring it."""
        try:
            self.missing = self._windows.bring(self.window, self._tick, quietly=True)
        except Exception as error:  # noqa: BLE001  (raised by whoever waits for this window)
            self.error = error

    def _tick(self, _share: float, _text: str) -> None:
        if self._stopping.is_set():
            raise Cancelled("stopped")


def _new_group() -> Any:
    """Return a group of processes of its own: windows are agreed upon while gradients are on their way."""
    import torch

    return torch.distributed.new_group(backend="gloo")


class Teller(Observer):
    """Writes down which windows were learned from, in the model's provenance and in the folder of the run.

    Args:
        batches: of the run.
        folder: of the run, or None.
        warn: told of what is missing.
    """

    def __init__(self, batches: WindowBatches, folder: Any, warn: Warn) -> None:
        self._batches, self._folder, self._warn = batches, folder, warn
        self._record = batches.windows.recorded
        self._model = batches.windows.model

    def begun(self, run: RunInfo) -> None:
        """Add what was learned before a run was stopped."""
        self._take(0)
        last = max(run.first_step - 1, 0) // self._batches.steps
        for number, told in sorted(self._record["windows"].items(), key=lambda pair: int(pair[0])):
            if 0 < int(number) <= last:
                self._add({name: self._record["shards"][name] for name in told["shards"]}, told["missing"])

    def stepped(self, report: StepReport) -> None:
        """Take note of the windows that were begun."""
        self._take(report.step)

    def _take(self, step: int) -> None:
        """Take note of the windows that a step belongs to."""
        reports = self._batches.reports
        while reports and reports[0]["window"] * self._batches.steps < max(step, 1):
            report = reports.popleft()
            self._tell(report)
            self._add(report["shards"], report["missing"])
            self._record["windows"][str(report["window"])] = {"shards": list(report["shards"]),
                                                              "missing": report["missing"]}
            self._record["shards"] |= report["shards"]
            self._write()

    def _tell(self, report: dict[str, Any]) -> None:
        for name, reason in report["missing"].items():
            self._warn(f"the shard {name} cannot be read and is left out: {reason}")
        if report.get("empty"):
            self._warn(f"window {report['window'] + 1} of shards holds nothing to learn from; the first one takes its "
                       "place")
        if (waited := report.get("waited_seconds", 0.0)) > LONG_SECONDS:
            self._warn(f"training waited {waited:.0f} s for the shards of window {report['window'] + 1}: with a larger "
                       f"train.shard_steps (it is {self._batches.steps}) there is more time to read them")
        cache = self._batches.windows.cache
        if (used := cache.used_bytes()) > cache.limit_bytes:
            self._warn(f"the shards in use take {used / 1e9:.3g} GB, more than train.shard_cache_gb="
                       f"{cache.limit_bytes / 1e9:g}: make shards of one size, or train.shard_window smaller")

    def _add(self, shards: dict[str, Any], missing: dict[str, str]) -> None:
        """Add shards to what the model says it learned from."""
        told = self._model.provenance
        known, known_shards = set(told["hashes"]), dict(told.get("shards", {}))
        rows = [row for name, shard in shards.items() if name not in known_shards for row in shard["recordings"]
                if row[1] not in known]
        listed = rows[:max(0, MOST_LISTED - len(told["hashes"]))]
        licences = dict(Counter(told["licences"]) + Counter(row[2] for row in rows))
        told |= {"pieces": told["pieces"] + len(rows), "names": [*told["names"], *(row[0] for row in listed)],
                 "hashes": [*told["hashes"], *(row[1] for row in listed)],
                 "fingerprints": [*told["fingerprints"], *([] for _ in listed)], "licences": licences,
                 "licence": most_restrictive(licences),
                 "parts": told["parts"] + sum(row[4] for row in rows),
                 "seconds": round(told["seconds"] + sum(row[5] for row in rows), 3),
                 "sources": dict(Counter(told["sources"]) + Counter(collection(row[3]) for row in rows)),
                 "shards": known_shards | {name: shard["sha256"] for name, shard in shards.items()},
                 "shards_missing": told.get("shards_missing", {}) | missing}
        if len(listed) < len(rows):
            told["pieces_not_listed"] = told.get("pieces_not_listed", 0) + len(rows) - len(listed)

    def _write(self) -> None:
        if self._folder is None:
            return
        path = self._folder.training / RECORD
        try:
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(self._record), encoding="utf-8")
        except BadFile as error:
            raise BadFile(path, f"{error.reason}; make room and go on with --resume") from error
