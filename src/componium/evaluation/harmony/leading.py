"""The rules of part-writing between and within voices, each as the places where it is broken.

Every function takes a `Texture` and returns `Found`: the slices and voices, from which both the rates and the list for
the reader are made. The rules are those of Kostka and Payne, Tonal Harmony (chapters 5 and 6), and Aldwell and
Schachter, Harmony and Voice Leading (chapters 5 and 6), made exact here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from componium.evaluation.harmony.texture import Flags, Ints, Texture
from componium.music.grid import REST
from componium.music.keys import Key

RANGES = ((60, 79), (55, 74), (48, 67), (40, 60))
"""Lowest and highest MIDI pitch of soprano (C4 to G5), alto (G3 to D5), tenor (C3 to G4), bass (E2 to C4): Kostka
and Payne, chapter 5."""
STEP_SEMITONES = 2
FIFTH, OCTAVE = 7, 0
"""Interval classes in semitones; the octave stands for unisons and double octaves too."""


@dataclass(frozen=True, eq=False)
class Found:
    """Places in a texture.

    Attributes:
        slices: [places], the slice where each is heard (of a move: the second one), ascending.
        uppers: [places], the voice, or the higher of two by its place in the score.
        lowers: [places], the other voice; the same as ``uppers`` where there is only one.
    """

    slices: Ints
    uppers: Ints
    lowers: Ints

    def __len__(self) -> int:
        return len(self.slices)

    @classmethod
    def pairs(cls, flags: Flags, uppers: Ints, lowers: Ints, later: int = 0) -> Found:
        """Return where ``flags`` [slices, pairs] are set, ``later`` slices further on."""
        slices, pairs = np.nonzero(flags)
        return cls(slices + later, uppers[pairs], lowers[pairs])

    @classmethod
    def joined(cls, several: Sequence[Found]) -> Found:
        """Return the places of several, ascending."""
        slices = np.concatenate([each.slices for each in several])
        order = np.argsort(slices, kind="stable")
        return cls(slices[order], np.concatenate([each.uppers for each in several])[order],
                   np.concatenate([each.lowers for each in several])[order])


def consecutives(texture: Texture, interval: int, *, contrary: bool = False) -> Found:
    """Return the consecutive perfect intervals of a kind (`FIFTH` or `OCTAVE`) between any two voices.

    In two slices that follow each other within a phrase both voices sound, both change their pitch class, and they form
    the interval both times, octaves reduced: an octave followed by a unison counts, a twelfth is a fifth. Both move in
    the same direction, or, if ``contrary``, in opposite ones. So neither a repeated nor a held fifth counts, nor one
    whose voices both leap by an octave, nor a perfect fifth beside a diminished one, nor what a rest or a phrase end
    separates. MIDI does not tell a fifth from a diminished sixth: both have seven semitones.
    """
    uppers, lowers = _every_pair(texture)
    before, after = texture.pitches[:-1], texture.pitches[1:]
    steps = np.where(texture.moving & ((after - before) % 12 != 0), after - before, 0)
    directions = np.sign(steps[:, uppers]) * np.sign(steps[:, lowers])
    perfect = (_classes(before, uppers, lowers) == interval) & (_classes(after, uppers, lowers) == interval)
    return Found.pairs(perfect & (directions == (-1 if contrary else 1)), uppers, lowers, 1)


def direct_intervals(texture: Texture) -> Found:
    """Return the direct (hidden) fifths and octaves of the outer voices.

    The first and the last voice move in the same direction to a perfect fifth, octave or unison (octaves reduced) that
    they did not form before, and the first leaps: by more than a whole tone.
    """
    upper, lower = np.asarray([0]), np.asarray([texture.pitches.shape[1] - 1])
    before, after = texture.pitches[:-1], texture.pitches[1:]
    steps = np.where(texture.moving, after - before, 0)
    same_way = np.sign(steps[:, upper]) * np.sign(steps[:, lower]) == 1
    there, here = _classes(before, upper, lower), _classes(after, upper, lower)
    perfect = ((here == FIFTH) | (here == OCTAVE)) & (there != here)
    return Found.pairs(same_way & perfect & (np.abs(steps[:, upper]) > STEP_SEMITONES), upper, lower, 1)


def crossings(texture: Texture) -> Found:
    """Return the chords in which a voice is lower than one that belongs below it; a unison is no crossing."""
    uppers, lowers = _every_pair(texture)
    high, low = texture.pitches[:, uppers], texture.pitches[:, lowers]
    crossed = (high < low) & (high != REST) & (low != REST)
    return Found.pairs(crossed & texture.chords[:, None], uppers, lowers)


def overlaps(texture: Texture) -> Found:
    """Return where a voice moves beyond the pitch that its neighbour had just before.

    Neighbours are voices next to each other in the score. The lower one moves to a pitch above the last one of the
    upper, or the upper below the last one of the lower, both sounding in both slices, within a phrase. Where the two
    cross, before or after, it is a crossing and not counted here.
    """
    uppers = np.arange(texture.pitches.shape[1] - 1)
    lowers = uppers + 1
    high, low, moving = texture.pitches[:, uppers], texture.pitches[:, lowers], texture.moving
    heard = (texture.sounding[:, uppers] & texture.sounding[:, lowers])
    clean = heard & (high >= low)
    beyond = (moving[:, lowers] & (low[1:] > high[:-1])) | (moving[:, uppers] & (high[1:] < low[:-1]))
    return Found.pairs(beyond & clean[1:] & clean[:-1], uppers, lowers, 1)


def wide_spacings(texture: Texture) -> Found:
    """Return the chords in which neighbouring upper voices are more than an octave apart; the two lowest may be."""
    uppers = np.arange(max(texture.pitches.shape[1] - 2, 0))
    lowers = uppers + 1
    high, low = texture.pitches[:, uppers], texture.pitches[:, lowers]
    wide = (np.abs(high - low) > 12) & (high != REST) & (low != REST)
    return Found.pairs(wide & texture.chords[:, None], uppers, lowers)


def out_of_range(texture: Texture) -> Found:
    """Return the notes outside `RANGES`; none where the voices are not soprano, alto, tenor and bass."""
    voices = np.arange(texture.pitches.shape[1])
    if not texture.sung:
        return Found.pairs(np.zeros(texture.pitches.shape, bool), voices, voices)
    low, high = np.asarray(RANGES).T
    outside = (texture.pitches < low) | (texture.pitches > high)
    return Found.pairs(outside & texture.struck, voices, voices)


def forbidden_leaps(texture: Texture, key: Key) -> Found:
    """Return the melodic intervals that part-writing avoids, at their second note.

    Within a phrase and without a rest between: a seventh (10 or 11 semitones), more than an octave, a tritone (6) that
    the voice does not leave by a step in the opposite direction (so a diminished fifth that resolves is free), and in a
    minor key the augmented second between its sixth degree and the leading note.
    """
    voices = np.arange(texture.pitches.shape[1])
    before, after = texture.pitches[:-1], texture.pitches[1:]
    steps = np.where(texture.moving, after - before, 0)
    size = np.abs(steps)
    leap = (size == 10) | (size == 11) | (size > 12)
    leap |= (size == 6) & ~_turns_back(texture, steps)
    if key.is_minor:
        degrees = (before - key.tonic_pitch_class) % 12
        later = (after - key.tonic_pitch_class) % 12
        leap |= (size == 3) & (((degrees == 8) & (later == 11)) | ((degrees == 11) & (later == 8)))
    return Found.pairs(leap, voices, voices, 1)


def interval_count(texture: Texture) -> int:
    """Return the number of melodic intervals: changes of pitch in a voice, within a phrase and without a rest."""
    return int(texture.moving.sum())


def next_change(texture: Texture, slices: Ints, voices: Ints) -> tuple[Ints, Ints]:
    """Return (slice, step in semitones) of the next change of pitch of a voice after a slice.

    The step is 0 where the voice rests, or the phrase or the piece ends, before it changes; the slice is then the one
    where that is, at most the last.
    """
    pitches, count = texture.pitches, len(texture.pitches)
    new = np.ones((count + 1, pitches.shape[1]), bool)
    new[1:-1] = (pitches[1:] != pitches[:-1]) | ~texture.joined[:, None]
    following = np.where(new, np.arange(count + 1)[:, None], count)
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    places = following[slices + 1, voices]
    inside = np.minimum(places, count - 1)
    there, here = pitches[inside, voices], pitches[slices, voices]
    known = (places < count) & (texture.phrase[inside] == texture.phrase[slices]) & (there != REST)
    return inside, np.where(known, there - here, 0)


def _turns_back(texture: Texture, steps: Ints) -> Flags:
    """Return which intervals, [slices - 1, voices], are followed by a step in the opposite direction."""
    turning = np.zeros(steps.shape, bool)
    moves, voices = np.nonzero(steps)
    _, following = next_change(texture, moves + 1, voices)
    back = (np.sign(following) == -np.sign(steps[moves, voices])) & (np.abs(following) <= STEP_SEMITONES)
    turning[moves, voices] = back
    return turning


def _every_pair(texture: Texture) -> tuple[Ints, Ints]:
    uppers, lowers = np.triu_indices(texture.pitches.shape[1], 1)
    return uppers.astype(np.int64), lowers.astype(np.int64)


def _classes(pitches: Ints, uppers: Ints, lowers: Ints) -> Ints:
    """Return the interval of each pair in each slice in semitones, octaves reduced, whichever voice is higher."""
    return np.asarray(np.abs(pitches[:, uppers] - pitches[:, lowers]) % 12)
