"""Pieces that training never sees: which they are, and that nothing looks at them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium.music.errors import BadInput
from componium.music.item import Item
from componium.training.preparing import Prepared, divided, set_aside
from componium.training.train import train


def prepared_with(numbers: list[int]) -> Prepared:
    """Return pieces whose hashes lie at so many thousandths of all."""
    items = [Item(f"piece {number}", "score", None, hash=f"{number * 16**13 // 1000:013x}") for number in numbers]
    return Prepared(tuple(items), tuple({"number": number} for number in numbers), ())


def test_the_lowest_hashes_are_set_aside_and_the_highest_held_out() -> None:
    prepared = prepared_with([10, 500, 99, 101, 950, 700])
    seen, unseen = set_aside(prepared, 0.1)
    assert unseen.names == ("piece 10", "piece 99")
    assert seen.names == ("piece 500", "piece 101", "piece 950", "piece 700")
    learned, held = divided(seen, 0.1, "hash")
    assert held.names == ("piece 950",) and len(learned.items) == 3
    assert [each["number"] for each in seen.arrays] == [500, 101, 950, 700], "the arrays go with their pieces"


def test_a_piece_is_set_aside_whatever_else_there_is() -> None:
    few, many = prepared_with([10, 500, 99]), prepared_with([*range(0, 1000, 7), 10, 500, 99])
    aside = [set(set_aside(each, 0.05)[1].names) for each in (few, many)]
    assert aside[0] == {"piece 10"} and aside[0] == aside[1] & {"piece 10", "piece 500", "piece 99"}


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_nothing_is_set_aside_of_one_piece_or_where_none_is_wanted(share: float) -> None:
    prepared = prepared_with([10]) if share else prepared_with([10, 20, 900])
    seen, unseen = set_aside(prepared, share)
    assert seen.names == prepared.names and not unseen.items


def hashed(items: list[Item], places: list[float]) -> list[Item]:
    """Return items whose hashes lie at such shares of all."""
    return [replace(item, hash=f"{int(place * 16**13):013x}" + f"{number:051x}")
            for number, (item, place) in enumerate(zip(items, places, strict=True))]


def run_of(model: Any, items: list[Item], folder: Path | None = None, **settings: Any) -> Any:
    return train(model, items, steps=3, device="cpu", out=folder,
                 settings={"precision": "float32", "batch": 2, "learning_rate": 0.01} | settings)


def test_training_looks_at_nothing_that_is_set_aside(toys: Any, toy: Any, melodies: list[Item], tmp_path: Path) -> None:
    """The weights are those of a corpus without these pieces, whatever they hold."""
    items = hashed(melodies, [0.05, 0.3, 0.5, 0.7, 0.95])
    run_of(toy, items, tmp_path / "run", unseen=0.1, held_out=0.1)
    assert toy.measured == 3, "neither the one that is set aside nor the one that is held out"
    run = json.loads((tmp_path / "run" / "training" / "run.json").read_text())
    assert run["data"]["unseen_pieces"] == 1 and run["data"]["held_out_pieces"] == 1
    assert json.dumps(toy.provenance).count(items[0].hash) == 0
    others = [toys.Toy(), toys.Toy()]
    run_of(others[0], items[1:], held_out=0.1)
    run_of(others[1], items, held_out=0.1)
    arrays = [model.state()[0] for model in (toy, *others)]
    assert all(np.array_equal(values, arrays[1][name]) for name, values in arrays[0].items())
    assert not all(np.array_equal(values, arrays[2][name]) for name, values in arrays[0].items())


def test_a_share_that_leaves_nothing_is_told(toy: Any, melodies: list[Item]) -> None:
    with pytest.raises(BadInput, match=r"train.unseen=0.9 leaves nothing of 2 pieces to learn from"):
        run_of(toy, hashed(melodies[:2], [0.1, 0.2]), unseen=0.9)
    for wrong in (1.0, -0.1):
        with pytest.raises(BadInput, match="unseen"):
            run_of(toy, melodies, unseen=wrong)
