"""Notes outside the chord: how they are reached and left, and whether sevenths and leading notes resolve.

A dissonance is a note, or the part of one, that does not belong to the chord of its span (`chords_of`). Repeated and
held notes of one pitch are one dissonance as long as they are outside the chord. What it is called depends on the note
before and the one after in the same voice (Kostka and Payne, Tonal Harmony, chapters 11 and 12); what a rest or a
phrase end separates is neither before nor after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from componium.evaluation.harmony.chords import DOMINANT, QUALITIES, SILENT, TONIC, Chords
from componium.evaluation.harmony.leading import STEP_SEMITONES, Found, next_change
from componium.evaluation.harmony.texture import Flags, Ints, Texture
from componium.music.grid import REST
from componium.music.theory import CHORDS

KINDS = ("passing note", "neighbour", "suspension", "anticipation", "pedal", "appoggiatura", "escape note", "untreated")
TREATED = 5
"""The first so many kinds are prepared and resolved; appoggiatura and escape note are one of the two."""
NONE = 99
"""The step from or to a note that is not there."""


@dataclass(frozen=True, eq=False)
class Dissonances:
    """Notes outside the chord; arrays [dissonances].

    Attributes:
        kinds: index into `KINDS`.
        slices: the slice of the texture where each begins.
        voices: the voice that has it.
    """

    kinds: Ints
    slices: Ints
    voices: Ints

    def __len__(self) -> int:
        return len(self.kinds)

    def of_kind(self, kind: str) -> Found:
        """Return where the dissonances of one of `KINDS` are."""
        chosen = self.kinds == KINDS.index(kind)
        return Found(self.slices[chosen], self.voices[chosen], self.voices[chosen])


def dissonances(texture: Texture, chords: Chords) -> Dissonances:
    """Return the notes outside the chord and what each is.

    With a the step from the note before and b the step to the note after (a step is 1 or 2 semitones):
    passing note: both are steps in the same direction; neighbour: steps in opposite directions; suspension: the same
    pitch was a chord note before (held or struck again), and b is a step, down or (retardation) up; anticipation: b is
    0, as the pitch becomes a chord note of the next chord, and a is not 0; pedal: a and b are 0; appoggiatura: a is no
    step and b is one; escape note: a is a step and b is none; untreated: any other.
    """
    slices, spans = _cut(texture, chords)
    pitches = texture.pitches[slices]
    inside = chords.members[spans[:, None], np.maximum(pitches, 0) % 12] | (chords.roots[spans] == SILENT)[:, None]
    runs = _Runs.of(pitches, inside, texture.phrase[slices])
    outside = np.flatnonzero(~runs.inside & (runs.pitches != REST))
    before, after = runs.steps()
    kinds = _kinds(before[outside], after[outside])
    return Dissonances(kinds, slices[runs.starts[outside]], runs.voices[outside])


def _kinds(before: Ints, after: Ints) -> Ints:
    came, goes = _is_step(before), _is_step(after)
    same_way = np.sign(before) == np.sign(after)
    cases = [came & goes & same_way, came & goes, (before == 0) & goes, (after == 0) & (before != 0),
             (before == 0) & (after == 0), goes, came]
    return np.select(cases, list(range(len(cases))), default=KINDS.index("untreated"))


def _is_step(semitones: Ints) -> Flags:
    return np.asarray((semitones != 0) & (np.abs(semitones) <= STEP_SEMITONES))


@dataclass(frozen=True, eq=False)
class _Runs:
    """Stretches of one pitch in one voice that are inside the chord or outside; one voice after the other."""

    pitches: Ints
    inside: Flags
    phrase: Ints
    voices: Ints
    starts: Ints

    @classmethod
    def of(cls, pitches: Ints, inside: Flags, phrase: Ints) -> _Runs:
        """Return the runs of pitches [slices, voices]."""
        new = np.ones(pitches.shape, bool)
        new[1:] = (pitches[1:] != pitches[:-1]) | (inside[1:] != inside[:-1]) | (np.diff(phrase) != 0)[:, None]
        voices, starts = np.nonzero(new.T)
        return cls(pitches[starts, voices], inside[starts, voices], phrase[starts], voices, starts)

    def steps(self) -> tuple[Ints, Ints]:
        """Return the steps in semitones from the run before and to the run after, `NONE` where there is none."""
        joined = (np.diff(self.voices) == 0) & (np.diff(self.phrase) == 0) & \
            (self.pitches[1:] != REST) & (self.pitches[:-1] != REST)
        step = np.where(joined, np.diff(self.pitches), NONE)
        return np.concatenate([[NONE], step]), np.concatenate([step, [NONE]])


def _cut(texture: Texture, chords: Chords) -> tuple[Ints, Ints]:
    """Return the slice and the span of each piece when slices are cut at spans."""
    edges = np.union1d(np.round(texture.edges_beats, 6), np.round(chords.edges_beats, 6))
    edges = edges[(edges >= texture.edges_beats[0]) & (edges < texture.edges_beats[-1] - 1e-6)]
    slices = np.searchsorted(texture.edges_beats, edges + 1e-5, side="right") - 1
    spans = np.searchsorted(chords.edges_beats, edges + 1e-5, side="right") - 1
    return slices, np.clip(spans, 0, len(chords) - 1)


def sevenths(texture: Texture, chords: Chords) -> tuple[int, Found]:
    """Return how many sevenths of seventh chords there are, and those that do not resolve.

    A seventh is in a voice when its chord ends and another root follows in the phrase. It resolves if the next other
    pitch of that voice, at once or after it was held, is a step lower.
    """
    spans = _root_changes(chords)
    spans = spans[np.asarray([len(CHORDS[QUALITIES[q]]) == 4 for q in chords.qualities[spans]], bool)]
    seventh = np.asarray([CHORDS[quality][-1] for quality in QUALITIES])[chords.qualities[spans]]
    place, voice = _voices_with(texture, chords, spans, (chords.roots[spans] + seventh) % 12)
    _, step = next_change(texture, place, voice)
    wrong = (step >= 0) | (step < -STEP_SEMITONES)
    return len(place), Found(place[wrong], voice[wrong], voice[wrong])


def leading_notes(texture: Texture, chords: Chords) -> tuple[int, Found]:
    """Return how many leading notes go from the dominant to the tonic, and those that do not resolve.

    Counted are the outer voices (the first and the last) that have the leading note of the local key when a dominant
    ends and a chord on the tonic follows in the same key and phrase. It resolves if the next other pitch of that voice
    is the tonic, a semitone higher. Inner voices may leave it, as they do in Bach.
    """
    spans = _root_changes(chords)
    after = spans + 1
    to_tonic = (chords.functions[spans] == DOMINANT) & (chords.functions[after] == TONIC) & \
        (chords.roots[after] == chords.tonics[after]) & (chords.tonics[spans] == chords.tonics[after])
    spans = spans[to_tonic]
    place, voice = _voices_with(texture, chords, spans, (chords.tonics[spans] + 11) % 12)
    outer = (voice == 0) | (voice == texture.pitches.shape[1] - 1)
    place, voice = place[outer], voice[outer]
    wrong = next_change(texture, place, voice)[1] != 1
    return len(place), Found(place[wrong], voice[wrong], voice[wrong])


def _root_changes(chords: Chords) -> Ints:
    """Return the spans after which another root follows in the same phrase."""
    roots = chords.roots
    moves = (roots[1:] != roots[:-1]) & (roots[1:] != SILENT) & (roots[:-1] != SILENT) & (np.diff(chords.phrase) == 0)
    return np.flatnonzero(moves)


def _voices_with(texture: Texture, chords: Chords, spans: Ints, classes: Ints) -> tuple[Ints, Ints]:
    """Return (slice, voice) of the voices that have a pitch class in the last slice of each span."""
    ends = chords.edges_beats[spans + 1]
    slices = np.searchsorted(texture.edges_beats[:-1], ends - 1e-4) - 1
    pitches = texture.pitches[slices]
    rows, voices = np.nonzero((pitches != REST) & (pitches % 12 == classes[:, None]))
    return slices[rows], voices
