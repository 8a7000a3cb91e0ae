"""The listener's side of the HTTP channel: one request to a worker and its answer back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from local.host.errors import WorkerLostError
from local.host.protocol import (
    CHUNK_BYTES,
    READ_LIMIT,
    Frame,
    Kind,
    ProtocolError,
    encode_frame,
    read_frame,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_IDLE_CONNECTIONS = 64
"""Connections kept for reuse, per worker."""


class ClientGoneError(Exception):
    """The caller hung up before it had the whole answer."""


class WorkerHttp:
    """Forwards requests to one worker over pooled connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[Connection] = []

    async def connect(self) -> Connection:
        """An idle or new connection; `WorkerLostError` if the worker takes none."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        try:
            return await asyncio.open_unix_connection(self._path, limit=READ_LIMIT)
        except OSError as error:
            raise WorkerLostError(f"the worker takes no requests: {error}") from error

    async def forward(
        self, connection: Connection, header: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Carry one ASGI exchange; `WorkerLostError` if the worker ended before it had answered."""
        reader, writer = connection
        reusable = False
        try:
            reusable = await _Exchange(reader, writer, receive, send).run(header)
        finally:
            if reusable and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
            else:
                writer.close()

    def close(self) -> None:
        """Close the idle connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


class _Exchange:
    """One request and its answer, both streaming at the same time."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        receive: Receive,
        send: Send,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._receive = receive
        self._send = send
        self._body_sent = False

    async def run(self, header: Mapping[str, Any]) -> bool:
        """Whether the connection is clean for another request."""
        first = await self._receive()
        pieces = [encode_frame(Kind.REQUEST, header), *self._pieces(first)]
        self._writer.write(b"".join(pieces))
        upload = asyncio.create_task(self._upload())
        download = asyncio.create_task(self._download())
        try:
            done, _ = await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if upload in done and download not in done and upload.exception() is None:
                raise ClientGoneError  # the upload task ends only when the caller hangs up
            await download
        finally:
            for task in (upload, download):
                task.cancel()
            await asyncio.gather(upload, download, return_exceptions=True)
        return self._body_sent

    def _pieces(self, message: Message) -> list[bytes]:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body = message.get("body", b"")
        pieces = [
            encode_frame(Kind.BODY, body=body[start : start + CHUNK_BYTES])
            for start in range(0, len(body), CHUNK_BYTES)
        ]
        if not message.get("more_body", False):
            pieces.append(encode_frame(Kind.END))
            self._body_sent = True
        return pieces

    async def _upload(self) -> None:
        """Send the rest of the body, then wait for the caller to hang up."""
        try:
            await self._writer.drain()
            while not self._body_sent:
                for piece in self._pieces(await self._receive()):
                    self._writer.write(piece)
                    await self._writer.drain()
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except ClientGoneError:
            return
        except ConnectionError:
            # The worker no longer reads; its answer, or the lack of one, says why.
            await asyncio.Event().wait()

    async def _download(self) -> None:
        frame = await self._next()
        if frame.kind is not Kind.RESPONSE:
            raise WorkerLostError(f"the worker answered with {frame.kind.name}")
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in frame.header["headers"]
        ]
        start = {"type": "http.response.start", "status": frame.header["status"]}
        await self._send({**start, "headers": headers})
        while (frame := await self._next()).kind is Kind.BODY:
            await self._send({"type": "http.response.body", "body": frame.body, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> Frame:
        try:
            frame = await read_frame(self._reader)
        except ProtocolError as error:
            raise WorkerLostError(f"the worker answered with {error}") from error
        if frame is None:
            raise WorkerLostError("the worker broke off its answer")
        return frame


async def respond(send: Send, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
    """Answer from the host itself."""
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", kind.encode()))
    with contextlib.suppress(ConnectionError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
