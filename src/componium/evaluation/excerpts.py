"""Excerpts of recordings that a model did not learn from, for listening and measuring: which, and how they are cut.

Conventions.

- A recording is known where its hash (of the file's bytes) stands in the model's record of what it learned from; the
  same sound in another format is not recognised. Where a model learned from one recording alone and parts of it were
  held out, these parts are taken, a tenth of a second inside their ends.
- Recordings are cut into excerpts of `SECONDS`, one after another; a rest of a second or more is one, too, and so is a
  recording that is shorter. Which ones are taken is decided by a hash of recording and place: the same for every
  model. Silent ones (below -70 LUFS) are left out.
- An excerpt is mono, at the rate that was asked for. `Excerpt.gain` brings it to `LUFS`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.interface import Progress, silent
from componium.music.audio import AUDIO_EXTENSIONS, Audio
from componium.music.errors import BadFile, BadInput
from componium.music.item import Item, Skipped

SECONDS, LEAST_REST_SECONDS, LEAST_SECONDS = 4.0, 1.0, 0.25
COUNT = 40
LUFS = -20.0
INSIDE_SECONDS = 0.1
NAMED = 3
A_SCORE = "it is a score, not a recording"
_PART = re.compile(r"^(?P<name>.+) (?P<first>[\d:.]+)-(?P<last>[\d:.]+)$")

Place = tuple[float, float]
"""From when to when, in seconds."""


@dataclasses.dataclass(frozen=True)
class Material:
    """Recordings that can be judged on.

    Attributes:
        stretches: recordings, and the stretch of each that is taken.
        known: names of those that the model learned from.
        learned_from: whether there are no others, so that the stretches are those that were learned from.
        held_out: how many of the stretches the model did not learn from, while its weights may be chosen by them.
        recorded: whether the model says what it learned from.
        skipped: what cannot be used.
    """

    stretches: tuple[tuple[Item, Place], ...]
    known: tuple[str, ...]
    learned_from: bool
    held_out: int
    recorded: bool
    skipped: tuple[Skipped, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Excerpt:
    """A part of a recording.

    Attributes:
        name: of the recording, with the time.
        recording: hash of the recording.
        start_seconds: where it begins.
        samples: float32 [T], as loud as it was recorded.
        sample_rate_hz: of the samples.
        gain: the factor that brings it to `LUFS`.
        licence: of the recording.
    """

    name: str
    recording: str
    start_seconds: float
    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    gain: float
    licence: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate_hz


def material(corpus: Iterable[Item], provenance: Mapping[str, Any], *, name: str = "",
             skipped: Sequence[Skipped] = ()) -> Material:
    """Return what a model can be judged on.

    Args:
        corpus: items; scores are left out.
        provenance: what the model says of its data.
        name: of the corpus, for messages.
        skipped: of the corpus.

    Raises:
        BadInput: there is no recording.
    """
    learned, held = set(provenance.get("hashes", ())), set(provenance.get("held_out_hashes", ()))
    out = list(skipped)
    items: dict[str, Item] = {}
    for item in corpus:
        if item.kind != "audio":
            out.append(Skipped(item.name, A_SCORE))
        elif (key := item.hash or item.name) in items:
            out.append(Skipped(item.name, f"same sound as {items[key].name}"))
        else:
            items[key] = item
    if not items:
        raise BadInput(_nothing(name, out))
    new, parts = [], []
    for key, item in items.items():
        if key not in learned:
            new.append((item, (0.0, _seconds(item))))
        parts += [(item, place) for place in held_out_parts(key, provenance)] if key in learned else []
    known = tuple(item.name for key, item in items.items() if key in learned)
    chosen = tuple(new + parts)
    every = tuple((item, (0.0, _seconds(item))) for item in items.values())
    return Material(chosen or every, known, not chosen, len(parts) + sum(item.hash in held for item, _ in new),
                    bool(learned), tuple(out))


def held_out_parts(recording: str, provenance: Mapping[str, Any]) -> list[Place]:
    """Return the parts of a recording that were held out, where it is the only one that was learned from."""
    if list(provenance.get("hashes", ())) != [recording]:
        return []
    (name, *_), found = provenance.get("names") or [""], []
    for told in map(_PART.match, provenance.get("held_out_names", ())):
        if told is not None and told["name"] == name:
            first, last = (_read_clock(told[end]) for end in ("first", "last"))
            if last - first > 2 * INSIDE_SECONDS + LEAST_REST_SECONDS:
                found.append((first + INSIDE_SECONDS, last - INSIDE_SECONDS))
    return found


def excerpts(given: Material, sample_rate_hz: int, count: int = COUNT, *,
             progress: Progress = silent) -> tuple[list[Excerpt], list[Skipped]]:
    """Return at most ``count`` excerpts in the order of their hashes, and the recordings that cannot be used.

    Raises:
        BadInput: there is none, with the reasons.
    """
    waiting = sorted(((item, place) for item, stretch in given.stretches for place in _places(stretch)), key=_order)
    found: list[tuple[str, Excerpt]] = []
    reasons: dict[str, str] = {}
    tried = 0
    while tried < len(waiting) and len(found) < count:
        batch = waiting[tried:tried + count - len(found)]
        tried += len(batch)
        for item in {id(item): item for item, _ in batch}.values():
            progress(min(len(found) / count, 1.0), f"reading {item.name}")
            try:
                sound = item.content
            except BadFile as error:
                reasons[item.name] = error.reason
                continue
            assert isinstance(sound, Audio)
            made = [(_order((item, place)), _cut(item, sound, place, sample_rate_hz))
                    for each, place in batch if each is item]
            if all(excerpt is None for _, excerpt in made):
                reasons.setdefault(item.name, "it is silent")
            found += [(order, excerpt) for order, excerpt in made if excerpt is not None]
    heard = {excerpt.recording for _, excerpt in found}
    skipped = [Skipped(item.name, reasons[item.name]) for item in {id(i): i for i, _ in given.stretches}.values()
               if item.name in reasons and (item.hash or item.name) not in heard]
    if not found:
        raise BadInput(_nothing("", [*skipped, *given.skipped]))
    return [excerpt for _, excerpt in sorted(found, key=lambda pair: pair[0])], skipped


def _places(stretch: Place) -> list[Place]:
    """Return where the excerpts of a stretch lie."""
    first, last = stretch
    starts = [first + SECONDS * number for number in range(int((last - first + 1e-6) // SECONDS))]
    places = [(start, start + SECONDS) for start in starts]
    rest = starts[-1] + SECONDS if starts else first
    return places + ([(rest, last)] if not places or last - rest >= LEAST_REST_SECONDS else [])


def _order(chosen: tuple[Item, Place]) -> str:
    item, (start, _) = chosen
    return hashlib.sha256(f"{item.hash or item.name} {start:.3f}".encode()).hexdigest()


def _cut(item: Item, sound: Audio, place: Place, sample_rate_hz: int) -> Excerpt | None:
    """Return an excerpt, at least `LEAST_SECONDS` long; None where it is silent."""
    first, last = (round(second * sound.sample_rate_hz) for second in place)
    part = Audio(sound.samples[:, first:last], sound.sample_rate_hz).to_mono().resample(sample_rate_hz)
    loudness = part.loudness_lufs
    if not np.isfinite(loudness):
        return None
    samples = np.pad(part.samples[0], (0, max(0, round(LEAST_SECONDS * sample_rate_hz) - part.sample_count)))
    told = item.name if place[0] == 0 and last >= sound.sample_count else f"{item.name}, {_clock(place[0])}"
    return Excerpt(told, item.hash or item.name, place[0], samples, sample_rate_hz,
                   float(10 ** ((LUFS - loudness) / 20)), item.licence)


def _seconds(item: Item) -> float:
    if item.seconds is not None:
        return item.seconds
    assert isinstance(item.content, Audio)
    return item.content.seconds


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _read_clock(text: str) -> float:
    """Return the seconds of ``"1:02:03.5"``."""
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part or 0)
    return total


def _nothing(name: str, skipped: Sequence[Skipped]) -> str:
    told = "; ".join(f"{each.name}: {each.reason}" for each in skipped[:NAMED]) or "there is none"
    more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return (f"{name}{': ' if name else ''}no recording to judge an instrument on ({told}{more}). Give a folder with "
            f"recordings ({', '.join(AUDIO_EXTENSIONS)})")
