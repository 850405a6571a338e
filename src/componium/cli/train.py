"""`componium train`: let a model learn from music, and keep it in a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Exclude, Force
from componium.cli.show import counted, new_app, progress_bar, quoted, say, skipped_lines
from componium.cli.training.asking import Subject, Words, only_gradient, read_words, subject_of, subject_of_run
from componium.music.errors import BadInput
from componium.music.licences import licence_class
from componium.training.fit import read_budget

app = new_app()


@app.command(epilog="""\b
Examples:
  componium train markov MY_MIDI_FOLDER --out my.markov
  componium train markov MY_MIDI_FOLDER order=3 --out my.markov
  componium train markov one.mid two.abc more/ --out my.markov
  componium train markov chorales --out chorales.markov       (built in; 'componium corpus list')
  componium train markov essen:erk --accept-licence --out erk.markov

\b
Models that learn by gradient also take:
  componium train MODEL MY_MIDI_FOLDER --budget 10m --out my.model
  componium train MODEL --recipe NAME --out my.model          (the recipe names data and settings)
  componium train MODEL MY_MIDI_FOLDER train.batch=16 --steps 2000 --keep every=500 --out my.model
  componium train MODEL --out my.model --resume               (goes on after Ctrl-C or a crash, exactly)
  componium train MODEL --out my.model --resume --steps 4000  (goes on for longer)
  componium train my.model/ OTHER_MUSIC --out other.model     (goes on from its weights: fine-tuning)
  componium train MODEL my_recordings/ train.trim_silence_db=60 --out my.model   (models that learn from recordings)
  torchrun --nproc-per-node 2 --no-python componium train MODEL MY_MIDI_FOLDER --out my.model

\b
key=value words are settings of the model, train.key=value words those of the training; 'componium info MODEL' lists
them. Defaults count least, then the recipe, then the command line. The file order=3.mid is written ./order=3.mid. The
data is only read; what cannot be used is named and left out.""")
def train(
    model: Annotated[str, typer.Argument(
        metavar="MODEL", help="A model that learns, for a new one ('componium models' lists them); or a trained model, "
                              "to go on from its weights.")],
    words: Annotated[list[str] | None, typer.Argument(
        metavar="DATA... [KEY=VALUE]...", show_default=False,
        help="Files, folders or built-in names to learn from, and settings.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to keep the model in.")] = None,
    recipe: Annotated[str | None, typer.Option(
        metavar="NAME", help="Settings that belong together: one of the model's recipes, or a TOML file of yours.")]
    = None,
    budget: Annotated[str | None, typer.Option(
        metavar="TIME", help="How long it may take, such as 90s, 2m or 1h30m; turned into steps when it begins.")]
    = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many updates, in all.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    keep: Annotated[str | None, typer.Option(
        metavar="STEPS", help="Keep checkpoints on the way: every=500, or log for steps 1, 2, 4, 8 ...; DIR@500 loads "
                              "one.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="For models that learn with chance.  [default: 0]")] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
    accept_licence: AcceptLicence = False,
    exclude: Exclude = None,
    voice: Annotated[bool | None, typer.Option(
        "--voice/--no-voice", show_default=False,
        help="Recordings: whether they are a person's voice, which needs a consent.yml beside them.  [default: by "
             "their names]")] = None,
    force: Force = False,
) -> None:
    """Let a model learn from your music."""
    run = run_named(model) if resume and out in (None, Path(model)) else None
    subject = subject_of(model) if run is None else subject_of_run(run)
    out = out if run is None else run
    told = read_words(words or [], subject)
    by_gradient = {"recipe": recipe, "steps": steps, "resume": resume, "keep": keep,
                   "device": None if device == "auto" else device, "voice": None if voice is None else "voice"}
    if not subject.learns_by_gradient:
        only_gradient(subject, by_gradient, told.train)
    if not told.data and not resume and not names_data(subject, recipe):
        raise BadInput(f"what should {model} learn from? Name files, a folder or a built-in corpus: "
                       f"componium train {quoted(model)} MY_MIDI_FOLDER --out my.{default_name(subject.cls.name)}")
    if out is None:
        raise BadInput(asking_where(model, default_name(subject.cls.name), words or [], {
            "recipe": recipe, "budget": budget, "steps": steps, "keep": keep, "seed": seed}, resume=resume))
    read_budget(budget)
    if subject.learns_by_gradient:
        from componium.cli.training.run import Flags, learn_by_gradient

        learn_by_gradient(subject, told, Flags(out, recipe, budget, steps, keep, seed, device, resume, accept_licence,
                                               exclude, voice, force))
        return
    count(subject, told, out, seed or 0, budget, accept_licence, exclude, force=force)


def run_named(model: str) -> Path | None:
    """Return the folder of the run that MODEL names, where it names one: ``train DIR --resume``."""
    from componium import checkpoint

    return Path(model) if (Path(model) / checkpoint.RUN).is_file() else None


def asking_where(model: str, name: str, words: list[str], flags: dict[str, Any], *, resume: bool) -> str:
    """Return the question for a missing ``--out``, with the command that answers it."""
    given = [text for flag, value in flags.items() if value is not None for text in (f"--{flag}", str(value))]
    command = " ".join(map(quoted, ["componium", "train", model, *words, *given]))
    if resume:
        return f"which run is to go on? {command} --out DIR --resume"
    return f"where should the model be kept? {command} --out my.{name}"


def names_data(subject: Subject, recipe: str | None) -> bool:
    """Tell whether the recipe names a corpus."""
    if recipe is None or not subject.learns_by_gradient:
        return False
    from componium.training.recipes import find

    return bool(find(recipe, subject.cls.name, cls=subject.cls).data)


def count(subject: Subject, words: Words, out: Path, seed: int, budget: str | None, accept_licence: bool,
          exclude: Path | None, *, force: bool) -> None:
    """Let a model learn that counts or evolves, and keep it."""
    from componium import checkpoint, registry
    from componium.music.corpus import Skipped

    checkpoint.check_free(out, force=force)
    check_writable(out)
    made = registry.create(subject.model, **words.config)
    corpus, opened_seconds = open_data(list(words.data), accept_licence, exclude)
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
