"""New melodies, continuations and new passages: what is given stays, what is asked for is kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium.composers.melody import lines, writing
from componium.composers.melody.writing import Wish
from componium.interface import silent
from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.errors import BadInput, Cancelled
from componium.music.formats import read_score, write_score
from componium.music.grid import to_grid
from componium.music.item import Item
from componium.music.score import (
    Note,
    Score,
    TimeSignature,
    Track,
    bars,
    end_beats,
    key_signature_of,
    length_beats,
    meter,
    new_score,
    set_pickup,
    tempo_bpm,
)
from componium.music.where import changes_outside, passages
from componium.tokens import sheets

torch = pytest.importorskip("torch")

TUNE = (67, 69, 71, 72, 74, 72, 71, 69, 67, 67, 66, 67, 69, 71, 69, 67)
FEW = {"candidates": 2}


def last_note(score: Score) -> Any:
    return max(score.tracks[0].notes, key=lambda note: note.time)


def grid_of(score: Score) -> Any:
    return to_grid(score, voice_count=1)


# new melodies

@pytest.mark.parametrize("meter_asked", ["4/4", "3/4", "6/8", "5/8", "2/2", "7/8"])
def test_new_melodies_are_as_long_as_asked(model: Any, meter_asked: str) -> None:
    score = model.generate(bars=2, seed=2, meter=meter_asked, tempo_bpm=90, **FEW)
    numerator, denominator = map(int, meter_asked.split("/"))
    assert meter(score) == (numerator, denominator) and tempo_bpm(score) == pytest.approx(90, abs=0.01)
    assert end_beats(score) == pytest.approx(2 * 4 * numerator / denominator)
    assert bars(score)[-1].index == 2 and score.tracks[0].notes[0].time == 0
    assert key_signature_of(score) is not None


def test_a_new_melody_has_the_most_common_meter(network: Any, line: Any, melodies: list[Item]) -> None:
    waltz = [Item("waltz", "score", line(TUNE[:12], numerator=3), hash="0")] * 2
    assert meter(network("lstm", [*waltz, melodies[0]]).generate(bars=2)) == (3, 4)


@pytest.mark.parametrize(("key", "meter_asked"), [
    ("C major", "4/4"), ("F# minor", "6/8"), ("Bb major", "5/8"), ("E minor", "3/8"), ("D minor", "3/4")])
def test_a_key_ends_on_its_tonic(model: Any, key: str, meter_asked: str) -> None:
    tonic = {"C": 0, "F#": 6, "Bb": 10, "E": 4, "D": 2}[key.split()[0]]
    for seed in range(2):
        score = model.generate(bars=2, seed=seed, key=key, meter=meter_asked, temperature=1.5, **FEW)
        last = last_note(score)
        assert last.pitch % 12 == tonic, "the last note is the tonic"
        assert last.time + last.duration == pytest.approx(end_beats(score)), "and lasts to the end"
        assert str(key_signature_of(score)) == key


def test_a_tonic_at_the_end_gives_way_to_rules(model: Any, tmp_path: Path) -> None:
    rules = tmp_path / "rules.txt"
    rules.write_text("bar 2: pitches D\n", encoding="utf-8")
    assert last_note(model.generate(bars=2, key="C major", constraints=rules)).pitch % 12 == 2


@pytest.mark.parametrize(("rule", "key", "method"), [
    ("bar 2: must contain F#", "F# minor", "sample"), ("bar 1: pitches D E F# G A B C", "G major", "beam"),
    ("bars 1-2: 2-4 onsets a bar", "Bb major", "sample"), ("bar 2 beat 1: note D", None, "greedy"),
    ("soprano bar 1: rhythm 1 r1 1 1", "E minor", "sample"), ("bars 1-2: range G3-G4", "A major", "beam")])
def test_rules_hold_where_the_music_lies_in_the_end(model: Any, tmp_path: Path, rule: str, key: str | None,
                                                    method: str) -> None:
    path = tmp_path / "rules.txt"
    path.write_text(rule, encoding="utf-8")
    for chosen in {key, None}:
        score = model.generate(bars=2, key=chosen, constraints=path, method=method, **FEW)
        assert violations(grid_of(score), Constraints.read(path)) == []


def test_rules_count_the_bars_of_the_whole_when_it_goes_on(model: Any, tune: Score, tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("bar 6: must contain C#\n", encoding="utf-8")
    score = model.continue_(tune, bars=2, constraints=path, **FEW)
    assert violations(grid_of(score), Constraints.read(path)) == []
    path.write_text("bar 2: must contain C#\n", encoding="utf-8")
    assert violations(grid_of(model.infill(tune, where="2", constraints=path, **FEW)), Constraints.read(path)) == []
    path.write_text("bar 1: pitches C#\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"line 1 \(bar 1: pitches C#\) and the given notes contradict"):
        model.continue_(tune, constraints=path)


def test_seeds(model: Any) -> None:
    together = model.generate_many(count=3, bars=2, seed=3, **FEW)
    assert [grid_of(piece) for piece in together] == [grid_of(model.generate(bars=2, seed=seed, **FEW))
                                                      for seed in (3, 4, 5)]
    assert len({grid_of(piece).pitches.tobytes() for piece in together}) == 3
    chosen = model.generate_many(count=2, bars=2, seed=[5, 3], **FEW)
    assert [grid_of(piece) for piece in chosen] == [grid_of(together[2]), grid_of(together[0])]


def test_temperature_0_and_top_k_1_leave_nothing_to_chance(model: Any) -> None:
    pieces = [grid_of(model.generate(bars=2, seed=seed, key="C", temperature=0)) for seed in (1, 2)]
    assert pieces[0] == pieces[1] == grid_of(model.generate(bars=2, seed=9, key="C", top_k=1))
    assert pieces[0] == grid_of(model.generate(bars=2, seed=9, key="C", method="greedy"))
    assert pieces[0] != grid_of(model.generate(bars=2, seed=9, key="C", temperature=2.0))


def test_repetition_makes_the_last_notes_rarer(model: Any) -> None:
    def repeated(repetition: float) -> float:
        shares = []
        for piece in model.generate_many(count=4, bars=2, temperature=0.5, repetition=repetition, candidates=1):
            pitches = [note.pitch for note in piece.tracks[0].notes]
            shares += [pitch in pitches[max(k - 4, 0):k] for k, pitch in enumerate(pitches) if k]
        return float(np.mean(shares))

    assert repeated(50.0) < 0.6 * repeated(1.0)


@pytest.mark.parametrize("wish", [{"candidates": 1}, {"candidates": 6, "temperature": 2.0, "top_p": 0.9},
                                  {"method": "greedy"}, {"method": "beam", "candidates": 4}], ids=str)
def test_what_is_told_of_each_step_is_what_judging_says(model: Any, tune: Score, wish: dict[str, Any]) -> None:
    sheet = sheets.empty_sheet(model.tokens, model.learned.ranges, bars=3, meter=(3, 4), rests=True)
    (grid, done), = writing.fill(model, sheet, [4], Wish(**wish), silent)
    with torch.inference_mode():
        nats, _, _ = model.nats(model.together([lines.prepared_line(grid, model.tokens)]))
    assert np.allclose(done.log_probabilities[:, 0], -nats[0, :len(grid)].numpy(), atol=5e-5)
    assert done.log_probabilities.min() > -20
    found = model.hear(tune)
    sheet = writing.after(model, found, len(found.grid) + 16)
    (grid, done), = writing.fill(model, sheet, [4], Wish(**wish), silent)
    start = len(found.grid)
    assert grid.pitches[:start].tolist() == found.grid.pitches.tolist()
    nats, _, _ = model.nats(model.together([lines.prepared_line(grid, model.tokens)]))
    assert np.allclose(done.log_probabilities[start:, 0], -nats[0, start:len(grid)].detach().numpy(), atol=5e-5)


def test_judging_says_the_same_of_one_and_of_many(model: Any, melodies: list[Item], tune: Score) -> None:
    scores = [melodies[0].content, tune, melodies[1].content]
    together = model.log_likelihood_many(scores)
    for score, told in zip(scores, together, strict=True):
        alone = model.log_likelihood(score)
        assert np.allclose(alone.nats, told.nats, atol=1e-5) and (alone.right == told.right).all()
        assert len(told.nats) == 64 and told.onset.sum() == 16 and told.steps_per_beat == 4
    moved = tune.copy()
    for note in moved.tracks[0].notes:
        note.pitch += 12
    assert np.allclose(model.log_likelihood(moved).nats, together[1].nats, atol=1e-5), "octaves are heard alike"


# stopping

class Ending:
    """Ends after each step with a chance that depends on the number of the step."""

    def __init__(self, model: Any, chances: dict[int, float]) -> None:
        self.model, self.chances = model, chances

    def __call__(self, grid: Any) -> np.ndarray:
        return np.array([self.chances.get(step, 0.0) for step in range(len(grid))])


def test_stop_ends_where_the_model_ends(ending_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chances = {7: 0.3, 15: 0.5, 31: 0.25, 63: 1.0}
    monkeypatch.setattr(ending_model, "endings", Ending(ending_model, chances))
    found = []
    empty = sheets.empty_sheet(ending_model.tokens, ending_model.learned.ranges, bars=4, meter=(4, 4), rests=False)
    for seed in range(400):
        found.append(len(writing.stopped(empty.grid, ending_model.endings(empty.grid), seed)) / 16)
    shares = [found.count(number) / 400 for number in (1, 2, 3, 4)]
    wanted = [0.3 + 0.7 * 0.5, 0.35 * 0.25, 0, 0.35 * 0.75]
    assert shares == pytest.approx(wanted, abs=4 * 0.5 / math.sqrt(400))
    pieces = [ending_model.generate(bars=4, seed=seed, stop=True) for seed in range(5)]
    assert {4.0, 16.0} <= {end_beats(piece) for piece in pieces} <= {4.0, 8.0, 16.0}
    for seed, piece in enumerate(pieces):
        full = grid_of(ending_model.generate(bars=4, seed=seed, candidates=1))
        sounds = round(length_beats(piece) * 4)
        assert grid_of(piece).pitches[:sounds].tolist() == full.pitches[:sounds].tolist(), "the melody is the same"


def test_stop_is_refused_where_it_means_nothing(drawn: dict[str, Any], tmp_path: Path, tune: Score) -> None:
    with pytest.raises(BadInput, match="melody-rnn has not learned where melodies end: leave out stop"):
        drawn["rnn"].generate(bars=1, stop=True, progress=lambda done, told: pytest.fail("it has composed already"))
    (tmp_path / "rules.txt").write_text("bar 2: must contain F\n", encoding="utf-8")
    with pytest.raises(BadInput, match="leave out stop or constraints"):
        drawn["lstm"].generate(bars=2, stop=True, constraints=tmp_path / "rules.txt")
    for more in ({"stop": True}, {"key": "C"}, {"meter": "3/4"}, {"tempo_bpm": 90}):
        with pytest.raises(BadInput, match="a prompt has its key, its meter and its tempo already"):
            drawn["lstm"].generate(bars=8, prompt=tune, **more)


def test_a_version_counts_with_how_likely_it_ends(ending_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen of several versions is the likeliest melody of that length, its end included."""
    from componium.nn.filling import Filling

    ended: list[Filling] = []
    chosen = Filling._chosen
    monkeypatch.setattr(Filling, "_chosen", lambda self: (ended.append(self), chosen(self))[1])
    sheet = sheets.empty_sheet(ending_model.tokens, ending_model.learned.ranges, bars=2, meter=(4, 4), rests=True)
    (grid, done), = writing.fill(ending_model, sheet, [4], Wish(candidates=5), silent)
    end = math.log(ending_model.endings(grid)[-1])
    assert float(ended[0].score.max()) == pytest.approx(done.log_probabilities.sum() + end, abs=1e-4)


# going on

def several_tracks(line: Any) -> Score:
    score = line(TUNE, name="Flute", tempo_bpm=97)
    score.tracks[0].program = 73
    for number, note in enumerate(score.tracks[0].notes):
        note.velocity = 40 + number
    chords = Track("Piano", program=1)
    chords.notes.extend([Note(beat, 3.9, pitch, 55) for beat in (0, 4, 8, 12) for pitch in (43, 50, 55)])
    kit = Track("Flute", is_drum=True)  # of the same name
    kit.notes.extend([Note(beat, 0.25, 38, 99) for beat in range(16)])
    double = Track("Piano", program=20)
    double.notes.append(Note(0.0, 16.0, 31, 20))
    score.tracks.extend([chords, kit, double])
    return score


def scores_of(line: Any) -> dict[str, Score]:
    legato = line(TUNE)
    for note in list(legato.tracks[0].notes)[:-1]:
        note.duration = 1.1
    grace = line(TUNE)
    grace.tracks[0].notes.append(Note(1.93, 0.07, 73, 60))
    return {
        "one line": line(TUNE), "several tracks": several_tracks(line),
        "pickup": set_pickup(line(TUNE), 1.0), "short pickup": set_pickup(line(TUNE, beats=0.5), 0.5),
        "3/4": line(TUNE[:12], numerator=3), "6/8": line(TUNE, beats=0.5, numerator=6, denominator=8),
        "5/8": line(TUNE[:10], beats=0.5, numerator=5, denominator=8), "F# minor": line(
            (66, 68, 69, 71, 73, 77, 78, 78), key="F# minor"),
        "far below": line([pitch - 48 for pitch in TUNE]), "far above": line([pitch + 50 for pitch in TUNE]),
        "wide": line((36, 96, 40, 90, 45, 88, 50, 84)), "one note": line((67,)), "legato": legato, "grace": grace,
        "late": line((0, 0, 0, 0, 0, 67, 69, 71)), "slow": line(TUNE, tempo_bpm=31), "quiet": line(TUNE[:5]),
        "ends within a bar": line(TUNE[:6]),
    }


KINDS = ["one line", "several tracks", "pickup", "short pickup", "3/4", "6/8", "5/8", "F# minor", "far below",
         "far above", "wide", "one note", "legato", "grace", "late", "slow", "quiet", "ends within a bar"]


def check_longer(score: Score, longer: Score, count: int, notes_of: Any, place: int = 0) -> None:
    """Assert that a score is kept to the note in every track, with so many bars of melody after it in one."""
    assert [(t.name, t.program, t.is_drum) for t in longer.tracks] == [(t.name, t.program, t.is_drum)
                                                                       for t in score.tracks]
    for number, (before, after) in enumerate(zip(score.tracks, longer.tracks, strict=True)):
        assert not notes_of(before) - notes_of(after)
        added = notes_of(after) - notes_of(before)
        assert bool(added) == (number == place)
        assert all(start >= end_beats(score) - 0.26 for start, *_ in added)
    assert bars(longer)[-1].index == bars(score)[-1].index + count
    assert tempo_bpm(longer) == tempo_bpm(score) and meter(longer) == meter(score)
    assert [(e.time, e.numerator) for e in longer.time_signatures] == [(e.time, e.numerator)
                                                                       for e in score.time_signatures]
    assert [(e.time, e.key) for e in longer.key_signatures] == [(e.time, e.key) for e in score.key_signatures]


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_goes_on_is_kept_to_the_note(model: Any, line: Any, notes_of: Any, kind: str) -> None:
    score = scores_of(line)[kind]
    before = score.copy()
    longer = model.continue_(score, bars=2, seed=2, **FEW)
    assert score == before, "the score itself is not changed"
    check_longer(score, longer, 2, notes_of)
    old, new = score.tracks[0].notes, list(longer.tracks[0].notes)[len(score.tracks[0].notes):]
    low, high = min(note.pitch for note in old), max(note.pitch for note in old)
    assert all(low - 30 <= note.pitch <= high + 30 for note in new), "it goes on where the melody lies"
    assert {note.velocity for note in new} == {int(np.median([note.velocity for note in old]))}


def test_where_a_melody_lies_beyond_what_was_learned_so_may_its_new_bars(model: Any, line: Any) -> None:
    found = model.hear(line((48, 60, 72, 84, 60)))
    pitches = found.grid.pitches
    low, high = model.learned.ranges[0]
    assert pitches.min() < low and pitches.max() > high
    possible = writing.after(model, found, len(found.grid) + 4).possible[-1, 0, 2:]
    span = np.flatnonzero(possible) + model.tokens.lowest
    assert (span[0], span[-1]) == (pitches.min(), pitches.max())


def test_new_bars_follow_what_the_other_tracks_play(model: Any, line: Any, notes_of: Any) -> None:
    """Where the melody ends before its accompaniment, the new bars come after both."""
    score = line(TUNE[:8])
    bass = Track("Bass")
    bass.notes.extend([Note(beat, 4.0, 40, 70) for beat in (0, 4, 8, 12)])
    score.tracks.append(bass)
    check_longer(score, model.continue_(score, bars=2, line="melody", **FEW), 2, notes_of)
    filled = model.infill(score, where="4", line="melody", **FEW)
    assert notes_of(filled.tracks[1]) == notes_of(bass) and not notes_of(score.tracks[0]) - notes_of(filled.tracks[0])
    added = notes_of(filled.tracks[0]) - notes_of(score.tracks[0])
    assert added and all(12 <= start < 16 for start, *_ in added)


def test_a_named_line_goes_on(model: Any, line: Any, notes_of: Any) -> None:
    score = several_tracks(line)
    check_longer(score, model.continue_(score, bars=1, line="4", **FEW), 1, notes_of, place=3)
    with pytest.raises(BadInput, match=r"line=Piano|line=piano: the tracks with notes are 1 \(Flute\), 2 \(Piano\), 4"):
        model.continue_(score, line="Piano")


def test_a_prompt_counts_towards_the_length(model: Any, tune: Score, notes_of: Any) -> None:
    check_longer(tune, model.generate(bars=6, prompt=tune, **FEW), 2, notes_of)
    with pytest.raises(BadInput, match=r"the prompt is 4\.0 bars long and the whole piece is to have 4 bars"):
        model.generate(bars=4, prompt=tune)
    for wrong in (0, -1, 10**9):
        with pytest.raises(BadInput, match="between 1 and 1000 bars can be composed"):
            model.generate(bars=wrong, prompt=writing_prompt())
    several = model.generate_many(count=2, bars=5, seed=[2, 7], prompt=tune, **FEW)
    assert grid_of(several[1]) == grid_of(model.generate(bars=5, seed=7, prompt=tune, **FEW)) != grid_of(several[0])


def writing_prompt() -> Score:
    score = new_score()
    score.tracks.append(Track("Melody"))
    score.tracks[0].notes.append(Note(0, 1, 60, 80))
    return score


@pytest.mark.parametrize("suffix", [".mid", ".musicxml"])
def test_scores_from_files_go_on(drawn: dict[str, Any], tune: Score, tmp_path: Path, suffix: str) -> None:
    write_score(tune, tmp_path / f"tune{suffix}")
    longer = drawn["rnn"].continue_(read_score(tmp_path / f"tune{suffix}"), bars=1, **FEW)
    write_score(longer, tmp_path / f"longer{suffix}")
    assert grid_of(read_score(tmp_path / f"longer{suffix}")).pitches.tolist() == grid_of(longer).pitches.tolist()


# new passages

@pytest.mark.parametrize("where", ["1", "2-3", "4", "1,3"])
def test_new_passages_leave_the_rest_untouched(model: Any, line: Any, notes_of: Any, where: str) -> None:
    for score in (several_tracks(line), set_pickup(line((67, *TUNE)), 1.0)):
        offset = bars(score)[0].end_beats if bars(score)[0].index == 0 else 0.0
        chosen = {int(bar) for part in where.split(",")
                  for bar in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
        before = score.copy()
        filled = model.infill(score, where=where, seed=3, candidates=3)
        assert score == before
        for number, (old, new) in enumerate(zip(score.tracks, filled.tracks, strict=True)):
            changed = (notes_of(old) - notes_of(new)) + (notes_of(new) - notes_of(old))
            assert all(int((start - offset) // 4) + 1 in chosen for start, *_ in changed)
            assert bool(changed) == (number == 0)
        assert end_beats(filled) == end_beats(score) and changes_outside(score, filled, passages(score, where)) == []


def test_bars_that_are_not_there_are_told(model: Any, tune: Score) -> None:
    for where in ("0", "5", "x", "", "3-2"):
        with pytest.raises(BadInput):
            model.infill(tune, where=where)


# bad input

@pytest.mark.parametrize(("asked", "words"), [
    ({"bars": 0}, "bars=0"), ({"seed": -1}, "seed=-1"), ({"temperature": -1}, "temperature=-1"),
    ({"temperature": math.nan}, "temperature=nan"), ({"top_k": -1}, "top_k=-1"), ({"top_p": 0}, "top_p=0"),
    ({"typical_p": 2}, "typical_p=2"), ({"repetition": 0}, "repetition=0"),
    ({"method": "magic"}, "method=magic: the method is one of sample, greedy, beam"),
    ({"candidates": 0}, "candidates=0"),
    ({"key": "H sharp"}, "H sharp"), ({"key": "D dorian"}, "key=D dorian"), ({"meter": "4"}, "meter=4: a meter"),
    ({"meter": "0/4"}, "meter=0/4"), ({"meter": "3/32"}, "meter=3/32"), ({"meter": "3/5"}, "meter=3/5"),
    ({"tempo_bpm": 2}, "tempo_bpm=2"), ({"tempo_bpm": math.nan}, "tempo_bpm=nan"),
])
def test_what_cannot_be_asked_for_is_told(model: Any, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        model.generate(**asked)


@pytest.mark.parametrize(("count", "seed", "words"), [(0, 1, "count=0"), (3, [1, 2], "count=3 with 2 seeds")])
def test_wrong_counts_are_told(model: Any, count: int, seed: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        model.generate_many(count=count, seed=seed, bars=1)


def test_notes_beside_the_grid_are_told(drawn: dict[str, Any], line: Any) -> None:
    triplets = line(TUNE, beats=1 / 3)
    with pytest.raises(BadInput, match=r"begin beside the grid of 4 .*, or train with steps_per_beat=12"):
        drawn["lstm"].continue_(triplets)
    with pytest.raises(BadInput, match=r"beside the grid of 4 steps a beat.*: quantise them to 16ths in [a-zA-Z ]*$"):
        drawn["rnn"].continue_(triplets)  # its grid is always that of 16ths


def test_damaged_weights_are_told(network: Any, melodies: list[Item], tune: Score) -> None:
    for kind in ("lstm", "transformer", "rnn"):
        broken = network(kind, melodies)
        with torch.no_grad():
            for parameter in broken.network.parameters():
                parameter.fill_(math.nan)
        for method in ("sample", "greedy", "beam"):
            with pytest.raises(BadInput, match="weights are damaged"):
                broken.continue_(tune, method=method, candidates=2)


def test_composing_can_be_stopped(model: Any, tune: Score) -> None:
    def stop(fraction: float, _message: str = "") -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model.continue_(tune, progress=stop)


def test_a_meter_that_changes_keeps_its_signatures(model: Any, tune: Score, notes_of: Any) -> None:
    tune.time_signatures.append(TimeSignature(8.0, 2, 4))
    longer = model.continue_(tune, bars=1, **FEW)
    assert not notes_of(tune.tracks[0]) - notes_of(longer.tracks[0])


@pytest.mark.parametrize("name", ["lstm", "rnn"])
def test_a_meter_that_the_grid_cannot_hold_is_told_without_a_setting(drawn: dict[str, Any], line: Any,
                                                                     name: str) -> None:
    """Not every model has steps_per_beat."""
    with pytest.raises(BadInput, match=r"a bar of 3/32 does not fit .*; choose another meter, or a model with a finer"):
        drawn[name].continue_(line(TUNE, numerator=3, denominator=32))
