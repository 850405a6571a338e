"""`componium evaluate`: how well a model predicts music that it has not seen."""

from __future__ import annotations

from typing import Annotated

import typer

from componium.cli.flags import Force, Json, Model, Settings
from componium.cli.outputs import check_file, write_json
from componium.cli.settings import load_with, pairs_only
from componium.cli.show import new_app, progress_bar, say, table, warn
from componium.music.errors import BadInput

app = new_app()


@app.command(epilog="""\b
Examples:
  componium evaluate my.markov --on HELD_OUT_FOLDER
  componium evaluate my.markov --on valid.json --protocol jsb16 --json result.json
  componium evaluate my.markov --on MY_MIDI_FOLDER --protocol native

\b
Protocols:
  jsb16    four voices on a 16th grid, 47 symbols (JSB-16/tok); figures of all models may be compared
  native   the model's own tokens, any music; figures compare settings of one model only
Pieces that the model learned from, or siblings of such pieces, are found and told.""")
def evaluate(
    model: Model,
    settings: Settings = None,
    on: Annotated[str, typer.Option("--on", metavar="DATA", show_default=False,
                                    help="What to judge: a file, a folder or a built-in name.")] = "",
    protocol: Annotated[str, typer.Option(help="How it is measured: jsb16 or native.")] = "jsb16",
    json: Json = None,
    force: Force = False,
) -> None:
    """Measure how well a model predicts music, in nats per token (lower is better)."""
    pairs = pairs_only(settings or [], "evaluate")
    if not on:
        raise BadInput(f"what should it be judged on? componium evaluate {model} --on HELD_OUT_FOLDER")
    if json is not None:
        check_file(json, force=force)
    loaded, _ = load_with(model, pairs, "log_likelihood", "judge how likely music is")
    from componium.evaluation.likelihood import evaluate as measure

    with progress_bar("evaluating") as progress:
        report = measure(loaded, on, protocol=protocol, progress=progress)
    if json is not None:
        write_json(json, report.to_json())
    say(f"{report.model} on {report.data}, protocol {report.protocol}: {report.protocol_text}")
    table(["", "all pieces", "leak-free"], report.rows(), right=[1, 2])
    overlap, *others = report.notes()
    if report.overlap.same or report.overlap.siblings:
        warn(overlap.removeprefix("WARNING: "))
    else:
        say(overlap)
    for note in others:
        say(note)
    if json is not None:
        say(f"wrote {json}")
