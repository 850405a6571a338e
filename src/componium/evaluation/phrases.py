"""Phrases: melodies of a few bars, and how one of them agrees with another, the call that it answers.

`answering` says what each measure counts, and what it is compared with.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.notes import Notes
from componium.evaluation.rhythm import beat_beats
from componium.music.keys import MODES, Key
from componium.music.score import (
    CLOSE_BEATS,
    Bar,
    Score,
    Track,
    bar_beats,
    bars,
    meter,
    new_score,
    note_arrays,
    note_ends,
    pickup_beats,
    round_half_up,
    set_notes,
    set_pickup,
    skyline,
    tempo_bpm,
)
from componium.music.theory import key_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEPS_PER_BEAT = 4
FINE_STEPS_PER_BEAT = 12


@dataclasses.dataclass(frozen=True)
class Phrase:
    """A melody of some bars, in beats from its first bar line; a pickup is before it.

    Attributes:
        starts, ends: [N] of the notes.
        pitches: [N] MIDI numbers.
        bar: the first full bar.
        begins, stops: of the phrase.
    """

    starts: Floats
    ends: Floats
    pitches: Ints
    bar: Bar
    begins: float
    stops: float

    def __len__(self) -> int:
        return len(self.pitches)

    @property
    def bar_count(self) -> int:
        """How many bars its notes lie in, a pickup not counted; at least one."""
        return max(1, int(np.ceil((self.stops - CLOSE_BEATS) / self.bar.end_beats)))

    @property
    def lengths(self) -> Ints:
        """[N] times to the next start, of the last note its own length, in 1/12 beat."""
        edges = np.append(self.starts, self.ends[-1:])
        return np.maximum(1, np.diff(round_half_up(edges * FINE_STEPS_PER_BEAT)))


def phrase_of(score: Score) -> Phrase:
    """Return the top line of a score as a phrase."""
    notes, pickup = Notes([skyline(score)]), pickup_beats(score)
    numerator, denominator = meter(score)
    first = Bar(1, 0.0, bar_beats(numerator, denominator), numerator, denominator)
    stops = max((bar.end_beats for bar in bars(score)), default=pickup + first.end_beats) - pickup
    return Phrase(notes.starts - pickup, notes.ends - pickup, notes.pitches, first, -pickup, stops)


def excerpt(score: Score, first_beats: float, last_beats: float, pickup: float) -> Score:
    """Return the top line between two times alone, from beat 0 on, with the tempo, the meter and the pickup told."""
    line, made = skyline(score), new_score(tempo_bpm=tempo_bpm(score), numerator=meter(score)[0],
                                           denominator=meter(score)[1])
    made = set_pickup(made, pickup)
    track = Track(line.name, line.program)
    if len(line.notes):
        notes, ends = note_arrays(line), np.minimum(note_ends(line), last_beats)
        inside = (notes["time"] >= first_beats - CLOSE_BEATS) & (notes["time"] < last_beats - CLOSE_BEATS)
        notes["duration"] = (ends - notes["time"]).astype(np.float32)
        notes["time"] = np.maximum(notes["time"] - first_beats, 0).astype(np.float32)
        set_notes(track, {name: column[inside] for name, column in notes.items()})
    made.tracks.append(track)
    return made


def scale_of(key: Key) -> set[int]:
    """Return the pitch classes of a key, with the leading note in minor."""
    steps = set(MODES[key.mode]) | ({11} if key.is_minor else set())
    return {(key.tonic_pitch_class + step) % 12 for step in steps}


def in_key(phrase: Phrase, key: Key) -> float:
    """Return the share of the notes in a key; NaN without notes."""
    return float(np.isin(phrase.pitches % 12, list(scale_of(key))).mean()) if len(phrase) else float("nan")


def metric_profile(phrase: Phrase) -> Floats:
    """Return how much of the sound begins on each 16th of the bar, [steps of a bar]; sums to 1."""
    size = max(1, int(round_half_up(phrase.bar.end_beats * STEPS_PER_BEAT)))
    found = np.zeros(size)
    np.add.at(found, round_half_up(phrase.starts * STEPS_PER_BEAT) % size, phrase.lengths)
    return np.asarray(found / max(found.sum(), 1e-9))


def meter_correlation(phrase: Phrase, call: Phrase) -> float:
    """Return the correlation of two metric profiles; NaN without notes, where one is even, or the meters differ."""
    if not len(phrase) or not len(call) or phrase.bar != call.bar:
        return float("nan")
    first, second = metric_profile(phrase), metric_profile(call)
    if first.std() < 1e-9 or second.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def on_beat(starts: Floats, bar: Bar) -> npt.NDArray[np.bool_]:
    """Return which starts are on a beat of the meter."""
    beat = beat_beats(bar)
    return np.asarray(np.abs(starts - np.rint(starts / beat) * beat) < 0.5 / FINE_STEPS_PER_BEAT)


def contour(phrase: Phrase) -> Floats:
    """Return the pitch at each 16th from the first bar line to the end of the last bar, held through rests, [steps]."""
    size = phrase.bar_count * int(round_half_up(phrase.bar.end_beats * STEPS_PER_BEAT))
    steps = round_half_up(phrase.starts * STEPS_PER_BEAT)
    place = np.searchsorted(steps, np.arange(size), side="right") - 1
    return phrase.pitches[np.maximum(place, 0)].astype(np.float64)


def lags(first: int, second: int) -> list[tuple[int, int, int]]:
    """Return how two rows of bars may lie on each other: (first bar of one, of the other, how many bars meet)."""
    found = []
    for lag in range(1 - second, first):
        one, other = max(lag, 0), max(-lag, 0)
        found.append((one, other, min(first - one, second - other)))
    return found


def contour_similarity(phrase: Phrase, call: Phrase) -> float:
    """Return how alike two contours are at the best lag, from 0 to 1; 0 without notes or in another meter."""
    if not len(phrase) or not len(call) or phrase.bar != call.bar:
        return 0.0
    size = int(round_half_up(phrase.bar.end_beats * STEPS_PER_BEAT))
    first, second = contour(phrase), contour(call)
    best, shorter = 0.0, min(phrase.bar_count, call.bar_count)
    for one, other, met in lags(phrase.bar_count, call.bar_count):
        mine, theirs = first[one * size:(one + met) * size], second[other * size:(other + met) * size]
        flat = mine.std() < 1e-9, theirs.std() < 1e-9
        told = float(all(flat)) if any(flat) else float(np.corrcoef(mine, theirs)[0, 1])
        best = max(best, told * met / shorter)
    return min(best, 1.0)


def rhythm_similarity(phrase: Phrase, call: Phrase) -> float:
    """Return how alike two rhythms are at the best lag, from 0 to 1; 0 without notes or in another meter."""
    if not len(phrase) or not len(call) or phrase.bar != call.bar:
        return 0.0
    first, second = _onsets_by_bar(phrase), _onsets_by_bar(call)
    alike = np.array([[f1(one, other) for other in second] for one in first])
    return max(float(np.sum([alike[one + n, other + n] for n in range(met)])) / min(alike.shape)
               for one, other, met in lags(*alike.shape))


def _onsets_by_bar(phrase: Phrase) -> list[set[int]]:
    size = int(round_half_up(phrase.bar.end_beats * FINE_STEPS_PER_BEAT))
    steps = round_half_up(phrase.starts * FINE_STEPS_PER_BEAT)
    return [set((steps[steps // size == bar] % size).tolist()) for bar in range(phrase.bar_count)]


def f1(first: set[Any], second: set[Any]) -> float:
    """Return the share of what two sets have in common, F1; 1 for two empty ones."""
    return 2.0 * len(first & second) / (len(first) + len(second)) if first or second else 1.0


def closure(phrase: Phrase, key: Key) -> tuple[float, float, float]:
    """Return whether the last note is stable, begins on a beat, and is long: 1.0 or 0.0 each; NaN without notes."""
    if not len(phrase):
        return (float("nan"),) * 3
    triad = {(key.tonic_pitch_class + step) % 12 for step in (0, 3 if key.is_minor else 4, 7)}
    lasts = max(phrase.stops, float(phrase.ends[-1])) - float(phrase.starts[-1])
    usual = float(np.median(phrase.lengths)) / FINE_STEPS_PER_BEAT
    return (float(int(phrase.pitches[-1]) % 12 in triad), float(on_beat(phrase.starts[-1:], phrase.bar)[0]),
            float(lasts > usual + CLOSE_BEATS))


def longest_run(phrase: Phrase) -> float:
    """Return the most notes of one pitch in a row."""
    changes = np.flatnonzero(np.diff(phrase.pitches, prepend=-1, append=-1))
    return float(np.diff(changes).max(initial=0))


def stuck(phrase: Phrase) -> bool:
    """Return whether a phrase has no note, or only one pitch."""
    return len(set(phrase.pitches.tolist())) < 2


def copied_notes(phrase: Phrase, call: Phrase) -> float:
    """Return the longest run of notes that two phrases have in common, with their pitches and lengths."""
    if not len(phrase) or not len(call):
        return 0.0
    same = ((phrase.pitches[:, None] == call.pitches) & (phrase.lengths[:, None] == call.lengths)).astype(np.int64)
    for row in range(1, len(phrase)):
        same[row, 1:] *= 1 + same[row - 1, :-1]
    return float(same.max())


def distance(first: Phrase, second: Phrase) -> float:
    """Return 1 less the share of notes, pitch and start, that two phrases have in common (F1)."""
    one, other = (set(zip(round_half_up(each.starts * FINE_STEPS_PER_BEAT).tolist(), each.pitches.tolist(),
                          strict=True)) for each in (first, second))
    return 1.0 - f1(one, other)


def key_in(phrase: Phrase) -> Key | None:
    """Return the most likely key of a phrase; None without notes."""
    score, track = new_score(), Track("Melody")
    if not len(phrase):
        return None
    set_notes(track, {"time": phrase.starts - phrase.starts[0], "duration": phrase.ends - phrase.starts,
                      "pitch": phrase.pitches, "velocity": np.full(len(phrase), 80)})
    score.tracks.append(track)
    return key_of(score)[0]


def compared(phrase: Phrase, call: Phrase, key: Key) -> dict[str, float]:
    """Return every measure of `answering_report.MEASURES` of a phrase beside a call in a key."""
    ends, own_key = closure(phrase, key), key_in(phrase)
    beats = on_beat(phrase.starts, phrase.bar)
    return {
        "in_key": in_key(phrase, key),
        "same_key": float("nan") if own_key is None else float(own_key == key),
        "meter_correlation": meter_correlation(phrase, call),
        "on_beat": float(beats.mean()) if len(phrase) else float("nan"),
        "contour": contour_similarity(phrase, call),
        "rhythm": rhythm_similarity(phrase, call),
        "closure": float(np.mean(ends)), "ends_stable": ends[0], "ends_on_beat": ends[1], "ends_long": ends[2],
        "longest_run": longest_run(phrase),
        "stuck": float(stuck(phrase)),
        "copied": copied_notes(phrase, call),
        "length": (phrase.stops - phrase.begins) / (call.stops - call.begins),
    }
