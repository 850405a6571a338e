"""What is asked of `markov`: rules for every step, and the form of a piece, checked before anything is composed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from componium.composers.markov.plan import ENDINGS
from componium.composers.markov.views import key_number, whole_key
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.score import Score, tempo_bpm

if TYPE_CHECKING:
    from componium.composers.markov.model import Markov


HEARD_STEPS = 2048
"""How much of a long prompt is listened to: its last 128 bars of 4/4 in 16ths, or a little more."""


@dataclass(frozen=True)
class Rules:
    """What holds at every step."""

    temperature: float = 1.0
    key_mask: str = "strict"
    rests: bool = True
    crossing: bool = False
    parallels: bool = False
    sonorities: bool = True
    particles: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.particles <= 256:
            raise BadInput(f"particles={self.particles}: between 1 and 256 particles can be asked for")
        if not self.temperature >= 0:
            raise BadInput(f"temperature={self.temperature}: the temperature has to be 0 or more")
        if self.key_mask not in ("strict", "soft", "off"):
            raise BadInput(f"key_mask={self.key_mask}: the key mask is strict, soft or off")


@dataclass(frozen=True)
class Piece:
    """What is asked for: length, metre, key, form, and what it begins with.

    Attributes:
        steps: length, without what lies before ``offset_steps``.
        bar_steps, pickup_steps, meter: where the steps fall.
        key: 0..11 major, 12..23 minor; None leaves it to the seed.
        ending, phrase_bars, tempo_bpm: see `Markov.generate`.
        prompt: the music to begin with, as it came.
        given: the last part of the prompt on a grid, which is listened to.
        offset_steps: where ``given`` begins in the prompt.
    """

    steps: int
    bar_steps: int
    pickup_steps: int
    meter: tuple[int, int]
    key: int | None
    ending: str
    phrase_bars: int
    tempo_bpm: float
    prompt: Score | None
    given: Grid | None
    offset_steps: int = 0

    def beat_steps(self, steps_per_beat: int) -> int:
        """Return the steps of a felt beat: a dotted quarter in 6/8, 9/8 and 12/8, else one unit of the meter."""
        numerator, denominator = self.meter
        unit = max(4 * steps_per_beat // denominator, 1)
        return unit * 3 if denominator >= 8 and numerator % 3 == 0 and numerator > 3 else unit

    @classmethod
    def asked(cls, model: Markov, *, bars: int, meter: str | None, key: str | None, ending: str, phrase_bars: int,
              tempo_bpm: float | None, prompt: Score | None) -> Piece:
        """Check the arguments of `Markov.generate`; raises `BadInput` where they cannot be kept."""
        _check_form(bars, ending, phrase_bars)
        if prompt is not None:
            if meter is not None or tempo_bpm is not None:
                raise BadInput("a prompt has its meter and its tempo already: leave out meter and tempo_bpm")
            piece = cls._after(model, prompt, bars=0, key=key, ending=ending, phrase_bars=phrase_bars)
            assert piece.given is not None
            pickup = (piece.offset_steps + piece.pickup_steps) % piece.bar_steps
            steps = pickup + bars * piece.bar_steps - piece.offset_steps
            if len(piece.given) >= steps:
                long = (len(piece.given) + piece.offset_steps) / piece.bar_steps
                raise BadInput(f"the prompt is {long:.1f} bars long and the whole piece is to have {bars} bars; ask "
                               "for more bars")
            return cls(**{**vars(piece), "steps": steps})
        numerator, denominator = model.meter if meter is None else _read_meter(meter)
        bar_steps = _bar_steps(numerator, denominator, model.config.steps_per_beat)
        if tempo_bpm is not None and not 5 <= tempo_bpm <= 500:
            raise BadInput(f"tempo_bpm={tempo_bpm}: the tempo has to be between 5 and 500 quarter notes a minute")
        tempo = tempo_bpm or (80.0 if model.voices > 1 else 100.0)
        number = None if key is None else key_number(key)
        return cls(bars * bar_steps, bar_steps, 0, (numerator, denominator), number, ending, phrase_bars, tempo,
                   None, None)

    @classmethod
    def continued(cls, model: Markov, score: Score, *, bars: int, key: str | None, ending: str,
                  phrase_bars: int) -> Piece:
        """Check the arguments of `Markov.continue_`: the score, its bar filled up, and then ``bars`` more."""
        _check_form(bars, ending, phrase_bars)
        return cls._after(model, score, bars=bars, key=key, ending=ending, phrase_bars=phrase_bars)

    @classmethod
    def _after(cls, model: Markov, score: Score, *, bars: int, key: str | None, ending: str,
               phrase_bars: int) -> Piece:
        given = model._judged(score)
        bar_steps = _bar_steps(given.numerator, given.denominator, given.steps_per_beat)
        number = whole_key(given) if key is None else key_number(key)
        cut = 0
        if len(given) > HEARD_STEPS:
            cut = (len(given) - HEARD_STEPS - given.pickup_steps) // bar_steps * bar_steps + given.pickup_steps
            held = given.held[cut:].copy()
            held[0] = False
            given = replace(given, pitches=given.pitches[cut:], held=held, pickup_steps=0, fermatas=())
        pickup = given.pickup_steps
        steps = pickup + (-(-max(len(given) - pickup, 0) // bar_steps) + bars) * bar_steps
        return cls(steps, bar_steps, pickup, (given.numerator, given.denominator), number, ending, phrase_bars,
                   tempo_bpm(score), score, given, cut)


def _bar_steps(numerator: int, denominator: int, steps_per_beat: int) -> int:
    steps, left = divmod(numerator * 4 * steps_per_beat, denominator)
    if left or not steps:
        raise BadInput(f"a bar of {numerator}/{denominator} does not fit a grid of {steps_per_beat} steps a "
                       "quarter note; choose another meter, or train with more steps_per_beat")
    return steps


def _check_form(bars: int, ending: str, phrase_bars: int) -> None:
    if not 1 <= bars <= 1000:
        raise BadInput(f"bars={bars}: between 1 and 1000 bars can be composed")
    if ending not in ENDINGS:
        raise BadInput(f"ending={ending}: the ending is one of {', '.join(ENDINGS)}")
    if phrase_bars < 0:
        raise BadInput(f"phrase_bars={phrase_bars}: a phrase has one bar or more (0 = one long phrase)")


def _read_meter(meter: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,2})/(1|2|4|8|16)", meter)
    if found is None or not 1 <= int(found[1]) <= 32:
        raise BadInput(f"meter={meter}: a meter is written like 4/4, 3/4 or 6/8")
    return int(found[1]), int(found[2])
