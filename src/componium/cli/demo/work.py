"""The demo's work, step by step: learn, judge, compose, perform, write."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from componium import __version__, checkpoint
from componium.cli.demo import baseline
from componium.cli.demo.page import Sounding, Voice, page
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
from componium.cli.show import Progress
from componium.music.errors import BadFile, require


def check_ready(out: Path, *, force: bool) -> None:
    """Raise before the work where a package or a SoundFont is missing, or where files are in the way."""
    from componium.music.soundfont import find_soundfont

    require("music21", extra="notation", purpose="The demo (the chorales and the written score)")
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
    """Play the piece; what is heard is also kept as notes, for the page."""
    from componium.music.expression import expression
    from componium.performance import perform
    from componium.registry import create

    audio = perform(piece, create("soundfont"), pans=PLACES, lufs=LUFS, seed=seed, progress=progress)
    return Performance(piece, expression(piece, seed=seed), audio)


def write(out: Path, lesson: Lesson, sound: Performance, asked: Asked, *, force: bool) -> None:
    """Write the model and the five files: all made beside their places first, then moved there together."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(out, f"cannot be made ({error.strerror or error})") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=out) as made:
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
    from componium.music.picture import piano_roll

    title = f"{asked.bars} bars in {asked.key}"
    write_score(sound.score, folder / "chorale.mid")
    write_score(sound.score, folder / "chorale.musicxml")
    sound.audio.write(folder / "chorale.wav", metadata={
        "title": title, "software": f"Componium {__version__}",
        "comment": f"generated by the model markov trained on {len(lesson.train)} chorales, seed {asked.seed}"})
    piano_roll(sound.score, folder / "chorale.png", title=f"{title} (Componium, markov, seed {asked.seed})")
    shown = page(sounding(sound, folder / "chorale.musicxml"), facts(lesson, asked, sound))
    write_text(folder / "index.html", shown)


def sounding(sound: Performance, musicxml: Path) -> Sounding:
    """Return the piece as the page shows it: notes and bars in seconds of the sound, and the engraved score."""
    from componium.music.keys import pitch_name
    from componium.music.score import bars

    voices = [Voice(track.name, instrument, [(float(n.start), float(n.end), int(n.pitch), pitch_name(n.pitch))
                                             for n in track.notes])
              for track, instrument in zip(sound.played.to("second").tracks, INSTRUMENTS, strict=True)]
    starts = seconds_at(sound.played, [bar.start_beats for bar in bars(sound.score)])
    numbers = [bar.index for bar in bars(sound.score)]
    return Sounding(voices, list(zip(numbers, starts, strict=True)), sound.audio, engrave(musicxml))


def seconds_at(score: Any, beats: list[float]) -> list[float]:
    """Return where beats fall in seconds, by the score's own tempos."""
    ruler = score.copy()
    track = ruler.tracks[0].copy()
    notes = type(track.notes)()
    for time in beats:
        note = score.tracks[0].notes[0].copy()
        note.time, note.duration = time, 1.0
        notes.append(note)
    track.notes = notes
    ruler.tracks = type(ruler.tracks)([track])
    return [float(note.start) for note in ruler.to("second").tracks[0].notes]


def engrave(musicxml: Path) -> list[str]:
    """Return the score as SVG, one text a page, engraved by verovio."""
    import verovio

    toolkit = verovio.toolkit()
    toolkit.setOptions({"pageWidth": 1900, "pageHeight": 60000, "adjustPageHeight": True, "scale": 40, "header": "none",
                        "footer": "none", "breaks": "auto", "minLastJustification": 0, "xmlIdSeed": 1,
                        "svgViewBox": True,
                        "pageMarginLeft": 40, "pageMarginRight": 40, "pageMarginTop": 40, "pageMarginBottom": 40})
    if not toolkit.loadFile(str(musicxml)):
        return []
    return [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]
