"""The folder in which a local system keeps its data: one system at a time."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from local.system.errors import SystemFailed

SETTINGS = "local.settings.json"
KEYS = "keys.json"
KEPT = ("azurite", "cosmos", "event_hubs", KEYS, SETTINGS)
"""Everything that a local system keeps in its folder."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other systems out of `folder`, made if it is missing.

    Raises SystemFailed if another one has it. Being killed gives it back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemFailed(
                f"another local system is using {folder}; stop it, or choose another with --data"
            ) from None
        yield


def forget(folder: Path) -> None:
    """Delete what a local system keeps in `folder`, and nothing that it did not put there."""
    for part in KEPT:
        path = folder / part
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
