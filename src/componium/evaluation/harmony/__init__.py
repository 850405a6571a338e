"""Harmony and part-writing: what a teacher of four-part writing marks, counted so that anyone counts the same.

Conventions.

- Voices are tracks that are single lines, 2 to 8 of them, high to low (by their names, or else by their mean pitch).
  Chords written in one track are split into voices where these stay (a chorale on two staves). In other textures
  (piano, a melody over chords) nobody can follow voices: their part-writing is NaN, their chords are still judged.
- Starts and ends are rounded to a 24th of a quarter note. A performance that was played in is quantised first
  (`componium.music.score.quantise`), or hardly any two voices move together.
- The voices are cut into slices wherever one strikes or ends a note. A *chord* is a slice in which two or more voices
  sound and one strikes; a chord that is struck again counts again. A *move* is a step from a slice to the next in
  which two or more voices change their pitch. A held note does not move, nor does a repeated one.
- Nothing is counted across a phrase end (a `PHRASE_END` marker, or the end of the highest note under a `FERMATA`), nor
  across a rest in one of the voices. Drums are left out.
- The chord and the key of each beat are estimated (`chords_of`): as MIDI has no spelling, a diminished fifth and an
  augmented fourth are the same, and so are fifths and diminished sixths.
- A rate is the number of places (of two voices: each pair is one) times 100, divided by the moves, chords, notes,
  whatever its unit names. NaN where there are none of these. `faults` lists the places.

The rules of part-writing, in `leading`, are those of Kostka and Payne, Tonal Harmony, and of Aldwell and Schachter,
Harmony and Voice Leading, each stated exactly where it is computed. Bach's own rates are not zero: in 346 chorales
there are 32 parallel fifths, 0.2 in 100 moves, a quarter of them with the soprano's anticipation at a cadence (compare
Fitsioris and Conklin, Parallel successions of perfect fifths in the Bach chorales, CIM 2008).
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from componium.evaluation.harmony import leading
from componium.evaluation.harmony.cadences import AUTHENTIC, CADENCES, Cadence, cadences
from componium.evaluation.harmony.chords import DOMINANT, SILENT, SUBDOMINANT, TONIC, Chords, chords_of
from componium.evaluation.harmony.dissonance import (
    KINDS,
    TREATED,
    Dissonances,
    dissonances,
    leading_notes,
    sevenths,
)
from componium.evaluation.harmony.leading import FIFTH, OCTAVE, Found
from componium.evaluation.harmony.listing import Fault, listed
from componium.evaluation.harmony.texture import LONGEST_BEATS, Ints, Texture, texture_of
from componium.evaluation.measure import Measure
from componium.music.errors import BadInput
from componium.music.score import Score, end_beats, voices
from componium.music.voices import polyphony

__all__ = ["CADENCES", "KINDS", "MEASURES", "Cadence", "Chords", "Fault", "Texture", "cadences", "chords_of",
           "dissonances", "evaluate", "faults", "texture_of", "validate"]

MEASURES: tuple[Measure, ...] = (
    Measure("parallel_fifths", "per 100 moves", "two voices move in parallel perfect fifths", fault=True),
    Measure("parallel_octaves", "per 100 moves", "two voices move in parallel octaves or unisons", fault=True),
    Measure("contrary_fifths_and_octaves", "per 100 moves",
            "two voices move from a fifth to a fifth, or an octave to an octave, in opposite directions", fault=True),
    Measure("direct_fifths_and_octaves", "per 100 moves",
            "the outer voices move the same way to a fifth or an octave, the upper one by a leap", fault=True),
    Measure("voice_overlap", "per 100 moves", "a voice moves beyond where its neighbour just was", fault=True),
    Measure("voice_crossing", "per 100 chords", "a voice lies below one that belongs below it", fault=True),
    Measure("wide_spacing", "per 100 chords", "neighbouring upper voices are more than an octave apart", fault=True),
    Measure("out_of_range", "per 100 notes", "soprano, alto, tenor or bass leave their range", fault=True),
    Measure("forbidden_leaps", "per 100 intervals",
            "sevenths, more than an octave, unresolved tritones, augmented seconds in one voice", fault=True),
    Measure("unresolved_leading_notes", "per 100 leading notes",
            "from dominant to tonic, the leading note of an outer voice does not rise", fault=True),
    Measure("unresolved_sevenths", "per 100 sevenths", "the seventh of a chord does not fall by a step", fault=True),
    Measure("dissonant_notes", "per 100 notes", "notes outside the chord of their beat"),
    Measure("treated_dissonances", "share",
            "of the notes outside the chord: passing notes, neighbours, suspensions, anticipations, pedals"),
    Measure("suspensions", "per 100 notes", "dissonances that are prepared by the same pitch and resolved by step"),
    Measure("untreated_dissonances", "per 100 notes",
            "notes outside the chord that are neither prepared nor resolved", fault=True),
    Measure("cadences", "share", "of the phrase ends: those with an authentic, half, plagal or deceptive cadence"),
    Measure("authentic_cadences", "share", "of the phrase ends: those with an authentic cadence"),
    Measure("clear_chords", "share", "of the beats: those whose notes are those of a triad or a seventh chord"),
    Measure("diatonic_chords", "share", "of the beats: those with a clear chord of the local key"),
    Measure("strong_progressions", "share",
            "of the changes of root: down a fifth or a third, or up a second"),
    Measure("retrogressions", "per 100 dominants", "a dominant goes to a subdominant", fault=True),
    Measure("function_entropy", "bits",
            "how uncertain the next function (tonic, subdominant, dominant) is when the present one is known"),
    Measure("harmonic_rhythm", "changes per beat", "how often the chord changes, in beats of the meter"),
)
STRONG_ROOT_MOTIONS = (5, 8, 9, 1, 2)
"""Semitones up: a fifth down; a third down; a second up (Meeùs, Toward a post-Schoenbergian grammar of tonal and
pre-tonal harmonic progressions, Music Theory Online 6.1, 2000: the dominant progressions)."""


def validate(score: Score) -> None:
    """Raise `BadInput` for a score without harmony (nothing sounds, drums, a single line) or of many hours."""
    tracks = voices(score)
    if not tracks:
        raise BadInput("the score has no notes but drums, if any: harmony is measured where notes sound together")
    if end_beats(score) > LONGEST_BEATS:
        raise BadInput(f"the score lasts {end_beats(score):,.0f} beats: harmony is measured of at most "
                       f"{LONGEST_BEATS:,.0f}; cut it into pieces")
    if not any(note.duration > 0 for track in tracks for note in track.notes):
        raise BadInput("no note of the score has a length, so nothing sounds together: give notes their lengths")
    if polyphony(note for track in tracks for note in track.notes) < 2:
        raise BadInput("the score is a single line: harmony is measured where two or more notes sound together; "
                       "pitch, rhythm and structure can be measured of a melody")


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """What all measures of one score are taken from; the parts are computed when they are asked for.

    Attributes:
        score: the score.
    """

    score: Score

    @functools.cached_property
    def texture(self) -> Texture | None:
        """The voices on slices, None where no voices can be followed."""
        return texture_of(self.score)

    @functools.cached_property
    def chords(self) -> Chords:
        """Chord and key of each beat."""
        return chords_of(self.score)

    @functools.cached_property
    def dissonances(self) -> Dissonances | None:
        """The notes outside the chords, None where no voices can be followed."""
        return None if self.texture is None else dissonances(self.texture, self.chords)

    @functools.cached_property
    def cadences(self) -> list[Cadence]:
        """How the phrases end."""
        return cadences(self.score, self.chords)

    @functools.cached_property
    def found(self) -> dict[str, tuple[Found, int]]:
        """Measure that is a fault of part-writing -> (places, what they are counted on); empty without voices."""
        return {} if self.texture is None else _found(self.texture, self)


def part_writing_rates(analysis: Analysis) -> dict[str, float]:
    """Return the rates of the faults of part-writing; empty where no voices can be followed."""
    return {name: _rate(len(places), count) for name, (places, count) in analysis.found.items()}


def dissonance_rates(analysis: Analysis) -> dict[str, float]:
    """Return the measures of the notes outside the chord; see `dissonance.dissonances`."""
    names = ("dissonant_notes", "treated_dissonances", "suspensions", "untreated_dissonances")
    if analysis.texture is None or analysis.dissonances is None:
        return dict.fromkeys(names, math.nan)
    kinds, notes = analysis.dissonances.kinds, int(analysis.texture.struck.sum())
    treated = int((kinds < TREATED).sum())
    values = (_rate(len(kinds), notes), _rate(treated, len(kinds)) / 100.0,
              _rate(int((kinds == KINDS.index("suspension")).sum()), notes),
              _rate(int((kinds == KINDS.index("untreated")).sum()), notes))
    return dict(zip(names, values, strict=True))


def cadence_rates(ends: list[Cadence]) -> dict[str, float]:
    """Return the shares of phrase ends with a cadence, and with an authentic one."""
    return {"cadences": _rate(sum(end.kind != "none" for end in ends), len(ends)) / 100.0,
            "authentic_cadences": _rate(sum(end.kind in AUTHENTIC for end in ends), len(ends)) / 100.0}


def chord_rates(chords: Chords) -> dict[str, float]:
    """Return the measures of chords and their succession.

    Successions are those of chords whose root, quality or phrase differs (`Chords.changes`), within a phrase and
    without silence between. A retrogression is a dominant that a subdominant of the same local key follows; applied
    dominants are neither. The function entropy is that of the next function given the present one (Shannon, bits), over
    the successions of tonic, subdominant and dominant chords that differ in root, within one local key.
    """
    heard = chords.roots != SILENT
    starts = chords.changes
    first, then = starts[:-1], starts[1:]
    follows = (chords.phrase[first] == chords.phrase[then]) & heard[then - 1]
    first, then = first[follows], then[follows]
    last = then - 1
    motion = (chords.roots[then] - chords.roots[last]) % 12
    same_key = (chords.tonics[last] == chords.tonics[then]) & (chords.minor[last] == chords.minor[then])
    from_, to = chords.functions[last], chords.functions[then]
    known = same_key & (from_ <= DOMINANT) & (to <= DOMINANT) & (motion != 0)
    dominants = known & (from_ == DOMINANT)
    beats = int(heard.sum()) - len(np.unique(chords.phrase[heard]))
    return {
        "clear_chords": _rate(int(chords.clear.sum()), int(heard.sum())) / 100.0,
        "diatonic_chords": _rate(int((chords.clear & chords.diatonic).sum()), int(heard.sum())) / 100.0,
        "strong_progressions": _rate(int(np.isin(motion, STRONG_ROOT_MOTIONS).sum()), int((motion != 0).sum())) / 100.0,
        "retrogressions": _rate(int((dominants & (to == SUBDOMINANT)).sum()), int(dominants.sum())),
        "function_entropy": _conditional_entropy(from_[known] - TONIC, to[known] - TONIC),
        "harmonic_rhythm": _rate(len(then), beats) / 100.0,
    }


def evaluate(score: Score) -> dict[str, float]:
    """Return every measure of `MEASURES` by its name, NaN where the score has none.

    Raises:
        BadInput: what `validate` says.
    """
    validate(score)
    analysis = Analysis(score)
    values = dict.fromkeys((measure.name for measure in MEASURES), math.nan)
    values |= part_writing_rates(analysis) | dissonance_rates(analysis)
    return values | cadence_rates(analysis.cadences) | chord_rates(analysis.chords)


def faults(score: Score) -> list[Fault]:
    """Return what `evaluate` counts as faults of part-writing, each with its place, in the order of the piece.

    Crossings and wide spacings that last over several chords are one fault, from the first chord to the last.

    Raises:
        BadInput: what `validate` says.
    """
    validate(score)
    analysis = Analysis(score)
    if analysis.texture is None:
        return []
    found = {name: places for name, (places, _) in analysis.found.items()}
    assert analysis.dissonances is not None
    found["untreated_dissonances"] = analysis.dissonances.of_kind("untreated")
    return listed(score, analysis.texture, found, analysis.chords.home)


def _found(texture: Texture, analysis: Analysis) -> dict[str, tuple[Found, int]]:
    """Return the places of each fault of part-writing and what they are counted on."""
    moves, chords, notes = texture.move_count, int(texture.chords.sum()), int(texture.struck.sum())
    contrary = [leading.consecutives(texture, kind, contrary=True) for kind in (FIFTH, OCTAVE)]
    seventh_count, unresolved = sevenths(texture, analysis.chords)
    leading_count, left = leading_notes(texture, analysis.chords)
    upper_pairs = texture.pitches.shape[1] - 2
    return {
        "parallel_fifths": (leading.consecutives(texture, FIFTH), moves),
        "parallel_octaves": (leading.consecutives(texture, OCTAVE), moves),
        "contrary_fifths_and_octaves": (Found.joined(contrary), moves),
        "direct_fifths_and_octaves": (leading.direct_intervals(texture), moves),
        "voice_overlap": (leading.overlaps(texture), moves),
        "voice_crossing": (leading.crossings(texture), chords),
        "wide_spacing": (leading.wide_spacings(texture), chords if upper_pairs > 0 else 0),
        "out_of_range": (leading.out_of_range(texture), notes if texture.sung else 0),
        "forbidden_leaps": (leading.forbidden_leaps(texture, analysis.chords.home), leading.interval_count(texture)),
        "unresolved_leading_notes": (left, leading_count),
        "unresolved_sevenths": (unresolved, seventh_count),
    }


def _rate(count: int, of: int) -> float:
    return 100.0 * count / of if of else math.nan


def _conditional_entropy(first: Ints, then: Ints) -> float:
    """Return the entropy of ``then`` given ``first``, both 0..2, in bits; NaN without any."""
    if not len(first):
        return math.nan
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (first, then), 1.0)
    pairs /= pairs.sum()
    given = np.broadcast_to(pairs.sum(axis=1, keepdims=True), pairs.shape)
    some = pairs > 0.0
    return float(-(pairs[some] * np.log2(pairs[some] / given[some])).sum()) + 0.0
