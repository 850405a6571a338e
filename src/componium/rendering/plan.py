"""The plan of a rendering: which files, what is played in each, and what the list beside them says.

A plan is a function of the settings alone, and that of more minutes begins with that of fewer: a rendering that was
stopped is completed, and a short one made longer, without touching what is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from componium.music.errors import BadInput
from componium.music.general_midi import instrument_name
from componium.music.licences import licence_class, most_restrictive
from componium.music.origin import PERFORMED, Origin, Used, version
from componium.music.soundfont import SoundFontFile
from componium.rendering.choose import performances
from componium.rendering.lines import Line
from componium.rendering.ranges import range_of
from componium.rendering.solo import LEVEL_STEP_SECONDS, LOUDEST_VELOCITY, RANGE_DB, Solo

STUDIES = "studies"
"""What is played where no corpus is named."""
KINDS = ("solos", "notes")
FORMATS = ("wav", "flac")
SHORTEST_MINUTES, LONGEST_MINUTES = 0.05, 600.0
RATES_HZ = (16000, 22050, 24000, 32000, 44100, 48000)
NOTE_SECONDS, HELD_SECONDS = 4.0, 3.0
"""Length of a single note with its tail, and how long it is held, as in NSynth (Engel et al. 2017)."""
NOTE_VELOCITIES = (25, 50, 75, 100, 127)
"""Loudnesses of single notes, as in NSynth."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is to be rendered of one instrument.

    Attributes:
        program: its General MIDI program.
        font: the SoundFont.
        minutes: how long all files are; none = all single notes.
        kind: one of `KINDS`.
        on: name of the music.
        pieces: its lines; none for studies.
        seed: of everything that is left to chance.
        sample_rate_hz: one of `RATES_HZ`.
        format: one of `FORMATS`.
    """

    program: int
    font: SoundFontFile
    minutes: float | None = 10.0
    kind: str = "solos"
    on: str = STUDIES
    pieces: tuple[Line, ...] = ()
    seed: int = 0
    sample_rate_hz: int = 44100
    format: str = "wav"

    def __post_init__(self) -> None:
        range_of(self.program)
        if self.kind not in KINDS or self.format not in FORMATS:
            raise BadInput(f"kind is one of {', '.join(KINDS)}, format one of {', '.join(FORMATS)}; "
                           f"not {self.kind} and {self.format}")
        if self.sample_rate_hz not in RATES_HZ:
            raise BadInput(f"a sample rate is one of {', '.join(map(str, RATES_HZ))} Hz, not {self.sample_rate_hz}")
        if self.minutes is None and self.kind != "notes":
            raise BadInput("solos last as long as is asked for: give the minutes")
        if self.minutes is not None and not SHORTEST_MINUTES <= self.minutes <= LONGEST_MINUTES:
            raise BadInput(f"minutes are between {SHORTEST_MINUTES:g} and {LONGEST_MINUTES:g} (ten hours) for each "
                           f"instrument, not {self.minutes:g}")

    @property
    def instrument(self) -> str:
        """The instrument's name as part of a file name."""
        return re.sub(r"\W+", "_", instrument_name(self.program)).strip("_")


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to come.

    Attributes:
        file: its name.
        solo: what is played in it.
        licence: its terms: those of the SoundFont, or of the music where they ask more.
        seconds: how long it is.
        facts: what the list says about it besides.
        minutes: of the shortest rendering that has it.
    """

    file: str
    solo: Solo
    licence: str
    seconds: float
    facts: dict[str, Any]
    minutes: float = SHORTEST_MINUTES


def jobs_of(wanted: Wanted) -> list[Job]:
    """Return the files of a rendering in their order; raises `BadInput` where no music fits the instrument."""
    jobs, seconds = [], 0.0
    for job in _notes(wanted) if wanted.kind == "notes" else _solos(wanted):
        seconds += job.seconds
        minutes = max(math.ceil(seconds / 60.0 * 100.0) / 100.0, SHORTEST_MINUTES)
        jobs.append(dataclasses.replace(job, minutes=minutes))
    return jobs


def _solos(wanted: Wanted) -> Iterator[Job]:
    assert wanted.minutes is not None
    chosen = performances(wanted.program, wanted.minutes, seed=wanted.seed, pieces=wanted.pieces)
    for number, each in enumerate(chosen, 1):
        name = re.sub(r"[^\w.+-]+", "_", each.line.name).strip("._")[:60] or "piece"
        terms = [wanted.font.licence, each.line.licence]
        low, high = int(each.solo.pitch.min()), int(each.solo.pitch.max())
        yield Job(f"{wanted.instrument}-{number:04d}-{name}.{wanted.format}", each.solo,
                  most_restrictive(text for text in terms if text), each.seconds,
                  {"plays": each.line.name, "from": each.line.source, "lowest_pitch": low, "highest_pitch": high,
                   "notes": len(each.solo.pitch)})


def _notes(wanted: Wanted) -> Iterator[Job]:
    """Yield single notes: every pitch at every loudness, in an order that covers both soon."""
    low, high = range_of(wanted.program)
    grid = [(pitch, velocity) for pitch in range(low, high + 1) for velocity in NOTE_VELOCITIES]
    count = len(grid) if wanted.minutes is None else min(len(grid), max(1, round(wanted.minutes * 60 / NOTE_SECONDS)))
    order = np.random.default_rng([wanted.seed, wanted.program]).permutation(len(grid))[:count]
    for pitch, velocity in (grid[index] for index in order):
        level = 1.0 + 40.0 * np.log10(velocity / LOUDEST_VELOCITY) / RANGE_DB
        solo = Solo(np.zeros(1), np.array([HELD_SECONDS]), np.array([pitch]), np.array([velocity]), np.zeros((0, 2)),
                    np.full(round(NOTE_SECONDS / LEVEL_STEP_SECONDS), level))
        yield Job(f"{wanted.instrument}-{pitch:03d}-{velocity:03d}.{wanted.format}", solo, wanted.font.licence,
                  NOTE_SECONDS, {"pitch": pitch, "velocity": velocity})


def made_with(wanted: Wanted) -> dict[str, Any]:
    """Return what decides what a folder holds, but for its length: two that differ do not belong into one folder."""
    music = hashlib.sha256(repr([line.notes for line in wanted.pieces[:20]]).encode()).hexdigest()[:16]
    return {"instrument": instrument_name(wanted.program), "kind": wanted.kind, "on": wanted.on, "seed": wanted.seed,
            "sample_rate_hz": wanted.sample_rate_hz, "format": wanted.format, "soundfont": wanted.font.name,
            **({"music": music} if wanted.pieces else {})}


def item_of(job: Job, wanted: Wanted) -> dict[str, Any]:
    """Return the line about a file in ``corpus.json``: its source and licence go before what the file says itself."""
    return {"file": job.file, "name": job.file, "kind": "audio", "licence": job.licence,
            "source": f"rendered with the SoundFont {wanted.font.name}",
            "instrument": instrument_name(wanted.program), "program": wanted.program, **job.facts}


def origin_of(job: Job, wanted: Wanted, font_hash: str) -> Origin:
    """Return what made a file, as it is written into it."""
    used = Used("soundfont", instrument_name(wanted.program), font_hash, wanted.font.name, wanted.font.licence,
                licence_class(wanted.font.licence))
    settings = {"instrument": instrument_name(wanted.program), "minutes": job.minutes, "kind": wanted.kind,
                "on": wanted.on, "sample-rate": wanted.sample_rate_hz, "format": wanted.format}
    return Origin(PERFORMED, version(), "corpus render", title=job.file.rpartition(".")[0], models=(used,),
                  seed=wanted.seed, settings=settings, licence=job.licence, licence_class=licence_class(job.licence),
                  platform=f"{platform.system()} {platform.machine()}")
