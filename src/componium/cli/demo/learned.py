"""Instruments that learned from recordings: a solo beside the SoundFont's, and a sung phrase turned into one."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.cli.demo import singing, tune
from componium.cli.demo.plan import LUFS, SOLOIST, SOLOIST_SAMPLED, TURNERS, Performance, Solo, Turned
from componium.cli.show import Progress

EDGE_SECONDS = (0.12, 0.08)
"""So much of a note's beginning and end is left out where its pitch is measured."""
VOICED, AUDIBLE_DB = 0.5, 30.0


def soloist() -> str:
    """Return the instrument that plays the solo; nothing where it is not shipped."""
    return next(iter(_shipped(SOLOIST)), "")


def turner() -> str:
    """Return the instrument into which the sung phrase is turned; nothing where none is shipped."""
    return next(iter(_shipped(*TURNERS)), "")


def _shipped(*names: str) -> list[str]:
    from componium.registry import shipped

    known = shipped()
    return [name for name in names if name in known]


def missing() -> str:
    """Say what is left out because no instrument for it is shipped; nothing where all is there."""
    told = [] if soloist() else [f"the solo (it needs {SOLOIST})"]
    told += [] if turner() else [f"the sung phrase (it needs {' or '.join(TURNERS)})"]
    return f"Left out, as this Componium ships no instrument for it: {' and '.join(told)}" if told else ""


def play_solo(name: str, seed: int, progress: Progress) -> Solo:
    """Play the folk tune with a learned instrument and with the SoundFont: what `componium perform` makes of it."""
    from componium.performance import parse_with, perform
    from componium.registry import load

    model, score = load(name), tune.melody()
    begun = time.perf_counter()
    sound = perform(score, model, lufs=LUFS, seed=seed, progress=partial(_part, progress, 0.6))
    seconds = time.perf_counter() - begun
    progress(0.6, SOLOIST_SAMPLED)
    sampled = perform(score, parse_with([SOLOIST_SAMPLED]), lufs=LUFS, seed=seed)
    progress(0.8, "listening")
    off_cents = (off(sound, seed), off(sampled, seed))
    return Solo(name, model, Performance(score, sound), sampled, seconds, off_cents)


def off(sound: Any, seed: int) -> float:
    """Return how far the pitch that is heard is from the tune's notes, in cents: the median over the notes."""
    from componium.dsp.pitch import tracker
    from componium.music.expression import expression

    mono, hop = sound.to_mono().samples[0], sound.sample_rate_hz // 100
    heard = tracker("causal", lowest_hz=130.0, highest_hz=2000.0).track(mono, sound.sample_rate_hz, hop_samples=hop)
    time_of, pitch = np.arange(len(heard.f0_hz)) / 100.0, midi(heard.f0_hz)
    played: Any = expression(tune.melody(), seed=seed).to("second")
    found = []
    for note in played.tracks[0].notes:
        inside = (time_of > note.time + EDGE_SECONDS[0]) & (time_of < note.end - EDGE_SECONDS[1])
        inside &= heard.confidence >= VOICED
        found.append(abs(float(np.median(pitch[inside])) - note.pitch) if inside.any() else np.inf)
    return 100.0 * float(np.median(found))


def turn(name: str, seed: int, progress: Progress) -> Turned:
    """Sing a phrase and turn it into an instrument: what `componium transfer` makes of it."""
    from componium.registry import load

    model, sung = load(name), singing.sung(seed)
    begun = time.perf_counter()
    made = model.transfer(sung, seed=seed, progress=partial(_part, progress, 0.7))
    seconds = time.perf_counter() - begun
    as_loud = made.normalise(LUFS)
    progress(0.7, "listening")
    first, second = model.hear(sung), model.hear(as_loud)
    count = min(len(first), len(second))
    curves = tuple((midi(each.f0_hz[:count]), sure(each)[:count]) for each in (first, second))
    return Turned(name, model, sung, as_loud, as_loud.loudness_lufs - made.loudness_lufs, seconds, curves)


def sure(heard: Any) -> npt.NDArray[np.bool_]:
    """Return in which frames of `Features` there is a pitch for the second time, in a sound that is heard."""
    pitched = (heard.loudness_db > heard.loudness_db.max() - AUDIBLE_DB) & (heard.confidence >= VOICED)
    twice: npt.NDArray[np.bool_] = pitched & np.append(False, pitched[:-1])
    return twice


def midi(f0_hz: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return note numbers of frequencies."""
    notes: npt.NDArray[np.float64] = 69.0 + 12.0 * np.log2(f0_hz.astype(np.float64) / 440.0)
    return notes


def followed(turned: Turned) -> tuple[int, float]:
    """Return by how many octaves the instrument plays higher, and how far it is from the song then: median cents."""
    (sung, sure), (played, also_sure) = turned.curves
    if not (sure & also_sure).any():
        return 0, float("inf")
    apart = (played - sung)[sure & also_sure]
    octaves = round(float(np.median(apart)) / 12.0)
    return octaves, 100.0 * float(np.median(np.abs(apart - 12 * octaves)))


def _part(progress: Progress, share: float, done: float, message: str = "") -> None:
    """Tell how much of the whole is done, where the first share of it is."""
    progress(share * done, message)
