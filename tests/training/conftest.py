"""What tests of training share: the toy models, which also other processes load by their path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOYS = Path(__file__).with_name("toys.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("componium_test_toys", TOYS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """The module of the toy models; skipped where torch is not installed."""
    pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    return _load()


@pytest.fixture
def toy(toys, cache):
    """A new toy, and a cache of its own."""
    return toys.Toy()
