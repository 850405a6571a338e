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
          [[name, registry.TITLES[name], readiness(name)] for name in registry.models()])
    others = [name for name in registry.shipped() if name not in registry.MODELS]
    if others:
        table(["also trained and shipped"], [[name] for name in others])
    typer.echo("\n'componium info MODEL' tells more; 'componium train MODEL YOUR_MUSIC --out NAME' trains one.")


def readiness(name: str) -> str:
    """Return in words whether a model of the registry can be used at once."""
    from componium import registry

    if name not in registry.NEEDS_TRAINING:
        return "yes"
    return "yes, comes trained" if name in registry.shipped() else "train it first"
