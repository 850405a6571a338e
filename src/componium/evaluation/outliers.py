"""Outliers: pieces and recordings of a set that are unlike the others, and by which figure.

Conventions.

- A figure that can take many values is far out when it lies more than 3 interquartile ranges beyond the quartiles
  (Tukey, Exploratory Data Analysis, 1977: "far out"). Figures that grow in proportion (length, density) are compared
  by their logarithm. A set that hardly varies has a smallest range, so that a difference nobody would mind is none.
- A figure that counts faults (notes that no piano has, clipping) is told wherever there is one, unless more than a
  quarter of the set has it: then it belongs to the set, and only the far out ones are told.
- A figure that names a kind (sample rate, number of voices) is told where less than a twentieth of the set has that
  value and more than half has another one.
- Quartiles of fewer than 8 items mean nothing: then only faults are told.
- A figure that is not defined is NaN and never out; a recording that cannot be read has none.
- Times of scores are in quarter notes (beats). The figures of recordings are taken in `recordings`.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.score import Score, bars, length_beats, note_arrays, note_ends
from componium.music.theory import key_of

FAR_OUT = 3.0
"""Interquartile ranges beyond the quartiles."""
FEWEST = 8
"""Items that a set needs for quartiles."""
COMMON_FAULT, RARE_KIND, USUAL_KIND = 0.25, 0.05, 0.5
PIANO = (21, 108)
"""Lowest and highest pitch of a piano, in MIDI numbers."""
SILENT_DB = -60.0
"""Silence of a recording, in dBFS."""
FULL_SCALE = 0.9985
"""What counts as the end of the range: within two steps of 10 bits, whatever the file rounded."""
LONGEST_BEATS = 100_000
"""Bars of longer scores are not counted: their length is a mistake, and told as such."""
_FINE = 1 / 48  # of a beat: holds 16ths, 32nds and triplets of them

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of an item.

    Attributes:
        name: key in what `score_figures` and `recordings.recording_figures` return.
        unit: for people.
        help: one line: what it tells.
        kind: ``"size"`` (compared with the quartiles), ``"ratio"`` (the same by its logarithm), ``"fault"`` or
            ``"name"`` (a value such as a sample rate).
        least: the smallest interquartile range, in the unit; for a ratio, in octaves (1 = twice as much); for a
            fault, what may be there without being told.
        decimals: that are worth reading.
        above: in plain words, what an item is whose figure is far out above, or a fault; empty = the figure says it.
        below: the same for one that is far out below.
    """

    name: str
    unit: str
    help: str
    kind: str = "size"
    least: float = 0.0
    decimals: int = 0
    above: str = ""
    below: str = ""


SCORE_FIGURES: tuple[Figure, ...] = (
    Figure("length", "beats", "from the start to the end of the last note, in quarter notes", "ratio", 0.3, 1),
    Figure("notes", "notes", "how many notes there are", "ratio", 0.4),
    Figure("density", "notes per beat", "notes in all voices together, by the length", "ratio", 0.5, 2),
    Figure("range", "semitones", "from the lowest to the highest note", "size", 4.0),
    Figure("longest_note", "beats", "how long the longest note lasts: a note that was never ended is long", "ratio",
           0.8, 2),
    Figure("silence", "share", "of the length in which nothing sounds", "size", 0.04, 3),
    Figure("key_clearness", "correlation", "how far the best key is ahead of the second best: 0 is undecided", "size",
           0.06, 3),
    Figure("off_grid", "share", "of the starts that are no multiples of 1/48 beat: played, not written", "fault",
           0.01, 3),
    Figure("empty_bars", "bars", "in which nothing sounds", "fault"),
    Figure("notes_out_of_range", "notes", "below or above a piano", "fault"),
    Figure("doubled_notes", "notes", "that start together with the same pitch in the same voice", "fault"),
    Figure("voices", "voices", "tracks with notes", "name"),
)
RECORDING_FIGURES: tuple[Figure, ...] = (
    Figure("duration", "s", "how long it is", "ratio", 0.4, 2, "much longer than the others",
           "much shorter than the others"),
    Figure("loudness", "LUFS", "integrated loudness (ITU-R BS.1770)", "size", 3.0, 1, "much louder than the others",
           "much quieter than the others"),
    Figure("peak", "dBFS", "the largest sample", "size", 3.0, 1, "a much higher peak than the others",
           "a much lower peak than the others"),
    Figure("silence", "share", "of the windows of 20 ms that are below -60 dBFS", "size", 0.08, 3,
           "much more silence than the others", "much less silence than the others"),
    Figure("leading_silence", "s", "before anything sounds", "size", 0.08, 3, "it begins much later than the others",
           "it begins much earlier than the others"),
    Figure("clipped", "% of samples", "in runs of three or more at the end of the range", "fault", 0.0, 3, "clipped"),
    Figure("dc_offset", "of full scale", "how far the mean is from zero", "fault", 0.005, 4,
           "a constant offset (DC), which is no sound"),
    Figure("silent_channels", "channels", "in which there is nothing, or everything is below -60 dBFS", "fault", 0.0, 0,
           "a channel is almost silent"),
    Figure("centroid", "Hz", "the middle of the spectrum up to 8 kHz: how bright it is", "ratio", 0.3, 0,
           "much brighter than the others", "much darker than the others"),
    Figure("flatness", "dB", "of the spectrum up to 8 kHz: noise is near 0, tones far below", "size", 3.0, 1,
           "much noisier than the others", "much less noise than the others"),
    Figure("pitch_confidence", "of 1", "how surely there is a pitch where there is sound", "size", 0.1, 2,
           "a surer pitch than the others", "no pitch can be followed surely"),
    Figure("sample_rate", "Hz", "samples a second", "name", 0.0, 0, "another sample rate than the others"),
    Figure("channels", "channels", "of the file", "name", 0.0, 0, "another number of channels than the others"),
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """Why an item is an outlier.

    Attributes:
        figure: by which figure.
        value: its value.
        far: how far out, to sort by: interquartile ranges for sizes, 3 and more for the others.
        text: the same in a sentence.
        short: the same in a few words.
    """

    figure: Figure
    value: float
    far: float
    text: str
    short: str


def score_figures(score: Score) -> dict[str, float]:
    """Return the figures of a score, those of `SCORE_FIGURES`; NaN where one is not defined."""
    parts = [(note_arrays(track), note_ends(track), bool(track.is_drum)) for track in score.tracks if len(track.notes)]
    found = {figure.name: math.nan for figure in SCORE_FIGURES} | {"notes": 0.0, "voices": float(len(parts))}
    if not parts:
        return found
    starts = np.concatenate([notes["time"] for notes, _, _ in parts]).astype(np.float64)
    ends = np.concatenate([ends for _, ends, _ in parts])
    pitches = np.concatenate([notes["pitch"] for notes, _, drum in parts if not drum] or [np.zeros(0, np.int64)])
    length = length_beats(score)
    sounding = _together(starts, ends)
    found |= {
        "length": length, "notes": float(len(starts)), "density": len(starts) / length if length else math.nan,
        "longest_note": float(np.max(ends - starts)), "silence": _silence(sounding, length),
        "off_grid": float(np.mean(np.abs(starts / _FINE - np.rint(starts / _FINE)) > 0.1)),
        "empty_bars": _empty_bars(score, sounding),
        "doubled_notes": float(sum(_doubled(notes) for notes, _, _ in parts)),
    }
    if len(pitches):
        outside = np.sum((pitches < PIANO[0]) | (pitches > PIANO[1]))
        found |= {"range": float(np.ptp(pitches)), "notes_out_of_range": float(outside),
                  "key_clearness": _clearness(score)}
    return found


def outliers(rows: Sequence[Mapping[str, float]], figures: Sequence[Figure]) -> list[list[Finding]]:
    """Return the findings of each item of a set, the farthest out first.

    Args:
        rows: the figures of each item; a figure that is missing is not defined.
        figures: what is looked at.
    """
    found: list[list[Finding]] = [[] for _ in rows]
    for figure in figures:
        values = np.array([row.get(figure.name, math.nan) for row in rows], np.float64)
        for place, finding in _findings(values, figure):
            found[place].append(finding)
    return [sorted(each, key=lambda finding: -finding.far) for each in found]


def _findings(values: Floats, figure: Figure) -> list[tuple[int, Finding]]:
    known = values[np.isfinite(values)]
    if figure.kind == "name":
        return _rare(values, known, figure)
    if figure.kind == "fault":
        faulty = np.flatnonzero(np.isfinite(values) & (np.abs(values) > figure.least))
        if len(known) < FEWEST or len(faulty) <= COMMON_FAULT * len(known):
            return [(place, _fault(figure, float(values[place]))) for place in faulty.tolist()]
    return _far_out(values, known, figure)


def _far_out(values: Floats, known: Floats, figure: Figure) -> list[tuple[int, Finding]]:
    """Return the places beyond Tukey's outer fences."""
    if len(known) < FEWEST:
        return []
    low, high = (float(each) for each in np.quantile(known, (0.25, 0.75)))
    ratio = figure.kind == "ratio"
    scale = np.log2 if ratio else np.asarray
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled, bottom, top = scale(values), float(scale(low)), float(scale(high))
        least = max(figure.least, 0.0 if ratio else 10.0**-figure.decimals)
        beyond = np.maximum(bottom - scaled, scaled - top) / max(top - bottom, least, 1e-9)
    places = np.flatnonzero(np.isfinite(values) & (beyond > FAR_OUT)).tolist()
    return [(place, _beyond(figure, float(values[place]), float(beyond[place]), low, high)) for place in places]


def _beyond(figure: Figure, value: float, far: float, low: float, high: float) -> Finding:
    side = "above" if value > high else "below"
    usual = f"{told(figure, low)} to {told(figure, high)}" if told(figure, low) != told(figure, high) \
        else told(figure, low)
    how = f", {far:.1f} interquartile ranges {side}" if math.isfinite(far) else ""
    short = _short(figure, value, figure.above if value > high else figure.below)
    return Finding(figure, value, min(far, 1e6), f"{short}: the middle half of the set has {usual}{how}", short)


def _fault(figure: Figure, value: float) -> Finding:
    short = _short(figure, value, figure.above)
    text = f"{short}: {figure.help}" if figure.above else f"{short} ({figure.help})"
    return Finding(figure, value, FAR_OUT + math.log2(1 + abs(value)), text, short)


def _short(figure: Figure, value: float, words: str) -> str:
    """Return what is unlike the others: in plain words with the value behind them, where there are words."""
    return f"{words} ({phrase(figure, value)})" if words else phrase(figure, value)


def _rare(values: Floats, known: Floats, figure: Figure) -> list[tuple[int, Finding]]:
    """Return the places of names that few have, where most have one."""
    if len(known) < FEWEST:
        return []
    counts = Counter(known.tolist())
    usual, most = counts.most_common(1)[0]
    rare = {value for value, count in counts.items() if count < RARE_KIND * len(known)}
    if most <= USUAL_KIND * len(known):
        return []
    have = f"{most:,} of {len(known):,} have {told(figure, usual)}"
    return [(place, Finding(figure, value, FAR_OUT + math.log2(len(known) / counts[value]),
                            f"{(short := _short(figure, value, figure.above))}: {have}", short))
            for place, value in enumerate(values.tolist()) if value in rare]


def spoken(figure: Figure) -> str:
    """Return the name of a figure in words."""
    return figure.name.replace("_", " ")


def phrase(figure: Figure, value: float) -> str:
    """Return a figure with its value and unit: ``"length 12.0 beats"``, ``"3 voices"``."""
    name, unit = spoken(figure), "" if figure.unit == "share" else figure.unit
    if not unit or unit not in name.split():
        return f"{name} {told(figure, value)} {unit}".strip()
    return f"{told(figure, value)} {name.replace(unit, unit.removesuffix('s')) if value == 1 else name}"


def told(figure: Figure, value: float) -> str:
    """Return a value of a figure as it is read."""
    return f"{value:,.{figure.decimals}f}"


def _together(starts: Floats, ends: Floats) -> Floats:
    """Return the stretches in which anything sounds, [n, 2], in order and apart."""
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    first = np.flatnonzero(np.concatenate([[True], starts[1:] > reached[:-1] + 1e-6]))
    return np.stack([starts[first], reached[np.append(first[1:] - 1, len(starts) - 1)]], axis=1)


def _silence(sounding: Floats, length: float) -> float:
    return max(0.0, 1.0 - float(np.sum(sounding[:, 1] - sounding[:, 0])) / length) if length else math.nan


def _empty_bars(score: Score, sounding: Floats) -> float:
    if length_beats(score) > LONGEST_BEATS:
        return math.nan
    found = bars(score)
    starts = np.array([bar.start_beats for bar in found])
    ends = np.array([bar.end_beats for bar in found])
    after = np.searchsorted(sounding[:, 1], starts + 1e-6, side="right")  # first stretch that ends within or later
    begins = np.append(sounding[:, 0], np.inf)[after]
    return float(np.sum(begins >= ends - 1e-6))


def _doubled(notes: Mapping[str, npt.NDArray[np.generic]]) -> int:
    events = np.stack([np.rint(np.asarray(notes["time"], np.float64) * 960), np.asarray(notes["pitch"], np.float64)])
    return int(events.shape[1] - np.unique(events, axis=1).shape[1])


def _clearness(score: Score) -> float:
    try:
        return key_of(score)[1]
    except BadInput:  # notes without length: they weigh nothing
        return math.nan
