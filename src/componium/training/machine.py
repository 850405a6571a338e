"""The machine of a run: device, processes, number format, by accelerate; torchrun's environment is all it needs."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list, gather_object

from componium.music.errors import BadInput

DEVICES = ("auto", "cpu", "cuda", "mps")


class Machine:
    """Where a run happens: a device, and which of several processes this one is.

    Args:
        device: one of `DEVICES`; auto takes a GPU where there is one.

    Raises:
        BadInput: there is no such device here.
    """

    def __init__(self, device: str = "auto") -> None:
        there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(),
                 "mps": torch.backends.mps.is_available()}
        if device not in there:
            raise BadInput(f"device={device}: it has to be one of {', '.join(DEVICES)}")
        if not there[device]:
            raise BadInput(f"device={device}: torch finds none on this machine; --device auto takes what there is")
        on_cpu = device == "cpu" or not (there["cuda"] or there["mps"])
        if PartialState._shared_state and PartialState().num_processes == 1:
            PartialState._reset_state()  # accelerate keeps the device of an earlier run of this process
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about threads, which torchrun's user chooses
            self._state = PartialState(cpu=on_cpu)
        self.device: torch.device = self._state.device

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return int(self._state.num_processes)

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return int(self._state.process_index)

    @property
    def main(self) -> bool:
        """Whether this process writes and tells."""
        return self.rank == 0

    def accelerator(self, precision: str, accumulate: int, *, find_unused: bool) -> Accelerator:
        """Return what wraps the module and runs its backward passes."""
        AcceleratorState._reset_state()
        GradientState._reset_state()
        handler = DistributedDataParallelKwargs(find_unused_parameters=find_unused)
        return Accelerator(cpu=self.device.type == "cpu", gradient_accumulation_steps=accumulate,
                           mixed_precision="bf16" if precision == "bfloat16" else "no", kwargs_handlers=[handler])

    def agreed(self, values: Sequence[Any]) -> list[Any]:
        """Return what process 0 says these values are."""
        told = list(values)
        return broadcast_object_list(told) if self.processes > 1 else told

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, in order."""
        return list(gather_object([value])) if self.processes > 1 else [value]

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._state.wait_for_everyone()

    def leave(self) -> None:
        """Leave the other processes in good order: one that goes before all are done takes them along."""
        if torch.distributed.is_initialized():
            gc.collect()  # what is wrapped holds on to the group
            self.wait()
            torch.distributed.destroy_process_group()

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Let process 0 do the block before the others, which find its work in the cache."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over the processes."""
        if self.processes > 1:
            torch.distributed.all_reduce(values)
            values /= self.processes
        return values

    @contextlib.contextmanager
    def own_randomness(self) -> Iterator[None]:
        """Leave the global generators of torch as they were after the block."""
        devices = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            yield

    def memory_bytes(self) -> int:
        """Return the most memory that was in use so far: of the GPU where there is one, else of this process."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        try:
            import resource
            import sys
        except ImportError:  # Windows
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else peak * 1024)
