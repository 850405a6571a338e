"""BachBot's encoding: a chorale as one sequence of notes, frame by frame, and the exact way back.

F. Liang, M. Gotham, M. Johnson, J. Shotton: Automatic stylistic composition of Bach chorales with deep LSTM,
ISMIR 2017 (and Liang's thesis, Cambridge 2016). A frame is one step of the grid: the symbol of a fermata if
there is one, the notes that sound from the highest to the lowest, each with a word on whether it is tied to the
frame before, and a delimiter. `START` comes first, `END` last. A fermata is written in each frame of its chord.

The voices are not written: they are what is heard (`BachBotTokens.as_heard`). Two voices in unison are two
equal notes here; ``unisons=False`` writes them as one, as the original does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.keys import Key
from componium.tokens.grid import SILENT, check_grid, check_range, like_fields, out_of_range

START = 0
END = 1
FRAME = 2
"""The end of a frame."""
FERMATA = 3
"""Comes first in each frame of a chord with a fermata."""
FIRST_NOTE = 4
"""The new note of the lowest pitch; the same pitch tied is the next number, then comes the next semitone."""
_NONE = -1

Tokens = npt.NDArray[np.int16]
Frames = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """Where in a sequence the grammar is: what `BachBotTokens.allowed` looks at.

    Attributes:
        before: notes of the last whole frame.
        notes: notes of this frame so far.
        frames: the number of whole frames.
        fermata: whether this frame has a fermata.
        fermata_before: whether the last whole frame had one.
        started: whether `START` was read.
        ended: whether `END` was read.
    """

    before: tuple[int, ...] = ()
    notes: tuple[int, ...] = ()
    frames: int = 0
    fermata: bool = False
    fermata_before: bool = False
    started: bool = False
    ended: bool = False


@dataclass(frozen=True)
class BachBotTokens:
    """Tokens of BachBot: four signs, then for each pitch p ``4 + 2 * (p - lowest) + tied``.

    Attributes:
        voices: the largest number of notes in a frame.
        lowest: the lowest MIDI pitch.
        highest: the highest MIDI pitch.
        steps_per_beat: frames a quarter note.
        unisons: whether voices in unison write a note each.
    """

    voices: int = 4
    lowest: int = 36
    highest: int = 81
    steps_per_beat: int = 4
    unisons: bool = True

    def __post_init__(self) -> None:
        if self.voices < 1 or self.steps_per_beat < 1:
            raise BadInput(f"voices={self.voices}, steps_per_beat={self.steps_per_beat}: give at least 1 of each")
        check_range(self.lowest, self.highest)

    @property
    def size(self) -> int:
        """The number of tokens."""
        return FIRST_NOTE + 2 * (self.highest - self.lowest + 1)

    def note_of(self, pitch: int, tied: bool) -> int:
        """Return the token of a MIDI pitch, new or tied to the frame before."""
        if not self.lowest <= pitch <= self.highest:
            raise BadInput(out_of_range(pitch, self.lowest, self.highest))
        return FIRST_NOTE + 2 * (pitch - self.lowest) + int(tied)

    def pitch_of(self, token: int) -> tuple[int, bool]:
        """Return the MIDI pitch of a note's token and whether it is tied, the inverse of `note_of`."""
        if not FIRST_NOTE <= token < self.size:
            raise BadInput(f"{token} is no note's token: they are {FIRST_NOTE} to {self.size - 1}")
        return (token - FIRST_NOTE) // 2 + self.lowest, bool((token - FIRST_NOTE) % 2)

    def encode(self, grid: Grid) -> Tokens:
        """Return the tokens of a grid, `START` and `END` included; int16 [T]. Raises `BadInput` if it does not fit."""
        frames = self.frames(grid)
        fermata = _spread(_changed(frames), np.array(grid.fermatas, dtype=np.int64))
        table = np.column_stack([np.where(fermata, FERMATA, _NONE), frames, np.full(len(frames), FRAME)])
        return np.concatenate([[START], table[table != _NONE], [END]]).astype(np.int16)

    def frames(self, grid: Grid) -> Frames:
        """Return the notes of each frame in their order; int64 [steps, voices], -1 where there are fewer."""
        check_grid(grid, self.voices, self.lowest, self.highest, self.steps_per_beat)
        notes = FIRST_NOTE + 2 * (grid.pitches.astype(np.int64) - self.lowest) + grid.held
        notes[grid.pitches == SILENT] = _NONE
        notes = -np.sort(-notes, axis=1)
        if not self.unisons:  # of one pitch the lower number stays: it is heard anew if any voice begins it
            notes[:, :-1][(notes[:, :-1] | 1) == (notes[:, 1:] | 1)] = _NONE
            notes = -np.sort(-notes, axis=1)
        return notes

    def decode(self, tokens: npt.ArrayLike, like: Grid | None = None, *, kept: Sequence[int] = (),
               **fields: Any) -> Grid:
        """Return the grid of a whole sequence; `encode` takes it back exactly.

        A tied note stays in its voice; new ones go to the free voices, the highest to the highest. Rests are
        left to the lowest of them.

        Args:
            tokens: [T], from `START` to `END`.
            like: a grid whose meter, pickup and key are taken over.
            kept: voices that are those of ``like`` as far as it goes; the sequence has to contain their notes.
                A tied note that only a kept voice could have gone on with begins anew in another.
            **fields: of `Grid`, such as ``numerator=3``; they come before those of ``like``.

        Raises `BadInput` with the place of the first token that the grammar forbids.
        """
        frames, fermata = self.parse(tokens)
        changed = _changed(frames)
        begins = fermata & (changed | ~np.append(False, fermata[:-1]))
        settings = like_fields(like, len(frames), self.steps_per_beat)
        settings |= {"fermatas": tuple(np.flatnonzero(begins).tolist()), "ties_known": True} | fields
        cells = self._voices(frames, like, kept)
        pitches = np.where(cells == _NONE, SILENT, (cells - FIRST_NOTE) // 2 + self.lowest)
        held = (cells != _NONE) & ((cells - FIRST_NOTE) % 2 == 1)
        return Grid(pitches.astype(np.int16), held, steps_per_beat=self.steps_per_beat, **settings)

    def as_heard(self, grid: Grid) -> Grid:
        """Return what the encoding keeps of a grid: its notes, told apart by pitch and not by voice.

        Meter, pickup and key are those of the grid. Its ties count as known. Of two fermatas in one chord
        the first is kept.
        """
        return self.decode(self.encode(grid), like=grid)

    def parse(self, tokens: npt.ArrayLike) -> tuple[Frames, npt.NDArray[np.bool_]]:
        """Return the notes [steps, voices] of a whole sequence (-1: none) and which frames have a fermata [steps]."""
        given = np.asarray(tokens)
        if given.ndim != 1 or not len(given) or not np.issubdtype(given.dtype, np.integer):
            raise BadInput(f"tokens are a row of whole numbers, not {given.dtype} {list(given.shape)}")
        place, frames, fermatas = Place(), [], []
        for index, token in enumerate(given.tolist()):
            if not 0 <= token < self.size or not self.allowed(place)[token]:
                raise BadInput(f"token {index} is {self.name_of(token)}, which cannot stand there")
            if token == FRAME:
                frames.append([*place.notes, *[_NONE] * (self.voices - len(place.notes))])
                fermatas.append(place.fermata)
            place = self.advance(place, token)
        if not place.ended:
            raise BadInput(f"the {len(given)} tokens have no END: the sequence is cut off")
        return np.array(frames, dtype=np.int64), np.array(fermatas, dtype=np.bool_)

    def allowed(self, place: Place, given: Sequence[int] = ()) -> npt.NDArray[np.bool_]:
        """Return which tokens may come next; bool [size], all False after `END`.

        `END` may come after any whole frame and nowhere else, so that a wish for so many frames is met by
        forbidding `END` before, and all but `END` then: something always remains.

        Args:
            place: where the sequence is; `Place()` at the beginning.
            given: notes that this frame has to contain, as tokens from high to low.
        """
        mask = np.zeros(self.size, dtype=np.bool_)
        if place.ended or not place.started:
            mask[START] = not place.ended
            return mask
        if not place.notes and not place.fermata:
            mask[END] = place.frames > 0
            mask[FERMATA] = True
        if len(place.notes) < self.voices:
            self._allow_notes(mask, place)
        # after a fermata the chord has to change before a frame can be without
        same_so_far = all(note % 2 for note in place.notes) and place.fermata_before and not place.fermata
        mask[FRAME] = not (same_so_far and len(place.notes) == len(place.before))
        if same_so_far and len(place.notes) + 1 == len(place.before) and not self._room_below(place.before):
            mask[FIRST_NOTE + 1::2] = False  # the whole chord tied could not change any more
        return self._keep(mask, place, given) if given else mask

    def advance(self, place: Place, token: int) -> Place:
        """Return the place after a token that is allowed."""
        if token == START:
            return replace(place, started=True)
        if token == END:
            return replace(place, ended=True)
        if token == FERMATA:
            return replace(place, fermata=True)
        if token == FRAME:
            return Place(place.notes, (), place.frames + 1, False, place.fermata, True)
        return replace(place, notes=(*place.notes, token))

    def places(self, tokens: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return of each token its frame [T] and its part in the frame [T].

        Parts are 0 to voices - 1 for the notes from high to low, ``voices`` for `FRAME`, ``voices + 1`` for
        `FERMATA`, ``voices + 2`` for `START` and `END`, whose frames are the first and the last.
        """
        given = np.asarray(tokens)
        ends, is_note = given == FRAME, given >= FIRST_NOTE
        frame = np.minimum(np.cumsum(ends) - ends, max(int(ends.sum()) - 1, 0))
        notes_before: npt.NDArray[np.int64] = np.cumsum(is_note) - is_note
        at_frame = np.append(0, np.cumsum(is_note)[ends])[np.cumsum(ends) - ends]
        signs = np.array([self.voices + 2, self.voices + 2, self.voices, self.voices + 1])
        part = np.where(is_note, notes_before - at_frame, signs[np.minimum(given, FERMATA)])
        return frame.astype(np.int64), part.astype(np.int64)

    def name_of(self, token: int) -> str:
        """Return a token as a reader writes it: ``(67, tied)``, ``FERMATA`` ..."""
        if 0 <= token < FIRST_NOTE:
            return ("START", "END", "FRAME", "FERMATA")[token]
        if not token < self.size or token < 0:
            return f"{token} (no token)"
        pitch, tied = self.pitch_of(token)
        return f"({pitch}, {'tied' if tied else 'new'})"

    def _allow_notes(self, mask: npt.NDArray[np.bool_], place: Place) -> None:
        """Allow the notes that go on downward from the last one: any new, and tied what there is to tie."""
        last = place.notes[-1] if place.notes else self.size - 1
        mask[FIRST_NOTE:last + 1:2] = True
        for note in place.before:
            tied = note | 1  # first notes are even
            if tied <= last and place.notes.count(tied) < sum(other | 1 == tied for other in place.before):
                mask[tied] = True
        if place.notes and not self.unisons:
            mask[last & ~1:] = False

    def _room_below(self, chord: tuple[int, ...]) -> bool:
        """Tell whether a chord may have one more new note at its lower end."""
        return len(chord) < self.voices and (self.unisons or chord[-1] > FIRST_NOTE + 1)

    def _keep(self, mask: npt.NDArray[np.bool_], place: Place, given: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Narrow what is allowed to what leaves room for the given notes that are still to come."""
        waiting = sorted(given, reverse=True)
        for note in place.notes:
            if note in waiting:
                waiting.remove(note)
        if waiting:
            mask[FRAME] = mask[END] = False
            mask[FIRST_NOTE:waiting[0]] = False
            if self.voices - len(place.notes) <= len(waiting):
                mask[waiting[0] + 1:] = False
            if not self.unisons:
                mask[waiting[0] ^ 1] = False
        return mask

    def _voices(self, frames: Frames, like: Grid | None, kept: Sequence[int]) -> Frames:
        """Return the notes of each frame by voice; [steps, voices], -1 in rests."""
        cells = np.full(frames.shape, _NONE, dtype=np.int64)
        if kept and like is None:
            raise BadInput("kept voices are those of a grid: give it as like")
        if kept and like is not None:
            steps = min(len(like), len(frames))
            notes = FIRST_NOTE + 2 * (like.pitches[:steps].astype(np.int64) - self.lowest) + like.held[:steps]
            cells[:steps, list(kept)] = np.where(like.pitches[:steps] == SILENT, _NONE, notes)[:, list(kept)]
        before = [_NONE] * self.voices
        for step in range(len(frames)):
            fixed = dict.fromkeys(kept) if like is not None and step < len(like) else {}
            left = [note for note in frames[step].tolist() if note != _NONE]
            for voice in fixed:
                note = int(cells[step, voice])
                if note in left:
                    left.remove(note)
                elif note != _NONE and self.unisons:
                    raise BadInput(f"frame {step} lacks the note {self.name_of(note)} of voice {voice}")
            free = [voice for voice in range(self.voices) if voice not in fixed]
            _place_notes(cells[step], left, free, before)
            before = cells[step].tolist()
        return cells


def semitones_to_c(key: Key) -> int:
    """Return the transposition, -5 to 6 semitones, that brings a key to C major or A minor."""
    upward = ((9 if key.is_minor else 0) - key.tonic_pitch_class) % 12
    return upward - 12 if upward > 6 else upward


def _place_notes(cells: Frames, notes: list[int], free: list[int], before: list[int]) -> None:
    """Write the notes of one frame into the cells of the free voices, in place."""
    free = list(free)
    for note in [note for note in notes if note % 2]:
        voice = next((v for v in free if before[v] | 1 == note and before[v] != _NONE), None)
        if voice is not None:
            cells[voice] = note
            free.remove(voice)
            notes.remove(note)
    for voice, note in zip(free, notes, strict=False):
        cells[voice] = note & ~1  # new


def _changed(frames: Frames) -> npt.NDArray[np.bool_]:
    """Return which frames are no mere prolongation of the one before; [steps]."""
    sounding = frames != _NONE
    count = sounding.sum(axis=1)
    new = np.any(sounding & (frames % 2 == 0), axis=1)
    return np.asarray(new | (count != np.append(-1, count[:-1])), dtype=np.bool_)


def _spread(changed: npt.NDArray[np.bool_], fermatas: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return the frames with a fermata [steps]: from each of the steps to the end of its chord."""
    marks = np.zeros(len(changed), dtype=np.int64)
    marks[fermatas] = 1
    so_far = np.cumsum(marks)
    chord = np.maximum.accumulate(np.where(changed, np.arange(len(changed)), 0))
    return np.asarray(so_far > (so_far - marks)[chord], dtype=np.bool_)
