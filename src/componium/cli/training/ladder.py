"""`componium generate DIR@all`: the same seed through every step that a training kept, from noise to music."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.outputs import check_file, check_score_format, out_path, write_piece
from componium.cli.show import counted, progress_bar, quoted, say, warn
from componium.music.errors import BadInput

if TYPE_CHECKING:
    from componium.cli.generate import Asked
    from componium.cli.pages import Piece
    from componium.music.origin import Origin
    from componium.music.score import Score

ALL = "@all"
PAGES = (".html", ".htm")


@dataclasses.dataclass(frozen=True)
class Rung:
    """One kept step of a training.

    Attributes:
        step: number of updates; none where the last weights do not tell theirs.
        model: MODEL of it, such as ``"DIR@500"``.
        figures: what was measured of it.
    """

    step: int | None
    model: str
    figures: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return the step as it stands in file names: ``"000500"``."""
        return "last" if self.step is None else f"{self.step:06d}"


@dataclasses.dataclass(frozen=True)
class Made:
    """What a rung composed."""

    rung: Rung
    score: Score
    origin: Origin


def is_ladder(model: str) -> bool:
    """Tell whether MODEL stands for all kept steps of a training."""
    return model.endswith(ALL) and not Path(model).exists()


def rungs(model: str) -> list[Rung]:
    """Return the kept steps of a training, in order, its last weights included.

    Raises:
        BadInput: no such folder, or it keeps no steps.
    """
    from componium import checkpoint, registry
    from componium.music.errors import BadFile

    name = model.removesuffix(ALL)
    folder = Path(name)
    if not folder.is_dir():
        raise BadInput(f"{name}: no such folder (DIR{ALL} stands for the steps that a training in DIR kept)")

    def told(place: str) -> dict[str, Any] | None:
        try:
            return checkpoint.header_of(folder / "steps" / place)
        except BadFile as error:
            if (folder / "steps" / place).exists():
                warn(f"{error}; it is left out")
            return None

    found = [Rung(step, f"{name}@{step}", header["figures"]) for step in registry.steps_of(folder)
             if (header := told(str(step))) is not None]
    last = told("last")
    if last is not None:
        step = last["provenance"].get("steps")
        step = step if isinstance(step, int) else None
        if step is None or all(rung.step is not None and rung.step < step for rung in found):
            found.append(Rung(step, f"{name}@last", last["figures"]))
    if len(found) < 2:
        raise BadInput(f"{name} kept no ladder of steps; the next training does with --keep log (steps 1, 2, 4, 8 ...) "
                       "or --keep every=500")
    return found


def generate_ladder(asked: Asked, out: Path | None, stem: str, *, force: bool) -> None:
    """Compose with each kept step and write a file each, or one page with all of them.

    Args:
        asked: the request; its model ends in ``@all``.
        out: the file that gives name and format, a folder, a page (.html), or none.
        stem: of the default name.
        force: whether files that are there are replaced.
    """
    steps = rungs(asked.model)
    target = out_path(out, f"{stem}-seed{asked.seed}.mid")
    page = target.suffix.lower() in PAGES
    if not page:
        check_score_format(target)
    paths = [target] if page else [target.with_name(f"{target.stem}-{rung.label}{target.suffix}") for rung in steps]
    for path in paths:
        check_file(path, force=force)
    made = compose(asked, steps)
    if page:
        _write_page(asked, made, target)
    else:
        for each in made:
            path = target.with_name(f"{target.stem}-{each.rung.label}{target.suffix}")
            write_piece(each.score, path, f"{each.rung.model}, seed {asked.seed}", each.origin)
    where = str(target) if page else f"{paths[0]} to {paths[-1].name}"
    say(f"wrote {where} (seed {asked.seed}): {counted(len(made), 'step')} of {asked.model.removesuffix(ALL)}, "
        f"{asked.bars} bars each")
    if not page:
        again = " ".join(["componium", "generate", quoted(asked.model), "--seed", str(asked.seed), "--out",
                          quoted(target.with_suffix(".html"))])
        say(f"all on one page, to see and hear: {again}")


def compose(asked: Asked, steps: Sequence[Rung]) -> list[Made]:
    """Return what each step composes; a step that composes nothing is told of and left out.

    Raises:
        BadInput: none of them composes.
    """
    from componium.cli.generate import make_one, prepare

    made: list[Made] = []
    refused = ""
    with progress_bar("composing") as progress:
        for number, rung in enumerate(steps):
            def part(fraction: float, _message: str = "", done: int = number, name: str = rung.label) -> None:
                progress((done + fraction) / len(steps), f"step {name}")

            try:
                ready = prepare(dataclasses.replace(asked, model=rung.model))
                made.append(Made(rung, *make_one(ready, part, seed=asked.seed)))
            except BadInput as error:
                refused = f"{rung.model}: {error}"
                warn(f"{refused}; it is left out")
    if not made:
        raise BadInput(refused)
    return made


def _write_page(asked: Asked, made: Sequence[Made], path: Path) -> None:
    from componium.cli import pages
    from componium.cli.pages import Column, command, section

    pieces = [_piece(each) for each in made]
    with progress_bar("engraving and playing") as progress:
        takes = pages.make_takes(pieces, progress=progress)
    name = asked.model.removesuffix(ALL)
    losses = any("loss" in piece.values for piece in pieces)
    columns = [Column("step", "Step"), Column("notes", "Notes"), Column("pitches", "Different pitches"),
               Column("common", "Most common pitch", "share of the notes that have it"),
               *([Column("loss", "Held-out loss", "of the model at that step", 3)] if losses else [])]
    again = f"componium generate {quoted(asked.model)} --seed {asked.seed} --bars {asked.bars} --out {quoted(path)}"
    body = section("Overview", pages.overview(takes, columns, label="Steps"))
    body += section("Steps", pages.cards(takes))
    body += section("The same again", command(again), pages.paragraphs("One step alone:"),
                    command(f"componium generate {quoted(made[0].rung.model)} --seed {asked.seed} --bars {asked.bars} "
                            "--out first.mid"))
    steps = counted(len(made), "kept step")
    lead = f"{steps} of one training: {asked.bars} bars each, composed with seed {asked.seed}."
    pages.write_page(path, pages.document(f"How {Path(name).name} learned", body, lead=lead, takes=takes,
                                          foot="Composed by a program. This page loads nothing from any network."))


def _piece(made: Made) -> Piece:
    from componium.cli.pages import Piece

    pitches = Counter(int(note.pitch) for track in made.score.tracks for note in track.notes)
    notes = sum(pitches.values())
    values: dict[str, Any] = {"step": made.rung.step if made.rung.step is not None else "last", "notes": notes,
                              "pitches": len(pitches),
                              "common": max(pitches.values()) / notes if notes else None}
    loss = next((value for name, value in made.rung.figures.items()
                 if "held_out" in name and isinstance(value, int | float)), None)
    if loss is not None:
        values["loss"] = float(loss)
    facts = [("Notes", notes), ("Different pitches", len(pitches)), ("Model", made.rung.model)]
    title = f"Step {made.rung.step:,}" if made.rung.step is not None else "Last step"
    return Piece(title, made.score, values=values, facts=facts, name=f"step-{made.rung.label}",
                 note="" if notes else "It composed only silence.", comment=made.origin.comment(music=""))
