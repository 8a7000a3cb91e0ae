"""What Microsoft.Azure.Cosmos (.NET) asks beyond what Python's SDK asks, as it stands on the wire.

Written after the client's source (azure-cosmos-dotnet-v3): there is no .NET where this runs.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from local.cosmos.rids import container_number, container_rid, item_number, item_rid
from tests.local.cosmos.wire import DOCS, Wire

HYBRID_ROW = bytes.fromhex("81 00 00 e0 7f 01 05 00 00 00 ff fe")
"""How a batch of .NET's client starts: version 1, the schema's id, then binary."""

BATCH = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-ordered": "True"}


async def container_of(wire: Wire) -> Any:
    """The definition that the client reads first."""
    _, _, container = await wire.send("GET", "dbs/ptu/colls/requests", key=None)
    return container


async def test_the_account_describes_its_query_engine(wire: Wire) -> None:
    """The client refuses to query an account whose description is empty."""
    _, _, account = await wire.send("GET", "", key=None)
    engine = json.loads(account["queryEngineConfiguration"])
    assert engine["maxSqlQueryInputLength"] == 262_144
    assert engine["sqlAllowTop"] is True
    assert engine["maxQueryRequestTimeoutFraction"] == 0.9
    assert len(engine) == 20


async def test_partition_key_ranges_are_read_by_resource_id_until_there_is_nothing_new(
    wire: Wire,
) -> None:
    """Before every first query; the client makes the path of the container's `_rid`."""
    rid = (await container_of(wire))["_rid"]
    database = (await wire.send("GET", "dbs/ptu", key=None))[2]["_rid"]
    path = f"dbs/{database}/colls/{rid}/pkranges"
    feed = {"a-im": "Incremental feed", "x-ms-max-item-count": "-1"}
    signed = ("pkranges", rid.lower())
    status, headers, ranges = await wire.send("GET", path, key=None, signed=signed, headers=feed)
    assert status == 200
    assert ranges["_rid"] == rid
    assert [each["id"] for each in ranges["PartitionKeyRanges"]] == ["0"]
    seen = {**feed, "if-none-match": headers["etag"]}
    status, _, _ = await wire.send("GET", path, key=None, signed=signed, headers=seen)
    assert status == 304


async def test_a_container_s_resource_id_is_not_taken_for_a_user_s(wire: Wire) -> None:
    """`ResourceId.cs` looks at the top bit of the fifth byte."""
    rid = (await container_of(wire))["_rid"]
    raw = base64.b64decode(rid.replace("-", "/"))
    assert len(raw) == 8
    assert raw[4] & 0x80


@pytest.mark.parametrize("number", [1, 127, 128, 300, 2**20])
def test_resource_ids_keep_their_numbers(number: int) -> None:
    assert container_number(container_rid(3, number)) == number
    assert item_number(item_rid(3, number, 77)) == 77


async def test_a_query_in_one_partition_is_sent_as_it_is(wire: Wire) -> None:
    await wire.send("POST", DOCS, body={"id": "1", "slice": "s", "n": 1})
    status, headers, answer = await wire.send(
        "POST",
        DOCS,
        body={
            "query": "SELECT * FROM c WHERE c.n = @n",
            "parameters": [{"name": "@n", "value": 1}],
        },
        headers={
            "content-type": "application/query+json",
            "x-ms-documentdb-isquery": "True",
            "x-ms-documentdb-query-enablecrosspartition": "True",
            "x-ms-documentdb-populatequerymetrics": "False",
            "x-ms-cosmos-supported-serialization-formats": "JsonText",
            "x-ms-cosmos-is-query-plan-request": "False",
            "x-ms-max-item-count": "-1",
        },
    )
    assert status == 200
    assert [each["id"] for each in answer["Documents"]] == ["1"]
    assert (answer["_count"], headers["x-ms-item-count"]) == (1, "1")


async def test_an_item_is_found_by_its_self_link(wire: Wire) -> None:
    _, _, created = await wire.send("POST", DOCS, body={"id": "1", "slice": "s"})
    status, _, found = await wire.send(
        "GET", created["_self"].strip("/"), signed=("docs", created["_rid"].lower())
    )
    assert (status, found) == (200, created)


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        pytest.param(
            {**BATCH, "x-ms-cosmos-batch-atomic": "True"}, HYBRID_ROW, "HybridRow", id="batch"
        ),
        pytest.param(
            {**BATCH, "x-ms-cosmos-batch-atomic": "False"}, HYBRID_ROW, "HybridRow", id="bulk"
        ),
        pytest.param(
            {
                "content-type": "application/query+json",
                "x-ms-cosmos-is-query-plan-request": "True",
                "x-ms-cosmos-supported-query-features": "Aggregate, Distinct",
                "x-ms-cosmos-query-version": "1.0",
            },
            {"query": "SELECT VALUE COUNT(1) FROM c"},
            "a query plan",
            id="query plan",
        ),
        pytest.param(
            {
                "content-type": "application/query+json",
                "x-ms-documentdb-isquery": "True",
                "x-ms-documentdb-query-enablecrosspartition": "True",
                "x-ms-documentdb-partitionkeyrangeid": "0",
            },
            {"query": "SELECT * FROM c"},
            "QueryRequestOptions.PartitionKey",
            id="query over partitions",
        ),
    ],
)
async def test_what_is_not_served_is_named_with_400(
    wire: Wire, headers: dict[str, str], body: Any, named: str
) -> None:
    key = '["s"]' if "x-ms-cosmos-is-batch-request" in headers else None
    status, _, answer = await wire.send("POST", DOCS, body=body, key=key, headers=headers)
    assert status == 400
    assert named in answer["message"]


async def test_direct_mode_is_told_that_there_is_gateway_mode_only(
    wire: Wire,
) -> None:
    """The client asks for the addresses of replicas, and signs the container in their place."""
    rid = (await container_of(wire))["_rid"]
    resolve = quote(f"dbs/AQAAAA==/colls/{rid}/docs", safe="")
    path = f"/addresses/?$resolveFor={resolve}&$filter=protocol eq rntbd&$partitionKeyRangeIds=0"
    status, _, answer = await wire.send("GET", path, key=None, signed=("docs", rid.lower()))
    assert status == 400
    assert "Gateway mode only" in answer["message"]
