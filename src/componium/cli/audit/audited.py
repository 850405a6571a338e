"""What an audit finds of each item of a corpus: its figures, what it is like, and why it stands out."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from componium.cli.audit.alike import copies_told
from componium.cli.show import Progress, counted
from componium.evaluation.outliers import (
    RECORDING_FIGURES,
    SCORE_FIGURES,
    Finding,
    outliers,
    score_figures,
)
from componium.evaluation.recordings import Recorded, examined
from componium.music.duplicates import FEWEST_RUNS, NEAR, near_duplicates, runs_of
from componium.music.errors import ComponiumError
from componium.music.gather import reason_of
from componium.music.item import Item
from componium.music.score import Score, note_arrays, voices

ALIKE = 0.25
"""Similarity from which on two pieces may be one: of such pairs of tunes a third share a word of their titles."""
ALMOST_SILENT = "almost silent"
SETTING = "another setting"
"""What pieces are to each other that have the melody in common, and not the other voices."""


@dataclass
class Audited:
    """What was found of one item.

    Attributes:
        item: of the corpus.
        figures: those of `outliers.SCORE_FIGURES` or `RECORDING_FIGURES`.
        findings: why it is an outlier, the farthest out first.
        twins: what it is like: (item, similarity from 0 to 1, see `_alike`), the most similar first.
        trouble: why it cannot be read; empty where it can.
        family: number of the group of duplicates that it is in; none = -1.
        sure: whether any two of that group are near-duplicates.
        recorded: what else was found of a recording.
        changes: name of another recording -> in what this one differs from it, though it is the same sound.
    """

    item: Item
    figures: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    twins: list[tuple[Item, float]] = field(default_factory=list)
    trouble: str = ""
    family: int = -1
    sure: bool = False
    recorded: Recorded | None = None
    changes: dict[str, str] = field(default_factory=dict)

    def why(self) -> str:
        """Return in few words why it stands out; empty where it does not."""
        if self.trouble:
            return "cannot be read"
        parts = [f"{self.kind_of(0)}: {self.twins[0][0].name}"] if self.twins else []
        if self.findings:
            parts.append("outlier: " + ", ".join(finding.short for finding in self.findings))
        return "; ".join(parts)

    def reason(self) -> str:
        """Return the reason that a mark of it has as long as nobody writes another."""
        if self.trouble:
            return f"cannot be read: {self.trouble}"
        if self.twins:
            other, similarity = self.twins[0]
            told = self.changes.get(other.name, percent(similarity))
            return f"{self.kind_of(0)} of {other.name} ({told})"
        return self.findings[0].text if self.findings else ""

    def kind_of(self, number: int) -> str:
        """Return what one of the twins is to it."""
        other, similarity = self.twins[number]
        return "near-duplicate" if other.name in self.changes else kind_of(similarity)


def percent(similarity: float) -> str:
    """Return a similarity as whole percent, rounded down: 40 % is NEAR at least, and 100 % is the same."""
    return f"{int(100 * similarity + 1e-9)} %"


def kind_of(similarity: float) -> str:
    """Return what two items of such a similarity are to each other."""
    return "duplicate" if similarity >= NEAR else "perhaps a duplicate" if similarity >= ALIKE else SETTING


def summary(items: Sequence[Audited]) -> str:
    """Return in a line how many items there are, and how many of them stand out."""
    closest = [max((similarity for _, similarity in each.twins), default=-1.0) for each in items]
    sure, perhaps, settings = (sum(low <= similarity < high for similarity in closest)
                               for low, high in ((NEAR, 2.0), (ALIKE, NEAR), (0.0, ALIKE)))
    odd = "unlike the others" if len(items) > 1 else "that stands out"
    counts = ((sure, "with a duplicate"), (perhaps, "with perhaps a duplicate"),
              (settings, "with another setting of the melody"),
              (sum(bool(each.findings) for each in items), odd),
              (sum(bool(each.trouble) for each in items), "that cannot be read"))
    parts = [f"{count:,} {text}" for count, text in counts if count] or ["none stands out"]
    return f"{counted(len(items), 'item')}: {', '.join(parts)}"


def examine(items: Sequence[Item], progress: Progress) -> list[Audited]:
    """Return what is found of each item: duplicates, what cannot be read, outliers, perhaps
    duplicates, and the rest.
    """
    found = [Audited(item) for item in items]
    for place, audited in enumerate(found):
        _measure(audited, functools.partial(_part, progress, place / len(found), 1 / len(found), audited.item.name))
    for kind, figures in (("score", SCORE_FIGURES), ("audio", RECORDING_FIGURES)):
        those = [audited for audited in found if audited.item.kind == kind and not audited.trouble]
        for audited, findings in zip(those, outliers([each.figures for each in those], figures), strict=True):
            silent = [dataclasses.replace(finding, text=f"{ALMOST_SILENT}: all of it is below -60 dBFS",
                                          short=ALMOST_SILENT)
                      for finding in findings if finding.figure.name == "silent_channels"
                      and finding.value >= audited.figures["channels"]]
            audited.findings = silent or findings  # in silence nothing else tells anything
    progress(0.7, "looking for duplicates")

    def comparing(share: float, text: str = "") -> None:
        progress(0.7 + 0.3 * share, text)

    pairs = _similar(found, comparing)
    for first, second, similarity in pairs:
        found[first].twins.append((found[second].item, similarity))
        found[second].twins.append((found[first].item, similarity))
    return [found[place] for place in _order(found, pairs)]


def _part(progress: Progress, start: float, size: float, name: str, share: float) -> None:
    progress(0.7 * (start + share * size), name)


def _measure(audited: Audited, tell: Callable[[float], None]) -> None:
    """Take the figures of an item."""
    tell(0.0)
    try:
        if audited.item.kind == "audio":
            audited.recorded = examined(audited.item, tell)
            audited.figures = audited.recorded.figures
            return
        content = audited.item.content
        assert isinstance(content, Score)
        audited.figures = score_figures(content)
    except ComponiumError as error:
        audited.trouble = reason_of(error)


def _similar(found: Sequence[Audited], progress: Progress) -> list[tuple[int, int, float]]:
    """Return the pairs that are alike, the most similar first."""
    readable = [place for place, audited in enumerate(found) if not audited.trouble]
    places = {id(found[place].item): place for place in readable}
    melodies = near_duplicates([found[place].item for place in readable], threshold=ALIKE)
    others = {id(item): _other_runs(item) for pair in melodies for item in pair[:2]}
    pairs = [(places[id(first)], places[id(second)], similarity) for first, second, melody in melodies
             if (similarity := _alike(melody, others[id(first)], others[id(second)])) is not None]
    pairs += _same_sounds(found, progress)
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _same_sounds(found: Sequence[Audited], progress: Progress) -> list[tuple[int, int, float]]:
    """Return the pairs of recordings with the same samples, and those that are the same sound; tells what changed."""
    sounds: dict[str, list[int]] = defaultdict(list)
    for place, audited in enumerate(found):
        if audited.recorded is not None and audited.recorded.samples_hash:
            sounds[audited.recorded.samples_hash].append(place)
    pairs = [(same[0], other, 1.0) for same in sounds.values() for other in same[1:]]
    places = sorted(same[0] for same in sounds.values())
    recorded = [each for place in places if (each := found[place].recorded) is not None]
    for copy, changes in copies_told([found[place].item for place in places], recorded, progress):
        first, second = places[copy.first], places[copy.second]
        for one, other, told in ((first, second, changes[0]), (second, first, changes[1])):
            found[one].changes[found[other].item.name] = told
        pairs.append((first, second, min(copy.similarity, 0.999)))  # the same samples come first
    return pairs


def _other_runs(item: Item) -> frozenset[int]:
    """Return the runs of intervals of all voices but the first; none of a piece in one voice."""
    runs: set[int] = set()
    for track in voices(item.content)[1:] if isinstance(item.content, Score) else ():
        notes = note_arrays(track)
        runs |= runs_of(notes["pitch"].astype(np.int64)[np.lexsort((notes["pitch"], notes["time"]))])
    return frozenset(runs)


def _alike(melody: float, first: frozenset[int], second: frozenset[int]) -> float | None:
    """Return how similar two pieces are: of pieces in several voices, the lower figure of melody and other voices.

    None where the melodies are not surely the same and the other voices differ. A melody that is sure and other voices
    that differ are a figure below `ALIKE`: composers set a tune more than once.
    """
    if min(len(first), len(second)) < FEWEST_RUNS:
        return melody
    others = len(first & second) / len(first | second)
    return None if melody < NEAR and others < ALIKE else min(melody, others)


def _order(found: Sequence[Audited], pairs: Sequence[tuple[int, int, float]]) -> list[int]:
    """Number the groups of what is alike, the most similar first, and return the places in the order to show."""
    groups: dict[int, list[int]] = {}
    alike = {place for first, second, similarity in pairs if similarity >= ALIKE for place in (first, second)}
    for first, second, similarity in pairs:
        if similarity < ALIKE and not alike.isdisjoint((first, second)):
            continue  # duplicates stand side by side without the other settings of their melody
        one, other = groups.setdefault(first, [first]), groups.setdefault(second, [second])
        if one is not other:
            one += other
            groups.update(dict.fromkeys(other, one))
    families = list({id(group): sorted(group) for group in groups.values()}.values())
    near = {place for first, second, similarity in pairs if similarity >= NEAR for place in (first, second)}
    for number, family in enumerate(families):
        for place in family:
            found[place].family, found[place].sure = number, not near.isdisjoint(family)
    alone = [place for place in range(len(found)) if place not in groups]
    alone.sort(key=lambda place: (not found[place].trouble, -max((f.far for f in found[place].findings), default=0.0)))
    out = [place for place in alone if found[place].trouble or found[place].findings]
    rest = [place for place in alone if not (found[place].trouble or found[place].findings)]
    sure, perhaps = ([place for family in families if found[family[0]].sure is known for place in family]
                     for known in (True, False))
    return [*sure, *out, *perhaps, *rest]
