"""The virtual environment of one Python version: `.venv/<x.y>`, made and kept in step."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.dev import paths
from local.dev.steps import lock, run_step

STAMP = "dev-stamp"
"""Written last, with the hash of what was installed: without it an installation was interrupted."""

PIP_ADVICE = (
    "Check that the machine reaches its package index (a proxy or mirror is set with "
    "PIP_INDEX_URL or pip.conf), then run ./dev again: it goes on from here."
)
VENV_ADVICE = (
    "Python's venv module is needed; on Debian and Ubuntu it is a package of its own "
    "(apt install python3-venv). Or name another interpreter: ./dev --python 3.12"
)


def ensure(
    *,
    interpreter: str = sys.executable,
    version: tuple[int, int] = (sys.version_info[0], sys.version_info[1]),
    requirements: Sequence[Path] = paths.REQUIREMENTS,
    venvs: Path = paths.VENVS,
    logs: Path = paths.LOGS,
    pip_options: Sequence[str] = (),
) -> Path:
    """Make the environment if it is missing, broken or out of date; the path of its Python."""
    name = f"{version[0]}.{version[1]}"
    venv = venvs / name
    shown = os.path.relpath(venv, paths.ROOT)
    python = venv / "bin" / "python"
    wanted = requirements_hash(requirements)
    if _is_current(venv, wanted):
        return python
    with lock(venvs / f"{name}.lock"):
        if _is_current(venv, wanted):
            return python
        stamp = venv / STAMP
        if not (stamp.is_file() and python.exists()):
            # what an interrupted pip leaves behind looks installed but is not
            shutil.rmtree(venv, ignore_errors=True)
            run_step(
                f"making {shown}",
                [interpreter, "-m", "venv", str(venv)],
                log=logs / f"venv-{name}.log",
                advice=VENV_ADVICE,
                environ=clean_environ(os.environ),
            )
        stamp.unlink(missing_ok=True)
        run_step(
            f"installing packages into {shown} (a minute or two, the first time)",
            [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
            + [*pip_options]
            + [part for file in requirements for part in ("-r", str(file))],
            log=logs / f"pip-{name}.log",
            advice=PIP_ADVICE,
            environ=clean_environ(os.environ),
        )
        stamp.write_text(wanted)
    return python


def requirements_hash(requirements: Sequence[Path]) -> str:
    """What the environment must hold, as one hash."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in requirements)).hexdigest()


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what another Python or an active virtual environment put there."""
    foreign = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in environ.items() if name not in foreign}


def _is_current(venv: Path, wanted: str) -> bool:
    # exists() follows the link: False when the Python that it was made from is gone
    stamp = venv / STAMP
    return (venv / "bin" / "python").exists() and stamp.is_file() and stamp.read_text() == wanted
