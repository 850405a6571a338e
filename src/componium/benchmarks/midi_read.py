"""Reading MIDI files into scores: ours against pretty_midi and music21, on files made for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from componium.benchmarks.material import invented_grid
from componium.benchmarks.measure import Measurement, compare
from componium.music.errors import MissingExtra, require
from componium.music.formats import read_score, write_score
from componium.music.grid import from_grid

FILES = 1000
MUSIC21_FILES = 20
BARS = 24
REPEATS = 3


def read() -> list[Measurement]:
    """Time reading `FILES` files; music21 reads a part of them, and its time is scaled up."""
    with tempfile.TemporaryDirectory(prefix="componium-bench-") as folder:
        paths = [Path(folder) / f"{number}.mid" for number in range(FILES)]
        for number, path in enumerate(paths):
            write_score(from_grid(invented_grid(number, bars=BARS)), path)
        return [_against("pretty_midi", _pretty_midi, paths, paths),
                _against("music21", _music21, paths, paths[:MUSIC21_FILES])]


def _against(peer: str, reader: Callable[[], Callable[[Path], Any]], paths: Sequence[Path],
             peer_paths: Sequence[Path]) -> Measurement:
    name = f"midi-read/{peer}"
    try:
        read_one = reader()
    except MissingExtra as error:
        return Measurement(name=name, baseline=peer, skipped=str(error))
    scaled = f"; {peer} read {len(peer_paths)} of them, its time is scaled up"
    part = scaled if len(peer_paths) < len(paths) else ""
    return compare(
        name, lambda: [read_score(path) for path in paths], lambda: [read_one(path) for path in peer_paths],
        peer=peer, amount=len(paths), unit="MIDI files", repeats=REPEATS,
        baseline_share=len(peer_paths) / len(paths), note=f"four tracks, {BARS} bars each{part}")


def _pretty_midi() -> Callable[[Path], Any]:
    package = require("pretty_midi", extra="bench", purpose="Comparing with pretty_midi")
    return lambda path: package.PrettyMIDI(str(path))


def _music21() -> Callable[[Path], Any]:
    require("music21", extra="bench", purpose="Comparing with music21")
    converter = require("music21.converter", extra="bench", purpose="Comparing with music21")
    return lambda path: converter.parse(path, format="midi", forceSource=True)
