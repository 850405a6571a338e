"""Writing: complete or absent, and never in place of what is no file."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from componium.music.errors import BadFile
from componium.music.files import json_text, replacing


def test_a_file_is_complete_or_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("one")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert target.read_text() == "one" and list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_device_or_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadFile, match="device or a pipe"), replacing(tmp_path / "pipe") as temporary:
        temporary.write_text("x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and list(tmp_path.iterdir()) == [tmp_path / "pipe"]


def test_a_read_only_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_words: object, **_more: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("builtins.open", refused)
    monkeypatch.setattr(Path, "unlink", refused)  # Linux refuses this even of a file that is not there
    with pytest.raises(BadFile, match="cannot be written"), replacing(tmp_path / "a.txt"):
        pass


@pytest.mark.parametrize("data", [
    None, 1.5, "ä\n\"", [], {}, [[]], [{}], {"a": {}}, [1, None, True, -0.25, 1e300], {"ä": [1, [2, {"b": ["x"]}]]},
    {"names": ["a"] * 50, "prints": [["b", "c"], []], "more": {"deep": {"deeper": [float("inf")]}}}])
def test_json_comes_back(data: Any) -> None:
    assert json.loads(json_text(data)) == data


def test_tuples_and_keys_become_what_json_has() -> None:
    assert json_text({1: (2, 3), False: None}) == '{\n "1": [2,3],\n "false": null\n}'
    with pytest.raises(TypeError):
        json_text({"a": object()})


def test_lists_of_plain_values_take_one_line_each() -> None:
    told = json_text({"name": "x", "hashes": list(range(99)), "prints": [["c", "d"], ["e"]], "state": {"half": True}})
    numbers = ",".join(map(str, range(99)))
    assert told.splitlines() == [
        "{", ' "name": "x",', f' "hashes": [{numbers}],', ' "prints": [', '  ["c","d"],', '  ["e"]',
        " ],", ' "state": {', '  "half": true', " }", "}"]
