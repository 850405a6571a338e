"""Small melody networks that tests share, and lines to try them on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from componium.music.grid import REST, Grid
from componium.music.item import Item
from componium.music.score import Note, Score, Track, new_score

KINDS: dict[str, dict[str, Any]] = {
    "lstm": {"hidden": 16, "head": 16, "dropout": 0.0, "context_steps": 64},
    "transformer": {"width": 16, "layers": 2, "heads": 2, "inner": 32, "head": 16, "dropout": 0.0,
                    "context_steps": 64},
    "rnn": {"hidden": 16, "attention_steps": 8, "dropout": 0.0, "context_steps": 64},
}
TUNE = (67, 69, 71, 72, 74, 72, 71, 69, 67, 67, 66, 67, 69, 71, 69, 67)
"""Four bars of quarter notes in G major."""


def network_of(kind: str, items: Sequence[Item], steps: int = 0, **settings: Any) -> Any:
    """Return a model with drawn weights that knows its corpus, trained for some steps."""
    import torch

    from componium.composers import melody

    torch.set_num_threads(1)
    cls = {"lstm": melody.MelodyLSTM, "transformer": melody.MelodyTransformer, "rnn": melody.MelodyRNN}[kind]
    model = cls(cls.Config(**KINDS[kind] | settings))
    model.initialise(1)
    prepared = [model.prepare(item) for item in items]
    model.measure(prepared)
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=0.01)
    model.network.train()
    for step in range(steps):
        rng = np.random.default_rng(step)
        examples = [model.example(each, rng) for each in prepared]
        batch = {name: torch.from_numpy(np.stack([each[name] for each in examples])) for name in examples[0]}
        loss, _ = model.loss(batch, turn="all", step=step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.network.eval()
    model.trained = True
    return model


@pytest.fixture(scope="session")
def network() -> Callable[..., Any]:
    """The function `network_of`."""
    pytest.importorskip("torch")
    return network_of


@pytest.fixture(scope="session")
def drawn(network: Any, melodies: list[Item]) -> dict[str, Any]:
    """A model of each kind that has not learned, whose chances are all different."""
    import torch

    made = {kind: network(kind, melodies) for kind in KINDS}
    for model in made.values():
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.network.parameters():  # some begin at 0, which leaves ties
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return made


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, drawn: dict[str, Any]) -> Any:
    """Each model in its turn; tests do not change it."""
    return drawn[request.param]


@pytest.fixture(params=["lstm", "transformer"])
def ending_model(request: pytest.FixtureRequest, drawn: dict[str, Any]) -> Any:
    """Each model that knows where melodies end."""
    return drawn[request.param]


def line_of(pitches: Sequence[int], name: str = "Melody", beats: float = 1.0, **more: Any) -> Score:
    """Return a melody of equal notes; 0 is a rest."""
    score = new_score(**more)
    score.tracks.append(Track(name))
    for place, pitch in enumerate(pitches):
        if pitch:
            score.tracks[0].notes.append(Note(place * beats, beats, pitch, 70))
    return score


@pytest.fixture(scope="session")
def line() -> Callable[..., Score]:
    """The function `line_of`."""
    return line_of


@pytest.fixture
def tune() -> Score:
    """Four bars in G major."""
    return line_of(TUNE)


def notes_of_track(track: Any) -> Counter[tuple[Any, ...]]:
    """Return how often a track has each note: start, length, pitch, velocity."""
    return Counter((note.time, note.duration, note.pitch, note.velocity) for note in track.notes)


@pytest.fixture(scope="session")
def notes_of() -> Callable[[Any], Counter[tuple[Any, ...]]]:
    """The function `notes_of_track`."""
    return notes_of_track


def drawn_grid(seed: int, steps: int, **fields: Any) -> Grid:
    """Return a random line in C with held, repeated and silent steps."""
    rng = np.random.default_rng(seed)
    pitches, held = np.zeros((steps, 1), np.int16), np.zeros((steps, 1), bool)
    for step in range(steps):
        kind, before = rng.random(), int(pitches[step - 1, 0]) if step else REST
        if kind < 0.45 and before != REST:
            pitches[step], held[step] = before, True
        else:
            pitches[step] = REST if kind < 0.6 else rng.choice([60, 62, 64, 65, 67, 69, 71, 72])
    return Grid(pitches, held, **fields)


@pytest.fixture(scope="session")
def random_grid() -> Callable[..., Grid]:
    """The function `drawn_grid`."""
    return drawn_grid
