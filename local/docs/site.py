"""Building the site: the generator's warnings, and ours, are errors."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

from local.dev import environment, paths
from local.docs import check, tools

CONFIG = "zensical.toml"


def build(generator: Path, *, root: Path = paths.ROOT) -> list[str]:
    """Build the site that `root`'s configuration describes; what is wrong with it."""
    config = tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))["project"]
    tools.put_scripts(root / config["docs_dir"])
    done = subprocess.run(
        [generator, "build", "--strict", "--clean", "--config-file", CONFIG],
        cwd=root,
        env=environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return [said(done.stdout)]
    return [*check.built(root / config["site_dir"])]


def serve(generator: Path, *, port: int, root: Path = paths.ROOT) -> int:
    """Show the site on this machine, and each change of a page, until Ctrl-C."""
    return subprocess.run(
        [generator, "serve", "--dev-addr", f"127.0.0.1:{port}", "--config-file", CONFIG],
        cwd=root,
        env=environ(),
        check=False,
    ).returncode


def environ() -> dict[str, str]:
    """With this repository to import from: the configuration names an extension of ours."""
    clean = environment.clean_environ(os.environ)
    return {**clean, "PYTHONPATH": str(paths.ROOT), "NO_COLOR": "1"}


def said(output: str) -> str:
    """What the generator said, without colours and without the traceback of its strict mode."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return plain.partition("Traceback (most recent call last)")[0].strip()
