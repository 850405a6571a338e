"""The constraint file: every rule is read as it is written, every mistake named with its line, every breach found."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from componium.music import constraints as module
from componium.music.constraint_check import violations
from componium.music.constraint_rules import Cadence, Contains, Density, Melody, Pitches, Place, Range, Rests, Rhythm
from componium.music.constraints import Constraints, Frame
from componium.music.errors import BadFile, BadInput
from componium.music.grid import Grid
from componium.music.keys import Key

PAGE = Path(__file__).parents[2] / "docs" / "7-constraints.md"


def read(text: str) -> object:
    return Constraints.parse(text).rules[0].kind


def place(text: str) -> Place:
    return Constraints.parse(f"{text}: silent").rules[0].place


@pytest.mark.parametrize(("text", "expected"), [
    ("all: pitches C D Eb F# B#", Pitches(frozenset({0, 2, 3, 6}))),
    ("all: pitches C, D", Pitches(frozenset({0, 2}))),
    ("all: avoid C# B", Pitches(frozenset(range(12)) - {1, 11})),
    ("bar 5: chord G7", Pitches(frozenset({7, 11, 2, 5}))),
    ("bar 5: chord G/B", Pitches(frozenset({7, 11, 2}), 11)),
    ("all: scale D dorian", Pitches(frozenset({2, 4, 5, 7, 9, 11, 0}))),
    ("all: scale Bb", Pitches(frozenset({10, 0, 2, 3, 5, 7, 9}))),
    ("alto: range G3-D5", Range(55, 74)),
    ("alto: range Bb-1 - C#0", Range(10, 13)),
    ("alto: range G3 to D5", Range(55, 74)),
    ("alto: silent", Rests(True)),
    ("alto: no rests", Rests(False)),
    ("alto: rhythm 1 1/2 r0.5 2 repeated", Rhythm(
        ((Fraction(1), True), (Fraction(1, 2), True), (Fraction(1, 2), False), (Fraction(2), True)), True)),
    ("bass: melody C3 D3 G2", Melody((48, 50, 43))),
    ("bar 4: must contain F# A4", Contains(((6, False), (69, True)))),
    ("bar 4: contain F#", Contains(((6, False),))),
    ("tenor: 2-4 onsets a bar", Density(2, 4)),
    ("tenor: 3 onsets", Density(3, 3)),
    ("tenor: at most 4 onsets a bar", Density(0, 4)),
    ("tenor: at least 2 onsets per bar", Density(2, 999)),
    ("tenor: between 2 and 4 onsets in every bar", Density(2, 4)),
    ("end: cadence half in e", Cadence("half", Key.parse("E minor"))),
    ("bar 4: cadence authentic in A minor picardy", Cadence("authentic", Key.parse("A minor"), True)),
])
def test_each_rule_is_read(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("", Place()), ("all", Place()), ("all voices", Place()), ("Soprano", Place(("soprano",))),
    ("alto, tenor bars 1-4, 7 and 9-end", Place(("alto", "tenor"), ((1, 4), (7, 7), (9, None)))),
    ("bars 3-4 alto and voice 2", Place(("alto", "voice 2"), ((3, 4),))),
    ("last bar", Place(bars=((-1, -1),))), ("last 2 bars", Place(bars=((-2, -1),))),
    ("bar 1 beats 1.5-7/3", Place(bars=((1, 1),), beats=(Fraction(3, 2), Fraction(7, 3)))),
    ("bars 1\N{EN DASH}2", Place(bars=((1, 2),))),
])
def test_each_place_is_read(text: str, expected: Place) -> None:
    assert place(text) == expected


def test_comments_empty_lines_and_sharps() -> None:
    found = Constraints.parse("# F# only\n\n  \nall: pitches F# C#  # not F\n#end\r\nbar 2: chord F#m\n")
    assert [(rule.line, rule.text) for rule in found.rules] == [(4, "all: pitches F# C#"), (6, "bar 2: chord F#m")]
    assert Constraints.parse(str(found)).rules[1].kind == found.rules[1].kind
    assert found and not Constraints.parse("# nothing\n")


@pytest.mark.parametrize(("text", "told"), [
    ("bras 1-4: pitches C", "line 1: 'bras' is no place; did you mean bass or bars"),
    ("\n\nalto: rnage C3-D4", "line 3: 'rnage' is no rule; did you mean range"),
    ("alto: fly", "'fly' is no rule: use one of pitches, chord"),
    ("bars 1-4 pitches C", "has no colon"),
    ("alto:", "nothing follows the colon"),
    ("bars: silent", "'bars' is not complete"),
    ("bar x: silent", "not complete"),
    ("bars 4-1: silent", "run backwards"),
    ("bar 99999999999: silent", "no bar 99999999999"),
    ("beat 0: silent", "counted from 1"),
    ("beat 1/0: silent", "is no beat"),
    ("beats 3-2: silent", "counted from 1"),
    ("all: pitches", "something is missing: .*pitches C D E G A"),
    ("all: pitches C H", "'H' is not a note name"),
    ("all: avoid C C# D Eb E F F# G Ab A Bb B", "every pitch class is avoided"),
    ("all: chord Gx", "is not a chord"),
    ("all: scale D dorean", "'dorean' is not known: .*scale D dorian"),
    ("alto: range G3", "is no range"),
    ("alto: range D5-G3", "ends below its start"),
    ("alto: range C-D", "is no range"),
    ("alto: rhythm 1 x", "'x' is no length"),
    ("alto: rhythm 0", "'0' is no length"),
    ("alto: rhythm 1/0", "'1/0' is no length"),
    ("alto: rhythm repeated", "no lengths"),
    ("rhythm 1: 1", "is no place"),
    ("all: rhythm 1", "say which voice"),
    ("all: melody C3", "say which voice"),
    ("alto: melody C", "is not a pitch"),
    ("alto: must contain", "something is missing"),
    ("bar 1 alto: note C4", "say on which beat"),
    ("bar 1 beats 1-2 alto: note C4", "say on which beat"),
    ("bar 1 beat 1 alto: note C4 D4", "one note"),
    ("all: 4-2 onsets a bar", "runs backwards"),
    ("all: many onsets", "is no density"),
    ("all: at least 2-4 onsets", "is no density"),
    ("all: between 2 onsets", "is no density"),
    ("alto: silent now", "here is 'now'"),
    ("end: silent", "'end' is the place of a cadence"),
    ("end bar 4: cadence half in C", "name one of the two"),
    ("alto end: cadence half in C", "all voices together"),
    ("all: cadence half in C", "say where the cadence stands"),
    ("end: cadence in C", "not complete|is no cadence"),
    ("end: cadence final in C", "'final' is no cadence"),
    ("end: cadence half in D dorian", "a major or a minor key"),
    ("end: cadence half in H", "is not a key"),
    ("a" * 3000 + ": silent", "longer than 2000"),
])
def test_mistakes_are_named_with_their_line(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        Constraints.parse(text)
    assert re.match(r"line \d+: ", str(caught.value))
    assert "\n" not in str(caught.value)


WORDS = "alto bass bar bars beat last end : pitches chord range note onsets at least cadence in 1 2-4 1/2 C F# G3-D5 r1"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS.split()), max_size=9).map(" ".join))
def test_any_text_is_rules_or_a_sentence(text: str) -> None:
    try:
        Constraints.parse(text)
    except BadInput as error:
        assert str(error).startswith("line ")


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "règles ♯.txt"
    path.write_bytes(b"\xef\xbb\xbfall: pitches C D\n")
    assert Constraints.read(path).rules[0].kind == Pitches(frozenset({0, 2}))
    path.write_text("all: pitches C D\nall: nothing\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"règles ♯\.txt line 2: 'nothing' is no rule"):
        Constraints.read(path)
    for content, told in ((b"", "no rule"), (b"# only\n", "no rule"), (b"\xff\xfe\x00", "UTF-8"),
                          (b"x" * 1_000_001, "larger than 1 MB")):
        path.write_bytes(content)
        with pytest.raises(BadFile, match=told):
            Constraints.read(path)
    with pytest.raises(BadFile, match="is a folder"):
        Constraints.read(tmp_path)
    with pytest.raises(BadFile, match="cannot be read"):
        Constraints.read(tmp_path / "none.txt")
    if os.getuid():
        path.chmod(0)
        with pytest.raises(BadFile, match="cannot be read"):
            Constraints.read(path)


def test_the_examples_of_the_page_and_of_the_module_are_rules() -> None:
    assert len(Constraints.parse((module.__doc__ or "").split("\n\n")[1]).rules) == 8
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        assert Constraints.parse(block)


# where a rule stands


def test_bars_and_steps_of_a_piece_with_a_pickup() -> None:
    frame = Frame(4 + 16 + 12, 4, pickup_steps=4)
    assert list(frame.bars) == [0, 1, 2]
    assert [frame.span(bar) for bar in frame.bars] == [(0, 4), (4, 20), (20, 32)]
    assert [frame.is_whole(bar) for bar in frame.bars] == [False, True, False]
    assert frame.where(0) == "bar 0, beat 1" and frame.where(26) == "bar 2, beat 2.5"
    assert frame.spans_of(place("bars 1-end beats 2-3")) == [(8, 16), (24, 32)]
    assert frame.stretches_of(place("bars 0-2")) == [(0, 32)]
    assert frame.spans_of(place("beat 4")) == [(16, 20)]  # the only bar that has one
    assert frame.spans_of(place("last 2 bars")) == [(4, 20), (20, 32)]


def test_bars_of_other_meters() -> None:
    assert [Frame(30, 1, 4, 6, 8).span(bar) for bar in (1, 2, 3)] == [(0, 12), (12, 24), (24, 30)]
    assert list(Frame(24, 1, 4, 6, 8).pulses((0, 24))) == [0, 6, 12, 18]
    assert list(Frame(24, 1, 4, 3, 4).pulses((0, 12))) == [0, 4, 8]
    assert [step for step in range(0, 32, 4) if Frame(32, 1).is_strong(step)] == [0, 8, 16, 24]
    for wrong in ({"steps": 0}, {"voices": 0}, {"numerator": 5, "denominator": 32}, {"pickup_steps": 16},
                  {"denominator": 3}):
        with pytest.raises(BadInput):
            Frame(**{"steps": 16, "voices": 4, **wrong})


# what breaks a rule


def piece(*voices: str, pickup: int = 0) -> Grid:
    """Return a grid of quarter-note steps: pitch numbers, ``-`` goes on, ``.`` rests."""
    columns = [voice.split() for voice in voices]
    pitches = np.zeros((len(columns[0]), len(columns)), dtype=np.int16)
    held = np.zeros(pitches.shape, dtype=np.bool_)
    for voice, cells in enumerate(columns):
        for step, cell in enumerate(cells):
            held[step, voice] = cell == "-"
            pitches[step, voice] = pitches[step - 1, voice] if cell == "-" else -1 if cell == "." else int(cell)
    return Grid(pitches, held, steps_per_beat=1, pickup_steps=pickup)


LINE = "60 62 - . 64 - 65 67"


@pytest.mark.parametrize(("rule", "told"), [
    ("bars 1-2: pitches C D E F G", ""),
    ("bar 1: pitches C E", "the voice 1 has D4 from bar 1, beat 1"),
    ("bar 1 beat 3: avoid D", "has D4 from bar 1, beat 3"),
    ("all: range C4-G4", ""),
    ("all: range C4-F4", "has G4 from bar 2, beat 1"),
    ("all: silent", "sounds"),
    ("bar 1 beat 4: silent", ""),
    ("bar 2: no rests", ""),
    ("bar 1: no rests", "rests"),
    ("voice 1 bar 1: rhythm 1 2 r1", ""),
    ("voice 1 bar 1: rhythm 1 1 1 r1", "another rhythm"),
    ("voice 1 bar 1: rhythm 1 2", "another rhythm"),
    ("voice 1 bar 2: rhythm 2 repeated", "another rhythm"),
    ("voice 1 bars 1-2: melody C4 D4 E4 F4 G4", ""),
    ("voice 1 bar 1: melody C4 D4 E4", "strikes C4 D4 from bar 1"),
    ("bar 2: must contain G", ""),
    ("bar 1: must contain C D4 F", "no voice has it from bar 1"),
    ("bar 1 beat 2: note D4", ""),
    ("bar 1 beat 3: note D4", "no voice strikes it in bar 1, beat 3"),
    ("voice 1 bar 2 beat 1: note F", "not the voice 1 strikes it"),
    ("all: 2-3 onsets a bar", ""),
    ("bar 2: at most 2 onsets a bar", "strikes 3 notes from bar 2"),
])
def test_what_breaks_a_rule_is_found(rule: str, told: str) -> None:
    found = violations(piece(LINE), Constraints.parse(rule))
    assert len(found) == bool(told)
    assert not told or (told in found[0] and rule in found[0])


CHORDS = ("74 - 72 -", "65 - 64 -", "71 - 67 -", "55 - 48 -")


@pytest.mark.parametrize(("cadence", "voices", "kept"), [
    ("authentic in C major", CHORDS, True),
    ("perfect in C major", CHORDS, True),
    ("perfect in C major", ("74 - 76 -", *CHORDS[1:]), False),
    ("authentic in C minor", CHORDS, False),
    ("authentic in C minor picardy", CHORDS, True),
    ("authentic in C major", (*CHORDS[:3], "55 - 52 -"), False),       # not the root
    ("authentic in C major", (*CHORDS[:3], "53 - 48 -"), False),
    ("authentic in C major", (*CHORDS[:2], "67 - 67 -", CHORDS[3]), False),  # no leading note
    ("authentic in C major", (CHORDS[0], "65 - 67 -", *CHORDS[2:]), False),  # no third
    ("authentic in C major", (CHORDS[0], "65 - 65 64", *CHORDS[2:]), False),  # a suspension in the last chord
    ("plagal in C major", ("77 - 76 -", "65 - 67 -", "69 - 67 -", "53 - 48 -"), True),
    ("half in F minor", ("72 - 72 -", "65 - 64 -", "69 - 67 -", "53 - 48 -"), True),
    ("deceptive in C major", ("74 - 72 -", "65 - 64 -", "71 - 72 -", "55 - 57 -"), True),
    ("deceptive in C major", CHORDS, False),
])
def test_cadences_are_heard(cadence: str, voices: tuple[str, ...], kept: bool) -> None:
    assert (violations(piece(*voices), Constraints.parse(f"end: cadence {cadence}")) == []) == kept


@pytest.mark.parametrize("semitones", [-13, -3, 0, 5])
@pytest.mark.parametrize("rule", [
    "bars 1-2: pitches C D E F G", "all: range C4-G4", "voice 1 bar 1: rhythm 1 2 r1", "bar 2: chord G7",
    "voice 1 bars 1-2: melody C4 D4 E4 F4 G4", "bar 2: must contain G E4", "bar 1 beat 2: note D4",
    "all: 2-3 onsets a bar", "end: cadence authentic in C major"])
def test_rules_move_with_the_music(rule: str, semitones: int) -> None:
    grid = piece("60 62 - . 64 65 65 67" if "cadence" not in rule else "60 62 - . 64 65 67 60")
    moved = Grid(np.where(grid.pitches >= 0, grid.pitches + semitones, -1), grid.held, steps_per_beat=1)
    rules = Constraints.parse(rule)
    assert bool(violations(moved, rules.transposed(semitones))) == bool(violations(grid, rules))
    assert str(rules.transposed(semitones)) == rule


def test_a_place_that_the_piece_has_not_is_told() -> None:
    with pytest.raises(BadInput, match=r"line 1 .*no bar 3"):
        violations(piece(LINE), Constraints.parse("bar 3: silent"))
    with pytest.raises(BadInput, match=r"^notes\.txt: line 1 "):
        violations(piece(LINE), Constraints.parse("bar 3: silent", "notes.txt"))
    with pytest.raises(BadInput, match="no tenor among 1 voices"):
        violations(piece(LINE), Constraints.parse("tenor: silent"))
