"""Training in one call, for models that learn by counting or evolving (`componium.interface.Fits`).

`train` opens the data, lets the model learn, and writes into the model's ``provenance`` what it learned from:
names, content hashes and melody fingerprints (so that `componium.evaluation` can tell whether a figure was
measured on pieces that were learned), sources and licences, the most restrictive of them on its own.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from componium.interface import Fits, Progress, silent
from componium.music.corpus import Corpus, Item, open_corpus
from componium.music.errors import BadInput
from componium.music.licences import most_restrictive
from componium.music.origin import version
from componium.music.provenance import Learned

Data = str | Path | Corpus | Sequence[Item] | Sequence[str | Path]

OPENING_SHARE = 0.3
"""Share of the progress bar that opening the data takes."""


def train(model: Any, data: Data, *, progress: Progress = silent, seed: int = 0,
          budget: str | float | None = None, accept_licence: bool = False, exclude: str | Path | None = None) -> Any:
    """Let a model learn from music.

    Args:
        model: a model that has `fit`; it is changed and returned.
        data: a file, a folder, a built-in name, a list of these, a `Corpus`, or a list of `Item`.
        progress: called with the fraction done; raising `Cancelled` in it stops the work.
        seed: for models whose `fit` takes one; a model that counts gives the same result for every seed.
        budget: time to learn in, as `read_budget` reads it. A model that counts reads the data once and is
            done, whatever the budget; one whose `fit` takes ``budget_seconds`` keeps to it.
        accept_licence: whether you keep to the terms of a built-in corpus that has some.
        exclude: a file of marks (`componium.music.marks`) for items to leave out.

    Returns:
        The same model, its ``provenance`` filled.

    Raises:
        BadInput: the model does not learn, the data holds nothing, or the budget is not a length of time.
        BadFile: the data cannot be read.
        Cancelled: `progress` asked to stop.
    """
    budget_seconds = read_budget(budget)
    if not isinstance(model, Fits):
        raise BadInput(f"the model {name_of(model)} does not learn from a corpus; it works as it is")
    opened = 0.0 if _in_memory(data) else OPENING_SHARE
    corpus = open_data(data, partial(_part, progress, 0.0, opened), accept_licence, exclude)
    started = time.perf_counter()
    asked = {"seed": seed, "budget_seconds": budget_seconds}
    known = inspect.signature(model.fit).parameters
    model.fit(corpus, progress=partial(_part, progress, opened, 1.0),
              **{key: value for key, value in asked.items() if key in known})
    taken_seconds = round(time.perf_counter() - started, 1)
    learner: Any = model
    learner.provenance = provenance_of(corpus, getattr(model, "passed_over", ())) | {"training_seconds": taken_seconds}
    progress(1.0, f"learned from {learner.provenance['pieces']} pieces in {taken_seconds:.1f} s")
    return model


def provenance_of(corpus: Corpus, passed_over: Iterable[tuple[Item, str]] = ()) -> dict[str, Any]:
    """Return what a checkpoint says of the data: name, size, licence, and the record of `Learned`.

    Args:
        corpus: the data.
        passed_over: its items that the model could not use; they were not learned from.
    """
    unused = {id(item) for item, _ in passed_over}
    used = [item for item in corpus if id(item) not in unused]
    learned = Learned.of(used).to_json()
    return {
        "data": corpus.name,
        "pieces": len(used),
        "skipped_pieces": len(corpus.skipped) + len(unused),
        "licence": most_restrictive(learned["licences"]),
        "componium": version(),
        **learned,
    }


_UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600}


def read_budget(budget: str | float | None) -> float | None:
    """Read a length of time: ``"90s"``, ``"2m"``, ``"1h30m"``, or a number of seconds; None stays None.

    Raises:
        BadInput: it is not a length of time, or not above zero.
    """
    if budget is None:
        return None
    text = str(budget).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if parts and "".join(a + b for a, b in parts) == text:
        seconds = sum(float(amount) * _UNITS_SECONDS[unit] for amount, unit in parts)
    else:
        seconds = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0
    if seconds <= 0:
        raise BadInput(f"budget={budget}: a budget is a length of time such as 90s, 2m or 1h30m")
    return seconds


def open_data(data: Data, progress: Progress, accept_licence: bool, exclude: str | Path | None) -> Corpus:
    """Return the corpus of what `train` was given; raises where it holds nothing."""
    if not _in_memory(data):
        return _not_empty(open_corpus(data, accept_licence=accept_licence, exclude=exclude,  # type: ignore[arg-type]
                                      progress=progress))
    corpus = data if isinstance(data, Corpus) else Corpus([item for item in data if isinstance(item, Item)],
                                                          name="items")
    return _not_empty(open_corpus(corpus, exclude=exclude) if len(corpus) else corpus)


def _in_memory(data: Data) -> bool:
    """Whether the data is a corpus or a list of items already."""
    return isinstance(data, Corpus) or (isinstance(data, Sequence) and len(data) > 0
                                        and all(isinstance(item, Item) for item in data))


def _not_empty(corpus: Corpus) -> Corpus:
    if not len(corpus):
        raise BadInput(f"{corpus.name}: there is nothing to learn from in it")
    return corpus


def _part(progress: Progress, begin: float, end: float, done: float, message: str = "") -> None:
    progress(begin + done * (end - begin), message)


def name_of(model: Any) -> str:
    """Return the name of a model, or of its class where it has none."""
    return str(getattr(model, "name", type(model).__name__))
