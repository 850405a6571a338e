"""Notes as they are played, into frames of pitch and loudness: what lets a keyboard play the instrument live."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.instruments.ddsp.features import SILENT_DB
from componium.instruments.ddsp.learned import Learned
from componium.instruments.ddsp.playing import (
    DRIFT_CENTS,
    DRIFT_DB,
    GLIDE_SECONDS,
    RELEASE_DB_A_SECOND,
    VIBRATO_RISE_SECONDS,
    VIBRATO_WAIT_SECONDS,
    Expression,
    attack_of,
    level_of,
)
from componium.music.errors import BadInput

BEND_SEMITONES = 24.0
DYNAMICS_DB = 30.0
"""From dynamics 0 to 1."""


class NoteStream:
    """One line: the newest key sounds; a key that is pressed while another is held is bound to it.

    Args:
        learned: what the recordings are like.
        wish: the knobs of playing.
        frame_rate_hz: frames a second.
        seed: of how pitch and loudness wander.
    """

    def __init__(self, learned: Learned, wish: Expression, frame_rate_hz: float, seed: int = 0) -> None:
        self.learned, self.wish, self.frame_rate_hz = learned, wish, frame_rate_hz
        self._rng = np.random.default_rng([seed, 9])
        self._held: list[tuple[float, int]] = []
        self._pitch = self._before = learned.pitch_mean
        self._level, self._since, self._released = SILENT_DB, 0.0, np.inf
        self._bound, self._bend, self._dynamics = False, 0.0, 0.5
        self._cents = self._decibels = 0.0

    def note_on(self, pitch: float, velocity: int = 80) -> None:
        """Begin a note; velocity 0 ends it, as MIDI has it. Raises `BadInput` for what is no note."""
        if velocity == 0:
            self.note_off(pitch)
            return
        if not 0 <= pitch <= 127 or not 1 <= velocity <= 127:
            raise BadInput(f"pitch={pitch}, velocity={velocity}: both are 0 to 127")
        self._bound = any(held != pitch for held, _ in self._held)
        self._held = [*(each for each in self._held if each[0] != pitch), (pitch, velocity)]
        self._sound(pitch, velocity)

    def note_off(self, pitch: float) -> None:
        """End a note; where another key is still held, that one sounds again. An unknown note is nothing."""
        sounding = bool(self._held) and self._held[-1][0] == pitch
        self._held = [each for each in self._held if each[0] != pitch]
        if sounding and self._held:
            self._bound = True
            self._sound(*self._held[-1])
        elif sounding:
            self._released = 0.0

    def all_off(self) -> None:
        """End everything."""
        for pitch, _ in list(self._held):
            self.note_off(pitch)

    def bend(self, semitones: float) -> None:
        """Move the pitch of what sounds, by up to two octaves; what is no number is no bend."""
        self._bend = float(np.clip(np.nan_to_num(semitones), -BEND_SEMITONES, BEND_SEMITONES))

    def dynamics(self, amount: float) -> None:
        """Make what sounds softer (0) or louder (1) than it was struck (0.5), as breath or a pedal does."""
        self._dynamics = float(np.clip(np.nan_to_num(amount, nan=0.5), 0.0, 1.0))

    def frames(self, count: int) -> npt.NDArray[np.float32]:
        """Return the next frames: [2, count], pitch in Hz and loudness in dB."""
        made = np.empty((2, count), np.float32)
        for frame in range(count):
            made[:, frame] = self._frame()
        return made

    def _sound(self, pitch: float, velocity: int) -> None:
        self._before = self._pitch if self._bound else pitch
        self._pitch, self._level = pitch, level_of(velocity, self.learned, self.wish)
        self._since, self._released = 0.0, np.inf

    def _frame(self) -> tuple[float, float]:
        step = 1.0 / self.frame_rate_hz
        self._since += step
        if self._released < np.inf:
            self._released += step
        share = min(self._since / GLIDE_SECONDS, 1.0)
        share = share * share * (3 - 2 * share)
        cents = self.learned.vibrato_cents if self.wish.vibrato_cents < 0 else self.wish.vibrato_cents
        swell = min(max((self._since - VIBRATO_WAIT_SECONDS) / VIBRATO_RISE_SECONDS, 0.0), 1.0)
        swing = np.sin(2 * np.pi * self.learned.vibrato_hz * self._since)
        self._wander(step)
        pitch = (self._before + (self._pitch - self._before) * share + self._bend
                 + (cents * swell * swing + DRIFT_CENTS * self._cents) / 100.0)
        f0_hz = 440.0 * 2.0 ** ((min(max(pitch, 0.0), 127.0) - 69.0) / 12.0)
        fallen = RELEASE_DB_A_SECOND * self._released if self._released < np.inf else 0.0
        if fallen > -SILENT_DB or self._level <= SILENT_DB:
            return f0_hz, SILENT_DB
        loud = self._level + DRIFT_DB * self._decibels + DYNAMICS_DB * (self._dynamics - 0.5)
        loud += float(attack_of(self.learned, self.wish, np.array(self._since), np.array(self._bound)))
        return f0_hz, min(max(loud - fallen, SILENT_DB), 0.0)

    def _wander(self, step: float) -> None:
        """Let pitch and loudness drift: a first-order process with a time constant of 0.2 s and a spread of 1."""
        keep = float(np.exp(-step / 0.2))
        drawn = self._rng.standard_normal(2) * np.sqrt(1 - keep**2)
        self._cents, self._decibels = keep * self._cents + drawn[0], keep * self._decibels + drawn[1]
