"""What is read from the answer of a backend, from its status, its headers and its body alone."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from ptu_optimizer.backends.answers import (
    error_of,
    result_of,
    retry_after_of,
    spilled_from,
    tokens_left_of,
    usage_of,
    utilization_of,
)
from ptu_optimizer.ports.model_calls import (
    CallResult,
    Rejected,
    Success,
    Throttled,
    TokenUsage,
    Transient,
)

OK: dict[str, Any] = {"id": "x", "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
COUNTED = TokenUsage(prompt_tokens=7, completion_tokens=3)
ERROR = {"message": "no", "type": "t", "param": None, "code": "c"}
UNREADABLE = Transient(why="the answer was no JSON object")


def failed(status: int) -> Transient:
    return Transient(status=status, why=f"the deployment answered {status}", error=ERROR)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        pytest.param(200, Success(status=200, response=OK, usage=COUNTED), id="success"),
        pytest.param(302, Rejected(status=302, error=ERROR), id="a redirect"),
        pytest.param(400, Rejected(status=400, error=ERROR), id="a bad request"),
        pytest.param(401, Rejected(status=401, error=ERROR), id="a wrong key"),
        pytest.param(404, Rejected(status=404, error=ERROR), id="no such deployment"),
        pytest.param(408, failed(408), id="a time-out"),
        pytest.param(409, failed(409), id="a conflict"),
        pytest.param(422, Rejected(status=422, error=ERROR), id="unprocessable"),
        pytest.param(425, failed(425), id="too early"),
        pytest.param(429, Throttled(status=429, retry_after_seconds=1.0), id="full"),
        pytest.param(499, Rejected(status=499, error=ERROR), id="just below the server's errors"),
        pytest.param(500, failed(500), id="a server's error"),
        pytest.param(503, failed(503), id="overloaded"),
        pytest.param(599, failed(599), id="the last of the server's errors"),
    ],
)  # fmt: skip
def test_a_status_decides_what_becomes_of_a_call(status: int, result: CallResult) -> None:
    body = OK if status == 200 else {"error": ERROR}
    assert result_of(status=status, headers={}, body=orjson.dumps(body)) == result


@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_every_status_may_tell_the_level_and_who_served(status: int) -> None:
    headers = CIMultiDict(
        {
            "Azure-OpenAI-Deployment-Utilization": "50%",
            "APIM-Request-Id": "r",
            "X-MS-Deployment-Name": "payg",
            "X-MS-Spillover-From-Deployment": "ptu",
            "X-RateLimit-Remaining-Tokens": "12",
        }
    )
    result = result_of(status=status, headers=headers, body=b"{}")
    assert (result.status, result.utilization, result.service_request_id) == (status, 0.5, "r")
    assert (result.served_by, result.spilled_from, result.tokens_left) == ("payg", "ptu", 12)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"id": "x"', id="cut off"),
        pytest.param(b"data: {}\n\n", id="a stream of events"),
        pytest.param(b"\xff\xfe", id="bytes that are no text"),
    ],
)
def test_a_success_without_a_json_object_is_as_good_as_no_answer(body: bytes) -> None:
    assert result_of(status=200, headers={}, body=body) == UNREADABLE


PLAIN = orjson.dumps(OK)


@pytest.mark.parametrize(
    ("coding", "body", "readable"),
    [
        pytest.param("gzip", gzip.compress(PLAIN), True, id="gzip"),
        pytest.param("X-GZIP", gzip.compress(PLAIN), True, id="its old name, in capitals"),
        pytest.param("deflate", zlib.compress(PLAIN), True, id="deflate"),
        pytest.param("identity", PLAIN, True, id="not at all"),
        pytest.param("gzip", PLAIN, False, id="not what it says"),
        pytest.param("gzip", gzip.compress(PLAIN)[:-9], False, id="cut off"),
        pytest.param("br", b"\x0b\x02\x80{}\x03", False, id="unknown"),
    ],
)
def test_an_answer_that_a_proxy_compressed_is_read(
    coding: str, body: bytes, readable: bool
) -> None:
    result = result_of(status=200, headers={"content-encoding": coding}, body=body)
    assert isinstance(result, Success) == readable
    assert readable or result == UNREADABLE


def test_a_compressed_answer_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(b'{"a": "' + b" " * (65 * 1024 * 1024) + b'"}', compresslevel=1)
    assert result_of(status=200, headers={"content-encoding": "gzip"}, body=bomb) == UNREADABLE


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
            TokenUsage(prompt_tokens=9, completion_tokens=4),
            id="as documented",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}},
            TokenUsage(prompt_tokens=9, completion_tokens=0, cached_tokens=8),
            id="with cached tokens",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": None, "prompt_tokens_details": None},
            TokenUsage(prompt_tokens=9, completion_tokens=0),
            id="null is none",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": "8"},
            TokenUsage(prompt_tokens=9, completion_tokens=0),
            id="details of another shape",
        ),
        pytest.param({"prompt_tokens": "9"}, None, id="a text"),
        pytest.param({"prompt_tokens": -1}, None, id="less than nothing"),
        pytest.param([9, 4], None, id="a list"),
        pytest.param(None, None, id="none"),
    ],
)
def test_tokens_are_counted_only_from_numbers(usage: Any, tokens: TokenUsage | None) -> None:
    assert usage_of({"usage": usage}) == tokens


OWN: dict[str, Any] = {"type": "upstream_error", "param": None, "code": "418"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(orjson.dumps({"error": ERROR}), ERROR, id="in OpenAI's shape"),
        pytest.param(b'{"statusCode": 418}', {"statusCode": 418}, id="in a gateway's"),
        pytest.param(b'{"error": "no"}', OWN | {"message": "no"}, id="a text for an error"),
        pytest.param(b" <html>no</html>\n", OWN | {"message": "<html>no</html>"}, id="a page"),
        pytest.param(b"", OWN | {"message": "Error code: 418"}, id="nothing"),
        pytest.param(b"null", OWN | {"message": "Error code: 418"}, id="null"),
        pytest.param(b"\xffno", OWN | {"message": "\ufffdno"}, id="bytes that are no text"),
    ],
)
def test_an_error_has_openais_shape_whatever_came(body: bytes, error: dict[str, Any]) -> None:
    assert error_of(status=418, headers={}, body=body) == error


def test_a_compressed_error_is_read_and_a_broken_one_is_named_by_its_status() -> None:
    headers = {"content-encoding": "gzip"}
    packed = gzip.compress(orjson.dumps({"error": ERROR}))
    assert error_of(status=400, headers=headers, body=packed) == ERROR
    assert error_of(status=400, headers=headers, body=b"?")["message"] == "Error code: 400"


@pytest.mark.parametrize(
    ("header", "tokens"),
    [
        pytest.param("299", 299, id="a number"),
        pytest.param("-1", 0, id="below zero"),
        pytest.param("many", None, id="not a number"),
        pytest.param(None, None, id="not sent"),
    ],
)
def test_tokens_left_are_read_with_care(header: str | None, tokens: int | None) -> None:
    headers = {} if header is None else {"x-ratelimit-remaining-tokens": header}
    assert tokens_left_of(headers) == tokens


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        pytest.param({"x-ms-spillover-from-deployment": "ptu"}, "ptu", id="as documented"),
        pytest.param({"x-ms-spillover-from-ptu": "true"}, "ptu", id="as the page has it once"),
        pytest.param({"X-MS-Spillover-From-ptu": ""}, "ptu", id="in capitals"),
        pytest.param({"x-ms-spillover-error": "429"}, None, id="spillover that failed"),
        pytest.param({"x-ms-deployment-name": "ptu"}, None, id="served by the one that was asked"),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_spillover_of_azures_is_seen_under_both_names(
    headers: dict[str, str], origin: str | None
) -> None:
    assert spilled_from(headers) == origin


@pytest.mark.parametrize(
    ("header", "level"),
    [
        pytest.param("11.2%", 0.112, id="as Microsoft's tool reads it"),
        pytest.param("104%", 1.04, id="a burst just over"),
        pytest.param("0%", 0.0, id="empty"),
        pytest.param("", None, id="blank"),
        pytest.param("11.2", None, id="without its sign"),
        pytest.param("n/a%", None, id="not a number"),
        pytest.param(None, None, id="not sent"),
    ],
)
def test_the_utilization_header_is_a_hint(header: str | None, level: float | None) -> None:
    headers = {} if header is None else {"azure-openai-deployment-utilization": header}
    assert utilization_of(headers) == (None if level is None else pytest.approx(level))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after-ms": "250", "retry-after": "1"}, 0.25, id="the finer first"),
        pytest.param({"retry-after": "3"}, 3.0, id="the coarser alone"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "2"}, 2.0, id="malformed"),
        pytest.param({"retry-after-ms": "-5"}, 0.0, id="negative"),
        pytest.param({"retry-after": "1763717051"}, 3_600.0, id="a time of day"),
        pytest.param({}, 1.0, id="none"),
    ],
)
def test_retry_after_is_read_with_care(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_of(headers) == pytest.approx(seconds)
