"""`componium doctor`: what is installed, what is found, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from componium.cli.show import new_app, say
from componium.music.errors import ComponiumError

app = new_app()

CORE = ("numpy", "symusic", "soundfile", "soxr", "pyloudnorm", "matplotlib", "safetensors", "huggingface_hub",
        "platformdirs", "typer", "rich")
"""Packages without which Componium does not work; each is really imported."""

EXTRAS = {
    "neural": (("torch", "accelerate", "tensorboard", "filelock"), "networks: chorale-rnn, training them, the demo"),
    "notation": (("music21", "verovio", "resvg_py"), "kern, the built-in corpora, engraved scores"),
    "soundfont": (("pretty_midi",), "a General MIDI SoundFont, to hear scores"),
    "lessons": (("jupytext", "ipykernel"), "lessons as notebooks"),
}
"""Extra -> the packages it brings, and what they are for."""


@dataclass(frozen=True)
class Finding:
    """One line of the report: ``state`` is ``"ok"``, ``"can do"`` (something optional is missing) or ``"broken"``."""

    state: str
    name: str
    text: str
    remedy: str = ""


@app.command(epilog="""\b
Example:
  componium doctor

\b
Exit status 0 unless the core itself does not work.""")
def doctor() -> None:
    """Check the installation, the extras, sound, MIDI, SoundFont and cache, and say what to do."""
    findings = list(examine())
    marks = {"ok": "ok     ", "can do": "missing", "broken": "BROKEN "}
    for finding in findings:
        say(f"{marks[finding.state]}  {finding.name:<14} {finding.text}")
        if finding.remedy:
            say(f"{'':<25}to do: {finding.remedy}")
    broken = [finding.name for finding in findings if finding.state == "broken"]
    missing = [finding.name for finding in findings if finding.state == "can do"]
    say()
    if broken:
        say(f"Componium does not work here: {', '.join(broken)}. The lines above say what to do.")
        raise typer.Exit(1)
    optional = f"; optional and missing: {', '.join(missing)}" if missing else " and everything optional is there"
    say(f"Componium works{optional}.")


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    from componium import __version__

    yield Finding("ok" if sys.version_info >= (3, 11) else "broken", "Python",
                  f"{platform.python_version()}, {platform.platform(terse=True)} {platform.machine()}, "
                  f"{os.cpu_count()} processors")
    yield Finding("ok", "Componium", f"{__version__} in {Path(__file__).resolve().parents[1]}")
    yield core()
    for extra, (packages, purpose) in EXTRAS.items():
        yield extra_of(extra, packages, purpose)
    yield soundfont()
    yield sound_devices()
    yield midi_ports()
    yield cache()
    yield benchmark_data()


def core() -> Finding:
    """Import every package of the core."""
    broken = []
    for package in CORE:
        try:
            importlib.import_module(package)
        except (ImportError, OSError) as error:  # OSError: a library that the package loads is not there
            broken.append(f"{package} ({error})")
    if broken:
        return Finding("broken", "core", "; ".join(broken), "pip install --force-reinstall componium")
    return Finding("ok", "core", ", ".join(f"{name} {version(name)}" for name in CORE[:5]) + " ...")


def version(package: str) -> str:
    """Return the installed version of a package, or ``""``."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def extra_of(extra: str, packages: tuple[str, ...], purpose: str) -> Finding:
    """Look for the packages of an extra, without importing them."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        return Finding("can do", extra, f"{', '.join(missing)}: {purpose}", f"pip install 'componium[{extra}]'")
    return Finding("ok", extra, ", ".join(f"{package} {version(package)}" for package in packages))


def soundfont() -> Finding:
    """Look for a SoundFont as `perform` does."""
    from componium.music.soundfont import find_soundfont

    try:
        found = find_soundfont()
    except ComponiumError as error:
        return Finding("can do", "SoundFont", " ".join(str(error).splitlines()))
    return Finding("ok", "SoundFont", f"{found.name}, licence {found.licence}, {found.path}")


def sound_devices() -> Finding:
    """Ask sounddevice for the outputs, where it is installed."""
    if importlib.util.find_spec("sounddevice") is None:
        return Finding("can do", "sound output", "not looked for: the package sounddevice is not installed "
                       "(files are written without it)", "pip install sounddevice")
    try:
        devices = importlib.import_module("sounddevice").query_devices()
    except Exception as error:  # noqa: BLE001  (the driver of a sound card may raise anything)
        return Finding("can do", "sound output", f"cannot be used: {first_line(error)}",
                       "on Linux: apt install libportaudio2")
    names = [device["name"] for device in devices if device["max_output_channels"] > 0]
    if not names:
        return Finding("can do", "sound output", "this computer has none that can be seen (files are written without)")
    return Finding("ok", "sound output", ", ".join(names))


def midi_ports() -> Finding:
    """Ask python-rtmidi for the MIDI inputs and outputs, where it is installed."""
    if importlib.util.find_spec("rtmidi") is None:
        return Finding("can do", "MIDI ports", "not looked for: the package python-rtmidi is not installed "
                       "(MIDI files work without it)", "pip install python-rtmidi")
    try:
        rtmidi = importlib.import_module("rtmidi")
        inputs, outputs = rtmidi.MidiIn().get_ports(), rtmidi.MidiOut().get_ports()
    except Exception as error:  # noqa: BLE001  (the system's MIDI may raise anything)
        return Finding("can do", "MIDI ports", f"cannot be used: {first_line(error)}")
    if not inputs and not outputs:
        return Finding("can do", "MIDI ports", "none is connected")
    return Finding("ok", "MIDI ports", f"in: {', '.join(inputs) or 'none'}; out: {', '.join(outputs) or 'none'}")


def cache() -> Finding:
    """Say where the cache is, how large, and whether it can be written."""
    from componium.music.cache import cache_folder

    folder = cache_folder()
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        return Finding("can do", "cache", f"{folder} cannot be written; corpora are read anew every time",
                       "set COMPONIUM_CACHE to a folder of yours")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    return Finding("ok", "cache", f"{folder}, {size / 1e6:.1f} MB")


def benchmark_data() -> Finding:
    """Look for the benchmark data, which only tests and benchmarks use."""
    named = os.environ.get("COMPONIUM_BENCH_DATA", "").strip()
    if not named:
        return Finding("ok", "benchmark data", "COMPONIUM_BENCH_DATA is not set (only benchmarks and tests use it)")
    if not Path(named).expanduser().is_dir():
        return Finding("can do", "benchmark data", f"COMPONIUM_BENCH_DATA={named} is not a folder")
    return Finding("ok", "benchmark data", named)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
