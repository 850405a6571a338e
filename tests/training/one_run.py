"""A program that trains a toy in a folder, or goes on where it was stopped: what the tests of survival kill.

It waits for lines on its input, each a number of seconds and a folder, and for each trains in a process of its own,
kills that after so many seconds (0 = never), and prints how it ended: so all is imported only once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from componium import registry
from componium.music.item import Item, hash_of_score
from componium.music.score import Note, Track, new_score
from componium.training.folder import RunFolder
from componium.training.health import watched

TOYS = Path(__file__).with_name("toys.py")
SETTINGS = {"batch": 4, "ema": 0.9, "save_every": 7, "held_out_every": 5, "log_every": 3, "held_out": 0.3,
            "keep": "log", "precision": "float32", "split_by": "hash"}


def items() -> list[Item]:
    """Six tunes that differ."""
    made = []
    for number in range(6):
        score = new_score()
        track = Track("melody")
        for place in range(20):
            track.notes.append(Note(float(place), 1.0, 55 + (number * place * 5 + number) % 17, 80))
        score.tracks.append(track)
        made.append(Item(f"tune {number}", "score", score, source="made for the tests", licence="CC0-1.0",
                         hash=hash_of_score(score)))
    return made


def train_once(folder: str, steps: int) -> None:
    """Begin the run in a folder, or go on with it."""
    from componium.training.train import train

    model = registry.create(f"{TOYS}:Toy", dropout=0.2)
    resume = RunFolder(folder).exists()
    observers = watched(RunFolder(folder), [])
    train(model, items(), out=folder, steps=steps, seed=3, settings=SETTINGS, resume=resume, observers=observers)


def serve(steps: int) -> None:
    """Train in a process of its own for each line of the input, and kill it after a while."""
    import accelerate  # noqa: F401  (here, so that it is imported once)
    import torch
    import torch.utils.tensorboard

    import componium.training.learning  # noqa: F401

    torch.set_num_threads(1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        word, _, folder = line.strip().partition(" ")
        seconds = float(word)
        process = os.fork()
        if not process:
            os.setsid()
            code = 1
            try:
                train_once(folder, steps)
                code = 0
            finally:
                os._exit(code)
        killer = threading.Timer(seconds, os.kill, (process, signal.SIGKILL))
        if seconds:
            killer.start()
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # its number stays its own
        killer.cancel()
        if seconds:
            killer.join()
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
