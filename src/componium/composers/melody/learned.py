"""What a melody model needs to know of its corpus as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.tokens.grid import FIRST_PITCH, REST, GridTokens

MOST_LOST = 0.001
"""Of the pitches, so many at either end of the range are too rare to be written."""
RESTING = 0.1
"""Rests are written where at least this share of the melodies have them."""


@dataclass(frozen=True)
class Learned:
    """What composing needs to know of what was learned.

    Attributes:
        ranges: [1, 2] lowest and highest MIDI pitch, as the model hears them.
        meters: (numerator, denominator) -> melodies.
        rests: whether melodies rest.
    """

    ranges: npt.NDArray[np.int64]
    meters: dict[tuple[int, int], int]
    rests: bool

    @classmethod
    def nothing(cls) -> Learned:
        """Return what an untrained model knows."""
        return cls(np.array([[60, 72]]), {}, False)

    @classmethod
    def of(cls, prepared: Sequence[Mapping[str, npt.NDArray[Any]]], tokens: GridTokens) -> Learned:
        """Look at all melodies that are learned; raises `BadInput` where there are none."""
        if not prepared:
            raise BadInput("there is no melody to learn from")
        counts = np.zeros(tokens.size, dtype=np.int64)
        meters: Counter[tuple[int, int]] = Counter()
        resting = 0
        for piece in prepared:
            symbols = piece["symbols"].astype(np.int64)
            counts += np.bincount(symbols, minlength=tokens.size)
            resting += int((symbols == REST).any())
            meters[int(piece["meter"][0]), int(piece["meter"][1])] += 1
        onsets = counts[FIRST_PITCH:]
        common = np.flatnonzero(onsets > MOST_LOST * onsets.sum())
        pitches = common if len(common) else np.arange(len(onsets))
        ranges = np.array([[pitches[0], pitches[-1]]]) + tokens.lowest
        return cls(ranges, dict(meters), resting >= RESTING * len(prepared))

    @property
    def meter(self) -> tuple[int, int]:
        """The most common meter; 4/4 where none was learned."""
        return max(self.meters, key=lambda meter: self.meters[meter], default=(4, 4))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"range": self.ranges[0].tolist(), "rests": self.rests,
                "meters": [[*meter, count] for meter, count in sorted(self.meters.items())]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Learned:
        """Take back what `to_json` returned; raises `BadInput` where it does not fit."""
        try:
            low, high = (int(each) for each in data["range"])
            return cls(np.array([[low, high]]), {(a, b): n for a, b, n in data["meters"]}, bool(data["rests"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"what it knows of its corpus is damaged ({error})") from error
