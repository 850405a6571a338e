"""The demo's files: all made beside their places first, then moved there together."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from componium import __version__, checkpoint
from componium.cli.demo import duet, tune
from componium.cli.demo.page import page
from componium.cli.demo.plan import (
    CHAIN,
    CHORALE,
    DUET,
    FILES,
    MODEL,
    NETWORK,
    OTHER,
    PARTNER,
    SOLOIST_SAMPLED,
    TUNE,
    Asked,
    Lesson,
    Performance,
    Solo,
    Turned,
    Works,
)
from componium.cli.demo.words import facts
from componium.cli.origins import origin_for, used_model
from componium.cli.outputs import check_files, write_text
from componium.cli.pages.folder import told_as
from componium.music.errors import BadFile, require
from componium.music.licences import licence_class, most_restrictive
from componium.music.origin import CONVERTED, GENERATED, PERFORMED, Given, Origin, Used, given_file

SCORES = {CHORALE: (".mid", ".musicxml"), TUNE: (".mid", ".musicxml"), DUET: (".mid", ".musicxml"), OTHER: (".mid",)}


def check_ready(out: Path, *, force: bool) -> None:
    """Raise before the work where a package or a SoundFont is missing, or where files are in the way."""
    from componium.music.soundfont import find_soundfont

    require("torch", extra="neural", purpose="The demo (the network that composes)")
    require("music21", extra="notation", purpose="The demo (the chorales)")
    require("verovio", extra="notation", purpose="The demo (the engraved score)")
    find_soundfont()
    there = [name for name in (*FILES, MODEL) if (out / name).exists()]
    if there and not force:
        raise BadFile(out, f"holds {there[0]} already; --force replaces what an earlier demo wrote, "
                           "--out DIR goes elsewhere")
    check_files([out / name for name in FILES], force=force)
    checkpoint.check_free(out / MODEL, force=force)
    check_writable(out)


def check_writable(out: Path) -> None:
    """Raise where nothing can be written into a folder; leaves no trace of the trial."""
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=out):
            pass
    except OSError as error:
        raise BadFile(out, f"cannot be written ({error.strerror or error})") from error
    finally:
        if new and out.is_dir():
            out.rmdir()


def write(lesson: Lesson, works: Works, asked: Asked, *, force: bool) -> None:
    """Write the chain and the files."""
    out = asked.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # it could be, when the work began
        raise BadFile(out, f"cannot be made ({error.strerror or error})") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=out) as made, told_as(out, Path(made)):
            make_files(Path(made), lesson, works, asked)
            checkpoint.save(lesson.chain, out / MODEL, force=force)
            for name in works.files:
                (Path(made) / name).replace(out / name)
    finally:
        if not any(out.iterdir()):  # stopped or failed: a folder that was made for nothing goes again
            out.rmdir()


def make_files(folder: Path, lesson: Lesson, works: Works, asked: Asked) -> None:
    """Make the files in a folder."""
    from componium.music.formats import write_score
    from componium.music.picture import piano_roll

    checkpoint.save(lesson.chain, folder / MODEL)  # its hash goes into the files
    write_text(folder / "tune.abc", tune.ABC)
    write_text(folder / "tune-rules.txt", tune.RULES)
    write_text(folder / "call.abc", duet.ABC)
    call = given_call(folder, works.duet)
    titles = {CHORALE: f"{asked.bars} bars in {asked.key}", TUNE: f"{tune.TITLE}, harmonised",
              DUET: f"{duet.TITLE}, and a reply", OTHER: f"{asked.bars} bars in {asked.key} (Markov chain)"}
    network = used_model(NETWORK, lesson.network)
    partner = used_model(PARTNER, lesson.partner)
    made_by = {CHORALE: network, TUNE: network, DUET: partner, OTHER: chain_used(folder, lesson, asked)}
    for stem, played in works.pieces.items():
        origin = origin_of([made_by[stem]], asked, titles[stem], given=[call] if stem == DUET else [])
        write_piece(folder, stem, played, origin)
        if stem == CHORALE:
            shown_as = f"{titles[stem]} (Componium, {NETWORK}, seed {asked.seed})"
            piano_roll(played.score, folder / "chorale.png", title=shown_as,
                       origin=dataclasses.replace(origin, title=shown_as))
    write_score(works.duet.call, folder / "call.mid",
                origin=origin_of([], asked, duet.TITLE, made=CONVERTED, given=[call]))
    write_score(works.duet.reply, folder / "reply.mid",
                origin=origin_of([partner], asked, f"A reply to {duet.TITLE}", given=[call]))
    write_solo(folder, works.solo, asked)
    write_turned(folder, works.turned, asked)
    write_text(folder / "index.html", page(works.pieces, asked.seed, facts(lesson, asked, works)))


def write_piece(folder: Path, stem: str, played: Performance, origin: Origin) -> None:
    """Write the scores and the sound of one piece."""
    from componium.music.formats import write_score
    from componium.music.item import hash_of_score

    for ending in SCORES[stem]:
        write_score(played.score, folder / f"{stem}{ending}", origin=origin)
    given = Given("score", f"{stem}.mid", music=hash_of_score(played.score), origin=origin)
    played.audio.write(folder / f"{stem}.wav", metadata={
        "title": origin.title, "software": f"Componium {__version__}",
        "comment": f"generated by the model {origin.models[0].name}, seed {origin.seed}"},
        origin=dataclasses.replace(origin, made=PERFORMED, given=(given,)))


def write_solo(folder: Path, solo: Solo | None, asked: Asked) -> None:
    """Write the solo, by the instrument and by the SoundFont."""
    from componium.cli.perform import used_instrument
    from componium.registry import create

    if solo is None:
        return
    title, given = f"{tune.TITLE}, a solo", [given_score(folder, "tune.abc", tune.melody())]
    for name, sound, used in (("solo.wav", solo.played.audio, used_model(solo.name, solo.model)),
                              ("solo-soundfont.wav", solo.sampled,
                               used_instrument(SOLOIST_SAMPLED, create("soundfont")))):
        write_sound(folder / name, sound, origin_of([used], asked, title, made=PERFORMED, given=given))


def write_turned(folder: Path, turned: Turned | None, asked: Asked) -> None:
    """Write the sung phrase, and what it was turned into."""
    if turned is None:
        return
    title = f"{tune.TITLE}, sung by a formula"
    write_sound(folder / "sung.wav", turned.sung, origin_of(
        [], asked, title, made=PERFORMED, given=[given_score(folder, "tune.abc", tune.melody())]))
    sung = dataclasses.replace(given_file("sound", folder / "sung.wav"), file="sung.wav")
    write_sound(folder / "transfer.wav", turned.made, origin_of(
        [used_model(turned.name, turned.model)], asked, f"{title}, played by {turned.name}", made=PERFORMED,
        given=[sung]))


def write_sound(path: Path, sound: Any, origin: Origin) -> None:
    """Write a sound with its title, who plays it, and its origin."""
    by = f"performed by {origin.models[0].model}" if origin.models else "performed by a formula"
    sound.write(path, metadata={"title": origin.title, "software": f"Componium {__version__}",
                                "comment": f"{by}, seed {origin.seed}"}, origin=origin)


def given_call(folder: Path, made: duet.Duet) -> Given:
    """Return the record of the call, which a human gave, by the file of it in a folder."""
    return given_score(folder, "call.abc", made.call)


def given_score(folder: Path, name: str, score: Any) -> Given:
    """Return the record of a score that a human gave, by the file of it in a folder."""
    from componium.music.item import hash_of_score

    return dataclasses.replace(given_file("score", folder / name, music=hash_of_score(score)), file=name)


def origin_of(used: Sequence[Used], asked: Asked, title: str, *, made: str = GENERATED,
              given: Sequence[Given] = ()) -> Origin:
    """Return what made a piece."""
    origin = origin_for(made, "demo", used, seed=asked.seed, settings={"key": asked.key, "bars": asked.bars},
                        given=given)
    return dataclasses.replace(origin, title=title)


def chain_used(folder: Path, lesson: Lesson, asked: Asked) -> Used:
    """Return the record of the chain, by the copy of it in a folder."""
    licence: Any = most_restrictive(lesson.train.licences)
    return Used(CHAIN, str(asked.out / MODEL), checkpoint.digest(folder / MODEL),
                str(lesson.chain.provenance.get("data", "")), licence, licence_class(licence))
