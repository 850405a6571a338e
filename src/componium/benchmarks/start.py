"""Starting: the command line and the import, against starting Python and doing nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys

from componium.benchmarks.measure import Measurement, seconds_of
from componium.music.errors import BadInput

REPEATS = 7
COMMANDS = {
    "cli-start/help": ["-m", "componium", "--help"],
    "cli-start/models": ["-m", "componium", "models"],
    "cli-start/import": ["-c", "import componium"],
}
NOTHING = ["-c", "pass"]


def start() -> list[Measurement]:
    """Time each command in a new process, its files in the page cache."""
    nothing = statistics.median(_times(NOTHING))
    results = []
    for name, arguments in COMMANDS.items():
        times = _times(arguments)
        results.append(Measurement(
            name=name, baseline="python -c pass", amount=1, unit="start",
            ours_seconds=statistics.median(times), baseline_seconds=nothing, repeats=len(times),
            note=f"python {' '.join(arguments)}"))
    return results


def _times(arguments: list[str]) -> list[float]:
    _start(arguments)
    return seconds_of(lambda: _start(arguments), repeats=REPEATS)


def _start(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise BadInput(f"python {' '.join(arguments)} failed: {reason}")
