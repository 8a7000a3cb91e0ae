"""Everything that must hold: format, lint, types, and the tests.

Arguments that are not listed below go to pytest, for example `./dev test -k ledger -x`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from local import checkov
from local.dev import paths
from local.dev.checks import checks, run_checks

WORKERS = "2"
"""As many as the smallest machine that this is run on has cores."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-lint", action="store_true", help="the tests only")


def run(arguments: argparse.Namespace) -> int:
    checkov.ensure()
    failed = [] if arguments.no_lint else run_checks(checks())
    code = subprocess.run(
        pytest_command(arguments.rest), cwd=paths.ROOT, stdin=subprocess.DEVNULL, check=False
    ).returncode
    if failed:
        # only now, below pytest's closing line, where a reader looks first
        print(f"FAILED before the tests: {', '.join(failed)} (see above)", flush=True)
    return code or (1 if failed else 0)


def pytest_command(rest: Sequence[str]) -> list[str]:
    """pytest on two workers, unless the caller says otherwise.

    By file: the tests of a file may share a system that takes seconds to start.
    """
    chosen = any(argument.startswith(("-n", "--numprocesses")) for argument in rest)
    workers = [] if chosen else ["-n", WORKERS, "--dist", "loadfile"]
    return [sys.executable, "-m", "pytest", *workers, *rest]
