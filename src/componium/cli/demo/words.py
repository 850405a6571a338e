"""What the demo says in words, on its page and at its end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from componium import __version__
from componium.cli.demo import baseline, comparing, duet, learned_words, tune
from componium.cli.demo.page import Card, Facts
from componium.cli.demo.plan import (
    BARS_A_PHRASE,
    CANDIDATES,
    CHAIN,
    CHORALE,
    DUET,
    INSTRUMENTS,
    MODEL,
    NETWORK,
    OTHER,
    PARTNER,
    TUNE,
    Asked,
    Lesson,
    Works,
)
from componium.cli.pages.parts import Value
from componium.cli.show import counted, quoted


def sentence(lesson: Lesson) -> str:
    """Say how well the models predict chorales that they have not seen."""
    network, chain = (lesson.reports[name].all_pieces for name in (NETWORK, CHAIN))
    return (f"On {chain.pieces} chorales that neither has learned from, {NETWORK} needs {network.token_mean:.3f} nats "
            f"per token and the Markov chain {chain.token_mean:.3f} (a first-order chain "
            f"{lesson.first_order_nats:.3f}, knowing nothing {baseline.UNIFORM_NATS:.3f}; protocol JSB-16/tok).")


def facts(lesson: Lesson, asked: Asked, works: Works) -> Facts:
    """Return what the page says in words."""
    return Facts(
        title=f"{asked.bars} bars in {asked.key}, a folk tune, and a reply",
        lead=f"A chorale in four parts, composed by a recurrent network that learned from "
             f"{lesson.network.provenance['pieces']} chorales by J. S. Bach; a folk tune that it harmonised; a call "
             "that another network answers; and the chorale's task given to a Markov chain. Played by "
             f"{', '.join(INSTRUMENTS[:-1])} and {INSTRUMENTS[-1]}{lead_of_learned(works)}.",
        cards=cards(works, asked), learned=learned_words.learned(works, asked),
        comparisons=(comparing.foresight(lesson), comparing.music(works, asked, lesson)),
        trained=[*trained_text(lesson), *learned_words.trained_texts(works)],
        made=made_rows(lesson, asked, works), reproduce=again(asked),
        next_commands=next_commands(asked), files=[name for name in works.files if name != "index.html"])


def lead_of_learned(works: Works) -> str:
    """Name what instruments that learned from recordings play."""
    told = [f"a solo by {works.solo.name}"] if works.solo else []
    told += [f"a sung phrase that becomes {works.turned.name}"] if works.turned else []
    return f"; and by what learned from recordings: {' and '.join(told)}" if told else ""


def cards(works: Works, asked: Asked) -> dict[str, Card]:
    """Return what is said of each piece."""
    told = {
        CHORALE: (f"The chorale, by {NETWORK}",
                  f"{asked.bars} bars in {asked.key}. The network was told the key, the length, where the phrases end "
                  f"and how the last one closes; of {CANDIDATES} versions it kept the one that it finds likeliest."),
        TUNE: (f"{tune.TITLE}, harmonised by {NETWORK}",
               f"The soprano is given ({tune.SOURCE}) and kept to the note; alto, tenor and bass are composed below "
               f"it. The fermatas ask for cadences. It is made to stay in {tune.KEY}, and to close there."),
        DUET: (f"{duet.TITLE}: a call, and the reply of {PARTNER}",
               f"First the call, the tune's first half ({duet.SOURCE}); then, from the next bar line on, the reply, "
               "the one that the network gives for the seed."),
        OTHER: (f"For comparison: the chorale, by {CHAIN}",
                "The same key, length, phrases and seed, given to the Markov chain that was learned on the spot."),
    }
    return {stem: Card(*told[stem], *(duet_facts(works) if stem == DUET else facts_of(works.pieces[stem].score)))
            for stem in works.pieces}


def facts_of(score: Any) -> tuple[list[tuple[str, Value]], dict[str, list[tuple[str, Value]]]]:
    """Return the part-writing and the phrase ends of a piece in words, and each fault by its place."""
    from componium.evaluation import harmony

    faults = harmony.faults(score)
    kinds = Counter(fault.kind.replace("_", " ") for fault in faults).most_common()
    told = ", ".join(f"{count} x {kind}" for kind, count in kinds) or "no faults"
    ends = [f"{cadence.kind} ({'-'.join(numeral for numeral in cadence.numerals if numeral)} in {cadence.key})"
            for cadence in harmony.cadences(score, harmony.chords_of(score))]
    rows: list[tuple[str, Value]] = [(place, what) for place, _, what in
                                     (fault.text.partition(": ") for fault in faults)]
    listed = {f"Part-writing, place by place ({len(rows)})": rows} if rows else {}
    return [("Part-writing", told), ("Phrase ends", "; ".join(ends))], listed


def duet_facts(works: Works) -> tuple[list[tuple[str, Value]], dict[str, list[tuple[str, Value]]]]:
    """Return what call and reply are, and how they agree."""
    from componium.music.score import bars

    call, reply = (f"{counted(piece.note_num(), 'note')} in {counted(len(bars(piece)), 'bar')}"
                   for piece in (works.duet.call, works.duet.reply))
    return [("Call", call), ("Reply", reply), ("Beside the call", duet.beside_call(works.duet)),
            ("Rules", duet.RULES)], {}


def trained_text(lesson: Lesson) -> list[str]:
    """Say what was learned from what: corpus, parts, licences."""
    left_out = len(lesson.corpus.skipped)
    source = lesson.corpus[0].source.partition(",")[0]
    chain = lesson.chain.provenance
    return [
        f"Both learned from four-part chorales by J. S. Bach. {source} holds {len(lesson.corpus)} different ones "
        f"({left_out} entries of that collection are doubles or not in four parts and were left out)."
        if left_out else f"Both learned from chorales; this corpus, {source}, holds {len(lesson.corpus)}.",
        network_text(NETWORK, lesson.network),
        f"The Markov chain ({CHAIN}) looks back over several notes in several ways. It learned just now from "
        f"{len(lesson.train)} chorales, in {chain['training_seconds']:.1f} seconds on this computer's processor, and "
        f"is in the folder {MODEL}. Licence of what it learned from: {licences(lesson.train.licences)}.",
        f"Neither learned from the {len(lesson.held_out)} chorales that both are judged on: those of the benchmark's "
        f"test part, and their siblings, the same tunes in other settings. {rest(lesson)} more, of its validation "
        "part, were left alone.",
        network_text(PARTNER, lesson.partner) + duet.figures_text(lesson.partner.figures),
    ]


def network_text(name: str, network: Any) -> str:
    """Say what a shipped network learned from, by its own record."""
    told = network.provenance
    how = [f"{told['steps']:,} steps" if "steps" in told else "",
           f"{told['training_seconds'] / 60:.0f} minutes" if "training_seconds" in told else "",
           f"on {told['device']}" if "device" in told else ""]
    spent = ", ".join(each for each in how if each)
    held = f", with {told['held_out_pieces']} more to tell when to stop" if told.get("held_out_pieces") else ""
    size = f" It has {told['parameters']:,} weights." if "parameters" in told else ""
    return (f"The recurrent network {name} is shipped with Componium: it learned before, from {told['pieces']} "
            f"pieces of {told['data']}{held}{f' ({spent})' if spent else ''}.{size} Licence of what it learned from: "
            f"{licences(told.get('licences') or {told['licence']: told['pieces']})}. 'componium info {name}' shows "
            "its figures.")


def licences(counts: Any) -> str:
    """Return licences with the number of pieces that each of them covers."""
    return "; ".join(f"{licence} ({count})" for licence, count in counts.items())


def rest(lesson: Lesson) -> int:
    """Return the number of chorales that are neither learned from nor judged on."""
    return len(lesson.corpus) - len(lesson.train) - len(lesson.held_out)


def made_rows(lesson: Lesson, asked: Asked, works: Works) -> list[tuple[str, str]]:
    """Return how the pieces were made."""
    from componium.music.soundfont import find_soundfont

    font = find_soundfont()
    tracks = works.pieces[CHORALE].score.tracks
    sounds = (f"{stem} {played.audio.seconds:.1f} s, {played.audio.loudness_lufs:.1f} LUFS, "
              f"peak {played.audio.peak_db:.1f} dB" for stem, played in works.pieces.items())
    return [
        ("Key", f"{asked.key}, as asked for"),
        ("Length", f"{asked.bars} bars, phrases of {BARS_A_PHRASE}"),
        ("Seed", f"{asked.seed}; temperature 1"),
        ("Network", f"{NETWORK}, {_settings(lesson.network)}"),
        ("Network that answers", f"{PARTNER}, {_settings(lesson.partner)}"),
        ("Markov chain", f"{CHAIN}, {_settings(lesson.chain)}"),
        ("Folk tune", f"{tune.TITLE}: {tune.SOURCE}; rules: {'; '.join(tune.RULES.splitlines())}"),
        ("Call", f"{duet.TITLE}: {duet.SOURCE}"),
        ("Instruments", "; ".join(f"{t.name}: {i}" for t, i in zip(tracks, INSTRUMENTS, strict=True))),
        ("Sound", f"SoundFont {font.name}, licence {font.licence}; {'; '.join(sounds)}"),
        *learned_words.made_rows(works, asked),
        ("Made by", f"Componium {__version__}; what a human gave: key, length, seed, the folk tune and "
                    "the call"),
        ("Origins", "in each MIDI, MusicXML, WAV and PNG file beside this page, to be read with componium whence FILE; "
                    "tune.abc and call.abc are what a human gave"),
    ]


def _settings(model: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in vars(model.config).items())


def again(asked: Asked) -> str:
    """Return the command that makes the same again."""
    return (f"componium demo --out {quoted(asked.out)} --key {quoted(asked.key)} --bars {asked.bars} "
            f"--seed {asked.seed} --force")


def next_commands(asked: Asked) -> list[str]:
    """Return four commands that work as they stand."""
    out = asked.out
    chorale, melody, rules, call = (quoted(out / name) for name in
                                    ("chorale.mid", "tune.abc", "tune-rules.txt", "call.mid"))
    return [
        f"componium harmonize {NETWORK} {melody} constraints={rules} --seed {asked.seed + 1} "
        f"--out {quoted(out / 'folk-tune-2.mid')}",
        f"componium respond {PARTNER} {call} --with-call --seed {asked.seed + 1} "
        f"--out {quoted(out / 'another-reply.mid')}",
        f"componium continue {quoted(out / MODEL)} {chorale} --bars 8 --seed 3 --out {quoted(out / 'longer.mid')}",
        f"componium perform {chorale} --with 'church organ' --out {quoted(out / 'organ.wav')}",
    ]
