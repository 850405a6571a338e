"""How takes stand on a page: a card each, and a table of all that sorts, filters and plays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from componium.cli.pages.parts import cell, head_cell, links, shown, table
from componium.cli.pages.takes import Piece, Take

DRAW_ALL_BELOW = 20
"""Pages with fewer cards draw all of them soon; others those in view."""
SHORT_SECONDS = 10.0
"""Of shorter sounds the tenths of a second are shown."""
PLAY = '<svg viewBox="0 0 20 20" aria-hidden="true"><path class="go" d="M5 3v14l12-7z"/><path class="halt" ' \
       'd="M4 3h4v14H4zM12 3h4v14h-4z"/></svg>'


@dataclass(frozen=True)
class Column:
    """A column of the overview.

    Attributes:
        name: key in `Piece.values`.
        label: the header; empty = the name.
        help: shown where the mouse rests on the header.
        decimals: of floating-point numbers.
    """

    name: str
    label: str = ""
    help: str = ""
    decimals: int = 2


def cards(takes: Sequence[Take]) -> str:
    """Return a card for each take: heading, player, engraved score, roll, facts, details, links."""
    return f'<div class="takes">{"".join(_card(take) for take in takes)}</div>'


def _card(take: Take) -> str:
    piece, name = take.piece, escape(take.piece.title)
    facts = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(shown(value))}</dd></div>" for key, value in piece.facts)
    details = "".join(f"<details><summary>{escape(heading)}</summary>{table((), rows)}</details>"
                      for heading, rows in piece.details.items())
    troubles = "".join(f'<p class="trouble">{escape(text)}</p>' for text in take.troubles)
    return (f'<article class="take" id="{take.anchor}" data-seconds="{take.seconds:.3f}" '
            f'data-sound="{escape(take.sound)}" aria-labelledby="{take.anchor}-title">\n'
            f'<div class="heading"><h3 id="{take.anchor}-title">{name}</h3>{piece.control}</div>\n'
            f"{f'<p>{escape(piece.note)}</p>' if piece.note else ''}{_player(take)}{troubles}{_stage(take)}"
            f"{f'<dl>{facts}</dl>' if facts else ''}{details}{links(piece.links)}</article>\n")


def _player(take: Take) -> str:
    if not take.sound:
        return ""
    name, start = escape(take.piece.title), clock(0.0) if take.seconds < SHORT_SECONDS else "0:00"
    return (f'<div class="player"><button type="button" class="play" data-play="{take.anchor}" '
            f'aria-label="Play {name}">{PLAY}</button>'
            f'<input type="range" class="seek" min="0" max="{take.seconds:.2f}" step="0.01" value="0" '
            f'aria-label="Position in {name}" aria-valuetext="{start}">'
            f'<span class="time"><span class="now">{start}</span> / {clock(take.seconds)}</span></div>\n')


def _stage(take: Take) -> str:
    """Return the places of the drawings, and the packed drawings themselves."""
    name = escape(take.piece.title)
    score = (f'<div class="sheet" tabindex="0" role="img" aria-label="Engraved score of {name}" '
             f'style="--ratio:{take.ratio:.3f}"></div>' if take.ratio else "")
    legend = f'<ul class="legend">{take.legend}</ul>' if take.legend else ""
    return (f'{score}<div class="stage" tabindex="0" aria-label="Notes of {name}" role="group" '
            f'style="--seconds:{take.seconds:.1f}"><div class="inner"></div></div>{legend}'
            f'<script type="text/plain" class="drawings">{take.drawings}</script>\n')


def clock(seconds: float) -> str:
    """Return minutes and seconds: ``"1:05"``; tenths too below ten seconds: ``"0:00.9"``."""
    if seconds < SHORT_SECONDS:
        return f"0:0{math.floor(10 * seconds) / 10:.1f}"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def overview(takes: Sequence[Take], columns: Sequence[Column], *, label: str = "Pieces", others: Sequence[Piece] = (),
             filterable: bool = True) -> str:
    """Return a table of the takes: a click on a header sorts it and the cards with it, a text filters both.

    Args:
        takes: one row each, with a button that plays it and a link to its card.
        columns: what is shown of `Piece.values`.
        label: name of the table, and of its first column.
        others: pieces without a card; they have a row only.
        filterable: whether there is a field to type into.
    """
    pieces = [*(take.piece for take in takes), *others]
    figures = {column.name: any(isinstance(piece.values.get(column.name), int | float) for piece in pieces)
               for column in columns}
    rows = [_row(take.piece, columns, figures, take) for take in takes]
    rows += [_row(piece, columns, figures, None) for piece in others]
    heads = "".join(head_cell(column.label or column.name, sortable=True, told=column.help, figure=figures[column.name])
                    for column in columns)
    controls = any(piece.row_control for piece in pieces)
    first = '<th scope="col"><span class="hidden">Mark</span></th>' if controls else ""
    rows = [row if controls else row.replace('<td class="mark"></td>', "", 1) for row in rows]
    first += f'<th scope="col"><span class="hidden">Sound</span></th>{head_cell(label, sortable=True)}'
    return (f'<div class="overview">{_tools(len(takes), len(rows), label, filterable)}<div class="wide" tabindex="0">'
            f'<table class="sortable" aria-label="{escape(label)}"><thead><tr>{first}{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div></div>\n")


def _tools(takes: int, rows: int, label: str, filterable: bool) -> str:
    """Return what stands above the table: the filter, and a button that draws every score before printing."""
    tools = ""
    if filterable and rows > 1:
        tools += ('<label>Filter <input type="search" class="filter" autocomplete="off"></label>'
                  f'<span class="count" role="status">{rows:,} {escape(label.lower())}</span>')
    if takes >= DRAW_ALL_BELOW:
        tools += '<button type="button" class="draw-all">Draw everything (before printing)</button>'
    return f'<div class="tools">{tools}</div>' if tools else ""


def _row(piece: Piece, columns: Sequence[Column], figures: Mapping[str, bool], take: Take | None) -> str:
    name = escape(piece.title)
    play = (f'<button type="button" class="play small" data-play="{take.anchor}" aria-label="Play {name}">{PLAY}'
            "</button>" if take is not None and take.sound else "")
    title = f'<a href="#{take.anchor}">{name}</a>' if take is not None else name
    cells = "".join(cell(piece.values.get(column.name), decimals=column.decimals, figure=figures[column.name])
                    for column in columns)
    anchor = f' data-take="{take.anchor}"' if take is not None else ""
    return (f'<tr{anchor}><td class="mark">{piece.row_control}</td><td>{play}</td><th scope="row">{title}</th>'
            f"{cells}</tr>\n")
