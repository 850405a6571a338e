"""Bars, pickup, transposing, quantising and voices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music.errors import BadInput
from componium.music.score import (
    END,
    FERMATA,
    Bar,
    Note,
    Score,
    TextMeta,
    TimeSignature,
    Track,
    bars,
    beat_of,
    concatenate,
    copy_score,
    end_beats,
    key_signature_of,
    length_beats,
    merge_voices,
    meter,
    new_score,
    note_count,
    parse_meter,
    pickup_beats,
    quantise,
    set_pickup,
    skyline,
    split_voices,
    tempo_bpm,
    transpose,
    voices,
)

Notes = list[tuple[float, float, int]]


def score_of(*tracks: Notes, names: tuple[str, ...] = (), **about: object) -> Score:
    score = new_score(**about)  # type: ignore[arg-type]
    for place, notes in enumerate(tracks):
        track = Track(names[place] if names else f"track {place}", 0, False)
        for time, duration, pitch in notes:
            track.notes.append(Note(time, duration, pitch, 80))
        score.tracks.append(track)
    return score


def notes_of(track: Track) -> Notes:
    return [(round(n.time, 4), round(n.duration, 4), n.pitch) for n in track.notes]


def test_a_new_score_states_tempo_meter_and_key():
    score = new_score(tempo_bpm=88, numerator=3, denominator=4, key="G minor")
    assert tempo_bpm(score) == pytest.approx(88)
    assert meter(score) == (3, 4)
    assert str(key_signature_of(score)) == "G minor"
    assert (length_beats(score), note_count(score), bars(score)) == (0.0, 0, [])


@pytest.mark.parametrize("wrong", [{"tempo_bpm": 0}, {"tempo_bpm": float("nan")}, {"numerator": 0},
                                   {"denominator": 3}, {"key": "nonsense"}])
def test_a_score_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        new_score(**wrong)


def test_without_any_statement_midi_defaults_hold():
    assert (tempo_bpm(Score(480)), meter(Score(480)), pickup_beats(Score(480))) == (120.0, (4, 4), 0.0)
    assert key_signature_of(Score(480)) is None


def test_bars_count_from_one_and_cover_the_piece():
    score = score_of([(0, 9, 60)], numerator=3, denominator=4)
    assert bars(score) == [Bar(1, 0, 3, 3, 4), Bar(2, 3, 6, 3, 4), Bar(3, 6, 9, 3, 4)]


def test_a_pickup_is_bar_zero_and_can_be_taken_away():
    plain = score_of([(0, 5, 60)])
    score = set_pickup(plain, 1.0)
    assert pickup_beats(plain) == 0.0
    assert (pickup_beats(score), meter(score)) == (1.0, (4, 4))
    assert [(b.index, b.start_beats, b.end_beats) for b in bars(score)] == [(0, 0, 1), (1, 1, 5)]
    assert (pickup_beats(set_pickup(score, 0.0)), len(bars(set_pickup(score, 0.0)))) == (0.0, 2)
    assert pickup_beats(set_pickup(score, 2.5)) == 2.5


@pytest.mark.parametrize("beats", [-1.0, 4.0, 1 / 3, float("nan")])
def test_a_pickup_that_cannot_be_written_is_refused(beats):
    with pytest.raises(BadInput):
        set_pickup(new_score(), beats)


def test_a_later_change_of_meter_is_no_pickup_and_cuts_the_bar():
    score = score_of([(0, 9, 60)])
    score.time_signatures.append(TimeSignature(6.0, 3, 4))
    assert pickup_beats(score) == 0.0
    assert [(b.start_beats, b.end_beats, b.numerator) for b in bars(score)] == [(0, 4, 4), (4, 6, 4), (6, 9, 3)]


def test_beat_of_counts_from_the_bar_also_after_the_end():
    score = set_pickup(score_of([(0, 5, 60)]), 1.0)
    assert beat_of(score, 0.5) == (0, 0.5)
    assert beat_of(score, 1.0) == (1, 0.0)
    assert beat_of(score, 11.5) == (3, 2.5)
    with pytest.raises(BadInput):
        beat_of(score, -1.0)


def test_transposing_moves_notes_and_keys_but_no_drums():
    score = score_of([(0, 1, 60)], [(0, 1, 40)], key="F major")
    score.tracks[1].is_drum = True
    moved = transpose(score, 3)
    assert [t.notes[0].pitch for t in moved.tracks] == [63, 40]
    assert str(key_signature_of(moved)) == "Ab major"
    assert [t.notes[0].pitch for t in score.tracks] == [60, 40]


def test_transposing_out_of_range_names_the_note():
    with pytest.raises(BadInput, match=r"C9.*'track 0'.*beat 2"):
        transpose(score_of([(0, 1, 60), (2, 1, 120)]), 10)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 4), st.integers(0, 127)), min_size=1, max_size=20),
       st.sampled_from([4, 12, 24]))
def test_quantised_notes_lie_on_the_grid_and_keep_a_step(notes, steps):
    score, rounding = quantise(score_of(notes), steps_per_beat=steps)
    for note in score.tracks[0].notes:
        assert note.duration * steps >= 0.99
        for time in (note.time, note.end):
            assert time * steps == pytest.approx(round(time * steps), abs=1e-3)
    assert rounding.notes == len(notes)
    assert 0 <= rounding.moved_notes <= len(notes)
    assert rounding.largest_move_beats <= 1.5 / steps + 1e-4  # half a step, and one more if lengthened


def test_quantising_counts_what_it_changed():
    score = score_of([(0, 1, 60), (1.05, 0.95, 62), (2.0, 0.01, 64)])
    score.markers.append(TextMeta(1.05, FERMATA))
    done, rounding = quantise(score)
    assert notes_of(done.tracks[0]) == [(0, 1, 60), (1, 1, 62), (2, 0.25, 64)]
    assert (rounding.notes, rounding.moved_notes, rounding.lengthened) == (3, 2, 1)
    assert rounding.largest_move_beats == pytest.approx(0.24, abs=1e-3)
    assert done.markers[0].time == 1.0
    assert quantise(done)[1].moved_notes == 0
    assert score.tracks[0].notes[1].time == pytest.approx(1.05)


def test_voices_go_high_to_low_unless_their_names_say_otherwise():
    low, high = [(0, 1, 50)], [(0, 1, 70)]
    assert [t.name for t in voices(score_of(low, [], high, names=("l", "e", "h")))] == ["h", "l"]
    named = score_of(low, high, names=("Soprano", "Alto"))
    assert [t.name for t in voices(named)] == ["Soprano", "Alto"]


def test_merging_keeps_every_note_once_and_splitting_finds_the_voices_again():
    lines = [[(t, 1, 72 - t % 3) for t in range(6)], [(t, 2, 64) for t in (0, 2, 4)],
             [(t, 1, 48 + t) for t in range(6)]]
    merged = merge_voices(score_of(*lines))
    assert len(merged.tracks) == 1
    assert note_count(merged) == 15
    split = split_voices(merged)
    assert [notes_of(track) for track in split.tracks] == [notes_of(t) for t in score_of(*lines).tracks]


def test_a_unison_becomes_one_note_the_longest():
    assert notes_of(merge_voices(score_of([(0, 1, 60)], [(0, 2, 60)])).tracks[0]) == [(0, 2, 60)]


def test_chords_are_split_into_monophonic_voices_with_their_names():
    score = split_voices(score_of([(0, 1, p) for p in (48, 60, 64, 67)] + [(1, 1, p) for p in (50, 59, 65, 67)]))
    assert [t.name for t in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert [[n.pitch for n in t.notes] for t in score.tracks] == [[67, 67], [64, 65], [60, 59], [48, 50]]


def test_too_few_voices_cut_held_notes_but_lose_none():
    score = score_of([(0, 4, 60), (1, 4, 64), (2, 4, 67)])
    assert note_count(split_voices(score, 2)) == 3
    with pytest.raises(BadInput, match="start together"):
        split_voices(score_of([(0, 1, 60), (0, 1, 64)]), 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(40, 80)), min_size=1, max_size=24,
                unique_by=lambda note: (note[0], note[2])))
def test_splitting_keeps_all_notes_and_makes_monophonic_tracks(notes):
    split = split_voices(score_of(notes))
    assert sorted(n for t in split.tracks for n in notes_of(t)) == sorted(notes)
    for track in split.tracks:
        line = sorted(notes_of(track))
        assert all(a[0] + a[1] <= b[0] for a, b in itertools.pairwise(line))


def test_the_skyline_is_the_melody_on_top():
    score = score_of([(0, 1, 72), (1, 1, 74), (3, 1, 76)], [(0, 4, 60), (2, 2, 62)])
    assert notes_of(skyline(score)) == [(0, 1, 72), (1, 1, 74), (2, 1, 62), (3, 1, 76)]


def test_concatenating_joins_tracks_by_name_and_keeps_changes():
    first = score_of([(0, 4, 60)], [(0, 4, 48)], names=("a", "b"), tempo_bpm=100)
    first.markers.append(TextMeta(6.0, END))
    second = score_of([(0, 1, 50)], [(0, 1, 62)], names=("b", "a"), tempo_bpm=80)
    joined = concatenate(first, second, 4.0)
    assert {t.name: notes_of(t) for t in joined.tracks} == {"a": [(0, 4, 60), (4, 1, 62)],
                                                           "b": [(0, 4, 48), (4, 1, 50)]}
    assert [(t.time, round(t.qpm)) for t in joined.tempos] == [(0, 100), (4, 80)]
    assert len(joined.time_signatures) == 1
    assert end_beats(joined) == 5.0
    assert (note_count(first), note_count(second), second.tracks[0].notes[0].time) == (2, 2, 0)


def test_a_copy_is_independent():
    score = score_of([(0, 1, 60)])
    copy_score(score).tracks[0].notes[0].pitch = 61
    assert score.tracks[0].notes[0].pitch == 60


def test_a_large_score_is_handled_fast():
    rng = np.random.default_rng(0)
    score = score_of([(float(i // 4), 1.0, int(p)) for i, p in enumerate(rng.integers(36, 84, 20_000))])
    assert note_count(quantise(score)[0]) == 20_000
    assert len(bars(score)) == 1250


def test_a_meter_is_read_as_it_is_written() -> None:
    assert [parse_meter(text) for text in ("4/4", "6/8", "5/16")] == [(4, 4), (6, 8), (5, 16)]
    for text in ("", "3", "3/0", "0/4", "3/5", "33/4", "a/4"):
        with pytest.raises(BadInput, match=f"meter={text}: a meter is written like 4/4, 3/4 or 6/8"):
            parse_meter(text)
