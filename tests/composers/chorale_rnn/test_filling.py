"""Filling cells: what is given stays, the likeliest is told with its true chance, and no piece looks at another."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from componium.interface import silent
from componium.music.errors import BadInput, Cancelled
from componium.music.grid import Grid, to_grid
from componium.music.item import Item
from componium.music.score import Score, length_beats

torch = pytest.importorskip("torch")

from componium.composers.chorale_rnn import composing  # noqa: E402
from componium.composers.chorale_rnn.composing import Wish  # noqa: E402
from componium.nn.filling import Filled, Filling  # noqa: E402
from componium.tokens import sheets  # noqa: E402
from componium.tokens.grid import HOLD, REST  # noqa: E402

TUNE = (67, 69, 71, 72, 74, 72, 71, 69, 67, 67, 66, 67, 69, 71, 69, 67)


@pytest.fixture(scope="module")
def drawn(network: Any, chorales: list[Item]) -> Any:
    """A network that has not learned, whose chances are all different."""
    return network(chorales)


def sheet_of(model: Any, score: Score, given: tuple[int, ...] = (0,), steps: int = 40) -> sheets.Sheet:
    grid, _ = composing.heard(model, score)
    grid = replace(grid, pitches=grid.pitches[:steps], held=grid.held[:steps], fermatas=())
    return sheets.sheet_beside(grid, given, model.tokens, model.learned.ranges, rests=False)


def filled(model: Any, sheet: sheets.Sheet, seed: int = 1, **wish: Any) -> tuple[Grid, Filled]:
    return composing.fill_sheets(model, [sheet], [seed], Wish(**wish), silent)[0]


def total(done: Filled) -> float:
    return float(done.log_probabilities.sum())


@pytest.mark.parametrize("wish", [
    {"candidates": 1}, {"candidates": 12}, {"candidates": 12, "temperature": 3.0, "top_p": 0.9},
    {"method": "greedy"}, {"method": "beam", "candidates": 5}, {"candidates": 9, "repetition": 3.0, "rests": True}])
@pytest.mark.parametrize("given", [(0,), (3,), (1, 2)])
def test_what_is_told_of_each_cell_is_what_judging_says(drawn: Any, chorales: list[Item], given: tuple[int, ...],
                                                        wish: dict[str, Any]):
    sheet = sheet_of(drawn, chorales[0].content, given)
    grid, done = filled(drawn, sheet, **wish)
    judged = -drawn.log_likelihood(grid).nats.reshape(grid.pitches.shape)
    assert np.allclose(done.log_probabilities, judged, atol=5e-5)
    assert (grid.pitches[:, list(given)] == sheet.grid.pitches[:, list(given)]).all()
    assert (grid.held[:, list(given)] == sheet.grid.held[:, list(given)]).all()


def test_the_same_holds_without_ties(untied_model: Any, tune: Score):
    named = tune.copy()
    named.tracks[0].notes[1].pitch = 67  # struck again: such a model knows of no repeats
    grid, done = filled(untied_model, sheet_of(untied_model, named), candidates=8)
    assert not grid.held[4, 0] and grid.pitches[4, 0] == grid.pitches[3, 0]
    judged = -untied_model.log_likelihood(grid).nats.reshape(grid.pitches.shape)
    assert np.allclose(done.log_probabilities, judged, atol=5e-5)
    assert done.log_probabilities.min() > -100


def test_versions_bring_their_score_and_their_past_with_them(drawn: Any, chorales: list[Item],
                                                             monkeypatch: pytest.MonkeyPatch):
    ended: list[Filling] = []
    chosen = Filling._chosen
    monkeypatch.setattr(Filling, "_chosen", lambda self: (ended.append(self), chosen(self))[1])
    for wish in ({"candidates": 12}, {"method": "beam", "candidates": 6}):
        sheet = sheet_of(drawn, chorales[0].content)
        _, done = filled(drawn, sheet, parallels=True, repetition=1.5, **wish)
        score = ended[-1].score[0]
        assert float(score.max()) == pytest.approx(total(done), abs=1e-6)
        for voice in range(4):
            struck = [symbol for symbol in done.symbols[:, voice].tolist() if symbol > REST][-4:]
            assert ended[-1].recent[voice, int(score.argmax())].tolist()[-len(struck):] == struck
    resampled = [entry for entry in ended[0].history if not len(entry[1])]
    assert resampled, "versions took the place of others"


def test_a_beam_finds_what_is_likelier_than_greed_does(drawn: Any, grid_model: Any, chorales: list[Item]):
    sums = []
    for model, item in ((drawn, chorales[0]), (grid_model, chorales[1]), (grid_model, chorales[2])):
        sheet = sheet_of(model, item.content, steps=12)
        greedy = total(filled(model, sheet, method="greedy")[1])
        one = total(filled(model, sheet, method="beam", candidates=1)[1])
        wide = total(filled(model, sheet, method="beam", candidates=12)[1])
        assert one == pytest.approx(greedy, abs=1e-4)
        assert wide >= greedy - 1e-6
        sums.append(wide - greedy)
    assert max(sums) > 0.01


def test_a_wide_enough_beam_finds_the_best_of_all(network: Any, melodies: list[Item]):
    model = network(melodies, voices=1)
    grid = Grid(np.full((3, 1), 60, np.int16), np.zeros((3, 1), bool))
    sheet = sheets.sheet_beside(grid, [], model.tokens, model.learned.ranges, rests=True)
    low, high = model.learned.ranges[0] - 34
    found, done = filled(model, sheet, method="beam", candidates=512, rests=True, parallels=True)
    best, choices = -math.inf, [REST, *range(low, high + 1)]
    pieces = [(a, b, c) for a in choices for b in [HOLD, *choices] for c in [HOLD, *choices]
              if not (a == REST and b == HOLD) and not (b == REST and c == HOLD)
              and not (a == REST and b == HOLD and c == HOLD)]
    grids = [model.tokens.decode(np.array(piece)[:, None]) for piece in pieces[::7]]
    for judged in model.log_likelihood_many(grids):
        best = max(best, -float(judged.nats.sum()))
    assert total(done) >= best - 1e-6
    assert -float(model.log_likelihood(found).nats.sum()) == pytest.approx(total(done), abs=1e-4)


def test_many_versions_end_with_a_likelier_one(grid_model: Any, chorales: list[Item]):
    sheet = sheet_of(grid_model, chorales[2].content)
    one = [total(filled(grid_model, sheet, seed)[1]) for seed in range(4)]
    many = [total(filled(grid_model, sheet, seed, candidates=24)[1]) for seed in range(4)]
    assert np.mean(many) > np.mean(one)


@pytest.mark.parametrize("method", ["sample", "greedy", "beam"])
def test_a_piece_does_not_depend_on_those_beside_it(model: Any, line: Any, method: str):
    scores = [line(TUNE[:7]), line([64, 65, 67, 69, 67]), line([60])]
    asked = {"method": method, "candidates": 4, "temperature": 1.3}
    together = model.harmonize_many(scores, seed=[5, 6, 7], **asked)
    for number, score in enumerate(scores):
        alone = model.harmonize(score, seed=5 + number, **asked)
        assert to_grid(alone) == to_grid(together[number])


def test_many_pieces_are_those_of_their_seeds(model: Any):
    together = model.generate_many(count=4, bars=2, seed=3, candidates=2)
    assert [to_grid(piece) for piece in together] == [to_grid(model.generate(bars=2, seed=seed, candidates=2))
                                                      for seed in (3, 4, 5, 6)]
    assert len({to_grid(piece).pitches.tobytes() for piece in together}) == 4
    chosen = model.generate_many(count=2, bars=2, seed=[6, 3], candidates=2)
    assert [to_grid(piece) for piece in chosen] == [to_grid(together[3]), to_grid(together[0])]


def test_temperature_0_and_top_k_1_leave_nothing_to_chance(model: Any):
    pieces = [to_grid(model.generate(bars=2, seed=seed, key="C", temperature=0)) for seed in (1, 2)]
    assert pieces[0] == pieces[1]
    assert to_grid(model.generate(bars=2, seed=9, key="C", top_k=1)) == pieces[0]
    assert to_grid(model.generate(bars=2, seed=9, key="C", temperature=2.0)) != pieces[0]


def test_repetition_makes_a_voices_last_notes_rarer(drawn: Any):
    def repeated(repetition: float) -> float:
        shares = []
        for piece in drawn.generate_many(count=4, bars=4, temperature=0.5, repetition=repetition):
            for track in piece.tracks:
                pitches = [note.pitch for note in track.notes]
                shares += [pitch in pitches[max(k - 4, 0):k] for k, pitch in enumerate(pitches) if k]
        return float(np.mean(shares))

    assert repeated(50.0) < 0.6 * repeated(1.0)


def test_rests_are_written_only_where_they_may_be(drawn: Any):
    silent_cells = [(to_grid(drawn.generate(bars=4, seed=1, rests=rests, temperature=3, top_p=1)).pitches < 0).sum()
                    for rests in (False, True)]
    assert silent_cells[0] == 0 < silent_cells[1]


def test_voices_keep_to_the_ranges_that_they_learned(drawn: Any):
    for piece in drawn.generate_many(count=3, bars=4, temperature=5.0, top_p=1.0):
        grid = to_grid(piece)
        low, high = drawn.learned.ranges.T
        assert (grid.pitches >= low).all() and (grid.pitches <= high).all()
        assert length_beats(piece) == 16


@pytest.mark.parametrize("method", ["sample", "greedy", "beam"])
def test_damaged_weights_are_told(network: Any, chorales: list[Item], tune: Score, encoding: str, method: str):
    broken = network(chorales, encoding=encoding)
    with torch.no_grad():
        next(iter(broken.network.parameters())).fill_(math.nan)
    with pytest.raises(BadInput, match="weights are damaged"):
        broken.harmonize(tune, method=method, candidates=3)


@pytest.fixture(params=["grid", "bachbot"])
def encoding(request: pytest.FixtureRequest) -> str:
    return request.param


def test_composing_can_be_stopped_and_tells_how_far_it_is(drawn: Any, tune: Score):
    told: list[float] = []
    drawn.harmonize(tune, candidates=2, progress=lambda share, _: told.append(share))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1 and len(told) > 8

    def stop(share: float, _: str) -> None:
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        drawn.generate(bars=4, progress=stop)


@pytest.mark.parametrize(("wish", "words"), [
    ({"method": "best"}, "method=best: the method is one of sample, greedy, beam"),
    ({"candidates": 0}, "candidates=0: between 1 and 512"), ({"candidates": 513}, "candidates=513"),
    ({"temperature": -1.0}, "temperature=-1"), ({"temperature": math.nan}, "temperature=nan"),
    ({"top_k": -1}, "top_k=-1"), ({"top_p": 0.0}, "top_p=0"), ({"repetition": 0.0}, "repetition=0"),
    ({"seed": -1}, "seed=-1: a seed is 0 or more"), ({"constraints": "nowhere.txt"}, "nowhere.txt")])
def test_wishes_out_of_range_are_told(drawn: Any, tune: Score, wish: dict[str, Any], words: str):
    with pytest.raises(Exception, match=words) as caught:
        drawn.harmonize(tune, **wish)
    assert isinstance(caught.value, BadInput) or "cannot be read" in str(caught.value)


def test_seeds_and_pieces_have_to_be_as_many(drawn: Any, tune: Score):
    with pytest.raises(BadInput, match="2 pieces with 1 seeds"):
        drawn.harmonize_many([tune, tune], seed=[1])
    with pytest.raises(BadInput, match="count=2 with 3 seeds"):
        drawn.generate_many(count=2, seed=[1, 2, 3])
    with pytest.raises(BadInput, match="count=0"):
        drawn.generate_many(count=0)
    assert drawn.harmonize_many([], seed=[]) == []
