"""The moving average of the weights (EMA), which often composes better than the last weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch


class Average:
    """An exponential moving average of a network's parameters.

    The decay of update n is at most (1 + n) / (10 + n), so that a short run is not averaged with its beginning.

    Args:
        network: the module.
        decay: 0 to below 1, near 1; 0.999 averages about the last thousand updates.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = {name: p for name, p in network.named_parameters() if p.is_floating_point()}
        self.values = {name: p.detach().float().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update ``step`` (from 1)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        now = [p.detach().float() for p in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), now, weight)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the network for a while."""
        with torch.no_grad():
            kept = {name: p.detach().clone() for name, p in self._parameters.items()}
            for name, p in self._parameters.items():
                p.copy_(self.values[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, p in self._parameters.items():
                    p.copy_(kept[name])

    def load(self, values: Mapping[str, Any]) -> None:
        """Take back `values` of a stored state."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(values[name])
