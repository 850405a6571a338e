"""What `chorale-rnn` needs to know of a corpus as a whole, and how a piece of it becomes a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.composers.chorale_rnn.views import FAR, Ints
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, to_grid
from componium.music.item import Item
from componium.music.score import Score
from componium.tokens.grid import SILENT, GridTokens

SHORTEST_BEATS = 1


def voiced_grid(item: Item, voices: int, steps_per_beat: int) -> Grid:
    """Return the grid of a piece in so many voices; raises `BadInput`, with the reason, where it has another number."""
    if not isinstance(item.content, Score):
        raise BadInput("it is a recording, not a score")
    fits = item.grid is not None and item.grid.voice_count == voices and item.grid.steps_per_beat == steps_per_beat
    grid = item.grid if fits and item.grid is not None else to_grid(item.content, steps_per_beat=steps_per_beat,
                                                                   voice_count=voices)
    sounding = int((grid.pitches != REST).any(axis=0).sum())
    if sounding < voices:
        raise BadInput(f"it has {sounding} of the {voices} voices; train with voices={max(sounding, 1)} to learn from "
                       "it")
    if len(grid) < SHORTEST_BEATS * steps_per_beat:
        raise BadInput("it is shorter than a quarter note")
    return grid


@dataclass(frozen=True)
class Learned:
    """What composing needs to know of what was learned.

    Attributes:
        ranges: [voices, 2] lowest and highest MIDI pitch of each voice.
        meters: (numerator, denominator) -> pieces.
        fermatas: (meter, beat of the bar) -> how many fermatas stand there.
        last: the same of the last fermata of each piece.
        ties: whether repeated notes are told from held ones.
        rests: whether voices rest.
    """

    ranges: Ints
    meters: dict[tuple[int, int], int]
    fermatas: dict[tuple[int, int, int], int]
    last: dict[tuple[int, int, int], int]
    ties: bool
    rests: bool

    @classmethod
    def nothing(cls, voices: int) -> Learned:
        """Return what an untrained model knows."""
        return cls(np.tile(np.array([60, 72]), (voices, 1)), {}, {}, {}, True, False)

    @classmethod
    def of(cls, prepared: Sequence[Mapping[str, npt.NDArray[Any]]], tokens: GridTokens) -> Learned:
        """Look at all pieces that are learned; raises `BadInput` where there are none."""
        if not prepared:
            raise BadInput("there is no piece to learn from")
        low, high = np.full(tokens.voices, 999), np.full(tokens.voices, -1)
        meters: Counter[tuple[int, int]] = Counter()
        all_fermatas: Counter[tuple[int, int, int]] = Counter()
        last: Counter[tuple[int, int, int]] = Counter()
        rests = 0
        for piece in prepared:
            sounding = tokens.sounding(piece["symbols"]).astype(np.int64)
            low = np.minimum(low, np.where(sounding == SILENT, 999, sounding).min(axis=0))
            high = np.maximum(high, sounding.max(axis=0))
            rests += int((sounding == SILENT).any())
            meter = (int(piece["meter"][0]), int(piece["meter"][1]))
            if bool(piece["ties"]):
                meters[meter] += 1
            marks = piece["marks"].astype(np.int64)
            beats = marks[(marks[:, 3] == 0) & (marks[:, 2] > 0), 1].tolist()
            all_fermatas.update((*meter, beat) for beat in beats)
            last.update((*meter, beat) for beat in beats[-1:])
        return cls(np.stack([low, high], axis=1), dict(meters), dict(all_fermatas), dict(last),
                   any(bool(piece["ties"]) for piece in prepared), rests * 10 > len(prepared))

    @property
    def meter(self) -> tuple[int, int]:
        """The most common meter; 4/4 where bars are not known."""
        return max(self.meters, key=lambda meter: self.meters[meter], default=(4, 4))

    def fermata_beat(self, meter: tuple[int, int], *, at_end: bool) -> int | None:
        """Return the beat of the bar, from 0, on which fermatas mostly stand in a meter; None where not known."""
        table = self.last if at_end else self.fermatas
        beats = {beat: count for (*other, beat), count in table.items() if tuple(other) == meter and beat < FAR}
        return max(beats, key=lambda beat: beats[beat]) if beats else None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"ranges": self.ranges.tolist(), "ties": self.ties, "rests": self.rests,
                "meters": [[*meter, count] for meter, count in sorted(self.meters.items())],
                "fermatas": [[*place, count] for place, count in sorted(self.fermatas.items())],
                "last": [[*place, count] for place, count in sorted(self.last.items())]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], voices: int) -> Learned:
        """Take back what `to_json` returned; raises `BadInput` where it does not fit."""
        try:
            ranges = np.array(data["ranges"], dtype=np.int64)
            found = cls(ranges, {(a, b): n for a, b, n in data["meters"]},
                        {(a, b, c): n for a, b, c, n in data["fermatas"]},
                        {(a, b, c): n for a, b, c, n in data["last"]}, bool(data["ties"]), bool(data["rests"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"what it knows of its corpus is damaged ({error})") from error
        if ranges.shape != (voices, 2):
            raise BadInput("its ranges do not belong to its voices")
        return found

