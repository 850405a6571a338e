"""The pairs of a quiz: each a held-out piece and one of the model's, and the order in which they are asked."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from componium.cli.judging.comparison_page import major_tonic
from componium.cli.quizzing.excerpts import STRETCH_BEATS, alike, mean_pitch, possible_ends, usable, whole_bars
from componium.cli.quizzing.held_out import HeldOut
from componium.cli.show import Progress, counted
from componium.music.errors import BadInput
from componium.music.score import VOICE_NAMES, meter, voices
from componium.music.theory import key_of

FULL, INNER, LOWER = "full", "at", "atb"
KINDS = {FULL: "composed from scratch", INNER: "alto and tenor filled in", LOWER: "alto, tenor and bass filled in"}
"""What the model made of a pair: the whole piece, or the voices that are missing beside those of the held-out piece."""
WORDS = {"full": (FULL,), "at": (INNER,), "atb": (LOWER,), "harmonised": (INNER, LOWER), "harmonized": (INNER, LOWER)}
GIVEN = {INNER: (0, 3), LOWER: (0,)}
"""Voices that are given, from the top."""
SPARE = 1.5
"""So many more pieces than pairs are composed, so that meters and modes can be matched."""
REGISTER_SEMITONES = 2.0
"""Mean pitches nearer than this, in one key, are the same register."""
GAP = 3
"""At least so many other questions lie between a pair and its repetition, where there are as many."""


@dataclass(frozen=True)
class Plan:
    """What is asked for: how many pairs, bars of each, the seed, how many are repeated, and the kinds."""

    pairs: int = 12
    bars: int = 8
    seed: int = 0
    repeats: int = 3
    kinds: tuple[str, ...] = (FULL,)


@dataclass(frozen=True)
class Pair:
    """Two excerpts on equal terms.

    Attributes:
        kind: one of `KINDS`.
        human: of the held-out piece.
        made: of the model's.
        cut: whether both have to be faded.
        human_name: of the held-out piece.
        made_name: which of the model's pieces it is.
    """

    kind: str
    human: Any
    made: Any
    cut: bool
    human_name: str
    made_name: str


@dataclass(frozen=True)
class Question:
    """One question: which pair, whether the held-out piece is heard first, and whether it was asked before."""

    pair: int
    human_first: bool
    repeat: bool = False


def read_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds that a text such as ``"full,harmonised"`` names, in the order of `KINDS`.

    Raises:
        BadInput: it names none, or an unknown one.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words or [""]:
        if word not in WORDS:
            raise BadInput(f"--kinds {text!r}: {word!r} is no kind of pair; give full, at, atb or harmonised (at and "
                           "atb), with commas between them")
    found = {kind for word in words for kind in WORDS[word]}
    return tuple(kind for kind in KINDS if kind in found)


def make_pairs(plan: Plan, model: Any, word: str, arguments: dict[str, Any], held: HeldOut,
               progress: Progress) -> list[Pair]:
    """Let the model compose, and pair what it made with held-out pieces of the same meter and mode where there are.

    Pieces are taken as they come: none is chosen for how it sounds.

    Args:
        plan: what is asked for.
        model: the model.
        word: MODEL as the user wrote it.
        arguments: of its ability: `generate`, or `harmonize` where nothing is composed from scratch.
        held: the pieces that it did not learn from.
        progress: told of the work.

    Raises:
        BadInput: there are not enough pieces that are long enough and have as many voices.
    """
    candidates(held, word, None, plan.bars, plan.pairs, plan.pairs)  # before anything is composed in vain
    kinds = [plan.kinds[number % len(plan.kinds)] for number in range(plan.pairs)]
    whole, filled = kinds.count(FULL), [kind for kind in kinds if kind != FULL]
    found: list[Pair] = []
    used: set[str] = set()
    made = compose(plan, model, word, arguments, whole, lambda done, text="": progress(0.7 * done, text))
    if made:
        found = composed_pairs(plan, word, made, whole, held)
        used = {pair.human_name for pair in found}
    if filled:
        own = {} if whole else arguments
        others = candidates(held, word, 4, plan.bars, math.inf, len(filled) + len(used))
        rest = [item for item in others if item.name not in used]
        found += harmonised_pairs(plan, model, own, filled, rest, word,
                                  lambda done, text="": progress(0.7 + 0.3 * done, text))
    return found


def compose(plan: Plan, model: Any, word: str, arguments: dict[str, Any], count: int,
            progress: Progress) -> list[tuple[int, Any]]:
    """Return (seed, piece) of more pieces than ``count``, all with the usual number of voices and long enough.

    Raises:
        BadInput: there are too few of them.
    """
    if not count:
        return []
    if model.deterministic and count > 1:
        raise BadInput(f"{word} always composes the same piece; ask for one pair: --pairs 1 --repeats 0")
    wanted = 1 if model.deterministic else math.ceil(SPARE * count) + 1
    seeds = np.random.default_rng([plan.seed, 2]).integers(2 ** 31, size=wanted).tolist()
    asked = {**arguments, "bars": math.ceil(1.5 * plan.bars)}  # so that it is cut at a phrase end, as the others are
    pieces, reason = composed(model, seeds, asked, progress)
    usual = Counter(len(voices(piece)) for _, piece in pieces if piece.note_num()).most_common(1)
    good = [(seed, piece) for seed, piece in pieces if usual and usable(piece, usual[0][0], plan.bars)]
    if len(good) < count:
        told = f" ({reason})" if reason else ""
        raise BadInput(f"{word} composed {counted(len(good), 'piece')} of about {plan.bars} bars in {wanted} attempts, "
                       f"too few for {counted(count, 'pair')}{told}; ask for fewer --pairs or --bars")
    return good


def composed(model: Any, seeds: Sequence[int], arguments: dict[str, Any],
             progress: Progress) -> tuple[list[tuple[int, Any]], BadInput | None]:
    """Return (seed, piece) for each seed that leads to a piece, and the first reason for which one did not."""
    if hasattr(model, "generate_many") and len(seeds) > 1:
        pieces = model.generate_many(count=len(seeds), seed=list(seeds), progress=progress, **arguments)
        return list(zip(seeds, pieces, strict=True)), None
    found, reason = [], None
    for number, seed in enumerate(seeds):
        progress(number / len(seeds), f"piece {number + 1}")
        try:
            found.append((seed, model.generate(seed=seed, **arguments)))
        except BadInput as error:
            reason = reason or error
    return found, reason


def candidates(held: HeldOut, word: str, voice_count: int | None, wanted_bars: int, most: float,
               least: int) -> list[Any]:
    """Return held-out items with as many voices (none = any) that are long enough, in their order, ``most`` at most.

    Raises:
        BadInput: there are fewer than ``least``.
    """
    found: list[Any] = []
    seen, longest = 0, []
    for item in held:
        seen += 1
        count = len(voices(item.content))
        longest += [whole_bars(item.content)] if voice_count in (None, count) else []
        if usable(item.content, voice_count or count, wanted_bars):
            found.append(item)
        if len(found) >= most:
            return found
    if not seen:
        raise held.none_left(word)
    told = f" with {counted(voice_count, 'voice')}" if voice_count else ""
    if not longest:
        raise BadInput(f"none of the {counted(seen, 'held-out piece')} of {held.name} has "
                       f"{counted(voice_count or 0, 'voice')}, as those of {word} have; name music for as many voices "
                       "with --on DATA")
    if len(found) < least:
        enough = sorted(longest)[-least] if len(longest) >= least else 0
        way = f"--bars {enough}" if 0 < enough < wanted_bars else f"--pairs {len(found)}" if found else "shorter --bars"
        raise BadInput(f"{held.name} has {counted(len(found), 'held-out piece')}{told} and about {wanted_bars} bars, "
                       f"too few for {counted(least, 'pair')}; ask for {way}")
    return found


def composed_pairs(plan: Plan, word: str, made: Sequence[tuple[int, Any]], count: int, held: HeldOut) -> list[Pair]:
    """Return pairs of pieces that the model composed and held-out ones."""
    voice_count = len(voices(made[0][1]))
    items = candidates(held, word, voice_count, plan.bars, 3 * len(made) + 20, count)
    found = []
    for (seed, piece), item in matched(made, items, count, plan.bars):
        both = alike(item.content, piece, plan.bars)
        found.append(Pair(FULL, both.first, both.second, both.cut, item.name, f"seed {seed}"))
    return found


def matched(made: Sequence[tuple[int, Any]], items: Sequence[Any], count: int,
            wanted_bars: int) -> list[tuple[tuple[int, Any], Any]]:
    """Return ``count`` pairs of a composed piece and an item, each used once, as they come.

    First those of the same meter and mode whose phrases end together and whose registers meet in one key, then those
    whose phrases end together, those of the same meter and mode, of the same meter, and what is left.
    """
    left = [(item, Traits.of(item.content, wanted_bars)) for item in items]
    open_ = [(each, Traits.of(each[1], wanted_bars)) for each in made]
    found: list[tuple[tuple[int, Any], Any]] = []
    for likeness in (4, 3, 2, 1, 0):
        for entry in list(open_):
            place = next((n for n, (_, other) in enumerate(left) if entry[1].likeness(other) >= likeness), None)
            if place is not None and len(found) < count:
                found.append((entry[0], left.pop(place)[0]))
                open_.remove(entry)
    return found


@dataclass(frozen=True)
class Traits:
    """What two pieces of a pair should share.

    Attributes:
        meter: its meter.
        mode: "major" or "minor"; "" without a key.
        height: mean pitch above the tonic of its key signature, within an octave (semitones); 0 without a key.
        ends: where its excerpt may end, in beats.
    """

    meter: tuple[int, int]
    mode: str
    height: float
    ends: tuple[float, ...]

    @classmethod
    def of(cls, score: Any, wanted_bars: int) -> Traits:
        """Find them in a piece."""
        tonic = major_tonic(score)
        mode = "" if tonic is None else key_of(score)[0].mode
        height = 0.0 if tonic is None else (mean_pitch(score) - tonic) % 12
        return cls(meter(score), mode, height, tuple(possible_ends(score, wanted_bars)))

    def likeness(self, other: Traits) -> int:
        """Return 4 where all is alike, 3 where registers differ, 2 where ends differ, 1 for the same meter, else 0."""
        if self.meter != other.meter:
            return 0
        if self.mode != other.mode:
            return 1
        if not any(abs(a - b) <= STRETCH_BEATS for a in self.ends for b in other.ends):
            return 2
        apart = abs((self.height - other.height + 6) % 12 - 6)
        return 4 if apart <= REGISTER_SEMITONES else 3


def harmonised_pairs(plan: Plan, model: Any, arguments: dict[str, Any], kinds: Sequence[str], items: Sequence[Any],
                     word: str, progress: Progress) -> list[Pair]:
    """Return pairs of a held-out piece and the same piece with voices that the model filled in."""
    seeds = np.random.default_rng([plan.seed, 3]).integers(2 ** 31, size=len(kinds)).tolist()
    found: list[Pair] = []
    reason: BadInput | None = None
    for item in items:
        if len(found) == len(kinds):
            break
        kind, seed = kinds[len(found)], seeds[len(found)]
        progress(len(found) / len(kinds), f"filling in {item.name}")
        try:
            filled = fill(model, item.content, kind, seed, arguments)
            check_filled(item, filled, kind, word)
            filled.markers = item.content.markers
            both = alike(item.content, filled, plan.bars, in_place=True)
        except BadInput as error:
            reason = reason or error
            continue
        found.append(Pair(kind, both.first, both.second, both.cut, item.name, f"seed {seed}"))
    if len(found) < len(kinds):
        raise reason or BadInput(f"there are too few held-out pieces to fill in; ask for --pairs {plan.pairs // 2}")
    return found


def fill(model: Any, score: Any, kind: str, seed: int, arguments: dict[str, Any]) -> Any:
    """Return a piece with voices that the model composed; it is told which ones are given, where it asks for that."""
    places = GIVEN[kind]
    asked = inspect.signature(model.harmonize).parameters
    told = {"given": ",".join(VOICE_NAMES[place].lower() for place in places)} if "given" in asked else {}
    return model.harmonize(given_voices(score, places), seed=seed, **{**told, **arguments})


def check_filled(item: Any, filled: Any, kind: str, word: str) -> None:
    """Raise `BadInput` where a piece does not have four voices now, or one that was given is not as it was."""
    lines = voices(filled)
    if len(lines) != 4:
        raise BadInput(f"{word} filled {item.name} up to {counted(len(lines), 'voice')} instead of 4")
    for place in GIVEN[kind]:
        notes = [sorted((note.time, note.duration, note.pitch) for note in track.notes)
                 for track in (voices(item.content)[place], lines[place])]
        if notes[0] != notes[1]:
            raise BadInput(f"{word} changed the {VOICE_NAMES[place].lower()} of {item.name}, which was given")


def given_voices(score: Any, places: Sequence[int]) -> Any:
    """Return the score with some of its voices only, numbered from the top."""
    part = score.copy()
    kept = voices(score)
    part.tracks = type(score.tracks)([kept[place].copy() for place in places])
    return part


def questions(count: int, repeats: int, seed: int) -> list[Question]:
    """Return the questions in order: every pair once, the held-out piece first in half of them, and the repetitions.

    A repetition has its sides swapped, and comes at least `GAP` questions after the first, where there is room.
    """
    rng = np.random.default_rng([seed, 4])
    sides = rng.permutation(np.arange(count) % 2 == int(rng.integers(2)))
    asked = [Question(int(pair), bool(side)) for pair, side in zip(rng.permutation(count), sides, strict=True)]
    early = asked[:max(repeats, count - GAP)]
    for place in rng.permutation(len(early))[:repeats]:
        first = early[place]
        earliest = min(asked.index(first) + GAP + 1, len(asked))
        asked.insert(int(rng.integers(earliest, len(asked) + 1)), Question(first.pair, not first.human_first, True))
    return asked
