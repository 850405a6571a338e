"""Copies of recordings: the same sound in another format, at another rate or level, or with another beginning.

Two steps. Candidates are found by their mel bands (`recordings.Recorded`): each frame becomes the first cepstral
coefficients of its bands without the one that tells the level, so that silence is zero and gain is nothing; two
recordings are laid over each other at every shift of 0.1 s, and the cosine of the parts that overlap is taken. Then the
sound itself is compared, up to ten seconds where it is loudest, at 8 kHz, by second differences: with one gain and one
shift, down to a part of a sample, the second one is subtracted from the first, and what is left is counted in parts of
0.2 s.

Two takes of a note look alike in their bands, and a tuned sample may have the waveform of another take for a second;
but level and phase drift, and more is left. Of 128 notes of an alto saxophone (two takes of each, tuned) no two agree
to more than 0.79, of 202 sounds of body percussion to 0.893 (two low thumps). Copies agree to 0.977 and more: 6 dB
quieter, trimmed, resampled to 8 kHz, as Vorbis, as MP3 of 96 kbit/s. As MP3 of 48 kbit/s the saxophone agrees to 0.91;
noise, which such a file replaces by other noise, to 0.6: that is not found.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.recordings import HOP_SECONDS, Recorded, excerpt, loudest, mono_at
from componium.interface import Progress, silent
from componium.music.item import Item

ALIKE = 0.85
"""Cosine of the cepstra from which on the sound itself is compared."""
LIKELY = 0.6
"""Correlation of the waveforms of two seconds from which on all is compared."""
SAME = 0.9
"""Share of the energy that has to agree for it to be the same sound."""
COEFFICIENTS = 12
FLOOR_DB = 60.0
"""What is so much below the loudest band of a recording is silence."""
SILENT_DB = -85.0
"""Level of a band below which there is silence in any recording."""
SHORTEST_OVERLAP = 0.4
"""Share of the shorter recording that has to lie over the other one, and of its energy."""
LEAST_ENERGY = 0.02
"""Share of the energy of each that has to be in what overlaps."""
LONG_SECONDS = 20.0
"""Of recordings that are longer only what changes in them is laid over each other."""
TRIED = 24
"""Of each recording so many candidates are compared by their sound, the most alike first."""
RATE = 8000
COMPARED_SECONDS, LOCATED_SECONDS, ROOM_SECONDS, PART_SECONDS = 10.0, 2.0, 2.0, 0.2
"""What is compared at most, by what it is found, how far off the frames may be, and the parts that are counted."""
SHORTEST_SECONDS = 0.02
"""What is shorter is like everything."""
HEARD_DB = 30.0
"""Parts that are quieter than the loudest by so much are not counted."""
KEPT, KEPT_SECONDS = 256, 20.0
"""So many recordings of at most so many seconds are kept while all are compared: 160 MB at most."""
_AT_ONCE = 1 << 21  # numbers of a batch of spectra

Floats = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Copy:
    """Two recordings that are the same sound.

    Attributes:
        first: place of the earlier one in the list.
        second: of the later one.
        similarity: share of the energy in which they agree, `SAME` to 1.
        later_seconds: how much later the sound begins in the second one; negative = earlier, cut off.
        louder_db: how much louder it is in the second one.
    """

    first: int
    second: int
    similarity: float
    later_seconds: float
    louder_db: float


def copies(items: Sequence[Item], found: Sequence[Recorded], progress: Progress = silent) -> list[Copy]:
    """Return the pairs of recordings that are the same sound, the most similar first.

    Args:
        items: recordings.
        found: what `recordings.examined` found of each.
        progress: called with the share done.
    """
    wanted = _best(sorted(candidates(found, progress), key=lambda each: -each[3]))
    parts, pairs = _Parts(), []
    for number, (first, second, shift, _) in enumerate(wanted):
        progress(0.3 + 0.7 * number / len(wanted), items[first].name)
        same = _compared(parts, items[first], items[second], found[first], found[second], shift)
        if same is not None and same[0] >= SAME:
            pairs.append(Copy(first, second, *same))
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


class _Parts:
    """Parts of recordings at `RATE`; short recordings are kept as a whole for a while, as they come again."""

    def __init__(self) -> None:
        self._kept: dict[int, Single] = {}

    def __call__(self, item: Item, start: float, seconds: float) -> Floats:
        """Return a part of a recording in one channel, [T]; what lies beyond its end is left out."""
        if (item.seconds or math.inf) > KEPT_SECONDS:
            return _sharpened(mono_at(excerpt(item, start, seconds), RATE)).astype(np.float64)
        key = id(item)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _sharpened(mono_at(excerpt(item, 0.0, KEPT_SECONDS), RATE))
        return self._kept[key][round(start * RATE):round((start + seconds) * RATE)].astype(np.float64)


def _sharpened(sound: Single) -> Single:
    """Return the second differences: without them a low thump outweighs all that tells two sounds apart."""
    return np.asarray(np.diff(sound, n=2, prepend=np.repeat(sound[:1], 2)), np.float32)


def candidates(found: Sequence[Recorded], progress: Progress = silent) -> Iterator[tuple[int, int, int, float]]:
    """Yield (first, second, shift, cosine) of recordings whose bands are alike: frame k of the second lies over frame
    k + shift of the first.
    """
    cepstra = [_cepstra(each) for each in found]
    order = sorted((place for place, each in enumerate(cepstra) if each.any()), key=lambda place: len(cepstra[place]))
    for number, place in enumerate(order):  # those of one length come together: little is padded
        progress(0.3 * number / len(order), "comparing spectra")
        one, at = cepstra[place], number + 1
        lying = _changing(one) if len(one) * HOP_SECONDS > LONG_SECONDS else one
        while at < len(order):
            longest = len(cepstra[order[at]])
            batch = order[at:at + max(1, _AT_ONCE // (COEFFICIENTS * (longest + len(one))))]
            laid = [cepstra[each] for each in batch]
            if len(one) * HOP_SECONDS > LONG_SECONDS:
                laid = [_changing(each) for each in laid]
            for other, (shift, cosine) in zip(batch, _laid_over(lying, laid), strict=True):
                if cosine >= ALIKE:
                    yield (place, other, shift, cosine) if place < other else (other, place, -shift, cosine)
            at += len(batch)


def _cepstra(recorded: Recorded) -> Single:
    """Return [F, `COEFFICIENTS`]; frames of silence are zero."""
    bands = recorded.bands_db.astype(np.float32)
    bands = np.maximum(bands, max(float(bands.max()) - FLOOR_DB, SILENT_DB))
    count = bands.shape[1]
    rows = np.cos(np.outer(np.arange(1, COEFFICIENTS + 1), 2 * np.arange(count) + 1) * (math.pi / (2 * count)))
    sounding = (np.ptp(bands, axis=1) > 0)[:, None]
    return np.asarray(sounding * (bands @ (rows.T * math.sqrt(2 / count))), np.float32)


def _changing(cepstra: Single) -> Single:
    """Return what is not the same all the time: it tells where a long recording lies over another one."""
    sounding = np.abs(cepstra).max(axis=1) > 0
    mean = np.asarray(cepstra[sounding].mean(axis=0), np.float32)
    return np.asarray((cepstra - mean) * sounding[:, None], np.float32)


def _laid_over(one: Single, others: Sequence[Single]) -> list[tuple[int, float]]:
    """Return the best shift and its cosine of one recording with each of others."""
    from scipy import fft

    longest = max(len(each) for each in others)
    size = fft.next_fast_len(len(one) + longest, real=True)
    padded = np.zeros((len(others), longest, COEFFICIENTS), np.float32)
    for place, each in enumerate(others):
        padded[place, :len(each)] = each
    spectra = np.conj(fft.rfft(padded, size, axis=1)) * fft.rfft(one, size, axis=0)
    products = fft.irfft(spectra.sum(axis=2), size, axis=1)
    shifts = np.arange(1 - longest, len(one))
    ends = np.array([len(each) for each in others])[:, None]
    sums = np.concatenate([np.zeros((len(others), 1)), np.cumsum(np.square(padded).sum(axis=2), axis=1)], axis=1)
    own = np.concatenate([[0.0], np.cumsum(np.square(one).sum(axis=1))])
    first, last = np.maximum(0, shifts)[None], np.clip(np.minimum(len(one), ends + shifts), 0, None)
    energy = np.where(last > first, own[last] - own[np.minimum(first, last)], 0.0)
    rows = np.arange(len(others))[:, None]
    start, stop = np.maximum(0, -shifts)[None], np.clip(np.minimum(ends, len(one) - shifts), 0, None)
    theirs = np.where(stop > start, sums[rows, stop] - sums[rows, np.minimum(start, stop)], 0.0)
    shares = energy / max(own[-1], 1e-9), theirs / np.maximum(sums[:, -1:], 1e-9)
    enough = ((stop - start >= SHORTEST_OVERLAP * np.minimum(ends, len(one)))
              & (np.maximum(*shares) >= SHORTEST_OVERLAP) & (np.minimum(*shares) >= LEAST_ENERGY))
    cosines = np.where(enough, products[:, shifts] / np.sqrt(np.maximum(energy * theirs, 1e-9)), -1.0)
    best = cosines.argmax(axis=1)
    return [(int(shifts[place]), float(row[place])) for row, place in zip(cosines, best, strict=True)]


def _best(wanted: Sequence[tuple[int, int, int, float]]) -> list[tuple[int, int, int, float]]:
    """Return the candidates that are among the best of either recording."""
    counts: dict[int, int] = {}
    kept = []
    for each in wanted:
        if min(counts.get(each[0], 0), counts.get(each[1], 0)) < TRIED:
            kept.append(each)
            for place in each[:2]:
                counts[place] = counts.get(place, 0) + 1
    return kept


def _compared(parts: _Parts, first: Item, second: Item, one: Recorded, other: Recorded,
              shift: int) -> tuple[float, float, float] | None:
    """Return how similar the sounds are, how much later the second begins and how much louder it is."""
    begin = max(0, shift)
    levels = one.levels_db[begin:min(len(one.levels_db), len(other.levels_db) + shift)]
    at = begin * HOP_SECONDS + loudest(levels, len(levels) * HOP_SECONDS, COMPARED_SECONDS)
    there = max(0.0, at - shift * HOP_SECONDS - ROOM_SECONDS)
    x, y = parts(first, at, COMPARED_SECONDS), parts(second, there, COMPARED_SECONDS + 2 * ROOM_SECONDS)
    if min(len(x), len(y)) < SHORTEST_SECONDS * RATE:
        return None
    length = round(LOCATED_SECONDS * RATE)
    halves = [0] if len(x) <= length else [max(0, len(x) // 2 - length), len(x) - max(length, len(x) // 2)]
    lag = max(_located(x[start:start + length], y, start) for start in halves)
    if lag[0] < LIKELY:
        return None
    low, high = max(0, -lag[1]), min(len(x), len(y) - lag[1])
    if high - low < SHORTEST_OVERLAP * min(len(x), len(y)):
        return None
    x, y = x[low:high], y[low + lag[1]:high + lag[1]]
    y, fine = _moved(x, y)
    gain = float(x @ y) / max(float(x @ x), 1e-12)
    return _agreement(gain * x, y), there - at + (lag[1] + fine) / RATE, 20 * math.log10(max(abs(gain), 1e-6))


def _located(part: Floats, sound: Floats, start: int) -> tuple[float, int]:
    """Return the best correlation of a part with a sound, and by how many samples it lies later than at ``start``."""
    from scipy import fft

    room = len(part) // 2
    padded = np.pad(sound, (room, room + max(0, len(part) - len(sound))))
    size = fft.next_fast_len(len(part) + len(padded), real=True)
    product = fft.rfft(padded, size) * np.conj(fft.rfft(part, size))
    sums = np.cumsum(np.concatenate([[0.0], padded * padded]))
    theirs = sums[len(part):] - sums[:-len(part)]
    sizes = np.sqrt(max(float(part @ part), 1e-12) * np.maximum(theirs, 1e-3 * theirs.max() + 1e-12))
    halves = 2 * np.abs(fft.irfft(product, 2 * size)[:2 * len(theirs)])  # between samples a period more may look better
    correlations = halves.reshape(-1, 2) / sizes[:, None]
    best = int(correlations.max(axis=1).argmax())
    return float(correlations[best].max()), best - room - start


def _moved(x: Floats, y: Floats) -> tuple[Floats, float]:
    """Return y moved by a part of a sample so that it lies best on x, and by how much it lay later."""
    from scipy import fft

    size = fft.next_fast_len(len(x) + 64, real=True)
    one, other = fft.rfft(x, size), fft.rfft(y, size)
    turns, product = 2j * np.pi * np.arange(len(one)) / size, np.conj(one) * other
    fine = 0.0
    for step in (0.25, 0.05, 0.01):
        around = [fine + step * number for number in range(-4, 5)]
        fine = max(around, key=lambda by: abs(float((product @ np.exp(turns * by)).real)))
    return np.asarray(fft.irfft(other * np.exp(turns * fine), size)[:len(y)], np.float64), float(fine)


def _agreement(x: Floats, y: Floats) -> float:
    """Return 1 less the share of the energy in which two sounds differ, the mean of parts of `PART_SECONDS`."""
    count = max(1, round(len(x) / (PART_SECONDS * RATE)))
    edges = np.linspace(0, len(x), count + 1).astype(int)[:-1]
    energy = np.maximum(np.add.reduceat(x * x, edges), np.add.reduceat(y * y, edges))
    heard = energy > energy.max() * 10.0 ** (-HEARD_DB / 10.0)
    if not heard.any():
        return 0.0
    difference = np.add.reduceat(np.square(x - y), edges)[heard] / energy[heard]
    return float(1.0 - np.minimum(difference, 1.0).mean())
