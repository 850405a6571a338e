"""Expression: what is shaped, and what is not touched."""

from __future__ import annotations

import numpy as np
import pytest

from componium.music.errors import BadInput
from componium.music.expression import expression, phrases
from componium.music.score import (
    FERMATA,
    PHRASE_END,
    Note,
    Score,
    TextMeta,
    Track,
    length_beats,
    new_score,
    note_arrays,
    note_ends,
)


def four_parts(beats: int = 32, tempo_bpm: float = 90.0) -> Score:
    score = new_score(tempo_bpm=tempo_bpm)
    for name, pitch in (("Soprano", 72), ("Alto", 67), ("Tenor", 60), ("Bass", 48)):
        track = Track(name, 52, False)
        for beat in range(beats):
            track.notes.append(Note(float(beat), 1.0, pitch + beat % 3, 80))
        score.tracks.append(track)
    return score


def seconds(score: Score) -> float:
    timed = score.to("second")
    return max(note.end for track in timed.tracks for note in track.notes)


def test_nothing_to_do_changes_nothing() -> None:
    score = four_parts()
    same = expression(score, phrase_db=0.0, timing_seconds=0.0, fermata=1.0, ritardando=0.0)
    for before, after in zip(score.tracks, same.tracks, strict=True):
        for name, values in note_arrays(before).items():
            np.testing.assert_array_equal(values, note_arrays(after)[name])
    assert [(t.time, t.qpm) for t in same.tempos] == [(t.time, t.qpm) for t in score.tempos]


def test_the_score_itself_is_not_touched() -> None:
    score = four_parts()
    before = score.copy()
    expression(score, seed=3)
    assert score == before


def test_pitches_order_and_count_stay() -> None:
    score = four_parts()
    played = expression(score, timing_seconds=0.1, seed=5)
    for before, after in zip(score.tracks, played.tracks, strict=True):
        old, new = note_arrays(before), note_arrays(after)
        np.testing.assert_array_equal(old["pitch"], new["pitch"])
        assert (np.diff(new["time"]) > 0).all() and (new["time"] >= 0).all()
        assert (new["duration"] >= 0.5 * old["duration"] - 1e-6).all()


def test_same_seed_same_result_and_voices_differ() -> None:
    first, again, other = (expression(four_parts(), seed=seed) for seed in (1, 1, 2))
    assert first == again and first != other
    soprano, bass = (note_arrays(first.tracks[n])["time"] for n in (0, 3))
    assert np.abs(soprano - bass).max() > 1e-4


def test_timing_spread_has_its_size_and_stays_within_two_deviations() -> None:
    score = four_parts(400, tempo_bpm=60.0)
    shift = np.concatenate([note_arrays(track)["time"][1:] - np.arange(1, 400)
                            for track in expression(score, timing_seconds=0.01, ritardando=0.0).tracks])
    assert np.std(shift) == pytest.approx(0.01, rel=0.15)
    assert np.abs(shift).max() <= 0.02 + 1e-4


def test_legato_and_repeated_notes_stay_apart_and_joined() -> None:
    for track in expression(four_parts(), timing_seconds=0.02).tracks:
        np.testing.assert_allclose(note_ends(track)[:-1], note_arrays(track)["time"][1:], atol=1e-4)


def test_phrases_swell_by_the_decibels_asked_for() -> None:
    velocity = note_arrays(expression(four_parts(64), phrase_db=6.0).tracks[0])["velocity"].astype(float)
    span_db = 40 * np.log10(velocity.max() / velocity.min())
    assert span_db == pytest.approx(6.0, abs=0.6)
    assert velocity[0] < velocity[8] > velocity[15]
    assert velocity[16] < velocity[24]


def test_phrases_come_from_the_markers_or_from_every_four_bars() -> None:
    assert phrases(four_parts(40)) == [16.0, 32.0, 40.0]
    marked = four_parts(32)
    marked.markers.append(TextMeta(12.0, PHRASE_END))
    marked.markers.append(TextMeta(23.0, FERMATA))
    assert phrases(marked) == [12.0, 24.0, 32.0]


def test_a_fermata_holds_its_chord_and_breathes_after_it() -> None:
    score = four_parts(16, tempo_bpm=60.0)
    score.markers.append(TextMeta(7.0, FERMATA))
    played = expression(score, fermata=2.0, ritardando=0.0, timing_seconds=0.0)
    assert seconds(played) == pytest.approx(seconds(score) + 1.0, abs=0.01)
    for track in played.tracks:
        assert note_ends(track)[7] < 8.0 - 0.03
        assert note_ends(track)[6] == pytest.approx(7.0, abs=1e-4)
    assert length_beats(played) == pytest.approx(length_beats(score))


def test_the_end_slows_and_only_the_end() -> None:
    score = four_parts(32, tempo_bpm=100.0)
    played = expression(score, ritardando=0.25)
    slow = [(tempo.time, tempo.qpm) for tempo in played.tempos]
    assert slow[0] == (0.0, pytest.approx(100.0)) and min(time for time, _ in slow[1:]) >= 28.0
    assert [bpm for time, bpm in slow if 28 <= time < 32][-1] == pytest.approx(75.0)
    assert 0.2 < seconds(played) - seconds(score) < 1.0


def test_tempo_changes_of_the_score_stay() -> None:
    score = four_parts(32)
    score.tempos.append(type(score.tempos[0])(8.0, qpm=120.0))
    played = expression(score, ritardando=0.0)
    assert [(t.time, round(t.qpm)) for t in played.tempos] == [(0.0, 90), (8.0, 120)]


def test_scores_without_notes_with_one_note_and_with_a_fermata_over_nothing() -> None:
    assert expression(new_score()).note_num() == 0
    one = new_score()
    track = Track("a", 0, False)
    track.notes.append(Note(0.0, 0.0, 60, 80))
    one.tracks.append(track)
    one.markers.append(TextMeta(9.0, FERMATA))
    assert expression(one).note_num() == 1


@pytest.mark.parametrize("amount", [{"phrase_db": -1.0}, {"timing_seconds": 1.0}, {"fermata": 0.5},
                                    {"ritardando": 1.0}])
def test_amounts_outside_their_range_are_refused(amount: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        expression(four_parts(), **amount)  # type: ignore[arg-type]
