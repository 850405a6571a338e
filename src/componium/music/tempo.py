"""Tempo: how fast somebody plays who follows no click, and whether a score's own tempo may be believed.

Free playing is a row of onsets in seconds. `guessed_tempo` puts them on a grid of 16ths and triplets that may give way
from note to note: a hidden Markov model, whose states are a tempo and a place in the beat. From note to note the tempo
changes a little; a note lasts as long as notes usually do, and timing scatters about it. The likeliest path (Viterbi,
IEEE Transactions on Information Theory 13, 1967) gives every note a length in beats, and so the tempo. A relative that
finds the meter too is Temperley, A Unified Probabilistic Model for Polyphonic Music Analysis, Journal of New Music
Research 38(1), 2009.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from componium.music.score import Score, note_arrays

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

USUAL_BPM = 120.0
"""The tempo where nothing tells another."""
LOWEST_BPM, HIGHEST_BPM = 40.0, 240.0
FEWEST_NOTES = 5
"""Of fewer notes no tempo is guessed: two or three times between them may be anything."""
TOGETHER_SECONDS = 0.03
"""Onsets nearer than this are one: a chord, or an ornament."""

# how often a note lasts so many twelfths of a beat: rounded from folk tunes and exercises, with room for the rest
_LENGTHS = {3: 0.12, 4: 0.10, 6: 0.34, 8: 0.03, 9: 0.05, 12: 0.27, 15: 0.005, 18: 0.06, 21: 0.005, 24: 0.06, 30: 0.005,
            36: 0.02, 42: 0.005, 48: 0.01}
_PLACES = {0: 1.0, 3: 0.3, 4: 0.5, 6: 0.6, 8: 0.5, 9: 0.3}
"""Place in the beat, in twelfths -> how readily a note starts there."""
_JITTER_SECONDS = 0.015
_STRETCH = 0.02  # of a note, beside the jitter: as a ratio
_DRIFT = 0.03  # of the tempo, from note to note: as a ratio
_PAUSE = 0.01  # the chance that a time is no note at all: a breath, a slip
_PAUSE_DENSITY = 0.25  # of its natural logarithm: such a time may be anything within a range of e^4
_PREFERENCE = 0.33  # natural logarithm of tempo: a mild preference for those around the usual one
_STEP = 0.02
_REACH = 5  # steps of tempo that one note may change


def guessed_tempo(onsets_seconds: npt.ArrayLike) -> float:
    """Return the tempo of free playing in quarter notes a minute, from 40 to 240; 120 for fewer than five onsets.

    Lengths alone do not tell the tempo: halves and quarters are eighths and quarters at half of it. Of tempi that
    explain the onsets alike, one near 120 is preferred, and the usual error is half or double the tempo.

    Measured (``tests/music/test_tempo.py``): of melodies of four bars at 60 to 200 a minute, whose onsets are off by
    15 ms (standard deviation), the answer is within 5 % for 96 of 100, also with triplets among the notes, and for 90
    of 100 where the tempo swings by 10 % every two bars. Of melodies of quarters and longer notes it is half the
    tempo for 6 of 10; of the 6/8 of jigs two thirds or double of it for 2 of 10 (the dotted quarter is taken for a
    beat), where the tempo is in quarters. It takes about a millisecond a note.

    Args:
        onsets_seconds: [notes] when the notes start, in any order. What is no number is left out.
    """
    onsets = np.sort(np.asarray(onsets_seconds, np.float64).ravel())
    onsets = onsets[np.isfinite(onsets)]
    times = np.diff(onsets[np.diff(onsets, prepend=-np.inf) > TOGETHER_SECONDS])
    if len(times) < FEWEST_NOTES - 1:
        return USUAL_BPM
    beats = _lengths(times)
    kept = beats > 0
    if not kept.any():
        return USUAL_BPM
    return float(np.clip(60.0 * beats[kept].sum() / times[kept].sum(), LOWEST_BPM, HIGHEST_BPM))


def _moves() -> list[tuple[int, int, int, float]]:
    """Return what a note may be: (number of the place where it starts, of the next one, twelfths, log of its chance).

    Triplets follow triplets until the next beat, and never the divisions by two and four.
    """
    found = []
    for first, place in enumerate(_PLACES):
        ends = {length: (place + length) % 12 for length in _LENGTHS}
        family = (0, 4, 8) if place in (4, 8) else tuple(_PLACES) if place == 0 else (0, 3, 6, 9)
        chances = {length: chance * _PLACES[ends[length]] for length, chance in _LENGTHS.items()
                   if ends[length] in family}
        found += [(first, list(_PLACES).index(ends[length]), length, float(np.log(chance / sum(chances.values()))))
                  for length, chance in chances.items()]
    return found


_MOVES = _moves()


def _lengths(times: Floats) -> Floats:
    """Return [N] how long each time between onsets is in beats on the likeliest path; 0 for a pause."""
    tempi = np.arange(np.log(LOWEST_BPM), np.log(HIGHEST_BPM), _STEP)
    change = np.asarray(-0.5 * (np.arange(-_REACH, _REACH + 1) * _STEP / _DRIFT) ** 2, np.float64)
    change -= np.log(np.exp(change).sum())
    start = np.log(np.array(list(_PLACES.values())) ** 2)
    best = start[:, None] - 0.5 * ((tempi - np.log(USUAL_BPM)) / _PREFERENCE) ** 2  # [places, tempi]
    moves, shifts = [], []  # of each note: [places, tempi] the move that led there, and the change of tempo before it
    for number, seconds in enumerate(times):
        shift = np.full(best.shape, _REACH)
        if number:
            best, shift = _drifted(best, change)
        best, move = _moved(best, tempi + np.log(seconds / 60.0), seconds)
        moves.append(move)
        shifts.append(shift)
    place, tempo = np.unravel_index(best.argmax(), best.shape)
    beats = np.zeros(len(times))
    for number in range(len(times) - 1, -1, -1):
        move = moves[number][place, tempo]
        place, _, twelfths, _ = _MOVES[move] if move < len(_MOVES) else (move - len(_MOVES), 0, 0, 0.0)
        beats[number] = twelfths / 12
        tempo = tempo + shifts[number][place, tempo] - _REACH
    return beats


def _drifted(best: Floats, change: Floats) -> tuple[Floats, Ints]:
    """Let the tempo change a little: [places, tempi] of the best way to each tempo, and from which one it came."""
    padded = np.pad(best, ((0, 0), (_REACH, _REACH)), constant_values=-np.inf)
    reached = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1, axis=1) + change
    return reached.max(axis=2), reached.argmax(axis=2)


def _moved(best: Floats, log_beats: Floats, seconds: float) -> tuple[Floats, Ints]:
    """Let a note pass: [places, tempi] of the best way to each place, and the number of the move that led there."""
    spread = np.sqrt(_STRETCH ** 2 + 2.0 * (_JITTER_SECONDS / seconds) ** 2)
    pause = best + np.log(_PAUSE * _PAUSE_DENSITY)
    reached = np.full(best.shape, -np.inf)
    move = np.zeros(best.shape, np.int64)
    reached[0], move[0] = pause.max(axis=0), len(_MOVES) + pause.argmax(axis=0)  # after a pause a beat begins
    density = {length: -0.5 * ((log_beats - np.log(length / 12)) / spread) ** 2 - np.log(spread * np.sqrt(2 * np.pi))
               for length in _LENGTHS}
    for number, (first, then, length, chance) in enumerate(_MOVES):
        told = best[first] + density[length] + chance
        better = told > reached[then]
        reached[then][better], move[then][better] = told[better], number
    return reached, move


CLICK = 0.5
"""Least concentration of onsets that were played to a click: off by less than a fifth of a step or so."""
CHANCE = 0.02
"""Of a phrase without a grid to be as concentrated; half of such phrases would lie between the steps."""
WRITTEN_BEATS = 0.006
WRITTEN_SHARE = 0.9
TRIPLET_STEPS = 12


def is_on_grid(score: Score, steps_per_beat: int = 4) -> bool:
    """Return whether the onsets lie on the grid of the score's beats, so that its stated tempo may be believed.

    They do where nearly all are on it, or on that of triplets, as a notation program writes them; and where they keep
    near it, as somebody plays to a click: the mean direction of exp(2 pi i x), x the place of an onset in steps, is
    nearer to the steps than to the middle between them, and its length is above 0.5 and above what the Rayleigh test
    expects of onsets anywhere. The first onset tells nothing, as recordings begin with it; a score of one onset has
    nothing against its tempo.
    """
    found = [note_arrays(track)["time"].astype(np.float64) for track in score.tracks if len(track.notes)]
    onsets = np.unique(np.concatenate([np.zeros(0), *found]).round(3))[1:]
    if not len(onsets):
        return True
    for steps in (steps_per_beat, TRIPLET_STEPS):
        off = np.abs(onsets * steps - np.rint(onsets * steps)) / steps
        if np.mean(off < WRITTEN_BEATS) >= WRITTEN_SHARE:
            return True
    mean = np.exp(2j * np.pi * onsets * steps_per_beat).mean()
    return bool(mean.real > 0 and abs(mean) > max(CLICK, np.sqrt(-np.log(CHANCE) / len(onsets))))
