"""Running the command line: in this process for speed, as a process of its own where that is what counts."""

from __future__ import annotations

import contextlib
import os
import signal
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
    """Return a function that starts ``componium`` as a process of its own, which hears Ctrl-C in any case."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COMPONIUM_CACHE": str(folder / "cache")}
    return lambda *words, **more: subprocess.Popen(
        [sys.executable, "-m", "componium", *map(str, words)], cwd=folder, env=environment | more,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears_ctrl_c)


def hears_ctrl_c():
    """A job in the background of a shell begins with Ctrl-C ignored, and so do the processes that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def browse():
    """Return `opened`: a file opened in Chromium."""
    return opened


def chromium():
    """Return the system's Chromium, or None for the one that playwright brings."""
    found = subprocess.run(["which", "chromium", "chromium-browser", "google-chrome"], capture_output=True, text=True,
                           check=False).stdout.split()
    return found[0] if found else None


@contextlib.contextmanager
def opened(path, *, width=1280, height=900):
    """Give a page opened in Chromium, with what went wrong and what was asked for as attributes; skip without one."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
                                              executable_path=chromium())
        except playwright.Error as error:
            pytest.skip(f"no browser: {str(error).splitlines()[0]}")
        page = browser.new_page(viewport={"width": width, "height": height})
        page.troubles, page.asked = [], []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda message: page.troubles.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()
