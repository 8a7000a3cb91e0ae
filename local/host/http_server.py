"""uvicorn inside an event loop that is not its own: the listener's, and each worker's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class HttpServer(uvicorn.Server):
    """Serves one app on one socket, and leaves signals alone."""

    def __init__(self, app: AsgiApp, listening: socket.socket, **settings: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                **settings,
            )
        )
        self._listening = listening
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
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
