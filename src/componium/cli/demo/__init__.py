"""`componium demo`: a chorale, a harmonised tune, a reply and a solo by shipped networks, and others beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from componium.cli.flags import Force
from componium.cli.show import new_app, say, step
from componium.music.errors import BadInput

app = new_app()


@app.command(epilog="""\b
Examples:
  componium demo --out demo
  componium demo --out demo2 --key "D major" --bars 12 --seed 7

\b
Writes chorale.mid, .musicxml, .wav and .png, folk-tune.mid, .musicxml and .wav, call.abc and .mid, reply.mid,
call-and-reply.mid, .musicxml and .wav, markov.mid and .wav, the Markov chain that was learned (model), solo.wav and
solo-soundfont.wav, sung.wav and transfer.wav (where instruments that learned from recordings are shipped), and
index.html, which shows and plays it all without a network.
Needs: pip install 'componium[neural,notation,soundfont]'.""")
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")] = Path("demo"),
    key: Annotated[str, typer.Option(help="The key of the chorales, such as 'Bb major'.")] = "G minor",
    bars: Annotated[int, typer.Option(min=2, max=64, help="Their length in bars.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pieces.")] = 1,
    force: Force = False,
) -> None:
    """Compose a chorale in a key, harmonise a folk tune and play it solo, answer a call, compare, show it all."""
    import dataclasses

    from componium.cli.demo import duet, tune, words, work, writing
    from componium.cli.demo.plan import INSTRUMENTS, NETWORK, PARTNER, Asked
    from componium.music.keys import Key

    begun = time.perf_counter()
    tonality = str(Key.parse(key))
    if not tonality.endswith(("major", "minor")):
        raise BadInput(f"--key {key}: the demo composes in major and minor keys, such as 'G minor'")
    asked = Asked(tonality, bars, seed, out)
    writing.check_ready(out, force=force)
    with step("Reading the chorales (music21's collection)") as progress:
        lesson = work.read_chorales(progress)
    with step(f"Learning a Markov chain from {len(lesson.train)} of them") as progress:
        work.learn(lesson, progress)
    with step(f"Loading {NETWORK} and {PARTNER}, which are shipped"):
        work.load_networks(lesson)
    with step(f"Judging both on {len(lesson.held_out)} chorales that neither has learned from") as progress:
        work.judge(lesson, progress)
    with step(f"Composing {bars} bars in {tonality}, with either of them") as progress:
        composed = work.compose(lesson, asked, progress)
    with step(f"Harmonising {tune.TITLE} with {NETWORK}") as progress:
        harmonised = work.harmonise(lesson, seed, progress)
    with step(f"Answering {duet.TITLE} with {PARTNER}") as progress:
        answered = work.answer(lesson, seed, progress)
    with step("Measuring part-writing and chords, beside Bach's") as progress:
        music = work.measure(lesson, composed, progress)
    with step(f"Performing: {', '.join(INSTRUMENTS)}") as progress:
        works = work.play(composed, harmonised, answered, music, seed, progress)
    works = dataclasses.replace(works, **_learned(seed))
    with step("Engraving, drawing and writing"):
        writing.write(lesson, works, asked, force=force)
    say(f"\n{words.sentence(lesson)}")
    say(f"Done in {time.perf_counter() - begun:.0f} s. Open {out / 'index.html'} in a browser to see and hear it. "
        "Four commands to try next:\n")
    for line in words.next_commands(asked):
        say(f"  {line}")


def _learned(seed: int) -> dict[str, Any]:
    """Let the shipped instruments play, which learned from recordings; say where there are none."""
    from componium.cli.demo import learned, tune

    made: dict[str, Any] = {}
    if name := learned.soloist():
        with step(f"Playing {tune.TITLE} with {name}, and with the SoundFont") as progress:
            made["solo"] = learned.play_solo(name, seed, progress)
    if name := learned.turner():
        with step(f"Turning a sung phrase into {name}") as progress:
            made["turned"] = learned.turn(name, seed, progress)
    if told := learned.missing():
        say(told)
    return made
