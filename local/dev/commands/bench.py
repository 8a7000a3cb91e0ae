"""Measure the project: `./dev bench NAME [its arguments]`; alone it lists what there is."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

from local.dev import paths
from local.dev.errors import DevError

BENCHMARKS = paths.ROOT / "benchmarks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="which benchmark; --help after it shows its own")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    found = benchmarks(BENCHMARKS)
    if arguments.name is None:
        print("\n".join(f"  {name:<14}{summary}" for name, summary in found.items()))
        return 0
    if arguments.name not in found:
        raise DevError(f"no benchmark {arguments.name}; there are: {', '.join(found)}")
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{arguments.name}", *arguments.rest],
        cwd=paths.ROOT,
        check=False,
    ).returncode


def benchmarks(folder: Path) -> dict[str, str]:
    """Each runnable benchmark and the first line of its docstring.

    A benchmark is a module or package of `benchmarks/` that can be run with `python -m`.
    """
    found: dict[str, str] = {}
    for path in sorted([*folder.glob("*.py"), *folder.glob("*/__main__.py")]):
        tree = ast.parse(path.read_text())
        name = path.parent.name if path.name == "__main__.py" else path.stem
        summary = ast.get_docstring(tree)
        if summary and (path.name == "__main__.py" or "__name__" in ast.dump(tree)):
            found[name] = summary.splitlines()[0]
    return found
