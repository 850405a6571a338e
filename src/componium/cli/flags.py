"""The arguments and flags that mean the same in every verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A trained model (a folder) or one that works untrained.")]
Settings = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the model.",
                                                      show_default=False)]
Seed = Annotated[int | None, typer.Option(min=0, help="The same seed gives the same music; without it, a random one "
                                                      "is taken and told.")]
Temperature = Annotated[float | None, typer.Option(min=0.0, help="1 = as learned; lower is safer, higher is wilder.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write everything as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Rank = Annotated[str | None, typer.Option(
    metavar="MEASURE", help="Write --count different candidates into a folder, the best first, with a page: harmony, "
                            "pitch, rhythm, structure, all, one measure of these, or likelihood.")]
On = Annotated[str | None, typer.Option(
    "--on", metavar="DATA", help="The music that candidates are to be like, for --rank: a file, a folder or a built-in "
                                 "name.")]
AcceptLicence = Annotated[bool, typer.Option(
    "--accept-licence", help="I keep to the terms of a built-in corpus (essen: non-commercial use only).")]
Exclude = Annotated[Path | None, typer.Option(
    metavar="FILE", help="A list of items to leave out, as 'componium corpus audit' writes it.")]
