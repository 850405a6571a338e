"""Expression: a score as a player would shape it, with phrases, fermatas, a slowing end and human timing.

The shapes are simple rules of performance (Todd 1992, "The dynamics of dynamics": phrases swell and fade;
Friberg, Bresin and Sundberg 2006, "Overview of the KTH rule system": phrase arch, final ritard), in amounts
one can choose.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.score import (
    CLOSE_BEATS,
    DEFAULT_TEMPO_BPM,
    FERMATA,
    PHRASE_END,
    Score,
    Tempo,
    Track,
    bars,
    copy_score,
    length_beats,
    note_arrays,
    note_ends,
    set_notes,
)

PHRASE_BARS = 4
"""Length of a phrase where the score marks none."""
DB_PER_VELOCITY = 40.0
"""Loudness follows the square of the velocity: dB = 40 log10(velocity ratio), as in SoundFonts."""
RITARDANDO_BEATS = 4.0
_RITARDANDO_STEPS = 8

Floats = npt.NDArray[np.float64]
Stretch = tuple[float, float, float]
"""(start_beats, end_beats, factor): from start to end the tempo is multiplied by the factor."""


def expression(score: Score, *, seed: int = 0, phrase_db: float = 4.0, timing_seconds: float = 0.006,
               fermata: float = 1.7, ritardando: float = 0.25) -> Score:
    """Return the score with phrase dynamics, held fermatas, slight timing spread and a slowing end.

    Notes keep their pitches and their order within a voice; no note starts before beat 0 or gets shorter than
    half of its length. Written timing can be had back: only the tempo map slows, the beats stay the beats.

    Args:
        score: what is written.
        seed: of the timing spread; same seed, same result.
        phrase_db: how much louder the middle of a phrase is than its ends.
        timing_seconds: standard deviation of the starts of each voice, at most two of them away.
        fermata: how many times longer a chord under a fermata lasts; a short breath follows it. 1 = not
            longer.
        ritardando: how much slower the last beat is than the tempo, 0 = not at all, 0.25 = by a quarter.

    Raises:
        BadInput: an amount outside its range.
    """
    if not (0.0 <= phrase_db <= 24.0 and 0.0 <= timing_seconds <= 0.1):
        raise BadInput("phrase_db is between 0 and 24, timing_seconds between 0 and 0.1")
    if not (1.0 <= fermata <= 5.0 and 0.0 <= ritardando <= 0.8):
        raise BadInput("fermata is between 1 and 5, ritardando between 0 and 0.8")
    played = copy_score(score)
    if not any(len(track.notes) for track in played.tracks):
        return played
    held = _held(score)
    stretches: list[Stretch] = [(start, end, 1.0 / fermata) for start, end in held] if fermata > 1.0 else []
    if ritardando > 0.0:
        stretches += _slowing(length_beats(score), ritardando, [start for start, _ in held])
    played.tempos = type(played.tempos)(_tempo_map(score, stretches))
    phrase_ends = np.array(phrases(score))
    rng = np.random.default_rng(seed)
    for track in played.tracks:
        if len(track.notes):
            _shape(track, score, phrase_ends, held if fermata > 1.0 else [], rng, phrase_db, timing_seconds)
    return played


def phrases(score: Score) -> list[float]:
    """Return where the phrases of a score end, in beats; the last end is the end of the piece.

    Phrase-end markers and the ends of fermatas; where there are neither, every `PHRASE_BARS` bars.
    """
    end = length_beats(score)
    ends = [event.time for event in score.markers if event.text == PHRASE_END] + [stop for _, stop in _held(score)]
    if not ends:
        ends = [bar.end_beats for bar in bars(score) if bar.index and bar.index % PHRASE_BARS == 0]
    found: list[float] = []
    for time in sorted({*map(float, ends), float(end)}):
        if CLOSE_BEATS < time <= end + CLOSE_BEATS and (not found or time - found[-1] > CLOSE_BEATS):
            found.append(time)
    return found


def _held(score: Score) -> list[tuple[float, float]]:
    """Return (start, end) in beats of the chords under fermatas, in order and apart."""
    spans: list[tuple[float, float]] = []
    for time in sorted({float(event.time) for event in score.markers if event.text == FERMATA}):
        ends = [float(stop) for track in score.tracks if not track.is_drum and len(track.notes)
                for start, stop in zip(note_arrays(track)["time"], note_ends(track), strict=True)
                if start <= time + CLOSE_BEATS and stop > time + CLOSE_BEATS]
        if ends and (not spans or time >= spans[-1][1] - CLOSE_BEATS):
            spans.append((time, min(max(ends), time + 8.0)))
    return spans


def _slowing(end: float, amount: float, held: Sequence[float]) -> list[Stretch]:
    """Return the final ritardando as steps; it stops where a final fermata begins, slow by itself."""
    last = next((start for start in held if start > end - RITARDANDO_BEATS), end)
    start = max(last - RITARDANDO_BEATS, 0.0)
    edges = np.linspace(start, last, _RITARDANDO_STEPS + 1)
    return [(float(low), float(high), 1.0 - amount * (step + 1) / _RITARDANDO_STEPS)
            for step, (low, high) in enumerate(itertools.pairwise(edges)) if high > low]


def _tempo_map(score: Score, stretches: Sequence[Stretch]) -> list[Tempo]:
    """Return the tempos of the score with the stretches multiplied in."""
    base = sorted((float(tempo.time), float(tempo.qpm)) for tempo in score.tempos)
    if not base or base[0][0] > 0.0:
        base.insert(0, (0.0, DEFAULT_TEMPO_BPM))
    times = [time for time, _ in base]
    edges = sorted({*times, *(edge for low, high, _ in stretches for edge in (low, high))})
    tempos: list[Tempo] = []
    for time in edges:
        bpm = base[bisect.bisect_right(times, time) - 1][1]
        for low, high, factor in stretches:
            if low <= time < high:
                bpm *= factor
        if not tempos or abs(tempos[-1].qpm - bpm) > 1e-6 or time in times:
            tempos.append(Tempo(time, qpm=bpm))
    return tempos


def _shape(track: Track, score: Score, phrase_ends: Floats, held: Sequence[tuple[float, float]],
           rng: np.random.Generator, phrase_db: float, timing_seconds: float) -> None:
    """Give one track its dynamics and timing, in place."""
    arrays = note_arrays(track)
    starts, ends = arrays["time"].astype(np.float64), note_ends(track)
    level_db = phrase_db * (_arch(starts, phrase_ends) - 0.5)
    louder = arrays["velocity"] * 10.0 ** (level_db / DB_PER_VELOCITY)
    velocity = np.where(arrays["velocity"] > 0, np.clip(np.rint(louder), 1, 127), 0)
    onsets, place = np.unique(starts, return_inverse=True)
    moved = onsets + _spread(onsets, score, rng, timing_seconds)
    new_starts = moved[place]
    # an end moves with the start nearest to it, so that legato stays legato
    new_ends = ends + np.interp(ends, onsets, moved - onsets)
    for _, stop in held:  # the breath: the chord stops a little before its end
        new_ends = np.where(np.abs(ends - stop) < CLOSE_BEATS, np.minimum(new_ends, stop - 0.06 * (ends - starts)),
                            new_ends)
    length = np.maximum(new_ends - new_starts, 0.5 * (ends - starts))
    changed: dict[str, Any] = dict(arrays, time=new_starts, duration=length, velocity=velocity)
    set_notes(track, changed)


def _arch(times: Floats, phrase_ends: Floats) -> Floats:
    """Return 0..1 for each time: 0 at the ends of its phrase, 1 a little after its middle."""
    edges = np.concatenate([[0.0], phrase_ends])
    phrase = np.clip(np.searchsorted(edges, times + CLOSE_BEATS, side="right") - 1, 0, len(edges) - 2)
    length = np.maximum(edges[phrase + 1] - edges[phrase], CLOSE_BEATS)
    position = np.clip((times - edges[phrase]) / length, 0.0, 1.0)
    arch: Floats = np.sin(np.pi * position ** 1.2)
    return arch


def _spread(onsets: Floats, score: Score, rng: np.random.Generator, timing_seconds: float) -> Floats:
    """Return how far each start moves, in beats: Gaussian, in order, never below beat 0."""
    drawn = np.clip(rng.normal(0.0, 1.0, len(onsets)), -2.0, 2.0) * timing_seconds
    times = np.array([0.0, *(float(tempo.time) for tempo in score.tempos)])
    speeds = np.array([DEFAULT_TEMPO_BPM, *(float(tempo.qpm) for tempo in score.tempos)])
    shift = drawn * speeds[np.searchsorted(times, onsets + CLOSE_BEATS, side="right") - 1] / 60.0
    room = 0.4 * np.diff(onsets, prepend=-np.inf, append=np.inf)
    shift = np.clip(shift, -room[:-1], room[1:])
    moved: Floats = np.maximum(shift, -onsets)
    return moved
