"""The worker's side of HTTP: the FastAPI extension's own web app, driven frame by frame.

The real worker runs that web app on a port of its own behind the host. Here its ASGI app is called
directly for each REQUEST frame, which saves parsing HTTP a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import MutableMapping
from typing import Any

from local.host.protocol import (
    CHUNK_BYTES,
    Frame,
    Kind,
    ProtocolError,
    encode_frame,
    read_frame,
)
from local.host.worker.annotations import http_types
from local.host.worker.invocations import Invocations

log = logging.getLogger("host.worker")

# Body frames read ahead of the function, per request.
_READ_AHEAD_FRAMES = 4

_INVOCATION = "local.host.invocation"


class HttpServer:
    """Answers requests on connections from the listener, one at a time on each."""

    def __init__(self, invocations: Invocations) -> None:
        base = http_types()
        if base is None:
            raise RuntimeError("the app has no HTTP functions with FastAPI types")
        extension = importlib.import_module(base.ModuleTrackerMeta.get_module())
        web_app = extension.WebApp()
        request_type = base.RequestTrackerMeta.get_request_type()

        async def catch_all(request: Any) -> Any:
            header = request.scope[_INVOCATION]
            answer = await invocations.run_http(header, request)
            if answer is None:  # the real worker takes it for an answer that never came
                raise ValueError(f"No http response found for invocation {header['id']}")
            return answer

        # FastAPI reads the annotation, which is known only now.
        catch_all.__annotations__ = {"request": request_type}
        web_app.route(catch_all)
        self._app = web_app.get_app()

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve until the listener closes the connection."""
        try:
            frame = await read_frame(reader)
            while frame is not None:
                body = _RequestBody(reader)
                try:
                    if not await self._serve_request(frame, body, _Response(writer)):
                        break
                    frame = await body.following()
                finally:
                    body.close()
        except (ConnectionError, ProtocolError):
            pass  # the caller went away while the response was being written
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve_request(self, frame: Frame, body: _RequestBody, response: _Response) -> bool:
        """Answer one request; whether the answer is whole."""
        try:
            await self._app(_scope(frame.header), body.receive, response.send)
        except ConnectionError:
            raise
        except Exception:
            # Starlette has answered 500 and re-raised; the invocation's RESULT has the error. If
            # the answer had already begun it stays cut short, and so must the connection be.
            log.debug("request failed", exc_info=True)
        return response.complete


def _scope(header: dict[str, Any]) -> dict[str, Any]:
    scope: dict[str, Any] = header["scope"]
    scope["type"] = "http"
    scope["asgi"] = {"version": "3.0", "spec_version": "2.3"}
    scope["root_path"] = ""
    scope["raw_path"] = scope["raw_path"].encode("latin-1")
    scope["query_string"] = scope["query_string"].encode("latin-1")
    scope["headers"] = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in scope["headers"]
    ]
    scope["extensions"] = {}
    scope["state"] = {}
    scope[_INVOCATION] = {key: header[key] for key in ("id", "function", "params")}
    return scope


class _RequestBody:
    """The ASGI `receive` of one request, and the frame that follows it on the connection.

    One task does all the reading and is never cancelled while the connection lives: a cancelled
    read would lose bytes, and the next request may arrive before this one has quite ended here.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(_READ_AHEAD_FRAMES)
        self._given = False
        self._hung_up = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> Frame | None:
        frame = await read_frame(self._reader)
        while frame is not None and frame.kind is not Kind.END:
            await self._frames.put(frame)
            frame = await read_frame(self._reader)
        await self._frames.put(frame)
        following = await read_frame(self._reader) if frame is not None else None
        if following is None:
            self._hung_up.set()
        return following

    async def receive(self) -> dict[str, Any]:
        if self._given:
            await self._hung_up.wait()
            return {"type": "http.disconnect"}
        frame = await self._frames.get()
        if frame is None:
            self._given = True
            return {"type": "http.disconnect"}
        self._given = frame.kind is Kind.END
        return {"type": "http.request", "body": frame.body, "more_body": not self._given}

    async def following(self) -> Frame | None:
        """The next request's frame; what the function left unread of this one is skipped."""
        while not self._given:
            await self.receive()
        return await self._task

    def close(self) -> None:
        """Stop reading, if it still does; then the connection ends too."""
        self._task.cancel()


class _Response:
    """The ASGI `send` of one request; the head waits for the first body so one write suffices."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._head = b""
        self.complete = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
            head = {"status": message["status"], "headers": headers}
            self._head = encode_frame(Kind.RESPONSE, head)
            return
        body, more = bytes(message.get("body", b"")), message.get("more_body", False)
        pieces = [self._head]
        self._head = b""
        for start in range(0, len(body), CHUNK_BYTES):
            pieces.append(encode_frame(Kind.BODY, body=body[start : start + CHUNK_BYTES]))
        if not more:
            pieces.append(encode_frame(Kind.END))
            self.complete = True
        self._writer.write(b"".join(pieces))
        await self._writer.drain()
