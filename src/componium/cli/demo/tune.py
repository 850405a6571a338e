"""The folk tune that the demo harmonises."""

from __future__ import annotations

from typing import Any

TITLE = "Auld Lang Syne"
SOURCE = "traditional Scottish tune, in the public domain, written out for this demo"
KEY = "G major"
ABC = """X:1
T:Auld Lang Syne
C:traditional
O:Scotland
M:4/4
L:1/4
Q:1/4=76
K:G
V:1 name="Soprano"
D | G>G G B | A>G HA B | G>G B d | He3 e |
d>B B G | A>G HA B | G>E E D | HG3 |]
"""
"""The verse, in the range of a soprano. Each of its four lines of words ends under a fermata (H), as in a chorale."""
RULES = f"all: scale {KEY}\nend: cadence authentic in {KEY}\n"
"""What its harmony is made to keep, as in a file of constraints."""


def melody() -> Any:
    """Return the tune as a score of one voice."""
    from componium.music.abc import parse_abc

    return parse_abc(ABC)[0]
