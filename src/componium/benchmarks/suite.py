"""The table of benchmarks, and `run`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from componium import registry
from componium.benchmarks.measure import Measurement
from componium.interface import Progress, silent
from componium.music.errors import BadInput, Cancelled, ComponiumError

BENCHMARKS: dict[str, tuple[str, str]] = {
    "markov-fit": ("markov_chain:fit", "learning chorales, against a plain first-order dictionary"),
    "markov-generate": ("markov_chain:generate", "composing, against a plain first-order dictionary"),
    "compose-state": ("composing_speed:state", "composing with chorale-rnn, against reading the piece again each step"),
    "compose-batch": ("composing_speed:batch", "a hundred chorales side by side, against one after another"),
    "compose-length": ("composing_speed:length", "what a token costs in long pieces, against short ones"),
    "encode-lookback": ("melody_encoding:lookback", "melodies for networks, against one event at a time in Python"),
    "encode-key": ("melody_encoding:key_melody", "the same with keys, against reading the melody again each step"),
    "melody-batch": ("melody_speed:batch", "a hundred melodies side by side, against one after another"),
    "melody-length": ("melody_speed:length", "what a step of melody-lstm costs in long melodies, against short ones"),
    "respond-speed": ("melody_speed:respond", "replies to a phrase of 8 s, first note and whole, against their limits"),
    "soundfont-render": ("soundfont_render:render", "rendering a four-part chorale, against real time"),
    "pitch": ("pitch_tracking:pitch", "hearing pitch with both trackers, against real time"),
    "ddsp-synthesis": ("ddsp_speed:synthesis", "curves to sound with ddsp, against the published path written plainly"),
    "ddsp-transfer": ("ddsp_speed:transfer", "sound to sound with ddsp, against the same; blocks against real time"),
    "ddsp-train": ("ddsp_speed:train", "a training step of ddsp, time and memory, against the same"),
    "ddsp-memory": ("ddsp_speed:long_memory", "the memory that a minute of ddsp's sound takes, against the same"),
    "cli-start": ("start:start", "starting the command line, against starting Python"),
    "train-steps": ("training_loop:steps", "training updates, against a plain PyTorch loop"),
    "train-precision": ("training_loop:precision", "training in the chosen precision, against float32"),
    "midi-read": ("midi_read:read", "reading MIDI files, against pretty_midi and music21"),
}
"""name -> ("module:function", what it measures), in the order in which they run."""


def names() -> list[str]:
    """Return the names of the benchmarks."""
    return list(BENCHMARKS)


def run(names: Sequence[str] | None = None, *, progress: Progress = silent) -> list[Measurement]:
    """Make the measurements.

    Args:
        names: which; all where None.
        progress: called before each.

    Returns:
        The measurements in order; one that cannot be made here (a peer or the data is missing) says why in
        ``skipped``.

    Raises:
        BadInput: a name that does not exist.
    """
    wanted = list(BENCHMARKS) if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in BENCHMARKS:
            raise BadInput(f"no benchmark is called {name!r}{registry.near(name, BENCHMARKS)}; "
                           f"the benchmarks are: {', '.join(BENCHMARKS)}")
    made: list[Measurement] = []
    for number, name in enumerate(wanted):
        progress(number / len(wanted), name)
        module, function = BENCHMARKS[name][0].split(":")
        try:
            made += getattr(importlib.import_module(f"componium.benchmarks.{module}"), function)()
        except Cancelled:
            raise
        except ComponiumError as error:
            made.append(Measurement(name=name, baseline="", skipped=str(error)))
    progress(1.0, "done")
    return made
