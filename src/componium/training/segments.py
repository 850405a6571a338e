"""Parts of recordings as items of a corpus, and how they are held out.

A recording becomes items of at most 30 seconds each, whose sound is taken from the audio store when it is asked for.
Of several recordings whole ones are held out, so that no recording is on both sides; of a single one, some of its
parts.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from componium.music.audio import Audio
from componium.music.item import Item, Later
from componium.training.audio_store import FULL_SCALE, Samples, Stored, mapped

MOST_SECONDS = 30.0
"""Length of a part."""
SHORT_SECONDS = 10.0
"""A last part that would be shorter shares the time with the one before."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording in the store.

    Attributes:
        name: within the corpus.
        hash: of the file's bytes.
        path: in the store.
        stored: what is known of it.
    """

    name: str
    hash: str
    path: str
    stored: Stored


@dataclasses.dataclass(frozen=True, eq=False)
class Segment(Item):
    """A part of a recording, or a whole short one; its content is mono at the rate of the store.

    Attributes:
        recording: that it is a part of.
        first: its first sample in the store.
        last: the sample after its last one.
    """

    recording: Recording | None = None
    first: int = 0
    last: int = 0

    @property
    def samples(self) -> Samples:
        """The samples, mapped for reading: int16 [T], full scale 32768."""
        assert self.recording is not None
        return mapped(self.recording.path, self.recording.stored.samples)[self.first:self.last]


def segments_of(item: Item, recording: Recording) -> list[Segment]:
    """Return the parts of a recording, in order; source and licence are those of its item."""
    stored = recording.stored
    edges = _edges(stored.samples, stored.sample_rate_hz)
    return [_segment(item, recording, first, last, whole=len(edges) == 2)
            for first, last in itertools.pairwise(edges)]


def _edges(samples: int, sample_rate_hz: int) -> list[int]:
    most, short = round(MOST_SECONDS * sample_rate_hz), round(SHORT_SECONDS * sample_rate_hz)
    edges = [*range(0, samples, most), samples]
    if len(edges) > 2 and edges[-1] - edges[-2] < short:
        edges[-2] = (edges[-3] + edges[-1]) // 2
    return edges


def _segment(item: Item, recording: Recording, first: int, last: int, *, whole: bool) -> Segment:
    stored = recording.stored
    name = item.name if whole else f"{item.name} {clock(file_seconds(stored, first))}-" \
                                   f"{clock(file_seconds(stored, last, end=True))}"
    told = f"{Path(recording.path).name} {first} {last}"
    content = Later(functools.partial(sound_of, recording, first, last), keep=False)
    return Segment(name, "audio", content, item.source, item.licence,  # type: ignore[arg-type]
                   hashlib.sha256(told.encode()).hexdigest(), item.path, seconds=(last - first) / stored.sample_rate_hz,
                   recording=recording, first=first, last=last)


def sound_of(recording: Recording, first: int, last: int) -> Audio:
    """Return a part of a recording as a sound of one channel."""
    samples = mapped(recording.path, recording.stored.samples)[first:last]
    return Audio(samples.astype(np.float32) / np.float32(FULL_SCALE), recording.stored.sample_rate_hz)


def file_seconds(stored: Stored, sample: int, *, end: bool = False) -> float:
    """Return where a sample of the store lies in the file, in seconds; as an end, it is the end of the one before."""
    left = sample / stored.sample_rate_hz
    for start, stop in stored.parts:
        length = stop - start
        if left < length or (end and left <= length + 1e-3):
            return start + left
        left -= length
    return stored.parts[-1][1]


def clock(seconds: float) -> str:
    """Return a time as people write it: ``"0:30"``, ``"1:02:03"``, ``"0:46.5"``."""
    tenths = round(seconds * 10)
    whole, rest = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{rest}" if rest else text


def held_out(items: Sequence[Item], share: float, *, lowest: bool = False) -> list[bool]:
    """Tell which items are held out, of recordings: by whole recordings where there are several, else by parts.

    They are those whose hashes are highest, or lowest, about ``share`` of them. What is held out lasts at most half of
    the time: where the hashes would have it otherwise, the one whose length is nearest to the share is taken.

    Args:
        items: parts of recordings.
        share: to hold out, 0 to 1.
        lowest: which end of the hashes.
    """
    units = [unit for unit, _ in units_of(items)]
    seconds: dict[str, float] = dict.fromkeys(units, 0.0)
    for unit, item in zip(units, items, strict=True):
        seconds[unit] += item.seconds or 0.0
    if len(seconds) < 2 or not share:
        return [False] * len(items)
    total, places = sum(seconds.values()), {unit: place_of(unit) for unit in seconds}
    for wider in (share, *(tenth / 10 for tenth in range(1, 10) if tenth / 10 > share)):
        chosen = {unit for unit, place in places.items() if (place < wider if lowest else place >= 1 - wider)}
        if chosen and sum(seconds[unit] for unit in chosen) <= total / 2:
            break
    else:
        chosen = {min((unit for unit in seconds if seconds[unit] <= total / 2),
                      key=lambda unit: (abs(seconds[unit] - share * total), places[unit]))}
    return [unit in chosen for unit in units]


def units_of(items: Sequence[Item]) -> list[tuple[str, str]]:
    """Return, for each item, the hash and the name of what is held out as a whole: its recording, or itself."""
    recordings = [getattr(item, "recording", None) for item in items]
    if len({recording.hash for recording in recordings if recording is not None}) < 2:
        return [(item.hash, item.name) for item in items]
    return [(recording.hash, recording.name) if recording is not None else (item.hash, item.name)
            for item, recording in zip(items, recordings, strict=True)]


def place_of(unit: str) -> float:
    """Return where a hash lies between 0 and 1: the same for the same in any corpus."""
    return int(hashlib.sha256(unit.encode()).hexdigest()[:13], 16) / 16**13


def one_of_each(items: Sequence[Item]) -> list[Item]:
    """Return the first part of each recording."""
    first: dict[str, Item] = {}
    for item in items:
        recording = getattr(item, "recording", None)
        first.setdefault(recording.hash if recording is not None else item.hash, item)
    return list(first.values())


def told_of(learned: Sequence[Item], held: Sequence[Item]) -> dict[str, Any]:
    """Return what a checkpoint says of recordings, each once: the hashes are those of the files."""
    there = [recording for item in one_of_each(learned) if (recording := getattr(item, "recording", None)) is not None]
    both = units_of([*learned, *held])[len(learned):]
    return {"pieces": len(there), "parts": len(learned), "names": [r.name for r in there],
            "hashes": [r.hash for r in there], "fingerprints": [[] for _ in there],
            "seconds": round(sum(item.seconds or 0.0 for item in learned), 3),
            "held_out_pieces": len({unit for unit, _ in both}),
            "held_out_names": list(dict.fromkeys(name for _, name in both)),
            "held_out_hashes": list(dict.fromkeys(unit for unit, _ in both))}

