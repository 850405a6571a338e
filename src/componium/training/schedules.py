"""Learning-rate schedules: each a function of the step, so that a resumed run goes on as if it had not stopped."""

from __future__ import annotations

import math

from componium.training.settings import TrainSettings

MOST_WARMUP = 0.2
"""Largest share of a run that the warm-up takes."""


def learning_rate(settings: TrainSettings, step: int, *, steps: int, steps_per_epoch: float) -> float:
    """Return the learning rate of an update.

    A linear warm-up (Goyal et al. 2017, section 2.2), then half a cosine to zero (Loshchilov and Hutter 2017,
    equation 5, without restarts), a line to zero, halvings, or no change.

    Args:
        settings: of the run.
        step: number of the update, from 0.
        steps: of the whole run.
        steps_per_epoch: updates in a pass over the data, for the halvings.
    """
    warmup = min(settings.warmup_steps, int(steps * MOST_WARMUP))
    if step < warmup:
        return settings.learning_rate * (step + 1) / (warmup + 1)
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    factor = {"cosine": 0.5 * (1 + math.cos(math.pi * done)),
              "linear": 1 - done,
              "halving": 0.5 ** math.floor(step / steps_per_epoch / settings.halve_every_epochs),
              "constant": 1.0}[settings.schedule]
    return settings.learning_rate * factor
