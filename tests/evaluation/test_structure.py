from __future__ import annotations

import itertools
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation import structure
from componium.evaluation.structure import (
    MEASURES,
    chroma,
    evaluate,
    frame_beats,
    grooving_similarity,
    lbdm_boundaries,
    phrase_ends,
    phrases,
    similarity,
    structureness,
)
from componium.music.corpus import open_corpus
from componium.music.errors import BadInput
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    Note,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
    length_beats,
    new_score,
    seconds_at,
    set_pickup,
    transpose,
)

BEATS = 16


def section(rng):
    """16 beats of random notes in two voices."""
    notes, when = [], 0.0
    while when < BEATS:
        lasting = min(float(rng.choice([0.5, 1.0, 2.0])), BEATS - when)
        notes += [(when, lasting, base + int(rng.choice([0, 2, 4, 5, 7, 9, 11]))) for base in (60, 48)]
        when += lasting
    return notes


def piece(form, seed=0, *, tempo_bpm=120.0):
    """Sections of 8 seconds; equal letters are equal music."""
    rng = np.random.default_rng(seed)
    sections = {letter: section(rng) for letter in sorted(set(form))}
    score = new_score(tempo_bpm=tempo_bpm)
    score.tracks.append(Track("Piano", 0, False))
    score.tracks[0].notes.extend(Note(start + BEATS * place, lasting, pitch, 80)
                                 for place, letter in enumerate(form) for start, lasting, pitch in sections[letter])
    return score


def tune(*notes, numerator=4, denominator=4):
    """A melody of (pitch, beats); a pitch of 0 is a rest."""
    score = new_score(numerator=numerator, denominator=denominator)
    score.tracks.append(Track("Melody", 0, False))
    when = 0.0
    for pitch, lasting in notes:
        if pitch:
            score.tracks[0].notes.append(Note(when, lasting, pitch, 80))
        when += lasting
    return score


# Structureness

def test_what_comes_back_makes_structure_and_what_does_not_makes_little():
    for seed in range(3):
        repeated, random = structureness(piece("AABA", seed)), structureness(piece("ABCD", seed))
        for name in ("structureness_3_8", "structureness_8_15"):
            assert repeated[name] > 0.5 > 0.4 > random[name]
        assert repeated["structureness_15"] > random["structureness_15"]


@pytest.mark.parametrize("times", [2, 4, 6])
def test_a_section_of_8_seconds_that_comes_n_times(times):
    found = structureness(piece("A" * times))
    assert found["structureness_8_15"] == pytest.approx((times - 1) / times, abs=0.02)


def test_a_long_form_has_long_structure():
    assert structureness(piece("ABCABC"))["structureness_15"] == pytest.approx(0.5, abs=0.05)
    assert structureness(piece("ABCDEF"))["structureness_15"] < 0.25


def test_a_repetition_in_another_key_is_a_repetition():
    plain, moved = piece("ABAB"), piece("ABAB")
    changed = transpose(moved, 5)
    half = [note for note in moved.tracks[0].notes if note.time < 2 * BEATS]
    half += [note for note in changed.tracks[0].notes if note.time >= 2 * BEATS]
    moved.tracks[0].notes = type(moved.tracks[0].notes)(half)
    assert structureness(moved)["structureness_8_15"] == pytest.approx(
        structureness(plain)["structureness_8_15"], abs=0.06)


def test_octave_voice_and_dynamics_do_not_count():
    plain = structureness(piece("ABA"))
    other = piece("ABA")
    for note in other.tracks[0].notes:
        note.velocity = 20
        note.pitch = note.pitch + (12 if note.time > 20 else 0)
    assert structureness(other) == pytest.approx(plain, nan_ok=True)


def test_seconds_follow_the_tempo():
    slow = structureness(piece("AA", tempo_bpm=60.0))
    assert slow["structureness_15"] > 0.4
    assert math.isnan(structureness(piece("AA"))["structureness_15"])  # 16 seconds: nothing of 15 can come back
    stated, unstated = piece("AABA"), piece("AABA")
    unstated.tempos.clear()
    assert structureness(stated) == structureness(unstated)


def test_times_in_seconds_through_changes_of_tempo():
    score = tune((60, 8.0))
    score.tempos.clear()
    score.tempos.append(Tempo(2.0, qpm=60.0))
    score.tempos.append(Tempo(4.0, qpm=240.0))
    np.testing.assert_allclose(seconds_at(score, [0.0, 1.0, 2.0, 3.0, 4.0, 8.0]), [0, 0.5, 1, 2, 3, 4], atol=1e-5)


def test_frames_are_near_half_a_second_and_few():
    assert frame_beats(piece("AA")) == 1.0
    assert frame_beats(piece("AA", tempo_bpm=60.0)) == 0.5
    assert frame_beats(tune((60, 6.0), numerator=6, denominator=8)) == 0.75
    long = tune((60, 100_000.0))
    assert 300 <= length_beats(long) / frame_beats(long) <= 600


def test_chroma_is_how_long_each_pitch_class_sounds():
    score = tune((60, 1.5), (0, 1.5), (64, 0.5), (76, 0.5))
    score.tracks[0].notes.append(Note(0.0, 1.0, 67, 80))
    found = chroma(score, 1.0)
    expected = np.zeros((4, 13))
    expected[0, [0, 7]] = 1 / math.sqrt(2)
    expected[1, 0] = expected[3, 4] = expected[2, 12] = 1.0
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_slow_calculation_of_the_similarity_agrees():
    features = chroma(piece("AB"), 1.0)
    size, width = len(features), 5

    def average(semitones, row, column, direction):
        total = 0.0
        for step in range(width):
            r, c = row + direction * step, column + direction * step
            if 0 <= r < size and 0 <= c < size:
                total += features[r, 12] * features[c, 12] + sum(
                    features[r, p] * features[c, (p - semitones) % 12] for p in range(12))
        return total / width

    plain = np.array([[max(average(k, r, c, d) for k in range(12) for d in (1, -1)) for c in range(size)]
                      for r in range(size)])
    threshold = np.quantile(plain, 0.75)
    expected = np.where(plain >= threshold - 1e-12, (plain - threshold) / (plain.max() - threshold), -2.0)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(similarity(features, width), expected, atol=1e-9)


def test_speed():
    for form, limit in (("ABAC", 0.2), ("ABACABAD", 1.0)):
        score, begin = piece(form), time.process_time()
        structureness(score)
        assert time.process_time() - begin < 3 * limit  # a shared machine


# Grooving

def test_grooving_similarity_by_hand():
    # onsets 1000 1000 1000 1000 and 1000 1000 1010 1000: one place of 16 differs
    score = tune((60, 1), (60, 1), (60, 1), (60, 1), (60, 1), (60, 1), (60, 0.5), (62, 0.5), (60, 1))
    assert grooving_similarity(score) == pytest.approx(15 / 16)


def test_all_pairs_of_bars_count():
    rng = np.random.default_rng(1)
    score = new_score(numerator=3)
    onsets = rng.random((7, 12)) < 0.4
    onsets[:, 0] = True
    score.tracks.append(Track("Drums", 0, True))
    for bar, step in np.argwhere(onsets):
        score.tracks[0].notes.append(Note(3.0 * bar + step / 4, 0.25, 40, 80))
    expected = np.mean([1 - np.mean(a != b) for a, b in itertools.combinations(onsets, 2)])
    assert grooving_similarity(score) == pytest.approx(expected)


def test_a_little_late_is_on_time_and_a_pickup_is_no_bar():
    score = tune(*[(60, 1)] * 13)
    score = set_pickup(score, 1.0)
    for number, note in enumerate(score.tracks[0].notes):
        note.time = note.time + (0.04 if number % 2 else -0.04) * (number > 0)
    assert grooving_similarity(score) == 1.0


def test_without_a_meter_there_are_no_bars():
    score = tune(*[(60, 1)] * 8)
    score.time_signatures.clear()
    found = evaluate(score)
    assert math.isnan(found["grooving_similarity"])
    assert math.isnan(found["repeated_bars"])
    assert found["phrase_length"] > 0


# Phrases

def test_phrases_end_at_markers_and_fermatas():
    score = set_pickup(tune(*[(60 + k % 5, 1) for k in range(23)]), 1.0)
    score.markers.append(TextMeta(7.0, FERMATA))
    score.markers.append(TextMeta(8.0, PHRASE_END))
    score.markers.append(TextMeta(16.0, PHRASE_END))
    score.markers.append(TextMeta(22.0, FERMATA))
    np.testing.assert_allclose(phrase_ends(score), [8, 16, 23])
    assert phrases(score) == (pytest.approx(23 / 3), pytest.approx(2 / 3))


def test_two_marks_within_a_beat_are_one_end():
    score = tune(*[(60 + k % 5, 1) for k in range(12)])
    score.markers.append(TextMeta(7.0, FERMATA))
    score.markers.append(TextMeta(7.5, PHRASE_END))
    np.testing.assert_allclose(phrase_ends(score), [8.0, 12.0])


def test_a_fermata_at_the_end_alone_divides_nothing():
    notes = [(60, 1), (62, 1), (64, 1), (65, 2), (0, 3), (67, 1), (65, 1), (64, 1), (62, 1), (60, 4)]
    score = tune(*notes)
    score.markers.append(TextMeta(12.0, FERMATA))
    np.testing.assert_allclose(phrase_ends(score), [8.0, 16.0])  # as heard


def test_the_boundary_model_by_its_formula():
    rng = np.random.default_rng(3)
    notes = [(int(rng.integers(55, 75)), float(rng.choice([0.5, 1, 2]))) for _ in range(30)]
    notes[14] = (0, 3.0)
    line = tune(*notes).tracks[0]
    when, pitch, end = ([note.time for note in line.notes], [note.pitch for note in line.notes],
                        [note.end for note in line.notes])
    count, strengths = len(when) - 1, np.zeros(len(when) - 1)
    for weight, of in ((0.25, lambda i: abs(pitch[i + 1] - pitch[i])), (0.5, lambda i: when[i + 1] - when[i]),
                       (0.25, lambda i: max(0.0, when[i + 1] - end[i]))):
        x = [of(i) for i in range(count)]

        def change(a, b):
            return abs(a - b) / (a + b) if a + b else 0.0

        s = [x[i] * ((change(x[i - 1], x[i]) if i else 0.0) + (change(x[i], x[i + 1]) if i + 1 < count else 0.0))
             for i in range(count)]
        strengths += weight * np.array(s) / (max(s) or 1.0)
    around = np.concatenate([[-1.0], strengths, [-1.0]])
    expected = [when[i + 1] for i in range(count) if strengths[i] >= 0.4
                and around[i] < strengths[i] >= around[i + 2]]
    assert len(expected) >= 2
    np.testing.assert_allclose(lbdm_boundaries(line, peak=0.4), expected)


def test_a_piece_without_a_boundary_is_one_phrase():
    length, regularity = phrases(tune(*[(60 + k, 1) for k in range(12)]))
    assert length == 12.0
    assert math.isnan(regularity)


# All of it

def test_every_measure_is_told_of_every_piece():
    names = [measure.name for measure in MEASURES]
    drums = new_score()
    drums.tracks.append(Track("Drums", 0, True))
    drums.tracks[0].notes.extend(Note(float(beat), 0.5, 36, 80) for beat in range(40))
    nothing_held = tune((60, 1), (62, 1))
    for note in nothing_held.tracks[0].notes:
        note.duration = 0.0
    for score in (tune((60, 1)), tune((60, 1), (62, 1)), drums, nothing_held, piece("AABA"), tune((60, 1e5), (62, 4))):
        found = evaluate(score)
        assert list(found) == names
        assert all(isinstance(value, float) for value in found.values())
        assert all(math.isnan(value) or 0 <= value <= 1 for name, value in found.items() if name != "phrase_length")
    assert evaluate(drums)["grooving_similarity"] == 1.0
    assert math.isnan(evaluate(drums)["motif_exact"])
    assert math.isnan(evaluate(drums)["structureness_3_8"])


def test_a_score_without_notes_is_refused():
    with pytest.raises(BadInput, match="no notes"):
        evaluate(new_score())
    with pytest.raises(BadInput, match="no score"):
        evaluate("piece.mid")
    empty = Score(480)
    empty.time_signatures.append(TimeSignature(0.0, 4, 4))
    with pytest.raises(BadInput, match="give a piece with notes"):
        evaluate(empty)


def test_the_argument_is_not_changed():
    score = piece("AABA")
    before = score.copy()
    evaluate(score)
    assert score == before


@pytest.mark.skipif("COMPONIUM_BENCH_DATA" not in os.environ, reason="needs the benchmark data")
def test_bach_has_more_structure_than_bach_in_disorder():
    corpus = open_corpus(Path(os.environ["COMPONIUM_BENCH_DATA"]) / "jsb16" / "valid.json")
    rng = np.random.default_rng(0)
    real, disordered = [], []
    for item in corpus[:12]:
        real.append(evaluate(item.content))
        shuffled = item.content.copy()
        for track in shuffled.tracks:
            for note, pitch in zip(track.notes, rng.permutation([note.pitch for note in track.notes]), strict=True):
                note.pitch = int(pitch)
        disordered.append(evaluate(shuffled))
    for name in ("structureness_3_8", "structureness_8_15", "motif_exact", "motif_transposed", "motif_varied"):
        assert np.nanmean([each[name] for each in real]) > 1.3 * np.nanmean([each[name] for each in disordered]), name


def test_no_frame_of_a_piece_of_hours_is_a_figure_of_seconds():
    found = structure.structureness(tune(*[(60 + k % 7, 100.0) for k in range(200)]))
    assert math.isnan(found["structureness_3_8"])
