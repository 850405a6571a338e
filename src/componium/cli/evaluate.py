"""`componium evaluate`: how near a model's music, or any music, is to a reference, and how well a model predicts it.

Instruments that learned from recordings are judged by `componium.cli.judging.resynthesis`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Force, Json, Settings
from componium.cli.outputs import check_files, write_json, write_text
from componium.cli.show import counted, new_app, progress_bar, quoted, say, skipped_lines, table, warn
from componium.music.errors import BadInput

app = new_app()
STEM = "evaluation"


@app.command(epilog="""\b
Examples:
  componium evaluate my.markov --on HELD_OUT_FOLDER
  componium evaluate my.markov --on chorales --json result.json      (and result.png, result.html with sound)
  componium evaluate MIDI_FOLDER --on tunes --out judgement          (any music, without a model)
  componium evaluate my.markov --on valid.json --protocol jsb16 --count 0   (likelihood only)
  componium evaluate chorale-rnn --on valid.json --protocol harmonising     (voices filled in, against Bach)
  componium evaluate chorale-rnn --on valid.json --protocol seam            (bars composed anew, and their joins)
  componium evaluate melody-rnn --on HELD_OUT_FOLDER --protocol answering   (calls and their replies)
  componium evaluate my.melody-lstm --on tunes --protocol melody            (beside a chain; pieces new to it only)
  componium evaluate my.instrument --on RECORDINGS --out judged             (an instrument, with a page to listen by)

\b
A model composes --count pieces, which are measured beside DATA: pitch, rhythm, harmony, structure, and with
--training its originality. The distance is in standard deviations of DATA; * = more than DATA against itself (floor).
Protocols of the likelihood (nats per token, lower is better):
  jsb16    four voices on a 16th grid, 47 symbols (JSB-16/tok); figures of all models may be compared
  native   the model's own tokens, any music; figures compare settings of one model only
  auto     jsb16 where DATA has four voices, else native
  melody   one line in 16ths, pieces of DATA that are new to the model, beside a back-off chain that counted those
           which it learned from: nats, accuracy, their ratio; give the whole DATA that a part was learned from
Protocols of what a model adds to the pieces of DATA (--count: the first so many; without it, all):
  harmonising   S, A, T, B, AT and ATB of chorales are taken away and filled in: errors against Bach, part-writing
  seam          2 bars (--bars) are composed anew, or gone on with: likelihood and intervals at the joins
  answering     the first 4 bars (--bars) are answered: key, meter, contour, rhythm, closure, variety of the replies
Pieces that the model learned from, or siblings of such pieces, are found and told.

\b
An instrument that learned from recordings is judged on others: it plays the pitch and loudness that it hears in
--count excerpts of 4 s. Told are the spectral loss with floor and ceiling, loudness, pitch, speed and how notes begin,
swing and sound; --out adds a page with recordings, resyntheses and a tune. --json writes the figures alone.""")
def evaluate(
    subject: Annotated[str, typer.Argument(metavar="MODEL_OR_FOLDER", help="A model, or music: a file, a folder or a "
                                                                           "built-in name.")],
    settings: Settings = None,
    on: Annotated[str, typer.Option("--on", metavar="DATA", show_default=False,
                                    help="The reference: a file, a folder or a built-in name.")] = "",
    count: Annotated[int | None, typer.Option(min=0, max=1000, help="How many pieces a model composes (0 = none), "
                                                                    "or excerpts it plays.  [default: 40]")] = None,
    bars: Annotated[int | None, typer.Option(min=1, help="Their length; without it, the median of DATA.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of composing and of the draws.")] = 1,
    protocol: Annotated[str, typer.Option(help="How likelihood is measured: auto, jsb16, native or melody; or "
                                                "harmonising, seam, answering.")] = "auto",
    training: Annotated[str | None, typer.Option(metavar="DATA", help="What the model learned from: its pieces are "
                                                                      "searched for copies of it.")] = None,
    json: Json = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the table, a picture and a page with sound "
                                                                    "there.")] = None,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Measure how near music is to a reference, how well a model predicts it, or how close an instrument comes."""
    from componium.cli import judging
    from componium.cli.judging import filling, resynthesis
    from componium.cli.settings import pairs_only

    pairs = pairs_only(settings or [], "evaluate")
    if not on:
        raise BadInput(f"what should it be judged on? componium evaluate {subject} --on HELD_OUT_FOLDER")
    judging.check_protocol(protocol, filling.PROTOCOLS)
    if resynthesis.plays_recordings(subject):
        resynthesis.check_flags(subject, pairs, bars, training, protocol)
        resynthesis.judge_resynthesis(resynthesis.Asked(subject, on, count, seed, json, out, accept_licence, force))
        return
    if protocol in filling.PROTOCOLS:
        if training is not None:
            raise BadInput(f"--training is for the originality of new pieces; --protocol {protocol} has none")
        filling.judge_filling(filling.Asked(protocol, subject, pairs, on, count, bars, seed, json, out, accept_licence,
                                            force))
        return
    count = judging.PIECES if count is None else count
    targets = targets_of(json, out, force=force)
    with progress_bar("reading") as progress:
        judged = judging.find(subject, pairs, accept_licence, progress)
        corpus = judging.open_data(on, accept_licence, progress)
        learned = None if training is None else judging.open_data(training, accept_licence, progress)
    judging.check_scores(corpus, on)
    if judged.model is not None:
        with progress_bar("judging") as progress:
            judging.judge_likelihood(judged, corpus, protocol, progress)
    elif protocol != "auto":
        raise BadInput(f"{subject} is music and not a model, so it has no likelihood; leave out --protocol")
    reference = measure(judged, corpus, learned, count, bars, seed)
    if judged.likelihood is None and judged.music is None:
        raise BadInput(f"{judged.not_judged}; with --count 0 nothing is left to measure")
    written = write(judged, reference, targets, again(subject, settings, on, count, bars, seed, training))
    show(judged)
    for line in written:
        say(line)


def targets_of(json: Path | None, out: Path | None, *, force: bool) -> list[tuple[Path, Path, Path]]:
    """Return the files to write, three for each place; raises where one is in the way."""
    from componium.cli.judging.judgement_page import beside

    if json is not None and json.suffix.lower() in (".png", ".html"):
        raise BadInput(f"--json {json}: the picture and the page are written beside the JSON file; name it "
                       f"{json.with_suffix('.json')}")
    if out is not None and out.is_file():
        raise BadInput(f"--out {out} is a file; name a folder, or write --json FILE")
    places = [beside(path) for path in (json, None if out is None else out / f"{STEM}.json") if path is not None]
    check_files([path for place in places for path in place], force=force)
    return places


def measure(judged: Any, corpus: Any, learned: Any, count: int, bars: int | None, seed: int) -> Any:
    """Let a model compose, measure the pieces beside the corpus, and return the measured corpus."""
    from componium.cli import judging
    from componium.evaluation.musical import judge
    from componium.evaluation.reference import measured_reference

    if judged.model is not None:
        if not count or not hasattr(judged.model, "generate"):
            return None
        with progress_bar("composing") as progress:
            scores = [item.content for item in corpus if item.kind == "score"]
            judging.compose(judged, count, bars or judging.usual_bars(scores), seed, progress)
    with progress_bar("measuring the reference") as progress:
        reference = measured_reference(corpus, progress=progress)
    with progress_bar("measuring") as progress:
        judged.music = judge(judged.items, reference, name=judged.name, provenance=judged.provenance, training=learned,
                             seed=seed, progress=progress)
    return reference


def show(judged: Any) -> None:
    """Write the tables and the sentences below them."""
    from componium.evaluation.musical import COLUMNS

    report, music = judged.likelihood, judged.music
    if report is not None:
        say(f"{report.model} on {report.data}, protocol {report.protocol}: {report.protocol_text}")
        table(["", "all pieces", "leak-free"], report.rows(), right=[1, 2])
        overlap, *others = report.notes()
        if report.overlap.same or report.overlap.siblings:
            warn(overlap.removeprefix("WARNING: "))
        else:
            say(overlap)
        for note in others:
            say(note)
    elif judged.not_judged:
        say(f"no likelihood: {judged.not_judged}")
    if music is None:
        return
    made = "" if judged.model is None else f" composed by {judged.name} ({judged.bars} bars, seed {judged.seed})"
    say(f"\n{counted(music.pieces, 'piece')}{made or f' of {music.name}'} beside {music.data} "
        f"({counted(music.reference_pieces, 'piece')})")
    table(list(COLUMNS), music.rows(), right=range(2, len(COLUMNS)))
    near = ", ".join(f"{module} {value:.2f}" for module, value in music.closeness().items() if value is not None)
    say(f"mean closeness: {near or 'no measure has one'}")
    warnings = music.warnings()
    for note in music.notes():
        if note not in warnings:
            say(note)
    for warning in warnings:
        warn(warning)
    for line in skipped_lines(music.skipped):
        say(line)


def write(judged: Any, reference: Any, targets: list[tuple[Path, Path, Path]], command: str) -> list[str]:
    """Write JSON, picture and page, each complete or not at all; the last two only where pieces were measured.

    Returns what to say of it: it is written before anything is told, so that a pipe that closes loses nothing.
    """
    from componium.cli.judging.judgement_page import page, picture_of
    from componium.music.files import replacing

    if not targets:
        return ["with --out FOLDER: this as JSON, as a picture and as a page with sound"]
    told = {} if judged.likelihood is None else judged.likelihood.to_json()
    told |= {"subject": judged.name, "not_judged": judged.not_judged or None}
    if judged.music is not None:
        told["music"] = judged.music.to_json() | {"bars": judged.bars or None}
        png = picture_of(judged)
        with progress_bar("engraving and playing") as progress:
            html = page(judged, reference, png, command, progress)
    for data, picture, site in targets:
        write_json(data, told)
        if judged.music is not None:
            with replacing(picture) as temporary:
                temporary.write_bytes(png)
            write_text(site, html)
    return [f"wrote {data}" + ("" if judged.music is None else f", {picture.name} and {site.name}")
            for data, picture, site in targets]


def again(subject: str, settings: list[str] | None, on: str, count: int, bars: int | None, seed: int,
          training: str | None) -> str:
    """Return the command line that measures the same."""
    words = [subject, *(settings or []), "--on", on, "--count", count, "--seed", seed]
    words += ["--bars", bars] if bars else []
    words += ["--training", training] if training else []
    return "componium evaluate " + " ".join(quoted(word) for word in words)
