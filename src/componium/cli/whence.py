"""`componium whence`: what made a file, whether it is still what was written, and the same again."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import AcceptLicence, Force
from componium.cli.outputs import check_file, write_json
from componium.cli.show import new_app, progress_bar, quoted, say, table
from componium.music.errors import BadFile, BadInput
from componium.music.licences import MEANINGS
from componium.music.origin import NOT_RECORDED, WAYS, Given, Origin, Used, read_origin

app = new_app()

STATES = {
    "as written": "the file is as it was written",
    "saved again": "another program has saved the file since; the music in it is still the same",
    "changed": "the music has been changed since it was written",
    "changed or saved again": "the picture is not the one that was written, or another program has saved it since",
    "damaged": "the file is damaged: not all of its sound can be read",
    "not known": "whether it was changed since is not known",
}


@app.command(epilog="""\b
Examples:
  componium whence a.mid
  componium whence a.wav --json -
  componium whence a.mid --recreate again.mid
  componium whence a.mid --recreate again.mid --model backup/my.markov --given prompt.mid

\b
Scores (.mid .musicxml .mxl .abc), sounds (.wav .flac .ogg) and pictures (.png .svg) carry what made them; grid JSON has
no room for it. --recreate makes the file again from the same checkpoint and compares the two.""")
def whence(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A score, a sound or a picture.")],
    recreate: Annotated[Path | None, typer.Option(metavar="OUT", help="Make it again, and compare.")] = None,
    model: Annotated[list[Path] | None, typer.Option(
        metavar="DIR", help="Where its model is now; may be repeated.  [default: where it was]")] = None,
    given: Annotated[list[Path] | None, typer.Option(
        metavar="FILE", help="A file that was given to it, or a folder with such files; may be repeated.  "
                             "[default: where they were]")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write it as JSON; '-' shows only "
                                                                            "that.")] = None,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Say what made a file: model, checkpoint, seed, settings, licence, and what a human gave."""
    for path in [out for out in (recreate, json) if out is not None and str(out) != "-"]:
        check_file(path, force=force)
    origin = read_origin(file)
    state = state_of(file, origin)
    told = {"file": str(file), "state": state, "missing": missing(origin),
            "origin": jsonlib.loads(origin.to_json()) if origin is not None else None}
    if str(json) == "-" and recreate is None:
        say(jsonlib.dumps(told, ensure_ascii=False, indent=1))
        return
    tell(file, origin, state)
    if json is not None:
        write_json(json, told)
        say(f"wrote {json}")
    if recreate is not None:
        from componium.cli.recreate import again

        if origin is None:
            raise BadInput(f"{file}: there is no record of what made it, so it cannot be made again")
        with progress_bar("making it again") as progress:
            verdict = again(file, recreate, origin, models=model or [], given=given or [], progress=progress,
                            accept_licence=accept_licence)
        say(f"wrote {recreate}: {verdict.text}")
        if not verdict.same:
            raise typer.Exit(1)
    elif origin is not None and can_be_made_again(file, origin):
        say(f"again: componium whence {quoted(file)} --recreate {quoted(file.stem + '-again' + file.suffix)}")
    elif origin is not None and origin.made != NOT_RECORDED and file.suffix.lower() != ".mp3":
        from componium.cli.recreate import command_of

        say(f"again, with all that belongs to it: {command_of(origin)}")


def can_be_made_again(file: Path, origin: Origin) -> bool:
    """Return whether ``--recreate`` makes files of this verb and kind."""
    from componium.cli.recreate import WAYS_AGAIN

    return origin.made != NOT_RECORDED and origin.verb in WAYS_AGAIN and file.suffix.lower() != ".mp3"


def state_of(path: Path, origin: Origin | None) -> str:
    """Return which of `STATES` a file is in, by the hashes in its origin."""
    from componium.cli.origins import music_of
    from componium.music import stamps
    from componium.music.audio import hash_of_samples

    if origin is None or not (origin.file or origin.music):
        return "not known"
    kind = stamps.kind_of(path)
    if kind in (".wav", ".flac", ".ogg"):
        try:
            return "as written" if hash_of_samples(path) == origin.music else "changed"
        except BadFile:
            return "damaged"
    if file_hash(path) == origin.file:
        return "as written"
    if kind in (".png", ".svg"):
        return "changed or saved again"
    music = music_of(path)
    return "saved again" if music and music == origin.music else "changed" if music else "not known"


def file_hash(path: Path) -> str:
    """Return the hash of a score or picture without its origin, to compare with `Origin.file`."""
    import hashlib

    from componium.music import stamps

    kind = stamps.kind_of(path)
    content = stamps.unstamped(stamps.content_of(path, kind), ".musicxml" if kind == ".mxl" else kind)
    return hashlib.sha256(content).hexdigest()


def missing(origin: Origin | None) -> list[str]:
    """Return what a file does not tell, in words."""
    if origin is None:
        return ["any record of what made it"]
    if origin.made == NOT_RECORDED:
        return ["what made it: model, seed, settings and what a human gave"]
    found = [] if origin.licence else ["a licence"]
    found += [f"the hash of the model {used.name}" for used in origin.models if not used.checkpoint and used.data]
    return [*found, *(f"the hash of {each.file}" for each in origin.given if not each.sha256)]


def tell(file: Path, origin: Origin | None, state: str) -> None:
    """Show the origin as a table, and in words what it does not say."""
    if origin is None:
        reason = "grid JSON has no room for one" if file.suffix.lower() == ".json" else (
            "another program wrote it, took the record out when it saved the file, or it is older than these records")
        say(f"{file}: carries no record of what made it ({reason})")
        return
    say(f"{file}: {origin.made} {'by' if origin.made != NOT_RECORDED else '(written by'} Componium "
        f"{origin.componium}{')' if origin.made == NOT_RECORDED else ''}")
    table(["", ""], [*rows(origin), ["now", STATES[state]]])
    if origin.made == NOT_RECORDED:
        say("a program wrote it without saying what made it: model, seed, settings and what a human gave are not known")


def rows(origin: Origin, indent: str = "") -> Iterator[list[str]]:
    """Yield the lines of the table: name and text; the origins of what was given follow indented."""
    if origin.verb:
        yield [f"{indent}command", f"componium {origin.verb}" if origin.made in WAYS[:4] else origin.verb]
    for used in origin.models:
        yield [f"{indent}model", model_text(used)]
    if origin.seed is not None:
        yield [f"{indent}seed", str(origin.seed)]
    words = origin.settings.get("words") or {}
    words = words if isinstance(words, dict) else {"?": words}
    flags = [f"{key} {value_text(value)}" for key, value in origin.settings.items() if key != "words"]
    if flags:
        yield [f"{indent}settings", ", ".join(flags)]
    if words:
        yield [f"{indent}words", " ".join(quoted(f"{key}={value}") for key, value in words.items())]
    if origin.licence:
        meaning = "" if indent else MEANINGS.get(origin.licence_class, "")
        yield [f"{indent}licence", f"{origin.licence} ({origin.licence_class}{': ' if meaning else ''}{meaning})"]
    if origin.platform:
        yield [f"{indent}computer", origin.platform]
    for each in origin.given:
        yield from given_rows(each, indent)
    if not origin.given and origin.made != NOT_RECORDED:
        yield [f"{indent}given", "no file; settings and words alone" if words else "no file; settings alone"]


def given_rows(given: Given, indent: str) -> Iterator[list[str]]:
    """Yield the lines of a file that a human gave, and of its own origin."""
    edited = ", edited after it was written" if given.edited else ""
    yield [f"{indent}given", f"{given.role}: {given.file} (sha256 {given.sha256[:12]}{edited})"]
    if given.origin is not None:
        yield [f"{indent}  its origin", f"{given.origin.made}, Componium {given.origin.componium}"]
        yield from rows(given.origin, indent + "  ")


def model_text(used: Used) -> str:
    """Return a model in a line."""
    named = f"{used.name} ({used.model})" if used.model and used.model != used.name else used.name
    hashed, source = ("font", "") if used.name == "soundfont" else ("checkpoint", "learned from ")
    parts = [f"{used.part}: {named}" if used.part else named,
             f"{hashed} {used.checkpoint[:12]}" if used.checkpoint else "",
             f"{source}{used.data}" if used.data else "",
             f"licence {used.licence} ({used.licence_class})" if used.licence else ""]
    return ", ".join(part for part in parts if part)


def value_text(value: Any) -> str:
    """Return the value of a setting as it is written on a command line."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(quoted(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else quoted(value)


