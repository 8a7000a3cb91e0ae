"""What the hooks share: the environment that azd hands them, and the Azure CLI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class HookError(Exception):
    """The hook cannot go on; the message says what to do."""


def is_true(value: str | None) -> bool:
    """As azd reads a boolean parameter."""
    return (value or "").strip().lower() in {"true", "1", "yes"}


def needed(env: Mapping[str, str], *names: str) -> list[str]:
    """The values of outputs that provisioning sets. Raises HookError."""
    missing = [name for name in names if not env.get(name)]
    if missing:
        raise HookError(f"{', '.join(missing)} is not set: run azd provision first.")
    return [env[name] for name in names]


def run(command: Sequence[str]) -> str:
    """Run a command line tool; what it printed. Raises HookError."""
    # on Windows az is a .cmd, which only its full name starts
    program = shutil.which(command[0])
    if program is None:
        raise HookError(f"{command[0]} is not installed: https://aka.ms/{_INSTALL[command[0]]}")
    done = subprocess.run(  # noqa: S603 - a list, no shell
        [program, *command[1:]], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise HookError(f"{' '.join(command[:4])} failed (exit code {done.returncode}); see above.")
    return done.stdout.decode("utf-8").strip()


_INSTALL = {"az": "azure-cli", "azd": "azd-install"}


def main(hook: Callable[[Mapping[str, str]], None]) -> int:
    """Run a hook with azd's environment; its exit code."""
    try:
        hook(os.environ)
    except HookError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    return 0
