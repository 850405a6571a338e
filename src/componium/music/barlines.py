"""From the bars that a notation file writes to time signatures: pickup and irregular bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from componium.music.score import CLOSE_BEATS, Score, TimeSignature, bar_beats, meter, set_pickup


def with_bars(score: Score, starts: Sequence[float], last_length: float,
              meters: Mapping[float, tuple[int, int]]) -> Score:
    """Return the score with its pickup, and with meter changes where the written bars are irregular.

    Two bars that make one together, as on both sides of a repeat sign, count as one; so does a short last bar.

    Args:
        score: has the written meters as time signatures.
        starts: where each written bar starts, in beats.
        last_length: length of the last bar in beats.
        meters: the written meters: time -> (numerator, denominator).
    """
    lengths = [*(later - start for start, later in pairwise(starts)), last_length]
    if len(starts) < 2 or min(lengths[:-1], default=0.0) <= 0:
        return score
    nominal = bar_beats(*meter(score))
    first = 0
    if lengths[0] < nominal - CLOSE_BEATS and _has_meter(lengths[0]):
        score, first = set_pickup(score, lengths[0]), 1
    place, current = first, meter(score)
    while place < len(lengths) - 1:
        current = meters.get(starts[place], current)
        nominal, length = bar_beats(*current), lengths[place]
        pair = length + lengths[place + 1]
        if abs(length - nominal) < CLOSE_BEATS:
            place += 1
        elif abs(pair - nominal) < CLOSE_BEATS or (place + 2 == len(lengths) and pair < nominal):
            place += 2
        else:
            _irregular_bar(score, starts[place], length, current, back=starts[place + 1] not in meters)
            place += 1
    return score


def _irregular_bar(score: Score, start: float, length: float, usual: tuple[int, int], *, back: bool) -> None:
    """Give one bar a meter of its own, in place."""
    if not _has_meter(length):
        return
    signatures = [s for s in score.time_signatures if abs(s.time - start) > CLOSE_BEATS]
    signatures.append(TimeSignature(start, *_meter_of(length)))
    if back:
        signatures.append(TimeSignature(start + length, *usual))
    signatures.sort(key=lambda event: float(event.time))
    score.time_signatures.clear()
    for event in signatures:
        score.time_signatures.append(event)


def _has_meter(length: float) -> bool:
    return length > 0 and abs(length * 16 - round(length * 16)) < CLOSE_BEATS


def _meter_of(length: float) -> tuple[int, int]:
    denominator = next(d for d in (4, 8, 16, 32, 64) if abs(length * d / 4 - round(length * d / 4)) < CLOSE_BEATS)
    return round(length * denominator / 4), denominator
