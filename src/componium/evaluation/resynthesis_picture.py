"""A picture of one excerpt: the recording and its resynthesis as spectrograms, and their curves on one another."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from componium.evaluation.instrument import Curves, midi

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from componium.evaluation.resynthesis import Pair

SHOWN_DB = 80.0
"""So far below the loudest point of both is shown."""
SURE = 0.5
"""From this confidence on, pitch is drawn."""
COLOURS = ("#0072B2", "#D55E00")
NAMES = ("recording", "resynthesis")
MARKS_HZ = (200, 500, 1000, 2000, 5000, 10000, 20000)
BANDS = 128
LEAST_SEMITONES, SHOWN_LOUDNESS_DB = 3, 50.0


def pair_picture(pair: Pair, *, title: str = "") -> bytes:
    """Draw an excerpt and its resynthesis as a PNG: two spectrograms at one scale, pitch and loudness of both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 8.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=(3, 3, 2, 2))
    spectrograms(axes[:2], pair)
    _pitch(axes[2], pair)
    gain_db = 20 * np.log10(pair.excerpt.gain)
    for curves, name, colour, style in _sides(pair):
        axes[3].plot(_time(curves), curves.loudness_db + gain_db, style, color=colour, label=name, linewidth=1.5)
    axes[3].set_ylabel("loudness (dB, A)")
    axes[3].set_xlabel("seconds")
    axes[3].set_xlim(0, pair.excerpt.seconds)
    for each in axes[2:]:
        each.grid(alpha=0.3)
    axes[2].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=8, ncols=2, frameon=False)
    loudest = max(float(curves.loudness_db.max(initial=-80.0)) for curves, *_ in _sides(pair)) + gain_db
    axes[3].set_ylim(loudest - SHOWN_LOUDNESS_DB, loudest + 5)
    figure.suptitle(title or f"{pair.excerpt.name}: spectral loss {pair.loss:.2f}", fontsize=11)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": "Componium"})
    return stream.getvalue()


def _sides(pair: Pair) -> list[tuple[Curves, str, str, str]]:
    return [(pair.heard, NAMES[0], COLOURS[0], "-"), (pair.again, NAMES[1], COLOURS[1], "--")]


def _time(curves: Curves) -> Any:
    return (curves.first_sample + curves.hop_samples * np.arange(len(curves.f0_hz))) / curves.sample_rate_hz


def spectrograms(axes: Any, pair: Pair) -> None:
    """Draw both spectrograms: log-mel, 0 dB the loudest point of the recording."""
    from componium.music.picture import log_mel

    for place, (axis, audio, name) in enumerate(zip(axes, pair.audios(), NAMES, strict=True)):
        levels, centres, step = log_mel(audio, bands=BANDS)
        if place == 0:
            loudest = _peak_db(pair.target)
        levels = levels + _peak_db(pair.target if place == 0 else pair.estimate) - loudest
        image = axis.imshow(levels, origin="lower", aspect="auto", cmap="magma", vmin=-SHOWN_DB, vmax=0.0,
                            extent=(0, levels.shape[1] * step, -0.5, len(centres) - 0.5), interpolation="nearest")
        marks = [hz for hz in MARKS_HZ if centres[0] <= hz <= centres[-1]]
        axis.set_yticks(np.interp(marks, centres, np.arange(len(centres))),
                        [f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in marks])
        axis.set_ylabel(f"{name}\nHz")
        axis.figure.colorbar(image, ax=axis, label="dB", pad=0.01)


def _peak_db(samples: Any) -> float:
    """Return the level of the loudest moment (90 ms), dB: what 0 dB of a spectrogram stands for, about."""
    power = np.convolve(np.square(np.asarray(samples, np.float64)), np.ones(1024) / 1024, mode="same")
    return float(10 * np.log10(max(power.max(initial=0.0), 1e-12)))


def _pitch(axes: Axes, pair: Pair) -> None:
    """Draw the pitch of both where it is sure, in note names."""
    from componium.music.keys import pitch_name

    drawn = []
    for curves, name, colour, style in _sides(pair):
        notes = np.where(curves.confidence >= SURE, midi(curves.f0_hz), np.nan)
        drawn.append(notes[np.isfinite(notes)])
        axes.plot(_time(curves), notes, style, color=colour, label=name, linewidth=1.5)
    every = np.concatenate(drawn)
    if len(every):
        low, high = (int(np.round(each)) for each in np.percentile(every, [2, 98]))  # without slips of the tracker
        room = max(LEAST_SEMITONES - (high - low), 0)
        low, high = low - 1 - room // 2, high + 1 + room // 2
        axes.set_ylim(low - 0.5, high + 0.5)
        marks = list(range(low, high + 1, max(1, (high - low) // 6)))
        axes.set_yticks(marks, [pitch_name(mark) for mark in marks])
    axes.set_ylabel("pitch")
