"""Engraving: a score as music on staves, in SVG, through verovio (extra ``notation``).

Every note head keeps its place in time, so that a page can follow the sound: `Engraved.notes` names the SVG
element of each head with the beats it lasts. A tied note has one entry for each of its heads. The same score
gives the same SVG, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from componium.music.errors import BadInput, require
from componium.music.musicxml import musicxml_document
from componium.music.musicxml_piece import Placed
from componium.music.score import Score

WIDTH_PX = 760
SCALE_PERCENT = 40
"""At 40 a staff is about 29 pixels high."""
_TALLEST = 60000  # verovio's limit of a page, in tenths of a pixel at 100 %
_MARGIN = 40
PAGE_PX = 4000
"""Pictures higher than this are cut into pages."""
_FONTS = ("STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf", "DejaVuSerif.ttf",
          "DejaVuSans.ttf")  # they come with matplotlib
_TEMPO_SIGNS = {"\ueca2": "\U0001d15d", "\ueca3": "\U0001d15e", "\ueca5": "\u2669", "\ueca7": "\u266a", "\uecb7": "."}


@dataclass(frozen=True)
class EngravedNote:
    """One note head.

    Attributes:
        id: of its element in the SVG.
        page: index of the page it stands on.
        start_beats: when it starts.
        end_beats: when it ends; of a tied note, when this head's own value ends.
        track: index of its track.
        pitch: its MIDI pitch.
    """

    id: str
    page: int
    start_beats: float
    end_beats: float
    track: int
    pitch: int


@dataclass(frozen=True)
class Engraved:
    """An engraved score.

    Attributes:
        pages: one SVG document per page.
        notes: every note head, in the order of time.
    """

    pages: tuple[str, ...]
    notes: tuple[EngravedNote, ...]


def engrave(score: Score, *, title: str = "", width_px: int = WIDTH_PX, height_px: int | None = None,
            crop: bool = False, scale_percent: int = SCALE_PERCENT, prefix: str = "") -> Engraved:
    """Return a score as engraved pages.

    Args:
        score: the music; a score without notes becomes one empty bar.
        title: a line above the first system.
        width_px: width of a page in pixels (the SVG scales; this decides how many bars stand on a line).
        height_px: height of a page; without it one page as tall as the music needs, and more than one only
            where it would be taller than 24,000 pixels.
        crop: whether a page is only as high as the music on it.
        scale_percent: size of the notes.
        prefix: put before every id in the SVG, so that several scores can stand on one page of HTML.

    Raises:
        BadInput: a size that cannot be engraved, or a prefix that is no id.
        MissingExtra: verovio is not installed.
    """
    _check(width_px, height_px, scale_percent, prefix)
    toolkit = _toolkit(width_px, height_px, scale_percent, crop=crop or height_px is None, titled=bool(title))
    data, _, placed = musicxml_document(score, title)
    if not toolkit.loadData(data.decode()):
        raise BadInput("the score cannot be engraved")
    pages = [_with_plain_text(toolkit.renderToSVG(number)) for number in range(1, toolkit.getPageCount() + 1)]
    notes = _notes(score, placed, pages, prefix)
    return Engraved(tuple(_prefixed(page, prefix) for page in pages), tuple(notes))


def png_of(page: str, *, zoom: float = 2.0) -> bytes:
    """Return an engraved page as PNG on white.

    Text is drawn with fonts that come with matplotlib, so that it looks the same everywhere; only a page with
    letters that these lack (Chinese, Arabic ...) takes the fonts of this computer.

    Args:
        page: one of `Engraved.pages`.
        zoom: pixels of the picture for each pixel of the page.

    Raises:
        BadInput: a zoom that gives no picture.
        MissingExtra: resvg_py is not installed.
    """
    resvg = require("resvg_py", extra="notation", purpose="An engraved score as PNG")
    if not 0.1 <= zoom <= 8.0:
        raise BadInput(f"zoom={zoom}: give 0.1 to 8")
    import matplotlib as mpl

    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    plain = max(re.sub(r"[\U0001d100-\U0001d1ff]", "", page)) < "\u3000"
    return bytes(resvg.svg_to_bytes(
        svg_string=page, background="white", zoom=zoom, skip_system_fonts=plain, font_family="STIXGeneral",
        serif_family="STIXGeneral", font_files=[str(folder / name) for name in _FONTS]))


def _check(width_px: int, height_px: int | None, scale_percent: int, prefix: str) -> None:
    if not 5 <= scale_percent <= 400:
        raise BadInput(f"scale_percent={scale_percent}: give 5 to 400")
    for name, value in (("width_px", width_px), ("height_px", height_px)):
        if value is not None and not 100 <= value <= _TALLEST * scale_percent // 100:
            raise BadInput(f"{name}={value}: give 100 to {_TALLEST * scale_percent // 100} at this scale")
    if prefix and not re.fullmatch(r"[A-Za-z_][\w.-]*", prefix, re.ASCII):
        raise BadInput(f"prefix={prefix!r} cannot begin an id: use letters, digits, - and _")


def _toolkit(width_px: int, height_px: int | None, scale_percent: int, *, crop: bool, titled: bool) -> Any:
    verovio = require("verovio", extra="notation", purpose="Engraving a score")
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({
        "pageWidth": width_px * 100 // scale_percent, "scale": scale_percent,
        "pageHeight": _TALLEST if height_px is None else height_px * 100 // scale_percent,
        "adjustPageHeight": crop, "breaks": "auto", "header": "auto" if titled else "none", "footer": "none",
        "minLastJustification": 0, "bottomMarginHeader": 6, "xmlIdSeed": 1, "svgViewBox": True, "smuflTextFont": "none",
        "pageMarginLeft": _MARGIN, "pageMarginRight": _MARGIN, "pageMarginTop": _MARGIN, "pageMarginBottom": _MARGIN})
    return toolkit


def _notes(score: Score, placed: Sequence[Placed], pages: Sequence[str], prefix: str) -> list[EngravedNote]:
    """Return the note heads on the pages with the times at which they sound, also where rounded times are written."""
    page_of = {found: number for number, page in enumerate(pages)
               for found in re.findall(r'<g id="([^"]+)" class="note\b', page)}
    last = {(head.track, head.note): head.id for head in placed}
    notes, seen = [], set()
    for head in placed:
        note = score.tracks[head.track].notes[head.note]
        whole = head.track, head.note
        start = float(head.start) if whole in seen else float(note.time)
        end = float(note.end) if last[whole] == head.id else float(head.end)
        seen.add(whole)
        if head.id in page_of:
            notes.append(EngravedNote(prefix + head.id, page_of[head.id], start, max(start, end), head.track,
                                      int(note.pitch)))
    return sorted(notes, key=lambda note: (note.start_beats, note.track, note.pitch))


def _with_plain_text(page: str) -> str:
    """Return an SVG whose tempo marks need no music font, and whose title is centred by every program."""
    def plain(found: re.Match[str]) -> str:
        return f'<tspan font-size="{found[1]}px">{"".join(_TEMPO_SIGNS.get(sign, "") for sign in found[2])}</tspan>'

    page = re.sub(r'<tspan font-family="Leipzig" font-size="(\d+)px">([^<]*)</tspan>', plain, page)
    page = page.replace('<title class="labelAttr">title</title>', "")
    return re.sub(r'<text font-size="0px">(\s*<tspan id="\w+" class="rend") (x="\d+" y="\d+" text-anchor="\w+")',
                  r'<text font-size="0px" \2>\1', page)


def _prefixed(page: str, prefix: str) -> str:
    """Return an SVG whose ids, and what refers to them, begin with the prefix."""
    if not prefix:
        return page
    page = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", page)
    return re.sub(r"(<style[^>]*>)(.*?)(</style>)", lambda m: m[1] + re.sub(r"#(?=[a-z])", f"#{prefix}", m[2]) + m[3],
                  page, flags=re.DOTALL)
