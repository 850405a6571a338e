"""Staves: one or two, their clefs, and the voices on them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from componium.music.score import Note, Track
from componium.music.staves import BASS, DRUMS, HAND_SEMITONES, HIGH, LOW, TENOR, TREBLE, Head, clef, staves


def part(notes: list[tuple[float, float, int]], name: str = "", program: int = 0, drums: bool = False):
    track = Track(name, program, drums)
    for time, length, pitch in notes:
        track.notes.append(Note(time, length, pitch, 80))
    heads = [Head(n, Fraction(t), Fraction(t) + Fraction(d), p, 80) for n, (t, d, p) in enumerate(notes)]
    return track, sorted(heads, key=lambda head: (head.start, head.pitch, head.index))


@pytest.mark.parametrize(("name", "program", "pitch", "expected"), [
    ("Flute", 73, 79, TREBLE), ("Cello", 42, 45, BASS), ("Tenor", 52, 57, TENOR), ("Bass", 32, 38, LOW),
    ("Guitar", 24, 57, TENOR), ("Piccolo", 72, 96, HIGH), ("Tenor", 52, 40, BASS), ("", 0, 60, TREBLE)])
def test_clefs(name: str, program: int, pitch: int, expected: tuple[str, int, int]) -> None:
    assert clef(part([(0, 1, pitch)], name, program)[0]) == expected


def piano() -> list[tuple[float, float, int]]:
    return [(b, 1, p) for b in range(8) for p in (43, 50, 55)] + [(b / 2, 0.5, 67 + b % 5) for b in range(16)]


def test_a_keyboard_part_stands_on_two_staves_and_hands_reach() -> None:
    found = staves(*part(piano()))
    assert [staff.clef for staff in found] == [TREBLE, BASS]
    high, low = ([head.pitch for voice in staff.voices for chord in voice for head in chord.heads] for staff in found)
    assert set(low) == {43, 50, 55} and min(high) == 67
    assert len(found[0].voices) == len(found[1].voices) == 1  # chords, not a voice for each note
    assert len(staves(*part([(0, 1, 36), (1, 1, 84), (2, 1, 36)]))) == 1  # one note at a time: one staff


def test_wide_arpeggios_are_shared_by_the_hands() -> None:
    notes = [(b, 1, p) for b in range(6) for p in (40, 47, 52, 59, 64, 71, 76)]
    for staff in staves(*part(notes)):
        for chord in staff.voices[0]:
            assert chord.heads[-1].pitch - chord.heads[0].pitch <= HAND_SEMITONES + 10


def test_voices_never_overlap_hold_every_note_and_one_line_stays_one_voice() -> None:
    rng = np.random.default_rng(3)
    notes = [(float(t) / 4, float(d) / 4, int(p)) for t, d, p in
             zip(rng.integers(0, 60, 200), rng.integers(1, 8, 200), rng.integers(60, 84, 200), strict=True)]
    track, heads = part(notes)
    found = staves(track, heads)
    placed = [head for staff in found for voice in staff.voices for chord in voice for head in chord.heads]
    assert sorted(head.index for head in placed) == list(range(200))
    for staff in found:
        for voice in staff.voices:
            assert all(one.end <= two.start for one, two in itertools.pairwise(voice))
    held = [(0, 4, 72), *((b, 1, 64 + b) for b in range(4)), *((4 + b, 1, 65 + b) for b in range(4))]
    upper, lower = staves(*part(held))[0].voices
    assert [chord.heads[0].pitch for chord in upper] == [72, 65, 66, 67, 68]
    assert [chord.heads[0].pitch for chord in lower] == [64, 65, 66, 67]


def test_drums_have_a_voice_for_the_hands_and_one_for_the_feet() -> None:
    notes = [(0, 0.1, 36), (0, 3, 49), (0, 0.5, 42), (0.5, 0.5, 42), (1, 0.1, 38), (2, 0.1, 36)]
    (staff,) = staves(*part(notes, drums=True))
    hands, feet = staff.voices
    assert staff.clef == DRUMS
    assert [(c.start, c.end, [h.pitch for h in c.heads]) for c in hands] == \
        [(0, Fraction(1, 2), [42, 49]), (Fraction(1, 2), 1, [42]), (1, 2, [38])]
    assert [(c.start, c.end) for c in feet] == [(0, 1), (2, 3)]


def test_nothing_to_write() -> None:
    assert staves(*part([]))[0].voices == ((),)
    assert staves(*part([], drums=True))[0].voices == ((),)
