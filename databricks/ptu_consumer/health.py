"""`GET /health` for probes of the consumer: 200 while it reads its hubs, else 503.

The port opens before anything else is done, so an open port says that the process lives. It is
closed last.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from aiohttp import web

PATH = "/health"
"""The same as the Functions app's."""


class HealthServer:
    """``async with HealthServer(7071, state):`` answers on every address of the machine.

    `state` returns the one word that describes the consumer; "reading" is the only good one.
    """

    GOOD = "reading"

    def __init__(self, port: int, state: Callable[[], str]) -> None:
        self._port = port
        self._state = state
        application = web.Application()
        application.router.add_get(PATH, self._health)
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> HealthServer:
        await self._runner.setup()
        # no host: a probe comes from the node, not from loopback
        await web.TCPSite(self._runner, port=self._port).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        state = self._state()
        return web.json_response({"status": state}, status=200 if state == self.GOOD else 503)
