"""Previews: what the model composes or plays while it learns, with the same seed each time: score, picture, sound.

A preview never ends a training: what cannot be made is told once and left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from componium.cli.origins import origin_for
from componium.music.errors import ComponiumError
from componium.music.licences import licence_class
from componium.music.origin import GENERATED, Origin, Used
from componium.training.observing import Observer

BARS, SEED = 8, 1
"""Of every preview, so that they can be compared."""
SOUND_BITS = 16
"""Of the sounds, which are only listened to."""
FAILURES = (ComponiumError, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError,
            RuntimeError, TypeError, ValueError)
"""What a model that is half trained, a library that draws or a disk may raise."""


@dataclasses.dataclass
class Previews(Observer):
    """Writes previews into a run's folder.

    Attributes:
        out: the folder of the run.
        path_of: (step, ending) -> the file to write.
        warn: told what is wrong, in sentences.
        told: what was warned of already.
        written: names of the last preview's files.
    """

    out: Path
    path_of: Callable[[int, str], Path]
    warn: Callable[[str], None]
    told: set[str] = dataclasses.field(default_factory=set)
    written: list[Path] = dataclasses.field(default_factory=list)

    def preview(self, step: int, model: Any) -> None:
        """Make a preview and write it: what a model composes, or a tune as an instrument plays it."""
        from componium.training.health import health_of_score

        if not hasattr(model, "generate"):
            if hasattr(model, "play"):
                self.written = []
                self._write("sound", step, ".wav", lambda path: self._tune(model, path,
                                                                           preview_origin(self.out, model, step)))
            return
        try:
            score = model.generate(bars=BARS, seed=SEED)
        except FAILURES as error:
            self._once("composing", f"no preview of step {step}: {_told(error)}")
            return
        self.told.discard("composing")
        self.written = []
        origin = preview_origin(self.out, model, step)
        self._ailing("score", health_of_score(score))
        self._write("score", step, ".mid", lambda path: _score(score, path, origin))
        if score.note_num():
            title = f"{model.name}, step {step}"
            self._write("picture", step, ".png", lambda path: _picture(score, path, origin, title))
            self._write("sound", step, ".wav", lambda path: self._sound(score, path, origin))

    def _write(self, what: str, step: int, ending: str, write: Callable[[Path], None]) -> None:
        try:
            path = self.path_of(step, ending)
            write(path)
        except FAILURES as error:
            self._once(what, f"no {what} of the preview: {_told(error)}")
            return
        self.written.append(path)

    def _sound(self, score: Any, path: Path, origin: Origin) -> None:
        from componium import registry
        from componium.music.soundfont import find_soundfont
        from componium.performance import perform
        from componium.training.health import health_of_audio

        font = find_soundfont()
        audio = perform(score, registry.create("soundfont"), seed=SEED)
        player = Used("soundfont", "soundfont", "", font.name, font.licence, licence_class(font.licence))
        played = dataclasses.replace(origin, models=(*origin.models, player))
        audio.write(path, bits=SOUND_BITS, metadata={"title": path.stem, "software": "Componium"}, origin=played)
        self._ailing("sound", health_of_audio(audio.samples))

    def _tune(self, model: Any, path: Path, origin: Origin) -> None:
        """Write a tune in the middle of an instrument's range, as it plays it."""
        from componium.evaluation.played import tune_near
        from componium.training.health import health_of_audio

        learned = getattr(model, "learned", None)
        audio = model.play(tune_near(getattr(learned, "pitch_mean", 64.0)))
        level = min(-16.0 - audio.loudness_lufs, -1.0 - audio.peak_db) if audio.peak_db > -80 else 0.0
        audio.gain(level).write(path, bits=SOUND_BITS, metadata={"title": path.stem, "software": "Componium"},
                                origin=origin)
        self._ailing("sound", health_of_audio(audio.samples))

    def _ailing(self, what: str, sentences: list[str]) -> None:
        """Tell what is wrong with what was made, each sentence once until it is well again."""
        before = {key for key in self.told if key.startswith(f"{what}: ")}
        self.told -= before - {f"{what}: {sentence}" for sentence in sentences}
        for sentence in sentences:
            self._once(f"{what}: {sentence}", sentence)

    def _once(self, key: str, sentence: str) -> None:
        if key not in self.told:
            self.told.add(key)
            self.warn(sentence)


def preview_origin(out: Path, model: Any, step: int) -> Origin:
    """Return what a preview says of itself: the run, the step, the seed, and the rights of the data."""
    told = model.provenance
    licence = str(told.get("licence", ""))
    used = Used(model.name, f"{out}@{step}", "", str(told.get("data", "")), licence,
                licence_class(licence) if licence else "")
    return origin_for(GENERATED, "train", [used], seed=SEED, settings={"step": step, "bars": BARS})


def _score(score: Any, path: Path, origin: Origin) -> None:
    from componium.music.formats import write_score

    write_score(score, path, origin=origin)


def _picture(score: Any, path: Path, origin: Origin, title: str) -> None:
    from componium.music.picture import piano_roll

    piano_roll(score, path, title=title, origin=dataclasses.replace(origin, title=title))


def _told(error: BaseException) -> str:
    """Return why, in a few words."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
