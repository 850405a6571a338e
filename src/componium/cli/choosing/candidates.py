"""Choosing: several candidates of one request, ranked, with a page to see and hear them on.

`check` says before the work what cannot be; `choose` draws candidates with one seed each until there are as many
different ones as asked for, ranks them, and writes a folder: a score file and a sound a candidate, ``candidates.json``,
and ``index.html``. Each candidate is what the verb gives for its seed alone, to the note.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.outputs import PICTURES, SOUNDS, write_json
from componium.cli.show import Progress, counted, progress_bar, quoted, say, warn
from componium.music.errors import BadFile, BadInput

if TYPE_CHECKING:
    from componium.cli.choosing.ranking import Judge
    from componium.music.origin import Origin
    from componium.music.score import Score

MOST_CANDIDATES = 1000
PATIENCE = 25
"""So many seeds in a row (at least) may give nothing new before the search ends."""
REFUSALS = 3
MOST_LETTERS = 40
"""Of the name of a model or a score in the names of candidates."""
LIST = "candidates.json"
PAGE = "index.html"

Make = Callable[[int, Progress], "tuple[Score, Origin]"]
"""The piece of a seed and its origin; `BadInput` where that seed gives none."""
MakeMany = Callable[[Sequence[int], Progress], "list[tuple[Score, Origin]]"]
"""The same for several seeds, faster than one by one; `BadInput` where one of them gives none."""


@dataclass(frozen=True)
class Choice:
    """What is chosen, from what, by what.

    Attributes:
        verb: such as ``"generate"``.
        model: MODEL as the user wrote it.
        stem: of the names: the candidate of seed 3 is ``STEM-seed3.mid``.
        count: how many different candidates are wanted.
        measure: a key of `ranking.MODULES`, ``"all"``, the name of one measure, or ``"likelihood"``.
        on: data to be like; none = a profile that comes with Componium.
        seed: of the first candidate.
        out: the folder.
        words: the command line that makes one piece, without ``--seed`` and ``--out``.
        settings: what else was asked for, name and value, for the page.
        new_from_beats: where what the model added begins; its likelihood is taken from there.
        force: whether an earlier result in the folder is replaced.
    """

    verb: str
    model: str
    stem: str
    count: int
    measure: str
    on: str | None
    seed: int
    out: Path
    words: Sequence[str] = ()
    settings: Sequence[tuple[str, str]] = ()
    new_from_beats: float = 0.0
    force: bool = False


@dataclass
class Candidate:
    """One candidate.

    Attributes:
        seed: what it was made with.
        score: the piece.
        origin: what made it.
        hash: of its notes.
        name: stem of its files.
        rank: 1 is the best.
        distance: from what it is to be like, or nats per token; lower is better, NaN where it cannot be measured.
        values: measure -> value, NaN where the piece has none.
        files: names of what was written, without the sound.
    """

    seed: int
    score: Score
    origin: Origin
    hash: str
    name: str
    rank: int = 0
    distance: float = float("nan")
    values: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


def stem_of(name: str) -> str:
    """Return the beginning of the names of candidates: fit for a file and an address, with room for a seed."""
    from componium.cli.pages.takes import file_names

    return file_names([name])[0][:MOST_LETTERS].rstrip("-.")


def folder_for(out: Path | None, default: str, *, rank: str | None, on: str | None, count: int) -> Path | None:
    """Return the folder for candidates, or None where nothing is to be ranked.

    Raises:
        BadInput: ``--on`` without ``--rank``, ``--rank`` without a ``--count`` to choose from, or an ``--out`` that
            names a file.
    """
    from componium.music.formats import SCORE_EXTENSIONS

    if rank is None:
        if on is not None:
            raise BadInput("--on says what the candidates are to be like: it needs --rank, such as --rank harmony")
        return None
    if not 2 <= count <= MOST_CANDIDATES:
        raise BadInput(f"--rank {rank} ranks several candidates: add --count 8 (2 to {MOST_CANDIDATES})")
    if out is not None and out.suffix.lower() in (*SCORE_EXTENSIONS, *PICTURES, *SOUNDS):
        raise BadInput(f"--rank writes a folder of candidates, and {out} names a file: use --out FOLDER")
    return Path(default) if out is None else out


def check(choice: Choice) -> None:
    """Raise before the model is loaded where the folder is in the way or nothing is called so that could rank."""
    from componium.cli.choosing import ranking
    from componium.cli.pages.folder import check_folder

    check_folder(choice.out, force=choice.force)
    if choice.out.is_dir() and any(choice.out.iterdir()) and not (choice.out / LIST).is_file():
        raise BadFile(choice.out, "holds other things than candidates; --out DIR takes another folder")
    ranking.check_measure(choice.measure, choice.on)


def choose(choice: Choice, model: Any, make: Make, make_many: MakeMany | None = None) -> list[Candidate]:
    """Draw, rank and write the candidates; return them, the best first.

    Args:
        choice: what is asked for.
        model: the model itself.
        make: composes one piece.
        make_many: composes several at once, where the model can.

    Raises:
        BadInput: the model gives the same piece for every seed, does not judge music, or gives nothing.
        BadFile: the folder cannot be written.
    """
    from componium.cli.choosing.ranking import Judge

    if model.deterministic:
        raise BadInput(f"{choice.model} gives the same piece for every seed, so there is nothing to choose from; "
                       "leave out --count and --rank")
    judge = Judge(choice.measure, choice.on, model, choice.new_from_beats)
    with progress_bar("reading the reference") as progress:
        judge.read(progress)
    with progress_bar("composing") as progress:
        found = list(draw(choice, make, progress, make_many))
    if not found:
        raise BadInput(f"{choice.model} gave no piece with notes for {counted(PATIENCE, 'seed')}; try other settings")
    _tell_of_too_few(choice, found)
    with progress_bar("ranking") as progress:
        rank(found, judge, progress)
    _write(choice, model, judge, found)
    _say(choice, judge, found)
    return found


def draw(choice: Choice, make: Make, progress: Progress, make_many: MakeMany | None = None) -> Iterator[Candidate]:
    """Yield candidates with different notes, with seeds from the one asked for upwards.

    Ends when there are enough, or when `PATIENCE` (or as many as are wanted, if more) seeds in a row gave nothing new.
    Raises what the model raised where it refused the first `REFUSALS` seeds.
    """
    from componium.music.item import hash_of_score

    seen: set[str] = set()
    refused: list[BadInput] = []
    idle = 0
    for seed, made in _stream(choice, make, make_many, progress, seen):
        if isinstance(made, BadInput):
            refused.append(made)
            if len(refused) == REFUSALS and not seen:
                raise refused[0]
        print_of_notes = "" if isinstance(made, BadInput) or not made[0].note_num() else hash_of_score(made[0])
        if print_of_notes and print_of_notes not in seen:
            assert not isinstance(made, BadInput)
            idle = 0
            seen.add(print_of_notes)
            yield Candidate(seed, *made, print_of_notes, f"{choice.stem}-seed{seed}")
        else:
            idle += 1
        if len(seen) == choice.count or idle == max(PATIENCE, choice.count):
            return


def _stream(choice: Choice, make: Make, make_many: MakeMany | None, progress: Progress,
            seen: set[str]) -> Iterator[tuple[int, tuple[Score, Origin] | BadInput]]:
    """Yield each seed from the one asked for upwards with its piece, or the model's refusal, without end.

    Args:
        choice, make, make_many, progress: as of `draw`.
        seen: what was found so far; as many seeds as are missing are composed together.
    """
    start, reached = choice.seed, 0.0
    while True:
        seeds = range(start, start + (choice.count - len(seen) if make_many is not None else 1))

        def part(fraction: float, message: str = "", begin: int = len(seen), size: int = len(seeds)) -> None:
            nonlocal reached
            reached = max(reached, (begin + fraction * size) / choice.count)
            progress(reached, message)

        yield from zip(seeds, _made(seeds, make, make_many, part), strict=True)
        start = seeds.stop


def _made(seeds: Sequence[int], make: Make, make_many: MakeMany | None,
          progress: Progress) -> Iterator[tuple[Score, Origin] | BadInput]:
    """Yield the piece of each seed or the model's refusal: all at once where that works, or else one by one."""
    if make_many is not None and len(seeds) > 1:
        with contextlib.suppress(BadInput):  # one of them gives none: which one is seen one by one
            yield from make_many(seeds, progress)
            return
    for number, seed in enumerate(seeds):
        def part(fraction: float, message: str = "", done: int = number) -> None:
            progress((done + fraction) / len(seeds), message)

        try:
            yield make(seed, part)
        except BadInput as error:
            yield error


def rank(candidates: list[Candidate], judge: Judge, progress: Progress) -> None:
    """Measure candidates and sort them, the best first; what cannot be measured comes last, seeds decide ties."""
    scores = [candidate.score for candidate in candidates]
    for candidate, distance, values in zip(candidates, *judge(scores, progress), strict=True):
        candidate.distance, candidate.values = distance, values
    if all(each.distance != each.distance for each in candidates):
        raise BadInput(f"--rank {judge.measure}: none of the pieces has it (a single line has no harmony); "
                       "rank by pitch, rhythm, structure or all")
    candidates.sort(key=lambda each: (each.distance != each.distance, each.distance, each.seed))
    for number, candidate in enumerate(candidates, start=1):
        candidate.rank = number


def _tell_of_too_few(choice: Choice, found: Sequence[Candidate]) -> None:
    if len(found) < choice.count:
        tried = max(PATIENCE, choice.count)
        warn(f"only {counted(len(found), 'different piece')}, and not {choice.count}: {tried} more seeds in a row gave "
             "nothing new; a higher --temperature or more --bars give more variety")


def _write(choice: Choice, model: Any, judge: Judge, found: Sequence[Candidate]) -> None:
    """Write everything into a new folder, which takes its place when it is complete."""
    from componium.cli.choosing.audition import page
    from componium.cli.pages.folder import new_folder

    old = earlier_files(choice.out)
    with new_folder(choice.out, force=choice.force) as folder:
        for candidate in found:
            candidate.files = _write_score(candidate, folder)
        with progress_bar("engraving and playing") as progress:
            (folder / PAGE).write_text(page(choice, model, judge, found, folder, progress), encoding="utf-8")
        write_json(folder / LIST, listing(choice, judge, found))
        made = {path.name for path in folder.iterdir()}
    for name in old - made:
        (choice.out / name).unlink(missing_ok=True)


def _write_score(candidate: Candidate, folder: Path) -> list[str]:
    """Write a candidate as MIDI and as MusicXML; return the names."""
    from componium.music.formats import write_score

    names = [f"{candidate.name}.mid", f"{candidate.name}.musicxml"]
    for name in names:
        write_score(candidate.score, folder / name, origin=candidate.origin)
    return names


def listing(choice: Choice, judge: Judge, found: Sequence[Candidate]) -> dict[str, Any]:
    """Return what ``candidates.json`` holds."""
    return {"verb": choice.verb, "model": choice.model, "rank": choice.measure, "like": judge.reference,
            "distance": judge.label.lower(), "settings": dict(choice.settings),
            "candidates": [{"rank": each.rank, "seed": each.seed, "name": each.name, "files": each.files,
                            "hash": each.hash, "distance": _number(each.distance),
                            "measures": {name: _number(value) for name, value in each.values.items()}}
                           for each in found]}


def _number(value: float) -> float | None:
    """Return a figure as JSON knows it: None for NaN and infinity."""
    return None if value != value or value in (float("inf"), float("-inf")) else round(float(value), 6)


def earlier_files(out: Path) -> set[str]:
    """Return the names of the files that an earlier choice wrote into a folder: those of its list, and their sounds."""
    try:
        told: Mapping[str, Any] = json.loads((out / LIST).read_text(encoding="utf-8"))
        names = {str(each["name"]) for each in told["candidates"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {path.name for path in out.iterdir() if path.stem in names and path.is_file()
            and path.suffix in (".mid", ".musicxml", ".mp3", ".flac")}


def _say(choice: Choice, judge: Judge, found: Sequence[Candidate]) -> None:
    say(f"wrote {counted(len(found), 'candidate')} to {choice.out}, ranked by {choice.measure} ({judge.reference})")
    for candidate in found[:3]:
        known = candidate.distance == candidate.distance
        told = f"{judge.label.lower()} {candidate.distance:.3f}" if known else "not measured"
        say(f"  {candidate.rank}. {choice.out / candidate.files[0]}   {told}")
    if found[-1].distance != found[-1].distance:
        warn(f"{choice.measure} is not defined for some candidates; they come last")
    say(f"look and listen: {quoted(choice.out / PAGE)}")
