"""What the PTU itself says that it served: ours and bare are timed by the same clock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from benchmarks.throughput.figures import Mark
from local.system import SystemFailed
from ptu_optimizer.background import end

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2

STALLED_SECONDS = 60.0
"""Nothing is served for so long only if something is wrong."""


class Ptu:
    """The control API of the simulated PTU."""

    def __init__(self, *, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def reset(self) -> None:
        async with self._session.post(f"{self._url}/_ptu/reset") as response:
            response.raise_for_status()

    async def counters(self) -> dict[str, Any]:
        """`total` of the counters: everything since the last reset."""
        async with self._session.get(f"{self._url}/_ptu/counters") as response:
            response.raise_for_status()
            total: dict[str, Any] = (await response.json())["total"]
            return total

    async def watch(self, total: int, *, progress: Callable[[int], None]) -> list[Mark]:
        """Marks until `total` calls have been served.

        Raises SystemFailed if the PTU refuses or fails any, or nothing is served for a minute.
        """
        clock = asyncio.get_running_loop().time
        marks: list[Mark] = []
        moved = clock()
        while True:
            counters = await self.counters()
            mark = Mark(at=clock(), served=counters["served"])
            if counters["refused"] or counters["failed"]:
                raise SystemFailed(f"an unlimited PTU must serve every call, but: {counters}")
            if not marks or mark.served > marks[-1].served:
                moved = mark.at
            marks.append(mark)
            progress(min(total, mark.served))
            if mark.served >= total:
                return marks
            if mark.at - moved > STALLED_SECONDS:
                raise SystemFailed(
                    f"{mark.served} of {total} were served, then none for {STALLED_SECONDS:g} s; "
                    "the hosts' logs say why"
                )
            await asyncio.sleep(LOOK_SECONDS)


@contextlib.asynccontextmanager
async def watching(
    ptu: Ptu, total: int, *, progress: Callable[[int], None]
) -> AsyncIterator[asyncio.Task[list[Mark]]]:
    """Watch while something else runs."""
    task = asyncio.create_task(ptu.watch(total, progress=progress))
    try:
        yield task
    finally:
        await end(task, log=_log)
