"""evaluate(): every average against values worked out by hand, and what the model has seen is flagged."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation.likelihood import evaluate, onsets
from componium.interface import TokenLikelihood
from componium.music.audio import Audio
from componium.music.corpus import Item, open_corpus
from componium.music.errors import BadInput, ComponiumError
from componium.music.grid import Grid, from_grid
from componium.music.item import hash_of_score
from componium.music.provenance import Learned

HOLD, CHANGE = 0.5, 0.125  # probabilities that the model below gives


class Holds:
    """Gives 1/2 to a cell like the one before and 1/8 to any other: nats can be counted by hand."""

    name = "holds"

    def __init__(self, provenance=None):
        self.provenance = provenance or {}
        self.seen = []

    def log_likelihood(self, piece):
        """Return the tokens of a grid, step by step, voice by voice."""
        self.seen.append(piece)
        if not isinstance(piece, Grid):
            return self.melody(piece)
        steps, voices = piece.pitches.shape
        onset = onsets(piece)
        return TokenLikelihood(
            nats=np.where(onset, -math.log(CHANGE), -math.log(HOLD)).reshape(-1),
            voice=np.tile(np.arange(voices), steps), step=np.repeat(np.arange(steps), voices),
            onset=onset.reshape(-1), steps_per_beat=4, tokenisation="grid 16th, 4 voices")

    def melody(self, score):
        """Return one token a note, a nat each."""
        count = score.note_num()
        voice, onset = np.zeros(count, int), np.ones(count, bool)
        return TokenLikelihood(np.ones(count), voice, np.arange(count), onset, 4, "notes")


def item(name, rows, ties_known=False):
    grid = Grid.from_pitches(rows)
    score = from_grid(grid)
    if ties_known:
        grid = Grid(grid.pitches, np.zeros_like(grid.held))
    return Item(name=name, kind="score", content=score, hash=hash_of_score(score), grid=grid)


CHORD = [72, 67, 60, 48]
STILL = item("still", [CHORD] * 2)  # 4 onsets and 4 holds
MOVES = item("moves", [CHORD, CHORD, [74, 67, 60, 48], [74, -1, 60, 48]])  # 4 + 1 + 1 onsets and 10 holds
TUNE = [0, 2, 4, 5, 7, 9, 7, 4, 2, -1, 0, 4]


def tune(name, transposed=0, alto=67):
    return item(name, [[72 + interval + transposed, alto, 60, 48] for interval in TUNE for _ in range(2)])


def nats(onset_count, hold_count):
    return onset_count * math.log(8) + hold_count * math.log(2)


def test_every_average_by_hand():
    report = evaluate(Holds(), [STILL, MOVES])
    every = report.all_pieces
    total = nats(10, 14)
    assert (every.pieces, every.tokens, every.onsets) == (2, 24, 10)
    assert every.token_mean == pytest.approx(total / 24)
    assert every.piece_mean == pytest.approx((nats(4, 4) / 8 + nats(6, 10) / 16) / 2)
    assert every.nats_per_frame == pytest.approx(4 * total / 24)
    assert every.nats_per_onset == pytest.approx(total / 10)


def test_the_json_has_the_names_that_were_promised():
    told = json.loads(json.dumps(evaluate(Holds(), [STILL, MOVES]).to_json()))
    assert set(told["nats_per_token"]) >= {"token_mean", "piece_mean"}
    assert told["nats_per_frame"] == pytest.approx(4 * told["nats_per_token"]["token_mean"])
    assert told["bits_per_token"] == pytest.approx(told["nats_per_token"]["token_mean"] / math.log(2))
    assert (told["pieces"], told["tokens"], told["protocol"]) == (2, 24, "jsb16")
    assert [each["name"] for each in told["per_piece"]] == ["still", "moves"]


def test_a_class_has_its_own_nats_over_its_own_onsets():
    report = evaluate(Holds(), [MOVES])
    assert list(report.by_voice) == ["Soprano", "Alto", "Tenor", "Bass"]
    assert report.by_voice["Soprano"].nats_per_onset == pytest.approx(nats(2, 2) / 2)
    assert report.by_voice["Bass"].nats_per_onset == pytest.approx(nats(1, 3) / 1)
    assert list(report.by_place_in_beat) == ["0", "1", "2", "3"]
    assert report.by_place_in_beat["0"].nats_per_onset == pytest.approx(nats(4, 0) / 4)
    assert report.by_place_in_beat["1"].nats_per_onset is None  # nothing begins there
    assert report.by_place_in_beat["2"].nats_per_onset == pytest.approx(nats(1, 3) / 1)
    assert sum(one.tokens for one in report.by_voice.values()) == 16


def test_the_model_sees_pitches_and_nothing_else():
    model = Holds()
    evaluate(model, [item("ties", [CHORD] * 4, ties_known=True)])
    assert not model.seen[0].ties_known


def test_a_score_without_a_grid_is_read_as_one():
    bare = Item(name="bare", kind="score", content=MOVES.content, hash=MOVES.hash)
    with_grid, without = evaluate(Holds(), [MOVES]), evaluate(Holds(), [bare])
    assert without.all_pieces == with_grid.all_pieces


def test_a_model_that_scores_many_at_once_gives_the_same():
    class Many(Holds):
        def log_likelihood_many(self, pieces, *, progress):
            progress(1.0, "")
            return [self.log_likelihood(piece) for piece in pieces]

    assert evaluate(Many(), [STILL, MOVES]).to_json() == evaluate(Holds(), [STILL, MOVES]).to_json()


def test_one_bad_piece_costs_only_itself():
    class Picky(Holds):
        def log_likelihood_many(self, pieces, *, progress):
            return [self.log_likelihood(piece) for piece in pieces]

        def log_likelihood(self, piece):
            if len(piece) == 2:
                raise BadInput("it is too short")
            return super().log_likelihood(piece)

    report = evaluate(Picky(), [STILL, MOVES])
    assert [each.name for each in report.pieces] == ["moves"]
    assert [(each.name, each.reason) for each in report.skipped] == [("still", "it is too short")]
    assert "still" in report.notes()[-1]


# What the model has seen.

def trained_on(*items):
    return Learned.of(items).to_json()


def test_a_piece_that_was_learned_is_flagged_by_its_hash():
    report = evaluate(Holds(trained_on(STILL)), [STILL, MOVES])
    assert report.overlap.same == ("still",)
    assert [each.seen for each in report.pieces] == ["same", ""]
    assert report.leak_free == evaluate(Holds(trained_on(STILL)), [MOVES]).all_pieces
    assert report.notes()[0].startswith("WARNING")
    assert report.to_json()["leak_free"]["pieces"] == 1
    assert report.to_json()["overlap"]["same"] == ["still"]


def test_a_sibling_in_another_key_and_harmony_is_flagged_by_its_fingerprint():
    report = evaluate(Holds(trained_on(tune("learned"))), [tune("sibling", transposed=-3, alto=65), MOVES])
    assert report.overlap.same == ()
    assert report.overlap.siblings == ("sibling",)
    assert report.leak_free.pieces == 1


def test_a_clean_model_has_the_same_figures_twice():
    report = evaluate(Holds(trained_on(tune("learned"))), [STILL, MOVES])
    assert report.leak_free == report.all_pieces
    assert "none of these 2" in report.notes()[0]


def test_a_model_that_was_trained_on_everything_has_no_leak_free_figures():
    report = evaluate(Holds(trained_on(STILL)), [STILL])
    assert report.leak_free is None
    assert report.to_json()["leak_free"] is None
    assert all(clean == "-" for _, _, clean in report.rows())


def test_a_model_that_does_not_say_is_not_called_clean():
    report = evaluate(Holds(), [STILL])
    assert report.leak_free is None
    assert "may have seen" in report.notes()[0]


# Guards.

def test_a_probability_of_zero_is_not_averaged():
    class Sure(Holds):
        def log_likelihood(self, piece):
            told = super().log_likelihood(piece)
            told.nats[3] = np.inf
            return told

    with pytest.raises(BadInput, match="moves: the model holds gives what is there a probability of zero"):
        evaluate(Sure(), [MOVES])


@pytest.mark.parametrize("spoil", ["short", "twice", "negative"])
def test_a_model_that_breaks_the_protocol_is_refused(spoil):
    class Broken(Holds):
        def log_likelihood(self, piece):
            told = super().log_likelihood(piece)
            if spoil == "negative":
                told.nats[0] = -0.5
            if spoil == "twice":
                told.step[5] = 0
                told.voice[5] = 0
            keep = slice(1, None) if spoil == "short" else slice(None)
            kept = [told.nats[keep], told.voice[keep], told.step[keep], told.onset[keep]]
            return TokenLikelihood(*kept, 4, "x")

    with pytest.raises(BadInput, match="moves"):
        evaluate(Broken(), [MOVES])


@pytest.mark.parametrize(("rows", "reason"), [
    ([[84, 67, 60, 48]], "84 is outside"),
    ([[72, 67, 60, 35]], "35 is outside"),
    ([[72, 67, 60]], "3 voices"),
    ([[-1, -1, -1, -1]], "no notes"),
])
def test_what_the_protocol_cannot_hold_is_skipped_with_its_reason(rows, reason):
    odd = Item(name="odd", kind="score", content=STILL.content, grid=Grid.from_pitches(rows))
    report = evaluate(Holds(), [odd, MOVES])
    assert [each.name for each in report.pieces] == ["moves"]
    assert reason in report.skipped[0].reason
    with pytest.raises(BadInput, match=r"no piece could be scored.*odd"):
        evaluate(Holds(), [odd])


def test_a_melody_is_no_four_part_piece_unless_the_benchmark_format_says_so():
    melody = item("melody", [[72, -1, -1, -1], [74, -1, -1, -1]])
    as_score = Item(name="tune", kind="score", content=melody.content, hash=melody.hash)
    report = evaluate(Holds(), [melody, STILL, as_score])
    assert [piece.name for piece in report.pieces] == ["melody", "still"]
    assert [(each.name, each.reason) for each in report.skipped] == [
        ("tune", "it has 1 of the 4 voices; try --protocol native")]


def test_a_recording_is_skipped():
    sound = Item(name="take 1", kind="audio", content=Audio(np.zeros((1, 8), np.float32), 44100))
    with pytest.raises(BadInput, match="recording, not a score"):
        evaluate(Holds(), [sound])


def test_a_model_without_likelihood_is_refused():
    class Mute:
        name = "mute"

    with pytest.raises(BadInput, match="mute does not judge"):
        evaluate(Mute(), [STILL])


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(BadInput, match="jsb16, native"):
        evaluate(Holds(), [STILL], protocol="jsb8")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ComponiumError, match=r"nowhere\.json"):
        evaluate(Holds(), tmp_path / "nowhere.json")


def test_native_takes_the_models_own_tokens():
    report = evaluate(Holds(), [STILL], protocol="native")
    assert report.tokenisation == "notes"
    assert report.all_pieces.token_mean == 1.0
    assert report.all_pieces.nats_per_frame is None


def test_progress_rises_to_one():
    seen = []
    evaluate(Holds(), [STILL, MOVES], progress=lambda done, text="": seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


DATA = os.environ.get("COMPONIUM_BENCH_DATA", "")


@pytest.mark.skipif(not DATA, reason="COMPONIUM_BENCH_DATA names no folder with the benchmark data")
def test_the_benchmark_data_has_its_published_size_and_share_of_holds():
    corpus = open_corpus(Path(DATA) / "jsb16" / "valid.json")
    report = evaluate(Holds(trained_on(*corpus[:2])), corpus)
    every = report.all_pieces
    assert (every.pieces, every.tokens) == (76, 73_632)
    assert 1 - every.onsets / every.tokens == pytest.approx(0.78, abs=0.012)
    assert len(report.overlap.same) == 2
    assert report.skipped == ()
