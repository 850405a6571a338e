"""Writing a folder of files so that it is either complete or absent."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from componium.music.errors import BadFile


def check_folder(out: Path, *, force: bool) -> None:
    """Raise `BadFile` where a folder of results may not or cannot be written.

    Args:
        out: the folder to come.
        force: whether files in it may be replaced.
    """
    if out.exists() and not out.is_dir():
        raise BadFile(out, "is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise BadFile(out, "is a folder with something in it; --force replaces files of the same name in it, "
                           "--out DIR takes another")
    place = out
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise BadFile(place, "is a file, so nothing can be written below it")
    if not os.access(place, os.W_OK):
        raise BadFile(out, f"cannot be written: no permission in {place}")


@contextlib.contextmanager
def new_folder(out: Path, *, force: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; when the block ends well, it becomes ``out``, or its files move into it.

    Whatever happens in the block, nothing half-made stays. Other files in a folder that is there are left alone.

    Raises:
        BadFile: as `check_folder`, or the disk refuses.
    """
    check_folder(out, force=force)
    above = out.absolute().parent
    try:
        made_above = _missing(above)
        above.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=out if out.is_dir() else above))
    except OSError as error:
        raise BadFile(out, f"cannot be made ({error.strerror or error})") from error
    try:
        with told_as(out, making):
            yield making
        _move(making, out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
        for folder in made_above:  # made for nothing: they go again
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def told_as(out: Path, hidden: Path) -> Iterator[None]:
    """Let failures to write below a hidden folder, of which the user knows nothing, tell of ``out`` instead."""
    try:
        yield
    except BadFile as error:
        if not Path(error.path).is_relative_to(hidden):
            raise
        raise BadFile(out, error.reason) from error
    except OSError as error:
        if not Path(str(error.filename)).is_relative_to(hidden):
            raise
        raise BadFile(out, f"cannot be written ({error.strerror or error})") from error


def _missing(folder: Path) -> list[Path]:
    """Return the folders that have to be made for one, the deepest first."""
    found = []
    while not folder.exists():
        found.append(folder)
        folder = folder.parent
    return found


def _move(making: Path, out: Path) -> None:
    try:
        if not out.exists():
            making.chmod(0o777 & ~_umask())
            making.replace(out)
            return
        for source in sorted(path for path in making.rglob("*") if path.is_file()):
            target = out / source.relative_to(making)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    except OSError as error:
        raise BadFile(out, f"cannot be written ({error.strerror or error})") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
