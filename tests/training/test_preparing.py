"""The data store: kept, made anew when something changes, never in the way."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from componium.interface import setting
from componium.music.errors import BadInput, Cancelled
from componium.music.item import Item
from componium.music.score import new_score
from componium.training import preparing
from componium.training.preparing import divided, prepared_of


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    step: int = setting(1, "what preparing reads")
    width: int = setting(1, "what it does not")


class Noter:
    """Prepares pitches, and counts how often."""

    name = "own/noter"
    prepares_with = ("step",)

    def __init__(self, **settings):
        self.config, self.calls = Config(**settings), Counter()

    def prepare(self, item):
        self.calls[item.name] += 1
        notes = [note.pitch for track in item.content.tracks for note in track.notes]
        if not notes:
            raise BadInput(f"{item.name}: it holds no notes")
        return {"pitches": np.array(notes, np.float32)[::self.config.step]}


def asked(items, model=None, **settings):
    model = model or Noter(**settings)
    return model.calls.total(), prepared_of(model, items), model.calls.total()


def test_what_was_prepared_is_kept(cache, chorales):
    _, first, made = asked(chorales)
    _, again, none = asked(chorales)
    assert (made, none) == (5, 0)
    for one, other in zip(first.arrays, again.arrays, strict=True):
        assert one.keys() == other.keys() and np.array_equal(one["pitches"], other["pitches"])
        assert one["pitches"].dtype == other["pitches"].dtype
    assert first.names == tuple(item.name for item in chorales) and first.data_hash == again.data_hash


def test_only_what_preparing_reads_makes_it_anew(cache, chorales):
    asked(chorales)
    assert asked(chorales, width=2)[2] == 0
    assert asked(chorales, step=2)[2] == 5

    class Newer(Noter):
        prepared_version = 2

    assert asked(chorales, Newer())[2] == 5

    class All(Noter):
        prepares_with = None

    assert asked(chorales, All())[2] == 5 and asked(chorales, All(width=2))[2] == 5


def test_another_text_of_the_module_makes_it_anew(cache, chorales, monkeypatch):
    asked(chorales)
    monkeypatch.setattr(preparing, "_source_of", lambda cls: "changed")
    assert asked(chorales)[2] == 5


def test_a_damaged_cache_is_made_anew(cache, chorales):
    asked(chorales)
    files = sorted(cache.rglob("*.npz"))
    assert len(files) == 5
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:-30])
    files[2].write_bytes(files[3].read_bytes())  # of another piece
    _, found, calls = asked(chorales)
    assert calls == 3 and len(found.items) == 5
    assert asked(chorales)[2] == 0


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch, chorales):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "file"))
    assert asked(chorales)[2] == 5 and asked(chorales)[2] == 5


def test_an_interrupted_preparation_leaves_whole_entries_only(cache, chorales):
    def stop(done, _text):
        if done > 0.5:
            raise Cancelled("stop")

    model = Noter()
    with pytest.raises(Cancelled):
        prepared_of(model, chorales, progress=stop)
    assert model.calls.total() == 3 and not list(cache.rglob("*.part"))
    assert asked(chorales)[2] == 2


def test_items_without_a_hash_are_not_kept(cache, chorales):
    bare = [dataclasses.replace(chorales[0], hash="")]
    assert asked(bare)[2] == 1 and asked(bare)[2] == 1 and not cache.exists()


def empty(name):
    return Item(name, "score", new_score(), hash=name)


def test_unusable_items_are_named_and_a_corpus_of_them_is_refused(cache, chorales):
    _, found, _ = asked([empty("bare"), *chorales])
    assert [(item.name, reason) for item, reason in found.passed_over] == [("bare", "bare: it holds no notes")]
    with pytest.raises(BadInput, match="cannot learn from bare: bare: it holds no notes"):
        asked([empty("bare")])
    with pytest.raises(BadInput, match=r"any of the 3 pieces: 3 x \.\.\.: it holds no notes"):
        asked([empty("a1"), empty("b2"), empty("c3")])


def test_what_is_not_a_number_is_an_error_that_names_it(cache, chorales):
    class Bad(Noter):
        def prepare(self, item):
            return {"loudness": np.array([1.0, np.nan])}

    for _ in range(2):  # also from the cache
        with pytest.raises(BadInput, match=r"chorale 0: .*array loudness"):
            asked(chorales, Bad())


def test_held_out_pieces_depend_on_the_music_alone(cache, chorales, melodies):
    items = [*chorales, *melodies]
    found = prepared_of(Noter(), items)
    learned, held = divided(found, 0.3, "hash")
    _, other_held = divided(prepared_of(Noter(), items[::-1]), 0.3, "hash")
    assert {i.hash for i in held.items} == {i.hash for i in other_held.items} and held.items
    assert not {i.hash for i in learned.items} & {i.hash for i in held.items}
    assert len(learned.items) + len(held.items) == 10 and len(learned.arrays) == len(learned.items)


def test_small_corpora_hold_something_out_where_they_can(cache, chorales):
    found = prepared_of(Noter(), chorales[:2])
    learned, held = divided(found, 0.01, "hash")
    assert (len(learned.items), len(held.items)) == (1, 1)
    alone, nothing = divided(prepared_of(Noter(), chorales[:1]), 0.5, "melody")
    assert (len(alone.items), len(nothing.items)) == (1, 0)
    twins = prepared_of(Noter(), [chorales[0], dataclasses.replace(chorales[0], name="twin")])
    assert len(divided(twins, 0.1, "melody")[1].items) == 0  # one family
    assert len(divided(found, 0.0, "hash")[1].items) == 0


def test_what_stands_beside_a_models_file_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("model.py", "lines.py"):
        (tmp_path / name).write_text("# as it was\n", encoding="utf-8")
    module = types.ModuleType("componium.composers.imagined.model")
    module.__file__ = str(tmp_path / "model.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    cls = type("Imagined", (), {"__module__": module.__name__})
    before = preparing._source_of.__wrapped__(cls)
    assert preparing._source_of.__wrapped__(cls) == before
    (tmp_path / "lines.py").write_text("# another\n", encoding="utf-8")
    assert preparing._source_of.__wrapped__(cls) != before
