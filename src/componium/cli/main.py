"""The command line's entry: finds the verb, runs it, and turns every failure into one or two lines.

A verb's module is imported when the verb is used, so that ``componium --help`` is instant. Exit status: 0 done,
1 failed, 2 asked for something that does not exist, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from componium.music.errors import Cancelled, ComponiumError

UsageError: Any = typer.BadParameter.__mro__[1]
"""What the parser raises for a command line that it cannot read."""


@dataclass(frozen=True)
class Verb:
    """One verb: the module with its ``app``, what it does, and a line that works."""

    module: str
    help: str
    example: str


VERBS: dict[str, Verb] = {
    "models": Verb("models", "List the models.", "componium models"),
    "info": Verb("info", "Say what a model is, can do and was trained on.", "componium info markov"),
    "train": Verb("train", "Let a model learn from your music.",
                  "componium train markov MY_MIDI_FOLDER --out my.markov"),
    "generate": Verb("generate", "Compose a new piece.",
                     "componium generate grammar --bars 8 --seed 1 --out a.mid"),
    "continue": Verb("continue_", "Go on where a piece stops.",
                     "componium continue my.markov a.mid --bars 4 --out b.mid"),
    "harmonize": Verb("harmonize", "Add the missing voices to a melody.",
                      "componium harmonize chorale-rnn melody.mid --seed 1 --out h.mid"),
    "infill": Verb("infill", "Compose some bars of a piece anew.",
                   "componium infill chorale-rnn a.mid --where 3-4 --out b.mid"),
    "respond": Verb("respond", "Answer a phrase with a new one.",
                    "componium respond melody-rnn call.mid --seed 1 --out reply.mid"),
    "perform": Verb("perform", "Turn a score into sound.",
                    "componium perform a.mid --with soundfont --out a.wav"),
    "transfer": Verb("transfer", "Give a sound the timbre of an instrument.",
                     "componium transfer violin hum.wav octave_shift=1 --out t.wav"),
    "picture": Verb("picture", "Draw a score on staves or as a piano roll, or a sound.",
                    "componium picture a.mid --out a.png"),
    "evaluate": Verb("evaluate", "Measure how near music is to a reference, and how well a model predicts it.",
                     "componium evaluate my.markov --on MY_MIDI_FOLDER"),
    "compare": Verb("compare", "Put models side by side on one page.",
                    "componium compare a.markov b.markov --on MY_MIDI_FOLDER --out page.html"),
    "quiz": Verb("quiz", "Write a listening quiz: Bach or the model? Add up the answers.",
                 "componium quiz --model my.markov --out quiz.html"),
    "whence": Verb("whence", "Say what made a file, and make it again.", "componium whence a.mid"),
    "corpus": Verb("corpus", "Look into music: a file, a folder, or what is built in.",
                   "componium corpus info MY_MIDI_FOLDER"),
    "lesson": Verb("lesson", "Learn how it works: notebooks with exercises that check themselves.",
                   "componium lesson open 01"),
    "demo": Verb("demo", "A chorale, a harmonised folk tune, a reply to a call: heard and seen, in one command.",
                 "componium demo --out demo"),
    "doctor": Verb("doctor", "Check the installation, and say what to do.", "componium doctor"),
    "bench": Verb("bench", "Measure Componium against its peers on this computer.", "componium bench"),
}
"""name -> Verb, in reading order."""


class VerbGroup(TyperGroup):
    """A group of commands that imports a verb's module only when that verb is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs, in reading order."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return the command of a verb, or None where there is none of that name."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"componium.cli.{VERBS[cmd_name].module}")
        return typer.main.get_command(module.app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; an unknown one names the near ones."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=2, cutoff=0.6)
            told = f"did you mean {' or '.join(near)}?" if near else f"the commands are {', '.join(VERBS)}"
            ctx.fail(f"there is no command {args[0]!r}; {told}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of verbs from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; Ctrl-C becomes `Cancelled`, so that it is told like every other failure."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Cancelled("stopped; nothing was left half-written") from error

    def main(self, args: Any = None, prog_name: str | None = None, *others: Any, standalone_mode: bool = True,
             **extra: Any) -> Any:
        """Run a command line, tell of a failure in one or two lines, and exit (or return the exit status)."""
        try:
            result = super().main(args, prog_name or "componium", *others, standalone_mode=False, **extra)
            sys.stdout.flush()
            status = result if isinstance(result, int) else 0
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get("COMPONIUM_DEBUG"):
                raise
            status = tell(error)
        if standalone_mode:
            sys.exit(status)
        return status


def tell(error: BaseException) -> int:
    """Write what went wrong to standard error, in one or two lines; return the exit status."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, KeyboardInterrupt | Cancelled | typer.Abort):
        text = str(error) if isinstance(error, Cancelled) else "stopped; nothing was left half-written"
        typer.echo(text, err=True)
        return 130
    if isinstance(error, UsageError):
        typer.echo(usage(error), err=True)
        return 2
    typer.echo(f"error: {sentence(error)}", err=True)
    return 1


def sentence(error: BaseException) -> str:
    """Return the one sentence that tells of a failure."""
    if isinstance(error, ComponiumError):
        return " ".join(str(error).splitlines())
    if isinstance(error, MemoryError):
        return "this computer has too little free memory for it"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    told = (str(error).strip().splitlines() or [""])[0][:300]
    if "no space left" in told.lower():  # libraries that are not written in Python have errors of their own
        return "there is no space left on the disk"
    return (f"Componium failed in a way that it should not ({type(error).__name__}: {told}); "
            "COMPONIUM_DEBUG=1 shows where, so that you can report it")


def usage(error: Any) -> str:
    """Return what was wrong with a command line, and a line that works."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "componium"
    words = path.split()
    verb = VERBS.get(words[1]) if len(words) > 1 else None
    missing = getattr(error, "param", None) if type(error).__name__ == "MissingParameter" else None
    if missing is not None:
        flag = missing.opts[0].startswith("--")
        told = missing.opts[0] if flag else missing.metavar or str(missing.name).upper()
        message = f"{path} needs {told}"
    else:
        message = error.format_message().rstrip(".").replace("'", "").replace(". Did you mean", "; did you mean")
        message = message[:1].lower() + message[1:]
    example = f"; for example: {verb.example}" if verb else ""
    return f"error: {message}\n'{path} --help' tells more{example}"


app = typer.Typer(cls=VerbGroup, rich_markup_mode=None, invoke_without_command=True, pretty_exceptions_enable=False,
                  context_settings={"help_option_names": ["-h", "--help"]})


@app.callback(epilog="""\b
First steps:
  componium demo --out demo                           hear and see what it does
  componium generate grammar --seed 1 --out a.mid     compose
  componium perform a.mid --with soundfont            listen
  componium train markov MY_MIDI_FOLDER --out my.markov
  componium generate my.markov --bars 8 --out b.mid

\b
'componium VERB --help' shows examples of every verb. Words like order=3 are settings of a model;
'componium info MODEL' lists them.""")
def componium(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Componium listens, composes and plays: generative music, trained on your own scores and sounds."""
    if version:
        from componium import __version__

        typer.echo(f"componium {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the letter shows ? instead of failing
    signal.signal(signal.SIGTERM, _terminated)
    app()


if __name__ == "__main__":
    main()
