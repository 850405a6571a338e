"""Instrument: how notes sound: how they begin, swing, follow one another, how breathy and how loud they are.

Conventions.

- A sound is one voice, with its `Curves`: pitch, confidence and A-weighted loudness, frame by frame, by the tracker of
  the model that is judged. Frame k is centred on sample ``first_sample + k * hop_samples``.
- Frames are of notes where confidence is at least 0.5 and loudness at most 45 dB below the 98th percentile. A note
  ends where they end, where its pitch (a running median over 0.2 s, about a period of vibrato) has left its median by
  80 cents for three frames, or where loudness rises by more than 6 dB within 50 ms. Notes last 0.1 s at least; what
  is shorter between two (a glide) goes to both.
- ``attack_ms`` is the time from 10 to 90 % of the highest amplitude within 0.5 s from a note's beginning (DIN-like
  rise time; Peeters and others, The Timbre Toolbox, JASA 2011). The amplitude is the root mean square under a Hann
  window of 20 ms, every millisecond: a step takes 12 ms. Only notes after 50 ms or more without a note count.
- ``vibrato_cents`` is half of the peak-to-peak swing, ``vibrato_hz`` its rate: of notes of 0.5 s or more, without
  their outermost 0.1 s and their trend, the strongest line of the spectrum (Hann window) from 3 to 9 Hz. The rate is
  the median of notes with 5 cents or more.
- ``transition_cents``: where one note follows another within 50 ms, the mean distance of pitch from the nearer of the
  two notes' medians, in the 80 ms before and after the change. A step has 0; an even glide over 160 ms a quarter of
  the interval.
- ``breath_db``: the power beside the harmonics by all power, frame by frame (Blackman window of 64 ms or the next power
  of two), the median over the frames of notes. Around each harmonic the window's main lobe (three bins) or 1.5 % of
  its frequency are left out, and filled up with the mean of what lies beside them, so that white noise has 0 dB. A
  steady tone has less than -50 dB; below 110 Hz there is little left beside the harmonics.
- ``dynamics_db``: from the 5th to the 95th percentile of the loudness of frames of notes.
- What a sound has no notes for is NaN; figures of several sounds pool their notes and frames.
- Played scores: `cents_off` compares pitch in the middle half of each note with the note that is written, in equal
  temperament at A 440; `loudness_of_velocities` is the median loudness in the middle half of notes by velocity.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.music.errors import BadInput

MEASURES: tuple[Measure, ...] = (
    Measure("attack_ms", "ms", "median time from 10 to 90 % of the amplitude at the beginning of notes"),
    Measure("vibrato_cents", "cents", "median swing of pitch in long notes, half of peak to peak"),
    Measure("vibrato_hz", "Hz", "its median rate, of notes that swing by 5 cents or more"),
    Measure("transition_cents", "cents", "how far pitch is from both notes where one follows another, on average"),
    Measure("breath_db", "dB", "power beside the harmonics by all power, median over frames of notes"),
    Measure("dynamics_db", "dB", "loudness of notes, from the 5th to the 95th percentile"),
)
SURE, BELOW_LOUDEST_DB = 0.5, 45.0
LEAST_NOTE_SECONDS = 0.1
NEW_PITCH_CENTS, NEW_PITCH_FRAMES = 80.0, 3
SMOOTHED_SECONDS = 0.2
RISE_DB, RISE_SECONDS = 6.0, 0.05
REST_SECONDS = 0.05
ENVELOPE_SECONDS, ENVELOPE_STEP_SECONDS = 0.02, 0.001
ATTACK_SECONDS = 0.5
LONG_NOTE_SECONDS, EDGE_SECONDS = 0.5, 0.1
VIBRATO_HZ = (3.0, 9.0)
LEAST_VIBRATO_CENTS = 5.0
TRANSITION_SECONDS = 0.08
BREATH_SECONDS = 0.064
BESIDE_BINS, BESIDE_SHARE = 3.0, 0.015

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
    """What is known of a sound: f0_hz, confidence, loudness_db [F], and where the frames lie.

    ``cut``: it is the middle of a longer sound, so that what sounds at once is no beginning.
    """

    f0_hz: Floats
    confidence: Floats
    loudness_db: Floats
    hop_samples: int
    sample_rate_hz: int
    first_sample: int = 0
    cut: bool = False

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def cents(self) -> Floats:
        """Pitch in cents above MIDI note 0."""
        return 100.0 * midi(self.f0_hz)


@dataclasses.dataclass(frozen=True)
class Note:
    """Frames ``first`` to ``last`` (not included) with one pitch, in cents; ``rested``: nothing sounds before it."""

    first: int
    last: int
    cents: float
    rested: bool


def midi(f0_hz: npt.ArrayLike) -> Floats:
    """Return note numbers of frequencies."""
    return 69.0 + 12.0 * np.log2(np.maximum(np.asarray(f0_hz, np.float64), 1e-3) / 440.0)


def validate(samples: npt.NDArray[np.floating], curves: Curves) -> None:
    """Raise `BadInput` for a sound of another shape, or curves of unequal lengths."""
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise BadInput(f"notes are heard in one channel of finite samples, not in an array of shape {samples.shape}")
    if not len(curves.f0_hz) == len(curves.confidence) == len(curves.loudness_db):
        raise BadInput(f"curves of one sound have as many frames each, not {len(curves.f0_hz)}, "
                       f"{len(curves.confidence)} and {len(curves.loudness_db)}")


def in_note(curves: Curves) -> npt.NDArray[np.bool_]:
    """Return which frames belong to notes."""
    if not len(curves.loudness_db):
        return np.zeros(0, bool)
    loudest = float(np.percentile(curves.loudness_db, 98))
    found: npt.NDArray[np.bool_] = (curves.confidence >= SURE) & (curves.loudness_db > loudest - BELOW_LOUDEST_DB)
    return found & (curves.loudness_db > -79.9)


def notes_of(curves: Curves) -> list[Note]:
    """Return the notes of a sound, in order; see the conventions."""
    mask, rate = in_note(curves), curves.frame_rate_hz
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    least, rest = max(round(LEAST_NOTE_SECONDS * rate), 2), max(round(REST_SECONDS * rate), 1)
    found: list[Note] = []
    ended = 0 if curves.cut else -rest
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start, stop in _joined(_split(curves, int(first), int(last)), least):
            found.append(Note(start, stop, float(np.median(curves.cents[start:stop])), start - ended >= rest))
            ended = stop
        ended = int(last)
    return found


def _split(curves: Curves, first: int, last: int) -> list[tuple[int, int]]:
    """Return the parts of a stretch of frames, divided where the pitch leaves, or the loudness jumps."""
    cents, starts, away = _smooth(curves.cents[first:last], curves.frame_rate_hz), [0], 0
    rise = max(round(RISE_SECONDS * curves.frame_rate_hz), 1)
    loud = curves.loudness_db[first:last]
    for k in range(1, last - first):
        level = float(np.median(cents[starts[-1]:k - away] if k - away > starts[-1] else cents[starts[-1]:k]))
        away = away + 1 if abs(cents[k] - level) > NEW_PITCH_CENTS else 0
        struck = k - starts[-1] > 2 * rise and loud[k] - loud[k - rise] > RISE_DB
        if away >= NEW_PITCH_FRAMES or struck:
            starts.append(k if struck else k - away + 1)
            away = 0
    return [(first + a, first + b) for a, b in itertools.pairwise([*starts, last - first]) if b > a]


def _joined(parts: Sequence[tuple[int, int]], least: int) -> list[tuple[int, int]]:
    """Return the parts that last long enough; frames of others (glides) go to their neighbours, half to each."""
    kept = [part for part in parts if part[1] - part[0] >= least]
    meet = [(one[1] + two[0]) // 2 for one, two in itertools.pairwise(kept)]
    edges = [parts[0][0], *meet, parts[-1][1]]
    return list(itertools.pairwise(edges)) if kept else []


def _smooth(values: Floats, frame_rate_hz: float) -> Floats:
    """Return a running median, the ends mirrored."""
    half = min(round(SMOOTHED_SECONDS * frame_rate_hz / 2), len(values) - 1)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="reflect"), 2 * half + 1)
    smooth: Floats = np.median(windows, axis=1)
    return smooth


def attacks_ms(samples: npt.NDArray[np.floating], curves: Curves, notes: Sequence[Note]) -> list[float]:
    """Return the attack time of each note that begins after a rest and rises from a tenth."""
    rate = curves.sample_rate_hz
    window = np.hanning(max(round(ENVELOPE_SECONDS * rate), 3) + 2)[1:-1]
    step, found = max(round(ENVELOPE_STEP_SECONDS * rate), 1), []
    for note in (each for each in notes if each.rested):
        begin = curves.first_sample + note.first * curves.hop_samples
        end = min(curves.first_sample + note.last * curves.hop_samples, begin + round(ATTACK_SECONDS * rate))
        before = 2 * curves.hop_samples + len(window)
        part = np.pad(samples, (before + len(window), 0))[max(begin, 0):end + before + len(window)].astype(np.float64)
        if len(part) < len(window):
            continue
        level = np.sqrt(np.convolve(np.square(part), window / window.sum(), mode="valid").clip(min=0))[::step]
        high = int(np.argmax(level >= 0.9 * level.max()))
        low = np.flatnonzero(level[:high] <= 0.1 * level.max())
        if level.max() > 0 and len(low):
            found.append(1000.0 * (high - int(low[-1])) * step / rate)
    return found


def vibratos(curves: Curves, notes: Sequence[Note]) -> list[tuple[float, float]]:
    """Return the depth in cents and the rate in Hz of each long note."""
    rate, found = curves.frame_rate_hz, []
    edge = round(EDGE_SECONDS * rate)
    for note in notes:
        part = curves.cents[note.first + edge:note.last - edge]
        if note.last - note.first >= LONG_NOTE_SECONDS * rate and len(part) > 4:
            found.append(swing(part, rate))
    return found


def swing(cents: Floats, frame_rate_hz: float) -> tuple[float, float]:
    """Return depth (half of peak to peak) and rate in Hz of the strongest swing of a curve from 3 to 9 Hz."""
    time = np.arange(len(cents)) / frame_rate_hz
    level = (cents - np.polyval(np.polyfit(time, cents, 1), time)) * np.hanning(len(cents) + 2)[1:-1]
    rates = np.arange(VIBRATO_HZ[0], min(VIBRATO_HZ[1], frame_rate_hz / 2.5) + 1e-9, 0.1)
    size = 2 * np.abs(np.exp(-2j * np.pi * rates[:, None] * time) @ level) / np.hanning(len(cents) + 2).sum()
    best = int(size.argmax())
    return float(size[best]), float(rates[best])


def transitions(curves: Curves, notes: Sequence[Note]) -> list[float]:
    """Return, for each note that follows another at once, the mean distance of pitch from the nearer of both."""
    around = max(round(TRANSITION_SECONDS * curves.frame_rate_hz), 1)
    gap, found = REST_SECONDS * curves.frame_rate_hz, []
    for one, two in itertools.pairwise(notes):
        if two.first - one.last <= gap and abs(one.cents - two.cents) > NEW_PITCH_CENTS / 2:
            part = curves.cents[max(two.first - around, one.first):min(two.first + around, two.last)]
            found.append(float(np.minimum(np.abs(part - one.cents), np.abs(part - two.cents)).mean()))
    return found


def breath_shares_db(samples: npt.NDArray[np.floating], curves: Curves) -> Floats:
    """Return the power beside the harmonics by all power, dB, of each frame of notes."""
    rate = curves.sample_rate_hz
    size = 1 << max(round(BREATH_SECONDS * rate) - 1, 1).bit_length()
    window, padded = np.blackman(size + 1)[:-1], np.pad(samples, size).astype(np.float64)
    bins, found = np.arange(size // 2 + 1), []
    for frame in np.flatnonzero(in_note(curves)):
        start = curves.first_sample + int(frame) * curves.hop_samples + size - size // 2
        if start >= 0 and start + size <= len(padded):
            power = np.square(np.abs(np.fft.rfft(padded[start:start + size] * window)))
            found.append(_breath(power, bins, curves.f0_hz[frame] * size / rate))
    return np.array([each for each in found if math.isfinite(each)])


def _breath(power: Floats, bins: npt.NDArray[np.int64], f0_bins: float) -> float:
    """Return the share of power that is not harmonic, dB; ``f0_bins`` is the fundamental, in bins."""
    number = np.rint(bins / f0_bins).astype(int)
    away = np.abs(bins - number * f0_bins)
    beside = (away > np.maximum(BESIDE_BINS, BESIDE_SHARE * number * f0_bins)) | (number == 0)
    keep = (number > 0) | (away > BESIDE_BINS)  # what is below the fundamental counts, but no offset
    counts = np.bincount(number[keep])
    quiet = np.bincount(number[keep & beside], minlength=len(counts))
    noise = np.bincount(number[keep & beside], weights=power[keep & beside], minlength=len(counts))
    if not quiet.any() or power[keep].sum() <= 0:
        return math.nan
    density = np.where(quiet > 0, noise / np.maximum(quiet, 1), noise.sum() / quiet.sum())
    return float(10 * np.log10(max((density * counts).sum() / power[keep].sum(), 1e-12)))


def evaluate(sounds: Sequence[tuple[npt.NDArray[np.floating], Curves]]) -> dict[str, float]:
    """Return every measure of `MEASURES` of several sounds together, NaN where there is none; and ``notes``."""
    attack, swings, changes, count = [], [], [], 0
    breath, loud = [np.zeros(0)], [np.zeros(0)]
    for samples, curves in sounds:
        validate(samples, curves)
        notes = notes_of(curves)
        count += len(notes)
        attack += attacks_ms(samples, curves, notes)
        swings += vibratos(curves, notes)
        changes += transitions(curves, notes)
        breath.append(breath_shares_db(samples, curves))
        loud.append(curves.loudness_db[in_note(curves)])
    level = np.concatenate(loud)
    return {
        "attack_ms": _median(attack),
        "vibrato_cents": _median([depth for depth, _ in swings]),
        "vibrato_hz": _median([rate for depth, rate in swings if depth >= LEAST_VIBRATO_CENTS]),
        "transition_cents": _median(changes),
        "breath_db": _median(np.concatenate(breath)),
        "dynamics_db": float(np.subtract(*np.percentile(level, [95, 5]))) if len(level) else math.nan,
        "notes": float(count),
    }


def cents_off(curves: Curves, written: Sequence[tuple[float, float, float]]) -> list[float]:
    """Return how far each note is from what is written, in cents: (start, end in seconds, MIDI pitch) each."""
    return [float(np.median(curves.cents[middle]) - 100.0 * pitch)
            for start, end, pitch in written if (middle := _middle(curves, start, end)).any()]


def loudness_of_velocities(curves: Curves, written: Sequence[tuple[float, float, int]]) -> list[float]:
    """Return the loudness in dB of each note: (start, end in seconds, velocity), in rising order of velocity."""
    rising = sorted(written, key=lambda note: note[2])
    return [float(np.median(curves.loudness_db[_middle(curves, start, end)])) for start, end, _ in rising]


def rising_share(values: Sequence[float]) -> float:
    """Return which share of all pairs are in rising order (1: strictly monotonic); NaN for fewer than two."""
    pairs = list(itertools.combinations(values, 2))
    return sum(low < high for low, high in pairs) / len(pairs) if pairs else math.nan


def _middle(curves: Curves, start: float, end: float) -> npt.NDArray[np.bool_]:
    """Return the frames in the middle half of a stretch of time."""
    time = (curves.first_sample + np.arange(len(curves.f0_hz)) * curves.hop_samples) / curves.sample_rate_hz
    quarter = (end - start) / 4
    found: npt.NDArray[np.bool_] = (time >= start + quarter) & (time <= end - quarter)
    return found


def _median(values: npt.ArrayLike) -> float:
    found = np.asarray(values, np.float64)
    return float(np.median(found)) if len(found) else math.nan
