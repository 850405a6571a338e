"""From written notes to the curves of pitch and loudness that a player would draw with them.

The layer between a score and the sound, in the manner of MIDI-DDSP (Wu et al. 2022), but by rules: dynamics, attacks
and vibrato are those that were measured in the recordings, and each has a knob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.instruments.ddsp.features import SILENT_DB, Features
from componium.instruments.ddsp.learned import ONSET_SECONDS, Learned
from componium.music.errors import BadInput
from componium.music.score import Score, Track

Floats = npt.NDArray[np.float64]
BEND_SEMITONES = 2.0
LONGEST_OVERLAP_SECONDS = 0.15
"""Notes that overlap by less are played one after another, bound; others are a chord."""
MOST_LINES = 16
GLIDE_SECONDS = 0.035
"""From one bound note to the next."""
RELEASE_DB_A_SECOND = 420.0
BOUND_GAP_SECONDS = 0.03
"""Notes with a smaller gap between them are bound."""
VIBRATO_WAIT_SECONDS, VIBRATO_RISE_SECONDS = 0.25, 0.35
DRIFT_CENTS, DRIFT_DB = 3.0, 0.4
"""How much pitch and loudness of a long note wander."""
TAIL_SECONDS = 0.3
LONGEST_SECONDS = 2 * 3600.0


@dataclass(frozen=True)
class Expression:
    """The knobs of playing.

    Attributes:
        vibrato_cents: depth of the vibrato, peak; below 0: as in the recordings.
        dynamics: 1 = soft and loud lie as far apart as in the recordings; 0 = all notes alike.
        attack: 1 = notes begin as in the recordings; 0 = softly; 2 = twice as marked.
        legato: 0 = every note is set apart; 0.5 = as written; 1 = notes that follow one another are bound.
        brightness: tilt of the partials, dB an octave; 0 = as learned.
    """

    vibrato_cents: float = -1.0
    dynamics: float = 1.0
    attack: float = 1.0
    legato: float = 0.5
    brightness: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (("vibrato_cents", -1, 200), ("dynamics", 0, 3), ("attack", 0, 3), ("legato", 0, 1),
                                ("brightness", -12, 12)):
            if not low <= getattr(self, name) <= high:
                raise BadInput(f"{name}={getattr(self, name)}: {name} has to be between {low} and {high}")


@dataclass(frozen=True)
class Line:
    """Notes one after another, in seconds: [N] each."""

    start: Floats
    end: Floats
    pitch: Floats
    velocity: Floats


def lines_of(track: Track) -> list[Line]:
    """Return the notes of a track (in seconds) as lines of one note at a time; chords take several.

    Raises:
        BadInput: more than `MOST_LINES` notes sound together.
    """
    notes = track.notes.numpy()
    order = np.lexsort((-notes["pitch"].astype(int), notes["time"]))
    start = notes["time"][order].astype(np.float64).clip(min=0.0)
    end = np.maximum(start + notes["duration"][order], start + 0.02)
    lines: list[list[int]] = []
    for number in range(len(order)):
        for line in lines:
            last = line[-1]
            over = end[last] - start[number]
            if start[number] > start[last] and over <= min(LONGEST_OVERLAP_SECONDS, 0.5 * (end[last] - start[last])):
                line.append(number)
                break
        else:
            lines.append([number])
    if len(lines) > MOST_LINES:
        raise BadInput(f"{len(lines)} notes sound together in one part: this instrument plays one at a time, and at "
                       f"most {MOST_LINES} lines side by side")
    pitch, velocity = notes["pitch"][order].astype(np.float64), notes["velocity"][order].astype(np.float64)
    return [Line(start[line], end[line], pitch[line], velocity[line]) for line in lines]


def played_lines(score: Score) -> list[tuple[Line, Track]]:
    """Return all lines of a score, each with its track in seconds; drums are left out.

    Raises:
        BadInput: no notes that have a pitch, or more than two hours of them.
    """
    timed: Any = score.to("second")
    found = [(line, track) for track in timed.tracks if len(track.notes) and not track.is_drum
             for line in lines_of(track)]
    if not found:
        raise BadInput("the score has no notes to play")
    last = max(float(line.end.max()) for line, _ in found)
    if last > LONGEST_SECONDS:
        raise BadInput(f"the score lasts {last / 3600:.1f} hours; at most {LONGEST_SECONDS / 3600:g} can be played")
    return found


def folded(line: Line, learned: Learned) -> Line:
    """Return a line whose notes beyond the learned range are moved into it by octaves."""
    low, high = np.floor(learned.pitch_range[0]) - 0.5, np.ceil(learned.pitch_range[1]) + 0.5
    pitch = line.pitch.copy()
    for number, note in enumerate(pitch):
        while note < low and note + 12 <= max(high, low + 12):
            note += 12
        while note > high and note - 12 >= min(low, high - 12):
            note -= 12
        pitch[number] = note
    return Line(line.start, line.end, pitch, line.velocity)


def beyond(line: Line, learned: Learned) -> int:
    """Return how many notes lie outside the range of the recordings, by more than a whole tone."""
    low, high = learned.pitch_range
    return int(((line.pitch < low - 2) | (line.pitch > high + 2)).sum())


def curves_of(line: Line, track: Track, learned: Learned, wish: Expression, *, frame_rate_hz: float, frames: int,
              seed: int) -> Features:
    """Return the curves of a line, frame k at ``(k + 1) / frame_rate_hz`` seconds: [F]; without z."""
    time = np.arange(1, frames + 1) / frame_rate_hz
    start, end = line.start, _ends(line, wish.legato)
    note = np.clip(np.searchsorted(start, time, side="right") - 1, 0, None)  # the note that began last
    since, left = time - start[note], end[note] - time
    rng = np.random.default_rng([seed, 5])
    pitch = _glided(line, end, time) + _bends(track, time)
    cents = learned.vibrato_cents if wish.vibrato_cents < 0 else wish.vibrato_cents
    swell = np.clip((since - VIBRATO_WAIT_SECONDS) / VIBRATO_RISE_SECONDS, 0.0, 1.0)
    swell = swell * ((end - start)[note] > 2 * VIBRATO_WAIT_SECONDS) + _control(track, 1, time, 0.0) / 127.0
    swing = np.sin(2 * np.pi * learned.vibrato_hz * since)
    pitch = pitch + (cents * swell * swing + DRIFT_CENTS * _wandering(time, rng)) / 100.0
    loud = level_of(line.velocity, learned, wish)[note] + attack_of(learned, wish, since, _bound(line, end)[note])
    loud = loud + DRIFT_DB * _wandering(time, rng) - 0.15 * cents / 10.0 * swell * (swing < 0)
    loud = loud + _fader(track, time)
    loud = loud + np.minimum(left, 0.0) * RELEASE_DB_A_SECOND
    loud = np.where(time < start[0], SILENT_DB, loud)
    confidence = ((since >= 0) & (left >= 0)).astype(np.float32)
    f0 = 440.0 * 2.0 ** ((np.clip(pitch, 0.0, 127.0) - 69.0) / 12.0)
    z = np.zeros((frames, 0), np.float32)
    return Features(f0.astype(np.float32), confidence, np.clip(loud, SILENT_DB, 0.0).astype(np.float32), z)


def _ends(line: Line, legato: float) -> Floats:
    """Return where notes end: bound or set apart more than written, as the knob says."""
    following = np.append(line.start[1:], np.inf)
    end = np.minimum(line.end, following)
    if legato > 0.5:
        reach = (legato - 0.5) * 2 * 0.25  # gaps up to a quarter of a second are bridged at most
        end = np.where(following - line.end <= reach, following, end)
    elif legato < 0.5:
        end = end - (0.5 - legato) * np.minimum(end - line.start, 1.0)
    ends: Floats = np.maximum(end, line.start + 0.02)
    return ends


def _bound(line: Line, end: Floats) -> npt.NDArray[np.bool_]:
    """Return which notes begin where the one before has just ended."""
    return np.append(False, line.start[1:] - end[:-1] < BOUND_GAP_SECONDS)


def _glided(line: Line, end: Floats, time: Floats) -> Floats:
    """Return note numbers: steps, but a short glide from a bound note to the next."""
    number = np.clip(np.searchsorted(line.start, time, side="right") - 1, 0, None)
    since = time - line.start[number]
    before = line.pitch[np.maximum(number - 1, 0)]
    share = np.clip(since / GLIDE_SECONDS, 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    now = line.pitch[number]
    glided: Floats = np.where(_bound(line, end)[number], before + (now - before) * share, now)
    return glided


def level_of(velocity: float | Floats, learned: Learned, wish: Expression) -> Any:
    """Return the loudness of notes, dB: as many notes of the recordings are softer as velocities are lower."""
    share = np.clip(0.5 + (np.asarray(velocity) / 127.0 - 0.6) * wish.dynamics, 0.02, 0.98)
    return learned.loudness_at(share)


def attack_of(learned: Learned, wish: Expression, since: Floats, bound: npt.NDArray[np.bool_]) -> Floats:
    """Return how much softer or louder a note is so long after its beginning, dB."""
    if not learned.attack_db:
        return np.zeros_like(since)
    course = np.asarray(learned.attack_db)
    step = ONSET_SECONDS / len(course)
    rise = np.interp(since, np.arange(len(course)) * step, course, right=0.0)
    soft = -24.0 * np.exp(-np.maximum(since, 0.0) / 0.05)
    shaped = rise * wish.attack if wish.attack >= 1 else soft + (rise - soft) * wish.attack
    found: Floats = np.where(bound, 0.35 * np.minimum(shaped, 0.0), shaped)
    return found


def _wandering(time: Floats, rng: np.random.Generator) -> Floats:
    """Return a slow random curve with a standard deviation of about 1: five points a second, joined smoothly."""
    points = rng.standard_normal(int(time[-1] * 5) + 3)
    place = time * 5
    low = place.astype(int)
    share = place - low
    share = share * share * (3 - 2 * share)
    curve: Floats = points[low] * (1 - share) + points[low + 1] * share
    return curve


def _bends(track: Track, time: Floats) -> Floats:
    """Return pitch bend in semitones."""
    events = sorted((float(event.time), int(event.value)) for event in track.pitch_bends)
    return _steps(events, 0.0, time) / 8192.0 * BEND_SEMITONES


def _control(track: Track, number: int, time: Floats, before: float) -> Floats:
    events = sorted((float(event.time), int(event.value)) for event in track.controls if event.number == number)
    return _steps(events, before, time)


def _fader(track: Track, time: Floats) -> Floats:
    """Return what volume (7) and expression (11) ask for, dB; 0 where they are not used."""
    gain = np.zeros_like(time)
    for number in (7, 11):
        if any(event.number == number for event in track.controls):
            gain = gain + 40.0 * np.log10(np.maximum(_control(track, number, time, 100.0), 1.0) / 100.0)
    return gain


def _steps(events: list[tuple[float, int]], before: float, time: Floats) -> Floats:
    """Return the value in force at each time."""
    times = np.array([moment for moment, _ in events])
    values = np.array([before, *(float(value) for _, value in events)])
    found: Floats = values[np.searchsorted(times, time, side="right")]
    return found
