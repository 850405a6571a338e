"""The demo's page: one HTML file with the sound, the notes and the facts inside it, and nothing from anywhere else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

import numpy as np

ROLL_WIDTH, ROW_HEIGHT = 10_000, 10
"""Units of the drawing of the notes; it is stretched to the page."""
SHOWN_DB = 70.0
"""How far below the loudest point the spectrogram shows sound."""
HIGHEST_HZ = 10_000.0
"""Up to where the spectrogram is shown: four wind instruments leave the rest dark."""


@dataclass(frozen=True)
class Voice:
    """One voice as it sounds.

    Attributes:
        name: such as ``"Soprano"``.
        instrument: who plays it.
        notes: start and end in seconds, MIDI pitch, and what the note is called.
    """

    name: str
    instrument: str
    notes: Sequence[tuple[float, float, int, str]]


@dataclass(frozen=True)
class Sounding:
    """The piece as it sounds.

    Attributes:
        voices: high to low.
        bars: number and start in seconds of each bar.
        audio: the sound.
        sheet: the engraved score as SVG, one text a page.
    """

    voices: Sequence[Voice]
    bars: Sequence[tuple[int, float]]
    audio: Any
    sheet: Sequence[str]


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
        version: of Componium.
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
    version: str


def page(sounding: Sounding, facts: Facts) -> str:
    """Return the page as HTML."""
    low, high = pitch_range(sounding.voices)
    image, frequency_labels = spectrum(sounding.audio)
    template = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        version=escape(facts.version), title=escape(facts.title), lead=escape(facts.lead),
        sound=data_uri("audio/flac", flac(sounding.audio)), seconds=f"{sounding.audio.seconds:.4f}",
        voice_styles="\n".join(f".v{n} {{ fill: var(--voice{n % 4}); background: var(--voice{n % 4}); }}"
                               for n in range(len(sounding.voices))),
        roll=roll(sounding, low, high), pitch_labels=pitch_labels(low, high),
        bar_labels=labels([(str(number), start / sounding.audio.seconds) for number, start in sounding.bars], "left"),
        spectrum=data_uri("image/png", image), frequency_labels=frequency_labels,
        spectrum_alt=f"Spectrogram of {sounding.audio.seconds:.0f} seconds of sound",
        legend="".join(f'<li><i class="v{n}"></i>{escape(voice.name)}: {escape(voice.instrument)}</li>'
                       for n, voice in enumerate(sounding.voices)),
        score_section=sheet_section(sounding.sheet),
        trained="".join(f"<p>{escape(text)}</p>" for text in facts.trained),
        scores_text=f"<p>{escape(facts.scores_text)}</p>", protocol=escape(facts.protocol),
        scores_rows="".join(f'<tr><th scope="row">{escape(name)}</th><td class="figure">{escape(value)}</td>'
                            f"<td>{escape(where)}</td></tr>" for name, value, where in facts.scores),
        made_rows="".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
                          for name, value in facts.made),
        reproduce=escape(facts.reproduce), next=escape("\n".join(facts.next_commands)),
    )


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes as a ``data:`` address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def flac(audio: Any) -> bytes:
    """Return the sound as FLAC, 16 bits: half as large as WAV, and every browser plays it."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, audio.samples.T, audio.sample_rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def pitch_range(voices: Sequence[Voice]) -> tuple[int, int]:
    """Return the lowest and highest pitch that is drawn: two semitones beyond the notes."""
    pitches = [pitch for voice in voices for _, _, pitch, _ in voice.notes]
    return min(pitches) - 2, max(pitches) + 2


def roll(sounding: Sounding, low: int, high: int) -> str:
    """Return the notes as SVG; each carries its start and end in seconds for the playhead."""
    height, scale = (high - low + 1) * ROW_HEIGHT, ROLL_WIDTH / sounding.audio.seconds
    shapes = [f'<rect x="0" y="{(high - pitch) * ROW_HEIGHT}" width="{ROLL_WIDTH}" height="{ROW_HEIGHT}" '
              'fill="var(--beat)"/>' for pitch in range(low, high + 1) if pitch % 12 in (1, 3, 6, 8, 10)]
    shapes += [f'<path d="M{start * scale:.1f} 0V{height}" stroke="var(--bar)" vector-effect="non-scaling-stroke"/>'
               for _, start in sounding.bars]
    for number, voice in enumerate(sounding.voices):
        for start, end, pitch, name in voice.notes:
            shapes.append(
                f'<rect class="v{number}" data-s="{start:.3f}" data-e="{end:.3f}" x="{start * scale:.1f}" '
                f'y="{(high - pitch) * ROW_HEIGHT + 1}" width="{max((end - start) * scale - 6, 4):.1f}" '
                f'height="{ROW_HEIGHT - 2}" vector-effect="non-scaling-stroke"><title>{escape(voice.name)} '
                f"{escape(name)}</title></rect>")
    count = sum(len(voice.notes) for voice in sounding.voices)
    return (f'<svg viewBox="0 0 {ROLL_WIDTH} {height}" preserveAspectRatio="none" role="img" '
            f'aria-label="Piano roll: {count} notes in {len(sounding.voices)} voices">{"".join(shapes)}</svg>')


def pitch_labels(low: int, high: int) -> str:
    """Return the names of the Cs and Gs beside the notes."""
    rows = high - low + 1
    return labels([(f"{'C' if pitch % 12 == 0 else 'G'}{pitch // 12 - 1}", (high - pitch + 0.5) / rows)
                   for pitch in range(low, high + 1) if pitch % 12 in (0, 7)], "top")


def labels(places: Sequence[tuple[str, float]], side: str) -> str:
    """Return texts at places 0..1 from the ``"left"`` or ``"top"``."""
    return "".join(f'<span style="{side}:{100 * place:.2f}%">{escape(text)}</span>' for text, place in places)


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


def sheet_section(sheet: Sequence[str]) -> str:
    """Return the section with the engraved score, or nothing."""
    if not sheet:
        return ""
    pages = "".join(f'<div role="img" aria-label="The engraved score">{svg}</div>' for svg in sheet)
    return f'<section><h2>The score</h2><figure class="sheet">{pages}</figure></section>'
