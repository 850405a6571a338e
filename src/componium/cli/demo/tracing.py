"""Two curves of pitch drawn over one another, on the time axis of their sounds."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.cli.demo import singing
from componium.cli.demo.learned import followed
from componium.cli.demo.plan import Turned
from componium.cli.pages.roll import labels

WIDTH, HEIGHT = 10_000, 1000
ROOM_SEMITONES = 2.5


def traces(turned: Turned) -> tuple[str, str]:
    """Return the curves of what was sung and what is played as SVG, and the labels at its left: the notes meant.

    Where the instrument plays in another octave, its curve is drawn in the singer's; before and after the song
    there is nothing to compare.
    """
    octaves, _ = followed(turned)
    (sung, sure), (played, also_sure) = turned.curves
    shown = [(sung, sure, "sung"), (played - 12 * octaves, sure & also_sure, "played")]
    notes = sorted({pitch for _, _, pitch in singing.phrase()})
    low, high = notes[0] - ROOM_SEMITONES, notes[-1] + ROOM_SEMITONES
    end = turned.sung.seconds
    hop = turned.model.config.hop_samples / turned.model.sample_rate_hz
    parts = [_line(note, low, high) for note in notes]
    parts += [_path(pitch, heard, kind, low, high, hop / end) for pitch, heard, kind in shown]
    told = f"Pitch as it was sung, and as {escape(turned.name)} plays it, one over the other"
    svg = (f'<svg class="traces" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
           f'aria-label="{told}">{"".join(parts)}</svg>')
    return legend(turned) + svg, labels([(_name(note), (high - note) / (high - low)) for note in notes], "top")


def legend(turned: Turned) -> str:
    """Return which line is which."""
    octaves, _ = followed(turned)
    where = f", drawn {abs(octaves)} octave{'s' if abs(octaves) > 1 else ''} {'lower' if octaves > 0 else 'higher'}"
    return ('<ul class="legend over"><li><i class="trace-sung"></i>sung</li><li><i class="trace-played"></i>'
            f'{escape(turned.name)}{where if octaves else ""}</li></ul>')


def _name(note: int) -> str:
    from componium.music.keys import pitch_name

    return str(pitch_name(note))


def _line(note: float, low: float, high: float) -> str:
    y = HEIGHT * (high - note) / (high - low)
    return f'<path class="meant" d="M0 {y:.0f}H{WIDTH}" vector-effect="non-scaling-stroke"/>'


def _path(pitch: npt.NDArray[Any], sure: npt.NDArray[Any], kind: str, low: float, high: float, step: float) -> str:
    """Return a curve, with gaps where there is no pitch; frame k is ``(k + 1) * step`` of the width from the left."""
    x = WIDTH * step * np.arange(1, len(pitch) + 1)
    y = HEIGHT * (high - np.clip(pitch, low, high)) / (high - low)
    pen = np.where(np.append(False, sure[:-1]), "L", "M")
    told = "".join(f"{move}{a:.0f} {b:.0f}" for move, a, b, heard in zip(pen, x, y, sure, strict=True) if heard)
    return f'<path class="{kind}" d="{told}" vector-effect="non-scaling-stroke"/>'
