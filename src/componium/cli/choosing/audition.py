"""The audition page: candidates of one request, the best first, to see, hear and compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.pages import Column, Piece, cards, command, document, make_takes, overview, paragraphs, section
from componium.cli.pages.parts import Value, shown
from componium.cli.show import Progress, quoted
from componium.music.errors import BadInput
from componium.music.origin import PERFORMED, Origin

if TYPE_CHECKING:
    from componium.cli.choosing.candidates import Candidate, Choice
    from componium.cli.choosing.ranking import Judge
    from componium.music.score import Score

ENDINGS = {".mid": "MIDI", ".musicxml": "MusicXML"}
MOST_COLUMNS = 10
"""Measures in the table; all of them are folded into each card."""


def page(choice: Choice, model: Any, judge: Judge, found: Sequence[Candidate], folder: Path,
         progress: Progress) -> str:
    """Write the sounds into the folder and return the page as HTML."""
    pieces = [_piece(choice, judge, candidate, folder) for candidate in found]
    takes = make_takes(pieces, sounds_to=folder, progress=progress)
    columns = [Column("rank", "Rank"), Column("distance", judge.label, judge.help, 3), Column("seed", "Seed"),
               Column("notes", "Notes"), Column("faults", "Faults", "of part-writing; each card lists them"),
               *_measures(judge, found)]
    best = found[0]
    body = section("Ranking", paragraphs(judge.text), overview(takes, columns, label="Candidates"))
    body += section("Candidates", cards(takes))
    body += section("How they were made", paragraphs(
        f"{choice.model} ({model.name}), {', '.join(f'{key} {value}' for key, value in choice.settings)}. Each "
        "candidate has a seed of its own, which is in its name; the seed alone makes it again, to the note. The first "
        "one again:"), command(_again(choice, best)))
    lead = f"{len(found)} different candidates, the best first: ranked by {choice.measure}, {judge.reference}."
    return document(f"{len(found)} candidates from {choice.model}", body, lead=lead, takes=takes,
                    foot="Composed by a program. Page, scores and sounds lie in one folder; nothing is loaded from "
                         "any network.")


def _piece(choice: Choice, judge: Judge, candidate: Candidate, folder: Path) -> Piece:
    faults = faults_of(candidate.score)
    rows: dict[str, list[tuple[str, Value]]] = {}
    if faults:
        rows[f"Faults of part-writing: {len(faults)}"] = [(str(n), text) for n, text in enumerate(faults, start=1)]
    for measure, module in judge.measures:
        rows.setdefault(module.capitalize(), []).append(
            (measure.label, candidate.values[measure.name]))
    values: dict[str, Value] = {"rank": candidate.rank, "seed": candidate.seed, "distance": candidate.distance,
                                "notes": candidate.score.note_num(), **candidate.values}
    told = [("Faults of part-writing", str(len(faults)))] if faults is not None else []
    values["faults"] = None if faults is None else len(faults)
    return Piece(f"{candidate.rank}. {candidate.name}", candidate.score, values=values, name=candidate.name,
                 facts=[("Seed", candidate.seed), (judge.label, shown(candidate.distance, 3)), *told],
                 details=rows, links=[(ENDINGS[Path(name).suffix], name) for name in candidate.files],
                 comment=_sound_origin(candidate, folder).comment(music=""))


def faults_of(score: Score) -> list[str] | None:
    """Return the faults of part-writing, a sentence each, or None for a piece that is not for two voices or more."""
    from componium.evaluation import harmony

    try:
        harmony.validate(score)
        return [fault.text for fault in harmony.faults(score)]
    except BadInput:
        return None


def _sound_origin(candidate: Candidate, folder: Path) -> Origin:
    """Return what made the sound of a candidate: its MIDI file, played with the SoundFont."""
    from componium.cli.origins import given_file

    given = given_file("score", folder / candidate.files[0])
    return Origin(PERFORMED, verb="perform", settings={"with": ["soundfont"]}, licence=candidate.origin.licence,
                  licence_class=candidate.origin.licence_class, given=(replace(given, file=candidate.files[0]),))


def _measures(judge: Judge, found: Sequence[Candidate]) -> list[Column]:
    """Return columns for the measures that took part and differ: faults first."""
    chosen = [measure for measure, module in judge.measures if judge.ranks(measure.name, module)
              and len({each.values[measure.name] for each in found if math.isfinite(each.values[measure.name])}) > 1]
    chosen.sort(key=lambda measure: (measure.name != judge.measure, not measure.fault))
    return [Column(measure.name, measure.spoken.capitalize(), f"{measure.help} ({measure.unit})")
            for measure in chosen[:MOST_COLUMNS]]


def _again(choice: Choice, best: Candidate) -> str:
    words = [*choice.words, "--seed", str(best.seed), "--out", best.files[0]]
    return "componium " + " ".join(quoted(word) for word in words)
