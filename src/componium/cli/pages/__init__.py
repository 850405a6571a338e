"""Pages with score and sound: one HTML file each, which loads nothing from any network.

`Piece` is what a page shows, `make_takes` engraves, draws and plays pieces, `cards` and `overview` show them, and
`document` is the page around it all.
"""

from __future__ import annotations

from componium.cli.pages.cards import Column, cards, overview
from componium.cli.pages.document import document, write_page
from componium.cli.pages.folder import new_folder
from componium.cli.pages.parts import Html, command, links, paragraphs, picture, section, table
from componium.cli.pages.takes import Piece, Take, make_takes

__all__ = ["Column", "Html", "Piece", "Take", "cards", "command", "document", "links", "make_takes", "new_folder",
           "overview", "paragraphs", "picture", "section", "table", "write_page"]
