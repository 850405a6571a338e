"""What the demo says in words, on its page and at its end."""

from __future__ import annotations

from pathlib import Path

from componium import __version__
from componium.cli.demo import baseline
from componium.cli.demo.page import Facts
from componium.cli.demo.plan import BARS_A_PHRASE, INSTRUMENTS, MODEL, Asked, Lesson, Performance
from componium.cli.show import quoted


def sentence(lesson: Lesson) -> str:
    """Say how well the model predicts chorales that it has not seen."""
    every = lesson.report.all_pieces
    return (f"On {every.pieces} chorales that it has not learned from, the model needs {every.token_mean:.3f} nats per "
            f"token (a first-order chain {lesson.first_order_nats:.3f}, knowing nothing {baseline.UNIFORM_NATS:.3f}; "
            "protocol JSB-16/tok).")


def facts(lesson: Lesson, asked: Asked, sound: Performance) -> Facts:
    """Return what the page says in words."""
    return Facts(
        title=f"{asked.bars} bars in {asked.key}",
        lead=f"A chorale in four parts, composed by a Markov chain that learned from {len(lesson.train)} chorales by "
             f"J. S. Bach, and played by {', '.join(INSTRUMENTS[:-1])} and {INSTRUMENTS[-1]}.",
        trained=trained_text(lesson), scores=score_rows(lesson), scores_text=scores_text(lesson),
        protocol=protocol_text(lesson), made=made_rows(lesson, asked, sound), reproduce=again(asked),
        next_commands=next_commands(asked.out))


def trained_text(lesson: Lesson) -> list[str]:
    """Say what was learned from what: corpus, split, licence."""
    licences = "; ".join(f"{licence} ({count})" for licence, count in lesson.train.licences.items())
    left_out = len(lesson.corpus.skipped)
    source = lesson.train[0].source.partition(",")[0]
    return [
        f"The model is a variable-order Markov chain with several viewpoints. It learned from {len(lesson.train)} "
        f"four-part chorales by J. S. Bach: part of the {len(lesson.corpus)} different chorales in {source} "
        f"({left_out} entries of that collection are doubles or not in four parts and were left out). Learning took "
        f"{lesson.model.provenance['training_seconds']:.1f} seconds on this computer's processor.",
        f"Each chorale went to one of three parts by a hash of its notes: {len(lesson.train)} to learn from, "
        f"{len(lesson.held_out)} to judge the model on, and {rest(lesson)} that this demo did not touch.",
        f"Licence of what was learned from: {licences}.",
    ]


def rest(lesson: Lesson) -> int:
    """Return the number of chorales that are neither learned from nor judged on."""
    return len(lesson.corpus) - len(lesson.train) - len(lesson.held_out)


def scores_text(lesson: Lesson) -> str:
    """Say what the figures mean, and what leaks."""
    report = lesson.report
    text = ("How surprised is the model by a chorale that it has never seen? Nats per token tell: 0 would be perfect "
            "foresight, and lower is better.")
    related = len(report.overlap.siblings)
    if related and report.leak_free:
        text += (f" Bach set many tunes more than once: {related} of the {report.all_pieces.pieces} have a melody that "
                 "the model met in another setting, so the figure without these is given too.")
    return text


def score_rows(lesson: Lesson) -> list[tuple[str, str, str]]:
    """Return the table of figures."""
    report = lesson.report
    every = f"{report.all_pieces.pieces} held-out chorales, {report.all_pieces.tokens:,} tokens"
    rows = [("this model", f"{report.all_pieces.token_mean:.3f}", every)]
    if report.leak_free and report.overlap.siblings:
        rows.append(("this model", f"{report.leak_free.token_mean:.3f}",
                     f"the {report.leak_free.pieces} of them whose melody it has never met"))
    return [*rows, ("first-order chain, one a voice", f"{lesson.first_order_nats:.3f}", every),
            ("knowing nothing: 47 symbols alike", f"{baseline.UNIFORM_NATS:.3f}", "any")]


def protocol_text(lesson: Lesson) -> str:
    """Name the protocol of the figures."""
    return (f"Protocol JSB-16/tok: {lesson.report.protocol_text}; token mean, no transposition. These are held-out "
            "pieces of this corpus, not the benchmark's own, so the figures may not be compared with published ones.")


def made_rows(lesson: Lesson, asked: Asked, sound: Performance) -> list[tuple[str, str]]:
    """Return how the piece was made."""
    from componium.music.soundfont import find_soundfont

    font = find_soundfont()
    return [
        ("Key", f"{asked.key}, as asked for"),
        ("Length", f"{asked.bars} bars, a cadence every {BARS_A_PHRASE} bars, the last one authentic (V-I)"),
        ("Seed", f"{asked.seed}; temperature 1"),
        ("Model", f"markov, {', '.join(f'{k}={v}' for k, v in vars(lesson.model.config).items())}"),
        ("Instruments", "; ".join(f"{t.name}: {i}" for t, i in zip(sound.score.tracks, INSTRUMENTS, strict=True))),
        ("Sound", f"SoundFont {font.name}, licence {font.licence}; {sound.audio.seconds:.1f} seconds, "
                  f"{sound.audio.loudness_lufs:.1f} LUFS, peak {sound.audio.peak_db:.1f} dB"),
        ("Made by", f"Componium {__version__}; what a human gave: key, length and seed"),
    ]


def again(asked: Asked) -> str:
    """Return the command that makes the same again."""
    return (f"componium demo --out {quoted(asked.out)} --key {quoted(asked.key)} --bars {asked.bars} "
            f"--seed {asked.seed} --force")


def next_commands(out: Path) -> list[str]:
    """Return three commands that work as they stand."""
    model, chorale = quoted(out / MODEL), quoted(out / "chorale.mid")
    return [
        f"componium generate {model} key='D major' --bars 16 --seed 2 --out {quoted(out / 'second.mid')}",
        f"componium continue {model} {chorale} --bars 8 --seed 3 --out {quoted(out / 'longer.mid')}",
        f"componium perform {chorale} --with 'church organ' --out {quoted(out / 'organ.wav')}",
    ]
