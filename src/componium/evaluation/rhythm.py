"""Rhythm: how dense, how regular and how syncopated a piece is.

Conventions.

- Beats are quarter notes. Drums count: they are what the rhythm of much music is made of.
- Starts are rounded before bars are compared. ``groove_consistency`` is that of MusPy (Dong and others, ISMIR 2020;
  the grooving pattern is that of Wu and Yang, ISMIR 2020), on 16th notes: on the ticks of a MIDI file nearly all
  places of two bars are empty, so that any music comes to 0.999. MusPy counts an empty bar behind a piece that ends
  with a barline, and takes one bar length for the whole piece; here only the bars of the piece count, and
  neighbouring bars are compared where they are as long as each other.
- ``empty_beat_rate``: a beat is empty where no note sounds. MusPy calls a beat filled as soon as a note ends where it
  begins, and counts one more beat behind the piece; otherwise the two are equal.
- Lines are tracks; of notes that start together in one track one is taken. The time between two starts
  (inter-onset interval) is that within a line; starts and lengths are rounded to 1/24 beat. A piece that was played
  in has more different lengths than a written one: quantise it first where you compare the two.
- ``syncopation`` follows Longuet-Higgins and Lee (The rhythmic interpretation of monophonic music, Music Perception
  1(4), 1984). Every place of the bar has a weight: 0 for the barline, one less for each division below it (halves or
  thirds of the bar by the meter, beats, eighths, 16ths). A start is syncopated by w - v if its own weight is v and the
  strongest place before the next start of its line has a greater weight w; no start falls there, it is held or
  silent. The sum is divided by the number of bars and lines. A start between the 16ths (a triplet) weighs as much as
  the first division of the beat. The last note of a line counts as far as it sounds.
- A piece that states no meter has no bars: ``groove_consistency``, ``off_beat_share`` and ``syncopation`` are NaN.
- A figure that is not defined is NaN (a groove of one bar, the time between starts of a single note), never zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.evaluation.notes import Floats, Ints, Notes, check, entropy_bits, lines, sounding, stated_bars
from componium.music.score import CLOSE_BEATS, Bar, Score, round_half_up, seconds_at

MEASURES: tuple[Measure, ...] = (
    Measure("groove_consistency", "share", "how alike the starts of neighbouring bars are"),
    Measure("notes_per_beat", "notes per beat", "all voices and drums together"),
    Measure("notes_per_second", "notes per second", "the same at the tempo of the piece"),
    Measure("onsets_per_beat", "starts per beat", "moments at which anything starts: a chord is one"),
    Measure("off_beat_share", "share", "of the starts of notes: those not on a beat of the meter"),
    Measure("syncopation", "per bar", "weight of the places that notes anticipate (Longuet-Higgins and Lee)"),
    Measure("empty_beat_rate", "share", "of the beats: those in which nothing sounds"),
    Measure("mean_inter_onset", "beats", "time from one start to the next in a line, on average"),
    Measure("inter_onset_entropy", "bits", "how many different times between starts, and how evenly used"),
    Measure("mean_note_length", "beats", "how long a note lasts, on average"),
    Measure("note_length_entropy", "bits", "how many different note lengths, and how evenly used"),
)

STEPS_PER_BEAT = 4
"""Of the grooves: 16th notes."""
FINE_STEPS_PER_BEAT = 24
"""Of lengths: 32nd notes and triplets of 16ths are told apart."""


def validate(score: Score) -> None:
    """Raise `BadInput` for a score without notes, or of more than 100,000 beats."""
    check(score, drums=True)


def groove_consistency(notes: Notes, piece_bars: list[Bar], *, steps_per_beat: int = STEPS_PER_BEAT) -> float:
    """Return 1 minus the mean share of places in which two neighbouring bars differ; NaN for fewer than two bars.

    Args:
        notes: of all voices.
        piece_bars: from `componium.music.score.bars`.
        steps_per_beat: places a quarter note; figures of different resolutions cannot be compared.
    """
    edges = round_half_up([bar.start_beats * steps_per_beat for bar in piece_bars]
                          + [bar.end_beats * steps_per_beat for bar in piece_bars[-1:]])
    if len(edges) < 3:
        return float("nan")
    taken = np.zeros(int(edges[-1]) + 1, bool)
    taken[np.minimum(round_half_up(notes.starts * steps_per_beat), int(edges[-1]))] = True
    lengths = np.diff(edges)
    shares = []
    for length in np.unique(lengths[lengths > 0]):
        pairs = np.flatnonzero((lengths[:-1] == length) & (lengths[1:] == length))
        places = edges[pairs][:, None] + np.arange(length)
        shares.append((taken[places] != taken[places + length]).mean(axis=1))
    differing = np.concatenate(shares)
    return 1.0 - float(differing.mean()) if len(differing) else float("nan")


def empty_beat_rate(notes: Notes) -> float:
    """Return the share of quarter-note beats, up to the end of the last note, in which nothing sounds."""
    if not len(notes):
        return float("nan")
    count = max(1, int(np.ceil(notes.ends.max() - CLOSE_BEATS)))
    first = np.floor(notes.starts + CLOSE_BEATS).astype(np.int64)
    last = np.maximum(first, np.ceil(notes.ends - CLOSE_BEATS).astype(np.int64) - 1)
    change = np.zeros(count + 2, np.int64)
    np.add.at(change, np.minimum(first, count), 1)
    np.add.at(change, np.minimum(last + 1, count), -1)
    return float((np.cumsum(change)[:count] == 0).mean())


def onsets_per_beat(notes: Notes) -> float:
    """Return how many different starts there are a beat, up to the end of the last note; NaN without notes."""
    if not len(notes):
        return float("nan")
    return float(1 + np.sum(np.diff(notes.starts) > CLOSE_BEATS)) / float(notes.ends.max())


def inter_onsets(score: Score) -> Ints:
    """Return the times between successive starts of all lines, in 1/24 beat."""
    steps = [np.diff(round_half_up(line.starts * FINE_STEPS_PER_BEAT)) for line in lines(score, drums=True)]
    return np.concatenate([np.zeros(0, np.int64), *steps])


def note_lengths(notes: Notes) -> Ints:
    """Return the lengths of notes in 1/24 beat, at least 1."""
    return np.maximum(1, round_half_up((notes.ends - notes.starts) * FINE_STEPS_PER_BEAT))


def divisions(numerator: int, denominator: int) -> tuple[list[int], int]:
    """Return how a bar is divided down to 16th notes, and which of the divisions are above the beat.

    4/4 is divided in 2, 2, 2, 2 (two of them above the beat), 3/4 in 3, 2, 2, 6/8 in 2, 3, 2 (its beat is a dotted
    quarter note), 5/4 in 5, 2, 2.
    """
    compound = denominator >= 8 and numerator > 3 and numerator % 3 == 0
    beats = numerator // 3 if compound else numerator
    above = []
    while beats % 2 == 0 and beats > 1:
        above.append(2)
        beats //= 2
    above += [beats] if beats > 1 else []
    below = [3] if compound else []
    return above + below + [2] * max(0, int(np.log2(16 / denominator))), len(above)


def metrical_weights(bar: Bar) -> Ints:
    """Return the weight of each 16th note of a whole bar of this meter: 0 for the barline, falling by division."""
    parts, _ = divisions(bar.numerator, bar.denominator)
    size = max(1, round(bar.numerator * 16 / bar.denominator))
    weights = np.full(size, -len(parts) - 1, np.int64)
    counts = np.cumprod([1, *parts])
    for level in range(len(parts), -1, -1):  # coarser divisions last, so that they prevail
        places = np.arange(counts[level]) * size // counts[level]
        weights[places] = -level
    return weights


def beat_beats(bar: Bar) -> float:
    """Return the length of the beat of a meter in quarter notes: three eighths in 6/8, 9/8 and 12/8."""
    compound = bar.denominator >= 8 and bar.numerator > 3 and bar.numerator % 3 == 0
    return 4.0 / bar.denominator * (3 if compound else 1)


class Meter:
    """The places of a piece: [steps] weights of its 16ths, the weight of a triplet there, and its beats."""

    def __init__(self, piece_bars: list[Bar]) -> None:
        weights, triplets, self.beats = [], [], [0.0]
        for number, bar in enumerate(piece_bars):
            like = piece_bars[number + 1] if bar.index == 0 and len(piece_bars) > 1 else bar
            steps = int(round_half_up(bar.end_beats * 4)) - int(round_half_up(bar.start_beats * 4))
            whole = metrical_weights(like)
            whole = np.tile(whole, 1 + steps // len(whole))
            part = whole[len(whole) - steps:] if bar.index == 0 else whole[:steps]  # a pickup ends with the bar
            weights.append(part)
            triplets.append(np.full(steps, -divisions(like.numerator, like.denominator)[1] - 1))
            unit = beat_beats(like)
            offset = (bar.end_beats - bar.start_beats) % unit if bar.index == 0 else 0.0
            self.beats += np.arange(bar.start_beats + offset, bar.end_beats - CLOSE_BEATS, unit).tolist()
        self.weights: Ints = np.concatenate([np.zeros(0, np.int64), *weights])
        self.triplets: Ints = np.concatenate([np.zeros(0, np.int64), *triplets])


def syncopation(score: Score) -> float:
    """Return the syncopation a bar and line, by Longuet-Higgins and Lee; NaN for a score without bars."""
    piece_bars, voices = stated_bars(score), lines(score, drums=True)
    if not piece_bars or not voices:
        return float("nan")
    meter = Meter(piece_bars)
    total = sum(float(_anticipated(line, meter).sum()) for line in voices)
    return total / (len(piece_bars) * len(voices))


def _anticipated(line: Notes, meter: Meter) -> Ints:
    """Return [N] how much stronger the strongest place is that each note of a line holds over or leaves silent."""
    steps = line.starts * 4.0
    place = np.floor(steps + 4 * CLOSE_BEATS).astype(np.int64)
    inside = np.minimum(place, len(meter.weights) - 1)
    own = np.where(np.abs(steps - np.rint(steps)) < 0.1, meter.weights[np.minimum(np.rint(steps).astype(np.int64),
                                                                                 len(meter.weights) - 1)],
                   meter.triplets[inside])
    until = np.append(line.starts[1:], line.ends[-1:]) * 4.0
    first, stop = place + 1, np.minimum(np.ceil(until - 4 * CLOSE_BEATS).astype(np.int64), len(meter.weights))
    found = np.zeros(len(line), np.int64)
    for weight in range(int(meter.weights.min()), 1):
        passed = np.concatenate([[0], np.cumsum(meter.weights >= weight)])
        there = passed[np.maximum(stop, 0)] - passed[np.minimum(first, len(meter.weights))] > 0
        found = np.where(there & (stop > first), np.maximum(found, weight - own), found)
    return found


def off_beat_share(notes: Notes, beats: npt.ArrayLike) -> float:
    """Return the share of starts that fall on none of the beats (both in quarter notes); NaN without notes."""
    places: Floats = np.asarray(beats, np.float64)
    if not len(notes) or not len(places):
        return float("nan")
    after = np.minimum(np.searchsorted(places, notes.starts), len(places) - 1)
    distance = np.minimum(np.abs(places[after] - notes.starts), np.abs(places[np.maximum(after - 1, 0)] - notes.starts))
    return float((distance > 0.5 / FINE_STEPS_PER_BEAT).mean())


def evaluate(score: Score) -> dict[str, float]:
    """Return every measure of `MEASURES` by name; NaN where it is not defined for this piece."""
    notes, piece_bars, gaps = sounding(score), stated_bars(score), inter_onsets(score)
    if not len(notes):
        return dict.fromkeys((measure.name for measure in MEASURES), float("nan"))
    length, lengths = float(notes.ends.max()), note_lengths(notes)
    return {
        "groove_consistency": groove_consistency(notes, piece_bars),
        "notes_per_beat": len(notes) / length,
        "notes_per_second": len(notes) / float(seconds_at(score, length)),
        "onsets_per_beat": onsets_per_beat(notes),
        "off_beat_share": off_beat_share(notes, Meter(piece_bars).beats[1:]),
        "syncopation": syncopation(score),
        "empty_beat_rate": empty_beat_rate(notes),
        "mean_inter_onset": float(gaps.mean()) / FINE_STEPS_PER_BEAT if len(gaps) else float("nan"),
        "inter_onset_entropy": entropy_bits(np.unique(gaps, return_counts=True)[1]),
        "mean_note_length": float(lengths.mean()) / FINE_STEPS_PER_BEAT,
        "note_length_entropy": entropy_bits(np.unique(lengths, return_counts=True)[1]),
    }
