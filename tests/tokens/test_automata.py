"""Rules as automata: whatever is drawn keeps them, nothing that keeps them is lost, contradictions are named."""

from __future__ import annotations

import itertools
import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from componium.music.constraint_check import violations
from componium.music.constraints import Constraints, Frame
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.tokens.automata import Automaton, compiled
from componium.tokens.grid import HOLD, REST, GridTokens

LOWEST, HIGHEST = 36, 81
Ints = npt.NDArray[np.int64]
FOUR = Frame(64, 4)
FEW, MANY = (settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
             for count in (8, 250))


def symbol(pitch: int, lowest: int = LOWEST) -> int:
    return 2 + pitch - lowest


def grid_of(symbols: Ints, frame: Frame, lowest: int = LOWEST, highest: int = HIGHEST) -> Grid:
    tokens = GridTokens(frame.voices, lowest, highest, frame.steps_per_beat)
    return tokens.decode(symbols, numerator=frame.numerator, denominator=frame.denominator,
                         pickup_steps=frame.pickup_steps)


def walk(automaton: Automaton, *, batch: int = 6, seed: int = 0, hold: float = 3.0,
         order: list[int] | None = None) -> Ints:
    """Draw pieces [batch, steps, voices] at random from what is allowed; ``hold`` is the weight of holding."""
    rng, frame = np.random.default_rng(seed), automaton.frame
    states = automaton.start(batch)
    drawn = np.zeros((batch, frame.steps, frame.voices), dtype=np.int64)
    for step in range(frame.steps):
        for voice in order or range(frame.voices):
            allowed = automaton.allowed(step, voice, states)
            assert allowed.any(axis=1).all(), f"nothing is allowed at step {step}, voice {voice}"
            weights = allowed * rng.random(allowed.shape)
            weights[:, HOLD] *= hold
            drawn[:, step, voice] = weights.argmax(axis=1)
            states = automaton.advance(step, voice, states, drawn[:, step, voice])
    return drawn


def check(text: str, frame: Frame = FOUR, **more: object) -> list[Grid]:
    """Return pieces drawn under rules, all of which they keep."""
    rules = Constraints.parse(text)
    automaton = compiled(rules, frame, lowest=LOWEST, highest=HIGHEST, **more)  # type: ignore[arg-type]
    grids = []
    for seed, (hold, order) in enumerate([(0.3, None), (3.0, None), (30.0, list(range(frame.voices))[::-1])]):
        grids += [grid_of(each, frame) for each in walk(automaton, seed=seed, hold=hold, order=order)]
    for grid in grids:
        assert violations(grid, rules) == []
    return grids


# nothing is lost, nothing slips through


TINY_RULES = [
    "pitches C D", "chord Dm", "avoid C", "scale C# major", "range C#2-D2", "silent", "no rests",
    "voice 1 {}: rhythm 1 1", "voice 1 {}: rhythm r1 1", "voice 1 {}: rhythm 2 repeated", "voice 1 {}: melody C2 D2",
    "voice 1 {}: melody C2", "voice 1 {}: must contain C#", "voice 1 {}: must contain D2 C", "0-1 onsets a bar",
    "at least 1 onsets a bar", "2 onsets a bar", "must contain C#2",
]
TINY_PLACES = ["", "bar 1", "bar 2", "bars 1-2", "bar 0", "last bar", "bars 1-end"]


@pytest.mark.parametrize("pickup", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_exactly_the_pieces_that_keep_all_rules_can_be_drawn(pickup: int, count: int) -> None:
    frame = Frame(5, 1, steps_per_beat=1, numerator=2, pickup_steps=pickup)
    pieces = []
    for cells in itertools.product(range(5), repeat=5):
        if all(cell != HOLD or (at and cells[at - 1] != REST) for at, cell in enumerate(cells)):
            pieces.append(np.array(cells)[:, None])
    grids = [grid_of(piece, frame, 36, 38) for piece in pieces]
    rng, tried = np.random.default_rng([pickup, count]), 0
    while tried < 6:
        lines = []
        for _ in range(count):
            rule, place = TINY_RULES[rng.integers(len(TINY_RULES))], TINY_PLACES[rng.integers(len(TINY_PLACES))]
            lines.append(rule.replace("{}", place) if "{}" in rule else f"{place}: {rule}")
        rules = Constraints.parse("\n".join(lines))
        try:
            kept = {piece.tobytes() for piece, grid in zip(pieces, grids, strict=True) if not violations(grid, rules)}
        except BadInput:
            continue  # the piece has no such bar
        tried += 1
        try:
            automaton = compiled(rules, frame, lowest=36, highest=38)
        except BadInput as error:
            assert not kept, f"{lines}: {error}"
            continue
        drawn, states = np.zeros((1, 5, 1), dtype=np.int64), automaton.start(1)
        for step in range(5):  # all ways at once
            rows, symbols = np.nonzero(automaton.allowed(step, 0, states))
            drawn, states = drawn[rows], automaton.advance(step, 0, states[rows], symbols)
            drawn[:, step, 0] = symbols
        assert {each.tobytes() for each in drawn} == kept, lines


@st.composite
def rule_lines(draw: st.DrawFn, bars: int) -> str:
    first = draw(st.integers(1, bars))
    last = draw(st.integers(first, min(bars, first + 3)))
    place = draw(st.sampled_from(["", "soprano ", "alto ", "tenor, bass ", "voice 3 "])) + f"bars {first}-{last}"
    one = draw(st.sampled_from(["soprano", "alto", "tenor", "bass"]))
    names = st.sampled_from(["C", "D", "Eb", "F#", "G", "A", "Bb"])
    return draw(st.one_of(
        st.builds(lambda n: f"{place}: pitches {' '.join(n)}", st.lists(names, min_size=2, max_size=6)),
        st.sampled_from([f"{place}: chord G7", f"{place}: scale D dorian", f"{place}: no rests", f"{place}: chord C/E",
                         f"{place} beats 1-2: avoid B F", f"{place}: range C3-A4"]),
        st.builds(lambda n: f"{place}: must contain {' '.join(n)}", st.lists(names, min_size=1, max_size=2)),
        st.builds(lambda n, b: f"bar {first} beat {b} {one}: note {n}4", names, st.integers(1, 2)),
        st.builds(lambda n, b: f"bar {first} beat {b}.5: note {n}", names, st.integers(1, 2)),
        st.builds(lambda a, b: f"{place}: {a}-{a + b} onsets a bar", st.integers(0, 4), st.integers(0, 3)),
        st.builds(lambda n: f"{one} bar {first}: melody {' '.join(x + '3' for x in n)}",
                  st.lists(names, min_size=1, max_size=4)),
        st.sampled_from([f"{one} bar {first}: rhythm 1 1/2 1/2 r1/4 3/4", f"{one} bar {first}: rhythm 1/2 repeated"]),
        st.builds(lambda kind, key: f"{draw(st.sampled_from(['end', f'bar {last}']))}: cadence {kind} in {key}",
                  st.sampled_from(["authentic", "perfect", "half", "plagal", "deceptive"]),
                  st.sampled_from(["G major", "C minor", "D minor picardy"])),
    ))


def whatever_is_drawn_keeps_every_rule(data: st.DataObject, seed: int, pickup: int) -> None:
    frame = Frame(5 * 12 + pickup, 4, 4, 3, 4, pickup)
    text = "\n".join(data.draw(st.lists(rule_lines(5), min_size=1, max_size=8)))
    rules = Constraints.parse(text)
    try:
        automaton = compiled(rules, frame, lowest=LOWEST, highest=HIGHEST)
    except BadInput as error:
        assume("contradict" not in str(error) and "cannot be kept" not in str(error))
        raise
    order = list(np.random.default_rng(seed).permutation(4))
    for hold in (0.5, 20.0):
        for each in walk(automaton, batch=4, seed=seed, hold=hold, order=order):
            assert violations(grid_of(each, frame), rules) == []


def what_one_piece_keeps_can_be_kept(data: st.DataObject, seed: int) -> None:
    """Rules that a drawn piece keeps are no contradiction, with the piece's soprano given or without."""
    frame = Frame(5 * 12, 4, 4, 3, 4)
    tokens = walk(compiled(Constraints(), frame, lowest=55, highest=64), batch=1, seed=seed)[0]
    grid = grid_of(tokens, frame, 55, 64)
    lines = [line for line in data.draw(st.lists(rule_lines(5), min_size=4, max_size=12))
             if not violations(grid, Constraints.parse(line))]
    assume(lines)
    fixed = np.full((60, 4), -1)
    fixed[:, 0] = tokens[:, 0]
    for given_cells in (None, fixed):
        compiled(Constraints.parse("\n".join(lines)), frame, lowest=55, highest=64, fixed=given_cells)


ANY_RULES = {"data": st.data(), "seed": st.integers(0, 1000)}
test_whatever_is_drawn_keeps_every_rule = FEW(given(**ANY_RULES, pickup=st.sampled_from([0, 2]))(
    whatever_is_drawn_keeps_every_rule))
test_what_one_piece_keeps_can_be_kept = FEW(given(**ANY_RULES)(what_one_piece_keeps_can_be_kept))


@pytest.mark.slow
@MANY
@given(**ANY_RULES, pickup=st.sampled_from([0, 2]))
def test_whatever_is_drawn_keeps_every_rule_often(data: st.DataObject, seed: int, pickup: int) -> None:
    whatever_is_drawn_keeps_every_rule(data, seed, pickup)


@pytest.mark.slow
@MANY
@given(**ANY_RULES)
def test_what_one_piece_keeps_can_be_kept_often(data: st.DataObject, seed: int) -> None:
    what_one_piece_keeps_can_be_kept(data, seed)


# each rule, where it can be seen


def test_without_rules_the_grammar_is_left() -> None:
    automaton = compiled(Constraints(), FOUR, lowest=LOWEST, highest=HIGHEST)
    states = automaton.start(2)
    allowed = automaton.allowed(0, 1, states)
    assert not allowed[:, HOLD].any() and allowed[:, REST:].all()
    states = automaton.advance(0, 1, states, [REST, symbol(60)])
    assert automaton.allowed(1, 1, states)[:, HOLD].tolist() == [False, True]


def test_a_held_note_belongs_to_the_bar_that_it_is_held_into() -> None:
    automaton = compiled(Constraints.parse("bar 2: pitches C"), Frame(32, 1), lowest=LOWEST, highest=HIGHEST)
    states = automaton.start(2)
    states = automaton.advance(0, 0, states, [symbol(60), symbol(62)])
    for step in range(1, 16):
        states = automaton.advance(step, 0, states, [HOLD, HOLD])
    assert automaton.allowed(16, 0, states)[:, HOLD].tolist() == [True, False]


def test_a_rhythm_leaves_the_pitches_free_and_ends_with_its_bars() -> None:
    grids = check("soprano bars 1-2: rhythm 1 1/2 1/2 2 3 r1")
    assert len({grid.pitches[0, 0] for grid in grids}) > 5
    assert not any(grid.held[32, 0] for grid in check("soprano bars 1-2: rhythm 4 repeated"))


def test_a_melody_leaves_the_rhythm_free() -> None:
    grids = check("bass bars 1-2: melody C3 D3 D3 G2")
    onsets = {tuple(np.flatnonzero((grid.pitches[:32, 3] >= 0) & ~grid.held[:32, 3])) for grid in grids}
    assert {len(each) for each in onsets} == {4} and len(onsets) > 5


def test_any_voice_may_have_a_required_note_and_one_must() -> None:
    grids = check("bar 3: must contain F#4\nbar 4: must contain Eb4")
    having = {voice for grid in grids for voice in range(4) if (grid.pitches[32:48, voice] == 66).any()}
    assert having == {0, 1, 2, 3}


def test_a_required_note_that_is_given_binds_nobody() -> None:
    fixed = np.full((64, 4), -1)
    fixed[:, 0] = HOLD
    fixed[0, 0] = symbol(66)
    assert check("bar 2: must contain F#4\nalto, tenor, bass: avoid F#", fixed=fixed)


def test_required_notes_of_one_moment_are_shared_out_among_the_voices() -> None:
    grids = check("\n".join(f"bar 2 beat 3: note {name}" for name in ("C4", "E4", "G4", "B4")))
    assert all(sorted(grid.pitches[24]) == [60, 64, 67, 71] for grid in grids)


@pytest.mark.parametrize(("kind", "key", "bass"), [
    ("authentic", "G major", 7), ("perfect", "Bb major", 10), ("half", "G major", 2), ("plagal", "D minor", 2),
    ("deceptive", "C major", 9), ("authentic", "A minor picardy", 9)])
def test_cadences_end_on_their_root(kind: str, key: str, bass: int) -> None:
    for grid in check(f"end: cadence {kind} in {key}", Frame(32, 4)):
        assert grid.pitches[-1, 3] % 12 == bass


@pytest.mark.parametrize("frame", [
    Frame(28, 4, pickup_steps=4), Frame(24, 4, 4, 3, 4), Frame(24, 4, 4, 6, 8), Frame(48, 4, 12), Frame(8, 3, 1),
    Frame(20, 2), Frame(20, 1), Frame(9, 4), Frame(36, 5, 4, 9, 8)], ids=str)
def test_cadences_fit_any_meter_grid_and_number_of_voices(frame: Frame) -> None:
    check("end: cadence authentic in F major", frame)


def test_a_given_melody_says_where_its_cadence_falls() -> None:
    fixed = np.full((32, 4), -1)
    fixed[:, 0] = HOLD
    for step, pitch in ((0, 67), (16, 71), (20, 69), (24, 67)):  # ... B A G: the last chord under the last note
        fixed[step, 0] = symbol(pitch)
    for grid in check("end: cadence perfect in G major", Frame(32, 4), fixed=fixed):
        assert set(grid.pitches[22:24, 3] % 12) == {2} and set(grid.pitches[24:, 3] % 12) == {7}


def test_a_picardy_third_is_major() -> None:
    for grid in check("end: cadence authentic in A minor picardy", Frame(32, 4)):
        assert 1 in grid.pitches[-8:] % 12 and 0 not in grid.pitches[-1] % 12


def test_a_cadence_may_stand_on_a_named_beat() -> None:
    for grid in check("bar 2 beat 4: cadence half in G major"):
        assert set(grid.pitches[28:32, 3] % 12) == {2}


# what is given


def test_given_cells_stay_and_what_leads_to_them_is_looked_ahead() -> None:
    fixed = np.full((16, 1), -1)
    fixed[8:, 0] = HOLD
    automaton = compiled(Constraints.parse("bar 1 beat 4: note C4"), Frame(16, 1), lowest=LOWEST, highest=HIGHEST,
                         fixed=np.where(np.arange(16) < 8, fixed[:, 0], -1)[:, None])
    assert automaton.size == 48
    sounding = np.full((16, 1), -1)
    sounding[8:] = symbol(62)
    automaton = compiled(Constraints(), Frame(16, 1), lowest=LOWEST, highest=HIGHEST, fixed=fixed, sounding=sounding)
    for each in walk(automaton, hold=1.0):
        assert (grid_of(each, Frame(16, 1)).pitches[7:, 0] == 62).all() and (each[8:, 0] == HOLD).all()


def test_what_is_not_possible_is_looked_ahead_too() -> None:
    possible = np.ones((1, 4, 48), dtype=np.bool_)
    possible[0, 3, symbol(49):] = False  # the bass sings up to C3
    grids = check("bars 1-4: must contain D4", possible=possible)
    assert max(int(grid.pitches[:, 3].max()) for grid in grids) <= 48
    with pytest.raises(BadInput, match=r"line 1 .*D4.* and what the voices may sing .* contradict"):
        check("bass bar 3: must contain D4", possible=possible)


def test_given_notes_beyond_what_is_possible_are_kept() -> None:
    possible = np.zeros((1, 1, 48), dtype=np.bool_)
    possible[0, 0, REST] = True
    fixed = np.array([[symbol(60)], [HOLD], [-1], [-1]])
    drawn = walk(compiled(Constraints(), Frame(4, 1), lowest=LOWEST, highest=HIGHEST, fixed=fixed, possible=possible))
    assert (drawn == np.array([[symbol(60)], [HOLD], [REST], [REST]])).all()


# contradictions


@pytest.mark.parametrize(("text", "told"), [
    ("tenor: range C3-G4\nalto: range G3-D5\nbar 3 beat 2.5 alto: note E5",
     r"line 2 \(.*\) and line 3 \(.*\) contradict each other: the alto has no way on in bar 3, beat 2.5"),
    ("all: 1-9 onsets a bar\nbar 2: pitches C D\nbar 2: must contain F#", r"^line 2 .* and line 3 .* contradict"),
    ("bass bar 1: melody C2 C3 C2 C3 C2\nbass bar 1: at most 4 onsets a bar\nbar 2: no rests",
     r"^line 1 .* and line 2 .* contradict"),
    ("end: cadence authentic in G major\nlast bar: pitches C E G", r"^line 1 .* and line 2 .* contradict"),
    ("soprano bar 1: rhythm 4\nsoprano bar 1: rhythm 2 2", r"line 1 .* and line 2 .* contradict"),
    ("bass bar 1: 20 onsets a bar", r"^line 1 .* cannot be kept: the bass has no way on in bar 1, beat 4.75"),
    ("bar 1 beat 1: note C\nbar 1 beat 1: note D\nbar 1 beat 1: note E\nbar 1 beat 1: note F\nbar 1 beat 1: note G",
     r"line 1 .*line 2 .*line 3 .*line 4 .*line 5 .* contradict each other$"),
])
def test_the_lines_that_contradict_each_other_are_named(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check(text)


def test_a_contradiction_with_the_given_notes_says_so() -> None:
    fixed = np.full((64, 4), -1)
    fixed[0, 0] = symbol(66)
    told = r"^notes.txt: line 2 .* and the given notes contradict .*soprano.* bar 1, beat 1"
    with pytest.raises(BadInput, match=told):
        compiled(Constraints.parse("# a comment\nbars 1-2: pitches C D E", "notes.txt"), FOUR, lowest=LOWEST,
                 highest=HIGHEST, fixed=fixed)
    fixed[0, 0] = HOLD
    with pytest.raises(BadInput, match=r"given notes cannot be written .*soprano.* bar 1, beat 1"):
        compiled(Constraints(), FOUR, lowest=LOWEST, highest=HIGHEST, fixed=fixed)


@pytest.mark.parametrize(("text", "told"), [
    ("bar 9: silent", "line 1 .*no bar 9: the piece has the bars 1 to 4"),
    ("bar 0: silent", "no bar 0"),
    ("last 5 bars: silent", "no bar"),
    ("voice 5: silent", "no voice 5 among 4 voices"),
    ("bass bar 1: melody C9", "C9 is outside what is written here, C2 to A5"),
    ("bar 2 beat 5 alto: note A4", "bar 2 has no beat 5: it is 4 quarter notes long"),
    ("bar 2 beat 4/3 alto: note A4", "off a grid of 4 steps"),
    ("soprano bar 1: rhythm 1/3 repeated", "off a grid of 4 steps"),
    ("soprano bar 1: rhythm 1 1", "2 quarter notes long, .* 4: let it fill the bars"),
    ("bars 1-2: cadence half in G", "name the bar of its last chord"),
    ("beat 7: silent", "no bar has a beat 7"),
])
def test_a_rule_that_the_piece_has_no_place_for_is_told(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check(text)
    with pytest.raises(BadInput, match=r"^notes\.txt: line 1 "):
        compiled(Constraints.parse(text, "notes.txt"), FOUR, lowest=LOWEST, highest=HIGHEST)


def test_arrays_that_do_not_fit_and_steps_out_of_order_are_told() -> None:
    with pytest.raises(BadInput, match="fixed needs the shape"):
        check("", fixed=np.zeros((3, 4)))
    with pytest.raises(BadInput, match="fixed needs"):
        check("", fixed=np.full((64, 4), 48))
    automaton = compiled(Constraints(), FOUR, lowest=LOWEST, highest=HIGHEST)
    states = automaton.start(1)
    with pytest.raises(BadInput, match="not at step 1"):
        automaton.allowed(1, 0, states)
    for wrong in (HOLD, -1, 48):
        with pytest.raises(BadInput, match="not allowed"):
            automaton.advance(0, 0, states, [wrong])


def test_many_counting_rules_at_once_are_refused_before_memory_is_gone() -> None:
    names = " ".join(f"{name}{octave}" for octave in (3, 4) for name in ("C", "D", "E", "F", "G", "A", "B", "F#", "C#"))
    with pytest.raises(BadInput, match="too many rules that count"):
        check(f"alto bars 1-4: must contain {names}")


def test_a_long_piece_compiles_quickly() -> None:
    lines = [f"bar {bar}: {('pitches C D E F# G A B', 'chord G7', 'scale A minor')[bar % 3]}" for bar in range(1, 64)]
    lines += ["all: 1-8 onsets a bar", "alto: range F3-D5", "tenor: range C3-A4", "end: cadence authentic in C major"]
    lines += [f"bar {bar}: must contain G" for bar in range(1, 64, 4)]
    lines += [f"bar {bar}: cadence authentic in C major" for bar in range(9, 60, 12)]
    begun = time.process_time()
    automaton = compiled(Constraints.parse("\n".join(lines)), Frame(1024, 4), lowest=LOWEST, highest=HIGHEST)
    assert time.process_time() - begun < 10  # about 1 s on a free core
    assert violations(grid_of(walk(automaton, batch=1)[0], Frame(1024, 4)), Constraints.parse("\n".join(lines))) == []
