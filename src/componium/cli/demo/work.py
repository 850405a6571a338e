"""The demo's work, step by step: learn, judge, compose, perform, write."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from componium import __version__, checkpoint
from componium.cli.demo import baseline
from componium.cli.demo.page import page
from componium.cli.demo.plan import (
    BARS_A_PHRASE,
    FILES,
    FRACTIONS,
    INSTRUMENTS,
    LUFS,
    MODEL,
    PLACES,
    TEMPO_BPM,
    Asked,
    Lesson,
    Performance,
)
from componium.cli.demo.words import facts
from componium.cli.outputs import check_files, write_text
from componium.cli.pages.folder import told_as
from componium.cli.show import Progress
from componium.music.errors import BadFile, require
from componium.music.origin import GENERATED, PERFORMED, Given, Origin, Used


def check_ready(out: Path, *, force: bool) -> None:
    """Raise before the work where a package or a SoundFont is missing, or where files are in the way."""
    from componium.music.soundfont import find_soundfont

    require("music21", extra="notation", purpose="The demo (the chorales)")
    require("verovio", extra="notation", purpose="The demo (the engraved score)")
    find_soundfont()
    there = [name for name in (*FILES, MODEL) if (out / name).exists()]
    if there and not force:
        raise BadFile(out, f"holds {there[0]} already; --force replaces what an earlier demo wrote, "
                           "--out DIR goes elsewhere")
    check_files([out / name for name in FILES], force=force)
    checkpoint.check_free(out / MODEL, force=force)


def read_chorales(progress: Progress) -> Lesson:
    """Open the corpus and divide it by content hash; pieces that do not have four voices on the grid are left out."""
    from componium.music.corpus import open_corpus

    corpus = open_corpus("chorales", progress=progress)
    train, _, held_out = corpus.split(FRACTIONS)
    return Lesson(corpus, train, held_out)


def learn(lesson: Lesson, progress: Progress) -> None:
    """Train the model on its part."""
    from componium.registry import create
    from componium.training.fit import train

    lesson.model = train(create("markov"), lesson.train, progress=progress)


def judge(lesson: Lesson, progress: Progress) -> None:
    """Measure the model and the baseline on the part that neither has seen."""
    from componium.evaluation.likelihood import chorale_grid, evaluate

    lesson.report = evaluate(lesson.model, lesson.held_out, protocol="jsb16", progress=progress)
    lesson.first_order_nats = baseline.first_order([chorale_grid(item).pitches for item in lesson.train],
                                                   [chorale_grid(item).pitches for item in lesson.held_out])
    every = lesson.report.all_pieces
    lesson.model.figures["nats per token, jsb16, chorales held out by the demo"] = round(every.token_mean, 4)


def compose(lesson: Lesson, key: str, bars: int, seed: int, progress: Progress) -> Any:
    """Compose in the key asked for, with a cadence at the end of every phrase; four instruments are written in."""
    from componium.music.general_midi import program_of

    piece = lesson.model.generate(bars=bars, key=key, seed=seed, phrase_bars=BARS_A_PHRASE, tempo_bpm=TEMPO_BPM,
                                  progress=progress)
    for track, instrument in zip(piece.tracks, INSTRUMENTS, strict=True):
        track.program = program_of(instrument)
    return piece


def play(piece: Any, seed: int, progress: Progress) -> Performance:
    """Play the piece."""
    from componium.performance import perform
    from componium.registry import create

    audio = perform(piece, create("soundfont"), pans=PLACES, lufs=LUFS, seed=seed, progress=progress)
    return Performance(piece, audio)


def write(out: Path, lesson: Lesson, sound: Performance, asked: Asked, *, force: bool) -> None:
    """Write the model and the five files: all made beside their places first, then moved there together."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(out, f"cannot be made ({error.strerror or error})") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=out) as made, told_as(out, Path(made)):
            make_files(Path(made), lesson, sound, asked)
            checkpoint.save(lesson.model, out / MODEL, force=force)
            for name in FILES:
                (Path(made) / name).replace(out / name)
    finally:
        if not any(out.iterdir()):  # stopped or failed: a folder that was made for nothing goes again
            out.rmdir()


def make_files(folder: Path, lesson: Lesson, sound: Performance, asked: Asked) -> None:
    """Make the five files in a folder."""
    from componium.music.formats import write_score
    from componium.music.item import hash_of_score
    from componium.music.picture import piano_roll

    title = f"{asked.bars} bars in {asked.key}"
    origin = origin_of(folder, lesson, asked, title)
    write_score(sound.score, folder / "chorale.mid", origin=origin)
    write_score(sound.score, folder / "chorale.musicxml", origin=origin)
    given = Given("score", "chorale.mid", music=hash_of_score(sound.score), origin=origin)
    sound.audio.write(folder / "chorale.wav", metadata={
        "title": title, "software": f"Componium {__version__}",
        "comment": f"generated by the model markov trained on {len(lesson.train)} chorales, seed {asked.seed}"},
        origin=dataclasses.replace(origin, made=PERFORMED, given=(given,)))
    shown_as = f"{title} (Componium, markov, seed {asked.seed})"
    piano_roll(sound.score, folder / "chorale.png", title=shown_as, origin=dataclasses.replace(origin, title=shown_as))
    write_text(folder / "index.html", page(sound.score, sound.audio, INSTRUMENTS, asked.seed,
                                           facts(lesson, asked, sound)))


def origin_of(folder: Path, lesson: Lesson, asked: Asked, title: str) -> Origin:
    """Return what made the piece; the model is saved into the folder to know its hash."""
    from componium.music.licences import licence_class, most_restrictive

    checkpoint.save(lesson.model, folder / MODEL)
    licence = most_restrictive(lesson.train.licences)
    used = Used(lesson.model.name, str(asked.out / MODEL), checkpoint.digest(folder / MODEL),
                str(lesson.model.provenance.get("data", "")), licence, licence_class(licence))
    return Origin(GENERATED, verb="demo", title=title, models=(used,), seed=asked.seed, licence=licence,
                  licence_class=licence_class(licence), settings={"key": asked.key, "bars": asked.bars})
