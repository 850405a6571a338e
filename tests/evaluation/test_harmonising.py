"""harmonising(): errors against values worked out by hand, with models that give Bach, rests, or something between."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation.harmonising import agreement, completed, errors_of, harmonising, music_of, without
from componium.evaluation.harmonising_report import Error
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid
from componium.music.item import Item, hash_of_score
from componium.music.provenance import Learned
from componium.music.score import END, FERMATA, VOICE_NAMES, Note, Track, end_beats

ROWS = [[72, 67, 60, 48]] * 4 + [[71, 67, 62, 55]] * 4 + [[72, 67, 64, 48]] * 8


def chorale(name="a", rows=ROWS, **more):
    pitches = np.asarray(rows)
    held = np.zeros(pitches.shape, bool)
    held[1:] = (pitches[1:] == pitches[:-1]) & (pitches[1:] != REST)
    grid = Grid(pitches, held, 4, **more)
    score = from_grid(grid)
    return Item(name, "score", score, hash=hash_of_score(score), grid=grid)


def moved(rows, semitones):
    return [[pitch + semitones for pitch in row] for row in rows]


class Stand:
    """Fills in what ``line(voice, name)`` says: a list of pitches a 16th each, or None for rests."""

    name = "stand"

    def __init__(self, line, provenance=None):
        self.line, self.provenance, self.asked = line, provenance or {}, []

    def harmonize(self, score, *, given=None, seed=0, method="sample", progress=None):
        """Add the missing voices."""
        self.asked.append((score.copy(), given, seed, method))
        made, names = score.copy(), [track.name for track in score.tracks]
        for voice, name in enumerate(VOICE_NAMES):
            if name not in names:
                made.tracks.append(Track(name))
                for step, pitch in enumerate(self.line(voice, score) or []):
                    made.tracks[-1].notes.append(Note(step / 4, 0.25, pitch, 80))
        return made


def bach(voice, _score):
    return [row[voice] for row in ROWS]


def rests(_voice, _score):
    return None


def test_bach_himself_makes_no_error():
    report = harmonising(Stand(bach), [chorale()])
    for part, found in report.parts.items():
        assert (found.token.pooled, found.frame.pooled, found.onset.pooled) == (0.0, 0.0, 0.0), part
        assert found.same_root == found.same_function == 1.0
    assert list(report.parts) == ["S", "A", "T", "B", "AT", "ATB"]


def test_rests_are_all_wrong():
    report = harmonising(Stand(rests), [chorale()])
    for found in report.parts.values():
        assert (found.token.pooled, found.frame.pooled, found.onset.pooled) == (1.0, 1.0, 1.0)
    assert report.parts["ATB"].same_root == 0.0, "a single line has no chords"
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["parts"]["ATB"]["measures"]["cadences"] is None


def test_every_error_by_hand():
    def half(voice, _score):  # the alto is Bach's, the tenor stays on its first note: 12 of 16 cells differ
        return bach(voice, None) if voice == 1 else [60] * 16

    found = harmonising(Stand(half), [chorale()], parts=["TA"]).parts["AT"]
    assert found.token.pooled == 12 / 32 and found.frame.pooled == 12 / 16 and found.token.cells == 32
    assert found.onset.pooled == 2 / 4, "alto: one onset, tenor: three, of which two differ"
    assert found.thesis == (31.4, 21.3)


def test_pieces_count_by_their_cells_or_alike():
    error = Error.of([(1, 2), (0, 6), (0, 0)])
    assert (error.pooled, error.piece_mean, error.pieces, error.cells) == (1 / 8, 1 / 4, 2, 8)
    assert error.piece_standard_error == pytest.approx(0.25)
    assert Error.of([(0, 0)]) is None and Error.of([(1, 4)]).piece_standard_error is None


def test_the_model_gets_the_other_voices_the_fermatas_the_meter_and_the_length_and_no_more():
    rows = [*ROWS, *[[REST, REST, REST, 48]] * 4]
    item = chorale(rows=rows, numerator=3, denominator=4, fermatas=(8,), key="C major")
    model = Stand(bach)
    harmonising(model, [item, item], parts=["B"], seed=7, method="beam")
    score, given, seed, method = model.asked[0]
    assert (given, seed, method) == ("soprano,alto,tenor", 7, "beam") and model.asked[1][2] == 8
    assert [track.name for track in score.tracks] == ["Soprano", "Alto", "Tenor"]
    assert score.time_signatures[0].numerator == 3 and end_beats(score) == 5.0
    assert sorted(event.text for event in score.markers) == [END, FERMATA]
    assert 48 not in {note.pitch for track in score.tracks for note in track.notes}


def test_a_result_that_is_too_short_rests_and_one_that_is_too_long_is_cut():
    short = harmonising(Stand(lambda voice, _: bach(voice, None)[:8]), [chorale()], parts=["B"]).parts["B"]
    assert short.token.pooled == 0.5
    assert harmonising(Stand(lambda voice, _: bach(voice, None) + [50] * 9), [chorale()],
                       parts=["B"]).parts["B"].token.pooled == 0.0


def test_ties_are_those_of_the_model_and_of_bach_where_they_are_known():
    item = chorale()
    made = Grid(item.grid.pitches, np.zeros_like(item.grid.held))
    grid = completed(item.grid, made, "B", "x")
    assert np.array_equal(grid.held[:, :3], item.grid.held[:, :3]) and not grid.held[:, 3].any()
    unknown = Grid.from_pitches(ROWS)
    assert completed(unknown, made, "B", "x") == unknown
    assert errors_of(item.grid, grid, "B") == ((0, 16), (0, 16), (0, 3))


def test_a_model_that_changes_what_it_is_given_is_refused():
    class Changes(Stand):
        def harmonize(self, score, *, seed=0):
            """Add the missing voices, and spoil the first."""
            made = super().harmonize(score)
            made.tracks[0].notes[0].pitch -= 1
            return made

    with pytest.raises(BadInput, match=r"no piece could be filled in .*changed the soprano that it was given"):
        harmonising(Changes(bach), [chorale()], parts=["B"])


def test_what_the_model_refuses_is_skipped_in_all_parts():
    def picky(voice, score):
        if voice == 3 and len(score.tracks) == 1 and score.tracks[0].notes[0].pitch == 74:
            raise BadInput("too high")
        return bach(voice, score)

    items = [chorale("a"), chorale("b", moved(ROWS, 2)), chorale("c", [row[:3] for row in ROWS])]
    report = harmonising(Stand(picky), items, parts=["B", "ATB"])
    assert report.pieces == 1 and [piece.name for piece in report.per_piece] == ["a"]
    assert {each.name: each.reason for each in report.skipped}["b"] == "too high"
    assert "3 voices" in {each.name: each.reason for each in report.skipped}["c"]


def test_many_at_once_are_those_one_by_one():
    class Many(Stand):
        calls = 0

        def harmonize_many(self, scores, *, seed, given=None, progress=None):
            """Harmonise several."""
            Many.calls += 1
            if any(score.tracks[0].notes[0].pitch > 76 for score in scores):
                raise BadInput("one is too high")
            return [self.harmonize(score, seed=each, given=given) for score, each in zip(scores, seed, strict=True)]

    line = lambda voice, score: [60 - voice] * 16  # noqa: E731
    items = [chorale("a"), chorale("b", moved(ROWS, 2))]
    many, single = (harmonising(kind(line), items).to_json() for kind in (Many, Stand))
    assert many == single and Many.calls == 6
    assert harmonising(Many(line), [*items, chorale("c", moved(ROWS, 6))], parts=["B"]).pieces == 3


def test_what_it_learned_from_is_told_and_left_out():
    seen, unseen = chorale("seen"), chorale("unseen", [[60, 55, 52, 48]] * 8 + [[67, 55, 52, 48]] * 8)
    model = Stand(bach, Learned.of([seen]).to_json())
    report = harmonising(model, [seen, unseen], parts=["S"])
    assert report.overlap.same == ("seen",) and report.per_piece[0].seen == "same"
    assert report.parts["S"].token.pooled == 0.5 and report.parts["S"].leak_free.pooled == 1.0
    assert any("token error % of the other 1: S 100.0" in note for note in report.notes())
    assert harmonising(Stand(bach), [seen], parts=["S"]).parts["S"].leak_free is None, "not known"


@pytest.mark.parametrize(("parts", "message"), [
    (["SATB"], "no part"), ([""], "no part"), (["X"], "no part"), (["SS"], "no part")])
def test_parts_that_do_not_exist_are_refused(parts, message):
    with pytest.raises(BadInput, match=message):
        harmonising(Stand(bach), [chorale()], parts=parts)


def test_models_and_arguments_that_do_not_fit_are_refused():
    with pytest.raises(BadInput, match="has no argument candidate"):
        harmonising(Stand(bach), [chorale()], candidate=3)
    with pytest.raises(BadInput, match="does not harmonise"):
        harmonising(type("Mute", (), {"name": "mute"})(), [chorale()])
    with pytest.raises(BadInput, match="no piece could be filled in"):
        harmonising(Stand(bach), [chorale(rows=[row[:3] for row in ROWS])])


def test_chords_that_agree_are_counted_by_beats():
    rows = [*ROWS[:4], *[[69, 65, 60, 53]] * 4, *ROWS[8:]]
    one, other = from_grid(chorale().grid), from_grid(chorale(rows=rows).grid)
    (_, first), (_, second) = music_of([one]), music_of([other])
    assert agreement(first, second) == (3 / 4, 3 / 4) and agreement(first, first) == (1.0, 1.0)
    assert agreement(first, [None]) == (0.0, 0.0)


def test_taking_voices_away_leaves_the_rest(chorales):
    grid = chorale().grid
    assert [track.name for track in without(grid, "AT").tracks] == ["Soprano", "Bass"]


def test_the_tables_are_complete():
    report = harmonising(Stand(bach), [chorale()])
    assert all(len(row) == len(report.COLUMNS) for row in report.rows())
    assert all(len(row) == len(report.music_columns()) == 8 for row in report.music_rows())
    assert report.rows()[0][0] == "S" and report.rows()[0][-2:] == ("46.8", "-")


@pytest.mark.skipif("COMPONIUM_BENCH_DATA" not in os.environ, reason="COMPONIUM_BENCH_DATA is not set")
def test_bach_beside_himself_on_the_benchmark():
    data = Path(os.environ["COMPONIUM_BENCH_DATA"]) / "jsb16" / "valid.json"
    report = harmonising(Stand(lambda voice, _: [60] * 4), data, parts=["B"], most=6)
    found = report.parts["B"]
    assert report.pieces == 6 and 0.9 < found.token.pooled <= 1.0
    assert 0.0 < report.bach.values["faults_per_interval"] < 10.0
    assert found.same_root < 0.95 and report.bach.values["cadences"] > 0.5
    assert sum(report.bach.functions.values()) == pytest.approx(1.0)
