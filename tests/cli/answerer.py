"""Answerer: answers a phrase without a thought; the tests copy it beside a user's files."""

from __future__ import annotations

import dataclasses

from componium.interface import setting
from componium.music.errors import BadInput
from componium.music.score import Note, Track, bars, meter, new_score, skyline, tempo_bpm


@dataclasses.dataclass(frozen=True)
class AnswererConfig:
    manner: str = setting("walk", "walk, copy, drone, or silence")


class Mute:
    """A model that can nothing but be asked what it can."""

    name = "mute"
    Config = AnswererConfig
    needs_training = False
    deterministic = False

    def __init__(self, config=AnswererConfig()):
        self.config, self.provenance, self.figures = config, {}, {}

    def state(self):
        return {}, {}

    def load_state(self, arrays, json):
        pass

    def generate(self, *, bars=8, seed=0, progress=lambda *_: None):
        """Compose nothing."""
        return new_score()


class Answerer(Mute):
    """An answerer."""

    name = "answerer"

    def respond(self, phrase, *, up: int = 0, seed=0, temperature=1.0, progress=lambda *_: None):
        """Answer.

        Args:
            up: semitones that the answer lies higher.
        """
        notes = skyline(phrase).notes
        if len(notes) == 1:
            raise BadInput("one note is no phrase")
        numerator, denominator = meter(phrase)
        made = new_score(tempo_bpm=tempo_bpm(phrase), numerator=numerator, denominator=denominator)
        made.tracks.append(Track("Melody", 40))
        start, manner = bars(phrase)[0].start_beats, self.config.manner
        for number, note in enumerate(notes):
            moved = {"walk": (seed + 1) * number % 5 * (1 + (temperature > 1)), "copy": 0}.get(manner, 0)
            pitch = 60 if manner == "drone" else note.pitch + moved + up
            if manner != "silence":
                made.tracks[0].notes.append(Note(note.time - start, note.duration, pitch, 80))
        return made
