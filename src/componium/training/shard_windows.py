"""Windows: a few shards at a time, each window for a fixed number of steps, the next one brought in meanwhile.

The shards are divided into windows anew in each pass, in an order drawn from (seed, pass), and window w serves the
steps from w * ``train.shard_steps`` on. So which recordings make batch n follows from the seed, n and the list alone,
for any number of processes, and a run that goes on needs its own window and the first one, nothing in between.

The first window is where the model's statistics are measured and where recordings are held out; these are never
learned from in any window.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from componium.interface import Progress
from componium.music.consent import Consent, consents_for
from componium.music.consent import told_of as consent_told
from componium.music.corpus import Corpus
from componium.music.errors import BadFile, BadInput, ComponiumError
from componium.music.item import Item, Later, Skipped
from componium.music.marks import read_marks, without_marked
from componium.training.ahead import model_told, rebuildable
from componium.training.preparing import Prepared, key_of, prepared_of
from componium.training.recordings import Found, Warn, remarks_of
from componium.training.segments import Recording, Segment, place_of
from componium.training.shard_cache import FORMAT, ShardCache, bring_job, items_of
from componium.training.shards import Shards, is_url
from componium.training.workers import MOST_WORKERS, run_jobs

SHARDS = 4
"""The stream of randomness below the seed that the order of shards is drawn from."""
TOGETHER = 3
"""Windows that lie in the cache at the same time: the first, the one in use, the next."""
NAMED = 5
RECORD = "shards.json"
"""In the folder of a run, beside its state."""
BRING = f"{bring_job.__module__}:{bring_job.__name__}"

Missing = dict[int, str]


class Windows:
    """The shards of a run, window by window.

    Args:
        model: learns from recordings.
        shards: the list.
        asked: of the run: settings, seed, sources.
        machine: that the run is on.
        warn: told in sentences what is to be said.

    Raises:
        BadInput: the model learns from scores.
    """

    def __init__(self, model: Any, shards: Shards, asked: Any, machine: Any, warn: Warn) -> None:
        if getattr(model, "learns_from", "scores") != "recordings":
            raise BadInput(f"shards hold recordings, and {model.name} learns from scores: give it a folder of them")
        self.model, self.shards, self.machine, self.warn = model, shards, machine, warn
        self.settings, self.seed = asked.settings, asked.seed
        self.per_pass = math.ceil(len(shards.places) / self.settings.shard_window)
        self.cache = ShardCache(round(self.settings.shard_cache_gb * 1e9))
        self.recorded: dict[str, Any] = {"windows": {}, "shards": {}}
        self.out: set[str] = set()
        self._voice = asked.sources.get("voice")
        self._marks = read_marks(asked.sources["exclude"]) if asked.sources.get("exclude") else []
        self._model_key = key_of(model)
        self._told = model_told(model, self._model_key) if rebuildable(type(model)) else None
        self._keys: dict[int, str] = {}
        self._consents: list[Consent] = []

    def shards_of(self, window: int) -> list[int]:
        """Return the numbers of the shards of a window."""
        turn, place = divmod(window, self.per_pass)
        order = np.random.default_rng([self.seed, SHARDS, turn]).permutation(len(self.shards.places))
        return sorted(int(number) for number in np.array_split(order, self.per_pass)[place])

    def key_of(self, shard: int) -> str:
        """Return the name of a shard in the cache: it changes with the file, as far as its size and time tell."""
        if shard in self._keys:
            return self._keys[shard]
        place, stat = self.shards.places[shard], None
        with contextlib.suppress(OSError):
            stat = None if is_url(place) else os.stat(place)
        told = [FORMAT, place, stat and [stat.st_size, stat.st_mtime_ns], self.model.sample_rate_hz,
                self.settings.trim_silence_db]
        key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
        if stat is not None or is_url(place):  # a file that is not there may still come
            self._keys[shard] = key
        return key

    # bringing

    def begin(self, folder: Any, progress: Progress) -> None:
        """Bring the first window in, in all processes; a folder is that of a run that goes on."""
        if folder is not None:
            self.recorded = recorded_in(folder)
        self.need(0)
        with self.machine.main_first():
            missing = self.bring(0, lambda share, text: progress(share, text))
        for other in self.machine.gathered(missing):
            missing |= {int(shard): reason for shard, reason in other.items()}
        self._tell_missing(missing)
        self._check_room()
        self.first_missing = missing

    def need(self, *windows: int) -> None:
        """Keep these windows in the cache, and the first."""
        self.cache.need(self.key_of(shard) for window in (0, *windows) for shard in self.shards_of(window))

    def bring(self, window: int, told: Callable[[float, str], None], *, quietly: bool = False) -> Missing:
        """Bring the shards of a window into the cache; returns those that cannot be read, each with its reason.

        Args:
            window: its number; it is needed already.
            told: called several times a second; raising an error in it stops the work.
            quietly: leave the processors to others.

        Raises:
            BadFile: the cache cannot be written.
        """
        before = self.recorded["windows"].get(str(window), {}).get("missing", {})
        missing = {shard: before[self.shards.names[shard]] for shard in self.shards_of(window)
                   if self.shards.names[shard] in before}
        there = [shard for shard in self.shards_of(window) if shard not in missing]
        coming = [shard for shard in there if not self._is_ready(shard)]
        workers = max(1, min(len(coming), MOST_WORKERS, os.cpu_count() or 1) // (2 if quietly else 1))
        answers = run_jobs(BRING, [self._job(shard) for shard in coming], workers=1 if quietly else workers,
                           told=lambda shares: told(sum(shares) / len(shares), f"reading shards ({len(coming)})"))
        for shard, answer in zip(coming, answers, strict=True):
            if "unwritten" in answer:
                raise BadFile(self.cache.root, f"shards cannot be kept there: {answer['unwritten']}; make "
                                               "train.shard_cache_gb smaller, or name another cache folder with "
                                               "COMPONIUM_CACHE")
            if "failed" in answer:
                missing[shard] = answer["failed"]
        return missing

    def _is_ready(self, shard: int) -> bool:
        key = self.key_of(shard)
        return self.cache.told(key) is not None and (self._told is None or
                                                     self.cache.is_prepared(key, self._model_key))

    def _job(self, shard: int) -> dict[str, Any]:
        return {"root": str(self.cache.root), "limit_bytes": self.cache.limit_bytes, "key": self.key_of(shard),
                "place": self.shards.places[shard], "name": self.shards.names[shard],
                "sample_rate_hz": self.model.sample_rate_hz, "trim_silence_db": self.settings.trim_silence_db,
                "model": self._told}

    def _tell_missing(self, missing: Mapping[int, str]) -> None:
        names = [f"{self.shards.names[shard]}: {reason}" for shard, reason in sorted(missing.items())]
        if len(missing) == len(self.shards_of(0)):
            raise BadInput(f"{self.shards.name}: no shard of the first window can be read ({'; '.join(names[:NAMED])}"
                           "). Mend them, take them out of the list, or make the window larger (train.shard_window)")

    def _check_room(self) -> None:
        windows = min(TOGETHER, self.per_pass)
        first = sum(self.cache.bytes_of(self.key_of(shard)) for shard in self.shards_of(0))
        if first * windows > self.cache.limit_bytes:
            raise BadInput(
                f"the first window of {len(self.shards_of(0))} shards takes {first / 1e9:.3g} GB, and {windows} "
                f"windows have to fit into train.shard_cache_gb={self.settings.shard_cache_gb:g}: make that "
                f"{1.1 * first * windows / 1e9:.2g} or more, or train.shard_window smaller than "
                f"{self.settings.shard_window}")

    # recordings

    def found(self, window: int = 0, missing: Missing | None = None) -> Found:
        """Return the recordings of a window, what is held out among them; in the first one, faults are told.

        Raises:
            BadInput: the first window holds none that can be used, or a voice without consent.
        """
        missing = self.first_missing if missing is None else missing
        skipped: list[Skipped] = []
        recordings: dict[str, Recording] = {}
        segments: list[Segment] = []
        for shard in self.shards_of(window):
            if shard in missing:
                skipped.append(Skipped(self.shards.names[shard], missing[shard]))
                continue
            told = self.cache.told(self.key_of(shard))
            if told is None:
                raise BadFile(self.cache.folder(self.key_of(shard)), f"{self.shards.names[shard]} was taken out of the "
                              "cache while it was needed: begin again, or go on with --resume")
            these, those = self._items(shard, told)
            new = {each.stored.hash: each for each in those if each.stored.hash not in recordings}
            skipped += [Skipped(f"{self.shards.names[shard]}/{name}", reason) for name, reason in told["skipped"]]
            skipped += [Skipped(each.name, f"same sound as {(recordings | new)[each.stored.hash].name}")
                        for each in those if (recordings | new)[each.stored.hash] is not each]
            kept = [item for item in these if item.recording in new.values()]
            segments += self._allowed(kept, shard, skipped, first=window == 0)
            recordings |= new
        used = {item.recording.hash for item in segments if item.recording is not None}
        there = tuple(each for each in recordings.values() if each.hash in used)
        if window == 0:
            self._check_first(there, skipped)
        size = sum(2 * each.stored.samples for each in there)
        return Found(Corpus(segments, name=self.shards.name, skipped=skipped), there, self.cache.root, size,
                     consent_told(self._consents, self._voice))

    def _items(self, shard: int, told: dict[str, Any]) -> tuple[list[Segment], list[Recording]]:
        key = self.key_of(shard)
        found = items_of(told, self.cache.folder(key), self.shards.names[shard], self.shards.places[shard])
        if self._told is None and not self.cache.is_prepared(key, self._model_key):
            with self.cache.held(key):  # a model that no other process can build
                self.cache.prepare(key, self._model_key, self.model, found[0])
        return found

    def _check_first(self, there: Sequence[Recording], skipped: Sequence[Skipped]) -> None:
        if not there:
            told = "; ".join(f"{each.name}: {each.reason}" for each in skipped[:NAMED])
            raise BadInput(f"{self.shards.name}: no recording that can be used in the first window "
                           f"({told or 'there is none'})")
        for text in remarks_of(there):
            self.warn(text)
        if self.per_pass > 1:
            self.warn(f"{len(self.shards_of(0))} of {len(self.shards.places)} shards are learned from at a time, "
                      f"{self.settings.shard_steps} steps each; statistics of the sound and held-out recordings come "
                      "from the first of them")

    def _allowed(self, items: Sequence[Segment], shard: int, skipped: list[Skipped], *, first: bool) -> list[Segment]:
        """Return the parts that may be learned from: not marked, and no voice without consent."""
        kept, marked, _ = without_marked(items, self._marks)
        skipped += marked
        root = Path(self.shards.names[shard] if is_url(self.shards.places[shard]) else self.shards.places[shard])
        allowed, refused = [], ""
        for item in kept:
            try:
                self._consents += [each for each in consents_for([_named(item)], self._voice, roots=[root])
                                   if each not in self._consents]
                allowed.append(item)
            except ComponiumError as error:
                if first:
                    raise
                refused = refused or str(error).splitlines()[0]
                skipped.append(Skipped(item.name, "seems to be a person's voice, without consent"))
        if refused:
            skipped.append(Skipped(self.shards.names[shard], refused))
        return allowed  # type: ignore[return-value]

    def learned_in(self, found: Found) -> list[Segment]:
        """Return the parts of a window that are learned from: what is held out, or never to be seen, is not."""
        return [item for item in found.corpus if isinstance(item, Segment) and item.recording is not None
                and not {item.hash, item.recording.hash} & self.out
                and not (self.settings.unseen and place_of(item.recording.hash) < self.settings.unseen)]

    def prepared(self, items: Sequence[Segment]) -> Prepared | None:
        """Return what the model has prepared of parts; None where nothing is left."""
        try:
            return prepared_of(self.model, items) if items else None
        except BadInput:
            return None

    # what is said

    def data_hash(self, prepared: Prepared) -> str:
        """Return a hash of the list and of the music in the first window."""
        told = [prepared.data_hash, *self.shards.names]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def told(self) -> dict[str, Any]:
        """Return what the file of the run says of the list."""
        return {"count": len(self.shards.places), "first": self.shards.names[0], "last": self.shards.names[-1],
                "windows": self.per_pass}

    def report(self, window: int, found: Found, missing: Missing, items: Iterable[Segment]) -> dict[str, Any]:
        """Return what a window adds to what was learned from: shards with their hashes, recordings, what is missing."""
        by_shard: dict[str, dict[str, Any]] = {}
        used: dict[str, list[Any]] = {}
        for item in items:
            used.setdefault(item.recording.hash, []).append(item)  # type: ignore[union-attr]
        for shard in self.shards_of(window):
            told = None if shard in missing else self.cache.told(self.key_of(shard))
            if told is not None:
                mine = [used.pop(each["hash"]) for each in told["recordings"] if each["hash"] in used]
                rows = [[first.recording.name, first.recording.hash, first.licence, first.source, 1 + len(rest),
                         sum(part.seconds for part in (first, *rest))] for first, *rest in mine]
                by_shard[self.shards.names[shard]] = {"sha256": told["sha256"], "recordings": rows}
        return {"window": window, "missing": {self.shards.names[shard]: reason for shard, reason in missing.items()},
                "shards": by_shard, "skipped": len(found.corpus.skipped)}


def _named(item: Segment) -> Item:
    """Return a part under its recording's name, for what is asked of names."""
    assert item.recording is not None
    return Item(item.recording.name, "audio", Later(lambda: None), path=item.path)  # type: ignore[arg-type]


def recorded_in(folder: Any) -> dict[str, Any]:
    """Return what the folder of a run tells of its windows so far."""
    try:
        told = json.loads((folder.training / RECORD).read_text(encoding="utf-8"))
        return {"windows": dict(told["windows"]), "shards": dict(told["shards"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {"windows": {}, "shards": {}}
