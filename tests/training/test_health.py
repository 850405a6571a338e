"""Warnings on a training: what is wrong is told once, in words, with a way out; what is well is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from componium.music.audio import Audio
from componium.music.item import Item
from componium.music.score import Note, Score, Track, new_score
from componium.training import health
from componium.training.folder import RunFolder
from componium.training.health import (
    CLIPPED,
    DIVERGING,
    EMPTY,
    EXPLODING,
    MOSTLY_RESTS,
    NOT_FINITE,
    NOT_IMPROVING,
    ONE_NOTE,
    OVERFITTING,
    SILENT,
    SOUND_NOT_FINITE,
    STALLED,
    Health,
    History,
    ailments,
    health_of_audio,
    health_of_score,
    watched,
)
from componium.training.logs import JsonlLog, records
from componium.training.observing import HeldOutReport, Observer, RunInfo, StepReport

Curve = Callable[[int], float]
NOISE = np.random.default_rng(0).normal(0, 0.08, 4000)


def falling(n: int) -> float:
    """A loss as of a real run: quick, then slow, and noisy."""
    return 0.4 + 3 * math.exp(-n / 30) + 0.6 / (1 + n / 60) + float(NOISE[n])


def history(losses: Curve, lines: int = 100, *, norms: Curve = lambda n: 1.0,
            held_out: list[tuple[float, float | None]] | None = None) -> History:
    made = History()
    for n in range(lines):
        made.train(losses(n), norms(n))
    made.held_out = held_out or []
    return made


@pytest.mark.parametrize("lines", [1, 10, 29, 30, 60, 100, 300, 1000])
def test_run_that_learns_is_well(lines: int) -> None:
    noisy = [abs(1 + 3 * float(x)) for x in NOISE]
    assert ailments(history(falling, lines, norms=lambda n: noisy[n])) == []
    improving = [(2 - n / 100, 1.9 - n / 100) for n in range(lines)]
    assert ailments(history(falling, lines, held_out=improving)) == []


def test_nothing_is_said_of_nothing() -> None:
    assert ailments(History()) == []
    assert ailments(history(lambda n: 0.0, 5)) == []


@pytest.mark.parametrize(("made", "told"), [
    (history(lambda n: math.nan), NOT_FINITE),
    (history(lambda n: math.inf, 1), NOT_FINITE),
    (history(lambda n: falling(n) if n < 60 else 4 + n / 100), DIVERGING),
    (history(lambda n: -5 + n * 0.1 if n > 30 else -5.0), DIVERGING),
    (history(lambda n: 2.3 + float(NOISE[n])), STALLED),
    (history(falling, norms=lambda n: 1.0 if n < 80 else 30.0), EXPLODING),
    (history(falling, norms=lambda n: 1.0 if n < 80 else math.inf), EXPLODING),
    (history(falling, held_out=[(1.0, 1.0), (0.8, 0.9), (0.9, 0.7), (0.95, 0.6), (1.0, 0.5)]), OVERFITTING),
    (history(falling, held_out=[(-1.0, -1.0), (-2, -2), (-1.9, -2.5), (-1.8, -2.7), (-1.5, -3.0)]), OVERFITTING),
    (history(falling, held_out=[(1.0, 1.0), (0.8, 0.9), *[(0.801, 0.9)] * 8]), NOT_IMPROVING),
    (history(falling, held_out=[(2 - n / 100, 1.0) for n in range(90)] + [(1.115, 0.9)] * 30), NOT_IMPROVING),
])
def test_what_is_wrong_is_told(made: History, told: str) -> None:
    assert ailments(made) == [told]


@pytest.mark.parametrize("made", [
    history(lambda n: falling(n) if n != 70 else 50.0),  # one odd batch
    history(falling, norms=lambda n: 500.0 if n % 20 == 19 else 1.0),  # odd gradients, which are clipped
    history(falling, held_out=[(0.8, 0.9), (0.9, 0.7), (0.85, 0.6)]),  # too early to say
    history(falling, held_out=[(0.8, None), (0.9, None), (0.95, None), (1.0, None)]),
    history(falling, held_out=[(0.8, 0.9), (0.803, 0.8), (0.804, 0.7), (0.805, 0.6)]),  # by a hair
    history(falling, held_out=[(2 - n / 100, 1.0) for n in range(90)] + [(1.115, 0.9)] * 20),  # early, for so many
    history(lambda n: 2.3, held_out=[(1.0, 1.0), (0.9, 1.0)]),  # held-out loss speaks for itself
])
def test_what_is_usual_is_not_told(made: History) -> None:
    assert ailments(made) == []


def test_recovery_of_a_loss_that_was_not_finite() -> None:
    made = history(falling, 50)
    made.train(None, None)
    assert ailments(made) == [NOT_FINITE]
    made.train(1.0, 1.0)
    assert ailments(made) == []


def test_every_sentence_has_a_way_out() -> None:
    constants = [value for name, value in vars(health).items() if name.isupper()]
    sentences = [text for text in constants if isinstance(text, str) and " " in text]
    assert len(sentences) == 12
    for text in sentences:
        assert "\n" not in text and text[0].islower() and not text.endswith(".")
        assert any(word in text for word in ("use ", "train it", "help", "kept", "stopped here", "look at", "settings"))


# the observer


def info(first_step: int = 0) -> RunInfo:
    return RunInfo("table", 5000, first_step, {}, 1, 12, "data", 3, 1, (), "cpu", 1, "float32", "", None, None, False,
                   None)


def step(number: int, loss: float, *, log: bool = True, skipped: bool = False) -> StepReport:
    return StepReport(number, 5000, loss, {}, 0.1, 1.0, 10.0, 1.0, "", 1.0, log, skipped)


def curve(n: int) -> float:
    """Learns, climbs, recovers, climbs again."""
    return falling(n) if n < 80 or 150 <= n < 220 else 6.0


def watch(first: int, last: int, told: list[tuple[int, str]], log: Path | None = None) -> None:
    now = [first]
    watched = Health(lambda text: told.append((now[0], text)), log)
    written = JsonlLog(log) if log else None
    for observer in filter(None, (written, watched)):
        observer.begun(info(first))
    for number in range(first + 1, last + 1):
        now[0] = number
        for observer in filter(None, (written, watched)):
            observer.stepped(step(number, curve(number)))


def test_each_ailment_is_told_once_until_it_has_passed() -> None:
    told: list[tuple[int, str]] = []
    watch(0, 300, told)
    diverging = [number for number, text in told if text == DIVERGING]
    assert len(diverging) == 2 and 80 <= diverging[0] < 100 and 220 <= diverging[1] < 240


@pytest.mark.parametrize("stopped", [40, 84, 86, 120, 160, 225])
def test_watch_over_a_stopped_run_tells_the_same(tmp_path: Path, stopped: int) -> None:
    whole: list[tuple[int, str]] = []
    parted: list[tuple[int, str]] = []
    watch(0, 300, whole)
    watch(0, stopped, parted, tmp_path / "log.jsonl")
    watch(stopped, 300, parted, tmp_path / "log.jsonl")
    assert parted == whole


def test_only_what_is_logged_counts_and_what_was_left_out() -> None:
    told: list[str] = []
    watched = Health(told.append)
    watched.begun(info())
    for number in range(1, 200):
        watched.stepped(step(number, 100.0 * number, log=False))
    assert told == []
    watched.stepped(step(200, math.nan, log=False, skipped=True))
    watched.stepped(step(201, math.nan, log=False, skipped=True))
    assert told == [NOT_FINITE]
    for number, loss in enumerate((0.8, 0.9, 0.95, 1.0), 1):
        watched.held_out(HeldOutReport(number, loss, {}, 0.8, 1, number == 1, 1 - number / 10))
    assert told == [NOT_FINITE, OVERFITTING]


def test_watched_run_logs_what_it_warns_of(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    folder, told = RunFolder(tmp_path / "c"), Listener()
    together = watched(folder, [told])
    for observer in together:
        observer.begun(info())
    for number in range(1, 150):
        for observer in together:
            observer.stepped(step(number, curve(number)))
    kinds = [(r["step"], r["text"]) for r in records(folder.log_path) if r["kind"] == "warning"]
    assert told.texts == [DIVERGING] == [text for _, text in kinds] and 80 <= kinds[0][0] < 100
    assert list(folder.tensorboard_path.iterdir())
    assert [type(o).__name__ for o in watched(None, [told])] == ["Listener", "Health"]
    assert len(watched(None, [Health(print)])) == 1 and watched(folder, together) == together


class Listener(Observer):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warned(self, text: str) -> None:
        self.texts.append(text)


# what it makes


def score(*voices: str) -> Score:
    """Return a score: pitches a quarter note each, ``-`` a rest, ``60:32`` held for 32 beats."""
    made = new_score()
    for number, voice in enumerate(voices):
        track, time = Track(f"voice {number}"), 0.0
        for word in voice.split():
            pitch, _, duration = word.partition(":")
            if pitch != "-":
                track.notes.append(Note(time, float(duration or 1), int(pitch), 80))
            time += float(duration or 1)
        made.tracks.append(track)
    return made


@pytest.mark.parametrize(("made", "told"), [
    (score(), [EMPTY]), (score("", ""), [EMPTY]),
    (score("60 " * 16), [ONE_NOTE]), (score("60 " * 20 + "62"), [ONE_NOTE]),
    (score("60:32"), [ONE_NOTE]), (score("60 62 64 65:29"), [ONE_NOTE]),
    (score("72 " * 16, "60:16"), [ONE_NOTE]),
    (score("60 -:31 62"), [MOSTLY_RESTS]),
    (score("60:2 -:28 60:2", "-:31 72"), []),
    (score("60 62 64 65 " * 4), []), (score("60 62 64 65 " * 4, "48:16"), []), (score("60 62 -:6 " * 4), []),
    (score("60"), []), (score("60 60 60"), []),
])
def test_health_of_a_score(made: Score, told: list[str]) -> None:
    assert health_of_score(made) == told


def test_music_is_well(chorales: list[Item], melodies: list[Item]) -> None:
    assert all(health_of_score(item.content) == [] for item in (*chorales, *melodies))


def test_drums_may_repeat_themselves() -> None:
    made = score("36 " * 16)
    made.tracks[0].is_drum = True
    assert health_of_score(made) == []


def test_health_of_a_sound(sine: Audio) -> None:
    assert health_of_audio(sine.samples) == []
    assert health_of_audio(sine.samples * 1e-4) == [SILENT]
    assert health_of_audio(np.zeros((2, 0), np.float32)) == [SILENT]
    assert health_of_audio(np.clip(sine.samples * 4, -1, 1)) == [CLIPPED]
    assert health_of_audio(sine.samples * 2 * (1 - 1e-9)) != [SILENT]
    broken = sine.samples.copy()
    broken[0, 5] = np.nan
    assert health_of_audio(broken) == [SOUND_NOT_FINITE]
