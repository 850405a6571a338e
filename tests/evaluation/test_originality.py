from __future__ import annotations

import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from componium.evaluation import originality
from componium.evaluation.originality import MEASURES, TrainingIndex, baseline, evaluate, where
from componium.music.corpus import open_corpus
from componium.music.errors import BadInput
from componium.music.item import Item, Later
from componium.music.score import Note, Track, new_score, set_pickup, transpose

KEPT = ("copied_windows", "nearly_copied_windows")


def random_line(seed, notes=64):
    """(pitches, beats) of a melody that no other seed resembles; 32 beats and more."""
    rng = np.random.default_rng(seed)
    return rng.integers(48, 84, notes).tolist(), rng.choice([0.5, 1.0, 1.5, 2.0], notes).tolist()


def score_of(*lines, names=("Soprano", "Alto", "Tenor", "Bass")):
    score = new_score()
    for name, (pitches, lengths) in zip(names, lines, strict=False):
        track, when = Track(name, 0, False), 0.0
        for pitch, length in zip(pitches, lengths, strict=True):
            track.notes.append(Note(when, length, int(pitch), 80))
            when += length
        score.tracks.append(track)
    return score


def planted(own, copied, first, last, at):
    """A line with the notes ``first`` to ``last`` of another one put in before its note ``at``."""
    return tuple(mine[:at] + others[first:last] + mine[at:] for mine, others in zip(own, copied, strict=True))


@pytest.fixture(scope="module")
def training():
    return [Item(f"piece {seed}", "score", score_of(random_line(seed), random_line(seed + 100))) for seed in range(6)]


@pytest.fixture(scope="module")
def index(training):
    return TrainingIndex.of(training)


def test_the_training_pieces_themselves_are_copied_whole(training, index):
    for item in training:
        found = evaluate(item.content, index)
        assert found["longest_copy_notes"] == 64
        assert found["copied_windows"] == found["nearly_copied_windows"] == 1.0
        longest = max(item.content.tracks, key=lambda track: track.notes[-1].end)
        assert found["longest_copy_beats"] == pytest.approx(longest.notes[-1].end)
    assert list(found) == [measure.name for measure in MEASURES]


def test_new_music_is_not_copied(index):
    found = evaluate(score_of(random_line(50)), index)
    assert found["longest_copy_notes"] <= 4
    assert found["copied_windows"] == found["nearly_copied_windows"] == 0.0


@pytest.mark.parametrize("change", ["as it is", "transposed", "other voice", "twice as slow", "detached"])
def test_a_planted_copy_is_found(training, index, change):
    copied = random_line(103 if change == "other voice" else 3)
    if change == "transposed":
        copied = ([pitch + 5 for pitch in copied[0]], copied[1])
    if change == "twice as slow":
        copied = (copied[0], [2 * length for length in copied[1]])
    score = score_of(random_line(60), planted(random_line(61), copied, 10, 40, 20))
    if change == "detached":
        for note in score.tracks[1].notes:
            note.duration = note.duration / 2
    found = evaluate(score, index)
    assert found["longest_copy_notes"] in (30, 31)  # what follows may fit by chance
    assert 0 < found["copied_windows"] < 0.6
    told = where(score, index)
    assert len(told) == 1
    place = told[0]
    assert (place.item, place.item_voice) == ("piece 3", "Alto" if change == "other voice" else "Soprano")
    assert (place.voice, place.semitones) == ("Alto", 5 if change == "transposed" else 0)
    first = score.tracks[1].notes[20]
    assert place.start_beats == first.time
    assert place.bar == int(first.time // 4) + 1
    original = training[3].content.tracks[1 if change == "other voice" else 0].notes[10]
    assert place.item_bar == int(original.time // 4) + 1
    assert place.beats == found["longest_copy_beats"]


def test_the_same_pitches_in_another_rhythm_are_no_copy(index):
    pitches, lengths = random_line(3)
    found = evaluate(score_of((pitches, np.random.default_rng(9).permutation(lengths).tolist())), index)
    assert found["longest_copy_notes"] <= 8
    assert found["copied_windows"] == 0.0


def test_the_same_rhythm_with_other_pitches_is_no_copy(index):
    found = evaluate(score_of((random_line(70)[0], random_line(3)[1])), index)
    assert found["longest_copy_notes"] <= 5
    assert found["nearly_copied_windows"] == 0.0


@pytest.mark.parametrize("kind", ["pitch", "time"])
@pytest.mark.parametrize("every", [30, 3])
def test_one_note_in_a_window_may_be_changed_and_not_more(training, index, kind, every):
    score = training[2].content.copy()
    del score.tracks[1]
    notes = score.tracks[0].notes
    for number in range(5, 64, every):
        if kind == "pitch":
            notes[number].pitch = notes[number].pitch + 1
        else:
            notes[number].time = notes[number].time + 0.25
            notes[number].duration = notes[number].duration - 0.25
    found = evaluate(score, index)
    if every == 30:
        assert 0.2 < found["copied_windows"] < 0.9
        assert found["nearly_copied_windows"] == 1.0
    else:
        assert found["copied_windows"] == found["nearly_copied_windows"] == 0.0


def slow_windows(score, training):
    """Every window laid on every place of the training set: an independent calculation of both shares."""
    def arrays(track):
        times = [note.time for note in track.notes]
        return [n.pitch for n in track.notes], times, np.diff([*times, track.notes[-1].end]).tolist()

    def same(mine, k, theirs, j):
        """How many of the window's notes fit if its note k lies on note j, in the time that these two set."""
        (p, t, d), (q, u, e) = mine, theirs
        return sum(0 <= j - k + i < len(q) and p[i] - p[k] == q[j - k + i] - q[j]
                   and (t[i] - t[k]) * e[j] == (u[j - k + i] - u[j]) * d[k] for i in range(len(p)))

    lines = [arrays(track) for item in training for track in item.content.tracks]
    exact, near, count = 0, 0, 0
    for pitches, times, lengths in map(arrays, score.tracks):
        for bar in range(math.ceil((times[-1] + lengths[-1]) / 4) - 3):
            inside = [i for i, when in enumerate(times) if 4 * bar <= when < 4 * bar + 16]
            if len(inside) < 6:
                continue
            window = [[values[i] for i in inside] for values in (pitches, times, lengths)]
            most = max(same(window, k, line, j) for line in lines for k in range(len(inside) - 1)
                       for j in range(k, len(line[0]) - len(inside) + k + 1))
            count, exact, near = count + 1, exact + (most == len(inside)), near + (most >= len(inside) - 1)
    return exact / count, near / count


@pytest.mark.parametrize("seed", range(3))
def test_a_slow_calculation_agrees(seed):
    rng = np.random.default_rng(seed)

    def line(notes):
        return (60 + rng.choice([0, 2], notes)).tolist(), rng.choice([2.0, 3.0], notes).tolist()

    training = [Item(str(number), "score", score_of(line(40))) for number in range(6)]
    score = score_of(line(80), line(80))
    found = evaluate(score, TrainingIndex.of(training))
    assert tuple(found[name] for name in KEPT) == pytest.approx(slow_windows(score, training))
    assert 0 < found["copied_windows"] < found["nearly_copied_windows"] < 1


def test_voices_do_not_run_into_each_other():
    first, second = random_line(1, 20), random_line(2, 20)
    index = TrainingIndex.of([score_of(first), score_of(second)])
    joined = tuple(a + b for a, b in zip(first, second, strict=True))
    assert evaluate(score_of(joined), index)["longest_copy_notes"] in (20, 21)
    assert sorted(copy.item for copy in where(score_of(joined), index)) == ["piece 1", "piece 2"]


def test_a_window_does_not_begin_in_the_voice_before():
    # the training set has the line without its first note: laid on it, that note would fall on another piece's last
    pitches, lengths = random_line(1, 12)
    lengths[0] = 4.0
    index = TrainingIndex.of([score_of(random_line(2, 20)), score_of((pitches[1:], lengths[1:]))])
    found = evaluate(score_of((pitches, lengths)), index)
    assert found["longest_copy_notes"] == 11
    windows = originality._windows(originality.voices_of(score_of((pitches, lengths)))[0])
    assert windows[0][0] == 0
    assert found["nearly_copied_windows"] == pytest.approx((len(windows) - 1) / len(windows))


def test_bars_are_counted_from_the_pickup(training, index):
    score = set_pickup(score_of(random_line(4)), 1.0)
    told = where(score, index)[0]
    assert (told.bar, told.item_bar, told.notes) == (0, 1, 64)
    assert told.sentence().startswith("bars 0-")
    assert "= piece 4 bars 1-" in told.sentence()


def test_the_sentence_says_how_much_higher():
    index = TrainingIndex.of([Item("früh", "score", score_of(random_line(4)))])
    assert where(transpose(score_of(random_line(4)), -3), index)[0].sentence().endswith("64 notes, 3 semitones lower")


def test_a_voice_without_a_name_is_counted():
    score = score_of(random_line(4), random_line(5), names=("", ""))
    told = where(transpose(score, 1), TrainingIndex.of([score]))
    assert {copy.voice for copy in told} == {"voice 1", "voice 2"}
    assert all(copy.sentence().endswith(f"({copy.voice}): 64 notes, 1 semitone higher") for copy in told)


def test_recordings_are_left_out_and_not_read(training):
    def read():
        raise AssertionError("a recording was read")

    recording = Item("sea.wav", "audio", Later(read))
    assert TrainingIndex.of([recording, training[0]]).names == ("piece 0",)
    with pytest.raises(BadInput, match="learned from"):
        TrainingIndex.of([recording])


def test_the_baseline_is_the_mean_over_held_out_pieces(index):
    pieces = [score_of(random_line(3)), score_of(random_line(80)), new_score()]
    found = baseline(pieces, index)
    told = [evaluate(piece, index) for piece in pieces[:2]]
    assert found == {name: pytest.approx((told[0][name] + told[1][name]) / 2) for name in told[0]}
    with pytest.raises(BadInput, match="held-out"):
        baseline([new_score()], index)


def test_windows_need_four_bars_and_a_meter(index):
    short = score_of(random_line(90, 6))
    assert math.isnan(evaluate(short, index)["copied_windows"])
    free = score_of(random_line(3))
    free.time_signatures.clear()
    found = evaluate(free, index)
    assert found["longest_copy_notes"] == 64
    assert math.isnan(found["copied_windows"])
    assert where(free, index)[0].bar == 0


def test_what_cannot_be_compared_is_refused(index):
    drums = new_score()
    drums.tracks.append(Track("Drums", 0, True))
    drums.tracks[0].notes.extend(Note(float(beat), 0.5, 36, 80) for beat in range(8))
    for score in (new_score(), drums, score_of(([60], [1.0]))):
        with pytest.raises(BadInput, match="longer piece"):
            evaluate(score, index)
        with pytest.raises(BadInput, match="learned from"):
            TrainingIndex.of([score])
    with pytest.raises(BadInput, match="no score"):
        where("a.mid", index)
    with pytest.raises(BadInput, match="learned from"):
        TrainingIndex.of([])


def test_a_track_of_chords_counts_by_its_upper_line(index):
    pitches, lengths = random_line(3)
    score = score_of((pitches, lengths))
    for note in list(score.tracks[0].notes):
        score.tracks[0].notes.append(Note(note.time, note.duration, 30, 80))
    assert evaluate(score, index)["longest_copy_notes"] == 64


def test_notes_that_fall_together_are_compared_too(index):
    score = score_of(([60, 62, 64, 60, 62, 64], [0.001, 0.001, 0.5, 0.001, 1e5, 1.0]))
    assert evaluate(score, index)["longest_copy_notes"] < 6


def test_progress_is_told_and_may_stop(training):
    told = []
    TrainingIndex.of(training, progress=lambda fraction, message: told.append((fraction, message)))
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
    assert len(told) == 6


def test_speed():
    pieces = [score_of(*(random_line(4 * number + voice, 60) for voice in range(4))) for number in range(345)]
    begin = time.process_time()
    index = TrainingIndex.of(pieces)
    assert time.process_time() - begin < 9  # 3 s on a free machine; it takes 0.2
    score = score_of(*(random_line(7000 + voice, 60) for voice in range(4)))
    begin = time.process_time()
    for _ in range(10):
        evaluate(score, index)
    assert (time.process_time() - begin) / 10 < 0.06  # 20 ms on a free machine; it takes 5


@pytest.mark.skipif("COMPONIUM_BENCH_DATA" not in os.environ, reason="needs the benchmark data")
def test_bach_shares_more_with_bach_than_chance_and_less_than_himself():
    folder = Path(os.environ["COMPONIUM_BENCH_DATA"]) / "jsb16"
    train, valid = open_corpus(folder / "train.json"), open_corpus(folder / "valid.json")
    index = TrainingIndex.of(train)
    rng = np.random.default_rng(0)
    disordered = []
    for item in valid[:20]:
        score = item.content.copy()
        for track in score.tracks:
            for note, pitch in zip(track.notes, rng.permutation([note.pitch for note in track.notes]), strict=True):
                note.pitch = int(pitch)
        disordered.append(score)
    own, held_out, chance = baseline(train[:20], index), baseline(valid[:20], index), baseline(disordered, index)
    assert own["copied_windows"] == 1.0
    assert own["longest_copy_notes"] > 2 * held_out["longest_copy_notes"] > 2 * chance["longest_copy_notes"]
    assert chance["nearly_copied_windows"] < 0.01
    assert chance["longest_copy_notes"] < originality.SHORTEST_COPY_NOTES
