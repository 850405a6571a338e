from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "size.py"
SOURCE = '''"""Title.

More.
"""
import os  # a comment


# only a comment
class A:
    """Words."""

    def public(self, x: int) -> str:
        """Say."""
        text = """two
lines"""

        return text

    def _private(self):
        def inside(): return 1
        return inside
'''


def tool():
    spec = importlib.util.spec_from_file_location("size_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["size_tool"] = module
    spec.loader.exec_module(module)
    return module


def test_docstrings_comments_and_blank_lines_are_free(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    file = tool().measure(tmp_path / "a.py", "a.py")
    assert (file.lines, file.code_lines) == (21, 9)
    told = {f.name: (f.lines, f.public, f.documented, f.annotated) for f in file.functions}
    assert told == {"A.public": (3, True, True, True), "A._private": (2, False, False, False),
                    "A._private.<inside>.inside": (1, False, False, False)}


def test_exceeded_budgets_are_marked(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("def f():\n" + "    x = 1\n" * 260)
    done = subprocess.run([sys.executable, TOOL, tmp_path], capture_output=True, text=True, check=True, timeout=60)
    assert f"*{tmp_path / 'long.py'}" in done.stdout and "f has 260 lines of code (budget 50)" in done.stdout


def test_report_of_the_package_and_of_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, check=True, timeout=60)
    assert "src/componium/registry.py" in done.stdout.replace("\\", "/") and "annotated" in done.stdout
    empty = subprocess.run([sys.executable, TOOL, tmp_path], capture_output=True, text=True, check=False, timeout=60)
    assert empty.returncode == 2 and "no Python files" in empty.stderr
