"""What a reader of notation collects, lines of notes and signs, and the score that they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from componium.music.barlines import with_bars
from componium.music.keys import Key
from componium.music.score import (
    CLOSE_BEATS,
    FERMATA,
    PHRASE_END,
    KeySignature,
    Note,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
    key_signature,
    pickup_meter,
)
from componium.music.theory import more_likely_key

Time = float | Fraction


@dataclass
class Line:
    """The notes of one voice while it is read: (start, length, pitch, velocity)."""

    name: str
    program: int = 0
    is_drum: bool = False
    notes: list[tuple[Time, Time, int, int]] = field(default_factory=list)
    open_ties: dict[int, int] = field(default_factory=dict)


@dataclass
class Reading:
    """What is collected from all parts.

    Attributes:
        lines: the voices.
        fermatas: (place of the part, start and end of the note).
        breaths: where breath marks stand.
        meters: time -> meter.
        keys: time -> (sharps, mode where the file tells it).
        tempos: time -> quarter notes a minute.
        bar_starts: where the written bars start.
        last_bar_length: length of the last one.
        ours: whether Componium wrote the file, so that nothing has to be guessed.
        pickup: length of the first bar where it is marked as one (files of ours).
        markers: (time, text) (files of ours).
    """

    lines: list[Line] = field(default_factory=list)
    fermatas: list[tuple[int, Time, Time]] = field(default_factory=list)
    breaths: set[float] = field(default_factory=set)
    meters: dict[float, tuple[int, int]] = field(default_factory=dict)
    keys: dict[float, tuple[int, str | None]] = field(default_factory=dict)
    tempos: dict[float, float] = field(default_factory=dict)
    bar_starts: list[float] = field(default_factory=list)
    last_bar_length: float = 0.0
    ours: bool = False
    pickup: float = 0.0
    markers: list[tuple[float, str]] = field(default_factory=list)


def score_of(reading: Reading) -> Score:
    """Return what was read as a score; bars that do not fit their meter become meter changes."""
    score = Score(480)
    for line in reading.lines:
        track = Track(line.name, line.program, line.is_drum)
        for start, length, pitch, velocity in sorted(line.notes, key=lambda note: (note[0], note[2])):
            track.notes.append(Note(float(start), max(float(length), 1 / 480), pitch, velocity))
        score.tracks.append(track)
    for time, (numerator, denominator) in _meters(reading):
        score.time_signatures.append(TimeSignature(time, numerator, denominator))
    if reading.bar_starts and not reading.ours:
        score = with_bars(score, reading.bar_starts, reading.last_bar_length, reading.meters)
    for time, tempo_bpm in sorted(reading.tempos.items()):
        score.tempos.append(Tempo(time, qpm=tempo_bpm))
    for event in _keys(score, reading):
        score.key_signatures.append(event)
    signs = [(time, FERMATA) for time in _fermata_times(reading.fermatas)]
    signs += [(time, PHRASE_END) for time in sorted(reading.breaths)]
    for time, text in reading.markers if reading.ours else signs:
        score.markers.append(TextMeta(time, text))
    score.markers.sort(key=lambda event: event.time, inplace=True)
    return score


def _meters(reading: Reading) -> list[tuple[float, tuple[int, int]]]:
    """Return the time signatures, with that of a pickup."""
    found = sorted(reading.meters.items())
    if not (reading.pickup and found and found[0][0] == 0.0):
        return found
    later = [each for each in found[1:] if each[0] > reading.pickup + CLOSE_BEATS]
    return [(0.0, pickup_meter(reading.pickup)), (reading.pickup, found[0][1]), *later]


def _keys(score: Score, reading: Reading) -> Iterable[KeySignature]:
    for time, (sharps, mode) in sorted(reading.keys.items()):
        if abs(sharps) > 7:
            continue
        if mode is None:
            twins = [Key.from_signature(sharps, "major"), Key.from_signature(sharps, "minor")]
            yield key_signature(more_likely_key(score, twins), time)
        else:
            yield KeySignature(time, sharps, int(mode in ("minor", "dorian", "phrygian", "aeolian")))


def _fermata_times(fermatas: list[tuple[int, Time, Time]]) -> list[float]:
    """Return the onset of each held chord: that of the highest part that has the sign."""
    times: list[float] = []
    covered: list[tuple[float, float]] = []
    for _, start, end in sorted(fermatas, key=lambda fermata: (fermata[0], float(fermata[1]))):
        if not any(float(start) < last - CLOSE_BEATS and first < float(end) - CLOSE_BEATS
                   for first, last in covered):
            times.append(float(start))
        covered.append((float(start), float(end)))
    return sorted(times)
