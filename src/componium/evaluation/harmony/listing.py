"""The faults of part-writing as a teacher would say them: in which bar, on which beat, between which voices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from componium.evaluation.harmony.leading import Found
from componium.evaluation.harmony.texture import Ints, Texture
from componium.music.keys import Key, spell
from componium.music.score import CLOSE_BEATS, Bar, Score, bars

_MOVES = {
    "parallel_fifths": "parallel fifths", "parallel_octaves": "parallel octaves or unisons",
    "contrary_fifths_and_octaves": "fifths or octaves in contrary motion",
    "direct_fifths_and_octaves": "a fifth or an octave reached by similar motion, the upper voice leaping",
    "voice_overlap": "one voice moves beyond where the other just was",
    "forbidden_leaps": "a leap that is hard to sing",
}
_STATES = {"voice_crossing": "voices cross", "wide_spacing": "more than an octave between neighbours"}
_NOTES = {
    "out_of_range": "out of range", "unresolved_leading_notes": "a leading note that does not rise to the tonic",
    "unresolved_sevenths": "a seventh that does not fall by a step",
    "untreated_dissonances": "a note outside the chord, neither prepared nor resolved",
}


@dataclass(frozen=True)
class Fault:
    """One place where a rule is broken.

    Attributes:
        kind: name of the measure that counts it, e.g. ``"parallel_fifths"``.
        bar: as `componium.music.score.Bar` counts: 1 is the first full bar, 0 a pickup.
        beat: in the bar, 1 is the first, in units of the meter's lower number; 2.5 lies between.
        voices: names of the voices, one or two, the higher first.
        text: the sentence to show, e.g. ``"bar 3, beat 2, Soprano and Bass: parallel fifths (G4-A4, C3-D3)"``.
        start_beats: where the fault is heard; for a move, where its second chord starts.
        end_beats: where the chord that has it ends; where it lasts over several chords, the last of them.
        notes: (place of the voice from 0 at the top, start in beats, MIDI pitch) of each note that takes part.
    """

    kind: str
    bar: int
    beat: float
    voices: tuple[str, ...]
    text: str
    start_beats: float
    end_beats: float
    notes: tuple[tuple[int, float, int], ...]


def listed(score: Score, texture: Texture, found: Mapping[str, Found], key: Key) -> list[Fault]:
    """Return the places of each kind as faults, in the order of the piece."""
    page = _Page.of(score, texture, key)
    told = [page.fault(kind, voices, first, last)
            for kind, places in found.items() for voices, first, last in _runs(kind, places, texture)]
    return sorted(told, key=lambda fault: (fault.start_beats, fault.kind, fault.notes))


def _runs(kind: str, places: Found, texture: Texture) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Yield (voices, first slice, last slice); what lasts is one run per pair of voices."""
    by_voices: dict[tuple[int, ...], list[int]] = {}
    for place, upper, lower in zip(places.slices.tolist(), places.uppers.tolist(), places.lowers.tolist(), strict=True):
        by_voices.setdefault((upper,) if upper == lower else (upper, lower), []).append(place)
    chords = np.cumsum(texture.chords).tolist()
    for voices, slices in by_voices.items():
        start = previous = slices[0]
        for place in [*slices[1:], None]:
            if kind in _STATES and place is not None and chords[place] == chords[previous] + 1:
                previous = place
                continue
            yield voices, start, previous
            if place is not None:
                start = previous = place


@dataclass(frozen=True, eq=False)
class _Page:
    """What names places: the bars, where they start, the slice in which each sounding note was struck, the key."""

    texture: Texture
    measures: list[Bar]
    starts_beats: npt.NDArray[np.float64]
    struck: Ints
    key: Key

    @classmethod
    def of(cls, score: Score, texture: Texture, key: Key) -> _Page:
        measures = bars(score)
        places = np.where(texture.struck, np.arange(len(texture.struck))[:, None], 0)
        return cls(texture, measures, np.asarray([bar.start_beats for bar in measures]),
                   np.maximum.accumulate(places, axis=0), key)

    def fault(self, kind: str, voices: tuple[int, ...], first: int, last: int) -> Fault:
        edges, pitches = self.texture.edges_beats, self.texture.pitches
        slices = [first - 1, first] if kind in _MOVES else [first]
        bar, beat = self.place(float(edges[first]))
        names = tuple(self.texture.names[voice] for voice in voices)
        notes = tuple((voice, float(edges[self.struck[place, voice]]), int(pitches[place, voice]))
                      for voice in voices for place in slices)
        lines = ["-".join(spell(pitch, self.key) for line, _, pitch in notes if line == voice) for voice in voices]
        rule = {**_MOVES, **_STATES, **_NOTES}[kind]
        until = f" until bar {self.place(float(edges[last]))[0]}" if last > first else ""
        text = f"bar {bar}, beat {beat:g}{until}, {' and '.join(names)}: {rule} ({', '.join(lines)})"
        return Fault(kind, bar, beat, names, text, float(edges[first]), float(edges[last + 1]), notes)

    def place(self, time_beats: float) -> tuple[int, float]:
        found = int(np.searchsorted(self.starts_beats, time_beats + CLOSE_BEATS, side="right")) - 1
        bar = self.measures[max(found, 0)]
        return bar.index, round(1.0 + (time_beats - bar.start_beats) * bar.denominator / 4.0, 3)
