"""How much memory a process and everything below it take, while something runs."""

from __future__ import annotations

import contextlib
import logging
import subprocess
from collections.abc import AsyncIterator, Iterable

from local.system.processes import PROC, descendants
from ptu_optimizer.background import Background

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5


class Peak:
    """The highest value seen."""

    def __init__(self) -> None:
        self.bytes = 0
        self.looks = 0

    def look(self, value: int) -> None:
        self.bytes = max(self.bytes, value)
        self.looks += 1


@contextlib.asynccontextmanager
async def watch_peak(pid: int) -> AsyncIterator[Peak]:
    """The peak of `pid` and its descendants, from entering to leaving."""
    peak = Peak()

    async def look() -> None:
        peak.look(tree_bytes(pid))

    looking = Background(look, interval=LOOK_SECONDS, log=_log, failed="memory cannot be read")
    looking.start()
    try:
        yield peak
        peak.look(tree_bytes(pid))
    finally:
        await looking.stop()


def tree_bytes(pid: int) -> int:
    """What `pid` and its descendants take now.

    On Linux the proportional set size: a page that several of them share counts once. Elsewhere the
    resident set size, which counts it for each.
    """
    pids = [pid, *descendants(pid)]
    if (PROC / "self" / "smaps_rollup").exists():
        return sum(map(_proportional, pids))
    return _resident(pids)


def _proportional(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    return kilobytes(text, "Pss") * 1024


def kilobytes(text: str, field: str) -> int:
    """The value of one line of a smaps_rollup; 0 where it is missing."""
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    return 0


def _resident(pids: Iterable[int]) -> int:
    lines = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    ).stdout.split()
    return sum(map(int, lines)) * 1024


def megabytes(number: int) -> float:
    return round(number / 1e6, 1)
