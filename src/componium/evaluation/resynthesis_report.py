"""What the resynthesis of recordings came to: tables, sentences and JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from componium.evaluation.excerpts import LUFS, SECONDS, Material
from componium.evaluation.instrument import MEASURES
from componium.evaluation.played import TITLE, VELOCITIES, Played
from componium.music.item import Skipped

if TYPE_CHECKING:
    from componium.evaluation.resynthesis import Pair

PROTOCOL = (
    "excerpts of {seconds:g} s of recordings that the model did not learn from, chosen by hash; their curves (pitch, "
    "loudness) are heard by the model (tracker {tracker}) and played without change; both sounds get the gain that "
    "brings the recording to {lufs:g} LUFS; spectral loss of DDSP (2048 to 64 samples) at {rate} Hz, beside the same "
    "curves with other noise (floor) and the resynthesis of another excerpt (ceiling); loudness in 1/80 of the range "
    "of 80 dB; pitch in semitones where the tracker is sure of the recording (0.85); 95 % bootstrap over excerpts")
LABELS = {
    "spectral_loss": "spectral loss",
    "way": "way from ceiling (0) to floor (1)",
    "multi_resolution_stft": "multi-resolution STFT",
    "mel_distance": "mel distance",
    "loudness_l1": "loudness L1 (of 80 dB)",
    "loudness_l1_db": "loudness L1 (dB)",
    "f0_l1": "f0 L1 (semitones)",
    "f0_l1_sure": "f0 L1 without outliers (semitones)",
    "f0_outliers": "f0 outliers (share)",
    "times_real_time": "times real time, curves to sound",
    "times_real_time_transfer": "times real time, sound to sound",
}
NOTE_LABELS = {
    "attack_ms": "attack, 10 to 90 % (ms)",
    "vibrato_cents": "vibrato, depth (cents)",
    "vibrato_hz": "vibrato, rate (Hz)",
    "transition_cents": "from both notes, where they change (cents)",
    "breath_db": "beside the harmonics, of all power (dB)",
    "dynamics_db": "dynamics, 5th to 95th percentile (dB)",
}
DECIMALS = {"loudness_l1": 4, "f0_l1": 3, "f0_l1_sure": 3, "f0_outliers": 4, "times_real_time": 1,
            "times_real_time_transfer": 1}


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure, None where there is none, with the bounds of its 95 % interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """How an instrument was judged on recordings.

    Attributes:
        model, data: names.
        sample_rate_hz: at which sounds were compared.
        tracker: by which pitch was heard.
        seed: of the noise.
        pairs: recordings and resyntheses.
        material: which recordings there were.
        skipped: what could not be used.
        values: figures by name; see `componium.evaluation.resynthesis`.
        notes: measures of notes, of ``"recordings"`` and ``"resyntheses"``.
        played: what was played from notes.
    """

    model: str
    data: str
    sample_rate_hz: int
    tracker: str
    seed: int
    pairs: tuple[Pair, ...]
    material: Material
    skipped: tuple[Skipped, ...]
    values: Mapping[str, Estimate]
    notes: Mapping[str, Mapping[str, float]]
    played: Played

    COLUMNS: ClassVar[tuple[str, ...]] = ("", "value", "95 %", "floor", "ceiling")
    NOTE_COLUMNS: ClassVar[tuple[str, ...]] = ("", "recordings", "resyntheses")

    @property
    def seconds(self) -> float:
        """Length of all excerpts."""
        return sum(pair.excerpt.seconds for pair in self.pairs)

    @property
    def recordings(self) -> int:
        """How many recordings they are from."""
        return len({pair.excerpt.recording for pair in self.pairs})

    @property
    def protocol(self) -> str:
        """How it was measured, in words."""
        text = PROTOCOL.format(seconds=SECONDS, tracker=self.tracker, lufs=LUFS, rate=self.sample_rate_hz)
        return text.replace("that the model did not learn from", "that the MODEL LEARNED FROM") \
            if self.material.learned_from else text

    def rows(self) -> list[list[str]]:
        """Return the figures as a table: value, interval, floor and ceiling."""
        made = []
        for key, label in LABELS.items():
            each, places = self.values[key], DECIMALS.get(key, 2)
            beside = [self.values.get(f"{key}_{end}", Estimate(None)).value for end in ("floor", "ceiling")]
            interval = "" if each.low is None else f"{_shown(each.low, places)} to {_shown(each.high, places)}"
            made.append([label, _shown(each.value, places), interval,
                         *("" if value is None else _shown(value, places) for value in beside)])
        return made

    def note_rows(self) -> list[list[str]]:
        """Return what the notes of the recordings and of the resyntheses are like."""
        return [[NOTE_LABELS[measure.name], *(_shown(self.notes[side][measure.name], 1) for side in self.notes)]
                for measure in MEASURES]

    def played_rows(self) -> list[list[str]]:
        """Return how notes were played."""
        one = self.played
        return [["from the written pitch, median (cents)", _shown(one.cents, 1)],
                ["of the farthest note (cents)", _shown(one.worst_cents, 1)],
                ["higher velocities that are louder (share)", _shown(one.rising, 2)],
                [f"from velocity {VELOCITIES[0]} to {VELOCITIES[-1]} (dB)", _shown(one.range_db, 1)]]

    def messages(self) -> list[str]:
        """Return what is to be said beside the tables; warnings begin with ``WARNING:``."""
        told, stuff = [], self.material
        if stuff.learned_from:
            told.append("WARNING: the model learned from all of these recordings: the figures tell how well it keeps "
                        "what it knows, not how it plays what it does not know")
        elif stuff.known:
            told.append(f"{len(stuff.known)} of the recordings are left out: the model learned from them")
        if not stuff.recorded:
            told.append("WARNING: the model does not say what it learned from, so recordings that it knows may be "
                        "among these")
        if stuff.held_out and not stuff.learned_from:
            told.append(f"{stuff.held_out} of the stretches were held out of training: the model did not learn from "
                        "them, but its weights may have been chosen by them")
        if self.values["spectral_loss_ceiling"].value is None:
            told.append("a single excerpt: there is no other to be its ceiling, and no interval to speak of")
        if not any(math.isfinite(self.notes["recordings"][each.name]) for each in MEASURES):
            told.append("WARNING: no notes are heard in the recordings: is it one note at a time, and in the range of "
                        "the tracker?")
        return told

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        told: dict[str, Any] = {
            "model": self.model, "data": self.data, "protocol": self.protocol, "seed": self.seed,
            "sample_rate_hz": self.sample_rate_hz, "tracker": self.tracker, "excerpts": len(self.pairs),
            "recordings": self.recordings, "seconds": round(self.seconds, 3),
            "recordings_known": len(self.material.known), "learned_from": self.material.learned_from,
            "stretches_held_out": self.material.held_out, "data_recorded": self.material.recorded}
        for key, each in self.values.items():
            told[key] = each.value
            if each.low is not None:
                told[f"{key}_interval"] = [each.low, each.high]
        told["notes"] = {side: {key: _number(value) for key, value in those.items()}
                         for side, those in self.notes.items()}
        one = self.played
        told["played"] = {"score": TITLE, "cents": _number(one.cents), "worst_cents": _number(one.worst_cents),
                          "velocity_rising": _number(one.rising), "velocity_range_db": _number(one.range_db),
                          "velocities": dict(zip(map(str, VELOCITIES), map(_number, one.velocities), strict=True))}
        told["each"] = [{"name": pair.excerpt.name, "recording": pair.excerpt.recording, "spectral_loss": pair.loss,
                         "start_seconds": pair.excerpt.start_seconds, "seconds": round(pair.excerpt.seconds, 3)}
                        for pair in self.pairs]
        told["skipped"] = [{"name": each.name, "reason": each.reason} for each in self.skipped]
        return told


def from_best_to_worst(pairs: Sequence[Pair], count: int) -> list[tuple[int, Pair]]:
    """Return at most ``count`` pairs, evenly from the lowest loss to the highest, with their rank from 1."""
    ranked = sorted(pairs, key=lambda pair: pair.loss)
    most = min(count, len(ranked))
    places = [round(number * (len(ranked) - 1) / max(most - 1, 1)) for number in range(most)]
    return [(place + 1, ranked[place]) for place in dict.fromkeys(places)]


def _shown(value: float | None, places: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
