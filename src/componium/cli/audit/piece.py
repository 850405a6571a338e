"""The pieces of an audit's page: a row each, and the music, facts and sound of those that get a card."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import numpy as np

from componium.cli.audit.audited import Audited, percent
from componium.cli.audit.picture import axis, picture
from componium.cli.pages import Piece, Take, make_takes
from componium.cli.pages.cards import clock
from componium.cli.pages.parts import Value
from componium.cli.pages.takes import file_names
from componium.cli.show import Progress
from componium.evaluation import pitch, rhythm
from componium.evaluation.outliers import RECORDING_FIGURES, SCORE_FIGURES, Figure, spoken, told
from componium.evaluation.recordings import EXCERPT_SECONDS, excerpt
from componium.music.errors import BadInput, ComponiumError
from componium.music.item import Item
from componium.music.keys import pitch_name
from componium.music.licences import licence_class, licence_name
from componium.music.origin import CONVERTED, PERFORMED, Origin
from componium.music.score import (
    Score,
    copy_score,
    key_signature_of,
    meter,
    note_arrays,
    note_ends,
    seconds_at,
    set_notes,
    tempo_bpm,
)
from componium.music.theory import key_of

MOST_SECONDS = 600.0
"""Of a long piece so much is shown and heard; of a recording `recordings.EXCERPT_SECONDS`."""
MOST_SOUND = 24_000_000
"""Letters of the sounds of recordings, which are inside the page; when they are used up, the others are only shown."""
MOST_TWINS = 5
"""Of what an item is like, so many are named."""
MOST_FINDINGS = 4
"""Of the figures by which it is an outlier, so many are told on its card; all are in the table."""
_TOGETHER = 12
"""Pieces whose sound is in memory at the same time."""


def clean(text: str) -> str:
    """Return a name with a question mark for what is no letter (bytes of a file name in another encoding)."""
    return text.encode("utf-8", "replace").decode()


def figures_of(kind: str) -> tuple[Figure, ...]:
    """Return the figures of a kind of item."""
    return SCORE_FIGURES if kind == "score" else RECORDING_FIGURES


def row(number: int, audited: Audited) -> Piece:
    """Return the piece without its music: its row and its marks."""
    item = audited.item
    name = escape(clean(item.name))
    values: dict[str, Value] = {"why": clean(audited.why()), "title": title_of(item) if not audited.trouble else "",
                                "class": licence_class(item.licence)}
    for figure in figures_of(item.kind):
        value = audited.figures.get(figure.name, math.nan)
        values[figure.name] = int(value) if not figure.decimals and math.isfinite(value) else value
    box = f'<input type="checkbox" data-mark="{number}" autocomplete="off"'
    return Piece(clean(item.name), values=values,
                 row_control=f'{box} aria-label="Leave out {name}"><span class="hidden state"></span>',
                 control=f'<div class="leave"><label>{box}>leave out</label><input type="text" data-mark="{number}" '
                         f'aria-label="Reason for leaving out {name}" placeholder="reason" autocomplete="off" hidden>'
                         "</div>")


def takes_of(source: str, items: Sequence[Audited], pieces: Sequence[Piece], folder: Path, sounds_at: str,
             progress: Progress) -> list[Take]:
    """Return the takes, made a few at a time: no more sound is in memory than that.

    Scores get a file of sound each in the folder; the sounds of recordings are inside the page.
    """
    names = file_names([piece.title for piece in pieces])
    takes: list[Take] = []
    room = MOST_SOUND
    for batch in _batches(items[:len(pieces)]):
        first = len(takes)
        whole = [_with_music(source, audited, piece, name) for audited, piece, name in
                 zip(batch, pieces[first:], names[first:], strict=False)]

        def part(fraction: float, message: str = "", first: int = first, size: int = len(batch)) -> None:
            progress((first + fraction * size) / len(pieces), message)

        inside = batch[0].item.kind == "audio"
        made = make_takes(whole, sounds_to=None if inside else folder, sounds_at=sounds_at, first=first + 1,
                          sound=not inside or room > 0, progress=part)
        if inside and room <= 0:
            made = [_mute(take) for take in made]
        room -= sum(len(take.sound) for take in made) if inside else 0
        takes += [dataclasses.replace(take, piece=dataclasses.replace(take.piece, audio=None)) for take in made]
    return takes


def _batches(items: Sequence[Audited]) -> Iterator[list[Audited]]:
    for _, same in groupby(items, key=lambda audited: audited.item.kind):
        batch = list(same)
        yield from (batch[start:start + _TOGETHER] for start in range(0, len(batch), _TOGETHER))


def _mute(take: Take) -> Take:
    audio = take.piece.audio
    told = (*take.troubles, f"Without sound: the page holds {MOST_SOUND / 1e6:.0f} MB of it already.")
    return dataclasses.replace(take, seconds=audio.seconds if audio is not None else 0.0, troubles=told)


def _with_music(source: str, audited: Audited, piece: Piece, name: str) -> Piece:
    """Return the piece with its music and what is known of it."""
    item = audited.item
    known: list[tuple[str, Value]] = [
        ("Source", clean(item.source)), ("Licence", licence_name(item.licence)),
        ("Class", licence_class(item.licence))]
    rows = [(f"{spoken(figure)} ({figure.unit}): {figure.help}", told(figure, audited.figures[figure.name]))
            for figure in figures_of(item.kind) if math.isfinite(audited.figures.get(figure.name, math.nan))]
    told_of: dict[str, list[tuple[str, Value]]] = {"Figures": list(rows)} if rows else {}
    notes = [finding.text[0].upper() + finding.text[1:] + "." for finding in audited.findings[:MOST_FINDINGS]]
    if audited.trouble:
        notes.insert(0, f"This file cannot be read: {audited.trouble}.")
        return dataclasses.replace(piece, note=" ".join(notes), facts=known, name=name)
    if audited.recorded is not None:
        start = audited.recorded.loudest()
        audio = excerpt(item, start)
        if audited.figures["duration"] > EXCERPT_SECONDS:
            notes.append(f"Shown and heard: the loudest {EXCERPT_SECONDS:.0f} seconds, from {clock(start)} on.")
        return dataclasses.replace(
            piece, audio=audio, note=" ".join([*_likes(audited), *notes]), facts=[*_of_recording(audited), *known],
            details=told_of, name=name, comment=_origin(source, item).comment(music=""), extra=picture(audio),
            extra_axis=axis(audio))
    score, cut = _music(item)
    if cut:
        notes.append(f"Only the first {MOST_SECONDS / 60:.0f} minutes are shown and heard.")
    known += _facts(score)
    told_of |= _measures(score)
    title = str(piece.values["title"]).rstrip(".")
    return dataclasses.replace(
        piece, score=score, note=". ".join(filter(None, [title, " ".join([*_likes(audited), *notes])])),
        facts=known, details=told_of, name=name, comment=_origin(source, item).comment(music=""))


def _of_recording(audited: Audited) -> Iterator[tuple[str, Value]]:
    """Yield what is told of a recording below its pictures."""
    figures = audited.figures
    channels = int(figures["channels"])
    yield "Length", f"{figures['duration']:,.2f} s"
    yield "Sample rate", f"{figures['sample_rate']:,.0f} Hz"
    yield "Channels", {1: "1 (mono)", 2: "2 (stereo)"}.get(channels, str(channels))
    for name, text in (("peak", "{:.1f} dBFS"), ("loudness", "{:.1f} LUFS")):
        yield name.capitalize(), text.format(figures[name]) if math.isfinite(figures[name]) else "none: it is silent"
    yield "Clipped", f"{figures['clipped']:.3g} % of the samples" if figures["clipped"] else "nothing"
    yield "Silence", f"{100 * figures['silence']:.0f} % of the time"
    yield "Offset (DC)", f"{100 * figures['dc_offset']:.2f} % of full scale"
    if audited.recorded is not None and audited.recorded.pitch_hz is not None:
        low, high = audited.recorded.pitch_hz
        names = list(dict.fromkeys(pitch_name(round(69 + 12 * math.log2(hz / 440))) for hz in (low, high)))
        hertz = f"{low:.0f} to {high:.0f} Hz" if round(low) != round(high) else f"{low:.0f} Hz"
        yield "Pitch", f"{' to '.join(names)} ({hertz})"
    elif math.isfinite(figures["pitch_confidence"]):
        yield "Pitch", "none that can be followed"


def _music(item: Item) -> tuple[Score, bool]:
    """Return the score as far as it is shown, and whether it goes on."""
    content = item.content
    assert isinstance(content, Score)
    short = copy_score(content)
    cut = False
    for track in short.tracks:
        notes = note_arrays(track)
        seconds, ends = seconds_at(short, notes["time"]), seconds_at(short, note_ends(track))
        long = ends > MOST_SECONDS
        if long.any():
            cut = True
            share = (MOST_SECONDS - seconds[long]) / (ends[long] - seconds[long])
            notes["duration"][long] *= np.clip(share, 0.0, 1.0)
            set_notes(track, {key: values[seconds < MOST_SECONDS] for key, values in notes.items()})
    return short if cut else content, cut


def title_of(item: Item) -> str:
    """Return the title of a piece in one voice, which is the name of its track."""
    if item.kind != "score":  # a recording would be read for it
        return ""
    content = item.content
    if not isinstance(content, Score) or len(content.tracks) != 1:
        return ""
    title = content.tracks[0].name.strip()
    return "" if title == item.name else clean(title)


def _likes(audited: Audited) -> Iterator[str]:
    for kind, group in groupby(range(len(audited.twins)), key=audited.kind_of):
        twins = [audited.twins[number] for number in group]
        named = [f"{clean(other.name)} ({_how(audited, other, similarity)})"
                 for other, similarity in twins[:MOST_TWINS]]
        more = f" and {len(twins) - MOST_TWINS} more" if len(twins) > MOST_TWINS else ""
        yield f"{kind[0].upper()}{kind[1:]} of {', '.join(named)}{more}."


def _how(audited: Audited, other: Item, similarity: float) -> str:
    changes = audited.changes.get(other.name)
    return percent(similarity) if changes is None else f"{percent(similarity)}; here {changes}"


def _facts(score: Score) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = []
    with contextlib.suppress(BadInput):  # drums have no key
        key, clearness = key_of(score)
        facts.append(("Key by its notes", f"{key} (clearness {clearness:.2f})"))
    stated = key_signature_of(score)
    beats = "/".join(map(str, meter(score))) if len(score.time_signatures) else "none stated"
    speed = f"{tempo_bpm(score):g} BPM"
    facts += [("Key signature", str(stated))] if stated is not None else []
    return [*facts, ("Meter", beats), ("Tempo", speed if len(score.tempos) else f"none stated, {speed} taken")]


def _measures(score: Score) -> dict[str, list[tuple[str, Value]]]:
    found: dict[str, list[tuple[str, Value]]] = {}
    for heading, module in (("Pitch", pitch), ("Rhythm", rhythm)):
        try:
            module.validate(score)
        except ComponiumError:
            continue
        values = module.evaluate(score)
        found[heading] = [(measure.label, values[measure.name]) for measure in module.MEASURES]
    return found


def _origin(source: str, item: Item) -> Origin:
    """Return what made the sound of an item on the page."""
    settings = {"source": source, "item": item.name, "from": item.source, "hash": item.hash}
    if item.kind == "score":
        settings["with"] = "soundfont"
    return Origin(PERFORMED if item.kind == "score" else CONVERTED, verb="corpus audit", settings=settings,
                  licence=item.licence, licence_class=licence_class(item.licence))
