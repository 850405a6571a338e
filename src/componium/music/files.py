"""Writing a file so that it is either complete or absent, and JSON so that it can be read and is small."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from componium.music.errors import BadFile


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the same folder, and put it in place when the block ends well.

    Missing parent folders are created. Whatever happens in the block, no half-written file stays.

    Raises:
        BadFile: the file cannot be written there (a folder or a device of that name, no permission, disk full).
    """
    target = Path(path)
    if target.is_dir():
        raise BadFile(path, "is a folder, not a file that can be written")
    if target.exists() and not target.is_file():
        raise BadFile(path, "is a device or a pipe, which is never replaced; name a file")
    temporary = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb"):  # tells of a read-only folder before any work is done
            pass
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise BadFile(path, f"cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):  # a file system that is read-only tells so even of a file that is not there
            temporary.unlink(missing_ok=True)


def json_text(data: Any) -> str:
    """Return JSON with a line for each entry of an object, and for each list of plain values, however long it is.

    So what is at the top can be read, and thousands of hashes take little more than themselves. Raises `TypeError` for
    what JSON cannot hold.
    """
    return _indented(json.loads(json.dumps(data)), "")


def _indented(data: Any, margin: str) -> str:
    """Return plain JSON data, its lines after the first moved by a margin."""
    deeper = f"{margin} "
    if isinstance(data, dict) and data:
        entries = (f"{json.dumps(key, ensure_ascii=False)}: {_indented(value, deeper)}" for key, value in data.items())
        return "{\n" + ",\n".join(deeper + entry for entry in entries) + f"\n{margin}}}"
    if isinstance(data, list) and any(isinstance(value, dict | list) for value in data):
        return "[\n" + ",\n".join(deeper + _indented(value, deeper) for value in data) + f"\n{margin}]"
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
