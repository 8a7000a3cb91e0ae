"""checkov in an environment of its own: its pins and the app's exclude each other."""

from __future__ import annotations

from pathlib import Path

from local.dev import environment, paths

REQUIREMENTS = paths.ROOT / "local" / "checkov" / "requirements.txt"
VENVS = paths.VENVS / "checkov"


def ensure() -> Path:
    """Set up what is missing; the path of the command."""
    python = environment.ensure(
        requirements=[REQUIREMENTS],
        venvs=VENVS,
        logs=paths.LOGS / "checkov",
        pip_options=["--no-deps"],
    )
    return python.parent / "checkov"
