"""Rendering a four-part chorale through a SoundFont, against real time."""

from __future__ import annotations

import statistics

from componium import registry
from componium.benchmarks.material import invented_grid
from componium.benchmarks.measure import Measurement, seconds_of
from componium.music.grid import from_grid

BARS = 25
TEMPO_BPM = 100.0
CHOIR_PROGRAM = 52


def render() -> list[Measurement]:
    """Time rendering; the SoundFont is opened before, once."""
    player = registry.create("soundfont")
    results = []
    for name, program in (("soundfont-render", 0), ("soundfont-render/choir", CHOIR_PROGRAM)):
        score = from_grid(invented_grid(1, bars=BARS), tempo_bpm=TEMPO_BPM)
        for track in score.tracks:
            track.program = program
        sound_seconds = player.play(score).seconds
        times = seconds_of(lambda score=score: player.play(score))  # type: ignore[misc]
        results.append(Measurement(
            name=name, baseline="real time", amount=sound_seconds, unit="seconds of sound",
            ours_seconds=statistics.median(times), baseline_seconds=sound_seconds, repeats=len(times),
            note=f"four parts, program {program}; the ratio is times real time"))
    return results
