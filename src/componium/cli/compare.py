"""`componium compare`: several models, or sets of pieces, side by side on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Force, Json
from componium.cli.judging import Subject
from componium.cli.outputs import check_files, write_json, write_text
from componium.cli.show import Progress, counted, new_app, progress_bar, quoted, say, table, warn
from componium.music.errors import BadInput, ComponiumError

app = new_app()
MOST_SUBJECTS = 8


@app.command(epilog="""\b
Examples:
  componium compare first.markov second.markov --on chorales --out page.html
  componium compare my.markov MIDI_FOLDER --on valid.json --out page.html --json page.json
  componium compare a.markov b.markov c.markov --on tunes --count 100 --bars 16 --out page.html

\b
Every model composes --count pieces of the same length with the same seed; all are measured beside DATA. The examples
on the page are in one key, one tempo, one sound and one loudness. A figure is marked as best only where it is better
than the next one by more than the floor interval (DATA against itself). A classifier that has to tell each set from
DATA stands in for a listening test: 50 % is guessing.""")
def compare(
    subjects: Annotated[list[str], typer.Argument(metavar="MODEL_OR_FOLDER...", help="Models or music, two to eight.")],
    on: Annotated[str, typer.Option("--on", metavar="DATA", show_default=False,
                                    help="The reference: a file, a folder or a built-in name.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="PAGE.html", help="The page to write.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many pieces each model composes.")] = 40,
    bars: Annotated[int | None, typer.Option(min=1, help="Their length; without it, the median of DATA.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of composing and of the draws.")] = 1,
    examples: Annotated[int, typer.Option(min=0, max=20, help="Pieces of each to see and hear.")] = 3,
    protocol: Annotated[str, typer.Option(help="How likelihood is measured: auto, jsb16 or native.")] = "auto",
    json: Json = None,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Put models, or music, side by side: measures, likelihood, size, speed, and examples to hear."""
    from componium.cli import judging
    from componium.cli.judging import comparison_page

    check(subjects, on, out, json, force=force)
    judging.check_protocol(protocol)
    with progress_bar("reading") as progress:
        found = find_all(subjects, accept_licence, progress)
        corpus = judging.open_data(on, accept_licence, progress)
    unfair = same_checkpoints(found)
    reference = measure_all(found, corpus, protocol, count, bars, seed)
    unfair += textures(found, corpus)
    assert out is not None
    command = again(subjects, on, count, bars, seed, out)
    with progress_bar("engraving and playing") as progress:
        html = comparison_page.page(found, reference, examples, unfair, command, progress)
    write_text(out, html)
    if json is not None:
        write_json(json, comparison_page.listing(found, reference))
    show(found, reference)
    for warning in unfair:
        warn(warning)
    say(f"wrote {out}" + (f" and {json}" if json is not None else ""))


def check(subjects: Sequence[str], on: str, out: Path | None, json: Path | None, *, force: bool) -> None:
    """Raise before the work where something is missing, given twice, or in the way."""
    if not on:
        raise BadInput(f"beside what? componium compare {' '.join(map(quoted, subjects))} --on DATA --out PAGE.html")
    if out is None:
        raise BadInput("which page should be written? add --out PAGE.html")
    if out.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--out {out}: the comparison is one page; give it a name that ends with .html")
    if not 2 <= len(subjects) <= MOST_SUBJECTS:
        raise BadInput(f"{counted(len(subjects), 'model')}: compare two to {MOST_SUBJECTS}; one alone is what "
                       "'componium evaluate' measures")
    places = [Path(each).expanduser().resolve() for each in subjects]
    twice = [each for number, each in enumerate(subjects) if places[number] in places[:number]]
    if twice:
        raise BadInput(f"{twice[0]} is given twice; there is nothing to compare between a model and itself")
    check_files([path for path in (out, json) if path is not None], force=force)


def find_all(subjects: Sequence[str], accept_licence: bool, progress: Progress) -> list[Subject]:
    """Return all subjects; every one that cannot be used is named, before any work begins."""
    from componium.cli import judging

    found, troubles = [], []
    for number, text in enumerate(subjects):
        progress(number / len(subjects), text)
        try:
            found.append(judging.find(text, {}, accept_licence, lambda *_: None))
            if found[-1].model is not None and not hasattr(found[-1].model, "generate"):
                raise BadInput(f"{text} composes nothing; compare models that compose, or sets of pieces")
        except ComponiumError as error:
            troubles.append(str(error) if text in str(error) else f"{text}: {error}")
    if troubles:
        raise BadInput("; ".join(troubles))
    judging.distinguish(found)
    return found


def same_checkpoints(subjects: Sequence[Subject]) -> list[str]:
    """Return a warning where two of the models are the same under two names."""
    from componium import checkpoint
    from componium.cli.origins import folder_of

    known: dict[str, str] = {}
    told = []
    for subject in subjects:
        folder = None if subject.model is None else folder_of(subject.word)
        digest = "" if folder is None else checkpoint.digest(folder)
        if digest and digest in known:
            told.append(f"{subject.name} and {known[digest]} are the same checkpoint: what differs is their name")
        elif digest:
            known[digest] = subject.name
    return told


def textures(subjects: Sequence[Subject], corpus: Any) -> list[str]:
    """Return a warning for each set of pieces that has another number of voices than the reference."""
    from componium.cli.judging import texture_of

    usual = texture_of([item for item in corpus if item.kind == "score"])
    return [f"{subject.name} has {counted(count, 'voice')}, the reference {usual}: measures of chords and voices "
            "compare unlike with unlike" for subject in subjects
            if subject.items and (count := texture_of(subject.items)) != usual]


def measure_all(subjects: Sequence[Subject], corpus: Any, protocol: str, count: int, bars: int | None,
                seed: int) -> Any:
    """Let models compose and judge, measure everything beside the corpus, and return the measured corpus."""
    from componium.cli import judging
    from componium.evaluation.musical import judge
    from componium.evaluation.reference import measured_reference

    with progress_bar("measuring the reference") as progress:
        reference = measured_reference(corpus, progress=progress)
    length = bars or judging.usual_bars(reference.scores)
    for subject in subjects:
        if subject.model is not None:
            with progress_bar(f"{subject.name}: composing") as progress:
                judging.compose(subject, count, length, seed, progress)
            with progress_bar(f"{subject.name}: likelihood") as progress:
                judge_kindly(subject, corpus, protocol, progress)
        with progress_bar(f"{subject.name}: measuring") as progress:
            subject.music = judge(subject.items, reference, name=subject.name, provenance=subject.provenance, seed=seed,
                                  progress=progress)
        with progress_bar(f"{subject.name}: telling it from {reference.name}") as progress:
            tell_apart(subject, reference, seed, progress)
    return reference


def judge_kindly(subject: Subject, corpus: Any, protocol: str, progress: Progress) -> None:
    """Measure the likelihood; a model that has none is told and does not stop the others."""
    from componium.cli import judging

    try:
        judging.judge_likelihood(subject, corpus, protocol, progress)
    except BadInput as error:
        subject.not_judged = str(error)


def tell_apart(subject: Subject, reference: Any, seed: int, progress: Progress) -> None:
    """Let a classifier tell a subject from the reference; too few pieces are told and do not stop the others."""
    from componium.evaluation.two_sample import two_sample

    try:
        subject.told_apart = two_sample([item.content for item in subject.items if item.kind == "score"],
                                        reference.scores, seed=seed, progress=progress)
    except BadInput as error:
        subject.not_told_apart = str(error)


def show(subjects: Sequence[Subject], reference: Any) -> None:
    """Write the table of facts, and the mean closeness by module."""
    from componium.cli.judging import comparison_page

    header, rows = comparison_page.facts(subjects)
    say(f"beside {reference.name} ({counted(len(reference.items), 'piece')})")
    table(["", *header], rows)
    header, rows = comparison_page.closeness_rows(subjects)
    table(["mean closeness", *header], rows, right=range(1, len(header) + 1))
    table(*comparison_page.told_apart_rows(subjects, tells=1))
    for subject in subjects:
        for warning in subject.music.warnings():
            warn(f"{subject.name}: {warning}")


def again(subjects: Sequence[str], on: str, count: int, bars: int | None, seed: int, out: Path) -> str:
    """Return the command line that compares the same."""
    words = [*subjects, "--on", on, "--count", count, *(["--bars", bars] if bars else []), "--seed", seed, "--out", out]
    return "componium compare " + " ".join(quoted(word) for word in words)
