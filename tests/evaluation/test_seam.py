"""seam(): joins, bar lines and intervals against values worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from componium.evaluation.seam import (
    Joined,
    by_place,
    continued,
    cut,
    infilled,
    intervals_of,
    moved,
    others,
    passage_of,
    seam,
)
from componium.evaluation.seam_report import Paired
from componium.interface import TokenLikelihood
from componium.music.errors import BadInput
from componium.music.item import Item, hash_of_score
from componium.music.score import Note, Score, Track, bars, length_beats, new_score, note_arrays, set_pickup
from componium.music.where import filled, passages


def tune(pitches, semitones=0) -> Score:
    score = new_score()
    score.tracks.append(Track("Melody"))
    for beat, pitch in enumerate(pitches):
        score.tracks[0].notes.append(Note(float(beat), 1.0, int(pitch) + semitones, 80))
    return score


def item(name, score):
    return Item(name, "score", score, hash=hash_of_score(score))


class Sevenths:
    """Fills passages with notes a seventh above the old ones; judges a note by its distance from the one before."""

    name = "sevenths"

    def __init__(self, shift=11):
        self.shift, self.provenance = shift, {}

    def infill(self, score, *, where, seed=0, shift=None):
        """Compose anew."""
        new = score.copy()
        for track in new.tracks:
            track.shift_pitch(self.shift if shift is None else shift, inplace=True)
        return filled(score, new, passages(score, where))

    def continue_(self, score, *, bars=8, seed=0):
        """Go on."""
        made, end = score.copy(), length_beats(score)
        for beat in range(4 * bars):
            made.tracks[0].notes.append(Note(end + beat, 1.0, made.tracks[0].notes[0].pitch + self.shift, 80))
        return made

    def log_likelihood(self, score):
        """Return a token a note: as many nats as it is semitones away from the one before."""
        notes = note_arrays(score.tracks[0])
        steps = np.abs(np.diff(notes["pitch"].astype(int), prepend=notes["pitch"][0])).astype(float)
        return TokenLikelihood(steps, np.zeros(len(steps), int), np.round(notes["time"] * 2).astype(int),
                               np.ones(len(steps), bool), 2, "notes")


STILL = tune([60] * 32)


def test_a_passage_in_the_middle_or_drawn():
    middle = passage_of(STILL, 2, "middle", 0)
    assert (middle.first, middle.last, middle.start_beats, middle.end_beats) == (4, 5, 12.0, 20.0)
    drawn = {passage_of(STILL, 2, "random", seed).first for seed in range(60)}
    assert drawn == {2, 3, 4, 5, 6}, "the first bar and the last are always given"
    assert {passage_of(STILL, 2, "random", seed, "continue_").last for seed in range(60)} == {3, 4, 5, 6, 7, 8}
    assert str(passage_of(STILL, 2, "3-4", 0)) == "3-4"
    assert str(passage_of(set_pickup(STILL, 1.0), 6, "middle", 0)) == "2-7"
    with pytest.raises(BadInput, match="it has 3 bars: too few to compose 2 of them anew"):
        passage_of(tune([60] * 12), 2, "middle", 0)


def test_tokens_belong_to_joins_bar_lines_or_the_inside():
    model = Sevenths()
    joined = infilled(model, "a", STILL, passage_of(STILL, 2, "middle", 0), 0, {})
    assert joined.joins == [12.0, 20.0]
    found = {name: value.tolist() for name, value in
             by_place(model.log_likelihood(joined.result), bars(STILL), joined).items()}
    assert found == {"join": [22.0, 2.0], "bar_line_kept": [0.0, 4.0], "bar_line_new": [0.0, 1.0],
                     "inside_kept": [0.0, 18.0], "inside_new": [0.0, 6.0]}


def test_intervals_belong_to_what_lies_between_their_notes():
    joined = infilled(Sevenths(), "a", tune([60, 62] * 16), passage_of(STILL, 2, "middle", 0), 0, {})
    found = intervals_of([joined], [joined.result])
    assert found["join"] == [9, 13] and set(found["inside_new"] + found["bar_line_new"]) == {2}
    assert (len(found["bar_line_kept"]), len(found["inside_kept"])) == (4, 18)
    with_rest = tune([60] * 32)
    del with_rest.tracks[0].notes[10:12]
    gap = Joined("a", with_rest, with_rest, joined.place)
    assert intervals_of([gap], [with_rest])["join"] == [0], "two beats of rest make no interval"


def test_a_report_by_hand():
    report = seam(Sevenths(), [item("a", STILL), item("b", tune([60] * 32, 1))])
    places = report.seams["infill"].places
    assert places["join"].nats_per_onset == 11.0 and places["join"].interval_semitones == 11.0
    assert places["join"].wide_share == 1.0 and places["join"].onsets == 4
    assert places["join_original"].nats_per_onset == 0.0 and places["inside_new"].nats_per_onset == 0.0
    # in each other's context: 1 semitone more at one piece, 1 less at the other, both ways
    assert places["join_other"].nats_per_onset == 11.0 and places["join_original_other"].nats_per_onset == 1.0
    assert report.seams["infill"].original == Paired(-1.0, 0.0, 1.0, 2)
    ends = report.seams["continue_"]
    assert ends.places["join"].onsets == 2 and ends.places["join"].nats_per_onset == 11.0
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["seams"]["continue_"]["pieces"] == 2
    assert all(len(row) == len(ends.COLUMNS) for row in ends.rows()) and len(ends.notes()) == 2


def test_a_perfect_passage_is_the_original():
    report = seam(Sevenths(shift=0), [item("a", STILL), item("b", tune([60] * 32, 5))])
    for each in report.seams.values():
        assert each.places["join"] == each.places["join_original"]
        assert each.composed == each.original and each.composed.difference == -5.0


def test_the_same_seed_is_the_same_report_and_arguments_reach_who_has_them():
    items = [item(str(number), tune([60] * 32, number)) for number in range(5)]
    first, again = (seam(Sevenths(), items, where="random", seed=3, shift=4).to_json() for _ in range(2))
    assert first == again and first["seams"]["infill"]["places"]["join"]["nats_per_onset"] == 4.0
    assert first["seams"]["continue_"]["places"]["join"]["nats_per_onset"] == 11.0
    assert seam(Sevenths(), items, where="random", seed=4).to_json() != first


def test_without_a_judge_the_intervals_remain_and_another_judge_may_judge():
    class Mute(Sevenths):
        log_likelihood = property()

    mute = Mute()
    places = seam(mute, [item("a", STILL)]).seams["infill"].places
    assert places["join"].nats_per_onset is None and places["join"].interval_semitones == 11.0
    judged = seam(mute, [item("a", STILL)], judge=Sevenths())
    assert judged.judge == "sevenths" and judged.seams["infill"].places["join"].nats_per_onset == 11.0
    assert judged.seams["infill"].composed is None, "there is no other piece"


def test_a_judge_of_many_says_the_same_as_one_by_one():
    class Many(Sevenths):
        calls = 0

        def log_likelihood_many(self, scores):
            """Judge several."""
            Many.calls += 1
            if any(score.tracks[0].notes[0].pitch > 66 for score in scores):
                raise BadInput("one is too high")
            return [self.log_likelihood(score) for score in scores]

    items = [item("a", STILL), item("b", tune([60] * 32, 1)), item("c", tune([60] * 20))]
    assert seam(Many(), items).to_json() == seam(Sevenths(), items).to_json() and Many.calls == 8
    assert seam(Many(), [*items, item("d", tune([60] * 32, 9))]).seams["infill"].pieces == 4


def test_a_partner_has_as_many_tracks_and_a_passage_as_long():
    two = tune([60] * 32)
    two.tracks.append(Track("Bass"))
    waltz = new_score(numerator=3)
    waltz.tracks.append(tune([60] * 24).tracks[0])
    pieces = [Joined(name, score, score, passage_of(score, 2, "middle", 0))
              for name, score in (("a", STILL), ("two", two), ("waltz", waltz), ("b", STILL))]
    assert others(pieces, 1) == [3, None, None, 0]


def test_a_passage_moves_alone():
    place = passage_of(STILL, 2, "middle", 0)
    notes = moved(STILL, place, 4.0).tracks[0].notes
    assert [note.time for note in notes] == [4, 5, 6, 7, 8, 9, 10, 11]


def test_a_piece_is_cut_to_its_beginning():
    score = tune([60] * 8)
    score.tracks[0].notes[3].duration = 3.0
    short = cut(score, 4.0)
    assert len(short.tracks[0].notes) == 4 and length_beats(short) == 4.0 and length_beats(score) == 8.0


class Spoils(Sevenths):
    def infill(self, score, *, where, seed=0):
        """Compose anew, and spoil the end."""
        made = super().infill(score, where=where)
        made.tracks[0].notes[-1].pitch -= 1
        return made

    def continue_(self, score, *, bars=8, seed=0):
        """Go on, and spoil the beginning."""
        made = super().continue_(score, bars=bars)
        made.tracks[0].notes[0].velocity -= 1
        return made


def test_models_that_change_what_is_given_are_refused():
    place = passage_of(STILL, 2, "middle", 0)
    with pytest.raises(BadInput, match="changed more than bars 4-5"):
        infilled(Spoils(), "a", STILL, place, 0, {})
    with pytest.raises(BadInput, match="changed the beginning"):
        continued(Spoils(), "a", STILL, place, 0, {})
    with pytest.raises(BadInput, match=r"no passage that could be measured \(the first: a: "):
        seam(Spoils(), [item("a", STILL)])


@pytest.mark.parametrize(("more", "message"), [
    ({"bars": 0}, "at least one bar"), ({"where": "end"}, "one of middle, random"), ({"top": 3}, "no argument top"),
    ({"bars": 8}, "too few to compose 8")])
def test_what_cannot_be_is_refused(more, message):
    with pytest.raises(BadInput, match=message):
        seam(Sevenths(), [item("a", STILL)], **({"where": "middle"} | more))
    with pytest.raises(BadInput, match="neither fills in passages nor continues"):
        seam(type("Mute", (), {"name": "mute"})(), [item("a", STILL)])


def test_short_pieces_and_recordings_are_skipped(sine):
    items = [item("a", STILL), item("short", tune([60] * 4)), Item("sound", "audio", sine)]
    report = seam(Sevenths(), items)
    assert report.seams["infill"].pieces == 1 and [each.name for each in report.skipped] == ["short", "sound"]


def test_a_model_that_was_trained_continues_with_a_seam(chorales, tmp_path):
    from componium.registry import create
    from componium.training.fit import train

    report = seam(train(create("markov"), chorales), chorales, bars=1, seed=2)
    found = report.seams["continue_"]
    assert found.pieces == 5 and found.places["join"].nats_per_onset > 0 and "infill" not in report.seams
    assert report.seen.startswith("WARNING: the model learned from 5")
