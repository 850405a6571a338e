"""Finding a General MIDI SoundFont on this machine."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from componium.music.errors import BadFile, MissingExtra

VARIABLE = "COMPONIUM_SOUNDFONT"
"""Environment variable that names the SoundFont to use."""

HOW_TO_GET_FREE = ("MuseScore General (MIT) is the Debian and Ubuntu package musescore-general-soundfont; elsewhere "
                   "musescore.org has it: --soundfont FILE names it")
"""How to come by a SoundFont whose sounds may be used for anything that keeps its notice."""

_PREFERRED = ("MuseScore_General", "FluidR3_GM", "GeneralUser", "default-GM", "default", "TimGM6mb", "FluidR3Mono_GM")
_MUFFLED = "MuseScore_General"
"""Its piano is opened by modulators of the font, which our player does not play: it would hardly be heard."""
_LICENCES = {"MuseScore_General": "MIT", "FluidR3": "MIT", "TimGM6mb": "GPL-2.0",
             "GeneralUser": "GeneralUser GS licence 2.0"}


@dataclasses.dataclass(frozen=True)
class SoundFontFile:
    """A SoundFont that was found.

    Attributes:
        path: the file.
        name: its name without folder and ending.
        licence: of the known fonts; ``"unknown"`` otherwise.
        source: how it was found, in words.
    """

    path: Path
    name: str
    licence: str
    source: str


def find_soundfont(path: str | os.PathLike[str] | None = None) -> SoundFontFile:
    """Return the SoundFont to play with: the one asked for, or the first of the usual places.

    The places, in this order: ``path``, the environment variable `VARIABLE`, the system's SoundFont folders,
    the 6 MB font that comes with the pretty_midi package; MuseScore General of the system only where there is no other,
    as its piano is muffled here.

    Raises:
        BadFile: the path or the variable names a file that is not there or not a SoundFont.
        MissingExtra: none was found; the message says how to get one.
    """
    if path is not None and str(path):
        return _checked(Path(path).expanduser(), "asked for")
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return _checked(Path(named).expanduser(), f"environment variable {VARIABLE}")
    system, bundled = list(_system_files()), _bundled()
    clear = [place for place in system if not place.resolve().stem.startswith(_MUFFLED)]
    for place in clear or (system if bundled is None else ()):
        return _described(place, f"system folder {place.parent}")
    if bundled is not None:
        return _described(bundled, "comes with the pretty_midi package")
    raise MissingExtra("pretty_midi (it brings a SoundFont; or name a .sf2 file with "
                       f"soundfont=FILE or {VARIABLE}=FILE)", "soundfont", "Playing with General MIDI sounds")


def training_soundfont(path: str | os.PathLike[str] | None = None) -> SoundFontFile:
    """Return the SoundFont to make training material with: one whose terms travel lightly goes before all others.

    The one asked for, or the environment variable's, or else MuseScore General or another font of the system under the
    MIT licence; where there is none, what `find_soundfont` returns, under its own terms.

    Raises:
        BadFile: as `find_soundfont`.
        MissingExtra: none was found; the message says how to get one.
    """
    if (path is not None and str(path)) or os.environ.get(VARIABLE, "").strip():
        return find_soundfont(path)
    found = (_described(place, f"system folder {place.parent}") for place in _system_files())
    free = next((font for font in found if font.licence == "MIT"), None)
    return free if free is not None else find_soundfont()


def system_folders() -> list[Path]:
    """Return the folders where this system keeps SoundFonts, whether or not they exist."""
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library/Audio/Sounds/Banks", Path("/Library/Audio/Sounds/Banks"),
                Path("/opt/homebrew/share/soundfonts"), Path("/usr/local/share/soundfonts")]
    if sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("PROGRAMDATA", "LOCALAPPDATA", "COMMONPROGRAMFILES")]
        return [Path(root) / folder for root in roots if root for folder in ("SoundFonts", "soundfonts")] + [
            Path("C:/soundfonts"), home / "Documents/SoundFonts"]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    shared = [Path("/usr/share"), Path("/usr/local/share")]
    return [root / folder for root in (data, *shared) for folder in ("soundfonts", "sounds/sf2", "sounds/sf3")]


def _system_files() -> Iterator[Path]:
    """Yield the SoundFonts of the system, the well-known General MIDI ones first."""
    found = []
    for folder in system_folders():
        try:
            found += [place for place in sorted(folder.iterdir())
                      if place.suffix.lower() in (".sf2", ".sf3") and _is_soundfont(place)]
        except OSError:  # no such folder, or closed to us: not a place where a SoundFont can be had
            continue
    yield from sorted(found, key=_rank)


def _rank(place: Path) -> int:
    """Return the place of a font among the well-known ones; ``MuseScore_General_Full`` is one of MuseScore_General."""
    real = place.resolve().stem
    return next((rank for rank, name in enumerate(_PREFERRED) if name == place.stem or real.startswith(name)),
                len(_PREFERRED))


def _bundled() -> Path | None:
    try:
        spec = importlib.util.find_spec("pretty_midi")
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for place in sorted(Path(folder).glob("*.sf2")):
            return place
    return None


def _checked(place: Path, source: str) -> SoundFontFile:
    if place.is_dir():
        raise BadFile(place, f"is a folder, not a SoundFont ({source})")
    if not place.exists():
        raise BadFile(place, f"there is no such SoundFont ({source})")
    if not _is_soundfont(place):
        raise BadFile(place, f"is not a SoundFont, .sf2 or .sf3 ({source})")
    return _described(place, source)


def _is_soundfont(place: Path) -> bool:
    try:
        with open(place, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[:4] == b"RIFF" and start[8:] == b"sfbk"


def _described(place: Path, source: str) -> SoundFontFile:
    real = place.resolve()  # a system's default font is a link to one that has a name and a licence
    licence = next((text for start, text in _LICENCES.items() if real.stem.startswith(start)), "unknown")
    return SoundFontFile(place, real.stem, licence, source)
