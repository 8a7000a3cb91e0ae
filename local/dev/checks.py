"""The checks that need no test to run: format, lint and types."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.dev import paths

SCRIPTS = ("dev",)
"""Python files without the ending that ruff looks for."""


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]


def checks(*, fix: bool = False) -> tuple[Check, ...]:
    """What to run, in order; with `fix`, ruff mends what it can."""
    ruff = (sys.executable, "-m", "ruff")
    return (
        Check("format", (*ruff, "format", *(() if fix else ("--check",)), ".", *SCRIPTS)),
        Check("lint", (*ruff, "check", *(("--fix",) if fix else ()), ".", *SCRIPTS)),
        Check("types", (sys.executable, "-m", "mypy")),
    )


def run_checks(chosen: Sequence[Check], *, root: Path = paths.ROOT) -> list[str]:
    """Run all of them, show what the failing ones said, and return the names of those."""
    failed: list[str] = []
    for check in chosen:
        started = time.monotonic()
        done = subprocess.run(
            check.command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        word = "ok" if done.returncode == 0 else "FAILED"
        print(f"{check.name:<8}{word:<8}{time.monotonic() - started:.1f} s", flush=True)
        if done.returncode != 0:
            print(done.stdout.rstrip(), flush=True)
            failed.append(check.name)
    return failed
