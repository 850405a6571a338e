"""`componium models`: what there is, without importing any of it."""

from __future__ import annotations

import typer

from componium.cli.show import new_app, table

app = new_app()


@app.command(epilog="""\b
Examples:
  componium models                 the list
  componium info markov            all about one of them""")
def models() -> None:
    """List the models: their names, what they are, and whether they have to be trained first."""
    from componium import registry

    table(["model", "what it is", "ready to use"],
          [[name, registry.TITLES[name], "train it first" if name in registry.NEEDS_TRAINING else "yes"]
           for name in registry.models()])
    if registry.shipped():
        table(["trained and shipped"], [[name] for name in registry.shipped()])
    typer.echo("\n'componium info MODEL' tells more; 'componium train MODEL YOUR_MUSIC --out NAME' trains one.")
