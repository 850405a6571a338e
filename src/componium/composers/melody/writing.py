"""The ways of composing melodies: new pieces, continuations, new passages and answers, all of them sheets to fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from componium.composers.melody.lines import Heard, key_in, shifted
from componium.interface import Progress
from componium.music.constraint_words import read_rule
from componium.music.constraints import Constraints, Frame
from componium.music.errors import BadInput
from componium.music.grid import REST as SILENT_CELL
from componium.music.grid import Grid, from_grid
from componium.music.keys import Key, parse_key
from componium.music.score import (
    Score,
    Track,
    concatenate,
    end_beats,
    key_signature,
    note_arrays,
    parse_meter,
    round_half_up,
    set_notes,
    tempo_bpm,
)
from componium.music.where import filled, passages
from componium.nn.filling import Filled, Filling, Task, Way
from componium.nn.samplers import Sampling
from componium.tokens import sheets
from componium.tokens.automata import compiled
from componium.tokens.grid import FIRST_PITCH
from componium.tokens.sheets import Sheet

if TYPE_CHECKING:
    from componium.composers.melody.model import MelodyModel

MOST_BARS = 1000
DEFAULT_TEMPO_BPM = 100.0
NAME = "Melody"


@dataclass(frozen=True)
class Wish:
    """What all ways of composing have in common; see `MelodyModel.generate` for the meanings."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition: float = 1.0
    method: str = "sample"
    candidates: int = 1
    constraints: Path | None = None
    line: str = "auto"

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Wish:
        """Take from the arguments of an ability what belongs here."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in arguments.items() if name in names})

    def way(self, steps_per_beat: int) -> Way:
        """Return how to fill; raises `BadInput` for values out of range."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p, self.typical_p, self.repetition)
        return Way(self.method, self.candidates, None, sampling, steps_per_beat)

    def rules(self) -> Constraints:
        """Return the rules of the constraint file."""
        return Constraints() if self.constraints is None else Constraints.read(self.constraints)


def fill(model: MelodyModel, sheet: Sheet, seeds: Sequence[int], wish: Wish, progress: Progress, *,
         ending: Key | None = None, call: Grid | None = None) -> list[tuple[Grid, Filled]]:
    """Return the filled grids of one sheet, one a seed.

    Args:
        model: what composes.
        sheet: what is given, and what may be written.
        seeds: of each piece.
        wish: how to compose.
        progress: told how far it is.
        ending: the key (as the model hears it) whose tonic ends the piece, where no rule speaks against it.
        call: what is heard before the sheet begins, and is no part of it.
    """
    if min(seeds, default=0) < 0:
        raise BadInput(f"seed={min(seeds)}: a seed is 0 or more")
    way, grid = wish.way(model.tokens.steps_per_beat), sheet.grid
    frame = Frame(len(sheet), 1, grid.steps_per_beat, grid.numerator, grid.denominator, grid.pickup_steps)
    rules = wish.rules()
    possible = sheets.with_rests_of(sheet.possible, rules, frame)
    automaton = automaton_of(model, sheet, rules.transposed(sheet.moved), frame, possible, ending)
    count = model.tokens.highest - model.tokens.lowest + 1
    sounding = np.where(grid.pitches == SILENT_CELL, count, grid.pitches.astype(np.int64) - model.tokens.lowest)
    known = np.where(sheet.fixed == sheets.OPEN, -1, sounding)[:sheet.until]
    tasks = [Task(automaton, seed, known) for seed in seeds]
    reader = model.reader(grid if call is None else call, len(seeds) * way.versions)
    if call is not None:
        with torch.inference_mode():
            symbols = torch.from_numpy(model.tokens.encode(call).astype(np.int64))
            reader.hear(symbols.expand(len(seeds) * way.versions, -1, -1))  # type: ignore[attr-defined]
    done = Filling(tasks, reader, 1, way).run(progress)
    return [(decoded(model, sheet, each), each) for each in done]


def automaton_of(model: MelodyModel, sheet: Sheet, rules: Constraints, frame: Frame, possible: np.ndarray,
                 ending: Key | None) -> Any:
    """Return what tells of each step what it may be; a tonic at the end gives way to rules that speak against it."""
    limits = {"lowest": model.tokens.lowest, "highest": model.tokens.highest, "fixed": sheet.fixed,
              "possible": possible}
    if ending is not None:
        bars = -(-len(sheet) // sheets.bar_steps(frame.numerator, frame.denominator, frame.steps_per_beat))
        beats = 4 * frame.numerator / frame.denominator
        tonic = read_rule(0, f"bar {bars} beat {max(np.ceil(beats), 1):g}: pitches {ending.tonic_name}")
        still = read_rule(0, f"bar {bars} beat {max(np.ceil(beats), 1):g}: no rests")
        try:
            return compiled(replace(rules, rules=(*rules.rules, tonic, still)), frame, **limits)
        except BadInput:
            pass
    return compiled(rules, frame, **limits)


def decoded(model: MelodyModel, sheet: Sheet, done: Filled) -> Grid:
    """Return the grid of a filled sheet, with what follows the part that was read."""
    symbols = np.concatenate([done.symbols, sheet.fixed[sheet.until:]])
    return model.tokens.decode(symbols, like=replace(sheet.grid, ties_known=True))


# new pieces

def new_pieces(model: MelodyModel, seeds: Sequence[int], wish: Wish, progress: Progress, *, bars: int,
               key: str | None, meter: str | None, tempo: float | None, stop: bool) -> list[Score]:
    """Compose new melodies side by side."""
    check_bars(bars)
    if stop and not model.knows_endings:
        raise BadInput(f"{model.name} has not learned where melodies end: leave out stop")
    if stop and wish.constraints is not None:
        raise BadInput("stop may end a melody before its rules are kept: leave out stop or constraints")
    if tempo is not None and not 5 <= tempo <= 500:
        raise BadInput(f"tempo_bpm={tempo}: the tempo has to be between 5 and 500 quarter notes a minute")
    wanted = None if key is None else parse_key(key)
    asked_meter = model.learned.meter if meter is None else parse_meter(meter)
    sheet = sheets.empty_sheet(model.tokens, model.learned.ranges, bars=bars, meter=asked_meter,
                               rests=model.learned.rests)
    sheet.possible[0, 0, :FIRST_PITCH] = False  # it begins with a note
    home, back = None, 0
    if wanted is not None and model.normalised:
        home = Key.parse("A minor" if wanted.is_minor else "C major")
        back = (wanted.tonic_pitch_class - home.tonic_pitch_class + 5) % 12 - 5
    elif wanted is not None:
        home = wanted
    sheet = replace(sheet, moved=-back)
    if stop and wish.method == "sample":  # the likeliest of several would be one that hardly ends
        wish = replace(wish, candidates=1)
    pieces = []
    for (grid, _), seed in zip(fill(model, sheet, seeds, wish, progress, ending=home), seeds, strict=True):
        grid = stopped(grid, model.endings(grid), seed) if stop else grid
        free = wanted is None and wish.constraints is None and model.normalised
        grid = shifted(grid, nearby(seed) if free else back)
        score = from_grid(grid, tempo_bpm=tempo or DEFAULT_TEMPO_BPM, names=(NAME,))
        score.key_signatures.append(key_signature(wanted or key_in(score)))
        pieces.append(score)
    return pieces


def stopped(grid: Grid, endings: np.ndarray, seed: int) -> Grid:
    """Return a melody that ends where it is drawn to end, rests to the next bar line and goes no further.

    Whether it ends after a step depends on the steps up to it alone, so that it may be drawn afterwards.

    Args:
        grid: the melody.
        endings: [steps] how likely it is to end after each step.
        seed: same seed, same end.
    """
    drawn = np.random.default_rng([seed, 11]).random(len(endings))
    ends = np.flatnonzero(drawn[:-1] < endings[:-1])
    if not len(ends):
        return grid
    bar, last = sheets.bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat), int(ends[0])
    pitches, held = grid.pitches.copy(), grid.held.copy()
    pitches[last + 1:], held[last + 1:] = SILENT_CELL, False
    steps = min(-(-(last + 1) // bar) * bar, len(grid))
    return replace(grid, pitches=pitches[:steps], held=held[:steps])


def nearby(seed: int) -> int:
    """Return the transposition from C major or A minor to a key nearby that a seed draws."""
    return int(np.random.default_rng([seed, 7]).integers(-3, 4))


# going on

def continued(model: MelodyModel, score: Score, seed: int, wish: Wish, progress: Progress, *, bars: int | None,
              total_bars: int | None) -> Score:
    """Return a score followed by new music: ``bars`` more, or so many that it has ``total_bars`` in all."""
    check_bars(total_bars if bars is None else bars)
    found = to_the_end(model.hear(score, wish.line), score)
    grid = found.grid
    length = sheets.bar_steps(grid.numerator, grid.denominator, grid.steps_per_beat)
    whole = -(-(len(grid) - grid.pickup_steps) // length)
    steps = grid.pickup_steps + (whole + bars if bars is not None else total_bars or 1) * length
    if len(grid) >= steps:
        raise BadInput(f"the prompt is {len(grid) / length:.1f} bars long and the whole piece is to have {total_bars} "
                       "bars; ask for more bars")
    start = len(grid)
    (done, _), = fill(model, after(model, found, steps), [seed], wish, progress)
    new = replace(done, pitches=done.pitches[start:], held=done.held[start:], pickup_steps=0, key=None, fermatas=())
    written = from_grid(shifted(new, -found.moved), tempo_bpm=tempo_bpm(score), names=(NAME,))
    return joined(score, found, written, start / grid.steps_per_beat)


def to_the_end(found: Heard, score: Score) -> Heard:
    """Return a melody that rests until the end of its score, where other tracks are longer."""
    steps = int(round_half_up(end_beats(score) * found.grid.steps_per_beat))
    return replace(found, grid=sheets.lengthened(found.grid, max(steps, len(found.grid))))


def after(model: MelodyModel, found: Heard, steps: int) -> Sheet:
    """Return the sheet of what follows a melody."""
    sheet = sheets.sheet_after(found.grid, model.tokens, ranges_with(model, found.grid), steps=steps,
                               rests=model.learned.rests)
    return replace(sheet, moved=found.moved)


def ranges_with(model: MelodyModel, grid: Grid) -> np.ndarray:
    """Return from where to where it may write: where the melody lies beyond what was learned, so may the new part."""
    pitches = grid.pitches[grid.pitches != SILENT_CELL]
    low, high = model.learned.ranges[0]
    return np.array([[min(low, int(pitches.min())), max(high, int(pitches.max()))]])


def joined(score: Score, found: Heard, written: Score, at_beats: float) -> Score:
    """Return a score followed by new notes in the track of its melody, as loud as the melody is."""
    whole = score.copy()
    notes = note_arrays(written.tracks[0])
    added = score.copy()
    for track in added.tracks:
        track.notes.clear()
        for part in (track.controls, track.pitch_bends, track.pedals, track.lyrics):
            part.clear()
    for events in (added.tempos, added.time_signatures, added.key_signatures, added.markers):
        events.clear()
    set_notes(added.tracks[found.line.place], notes | {"velocity": as_loud(found.line.track, len(notes["time"]))})
    names = [track.name for track in whole.tracks]
    for number, (mine, other) in enumerate(zip(whole.tracks, added.tracks, strict=True)):
        mine.name = other.name = str(number)  # tracks meet by name, and names of the user's may be alike
    added.markers.extend(type(added.markers)(written.markers))
    whole = concatenate(whole, added, at_beats)
    for track, name in zip(whole.tracks, names, strict=True):
        track.name = name
    return whole


# new passages

def infilled(model: MelodyModel, score: Score, where: str, seed: int, wish: Wish, progress: Progress) -> Score:
    """Return a score with new music in some bars of its melody."""
    places = passages(score, where)
    found = to_the_end(model.hear(score, wish.line), score)
    sheet = sheets.sheet_around(found.grid, places, model.tokens, model.learned.ranges, rests=model.learned.rests,
                                may_end=wish.constraints is not None)
    (done, _), = fill(model, replace(sheet, moved=found.moved), [seed], wish, progress)
    written = from_grid(shifted(done, -found.moved), names=(NAME,))
    new, place = score.copy(), found.line.place
    notes = note_arrays(written.tracks[0])
    set_notes(new.tracks[place], notes | {"velocity": as_loud(found.line.track, len(notes["time"]))})
    done = filled(score, new, places)
    done.tracks = type(done.tracks)([(done if number == place else score).tracks[number].copy()
                                     for number in range(len(score.tracks))])
    return done


# what all of them need

def as_loud(track: Track, count: int) -> np.ndarray:
    """Return velocities for so many new notes: the median of a track's own."""
    return np.full(count, max(int(np.median(note_arrays(track)["velocity"])), 1))


def check_bars(bars: int | None) -> None:
    """Raise `BadInput` for lengths that cannot be composed."""
    if bars is None or not 1 <= bars <= MOST_BARS:
        raise BadInput(f"bars={bars}: between 1 and {MOST_BARS} bars can be composed")
