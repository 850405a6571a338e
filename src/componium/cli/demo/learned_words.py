"""What the demo says of the instruments that learned from recordings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from componium.cli.demo import tune
from componium.cli.demo.learned import followed, missing
from componium.cli.demo.page import Learned, spectrogram
from componium.cli.demo.plan import SOLOIST_SAMPLED, Asked, Solo, Turned, Works
from componium.cli.demo.tracing import traces
from componium.cli.pages import Piece
from componium.cli.pages.parts import Value
from componium.cli.show import counted, quoted

WAY = ("Such an instrument (DDSP) hears pitch and loudness, and says how loud each partial and each band of noise is. "
       "Notes become curves of pitch and loudness by rules, with attacks and dynamics as they were in the recordings; "
       "and since it follows curves, any sound of one voice can lead it, too. The button beside a heading goes on in "
       "the other take, at the place that you hear; both are equally loud.")


def learned(works: Works, asked: Asked) -> Learned:
    """Return what the page shows of them."""
    pairs = [(*solo_pieces(works.solo), False)] if works.solo else []
    pairs += [(*turned_pieces(works.turned), True)] if works.turned else []
    before = [*([WAY] if pairs else []), *([f"{missing()}."] if missing() else [])]
    return Learned(before, pairs, commands(works, asked))


def solo_pieces(solo: Solo) -> tuple[Piece, Piece]:
    """Return the solo by the instrument, and by the SoundFont."""
    seconds, one = solo.played.audio.seconds, solo.played.audio.to_mono()  # both channels are alike
    played = Piece(
        f"{tune.TITLE}, a solo by {solo.name}", solo.played.score, one,
        note=f"The folk tune alone, played by an instrument that learned from {minutes(solo.model)} of recordings.",
        facts=[("Loudness", loudness(solo.played.audio)),
               ("Pitch that is heard", cents(solo.off_cents[0], "the notes")),
               ("Made in", speed(solo.seconds, seconds))],
        details={f"What {solo.name} learned from": learned_rows(solo.model)}, instruments=(solo.name,),
        control=switch("the SoundFont"), **spectrogram(solo.played.audio))
    sampled = Piece(
        f"The same notes by the SoundFont ({SOLOIST_SAMPLED.partition(':')[2]})", None, solo.sampled.to_mono(),
        note=f"A recording of each note, faded and transposed: {font_text()}.",
        facts=[("Loudness", loudness(solo.sampled)), ("Pitch that is heard", cents(solo.off_cents[1], "the notes"))],
        control=switch(solo.name), **spectrogram(solo.sampled))
    return played, sampled


def turned_pieces(turned: Turned) -> tuple[Piece, Piece]:
    """Return what was sung, and what it was turned into, both with both curves of pitch."""
    octaves, off = followed(turned)
    svg, axis = traces(turned)
    drawn: dict[str, Any] = {"extra": svg, "extra_axis": axis}
    moved = f", {counted(abs(octaves), 'octave')} {'higher' if octaves > 0 else 'lower'}" if octaves else ""
    sung = Piece(
        "A sung phrase", None, as_one_of_two(turned.sung),
        note="Not a recording: a formula sings the tune's first phrase on one vowel, glides from note to note and "
             "swings on long ones.",
        facts=[("Loudness", loudness(turned.sung))], control=switch(turned.name), **drawn)
    made = Piece(
        f"The same phrase, by {turned.name}", None, as_one_of_two(turned.made),
        note=f"Pitch and loudness are taken from the voice{moved}, the timbre is the instrument's. No notes are "
             "written in between: every glide is followed.",
        facts=[("Loudness", loudness(turned.made)), ("Pitch that is heard", cents(off, f"the voice{moved}")),
               ("Made in", speed(turned.seconds, turned.sung.seconds)), ("Knobs", knobs(turned.model)),
               ("Level", f"{turned.gain_db:+.1f} dB, to be as loud as the voice")],
        details={f"What {turned.name} learned from": learned_rows(turned.model)},
        control=switch("the voice"), **drawn)
    return sung, made


def as_one_of_two(sound: Any) -> Any:
    """Return a sound of one channel as loud as the page's others, which two channels share."""
    return sound.to_stereo().to_mono()


def switch(other: str) -> str:
    """Return the button that goes on in the other take of a pair."""
    from html import escape

    return f'<button type="button" class="switch">Go on with {escape(other)}</button>'


def speed(seconds: float, length: float) -> str:
    """Say how long the work took."""
    return f"{seconds:.1f} s, {length / max(seconds, 1e-9):.0f} times real time"


def loudness(audio: Any) -> str:
    """Say how loud a sound is."""
    return f"{audio.loudness_lufs:.1f} LUFS, peak {audio.peak_db:.1f} dB"


def cents(value: float, what: str) -> str:
    """Say how far a pitch is from what it should be."""
    return f"{value:.1f} cents from {what} (median)" if value < float("inf") else "none that can be followed"


def knobs(model: Any) -> str:
    """Return the arguments of transfer with their values, which are all as they are by themselves."""
    known = inspect.signature(model.transfer).parameters.values()
    told = [f"{each.name}={str(each.default).lower()}" for each in known
            if each.kind is inspect.Parameter.KEYWORD_ONLY and each.name not in ("seed", "progress")]
    return ", ".join(told)


def minutes(model: Any) -> str:
    """Say how much an instrument has heard."""
    told = model.provenance
    return f"{told['seconds'] / 60:.0f} minutes" if told.get("seconds") else counted(told.get("pieces", 0), "file")


def font_text() -> str:
    """Say which SoundFont plays, and its licence."""
    from componium.music.soundfont import find_soundfont

    font = find_soundfont()
    return f"{font.name}, licence {font.licence}"


def learned_rows(model: Any) -> list[tuple[str, Value]]:
    """Return what an instrument learned from, how, and the figures of its checkpoint."""
    told = model.provenance
    length = f" ({told['seconds'] / 60:.1f} minutes)" if told.get("seconds") else ""
    spent = f" in {told['training_seconds'] / 60:.0f} minutes" if told.get("training_seconds") else ""
    device = f" on {told['device']}" if told.get("device") else ""
    rows: list[tuple[str, Value]] = [
        ("Recordings", f"{told.get('pieces', 0)} of {told.get('data', '')}{length}"),
        ("Licence", licences(told)),
        ("Held out", str(told.get("held_out_pieces", ""))),
        ("A person's voice", str(told.get("voice", ""))),
        ("Trained", f"{told['steps']:,} steps{spent}{device}" if "steps" in told else ""),
        ("Weights", f"{told['parameters']:,}" if "parameters" in told else "")]
    return [row for row in rows if row[1]] + figures(model)


def figures(model: Any) -> list[tuple[str, Value]]:
    """Return the figures of a checkpoint."""
    return [(name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else str(value))
            for name, value in model.figures.items()]


def licences(told: Mapping[str, Any]) -> str:
    """Return licences with the number of recordings that each of them covers."""
    counts = told.get("licences") or {told.get("licence", "unknown"): told.get("pieces", 0)}
    return "; ".join(f"{licence} ({count})" for licence, count in counts.items())


def trained_texts(works: Works) -> list[str]:
    """Say what each of the instruments learned from."""
    known = {each.name: each.model for each in (works.solo, works.turned) if each is not None}
    return [f"The instrument {name} is shipped with Componium, too, and learned before: "
            f"{'; '.join(f'{key[0].lower()}{key[1:]}: {value}' for key, value in learned_rows(model))}. "
            f"'componium info {name}' shows more." for name, model in known.items()]


def made_rows(works: Works, asked: Asked) -> list[tuple[str, str]]:
    """Return how their sounds were made."""
    rows = []
    if works.solo:
        rows.append(("Solo", f"{tune.TITLE} (tune.abc) by {works.solo.name}; beside it {SOLOIST_SAMPLED}; seed "
                             f"{asked.seed}"))
    if works.turned:
        rows.append(("Sung phrase", f"a formula, seed {asked.seed}; turned into {works.turned.name}"))
    return rows


def commands(works: Works, asked: Asked) -> list[str]:
    """Return the commands that make the same."""
    out, seed = asked.out, f"--seed {asked.seed}"
    made = []
    if works.solo:
        melody = quoted(out / "tune.abc")
        made += [f"componium perform {melody} --with {works.solo.name} {seed} --out {quoted(out / 'solo-2.wav')}",
                 f"componium perform {melody} --with {quoted(SOLOIST_SAMPLED)} {seed} "
                 f"--out {quoted(out / 'solo-soundfont-2.wav')}",
                 f"componium perform {quoted(out / 'folk-tune.mid')} --with Soprano={works.solo.name} "
                 f"--with '*=soundfont' --pan spread --out {quoted(out / 'folk-tune-2.wav')}"]
    if works.turned:
        made.append(f"componium transfer {works.turned.name} {quoted(out / 'sung.wav')} {seed} "
                    f"--out {quoted(out / 'transfer-2.wav')}")
    return made
