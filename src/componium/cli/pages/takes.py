"""Takes: pieces made ready for a page, engraved, drawn and played."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from componium.cli.pages import roll as drawing
from componium.cli.pages.parts import Value, address, data_uri
from componium.cli.pages.sheet import MOST_NOTES, Sheet, sheet
from componium.cli.pages.sound import Sound, encode
from componium.interface import Progress, silent
from componium.music.audio import Audio
from componium.music.errors import BadFile, ComponiumError
from componium.music.files import replacing
from componium.music.score import Score

LUFS = -16.0
WORKERS = 4
LONGEST_NAME = 80
"""Letters of a file name."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Piece:
    """What a page shows of a piece; every text is escaped by the page.

    Attributes:
        title: its heading.
        score: the notes, or none for a recording.
        audio: the sound itself; none = the score is played.
        note: a sentence below the heading.
        values: its row in the overview: name of the column -> number, text, or None.
        facts: name and value, shown below the score.
        details: heading -> rows of name and value, folded away.
        links: text and relative path of files beside the page.
        control: HTML beside the heading, such as a tick box.
        row_control: HTML in the first cell of its row in the overview.
        name: stem of the file name of its sound; empty = made from the title.
        instruments: who plays the voices, in words, for the legend.
        extra: HTML below the roll, on the same axis of time (a spectrogram).
        extra_axis: HTML of the labels at its left, see `roll.labels`.
        comment: a text inside the file of its sound; letters beyond ASCII are lost there.
    """

    title: str
    score: Score | None = None
    audio: Audio | None = None
    note: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    facts: Sequence[tuple[str, Value]] = ()
    details: Mapping[str, Sequence[tuple[str, Value]]] = field(default_factory=dict)
    links: Sequence[tuple[str, str]] = ()
    control: str = ""
    row_control: str = ""
    name: str = ""
    instruments: Sequence[str] = ()
    extra: str = ""
    extra_axis: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Take:
    """A piece made ready for a page.

    Attributes:
        piece: what it was made of.
        anchor: its id in the page: ``"t1"``, ``"t2"`` and so on.
        sound: address of the sound, or nothing.
        seconds: length of the sound, or of the notes where there is none.
        drawings: HTML of the engraved score and of the roll, each may be empty, packed; see `packed`.
        ratio: height over width of the engraved score; 0 without one.
        legend: HTML: which colour is which voice.
        troubles: what could not be made, and why.
    """

    piece: Piece
    anchor: str
    sound: str
    seconds: float
    drawings: str
    ratio: float
    legend: str
    troubles: tuple[str, ...]


def make_takes(pieces: Sequence[Piece], *, sounds_to: str | os.PathLike[str] | None = None, sounds_at: str = "",
               sound: bool = True, instruments: Any = None, lufs: float = LUFS, expression: bool = True,
               stereo: bool = False, seed: int = 0, first: int = 1, progress: Progress = silent) -> list[Take]:
    """Engrave, draw and play pieces.

    What cannot be made (no SoundFont, no verovio, a piece without notes) is told in the card and never raises.

    Args:
        pieces: what is shown, in the order of the page.
        sounds_to: folder to which the sounds are written; none = they are kept inside the page.
        sounds_at: what leads from the page to that folder, such as ``"sounds/"``; empty = the page's own folder.
        sound: whether there is sound at all.
        instruments: as `componium.performance.perform` takes them; none = the SoundFont player.
        lufs: loudness of each sound.
        expression: whether phrases and timing are shaped.
        stereo: whether sounds keep two channels.
        seed: of the expression.
        first: number of the first one; numbers are ids, and no two of a page may be the same.
        progress: called with the fraction done; raising in it stops the work.

    Raises:
        BadFile: the folder for the sounds cannot be written.
    """
    if sounds_to is not None and sounds_at and not sounds_at.endswith("/"):
        sounds_at += "/"
    names = file_names([piece.name or piece.title for piece in pieces])
    player = _Player(instruments, lufs, expression, stereo, seed) if sound else None
    takes = []
    jobs = [_job(player, piece) for piece in pieces]
    with _working(jobs) as results:
        for number, (piece, name) in enumerate(zip(pieces, names, strict=True)):
            progress(number / len(pieces), piece.title)
            drawn = _Drawn(piece, f"t{first + number}", expression, seed)
            found = _wait(next(results), lambda done=number: progress(done / len(pieces), ""))
            where = ""
            if isinstance(found, Sound):
                where = _placed(found, name, sounds_to, sounds_at)
            elif found:
                drawn.troubles.append(found)
            takes.append(drawn.take(where, found.seconds if isinstance(found, Sound) else 0.0))
    progress(1.0, f"{len(takes)} pieces")
    return takes


def file_names(titles: Sequence[str]) -> list[str]:
    """Return a file name stem for each title; no two are alike, in upper or lower case."""
    names: list[str] = []
    used: set[str] = set()
    for title in titles:
        stem = re.sub(r"[^\w.-]+", "-", title).strip("-.")[:LONGEST_NAME] or "piece"
        name, number = stem, 2
        while name.lower() in used:
            name, number = f"{stem}-{number}", number + 1
        used.add(name.lower())
        names.append(name)
    return names


def packed(*drawings: str) -> str:
    """Return drawings as a short text: JSON, gzip, base64; the page unpacks it when the drawing comes into view."""
    return base64.b64encode(gzip.compress(json.dumps(drawings).encode(), 9, mtime=0)).decode()


def unpacked(text: str) -> list[str]:
    """Return the drawings that `packed` packed."""
    return list(json.loads(gzip.decompress(base64.b64decode(text))))


class _Player:
    """Plays a piece and encodes the sound; used by several threads."""

    def __init__(self, instruments: Any, lufs: float, expression: bool, stereo: bool, seed: int) -> None:
        from componium.performance import perform
        from componium.registry import create

        self.perform = perform
        self.instruments = create("soundfont") if instruments is None else instruments
        self.lufs, self.expression, self.stereo, self.seed = lufs, expression, stereo, seed

    def __call__(self, piece: Piece) -> Sound | str:
        """Return the sound, or why there is none."""
        try:
            audio = piece.audio
            if audio is None:
                audio = self.perform(piece.score, self.instruments, lufs=self.lufs, expression=self.expression,
                                     seed=self.seed)
            return encode(audio, stereo=self.stereo, comment=piece.comment)
        except ComponiumError as error:
            return f"No sound: {error}"


def _job(player: _Player | None, piece: Piece) -> Callable[[], Sound | str]:
    if player is None or (piece.score is None and piece.audio is None):
        return lambda: ""
    return lambda: player(piece)


@contextmanager
def _working(jobs: Sequence[Callable[[], Any]]) -> Iterator[Iterator[Future[Any]]]:
    """Run jobs in threads, a few ahead of the one that is waited for; what has not begun is dropped at the end."""
    workers = ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, WORKERS)))

    def ahead() -> Iterator[Future[Any]]:
        running = [workers.submit(job) for job in jobs[:2 * WORKERS]]
        for number in range(len(jobs)):
            yield running[number]
            running[number] = Future()  # its sound is done with: nothing keeps it
            if number + 2 * WORKERS < len(jobs):
                running.append(workers.submit(jobs[number + 2 * WORKERS]))

    try:
        yield ahead()
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _wait(future: Future[Any], tick: Callable[[], None]) -> Any:
    """Return a result, and tick while waiting: Ctrl-C and cancelling are heard."""
    while True:
        try:
            return future.result(timeout=POLL_SECONDS)
        except NotYet:
            tick()


def _placed(sound: Sound, name: str, folder: str | os.PathLike[str] | None, at: str) -> str:
    """Write a sound, and return its address; or return the sound itself as an address."""
    if folder is None:
        return data_uri(sound.kind, sound.data)
    with replacing(Path(folder) / f"{name}{sound.ending}") as temporary:
        try:
            temporary.write_bytes(sound.data)
        except OSError as error:
            raise BadFile(folder, f"cannot be written ({error.strerror or error})") from error
    return address(f"{at}{name}{sound.ending}")


class _Drawn:
    """The drawings of one piece, and what went wrong with them."""

    def __init__(self, piece: Piece, anchor: str, expression: bool, seed: int) -> None:
        from componium.music.expression import expression as shaped

        self.piece, self.anchor = piece, anchor
        self.troubles: list[str] = []
        self.sheet: Sheet | None = None
        self.played: Score | None = None
        score = piece.score
        if score is not None and score.note_num():
            self.played = shaped(score, seed=seed) if expression else score
            self.sheet = self._engraved(score, self.played)

    def _engraved(self, score: Score, played: Score) -> Sheet | None:
        if score.note_num() > MOST_NOTES:
            self.troubles.append(f"No engraved score: {score.note_num():,} notes are too many for this page; "
                                 "'componium picture' engraves them.")
            return None
        try:
            return sheet(score, played, f"{self.anchor}-")
        except ComponiumError as error:
            self.troubles.append(f"No engraved score: {error}")
            return None

    def take(self, sound: str, seconds: float) -> Take:
        """Return the take, the roll as long as the sound."""
        engraved = self.sheet or Sheet("", 0.0)
        svg, legend, seconds = self._roll(seconds)
        return Take(self.piece, self.anchor, sound, seconds, packed(engraved.svg, svg), engraved.ratio, legend,
                    tuple(self.troubles))

    def _roll(self, seconds: float) -> tuple[str, str, float]:
        """Return the roll or waveform, its legend, and how many seconds its width stands for."""
        extra = (f'<div class="axis" aria-hidden="true">{self.piece.extra_axis}</div>'
                 f'<div class="plot extra">{self.piece.extra}{HEAD}</div>') if self.piece.extra else ""
        if self.played is None:
            audio = self.piece.audio
            if audio is None or not audio.sample_count:
                return "", "", seconds
            return f'<div class="plot wave">{drawing.waveform(audio)}{HEAD}</div>{extra}', "", seconds
        assert self.piece.score is not None
        voices = drawing.voices_of(self.played, self.piece.instruments)
        seconds = max(seconds, *(end for voice in voices for _, end, _, _ in voice.notes), 0.05)
        lines = drawing.bar_starts(self.piece.score, self.played)
        html = (f'<div class="axis" aria-hidden="true">{drawing.pitch_labels(voices)}</div>'
                f'<div class="plot roll">{drawing.roll(voices, lines, seconds)}{HEAD}</div>'
                f'<div></div><div class="axis bars" aria-hidden="true">{drawing.bar_labels(lines, seconds)}</div>')
        return html + extra, drawing.legend(voices), seconds


HEAD = '<div class="playhead"></div>'
