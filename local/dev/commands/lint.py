"""Format, lint and types: ruff format --check, ruff check, mypy --strict."""

from __future__ import annotations

import argparse

from local.dev.checks import checks, run_checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="let ruff mend what it can")


def run(arguments: argparse.Namespace) -> int:
    return 1 if run_checks(checks(fix=arguments.fix)) else 0
