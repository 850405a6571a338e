"""Standard MIDI files, formats 0 and 1, through symusic; damage is found before its parser meets it.

Times survive exactly where they are whole ticks (480 a beat unless the score says otherwise: 16ths, triplets,
quintuplets). A note of no length, which some programs write, is read as one tick long.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from symusic import core

from componium.music.errors import BadFile
from componium.music.item import hash_of_score
from componium.music.origin import Origin
from componium.music.score import Score, round_half_up
from componium.music.voices import note_arrays, note_ends

LEAST_TICKS_PER_BEAT = 480
MOST_TICKS_PER_BEAT = 32767


def read_midi(path: str | Path) -> Score:
    """Read a MIDI file; raises `BadFile` with the reason where it is none or damaged.

    A file without notes gives a score without notes. Notes of no length become one tick long; meters and keys
    that do not exist (as damaged files have them) are left out.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    return parse_midi(data, path)


def parse_midi(data: bytes, path: object = "MIDI data") -> Score:
    """Read the bytes of a MIDI file; ``path`` is what errors call it."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":  # a MIDI file in a RIFF wrapper
        data = data[20:]
    _check_chunks(data, path)
    try:
        ticks = core.ScoreTick.from_midi(data)
        score: Score = ticks.to("quarter")  # type: ignore[assignment]
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0].removeprefix("MiniMidi: ").split("!", 1)[0]
        raise BadFile(path, f"is a damaged MIDI file ({reason})") from error
    for track, counted in zip(score.tracks, ticks.tracks, strict=True):
        if len(counted.notes):
            arrays = counted.notes.numpy()
            track.notes = core.NoteQuarterList.from_numpy(
                (arrays["time"] / np.float64(ticks.tpq)).astype(np.float32),
                (np.maximum(arrays["duration"], 1) / np.float64(ticks.tpq)).astype(np.float32),
                arrays["pitch"], arrays["velocity"])
    _drop_impossible(score)
    return score


def midi_bytes(score: Score, *, origin: Origin | None = None) -> bytes:
    """Return a score as a MIDI file of format 1, with names, programs, tempo, meters, keys and markers.

    Starts and ends go to the nearest tick, a note is at least one tick long; a velocity of 0, which MIDI
    reads as the end of a note, becomes 1. An origin is written as texts at the start of the first track.
    """
    ticks_per_beat = _ticks_per_beat(score.ticks_per_quarter)
    source = score.copy()
    source.ticks_per_quarter = ticks_per_beat
    ticks: core.ScoreTick = source.to("tick")  # type: ignore[assignment]
    for track, counted in zip(score.tracks, ticks.tracks, strict=True):
        if not len(track.notes):
            continue
        arrays = note_arrays(track)
        starts = round_half_up(arrays["time"] * np.float64(ticks_per_beat))
        ends = round_half_up(note_ends(track) * ticks_per_beat)
        counted.notes = core.NoteTickList.from_numpy(
            starts.astype(np.int32), np.maximum(ends - starts, 1).astype(np.int32),
            arrays["pitch"], np.maximum(arrays["velocity"], 1))
    ticks.sort(inplace=True)
    data = ticks.dumps_midi()
    return data if origin is None else origin.into(data, ".mid", music=hash_of_score(parse_midi(data)))


def _ticks_per_beat(given: int) -> int:
    """Return a resolution that holds the given one and is fine enough."""
    if given < 1:
        return LEAST_TICKS_PER_BEAT
    if given >= LEAST_TICKS_PER_BEAT:
        return min(given, MOST_TICKS_PER_BEAT)
    common = math.lcm(given, LEAST_TICKS_PER_BEAT)
    return common if common <= MOST_TICKS_PER_BEAT else given * math.ceil(LEAST_TICKS_PER_BEAT / given)


def _check_chunks(data: bytes, path: object) -> None:
    """Walk through the chunks of a MIDI file; raise `BadFile` where they cannot be what they say."""
    if not data:
        raise BadFile(path, "is empty")
    if data[:4] != b"MThd":
        raise BadFile(path, "is not a MIDI file (it does not begin with MThd)")
    if len(data) < 14:
        raise BadFile(path, "is cut short: a MIDI file has at least 14 bytes")
    length, kind, tracks, division = struct.unpack(">IHHH", data[4:14])
    if length < 6 or kind > 2:
        raise BadFile(path, "is a damaged MIDI file (its header makes no sense)")
    if kind == 2:
        raise BadFile(path, "is a MIDI file of format 2 (independent sequences): save it as format 1")
    if division & 0x8000:
        raise BadFile(path, "counts time in film frames (SMPTE), not in beats: export it with ticks per beat")
    if division == 0:
        raise BadFile(path, "is a damaged MIDI file (it has 0 ticks per beat)")
    position, found = 8 + length, 0
    while found < tracks:
        if position + 8 > len(data):
            raise BadFile(path, f"is cut short: it should have {tracks} tracks, {found} are there")
        name, size = struct.unpack(">4sI", data[position:position + 8])
        position += 8 + size
        if not (name.isascii() and name.decode("ascii").isprintable()):
            raise BadFile(path, f"is a damaged MIDI file (no track where track {found + 1} should begin)")
        if position > len(data):
            missing = position - len(data)
            raise BadFile(path, f"is cut short or damaged: {missing} bytes of track {found + 1} are missing")
        found += name == b"MTrk"


def _drop_impossible(score: Score) -> None:
    """Take meters, keys and tempos that do not exist out of a score, in place."""
    score.time_signatures = core.TimeSignatureQuarterList(
        [event for event in score.time_signatures if event.numerator and _is_power_of_two(event.denominator)])
    score.key_signatures = core.KeySignatureQuarterList(
        [event for event in score.key_signatures if abs(event.key) <= 7 and event.tonality in (0, 1)])
    score.tempos = core.TempoQuarterList([event for event in score.tempos if _is_tempo(event)])


def _is_power_of_two(denominator: int) -> bool:
    return denominator in (1, 2, 4, 8, 16, 32, 64)


def _is_tempo(event: Any) -> bool:
    return bool(event.mspq > 0)
