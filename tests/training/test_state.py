"""The state of a run: bit by bit, and never a half."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from componium.music.errors import BadFile, BadInput  # noqa: E402  (torch may be missing)
from componium.training.state import (  # noqa: E402
    load_optimizer_state,
    optimizer_state,
    pack,
    read_header,
    read_pair,
    unpack,
    write_pair,
)

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.1 + 0.2, betas=(0.9, 0.95)),
    "amsgrad": lambda ps: torch.optim.Adam(ps, lr=1e-3, amsgrad=True),
    "rmsprop": lambda ps: torch.optim.RMSprop(ps, lr=1 / 3, momentum=0.9, centered=True),
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.01, momentum=0.9),
    "tensor rate": lambda ps: torch.optim.Adam(ps, lr=torch.tensor(0.3)),
}


def network() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))


def groups(net: Any) -> list[dict[str, Any]]:
    """Two groups in another order than the network's own."""
    weights = [p for p in net.parameters() if p.dim() > 1]
    return [{"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0}, {"params": weights[::-1]}]


def step(net: Any, optimizer: Any, number: int) -> None:
    x = torch.linspace(-1, 1, 12).reshape(4, 3) * number
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()


def trained(kind: str, steps: int = 3) -> tuple[Any, Any]:
    net = network()
    optimizer = OPTIMIZERS[kind](groups(net))
    for number in range(steps):
        step(net, optimizer, number)
    return net, optimizer


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimiser_goes_on_to_the_bit(tmp_path: Path, kind: str) -> None:
    net, optimizer = trained(kind)
    arrays, told = optimizer_state(optimizer, net.named_parameters())
    write_pair(tmp_path, pack({"network": net.state_dict(), "optimizer.all": arrays}), {"optimizers": {"all": told}})

    loaded, read = read_pair(tmp_path)
    other = network()
    other.load_state_dict(unpack(loaded)["network"])
    again = OPTIMIZERS[kind](groups(other))
    load_optimizer_state(again, other.named_parameters(), unpack(loaded).get("optimizer.all", {}),
                         read["optimizers"]["all"])
    for number in range(3, 6):
        step(net, optimizer, number)
        step(other, again, number)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert _same(optimizer.state_dict(), again.state_dict())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    return a == b


def test_optimiser_that_has_not_stepped_yet() -> None:
    net, optimizer = trained("adamw", steps=0)
    arrays, told = optimizer_state(optimizer, net.named_parameters())
    again = OPTIMIZERS["adamw"](groups(net))
    load_optimizer_state(again, net.named_parameters(), arrays, json.loads(json.dumps(told)))
    assert arrays == {} and _same(optimizer.state_dict(), again.state_dict())


def test_wrapped_optimiser_is_unwrapped() -> None:
    net, optimizer = trained("adamw")

    class Wrapper:
        def __init__(self, inner: Any) -> None:
            self.optimizer = inner

    plain, _ = optimizer_state(optimizer, net.named_parameters())
    wrapped, _ = optimizer_state(Wrapper(optimizer), net.named_parameters())
    assert _same(plain, wrapped)


def test_state_of_another_optimiser_is_refused() -> None:
    net, optimizer = trained("adamw")
    arrays, told = optimizer_state(optimizer, net.named_parameters())
    with pytest.raises(BadInput, match="belongs to the optimiser AdamW, not to SGD"):
        load_optimizer_state(OPTIMIZERS["sgd"](groups(net)), net.named_parameters(), arrays, told)
    with pytest.raises(BadInput, match="other parameters"):
        load_optimizer_state(torch.optim.AdamW(net.parameters()), net.named_parameters(), arrays, told)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool"])
def test_every_kind_of_number_comes_back(tmp_path: Path, dtype: str) -> None:
    special = torch.tensor([0.0, -0.0, 1.0, 1e-40, 3.0, 1 / 3]).to(getattr(torch, dtype))
    arrays = {"a": special, "scalar": special[5], "view": special.reshape(2, 3).T, "empty": special[:0]}
    write_pair(tmp_path, arrays, {})
    loaded, _ = read_pair(tmp_path)
    for key, expected in arrays.items():
        assert loaded[key].dtype == expected.dtype and loaded[key].shape == expected.shape
        assert loaded[key].numpy(force=True).tobytes() == expected.contiguous().numpy().tobytes() if (
            dtype != "bfloat16") else torch.equal(loaded[key], expected)


def test_tied_weights_and_numbers_that_are_not_finite(tmp_path: Path) -> None:
    weight = torch.tensor([[1.0, math.nan, math.inf]])
    told = {"best": math.inf, "rate": 0.1 + 0.2, "step": 3, "Größe": [1, None]}
    write_pair(tmp_path, {"in": weight, "out": weight, "row": weight[0]}, told)
    arrays, read = read_pair(tmp_path)
    assert read == told
    assert all(torch.equal(torch.nan_to_num(arrays[key].flatten()), torch.nan_to_num(weight[0]))
               for key in ("in", "out", "row"))


def test_parts_are_joined_and_parted() -> None:
    parts = {"network": {"a/b": torch.ones(1), "c": torch.zeros(2)}, "ema": {"c": torch.ones(2)}}
    assert _same(unpack(pack(parts)), parts)
    with pytest.raises(ValueError, match="stroke"):
        pack({"a/b": {}})


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "missing", "other"])
def test_damaged_pair_never_loads(tmp_path: Path, name: str, damage: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_pair(tmp_path / "a", {"w": torch.arange(100.0)}, {"step": 100})
    write_pair(tmp_path / "b", {"w": torch.arange(100.0) + 1}, {"step": 101})
    path = tmp_path / "a" / name
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "half": bytes(data[: len(data) // 2]), "flipped": bytes(data),
                          "other": (tmp_path / "b" / name).read_bytes()}[damage])
    with pytest.raises(BadFile, match=r"state\.(json|safetensors): (is|cannot)"):
        read_pair(tmp_path / "a")


def test_every_flipped_byte_of_the_json_is_noticed(tmp_path: Path) -> None:
    write_pair(tmp_path, {"w": torch.ones(2)}, {"step": 123456})
    path = tmp_path / "state.json"
    text = path.read_text()
    place = text.index("123456")
    path.write_text(text[:place] + "123457" + text[place + 6:])
    with pytest.raises(BadFile, match="not what was written"):
        read_header(tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "{}", "[" * 100_000, '{"format": "other", "told": {}}'])
def test_json_of_another_kind(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(BadFile):
        read_header(tmp_path)


def test_newer_format_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path, {"w": torch.ones(2)}, {"step": 1})
    path = tmp_path / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 9}))
    with pytest.raises(BadFile, match="newer Componium"):
        read_pair(tmp_path)


def test_loading_changes_nothing_that_was_given() -> None:
    net, optimizer = trained("adamw")
    arrays, told = optimizer_state(optimizer, net.named_parameters())
    before = copy.deepcopy(arrays)
    load_optimizer_state(optimizer, net.named_parameters(), arrays, told)
    step(net, optimizer, 9)
    kept = {name: tensor for name, tensor in before.items() if name.endswith("exp_avg")}
    load_optimizer_state(optimizer, net.named_parameters(), before, told)
    step(net, optimizer, 9)
    assert kept and _same(kept, {n: t for n, t in before.items() if n.endswith("exp_avg")})
