"""`componium corpus render`: recordings to learn from, played by a SoundFont."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from componium.cli.flags import AcceptLicence, Force
from componium.cli.show import counted, progress_bar, quoted, say, warn
from componium.music.errors import BadInput

if TYPE_CHECKING:
    from componium.music.soundfont import SoundFontFile
    from componium.rendering.lines import Line
    from componium.rendering.plan import Wanted

EPILOG = """\b
Examples:
  componium corpus render --instrument violin --out violin_wavs
  componium corpus render --instrument flute --minutes 30 --sample-rate 48000 --format flac --out flute
  componium corpus render --instrument cello --on MY_SCORES --out cello
  componium corpus render --instrument oboe --instrument trumpet --kind notes --out notes

\b
Solos are melodies, scales, arpeggios, fast runs and long tones, one note at a time, from pp to ff and over the whole
range of the instrument, with the phrasing, the articulations, the vibrato and the slight freedoms of a player; dry,
mono, 16 bits, all files of an instrument at one level (about -20 LUFS). Without --on they are studies that nobody
holds rights in; with --on, melodies of a corpus take turns with the studies. --kind notes gives single notes of 4
seconds, held for 3, at every pitch and five velocities, named INSTRUMENT-PITCH-VELOCITY.

\b
The terms of the sounds are those of the SoundFont. They are written into every file and into corpus.json beside them,
and travel to the card of a model that learns from them. Stopped with Ctrl-C, the folder holds whole files only; the
same command goes on from there, and one with more --minutes makes it longer."""
DRUMS = ("drum", "drums", "drum kit", "drumkit", "percussion", "standard kit")
MATERIAL_SHARE = 0.7
"""So much of the minutes, at most, are pieces of a corpus; the rest are studies."""
MANY = 200
"""From a corpus of so many pieces, or more, one line of each is taken."""


def render(
    instrument: Annotated[list[str], typer.Option(metavar="NAME", help="General MIDI name or number 0 to 127; may be "
                                                                       "repeated: each gets a folder in --out.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the files.")],
    minutes: Annotated[float | None, typer.Option(
        help="So much sound of each instrument.  [default: 10; all of them for --kind notes]")] = None,
    kind: Annotated[str, typer.Option(metavar="solos|notes", help="Performances, or single notes.")] = "solos",
    on: Annotated[str, typer.Option("--on", metavar="DATA", help="Whose melodies: studies made up for this, or a file, "
                                                                 "a folder or a built-in name.")] = "studies",
    soundfont: Annotated[Path | None, typer.Option(
        metavar="FILE", help="The SoundFont.  [default: MuseScore General where there is one, or another]")] = None,
    sample_rate: Annotated[int, typer.Option(metavar="HZ", help="16000, 22050, 24000, 32000, 44100 or 48000.")] = 44100,
    format_: Annotated[str, typer.Option("--format", metavar="wav|flac", help="Format of the files.")] = "wav",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    accept_licence: AcceptLicence = False,
    force: Force = False,
) -> None:
    """Play an instrument of a SoundFont for so many minutes: recordings to learn from, with their terms."""
    from componium.music.soundfont import training_soundfont
    from componium.rendering.plan import Wanted
    from componium.rendering.render import check_place

    programs = _programs(instrument)
    minutes = 10.0 if minutes is None and kind == "solos" else minutes
    if kind == "notes" and on != "studies":
        raise BadInput("--on names melodies, and --kind notes plays none: leave one of them out")
    font = training_soundfont(soundfont)
    plain = [Wanted(program, font, minutes, kind, on, (), seed, sample_rate, format_.lower()) for program in programs]
    pieces = _pieces(on, seed, minutes or 0.0, accept_licence)
    every = [Wanted(each.program, font, minutes, kind, on, pieces, seed, sample_rate, each.format) for each in plain]
    places = [out if len(every) == 1 else out / each.instrument for each in every]
    for each, place in zip(every, places, strict=True):
        check_place(place, each, force=force)
    _tell_terms(font)
    for each, place in zip(every, places, strict=True):
        _render_one(each, place, force=force)
    say(f"look and listen: componium corpus audit {quoted(out)}")


def _programs(names: Sequence[str]) -> list[int]:
    """Return the programs of the instruments, each once; raises `BadInput` for drums, and names that are none."""
    from componium.music.general_midi import program_of
    from componium.rendering.ranges import range_of

    programs: list[int] = []
    for name in names:
        if re.sub(r"[\W_]+", " ", name.lower()).strip() in DRUMS:
            raise BadInput(f"{name} have no pitch, and solos are melodies: choose an instrument such as violin, flute "
                           "or marimba")
        program = program_of(name)
        range_of(program)
        if program not in programs:
            programs.append(program)
    return programs


def _pieces(on: str, seed: int, minutes: float, accept_licence: bool) -> tuple[Line, ...]:
    """Return melodies of a corpus, in an order by the seed, as many as can be needed; none for studies."""
    from componium.rendering.plan import STUDIES

    if on == STUDIES:
        return ()
    import numpy as np

    from componium.music.corpus import open_corpus
    from componium.music.score import Score
    from componium.rendering.lines import lines_of

    with progress_bar("reading") as progress:
        corpus = open_corpus(on, accept_licence=accept_licence, progress=progress).only("score")
    rng = np.random.default_rng(seed)
    found: list[Line] = []
    seconds = 0.0
    for index in rng.permutation(len(corpus)):
        item = corpus[int(index)]
        content = item.content
        lines = lines_of(content, _plain(item.name), source=item.source, licence=item.licence) \
            if isinstance(content, Score) else []
        if len(corpus) >= MANY and lines:  # one of each piece, so that many are heard
            lines = [lines[int(rng.integers(len(lines)))]]
            seconds += lines[0].seconds
        found += lines
        if seconds > 60.0 * minutes * MATERIAL_SHARE + 600.0:
            break
    if len(corpus) < MANY:
        found = [found[int(index)] for index in rng.permutation(len(found))]
    if not found:
        raise BadInput(f"{on}: there is no melody of four notes or more in it; give scores, or leave --on out for "
                       "studies")
    return tuple(found)


def _plain(name: str) -> str:
    """Return the name of a piece without its folder and the ending of its file."""
    from componium.music.formats import SCORE_EXTENSIONS

    name = name.rpartition("/")[2]
    return Path(name).stem if Path(name).suffix.lower() in SCORE_EXTENSIONS else name


def _tell_terms(font: SoundFontFile) -> None:
    """Say which SoundFont plays, and what its terms mean for what learns from it."""
    from componium.music.licences import MEANINGS, licence_class
    from componium.music.soundfont import HOW_TO_GET_FREE

    say(f"SoundFont: {font.name}, licence {font.licence} ({font.source})")
    asks = licence_class(font.licence)
    if asks not in ("free", "attribution"):
        warn(f"the terms of {font.name} are {font.licence} ({asks}: {MEANINGS[asks]}); every file is marked so, and "
             f"what learns from them inherits it. {HOW_TO_GET_FREE}")


def _render_one(wanted: Wanted, place: Path, *, force: bool) -> None:
    from componium.rendering.render import render as work

    with progress_bar(wanted.instrument) as progress:
        done = work(wanted, place, force=force, progress=progress)
    kept = f", kept {len(done.kept):,} that were there" if done.kept else ""
    say(f"wrote {counted(len(done.written), 'file')} to {place}{kept}: {done.seconds / 60.0:.1f} minutes in all, "
        f"licence {'; '.join(done.licences)}")
