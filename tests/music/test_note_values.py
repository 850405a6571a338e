"""Note values: how lengths are written, with ties, dots, tuplets and beams."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from componium.music.errors import BadInput
from componium.music.note_values import TYPES, Value, beams, exact, meter_of, tuplet_spans, values

SHORT = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16", "breve": "b", "32nd": "32"}


def shown(start: float, end: float, numerator: int = 4, denominator: int = 4, *, rest: bool = False) -> str:
    found = values(Fraction(start), Fraction(end), meter_of(numerator, denominator), [], rest=rest)
    assert found[0].start == Fraction(start) and found[-1].end == Fraction(end)
    assert all(one.end == two.start for one, two in itertools.pairwise(found))
    return " ".join(SHORT[value.type] + "." * value.dots for value in found)


@pytest.mark.parametrize(("start", "end", "expected"), [
    (0, 4, "1"), (0, 3, "2."), (1, 4, "2."), (1, 3, "2"), (0, 2.5, "2 8"), (0.5, 1.5, "4"), (0.5, 2, "4."),
    (1.5, 2.5, "8 8"), (0.5, 2.5, "4. 8"), (0.5, 3.5, "4. 4."), (0.25, 1.25, "8. 16"), (0.75, 1.25, "16 16"),
    (0.25, 0.75, "8"), (0, 3.5, "2 4."), (0.25, 2, "8. 4"), (3, 4, "4"), (0, 0.75, "8.")])
def test_notes_in_four_four(start: float, end: float, expected: str) -> None:
    assert shown(start, end) == expected


@pytest.mark.parametrize(("start", "end", "expected"), [
    (0, 4, "1"), (1, 3, "4 4"), (1, 4, "4 2"), (0, 3, "2 4"), (0.5, 2, "8 4"), (0.5, 1.5, "8 8"), (0, 2, "2")])
def test_rests_in_four_four_are_stricter(start: float, end: float, expected: str) -> None:
    assert shown(start, end, rest=True) == expected


@pytest.mark.parametrize(("meter", "start", "end", "expected"), [
    ((6, 8), 0, 3, "2."), ((6, 8), 0, 2, "4. 8"), ((6, 8), 1, 2, "8 8"), ((6, 8), 0.5, 1.5, "4"),
    ((9, 8), 0, 4.5, "2. 4."), ((9, 8), 1.5, 4.5, "2."), ((12, 8), 0, 6, "1."), ((3, 8), 0, 1.5, "4."),
    ((3, 4), 0, 3, "2."), ((3, 4), 0.5, 2.5, "8 4."), ((2, 2), 1, 3, "2"), ((3, 2), 0, 6, "1."),
    ((5, 4), 0, 5, "2. 2"), ((7, 8), 0, 3.5, "2 4."), ((4, 2), 0, 8, "b"), ((1, 4), 0, 1, "4")])
def test_notes_in_other_meters(meter: tuple[int, int], start: float, end: float, expected: str) -> None:
    assert shown(start, end, *meter) == expected


def test_a_half_rest_is_no_rest_in_three_four() -> None:
    assert shown(0, 2, 3, 4, rest=True) == "4 4"


def in_tuplets(points: list[Fraction], numerator: int = 4, denominator: int = 4) -> list[str]:
    meter = meter_of(numerator, denominator)
    spans = tuplet_spans(points, meter)
    found = [value for a, b in itertools.pairwise(points) for value in values(a, b, meter, spans)]
    lengths = {name: length for length, name in TYPES.items()}
    for value in found:
        length = lengths[value.type] * (Fraction(3, 2) if value.dots else 1)
        actual, normal = value.tuplet[:2] if value.tuplet else (1, 1)
        assert length * normal / actual == value.end - value.start
    starts, ends = (sum(getattr(value, name) for value in found) for name in ("tuplet_start", "tuplet_end"))
    assert starts == ends == len(spans)
    return [f"{SHORT[v.type]}{'.' * v.dots}{f'/{v.tuplet[0]}:{v.tuplet[1]}' if v.tuplet else ''}" for v in found]


def test_tuplets() -> None:
    third, fifth, seventh = Fraction(1, 3), Fraction(1, 5), Fraction(1, 7)
    assert in_tuplets([Fraction(0), third, 2 * third, Fraction(1), Fraction(4)]) == ["8/3:2"] * 3 + ["2."]
    assert in_tuplets([Fraction(0), 2 * third, 4 * third, Fraction(2), Fraction(4)]) == ["4/3:2"] * 3 + ["2"]
    assert in_tuplets([Fraction(0), third, Fraction(4)]) == ["8/3:2", "4/3:2", "2."]
    assert in_tuplets([Fraction(0), 2 * third, Fraction(1), Fraction(4)]) == ["4/3:2", "8/3:2", "2."]
    sixths = [Fraction(n, 6) for n in range(4)]
    assert in_tuplets([*sixths, Fraction(1), Fraction(4)]) == ["16/3:2"] * 3 + ["8", "2."]
    assert in_tuplets([n * fifth for n in range(6)] + [Fraction(4)]) == ["16/5:4"] * 5 + ["2."]
    assert in_tuplets([n * seventh for n in range(8)] + [Fraction(4)]) == ["16/7:4"] * 7 + ["2."]
    assert in_tuplets([Fraction(0), 4 * third, 8 * third, Fraction(4)]) == ["2/3:2"] * 3


def test_tuplets_that_no_bracket_holds_are_refused() -> None:
    with pytest.raises(BadInput, match="tuplets"):
        tuplet_spans([Fraction(0), Fraction(1, 3), Fraction(2, 5), Fraction(1), Fraction(4)], meter_of(4, 4))


@pytest.mark.parametrize(("time", "expected"), [
    (0.33333, Fraction(1, 3)), (1.0, Fraction(1)), (69 / 480, Fraction(1, 7)), (2.0 / 480, None),
    (0.2, Fraction(1, 5)), (7.96875, Fraction(255, 32)),
    (100 + 1 / 6, Fraction(601, 6)), (0.013, None)])
def test_times_become_exact(time: float, expected: Fraction | None) -> None:
    assert exact(time) == expected


def row(lengths: list[float], start: float = 0.0) -> list[Value | None]:
    found: list[Value | None] = []
    place = Fraction(start)
    for length in lengths:
        meter = meter_of(4, 4)
        found += values(place, place + Fraction(abs(length)), meter, []) if length > 0 else [None]
        place += Fraction(abs(length))
    return found


def test_beams_join_a_beat_and_stop_at_rests() -> None:
    meter = meter_of(4, 4)
    assert beams(row([0.5, 0.5, 0.5, 0.5]), meter) == [["begin"], ["end"], ["begin"], ["end"]]
    assert beams(row([0.75, 0.25]), meter) == [["begin"], ["end", "backward hook"]]
    assert beams(row([0.25, 0.75]), meter) == [["begin", "forward hook"], ["end"]]
    assert beams(row([0.5, 0.25, 0.25]), meter) == [["begin"], ["continue", "begin"], ["end", "end"]]
    assert beams(row([0.5, -0.5, 0.5]), meter) == [[], [], []]
    assert beams(row([1, 0.5, 2.5]), meter) == [[], ["begin"], ["end"], []]
    assert beams(row([0.5] * 6), meter_of(6, 8)) == [["begin"], ["continue"], ["end"]] * 2
