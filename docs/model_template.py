"""First-order chain of melodic steps: a complete model to copy.

Idea: Count how often each interval follows each other interval in melodies, and walk along the counts. The first line
of this docstring is the model's title, and these six headings are the same in every model: the documentation, the
model card and the studio are made from them, so they have to be true.

Paper: Hiller and Isaacson, "Experimental Music" (McGraw-Hill, 1959), the first of many. Cite what you re-express, and
re-express it from the paper: no sentence and no line of code comes from anywhere else.

Learns from: The highest notes of any scores; a dozen melodies are enough.

Good and bad at: Stepwise tunes that sound like nobody in particular. It knows no rhythm, no key and no form.

Trains and generates: Training counts pairs of intervals. Generation draws one interval after another, a quarter note
each, from the counts plus a little of everything.

Size and speed: 625 counts; learns and composes in milliseconds.
"""

from __future__ import annotations

# Imports: standard library, NumPy (or torch), then our lower layers. Never another model, never files or devices.
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from componium.interface import Arrays, Progress, TokenLikelihood, setting, silent
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.score import Note, Score, Track, bars, concatenate, new_score, skyline

LARGEST_STEP = 12  # semitones; constants have names, and units in their names or beside them
STEPS = 2 * LARGEST_STEP + 1


# 1. Settings: one flat, frozen dataclass; every field has a unit or a meaning and a default that works on a laptop.
@dataclasses.dataclass(frozen=True)
class StepsConfig:
    """Settings of `Steps`."""

    smoothing: float = setting(0.1, "how often each pair of steps counts before it was ever heard, above 0")
    lowest_pitch: int = setting(55, "lowest note that is composed, MIDI pitch")
    highest_pitch: int = setting(84, "highest note that is composed, MIDI pitch, an octave or more above")
    tempo_bpm: float = setting(100.0, "tempo, quarter notes a minute")


# 2. The table (here), the network, the fitness or the rule: small functions, from small to large.
def steps_of(score: Score) -> npt.NDArray[np.int64]:
    """Return the intervals [T] between the highest notes, limited to an octave, as 0..24 (12 is a repetition)."""
    pitches = np.array([note.pitch for note in skyline(score).notes], dtype=np.int64)
    return np.clip(np.diff(pitches), -LARGEST_STEP, LARGEST_STEP) + LARGEST_STEP


# 3. The model, named as the file; its methods in the order of the contract.
class Steps:
    """A chain of melodic intervals."""

    name: ClassVar[str] = "template"  # its line in `registry.MODELS`
    Config: ClassVar[type] = StepsConfig
    needs_training: ClassVar[bool] = True  # if so, it is in `registry.NEEDS_TRAINING` too
    deterministic: ClassVar[bool] = False  # true where a seed changes nothing

    def __init__(self, config: StepsConfig | None = None) -> None:
        """Store the settings; raises `BadInput` for one that cannot be used. No data, no files, no work."""
        self.config = config or StepsConfig()
        if self.config.smoothing <= 0 or self.config.highest_pitch - self.config.lowest_pitch < LARGEST_STEP:
            raise BadInput("smoothing has to be above 0, and the pitches an octave apart or more")
        self.provenance: dict[str, Any] = {}  # filled by `train`
        self.figures: dict[str, Any] = {}  # filled by `evaluate`
        self.counts = np.zeros((STEPS, STEPS))  # [step before, step]

    # Learning. A model that needs none leaves this out.
    def fit(self, items: Iterable[Item], *, progress: Progress = silent) -> None:
        """Count pairs of steps; raises `BadInput` where no score holds three notes in a row."""
        items, counts = list(items), np.zeros((STEPS, STEPS))
        for place, item in enumerate(items):
            progress(place / len(items), f"counting {item.name}")  # may raise Cancelled: change self only at the end
            if item.kind == "score" and isinstance(item.content, Score):
                steps = steps_of(item.content)
                np.add.at(counts, (steps[:-1], steps[1:]), 1)
        if not counts.any():
            raise BadInput("there is no melody to learn from: give scores with three notes or more")
        self.counts = counts
        progress(1.0, "counted")

    # State: arrays, and JSON for the rest. `checkpoint` alone touches files.
    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return the counts."""
        return {"counts": self.counts}, {}

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Take the counts back; raises `BadInput` where they have another shape."""
        if arrays["counts"].shape != (STEPS, STEPS) or not np.isfinite(arrays["counts"]).all():
            raise BadInput("the counts have another shape")
        self.counts = arrays["counts"]

    # Abilities: only those that are true. `interface.py` has the names and the arguments, which are keyword-only.
    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, prompt: Score | None = None,
                 progress: Progress = silent) -> Score:
        """Compose a melody in quarter notes.

        Args:
            bars: length in bars of 4/4, those of the prompt included.
            seed: same seed, same melody.
            temperature: 1 as learned, lower more usual, higher more surprising.
            prompt: music that is kept as the beginning.
            progress: told the fraction done.

        Raises:
            BadInput: not trained, or an argument that cannot be used.
        """
        chances = self._probabilities(temperature)
        start, full_bars, pitch = _end_of(prompt)
        if not full_bars < bars <= 10_000:
            raise BadInput(f"bars={bars}: give {full_bars + 1} to 10000 bars")
        rng = np.random.default_rng(seed)  # never global random state
        score = new_score(tempo_bpm=self.config.tempo_bpm)
        score.tracks.append(Track("Melody"))
        step = LARGEST_STEP
        for beat in range(4 * (bars - full_bars)):
            progress(beat / (4 * bars), "composing")
            step = int(rng.choice(STEPS, p=chances[step]))
            pitch += step - LARGEST_STEP
            if not self.config.lowest_pitch <= pitch <= self.config.highest_pitch:
                pitch = self.config.lowest_pitch + (pitch - self.config.lowest_pitch) % LARGEST_STEP
            score.tracks[0].notes.append(Note(float(beat), 1.0, pitch, 80))
        progress(1.0, "composed")
        return score if prompt is None else concatenate(prompt, score, start)

    def log_likelihood(self, score: Score) -> TokenLikelihood:
        """Return how surprising each step of the highest notes is, from the third note on."""
        steps = steps_of(score)
        if len(steps) < 2:
            raise BadInput("a melody of three notes or more is needed")
        nats = -np.log(self._probabilities(1.0)[steps[:-1], steps[1:]])
        times = [int(note.time * 4) for note in skyline(score).notes][2:]
        return TokenLikelihood(nats, np.zeros(len(nats), np.int64), np.array(times, np.int64),
                               np.ones(len(nats), np.bool_), 4, "melodic steps")

    def _probabilities(self, temperature: float) -> npt.NDArray[np.float64]:
        """Return [step before, step], each row a distribution."""
        if not self.counts.any():
            raise BadInput("this model has to be trained first: componium train template FOLDER --out my.template")
        if not (np.isfinite(temperature) and temperature > 0):
            raise BadInput(f"temperature={temperature}: give a number above 0")
        weights = np.log(self.counts + self.config.smoothing) / temperature
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _end_of(prompt: Score | None) -> tuple[float, int, int]:
    """Return where a prompt's last bar ends (beats), its number of full bars and its last highest pitch."""
    if prompt is None:
        return 0.0, 0, 67
    heard, notes = bars(prompt), skyline(prompt).notes
    if not heard or not len(notes):
        raise BadInput("the prompt holds no melody to begin with")
    if (heard[-1].numerator, heard[-1].denominator) != (4, 4):
        raise BadInput("the prompt has to be in 4/4")
    return heard[-1].end_beats, heard[-1].index, notes[-1].pitch
