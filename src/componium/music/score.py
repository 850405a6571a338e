"""A score is symusic's score in quarter notes; here is what music needs on top of it.

Times and durations are quarter notes, called *beats* in every name, whatever the meter. No function changes
its argument. Bars come from the time signatures; a pickup is a first time signature that is shorter than the
second and lasts one bar of its own (1/4 at beat 0, 4/4 at beat 1), which survives MIDI and MusicXML. Fermatas
and phrase ends are markers with the fixed texts `FERMATA` (at the onset of the held chord) and `PHRASE_END`
(where the phrase ends).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic import core

from componium.music.errors import BadInput
from componium.music.keys import Key, pitch_name, signature_after
from componium.music.voices import (
    CLOSE_BEATS,
    VOICE_NAMES,
    Note,
    Score,
    Track,
    merge_voices,
    note_arrays,
    note_ends,
    set_notes,
    skyline,
    split_voices,
    voices,
)

Tempo = core.TempoQuarter
TimeSignature = core.TimeSignatureQuarter
KeySignature = core.KeySignatureQuarter
TextMeta = core.TextMetaQuarter

__all__ = [
    "CLOSE_BEATS", "END", "FERMATA", "PHRASE_END", "VOICE_NAMES", "Bar", "KeySignature", "Note", "Rounding",
    "Score", "Tempo", "TextMeta", "TimeSignature", "Track", "bar_beats", "bars", "beat_of", "check_meter",
    "concatenate", "copy_score", "end_beats", "key_signature", "key_signature_of", "length_beats",
    "merge_voices", "meter", "new_score", "note_arrays", "note_count", "note_ends", "pickup_beats",
    "pickup_meter", "quantise", "round_half_up", "seconds_at", "set_notes", "set_pickup", "skyline", "split_voices",
    "tempo_bpm", "transpose", "voices",
]

FERMATA = "fermata"
"""Marker text: the chord that starts here is held at will."""
PHRASE_END = "phrase end"
"""Marker text: a phrase ends here."""
END = "end"
"""Marker text: the piece ends here although its last notes ended earlier."""
DEFAULT_VELOCITY = 80
DEFAULT_TEMPO_BPM = 120.0
"""What a score without a tempo means (the MIDI default)."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        index: 0 for a pickup, 1 for the first full bar.
        start_beats: where it starts.
        end_beats: where it ends, by the meter or by the next time signature.
        numerator: of its time signature.
        denominator: of its time signature.
    """

    index: int
    start_beats: float
    end_beats: float
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Rounding:
    """What quantising changed.

    Attributes:
        notes: how many notes there are.
        moved_notes: how many of them start or end elsewhere now.
        largest_move_beats: the largest distance that a start or an end moved.
        lengthened: how many notes were shorter than half a step and became one step long.
    """

    notes: int
    moved_notes: int
    largest_move_beats: float
    lengthened: int


def new_score(*, tempo_bpm: float = 100.0, numerator: int = 4, denominator: int = 4,
              key: Key | str | None = None, ticks_per_beat: int = 480) -> Score:
    """Return a score without tracks, with a tempo, a meter and, where given, a key such as ``"G minor"``."""
    check_meter(numerator, denominator)
    if not (math.isfinite(tempo_bpm) and 4.0 <= tempo_bpm <= 1000.0):
        raise BadInput(f"tempo_bpm={tempo_bpm} is not a tempo: give 4 to 1000 beats a minute")
    score = Score(ticks_per_beat)
    score.tempos.append(Tempo(0.0, qpm=float(tempo_bpm)))
    score.time_signatures.append(TimeSignature(0.0, numerator, denominator))
    if key is not None:
        score.key_signatures.append(key_signature(key))
    return score


def key_signature(key: Key | str, time_beats: float = 0.0) -> KeySignature:
    """Return the key signature of a key at a time."""
    key = Key.parse(key) if isinstance(key, str) else key
    return KeySignature(time_beats, key.signature, int(key.mode == "minor"))


def key_signature_of(score: Score) -> Key | None:
    """Return the key that the first key signature states; `theory.key_of` estimates it from the notes."""
    for event in score.key_signatures:
        return Key.from_signature(event.key, "minor" if event.tonality else "major")
    return None


def check_meter(numerator: int, denominator: int) -> None:
    """Raise `BadInput` unless ``numerator/denominator`` is a meter that MIDI can hold."""
    if not 1 <= numerator <= 255 or denominator not in (1, 2, 4, 8, 16, 32, 64):
        raise BadInput(f"{numerator}/{denominator} is not a meter: the lower number is a power of two to 64")


def copy_score(score: Score) -> Score:
    """Return an independent copy."""
    return score.copy()


def length_beats(score: Score) -> float:
    """Return the end of the last note, or 0.0 for a score without notes."""
    return max((float(np.max(note_ends(track))) for track in score.tracks if len(track.notes)), default=0.0)


def end_beats(score: Score) -> float:
    """Return the end of the piece: of its last note, or the `END` marker if that is later."""
    marked = max((event.time for event in score.markers if event.text == END), default=0.0)
    return max(length_beats(score), float(marked))


def note_count(score: Score) -> int:
    """Return the number of notes, drums included."""
    return score.note_num()


def tempo_bpm(score: Score) -> float:
    """Return the first tempo in quarter notes a minute; 120 where none is stated, as in MIDI.

    Rounded to 0.001, as MIDI keeps whole microseconds a beat and would turn 90 into 89.99996.
    """
    return round(float(score.tempos[0].qpm), 3) if len(score.tempos) else DEFAULT_TEMPO_BPM


def seconds_at(score: Score, beats: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return where times in quarter notes fall in seconds, by the score's tempos; 120 a minute before the first."""
    tempos = sorted((float(tempo.time), float(tempo.qpm)) for tempo in score.tempos if tempo.qpm > 0)
    if not tempos or tempos[0][0] > 0.0:
        tempos.insert(0, (0.0, DEFAULT_TEMPO_BPM))
    changes, rates = np.array(tempos).T
    passed = np.concatenate([[0.0], np.cumsum(np.diff(changes) * 60.0 / rates[:-1])])
    times = np.asarray(beats, dtype=np.float64)
    place = np.maximum(np.searchsorted(changes, times, side="right") - 1, 0)
    return np.asarray(passed[place] + (times - changes[place]) * 60.0 / rates[place], dtype=np.float64)


def meter(score: Score) -> tuple[int, int]:
    """Return the first meter after a pickup as (numerator, denominator); 4/4 where none is stated."""
    signatures = _signatures(score)
    first = signatures[1] if _has_pickup(signatures) else signatures[0]
    return first[1], first[2]


def pickup_beats(score: Score) -> float:
    """Return the length of the pickup (anacrusis), 0.0 without one."""
    signatures = _signatures(score)
    return signatures[1][0] if _has_pickup(signatures) else 0.0


def set_pickup(score: Score, beats: float) -> Score:
    """Return the score with a pickup of ``beats`` (0 takes it away); notes stay where they are.

    Raises `BadInput` where the pickup is not shorter than a bar, or no multiple of a 64th note.
    """
    numerator, denominator = meter(score)
    if not 0.0 <= beats < bar_beats(numerator, denominator):
        raise BadInput(f"a pickup of {beats:g} beats does not fit a {numerator}/{denominator} bar")
    changed = score.copy()
    later = [s for s in _signatures(score) if s[0] > max(pickup_beats(score), beats) + CLOSE_BEATS]
    first = [(0.0, numerator, denominator)]
    if beats > 0.0:
        first = [(0.0, *pickup_meter(beats)), (float(beats), numerator, denominator)]
    changed.time_signatures.clear()
    changed.time_signatures.extend(core.TimeSignatureQuarterList([TimeSignature(*s) for s in first + later]))
    return changed


def pickup_meter(beats: float) -> tuple[int, int]:
    """Return the time signature whose one bar lasts ``beats``; raises `BadInput` below a 64th note's grid."""
    for denominator in (4, 8, 16, 32, 64):
        numerator = beats * denominator / 4
        if numerator >= 1 - 1e-6 and abs(numerator - round(numerator)) < 1e-4:
            return round(numerator), denominator
    raise BadInput(f"a pickup of {beats:g} beats cannot be written: use a multiple of 1/16 beat")


def parse_meter(text: str) -> tuple[int, int]:
    """Return numerator and denominator of a meter as it is written, such as 3/4; raises `BadInput` for what is none."""
    top, line, bottom = text.partition("/")
    if not line or not top.isdecimal() or not bottom.isdecimal() or not 1 <= int(top) <= 32 or \
            int(bottom) not in (1, 2, 4, 8, 16):
        raise BadInput(f"meter={text}: a meter is written like 4/4, 3/4 or 6/8")
    return int(top), int(bottom)


def bar_beats(numerator: int, denominator: int) -> float:
    """Return the length of a bar in quarter notes."""
    return numerator * 4.0 / denominator


def bars(score: Score) -> list[Bar]:
    """Return the bars that hold the piece, the last one whole; none for an empty score."""
    end = end_beats(score)
    found = []
    for bar in _all_bars(score):
        if bar.start_beats >= end - CLOSE_BEATS:
            break
        found.append(bar)
    return found


def beat_of(score: Score, time_beats: float) -> tuple[int, float]:
    """Return (index of the bar, beats since it started) of a time, which may lie after the end."""
    if not (math.isfinite(time_beats) and time_beats >= 0.0):
        raise BadInput(f"time_beats={time_beats} lies before the score starts")
    for bar in _all_bars(score):
        if time_beats < bar.end_beats - CLOSE_BEATS:
            return bar.index, max(0.0, time_beats - bar.start_beats)
    raise AssertionError("bars never end")


def transpose(score: Score, semitones: int) -> Score:
    """Return the score moved by ``semitones``, its key signatures with it; drums stay.

    Raises `BadInput`, naming the note, where one would leave MIDI's 0 to 127.
    """
    changed = score.copy()
    for track in changed.tracks:
        if track.is_drum or not len(track.notes):
            continue
        pitches = note_arrays(track)["pitch"].astype(np.int64) + semitones
        outside = np.flatnonzero((pitches < 0) | (pitches > 127))
        if len(outside):
            note = track.notes[int(outside[0])]
            raise BadInput(f"transposing by {semitones} semitones moves {pitch_name(note.pitch)} (track "
                           f"{track.name!r}, beat {note.time:g}) to {pitches[outside[0]]}, outside 0 to 127")
        track.shift_pitch(semitones, inplace=True)
    for event in changed.key_signatures:
        event.key = signature_after(event.key, bool(event.tonality), semitones)
    return changed


def quantise(score: Score, *, steps_per_beat: int = 4) -> tuple[Score, Rounding]:
    """Return the score with starts, ends and markers on a grid, and what that changed.

    Starts and ends are rounded (halves up) to multiples of ``1 / steps_per_beat``: 4 is 16ths, 12 and 24 hold
    triplets too. A note is never shorter than one step.
    """
    if steps_per_beat < 1:
        raise BadInput(f"steps_per_beat={steps_per_beat}: give at least 1")
    changed = score.copy()
    moved, largest, lengthened = 0, 0.0, 0
    for track in changed.tracks:
        if not len(track.notes):
            continue
        arrays = note_arrays(track)
        starts, ends = arrays["time"].astype(np.float64), note_ends(track)
        first, last = round_half_up(starts * steps_per_beat), round_half_up(ends * steps_per_beat)
        short = last <= first
        last = np.where(short, first + 1, last)
        moves = np.maximum(abs(first / steps_per_beat - starts), abs(last / steps_per_beat - ends))
        moved += int(np.sum(moves > CLOSE_BEATS / 4))
        largest, lengthened = max(largest, float(np.max(moves))), lengthened + int(np.sum(short))
        arrays["time"] = first / steps_per_beat
        arrays["duration"] = (last - first) / steps_per_beat
        set_notes(track, arrays)
    for event in changed.markers:
        event.time = float(round_half_up(np.float64(event.time * steps_per_beat))) / steps_per_beat
    return changed, Rounding(score.note_num(), moved, largest if moved else 0.0, lengthened)


def concatenate(first: Score, second: Score, at_beats: float) -> Score:
    """Return ``first`` followed by ``second``, whose beat 0 comes to lie at ``at_beats``.

    Tracks meet by name (and kind: drums or not); a track of ``second`` without a namesake meets the track in
    the same place where both scores have as many tracks, otherwise it is added. Tempo, meter, key and markers
    of ``second`` are kept where they change something.
    """
    if at_beats < 0.0:
        raise BadInput(f"at_beats={at_beats}: a score cannot be joined before the start of the other")
    joined, moved = first.copy(), second.shift_time(at_beats) if at_beats else second.copy()
    same_count = len(first.tracks) == len(second.tracks)
    for place, track in enumerate(moved.tracks):
        partner = _partner(joined, track, place if same_count else None)
        if partner is None:
            joined.tracks.append(track)
            continue
        for name in ("notes", "controls", "pitch_bends", "pedals", "lyrics"):
            getattr(partner, name).extend(getattr(track, name))
    _append_changes(joined.tempos, moved.tempos, lambda e: e.mspq)
    _append_changes(joined.time_signatures, moved.time_signatures, lambda e: (e.numerator, e.denominator))
    _append_changes(joined.key_signatures, moved.key_signatures, lambda e: (e.key, e.tonality))
    joined.markers = core.TextMetaQuarterList(
        [event for event in joined.markers if event.text != END] + list(moved.markers))
    joined.sort(inplace=True)
    return joined


def round_half_up(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Round to whole numbers, halves up (NumPy's own rounding takes them to the even neighbour)."""
    return np.floor(np.asarray(values, dtype=np.float64) + 0.5 + 1e-6).astype(np.int64)



def _signatures(score: Score) -> list[tuple[float, int, int]]:
    """Return (time, numerator, denominator) sorted, the first one at 0."""
    found = sorted((float(s.time), int(s.numerator), int(s.denominator)) for s in score.time_signatures
                   if s.numerator > 0 and s.denominator > 0)
    return found if found and found[0][0] < CLOSE_BEATS else [(0.0, 4, 4), *found]


def _has_pickup(signatures: list[tuple[float, int, int]]) -> bool:
    if len(signatures) < 2:
        return False
    length, next_length = (bar_beats(*signature[1:]) for signature in signatures[:2])
    return abs(signatures[1][0] - length) < CLOSE_BEATS and length < next_length - CLOSE_BEATS


def _all_bars(score: Score) -> Iterator[Bar]:
    """Yield bars without end; a time signature that comes early cuts the bar before it."""
    signatures = _signatures(score)
    index = 0 if _has_pickup(signatures) else 1
    for place, (start, numerator, denominator) in enumerate(signatures):
        limit = signatures[place + 1][0] if place + 1 < len(signatures) else math.inf
        length, count = bar_beats(numerator, denominator), 0
        while start + count * length < limit - CLOSE_BEATS:
            end = min(start + (count + 1) * length, limit)
            yield Bar(index, start + count * length, end, numerator, denominator)
            index, count = index + 1, count + 1


def _partner(score: Score, track: Track, place: int | None) -> Track | None:
    """Return the track of a score that another score's track continues."""
    named = [mine for mine in score.tracks if mine.name == track.name and mine.is_drum == track.is_drum]
    if len(named) == 1:
        return named[0]
    if place is not None and score.tracks[place].is_drum == track.is_drum:
        return score.tracks[place]
    return None


def _append_changes(mine: Any, others: Any, value: Callable[[Any], object]) -> None:
    """Append the events that change what holds before them, in place."""
    for event in others:
        before = [known for known in mine if known.time <= event.time + CLOSE_BEATS]
        if not before or value(max(before, key=lambda known: float(known.time))) != value(event):
            mine.append(event)
