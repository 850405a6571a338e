"""The controls of a sound in files: `.npz` for NumPy, written and read, and a picture of them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadFile, BadInput
from componium.music.files import replacing
from componium.music.origin import Origin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from componium.instruments.ddsp.sound_controls import SoundControls

ENDING = ".npz"
FLOOR_DB = -80.0
HEARD_DB = -50.0
"""Pitch is drawn strongly where all partials together are at most so much below their loudest."""
MOST_COLUMNS = 4000
"""Frames that a picture shows side by side; of more, the first of several is shown."""


def read_controls(path: Path) -> SoundControls:
    """Read controls that `write_controls` or a program with `np.savez` wrote.

    Raises:
        BadFile: it is no such file, or holds what cannot sound.
    """
    from componium.instruments.ddsp.sound_controls import SoundControls

    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise BadFile(path, "holds one array; controls are written with np.savez(FILE, **arrays)")
            return SoundControls.from_arrays({name: file[name] for name in file.files})
    except BadInput as error:
        raise BadFile(path, str(error)) from error
    except FileNotFoundError as error:
        raise BadFile(path, "there is no such file") from error
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadFile(path, f"holds no controls that can be read ({told})") from error


def write_controls(controls: SoundControls, path: Path, origin: Origin) -> None:
    """Write controls, with their origin as a text; the file appears complete or not at all."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, origin=np.array(origin.to_json()), **controls.to_arrays())


def draw_controls(controls: SoundControls, *, title: str, kind: str, origin: Origin | None = None,
                  path: Path | None = None) -> bytes:
    """Draw controls over time: pitch with the names of notes, loudness, partials and noise in dB.

    Returns:
        The bytes of the picture, PNG or SVG (``kind``), written to ``path`` where there is one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 9.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, parse_math=False)
    pitch, loudness, partials, noise = figure.subplots(4, 1, sharex=True, height_ratios=(2.2, 1.0, 2.2, 1.8))
    every = max(-(-len(controls) // MOST_COLUMNS), 1)
    seconds = (np.arange(len(controls)) - controls.lead_frames)[::every] / controls.frame_rate_hz
    total_db = decibels(controls.amplitude[::every])
    _draw_pitch(pitch, seconds, controls.f0_hz[::every], total_db > total_db.max() + HEARD_DB)
    loudness.plot(seconds, controls.loudness_db[::every], color="#0072B2", linewidth=1.2)
    loudness.set_ylabel("loudness (dB)")
    loudness.grid(alpha=0.25)
    end = (len(controls) - controls.lead_frames) / controls.frame_rate_hz
    count, bands = controls.harmonics.shape[1], controls.noise.shape[1]
    nyquist = controls.sample_rate_hz / 2000.0
    for axes, values, low, high, label in (
            (partials, (controls.amplitude[:, None] * controls.harmonics)[::every], 0.5, count + 0.5, "partial"),
            (noise, controls.noise[::every], 0.0, nyquist * bands / max(bands - 1, 1), "noise (kHz)")):
        image = axes.imshow(decibels(values).T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
                            extent=(float(seconds[0]), end, low, high), **_range(decibels(values)))
        axes.set_ylabel(label)
        figure.colorbar(image, ax=axes, pad=0.01, label="level (dB)")
    noise.set_ylim(0.0, nyquist)
    noise.set_xlim(0.0, end)
    noise.set_xlabel("time (s)")
    return _saved(figure, kind, origin, path)


def decibels(amplitudes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return amplitudes in dB, 1 = 0 dB, from -200 dB on."""
    return 20.0 * np.log10(np.maximum(amplitudes.astype(np.float64), 1e-10))


def _range(levels: npt.NDArray[np.float64]) -> dict[str, float]:
    top = float(levels.max())
    return {"vmin": top + FLOOR_DB, "vmax": top}


def _draw_pitch(axes: Axes, seconds: npt.NDArray[Any], f0_hz: npt.NDArray[Any], heard: npt.NDArray[np.bool_]) -> None:
    """Draw pitch on lines with the names of notes: strong where partials are heard, faint where it is only held."""
    from componium.music.keys import pitch_name

    notes = 69.0 + 12.0 * np.log2(f0_hz.astype(np.float64) / 440.0)
    axes.plot(seconds, notes, color="#B0B0B8", linewidth=0.8)
    axes.plot(seconds, np.where(heard, notes, np.nan), color="#D55E00", linewidth=1.6)
    shown = notes[heard] if heard.any() else notes
    low, high = int(np.floor(shown.min())) - 1, int(np.ceil(shown.max())) + 1
    wide = high - low > 26
    named = [note for note in range(low, high + 1) if note % 12 in ((0,) if wide else (0, 2, 4, 5, 7, 9, 11))]
    axes.set_yticks(named, [pitch_name(note) for note in named], fontsize=7 if high - low > 14 else 8)
    axes.set_ylim(low, high)
    axes.set_ylabel("pitch")
    axes.grid(alpha=0.3)


def _saved(figure: Any, kind: str, origin: Origin | None, path: Path | None) -> bytes:
    import io

    import matplotlib as mpl

    from componium.music.picture import written

    stream = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == ".svg" else {"Software": "Componium"}
    with mpl.rc_context({"svg.hashsalt": "componium"}):
        figure.savefig(stream, format=kind[1:], metadata=metadata)
    return written(stream.getvalue(), path, kind, origin)
