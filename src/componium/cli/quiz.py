"""`componium quiz`: a page of blind pairs, a composer or the model, and what several people answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Force, Json, Temperature
from componium.cli.outputs import check_file, check_files, write_json
from componium.cli.show import counted, new_app, progress_bar, quoted, say, table, warn
from componium.music.errors import BadInput

app = new_app()
MOST_PAIRS = 100
REPEATS = 3
DATA = "chorales"
INSTRUMENT = "church organ"


@app.command(epilog="""\b
Examples:
  componium quiz --model my.markov --out quiz.html
  componium quiz --model my.markov --pairs 20 --bars 12 --seed 1 --out quiz.html phrase_bars=2
  componium quiz --model my.model --kinds full,harmonised --with piano --out quiz.html
  componium quiz --model tunes.markov --on MY_MIDI_FOLDER --out quiz.html
  componium quiz --answers anna.json ben.json others.csv

\b
Each pair is a held-out piece (one that the model did not learn from) and one of the model's, made alike in all but
the notes. The page holds everything, asks, and shows the result at the end; answers stay in the browser of who
listens, until saved as a file. --answers adds such files up. key=value words are settings of the model.""")
def quiz(
    words: Annotated[list[str] | None, typer.Argument(
        metavar="[KEY=VALUE]... or FILE...", show_default=False,
        help="Settings of the model; with --answers, files of answers.")] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", show_default=False, help="The model that is asked about.")]
    = "",
    out: Annotated[Path | None, typer.Option(metavar="PAGE.html", help="The page to write.")] = None,
    pairs: Annotated[int, typer.Option(min=1, max=MOST_PAIRS, help="How many pairs.")] = 12,
    bars: Annotated[int, typer.Option(min=1, help="About how many bars each piece has; it stops at a phrase end.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the pieces, and of all that is drawn.")] = 0,
    on: Annotated[str, typer.Option("--on", metavar="DATA", help="Where the held-out pieces are taken from.")] = DATA,
    repeats: Annotated[int | None, typer.Option(min=0, help="How many pairs are asked twice, with sides swapped.  "
                                                            "[default: 3]")] = None,
    kinds: Annotated[str, typer.Option(help="What the model makes: full, at (alto and tenor), atb, harmonised (at and "
                                            "atb); several with commas.")] = "full",
    with_: Annotated[str, typer.Option("--with", metavar="INSTRUMENT", help="Who plays all voices.")] = INSTRUMENT,
    temperature: Temperature = None,
    answers: Annotated[bool, typer.Option("--answers", help="Add up files of answers, instead of writing a page.")]
    = False,
    json: Json = None,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Write a listening quiz: which piece is Bach's, and which the model's?"""
    if answers:
        add_up([Path(word) for word in words or []], json, force=force)
        return
    from componium.cli.pages import write_page

    twice = min(REPEATS, pairs) if repeats is None else repeats
    asked = Asked(model, pairs, bars, seed, on, twice, kinds, with_, temperature, tuple(words or ()), accept_licence)
    check(asked, out, json, force=force)
    assert out is not None
    html, told = make(asked, out)
    write_page(out, html)
    for line in told:
        say(line)
    say(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB); open it in a browser, or send it to those who listen")
    say("their saved answers: componium quiz --answers *.json")


@dataclass(frozen=True)
class Asked:
    """What was asked for; the fields are the flags."""

    model: str
    pairs: int
    bars: int
    seed: int
    on: str
    repeats: int
    kinds: str
    instrument: str
    temperature: float | None
    words: tuple[str, ...] = ()
    accept_licence: bool = False


def check(asked: Asked, out: Path | None, json: Path | None, *, force: bool) -> None:
    """Raise before the work where something is missing, impossible, or in the way."""
    from componium.cli.quizzing.pairs import read_kinds

    if not asked.model:
        name = next((quoted(word) for word in asked.words if "=" not in word), "MODEL")
        raise BadInput(f"which model should be asked about? componium quiz --model {name} --out quiz.html")
    if out is None:
        raise BadInput(f"which page should be written? componium quiz --model {quoted(asked.model)} --out quiz.html")
    if out.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"--out {out}: the quiz is one page; give it a name that ends with .html")
    if json is not None:
        raise BadInput("--json goes with --answers; the answers to a quiz are saved from its page")
    if asked.repeats > asked.pairs:
        raise BadInput(f"--repeats {asked.repeats}: there are only {counted(asked.pairs, 'pair')} to repeat")
    read_kinds(asked.kinds)
    check_file(out, force=force)


def make(asked: Asked, out: Path) -> tuple[str, list[str]]:
    """Return the page, and lines that say what is in it."""
    from componium.cli.judging import called, open_data
    from componium.cli.quizzing.held_out import composer_of, held_out
    from componium.cli.quizzing.page import Quiz, page
    from componium.cli.quizzing.pairs import KINDS, Plan, make_pairs, questions, read_kinds
    from componium.cli.quizzing.sounds import play_pairs
    from componium.music.score import voices

    plan = Plan(asked.pairs, asked.bars, asked.seed, asked.repeats, read_kinds(asked.kinds))
    model, arguments = load(asked, plan.kinds)
    instruments = instruments_of(asked.instrument)
    with progress_bar("reading") as progress:
        corpus = open_data(asked.on, asked.accept_licence, progress)
    held = held_out(corpus, model, asked.model, asked.seed)
    with progress_bar("composing") as progress:
        made = make_pairs(plan, model, asked.model, arguments, held, progress)
    with progress_bar("playing") as progress:
        sounds = play_pairs(made, instruments, asked.seed, progress)
    used = {pair.human_name for pair in made}
    composer = composer_of(asked.on, [item for item in held.items if item.name in used])
    origin, facts = told_of(asked, model, instruments, corpus)
    html = page(Quiz(composer, called(asked.model), made, sounds, questions(len(made), asked.repeats, asked.seed),
                     len(voices(made[0].human)), origin, facts, again(asked, out), asked.seed))
    kinds = [f"{sum(pair.kind == kind for pair in made)} {KINDS[kind]}" for kind in plan.kinds]
    return html, [f"{counted(len(made), 'pair')} ({', '.join(kinds)}), {asked.repeats} of them twice: {asked.model} "
                  f"beside pieces of {corpus.name} that it did not learn from"]


def load(asked: Asked, kinds: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return the model, and the arguments of its ability: `generate`, or `harmonize` where it only fills in voices.

    Raises:
        BadInput: no such model, it cannot do this, or a word belongs to nobody.
    """
    from componium.cli.quizzing.pairs import FULL
    from componium.cli.settings import ability_of, flag_arguments, load_with, pairs_only

    ability, verb = ("generate", "compose") if FULL in kinds else ("harmonize", "harmonize")
    model, arguments = load_with(asked.model, pairs_only(asked.words, "quiz"), ability, verb)
    if set(kinds) != {FULL}:
        ability_of(model, "harmonize", "harmonize")
    return model, arguments | flag_arguments(getattr(model, ability), model, temperature=asked.temperature)


def instruments_of(name: str) -> Any:
    """Return who plays; raises before the work where there is no SoundFont, or no such instrument."""
    from componium.music.soundfont import find_soundfont
    from componium.performance import parse_with

    if "=" in name:
        raise BadInput(f"--with {name}: one instrument plays all voices of a quiz, such as piano or 'church organ'")
    found = parse_with([name])
    if all(getattr(player, "name", "") == "soundfont" for player in found.values()):
        find_soundfont()
    return found


def told_of(asked: Asked, model: Any, instruments: Any, corpus: Any) -> tuple[Any, list[tuple[str, str]]]:
    """Return the origin of the page, and the rows that tell of it."""
    from componium.cli.judging import called
    from componium.cli.origins import model_files, origin_for, used_model
    from componium.cli.perform import used_instrument
    from componium.music.licences import most_restrictive
    from componium.music.origin import GENERATED

    used = [used_model(asked.model, model), *(used_instrument(asked.instrument, each) for each in instruments.values())]
    settings = {"pairs": asked.pairs, "bars": asked.bars, "on": asked.on, "repeats": asked.repeats,
                "kinds": asked.kinds, "with": asked.instrument, "temperature": asked.temperature,
                "words": list(asked.words)}
    origin = origin_for(GENERATED, "quiz", used, seed=asked.seed, settings=settings, given=model_files(asked.model))
    learned = model.provenance.get("data", "")
    rows = [("Program", f"{called(asked.model)} (the model {model.name})"),
            ("Checkpoint", origin.models[0].checkpoint[:16]),
            ("It learned from", f"{learned}, {model.provenance.get('pieces', '?')} pieces" if learned else ""),
            ("Licence of what it learned from", origin.models[0].licence),
            ("Held-out pieces", f"from {corpus.name}; licence: {most_restrictive(corpus.licences)}"),
            ("Instrument", asked.instrument), ("Seed", str(asked.seed)), ("Componium", origin.componium)]
    return origin, [row for row in rows if row[1]]


def again(asked: Asked, out: Path) -> str:
    """Return the command line that makes the same page."""
    words: list[Any] = ["quiz", "--model", asked.model, *asked.words, "--pairs", asked.pairs, "--bars", asked.bars,
                        "--seed", asked.seed, "--repeats", asked.repeats]
    words += ["--on", asked.on] if asked.on != DATA else []
    words += ["--kinds", asked.kinds] if asked.kinds != "full" else []
    words += ["--with", asked.instrument] if asked.instrument != INSTRUMENT else []
    words += ["--temperature", asked.temperature] if asked.temperature is not None else []
    words += ["--accept-licence"] if asked.accept_licence else []
    return "componium " + " ".join(quoted(word) for word in [*words, "--out", out])


def add_up(paths: Sequence[Path], json: Path | None, *, force: bool) -> None:
    """Show what several people answered, and write it as JSON."""
    from dataclasses import asdict

    from componium.cli.quizzing.answers import by_model, read_answers, tallies

    if not paths:
        raise BadInput("whose answers? componium quiz --answers anna.json ben.json (the page saves them at the end)")
    check_files([json] if json is not None else [], force=force)
    sittings, left_out = read_answers(paths)
    groups = by_model(sittings)
    counted_groups = {name: tallies(group) for name, group in groups.items()}
    if json is not None:
        write_json(json, {"protocol": "exact binomial (Clopper-Pearson) 95 % intervals; repetitions not counted",
                          "models": {name: {group: asdict(tally) for group, tally in each.items()}
                                     for name, each in counted_groups.items()}})
    for name, each in counted_groups.items():
        show(name, each)
    for told in left_out:
        warn(told)
    if len(groups) > 1:
        warn("the answers are about different models, so they are added up for each of them alone")
    if json is not None:
        say(f"wrote {json}")


def show(name: str, groups: dict[str, Any]) -> None:
    """Write the table of one model."""
    rows = [[group, str(tally.people), str(tally.told), str(tally.told.needed), str(tally.prefers), str(tally.writing),
             str(tally.consistent)] for group, tally in groups.items()]
    table(["", "people", "told apart", "still needed", "preferred the model", "better part-writing", "consistent"],
          rows, right=[1, 3], title=name)
    say("in brackets: exact 95 % interval, in per cent; still needed: answers until 'told apart' is known to 5 points "
        "either way; guessing tells 50 % apart")
