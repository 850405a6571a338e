"""New pieces, continuations and harmonies: what is asked for is there, and what was given is kept to the note."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium.music.constraint_check import violations
from componium.music.constraints import Constraints
from componium.music.errors import BadInput
from componium.music.formats import read_score, write_score
from componium.music.grid import to_grid
from componium.music.item import Item
from componium.music.score import (
    FERMATA,
    Note,
    Score,
    TextMeta,
    Track,
    bars,
    key_signature_of,
    length_beats,
    merge_voices,
    meter,
    set_pickup,
    tempo_bpm,
    transpose,
)
from componium.music.theory import key_of

pytest.importorskip("torch")

FEW = {"seed": 1, "candidates": 2}


def fermatas(score: Score) -> list[float]:
    return [event.time for event in score.markers if event.text == FERMATA]


# new pieces

@pytest.mark.parametrize("count", [1, 3])
def test_a_piece_has_the_bars_that_were_asked_for(model: Any, count: int):
    piece = model.generate(bars=count, seed=2)
    assert bars(piece)[-1].index == count and length_beats(piece) == 4 * count
    assert [track.name for track in piece.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert all(len(track.notes) for track in piece.tracks) and key_signature_of(piece) is not None


@pytest.mark.parametrize(("text", "beats"), [("3/4", 3), ("6/8", 3), ("5/4", 5), ("2/2", 4), ("7/8", 3.5)])
def test_other_meters(model: Any, text: str, beats: float):
    piece = model.generate(bars=3, seed=1, meter=text)
    assert "/".join(map(str, meter(piece))) == text
    assert bars(piece)[-1].index == 3 and length_beats(piece) == 3 * beats


def test_phrases_are_closed_by_fermatas_as_long_as_asked_for(grid_model: Any):
    assert grid_model.learned.fermata_beat((4, 4), at_end=True) == 2  # as the corpus has them: on the third beat
    assert fermatas(grid_model.generate(bars=6, seed=1)) == [6.0, 14.0, 22.0]
    assert fermatas(grid_model.generate(bars=6, seed=1, phrase_bars=0)) == [22.0]
    assert fermatas(grid_model.generate(bars=5, seed=1, phrase_bars=4)) == [14.0, 18.0]
    assert fermatas(grid_model.generate(bars=2, seed=1, meter="3/4")) == []


@pytest.mark.parametrize("key", ["G major", "Bb major", "A minor", "F# minor"])
def test_the_first_and_the_last_chord_are_the_keys(model: Any, key: str):
    tonic, third = {"G major": (7, 11), "Bb major": (10, 2), "A minor": (9, 0), "F# minor": (6, 9)}[key]
    for piece in model.generate_many(count=3, bars=2, key=key):
        assert str(key_signature_of(piece)) == key
        pitches = to_grid(piece).pitches
        assert pitches[0, 3] % 12 == tonic == pitches[-1, 3] % 12
        assert set((pitches[0] % 12).tolist()) <= {tonic, third, (tonic + 7) % 12}
        picardy = (tonic + 4) % 12
        assert set((pitches[-1] % 12).tolist()) <= {tonic, third, picardy, (tonic + 7) % 12}


def test_a_trained_model_stays_in_the_key(grid_model: Any):
    heard = [str(key_of(piece)[0]) for piece in grid_model.generate_many(count=6, bars=4, key="Eb major",
                                                                         temperature=0.7)]
    assert heard.count("Eb major") >= 4


def test_without_a_key_bachbot_composes_in_several(bach_model: Any):
    classes = {int(to_grid(piece).pitches[0, 3]) % 12 for piece in bach_model.generate_many(count=8, bars=1, top_k=1)}
    assert len(classes) > 2


def test_the_tempo_is_the_one_that_was_asked_for(model: Any):
    assert tempo_bpm(model.generate(bars=1, tempo_bpm=61.5)) == pytest.approx(61.5, abs=0.01)
    assert tempo_bpm(model.generate(bars=1)) == 80


@pytest.mark.parametrize(("asked", "words"), [
    ({"bars": 0}, "bars=0"), ({"bars": 1001}, "between 1 and 1000"), ({"phrase_bars": -1}, "phrase_bars=-1"),
    ({"key": "H"}, "not a key"), ({"key": "D dorian"}, "major or minor"),
    ({"meter": "4"}, "meter=4: a meter is written"), ({"meter": "0/4"}, "meter=0/4"),
    ({"meter": "4/3"}, "meter=4/3"), ({"tempo_bpm": math.nan}, "tempo"),
    ({"tempo_bpm": 9000}, "tempo"), ({"seed": -3}, "seed=-3")])
def test_what_cannot_be_composed_is_told(grid_model: Any, asked: dict[str, Any], words: str):
    with pytest.raises(BadInput, match=words):
        grid_model.generate(**{"bars": 2} | asked)


def test_meters_that_the_grid_cannot_hold(network: Any, chorales: list[Item]):
    coarse = network(chorales, steps_per_beat=2)
    with pytest.raises(BadInput, match="5/16 does not fit a grid of 2 steps"):
        coarse.generate(bars=1, meter="5/16")
    assert length_beats(coarse.generate(bars=1, meter="3/8")) == 1.5


def test_an_untrained_model_tells_how_to_train_it(grid_model: Any, tune: Score):
    fresh = type(grid_model)()
    for asked in (fresh.generate, lambda: fresh.harmonize(tune), lambda: fresh.infill(tune, where="1"),
                  lambda: fresh.continue_(tune), lambda: fresh.log_likelihood(tune)):
        with pytest.raises(BadInput, match="has to be trained first: componium train chorale-rnn"):
            asked()


# going on

def reversed_unnamed(score: Score) -> Score:
    """Return a score with its tracks the other way round and without names."""
    changed = score.copy()
    changed.tracks = type(changed.tracks)(list(changed.tracks)[::-1])
    for track in changed.tracks:
        track.name = ""
    return changed


def prompts(score: Score) -> dict[str, Score]:
    """Return a chorale as users may have it."""
    half, pickup, odd = score.copy(), set_pickup(score, 2.0), score.copy()
    for track in half.tracks:
        for note in list(track.notes):
            if note.time >= 6:
                track.notes.remove(note)
    half.markers.clear()
    for track, name in zip(odd.tracks, ("Flöte 笛", "Piano", "Piano", "x"), strict=True):
        track.name, track.program = name, 40
    return {"whole": score, "a bar and a half": half, "pickup": pickup, "odd names": odd,
            "low to high, unnamed": reversed_unnamed(score), "one track": merge_voices(score)}


@pytest.mark.parametrize("kind", ["whole", "a bar and a half", "pickup", "odd names", "low to high, unnamed",
                                  "one track"])
def test_a_prompt_is_kept_and_gone_on_from(model: Any, short: Score, notes_of: Any, kind: str):
    prompt = prompts(transpose(short, 3))[kind]
    end = length_beats(prompt)
    before = notes_of(prompt, names=True)
    piece = model.continue_(prompt, bars=2, seed=1)
    assert notes_of(prompt, names=True) == before, "the prompt is not changed"
    there = notes_of(piece, names=True)
    assert not before - there
    assert all(note[1] >= end - 1e-3 for note in there - before)
    assert [(t.name, t.program) for t in piece.tracks] == [(t.name, t.program) for t in prompt.tracks]
    last = bars(prompt)[-1]
    assert bars(piece)[-1].index == last.index + 2 and bars(piece)[-1].end_beats == last.end_beats + 8
    assert length_beats(piece) > last.end_beats
    if kind != "one track":  # each voice goes on in its own track
        for old, new in zip(prompt.tracks, piece.tracks, strict=True):
            added = [note.pitch for note in new.notes if note.time >= end - 1e-3]
            assert added and abs(np.mean(added) - np.mean([note.pitch for note in old.notes])) < 9


def test_a_prompt_counts_towards_the_length(model: Any, short: Score, notes_of: Any):
    prompt = short
    piece = model.generate(bars=4, prompt=prompt, seed=1)
    assert bars(piece)[-1].index == 4 and not notes_of(prompt) - notes_of(piece)
    assert notes_of(piece) == notes_of(model.continue_(prompt, bars=1, seed=1))
    with pytest.raises(BadInput, match=r"3\.0 bars long .* to have 3 bars"):
        model.generate(bars=3, prompt=prompt)
    with pytest.raises(BadInput, match="leave out key, meter and tempo_bpm"):
        model.generate(bars=10, prompt=prompt, key="C")


def test_a_melody_goes_on_as_a_melody(model: Any, tune: Score):
    piece = model.continue_(tune, bars=2, seed=1)
    assert len(piece.tracks) == 1
    assert (to_grid(piece).pitches[:, 1:] < 0).all()


def test_a_melody_played_legato_is_one_voice(model: Any, tune: Score, notes_of: Any):
    sung = tune.copy()
    for note in sung.tracks[0].notes:
        note.duration = 1.2
    piece = model.continue_(sung, bars=1, seed=1)
    new = [note for note in piece.tracks[0].notes if note.time > 15.5]
    ends = sorted((note.time, note.end) for note in new)
    assert all(a[1] <= b[0] + 1e-3 for a, b in itertools.pairwise(ends))
    composed = model.harmonize(sung, **FEW)
    assert [track.name for track in composed.tracks] == ["Melody", "Alto", "Tenor", "Bass"]
    assert not notes_of(sung) - notes_of(composed)


def test_repeated_notes_may_follow_a_prompt(untied_model: Any, short: Score, notes_of: Any):
    """A model that cannot tell a repeat from a hold begins its notes anew after what is given."""
    prompt = short
    piece = untied_model.continue_(prompt, bars=1, seed=1, temperature=0.0)
    assert not notes_of(prompt) - notes_of(piece)
    starts = [min(note.time for note in track.notes if note.time >= 12 - 1e-3) for track in piece.tracks]
    assert starts == [12.0] * 4


# harmonising

def check_harmony(given: Score, composed: Score, notes_of: Any) -> None:
    """Assert that all that was given is there, and that four voices sound from the first to the last note."""
    assert not notes_of(given) - notes_of(composed)
    full = [track for track in composed.tracks if len(track.notes) and not track.is_drum]
    assert len(full) == 4
    assert abs(length_beats(composed) - length_beats(given)) < 0.25
    assert [(e.time, e.numerator) for e in composed.time_signatures] == \
        [(e.time, e.numerator) for e in given.time_signatures]


def melodies_of(line: Any) -> dict[str, Score]:
    notes = (67, 69, 71, 72, 74, 72, 71, 69)
    drums = line(notes)
    drums.tracks.insert(0, Track("Kit", is_drum=True))
    drums.tracks[0].notes.append(Note(0, 1, 36, 90))
    rests = line((67, 0, 69, 0, 0, 71, 72, 0, 74, 72))
    rests.markers.append(TextMeta(5.0, FERMATA))
    grace = line(notes)
    grace.tracks[0].notes.append(Note(1.93, 0.07, 73, 60))
    late = line((0, 0, 0, 0, 0, *notes))
    played = line(notes)
    for place, note in enumerate(played.tracks[0].notes):
        note.time, note.duration = max(note.time + 0.02 * (-1) ** place, 0), 0.9
    return {
        "plain": line(notes), "rests": rests, "pickup": set_pickup(line(notes), 1.0),
        "short pickup": set_pickup(line(notes, beats=0.5), 0.5), "3/4": line(notes, numerator=3),
        "6/8": line(notes, beats=0.5, numerator=6, denominator=8), "one note": line((67,)),
        "one sixteenth": line((67,), beats=0.25), "shorter than the grid": line((67,), beats=1 / 32),
        "drums": drums, "grace note": grace, "late": late, "played": played, "no name": line(notes, name=""),
    }


@pytest.mark.parametrize("kind", ["plain", "rests", "pickup", "short pickup", "3/4", "6/8", "one note", "one sixteenth",
                                  "shorter than the grid", "drums", "grace note", "late", "played", "no name"])
def test_a_melody_is_kept_to_the_note(model: Any, line: Any, notes_of: Any, kind: str):
    melody = melodies_of(line)[kind]
    before = notes_of(melody, names=True)
    check_harmony(melody, model.harmonize(melody, **FEW), notes_of)
    assert notes_of(melody, names=True) == before, "the score is not changed"


@pytest.mark.parametrize("suffix", [".mid", ".musicxml"])
def test_melodies_from_files(grid_model: Any, tune: Score, notes_of: Any, tmp_path: Path, suffix: str):
    write_score(tune, tmp_path / f"tune{suffix}")
    melody = read_score(tmp_path / f"tune{suffix}")
    composed = grid_model.harmonize(melody, **FEW)
    check_harmony(melody, composed, notes_of)
    write_score(composed, tmp_path / f"chorale{suffix}")
    assert to_grid(read_score(tmp_path / f"chorale{suffix}")).pitches.tolist() == to_grid(composed).pitches.tolist()


@pytest.mark.parametrize("given", ["soprano", "bass", "alto,tenor", "soprano,bass", "alto"])
@pytest.mark.parametrize("named", [True, False])
def test_any_voices_can_be_given(model: Any, short: Score, notes_of: Any, given: str, named: bool):
    names = given.split(",")
    score = short.copy()
    kept = [track for track in score.tracks if track.name.lower() in names]
    if not named:
        for track in kept:
            track.name = "Bass" if given == "alto" else ""  # a name that says something else does not count
        kept.reverse()
    score.tracks = type(score.tracks)(kept)
    composed = model.harmonize(score, given="auto" if named else given, **FEW)
    check_harmony(score, composed, notes_of)
    if given != "alto" or named:
        order = [track.name.lower() or "given" for track in composed.tracks]
        wanted = ["given" if not named and name in names else name for name in ("soprano", "alto", "tenor", "bass")]
        assert order == wanted
    whole = composed.copy()
    for track, name in zip(whole.tracks, ("Soprano", "Alto", "Tenor", "Bass"), strict=True):
        track.name = name
    original = to_grid(short)
    for voice, name in enumerate(("soprano", "alto", "tenor", "bass")):
        same = (to_grid(whole).pitches[:, voice] == original.pitches[:, voice]).all()
        assert same or name not in names


def test_empty_tracks_of_the_missing_voices_are_filled(grid_model: Any, chorales: list[Item], notes_of: Any):
    score = chorales[0].content.copy()
    for track in list(score.tracks)[1:]:
        track.notes.clear()
        track.program = 19
    composed = grid_model.harmonize(score, **FEW)
    check_harmony(score, composed, notes_of)
    assert [(track.name, track.program) for track in composed.tracks] == \
        [("Soprano", 0), ("Alto", 19), ("Tenor", 19), ("Bass", 19)]


def test_double_notes_do_not_make_a_second_voice_but_chords_do(model: Any, line: Any, notes_of: Any):
    some = line((67, 69, 71, 72, 74, 72, 71, 69))
    some.tracks[0].notes.append(Note(2.0, 1.0, 64, 70))
    composed = model.harmonize(some, **FEW)
    assert [track.name for track in composed.tracks] == ["Melody", "Alto", "Tenor", "Bass"]
    assert not notes_of(some) - notes_of(composed)
    thirds = line((67, 69, 71, 72, 74, 72, 71, 69))
    thirds.tracks[0].notes.extend([Note(note.time, 1.0, note.pitch - 4, 70) for note in list(thirds.tracks[0].notes)])
    composed = model.harmonize(thirds, **FEW)
    assert [track.name for track in composed.tracks] == ["Melody", "Tenor", "Bass"]
    assert not notes_of(thirds) - notes_of(composed)
    outer = model.harmonize(thirds, given="soprano,bass", **FEW)
    assert [track.name for track in outer.tracks] == ["Melody", "Alto", "Tenor"]


def test_composed_voices_are_as_loud_as_the_given_ones(grid_model: Any, line: Any):
    melody = line((67, 69, 71))
    assert {note.velocity for track in grid_model.harmonize(melody, **FEW).tracks for note in track.notes} == {70}
    for note in melody.tracks[0].notes:
        note.velocity = 0
    composed = grid_model.harmonize(melody, **FEW)
    assert all(note.velocity >= 1 for track in list(composed.tracks)[1:] for note in track.notes)


@pytest.mark.slow
def test_a_melody_of_210_bars(grid_model: Any, line: Any, notes_of: Any):
    melody = line((67, 69, 71, 72) * 210)
    check_harmony(melody, grid_model.harmonize(melody, method="greedy"), notes_of)


@pytest.mark.parametrize(("pitches", "more", "asked", "words"), [
    ((67, 69, 71), {"beats": 1 / 3}, {}, r"2 of 3 notes begin beside the grid of 4 steps .* first at beat 0\.33"),
    ((90, 91), {}, {}, r"G6 \(91\) is outside C2 \(36\) to A5 \(81\); transpose it, or train with highest=91"),
    ((), {}, {}, "the score has no notes"),
    ((67,), {}, {"given": "piano"}, "given=piano: name each voice once, of soprano, alto, tenor, bass, or write auto"),
    ((67,), {}, {"given": "alto,alto"}, "name each voice once"),
    ((67,), {}, {"given": "alto,tenor"}, "given=alto,tenor names 2 of the voices, and the score has 1 line"),
    ((67,), {"numerator": 3, "denominator": 32}, {}, "a bar of 3/32 does not fit a grid of 4 steps"),
])
def test_melodies_that_cannot_be_harmonised_are_told(grid_model: Any, line: Any, pitches: tuple[int, ...],
                                                     more: dict[str, Any], asked: dict[str, Any], words: str):
    with pytest.raises(BadInput, match=words):
        grid_model.harmonize(line(pitches, **more), **FEW | asked)


def test_a_bass_line_is_not_taken_for_a_melody(grid_model: Any, line: Any, notes_of: Any):
    bass = line((43, 45, 47, 48, 50, 48, 42, 43))
    with pytest.raises(BadInput, match=r"line from F#2 to D3 is taken for the soprano, .*given=bass, or transpose"):
        grid_model.harmonize(bass, **FEW)
    for asked in ("bass", "soprano"):
        check_harmony(bass, grid_model.harmonize(bass, given=asked, **FEW), notes_of)
    bass.tracks[0].name = "Soprano"
    check_harmony(bass, grid_model.harmonize(bass, **FEW), notes_of)


def test_other_scores_that_cannot_be_harmonised_are_told(model: Any, chorales: list[Item], line: Any):
    drums = line(())
    drums.tracks[0].is_drum = True
    drums.tracks[0].notes.append(Note(0, 1, 36, 90))
    with pytest.raises(BadInput, match="only drums"):
        model.harmonize(drums)
    for score in (chorales[0].content, merge_voices(chorales[0].content)):
        with pytest.raises(BadInput, match="all voices are there already"):
            model.harmonize(score)


def test_bachbot_tells_of_music_that_does_not_fit_when_it_is_moved(bach_model: Any, line: Any, notes_of: Any):
    high = line((82, 84, 86, 84, 82, 81, 79))
    check_harmony(high, bach_model.harmonize(high, **FEW), notes_of)  # an octave lower it fits
    with pytest.raises(BadInput, match=r"moved from .* to .*, does not fit C2 to A5"):
        bach_model.harmonize(line((38, 81, 40)))


# rules

@pytest.mark.parametrize("rule", [
    "end: cadence authentic in G major", "bar 2: must contain F#", "bars 1-2: pitches D E F# G A B C",
    "alto bars 1-2: rhythm 1 r1 1 1 repeated", "tenor bars 1-2: silent", "tenor bars 1-4: 2-4 onsets a bar",
    "bass: range G2-G3", "bar 3 beat 1 bass: note D3", "bar 3: chord D7"])
def test_rules_hold_where_the_music_lies_in_the_end(model: Any, tune: Score, tmp_path: Path, rule: str):
    path = tmp_path / "rules.txt"
    path.write_text(rule, encoding="utf-8")
    rules = Constraints.read(path)
    pieces = [*model.generate_many(count=2, bars=4, constraints=path),
              model.generate(bars=4, key="G major", constraints=path)]
    pieces += [model.harmonize(tune, constraints=path, **FEW)] if "bar 3: chord" not in rule else []
    for piece in pieces:
        assert violations(to_grid(piece), rules) == []


def test_rules_look_at_the_whole_piece_when_a_passage_is_new(model: Any, chorales: list[Item], tmp_path: Path):
    path = tmp_path / "rules.txt"
    path.write_text("bar 2: must contain F\nbar 8: must contain C\nend: cadence authentic in C major\n",
                    encoding="utf-8")
    score = chorales[0].content
    assert violations(to_grid(score), Constraints.parse("end: cadence authentic in C major")) == []
    composed = model.infill(score, where="2", constraints=path, **FEW)
    assert violations(to_grid(composed), Constraints.read(path)) == []
    path.write_text("bar 7: pitches C#\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"line 1 \(bar 7: pitches C#\) and the given notes contradict"):
        model.infill(score, where="2", constraints=path, **FEW)
    path.write_text("bar 9: must contain C\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no bar 9: the piece has the bars 1 to 8"):
        model.infill(score, where="2", constraints=path, **FEW)


def test_contradictions_are_named(model: Any, tmp_path: Path):
    path = tmp_path / "rules.txt"
    path.write_text("bar 1: pitches C E G\nbar 1: must contain F#\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"rules.txt: line 1 .* and line 2 .* contradict each other"):
        model.generate(bars=2, constraints=path)
