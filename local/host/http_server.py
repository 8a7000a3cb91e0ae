"""uvicorn inside the host's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from local.host.http_front import HttpFront


class HttpServer(uvicorn.Server):
    """uvicorn inside this event loop, without its signal handlers."""

    def __init__(self, front: HttpFront, listening: socket.socket, grace_seconds: float) -> None:
        super().__init__(
            uvicorn.Config(
                front,
                http="auto",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=max(1, int(grace_seconds)),
            )
        )
        self._front = front
        self._listening = listening
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the host."""
        yield

    async def begin(self) -> None:
        self._serving = asyncio.create_task(self.serve([self._listening]))
        while not self.started:
            if self._serving.done():
                await self._serving
            await asyncio.sleep(0.005)

    async def drain(self) -> None:
        """Take no more requests and let the running ones end."""
        self.should_exit = True
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def close(self) -> None:
        """End what is left."""
        self.should_exit = self.force_exit = True
        if self._serving is not None:
            await self._serving
        self._front.close()
