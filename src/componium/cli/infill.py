"""`componium infill`: compose some bars of a piece anew."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli import composing
from componium.cli.choosing import folder_for
from componium.cli.flags import Force, Model, On, Rank, Seed, Settings, Temperature
from componium.cli.harmonize import faults_told
from componium.cli.outputs import write_piece
from componium.cli.settings import listened, pairs_only
from componium.cli.show import Progress, counted, new_app, progress_bar
from componium.music.errors import BadInput
from componium.music.origin import Origin

app = new_app()


@app.command(epilog="""\b
Examples:
  componium infill chorale-rnn score.mid --where 3-4 --seed 1 --out i.mid
  componium infill chorale-rnn score.musicxml --where 3-4,7 --out i.musicxml
  componium infill chorale-rnn score.mid --where 5 --count 8 --rank harmony --out candidates/

\b
Bars are numbered from 1, the first full one; a pickup is bar 0. Everything outside them stays as it is: notes with
their times and loudness, tempo, markers, names. A note that is held into the bars stays too. key=value words are
arguments of the model; 'componium info MODEL' lists them.""")
def infill(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The score.")],
    settings: Settings = None,
    where: Annotated[str, typer.Option(metavar="BARS", show_default=False,
                                       help="The bars to compose anew, such as 3-4 or 3-4,7.")] = "",
    seed: Seed = None,
    temperature: Temperature = None,
    count: Annotated[int, typer.Option(min=1, help="How many candidates to choose from; with --rank.")] = 1,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The file to write; with --rank, a folder.  [default: FILE-infilled.mid]")] = None,
    rank: Rank = None,
    on: On = None,
    force: Force = False,
) -> None:
    """Compose some bars anew: write the piece with new music there, and nothing else changed."""
    pairs = pairs_only(settings or [], "infill")
    composing.check_order("infill", model, file)
    if not where.strip():
        raise BadInput(f"which bars? componium infill {model} {file} --where 3-4")
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    asked = Asked(model, pairs, file, where, chosen, temperature)
    folder = folder_for(out, f"{file.stem}-candidates", rank=rank, on=on, count=count)
    if folder is not None and rank is not None:
        rank_pieces(asked, count, rank, on, folder, force=force)
        return
    path = composing.one_path(out, f"{file.stem}-infilled.mid", count, "harmony", force=force)
    ready = prepare(asked)
    with progress_bar("composing") as progress:
        piece, origin = make(ready, progress)
        write_piece(piece, path, title_of(ready), origin)
    composing.tell(path, ready, counts_told(ready, piece),
                   [*listened(ready.model, ready.score, ready.arguments), *faults_told(piece, ready.places)])


@dataclass(frozen=True)
class Asked:
    """All that decides how bars are composed anew.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        file: the score.
        where: the bars.
        seed: of the new music.
        temperature: none = the model's own.
    """

    model: str
    pairs: dict[str, str]
    file: Path
    where: str
    seed: int
    temperature: float | None = None


@dataclass(frozen=True)
class Ready(composing.Ready):
    """What all such verbs have ready, and the passages."""

    places: Sequence[Any] = ()


def prepare(asked: Asked) -> Ready:
    """Load the model, read the score and find the bars.

    Raises:
        BadInput: no such model, it cannot infill, a word belongs to nobody, or the score has no such bars.
        BadFile: the score cannot be read.
    """
    from componium.music.where import passages

    loaded, score, arguments = composing.opened(asked, "infill", "infill")
    try:
        places = passages(score, asked.where)
    except BadInput as error:
        raise BadInput(f"{asked.file}: {error}") from None
    origin = composing.origin_of(asked, "infill", loaded,
                                 {"where": asked.where, "temperature": asked.temperature, "words": asked.pairs})
    where = ",".join(str(place) for place in places)
    return Ready(asked, loaded, score, {**arguments, "where": where}, origin, places)


def make(ready: Ready, progress: Progress, *, seed: int | None = None) -> tuple[Any, Origin]:
    """Return the piece with its new bars, and its origin; the same for the same `Asked`, whoever asks.

    Args:
        ready: what `prepare` returned.
        progress: told how far it is.
        seed: another one than asked for, for several candidates from one model.

    Raises:
        BadInput: the model cannot do this, or changed something outside the bars.
    """
    from componium.music.where import changes_outside

    piece, origin = composing.composed(ready, "infill", progress, seed)
    changed = changes_outside(ready.score, piece, ready.places)
    if changed:
        raise BadInput(f"the model {ready.model.name} changed more than bars {ready.arguments['where']}, so nothing "
                       f"was written; this is a fault of the model ({changed[0]})")
    return piece, origin


def counts_told(ready: Ready, piece: Any) -> str:
    """Return in words what was composed and what was kept."""
    from componium.music.where import note_counts

    kept = 0
    for old, new in zip(ready.score.tracks, piece.tracks, strict=True):
        same = note_counts(old) == note_counts(new)  # such as drums, which stay
        kept += sum(note_counts(new, () if same else ready.places).values())
    words = ready.arguments["where"]
    many = any(letter in words for letter in "-,")
    new = piece.note_num() - kept
    told = counted(new, "note") if new else "no notes: rests, or what is held into it from before"
    return f"bar{'s' if many else ''} {words} composed ({told}), {counted(kept, 'note')} outside untouched"


def rank_pieces(asked: Asked, count: int, measure: str, on: str | None, folder: Path, *, force: bool) -> None:
    """Write candidates, the best first, into a folder with an audition page."""
    from componium.cli.choosing import Choice, stem_of

    choice = Choice("infill", asked.model, f"{stem_of(asked.file.stem)}-infilled", count, measure, on, asked.seed,
                    folder, composing.words_of("infill", asked), composing.told_settings(asked), force=force)
    composing.rank(choice, asked, prepare, make, lambda ready: float(ready.places[0].start_beats))


def title_of(ready: Ready) -> str:
    """Return the title of a picture of the piece."""
    return f"{ready.asked.file.stem}, bars {ready.arguments['where']} anew"
