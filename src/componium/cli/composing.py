"""What `continue`, `harmonize`, `infill` and `respond` share: each lets a model work on a score that is given.

What differs stays in the verbs: what is asked, how it is checked, and what is told of the result. A verb's `Asked` has
``model``, ``pairs``, ``file``, ``seed`` and ``temperature``, and may have ``bars`` and ``where``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.origins import given_file, given_words, model_files, origin_for, used_model
from componium.cli.outputs import check_file, check_score_format, out_path
from componium.cli.settings import flag_arguments, load_with
from componium.cli.show import Progress, quoted, say
from componium.music.errors import BadInput
from componium.music.origin import GENERATED, Origin

if TYPE_CHECKING:
    from componium.cli.choosing import Choice


@dataclass(frozen=True)
class Ready:
    """A loaded model, the score that is given, the arguments, and the origin of what will be made."""

    asked: Any
    model: Any
    score: Any
    arguments: dict[str, Any]
    origin: Origin


# before anything is loaded

def default_stem(model: str) -> str:
    """Return the beginning of a file name for what a model makes."""
    stem = Path(model.rstrip("/\\").rpartition(":")[2]).name
    if not stem:
        raise BadInput(f"{model!r} is not a model; 'componium models' lists them")
    return stem


def check_order(verb: str, model: str, file: Path) -> None:
    """Raise `BadInput` where MODEL is none: it is nothing, or a score, as in ``respond call.mid melody-rnn``."""
    from componium.music.formats import is_score_path

    default_stem(model)
    if is_score_path(Path(model)) and Path(model).is_file():
        meant = str(file) if not is_score_path(file) else "MODEL"
        raise BadInput(f"{model} is a score: the model comes first: componium {verb} {quoted(meant)} {quoted(model)}")


def one_path(out: Path | None, default: str, count: int, measure: str, *, force: bool) -> Path:
    """Return the file to write one piece to.

    Args:
        out: what was asked for.
        default: else.
        count: how many pieces were asked for.
        measure: one that several could be ranked by, as an example.
        force: whether a file that is there may be replaced.

    Raises:
        BadInput: several pieces are asked for, or the ending is no format.
        BadFile: it is there already.
    """
    if count > 1:
        raise BadInput(f"--count {count} gives several candidates to choose from: add --rank {measure}, say")
    path = out_path(out, default)
    check_score_format(path)
    check_file(path, force=force)
    return path


# loading

def opened(asked: Any, verb: str, ability: str) -> tuple[Any, Any, dict[str, Any]]:
    """Load the model and read the score; return both, and the arguments of the ability.

    Raises:
        BadInput: no such model, it cannot do this, or a word belongs to nobody.
        BadFile: the score cannot be read.
    """
    from componium.music.formats import read_score

    loaded, arguments = load_with(asked.model, asked.pairs, ability, verb)
    score = read_score(asked.file)
    return loaded, score, arguments | flag_arguments(getattr(loaded, ability), loaded, temperature=asked.temperature)


def check_notes(score: Any, file: Path, work: str) -> None:
    """Raise `BadInput` for a score without a note that has a pitch: there is nothing to ``work`` in it."""
    if all(track.is_drum or not len(track.notes) for track in score.tracks):
        raise BadInput(f"{file}: there are no notes to {work} in it" + (", only drums" if score.note_num() else ""))


def origin_of(asked: Any, verb: str, model: Any, settings: Mapping[str, Any]) -> Origin:
    """Return the origin of what a model will make of a score; ``settings`` are all that decide it, but the seed."""
    return origin_for(
        GENERATED, verb, [used_model(asked.model, model)], seed=asked.seed, settings=settings,
        given=[*model_files(asked.model), given_file("score", asked.file), *given_words(asked.pairs)])


# composing

def composed(ready: Ready, ability: str, progress: Progress, seed: int | None) -> tuple[Any, Origin]:
    """Return what a model makes of the score, and its origin.

    Args:
        ready: with the arguments.
        ability: the method, e.g. ``"respond"``.
        progress: told how far it is.
        seed: another one than asked for, for several candidates from one model.

    Raises:
        BadInput: the model cannot do this; the message names the file, unless it is about an argument.
    """
    chosen = ready.asked.seed if seed is None else seed
    try:
        made = getattr(ready.model, ability)(ready.score, seed=chosen, progress=progress, **ready.arguments)
    except BadInput as error:
        raise BadInput(_with_file(str(error), ready)) from error
    return made, replace(ready.origin, seed=chosen)


def _with_file(text: str, ready: Ready) -> str:
    """Put the name of the score before a sentence that is about it; one on an argument or a file of rules is left."""
    rules = [value.name for value in ready.arguments.values() if isinstance(value, Path)]
    about_another = re.match(r"\w+=", text) or any(name in text for name in [ready.asked.file.name, *rules])
    return text if about_another else f"{ready.asked.file}: {text}"


def rank(choice: Choice, asked: Any, prepare: Callable[[Any], Any], make: Callable[..., tuple[Any, Origin]],
         new_from_beats: Callable[[Any], float] | None = None) -> None:
    """Write candidates, the best first, into a folder with an audition page.

    Args:
        choice: how many, by which measure, where to.
        asked: of the verb.
        prepare: of the verb; called when all else is known to be right.
        make: of the verb.
        new_from_beats: tells, of what ``prepare`` returned, where the new music begins; none = at the beginning.
    """
    from componium.cli.choosing import check, choose

    check(choice)
    ready = prepare(asked)
    start = 0.0 if new_from_beats is None else new_from_beats(ready)
    choose(replace(choice, new_from_beats=start), ready.model,
           lambda seed, progress: make(ready, progress, seed=seed))


# telling

def tell(path: Path, ready: Ready, what: str, lines: Sequence[str] = ()) -> None:
    """Say what was written, more ``lines`` on it, and how to hear it."""
    told = "" if ready.model.deterministic else f" (seed {ready.asked.seed})"
    for line in (f"wrote {path}{told}: {what}", *lines):
        say(line)
    if path.suffix.lower() in (".mid", ".midi"):
        say(f"listen: componium perform {quoted(path)} --with soundfont")


def words_of(verb: str, asked: Any) -> list[str]:
    """Return the command line that asks for the same, without ``--seed`` and ``--out``."""
    file = getattr(asked, "file", None)
    words = [verb, asked.model, *([str(file)] if file is not None else []),
             *(f"{key}={value}" for key, value in asked.pairs.items())]
    for name in ("bars", "where", "temperature", "prompt"):
        value = getattr(asked, name, None)
        words += [f"--{name}", str(value)] if value is not None else []
    return words


def told_settings(asked: Any) -> list[tuple[str, str]]:
    """Return what was asked for, name and value."""
    given = {"score": asked.file, "bars": getattr(asked, "where", None), "temperature": asked.temperature,
             **asked.pairs}
    return [(name, str(value)) for name, value in given.items() if value is not None]
