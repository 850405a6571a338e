"""The page of `componium compare`: facts, measures and likelihoods side by side, and examples on equal terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from componium.cli.judging import Subject, size_bytes
from componium.cli.show import Progress

BEST = "\N{BLACK STAR}"
STANDARD_ERRORS = 2.0
MEANING = (
    "Distances are in standard deviations of the reference (of faults, what is more); lower is nearer. "
    f"{BEST} marks the nearest one, only where the next one is farther by more than the width of the floor interval: "
    "what 90 % of random draws of the reference, as many pieces, come to against the rest of it. Below or inside the "
    "floor nothing differs. The ceiling is the reference with its notes shuffled. A star for a likelihood stands where "
    "the difference is more than two standard errors over the pieces that both judged.")
EQUAL_TERMS = ("All examples are transposed to one key ({key}), have one tempo, and are played by the same SoundFont "
               "at the same loudness.")


TOLD_APART = (
    "A classifier (logistic regression on the measures and on counts of notes and intervals) says of excerpts it has "
    "not seen whether they are from the reference: 50 % is guessing, and what lies within the shuffled labels is no "
    "difference that so many pieces can show. It stands in for listeners, and does not replace them: it hears nothing "
    "but these figures. What gives a set away is what it has more (+) or less (-) of than the reference.")


def page(subjects: Sequence[Subject], reference: Any, examples: int, warnings: Sequence[str], again: str,
         progress: Progress) -> str:
    """Return the whole page."""
    from componium.cli.pages import cards, command, document, make_takes, paragraphs, picture, section, table
    from componium.evaluation.picture import distances_picture

    told = [f"{subject.name}: {warning}" for subject in subjects for warning in subject.music.warnings()]
    names, rows = facts(subjects)
    body = section("At a glance", paragraphs(*(f"Note: {each}." for each in (*warnings, *told))),
                   table(["", *names], rows), table(["Mean closeness", *names], closeness_rows(subjects)[1],
                                                    right=range(1, len(names) + 1)))
    pieces, key = example_pieces(subjects, reference, examples)
    takes = make_takes(pieces, progress=progress)
    if takes:
        body += section("Examples", paragraphs(EQUAL_TERMS.format(key=key)), cards(takes))
    png = distances_picture({subject.name: subject.music.all_distances() for subject in subjects},
                            title=f"Beside {reference.name}")
    body += section("Distances", picture(png, "Distance of every measure, with floor and ceiling"))
    body += section("Measures", paragraphs(MEANING), measures(subjects))
    body += section("Told from the reference", paragraphs(TOLD_APART), table(*told_apart_rows(subjects, tells=4)))
    body += section("Likelihood", likelihoods(subjects))
    body += section("Again", command(again))
    return document(" and ".join(subject.name for subject in subjects), body, takes=takes,
                    lead=f"Side by side, beside {reference.name} ({len(reference.items)} pieces).")


def facts(subjects: Sequence[Subject]) -> tuple[list[str], list[list[str]]]:
    """Return the names, and rows of what is known of each: model, training, size, speed, rights, seed."""
    rows: dict[str, Callable[[Subject], str]] = {
        "model": lambda s: "pieces" if s.model is None else s.model.name,
        "settings": lambda s: "-" if s.model is None else _settings(s.model),
        "learned from": lambda s: (s.provenance or {}).get("data", "") or "-",
        "pieces learned": lambda s: str((s.provenance or {}).get("pieces", "-")),
        "licence": lambda s: (s.provenance or {}).get("licence", "") or "-",
        "training time": lambda s: _seconds((s.provenance or {}).get("training_seconds")),
        "size on disk": lambda s: "-" if s.model is None else _bytes(size_bytes(s.word)),
        "pieces measured": lambda s: str(s.music.pieces),
        "bars a piece": lambda s: str(s.bars) if s.bars else "-",
        "seed": lambda s: "-" if s.model is None else str(s.seed),
        "composing": lambda s: "-" if s.model is None else _speed(s),
    }
    return [subject.name for subject in subjects], [[name, *(of(subject) for subject in subjects)]
                                                    for name, of in rows.items()]


def closeness_rows(subjects: Sequence[Subject]) -> tuple[list[str], list[list[str]]]:
    """Return the names, and the mean closeness of each module."""
    modules = list(subjects[0].music.distances)
    near = [subject.music.closeness() for subject in subjects]
    rows = [[module, *("-" if each[module] is None else f"{each[module]:.2f}" for each in near)] for module in modules]
    return [subject.name for subject in subjects], rows


def told_apart_rows(subjects: Sequence[Subject], tells: int) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each subject: how often a classifier tells it from the reference, and by what."""
    header = ["told from the reference", "right", "95 % interval", "shuffled labels", "excerpts", "given away by"]
    rows = []
    for subject in subjects:
        told = subject.told_apart
        if told is None:
            rows.append([subject.name, "-", "-", "-", "-", subject.not_told_apart])
            continue
        by = ", ".join(f"{name} {'+' if weight > 0 else '-'}" for name, weight in told.tells[:tells])
        rows.append([subject.name, f"{told.accuracy:.0%}", f"{told.low:.0%} to {told.high:.0%}",
                     "-" if told.null_low is None else f"{told.null_low:.0%} to {told.null_high:.0%}",
                     f"{told.pieces} and {told.pieces} of {told.beats:g} beats", by])
    return header, rows


def measures(subjects: Sequence[Subject]) -> str:
    """Return the tables of the measures: value and distance of each, floor and ceiling."""
    from componium.cli.pages import table

    names = [subject.name for subject in subjects]
    header = ["Measure", "Unit", "Reference", *names, *(f"Distance: {name}" for name in names), "Floor (90 %)",
              "Ceiling"]
    parts = []
    for module in subjects[0].music.distances:
        rows = []
        for those in zip(*(subject.music.distances[module] for subject in subjects), strict=True):
            if all(each.value is None for each in those):
                continue
            best = best_distance(those)
            first = those[0]
            rows.append([first.measure.name.replace("_", " "), first.measure.unit, first.reference,
                         *(each.value for each in those),
                         *("-" if each.distance is None else f"{each.distance:.2f}{' ' + BEST if place == best else ''}"
                           for place, each in enumerate(those)),
                         None if first.floor_low is None else f"{first.floor_low:.2f} to {first.floor_high:.2f}",
                         first.ceiling])
        if rows:
            parts.append(f"<h3>{module.capitalize()}</h3>" + table(header, rows, right=range(2, len(header))))
    return "".join(parts)


def best_distance(those: Sequence[Any]) -> int | None:
    """Return which distance is smaller than all others by more than the floor interval; None where none is."""
    known = sorted((each.distance, place) for place, each in enumerate(those) if each.distance is not None)
    if len(known) < 2 or len(known) < len(those):
        return None
    widths = [each.floor_high - each.floor_low for each in those if each.floor_high is not None]
    if not widths:
        return None
    return known[0][1] if known[1][0] - known[0][0] > max(widths) else None


def likelihoods(subjects: Sequence[Subject]) -> str:
    """Return the likelihoods side by side, all pieces and leak-free, by voice and place in the beat."""
    from componium.cli.pages import paragraphs, table

    judged = [subject for subject in subjects if subject.likelihood is not None]
    missing = [f"{subject.name}: {subject.not_judged}." for subject in subjects
               if subject.model is not None and subject.likelihood is None]
    if not judged:
        return paragraphs(*missing, "There is no likelihood to show.")
    reports = [subject.likelihood for subject in judged]
    labels = list(dict.fromkeys(row[0] for report in reports for row in report.rows()))
    values = [{row[0]: row for row in report.rows()} for report in reports]
    best = best_likelihood(reports)
    rows = [[label, *(_nats(value.get(label), label, place == best) for place, value in enumerate(values))]
            for label in labels]
    protocols = {report.protocol for report in reports}
    told = [f"{subject.name}: protocol {report.protocol}, {report.tokenisation}. {report.notes()[0]}"
            for subject, report in zip(judged, reports, strict=True)]
    if "native" in protocols and len(reports) > 1:
        told.append("The protocol native counts each model's own tokens: these figures do not compare models.")
    return paragraphs(*missing, *told) + table(["Nats, lower is better (leak-free in brackets)",
                                                *(subject.name for subject in judged)], rows,
                                               right=range(1, len(judged) + 1))


def _nats(row: Any, label: str, best: bool) -> str:
    if row is None:
        return "-"
    clean = f" ({row[2]})" if row[2] != "-" else ""
    return str(row[1]) + clean + (f" {BEST}" if best and label == "nats per token, piece mean" else "")


def best_likelihood(reports: Sequence[Any]) -> int | None:
    """Return whose nats per token are lower than all others', by two standard errors over the pieces of both."""
    if len(reports) < 2 or {report.protocol for report in reports} != {"jsb16"}:
        return None
    tables = [{piece.name: piece.nats_per_token for piece in report.pieces} for report in reports]
    order = sorted(range(len(reports)), key=lambda place: reports[place].all_pieces.piece_mean)
    first = order[0]
    for other in order[1:]:
        shared = sorted(tables[first].keys() & tables[other].keys())
        if len(shared) < 2:
            return None
        apart = np.array([tables[other][name] - tables[first][name] for name in shared])
        if apart.mean() <= STANDARD_ERRORS * apart.std(ddof=1) / np.sqrt(len(apart)):
            return None
    return first


def example_pieces(subjects: Sequence[Subject], reference: Any, count: int) -> tuple[list[Any], str]:
    """Return pieces for the page, the first example of each, then the second of each and so on, and their key."""
    from componium.cli.judging.judgement_page import chosen_pieces
    from componium.cli.pages import Piece
    from componium.music.score import tempo_bpm

    tempo = float(np.median([tempo_bpm(score) for score in reference.scores]))
    chosen = [chosen_pieces(subject.music, subject.items, reference, count) if count else [] for subject in subjects]
    shown = [(subject, *those[number]) for number in range(count)
             for subject, those in zip(subjects, chosen, strict=True) if number < len(those)]
    signature, words = common_signature([subject.items[place].content for subject, place, _ in shown])
    pieces = []
    for subject, place, told in shown:
        item = subject.items[place]
        score, key = on_equal_terms(item.content, tempo, signature)
        pieces.append(Piece(f"{subject.name}, {item.name}", score, name=f"{subject.name}-{item.name}",
                            note=f"{told[:1].upper()}{told[1:]}.", facts=[("Key", key), ("Tempo", f"{tempo:g} bpm")]))
    return pieces, words


def common_signature(scores: Sequence[Any]) -> tuple[int, str]:
    """Return the tonic (0-11) of the major key to which, or to whose relative minor, all go with the least moving."""
    from componium.music.keys import Key

    tonics = [tonic for score in scores if (tonic := major_tonic(score)) is not None]
    best = min(range(12), key=lambda tonic: (sum(abs(_semitones(each, tonic)) for each in tonics), tonic))
    return best, f"{Key.of(best, 'major')} or {Key.of((best + 9) % 12, 'minor')}"


def major_tonic(score: Any) -> int | None:
    """Return the tonic of a piece's key, or of its relative major; None where it has no key."""
    from componium.music.errors import BadInput
    from componium.music.theory import key_of

    try:
        key = key_of(score)[0]
    except BadInput:
        return None
    return int(key.tonic_pitch_class if key.mode == "major" else key.tonic_pitch_class + 3) % 12


def _semitones(tonic: int, wanted: int) -> int:
    """Return the shortest way from one pitch class to another."""
    return (wanted - tonic + 6) % 12 - 6


def on_equal_terms(score: Any, tempo: float, signature: int) -> tuple[Any, str]:
    """Return a piece in the common key, at one tempo, with one instrument, and the key in words."""
    from componium.music.errors import BadInput
    from componium.music.score import Tempo, copy_score, transpose
    from componium.music.theory import key_of

    equal, told, tonic = copy_score(score), "as it is", major_tonic(score)
    if tonic is not None:
        try:
            equal = transpose(score, _semitones(tonic, signature))
            told = str(key_of(equal)[0])
        except BadInput:  # no room to move
            equal = copy_score(score)
    equal.tempos.clear()
    equal.tempos.append(Tempo(0.0, qpm=tempo))
    for track in equal.tracks:
        if not track.is_drum:
            track.program = 0
    return equal, told


def listing(subjects: Sequence[Subject], reference: Any) -> dict[str, Any]:
    """Return everything as JSON data."""
    names, rows = facts(subjects)
    return {"reference": reference.name, "reference_pieces": len(reference.items),
            "subjects": [{"name": name, "facts": {row[0]: row[1 + place] for row in rows},
                          "composing_seconds": subject.composing_seconds or None,
                          "likelihood": None if subject.likelihood is None else subject.likelihood.to_json(),
                          "not_judged": subject.not_judged or None, "music": subject.music.to_json(),
                          "two_sample": None if subject.told_apart is None else subject.told_apart.to_json(),
                          "not_told_apart": subject.not_told_apart or None}
                         for place, (name, subject) in enumerate(zip(names, subjects, strict=True))]}


def _settings(model: Any) -> str:
    """Return the settings of a model that are not the defaults."""
    usual = type(model.config)()
    changed = {key: value for key, value in dataclasses.asdict(model.config).items() if value != getattr(usual, key)}
    return ", ".join(f"{key}={value}" for key, value in changed.items()) or "the defaults"


def _speed(subject: Subject) -> str:
    if subject.composing_seconds <= 0.0:
        return "-"
    pieces = len(subject.items) / subject.composing_seconds
    return f"{pieces:.3g} pieces a second ({pieces * subject.bars:.3g} bars)"


def _seconds(value: Any) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) else "-"


def _bytes(value: int | None) -> str:
    if value is None:
        return "nothing"
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"
