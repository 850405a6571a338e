"""The recordings of a corpus for a model of sound: brought into the audio store, looked at, and cut into items."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import hashlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from componium.interface import Progress, silent
from componium.music.audio import AUDIO_EXTENSIONS, Audio
from componium.music.audio_blocks import AudioBlocks, SoundBlocks
from componium.music.cache import cache_folder
from componium.music.corpus import Corpus
from componium.music.errors import BadFile, BadInput, ComponiumError
from componium.music.gather import reason_of
from componium.music.item import Item, Skipped
from componium.training.audio_store import Stored, entry_name, read_entry, store
from componium.training.segments import Recording, Segment, segments_of
from componium.training.workers import run_jobs

FOLDER = "recordings"
"""Of the store, in the cache folder."""
A_SCORE = "it is a score, not a recording"
LEAST_SECONDS = 120.0
"""Recordings that last less in all are stored by this process: starting others takes longer."""
LEFTOVER_SECONDS = 3600.0
"""Age from which a half-written file belongs to a process that was killed."""
NAMED = 3
CLIPPED, OFFSET, QUIET, FAINT, TURNED_DOWN_DB = 1e-4, 0.01, 0.5, 1e-3, -0.5
"""From which on something is told: shares of samples, of full scale and of time, a peak, and decibels."""

Warn = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Found:
    """Recordings that a model can learn from.

    Attributes:
        corpus: of `Segment`; what was left out is named in its ``skipped``.
        recordings: that the segments are parts of.
        folder: the store.
        bytes: that they take there.
        consent: what the provenance says of voices and their consents.
    """

    corpus: Corpus
    recordings: tuple[Recording, ...]
    folder: Path
    bytes: int
    consent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def split_by(self, learned: Sequence[Item], held: Sequence[Item]) -> str:
        """Return how some were held out: ``"recording"``, or ``"part"`` where one recording is on both sides."""
        sides = [{getattr(item, "recording", None) for item in side} for side in (learned, held)]
        return "part" if sides[0] & sides[1] else "recording"

    def told(self) -> dict[str, Any]:
        """Return what the file of the run says of them."""
        return {"recordings": len(self.recordings), "parts": len(self.corpus), "cache_bytes": self.bytes,
                "seconds": round(sum(item.seconds or 0.0 for item in self.corpus), 3),
                "sample_rate_hz": self.recordings[0].stored.sample_rate_hz, "cache": str(self.folder)}


def recordings_of(corpus: Corpus, sample_rate_hz: int, *, trim_silence_db: float = 0.0, progress: Progress = silent,
                  warn: Warn = lambda _text: None) -> Found:
    """Return the recordings of a corpus as items of at most 30 seconds, mono, at one rate.

    What is in the store already is not converted again, so that files may come and go, and whoever stopped in the
    middle goes on there. Recordings with the same samples are taken once.

    Args:
        corpus: files of any format, rate and number of channels; scores in it are skipped.
        sample_rate_hz: that the model works at.
        trim_silence_db: what is quieter than the loudest of a recording by so much is left out at both ends and in
            gaps of over a second; 0 = nothing is.
        progress: told of the conversion.
        warn: told what is to be said of the sound: clipping, near-silence, an offset, in a sentence.

    Raises:
        BadInput: there is nothing that can be used, with the reasons; or the disk is too small.
        BadFile: the store cannot be written.
    """
    scores = [Skipped(item.name, A_SCORE) for item in corpus if item.kind != "audio"]
    items = [item for item in corpus if item.kind == "audio"]
    place = _Place.here(warn)
    hashes = [item.hash or _hash(item) for item in items]
    names = [entry_name(each, sample_rate_hz, trim_silence_db) for each in hashes]
    reasons = _convert(place, items, names, sample_rate_hz, trim_silence_db, progress)
    skipped = [*corpus.skipped, *scores]
    recordings: dict[str, Recording] = {}
    segments: list[Segment] = []
    for item, name, each in zip(items, names, hashes, strict=True):
        path, stored = place.entry(name)
        if stored is None:
            skipped.append(Skipped(item.name, reasons.get(name, "could not be stored")))
        elif stored.hash in recordings:
            skipped.append(Skipped(item.name, f"same sound as {recordings[stored.hash].name}"))
        else:
            recording = recordings[stored.hash] = Recording(item.name, each, str(path), stored)
            segments += segments_of(item, recording)
    if not segments:
        raise BadInput(_nothing(corpus.name, skipped))
    for text in remarks_of(list(recordings.values())):
        warn(text)
    used = Corpus(segments, name=corpus.name, skipped=skipped, other_files=corpus.other_files, remarks=corpus.remarks)
    size = sum(2 * recording.stored.samples for recording in recordings.values())
    return Found(used, tuple(recordings.values()), place.folder, size)


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the store is: in the cache, or in a temporary folder where that cannot be written."""

    cache: Path
    folder: Path

    @classmethod
    def here(cls, warn: Warn) -> _Place:
        cache = cache_folder() / FOLDER
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=cache):
                pass
        except OSError as error:
            warn(f"the cache cannot be written ({cache}: {error.strerror or error}), so recordings are converted into "
                 "a temporary folder, and again each time; COMPONIUM_CACHE names another cache folder")
            return cls(cache, _temporary_folder())
        _clear(cache)
        return cls(cache, cache)

    def entry(self, name: str) -> tuple[Path, Stored | None]:
        """Return a file of the store, and what is known of it; None where it is not there."""
        for folder in dict.fromkeys((self.cache, self.folder)):
            if (stored := read_entry(folder / name)) is not None:
                return folder / name, stored
        return self.folder / name, None


@functools.cache
def _temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="componium-recordings-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _clear(folder: Path) -> None:
    """Take away what killed processes left half-written."""
    for path in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()


def _hash(item: Item) -> str:
    """Return a hash of the samples of a recording that was given as an object without any."""
    audio = item.content
    assert isinstance(audio, Audio)
    told = f"{audio.sample_rate_hz} {audio.samples.shape}".encode()
    return hashlib.sha256(told + audio.samples.tobytes()).hexdigest()


def _convert(place: _Place, items: Sequence[Item], names: Sequence[str], rate: int, trim: float,
             progress: Progress) -> dict[str, str]:
    """Bring what is not there yet into the store; returns entry name -> why it could not be used."""
    missing = {name: item for name, item in zip(names, items, strict=True) if place.entry(name)[1] is None}
    seconds = {name: item.seconds or _seconds_of(item) for name, item in missing.items()}
    _check_room(place.folder, sum(seconds.values()), rate)
    in_files = {name: item for name, item in missing.items() if item.path is not None and "_later" in vars(item)}
    by_others = len(in_files) > 1 and sum(seconds[name] for name in in_files) >= LEAST_SECONDS
    here = [name for name in missing if not (by_others and name in in_files)]
    told = _Telling(progress, missing, seconds)
    answers: dict[str, dict[str, Any]] = {}
    for name in here:
        answers[name] = _here(missing[name], place.folder / name, rate, trim, functools.partial(told.one, name))
        told.one(name, 1.0)
    if by_others:
        jobs = [{"source": item.path, "target": str(place.folder / name), "sample_rate_hz": rate,
                 "trim_silence_db": trim} for name, item in in_files.items()]
        done = run_jobs("componium.training.audio_store:store_job", jobs,
                        told=lambda shares: told.many(list(in_files), shares))
        answers |= dict(zip(in_files, done, strict=True))
    for answer in answers.values():
        if "unwritten" in answer:
            raise BadFile(place.folder, f"recordings cannot be kept there: it {answer['unwritten']}; COMPONIUM_CACHE "
                                        "names another cache folder")
    return {name: answer["failed"] for name, answer in answers.items() if "failed" in answer}


def _here(item: Item, target: Path, rate: int, trim: float, tell: Callable[[float], None]) -> dict[str, Any]:
    """Store one recording in this process; the answer is that of `audio_store.store_job`."""
    try:
        if item.path is not None and "_later" in vars(item):
            blocks: SoundBlocks | AudioBlocks = SoundBlocks(item.path)
        else:
            assert isinstance(item.content, Audio)
            blocks = AudioBlocks(item.content)
        store(blocks, target, rate, trim, tell)
    except BadFile as error:
        return {"unwritten" if error.path == str(target) else "failed": error.reason}
    except ComponiumError as error:
        if type(error) is not BadInput:  # to be cancelled is no matter of one recording
            raise
        return {"failed": reason_of(error)}
    return {}


def _seconds_of(item: Item) -> float:
    return item.content.seconds if isinstance(item.content, Audio) else 0.0


def _check_room(folder: Path, seconds: float, rate: int) -> None:
    needed, free = seconds * rate * 2, shutil.disk_usage(folder).free
    if needed > free:
        raise BadInput(f"the recordings take {needed / 2**30:.1f} GB in the cache folder {folder}, and its disk has "
                       f"{free / 2**30:.1f} GB free: COMPONIUM_CACHE names a folder on another one")


class _Telling:
    """The progress of all recordings together, by their length."""

    def __init__(self, progress: Progress, items: dict[str, Item], seconds: dict[str, float]) -> None:
        self._progress, self._items, self._seconds = progress, items, seconds
        self._shares = dict.fromkeys(items, 0.0)
        self._total = max(sum(seconds.values()), 1e-9)
        self._done = 0.0

    def one(self, name: str, share: float) -> None:
        """Take note of the share done of one."""
        self._shares[name] = share
        self._tell(f"converting {self._items[name].name}")

    def many(self, names: Sequence[str], shares: Sequence[float]) -> None:
        """Take note of the shares done of some."""
        self._shares |= dict(zip(names, shares, strict=True))
        self._tell(f"converted {sum(share == 1.0 for share in shares)} of {len(names)} recordings")

    def _tell(self, text: str) -> None:
        done = sum(self._seconds[name] * share for name, share in self._shares.items())
        self._done = max(self._done, min(1.0, done / self._total))  # what is turned down is read twice
        self._progress(self._done, text)


def remarks_of(recordings: Sequence[Recording]) -> list[str]:
    """Return what is to be said of the sound of recordings, a sentence for each kind of fault."""
    told = []
    for reason, value in _FAULTS:
        meant = {r.name: text for r in recordings if (text := value(r.stored))}
        if meant:
            named = ", ".join(f"{name} ({text})" for name, text in list(meant.items())[:NAMED])
            more = f" and {len(meant) - NAMED} more" if len(meant) > NAMED else ""
            told.append(f"{reason}: {named}{more}")
    return told


_FAULTS: tuple[tuple[str, Callable[[Stored], str]], ...] = (
    ("clipped, which a model learns as if it were part of the sound",
     lambda s: f"{100 * s.clipped:.2g} % of the samples are at full scale" if s.clipped >= CLIPPED else ""),
    ("nearly silent, so that little but noise can be learned from it",
     lambda s: f"its peak is {_decibels(s.peak)}" if s.peak < FAINT else ""),
    ("mostly silence; train.trim_silence_db=60 leaves it out",
     lambda s: f"{100 * s.quiet:.0f} % of the time is more than 60 dB below the loudest"
     if s.quiet > QUIET else ""),
    ("with an offset (DC) that is no sound, and takes room from it",
     lambda s: f"{100 * abs(s.offset):.1f} % of full scale" if abs(s.offset) > OFFSET else ""),
    ("turned down, as it goes beyond full scale",
     lambda s: f"{s.gain_db:.1f} dB" if s.gain_db < TURNED_DOWN_DB else ""),
    ("with channels that cancel each other when they are mixed to one",
     lambda s: f"{_decibels(s.peak)} is left of {_decibels(s.channel_peak)}"
     if s.channels > 1 and s.peak < 0.03 * s.channel_peak else ""),
)


def _decibels(size: float) -> str:
    return f"{20 * math.log10(max(size, 1e-9)):.0f} dBFS"


def _nothing(name: str, skipped: Sequence[Skipped]) -> str:
    told = "; ".join(f"{each.name}: {each.reason}" for each in skipped[:NAMED])
    more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return (f"{name}: no recording that can be used ({told or 'there is none'}{more}). Give a folder with recordings "
            f"({', '.join(AUDIO_EXTENSIONS)})")
