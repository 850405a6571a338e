"""The weights of a network as named arrays, and back: what models keep of what they learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from componium.music.errors import BadInput

Arrays = dict[str, npt.NDArray[Any]]


def weights_of(network: torch.nn.Module, *, half: bool = False) -> Arrays:
    """Return all weights and buffers of a network, by their names; those that are not whole numbers in 32 or 16 bits.

    Args:
        network: on any device.
        half: whether 16 bits are enough; after `halve` nothing is lost.
    """
    kind = np.float16 if half else np.float32
    arrays = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    return {name: value.astype(kind) if value.dtype.kind == "f" else value for name, value in arrays.items()}


def check_weights(network: torch.nn.Module, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise `BadInput` where arrays are not those of a network: a name or a shape differs."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in arrays.items()}
    if wanted != given:
        wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise BadInput(f"its weights do not belong to these settings ({wrong[0]})")


def load_weights(network: torch.nn.Module, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Give a network the weights that `weights_of` returned, in 32 bits, and put it into evaluation mode.

    Raises `BadInput` where they are not its own; then nothing has changed.
    """
    check_weights(network, arrays)
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    network.load_state_dict({name: value.float() if value.is_floating_point() else value
                             for name, value in state.items()})
    network.eval()


def halve(network: torch.nn.Module) -> None:
    """Round the weights of a network to 16 bits, in place."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())
