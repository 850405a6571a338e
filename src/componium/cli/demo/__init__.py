"""`componium demo`: from a corpus of chorales to eight bars of sound and a page that shows them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

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
Writes chorale.mid, .musicxml, .wav and .png, the trained model, and index.html, which shows and plays it all
without a network. Needs: pip install 'componium[notation,soundfont]'.""")
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")] = Path("demo"),
    key: Annotated[str, typer.Option(help="The key of the piece, such as 'Bb major'.")] = "G minor",
    bars: Annotated[int, typer.Option(min=2, max=64, help="Its length in bars.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same piece.")] = 1,
    force: Force = False,
) -> None:
    """Learn from Bach's chorales, compose in the key asked for, perform it with four instruments, and show it."""
    from componium.cli.demo import words, work
    from componium.cli.demo.plan import INSTRUMENTS, Asked
    from componium.music.keys import Key

    begun = time.perf_counter()
    tonality = str(Key.parse(key))
    if not tonality.endswith(("major", "minor")):
        raise BadInput(f"--key {key}: the demo composes in major and minor keys, such as 'G minor'")
    work.check_ready(out, force=force)
    with step("Reading the chorales (music21's collection)") as progress:
        lesson = work.read_chorales(progress)
    with step(f"Learning a Markov chain from {len(lesson.train)} of them") as progress:
        work.learn(lesson, progress)
    with step(f"Judging it on {len(lesson.held_out)} others") as progress:
        work.judge(lesson, progress)
    with step(f"Composing {bars} bars in {tonality}") as progress:
        piece = work.compose(lesson, tonality, bars, seed, progress)
    with step(f"Performing it: {', '.join(INSTRUMENTS)}") as progress:
        sound = work.play(piece, seed, progress)
    with step("Engraving, drawing and writing"):
        work.write(out, lesson, sound, Asked(tonality, bars, seed, out), force=force)
    say(f"\n{words.sentence(lesson)}")
    say(f"Done in {time.perf_counter() - begun:.0f} s. Open {out / 'index.html'} in a browser to see and hear it. "
        "Three commands to try next:\n")
    for line in words.next_commands(out):
        say(f"  {line}")
