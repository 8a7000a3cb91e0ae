"""What a Dockerfile copies, and whether that is enough to run. No container engine is here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.schemas import ROOT


def copied(dockerfile: Path, *, to: Path, root: str) -> None:
    """Do what a Dockerfile's COPY lines do, of what its .dockerignore lets pass."""
    beside = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    ignore = (beside if beside.exists() else dockerfile.with_name(".dockerignore")).read_text()
    let_pass = [line[1:] for line in ignore.splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (.+)$", dockerfile.read_text(), flags=re.MULTILINE):
        *sources, target = line.split()
        for pattern in sources:
            found = sorted(ROOT.glob(pattern))
            assert found, pattern
            for source in found:
                name = str(source.relative_to(ROOT))
                assert any(name == one or name.startswith(f"{one}/") for one in let_pass), name
                place = to / target.removeprefix(root).lstrip("/")
                if source.is_dir():
                    shutil.copytree(
                        source,
                        place,
                        dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__"),
                    )
                else:
                    into = place / source.name if target.endswith("/") else place
                    into.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, into)


def run_in(folder: Path, *command: str, values: dict[str, str]) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    } | values
    answer = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
