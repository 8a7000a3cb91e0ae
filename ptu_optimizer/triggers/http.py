"""What every HTTP trigger shares: bodies in, JSON out, errors in OpenAI's shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.errors import AppError, BodyLimit
from ptu_optimizer.telemetry import logger

_log = logger("http")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def json_response(
    content: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(content), status_code=status, media_type="application/json", headers=headers
    )


def answers(call: Handler) -> Handler:
    """Decorate the function behind a route: an AppError is its answer, any other error a 500 that
    says nothing."""

    @functools.wraps(call)  # the worker reads the types of its parameters
    async def answering(req: Request) -> Response:
        try:
            return await call(req)
        except AppError as error:
            return json_response(error.body(), status=error.status, headers=error.headers)
        except Exception:
            _log.exception("a request failed unexpectedly")
            unexpected = AppError(
                "The app failed unexpectedly; its log says why.",
                status=500,
                kind="server_error",
                code="internal_error",
            )
            return json_response(unexpected.body(), status=500)

    return answering


async def read_body(request: Request, limit: BodyLimit) -> bytes:
    """The body, given up as soon as it is too large. Raises AppError."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit():
        limit.check(int(declared))
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        limit.check(size)
        chunks.append(chunk)
    return b"".join(chunks)
