"""The page around it all: head, style, script, header and footer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from importlib import resources

from componium import __version__
from componium.cli.pages.parts import safe
from componium.cli.pages.takes import Take
from componium.music.files import replacing

POLICY = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
          "media-src data: blob: 'self' file:; connect-src 'self'")
"""What the page may load: what is inside it, and sounds beside it."""


def document(title: str, body: str, *, lead: str = "", takes: Sequence[Take] = (), foot: str = "", style: str = "",
             script: str = "") -> str:
    """Return a whole page.

    Args:
        title: heading and title.
        body: HTML.
        lead: a sentence below the heading.
        takes: all takes that the body shows.
        foot: a sentence at the end; HTML where it is `Html`.
        style: more CSS.
        script: more JavaScript, run after the page's own.
    """
    told = f'<p class="lead">{safe(lead)}</p>' if lead else ""
    end = foot or "This page loads nothing from any network."
    code = _part("page.js") if takes or "class=\"sortable\"" in body else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Componium {escape(__version__)}">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>
{_part("page.css")}{style}
</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{told}
</header>
<main>
{body}</main>
<footer><p>{safe(end)} Made with Componium {escape(__version__)}.</p></footer>
<script>
{code}{script}</script>
</body>
</html>
"""


def _part(name: str) -> str:
    return resources.files("componium.cli.pages").joinpath(name).read_text(encoding="utf-8")


def write_page(path: str | os.PathLike[str], html: str) -> None:
    """Write a page; the file appears complete or not at all.

    Raises:
        BadFile: it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
