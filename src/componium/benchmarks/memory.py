"""How much memory a job needs at its peak, beyond what was there before: measured in a process of its own.

What torch allocates is not seen by Python; the system's count of the process's pages sees everything.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from componium.music.errors import BadInput

STATUS = Path("/proc/self/status")


@dataclasses.dataclass(frozen=True)
class Used:
    """What a job used: bytes at its peak beyond those before it, and seconds of the processor."""

    bytes: int
    seconds: float


def used_by(place: str, arguments: Sequence[Any]) -> Used:
    """Run a job in a new process and return what it used.

    Args:
        place: ``module:function``, a function that makes everything ready and returns the job, a function without
            arguments.
        arguments: of that function, as JSON has them.

    Raises:
        BadInput: the process failed, or the system does not count its pages.
    """
    done = subprocess.run([sys.executable, "-c", "from componium.benchmarks.memory import main; main()", place,
                           json.dumps(list(arguments))], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"it was stopped ({done.returncode})"])[-1]
        raise BadInput(f"measuring the memory of {place} failed: {reason}")
    return Used(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Do the job named on the command line and print what it used as JSON."""
    module, function = sys.argv[1].split(":")
    job: Callable[[], object] = getattr(importlib.import_module(module), function)(*json.loads(sys.argv[2]))
    before, started = pages("VmRSS"), time.process_time()
    job()
    seconds = time.process_time() - started
    sys.stdout.write(json.dumps({"bytes": max(pages("VmHWM") - before, 0), "seconds": seconds}) + "\n")


def pages(name: str) -> int:
    """Return bytes in memory of this process: ``VmRSS`` now, ``VmHWM`` at most.

    A new program begins at zero: unlike `resource.getrusage`, this does not count what its parent had.

    Raises:
        BadInput: not on this system.
    """
    if not STATUS.is_file():
        raise BadInput("peak memory is measured on Linux only")
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise BadInput(f"the system does not tell {name}")
