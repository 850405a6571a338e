"""The demo's page: one HTML file with the score, the notes, the sound and the facts inside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from componium.cli.pages import Html, Piece, cards, command, document, make_takes, paragraphs, section, table
from componium.cli.pages.parts import data_uri
from componium.cli.pages.roll import labels

SHOWN_DB = 70.0
"""How far below the loudest point the spectrogram shows sound."""
HIGHEST_HZ = 10_000.0
"""Up to where the spectrogram is shown: four wind instruments leave the rest dark."""
FOOT = ('Composed by a program, and not a work of J. S. Bach. This page loads nothing from any network: sound, '
        'pictures and notes are inside it. Beside it are <a href="chorale.mid">chorale.mid</a>, '
        '<a href="chorale.musicxml">chorale.musicxml</a>, <a href="chorale.wav">chorale.wav</a> and '
        '<a href="chorale.png">chorale.png</a>; open them in any notation editor or music program.')
CAPTION = ("Above, the score; below it every note as it is played: pitch upwards, time to the right, bars numbered, "
           "cadences closing each phrase. Under that the sound itself: frequency upwards, bright where it is loud. "
           "What sounds is marked in both. Click a note, or anywhere below, to listen from there.")


@dataclass(frozen=True)
class Facts:
    """What the page says in words.

    Attributes:
        title: the heading.
        lead: the sentence below it.
        trained: paragraphs.
        scores: model, nats per token, and on what, one row each.
        scores_text: a paragraph above that table.
        protocol: a line below it.
        made: what and value, one row each.
        reproduce: the command line that makes the same again.
        next_commands: three command lines.
    """

    title: str
    lead: str
    trained: Sequence[str]
    scores: Sequence[tuple[str, str, str]]
    scores_text: str
    protocol: str
    made: Sequence[tuple[str, str]]
    reproduce: str
    next_commands: Sequence[str]


def page(score: Any, audio: Any, instruments: Sequence[str], seed: int, facts: Facts) -> str:
    """Return the page as HTML.

    Args:
        score: as it is written.
        audio: its performance, with the expression of the seed.
        instruments: who plays the voices.
        seed: of the expression.
        facts: what the page says in words.
    """
    image, axis = spectrum(audio)
    extra = (f'<img src="{data_uri("image/png", image)}" '
             f'alt="Spectrogram of {audio.seconds:.0f} seconds of sound">')
    takes = make_takes([Piece("The chorale", score, audio, instruments=instruments, extra=extra, extra_axis=axis)],
                       seed=seed, stereo=True)
    body = "".join((
        section("Look and listen", cards(takes), f'<p class="hint">{escape(CAPTION)}</p>'),
        section("What was trained on what", paragraphs(*facts.trained)),
        section("How it scores", paragraphs(facts.scores_text),
                table(("model", "nats per token", "measured on"), facts.scores, right=(1,)),
                f'<p class="hint">{escape(facts.protocol)}</p>'),
        section("How it was made", table((), facts.made), paragraphs("The same again, note for note:"),
                command(facts.reproduce), paragraphs("Three commands to try next:"), command(*facts.next_commands))))
    return document(facts.title, body, lead=facts.lead, takes=takes, foot=Html(FOOT))


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
