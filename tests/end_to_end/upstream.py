"""A wire between the app and the simulated PTU: it keeps what passes, and can be cut."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from tests.support.azurite import free_port

_HOP_BY_HOP = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_ENCODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Upstream:
    """Listens where the app believes Azure OpenAI to be. While it is cut, connections are refused;
    the PTU behind it, and so its counters, live on."""

    def __init__(self, *, ptu_url: str) -> None:
        self.port = free_port()
        self.bodies: list[dict[str, Any]] = []
        """Every chat-completions body that came by, as the app sent it."""
        self._ptu_url = ptu_url
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=True)
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cut()
        if self._session is not None:
            await self._session.close()

    async def mend(self) -> None:
        """Listen (again)."""
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def cut(self) -> None:
        """Close every connection, and refuse new ones until it is mended."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def of_text(self, text: str) -> list[dict[str, Any]]:
        """The bodies whose first message says `text`."""
        return [body for body in self.bodies if body["messages"][0].get("content") == text]

    async def _pass(self, request: web.Request) -> web.Response:
        assert self._session is not None
        try:
            raw = await request.read()
        except ConnectionError:  # its sender was killed in the middle of it
            return web.Response(status=400)
        if request.path.endswith("/chat/completions"):
            self.bodies.append(orjson.loads(raw))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        try:
            async with self._session.request(
                request.method, self._ptu_url + request.path_qs, data=raw, headers=headers
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()  # the PTU dropped it, so does the wire
            return web.Response(status=502)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _ENCODED}
        return web.Response(status=answer.status, body=content, headers=kept)
