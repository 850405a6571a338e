"""Shaping and drawing: masks hold, tails are cut where the papers cut them, and rows do not depend on each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from componium.music.errors import BadInput

torch = pytest.importorskip("torch")
samplers: Any = pytest.importorskip("componium.nn.samplers")
Sampling, shaped, draw, taken = samplers.Sampling, samplers.shaped, samplers.draw, samplers.taken


def chances(values: Any) -> Any:
    return values.exp().numpy().round(6)


LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.15, 0.1], [0.1, 0.2, 0.3, 0.4]]))


def test_without_wishes_the_prediction_is_only_normalised() -> None:
    assert np.allclose(chances(shaped(LOGITS + 3.0)), [[0.5, 0.25, 0.15, 0.1], [0.1, 0.2, 0.3, 0.4]])


def test_what_is_not_allowed_has_no_chance_and_the_rest_is_in_proportion() -> None:
    allowed = torch.tensor([[False, True, True, False], [True, True, True, True]])
    assert np.allclose(chances(shaped(LOGITS, allowed)), [[0, 0.625, 0.375, 0], [0.1, 0.2, 0.3, 0.4]])


def test_masks_come_before_the_cuts() -> None:
    allowed = torch.tensor([[False, True, True, True], [True, True, True, False]])
    assert np.allclose(chances(shaped(LOGITS, allowed, Sampling(top_k=1))), [[0, 1, 0, 0], [0, 0, 1, 0]])


def test_temperature_sharpens_flattens_and_at_zero_takes_the_most_likely() -> None:
    expected = np.array([0.25, 0.0625, 0.0225, 0.01])
    sharper = chances(shaped(LOGITS[:1], None, Sampling(temperature=0.5)))[0]
    assert np.allclose(sharper, expected / expected.sum(), atol=1e-5)
    assert chances(shaped(LOGITS, None, Sampling(temperature=0))).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    equal = shaped(torch.zeros(1, 3), torch.tensor([[False, True, True]]), Sampling(temperature=0))
    assert chances(equal).tolist() == [[0, 1, 0]]


def test_each_row_may_have_its_own_temperature() -> None:
    both = shaped(LOGITS, None, Sampling(temperature=9.0), temperature=torch.tensor([0.0, 2.0]))
    assert chances(both)[0].tolist() == [1, 0, 0, 0]
    assert torch.allclose(both[1:], shaped(LOGITS[1:], None, Sampling(temperature=2.0)))
    with pytest.raises(BadInput, match="temperature"):
        shaped(LOGITS, temperature=torch.tensor([1.0, math.nan]))


@pytest.mark.parametrize(("sampling", "kept"), [
    (Sampling(top_k=2), [0, 1]),
    (Sampling(top_k=9), [0, 1, 2, 3]),
    (Sampling(top_p=0.5), [0]),       # the first alone has this probability
    (Sampling(top_p=0.51), [0, 1]),
    (Sampling(top_p=0.9), [0, 1, 2]),
    (Sampling(top_p=1e-9), [0]),      # never nothing
    # the entropy is 1.208 nats; -log p are 0.693, 1.386, 1.897, 2.303: nearest the second, then the first, the third
    (Sampling(typical_p=0.2), [1]),
    (Sampling(typical_p=0.7), [0, 1]),
    (Sampling(typical_p=0.8), [0, 1, 2]),
    (Sampling(typical_p=1e-9), [1]),
    (Sampling(top_k=3, typical_p=0.9, top_p=0.6), [0, 1]),
])
def test_the_tail_is_cut_where_the_papers_cut_it(sampling: Any, kept: list[int]) -> None:
    left = chances(shaped(LOGITS[:1], None, sampling))[0]
    assert np.flatnonzero(left).tolist() == kept
    assert math.isclose(left.sum(), 1.0, abs_tol=1e-5)
    first = np.array([0.5, 0.25, 0.15, 0.1])[kept]
    assert np.allclose(left[kept], first / first.sum(), atol=1e-5)


def test_a_recent_token_loses_odds_once_however_often_it_was_heard() -> None:
    recent = torch.tensor([[0, 0, -1], [-1, -1, -1]])
    weights = np.array([0.25, 0.25, 0.15, 0.1])
    both = chances(shaped(LOGITS, None, Sampling(repetition=2.0), recent=recent))
    assert np.allclose(both[0], weights / weights.sum(), atol=1e-5)
    assert np.allclose(both[1], [0.1, 0.2, 0.3, 0.4])
    shifted = shaped(LOGITS - 100.0, None, Sampling(repetition=2.0), recent=recent)
    assert np.allclose(chances(shifted), both, atol=1e-5)  # what a network predicts is known up to a constant


def test_repetition_never_brings_back_what_is_not_allowed() -> None:
    allowed = torch.tensor([[True, False, False, False]])
    left = shaped(LOGITS[:1], allowed, Sampling(repetition=1e6), recent=torch.tensor([[0]]))
    assert chances(left).tolist() == [[1, 0, 0, 0]]


def test_a_row_that_allows_nothing_and_a_network_that_is_damaged_are_told() -> None:
    allowed = torch.ones(2, 4, dtype=torch.bool)
    allowed[1] = False
    with pytest.raises(BadInput, match=r"row 1 .* allows no token"):
        shaped(LOGITS, allowed)
    with pytest.raises(BadInput, match="not finite"):
        shaped(torch.tensor([[0.0, math.nan]]))
    with pytest.raises(BadInput, match="not finite"):
        shaped(torch.tensor([[0.0, math.inf]]))
    masked = shaped(torch.tensor([[0.0, math.nan]]), torch.tensor([[True, False]]))
    assert chances(masked).tolist() == [[1, 0]]


@pytest.mark.parametrize(("name", "value"), [
    ("temperature", -1.0), ("temperature", math.nan), ("temperature", math.inf), ("top_k", -1), ("top_k", 1.5),
    ("top_p", 0.0), ("top_p", 1.5), ("top_p", math.nan), ("typical_p", 0.0), ("repetition", 0.0),
    ("repetition", math.inf),
])
def test_a_setting_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(BadInput, match=name):
        Sampling(**{name: value})


def test_drawing_inverts_the_distribution() -> None:
    values = torch.log(torch.tensor([0.0, 0.5, 0.0, 0.25, 0.25, 0.0])).expand(6, -1)
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.74, 0.76, 1 - 2**-53], dtype=torch.float64)
    assert draw(values.double(), uniforms).tolist() == [1, 1, 3, 3, 4, 4]
    assert draw(values.float(), uniforms).tolist() == [1, 1, 3, 3, 4, 4]
    assert draw(values - 1000.0, uniforms).tolist() == [1, 1, 3, 3, 4, 4]  # not normalised


def test_frequencies_of_draws_are_the_probabilities() -> None:
    values = shaped(LOGITS[:1]).expand(20000, -1)
    uniforms = torch.from_numpy(np.random.default_rng(1).random(20000))
    counts = np.bincount(draw(values, uniforms).numpy(), minlength=4) / 20000
    assert np.allclose(counts, [0.5, 0.25, 0.15, 0.1], atol=0.012)


def test_the_log_probability_of_what_was_drawn() -> None:
    told = taken(shaped(LOGITS), torch.tensor([1, 3]))
    assert np.allclose(told.exp().numpy(), [0.25, 0.4])


def test_a_stream_depends_on_its_seed_alone() -> None:
    together, alone = samplers.Uniforms([3, 7, 5], ahead=4), samplers.Uniforms([7])
    for _ in range(11):
        assert together.next()[1] == alone.next()[0]


def test_more_dimensions_are_rows_too() -> None:
    values = shaped(LOGITS.view(2, 1, 4).expand(2, 3, 4), None, Sampling(top_k=2, top_p=0.9))
    assert values.shape == (2, 3, 4)
    assert draw(values, torch.full((2, 3), 0.1)).tolist() == [[0, 0, 0], [2, 2, 2]]


def test_a_beam_of_all_hypotheses_finds_the_best_sequence() -> None:
    rng = np.random.default_rng(2)
    first = torch.from_numpy(rng.normal(size=(1, 3))).log_softmax(-1)
    after = torch.from_numpy(rng.normal(size=(3, 3))).log_softmax(-1)
    scores = torch.tensor([[0.0] + [-math.inf] * 8], dtype=torch.float64)
    parents, tokens, scores = samplers.beam(first[:, None].expand(1, 9, 3), scores)
    assert sorted(tokens[0, :3].tolist()) == [0, 1, 2]
    assert torch.isneginf(scores[0, 3:]).all()
    parents, last, scores = samplers.beam(after[tokens[0]][None], scores)
    best = [(tokens[0, parents[0, k]].item(), last[0, k].item()) for k in range(9)]
    every = sorted(((first[0, a] + after[a, b]).item(), (a, b)) for a in range(3) for b in range(3))
    assert best == [pair for _, pair in reversed(every)]
    assert np.allclose(scores[0].numpy(), [score for score, _ in reversed(every)])


def test_a_beam_may_be_narrowed_and_pieces_do_not_mix() -> None:
    values = torch.stack([LOGITS, LOGITS.flip(0)])
    parents, tokens, _ = samplers.beam(values, torch.zeros(2, 2), width=1)
    assert (parents.tolist(), tokens.tolist()) == ([[0], [1]], [[0], [0]])


def test_resampling_copies_each_particle_as_often_as_its_weight_says() -> None:
    weights = torch.log(torch.tensor([[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)) + 40
    assert samplers.resample(weights, torch.tensor([0.5, 1 - 2**-53])).tolist() == [[0, 0, 1, 2], [3, 3, 3, 3]]
    skewed = torch.log(torch.tensor([[0.3, 0.7]], dtype=torch.float64)).expand(1000, -1)
    uniforms = torch.from_numpy(np.random.default_rng(4).random(1000))
    parents = samplers.resample(skewed, uniforms)
    assert abs(float((parents == 0).double().mean()) - 0.3) < 0.02
    with pytest.raises(BadInput, match="no particle"):
        samplers.resample(torch.full((1, 3), -math.inf), torch.tensor([0.5]))


def test_effective_size_is_the_count_of_equal_weights() -> None:
    weights = torch.log(torch.tensor([[0.25] * 4, [0.5, 0.5, 0, 0], [1, 0, 0, 0]], dtype=torch.float64)) - 7
    assert np.allclose(samplers.effective_size(weights).numpy(), [4, 2, 1])
