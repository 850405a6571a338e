"""The models that the contract is checked on: all of the registry, and the template that contributors copy.

A test that takes ``name`` runs once for every model; ``@pytest.mark.needs("play")`` leaves it to those that can.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from componium import registry
from componium.music.audio import Audio
from componium.music.errors import MissingExtra
from componium.music.item import Item
from componium.music.score import Note, Score, TextMeta, Track, new_score
from componium.training.train import train

TEMPLATE = "template"
TEMPLATE_FILE = Path(__file__).parents[2] / "docs" / "model_template.py"
NAMES = [*registry.MODELS, TEMPLATE]
SMALLER: dict[str, dict[str, Any]] = {
    "chorale-rnn": {"hidden": 48, "layers": 1, "head": 48, "context_steps": 64, "dropout": 0.0, "transpose": False},
    "melody-lstm": {"hidden": 32, "head": 32, "context_steps": 64, "dropout": 0.5},
    "melody-transformer": {"width": 32, "layers": 1, "heads": 2, "inner": 64, "head": 32, "context_steps": 64,
                           "dropout": 0.0},
    "ddsp": {"sample_rate_hz": 16000, "hop_samples": 256, "loudness_window": 512, "harmonics": 12, "noise_bands": 9,
             "hidden": 32, "width": 32, "crop_seconds": 0.5},
    "melody-rnn": {"hidden": 32, "attention_steps": 8, "context_steps": 32, "dropout": 0.0},
}
"""Settings with which networks are quick to try; what they say of themselves is checked at the defaults."""
LESSON = {"precision": "float32", "batch": 8, "learning_rate": 0.01, "held_out": 0.0}
LESSON_STEPS = 40
TONE_RATE_HZ = 16000


@cache
def class_of(name: str) -> Any:
    """Return the class of a model of the registry, or the template's."""
    return registry.model_class(f"{TEMPLATE_FILE}:Steps" if name == TEMPLATE else name)


def missing(name: str) -> str:
    """Return why a model cannot be had here, or ``""``."""
    try:
        class_of(name)
    except MissingExtra as error:
        return str(error)
    return ""


def teach(model: Any, items: list[Item], **more: Any) -> Any:
    """Let a model learn: what counts by `fit`, a network in a few dozen steps of the loop."""
    if hasattr(model, "fit"):
        model.fit(items, **more)
        return model
    return train(model, items, **{"steps": LESSON_STEPS, "settings": LESSON, "device": "cpu"} | more)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*abilities): only for models that have these methods")
    config.addinivalue_line("markers", "learns: only for models that need training")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" not in metafunc.fixturenames:
        return
    needed = {method for mark in metafunc.definition.iter_markers("needs") for method in mark.args}
    learns = metafunc.definition.get_closest_marker("learns") is not None
    absent = [pytest.param(name, marks=pytest.mark.skip(reason=missing(name))) for name in NAMES if missing(name)]
    fitting = [name for name in NAMES if not missing(name)
               and all(hasattr(class_of(name), method) for method in needed)
               and (class_of(name).needs_training or not learns)]
    metafunc.parametrize("name", [*fitting, *absent])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what fits no model."""
    items[:] = [test for test in items if not hasattr(test, "callspec")
                or isinstance(test.callspec.params.get("name", ""), str)]


@pytest.fixture(autouse=True)
def in_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the template into the registry for one test."""
    cls = class_of(TEMPLATE)
    monkeypatch.setitem(registry.MODELS, TEMPLATE, f"{cls.__module__}:{cls.__name__}")
    monkeypatch.setitem(registry.TITLES, TEMPLATE, "the template")
    monkeypatch.setattr(registry, "NEEDS_TRAINING", registry.NEEDS_TRAINING | {TEMPLATE})


@pytest.fixture
def cls(name: str) -> Any:
    return class_of(name)


@pytest.fixture
def fresh(name: str) -> Any:
    """A new model with default settings."""
    return class_of(name)(class_of(name).Config())


@pytest.fixture
def pupil(name: str) -> Any:
    """A new model that is quick to train."""
    return small(name)


@pytest.fixture
def untaught(name: str) -> Any:
    """Another one, to compare with."""
    return small(name)


@pytest.fixture
def learn(cache: Path) -> Any:
    """The function `teach`, with a cache of its own."""
    return teach


def small(name: str) -> Any:
    """Return a new model of a size for tests."""
    return class_of(name)(class_of(name).Config(**SMALLER.get(name, {})))


_ready: dict[str, Any] = {}


@pytest.fixture
def model(name: str, chorales: list[Item], cache: Path) -> Any:
    """A model that works: trained on the five chorales where it has to be. Tests do not change it."""
    if name not in _ready:
        cls = class_of(name)
        _ready[name] = teach(small(name), material_of(cls, chorales)) if cls.needs_training else small(name)
    return _ready[name]


@pytest.fixture
def material(cls: Any, chorales: list[Item]) -> list[Item]:
    """Five items that a model learns from: scores, or recordings."""
    return material_of(cls, chorales)


@pytest.fixture(name="tones")
def recordings() -> Any:
    """The function `tones`."""
    return tones


def material_of(cls: Any, chorales: list[Item]) -> list[Item]:
    return tones(5) if getattr(cls, "learns_from", "scores") == "recordings" else chorales


def tones(count: int) -> list[Item]:
    """Return so many recordings of two notes each, 1.6 seconds long."""
    return [Item(f"tone {number}", "audio", _tone(number)) for number in range(count)]


def _tone(number: int) -> Audio:
    rng = np.random.default_rng(number)
    parts = []
    for note in range(2):
        time = np.arange(int(0.7 * TONE_RATE_HZ)) / TONE_RATE_HZ
        f0_hz = 220.0 * 2 ** ((3 * number + 7 * note) / 12) * (1 + 0.004 * np.sin(2 * np.pi * 5.5 * time))
        phase = 2 * np.pi * np.cumsum(f0_hz) / TONE_RATE_HZ
        wave = sum(np.sin(k * phase) / k**1.5 for k in range(1, 9)) + 0.02 * rng.standard_normal(len(time))
        level = (0.1 + 0.05 * note) * np.minimum(1, time / 0.05) * np.minimum(1, (0.7 - time) / 0.05)
        parts += [wave * level, np.zeros(int(0.1 * TONE_RATE_HZ))]
    return Audio(np.concatenate(parts)[None].astype(np.float32), TONE_RATE_HZ)


def score_of(*notes: tuple[float, float, int, int], drums: bool = False) -> Score:
    """Return a score of one track from (start, duration, pitch, velocity)."""
    score = new_score()
    score.tracks.append(Track("Part", is_drum=drums))
    score.tracks[0].notes.extend([Note(*note) for note in notes])
    return score


def _odd() -> dict[str, Score]:
    unsorted = score_of((3, 2, 60, 80), (0, 2, 64, 80), (1, 0, 62, 80), (0, 2, 64, 80), (0.013, 7.77, 61, 0))
    bare = Score(480)
    marked = score_of((0, 1, 60, 80))
    marked.markers.append(TextMeta(500.0, "end"))
    return {
        "no tracks": new_score(), "nothing at all": bare, "an empty track": score_of(),
        "one note": score_of((0, 1, 60, 80)), "very short": score_of((0, 1 / 64, 60, 80)),
        "silent": score_of(*[(i, 1, 60, 0) for i in range(8)]), "no length": score_of((0, 0, 60, 80), (1, 0, 62, 80)),
        "drums only": score_of(*[(i, 1, 36, 80) for i in range(8)], drums=True),
        "both ends of MIDI": score_of((0, 4, 0, 127), (0, 4, 127, 1), (4, 4, 127, 127), (8, 4, 0, 1)),
        "a cluster": score_of(*[(0, 4, pitch, 80) for pitch in range(30, 90)]),
        "a late start": score_of((397, 1, 60, 80)), "a marked end": marked, "unsorted, doubled, off the grid": unsorted,
    }


ODD_SCORES = _odd()


@pytest.fixture(params=ODD_SCORES)
def odd_score(request: pytest.FixtureRequest) -> Score:
    """A score that hardly is one."""
    return ODD_SCORES[request.param].copy()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """A model whose optional package is not installed is skipped, and the reason is shown."""
    outcome = yield
    if outcome.excinfo and issubclass(outcome.excinfo[0], MissingExtra):
        outcome.force_exception(pytest.skip.Exception(str(outcome.excinfo[1])))
