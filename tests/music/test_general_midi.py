"""General MIDI names and programs."""

from __future__ import annotations

import pytest

from componium.music.errors import BadInput
from componium.music.general_midi import INSTRUMENTS, instrument_name, program_of


def test_there_are_128_different_names_and_each_is_its_own_program() -> None:
    assert len(set(INSTRUMENTS)) == 128
    assert [program_of(name) for name in INSTRUMENTS] == list(range(128))


@pytest.mark.parametrize(("name", "program"), [
    ("violin", 40), ("Alto-Sax", 65), ("choir", 52), ("organ", 19), ("PIANO", 0), ("oboe", 68), (40, 40), ("127", 127),
    ("acoustic guitar nylon", 24), ("french_horn", 60), ("gunshot", 127), ("whistle", 78),
])
def test_names_and_everyday_names(name: str | int, program: int) -> None:
    assert program_of(name) == program


@pytest.mark.parametrize(("name", "near"), [("violni", "violin"), ("guitars", "guitar"),
                                           ("xyzzy", "for example"), ("", "for example")])
def test_unknown_names_get_the_near_ones(name: str, near: str) -> None:
    with pytest.raises(BadInput, match=near):
        program_of(name)


@pytest.mark.parametrize("program", [-2, 128, "200"])
def test_programs_outside_are_refused(program: int | str) -> None:
    with pytest.raises(BadInput, match=r"0\.\.127"):
        program_of(program)
    with pytest.raises(BadInput):
        instrument_name(128)
