"""What the site is built with: an environment of its own, and scripts that a CDN would serve."""

from __future__ import annotations

import shutil
from pathlib import Path

from local.dev import environment, node, paths

FOLDER = paths.ROOT / "local" / "docs"
VENVS = paths.VENVS / "docs"

SCRIPTS = {
    "@mermaid-js/tiny/dist/mermaid.tiny.js": "mermaid.js",
    "iframe-worker/shim/index.js": "iframe-worker.js",
}
"""From `node_modules` to `docs/assets/vendor`: diagrams, and search in pages opened as files."""


def ensure(*, venv: Path) -> Path:
    """Set up what is missing; the path of the generator.

    `venv` is the project's own environment, whose Node.js serves where the machine has none.
    """
    python = environment.ensure(
        requirements=[FOLDER / "requirements.txt"], venvs=VENVS, logs=paths.LOGS / "docs"
    )
    node.ensure_packages("the scripts of the documentation site", folder=FOLDER, venv=venv)
    return python.parent / "zensical"


def put_scripts(docs: Path) -> None:
    """Copy the scripts to where the pages load them from."""
    vendor = docs / "assets" / "vendor"
    vendor.mkdir(parents=True, exist_ok=True)
    for source, name in SCRIPTS.items():
        shutil.copyfile(FOLDER / "node_modules" / source, vendor / name)
