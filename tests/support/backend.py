"""A backend on this machine: it keeps what it is sent, and answers what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    """With its query, as on the wire."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    """The port that it came from: the same for calls on one connection."""

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


Answer = Callable[[Seen], tuple[int, Mapping[str, str], bytes]]


class Backend:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.seen: list[Seen] = []
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._server = TestServer(application, skip_url_asserts=True)
        self._port = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        self._port = self._server.port or 0
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.close()

    async def _serve(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        seen = Seen(
            method=request.method,
            path=request.raw_path,
            headers=tuple((name.decode(), value.decode()) for name, value in request.raw_headers),
            body=await request.read(),
            connection=request.transport.get_extra_info("peername")[1],
        )
        self.seen.append(seen)
        status, headers, body = self._answer(seen)
        return web.Response(status=status, headers=headers, body=body)
