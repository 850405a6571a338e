"""`componium respond`: answer a phrase with a new one, as a partner in a duet does."""

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
from componium.cli.outputs import write_piece
from componium.cli.settings import listened, pairs_only
from componium.cli.show import Progress, counted, new_app, progress_bar
from componium.music.errors import BadInput
from componium.music.origin import Origin

app = new_app()
REPLY = "Reply"
"""Name of the reply's track in a file with its call."""


@app.command(epilog="""\b
Examples:
  componium respond melody-rnn call.mid --seed 1 --out reply.mid
  componium respond melody-rnn call.mid --with-call --out both.mid     (the call, then its reply, in one file)
  componium respond melody-rnn call.musicxml --temperature 0.8 --out reply.musicxml
  componium respond melody-rnn call.mid --count 8 --rank pitch --with-call --out candidates/

\b
A reply is new music alone: it begins at beat 0, at the tempo and in the meter of the call. With --with-call it follows
the call, which stays as it is, after the next bar line, in a track of its own; candidates are then heard, ranked, and
their likelihood judged, as answers to the call. 'componium models' lists the models, 'componium info MODEL' says
whether one answers phrases, and lists its arguments, which are written key=value.""")
def respond(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="CALL", help="The phrase to answer: a score of a few bars.")],
    settings: Settings = None,
    seed: Seed = None,
    temperature: Temperature = None,
    with_call: Annotated[bool, typer.Option("--with-call", help="Write the call too, before its reply.")] = False,
    count: Annotated[int, typer.Option(min=1, help="How many candidates to choose from; with --rank.")] = 1,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The file to write; with --rank, a folder.  [default: CALL-reply.mid]")] = None,
    rank: Rank = None,
    on: On = None,
    force: Force = False,
) -> None:
    """Answer a phrase: write a new one that replies to it, alone or after its call."""
    pairs = pairs_only(settings or [], "respond")
    composing.check_order("respond", model, file)
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    asked = Asked(model, pairs, file, chosen, temperature, with_call)
    folder = folder_for(out, f"{file.stem}-candidates", rank=rank, on=on, count=count)
    if folder is not None and rank is not None:
        rank_pieces(asked, count, rank, on, folder, force=force)
        return
    path = composing.one_path(out, f"{file.stem}-reply.mid", count, "pitch", force=force)
    ready = prepare(asked)
    with progress_bar("composing") as progress:
        piece, origin = make(ready, progress)
        write_piece(piece, path, title_of(ready), origin)
    composing.tell(path, ready, counts_told(ready, piece), listened(ready.model, ready.score, ready.arguments))


@dataclass(frozen=True)
class Asked:
    """All that decides how a phrase is answered.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        file: the score of the call.
        seed: of the reply.
        temperature: none = the model's own.
        with_call: whether the call stands before its reply.
    """

    model: str
    pairs: dict[str, str]
    file: Path
    seed: int
    temperature: float | None = None
    with_call: bool = False


def prepare(asked: Asked) -> Ready:
    """Load the model and read the call.

    Raises:
        BadInput: no such model, it cannot respond, a word belongs to nobody, or the call has no notes.
        BadFile: the score cannot be read.
    """
    loaded, score, arguments = composing.opened(asked, "respond", "respond")
    composing.check_notes(score, asked.file, "answer")
    settings = {"temperature": asked.temperature, "with_call": asked.with_call or None, "words": asked.pairs}
    return Ready(asked, loaded, score, arguments, composing.origin_of(asked, "respond", loaded, settings))


def make(ready: Ready, progress: Progress, *, seed: int | None = None) -> tuple[Any, Origin]:
    """Return the reply (after its call, where that is asked for) and its origin; the same for the same `Asked`.

    Args:
        ready: what `prepare` returned.
        progress: told how far it is.
        seed: another one than asked for, for several candidates from one model.

    Raises:
        BadInput: the model cannot answer this, or answered without a note.
    """
    reply, origin = composing.composed(ready, "respond", progress, seed)
    if not reply.note_num():
        raise BadInput(f"{ready.asked.file}: the model {ready.model.name} answered with silence for the seed "
                       f"{origin.seed}; another --seed, or a higher --temperature, may give notes")
    return after_call(ready.score, reply) if ready.asked.with_call else reply, origin


def after_call(call: Any, reply: Any) -> Any:
    """Return the call, untouched, and after its last bar the reply, in tracks of its own.

    Where the reply states another tempo, meter or key than holds at the end of the call, that begins with it.
    """
    from componium.music.score import concatenate

    start, bare = reply_beats(call), reply.copy()
    bare.tracks.clear()
    whole = concatenate(call, bare, start)
    full = [track for track in reply.shift_time(start).tracks if len(track.notes)]
    for number, track in enumerate(full, 1):
        track.name = REPLY if number == 1 else f"{REPLY} {number}"
        whole.tracks.append(track)
    return whole


def reply_beats(call: Any) -> float:
    """Return where a reply begins that follows its call: at the bar line after the call's end."""
    from componium.music.score import bars

    return float(bars(call)[-1].end_beats)


def counts_told(ready: Ready, piece: Any) -> str:
    """Return in words what was written."""
    from componium.music.score import bars

    if not ready.asked.with_call:
        return f"a reply of {counted(len(bars(piece)), 'bar')}, {counted(piece.note_num(), 'note')}"
    call, first = ready.score.note_num(), nth(len(bars(ready.score)) + 1)
    new = counted(piece.note_num() - call, "note")
    return f"the call ({counted(call, 'note')} kept), and its reply ({new}) from the {first} bar on"


def nth(number: int) -> str:
    """Return ``"1st"``, ``"2nd"``, ``"11th"`` and so on."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def rank_pieces(asked: Asked, count: int, measure: str, on: str | None, folder: Path, *, force: bool) -> None:
    """Write candidates, the best first, into a folder with an audition page."""
    from componium.cli.choosing import Choice, stem_of

    told = [*composing.told_settings(asked), *([("call", "before each reply")] if asked.with_call else [])]
    words = composing.words_of("respond", asked) + ["--with-call"] * asked.with_call
    choice = Choice("respond", asked.model, f"{stem_of(asked.file.stem)}-reply", count, measure, on, asked.seed, folder,
                    words, told, force=force)
    composing.rank(choice, asked, prepare, make, lambda ready: reply_beats(ready.score) if asked.with_call else 0.0)


def title_of(ready: Ready) -> str:
    """Return the title of a picture of the piece."""
    return f"{ready.asked.file.stem}, {'call and reply' if ready.asked.with_call else 'the reply'}"
