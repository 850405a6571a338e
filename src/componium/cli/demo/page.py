"""The demo's page: one HTML file with the scores, the notes, the sounds and the facts inside it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from componium.cli.demo.plan import INSTRUMENTS, Performance
from componium.cli.pages import Html, Piece, Take, cards, command, document, make_takes, paragraphs, section, table
from componium.cli.pages.parts import Value, data_uri, links
from componium.cli.pages.roll import labels

SHOWN_DB = 70.0
"""How far below the loudest point the spectrogram shows sound."""
HIGHEST_HZ = 10_000.0
"""Up to where the spectrogram is shown: four wind instruments leave the rest dark."""
FOOT = ("Composed by programs, and not works of J. S. Bach. This page loads nothing from any network: sounds, pictures "
        "and notes are inside it. The files beside it open in any notation editor or music program.")
CAPTION = ("In each, the score; below it every note as it is played: pitch upwards, time to the right, bars numbered. "
           "Under that the sound itself: frequency upwards, bright where it is loud. "
           "What sounds is marked in both. Click a note, or anywhere below, to listen from there.")
STYLE = """
.pair.beside .takes { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem;
  margin: 1rem 0; align-items: start; }
.pair.beside .take { margin: 0; min-width: 0; contain-intrinsic-size: auto 480px; }
.pair .wave { grid-column: 2; }
.pair.beside .wave { height: 4rem; }
.pair.beside .extra { height: 12rem; }
.legend.over { position: absolute; top: 0; left: .5rem; margin: 0; pointer-events: none; }
.traces path { fill: none; stroke-linejoin: round; }
.traces .meant { stroke: var(--line); }
.traces .sung { stroke: var(--voice3); stroke-width: 6; opacity: .45; stroke-linecap: round; }
.traces .played { stroke: var(--voice0); stroke-width: 1.8; }
.traces + .playhead { background: var(--accent); }
.trace-sung { background: var(--voice3); opacity: .6; } .trace-played { background: var(--voice0); }
button.switch { font-size: .85rem; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: .35rem; padding: .3rem .6rem; cursor: pointer; }
button.switch:hover { border-color: var(--accent); }
@media print { button.switch { display: none; } .traces + .playhead { display: none; } }
"""
SCRIPT = """
// Two takes of the same music: a button goes on in the other one, at the place that is heard.
document.addEventListener("click", event => {
  const button = event.target.closest("button.switch");
  if (!button) return;
  const here = button.closest(".take"), pair = [...button.closest(".pair").querySelectorAll(".take")];
  const from = player.takes.get(here.id), other = pair.find(card => card !== here), to = player.takes.get(other.id);
  const heard = player.current === from || player.current === to;
  player.seek(to, heard ? player.audio.currentTime : from.at);
  player.play(to);
  other.querySelector(".switch").focus({ preventScroll: true });
  other.scrollIntoView({ block: "nearest" });
});
"""


@dataclass(frozen=True)
class Card:
    """What the page says of one piece.

    Attributes:
        title: its heading.
        note: a sentence below it.
        facts: name and value.
        details: heading -> rows of name and value, folded away.
    """

    title: str
    note: str
    facts: Sequence[tuple[str, Value]]
    details: Mapping[str, Sequence[tuple[str, Value]]]


@dataclass(frozen=True)
class Comparison:
    """A table of figures with the words around it.

    Attributes:
        before: paragraphs above it.
        header: one text a column.
        rows: the cells.
        after: a line below it.
        right: numbers of the columns that are aligned at the right.
    """

    before: Sequence[str]
    header: Sequence[str]
    rows: Sequence[Sequence[Value]]
    after: str
    right: Sequence[int]


@dataclass(frozen=True)
class Learned:
    """What the page shows of instruments that learned from recordings.

    Attributes:
        before: paragraphs above the pairs.
        pairs: two pieces each, the same music; whether they stand side by side, or one below the other.
        commands: command lines that make the same by hand.
    """

    before: Sequence[str]
    pairs: Sequence[tuple[Piece, Piece, bool]]
    commands: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """What the page says in words.

    Attributes:
        title: the heading.
        lead: the sentence below it.
        cards: stem of the file -> what is said of the piece.
        learned: what is shown of the instruments that learned from recordings.
        comparisons: tables of both models.
        trained: paragraphs.
        made: what and value, one row each.
        reproduce: the command line that makes the same again.
        next_commands: four command lines.
        files: beside the page.
    """

    title: str
    lead: str
    cards: Mapping[str, Card]
    learned: Learned
    comparisons: Sequence[Comparison]
    trained: Sequence[str]
    made: Sequence[tuple[str, str]]
    reproduce: str
    next_commands: Sequence[str]
    files: Sequence[str]


def page(pieces: Mapping[str, Performance], seed: int, facts: Facts) -> str:
    """Return the page as HTML.

    Args:
        pieces: stem of the file -> the piece as it is written, and its sound with the expression of the seed.
        seed: of the expression.
        facts: what the page says in words.
    """
    shown = [_piece(played, facts.cards[stem]) for stem, played in pieces.items()]
    paired = [piece for pair in facts.learned.pairs for piece in pair[:2]]
    takes = make_takes([*shown, *paired], seed=seed, stereo=True)
    body = "".join((
        section("Look and listen", f'<p class="hint">{escape(CAPTION)}</p>', cards(takes[:len(shown)])),
        section("Instruments that learned from recordings", *_learned(facts.learned, takes[len(shown):])),
        section("How they compare", *(_comparison(each) for each in facts.comparisons)),
        section("What was learned from what", paragraphs(*facts.trained)),
        section("How it was made", table((), facts.made), paragraphs("The same again, note for note:"),
                command(facts.reproduce), paragraphs("Four commands to try next:"), command(*facts.next_commands),
                paragraphs("The files:"), links([(name, name) for name in facts.files]))))
    return document(facts.title, body, lead=facts.lead, takes=takes, foot=Html(escape(FOOT)), style=STYLE,
                    script=SCRIPT)


def _learned(told: Learned, takes: Sequence[Take]) -> list[str]:
    """Return what stands in the section of the instruments."""
    shown = [f'<div class="pair{" beside" if beside else ""}">{cards((first, second))}</div>'
             for first, second, (_, _, beside) in zip(takes[::2], takes[1::2], told.pairs, strict=True)]
    by_hand = [paragraphs("The same by hand:"), command(*told.commands)] if told.commands else []
    return [paragraphs(*told.before), *shown, *by_hand]


def _piece(played: Performance, card: Card) -> Piece:
    return Piece(card.title, played.score, played.audio, note=card.note, facts=card.facts, details=card.details,
                 instruments=INSTRUMENTS, **spectrogram(played.audio))


def spectrogram(audio: Any) -> dict[str, Any]:
    """Return what a `Piece` shows below its roll: the spectrogram, and the labels of its frequencies."""
    image, axis = spectrum(audio)
    return {"extra": f'<img src="{data_uri("image/png", image)}" '
                     f'alt="Spectrogram of {audio.seconds:.0f} seconds of sound">', "extra_axis": axis}


def _comparison(told: Comparison) -> str:
    return (f"{paragraphs(*told.before)}{table(told.header, told.rows, right=told.right)}"
            f'<p class="hint">{escape(told.after)}</p>')


def spectrum(audio: Any) -> tuple[bytes, str]:
    """Return the log-mel spectrogram as a bare PNG, and the labels of its frequencies."""
    from matplotlib import colormaps
    from matplotlib.image import imsave

    from componium.music.picture import log_mel

    levels_db, centres_hz, _ = log_mel(audio)
    centres_hz = centres_hz[centres_hz <= HIGHEST_HZ]
    shade = np.clip(1.0 + levels_db[:len(centres_hz)] / SHOWN_DB, 0.0, 1.0)
    stream = io.BytesIO()
    imsave(stream, colormaps["magma"](shade[::-1]), format="png")
    height = np.linspace(1.0, 0.0, len(centres_hz))
    marks = [(f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz", float(np.interp(hz, centres_hz, height)))
             for hz in (200, 1000, 4000)]
    return stream.getvalue(), labels(marks, "top")
