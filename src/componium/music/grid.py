"""Voices on a grid: what a four-part model sees, and the exact way to a score and back.

A grid has one cell per step and voice: a MIDI pitch or `REST`, and whether it prolongs the note of the step
before. The benchmark's format does not tell held notes from repeated ones; such a grid says so
(``ties_known`` is False), and its score carries the marker `TIES_UNKNOWN`, so that nothing is lost on the
way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.keys import Key
from componium.music.score import (
    END,
    FERMATA,
    VOICE_NAMES,
    Score,
    TextMeta,
    Track,
    bar_beats,
    check_meter,
    end_beats,
    key_signature_of,
    meter,
    new_score,
    note_arrays,
    note_ends,
    pickup_beats,
    pickup_meter,
    quantise,
    round_half_up,
    set_notes,
    set_pickup,
    split_voices,
)
from componium.music.voices import is_monophonic, ordered, polyphony, voice_rank

REST = -1
"""The cell of a voice that is silent."""
TIES_UNKNOWN = "ties unknown"
"""Marker text at beat 0: repeated pitches were joined, as their source does not tell holds from repeats."""
GRID_VELOCITY = 80


@dataclass(frozen=True, eq=False)
class Grid:
    """Monophonic voices on a grid; two grids are equal if every field is.

    Attributes:
        pitches: int16 [steps, voices], MIDI pitch or `REST`; voices high to low.
        held: bool [steps, voices], True where the cell prolongs the note of the step before (same pitch).
        steps_per_beat: steps a quarter note.
        numerator: of the meter.
        denominator: of the meter.
        pickup_steps: length of the pickup in steps; 0 without one.
        key: such as ``"G minor"``, or None where not known.
        fermatas: the steps that have a fermata, ascending.
        ties_known: whether ``held`` was known; if not, it is True wherever a pitch repeats.
    """

    pitches: npt.NDArray[np.int16]
    held: npt.NDArray[np.bool_]
    steps_per_beat: int = 4
    numerator: int = 4
    denominator: int = 4
    pickup_steps: int = 0
    key: str | None = None
    fermatas: tuple[int, ...] = ()
    ties_known: bool = True

    def __post_init__(self) -> None:
        pitches = _whole_numbers(self.pitches)
        held = np.ascontiguousarray(self.held, dtype=np.bool_)
        if held.shape != pitches.shape:
            raise BadInput(f"held has the shape {held.shape}, pitches {pitches.shape}: they must be equal")
        same = _repeats(pitches)
        if np.any(held & ~same):
            step, voice = np.argwhere(held & ~same)[0]
            raise BadInput(f"step {step}, voice {voice} is held, but the step before is no such note")
        if not self.ties_known and not np.array_equal(held, same):
            raise BadInput("a grid with unknown ties holds every repeated pitch: use Grid.from_pitches")
        object.__setattr__(self, "pitches", pitches)
        object.__setattr__(self, "held", held)
        self._check_time()
        if self.key is not None:
            key = Key.parse(self.key)
            if key.mode not in ("major", "minor"):
                raise BadInput(f"key={self.key!r}: a grid's key is major or minor")
            object.__setattr__(self, "key", str(key))

    def _check_time(self) -> None:
        check_meter(self.numerator, self.denominator)
        if self.steps_per_beat < 1:
            raise BadInput(f"steps_per_beat={self.steps_per_beat}: give at least 1")
        pickup = self.pickup_steps / self.steps_per_beat
        if not 0 <= pickup < bar_beats(self.numerator, self.denominator):
            raise BadInput(f"pickup_steps={self.pickup_steps} is not shorter than a bar")
        if pickup:
            pickup_meter(pickup)
        fermatas = tuple(int(step) for step in self.fermatas)
        if list(fermatas) != sorted({step for step in fermatas if 0 <= step < len(self.pitches)}):
            raise BadInput(f"fermatas={fermatas}: give ascending steps from 0 to {len(self.pitches) - 1}")
        object.__setattr__(self, "fermatas", fermatas)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self._rest() == other._rest() and np.array_equal(self.pitches, other.pitches) \
            and np.array_equal(self.held, other.held)

    def __hash__(self) -> int:
        return hash((self._rest(), self.pitches.tobytes(), self.held.tobytes()))

    def _rest(self) -> tuple[object, ...]:
        return (self.steps_per_beat, self.numerator, self.denominator, self.pickup_steps, self.key,
                self.fermatas, self.ties_known, self.pitches.shape)

    def __len__(self) -> int:
        return len(self.pitches)

    @property
    def voice_count(self) -> int:
        """The number of voices."""
        return int(self.pitches.shape[1])

    @classmethod
    def from_pitches(cls, pitches: npt.ArrayLike, *, steps_per_beat: int = 4) -> Grid:
        """Return a grid of pitches [steps, voices] alone, as the benchmark gives them: ties are not known."""
        checked = _whole_numbers(pitches)
        return cls(checked, _repeats(checked), steps_per_beat=steps_per_beat, ties_known=False)


def to_grid(score: Score, *, steps_per_beat: int = 4, voice_count: int = 4) -> Grid:
    """Return a score's voices on a grid; a start or an end off the grid goes to the nearest step.

    Tracks that are monophonic are voices: by their names (Soprano, Alto, Tenor, Bass; Voice 1 ...), otherwise
    high to low. Fewer tracks than voices leave the lower voices silent. Anything else is split into voices.
    Of the notes of one line that fall on the same step, such as an ornament, the longest is kept.
    Of several meters the main one is kept. Raises `BadInput` for a score without notes, and where more notes
    sound together than there are voices.
    """
    if not score.note_num() and end_beats(score) == 0.0:
        raise BadInput("the score has no notes: nothing to put on a grid")
    score, _ = quantise(_thinned(score, steps_per_beat), steps_per_beat=steps_per_beat)
    steps = int(round_half_up(end_beats(score) * steps_per_beat))
    columns = _columns(score, steps, steps_per_beat, voice_count)
    pitches = np.stack([column.pitches for column in columns], axis=1)
    held = np.stack([column.held for column in columns], axis=1)
    ties_known = not any(event.text == TIES_UNKNOWN for event in score.markers)
    if not ties_known:
        held = _repeats(pitches)
    fermatas = {int(round_half_up(e.time * steps_per_beat)) for e in score.markers if e.text == FERMATA}
    key = key_signature_of(score)
    numerator, denominator = meter(score)
    return Grid(pitches, held, steps_per_beat, numerator, denominator,
                pickup_steps=int(round_half_up(pickup_beats(score) * steps_per_beat)),
                key=None if key is None else str(key), ties_known=ties_known,
                fermatas=tuple(sorted(step for step in fermatas if 0 <= step < steps)))


def _thinned(score: Score, steps_per_beat: int) -> Score:
    """Return the score with one note a step in each track that is a single line; chords stay whole."""
    thinned = score.copy()
    for track in thinned.tracks:
        if not len(track.notes) or track.is_drum or not is_monophonic(track):
            continue
        notes = note_arrays(track)
        steps = round_half_up(notes["time"].astype(np.float64) * steps_per_beat)
        order = np.lexsort((-notes["duration"], steps))  # the longest of each step comes first
        first = order[np.diff(steps[order], prepend=-1) > 0]
        if len(first) < len(steps):
            set_notes(track, {name: column[first] for name, column in notes.items()})
    return thinned


def from_grid(grid: Grid, *, tempo_bpm: float = 100.0, key: Key | str | None = None,
              names: Sequence[str] = VOICE_NAMES) -> Score:
    """Return the score of a grid, one track per voice; `to_grid` takes it back exactly.

    ``key`` takes the place of the grid's own. Where ``names`` does not fit the number of voices they are
    called Voice 1, Voice 2 and so on; other names of your own say nothing of the order, which is then by
    pitch.
    """
    score = new_score(tempo_bpm=tempo_bpm, numerator=grid.numerator, denominator=grid.denominator,
                      key=key if key is not None else grid.key)
    if grid.pickup_steps:
        score = set_pickup(score, grid.pickup_steps / grid.steps_per_beat)
    if len(names) != grid.voice_count:
        names = [f"Voice {voice + 1}" for voice in range(grid.voice_count)]
    for voice, name in enumerate(names):
        score.tracks.append(_track(grid, voice, name))
    markers = [(step / grid.steps_per_beat, FERMATA) for step in grid.fermatas]
    if np.all(grid.pitches[-1] == REST):
        markers.append((len(grid) / grid.steps_per_beat, END))
    if not grid.ties_known:
        markers.insert(0, (0.0, TIES_UNKNOWN))
    for time, text in markers:
        score.markers.append(TextMeta(time, text))
    return score


def _whole_numbers(pitches: npt.ArrayLike) -> npt.NDArray[np.int16]:
    """Return checked pitches [steps, voices]."""
    try:
        given = np.asarray(pitches, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInput("a grid is a table of numbers, with as many voices in each step") from None
    if given.ndim != 2 or 0 in given.shape:
        raise BadInput(f"a grid has the shape [steps, voices], not {list(given.shape)}")
    whole = np.clip(np.nan_to_num(given, nan=-999.0), -999.0, 999.0).astype(np.int16)
    wrong = (whole != given) | (whole < REST) | (whole > 127)
    if np.any(wrong):
        step, voice = np.argwhere(wrong)[0]
        raise BadInput(f"step {step}, voice {voice} is {given[step, voice]:g}: give 0 to 127, or -1 (a rest)")
    return whole


def _repeats(pitches: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Return where a pitch is that of the step before, rests left out; [steps, voices]."""
    same = np.zeros(pitches.shape, dtype=np.bool_)
    same[1:] = (pitches[1:] == pitches[:-1]) & (pitches[1:] != REST)
    return same


def _track(grid: Grid, voice: int, name: str) -> Track:
    pitches, held = grid.pitches[:, voice], grid.held[:, voice]
    starts = np.flatnonzero(~held)
    ends = np.append(starts[1:], len(pitches))
    sounding = pitches[starts] != REST
    starts, ends = starts[sounding], ends[sounding]
    track = Track(name, 0, False)
    set_notes(track, {"time": starts / grid.steps_per_beat, "duration": (ends - starts) / grid.steps_per_beat,
                      "pitch": pitches[starts], "velocity": np.full(len(starts), GRID_VELOCITY)})
    return track


@dataclass(frozen=True)
class _Column:
    """One voice on the grid: pitches and held [steps]; steps where a note cut the one before; any chord."""

    pitches: npt.NDArray[np.int16]
    held: npt.NDArray[np.bool_]
    overlaps: int
    has_chords: bool


def _columns(score: Score, steps: int, steps_per_beat: int, voice_count: int) -> list[_Column]:
    """Return the voices of a score whose notes are on the grid already."""
    full = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    ranks = [voice_rank(track.name) for track in full]
    if len(set(ranks)) == len(full) and all(rank is not None and rank < voice_count for rank in ranks):
        placed = dict(zip(ranks, full, strict=True))
        tracks, told = [placed.get(voice) or Track() for voice in range(voice_count)], True
    else:
        tracks, told = ordered(full) + [Track()] * (voice_count - len(full)), len(full) == voice_count
    columns = [_column(track, steps, steps_per_beat) for track in tracks]
    # where the tracks surely are the voices, a small overlap, as in played music, makes no second voice
    doubtful = any(column.has_chords or (column.overlaps and not told) for column in columns)
    if len(tracks) == voice_count and not doubtful:
        return columns
    most = polyphony(note for track in full for note in track.notes)
    if most > voice_count:
        raise BadInput(f"{most} notes sound together, more than the {voice_count} voices of the grid")
    split = [track for track in split_voices(score, voice_count).tracks if not track.is_drum]
    return [_column(track, steps, steps_per_beat) for track in split]


def _column(track: Track, steps: int, steps_per_beat: int) -> _Column:
    pitches = np.full(steps, REST, dtype=np.int16)
    held = np.zeros(steps, dtype=np.bool_)
    starts = round_half_up(note_arrays(track)["time"] * np.float64(steps_per_beat))
    ends = round_half_up(note_ends(track) * steps_per_beat)
    overlaps, last_end = 0, 0
    for note in np.argsort(starts, kind="stable"):
        start, end = int(starts[note]), int(ends[note])
        overlaps += max(0, min(last_end, end) - start)
        pitches[start:last_end] = REST
        held[start:last_end] = False
        pitches[start:end] = track.notes[int(note)].pitch
        held[start + 1:end] = True
        last_end = end
    return _Column(pitches, held, overlaps, len(np.unique(starts)) < len(starts))
