"""What is declared is what is used: dependencies, extras, entry points, constraints, the Makefile."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import componium

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "componium"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
USERS_EXTRAS = ("neural", "notation", "soundfont", "lessons", "bench")


def names(requirements):
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imported(path):
    """Yield (module, line) of every import of a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def required():
    """Yield (package, extra) of every call of `require` with plain arguments."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                extra = [each.value.value for each in node.keywords
                         if each.arg == "extra" and isinstance(each.value, ast.Constant)]
                if node.args and isinstance(node.args[0], ast.Constant) and extra:
                    yield node.args[0].value.split(".")[0], extra[0]


def test_every_import_is_declared():
    declared = names(PROJECT["dependencies"]).union(*(names(EXTRAS[extra]) for extra in USERS_EXTRAS))
    found = {}
    for path in SOURCE.rglob("*.py"):
        for module, line in imported(path):
            top = module.split(".")[0]
            if top not in sys.stdlib_module_names and top != "componium":
                found.setdefault(canonicalize_name(top), f"{path.relative_to(ROOT)}:{line}")
    assert {name: place for name, place in found.items() if name not in declared} == {}


def test_what_is_required_of_an_extra_is_in_it():
    calls = set(required())
    assert calls, "nothing calls require()"
    for package, extra in calls:
        assert canonicalize_name(package) in names(EXTRAS[extra]), f"{extra} does not bring {package}"


def test_the_whole_holds_all_extras_for_users():
    assert set(Requirement(EXTRAS["all"][0]).extras) == set(USERS_EXTRAS)


@pytest.mark.parametrize("group", ["core", *EXTRAS])
def test_every_requirement_is_pinned_within_its_range(group):
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[canonicalize_name(name)] = version
    assert pins["torch"] == "2.13.0"
    for text in PROJECT["dependencies"] if group == "core" else EXTRAS[group]:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) != "componium":
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def test_no_torch_in_the_core():
    assert "torch" not in names(PROJECT["dependencies"])


def test_the_version_is_the_packages():
    installed = importlib.metadata.version("componium")
    assert installed == componium.__version__
    assert re.search(rf"^## \[{re.escape(installed)}\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)


def test_the_command_exists():
    module, function = PROJECT["scripts"]["componium"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("numpy", "matplotlib", "music21", "scipy", "torch", "symusic", "typer", "huggingface_hub")
    program = f"import sys, componium; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_checks_run_from_one_place():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_make_lists_its_targets():
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    for target in ("setup", "demo", "test", "test-all", "bench", "lint", "clean"):
        assert re.search(rf"^  make {target} ", done.stdout, re.M), target


@needs_make
def test_an_old_python_is_told_in_a_sentence(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
def test_the_wheel_holds_the_data(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and re.search(r"connection|network|No matching distribution", done.stderr, re.I):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    wanted = {f"componium/{path.relative_to(SOURCE).as_posix()}" for path in SOURCE.rglob("*")
              if path.is_file() and "__pycache__" not in path.parts}
    wanted |= {f"componium/lessons/texts/{path.relative_to(ROOT / 'lessons').as_posix()}"
               for path in (ROOT / "lessons").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert wanted - inside == set()
    assert any(name.endswith("LICENSE") for name in inside)
