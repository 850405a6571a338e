"""Small chorale networks that tests share, and music to try them on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from componium.music.grid import REST, Grid, to_grid
from componium.music.item import Item
from componium.music.score import Note, Score, Track, new_score

SMALL = {"hidden": 24, "layers": 1, "head": 24, "dropout": 0.0, "context_steps": 64}
TUNE = (67, 69, 71, 72, 74, 72, 71, 69, 67, 67, 66, 67, 69, 71, 69, 67)
"""Four bars of quarter notes in G major."""


def network_of(items: Sequence[Item], steps: int = 0, **settings: Any) -> Any:
    """Return a model with drawn weights that knows its corpus, trained for some steps."""
    import torch

    from componium.composers.chorale_rnn import ChoraleRNN, ChoraleRNNConfig

    torch.set_num_threads(1)
    model = ChoraleRNN(ChoraleRNNConfig(**SMALL | settings))
    model.initialise(1)
    prepared = [model.prepare(item) for item in items]
    model.measure(prepared)
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=0.01)
    model.network.train()
    for step in range(steps):
        rng = np.random.default_rng(step)
        examples = [model.example(prepared[k % len(prepared)], rng) for k in range(6)]
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
def grid_model(network: Any, chorales: list[Item]) -> Any:
    """A little trained, encoding=grid."""
    return network(chorales, 25)


@pytest.fixture(scope="session")
def bach_model(network: Any, chorales: list[Item]) -> Any:
    """A little trained, encoding=bachbot."""
    return network(chorales, 25, encoding="bachbot")


@pytest.fixture(scope="session")
def untied_items(chorales: list[Item]) -> list[Item]:
    """The chorales as the benchmark has them: neither ties nor bars are known."""
    return [replace(item, grid=Grid.from_pitches(to_grid(item.content).pitches)) for item in chorales]


@pytest.fixture(scope="session")
def untied_model(network: Any, untied_items: list[Item]) -> Any:
    """A little trained on grids without ties."""
    return network(untied_items, 25)


@pytest.fixture(params=["grid", "bachbot"])
def model(request: pytest.FixtureRequest) -> Any:
    """Each encoding in its turn."""
    return request.getfixturevalue({"grid": "grid_model", "bachbot": "bach_model"}[request.param])


@pytest.fixture(scope="session")
def short(chorales: list[Item]) -> Score:
    """The first three bars of a chorale."""
    score = chorales[1].content.copy()
    for track in score.tracks:
        for note in list(track.notes):
            if note.time >= 12:
                track.notes.remove(note)
    score.markers.clear()
    return score


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


@pytest.fixture(scope="session")
def tune() -> Score:
    """Four bars in G major."""
    return line_of(TUNE)


def notes_of_score(score: Score, *, names: bool = False) -> Counter[tuple[Any, ...]]:
    """Return how often a score has each note: start, length, pitch, velocity, and the track's name if wanted."""
    return Counter((*((track.name,) if names else ()), note.time, note.duration, note.pitch, note.velocity)
                   for track in score.tracks for note in track.notes)


@pytest.fixture(scope="session")
def notes_of() -> Callable[..., Counter[tuple[Any, ...]]]:
    """The function `notes_of_score`."""
    return notes_of_score


def drawn_grid(seed: int, steps: int, voices: int = 4, *, rests: bool = True, **fields: Any) -> Grid:
    """Return random voices that do not cross, in bands of seven semitones, with held and repeated notes."""
    rng = np.random.default_rng(seed)
    pitches, held = np.zeros((steps, voices), np.int16), np.zeros((steps, voices), bool)
    for step in range(steps):
        for voice in range(voices):
            kind = rng.random()
            before = pitches[step - 1, voice] if step else REST
            if kind < 0.45 and before != REST:
                pitches[step, voice], held[step, voice] = before, True
            elif kind < 0.55 and before != REST:
                pitches[step, voice] = before
            elif kind < 0.65 and rests:
                pitches[step, voice] = REST
            else:
                pitches[step, voice] = 67 - 7 * voice + rng.integers(0, 7)
    return Grid(pitches, held, **fields)


@pytest.fixture(scope="session")
def random_grid() -> Callable[..., Grid]:
    """The function `drawn_grid`."""
    return drawn_grid
