"""Judging a model beside given music, each by a protocol of its own: voices of chorales that are filled in, seams of
composed passages, answers to phrases, and how well one line is foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from componium.cli.judging import class_of, is_music, open_data
from componium.cli.origins import origin_for, used_model
from componium.cli.outputs import check_files, write_json
from componium.cli.settings import load_with
from componium.cli.show import counted, progress_bar, say, skipped_lines, table, warn
from componium.music.errors import BadInput
from componium.music.origin import GENERATED

PROTOCOLS = {
    "harmonising": "voices of chorales are taken away and filled in: errors against Bach, part-writing, chords",
    "seam": "passages are composed anew: how they join the rest",
    "answering": "the beginnings of pieces are answered: key, meter, contour, rhythm, closure, variety",
    "melody": "melodies are foreseen, 16th by 16th: nats and accuracy beside a chain that counted the same pieces",
}
ABILITIES = {"harmonising": ("harmonize",), "seam": ("infill", "continue_"), "answering": ("respond",),
             "melody": ("log_likelihood",)}
VERBS = {"harmonize": "harmonise", "infill": "infill", "continue_": "continue", "respond": "respond",
         "log_likelihood": "judge how likely music is"}
SEAM_BARS = 2
CALL_BARS = 4
HEARD_PIECES = 8
"""So many pieces of each part are written into the folder of ``--out``."""


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        protocol: a key of `PROTOCOLS`.
        subject: MODEL.
        pairs: the ``key=value`` words.
        on: the data.
        count: so many pieces of the data at most; none = all.
        bars: length of a passage or a call; none = `SEAM_BARS`, `CALL_BARS`.
        seed: of the first piece.
        json, out: where the results go; none = nowhere.
        accept_licence: whether the terms of a built-in corpus are accepted.
        force: whether files that are there are replaced.
    """

    protocol: str
    subject: str
    pairs: dict[str, str]
    on: str
    count: int | None
    bars: int | None
    seed: int
    json: Path | None
    out: Path | None
    accept_licence: bool
    force: bool


def judge_filling(asked: Asked) -> None:
    """Measure, show and write.

    Raises:
        BadInput: the model cannot do this, a word belongs to nobody, or no piece can be used.
        BadFile: the data cannot be read, or a file is in the way.
    """
    if is_music(asked.subject):
        raise BadInput(f"{asked.subject} is music and not a model, so there is nothing to judge by --protocol "
                       f"{asked.protocol}; leave it out")
    if asked.count == 0:
        raise BadInput(f"--count 0 leaves no piece for --protocol {asked.protocol}; without --count, all are taken")
    if asked.bars is not None and asked.protocol == "harmonising":
        raise BadInput("--bars is the length of what is composed; --protocol harmonising fills in whole pieces")
    if asked.bars is not None and asked.protocol == "melody":
        raise BadInput("--bars is the length of what is composed; --protocol melody judges whole pieces")
    check_files(_files(asked), force=asked.force)
    model, arguments = _loaded(asked)
    with progress_bar("reading") as progress:
        corpus = open_data(asked.on, asked.accept_licence, progress)
    measure = {"harmonising": _harmonising, "seam": _seam, "answering": _answering, "melody": _melody}[asked.protocol]
    report = measure(asked, model, corpus, arguments)
    for line in skipped_lines(report.skipped):
        say(line)
    for path in _files(asked):
        write_json(path, report.to_json())
        say(f"wrote {path}")
    if asked.out is not None and asked.protocol == "harmonising":
        say(_write_pieces(asked, report, model))
    if asked.out is not None and asked.protocol == "answering":
        say(_write_answers(asked, report, model))


def _files(asked: Asked) -> list[Path]:
    folder = [] if asked.out is None else [asked.out / f"{asked.protocol}.json"]
    return folder + ([] if asked.json is None else [asked.json])


def _loaded(asked: Asked) -> tuple[Any, dict[str, Any]]:
    """Load the model with the arguments of the ability that is measured; of two, of the first that it has."""
    cls = class_of(asked.subject)
    able = [name for name in ABILITIES[asked.protocol] if hasattr(cls, name)]
    ability = able[0] if able else ABILITIES[asked.protocol][0]
    return load_with(asked.subject, asked.pairs, ability, VERBS[ability])


def _harmonising(asked: Asked, model: Any, corpus: Any, arguments: Mapping[str, Any]) -> Any:
    from componium.evaluation.harmonising import harmonising

    with progress_bar("harmonising") as progress:
        report = harmonising(model, corpus, seed=asked.seed, most=asked.count, progress=progress, **arguments)
    say(f"{report.model} on {report.data}, {counted(report.pieces, 'piece')}, seed {report.seed}: these voices taken "
        "away and filled in; cells are 16ths")
    table(list(report.COLUMNS), report.rows(), right=range(1, len(report.COLUMNS)))
    say("\nthe pieces with these voices, beside Bach's own (means over pieces)")
    table(report.music_columns(), report.music_rows(), right=range(1, len(report.music_columns())))
    _tell(report.notes())
    return report


def _seam(asked: Asked, model: Any, corpus: Any, arguments: Mapping[str, Any]) -> Any:
    from componium.evaluation.seam import seam

    with progress_bar("composing passages") as progress:
        report = seam(model, corpus, bars=asked.bars or SEAM_BARS, seed=asked.seed, most=asked.count,
                      progress=progress, **arguments)
    for ability, each in report.seams.items():
        what = "composed anew" if ability == "infill" else "gone on with"
        judge = f", judged by {report.judge}" if report.judge else ""
        say(f"{report.model} on {report.data}, {counted(each.pieces, 'piece')}, seed {report.seed}: "
            f"{counted(report.bars, 'bar')} {what} in the {report.where}{judge}")
        table(list(each.COLUMNS), each.rows(), right=range(1, len(each.COLUMNS)))
        _tell(each.notes())
        say()
    _tell([report.seen])
    return report


def _answering(asked: Asked, model: Any, corpus: Any, arguments: Mapping[str, Any]) -> Any:
    from componium.evaluation.answering import answering

    with progress_bar("answering") as progress:
        report = answering(model, corpus, bars=asked.bars or CALL_BARS, seed=asked.seed, most=asked.count,
                           progress=progress, **arguments)
    say(f"{report.model} on {report.data}, seed {report.seed}: the first {counted(report.bars, 'bar')} of "
        f"{counted(report.pieces, 'piece')} answered; beside the replies, the same measures of what follows in the "
        "piece, of another piece, and of the call itself")
    table(list(report.COLUMNS), report.rows(), right=range(1, len(report.COLUMNS)))
    say()
    table(list(report.BAND_COLUMNS), report.band_rows(), right=range(1, len(report.BAND_COLUMNS)))
    _tell(report.notes())
    return report


def _melody(asked: Asked, model: Any, corpus: Any, arguments: Mapping[str, Any]) -> Any:
    from componium.evaluation.melody_likelihood import melody_likelihood

    with progress_bar("judging") as progress:
        report = melody_likelihood(model, corpus, most=asked.count, seed=asked.seed, progress=progress, **arguments)
    say(f"{report.model} on {report.data}, {counted(len(report.pieces), 'test piece')}, 16ths of one line: nats, lower "
        "is better")
    table(list(report.COLUMNS), report.rows(), right=range(1, len(report.COLUMNS)))
    if report.leak_free and report.siblings:
        say(f"\nthe {counted(len(report.pieces) - len(report.siblings), 'piece')} that share no melody with what the "
            "model learned from")
        table(list(report.COLUMNS), report.rows(leak_free=True), right=range(1, len(report.COLUMNS)))
    _tell(report.notes())
    return report


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        if note.startswith("WARNING: "):
            warn(note.removeprefix("WARNING: "))
        else:
            say(note)


def _origin(asked: Asked, model: Any) -> Any:
    return origin_for(GENERATED, "evaluate", [used_model(asked.subject, model)], seed=asked.seed, settings={
        "subject": asked.subject, "on": asked.on, "protocol": asked.protocol, "words": asked.pairs})


def _write_answers(asked: Asked, report: Any, model: Any) -> str:
    """Write the first calls with their replies as MIDI to listen to."""
    from componium.cli.pages.takes import file_names
    from componium.cli.respond import after_call
    from componium.music.formats import write_score

    assert asked.out is not None
    stems = file_names(report.names[:HEARD_PIECES])
    paths = [asked.out / f"{stem}-answered.mid" for stem in stems]
    check_files(paths, force=asked.force)
    for path, call, reply in zip(paths, report.calls, report.answers, strict=False):
        write_score(after_call(call, reply), path, origin=_origin(asked, model))
    return f"wrote {counted(len(paths), 'file')} to {asked.out}: the first calls, each with its reply"


def _write_pieces(asked: Asked, report: Any, model: Any) -> str:
    """Write the first pieces, as they were and with each part filled in, as MIDI to listen to."""
    from componium.cli.pages.takes import file_names
    from componium.music.formats import write_score

    assert asked.out is not None
    stems = file_names([piece.name for piece in report.per_piece[:HEARD_PIECES]])
    sets = {"bach": report.originals, **report.made}
    paths = {(part, number): asked.out / f"{stem}-{part}.mid" for part in sets for number, stem in enumerate(stems)}
    check_files(list(paths.values()), force=asked.force)
    for (part, number), path in paths.items():
        origin = None if part == "bach" else _origin(asked, model)
        write_score(sets[part][number], path, origin=origin)
    return (f"wrote {counted(len(paths), 'file')} to {asked.out}: the first {counted(len(stems), 'piece')} as Bach "
            "wrote them, and with each part filled in")
