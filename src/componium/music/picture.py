"""Pictures of music: engraved score, piano roll, waveform, spectrogram, as PNG or SVG."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from componium.music.audio import Audio
from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.item import Progress
from componium.music.origin import Origin
from componium.music.score import FERMATA, PHRASE_END, Score, bars, end_beats, note_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_KINDS = (".png", ".svg")
"""File endings a picture is written with."""

# Okabe and Ito's palette, told apart with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#7F7F7F")
MEL_BANDS = 128
FLOOR_DB = -80.0
_BLACK_KEYS = (1, 3, 6, 8, 10)
_LETTERS = {0: "C", 2: "D", 4: "E", 5: "F", 7: "G", 9: "A", 11: "B"}

Floats = npt.NDArray[np.float64]


def piano_roll(score: Score, path: str | os.PathLike[str] | None = None, *, title: str | None = None,
               kind: str = ".png", origin: Origin | None = None) -> bytes:
    """Draw the notes over bars, one colour per part, with phrase ends and fermatas.

    Args:
        score: the music.
        path: where to write it (.png or .svg); none = only return it.
        title: a line above.
        kind: ``".png"`` or ``".svg"`` where there is no path.
        origin: what made it, written into it; a file without one says "not recorded".

    Returns:
        The picture's bytes.

    Raises:
        BadInput: the score has no notes.
        BadFile: another ending, or the place cannot be written.
    """
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        raise BadInput("the score has no notes to draw")
    length = max(end_beats(score), 1e-3)
    melodic = [note_arrays(track)["pitch"] for track in tracks]
    low, high = min(int(p.min()) for p in melodic) - 2, max(int(p.max()) for p in melodic) + 2
    figure, axes = _canvas(width=float(np.clip(3.0 + 0.28 * length, 9.0, 22.0)),
                           height=float(np.clip(1.6 + 0.11 * (high - low), 3.5, 9.0)), title=title)
    _draw_keys(axes, low, high)
    _draw_bars(axes, score, length)
    for number, track in enumerate(tracks):
        _draw_notes(axes, note_arrays(track), COLOURS[number % len(COLOURS)])
    axes.set_xlim(0, length)
    axes.set_ylim(low - 0.5, high + 0.5)
    _draw_marks(figure, axes, score)
    axes.set_ylabel("pitch")
    if len(tracks) > 1 or tracks[0].name:
        _draw_legend(axes, [track.name or f"part {n + 1}" for n, track in enumerate(tracks)][:24])
    return _finished(figure, path, kind, origin)


def engraved(score: Score, path: str | os.PathLike[str] | None = None, *, title: str | None = None,
             kind: str = ".png", origin: Origin | None = None) -> bytes:
    """Draw the notes on staves (extra ``notation``); arguments as `piano_roll`.

    A score higher than 4,000 pixels is cut into pages: ``a.png``, ``a-2.png`` and so on are written, and the first
    is returned. A score without notes is an empty bar.
    """
    ending = _ending(path, kind)
    pages = [written(page, page_path(path, number), ending, origin)
             for number, page in enumerate(engraved_pages(score, ending, title=title))]
    return pages[0]


def engraved_pages(score: Score, kind: str = ".png", *, title: str | None = None,
                   progress: Progress | None = None) -> list[bytes]:
    """Return the pages of an engraved score as PNG or SVG, see `engraved`; ``progress`` is told of each."""
    from componium.music.engraving import PAGE_PX, engrave, png_of

    pages, drawn = engrave(score, title=title or "", height_px=PAGE_PX, crop=True).pages, []
    for number, page in enumerate(pages):
        if progress is not None:
            progress(number / len(pages), f"page {number + 1} of {len(pages)}")
        drawn.append(page.encode() if kind == ".svg" else png_of(page))
    return drawn


def page_path(path: str | os.PathLike[str] | None, number: int) -> Path | None:
    """Return where a page of a picture is written: the path itself, then ``a-2.png`` and so on."""
    if path is None:
        return None
    first = Path(path)
    return first if number == 0 else first.with_name(f"{first.stem}-{number + 1}{first.suffix}")


def waveform(audio: Audio, path: str | os.PathLike[str] | None = None, *, title: str | None = None,
             kind: str = ".png", origin: Origin | None = None) -> bytes:
    """Draw a sound over time, one row per channel: its range and, darker, its RMS; see `piano_roll`."""
    _check_sound(audio)
    rows = min(audio.channels, 8)
    figure, axes = _canvas(width=11.0, height=1.4 + 1.5 * rows, title=title, rows=rows)
    count = audio.sample_count
    edges = np.unique(np.linspace(0, count, min(count, 1800) + 1).astype(int)[:-1])
    seconds = edges / audio.sample_rate_hz
    for row, ax in enumerate(axes if rows > 1 else [axes]):
        wave = audio.samples[row]
        widths = np.diff(np.append(edges, count))
        rms = np.sqrt(np.add.reduceat(wave.astype(np.float64) ** 2, edges) / widths)
        ax.fill_between(seconds, np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges), step="post",
                        color=COLOURS[5], linewidth=0.3, edgecolor=COLOURS[5], label="peak")
        ax.fill_between(seconds, -rms, rms, step="post", color=COLOURS[0], linewidth=0, label="RMS")
        ax.axhline(0, color="black", linewidth=0.4)
        top = max(1.0, float(np.max(np.abs(wave))))
        ax.set_ylim(-top, top)
        ax.set_xlim(0, max(audio.seconds, 1e-6))
        names = ("left", "right") if audio.channels == 2 else [f"channel {n + 1}" for n in range(rows)]
        ax.set_ylabel(names[row] if audio.channels > 1 else "level")
        ax.grid(axis="x", alpha=0.25)
        if row == 0:
            ax.legend(loc="upper right", fontsize=7, framealpha=0.9, ncols=2)
    ax.set_xlabel("time (s)")
    return _finished(figure, path, kind, origin)


def spectrogram(audio: Audio, path: str | os.PathLike[str] | None = None, *, title: str | None = None,
                kind: str = ".png", origin: Origin | None = None) -> bytes:
    """Draw the log-mel spectrogram of a sound (all channels together), in dB below its loudest point.

    Arguments as `piano_roll`.
    """
    _check_sound(audio)
    levels, centres, hop_seconds = log_mel(audio)
    figure, axes = _canvas(width=11.0, height=4.4, title=title)
    image = axes.imshow(levels, origin="lower", aspect="auto", cmap="magma", vmin=FLOOR_DB, vmax=0.0,
                        interpolation="nearest", extent=(0.0, levels.shape[1] * hop_seconds, -0.5, MEL_BANDS - 0.5))
    wanted = [f for f in (100, 300, 500, 1000, 2000, 5000, 10000, 20000) if centres[0] <= f <= centres[-1]]
    axes.set_yticks(np.interp(wanted, centres, np.arange(MEL_BANDS)), [f"{f / 1000:g} k" if f >= 1000 else f"{f}"
                                                                       for f in wanted])
    axes.set_xlim(0, max(audio.seconds, hop_seconds))
    axes.set_xlabel("time (s)")
    axes.set_ylabel("frequency (Hz)")
    figure.colorbar(image, ax=axes, pad=0.01, label="level (dB)")
    return _finished(figure, path, kind, origin)


def log_mel(audio: Audio, *, bands: int = MEL_BANDS, most_frames: int = 2000) -> tuple[Floats, Floats, float]:
    """Return (levels in dB [bands, frames], band centres in Hz [bands], seconds per frame) of a sound.

    The mel scale is O'Shaughnessy's, 2595 log10(1 + f / 700); bands are triangles. 0 dB is the loudest band
    and `FLOOR_DB` the quietest shown. Long sounds take longer steps, so that there are at most
    ``most_frames``.
    """
    rate, wave = audio.sample_rate_hz, audio.to_mono().samples[0].astype(np.float64)
    size = int(2 ** np.ceil(np.log2(max(0.09 * rate, 64))))
    hop = max(size // 8, int(np.ceil(len(wave) / most_frames)))
    padded = np.pad(wave, (size // 2, size // 2 + hop))
    starts = np.arange(0, max(len(wave), 1), hop)
    window = np.hanning(size)
    bank, centres = mel_bank(bands, size, rate)
    power = np.empty((bands, len(starts)))
    for first in range(0, len(starts), 256):
        frames = padded[starts[first:first + 256, None] + np.arange(size)] * window
        power[:, first:first + 256] = bank @ (np.abs(np.fft.rfft(frames, axis=1)) ** 2).T
    loudest = max(float(power.max(initial=0.0)), 1e-12)
    return np.maximum(10.0 * np.log10(np.maximum(power / loudest, 1e-12)), FLOOR_DB), centres, hop / rate


def mel_bank(bands: int, size: int, sample_rate_hz: int) -> tuple[Floats, Floats]:
    """Return (triangular weights [bands, size // 2 + 1], centres in Hz [bands]), 30 Hz to half the rate."""
    def mel(hz: Any) -> Any:
        return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)

    top = sample_rate_hz / 2.0
    points = 700.0 * (10.0 ** (np.linspace(mel(min(30.0, top / 10)), mel(top), bands + 2) / 2595.0) - 1.0)
    bins = np.arange(size // 2 + 1) * sample_rate_hz / size
    # where bands are narrower than the analysis, a triangle is at least one bin wide on each side
    step = sample_rate_hz / size
    left, centre, right = points[:-2, None], points[1:-1, None], points[2:, None]
    rising = (bins - np.minimum(left, centre - step)) / np.maximum(centre - left, step)
    falling = (np.maximum(right, centre + step) - bins) / np.maximum(right - centre, step)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12), points[1:-1]


def _check_sound(audio: Audio) -> None:
    if audio.sample_count == 0:
        raise BadInput("there is no sound to draw (0 samples)")


def _canvas(*, width: float, height: float, title: str | None, rows: int = 1) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 1, sharex=True) if rows > 1 else figure.subplots()
    if title:
        figure.suptitle(title, fontsize=12, parse_math=False)
    return figure, axes


def _draw_keys(axes: Axes, low: int, high: int) -> None:
    """Shade the black keys and name the white ones (only C where they are many)."""
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f1f1f4", linewidth=0, zorder=0)
        if pitch % 12 in (0, 5):
            axes.axhline(pitch - 0.5, color="#c9c9d0" if pitch % 12 == 0 else "#e4e4e8", linewidth=0.6, zorder=0)
    wide = high - low > 44
    named = [pitch for pitch in range(low, high + 1) if pitch % 12 in ((0,) if wide else _LETTERS)]
    axes.set_yticks(named, [f"{_LETTERS[pitch % 12]}{pitch // 12 - 1}" for pitch in named], fontsize=7)


def _draw_bars(axes: Axes, score: Score, length: float) -> None:
    """Draw bar lines with their numbers, and the beats where there is room."""
    found = bars(score)
    every = max(1, int(np.ceil(len(found) / 40)))
    while every > 1 and every % 4:
        every += 1
    ticks, labels = [], []
    for bar in found:
        axes.axvline(bar.start_beats, color="#77777f", linewidth=0.7 if every < 4 else 0.2, zorder=1)
        if (bar.index - 1) % every == 0 or bar.index == 0:
            ticks.append(bar.start_beats)
            labels.append(str(bar.index) if bar.index else "pickup")
        if length <= 80:
            for beat in np.arange(bar.start_beats, bar.end_beats, 4.0 / bar.denominator)[1:]:
                axes.axvline(beat, color="#dcdce2", linewidth=0.5, zorder=0)
    axes.set_xticks(ticks, labels, fontsize=8)
    axes.set_xlabel("bar")


def _draw_notes(axes: Axes, notes: dict[str, Any], colour: str) -> None:
    """Draw one part's notes as boxes, fainter where they are played softer."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    start, pitch = notes["time"].astype(float), notes["pitch"].astype(float)
    gap = np.minimum(0.04, notes["duration"] * 0.1)
    end = start + np.maximum(notes["duration"] - gap, 0.02)
    corners = np.stack([np.stack([start, end, end, start], 1),
                        np.stack([pitch - 0.42, pitch - 0.42, pitch + 0.42, pitch + 0.42], 1)], axis=2)
    alpha = 0.45 + 0.5 * np.clip(notes["velocity"] / 100.0, 0.0, 1.0)
    faces = np.concatenate([np.tile(to_rgb(colour), (len(start), 1)), alpha[:, None]], axis=1)
    axes.add_collection(PolyCollection(list(corners), facecolors=faces, edgecolors=colour,
                                       linewidths=0.6 if len(start) < 4000 else 0.0, zorder=3))


def _draw_marks(figure: Figure, axes: Axes, score: Score) -> None:
    """Draw fermatas above the roll as the sign (an arc over a dot) and phrase ends as dashed lines."""
    from matplotlib.path import Path as Shape

    angles = np.linspace(0.0, np.pi, 13)
    arc = Shape(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    above = axes.get_xaxis_transform()  # beats across, share of the height upwards
    height = 0.06 / float(figure.get_figheight())
    for event in score.markers:
        if event.time > axes.get_xlim()[1]:
            continue
        if event.text == PHRASE_END:
            axes.axvline(event.time, color="#333333", linewidth=1.1, linestyle=(0, (4, 3)), zorder=2)
        if event.text == FERMATA:
            for marker, size, fill in ((arc, 13.0, "none"), ("o", 2.5, "black")):
                axes.plot([event.time + 0.25], [1.0 + height], transform=above, clip_on=False, marker=marker,
                          markersize=size, markerfacecolor=fill, markeredgecolor="black", markeredgewidth=1.2)


def _draw_legend(axes: Axes, names: list[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=COLOURS[n % len(COLOURS)], label=_escaped(name)) for n, name in enumerate(names)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _escaped(text: str) -> str:
    return text.replace("$", r"\$").lstrip("_") or "part"


def _finished(figure: Figure, path: str | os.PathLike[str] | None, kind: str, origin: Origin | None) -> bytes:
    """Return the picture's bytes and write them where asked to."""
    import matplotlib as mpl

    ending = _ending(path, kind)
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if ending == ".svg" else {"Software": "Componium"}
    with mpl.rc_context({"svg.hashsalt": "componium"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # letters that the font has not are drawn as boxes
        figure.savefig(buffer, format=ending[1:], metadata=metadata)
    return written(buffer.getvalue(), path, ending, origin)


def _ending(path: str | os.PathLike[str] | None, kind: str) -> str:
    ending = Path(path).suffix.lower() if path is not None else kind.lower()
    if ending not in PICTURE_KINDS:
        raise BadFile(path or kind, f"a picture is written as {' or '.join(PICTURE_KINDS)}")
    return ending


def written(data: bytes, path: str | os.PathLike[str] | None, ending: str, origin: Origin | None) -> bytes:
    """Return a picture's bytes with its origin in them, and write them where there is a path."""
    if path is None:
        return data if origin is None else origin.into(data, ending)
    data = (origin or Origin()).into(data, ending)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return data
