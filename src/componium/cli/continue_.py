"""`componium continue`: go on where a piece stops."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli import composing
from componium.cli.choosing import folder_for
from componium.cli.composing import Ready
from componium.cli.flags import Force, Model, On, Rank, Seed, Settings, Temperature
from componium.cli.generate import told_settings
from componium.cli.outputs import write_piece
from componium.cli.settings import listened, pairs_only
from componium.cli.show import Progress, new_app, progress_bar
from componium.music.origin import Origin

app = new_app()


@app.command(epilog="""\b
Examples:
  componium continue my.markov a.mid --bars 4 --seed 2 --out b.mid
  componium continue my.markov sketch.musicxml --bars 8 --temperature 0.9 --out longer.musicxml
  componium continue my.markov a.mid --bars 4 --count 8 --rank harmony --out candidates/

\b
The piece itself stays as it is, to the note. key=value words are arguments of the model;
'componium info MODEL' lists them.""")
def continue_(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The score to go on from.")],
    settings: Settings = None,
    bars: Annotated[int, typer.Option(min=1, help="How many bars to add.")] = 8,
    seed: Seed = None,
    temperature: Temperature = None,
    count: Annotated[int, typer.Option(min=1, help="How many candidates to choose from; with --rank.")] = 1,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The file to write; with --rank, a folder.  [default: FILE-continued.mid]")] = None,
    rank: Rank = None,
    on: On = None,
    force: Force = False,
) -> None:
    """Go on where a piece stops: write the piece, unchanged, followed by new bars."""
    pairs = pairs_only(settings or [], "continue")
    composing.check_order("continue", model, file)
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    folder = folder_for(out, f"{file.stem}-candidates", rank=rank, on=on, count=count)
    if folder is not None and rank is not None:
        rank_pieces(Asked(model, pairs, file, bars, chosen, temperature), count, rank, on, folder, force=force)
        return
    path = composing.one_path(out, f"{file.stem}-continued.mid", count, "harmony", force=force)
    ready = prepare(Asked(model, pairs, file, bars, chosen, temperature))
    with progress_bar("composing") as progress:
        piece, origin = make(ready, progress)
        write_piece(piece, path, title_of(ready), origin)
    kept = ready.score.note_num()
    composing.tell(path, ready, f"{kept} notes kept, {piece.note_num() - kept} added",
                   listened(ready.model, ready.score, ready.arguments))


@dataclass(frozen=True)
class Asked:
    """All that decides how a piece goes on.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        file: the score to go on from.
        bars: how many to add.
        seed: of the new bars.
        temperature: none = the model's own.
    """

    model: str
    pairs: dict[str, str]
    file: Path
    bars: int
    seed: int
    temperature: float | None = None


def prepare(asked: Asked) -> Ready:
    """Load the model and read the score.

    Raises:
        BadInput: no such model, it cannot continue, or a word belongs to nobody.
        BadFile: the score cannot be read.
    """
    loaded, score, arguments = composing.opened(asked, "continue", "continue_")
    origin = composing.origin_of(asked, "continue", loaded,
                                 {"bars": asked.bars, "temperature": asked.temperature, "words": asked.pairs})
    return Ready(asked, loaded, score, {**arguments, "bars": asked.bars}, origin)


def make(ready: Ready, progress: Progress, *, seed: int | None = None) -> tuple[Any, Origin]:
    """Return the piece with its new bars, and its origin; the same for the same `Asked`, whoever asks.

    Args:
        ready: what `prepare` returned.
        progress: told how far it is.
        seed: another one than asked for, for several candidates from one model.
    """
    return composing.composed(ready, "continue_", progress, seed)


def rank_pieces(asked: Asked, count: int, measure: str, on: str | None, folder: Path, *, force: bool) -> None:
    """Write candidates, the best first, into a folder with an audition page."""
    from componium.cli.choosing import Choice, stem_of
    from componium.music.score import end_beats

    stem = f"{stem_of(asked.file.stem)}-continued"
    choice = Choice("continue", asked.model, stem, count, measure, on, asked.seed, folder,
                    composing.words_of("continue", asked), told_settings(asked), force=force)
    composing.rank(choice, asked, prepare, make, lambda ready: end_beats(ready.score))


def title_of(ready: Ready) -> str:
    """Return the title of a picture of the piece."""
    return f"{ready.asked.file.stem}, continued"
