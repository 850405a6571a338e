"""`componium corpus`: look into music before a model learns from it."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from componium.cli.corpus_audit import EPILOG as AUDIT_EPILOG
from componium.cli.corpus_audit import audit
from componium.cli.corpus_render import EPILOG as RENDER_EPILOG
from componium.cli.corpus_render import render
from componium.cli.corpus_shards import EPILOG as SHARDS_EPILOG
from componium.cli.corpus_shards import shards
from componium.cli.corpus_trained import EPILOG, trained_on
from componium.cli.flags import AcceptLicence, Exclude, Force
from componium.cli.outputs import check_file, write_json
from componium.cli.show import new_app, progress_bar, say, table

app = new_app()

Source = Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A file, a folder or a built-in name.")]


@app.callback(epilog="""\b
Examples:
  componium corpus list
  componium corpus info MY_MIDI_FOLDER
  componium corpus info tunes
  componium corpus info essen:erk --accept-licence
  componium corpus export chorales chorales_midi""")
def corpus() -> None:
    """Look into music: a file, a folder, or what is built in."""


@app.command("list")
def list_() -> None:
    """List the corpora that are built in."""
    from componium.music.built_in import BUILT_IN, collections_of

    table(["name", "what it is"], [[name, text] for name, text in BUILT_IN.items()])
    divided = {name: collections_of(name) for name in BUILT_IN}
    table(["collection", "what it is"],
          [[f"{name}:{part}", text] for name, parts in divided.items() for part, text in parts.items()], title="")
    say("\nYour own: any folder with scores (.mid .abc .musicxml .krn) or recordings (.wav .flac .ogg .mp3).")


@app.command(epilog="""\b
Examples:
  componium corpus info MY_MIDI_FOLDER
  componium corpus info chorales --json report.json""")
def info(
    source: Source,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the report as JSON; '-' shows "
                                                                            "only that.")] = None,
    accept_licence: AcceptLicence = False,
    exclude: Exclude = None,
    force: Force = False,
) -> None:
    """Say what is in it, under which licences, and which files cannot be used and why."""
    from componium.music.corpus import open_corpus

    if json is not None and str(json) != "-":
        check_file(json, force=force)
    with progress_bar("reading") as progress:
        opened = open_corpus(source, accept_licence=accept_licence, exclude=exclude, progress=progress)
    if str(json) == "-":
        say(jsonlib.dumps(opened.summary(), ensure_ascii=False, indent=1))
        return
    say(opened.report())
    if json is not None:
        write_json(json, opened.summary())
        say(f"wrote {json}")


@app.command(epilog="""\b
Examples:
  componium corpus export chorales chorales_midi
  componium corpus export chorales chorales_xml --format musicxml""")
def export(
    source: Source,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.")],
    format_: Annotated[str, typer.Option("--format", help="Format of scores: mid, abc, musicxml, json ...")] = "mid",
    accept_licence: AcceptLicence = False,
    exclude: Exclude = None,
    force: Force = False,
) -> None:
    """Write every piece as a file, with a list of sources and licences."""
    from componium.music.corpus import open_corpus

    check_file(folder / "corpus.json", force=force)
    with progress_bar("reading") as progress:
        opened = open_corpus(source, accept_licence=accept_licence, exclude=exclude, progress=progress)
    files = opened.export(folder, format_, force=force, source=source)
    say(f"wrote {len(files) - 1} files and corpus.json to {folder}")


app.command("trained-on", epilog=EPILOG)(trained_on)
app.command("audit", epilog=AUDIT_EPILOG)(audit)
app.command("render", epilog=RENDER_EPILOG)(render)
app.command("shards", epilog=SHARDS_EPILOG)(shards)
