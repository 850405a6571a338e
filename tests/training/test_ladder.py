from __future__ import annotations

import pytest

from componium.music.errors import BadInput
from componium.training.ladder import disk_bytes, is_kept, parse_keep, steps_to_keep


@pytest.mark.parametrize(("text", "expected"), [("none", "none"), ("log", "log"), (" LOG ", "log"),
                                                ("every=500", "every=500"), ("every = 3", "every=3")])
def test_keep_is_read(text: str, expected: str) -> None:
    assert parse_keep(text) == expected


@pytest.mark.parametrize("text", ["", "all", "every", "every=", "every=0", "every=-5", "every=2.5", "500", "logs"])
def test_wrong_keep_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(BadInput, match=r"none, log .* or every=N"):
        parse_keep(text)


@pytest.mark.parametrize(("keep", "steps", "expected"), [
    ("log", 20, [1, 2, 4, 8, 16]), ("log", 16, [1, 2, 4, 8, 16]), ("log", 1, [1]), ("log", 0, []),
    ("every=5", 12, [5, 10]), ("every=5", 4, []), ("every=1", 3, [1, 2, 3]), ("none", 1000, []),
])
def test_steps_that_are_kept(keep: str, steps: int, expected: list[int]) -> None:
    assert list(steps_to_keep(keep, steps)) == expected
    assert [step for step in range(steps + 1) if is_kept(keep, step)] == expected


def test_disk_counts_every_model_and_state() -> None:
    none = disk_bytes(weights_bytes=10, state_bytes=30, keep="none", steps=100)
    assert none == 3 * 10 + 3 * 30
    assert disk_bytes(weights_bytes=10, state_bytes=30, keep="every=10", steps=100) - none == 10 * 10
    long = disk_bytes(weights_bytes=1, state_bytes=0, keep="every=1", steps=10**15)  # too many to be listed
    assert long == 10**15 + 3
