"""Profiles: ranking by them, their files, and that those that ship fit the measures that there are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from componium.evaluation import profile as profiles
from componium.evaluation.measuring import MODULES, described, measure_one, measure_set
from componium.evaluation.profile import Profile, Usual, from_values, profile_of, rank_scores, shipped
from componium.evaluation.reference import disordered_form
from componium.music.errors import BadInput
from componium.music.score import Note, Track, new_score


def tune(pitches, step=1.0):
    score = new_score(tempo_bpm=120)
    track = Track("Melody", 0, False)
    for place, key in enumerate(pitches):
        track.notes.append(Note(place * step, step, int(key), 80))
    score.tracks.append(track)
    return score


def walks(count, largest, seed=1):
    rng = np.random.default_rng(seed)
    return [tune(60 + np.clip(np.cumsum(rng.integers(-largest, largest + 1, 32)), -20, 20)) for _ in range(count)]


@pytest.fixture(scope="module")
def steps():
    values = measure_set(walks(30, 2), ["pitch", "rhythm"])
    return from_values("steps", values)


def test_the_nearer_is_ranked_lower(steps):
    near, far = walks(1, 2, seed=99)[0], walks(1, 11, seed=99)[0]
    for measure in ("pitch", "mean_interval", "stepwise_share"):
        first, second = rank_scores([near, far], measure, steps)
        assert 0.0 <= first < second, measure


def test_the_middle_of_the_reference_is_zero_and_no_distance_is_larger_than_the_limit(steps):
    usual = steps.measures["mean_interval"]
    assert usual.distance([np.median(usual.quantiles)]) == pytest.approx(0.0)
    assert usual.distance([1e9]) == profiles.LARGEST
    assert np.isnan(usual.distance([np.nan])).all()


def test_by_hand():
    usual = Usual("pitch", "bits", False, 3, (0.0, 1.0, 2.0), 2.0)
    assert usual.distance([1.0, 2.0, 4.0]).tolist() == pytest.approx([0.0, (1.0 - 2 / 3) / 2, (3.0 - 2 / 3) / 2])


def test_faults_count_only_where_there_are_more():
    usual = Usual("harmony", "per 100", True, 3, (1.0, 2.0, 3.0), 1.0)
    assert usual.distance([0.0, 1.0, 2.0]).tolist() == [0.0, 0.0, 0.0]
    assert usual.distance([5.0])[0] == pytest.approx(3.0 - 1 / 3)


def test_ranking_is_in_the_order_of_the_scores_and_nan_where_nothing_is_defined(steps):
    found = rank_scores([tune([60]), *walks(2, 2)], "mean_interval", steps)
    assert np.isnan(found[0]) and np.isfinite(found[1:]).all()
    assert rank_scores([], "pitch", steps) == []


def test_any_function_ranks():
    def likelihood(score):
        if score.note_num() < 2:
            raise BadInput("too short")
        return float(score.note_num())

    found = rank_scores([tune([60, 62]), tune([60])], likelihood)
    assert found[0] == 2.0 and np.isnan(found[1])


@pytest.mark.parametrize(("measure", "told"), [("hormony", "harmony"), ("nosuchthing", "use pitch"),
                                               ("harmony", "steps here, of which there is no harmony .*rank by pitch")])
def test_what_cannot_rank_is_refused(steps, measure, told):
    with pytest.raises(BadInput, match=told):
        rank_scores(walks(1, 2), measure, steps)


def test_a_profile_is_needed_for_a_measure():
    with pytest.raises(BadInput, match="needs a profile"):
        rank_scores(walks(1, 2), "pitch")


def test_a_profile_survives_json(steps):
    assert Profile.from_json(json.loads(json.dumps(steps.to_json()))) == steps


@pytest.mark.parametrize("data", [{}, {"format": 99}, {"format": 1, "name": "x"}, {"format": 1, "measures": 3}, [],
                                  None, {"format": 1, "name": "x", "pieces": 1, "measures": {"a": {"b": 1}}}])
def test_what_is_no_profile_is_refused(data):
    with pytest.raises(BadInput):
        Profile.from_json(data)


def test_an_unknown_name_lists_those_that_ship():
    with pytest.raises(BadInput, match="chorales and tunes"):
        shipped("sonatas")


@pytest.mark.parametrize("name", profiles.SHIPPED)
def test_those_that_ship_fit_the_measures_that_there_are(name):
    profile = shipped(name)
    known = {measure.name: (module, measure) for measure, module in described(MODULES)}
    assert set(profile.measures) <= set(known), "make them again: tools/make_profiles.py"
    for key, usual in profile.measures.items():
        module, measure = known[key]
        assert (usual.module, usual.unit, usual.fault) == (module, measure.unit, measure.fault), key
        assert list(usual.quantiles) == sorted(usual.quantiles) and usual.scale > 0 and usual.pieces > 50
    missing = set(known) - set(profile.measures)
    assert not missing if name == "chorales" else all(known[key][0] == "harmony" for key in missing)


def test_real_chorales_rank_before_their_shuffled_forms(chorales):
    scores = [item.content for item in chorales]
    mixed = [disordered_form(score, f"{place:064x}") for place, score in enumerate(scores)]
    for measure in ("harmony", "all"):
        found = rank_scores([*scores, *mixed], measure, shipped("chorales"))
        assert max(found[:len(scores)]) < min(found[len(scores):]), measure


def test_a_profile_of_data_is_the_profile_of_its_values(chorales):
    scores = [item.content for item in chorales]
    profile = profile_of(scores, modules=["pitch"])
    values = [measure_one(score, ["pitch"])["pitch_entropy"] for score in scores]
    assert profile.pieces == len(scores)
    assert profile.measures["pitch_entropy"].quantiles[-1] == pytest.approx(max(values), rel=1e-5)


def test_nothing_measured_is_no_profile():
    with pytest.raises(BadInput, match="no measure is defined"):
        from_values("nothing", {"mean_interval": np.array([np.nan])})


def test_a_measure_that_hardly_any_piece_has_is_left_out():
    rare = np.full(40, np.nan)
    rare[:3] = 1.0
    kept = from_values("tunes", {"mean_interval": np.arange(40.0), "parallel_fifths": rare}).measures
    assert set(kept) == {"mean_interval"}
