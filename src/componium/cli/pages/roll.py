"""The notes of a page as a drawing: pitch upwards, seconds to the right, one colour a voice; or a recording's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from componium.music.audio import Audio
from componium.music.keys import pitch_name
from componium.music.score import Score, bars, seconds_at

WIDTH, ROW_HEIGHT = 10_000, 10
"""Units of the drawing; it is stretched to the page."""
COLOURS = 6
"""Voices have colours ``--voice0`` to ``--voice5``, then again from the first."""
NAMED_NOTES = 1500
"""Up to so many notes, each tells its name where the mouse rests on it."""
POINTS = 600
"""Of the outline of a recording."""
BARS_LABELLED = 16


@dataclass(frozen=True)
class Voice:
    """One voice as it sounds.

    Attributes:
        name: such as ``"Soprano"``.
        instrument: who plays it, or nothing.
        notes: start and end in seconds, MIDI pitch, and what the note is called.
    """

    name: str
    instrument: str
    notes: Sequence[tuple[float, float, int, str]]


def voices_of(played: Score, instruments: Sequence[str] = ()) -> list[Voice]:
    """Return the tracks with notes as they sound, in seconds."""
    timed: Any = played.to("second")
    found = []
    for track in (track for track in timed.tracks if len(track.notes)):
        name = track.name.strip() or f"Part {len(found) + 1}"
        who = instruments[len(found)] if len(found) < len(instruments) else ""
        found.append(Voice(name, who, [(float(n.start), float(n.end), int(n.pitch), pitch_name(n.pitch))
                                       for n in track.notes]))
    return found


def bar_starts(written: Score, played: Score) -> list[tuple[int, float]]:
    """Return number and start in seconds of each bar."""
    found = bars(written)
    seconds = seconds_at(played, [bar.start_beats for bar in found])
    return [(bar.index, float(second)) for bar, second in zip(found, seconds, strict=True)]


def pitch_range(voices: Sequence[Voice]) -> tuple[int, int]:
    """Return the lowest and highest pitch that is drawn: two semitones beyond the notes, an octave at least."""
    pitches = [pitch for voice in voices for _, _, pitch, _ in voice.notes]
    low, high = min(pitches) - 2, max(pitches) + 2
    room = max(12 - (high - low), 0)
    return low - room // 2, high + room - room // 2


def roll(voices: Sequence[Voice], bar_lines: Sequence[tuple[int, float]], seconds: float) -> str:
    """Return the notes as SVG; each carries its start and end in seconds.

    Args:
        voices: what is drawn; with one note at least.
        bar_lines: number and start in seconds of each bar.
        seconds: what the width stands for.
    """
    low, high = pitch_range(voices)
    height, scale = (high - low + 1) * ROW_HEIGHT, WIDTH / seconds
    shapes = [f'<rect x="0" y="{(high - pitch) * ROW_HEIGHT}" width="{WIDTH}" height="{ROW_HEIGHT}" '
              'class="black"/>' for pitch in range(low, high + 1) if pitch % 12 in (1, 3, 6, 8, 10)]
    lines = "".join(f"M{start * scale:.0f} 0V{height}" for _, start in bar_lines)
    shapes.append(f'<path d="{lines}" class="bar" vector-effect="non-scaling-stroke"/>')
    count = sum(len(voice.notes) for voice in voices)
    for number, voice in enumerate(voices):
        shapes.append(f'<g class="v{number % COLOURS}">')
        shapes += [_note(voice, note, high, scale, named=count <= NAMED_NOTES) for note in voice.notes]
        shapes.append("</g>")
    told = f"Piano roll: {count} notes in {len(voices)} {'voice' if len(voices) == 1 else 'voices'}"
    return (f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" role="img" aria-label="{told}">'
            f"{''.join(shapes)}</svg>")


def _note(voice: Voice, note: tuple[float, float, int, str], high: int, scale: float, *, named: bool) -> str:
    start, end, pitch, name = note
    shape = (f'<rect data-s="{start:.3f}" data-e="{end:.3f}" x="{start * scale:.0f}" '
             f'y="{(high - pitch) * ROW_HEIGHT + 1}" width="{max((end - start) * scale - 6, 4):.0f}" '
             f'height="{ROW_HEIGHT - 2}" vector-effect="non-scaling-stroke"')
    return f"{shape}><title>{escape(voice.name)} {escape(name)}</title></rect>" if named else f"{shape}/>"


def pitch_labels(voices: Sequence[Voice]) -> str:
    """Return the names of the Cs and Gs beside the notes."""
    low, high = pitch_range(voices)
    rows = high - low + 1
    step = (0, 7) if rows <= 48 else (0,)
    return labels([(f"{'C' if pitch % 12 == 0 else 'G'}{pitch // 12 - 1}", (high - pitch + 0.5) / rows)
                   for pitch in range(low, high + 1) if pitch % 12 in step], "top")


def bar_labels(bar_lines: Sequence[tuple[int, float]], seconds: float) -> str:
    """Return the numbers of the bars, of a few where there are many."""
    every = max(1, -(-len(bar_lines) // BARS_LABELLED))
    return labels([(str(number), start / seconds) for number, start in bar_lines if (number - 1) % every == 0], "left")


def labels(places: Sequence[tuple[str, float]], side: str) -> str:
    """Return texts at places 0..1 from the ``"left"`` or ``"top"``."""
    return "".join(f'<span style="{side}:{100 * place:.2f}%">{escape(text)}</span>' for text, place in places)


def legend(voices: Sequence[Voice]) -> str:
    """Return which colour is which voice."""
    return "".join(f'<li><i class="v{number % COLOURS}"></i>{escape(voice.name)}'
                   f"{': ' + escape(voice.instrument) if voice.instrument else ''}</li>"
                   for number, voice in enumerate(voices))


def waveform(audio: Audio) -> str:
    """Return the outline of a recording as SVG."""
    samples = np.abs(audio.samples).max(axis=0)
    edges = np.linspace(0, len(samples), min(POINTS, len(samples)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(samples, edges)
    peaks = peaks / max(float(peaks.max()), 1e-9) if peaks.max() > 1e-5 else np.zeros_like(peaks)
    x = np.linspace(0, WIDTH, len(peaks))
    upper = "L".join(f"{a:.0f} {100 - 95 * p:.0f}" for a, p in zip(x, peaks, strict=True))
    lower = "L".join(f"{a:.0f} {100 + 95 * p:.0f}" for a, p in zip(x[::-1], peaks[::-1], strict=True))
    return (f'<svg viewBox="0 0 {WIDTH} 200" preserveAspectRatio="none" role="img" '
            f'aria-label="Waveform of {audio.seconds:.1f} seconds"><path class="v3" stroke="none" '
            f'd="M0 100H{WIDTH}M{upper}L{lower}Z"/></svg>')
