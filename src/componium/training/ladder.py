"""The ladder of a training run: the steps whose models are kept, since early stages of a model are material too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from componium.music.errors import BadInput

EVERY = re.compile(r"every=([1-9]\d*)")
NEW_MODEL_COPIES, STATE_COPIES = 1, 3
"""What a run needs at its peak besides the models that stay: one model, and three states, of which one is written."""


def parse_keep(text: str) -> str:
    """Return which steps are kept: ``none``, ``log`` (1, 2, 4, 8 ...) or ``every=N``.

    Raises:
        BadInput: it is none of these.
    """
    keep = text.strip().lower().replace(" ", "")
    if keep in ("none", "log") or EVERY.fullmatch(keep):
        return keep
    raise BadInput(f"keep={text}: which steps to keep is none, log (1, 2, 4, 8 ...) or every=N, such as every=500")


def is_kept(keep: str, step: int) -> bool:
    """Say whether the model of a step (counted from 1) is kept; see `parse_keep`."""
    rule = parse_keep(keep)
    if rule == "none" or step < 1:
        return False
    if rule == "log":
        return step & (step - 1) == 0
    return step % int(rule.removeprefix("every=")) == 0


def steps_to_keep(keep: str, steps: int) -> Sequence[int]:
    """Return the steps of a run of ``steps`` steps whose models are kept; the last weights are kept besides."""
    rule = parse_keep(keep)
    if rule == "log":
        return [1 << power for power in range(max(steps, 0).bit_length())]
    if rule == "none":
        return []
    every = int(rule.removeprefix("every="))
    return range(every, steps + 1, every)


def disk_bytes(*, weights_bytes: int, state_bytes: int, keep: str, steps: int) -> int:
    """Return the room on the disk that a run needs at its peak, in bytes, its logs and previews not counted.

    Args:
        weights_bytes: size of one model.
        state_bytes: size of what is saved to go on: weights, their average, and what the optimiser remembers.
        keep: which steps are kept, see `parse_keep`.
        steps: length of the run.
    """
    models = len(steps_to_keep(keep, steps)) + 2 + NEW_MODEL_COPIES  # the best, the last
    return models * weights_bytes + STATE_COPIES * state_bytes
