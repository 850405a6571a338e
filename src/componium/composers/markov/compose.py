"""How `markov` composes: many pieces grow side by side, voice by voice, under the masks of their plans.

A little over the usual length: the masks read the state of the pieces at every turn and would have to be handed all
of it elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from componium.composers.markov import mixture, table
from componium.composers.markov.chain import Floats, ShortTermMemory
from componium.composers.markov.plan import chord_classes, plan_piece, scale_of
from componium.composers.markov.request import Piece, Rules
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
from componium.composers.markov.views import key_name
from componium.interface import Progress
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid
from componium.music.score import (
    PHRASE_END,
    VOICE_NAMES,
    Score,
    TextMeta,
    concatenate,
    voices,
)

if TYPE_CHECKING:
    from componium.composers.markov.model import Markov

TOGETHER_STEPS = 512 * 128
"""How many steps of all pieces together are kept in memory: 512 pieces of eight bars grow side by side."""
SOFT = 0.05
"""What a note outside of the key is worth with ``key_mask="soft"``."""
STILL = 2
"""How many of its longest notes a voice may stay on one pitch, struck again or not."""
BROKEN_RULE_NATS = 4.0
"""What a particle loses where crossing voices or moving in parallels is all that is left."""
STRETCH = 7
"""By how many semitones a voice may leave its range for a note of a cadence."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def compose(model: Markov, piece: Piece, rules: Rules, *, count: int, seed: int | Sequence[int], factors: Floats,
            progress: Progress) -> list[Score]:
    """Compose ``count`` pieces and return them as scores.

    Args:
        model: a trained model.
        piece, rules: what is asked for.
        count: how many; piece k depends on the seed and k alone.
        seed: not negative; several: one of each piece, which is then the one that its seed alone gives.
        factors: edits of the transition table.
        progress: called with the fraction done.
    """
    if count < 1:
        raise BadInput(f"count={count}: at least one piece has to be asked for")
    sources = [(each, 0) for each in seed] if isinstance(seed, Sequence) else [(seed, n) for n in range(count)]
    if len(sources) != count:
        raise BadInput(f"{len(sources)} seeds were given for count={count}: give one, or one for each piece")
    if min(sources)[0] < 0:
        raise BadInput(f"seed={min(sources)[0]}: a seed is 0 or more")
    scores: list[Score] = []
    together = max(TOGETHER_STEPS // (piece.steps * rules.particles), 1)
    for begin in range(0, count, together):
        rngs = [np.random.default_rng(source) for source in sources[begin:begin + together]]
        loom = Loom(model, piece, rules, rngs, factors)
        for step in range(piece.steps):
            progress((begin + len(rngs) * step / piece.steps) / count, "composing")
            loom.grow()
        scores += loom.scores()
    return scores


class Loom:
    """B rows on their way, ``particles`` rows a piece; `grow` adds a step to each.

    With several particles a piece, those that the masks force away from what the chains would do lose weight, and are
    replaced by copies of the others at every beat: a particle filter (Gordon, Salmond & Smith 1993, "Novel approach to
    nonlinear/non-Gaussian Bayesian state estimation"), which draws from the chains under the condition of the plan.
    """

    def __init__(self, model: Markov, piece: Piece, rules: Rules, rngs: Sequence[np.random.Generator],
                 factors: Floats) -> None:
        self.model, self.piece, self.rules, self.factors, self.rngs = model, piece, rules, factors, rngs
        self.beat_steps = piece.beat_steps(model.config.steps_per_beat)
        self.count, self.voices, memory = len(rngs) * rules.particles, model.voices, model._memory
        weights = model.key_counts / model.key_counts.sum() if model.key_counts.any() else np.full(24, 1 / 24)
        keys = [int(r.choice(24, p=weights)) if piece.key is None else piece.key for r in rngs]
        self.start = len(piece.given) if piece.given is not None else 0
        self.piece_plans = [plan_piece(start=self.start, steps=piece.steps, pickup_steps=piece.pickup_steps,
                                       bar_steps=piece.bar_steps, beat_steps=self.beat_steps, key=key,
                                       ending=piece.ending, phrase_bars=piece.phrase_bars, rng=r)
                            for key, r in zip(keys, rngs, strict=True)]
        self.plans = [plan for plan in self.piece_plans for _ in range(rules.particles)]
        self.keys = np.repeat(np.array(keys), rules.particles)
        self.draws = np.concatenate([r.random((piece.steps, self.voices, rules.particles)) for r in rngs], axis=2)
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
        self.log_weight = np.zeros(self.count)
        self.still = np.zeros((self.count, self.voices), np.int64)  # steps since a voice last changed its pitch

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
        self.still = np.where(self.cells[step] == self.ear.before, self.still + 1, 1)
        self.ear.advance(self.cells[step], self.moved[step])
        if self.rules.particles > 1 and step >= self.start and (step + 1) % self.beat_steps == 0:
            self._select()

    def _select(self) -> None:
        """Replace light particles of each piece by copies of heavy ones, where their weights have grown apart."""
        size = self.rules.particles
        rows = np.arange(self.count)
        for index, rng in enumerate(self.rngs):
            mine = slice(index * size, (index + 1) * size)
            weight = np.exp(self.log_weight[mine] - self.log_weight[mine].max())
            weight /= weight.sum()
            if 1.0 / (weight**2).sum() > size / 2:
                continue
            places = (rng.random() + np.arange(size)) / size
            rows[mine] = index * size + np.minimum(np.searchsorted(np.cumsum(weight), places), size - 1)
            self.log_weight[mine] = 0.0
        if (rows != np.arange(self.count)).any():
            self.ear.reorder(rows)
            self.recent.reorder(rows)
            self.cells, self.moved, self.still = self.cells[:, rows], self.moved[:, rows], self.still[rows]

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
        edits = table.log_factors(self.factors, features, self.names, self.ear.before[:, voice], SYMBOLS)
        allowed, cost = self._allowed(step, voice, anchor)
        favour = cost if edits is None else edits if cost is None else edits + cost
        weights = model.weights[voice * model._depths + depth]
        temperature = max(self.rules.temperature, 0.02)
        if self.rules.particles > 1:
            free = mixture.mix(opinions, weights, np.ones_like(allowed), temperature, edits)
            self.log_weight += np.log(np.maximum((free * allowed).sum(axis=1), mixture.FLOOR))
        chances = mixture.mix(opinions, weights, allowed, temperature, favour)
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
            fits = self._kept(fits & (pitch <= ceiling[:, None]), fits)
        if self.voices > 1 and self.rules.sonorities:
            fits = _first_possible(fits & np.take_along_axis(self._heard(step, voice), pitch % 12, axis=1), fits)
        if voice and step and not self.rules.parallels:
            fits = self._kept(fits & ~self._parallel(step, voice, pitch), fits)
        allowed = self._ways(step, fits, voice, bound)
        if self.rules.key_mask != "soft":
            return allowed, None
        cost = np.zeros(allowed.shape, np.float32)
        cost[:, :REST_SYMBOL] = np.where(in_key, 0.0, np.log(SOFT))
        return allowed, cost

    def _kept(self, wanted: Flags, otherwise: Flags) -> Flags:
        """Return `_first_possible`; particles that have to break the rule lose weight."""
        self.log_weight[~wanted.any(axis=1)] -= BROKEN_RULE_NATS
        return _first_possible(wanted, otherwise)

    def _classes(self, step: int, voice: int) -> tuple[Flags, Flags]:
        """Return [B, 12] pitch classes that the plans allow, and [B] whether they bind this step to a chord."""
        classes = np.ones((self.count, 12), np.bool_)
        bound = np.array([step in plan.chords for plan in self.plans])
        for chord in {plan.chords[step] for plan in self.plans if step in plan.chords}:
            mine = np.array([plan.chords.get(step) == chord for plan in self.plans])
            closes = any(plan.close == step for plan in self.plans)
            classes[mine] = chord_classes(chord, voice, self.voices, self.cells[step, mine, :voice], closes)
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
        others = allowed.copy()
        others[:, [SAME, REPEAT]] = False
        still = (before >= 0) & (self.still[:, voice] >= STILL * self.model.longest[voice])
        moves = still & others[:, :REST_SYMBOL].any(axis=1)
        allowed[moves] = others[moves]
        allowed[hold] = False
        allowed[hold, SAME] = True
        stuck = ~allowed.any(axis=1)
        allowed[stuck, SAME] = True
        return allowed

    def scores(self) -> list[Score]:
        """Return every piece as a score: its heaviest particle."""
        best = self.log_weight.reshape(len(self.rngs), -1).argmax(axis=1)
        return [self._score(index * self.rules.particles + int(row)) for index, row in enumerate(best)]

    def _score(self, index: int) -> Score:
        """Return one row as a score; the prompt's own notes are kept as they were."""
        piece, plan, cells = self.piece, self.plans[index], self.cells[self.start:, index]
        held = ~self.moved[self.start:, index] & (cells != REST)
        names: tuple[str, ...] = VOICE_NAMES if self.voices == len(VOICE_NAMES) else ("Melody",)
        if piece.prompt is not None:
            parts = voices(piece.prompt)
            names = tuple(p.name for p in parts) if len(parts) == self.voices else names
        held_chords = [s for s in plan.fermatas if s >= self.start] if self.voices > 1 else []
        grid = Grid(cells.astype(np.int16), held, self.model.config.steps_per_beat, *piece.meter,
                    key=key_name(int(self.keys[index])),
                    fermatas=tuple(sorted(s - self.start for s in held_chords)))
        written = from_grid(grid, tempo_bpm=piece.tempo_bpm, names=names)
        beat = self.model.config.steps_per_beat
        for end in plan.phrase_ends:
            if end > self.start:
                written.markers.append(TextMeta((end - self.start) / beat, PHRASE_END))
        if piece.prompt is None:
            return written
        return concatenate(piece.prompt, written, (piece.offset_steps + self.start) / beat)


def _first_possible(wanted: Flags, otherwise: Flags) -> Flags:
    """Return the rows of ``wanted`` [B, S], or those of ``otherwise`` where nothing would be left."""
    return np.where(np.any(wanted, axis=1)[:, None], wanted, otherwise)
