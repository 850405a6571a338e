"""How what is told travels: parts of one progress bar, and warnings to all observers."""

from __future__ import annotations

from collections.abc import Sequence

from componium.interface import Progress
from componium.training.observing import Observer


class Warnings:
    """Tells observers of process 0."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = observers

    def __call__(self, text: str) -> None:
        """Tell all of them a sentence."""
        for observer in self.observers:
            observer.warned(text)


class Part:
    """A part of a progress bar."""

    def __init__(self, progress: Progress, begin: float, end: float) -> None:
        self.progress, self.begin, self.end = progress, begin, end

    def __call__(self, done: float, text: str = "") -> None:
        """Tell the share of this part that is done."""
        self.progress(self.begin + done * (self.end - self.begin), text)


def quiet(_done: float, _text: str = "") -> None:
    """Tell nobody."""
