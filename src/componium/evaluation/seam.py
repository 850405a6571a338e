"""Seams: how a passage that a model composed joins the music around it.

Conventions.

- ``infill`` composes some bars of a held-out piece anew, ``continue_`` goes on from its beginning; both as users have
  them. A *join* is a bar line between given and composed music: two around a passage, one before a continuation.
- *Likelihood*: nats per onset that a judge (the model itself, or another one) gives to the finished piece: at the
  joins, which is in the first quarter note after them; in the first quarter note after the other bar lines; and inside
  the bars, which is all the rest; apart for composed and for given music. The first bar line of a piece is left out, as
  there is nothing before it. The notes after a passage count as much as its own first notes.
- *Intervals*: the melodic intervals, repeated notes included, from the last note before a join (another bar line;
  none) to the next note of the same track, where not more than a quarter note lies between.
- *Own context against another's*: each passage is also put into another piece, in place of the passage that was
  composed there (of the same length, and with as many tracks), and judged in it: nats of all tokens in the quarter
  note after a join, as that is defined where no note begins too. A passage that answers its surroundings is less likely
  elsewhere; of the original passages the same is told, as what could be reached.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from componium.evaluation.likelihood import Data, opened, overlap_of
from componium.evaluation.seam_report import PLACES, Paired, Place, Seam, SeamReport
from componium.interface import Progress, TokenLikelihood, silent
from componium.music.corpus import Item, Skipped
from componium.music.errors import BadInput
from componium.music.score import CLOSE_BEATS, Bar, Score, bars, note_arrays, note_ends, set_notes
from componium.music.where import Passage, changes_outside, filled, inside, note_counts, passages

ABILITIES = ("infill", "continue_")
WHERE = ("middle", "random")
WINDOW_BEATS = 1.0
WIDE_SEMITONES = 4
Floats = npt.NDArray[np.float64]


def seam(model: Any, data: Data, *, judge: Any = None, bars: int = 2, where: str = "middle", seed: int = 0,
         most: int | None = None, progress: Progress = silent, **arguments: Any) -> SeamReport:
    """Let a model compose passages of pieces anew, and measure how they join the rest.

    Args:
        model: a model that has `infill`, `continue_`, or both; what it has is measured.
        data: pieces that it has not learned from, in any form that `likelihood.evaluate` takes.
        judge: a model that tells how likely music is; by default the model itself, where it can.
        bars: length of a passage.
        where: which bars: ``"middle"`` or ``"random"`` (a function of the seed) of each piece; or bars, ``"3-4"``.
        seed: of the first piece; the pieces after it have those that follow.
        most: the first so many pieces of the data only.
        progress: called with the fraction done.
        **arguments: of the abilities, such as ``top_p=0.9``; each ability gets those that it has.

    Raises:
        BadInput: the model has neither ability, none of them has such an argument, or there is no piece to measure.
    """
    able = [name for name in ABILITIES if hasattr(model, name)]
    _check(model, able, arguments, bars, where)
    if judge is None and hasattr(model, "log_likelihood"):
        judge = model
    corpus = opened(data, silent)
    items, skipped, seams = list(corpus)[:most], list(corpus.skipped), {}
    for number, ability in enumerate(able):
        def share(fraction: float, message: str = "", done: int = number) -> None:
            progress((done + fraction) / len(able), message)

        joined, refused = _composed(model, ability, items, bars, where, seed, arguments, share)
        skipped += [each for each in refused if each not in skipped]
        if joined:
            seams[ability] = _measured(ability, joined, judge, seed, share)
    if not seams:
        first = f" (the first: {skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise BadInput(f"{corpus.name}: the model {model.name} composed no passage that could be measured{first}")
    return SeamReport(model.name, "" if judge is None else judge.name, corpus.name, bars, where, seed, dict(arguments),
                      seams, overlap_of(model, items).sentence(len(items)).replace(
                          " The column `leak-free` leaves them out.", ""), tuple(skipped))


@dataclasses.dataclass(frozen=True)
class Joined:
    """A piece with a passage that was composed.

    Attributes:
        name: of the piece.
        original: as it was (of a continuation: as far as that goes).
        result: with the composed passage.
        place: the passage.
    """

    name: str
    original: Score
    result: Score
    place: Passage

    @property
    def joins(self) -> list[float]:
        """The bar lines between given and composed music, in beats."""
        ends = max((float(note_ends(track).max()) for track in self.original.tracks if len(track.notes)), default=0.0)
        return [self.place.start_beats] + [self.place.end_beats] * (self.place.end_beats < ends - CLOSE_BEATS)


def _check(model: Any, able: Sequence[str], arguments: Mapping[str, Any], count: int, where: str) -> None:
    if not able:
        raise BadInput(f"the model {model.name} neither fills in passages nor continues, so it has no seams")
    known = {name for ability in able for name in inspect.signature(getattr(model, ability)).parameters}
    for name in arguments:
        if name not in known:
            raise BadInput(f"{' and '.join(able)} of the model {model.name} have no argument {name}")
    if count < 1:
        raise BadInput(f"bars={count}: a passage has at least one bar")
    if where not in WHERE and not where[:1].isdigit():
        raise BadInput(f"where={where!r}: the passage is one of {', '.join(WHERE)}, or bars such as 3-4")


# Composing.

def _composed(model: Any, ability: str, items: Sequence[Item], count: int, where: str, seed: int,
              arguments: Mapping[str, Any], progress: Progress) -> tuple[list[Joined], list[Skipped]]:
    method = getattr(model, ability)
    own = {name: value for name, value in arguments.items() if name in inspect.signature(method).parameters}
    found, refused = [], []
    for number, item in enumerate(items):
        progress(0.6 * number / len(items), item.name)
        try:
            if not isinstance(item.content, Score):
                raise BadInput("it is a recording, not a score")
            place = passage_of(item.content, count, where, seed + number, ability)
            compose = infilled if ability == "infill" else continued
            found.append(compose(model, item.name, item.content, place, seed + number, own))
        except BadInput as error:
            refused.append(Skipped(item.name, str(error)))
    return found, refused


def passage_of(score: Score, count: int, where: str, seed: int, ability: str = "infill") -> Passage:
    """Return the passage of a piece that is to be composed anew; raises `BadInput` where the piece is too short."""
    if where not in WHERE:
        return passages(score, where)[0]
    full = [bar.index for bar in bars(score) if bar.index > 0]
    after = 1 if ability == "infill" else 0
    places = len(full) - count - after  # the first bar is always kept
    if places < 1:
        raise BadInput(f"it has {len(full)} bars: too few to compose {count} of them anew")
    chosen = 1 + (places // 2 if where == "middle" else int(np.random.default_rng(seed).integers(places)))
    return passages(score, f"{full[chosen]}-{full[chosen + count - 1]}")[0]


def infilled(model: Any, name: str, score: Score, place: Passage, seed: int, arguments: Mapping[str, Any]) -> Joined:
    """Return a piece with a passage that the model filled in; raises `BadInput` where it changed anything else."""
    result = model.infill(score, where=str(place), seed=seed, **arguments)
    changed = changes_outside(score, result, [place])
    if changed:
        raise BadInput(f"the model {model.name} changed more than bars {place}: {changed[0]}")
    return Joined(name, score, result, place)


def continued(model: Any, name: str, score: Score, place: Passage, seed: int, arguments: Mapping[str, Any]) -> Joined:
    """Return the beginning of a piece with a passage that the model went on with, as long as the original's."""
    given = cut(score, place.start_beats)
    made = model.continue_(given, bars=place.last - place.first + 1, seed=seed, **arguments)
    before, after = ({note: 1 for track in each.tracks for note in note_counts(track, _later(place))}
                     for each in (given, made))
    if before != after:
        raise BadInput(f"the model {model.name} changed the beginning that it was given")
    return Joined(name, cut(score, place.end_beats), cut(made, place.end_beats), place)


def _later(place: Passage) -> list[Passage]:
    return [dataclasses.replace(place, end_beats=np.inf)]


def cut(score: Score, end_beats: float) -> Score:
    """Return a score up to a time: notes that last longer end there, and events from there on are left out."""
    changed = score.copy()
    for track in changed.tracks:
        if not len(track.notes):
            continue
        notes, ends = note_arrays(track), np.minimum(note_ends(track), end_beats)
        stays = notes["time"] < end_beats - CLOSE_BEATS
        notes["duration"] = (ends - notes["time"]).astype(np.float32)
        set_notes(track, {key: column[stays] for key, column in notes.items()})
    for events in (changed.markers, changed.tempos, changed.time_signatures, changed.key_signatures):
        for number in reversed(range(len(events))):
            if events[number].time >= end_beats - CLOSE_BEATS and events[number].time > 0:
                del events[number]
    return changed


# Measuring.

def _measured(ability: str, joined: Sequence[Joined], judge: Any, seed: int, progress: Progress) -> Seam:
    partners = others(joined, seed)
    versions: dict[str, Sequence[Score | None]] = {
        "": [each.result for each in joined], "_original": [each.original for each in joined],
        "_other": _swapped(joined, partners, "result"), "_original_other": _swapped(joined, partners, "original")}
    nats: dict[str, Floats] = {name: np.zeros(2) for name in PLACES}
    per_piece: dict[str, list[float | None]] = {}
    for number, (version, scores) in enumerate(versions.items()):
        progress(0.6 + 0.1 * number, "judging")
        told = _judged(judge, scores)
        per_piece[version] = []
        for place, (each, likelihood) in enumerate(zip(joined, told, strict=True)):
            partner = partners[place] if version.endswith("other") else None
            host = each if partner is None else joined[partner]
            sums = {} if likelihood is None else by_place(likelihood, bars(host.result), host)
            at_join = sums.get("join", np.zeros(2))
            per_piece[version].append(float(at_join[0]) / len(host.joins) if sums else None)
            nats["join" + version] += at_join
            if not version:
                for name, value in sums.items():
                    nats[name] += value if name != "join" else 0.0
    steps = {"": intervals_of(joined, versions[""]), "_original": intervals_of(joined, versions["_original"])}
    sizes = {**steps[""], "join_original": steps["_original"]["join"]}
    places = {name: _place(nats[name], sizes.get(name, [])) for name in PLACES}
    return Seam(ability, len(joined), places, _paired(per_piece[""], per_piece["_other"]),
                _paired(per_piece["_original"], per_piece["_original_other"]))


def _judged(judge: Any, scores: Sequence[Score | None]) -> list[TokenLikelihood | None]:
    """Return the likelihood of each score, all at once where the judge can; None where it gives none."""
    there = [score for score in scores if score is not None]
    if judge is None or not there:
        return [None] * len(scores)
    found: list[TokenLikelihood | None] | None = None
    if hasattr(judge, "log_likelihood_many"):
        with contextlib.suppress(BadInput):  # one of them cannot be judged: which one is seen one by one
            found = list(judge.log_likelihood_many(there))
    told = iter([_judged_one(judge, score) for score in there] if found is None else found)
    usable = [None if score is None else next(told) for score in scores]
    return [each if each is not None and np.isfinite(each.nats).all() else None for each in usable]


def _judged_one(judge: Any, score: Score) -> TokenLikelihood | None:
    try:
        told: TokenLikelihood = judge.log_likelihood(score)
    except BadInput:
        return None
    return told


def others(joined: Sequence[Joined], seed: int) -> list[int | None]:
    """Return for each piece another one whose context its passage fits, drawn from the seed; None where none does."""
    order = np.random.default_rng(seed).permutation(len(joined))
    found: list[int | None] = []
    for number, each in enumerate(joined):
        fitting = [int(other) for other in order if other != number and _fits(each, joined[other])]
        found.append(fitting[number % len(fitting)] if fitting else None)
    return found


def _fits(one: Joined, other: Joined) -> bool:
    lengths = [each.place.end_beats - each.place.start_beats for each in (one, other)]
    tracks = [(len(each.original.tracks), len(each.result.tracks)) for each in (one, other)]
    return abs(lengths[0] - lengths[1]) < CLOSE_BEATS and tracks[0] == tracks[1]


def _swapped(joined: Sequence[Joined], partners: Sequence[int | None], which: str) -> list[Score | None]:
    """Return each passage in the context of its partner."""
    found: list[Score | None] = []
    for each, partner in zip(joined, partners, strict=True):
        if partner is None:
            found.append(None)
            continue
        host = joined[partner]
        found.append(filled(getattr(host, which), moved(getattr(each, which), each.place, host.place.start_beats),
                            [host.place]))
    return found


def moved(score: Score, place: Passage, start_beats: float) -> Score:
    """Return the notes of a passage alone, as if it started at another time."""
    changed = score.copy()
    for track in changed.tracks:
        if len(track.notes):
            notes = note_arrays(track)
            stays = inside(notes["time"], [place])
            notes["time"] = (notes["time"] - place.start_beats + start_beats).astype(np.float32)
            set_notes(track, {key: column[stays] for key, column in notes.items()})
    return changed


def by_place(told: TokenLikelihood, lines: Sequence[Bar], host: Joined) -> dict[str, Floats]:
    """Return (nats, onsets) of the tokens of a piece by the place they are in."""
    times = np.asarray(told.step, np.float64) / told.steps_per_beat
    near = np.zeros(len(times), np.int64)  # 1: after a bar line, 2: after a join
    for kind, starts in ((1, [bar.start_beats for bar in lines[1:]]), (2, host.joins)):
        for start in starts:
            near[(times >= start - CLOSE_BEATS) & (times < start + WINDOW_BEATS - CLOSE_BEATS)] = kind
    new = inside(times, [host.place])
    first = times < lines[0].start_beats + WINDOW_BEATS - CLOSE_BEATS
    classes = {"join": near == 2, "bar_line_kept": (near == 1) & ~new, "bar_line_new": (near == 1) & new,
               "inside_kept": (near == 0) & ~new & ~first, "inside_new": (near == 0) & new}
    nats, onset = np.asarray(told.nats, np.float64), np.asarray(told.onset, bool)
    return {name: np.array([nats[here].sum(), onset[here].sum()], np.float64) for name, here in classes.items()}


def intervals_of(joined: Sequence[Joined], scores: Sequence[Score | None]) -> dict[str, list[int]]:
    """Return the sizes in semitones of the melodic intervals of all pieces, by the place they are in."""
    found: dict[str, list[int]] = {name: [] for name in PLACES}
    for each, score in zip(joined, scores, strict=True):
        if score is None:
            continue
        lines = [bar.start_beats for bar in bars(score)]
        for track in score.tracks:
            if track.is_drum or len(track.notes) < 2:
                continue
            notes, ends = note_arrays(track), note_ends(track)
            order = np.argsort(notes["time"], kind="stable")
            starts, stops, pitches = notes["time"][order], ends[order], notes["pitch"][order].astype(int)
            for one in np.flatnonzero(starts[1:] - stops[:-1] <= WINDOW_BEATS + CLOSE_BEATS).tolist():
                name = _crossed(float(starts[one]), float(starts[one + 1]), each, lines)
                found[name].append(abs(int(pitches[one + 1]) - int(pitches[one])))
    return found


def _crossed(before: float, after: float, each: Joined, lines: Sequence[float]) -> str:
    """Return the place of an interval between two notes by what lies between their starts."""
    if any(before < join - CLOSE_BEATS <= after for join in each.joins):
        return "join"
    kind = "bar_line" if any(before < line - CLOSE_BEATS <= after for line in lines) else "inside"
    return kind + ("_new" if bool(inside(after, [each.place])) else "_kept")


def _place(nats: Floats, sizes: Sequence[int]) -> Place:
    wide = float(np.mean(np.asarray(sizes) > WIDE_SEMITONES)) if sizes else None
    return Place(float(nats[0] / nats[1]) if nats[1] else None, int(nats[1]),
                 float(np.mean(sizes)) if sizes else None, wide, len(sizes))


def _paired(own: Sequence[float | None], other: Sequence[float | None]) -> Paired | None:
    return Paired.of([one - two for one, two in zip(own, other, strict=True) if one is not None and two is not None])
