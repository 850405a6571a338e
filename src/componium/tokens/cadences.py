"""Cadences as demands: which chords, where the last may begin, and what each voice then may sound.

The last chord begins on a beat; it is a triad with its root in the lowest voice and its third in some voice. At the end
of the piece it lasts to the end, elsewhere a quarter note. For the eighth note before it (a step, where the grid is
coarser) stands the chord that the cadence asks for, with its root in the lowest voice and its third in some voice; a
dominant may have its seventh. Before a half cadence any chord may stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from componium.music.constraint_rules import Cadence, Frame, Rule, Span
from componium.music.theory import roman
from componium.tokens.counters import contains
from componium.tokens.demands import Demands

_NUMERALS = {"authentic": ("V7", "I"), "perfect": ("V7", "I"), "half": (None, "V"), "plagal": ("IV", "I"),
             "deceptive": ("V7", "vi")}
_IN_MINOR = {"I": "i", "IV": "iv", "vi": "VI"}


@dataclass(frozen=True)
class Stand:
    """A chord of a cadence: its pitch classes from the root upward, and the steps for which it stands."""

    classes: tuple[int, ...]
    span: Span


def stands(kind: Cadence, frame: Frame, onset: int, last_stop: int) -> list[Stand]:
    """Return the chords of a cadence whose last chord begins at a step and stands until ``last_stop``."""
    first, last = (numeral and (_IN_MINOR.get(numeral, numeral) if kind.key.is_minor else numeral)
                   for numeral in _NUMERALS[kind.kind])
    assert last is not None
    if kind.picardy and last == "i":
        last = "I"
    found = [Stand(roman(last, kind.key).pitch_classes, (onset, last_stop))]
    if first is not None:
        before = max(0, onset - max(1, frame.steps_per_beat // 2))
        found.append(Stand(roman(first, kind.key).pitch_classes, (before, onset)))
    return found


def onsets(rule: Rule, demands: Demands) -> list[int]:
    """Return the steps on which the last chord of a cadence could begin, the most fitting first.

    Where voices are given, their last onset comes first; then strong beats, later ones first.
    """
    assert isinstance(rule.kind, Cadence)
    span = demands.frame.cadence_span(rule.place)
    exact = rule.place.beats is not None
    found = [span[0]] if exact else list(demands.frame.pulses(span))
    if rule.kind.kind != "half":
        found = [step for step in found if step > 0]
    ends = demands.fixed[span[1] - 1] >= 0
    given = np.flatnonzero((demands.fixed[slice(*span)][:, ends] > 1).any(axis=1)) + span[0]
    latest = int(given[-1]) if len(given) else -1
    return sorted(found, key=lambda step: (step != latest, not demands.frame.is_strong(step), -step))


def place(rule: Rule, onset: int, demands: Demands) -> Span:
    """Demand that the last chord of a cadence begins at a step, in place; return the steps of its chords."""
    assert isinstance(rule.kind, Cadence)
    frame = demands.frame
    limit = frame.steps
    if rule.place.bars:
        bar_stop = min(frame.span(bar)[1] for bar in frame.bars_of(rule.place))
        limit = min(bar_stop, onset + frame.steps_per_beat)
    chords = stands(rule.kind, frame, onset, limit)
    for stand in chords:
        _stand(stand, demands)
    if rule.kind.kind == "perfect":
        tonic = demands.classes(frozenset({rule.kind.key.tonic_pitch_class}))
        demands.sounds[onset:limit, 0] &= tonic
    return min(stand.span[0] for stand in chords), limit


def _stand(stand: Stand, demands: Demands) -> None:
    """Demand a chord: its notes in every voice that is not given a rest, the root lowest, the third somewhere."""
    start, stop = stand.span
    bass = demands.frame.voices - 1
    chord, root = (demands.classes(frozenset(classes)) for classes in (stand.classes, stand.classes[:1]))
    for voice in range(demands.frame.voices):
        notes = root if voice == bass and bass > 0 else chord
        rests = demands.heard[start:stop, voice, None] == 0
        demands.sounds[start:stop, voice] &= notes | (rests & (np.arange(demands.size) == 0))
    third = demands.classes(frozenset({stand.classes[1]}))
    known = demands.heard[start:stop]
    if bass > 0 and not ((known >= 0) & third[known]).any():
        demands.shared.append(contains(start, min(stop, start + demands.frame.steps_per_beat), third))
