"""What the hooks share: the environment that azd hands them, and the tools that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""The words of Go's strconv.ParseBool, by which azd reads a boolean parameter. azd takes the
parameter's default for any other word, and says nothing of it."""


class HookError(Exception):
    """The hook cannot go on; the message says what to do."""


def is_true(value: str | None) -> bool:
    """As azd reads a boolean parameter: exactly Go's words, without spaces around them."""
    return value in TRUE


def needed(env: Mapping[str, str], *names: str) -> list[str]:
    """The values of outputs that provisioning sets. Raises HookError."""
    missing = [name for name in names if not env.get(name)]
    if missing:
        raise HookError(f"{', '.join(missing)} is not set: run azd provision first.")
    return [env[name] for name in names]


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    error: str


Runner = Callable[[Sequence[str]], Done]
"""Runs a command to its end. Tests hand in one of their own."""


def start(command: Sequence[str]) -> Done:
    """Run a command line tool and keep both of its streams. Raises HookError if it is missing."""
    done = subprocess.run(  # noqa: S603 - a list, no shell
        [_program(command[0]), *command[1:]],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    # az writes in the console's encoding; a character that is lost must not end the hook
    out, error = (text.decode("utf-8", "replace").strip() for text in (done.stdout, done.stderr))
    return Done(done.returncode, out, error)


def run(command: Sequence[str]) -> str:
    """Run a command line tool; what it printed. Raises HookError. The person sees its stderr."""
    done = subprocess.run(  # noqa: S603 - a list, no shell
        [_program(command[0]), *command[1:]],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise HookError(f"{' '.join(command[:4])} failed (exit code {done.returncode}); see above.")
    return done.stdout.decode("utf-8").strip()


def set_variable(env: Mapping[str, str], name: str, value: str, *, runner: Runner = start) -> None:
    """Keep a variable in azd's environment; an empty value clears it. Raises HookError."""
    command = ["azd", "env", "set", name, value]
    if env.get("AZURE_ENV_NAME"):
        # without it azd takes its default environment, which may be another one
        command += ["--environment", env["AZURE_ENV_NAME"]]
    done = runner(command)
    if done.code != 0:
        raise HookError(f"azd env set {name} failed (exit code {done.code}): {done.error}")


def _program(name: str) -> str:
    # on Windows az is a .cmd, which only its full name starts
    program = shutil.which(name)
    if program is None:
        raise HookError(f"{name} is not installed: https://aka.ms/{_INSTALL[name]}")
    return program


_INSTALL = {"az": "azure-cli", "azd": "azd-install"}


def main(hook: Callable[[Mapping[str, str]], None]) -> int:
    """Run a hook with azd's environment; its exit code."""
    try:
        hook(os.environ)
    except HookError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    return 0
