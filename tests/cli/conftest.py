"""Running the command line: in this process for speed, as a process of its own where that is what counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from componium import checkpoint
from componium.cli.main import app
from componium.music.formats import write_score
from componium.registry import create
from componium.training.fit import train

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that is the current one, with a cache of its own."""
    monkeypatch.setenv("COMPONIUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COMPONIUM_DEBUG", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(folder):
    """Return a function that runs a command line in this process: exit status, standard output and error."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def model(tmp_path_factory, chorales):
    """A small trained model in a folder."""
    made = train(create("markov"), chorales)
    return checkpoint.save(made, tmp_path_factory.mktemp("models") / "small.markov")


@pytest.fixture
def midi(folder, chorales):
    """A folder with five MIDI files and one that is none."""
    for item in chorales:
        write_score(item.content, folder / "midi" / f"{item.name}.mid")
    (folder / "midi" / "broken.mid").write_bytes(b"MThd and no more")
    return folder / "midi"


@pytest.fixture
def start(folder):
    """Return a function that starts ``componium`` as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COMPONIUM_CACHE": str(folder / "cache")}
    return lambda *words, **more: subprocess.Popen(
        [sys.executable, "-m", "componium", *map(str, words)], cwd=folder, env=environment | more,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
