"""The Markov model: what it learns, what its masks guarantee, and that composing agrees with judging."""

from __future__ import annotations

import csv
import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from componium.composers.markov import Markov, MarkovConfig
from componium.composers.markov.chain import BackoffChain, ShortTermMemory, mix_hash, short_term
from componium.composers.markov.compose import Loom
from componium.composers.markov.plan import plan_piece
from componium.composers.markov.request import Piece, Rules
from componium.composers.markov.viewpoints import REPEAT, SYMBOLS, listen
from componium.music.errors import BadFile, BadInput, Cancelled
from componium.music.grid import REST, Grid, from_grid, to_grid
from componium.music.item import Item
from componium.music.keys import Key
from componium.music.score import PHRASE_END, Note, Track, length_beats, new_score
from componium.music.voices import voices
from componium.training.fit import train

DATA = os.environ.get("COMPONIUM_BENCH_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="COMPONIUM_BENCH_DATA is not set")


def item(name: str, grid: Grid) -> Item:
    return Item(name=name, kind="score", content=from_grid(grid), grid=grid)


def chorale(number: int, steps: int = 64) -> Grid:
    """Return a small four-voice piece: tonic and dominant chords in a key of its own, with a walking soprano."""
    rng = np.random.default_rng(number)
    tonic = 60 + number % 5
    chords = {0: (12, 7, 4, -12), 1: (11, 7, 2, -5), 2: (12, 9, 5, -7)}
    rows, held = [], []
    for beat in range(steps // 4):
        name = 0 if beat % 8 in (0, 7) else int(rng.integers(3))
        chord = [tonic + c for c in chords[name]]
        rows += [chord] * 4
        held += [[False] * 4] + [[True] * 4] * 3
    return Grid(np.array(rows, np.int16), np.array(held), key=str(Key.of(tonic % 12, "major")))


def melody(number: int) -> Item:
    rng = np.random.default_rng(number)
    score = new_score(key="C major")
    track = Track("Melody", 0, False)
    time_beats, degree = 0.0, 4
    while time_beats < 32:
        duration = float(rng.choice([0.5, 1.0, 1.0, 2.0]))
        degree = int(np.clip(degree + rng.choice([-2, -1, -1, 1, 1, 0]), 0, 7))
        pitch = (60, 62, 64, 65, 67, 69, 71, 72)[degree]
        track.notes.append(Note(time_beats, min(duration, 32 - time_beats), pitch, 80))
        time_beats += duration
    score.tracks.append(track)
    return Item(name=f"melody{number}", kind="score", content=score)


@pytest.fixture(scope="module")
def choir() -> Markov:
    model = Markov()
    model.fit([item(f"c{n}", chorale(n)) for n in range(14)])
    return model


@pytest.fixture(scope="module")
def singer() -> Markov:
    model = Markov(MarkovConfig(order=2))
    model.fit([melody(n) for n in range(14)])
    return model


# the chain


def test_witten_bell_by_hand() -> None:
    hashes = [np.zeros(3, np.uint64), np.array([1, 1, 2], np.uint64)]
    chain = BackoffChain.count(hashes, np.array([0, 0, 1]), 4, caution=1.0)
    coarse = (np.array([2, 1, 0, 0]) + 2 * 0.25) / (3 + 2)
    fine = (np.array([2, 0, 0, 0]) + 1 * coarse) / (2 + 1)
    got = chain.probabilities([np.zeros(2, np.uint64), np.array([1, 9], np.uint64)])
    assert np.allclose(got, [fine, coarse])


def test_short_term_counts_only_the_past() -> None:
    hashes = [np.array([5, 6, 5, 5], np.uint64)]
    chances, depth = short_term(hashes, np.array([2, 1, 3, 2]), 4, caution=1.0)
    assert depth.tolist() == [0, 0, 1, 1]
    assert np.allclose(chances[2], (np.eye(4)[2] + 0.25) / 2)
    assert np.allclose(chances[3], (np.eye(4)[2] + np.eye(4)[3] + 2 * 0.25) / 4)


def test_growing_memory_equals_the_whole_piece() -> None:
    rng = np.random.default_rng(0)
    contexts = [rng.integers(0, k, 60).astype(np.uint64) for k in (2, 6)]
    contexts[1] = mix_hash(contexts[0], contexts[1].astype(np.int64))
    symbols = rng.integers(0, 5, 60)
    whole, depth = short_term(contexts, symbols, 5, caution=2.0)
    memory = ShortTermMemory(1, 60, 1, 2, 5, caution=2.0)
    for step in range(60):
        now = [level[step:step + 1] for level in contexts]
        chances, matched = memory.probabilities(0, now)
        assert np.allclose(chances[0], whole[step], atol=1e-5)
        assert matched[0] == depth[step]
        memory.remember(0, now, symbols[step:step + 1])


# likelihood


def test_probabilities_sum_to_one(choir: Markov) -> None:
    """Every way to go on from a prefix, together, has probability one."""
    grid = chorale(3, steps=16)
    total = 0.0
    pitch, held = grid.pitches.astype(np.int16), grid.held
    last = len(grid) - 1
    for value in [REST, *range(choir.lowest, choir.highest + 1)]:
        for prolong in (False, True):
            if prolong and (value == REST or pitch[last - 1, 0] != value):
                continue
            cells, ties = pitch.copy(), held.copy()
            cells[last, 0], ties[last, 0] = value, prolong
            told = choir.log_likelihood(Grid(cells, ties, key=grid.key))
            total += float(np.exp(-told.nats[(told.step == last) & (told.voice == 0)][0]))
    assert total == pytest.approx(1.0, abs=1e-4)


def test_learning_lowers_surprise_and_order_matters(choir: Markov) -> None:
    known, strange = chorale(2), Grid.from_pitches(np.random.default_rng(0).integers(40, 80, (64, 4)))
    assert choir.log_likelihood(known).nats.mean() < 0.5 < choir.log_likelihood(strange).nats.mean()


def test_unlearned_pitch_is_named(choir: Markov) -> None:
    with pytest.raises(BadInput, match="pitch 100"):
        choir.log_likelihood(Grid.from_pitches(np.full((8, 4), 100)))


def test_a_causal_model_ignores_the_future(choir: Markov) -> None:
    grid = chorale(4)
    other = grid.pitches.copy()
    other[40:] = 60
    first = choir.log_likelihood(Grid.from_pitches(grid.pitches)).nats
    second = choir.log_likelihood(Grid.from_pitches(other)).nats
    assert np.allclose(first[:160], second[:160])


@needs_data
def test_benchmark_figure() -> None:
    """At most 0.55 nats a token on the validation part, and the short-term chain helps."""
    assert DATA is not None
    parts = {name: [Grid.from_pitches(p) for p in json.loads((Path(DATA) / f"jsb16/{name}.json").read_text())]
             for name in ("train", "valid")}
    items = [Item(name=str(n), kind="score", content=new_score(), grid=g) for n, g in enumerate(parts["train"])]
    figures = {}
    for short in (True, False):
        model = Markov(MarkovConfig(short_term=short))
        begin = time.perf_counter()
        model.fit(items)
        assert time.perf_counter() - begin < 30
        told = model.log_likelihood_many(parts["valid"])
        assert sum(len(t.nats) for t in told) == 73_632
        figures[short] = float(np.concatenate([t.nats for t in told]).mean())
    assert figures[True] < 0.40
    assert figures[False] - figures[True] > 0.02


# composing


def test_same_seed_same_piece_and_count_changes_nothing(choir: Markov) -> None:
    one = to_grid(choir.generate(bars=4, seed=5))
    many = [to_grid(s) for s in choir.generate_many(count=3, bars=4, seed=5)]
    assert one == many[0]
    assert many[0] != many[1]
    assert to_grid(choir.generate(bars=4, seed=6)) != one


def test_one_seed_of_each_piece_gives_what_each_gives_alone(choir: Markov) -> None:
    seeds = [9, 2, 5, 2]
    many = choir.generate_many(count=4, bars=4, seed=seeds)
    assert [to_grid(s) for s in many] == [to_grid(choir.generate(bars=4, seed=seed)) for seed in seeds]
    with pytest.raises(BadInput, match="one for each piece"):
        choir.generate_many(count=3, bars=4, seed=seeds)
    with pytest.raises(BadInput, match="0 or more"):
        choir.generate_many(count=2, bars=4, seed=[3, -1])


@pytest.mark.parametrize("key", ["G minor", "A major", "Eb major"])
def test_key_range_cadence_and_length(choir: Markov, key: str) -> None:
    tonic = Key.parse(key).tonic_pitch_class
    scale = {(tonic + s) % 12 for s in ((0, 2, 3, 5, 7, 8, 9, 10, 11) if "minor" in key else (0, 2, 4, 5, 7, 9, 11))}
    for seed in range(3):
        score = choir.generate(bars=8, seed=seed, key=key)
        grid = to_grid(score)
        assert len(grid) == 128
        assert length_beats(score) == 32
        assert grid.key == key
        sounding = grid.pitches[grid.pitches >= 0]
        assert set((sounding % 12).tolist()) <= scale
        last, before = grid.pitches[-1], grid.pitches[-9]
        assert last[3] % 12 == tonic
        assert before[3] % 12 == (tonic + 7) % 12
        assert (before % 12 == (tonic + 11) % 12).sum() == 1, "one leading note in the dominant"
        assert (grid.pitches[-8:] == last).all()
        assert (np.diff(grid.pitches.astype(int), axis=1) <= 0).all(), "no crossing"


def test_open_ending_is_not_forced(choir: Markov) -> None:
    words = {"count": 30, "bars": 2, "seed": 1, "key": "C major", "phrase_bars": 0}
    closed, opened = ({int(to_grid(s).pitches[-1, 3]) % 12 for s in choir.generate_many(**words, ending=ending)}
                      for ending in ("authentic", "open"))
    assert closed == {0}
    assert opened - {0}


def test_prompt_is_kept_to_the_note(choir: Markov) -> None:
    prompt = from_grid(chorale(1, steps=32))
    score = choir.generate(bars=6, seed=1, prompt=prompt)
    assert length_beats(score) == 24
    for mine, theirs in zip(voices(prompt), voices(score), strict=True):
        kept = [n for n in theirs.notes if n.time < 8]
        assert [(n.time, n.duration, n.pitch, n.velocity) for n in kept] \
            == [(n.time, n.duration, n.pitch, n.velocity) for n in mine.notes]


def test_continue_fills_the_bar_and_adds_bars(choir: Markov) -> None:
    score = choir.continue_(from_grid(chorale(1, steps=24)), bars=3, seed=2)
    assert length_beats(score) == 8 + 12
    with pytest.raises(BadInput, match="no notes"):
        choir.continue_(new_score(), bars=1)


def test_prompt_longer_than_the_piece(choir: Markov) -> None:
    for bars in (2, 4):
        with pytest.raises(BadInput, match="more bars"):
            choir.generate(bars=bars, prompt=from_grid(chorale(1)))


def test_of_a_long_prompt_only_the_end_is_heard(choir: Markov, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = chorale(1, 256)
    prompt = from_grid(Grid(whole.pitches, whole.held, pickup_steps=4, key=whole.key))
    monkeypatch.setattr("componium.composers.markov.request.HEARD_STEPS", 64)
    for score in (choir.continue_(prompt, bars=3, seed=2), choir.generate(bars=19, prompt=prompt, seed=2)):
        assert length_beats(score) == 1 + 19 * 4
        assert [(n.time, n.pitch) for n in voices(score)[0].notes if n.time < 64] \
            == [(n.time, n.pitch) for n in voices(prompt)[0].notes]


def test_a_prompt_has_its_own_meter_and_tempo(choir: Markov) -> None:
    for words in ({"meter": "3/4"}, {"tempo_bpm": 60.0}):
        with pytest.raises(BadInput, match="a prompt has its meter"):
            choir.generate(bars=6, prompt=from_grid(chorale(1, steps=32)), **words)
    for bars in (0, -1):
        with pytest.raises(BadInput, match=f"bars={bars}"):
            choir.continue_(from_grid(chorale(1, steps=32)), bars=bars)


def test_a_meter_that_does_not_fit_the_grid() -> None:
    model = Markov(MarkovConfig(steps_per_beat=1))
    model.fit([melody(n) for n in range(4)])
    for meter in ("3/8", "1/16"):
        with pytest.raises(BadInput, match="does not fit a grid of 1 steps"):
            model.generate(bars=2, meter=meter)


def test_only_the_end_of_a_piece_is_its_close() -> None:
    rng = np.random.default_rng(0)
    words = {"start": 0, "steps": 128, "pickup_steps": 0, "bar_steps": 16, "beat_steps": 4, "key": 0, "phrase_bars": 4}
    assert plan_piece(**words, ending="authentic", rng=rng).close == 120
    opened = plan_piece(**words, ending="open", rng=rng)
    assert opened.close == -1 and opened.fermatas == [56]


def test_pieces_of_another_texture_are_named_and_not_counted() -> None:
    items = [item(f"c{n}", chorale(n)) for n in range(5)] + [melody(1)]
    model = train(Markov(), items)
    assert [(each.name, "four voices" in reason) for each, reason in model.passed_over] == [("melody1", True)]
    assert model.provenance["pieces"] == 5
    assert model.provenance["names"] == [f"c{n}" for n in range(5)]


def test_melody_ends_on_the_tonic_and_rests_can_be_forbidden(singer: Markov) -> None:
    assert singer.voices == 1
    score = singer.generate(bars=4, seed=3, key="D major", rests=False)
    grid = to_grid(score, voice_count=1)
    assert grid.pitches[-1, 0] % 12 == 2
    assert [event.text for event in score.markers] == [PHRASE_END], "fermatas are for chorales"
    assert (grid.pitches != REST).all()
    assert length_beats(score) == 16


@pytest.mark.parametrize("meter, beats", [("3/4", 12), ("6/8", 12), ("2/2", 16), ("5/4", 20), ("1/4", 4)])
def test_meters(singer: Markov, choir: Markov, meter: str, beats: float) -> None:
    for model in (singer, choir):
        assert length_beats(model.generate(bars=4, meter=meter, seed=1, rests=False)) == beats


def test_repeats_are_told_from_holds(choir: Markov) -> None:
    assert choir.ties
    grids = [to_grid(s) for s in choir.generate_many(count=8, bars=4, seed=1)]
    again = sum(int(((g.pitches[1:] == g.pitches[:-1]) & ~g.held[1:] & (g.pitches[1:] >= 0)).sum()) for g in grids)
    assert again > 0
    tokens = listen([chorale(0)], 2)
    assert (tokens.symbols == REPEAT).any()
    assert tokens.symbols.max() < SYMBOLS


def test_bad_arguments_are_named(choir: Markov) -> None:
    for words, match in [({"bars": 0}, "bars=0"), ({"key": "H"}, "H"), ({"key": "D dorian"}, "major and minor"),
                         ({"ending": "x"}, "ending=x"), ({"temperature": -1.0}, "temperature"),
                         ({"meter": "4-4"}, "meter=4-4"),
                         ({"meter": "²/4"}, "meter="), ({"meter": "4/3"}, "meter="),
                         ({"key_mask": "hard"}, "key_mask"), ({"seed": -1}, "seed")]:
        with pytest.raises(BadInput, match=match):
            choir.generate(**words)
    with pytest.raises(BadInput, match="trained first"):
        Markov().generate()
    for caution in (0.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="caution"):
            Markov(MarkovConfig(caution=caution))
    with pytest.raises(BadInput, match="order=9"):
        Markov(MarkovConfig(order=9))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(BadInput, match="no scores"):
        Markov().fit([])
    with pytest.raises(BadInput, match="none of the 1"):
        Markov().fit([Item(name="empty", kind="score", content=new_score())])
    drums = new_score()
    drums.tracks.append(Track("kit", 0, True))
    drums.tracks[0].notes.append(Note(0.0, 1.0, 36, 80))
    for texture, reason in (("auto", "drums say nothing"), ("chorale", "four voices")):
        with pytest.raises(BadInput, match=reason):
            Markov(MarkovConfig(texture=texture)).fit([Item(name="kit", kind="score", content=drums)])


def test_progress_can_cancel(choir: Markov) -> None:
    def stop(fraction: float, _message: str) -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        choir.generate(bars=8, progress=stop)


def test_very_hot_and_very_cold(choir: Markov) -> None:
    for temperature in (0.0, 20.0):
        assert len(to_grid(choir.generate(bars=2, seed=1, temperature=temperature))) == 32


def test_one_note_corpus() -> None:
    score = new_score()
    score.tracks.append(Track("x", 0, False))
    score.tracks[0].notes.append(Note(0.0, 1.0, 60, 80))
    model = Markov()
    model.fit([Item(name="one", kind="score", content=score)])
    assert length_beats(model.generate(bars=2, seed=1, rests=False)) == 8


def test_pieces_heard_in_groups_are_heard_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    grids = [chorale(n, steps) for n, steps in enumerate((64, 16, 48, 64, 32))]
    together = listen(grids, 3)
    monkeypatch.setattr("componium.composers.markov.viewpoints.TOGETHER_CELLS", 200)
    apart = listen(grids, 3)
    for name in vars(together):
        assert len(getattr(together, name)) == len(getattr(apart, name))
        for piece in range(len(grids)):
            one, other = getattr(together, name)[together.piece == piece], getattr(apart, name)[apart.piece == piece]
            assert (one == other).all()


def test_no_voice_stands_still() -> None:
    """A voice stays on a pitch for twice its longest note at most, struck again or not, whatever the corpus did."""
    pitches = np.repeat([60, 62, 60, 64], 32)[:, None]
    held = (np.arange(128) % 4 != 0)[:, None]
    drone = Grid(pitches.astype(np.int16), held, key="C major")
    model = Markov()
    model.fit([Item(name=f"d{n}", kind="score", content=from_grid(drone)) for n in range(4)])
    assert model.longest.tolist() == [4]
    for score in model.generate_many(count=10, bars=8, seed=2, rests=False, phrase_bars=0, ending="open"):
        line = to_grid(score, voice_count=1).pitches[:, 0].astype(int)
        changes = np.flatnonzero(np.diff(line) != 0)
        assert np.diff(np.concatenate([[-1], changes, [len(line) - 1]])).max() <= 8


def _loom(model: Markov, particles: int) -> Loom:
    piece = Piece.asked(model, bars=2, meter=None, key="C major", ending="authentic", phrase_bars=0, tempo_bpm=None,
                        prompt=None)
    return Loom(model, piece, Rules(particles=particles), [np.random.default_rng(0)], model.factors)


def test_particles_that_must_break_a_rule_lose_weight(choir: Markov) -> None:
    loom = _loom(choir, 2)
    wanted, otherwise = np.array([[True, False], [False, False]]), np.ones((2, 2), np.bool_)
    assert loom._kept(wanted, otherwise).tolist() == [[True, False], [True, True]]
    assert loom.log_weight[0] == 0 > loom.log_weight[1]


def test_weights_start_anew_after_a_selection(choir: Markov) -> None:
    loom = _loom(choir, 4)
    for _ in range(4):
        loom.grow()
    loom.log_weight = np.array([0.0, -50.0, -50.0, -50.0])
    loom._select()
    assert (loom.log_weight == 0).all()
    assert (loom.cells[:4] == loom.cells[:4, :1]).all(), "all are copies of the heavy one"
    assert (loom.ear.before == loom.ear.before[:1]).all()


# the table


def test_forbidding_a_repeat_leaves_long_notes(singer: Markov, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    singer.write_table(path)
    _edit(path, {("G", "G"): "0"})
    again, longest = 0, 0.0
    for score in singer.generate_many(count=40, bars=8, seed=1, key="C major", phrase_bars=0, ending="open",
                                      table=str(path)):
        notes = sorted(score.tracks[0].notes, key=lambda n: n.time)
        again += sum(a.pitch % 12 == 7 and a.pitch == b.pitch for a, b in itertools.pairwise(notes))
        longest = max([longest, *(n.duration for n in notes if n.pitch % 12 == 7)])
    assert again == 0
    assert longest >= 1.0


def test_full_disk_leaves_no_half_table(singer: Markov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(BadFile, match="No space left"):
        singer.write_table(tmp_path / "table.csv")
    assert not list(tmp_path.iterdir())


def test_table_round_trip_changes_nothing(singer: Markov, tmp_path: Path) -> None:
    path = tmp_path / "tafel ü.csv"
    singer.write_table(path)
    assert to_grid(singer.generate(bars=4, seed=1, table=str(path)), voice_count=1) \
        == to_grid(singer.generate(bars=4, seed=1), voice_count=1)


def _edit(path: Path, change: dict[tuple[str, str], str]) -> None:
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    for row in rows:
        row["probability"] = change.get((row["from"], row["to"]), row["probability"])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_forbidden_step_never_comes(singer: Markov, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    singer.write_table(path)

    def share(**more: object) -> float:
        """Return how many of the moves away from G lead to A."""
        words = {"count": 60, "bars": 8, "seed": 1, "key": "C major", "phrase_bars": 0, "ending": "open"}
        after: list[int] = []
        for score in singer.generate_many(**words, **more):
            pitches = [n.pitch % 12 for n in sorted(score.tracks[0].notes, key=lambda n: n.time)]
            after += [b for a, b in itertools.pairwise(pitches) if a == 7]
        return after.count(9) / len(after)

    learned = share()
    assert 0.05 < learned < 0.5
    _edit(path, {("G", "A"): "5"})
    assert share(table=str(path)) > 0.6
    _edit(path, {("G", "A"): "0"})
    assert share(table=str(path)) == 0


def test_bad_tables_are_refused(singer: Markov, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(BadFile, match="cannot be read"):
        singer.generate(table=str(path))
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BadFile, match="not a transition table"):
        singer.generate(table=str(path))
    singer.write_table(path)
    path.write_text(path.read_text().replace("major,1,C,", "major,1,Z,"))
    with pytest.raises(BadFile, match="line"):
        singer.generate(table=str(path))
    singer.write_table(path)
    _edit(path, {("C", note): "0" for note in ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")})
    with pytest.raises(BadFile, match="no way out"):
        singer.generate(table=str(path))


def test_edits_are_saved_with_the_model(singer: Markov, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    singer.write_table(path)
    _edit(path, {("G", "A"): "0"})
    copy = Markov(singer.config)
    copy.load_state(*singer.state())
    copy.read_table(path)
    again = Markov(singer.config)
    again.load_state(*copy.state())
    assert to_grid(again.generate(bars=4, seed=1), voice_count=1) \
        == to_grid(singer.generate(bars=4, seed=1, table=str(path)), voice_count=1)
    assert (singer.factors == 1).all()
