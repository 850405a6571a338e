"""What `melody-lstm` and `melody-transformer` have in common beside `hearing`: how they learn, write and end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from componium.composers.melody.hearing import ToldReader, endings_of, example_of, meter_of, nats_of, prepared_melody
from componium.composers.melody.model import MelodyModel
from componium.interface import Arrays
from componium.music.grid import Grid
from componium.music.item import Item
from componium.tokens.melody_listener import Meter


class ListeningModel(MelodyModel):
    """A model whose network is told what `componium.tokens.melody_listener` tells, and has a stop symbol."""

    knows_endings: ClassVar[bool] = True

    # learning

    def prepare(self, item: Item) -> Arrays:
        """Return what the network is told of an item's melody, as arrays."""
        melody = super().prepare(item)
        return melody | self._melody(melody)

    def example(self, prepared: Arrays, rng: np.random.Generator | None) -> Arrays:
        """Return a crop, moved a little where ``transpose`` says so; or the whole melody."""
        told = prepared if "target" in prepared else self._melody(prepared)
        return example_of(told, rng, steps=self.config.context_steps, transpose=self.config.transpose,
                          pitches=self.pitches)

    def nats(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Return nats, what counts, and where the likeliest was right: each [B, T]; the last target is the end."""
        return nats_of(self.network, batch)

    # writing

    def reader(self, grid: Grid, rows: int) -> ToldReader:
        """Return what reads so many versions of a grid while they are written."""
        return ToldReader(self.network.eval(), meter_of(grid), rows)

    def endings(self, grid: Grid) -> npt.NDArray[np.float64]:
        """Return how likely the melody is to end after each of its steps: [steps]."""
        return endings_of(self.network, self.tokens.encode(grid)[:, 0], meter_of(grid))

    @property
    def pitches(self) -> int:
        """How many semitones the range has."""
        return int(self.config.highest - self.config.lowest + 1)

    def _melody(self, line: Arrays) -> Arrays:
        meter = Meter(*(int(each) for each in line["meter"]), self.tokens.steps_per_beat)
        return prepared_melody(line["symbols"], meter, self.pitches)
