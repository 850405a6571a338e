"""L-system that rewrites chords and motifs.

Idea: A few symbols are rewritten all at once, again and again, by rules such as ``V -> ii V``; the long word
that grows is then read as music. Few rules give forms that resemble themselves at every scale, as plants do.

Paper: Lindenmayer, "Mathematical models for cellular interaction in development" (Journal of Theoretical
Biology, 1968), and Prusinkiewicz, "Score generation with L-systems" (International Computer Music Conference,
1986), whose turtle is one of the four ways to read a word here. The blues substitutes chords as Steedman, "A
generative grammar for jazz chord sequences" (Music Perception, 1984), does.

Learns from: Nothing. The rules are written by hand: by you, or by us in five examples.

Good and bad at: Chord progressions that close, twelve bars of blues with substitutions, motifs that come
back at several scales, rhythms that hardly repeat. It hears nothing: no melody over its chords, no taste.

Trains and generates: There is no training. An axiom is rewritten a few times; where a rule has several
choices, the seed picks one by its probability. The word is read as chords (in four smoothly led voices), as
a melody, as the path of a turtle or as a rhythm, and goes on with another derivation until the bars are
full.

Size and speed: A dozen rules; more than a thousand bars a second on one core.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from componium.composers.grammar.reading import Span, fold, lay_out, read_chord, read_melody, read_turtle
from componium.composers.grammar.rewriting import SPACED, read_productions, rewrite, symbols_of
from componium.composers.grammar.voicing import voice
from componium.interface import Arrays, Progress, setting, silent
from componium.music import score as scores
from componium.music.errors import BadInput
from componium.music.score import Note, Score, Track
from componium.music.theory import MODES, SCALES, Key, key_of

MAX_BARS = 2000
MAX_ITERATIONS = 100
MAX_READ = 200_000
"""Symbols that are read at most for one piece."""
LONGEST_LEAD_IN = 64
"""A path or a rhythm begins up to so many symbols into its word, as the seed says."""
INTERPRETATIONS = ("chords", "melody", "turtle", "rhythm")
DRUM_PITCHES = (36, 42, 38, 46, 45, 39)
"""General MIDI drums that the symbols of a rhythm take in turn; the seed says with which it begins."""
PAUSE = "."
"""The symbol of a rhythm that does not sound."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A grammar with a name: what stands in for settings that are left empty."""

    axiom: str
    productions: str
    interpretation: str
    iterations: int
    beats_per_symbol: float


EXAMPLES: dict[str, Example] = {
    "cadences": Example(
        "I V I",
        "I -> I | I IV V I (0.3) | I vi ii V I (0.2); V < I -> I | vi (0.1); vi -> vi | vi iii (0.2);"
        "IV -> IV | ii (0.2) | IV ii (0.2); V -> V | IV V (0.2) | ii V (0.2) | V7 (0.15)",
        "chords", 3, 2.0),
    "blues": Example(
        "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
        "I7 > IV7 -> I7 | v7:2 I7:2; I7 < IV7 -> IV7 | IV7:2 #ivo7:2 (0.3); V7 > IV7 -> V7 | ii7:2 V7:2;"
        "I7 > V7 -> I7 | I7:2 VI7:2; I7 -> I7 | I7:2 IV7:2 (0.2); V7 -> V7 | ii7:2 V7:2 (0.3)",
        "chords", 1, 4.0),
    "fibonacci": Example("A", "A -> A b; b -> A", "rhythm", 9, 1.0),
    "hilbert": Example("X", "X -> +YF-XFX-FY+; Y -> -XF+YFY+FX-", "turtle", 4, 0.5),
    "branches": Example("M", "M -> n[uMn]dnM | nun[ddM]uM (0.3) | hnnlM (0.3) | rM (0.05)", "melody", 5, 0.5),
}
"""Five grammars to start from."""


@dataclasses.dataclass(frozen=True)
class GrammarConfig:
    """Settings; what is left empty comes from the example."""

    example: str = setting("cadences", "a grammar to start from; none = only your own axiom and productions",
                           ("none", *EXAMPLES))
    axiom: str = setting("", "symbols to begin with; empty = the example's")
    productions: str = setting("", "rules such as 'V -> V | ii V (0.3); V < I > IV -> vi', with "
                                   "probabilities in brackets and neighbours before < and after >; "
                                   "empty = the example's")
    interpretation: str = setting("", "how a word is read; empty = the example's", ("", *INTERPRETATIONS))
    iterations: int | None = setting(None, "how often the word is rewritten; none = the example's")
    beats_per_symbol: float | None = setting(None, "length of a symbol, quarter notes; none = the example's")
    texture: str = setting("four-part", "chords in four voices, or as blocks in one", ("four-part", "block"))
    scale: str = setting("key", "scale of melodies; key = the key's own", ("key", *SCALES))
    key: str = setting("C major", "key, such as 'G minor' or 'Bb'")
    tempo_bpm: float = setting(96.0, "tempo, quarter notes a minute")
    numerator: int = setting(4, "beats in a bar")
    denominator: int = setting(4, "note value of a beat; 4 = a quarter note")
    ending: str = setting("cadence", "how a piece ends: on the tonic, or anyhow", ("cadence", "open"))


def check_config(config: GrammarConfig) -> None:
    """Raise `BadInput` for a setting that cannot be used."""
    for field in dataclasses.fields(config):
        value, choices = getattr(config, field.name), field.metadata["choices"]
        if choices and value not in choices:
            listed = ", ".join(str(choice) for choice in choices if choice)
            raise BadInput(f"{field.name}={value}: {field.name} has to be one of {listed}")
    if config.beats_per_symbol is not None and not 1 / 16 <= config.beats_per_symbol <= 64:
        raise BadInput(f"beats_per_symbol={config.beats_per_symbol}: give 0.0625 to 64 quarter notes")
    scores.new_score(tempo_bpm=config.tempo_bpm, numerator=config.numerator, denominator=config.denominator,
                     key=config.key)


class Grammar:
    """An L-system: rewrites an axiom and reads the word as chords, melody, turtle's path or rhythm."""

    name: ClassVar[str] = "grammar"
    Config: ClassVar[type] = GrammarConfig
    needs_training: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False

    def __init__(self, config: GrammarConfig | None = None) -> None:
        """Fill in the example and read the rules; raises `BadInput` for what cannot be used."""
        self.config = config or GrammarConfig()
        self.provenance: dict[str, Any] = {}
        self.figures: dict[str, Any] = {}
        check_config(self.config)
        example = EXAMPLES.get(self.config.example, Example("", "", "chords", 3, 1.0))
        self.interpretation = self.config.interpretation or example.interpretation
        self.axiom = symbols_of(self.config.axiom or example.axiom, self.interpretation)
        self.table = read_productions(self.config.productions or example.productions, self.interpretation)
        self.iterations = example.iterations if self.config.iterations is None else self.config.iterations
        self.beats_per_symbol = self.config.beats_per_symbol or example.beats_per_symbol
        if not self.axiom:
            raise BadInput("a grammar with example=none needs an axiom, such as axiom='I V I'")
        self._check_iterations(self.iterations)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return nothing: a grammar is all in its settings."""
        return {}, {}

    def load_state(self, arrays: Mapping[str, Any], json: Mapping[str, Any]) -> None:
        """Take back nothing; raises `BadInput` where there is something."""
        if arrays or json:
            raise BadInput("a grammar has no learned state")

    def derive(self, iterations: int | None = None, *, seed: int = 0, temperature: float = 1.0) -> list[str]:
        """Return the symbols after some rewritings.

        Args:
            iterations: how many, 0 to 100; None = the setting.
            seed: picks among choices.
            temperature: above 0; below 1 favours the likelier choices.

        Raises:
            BadInput: the word grows beyond `rewriting.MAX_SYMBOLS` symbols.
        """
        self._check_temperature(temperature)
        return self._words(np.random.default_rng(seed), temperature, iterations)[-1]

    def derivation(self, iterations: int | None = None, *, seed: int = 0) -> list[str]:
        """Return the derivation to be printed, a line for each word: ``"1: I IV V I"``; see `derive`."""
        space = " " if self.interpretation in SPACED else ""
        words = self._words(np.random.default_rng(seed), 1.0, iterations)
        return [f"{place}: {space.join(word)}" for place, word in enumerate(words)]

    def generate(self, *, bars: int = 8, seed: int = 0, temperature: float = 1.0, key: str | None = None,
                 prompt: Score | None = None, progress: Progress = silent) -> Score:
        """Compose.

        Args:
            bars: length in bars, those of the prompt included (a pickup does not count).
            seed: same seed, same piece; picks choices, the first voicing, drums, where a fixed word begins.
            temperature: above 0; below 1 favours the likelier choices, above 1 levels them.
            key: such as 'G minor'; without one, the prompt's, else the setting.
            prompt: music that is kept as the beginning; gives meter, tempo and key.
            progress: told the fraction done.

        Raises:
            BadInput: a length, temperature or key that cannot be used, a prompt that fills the bars, a
                symbol that is no chord, a grammar that grows too large or never fills a bar.
        """
        if not 1 <= bars <= MAX_BARS:
            raise BadInput(f"bars={bars}: give 1 to {MAX_BARS} bars")
        self._check_temperature(temperature)
        progress(0.0, "rewriting")
        heard = scores.bars(prompt) if prompt is not None else []
        if prompt is None or not heard:
            score = self._new_score(key)
            self._compose(score, bars, seed, temperature)
        else:
            if heard[-1].index >= bars:
                raise BadInput(f"bars={bars}: the prompt has {heard[-1].index} already; ask for more")
            tonality = Key.parse(key) if key else _key_of(prompt, Key.parse(self.config.key))
            score = scores.new_score(tempo_bpm=scores.tempo_bpm(prompt), numerator=heard[-1].numerator,
                                     denominator=heard[-1].denominator, key=tonality)
            self._compose(score, bars - heard[-1].index, seed, temperature)
            score = scores.concatenate(prompt, score, heard[-1].end_beats)
        progress(1.0, "composed")
        return score

    def _check_temperature(self, temperature: float) -> None:
        if not (math.isfinite(temperature) and temperature > 0):
            raise BadInput(f"temperature={temperature}: give a number above 0")

    def _check_iterations(self, iterations: int) -> None:
        if not 0 <= iterations <= MAX_ITERATIONS:
            raise BadInput(f"iterations={iterations}: a word is rewritten 0 to {MAX_ITERATIONS} times")

    def _new_score(self, key: str | None) -> Score:
        return scores.new_score(tempo_bpm=self.config.tempo_bpm, numerator=self.config.numerator,
                                denominator=self.config.denominator, key=key or self.config.key)

    def _words(self, rng: np.random.Generator, temperature: float, iterations: int | None) -> list[list[str]]:
        count = self.iterations if iterations is None else iterations
        self._check_iterations(count)
        words = [list(self.axiom)]
        for _ in range(count):
            words.append(rewrite(words[-1], self.table, rng, temperature))
        return words

    def _symbols(self, rng: np.random.Generator, temperature: float) -> Iterator[str]:
        """Yield the symbols of one derivation after another, up to `MAX_READ`."""
        read = 0
        while read < MAX_READ:
            word = self._words(rng, temperature, None)[-1]
            read += len(word)
            yield from word

    def _compose(self, score: Score, bars: int, seed: int, temperature: float) -> None:
        """Add tracks of so many bars to an empty score."""
        rng = np.random.default_rng(seed)
        bar_beats = scores.bar_beats(*scores.meter(score))
        symbols = self._symbols(rng, temperature)
        if self.interpretation == "chords":
            tracks = self._chords(symbols, rng, bars * bar_beats, bar_beats, _stated_key(score))
        elif self.interpretation == "rhythm":
            tracks = [self._rhythm(symbols, rng, bars * bar_beats)]
        else:
            tracks = [self._melody(symbols, rng, bars * bar_beats, _stated_key(score))]
        for track in tracks:
            score.tracks.append(track)

    def _chords(self, symbols: Iterator[str], rng: np.random.Generator, total_beats: float, bar_beats: float,
                key: Key) -> list[Track]:
        spans = self._closed(symbols, total_beats, bar_beats)
        ours = self.config.example != "none" and not self.config.productions
        pitches = voice([read_chord(span.what, key, translate=ours) for span in spans], rng)
        names = scores.VOICE_NAMES if self.config.texture == "four-part" else ("Chords",)
        tracks = [Track(name) for name in names]
        for span, chord in zip(spans, pitches, strict=True):
            for place, pitch in enumerate(chord):
                tracks[place % len(tracks)].notes.append(_note(span, int(pitch)))
        return tracks

    def _closed(self, symbols: Iterator[str], total_beats: float, bar_beats: float) -> list[Span]:
        """Return chords that end, unless the ending is open, on a dominant and a bar of the tonic."""
        last_beats = min(bar_beats, total_beats / 2) if self.config.ending == "cadence" else 0.0
        beats = self.beats_per_symbol
        spans = lay_out(symbols, beats, total_beats - last_beats, small_beats=beats)
        if last_beats:
            seventh = "7" if self.axiom[0] in ("I7", "i7") else ""
            tonic = self.axiom[0] if self.axiom[0] in ("I", "I7", "i", "i7") else "I"
            if spans[-1].what not in ("V", "V7"):
                spans[-1] = spans[-1]._replace(what="V" + seventh)
            spans.append(Span(total_beats - last_beats, last_beats, tonic))
        return spans

    def _melody(self, symbols: Iterator[str], rng: np.random.Generator, total_beats: float,
                key: Key) -> Track:
        steps = MODES[key.mode] if self.config.scale == "key" else SCALES[self.config.scale]
        degree, beats = int(rng.integers(-2, len(steps))), self.beats_per_symbol
        if self.interpretation == "melody":
            spans = read_melody(symbols, beats, total_beats, degree=degree, octave=len(steps))
        else:
            turn, lead_in = int(rng.choice((1, -1))), int(rng.integers(LONGEST_LEAD_IN))
            walked = itertools.islice(symbols, lead_in, None)
            spans = read_turtle(walked, beats, total_beats, degree=degree, turn=turn)
        spans = [span._replace(what=fold(span.what)) for span in spans] or [Span(0.0, total_beats, 0)]
        if self.config.ending == "cadence":  # on the nearest tonic, held for a beat or more
            spans = [span for span in spans if span.start_beats <= total_beats - 1.0] or spans[:1]
            spans[-1] = spans[-1]._replace(what=round(spans[-1].what / len(steps)) * len(steps))
        track = Track("Melody")
        for span in _until(spans, total_beats):
            octave, step = divmod(span.what, len(steps))
            track.notes.append(_note(span, 60 + key.tonic_pitch_class + 12 * octave + steps[step]))
        return track

    def _rhythm(self, symbols: Iterator[str], rng: np.random.Generator, total_beats: float) -> Track:
        beats, lead_in = self.beats_per_symbol, int(rng.integers(LONGEST_LEAD_IN))
        walked = itertools.islice(symbols, lead_in, None)
        spans = lay_out(walked, beats, total_beats, small_beats=beats / 2)
        rules = itertools.chain(*self.table.values())
        written = itertools.chain(self.axiom, *(word for rule in rules for word in rule.words))
        names = dict.fromkeys(symbol.partition(":")[0] for symbol in written)
        kit = itertools.islice(itertools.cycle(DRUM_PITCHES), int(rng.integers(len(DRUM_PITCHES))), None)
        drums = dict(zip((name for name in names if name != PAUSE), kit, strict=False))
        track = Track("Drums", is_drum=True)
        hits = [span for span in spans if span.what != PAUSE]
        if not hits:
            raise BadInput(f"the rhythm holds nothing but pauses ({PAUSE})")
        for span in _until(hits, total_beats):
            track.notes.append(_note(span, drums[span.what]))
        return track


def _until(spans: list[Span], total_beats: float) -> list[Span]:
    """Return spans whose last one is held to the end."""
    return [*spans[:-1], spans[-1]._replace(beats=total_beats - spans[-1].start_beats)]


def _note(span: Span, pitch: int) -> Note:
    return Note(span.start_beats, span.beats, pitch, scores.DEFAULT_VELOCITY)


def _stated_key(score: Score) -> Key:
    return scores.key_signature_of(score) or Key.parse("C major")


def _key_of(prompt: Score, default: Key) -> Key:
    pitched = any(len(track.notes) and not track.is_drum for track in prompt.tracks)
    return key_of(prompt)[0] if pitched else default
