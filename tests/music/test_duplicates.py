"""Near-duplicates: the same tune again, in another key or with small changes, is found; other tunes are not."""

from __future__ import annotations

import itertools
import time

import numpy as np
import numpy.typing as npt

from componium.music.audio import Audio
from componium.music.duplicates import NEAR, near_duplicates, near_pairs, overlaps, runs_of
from componium.music.grid import Grid, from_grid
from componium.music.item import Item, hash_of_score
from componium.music.score import Note, Score, Track, new_score, transpose


def melody(seed: int, notes: int = 64) -> npt.NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return 67 + np.array([0, 2, 4, 5, 7, 9, 11, 12])[rng.integers(0, 8, notes)]


def score_of(pitches: npt.NDArray[np.int64], beats: float = 0.5) -> Score:
    score, track = new_score(), Track("", 0, False)
    for place, pitch in enumerate(pitches.tolist()):
        track.notes.append(Note(place * beats, beats, int(pitch), 80))
    score.tracks.append(track)
    return score


def item(name: str, score: Score) -> Item:
    return Item(name, "score", score, hash=hash_of_score(score))


def test_the_same_tune_in_another_key_rhythm_or_with_small_changes() -> None:
    tune = melody(1)
    varied = tune.copy()
    varied[[10, 40]] += 1
    items = [item("tune", score_of(tune)), item("other", score_of(melody(2))),
             item("transposed", transpose(score_of(tune), -5)), item("slow", score_of(np.repeat(tune, 2), 2.0)),
             item("varied", score_of(varied)), item("half", score_of(tune[:24])),
             item("short", score_of(tune[:9])), Item("sound", "audio", Audio(np.zeros((1, 100), np.float32), 44100))]
    pairs = {(a.name, b.name): similarity for a, b, similarity in near_duplicates(items)}
    assert pairs[("tune", "transposed")] == pairs[("tune", "slow")] == 1.0
    assert NEAR < pairs[("tune", "varied")] < 1.0
    assert not {"other", "half", "short", "sound"} & set(itertools.chain.from_iterable(pairs))
    assert list(pairs.values()) == sorted(pairs.values(), reverse=True)
    assert ("tune", "half") in {(a.name, b.name) for a, b, _ in near_duplicates(items, threshold=0.2)}
    assert near_duplicates([]) == near_duplicates(items[:1]) == []


def test_a_second_voice_does_not_hide_the_tune() -> None:
    tune, two = score_of(melody(1)), score_of(melody(1))
    low = Track("low", 0, False)
    for place in range(32):
        low.notes.append(Note(place, 1.0, 43 + place % 5, 80))
    two.tracks.append(low)
    assert near_duplicates([item("a", tune), item("b", two)])[0][2] == 1.0
    grid = Grid.from_pitches(np.stack([melody(3), melody(3) - 7, melody(3) - 12, melody(3) - 24], 1))
    pieces = [Item("g", "score", from_grid(grid), grid=grid), item("h", score_of(melody(3)))]
    assert near_duplicates(pieces)[0][2] == 1.0


def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    sets = [frozenset(rng.integers(0, 40, rng.integers(0, 25)).tolist()) for _ in range(40)]
    counted = {(a, b): shared for a, b, shared in overlaps(sets)}
    assert counted == {(a, b): len(sets[a] & sets[b]) for a, b in itertools.combinations(range(40), 2)
                       if sets[a] & sets[b]}
    assert all(a < b for a, b in counted)


def test_ten_thousand_tunes_are_compared_in_seconds() -> None:
    runs = [runs_of(melody(seed)) for seed in range(10_000)]
    begun = time.perf_counter()
    assert near_pairs([*runs, runs[77]]) == [(77, 10_000, 1.0)]
    assert time.perf_counter() - begun < 15
