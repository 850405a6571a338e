"""`componium generate`: compose a new piece, or several."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force, Model, Seed, Settings, Temperature
from componium.cli.outputs import check_files, check_score_format, numbered, out_path, write_piece
from componium.cli.settings import flag_arguments, load_with, pairs_only
from componium.cli.show import Progress, new_app, progress_bar, quoted, say
from componium.music.errors import BadInput

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
                             "[default: MODEL-seedN.mid]")] = None,
    force: Force = False,
) -> None:
    """Compose a new piece and write it to a file."""
    pairs = pairs_only(settings or [], "generate")
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    paths = numbered(out_path(out, f"{default_stem(model)}-seed{chosen}.mid"), count)
    check_score_format(paths[0])
    check_files(paths, force=force)
    loaded, arguments = load_with(model, pairs, "generate", "generate")
    arguments |= flag_arguments(loaded.generate, loaded, temperature=temperature, prompt=read_prompt(prompt))
    with progress_bar("composing") as progress:
        notes = 0
        pieces = compose(loaded, count, chosen, {**arguments, "bars": bars}, progress)
        for piece, path in zip(pieces, paths, strict=True):
            write_piece(piece, path, title=f"{loaded.name}, seed {chosen}")
            notes += piece.note_num()
    told = "" if loaded.deterministic else f" (seed {chosen})"
    names = str(paths[0]) if count == 1 else f"{paths[0]} to {paths[-1].name}"
    many = f"{count} pieces of " if count > 1 else ""
    say(f"wrote {names}{told}: {many}{bars} bars, {notes} notes")
    if paths[0].suffix.lower() in (".mid", ".midi"):
        say(f"listen: componium perform {quoted(paths[0])} --with soundfont")


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


def default_stem(model: str) -> str:
    """Return the beginning of a file name for what a model makes."""
    stem = Path(model.rstrip("/\\").rpartition(":")[2]).name
    if not stem:
        raise BadInput(f"{model!r} is not a model; 'componium models' lists them")
    return stem
