"""Print how large the source is: a line a file, the long functions, and the figures to keep small.

    python tools/size.py [FOLDER ...]        default: src/componium

Code lines are lines with code on them: no docstrings, comments or blank lines. A budget that is exceeded is marked
with an asterisk; the file then has to say why.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_CODE_LINES, FILE_LINES, FUNCTION_LINES, PARAMETERS = 250, 400, 50, 8
HOME = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Function:
    """One function: where it is, its code lines without docstring, its parameters, and whether it is documented."""

    place: str
    name: str
    lines: int
    parameters: int
    public: bool
    documented: bool
    annotated: bool


@dataclass(frozen=True)
class File:
    """One file: all its lines, its code lines, its functions."""

    path: str
    lines: int
    code_lines: int
    functions: tuple[Function, ...]


def measure(path: Path, shown: str) -> File:
    """Measure one file."""
    text = path.read_text(encoding="utf-8")
    tree, code = ast.parse(text), code_lines(text)
    return File(shown, len(text.splitlines()), len(code), tuple(functions_of(tree, shown, code)))


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines with code on them."""
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
               tokenize.ENDMARKER}
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def functions_of(tree: ast.AST, shown: str, code: set[int], prefix: str = "") -> Iterator[Function]:
    """Yield every function and method; private ones and those inside functions are not public."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield function(node, f"{shown}:{node.lineno}", prefix, code)
            yield from functions_of(node, shown, code, f"{prefix}{node.name}.<inside>.")
        elif isinstance(node, ast.ClassDef):
            yield from functions_of(node, shown, code, f"{prefix}{node.name}.")
        else:
            yield from functions_of(node, shown, code, prefix)


def function(node: ast.FunctionDef | ast.AsyncFunctionDef, place: str, prefix: str, code: set[int]) -> Function:
    """Measure one function."""
    body = code & set(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    given = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    name = prefix + node.name
    public = "<inside>" not in name and not any(part.startswith("_") for part in name.split("."))
    annotated = node.returns is not None and all(a.annotation is not None for a in given)
    return Function(place, name, len(body), len(given), public, ast.get_docstring(node) is not None, annotated)


def share(values: list[int], part: float) -> int:
    """Return the value that a share of the values does not exceed."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)] if values else 0


def report(files: list[File], tests: int) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{'code':>6} {'lines':>6} {'functions':>9} {'longest':>8}  file"
    for file in sorted(files, key=lambda f: -f.code_lines):
        longest = max((f.lines for f in file.functions), default=0)
        mark = "*" if file.code_lines > FILE_CODE_LINES or file.lines > FILE_LINES else " "
        yield f"{file.code_lines:>6} {file.lines:>6} {len(file.functions):>9} {longest:>8} {mark}{file.path}"
    functions = [f for file in files for f in file.functions]
    large = [f for f in functions if f.lines > FUNCTION_LINES]
    crowded = [f for f in functions if f.parameters > PARAMETERS and f.name.endswith("__init__")]
    for f in large:
        yield f"* {f.place} {f.name} has {f.lines} lines of code (budget {FUNCTION_LINES})"
    for f in crowded:
        yield f"* {f.place} {f.name} has {f.parameters} parameters (budget {PARAMETERS})"
    yield ""
    yield from summary(files, functions, tests)


def summary(files: list[File], functions: list[Function], tests: int) -> Iterator[str]:
    """Yield the figures of the whole."""
    total, public = sum(f.code_lines for f in files), [f for f in functions if f.public]
    for title, values in (("lines of code a file", [f.code_lines for f in files]),
                          ("lines of code a function", [f.lines for f in functions])):
        yield f"{title:<26} median {share(values, 0.5)}, nine in ten up to {share(values, 0.9)}, most {max(values)}"
    told = f"{percent(public, 'documented')} documented, {percent(public, 'annotated')} annotated"
    yield f"{'public functions':<26} {told}"
    yield f"{'in all':<26} {len(files)} files, {total} lines of code"
    yield f"{'lines of tests':<26} {tests} ({tests / max(total, 1):.2f} a line of code)"


def percent(functions: list[Function], what: str) -> str:
    """Return how many of the functions are documented or annotated."""
    return f"{100 * sum(getattr(f, what) for f in functions) // max(len(functions), 1)} %"


def main(folders: list[str]) -> int:
    """Print the report; returns 0, or 2 for a folder without Python files."""
    places = [Path(folder) for folder in folders] or [HOME / "src" / "componium"]
    paths = sorted(path for place in places for path in ([place] if place.is_file() else place.rglob("*.py")))
    if not paths:
        print(f"no Python files in {', '.join(map(str, places))}", file=sys.stderr)
        return 2
    absolute = [path.resolve() for path in paths]
    shown = [str(path.relative_to(HOME) if path.is_relative_to(HOME) else path) for path in absolute]
    tests = sum(len(code_lines(path.read_text(encoding="utf-8"))) for path in (HOME / "tests").rglob("*.py"))
    for line in report([measure(path, name) for path, name in zip(paths, shown, strict=True)], tests):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
