"""The processes below a process, and ending all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The direct children of `pid`, oldest first."""
    parents = _parents()
    return sorted(child for child, parent in parents.items() if parent == pid)


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, parents before their children."""
    parents = _parents()
    found = [pid]
    for one in found:  # grows while it is walked
        found += sorted(child for child, parent in parents.items() if parent == one)
    return found[1:]


def kill_tree(pid: int) -> None:
    """SIGKILL to `pid` and everything below it; who is gone already is not an error."""
    for one in [pid, *descendants(pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def kill_group(leader: int) -> None:
    """SIGKILL to what is left of the process group that `leader` led, if anything is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _parents() -> dict[int, int]:
    if PROC.joinpath("self/stat").exists():
        return _parents_from_proc()
    lines = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=10
    ).stdout.splitlines()
    return {int(pid): int(parent) for pid, parent in (line.split() for line in lines)}


def _parents_from_proc() -> dict[int, int]:
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # "pid (name) state ppid ...": a name may hold spaces and brackets
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
    return parents
