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
