"""What `markov` knows before each symbol: features of the past, and the viewpoints that are made of them.

A piece is a grid of cells, one a voice and step. A cell is told relative to the voice's last pitch (its *anchor*), so
everything that is learned holds in every transposition; the key is heard from the piece so far, or given.
Features are computed step by step for many pieces at once, by the same code while learning, judging and composing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.composers.markov.chain import Hashes, mix_hash
from componium.music.grid import REST, Grid

SPAN = 24
"""Largest interval that is a symbol of its own, in semitones."""
SAME, REST_SYMBOL, REPEAT, SYMBOLS = SPAN, 2 * SPAN + 1, 2 * SPAN + 2, 2 * SPAN + 3
"""The symbols: 0..48 are intervals of -24..24 semitones (24 = the note goes on), then rest, then struck again."""
NOTHING = -2
"""Stands for a cell before the first."""
FIRST_ANCHOR = 67
"""The pitch (MIDI) to which the very first cell is told."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Key profiles of Krumhansl & Kessler (1982) as printed in Krumhansl, "Cognitive Foundations of Musical Pitch" (1990).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
UNKNOWN_KEY = 24


def _profiles() -> npt.NDArray[np.float64]:
    rows = []
    for profile in (np.array(_MAJOR), np.array(_MINOR)):
        unit = (profile - profile.mean()) / np.linalg.norm(profile - profile.mean())
        rows += [np.roll(unit, tonic) for tonic in range(12)]
    return np.array(rows)


PROFILES = _profiles()
"""[24, 12]: twelve major keys, then twelve minor ones."""

FEATURES = (
    "voice", "before", "beat_step", "bar_step", "moves", "interval_up", "interval_up2", "interval_up3", "interval_down",
    "interval_bass", "move_up", "chord", "chord_before", "degree", "mode", "length", "length_coarse",
)
"""Features of every texture; then `past_pitch_k` and `past_length_k` for the k-th note before the last."""


def feature_names(memory: int) -> tuple[str, ...]:
    """Return the columns of a feature array: `FEATURES` and the notes that are remembered."""
    notes = range(1, memory + 1)
    return (*FEATURES, *(f"past_pitch_{k}" for k in notes), *(f"past_length_{k}" for k in notes))


Viewpoint = tuple[tuple[str, ...], ...]
"""Contexts from coarse to fine: each level adds features to the one before."""


def _past(first: int, order: int) -> Viewpoint:
    return tuple((f"past_pitch_{k}",) for k in range(first, order + 1))


def chorale_viewpoints(order: int) -> dict[str, Viewpoint]:
    """The long-term viewpoints of several voices: neighbour, tonality, melody, chord."""
    return {
        "neighbour": (("voice",), ("before",), ("interval_up",), ("beat_step",), ("interval_up2",),
                      ("interval_up3", "past_pitch_1")),
        "tonality": (("voice",), ("before", "beat_step"), ("move_up", "interval_up"), ("degree", "mode"), ("length",),
                     ("interval_bass",), ("interval_up2",)),
        "melody": (("voice",), ("before", "beat_step"), ("moves",), ("length_coarse",), ("past_pitch_1",),
                   ("past_length_1",), ("degree",), *_past(2, order)),
        "chord": (("voice",), ("before", "beat_step"), ("moves",), ("chord",), ("degree", "mode")),
    }


def melody_viewpoints(order: int) -> dict[str, Viewpoint]:
    """The long-term viewpoints of one voice: melody, tonality, rhythm."""
    notes = tuple((f"past_pitch_{k}", f"past_length_{k}") for k in range(1, order + 1))
    return {
        "melody": (("before",), ("length_coarse",), ("bar_step",), *notes),
        "tonality": (("before", "beat_step"), ("degree", "mode"), ("length_coarse",), *_past(1, order)),
        "rhythm": (("before",), ("bar_step",), ("length",), *((f"past_length_{k}",) for k in range(1, order + 1))),
    }


def short_term_viewpoint(voices: int) -> Viewpoint:
    """The contexts in which the piece so far is remembered."""
    if voices == 1:
        return (("voice", "before", "beat_step", "length", "past_pitch_1"), ("past_length_1", "past_pitch_2"),
                ("past_length_2", "bar_step"))
    return (("voice", "before", "beat_step", "moves", "chord"), ("past_pitch_1", "past_length_1", "length"),
            ("chord_before",))


def hashes_of(viewpoint: Viewpoint, features: npt.NDArray[np.integer[Any]], names: Sequence[str],
              start: Hashes | None = None) -> list[Hashes]:
    """Hash the contexts of a viewpoint.

    Args:
        viewpoint: its levels.
        features: [N, F].
        names: [F] the columns of ``features``.
        start: [N] hashes to begin with (zeros if None).

    Returns:
        One [N] array a level, coarse to fine.
    """
    column = {name: index for index, name in enumerate(names)}
    hashes = np.zeros(len(features), np.uint64) if start is None else start
    result = []
    for level in viewpoint:
        for name in level:
            hashes = mix_hash(hashes, features[:, column[name]])
        result.append(hashes)
    return result


@dataclass
class Metre:
    """Where the steps of many pieces fall.

    Attributes:
        steps_per_beat: steps a beat.
        bar_steps: [B] steps a bar.
        pickup_steps: [B] steps before the first full bar.
    """

    steps_per_beat: int
    bar_steps: Ints
    pickup_steps: Ints

    @classmethod
    def of(cls, grids: Sequence[Grid]) -> Metre:
        """Take the metre of each grid."""
        bars = [g.numerator * 4 * g.steps_per_beat // g.denominator for g in grids]
        return cls(grids[0].steps_per_beat, np.maximum(np.array(bars), 1), np.array([g.pickup_steps for g in grids]))


class Listener:
    """Hears B pieces of V voices grow step by step, and tells what is known before each cell."""

    def __init__(self, pieces: int, voices: int, memory: int, metre: Metre, keys: Ints | None = None) -> None:
        """Begin before the first step.

        Args:
            pieces: B.
            voices: V, high to low.
            memory: how many notes of each voice are remembered.
            metre: where the steps fall.
            keys: [B] keys (0..11 major, 12..23 minor, 24 unknown) that are given for good; heard if None.
        """
        self.step, self.metre, self.given = 0, metre, keys
        self.before = np.full((pieces, voices), NOTHING, np.int64)
        self.sounded = np.full((pieces, voices), -1, np.int64)
        self.length = np.zeros((pieces, voices), np.int64)
        self.past_pitch = np.full((pieces, voices, memory), -3, np.int64)
        self.past_length = np.zeros((pieces, voices, memory), np.int64)
        self.pitch_classes = np.zeros((pieces, 12))
        self.key = np.full(pieces, UNKNOWN_KEY) if keys is None else keys.copy()

    def anchor(self, cells: Ints, voice: int) -> Ints:
        """Return [B] the pitch to which the next cell of ``voice`` is told; ``cells`` [B, V] holds the voices above."""
        anchor = self.sounded[:, voice]
        for above in range(voice - 1, -1, -1):
            anchor = np.where((anchor < 0) & (cells[:, above] >= 0), cells[:, above], anchor)
        return np.where(anchor < 0, FIRST_ANCHOR, anchor)

    def features(self, cells: Ints, moved: Flags, voice: int, anchor: Ints) -> Ints:
        """Return [B, F] what is known before the next cell of ``voice``.

        Args:
            cells: [B, V] this step's cells; only the voices above are read.
            moved: [B, V] whether those began a note, a rest or struck again.
            voice: which voice is next.
            anchor: [B] see `anchor`.
        """
        voices = self.before.shape[1]
        now = np.concatenate([cells[:, :voice], self.before[:, voice:]], axis=1)
        chord = np.where(now >= 0, np.clip(now - anchor[:, None], -40, 40), now - 100)
        chord_before = np.where(self.before >= 0, np.clip(self.before - anchor[:, None], -40, 40), self.before - 100)
        absent = np.full(len(cells), -99, np.int64)
        above = [chord[:, voice - k] if voice >= k else absent for k in (1, 2, 3)]
        place = self.step - self.metre.pickup_steps
        length = self.length[:, voice]
        columns = [
            np.full(len(cells), voice), np.minimum(self.before[:, voice], 0), place % self.metre.steps_per_beat,
            place % self.metre.bar_steps, moved[:, :voice] @ (1 << np.arange(voice)), *above,
            chord[:, voice + 1] if voice + 1 < voices else absent, chord[:, -1],
            moved[:, voice - 1].astype(np.int64) if voice else absent, _word(chord), _word(chord_before),
            np.where(self.key < UNKNOWN_KEY, (anchor - self.key) % 12, 12), self.key // 12,
            np.minimum(length, 16), np.where(length < 8, length, 8 + np.minimum(length // 4, 4)),
        ]
        past = self.past_pitch[:, voice]
        past = np.where(past >= 0, np.clip(past - anchor[:, None], -40, 40), past - 100)
        return np.concatenate([np.stack(columns, axis=1), past, np.minimum(self.past_length[:, voice], 16)], axis=1)

    def advance(self, cells: Ints, moved: Flags) -> None:
        """Take in a finished step: cells [B, V] and whether each began something."""
        begun = moved & (self.before != NOTHING)
        shifted = np.concatenate([self.before[..., None], self.past_pitch[..., :-1]], axis=2)
        self.past_pitch = np.where(begun[..., None], shifted, self.past_pitch)
        shifted = np.concatenate([self.length[..., None], self.past_length[..., :-1]], axis=2)
        self.past_length = np.where(begun[..., None], shifted, self.past_length)
        self.length = np.where(moved, 1, self.length + 1)
        self.before = cells.copy()
        self.sounded = np.where(cells >= 0, cells, self.sounded)
        self.step += 1
        self._hear_key(cells)

    def reorder(self, rows: Ints) -> None:
        """Let piece b go on from the past of piece ``rows[b]``."""
        for name in ("before", "sounded", "length", "past_pitch", "past_length", "pitch_classes", "key"):
            setattr(self, name, getattr(self, name)[rows])

    def _hear_key(self, cells: Ints) -> None:
        rows, voices = np.nonzero(cells >= 0)
        np.add.at(self.pitch_classes, (rows, cells[rows, voices] % 12), 1.0)
        if self.given is None:
            centred = self.pitch_classes - self.pitch_classes.mean(axis=1, keepdims=True)
            heard = np.argmax(centred @ PROFILES.T, axis=1)
            self.key = np.where(centred.any(axis=1), heard, UNKNOWN_KEY)


def _word(chord: Ints) -> Ints:
    """Fold the intervals of a chord [B, V] into one small integer each [B]."""
    word = np.zeros(len(chord), np.int64)
    for voice in range(chord.shape[1]):
        word = word * 256 + (chord[:, voice] + 128)
    return word.astype(np.int32).astype(np.int64)  # four bytes hold four voices


def moved_cells(grid: Grid) -> Flags:
    """Return [steps, V] where a cell begins something: a note, a rest, or the same note struck again."""
    pitches = grid.pitches
    moved = np.ones(pitches.shape, np.bool_)
    moved[1:] = pitches[1:] != pitches[:-1]
    return np.asarray(moved | ((pitches != REST) & ~grid.held))


def symbols_of(cells: Ints, before: Ints, moved: Flags, anchor: Ints) -> Ints:
    """Turn cells [B] into symbols [B], given the voice's cells before, whether they moved, and the anchors."""
    interval = np.clip(cells - anchor, -SPAN, SPAN) + SPAN
    again = (cells == before) & moved
    return np.where(cells < 0, REST_SYMBOL, np.where(again & (cells >= 0), REPEAT, interval))


@dataclass
class Tokens:
    """The cells of pieces, one row each, in order of piece, step, voice.

    Attributes:
        features: [N, F].
        symbols, anchors, cells, before, piece, step, voice: [N].
        moved: [N] whether the cell began something.
    """

    features: npt.NDArray[np.int32]
    symbols: Ints
    anchors: Ints
    cells: Ints
    before: Ints
    piece: Ints
    step: Ints
    voice: Ints
    moved: Flags


TOGETHER_CELLS = 250_000
"""How many cells, padding included, are heard at a time."""


def listen(grids: Sequence[Grid], memory: int, keys: Ints | None = None, steps: int | None = None) -> Tokens:
    """Hear whole pieces and return all their cells; pieces of similar length are heard together.

    Args:
        grids: pieces of equally many voices and steps a beat.
        memory: how many notes of each voice are remembered.
        keys: [B] given keys, heard if None.
        steps: only the first steps (all if None).
    """
    lengths = np.array([len(g) if steps is None else min(len(g), steps) for g in grids])
    parts, group = [], np.zeros(0, np.int64)
    for piece in np.argsort(-lengths, kind="stable"):
        if len(group) and (len(group) + 1) * lengths[group[0]] * grids[0].voice_count > TOGETHER_CELLS:
            parts.append(_listen_together(grids, group, memory, keys, steps))
            group = group[:0]
        group = np.append(group, piece)
    parts.append(_listen_together(grids, group, memory, keys, steps))
    return Tokens(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _listen_together(corpus: Sequence[Grid], group: Ints, memory: int, keys: Ints | None, steps: int | None) -> Tokens:
    """Hear the pieces of ``corpus`` whose numbers are in ``group``, side by side."""
    grids = [corpus[piece] for piece in group]
    voices, longest = grids[0].pitches.shape[1], max(len(g.pitches) for g in grids)
    longest = longest if steps is None else min(steps, longest)
    cells = np.full((longest, len(grids), voices), NOTHING, np.int64)
    moved = np.zeros((longest, len(grids), voices), np.bool_)
    for index, grid in enumerate(grids):
        stop = min(longest, len(grid.pitches))
        cells[:stop, index], moved[:stop, index] = grid.pitches[:stop], moved_cells(grid)[:stop]
    ear = Listener(len(grids), voices, memory, Metre.of(grids), None if keys is None else keys[group])
    shape = (longest, voices, len(grids))
    features = np.zeros((*shape, len(feature_names(memory))), np.int32)
    symbols, anchors, before = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for step in range(longest):
        for voice in range(voices):
            anchor = ear.anchor(cells[step], voice)
            features[step, voice] = ear.features(cells[step], moved[step], voice, anchor)
            last = before[step, voice] = ear.before[:, voice]
            anchors[step, voice] = anchor
            symbols[step, voice] = symbols_of(cells[step, :, voice], last, moved[step, :, voice], anchor)
        ear.advance(cells[step], moved[step])
    real = np.moveaxis(cells, 2, 1) != NOTHING
    piece, step_of, voice_of = (np.moveaxis(a, 2, 0) for a in np.broadcast_arrays(
        np.arange(len(grids))[None, None, :], np.arange(longest)[:, None, None], np.arange(voices)[None, :, None]))
    keep = np.moveaxis(real, 2, 0)

    def pick(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.asarray(np.moveaxis(values, 2, 0)[keep])

    return Tokens(pick(features), pick(symbols), pick(anchors), pick(np.moveaxis(cells, 2, 1)), pick(before),  # type: ignore[arg-type]
                  group[piece[keep]], step_of[keep], voice_of[keep], pick(np.moveaxis(moved, 2, 1)))  # type: ignore[arg-type]
