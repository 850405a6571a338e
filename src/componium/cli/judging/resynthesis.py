"""`componium evaluate` for an instrument that learned from recordings: how close it comes to others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from componium.cli.judging import called, class_of, is_music, open_data
from componium.cli.outputs import check_files, write_json, write_text
from componium.cli.show import counted, progress_bar, quoted, say, skipped_lines, table, warn
from componium.music.errors import BadInput

STEM = "evaluation"


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        subject: MODEL.
        on: the recordings.
        count: so many excerpts at most; none = `excerpts.COUNT`.
        seed: of the noise.
        json: where the figures go; none = nowhere.
        out: folder for figures, picture and page; none = nowhere.
        accept_licence: whether the terms of a built-in corpus are accepted.
        force: whether files that are there are replaced.
    """

    subject: str
    on: str
    count: int | None
    seed: int
    json: Path | None
    out: Path | None
    accept_licence: bool
    force: bool

    def files(self) -> list[Path]:
        """Return the files that will be written."""
        folder = [] if self.out is None else [self.out / f"{STEM}{ending}" for ending in (".json", ".png", ".html")]
        return folder + ([] if self.json is None else [self.json])

    def again(self) -> str:
        """Return the command line that measures the same."""
        words = [self.subject, "--on", self.on, "--seed", self.seed]
        words += [] if self.count is None else ["--count", self.count]
        return "componium evaluate " + " ".join(quoted(word) for word in words)


def plays_recordings(subject: str) -> bool:
    """Return whether MODEL is judged on recordings; of a checkpoint only the header is read."""
    from componium.evaluation.resynthesis import is_instrument

    return not is_music(subject) and getattr(class_of(subject), "learns_from", "") == "recordings" and is_instrument(
        class_of(subject))


def check_flags(subject: str, pairs: Any, bars: int | None, training: str | None, protocol: str) -> None:
    """Raise `BadInput` for what has no meaning where an instrument is judged."""
    if pairs:
        raise BadInput(f"{subject} is judged as it is: it plays the curves that it hears, so {next(iter(pairs))}=... "
                       "has no place here")
    for flag, given, why in (("--bars", bars, "is the length of what is composed"),
                             ("--training", training, "is for copies of what a composer learned from; the recordings "
                                                      "that an instrument knows stand in its checkpoint"),
                             ("--protocol", None if protocol == "auto" else protocol, "is for models of scores")):
        if given is not None:
            raise BadInput(f"{flag} {why}; {subject} is an instrument")


def judge_resynthesis(asked: Asked) -> None:
    """Measure, show and write.

    Raises:
        BadInput: an untrained model, or no recording that can be used.
        BadFile: the recordings cannot be read, or a file is in the way.
    """
    from componium import registry
    from componium.cli.sounding import tell_consent
    from componium.evaluation.excerpts import COUNT
    from componium.evaluation.resynthesis import resynthesis

    if asked.count == 0:
        raise BadInput(f"--count 0 leaves no excerpt to judge; without --count, {COUNT} are taken")
    check_places(asked)
    model = registry.load(asked.subject)
    with progress_bar("reading") as progress:
        corpus = open_data(asked.on, asked.accept_licence, progress)
    with progress_bar("judging") as progress:
        report = resynthesis(model, corpus, name=called(asked.subject), count=asked.count or COUNT, seed=asked.seed,
                             progress=progress)
    written = write(asked, report, model)
    show(report)
    tell_consent(report.model, model)
    for line in written:
        say(line)


def check_places(asked: Asked) -> None:
    """Raise where a file is in the way."""
    if asked.out is not None and asked.out.is_file():
        raise BadInput(f"--out {asked.out} is a file; name a folder, or write --json FILE")
    check_files(asked.files(), force=asked.force)


def show(report: Any) -> None:
    """Write the tables, and the sentences below them."""
    say(f"{report.model} on {report.data}: {counted(len(report.pairs), 'excerpt')} "
        f"({report.seconds:.0f} s) of {counted(report.recordings, 'recording')} at {report.sample_rate_hz} Hz, "
        f"pitch by {report.tracker}")
    table(list(report.COLUMNS), report.rows(), right=range(1, len(report.COLUMNS)))
    say("\nnotes (medians)")
    table(list(report.NOTE_COLUMNS), report.note_rows(), right=(1, 2))
    say("\na tune and a row of velocities, played")
    table(["", ""], report.played_rows(), right=(1,))
    for text in report.messages():
        if text.startswith("WARNING: "):
            warn(text.removeprefix("WARNING: "))
        else:
            say(text)
    for line in skipped_lines(report.skipped):
        say(line)


def write(asked: Asked, report: Any, model: Any) -> list[str]:
    """Write what was asked for, each file complete or not at all; returns what to say of it."""
    from componium.cli.judging.resynthesis_page import page, picture_of
    from componium.music.files import replacing

    told = report.to_json()
    if asked.json is not None:
        write_json(asked.json, told)
    lines = [] if asked.json is None else [f"wrote {asked.json}"]
    if asked.out is None:
        return lines or ["with --out FOLDER: this as JSON, as a picture and as a page to listen by"]
    data, picture, site = asked.files()[:3]
    with progress_bar("drawing and encoding") as progress:
        png = picture_of(asked, report, model)
        html = page(report, png, asked.again(), model.provenance, progress)
    write_json(data, told)
    with replacing(picture) as temporary:
        temporary.write_bytes(png)
    write_text(site, html)
    return [*lines, f"wrote {data}, {picture.name} and {site.name}"]
