"""New passages: everything outside is untouched to the note, and nothing is missing at the seams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import componium
from componium.interface import silent
from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.errors import BadInput
from componium.music.grid import REST, to_grid
from componium.music.item import Item
from componium.music.score import Note, Score, Track, bars, length_beats, merge_voices, set_pickup, transpose
from componium.music.where import changes_outside, passages

pytest.importorskip("torch")

from componium.composers.chorale_rnn import composing
from componium.tokens import sheets
from componium.tokens.grid import HOLD

FEW = {"seed": 1, "candidates": 4}


def untouched(before: Score, after: Score, where: str) -> bool:
    return changes_outside(before, after, passages(before, where)) == []


@pytest.mark.parametrize("where", ["1", "2", "3", "1,3", "1-3"])
def test_all_but_the_passage_is_untouched_and_no_voice_falls_silent(model: Any, short: Score, notes_of: Any,
                                                                    where: str):
    score = transpose(short, 3)
    before = notes_of(score, names=True)
    composed = model.infill(score, where=where, **FEW)
    assert untouched(score, composed, where)
    assert (to_grid(composed).pitches != REST).all()
    assert notes_of(composed) != notes_of(score)
    assert notes_of(score, names=True) == before, "the score is not changed"


def held_over(score: Score) -> Score:
    """Return a chorale whose soprano is held into bar 3 and whose bass is held out of bar 4."""
    changed = score.copy()
    for name, start, beats in (("Soprano", 6.0, 4.0), ("Bass", 14.0, 5.0)):
        track = next(track for track in changed.tracks if track.name == name)
        for note in list(track.notes):
            if start <= note.time < start + beats:
                track.notes.remove(note)
        track.notes.append(Note(start, beats, 72 if name == "Soprano" else 48, 80))
        track.notes.sort(key=lambda note: note.time, inplace=True)
        following = [note for note in track.notes if note.time >= start + beats]
        gap = start + beats
        if following and following[0].time > gap:
            track.notes.append(Note(gap, following[0].time - gap, 67 if name == "Soprano" else 50, 80))
    return changed


def test_notes_held_into_and_out_of_a_passage(model: Any, chorales: list[Item]):
    score = held_over(chorales[0].content)
    for seed in range(2):
        composed = model.infill(score, where="3-4", seed=seed, candidates=2)
        assert untouched(score, composed, "3-4")
        soprano, bass = composed.tracks[0], composed.tracks[3]
        assert any(note.time == 6.0 and note.end == 10.0 for note in soprano.notes)
        assert any(8 <= note.time < 16 and note.end == 19 for note in bass.notes), "held as far as the old note"
        assert (to_grid(composed).pitches != REST).all()


def test_a_new_passage_begins_with_new_notes(grid_model: Any, chorales: list[Item]):
    """It cannot go on with notes that end before it: they are not its own."""
    score = chorales[0].content
    grid, _ = composing.heard(grid_model, score)
    sheet = sheets.sheet_around(grid, passages(score, "3"), grid_model.tokens, grid_model.learned.ranges, rests=False)
    assert not sheet.possible[32, :, HOLD].any() and sheet.possible[33, :, HOLD].all()
    wild = composing.fill_sheets(grid_model, [sheet], [1], composing.Wish(temperature=50.0, top_p=1.0), silent)[0][0]
    assert not wild.held[32].any()


def test_only_what_has_to_be_read_is_read_and_the_end_stays_far(grid_model: Any, chorales: list[Item]):
    score = chorales[0].content
    grid, _ = composing.heard(grid_model, score)
    sheet = sheets.sheet_around(grid, passages(score, "2"), grid_model.tokens, grid_model.learned.ranges, rests=False)
    assert sheet.until == 32 + 4 * sheets.AFTER_BEATS < len(sheet) == 128
    marks = composing.marks_of(grid_model, sheet.grid)
    assert (marks[:sheet.until, 4] >= 16).all() and marks[-1, 4] == 0
    done = composing.fill_sheets(grid_model, [sheet], [1], composing.Wish(), silent)[0][0]
    outside = np.r_[0:16, 32:128]
    assert (done.pitches[outside] == grid.pitches[outside]).all()


def test_a_note_that_lasts_far_beyond_the_passage(model: Any, line: Any):
    score = line((67, 69, 71, 72, 74, 72, 71))
    score.tracks[0].notes.append(Note(7.0, 25.0, 69, 70))
    score.tracks[0].notes.append(Note(32.0, 4.0, 67, 70))
    for seed in range(2):
        composed = model.infill(score, where="2", seed=seed, candidates=2)
        assert untouched(score, composed, "2") and length_beats(composed) == 36


@pytest.mark.parametrize("kind", ["one track", "two tracks", "unnamed", "pickup", "3/4", "drums beside", "odd names"])
def test_scores_as_users_have_them(model: Any, short: Score, kind: str):
    score = short.copy()
    if kind == "one track":
        score = merge_voices(score)
    elif kind == "two tracks":
        upper, lower = score.copy(), score.copy()
        upper.tracks, lower.tracks = type(upper.tracks)(score.tracks[:2]), type(upper.tracks)(score.tracks[2:])
        right, left = merge_voices(upper).tracks[0], merge_voices(lower).tracks[0]
        right.name = left.name = "Piano"
        score.tracks = type(score.tracks)([right, left])
    elif kind == "unnamed":
        score.tracks = type(score.tracks)(list(score.tracks)[::-1])
        for track in score.tracks:
            track.name = ""
    elif kind == "pickup":
        score = set_pickup(score, 2.0)
    elif kind == "3/4":
        score.time_signatures[0].numerator = 3
    elif kind == "drums beside":
        score.tracks.insert(1, Track("Kit", is_drum=True))
        score.tracks[1].notes.extend([Note(beat, 1, 36, 90) for beat in range(12)])
    else:
        for track, name in zip(score.tracks, ("Flöte 笛", "x", "x", ""), strict=True):
            track.name, track.program = name, 70
    first = "0" if kind == "pickup" else "1"
    for where in (first, str(bars(score)[-1].index)):
        composed = model.infill(score, where=where, **FEW)
        assert untouched(score, composed, where)
        assert len(composed.tracks) == len(score.tracks)
        silent_steps = ((to_grid(each).pitches == REST).all(axis=1) for each in (score, composed))
        assert [steps.any() for steps in silent_steps] == [False, False]
        if kind not in ("one track", "two tracks"):  # where unisons are one note
            assert (to_grid(composed).pitches != REST).all()


def test_voices_stay_in_their_tracks(model: Any, short: Score):
    score = transpose(short, 3)
    score.tracks = type(score.tracks)(list(score.tracks)[::-1])
    for track in score.tracks:
        track.name = ""
    composed = model.infill(score, where="1-2", **FEW)
    heights = [np.mean([note.pitch for note in track.notes if note.time < 8]) for track in composed.tracks]
    assert heights == sorted(heights)


def test_a_melody_alone_stays_one(model: Any, tune: Score):
    composed = model.infill(tune, where="2-3", **FEW)
    assert untouched(tune, composed, "2-3") and len(composed.tracks) == 1
    pitches = to_grid(composed).pitches
    assert (pitches[:, 1:] == REST).all() and (pitches[:, 0] != REST).all()


def test_a_melody_alone_is_no_long_note(tune: Score, notes_of: Any):
    """The voices that it has not are imagined: beside silence the network would hold on."""
    shipped = componium.load("chorale-rnn")
    for seed in range(3):
        for composed in (shipped.infill(tune, where="2-3", seed=seed, candidates=8),
                         shipped.continue_(tune, bars=2, seed=seed)):
            new = [note for note in (notes_of(composed) - notes_of(tune)).elements() if note[1] <= 4]
            assert len(new) >= 3, "some of the notes, at least, are others"
            assert max(note.duration for note in composed.tracks[0].notes) <= 4


@pytest.mark.parametrize("ability", ["infill", "continue_"])
def test_imagined_voices_keep_no_rules_for_a_melody(grid_model: Any, tune: Score, tmp_path: Path, ability: str):
    rules = tmp_path / "rules.txt"
    where = "2-3" if ability == "infill" else "5-6"
    rules.write_text(f"bars {where}: must contain C# D# F\nbar {where[0]} beat 2: note A#\nalto: silent\n")
    more = {"where": where} if ability == "infill" else {"bars": 2}
    for seed in range(3):
        composed = getattr(grid_model, ability)(tune, seed=seed, constraints=rules, candidates=2, **more)
        assert len(composed.tracks) == 1
        assert violations(to_grid(composed), Constraints.parse(rules.read_text())) == []


def test_a_model_without_ties_leaves_no_gaps(untied_model: Any, tune: Score, short: Score):
    repeated = tune.copy()
    for note in list(repeated.tracks[0].notes)[3:6]:
        note.pitch = 72
    for score, where in ((repeated, "2"), (short, "2"), (short, "1")):
        for seed in range(2):
            composed = untied_model.infill(score, where=where, seed=seed, candidates=4)
            assert untouched(score, composed, where)
            sounding = to_grid(composed).pitches
            assert ((sounding != REST) == (to_grid(score).pitches != REST)).all()


def test_passages_that_are_not_there_are_told(model: Any, chorales: list[Item], line: Any):
    for where, words in (("15", "no bar 15: the piece has 8 bars"), ("x", "is no bar"), ("0", "no bar 0"),
                         ("4-3", "4-3")):
        with pytest.raises(BadInput, match=words):
            model.infill(chorales[0].content, where=where)
    with pytest.raises(BadInput, match="no notes"):
        model.infill(line(()), where="1")
    with pytest.raises(BadInput, match="beside the grid"):
        model.infill(line((60, 62, 64), beats=1 / 3), where="1")
