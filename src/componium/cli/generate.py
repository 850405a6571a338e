"""`componium generate`: compose a new piece, or several."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.choosing import folder_for
from componium.cli.composing import default_stem, words_of
from componium.cli.flags import Force, Model, On, Rank, Seed, Settings, Temperature
from componium.cli.origins import given_file, given_words, model_files, origin_for, used_model
from componium.cli.outputs import check_files, check_score_format, numbered, out_path, write_piece
from componium.cli.settings import flag_arguments, listened, load_with, pairs_only
from componium.cli.show import Progress, new_app, progress_bar, quoted, say
from componium.cli.training.ladder import ALL, generate_ladder, is_ladder
from componium.music.errors import BadInput
from componium.music.origin import GENERATED, Origin

app = new_app()
MOST_PIECES = 10_000


@app.command(epilog="""\b
Examples:
  componium generate grammar --bars 8 --seed 1 --out a.mid
  componium generate grammar example=blues key="F major" --bars 12
  componium generate my.markov --bars 8 --temperature 0.8 --out a.musicxml
  componium generate my.markov --prompt beginning.mid --bars 16 --out whole.mid
  componium generate my.markov --count 20 --out ideas/idea.mid     (idea-01.mid to idea-20.mid)
  componium generate my.markov --out a.png                         (a picture of the notes)
  componium generate my.markov --count 8 --rank harmony --out candidates/    (the best first, on a page)
  componium generate DIR@2000 --seed 1              (step 2000 of a training that kept it: train --keep every=500)
  componium generate DIR@all --seed 1 --out a.mid   (the same seed through all kept steps; a.html: all on a page)

\b
key=value words are arguments of the model; 'componium info MODEL' lists them.""")
def generate(
    model: Model,
    settings: Settings = None,
    bars: Annotated[int, typer.Option(min=1, help="Length in bars; a prompt counts towards it.")] = 8,
    seed: Seed = None,
    temperature: Temperature = None,
    prompt: Annotated[Path | None, typer.Option(metavar="FILE", help="A score to begin with.")] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST_PIECES, help="How many pieces.")] = 1,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The file to write; its ending is its format: .mid .musicxml .abc .json .png ...  "
                             "With --rank, a folder.  [default: MODEL-seedN.mid]")] = None,
    rank: Rank = None,
    on: On = None,
    force: Force = False,
) -> None:
    """Compose a new piece and write it to a file; or several candidates, ranked, to choose from."""
    pairs = pairs_only(settings or [], "generate")
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    if is_ladder(model):
        if count != 1 or rank is not None:
            raise BadInput("DIR@all composes one piece with each kept step: leave --count and --rank out")
        generate_ladder(Asked(model, pairs, bars, chosen, temperature, prompt), out,
                        default_stem(model.removesuffix(ALL)), force=force)
        return
    folder = folder_for(out, f"{default_stem(model)}-candidates", rank=rank, on=on, count=count)
    if folder is not None and rank is not None:
        rank_pieces(Asked(model, pairs, bars, chosen, temperature, prompt), count, rank, on, folder, force=force)
        return
    paths = numbered(out_path(out, f"{default_stem(model)}-seed{chosen}.mid"), count)
    check_score_format(paths[0])
    check_files(paths, force=force)
    ready = prepare(Asked(model, pairs, bars, chosen, temperature, prompt, count))
    with progress_bar("composing") as progress:
        notes = 0
        for (piece, origin), path in zip(make(ready, progress), paths, strict=True):
            write_piece(piece, path, title_of(ready), origin)
            notes += piece.note_num()
    told = "" if ready.model.deterministic else f" (seed {chosen})"
    names = str(paths[0]) if count == 1 else f"{paths[0]} to {paths[-1].name}"
    many = f"{count} pieces of " if count > 1 else ""
    say(f"wrote {names}{told}: {many}{bars} bars, {notes} notes")
    for line in listened(ready.model, ready.arguments.get("prompt"), ready.arguments):
        say(line)
    if paths[0].suffix.lower() in (".mid", ".midi"):
        say(f"listen: componium perform {quoted(paths[0])} --with soundfont")


@dataclass(frozen=True)
class Asked:
    """All that decides what is composed.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        bars: length.
        seed: of the piece, or of the first of several.
        temperature: none = the model's own.
        prompt: a score to begin with.
        count: how many pieces are composed together.
    """

    model: str
    pairs: dict[str, str]
    bars: int
    seed: int
    temperature: float | None = None
    prompt: Path | None = None
    count: int = 1


@dataclass(frozen=True)
class Ready:
    """A loaded model, the arguments of its ability, and the origin of what it will make."""

    asked: Asked
    model: Any
    arguments: dict[str, Any]
    origin: Origin


def prepare(asked: Asked) -> Ready:
    """Load the model and read what was given.

    Raises:
        BadInput: no such model, it cannot generate, or a word belongs to nobody.
        BadFile: the prompt cannot be read.
    """
    loaded, arguments = load_with(asked.model, asked.pairs, "generate", "generate")
    arguments |= flag_arguments(loaded.generate, loaded, temperature=asked.temperature,
                                prompt=read_prompt(asked.prompt))
    given = [given_file("prompt", asked.prompt)] if asked.prompt is not None else []
    origin = origin_for(
        GENERATED, "generate", [used_model(asked.model, loaded)], seed=asked.seed,
        settings={"bars": asked.bars, "temperature": asked.temperature, "words": asked.pairs},
        given=[*model_files(asked.model), *given, *given_words(asked.pairs)])
    return Ready(asked, loaded, {**arguments, "bars": asked.bars}, origin)


def make(ready: Ready, progress: Progress) -> Iterator[tuple[Any, Origin]]:
    """Yield each piece with its origin; the same for the same `Asked`, whoever asks."""
    count, seed = ready.asked.count, ready.asked.seed
    together = count > 1 and hasattr(ready.model, "generate_many")
    for number, piece in enumerate(compose(ready.model, count, seed, ready.arguments, progress)):
        if together:  # which one of how many belongs to what has to be known
            among = {**ready.origin.settings, "count": count, "number": number + 1}
            yield piece, replace(ready.origin, settings=among)
        else:
            yield piece, replace(ready.origin, seed=seed + number)


def make_one(ready: Ready, progress: Progress, *, seed: int) -> tuple[Any, Origin]:
    """Return the piece of a seed and its origin: what ``--seed SEED`` without ``--count`` gives."""
    return ready.model.generate(seed=seed, progress=progress, **ready.arguments), replace(ready.origin, seed=seed)


def make_each(ready: Ready, seeds: Sequence[int], progress: Progress) -> list[tuple[Any, Origin]]:
    """Return `make_one` of each seed, composed together by a model that can."""
    pieces = ready.model.generate_many(count=len(seeds), seed=seeds, progress=progress, **ready.arguments)
    return [(piece, replace(ready.origin, seed=seed)) for seed, piece in zip(seeds, pieces, strict=True)]


def rank_pieces(asked: Asked, count: int, measure: str, on: str | None, folder: Path, *, force: bool) -> None:
    """Write candidates, the best first, into a folder with an audition page."""
    from componium.cli.choosing import Choice, check, choose, stem_of
    from componium.music.score import end_beats

    choice = Choice("generate", asked.model, stem_of(default_stem(asked.model)), count, measure, on, asked.seed, folder,
                    words_of("generate", asked), told_settings(asked), force=force)
    check(choice)
    ready = prepare(asked)
    prompt = ready.arguments.get("prompt")
    choice = replace(choice, new_from_beats=0.0 if prompt is None else end_beats(prompt))
    together = functools.partial(make_each, ready) if hasattr(ready.model, "generate_many") else None
    choose(choice, ready.model, lambda seed, progress: make_one(ready, progress, seed=seed), together)


def told_settings(asked: Any) -> list[tuple[str, str]]:
    """Return what was asked for, name and value."""
    given = {"bars": asked.bars, "temperature": asked.temperature, "prompt": getattr(asked, "prompt", None),
             "score": getattr(asked, "file", None), **asked.pairs}
    return [(name, str(value)) for name, value in given.items() if value is not None]


def title_of(ready: Ready) -> str:
    """Return the title of a picture of a piece."""
    return f"{ready.model.name}, seed {ready.asked.seed}"


def compose(model: Any, count: int, seed: int, arguments: dict[str, Any], progress: Progress) -> Iterator[Any]:
    """Yield ``count`` pieces: composed together where the model can, else one by one with the seeds that follow."""
    if count > 1 and hasattr(model, "generate_many"):
        yield from model.generate_many(count=count, seed=seed, progress=progress, **arguments)
        return
    for number in range(count):
        def part(fraction: float, message: str = "", done: int = number) -> None:
            progress((done + fraction) / count, message)

        yield model.generate(seed=seed + number, progress=part, **arguments)


def read_prompt(path: Path | None) -> Any:
    """Return the score of a prompt, or None."""
    if path is None:
        return None
    from componium.music.formats import read_score

    return read_score(path)
