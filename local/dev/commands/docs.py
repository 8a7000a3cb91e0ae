"""Build the documentation site into .local/site; any warning is an error.

Open .local/site/index.html, or let --serve show it: then a changed page is built again and shown
at once. The site loads nothing from the internet.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local.docs import site, tools


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--serve", action="store_true", help="show it on this machine until Ctrl-C")
    parser.add_argument("--port", type=int, default=8000, help="where to (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    generator = tools.ensure(venv=Path(sys.prefix))
    started = time.monotonic()
    code = report(site.build(generator), seconds=time.monotonic() - started)
    if code == 0 and arguments.serve:
        return site.serve(generator, port=arguments.port)
    return code


def report(problems: Sequence[str], *, seconds: float) -> int:
    """Say how it went; the exit code."""
    if problems:
        print(*problems, f"{len(problems)} problem(s)", sep="\n", flush=True)
        return 1
    print(f"built .local/site in {seconds:.1f} s", flush=True)
    return 0
