"""The import table of the house, read from the syntax trees; imports only point down."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from componium import registry

SOURCE = Path(registry.__file__).parent
ROOT = "componium"

MODEL_FOLDERS = ("composers", "instruments", "listeners")
MODELS_USE = {"music", "dsp", "tokens", "nn", "interface"}
WORK_USES = {"music", "dsp", "nn", "tokens", "interface", "checkpoint", "registry"}
EVERYTHING = {"*"}
MAY_IMPORT: dict[str, set[str]] = {
    "music": set(),
    "dsp": {"music"},
    "tokens": {"music"},
    "nn": {"dsp", "tokens", "music.errors"},
    "interface": {"music"},
    "checkpoint": {"music", "interface", "registry"},
    "registry": {"music.errors", "checkpoint"},
    **dict.fromkeys(MODEL_FOLDERS, MODELS_USE),
    **dict.fromkeys(("perform", "performance", "training", "evaluation", "explore", "export"), WORK_USES),
    "rendering": {"music", "interface", "registry", "performance"},
    "lessons": {"music"},
    "live": WORK_USES | {"perform", "performance", "explore"},
    "benchmarks": EVERYTHING,
    "__init__": EVERYTHING,
    "cli": EVERYTHING,
    "studio": EVERYTHING,
    "__main__": EVERYTHING,
}
"""A part of the package -> what it may import of ours besides itself."""

ON_TOP = {"__init__", "cli", "studio", "__main__"}
"""Imported by nobody below."""
ONLY_INSIDE_FUNCTIONS = {"registry": {"checkpoint"}}
HEAVY = {"torch", "matplotlib", "music21", "scipy", "verovio", "huggingface_hub", "soundfile", "soxr", "pyloudnorm",
         "pretty_midi", "safetensors", "onnxruntime", "transformers", "resvg_py", "jupytext", "nbformat", "IPython"}
"""Never imported when one of our modules is: `import componium` and the command line start at once."""
NEVER = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torchaudio", "torchvision"}
NO_TORCH = {"music", "tokens", "interface", "registry", "checkpoint"}
AT_HOME_WITH_TORCH = {"dsp", "nn", "training", *MODEL_FOLDERS}
"""Parts whose modules may import torch when they are imported: nothing of them is loaded before it is needed."""
CORE_MODELS = ("markov", "grammar", "soundfont")
"""Models that need no network library."""
MAY_PRINT = {"cli", "benchmarks"}


@dataclass(frozen=True)
class Import:
    """One imported module: its full name, the line, whether it is imported when the importing module is."""

    module: str
    line: int
    at_start: bool


def part_of(module: str) -> str:
    """Return the part of the house that a module (without ``componium.``) belongs to."""
    return module.split(".")[0] if module else "__init__"


def imports_of(tree: ast.Module, package: str, ours: set[str]) -> Iterator[Import]:
    """Yield what a module imports; ``from componium import x`` is the module x where there is one."""

    def visit(node: ast.AST, at_start: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, at_start)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for name in node.names:
                full = f"{base}.{name.name}"
                yield Import(full if full in ours else base, node.lineno, at_start)
        elif isinstance(node, ast.Call):
            yield from _dynamic(node)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        later = typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_start and not later)

    def _dynamic(node: ast.Call) -> Iterator[Import]:
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            yield Import(str(node.args[0].value), node.lineno, False)

    yield from visit(tree, True)


def violations(source: str, module: str, ours: set[str], *, is_package: bool = False) -> list[str]:
    """Return what is wrong with a module's imports and calls.

    Args:
        source: its text.
        module: its name without ``componium.``; empty for the package itself.
        ours: full names of all our modules.
        is_package: whether it is an ``__init__.py``.
    """
    tree = ast.parse(source)
    full = f"{ROOT}.{module}" if module else ROOT
    package = full if is_package or not module else full.rpartition(".")[0]
    part, found = part_of(module), []
    for item in imports_of(tree, package, ours):
        top = item.module.split(".")[0]
        where = f"{module or '__init__'}:{item.line}"
        if top == ROOT:
            found += [f"{where} {reason}" for reason in _inner(item, module, part)]
        if top in NEVER:
            found.append(f"{where} imports {top}, which is never used here")
        if top == "torch" and part in NO_TORCH:
            found.append(f"{where} imports torch into {part}")
        if top in HEAVY and item.at_start and not (top == "torch" and part in AT_HOME_WITH_TORCH):
            found.append(f"{where} imports {top} at module level")
        if part == "registry" and top != ROOT and top not in sys.stdlib_module_names:
            found.append(f"{where} imports {top}: the registry needs only the standard library")
    if part not in MAY_PRINT:
        found += [f"{module}:{node.lineno} prints" for node in ast.walk(tree)
                  if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]
    return found


def _inner(item: Import, module: str, part: str) -> Iterator[str]:
    target = item.module.removeprefix(ROOT).lstrip(".")
    aim, allowed = part_of(target), MAY_IMPORT.get(part)
    if allowed is None:
        yield f"belongs to {part}, which the import table does not know"
        return
    if part in MODEL_FOLDERS and aim == part:
        if model_of(target) != model_of(module):
            yield f"imports another model, {target}"
        return
    if aim == part and part != "__init__":
        return
    if aim in ON_TOP and part not in ON_TOP:
        yield f"imports {target or ROOT}, which stands above everything"
    elif allowed is not EVERYTHING and aim not in allowed and target not in allowed:
        yield f"imports {target}, which {part} may not"
    elif item.at_start and aim in ONLY_INSIDE_FUNCTIONS.get(part, ()):
        yield f"imports {target} outside a function"


def model_of(module: str) -> str:
    """Return the file or folder in a model folder: ``composers.markov.plan`` is the model ``markov``."""
    return module.split(".")[1] if "." in module else ""


def our_modules() -> dict[str, Path]:
    """Return module names without ``componium.`` -> files."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = our_modules()
OURS = {f"{ROOT}.{name}" if name else ROOT for name in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "__init__")
def test_imports_only_point_down(module: str) -> None:
    path = MODULES[module]
    found = violations(path.read_text(encoding="utf-8"), module, OURS, is_package=path.name == "__init__.py")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("module", "source", "told"), [
    ("music.score", "import componium.interface", "music may not"),
    ("music.score", "from componium import interface", "music may not"),
    ("music.score", "from .. import interface", "music may not"),
    ("music.score", "from componium import load", "above everything"),
    ("music.score", "import torch", "torch"),
    ("music.score", "def f():\n    import torch", "torch into music"),
    ("music.score", "import scipy.signal", "scipy at module level"),
    ("music.score", "try:\n    import music21\nexcept ImportError:\n    pass", "music21 at module level"),
    ("music.score", "class A:\n    import matplotlib", "matplotlib at module level"),
    ("music.audio", "import soundfile", "soundfile at module level"),
    ("music.audio", "def f():\n    from componium.cli import main", "above everything"),
    ("music.audio", "import torchaudio", "torchaudio"),
    ("music.audio", "def f():\n    import pickle", "pickle"),
    ("music.audio", "def f():\n    print(1)", "prints"),
    ("interface", "from componium import registry", "interface may not"),
    ("interface", "from componium.composers.markov import Markov", "interface may not"),
    ("checkpoint", "from componium.composers import grammar", "checkpoint may not"),
    ("registry", "from componium import checkpoint", "outside a function"),
    ("registry", "import numpy", "standard library"),
    ("registry", "from componium.music import score", "registry may not"),
    ("registry", "def f():\n    import componium.composers.grammar", "registry may not"),
    ("composers.markov.model", "from componium.composers.grammar import Grammar", "another model"),
    ("composers.markov.model", "from ..grammar import Grammar", "another model"),
    ("composers.markov.model", "from componium.instruments import soundfont", "composers may not"),
    ("composers.grammar", "from componium import checkpoint", "composers may not"),
    ("composers.grammar", "from componium.training import fit", "composers may not"),
    ("composers.grammar", "import importlib\nimportlib.import_module('componium.cli')", "above everything"),
    ("instruments.soundfont", "from componium.performance import perform", "instruments may not"),
    ("training.fit", "from componium.evaluation import likelihood", "training may not"),
    ("training.fit", "from componium.composers.markov import Markov", "training may not"),
    ("evaluation.likelihood", "import componium", "above everything"),
    ("performance", "from componium.instruments.soundfont import SoundFont", "performance may not"),
    ("benchmarks.speed", "from componium.cli import main", "above everything"),
    ("attic.old", "import componium.music.score", "does not know"),
])
def test_each_rule_fails_where_it_is_broken(module: str, source: str, told: str) -> None:
    ours = OURS | {"componium.interface", "componium.registry", "componium.checkpoint", "componium.cli",
                   "componium.composers.grammar", "componium.composers.markov", "componium.instruments.soundfont"}
    assert any(told in reason for reason in violations(source, module, ours))


@pytest.mark.parametrize(("module", "source"), [
    ("music.score", "import numpy\nfrom componium.music import theory\nfrom . import grid"),
    ("music.audio", "def f():\n    import soundfile"),
    ("music.audio", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib"),
    ("registry", "import json\nfrom componium.music.errors import BadInput\n"
                 "def f():\n    from componium import checkpoint"),
    ("checkpoint", "from componium import registry\nfrom componium.music.errors import BadFile"),
    ("composers.markov.model", "from componium.composers.markov.plan import Plan\nfrom .plan import Plan"),
    ("composers.markov.model", "from componium.interface import setting\nfrom componium.music import score"),
    ("performance", "from componium import registry\nfrom componium.interface import Plays"),
    ("benchmarks.speed", "def f():\n    from componium.composers.markov import Markov\n    print(1)"),
    ("cli.main", "import typer\nprint(1)\ndef f():\n    import componium\n    from componium import perform"),
])
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(source, module, OURS | {"componium.registry", "componium.checkpoint"}) == []


def test_every_model_file_is_in_the_table_and_the_other_way_round() -> None:
    files = {f"{ROOT}.{folder}.{path.stem}" for folder in MODEL_FOLDERS if (SOURCE / folder).is_dir()
             for path in (SOURCE / folder).iterdir()
             if path.name not in ("__init__.py", "__pycache__") and (path.suffix == ".py" or path.is_dir())}
    table = {".".join(target.split(":")[0].split(".")[:3]) for target in registry.MODELS.values()}
    assert files == table


def loaded_after(code: str) -> set[str]:
    """Return the modules that a fresh Python has loaded after some code."""
    code += "\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
                          env={"PYTHONPATH": str(SOURCE.parent), "PATH": "", "SYSTEMROOT": ""})
    return set(done.stdout.split())


def test_listing_models_imports_no_model() -> None:
    loaded = loaded_after("from componium import registry\nassert registry.models()\nregistry.shipped()")
    assert not [name for name in loaded if name.startswith(tuple(f"{ROOT}.{f}" for f in MODEL_FOLDERS))]
    assert "numpy" not in loaded


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import componium\ndir(componium)\ncomponium.models()")
    assert not loaded & (HEAVY | {"numpy", "symusic"})


def test_importing_a_core_model_loads_no_torch_and_nothing_heavy() -> None:
    assert set(CORE_MODELS) <= set(registry.MODELS)
    loaded = loaded_after(f"from componium import registry\nfor n in {CORE_MODELS}: registry.model_class(n)")
    assert not loaded & HEAVY


def test_importing_a_neural_model_loads_nothing_heavy_but_torch() -> None:
    loaded = loaded_after("from componium import registry\nfor n in registry.MODELS: registry.model_class(n)")
    assert not loaded & (HEAVY - {"torch"})


def test_training_is_imported_without_torch() -> None:
    loaded = loaded_after("import componium.training.train, componium.training.settings, componium.training.recipes")
    assert not loaded & HEAVY
