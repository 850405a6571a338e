"""The rewriting half of an L-system: productions read from text, and a word that is rewritten all at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from componium.music.errors import BadInput

MAX_SYMBOLS = 50_000
"""A word that grows beyond this is refused: L-systems grow exponentially."""
SPACED = ("chords", "rhythm")
"""Interpretations whose symbols stand apart; those of the others are single letters."""


class Production(NamedTuple):
    """A rule: a symbol between neighbours (None = any) becomes one of the words, by the probabilities."""

    symbol: str
    left: str | None
    right: str | None
    words: tuple[tuple[str, ...], ...]
    probabilities: tuple[float, ...]


def symbols_of(text: str, interpretation: str) -> tuple[str, ...]:
    """Split a word into symbols: at spaces, or for melodies and turtles into single letters."""
    return tuple(text.split() if interpretation in SPACED else "".join(text.split()))


def read_productions(text: str, interpretation: str) -> dict[str, list[Production]]:
    """Read rules separated by ``;`` or new lines: symbol -> productions, those with more neighbours first.

    Raises:
        BadInput: a rule that cannot be read, named in the message.
    """
    table: dict[str, list[Production]] = {}
    for rule in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        production = _read_production(rule, interpretation)
        table.setdefault(production.symbol, []).append(production)
    for rules in table.values():
        rules.sort(key=lambda rule: (rule.left is None) + (rule.right is None))
    return table


def _read_production(rule: str, interpretation: str) -> Production:
    head, arrow, body = rule.partition("->")
    found = re.fullmatch(r"\s*(?:(\S+)\s*<)?\s*(\S+?)\s*(?:>\s*(\S+))?\s*", head)
    if not arrow or not found:
        raise BadInput(f"the production '{rule}' cannot be read; write for example "
                       "'V -> ii V | V (0.3)', or with neighbours 'V < I > IV -> vi'")
    left, symbol, right = found.groups()
    for name in filter(None, found.groups()):
        if len(symbols_of(name, interpretation)) != 1:
            raise BadInput(f"the production '{rule}' names '{name}', but a symbol of a "
                           f"{interpretation} is a single letter")
    words, weights = [], []
    for choice in body.split("|"):
        parts = re.fullmatch(r"([^()]*?)\s*(?:\(\s*(\d*\.?\d+)\s*\))?\s*", choice)
        if not parts or not parts[1].strip():
            raise BadInput(f"the production '{rule}' has an empty or unreadable choice '{choice.strip()}'; "
                           "a probability stands in brackets behind a choice, as in 'V -> V | ii V (0.3)'")
        words.append(symbols_of(parts[1], interpretation))
        weights.append(float(parts[2]) if parts[2] else None)
    return Production(symbol, left, right, tuple(words), _probabilities(weights, rule))


def _probabilities(weights: Sequence[float | None], rule: str) -> tuple[float, ...]:
    """Share what the stated probabilities leave among the others; if all are stated, scale them to 1."""
    told, others = sum(w for w in weights if w is not None), sum(w is None for w in weights)
    if told > 1.0 + 1e-9 or (told <= 0.0 and not others) or (told > 1.0 - 1e-9 and others):
        raise BadInput(f"the probabilities of the production '{rule}' add up to {told:g}; "
                       "they add up to 1 at most, and leave something for choices without one")
    return tuple((1.0 - told) / others if w is None else w / (1.0 if others else told) for w in weights)


def rewrite(word: Sequence[str], table: Mapping[str, Sequence[Production]], rng: np.random.Generator,
            temperature: float = 1.0) -> list[str]:
    """Replace all symbols at once; neighbours are those in the old word, with brackets left out.

    Args:
        word: the symbols.
        table: see `read_productions`; a symbol without a production stays.
        rng: picks among choices.
        temperature: above 0; probabilities are raised to 1 / temperature.

    Raises:
        BadInput: the new word has more than `MAX_SYMBOLS` symbols.
    """
    plain = [place for place, symbol in enumerate(word) if symbol not in ("[", "]")]
    before = {later: word[earlier] for earlier, later in itertools.pairwise(plain)}
    after = {earlier: word[later] for earlier, later in itertools.pairwise(plain)}
    result: list[str] = []
    for place, symbol in enumerate(word):
        rule = _matching(table.get(symbol, ()), before.get(place), after.get(place))
        result.extend((symbol,) if rule is None else _chosen(rule, rng, temperature))
        if len(result) > MAX_SYMBOLS:
            raise BadInput(f"the grammar grows beyond {MAX_SYMBOLS} symbols; ask for fewer iterations")
    return result


def _matching(rules: Sequence[Production], before: str | None, after: str | None) -> Production | None:
    for rule in rules:
        if rule.left in (None, before) and rule.right in (None, after):
            return rule
    return None


def _chosen(rule: Production, rng: np.random.Generator, temperature: float) -> Sequence[str]:
    if len(rule.words) == 1:
        return rule.words[0]
    with np.errstate(divide="ignore"):
        weights = np.log(rule.probabilities) / temperature
    weights = np.exp(weights - weights.max())
    return rule.words[int(rng.choice(len(rule.words), p=weights / weights.sum()))]
