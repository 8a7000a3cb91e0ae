"""Keeps one worker alive: starts it again when it ends, more slowly if it keeps ending."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from local.host.errors import DrainingError, HostError
from local.host.worker_process import WorkerProcess
from ptu_optimizer.background import Background

log = logging.getLogger("host.worker_slot")

HEALTHY_SECONDS = 10.0
"""A worker that lived this long was healthy: the next restart is immediate again."""

LONGEST_PAUSE_SECONDS = 10.0
"""Between restarts of a worker that keeps dying."""

Launch = Callable[[], Awaitable[WorkerProcess]]


def restart_pause(failures: int) -> float:
    """Seconds before the restart that follows `failures` early deaths in a row: 0, ½, 1, 2, …"""
    return 0.0 if failures <= 0 else min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(failures, 10))


class WorkerSlot:
    """The place of one worker; invocations wait here while it is being replaced."""

    def __init__(self, label: str, launch: Launch) -> None:
        self.label = label
        self.restarts = 0
        self._launch = launch
        self._worker: WorkerProcess | None = None
        self._changed = asyncio.Condition()
        self._draining = False
        self._failures = 0
        self._started = 0.0
        self._supervising = Background(
            self._replace,
            interval=0.0,
            log=log,
            failed="supervising a worker failed, goes on",
        )

    @property
    def worker(self) -> WorkerProcess | None:
        """The worker, `None` while it is being replaced."""
        return self._worker

    async def start(self) -> WorkerProcess:
        """Start the first worker; its refusal is the host's."""
        self._worker = await self._launch()
        self._started = asyncio.get_running_loop().time()
        self._supervising.start()
        return self._worker

    async def ready(self) -> WorkerProcess:
        """The worker, waiting for its replacement if need be; `DrainingError` once stopping."""
        async with self._changed:
            while self._worker is None or not self._worker.alive:
                if self._draining:
                    raise DrainingError("the host is stopping")
                await self._changed.wait()
            return self._worker

    async def drain(self) -> None:
        """Replace the worker no more, so that nothing waits for a replacement."""
        async with self._changed:
            self._draining = True
            self._changed.notify_all()

    async def stop(self) -> None:
        """Stop the worker for good."""
        await self.drain()
        await self._supervising.stop()
        if self._worker is not None:
            await self._worker.stop()

    async def _replace(self) -> None:
        """Wait until the worker ends, and start another."""
        loop = asyncio.get_running_loop()
        if self._worker is not None:
            await self._worker.wait()
            healthy = loop.time() - self._started >= HEALTHY_SECONDS
            self._failures = 0 if healthy else self._failures + 1
        if self._draining:
            await self._supervising.stop()
            return
        pause = restart_pause(self._failures - 1)
        log.warning(
            "worker ended, starting another",
            extra={"worker": self.label, "pause_seconds": pause},
        )
        self._worker = None
        await asyncio.sleep(pause)
        self._started = loop.time()
        try:
            worker = await self._launch()
        except HostError as error:
            self._failures += 1
            log.error("worker does not start", extra={"worker": self.label, "error": error})
            return
        self.restarts += 1
        async with self._changed:
            self._worker = worker
            self._changed.notify_all()
