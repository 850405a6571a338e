"""Reading ABC, the notation of folk tunes (abcnotation.com, standard 2.1), without another program.

Read are: several tunes a file, voices, keys with modes, meter, tempo, lengths, accidentals within the bar,
ties, chords, tuplets, broken rhythm, repeats with endings (played out), fermatas, inline fields and pickups.
Left out are words, chord symbols, grace notes, ornaments and stray signs. Not read is the overlay sign ``&``.
"""

from __future__ import annotations

import re
from fractions import Fraction

from componium.music.abc_fields import LENGTH, read_endings, read_key, read_length, read_meter, read_tempo
from componium.music.abc_voice import Voice, played
from componium.music.errors import BadInput
from componium.music.keys import LETTER_PITCH_CLASSES, LINE_OF_FIFTHS
from componium.music.score import (
    DEFAULT_VELOCITY,
    FERMATA,
    PHRASE_END,
    KeySignature,
    Note,
    Score,
    Tempo,
    TextMeta,
    Track,
    key_signature,
    new_score,
    set_pickup,
)
from componium.music.score import TimeSignature as Meter

_NOTE = rf"(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[',]*)(?P<length>{LENGTH})"
_TOKENS = re.compile(
    rf"(?P<field>\[[A-Za-z]:[^\]]*\])|(?P<text>\"[^\"]*\"|\{{[^}}]*\}})|(?P<decoration>![^!|]*!|\+[a-z]+\+)"
    rf"|(?P<tuplet>\(\d(?::\d*){{0,2}})|(?P<bar>:*\[\|[\]|]*|:*\|[|\]:]*|::+|\])|(?P<ending>\[\d(?:[,-]\d)*)|(?P<digits>\d(?:[,-]\d)*)"
    rf"|(?P<note>{_NOTE})|(?P<rest>[zxZX])(?P<rest_length>{LENGTH})|(?P<chord>\[)|(?P<tie>-)"
    rf"|(?P<broken>>+|<+)|(?P<fermata>H)|(?P<other>[\s()`$*\\.~I-Yh-wy!=^_+/,'}}])|(?P<repeat>:)|(?P<unknown>.)")
_CHORD_END = re.compile(rf"\](?P<length>{LENGTH})")
_ACCIDENTALS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}


Lines = list[tuple[int, str]]
"""The lines of a tune, each with its number in the file."""


def parse_abc(text: str) -> list[Score]:
    """Return the tunes of an ABC text. Raises `BadInput` with the line where one cannot be read."""
    return [parse_tune(lines) for lines in tune_lines(text)]


def tune_lines(text: str) -> list[Lines]:
    """Return the lines of each tune, without comments. Raises `BadInput` where no tune begins."""
    tunes: list[Lines] = []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*X:(?![|:])", line):  # as of every field: before | and : it is music
            tunes.append([])
        if tunes:
            tunes[-1].append((number, re.sub(r"(?<!\\)%.*", "", line).strip()))
    if not tunes:
        raise BadInput("is not ABC: no tune begins (a line X:1)")
    return tunes


def parse_tune(lines: Lines, *, lines_are_phrases: bool = False) -> Score:
    """Return one tune. Raises `BadInput` with the line that cannot be read.

    Args:
        lines: of the tune, from its X: on, with their numbers in the file.
        lines_are_phrases: whether each line of music is a phrase of the song, to be marked at its end.
    """
    voices: dict[str, Voice] = {}
    header = {"L": "", "M": "4/4", "Q": "", "T": "", "K": ""}
    names: dict[str, str] = {}
    current: Voice | None = None
    for number, line in lines:
        try:
            found = re.match(r"([A-Za-z]):(?![|:])(.*)", line)
            if (not found or found[1] in "LMQ") and re.search(r"\d{10}", line):
                raise BadInput("a number has more than 9 digits")
            if found and found[1] == "V":
                name = found[2].split()[0] if found[2].split() else "1"
                told = re.search(r"(?:name|nm)=\"?([^\"]*)\"?", found[2])
                names[name] = told[1] if told else names.get(name, "")
                if header["K"]:
                    current = voices.setdefault(name, _new_voice(name, header))
            elif found and not header["K"]:
                if found[1] in header and not (found[1] == "T" and header["T"]):
                    header[found[1]] = found[2].strip() or ("C" if found[1] == "K" else "")
            elif found:
                if current:
                    _field(current, found[1], found[2].strip())
            elif line and header["K"]:
                if current is None:
                    current = voices.setdefault("1", _new_voice("1", header))
                current = _music(line, current, voices, header)
                if lines_are_phrases:
                    current.bar.events.append((current.bar.length, TextMeta(0.0, PHRASE_END)))
        except BadInput as error:
            raise BadInput(f"line {number}: {error}") from error
    if not header["K"]:
        raise BadInput(f"line {lines[0][0]}: is not ABC: the tune has no key (a line K:)")
    return _score(header, voices, names)


def _new_voice(name: str, header: dict[str, str]) -> Voice:
    meter = read_meter(header["M"])
    unit = read_length(header["L"]) * 4 if header["L"] else \
        Fraction(1, 4 if Fraction(meter[0], meter[1]) < Fraction(3, 4) else 2)
    return Voice(name, unit, meter, read_key(header["K"]))


def _music(line: str, voice: Voice, voices: dict[str, Voice], header: dict[str, str]) -> Voice:
    """Read a line of music; returns the voice in which it ends."""
    position, after_bar = 0, False
    while position < len(line):
        found = _TOKENS.match(line, position)
        assert found is not None
        position, kind = found.end(), found.lastgroup
        if found["field"]:
            name, content = found["field"][1], found["field"][3:-1].strip()
            if name == "V":
                voice = voices.setdefault(content, _new_voice(content, header))
            else:
                _field(voice, name, content)
        elif found["chord"]:
            position = _chord(line, position, voice)
        elif found["note"]:
            voice.add([_pitch(found, voice)], voice.unit * read_length(found["length"]))
        elif found["rest"]:
            length = voice.unit * read_length(found["rest_length"])
            if found["rest"] in "ZX":
                length = Fraction(4 * voice.meter[0], voice.meter[1]) * read_length(found["rest_length"])
            voice.add([], length)
        elif found["bar"]:
            voice.close_bar(found["bar"])
        elif found["ending"] or (found["digits"] and after_bar):
            voice.endings = voice.bar.endings = read_endings(found["ending"] or found["digits"])
        elif found["repeat"]:  # a bar line was forgotten beside the colon
            voice.close_bar("|:" if not line[:found.start()].strip() else ":|")
        elif kind == "unknown":
            raise BadInput(f"column {found.start() + 1}: {found['unknown']!r} cannot be read")
        else:
            _sign(found, voice)
        after_bar = bool(found["bar"]) or (after_bar and found[0].isspace())
    return voice


def _sign(found: re.Match[str], voice: Voice) -> None:
    """Take a sign that changes what is around it."""
    if found["tuplet"]:
        notes, *rest = found["tuplet"][1:].split(":")
        compound = voice.meter[0] % 3 == 0 and voice.meter[0] > 3
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(int(notes), 3 if compound else 2)
        time = int(rest[0]) if rest and rest[0] else usual
        voice.tuplet = (Fraction(time, max(1, int(notes))), int(rest[1]) if rest[1:] and rest[1] else int(notes))
    elif found["tie"] and voice.bar.sounds:
        voice.bar.sounds[-1].tied = True
    elif found["broken"] and voice.bar.sounds:
        short = Fraction(1, 2 ** len(found["broken"]))
        before, after = (2 - short, short) if found["broken"][0] == ">" else (short, 2 - short)
        last = voice.bar.sounds[-1]
        voice.bar.length += last.length * (before - 1)
        last.length, voice.broken = last.length * before, after
    elif found["fermata"] or (found["decoration"] or "").strip("!+") == "fermata":
        voice.fermata = True


def _chord(line: str, position: int, voice: Voice) -> int:
    """Read a chord after its opening bracket; returns where it ends."""
    pitches: list[int] = []
    length, tied = Fraction(0), False
    while True:
        found, end = _TOKENS.match(line, position), _CHORD_END.match(line, position)
        if end:
            voice.add(pitches, voice.unit * length * read_length(end["length"]))
            voice.bar.sounds[-1].tied = tied
            return end.end()
        if found is None or not any(found[kind] for kind in ("note", "tie", "decoration", "fermata", "other")):
            raise BadInput(f"column {position + 1}: a chord does not end")
        if found["note"]:
            pitches.append(_pitch(found, voice))
            length = length or read_length(found["length"])
        elif found["fermata"] or "fermata" in (found["decoration"] or ""):
            voice.fermata = True
        tied = tied or bool(found["tie"])
        position = found.end()


def _pitch(found: re.Match[str], voice: Voice) -> int:
    """Return the MIDI pitch of a note; its accidental holds for the bar."""
    letter, octave = found["letter"], found["octave"]
    place = (letter, octave)
    if found["accidental"]:
        voice.altered[place] = _ACCIDENTALS[found["accidental"]]
    sharps = voice.key.signature
    in_key = (LINE_OF_FIFTHS.index(letter.upper()) < sharps) - (LINE_OF_FIFTHS.index(letter.upper()) >= 7 + sharps)
    height = 12 * (octave.count("'") - octave.count(",") + letter.islower())
    pitch = 60 + LETTER_PITCH_CLASSES[letter.upper()] + height + voice.altered.get(place, in_key)
    if not 0 <= pitch <= 127:
        raise BadInput(f"the note {found['note']} lies outside MIDI's range")
    return pitch


def _field(voice: Voice, name: str, content: str) -> None:
    """Take a field inside the tune: key, meter, unit length or tempo change from here on."""
    if name == "K" and re.match(r"[A-G]|HP|Hp|none|$", content):
        voice.key = read_key(content)
        voice.bar.events.append((voice.bar.length, key_signature(voice.key)))
    elif name == "M":
        voice.meter = read_meter(content)
        voice.bar.events.append((voice.bar.length, Meter(0.0, *voice.meter)))
    elif name == "L":
        voice.unit = read_length(content) * 4
    elif name == "Q":
        voice.bar.events.append((voice.bar.length, Tempo(0.0, qpm=read_tempo(content, voice.unit))))


def _score(header: dict[str, str], voices: dict[str, Voice], names: dict[str, str]) -> Score:
    first = next(iter(voices.values()), None) or _new_voice("1", header)
    begin = _new_voice("1", header)
    score = new_score(tempo_bpm=read_tempo(header["Q"], begin.unit), numerator=begin.meter[0],
                      denominator=begin.meter[1], key=begin.key)
    opening = played(first.bars)[0].length
    full = Fraction(4 * begin.meter[0], begin.meter[1])
    if header["M"] == "none":
        score.time_signatures.clear()
    elif len(first.bars) > 2 and 0 < opening < full and (opening * 16).denominator == 1:
        score = set_pickup(score, float(opening))
    for place, voice in enumerate(voices.values()):
        usual = header["T"] if len(voices) == 1 else voice.name if not voice.name.isdigit() else f"Voice {place + 1}"
        score.tracks.append(_track(voice, names.get(voice.name) or usual, score, place == 0))
    return score


def _track(voice: Voice, name: str, score: Score, leads: bool) -> Track:
    """Return a voice as a track; the leading voice gives the score its changes and fermatas."""
    track, time = Track(name, 0, False), Fraction(0)
    open_ties: dict[int, Note] = {}
    for bar in played(voice.bars):
        for offset, event in bar.events if leads else []:
            event.time = float(time + offset)
            places = {Meter: score.time_signatures, KeySignature: score.key_signatures, Tempo: score.tempos,
                      TextMeta: score.markers}
            places[type(event)].append(event.copy())  # type: ignore[attr-defined]
        for sound in bar.sounds:
            start, ties = time + sound.start, {}
            for pitch in dict.fromkeys(sound.pitches):
                note = open_ties.get(pitch)
                if note is None:
                    track.notes.append(Note(float(start), float(sound.length), pitch, DEFAULT_VELOCITY))
                    note = track.notes[len(track.notes) - 1]
                else:
                    note.duration = float(start + sound.length) - note.time
                if sound.tied:
                    ties[pitch] = note
            open_ties = ties
            if sound.fermata and not any(abs(m.time - float(start)) < 1e-3 for m in score.markers):
                score.markers.append(TextMeta(float(start), FERMATA))
        time += bar.length
    return track
