"""`componium bench`: measurements of Componium beside its peers, on this computer."""

from __future__ import annotations

from typing import Annotated

import typer

from componium.cli.flags import Force, Json
from componium.cli.outputs import check_file, write_json
from componium.cli.show import new_app, progress_bar, say, table

app = new_app()


@app.command(epilog="""\b
Examples:
  componium bench
  componium bench --list
  componium bench --only midi-read --only soundfont-render --json bench.json

\b
A ratio is the peer's time divided by ours: 2 means that Componium needs half as long.""")
def bench(
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="Only this one; may be repeated.")]
    = None,
    list_: Annotated[bool, typer.Option("--list", help="List the measurements and stop.")] = False,
    json: Json = None,
    force: Force = False,
) -> None:
    """Measure Componium against its peers, side by side in the same run."""
    from componium import benchmarks
    from componium.benchmarks.measure import HEADINGS
    from componium.benchmarks.suite import BENCHMARKS

    if list_:
        table(["name", "what it measures"], [[name, text] for name, (_, text) in BENCHMARKS.items()])
        return
    if json is not None:
        check_file(json, force=force)
    with progress_bar("measuring") as progress:
        made = benchmarks.run(only or None, progress=progress)
    if json is not None:
        write_json(json, benchmarks.to_json(made))
    table(HEADINGS, benchmarks.rows(made), right=[1, 2, 3])
    if json is not None:
        say(f"wrote {json}")
