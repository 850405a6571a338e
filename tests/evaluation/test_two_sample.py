"""Telling two sets apart: 50 % where there is no difference, 100 % where anybody hears it, and what it says of N."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from componium.evaluation import measuring
from componium.evaluation import two_sample as module
from componium.evaluation.distance import shuffled
from componium.evaluation.two_sample import TwoSample, excerpt, logistic, two_sample
from componium.music.errors import BadInput, Cancelled
from componium.music.grid import Grid, from_grid, to_grid
from componium.music.score import FERMATA, Score, TextMeta, Track, end_beats, length_beats, new_score, note_count


def piece(seed: int, *, leap: int = 2, beats: int = 16) -> Score:
    """Return two voices in quarter notes that walk at random by at most ``leap`` semitones."""
    rng = np.random.default_rng(seed)
    walk = np.array([67, 52]) + np.cumsum(rng.integers(-leap, leap + 1, (beats, 2)), axis=0)
    pitches = np.repeat(np.clip(walk, [57, 40], [81, 56]), 4, axis=0)
    held = np.tile(np.array([[False], [True], [True], [True]]), (beats, 2))
    return from_grid(Grid(pitches, held))


def pieces(first: int, count: int = 12, **settings: int) -> list[Score]:
    return [piece(seed, **settings) for seed in range(first, first + count)]


QUICK = {"shuffles": 0, "modules": ("pitch",)}


@pytest.fixture(autouse=True, scope="module")
def one_process():
    """Measure here: starting other processes takes longer than these small pieces."""
    usual, measuring.FEW = measuring.FEW, 1000
    yield
    measuring.FEW = usual


@pytest.fixture(scope="module")
def far(one_process) -> TwoSample:
    return two_sample(pieces(0), pieces(100, leap=7), shuffles=19)


def test_what_differs_is_told(far):
    assert far.accuracy >= 0.9 and far.low > 0.65
    assert far.ranking > 0.9
    assert far.p_value == pytest.approx(1 / 20)
    assert 0.3 < far.null_mean < 0.7 and far.null_low <= far.null_mean <= far.null_high
    assert far.null_high < far.accuracy
    assert (far.pieces, far.left_out, far.beats) == (12, 0, 16.0)
    assert far.correct == round(far.accuracy * 24)


def test_it_says_what_gives_the_sets_away_and_which_has_more_of_it(far):
    told = dict(far.tells)
    assert len(told) == module.TELLS
    assert any("interval" in name or "stepwise" in name or "bass moves" in name for name in told)
    leaps = [weight for name, weight in told.items() if name in ("mean interval", "pitch range")]
    assert all(weight < 0 for weight in leaps)


def test_what_does_not_differ_is_not_told():
    """Of six pairs of sets from one source about half of the pieces are told right, as by guessing."""
    correct = [two_sample(pieces(100 * split), pieces(100 * split + 50), seed=split, **QUICK).correct
               for split in range(6)]
    assert 0.3 < sum(correct) / (6 * 24) < 0.7


def test_more_difference_is_told_more_often():
    some = pieces(0)
    accuracy = [two_sample(some, [mixed(score, share) for score in pieces(50)], **QUICK).ranking
                for share in (0.0, 1.0)]
    assert accuracy[1] > max(0.85, accuracy[0])


def mixed(score: Score, share: float) -> Score:
    return shuffled(score, np.random.default_rng(note_count(score))) if share else score


def test_same_seed_same_result(far):
    again = two_sample(pieces(0), pieces(100, leap=7), shuffles=19)
    assert again == far
    json.dumps(far.to_json(), allow_nan=False)
    assert far.sentence().startswith(f"{far.correct} of 24 excerpts of 16 beats told right: ")
    assert "guessing 50 %, shuffled labels" in far.sentence()
    assert "shuffled" not in two_sample(pieces(0, 5), pieces(50, 5), **QUICK).sentence()


def test_pieces_that_are_too_short_doubled_empty_or_too_many_are_left_out():
    first = [*pieces(0, 8), piece(0), piece(99, beats=4), new_score()]
    found = two_sample(first, pieces(50, 6), beats=16, **QUICK)
    assert (found.pieces, found.left_out) == (6, 5)


def test_a_doubled_piece_counts_once_whatever_its_voices_are_called():
    other = piece(0)
    for track in other.tracks:
        track.name = "Organ"
    with pytest.raises(BadInput, match="1 and 6 different pieces"):
        two_sample([piece(0), other, piece(0)], pieces(50, 6))


@pytest.mark.parametrize(("first", "second"), [([], []), ([], pieces(0, 6)), (pieces(0, 4), pieces(50, 6)),
                                               ([new_score()] * 9, pieces(0, 6))])
def test_too_few_pieces_are_refused_with_the_way_out(first, second):
    with pytest.raises(BadInput, match="5 pieces each; give more, or shorter excerpts"):
        two_sample(first, second)


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"beats": 0.0}, {"beats": -1.0}, {"beats": float("nan")}, {"shuffles": -1}):
        with pytest.raises(BadInput, match="give"):
            two_sample(pieces(0, 5), pieces(50, 5), **wrong)


def test_the_length_is_what_most_pieces_of_both_sets_have():
    assert module._length(pieces(0, 10), [*pieces(0, 9, beats=12), piece(0, beats=3)]) == 12.0
    assert module._length(pieces(0, 3, beats=2), pieces(0, 3)) == 8.0
    assert module._length(pieces(0, 3, beats=90), pieces(0, 3, beats=80)) == 64.0


def test_an_excerpt_is_notes_and_bars_alone():
    score = piece(0)
    score.markers.append(TextMeta(3.0, FERMATA))
    score.tracks[0].notes[0].duration = 30.0
    score.tracks.append(Track("empty", 3, False))
    cut = excerpt(score, 5.0)
    assert end_beats(cut) == length_beats(cut) == 5.0
    assert note_count(cut) == 10 and len(cut.tracks) == 2
    assert (len(cut.markers), len(cut.key_signatures), len(cut.time_signatures)) == (0, 0, 1)
    assert all(track.name == "" for track in cut.tracks)


def test_a_difference_of_notation_alone_is_not_told():
    """The same music under other names, tempi, instruments and loudness, without bars: not a figure differs."""
    first, second = pieces(0, 6), pieces(0, 6)
    for score in second:
        score.tempos[0].qpm = 47.0
        score.time_signatures.clear()
        for track in score.tracks:
            track.name, track.program = "x", 40
            for note in track.notes:
                note.velocity = 1
    found = two_sample(first, second, shuffles=0)
    assert found.tells[0][1] == pytest.approx(0.0, abs=1e-9)
    assert found.ranking <= 0.5


def test_where_one_set_does_not_know_ties_the_other_forgets_them():
    repeated = [from_grid(Grid(score_grid(seed).pitches, np.zeros((64, 2), dtype=bool))) for seed in range(6)]
    unknown = [from_grid(Grid.from_pitches(score_grid(seed).pitches)) for seed in range(6)]
    assert two_sample(repeated, unknown, **QUICK).tells[0][1] == pytest.approx(0.0, abs=1e-9)
    assert two_sample(repeated, pieces(0, 6), **QUICK).accuracy == 1.0


def test_pieces_of_one_melody_are_never_told_by_each_other():
    labels = np.repeat([1.0, -1.0], 20)
    related = [[0, 1, 20], [2, 21, 22], *[[place] for place in range(3, 20)], *[[place] for place in range(23, 40)]]
    folds = module._folds(labels, related, np.random.default_rng(0))
    for family in related:
        assert len({int(folds[place]) for place in family}) == 1
    tally = [(int(np.sum(folds[:20] == fold)), int(np.sum(folds[20:] == fold))) for fold in range(10)]
    assert all(1 <= a <= 3 and 1 <= b <= 3 for a, b in tally)
    few = module._folds(np.repeat([1.0, -1.0], 5), [[place] for place in range(10)], np.random.default_rng(0))
    assert sorted(few[:5]) == sorted(few[5:]) == [0, 1, 2, 3, 4]


def test_families_join_the_sets_but_not_everything():
    tune = [piece(0), from_grid(Grid.from_pitches(score_grid(0).pitches + 3)), *pieces(10, 18)]
    found = module._families(tune)
    assert [0, 1] in found and len(found) == 19
    assert len(module._families([piece(0)] * 20)) == 20


def score_grid(seed: int) -> Grid:
    return to_grid(piece(seed), voice_count=2)


def test_logistic_regression_is_where_the_gradient_vanishes():
    rng = np.random.default_rng(3)
    values, labels = rng.normal(size=(40, 6)), np.where(rng.random(40) < 0.5, 1.0, -1.0)
    weights = logistic(values, labels, 0.7)

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0.0, -labels * (values @ w)).sum() + 0.35 * w @ w)

    for direction in np.eye(6):
        slope = (loss(weights + 1e-5 * direction) - loss(weights - 1e-5 * direction)) / 2e-5
        assert abs(slope) < 1e-6
    separable = np.array([[50.0], [60.0], [-50.0]])
    assert np.isfinite(logistic(separable, np.array([1.0, 1.0, -1.0]), 1e-3)).all()


def test_it_can_be_stopped_and_says_where_it_is():
    told: list[tuple[float, str]] = []

    def progress(done: float, message: str = "") -> None:
        told.append((done, message))
        if "shuffled" in message:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        two_sample(pieces(0, 6), pieces(50, 6), shuffles=3, modules=("pitch",), progress=progress)
    assert told[-1][1] == "shuffled labels: 1 of 3"
    assert all(a[0] <= b[0] for a, b in pairwise(told))


def test_ranking_counts_equal_values_half():
    assert module._ranking(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == pytest.approx(3.5 / 4)
    assert module._ranking(np.array([0.0]), np.array([1.0])) == 0.0
