"""Requests that no SDK sends, or not so: raw HTTP against a server in this process."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

import pytest

from local.cosmos import CosmosServer
from tests.local.cosmos.wire import DOCS, Wire, signature


async def test_a_create_answers_with_what_sdks_need(wire: Wire) -> None:
    status, headers, body = await wire.send(
        "POST", DOCS, body={"id": "1", "slice": "s"}, headers={"x-ms-activity-id": "mine"}
    )
    assert status == 201
    assert headers["etag"] == body["_etag"]
    assert headers["x-ms-activity-id"] == "mine"
    assert headers["x-ms-session-token"].startswith("0:-1#")
    assert headers["x-ms-alt-content-path"] == "dbs/ptu/colls/requests"
    assert float(headers["x-ms-request-charge"]) > 4


@pytest.mark.parametrize(
    ("body", "key", "substatus"),
    [
        pytest.param({"id": "1", "slice": "other"}, '["s"]', "1001", id="another key"),
        pytest.param({"id": "1"}, '["s"]', "1001", id="no key in the item"),
        pytest.param({"id": "1", "slice": 1}, '["1"]', "1001", id="a number is not its text"),
        pytest.param({"id": "1", "slice": "s"}, '["s","t"]', "1001", id="too many keys"),
        pytest.param({"id": "1", "slice": "s"}, None, None, id="no key header"),
        pytest.param({"id": "1", "slice": "s"}, "s", None, id="header not JSON"),
        pytest.param({"id": "1", "slice": "s"}, '"s"', None, id="header not an array"),
        pytest.param({"id": "1", "slice": ["s"]}, '[["s"]]', None, id="key not plain"),
        pytest.param({"id": "1", "slice": "x" * 2049}, '["' + "x" * 2049 + '"]', None, id="long"),
        pytest.param({"slice": "s"}, '["s"]', None, id="no id"),
        pytest.param({"id": 1, "slice": "s"}, '["s"]', None, id="id not a string"),
        pytest.param({"id": "a/b", "slice": "s"}, '["s"]', None, id="slash in the id"),
        pytest.param({"id": "a ", "slice": "s"}, '["s"]', None, id="space at the id's end"),
        pytest.param([1], '["s"]', None, id="no object"),
        pytest.param(b"{", '["s"]', None, id="no JSON"),
        pytest.param(b'{"id":"1","slice":"s","n":NaN}', '["s"]', None, id="NaN"),
        pytest.param(b"", '["s"]', None, id="nothing"),
    ],
)
async def test_a_wrong_create_is_refused(
    wire: Wire, body: Any, key: str | None, substatus: str | None
) -> None:
    status, headers, answer = await wire.send("POST", DOCS, body=body, key=key)
    assert status == 400
    assert answer["code"] == "BadRequest"
    assert headers.get("x-ms-substatus") == substatus


async def test_a_header_that_is_not_utf_8_is_quoted_in_a_refusal(
    server: CosmosServer,
) -> None:
    """aiohttp's client cannot send it, so the request is written by hand."""
    signed = signature("POST", "docs", DOCS.removesuffix("/docs"))
    lines = [f"POST /{DOCS} HTTP/1.1", "host: here", "connection: close", "content-length: 2"]
    lines += [f"{name}: {value}" for name, value in signed.items()]
    head = "\r\n".join(lines).encode() + b'\r\nx-ms-documentdb-partitionkey: ["\xff"\r\n\r\n{}'
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert rb"\\udcff" in answer


async def test_a_key_of_one_is_a_key_of_one_point_nought(wire: Wire) -> None:
    status, _, _ = await wire.send("POST", DOCS, body={"id": "1", "slice": 1.0}, key="[1]")
    assert status == 201
    status, _, _ = await wire.send("GET", f"{DOCS}/1", key="[1.0]")
    assert status == 200


async def test_system_properties_are_the_services(wire: Wire) -> None:
    sent = {"id": "1", "slice": "s", "_etag": "mine", "_ts": 1, "_rid": "mine"}
    _, _, created = await wire.send("POST", DOCS, body=sent)
    assert created["_etag"] != "mine"
    assert created["_rid"] != "mine"
    assert created["_ts"] > 1


@pytest.mark.parametrize("skew", [-16 * 60, 16 * 60], ids=["old", "of the future"])
async def test_a_token_is_valid_for_a_quarter_of_an_hour(wire: Wire, skew: float) -> None:
    status, _, _ = await wire.send("GET", "dbs", signed_at=time.time() + skew)
    assert status == 403
    status, _, _ = await wire.send("GET", "dbs", signed_at=time.time() + skew * 14 / 16)
    assert status == 200


async def test_a_signature_is_for_one_thing_only(wire: Wire) -> None:
    forged = {"authorization": quote("type=master&ver=1.0&sig=AAAA", safe="")}
    assert (await wire.send("GET", "dbs", headers=forged))[0] == 401
    entra = {"authorization": quote("type=aad&ver=1.0&sig=AAAA", safe="")}
    assert (await wire.send("GET", "dbs", headers=entra))[0] == 401


async def test_a_body_beyond_all_limits_is_not_read(wire: Wire) -> None:
    status, _, answer = await wire.send("POST", DOCS, body=b"x" * (9 * 1024 * 1024))
    assert status == 413
    assert answer["code"] == "RequestEntityTooLarge"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-ms-max-item-count": "0"}, id="page of nothing"),
        pytest.param({"x-ms-max-item-count": "many"}, id="page of many"),
        pytest.param({"x-ms-continuation": "nonsense"}, id="no continuation"),
        pytest.param({"x-ms-continuation": "WzEsMV0="}, id="another query's continuation"),
    ],
)
async def test_wrong_paging_is_refused(wire: Wire, headers: dict[str, str]) -> None:
    query = {"query": "SELECT * FROM c", "parameters": []}
    sent = {"content-type": "application/query+json", **headers}
    assert (await wire.send("POST", DOCS, body=query, headers=sent))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"query": 1}, id="query not text"),
        pytest.param({"query": "SELECT * FROM c", "parameters": [1]}, id="parameter not an object"),
        pytest.param(
            {"query": "SELECT * FROM c", "parameters": [{"name": "x", "value": 1}]}, id="no @"
        ),
        pytest.param([], id="no object"),
    ],
)
async def test_wrong_query_bodies_are_refused(wire: Wire, body: Any) -> None:
    sent = {"content-type": "application/query+json"}
    assert (await wire.send("POST", DOCS, body=body, headers=sent))[0] == 400


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([], id="empty"),
        pytest.param({"id": "1"}, id="no array"),
        pytest.param([{"operationType": "Merge"}], id="unknown operation"),
        pytest.param([{"operationType": "Read"}], id="read without an id"),
    ],
)
async def test_wrong_batches_are_refused(wire: Wire, operations: Any) -> None:
    batch = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True"}
    assert (await wire.send("POST", DOCS, body=operations, headers=batch))[0] == 400


async def test_a_container_of_another_life_is_told_apart(wire: Wire) -> None:
    stale = {"x-ms-cosmos-intended-collection-rid": "AAAAAAAAAAA="}
    status, headers, _ = await wire.send("GET", f"{DOCS}/1", headers=stale)
    assert (status, headers["x-ms-substatus"]) == (400, "1024")


async def test_the_account_is_where_it_was_asked(wire: Wire, server: CosmosServer) -> None:
    status, _, account = await wire.send("GET", "", key=None)
    assert status == 200
    assert account["writableLocations"][0]["databaseAccountEndpoint"] == server.url + "/"
    assert account["userConsistencyPolicy"] == {"defaultConsistencyLevel": "Strong"}
