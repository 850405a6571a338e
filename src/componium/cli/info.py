"""`componium info`: all that a model says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force
from componium.cli.outputs import check_file
from componium.cli.show import new_app, say, table
from componium.cli.train import shown
from componium.music.errors import BadInput

app = new_app()
FLAGGED = ("bars", "where", "seed", "temperature", "prompt", "count")


@app.command(epilog="""\b
Examples:
  componium info markov                            what it is, its settings and what it can do
  componium info my.markov                         and what it learned from, and how well
  componium info my.markov --table table.csv       its transition table, to read and to edit""")
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name from 'componium models', or a trained model.")],
    table_file: Annotated[Path | None, typer.Option("--table", metavar="FILE.csv",
                                                    help="Write what it learned as a table.")] = None,
    force: Force = False,
) -> None:
    """Say what a model is, its settings, what it can do, what it was trained on and how it scores."""
    from componium.interface import describe

    if table_file is not None:
        check_file(table_file, force=force)
    subject = subject_of(model)
    if table_file is not None:
        write_table(subject, model, table_file)
        return
    told = describe(subject)
    say(told.text)
    comes = shipped_as(model, told)
    say(f"\n{ready(told, comes_trained=comes is not told)}")
    config = None if isinstance(subject, type) else subject.config
    settings_table(told.settings, config, training=told.needs_training)
    if "loss" in told.abilities and config is None:
        training_tables(told.name)
    for ability, settings in told.arguments.items():
        arguments_table(ability.rstrip("_"), told.abilities[ability], settings)
    if told.controls:
        table(["control", "unit", "from", "to", "default", "meaning"],
              [[c.name, c.unit, f"{c.minimum:g}", f"{c.maximum:g}", f"{c.default:g}", c.help] for c in told.controls],
              title="\nControls")
    streams_table(told, getattr(subject, "sample_rate_hz", 0))
    who = "" if comes is told else f" of the {told.name} that comes trained"
    facts_table(f"Learned from{f' (the {told.name} that comes trained)' if who else ''}", {
        key: value for key, value in comes.provenance.items() if key not in ("licence", "licences", "sources")})
    if comes.provenance:
        from componium.checkpoint import rights

        say("\nRights of what it learned from")
        for line in rights(comes.provenance):
            say(f"  {line}")
    facts_table(f"Figures{who}", comes.figures)


def subject_of(model: str) -> Any:
    """Return the model: the class of a registry name, or the loaded model of anything else."""
    from componium import registry

    if not (Path(model) / "model.json").is_file() and (model in registry.MODELS or ".py:" in model):
        return registry.model_class(model)
    return registry.load(model)


def shipped_as(model: str, told: Any) -> Any:
    """Return the description of the trained model that a registry name stands for; ``told`` where none is shipped."""
    from componium import registry
    from componium.interface import describe

    if told.provenance or not told.needs_training or model not in registry.shipped():
        return told
    return describe(registry.load(f"shipped:{model}"))


def ready(told: Any, *, comes_trained: bool = False) -> str:
    """Say in one line whether the model works as it is."""
    if not told.needs_training:
        return f"{told.name} works as it is."
    if comes_trained:
        return (f"{told.name} comes trained and works as it is. To learn from your own music: componium train "
                f"{told.name} {data_of(told)} --out my.{told.name}")
    if told.provenance:
        return f"{told.name}, trained."
    return f"{told.name} has to be trained: componium train {told.name} {data_of(told)} --out my.{told.name}"


def data_of(told: Any) -> str:
    """Return the word for what a model learns from."""
    return "MY_RECORDINGS" if "transfer" in told.abilities else "MY_MIDI_FOLDER"


def settings_table(settings: Any, config: Any, *, training: bool) -> None:
    """Show the settings: of a trained model with its values, else with the defaults."""
    if settings:
        verb = "train" if training else "generate, continue, perform"
        head = "default" if config is None else "value"
        table(["setting", head, "meaning"],
              [[s.name, repr_of(s.default if config is None else getattr(config, s.name)), meaning(s)]
               for s in settings],
              title=f"\nSettings (key=value on {verb})" if config is None or not training
              else "\nSettings it was trained with")


def training_tables(name: str) -> None:
    """Show the settings of the training, and the recipes of a model."""
    from componium.interface import settings_of
    from componium.training.recipes import described
    from componium.training.settings import TrainSettings

    table(["setting", "default", "meaning"],
          [[f"train.{s.name}", repr_of(s.default), meaning(s)] for s in settings_of(TrainSettings)],
          title="\nSettings of the training (train.key=value on train)")
    recipes = [[recipe, about] for recipe, about in described(name)]
    if recipes:
        table(["recipe", "what it is for"], recipes, title="\nRecipes (--recipe NAME on train)")


def arguments_table(verb: str, text: str, settings: Any) -> None:
    """Show an ability and its own arguments."""
    own = [s for s in settings if s.name not in FLAGGED]
    flags = " ".join(f"--{s.name}" for s in settings if s.name in FLAGGED)
    say(f"\n{verb}: {text}{f' ({flags})' if flags else ''}")
    if own:
        table(["argument", "default", "meaning"], [[s.name, repr_of(s.default), meaning(s)] for s in own])


def streams_table(told: Any, rate_hz: Any) -> None:
    """Show what can be played live, and how late it sounds."""
    if told.streams:
        rows = [[each["name"], ", ".join(each["inputs"]), ", ".join(each["outputs"]),
                 f"{each['block_multiple']} samples",
                 f"{each['delay_samples']} samples, {1000 * each['delay_samples'] / rate_hz:.1f} ms",
                 ", ".join(each["controls"])] for each in told.streams]
        table(["stream", "in", "out", "blocks of", "later by", "controls"], rows, title="\nStreams (to be played live)")


def facts_table(title: str, facts: dict[str, Any]) -> None:
    """Show what is a number or a line; of lists only how long they are."""
    rows = []
    for name, value in facts.items():
        if isinstance(value, dict):
            rows.append([name.replace("_", " "), "; ".join(f"{key}: {each}" for key, each in value.items())
                         if all(isinstance(v, int | float | str) for v in value.values()) and len(value) <= 8
                         else f"{len(value)} entries"])
        elif isinstance(value, list | tuple):
            rows.append([name.replace("_", " "), f"{len(value)} entries"])
        else:
            rows.append([name.replace("_", " "), shown(value)])
    if rows:
        table(["", ""], rows, title=f"\n{title}")


def repr_of(value: Any) -> str:
    """Return a setting's value as it is written on the command line."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if value != "" else "(empty)"


def meaning(setting: Any) -> str:
    """Return the help of a setting, with its choices."""
    choices = ", ".join(str(choice) for choice in setting.choices if choice != "")
    return f"{setting.help} [{choices}]" if choices else setting.help


def write_table(subject: Any, model: str, path: Path) -> None:
    """Write the table of a trained model."""
    if not hasattr(subject, "write_table"):
        raise BadInput(f"the model {subject.name} keeps no table that can be written")
    if isinstance(subject, type):
        raise BadInput(f"{model} has learned nothing yet; train it first: "
                       f"componium train {model} MY_MIDI_FOLDER --out my.{model}")
    subject.write_table(path)
    say(f"wrote {path}; after editing: componium generate {model} table={path}")
