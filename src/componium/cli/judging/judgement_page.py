"""The page of `componium evaluate`: the table, a picture of it, the likelihood by voice and place, and some pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from componium.cli.judging import Subject
from componium.cli.show import Progress, counted

SHOWN_PIECES = 4
MEANING = (
    "Each measure is taken of every piece. Its distance says how far the values of the judged pieces lie from those of "
    "the reference (Wasserstein-1), in standard deviations of the reference; of a fault only what is more counts. The "
    "floor is the reference against itself: random draws of as many pieces against the rest, on average, and the "
    "interval that holds 90 % of the draws. A distance within it is no difference. The ceiling is the reference with "
    "its notes shuffled. Closeness is 1 at the floor and 0 at the ceiling; where shuffling does not change a measure "
    "there is none. Overlap is the overlapped area of MGEval, on one grid for both densities.")


def picture_of(subject: Subject) -> bytes:
    """Return the picture of the distances as PNG, with what it was made of in it."""
    from componium.cli.origins import origin_for, used_model
    from componium.evaluation.picture import distances_picture
    from componium.music.origin import DRAWN

    music = subject.music
    title = f"{music.name} beside {music.data}: {music.pieces} and {music.reference_pieces} pieces"
    models = [] if subject.model is None else [used_model(subject.word, subject.model)]
    origin = origin_for(DRAWN, "evaluate", models, seed=subject.seed if models else None, settings={
        "subject": subject.word, "on": music.data, "bars": subject.bars or None,
        "count": music.pieces if models else None,
        **subject.arguments})
    return origin.into(distances_picture({music.name: music.all_distances()}, title=title), ".png")


def page(subject: Subject, reference: Any, png: bytes, again: str, progress: Progress) -> str:
    """Return the whole page."""
    from componium.cli.pages import cards, command, document, make_takes, paragraphs, picture, section, table

    music = subject.music
    warnings = [f"Note: {warning}." for warning in music.warnings()]
    near = [[module, f"{value:.2f}" if value is not None else "-"] for module, value in music.closeness().items()]
    body = section("At a glance", paragraphs(*warnings), table(["Mean closeness", ""], near, right=(1,)))
    chosen = chosen_pieces(music, subject.items, reference)
    takes = make_takes([_piece(subject, place, told) for place, told in chosen], progress=progress)
    body += section("Pieces", paragraphs("The nearest to the reference over all measures, the farthest, and those in "
                                         "between."), cards(takes))
    body += section("Distances", picture(png, "Distance of every measure, with floor and ceiling"))
    body += section("Measures", measures_table(music), paragraphs(MEANING))
    body += likelihood_section(subject)
    body += section("Again", command(again))
    lead = (f"{counted(music.pieces, 'piece')} {_origin(subject)} beside {music.data} "
            f"({counted(music.reference_pieces, 'piece')}).")
    return document(f"{music.name} beside {music.data}", body, lead=lead, takes=takes)


def _origin(subject: Subject) -> str:
    if subject.model is None:
        return "as they are"
    return f"of {subject.bars} bars, composed by {subject.name} (seed {subject.seed})"


def measures_table(music: Any) -> str:
    """Return the table of the measures, a group for each module."""
    from componium.cli.pages import table

    header = ["Measure", "Unit", "Value", "Reference", "Distance", "Floor", "90 % of draws", "Ceiling", "Closeness",
              "Overlap"]
    parts = []
    for module, those in music.distances.items():
        rows = [[each.measure.name.replace("_", " "), each.measure.unit, each.value, each.reference,
                 None if each.distance is None else f"{each.distance:.2f}{' *' if each.differs() else ''}", each.floor,
                 None if each.floor_low is None else f"{each.floor_low:.2f} to {each.floor_high:.2f}", each.ceiling,
                 each.closeness, each.overlap] for each in those if each.value is not None]
        if rows:
            parts.append(f"<h3>{module.capitalize()}</h3>" + table(header, rows, right=range(2, 10)))
    told = "* more than the reference against itself in 95 of 100 draws."
    from componium.cli.pages import paragraphs

    return "".join(parts) + paragraphs(told)


def likelihood_section(subject: Subject) -> str:
    """Return the likelihood with its split by voice and by place in the beat; nothing for a set of pieces."""
    from componium.cli.pages import paragraphs, section, table

    report = subject.likelihood
    if report is None:
        return section("Likelihood", paragraphs(f"{subject.not_judged}.")) if subject.not_judged else ""
    main = table(["", "All pieces", "Leak-free"], [list(row) for row in report.rows() if ", " not in row[0]
                                                   or row[0].startswith(("nats per token", "bits"))], right=(1, 2))
    parts = [split_table("Voice", report.by_voice), split_table("Place in the beat", {
        place_name(key, report.by_place_in_beat): value for key, value in report.by_place_in_beat.items()})]
    return section("Likelihood", paragraphs(f"Protocol {report.protocol}: {report.protocol_text}. Lower is better.",
                                            *report.notes()), main, *parts)


def split_table(heading: str, classes: dict[str, Any]) -> str:
    """Return the likelihood of the cells of each class alone."""
    from componium.cli.pages import table

    return table([heading, "Tokens", "Onsets", "Nats per token", "Nats per onset"],
                 [[name, f"{one.tokens:,}", f"{one.onsets:,}", one.nats_per_token, one.nats_per_onset]
                  for name, one in classes.items()], right=range(1, 5))


def place_name(key: str, every: dict[str, Any]) -> str:
    """Return what a step within the beat is called."""
    steps = len(every)
    return "on the beat" if key == "0" else f"step {key} of {steps}"


def chosen_pieces(music: Any, items: Sequence[Any], reference: Any, count: int = SHOWN_PIECES) -> list[tuple[int, str]]:
    """Return places of pieces from the nearest to the farthest, evenly taken, and what to say of each."""
    import numpy as np

    from componium.evaluation.profile import distances, from_values

    profile = from_values(music.data, reference.values, reference.disordered)
    away = distances(music.values, "all", profile)
    order = np.argsort(np.where(np.isfinite(away), away, np.inf), kind="stable")
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [(int(order[place]), f"number {place + 1} of {len(items)} by nearness to the reference: "
             f"{away[order[place]]:.2f} standard deviations from its middle, on average") for place in places]


def _piece(subject: Subject, place: int, told: str) -> Any:
    from componium.cli.pages import Piece

    item, music = subject.items[place], subject.music
    details = {module.capitalize(): [(f"{each.measure.name.replace('_', ' ')} ({each.measure.unit})",
                                      float(music.values[each.measure.name][place])) for each in those]
               for module, those in music.distances.items()}
    return Piece(item.name if subject.model is None else f"{subject.name}, {item.name}", item.content,
                 note=told[:1].upper() + told[1:] + ".", details=details)


def beside(path: Path) -> tuple[Path, Path, Path]:
    """Return the JSON file, the picture and the page of an evaluation."""
    return path, path.with_suffix(".png"), path.with_suffix(".html")
