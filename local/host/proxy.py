"""A reverse proxy in front of a worker's HTTP server: one request in, its answer out, as streams.

Azure's host forwards HTTP triggers with YARP's `HttpForwarder` and its default transforms, and this
follows what that source does: which headers pass, which status an error gets, and that an answer
which breaks off breaks off for the caller too, who must not take it for a whole one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from local.host.errors import ForwardError
from local.host.protocol import CALL_HEADER, INVOCATION_HEADER

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

IDLE_SECONDS = 240.0
"""Without a byte in either direction for so long, an exchange is given up, as in Azure's host."""

CALLER_GONE = 499
"""The status of an exchange whose caller hung up; nobody receives it."""

_LARGEST_HEAD = 64 * 1024

# YARP leaves these out in both directions: they belong to one connection, not to the message.
_HOP_BY_HOP = frozenset(
    b"connection transfer-encoding keep-alive upgrade proxy-connection proxy-authenticate"
    b" proxy-authentication-info proxy-authorization proxy-features proxy-instruction"
    b" security-scheme alpn close te alt-svc".split()
)
# The proxy's own: what a caller sends under these names would be taken for the host's word. The
# listener's server has answered an `expect` before anything is forwarded.
_OWN = frozenset(
    b"host expect x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-prefix".split()
) | {INVOCATION_HEADER.encode(), CALL_HEADER.encode()}


def open_session(socket_path: Path) -> aiohttp.ClientSession:
    """Connections to the HTTP server of one worker; what passes is changed as little as can be."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_on_headers_sent)
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path=str(socket_path), limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        timeout=aiohttp.ClientTimeout(total=None),
        max_line_size=_LARGEST_HEAD,
        max_field_size=_LARGEST_HEAD,
        trace_configs=[trace],
    )


class Exchange:
    """One HTTP request on its way to a worker, and the answer on its way back."""

    begun = False
    """Whether there was a worker to forward to."""
    sent = False
    """Whether the worker has the request's head, so that its function will run and end."""
    answering = False
    """Whether the caller has the answer's head: then no other answer can be given."""

    def __init__(
        self,
        *,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        body_limit: int,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body_limit = body_limit
        self._idle_seconds = idle_seconds
        self._body_read = asyncio.Event()
        self._given_up: asyncio.Future[ForwardError] = asyncio.get_running_loop().create_future()

    async def run(self, session: aiohttp.ClientSession, added: Mapping[str, str]) -> None:
        """Forward, with the headers `added`; return when the caller has the whole answer."""
        self.begun = True
        headers = {**_request_headers(self._scope), **added}
        length = int(headers.get("content-length", "0"))
        if length > self._body_limit:
            raise self._too_large()
        first = await self._receive()
        if first["type"] == "http.disconnect":
            raise ForwardError(CALLER_GONE, "the caller hung up before its request was forwarded")
        data = self._body(first) if length or _is_chunked(self._scope) else None
        if data is None:
            self._body_read.set()
        try:
            async with asyncio.timeout(self._idle_seconds) as self._idle:
                await self._both_ways(session, headers, data)
        except TimeoutError:
            reason = f"no byte came for {self._idle_seconds:g} s"
            raise ForwardError(504, reason) from None
        except aiohttp.ClientError as error:
            reason = f"the worker did not answer, or broke off its answer: {error}"
            raise ForwardError(502, reason) from error
        await self._send({"type": "http.response.body", "body": b""})

    async def _both_ways(
        self,
        session: aiohttp.ClientSession,
        headers: Mapping[str, str],
        data: AsyncIterator[bytes] | None,
    ) -> None:
        answer = asyncio.create_task(self._answer(session, headers, data))
        watch = asyncio.create_task(self._watch())
        try:
            either: set[asyncio.Future[Any]] = {answer, self._given_up}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._given_up.done():
                raise self._given_up.result()
            await answer
        finally:
            answer.cancel()
            watch.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)

    async def _answer(
        self,
        session: aiohttp.ClientSession,
        headers: Mapping[str, str],
        data: AsyncIterator[bytes] | None,
    ) -> None:
        """All of the answer but its end: after the end the caller counts as gone."""
        url = URL.build(
            scheme="http",
            host="localhost",
            path=self._scope["raw_path"].decode("ascii"),
            query_string=self._scope["query_string"].decode("ascii"),
            encoded=True,
        )
        async with session.request(
            self._scope["method"],
            url,
            headers=headers,
            data=data,
            allow_redirects=False,
            trace_request_ctx=self if data is None else None,
        ) as response:
            passed = [pair for pair in response.raw_headers if pair[0].lower() not in _HOP_BY_HOP]
            if not all(value.isascii() for _, value in passed):
                raise ForwardError(502, "the function's answer has a header that is not ASCII")
            self._still_going()
            self.answering = True
            start = {"type": "http.response.start", "status": response.status, "headers": passed}
            await self._send(start)
            async for chunk in response.content.iter_any():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
                self._still_going()

    async def _body(self, message: Message) -> AsyncIterator[bytes]:
        """The request's body; ends with an error if the caller hangs up or sends too much."""
        size = 0
        while message["type"] != "http.disconnect":
            size += len(message.get("body", b""))
            if size > self._body_limit:
                raise self._give_up(self._too_large())
            self._still_going()
            yield message.get("body", b"")
            self.sent = True
            if not message.get("more_body", False):
                self._body_read.set()
                return
            message = await self._receive()
        raise self._give_up(ForwardError(CALLER_GONE, "the caller hung up in its request"))

    async def _watch(self) -> None:
        """After the body, wait for the caller to hang up."""
        await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._give_up(ForwardError(CALLER_GONE, "the caller hung up"))

    def _give_up(self, error: ForwardError) -> ForwardError:
        if not self._given_up.done():
            self._given_up.set_result(error)
        return error

    def _too_large(self) -> ForwardError:
        return ForwardError(413, f"the body has more than {self._body_limit} bytes")

    def _still_going(self) -> None:
        self._idle.reschedule(asyncio.get_running_loop().time() + self._idle_seconds)


async def _on_headers_sent(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    """A head without a body is written at once. Before a body it waits for the first piece."""
    exchange: Exchange | None = context.trace_request_ctx
    if exchange is not None:
        exchange.sent = True


def _is_chunked(scope: Mapping[str, Any]) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _request_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers as the worker gets them in Azure: those of one name are joined in one line.

    Kestrel refuses a header that is not UTF-8, and YARP cannot forward one that is not ASCII.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        values.setdefault(name, []).append(value)
    caller = scope.get("client") or ("",)
    headers = {
        "x-forwarded-for": str(caller[0]),
        "x-forwarded-proto": scope["scheme"],
        "x-forwarded-host": b"".join(values.get(b"host", ())).decode("latin-1"),
    }
    left_out = _HOP_BY_HOP | _OWN | ({b"content-length"} if _is_chunked(scope) else set())
    for name, several in values.items():
        if name in left_out:
            continue
        key, joined = name.decode("ascii"), (b"; " if name == b"cookie" else b", ").join(several)
        try:
            headers[key] = joined.decode("utf-8")
        except UnicodeDecodeError:
            raise ForwardError(400, f"the header {key} is not UTF-8") from None
        if not joined.isascii():
            raise ForwardError(502, f"the header {key} is not ASCII: Azure cannot forward it")
    return headers


async def respond(send: Send, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
    """Answer from the host itself."""
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", kind.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
