"""`componium train`: let a model learn from music, and keep it in a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Exclude, Force
from componium.cli.settings import split_words
from componium.cli.show import counted, new_app, progress_bar, quoted, say, skipped_lines
from componium.music.errors import BadInput
from componium.music.licences import licence_class

app = new_app()


@app.command(epilog="""\b
Examples:
  componium train markov MY_MIDI_FOLDER --out my.markov
  componium train markov MY_MIDI_FOLDER order=3 --out my.markov
  componium train markov one.mid two.abc more/ --out my.markov
  componium train markov chorales --out chorales.markov       (built in; 'componium corpus list')
  componium train markov tunes --exclude marks.txt --out tunes.markov
  componium train markov essen:erk --accept-licence --out erk.markov

\b
key=value words are settings of the model; 'componium info MODEL' lists them. The file order=3.mid is written
./order=3.mid. The data is only read; what cannot be used is named and left out.""")
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model that learns; 'componium models' lists them.")],
    words: Annotated[list[str] | None, typer.Argument(
        metavar="DATA... [KEY=VALUE]...", show_default=False,
        help="Files, folders or built-in names to learn from, and settings.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to keep the model in.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="For models that learn with chance.")] = 0,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="How long it may take, such as 90s, 2m or 1h30m.")]
    = None,
    accept_licence: AcceptLicence = False,
    exclude: Exclude = None,
    force: Force = False,
) -> None:
    """Let a model learn from your music."""
    from componium import checkpoint, registry
    from componium.music.corpus import Skipped

    if model not in registry.models() and ".py:" not in model and Path(model).exists():
        raise BadInput(f"the model comes first and the music after it: componium train MODEL {quoted(model)} --out DIR")
    cls = registry.model_class(model)
    if not hasattr(cls, "fit"):
        raise BadInput(f"the model {model} does not learn; it works as it is ('componium info {model}' tells how)")
    data, pairs = split_words(words or [], registry.types_of(cls.Config))
    if not data:
        raise BadInput(f"what should {model} learn from? Name files, a folder or a built-in corpus: "
                       f"componium train {model} MY_MIDI_FOLDER --out my.{model}")
    if out is None:
        command = " ".join(map(quoted, ["componium", "train", model, *(words or [])]))
        raise BadInput(f"where should the model be kept? {command} --out my.{default_name(model)}")
    checkpoint.check_free(out, force=force)
    check_writable(out)
    made = registry.create(model, **pairs)
    corpus, opened_seconds = open_data(data, accept_licence, exclude)
    fit(made, corpus, seed, budget)
    checkpoint.save(made, out, force=force)
    say(f"read {counted(len(corpus), 'piece')} in {opened_seconds:.1f} s")
    passed_over = [Skipped(item.name, reason) for item, reason in getattr(made, "passed_over", ())]
    for line in [*skipped_lines([*corpus.skipped, *passed_over]), *learned(made)]:
        say(line)
    say(f"saved in {out}")
    say(f"next: {next_command(made, out)}")


def default_name(model: str) -> str:
    """Return the word for a model in a file name: ``markov``, or the class of the user's own file."""
    return model.rpartition(":")[2].lower()


def check_writable(folder: Path) -> None:
    """Raise before the work where the folder of the model could not be made."""
    from componium.cli.outputs import check_file

    check_file(folder / "model.json", force=True)


def open_data(data: list[str], accept_licence: bool = False, exclude: Path | None = None) -> tuple[Any, float]:
    """Return the corpus and the seconds that opening it took."""
    from componium.music.corpus import open_corpus

    begun = time.perf_counter()
    with progress_bar("reading") as progress:
        corpus = open_corpus(data[0] if len(data) == 1 else data, accept_licence=accept_licence, exclude=exclude,
                             progress=progress)
    return corpus, time.perf_counter() - begun


def fit(model: Any, corpus: Any, seed: int, budget: str | None) -> None:
    """Let the model learn, with a progress bar."""
    from componium.training.fit import train as learn

    with progress_bar("learning") as progress:
        learn(model, corpus, progress=progress, seed=seed, budget=budget)


def learned(model: Any) -> list[str]:
    """Return what the model says of what it learned: pieces, time, licence, figures."""
    told = model.provenance
    lines = [f"learned from {counted(told.get('pieces', 0), 'piece')} of {told.get('data', 'the data')} "
             f"in {told.get('training_seconds', 0.0):.1f} s"]
    if told.get("licence"):
        lines.append(f"licence of the data: {told['licence']} (most restrictive class: "
                     f"{licence_class(told['licence'])})")
    lines += [f"{name.replace('_', ' ')}: {shown(value)}" for name, value in model.figures.items()
              if isinstance(value, int | float | str)]
    return lines


def shown(value: Any) -> str:
    """Return a figure as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def next_command(model: Any, folder: Path) -> str:
    """Return a command to try with a model that was just trained."""
    if hasattr(model, "generate"):
        return f"componium generate {quoted(as_model(folder))} --bars 8 --seed 1 --out {quoted(folder.stem)}.mid"
    return f"componium info {quoted(as_model(folder))}"


def as_model(folder: Path) -> str:
    """Return a folder as a MODEL: with a separator, so that no name of the registry is meant."""
    text = str(folder)
    return text if "/" in text or "\\" in text or (folder / "model.json").is_file() else f"./{text}"
