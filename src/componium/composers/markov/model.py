"""Markov chain: composes what usually comes next, from counts of what came next.

Idea: Count which symbol followed which context in a corpus, and compose by drawing from those counts. Here several
chains look at the same moment from different viewpoints (neighbouring voice, tonality, melody, chord; for a melody
alone: melody, tonality, rhythm), and a short-term chain remembers the piece so far, so that motifs come back.

Paper: Conklin & Witten 1995, "Multiple viewpoint systems for music prediction"; smoothing by Witten & Bell 1991,
method C, interpolated; combination after Pearce, Conklin & Wiggins 2004, with learned weights. The musical tradition
runs from Hiller & Isaacson's "Illiac Suite" (1957) to the chains taught in every course.

Learns from: melodies or four-voice chorales, on a grid of 16ths unless told otherwise. A dozen melodies give a
flavour, two hundred chorales a style. Cells are told relative to the voice's last pitch, so that one piece teaches all
transpositions; the key is heard from the piece so far.

Good and bad at: local idiom, voice leading, cadences and typical rhythm are convincing; quotes long runs when the
corpus is small or the temperature low. It plans nothing: form comes from phrases of fixed length with a cadence at
the end of each, and from the short-term chain.

Trains and generates: fit counts every context once, then fits the weights of the viewpoints on pieces set aside
(one in seven), then counts those too. Composing draws voice by voice, high to low, step by step, under masks of
range, key, crossing and cadence; many pieces are drawn side by side.

Size and speed: 229 chorales (220,912 cells) are learned in about 3 s on one core and make a checkpoint of about 7 MB;
some 200 eight-bar chorales a second are composed when asked for hundreds at once, one alone takes half a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from componium.composers.markov import mixture, table
from componium.composers.markov.chain import (
    BackoffChain,
    Floats,
    mix_hash,
    pack_levels,
    short_term,
    unpack_levels,
)
from componium.composers.markov.compose import compose
from componium.composers.markov.request import Piece, Rules
from componium.composers.markov.viewpoints import (
    REPEAT,
    REST_SYMBOL,
    SAME,
    SPAN,
    SYMBOLS,
    Tokens,
    Viewpoint,
    chorale_viewpoints,
    feature_names,
    hashes_of,
    listen,
    melody_viewpoints,
    short_term_viewpoint,
)
from componium.composers.markov.views import grids_of, longest_notes, prompt_grid, sonorities_of, whole_key
from componium.interface import Progress, TokenLikelihood, setting, silent
from componium.music.errors import BadInput
from componium.music.grid import Grid
from componium.music.item import Item
from componium.music.score import Score

EVEN = 1e-4
"""Share of probability that is spread evenly over all pitches and the rest, so that nothing is impossible."""
CHUNK_TOKENS = 40_000
"""How many cells are judged at a time."""
MOST_ASIDE_TOKENS = 60_000
"""The weights need no more cells than this to be learned from."""


@dataclass(frozen=True)
class MarkovConfig:
    """Settings of `Markov`."""

    order: int = setting(3, "how many past notes the melodic contexts look back, 0 to 8")
    texture: str = setting("auto", "what to learn: one line or four voices", ("auto", "melody", "chorale"))
    steps_per_beat: int = setting(4, "grid steps a quarter note (4 = 16ths, 12 allows triplets)")
    short_term: bool = setting(True, "also learn from the piece so far, so that motifs return")
    caution: float = setting(2.0, "how strongly rare contexts defer to shorter ones (1 = Witten and Bell's)")


class Markov:
    """Variable-order, multiple-viewpoint Markov chain over melodies and four-voice chorales."""

    name: ClassVar[str] = "markov"
    Config: ClassVar[type] = MarkovConfig
    needs_training: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False

    def __init__(self, config: MarkovConfig | None = None) -> None:
        self.config = config or MarkovConfig()
        if not 0 <= self.config.order <= 8:
            raise BadInput(f"order={self.config.order}: the order has to be between 0 and 8")
        if self.config.texture not in ("auto", "melody", "chorale"):
            raise BadInput(f"texture={self.config.texture}: the texture is auto, melody or chorale")
        if not 1 <= self.config.steps_per_beat <= 48 or not 0 < self.config.caution < np.inf:
            raise BadInput("steps_per_beat has to be between 1 and 48, and caution above 0")
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        self.passed_over: list[tuple[Item, str]] = []
        self.chains: dict[str, BackoffChain] = {}
        self.voices = 0

    # learning

    def fit(self, items: Iterable[Item], *, progress: Progress = silent) -> None:
        """Learn from scores; raises `BadInput` if none of them can be used.

        Args:
            items: scores; those of another texture are named in ``passed_over``, with the reason.
            progress: called with the fraction done.
        """
        learned = Markov(self.config)
        learned._learn(list(items), progress)
        vars(self).update(vars(learned))

    def _learn(self, items: Sequence[Item], progress: Progress) -> None:
        progress(0.0, "reading")
        grids, self.passed_over = grids_of(items, self.config.texture, self.config.steps_per_beat)
        self._measure(grids)
        tokens = listen(grids, self._memory)
        progress(0.15, "listening")
        self._learn_weights(grids, tokens, progress)
        self.chains = self._count(tokens, grids)
        self.table = table.count_transitions(tokens, np.array([whole_key(g) for g in grids]), self.voices)
        self.factors = np.ones_like(self.table, np.float32)
        progress(1.0, "done")

    def _measure(self, grids: Sequence[Grid]) -> None:
        """Note what the masks need to know: voices, ranges, keys, meters, whether repeats are told from holds."""
        self.voices = grids[0].voice_count
        cells = np.concatenate([g.pitches for g in grids]).astype(np.int64)
        sounding = np.where(cells < 0, 999, cells)
        low, high = sounding.min(axis=0), cells.max(axis=0)
        self.ranges = np.stack([np.where(high < 0, 60, low), np.where(high < 0, 72, high)], axis=1)
        wide = (36, 81) if self.voices > 1 else (36, 96)
        self.lowest, self.highest = int(min(wide[0], *low)), int(max(wide[1], *high))
        self.ties = any(g.ties_known for g in grids)
        self.sonorities = sonorities_of(grids)
        self.longest = longest_notes(grids)
        self.key_counts = np.bincount([whole_key(g) for g in grids], minlength=25)[:24]
        meters = [(g.numerator, g.denominator) for g in grids]
        self.meter = max(set(meters), key=meters.count)
        self.weights = mixture.default_weights(self.voices, len(self._viewpoints) + 1, self._depths)

    def _learn_weights(self, grids: Sequence[Grid], tokens: Tokens, progress: Progress) -> None:
        """Set every seventh piece aside (fewer of a large corpus), count the others, fit the weights on those aside."""
        every = max(7, min(tokens.piece.size // MOST_ASIDE_TOKENS, len(grids) // 4))
        aside = np.arange(len(grids)) % every == 3
        held = np.flatnonzero(aside[tokens.piece])
        if aside.sum() < 2 or len(held) < 400:
            return
        rest = [g for g, out in zip(grids, aside, strict=True) if not out]
        self.chains = self._count(_rows(tokens, ~aside[tokens.piece]), rest)
        progress(0.5, "weighing the viewpoints")
        told = _rows(tokens, aside[tokens.piece])
        opinions, depth = self._opinions(told)
        group, allowed = told.voice * self._depths + depth, self._allowed(told)
        self.weights = mixture.learn_weights(opinions, told.symbols, allowed, group, self.weights)
        mixed = mixture.mix(opinions, self.weights[group], allowed)[np.arange(len(held)), told.symbols]
        self.figures["nats per cell on pieces set aside for the weights"] = round(float(-np.log(mixed).mean()), 4)
        progress(0.8, "counting")

    def _count(self, tokens: Tokens, grids: Sequence[Grid]) -> dict[str, BackoffChain]:
        """Count all viewpoints; openings are counted a second time with their key given."""
        keys = np.array([whole_key(g) for g in grids])
        opening = listen(grids, self._memory, keys=keys, steps=1)
        features = np.concatenate([tokens.features, opening.features])
        symbols = np.concatenate([tokens.symbols, opening.symbols])
        return {name: BackoffChain.count(hashes_of(view, features, self._names), symbols, SYMBOLS, self.config.caution)
                for name, view in self._viewpoints.items()}

    @property
    def _memory(self) -> int:
        return max(self.config.order, 2)

    @property
    def _names(self) -> tuple[str, ...]:
        return feature_names(self._memory)

    @property
    def _viewpoints(self) -> dict[str, Viewpoint]:
        order = self.config.order
        return melody_viewpoints(order) if self.voices == 1 else chorale_viewpoints(order)

    @property
    def _depths(self) -> int:
        return len(short_term_viewpoint(self.voices)) + 1

    # state

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Return all that was learned; an untrained model has an empty state."""
        if not self.voices:
            return {}, {}
        levels = [level for chain in self.chains.values() for level in chain.levels]
        arrays = pack_levels(levels) | {
            "weights": self.weights, "ranges": self.ranges, "key_counts": self.key_counts,
            "longest": self.longest,
            "table": self.table, "factors": self.factors,
            "sonorities": np.packbits(self.sonorities),
        }
        return arrays, {"voices": self.voices, "lowest": self.lowest, "highest": self.highest, "ties": self.ties,
                        "meter": list(self.meter), "levels": [len(level.contexts) for level in levels]}

    def load_state(self, arrays: Mapping[str, npt.NDArray[Any]], json: Mapping[str, Any]) -> None:
        """Take back what `state` returned; raises `BadInput` where it does not fit these settings."""
        if not json:
            return
        self.voices, self.ties = int(json["voices"]), bool(json["ties"])
        self.lowest, self.highest = int(json["lowest"]), int(json["highest"])
        self.meter = (int(json["meter"][0]), int(json["meter"][1]))
        self.weights, self.ranges, self.key_counts = arrays["weights"], arrays["ranges"], arrays["key_counts"]
        self.table, self.factors, self.longest = arrays["table"], arrays["factors"], arrays["longest"]
        bits = np.unpackbits(arrays["sonorities"]).astype(np.bool_)
        self.sonorities = bits[:2 * 2 * self.voices * 4096].reshape(2, 2, self.voices, 4096)
        sizes, views = list(json["levels"]), self._viewpoints
        if len(sizes) != sum(len(view) for view in views.values()) or sum(sizes) != len(arrays["contexts"]):
            raise BadInput("its counts do not belong to these viewpoints")
        if self.weights.shape != (self.voices * self._depths, len(views) + 1):
            raise BadInput("its weights do not belong to these viewpoints")
        levels = unpack_levels(arrays, sizes)
        for name, view in views.items():
            self.chains[name] = BackoffChain([next(levels) for _ in view], SYMBOLS, self.config.caution)

    # abilities

    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, prompt: Score | None = None,
                 key: str | None = None, ending: str = "authentic", phrase_bars: int = 4, meter: str | None = None,
                 tempo_bpm: float | None = None, key_mask: str = "strict", rests: bool = True,
                 crossing: bool = False, parallels: bool = False, sonorities: bool = True,
                 particles: int = 8, table: str | None = None, progress: Progress = silent) -> Score:
        """Compose a piece.

        Args:
            bars: length of the whole piece in bars, the prompt included.
            seed: same seed, same piece.
            temperature: 1 as learned, lower more usual, higher more surprising.
            prompt: music to begin with; kept to the note.
            key: such as "G minor"; drawn from the corpus if none.
            ending: how the last phrase closes: authentic, half, plagal or open.
            phrase_bars: bars a phrase, each closed by a cadence; 0 for one long phrase.
            meter: such as "3/4"; the corpus's most common if none.
            tempo_bpm: quarter notes a minute.
            key_mask: strict (only notes of the key), soft (others are rare) or off.
            rests: whether voices may rest.
            crossing: whether voices may cross.
            parallels: whether voices may move in parallel fifths and octaves.
            sonorities: whether only chords that the corpus holds may sound.
            particles: how many versions grow side by side, the best-fitting taking over at every beat.
            table: a CSV file with an edited transition table, see `write_table`.
        """
        return self.generate_many(count=1, bars=bars, seed=seed, temperature=temperature, prompt=prompt, key=key,
                                  ending=ending, phrase_bars=phrase_bars, meter=meter, tempo_bpm=tempo_bpm,
                                  key_mask=key_mask, rests=rests, crossing=crossing, parallels=parallels,
                                  sonorities=sonorities, particles=particles, table=table, progress=progress)[0]

    def generate_many(self, *, count: int, bars: int = 8, seed: int | Sequence[int] = 0,
                      temperature: float = 1.0, prompt: Score | None = None, key: str | None = None,
                      ending: str = "authentic", phrase_bars: int = 4, meter: str | None = None,
                      tempo_bpm: float | None = None, key_mask: str = "strict", rests: bool = True,
                      crossing: bool = False, parallels: bool = False, sonorities: bool = True, particles: int = 8,
                      table: str | None = None, progress: Progress = silent) -> list[Score]:
        """Compose ``count`` pieces side by side; piece k is the same whatever the count. Arguments as in `generate`.

        With ``particles=1`` hundreds of pieces are composed a second, of lower quality.

        Args:
            count: how many pieces.
            seed: one for all; or one of each piece, which is then what `generate` gives for it.
        """
        rules = Rules(temperature=temperature, key_mask=key_mask, rests=rests, crossing=crossing,
                      parallels=parallels, sonorities=sonorities, particles=particles)
        piece = Piece.asked(self._trained(), bars=bars, meter=meter, key=key, ending=ending, phrase_bars=phrase_bars,
                            tempo_bpm=tempo_bpm, prompt=prompt)
        return compose(self, piece, rules, count=count, seed=seed, factors=self._factors(table), progress=progress)

    def continue_(self, score: Score, *, bars: int = 8, seed: int = 0, temperature: float = 1.0,
                  key: str | None = None, ending: str = "authentic", phrase_bars: int = 4, key_mask: str = "strict",
                  rests: bool = True, crossing: bool = False, parallels: bool = False, sonorities: bool = True,
                  particles: int = 8, table: str | None = None, progress: Progress = silent) -> Score:
        """Return the score, kept to the note, followed by new bars.

        Args:
            score: the music to go on from.
            bars: how many bars to add.
            seed: same seed, same continuation.
            temperature: 1 as learned, lower more usual, higher more surprising.
            key: such as "G minor"; the score's own if none.
            ending: how the last phrase closes: authentic, half, plagal or open.
            phrase_bars: bars a phrase, each closed by a cadence; 0 for one long phrase.
            key_mask: strict (only notes of the key), soft (others are rare) or off.
            rests: whether voices may rest.
            crossing: whether voices may cross.
            parallels: whether voices may move in parallel fifths and octaves.
            sonorities: whether only chords that the corpus holds may sound.
            particles: how many versions grow side by side, the best-fitting taking over at every beat.
            table: a CSV file with an edited transition table, see `write_table`.
        """
        rules = Rules(temperature=temperature, key_mask=key_mask, rests=rests, crossing=crossing,
                      parallels=parallels, sonorities=sonorities, particles=particles)
        piece = Piece.continued(self._trained(), score, bars=bars, key=key, ending=ending, phrase_bars=phrase_bars)
        return compose(self, piece, rules, count=1, seed=seed, factors=self._factors(table), progress=progress)[0]

    def log_likelihood(self, score: Score | Grid) -> TokenLikelihood:
        """Return the nats of every cell; raises `BadInput` for music outside of the model's pitches or voices.

        A grid that does not tell repeats from holds is scored by pitch alone: both ways to sound it count.
        """
        return self.log_likelihood_many([score])[0]

    def log_likelihood_many(self, pieces: Sequence[Score | Grid], *,
                            progress: Progress = silent) -> list[TokenLikelihood]:
        """Return `log_likelihood` of several pieces, faster than one by one."""
        model = self._trained()
        grids = [model._judged(piece) for piece in pieces]
        results: list[TokenLikelihood] = []
        while len(results) < len(grids):
            progress(len(results) / len(grids), "judging")
            batch = [grids[len(results)]]
            for grid in grids[len(results) + 1:]:
                if sum(g.pitches.size for g in batch) + grid.pitches.size > CHUNK_TOKENS:
                    break
                batch.append(grid)
            results += model._judge(batch)
        return results

    def write_table(self, path: str | Path) -> None:
        """Write the transition table as CSV: mode, voice, from, to (tonic = C), count, probability.

        Edit the probabilities and give the file to ``generate(table=...)``, or to `read_table` to keep the edits.
        """
        table.write(self._trained().table, self.factors, Path(path))

    def read_table(self, path: str | Path) -> None:
        """Take an edited transition table: a probability of 0 forbids a step, a larger one favours it.

        Raises:
            BadFile: not a transition table, or a state without a way out.
        """
        self.factors = table.read(self._trained().table, Path(path))

    # inside

    def _trained(self) -> Markov:
        if not self.voices:
            raise BadInput("markov has to be trained first: componium train markov FOLDER_OF_MIDI --out my.markov")
        return self

    def _factors(self, path: str | None) -> Floats:
        return self.factors if path is None else table.read(self._trained().table, Path(path))

    def _judged(self, piece: Score | Grid) -> Grid:
        grid = piece if isinstance(piece, Grid) else prompt_grid(piece, self.voices, self.config.steps_per_beat)
        if grid.voice_count != self.voices:
            raise BadInput(f"the music has {grid.voice_count} voices and the model learned {self.voices}")
        if grid.steps_per_beat != self.config.steps_per_beat:
            raise BadInput(f"the music has {grid.steps_per_beat} steps a beat and the model "
                           f"{self.config.steps_per_beat}")
        sounding = grid.pitches[grid.pitches >= 0]
        if sounding.size and (sounding.min() < self.lowest or sounding.max() > self.highest):
            worst = int(sounding.min() if sounding.min() < self.lowest else sounding.max())
            raise BadInput(f"MIDI pitch {worst} lies outside of the model's {self.lowest} to {self.highest}")
        return grid

    def _judge(self, grids: list[Grid]) -> list[TokenLikelihood]:
        tokens = listen(grids, self._memory)
        opinions, depth = self._opinions(tokens)
        favour = table.log_factors(self.factors, tokens.features, self._names, tokens.before, SYMBOLS)
        group = tokens.voice * self._depths + depth
        mixed = mixture.mix(opinions, self.weights[group], self._allowed(tokens), favour=favour)
        rows = np.arange(len(tokens.symbols))
        chance = mixed[rows, tokens.symbols].astype(np.float64)
        chance[(tokens.cells >= 0) & (np.abs(tokens.cells - tokens.anchors) > SPAN)] = 0.0
        untold = ~np.array([g.ties_known for g in grids])[tokens.piece]
        chance = np.where(untold & (tokens.symbols == SAME) & (tokens.before >= 0), chance + mixed[:, REPEAT], chance)
        ways = np.where(untold | (tokens.before < 0) | (not self.ties), 0, 1) + self.highest - self.lowest + 2
        nats = -np.log((1 - EVEN) * chance + EVEN / ways)
        name = f"grid {self.config.steps_per_beat} steps a beat, {self.voices} voice{'s' * (self.voices > 1)}"
        return [TokenLikelihood(nats[mine], tokens.voice[mine], tokens.step[mine],
                                tokens.cells[mine] != tokens.before[mine], self.config.steps_per_beat, name)
                for mine in (tokens.piece == index for index in range(len(grids)))]

    def _allowed(self, tokens: Tokens) -> npt.NDArray[np.bool_]:
        """Return [N, SYMBOLS] which symbols exist: pitches within the alphabet, repeats where there is a note."""
        allowed = np.ones((len(tokens.symbols), SYMBOLS), np.bool_)
        pitch = tokens.anchors[:, None] + np.arange(-SPAN, SPAN + 1)
        allowed[:, :REST_SYMBOL] = (pitch >= self.lowest) & (pitch <= self.highest)
        allowed[:, REPEAT] = (tokens.before >= 0) & self.ties
        return allowed

    def _opinions(self, tokens: Tokens) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return the viewpoints' log-probabilities [N, K, S], the short-term one last, and its depth [N]."""
        views = [chain.probabilities(hashes_of(self._viewpoints[name], tokens.features, self._names))
                 for name, chain in self.chains.items()]
        start = mix_hash(np.zeros(len(tokens.piece), np.uint64), tokens.piece)
        hashes = hashes_of(short_term_viewpoint(self.voices), tokens.features, self._names, start)
        recent, depth = short_term(hashes, tokens.symbols, SYMBOLS, self.config.caution)
        if not self.config.short_term:
            recent, depth = np.full_like(recent, 1 / SYMBOLS), np.zeros_like(depth)
        return np.log(np.maximum(np.stack([*views, recent], axis=1), mixture.FLOOR)), depth


def _rows(tokens: Tokens, keep: npt.NDArray[np.bool_]) -> Tokens:
    return Tokens(**{name: values[keep] for name, values in vars(tokens).items()})

