"""What the demo was asked for, what it knows, what it makes, and who plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETWORK = "chorale-rnn"
CHAIN = "markov"
PARTNER = "melody-rnn"
SOLOIST = "alto-sax"
SOLOIST_SAMPLED = "soundfont:alto sax"
"""Who plays the solo: the instrument that learned from recordings, and its namesake of the SoundFont."""
TURNERS = ("violin", "alto-sax")
"""Into the first of these that is shipped is the sung phrase turned."""
CHORALE, TUNE, DUET, OTHER = "chorale", "folk-tune", "call-and-reply", "markov"
"""Stems of the files of the four pieces."""
FILES = ("chorale.mid", "chorale.musicxml", "chorale.wav", "chorale.png", "tune.abc", "tune-rules.txt", "folk-tune.mid",
         "folk-tune.musicxml", "folk-tune.wav", "call.abc", "call.mid", "reply.mid", "call-and-reply.mid",
         "call-and-reply.musicxml", "call-and-reply.wav", "markov.mid", "markov.wav", "solo.wav", "solo-soundfont.wav",
         "sung.wav", "transfer.wav", "index.html")
SOLO_FILES, TURNED_FILES = ("solo.wav", "solo-soundfont.wav"), ("sung.wav", "transfer.wav")
"""Those of `FILES` that need an instrument which learned from recordings."""
MODEL = "model"
"""The folder of the Markov chain that was learned on the spot."""
INSTRUMENTS = ("oboe", "clarinet", "french horn", "bassoon")
"""Who plays soprano (and a call), alto (and a reply), tenor and bass: names of General MIDI."""
PLACES = (-0.45, 0.2, -0.15, 0.45)
"""Where they sit, from -1 (left) to 1 (right)."""
TEMPO_BPM = 76.0
LUFS = -16.0
BARS_A_PHRASE = 2
CANDIDATES = 16
"""So many versions of a piece does the network compose side by side; it keeps the one that it finds likeliest."""
MEASURED_BARS = 128
"""Each model composes about so many bars to be measured; the piece that is shown is the first of its pieces."""
MOST_MEASURED = 16


@dataclass(frozen=True)
class Asked:
    """What the user asked for."""

    key: str
    bars: int
    seed: int
    out: Path

    @property
    def measured(self) -> int:
        """How many pieces each model composes."""
        return max(1, min(MOST_MEASURED, MEASURED_BARS // self.bars))


@dataclass
class Lesson:
    """The corpus in parts, the models, and how they did on ``held_out``, from which none of them learned.

    Network and partner (who answers) come shipped; the chain comes with `work.learn`, the figures with `work.judge`.
    """

    corpus: Any
    train: Any
    held_out: Any
    network: Any = None
    partner: Any = None
    chain: Any = None
    reports: Mapping[str, Any] = field(default_factory=dict)
    first_order_nats: float = float("nan")


@dataclass(frozen=True)
class Performance:
    """A piece as it is written, and its sound."""

    score: Any
    audio: Any


@dataclass(frozen=True)
class Works:
    """What was composed.

    Attributes:
        pieces: stem of the file -> the piece with its sound.
        composed: model -> the chorales that it composed, the one that is shown first.
        music: "Bach" or model -> `evaluation.harmonising_report.Music`, the measures of its pieces.
        duet: `duet.Duet`, the call and its reply.
        solo: the folk tune by an instrument that learned from recordings; none where it is not shipped.
        turned: a sung phrase with the timbre of such an instrument; none where none is shipped.
    """

    pieces: Mapping[str, Performance]
    composed: Mapping[str, Sequence[Any]]
    music: Mapping[str, Any]
    duet: Any
    solo: Solo | None = None
    turned: Turned | None = None

    @property
    def files(self) -> list[str]:
        """Those of `FILES` that are made."""
        left_out = (*(() if self.solo else SOLO_FILES), *(() if self.turned else TURNED_FILES))
        return [name for name in FILES if name not in left_out]


@dataclass(frozen=True)
class Solo:
    """The same notes twice, equally loud.

    Attributes:
        name: of the instrument that learned from recordings.
        model: the instrument.
        played: the notes, and their sound by the instrument.
        sampled: their sound by the SoundFont.
        seconds: how long the instrument took.
        off_cents: how far the pitch that is heard is from the notes, the median over them: learned, sampled.
    """

    name: str
    model: Any
    played: Performance
    sampled: Any
    seconds: float
    off_cents: tuple[float, float]


@dataclass(frozen=True)
class Turned:
    """A sound, and the same with the timbre of an instrument.

    Attributes:
        name: of the instrument.
        model: the instrument.
        sung: the sound.
        made: the same by the instrument, as loud as the sound.
        gain_db: by which it was made so loud.
        seconds: how long the instrument took.
        curves: what is heard of both, of one length: note number of each frame, and whether there is a pitch.
    """

    name: str
    model: Any
    sung: Any
    made: Any
    gain_db: float
    seconds: float
    curves: Sequence[tuple[Any, Any]]
