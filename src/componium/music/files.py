"""Writing a file so that it is either complete or absent."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

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
