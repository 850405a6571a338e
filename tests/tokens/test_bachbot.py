"""BachBot's encoding: the published form, an exact inverse, and a grammar that leaves no dead end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music.errors import BadInput
from componium.music.grid import REST, Grid
from componium.music.keys import Key
from componium.tokens.bachbot import END, FERMATA, FIRST_NOTE, FRAME, START, BachBotTokens, Place, semitones_to_c

SMALL = BachBotTokens(voices=3, lowest=60, highest=63)
MERGED = BachBotTokens(voices=3, lowest=60, highest=63, unisons=False)


@st.composite
def sequences(draw: st.DrawFn, tokens: BachBotTokens) -> list[int]:
    """Draw a sequence by the grammar alone: each token from what is allowed, up to some frames."""
    frames, place, found = draw(st.integers(1, 9)), Place(), []
    while not place.ended:
        mask = tokens.allowed(place)
        between = not place.notes and not place.fermata and place.started
        if between and place.frames == frames:
            mask[:END], mask[END + 1:] = False, False
        elif between:
            mask[END] = False
        assert mask.any()
        token = int(draw(st.sampled_from(np.flatnonzero(mask).tolist())))
        found.append(token)
        place = tokens.advance(place, token)
    assert place.frames == frames
    return found


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    steps = draw(st.integers(1, 12))
    cells = st.lists(st.sampled_from([REST, 60, 61, 63]), min_size=3, max_size=3)
    pitches = np.array(draw(st.lists(cells, min_size=steps, max_size=steps)), dtype=np.int16)
    same = Grid.from_pitches(pitches).held
    held = same & np.array(draw(st.lists(st.booleans(), min_size=same.size, max_size=same.size))).reshape(same.shape)
    return Grid(pitches, held, numerator=3, key="D minor", fermatas=tuple(sorted(draw(
        st.sets(st.integers(0, steps - 1), max_size=4)))))


def heard(grid: Grid, *, unisons: bool = True) -> list[list[tuple[int, bool]]]:
    """Return the notes of each step, read cell by cell: pitch and whether it is held."""
    steps = []
    for pitches, held in zip(grid.pitches.tolist(), grid.held.tolist(), strict=True):
        notes = sorted((p, h) for p, h in zip(pitches, held, strict=True) if p != REST)
        if not unisons:
            notes = [(p, all(h for q, h in notes if q == p)) for p in sorted({p for p, _ in notes})]
        steps.append(notes)
    return steps


@pytest.mark.parametrize("tokens", [SMALL, MERGED], ids=["unisons", "merged"])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_sequence_of_the_grammar_comes_back_exactly(tokens, data):
    sequence = data.draw(sequences(tokens))
    assert tokens.encode(tokens.decode(sequence)).tolist() == sequence


@pytest.mark.parametrize("tokens", [SMALL, MERGED], ids=["unisons", "merged"])
@settings(max_examples=80, deadline=None)
@given(grid=grids())
def test_what_is_heard_of_any_grid_comes_back(tokens, grid):
    back = tokens.as_heard(grid)
    assert heard(back) == heard(grid, unisons=tokens.unisons)
    assert (back.key, back.numerator, len(back)) == (grid.key, grid.numerator, len(grid))
    assert set(back.fermatas) <= set(grid.fermatas)
    assert bool(back.fermatas) == bool(grid.fermatas)
    assert tokens.as_heard(back) == back
    sequence = tokens.encode(grid)
    assert tokens.encode(back).tolist() == sequence.tolist()
    frame, part = tokens.places(sequence)
    table = tokens.frames(grid)
    notes = part < tokens.voices
    assert np.array_equal(table[frame[notes], part[notes]], sequence[notes])
    assert notes.sum() == (table >= 0).sum()
    assert np.array_equal(frame[part == tokens.voices], np.arange(len(grid)))


@pytest.mark.parametrize("unisons", [True, False])
@pytest.mark.parametrize("voices", [1, 2, 3])
def test_no_place_of_the_grammar_is_a_dead_end(voices, unisons):
    """Every place that can be reached with two pitches is looked at: something may follow, a whole frame among it."""
    tokens = BachBotTokens(voices=voices, lowest=60, highest=61, unisons=unisons)
    waiting, known = [Place()], {Place()}
    while waiting:
        place = waiting.pop()
        allowed = np.flatnonzero(tokens.allowed(place)).tolist()
        assert bool(allowed) != place.ended
        assert allowed != [FERMATA] and not (place.fermata and END in allowed)
        for token in allowed:
            following = tokens.advance(place, token)
            following = replace(following, frames=min(following.frames, 1))
            if following not in known:
                known.add(following)
                waiting.append(following)
    assert len(known) > 20
    assert max(len(place.notes) for place in known) == (voices if unisons else min(voices, 2))


def test_tokens_are_visible_arithmetic():
    tokens = BachBotTokens()
    assert (tokens.size, tokens.note_of(36, False), tokens.note_of(36, True)) == (96, 4, 5)
    assert [tokens.note_of(*tokens.pitch_of(token)) for token in range(FIRST_NOTE, 96)] == list(range(FIRST_NOTE, 96))
    assert BachBotTokens(lowest=0, highest=127).size == 260  # the original's 128 x 2 notes and four signs
    for wrong in (FERMATA, 96):
        with pytest.raises(BadInput, match="no note's token"):
            tokens.pitch_of(wrong)
    with pytest.raises(BadInput, match="outside"):
        tokens.note_of(82, False)


def test_the_form_that_is_published():
    """Two frames of one chord, then two of a chord with a fermata."""
    chords = [[59, 56, 52, 47]] * 2 + [[57, 52, 48, 45]] * 2
    grid = Grid(chords, [[False] * 4, [True] * 4, [False] * 4, [True] * 4], fermatas=(2,))
    tokens = BachBotTokens()
    written = [tokens.name_of(token) for token in tokens.encode(grid).tolist()]
    frames = " ".join(written).split(" FRAME")
    assert frames == ["START (59, new) (56, new) (52, new) (47, new)", " (59, tied) (56, tied) (52, tied) (47, tied)",
                      " FERMATA (57, new) (52, new) (48, new) (45, new)",
                      " FERMATA (57, tied) (52, tied) (48, tied) (45, tied)", " END"]
    assert tokens.decode(tokens.encode(grid), like=grid) == grid


def test_a_fermata_lasts_as_long_as_its_chord_and_the_next_chord_may_have_its_own():
    grid = Grid([[60, 55]] * 4 + [[60, 57]] * 2, [[0, 0], [1, 1], [1, 1], [1, 1], [1, 0], [1, 1]], fermatas=(1, 3, 4))
    tokens = BachBotTokens(voices=2)
    _, fermata = tokens.parse(tokens.encode(grid))
    assert fermata.tolist() == [False, True, True, True, True, True]
    assert tokens.as_heard(grid).fermatas == (1, 4)


def test_voices_that_cross_are_heard_by_pitch_and_held_notes_stay_where_they_are():
    grid = Grid([[64, 60, 55], [64, 60, 62]], [[0, 0, 0], [1, 1, 0]])
    assert BachBotTokens(voices=3).as_heard(grid) == grid
    crossed = Grid([[55, 60, 64]], [[0, 0, 0]])
    assert BachBotTokens(voices=3).as_heard(crossed).pitches.tolist() == [[64, 60, 55]]
    rest = Grid([[-1, 60, 55]], [[0, 0, 0]])
    assert BachBotTokens(voices=3).as_heard(rest).pitches.tolist() == [[60, 55, -1]]


def test_a_unison_is_two_notes_or_one():
    grid = Grid([[60, 60, -1], [60, 60, -1]], [[0, 0, 0], [1, 0, 0]])
    assert SMALL.frames(grid).tolist() == [[4, 4, -1], [5, 4, -1]]
    assert MERGED.frames(grid).tolist() == [[4, -1, -1], [4, -1, -1]]


@pytest.mark.parametrize(("sequence", "words"), [
    ([FRAME], "token 0 is FRAME, which cannot stand there"),
    ([START, END], "token 1 is END"),
    ([START, 5, FRAME, END], r"token 1 is \(60, tied\)"),
    ([START, 4, 6, FRAME, END], r"token 2 is \(61, new\)"),
    ([START, 4, FRAME, 4, 5, FRAME, END], r"token 4 is \(60, tied\)"),
    ([START, 4, FRAME, 5, 5, FRAME, END], "token 4"),
    ([START, 4, 4, 4, 4, FRAME, END], "token 4"),
    ([START, FERMATA, FERMATA], "token 2 is FERMATA"),
    ([START, 4, FERMATA], "token 2 is FERMATA"),
    ([START, FERMATA, 4, FRAME, 5, FRAME, END], "token 5 is FRAME"),
    ([START, FRAME, END, END], "token 3 is END"),
    ([START, FRAME], "no END"),
    ([START, 99], r"token 1 is 99 \(no token\)"),
    ([START, -3], r"-3 \(no token\)"),
    ([], "row of whole numbers"), ([[START]], "row of whole numbers"), ([0.5], "row of whole numbers"),
])
def test_what_the_grammar_forbids_is_refused_with_its_place(sequence, words):
    with pytest.raises(BadInput, match=words):
        SMALL.decode(sequence)


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(BadInput, match="voices=2"):
        SMALL.encode(Grid.from_pitches([[60, 60]]))
    with pytest.raises(BadInput, match="highest=64"):
        SMALL.encode(Grid.from_pitches([[64, 60, 60]]))
    with pytest.raises(BadInput, match="steps_per_beat=12"):
        SMALL.encode(Grid.from_pitches([[60, 60, 60]], steps_per_beat=12))


@settings(max_examples=60, deadline=None)
@given(grid=grids(), seed=st.integers(0, 99))
def test_given_voices_are_in_every_frame_and_come_back_to_the_note(grid, seed):
    """Notes of one voice are given, the others drawn at random from what is allowed."""
    rng, voice = np.random.default_rng(seed), seed % 3
    wanted = np.where(grid.pitches[:, voice] == REST, -1,
                      FIRST_NOTE + 2 * (grid.pitches[:, voice] - 60) + grid.held[:, voice]).tolist()
    place, sequence = SMALL.advance(Place(), START), [START]
    for note in wanted:
        frame = place.frames
        while place.frames == frame:
            mask = SMALL.allowed(place, [note] if note >= 0 else [])
            mask[[END, FERMATA]] = False
            if note < 0 and len(place.notes) == 2:  # the voice rests: its place stays free
                mask[FIRST_NOTE:] = False
            sequence.append(int(rng.choice(np.flatnonzero(mask))))
            place = SMALL.advance(place, sequence[-1])
    decoded = SMALL.decode([*sequence, END], like=grid, kept=[voice])
    assert np.array_equal(decoded.pitches[:, voice], grid.pitches[:, voice])
    assert np.array_equal(decoded.held[:, voice], grid.held[:, voice])
    assert (decoded.pitches != REST).sum() == sum(token >= FIRST_NOTE for token in sequence)


def test_kept_voices_that_the_sequence_lacks_are_refused():
    like = Grid([[63, 60, 60]], [[0, 0, 0]])
    with pytest.raises(BadInput, match=r"frame 0 lacks the note \(63, new\) of voice 0"):
        SMALL.decode([START, 4, FRAME, END], like=like, kept=[0])
    with pytest.raises(BadInput, match="give it as like"):
        SMALL.decode([START, 4, FRAME, END], kept=[0])


@pytest.mark.parametrize(("key", "semitones"), [
    ("C", 0), ("a", 0), ("F#", 6), ("G", 5), ("F", -5), ("Db", -1), ("Eb minor", 6), ("e", 5), ("c", -3), ("b", -2)])
def test_keys_go_to_c_major_or_a_minor_by_the_shorter_way(key, semitones):
    assert semitones_to_c(Key.parse(key)) == semitones
