"""`componium transfer` of a folder: all sounds below it, one after another, into another folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import typer

from componium.cli.composing import default_stem
from componium.cli.outputs import SOUNDS
from componium.cli.settings import load_with
from componium.cli.show import counted, progress_bar, say, warn
from componium.cli.sounding import tell_consent
from componium.cli.transfer import Asked, check_places, identity, make, prepare, tell, write
from componium.music.audio import AUDIO_EXTENSIONS
from componium.music.errors import BadFile, BadInput, Cancelled, ComponiumError


def transfer_folder(asked: Asked, out: Path | None, *, force: bool) -> None:
    """Give every sound below a folder another timbre; what cannot be read is named, and the rest goes on.

    Raises:
        BadInput: there are no sounds, or no place for the results.
        typer.Exit: with 1 where nothing could be done.
    """
    folder = asked.file
    place = out or Path(f"{folder.resolve().name}-{default_stem(asked.model)}")
    check_folder(folder, place)
    files = sounds_below(folder, place)
    targets = names_for(files, folder, place)
    loaded = load_with(asked.model, asked.pairs, "transfer", "transfer")
    tell_consent(asked.model, loaded[0])
    todo = [(file, path) for file, path in zip(files, targets, strict=True) if force or not path.exists()]
    check_places([path for _, path in todo], files, force=force)
    mixed, failed = False, 0
    with progress_bar("playing") as progress:
        for number, (file, path) in enumerate(todo):
            def told(done: float, _: str = "", number: int = number, file: Path = file) -> None:
                progress((number + done) / len(todo), f"{number + 1} of {len(todo)}: {file.name}")

            ready = None
            try:
                ready = prepare(Asked(asked.model, asked.pairs, file, asked.seed), loaded)
                made = make(ready, told)
            except ComponiumError as error:
                if isinstance(error, Cancelled) or re.match(r"\w+=", str(error)):  # stopped, or wrong for all of them
                    raise
                warn(f"left out {error if str(file) in str(error) else f'{file}: {error}'}")
                failed += 1
                continue
            write(made, ready, path)
            tell(made, file, path, told_channels=mixed)
            mixed = mixed or made.channels > 1
    _sum_up(place, len(files), len(todo), failed)


def _sum_up(place: Path, found: int, tried: int, failed: int) -> None:
    """Say how many there are; raises `typer.Exit` with 1 where none could be done."""
    there = f", {found - tried} were there already (--force makes them anew)" if found > tried else ""
    left = f", {failed} left out" if failed else ""
    say(f"wrote {counted(tried - failed, 'sound')} to {place}{there}{left}")
    if failed == found:
        raise typer.Exit(1)


def check_folder(folder: Path, place: Path) -> None:
    """Raise where results may not lie: in a file, or among the sounds that are given."""
    if place.exists() and not place.is_dir():
        raise BadFile(place, f"is a file; {folder} is a folder, and so is what is made of it")
    if not place.exists() and place.suffix.lower() in SOUNDS:
        raise BadInput(f"--out {place} names a sound, and {folder} is a folder: name a folder")
    if place.exists() and identity(place) == identity(folder):
        raise BadInput(f"{place}: what is made would lie among the sounds that were given; --out DIR takes another "
                       "folder")


def sounds_below(folder: Path, leave_out: Path) -> list[Path]:
    """Return the sounds in a folder and the folders in it, by name; hidden ones and those of ``leave_out`` are not.

    Raises:
        BadInput: there are none.
    """
    left, found = os.path.realpath(leave_out), []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if not name.startswith(".") and os.path.realpath(Path(here, name)) != left)
        found += [Path(here, name) for name in sorted(names)
                  if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_EXTENSIONS]
    if not found:
        raise BadInput(f"{folder}: there are no sounds in it (known kinds: {', '.join(AUDIO_EXTENSIONS)})")
    return found


def names_for(files: list[Path], folder: Path, place: Path) -> list[Path]:
    """Return where each result goes: the same name below ``place``; a kind that is not written becomes WAV.

    Where two would get the same name (``a.wav`` and ``a.mp3``), the one of another kind keeps its ending before .wav.
    """
    own = {file.relative_to(folder) for file in files if file.suffix.lower() in SOUNDS}
    targets, taken = [], {str(name).lower() for name in own}
    for file in files:
        name = file.relative_to(folder)
        if name not in own:
            name = name.with_suffix(".wav")
            if str(name).lower() in taken:
                name = file.relative_to(folder).with_name(f"{file.name}.wav")
            taken.add(str(name).lower())
        targets.append(place / name)
    return targets
