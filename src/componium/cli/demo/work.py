"""The demo's work, step by step: learn, judge, compose, harmonise, answer, measure, perform."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from componium.cli.demo import baseline, duet, tune
from componium.cli.demo.plan import (
    BARS_A_PHRASE,
    CANDIDATES,
    CHAIN,
    CHORALE,
    DUET,
    INSTRUMENTS,
    LUFS,
    NETWORK,
    OTHER,
    PARTNER,
    PLACES,
    TEMPO_BPM,
    TUNE,
    Asked,
    Lesson,
    Performance,
    Works,
)
from componium.cli.show import Progress
from componium.music.errors import BadInput


def read_chorales(progress: Progress) -> Lesson:
    """Open the corpus; held out is the benchmark's test part with its siblings, learned from what is in no part of it.

    Siblings (the same tune in another setting) stay together in this way, and the shipped network learned from none of
    the benchmark's pieces either.
    """
    from componium.music.corpus import Corpus, open_corpus
    from componium.music.provenance import benchmark_part, item_fingerprints

    corpus = open_corpus("chorales", progress=progress)
    parts = [benchmark_part(item_fingerprints(item)) for item in corpus]
    train, held_out = ([item for item, part in zip(corpus, parts, strict=True) if part == wanted]
                       for wanted in (None, "test"))
    return Lesson(corpus, Corpus(train, name=f"{corpus.name} (apart from the benchmark)"),
                  Corpus(held_out, name=f"{corpus.name} (test part of the benchmark and siblings)"))


def learn(lesson: Lesson, progress: Progress) -> None:
    """Train the chain on its part."""
    from componium.registry import create
    from componium.training.fit import train

    lesson.chain = train(create(CHAIN), lesson.train, progress=progress)


def load_networks(lesson: Lesson) -> None:
    """Load the shipped networks: the one that composes, and the one that answers."""
    from componium.registry import load

    lesson.network, lesson.partner = load(NETWORK), load(PARTNER)


def judge(lesson: Lesson, progress: Progress) -> None:
    """Measure both models and the baseline on the part that none of them has learned from."""
    from componium.evaluation.likelihood import chorale_grid, evaluate

    models = {NETWORK: lesson.network, CHAIN: lesson.chain}
    lesson.reports = {name: evaluate(model, lesson.held_out, protocol="jsb16",
                                     progress=partial(_part, progress, number / len(models), 1 / len(models)))
                      for number, (name, model) in enumerate(models.items())}
    lesson.first_order_nats = baseline.first_order([chorale_grid(item).pitches for item in lesson.train],
                                                   [chorale_grid(item).pitches for item in lesson.held_out])
    every = lesson.reports[CHAIN].all_pieces
    lesson.chain.figures["nats per token, jsb16, chorales held out by the demo"] = round(every.token_mean, 4)


def compose(lesson: Lesson, asked: Asked, progress: Progress) -> dict[str, list[Any]]:
    """Compose chorales in the key asked for with both models: the same lengths, phrases and seeds.

    The first of each has the seed asked for, and is what `generate` gives for it.
    """
    seeds = [asked.seed + number for number in range(asked.measured)]
    same = {"count": len(seeds), "seed": seeds, "bars": asked.bars, "key": asked.key, "phrase_bars": BARS_A_PHRASE,
            "tempo_bpm": TEMPO_BPM}
    pieces = {
        NETWORK: ruled(lesson.network.generate_many, f"end: cadence authentic in {asked.key}", **same,
                       candidates=CANDIDATES, progress=partial(_part, progress, 0, 0.3)),
        CHAIN: lesson.chain.generate_many(**same, progress=partial(_part, progress, 0.3, 0.7))}
    return {name: [for_winds(piece) for piece in several] for name, several in pieces.items()}


def harmonise(lesson: Lesson, seed: int, progress: Progress) -> Any:
    """Return the folk tune with three voices below it."""
    return for_winds(ruled(lesson.network.harmonize, tune.RULES, tune.melody(), seed=seed, progress=progress))


def answer(lesson: Lesson, seed: int, progress: Progress) -> duet.Duet:
    """Return the call, the reply that `componium respond` gives for the seed, and both one after the other."""
    from componium.cli.respond import after_call

    call = duet.call()
    reply = lesson.partner.respond(call, seed=seed, progress=progress)
    if not reply.note_num():
        raise BadInput(f"{PARTNER} answered {duet.TITLE} with silence; try another --seed")
    both = for_winds(after_call(call, reply))
    call.tracks[0].program, reply.tracks[0].program = (track.program for track in both.tracks)
    return duet.Duet(call, reply, both)


def ruled(ability: Callable[..., Any], rules: str, *given: Any, **arguments: Any) -> Any:
    """Return what an ability makes under rules, which it reads from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.txt"
        path.write_text(rules, encoding="utf-8")
        return ability(*given, constraints=path, **arguments)


def for_winds(piece: Any) -> Any:
    """Write the four instruments into a piece, or the first ones into one of fewer voices."""
    from componium.music.general_midi import program_of

    for track, instrument in zip(piece.tracks, INSTRUMENTS[:len(piece.tracks)], strict=True):
        track.program = program_of(instrument)
    return piece


def measure(lesson: Lesson, composed: Mapping[str, Sequence[Any]], progress: Progress) -> dict[str, Any]:
    """Return the measures of Bach's held-out chorales and of each model's pieces."""
    from componium.evaluation.harmonising import music_of

    sets = {"Bach": [item.content for item in lesson.held_out], **composed}
    found = {}
    for number, (name, pieces) in enumerate(sets.items()):
        progress(number / len(sets), name)
        found[name] = music_of(pieces)[0]
    return found


def play(composed: Mapping[str, Sequence[Any]], harmonised: Any, answered: duet.Duet, music: Mapping[str, Any],
         seed: int, progress: Progress) -> Works:
    """Play the four pieces that are shown."""
    from componium.performance import perform
    from componium.registry import create

    shown = {CHORALE: composed[NETWORK][0], TUNE: harmonised, DUET: answered.both, OTHER: composed[CHAIN][0]}
    player, pieces = create("soundfont"), {}
    for number, (stem, score) in enumerate(shown.items()):
        if not score.note_num():
            raise BadInput(f"{stem} has no notes; try another --seed")
        audio = perform(score, player, pans=PLACES[:len(score.tracks)], lufs=LUFS, seed=seed,
                        progress=partial(_part, progress, number / len(shown), 1 / len(shown)))
        pieces[stem] = Performance(score, audio)
    return Works(pieces, composed, music, answered)


def _part(progress: Progress, begin: float, share: float, done: float, message: str = "") -> None:
    """Tell how much of the whole is done, where a part of it is."""
    progress(begin + share * done, message)
