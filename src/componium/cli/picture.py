"""`componium picture`: a picture of a score or a sound."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force
from componium.cli.origins import given_file, origin_for
from componium.cli.outputs import PICTURES, check_file, check_files, extension_of, out_path
from componium.cli.show import Progress, new_app, progress_bar, say
from componium.music.errors import BadInput
from componium.music.origin import DRAWN, Origin

app = new_app()

SCORE_VIEWS = ("score", "roll")
SOUND_VIEWS = ("waveform", "spectrogram")


@app.command(epilog="""\b
Examples:
  componium picture a.mid --out a.png
  componium picture a.musicxml --view score --title 'My chorale' --out a.svg
  componium picture a.mid --view roll
  componium picture a.wav --view spectrogram

\b
Scores (.mid .musicxml .abc ...) are shown as score (staves; needs the notation extra) or roll (piano roll), sounds
(.wav .flac .ogg .mp3) as waveform or spectrogram. A long score becomes several pages: a.png, a-2.png, a-3.png ...""")
def picture(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A score or a sound.")],
    view: Annotated[str | None, typer.Option(
        metavar="VIEW", help="score or roll; waveform or spectrogram.  [default: score, or roll without the notation "
                             "extra; waveform]")] = None,
    title: Annotated[str | None, typer.Option(help="A line above.  [default: the file's name]")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture: .png or .svg.  [default: FILE.png]")]
    = None,
    force: Force = False,
) -> None:
    """Draw a score or a sound."""
    path = out_path(out, f"{file.stem}.png")
    ending = extension_of(path, PICTURES, "pictures")
    asked = Asked(file, chosen_view(file, view), file.stem if title is None else title, ending)
    check_file(path, force=force)
    with progress_bar("drawing") as progress:
        pages = make(asked, progress)
    write(pages, path, ending, origin_of(asked), force=force)
    say(f"wrote {path}" + (f" and {len(pages) - 1} more, to {_names(path, len(pages))[-1]}" if len(pages) > 1 else ""))


@dataclass(frozen=True)
class Asked:
    """All that decides how a picture looks: the arguments of `picture`."""

    file: Path
    view: str
    title: str = ""
    ending: str = ".png"


def chosen_view(file: Path, view: str | None) -> str:
    """Return the view to draw, or raise `BadInput` where a file of that kind has no such view."""
    from componium.music.formats import is_score_path

    views = SCORE_VIEWS if is_score_path(file) else SOUND_VIEWS
    if view is None:
        return "roll" if views is SCORE_VIEWS and not can_engrave() else views[0]
    if view not in views:
        kind = "score" if views is SCORE_VIEWS else "sound"
        raise BadInput(f"--view {view}: {file} is a {kind}, which is shown as {' or '.join(views)}")
    return view


def can_engrave() -> bool:
    """Return whether the packages are installed that engraved scores need."""
    return all(importlib.util.find_spec(package) is not None for package in ("verovio", "resvg_py"))


def make(asked: Asked, progress: Progress | None = None) -> list[bytes]:
    """Return the pages of the picture, without their origin; ``progress`` is told of each page of a score.

    Raises:
        BadFile: the file cannot be read.
        BadInput: there is nothing to draw.
    """
    from componium.music.formats import is_score_path, read_score

    if is_score_path(asked.file):
        return draw(read_score(asked.file), asked.view, asked.title, asked.ending, progress)
    from componium.music.audio import Audio
    from componium.music.picture import spectrogram, waveform

    show = waveform if asked.view == "waveform" else spectrogram
    return [show(Audio.read(asked.file), title=asked.title or None, kind=asked.ending)]


def draw(score: Any, view: str, title: str, ending: str, progress: Progress | None = None) -> list[bytes]:
    """Return the pages of a picture of a score: engraved, or one piano roll."""
    from componium.music.picture import engraved_pages, piano_roll

    if view == "score":
        return engraved_pages(score, ending, title=title, progress=progress)
    return [piano_roll(score, title=title or None, kind=ending)]


def origin_of(asked: Asked) -> Origin:
    """Return the record of what made a picture."""
    role = "score" if asked.view in SCORE_VIEWS else "sound"
    settings = {"view": asked.view, "title": asked.title}
    origin = origin_for(DRAWN, "picture", [], settings=settings, given=[given_file(role, asked.file)])
    return replace(origin, title=asked.title)


def write(pages: Sequence[bytes], path: Path, ending: str, origin: Origin, *, force: bool) -> None:
    """Write the pages of a picture: the file itself, then ``a-2.png`` and so on."""
    from componium.music.picture import written

    names = _names(path, len(pages))
    check_files(names, force=force)
    for number, (name, page) in enumerate(zip(names, pages, strict=True), 1):
        settings = {**origin.settings, "page": number} if len(pages) > 1 else origin.settings
        written(page, name, ending, replace(origin, settings=settings))


def _names(path: Path, count: int) -> list[Path]:
    from componium.music.picture import page_path

    return [page_path(path, number) or path for number in range(count)]
