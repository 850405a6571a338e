"""What a piece by `markov` has to keep to: ranges, key, phrases that end on a chord, and a cadence at the close.

The chain proposes; the plan only forbids. It is a table of allowed pitch classes a step, so that the voice leading
into every chord is still the chain's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 9, 10, 11)
"""Semitones above the tonic; the minor scale with its raised sixth and seventh."""

ENDINGS = ("authentic", "half", "plagal", "open")


def scale_of(key: int) -> tuple[int, ...]:
    """Return the pitch classes of a key (0..11 major, 12..23 minor)."""
    return tuple((key + step) % 12 for step in (MINOR_SCALE if key >= 12 else MAJOR_SCALE))


def triad_of(key: int, degree: int) -> tuple[int, int, int]:
    """Return root, third and fifth (pitch classes) of the triad on a degree (1..7); V is major in a minor key too."""
    minor = key >= 12
    root = ((0, 2, 3, 5, 7, 8, 11) if minor else MAJOR_SCALE)[degree - 1]
    third = {1: 3, 4: 3, 5: 4, 6: 4}[degree] if minor else {1: 4, 4: 4, 5: 4, 6: 3}[degree]
    return ((key + root) % 12, (key + root + third) % 12, (key + root + 7) % 12)


@dataclass
class Plan:
    """Steps at which a piece is bound.

    Attributes:
        steps: length of the piece.
        chords: step -> (root, third, fifth): every voice takes a note of it, the bass its root.
        hold: steps that prolong what sounds.
        strike: steps at which every voice begins anew (the breath after a phrase).
        phrase_ends: steps at which a phrase is over (exclusive).
        fermatas: steps at which a held chord begins.
        close: step at which the last chord begins; -1 if the ending is open.
    """

    steps: int
    chords: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    hold: set[int] = field(default_factory=set)
    strike: set[int] = field(default_factory=set)
    phrase_ends: list[int] = field(default_factory=list)
    fermatas: list[int] = field(default_factory=list)
    close: int = -1


def plan_piece(*, start: int, steps: int, pickup_steps: int, bar_steps: int, beat_steps: int, key: int,
               ending: str, phrase_bars: int, rng: np.random.Generator) -> Plan:
    """Lay out phrases and cadences.

    Args:
        start: first step to be composed (a prompt lies before it); 0 binds the opening to the tonic chord.
        steps: length of the whole piece.
        pickup_steps: steps before the first full bar.
        bar_steps, beat_steps: steps a bar and a beat.
        key: 0..11 major, 12..23 minor.
        ending: one of `ENDINGS`.
        phrase_bars: bars a phrase; 0 for one single phrase.
        rng: chooses the cadences of inner phrases.
    """
    plan = Plan(steps)
    if start == 0:
        plan.chords[0] = triad_of(key, 1)
    bars = (steps - pickup_steps) // bar_steps
    for bar in range(1, bars + 1):
        last = bar == bars
        inner = phrase_bars and bar % phrase_bars == 0 and bars - bar >= min(phrase_bars, 2)
        if not (last or inner) or pickup_steps + bar * bar_steps <= start:
            continue
        kind = ending if last else str(rng.choice(["authentic", "half"], p=[0.4, 0.6]))
        _end_phrase(plan, pickup_steps + bar * bar_steps, kind, start, bar_steps, beat_steps, key)
    return plan


def _end_phrase(plan: Plan, end: int, kind: str, start: int, bar_steps: int, beat_steps: int, key: int) -> None:
    plan.phrase_ends.append(end)
    if end < plan.steps:
        plan.strike.add(end)
    if kind == "open":
        return
    beats = bar_steps // beat_steps
    held = bar_steps - (beats // 2) * beat_steps if beats >= 4 else bar_steps
    final = end - held
    first, second = {"authentic": (5, 1), "half": (1, 5), "plagal": (4, 1)}[kind]
    if final - beat_steps >= max(start, 1):
        plan.chords[final - beat_steps] = triad_of(key, first)
        if kind != "half":
            plan.hold.update(range(final - beat_steps + 1, final))
    if final >= start:
        plan.chords[final] = triad_of(key, second)
        plan.fermatas.append(final)
        plan.close = final if end == plan.steps else -1
        plan.hold.update(range(final + 1, end))


def chord_classes(chord: tuple[int, int, int], voice: int, voices: int, above: Ints,
                  closes: bool = False) -> Flags:
    """Return [B, 12] the pitch classes that a voice may take in a chord, given the voices above it [B, voice].

    The bass takes the root; the third is never doubled, and the last voice above the bass supplies it if it is missing.
    A melody alone takes the root or the third, and where it closes only the root.
    """
    allowed = np.zeros((len(above), 12), np.bool_)
    if voices > 1 and voice == voices - 1:
        allowed[:, chord[0]] = True
        return allowed
    allowed[:, list(chord)] = True
    if voices == 1:
        allowed[:, chord[2]] = False
        allowed[:, chord[1]] = not closes
        return allowed
    has_third = (above % 12 == chord[1]).any(axis=1)
    allowed[has_third, chord[1]] = False
    if voice == voices - 2:
        allowed[~has_third, chord[0]] = allowed[~has_third, chord[2]] = False
    return allowed
