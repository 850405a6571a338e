"""One measurement: two jobs timed in turn, the median of each, and their ratio."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

MOST_SECONDS = 20.0
"""A job is not repeated after this much time has gone into it; one repeat always is made."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        name: of the benchmark, and of the peer after a slash where there are several.
        baseline: what the peer is.
        amount, unit: how much each job does, e.g. 1000 "files".
        ours_seconds: median time of ours for the whole amount; None where it was skipped.
        baseline_seconds: median time of the peer for the whole amount.
        repeats: how often ours was timed.
        note: what has to be known to read the ratio.
        skipped: why there are no numbers, else "".
        ours_bytes, baseline_bytes: peak memory of both, where it was measured.
    """

    name: str
    baseline: str
    amount: float = 0.0
    unit: str = ""
    ours_seconds: float | None = None
    baseline_seconds: float | None = None
    repeats: int = 0
    note: str = ""
    skipped: str = ""
    ours_bytes: int | None = None
    baseline_bytes: int | None = None

    @property
    def ratio(self) -> float | None:
        """The peer's time divided by ours: above 1, ours is faster."""
        if self.ours_seconds is None or self.baseline_seconds is None:
            return None
        return self.baseline_seconds / max(self.ours_seconds, 1e-12)

    @property
    def memory_ratio(self) -> float | None:
        """The peer's memory divided by ours: above 1, ours needs less."""
        if self.ours_bytes is None or self.baseline_bytes is None:
            return None
        return self.baseline_bytes / max(self.ours_bytes, 1)

    @property
    def ours_per_second(self) -> float | None:
        """Units of ours per second."""
        return None if self.ours_seconds is None else self.amount / max(self.ours_seconds, 1e-12)

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as JSON data."""
        return dataclasses.asdict(self) | {"ratio": self.ratio, "memory_ratio": self.memory_ratio,
                                           "ours_per_second": self.ours_per_second}


def seconds_of(job: Callable[[], object], *, repeats: int = 5,
               clock: Callable[[], float] | None = None) -> list[float]:
    """Time a job again and again; stop early where it takes long (`MOST_SECONDS`).

    With ``time.process_time`` as the clock, what other programs do meanwhile does not count.
    """
    clock = clock or time.perf_counter
    times: list[float] = []
    while len(times) < repeats and (not times or sum(times) + times[-1] <= MOST_SECONDS):
        started = clock()
        job()
        times.append(clock() - started)
    return times


def compare(name: str, ours: Callable[[], object], baseline: Callable[[], object], *, peer: str,
            amount: float, unit: str, repeats: int = 5, baseline_share: float = 1.0,
            note: str = "") -> Measurement:
    """Time two jobs.

    Args:
        name: of the measurement.
        ours: our job.
        baseline: the peer's job.
        peer: what the peer is.
        amount: how many ``unit`` the job of ours does.
        unit: of what.
        repeats: at most how often each is timed.
        baseline_share: the share of the amount that the peer's job does; its time is scaled up.
        note: what has to be known to read the ratio.
    """
    mine = seconds_of(ours, repeats=repeats)
    theirs = seconds_of(baseline, repeats=repeats)
    return Measurement(
        name=name, baseline=peer, amount=amount, unit=unit, ours_seconds=statistics.median(mine),
        baseline_seconds=statistics.median(theirs) / baseline_share, repeats=len(mine), note=note)


def on_one_thread(job: Any) -> Any:
    """Do a job with torch on one thread: small networks are slower on several, and figures compare."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return job()
    finally:
        torch.set_num_threads(threads)


HEADINGS = ("measurement", "ours", "baseline", "ratio", "what")
"""The columns of `rows`."""


def rows(measurements: Sequence[Measurement]) -> list[tuple[str, str, str, str, str]]:
    """Return the table, one tuple in the order of `HEADINGS` a measurement."""
    return [_row(each) for each in measurements]


def _row(one: Measurement) -> tuple[str, str, str, str, str]:
    if one.ratio is None or one.ours_seconds is None or one.baseline_seconds is None:
        return one.name, "-", "-", "-", f"skipped: {one.skipped}"
    amount = f"{one.amount:,.0f} {one.unit}" if one.unit else ""
    held = ""
    if one.memory_ratio is not None and one.ours_bytes is not None and one.baseline_bytes is not None:
        held = (f"memory {one.ours_bytes / 1e6:,.0f} MB and {one.baseline_bytes / 1e6:,.0f} MB, a ratio of "
                f"{one.memory_ratio:.3g}")
    what = "; ".join(part for part in (amount, f"against {one.baseline}", held, one.note) if part)
    return one.name, duration(one.ours_seconds), duration(one.baseline_seconds), f"{one.ratio:.3g}", what


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"


def to_json(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return all measurements and the machine that they were made on as JSON data."""
    return {
        "ratio": "time of the baseline divided by ours; above 1, ours is faster",
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count(),
                    "python": platform.python_version()},
        "measurements": [each.to_json() for each in measurements],
    }
