"""Melodies are foreseen: each figure of a toy judge and of the chain beside it, worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from componium.evaluation.back_off import BackOffChain
from componium.evaluation.melody_likelihood import kinds_of, lines_of, melody_likelihood, onsets_of
from componium.evaluation.melody_report import MODEL
from componium.interface import TokenLikelihood
from componium.music.corpus import Corpus
from componium.music.errors import BadInput
from componium.music.grid import to_grid
from componium.music.item import Item, hash_of_score
from componium.music.provenance import Learned
from componium.music.score import Note, Track, new_score
from componium.tokens.grid import HOLD, REST, GridTokens

HOLDS, RESTS, NOTES = 0.5, 0.25, 0.125  # probabilities that the judge below gives


def item(name, pitches, lengths=None):
    score = new_score()
    score.tracks.append(Track("Melody"))
    beat = 0.0
    for pitch, length in zip(pitches, lengths or [1.0] * len(pitches), strict=True):
        if pitch is not None:
            score.tracks[0].notes.append(Note(beat, length, pitch, 80))
        beat += length
    return Item(name, "score", score, hash=hash_of_score(score))


class Judge:
    """Gives each kind of symbol a probability, and finds holds the likeliest; hears no music but one line."""

    name = "judge"

    def __init__(self, learned=(), held_out=(), *, told=True, chance=NOTES, voices=1, steps_per_beat=4):
        self.tokens, self.chance = GridTokens(voices, 48, 83, steps_per_beat), chance
        self.provenance = Learned.of(learned).to_json() | {"held_out_hashes": [each.hash for each in held_out]}
        self.told = told

    def prepare(self, item):
        return {"symbols": self.symbols(item.content), "more": np.zeros(3)}

    def symbols(self, score):
        if any(note.pitch == 50 for note in score.tracks[0].notes):
            raise BadInput("a fifty is not heard")
        return self.tokens.encode(to_grid(score, steps_per_beat=4, voice_count=1))[:, 0]

    def log_likelihood(self, score):
        symbols = self.symbols(score)
        if any(note.pitch == 51 for note in score.tracks[0].notes):
            raise BadInput("a fifty-one is not judged")
        steps = np.arange(len(symbols))
        nats = -np.log(np.where(symbols == HOLD, HOLDS, np.where(symbols == REST, RESTS, self.chance)))
        return TokenLikelihood(nats, np.zeros_like(steps), steps, np.ones(len(steps), bool), 4, "toy",
                               symbols == HOLD if self.told else None)


UP, DOWN = item("up", [60, 62, 64, 65, 67, 69, 71, 72]), item("down", [72, 71, 69, 67, 65, 64, 62, 60])
SHORT = item("short", [60, None, 60], [1.0, 0.5, 0.5])  # 2 notes, 1 beginning of a rest: 8 steps, 4 holds, 2 rests
LONG = item("long", [60, 64], [2.0, 1.0])  # 12 steps, 2 notes, 10 holds


def nats(holds, rests, notes):
    return holds * math.log(2) + rests * math.log(4) + notes * math.log(8)


def test_every_figure_of_the_judge_by_hand():
    report = melody_likelihood(Judge([UP, DOWN]), [UP, SHORT, DOWN, LONG])
    told = report.judges[MODEL]
    total = nats(4, 2, 2) + nats(10, 0, 2)
    assert (told.averages.pieces, told.averages.tokens, told.averages.onsets) == (2, 20, 5)
    assert told.averages.token_mean == pytest.approx(total / 20)
    assert told.averages.piece_mean == pytest.approx((nats(4, 2, 2) / 8 + nats(10, 0, 2) / 12) / 2)
    assert told.averages.nats_per_onset == pytest.approx(total / 5)
    assert told.accuracy == pytest.approx(14 / 20)
    assert {kind: each.tokens for kind, each in told.kinds.items()} == {"holds": 14, "rests": 2, "onsets": 4}
    assert [told.part(kind) for kind in ("holds", "rests", "onsets")] == pytest.approx(
        [nats(14, 0, 0) / 20, nats(0, 2, 0) / 20, nats(0, 0, 4) / 20])
    assert melody_likelihood(Judge([UP], told=False), [UP, LONG]).judges[MODEL].accuracy is None


def test_the_chain_counts_what_was_learned_and_held_out():
    judge = Judge([UP], [DOWN])
    report = melody_likelihood(judge, [UP, SHORT, DOWN, LONG])
    assert (report.learned_pieces, report.held_out_pieces, report.new_pieces, report.counted_pieces) == (1, 1, 2, 2)
    assert list(report.judges) == [MODEL, "chain-4", "chain-2", "chain-1", "chain-0"]
    for order in (0, 4):
        chain = BackOffChain(order, 38).fit([judge.symbols(each.content) for each in (UP, DOWN)])
        tested = [judge.symbols(each.content) for each in (SHORT, LONG)]
        told = report.judges[f"chain-{order}"]
        assert told.averages.token_mean == pytest.approx(np.concatenate([chain.nats(each) for each in tested]).mean())
        assert told.accuracy == pytest.approx(chain.accuracy(tested))
    assert report.ratio.ratio == pytest.approx(
        report.judges[MODEL].averages.token_mean / report.judges["chain-4"].averages.token_mean)
    assert report.ratio.low <= report.ratio.ratio <= report.ratio.high
    assert any("2 are new to it" in note for note in report.notes())
    assert any("the 1 held out among them" in note for note in report.notes())


def test_without_new_pieces_those_held_out_are_judged_and_not_counted():
    report = melody_likelihood(Judge([UP, LONG], [DOWN]), [UP, DOWN, LONG])
    assert [piece.name for piece in report.pieces] == ["down"] and report.counted_pieces == 2
    assert any("flatter the model" in note for note in report.notes())


def test_without_pieces_that_were_learned_there_is_no_chain():
    report = melody_likelihood(Judge([UP]), [SHORT, LONG])
    assert list(report.judges) == [MODEL] and report.ratio is None
    assert any("none stands beside it" in note for note in report.notes())
    unknown = Judge()
    report = melody_likelihood(unknown, [SHORT, LONG])
    assert "does not say what it learned from" in report.notes()[0] and not report.leak_free


def test_siblings_of_what_was_learned_are_left_out_once_more():
    tune = [60, 62, 60, 64, 65, 67, 65, 64, 62, 60, 59, 60]
    moved = item("moved", [pitch + 2 for pitch in tune])
    report = melody_likelihood(Judge([item("tune", tune), UP]), [item("tune", tune), UP, moved, LONG])
    assert report.siblings == ("moved",) and [piece.sibling for piece in report.pieces] == [True, False]
    assert report.judges[MODEL].averages.pieces == 2 and report.leak_free[MODEL].averages.tokens == 12
    assert report.leak_free_ratio.ratio == pytest.approx(
        report.leak_free[MODEL].averages.token_mean / report.leak_free["chain-4"].averages.token_mean)
    assert "the second table is of the other 1" in report.notes()[-1]


def test_what_is_not_heard_or_not_judged_is_named():
    deaf, refused = item("deaf", [50, 52, 53]), item("refused", [51, 52, 53])
    report = melody_likelihood(Judge([UP]), [deaf, UP, refused, LONG])
    assert [(each.name, each.reason) for each in report.skipped] == [("deaf", "a fifty is not heard")]
    assert [(each.name, each.reason) for each in report.refused] == [("refused", "a fifty-one is not judged")]
    assert any("1 of 2 test pieces it does not judge" in note for note in report.notes())
    assert [piece.name for piece in report.pieces] == ["long"]
    with pytest.raises(BadInput, match=r"judged none of 1 test pieces \(the first: refused"):
        melody_likelihood(Judge([UP]), [UP, refused])
    with pytest.raises(BadInput, match="a fifty is not heard"):
        melody_likelihood(Judge([UP]), [deaf])
    with pytest.raises(BadInput, match=r"train\.unseen"):
        melody_likelihood(Judge([UP]), [UP])


def test_the_interval_is_of_pieces():
    pieces = [item(f"piece {number}", [60 + number, 64, 60 + number % 5], [1.0, number / 4, 0.5])
              for number in range(1, 13)]
    report = melody_likelihood(Judge([UP, DOWN]), [UP, DOWN, *pieces], seed=3)
    sums = np.array([[piece.nats_per_16th * piece.steps, piece.chain_nats_per_16th * piece.steps]
                     for piece in report.pieces])
    drawn = [sums[np.random.default_rng(number).integers(12, size=12)].sum(0) for number in range(4000)]
    assert [report.ratio.low, report.ratio.high] == pytest.approx(
        np.percentile([mine / theirs for mine, theirs in drawn], [2.5, 97.5]), rel=0.02)
    assert melody_likelihood(Judge([UP, DOWN]), [UP, DOWN, *pieces], seed=3, most=5).judges[MODEL].averages.pieces == 5


class Short(Judge):
    def log_likelihood(self, score):
        told = super().log_likelihood(score)
        return TokenLikelihood(told.nats[1:], told.voice[1:], told.step[1:], told.onset[1:], 4, "toy")


def test_a_model_that_breaks_the_protocol_is_refused():
    with pytest.raises(BadInput, match="judges 11 tokens, and prepares 12 16ths"):
        melody_likelihood(Short([UP]), [UP, LONG])
    with pytest.raises(BadInput, match="no logarithms"):
        melody_likelihood(Judge([UP], chance=2.0), [UP, LONG])
    with pytest.raises(BadInput, match="does not judge one line alone"):
        melody_likelihood(Judge(voices=4), [UP])
    with pytest.raises(BadInput, match="hears 12 steps a quarter note"):
        melody_likelihood(Judge(steps_per_beat=12), [UP])
    with pytest.raises(BadInput, match="does not judge how likely"):
        melody_likelihood(type("Mute", (), {"name": "mute"})(), [UP])


def test_the_models_that_judge_four_voices_are_refused_with_a_sentence():
    from componium import registry

    with pytest.raises(BadInput, match=r"markov does not judge one line alone.*jsb16"):
        melody_likelihood(registry.create("markov"), [UP])
    pytest.importorskip("torch")
    with pytest.raises(BadInput, match="chorale-rnn does not judge one line alone"):
        melody_likelihood(registry.create("chorale-rnn"), [UP])


def test_kinds_and_onsets_by_hand():
    symbols = np.array([1, 1, 14, 0, 1, 1, 14, 14])
    assert kinds_of(symbols).tolist() == [1, 1, 2, 0, 1, 1, 2, 2]
    assert onsets_of(symbols).tolist() == [True, False, True, False, True, False, True, True]


def test_a_trained_model_and_its_chain_judge_the_same_steps():
    pytest.importorskip("torch")
    from componium import registry

    model = registry.create("melody-lstm", hidden=8, head=8)
    model.trained = True
    model.provenance = Learned.of([UP]).to_json()
    report = melody_likelihood(model, [UP, DOWN, SHORT, LONG])
    assert report.judges[MODEL].averages.tokens == 32 + 8 + 12 == report.judges["chain-4"].averages.tokens
    kinds = report.judges[MODEL].kinds
    assert {kind: each.tokens for kind, each in kinds.items()} == {"holds": 38, "rests": 2, "onsets": 12}
    assert report.judges[MODEL].averages.onsets == 13 and 0 <= report.judges[MODEL].accuracy <= 1
    assert len(lines_of(model, Corpus([UP, LONG], name="two")).new) == 1


def test_pieces_with_ornaments_are_judged_and_not_left_out():
    pytest.importorskip("torch")
    from componium import registry

    model = registry.create("melody-rnn", hidden=8)
    model.trained = True
    model.provenance = Learned.of([UP]).to_json()
    ornate = item("ornate", [60, 62, 64, 65, 67, 69, 71, 72, 71, 60], [0.9, 1.1, *[1.0] * 8])
    report = melody_likelihood(model, [UP, ornate, LONG])
    assert not report.refused and not report.skipped
    assert [(piece.name, piece.steps) for piece in report.pieces] == [("ornate", 40), ("long", 12)]
    assert report.judges["chain-4"].averages.tokens == 52


def test_the_json_holds_everything():
    told = json.loads(json.dumps(melody_likelihood(Judge([UP], [DOWN]), [UP, SHORT, DOWN, LONG]).to_json()))
    assert told["protocol"] == "melody" and told["ratio"]["low"] <= told["ratio"]["ratio"]
    assert told["judges"]["model"]["nats_per_token"]["token_mean"] > 0
    assert set(told["judges"]["chain-4"]["kinds"]["onsets"]) == {"steps", "nats_per_step", "nats_per_16th"}
    assert [piece["name"] for piece in told["pieces"]] == ["short", "long"] and len(told["notes"]) == 5
