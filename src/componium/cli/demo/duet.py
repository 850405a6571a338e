"""The call that the demo has answered, and what is said of its reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from componium.cli.show import counted

TITLE = "Frère Jacques"
SOURCE = "traditional French tune, in the public domain, written out for this demo"
ABC = """X:1
T:Frère Jacques
C:traditional
O:France
M:4/4
L:1/4
Q:1/4=120
K:G
V:1 name="Call"
G A B G | G A B G | B c d2 | B c d2 |]
"""
"""Its first half, which ends on the fifth and asks for an answer: four bars, eight seconds."""
RULES = ("Those of AI Duet (Y. Mann, Google Creative Lab, 2016): a reply is as long as its call, but lasts 1 to 8 "
         "seconds, with no note over 4; of a long call the last 15 seconds are heard; the tempo of free playing is "
         "guessed where there are more than four notes, and is 120 otherwise. This call states its tempo.")
TELLING = ("answer", "repl")
"""Figures of a checkpoint whose names hold one of these tell of its replies."""


@dataclass(frozen=True)
class Duet:
    """A call, its reply alone, and both one after the other."""

    call: Any
    reply: Any
    both: Any


def call() -> Any:
    """Return the call as a score of one voice."""
    from componium.music.abc import parse_abc

    return parse_abc(ABC)[0]


def beside_call(duet: Duet) -> str:
    """Say how the reply agrees with its call, by the measures of ``evaluate --protocol answering``."""
    from componium.evaluation.phrases import compared, phrase_of
    from componium.music.theory import key_of

    key = key_of(duet.call)[0]
    found = compared(phrase_of(duet.reply), phrase_of(duet.call), key)
    ends = "ends on" if found["ends_stable"] else "does not end on"
    copied = counted(round(found["copied"]), "note")
    return (f"{100 * found['in_key']:.0f} % of the reply's notes in {key}; contour similarity {found['contour']:.2f}, "
            f"rhythm similarity {found['rhythm']:.2f} (1: a copy); longest run copied: {copied}; {ends} a note of the "
            "tonic triad (measures of componium evaluate, protocol answering)")


def figures_text(figures: Mapping[str, Any]) -> str:
    """Say what was measured of a model's replies to many calls, as far as its checkpoint tells."""
    told = [f"{name}: {value}" for name, value in figures.items() if any(word in name.lower() for word in TELLING)]
    return f" Its replies to many calls, measured: {'; '.join(told)}." if told else ""
