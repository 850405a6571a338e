"""`componium harmonize`: add the missing voices to a melody, a bass, or any voices that are given."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli import composing
from componium.cli.choosing import folder_for
from componium.cli.composing import Ready
from componium.cli.flags import Force, Model, On, Rank, Seed, Settings, Temperature
from componium.cli.outputs import write_piece
from componium.cli.settings import pairs_only
from componium.cli.show import Progress, counted, new_app, progress_bar
from componium.music.errors import BadInput
from componium.music.origin import Origin

app = new_app()
SHOWN_FAULTS = 3
"""Kinds of faults that are named; the rest is counted."""


@app.command(epilog="""\b
Examples:
  componium harmonize chorale-rnn melody.mid --seed 1 --out h.mid
  componium harmonize chorale-rnn melody.musicxml --out h.musicxml       (any score format, MuseScore's too)
  componium harmonize chorale-rnn bassline.mid given=bass                (which voice a single line is)
  componium harmonize chorale-rnn melody.mid method=beam                 (the likeliest, not a drawn one)
  componium harmonize chorale-rnn melody.mid --count 8 --rank harmony --out candidates/

\b
What is given stays as it is, to the note. key=value words are arguments of the model;
'componium info MODEL' lists them.""")
def harmonize(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The score with the voices that are given.")],
    settings: Settings = None,
    seed: Seed = None,
    temperature: Temperature = None,
    count: Annotated[int, typer.Option(min=1, help="How many candidates to choose from; with --rank.")] = 1,
    out: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The file to write; with --rank, a folder.  [default: FILE-harmonised.mid]")] = None,
    rank: Rank = None,
    on: On = None,
    force: Force = False,
) -> None:
    """Add the missing voices: write the given ones, unchanged, with new ones around them."""
    pairs = pairs_only(settings or [], "harmonize")
    composing.check_order("harmonize", model, file)
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    folder = folder_for(out, f"{file.stem}-candidates", rank=rank, on=on, count=count)
    if folder is not None and rank is not None:
        rank_pieces(Asked(model, pairs, file, chosen, temperature), count, rank, on, folder, force=force)
        return
    path = composing.one_path(out, f"{file.stem}-harmonised.mid", count, "harmony", force=force)
    ready = prepare(Asked(model, pairs, file, chosen, temperature))
    with progress_bar("composing") as progress:
        piece, origin = make(ready, progress)
        write_piece(piece, path, title_of(ready), origin)
    composing.tell(path, ready, voices_told(ready.score, piece), faults_told(piece))


@dataclass(frozen=True)
class Asked:
    """All that decides how voices are harmonised.

    Attributes:
        model: MODEL.
        pairs: the ``key=value`` words.
        file: the score with the given voices.
        seed: of the new voices.
        temperature: none = the model's own.
    """

    model: str
    pairs: dict[str, str]
    file: Path
    seed: int
    temperature: float | None = None


def prepare(asked: Asked) -> Ready:
    """Load the model and read the score.

    Raises:
        BadInput: no such model, it cannot harmonise, a word belongs to nobody, or the score has no notes.
        BadFile: the score cannot be read.
    """
    loaded, score, arguments = composing.opened(asked, "harmonize", "harmonize")
    composing.check_notes(score, asked.file, "harmonise")
    origin = composing.origin_of(asked, "harmonize", loaded, {"temperature": asked.temperature, "words": asked.pairs})
    return Ready(asked, loaded, score, arguments, origin)


def make(ready: Ready, progress: Progress, *, seed: int | None = None) -> tuple[Any, Origin]:
    """Return the piece with all voices, and its origin; the same for the same `Asked`, whoever asks.

    Args:
        ready: what `prepare` returned.
        progress: told how far it is.
        seed: another one than asked for, for several candidates from one model.

    Raises:
        BadInput: the model cannot harmonise this, added nothing, or changed a note that was given.
    """
    piece, origin = composing.composed(ready, "harmonize", progress, seed)
    lost = sum((notes_of(ready.score) - notes_of(piece)).values())
    if lost:
        raise BadInput(f"the model {ready.model.name} changed {counted(lost, 'note')} of {ready.asked.file} that were "
                       "to stay, so nothing was written; this is a fault of the model")
    if notes_of(piece) == notes_of(ready.score):
        raise BadInput(f"{ready.asked.file}: the model {ready.model.name} added nothing; leave out the voices that it "
                       "is to compose")
    return piece, origin


def notes_of(score: Any) -> Counter[tuple[float, float, int, int]]:
    """Return how often a score has each note (start, length, pitch, velocity), drums left out."""
    from componium.music.where import note_counts

    return sum((note_counts(track) for track in score.tracks if not track.is_drum), Counter())


def voices_told(given: Any, piece: Any) -> str:
    """Return in words which voices of a piece were given and which are new."""
    from componium.music.where import note_counts

    before = [note_counts(track) for track in given.tracks if len(track.notes) and not track.is_drum]
    full = [track for track in piece.tracks if len(track.notes) and not track.is_drum]
    names = [track.name.lower() or f"voice {place + 1}" for place, track in enumerate(full)]
    kept = [f"{name} kept ({counted(len(track.notes), 'note')})"
            for name, track in zip(names, full, strict=True) if note_counts(track) in before]
    new = [name for name, track in zip(names, full, strict=True) if note_counts(track) not in before]
    if not kept:  # chords of one track that were divided among voices
        return f"all {counted(given.note_num(), 'note')} kept, {piece.note_num() - given.note_num()} composed"
    return f"{listed(kept)}, {listed(new)} composed" if new else listed(kept)


def listed(words: Sequence[str]) -> str:
    """Return ``"a"``, ``"a and b"``, ``"a, b and c"``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def faults_told(piece: Any, places: Sequence[Any] = ()) -> list[str]:
    """Return a line on the faults of part-writing; none for a piece that has no voices to follow.

    Args:
        piece: the score.
        places: passages; where there are any, only the faults in them, or on the way into and out of them, count.
    """
    from componium.evaluation import harmony

    try:
        harmony.validate(piece)
        found = harmony.faults(piece)
    except BadInput:
        return []
    if places:
        found = [fault for fault in found if any(
            fault.start_beats <= place.end_beats and fault.end_beats > place.start_beats for place in places)]
    what = "part-writing there" if places else "part-writing"
    if not found:
        return [f"{what}: no faults"]
    kinds = Counter(fault.kind.replace("_", " ") for fault in found).most_common()
    shown = [f"{count} x {kind}" for kind, count in kinds[:SHOWN_FAULTS]]
    more = sum(count for _, count in kinds[SHOWN_FAULTS:])
    return [f"{what}: {', '.join(shown)}{f', {more} more' if more else ''}; the first: {found[0].text}"]


def rank_pieces(asked: Asked, count: int, measure: str, on: str | None, folder: Path, *, force: bool) -> None:
    """Write candidates, the best first, into a folder with an audition page."""
    from componium.cli.choosing import Choice, stem_of

    choice = Choice("harmonize", asked.model, f"{stem_of(asked.file.stem)}-harmonised", count, measure, on, asked.seed,
                    folder, composing.words_of("harmonize", asked), composing.told_settings(asked), force=force)
    composing.rank(choice, asked, prepare, make)


def title_of(ready: Ready) -> str:
    """Return the title of a picture of the piece."""
    return f"{ready.asked.file.stem}, harmonised"
