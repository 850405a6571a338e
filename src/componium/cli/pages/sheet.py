"""The engraved score of a page: the SVG made fit for a page with others, each note with its seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from componium.cli.pages.roll import COLOURS
from componium.music.engraving import engrave
from componium.music.score import Score, seconds_at

MOST_NOTES = 3000
"""Longer pieces are shown as notes on a roll only."""
WIDTH_PX = 1000
_ID = re.compile(r'\bid="([^"]+)"')
_VIEW = re.compile(r'<svg\b[^>]*\bviewBox="0 0 ([\d.]+) ([\d.]+)"')


@dataclass(frozen=True)
class Sheet:
    """An engraved score in a page.

    Attributes:
        svg: all its pages, one below the other.
        ratio: height over width.
    """

    svg: str
    ratio: float


def sheet(score: Score, played: Score, prefix: str) -> Sheet:
    """Engrave a score as part of a page.

    Args:
        score: as it is written.
        played: as it is played: its tempos tell when a beat sounds.
        prefix: put before every id, so that no two scores of a page share one.

    Raises:
        BadInput: it cannot be engraved.
        MissingExtra: verovio or music21 is not installed.
    """
    engraved = engrave(score, width_px=WIDTH_PX, prefix=prefix)
    starts = seconds_at(played, [note.start_beats for note in engraved.notes])
    ends = seconds_at(played, [note.end_beats for note in engraved.notes])
    sounding = [index for index, track in enumerate(score.tracks) if len(track.notes)]
    marks = {note.id: f' data-s="{start:.3f}" data-e="{end:.3f}" data-n="{sounding.index(note.track) % COLOURS}"'
             for note, start, end in zip(engraved.notes, starts, ends, strict=True)}
    pages = [_marked(_small(page[page.index("<svg"):]), marks) for page in engraved.pages]
    return Sheet("".join(pages), _ratio(pages))


def _small(svg: str) -> str:
    """Take out what a reader of the page does not need: spaces between elements, and descriptions."""
    return re.sub(r">\s+<", "><", re.sub(r"<desc>.*?</desc>", "", svg, flags=re.DOTALL))


def _marked(svg: str, marks: Mapping[str, str]) -> str:
    """Give each note element its start and end in seconds and its voice."""
    return _ID.sub(lambda match: match[0] + marks.get(match[1], ""), svg)


def _ratio(pages: Sequence[str]) -> float:
    """Return height over width of pages one below the other."""
    sizes = [(float(found[1]), float(found[2])) for found in map(_VIEW.search, pages) if found]
    return sum(height / width for width, height in sizes) if sizes else 0.6
