"""train(): data in, a model that has learned and says from what."""

from __future__ import annotations

import dataclasses
import json

import pytest

from componium.music.corpus import Corpus, Item
from componium.music.errors import BadInput, Cancelled, ComponiumError
from componium.music.grid import Grid, from_grid
from componium.music.item import hash_of_score
from componium.training.fit import most_restrictive, read_budget, train


@dataclasses.dataclass(frozen=True)
class _Config:
    pass


class Counter:
    """Counts notes."""

    name = "counter"
    Config = _Config
    needs_training = True
    deterministic = True

    def __init__(self):
        self.config, self.provenance, self.figures, self.notes = _Config(), {}, {}, 0

    def fit(self, items, *, progress=lambda done, text="": None):
        """Count."""
        for number, item in enumerate(items):
            progress(number / len(items), item.name)
            self.notes += item.content.note_num()


class Keeper(Counter):
    """Takes a seed and a budget."""

    def fit(self, items, *, progress, seed, budget_seconds):
        """Keep what was asked."""
        self.asked = (seed, budget_seconds)


def piece(name="a", top=72, licence="CC0", steps=16):
    score = from_grid(Grid.from_pitches([[top + (i % 7), 67, 60, 48] for i in range(steps)]))
    return Item(name=name, kind="score", content=score, source="made here", licence=licence,
                hash=hash_of_score(score))


def test_the_model_learns_and_says_from_what():
    items = [piece("a"), piece("b", top=70, licence="unknown")]
    model = Counter()
    assert train(model, items) is model
    assert model.notes == sum(item.content.note_num() for item in items) > 0
    told = model.provenance
    assert told["pieces"] == 2
    assert told["names"] == ["a", "b"]
    assert told["hashes"] == [item.hash for item in items]
    assert told["licence"] == "unknown"
    assert told["licences"] == {"CC0": 1, "unknown": 1}
    assert len(told["fingerprints"][0]) > 0
    assert json.loads(json.dumps(told)) == told


def test_a_file_and_its_corpus_teach_the_same(tmp_path):
    path = tmp_path / "zwölf.json"
    path.write_text(json.dumps([[[72 + i % 5, 67, 60, 48] for i in range(16)]] * 1))
    model = train(Counter(), path)
    assert model.notes > 0
    assert model.provenance["pieces"] == 1
    assert "zwölf" in model.provenance["data"]


def test_progress_rises_to_one_and_names_the_end():
    seen = []
    train(Counter(), [piece("a"), piece("b")], progress=lambda done, text="": seen.append((done, text)))
    fractions = [done for done, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "2 pieces" in seen[-1][1]


def test_it_can_be_cancelled():
    def stop(_done, _text=""):
        raise Cancelled("stopped")

    model = Counter()
    with pytest.raises(Cancelled):
        train(model, [piece()], progress=stop)
    assert model.provenance == {}


def test_a_model_that_does_not_learn_is_refused():
    class Still:
        name = "still"

    with pytest.raises(BadInput, match="still does not learn"):
        train(Still(), [piece()])


@pytest.mark.parametrize("data", [[], Corpus([], name="nothing")])
def test_no_data_is_refused(data):
    with pytest.raises(ComponiumError):
        train(Counter(), data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ComponiumError, match="nowhere"):
        train(Counter(), tmp_path / "nowhere")


def test_seed_and_budget_reach_a_model_that_takes_them():
    model = Keeper()
    train(model, [piece()], seed=7, budget="1m30s")
    assert model.asked == (7, 90.0)


@pytest.mark.parametrize(("text", "seconds"), [
    ("90s", 90), ("2m", 120), ("1h30m", 5400), ("0.5h", 1800), ("45", 45),
    (30, 30), (None, None), (" 2M ", 120),
])
def test_budgets(text, seconds):
    assert read_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3m", "0", "2 minutes", "m", "1d", "nan", "inf"])
def test_what_is_not_a_budget(text):
    with pytest.raises(BadInput, match="such as 90s"):
        read_budget(text)


@pytest.mark.parametrize(("licences", "expected"), [
    (["CC0", "unknown"], "unknown"),
    (["CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
    (["public domain", "CC-BY-NC 4.0", "GPL-2"], "CC-BY-NC 4.0"),
    (["public-domain work, encoding licence not stated", "CC-BY-NC 4.0", "CC0"],
     "public-domain work, encoding licence not stated"),
    (["CC-BY-SA-4.0", "CC-BY-4.0"], "CC-BY-SA-4.0"),
    ([], "unknown"),
])
def test_the_most_restrictive_licence_travels(licences, expected):
    assert most_restrictive(licences) == expected
    assert most_restrictive(reversed(licences)) == expected
