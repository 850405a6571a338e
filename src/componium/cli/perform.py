"""`componium perform`: turn a score into sound."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force, Settings
from componium.cli.origins import given_file, given_words, origin_for, used_model
from componium.cli.outputs import SOUNDS, check_file, extension_of, out_path
from componium.cli.settings import pairs_only
from componium.cli.show import Progress, new_app, progress_bar, say, warn
from componium.cli.sounding import tell_consent, told_of
from componium.music.errors import BadFile, BadInput
from componium.music.licences import licence_class
from componium.music.origin import PERFORMED, Origin, Used

app = new_app()


@app.command(epilog="""\b
Examples:
  componium perform a.mid
  componium perform a.mid --with soundfont --out a.wav
  componium perform a.mid --with violin
  componium perform a.mid --with soprano=oboe --with bass=bassoon --with '*=clarinet'
  componium perform a.mid --with soundfont soundfont=FluidR3_GM.sf2
  componium perform a.mid --with my.instrument vibrato_cents=20 legato=1 fold=true
  componium perform a.mid --gain soprano=3 --pan spread --lufs -14 --stems stems

\b
A part is its name in the score, its number from 0, program:40, or * for those that are left. An instrument is
a model that plays ('componium models') or one of General MIDI (violin, choir, organ ...); soundfont:violin is the
one of General MIDI where a model has the same name. key=value words are settings of the instruments, or arguments
of their playing; 'componium info MODEL' lists them.""")
def perform(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The score: .mid .musicxml .abc .krn ...")],
    settings: Settings = None,
    with_: Annotated[list[str] | None, typer.Option(
        "--with", metavar="[PART=]INSTRUMENT", help="Who plays: for all parts, or for one; may be repeated.  "
                                                    "[default: soundfont]")] = None,
    gain: Annotated[list[str] | None, typer.Option(metavar="PART=DB", help="Make a part louder or softer, in dB.")]
    = None,
    pan: Annotated[list[str] | None, typer.Option(
        metavar="PART=PLACE", help="Place a part from -1 (left) to 1 (right); 'spread' sets all side by side.")] = None,
    lufs: Annotated[float, typer.Option(help="Loudness of the result (BS.1770); it never clips.")] = -16.0,
    expression: Annotated[bool, typer.Option(help="Shape phrases, fermatas, timing and the end, or play as written.")]
    = True,
    seed: Annotated[int, typer.Option(min=0, help="Of timing, and of what instruments leave to chance.")] = 0,
    stems: Annotated[Path | None, typer.Option(metavar="DIR", help="Also write every part on its own (24 bits, "
                                                                   "aligned).")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The sound: .wav .flac .ogg.  [default: FILE.wav]")]
    = None,
    force: Force = False,
) -> None:
    """Turn a score into sound, with an instrument for each part."""
    from componium.music.formats import read_score

    pairs = pairs_only(settings or [], "perform")
    score = read_score(file)
    path = out_path(out, f"{file.stem}.wav")
    extension_of(path, SOUNDS, "sound")
    check_file(path, force=force)
    check_stems(stems, force=force)
    ready = prepare(Asked(file, pairs, tuple(with_ or ["soundfont"]), tuple(gain or ()), tuple(pan or ()), lufs,
                          expression, seed), score)
    tell(ready)
    with progress_bar("playing") as progress:
        sound = make(ready, progress, stems_to=stems)
        write(sound, path, ready.origin)
    say(f"wrote {path}: {told_of(sound)}")
    if sound.loudness_lufs < lufs - 0.5:
        warn(f"{lufs:g} LUFS cannot be reached without clipping; this is as loud as it gets")
    if stems is not None:
        say(f"wrote {len(list(stems.glob('*.wav')))} files to {stems}")


@dataclass(frozen=True)
class Asked:
    """All that decides how a performance sounds: the arguments of `perform`."""

    file: Path
    pairs: dict[str, str]
    choices: tuple[str, ...] = ("soundfont",)
    gain: tuple[str, ...] = ()
    pan: tuple[str, ...] = ()
    lufs: float = -16.0
    expression: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Ready:
    """The score, the instruments, and the origin of the sound that they will make."""

    asked: Asked
    score: Any
    cast: Any
    amounts: dict[str, Any]
    origin: Origin


def prepare(asked: Asked, score: Any) -> Ready:
    """Find the instruments and read the amounts.

    Raises:
        BadInput: no such instrument, or an amount that is none.
        BadFile: a file of an instrument cannot be read.
    """
    from componium.performance import cast

    amounts = {"gains_db": by_part(list(asked.gain), "gain"),
               "pans": "spread" if asked.pan == ("spread",) else by_part(list(asked.pan), "pan")}
    players = cast(asked.choices, asked.pairs)
    chosen = zip(asked.choices, players.instruments.values(), strict=True)
    models = [used_instrument(choice, player) for choice, player in chosen]
    origin = origin_for(
        PERFORMED, "perform", models, seed=asked.seed,
        settings={"with": list(asked.choices), "gain": list(asked.gain), "pan": list(asked.pan), "lufs": asked.lufs,
                  "expression": asked.expression, "words": asked.pairs},
        given=[given_file("score", asked.file), *given_words(asked.pairs)])
    return Ready(asked, score, players, amounts,
                 replace(origin, title=asked.file.stem, platform=f"{platform.system()} {platform.machine()}"))


def tell(ready: Ready) -> None:
    """Say who was taken where a name could mean two, whose voices play, and what instruments say of their parts."""
    from componium.performance import advice

    for remark in ready.cast.remarks:
        say(remark)
    for choice, player in zip(ready.asked.choices, ready.cast.instruments.values(), strict=True):
        tell_consent(choice.rpartition("=")[2].strip(), player)
    for text in advice(ready.score, ready.cast):
        warn(text)


def make(ready: Ready, progress: Progress, *, stems_to: Path | None = None) -> Any:
    """Return the sound; the same for the same `Asked`, whoever asks."""
    from componium.performance import perform as play

    asked = ready.asked
    return play(ready.score, ready.cast.instruments, lufs=asked.lufs, expression=asked.expression, seed=asked.seed,
                arguments=ready.cast.arguments, stems_to=stems_to, progress=progress, origin=ready.origin,
                **ready.amounts)


def write(sound: Any, path: Path, origin: Origin) -> None:
    """Write the sound with its title and its origin."""
    sound.write(path, metadata={"title": origin.title, "software": "Componium"}, origin=origin)


def used_instrument(choice: str, player: Any) -> Used:
    """Return the record of an instrument; a SoundFont counts as its checkpoint, and has its licence."""
    part, _, model = (word.strip() for word in choice.rpartition("="))
    if player.name != "soundfont":
        return used_model(model, player, part=part)
    from componium.music.soundfont import find_soundfont

    font = find_soundfont(player.config.soundfont)
    return Used("soundfont", model, given_file("soundfont", font.path).sha256, font.name, font.licence,
                licence_class(font.licence), part)


def by_part(words: list[str], flag: str) -> dict[Any, float] | None:
    """Read ``PART=NUMBER`` words.

    Raises:
        BadInput: a word of another form.
    """
    amounts: dict[Any, float] = {}
    for word in words:
        part, sign, value = word.rpartition("=")
        try:
            amounts[part] = float(value)
        except ValueError:
            sign = ""
        if not sign or not part:
            raise BadInput(f"--{flag} {word}: write --{flag} PART=NUMBER, such as --{flag} soprano=0.5")
    return amounts or None


def check_stems(folder: Path | None, *, force: bool) -> None:
    """Raise `BadFile` where stems would replace sounds or cannot be written."""
    if folder is None:
        return
    if not force and folder.is_dir() and any(folder.glob("*.wav")):
        raise BadFile(folder, "holds sounds already; --force replaces those of the same name, --stems DIR takes "
                              "another folder")
    check_file(folder / "mix.wav", force=force)
