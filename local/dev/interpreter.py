"""Which Python runs the project: the one that started us, or another that was asked for.

This module is read by whatever `python3` is at hand, so it keeps to what Python 3.7 can parse.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.dev.errors import DevError

SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""What Azure Functions runs and what the test suite is run on."""

VARIABLE = "DEV_PYTHON"
"""Environment variable with the same meaning as `--python`."""

PROBE_SECONDS = 20
"""A candidate that does not answer by then is broken; a cold start from a slow disk takes a few."""


def split_python_option(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take `--python X` out of the arguments, wherever it stands before a bare `--`."""
    wanted: str | None = None
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--":
            rest.append(argument)
            break
        if argument == "--python":
            wanted = next(arguments, "")
        elif argument.startswith("--python="):
            wanted = argument[len("--python=") :]
        else:
            rest.append(argument)
            continue
        if not wanted:
            raise DevError("--python needs a version or a path, such as --python 3.12")
    rest.extend(arguments)
    return wanted, rest


def choose(*, wanted: str | None, environ: Mapping[str, str]) -> str:
    """The path of the interpreter to use.

    `wanted` is a path, a version such as `3.12`, or None: then the running interpreter if it is a
    supported one, else the newest supported one that this machine has.
    """
    wanted = wanted or environ.get(VARIABLE) or None
    if wanted is None and sys.version_info[:2] in SUPPORTED:
        return sys.executable
    if wanted is None:
        for version in reversed(SUPPORTED):
            found = find(version, environ=environ)
            if found:
                return found
        raise DevError(
            f"./dev needs Python {_listed(SUPPORTED)}; {sys.executable} is "
            f"{sys.version.split()[0]} and no other was found on PATH or in ~/.pyenv/versions.\n"
            "Install one, or name it: ./dev --python /path/to/python3.12"
        )
    match = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", wanted)
    if match:
        version = (int(match.group(1)), int(match.group(2)))
        _require_supported(version, wanted)
        found = find(version, environ=environ)
        if not found:
            raise DevError(
                f"Python {wanted} was not found on PATH or in ~/.pyenv/versions.\n"
                "Install it, or name it by its path: ./dev --python /path/to/python"
            )
        return found
    path = shutil.which(os.path.expanduser(wanted), path=environ.get("PATH"))
    answer = probe(path) if path else None
    if path is None or answer is None:
        raise DevError(f"--python {wanted}: there is no working Python there.")
    _require_supported(answer, wanted)
    return path


def find(version: tuple[int, int], *, environ: Mapping[str, str]) -> str | None:
    """A working interpreter of this version: the running one, on PATH, or one of pyenv's."""
    if sys.version_info[:2] == version:
        return sys.executable
    for candidate in _candidates(version, environ):
        # pyenv puts a `python3.12` on PATH that only says that 3.12 is not switched on
        if probe(candidate) == version:
            return candidate
    return None


def probe(path: str) -> tuple[int, int] | None:
    """The version that the interpreter at `path` says it is, or None if it does not run."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", "import sys; print('%d %d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=True,
        )
        major, minor = done.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _candidates(version: tuple[int, int], environ: Mapping[str, str]) -> Iterator[str]:
    name = "python{}.{}".format(*version)
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=folder) if folder else None
        if found:
            yield found
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for path in sorted(pyenv.glob(f"{version[0]}.{version[1]}.*/bin/{name}"), reverse=True):
        yield str(path)


def _require_supported(version: tuple[int, int], wanted: str) -> None:
    if version not in SUPPORTED:
        raise DevError(
            f"--python {wanted}: that is Python {version[0]}.{version[1]}, "
            f"but the project runs on {_listed(SUPPORTED)}."
        )


def _listed(versions: Sequence[tuple[int, int]]) -> str:
    names = [f"{major}.{minor}" for major, minor in versions]
    return ", ".join(names[:-1]) + " or " + names[-1]
