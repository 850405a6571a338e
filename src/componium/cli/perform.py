"""`componium perform`: turn a score into sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force, Settings
from componium.cli.outputs import SOUNDS, check_file, extension_of, out_path
from componium.cli.settings import pairs_only
from componium.cli.show import new_app, progress_bar, say, warn
from componium.music.errors import BadFile, BadInput

app = new_app()


@app.command(epilog="""\b
Examples:
  componium perform a.mid
  componium perform a.mid --with soundfont --out a.wav
  componium perform a.mid --with violin
  componium perform a.mid --with soprano=oboe --with bass=bassoon --with '*=clarinet'
  componium perform a.mid --with soundfont soundfont=FluidR3_GM.sf2
  componium perform a.mid --gain soprano=3 --pan spread --lufs -14 --stems stems

\b
A part is its name in the score, its number from 0, program:40, or * for those that are left. An instrument is
a model that plays ('componium models') or one of General MIDI (violin, choir, organ ...). key=value words are
settings of the instruments; 'componium info soundfont' lists them.""")
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
    seed: Annotated[int, typer.Option(min=0, help="Of the slight differences in timing.")] = 0,
    stems: Annotated[Path | None, typer.Option(metavar="DIR", help="Also write every part on its own (24 bits, "
                                                                   "aligned).")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The sound: .wav .flac .ogg.  [default: FILE.wav]")]
    = None,
    force: Force = False,
) -> None:
    """Turn a score into sound, with an instrument for each part."""
    from componium.music.formats import read_score
    from componium.performance import parse_with
    from componium.performance import perform as play

    pairs = pairs_only(settings or [], "perform")
    score = read_score(file)
    path = out_path(out, f"{file.stem}.wav")
    extension_of(path, SOUNDS, "sound")
    check_file(path, force=force)
    check_stems(stems, force=force)
    amounts = {"gains_db": by_part(gain or [], "gain"),
               "pans": "spread" if pan == ["spread"] else by_part(pan or [], "pan")}
    instruments = parse_with(with_ or ["soundfont"], **pairs)
    with progress_bar("playing") as progress:
        sound = play(score, instruments, lufs=lufs, expression=expression, seed=seed, stems_to=stems,
                     progress=progress, **amounts)
        sound.write(path, metadata={"title": file.stem, "software": "Componium"})
    say(f"wrote {path}: {sound.seconds:.1f} s, {sound.sample_rate_hz} Hz, "
        f"{sound.loudness_lufs:.1f} LUFS, peak {sound.peak_db:.1f} dB")
    if sound.loudness_lufs < lufs - 0.5:
        warn(f"{lufs:g} LUFS cannot be reached without clipping; this is as loud as it gets")
    if stems is not None:
        say(f"wrote {len(list(stems.glob('*.wav')))} files to {stems}")


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
