"""What every HTTP trigger shares: bodies in, JSON out, errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.errors import AppError
from ptu_optimizer.telemetry import logger

_log = logger("http")


def json_response(
    content: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(content), status_code=status, media_type="application/json", headers=headers
    )


async def answering(call: Callable[[], Awaitable[Response]]) -> Response:
    """Run a use case; an AppError is its answer, anything else a 500 that tells nothing."""
    try:
        return await call()
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


async def read_body(request: Request, *, limit: int, too_large: AppError) -> bytes:
    """The body, given up as soon as it is larger than `limit` bytes. Raises `too_large`."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)
