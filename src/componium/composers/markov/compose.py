"""How `markov` composes: many pieces grow side by side, voice by voice, under the masks of their plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from componium.composers.markov import mixture, table
from componium.composers.markov.chain import Floats, ShortTermMemory
from componium.composers.markov.plan import ENDINGS, chord_classes, plan_piece, scale_of
from componium.composers.markov.viewpoints import (
    REPEAT,
    REST_SYMBOL,
    SAME,
    SPAN,
    SYMBOLS,
    Listener,
    Metre,
    feature_names,
    hashes_of,
    moved_cells,
    short_term_viewpoint,
    symbols_of,
)
from componium.composers.markov.views import key_name, key_number, whole_key
from componium.interface import Progress
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid
from componium.music.score import (
    PHRASE_END,
    VOICE_NAMES,
    Score,
    TextMeta,
    concatenate,
    tempo_bpm,
    voices,
)

if TYPE_CHECKING:
    from componium.composers.markov.model import Markov

TOGETHER = 512
"""How many pieces grow side by side at most."""
SOFT = 0.05
"""What a note outside of the key is worth with ``key_mask="soft"``."""

STRETCH = 7
"""By how many semitones a voice may leave its range for a note of a cadence."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rules:
    """What holds at every step."""

    temperature: float = 1.0
    key_mask: str = "strict"
    rests: bool = True
    crossing: bool = False
    parallels: bool = False
    sonorities: bool = True

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise BadInput(f"temperature={self.temperature}: the temperature has to be 0 or more")
        if self.key_mask not in ("strict", "soft", "off"):
            raise BadInput(f"key_mask={self.key_mask}: the key mask is strict, soft or off")


@dataclass(frozen=True)
class Piece:
    """What is asked for: length, metre, key, form, and what it begins with."""

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

    @classmethod
    def asked(cls, model: Markov, *, bars: int, meter: str | None, key: str | None, ending: str, phrase_bars: int,
              tempo_bpm: float | None, prompt: Score | None) -> Piece:
        """Check the arguments of `Markov.generate`; raises `BadInput` where they cannot be kept."""
        _check_form(bars, ending, phrase_bars)
        if prompt is not None:
            piece = cls.continued(model, prompt, bars=0, key=key, ending=ending, phrase_bars=phrase_bars)
            assert piece.given is not None
            steps = piece.pickup_steps + bars * piece.bar_steps
            if len(piece.given) > steps:
                raise BadInput(f"the prompt is {len(piece.given) / piece.bar_steps:.1f} bars long and the whole piece "
                               f"is to have {bars}; ask for more bars")
            return cls(**{**vars(piece), "steps": steps})
        numerator, denominator = model.meter if meter is None else _read_meter(meter)
        bar_steps = numerator * 4 * model.config.steps_per_beat // denominator
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
        if bars:
            _check_form(bars, ending, phrase_bars)
        given = model._judged(score)
        bar_steps = max(given.numerator * 4 * given.steps_per_beat // given.denominator, 1)
        full = -(-max(len(given) - given.pickup_steps, 0) // bar_steps)
        number = whole_key(given) if key is None else key_number(key)
        return cls(given.pickup_steps + (full + bars) * bar_steps, bar_steps, given.pickup_steps,
                   (given.numerator, given.denominator), number, ending, phrase_bars, tempo_bpm(score), score, given)


def _check_form(bars: int, ending: str, phrase_bars: int) -> None:
    if not 1 <= bars <= 1000:
        raise BadInput(f"bars={bars}: between 1 and 1000 bars can be composed")
    if ending not in ENDINGS:
        raise BadInput(f"ending={ending}: the ending is one of {', '.join(ENDINGS)}")
    if phrase_bars < 0:
        raise BadInput(f"phrase_bars={phrase_bars}: a phrase has one bar or more (0 = one long phrase)")


def _read_meter(meter: str) -> tuple[int, int]:
    parts = meter.split("/")
    if len(parts) != 2 or not all(p.isdigit() for p in parts) or int(parts[1]) not in (1, 2, 4, 8, 16) \
            or not 1 <= int(parts[0]) <= 32:
        raise BadInput(f"meter={meter}: a meter is written like 4/4, 3/4 or 6/8")
    return int(parts[0]), int(parts[1])


def compose(model: Markov, piece: Piece, rules: Rules, *, count: int, seed: int, factors: Floats,
            progress: Progress) -> list[Score]:
    """Compose ``count`` pieces and return them as scores.

    Args:
        model: a trained model.
        piece, rules: what is asked for.
        count: how many; piece k depends on the seed and k alone.
        seed: not negative.
        factors: edits of the transition table.
        progress: called with the fraction done.
    """
    if count < 1:
        raise BadInput(f"count={count}: at least one piece has to be asked for")
    if seed < 0:
        raise BadInput(f"seed={seed}: a seed is 0 or more")
    scores: list[Score] = []
    for begin in range(0, count, TOGETHER):
        numbers = range(begin, min(begin + TOGETHER, count))
        loom = Loom(model, piece, rules, [np.random.default_rng([seed, n]) for n in numbers], factors)
        for step in range(piece.steps):
            progress((begin + len(numbers) * step / piece.steps) / count, "composing")
            loom.grow()
        scores += [loom.score(index) for index in range(len(numbers))]
    return scores


class Loom:
    """B pieces on their way; `grow` adds a step to each."""

    def __init__(self, model: Markov, piece: Piece, rules: Rules, rngs: Sequence[np.random.Generator],
                 factors: Floats) -> None:
        self.model, self.piece, self.rules, self.factors = model, piece, rules, factors
        self.count, self.voices, memory = len(rngs), model.voices, model._memory
        weights = model.key_counts / model.key_counts.sum() if model.key_counts.any() else np.full(24, 1 / 24)
        self.keys = np.array([r.choice(24, p=weights) if piece.key is None else piece.key for r in rngs])
        start = len(piece.given) if piece.given is not None else 0
        self.plans = [plan_piece(start=start, steps=piece.steps, pickup_steps=piece.pickup_steps,
                                 bar_steps=piece.bar_steps, beat_steps=_beat_steps(piece, model.config.steps_per_beat),
                                 key=int(key), ending=piece.ending, phrase_bars=piece.phrase_bars, rng=r)
                      for key, r in zip(self.keys, rngs, strict=True)]
        self.draws = np.stack([r.random((piece.steps, self.voices)) for r in rngs], axis=2)
        metre = Metre(model.config.steps_per_beat, np.full(self.count, piece.bar_steps),
                      np.full(self.count, piece.pickup_steps))
        self.ear = Listener(self.count, self.voices, memory, metre, self.keys)
        self.names, self.views = feature_names(memory), model._viewpoints
        self.recent_view = short_term_viewpoint(self.voices)
        self.recent = ShortTermMemory(self.count, piece.steps, self.voices, len(self.recent_view), SYMBOLS,
                                      model.config.caution)
        self.in_key = np.array([np.isin(np.arange(12), scale_of(key)) for key in range(24)])[self.keys]
        self.cells = np.full((piece.steps, self.count, self.voices), REST, np.int64)
        self.moved = np.zeros((piece.steps, self.count, self.voices), np.bool_)
        self.start = start

    def grow(self) -> None:
        """Add one step to every piece: from the prompt while there is one, then drawn."""
        step = self.ear.step
        for voice in range(self.voices):
            anchor = self.ear.anchor(self.cells[step], voice)
            features = self.ear.features(self.cells[step], self.moved[step], voice, anchor)
            recent = hashes_of(self.recent_view, features, self.names)
            before = self.ear.before[:, voice]
            if step < self.start:
                symbols = self._told(step, voice, anchor)
            else:
                symbols = self._draw(step, voice, anchor, features, recent)
                self._write(step, voice, symbols, anchor, before)
            self.recent.remember(voice, recent, symbols)
        self.ear.advance(self.cells[step], self.moved[step])

    def _told(self, step: int, voice: int, anchor: Ints) -> Ints:
        given = self.piece.given
        assert given is not None
        self.cells[step, :, voice] = given.pitches[step, voice]
        self.moved[step, :, voice] = moved_cells(given)[step, voice]
        return symbols_of(self.cells[step, :, voice], self.ear.before[:, voice], self.moved[step, :, voice], anchor)

    def _write(self, step: int, voice: int, symbols: Ints, anchor: Ints, before: Ints) -> None:
        pitch = np.where(symbols == REPEAT, before, anchor + symbols - SPAN)
        cell = np.where(symbols == REST_SYMBOL, REST, pitch)
        self.cells[step, :, voice] = cell
        self.moved[step, :, voice] = (cell != before) | (symbols == REPEAT)
        if not self.model.ties:
            self.moved[step, :, voice] |= (cell >= 0) & self._struck(step)

    def _draw(self, step: int, voice: int, anchor: Ints, features: Ints,
              recent: Sequence[npt.NDArray[np.uint64]]) -> Ints:
        model = self.model
        opinions = np.empty((self.count, len(self.views) + 1, SYMBOLS), np.float32)
        for index, (name, view) in enumerate(self.views.items()):
            opinions[:, index] = model.chains[name].probabilities(hashes_of(view, features, self.names))
        if model.config.short_term:
            opinions[:, -1], depth = self.recent.probabilities(voice, recent)
        else:
            opinions[:, -1], depth = 1.0 / SYMBOLS, np.zeros(self.count, np.int64)
        np.log(np.maximum(opinions, mixture.FLOOR, out=opinions), out=opinions)
        favour = table.log_factors(self.factors, features, self.names, self.ear.before[:, voice], SYMBOLS)
        allowed, cost = self._allowed(step, voice, anchor)
        favour = cost if favour is None else favour if cost is None else favour + cost
        weights = model.weights[voice * model._depths + depth]
        chances = mixture.mix(opinions, weights, allowed, max(self.rules.temperature, 0.02), favour)
        running = np.cumsum(chances, axis=1)
        return np.asarray(np.argmax(running > (self.draws[step, voice] * running[:, -1])[:, None], axis=1))

    def _struck(self, step: int) -> Flags:
        """Return [B] where every voice begins anew: after a prompt and after a phrase."""
        return np.array([step in plan.strike for plan in self.plans]) | (step == self.start)

    def _allowed(self, step: int, voice: int, anchor: Ints) -> tuple[Flags, Floats | None]:
        """Return which symbols the plan and the rules leave [B, S], and a cost for soft ones."""
        pitch = anchor[:, None] + np.arange(-SPAN, SPAN + 1)
        low, high = self.model.ranges[voice]
        reach = (pitch >= low) & (pitch <= high)
        classes, bound = self._classes(step, voice)
        in_key = np.take_along_axis(self.in_key, pitch % 12, axis=1)
        fits = _first_possible(reach & in_key, in_key) if self.rules.key_mask == "strict" else reach
        chord = np.take_along_axis(classes, pitch % 12, axis=1)
        near = chord & (pitch >= low - STRETCH) & (pitch <= high + STRETCH)
        fits = _first_possible(fits & chord, _first_possible(near & bound[:, None], fits))
        if voice and not self.rules.crossing:
            above = self.cells[step, :, :voice]
            ceiling = np.where(above >= 0, above, 127).min(axis=1)
            fits = _first_possible(fits & (pitch <= ceiling[:, None]), fits)
        if self.voices > 1 and self.rules.sonorities:
            fits = _first_possible(fits & np.take_along_axis(self._heard(step, voice), pitch % 12, axis=1), fits)
        if voice and step and not self.rules.parallels:
            fits = _first_possible(fits & ~self._parallel(step, voice, pitch), fits)
        allowed = self._ways(step, fits, voice, bound)
        if self.rules.key_mask != "soft":
            return allowed, None
        cost = np.zeros(allowed.shape, np.float32)
        cost[:, :REST_SYMBOL] = np.where(in_key, 0.0, np.log(SOFT))
        return allowed, cost

    def _classes(self, step: int, voice: int) -> tuple[Flags, Flags]:
        """Return [B, 12] pitch classes that the plans allow, and [B] whether they bind this step to a chord."""
        classes = np.ones((self.count, 12), np.bool_)
        bound = np.array([step in plan.chords for plan in self.plans])
        for chord in {plan.chords[step] for plan in self.plans if step in plan.chords}:
            mine = np.array([plan.chords.get(step) == chord for plan in self.plans])
            classes[mine] = chord_classes(chord, voice, self.voices, self.cells[step, mine, :voice])
        return classes, bound

    def _heard(self, step: int, voice: int) -> Flags:
        """Return [B, 12] pitch classes that make a chord with the voices above which the corpus holds."""
        above = self.cells[step, :, :voice]
        sounding = np.where(above >= 0, 1 << ((above - self.keys[:, None]) % 12), 0)
        chord = np.bitwise_or.reduce(sounding, axis=1) if voice else np.zeros(self.count, np.int64)
        degrees = (np.arange(12) - self.keys[:, None]) % 12
        on_beat = int((step - self.piece.pickup_steps) % self.model.config.steps_per_beat == 0)
        seen = self.model.sonorities[(self.keys // 12)[:, None], on_beat, voice, chord[:, None] | (1 << degrees)]
        return np.asarray(seen)

    def _parallel(self, step: int, voice: int, pitch: Ints) -> Flags:
        """Return [B, 49] pitches that would move in parallel fifths or octaves with a voice above."""
        before = self.ear.before[:, voice]
        result = np.zeros(pitch.shape, np.bool_)
        for other in range(voice):
            now, then = self.cells[step, :, other], self.ear.before[:, other]
            interval = (then - before) % 12
            moves = ((interval == 0) | (interval == 7)) & (now >= 0) & (then >= 0) & (before >= 0) & (now != then)
            result |= moves[:, None] & ((now[:, None] - pitch) % 12 == interval[:, None]) & (pitch != before[:, None])
        return result

    def _ways(self, step: int, fits: Flags, voice: int, bound: Flags) -> Flags:
        """Return [B, S]: the pitches that fit, with holding, repeating and resting where they are possible."""
        before = self.ear.before[:, voice]
        hold = np.array([step in plan.hold for plan in self.plans]) & (before >= 0)
        struck = self._struck(step) & (before >= 0)
        allowed = np.zeros((self.count, SYMBOLS), np.bool_)
        allowed[:, :REST_SYMBOL] = fits
        allowed[:, REPEAT] = fits[:, SAME] & (before >= 0) & self.model.ties
        allowed[:, REST_SYMBOL] = self.rules.rests & ~bound
        if self.model.ties:
            allowed[struck, SAME] = False
        over = (before >= 0) & (self.ear.length[:, voice] >= self.model.longest[voice])
        others = allowed.copy()
        others[over, SAME] = False
        allowed = _first_possible(others, allowed)
        allowed[hold] = False
        allowed[hold, SAME] = True
        stuck = ~allowed.any(axis=1)
        allowed[stuck, SAME] = True
        return allowed

    def score(self, index: int) -> Score:
        """Return one piece as a score; the prompt's own notes are kept as they were."""
        piece, plan, cells = self.piece, self.plans[index], self.cells[self.start:, index]
        held = ~self.moved[self.start:, index] & (cells != REST)
        names: tuple[str, ...] = VOICE_NAMES if self.voices == len(VOICE_NAMES) else ("Melody",)
        if piece.prompt is not None:
            parts = voices(piece.prompt)
            names = tuple(p.name for p in parts) if len(parts) == self.voices else names
        if not len(cells):
            assert piece.prompt is not None
            return Score(piece.prompt)
        grid = Grid(cells.astype(np.int16), held, self.model.config.steps_per_beat, *piece.meter,
                    key=key_name(int(self.keys[index])),
                    fermatas=tuple(sorted(s - self.start for s in plan.fermatas if s >= self.start)))
        written = from_grid(grid, tempo_bpm=piece.tempo_bpm, names=names)
        beat = self.model.config.steps_per_beat
        for end in plan.phrase_ends:
            if end > self.start:
                written.markers.append(TextMeta((end - self.start) / beat, PHRASE_END))
        if piece.prompt is None:
            return written
        return concatenate(piece.prompt, written, self.start / beat)


def _first_possible(wanted: Flags, otherwise: Flags) -> Flags:
    """Return the rows of ``wanted`` [B, S], or those of ``otherwise`` where nothing would be left."""
    return np.where(np.any(wanted, axis=1)[:, None], wanted, otherwise)


def _beat_steps(piece: Piece, steps_per_beat: int) -> int:
    """Return the steps of a felt beat: a dotted quarter in 6/8, 9/8 and 12/8, else one unit of the meter."""
    numerator, denominator = piece.meter
    unit = max(4 * steps_per_beat // denominator, 1)
    return unit * 3 if denominator >= 8 and numerator % 3 == 0 and numerator > 3 else unit
