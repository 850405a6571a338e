"""Cadences at phrase ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from componium.evaluation.harmony.chords import QUALITIES, SILENT, Chords
from componium.evaluation.harmony.texture import Ints
from componium.music.keys import Key
from componium.music.score import FERMATA, Score
from componium.music.voices import note_arrays, note_ends, voices

AUTHENTIC = ("perfect authentic", "imperfect authentic")
CADENCES = (*AUTHENTIC, "half", "plagal", "deceptive", "none")
_TRIADS = ("", "m")


@dataclass(frozen=True)
class Cadence:
    """How a phrase ends.

    Attributes:
        kind: one of `CADENCES`.
        start_beats: where its last chord starts.
        key: the local key.
        numerals: of the chord before and the last one, e.g. ``("V7", "I")``.
    """

    kind: str
    start_beats: float
    key: Key
    numerals: tuple[str, str]


def cadences(score: Score, chords: Chords) -> list[Cadence]:
    """Return how each phrase ends, the last one at the end of the piece.

    The last chord is the one at the fermata, or else at the last note that the highest voice strikes in the phrase; the
    one before is the last chord of another root within the phrase. In the local key of the last chord: authentic: V
    (major, with or without its seventh) or vii° to I, perfect with both roots in the bass and the tonic on top; half:
    any other root to V, with or without its seventh; plagal: IV or ii to I; deceptive: V to VI, or to IV in first
    inversion. What is none of these is authentic if it is so in the key of the last chord itself (V7/IV to IV), or half
    if it is so in the relative major of a minor key (III to VII); else it is none, as is a phrase of one chord. I may
    be major in minor (the Picardy third).
    """
    found = []
    tops = _top_notes(score)
    held = [float(event.time) for event in score.markers if event.text == FERMATA]
    for phrase in range(int(chords.phrase[-1]) + 1):
        spans = np.flatnonzero((chords.phrase == phrase) & (chords.roots != SILENT))
        if not len(spans):
            continue
        last = _last_span(chords, spans, held, tops)
        before = spans[(spans < last) & (chords.roots[spans] != chords.roots[last])]
        kind, numerals = "none", ("", chords.numeral(last))
        if len(before):
            kind = _kind(chords, int(before[-1]), last, _top_class(chords, last, tops))
            numerals = (chords.numeral(int(before[-1])), chords.numeral(last))
        found.append(Cadence(kind, float(chords.edges_beats[last]), chords.key(last), numerals))
    return found


def _kind(chords: Chords, before: int, last: int, top_class: int) -> str:
    """Return the kind in the local key; else in the last chord's own key, or a half cadence in the relative major."""
    tonic, minor = int(chords.tonics[last]), bool(chords.minor[last])
    kind = _kind_in(tonic, chords, before, last, top_class)
    if kind == "none":
        own = _kind_in(int(chords.roots[last]), chords, before, last, top_class)
        relative = _kind_in((tonic + 3) % 12, chords, before, last, top_class) if minor else "none"
        kind = own if own in AUTHENTIC else relative if relative == "half" else "none"
    return kind


def _kind_in(tonic: int, chords: Chords, before: int, last: int, top_class: int) -> str:
    degrees = [int(chords.roots[span] - tonic) % 12 for span in (before, last)]
    qualities = [QUALITIES[chords.qualities[span]] for span in (before, last)]
    in_bass = [int(chords.basses[span] - chords.roots[span]) % 12 for span in (before, last)]
    dominant = degrees[0] == 7 and qualities[0] in ("", "7")
    leading = degrees[0] == 11 and qualities[0] in ("dim", "m7b5", "dim7")
    if degrees[1] == 0 and qualities[1] in _TRIADS:
        if dominant or leading:
            perfect = dominant and in_bass == [0, 0] and top_class == tonic
            return AUTHENTIC[0 if perfect else 1]
        return "plagal" if degrees[0] in (2, 5) else "none"
    if dominant and ((degrees[1] in (8, 9) and qualities[1] in _TRIADS) or
                     (degrees[1] == 5 and qualities[1] in _TRIADS and in_bass[1] in (3, 4))):
        return "deceptive"
    return "half" if degrees[1] == 7 and qualities[1] in ("", "7") else "none"


def _last_span(chords: Chords, spans: Ints, held: list[float], tops: list[tuple[float, float, int]]) -> int:
    start, end = chords.edges_beats[spans[0]], chords.edges_beats[spans[-1] + 1]
    inside = [time for time in held if start - 1e-3 <= time < end - 1e-3] or \
        [time for time, _, _ in tops if start - 1e-3 <= time < end - 1e-3] or [float(end)]
    span = int(np.searchsorted(chords.edges_beats, max(inside) + 1e-3, side="right")) - 1
    return int(spans[np.argmin(np.abs(spans - span))])


def _top_notes(score: Score) -> list[tuple[float, float, int]]:
    """Return (start, end, pitch) of the notes of the highest voice."""
    top = voices(score)[0]
    notes = note_arrays(top)
    return list(zip(notes["time"].tolist(), note_ends(top).tolist(), notes["pitch"].tolist(), strict=True))


def _top_class(chords: Chords, span: int, tops: list[tuple[float, float, int]]) -> int:
    """Return the pitch class that the highest voice has when a span ends, -1 for a rest."""
    end = float(chords.edges_beats[span + 1])
    heard = [pitch for start, stop, pitch in tops if start < end - 1e-3 and stop >= end - 1e-3]
    return max(heard) % 12 if heard else -1

