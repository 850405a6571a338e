"""Check that all dependencies of Componium have wheels for three platforms: nothing has to be compiled.

Asks the package index through pip, without installing anything, for Linux x86-64, macOS arm64 and Windows
x64. Exceptions are named in `EXCEPTIONS` with their reason. Ends with 0 if all is well, 1 if a wheel is
missing, 2 if the index cannot be reached. One limit: pip reads conditions such as ``sys_platform == "win32"``
for the machine that it runs on, so a package that is needed on another platform alone is not seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

PLATFORMS: dict[str, list[str]] = {
    "Linux x86-64": [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"],
    "macOS arm64": [f"macosx_{major}_0_{kind}"
                    for major in range(14, 10, -1) for kind in ("arm64", "universal2")]
    + [f"macosx_10_{minor}_universal2" for minor in range(16, 8, -1)],
    "Windows x64": ["win_amd64"],
}

CHECKED_EXTRAS = ("notation", "soundfont", "lessons", "neural", "live")
"""Extras that users install, where they exist; `bench` and `dev` are for developers."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""(package, platform or "*") -> why it may lack a wheel. None at present."""


def requirements() -> dict[str, list[str]]:
    """Return group -> its requirements, from pyproject.toml; groups that refer to others are left out."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"]}
    for extra in CHECKED_EXTRAS:
        if extra in project.get("optional-dependencies", {}):
            groups[extra] = project["optional-dependencies"][extra]
    return groups


def resolve(wanted: list[str], tags: list[str], python: str) -> tuple[list[str], str]:
    """Ask pip for wheels of the requirements and of all that they need.

    Returns:
        The wheels' file names, and "" or what pip said.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                   "--dry-run", "--ignore-installed", "--only-binary=:all:", "--no-warn-conflicts",
                   "--target", folder, "--python-version", python, "--implementation", "cp",
                   "--report", str(report), "--constraint", str(PROJECT / "constraints.txt")]
        command += [word for tag in tags for word in ("--platform", tag)]
        done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return [], "; ".join(errors) or done.stderr.strip()
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
        return [each["download_info"]["url"].rsplit("/", 1)[1] for each in installed], ""


def index_answers() -> bool:
    """Tell whether the index can be reached at all."""
    found, _ = resolve(["pip"], PLATFORMS["Linux x86-64"], "3.11")
    return bool(found)


def check_group(group: str, wanted: list[str], platform: str, python: str) -> list[str]:
    """Check one group on one platform; return the failures that are not excepted."""
    wheels, problem = resolve(wanted, PLATFORMS[platform], python)
    if not problem:
        print(f"  {group:10} Python {python}  {platform:13} {len(wheels)} wheels")
        return []
    failures = []
    for requirement in wanted:  # one by one, to name the culprit
        _, problem = resolve([requirement], PLATFORMS[platform], python)
        reason = exception(requirement, platform)
        if problem and reason:
            print(f"  {group:10} Python {python}  {platform:13} {requirement}: excepted, {reason}")
        elif problem:
            failures.append(f"{requirement} on {platform}, Python {python}: {problem}")
    return failures


def exception(requirement: str, platform: str) -> str:
    """Return why a requirement may lack a wheel on a platform, or ""."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    name = canonicalize_name(Requirement(requirement).name)
    return EXCEPTIONS.get((name, platform)) or EXCEPTIONS.get((name, "*"), "")


def main() -> int:
    """Check all groups on all platforms."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--python", action="append", metavar="VERSION",
                        help="a Python version (default: 3.11 and 3.12; may be given again)")
    versions = parser.parse_args().python or ["3.11", "3.12"]
    if not index_answers():
        print("The package index cannot be reached, so nothing was checked.", file=sys.stderr)
        return 2
    print("Wheels of everything that is installed, dependencies of dependencies included:")
    failures = [failure for python in versions for platform in PLATFORMS
                for group, wanted in requirements().items()
                for failure in check_group(group, wanted, platform, python)]
    for failure in failures:
        print(f"MISSING {failure}", file=sys.stderr)
    print("Nothing has to be compiled." if not failures else f"{len(failures)} without a wheel.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
