"""The page of `componium evaluate` for an instrument: recordings and resyntheses to hear, a tune, and the figures."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from componium.cli.show import Progress, counted
from componium.music.audio import Audio
from componium.music.errors import ComponiumError

HEARD = 8
SHOWN_DB = 70.0
ENDS_SECONDS = 0.005
"""Excerpts are cut out of sound: their ends are faded on the page, so that they do not click."""
STYLE = ".stage .wave { grid-column: 2; }"
"""The outline of a sound stands above its spectrogram, whose labels take the first column."""
OTHERWISE = "flute"
"""Plays the tune for comparison where the name of model or data names no instrument."""
MEANING = (
    "Every excerpt has the loudness of -20 LUFS; its resynthesis was made of its pitch and loudness curves alone, and "
    "has the same gain. The floor of the spectral loss is what other noise alone makes of the same curves; the ceiling "
    "is the recording beside the resynthesis of another excerpt. Loudness and pitch are heard again from the "
    "resynthesis. An outlier is a frame in which the recording has a sure pitch (0.85) and the resynthesis has not.")


def picture_of(asked: Any, report: Any, model: Any) -> bytes:
    """Return the picture of the excerpt in the middle, with what it was made of in it."""
    from componium.cli.origins import origin_for, used_model
    from componium.evaluation.resynthesis_picture import pair_picture
    from componium.music.origin import DRAWN

    pair = sorted(report.pairs, key=lambda each: each.loss)[len(report.pairs) // 2]
    origin = origin_for(DRAWN, "evaluate", [used_model(asked.subject, model)], seed=report.seed, settings={
        "subject": asked.subject, "on": report.data, "count": len(report.pairs)})
    title = f"{pair.excerpt.name}, played by {report.model}: spectral loss {pair.loss:.2f} (the middle one)"
    return origin.into(pair_picture(pair, title=title), ".png")


def page(report: Any, png: bytes, again: str, provenance: Mapping[str, Any], progress: Progress) -> str:
    """Return the whole page; ``provenance`` is the model's."""
    from componium.cli.pages import cards, command, document, make_takes, paragraphs, picture, section, table

    tune = tune_pieces(report)
    chosen = excerpt_pieces(report)
    takes = make_takes([*tune, *chosen], expression=False, progress=progress)
    warnings = [f"Note: {text.removeprefix('WARNING: ')}." for text in report.messages()]
    body = section("At a glance", paragraphs(*warnings), table(report.COLUMNS, report.rows(), right=range(1, 5)),
                   paragraphs(MEANING))
    body += section("A tune", paragraphs("The same notes, as written, by the model and by a sampled instrument, "
                                         "both at -20 LUFS."), cards(takes[:len(tune)]))
    body += section("Recordings and resyntheses", paragraphs(
        f"{counted(len(chosen) // 2, 'excerpt')} of {len(report.pairs)}, evenly from the lowest spectral loss to the "
        "highest; each recording, then what the model makes of its curves."), cards(takes[len(tune):]))
    body += section("One excerpt", picture(png, "Spectrograms, pitch and loudness of a recording and its resynthesis"))
    body += section("Notes", table(report.NOTE_COLUMNS, report.note_rows(), right=(1, 2)),
                    table(("Played from notes", ""), report.played_rows(), right=(1,)))
    protocol = f"{report.protocol[:1].upper()}{report.protocol[1:]}."
    body += section("How it was measured", paragraphs(protocol), command(again))
    licences = Counter(pair.excerpt.licence for pair in report.pairs)
    terms = ", ".join(f"{text} ({counted(number, 'excerpt')})" for text, number in licences.items())
    voice = (f"The model is a voice, with the consent of {provenance['consent_who']} for "
             f"{provenance.get('consent_for', 'what is not known')}. ") if provenance.get("consent_who") else ""
    foot = (f"{voice}Terms of the recordings: {terms}. The resyntheses and the tunes were made by a program. This page "
            "loads nothing from any network.")
    lead = (f"{counted(len(report.pairs), 'excerpt')} ({report.seconds:.0f} s) of "
            f"{counted(report.recordings, 'recording')} of {report.data}.")
    return document(f"{report.model} beside {report.data}", body, lead=lead, takes=takes, foot=foot, style=STYLE)


def excerpt_pieces(report: Any) -> list[Any]:
    """Return recordings and resyntheses for the page, in pairs."""
    from componium.cli.pages import Piece
    from componium.evaluation.resynthesis_report import from_best_to_worst

    pieces = []
    for rank, pair in from_best_to_worst(report.pairs, HEARD):
        for audio, what in zip(pair.audios(), ("recording", "resynthesis"), strict=True):
            image, axis = spectrum(audio)
            note = f"Number {rank} of {len(report.pairs)} by spectral loss: {pair.loss:.2f}." if what == "recording" \
                else ""
            pieces.append(Piece(f"{pair.excerpt.name}: {what}", audio=audio.fade(ENDS_SECONDS, ENDS_SECONDS), note=note,
                                extra=image, extra_axis=axis))
    return pieces


def tune_pieces(report: Any) -> list[Any]:
    """Return the tune as the model played it, and as a sampled instrument does where a SoundFont is found."""
    from componium.cli.pages import Piece
    from componium.evaluation.excerpts import LUFS
    from componium.evaluation.played import TITLE

    one = report.played
    pieces = [Piece(f"{TITLE}: {report.model}", one.score, one.sound.normalise(LUFS), instruments=[report.model],
                    name="tune-model")]
    instrument = sampled_instrument(f"{report.model} {report.data}")
    try:
        from componium.music.general_midi import program_of
        from componium.performance import perform
        from componium.registry import create

        player = create("soundfont", program=program_of(instrument))
        sound = perform(one.score, player, lufs=LUFS, expression=False)
    except ComponiumError as error:
        return [Piece(pieces[0].title, one.score, pieces[0].audio, instruments=[report.model], name="tune-model",
                      note=f"No sampled instrument beside it: {error}")]
    return [*pieces, Piece(f"{TITLE}: SoundFont, {instrument}", one.score, sound, instruments=[instrument],
                           name="tune-soundfont")]


def sampled_instrument(text: str) -> str:
    """Return the General MIDI instrument whose whole name stands in a text, the longest; `OTHERWISE` for none."""
    from componium.music.general_midi import INSTRUMENTS

    words = " ".join(re.split(r"[^a-z0-9]+", text.lower()))
    found = [name for name in INSTRUMENTS if f" {name} " in f" {words} "]
    return max(found, key=len, default=OTHERWISE)


def spectrum(audio: Audio) -> tuple[str, str]:
    """Return the log-mel spectrogram as an image element, and the labels of its frequencies."""
    from matplotlib import colormaps
    from matplotlib.image import imsave

    from componium.cli.pages.parts import data_uri
    from componium.cli.pages.roll import labels
    from componium.music.picture import log_mel

    levels, centres, _ = log_mel(audio, most_frames=800)
    stream = io.BytesIO()
    imsave(stream, colormaps["magma"](np.clip(1.0 + levels / SHOWN_DB, 0.0, 1.0)[::-1]), format="png")
    heights = np.linspace(1.0, 0.0, len(centres))
    marks = [(f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz", float(np.interp(hz, centres, heights)))
             for hz in (200, 1000, 4000) if hz < centres[-1]]
    image = f'<img src="{data_uri("image/png", stream.getvalue())}" alt="Spectrogram of {audio.seconds:.1f} seconds">'
    return image, labels(marks, "top")
