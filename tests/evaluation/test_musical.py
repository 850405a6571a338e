"""Judging a set of pieces: near is near, copies and what was learned are told, and everything is JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from componium.evaluation.distance import shuffled
from componium.evaluation.musical import COLUMNS, judge, without_ties
from componium.evaluation.picture import distances_picture
from componium.evaluation.reference import measured_reference
from componium.music.errors import BadInput
from componium.music.grid import Grid, from_grid
from componium.music.item import Item, hash_of_score
from componium.music.provenance import Learned
from componium.music.score import Note, Track, new_score

MODULES = ("pitch", "rhythm")


def tune(seed, largest=2):
    rng = np.random.default_rng(seed)
    score, time, key = new_score(), 0.0, 65
    track = Track("Melody", 0, False)
    for _ in range(40):
        key = int(np.clip(key + rng.integers(-largest, largest + 1), 50, 85))
        length = float(rng.choice([0.5, 1.0]))
        track.notes.append(Note(time, length, key, 80))
        time += length
    score.tracks.append(track)
    return score


def items(seeds, **more):
    made = [(seed, tune(seed, **more)) for seed in seeds]
    return [Item(f"tune {seed}", "score", score, hash=hash_of_score(score)) for seed, score in made]


@pytest.fixture(scope="module")
def reference():
    return measured_reference(items(range(40)), modules=MODULES)


@pytest.fixture(scope="module")
def near(reference):
    return judge(items(range(100, 120)), reference, name="near", modules=MODULES)


def by_name(report):
    return {each.measure.name: each for _, each in report.all_distances()}


def test_pieces_of_the_same_kind_are_near_and_others_far(reference, near):
    far = judge(items(range(100, 120), largest=12), reference, modules=MODULES)
    assert not by_name(near)["mean_interval"].differs() and by_name(far)["mean_interval"].differs()
    assert by_name(near)["mean_interval"].closeness > 0.8 > 0.4 > by_name(far)["mean_interval"].closeness
    mixed = judge([shuffled(tune(seed), np.random.default_rng(seed)) for seed in range(100, 120)], reference,
                  modules=MODULES)
    assert by_name(mixed)["mean_interval"].closeness < 0.2


def test_the_table_and_the_json_say_the_same(near):
    told = json.loads(json.dumps(near.to_json(), allow_nan=False))
    found = told["measures"]["pitch"]["mean_interval"]
    assert found["distance"] == by_name(near)["mean_interval"].distance and found["unit"] == "semitones"
    assert {len(row) for row in near.rows()} == {len(COLUMNS)}
    known = [each["value"] is not None for those in told["measures"].values() for each in those.values()]
    assert len(near.rows()) == sum(known)
    row = next(row for row in near.rows() if row[0] == "mean interval")
    assert row[4].rstrip("*") == f"{found['distance']:.2f}"


def test_measures_that_the_pieces_have_none_of_are_named_and_not_shown():
    modules = ("pitch", "harmony")
    report = judge(items(range(4)), measured_reference(items(range(10, 20)), modules=modules), modules=modules)
    assert report.rows() and "parallel fifths" not in {row[0] for row in report.rows()}
    assert any("of harmony" in note and "none of them" in note for note in report.notes())
    assert any(note.startswith("Originality was not measured") for note in report.notes())


def test_copies_of_the_reference_are_told(reference, near):
    assert near.copied.clean and not near.warnings()
    copies = judge([*items(range(3)), *items([500])], reference, modules=MODULES)
    assert copies.copied.same == ("tune 0", "tune 1", "tune 2")
    assert "3 of the 4 judged pieces stand in the reference" in " ".join(copies.notes())


def test_a_reference_that_was_learned_from_is_told(reference):
    learned = Learned.of(items(range(5))).to_json()
    report = judge(items([100]), reference, modules=MODULES, provenance=learned)
    assert len(report.learned.same) == 5 and "5 of its 40 pieces were learned from" in report.warnings()[0]
    apart = judge(items([100]), reference, modules=MODULES, provenance=Learned.of(items([900])).to_json())
    assert apart.learned.clean and not apart.warnings()
    unknown = judge(items([100]), reference, modules=MODULES, provenance={})
    assert unknown.learned is None and "not known" in " ".join(unknown.notes())


def test_originality_stands_beside_what_held_out_pieces_share(reference):
    training = items(range(5))
    copying = judge(items(range(5)), reference, modules=("pitch",), training=training)
    own = judge(items(range(200, 205)), reference, modules=("pitch",), training=training)
    copied, fresh = (by_name(report)["longest_copy_notes"] for report in (copying, own))
    assert copied.value == 40.0 and copied.differs() and not fresh.differs()
    assert copied.reference_pieces == 35, "pieces that were learned from are no baseline"


def test_the_same_seed_gives_the_same_report(reference, near):
    again = judge(items(range(100, 120)), reference, name="near", modules=MODULES)
    assert again.to_json() == near.to_json()


def test_sets_of_one(reference):
    one = judge([tune(3)], reference, modules=MODULES)
    assert one.pieces == 1 and by_name(one)["pitch_range"].distance is not None
    alone = judge([tune(3)], [tune(4)], modules=MODULES)
    assert "single piece" in " ".join(alone.warnings()) and by_name(alone)["pitch_range"].floor is None
    json.dumps(alone.to_json(), allow_nan=False)


def test_nothing_to_judge_is_refused(reference):
    with pytest.raises(BadInput, match="no scores with notes"):
        judge([new_score()], reference, modules=MODULES)


def test_what_a_reference_does_not_know_is_taken_from_the_judged_too():
    cells = [[72, 67, 60, 48]] * 4 + [[74, 67, 60, 48]] * 4
    known = from_grid(Grid(np.array(cells), np.zeros((8, 4), bool)))  # every cell struck again
    blind = [Item(f"b{n}", "score", from_grid(Grid.from_pitches(cells)), grid=Grid.from_pitches(cells))
             for n in range(3)]
    assert without_ties(known).note_num() == blind[0].content.note_num() == 5
    report = judge([known], blind, modules=MODULES)
    assert by_name(report)["notes_per_beat"].distance == 0.0 and report.ties_unknown
    five = new_score()
    five.tracks.append(Track("Chord", 0, False))
    for key in (40, 50, 60, 70, 80):
        five.tracks[0].notes.append(Note(0.0, 1.0, key, 80))
    assert without_ties(five) == five


def test_the_picture_has_a_row_a_measure(near, tmp_path):
    from PIL import Image

    png = distances_picture({"near": near.all_distances()}, tmp_path / "p.png", title="near")
    assert (tmp_path / "p.png").read_bytes() == png
    few = distances_picture({"near": near.all_distances()[:3]})
    import io

    sizes = [Image.open(io.BytesIO(each)).size for each in (png, few)]
    assert sizes[0][1] - sizes[1][1] > 120 * 0.2 * (len(near.all_distances()) - 4)
    with pytest.raises(BadInput, match="no distances"):
        distances_picture({})
