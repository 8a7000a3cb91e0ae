"""What every HTTP trigger shares: bodies are bounded as they come, errors have one shape."""

import logging
from typing import Any

import orjson
import pytest
from azurefunctions.extensions.http.fastapi import Request, Response

from ptu_optimizer.errors import AppError, BodyLimit, unavailable
from ptu_optimizer.triggers.http import answers, json_response, read_body


class Sender:
    """A client that sends these chunks, and counts how many were taken."""

    def __init__(self, *chunks: bytes, headers: dict[str, str] | None = None) -> None:
        self._chunks = list(chunks)
        self._headers = headers or {}
        self.taken = 0

    @property
    def request(self) -> Request:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/producer",
            "headers": [(k.encode(), v.encode()) for k, v in self._headers.items()],
        }
        return Request(scope, self._receive)

    async def _receive(self) -> dict[str, Any]:
        chunk = self._chunks[self.taken]
        self.taken += 1
        more = self.taken < len(self._chunks)
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def read(self, limit: int) -> bytes:
        return await read_body(self.request, BodyLimit(limit, "LIMIT"))


async def test_a_body_is_put_together_from_its_chunks() -> None:
    assert await Sender(b"[1,", b"2", b"]").read(5) == b"[1,2]"


async def test_no_body_is_an_empty_one() -> None:
    assert await Sender(b"").read(5) == b""


async def test_a_body_that_is_declared_too_large_is_not_even_read() -> None:
    sender = Sender(b"x" * 6, headers={"content-length": "6"})
    with pytest.raises(AppError, match="larger than 5 bytes"):
        await sender.read(5)
    assert sender.taken == 0


async def test_a_body_that_grows_too_large_is_given_up_on_the_way() -> None:
    sender = Sender(*[b"xxx"] * 1_000, headers={"transfer-encoding": "chunked"})
    with pytest.raises(AppError, match="larger than 5 bytes"):
        await sender.read(5)
    assert sender.taken == 2


async def test_a_declaration_is_not_trusted() -> None:
    with pytest.raises(AppError, match="larger than 5 bytes"):
        await Sender(b"x" * 6, headers={"content-length": "1"}).read(5)


async def answer_of(outcome: Exception | Response) -> Response:
    @answers
    async def route(_: Request) -> Response:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return await route(Sender(b"").request)


def content_of(response: Response) -> Any:
    return orjson.loads(bytes(response.body))


async def test_an_answer_is_json() -> None:
    response = await answer_of(json_response({"a": "ü"}, status=202))
    assert response.status_code == 202
    assert response.headers["content-type"] == "application/json"
    assert content_of(response) == {"a": "ü"}


async def test_an_app_error_is_its_own_answer_with_its_headers() -> None:
    response = await answer_of(unavailable("The hub is away.", code="dependency_unavailable"))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert content_of(response)["error"]["message"] == "The hub is away."


async def test_an_unexpected_error_tells_nothing_but_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await answer_of(RuntimeError("AccountKey=s3cr3t"))
    assert response.status_code == 500
    assert content_of(response)["error"]["code"] == "internal_error"
    assert b"s3cr3t" not in bytes(response.body)
    assert "a request failed unexpectedly" in caplog.text
