"""Originality: what of a piece stands, note for note, in the music that a model learned from.

Every voice of every piece is a sequence of notes (of a track that is not one line, the skyline). Two stretches of notes
are the same where their intervals in semitones and the proportions of their lengths are: another key, another octave,
another voice, another place in the bar and doubled note values do not make music new. The length of a note is the time
to the next start in its voice, in 1/24 beat, so that rests and articulation do not count; the last note of a voice is
as long as it is held.

* ``longest_copy``: the longest stretch of a voice of the piece that stands somewhere in the training set, in notes
  (n - 1 equal intervals in a row) and, the longest in time, in beats.
* ``copied_windows``: the share of windows of 4 bars, of every voice and beginning at every bar, that stand in the
  training set. ``nearly_copied_windows``: these, and those of which one note has another pitch or starts at another
  time. A window of less than 6 notes does not count.

Real music shares much with other real music: a figure means something only beside the one of held-out pieces, which
`baseline` measures with the same index.

The index is a suffix array (Manber and Myers, SIAM Journal on Computing 22(5), 1993) over all voices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from componium.evaluation.measure import Measure
from componium.evaluation.notes import stated_bars
from componium.evaluation.suffixes import SuffixArray
from componium.interface import Progress, silent
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.score import Score, Track, note_arrays, note_ends, round_half_up, skyline, voices
from componium.music.voices import is_monophonic

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEASURES: tuple[Measure, ...] = (
    Measure("longest_copy_notes", "notes", "longest stretch of a voice that stands in the training set", fault=True),
    Measure("longest_copy_beats", "beats", "the same, in quarter notes", fault=True),
    Measure("copied_windows", "share", "windows of 4 bars of a voice that stand in the training set", fault=True),
    Measure("nearly_copied_windows", "share", "the same, with at most one note changed", fault=True),
)

STEPS_PER_BEAT = 24
WINDOW_BARS = 4
FEWEST_NOTES = 6
"""A window with fewer notes says nothing."""
SHORTEST_COPY_NOTES = 8
"""What `where` tells of."""
MOST_PLACES = 2000
"""A window is compared to so many places of each of its halves at most; the rest are not looked at."""


@dataclasses.dataclass(frozen=True)
class Voice:
    """A voice as it is compared.

    Attributes:
        name: of its track.
        pitches, starts, lengths: [notes] in order of time; times in 1/24 beat.
        bar_starts: [bars] of the piece, in 1/24 beat; empty where it has no meter.
        bar_numbers: [bars] as `Bar.index`: 0 is a pickup.
    """

    name: str
    pitches: Ints
    starts: Ints
    lengths: Ints
    bar_starts: Ints
    bar_numbers: Ints

    def tokens(self) -> Ints:
        """Return [notes - 1] interval and proportion of two successive lengths, as one number each."""
        first, second = self.lengths[:-1], self.lengths[1:]
        divisor = np.gcd(first, second)
        limit = (1 << 24) - 1
        return ((np.diff(self.pitches) + 128) << 48) + (np.minimum(first // divisor, limit) << 24) + np.minimum(
            second // divisor, limit)

    def bar_of(self, note: int) -> int:
        """Return the number of the bar in which a note starts; 0 where the piece has no meter."""
        place = int(np.searchsorted(self.bar_starts, self.starts[note], side="right")) - 1
        return int(self.bar_numbers[place]) if place >= 0 else 0


@dataclasses.dataclass(frozen=True)
class Copy:
    """A stretch of a piece that stands in the training set.

    Attributes:
        bar, last_bar: of the piece, as in the score: 0 is a pickup (or the piece has no meter).
        voice: name of the piece's track, or "voice 2" where it has none.
        notes: how many.
        start_beats, beats: where it starts in the piece and how long it is, in quarter notes.
        item: name of the training piece.
        item_bar, item_last_bar, item_voice: where it stands there; if in several places, in the first.
        semitones: how much higher it is in the piece.
    """

    bar: int
    last_bar: int
    voice: str
    notes: int
    start_beats: float
    beats: float
    item: str
    item_bar: int
    item_last_bar: int
    item_voice: str
    semitones: int

    def sentence(self) -> str:
        """Say it in one line."""
        size, direction = abs(self.semitones), "higher" if self.semitones > 0 else "lower"
        moved = f", {size} semitone{'s' * (size > 1)} {direction}"
        return (f"{_bars(self.bar, self.last_bar)} ({self.voice}) = {self.item} "
                f"{_bars(self.item_bar, self.item_last_bar)} ({self.item_voice}): {self.notes} notes"
                f"{moved if self.semitones else ''}")


class TrainingIndex:
    """All voices of a training set, ready to be searched.

    Attributes:
        pieces: how many pieces it holds.
        names: of the pieces.
        notes: how many notes.
    """

    def __init__(self, names: Sequence[str], owned: Sequence[tuple[int, Voice]]) -> None:
        self.names = tuple(names)
        self.pieces = len(names)
        self._voices = [voice for _, voice in owned]
        self._items = [item for item, _ in owned]
        sizes = np.array([len(voice.pitches) for voice in self._voices], np.int64)
        self.notes = int(sizes.sum())
        self._first = np.concatenate([[0], np.cumsum(sizes)])
        self.pitches = _joined([voice.pitches for voice in self._voices])
        self.starts = _joined([voice.starts for voice in self._voices])
        self.lengths = _joined([voice.lengths for voice in self._voices])
        # one token a note: the last of a voice, which has no successor, is a barrier, unlike all others
        barriers = [-1 - np.arange(number, number + 1) for number in range(len(self._voices))]
        self.suffixes = SuffixArray(_joined([part for voice, barrier in zip(self._voices, barriers, strict=True)
                                             for part in (voice.tokens(), barrier)]))

    @classmethod
    def of(cls, pieces: Iterable[Item | Score], *, progress: Progress = silent) -> TrainingIndex:
        """Index a training set: a `Corpus`, items, or scores; recordings are left out.

        Raises `BadInput` where no voice has two notes.
        """
        names: list[str] = []
        owned: list[tuple[int, Voice]] = []
        every = list(pieces)
        for number, piece in enumerate(every):
            progress(number / len(every), "indexing the training set")
            content = _score_of(piece)
            if content is None:
                continue
            owned += [(len(names), voice) for voice in voices_of(content)]
            names.append(piece.name if isinstance(piece, Item) else f"piece {number + 1}")
        if not owned:
            raise BadInput("the training set holds no voice of two notes, so nothing can be found in it: "
                           "give the scores that the model learned from")
        return cls(names, owned)

    def place(self, note: int) -> tuple[str, Voice, int]:
        """Return (name of the piece, voice, number of the note in it) of a note of the index."""
        number = int(np.searchsorted(self._first, note, side="right")) - 1
        return self.names[self._items[number]], self._voices[number], note - int(self._first[number])

    def end_of_voice(self, notes: Ints) -> Ints:
        """Return the end of the voice that each note belongs to: the number of its last note plus one."""
        return self._first[np.searchsorted(self._first, notes, side="right")]


def _score_of(piece: Item | Score) -> Score | None:
    """Return the score; None for a recording, which is not read for this."""
    if not isinstance(piece, Item):
        return piece
    return piece.content if piece.kind == "score" and isinstance(piece.content, Score) else None


def validate(score: Score) -> None:
    """Raise `BadInput` for a score in which nothing can be compared."""
    if not isinstance(score, Score):
        raise BadInput(f"{type(score).__name__} is no score: give a componium Score")
    if not voices_of(score):
        raise BadInput("no voice of the score has two notes, so nothing can be compared: give a longer piece")


def voices_of(score: Score) -> list[Voice]:
    """Return the voices of two notes and more as they are compared; drums are left out."""
    known = stated_bars(score)
    edges = round_half_up([bar.start_beats * STEPS_PER_BEAT for bar in known])
    numbers = np.array([bar.index for bar in known], np.int64)
    found = []
    for number, track in enumerate(voices(score), 1):
        line = track if is_monophonic(track) else _skyline(track)
        arrays = note_arrays(line)
        order = np.argsort(arrays["time"], kind="stable")
        if len(order) < 2:
            continue
        starts = round_half_up(arrays["time"].astype(np.float64)[order] * STEPS_PER_BEAT)
        end = int(round_half_up(note_ends(line)[order[-1]] * STEPS_PER_BEAT))
        lengths = np.maximum(np.diff(np.append(starts, end)), 1)
        name, pitches = track.name or f"voice {number}", arrays["pitch"].astype(np.int64)[order]
        found.append(Voice(name, pitches, starts, lengths, edges, numbers))
    return found


def _skyline(track: Track) -> Track:
    alone = Score(480)
    alone.tracks.append(track.copy())
    return skyline(alone)


def evaluate(score: Score, index: TrainingIndex) -> dict[str, float]:
    """Return all `MEASURES` of a piece; NaN for the windows of a piece without 4 bars or a meter.

    Raises `BadInput` where no voice has two notes.
    """
    validate(score)
    longest_notes, longest_beats = 1, 0.0
    windows = exact = near = 0
    for voice in voices_of(score):
        matched, _ = index.suffixes.longest_matches(voice.tokens())
        longest_notes = max(longest_notes, int(matched.max()) + 1)
        durations = np.concatenate([[0], np.cumsum(voice.lengths)])
        places = np.flatnonzero(matched)
        if len(places):
            spans = durations[places + matched[places] + 1] - durations[places]
            longest_beats = max(longest_beats, float(spans.max()) / STEPS_PER_BEAT)
        changed = _changed_notes(voice, _windows(voice), index)
        windows, exact, near = windows + len(changed), exact + changed.count(0), near + len(changed) - changed.count(2)
    return {
        "longest_copy_notes": float(longest_notes) if longest_notes > 1 else 0.0,
        "longest_copy_beats": longest_beats,
        "copied_windows": exact / windows if windows else float("nan"),
        "nearly_copied_windows": near / windows if windows else float("nan"),
    }


def baseline(held_out: Iterable[Item | Score], index: TrainingIndex, *,
             progress: Progress = silent) -> dict[str, float]:
    """Return the mean of each measure over pieces that the model has not learned from, NaN left out.

    This is how much real music shares with the training set; give it beside the figures of what a model made.
    Raises `BadInput` where none of the pieces can be compared.
    """
    every, told = list(held_out), []
    for number, piece in enumerate(every):
        progress(number / len(every), "comparing held-out pieces")
        content = _score_of(piece)
        if content is not None and voices_of(content):
            told.append(evaluate(content, index))
    if not told:
        raise BadInput("there is no held-out piece with a voice of two notes: give scores that were not learned from")
    known = {measure.name: [each[measure.name] for each in told if not np.isnan(each[measure.name])]
             for measure in MEASURES}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}


def where(score: Score, index: TrainingIndex, *, notes: int = SHORTEST_COPY_NOTES) -> list[Copy]:
    """Return the stretches of at least ``notes`` notes that stand in the training set, the longest first.

    A stretch that lies within a longer one is left out.
    """
    validate(score)
    found = []
    for voice in voices_of(score):
        matched, places = index.suffixes.longest_matches(voice.tokens())
        ends = np.arange(len(matched)) + matched
        maximal = np.concatenate([[True], ends[1:] > ends[:-1]]) & (matched + 1 >= notes)
        found += [_copy(voice, first, int(matched[first]) + 1, int(places[first]), index)
                  for first in np.flatnonzero(maximal).tolist()]
    return sorted(found, key=lambda copy: (-copy.notes, copy.start_beats, copy.voice))


def _copy(voice: Voice, first: int, notes: int, place: int, index: TrainingIndex) -> Copy:
    item, other, begin = index.place(place)
    return Copy(
        bar=voice.bar_of(first), last_bar=voice.bar_of(first + notes - 1), voice=voice.name, notes=notes,
        start_beats=float(voice.starts[first]) / STEPS_PER_BEAT,
        beats=float(voice.lengths[first:first + notes].sum()) / STEPS_PER_BEAT,
        item=item, item_bar=other.bar_of(begin), item_last_bar=other.bar_of(begin + notes - 1),
        item_voice=other.name, semitones=int(voice.pitches[first] - other.pitches[begin]))


def _windows(voice: Voice) -> list[tuple[int, int]]:
    """Return (first note, last note + 1) of each window of 4 bars; the pickup belongs to none."""
    full = voice.bar_starts[voice.bar_numbers > 0]
    end = int(voice.starts[-1] + voice.lengths[-1])
    edges = np.append(full, max(end, int(full[-1]) + 1)) if len(full) else full
    notes = np.searchsorted(voice.starts, edges)
    pairs = zip(notes[:-WINDOW_BARS].tolist(), notes[WINDOW_BARS:].tolist(), strict=True)
    return [(first, last) for first, last in pairs if last - first >= FEWEST_NOTES]


def _changed_notes(voice: Voice, windows: Sequence[tuple[int, int]], index: TrainingIndex) -> list[int]:
    """Return how many notes differ between each window and the place in the training set most like it; 2 is many.

    Where at most one note differs, either the notes before the middle or those from it on are all the same: so the
    window is laid on the places of all of it, of its first and of its second half.
    """
    if not windows:
        return []
    # notes begin to end - 1, but for the last one: a change behind it would change its length
    seeds = [(begin, max(end - begin - 2, 1)) for first, last in windows
             for begin, end in ((first, last), (first, (first + last) // 2), ((first + last) // 2, last))]
    begins, sizes = np.array(seeds, np.int64).T
    found, low, high = index.suffixes.search(voice.tokens(), begins, sizes)
    high = np.where(found == sizes, np.minimum(high, low + MOST_PLACES), low)
    changed = []
    for number, (first, last) in enumerate(windows):
        own = slice(3 * number, 3 * number + 3)
        places = [index.suffixes.order[begin:end] for begin, end in zip(low[own], high[own], strict=True)]
        anchors = np.repeat(begins[own], [len(each) for each in places])
        changed.append(_fewest_changes(voice, first, last, anchors, np.concatenate(places), index))
    return changed


def _fewest_changes(voice: Voice, first: int, last: int, anchors: Ints, places: Ints, index: TrainingIndex) -> int:
    """Return the fewest notes changed when a window is laid so that note ``anchors[i]`` lies on ``places[i]``."""
    start = places - (anchors - first)
    fits = (start >= 0) & (start + (last - first) <= index.end_of_voice(places))
    fits[fits] &= index.end_of_voice(start[fits]) == index.end_of_voice(places[fits])
    if not fits.any():
        return 2
    table = start[fits][:, None] + np.arange(last - first)
    mine, theirs = anchors[fits][:, None], places[fits][:, None]
    same_pitch = index.pitches[table] - index.pitches[theirs] == voice.pitches[first:last] - voice.pitches[mine]
    same_time = ((index.starts[table] - index.starts[theirs]) * voice.lengths[mine]
                 == (voice.starts[first:last] - voice.starts[mine]) * index.lengths[theirs])
    return min(2, int(np.sum(~(same_pitch & same_time), axis=1).min()))


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate(parts) if len(parts) else np.zeros(0, np.int64)


def _bars(first: int, last: int) -> str:
    return f"bar {first}" if first == last else f"bars {first}-{last}"
