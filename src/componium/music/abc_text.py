"""Writing a score as ABC, to be read again by `abc` and by other programs."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from componium.music.keys import LINE_OF_FIFTHS, Key, spell
from componium.music.score import (
    CLOSE_BEATS,
    FERMATA,
    Bar,
    Note,
    Score,
    Track,
    bars,
    key_signature_of,
    meter,
    tempo_bpm,
    voices,
)
from componium.music.theory import key_of
from componium.music.voices import is_monophonic, split_voices

FINEST_PARTS = 96
"""Times are written to the nearest 1/96 of a beat, which holds 32nds and triplets of 16ths."""
_UNITS_PER_BEAT = 2  # L:1/8


def abc_text(score: Score, *, title: str = "") -> str:
    """Return a score as one ABC tune, a voice per track (drums left out; tracks with chords become several
    voices).

    Accidentals follow the key signature, or the estimated key where there is none; fermatas, pickup, meter
    and key changes at bar lines are kept.
    """
    lines = ["X:1", f"T:{' '.join(title.split()) or 'Untitled'}", "M:{}/{}".format(*meter(score)), "L:1/8",
             f"Q:1/4={round(tempo_bpm(score))}", f"K:{_abc_key(key_signature_of(score) or Key.of(0, 'major'))}"]
    tracks = _lines(score)
    key = key_signature_of(score) or (key_of(score)[0] if tracks else Key.of(0, "major"))
    grid = bars(score)
    for number, track in enumerate(tracks, 1):
        name = track.name.replace('"', "'")
        if len(tracks) > 1:
            lines.append(f'V:{number} name="{name}"')
        lines += _voice(score, track, grid, key)
    return "\n".join(lines) + "\n"


def _lines(score: Score) -> list[Track]:
    """Return monophonic tracks."""
    found = []
    for track in voices(score):
        alone = Score(480)
        alone.tracks.append(track.copy())
        found += [track] if is_monophonic(track) else list(split_voices(alone).tracks)
    return found


def _voice(score: Score, track: Track, grid: list[Bar], key: Key) -> list[str]:
    """Return the music lines of a voice, four bars each."""
    pieces, state = _pieces(track, grid), (meter(score), key_signature_of(score))
    fermatas = {_parts(event.time) for event in score.markers if event.text == FERMATA}
    written = []
    for number, bar in enumerate(grid):
        prefix, state = _changes(score, bar, state)
        accidentals: dict[str, int] = {}
        text = [prefix] if prefix else []
        for start, length, names, tied in pieces[number]:
            mark = "!fermata!" if names and start in fermatas else ""
            text.append(mark + _token(names, length, tied, accidentals, state[1], key))
        written.append(" ".join(text) + (" |]" if number == len(grid) - 1 else " |"))
    return [" ".join(written[first:first + 4]) for first in range(0, len(written), 4)]


_Piece = tuple[Fraction, Fraction, tuple[int, int | None] | None, bool]


def _pieces(track: Track, grid: list[Bar]) -> dict[int, list[_Piece]]:
    """Cut a voice at bar lines: bar -> (start, length, (pitch, next pitch) or None for a rest, tied on)."""
    notes = sorted(track.notes, key=lambda note: note.time)
    filled: dict[int, list[_Piece]] = defaultdict(list)
    first = 0
    for number, bar in enumerate(grid):
        place, end = _parts(bar.start_beats), _parts(bar.end_beats)
        while first < len(notes) and _note_end(notes, first) <= place:
            first += 1
        for index in range(first, len(notes)):
            start, stop = _parts(notes[index].time), _note_end(notes, index)
            if start >= end:
                break
            if start > place:
                filled[number].append((place, start - place, None, False))
            begin = max(start, place)
            following = notes[index + 1].pitch if index + 1 < len(notes) else None
            filled[number].append((begin, min(stop, end) - begin, (notes[index].pitch, following), stop > end))
            place = min(stop, end)
        if place < end:
            filled[number].append((place, end - place, None, False))
    return filled


def _note_end(notes: list[Note], index: int) -> Fraction:
    """Return a note's end, at most the start of the next one, at least one part after its own."""
    start = _parts(notes[index].time)
    end = max(_parts(notes[index].end), start + Fraction(1, FINEST_PARTS))
    return min(end, _parts(notes[index + 1].time)) if index + 1 < len(notes) else end


def _parts(time_beats: float) -> Fraction:
    return Fraction(round(time_beats * FINEST_PARTS), FINEST_PARTS)


def _token(pitches: tuple[int, int | None] | None, length: Fraction, tied: bool, accidentals: dict[str, int],
           signature: Key | None, key: Key) -> str:
    units = length * _UNITS_PER_BEAT
    size = ("" if units.numerator == 1 else str(units.numerator)) + \
        ("" if units.denominator == 1 else f"/{units.denominator}")
    if pitches is None:
        return "z" + size
    name = spell(pitches[0], key, next=pitches[1])
    letter, octave = name[0], int(name.lstrip("ABCDEFG#b"))
    alteration = name.count("#") - name[1:].count("b")
    sharps = signature.signature if signature else 0
    place = LINE_OF_FIFTHS.index(letter)
    known = accidentals.get(f"{letter}{octave}", (place < sharps) - (place >= 7 + sharps))
    sign = "" if known == alteration else {0: "=", 1: "^", 2: "^^", -1: "_", -2: "__"}[alteration]
    accidentals[f"{letter}{octave}"] = alteration
    if octave >= 5:
        letter, marks = letter.lower(), "'" * (octave - 5)
    else:
        marks = "," * (4 - octave)
    return sign + letter + marks + size + ("-" if tied else "")


def _changes(score: Score, bar: Bar, state: tuple[tuple[int, int], Key | None],
             ) -> tuple[str, tuple[tuple[int, int], Key | None]]:
    """Return the inline fields of what changes at a bar, and what holds from there."""
    text, (numbers, key) = "", state
    if bar.index > 0 and (bar.numerator, bar.denominator) != numbers:
        numbers = (bar.numerator, bar.denominator)
        text += f"[M:{bar.numerator}/{bar.denominator}]"
    for event in score.key_signatures:
        if abs(event.time - bar.start_beats) < CLOSE_BEATS and bar.start_beats > 0:
            key = Key.from_signature(event.key, "minor" if event.tonality else "major")
            text += f"[K:{_abc_key(key)}]"
    return text, (numbers, key)


def _abc_key(key: Key) -> str:
    return key.tonic_name + {"major": "", "minor": "m"}.get(key.mode, key.mode[:3])
