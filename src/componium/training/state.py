"""What a run needs to go on exactly where it stopped: arrays as safetensors, the rest as JSON, never a pickle.

Tensors come back bit by bit; numbers of the optimiser's settings pass through JSON, which keeps a float exactly.
The arrays' SHA-256 stands in the JSON, so that a pair that does not belong together is never taken for a state.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.music.errors import BadFile, BadInput

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

FORMAT, FORMAT_VERSION = "componium-training-state", 1
ARRAYS, TOLD = "state.safetensors", "state.json"


def pack(parts: Mapping[str, Mapping[str, torch.Tensor]]) -> Tensors:
    """Join named groups of tensors into one: ``{"network": {"a": t}}`` becomes ``{"network/a": t}``."""
    wrong = [part for part in parts if "/" in part]
    if wrong:
        raise ValueError(f"the name of a part holds a stroke: {wrong[0]}")
    return {f"{part}/{key}": tensor for part, tensors in parts.items() for key, tensor in tensors.items()}


def unpack(arrays: Mapping[str, torch.Tensor]) -> dict[str, Tensors]:
    """Undo `pack`; a part that was empty is not there."""
    parts: dict[str, Tensors] = {}
    for name, tensor in arrays.items():
        part, _, key = name.partition("/")
        parts.setdefault(part, {})[key] = tensor
    return parts


# the optimiser


def optimizer_state(optimizer: Any, named_parameters: Iterable[tuple[str, Any]]) -> tuple[Tensors, dict[str, Any]]:
    """Return all that an optimiser remembers, by the names of the parameters.

    Args:
        optimizer: a torch optimiser, or accelerate's wrapper of one.
        named_parameters: names and parameters, as ``network.named_parameters()`` of the bare network gives them.

    Returns:
        Tensors (moments, step counts, and settings that are tensors), and JSON for the rest.
    """
    inner = _unwrapped(optimizer)
    names = {id(parameter): name for name, parameter in named_parameters}
    order = [names[id(p)] for group in inner.param_groups for p in group["params"]]
    state = inner.state_dict()
    tensors: Tensors = {}
    numbers: dict[str, dict[str, Any]] = {}
    for place, values in state["state"].items():
        numbers[order[place]] = _split(values, f"state/{order[place]}", tensors)
    groups = [_split(group | {"params": [order[place] for place in group["params"]]}, f"group/{n}", tensors)
              for n, group in enumerate(state["param_groups"])]
    return tensors, {"kind": type(inner).__name__, "state": numbers, "groups": groups}


def load_optimizer_state(optimizer: Any, named_parameters: Iterable[tuple[str, Any]],
                         arrays: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> None:
    """Give an optimiser back what `optimizer_state` returned.

    Raises:
        BadInput: it is of another kind, or works on other parameters.
    """
    inner = _unwrapped(optimizer)
    if told.get("kind") != type(inner).__name__:
        raise BadInput(f"what was saved belongs to the optimiser {told.get('kind')}, not to {type(inner).__name__}")
    names = {id(parameter): name for name, parameter in named_parameters}
    here = [[names[id(p)] for p in group["params"]] for group in inner.param_groups]
    if here != [group["params"] for group in told["groups"]]:
        raise BadInput("what was saved belongs to other parameters than this optimiser works on")
    places = {name: place for place, name in enumerate(name for group in here for name in group)}
    tensors = _by_owner(arrays)
    state = {places[name]: _joined(values, tensors.get(f"state/{name}", {})) for name, values in told["state"].items()}
    groups = [_joined(group, tensors.get(f"group/{n}", {})) | {"params": [places[name] for name in group["params"]]}
              for n, group in enumerate(told["groups"])]
    inner.load_state_dict({"state": state, "param_groups": groups})


def _unwrapped(optimizer: Any) -> Any:
    return getattr(optimizer, "optimizer", optimizer)


def _split(values: Mapping[str, Any], owner: str, tensors: Tensors) -> dict[str, Any]:
    """Move the tensors of a dictionary into ``tensors`` as ``owner/key``; return the rest, tuples marked."""
    import torch

    rest: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, torch.Tensor):
            tensors[f"{owner}/{key}"] = value.detach()
        else:
            rest[key] = {"tuple": list(value)} if isinstance(value, tuple) else value
    return rest


def _joined(rest: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    plain = {key: tuple(value["tuple"]) if isinstance(value, dict) else value for key, value in rest.items()}
    return plain | {key: tensor.clone() for key, tensor in tensors.items()}


def _by_owner(arrays: Mapping[str, torch.Tensor]) -> dict[str, Tensors]:
    found: dict[str, Tensors] = {}
    for name, tensor in arrays.items():
        owner, _, key = name.rpartition("/")
        found.setdefault(owner, {})[key] = tensor
    return found


# on disk


def write_pair(folder: Path, arrays: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> None:
    """Write a state into an empty folder and have it on the disk, not only on its way there.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(_apart(arrays), folder / ARRAYS)
    except SafetensorError as error:
        raise _as_os_error(error) from error
    with (folder / ARRAYS).open("rb+") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": sha256, "told_sha256": _told_sha256(told),
              "told": told}
    with (folder / TOLD).open("w", encoding="utf-8") as file:
        file.write(json.dumps(header, ensure_ascii=False))
        file.flush()
        os.fsync(file.fileno())


def read_pair(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read what `write_pair` wrote; tensors come back on the CPU.

    Raises:
        BadFile: a part is missing or damaged, the two do not belong together, or a newer version wrote them.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(folder)
    path = folder / ARRAYS
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != header.get("sha256"):
                raise BadFile(path, f"is damaged (it is not the file that {TOLD} describes)")
        return dict(load_file(path)), header["told"]
    except (OSError, SafetensorError) as error:
        raise BadFile(path, f"cannot be read ({error})") from error


def read_header(folder: Path) -> dict[str, Any]:
    """Read and check the JSON of a state, its ``told`` among it; raises `BadFile` where it is not one."""
    path = folder / TOLD
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(path, "is missing or damaged") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT or not isinstance(header.get("told"), dict):
        raise BadFile(path, "is damaged (it is not the state of a training)")
    if _told_sha256(header["told"]) != header.get("told_sha256"):
        raise BadFile(path, "is damaged (it is not what was written)")
    version = header.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise BadFile(path, f"was written by a newer Componium (format {version}, this one reads up to "
                            f"{FORMAT_VERSION}); pip install -U componium")
    return header


def _told_sha256(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _apart(arrays: Mapping[str, torch.Tensor]) -> Tensors:
    """Return tensors on the CPU that share no memory, as the file format wants them (tied weights share it)."""
    seen: set[int] = set()
    apart: Tensors = {}
    for name, tensor in arrays.items():
        own = tensor.detach().cpu().contiguous()
        storage = own.untyped_storage().data_ptr()
        apart[name] = own.clone() if storage in seen else own
        seen.add(storage)
    return apart


def _as_os_error(error: Exception) -> OSError:
    """Return the error of the system that the file library wraps in a text such as ``... (os error 28)``."""
    found = re.search(r"os error (\d+)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else OSError(str(error))
