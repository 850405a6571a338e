"""Structure: what comes back in a piece, over how long, and how it divides into phrases.

**Structureness indicators** over 3 to 8, 8 to 15 and 15 seconds and more: Wu and Yang, "The Jazz Transformer on the
front line", ISMIR 2020: the largest fitness (`scape`) of the segments of that length; 0 means that nothing of that
length explains anything else in the piece, (n - 1)/n that the piece is n times the same. Here the self-similarity
matrix is made from the score: chroma (how long each pitch class sounds, octaves and voices added up, no dynamics, no
drums) in frames of a fraction or multiple of the beat, the nearest to half a second, so that a repetition falls on
frames again; cosine similarity, a frame of silence being like silence alone; averaged along diagonals of 4 seconds,
forwards or backwards; the best of the 12 transpositions; the highest quarter of the cells scaled to 0 to 1, the others
-2 (all as in the paper, but for its audio, its tempo changes and its smoothing over 8 seconds). Seconds follow the
tempi of the score, 120 quarter notes a minute where it states none. A piece of more than 600 frames (5 minutes) gets
frames of double length until it has no more; a figure is NaN where the piece is shorter than twice the shortest
segment, or that has less than 3 frames.

**Grooving similarity** (same paper): 1 minus the share of places in the bar (here 16th notes) where one of two bars
has an onset and the other has none, averaged over all pairs of bars, all voices and drums together; bars of the most
common length only.

**Phrases** end at the markers `PHRASE_END` and at the end of chords under a `FERMATA`. A piece without such a marker
before its last note is divided by the local boundary detection model of the melody (Cambouropoulos, ICMC 2001) at
peaks of at least 0.35: less sure than a marker, so compare like with like.

**Motifs and bars that recur**: see `motif`.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt

from componium.evaluation import scape
from componium.evaluation.measure import Measure
from componium.evaluation.motif import line_of, melody, recurrence, repeated_bars
from componium.evaluation.notes import stated_bars
from componium.music.errors import BadInput
from componium.music.score import (
    CLOSE_BEATS,
    FERMATA,
    PHRASE_END,
    Score,
    Track,
    length_beats,
    meter,
    note_arrays,
    note_ends,
    round_half_up,
    seconds_at,
)

Floats = npt.NDArray[np.float64]

MEASURES: tuple[Measure, ...] = (
    Measure("structureness_3_8", "fitness", "how well repetitions of a part of 3 to 8 seconds explain the piece"),
    Measure("structureness_8_15", "fitness", "the same for parts of 8 to 15 seconds"),
    Measure("structureness_15", "fitness", "the same for parts of 15 seconds and more"),
    Measure("grooving_similarity", "share", "how alike the onsets of two bars are, over all pairs of bars"),
    Measure("phrase_length", "beats", "mean length of the phrases, in quarter notes"),
    Measure("phrase_regularity", "share", "phrases that have the most common length, to the nearest beat"),
    Measure("motif_exact", "share", "melody notes in a motif of 5 notes that comes again as it is"),
    Measure("motif_transposed", "share", "the same, or transposed"),
    Measure("motif_varied", "share", "the same, or transposed within the key, or with one note changed"),
    Measure("repeated_bars", "share", "bars that come again as they are"),
    Measure("repeated_bars_transposed", "share", "bars that come again as they are, or transposed"),
)

SPANS_SECONDS = {"structureness_3_8": (3.0, 8.0), "structureness_8_15": (8.0, 15.0),
                 "structureness_15": (15.0, math.inf)}
FRAME_SECONDS = 0.5
MOST_FRAMES = 600
FEWEST_FRAMES = 3
SMOOTHING_SECONDS = 4.0
KEPT_SHARE = 0.25
PENALTY = -2.0
GROOVE_STEPS_PER_BEAT = 4
LBDM_WEIGHTS = (0.25, 0.5, 0.25)
"""Of intervals, times between onsets, and rests."""
LBDM_PEAK = 0.35
"""Where it agrees best with the phrases of 1,908 Essen songs: 59 % of its boundaries are right, 47 % are found."""
SHORTEST_PHRASE_BEATS = 1.0


def validate(score: Score) -> None:
    """Raise `BadInput` for a score without notes."""
    if not isinstance(score, Score):
        raise BadInput(f"{type(score).__name__} is no score: give a componium Score")
    if not any(len(track.notes) for track in score.tracks):
        raise BadInput("the score has no notes, so it has no structure: give a piece with notes")


def frame_beats(score: Score) -> float:
    """Return the length of a chroma frame: a beat times a power of two, near half a second, at most 600 in all.

    The beat is a quarter note, or three eighths where the meter counts by three eighths.
    """
    numerator, denominator = meter(score)
    beat = 1.5 if denominator >= 8 and numerator % 3 == 0 else 1.0
    length = length_beats(score)
    seconds = max(float(seconds_at(score, length)), 1e-6)
    frame = beat * 2.0 ** round(math.log2(FRAME_SECONDS * length / seconds / beat))
    while length / frame > MOST_FRAMES:
        frame *= 2.0
    return frame


def chroma(score: Score, frame: float) -> Floats:
    """Return the chroma of a score, [frames, 13]: of length 1; the last column is 1 where all is silent.

    Args:
        score: a piece with notes.
        frame: length of a frame in beats.
    """
    count = max(1, math.ceil(length_beats(score) / frame - CLOSE_BEATS))
    table = np.zeros((count + 1, 13))
    for track in score.tracks:
        if track.is_drum or not len(track.notes):
            continue
        classes = note_arrays(track)["pitch"].astype(np.int64) % 12
        for times, sign in ((note_arrays(track)["time"].astype(np.float64), 1.0), (note_ends(track), -1.0)):
            place = np.clip((times / frame).astype(np.int64), 0, count)
            # a note sounds from its start: in the rest of that frame, and (cumulative) in all later ones
            np.add.at(table, (place, classes), sign * (place + 1 - times / frame))
            np.add.at(table, (np.minimum(place + 1, count), classes), sign * (times / frame - place))
    features = np.cumsum(table, axis=0)[:count]
    norms = np.linalg.norm(features, axis=1)
    sounding = norms > CLOSE_BEATS
    features[sounding] /= norms[sounding, None]
    features[~sounding] = 0.0
    features[:, 12] = ~sounding
    return features


def similarity(features: Floats, smoothing: int) -> Floats:
    """Return the enhanced self-similarity matrix [N, N] of a chroma sequence: at most 1, ones on the diagonal.

    Args:
        features: [N, 13] of `chroma`.
        smoothing: frames of the average along diagonals, at least 1.
    """
    best = np.full((len(features), len(features)), -np.inf)
    for semitones in range(12):
        moved = features.copy()
        moved[:, :12] = np.roll(features[:, :12], semitones, axis=1)
        np.maximum(best, _smoothed(features @ moved.T, smoothing), out=best)
    threshold, highest = float(np.quantile(best, 1.0 - KEPT_SHARE)), float(best.max())
    scaled = (best - threshold) / (highest - threshold) if highest - threshold > 1e-9 else np.ones_like(best)
    enhanced = np.where(best >= threshold - 1e-12, np.clip(scaled, 0.0, 1.0), PENALTY)
    np.fill_diagonal(enhanced, 1.0)
    return enhanced


def _smoothed(similar: Floats, frames: int) -> Floats:
    """Return the mean along each diagonal over the next, or the last, ``frames``, whichever is larger.

    Beyond the edge there is nothing: zeros.
    """
    size = len(similar)
    padded = np.zeros((size + 2 * frames, size + 2 * frames))
    padded[frames:frames + size, frames:frames + size] = similar
    ahead = np.zeros_like(similar)
    behind = np.zeros_like(similar)
    for step in range(frames):
        later, earlier = slice(frames + step, frames + step + size), slice(frames - step, frames - step + size)
        ahead += padded[later, later]
        behind += padded[earlier, earlier]
    return np.asarray(np.maximum(ahead, behind) / frames)


def structureness(score: Score) -> dict[str, float]:
    """Return the structureness indicators over `SPANS_SECONDS`; NaN where they are not defined (see above)."""
    found = dict.fromkeys(SPANS_SECONDS, float("nan"))
    length = length_beats(score)
    if length <= 0.0 or all(track.is_drum or not len(track.notes) for track in score.tracks):
        return found
    frame, seconds = frame_beats(score), float(seconds_at(score, length))
    rate_hz = length / frame / seconds
    matrix: Floats | None = None
    for name, (low, high) in SPANS_SECONDS.items():
        shortest = math.ceil(low * rate_hz - 1e-6)
        if seconds < 2.0 * low or shortest < FEWEST_FRAMES:
            continue
        if matrix is None:
            matrix = similarity(chroma(score, frame), max(1, round(SMOOTHING_SECONDS * rate_hz)))
        longest = math.floor(min(high * rate_hz + 1e-6, len(matrix)))
        found[name] = scape.largest_fitness(matrix, shortest, longest)
    return found


def grooving_similarity(score: Score, *, steps_per_beat: int = GROOVE_STEPS_PER_BEAT) -> float:
    """Return the mean over all pairs of bars of 1 - XOR of their onsets; NaN below two bars or without a meter."""
    known = stated_bars(score)
    lengths = Counter(round(bar.end_beats - bar.start_beats, 3) for bar in known)
    if not lengths:
        return float("nan")
    common = min(lengths, key=lambda length: (-lengths[length], -length))
    rows = [bar for bar in known if round(bar.end_beats - bar.start_beats, 3) == common]
    width = max(1, math.ceil(common * steps_per_beat - CLOSE_BEATS))
    if len(rows) < 2:
        return float("nan")
    starts = np.array([bar.start_beats for bar in rows])
    onsets = np.zeros((len(rows), width), bool)
    for track in score.tracks:
        if not len(track.notes):
            continue
        times = round_half_up(note_arrays(track)["time"].astype(np.float64) * steps_per_beat) / steps_per_beat
        place = np.searchsorted(starts, times + CLOSE_BEATS, side="right") - 1
        step = np.floor((times - starts[place]) * steps_per_beat + CLOSE_BEATS).astype(np.int64)
        inside = (place >= 0) & (step < width)
        onsets[place[inside], step[inside]] = True
    having = onsets.sum(0)
    pairs = len(rows) * (len(rows) - 1) / 2
    return float(1.0 - np.sum(having * (len(rows) - having)) / (pairs * width))


def phrase_ends(score: Score) -> Floats:
    """Return where the phrases end, in beats, rising, the last one at the end of the last note; see above."""
    line = melody(score)
    if not len(line.notes):
        return np.zeros(0)
    end = length_beats(score)
    first, last = float(line.notes[0].time), float(max(note.time for note in line.notes))
    marked = np.array(sorted(_marked_ends(score, line)))
    inner = marked[(marked > first + CLOSE_BEATS) & (marked <= last + CLOSE_BEATS)]
    if not len(inner):
        inner = lbdm_boundaries(line)
    kept: list[float] = []
    for place in [*inner.tolist(), end]:
        if kept and place - kept[-1] < SHORTEST_PHRASE_BEATS - CLOSE_BEATS:
            kept.pop()
        kept.append(place)
    return np.array(kept)


def _marked_ends(score: Score, line: Track) -> list[float]:
    """Return the phrase ends that markers state; a fermata's chord ends with the melody's note."""
    starts, ends = note_arrays(line)["time"].astype(np.float64), note_ends(line)
    found = []
    for event in score.markers:
        if event.text == PHRASE_END:
            found.append(float(event.time))
        elif event.text == FERMATA:
            sounding = np.flatnonzero((starts <= event.time + CLOSE_BEATS) & (ends > event.time + CLOSE_BEATS))
            found += ends[sounding[-1:]].tolist()
    return found


def lbdm_boundaries(line: Track, *, peak: float = LBDM_PEAK) -> Floats:
    """Return the onsets, in beats, of the notes before which the local boundary detection model hears a boundary.

    Cambouropoulos, "The local boundary detection model (LBDM) and its application in the study of expressive timing",
    ICMC 2001. A boundary is a local maximum of the strength of at least ``peak``; the strength is at most 1.
    """
    arrays = note_arrays(line)
    starts = arrays["time"].astype(np.float64)
    if len(starts) < 4:
        return np.zeros(0)
    profiles = (np.abs(np.diff(arrays["pitch"].astype(np.float64))), np.diff(starts),
                np.maximum(0.0, starts[1:] - note_ends(line)[:-1]))
    strength = np.sum([weight * _change(profile) for weight, profile in zip(LBDM_WEIGHTS, profiles, strict=True)],
                      axis=0)
    before, after = np.concatenate([[-1.0], strength[:-1]]), np.concatenate([strength[1:], [-1.0]])
    return np.asarray(starts[1:][(strength >= peak) & (strength > before) & (strength >= after)])


def _change(profile: Floats) -> Floats:
    """Return the strength of each interval of a profile: its size times its change to both neighbours, at most 1."""
    together = profile[1:] + profile[:-1]
    degree = np.abs(np.diff(profile)) / np.where(together > CLOSE_BEATS, together, 1.0)
    strength = profile * (np.concatenate([[0.0], degree]) + np.concatenate([degree, [0.0]]))
    return np.asarray(strength / max(float(strength.max()), 1e-12))


def phrases(score: Score) -> tuple[float, float]:
    """Return (mean length in beats, share of phrases of the most common length, to the nearest beat).

    The first phrase begins with the first note. NaN for both without a melody, for the second below two phrases.
    """
    ends = phrase_ends(score)
    if not len(ends):
        return float("nan"), float("nan")
    begin = min(float(note.time) for note in melody(score).notes)
    lengths = np.diff(np.concatenate([[begin], ends]))
    if len(lengths) < 2:
        return float(lengths.mean()), float("nan")
    return float(lengths.mean()), float(np.unique(round_half_up(lengths), return_counts=True)[1].max() / len(lengths))


def evaluate(score: Score) -> dict[str, float]:
    """Return all `MEASURES` of a piece; NaN where one is not defined. Raises `BadInput` for a piece without notes."""
    validate(score)
    length, regularity = phrases(score)
    motifs = recurrence(*line_of(melody(score)))
    no_bars = {"exact": float("nan"), "transposed": float("nan")}
    again = repeated_bars(score) if len(score.time_signatures) else no_bars
    return {
        **structureness(score),
        "grooving_similarity": grooving_similarity(score),
        "phrase_length": length,
        "phrase_regularity": regularity,
        **{f"motif_{kind}": share for kind, share in motifs.items()},
        "repeated_bars": again["exact"],
        "repeated_bars_transposed": again["transposed"],
    }
