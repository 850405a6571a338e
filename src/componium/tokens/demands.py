"""Rules as demands on symbols, sounds and counters, voice by voice; what is left to choose comes out as choices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from componium.music.constraint_rules import (
    Cadence,
    Contains,
    Density,
    Frame,
    Melody,
    Pitches,
    Range,
    Rests,
    Rhythm,
    Rule,
    Struck,
)
from componium.music.errors import BadInput
from componium.music.keys import pitch_name
from componium.tokens.counters import Counter, contains, density, melody
from componium.tokens.grid import HOLD, REST

Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Demands:
    """What each cell must be.

    Attributes:
        frame: the piece.
        lowest: the MIDI pitch of symbol 2.
        symbols: bool [steps, voices, S] which symbols may be written.
        sounds: bool [steps, voices, S - 1] which sounds may be heard; 0 is silence.
        fixed: int [steps, voices] the symbols that are given; -1 elsewhere.
        heard: int [steps, voices] the sounds that are known beforehand; -1 elsewhere.
        counters: for each voice its machines.
        shared: machines that any voice may satisfy.
        cadences: the rules whose last chord has yet to be placed.
    """

    frame: Frame
    lowest: int
    symbols: Mask
    sounds: Mask
    fixed: npt.NDArray[np.int64]
    heard: npt.NDArray[np.int64]
    counters: list[list[Counter]] = field(default_factory=list)
    shared: list[Counter] = field(default_factory=list)
    cadences: list[Rule] = field(default_factory=list)

    def copy(self) -> Demands:
        """Return demands that can be added to without changing these."""
        return Demands(self.frame, self.lowest, self.symbols.copy(), self.sounds.copy(), self.fixed, self.heard,
                       [list(counters) for counters in self.counters], list(self.shared), list(self.cadences))

    @property
    def size(self) -> int:
        """The number of sounds."""
        return int(self.sounds.shape[2])

    def classes(self, pitch_classes: frozenset[int]) -> Mask:
        """Return which sounds are of these pitch classes: bool [sounds]; silence is not."""
        pitches = np.arange(self.size) - 1 + self.lowest
        found = np.isin(pitches % 12, sorted(pitch_classes))
        found[0] = False
        return found

    def sound_of(self, pitch: int) -> int:
        """Return the sound of a MIDI pitch; raises `BadInput` where it cannot be written."""
        if not 0 < pitch - self.lowest + 1 < self.size:
            raise BadInput(f"{pitch_name(pitch)} is outside what is written here, {pitch_name(self.lowest)} to "
                           f"{pitch_name(self.lowest + self.size - 2)}")
        return pitch - self.lowest + 1

    def targets(self, note: tuple[int, bool]) -> Mask:
        """Return which sounds are a note: of a pitch class, or one pitch."""
        if not note[1]:
            return self.classes(frozenset({note[0]}))
        found = np.zeros(self.size, dtype=np.bool_)
        found[self.sound_of(note[0])] = True
        return found

    def add(self, rule: Rule) -> None:
        """Add a rule; raises `BadInput` that names the rule where the piece has no such place or note."""
        try:
            self._add(rule)
        except BadInput as error:
            raise BadInput(f"{rule}: {error}") from error

    def _add(self, rule: Rule) -> None:
        kind, frame = rule.kind, self.frame
        if isinstance(kind, Cadence):
            frame.cadence_span(rule.place)
            self.cadences.append(rule)
        elif isinstance(kind, Pitches | Range | Rests):
            self._add_sounds(rule, kind)
        elif isinstance(kind, Density):
            for bar, (start, stop) in frame.bar_spans_of(rule.place):
                if rule.place.bars or frame.is_whole(bar):
                    self._follow(rule, density(start, stop, kind.fewest, kind.most, self.size))
        elif isinstance(kind, Struck):
            for start, _ in frame.spans_of(rule.place):
                self._require(rule, self.targets(kind.note), start, start + 1, by_striking=True)
        elif isinstance(kind, Contains):
            for (start, stop), note in itertools.product(frame.stretches_of(rule.place), kind.notes):
                self._require(rule, self.targets(note), start, stop)
        elif isinstance(kind, Melody):
            notes = np.array([self.sound_of(pitch) for pitch in kind.pitches])
            for start, stop in frame.stretches_of(rule.place):
                self._follow(rule, melody(start, stop, notes, self.size))
        else:
            for start, stop in frame.stretches_of(rule.place):
                self._add_rhythm(rule, kind, start, stop)

    def _follow(self, rule: Rule, counter: Counter) -> None:
        """Let a machine follow each voice of a rule by itself."""
        for voice in self.frame.voices_of(rule.place):
            self.counters[voice].append(counter)

    def _require(self, rule: Rule, targets: Mask, start: int, stop: int, *, by_striking: bool = False) -> None:
        """Require that a sound is heard, from each voice that the rule names, from any where it names none."""
        if rule.place.voices:
            self._follow(rule, contains(start, stop, targets, by_striking=by_striking))
            return
        known = self.heard[start:stop]
        kept = (known >= 0) & targets[known]
        if by_striking:
            kept &= self.fixed[start:stop] > REST
        if not kept.any():
            self.shared.append(contains(start, stop, targets, by_striking=by_striking))

    def _add_sounds(self, rule: Rule, kind: Pitches | Range | Rests) -> None:
        voices = self.frame.voices_of(rule.place)
        for start, stop in self.frame.spans_of(rule.place):
            for voice in voices:
                self._narrow(start, stop, voice, self._sounds_of(kind))
            if isinstance(kind, Pitches) and kind.bass is not None and self.frame.voices - 1 in voices:
                self._narrow(start, stop, self.frame.voices - 1, self._or_silence(frozenset({kind.bass})))

    def _sounds_of(self, kind: Pitches | Range | Rests) -> Mask:
        """Return the sounds that a rule leaves; silence is always among them but for ``no rests``."""
        if isinstance(kind, Pitches):
            return self._or_silence(kind.classes)
        if isinstance(kind, Rests):
            silence: Mask = (np.arange(self.size) == 0) == kind.silent
            return silence
        pitches = np.arange(self.size) - 1 + self.lowest
        found: Mask = (pitches >= kind.lowest) & (pitches <= kind.highest)
        found[0] = True
        return found

    def _or_silence(self, pitch_classes: frozenset[int]) -> Mask:
        found = self.classes(pitch_classes)
        found[0] = True
        return found

    def _narrow(self, start: int, stop: int, voice: int, sounds: Mask) -> None:
        self.sounds[start:stop, voice] &= sounds

    def _add_rhythm(self, rule: Rule, kind: Rhythm, start: int, stop: int) -> None:
        """Fix which steps of a stretch are onsets, holds and rests; a last note ends with the stretch."""
        signs: list[int] = []  # 0 goes on, 1 rest, 2 onset
        for beats, is_note in kind.events:
            length = self.frame.steps_of(beats)
            signs += [2] + [0] * (length - 1) if is_note else [1] * length
        count, left = divmod(stop - start, len(signs))
        if left or not (count == 1 or kind.repeated):
            beats_of = [f"{steps / self.frame.steps_per_beat:g}" for steps in (len(signs), stop - start)]
            raise BadInput(f"the rhythm is {beats_of[0]} quarter notes long, {self.frame.where(start)} to "
                           f"{self.frame.where(stop - 1)} {beats_of[1]}: let it fill the bars, or end it with "
                           "'repeated' where it fits several times")
        each = np.array(signs * count)
        allowed = np.zeros((stop - start, self.size + 1), dtype=np.bool_)
        allowed[each == 0, HOLD] = True
        allowed[each == 1, REST] = True
        allowed[each == 2, REST + 1:] = True
        for voice in self.frame.voices_of(rule.place):
            self.symbols[start:stop, voice] &= allowed
            if stop < self.frame.steps and kind.events[-1][1]:
                self.symbols[stop, voice, HOLD] = False
