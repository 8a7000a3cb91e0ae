"""A local server that speaks HTTP. Apart from `serving`, because it brings aiohttp along."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from local.serving import BACKLOG, LocalServer

SHUTDOWN_SECONDS: Final = 0.3
"""How long requests under way may take to end when the server stops."""


class HttpServer(LocalServer):
    """`open` ends with `listen`."""

    _runner: web.BaseRunner | None = None

    async def listen(self, runner: web.BaseRunner, port: int) -> int:
        """Accept connections; the port."""
        self._runner = runner
        await runner.setup()
        await web.TCPSite(runner, self.host, port, backlog=BACKLOG).start()
        return int(runner.addresses[0][1])

    async def shut(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
