from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from componium.evaluation.answering import answering, band_of, call_of, limits
from componium.evaluation.answering_report import MEASURES, ROWS, Estimate
from componium.evaluation.phrases import (
    closure,
    compared,
    contour_similarity,
    copied_notes,
    distance,
    excerpt,
    in_key,
    key_in,
    longest_run,
    meter_correlation,
    metric_profile,
    on_beat,
    phrase_of,
    rhythm_similarity,
    stuck,
)
from componium.music.errors import BadInput
from componium.music.item import Item
from componium.music.keys import Key
from componium.music.score import Note, TimeSignature, Track, new_score, set_pickup

C, A_MINOR = Key.parse("C major"), Key.parse("A minor")
TUNE = [60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 60]
LENGTHS = [1, 1, 1, 1, 1, .5, .5, 2, .5, .5, .5, .5, 2, 1, 3]


def score_of(pitches, lengths=None, *, numerator=4, pickup=0.0):
    score = new_score(tempo_bpm=90, numerator=numerator)
    score.tracks.append(Track("Melody"))
    beat = 0.0
    for pitch, length in zip(pitches, lengths or [1.0] * len(pitches), strict=True):
        if pitch is not None:
            score.tracks[0].notes.append(Note(beat, float(length), pitch, 80))
        beat += length
    return set_pickup(score, pickup) if pickup else score


def phrase(*args, **more):
    return phrase_of(score_of(*args, **more))


CALL = phrase(TUNE, LENGTHS)
EMPTY = phrase([])


def test_a_copy_is_a_copy_and_nothing_is_nothing():
    told = compared(CALL, CALL, C)
    assert {name: told[name] for name in ("in_key", "same_key", "meter_correlation", "contour", "rhythm", "length",
                                          "stuck", "copied")} == pytest.approx(
        {"in_key": 1, "same_key": 1, "meter_correlation": 1, "contour": 1, "rhythm": 1, "length": 1, "stuck": 0,
         "copied": 15})
    told = compared(EMPTY, CALL, C)
    assert set(told) == set(MEASURES)
    assert told["contour"] == told["rhythm"] == told["copied"] == told["longest_run"] == 0
    assert told["stuck"] == 1 and all(math.isnan(told[name]) for name in ("in_key", "same_key", "closure", "on_beat"))


def test_key_by_hand():
    assert in_key(phrase([60, 62, 61, 66]), C) == 0.5
    assert in_key(phrase([69, 68, 67, 65, 66]), A_MINOR) == 0.8, "the leading note is in minor, the raised sixth is not"
    assert key_in(phrase([60, 64, 67, 65, 59, 60])) == C and key_in(EMPTY) is None
    assert compared(phrase([66, 70, 73, 71, 65, 66]), phrase([60, 64, 67, 65, 59, 60]), C)["same_key"] == 0


def test_metric_profile_by_hand():
    profile = metric_profile(phrase([60, 62, 64, 65], [2, 1, .5, .5]))
    assert profile.tolist() == pytest.approx([.5 if n == 0 else .25 if n == 8 else .125 if n in (12, 14) else 0
                                              for n in range(16)])
    assert meter_correlation(CALL, CALL) == pytest.approx(1)
    off = phrase([None, 60, 62, 64], [.25, 1, 1, 1.75])
    assert meter_correlation(off, phrase([60, 62, 64, 65])) < 0
    assert math.isnan(meter_correlation(phrase([60, 62, 64], numerator=3), CALL))


def test_beats_of_simple_and_compound_meters():
    assert on_beat(phrase([60] * 6, [.5] * 6).starts, CALL.bar).tolist() == [True, False] * 3
    jig = new_score(numerator=6, denominator=8)
    jig.tracks.append(Track())
    for step in range(6):
        jig.tracks[0].notes.append(Note(step / 2, 0.5, 60 + step, 80))
    line = phrase_of(jig)
    assert on_beat(line.starts, line.bar).tolist() == [True, False, False, True, False, False]


def test_contour_does_not_hear_transposition_and_hears_an_inversion():
    assert contour_similarity(phrase([p + 5 for p in TUNE], LENGTHS), CALL) == pytest.approx(1)
    upside_down = phrase([120 - p for p in TUNE], LENGTHS)
    assert contour_similarity(upside_down, CALL) < 0.6
    flat = phrase([60] * 16)
    assert contour_similarity(flat, CALL) == 0 and contour_similarity(flat, phrase([67] * 16)) == 1
    assert contour_similarity(phrase([60, 64, 67] * 4, numerator=3), CALL) == 0


def test_the_best_lag_of_whole_bars_is_taken():
    rising, falling = [60, 62, 64, 65], [67, 65, 64, 60]
    one, other = phrase(rising + falling), phrase(falling + rising)
    assert contour_similarity(one, other) == pytest.approx(0.5), "one bar of two meets its like"
    assert contour_similarity(phrase(falling), one) == pytest.approx(1), "a short reply to the second half of a call"
    rests = [60, 62, None, None]
    assert rhythm_similarity(phrase([*rests, 60, 62, 64, 65]), phrase([60, 62, 64, 65, *rests, 60], [1] * 9)) >= 2 / 3


def test_rhythm_by_hand():
    assert rhythm_similarity(phrase([60] * 4), phrase([62] * 4)) == 1
    assert rhythm_similarity(phrase([60] * 4), phrase([60] * 8, [.5] * 8)) == pytest.approx(2 * 4 / 12)
    assert rhythm_similarity(phrase([60] * 12, [1 / 3] * 12), phrase([60] * 4)) == pytest.approx(2 * 4 / 16)
    assert rhythm_similarity(phrase([None, 60, 60], [.25, 2, 1.75]), phrase([60] * 4)) == 0


def test_closure_by_hand():
    assert closure(phrase([62, 64, 60], [1, 1, 2]), C) == (1, 1, 1)
    assert closure(phrase([60, 64, 62], [1, 2.5, .5]), C) == (0, 0, 0)
    assert closure(phrase([62, 64, 60, None], [1, 1, 1, 1]), C) == (1, 1, 1), "a rest after it lengthens it"
    assert closure(phrase([60] * 4), C) == (1, 1, 0)
    assert closure(phrase([62, 63, 61, 60], [1, 1, 1, 1]), A_MINOR)[0] == 1


def test_repetition_and_copies_by_hand():
    assert longest_run(phrase([60, 60, 62, 62, 62, 60])) == 3 and longest_run(EMPTY) == 0
    assert stuck(EMPTY) and stuck(phrase([60] * 9)) and not stuck(phrase([60, 61]))
    assert copied_notes(phrase([50, 51, *TUNE[3:8], 50], [1, 1, *LENGTHS[3:8], 1]), CALL) == 5
    assert copied_notes(phrase([p + 1 for p in TUNE], LENGTHS), CALL) < 2
    assert copied_notes(phrase(TUNE[:4], [.25] * 4), CALL) == 0, "in other lengths it is another tune"


def test_distance_is_of_pitches_and_starts():
    assert distance(CALL, CALL) == 0 and distance(EMPTY, EMPTY) == 0 and distance(EMPTY, CALL) == 1
    assert distance(phrase([60, 62, 64, 65]), phrase([60, 62, 67, 65])) == 0.25


def test_estimates_are_means_with_an_interval():
    values = np.array([0.0, 1.0] * 50 + [np.nan])
    told = Estimate.of(values)
    assert (told.mean, told.median, told.count) == (0.5, 0.5, 100)
    assert told.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02) and told.high == pytest.approx(0.598, abs=0.02)
    assert Estimate.of(np.array([np.nan])) == Estimate(None, None, None, None, 0)


def test_the_band_leaves_repeats_out():
    unrelated, following = np.array([.1, .2, .3]), np.array([.5] * 20 + [1.0] * 20)
    assert limits(unrelated, following, following == 1) == pytest.approx((.2, .5))
    assert limits(unrelated, np.ones(2), np.array([True, True])) == pytest.approx((.2, 1))
    known = {row: {"contour": each, "rhythm": each} for row, each in zip(
        ROWS, (np.array([.1, .3, .9]), following, unrelated, np.ones(3)), strict=True)}
    band = band_of("contour", known)
    assert band.shares["reply"] == pytest.approx((1 / 3, 1 / 3, 1 / 3)) and band.shares["copy"] == (0, 0, 1)


# the protocol

class Partner:
    """Answers with the call moved up by so many semitones; or with a drone, or in silence."""

    name, provenance = "partner", {}

    def respond(self, phrase, *, seed=0, manner: str = "echo"):
        if manner == "refuse":
            raise BadInput("not today")
        made = phrase.copy()
        for number, note in enumerate(made.tracks[0].notes):
            note.pitch = 60 if manner == "drone" else note.pitch + (seed * number % 3 if manner == "vary" else 0)
        if manner == "silence":
            made.tracks[0].notes.clear()
        return made


def piece(name, pitches, lengths=None, **more):
    score = score_of(pitches, lengths, **more)
    return Item(name, "score", score)


@pytest.fixture
def tunes():
    return [piece(f"tune {move}", [p + move for p in TUNE] + [p + move for p in reversed(TUNE)], LENGTHS * 2)
            for move in range(-3, 4)]


def test_an_echo_a_drone_and_silence_are_what_they_are(tunes):
    echo = answering(Partner(), tunes, replies=3, varied=2)
    row = {name: each["reply"].mean for name, each in echo.table.items()}
    assert row["contour"] == row["rhythm"] == row["same_key"] == pytest.approx(1) and row["copied"] == 15
    assert echo.variety["distance"].mean == 0 and echo.variety["distinct"].mean == pytest.approx(1 / 3)
    assert {name: each["copy"] for name, each in echo.table.items()} == {n: e["reply"] for n, e in echo.table.items()}
    assert echo.bands["contour"].shares["reply"][2] == 1 and echo.in_both["reply"] == 0, "an echo is above the band"
    varied = answering(Partner(), tunes, replies=3, varied=2, manner="vary")
    assert varied.variety["distance"].mean > 0.3 and varied.variety["distinct"].mean == 1
    for manner in ("drone", "silence"):
        told = answering(Partner(), tunes, replies=2, varied=1, manner=manner)
        assert told.table["stuck"]["reply"].mean == 1 and told.table["contour"]["reply"].mean == 0
        assert any(note.startswith("WARNING: 100 %") for note in told.notes())
    assert json.loads(json.dumps(echo.to_json()))["protocol"] == "answering"
    assert "calls" not in echo.to_json() and len(echo.rows()) == len(MEASURES) and len(echo.band_rows()) == 3


def test_pieces_that_were_learned_are_left_out_where_there_are_others(tunes):
    tunes = [dataclasses.replace(each, hash=f"hash {number}") for number, each in enumerate(tunes)]
    partner = Partner()
    partner.provenance = {"hashes": ["hash 0", "hash 2", "another"], "fingerprints": []}
    told = answering(partner, tunes, replies=2, varied=1)
    assert told.pieces == 5 and told.seen.endswith("The 2 pieces of the data that it did learn from are left out.")
    assert answering(partner, tunes, replies=2, varied=1, most=3).pieces == 3, "so many of those that are left"
    told = answering(partner, [tunes[0], tunes[2]], replies=2, varied=1)
    assert told.pieces == 2 and told.seen.startswith("WARNING: the model learned from 2 of these 2 pieces")


def test_pieces_that_give_no_call_are_named(tunes):
    short, changing = piece("short", TUNE, LENGTHS), piece("changing", TUNE * 2, LENGTHS * 2)
    changing.content.time_signatures.append(TimeSignature(8.0, 3, 4))
    few = piece("few", [60, 62, 64, 65], [16, 4, 4, 8])
    told = answering(Partner(), [short, changing, few, *tunes], replies=2, varied=1)
    reasons = {each.name: each.reason for each in told.skipped}
    assert "need 8" in reasons["short"] and "meter" in reasons["changing"] and "fewer than 4 notes" in reasons["few"]
    assert told.pieces == 7
    with pytest.raises(BadInput, match="need 8"):
        answering(Partner(), [short])
    with pytest.raises(BadInput, match="not today"):
        answering(Partner(), tunes, manner="refuse")
    with pytest.raises(BadInput, match="answers no phrases"):
        answering(object.__new__(type("Mute", (), {"name": "mute"})), tunes)


def test_an_upbeat_belongs_to_what_it_leads_to():
    score = score_of([55, *TUNE[:8], 57, *TUNE[:8]], [1, 1, 1, 1, 1, 1, .5, .5, 1, 1, 1, 1, 1, 1, 1, .5, .5, 2],
                     pickup=1.0)
    call = call_of(Item("upbeat", "score", score), 2)
    assert call.phrase.pitches.tolist() == [55, *TUNE[:8]] and call.continuation.pitches.tolist() == [57, *TUNE[:8]]
    assert call.phrase.starts[:2].tolist() == [-1, 0] and call.continuation.starts[:2].tolist() == [-1, 0]
    assert call.phrase.bar_count == 2 and call.phrase.stops == 7
    assert excerpt(score, 0, 8, 1.0).note_num() == 9 and score.note_num() == 18
