"""`componium continue`: go on where a piece stops."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from componium.cli.flags import Force, Model, Seed, Settings, Temperature
from componium.cli.generate import default_stem
from componium.cli.outputs import check_file, check_score_format, out_path, write_piece
from componium.cli.settings import flag_arguments, load_with, pairs_only
from componium.cli.show import new_app, progress_bar, quoted, say

app = new_app()


@app.command(epilog="""\b
Examples:
  componium continue my.markov a.mid --bars 4 --seed 2 --out b.mid
  componium continue my.markov sketch.musicxml --bars 8 --temperature 0.9 --out longer.musicxml
  componium continue grammar a.mid example=blues --bars 12 --out b.mid

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
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write.  [default: FILE-continued.mid]")]
    = None,
    force: Force = False,
) -> None:
    """Go on where a piece stops: write the piece, unchanged, followed by new bars."""
    from componium.music.formats import read_score

    pairs = pairs_only(settings or [], "continue")
    default_stem(model)
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    path = out_path(out, f"{file.stem}-continued.mid")
    check_score_format(path)
    check_file(path, force=force)
    loaded, arguments = load_with(model, pairs, "continue_", "continue")
    score = read_score(file)
    arguments |= flag_arguments(loaded.continue_, loaded, temperature=temperature)
    with progress_bar("composing") as progress:
        piece = loaded.continue_(score, bars=bars, seed=chosen, progress=progress, **arguments)
        write_piece(piece, path, title=f"{file.stem}, continued")
    told = "" if loaded.deterministic else f" (seed {chosen})"
    say(f"wrote {path}{told}: {score.note_num()} notes kept, {piece.note_num() - score.note_num()} added")
    if path.suffix.lower() in (".mid", ".midi"):
        say(f"listen: componium perform {quoted(path)} --with soundfont")
