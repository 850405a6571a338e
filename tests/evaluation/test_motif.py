from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from componium.evaluation.motif import line_of, melody, recurrence, repeated_bars
from componium.music.score import Note, Track, new_score

MOTIF = [(0, 60), (24, 62), (36, 65), (48, 59), (60, 67)]
"""(start in 1/24 beat, pitch), five notes that resemble nothing else."""


def filler(seed, count):
    """Notes with no motif: ever larger gaps."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(7 + 5 * np.arange(count) + 1000 * seed)
    return list(zip(starts.tolist(), rng.integers(40, 90, count).tolist(), strict=True))


def line(*parts):
    """One part after the other, three beats apart."""
    starts, pitches, end = [], [], 0
    for part in parts:
        starts += [end + start for start, _ in part]
        pitches += [pitch for _, pitch in part]
        end = starts[-1] + 72
    return np.array(pitches), np.array(starts)


def shares(*parts):
    pitches, starts = line(*parts)
    return recurrence(pitches, starts)


def moved(semitones, part=tuple(MOTIF)):
    return [(start, pitch + semitones) for start, pitch in part]


def test_a_motif_that_comes_again_covers_its_notes():
    found = shares(filler(1, 6), MOTIF, filler(2, 4), MOTIF)
    assert found == {"exact": 0.5, "transposed": 0.5, "varied": 0.5}


def test_a_transposed_motif_is_not_an_exact_one():
    found = shares(filler(1, 6), MOTIF, filler(2, 4), moved(5))
    assert found == {"exact": 0.0, "transposed": 0.5, "varied": 0.5}


def test_a_sequence_within_the_key_is_varied():
    # the motif one scale step higher in C major: D E G C A becomes 62 64 67 60 69
    found = shares(filler(1, 6), MOTIF, filler(2, 4), [(0, 62), (24, 64), (36, 67), (48, 60), (60, 69)])
    assert found == {"exact": 0.0, "transposed": 0.0, "varied": 0.5}


@pytest.mark.parametrize("varied", [
    [(0, 60), (24, 62), (36, 66), (48, 59), (60, 67)],
    [(0, 60), (24, 62), (40, 65), (48, 59), (60, 67)],
], ids=["another pitch", "another time"])
def test_one_note_may_be_another(varied):
    assert shares(filler(1, 6), MOTIF, filler(2, 4), moved(3, varied)) == {
        "exact": 0.0, "transposed": 0.0, "varied": 0.5}


def test_one_note_may_be_added():
    ornamented = [*MOTIF[:2], (30, 64), *MOTIF[2:]]
    assert shares(filler(1, 6), MOTIF, filler(2, 5), ornamented)["varied"] == 11 / 22


def test_two_notes_may_not():
    changed = [(0, 60), (24, 71), (36, 50), (48, 59), (60, 67)]
    assert shares(filler(1, 6), MOTIF, filler(2, 4), changed) == dict.fromkeys(("exact", "transposed", "varied"), 0.0)


def test_another_rhythm_is_another_motif():
    slower = [(2 * start, pitch) for start, pitch in MOTIF]
    assert shares(filler(1, 6), MOTIF, filler(2, 4), slower)["varied"] == 0.0


def test_windows_that_share_notes_are_no_repetition():
    # a scale of nine notes: every window is the transposition of the next, none of one without common notes
    pitches, starts = np.arange(60, 78, 2), np.arange(9) * 24
    assert math.isnan(recurrence(pitches, starts)["exact"])
    pitches, starts = np.append(pitches, 40), np.append(starts, 9 * 24)
    assert recurrence(pitches, starts) == dict.fromkeys(("exact", "transposed", "varied"), 0.0)


def slow_varied(pitches, starts, notes=5):
    """Pairs of windows compared one by one: an independent calculation of what may be another, added or left out."""
    def shape(places):
        return [(pitches[p] - pitches[places[0]], starts[p] - starts[places[0]]) for p in places]

    def one_less(places):
        return [shape(places[:k] + places[k + 1:]) for k in range(1, len(places) - 1)]

    names = {0: 0, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 4, 8: 5, 9: 5, 10: 6, 11: 6}

    def steps(places):
        jumps = [pitches[b] - pitches[a] for a, b in itertools.pairwise(places)]
        return [(7 * (abs(j) // 12) + names[abs(j) % 12]) * (1 if j > 0 else -1) for j in jumps]

    covered = set()
    for width in (notes, notes + 1):
        for a in range(len(pitches) - width + 1):
            for b in range(len(pitches) - notes + 1):
                first, second = list(range(a, a + width)), list(range(b, b + notes))
                if set(first) & set(second):
                    continue
                if width == notes:
                    same_times = [s for _, s in shape(first)] == [s for _, s in shape(second)]
                    alike = (same_times and steps(first) == steps(second)) or any(
                        one in one_less(second) for one in one_less(first))
                else:
                    alike = shape(second) in one_less(first)
                if alike:
                    covered |= set(first) | set(second)
    return len(covered) / len(pitches)


@pytest.mark.parametrize("seed", range(4))
def test_a_slow_calculation_agrees(seed):
    rng = np.random.default_rng(seed)
    pitches = 60 + rng.choice([0, 2, 4, 5], 70)
    starts = np.cumsum(rng.choice([12, 24], 70, p=[0.1, 0.9]))
    found = recurrence(pitches, starts)
    assert found["varied"] == pytest.approx(slow_varied(pitches.tolist(), starts.tolist()))
    assert found["exact"] <= found["transposed"] <= found["varied"]
    assert 0.0 < found["varied"] < 1.0


def score_of(*bar_pitches, voices=1):
    score = new_score()
    for voice in range(voices):
        track = Track(f"Voice {voice + 1}", 0, False)
        for bar, pitches in enumerate(bar_pitches):
            for beat, pitch in enumerate(pitches):
                track.notes.append(Note(4.0 * bar + beat, 1.0, pitch - 12 * voice, 80))
        score.tracks.append(track)
    return score


def test_bars_that_come_again():
    score = score_of([60, 62, 64, 65], [67, 69, 71, 72], [60, 62, 64, 65], [62, 64, 66, 67], [50, 80, 51, 79], voices=2)
    assert repeated_bars(score) == {"exact": 2 / 5, "transposed": 4 / 5}


def test_a_bar_whose_notes_last_otherwise_is_another_bar():
    score = score_of([60, 62, 64, 65], [60, 62, 64, 65])
    assert repeated_bars(score)["exact"] == 1.0
    score.tracks[0].notes[5].duration = 0.5
    assert repeated_bars(score)["exact"] == 0.0


def test_one_bar_has_nothing_to_repeat():
    assert math.isnan(repeated_bars(score_of([60, 62]))["exact"])


def test_the_melody_is_the_top_voice_or_the_skyline():
    two = score_of([60, 62], [64, 65], voices=2)
    assert line_of(melody(two))[0].tolist() == [60, 62, 64, 65]
    chords = new_score()
    chords.tracks.append(Track("Piano", 0, False))
    chords.tracks[0].notes.extend(Note(float(beat), 1.0, pitch, 80) for beat in range(3) for pitch in (48, 60 + beat))
    assert line_of(melody(chords))[0].tolist() == [60, 61, 62]
