"""Filler: fills in music without a thought; the tests copy it beside a user's files."""

from __future__ import annotations

import dataclasses

from componium.interface import setting
from componium.music.score import VOICE_NAMES, Note, Track, end_beats
from componium.music.where import filled, passages


@dataclasses.dataclass(frozen=True)
class FillerConfig:
    spoil: str = setting("", "what is changed that should not be")

class Mute:
    """A model that can nothing."""

    name = "mute"
    Config = FillerConfig
    needs_training = False
    deterministic = False

    def __init__(self, config=FillerConfig()):
        self.config, self.provenance, self.figures = config, {}, {}

    def state(self):
        return {}, {}

    def load_state(self, arrays, json):
        pass


class Filler(Mute):
    """A filler."""
    name = "filler"

    def harmonize(self, score, *, given: str = "auto", method: str = "sample", seed=0, temperature=1.0,
                  progress=lambda *_: None):
        """Add voices.

        Args:
            given: which voice a single line is.
            method: sample or greedy.
        """
        made = score.copy()
        full = [track for track in made.tracks if len(track.notes) and not track.is_drum]
        if len(full) == 1 and full[0].name not in VOICE_NAMES:
            full[0].name = "Soprano" if given == "auto" else given.capitalize()
        there = [track.name for track in full]
        for voice, name in enumerate(VOICE_NAMES):
            if name not in there:
                made.tracks.append(Track(name))
                for beat in range(int(end_beats(score))):
                    pitch = (67, 64, 60, 48)[voice] + (seed + beat) % 3 * (method == "sample")
                    made.tracks[-1].notes.append(Note(float(beat), 1.0, pitch, 80))
        if self.config.spoil:
            made.tracks[0].notes[0].velocity -= 1
        return made

    def infill(self, score, *, where: str, seed=0, temperature=1.0, progress=lambda *_: None):
        """Compose anew."""
        new = score.copy()
        for track in new.tracks:
            for place, note in enumerate(track.notes):
                note.pitch += 1 + (seed + place) % 3
        made = filled(score, new, passages(score, where))
        if self.config.spoil == "tempo":
            made.tempos[0].qpm += 1
        return made

class Idle(Filler):
    name = "idle"

    def harmonize(self, score, *, seed=0, progress=None):
        """Add nothing."""
        return score.copy()
