"""Splits by melody: no tune is in two parts, and new pieces move nobody else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from componium.music.corpus import Corpus, Item, hash_of_score
from componium.music.errors import BadInput
from componium.music.provenance import item_fingerprints, siblings
from componium.music.score import Note, Score, Track, new_score, transpose
from componium.music.splits import families, families_of, parts_of

FRACTIONS = (0.6, 0.2, 0.2)


def tune(seed: int, notes: int = 40, change: int | None = None) -> Score:
    pitches = 60 + np.random.default_rng(seed).integers(0, 12, notes)
    if change is not None:
        pitches[change] += 1
    score, track = new_score(), Track("", 0, False)
    for place, pitch in enumerate(pitches.tolist()):
        track.notes.append(Note(place, 1, int(pitch), 80))
    score.tracks.append(track)
    return score


def item(name: str, score: Score) -> Item:
    return Item(name, "score", score, hash=hash_of_score(score))


def family(seed: int) -> list[Item]:
    return [item(f"{seed}", tune(seed)), item(f"{seed} higher", transpose(tune(seed), 3)),
            item(f"{seed} varied", tune(seed, change=5))]


def test_no_family_is_in_two_parts() -> None:
    items = list(itertools.chain.from_iterable(family(seed) for seed in range(60)))
    parts = Corpus(items).split(FRACTIONS, by="melody")
    where = {piece.name: part for part, pieces in enumerate(parts) for piece in pieces}
    assert len(where) == len(items)
    for seed in range(60):
        assert len({where[piece.name] for piece in family(seed)}) == 1
    by_hash = Corpus(items).split(FRACTIONS)
    scattered = {piece.name: part for part, pieces in enumerate(by_hash) for piece in pieces}
    assert any(len({scattered[piece.name] for piece in family(seed)}) > 1 for seed in range(60))
    sizes = [len(part) / len(items) for part in parts]
    assert all(abs(size - fraction) < 0.2 for size, fraction in zip(sizes, FRACTIONS, strict=True))
    assert [len(each) for each in families_of(items)] == [3] * 60
    alone = [item(f"{seed}", tune(seed)) for seed in range(200)]
    assert parts_of(alone, FRACTIONS, "melody") == parts_of(alone, FRACTIONS, "hash")


def test_order_and_names_do_not_matter_and_new_pieces_move_few() -> None:
    items = list(itertools.chain.from_iterable(family(seed) for seed in range(60)))
    first = {piece.hash: part for piece, part in zip(items, parts_of(items, FRACTIONS, "melody"), strict=True)}
    turned = [item("x", piece.content) for piece in reversed(items)]
    assert first == {piece.hash: part
                     for piece, part in zip(turned, parts_of(turned, FRACTIONS, "melody"), strict=True)}
    more = [*items, *(item("new", tune(seed, change=9)) for seed in range(30)),
            *(item("new", tune(seed)) for seed in range(100, 130))]
    moved = {place for place, part in enumerate(parts_of(more, FRACTIONS, "melody")[:len(items)])
             if part != first[items[place].hash]}
    assert all(place // 3 < 30 for place in moved)  # only families that got a new member
    assert len(moved) <= 3 * 10


def test_siblings_of_siblings_belong_together() -> None:
    prints = [list("abcdefghij"), list("defghijklm"), list("ghijklmnop"), list("zyxw"), [], []]
    assert siblings(prints[0], prints[1]) and not siblings(prints[0], prints[2])
    assert families(prints) == [[0, 1, 2], [3], [4], [5]]


def test_few_and_short_pieces() -> None:
    one = Corpus([item("a", tune(1, notes=3))])
    for by in ("hash", "melody"):
        assert sorted(len(part) for part in one.split(by=by)) == [0, 0, 1]
        assert [len(part) for part in Corpus([]).split(by=by)] == [0, 0, 0]
        assert [len(part) for part in one.split((1.0,), by=by)] == [1]
    assert item_fingerprints(one[0]) == []


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (1.5, -0.5), (float("nan"), 0.5)])
def test_parts_that_are_none(fractions: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="parts of a whole"):
        Corpus([item("a", tune(1))]).split(fractions)


def test_another_way_to_split() -> None:
    with pytest.raises(BadInput, match="hash, melody"):
        Corpus([]).split(by="name")
