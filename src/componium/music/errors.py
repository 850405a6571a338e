"""The errors a user can meet: each names the thing, the reason and the way out in one or two lines."""

from __future__ import annotations

import importlib
from types import ModuleType


class ComponiumError(Exception):
    """Base of every error that is shown to a user as a sentence, without a traceback."""


class BadFile(ComponiumError):
    """A file could not be read or written.

    Attributes:
        path: the file, as the user named it.
        reason: why, in a few words.
    """

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


class BadInput(ComponiumError):
    """An argument, a setting or a piece of music cannot be used as it was asked for."""


class Cancelled(ComponiumError):
    """Long work was stopped on request; nothing half-done was left behind."""


class MissingExtra(ComponiumError):
    """An optional part of Componium is not installed; the message holds the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}: pip install 'componium[{extra}]'"
        )
        self.package = package
        self.extra = extra


def require(package: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or raise `MissingExtra` with the command that installs it.

    Args:
        package: import name, e.g. ``"music21"``.
        extra: the extra of `pyproject.toml` that brings it, e.g. ``"notation"``.
        purpose: what it is needed for, as the start of a sentence, e.g. ``"Reading MusicXML"``.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        raise MissingExtra(package, extra, purpose) from error
