"""The ways of composing: new pieces, continuations, harmonisations and new passages, all of them sheets to fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from componium.composers.chorale_rnn import bachbot, form, scores, views
from componium.composers.chorale_rnn.leading import parallels
from componium.composers.chorale_rnn.network import ChoraleNetwork
from componium.composers.chorale_rnn.reading import BachBotReader, GridReader
from componium.composers.chorale_rnn.views import Ints
from componium.interface import Progress
from componium.music.constraints import Constraints, Frame
from componium.music.errors import BadInput
from componium.music.grid import REST, Grid, from_grid
from componium.music.keys import Key, parse_key, pitch_name
from componium.music.score import VOICE_NAMES, Score, Track, concatenate, key_signature, parse_meter, tempo_bpm
from componium.music.theory import key_of
from componium.music.voices import note_arrays, set_notes, voice_rank
from componium.music.where import filled, passages
from componium.nn.filling import Filled, Filling, Reader, Task, Way
from componium.nn.samplers import Sampling
from componium.tokens import sheets
from componium.tokens.automata import Automaton, compiled
from componium.tokens.grid import REST as REST_SYMBOL
from componium.tokens.grid import GridTokens
from componium.tokens.sheets import Sheet

if TYPE_CHECKING:
    from componium.composers.chorale_rnn.model import ChoraleRNN

MOST_BARS = 1000
MOST_BESIDE = 6
"""How many semitones the middle of a line may lie beside what its voice sings."""
DEFAULT_TEMPO_BPM = 80.0


@dataclass(frozen=True)
class Wish:
    """What all ways of composing have in common; see `ChoraleRNN.generate` for the meanings."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition: float = 1.0
    method: str = "sample"
    candidates: int = 1
    rests: bool = False
    parallels: bool = False
    constraints: Path | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Wish:
        """Take from the arguments of an ability what belongs here."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in arguments.items() if name in names})

    def way(self, model: ChoraleRNN) -> Way:
        """Return how to fill; raises `BadInput` for values out of range."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p, self.typical_p, self.repetition)
        return Way(self.method, self.candidates, None if self.parallels else parallels, sampling,
                   model.config.steps_per_beat)

    def rules(self) -> Constraints:
        """Return the rules of the constraint file."""
        return Constraints() if self.constraints is None else Constraints.read(self.constraints)


# filling

def fill_sheets(model: ChoraleRNN, asked: Sequence[Sheet], seeds: Sequence[int], wish: Wish,
                progress: Progress) -> list[tuple[Grid, Filled]]:
    """Return the filled grids; sheets that are one object are looked at together."""
    if len(seeds) != len(asked):
        raise BadInput(f"{len(asked)} pieces with {len(seeds)} seeds: give one seed of each piece")
    if min(seeds, default=0) < 0:
        raise BadInput(f"seed={min(seeds)}: a seed is 0 or more")
    rules, way = wish.rules(), wish.way(model)
    ready: dict[int, tuple[Task, Ints, np.ndarray]] = {}
    for sheet in asked:
        if id(sheet) not in ready:
            steps = slice(sheet.until)
            task = Task(automaton_of(model, sheet, rules), 0, known_of(model, sheet)[steps])
            ready[id(sheet)] = task, marks_of(model, sheet.grid)[steps], _marked(sheet.grid)[steps]
    tasks = [replace(ready[id(sheet)][0], seed=seed) for sheet, seed in zip(asked, seeds, strict=True)]
    longest = max(sheet.until for sheet in asked)
    marks = np.stack([_long(ready[id(sheet)][1], longest, mode="edge") for sheet in asked])
    fermatas = np.stack([_long(ready[id(sheet)][2], longest) for sheet in asked])
    reader = reader_of(model, np.repeat(marks, way.versions, 0), np.repeat(fermatas, way.versions, 0))
    done = Filling(tasks, reader, model.config.voices, way).run(progress)
    return [(decoded(model, sheet, each), each) for sheet, each in zip(asked, done, strict=True)]


def _long(values: np.ndarray, steps: int, mode: Any = "constant") -> np.ndarray:
    """Return marks [T, ...] that go on to ``steps``."""
    return np.pad(values, [(0, steps - len(values)), *[(0, 0)] * (values.ndim - 1)], mode=mode)


def decoded(model: ChoraleRNN, sheet: Sheet, done: Filled) -> Grid:
    """Return the grid of a filled sheet, with what follows the part that was read."""
    symbols = np.concatenate([done.symbols, sheet.fixed[sheet.until:]])
    symbols[:, list(sheet.imagined)] = REST_SYMBOL
    return model.tokens.decode(symbols, like=replace(sheet.grid, ties_known=True) if not sheet.grid.ties_known
                               else sheet.grid)


def automaton_of(model: ChoraleRNN, sheet: Sheet, rules: Constraints) -> Automaton:
    """Return what tells of each cell what it may be."""
    grid = sheet.grid
    frame = Frame(len(sheet), model.config.voices, grid.steps_per_beat, grid.numerator, grid.denominator,
                  grid.pickup_steps)
    possible = sheets.with_rests_of(sheet.possible, rules, frame)
    span = {"lowest": model.config.lowest, "highest": model.config.highest}
    ruled = compiled(rules.transposed(sheet.moved), frame, **span, fixed=sheet.fixed, possible=possible)
    if not sheet.imagined:
        return ruled
    anything = sheets.choices(model.tokens, model.learned.ranges, len(sheet), rests=False)
    return ruled.with_unheard(sheet.imagined, compiled(Constraints(), frame, **span, possible=anything))


def marks_of(model: ChoraleRNN, grid: Grid) -> Ints:
    """Return the marks of a grid that the model is told: those that its corpus has."""
    told = model.config.marks
    return views.without_marks(views.marks_of(grid), meter=not (told and model.learned.ties),
                               fermatas=not (told and model.learned.fermatas), end=not told)


def _marked(grid: Grid) -> np.ndarray:
    """Return which steps belong to a chord with a fermata: it lasts a beat here."""
    marked = np.zeros(len(grid), bool)
    for step in grid.fermatas:
        marked[step:step + grid.steps_per_beat] = True
    return marked


def known_of(model: ChoraleRNN, sheet: Sheet) -> Ints:
    """Return the pitches, from 0, of the cells that are given; -1 elsewhere."""
    sounding = sheet.grid.pitches.astype(np.int64)
    count = model.config.highest - model.config.lowest + 1
    known = np.where(sheet.fixed == sheets.OPEN, -1, np.where(sounding == REST, count, sounding - model.config.lowest))
    known[:, list(sheet.imagined)] = -1
    return known


def reader_of(model: ChoraleRNN, marks: Ints, fermatas: np.ndarray) -> Reader:
    """Return a reader of the model's network for so many rows."""
    network = model.network.eval()
    if isinstance(network, ChoraleNetwork):
        return GridReader(network, marks, joined=not model.learned.ties)
    assert isinstance(network, bachbot.BachBotNetwork)
    pitches = model.config.highest - model.config.lowest + 1
    return BachBotReader(network, fermatas, pitches, model.config.voices, joined=not model.learned.ties)


# new pieces

def new_pieces(model: ChoraleRNN, seeds: Sequence[int], wish: Wish, progress: Progress, *, bars: int,
               key: str | None, meter: str | None, phrase_bars: int, tempo: float | None) -> list[Score]:
    """Compose new pieces side by side."""
    check_length(bars, phrase_bars)
    if tempo is not None and not 5 <= tempo <= 500:
        raise BadInput(f"tempo_bpm={tempo}: the tempo has to be between 5 and 500 quarter notes a minute")
    wanted = None if key is None else parse_key(key)
    asked_meter = model.learned.meter if meter is None else parse_meter(meter)
    sheet = sheets.empty_sheet(model.tokens, model.learned.ranges, bars=bars, meter=asked_meter, rests=wish.rests)
    sheet = form.with_fermatas(sheet, model.learned, phrase_bars=phrase_bars)
    normalised = model.config.encoding == "bachbot"
    if wanted is not None:
        home = Key.parse("A minor" if wanted.is_minor else "C major") if normalised else wanted
        sheet = form.in_key(sheet, home, model.tokens)
        sheet = replace(sheet, moved=bachbot.semitones_to_c(wanted) if normalised else 0)
    composed = fill_sheets(model, [sheet] * len(seeds), seeds, wish, progress)
    pieces = []
    for (grid, _), seed in zip(composed, seeds, strict=True):
        if normalised:  # rules tell where the piece lies, or else the seed
            free = wanted is None and wish.constraints is None
            grid = bachbot.transposed(grid, semitones_nearby(seed) if free else -sheet.moved)
        score = from_grid(grid, tempo_bpm=tempo or DEFAULT_TEMPO_BPM, names=names_of(model))
        pieces.append(signed(score, wanted))
    return pieces


def semitones_nearby(seed: int) -> int:
    """Return the transposition from C major or A minor to a key nearby that a seed draws."""
    return int(np.random.default_rng([seed, 7]).integers(-3, 4))


def signed(score: Score, key: Key | None) -> Score:
    """Return the score with the key signature of a key, or of the one that is heard in it."""
    heard = key or key_of(score)[0]
    score.key_signatures.append(key_signature(heard))
    return score


# going on

def continued(model: ChoraleRNN, score: Score, seed: int, wish: Wish, progress: Progress, *, bars: int | None,
              total_bars: int | None, phrase_bars: int) -> Score:
    """Return a score followed by new music: ``bars`` more, or so many that it has ``total_bars`` in all."""
    check_length(bars if bars is not None else total_bars or 1, phrase_bars)
    grid, shift = heard(model, score)
    length = sheets.bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat)
    whole = -(-(len(grid) - grid.pickup_steps) // length)
    steps = grid.pickup_steps + (whole + bars if bars is not None else total_bars or 1) * length
    if len(grid) >= steps:
        raise BadInput(f"the prompt is {len(grid) / length:.1f} bars long and the whole piece is to have {total_bars} "
                       "bars; ask for more bars")
    start = len(grid)
    sheet = sheets.sheet_after(grid, model.tokens, model.learned.ranges, steps=steps, rests=wish.rests)
    sheet = replace(sheet, moved=shift)
    sheet = form.with_fermatas(sheet, model.learned, phrase_bars=phrase_bars, from_step=start)
    (done, _), = fill_sheets(model, [sheet], [seed], wish, progress)
    new = replace(done, pitches=done.pitches[start:], held=done.held[start:], pickup_steps=0, key=None,
                  fermatas=tuple(step - start for step in done.fermatas if step >= start))
    written = from_grid(bachbot.transposed(new, -shift), tempo_bpm=tempo_bpm(score), names=names_of(model))
    return joined(score, bachbot.transposed(grid, -shift), written, start / grid.steps_per_beat)


def joined(score: Score, grid: Grid, written: Score, at_beats: float) -> Score:
    """Return a score followed by another, each new voice in the track where that voice of the score's grid was."""
    kept = score.copy()
    names = [track.name for track in kept.tracks]
    for number, track in enumerate(kept.tracks):
        track.name = str(number)  # tracks meet by name, and names of the user's may be alike
    for voice, track in enumerate(written.tracks):
        place = scores.track_of_voice(score, grid, voice)
        if place is not None:
            track.name, track.is_drum = str(place), kept.tracks[place].is_drum
    written.tracks = type(written.tracks)([track for track in written.tracks if len(track.notes)])
    written.time_signatures.clear()
    whole = concatenate(kept, written, at_beats)
    for track, name in zip(whole.tracks, names, strict=True):
        track.name = name
    return whole


# harmonising

def harmonized(model: ChoraleRNN, given_scores: Sequence[Score], given: str, seeds: Sequence[int], wish: Wish,
               progress: Progress) -> list[Score]:
    """Return scores with the voices that they lack."""
    asked, told = [], []
    for score in given_scores:
        named, voices = scores.given_voices(score, given, names_of(model), model.config.steps_per_beat)
        grid, shift = heard(model, named)
        guessed = not voices and None in [voice_rank(track.name) for track in scores.pitched_tracks(named)]
        voices = voices or [v for v in range(model.config.voices) if (grid.pitches[:, v] != REST).any()]
        if len(voices) == model.config.voices:
            raise BadInput("all voices are there already: leave out those that are to be composed")
        if guessed and model.config.encoding == "grid":  # in bachbot the ranges are those of pieces in C
            check_heights(model, grid, voices)
        sheet = sheets.sheet_beside(grid, voices, model.tokens, model.learned.ranges, rests=wish.rests)
        asked.append(replace(sheet, moved=shift))
        told.append((score, voices, shift))
    composed = fill_sheets(model, asked, seeds, wish, progress)
    return [beside(score, bachbot.transposed(grid, -shift), voices, names_of(model))
            for (score, voices, shift), (grid, _) in zip(told, composed, strict=True)]


def check_heights(model: ChoraleRNN, grid: Grid, given: Sequence[int]) -> None:
    """Raise `BadInput` for a line that lies far from what its voice sings: it is another voice, perhaps the bass."""
    names = [name.lower() for name in names_of(model)]
    for voice in given:
        line = grid.pitches[:, voice][grid.pitches[:, voice] != REST]
        middle, (low, high) = float(np.median(line)), model.learned.ranges[voice].tolist()
        if low - MOST_BESIDE <= middle <= high + MOST_BESIDE:
            continue
        near = int(np.abs(model.learned.ranges.mean(axis=1) - middle).argmin())
        way = f"say which voice it is, such as given={names[near]}," if len(given) == 1 and near != voice else \
            f"say with given= which of {', '.join(names)} is there,"
        first, last, lowest, highest = (pitch_name(int(pitch)) for pitch in (line.min(), line.max(), low, high))
        raise BadInput(f"the line from {first} to {last} is taken for the {names[voice]}, and lies far from what that "
                       f"sings, {lowest} to {highest}: {way} or transpose it")


def beside(score: Score, grid: Grid, given: Sequence[int], names: Sequence[str]) -> Score:
    """Return a score with tracks for the voices that were not given, in the order of the voices.

    A track without notes that has the name of such a voice is filled; for the others there are new ones.
    """
    written, result = from_grid(grid, names=names), score.copy()
    full = scores.pitched_tracks(score)
    empty = {track.name.strip().lower(): place for place, track in enumerate(result.tracks)
             if not len(track.notes) and not track.is_drum}
    used = set()
    loudness = max(int(np.median(np.concatenate([note_arrays(track)["velocity"] for track in full]))), 1)
    pitched = scores.high_to_low(score, [p for p, t in enumerate(score.tracks) if len(t.notes) and not t.is_drum])
    tracks: list[Track] = []
    for voice, new in enumerate(written.tracks):
        if voice in given:
            if pitched:
                tracks.append(result.tracks[pitched.pop(0)])
            continue
        notes = note_arrays(new)
        place = empty.get(new.name.lower())
        track = new if place is None else result.tracks[place]
        if place is None:
            track.program = full[0].program
        else:
            used.add(place)
        set_notes(track, notes | {"velocity": np.full(len(notes["time"]), loudness)})
        tracks.append(track)
    others = [track for place, track in enumerate(result.tracks)
              if place in pitched or (not len(track.notes) and place not in used) or track.is_drum]
    result.tracks = type(result.tracks)([*tracks, *(track for track in others if len(track.notes) or track.name)])
    return result


# new passages

def infilled(model: ChoraleRNN, score: Score, where: str, seed: int, wish: Wish, progress: Progress) -> Score:
    """Return a score with new music in some bars."""
    places = passages(score, where)
    grid, shift = heard(model, score)
    sheet = sheets.sheet_around(grid, places, model.tokens, model.learned.ranges, rests=wish.rests,
                                may_end=wish.constraints is not None)
    sheet = replace(sheet, moved=shift)
    (done, _), = fill_sheets(model, [sheet], [seed], wish, progress)
    written = from_grid(bachbot.transposed(done, -shift), names=names_of(model))
    new = score.copy()
    for track in new.tracks:
        track.notes.clear()
    placed = bachbot.transposed(grid, -shift)
    for voice, track in enumerate(written.tracks):
        place = scores.track_of_voice(score, placed, voice)
        if place is not None and len(track.notes):
            notes = note_arrays(track)
            old = note_arrays(score.tracks[place])["velocity"]
            set_notes(track, notes | {"velocity": np.full(len(notes["time"]), max(int(np.median(old)), 1))})
            new.tracks[place].notes.extend(track.notes)
    return filled(score, new, places)


# what all of them need

def heard(model: ChoraleRNN, score: Score) -> tuple[Grid, int]:
    """Return a score on the model's grid, and by how many semitones it was moved (encoding=bachbot only)."""
    if model.config.encoding != "bachbot":
        return scores.grid_of(score, model.tokens), 0
    wide = GridTokens(model.config.voices, 0, 127, model.config.steps_per_beat)
    moved, shift = bachbot.in_c(scores.grid_of(score, wide), key_of(score)[0], model.tokens)
    model.tokens.encode(moved)
    return moved, shift


def names_of(model: ChoraleRNN) -> tuple[str, ...]:
    """Return the names of the tracks."""
    count = model.config.voices
    return VOICE_NAMES if count == len(VOICE_NAMES) else tuple(f"Voice {voice + 1}" for voice in range(count))


def check_length(bars: int, phrase_bars: int) -> None:
    """Raise `BadInput` for lengths that cannot be composed."""
    if not 1 <= bars <= MOST_BARS:
        raise BadInput(f"bars={bars}: between 1 and {MOST_BARS} bars can be composed")
    if phrase_bars < 0:
        raise BadInput(f"phrase_bars={phrase_bars}: a phrase has one bar or more (0 = one long phrase)")
