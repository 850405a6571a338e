"""The small parts of a page: paragraphs, tables, pictures. Every text is escaped; everything returned is HTML."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

NOTHING = "\N{EN DASH}"
"""Shown where there is no value."""

Value = str | float | int | None


class Html(str):
    """Text that is HTML already, and is put into the page as it is."""


def safe(text: object) -> str:
    """Return a text as HTML: escaped, unless it is `Html`."""
    return text if isinstance(text, Html) else escape(str(text))


def section(heading: str, *parts: str) -> str:
    """Return a section with a heading; the parts are HTML."""
    return f"<section><h2>{escape(heading)}</h2>\n{''.join(parts)}\n</section>\n"


def paragraphs(*texts: str) -> str:
    """Return texts as paragraphs."""
    return "".join(f"<p>{safe(text)}</p>" for text in texts)


def command(*lines: str) -> str:
    """Return command lines as they are typed."""
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def picture(png: bytes, alt: str, caption: str = "") -> str:
    """Return a PNG inside the page."""
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="picture"><img src="{data_uri("image/png", png)}" alt="{escape(alt)}">{told}</figure>'


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes as a ``data:`` address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def address(path: str) -> str:
    """Return a relative path as an address: letters that an address cannot hold are encoded."""
    return quote(path, safe="/")


def links(addresses: Sequence[tuple[str, str]]) -> str:
    """Return links to files beside the page: (text, relative path) each."""
    if not addresses:
        return ""
    listed = "".join(f'<li><a href="{escape(address(path))}">{escape(text)}</a></li>' for text, path in addresses)
    return f'<ul class="links">{listed}</ul>'


def is_missing(value: Value) -> bool:
    """Return whether there is no value: None, NaN or an empty text."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def shown(value: Value, decimals: int = 2) -> str:
    """Return a value as it is read: a number with its decimals, `NOTHING` where there is none."""
    if is_missing(value):
        return NOTHING
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.{decimals}f}"
    return str(value)


def cell(value: Value, *, decimals: int = 2, figure: bool = False, head: bool = False) -> str:
    """Return one cell of a table; a number carries its full value for sorting."""
    number = isinstance(value, int | float) and not is_missing(value)
    kind = ' class="figure"' if figure or number else ""
    sort = f' data-v="{float(value)!r}"' if number and value is not None else ""
    text = value if isinstance(value, Html) else escape(shown(value, decimals))
    return f'<th scope="row"{kind}{sort}>{text}</th>' if head else f"<td{kind}{sort}>{text}</td>"


def table(header: Sequence[str], rows: Sequence[Sequence[Value]], *, right: Sequence[int] = (),
          sortable: bool = False, caption: str = "", decimals: int = 2) -> str:
    """Return a table whose first column names the rows.

    Args:
        header: one text a column; none for a table without a header.
        rows: the cells: texts, numbers, None (nothing), or `Html`.
        right: numbers of the columns that are aligned at the right; columns of numbers are anyway.
        sortable: whether a click on a header sorts the rows.
        caption: what the table shows, above it.
        decimals: of floating-point numbers.
    """
    heads = "".join(head_cell(text, figure=number in right, sortable=sortable) for number, text in enumerate(header))
    body = "".join("<tr>" + "".join(cell(value, decimals=decimals, figure=number in right, head=number == 0)
                                    for number, value in enumerate(row)) + "</tr>" for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = ' class="sortable"' if sortable else ""
    top = f"<thead><tr>{heads}</tr></thead>" if header else ""
    return f'<div class="wide" tabindex="0"><table{kind}>{told}{top}<tbody>{body}</tbody></table></div>'


def head_cell(text: str, *, figure: bool = False, sortable: bool = False, told: str = "") -> str:
    """Return a header cell; a sortable one is a button."""
    kind, more = (' class="figure"' if figure else ""), (f' title="{escape(told)}"' if told else "")
    if not sortable or not text:
        return f'<th scope="col"{kind}{more}>{safe(text)}</th>'
    return f'<th scope="col"{kind}{more}><button type="button" class="sort">{safe(text)}</button></th>'
