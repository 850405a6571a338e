"""Reference: a set of pieces that others are compared with, measured as it is and shuffled, and kept.

What was measured is kept in the cache under the content of the scores (notes, tempi, meters, keys, markers) and the
text of the programs that measure, so that a change of either measures anew. A set of few pieces is not kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from componium.evaluation.distance import shuffled
from componium.evaluation.measuring import FEW, MODULES, Values, described, measure_set
from componium.interface import Progress, silent
from componium.music.cache import keep, pack_scores, recall
from componium.music.corpus import Corpus, Skipped, open_corpus
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.score import Score

SHUFFLE_SEED = 1
OPENING_SHARE = 0.15
"""Of the progress bar, for opening the data."""

Data = str | Path | Corpus | Sequence[Item] | Sequence[str | Path] | Sequence[Score]


@dataclasses.dataclass(frozen=True)
class Reference:
    """A set of pieces that others are compared with.

    Attributes:
        name: of the set.
        items: its pieces.
        values: measure -> [N].
        disordered: the same of the shuffled pieces (seed 1).
        skipped: what was left out.
    """

    name: str
    items: tuple[Item, ...]
    values: Values
    disordered: Values
    skipped: tuple[Skipped, ...] = ()

    @property
    def scores(self) -> list[Score]:
        """Its scores."""
        return [item.content for item in self.items if isinstance(item.content, Score)]

    @property
    def ties_unknown(self) -> bool:
        """Whether most of its pieces do not tell held from repeated notes (the benchmark's format)."""
        return 2 * sum(item.grid is not None and not item.grid.ties_known for item in self.items) > len(self.items)


def open_scores(data: Data, progress: Progress = silent) -> tuple[str, tuple[Item, ...], tuple[Skipped, ...]]:
    """Return name, items that are scores, and what was left out of anything that stands for music.

    Raises:
        BadInput: there is no score in it.
        BadFile: it cannot be read.
    """
    if isinstance(data, Sequence) and not isinstance(data, str | Corpus) and data:
        if all(isinstance(each, Score) for each in data):
            data = Corpus([Item(f"piece {number}", "score", each) for number, each in enumerate(data, 1)
                           if isinstance(each, Score)], name=f"{len(data)} scores")
        elif all(isinstance(each, Item) for each in data):
            data = Corpus([each for each in data if isinstance(each, Item)], name="items")
    corpus = data if isinstance(data, Corpus) else open_corpus(data, progress=progress)  # type: ignore[arg-type]
    items = tuple(item for item in corpus if item.kind == "score" and isinstance(item.content, Score)
                  and item.content.note_num())
    if not items:
        first = f" (the first left out: {corpus.skipped[0].name}: {corpus.skipped[0].reason})" if corpus.skipped else ""
        raise BadInput(f"{corpus.name} holds no scores with notes, so there is nothing to measure{first}")
    return corpus.name, items, tuple(corpus.skipped)


def measured_reference(data: Data, *, modules: Sequence[str] = MODULES, progress: Progress = silent) -> Reference:
    """Measure a reference and its shuffled form, or take from the cache what is kept of that.

    Raises:
        BadInput: there is no score in it.
        BadFile: it cannot be read.
    """
    name, items, skipped = open_scores(data, _part(progress, 0.0, OPENING_SHARE))
    scores = [item.content for item in items if isinstance(item.content, Score)]
    digests = [content_digest(score) for score in scores]
    middle = (1.0 + OPENING_SHARE) / 2
    values = _kept("plain", scores, digests, modules, _part(progress, OPENING_SHARE, middle))
    mixed = _kept("shuffled", scores, digests, modules, _part(progress, middle, 1.0))
    progress(1.0, f"{len(scores)} pieces")
    return Reference(name, items, values, mixed, skipped)


def content_digest(score: Score) -> str:
    """Return a hash of all that measures read: notes by track, tempi, meters, keys and markers."""
    digest = hashlib.sha256()
    for name, array in pack_scores([score]).items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def disordered_form(score: Score, digest: str) -> Score:
    """Return the score shuffled, by a seed of its own that only its content decides."""
    return shuffled(score, np.random.default_rng([SHUFFLE_SEED, int(digest[:15], 16)]))


@functools.cache
def programs_version() -> str:
    """Return a hash of the programs that measure."""
    folder = Path(__file__).parent
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted([*folder.rglob("*.py"), *(folder.parent / "music").rglob("*.py")]):
        with contextlib.suppress(OSError):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept(form: str, scores: Sequence[Score], digests: Sequence[str], modules: Sequence[str],
          progress: Progress) -> Values:
    """Return the measures of a set in plain or shuffled form: what is kept by module, and the rest measured."""
    order = np.argsort(np.array(digests), kind="stable")
    key = hashlib.sha256("".join(digests[place] for place in order).encode()).hexdigest()[:32]
    found: dict[str, Values] = {}
    for module in modules:
        stored = recall(f"measures/{form}-{module}-{key}", programs_version())
        names = [measure.name for measure, _ in described([module])]
        if stored is not None and all(name in stored and len(stored[name]) == len(scores) for name in names):
            found[module] = {name: np.asarray(stored[name], np.float64) for name in names}
    missing = [module for module in modules if module not in found]
    if missing:
        pieces = [scores[place] if form == "plain" else disordered_form(scores[place], digests[place])
                  for place in order]
        fresh = measure_set(pieces, missing, progress=progress)
        for module in missing:
            found[module] = {measure.name: fresh[measure.name] for measure, _ in described([module])}
            if len(scores) >= FEW:
                keep(f"measures/{form}-{module}-{key}", programs_version(), found[module])
    back = np.argsort(order, kind="stable")
    return {name: column[back] for module in modules for name, column in found[module].items()}


def _part(progress: Progress, begin: float, end: float) -> Progress:
    def part(done: float, message: str = "") -> None:
        progress(begin + done * (end - begin), message)

    return part
