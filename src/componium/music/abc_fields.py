"""What stands in the fields of an ABC tune: lengths, meters, keys, tempos."""

from __future__ import annotations

import re
from fractions import Fraction

from componium.music.errors import BadInput
from componium.music.keys import Key
from componium.music.score import check_meter

LENGTH = r"(\d*)(/*)(\d*)"
_MODES = {"maj": "major", "ion": "major", "min": "minor", "aeo": "minor", "dor": "dorian", "phr": "phrygian",
          "lyd": "lydian", "mix": "mixolydian", "loc": "locrian"}


def read_length(text: str) -> Fraction:
    """Return a length such as ``3/2``, ``/`` or ``4`` as a number of unit lengths; raises `BadInput` for others."""
    found = re.fullmatch(LENGTH, text.strip())
    if not found:
        raise BadInput(f"{text!r} is no length")
    above, slashes, below = found.groups()
    divisor = int(below) if below else 2 ** len(slashes)
    if divisor == 0 or (above and int(above) == 0):
        raise BadInput(f"{text!r} is no length")
    return Fraction(int(above or 1), divisor)


def read_meter(text: str) -> tuple[int, int]:
    """Return a meter as (numerator, denominator), 4/4 for a free one; raises `BadInput` where it is none."""
    common = {"C": (4, 4), "C|": (2, 2), "none": (4, 4), "": (4, 4)}
    if text in common:
        return common[text]
    found = re.search(r"(\d[\d+ ]*)\)?/(\d+)", text)
    if not found:
        raise BadInput(f"{text!r} is no meter: write for example M:4/4")
    meter = sum(int(part) for part in found[1].split("+")), int(found[2])
    check_meter(*meter)
    return meter


def read_key(text: str) -> Key:
    """Return the key of a K: field with its mode; C major where it names none."""
    found = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text.strip())
    if text.strip()[:4].lower() == "none" or text.strip()[:2] in ("HP", "Hp") or not found:
        return Key.of(2, "major") if text.strip().startswith(("HP", "Hp")) else Key.of(0, "major")
    word = found[3].lower()
    mode = "minor" if word == "m" else _MODES.get(word[:3], "major")
    return Key.parse(f"{found[1]}{found[2]} {mode}")


def read_tempo(text: str, unit: Fraction) -> float:
    """Return quarter notes a minute of ``1/4=100``, ``3/8=60`` or ``120`` (unit lengths); 100 where words stand."""
    found = re.search(r"(?:(\d+)/(\d+)\s*=\s*)?(\d+)", re.sub(r"\"[^\"]*\"", "", text))
    if not found or not int(found[3]) or (found[2] and not int(found[2])):
        return 100.0
    beat = Fraction(4 * int(found[1]), int(found[2])) if found[1] else unit
    return min(max(float(Fraction(found[3]) * beat), 4.0), 1000.0)


def read_endings(text: str) -> frozenset[int]:
    """Return the turns of a repeat that ``1``, ``1,3`` or ``1-3`` stands for."""
    first, *rest = re.findall(r"\d", text)
    if "-" in text and rest:
        return frozenset(range(int(first), int(rest[-1]) + 1))
    return frozenset(int(digit) for digit in (first, *rest))
